# SPDX-License-Identifier: Apache-2.0
"""prfarm-adapter NAME [OPTION...]: one runtime as a board of prfarm's, driven by prfarm-worker's `exec` backend."""
import argparse
import importlib

from . import protocol

ADAPTERS = {
    "onnxruntime": "ONNX Runtime on this processor",
    "tflite": "TensorFlow Lite (LiteRT) with XNNPACK on this processor",
    "openvino": "OpenVINO on a device of its",
    "tensorrt": "TensorRT on a GPU of NVIDIA's, through trtexec",
    "linux_command": "any program that prints a latency",
}


def main():
    parser = argparse.ArgumentParser(prog="prfarm-adapter", description=__doc__)
    commands = parser.add_subparsers(dest="adapter", required=True, metavar="NAME")
    for name, what in ADAPTERS.items():
        commands.add_parser(name, help=what, add_help=False)
    arguments, rest = parser.parse_known_args()
    adapter = importlib.import_module("." + arguments.adapter, __package__)
    options = argparse.ArgumentParser(prog=f"prfarm-adapter {arguments.adapter}", description=ADAPTERS[arguments.adapter])
    adapter.options(options)
    chosen = options.parse_args(rest)
    protocol.serve(lambda: adapter.Board(chosen))


main()
