"""Codecs are shared between threads without care; connections take turns; long work lets others run."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from kit.dialects import DUBBO, Dialect

from metaprotocol import DecodeError, Direction, Frame

REQUESTS = Direction.CLIENT_TO_SERVER
RESPONSES = Direction.SERVER_TO_CLIENT
THREADS = 8


@pytest.fixture(autouse=True)
def _eager_switching() -> Iterator[None]:
    """Threads interleave as much as Python can make them."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def in_threads(work: Callable[[int], object]) -> list[object]:
    """Runs the work of each number in a thread of its own, all starting together."""
    start = threading.Barrier(THREADS)

    def run(number: int) -> object:
        start.wait()
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


class TestSharedCodec:
    def test_each_thread_its_own_connection(self, dialect: Dialect) -> None:
        codec = dialect.codec()

        def talk(number: int) -> bool:
            connection = codec.connection()
            for turn in range(100):
                request_id = number * 1000 + turn
                request, response = dialect.request(request_id, turn), dialect.response(request_id, turn)
                [asked] = connection.feed(REQUESTS, request)
                [answered] = connection.feed(RESPONSES, response)
                assert (bytes(asked), bytes(answered)) == (request, response)
                assert connection.pair(answered) is asked
                assert asked.metadata.get("method") == codec.decode(request).metadata.get("method")
            return True

        assert all(in_threads(talk))

    def test_one_frame_read_by_all(self, dialect: Dialect) -> None:
        frame = dialect.codec().decode(dialect.request(7, 500))
        expected = dict(frame.metadata)

        def read(_: int) -> bool:
            return all(dict(frame.metadata) == expected and bytes(frame.body) == frame.body for _ in range(100))

        assert all(in_threads(read))


class TestSharedConnection:
    def test_no_frame_is_lost_or_mixed(self, dialect: Dialect) -> None:
        connection = dialect.codec().connection()
        connection.feed(REQUESTS, dialect.request(0, 1))  # settles the dialect
        start = connection.offset(REQUESTS)

        def send(number: int) -> list[Frame]:
            frames = []
            for turn in range(50):
                # Whole frames, so that the threads' chunks may follow each other in any order.
                chunk = b"".join(dialect.request(number * 1000 + turn, size) for size in (1, 50))
                got = connection.feed(REQUESTS, chunk)
                assert b"".join(map(bytes, got)) == chunk
                frames += got
            return frames

        frames = [frame for sent in in_threads(send) for frame in sent]  # type: ignore[attr-defined]
        assert len(frames) == THREADS * 100
        places = sorted((frame.offset, len(frame)) for frame in frames)
        assert places[0][0] == start
        assert all(at + length == after for (at, length), (after, _) in itertools.pairwise(places))
        assert connection.offset(REQUESTS) == sum(places[-1])

    def test_both_directions_at_once(self, dialect: Dialect) -> None:
        connection = dialect.codec().connection()
        connection.feed(REQUESTS, dialect.request(0, 1))
        connection.feed(RESPONSES, dialect.response(0, 1))

        def half(number: int) -> set[int]:
            ids = set(range(number // 2 * 100 + 1, number // 2 * 100 + 100))
            make, direction = ((dialect.request, REQUESTS), (dialect.response, RESPONSES))[number % 2]
            frames = [frame for request_id in ids for frame in connection.feed(direction, make(request_id, 3))]
            if direction is RESPONSES:
                while not all(connection.pair(frame) for frame in frames):
                    time.sleep(0.001)
                assert all(connection.pair(frame).request_id == frame.request_id for frame in frames)  # type: ignore[union-attr]
            return {frame.request_id for frame in frames}  # type: ignore[misc]

        assert all(len(ids) == 99 for ids in in_threads(half))  # type: ignore[arg-type]
        assert connection.in_flight == 0

    def test_all_are_told_of_the_error(self, dialect: Dialect) -> None:
        connection = dialect.codec().connection()
        connection.feed(REQUESTS, dialect.request(0, 1))

        def send(number: int) -> str:
            try:
                while True:
                    connection.feed(REQUESTS, dialect.garbage if number == 0 else dialect.request(number, 1))
            except DecodeError as error:
                return str(error)

        [told] = set(in_threads(send))
        assert isinstance(told, str)
        assert "offset" in told

    def test_it_never_waits_for_itself(self, dialect: Dialect) -> None:
        """A codec in Python may look at its own connection while it is asked to split."""
        if dialect.name != "toy":
            connection = dialect.codec().connection()
            in_threads(lambda _: [repr(connection) for _ in range(200)])
            return

        codec = dialect.codec()
        split = codec.split

        def curious(*arguments: object, **keywords: object) -> object:
            assert connection.missing(REQUESTS) >= 0
            assert connection.in_flight >= 0
            return split(*arguments, **keywords)  # type: ignore[arg-type]

        codec.split = curious  # type: ignore[method-assign, assignment]
        connection = codec.connection()
        assert len(connection.feed(REQUESTS, dialect.request(1, 1))) == 1


@pytest.mark.skipif(not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="this Python has no GIL to release")
class TestOthersRun:
    def progress(self, long_work: Callable[[], object]) -> int:
        """How often another thread gets to run during the work.

        With this switch interval Python never takes the GIL away from a thread: the other one, which gives it back each
        time, runs only if the work itself lets go of it.
        """
        count, stop = [0], threading.Event()
        running = threading.Event()

        def other() -> None:
            running.set()
            while not stop.is_set():
                count[0] += 1
                time.sleep(0)

        thread = threading.Thread(target=other)
        thread.start()
        running.wait()
        before_interval = sys.getswitchinterval()
        sys.setswitchinterval(1000)
        try:
            # Whether the system schedules the other thread at once is luck: it is given several chances.
            for _ in range(50):
                before = count[0]
                long_work()
                after = count[0]
                if after > before:
                    return after - before
            return 0
        finally:
            sys.setswitchinterval(before_interval)
            stop.set()
            thread.join()

    def test_during_a_long_feed(self, native: Dialect) -> None:
        stream = native.request(1, 64) * 20_000
        assert len(stream) > 1 << 20

        assert self.progress(lambda: native.codec().connection().feed_batch(REQUESTS, stream)) > 0

    def test_during_a_long_read_of_metadata(self, native: Dialect) -> None:
        """The columns of a batch are read without the GIL, however short the chunk is."""
        key = "group" if native is DUBBO else "method"
        stream = native.request(1, 8) * 20_000

        assert self.progress(lambda: native.codec().connection().feed_batch(REQUESTS, stream, columns=[key])) > 0

    def test_the_measure_itself(self) -> None:
        """Work that holds on to the GIL lets nobody run, so the tests above can fail."""
        assert self.progress(lambda: sum(range(1000))) == 0
