# SPDX-License-Identifier: Apache-2.0
"""What `prfarm export` and the package write has the columns that docs/export.md promises, in files of every kind."""

import contextlib
import io
import json
import os
import pathlib
import re
import tempfile
import unittest
from unittest import mock

import prfarm.export
from python_setup import RUN, SOURCE, VALIDATED, needs
from python_setup import prfarm as program


def documented():
    """table -> column -> (type, unit), of the document."""
    text = (SOURCE / "docs" / "export.md").read_text()
    tables, heading = {}, ""
    for line in text.splitlines():
        if line.startswith("## "):
            heading = line[3:]
        cells = [cell.strip() for cell in line.split("|")]
        if heading and len(cells) >= 5 and cells[1].startswith("`"):
            for name in re.findall(r"`([a-z_0-9]+)`", cells[1]):
                tables.setdefault(heading, {})[name] = (cells[2], cells[3])
    common = tables.pop("All tables")
    return {table: {**common, **columns} for table, columns in tables.items()}


class Tables(unittest.TestCase):
    def test_files_and_package_have_the_columns_of_the_document(self):
        promised = documented()
        self.assertEqual(set(promised), set(prfarm.export.SCHEMAS))
        for table, columns in promised.items():
            header = program("export", table, "--dir", RUN).splitlines()[0].split(",")
            self.assertEqual(sorted(header), sorted(columns), table)
            schema = {column.name: (column.type, column.unit) for column in prfarm.export.SCHEMAS[table]}
            self.assertEqual(schema, columns, table)

    def test_json_lines_have_the_same_columns_with_parameters_apart(self):
        for table, columns in documented().items():
            rows = [json.loads(line) for line in program("export", table, "--dir", RUN, "--json").splitlines()]
            self.assertGreater(len(rows), 9, table)
            for row in rows:
                self.assertLessEqual(set(row) - {"params"}, set(columns), table)
                self.assertLessEqual(set(row["params"]), set(columns), table)
            if table == "evaluation":
                self.assertEqual(len(rows), sum(VALIDATED.values()))
                self.assertTrue(all(isinstance(row["repeats_ns"], list) for row in rows))

    @needs("pandas")
    def test_a_frame_has_the_types_of_the_columns(self):
        frame = prfarm.export.read(dir=RUN)
        self.assertEqual(len(frame), len(program("export", "--dir", RUN).splitlines()) - 1)
        self.assertEqual(str(frame.dtypes["latency_ns"]), "float64")
        self.assertEqual(str(frame.dtypes["c"]), "Int64")
        self.assertEqual(str(frame.dtypes["duplicate"]), "boolean")
        self.assertTrue((frame.latency_ns > 0).all())
        fc = frame[frame.layer == "fc"]
        self.assertTrue(fc["in"].notna().all() and fc["k"].isna().all())
        self.assertFalse(frame.error.isna().any())
        self.assertEqual(len(prfarm.export.read("evaluation", dir=RUN, campaign="library")), sum(VALIDATED.values()))

    @needs("pandas")
    def test_mistakes_are_told(self):
        for words, because in (
            ({"table": "rows"}, "there is no table 'rows': use one of results, sweeps, evaluation"),
            ({"dir": "/nowhere"}, "/nowhere"),
            ({"dir": RUN, "campaign": "none"}, "none"),
        ):
            with self.assertRaises(prfarm.Error) as caught:
                prfarm.export.read(**words)
            self.assertIn(because, str(caught.exception))
        with self.assertRaises(prfarm.Error) as caught:
            prfarm.export.from_csv("campaign,kind,speed\n", "sweeps")
        self.assertIn("other columns than this package knows", str(caught.exception))
        with mock.patch.dict(os.environ, {"PATH": "/nowhere"}), mock.patch.dict(os.environ):
            del os.environ["PRFARM_PROGRAM"]
            with self.assertRaises(prfarm.Error) as caught:
                prfarm.export.read(dir=RUN)
        self.assertIn("the prfarm program is not here", str(caught.exception))

    def write(self, table, path):
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            code = prfarm.export.main([table, "--dir", str(RUN), "--out", str(path)])
        self.assertEqual(code, 0, said.getvalue())
        self.assertIn(f" rows of {table} in {path}", said.getvalue())

    @needs("pandas")
    @needs("pyarrow")
    def test_parquet_and_arrow_keep_types_units_and_rows(self):
        import pyarrow.feather
        import pyarrow.parquet

        with tempfile.TemporaryDirectory() as folder:
            for table, columns in documented().items():
                frame = prfarm.export.read(table, dir=RUN)
                for ending, read in ((".parquet", pyarrow.parquet.read_table), (".arrow", pyarrow.feather.read_table)):
                    path = pathlib.Path(folder, table + ending)
                    self.write(table, path)
                    stored = read(path)
                    self.assertEqual(sorted(stored.column_names), sorted(columns))
                    self.assertEqual(stored.num_rows, len(frame))
                    units = {f.name: (f.metadata or {}).get(b"unit", b"").decode() for f in stored.schema}
                    self.assertEqual(units, {name: unit for name, (_, unit) in columns.items()})
                    name = "latency_ns" if "latency_ns" in columns else "estimated_ns"
                    self.assertEqual(stored[name].to_pylist(), frame[name].tolist())
            lists = pyarrow.parquet.read_table(pathlib.Path(folder, "evaluation.parquet"))["repeats_ns"].to_pylist()
            self.assertTrue(all(len(values) == 1 and values[0] > 0 for values in lists), lists)
            self.assertEqual(sorted(os.listdir(folder)), sorted(t + e for t in documented() for e in (".parquet", ".arrow")))

    @needs("pandas")
    def test_csv_by_the_package_reads_back_as_it_was(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "results.csv")
            self.write("results", path)
            again = prfarm.export.from_csv(path.read_text())
            self.assertTrue(again.equals(prfarm.export.read(dir=RUN)))
            with contextlib.redirect_stderr(io.StringIO()) as said:
                self.assertEqual(prfarm.export.main(["--dir", str(RUN), "--out", str(path) + ".xls"]), 2)
            self.assertIn("use a name that ends with .parquet", said.getvalue())


if __name__ == "__main__":
    unittest.main()
