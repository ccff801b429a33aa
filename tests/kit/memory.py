"""Where bytes lie: zero copy is shown by address."""

from __future__ import annotations

import resource
from pathlib import Path

import numpy
from typing_extensions import Buffer

STATM = Path("/proc/self/statm")
PAGE = resource.getpagesize()


def address(buffer: Buffer) -> int:
    """Address of the first byte of a buffer that is not empty."""
    return int(numpy.frombuffer(buffer, numpy.uint8).ctypes.data)


def lies_within(inner: Buffer, outer: Buffer) -> bool:
    """True if all bytes of `inner` are bytes of `outer`, not a copy of them."""
    start, end = address(outer), address(outer) + memoryview(outer).nbytes
    return start <= address(inner) and address(inner) + memoryview(inner).nbytes <= end


def resident_bytes() -> int:
    """Memory of this process that is in use now, native allocations included."""
    return int(STATM.read_text().split()[1]) * PAGE


def virtual_bytes() -> int:
    """Address space of this process: grows with what is asked for, even if it is never touched."""
    return int(STATM.read_text().split()[0]) * PAGE
