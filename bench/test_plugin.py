"""A compiled plugin against a built-in codec: VideoPacket, in Cython behind the C ABI, and Thrift, in Rust.

The protocols differ (VideoPacket tells its request id behind a walk over seven JCE fields), so the ratio says what a
plugin can do, not what the ABI costs: `cargo bench -p metaprotocol-plugin` measures that, with one codec on both sides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from streams import chunks

import metaprotocol

if TYPE_CHECKING:
    from collections.abc import Callable

CLIENT = metaprotocol.Direction.CLIENT_TO_SERVER
KEYS = {"thrift": "method", "videopacket": "command"}


@pytest.mark.parametrize("size", [128, 512, 4096])
@pytest.mark.parametrize("protocol", ["thrift", "videopacket"])
class TestPlugin:
    def test_batch(self, race: Callable[..., None], protocol: str, size: int) -> None:
        data, count = chunks(protocol, size, 16 << 10)
        codec = metaprotocol.get_codec(protocol)

        def run() -> int:
            connection = codec.connection()
            return sum(len(connection.feed_batch(CLIENT, part).offsets) for part in data)

        race(f"plugin, {size} B frames, 16 KiB reads", f"{protocol} feed_batch", run, count, size=size)

    def test_batch_column(self, race: Callable[..., None], protocol: str, size: int) -> None:
        data, count = chunks(protocol, size, 16 << 10)
        codec = metaprotocol.get_codec(protocol)
        key = KEYS[protocol]

        def run() -> int:
            connection = codec.connection()
            return sum(len(connection.feed_batch(CLIENT, part, columns=[key]).offsets) for part in data)

        race(f"plugin, {size} B frames, 16 KiB reads", f"{protocol} feed_batch + {key}", run, count, size=size)
