# SPDX-License-Identifier: Apache-2.0
"""timing - what a layer costs inside a network, as far as one timing can tell.

Three things would be a single layer's that a network pays once, or not at all:

- The call into the runtime (2 to 30 us). A model that does nothing with as many tensors is timed right before each timing, in the same
  state: its code has just run, its own data has not. The median of such calls is taken off, whether a block or a whole network
  runs, so that sums and wholes mean the same. MobileNetV2 has 65 blocks: an error of 1 us here is 2 % of it. So as many copies of a
  small block as the second cache holds run in one call, each with weights and tensors of its own, and share what is uncertain about it.
- The state of the caches. Semi-cold, as docs/measuring.md has it: other data is streamed through all caches, which puts the
  weights out (they lie where only the runtime knows, so they cannot be flushed one by one); then the layer's output, which
  has been some earlier layer's, and its input are read, several times; then a few tiny layers run, because in a network the
  runtime's own code has just run. Layers with few weights or none have nothing to put out that would matter, and what they read and write would
  be in a state that no network leaves: two measurements of an addition differed by a third. For them the stream is just too large
  for the second cache.
- Waiting: a timing during which the system took the processor away is told as disturbed.

Warm-up and repeats are the worker's."""
import collections
import pathlib
import resource
import statistics
import time

from . import layers

METHOD = 3  # stands in the fingerprint: to be raised with every change that shifts latencies, since those of two ways do not mix
LAST_CACHE = 32 << 20  # where the system does not tell
SECOND_CACHE = 2 << 20
FEW_WEIGHTS = 64 << 10  # bytes that come from memory within some microseconds
TOUCHES = 4  # reads of what is to be in the cache: after a stream, the last cache soon drops what was read only once
MOST_COPIES = 8
COPIES_BYTES = 512 << 10  # of all copies: half of a second cache
CALLS = 31  # of the empty model tell what one takes: about those of one measurement, since it changes with the machine's state
LEAST_SHARE = 0.05  # of the raw time remains, should a layer seem faster than the empty model


def _cache_bytes(level, least):
    """The size of the caches of this level and those below, or `least`."""
    sizes = [least]
    for cache in pathlib.Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"):
        try:
            text = (cache / "size").read_text().strip()
            if text.endswith("K") and int((cache / "level").read_text()) <= level:
                sizes.append(int(text[:-1]) << 10)
        except (OSError, ValueError):
            continue  # not told, as on many boards
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


def run_ns(kernel, iterations=1):
    """Nanoseconds of one run; where the kernel has a clock of the runtime's own, without Python's way to the call and back."""
    if hasattr(kernel, "took_ns"):
        total = 0.0
        for _ in range(iterations):
            begin = time.perf_counter_ns()
            kernel.run()
            around = time.perf_counter_ns() - begin
            took = kernel.took_ns()
            total += took if 0 < took <= around else around  # its clock may be one that somebody sets
        return total / iterations
    begin = time.perf_counter_ns()
    for _ in range(iterations):
        kernel.run()
    return (time.perf_counter_ns() - begin) / iterations


def _switches():
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


class Timed:
    """A kernel with the state in which it is to be timed, what makes the same call and nothing else, and the times of that."""

    def __init__(self, kernel, call, copies, cold, few_weights):
        self.kernel = kernel
        self.call = call  # None: the kernel times itself
        self.copies = copies
        self.cold = cold
        self.few_weights = few_weights
        self.calls_ns = collections.deque(maxlen=CALLS)


class Stopwatch:
    def __init__(self, board):
        self.board = board
        self.other_data = self.little_data = self.companion = None  # made with the first semi-cold kernel
        self.code = None  # a model that does nothing; it brings in the code
        self.calls = {}  # those that are timed, by their numbers of tensors

    def ready(self, net, cold):
        """The net's kernel, to be timed."""
        cold = cold and self.board.host
        if self.board.host and len(net.steps) <= layers.BLOCK_LAYERS:
            net.copies = max(1, min(MOST_COPIES, COPIES_BYTES // net.bytes()))
        kernel = self.board.load(net)
        call = None if hasattr(kernel, "told_ns") else self._call_like(kernel)
        if call and cold and self.other_data is None:
            self._ready_to_cool()
        return Timed(kernel, call, net.copies, cold, cold and net.weight_bytes() < FEW_WEIGHTS)

    def _call_like(self, kernel):
        """A model that does nothing with as many tensors."""
        tensors = len(kernel.inputs), len(kernel.outputs)
        if not self.code:
            self.code = self.board.empty(1, 1)
        if tensors not in self.calls:
            self.calls[tensors] = self.board.empty(*tensors)
        return self.calls[tensors]

    def _ready_to_cool(self):
        import numpy  # here, since linux_command does without

        self.other_data = numpy.ones(2 * _cache_bytes(9, LAST_CACHE) // 8, numpy.uint64)
        self.little_data = self.other_data[:2 * _cache_bytes(2, SECOND_CACHE) // 8]
        tiny = _tiny(self.board.kinds)
        self.companion = self.board.load(tiny) if tiny else self.code

    def _cool(self, kernel, few_weights):
        (self.little_data if few_weights else self.other_data).sum()
        for _ in range(TOUCHES):
            for array in (*kernel.outputs, *kernel.inputs):
                array.sum()
        self.companion.run()

    def _raw_ns(self, timed, kernel, iterations):
        """The time of one run of `kernel` in the state that `timed` asks for; that of the call alone is noted."""
        if timed.cold:
            self._cool(kernel, timed.few_weights)
        self.code.run()
        timed.calls_ns.append(run_ns(timed.call))
        return run_ns(kernel, iterations)

    def time(self, timed, iterations):
        """Nanoseconds of one run of one copy, of which there are as many as `iterations`, and whether the system interrupted it."""
        kernel = timed.kernel
        if not timed.call:
            return statistics.fmean(kernel.told_ns() for _ in range(iterations)), False
        before = _switches()
        runs = max(1, round(iterations / timed.copies))  # who reads a sensor meanwhile divides by the iterations
        raw = self._raw_ns(timed, kernel, runs)
        without = getattr(kernel, "without", None)
        rest = self._raw_ns(timed, without, runs) if without else statistics.median(timed.calls_ns)
        return max(raw - rest, LEAST_SHARE * raw) / timed.copies, _switches() != before
