"""`metaprotocol decode` of one capture in which all protocols are spoken: each stream is told by what is in it."""

from __future__ import annotations

import struct
from collections import Counter
from pathlib import Path

import pytest
from kit.captures import FOLDERS, Capture, captures, packets

from metaprotocol import Direction

from .conftest import Run, rows

IPV4, IPV6 = b"\x08\x00", b"\x86\xdd"


def recorded() -> list[tuple[str, Capture]]:
    """The captures that are of one protocol in both directions, and which."""
    found = []
    for folder in FOLDERS:
        for capture in captures(folder):
            client, server = map(capture.codec, Direction)
            if client is not None and client == server:
                found.append((client, capture))
    return found


def moved(packet: bytes, number: int) -> bytes:
    """The packet between addresses of its own, so that equal ports of two captures are two connections."""
    kind, at = packet[12:14], {IPV4: (28, 32), IPV6: (36, 52)}
    if kind not in at:
        return packet
    moved = bytearray(packet)
    for place in at[kind]:
        moved[place : place + 2] = struct.pack(">H", number)
    return bytes(moved)


def mixed(parts: list[Capture]) -> bytes:
    """The packets of all, one of each in turn."""
    streams = [iter([moved(packet, number + 1) for packet in packets(one.path)]) for number, one in enumerate(parts)]
    written = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)]
    at = 0
    while streams:
        for stream in list(streams):
            packet = next(stream, None)
            if packet is None:
                streams.remove(stream)
                continue
            at += 1
            written.append(struct.pack("<IIII", 1_700_000_000 + at // 1_000_000, at % 1_000_000, *[len(packet)] * 2))
            written.append(packet)
    return b"".join(written)


def told(output: bytes) -> Counter[tuple[str, str, str]]:
    return Counter((row["protocol"], row["kind"], row.get("method", "")) for row in rows(output))


@pytest.mark.timeout(600)  # a process for each capture
def test_every_stream_is_labelled(run: Run, tmp_path: Path) -> None:
    everything = recorded()
    assert {name for name, _ in everything} >= {"brpc", "dubbo", "kafka", "redis", "thrift", "trpc"}
    expected: Counter[tuple[str, str, str]] = Counter()
    for name, capture in everything:
        expected += told(run("decode", "--protocol", name, capture.path).stdout)
    path = tmp_path / "mixed.pcap"
    path.write_bytes(mixed([capture for _, capture in everything]))
    done = run("decode", path)
    assert done.returncode == 0, done.stderr.decode()
    assert told(done.stdout) == expected
