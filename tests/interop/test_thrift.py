"""Thrift between Apache's libraries (Python, Go) and thriftpy2, in every transport and protocol that they speak."""

from __future__ import annotations

import itertools
import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pytest
from interop.proxy import HOST, PATIENCE, Multiplexer, Policy, Proxy, Verdict, pass_through
from interop.running import Call, Client, run, running

from metaprotocol import Direction, ErrorType, Frame, Kind, get_codec

pytestmark = [pytest.mark.interop, pytest.mark.timeout(90, func_only=True)]

CODEC = get_codec("thrift")


@dataclass(frozen=True)
class Format:
    """Who speaks to whom, and how."""

    client: str
    server: str
    transport: str
    protocol: str
    flags: tuple[str, ...] = ()

    @property
    def options(self) -> list[str]:
        return ["--transport", self.transport, "--protocol", self.protocol, *self.flags]

    @property
    def multiplexed(self) -> bool:
        return "--multiplexed" in self.flags

    def __str__(self) -> str:
        return "-".join([f"{self.client}-to-{self.server}", self.transport, self.protocol, *self.flags])


def formats() -> Iterator[Format]:
    """All that each client speaks; every server in all that it speaks."""
    for protocol in ("binary", "binary-old", "compact"):
        for transport in ("unframed", "framed"):
            yield Format("apache-py", "apache-go", transport, protocol)
            yield Format("apache-go", "apache-py", transport, protocol)
            yield Format("thriftpy2", "thriftpy2", transport, protocol)
    for protocol in ("binary", "compact"):
        yield Format("apache-py", "apache-go", "header", protocol)
        yield Format("apache-go", "apache-py", "header", protocol)
    yield Format("apache-go", "apache-py", "header", "binary", ("--zlib",))
    yield Format("apache-py", "apache-go", "header", "compact", ("--zlib",))
    yield Format("apache-py", "apache-py", "header", "binary", ("--multiplexed",))
    yield Format("apache-go", "apache-go", "header", "compact", ("--multiplexed",))
    yield Format("apache-go", "apache-py", "unframed", "compact", ("--multiplexed",))
    yield Format("thriftpy2", "thriftpy2", "framed", "binary", ("--multiplexed",))


FORMATS = list(formats())
WITH_HEADERS = [each for each in FORMATS if each.transport == "header"]
PIPELINED = 60


@dataclass
class Talk:
    """A format with a server that runs."""

    format: Format
    port: int
    client: list[str]

    def command(self, scenario: str) -> list[str]:
        return [*self.client, "client", *self.format.options, "--scenario", scenario, "--count", str(PIPELINED)]

    @cached_property
    def direct(self) -> list[Call]:
        """What the client sees without a proxy."""
        return run(self.command("interop"), self.port)

    def through(self, policy: Policy) -> tuple[list[Call], Proxy]:
        """What the client sees through one."""
        with Proxy(CODEC, self.port, policy) as proxy:
            calls = run(self.command("interop"), proxy.port)
        return calls, proxy

    @cached_property
    def passed(self) -> tuple[list[Call], Proxy]:
        return self.through(pass_through)


@pytest.fixture(scope="module", params=FORMATS, ids=str)
def talk(request: pytest.FixtureRequest, thrift: dict[str, list[str]]) -> Iterator[Talk]:
    chosen: Format = request.param
    with running([*thrift[chosen.server], "server", *chosen.options]) as port:
        yield Talk(chosen, port, thrift[chosen.client])


def outcomes(calls: list[Call]) -> list[Call]:
    """What must not depend on who is in between."""
    told = [{key: value for key, value in call.items() if key != "client_port"} for call in calls]
    for call in told:
        if call["method"] == "increment":
            # The server counts over all connections.
            assert isinstance(call.pop("value"), int)
    return told


def value_of(call: Call, metadata: Any) -> None:
    """Compares what the client made of an answer with what the codec makes of it."""
    answer = call["value"]
    if isinstance(answer, int | str) and not isinstance(answer, bool):
        assert metadata["arg.0"] == answer


def test_frames_are_seen_and_bytes_stay(talk: Talk) -> None:
    calls, proxy = talk.passed
    assert outcomes(calls) == outcomes(talk.direct)
    assert Counter(call["outcome"] for call in calls)["value"] >= 10
    proxy.assert_unchanged()
    assert len(proxy.sessions) == len({call["conn"] for call in calls})

    exchanges = proxy.exchanges()
    assert len(exchanges) == len(calls)
    header = talk.format.transport == "header"
    for call, exchange in zip(calls, exchanges, strict=True):
        request, response = exchange.request, exchange.response
        assert request.kind is (Kind.ONEWAY if call["message_type"] == "oneway" else Kind.REQUEST)
        told = request.metadata
        assert told["method"] == call["wire_method"]
        assert told["method_name"] == call["method"]
        assert told.get("service") == (call["service"] if talk.format.multiplexed else None)
        assert told["seq_id"] == call["seq_id"]
        assert told["transport"] == talk.format.transport
        assert told["protocol"] == talk.format.protocol.replace("-", "_")
        for key, value in call["args"].items():
            if isinstance(value, int | str):
                assert told[f"arg.{key}"] == value
        for name, value in call["sent_headers"].items():
            assert told[name] == value

        assert (response is None) == (call["reply"] is None)
        if response is None:
            continue
        assert response.request is request
        assert response.request_id == request.request_id
        answer = response.metadata
        assert answer["method"] == call["method"]
        assert answer["message_type"] == call["reply"]
        assert response.kind is (Kind.ERROR if call["reply"] == "exception" else Kind.RESPONSE)
        value_of(call, answer)
        if call["outcome"] == "declared":
            assert (answer["reply_type"], answer["exception_field"]) == ("error", 1)
        elif call["outcome"] == "application":
            assert answer["exception_type"] == call["type"]
            # thriftpy2's server gives no reason for an unknown method.
            assert answer.get("exception_message") == call["message"]
        if header and call["service"] == "Greeter":
            assert call["received_headers"]
        for name, value in call["received_headers"].items():
            assert answer[name] == value


def test_ids_and_methods_are_rewritten_and_restored(talk: Talk) -> None:
    """The server gets other ids, and for a method it does not have, one that it has."""
    ids = itertools.count(0x7ABC_0000)
    asked: dict[int | bytes | None, Frame] = {}

    def policy(frame: Frame) -> Verdict:
        edits: dict[str, str | int] = {}
        if frame.direction is Direction.CLIENT_TO_SERVER:
            own = next(ids)
            asked[own] = frame
            if frame.metadata["method_name"] == "missing":
                edits["method_name"] = "sayHello"
            return Verdict(CODEC.rewrite(frame, set=edits, request_id=own))
        original = asked[frame.request_id]
        if original.metadata["method_name"] == "missing":
            assert frame.metadata["method"] == "sayHello"
            edits["method"] = "missing"
        # As metadata, so that both spellings of the edit are met.
        edits["seq_id"] = original.metadata["seq_id"]
        return Verdict(CODEC.rewrite(frame, set=edits))

    calls, proxy = talk.through(policy)
    expected = outcomes(talk.direct)
    (missing,) = (call for call in expected if call["method"] == "missing")
    greeted = next(call for call in expected if call["method"] == "sayHello")
    connection = missing["conn"]
    if talk.format.server == "thriftpy2" and talk.format.multiplexed:
        # Without a method it closes the connection; with one it does not, and later calls stay on the first.
        for call in expected:
            call["conn"] -= call["conn"] > connection
    for key in set(missing) | set(greeted):
        if key in ("outcome", "ok", "reply"):
            missing[key] = greeted[key]
        elif key in ("class", "type", "message"):
            missing.pop(key, None)
    missing["value"] = "Hello nobody"
    if talk.format.transport == "header":
        missing["received_headers"] = greeted["received_headers"]
    assert outcomes(calls) == expected
    served = [frame for session in proxy.sessions for frame in session.upstream.frames]
    sent = [frame for frame in served if frame.direction is Direction.CLIENT_TO_SERVER]
    assert [frame.request_id for frame in sent] == list(range(0x7ABC_0000, 0x7ABC_0000 + len(calls)))
    assert "missing" not in {frame.metadata["method_name"] for frame in sent}


@pytest.mark.parametrize("talk", WITH_HEADERS, indirect=True, ids=str)
def test_headers_are_set_replaced_and_removed(talk: Talk) -> None:
    long = "0123456789" * 4000
    added = {"x-user": "mallory 世界 🌍", "x-added": "by the proxy", "x-long": long, "x-nothing": ""}

    def policy(frame: Frame) -> Verdict:
        if frame.direction is Direction.CLIENT_TO_SERVER:
            return Verdict(CODEC.rewrite(frame, set=added, remove=["x-route", "x-never"]))
        return Verdict(CODEC.rewrite(frame, set={"x-proxied": "да"}, remove=["x-served-by"]))

    calls, _ = talk.through(policy)
    (asked,) = (call for call in talk.direct if call["method"] == "headers")
    assert asked["value"]["x-route"] == "blue"
    expected = {**asked["value"], **added}
    del expected["x-route"]
    (got,) = (call for call in calls if call["method"] == "headers")
    assert got["value"] == expected
    for call, direct in zip(calls, talk.direct, strict=True):
        assert (call["outcome"], call["method"]) == (direct["outcome"], direct["method"])
        if call["reply"] is not None:
            assert call["received_headers"]["x-proxied"] == "да"
            if call["service"] == "Greeter":
                assert direct["received_headers"]["x-served-by"] == talk.format.server
            assert "x-served-by" not in call["received_headers"]


TYPES = {
    ErrorType.ROUTE_NOT_FOUND: 1,  # unknown method
    ErrorType.BAD_RESPONSE: 7,  # protocol error
    ErrorType.BAD_REQUEST: 7,
}
INTERNAL_ERROR = 6


def test_clients_understand_replies(talk: Talk) -> None:
    """Two of three calls are refused on the spot, the third is served: the connection goes on."""
    errors = itertools.cycle(ErrorType)
    turns = itertools.count()
    refused: dict[int, ErrorType] = {}
    seen = itertools.count()

    def message(error: ErrorType) -> str:
        return f"refused: {error.name} — 世界 🌍"

    def policy(frame: Frame) -> Verdict:
        if frame.direction is Direction.SERVER_TO_CLIENT:
            return pass_through(frame)
        number = next(seen)
        if frame.kind is Kind.ONEWAY:
            assert CODEC.reply(frame, ErrorType.DENIED, "nobody waits for this") is None
            return Verdict()
        if frame.metadata["method_name"] == "notify":
            # One-way by the IDL, which this client does not tell on the wire.
            assert talk.format.client == "apache-go"
            return Verdict()
        if next(turns) % 3 == 2:
            return pass_through(frame)
        refused[number] = next(errors)
        return Verdict(answer=CODEC.reply(frame, refused[number], message(refused[number])))

    calls, proxy = talk.through(policy)
    assert [call["method"] for call in calls] == [call["method"] for call in talk.direct]
    assert set(refused.values()) == set(ErrorType)
    assert len(proxy.sessions) == 1
    for number, (call, direct) in enumerate(zip(calls, talk.direct, strict=True)):
        if number in refused:
            error = refused[number]
            assert call["outcome"] == "application"
            assert call["class"] == "TApplicationException"
            assert call["type"] == TYPES.get(error, INTERNAL_ERROR)
            assert call["message"] == message(error)
        else:
            assert call["outcome"] == direct["outcome"]
            assert call["outcome"] in ("value", "declared", "oneway")
            assert call["method"] == "increment" or call["value"] == direct["value"]


def test_clients_share_a_connection_to_the_server(talk: Talk) -> None:
    """A client with all its calls under way at once, another that waits for each answer; the same ids in both."""
    with (
        Multiplexer(CODEC, talk.port, clients=2, first_id=0x5000_0000) as proxy,
        Client(talk.command("pipelined"), proxy.port) as many,
        Client(talk.command("short"), proxy.port) as few,
    ):
        pipelined, short = many.calls(), few.calls()
    assert proxy.together >= 2
    assert len(proxy.sessions) == 2
    assert [call["value"] for call in short] == [None, "Hello aeraki", 3, "Hello again"]
    assert [call["value"] for call in pipelined] == [
        f"Hello caller {number}" if number % 2 else 1001 * number for number in range(PIPELINED)
    ]
    assert [call["seq_id"] for call in pipelined] == list(range(1000, 1000 + PIPELINED))
    sent = [int(frame.metadata["seq_id"]) for frame in proxy.shared.frames if frame.kind is Kind.REQUEST]
    assert sorted(sent) == list(range(0x5000_0000, 0x5000_0000 + PIPELINED + 4))


def test_a_recorded_call_is_served_under_another_id(talk: Talk) -> None:
    """The bytes of the client's call, with an id of our own, sent to the server without the client."""
    _, proxy = talk.passed
    recorded = next(
        each.request for each in proxy.exchanges() if each.request.metadata.get("arg.1") == "wörld, 世界 🌍"
    )
    connection = CODEC.connection()
    with socket.create_connection((HOST, talk.port), PATIENCE) as server:
        for own in (0x1234_5678, -2, 0):
            call = b"".join(CODEC.rewrite(recorded, request_id=own))
            (request,) = connection.feed(Direction.CLIENT_TO_SERVER, call)
            server.sendall(call)
            answers: list[Frame] = []
            while not answers:
                data = server.recv(65536)
                assert data, "the server closed the connection"
                answers = connection.feed(Direction.SERVER_TO_CLIENT, data)
            (response,) = answers
            assert connection.pair(response) is request
            assert response.kind is Kind.RESPONSE
            assert response.metadata["seq_id"] == own
            assert response.metadata["arg.0"] == "Hello wörld, 世界 🌍"
