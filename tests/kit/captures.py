"""Captures of real peers, with what the peers themselves said they sent and received.

The reader is a second opinion on the package's own: as simple as captures of the loopback interface allow.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from metaprotocol import Direction

CAPTURES = Path(__file__).parents[1] / "captures"
SYN = 0x02
FOLDERS = sorted({path.parent.name for path in CAPTURES.glob("*/*.pcap")})
"""The captures of a family of protocols each."""


@dataclass
class Conversation:
    """One TCP connection: its bytes in the order they were captured, in pieces as they were sent."""

    client_port: int
    pieces: list[tuple[Direction, bytes]] = field(default_factory=list)

    def stream(self, direction: Direction) -> bytes:
        return b"".join(data for way, data in self.pieces if way is direction)


def packets(path: Path) -> Iterator[bytes]:
    """The Ethernet frames of a pcap."""
    data = path.read_bytes()
    order = {b"\xd4\xc3\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">"}[data[:4]]
    assert struct.unpack_from(order + "I", data, 20) == (1,), "not Ethernet"
    at = 24
    while at < len(data):
        (captured,) = struct.unpack_from(order + "8xI", data, at)
        yield data[at + 16 : at + 16 + captured]
        at += 16 + captured


def segments(path: Path) -> Iterator[tuple[int, int, int, int, bytes]]:
    """Source port, destination port, sequence number, flags and payload of each TCP packet."""
    for packet in packets(path):
        kind = int.from_bytes(packet[12:14], "big")
        if kind == 0x0800:
            at = 14 + (packet[14] & 15) * 4
            end = 14 + int.from_bytes(packet[16:18], "big")
            transport = packet[23]
        elif kind == 0x86DD:
            at, end, transport = 54, 54 + int.from_bytes(packet[18:20], "big"), packet[20]
        else:
            continue
        if transport == 6:
            source, target, sequence = struct.unpack_from(">HHI", packet, at)
            yield source, target, sequence, packet[at + 13], packet[at + (packet[at + 12] >> 4) * 4 : end]


@cache
def conversations(path: Path, *server_ports: int) -> list[Conversation]:
    """The connections of a capture. A loopback interface loses and reorders nothing; what it repeats is dropped."""
    found: list[Conversation] = []
    expected: dict[tuple[int, int], int] = {}
    current: dict[int, Conversation] = {}
    for source, target, sequence, flags, payload in segments(path):
        direction = Direction.CLIENT_TO_SERVER if target in server_ports else Direction.SERVER_TO_CLIENT
        port = source if direction is Direction.CLIENT_TO_SERVER else target
        if flags & SYN:
            if direction is Direction.CLIENT_TO_SERVER:
                current[port] = Conversation(port)
                found.append(current[port])
            expected[source, target] = (sequence + 1) % (1 << 32)
        elif payload and sequence == expected[source, target]:
            current[port].pieces.append((direction, payload))
            expected[source, target] = (sequence + len(payload)) % (1 << 32)
        elif payload:
            assert (sequence - expected[source, target]) % (1 << 32) > 1 << 31, f"{path} has a hole"
    return found


@dataclass(frozen=True)
class Capture:
    protocol: str
    path: Path

    def __str__(self) -> str:
        return self.path.stem

    @property
    def expected(self) -> dict[str, Any]:
        return _expected(self.path)

    def codec(self, direction: Direction) -> str | None:
        """The codec that reads what travels this way; None if no codec does, or nothing tells whose it is."""
        if self.expected.get("security") == "tls":
            return None
        if self.protocol == "redis" and self.path.stem == "http":
            # A web client at a port of Redis, which answers in its own way.
            return None if direction is Direction.CLIENT_TO_SERVER else "redis"
        if self.protocol == "thrift" and self.expected["protocol"] == "json":
            return None
        # A port of bRPC speaks several protocols.
        return str(self.expected["protocol"]) if self.protocol == "brpc" else self.protocol

    @property
    def conversations(self) -> list[Conversation]:
        # A cluster has several.
        return conversations(self.path, *self.expected.get("server_ports", [self.expected["server_port"]]))


@cache
def _expected(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.with_suffix(".json").read_text(encoding="utf-8")))


def captures(protocol: str) -> list[Capture]:
    return [Capture(protocol, path) for path in sorted((CAPTURES / protocol).glob("*.pcap"))]
