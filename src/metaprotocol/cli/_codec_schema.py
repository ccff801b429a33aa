"""`metaprotocol codec schema`: the JSON Schema of descriptions, for editors."""

from __future__ import annotations

import sys
from importlib.resources import files
from typing import TYPE_CHECKING

from metaprotocol.cli._terminal import Failure

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["run"]


def run(out: Path | None) -> None:
    """Write the schema to a file, or to standard output.

    Raises:
        Failure: If the file cannot be written.
    """
    text = files("metaprotocol").joinpath("codec.schema.json").read_text(encoding="utf-8")
    if out is None:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failure(f"{out}: {error.strerror or error}") from None
