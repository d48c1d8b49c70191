# SPDX-License-Identifier: Apache-2.0
"""values - what tensors hold and where they lie.

They hold random numbers, the same each time, as wide as keeps values neither growing nor decaying on their way through a deep network,
since neither infinities nor denormal numbers take the usual time. Tensors lie one behind the other on huge pages, as in a runtime's own
memory: with small pages, the physical pages that a tensor happens to get decide about conflicts in the caches, and a pooling layer
took 9 or 13 us, whichever it was."""
import math

import numpy

ALIGNED = 256
HUGE_PAGE = 2 << 20  # numpy asks for them from twice that on


class Values:
    def __init__(self, element=numpy.float32):
        self.numbers = numpy.random.default_rng(7)
        self.element = element

    def weights(self, shape, fan_in, follower=None):
        """For sums of `fan_in` products; behind them stands the activation `follower`."""
        gain = math.sqrt(2) if follower in ("relu", "relu6") else 1.0  # half of the values become 0
        reach = gain * math.sqrt(3 / fan_in)
        return (self.numbers.random(shape, numpy.float32) * (2 * reach) - reach).astype(self.element)

    def bias(self, count):
        return self.weights((count,), 3e4)  # within 0.01


def activations(shape):
    return numpy.random.default_rng(11).standard_normal(shape, numpy.float32)


def tensors(inputs, outputs):
    """The arrays that a kernel reads and writes, by their shapes; the former hold activations."""
    shapes = [*inputs, *outputs]
    sizes = [-(-4 * math.prod(shape) // ALIGNED) * ALIGNED for shape in shapes]
    memory = numpy.empty(-(-sum(sizes) // HUGE_PAGE) * HUGE_PAGE + 2 * HUGE_PAGE, numpy.uint8)
    at = -memory.ctypes.data % HUGE_PAGE
    arrays = []
    for shape, size in zip(shapes, sizes):
        arrays.append(memory[at:at + 4 * math.prod(shape)].view(numpy.float32).reshape(shape))
        at += size
    for array, shape in zip(arrays, inputs):
        array[...] = activations(shape)
    return arrays[:len(inputs)], arrays[len(inputs):]
