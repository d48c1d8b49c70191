# SPDX-License-Identifier: Apache-2.0
"""timing - what a layer costs inside a network, as far as one timing can tell.

Three things would be a single layer's that a network pays once, or not at all:

- The call into the runtime (2 to 30 us). A model that does nothing is timed right before each timing, in the same state: its code has
  just run, its own data has not. The median of such calls is taken off, whether a block or a whole network runs, so that sums and
  wholes mean the same. MobileNetV2 has 65 blocks: an error of 1 us here is 2 % of it.
- The state of the caches. Semi-cold, as docs/measuring.md has it: other data is streamed through all caches, which puts the
  weights out (they lie where only the runtime knows, so they cannot be flushed one by one); then the layer's output, which
  has been some earlier layer's, and its input are read, several times; then a few tiny layers run, because in a network the
  runtime's own code has just run.
- Waiting: a timing during which the system took the processor away is told as disturbed.

Warm-up and repeats are the worker's."""
import collections
import pathlib
import resource
import statistics
import time

from . import layers

LAST_CACHE = 32 << 20  # where the system does not tell
TOUCHES = 4  # reads of what is to be in the cache: after a stream, the last cache soon drops what was read only once
CALLS = 31  # of the empty model tell what one takes: about those of one measurement, since it changes with the machine's state
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
        self.other_data = self.companion = None  # made with the first semi-cold kernel
        self.code = self.call = None  # two models that do nothing: one brings in the code, the other is timed
        self.calls_ns = {cold: collections.deque(maxlen=CALLS) for cold in (False, True)}

    def ready(self, kernel, cold):
        cold = cold and self.board.host
        if not hasattr(kernel, "told_ns") and not self.call:
            self.code, self.call = self.board.empty(), self.board.empty()
        if cold and self.other_data is None:
            import numpy  # here, since linux_command does without

            self.other_data = numpy.ones(2 * _last_cache_bytes() // 8, numpy.uint64)
            tiny = _tiny(self.board.kinds)
            self.companion = self.board.load(tiny) if tiny else self.code
        return Timed(kernel, cold)

    def _cool(self, kernel):
        self.other_data.sum()
        for _ in range(TOUCHES):
            for array in (*kernel.outputs, *kernel.inputs):
                array.sum()
        self.companion.run()

    def _raw_ns(self, kernel, cold, iterations):
        """The time of one run and of the call alone."""
        run, call = kernel.run, self.call.run
        if cold:
            self._cool(kernel)
        self.code.run()
        before = time.perf_counter_ns()
        call()
        begin = time.perf_counter_ns()
        for _ in range(iterations):
            run()
        end = time.perf_counter_ns()
        self.calls_ns[cold].append(begin - before)
        return (end - begin) / iterations

    def time(self, timed, iterations):
        """Nanoseconds of one run, and whether the system interrupted it."""
        kernel, cold = timed.kernel, timed.cold
        if hasattr(kernel, "told_ns"):
            return statistics.fmean(kernel.told_ns() for _ in range(iterations)), False
        before = _switches()
        raw = self._raw_ns(kernel, cold, iterations)
        without = getattr(kernel, "without", None)
        rest = self._raw_ns(without, cold, iterations) if without else statistics.median(self.calls_ns[cold])
        return max(raw - rest, LEAST_SHARE * raw), _switches() != before
