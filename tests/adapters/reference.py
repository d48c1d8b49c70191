# SPDX-License-Identifier: Apache-2.0
"""reference - what a block should compute, in plain numpy, with the weights that an adapter's model holds: they are drawn from the same
numbers in the same order. One more model for layers.assemble, whose tensors are arrays."""
import math

import numpy
from prfarm_adapters import values


def windows(x, kernel, stride, dilation):
    """x[n, c, h, w] as [n, c, out_h, out_w, r, s]."""
    r, s = kernel
    reach_h, reach_w = dilation * (r - 1) + 1, dilation * (s - 1) + 1
    view = numpy.lib.stride_tricks.sliding_window_view(x, (reach_h, reach_w), axis=(2, 3))
    return view[:, :, ::stride, ::stride, ::dilation, ::dilation]


def convolve(x, weights, bias, stride, pad, dilation, groups):
    x = numpy.pad(x, [(0, 0), (0, 0), (pad[0], pad[0]), (pad[1], pad[1])])
    view = windows(x, weights.shape[2:], stride, dilation)
    n, c = x.shape[:2]
    k = weights.shape[0]
    view = view.reshape(n, groups, c // groups, *view.shape[2:])
    grouped = weights.reshape(groups, k // groups, *weights.shape[1:])
    out = numpy.einsum("ngchwrs,gkcrs->ngkhw", view, grouped)
    return out.reshape(n, k, *out.shape[3:]) + bias[:, None, None]


ACTIVATIONS = {
    "relu": lambda x: numpy.maximum(x, 0),
    "relu6": lambda x: numpy.clip(x, 0, 6),
    "sigmoid": lambda x: 1 / (1 + numpy.exp(-x)),
    "tanh": numpy.tanh,
    "gelu": lambda x: 0.5 * x * (1 + numpy.vectorize(math.erf)(x / math.sqrt(2))),
    "hardswish": lambda x: x * numpy.clip(x + 3, 0, 6) / 6,
    "swish": lambda x: x / (1 + numpy.exp(-x)),
    "hardsigmoid": lambda x: numpy.clip(x + 3, 0, 6) / 6,
}


class Reference:
    """`channels_last`: the weights were drawn in TensorFlow Lite's order. `inputs`: what the net's inputs hold, in order."""

    def __init__(self, inputs, channels_last=False):
        self.values = values.Values()
        self.pending = list(inputs)
        self.channels_last = channels_last

    def input(self, shape, _kind):
        assert self.pending[0].shape == tuple(shape)
        return self.pending.pop(0)

    def reshape(self, x, shape):
        return x.reshape(shape)

    def concat(self, arrays):
        return numpy.concatenate(arrays, axis=1)

    def layer(self, layer, operands, follower):
        return getattr(self, "_" + layer.kind)(layer, operands, follower)

    def _filters(self, shape, fan_in, follower, depthwise):
        """Filters [k, c, r, s]."""
        k, c, r, s = shape
        if not self.channels_last:
            return self.values.weights(shape, fan_in, follower)
        if depthwise:
            return self.values.weights((1, r, s, k), fan_in, follower).transpose(3, 0, 1, 2)
        return self.values.weights((k, r, s, c), fan_in, follower).transpose(0, 3, 1, 2)

    def _conv2d(self, layer, operands, follower):
        shape = layer.weight_shape()
        depthwise = layer.kind == "dwconv2d" and layer["groups"] == layer["c"]
        filters = self._filters(shape, math.prod(shape[1:]), follower, depthwise)
        return convolve(operands[0], filters, self.values.bias(layer["k"]), layer["stride"], (layer["pad"],) * 2, layer["dilation"],
                        layer["groups"])

    _dwconv2d = _conv2d

    def _conv1d(self, layer, operands, follower):
        k, c, f = layer.weight_shape()
        filters = self._filters((k, c, 1, f), c * f, follower, False)
        return convolve(operands[0][:, :, None, :], filters, self.values.bias(k), layer["stride"], (0, layer["pad"]), 1, 1)[:, :, 0]

    def _convtranspose2d(self, layer, operands, follower):
        c, k, r, s = layer.weight_shape()
        groups, stride, pad, dilation = (layer[name] for name in ("groups", "stride", "pad", "dilation"))
        fan_in = c * k * r * s / layer["k"]
        if self.channels_last:
            filters = self.values.weights((k, r, s, c), c * r * s / stride ** 2, follower).transpose(3, 0, 1, 2)
        else:
            filters = self.values.weights((c, k, r, s), fan_in, follower)
        x = operands[0]
        n, _, h, w = x.shape
        out_h, out_w = layer.out_shape()[2:]
        out = numpy.zeros((n, layer["k"], out_h + 2 * pad, out_w + 2 * pad), numpy.float32)
        for g in range(groups):
            part = x[:, g * c // groups:(g + 1) * c // groups]
            weights = filters[g * c // groups:(g + 1) * c // groups]
            for i in range(r):
                for j in range(s):
                    made = numpy.einsum("nchw,ck->nkhw", part, weights[:, :, i, j])
                    out[:, g * k:(g + 1) * k, i * dilation:i * dilation + (h - 1) * stride + 1:stride,
                        j * dilation:j * dilation + (w - 1) * stride + 1:stride] += made
        return out[:, :, pad:pad + out_h, pad:pad + out_w] + self.values.bias(layer["k"])[:, None, None]

    def _fc(self, layer, operands, follower):
        weights = self.values.weights(layer.weight_shape(), layer["in"], follower)
        return operands[0] @ weights.T + self.values.bias(layer["out"])

    def _matmul(self, _layer, operands, _follower):
        return operands[0] @ operands[1]

    def _maxpool2d(self, layer, operands, _follower):
        pad = layer["pad"]
        x = numpy.pad(operands[0], [(0, 0), (0, 0), (pad, pad), (pad, pad)], constant_values=-numpy.inf)
        return windows(x, (layer["r"], layer["s"]), layer["stride"], 1).max(axis=(4, 5))

    def _avgpool2d(self, layer, operands, _follower):
        return windows(operands[0], (layer["r"], layer["s"]), layer["stride"], 1).mean(axis=(4, 5))

    def _add(self, _layer, operands, _follower):
        return operands[0] + operands[1]

    def _activation(self, layer, operands, _follower):
        return ACTIVATIONS[layer.function](operands[0])

    def _softmax(self, _layer, operands, _follower):
        powers = numpy.exp(operands[0] - operands[0].max(axis=-1, keepdims=True))
        return powers / powers.sum(axis=-1, keepdims=True)

    def _layernorm(self, layer, operands, _follower):
        x = operands[0]
        centred = (x - x.mean(axis=-1, keepdims=True)) / numpy.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)
        return centred * self.values.weights((layer["features"],), 1) + self.values.bias(layer["features"])
