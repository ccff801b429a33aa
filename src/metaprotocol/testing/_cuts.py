"""Ways to cut a stream. Whatever the cut, the frames must be the same."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["CUTTINGS", "places"]

NEAR_THE_ENDS = 200
MAX_RANDOM_CUTS = 20


def places(length: int) -> list[int]:
    """Places within a stream: all of them, in a long one those near its ends and some between."""
    step = max(1, length // NEAR_THE_ENDS)
    front, back = range(min(NEAR_THE_ENDS, length)), range(max(0, length - NEAR_THE_ENDS), length)
    return sorted({*front, *range(0, length, step), *back})


def _whole(data: bytes) -> Iterator[list[bytes]]:
    yield [data]


def _byte_by_byte(data: bytes) -> Iterator[list[bytes]]:
    yield [data[at : at + 1] for at in range(len(data))]


def _at_each_offset(data: bytes) -> Iterator[list[bytes]]:
    for at in places(len(data)):
        yield [data[:at], data[at:]]


def _at_random(data: bytes) -> Iterator[list[bytes]]:
    chance = random.Random(len(data))  # noqa: S311 -- the same cuts in every run
    for _ in range(MAX_RANDOM_CUTS):
        chosen = sorted(chance.sample(range(len(data) + 1), min(len(data) + 1, chance.randrange(1, 12))))
        yield [data[start:end] for start, end in zip([0, *chosen], [*chosen, len(data)], strict=True)]


CUTTINGS: dict[str, Callable[[bytes], Iterator[list[bytes]]]] = {
    "whole": _whole,
    "byte by byte": _byte_by_byte,
    "at each offset": _at_each_offset,
    "at random": _at_random,
}
"""By name: from a stream to the ways in which it is cut, each a list of pieces."""
