"""Plugins run without the GIL, on several threads at once, each connection with a state of its own."""

from __future__ import annotations

import gc
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from kit.plugins import compiled

from metaprotocol import Direction
from metaprotocol._native import NativeCodec, open_library

REQUESTS = Direction.CLIENT_TO_SERVER
THREADS = 8
FRAMES = 50_000
STREAM = b"".join(b"GIL?" + number.to_bytes(4, "big") for number in range(FRAMES))


@pytest.fixture
def codec() -> NativeCodec:
    [codec] = open_library(compiled("gil.c"))
    return codec


@pytest.mark.skipif(not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="this Python has no GIL")
class TestGil:
    def test_a_long_run_does_not_hold_it(self, codec: NativeCodec) -> None:
        batch = codec.connection().feed_batch(REQUESTS, STREAM, columns=["gil"])
        assert set(batch.column("gil")) == {0}

    def test_a_short_one_may(self, codec: NativeCodec) -> None:
        """So the test above can fail."""
        [frame] = codec.connection().feed(REQUESTS, STREAM[:8])
        assert frame.metadata["gil"] == 1


def test_threads_do_not_meet(codec: NativeCodec) -> None:
    start = threading.Barrier(THREADS)

    def run(number: int) -> list[object]:
        connection = codec.connection()
        start.wait()
        size = 8 * (1000 + 997 * number) + number  # frames are cut
        found: list[object] = []
        for at in range(0, len(STREAM), size):
            found += connection.feed_batch(REQUESTS, STREAM[at : at + size], columns=["seen"]).column("seen")
        return found

    with ThreadPoolExecutor(THREADS) as pool:
        assert all(found == list(range(FRAMES)) for found in pool.map(run, range(THREADS)))


def test_one_connection_for_all_takes_turns(codec: NativeCodec) -> None:
    connection = codec.connection()

    def run(_: int) -> list[object]:
        return [
            seen
            for _ in range(20)
            for seen in connection.feed_batch(REQUESTS, STREAM[:8000], columns=["seen"]).column("seen")
        ]

    with ThreadPoolExecutor(THREADS) as pool:
        seen = [number for found in pool.map(run, range(THREADS)) for number in found]
    assert sorted(seen) == list(range(THREADS * 20 * 1000))  # type: ignore[type-var]


def test_states_are_given_back(codec: NativeCodec) -> None:
    """The plugin has 64 of them."""
    for _ in range(1000):
        assert len(codec.connection().feed(REQUESTS, STREAM[:16])) == 2
    gc.collect()
    held = [codec.connection() for _ in range(64)]
    assert all(len(connection.feed(REQUESTS, STREAM[:8])) == 1 for connection in held)
