# SPDX-License-Identifier: Apache-2.0
"""Whoever is asked, a model says the same, to 1e-6: `prfarm estimate`, the library (one by one, together, as a matrix, as a network), the
exported C source, and the coordinator (its evaluation)."""

import csv
import io
import json
import pathlib
import subprocess
import tempfile
import unittest

import numpy as np
import prfarm
from python_setup import MODEL, NETWORK, RUN, VALIDATED, compile_c, needs_compiler
from python_setup import prfarm as program

LAYERS = [
    "conv2d c=64 k=64 h=56 r=3 pad=1",
    "conv2d c=17 k=33 h=28 r=3 pad=1 stride=2 + relu",
    "conv2d c=300 k=300 h=14 r=1",
    "fc in=100 out=100",
    "fc n=4 in=511 out=3 + relu6",
]
FIELDS = ("latency_ns", "low_ns", "high_ns")


class Agreement(unittest.TestCase):
    def setUp(self):
        self.model = prfarm.Model.load(MODEL)

    def agree(self, told, expected, who):
        np.testing.assert_allclose(np.asarray(told, float), np.asarray(expected, float), rtol=1e-6, err_msg=who)

    def by_library(self, texts):
        many = self.model.estimate_many(texts)
        for i, text in enumerate(texts):
            if many.covered[i]:
                alone = self.model.estimate(text)
                self.agree([getattr(alone, f) for f in FIELDS], [getattr(many, f)[i] for f in FIELDS], text)
        return np.column_stack([getattr(many, field) for field in FIELDS])

    def by_command_line(self, *words):
        answer = json.loads(program("estimate", "--model", MODEL, "--json", *words))
        rows = [[layer["estimate_ns"], layer["low_ns"], layer["high_ns"]] for layer in answer["layers"]]
        return answer, np.array(rows, float)

    def by_exported_source(self, texts):
        with tempfile.TemporaryDirectory() as folder:
            source = pathlib.Path(folder, "model.c")
            program("model", "export", MODEL, "--c", source)
            compiled = compile_c(source, pathlib.Path(folder, "model"), "-DPRFARM_MAIN", "-lm")
            done = subprocess.run([compiled, *texts], check=True, capture_output=True, text=True)
        return np.array([line.split()[:3] for line in done.stdout.splitlines()], float)

    @needs_compiler
    def test_layers(self):
        expected = self.by_library(LAYERS)
        words = [word for text in LAYERS for word in ("--layer", text)]
        self.agree(self.by_command_line(*words)[1], expected, "prfarm estimate")
        self.agree(self.by_exported_source(LAYERS), expected, "the exported source")
        matrix = self.model.estimate_many({"c": [64], "k": [64], "h": [56]}, "conv2d r=3 pad=1")
        self.agree([getattr(matrix, field)[0] for field in FIELDS], expected[0], "a matrix")

    @needs_compiler
    def test_a_network(self):
        result = self.model.estimate_network(prfarm.Network.load(NETWORK))
        answer, rows = self.by_command_line(NETWORK)
        texts = [block.text for block in result.network.blocks]
        expected = self.by_library(texts)
        self.agree(rows, expected, "prfarm estimate")
        self.agree(np.column_stack([getattr(result.blocks, field) for field in FIELDS]), expected, "the network")
        self.agree([answer["total_ns"], answer["low_ns"], answer["high_ns"]], [getattr(result, f) for f in FIELDS], "totals")
        self.assertEqual((answer["covered"], answer["total_macs"]), (result.covered, result.network.macs))
        known = [text for text, covered in zip(texts, result.blocks.covered) if covered]
        self.agree(self.by_exported_source(known), expected[result.blocks.covered], "the exported source")

    def test_the_coordinator(self):
        rows = csv.DictReader(io.StringIO(program("export", "evaluation", "--dir", RUN)))
        rows = [row for row in rows if row["kind"] == self.model.board]
        self.assertEqual(len(rows), VALIDATED[self.model.board])
        told = [[row["estimated_ns"], row["low_ns"], row["high_ns"]] for row in rows]
        self.agree(told, self.by_library([row["block"] for row in rows]), "the coordinator")


if __name__ == "__main__":
    unittest.main()
