# SPDX-License-Identifier: Apache-2.0
"""timing - what a layer costs inside a network, as far as one timing can tell.

Three things would be a single layer's that a network pays once, or not at all:

- The call into the runtime (5 to 50 us). An empty model is timed as the layer is, and its median is taken off, whether a block
  or a whole network runs, so that sums and wholes mean the same.
- The state of the caches. Semi-cold, as docs/measuring.md has it: other data is streamed through all caches, which puts the
  weights out (they lie where only the runtime knows, so they cannot be flushed one by one); then a few tiny layers run, because in
  a network the runtime's own code has just run; then the layer's input and output are touched, output first.
- Waiting: a timing during which the system took the processor away is told as disturbed.

Warm-up and repeats are the worker's."""
import pathlib
import resource
import statistics
import time

import numpy

from . import layers

LAST_CACHE = 32 << 20  # where the system does not tell
EMPTY_RUNS = 41
LEAST_SHARE = 0.05  # of the raw time remains, should a layer seem faster than the empty model


def _last_cache_bytes():
    sizes = [LAST_CACHE]
    for file in pathlib.Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size"):
        text = file.read_text().strip()
        if text.endswith("K"):
            sizes.append(int(text[:-1]) << 10)
    return max(sizes)


def _tiny(kinds):
    """A small net of what the board has, to run before each semi-cold timing; None where it has none of these."""
    conv = {"n": 1, "c": 32, "k": 32, "h": 8, "w": 8, "r": 3, "s": 3, "stride": 1, "pad": 1, "dilation": 1, "groups": 1}
    plane = {"n": 1, "c": 32, "h": 8, "w": 8}
    chain = [("conv2d", conv), ("conv2d", {**conv, "r": 1, "s": 1, "pad": 0}), ("dwconv2d", {**conv, "groups": 32}),
             ("maxpool2d", {**plane, "r": 3, "s": 3, "stride": 1, "pad": 1}), ("activation", {**plane, "fn": 0}),
             ("avgpool2d", {**plane, "r": 8, "s": 8, "stride": 8, "pad": 0}), ("fc", {"n": 1, "in": 32, "out": 32})]
    steps = [layers.Layer(kind, params) for kind, params in chain if kind in kinds]
    return layers.Net([layers.Step(layer, (place - 1,)) for place, layer in enumerate(steps)], "f32") if steps else None


def _switches():
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


class Timed:
    """A kernel with the state in which it is to be timed."""

    def __init__(self, kernel, cold):
        self.kernel = kernel
        self.cold = cold


class Stopwatch:
    def __init__(self, board):
        self.board = board
        self.other_data = None  # allocated with the first semi-cold kernel
        self.companion = None
        self.call_ns = {}  # what the empty model takes: by cold or warm

    def ready(self, kernel, cold):
        cold = cold and self.board.host
        if not hasattr(kernel, "told_ns") and cold not in self.call_ns:
            if cold:
                self.other_data = numpy.ones(2 * _last_cache_bytes() // 8, numpy.uint64)
                tiny = _tiny(self.board.kinds)
                self.companion = self.board.load(tiny) if tiny else None
            empty = Timed(self.board.empty(), cold)
            self.call_ns[cold] = statistics.median(self._raw_ns(empty, 1) for _ in range(EMPTY_RUNS))
        return Timed(kernel, cold)

    def _cool(self, kernel):
        self.other_data.sum()
        if self.companion:
            self.companion.run()
        for array in reversed(kernel.arrays):
            array.sum()

    def _raw_ns(self, timed, iterations):
        run = timed.kernel.run
        if timed.cold:
            self._cool(timed.kernel)
        begin = time.perf_counter_ns()
        for _ in range(iterations):
            run()
        return (time.perf_counter_ns() - begin) / iterations

    def time(self, timed, iterations):
        """Nanoseconds of one run, and whether the system interrupted it."""
        if hasattr(timed.kernel, "told_ns"):
            return statistics.fmean(timed.kernel.told_ns() for _ in range(iterations)), False
        before = _switches()
        raw = self._raw_ns(timed, iterations)
        return max(raw - self.call_ns[timed.cold], LEAST_SHARE * raw), _switches() != before
