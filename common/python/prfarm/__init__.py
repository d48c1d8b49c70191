# SPDX-License-Identifier: Apache-2.0
"""Latency estimates of neural networks, from models that prfarm measured.

    import prfarm
    model = prfarm.Model.load("cpu.prfm")
    model.estimate("conv2d c=64 k=64 h=56 r=3 pad=1 + relu").latency_ns
    model.estimate_many({"c": widths, "k": widths}, pattern="conv2d h=56 r=3 pad=1").latency_ns
    model.estimate_network(prfarm.Network.load("resnet18.onnx")).to_pandas()

Latencies are nanoseconds of one inference, low_ns and high_ns the bounds of a 90 % interval. What a model does not cover is NaN
in arrays and an error by itself. A model and a network never change: any number of threads may ask the same ones at once, and the
interpreter's lock is released meanwhile.
"""

from ._library import Error, library_path, library_version
from .layers import Parameter, activations, dtypes, kinds, layer_text, macs, macs_many, parameters
from .models import Estimate, Estimates, Model, ModelFacts, ModelLayer, ModelParameter, NetworkEstimate
from .networks import Block, Network, Note

Error.__module__ = __name__  # where it is raised from is nobody's concern

__version__ = "0.1.0"
__all__ = [
    "Block",
    "Error",
    "Estimate",
    "Estimates",
    "Model",
    "ModelFacts",
    "ModelLayer",
    "ModelParameter",
    "Network",
    "NetworkEstimate",
    "Note",
    "Parameter",
    "activations",
    "dtypes",
    "kinds",
    "layer_text",
    "library_path",
    "library_version",
    "macs",
    "macs_many",
    "parameters",
]
