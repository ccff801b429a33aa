"""Compiled plugins, made when a test first asks for them."""

from __future__ import annotations

import atexit
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import metaprotocol
from metaprotocol._native import NativeCodec, open_library

SOURCES = Path(__file__).parents[1] / "plugins"


@cache
def _folder() -> Path:
    folder = tempfile.TemporaryDirectory(prefix="metaprotocol-plugins-")
    atexit.register(folder.cleanup)
    return Path(folder.name)


@cache
def compiled(source: str | Path, *options: str) -> Path:
    """A C file of `tests/plugins`, or one given by its whole path, as a library of its own."""
    folder = Path(tempfile.mkdtemp(dir=_folder()))
    library = folder / f"{Path(source).stem}.so"
    command = ["cc", "-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    command += [f"-I{metaprotocol.get_include()}", *options, "-o", str(library), str(SOURCES / source)]
    subprocess.run(command, check=True, timeout=60)
    return library


@cache
def bad_codecs() -> dict[str, NativeCodec]:
    """All codecs of `bad_answers.c`, by the mistake each makes."""
    return {codec.name: codec for codec in open_library(compiled("bad_answers.c"))}
