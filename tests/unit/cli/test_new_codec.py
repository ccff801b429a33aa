"""`metaprotocol new-codec`: each project passes its own suite as it is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from interop.running import unavailable
from typer.testing import CliRunner

import metaprotocol
from metaprotocol.cli import app
from metaprotocol.cli._new_codec import KINDS, TEMPLATE

from .conftest import ROOT, Run, environment

NAMES = ["acorn", "w", "x9"]
ENVIRONMENT = {**environment(), "PYTHONPATH": os.pathsep.join([str(Path(metaprotocol.__file__).parents[1])])}
"""Of programs that see the package which is tested, installed or not."""


def new(*arguments: str | Path) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["new-codec", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.timeout(300)
def test_a_project_passes_its_suite_as_it_is(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "walnut"
    code, told, _ = new("walnut", "--kind", kind, "--dir", folder)
    assert code == 0
    listed = [line for line in told.splitlines() if line.startswith(str(tmp_path))]
    assert sorted(listed) == sorted(str(path) for path in folder.rglob("*") if path.is_file())
    assert not any(path.is_symlink() for path in folder.rglob("*"))
    build(kind, folder)
    assert passed(folder) > 50


def build(kind: str, folder: Path) -> None:
    """Compile a project in place, as its README says but for the installation."""
    if kind == "cython":
        command = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
    elif kind == "rust":
        if shutil.which("cargo") is None:
            unavailable("cargo not found: install Rust to build what new-codec writes")
        command = ["cargo", "build", "--release", "--quiet"]
    else:
        return
    # Unoptimised: it is what the codec does that counts here, and the compiler takes its time.
    environ = {
        **ENVIRONMENT,
        "CFLAGS": "-O0",
        "CARGO_PROFILE_RELEASE_LTO": "off",
        "CARGO_PROFILE_RELEASE_OPT_LEVEL": "0",
    }
    done = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, encoding="utf-8", check=False, timeout=250
    )
    assert done.returncode == 0, done.stdout + done.stderr


def passed(folder: Path) -> int:
    """How many tests of a project pass; all must."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--color=no"],
        cwd=folder,
        env=ENVIRONMENT,
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
        if path.is_relative_to(tmp_path / "vendor"):
            continue
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


def test_a_rust_project_brings_the_sources_of_this_package(tmp_path: Path) -> None:
    assert new("walnut", "--kind", "rust", "--dir", tmp_path)[0] == 0
    workspace = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]
    for crate, folder in (("metaprotocol-core", "core"), ("metaprotocol-plugin-sdk", "plugin-sdk")):
        source, copy = ROOT / "native" / folder, tmp_path / "vendor" / crate
        for path in (source / "src").rglob("*.rs"):
            assert (copy / path.relative_to(source)).read_bytes() == path.read_bytes()
        theirs = tomllib.loads((source / "Cargo.toml").read_text())
        ours = tomllib.loads((copy / "Cargo.toml").read_text())
        assert sorted(ours["dependencies"]) == sorted(theirs["dependencies"])
        assert ours["dependencies"].get("foldhash") == theirs["dependencies"].get("foldhash")
        assert {key: ours["package"][key] for key in workspace} == workspace


def test_the_kind_must_be_said(run: Run) -> None:
    assert run("new-codec", "walnut").returncode == 2
    assert run("new-codec", "walnut", "--kind", "cobol").returncode == 2
