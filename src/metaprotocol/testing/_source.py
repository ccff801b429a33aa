"""What a user calls CODEC: a registered name, or something that `load_codec` loads."""

from __future__ import annotations

from pathlib import Path

from metaprotocol._contract import check
from metaprotocol._load import is_source, load_codec
from metaprotocol._registry import get_codec
from metaprotocol.codec import Codec

__all__ = ["find_codec"]


def find_codec(codec: str | Codec | type[Codec], folder: Path | None = None) -> Codec:
    """The codec meant.

    Args:
        codec: A name, a source for `load_codec`, a codec, or a class of codecs that takes no arguments.
        folder: What paths are relative to; the working directory if None.

    Raises:
        UnknownCodec: If no codec has the name.
        InvalidCodec: If what is loaded is no codec.
    """
    if not isinstance(codec, str):
        return check(codec, repr(codec))
    if not is_source(codec):
        return get_codec(codec)
    path, colon, attribute = codec.partition(":")
    if folder is not None and is_source(path):
        codec = f"{folder / path}{colon}{attribute}"
    return load_codec(codec)
