"""Kafka: requests split and their headers read, against kafka-python's own reading of the same headers."""

from __future__ import annotations

import struct
import warnings
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from streams import kafka_frame

import metaprotocol

if TYPE_CHECKING:
    from collections.abc import Callable

CLIENT = metaprotocol.Direction.CLIENT_TO_SERVER
HEADER = ["api_key", "api_version", "correlation_id", "client_id"]
SIZES = (128, 4096)
COUNT = 4096


@cache
def requests(size: int) -> bytes:
    """Fetch requests of `size` bytes."""
    return b"".join(kafka_frame(size, number) for number in range(COUNT))


@pytest.mark.parametrize("size", SIZES)
class TestRequests:
    def name(self, size: int) -> str:
        return f"kafka, {size} B requests in one buffer"

    def test_kafka_python(self, race: Callable[..., None], size: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            from kafka.protocol.api_header import RequestHeader

        data = requests(size)

        def run() -> int:
            at = count = 0
            while at < len(data):
                (length,) = struct.unpack_from("!i", data, at)
                # All that a header can take is cut off for it, so that it does not pay for bodies.
                RequestHeader.decode(BytesIO(data[at + 4 : at + 64]), flexible=True)
                at += 4 + length
                count += 1
            return count

        race(self.name(size), "kafka-python, RequestHeader.decode", run, COUNT, size=size)

    def test_object(self, race: Callable[..., None], size: int) -> None:
        codec, data = metaprotocol.get_codec("kafka"), requests(size)
        race(self.name(size), "metaprotocol feed", lambda: len(codec.connection().feed(CLIENT, data)), COUNT, size=size)

    def test_batch(self, race: Callable[..., None], size: int) -> None:
        codec, data = metaprotocol.get_codec("kafka"), requests(size)

        def run() -> int:
            batch = codec.connection().feed_batch(CLIENT, data)
            batch.lengths, batch.kinds, batch.request_ids  # noqa: B018 -- columns are made when asked for
            return len(batch.offsets)

        race(self.name(size), "metaprotocol feed_batch", run, COUNT, size=size)

    def test_batch_header(self, race: Callable[..., None], size: int) -> None:
        codec, data = metaprotocol.get_codec("kafka"), requests(size)

        def run() -> int:
            batch = codec.connection().feed_batch(CLIENT, data, columns=HEADER)
            for key in HEADER:
                batch.column(key)
            return len(batch.offsets)

        race(self.name(size), "metaprotocol feed_batch + header fields", run, COUNT, size=size)
