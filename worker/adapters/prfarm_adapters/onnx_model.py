# SPDX-License-Identifier: Apache-2.0
"""onnx_model - a net as an ONNX model, for every runtime that reads ONNX. Needs onnx and numpy.

Convolutions and fully connected layers have a bias. Batch norms are taken as folded into the weights, as every runtime does."""
import itertools
import math
from dataclasses import dataclass

import numpy
from onnx import helper, numpy_helper

from . import layers, values

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
        self.element = {"f32": numpy.float32, "f16": numpy.float16}[dtype]
        self.values = values.Values(self.element)
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

    def weights(self, shape, fan_in, follower=None):
        return self.constant(self.values.weights(shape, fan_in, follower))

    def bias(self, count):
        return self.constant(self.values.bias(count))

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
        return getattr(self, "_" + layer.kind)(layer, operands, follower)

    def _conv(self, layer, operands, follower, op="Conv"):
        kernel = [layer["f"]] if layer.kind == "conv1d" else [layer["r"], layer["s"]]
        axes = len(kernel)
        shape = layer.weight_shape()
        fan_in = math.prod(shape[1:]) if op == "Conv" else math.prod(shape) / layer["k"]
        weights = self.weights(shape, fan_in, follower)
        return self.node(op, [*operands, weights, self.bias(layer["k"])], layer.out_shape(), kernel_shape=kernel,
                         strides=[layer["stride"]] * axes, pads=[layer["pad"]] * 2 * axes,
                         dilations=[layer.params.get("dilation", 1)] * axes, group=layer.params.get("groups", 1))

    _conv1d = _conv2d = _dwconv2d = _conv

    def _convtranspose2d(self, layer, operands, follower):
        return self._conv(layer, operands, follower, "ConvTranspose")

    def _fc(self, layer, operands, follower):
        weights = self.weights(layer.weight_shape(), layer["in"], follower)
        return self.node("Gemm", [*operands, weights, self.bias(layer["out"])], layer.out_shape(), transB=1)

    def _matmul(self, layer, operands, _follower):
        return self.node("MatMul", operands, layer.out_shape())

    def _pool(self, op, layer, operands, **attributes):
        if (layer["r"], layer["s"]) == (layer["h"], layer["w"]) and layer["pad"] == 0:
            return self.node("Global" + op, operands, layer.out_shape())
        return self.node(op, operands, layer.out_shape(), kernel_shape=[layer["r"], layer["s"]], strides=[layer["stride"]] * 2,
                         pads=[layer["pad"]] * 4, **attributes)

    def _maxpool2d(self, layer, operands, _follower):
        return self._pool("MaxPool", layer, operands)

    def _avgpool2d(self, layer, operands, _follower):
        return self._pool("AveragePool", layer, operands, **({"count_include_pad": 1} if layer["pad"] else {}))

    def _add(self, layer, operands, _follower):
        return self.node("Add", operands, layer.out_shape())

    def _activation(self, layer, operands, _follower):
        if layer.function == "relu6":
            bounds = [self.constant(numpy.array(bound, self.element)) for bound in (0, 6)]
            return self.node("Clip", [*operands, *bounds], layer.out_shape())
        if layer.function == "swish":
            return self.node("Mul", [*operands, self.node("Sigmoid", operands, layer.out_shape())], layer.out_shape())
        op, attributes = ACTIVATIONS[layer.function]
        return self.node(op, operands, layer.out_shape(), **attributes)

    def _softmax(self, layer, operands, _follower):
        return self.node("Softmax", operands, layer.out_shape(), axis=-1)

    def _layernorm(self, layer, operands, _follower):
        scale = self.weights((layer["features"],), 1)
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


def empty(inputs, outputs):
    """Single values, passed on: what remains is the call, which costs more the more tensors are handed over."""
    model = Model()
    values = [model.input((1,), None) for _ in range(inputs)]
    made = []
    for number in range(outputs):
        read = values[number::outputs] or [values[0], model.constant(numpy.array([number], model.element))]
        made.append(model.node("Sum" if len(read) > 1 else "Neg", read, (1,)))
    return model.proto(made)
