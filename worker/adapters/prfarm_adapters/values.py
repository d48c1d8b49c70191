# SPDX-License-Identifier: Apache-2.0
"""values - what tensors hold: random numbers, the same each time, as wide as keeps values neither growing nor decaying on their way
through a deep network, since neither infinities nor denormal numbers take the usual time."""
import math

import numpy


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
