"""How `metaprotocol bench` measures: in rounds, each verb next to a fixed piece of work.

Nanoseconds of two runs cannot be compared: machines differ, and one machine differs from hour to hour. So each
measurement is taken next to the reference, a fixed piece of Python; the ratio of the two is what is compared.
"""

from __future__ import annotations

import gc
import struct
import sys
from dataclasses import dataclass
from statistics import median, quantiles
from time import perf_counter_ns
from typing import TYPE_CHECKING

from metaprotocol._native import count_allocations

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from metaprotocol.cli._bench_work import Verb

__all__ = ["REFERENCE", "Measured", "Spread", "measure"]

REFERENCE = 1
"""Number of the reference; to be counted up with any change to it, so that other results are not compared."""
_STEPS = 512
_BLOCK = bytes(range(256)) * 64
_WORD = struct.Struct(">HBBI")


def _reference() -> tuple[int, bytes]:
    """Reads headers and copies bodies, as Python programs do with frames: `_STEPS` of them."""
    unpack, view, kept = _WORD.unpack_from, memoryview(_BLOCK), (0, b"")
    for step in range(_STEPS):
        at = step * 31
        word = unpack(view, at)
        kept = (word[3], bytes(view[at : at + 64]))
    return kept


@dataclass(frozen=True)
class Spread:
    """The median of a quantity over the rounds, and the quartiles around it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of at least two values."""
        low, _, high = quantiles(values, n=4, method="inclusive")
        return cls(median(values), low, high)


@dataclass(frozen=True)
class Measured:
    """What a verb cost."""

    ns: Spread
    """Nanoseconds a call."""
    relative: Spread
    """The same in steps of the reference, of the same moments."""
    rounds: list[float]
    """Nanoseconds a call of each round: the n-th of one verb and of another were taken together."""
    native_allocations: float
    """Allocations of the native core a call."""
    native_bytes: float
    """Bytes of them."""
    python_blocks: float
    """Blocks of Python's allocator that the results of a call hold."""


def _time(run: Callable[[], object], times: int) -> int:
    start = perf_counter_ns()
    for _ in range(times):
        run()
    return perf_counter_ns() - start


def _times(run: Callable[[], object], slot_ns: float) -> int:
    """How often it must run to fill a slot."""
    run()
    once = max(1, _time(run, 1))
    return max(1, round(slot_ns / once))


def measure(verbs: Sequence[Verb], seconds: float, rounds: int, progress: Callable[[], None]) -> list[Measured]:
    """Measure all verbs in turn, round by round.

    Args:
        verbs: What to measure; each is run once before, to warm up.
        seconds: About how long all of it may take.
        rounds: How many measurements of each, at least 2.
        progress: Called after each round.
    """
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        slot_ns = seconds * 1e9 / rounds / len(verbs) / 2
        reference_times = _times(_reference, slot_ns)
        times = [_times(verb.run, slot_ns) for verb in verbs]
        ns: list[list[float]] = [[] for _ in verbs]
        relative: list[list[float]] = [[] for _ in verbs]
        for _ in range(rounds):
            for at, verb in enumerate(verbs):
                step = _time(_reference, reference_times) / reference_times / _STEPS
                call = _time(verb.run, times[at]) / times[at] / verb.calls
                ns[at].append(call)
                relative[at].append(call / step)
            progress()
        return [
            Measured(Spread.of(ns[at]), Spread.of(relative[at]), ns[at], *_allocations(verb))
            for at, verb in enumerate(verbs)
        ]
    finally:
        if enabled:
            gc.enable()


def _allocations(verb: Verb) -> tuple[float, float, float]:
    # The first time fills free lists and caches.
    verb.collect()
    before = sys.getallocatedblocks()
    kept, count, size = count_allocations(verb.collect)
    blocks = sys.getallocatedblocks() - before
    del kept
    return count / verb.calls, size / verb.calls, max(0, blocks) / verb.calls
