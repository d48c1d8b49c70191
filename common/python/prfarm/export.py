# SPDX-License-Identifier: Apache-2.0
"""What a farm knows, as pandas tables and as Parquet, Arrow or CSV files with types and units.

    frame = prfarm.export.read(dir="first")
    python -m prfarm.export results --dir first --out first.parquet

The `prfarm` program asks the farm or the run (it has the keys, and opens a run that is over); this gives its columns their types. SCHEMAS
says which columns there are; docs/export.md tells what they mean. Needs pandas; Parquet and Arrow need pyarrow, too."""

from __future__ import annotations

import argparse
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ._library import Error

if TYPE_CHECKING:
    import pandas
    import pyarrow


@dataclass(frozen=True)
class Column:
    """`type`: string, int, float, bool, or floats (several, in one string with spaces between). `unit`: "" where there is none."""

    name: str
    type: str
    unit: str = ""


_PARAMETERS = "n c k h w r s stride pad dilation groups f in out b m features fn".split()
_LAYER = [Column(name, "string") for name in ("layer", "dtype", "block")] + [Column(name, "int") for name in _PARAMETERS]
_WHOSE = [Column("campaign", "string"), Column("kind", "string")]

SCHEMAS: dict[str, list[Column]] = {
    "results": [
        Column("sequence", "int"),
        *_WHOSE,
        Column("board", "string"),
        Column("point", "string"),
        Column("attempt", "int"),
        Column("role", "string"),
        *_LAYER,
        Column("outcome", "string"),
        Column("latency_ns", "float", "ns"),
        Column("min_ns", "float", "ns"),
        Column("ci_percent", "float", "percent"),
        Column("repeats", "int"),
        Column("taint", "int"),
        Column("temperature_mc", "int", "thousandths of a degree Celsius"),
        Column("clock_khz", "int", "kHz"),
        Column("load_percent", "int", "percent"),
        Column("wall_ms", "int", "ms since 1970"),
        Column("busy_ns", "int", "ns"),
        Column("duplicate", "bool"),
        Column("error", "string"),
        Column("energy_nj", "float", "nJ"),
    ],
    "sweeps": [*_WHOSE, *_LAYER, Column("latency_ns", "float", "ns")],
    "evaluation": [
        *_WHOSE,
        Column("model_version", "int"),
        *_LAYER,
        Column("measured_ns", "float", "ns"),
        Column("repeats_ns", "floats", "ns"),
        Column("estimated_ns", "float", "ns"),
        Column("low_ns", "float", "ns"),
        Column("high_ns", "float", "ns"),
        Column("outside", "bool"),
    ],
}

_PANDAS = {"string": "string", "int": "Int64", "float": "float64", "bool": "boolean", "floats": "string"}


def from_csv(text: str, table: str = "results") -> pandas.DataFrame:
    """What `prfarm export` wrote as CSV, with each column's type. Columns that are not in the schema are refused: they would come from
    another version."""
    import pandas

    schema = SCHEMAS[table]
    frame = pandas.read_csv(
        io.StringIO(text), dtype={c.name: _PANDAS[c.type] for c in schema}, keep_default_na=False, na_values=[""]
    )
    names = [column.name for column in schema]
    if list(frame.columns) != names:
        odd = sorted(set(frame.columns) ^ set(names))
        raise Error(3, f"{table}: other columns than this package knows ({', '.join(odd)}): install both of one version of prfarm")
    for column in schema:
        if column.type == "string":
            frame[column.name] = frame[column.name].fillna("")
    return frame


def _program() -> str:
    program = os.environ.get("PRFARM_PROGRAM") or shutil.which("prfarm")
    if not program:
        raise Error(4, "the prfarm program is not here: put it on PATH, or set PRFARM_PROGRAM to its path")
    return program


def read(
    table: str = "results",
    *,
    dir: str | os.PathLike[str] | None = None,
    farm: str | None = None,
    campaign: str | None = None,
    arguments: Sequence[str] = (),
) -> pandas.DataFrame:
    """A table of SCHEMAS from a run's folder or a farm. `arguments`: more options of `prfarm export`, such as --key."""
    if table not in SCHEMAS:
        raise Error(3, f"there is no table '{table}': use one of {', '.join(SCHEMAS)}")
    command = [_program(), "export", table, *arguments]
    for option, value in (("--dir", dir), ("--farm", farm), ("--campaign", campaign)):
        if value is not None:
            command += [option, os.fspath(value)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", errors="replace", check=False)
    except OSError as error:
        raise Error(7, f"{command[0]}: {error.strerror}") from None
    if done.returncode:
        raise Error(done.returncode, done.stderr.strip() or f"{command[0]} ended with {done.returncode}")
    return from_csv(done.stdout, table)


def to_arrow(frame: pandas.DataFrame, table: str = "results") -> pyarrow.Table:
    """The frame with each column's type, and its unit in the field's metadata."""
    import pyarrow

    types = {
        "string": pyarrow.string(),
        "int": pyarrow.int64(),
        "float": pyarrow.float64(),
        "bool": pyarrow.bool_(),
        "floats": pyarrow.list_(pyarrow.float64()),
    }
    arrays, fields = [], []
    for column in SCHEMAS[table]:
        values = frame[column.name]
        if column.type == "floats":
            lists = [[float(word) for word in str(text).split()] if text is not None else None for text in values.astype(object)]
            arrays.append(pyarrow.array(lists, types["floats"]))
        else:
            arrays.append(pyarrow.Array.from_pandas(values, type=types[column.type]))
        fields.append(pyarrow.field(column.name, types[column.type], metadata={"unit": column.unit} if column.unit else None))
    return pyarrow.Table.from_arrays(arrays, schema=pyarrow.schema(fields, metadata={"prfarm_table": table}))


def write(frame: pandas.DataFrame, path: str | os.PathLike[str], table: str = "results") -> None:
    """A file of the kind that its name ends with: .parquet, .arrow or .feather, .csv. It appears whole or not at all."""
    target = os.fspath(path)
    ending = os.path.splitext(target)[1]
    part = f"{target}.tmp-{os.getpid()}"
    try:
        if ending == ".csv":
            frame.to_csv(part, index=False)
        elif ending == ".parquet":
            import pyarrow.parquet

            pyarrow.parquet.write_table(to_arrow(frame, table), part)
        elif ending in (".arrow", ".feather"):
            import pyarrow.feather

            pyarrow.feather.write_feather(to_arrow(frame, table), part)
        else:
            raise Error(2, f"{target}: use a name that ends with .parquet, .arrow, .feather or .csv")
        os.replace(part, target)
    finally:
        if os.path.exists(part):
            os.unlink(part)


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m prfarm.export", description="Writes what a farm knows as Parquet, Arrow or CSV.")
    parser.add_argument("table", nargs="?", default="results", choices=list(SCHEMAS))
    parser.add_argument("--dir", help="the run in this folder")
    parser.add_argument("--farm", help="the farm at this address")
    parser.add_argument("--campaign", help="only this campaign (default: all)")
    parser.add_argument("--out", required=True, help="file to write: NAME.parquet, NAME.arrow, NAME.feather or NAME.csv")
    given = parser.parse_args(words)
    try:
        frame = read(given.table, dir=given.dir, farm=given.farm, campaign=given.campaign)
        write(frame, given.out, given.table)
    except (Error, OSError, ImportError) as error:
        print(f"prfarm.export: {error}", file=sys.stderr)
        return error.code if isinstance(error, Error) else 6 if isinstance(error, ImportError) else 7
    print(f"{len(frame)} rows of {given.table} in {given.out}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
