"""Splitting a stream into frames and reading their headers, ours against what Python programs use today."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from peers import PureDubboSplitter, PureSplitter, apache_headers, thriftpy2_framed, thriftpy2_headers
from streams import CHUNKS, SIZES, chunks, stream, thrift_frame

import metaprotocol

if TYPE_CHECKING:
    from collections.abc import Callable

CLIENT = metaprotocol.Direction.CLIENT_TO_SERVER
PURE = {"thrift": PureSplitter, "dubbo": PureDubboSplitter}


def name(protocol: str, size: int, chunk: int) -> str:
    return f"{protocol}, {size} B frames, {chunk >> 10} KiB reads"


@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("protocol", ["thrift", "dubbo"])
class TestSplit:
    def test_pure_python(self, race: Callable[..., None], protocol: str, size: int, chunk: int) -> None:
        data, count = chunks(protocol, size, chunk)

        def run() -> int:
            splitter = PURE[protocol]()
            return sum(len(splitter.feed(part)) for part in data)

        race(name(protocol, size, chunk), "pure Python (struct)", run, count, size=size)

    def test_object(self, race: Callable[..., None], protocol: str, size: int, chunk: int) -> None:
        data, count = chunks(protocol, size, chunk)
        codec = metaprotocol.get_codec(protocol)

        def run() -> int:
            connection = codec.connection()
            return sum(len(connection.feed(CLIENT, part)) for part in data)

        race(name(protocol, size, chunk), "metaprotocol feed", run, count, size=size)

    def test_batch(self, race: Callable[..., None], protocol: str, size: int, chunk: int) -> None:
        data, count = chunks(protocol, size, chunk)
        codec = metaprotocol.get_codec(protocol)

        def run() -> int:
            connection = codec.connection()
            total = 0
            for part in data:
                batch = connection.feed_batch(CLIENT, part)
                total += len(batch.offsets)
                batch.lengths, batch.kinds, batch.request_ids  # noqa: B018 -- columns are made when asked for
            return total

        race(name(protocol, size, chunk), "metaprotocol feed_batch", run, count, size=size)

    def test_batch_column(self, race: Callable[..., None], protocol: str, size: int, chunk: int) -> None:
        data, count = chunks(protocol, size, chunk)
        codec = metaprotocol.get_codec(protocol)

        def run() -> int:
            connection = codec.connection()
            total = 0
            for part in data:
                batch = connection.feed_batch(CLIENT, part, columns=["method"])
                total += len(batch.offsets)
            return total

        race(name(protocol, size, chunk), "metaprotocol feed_batch + method", run, count, size=size)


@pytest.mark.parametrize("size", SIZES)
class TestThriftLibraries:
    def test_thriftpy2(self, race: Callable[..., None], size: int) -> None:
        _, count = stream("thrift", size)
        messages = [thrift_frame(size, number)[4:] for number in range(1, count + 1)]
        race(
            name("thrift", size, CHUNKS[0]),
            "thriftpy2, messages cut for it",
            thriftpy2_headers(messages),
            count,
            size=size,
        )

    def test_thriftpy2_framed(self, race: Callable[..., None], size: int) -> None:
        data, count = stream("thrift", size)
        race(name("thrift", size, CHUNKS[0]), "thriftpy2, framed", thriftpy2_framed(data, count), count, size=size)

    def test_apache(self, race: Callable[..., None], size: int) -> None:
        data, count = stream("thrift", size)
        race(
            name("thrift", size, CHUNKS[0]),
            "Apache Thrift (accelerated)",
            apache_headers(data, count),
            count,
            size=size,
        )


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("protocol", ["thrift", "dubbo"])
def test_one_buffer(race: Callable[..., None], protocol: str, size: int) -> None:
    """Only headers are touched: with no frame cut by a read, frames per second do not depend on their size."""
    data, count = stream(protocol, size, 64 << 20)
    codec = metaprotocol.get_codec(protocol)

    def run() -> int:
        return len(codec.connection().feed_batch(CLIENT, data).offsets)

    race(
        f"{protocol}, the whole stream in one buffer",
        f"metaprotocol feed_batch, {size} B frames",
        run,
        count,
        size=size,
    )
