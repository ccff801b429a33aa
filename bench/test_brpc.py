"""bRPC: the meta of each request, beside Google's protobuf package."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from kit.brpc_messages import MESSAGES
from streams import stream

import metaprotocol

if TYPE_CHECKING:
    from collections.abc import Callable

CLIENT = metaprotocol.Direction.CLIENT_TO_SERVER
SIZE = 256
HEADER = struct.Struct("!4xII")


class TestMeta:
    """Service, method and correlation id of each request."""

    GROUP = f"brpc metas, {SIZE} B frames"

    def test_protobuf(self, race: Callable[..., None]) -> None:
        data, count = stream("brpc", SIZE)
        parse = MESSAGES["RpcMeta"].FromString

        def run() -> int:
            at = found = 0
            while at < len(data):
                body, length = HEADER.unpack_from(data, at)
                meta = parse(data[at + 12 : at + 12 + length])
                request = meta.request
                found += (request.service_name, request.method_name, meta.correlation_id) != ("", "", 0)
                at += 12 + body
            return found

        race(self.GROUP, "protobuf (upb)", run, count, size=SIZE)

    def test_batch(self, race: Callable[..., None]) -> None:
        data, count = stream("brpc", SIZE)
        codec = metaprotocol.get_codec("brpc")

        def run() -> int:
            batch = codec.connection().feed_batch(CLIENT, data, columns=["service", "method"])
            batch.request_ids  # noqa: B018 -- the column is made when asked for
            return len(batch.offsets)

        race(self.GROUP, "metaprotocol feed_batch, service, method and id", run, count, size=SIZE)

    def test_object(self, race: Callable[..., None]) -> None:
        data, count = stream("brpc", SIZE)
        codec = metaprotocol.get_codec("brpc")

        def run() -> int:
            found = 0
            for frame in codec.connection().feed(CLIENT, data):
                metadata = frame.metadata
                found += (metadata["service"], metadata["method"], frame.request_id) != ("", "", 0)
            return found

        race(self.GROUP, "metaprotocol feed, service, method and id", run, count, size=SIZE)
