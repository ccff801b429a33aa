"""The vectors of all codecs: bytes of one direction of a connection, and what must be found in them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metaprotocol import Direction

CODECS = Path(__file__).parents[2] / "codecs"

UNMARKED = {"awesomerpc", "kafka", "nova", "qza", "trpc", "videopacket", "zork"}
"""Protocols whose bytes do not say which way a frame goes: the same ones are a request or a response."""

UNTOLD = {"hulu 006-response-without-a-code"}
"""Vectors of other protocols of which the same is true: a response that leaves out all that requests have not."""

TOGETHER = {"kafka 018-sasl-0-and-its-tokens"}
"""Vectors whose frames are what they are by those before them."""

LACKS = {
    "awesomerpc": {"oneway", "bad_magic"},
    "brpc": {"oneway"},
    "hulu": {"oneway"},
    # What went wrong stands in the body of a response.
    "kafka": {"error", "bad_magic"},
    "nova": {"oneway", "error"},
    "public": {"oneway"},
    "qza": {"oneway", "bad_magic"},
    "sofa": {"oneway"},
    "videopacket": {"oneway", "limit_exceeded"},
    # Sixteen bits of length are below every limit, and none of them is too short; it has no errors to send.
    "zork": {"oneway", "error", "bad_length", "limit_exceeded"},
}
"""Kinds that a protocol does not have, and codes that its own bounds do not let come up under the default limits."""


@dataclass(frozen=True)
class Vector:
    codec: str
    name: str
    data: bytes
    expected: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.codec} {self.name}"

    @property
    def direction(self) -> Direction:
        return Direction[self.expected["direction"].upper()]

    @property
    def frames(self) -> list[dict[str, Any]]:
        return list(self.expected["frames"])

    def pieces(self) -> list[tuple[dict[str, Any], bytes]]:
        """Each expected frame with its bytes."""
        found, at = [], 0
        for frame in self.frames:
            found.append((frame, self.data[at : at + frame["frame_len"]]))
            at += frame["frame_len"]
        return found


def codec_names() -> list[str]:
    return sorted(path.name for path in CODECS.iterdir() if path.is_dir())


def vectors() -> list[Vector]:
    return [
        Vector(name, path.stem, path.with_suffix(".bin").read_bytes(), json.loads(path.read_text(encoding="utf-8")))
        for name in codec_names()
        for path in sorted((CODECS / name / "vectors").glob("*.json"))
    ]
