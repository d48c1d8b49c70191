# SPDX-License-Identifier: Apache-2.0
"""How often a block is run for one timing, and by whose clock. What comes of it is measured by docs/adapters.md."""
import unittest

from prfarm_adapters import timing


class Counting:
    def __init__(self):
        self.runs = 0

    def run(self):
        self.runs += 1


class OwnClock(Counting):
    def __init__(self, took_ns):
        super().__init__()
        self.took = took_ns

    def took_ns(self):
        return self.took


def timed(kernel, copies, iterations):
    stopwatch = timing.Stopwatch(None)
    stopwatch.code = Counting()
    return stopwatch.time(timing.Timed(kernel, Counting(), copies, cold=False, few_weights=False), iterations)[0]


class Timing(unittest.TestCase):
    def test_copies_count_as_iterations(self):
        for copies, iterations, runs in ((1, 80, 80), (8, 80, 10), (8, 1, 1), (8, 3, 1)):
            kernel = Counting()
            self.assertGreater(timed(kernel, copies, iterations), 0)
            self.assertEqual(kernel.runs, runs)

    def test_a_clock_of_the_runtime_counts_unless_somebody_has_set_it(self):
        self.assertEqual(timing.run_ns(OwnClock(1)), 1)
        for impossible in (0, -5e9, 3.6e12):
            self.assertTrue(0 < timing.run_ns(OwnClock(impossible)) < 1e9)


if __name__ == "__main__":
    unittest.main()
