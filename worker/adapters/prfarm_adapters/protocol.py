# SPDX-License-Identifier: Apache-2.0
"""protocol - the conversation of docs/backends.md (exec): a line of JSON in, a line of JSON out, in order.

Nobody else writes to the standard output: descriptor 1 is taken away first and shows standard error, so that a runtime that prints
harms nothing. An error of the runtime's is a refusal with its reason, one a job; what takes the process down is the worker's to see.

A board, as an adapter makes it, has
    fingerprint   what distinguishes its numbers from other boards': runtime, version, device, threads (ASCII, 186 characters)
    kinds         layer kinds that it can run
    dtypes        data types
    networks      true: it builds whole networks
    host          true: it runs on this machine's processor
    builds        true: it makes a model of the layer in this process's memory
    empty(inputs, outputs)   a kernel that does next to nothing with so many tensors, to tell what a call costs; boards that time
                  themselves need none
    load(net)     a kernel for it. Raises Unsupported or Failed, or whatever the runtime does
and a kernel
    run()              executes it once, to its end
    inputs, outputs    the numpy arrays that it reads and writes, which a semi-cold timing brings into the cache
    took_ns()          of the last run, where the runtime tells what that took without the way there from Python
    without            another kernel, where there is one: what this one has to do besides the net, whose time is taken off
or, where it times itself (a device's timer, a program that prints its latency), only
    told_ns()          runs it once and returns nanoseconds."""
import gc
import json
import os
import sys

from . import layers, system, timing

FINGERPRINT = 186
ERROR = 200  # the worker cuts what is longer
KEPT, KEPT_BYTES = 4, 64 << 20  # kernels that are kept after their release, and how large one may be
BUILDING = 4  # times the weights are there while a model is built: ours, the model's text, the runtime's, and those in its own layout


def _claim_output():
    """The answers' own descriptor; whatever else writes to descriptor 1 writes to standard error from here on."""
    answers = os.fdopen(os.dup(1), "w", encoding="ascii", buffering=1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return answers


def _reason(error):
    """One line for people: the exception's own words, its type where it has none."""
    text = " ".join(str(error).split()) or type(error).__name__
    text = text.encode("ascii", "replace").decode()
    return text if len(text) <= ERROR else text[:ERROR - 3] + "..."


class Conversation:
    """Answers requests for one board. Kernels live from prepare or network to release."""

    def __init__(self, board):
        self.board = board
        self.stopwatch = timing.Stopwatch(board)
        self.kernels = {}  # by id: what was asked for, and the kernel
        self.kept = {}  # kernels of what was released last: the worker asks for two layers again and again (docs/measuring.md, sentinel)

    def describe(self, _ask):
        method = f", timing {timing.METHOD}" if hasattr(self.board, "empty") else ""
        return {"fingerprint": self.board.fingerprint[:FINGERPRINT - len(method)] + method,
                "kinds": sorted(self.board.kinds), "dtypes": list(self.board.dtypes),
                "exact": False, "networks": self.board.networks, "host": self.board.host}

    def _build(self, net, cold):
        if net.dtype not in self.board.dtypes:
            raise layers.Unsupported(f"data type {net.dtype}: this board has {', '.join(self.board.dtypes)}")
        strange = net.kinds - set(self.board.kinds) - {"activation"}
        if strange:
            raise layers.Unsupported(f"{min(strange)}: this board has {', '.join(sorted(self.board.kinds))}")
        memory = system.memory()
        if self.board.builds and BUILDING * net.bytes() > memory:
            raise layers.Unsupported(f"a model of {net.bytes() >> 20} MiB, which takes {BUILDING} times as much to build: this process may "
                                     f"have {memory >> 20} MiB of memory")
        return self.stopwatch.ready(net, cold)

    def prepare(self, ask):
        key = json.dumps([ask["layers"], ask["dtype"], ask.get("cache")])
        kernel = self.kept.pop(key, None)
        if not kernel:
            net = layers.read_block(ask["layers"], ask["dtype"])
            kernel = self._build(net, ask.get("cache") == "semi-cold")
            key = key if net.bytes() <= KEPT_BYTES else None
        self.kernels[ask["id"]] = key, kernel
        return {}

    def network(self, ask):
        net = layers.read_network(ask["blocks"], ask["dtype"])
        self.kernels[ask["id"]] = None, self._build(net, ask.get("cache") == "semi-cold")
        return {}

    def run(self, ask):
        latency_ns, disturbed = self.stopwatch.time(self.kernels[ask["id"]][1], int(ask["iterations"]))
        return {"latency_ns": latency_ns, **({"disturbed": True} if disturbed else {})}

    def release(self, ask):
        key, kernel = self.kernels.pop(ask["id"], (None, None))
        if key:
            self.kept[key] = kernel
        while len(self.kept) > KEPT:
            del self.kept[next(iter(self.kept))]
        del kernel
        gc.collect()
        return {}

    def answer(self, line):
        try:
            ask = json.loads(line)
            operations = {"describe": self.describe, "prepare": self.prepare, "network": self.network, "run": self.run,
                          "release": self.release}
            if ask["op"] not in operations:
                return {"ok": False, "error": f"no operation {ask['op']}: use {', '.join(operations)}"}
            return {"ok": True, **operations[ask["op"]](ask)}
        except layers.Unsupported as why:
            return {"ok": False, "unsupported": True, "error": _reason(why)}
        except MemoryError:
            return {"ok": False, "error": "out of memory: free some, or leave layers of this size out of the campaign"}
        except Exception as why:  # whatever a runtime raises costs this job
            return {"ok": False, "error": _reason(why)}


def serve(open_board):
    """Opens the board and answers until the worker closes our input."""
    answers = _claim_output()
    conversation = Conversation(open_board())
    gc.disable()  # a collection within a timing would count as the layer's
    gc.freeze()  # those after a release look only at what is new
    for line in sys.stdin:
        answers.write(json.dumps(conversation.answer(line)) + "\n")
