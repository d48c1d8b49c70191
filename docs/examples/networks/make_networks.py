#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the example networks beside this script: resnet18, mobilenetv1, mobilenetv2, squeezenet, vgg11, tcresnet8, transformer_block.

They are real architectures without trained weights: a weight is a ConstantOfShape node, shared by all layers of its shape, so
that a file takes a few kilobytes and still is valid ONNX that every tool reads. The batch dimension is left open.

For each file its multiply-accumulates are printed, counted from ONNX's own shape inference; tests/unit/test_network.c holds
prfarm to the same numbers.

Needs python3-onnx (Debian): /usr/bin/python3 make_networks.py
"""

import math
import os

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference


class Network:
    """Collects nodes; every method returns the name of the value that it makes."""

    def __init__(self, name, input_shape):
        self.name = name
        self.nodes = []
        self.constants = {}
        self.initializers = []
        self.counts = {}
        self.input = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch"] + list(input_shape))

    def node(self, op, inputs, **attributes):
        self.counts[op] = self.counts.get(op, 0) + 1
        name = f"{op.lower()}{self.counts[op]}"
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def weight(self, *shape):
        name = "w" + "x".join(str(s) for s in shape)
        if name not in self.constants:
            self.constants[name] = helper.make_node("ConstantOfShape", [name + "_shape"], [name], name=name)
            self.initializers.append(numpy_helper.from_array(numpy.array(shape, numpy.int64), name + "_shape"))
        return name

    def number(self, name, value, dtype=numpy.float32):
        if name not in {i.name for i in self.initializers}:
            self.initializers.append(numpy_helper.from_array(numpy.array(value, dtype), name))
        return name

    def conv(self, x, c, k, kernel, stride=1, group=1, norm=True, activation=None):
        """Convolution as wide as its kernel list is long, padded by half the kernel, with batch norm and activation."""
        axes = len(kernel)
        pads = [r // 2 for r in kernel]
        y = self.node("Conv", [x, self.weight(k, c // group, *kernel)], kernel_shape=kernel, strides=[stride] * axes,
                      pads=pads + pads, group=group)
        if norm:
            y = self.node("BatchNormalization", [y] + [self.weight(k)] * 4)
        if activation == "relu":
            y = self.node("Relu", [y])
        if activation == "relu6":
            y = self.node("Clip", [y, self.number("zero", 0), self.number("six", 6)])
        return y

    def linear(self, x, inputs, outputs):
        """As exporters write it for tensors of any rank: a product and an addition."""
        y = self.node("MatMul", [x, self.weight(inputs, outputs)])
        return self.node("Add", [y, self.weight(outputs)])

    def classifier(self, x, features, classes):
        x = self.node("Flatten", [self.node("GlobalAveragePool", [x])])
        return self.node("Gemm", [x, self.weight(classes, features), self.weight(classes)], transB=1)

    def model(self, output, shape):
        out = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch"] + shape)
        graph = helper.make_graph(list(self.constants.values()) + self.nodes, self.name, [self.input], [out], self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="prfarm")
        model.ir_version = 8
        onnx.checker.check_model(model)
        return model


def resnet18():
    n = Network("resnet18", [3, 224, 224])
    x = n.conv("input", 3, 64, [7, 7], stride=2, activation="relu")
    x = n.node("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    c = 64
    for k, first_stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        for stride in (first_stride, 1):
            y = n.conv(x, c, k, [3, 3], stride=stride, activation="relu")
            y = n.conv(y, k, k, [3, 3])
            if stride != 1 or c != k:
                x = n.conv(x, c, k, [1, 1], stride=stride)
            x = n.node("Relu", [n.node("Add", [y, x])])
            c = k
    return n.model(n.classifier(x, 512, 1000), [1000])


def mobilenetv1():
    n = Network("mobilenetv1", [3, 224, 224])
    x = n.conv("input", 3, 32, [3, 3], stride=2, activation="relu")
    c = 32
    for k, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)) + 5 * ((512, 1),) + ((1024, 2), (1024, 1)):
        x = n.conv(x, c, c, [3, 3], stride=stride, group=c, activation="relu")
        x = n.conv(x, c, k, [1, 1], activation="relu")
        c = k
    return n.model(n.classifier(x, 1024, 1000), [1000])


def squeezenet():
    """Version 1.1, its first convolution and its pools padded, so that every size is half of the one before."""
    n = Network("squeezenet", [3, 224, 224])

    def halve(x):
        return n.node("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])

    def fire(x, c, squeeze, expand):
        x = n.conv(x, c, squeeze, [1, 1], norm=False, activation="relu")
        sides = [n.conv(x, squeeze, expand, [r, r], norm=False, activation="relu") for r in (1, 3)]
        return n.node("Concat", sides, axis=1)

    x = n.conv("input", 3, 64, [3, 3], stride=2, norm=False, activation="relu")
    c = 64
    for squeeze, expand, first in ((16, 64, True), (16, 64, False), (32, 128, True), (32, 128, False), (48, 192, True),
                                   (48, 192, False), (64, 256, False), (64, 256, False)):
        x = fire(halve(x) if first else x, c, squeeze, expand)
        c = 2 * expand
    x = n.conv(x, c, 1000, [1, 1], norm=False, activation="relu")
    return n.model(n.node("Flatten", [n.node("GlobalAveragePool", [x])]), [1000])


def vgg11():
    """For pictures of 112 x 112, with global average pooling and one fully connected layer."""
    n = Network("vgg11", [3, 112, 112])
    x, c = "input", 3
    for k, last in ((64, True), (128, True), (256, False), (256, True), (512, False), (512, True), (512, False), (512, False)):
        x = n.conv(x, c, k, [3, 3], activation="relu")
        x = n.node("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2]) if last else x
        c = k
    return n.model(n.classifier(x, 512, 1000), [1000])


def mobilenetv2():
    n = Network("mobilenetv2", [3, 224, 224])
    x = n.conv("input", 3, 32, [3, 3], stride=2, activation="relu6")
    c = 32
    for expand, k, repeats, first_stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
                                             (6, 160, 3, 2), (6, 320, 1, 1)):
        for i in range(repeats):
            stride = first_stride if i == 0 else 1
            wide = c * expand
            y = n.conv(x, c, wide, [1, 1], activation="relu6") if expand != 1 else x
            y = n.conv(y, wide, wide, [3, 3], stride=stride, group=wide, activation="relu6")
            y = n.conv(y, wide, k, [1, 1])
            x = n.node("Add", [y, x]) if stride == 1 and c == k else y
            c = k
    x = n.conv(x, c, 1280, [1, 1], activation="relu6")
    return n.model(n.classifier(x, 1280, 1000), [1000])


def tcresnet8():
    """Keyword spotting: 40 features over 101 frames, convolutions along time only, 12 words."""
    n = Network("tcresnet8", [40, 101])
    x = n.conv("input", 40, 16, [3], norm=False)
    c = 16
    for k in (24, 32, 48):
        y = n.conv(x, c, k, [9], stride=2, activation="relu")
        y = n.conv(y, k, k, [9])
        x = n.conv(x, c, k, [1], stride=2, activation="relu")
        x = n.node("Relu", [n.node("Add", [y, x])])
        c = k
    return n.model(n.classifier(x, 48, 12), [12])


def transformer_block(length=128, width=256, heads=4):
    """One encoder block, norm first: attention and a feed-forward part four times as wide, with GELU spelt out."""
    n = Network("transformer_block", [length, width])
    depth = width // heads
    split = n.number("heads", [0, length, heads, depth], numpy.int64)
    merge = n.number("merged", [0, length, width], numpy.int64)

    def norm(x):
        return n.node("LayerNormalization", [x, n.weight(width), n.weight(width)], axis=-1)

    def head(x, perm):
        return n.node("Transpose", [n.node("Reshape", [n.linear(x, width, width), split])], perm=perm)

    y = norm("input")
    scores = n.node("MatMul", [head(y, [0, 2, 1, 3]), head(y, [0, 2, 3, 1])])
    scores = n.node("Softmax", [n.node("Div", [scores, n.number("root", math.sqrt(depth))])], axis=-1)
    y = n.node("MatMul", [scores, head(y, [0, 2, 1, 3])])
    y = n.node("Reshape", [n.node("Transpose", [y], perm=[0, 2, 1, 3]), merge])
    x = n.node("Add", ["input", n.linear(y, width, width)])

    y = n.linear(norm(x), width, 4 * width)
    e = n.node("Erf", [n.node("Div", [y, n.number("sqrt2", math.sqrt(2))])])
    y = n.node("Mul", [n.node("Mul", [y, n.node("Add", [e, n.number("one", 1)])]), n.number("half", 0.5)])
    return n.model(n.node("Add", [x, n.linear(y, 4 * width, width)]), [length, width])


def count_macs(model, batch=1):
    """Of convolutions and matrix products, from the shapes that ONNX infers; biases not counted."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = batch
    graph = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    shapes = {i.name: list(i.dims) for i in graph.initializer}
    for v in list(graph.input) + list(graph.output) + list(graph.value_info):
        shapes[v.name] = [d.dim_value for d in v.type.tensor_type.shape.dim]
    total = 0
    for n in graph.node:
        if n.op_type == "Conv":
            total += math.prod(shapes[n.output[0]]) * math.prod(shapes[n.input[1]][1:])
        if n.op_type in ("Gemm", "MatMul"):
            total += math.prod(shapes[n.output[0]]) * shapes[n.input[0]][-1]
    return total


def main():
    folder = os.path.dirname(os.path.abspath(__file__))
    for make in (resnet18, mobilenetv1, mobilenetv2, squeezenet, vgg11, tcresnet8, transformer_block):
        model = make()
        path = os.path.join(folder, make.__name__ + ".onnx")
        with open(path, "wb") as file:
            file.write(model.SerializeToString(deterministic=True))
        print(f"{make.__name__}: {os.path.getsize(path)} bytes, {count_macs(model)} MACs")


if __name__ == "__main__":
    main()
