"""Whose memory frames lie in, how long it lives, and that nothing is allocated because a peer claims a length."""

from __future__ import annotations

import array
import asyncio
import gc
import mmap
import socket
import sys
import tracemalloc
import weakref
from pathlib import Path

import numpy
import pytest
from conftest import Cuts
from kit.cutting import receive
from kit.dialects import DUBBO, TOY, Dialect
from kit.memory import lies_within, resident_bytes, virtual_bytes

from metaprotocol import Connection, Direction, Frame, IncompleteFrame, LimitExceeded, Limits

REQUESTS = Direction.CLIENT_TO_SERVER
MIB = 1 << 20


class TestZeroCopy:
    def test_frames_are_views_of_the_callers_bytes(self, dialect: Dialect) -> None:
        stream = b"".join(dialect.request(number, 100 * number) for number in range(1, 6))
        frames = dialect.codec().connection().feed(REQUESTS, stream)
        assert len(frames) == 5
        for frame in frames:
            for view in (frame.raw, frame.header, frame.body):
                assert lies_within(view, stream)
                assert view.readonly
                assert view.obj is stream
            assert len(frame) == len(frame.raw) == len(frame.header) + len(frame.body)
            assert bytes(frame) == frame.raw == stream[frame.offset : frame.offset + len(frame)]

    def test_decode_is_a_view(self, dialect: Dialect) -> None:
        message = dialect.request(1, 100)
        frame = dialect.codec().decode(message)
        assert lies_within(frame.raw, message)
        assert lies_within(frame.header, message)
        assert lies_within(frame.body, message)

    def test_only_the_frame_that_straddles_chunks_is_copied(self, dialect: Dialect) -> None:
        messages = [dialect.request(number, 100) for number in (1, 2, 3, 4)]
        stream = b"".join(messages)
        cut = len(messages[0]) + len(messages[1]) // 2
        first, second = stream[:cut], stream[cut:]
        connection = dialect.codec().connection()
        [whole] = connection.feed(REQUESTS, first)
        straddling, *rest = connection.feed(REQUESTS, second)
        assert lies_within(whole.raw, first)
        assert not lies_within(straddling.raw, first)
        assert not lies_within(straddling.raw, second)
        assert bytes(straddling) == messages[1]
        assert len(rest) == 2
        assert all(lies_within(frame.raw, second) for frame in rest)

    def test_rows_of_a_batch_are_views(self, native: Dialect) -> None:
        stream = b"".join(native.request(number, 100) for number in (1, 2, 3))
        batch = native.codec().connection().feed_batch(REQUESTS, stream)
        assert all(lies_within(frame.raw, stream) for frame in batch)

    @pytest.mark.parametrize("skip", [0, 7])
    def test_slices_of_a_memoryview(self, dialect: Dialect, skip: int) -> None:
        message = dialect.request(1, 100)
        stream = b"#" * skip + message + b"#" * 9
        [frame] = dialect.codec().connection().feed(REQUESTS, memoryview(stream)[skip : skip + len(message)])
        assert lies_within(frame.raw, memoryview(stream)[skip : skip + len(message)])
        assert bytes(frame) == message

    def test_a_file_in_memory(self, dialect: Dialect, tmp_path: Path) -> None:
        path = tmp_path / "stream"
        path.write_bytes(dialect.request(1, 100) * 3)
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            frames = dialect.codec().connection().feed(REQUESTS, mapped)
            assert all(lies_within(frame.raw, mapped) for frame in frames)
            assert [bytes(frame) for frame in frames] == [dialect.request(1, 100)] * 3
            del frames
            gc.collect()

    def test_the_receive_buffer_is_where_frames_lie(self, native: Dialect) -> None:
        """What the kernel wrote is not moved: the frames are views of the buffer it wrote to."""
        message = native.request(1, 100)
        connection = native.codec().connection()
        buffer = connection.get_buffer(REQUESTS)
        buffer[: len(message)] = message
        [frame] = connection.buffer_updated(REQUESTS, len(message))
        assert lies_within(frame.raw, buffer)
        assert frame.raw.readonly


class TestWritableInput:
    def test_it_is_copied_on_entry(self, dialect: Dialect) -> None:
        message = dialect.request(1, 100)
        for data in (bytearray(message * 2), memoryview(bytearray(message * 2)), array.array("B", message * 2)):
            frames = dialect.codec().connection().feed(REQUESTS, data)
            assert not lies_within(frames[0].raw, data)
            target = memoryview(data).cast("B") if not isinstance(data, memoryview) else data
            target[:] = bytes(len(target))
            assert [bytes(frame) for frame in frames] == [message, message]

    def test_it_can_be_resized_again(self, dialect: Dialect) -> None:
        data = bytearray(dialect.request(1, 100))
        frames = dialect.codec().connection().feed(REQUESTS, data)
        data.clear()
        assert bytes(frames[0]) == dialect.request(1, 100)

    def test_the_part_that_waits_is_copied_too(self, dialect: Dialect) -> None:
        message = dialect.request(1, 100)
        connection = dialect.codec().connection()
        data = bytearray(message[:-4])
        connection.feed(REQUESTS, data)
        data[:] = bytes(len(data))
        [frame] = connection.feed(REQUESTS, message[-4:])
        assert bytes(frame) == message

    def test_decode_copies_it_too(self, dialect: Dialect) -> None:
        data = bytearray(dialect.request(1, 100))
        frame = dialect.codec().decode(data)
        data[:] = bytes(len(data))
        assert bytes(frame) == dialect.request(1, 100)

    @pytest.mark.parametrize("step", [2, -1])
    def test_bytes_with_gaps_are_refused(self, dialect: Dialect, step: int) -> None:
        gaps = memoryview(dialect.request(1, 100))[::step]
        with pytest.raises((BufferError, TypeError), match=r"contiguous|buffer"):
            dialect.codec().connection().feed(REQUESTS, gaps)

    def test_items_are_bytes(self, native: Dialect) -> None:
        with pytest.raises(TypeError, match="single bytes"):
            native.codec().connection().feed(REQUESTS, array.array("I", [1, 2]))


class TestLifetime:
    def test_views_outlive_everything_else(self, dialect: Dialect) -> None:
        message = dialect.request(1, 1000)
        connection: Connection | None = dialect.codec().connection()
        assert connection is not None
        frames: list[Frame] | None = connection.feed(REQUESTS, bytes(bytearray(message * 3)))
        assert frames is not None
        views = [view for frame in frames for view in (frame.raw, frame.header, frame.body)]
        headers = [bytes(view) for view in views]
        del frames, connection
        gc.collect()
        # New objects of the same size would take the memory if it were free.
        noise = [bytes([index % 251]) * len(message) * 3 for index in range(200)]
        assert [bytes(view) for view in views] == headers
        assert bytes(views[0]) == message
        del noise

    def test_views_of_the_receive_buffer_outlive_everything_else(self, dialect: Dialect) -> None:
        message = dialect.request(1, 1000)
        connection = dialect.codec().connection()
        views = [frame.raw for frame in receive(connection, REQUESTS, [message * 50])]
        del connection
        gc.collect()
        noise = [bytes(1 << 16) for _ in range(50)]
        assert [bytes(view) for view in views] == [message] * 50
        del noise

    def test_a_frame_keeps_its_bytes(self, native: Dialect) -> None:
        data = native.request(1, 100)
        count = sys.getrefcount(data)
        [frame] = native.codec().connection().feed(REQUESTS, data)
        assert sys.getrefcount(data) > count
        del frame
        gc.collect()
        assert sys.getrefcount(data) == count

    def test_a_pair_keeps_both(self, dialect: Dialect) -> None:
        connection = dialect.codec().connection()
        connection.feed(REQUESTS, bytes(bytearray(dialect.request(1, 500))))
        [response] = connection.feed(Direction.SERVER_TO_CLIENT, bytes(bytearray(dialect.response(1, 500))))
        del connection
        gc.collect()
        assert response.request is not None
        assert bytes(response.request) == dialect.request(1, 500)

    def test_an_error_keeps_its_frames(self, dialect: Dialect) -> None:
        connection = dialect.codec().connection()
        with pytest.raises(Exception, match="offset") as caught:
            connection.feed(REQUESTS, dialect.request(1, 4) * 2 + dialect.garbage)
        error = caught.value
        # Another attempt gives the error again; the first one is still the caller's.
        with pytest.raises(type(error)):
            connection.feed(REQUESTS, b"")
        assert [bytes(frame) for frame in error.frames] == [dialect.request(1, 4)] * 2

    def test_connections_are_freed(self) -> None:
        """A frame of a Python codec refers to its codec; nothing refers back in a circle that the collector misses."""
        codec = TOY.codec()
        watch = weakref.ref(codec)
        connection = codec.connection()
        frames = connection.feed(REQUESTS, TOY.request(1, 1))
        assert frames[0].codec is codec
        del codec, connection, frames
        gc.collect()
        assert watch() is None


class TestReceiveBuffer:
    def test_live_views_are_never_written_over(self, dialect: Dialect, cuts: Cuts) -> None:
        """Some frames are kept, some dropped, so that blocks are used again where they may be."""
        messages = [dialect.request(number, 40 * number) for number in range(1, 30)]
        for pieces in list(cuts(b"".join(messages)))[:3]:
            connection = dialect.codec().connection()
            kept: list[tuple[bytes, memoryview]] = []
            count = 0
            for _ in range(4):
                for frame in receive(connection, REQUESTS, pieces):
                    if count % 3 == 0:
                        kept.append((bytes(frame), frame.raw))
                    count += 1
            assert count == 4 * len(messages)
            assert all(view == expected for expected, view in kept)

    def test_the_block_is_used_again(self, native: Dialect) -> None:
        """A connection that keeps up needs one block, not one for each read."""
        message = native.request(1, 1000)
        connection = native.codec().connection()
        ends = set()
        for _ in range(500):
            buffer = connection.get_buffer(REQUESTS)
            ends.add(numpy.frombuffer(buffer, numpy.uint8).ctypes.data + len(buffer))
            buffer[: len(message)] = message
            del buffer
            [frame] = connection.buffer_updated(REQUESTS, len(message))
            assert bytes(frame) == message
            connection.feed(Direction.SERVER_TO_CLIENT, native.response(1, 1))
            del frame
        assert len(ends) < 20

    def test_frames_longer_than_a_block(self, dialect: Dialect) -> None:
        message = dialect.request(1, 300_000)
        connection = dialect.codec().connection()
        frames = receive(connection, REQUESTS, [message + message + dialect.request(2, 4)])
        assert [bytes(frame) for frame in frames] == [message, message, dialect.request(2, 4)]

    def test_it_always_has_room(self, dialect: Dialect) -> None:
        connection = dialect.codec().connection()
        message = dialect.request(1, 300_000)
        for sizehint in (-1, 0, 1, 100, 1 << 30):
            assert 1 <= len(connection.get_buffer(REQUESTS, sizehint)) <= 2 * MIB
        sent = 0
        while sent < len(message):
            buffer = connection.get_buffer(REQUESTS)
            assert not buffer.readonly
            assert len(buffer) >= 1
            count = min(len(buffer), len(message) - sent)
            buffer[:count] = message[sent : sent + count]
            frames = connection.buffer_updated(REQUESTS, count)
            sent += count
        assert [bytes(frame) for frame in frames] == [message]

    def test_nothing_came(self, dialect: Dialect) -> None:
        connection = dialect.codec().connection()
        connection.get_buffer(REQUESTS)
        assert connection.buffer_updated(REQUESTS, 0) == []

    def test_more_than_there_was_room_for(self, dialect: Dialect) -> None:
        connection = dialect.codec().connection()
        room = len(connection.get_buffer(REQUESTS))
        with pytest.raises(ValueError, match=f"room for {room} bytes"):
            connection.buffer_updated(REQUESTS, room + 1)

    def test_without_a_buffer(self, dialect: Dialect) -> None:
        with pytest.raises(ValueError, match="without get_buffer"):
            dialect.codec().connection().buffer_updated(REQUESTS, 0)

    def test_feed_cannot_take_over_in_the_middle_of_a_frame(self, native: Dialect) -> None:
        message = native.request(1, 100)
        connection = native.codec().connection()
        assert receive(connection, REQUESTS, [message[:-5]]) == []
        with pytest.raises(ValueError, match="cannot be mixed"):
            connection.feed(REQUESTS, message[-5:])
        with pytest.raises(ValueError, match="cannot be mixed"):
            connection.feed_batch(REQUESTS, message[-5:])
        # The refused bytes were not taken: the right way goes on where it was.
        assert [bytes(frame) for frame in receive(connection, REQUESTS, [message[-5:]])] == [message]
        # Between frames either may be used.
        assert [bytes(frame) for frame in connection.feed(REQUESTS, message)] == [message]

    def test_the_buffer_cannot_take_over_in_the_middle_of_a_frame(self, native: Dialect) -> None:
        message = native.request(1, 100)
        connection = native.codec().connection()
        connection.feed(REQUESTS, message[:-5])
        with pytest.raises(ValueError, match="cannot be mixed"):
            connection.get_buffer(REQUESTS)
        [frame] = connection.feed(REQUESTS, message[-5:])
        assert bytes(frame) == message

    def test_nothing_can_follow_the_end(self, dialect: Dialect) -> None:
        connection = dialect.codec().connection()
        connection.get_buffer(REQUESTS)
        connection.eof(REQUESTS)
        with pytest.raises(ValueError, match=r"eof\(\)"):
            connection.buffer_updated(REQUESTS, 0)

    @pytest.mark.parametrize("size", [10, 5000, 400_000])
    def test_in_asyncio(self, dialect: Dialect, size: int) -> None:
        """The kernel writes straight into the decoder's buffer."""
        messages = [dialect.request(number, size) for number in range(1, 8)]
        frames: list[Frame] = []
        ended: list[Exception | None] = []

        class Receiver(asyncio.BufferedProtocol):
            def __init__(self) -> None:
                self.connection = dialect.codec().connection()

            def get_buffer(self, sizehint: int) -> memoryview:
                return self.connection.get_buffer(REQUESTS, sizehint)

            def buffer_updated(self, nbytes: int) -> None:
                frames.extend(self.connection.buffer_updated(REQUESTS, nbytes))

            def connection_lost(self, exc: Exception | None) -> None:
                self.connection.eof(REQUESTS)
                ended.append(exc)

        async def talk() -> None:
            loop = asyncio.get_running_loop()
            here, there = socket.socketpair()
            here.setblocking(False)
            there.setblocking(False)
            transport, _ = await loop.create_connection(Receiver, sock=here)
            try:
                await loop.sock_sendall(there, b"".join(messages))
                there.close()
                while not ended:
                    await asyncio.sleep(0.001)
            finally:
                transport.close()
                there.close()

        asyncio.run(talk())
        assert ended == [None]
        assert [bytes(frame) for frame in frames] == messages


class TestClaims:
    """Memory follows the bytes that came, never the length that a peer claims."""

    CLAIM = 1 << 30

    def grown(self, dialect: Dialect, limits: Limits) -> tuple[int, int]:
        """Bytes of memory, resident and virtual, that a header with a huge length makes us take."""
        assert dialect.header_of is not None
        header = dialect.header_of(self.CLAIM)
        connections = [dialect.codec().connection(limits=limits) for _ in range(4)]
        resident, virtual = resident_bytes(), virtual_bytes()
        for connection in connections:
            connection.feed(REQUESTS, header)
            connection.feed(REQUESTS, b"\0" * 10)
            assert connection.missing(REQUESTS) > self.CLAIM // 2
        for connection in (dialect.codec().connection(limits=limits) for _ in range(4)):
            receive(connection, REQUESTS, [header, b"\0" * 10])
            connections.append(connection)
        return resident_bytes() - resident, virtual_bytes() - virtual

    def test_a_claim_within_the_limit(self, dialect: Dialect) -> None:
        if dialect.header_of is None:
            assert dialect.name.startswith("thrift unframed")
            return
        tracemalloc.start()
        try:
            resident, virtual = self.grown(dialect, Limits(max_frame_len=2 * self.CLAIM))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert resident < 16 * MIB
        assert virtual < 64 * MIB
        assert peak < 16 * MIB

    def test_a_claim_over_the_limit_is_refused_at_once(self, dialect: Dialect) -> None:
        if dialect.header_of is None:
            assert dialect.name.startswith("thrift unframed")
            return
        header = dialect.header_of(self.CLAIM)
        virtual = virtual_bytes()
        connection = dialect.codec().connection()
        with pytest.raises(LimitExceeded) as caught:
            connection.feed(REQUESTS, header)
        assert caught.value.value == self.CLAIM
        assert virtual_bytes() - virtual < 16 * MIB

    def test_decode_names_what_is_missing(self, dialect: Dialect) -> None:
        if dialect.header_of is None:
            assert dialect.name.startswith("thrift unframed")
            return
        header = dialect.header_of(1 << 24)
        with pytest.raises(IncompleteFrame) as caught:
            dialect.codec().decode(header + b"\0" * 9)
        assert caught.value.missing == (1 << 24) - len(header) - 9

    def test_a_long_string_in_a_body(self) -> None:
        """A Hessian binary that claims 60,000 bytes and has none ends the body walk, not the memory."""
        body = DUBBO.request(1, 1)[16:]
        broken = body[: body.index(b"B\x00\x01")] + b"A\xea\x60"
        message = DUBBO.request(1, 1)[:12] + len(broken).to_bytes(4, "big") + broken
        frame = DUBBO.codec().decode(message)
        virtual = virtual_bytes()
        with pytest.raises(Exception, match="runs over the end"):
            frame.metadata.get("group")
        assert virtual_bytes() - virtual < 16 * MIB
