# SPDX-License-Identifier: Apache-2.0
"""onnxruntime - ONNX Runtime on this machine's processor.

ONNX Runtime computes convolutions in blocked layouts (NCHWc). A network changes the layout at its ends only, while a model of one
layer does so around that layer, which can take as long as the layer itself. So a block is optimised as within a network, and what the
optimiser made of it trimmed: the changes of layout at its ends are cut off, and what remains, which reads and writes blocked
tensors, is loaded as it is. Layers that take over the layout of what is before them (pooling, addition, activations) are optimised
behind convolutions, which are cut off, too. Whole networks are loaded like anybody's."""
import os

import onnx
import onnxruntime as ort
from onnx import helper

from . import layers, onnx_model, system, values

ADOPTS_LAYOUT = ("maxpool2d", "avgpool2d", "add", "activation")
options = system.options


class Kernel:
    """A session whose tensors are bound once, so that a run is the call and nothing else."""

    def __init__(self, model, session_options):
        self.session = ort.InferenceSession(model.SerializeToString(), session_options, providers=["CPUExecutionProvider"])
        self.binding = self.session.io_binding()
        inputs, outputs = self.session.get_inputs(), self.session.get_outputs()
        self.inputs, self.outputs = values.tensors([t.shape for t in inputs], [t.shape for t in outputs])
        for tensor, array in zip(inputs, self.inputs):
            self.binding.bind_cpu_input(tensor.name, array)
        for tensor, array in zip(outputs, self.outputs):
            self.binding.bind_output(tensor.name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        self.run()

    def run(self):
        self.session.run_with_iobinding(self.binding)


class Context:
    """Collects a block's model behind convolutions that make what it reads."""

    def __init__(self, model):
        self.model = model
        self.made = []

    def input(self, shape, kind):
        n, c, h, w = shape
        conv = {"n": n, "c": c, "k": c, "h": h, "w": w, "r": 1, "s": 1, "stride": 1, "pad": 0, "dilation": 1, "groups": 1}
        self.made.append(self.model.layer(layers.Layer("conv2d", conv), [self.model.input(shape, kind)], None))
        return self.made[-1]

    def __getattr__(self, name):
        return getattr(self.model, name)


def _padded(shape, block):
    return [shape[0], -(-shape[1] // block) * block, *shape[2:]]


def trim(model, made, block):
    """Cuts off changes of layout at the model's ends, and everything that makes the tensors `made`. A tensor whose layout was changed
    is blocked on the far side: its channels come in multiples of `block`. Inputs and outputs keep their order."""
    graph = model.graph
    nodes = list(graph.node)
    maker = {name: node for node in nodes for name in node.output}
    inputs = {info.name: [d.dim_value for d in info.type.tensor_type.shape.dim] for info in graph.input}
    outputs = {info.name: [d.dim_value for d in info.type.tensor_type.shape.dim] for info in graph.output}
    place = {name: number for number, name in enumerate([*inputs, *outputs])}  # of what a tensor stands for
    for tensor in made:
        del outputs[tensor.name]
        inputs[tensor.name] = list(tensor.shape)
        if maker[tensor.name].op_type == "ReorderOutput":
            inputs[maker[tensor.name].input[0]] = _padded(tensor.shape, block)
            place[maker[tensor.name].input[0]] = place[tensor.name]
    for node in nodes:
        if node.op_type == "ReorderInput" and node.input[0] in inputs:
            inputs[node.output[0]] = _padded(inputs[node.input[0]], block)
            place[node.output[0]] = place[node.input[0]]
        if node.op_type == "ReorderOutput" and node.output[0] in outputs:
            outputs[node.input[0]] = _padded(outputs.pop(node.output[0]), block)
            place[node.input[0]] = place[node.output[0]]
    kept, wanted = [], set(outputs)  # backwards: what makes something that is wanted and no input
    for node in reversed(nodes):
        if any(name in wanted and name not in inputs for name in node.output):
            kept.insert(0, node)
            wanted.update(node.input)
    constants = [constant for constant in graph.initializer if constant.name in wanted]

    def infos(tensors):
        return [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, tensors[name])
                for name in sorted(tensors, key=place.get) if name in wanted]

    trimmed = helper.make_graph(kept, graph.name, infos(inputs), infos(outputs), constants)
    return helper.make_model(trimmed, opset_imports=model.opset_import, ir_version=model.ir_version)


class Board:
    kinds, dtypes, networks, host, builds = layers.KINDS, ("f32",), True, True, True

    def __init__(self, arguments):
        system.pin(arguments)
        self.threads = arguments.threads
        self.fingerprint = f"onnxruntime {ort.__version__} CPU, {system.processor()}, {system.threads(self.threads)}"
        probe = {"n": 1, "c": 16, "k": 1, "h": 4, "w": 4, "r": 1, "s": 1, "stride": 1, "pad": 0, "dilation": 1, "groups": 1}
        net = layers.Net([layers.Step(layers.Layer("conv2d", probe), (layers.INPUT,))], "f32")
        constants = self._optimised(onnx_model.build(net)).graph.initializer
        self.block = max(constant.dims[0] for constant in constants)  # one filter is padded to a block of them

    def _options(self, level):
        options = ort.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = level
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        return options

    def _optimised(self, model):
        """What the optimiser makes of it. It writes to a file only: to one in memory, of which nothing is left should we be killed."""
        options = self._options(ort.GraphOptimizationLevel.ORT_ENABLE_ALL)
        file = os.memfd_create("optimised.onnx")
        try:
            options.optimized_model_filepath = f"/proc/self/fd/{file}"
            ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
            return onnx.load(options.optimized_model_filepath)
        finally:
            os.close(file)

    def load(self, net):
        if len(net.steps) > layers.BLOCK_LAYERS:
            return Kernel(onnx_model.build(net), self._options(ort.GraphOptimizationLevel.ORT_ENABLE_ALL))
        onnx_model.check_size(net)
        model = onnx_model.Model(net.dtype)
        context = Context(model) if net.steps[0].layer.kind in ADOPTS_LAYOUT else model
        outputs = layers.assemble(net, context)
        made = context.made if context is not model else []
        optimised = trim(self._optimised(model.proto(made + outputs)), made, self.block)
        return Kernel(optimised, self._options(ort.GraphOptimizationLevel.ORT_DISABLE_ALL))

    def empty(self, inputs, outputs):
        return Kernel(onnx_model.empty(inputs, outputs), self._options(ort.GraphOptimizationLevel.ORT_ENABLE_ALL))
