# SPDX-License-Identifier: Apache-2.0
"""tflite_model - a net as a TensorFlow Lite model (a flatbuffer). Needs ai-edge-litert for the schema, flatbuffers and numpy.

Written as the converters write networks: channels last, relu and relu6 within the operator before them, a global average as a mean
over space, layer normalisation and what else has no operator as the operators that it is made of. Zeros around a convolution are
its own padding where that has the same effect (SAME), else a PAD in front, which XNNPACK makes part of the convolution. Pooling has
no such operator, so it takes SAME wherever that gives the right size: windows then lie up to one element elsewhere."""
import math
from dataclasses import dataclass

import flatbuffers
import numpy
from ai_edge_litert import schema_py_generated as schema

from . import layers, values

FUSED = {"relu": schema.ActivationFunctionType.RELU, "relu6": schema.ActivationFunctionType.RELU6}
PLAIN = {"relu": "RELU", "relu6": "RELU6", "sigmoid": "LOGISTIC", "tanh": "TANH", "gelu": "GELU", "hardswish": "HARD_SWISH"}
EPSILON = 1e-5
MOST_BYTES = (2 << 30) - (1 << 20)  # of a flatbuffer


@dataclass
class Tensor:
    index: int
    shape: tuple  # as layers have it, channels first
    stored: tuple  # as it lies in memory
    activated: str = ""  # the activation that its operator has computed already


def _stored(kind, shape):
    """How TensorFlow Lite stores what a layer of this kind reads or writes."""
    if kind == "conv1d":
        return (shape[0], 1, shape[2], shape[1])
    return (shape[0], *shape[2:], shape[1]) if len(shape) == 4 else tuple(shape)


def _same(size, kernel, stride, dilation):
    """Output size and zeros in all that the padding SAME leads to."""
    out = -(-size // stride)
    return out, max((out - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)


class Model:
    """Collects operators for layers.assemble."""

    def __init__(self):
        self.values = values.Values()
        self.buffers, self.tensors, self.operators, self.codes, self.inputs = [schema.BufferT()], [], [], [], []

    def _tensor(self, stored, buffer=0, element=schema.TensorType.FLOAT32):
        tensor = schema.TensorT()
        tensor.shape, tensor.buffer, tensor.type = list(stored), buffer, element
        tensor.name = f"t{len(self.tensors)}".encode()
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def constant(self, array):
        buffer = schema.BufferT()
        buffer.data = array.reshape(-1).view(numpy.uint8)
        self.buffers.append(buffer)
        element = schema.TensorType.INT32 if array.dtype == numpy.int32 else schema.TensorType.FLOAT32
        return self._tensor(array.shape, len(self.buffers) - 1, element)

    def number(self, value):
        return self.constant(numpy.array([value], numpy.float32))

    def weights(self, shape, fan_in, follower=None):
        return self.constant(self.values.weights(shape, fan_in, follower))

    def bias(self, count):
        return self.constant(self.values.bias(count))

    def input(self, shape, kind):
        stored = _stored(kind, shape)
        self.inputs.append(self._tensor(stored))
        return Tensor(self.inputs[-1], tuple(shape), stored)

    def operator(self, name, operands, stored, options=None, **fields):
        """Adds one; `options` is the schema's name of its options, `fields` what they hold. Returns its output's number."""
        code = getattr(schema.BuiltinOperator, name)
        if code not in self.codes:
            self.codes.append(code)
        made = schema.OperatorT()
        made.opcodeIndex = self.codes.index(code)
        made.inputs, made.outputs = list(operands), [self._tensor(stored)]
        if options:
            made.builtinOptionsType = getattr(schema.BuiltinOptions, options)
            made.builtinOptions = getattr(schema, options + "T")()
            for field, value in fields.items():
                setattr(made.builtinOptions, field, value)
        self.operators.append(made)
        return made.outputs[0]

    def reshape(self, tensor, shape):
        return Tensor(tensor.index, tuple(shape), tensor.stored, tensor.activated)  # `layer` moves what lies otherwise

    def _arranged(self, tensor, stored):
        if tensor.stored == stored or math.prod(tensor.stored) != math.prod(stored):  # the same, or to be broadcast
            return tensor.index
        wanted = numpy.array(stored, numpy.int32)
        return self.operator("RESHAPE", [tensor.index, self.constant(wanted)], stored, "ReshapeOptions", newShape=list(stored))

    def concat(self, tensors):
        first = tensors[0]
        if any(len(t.shape) != len(first.shape) or (t.shape[0], *t.shape[2:]) != (first.shape[0], *first.shape[2:]) for t in tensors):
            raise layers.Unsupported("a layer reads several tensors that cannot be joined along the channels")
        channels = sum(t.shape[1] for t in tensors)
        stored = (*first.stored[:-1], channels)
        index = self.operator("CONCATENATION", [t.index for t in tensors], stored, "ConcatenationOptions", axis=-1)
        return Tensor(index, (first.shape[0], channels, *first.shape[2:]), stored)

    def layer(self, layer, operands, follower):
        if layer.kind == "activation" and operands[0].activated == layer.function:
            return operands[0]
        stored = _stored(layer.kind, layer.out_shape())
        indices = [self._arranged(tensor, _stored(layer.kind, layer.in_shape(number))) for number, tensor in enumerate(operands)]
        fusable = layer.kind not in ("activation", "softmax", "layernorm", "matmul", "convtranspose2d") and not self._is_mean(layer)
        fused = follower if fusable and follower in FUSED else ""
        index = getattr(self, "_" + layer.kind)(layer, indices, stored, FUSED.get(fused, 0), follower)
        return Tensor(index, layer.out_shape(), stored, fused)

    def _padded(self, layer, index):
        """The input of a convolution and its padding."""
        dilation = layer["dilation"]
        same = [_same(layer[size], layer[kernel], layer["stride"], dilation) for size, kernel in (("h", "r"), ("w", "s"))]
        if layer["pad"] == 0:
            return index, schema.Padding.VALID
        if all(zeros == 2 * layer["pad"] for _, zeros in same) and tuple(out for out, _ in same) == layer.out_shape()[2:]:
            return index, schema.Padding.SAME
        pad = layer["pad"]
        stored = (layer["n"], layer["h"] + 2 * pad, layer["w"] + 2 * pad, layer["c"])
        zeros = self.constant(numpy.array([[0, 0], [pad, pad], [pad, pad], [0, 0]], numpy.int32))
        return self.operator("PAD", [index, zeros], stored, "PadOptions"), schema.Padding.VALID

    def _conv2d(self, layer, operands, stored, fused, follower):
        source, padding = self._padded(layer, operands[0])
        k, c, r, s = layer.weight_shape()
        return self.operator("CONV_2D", [source, self.weights((k, r, s, c), c * r * s, follower), self.bias(k)], stored, "Conv2DOptions",
                             padding=padding, strideW=layer["stride"], strideH=layer["stride"], dilationWFactor=layer["dilation"],
                             dilationHFactor=layer["dilation"], fusedActivationFunction=fused)

    def _conv1d(self, layer, operands, stored, fused, follower):
        if layer["pad"]:  # in two dimensions, the other one is not padded
            pad = layer["pad"]
            zeros = self.constant(numpy.array([[0, 0], [0, 0], [pad, pad], [0, 0]], numpy.int32))
            operands = [self.operator("PAD", [operands[0], zeros], (layer["n"], 1, layer["w"] + 2 * pad, layer["c"]), "PadOptions")]
        plane = {"n": layer["n"], "c": layer["c"], "k": layer["k"], "h": 1, "w": layer["w"] + 2 * layer["pad"], "r": 1, "s": layer["f"],
                 "stride": layer["stride"], "pad": 0, "dilation": 1, "groups": 1}
        return self._conv2d(layers.Layer("conv2d", plane), operands, stored, fused, follower)

    def _dwconv2d(self, layer, operands, stored, fused, follower):
        if layer["groups"] != layer["c"]:
            return self._conv2d(layer, operands, stored, fused, follower)
        source, padding = self._padded(layer, operands[0])
        k, _, r, s = layer.weight_shape()
        return self.operator("DEPTHWISE_CONV_2D", [source, self.weights((1, r, s, k), r * s, follower), self.bias(k)], stored,
                             "DepthwiseConv2DOptions", padding=padding, strideW=layer["stride"], strideH=layer["stride"],
                             depthMultiplier=k // layer["c"], dilationWFactor=layer["dilation"], dilationHFactor=layer["dilation"],
                             fusedActivationFunction=fused)

    def _convtranspose2d(self, layer, operands, stored, _fused, follower):
        if layer["groups"] != 1 or layer["dilation"] != 1:
            raise layers.Unsupported("a transposed convolution with groups or dilation: TensorFlow Lite has none")
        whole = tuple((layer[size] - 1) * layer["stride"] + layer[kernel] for size, kernel in (("h", "r"), ("w", "s")))
        padding = schema.Padding.VALID if stored[1:3] == whole else schema.Padding.SAME
        if padding == schema.Padding.SAME and stored[1:3] != (layer["h"] * layer["stride"], layer["w"] * layer["stride"]):
            raise layers.Unsupported("a transposed convolution whose output is neither the input's size by the stride nor unpadded: "
                                     "TensorFlow Lite has none")
        c, k, r, s = layer.weight_shape()
        weights = self.weights((k, r, s, c), c * r * s / layer["stride"] ** 2, follower)
        size = self.constant(numpy.array(stored, numpy.int32))
        return self.operator("TRANSPOSE_CONV", [size, weights, operands[0], self.bias(k)], stored, "TransposeConvOptions",
                             padding=padding, strideW=layer["stride"], strideH=layer["stride"])

    def _fc(self, layer, operands, stored, fused, follower):
        weights = self.weights(layer.weight_shape(), layer["in"], follower)
        return self.operator("FULLY_CONNECTED", [*operands, weights, self.bias(layer["out"])], stored, "FullyConnectedOptions",
                             fusedActivationFunction=fused)

    def _matmul(self, _layer, operands, stored, _fused, _follower):
        return self.operator("BATCH_MATMUL", operands, stored, "BatchMatMulOptions")

    @staticmethod
    def _is_mean(layer):
        return layer.kind == "avgpool2d" and (layer["r"], layer["s"], layer["pad"]) == (layer["h"], layer["w"], 0)

    def _pool(self, name, layer, operands, stored, fused):
        out = layer.out_shape()[2:]
        same = tuple(_same(layer[size], layer[kernel], layer["stride"], 1)[0] for size, kernel in (("h", "r"), ("w", "s")))
        if layer["pad"] and out != same:
            raise layers.Unsupported(f"pooling padded by {layer['pad']} to {out[0]}x{out[1]}: TensorFlow Lite pads to {same[0]}x{same[1]}")
        return self.operator(name, operands, stored, "Pool2DOptions", padding=schema.Padding.SAME if layer["pad"] else schema.Padding.VALID,
                             strideW=layer["stride"], strideH=layer["stride"], filterWidth=layer["s"], filterHeight=layer["r"],
                             fusedActivationFunction=fused)

    def _maxpool2d(self, layer, operands, stored, fused, _follower):
        return self._pool("MAX_POOL_2D", layer, operands, stored, fused)

    def _avgpool2d(self, layer, operands, stored, fused, _follower):
        if self._is_mean(layer):
            return self._mean(operands[0], stored, [1, 2])
        return self._pool("AVERAGE_POOL_2D", layer, operands, stored, fused)

    def _mean(self, index, stored, axes):
        return self.operator("MEAN", [index, self.constant(numpy.array(axes, numpy.int32))], stored, "ReducerOptions", keepDims=True)

    def _add(self, _layer, operands, stored, fused, _follower):
        return self.operator("ADD", operands, stored, "AddOptions", fusedActivationFunction=fused)

    def _multiply(self, left, right, stored):
        return self.operator("MUL", [left, right], stored, "MulOptions")

    def _activation(self, layer, operands, stored, _fused, _follower):
        if layer.function == "swish":
            return self._multiply(operands[0], self.operator("LOGISTIC", operands, stored), stored)
        if layer.function == "hardsigmoid":
            shifted = self.operator("ADD", [*operands, self.number(3)], stored, "AddOptions", fusedActivationFunction=FUSED["relu6"])
            return self._multiply(shifted, self.number(1 / 6), stored)
        options = {"gelu": "GeluOptions", "hardswish": "HardSwishOptions"}.get(layer.function)
        return self.operator(PLAIN[layer.function], operands, stored, options)

    def _softmax(self, _layer, operands, stored, _fused, _follower):
        return self.operator("SOFTMAX", operands, stored, "SoftmaxOptions", beta=1.0)

    def _layernorm(self, layer, operands, stored, _fused, _follower):
        narrow = (layer["n"], 1)
        centred = self.operator("SUB", [operands[0], self._mean(operands[0], narrow, [1])], stored, "SubOptions")
        variance = self._mean(self._multiply(centred, centred, stored), narrow, [1])
        spread = self.operator("RSQRT", [self.operator("ADD", [variance, self.number(EPSILON)], narrow, "AddOptions")], narrow)
        scaled = self._multiply(self._multiply(centred, spread, stored), self.weights((layer["features"],), 1), stored)
        return self.operator("ADD", [scaled, self.bias(layer["features"])], stored, "AddOptions")

    def pack(self, outputs):
        graph = schema.SubGraphT()
        graph.tensors, graph.operators, graph.inputs, graph.outputs = self.tensors, self.operators, self.inputs, outputs
        model = schema.ModelT()
        model.version, model.subgraphs, model.buffers, model.operatorCodes = 3, [graph], self.buffers, []
        for code in self.codes:
            made = schema.OperatorCodeT()
            made.builtinCode, made.deprecatedBuiltinCode, made.version = code, min(code, 127), 1
            model.operatorCodes.append(made)
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def build(net):
    """The net as the bytes of a .tflite file."""
    if net.bytes() > MOST_BYTES:
        raise layers.Unsupported(f"a model of {net.bytes() >> 20} MiB: TensorFlow Lite takes less than 2048")
    model = Model()
    return model.pack([tensor.index for tensor in layers.assemble(net, model)])


def empty():
    """One value, its input and its output: what remains is the call, which costs the same however many tensors there are."""
    model = Model()
    return model.pack([model.input((1,), "activation").index])
