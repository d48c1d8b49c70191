# SPDX-License-Identifier: Apache-2.0
"""Each runtime computes what was asked for: every layer kind, blocks, nets with branches, against numpy. A latency of another layer than
the one that was asked for would look like any other."""
import argparse
import importlib
import unittest

import numpy
from prfarm_adapters import layers
from reference import Reference


def layer(kind, **given):
    """A layer's complete parameters, defaults as in common/layer/layer.c."""
    params = {"n": 1, **given}
    if kind in ("conv2d", "dwconv2d", "convtranspose2d"):
        params = {"stride": 1, "pad": 0, "dilation": 1, "groups": given.get("c") if kind == "dwconv2d" else 1, "w": given["h"],
                  "s": given["r"], **params}
        params.setdefault("k", given["c"])
    elif kind == "conv1d":
        params = {"stride": 1, "pad": 0, **params}
    elif kind in ("maxpool2d", "avgpool2d"):
        params = {"stride": given["r"], "pad": 0, "w": given["h"], "s": given["r"], **params}
    elif kind in ("add", "activation"):
        params = {"w": given["h"], **params}
    return {"kind": kind, **params}


def act(name, c, h, n=1):
    return layer("activation", n=n, c=c, h=h, fn=layers.ACTIVATIONS.index(name))


BLOCKS = {
    "conv2d 3x3": [layer("conv2d", c=16, k=32, h=9, r=3, pad=1), act("relu", 32, 9)],
    "conv2d 3x3 stride 2": [layer("conv2d", c=32, k=16, h=10, r=3, pad=1, stride=2), act("relu6", 16, 5)],
    "conv2d of few channels": [layer("conv2d", c=3, k=20, h=9, r=3, pad=1, stride=2)],
    "conv2d of odd channels": [layer("conv2d", c=21, k=19, h=7, r=1), act("relu", 19, 7)],
    "conv2d 7x7": [layer("conv2d", c=3, k=16, h=14, r=7, pad=3, stride=2), act("relu", 16, 7)],
    "conv2d of unlike sides": [layer("conv2d", c=16, k=16, h=9, w=5, r=1, s=3)],
    "conv2d with holes": [layer("conv2d", c=16, k=16, h=12, r=3, pad=2, dilation=2)],
    "conv2d in groups": [layer("conv2d", c=32, k=32, h=6, r=3, pad=1, groups=2)],
    "conv2d of two": [layer("conv2d", n=2, c=16, k=16, h=6, r=3, pad=1), act("relu", 16, 6, n=2)],
    "conv2d, sigmoid": [layer("conv2d", c=16, k=16, h=6, r=1), act("sigmoid", 16, 6)],
    "conv2d, hardswish": [layer("conv2d", c=16, k=16, h=6, r=1), act("hardswish", 16, 6)],
    "conv2d, swish": [layer("conv2d", c=16, k=16, h=6, r=1), act("swish", 16, 6)],
    "dwconv2d": [layer("dwconv2d", c=32, h=9, r=3, pad=1), act("relu6", 32, 9)],
    "dwconv2d stride 2": [layer("dwconv2d", c=32, h=10, r=3, pad=1, stride=2), act("relu6", 32, 5)],
    "dwconv2d of odd channels": [layer("dwconv2d", c=13, h=9, r=3, pad=1)],
    "dwconv2d that multiplies": [layer("dwconv2d", c=16, k=32, h=7, r=3, pad=1)],
    "conv1d": [layer("conv1d", c=16, k=24, w=20, f=9, pad=4, stride=2)],
    "convtranspose2d": [layer("convtranspose2d", c=8, k=16, h=5, r=2, stride=2)],
    "fc": [layer("fc", **{"in": 40, "out": 30}), {"kind": "activation", "n": 1, "c": 30, "h": 1, "w": 1, "fn": 0}],
    "fc of rows": [layer("fc", n=5, **{"in": 40, "out": 30})],
    "matmul": [{"kind": "matmul", "b": 3, "m": 5, "n": 7, "k": 11}],
    "maxpool2d": [layer("maxpool2d", c=32, h=8, r=2)],
    "maxpool2d padded": [layer("maxpool2d", c=16, h=9, r=3, stride=1, pad=1)],
    "maxpool2d of odd channels": [layer("maxpool2d", c=13, h=8, r=2)],
    "avgpool2d": [layer("avgpool2d", c=32, h=8, r=2)],
    "avgpool2d of all": [layer("avgpool2d", c=32, h=7, r=7)],
    "add": [layer("add", c=16, h=6), act("relu", 16, 6)],
    "add of odd channels": [layer("add", c=13, h=6)],
    **{name: [act(name, 16, 6)] for name in layers.ACTIVATIONS},
    "softmax": [layer("softmax", n=3, features=50)],
    "layernorm": [layer("layernorm", n=3, features=50)],
}
RESIDUAL = [  # two branches that are added, then joined with the input, a pool, a classifier
    {"layers": [layer("conv2d", c=16, k=32, h=8, r=3, pad=1), act("relu", 32, 8)], "inputs": [-1]},
    {"layers": [layer("dwconv2d", c=32, h=8, r=3, pad=1), act("relu6", 32, 8)], "inputs": [0]},
    {"layers": [layer("conv2d", c=32, k=32, h=8, r=1)], "inputs": [1]},
    {"layers": [layer("add", c=32, h=8), act("relu", 32, 8)], "inputs": [2, 0]},
    {"layers": [layer("conv2d", c=48, k=32, h=8, r=1), act("relu", 32, 8)], "inputs": [3, -1]},
    {"layers": [layer("avgpool2d", c=32, h=8, r=8)], "inputs": [4]},
    {"layers": [layer("fc", **{"in": 32, "out": 32})], "inputs": [5]},
    {"layers": [layer("add", c=32, h=8)], "inputs": [4, 6]},  # one number a channel
    {"layers": [layer("avgpool2d", c=32, h=8, r=8)], "inputs": [7]},
]


def open_board(name, *arguments):
    adapter = importlib.import_module("prfarm_adapters." + name)
    parser = argparse.ArgumentParser()
    adapter.options(parser)
    return adapter.Board(parser.parse_args(arguments))


class Runtime:
    """How a board's kernels hold their tensors, to put numbers in and take them out as layers have them."""

    channels_last_weights = False

    def __init__(self, name):
        self.board = open_board(name)

    def reference(self, inputs, _net):
        return Reference(inputs, self.channels_last_weights)

    def shapes(self, net):
        """Shapes of the net's inputs, in the order in which its model asks for them."""
        shapes = []
        shape_asker = Reference([])
        shape_asker.input = lambda shape, _kind: shapes.append(tuple(shape)) or numpy.zeros(shape, numpy.float32)
        layers.assemble(net, shape_asker)
        return shapes

    def check(self, case, net, tolerance=2e-3):
        kernel = self.board.load(net)
        inputs = []
        for number, shape in enumerate(self.shapes(net)):
            inputs.append(numpy.random.default_rng(number).standard_normal(shape, numpy.float32))
            self.put(kernel, number, inputs[-1], net)
        for _ in range(2):  # the second run writes where the first one did
            kernel.run()
        wanted = layers.assemble(net, self.reference(inputs, net))
        case.assertEqual(len(wanted), len(kernel.outputs))
        for number, array in enumerate(wanted):
            got = self.take(kernel, number, array.shape, net)
            case.assertEqual(got.shape, array.shape)
            case.assertLess(abs(got - array).max(), tolerance * max(1, abs(array).max()))
        case.assertTrue(any(abs(array).max() > 1e-3 for array in wanted))


class OnnxRuntime(Runtime):
    def __init__(self):
        super().__init__("onnxruntime")

    def _blocked(self, tensor):
        return tensor.name.startswith("reorder")

    def put(self, kernel, number, array, _net):
        held = kernel.inputs[number]
        if not self._blocked(kernel.session.get_inputs()[number]):
            held[:] = array
            return
        n, c, h, w = held.shape
        block = self.board.block
        padded = numpy.zeros(held.shape, numpy.float32)
        padded[:, :array.shape[1]] = array
        held.reshape(-1)[:] = padded.reshape(n, c // block, block, h, w).transpose(0, 1, 3, 4, 2).reshape(-1)

    def take(self, kernel, number, shape, _net):
        held = kernel.outputs[number]
        if not self._blocked(kernel.session.get_outputs()[number]):
            return held.reshape(shape) if held.size == numpy.prod(shape) else held
        n, c, h, w = held.shape
        block = self.board.block
        plain = held.reshape(n, c // block, h, w, block).transpose(0, 1, 4, 2, 3).reshape(held.shape)
        return plain[:, :shape[1]]


class ChannelsLast(Runtime):
    def put(self, kernel, number, array, net):
        held = kernel.inputs[number]
        held[:] = self.stored(array, net).reshape(held.shape)

    def take(self, kernel, number, shape, net):
        held = kernel.outputs[number]
        example = self.stored(numpy.arange(numpy.prod(shape)).reshape(shape), net)
        out = numpy.empty(numpy.prod(shape), numpy.float32)
        out[example.reshape(-1)] = held.reshape(-1)
        return out.reshape(shape)


class TfLite(ChannelsLast):
    channels_last_weights = True

    def __init__(self):
        super().__init__("tflite")

    def stored(self, array, net):
        if array.ndim == 3 and "conv1d" in net.kinds:
            return array.transpose(0, 2, 1)
        return array.transpose(0, 2, 3, 1) if array.ndim == 4 else array


class OpenVino(ChannelsLast):
    def __init__(self):
        super().__init__("openvino")

    def stored(self, array, net):
        return array.transpose(0, 2, 3, 1) if array.ndim == 4 and not net.kinds <= {"add", "activation"} else array

    def reference(self, inputs, net):
        reference = super().reference(inputs, net)
        if net.steps[0].layer.kind in ("maxpool2d", "avgpool2d"):  # behind a convolution that is timed alone, too
            plain = reference.input

            def behind(shape, kind):
                c, h, w = shape[1:]
                context = layers.read_layer(layer("dwconv2d", n=shape[0], c=c, h=h, w=w, r=1))
                return reference.layer(context, [plain(shape, kind)], None)

            reference.input = behind
        return reference


class Values(unittest.TestCase):
    def all_blocks(self, runtime, without=()):
        for name, block in BLOCKS.items():
            if name not in without:
                with self.subTest(name):
                    net = layers.read_block(block, "f32")
                    net.copies = 2
                    runtime.check(self, net)
        with self.subTest("a net with branches"):
            runtime.check(self, layers.read_network(RESIDUAL, "f32"))
        covered = {step["kind"] for block in BLOCKS.values() for step in block}
        self.assertEqual(covered, set(runtime.board.kinds), "a kind of this board that no block here has")

    def test_onnxruntime(self):
        self.all_blocks(OnnxRuntime())

    def test_tflite(self):
        self.all_blocks(TfLite())

    def test_openvino(self):
        self.all_blocks(OpenVino())


if __name__ == "__main__":
    unittest.main()
