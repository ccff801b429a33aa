"""bRPC's protocols through the proxy, between peers by brpc-java."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from interop.bootstrap import cluster, proxied, route
from interop.running import Call, Client, run
from interop.test_brpc import PROTOCOLS, WITH_IDS, received

pytestmark = [pytest.mark.interop, pytest.mark.timeout(90, func_only=True)]

BLUE, GREEN = "blue", "green"


@dataclass(frozen=True)
class Talk:
    """A client and a server of one protocol."""

    protocol: str
    program: str
    port: int

    def command(self, scenario: str, *options: str) -> list[str]:
        return [self.program, "client", "--protocol", self.protocol, "--scenario", scenario, *options]

    def direct(self, scenario: str) -> list[Call]:
        return run(self.command(scenario), self.port)


@pytest.fixture
def talk(request: pytest.FixtureRequest, brpc: str, brpc_server: Callable[[str], int]) -> Talk:
    return Talk(request.param, brpc, brpc_server(request.param))


def of(*protocols: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("talk", protocols, indirect=True)


@of(*PROTOCOLS)
def test_clients_see_no_proxy(talk: Talk) -> None:
    """Log ids, fields of users, attachments."""
    with proxied(talk.protocol, [route(BLUE)], [cluster(BLUE, talk.port)]) as between:
        calls = run(talk.command("fields"), between.port)
        assert calls == talk.direct("fields")
        assert all(call["ok"] and call["same"] for call in calls)
        assert between.requests(BLUE) == between.stat("response_success") == len(calls) == 5


@of(*WITH_IDS)
def test_clients_share_a_connection(talk: Talk) -> None:
    """Calls of two clients at once, answered out of order: none gets the other's answer."""
    with (
        proxied(talk.protocol, [route(BLUE)], [cluster(BLUE, talk.port)]) as between,
        Client(talk.command("concurrent", "--threads", "4", "--count", "60"), between.port) as one,
        Client(talk.command("concurrent", "--threads", "4", "--count", "60"), between.port) as two,
    ):
        calls = one.calls() + two.calls()
        assert len(calls) == 120
        assert all(call["ok"] and call["same"] for call in calls)
        assert between.stat("cluster.blue.upstream_cx_total") == 1
        assert between.stat("downstream_cx_total") == 2


@of("brpc", "sofa")
def test_calls_are_routed_by_method(talk: Talk) -> None:
    """A method that the server lacks has no route: the client is told so, and goes on."""
    routes = [
        route(GREEN, match=[{"name": "method", "exact_match": "Fail"}]),
        route(BLUE, match=[{"name": "method", "prefix_match": "Ech"}]),
    ]
    with proxied(talk.protocol, routes, [cluster(BLUE, talk.port), cluster(GREEN, talk.port)]) as between:
        calls = run(talk.command("errors"), between.port)
        assert [call["ok"] for call in calls] == [True, False, False, True]
        assert "meta protocol router: no route matches" in calls[2]["error"]
        assert calls[1] == talk.direct("errors")[1]
        assert (between.requests(GREEN), between.requests(BLUE), between.stat("route_not_found")) == (1, 2, 1)


@of("hulu", "public")
def test_calls_are_routed_by_position(talk: Talk) -> None:
    """Where methods have no names."""
    routes = [route(GREEN, match=[{"name": "method_index", "range_match": {"start": 0, "end": 1}}]), route(BLUE)]
    with proxied(talk.protocol, routes, [cluster(BLUE, talk.port), cluster(GREEN, talk.port)]) as between:
        calls = run(talk.command("errors", "--timeout", "1500"), between.port)
        assert [call["method"] for call in calls] == ["Echo", "Fail", "Absent", "Echo"]
        assert [call["ok"] for call in calls] == [True, False, False, True]
        assert (between.requests(GREEN), between.requests(BLUE)) == (2, 2)


@of("brpc", "hulu")
def test_fields_of_users_are_set(talk: Talk) -> None:
    added = {"x-added": "by the proxy", "größe": "新しい 😀"}
    with proxied(talk.protocol, [route(BLUE, request=added)], [cluster(BLUE, talk.port)]) as between:
        calls = run(talk.command("fields"), between.port)
        assert between.stat("request_mutation_error") == 0
    seen = [received(call)["fields"] for call in calls if "fields" in call]
    assert len(seen) == 2
    for fields in seen:
        assert {**fields, **added} == fields
        assert fields["colour"] == "blue"


@of("brpc", "hulu", "sofa")
def test_clients_are_told_that_no_host_is_there(talk: Talk) -> None:
    with proxied(talk.protocol, [route("empty")], [cluster("empty")]) as between:
        calls = run(talk.command("basic"), between.port)
        assert [call["ok"] for call in calls] == [False] * 4
        assert all("meta protocol router: no healthy upstream" in call["error"] for call in calls)
        assert between.stat("no_healthy_upstream") == 4
