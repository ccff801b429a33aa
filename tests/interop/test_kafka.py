"""Kafka between a real broker and the clients of Java, kafka-python, aiokafka and confluent-kafka."""

from __future__ import annotations

import itertools
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from interop.proxy import Proxy, Verdict, pass_through
from interop.running import Broker, Call, run

from metaprotocol import Direction, ErrorType, Frame, Kind, get_codec

pytestmark = [pytest.mark.interop, pytest.mark.timeout(90, func_only=True)]

CODEC = get_codec("kafka")
PEERS = Path(__file__).resolve().parent / "peers" / "kafka"
SCRIPTS = {"kafka-python": "kafka_python_peer.py", "aiokafka": "aiokafka_peer.py", "confluent": "confluent_peer.py"}
CLIENTS = ("java", *SCRIPTS)
OLD = (("java", "0.11"), ("kafka-python", "0.10.0"))
"""Clients that speak versions of old, which only Kafka 3 understands."""

numbers = itertools.count(1)


@dataclass(frozen=True)
class Talk:
    """A client, and a broker that runs."""

    client: str
    broker: Broker
    program: str

    def command(self, scenario: str, *options: str) -> list[str]:
        if self.client == "java":
            command = [self.program, "client"]
        else:
            command = [sys.executable, str(PEERS / SCRIPTS[self.client])]
        return [*command, "--scenario", scenario, "--client-id", self.client, *options]

    def direct(self, scenario: str = "interop", *options: str) -> list[Call]:
        """What the client sees without a proxy, of topics and groups that are its own."""
        number = next(numbers)
        names = ("--topic", f"direct-{number}", "--group", f"direct-{number}")
        return run(self.command(scenario, *names, *options), self.broker.port)


@pytest.fixture(params=CLIENTS)
def talk(request: pytest.FixtureRequest, kafka: str, kafka_broker: Callable[[str], Broker]) -> Talk:
    return Talk(request.param, kafka_broker("4"), kafka)


only_java = pytest.mark.parametrize("talk", ["java"], indirect=True)


class Advertised:
    """Has the broker's address, wherever a response tells it, be that of the proxy."""

    def __init__(self) -> None:
        self.address = ""

    def __call__(self, frame: Frame) -> Verdict:
        if frame.kind is Kind.CONTROL:
            return Verdict([bytes(frame)])
        if frame.direction is Direction.CLIENT_TO_SERVER:
            return Verdict(CODEC.rewrite(frame, set=self.of_request(frame)))
        return Verdict(CODEC.rewrite(frame, set={"broker.1": self.address, **self.of_response(frame)}))

    def of_request(self, frame: Frame) -> dict[str, str]:
        return {}

    def of_response(self, frame: Frame) -> dict[str, str]:
        return {}


class Tenant(Advertised):
    """Gives a client names of its own: on the broker, topics, groups and all else begin with the tenant's name."""

    NAMES = ("topic", "group_id", "transactional_id")

    def __init__(self) -> None:
        super().__init__()
        self.name = f"t{next(numbers)}"

    def of_request(self, frame: Frame) -> dict[str, str]:
        own = {f"{key}_prefix": f"{self.name}." for key in self.NAMES}
        # Asked for by its name, but nobody's.
        shared = {"topic.__cluster_metadata": "__cluster_metadata"}
        return {"client_id": f"{self.name}/{frame.metadata['client_id']}", **own, **shared}

    def of_response(self, frame: Frame) -> dict[str, str]:
        return {f"{key}_strip": f"{self.name}." for key in self.NAMES}


def through(
    talk: Talk, policy: Advertised, scenario: str = "interop", *options: str, port: int | None = None
) -> tuple[list[Call], Proxy]:
    """What the client sees through a proxy that advertises itself."""
    with Proxy(CODEC, port or talk.broker.port, policy) as proxy:
        policy.address = f"127.0.0.1:{proxy.port}"
        calls = run(talk.command(scenario, *options), proxy.port)
    return calls, proxy


def outcome(call: Call) -> Call:
    """What must not depend on who is in between, nor on whose topics and groups there are besides."""
    others = ("message", "topics", "groups", "nodes", "leader", "transactions")
    told = {key: value for key, value in call.items() if key not in others}
    for key in ("topic", "group"):
        if key in told:
            told[key] = "its own"
    if "offsets" in told:
        told["offsets"] = [offset for _, offset in sorted(told["offsets"].items())]
    if "members" in told and isinstance(told["members"], list):
        told["members"] = [member.rpartition("/")[2] for member in told["members"]]
    if "records" in told:
        told["records"] = [{**record, "topic": "its own"} for record in told["records"]]
    return told


def requests(proxy: Proxy, api: str) -> list[Frame]:
    """What the clients asked."""
    return [each.request for each in proxy.exchanges() if each.request.metadata["api_name"] == api]


def check_pairs(proxy: Proxy) -> None:
    """Every request has its answer, save those that want none, and the last of a client that has gone."""
    for session in proxy.sessions:
        for leg in (session.downstream, session.upstream):
            exchanges = leg.exchanges()
            for position, exchange in enumerate(exchanges):
                request, response = exchange.request, exchange.response
                if request.kind is Kind.ONEWAY:
                    assert (request.metadata["api_name"], request.metadata["acks"]) == ("Produce", 0)
                    assert response is None
                elif response is None:
                    assert position >= len(exchanges) - 2, f"nobody answered {request}"
                else:
                    assert response.request_id == request.request_id
                    assert response.metadata["api_name"] == request.metadata["api_name"]


def check_produced(calls: list[Call], proxy: Proxy) -> None:
    """Each record that the client produced came through the proxy, in a request of its own.

    What a broker refuses, not yet leading the new topic's partition, is asked again.
    """
    told = Counter(call["acks"] for call in calls if call["action"] == "produce")
    seen = Counter(
        {-1: "all", 1: "1", 0: "0"}[int(each.request.metadata["acks"])]
        for each in proxy.exchanges()
        if each.request.metadata["api_name"] == "Produce"
        and (each.response is None or each.response.metadata["error_code"] == 0)
    )
    assert told == seen
    assert told["0"] == len(proxy.frames(Kind.ONEWAY, Direction.CLIENT_TO_SERVER))


def acks_of(proxy: Proxy) -> Iterator[int]:
    for frame in requests(proxy, "Produce"):
        yield int(frame.metadata["acks"])


def test_without_edits_clients_leave(talk: Talk) -> None:
    """What the tests below would see if addresses were not rewritten: all is well, but the proxy sees little of it."""
    with Proxy(CODEC, talk.broker.port, pass_through) as proxy:
        number = next(numbers)
        calls = run(talk.command("interop", "--topic", f"left-{number}", "--group", f"left-{number}"), proxy.port)
    assert sum(call["ok"] for call in calls) >= 13
    assert requests(proxy, "Metadata")
    assert not requests(proxy, "Produce")
    assert not requests(proxy, "Fetch")
    proxy.assert_unchanged()


def test_clients_come_back(talk: Talk) -> None:
    direct = talk.direct()
    number = next(numbers)
    names = ("--topic", f"back-{number}", "--group", f"back-{number}")
    policy = Advertised()
    calls, proxy = through(talk, policy, "interop", *names)
    assert [outcome(call) for call in calls] == [outcome(call) for call in direct]
    (cluster,) = (call for call in calls if call["action"] == "describe_cluster")
    assert cluster["nodes"] == [policy.address]
    assert {call["leader"] for call in calls if "leader" in call} <= {policy.address}
    check_produced(calls, proxy)
    check_pairs(proxy)
    assert requests(proxy, "Fetch")
    assert requests(proxy, "OffsetCommit")


def topics_of(entry: dict[str, Any]) -> set[str]:
    """The topics that a request named, in the broker's words."""
    request = entry["request"]
    named = request.get("topicData", request.get("topics")) or []
    return {topic.get("name") or topic.get("topic") for topic in named if isinstance(topic, dict)} - {None, ""}


def test_tenants_have_the_same_names(talk: Talk) -> None:
    """Two clients use the same topic and group at the same time, and neither sees the other."""
    direct = [outcome(call) for call in talk.direct()]
    tenants = Tenant(), Tenant()
    with ThreadPoolExecutor() as pool:
        both = list(pool.map(lambda tenant: through(talk, tenant), tenants))
    log = [json.loads(line) for line in talk.broker.log.read_text(encoding="utf-8").splitlines()]
    for tenant, (calls, proxy) in zip(tenants, both, strict=True):
        # Each made the topic anew: nobody else had taken the name.
        assert [outcome(call) for call in calls] == direct
        for call in calls:
            assert "topics" not in call or "orders" in call["topics"]
            assert "groups" not in call or "billing" in call["groups"]
            assert "offsets" not in call or call["offsets"] == {"orders-0": 4, "orders-1": 2}
            assert "records" not in call or {record["topic"] for record in call["records"]} == {"orders"}
        check_produced(calls, proxy)
        check_pairs(proxy)
        # What the broker says that it was asked.
        own = [entry for entry in log if entry["requestHeader"]["clientId"].startswith(f"{tenant.name}/")]
        assert set().union(*map(topics_of, own)) == {f"{tenant.name}.orders"}
        assert {entry["request"]["groupId"] for entry in own if "groupId" in entry["request"]} == {
            f"{tenant.name}.billing"
        }
        clients = {entry["requestHeader"]["clientId"].removeprefix(f"{tenant.name}/") for entry in own}
        assert clients == {call["client"] for call in calls}


@only_java
@pytest.mark.parametrize(
    ("scenario", "options"),
    [
        ("groups", ()),
        ("groups", ("--group-protocol", "consumer")),
        ("transactions", ()),
        ("admin", ()),
        ("errors", ()),
    ],
    ids=lambda value: "-".join(value).strip("-") if isinstance(value, tuple) else value,
)
def test_all_requests_of_a_tenant(talk: Talk, scenario: str, options: tuple[str, ...]) -> None:
    calls, proxy = through(talk, Tenant(), scenario, *options)
    direct = talk.direct(scenario, *options)
    assert [outcome(call) for call in calls] == [outcome(call) for call in direct]
    check_pairs(proxy)


class TenantOfTopics(Tenant):
    """Groups keep their names: the configuration of one is set under a name that `rewrite` leaves alone."""

    NAMES = ("topic",)


@only_java
def test_share_groups_of_a_tenant(talk: Talk) -> None:
    direct = talk.direct("share")
    calls, proxy = through(talk, TenantOfTopics(), "share", "--group", f"shared-{next(numbers)}")
    assert [outcome(call) for call in calls] == [outcome(call) for call in direct]
    assert all(call["ok"] for call in calls)
    assert requests(proxy, "ShareFetch")
    check_pairs(proxy)


@pytest.mark.parametrize("talk", ["confluent"], indirect=True)
def test_a_tenant_in_the_new_group_protocol(talk: Talk) -> None:
    calls, proxy = through(talk, Tenant(), "interop", "--group-protocol", "consumer")
    (consumed,) = (call for call in calls if call["action"] == "consume")
    assert {record["topic"] for record in consumed["records"]} == {"orders"}
    assert requests(proxy, "ConsumerGroupHeartbeat")
    check_pairs(proxy)


@only_java
def test_requests_under_way_together(talk: Talk) -> None:
    """Producers that wait for nothing: acks=1 with many requests at once, and acks=0."""
    calls, proxy = through(talk, Tenant(), "pipelined")
    assert all(call["ok"] for call in calls)
    (consumed,) = (call for call in calls if call["action"] == "consume")
    assert Counter(record["value"] for record in consumed["records"]) == {f"record {n}": 2 for n in range(60)}
    assert Counter(acks_of(proxy)).keys() == {0, 1}
    check_pairs(proxy)


@pytest.mark.parametrize("client", OLD, ids="-".join)
def test_old_versions(client: tuple[str, str], kafka: str, kafka_broker: Callable[[str], Broker]) -> None:
    name, version = client
    talk = Talk(name, kafka_broker("3"), kafka)
    tenant = Tenant()
    if name == "java":
        option = ("--line", version)
    else:
        option = ("--api-version", version)
        # It cannot create topics.
        run(
            [kafka, "client", "--line", "3", "--scenario", "create", "--topic", f"{tenant.name}.orders"],
            talk.broker.port,
        )
    calls, proxy = through(talk, tenant, "interop", *option)
    (consumed,) = (call for call in calls if call["action"] == "consume")
    assert [record["value"] for record in consumed["records"]] == [f"order {n}" for n in (0, 1, 4, 5, 2, 3)]
    assert {record["topic"] for record in consumed["records"]} == {"orders"}
    assert {frame.metadata["topics"] for frame in requests(proxy, "Produce")} == {"orders"}
    assert all(int(frame.metadata["api_version"]) < 6 for frame in requests(proxy, "Fetch"))
    check_produced(calls, proxy)
    check_pairs(proxy)


@pytest.mark.parametrize("security", ["plain", "scram"])
def test_sasl_passes(talk: Talk, security: str) -> None:
    calls, proxy = through(talk, Tenant(), "interop", "--security", security, port=talk.broker.sasl_port)
    (consumed,) = (call for call in calls if call["action"] == "consume")
    assert len(consumed["records"]) == 6
    check_produced(calls, proxy)
    check_pairs(proxy)
    mechanisms = {frame.metadata["sasl_mechanism"] for frame in requests(proxy, "SaslHandshake")}
    assert mechanisms == {{"plain": "PLAIN", "scram": "SCRAM-SHA-256"}[security]}
    assert requests(proxy, "SaslAuthenticate")


@pytest.mark.parametrize("client", OLD, ids="-".join)
def test_sasl_of_old_passes(client: tuple[str, str], kafka: str, kafka_broker: Callable[[str], Broker]) -> None:
    """Its tokens are no messages: lengths and bytes."""
    name, version = client
    talk = Talk(name, kafka_broker("3"), kafka)
    tenant = Tenant()
    run([kafka, "client", "--line", "3", "--scenario", "create", "--topic", f"{tenant.name}.orders"], talk.broker.port)
    option = ("--line", version) if name == "java" else ("--api-version", version)
    calls, proxy = through(talk, tenant, "interop", "--security", "plain", *option, port=talk.broker.sasl_port)
    (consumed,) = (call for call in calls if call["action"] == "consume")
    assert len(consumed["records"]) == 6
    check_pairs(proxy)
    tokens = proxy.frames(Kind.CONTROL, Direction.CLIENT_TO_SERVER)
    assert len(tokens) == len(requests(proxy, "SaslHandshake")) == len(proxy.sessions)
    assert all(bytes(token).endswith(b"\0alice\0wonderland") for token in tokens)


class Refusing(Tenant):
    """Answers some requests itself."""

    def __init__(self, error: ErrorType, refuses: Callable[[Frame], bool]) -> None:
        super().__init__()
        self.error = error
        self.refused: Counter[str] = Counter()
        self._refuses = refuses

    def __call__(self, frame: Frame) -> Verdict:
        if frame.kind is Kind.REQUEST and self._refuses(frame):
            self.refused[str(frame.metadata["api_name"])] += 1
            return Verdict(answer=CODEC.reply(frame, self.error, f"refused: {self.error.name}"))
        return super().__call__(frame)


DENIED = {
    "describe_cluster": ("DescribeCluster", 31),
    "describe_configs": ("DescribeConfigs", 31),
    "describe_acls": ("DescribeAcls", 31),
    "list_groups": ("ListGroups", 30),
    "group_offsets": ("OffsetFetch", 30),
    "delete_group": ("DeleteGroups", 30),
    "delete_topic": ("DeleteTopics", 29),
}
"""What an administrator asks, and the error codes of a cluster, a group and a topic that he has no right to."""

DEAF = {("kafka-python", "describe_configs"), ("aiokafka", "group_offsets"), ("confluent", "describe_acls")}
"""Where a library tells its user nothing of the error in a response."""


def test_clients_understand_denials(talk: Talk) -> None:
    """Producing with acks=1 is denied, and what an administrator asks; all else is served."""
    apis = {api for api, _ in DENIED.values()} - {"OffsetFetch"}

    def refuses(frame: Frame) -> bool:
        told = frame.metadata
        if told["api_name"] == "OffsetFetch":
            return str(told["client_id"]).endswith("-admin")
        return told["api_name"] in apis or (told["api_name"] == "Produce" and told["acks"] == 1)

    policy = Refusing(ErrorType.DENIED, refuses)
    calls, proxy = through(talk, policy)
    check_pairs(proxy)
    # librdkafka remembers that the topic was denied.
    assert policy.refused["Produce"] == (1 if talk.client == "confluent" else 2)
    told = set()
    for call in calls:
        if call["action"] == "produce":
            assert call["ok"] == (call["acks"] != "1")
            assert call["ok"] or call["error"] == 29
        elif call["action"] in DENIED:
            api, code = DENIED[call["action"]]
            if policy.refused[api] and (talk.client, call["action"]) not in DEAF:
                assert (call["ok"], call.get("error")) == (False, code)
                told.add(api)
    assert len(told) >= 3
    (consumed,) = (call for call in calls if call["action"] == "consume")
    assert [record["value"] for record in consumed["records"]] == [f"order {n}" for n in (0, 1, 4, 5)]


RETRIED = {"Produce", "Fetch", "ListOffsets", "Metadata", "FindCoordinator", "JoinGroup", "OffsetFetch", "OffsetCommit"}


@pytest.mark.parametrize("error", [ErrorType.NO_HEALTHY_UPSTREAM, ErrorType.UPSTREAM_RESET, ErrorType.TIMEOUT])
def test_clients_try_again(talk: Talk, error: ErrorType) -> None:
    """The first request of each kind meets upstream trouble: the client asks again, and nothing is lost."""
    seen: set[object] = set()

    def refuses(frame: Frame) -> bool:
        told = frame.metadata
        kind = told["api_name"], told["client_id"]
        if told["api_name"] not in RETRIED or str(told["client_id"]).endswith("-admin") or kind in seen:
            return False
        if told["api_name"] == "Metadata" and "topic" not in told:
            return False  # The first versions have a place for errors beside each topic alone.
        if kind == ("Metadata", "confluent-consumer"):
            return False  # It would look for the topic again in minutes.
        seen.add(kind)
        return True

    policy = Refusing(error, refuses)
    calls, proxy = through(talk, policy)
    check_pairs(proxy)
    print(*calls, policy.refused, sep="\n")
    assert {"Produce", "Metadata", "FindCoordinator", "OffsetCommit"} <= policy.refused.keys()
    assert all(call["ok"] for call in calls if call["action"] in ("produce", "consume", "commit"))
    (consumed,) = (call for call in calls if call["action"] == "consume")
    assert {record["value"] for record in consumed["records"]} == {f"order {n}" for n in range(6)}
