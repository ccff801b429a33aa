"""What the tests of the command line share."""

from __future__ import annotations

import json
import os
import pty
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
CAPTURES = ROOT / "tests" / "captures"
CODECS = [
    "awesomerpc",
    "brpc",
    "dubbo",
    "hulu",
    "kafka",
    "nova",
    "public",
    "qza",
    "redis",
    "sofa",
    "thrift",
    "trpc",
    "videopacket",
    "zork",
]
PROGRAM = [
    sys.executable,
    "-c",
    "import sys; sys.argv[0] = 'metaprotocol'; from metaprotocol.cli import main; main()",
]

Run = Callable[..., subprocess.CompletedProcess[bytes]]


def environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key not in {"COLUMNS", "NO_COLOR", "FORCE_COLOR"}}


@pytest.fixture
def run() -> Run:
    """Runs the program with its output in pipes."""

    def program(*arguments: str | Path, stdin: bytes = b"", **environ: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*PROGRAM, *map(str, arguments)],
            input=stdin,
            capture_output=True,
            env={**environment(), **environ},
            check=False,
            timeout=60,
        )

    return program


@pytest.fixture
def run_on_terminal() -> Callable[..., tuple[int, str]]:
    """Runs the program on a terminal of 200 columns; gives its exit code and all that it shows."""

    def program(*arguments: str | Path, width: int = 200) -> tuple[int, str]:
        control, terminal = pty.openpty()
        import fcntl
        import termios

        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
        process = subprocess.Popen(
            [*PROGRAM, *map(str, arguments)],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env={**environment(), "TERM": "xterm-256color"},
        )
        os.close(terminal)
        shown = b""
        while True:
            try:
                data = os.read(control, 65536)
            except OSError:
                break
            if not data:
                break
            shown += data
        os.close(control)
        return process.wait(timeout=60), shown.decode()

    return program


def rows(output: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def pcap(*segments: tuple[bool, bytes], port: int = 40000) -> bytes:
    """A capture of one connection; each segment is (from the client?, its bytes)."""
    packets = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 101)]
    seq = [1000, 5000]
    handshake = [(True, 0x02, b""), (False, 0x12, b"")]
    data = [(from_client, 0x18, payload) for from_client, payload in segments]
    for number, (from_client, flags, payload) in enumerate(handshake + data):
        ends = [(b"\x0a\0\0\1", port), (b"\x0a\0\0\2", 20880)]
        (source, source_port), (target, target_port) = ends if from_client else ends[::-1]
        mine, other = (0, 1) if from_client else (1, 0)
        tcp = struct.pack(">HHIIBBHHH", source_port, target_port, seq[mine], seq[other], 0x50, flags, 65535, 0, 0)
        head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40 + len(payload), 0, 0, 64, 6, 0, source, target)
        packet = head + tcp + payload
        packets.append(struct.pack("<IIII", 1_700_000_000, number * 1000, len(packet), len(packet)) + packet)
        seq[mine] += len(payload) + (flags & 2 != 0)
    return b"".join(packets)


def call(sequence: int, method: str = "ping") -> bytes:
    """A framed binary Thrift call."""
    name = method.encode()
    body = struct.pack(">HBBi", 0x8001, 0, 1, len(name)) + name + struct.pack(">i", sequence) + b"\0"
    return struct.pack(">i", len(body)) + body


def answer(sequence: int, method: str = "ping") -> bytes:
    """The empty reply to it."""
    return call(sequence, method).replace(b"\x80\x01\0\x01", b"\x80\x01\0\x02", 1)
