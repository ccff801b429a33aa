"""A big capture made of real ones: the same conversations again and again, each time between other addresses."""

from __future__ import annotations

import struct
from pathlib import Path

CAPTURES = Path(__file__).resolve().parent.parent / "tests" / "captures"
_FILE = struct.Struct("<IHHiIII")
_RECORD = struct.Struct("<IIII")
_ETHERNET = 14
_NANOSECONDS = 0xA1B23C4D


def _records(path: Path) -> tuple[bytes, bool, list[tuple[int, int, bytes]]]:
    data = path.read_bytes()
    magic, *_rest, link_type = _FILE.unpack_from(data)
    if magic not in (0xA1B2C3D4, _NANOSECONDS) or link_type != 1:
        raise ValueError(
            f"{path}: expected a little-endian pcap of Ethernet frames, not magic {magic:#x}, link {link_type}"
        )
    records, at = [], _FILE.size
    while at < len(data):
        seconds, fraction, kept, _length = _RECORD.unpack_from(data, at)
        at += _RECORD.size
        records.append((seconds, fraction, data[at : at + kept]))
        at += kept
    return data[: _FILE.size], magic == _NANOSECONDS, records


def repeat(sources: list[str], server_port: int, size: int, target: Path) -> int:
    """Write a capture of about `size` bytes. Returns its size.

    The client of repetition n is 127.a.b.c with a.b.c = n + 1; IPv6 packets are left out.
    """
    first, unit = None, 1
    packets: list[tuple[int, int, bytes, bool]] = []
    for source in sources:
        head, nanoseconds, records = _records(CAPTURES / source)
        first, unit = first or head, 1000 if nanoseconds else 1
        for seconds, fraction, packet in records:
            if packet[12:14] != b"\x08\x00":
                continue
            ports = struct.unpack_from("!HH", packet, _ETHERNET + 20)
            packets.append((seconds, fraction, packet, ports[1] == server_port))
    if first is None or unit not in (1, 1000):
        raise ValueError("no source captures were given")
    written, number = len(first), 0
    with target.open("wb") as out:
        out.write(first)
        while written < size:
            number += 1
            address = bytes([127, number >> 16 & 255, number >> 8 & 255, number & 255])
            for seconds, fraction, packet, from_client in packets:
                at = _ETHERNET + (12 if from_client else 16)
                changed = packet[:at] + address + packet[at + 4 :]
                out.write(_RECORD.pack(seconds + number, fraction, len(changed), len(changed)))
                out.write(changed)
                written += _RECORD.size + len(changed)
    return written
