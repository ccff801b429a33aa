"""Plugins that tests compile."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import metaprotocol

HERE = Path(__file__).resolve().parent
Compile = Callable[..., Path]


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compile:
    """Compiles a C file of this folder, or one given by its whole path, into a library of its own."""

    def compile_(source: str | Path, *options: str) -> Path:
        library = tmp_path_factory.mktemp("plugin") / f"{Path(source).stem}.so"
        command = ["cc", "-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
        command += [f"-I{metaprotocol.get_include()}", *options, "-o", str(library), str(HERE / source)]
        subprocess.run(command, check=True, timeout=60)
        return library

    return compile_
