#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# %% [markdown]
# # A model, a staircase, a search
#
# Asks a latency model what an architecture search asks: what does a layer take, where are the steps, which widths are worth their
# time, and where does a network spend its own. Runs as a notebook, cell by cell, in editors that know `# %%`, and as a program:
#
#     python search.py zcu102.prfm resnet18.onnx

# %%
import sys

import numpy as np

import prfarm

model_path, network_path = sys.argv[1:3] if len(sys.argv) >= 3 else ("zcu102.prfm", "resnet18.onnx")
model = prfarm.Model.load(model_path)
print(f"{model}, MAPE {model.facts.mape_percent:.2f} %")
for layer in model.layers:
    steps = [f"{p.name}={p.step_width}" for p in layer.parameters if p.step_width > 1]
    print(f"  {layer.kind}: trained on {layer.samples} layers, steps {' '.join(steps) or 'none'}")

# %% One layer, as a text or as a mapping
print(model.estimate("conv2d c=64 k=64 h=56 r=3 pad=1 + relu"))
print(model.estimate({"kind": "conv2d", "c": 64, "k": 64, "h": 56, "r": 3, "pad": 1, "then": "relu"}))

# %% A staircase: one call for all widths. The latency changes behind the step width's multiples
widths = np.arange(1, 129)
latency = model.estimate_many({"k": widths}, pattern="conv2d c=64 h=28 r=3 pad=1").latency_ns
edges = widths[:-1][np.diff(latency) > 0.02 * latency[:-1]]
print(f"k from 1 to 128: the latency jumps behind k = {', '.join(map(str, edges))}")

# %% A search: of 20,000 random widths of a four-stage CNN, which have the most MACs for their time?
draws = np.random.default_rng(1).integers(16, 257, size=(20000, 4))
before = np.column_stack([np.full(len(draws), 3), draws[:, :-1]])  # the image's channels, then each stage's
stages = {"c": before.ravel(), "k": draws.ravel(), "h": np.tile([64, 32, 16, 8], len(draws))}
pattern = "conv2d r=3 stride=2 pad=1 + relu"
latency_us = model.estimate_many(stages, pattern).latency_ns.reshape(-1, 4).sum(axis=1) / 1000
mmacs = prfarm.macs_many(stages, pattern).reshape(-1, 4).sum(axis=1) / 1e6
order = np.argsort(latency_us)
best = order[np.flatnonzero(mmacs[order] > np.maximum.accumulate(np.r_[0, mmacs[order][:-1]]))]  # the Pareto front
print(f"{len(draws)} candidates, {len(best)} of them on the Pareto front; every so many:")
for i in best[:: max(1, len(best) // 6)]:
    print(f"  {latency_us[i]:8.1f} us  {mmacs[i]:6.1f} million MACs  widths {' '.join(map(str, draws[i]))}")

# %% A network, block by block (needs pandas for the table)
result = model.estimate_network(prfarm.Network.load(network_path))
print(f"{result.network}: {result.latency_ns / 1e6:.3f} ms, {result.covered} of {len(result.network)} blocks covered")
try:
    table = result.to_pandas().sort_values("latency_ns", ascending=False)
    print(table[["name", "kind", "latency_ns", "low_ns", "high_ns"]].head(5).to_string(index=False))
except ImportError:
    print("no pandas here, so no table")
