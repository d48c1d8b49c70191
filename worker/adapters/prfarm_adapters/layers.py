# SPDX-License-Identifier: Apache-2.0
"""layers - what a request asks for. Pure: no runtime, no clock.

A block and a whole network are the same thing here, a Net: layers in the order in which they run, each with the places of the
layers that it reads. So a runtime's model is built by one walk, whether one layer is measured or all of a network."""
import math
from dataclasses import dataclass, field


class Unsupported(Exception):
    """This board can never run this layer; the text says which limit it is beyond."""


class Failed(Exception):
    """It did not work this time; the text says why."""


KINDS = ("conv1d", "conv2d", "dwconv2d", "convtranspose2d", "fc", "matmul", "maxpool2d", "avgpool2d", "add", "activation", "softmax",
         "layernorm")
ACTIVATIONS = ("relu", "relu6", "sigmoid", "tanh", "gelu", "hardswish", "swish", "hardsigmoid")
BYTES = {"f32": 4, "f16": 2, "bf16": 2, "i8": 1}
BLOCK_LAYERS = 4  # a block has at most so many
INPUT = -1  # the net's own input, where a layer's place is asked for


def _extent(size, kernel, stride, pad, dilation):
    return (size + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1


@dataclass(frozen=True)
class Layer:
    """One layer with its complete parameters, under the names of docs/campaign-file.md: layer["c"]."""

    kind: str
    params: dict = field(hash=False)

    def __getitem__(self, name):
        return self.params[name]

    @property
    def function(self):
        """The activation's name."""
        return ACTIVATIONS[self["fn"]]

    @property
    def operands(self):
        """How many tensors it reads, weights not counted."""
        return 2 if self.kind in ("add", "matmul") else 1

    def in_shape(self, operand=0):
        """Shape of an operand: channels first where there is space."""
        p = self.params
        if self.kind == "fc":
            return (p["n"], p["in"])
        if self.kind == "matmul":
            return (p["b"], p["k"], p["n"]) if operand else (p["b"], p["m"], p["k"])
        if self.kind in ("softmax", "layernorm"):
            return (p["n"], p["features"])
        if self.kind == "conv1d":
            return (p["n"], p["c"], p["w"])
        return (p["n"], p["c"], p["h"], p["w"])

    def out_shape(self):
        p = self.params
        if self.kind == "fc":
            return (p["n"], p["out"])
        if self.kind == "matmul":
            return (p["b"], p["m"], p["n"])
        if self.kind == "conv1d":
            return (p["n"], p["k"], _extent(p["w"], p["f"], p["stride"], p["pad"], 1))
        if self.kind in ("conv2d", "dwconv2d", "maxpool2d", "avgpool2d"):
            dilation = p.get("dilation", 1)
            return (p["n"], p.get("k", p["c"]), _extent(p["h"], p["r"], p["stride"], p["pad"], dilation),
                    _extent(p["w"], p["s"], p["stride"], p["pad"], dilation))
        if self.kind == "convtranspose2d":
            return (p["n"], p["k"], *((p[size] - 1) * p["stride"] - 2 * p["pad"] + p["dilation"] * (p[kernel] - 1) + 1
                                      for size, kernel in (("h", "r"), ("w", "s"))))
        return self.in_shape()

    def weight_shape(self):
        """Shape of the weights, outputs first (a transposed convolution's: inputs first); () where there are none."""
        p = self.params
        if self.kind == "fc":
            return (p["out"], p["in"])
        if self.kind == "conv1d":
            return (p["k"], p["c"], p["f"])
        if self.kind in ("conv2d", "dwconv2d"):
            return (p["k"], p["c"] // p["groups"], p["r"], p["s"])
        if self.kind == "convtranspose2d":
            return (p["c"], p["k"] // p["groups"], p["r"], p["s"])
        return ()

    def __str__(self):
        return " ".join([self.kind] + [f"{name}={value}" for name, value in self.params.items()])


@dataclass(frozen=True)
class Step:
    """A layer at its place in a net, and the places of those that it reads (INPUT: the net's own input)."""

    layer: Layer
    inputs: tuple


class Net:
    """Steps in the order in which they run; the last one's output is the net's. A model has `copies` of all of it side by side, each
    with inputs, weights and outputs of its own."""

    def __init__(self, steps, dtype):
        self.steps = list(steps)
        self.dtype = dtype
        self.copies = 1
        if not self.steps:
            raise Failed("there are no layers: name at least one")
        read = {place for step in self.steps for place in step.inputs}
        self.outputs = [place for place in range(len(self.steps)) if place not in read]

    @property
    def kinds(self):
        return {step.layer.kind for step in self.steps}

    def followed_by(self, place):
        """The activation that alone reads this step's output, if there is one."""
        readers = [step.layer for step in self.steps if place in step.inputs]
        return readers[0].function if len(readers) == 1 and readers[0].kind == "activation" else None

    def weight_bytes(self):
        """Of one copy."""
        return sum(math.prod(step.layer.weight_shape() or (0,)) for step in self.steps) * BYTES[self.dtype]

    def bytes(self):
        """Weights of one copy, and what each layer reads and writes, as if nothing were used again."""
        count = 0
        for step in self.steps:
            layer = step.layer
            count += math.prod(layer.out_shape()) + sum(math.prod(layer.in_shape(operand)) for operand in range(layer.operands))
        return self.weight_bytes() + count * BYTES[self.dtype]

    def __str__(self):
        return " + ".join(str(step.layer) for step in self.steps)


def read_layer(told):
    if told["kind"] not in KINDS:
        raise Unsupported(f"{told['kind']}: there are {', '.join(KINDS)}")
    layer = Layer(told["kind"], {name: int(value) for name, value in told.items() if name != "kind"})
    try:
        if min(layer.in_shape() + layer.out_shape()) < 1:
            raise Failed(f"{layer}: there is no output: use a larger input or a smaller kernel")
    except KeyError as why:
        raise Failed(f"{layer}: {why} is missing: tell every parameter of the kind") from None
    return layer


def read_block(layers, dtype):
    """A block: each layer reads what the one before it wrote."""
    steps = [Step(read_layer(told), (place - 1,)) for place, told in enumerate(layers)]
    return Net(steps, dtype)


def read_network(blocks, dtype):
    """Blocks with the places of the blocks that they read, as one net."""
    steps, last = [], []  # last: the place of each block's last layer
    for number, block in enumerate(blocks):
        sources = block.get("inputs", [number - 1])
        if not sources or any(not INPUT <= source < number for source in sources):
            raise Failed(f"block {number} reads {sources}: name earlier blocks, or {INPUT} for the network's input")
        inputs = tuple(INPUT if source == INPUT else last[source] for source in sources)
        for told in block["layers"]:
            steps.append(Step(read_layer(told), inputs))
            inputs = (len(steps) - 1,)
        last.append(len(steps) - 1)
    return Net(steps, dtype)


def assemble(net, model):
    """Walks the net and has `model` put it together. What it makes are tensors with a `shape`, channels first; it offers
    input(shape, kind of the layer that reads it), reshape(tensor, shape), concat(tensors), and layer(layer, operands, follower), where
    the follower is the activation that alone reads its output, if there is one. Returns the tensors that nobody reads."""
    return [tensor for _ in range(net.copies) for tensor in _assemble_once(net, model)]


def _assemble_once(net, model):
    made, outer = [], {}

    def source(place, shape, kind, joined):
        if place != INPUT:
            return made[place]
        if joined and outer:  # the layer's shape is that of all that it joins
            return next(iter(outer.values()))
        if shape not in outer:
            outer[shape] = model.input(shape, kind)
        return outer[shape]

    for place, (layer, inputs) in enumerate((step.layer, step.inputs) for step in net.steps):
        joined = layer.operands == 1 and len(inputs) > 1
        operands = [source(from_, layer.in_shape(min(number, layer.operands - 1)), layer.kind, joined)
                    for number, from_ in enumerate(inputs)]
        if joined:
            operands = [model.concat(operands)]
        while len(operands) < layer.operands:  # a second operand that nobody in the net makes
            operands.append(model.input(layer.in_shape(len(operands)), layer.kind))
        fitted = [_fit(model, layer, tensor, number) for number, tensor in enumerate(operands)]
        made.append(model.layer(layer, fitted, net.followed_by(place)))
        if tuple(made[-1].shape) != tuple(layer.out_shape()):
            raise Failed(f"{layer}: the model's output is {made[-1].shape}, where {layer.out_shape()} is right")
    return [made[place] for place in net.outputs]


def _fit(model, layer, tensor, number):
    wanted = layer.in_shape(min(number, layer.operands - 1))
    have = tuple(tensor.shape)
    if have == wanted:
        return tensor
    if math.prod(have) == math.prod(wanted):
        return model.reshape(tensor, wanted)
    if layer.kind == "add" and have == wanted[:len(have)]:
        return model.reshape(tensor, have + (1,) * (len(wanted) - len(have)))
    if layer.kind == "add" and len(have) == len(wanted) and all(h in (1, w) for h, w in zip(have, wanted)):
        return tensor  # one number a channel, say
    raise Unsupported(f"{layer.kind} reads {'x'.join(map(str, wanted))}, but the layer before it makes {'x'.join(map(str, have))}: "
                      "measure this network's layers one by one")
