# SPDX-License-Identifier: Apache-2.0
"""What the tests of the Python package share. tests/library/python starts them, and has a campaign run before: these are its results."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
LIBRARY = os.environ["PRFARM_LIBRARY"]
PROGRAM = os.environ["PRFARM_PROGRAM"]
RUN = pathlib.Path(os.environ["PRFARM_TEST_RUN"])
MODEL = RUN / "models" / "vta.prfm"
BOARDS = json.loads((RUN / "summary.json").read_text())["boards"]
VALIDATED = {board["kind"]: board["validation"]["count"] for board in BOARDS}
NETWORK = SOURCE / "docs" / "examples" / "networks" / "resnet18.onnx"
COMPILER = shutil.which(os.environ.get("CC", "cc"))

needs_compiler = unittest.skipUnless(COMPILER, "SKIPPED: there is no C compiler")


def needs(module):
    """Skips a test, loudly, where a module that the package can do without is missing."""
    try:
        __import__(module)
    except ImportError:
        return unittest.skip(f"SKIPPED: there is no {module} for {sys.executable}")
    return lambda test: test


def prfarm(*words):
    return subprocess.run([PROGRAM, *map(str, words)], check=True, capture_output=True, text=True).stdout


def compile_c(source, out, *flags):
    subprocess.run([COMPILER, "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", str(source), "-o", str(out), *flags], check=True)
    return out
