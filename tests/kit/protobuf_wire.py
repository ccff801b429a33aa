"""Protocol Buffers by hand, for vectors: a few lines that know the wire format and nothing else."""

from __future__ import annotations


def varint(number: int) -> bytes:
    """A varint; negative numbers as their 64 bits."""
    number %= 2**64
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def zigzag(number: int) -> int:
    """A signed number as `sint32` and `sint64` have it."""
    return number << 1 ^ number >> 63


def field(number: int, value: int | str | bytes) -> bytes:
    """A field: a number as a varint, anything else with its length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def message(*fields: bytes) -> bytes:
    """Fields one after another."""
    return b"".join(fields)
