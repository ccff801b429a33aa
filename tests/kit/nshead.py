"""nshead, the header of nova and public_pbrpc, for vectors."""

from __future__ import annotations

import struct

MAGIC = 0xFB709394


def nshead(
    body: bytes,
    *,
    nshead_id: int = 0,
    version: int = 0,
    log_id: int = 0,
    provider: bytes = b"",
    magic: int = MAGIC,
    reserved: int = 0,
    body_len: int | None = None,
) -> bytes:
    """The 36 bytes of a header, and a body."""
    length = len(body) if body_len is None else body_len
    return struct.pack("<HHI16sIII", nshead_id, version, log_id, provider, magic, reserved, length) + body
