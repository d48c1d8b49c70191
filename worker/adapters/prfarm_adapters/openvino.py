# SPDX-License-Identifier: Apache-2.0
"""openvino - OpenVINO on one of its devices: this machine's processor (CPU), GPU, NPU.

On the processor OpenVINO computes with channels last. A model whose tensors lie the other way changes that at its ends, which a network
pays once and a model of one layer would pay around that layer. So all models here read and write channels last: declared by a
Transpose, which the processor's plug-in folds into what lies so already. Two sorts of layers would not be folded, since they work
in any layout and take that of what is before them. Additions and activations do the same whatever the order of the axes, so they
are given none. Pooling is put behind a small convolution, and the time of that convolution alone is taken off.

The element type is told, since by default the plug-in would compute in bf16 where the processor can."""
import io

import openvino

from . import layers, onnx_model, system, values

ELEMENTWISE, POOLING = {"add", "activation"}, {"maxpool2d", "avgpool2d"}
CAPABILITIES = {"f32": "FP32", "bf16": "BF16", "f16": "FP16"}  # what a device says that can compute in a data type


def options(parser):
    system.options(parser)
    parser.add_argument("--device", default="CPU", metavar="NAME", help="a device of OpenVINO's: CPU (default), GPU, NPU, GPU.1 ...")


class Model(onnx_model.Model):
    """An ONNX model that reads and writes channels last."""

    def __init__(self, elementwise=False):
        super().__init__()
        self.ordered = not elementwise  # the order of the axes matters

    def input(self, shape, kind):
        if len(shape) != 4 or not self.ordered:
            return super().input(shape, kind)
        n, c, h, w = shape
        return self.node("Transpose", [super().input((n, h, w, c), kind)], shape, perm=[0, 3, 1, 2])

    def output(self, tensor):
        if len(tensor.shape) != 4 or not self.ordered:
            return tensor
        n, c, h, w = tensor.shape
        return self.node("Transpose", [tensor], (n, h, w, c), perm=[0, 2, 3, 1])


class Context(Model):
    """The same, with a small convolution behind each input."""

    def input(self, shape, kind):
        n, c, h, w = shape
        conv = {"n": n, "c": c, "k": c, "h": h, "w": w, "r": 1, "s": 1, "stride": 1, "pad": 0, "dilation": 1, "groups": c}
        return self.layer(layers.Layer("dwconv2d", conv), [super().input(shape, kind)], None)


class Kernel:
    def __init__(self, compiled):
        self.request = compiled.create_infer_request()
        self.inputs, self.outputs = values.tensors([tuple(port.shape) for port in compiled.inputs],
                                                   [tuple(port.shape) for port in compiled.outputs])
        for number, array in enumerate(self.inputs):
            self.request.set_input_tensor(number, openvino.Tensor(array, shared_memory=True))
        for number, array in enumerate(self.outputs):
            self.request.set_output_tensor(number, openvino.Tensor(array, shared_memory=True))
        self.run()

    def run(self):
        self.request.infer(share_outputs=True)

    def took_ns(self):
        return 1e6 * self.request.latency


class Board:
    kinds, networks, builds = layers.KINDS, True, True

    def __init__(self, arguments):
        system.pin(arguments)
        self.core = openvino.Core()
        self.device = arguments.device
        if self.device.split(".")[0] not in {name.split(".")[0] for name in self.core.available_devices}:
            raise SystemExit(f"openvino: no device {self.device}: use {', '.join(self.core.available_devices)}")
        self.host = self.device == "CPU"
        able = self.core.get_property(self.device, "OPTIMIZATION_CAPABILITIES")
        self.dtypes = tuple(dtype for dtype, capability in CAPABILITIES.items() if capability in able)
        self.settings = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": "1"}
        where = self.core.get_property(self.device, "FULL_DEVICE_NAME")
        if self.host:
            self.settings.update(INFERENCE_NUM_THREADS=arguments.threads, ENABLE_CPU_PINNING=False)
            where = f"{system.processor()}, {system.threads(arguments.threads)}"
        version = openvino.get_version().split("-")[0]
        self.fingerprint = f"openvino {version} {self.device}, {where}"

    def _compile(self, model, precision):
        read = self.core.read_model(io.BytesIO(model.SerializeToString()))
        return Kernel(self.core.compile_model(read, self.device, {**self.settings, "INFERENCE_PRECISION_HINT": precision}))

    def load(self, net):
        onnx_model.check_size(net)
        in_context = self.host and len(net.steps) <= layers.BLOCK_LAYERS and net.steps[0].layer.kind in POOLING
        model = Context() if in_context else Model(elementwise=net.kinds <= ELEMENTWISE)
        kernel = self._compile(model.proto([model.output(tensor) for tensor in layers.assemble(net, model)]), net.dtype)
        if in_context:
            first = net.steps[0].layer
            model = Context()
            contexts = [model.output(model.input(first.in_shape(), first.kind)) for _ in range(net.copies)]
            kernel.without = self._compile(model.proto(contexts), net.dtype)
        return kernel

    def empty(self, inputs, outputs):
        return self._compile(onnx_model.empty(inputs, outputs), "f32")
