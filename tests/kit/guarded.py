"""Memory that ends where the bytes do: whoever reads behind them does not live to tell."""

from __future__ import annotations

import ctypes
import mmap

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.mmap.restype = ctypes.c_void_p
_LIBC.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
_LIBC.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_NOTHING = 0


class Guarded:
    """A few pages of memory, the last of which cannot be read."""

    def __init__(self, pages: int = 4) -> None:
        size = pages * mmap.PAGESIZE
        readable = mmap.PROT_READ | mmap.PROT_WRITE
        start = _LIBC.mmap(None, size, readable, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
        assert start, ctypes.get_errno()
        self.end = start + size - mmap.PAGESIZE
        assert _LIBC.mprotect(self.end, mmap.PAGESIZE, _NOTHING) == 0

    def hold(self, data: bytes) -> memoryview:
        """The bytes, right in front of what cannot be read; read-only, so that they are not copied on entry.

        They are overwritten by the next ones: keep no frame of them.
        """
        ctypes.memmove(self.end - len(data), data, len(data))
        return memoryview((ctypes.c_ubyte * len(data)).from_address(self.end - len(data))).cast("B").toreadonly()
