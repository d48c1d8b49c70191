#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A board for prfarm in any language: one JSON object a line in, one out. docs/backends.md describes the conversation.

This one multiplies matrices in plain Python, so it is slow, but its latencies are real."""
import json, sys, time

def prepare(layer):
    rows, cols = layer["out"], layer["in"]
    weights, x = [[0.5] * cols for _ in range(rows)], [1.0] * cols
    return lambda: [sum(a * b for a, b in zip(row, x)) for row in weights]

kernels = {}
for line in sys.stdin:
    ask, answer = json.loads(line), {"ok": True}
    if ask["op"] == "describe":
        answer.update(fingerprint="python " + sys.version.split()[0], kinds=["fc"], dtypes=["f32"])
    elif ask["op"] == "prepare" and (len(ask["layers"]) > 1 or ask["layers"][0]["n"] > 1):
        answer = {"ok": False, "unsupported": True, "error": "only single layers with n = 1"}
    elif ask["op"] == "prepare":
        kernels[ask["id"]] = prepare(ask["layers"][0])
    elif ask["op"] == "run":
        begin = time.perf_counter_ns()
        for _ in range(ask["iterations"]):
            kernels[ask["id"]]()
        answer["latency_ns"] = (time.perf_counter_ns() - begin) / ask["iterations"]
    elif ask["op"] == "release":
        kernels.pop(ask["id"], None)
    print(json.dumps(answer), flush=True)
