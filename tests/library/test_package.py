# SPDX-License-Identifier: Apache-2.0
"""The package's promises: every way to ask gives the same numbers, what is wrong is told with its place, threads share a model."""

import concurrent.futures
import ctypes
import gc
import json
import math
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import numpy as np
import prfarm
from prfarm import _library as lib
from python_setup import LIBRARY, MODEL, NETWORK, RUN, SOURCE, compile_c, needs, needs_compiler
from python_setup import prfarm as program

CONV = "conv2d r=3 pad=1 + relu"
TABLE = {"c": np.arange(1, 201), "k": np.arange(200, 0, -1), "h": np.tile([8, 14, 28, 56], 50)}
TEXTS = [f"conv2d c={c} k={k} h={h} r=3 pad=1 + relu" for c, k, h in zip(*TABLE.values())]


class Refused:
    """Expects prfarm.Error with a code and a text that holds `because`."""

    def __init__(self, test, code, because):
        self.test, self.code, self.because = test, code, because

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.test.assertIsInstance(error, prfarm.Error)
        self.test.assertEqual(error.code, self.code, error)
        self.test.assertIn(self.because, str(error))
        return True


class Package(unittest.TestCase):
    def setUp(self):
        self.model = prfarm.Model.load(MODEL)

    def refused(self, code, because):
        return Refused(self, code, because)

    def test_every_function_of_the_header_is_declared_and_no_other(self):
        header = (SOURCE / "common" / "prfarm.h").read_text()
        self.assertEqual(set(re.findall(r"^PRFARM_API.*?\b(prfarm_[a-z_]+)\(", header, re.M)), set(lib.FUNCTIONS))

    @needs_compiler
    def test_structs_lie_as_the_compiler_lays_them(self):
        structs = {
            "prfarm_layer": lib.LayerStruct,
            "prfarm_estimate": lib.EstimateStruct,
            "prfarm_estimates": lib.EstimatesStruct,
            "prfarm_matrix": lib.MatrixStruct,
            "prfarm_parameter": lib.ParameterStruct,
            "prfarm_model_facts": lib.FactsStruct,
            "prfarm_model_layer": lib.ModelLayerStruct,
            "prfarm_model_parameter": lib.ModelParameterStruct,
            "prfarm_block": lib.BlockStruct,
            "prfarm_note": lib.NoteStruct,
        }
        lines, expected = [], []
        for name, struct in structs.items():
            lines.append(f'printf("%zu\\n", sizeof({name}));')
            expected.append(ctypes.sizeof(struct))
            for field, *_ in struct._fields_:
                lines.append(f'printf("%zu\\n", offsetof({name}, {field}));')
                expected.append(getattr(struct, field).offset)
        with tempfile.TemporaryDirectory() as folder:
            source = pathlib.Path(folder, "layout.c")
            source.write_text("#include <prfarm.h>\n#include <stdio.h>\nint main(void) { %s return 0; }\n" % " ".join(lines))
            program = compile_c(source, pathlib.Path(folder, "layout"), f"-I{SOURCE / 'common'}")
            told = subprocess.run([program], check=True, capture_output=True, text=True).stdout
        self.assertEqual([int(line) for line in told.split()], expected)

    def test_every_way_to_ask_gives_the_same_numbers(self):
        singles = [self.model.estimate(text) for text in TEXTS]
        columns = np.column_stack(list(TABLE.values())).astype(np.int64)
        mappings = [{"kind": "conv2d", "c": c, "k": k, "h": h, "r": 3, "pad": 1, "then": "relu"} for c, k, h in columns.tolist()]
        ways = {
            "texts": self.model.estimate_many(TEXTS),
            "mappings": self.model.estimate_many(mappings),
            "arrays": self.model.estimate_many(TABLE, CONV),
            "rows": self.model.estimate_many(columns, CONV, ["c", "k", "h"]),
            "by columns": self.model.estimate_many(np.asfortranarray(columns), CONV, ["c", "k", "h"]),
            "int32": self.model.estimate_many(columns.astype(np.int32), CONV, ["c", "k", "h"]),
            "whole floats": self.model.estimate_many({name: a.astype(float) for name, a in TABLE.items()}, CONV),
            "backwards": self.model.estimate_many(columns[::-1], CONV, ["c", "k", "h"]),
        }
        for way, many in ways.items():
            order = slice(None, None, -1 if way == "backwards" else 1)
            for field in ("latency_ns", "low_ns", "high_ns", "outside"):
                expected = [getattr(single, field) for single in singles]
                np.testing.assert_array_equal(getattr(many, field)[order], expected, f"{way}: {field}")
        self.assertTrue(np.all(ways["texts"].low_ns <= ways["texts"].latency_ns))
        self.assertTrue(self.model.estimate("conv2d c=999 k=9 h=8 r=3").outside)

    def test_one_value_stands_for_a_whole_column(self):
        many = self.model.estimate_many({"c": [16, 32], "k": 48, "h": 28}, CONV)
        self.assertEqual(many.latency_ns[1], self.model.estimate("conv2d c=32 k=48 h=28 r=3 pad=1 + relu").latency_ns)

    def test_nothing_in_nothing_out(self):
        self.assertEqual(len(self.model.estimate_many([])), 0)
        self.assertEqual(len(self.model.estimate_many({"c": [], "k": 1, "h": 8}, CONV)), 0)

    @needs("pandas")
    def test_a_data_frame_is_a_table(self):
        import pandas

        frame = pandas.DataFrame({**TABLE, "note": "not a parameter"})
        many = self.model.estimate_many(frame, CONV, columns=["c", "k", "h"])
        np.testing.assert_array_equal(many.latency_ns, self.model.estimate_many(TEXTS).latency_ns)
        self.assertEqual(list(many.to_pandas().columns), ["latency_ns", "low_ns", "high_ns", "outside"])
        np.testing.assert_array_equal(self.model.estimate_many(pandas.Series(TEXTS)).latency_ns, many.latency_ns)

    def test_what_the_model_does_not_know_is_nan_among_many_and_an_error_alone(self):
        many = self.model.estimate_many(["softmax features=10", "fc in=9 out=9"])
        self.assertEqual(list(many.covered), [False, True])
        self.assertTrue(math.isnan(many.latency_ns[0]) and math.isnan(many.high_ns[0]))
        with self.refused(6, "the model of 'vta' knows no softmax"):
            self.model.estimate("softmax features=10")

    def test_mistakes_are_told_with_their_place(self):
        many = self.model.estimate_many
        with self.refused(4, "unknown layer kind 'conv9d'"):
            self.model.estimate("conv9d c=1")
        with self.refused(3, 'a layer needs its "kind"'):
            self.model.estimate({"c": 1})
        with self.refused(3, "layer 1: fc: parameter 'in' is missing"):
            many(["fc in=1 out=1", "fc out=1"])
        with self.refused(3, "row 1: conv2d.c = 0: use a value from 1"):
            many({"c": [1, 0], "k": 1, "h": 8}, CONV)
        with self.refused(3, "row 1: c = 2.5: use a whole number"):
            many({"c": [1, 2.5], "k": 1, "h": 8}, CONV)
        with self.refused(3, "row 0: c = nan: use a whole number"):
            many({"c": [math.nan], "k": 1, "h": 8}, CONV)
        with self.refused(3, "column 'c' holds something else than numbers"):
            many({"c": ["wide"], "k": 1, "h": 8}, CONV)
        with self.refused(3, "columns of different lengths (c: 2, k: 3"):
            many({"c": [1, 2], "k": [1, 2, 3], "h": 8}, CONV)
        with self.refused(3, "needs a pattern"):
            many({"c": [1]})
        with self.refused(3, "needs their names"):
            many(np.ones((2, 3), np.int64), CONV)
        with self.refused(3, "not with single layers"):
            many(["fc in=1 out=1"], "fc")
        with self.refused(4, "/nowhere/x.prfm"):
            prfarm.Model.load("/nowhere/x.prfm")
        with self.refused(3, "model"):
            prfarm.Model.load(MODEL.read_bytes()[:-7])

    def test_networks_from_file_and_memory_are_the_same_block_by_block(self):
        network, again = prfarm.Network.load(NETWORK), prfarm.Network.load(NETWORK.read_bytes(), name="mine")
        self.assertEqual((network.name, again.name), ("resnet18", "mine"))
        self.assertEqual((network.blocks, network.macs, network.notes), (again.blocks, again.macs, again.notes))
        self.assertEqual((network.blocks[0].kind, network.macs), ("conv2d+relu", 1814073344))
        result = self.model.estimate_network(network)
        alone = self.model.estimate_many([block.text for block in network.blocks])
        np.testing.assert_array_equal(result.blocks.latency_ns, alone.latency_ns)
        covered = result.blocks.covered
        self.assertEqual(result.covered, covered.sum())
        self.assertEqual([reason == "" for reason in result.why], list(covered))
        self.assertIn("knows no maxpool2d", result.why[1])
        between = self.model.facts.between_ns * (result.covered - 1)
        self.assertAlmostEqual((result.blocks.latency_ns[covered].sum() + between) / result.latency_ns, 1, 12)
        with self.refused(3, "mine"):
            prfarm.Network.load(b"no network", name="mine")
        with self.refused(4, "unknown data type 'f64'"):
            prfarm.Network.load(NETWORK, dtype="f64")

    @needs("pandas")
    def test_a_networks_table_has_a_row_for_each_block(self):
        table = self.model.estimate_network(prfarm.Network.load(NETWORK)).to_pandas()
        self.assertEqual(
            list(table.columns), ["name", "kind", "block", "macs", "latency_ns", "low_ns", "high_ns", "outside", "why"]
        )
        self.assertEqual(len(table), 31)
        self.assertEqual(table.macs.sum(), 1814073344)

    def test_facts_and_lists(self):
        facts = self.model.facts
        self.assertEqual((self.model.board, facts.campaign, facts.fingerprint), ("vta", "library", "sim/vta"))
        self.assertEqual(len(facts.digest), 32)
        conv = self.model.layers[0]
        self.assertEqual((conv.kind, conv.dtype), ("conv2d", "f32"))
        self.assertEqual({p.name: p.step_width for p in conv.parameters}["k"], 16)
        self.assertEqual({p.name: (p.low, p.high) for p in conv.parameters}["c"], (1, 256))
        self.assertEqual(prfarm.activations()[1], "relu6")
        self.assertEqual(prfarm.dtypes(), ("f32", "f16", "bf16", "i8"))
        for kind in prfarm.kinds():
            required = " ".join(f"{p.name}=3" for p in prfarm.parameters(kind) if p.default is None)
            self.assertTrue(prfarm.layer_text(f"{kind} {required}").startswith(kind))
        self.assertEqual({p.name: p.default for p in prfarm.parameters("conv2d")}["w"], "h")
        np.testing.assert_array_equal(prfarm.macs_many(TABLE, CONV), [prfarm.macs(text) for text in TEXTS])

    def test_energy_is_a_model_that_answers_in_nanojoules(self):
        self.assertIsNone(self.model.energy, "a board that tells none")
        path, text = RUN / "models" / "systolic.prfm", "fc in=300 out=200"
        energy = prfarm.Model.load(path).energy
        gc.collect()  # what it was asked of is alive as long as it is
        self.assertEqual((energy.board, energy.layers[0].kind), ("systolic", "fc"))
        latency = prfarm.Model.load(path).estimate(text).latency_ns
        told = energy.estimate(text)
        np.testing.assert_allclose(told.latency_ns, 0.005 * prfarm.macs(text) + 2 * latency, rtol=0.02)
        answer = json.loads(program("estimate", "--model", path, "--layer", text, "--json"))["layers"][0]["energy"]
        np.testing.assert_allclose(
            [told.latency_ns, told.low_ns, told.high_ns],
            [answer["estimate_nj"], answer["low_nj"], answer["high_nj"]],
            rtol=1e-6,
        )

    def test_threads_share_a_model(self):
        expected = self.model.estimate_many(TABLE, CONV).latency_ns

        def ask(_):
            return self.model.estimate_many(TABLE, CONV).latency_ns

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for latency in pool.map(ask, range(64)):
                np.testing.assert_array_equal(latency, expected)

    def test_models_and_networks_give_their_memory_back(self):
        def resident():
            return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")

        def load(times):
            for _ in range(times):
                prfarm.Model.load(MODEL)
                prfarm.Network.load(NETWORK)
            gc.collect()

        load(20)
        before = resident()
        load(200)
        self.assertLess(resident() - before, 200 * MODEL.stat().st_size / 4)


class Finding(unittest.TestCase):
    """Which library is taken, and what is said where it is none that fits."""

    def told(self, path):
        words = [sys.executable, "-c", "import prfarm; print(prfarm.library_path(), prfarm.library_version())"]
        done = subprocess.run(words, env={**os.environ, "PRFARM_LIBRARY": str(path)}, capture_output=True, text=True)
        return done.stdout + done.stderr

    def build(self, folder, source):
        path = pathlib.Path(folder, "other.c")
        path.write_text(source)
        return compile_c(path, pathlib.Path(folder, "libprfarm.so.1"), "-shared", "-fPIC")

    def test_the_named_one_is_taken(self):
        self.assertIn(f"{LIBRARY} 0.1.0", self.told(LIBRARY))

    def test_a_missing_one_is_told_with_the_remedy(self):
        said = self.told("/nowhere/libprfarm.so.1")
        self.assertIn("libprfarm is not here: install prfarm (cmake --install), or set PRFARM_LIBRARY", said)
        self.assertIn("/nowhere/libprfarm.so.1", said)

    @needs_compiler
    def test_another_version_is_told_with_both(self):
        with tempfile.TemporaryDirectory() as folder:
            other = self.build(folder, "int prfarm_abi(void);\nint prfarm_abi(void) { return 2; }\n")
            self.assertIn(f"{other} has ABI 2, this package needs 1", self.told(other))
            older = self.build(folder, "int other(void);\nint other(void) { return 1; }\n")
            self.assertIn(f"{older} has ABI 0, this package needs 1", self.told(older))
            lacking = self.build(folder, "int prfarm_abi(void);\nint prfarm_abi(void) { return 1; }\n")
            self.assertIn(f"{lacking} has no prfarm_version", self.told(lacking))


if __name__ == "__main__":
    unittest.main()
