# SPDX-License-Identifier: Apache-2.0
"""prfarm_adapters - inference runtimes as prfarm boards: programs that speak the exec protocol (docs/adapters.md).

  layers        what a request asks for: layers, and the net that a block or a network is
  protocol      the conversation with the worker, and what becomes of errors
  timing        one latency: cache state, clock, the cost of the call itself
  values        what tensors hold
  system        this machine's processor
  onnx_model    a net as an ONNX model, for every runtime that reads ONNX
  tflite_model  a net as a TensorFlow Lite model

Each other module is one adapter, with a function `options(parser)` and a class Board (protocol); __main__ lists
them."""
