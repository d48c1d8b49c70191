#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An exec board that says that it is this machine's own processor and builds networks, for tests.

It keeps a diary of what it is asked, one "TIME PROCESS OPERATION ID" a line, in the file that HOST_BOARD_DIARY names; "+" behind
it when it is about to answer. A layer with in = 13 is never answered. A network takes NETWORK_NS, and only a whole tcresnet8 is one.
"""
import json
import os
import sys
import time

NETWORK_NS = 12345678
TCRESNET8 = [[-1], [0], [1], [0], [2, 3], [4], [5], [4], [6, 7], [8], [9], [8], [10, 11], [12], [13]]


def note(ask, mark):
    with open(os.environ["HOST_BOARD_DIARY"], "a") as diary:
        diary.write(f"{time.monotonic_ns()} {os.getpid()} {ask['op']}{mark} {ask.get('id', 0)}\n")


def work(layer):
    product = 1
    for name, value in layer.items():
        product *= value if name in ("c", "k", "w", "f", "in", "out") else 1
    return 1000 + product / 10


def answer(ask, kernels):
    if ask["op"] == "describe":
        kinds = ["conv1d", "conv2d", "dwconv2d", "add", "avgpool2d", "fc"]
        return {"fingerprint": "host board", "kinds": kinds, "dtypes": ["f32"], "networks": True, "host": True}
    if ask["op"] == "prepare":
        kernels[ask["id"]] = sum(map(work, ask["layers"]))
        while any(layer.get("in") == 13 for layer in ask["layers"]):
            time.sleep(1)
    elif ask["op"] == "network":
        kernels[ask["id"]] = NETWORK_NS
        if [block["inputs"] for block in ask["blocks"]] != TCRESNET8:
            return {"ok": False, "unsupported": True, "error": "another network"}
    elif ask["op"] == "run":
        time.sleep(0.0005)
        return {"latency_ns": kernels[ask["id"]]}
    elif ask["op"] == "release":
        del kernels[ask["id"]]
    return {}


def main():
    kernels = {}
    for line in sys.stdin:
        ask = json.loads(line)
        note(ask, "")
        said = json.dumps({"ok": True, **answer(ask, kernels)})
        note(ask, "+")
        print(said, flush=True)


main()
