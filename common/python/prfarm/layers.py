# SPDX-License-Identifier: Apache-2.0
"""Layers: what kinds there are, how one is written, and many of them as arrays.

A layer is a text ("conv2d c=64 k=64 h=56 r=3 pad=1 + relu") or a mapping ({"kind": "conv2d", "c": 64, ..., "then": "relu"}). Many layers are
a sequence of those, or a table of parameters: a mapping of arrays, a pandas DataFrame, or a two-dimensional array with the names
of its columns. A table comes with a pattern, a layer's text with what all rows have in common."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from . import _library as lib

Layer = Union[str, Mapping[str, Any]]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Parameter:
    """A parameter of a kind of layer: its range, and its default (None: it must be given), a number or the name of the parameter
    whose value it takes."""

    name: str
    low: int
    high: int
    default: int | str | None


def _names(function: str) -> tuple[str, ...]:
    names: list[str] = []
    while (name := getattr(lib.library(), function)(len(names))) is not None:
        names.append(lib.text(name))
    return tuple(names)


def kinds() -> tuple[str, ...]:
    """Kinds of layers that can be written; a model knows some of them."""
    return _names("prfarm_layer_kind")


def dtypes() -> tuple[str, ...]:
    return _names("prfarm_dtype")


def activations() -> tuple[str, ...]:
    """Activations; the position is the parameter fn of an activation layer."""
    return _names("prfarm_activation")


def parameters(kind: str) -> tuple[Parameter, ...]:
    """The parameters of a kind, in their usual order."""
    found: list[Parameter] = []
    while pointer := lib.library().prfarm_layer_parameter(kind.encode(), len(found)):
        p = pointer.contents
        default = None if p.required else lib.text(p.like) if p.like else int(p.by_default)
        found.append(Parameter(lib.text(p.name), p.low, p.high, default))
    if not found:
        raise lib.Error(4, f"unknown layer kind '{kind}': use one of {', '.join(kinds())}")
    return tuple(found)


def _written(layer: Layer) -> str:
    """A mapping's text. "kind" names the kind, "dtype" the data type, "then" what follows in the block: texts of its layers."""
    if isinstance(layer, str):
        return layer
    rest = dict(layer)
    try:
        words = [str(rest.pop("kind"))]
    except KeyError:
        raise lib.Error(3, f"a layer needs its \"kind\", one of {', '.join(kinds())}") from None
    dtype, then = rest.pop("dtype", None), rest.pop("then", ())
    words += [f"{name}={value}" for name, value in rest.items()]
    for follower in [then] if isinstance(then, str) else then:
        words += ["+", _written(follower)]
    return " ".join(words + ([f"dtype={dtype}"] if dtype is not None else []))


def parse(layer: Layer, into: lib.LayerStruct) -> None:
    lib.call("prfarm_layer_parse", ctypes.byref(into), _written(layer).encode())


def layer_text(layer: Layer) -> str:
    """The layer with every parameter, in canonical order: equal layers have equal texts."""
    parsed = lib.LayerStruct()
    parse(layer, parsed)
    buffer = ctypes.create_string_buffer(lib.TEXT_BYTES)
    lib.library().prfarm_layer_format(ctypes.byref(parsed), buffer, lib.TEXT_BYTES)
    return lib.text(buffer.value)


def macs(layer: Layer) -> float:
    """Multiply-accumulates of the layer, biases not counted."""
    parsed = lib.LayerStruct()
    parse(layer, parsed)
    return float(lib.library().prfarm_layer_macs(ctypes.byref(parsed)))


class Table:
    """Rows of parameters as the library takes them. Holds the memory that `struct` points to."""

    def __init__(self, table: Any, columns: Sequence[str] | None) -> None:
        names, values = _columns(table, columns)
        self.rows = len(values)
        self._values = values
        self._names = (ctypes.c_char_p * max(1, len(names)))(*[name.encode() for name in names])
        itemsize = values.itemsize
        self.struct = lib.MatrixStruct(
            values.ctypes.data, values.strides[0] // itemsize, values.strides[1] // itemsize, self.rows, len(names), self._names
        )


def _whole(name: str, values: Any) -> npt.NDArray[np.int64]:
    """Integers, or numbers that are; NaN and 2.5 are no parameters."""
    array = np.asarray(values)
    if array.dtype.kind in "iu":
        return array.astype(np.int64, copy=False)
    try:
        numbers = array.astype(np.float64)
    except (TypeError, ValueError):
        raise lib.Error(3, f"column '{name}' holds something else than numbers: use whole numbers") from None
    wrong = np.flatnonzero(~(np.floor(numbers) == numbers) | ~(np.abs(numbers) < 2.0**62))
    if wrong.size:
        raise lib.Error(3, f"row {wrong[0]}: {name} = {numbers[wrong[0]]}: use a whole number")
    return numbers.astype(np.int64)


def _columns(table: Any, columns: Sequence[str] | None) -> tuple[list[str], npt.NDArray[np.int64]]:
    if isinstance(table, np.ndarray) and table.ndim == 2:
        if columns is None or len(columns) != table.shape[1]:
            raise lib.Error(3, f"an array of {table.shape[1]} columns needs their names: columns=[\"c\", \"k\", ...]")
        if table.dtype == np.int64 and all(stride % table.itemsize == 0 for stride in table.strides):
            return list(columns), table  # as it lies there, by rows or by columns
        parts = [_whole(name, table[:, i]) for i, name in enumerate(columns)]
    else:
        wanted = list(columns) if columns is not None else [str(name) for name in table.keys()]
        parts = [np.atleast_1d(_whole(name, table[name])) for name in wanted]
        columns = wanted
    if any(part.ndim != 1 for part in parts):
        raise lib.Error(3, "a table's columns are arrays of one dimension")
    try:
        spread = np.broadcast_arrays(*parts) if parts else []
    except ValueError:
        lengths = ", ".join(f"{name}: {len(part)}" for name, part in zip(columns, parts))
        raise lib.Error(3, f"columns of different lengths ({lengths})") from None
    values = np.column_stack(spread) if spread else np.empty((0, 0), np.int64)
    return list(columns), np.ascontiguousarray(values, np.int64)


def is_table(layers: Any) -> bool:
    """Arrays or a DataFrame, as opposed to a sequence of layers."""
    return isinstance(layers, Mapping) or (isinstance(layers, np.ndarray) and layers.ndim == 2) or hasattr(layers, "columns")


def macs_many(table: Any, pattern: str, columns: Sequence[str] | None = None) -> Floats:
    """Multiply-accumulates of each row of a table."""
    rows = Table(table, columns)
    out = np.empty(rows.rows)
    lib.call("prfarm_macs_matrix", pattern.encode(), ctypes.byref(rows.struct), out.ctypes.data)
    return out
