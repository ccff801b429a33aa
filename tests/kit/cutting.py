"""Ways to cut a stream. Whatever the cut, the frames must be the same."""

from __future__ import annotations

import random
from collections.abc import Iterator

from metaprotocol import Connection, Frame


def whole(data: bytes) -> Iterator[list[bytes]]:
    yield [data]


def byte_by_byte(data: bytes) -> Iterator[list[bytes]]:
    yield [data[at : at + 1] for at in range(len(data))]


def at_each_offset(data: bytes) -> Iterator[list[bytes]]:
    """In two, at every place; in long streams at 600 places, all of them near the start or the end or spread evenly."""
    step = max(1, len(data) // 200)
    places = sorted(
        {*range(min(200, len(data))), *range(0, len(data), step), *range(max(0, len(data) - 200), len(data))}
    )
    for at in places:
        yield [data[:at], data[at:]]


def at_random(data: bytes) -> Iterator[list[bytes]]:
    chance = random.Random(len(data))
    for _ in range(20):
        places = sorted(chance.sample(range(len(data) + 1), min(len(data) + 1, chance.randrange(1, 12))))
        yield [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


CUTTINGS = {
    "whole": whole,
    "byte by byte": byte_by_byte,
    "at each offset": at_each_offset,
    "at random": at_random,
}

# What a frame is, apart from the memory it lies in.
Seen = tuple[object, ...]


def seen(frame: Frame) -> Seen:
    return (frame.kind, frame.request_id, frame.stream_id, frame.offset, bytes(frame.header), bytes(frame.body))


def feed(connection: Connection, direction: int, pieces: list[bytes]) -> list[Frame]:
    """Every frame that the pieces complete."""
    return [frame for piece in pieces for frame in connection.feed(direction, piece)]


def receive(connection: Connection, direction: int, pieces: list[bytes]) -> list[Frame]:
    """The same through `get_buffer` and `buffer_updated`, as a socket would fill them."""
    frames: list[Frame] = []
    for piece in pieces:
        rest = piece
        while rest:
            buffer = connection.get_buffer(direction, len(rest))
            count = min(len(buffer), len(rest))
            buffer[:count] = rest[:count]
            frames += connection.buffer_updated(direction, count)
            rest = rest[count:]
    return frames
