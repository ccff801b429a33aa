"""Importing the package is quick, and its examples run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import metaprotocol

ROOT = Path(__file__).parents[2]
HEAVY = [
    "typer",
    "rich",
    "click",
    "importlib.metadata",
    "asyncio",
    "numpy",
    "pyarrow",
    "pandas",
    "polars",
    "socket",
    "pathlib",
]
# What import time goes by, and a busy machine does not change.
MOST_MODULES = 45


def test_an_import_brings_few_modules() -> None:
    script = "import sys; bare = set(sys.modules); import metaprotocol; print(*sorted(set(sys.modules) - bare))"
    told = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60).stdout
    assert "metaprotocol._native" in told.split()
    assert len(told.split()) <= MOST_MODULES, told


def test_heavy_modules_are_left_for_later() -> None:
    script = f"import sys, metaprotocol; print(*sorted(set({HEAVY}) & set(sys.modules)))"
    command = [sys.executable, "-c", script]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    assert told.split() == []


def test_looking_a_codec_up_reads_no_package_metadata() -> None:
    script = "import sys, metaprotocol; metaprotocol.get_codec('dubbo'); print('importlib.metadata' in sys.modules)"
    command = [sys.executable, "-c", script]
    assert subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout == "False\n"


MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(metaprotocol.__path__, "metaprotocol.")
    if not module.name.endswith("__main__")
)


@pytest.mark.parametrize("name", ["metaprotocol", *MODULES])
def test_examples_run(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.failed == 0


def test_there_are_examples() -> None:
    finder = doctest.DocTestFinder()
    modules = [importlib.import_module(name) for name in ("metaprotocol", "metaprotocol._registry")]
    assert sum(len(test.examples) for module in modules for test in finder.find(module)) >= 5
