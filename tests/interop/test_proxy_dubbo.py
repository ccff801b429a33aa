"""Dubbo through the proxy: consumers of Apache Dubbo 2.7 and 3, and a provider of each line as two versions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from interop.bootstrap import Message, cluster, proxied, route
from interop.running import Call, Client, run, running, serving
from interop.test_dubbo import IDLE, LINES, NETWORK, RPC, TIMEOUT, outcome

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120, func_only=True)]

BLUE, GREEN = "blue", "green"


@dataclass(frozen=True)
class Provider:
    """A server that runs, and what it says that came off the wire."""

    port: int
    log: Path

    @property
    def served(self) -> list[Call]:
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]


@dataclass(frozen=True)
class Shop:
    """Two versions of a service, and what calls them."""

    program: str
    line: str
    blue: Provider
    green: Provider

    @property
    def clusters(self) -> list[Message]:
        return [cluster(BLUE, self.blue.port), cluster(GREEN, self.green.port)]

    def command(self, scenario: str, *options: str) -> list[str]:
        return [self.program, "client", "--line", self.line, "--scenario", scenario, *options]

    def direct(self, scenario: str, *options: str) -> list[Call]:
        """What the consumer sees without a proxy."""
        return run(self.command(scenario, *options), self.blue.port)


@pytest.fixture(scope="module")
def providers(dubbo: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Provider, Provider]]:
    with ExitStack() as stack:
        found = []
        for line in LINES:
            log = tmp_path_factory.mktemp("dubbo") / "received"
            port = stack.enter_context(running([dubbo, "server", "--line", line, "--log", str(log)]))
            found.append(Provider(port, log))
        yield found[0], found[1]


@pytest.fixture(params=LINES)
def shop(request: pytest.FixtureRequest, dubbo: str, providers: tuple[Provider, Provider]) -> Shop:
    return Shop(dubbo, request.param, *providers)


one_line = pytest.mark.parametrize("shop", LINES[1:], indirect=True)
"""Where the lines do not differ."""


@pytest.mark.parametrize(
    ("shop", "scenario"), [("2.7", "basic"), ("3", "exceptions"), ("3", "large"), ("2.7", "unicode")], indirect=["shop"]
)
def test_consumers_see_no_proxy(shop: Shop, scenario: str) -> None:
    """Every type of argument, exceptions of every kind, a megabyte in a call: all are as without a proxy."""
    with proxied("dubbo", [route(BLUE)], [cluster(BLUE, shop.blue.port)], workers=2) as between:
        calls = run(shop.command(scenario), between.port)
        assert [outcome(call) for call in calls] == [outcome(call) for call in shop.direct(scenario)]
        assert sum(call["ok"] for call in calls) >= 2
        assert between.stat("request_twoway") == len(calls)
        assert between.stat("local_response_business_exception") == 0


def test_calls_are_routed_by_method_and_attachment(shop: Shop) -> None:
    """Each route takes what it matches; each provider has served what was for it."""
    before = len(shop.blue.served), len(shop.green.served)
    routes = [
        route(GREEN, match=[{"name": "method", "exact_match": "declared"}]),
        route("exact", match=[{"name": "user", "exact_match": "alice"}, {"name": "method", "exact_match": "sayHello"}]),
        route("prefix", match=[{"name": "lane", "prefix_match": "te"}, {"name": "method", "prefix_match": "echo"}]),
        route("no", match=[{"name": "lane", "exact_match": "Test-7"}]),
        route("no", match=[{"name": "lane", "safe_regex_match": {"regex": "test"}}]),
        route("regex", match=[{"name": "user", "safe_regex_match": {"regex": "a.*e"}}]),
        route(
            BLUE,
            match=[
                {"name": "interface", "exact_match": "metaprotocol.peer.DemoService"},
                {"name": "lane", "safe_regex_match": {"regex": "test-[0-9]+"}},
            ],
        ),
    ]
    others = [cluster(name, shop.green.port) for name in ("exact", "prefix", "regex", "no")]
    with proxied("dubbo", routes, [*shop.clusters, *others]) as between:
        calls = run(shop.command("interop", "--attach", "lane=test-7"), between.port)
        direct = shop.direct("interop", "--attach", "lane=test-7")
        told = [outcome(call) for call in calls if call["method"] != "attachments"]
        assert told == [outcome(call) for call in direct if call["method"] != "attachments"]
        counts = {name: between.requests(name) for name in (GREEN, "exact", "prefix", "no", "regex", BLUE)}
    assert counts == {GREEN: 1, "exact": 1, "prefix": 1, "no": 0, "regex": 1, BLUE: 2}
    green = Counter(call["method"] for call in shop.green.served[before[1] :])
    assert green == {"declared": 1, "sayHello": 1, "echoPerson": 1, "attachments": 1}
    # Then it was asked without the proxy, too.
    assert [call["method"] for call in shop.blue.served[before[0] : -len(direct)]] == ["attach", "sayHello"]


def test_attachments_are_set_in_calls_and_answers(shop: Shop) -> None:
    asked = {"user": "mallory", "x-added": "by the proxy", "世界": "こんにちは 😀"}
    answered = {"served-by": "the proxy", "x-proxied": "да 😀"}
    routes = [route(GREEN, request=asked, response=answered)]
    with proxied("dubbo", routes, shop.clusters) as between:
        calls = run(shop.command("interop"), between.port)
        assert between.stat("request_mutation_error") == between.stat("response_mutation_error") == 0
    [seen] = [call["value"] for call in calls if call["method"] == "attachments"]
    assert {**seen, **asked} == seen
    assert len(calls) == 6
    for call in calls:
        assert {**call["response_attachments"], **answered} == call["response_attachments"]
    for call in shop.green.served[-6:]:
        assert {**call["attachments"], **asked} == call["attachments"]
    # All else is as it was.
    assert [call["ok"] for call in calls] == [True, True, True, False, True, True]
    [declared] = [call for call in calls if call["method"] == "declared"]
    assert (declared["exception"], declared["code"]) == ("metaprotocol.peer.BusinessException", 42)


@one_line
def test_weights_share_calls_out(shop: Shop) -> None:
    """Eight threads on one connection: every call has its own answer, and one in four goes to the other version."""
    before = len(shop.green.served)
    with proxied("dubbo", [route({BLUE: 75, GREEN: 25})], shop.clusters) as between:
        calls = run(shop.command("concurrent", "--threads", "8", "--count", "400"), between.port)
        assert len(calls) == 400
        assert all(call["ok"] and call["value"] == call["arguments"][0] for call in calls)
        assert between.requests(BLUE) + between.requests(GREEN) == 400
        # Four standard deviations are 35.
        assert 65 <= between.requests(GREEN) <= 135
        assert len(shop.green.served) - before == between.requests(GREEN)
        assert between.stat("downstream_cx_total") == 1


def test_clients_share_connections(shop: Shop) -> None:
    """Three consumers with the same ids over one connection to the provider."""
    with (
        proxied("dubbo", [route(GREEN)], shop.clusters) as between,
        Client(shop.command("concurrent", "--threads", "8", "--count", "200"), between.port) as one,
        Client(shop.command("concurrent", "--threads", "8", "--count", "200"), between.port) as two,
        Client(shop.command("interop"), between.port) as three,
    ):
        for client in (one, two):
            calls = client.calls()
            assert len(calls) == 200
            assert all(call["ok"] and call["value"] == call["arguments"][0] for call in calls)
        assert [call["ok"] for call in three.calls()] == [True, True, True, False, True, True]
        assert between.stat("cluster.green.upstream_cx_total") == 1
        assert between.stat("cluster.green.upstream_rq_unmatched") == 0


def test_what_has_no_route_is_refused(shop: Shop) -> None:
    """The consumer's exception says why, and the connection serves what has a route."""
    routes = [route(BLUE, match=[{"name": "method", "exact_match": "sayHello"}])]
    with proxied("dubbo", routes, shop.clusters) as between:
        calls = run(shop.command("interop"), between.port)
        for call in calls:
            if call["method"] == "sayHello":
                assert call["ok"]
            else:
                assert (call["exception"], call["code"]) == (RPC, NETWORK)
                assert "meta protocol router: no route matches" in call["message"]
        assert between.stat("route_not_found") == 4
        assert between.stat("downstream_cx_total") == 1


@one_line
def test_what_takes_too_long_is_refused(shop: Shop) -> None:
    """Calls of up to nine milliseconds may take four: some are late, and none gets the late answer of another."""
    routes = [route(GREEN, timeout="0.004s")]
    with proxied("dubbo", routes, shop.clusters) as between:
        calls = run(shop.command("concurrent", "--threads", "8", "--count", "200"), between.port)
        late = [call for call in calls if not call["ok"]]
        assert len(calls) == 200
        assert all(call["value"] == call["arguments"][0] for call in calls if call["ok"])
        assert late
        for call in late:
            assert (call["exception"], call["code"]) == (RPC, TIMEOUT)
            assert "meta protocol upstream request: no answer in time" in call["message"]
        assert between.stat("request_timeout") == between.stat("cluster.green.upstream_rq_timeout") == len(late)


@one_line
def test_a_provider_dies(shop: Shop) -> None:
    """What it had is told to be lost, and then it is left out: the other one serves all."""
    left_out = {
        "outlier_detection": {
            "consecutive_5xx": 2,
            "interval": "1s",
            "base_ejection_time": "60s",
            "max_ejection_percent": 50,
        }
    }
    with serving([shop.program, "server", "--line", "3"]) as mortal:
        ports = shop.blue.port, mortal.port
        with proxied("dubbo", [route("both")], [cluster("both", *ports, **left_out)]) as between:
            with Client(shop.command("concurrent", "--threads", "4", "--count", "3000"), between.port) as client:
                between.until(lambda: between.requests("both") > 200, "calls are under way")
                mortal.process.kill()
                calls = client.calls()
            lost = [call for call in calls if not call["ok"]]
            assert len(calls) == 3000
            assert all(call["value"] == call["arguments"][0] for call in calls if call["ok"])
            assert 1 <= len(lost) <= 100
            for call in lost:
                assert (call["exception"], call["code"]) == (RPC, NETWORK)
                assert "meta protocol upstream request: " in call["message"]
            assert between.stat("upstream_reset") == len(lost)
            assert all(call["ok"] for call in run(shop.command("concurrent", "--count", "50"), between.port))


def test_one_way_calls_arrive(shop: Shop) -> None:
    before = len(shop.green.served)
    with proxied("dubbo", [route(GREEN)], shop.clusters) as between:
        calls = run(shop.command("oneway"), between.port)
        assert all(call["ok"] for call in calls)
        assert between.stat("request_oneway") == 4
        assert between.stat("request_twoway") == 1
        between.until(lambda: len(shop.green.served) - before == 5, "the provider has all calls")
    served = Counter((call["method"], *call["arguments"]) for call in shop.green.served[before:])
    assert served == Counter(
        [
            ("fireAndForget", "first"),
            ("fireAndForget", "second"),
            ("nothing",),
            ("sayHello", "answered"),
            ("fireAndForget", "third"),
        ]
    )


def test_heartbeats_keep_an_idle_connection(shop: Shop) -> None:
    """A consumer that hears no answer to its heartbeats for three seconds would connect anew."""
    with proxied("dubbo", [route(GREEN)], shop.clusters) as between:
        calls = run(shop.command(*IDLE), between.port)
        assert [call["ok"] for call in calls] == [True, True]
        assert between.stat("request_event") >= 3
        assert between.stat("downstream_cx_total") == between.stat("cluster.green.upstream_cx_total") == 1


@one_line
def test_a_provider_that_shuts_down_costs_no_call(shop: Shop) -> None:
    """It says by the read-only event that it takes no more calls, answers those it has, and closes."""
    with serving([shop.program, "server", "--line", "3"]) as leaving:
        ports = shop.blue.port, leaving.port
        with proxied("dubbo", [route("both")], [cluster("both", *ports)]) as between:
            with Client(shop.command("concurrent", "--threads", "4", "--count", "6000"), between.port) as client:
                between.until(lambda: between.requests("both") > 200, "calls are under way")
                leaving.process.terminate()
                calls = client.calls()
            assert leaving.process.wait(30) is not None
            assert len(calls) == 6000
            assert [call for call in calls if not call["ok"] or call["value"] != call["arguments"][0]] == []
            assert between.stat("cluster.both.upstream_cx_destroy_remote_with_active_rq") == 0
