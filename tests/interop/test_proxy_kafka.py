"""Kafka through the proxy: clients of Java, kafka-python, aiokafka and confluent-kafka stay on it, since answers of the
broker tell them the proxy's address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import pytest
from interop.bootstrap import Between, Message, cluster, proxied, route
from interop.proxy import HOST
from interop.running import Broker, Call, free_port, run
from interop.test_kafka import CLIENTS, Talk, numbers, outcome

pytestmark = [pytest.mark.interop, pytest.mark.timeout(90, func_only=True)]

BROKER = "broker"
TENANT = ("topic", "group_id", "transactional_id")


@pytest.fixture(params=CLIENTS)
def talk(request: pytest.FixtureRequest, kafka: str, kafka_broker: Callable[[str], Broker]) -> Talk:
    return Talk(request.param, kafka_broker("4"), kafka)


only_java = pytest.mark.parametrize("talk", ["java"], indirect=True)


@contextmanager
def advertised(
    broker: int, *, match: Sequence[Message] = (), request: Mapping[str, str] | None = None, **response: str
) -> Iterator[Between]:
    """A proxy in front of a broker, whose address it has replaced by its own."""
    port = free_port()
    routes = [route(BROKER, match=match, request=request, response={"broker.1": f"{HOST}:{port}", **response})]
    with proxied("kafka", routes, [cluster(BROKER, broker)], port=port) as between:
        yield between


def own(command: list[str]) -> list[str]:
    """With a topic and a group that nobody else has."""
    number = next(numbers)
    return [*command, "--topic", f"proxied-{number}", "--group", f"proxied-{number}"]


def check(calls: list[Call], direct: list[Call], between: Between) -> None:
    """All went as it does without a proxy, and nothing went past it."""
    assert [outcome(call) for call in calls] == [outcome(call) for call in direct]
    told = {call["leader"] for call in calls if "leader" in call}
    told |= {node for call in calls for node in call.get("nodes", [])}
    assert told <= {f"{HOST}:{between.port}"}
    for counter in ("request_decoding_error", "response_decoding_error", "response_mutation_error"):
        assert between.stat(counter) == 0
    assert between.stat("request_mutation_error") == 0
    # Whoever has gone has taken its connection to the broker along.
    between.until(lambda: between.stat("cluster.broker.upstream_cx_active") == 0, "all connections are closed")
    assert between.stat("request_active") == 0
    assert between.stat("cluster.broker.upstream_cx_total") == between.stat("downstream_cx_total")


def test_clients_stay_on_the_proxy(talk: Talk) -> None:
    """Topics, records with acks all, 1 and 0, a group that consumes and commits, what administrators ask."""
    with advertised(talk.broker.port) as between:
        calls = run(own(talk.command("interop")), between.port)
        check(calls, talk.direct(), between)
        [consumed] = [call for call in calls if call["action"] == "consume"]
        assert [record["value"] for record in consumed["records"]] == [f"order {n}" for n in (0, 1, 4, 5, 2, 3)]
        assert between.stat("request_oneway") == sum(call.get("acks") == "0" for call in calls) == 2
        # Besides what was told there are Metadata, ApiVersions, Fetch and the group's.
        assert between.stat("request_twoway") > 2 * len(calls)


@only_java
@pytest.mark.parametrize(
    ("scenario", "options"),
    [
        ("groups", ()),
        ("groups", ("--group-protocol", "consumer")),
        ("transactions", ()),
        ("admin", ()),
        ("errors", ()),
        ("compression", ()),
    ],
    ids=lambda value: "-".join(value).strip("-") if isinstance(value, tuple) else value,
)
def test_all_that_clients_do(talk: Talk, scenario: str, options: tuple[str, ...]) -> None:
    with advertised(talk.broker.port) as between:
        check(run(own(talk.command(scenario, *options)), between.port), talk.direct(scenario, *options), between)


@only_java
def test_requests_under_way_together(talk: Talk) -> None:
    with advertised(talk.broker.port) as between:
        calls = run(own(talk.command("pipelined")), between.port)
        assert all(call["ok"] for call in calls)
        [consumed] = [call for call in calls if call["action"] == "consume"]
        assert Counter(record["value"] for record in consumed["records"]) == {f"record {n}": 2 for n in range(60)}
        assert between.stat("request_oneway") >= 1


@pytest.mark.parametrize("talk", ["java", "kafka-python"], indirect=True)
@pytest.mark.parametrize("security", ["plain", "scram"])
def test_logins_pass(talk: Talk, security: str) -> None:
    with advertised(talk.broker.sasl_port) as between:
        calls = run(own(talk.command("interop", "--security", security)), between.port)
        [consumed] = [call for call in calls if call["action"] == "consume"]
        assert len(consumed["records"]) == 6
        assert between.stat("request_decoding_error") == between.stat("response_mutation_error") == 0


@pytest.mark.parametrize("talk", ["java", "kafka-python"], indirect=True)
def test_a_route_gives_a_tenant_names_of_its_own(talk: Talk) -> None:
    """Topics, groups and transactions begin with the tenant's name on the broker, and not for the client."""
    name = f"tenant-{next(numbers)}."
    request = {f"{key}_prefix": name for key in TENANT}
    response = {f"{key}_strip": name for key in TENANT}
    with advertised(talk.broker.port, request=request, **response) as between:
        calls = run(talk.command("interop"), between.port)
        check(calls, talk.direct(), between)
    [consumed] = [call for call in calls if call["action"] == "consume"]
    assert {record["topic"] for record in consumed["records"]} == {"orders"}
    log = talk.broker.log.read_text(encoding="utf-8")
    assert f'"{name}orders"' in log


@only_java
def test_what_has_no_route_is_refused(talk: Talk) -> None:
    """Of what an administrator asks, one thing has nowhere to go: the client is told, and goes on."""
    match = [{"name": "api_name", "exact_match": "DescribeConfigs", "invert_match": True}]
    with advertised(talk.broker.port, match=match) as between:
        calls = run(own(talk.command("interop")), between.port)
        [asked] = [call for call in calls if call["action"] == "describe_configs"]
        assert not asked["ok"]
        assert "meta protocol router: no route matches" in asked["message"]
        expected = [outcome(call)["ok"] for call in talk.direct()]
        assert [call["ok"] or call is asked for call in calls] == expected
        assert between.stat("route_not_found") >= 1
