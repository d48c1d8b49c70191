# SPDX-License-Identifier: Apache-2.0
"""Adapters on a real farm: coordinator, workers, exec backend. PRFARM_BIN is the folder with the built programs."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
PRFARM = os.path.join(os.environ["PRFARM_BIN"], "prfarm")
FOUR = """
campaign: four
boards:
  - {kind: onednn, backend: onednn}
  - {kind: onnxruntime, backend: exec, options: {command: prfarm-adapter, arg: [onnxruntime, --threads=1]}}
  - {kind: tflite, backend: exec, options: {command: prfarm-adapter, arg: [tflite, --threads=1]}}
  - {kind: openvino, backend: exec, options: {command: prfarm-adapter, arg: [openvino, --threads=1]}}
layers:
  - {kind: conv2d, params: {c: 16..64, k: 16..64, h: [14, 28], r: [1, 3], pad: r/2}}
  - {kind: fc, params: {in: 256..1024, out: 256..1024}}
budget: {samples: 30}
validation: {layers: 8, repeats: 2}
baseline: false
measure: {cache: semi-cold, warmup: 1, repeats: 5..10, limit_ms: 30}
"""
CURSED = """
campaign: cursed
boards:
  - {kind: board, backend: exec, options: {command: %s, arg: [%s, %s, onnxruntime], timeout_ms: 10000}}
layers:
  - {kind: fc, params: {in: [11, 12, 13, 14], out: [64, 128]}}
budget: {samples: 8}
validation: {layers: 1, repeats: 1}
baseline: false
measure: {repeats: 2..3, warmup: 0, limit_ms: 10}
"""


def run(folder, text, seconds=240):
    file = pathlib.Path(folder, "campaign.yaml")
    file.write_text(text)
    done = subprocess.run([PRFARM, "run", file, "--out", pathlib.Path(folder, "out")], capture_output=True, text=True, timeout=seconds,
                          check=False)
    return done, pathlib.Path(folder, "out")


class Campaign(unittest.TestCase):
    def test_four_boards_end_with_four_models(self):
        with tempfile.TemporaryDirectory() as folder:
            done, out = run(folder, FOUR)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertEqual({model.stem for model in out.glob("models/*.prfm")}, {"onednn", "onnxruntime", "tflite", "openvino"})
            summary = json.loads((out / "summary.json").read_text())
            for board in summary["boards"]:
                self.assertEqual((board["stage"], board["poisoned"], board["samples"]), ("done", 0, 30), board["kind"])

    def cursed(self, what, outcome):
        """Layers with 13 inputs make the runtime misbehave: they are given up, with the reason, and all others are measured."""
        with tempfile.TemporaryDirectory() as folder:
            done, out = run(folder, CURSED % (sys.executable, HERE / "misbehaving.py", what))
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            told = subprocess.run([PRFARM, "poisoned", "cursed", "--dir", out], capture_output=True, text=True, check=True).stdout
            self.assertIn("in=13", told)
            self.assertIn(outcome, told)
            for width in (11, 12, 14):
                self.assertNotIn(f"in={width}", told)

    def test_a_runtime_that_ends_the_process_costs_its_layer(self):
        self.cursed("abort", "signal 6")

    def test_a_runtime_that_hangs_costs_its_layer(self):
        self.cursed("hang", "did not answer")

    def test_a_runtime_that_fails_costs_its_layer(self):
        self.cursed("raise", "the runtime has lost its device")

    def test_a_runtime_that_prints_costs_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            done, out = run(folder, CURSED % (sys.executable, HERE / "misbehaving.py", "print"))
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            told = subprocess.run([PRFARM, "poisoned", "cursed", "--dir", out], capture_output=True, text=True, check=True).stdout
            self.assertNotIn("in=", told)


if __name__ == "__main__":
    unittest.main()
