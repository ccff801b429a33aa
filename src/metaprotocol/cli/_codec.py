"""CODEC on a command line: a registered name, or a source of a codec."""

from __future__ import annotations

from pathlib import Path

import metaprotocol
from metaprotocol.cli._terminal import usage

__all__ = ["codec_of"]


def codec_of(text: str) -> metaprotocol.Codec:
    """The codec that a user named.

    Raises:
        Failure: If there is none.
    """
    try:
        return metaprotocol.get_codec(text)
    except metaprotocol.MetaProtocolError as error:
        if Path(text).exists():
            usage(f"{text} is a file, and no codec can be made of it yet: {error}")
        usage(str(error))
