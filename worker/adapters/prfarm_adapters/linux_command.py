# SPDX-License-Identifier: Apache-2.0
"""linux_command - a board that is any program which runs one layer and prints how long it took: a vendor's benchmark, a script that
calls one over ssh. The layer's parameters go into its command line, a pattern finds the number in what it prints.

    prfarm-adapter linux_command --command 'conv2d=bench --in {c} --out {k} --size {h}x{w} --kernel {r} --act {activation}' \\
        --pattern 'median: ([0-9.]+) us' --unit us --fingerprint 'npu-sdk 4.1, NPU at 800 MHz'

No shell is involved: the template is split into words first, as a shell would, then filled in."""
import re
import shlex
import subprocess

from . import layers, system

UNITS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
NUMBER = r"([0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?)"
TOLD = 120  # characters of what a program said, in an error


def options(parser):
    parser.add_argument("--command", action="append", required=True, metavar="KIND=LINE",
                        help="command line for a layer kind, {c} {k} ... its parameters, {dtype}, and {activation} the name of the "
                             "activation behind it, or 'none'; once for each kind")
    parser.add_argument("--pattern", default=NUMBER, metavar="REGEX",
                        help="finds the latency in the output, as its first group; the last match counts (the last number)")
    parser.add_argument("--unit", choices=UNITS, default="us", help="of the latency (us)")
    parser.add_argument("--fingerprint", required=True, metavar="TEXT",
                        help="what distinguishes this board: program, version, device, clock")
    parser.add_argument("--dtype", action="append", choices=list(layers.BYTES), help="a data type it can run; may be repeated (f32)")
    parser.add_argument("--unsupported", type=int, metavar="CODE", help="exit code with which the program refuses a layer for good")
    parser.add_argument("--timeout", type=float, default=50, metavar="SECONDS", help="for each run (50)")
    parser.add_argument("--host", action="store_true", help="the program runs on this machine's processor")


class Kernel:
    def __init__(self, board, line):
        self.board = board
        self.line = line

    def told_ns(self):
        arguments = self.board.arguments
        try:
            done = system.run(self.line, arguments.timeout, stderr=subprocess.PIPE)
        except FileNotFoundError:
            raise layers.Failed(f"{self.line[0]}: no such program: correct --command") from None
        except subprocess.TimeoutExpired:
            raise layers.Failed(f"{self.line[0]} took longer than {arguments.timeout:g} s: raise --timeout if it needs longer") from None
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip())[-TOLD:]
            refusal = layers.Unsupported if done.returncode == arguments.unsupported else layers.Failed
            raise refusal(f"{self.line[0]} ended with exit code {done.returncode}: {said}")
        found = self.board.pattern.findall(done.stdout)
        try:
            return float(found[-1] if isinstance(found[-1], str) else found[-1][0]) * UNITS[arguments.unit]
        except (IndexError, ValueError):
            raise layers.Failed(f"no latency in what {self.line[0]} printed: '{done.stdout.strip()[-TOLD:]}': correct --pattern") from None


class Board:
    networks = builds = False

    def __init__(self, arguments):
        self.arguments = arguments
        self.host = arguments.host
        self.dtypes = tuple(arguments.dtype or ["f32"])
        self.fingerprint = arguments.fingerprint
        self.templates = {}
        for text in arguments.command:
            kind, equals, line = text.partition("=")
            if not equals or not line.split():
                raise SystemExit(f"linux_command: --command {text}: write KIND=PROGRAM ARGUMENTS, as conv2d='bench {{c}} {{k}}'")
            self.templates[kind] = shlex.split(line)
        self.kinds = tuple(self.templates)
        try:
            self.pattern = re.compile(arguments.pattern)
        except re.error as why:
            raise SystemExit(f"linux_command: --pattern {arguments.pattern}: {why}: write a regular expression") from None
        if self.pattern.groups < 1:
            raise SystemExit(f"linux_command: --pattern {arguments.pattern} has no group: put the number into parentheses")

    def load(self, net):
        first, behind = net.steps[0].layer, [step.layer for step in net.steps[1:]]
        template = self.templates[first.kind]
        told = any("{activation}" in word for word in template)
        if len(behind) > told or any(layer.kind != "activation" for layer in behind):
            raise layers.Unsupported(f"{net}: the command for {first.kind} has no place for what is behind the layer")
        known = {**first.params, "dtype": net.dtype, "activation": behind[0].function if behind else "none"}
        if "fn" in first.params:
            known["fn"] = first.function
        try:
            return Kernel(self, [word.format(**known) for word in template])
        except (KeyError, IndexError, ValueError) as why:
            raise layers.Failed(f"the command for {first.kind} names {why}: use {', '.join(known)}") from None
