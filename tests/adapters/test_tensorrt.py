# SPDX-License-Identifier: Apache-2.0
"""The tensorrt adapter against a program that takes trtexec's options and writes what TensorRT documents (samples/trtexec and its
reporting of --exportTimes), since few machines have a GPU. Where there is one with trtexec in PATH, the last test asks the real program.

    PYTHONPATH=worker/adapters python3 tests/adapters/test_tensorrt.py"""
import json
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest

import onnx

from prfarm_adapters import layers, tensorrt

# A run takes as many microseconds as the model has nodes; the first two runs are the warm-up's. A model with a Tanh cannot be built.
PROGRAM = f"""#!{sys.executable}
import json, pathlib, sys
options = dict(word.split("=", 1) if "=" in word else (word, "") for word in sys.argv[1:])
print("&&&& RUNNING TensorRT.trtexec [TensorRT v100300] # " + " ".join(sys.argv))
if "--help" in options:
    sys.exit(0)
known = {{"--onnx", "--saveEngine", "--loadEngine", "--fp16", "--noTF32", "--device", "--exportTimes", "--warmUp", "--duration",
         "--iterations", "--noDataTransfers", "--useSpinWait"}}
if set(options) - known:
    sys.exit("[E] Unknown option: " + ", ".join(set(options) - known))
if "--onnx" in options:
    import onnx
    model = onnx.load(options["--onnx"])
    onnx.checker.check_model(model, full_check=True)
    if any(node.op_type == "Tanh" for node in model.graph.node):
        print("[11/27/2026-12:00:00] [E] Error[10]: Could not find any implementation for node t1.")
        print("&&&& FAILED TensorRT.trtexec [TensorRT v100300]")
        sys.exit(1)
    engine = {{"nodes": len(model.graph.node), "fp16": "--fp16" in options, "tf32": "--noTF32" not in options}}
    pathlib.Path(options["--saveEngine"]).write_text(json.dumps(engine))
else:
    engine = json.loads(pathlib.Path(options["--loadEngine"]).read_text())
with open(options["--exportTimes"], "w") as out:
    out.write("[\\n")
    separator = "  "
    for run in range(-2, int(options["--iterations"])):
        start = (200 if run >= 0 else 100) + 0.5 * (run + 2)
        took = engine["nodes"] * 1e-3 if run >= 0 else 50
        out.write(f'{{separator}}{{{{ "startEnqMs" : {{start - 0.01}}, "endEnqMs" : {{start}}, "startH2dMs" : {{start}}, "endH2dMs" : {{start}}, '
                  f'"startComputeMs" : {{start}}, "endComputeMs" : {{start + took}}, "startD2hMs" : {{start + took}}, '
                  f'"endD2hMs" : {{start + took}}, "h2dMs" : 0, "computeMs" : {{took}}, "d2hMs" : 0, "latencyMs" : {{took}} }}}}\\n')
        separator = ", "
    out.write("]\\n")
print("&&&& PASSED TensorRT.trtexec [TensorRT v100300]")
"""

CONV = {"kind": "conv2d", "n": 1, "c": 8, "k": 16, "h": 8, "w": 8, "r": 3, "s": 3, "stride": 1, "pad": 1, "dilation": 1, "groups": 1}
RELU = {"kind": "activation", "n": 1, "c": 16, "h": 8, "w": 8, "fn": 0}
TANH = {**RELU, "fn": 3}


class Chosen:
    device, tf32 = 0, "off"

    def __init__(self, program):
        self.trtexec = program


class Adapter(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.program = pathlib.Path(self.folder.name, "trtexec")
        self.write(PROGRAM)
        self.board = tensorrt.Board(Chosen(str(self.program)))

    def write(self, text):
        self.program.write_text(text)
        self.program.chmod(self.program.stat().st_mode | stat.S_IXUSR)

    def test_runs_are_told_in_order_without_the_warm_up_and_timed_again_when_used_up(self):
        kernel = self.board.load(layers.read_block([CONV, RELU], "f32"))
        for _ in range(tensorrt.RUNS + 3):
            self.assertAlmostEqual(kernel.told_ns(), 2000)  # two nodes

    def test_engines_are_built_as_asked_for(self):
        for dtype, tf32 in (("f32", "off"), ("f16", "on")):
            chosen = Chosen(str(self.program))
            chosen.tf32 = tf32
            kernel = tensorrt.Board(chosen).load(layers.read_block([CONV], dtype))
            engine = json.loads((kernel.at / "engine").read_text())
            self.assertEqual((engine["fp16"], engine["tf32"]), (dtype == "f16", tf32 == "on"))
            element = onnx.load(kernel.at / "net.onnx").graph.input[0].type.tensor_type.elem_type
            self.assertEqual(element, onnx.TensorProto.FLOAT16 if dtype == "f16" else onnx.TensorProto.FLOAT)

    def test_a_network_is_one_engine(self):
        blocks = [{"layers": [CONV, RELU], "inputs": [-1]}, {"layers": [{**CONV, "c": 16}], "inputs": [0]},
                  {"layers": [{"kind": "add", "n": 1, "c": 16, "h": 8, "w": 8}], "inputs": [0, 1]}]
        self.assertAlmostEqual(self.board.load(layers.read_network(blocks, "f32")).told_ns(), 4000)

    def test_what_fails_says_why(self):
        with self.assertRaisesRegex(layers.Failed, "ended with 1: Error.10.: Could not find any implementation"):
            self.board.load(layers.read_block([CONV, TANH], "f32"))
        self.write("#!/bin/sh\nkill -SEGV $$\n")
        with self.assertRaisesRegex(layers.Failed, "ended with -11"):
            self.board.load(layers.read_block([CONV], "f32"))
        self.write("#!/bin/sh\nexit 0\n")
        with self.assertRaisesRegex(layers.Failed, "cannot be read"):
            self.board.load(layers.read_block([CONV], "f32"))
        with self.assertRaisesRegex(SystemExit, "tensorrt: /nowhere/trtexec: .*install TensorRT"):
            tensorrt.Board(Chosen("/nowhere/trtexec"))

    def test_the_fingerprint_names_the_version(self):
        self.assertRegex(self.board.fingerprint, r"^tensorrt 10\.3\.0 trtexec, .*tf32=off$")
        self.write(PROGRAM.replace("v100300", "v8601"))
        self.assertIn("tensorrt 8.6.1 ", tensorrt.Board(Chosen(str(self.program))).fingerprint)

    def test_the_conversation_of_the_exec_backend(self):
        asks = [{"op": "describe", "version": 1}, {"op": "prepare", "id": 1, "dtype": "f32", "layers": [CONV], "cache": "semi-cold"},
                {"op": "run", "id": 1, "iterations": 3}, {"op": "prepare", "id": 2, "dtype": "i8", "layers": [CONV]},
                {"op": "release", "id": 1}]
        done = subprocess.run([sys.executable, "-m", "prfarm_adapters", "tensorrt", "--trtexec", str(self.program)], check=True,
                              input="".join(json.dumps(ask) + "\n" for ask in asks), capture_output=True, text=True)
        describe, prepare, run, refused, release = map(json.loads, done.stdout.splitlines())
        self.assertTrue(describe["ok"] and describe["networks"] and not describe["host"])
        self.assertTrue(prepare["ok"] and release["ok"])
        self.assertAlmostEqual(run["latency_ns"], 1000)
        self.assertTrue(refused["unsupported"])

    @unittest.skipUnless(shutil.which("trtexec") and os.path.exists("/dev/nvidia0"), "no GPU of NVIDIA's with trtexec")
    def test_a_gpu_tells_plausible_times(self):
        board = tensorrt.Board(Chosen("trtexec"))
        small, large = (board.load(layers.read_block([{**CONV, "h": size, "w": size}], "f32")) for size in (8, 512))
        self.assertTrue(500 < min(small.told_ns() for _ in range(50)) < min(large.told_ns() for _ in range(50)) < 1e9)


if __name__ == "__main__":
    unittest.main()
