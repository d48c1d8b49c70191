# SPDX-License-Identifier: Apache-2.0
"""docs/examples/python/search.py runs, as a program and cell by cell, and says what its text says."""

import re
import subprocess
import sys
import unittest

from python_setup import MODEL, NETWORK, SOURCE

EXAMPLE = SOURCE / "docs" / "examples" / "python" / "search.py"


class Notebook(unittest.TestCase):
    def test_it_runs(self):
        words = [sys.executable, str(EXAMPLE), str(MODEL), str(NETWORK)]
        done = subprocess.run(words, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr, "")
        self.assertIn("conv2d: trained on", done.stdout)
        self.assertRegex(done.stdout, r"the latency jumps behind k = .*\b16, .*\b32, ")
        self.assertRegex(done.stdout, r"\d+ of them on the Pareto front")
        front = [float(us) for us in re.findall(r"^ +([\d.]+) us", done.stdout, re.M)]
        self.assertTrue(len(front) >= 5 and front == sorted(front), done.stdout)
        self.assertIn("21 of 31 blocks covered", done.stdout)

    def test_every_cell_is_one(self):
        cells = re.split(r"^# %%.*\n", EXAMPLE.read_text(), flags=re.M)
        self.assertGreater(len(cells), 6)
        for cell in cells:
            compile(cell, str(EXAMPLE), "exec")


if __name__ == "__main__":
    unittest.main()
