# SPDX-License-Identifier: Apache-2.0
"""libprfarm by ctypes: where it is, what prfarm.h declares, and its errors as exceptions. Everything else of the package is above this."""

from __future__ import annotations

import ctypes
import functools
import glob
import os
import shutil
import sys
from ctypes import POINTER, c_char_p, c_double, c_int, c_int32, c_size_t, c_uint32, c_uint64, c_void_p
from typing import Any

ABI = 1
SONAME = f"libprfarm.so.{ABI}"
ERROR_BYTES = 512
LAYER_BYTES = 512
TEXT_BYTES = 1024


class Error(Exception):
    """What libprfarm, or the prfarm program, refused, and why. `code` is an exit code of prfarm's manual: 3 a value, text or file is
    not what it should be, 4 not found, 6 the model does not know such layers, 7 input or output, 9 out of memory."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class LayerStruct(ctypes.Structure):
    _fields_ = [("opaque", c_double * (LAYER_BYTES // 8))]


class EstimateStruct(ctypes.Structure):
    _fields_ = [
        ("latency_ns", c_double),
        ("low_ns", c_double),
        ("high_ns", c_double),
        ("outside", c_int),
        ("blocks", c_size_t),
        ("covered", c_size_t),
    ]


class EstimatesStruct(ctypes.Structure):
    _fields_ = [("latency_ns", c_void_p), ("low_ns", c_void_p), ("high_ns", c_void_p), ("outside", c_void_p)]


class MatrixStruct(ctypes.Structure):
    _fields_ = [
        ("values", c_void_p),
        ("row_stride", ctypes.c_ssize_t),
        ("column_stride", ctypes.c_ssize_t),
        ("rows", c_size_t),
        ("columns", c_size_t),
        ("names", POINTER(c_char_p)),
    ]


class ParameterStruct(ctypes.Structure):
    _fields_ = [
        ("name", c_char_p),
        ("low", c_int32),
        ("high", c_int32),
        ("required", c_int),
        ("by_default", c_int32),
        ("like", c_char_p),
    ]


class FactsStruct(ctypes.Structure):
    _fields_ = [
        ("board", c_char_p),
        ("digest", c_char_p),
        ("campaign", c_char_p),
        ("fingerprint", c_char_p),
        ("began_with", c_char_p),
        ("seed", c_uint64),
        ("samples", c_uint32),
        ("sweep_samples", c_uint32),
        ("validated", c_uint32),
        ("mape_percent", c_double),
        ("rmspe_percent", c_double),
        ("median_percent", c_double),
        ("r2", c_double),
        ("spearman", c_double),
        ("within_5_percent", c_double),
        ("within_10_percent", c_double),
        ("repeatability_percent", c_double),
        ("random_baseline_percent", c_double),
        ("between_ns", c_double),
    ]


class ModelLayerStruct(ctypes.Structure):
    _fields_ = [
        ("kind", c_char_p),
        ("dtype", c_char_p),
        ("regressor", c_char_p),
        ("mapped", c_int),
        ("samples", c_uint32),
        ("validated", c_uint32),
        ("mape_percent", c_double),
        ("rmspe_percent", c_double),
        ("median_percent", c_double),
        ("r2", c_double),
        ("spearman", c_double),
        ("within_5_percent", c_double),
        ("within_10_percent", c_double),
    ]


class ModelParameterStruct(ctypes.Structure):
    _fields_ = [
        ("name", c_char_p),
        ("low", c_int32),
        ("high", c_int32),
        ("step_width", c_int32),
        ("step_confidence", c_double),
    ]


class BlockStruct(ctypes.Structure):
    _fields_ = [
        ("name", c_char_p),
        ("kind", c_char_p),
        ("text", c_char_p),
        ("layer", POINTER(LayerStruct)),
        ("macs", c_double),
    ]


class NoteStruct(ctypes.Structure):
    _fields_ = [("op", c_char_p), ("name", c_char_p), ("treatment", c_char_p), ("unknown", c_int)]


_Out = POINTER(c_void_p)
_Layer = POINTER(LayerStruct)
_Estimate = POINTER(EstimateStruct)
_Estimates = POINTER(EstimatesStruct)
_Matrix = POINTER(MatrixStruct)

# Every function of prfarm.h: what it returns, what it takes. A test compares the names with the header.
FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "prfarm_version": (c_char_p, []),
    "prfarm_abi": (c_int, []),
    "prfarm_layer_parse": (c_int, [_Layer, c_char_p, c_char_p]),
    "prfarm_layer_format": (c_size_t, [_Layer, c_char_p, c_size_t]),
    "prfarm_layer_macs": (c_double, [_Layer]),
    "prfarm_layer_kind": (c_char_p, [c_size_t]),
    "prfarm_dtype": (c_char_p, [c_size_t]),
    "prfarm_activation": (c_char_p, [c_size_t]),
    "prfarm_layer_parameter": (POINTER(ParameterStruct), [c_char_p, c_size_t]),
    "prfarm_model_load": (c_int, [_Out, c_char_p, c_char_p]),
    "prfarm_model_decode": (c_int, [_Out, c_char_p, c_size_t, c_char_p]),
    "prfarm_model_free": (None, [c_void_p]),
    "prfarm_model_board": (c_char_p, [c_void_p]),
    "prfarm_model_energy": (c_void_p, [c_void_p]),
    "prfarm_model_get_facts": (POINTER(FactsStruct), [c_void_p]),
    "prfarm_model_get_layer": (POINTER(ModelLayerStruct), [c_void_p, c_size_t]),
    "prfarm_model_get_parameter": (POINTER(ModelParameterStruct), [c_void_p, c_size_t, c_size_t]),
    "prfarm_estimate_layer": (c_int, [c_void_p, _Layer, _Estimate, c_char_p]),
    "prfarm_estimate_layers": (c_size_t, [c_void_p, _Layer, c_size_t, _Estimates]),
    "prfarm_estimate_matrix": (c_int, [c_void_p, c_char_p, _Matrix, _Estimates, POINTER(c_size_t), c_char_p]),
    "prfarm_macs_matrix": (c_int, [c_char_p, _Matrix, c_void_p, c_char_p]),
    "prfarm_network_load": (c_int, [_Out, c_char_p, c_char_p, ctypes.c_uint, c_char_p]),
    "prfarm_network_decode": (c_int, [_Out, c_char_p, c_size_t, c_char_p, c_char_p, ctypes.c_uint, c_char_p]),
    "prfarm_network_free": (None, [c_void_p]),
    "prfarm_network_name": (c_char_p, [c_void_p]),
    "prfarm_network_macs": (c_double, [c_void_p]),
    "prfarm_network_blocks": (c_size_t, [c_void_p]),
    "prfarm_network_get_block": (POINTER(BlockStruct), [c_void_p, c_size_t]),
    "prfarm_network_get_note": (POINTER(NoteStruct), [c_void_p, c_size_t]),
    "prfarm_estimate_network": (c_int, [c_void_p, c_void_p, _Estimate, c_char_p]),
    "prfarm_estimate_network_blocks": (c_int, [c_void_p, c_void_p, _Estimate, _Estimates, c_char_p]),
}


def _candidates() -> list[str]:
    """PRFARM_LIBRARY alone, where it is set; else what the loader knows (LD_LIBRARY_PATH, ldconfig), then the folders beside the
    `prfarm` program, this interpreter and /usr/local."""
    named = os.environ.get("PRFARM_LIBRARY")
    if named:
        return [named]
    program = shutil.which("prfarm")
    prefixes = [os.path.dirname(os.path.dirname(os.path.realpath(program)))] if program else []
    found = [SONAME]
    for prefix in [*prefixes, sys.prefix, "/usr/local"]:
        for folder in ("lib", "lib64", "lib/*-linux-gnu*"):
            found += sorted(glob.glob(os.path.join(prefix, folder, SONAME)))
    return found


def _open() -> tuple[ctypes.CDLL, str]:
    reasons = []
    for path in _candidates():
        try:
            return ctypes.CDLL(path), path
        except OSError as error:
            reasons.append(str(error))
    raise Error(
        4,
        "libprfarm is not here: install prfarm (cmake --install), or set PRFARM_LIBRARY to the path of "
        f"{SONAME}; tried: {'; '.join(reasons)}",
    )


@functools.lru_cache(maxsize=None)
def _loaded() -> tuple[ctypes.CDLL, str]:
    handle, path = _open()
    try:
        handle.prfarm_abi.restype = c_int
        abi = int(handle.prfarm_abi())
    except AttributeError:
        abi = 0
    if abi != ABI:
        raise Error(
            3,
            f"{path} has ABI {abi}, this package needs {ABI}: install library and package of one version of prfarm "
            "(pip install ./common/python)",
        )
    for name, (result, arguments) in FUNCTIONS.items():
        try:
            function = getattr(handle, name)
        except AttributeError:
            raise Error(3, f"{path} has no {name}: it is older than this package; install both of one version") from None
        function.restype = result
        function.argtypes = arguments
    return handle, path


def library() -> ctypes.CDLL:
    return _loaded()[0]


def library_path() -> str:
    """The library that is in use, as it was found."""
    return _loaded()[1]


def library_version() -> str:
    """Version of the library that is in use."""
    return text(library().prfarm_version())


def text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")


def call(name: str, *arguments: Any) -> None:
    """Calls a function that ends with `char *error`; raises Error with its sentence."""
    buffer = ctypes.create_string_buffer(ERROR_BYTES)
    code = int(getattr(library(), name)(*arguments, buffer))
    if code:
        raise Error(code, text(buffer.value))

