# SPDX-License-Identifier: Apache-2.0
"""Models: what a board takes for a layer, for many, for a network; and what a model knows of itself."""

from __future__ import annotations

import ctypes
import os
import weakref
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Union

import numpy as np
import numpy.typing as npt

from . import _library as lib
from .layers import Floats, Layer, Table, is_table, parse
from .networks import Network

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Estimate:
    """Latency of one layer, its 90 % interval, and whether it lies outside of what the model was trained on."""

    latency_ns: float
    low_ns: float
    high_ns: float
    outside: bool


@dataclass(frozen=True)
class Estimates:
    """The same of many, an array each; NaN where the model does not cover a layer."""

    latency_ns: Floats
    low_ns: Floats
    high_ns: Floats
    outside: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.latency_ns)

    @property
    def covered(self) -> npt.NDArray[np.bool_]:
        return ~np.isnan(self.latency_ns)

    def to_pandas(self) -> pandas.DataFrame:
        import pandas

        return pandas.DataFrame(
            {"latency_ns": self.latency_ns, "low_ns": self.low_ns, "high_ns": self.high_ns, "outside": self.outside}
        )


@dataclass(frozen=True)
class NetworkEstimate:
    """Latency of a network: of the blocks that the model covers, and between them. `why` tells for each block why it is not covered,
    "" where it is."""

    network: Network
    latency_ns: float
    low_ns: float
    high_ns: float
    covered: int
    outside: int
    blocks: Estimates
    why: tuple[str, ...]

    def to_pandas(self) -> pandas.DataFrame:
        """A row a block: name, kind, block (its text), macs, latency_ns, low_ns, high_ns, outside, why."""
        import pandas

        described = pandas.DataFrame([asdict(block) for block in self.network.blocks]).rename(columns={"text": "block"})
        return described[["name", "kind", "block", "macs"]].join(self.blocks.to_pandas()).assign(why=self.why)


@dataclass(frozen=True)
class ModelFacts:
    """Where a model comes from, and how good it is on layers that it was not trained on; percentages, NaN where nobody measured.
    `digest` names this version of it."""

    board: str
    digest: str
    campaign: str
    fingerprint: str
    began_with: str
    seed: int
    samples: int
    sweep_samples: int
    validated: int
    mape_percent: float
    rmspe_percent: float
    median_percent: float
    r2: float
    spearman: float
    within_5_percent: float
    within_10_percent: float
    repeatability_percent: float
    random_baseline_percent: float
    between_ns: float


@dataclass(frozen=True)
class ModelParameter:
    """A parameter that varied in training: its range, and its step width (1: no steps) with the confidence in it, 0 to 1."""

    name: str
    low: int
    high: int
    step_width: int
    step_confidence: float


@dataclass(frozen=True)
class ModelLayer:
    """What a model knows about one kind of layer and data type."""

    kind: str
    dtype: str
    regressor: str
    mapped: bool
    samples: int
    validated: int
    mape_percent: float
    rmspe_percent: float
    median_percent: float
    r2: float
    spearman: float
    within_5_percent: float
    within_10_percent: float
    parameters: tuple[ModelParameter, ...]


def _plain(struct: ctypes.Structure) -> dict[str, Any]:
    values = {name: getattr(struct, name) for name, *_ in struct._fields_}
    return {name: value if isinstance(value, (int, float)) else lib.text(value) for name, value in values.items()}


def _room(count: int) -> tuple[Estimates, lib.EstimatesStruct]:
    latency, low, high = np.empty(count), np.empty(count), np.empty(count)
    outside = np.zeros(count, np.bool_)
    struct = lib.EstimatesStruct(latency.ctypes.data, low.ctypes.data, high.ctypes.data, outside.ctypes.data)
    return Estimates(latency, low, high, outside), struct


class Model:
    """The latency model of one kind of board. Immutable; any number of threads may ask one at once."""

    def __init__(self, handle: ctypes.c_void_p, owner: Model | None = None) -> None:
        self._handle = handle
        self._owner = owner  # that frees the handle, and lives as long as this
        if owner is None:
            weakref.finalize(self, lib.library().prfarm_model_free, handle)
        self.facts = ModelFacts(**_plain(lib.library().prfarm_model_get_facts(handle).contents))
        self.layers = self._read_layers()

    @classmethod
    def load(cls, source: Union[str, os.PathLike[str], bytes]) -> Model:
        """Reads a model file, or its bytes."""
        handle = ctypes.c_void_p()
        if isinstance(source, bytes):
            lib.call("prfarm_model_decode", ctypes.byref(handle), source, len(source))
        else:
            lib.call("prfarm_model_load", ctypes.byref(handle), os.fsencode(source))
        return cls(handle)

    def _read_layers(self) -> tuple[ModelLayer, ...]:
        layers: list[ModelLayer] = []
        while pointer := lib.library().prfarm_model_get_layer(self._handle, len(layers)):
            varied: list[ModelParameter] = []
            get = lib.library().prfarm_model_get_parameter
            while parameter := get(self._handle, len(layers), len(varied)):
                varied.append(ModelParameter(**_plain(parameter.contents)))
            known = _plain(pointer.contents)
            known["mapped"] = bool(known["mapped"])
            layers.append(ModelLayer(**known, parameters=tuple(varied)))
        return tuple(layers)

    @property
    def board(self) -> str:
        return self.facts.board

    @property
    def energy(self) -> Model | None:
        """What the model knows of the energy of the same layers, as a model that answers in nanojoules wherever a name says
        nanoseconds. None: no energy was measured, or too little."""
        handle = lib.library().prfarm_model_energy(self._handle)
        return Model(ctypes.c_void_p(handle), owner=self) if handle else None

    def __repr__(self) -> str:
        return f"<Model of {self.board}: {', '.join(f'{layer.kind} {layer.dtype}' for layer in self.layers)}>"

    def estimate(self, layer: Layer) -> Estimate:
        """One layer or block, a text or a mapping. Raises Error (code 6) when the model does not know it."""
        parsed, out = lib.LayerStruct(), lib.EstimateStruct()
        parse(layer, parsed)
        lib.call("prfarm_estimate_layer", self._handle, ctypes.byref(parsed), ctypes.byref(out))
        return Estimate(out.latency_ns, out.low_ns, out.high_ns, bool(out.outside))

    def estimate_many(self, layers: Any, pattern: str | None = None, columns: Sequence[str] | None = None) -> Estimates:
        """Many layers in one call: a sequence of layers, or a table with a pattern.

        model.estimate_many(["fc in=9 out=4", {"kind": "fc", "in": 9, "out": 5}])
        model.estimate_many({"c": c, "k": k}, pattern="conv2d h=56 r=3 pad=1 + relu")
        model.estimate_many(frame, pattern="conv2d r=3", columns=["c", "k", "h"])

        A table without texts takes a fraction of the time. A row that is no possible layer raises Error and is named in it."""
        if is_table(layers):
            if pattern is None:
                raise lib.Error(3, 'a table of parameters needs a pattern, as in pattern="conv2d r=3 pad=1"')
            table = Table(layers, columns)
            out, struct = _room(table.rows)
            lib.call(
                "prfarm_estimate_matrix",
                self._handle,
                pattern.encode(),
                ctypes.byref(table.struct),
                ctypes.byref(struct),
                None,
            )
            return out
        if pattern is not None:
            raise lib.Error(3, "a pattern goes with a table of parameters, not with single layers")
        parsed = (lib.LayerStruct * len(layers))()
        for i, layer in enumerate(layers):
            try:
                parse(layer, parsed[i])
            except lib.Error as error:
                raise lib.Error(error.code, f"layer {i}: {error}") from None
        out, struct = _room(len(layers))
        lib.library().prfarm_estimate_layers(self._handle, parsed, len(layers), ctypes.byref(struct))
        return out

    def estimate_network(self, network: Network) -> NetworkEstimate:
        """A network, and each of its blocks."""
        blocks, struct = _room(len(network))
        out = lib.EstimateStruct()
        lib.call(
            "prfarm_estimate_network_blocks",
            self._handle,
            network._handle,
            ctypes.byref(out),
            ctypes.byref(struct),
        )
        why = tuple("" if known else self._why_not(network, i) for i, known in enumerate(blocks.covered))
        return NetworkEstimate(network, out.latency_ns, out.low_ns, out.high_ns, out.covered, out.outside, blocks, why)

    def _why_not(self, network: Network, index: int) -> str:
        block = lib.library().prfarm_network_get_block(network._handle, index).contents
        try:
            lib.call("prfarm_estimate_layer", self._handle, block.layer, ctypes.byref(lib.EstimateStruct()))
        except lib.Error as error:
            return str(error)
        return ""
