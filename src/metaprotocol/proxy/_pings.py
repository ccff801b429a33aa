"""What active checks send in a protocol, and how an answer is known.

These are messages that every server of the protocol answers. A protocol without one is checked by a connection.
"""

from __future__ import annotations

import struct

__all__ = ["ping"]


def _dubbo(number: int) -> bytes:
    """A heartbeat: request, two-way, event, Hessian 2; its body is null."""
    return struct.pack(">HBBQI", 0xDABB, 0xE2, 0, number, 1) + b"N"


def _kafka(number: int) -> bytes:
    """ApiVersions, version 0: `api_key` 18, without a client id and without a body."""
    return struct.pack(">ihhih", 10, 18, 0, number & 0x7FFF_FFFF, -1)


def _redis(_: int) -> bytes:
    return b"*1\r\n$4\r\nPING\r\n"


_PINGS = {"dubbo": _dubbo, "kafka": _kafka, "redis": _redis}


def ping(codec: str, number: int) -> bytes | None:
    """The bytes to send.

    Args:
        codec: The name of a codec.
        number: The request's id, where the protocol has one.

    Returns:
        The bytes; nothing if the protocol has no such message.
    """
    make = _PINGS.get(codec)
    return None if make is None else make(number)
