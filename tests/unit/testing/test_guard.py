"""Memory that ends where its bytes end."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys

import pytest
from kit.memory import PAGE, address

from metaprotocol._native import GuardedBuffer


@pytest.mark.parametrize("length", [0, 1, 100, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE])
def test_it_holds_the_bytes(length: int) -> None:
    data = bytes(number % 251 for number in range(length))
    buffer = GuardedBuffer(data)
    view = memoryview(buffer)
    assert len(buffer) == view.nbytes == length
    assert view.readonly
    assert view.tobytes() == data
    if length:
        assert (address(buffer) + length) % PAGE == 0


def test_memory_is_used_again_when_nobody_sees_it() -> None:
    view = memoryview(GuardedBuffer(b"one"))
    others = [GuardedBuffer(b"two") for _ in range(40)]
    assert view.tobytes() == b"one", "a view keeps its memory"
    assert {bytes(memoryview(other)) for other in others} == {b"two"}
    del others
    assert bytes(memoryview(GuardedBuffer(b"three"))) == b"three"
    assert view.tobytes() == b"one"


def test_only_buffers_are_taken() -> None:
    with pytest.raises(TypeError, match="expected bytes"):
        GuardedBuffer("text")  # type: ignore[arg-type]


@pytest.mark.parametrize(("beyond", "status"), [(0, 0), (1, -signal.SIGSEGV)])
def test_who_reads_beyond_the_end_dies(beyond: int, status: int) -> None:
    script = (
        "import ctypes, numpy\n"
        "from metaprotocol._native import GuardedBuffer\n"
        "buffer = GuardedBuffer(b'0123456789')\n"
        "start = numpy.frombuffer(buffer, numpy.uint8).ctypes.data\n"
        f"ctypes.string_at(start, 10 + {beyond})\n"
    )
    command = [sys.executable, "-c", script]
    assert subprocess.run(command, check=False, timeout=60, capture_output=True).returncode == status


def test_what_it_holds_can_be_read_by_address() -> None:
    buffer = GuardedBuffer(b"0123456789")
    assert ctypes.string_at(address(buffer), 10) == b"0123456789"
