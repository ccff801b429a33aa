"""What the `codec` commands share: a codec with the layout that its description gives, and facts about it in words."""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

from metaprotocol.cli._sources import codec as codec_of

if TYPE_CHECKING:
    from metaprotocol import Codec

__all__ = ["facts", "header_size", "load"]

_native: Any = import_module("metaprotocol._native")


def load(text: str) -> tuple[Codec, dict[str, Any] | None]:
    """The codec with this name, or at this place, and its layout; none for codecs that no description makes.

    Raises:
        Failure: If there is no such codec.
    """
    codec = codec_of(text)
    layout = codec.layout() if isinstance(codec, _native.NativeCodec) else None
    return codec, None if layout is None else json.loads(layout)


def header_size(layout: dict[str, Any]) -> str:
    """How long a header is, for people."""
    if "header_len" in layout:
        return f"{layout['header_len']} bytes"
    return f"{layout['least_header_len']} bytes or more"


def facts(layout: dict[str, Any]) -> dict[str, Any]:
    """What a codec can do, in short."""
    return {
        "name": layout["name"],
        "summary": layout["summary"],
        "header_len": layout.get("header_len"),
        "least_header_len": layout["least_header_len"],
        "trailer_len": layout["trailer_len"],
        "keys": [key["name"] for key in layout["keys"]],
        "writable": [key["name"] for key in layout["keys"] if key["writable"]],
        "open_keys": layout["open_keys"],
        "replies": [kind for kind in ("error", "heartbeat") if layout["replies"][kind]],
        "detect": layout["detect"],
        "fast": layout["fast"],
    }
