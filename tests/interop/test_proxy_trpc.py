"""tRPC through the proxy: calls and one-way calls, streams of every shape, of trpc-go and tRPC-Java."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from interop.bootstrap import Message, cluster, proxied, route
from interop.running import Call, Client, run, running
from interop.test_trpc import PARALLEL, PIPELINED, outcomes

pytestmark = [pytest.mark.interop, pytest.mark.timeout(60, func_only=True)]

BLUE, GREEN = "blue", "green"
NO_ROUTE = "meta protocol router: no route matches"


@dataclass(frozen=True)
class Talk:
    """Two servers that run, and a client."""

    blue: int
    green: int
    client: list[str]

    @property
    def clusters(self) -> list[Message]:
        return [cluster(BLUE, self.blue), cluster(GREEN, self.green)]

    def command(self, scenario: str) -> list[str]:
        count = PARALLEL if scenario == "parallel" else PIPELINED
        return [*self.client, "client", "--scenario", scenario, "--count", str(count)]

    def direct(self, scenario: str) -> list[Call]:
        """What the client sees without a proxy."""
        return run(self.command(scenario), self.blue)


@pytest.fixture(scope="module")
def talk(trpc: dict[str, list[str]]) -> Iterator[Talk]:
    server = [*trpc["trpc-go"], "server"]
    with running(server) as blue, running(server) as green:
        yield Talk(blue, green, trpc["trpc-go"])


@pytest.mark.parametrize("scenario", ["calls", "pooled", "large"])
def test_clients_see_no_proxy(talk: Talk, scenario: str) -> None:
    """Every serialization and compression, attachments, errors of every kind, a call that the client gives up."""
    with proxied("trpc", [route(BLUE)], talk.clusters, workers=2) as between:
        calls = run(talk.command(scenario), between.port)
        assert outcomes(calls) == outcomes(talk.direct(scenario))
        assert between.stat("request_oneway") == sum(call["outcome"] == "oneway" for call in calls)
        assert between.stat("local_response_business_exception") == 0


@pytest.mark.parametrize("scenario", ["streams", "parallel"])
def test_streams_see_no_proxy(talk: Talk, scenario: str) -> None:
    """Of the client, of the server, of both; refused, reset, broken off, given up; many at once on one connection."""
    with proxied("trpc", [route(BLUE)], talk.clusters) as between:
        calls = run(talk.command(scenario), between.port)
        expected = talk.direct(scenario)
        if scenario == "parallel":
            for call in (*calls, *expected):  # Who comes first is chance.
                del call["stream_id"]
        assert sorted(map(str, outcomes(calls))) == sorted(map(str, outcomes(expected)))
        assert between.stat("request_stream") == len(calls)


def test_calls_are_routed_by_metadata(talk: Talk) -> None:
    """By the name of the function, and by what a client says in trans_info."""
    routes = [
        route("info", match=[{"name": "app-user", "exact_match": "alice"}]),
        route("lane", match=[{"name": "app-user", "prefix_match": "bo"}]),
        route(GREEN, match=[{"name": "func", "suffix_match": "/Hello"}]),
        route(BLUE),
    ]
    more = [cluster("info", talk.green), cluster("lane", talk.green)]
    with proxied("trpc", routes, [*talk.clusters, *more]) as between:
        calls = run(talk.command("calls"), between.port)
        assert outcomes(calls) == outcomes(talk.direct("calls"))
        hello = sum(call["method"] == "Hello" and call["outcome"] != "oneway" for call in calls)
        assert (between.requests("info"), between.requests("lane"), between.requests(GREEN)) == (1, 1, hello)
        assert between.requests(BLUE) == len(calls) - hello - 3


def test_streams_are_routed_by_metadata(talk: Talk) -> None:
    routes = [
        route(GREEN, match=[{"name": "app-user", "exact_match": "alice"}], request={"app-user": "mallory"}),
        route(BLUE),
    ]
    with proxied("trpc", routes, talk.clusters) as between:
        calls = run(talk.command("streams"), between.port)
        [told] = [call for call in calls if call["method"] == "Tell"]
        assert told["received"] == ["mallory"]
        assert between.stat("cluster.green.upstream_cx_total") == 1
    expected = talk.direct("streams")
    assert [call["outcome"] for call in calls] == [call["outcome"] for call in expected]


def test_trans_info_is_set_in_calls_and_answers(talk: Talk) -> None:
    asked = {"app-user": "mallory 世界 🌍", "x-added": "by the proxy"}
    with proxied("trpc", [route(BLUE, request=asked, response={"x-proxied": "да"})], talk.clusters) as between:
        calls = run(talk.command("calls"), between.port)
        assert between.stat("request_mutation_error") == between.stat("response_mutation_error") == 0
    [told] = [call for call in calls if call["request"] == "app-user"]
    assert told["value"] == asked["app-user"]
    answers = [call["answer"]["trans_info"] for call in calls if "answer" in call]
    assert len(answers) >= 15
    assert all(info["x-proxied"] == "да" and info["x-added"] == "by the proxy" for info in answers)
    direct = talk.direct("calls")
    assert [call["outcome"] for call in calls] == [call["outcome"] for call in direct]


def test_what_has_no_route_is_refused(talk: Talk) -> None:
    """Calls and streams: each client is told in its own words, and the connection goes on."""
    only = [{"name": "method", "safe_regex_match": {"regex": "Hello|Chat|Count"}}]
    with proxied("trpc", [route(BLUE, match=only)], talk.clusters) as between:
        for scenario in ("calls", "streams"):
            for call, direct in zip(run(talk.command(scenario), between.port), talk.direct(scenario), strict=True):
                if call["method"] in ("Hello", "Chat", "Count"):
                    told = call["outcome"], call.get("value"), call.get("received")
                    assert told == (direct["outcome"], direct.get("value"), direct.get("received"))
                else:
                    assert (call["outcome"], call["code"], call["message"]) == ("framework", 11, NO_ROUTE)


def test_clients_share_a_connection(talk: Talk) -> None:
    with (
        proxied("trpc", [route(BLUE)], talk.clusters) as between,
        Client(talk.command("pipelined"), between.port) as one,
        Client(talk.command("pipelined"), between.port) as two,
    ):
        for client in (one, two):
            values = [call["value"] for call in client.calls()]
            assert sorted(values) == sorted(f"caller {number}" for number in range(PIPELINED))
        assert between.stat("cluster.blue.upstream_cx_total") == 1


def test_a_call_may_take_too_long(talk: Talk) -> None:
    """Slow is given 50 ms, less than its client gives it."""
    routes = [route(BLUE, match=[{"name": "method", "exact_match": "Slow"}], timeout="0.02s"), route(BLUE)]
    with proxied("trpc", routes, talk.clusters) as between:
        calls = run(talk.command("calls"), between.port)
        [slow] = [call for call in calls if call["method"] == "Slow"]
        assert (slow["outcome"], slow["code"]) == ("framework", 21)
        assert slow["message"] == "meta protocol upstream request: no answer in time"
        assert [call for call in outcomes(calls) if call["method"] != "Slow"] == [
            call for call in outcomes(talk.direct("calls")) if call["method"] != "Slow"
        ]


@pytest.mark.parametrize(("server", "scenario"), [("trpc-go", "calls"), ("trpc-go", "streams"), ("trpc-java", "calls")])
def test_clients_of_java_see_no_proxy(trpc: dict[str, list[str]], server: str, scenario: str) -> None:
    command = [*trpc["trpc-java"], "client", "--scenario", scenario]
    with (
        running([*trpc[server], "server"]) as port,
        proxied("trpc", [route(BLUE)], [cluster(BLUE, port)]) as between,
    ):
        calls = run(command, between.port)
        assert calls == run(command, port)
        assert {call["outcome"] for call in calls} >= {"value", "framework"}
