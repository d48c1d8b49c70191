# SPDX-License-Identifier: Apache-2.0
"""prfarm-adapter NAME [OPTION...]: one runtime as a board of prfarm's, driven by prfarm-worker's `exec` backend."""
import argparse
import importlib
import sys

from . import protocol

ADAPTERS = {
    "onnxruntime": "ONNX Runtime on this processor",
    "tflite": "TensorFlow Lite (LiteRT) with XNNPACK on this processor",
    "openvino": "OpenVINO on a device of its",
    "tensorrt": "TensorRT on a GPU of NVIDIA's, through trtexec",
    "linux_command": "any program that prints a latency",
}


def main():
    parser = argparse.ArgumentParser(prog="prfarm-adapter", description=__doc__, add_help=False,
                                     epilog="prfarm-adapter NAME --help tells the options of one")
    parser.add_argument("adapter", choices=ADAPTERS, metavar="NAME", help="; ".join(f"{name}: {what}" for name, what in ADAPTERS.items()))
    if sys.argv[1:] in ([], ["--help"], ["-h"]):
        parser.print_help()
        return
    name = parser.parse_args(sys.argv[1:2]).adapter
    try:
        adapter = importlib.import_module("." + name, __package__)
    except ModuleNotFoundError as why:
        sys.exit(f"prfarm-adapter: {name}: {why} in {sys.prefix}: run deploy/setup --adapters, "
                 "or set PRFARM_ADAPTERS to the environment's folder")
    options = argparse.ArgumentParser(prog=f"prfarm-adapter {name}", description=ADAPTERS[name])
    adapter.options(options)
    chosen = options.parse_args(sys.argv[2:])
    protocol.serve(lambda: adapter.Board(chosen))


main()
