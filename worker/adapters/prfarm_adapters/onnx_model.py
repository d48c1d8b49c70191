# SPDX-License-Identifier: Apache-2.0
"""onnx_model - a net as an ONNX model, for every runtime that reads ONNX. Needs onnx and numpy.

Weights are random numbers as wide as keeps values neither growing nor decaying through a deep network; convolutions and fully
connected layers have a bias. Eight bits are written as QuantizeLinear and DequantizeLinear around each layer, which runtimes fold
into integer kernels."""
import itertools
import math
from dataclasses import dataclass

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

from . import layers

OPSET, IR = 20, 9  # what TensorRT, OpenVINO and ONNX Runtime of two years back read
MOST_BYTES = (2 << 30) - (1 << 20)  # of a protobuf message
ACTIVATIONS = {"relu": ("Relu", {}), "sigmoid": ("Sigmoid", {}), "tanh": ("Tanh", {}), "gelu": ("Gelu", {}), "hardswish": ("HardSwish", {}),
               "hardsigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5})}


@dataclass
class Tensor:
    name: str
    shape: tuple


class Model:
    """Collects nodes for layers.assemble."""

    def __init__(self, dtype="f32"):
        self.numbers = numpy.random.default_rng(7)
        self.element = {"f32": numpy.float32, "f16": numpy.float16}[dtype]
        self.nodes, self.inputs, self.constants = [], [], []
        self.names = (f"t{number}" for number in itertools.count())

    def node(self, op, operands, shape, **attributes):
        name = next(self.names)
        names = [operand.name if isinstance(operand, Tensor) else operand for operand in operands]
        self.nodes.append(helper.make_node(op, names, [name], name=name, **attributes))
        return Tensor(name, tuple(shape))

    def constant(self, array):
        name = next(self.names)
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def weights(self, shape, fan_in, gain):
        reach = gain * math.sqrt(3 / fan_in)
        return self.constant((self.numbers.random(shape, numpy.float32) * (2 * reach) - reach).astype(self.element))

    def bias(self, count):
        return self.weights((count,), 3e4, 1.0)  # within 0.01

    def input(self, shape, _kind):
        name = next(self.names)
        self.inputs.append(Tensor(name, tuple(shape)))
        return self.inputs[-1]

    def reshape(self, tensor, shape):
        return self.node("Reshape", [tensor, self.constant(numpy.array(shape, numpy.int64))], shape)

    def concat(self, tensors):
        first = tensors[0].shape
        if any(len(t.shape) != len(first) or (t.shape[0], *t.shape[2:]) != (first[0], *first[2:]) for t in tensors):
            raise layers.Unsupported("a layer reads several tensors that cannot be joined along the channels")
        return self.node("Concat", tensors, (first[0], sum(t.shape[1] for t in tensors), *first[2:]), axis=1)

    def layer(self, layer, operands, follower):
        gain = math.sqrt(2) if follower in ("relu", "relu6") else 1.0  # half of the values become 0
        return getattr(self, "_" + layer.kind)(layer, operands, gain)

    def _conv(self, layer, operands, gain, op="Conv"):
        kernel = [layer["f"]] if layer.kind == "conv1d" else [layer["r"], layer["s"]]
        axes = len(kernel)
        shape = layer.weight_shape()
        fan_in = math.prod(shape[1:]) if op == "Conv" else math.prod(shape) / layer["k"]
        weights = self.weights(shape, fan_in, gain)
        return self.node(op, [*operands, weights, self.bias(layer["k"])], layer.out_shape(), kernel_shape=kernel,
                         strides=[layer["stride"]] * axes, pads=[layer["pad"]] * 2 * axes,
                         dilations=[layer.params.get("dilation", 1)] * axes, group=layer.params.get("groups", 1))

    _conv1d = _conv2d = _dwconv2d = _conv

    def _convtranspose2d(self, layer, operands, gain):
        return self._conv(layer, operands, gain, "ConvTranspose")

    def _fc(self, layer, operands, gain):
        weights = self.weights(layer.weight_shape(), layer["in"], gain)
        return self.node("Gemm", [*operands, weights, self.bias(layer["out"])], layer.out_shape(), transB=1)

    def _matmul(self, layer, operands, _gain):
        return self.node("MatMul", operands, layer.out_shape())

    def _pool(self, op, layer, operands, **attributes):
        if (layer["r"], layer["s"]) == (layer["h"], layer["w"]) and layer["pad"] == 0:
            return self.node("Global" + op, operands, layer.out_shape())
        return self.node(op, operands, layer.out_shape(), kernel_shape=[layer["r"], layer["s"]], strides=[layer["stride"]] * 2,
                         pads=[layer["pad"]] * 4, **attributes)

    def _maxpool2d(self, layer, operands, _gain):
        return self._pool("MaxPool", layer, operands)

    def _avgpool2d(self, layer, operands, _gain):
        return self._pool("AveragePool", layer, operands, **({"count_include_pad": 1} if layer["pad"] else {}))

    def _add(self, layer, operands, _gain):
        return self.node("Add", operands, layer.out_shape())

    def _activation(self, layer, operands, _gain):
        if layer.function == "relu6":
            bounds = [self.constant(numpy.array(bound, self.element)) for bound in (0, 6)]
            return self.node("Clip", [*operands, *bounds], layer.out_shape())
        if layer.function == "swish":
            return self.node("Mul", [*operands, self.node("Sigmoid", operands, layer.out_shape())], layer.out_shape())
        op, attributes = ACTIVATIONS[layer.function]
        return self.node(op, operands, layer.out_shape(), **attributes)

    def _softmax(self, layer, operands, _gain):
        return self.node("Softmax", operands, layer.out_shape(), axis=-1)

    def _layernorm(self, layer, operands, _gain):
        scale = self.weights((layer["features"],), 1, 1.0)
        return self.node("LayerNormalization", [*operands, scale, self.bias(layer["features"])], layer.out_shape(), axis=-1)

    def proto(self, outputs):
        element = helper.np_dtype_to_tensor_dtype(numpy.dtype(self.element))

        def infos(tensors):
            return [helper.make_tensor_value_info(t.name, element, t.shape) for t in tensors]

        graph = helper.make_graph(self.nodes, "net", infos(self.inputs), infos(outputs), self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)


def check_size(net):
    if net.bytes() > MOST_BYTES:
        raise layers.Unsupported(f"a model of {net.bytes() >> 20} MiB: ONNX takes less than 2048")


def build(net):
    """The net as an onnx.ModelProto."""
    check_size(net)
    model = Model(net.dtype)
    return model.proto(layers.assemble(net, model))


def empty():
    """One value, passed on: what remains is the call."""
    model = Model()
    return model.proto([model.node("Neg", [model.input((1,), None)], (1,))])
