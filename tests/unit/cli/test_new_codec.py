"""`metaprotocol new-codec`: each project passes its own suite as it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from metaprotocol.cli import app
from metaprotocol.cli._new_codec import KINDS, TEMPLATE

from .conftest import ROOT, Run, environment

NAMES = ["acorn", "w", "x9"]


def new(*arguments: str | Path) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["new-codec", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def test_a_python_project_passes_its_suite(tmp_path: Path) -> None:
    pytest.importorskip("metaprotocol.testing")
    code, told, _ = new("walnut", "--kind", "python", "--dir", tmp_path / "walnut")
    assert code == 0
    assert passed(tmp_path / "walnut") > 50
    listed = [line for line in told.splitlines() if line.startswith(str(tmp_path))]
    assert sorted(listed) == sorted(str(path) for path in (tmp_path / "walnut").rglob("*") if is_made(path))


def is_made(path: Path) -> bool:
    return path.is_file() and not {"__pycache__", ".pytest_cache"} & set(path.parts)


def passed(folder: Path) -> int:
    """How many tests of a project pass; all must."""
    paths = [str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--color=no"],
        cwd=folder,
        env={**environment(), "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    return int(done.stdout.splitlines()[-1].split()[0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_left_to_fill_in(kind: str, name: str, tmp_path: Path) -> None:
    assert new(name, "--kind", kind, "--dir", tmp_path)[0] == 0
    made = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"README.md", "ask.c2s.hex"} <= {path.name for path in made}
    for path in made:
        text = str(path.relative_to(tmp_path)) + path.read_text(encoding="utf-8")
        assert TEMPLATE["magic"] not in text, path
        assert name == TEMPLATE["name"] or TEMPLATE["name"] not in text.lower(), path
    assert (tmp_path / "README.md").read_text(encoding="utf-8").startswith(f"# {name}\n")


def test_two_new_codecs_do_not_look_alike(tmp_path: Path) -> None:
    fronts = set()
    for name in ("acorn", "almond", "ash"):
        new(name, "--kind", "python", "--dir", tmp_path / name)
        fronts.add((tmp_path / name / "samples" / "ask.c2s.hex").read_text()[:4])
    assert len(fronts) == 3


def test_what_exists_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    code, _, said = new("walnut", "--kind", "python", "--dir", tmp_path)
    assert code == 1
    assert f"nothing was written: {tmp_path / 'README.md'} exists already" in said.replace("\n", "")
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
    assert (tmp_path / "README.md").read_text() == "mine"


def test_the_folder_has_the_codecs_name_if_nobody_says_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, told, _ = new("walnut", "--kind", "python")
    assert code == 0
    assert (tmp_path / "walnut" / "walnut_codec.py").is_file()
    assert "next: cd walnut && " in told


@pytest.mark.parametrize("name", ["Acorn", "acorn codec", "acorn-codec", "9lives", "", "../acorn", "héllo"])
def test_names_that_cannot_be(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, said = new(name, "--kind", "python")
    assert code == 2
    assert "one lower-case word" in " ".join(said.split())
    assert list(tmp_path.iterdir()) == []


def test_names_that_are_taken(tmp_path: Path) -> None:
    code, _, said = new("dubbo", "--kind", "python", "--dir", tmp_path / "dubbo")
    assert code == 2
    assert "there is a codec called 'dubbo' already" in said


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, _, said = new("walnut", "--kind", "python", "--dir", tmp_path / "file" / "walnut")
    assert code == 1
    assert "Not a directory" in said


def test_the_kind_must_be_said(run: Run) -> None:
    assert run("new-codec", "walnut").returncode == 2
    assert run("new-codec", "walnut", "--kind", "cobol").returncode == 2
