"""`metaprotocol new-codec`: a project for a codec of one's own that passes its tests before a line is changed.

The templates are projects themselves, of a codec called acorn: what is written is the same with another name.
"""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

from rich.text import Text

import metaprotocol
from metaprotocol.cli._terminal import Failure, clean, output, usage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable

__all__ = ["KINDS", "run"]

KINDS = ("python",)
NAME = re.compile(r"[a-z][a-z0-9]*")
TEMPLATE = {"name": "acorn", "Name": "Acorn", "magic": "ac0f"}
"""What stands in the templates for the name, the name of a class, and the first two bytes of each message."""

NEXT = {"python": ["pip install -e '.[test]'", "pytest"]}
"""What to do in the new folder."""


def run(name: str, kind: str, folder: Path | None) -> None:
    """Write a project.

    Raises:
        Failure: If the name cannot be used, a file is there already, or one cannot be written.
    """
    _check(name)
    root = Path(name) if folder is None else folder
    values = _values(name)
    texts = {root / _fill(path, values): _fill(text, values) for path, text in _templates(kind)}
    present = sorted(str(path) for path in texts if path.exists() or path.is_symlink())
    if present:
        raise Failure(f"nothing was written: {', '.join(present)} exist{'s' if len(present) == 1 else ''} already")
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise Failure(f"{error.filename}: {error.strerror or error}") from None
    console = output()
    for path in texts:
        console.print(Text(clean(str(path))), soft_wrap=True)
    steps = [f"cd {root}", *NEXT[kind]]
    console.print()
    console.print(Text(clean("next: " + " && ".join(steps)), style="bold"), soft_wrap=True)


def _check(name: str) -> None:
    if not NAME.fullmatch(name):
        usage(f"{name!r} cannot be a codec's name: it is one lower-case word of letters and digits, such as acorn")
    if name in metaprotocol.list_codecs():
        usage(f"there is a codec called {name!r} already; choose another name")


def _values(name: str) -> dict[str, str]:
    # Made of the name, so that two new codecs do not take each other's streams for their own. No protocol that is
    # likely to be met begins with a byte from a0 to bf.
    check = crc32(name.encode())
    magic = bytes([0xA0 | check >> 8 & 0x1F, check & 0xFF])
    filled = {"name": name, "Name": name.capitalize(), "magic": magic.hex()}
    return {word: filled[what] for what, word in TEMPLATE.items()}


def _templates(kind: str) -> Iterator[tuple[str, str]]:
    """The files of a kind: path and text."""
    yield from _walk(files("metaprotocol.cli").joinpath("templates", kind), "")


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, str]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _walk(entry, f"{prefix}{entry.name}/")
        else:
            yield prefix + entry.name, entry.read_text(encoding="utf-8")


def _fill(text: str, values: dict[str, str]) -> str:
    return re.sub("|".join(TEMPLATE.values()), lambda found: values[found[0]], text)
