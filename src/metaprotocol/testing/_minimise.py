"""A stream made smaller for as long as it stays as good."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["smaller"]

MOST_LENGTHS = 128


def smaller(data: bytes, as_good: Callable[[bytes], bool], *, budget: Callable[[], bool]) -> bytes:
    """The stream without the runs of bytes that it can do without, and with zeros where any byte will do.

    Args:
        data: The stream.
        as_good: Whether a smaller one still does what this one does.
        budget: Whether there is time for another try.
    """
    before = b""
    while before != data and budget():
        before = data
        data = _without_ends(_without_runs(data, as_good, budget), as_good, budget)
    for at in range(len(data)):
        if data[at] and budget():
            plainer = data[:at] + b"\0" + data[at + 1 :]
            if as_good(plainer):
                data = plainer
    return data


def _without_ends(data: bytes, as_good: Callable[[bytes], bool], budget: Callable[[], bool]) -> bytes:
    """Less in front (whole frames, mostly) or behind, in one piece: smaller pieces would break what is left."""
    for length in _lengths(len(data)):
        if not budget():
            break
        if as_good(data[-length:]):
            data = data[-length:]
            break
    for length in _lengths(len(data)):
        if not budget():
            break
        if as_good(data[:length]):
            return data[:length]
    return data


def _lengths(length: int) -> range:
    return range(1, length, max(1, length // MOST_LENGTHS))


def _without_runs(data: bytes, as_good: Callable[[bytes], bool], budget: Callable[[], bool]) -> bytes:
    run = len(data) // 2
    while run and budget():
        at = len(data) - run
        while at >= 0 and budget():
            shorter = data[:at] + data[at + run :]
            if as_good(shorter):
                data = shorter
            at -= run
        run //= 2
    return data
