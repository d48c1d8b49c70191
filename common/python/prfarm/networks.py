# SPDX-License-Identifier: Apache-2.0
"""Networks: an ONNX file as the blocks that a board executes as one."""

from __future__ import annotations

import ctypes
import os
import weakref
from dataclasses import dataclass
from typing import Union

from . import _library as lib


@dataclass(frozen=True)
class Block:
    """A block: its node's name, its kind ("conv2d+relu"), its text with every parameter, its multiply-accumulates."""

    name: str
    kind: str
    text: str
    macs: float


@dataclass(frozen=True)
class Note:
    """An operator that became no block of its own, and what was done about it. `unknown`: it takes time that is in no total."""

    op: str
    name: str
    treatment: str
    unknown: bool


class Network:
    """The blocks of an ONNX file, in the order of execution. Immutable; any number of threads may use one."""

    def __init__(self, handle: ctypes.c_void_p) -> None:
        self._handle = handle
        weakref.finalize(self, lib.library().prfarm_network_free, handle)
        get = lib.library().prfarm_network_get_block
        blocks: list[Block] = []
        notes: list[Note] = []
        for i in range(lib.library().prfarm_network_blocks(handle)):
            b = get(handle, i).contents
            blocks.append(Block(lib.text(b.name), lib.text(b.kind), lib.text(b.text), b.macs))
        while pointer := lib.library().prfarm_network_get_note(handle, len(notes)):
            n = pointer.contents
            notes.append(Note(lib.text(n.op), lib.text(n.name), lib.text(n.treatment), bool(n.unknown)))
        self.name = lib.text(lib.library().prfarm_network_name(handle))
        self.macs = float(lib.library().prfarm_network_macs(handle))
        self.blocks = tuple(blocks)
        self.notes = tuple(notes)

    @classmethod
    def load(
        cls, source: Union[str, os.PathLike[str], bytes], dtype: str = "f32", batch: int = 1, name: str = "network"
    ) -> Network:
        """Reads an ONNX file, or its bytes (then `name` is what it is called). A batch dimension left open becomes `batch`."""
        handle = ctypes.c_void_p()
        if isinstance(source, bytes):
            lib.call(
                "prfarm_network_decode", ctypes.byref(handle), source, len(source), name.encode(), dtype.encode(), batch
            )
        else:
            lib.call("prfarm_network_load", ctypes.byref(handle), os.fsencode(source), dtype.encode(), batch)
        return cls(handle)

    def __len__(self) -> int:
        return len(self.blocks)

    def __repr__(self) -> str:
        return f"<Network {self.name}: {len(self)} blocks, {self.macs:.0f} MACs>"
