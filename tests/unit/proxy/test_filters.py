"""Filters written in Python, in the chain of a live proxy."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

import metaprotocol
from metaprotocol import Direction, ErrorType, Kind, proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DUBBO = metaprotocol.get_codec("dubbo")


def call(number: int, method: str) -> bytes:
    """A Dubbo request without arguments and attachments."""

    def text(value: str) -> bytes:
        return bytes([len(value)]) + value.encode()

    body = text("2.0.2") + text("demo.Hello") + text("0.0.0") + text(method) + text("") + b"H" + b"Z"
    return b"\xda\xbb\xc2\x00" + number.to_bytes(8) + len(body).to_bytes(4) + body


def answer(number: int) -> bytes:
    """A Dubbo result that is null, with attachments."""
    body = b"\x95" + b"H" + b"Z"
    return b"\xda\xbb\x02\x14" + number.to_bytes(8) + len(body).to_bytes(4) + body


class Host:
    """A Dubbo provider that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = DUBBO.connection()
        while data := await reader.read(1 << 16):
            for frame in connection.feed(Direction.CLIENT_TO_SERVER, data):
                self.asked.append(dict(frame.metadata))
                if frame.kind is Kind.REQUEST:
                    assert isinstance(frame.request_id, int)
                    writer.write(answer(frame.request_id))
        writer.close()


class Client:
    """A client that gives up after five seconds."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.connection = DUBBO.connection()

    async def read(self, count: int) -> list[metaprotocol.Frame]:
        frames: list[metaprotocol.Frame] = []
        async with asyncio.timeout(5):
            while len(frames) < count:
                data = await self.reader.read(1 << 16)
                assert data, "the connection was closed"
                frames += self.connection.feed(Direction.SERVER_TO_CLIENT, data)
        return frames


@asynccontextmanager
async def served(**filters: proxy.Filter) -> AsyncIterator[tuple[Client, Host, proxy.Proxy]]:
    host = Host()
    server = await asyncio.start_server(host.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    config = {
        "static_resources": {
            "listeners": [
                {
                    "name": "dubbo",
                    "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
                    "filter_chains": [
                        {
                            "filters": [
                                {
                                    "name": "aeraki.meta_protocol_proxy",
                                    "typed_config": {
                                        "@type": "type.googleapis.com/aeraki.meta_protocol_proxy.v1alpha"
                                        ".MetaProtocolProxy",
                                        "stat_prefix": "test",
                                        "application_protocol": "dubbo",
                                        "codec": {"name": "aeraki.meta_protocol.codec.dubbo"},
                                        "meta_protocol_filters": [
                                            *({"name": name} for name in filters),
                                            {"name": "aeraki.meta_protocol.filters.router"},
                                        ],
                                        "route_config": {
                                            "name": "all",
                                            "routes": [{"name": "everything", "route": {"cluster": "host"}}],
                                        },
                                    },
                                }
                            ]
                        }
                    ],
                }
            ],
            "clusters": [
                {
                    "name": "host",
                    "type": "STATIC",
                    "connect_timeout": "1s",
                    "load_assignment": {
                        "cluster_name": "host",
                        "endpoints": [
                            {
                                "lb_endpoints": [
                                    {
                                        "endpoint": {
                                            "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}
                                        }
                                    }
                                ]
                            }
                        ],
                    },
                }
            ],
        }
    }
    running = proxy.Proxy(config, workers=1, filters=filters)
    assert running.problems == ()
    async with server, running.running():
        reader, writer = await asyncio.open_connection(*running.addresses()["dubbo"])
        yield Client(reader, writer), host, running
        writer.close()


def run(body: Any) -> None:
    asyncio.run(asyncio.wait_for(body(), 20))


def test_requests_and_answers_are_changed() -> None:
    class Stamp(proxy.Filter):
        def on_request(self, message: proxy.Message) -> None:
            assert (message.listener, message.route) == ("dubbo", "everything")
            message.set("stamp", f"{message.get('method')} of {message.get('interface')}")

        def on_response(self, message: proxy.Message) -> None:
            assert message.frame.kind is Kind.RESPONSE
            message.set("seen", "yes")

    async def body() -> None:
        async with served(stamp=Stamp()) as (client, host, _):
            client.writer.write(b"".join(call(number, f"m{number}") for number in range(20)))
            frames = await client.read(20)
            assert sorted(frame.request_id for frame in frames) == list(range(20))
            assert {frame.metadata["seen"] for frame in frames} == {"yes"}
            assert {asked["stamp"] for asked in host.asked} == {f"m{number} of demo.Hello" for number in range(20)}

    run(body)


def test_a_slow_filter_makes_only_its_own_messages_wait() -> None:
    class Slow(proxy.Filter):
        def on_request(self, message: proxy.Message) -> None:
            if message.get("method") == "slow":
                time.sleep(1)

    async def body() -> None:
        async with served(slow=Slow()) as (client, _, _running):
            begun = time.monotonic()
            client.writer.write(call(1, "slow") + b"".join(call(number, "quick") for number in range(2, 50)))
            quick = await client.read(48)
            took = time.monotonic() - begun
            assert 1 not in [frame.request_id for frame in quick]
            assert took < 1, "the quick ones waited for the slow one"
            assert [frame.request_id for frame in await client.read(1)] == [1]

    run(body)


def test_a_filter_that_raises_harms_its_own_requests_only(caplog: pytest.LogCaptureFixture) -> None:
    class Raises(proxy.Filter):
        async def on_request(self, message: proxy.Message) -> None:
            await asyncio.sleep(0)
            if message.get("method") == "bad":
                raise ValueError("not that one")
            if message.get("method") == "no":
                message.refuse(ErrorType.DENIED, "not for you")

    async def body() -> None:
        async with served(raises=Raises()) as (client, host, running):
            client.writer.write(call(1, "bad") + call(2, "good") + call(3, "no"))
            frames = {frame.request_id: frame for frame in await client.read(3)}
            assert {number: frame.kind for number, frame in frames.items()} == {
                1: Kind.ERROR,
                2: Kind.RESPONSE,
                3: Kind.ERROR,
            }
            assert b"'raises' failed: ValueError" in bytes(frames[1].raw)
            assert b"not for you" in bytes(frames[3].raw)
            assert [asked["method"] for asked in host.asked] == ["good"]
            stats = running.stats()
            assert stats["meta_protocol.dubbo.test.denied"] == 1
            assert stats["meta_protocol.dubbo.test.request_active"] == 0

    run(body)
    assert "not that one" in caplog.text


def test_filters_run_in_their_order() -> None:
    class First(proxy.Filter):
        def on_request(self, message: proxy.Message) -> None:
            message.set("trace", "first")

    class Second(proxy.Filter):
        def on_request(self, message: proxy.Message) -> None:
            message.set("trace", f"{message.get('trace')}, second")

    async def body() -> None:
        async with served(first=First(), second=Second()) as (client, host, _):
            client.writer.write(call(1, "hello"))
            await client.read(1)
            assert host.asked[0]["trace"] == "first, second"

    run(body)


def test_a_client_that_leaves_meanwhile_is_forgotten() -> None:
    class Slow(proxy.Filter):
        def on_request(self, message: proxy.Message) -> None:
            time.sleep(0.2)

    async def body() -> None:
        async with served(slow=Slow()) as (client, _, running):
            client.writer.write(call(1, "hello"))
            await client.writer.drain()
            client.writer.transport.abort()
            async with asyncio.timeout(5):
                while running.stats().get("listener.dubbo.downstream_cx_active", 1) > 0:
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.3)
            assert running.stats()["cluster.host.upstream_rq_active"] == 0

    run(body)
