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
BUDGET_US = 60_000
RUNS = 7


def import_us() -> int:
    """What `import metaprotocol` adds to a bare Python, in microseconds, by Python's own account."""
    command = [sys.executable, "-X", "importtime", "-c", "import metaprotocol"]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stderr
    [line] = [line for line in told.splitlines() if line.split("|")[-1].strip() == "metaprotocol"]
    return int(line.split("|")[1])


def test_import_time() -> None:
    """The best of several runs: a busy machine makes runs slower, never quicker."""
    best = min(import_us() for _ in range(RUNS))
    assert best < BUDGET_US


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
