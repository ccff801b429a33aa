"""tRPC: the header message of each request, beside Google's protobuf package."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from kit.trpc_messages import message_class
from streams import stream

import metaprotocol

if TYPE_CHECKING:
    from collections.abc import Callable

CLIENT = metaprotocol.Direction.CLIENT_TO_SERVER
SIZE = 256
FIXED = struct.Struct("!4xIH6x")


class TestHeaderMessage:
    """func, callee and request id of each request."""

    GROUP = f"trpc headers, {SIZE} B frames"

    def test_protobuf(self, race: Callable[..., None]) -> None:
        data, count = stream("trpc", SIZE)
        parse = message_class("RequestProtocol").FromString

        def run() -> int:
            at = found = 0
            while at < len(data):
                total, length = FIXED.unpack_from(data, at)
                message = parse(data[at + 16 : at + 16 + length])
                found += (message.func, message.callee, message.request_id) != (b"", b"", 0)
                at += total
            return found

        race(self.GROUP, "protobuf (upb)", run, count, size=SIZE)

    def test_batch(self, race: Callable[..., None]) -> None:
        data, count = stream("trpc", SIZE)
        codec = metaprotocol.get_codec("trpc")

        def run() -> int:
            batch = codec.connection().feed_batch(CLIENT, data, columns=["func", "callee"])
            batch.request_ids  # noqa: B018 -- the column is made when asked for
            return len(batch.offsets)

        race(self.GROUP, "metaprotocol feed_batch, func, callee and id", run, count, size=SIZE)

    def test_object(self, race: Callable[..., None]) -> None:
        data, count = stream("trpc", SIZE)
        codec = metaprotocol.get_codec("trpc")

        def run() -> int:
            found = 0
            for frame in codec.connection().feed(CLIENT, data):
                metadata = frame.metadata
                found += (metadata["func"], metadata["callee"], frame.request_id) != ("", "", 0)
            return found

        race(self.GROUP, "metaprotocol feed, func, callee and id", run, count, size=SIZE)
