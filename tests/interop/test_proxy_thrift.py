"""Thrift through the proxy: Apache's libraries and thriftpy2, in every transport and protocol that they speak."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import thriftpy2
from interop.bootstrap import Between, Message, cluster, proxied, route
from interop.proxy import HOST
from interop.running import Call, Client, free_port, run, running
from interop.test_thrift import FORMATS, PIPELINED, WITH_HEADERS, Format, outcomes
from thriftpy2.protocol import TBinaryProtocolFactory
from thriftpy2.rpc import make_client, make_server
from thriftpy2.thrift import TApplicationException
from thriftpy2.transport import TFramedTransportFactory

pytestmark = [pytest.mark.interop, pytest.mark.timeout(60, func_only=True)]

BLUE, GREEN = "blue", "green"
RESET = "meta protocol upstream request: remote connection failure"
NO_ROUTE = "meta protocol router: no route matches"


def method(name: str) -> list[Message]:
    return [{"name": "method_name", "exact_match": name}]


@dataclass
class Talk:
    """A format, with a server that runs."""

    format: Format
    port: int
    client: list[str]

    def command(self, scenario: str, count: int = PIPELINED) -> list[str]:
        return [*self.client, "client", *self.format.options, "--scenario", scenario, "--count", str(count)]

    @cached_property
    def direct(self) -> list[Call]:
        return run(self.command("interop"), self.port)

    @property
    def through_proxy(self) -> list[Call]:
        """What the client is to see: the same, but that it keeps its connection where a server closes its own."""
        expected = outcomes(self.direct)
        for number, call in enumerate(expected):
            if call["outcome"] == "broken":
                assert self.format.server == "thriftpy2"
                call |= {"outcome": "application", "class": "TApplicationException", "type": 6, "message": RESET}
                call["reply"] = "exception"
                for later in expected[number + 1 :]:
                    later["conn"] -= 1
        return expected


@pytest.fixture(scope="module", params=FORMATS, ids=str)
def talk(request: pytest.FixtureRequest, thrift: dict[str, list[str]]) -> Iterator[Talk]:
    chosen: Format = request.param
    with running([*thrift[chosen.server], "server", *chosen.options]) as port:
        yield Talk(chosen, port, thrift[chosen.client])


def test_calls_are_routed_by_method(talk: Talk) -> None:
    """All of them are as without a proxy, those of one method by way of another cluster."""
    clusters = [cluster(BLUE, talk.port), cluster(GREEN, talk.port)]
    with proxied("thrift", [route(GREEN, match=method("add")), route(BLUE)], clusters) as between:
        calls = run(talk.command("interop"), between.port)
        assert outcomes(calls) == talk.through_proxy
        assert between.requests(GREEN) == sum(call["method"] == "add" for call in calls) == 2
        oneway = [call for call in calls if call["message_type"] == "oneway"]
        assert between.stat("request_oneway") == len(oneway)
        assert between.requests(BLUE) == len(calls) - 2 - len(oneway)
        assert between.stat("request_decoding_error") == 0
        assert between.stat("downstream_cx_total") == len({call["conn"] for call in calls})


def test_what_has_no_route_is_refused(talk: Talk) -> None:
    """The client reads why, and its connection goes on."""
    routes = [route(BLUE, match=[{"name": "method_name", "safe_regex_match": {"regex": "say.*|ping|notify"}}])]
    with proxied("thrift", routes, [cluster(BLUE, talk.port)]) as between:
        calls = run(talk.command("interop"), between.port)
        assert [call["method"] for call in calls] == [call["method"] for call in talk.direct]
        assert {call["conn"] for call in calls} == {0}
        for call, direct in zip(calls, talk.direct, strict=True):
            if call["method"] in ("sayHello", "ping", "notify"):
                assert (call["outcome"], call["value"]) == (direct["outcome"], direct["value"])
            else:
                assert (call["outcome"], call["type"], call["message"]) == ("application", 1, NO_ROUTE)
        refused = sum(call["outcome"] == "application" for call in calls)
        assert refused >= 9
        assert between.stat("route_not_found") == between.stat("local_response_business_exception") == refused


def test_many_clients_share_connections(talk: Talk) -> None:
    """Two with all their calls under way at once, one with twenty connections; all use the same ids."""
    with (
        proxied("thrift", [route(BLUE)], [cluster(BLUE, talk.port)]) as between,
        Client(talk.command("pipelined"), between.port) as one,
        Client(talk.command("pipelined"), between.port) as two,
        Client(talk.command("connections", 20), between.port) as many,
    ):
        for client in (one, two):
            assert [call["value"] for call in client.calls()] == [
                f"Hello caller {number}" if number % 2 else 1001 * number for number in range(PIPELINED)
            ]
        calls = many.calls()
        assert len(calls) == 80
        for call in calls:
            assert call["value"] == {"ping": None, "add": 3}.get(call["method"], f"Hello {call['args'].get('1')}")
        assert between.stat("cluster.blue.upstream_cx_total") == 1
        assert between.stat("downstream_cx_total") == 22


@pytest.mark.parametrize("talk", WITH_HEADERS, indirect=True, ids=str)
def test_headers_route_and_are_set(talk: Talk) -> None:
    """Info headers are metadata: they are matched, set in calls and set in answers."""
    routes = [
        route(
            GREEN,
            match=[{"name": "x-route", "prefix_match": "bl"}],
            request={"x-user": "mallory 世界", "x-added": "by the proxy"},
            response={"x-proxied": "да"},
        ),
        route(BLUE),
    ]
    clusters = [cluster(BLUE, talk.port), cluster(GREEN, talk.port)]
    with proxied("thrift", routes, clusters) as between:
        calls = run(talk.command("interop"), between.port)
        assert between.requests(GREEN) == 1
    [asked] = [call for call in talk.direct if call["method"] == "headers"]
    [got] = [call for call in calls if call["method"] == "headers"]
    assert got["value"] == {**asked["value"], "x-user": "mallory 世界", "x-added": "by the proxy"}
    assert got["received_headers"]["x-proxied"] == "да"


DEMO: Any = thriftpy2.load(str(Path(__file__).parent / "peers/thrift/demo.thrift"), module_name="demo_thrift")
FRAMED = {"proto_factory": TBinaryProtocolFactory(), "trans_factory": TFramedTransportFactory()}


class Greeter:
    """A server's side that remembers what it was told."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.noted: list[str] = []
        self.noted_enough = threading.Event()
        self.go_on = threading.Event()

    def sayHello(self, name: str) -> str:  # noqa: N802 -- of the IDL
        if name == "slow":
            self.go_on.wait(20)
        return f"{self.name}: {name}"

    def add(self, a: int, b: int) -> int:
        return a + b

    def notify(self, event: str) -> None:
        self.noted.append(event)
        if len(self.noted) == 3:
            self.noted_enough.set()


@contextmanager
def greeting(*names: str) -> Iterator[list[tuple[Greeter, int]]]:
    """Servers of thriftpy2 in this process, and their ports."""
    with ExitStack() as stack:
        servers = []
        for name in names:
            greeter, port = Greeter(name), free_port()
            server: Any = make_server(DEMO.Greeter, greeter, HOST, port, client_timeout=None, **FRAMED)
            server.daemon = True
            server.trans.listen()
            server.trans.listen = lambda: None
            threading.Thread(target=server.serve, daemon=True).start()
            stack.callback(server.close)
            stack.callback(greeter.go_on.set)
            servers.append((greeter, port))
        yield servers


def connected(between: Between) -> Any:
    return closing(make_client(DEMO.Greeter, HOST, between.port, timeout=20_000, **FRAMED))


def test_one_way_calls_arrive() -> None:
    with (
        greeting("one") as [(greeter, port)],
        proxied("thrift", [route(BLUE)], [cluster(BLUE, port)]) as between,
        connected(between) as client,
    ):
        for event in ("first", "second", "third"):
            client.notify(event)
        assert greeter.noted_enough.wait(20)
        assert greeter.noted == ["first", "second", "third"]
        # Nothing stands between this answer and the call.
        assert client.sayHello("after") == "one: after"
        assert between.stat("request_oneway") == 3
        assert between.stat("request_active") == 0


def test_equal_ids_are_answered_in_order() -> None:
    """thriftpy2 sends the id 0 in every call: many under way on one connection, of many clients at once."""
    clients, calls = 16, 60

    def talk(number: int) -> None:
        with connected(between) as client:
            for first in range(0, calls, 10):
                for call in range(first, first + 10):
                    client._send("sayHello", name=f"{number}/{call}")
                for call in range(first, first + 10):
                    assert client._recv("sayHello") == f"one: {number}/{call}"

    with (
        greeting("one") as [(_, port)],
        proxied("thrift", [route(BLUE)], [cluster(BLUE, port)], workers=2) as between,
        ThreadPoolExecutor(clients) as pool,
    ):
        for done in [pool.submit(talk, number) for number in range(clients)]:
            done.result(45)
        assert between.stat("response_success") == clients * calls
        assert between.stat("upstream_rq_unmatched") == 0
        assert between.stat("cluster.blue.upstream_cx_total") <= 2


def test_weights_share_calls_out() -> None:
    with (
        greeting("one", "two") as [(_, one), (_, two)],
        proxied("thrift", [route({BLUE: 80, GREEN: 20})], [cluster(BLUE, one), cluster(GREEN, two)]) as between,
        connected(between) as client,
    ):
        told = [client.sayHello(f"{number}") for number in range(500)]
        assert [each.partition(": ")[2] for each in told] == [f"{number}" for number in range(500)]
        # Four standard deviations are 36.
        assert 64 <= sum(each.startswith("two") for each in told) <= 136


def test_answers_that_do_not_come_are_made() -> None:
    """A call that takes too long, one to a host that is gone, one to none: each is told, and the connection stays."""
    routes = [
        route("slow", match=method("sayHello"), timeout="0.3s"),
        route("gone", match=method("add")),
        route("empty"),
    ]
    with (
        greeting("one") as [(greeter, port)],
        proxied("thrift", routes, [cluster("slow", port), cluster("gone", free_port()), cluster("empty")]) as between,
        connected(between) as client,
    ):
        with pytest.raises(TApplicationException, match="no answer in time"):
            client.sayHello("slow")
        # Its thread serves one call after another, and the proxy sends all by one connection.
        greeter.go_on.set()
        with pytest.raises(TApplicationException, match="could not be reached"):
            client.add(1, 2)
        with pytest.raises(TApplicationException, match="no healthy upstream"):
            client.ping()
        assert client.sayHello("quick") == "one: quick"
        assert between.stat("request_timeout") == 1
        assert between.stat("cluster.gone.upstream_cx_connect_fail") == 1
        assert between.stat("no_healthy_upstream") == 1
