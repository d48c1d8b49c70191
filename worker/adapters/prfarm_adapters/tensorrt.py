# SPDX-License-Identifier: Apache-2.0
"""tensorrt - TensorRT on a GPU of NVIDIA's, through trtexec, the program that comes with it.

trtexec builds an engine from the net's ONNX model and times each of its runs by events on the GPU; --exportTimes writes them as JSON. So
nothing here depends on a version of TensorRT's Python package, or of CUDA's. One call builds and times; its runs are told one after
the other, those of the warm-up left out, and when they are used up the engine, which is kept, is timed again. Data is not moved between
host and device, and the time is that of the GPU's work alone (computeMs).

Runs follow one another, so weights are where the last run left them: trtexec cannot empty the caches between two. docs/backends.md
tells what that means."""
import collections
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import weakref

import onnx

from . import layers, onnx_model, system

KINDS = ("conv1d", "conv2d", "dwconv2d", "convtranspose2d", "fc", "matmul", "maxpool2d", "avgpool2d", "add", "activation", "softmax",
         "layernorm")
PRECISION = {"f32": [], "f16": ["--fp16"]}
WARM_UP_MS = 200
RUNS = 200  # of one call
PATIENCE_S = 600  # building an engine tries many kernels
ERROR_LINES = re.compile(r"^.*\[E\] *(.*)$", re.MULTILINE)


def options(parser):
    parser.add_argument("--trtexec", default="trtexec", metavar="PROGRAM", help="the program, where it is not in PATH")
    parser.add_argument("--device", type=int, default=0, metavar="N", help="the GPU, counted from 0 (0)")
    parser.add_argument("--tf32", choices=("off", "on"), default="off", help="whether f32 may be computed in TF32 (off)")


def _call(command):
    """What the program prints; Failed with its own words where it fails."""
    try:
        done = system.run(command, PATIENCE_S, stderr=subprocess.STDOUT,
                          env={**os.environ, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"})  # as nvidia-smi counts
    except subprocess.TimeoutExpired as late:
        raise layers.Failed(f"{command[0]} took more than {PATIENCE_S} s: leave layers of this size out") from late
    except OSError as why:
        raise layers.Failed(f"{command[0]}: {why.strerror}: install TensorRT, or name its program with --trtexec") from why
    if done.returncode == 0:
        return done.stdout
    errors = ERROR_LINES.findall(done.stdout) or done.stdout.split("\n")[-2:]
    raise layers.Failed(f"{pathlib.Path(command[0]).name} ended with {done.returncode}: {' '.join(errors[:2]).strip()}")


def read_times(text):
    """Nanoseconds of each run that --exportTimes wrote, in order. Some versions leave the warm-up's runs in."""
    runs = json.loads(text)
    return [run["computeMs"] * 1e6 for run in runs if run["startComputeMs"] >= WARM_UP_MS]


class Kernel:
    """An engine, and the times of its runs that were not told yet."""

    def __init__(self, board, net):
        self.board = board
        self.at = pathlib.Path(tempfile.mkdtemp(prefix="prfarm-tensorrt-"))
        weakref.finalize(self, shutil.rmtree, self.at, ignore_errors=True)
        self.times = collections.deque()
        onnx.save(onnx_model.build(net), self.at / "net.onnx")
        self._time([f"--onnx={self.at / 'net.onnx'}", f"--saveEngine={self.at / 'engine'}", *PRECISION[net.dtype],
                    *([] if board.tf32 else ["--noTF32"])])

    def _time(self, what):
        times = self.at / "times.json"
        times.unlink(missing_ok=True)
        _call([self.board.program, *what, f"--device={self.board.device}", f"--exportTimes={times}", f"--warmUp={WARM_UP_MS}",
               "--duration=0", f"--iterations={RUNS}", "--noDataTransfers", "--useSpinWait"])
        try:
            self.times.extend(read_times(times.read_text()))
        except (OSError, ValueError, KeyError, TypeError) as why:
            raise layers.Failed(f"trtexec's times cannot be read ({type(why).__name__}): use a TensorRT whose --exportTimes has computeMs"
                                ) from why
        if not self.times:
            raise layers.Failed("trtexec told no run beyond its warm-up: try its command line by hand")

    def told_ns(self):
        if not self.times:
            self._time([f"--loadEngine={self.at / 'engine'}"])
        return self.times.popleft()


def _version(program):
    """trtexec's first line: "&&&& RUNNING TensorRT.trtexec [TensorRT v100300] # trtexec --help"; before 10, "v8601"."""
    found = re.search(r"\[TensorRT v(\d+)\]", _call([program, "--help"]))
    if not found:
        return "of unknown version"
    number = int(found.group(1))
    unit = 10000 if number >= 10000 else 1000
    return f"{number // unit}.{number % unit // 100}.{number % 100}"


def _gpu(device):
    """Name, driver, and what decides how fast two cards of one sort are, as the driver's program tells it."""
    smi = shutil.which("nvidia-smi")
    if not smi:
        return "unknown GPU"
    told = _call([smi, f"--id={device}", "--query-gpu=name,driver_version,clocks.max.sm,enforced.power.limit", "--format=csv,noheader"])
    return " ".join(told.strip().split(", "))


class Board:
    kinds, networks, host, builds = KINDS, True, False, True
    dtypes = tuple(PRECISION)

    def __init__(self, arguments):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so ends the worker us: engines' folders are removed
        self.program = shutil.which(arguments.trtexec) or arguments.trtexec
        self.device = arguments.device
        self.tf32 = arguments.tf32 == "on"
        try:
            self.fingerprint = f"tensorrt {_version(self.program)} trtexec, {_gpu(self.device)}, tf32={arguments.tf32}"
        except layers.Failed as why:
            raise SystemExit(f"tensorrt: {why}") from None

    def load(self, net):
        return Kernel(self, net)
