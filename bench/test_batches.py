"""The protocols with a header that tells a frame's length, side by side: *feed_batch* with all its columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from streams import CHUNKS, chunks

import metaprotocol

if TYPE_CHECKING:
    from collections.abc import Callable

CLIENT = metaprotocol.Direction.CLIENT_TO_SERVER


@pytest.mark.parametrize("size", [256, 1024])
@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize("protocol", ["thrift", "dubbo", "brpc", "kafka", "trpc"])
def test_batches(race: Callable[..., None], protocol: str, chunk: int, size: int) -> None:
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

    race(f"{size} B frames, {chunk >> 10} KiB reads", protocol, run, count, size=size)
