"""Several protocols on one port of the proxy: the first bytes of each connection say which it is."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
from interop.bootstrap import any_of, cluster, proxied, route
from interop.peers.redis.redis_servers import Server
from interop.proxy import HOST, PATIENCE
from interop.running import Client, running
from interop.test_dubbo import outcome
from interop.test_redis import SPEAKERS, connected
from interop.test_thrift import outcomes

pytestmark = [pytest.mark.interop, pytest.mark.timeout(90, func_only=True)]


def test_clients_of_three_protocols(
    dubbo: str, dubbo_server: Callable[[str], int], thrift: dict[str, list[str]], redis_server: Server
) -> None:
    """Dubbo, Thrift and Redis at once, each as without a proxy; what is none of them is passed on as it is."""
    routes = [
        route("dubbo", match=[{"name": "interface", "present_match": True}]),
        route("thrift", match=[{"name": "seq_id", "present_match": True}]),
        route("redis"),
    ]
    call = [dubbo, "client", "--line", "3", "--scenario", "interop"]
    redis_server("FLUSHALL")
    with (
        running([*thrift["apache-py"], "server"]) as thrift_port,
        proxied(
            any_of("dubbo", "thrift", "redis", timeout="1s", unknown_to="redis"),
            routes,
            [
                cluster("dubbo", dubbo_server("3")),
                cluster("thrift", thrift_port),
                cluster("redis", redis_server.port),
            ],
        ) as between,
    ):
        speak = [*thrift["apache-py"], "client", "--scenario", "interop"]
        with (
            Client(call, between.port) as one,
            Client(call, dubbo_server("3")) as one_directly,
            Client(speak, between.port) as two,
            Client(speak, thrift_port) as two_directly,
        ):
            for number, speaker in enumerate(SPEAKERS):
                with connected(speaker.client(between.port)) as client:
                    assert client.incr("counter") == number + 1
                    assert client.echo("wörld") == "wörld".encode()
            assert list(map(outcome, one.calls())) == list(map(outcome, one_directly.calls()))
            assert outcomes(two.calls()) == outcomes(two_directly.calls())
        assert between.stat("detected") == between.stat("downstream_cx_total") == 6
        assert between.stat("detect_failed") == between.stat("route_not_found") == 0
        assert between.requests("thrift") > 10

        # The server that it is passed on to says what it thinks of it.
        with socket.create_connection((HOST, between.port), PATIENCE) as stranger:
            stranger.sendall(b"\x01\x02 nothing that is known\r\n")
            assert stranger.recv(100).startswith(b"-ERR unknown command")
        assert between.stat("detect_failed") == 1


def test_strangers_are_sent_away(redis_server: Server) -> None:
    """Without a cluster for them, connections of no known protocol are closed, and silent ones after a while."""
    with proxied(
        any_of("dubbo", "redis", timeout="0.3s"), [route("redis")], [cluster("redis", redis_server.port)]
    ) as between:
        with socket.create_connection((HOST, between.port), PATIENCE) as stranger:
            stranger.sendall(b"\x01\x02 nothing that is known\r\n")
            assert stranger.recv(100) == b""
        with socket.create_connection((HOST, between.port), PATIENCE) as silent:
            assert silent.recv(100) == b""
        assert between.stat("detect_failed") == 2
        assert between.stat("detected") == 0
