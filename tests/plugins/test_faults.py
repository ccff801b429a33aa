"""Compiled plugins under the kit: their faults are found, and what is right passes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from kit.installed import PACKAGE, PYTEST_PLUGIN
from kit.plugins import compiled

from metaprotocol.testing import FuzzOptions, fuzz, replay

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    folder = tmp_path / "samples"
    folder.mkdir()
    (folder / "one.c2s.hex").write_text("46 01 04 03 aa bb cc")
    return folder


@pytest.mark.parametrize(
    ("fault", "kind", "name"), [(1, "over-read", "SIGSEGV"), (2, "crash", "SIGABRT"), (3, "hang", "")]
)
def test_a_fault_is_found(fault: int, kind: str, name: str, samples: Path, tmp_path: Path) -> None:
    library = compiled("faults.c", f"-DFAULT={fault}")
    options = FuzzOptions(
        codec=str(library), samples=samples, artifacts=tmp_path / "found", seconds=30, hang=0.5, first=True, minimise=1
    )
    [finding] = fuzz(options).findings
    assert (finding.kind, finding.alone) == (kind, True)
    assert name in finding.message
    assert finding.data.startswith(b"F")
    assert len(finding.data) <= 16
    assert finding.path is not None
    [again] = replay(options, finding.path)
    assert (again.kind, again.place) == (finding.kind, finding.place)


def test_nothing_is_found_where_nothing_is(samples: Path, tmp_path: Path) -> None:
    library = compiled("faults.c", "-DFAULT=0")
    report = fuzz(FuzzOptions(codec=str(library), samples=samples, artifacts=tmp_path / "found", seconds=2))
    assert report.findings == []
    assert report.progress.execs > 500


@pytest.mark.parametrize(("fault", "told"), [(0, ""), (1, "the verbs on sample one.c2s: SIGSEGV")])
def test_conformance(fault: int, told: str, samples: Path) -> None:
    if fault:
        # A body whose first byte says more than there is.
        (samples / "one.c2s.hex").write_text("46 01 04 ff aa bb cc")
    library = compiled("faults.c", f"-DFAULT={fault}")
    command = [sys.executable, "-m", "pytest", "-q", *PYTEST_PLUGIN, "-p", "no:cacheprovider"]
    command += ["--codec", str(library), "--samples", str(samples)]
    environ = {"PATH": "/usr/bin:/bin", "PYTHONPATH": PACKAGE}
    done = subprocess.run(
        command, cwd=samples.parent, env=environ, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == int(bool(fault)), done.stdout
    assert told in done.stdout
