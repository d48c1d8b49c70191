# SPDX-License-Identifier: Apache-2.0
"""tflite - TensorFlow Lite (LiteRT) on this machine's processor, with XNNPACK.

Tensors lie as the layers need them, channels last, and XNNPACK works in the interpreter's own memory: a block alone costs what it
costs in a network but for the call."""
import importlib.metadata

from ai_edge_litert import interpreter

from . import layers, system, tflite_model, values

options = system.options


class Kernel:
    def __init__(self, model, threads):
        self.interpreter = interpreter.Interpreter(model_content=model, num_threads=threads)
        self.interpreter.allocate_tensors()
        inputs = self.interpreter.get_input_details()
        for tensor in inputs:
            self.interpreter.set_tensor(tensor["index"], values.activations(tensor["shape"]))
        self.run = self.interpreter.invoke
        self.run()
        self._inputs = [self.interpreter.tensor(tensor["index"]) for tensor in inputs]
        self._outputs = [self.interpreter.tensor(tensor["index"]) for tensor in self.interpreter.get_output_details()]

    # Looked up each time, since the interpreter does not run while somebody holds one of its arrays.
    @property
    def inputs(self):
        return [view() for view in self._inputs]

    @property
    def outputs(self):
        return [view() for view in self._outputs]


class Board:
    kinds, dtypes, networks, host, builds = layers.KINDS, ("f32",), True, True, True

    def __init__(self, arguments):
        system.pin(arguments)
        self.threads = arguments.threads
        version = importlib.metadata.version("ai-edge-litert")
        self.fingerprint = f"tflite (ai-edge-litert {version}) XNNPACK, {system.processor()}, {system.threads(self.threads)}"

    def load(self, net):
        return Kernel(tflite_model.build(net), self.threads)

    def empty(self, _inputs, _outputs):
        return Kernel(tflite_model.empty(), self.threads)
