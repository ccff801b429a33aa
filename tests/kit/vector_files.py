"""Writes the vectors of a codec. Each `codecs/NAME/vectors/make.py` states them; `make vectors` runs all.

A vector is `NNN-name.bin`, the bytes of one direction of a connection, and `NNN-name.json`:

    origin     where the bytes come from
    direction  client_to_server or server_to_client
    frames     what a decoder must give: kind, request_id, header_len, frame_len, and every field of the frame
    error      the code and the stream offset of the error behind the frames, if there is one
    missing    how many bytes the frame under way needs at least, if the bytes end within one

The expectations are written down by hand from the description of the protocol; no decoder makes them. This module needs
nothing but Python.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

COMPUTED = "computed by hand from the protocol's description"
CLIENT, SERVER = "client_to_server", "server_to_client"

Expected = dict[str, object]


def frame(kind: str, request_id: int | None, header_len: int, frame_len: int, fields: Mapping[str, object]) -> Expected:
    """What a decoder must give for one frame.

    Negative ids are those of 64 bits that they are extended to; None is for frames without an id.
    """
    return {
        "kind": kind,
        "request_id": None if request_id is None else request_id % 2**64,
        "header_len": header_len,
        "frame_len": frame_len,
        "fields": fields,
    }


class Vectors:
    """Writes vectors into a folder, numbered in the order they come."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0
        for old in (*folder.glob("[0-9]*.bin"), *folder.glob("[0-9]*.json")):
            old.unlink()

    def add(
        self,
        name: str,
        data: bytes,
        *frames: Expected,
        origin: str = COMPUTED,
        direction: str = CLIENT,
        error: tuple[str, int] | None = None,
        missing: int = 0,
    ) -> None:
        """Writes one vector and what is expected of it."""
        self.count += 1
        expected: Expected = {"origin": origin, "direction": direction, "frames": list(frames)}
        if error:
            expected["error"] = {"code": error[0], "offset": error[1]}
        if missing:
            expected["missing"] = missing
        stem = self.folder / f"{self.count:03}-{name}"
        stem.with_suffix(".bin").write_bytes(data)
        told = json.dumps(expected, indent=2, ensure_ascii=False) + "\n"
        stem.with_suffix(".json").write_text(told, encoding="utf-8")


def main(make: Callable[[Vectors], None]) -> None:
    """Makes the vectors of the folder that the program being run lies in."""
    make(Vectors(Path(sys.argv[0]).parent))
