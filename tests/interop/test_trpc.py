"""tRPC between real peers of trpc-go: calls, one-way calls, and streams of every shape."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import pytest
from interop.proxy import Multiplexer, Policy, Proxy, Verdict, pass_through
from interop.running import Call, Client, run, running

from metaprotocol import Direction, ErrorType, Frame, Kind, get_codec

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120, func_only=True)]

CODEC = get_codec("trpc")
SENT, ANSWERED = Direction
PIPELINED = 60
PARALLEL = 12
CALLS, STREAMS = ("calls", "pooled"), ("streams", "parallel")


@dataclass
class Talk:
    """A client with a server that runs."""

    port: int
    client: list[str]

    def command(self, scenario: str) -> list[str]:
        count = PARALLEL if scenario == "parallel" else PIPELINED
        return [*self.client, "client", "--scenario", scenario, "--count", str(count)]

    def direct(self, scenario: str) -> list[Call]:
        """What the client sees without a proxy."""
        return run(self.command(scenario), self.port)

    def through(self, scenario: str, policy: Policy = pass_through) -> tuple[list[Call], Proxy]:
        """What the client sees through one."""
        with Proxy(CODEC, self.port, policy) as proxy:
            calls = run(self.command(scenario), proxy.port)
        return calls, proxy

    @cached_property
    def calls(self) -> list[Call]:
        return self.direct("calls")

    @cached_property
    def streams(self) -> list[Call]:
        return self.direct("streams")


@pytest.fixture(scope="module")
def talk(trpc: dict[str, list[str]]) -> Iterator[Talk]:
    with running([*trpc["trpc-go"], "server"]) as port:
        yield Talk(port, trpc["trpc-go"])


def outcomes(calls: list[Call]) -> list[Call]:
    """What must not depend on who is in between: all but the milliseconds that are left of a timeout."""
    told = [{key: value for key, value in call.items() if key != "timeout"} for call in calls]
    return sorted(told, key=lambda call: (call.get("request_id", 0), str(call.get("sent"))))


@pytest.mark.parametrize("scenario", [*CALLS, *STREAMS, "pipelined", "large"])
def test_frames_are_seen_and_bytes_stay(talk: Talk, scenario: str) -> None:
    calls, proxy = talk.through(scenario)
    expected = talk.direct(scenario)
    if scenario in ("pipelined", "parallel"):
        # Who comes first is chance.
        for call in (*calls, *expected):
            del call["request_id" if scenario == "pipelined" else "stream_id"]
        assert sorted(map(str, outcomes(calls))) == sorted(map(str, outcomes(expected)))
    else:
        assert outcomes(calls) == outcomes(expected)
    proxy.assert_unchanged()
    if scenario in STREAMS:
        assert len(proxy.frames(Kind.STREAM_OPEN, SENT)) == len(calls)
        assert len(proxy.frames(Kind.RESPONSE, ANSWERED)) == sum(call["opened"] for call in calls)
        return
    exchanges = {exchange.request.request_id: exchange for exchange in proxy.exchanges()}
    assert len(exchanges) == len(calls)
    for call in calls if scenario != "pipelined" else []:
        exchange = exchanges[call["request_id"]]
        assert exchange.request.metadata["func"] == call["func"]
        assert exchange.request.kind is (Kind.ONEWAY if call["outcome"] == "oneway" else Kind.REQUEST)
        if "answer" in call:
            assert exchange.response is not None
            assert exchange.response.metadata["ret"] == call["answer"]["ret"]
            assert exchange.response.metadata["func_ret"] == call["answer"]["func_ret"]


@pytest.mark.parametrize("scenario", ["calls", "streams"])
def test_ids_and_methods_are_rewritten_and_restored(talk: Talk, scenario: str) -> None:
    """The server gets other ids, and for a method it does not have, one that it has."""
    ids = itertools.count(0x7ABC_0000)
    given: dict[object, int] = {}
    asked: dict[object, int] = {}
    lock = threading.Lock()

    def policy(frame: Frame) -> Verdict:
        edits: dict[str, str | int] = {}
        if frame.metadata.get("method") == "Missing":
            edits["method"] = "Hello" if scenario == "calls" else "Count"
        unary = frame.stream_id is None
        known = frame.request_id if unary else frame.stream_id
        assert isinstance(known, int)
        if frame.direction is SENT:
            with lock:
                own = given.setdefault(known, next(ids))
                asked[own] = known
        else:
            own = asked[known]
        if unary:
            return Verdict(CODEC.rewrite(frame, set=edits, request_id=own))
        return Verdict(CODEC.rewrite(frame, set={**edits, "stream_id": own}))

    calls, proxy = talk.through(scenario, policy)
    expected = outcomes(talk.calls if scenario == "calls" else talk.streams)
    [missing] = [call for call in expected if call["method"] == "Missing"]
    [found] = [call for call in calls if call["method"] == "Missing"]
    if scenario == "calls":
        assert (missing["outcome"], found["outcome"], found["value"]) == ("framework", "value", "Hello ")
    else:
        # Count takes what was sent for a number.
        assert (missing["opened"], found["opened"], found["message"]) == (False, True, "not a number: never")
    changed = outcomes(calls)
    changed[changed.index(outcomes([found])[0])] = missing
    assert changed == expected
    served = [frame for session in proxy.sessions for frame in session.upstream.frames]
    numbers = {frame.request_id if frame.stream_id is None else frame.stream_id for frame in served}
    assert numbers == set(asked)
    assert "Missing" not in {frame.metadata.get("method") for frame in served if frame.direction is SENT}
    # The fixed header repeats the id of a call.
    assert all(
        bytes(frame.raw[10:14]) == int(frame.request_id or frame.stream_id or 0).to_bytes(4, "big") for frame in served
    )


def test_trans_info_is_set_replaced_and_removed(talk: Talk) -> None:
    long = "0123456789" * 3000
    added = {"app-user": "mallory 世界 🌍", "x-added": "by the proxy", "x-long": long, "version": "v2"}

    def policy(frame: Frame) -> Verdict:
        if frame.direction is SENT:
            return Verdict(CODEC.rewrite(frame, set=added, remove=["app-route", "app-never"]))
        return Verdict(CODEC.rewrite(frame, set={"x-proxied": "да"}, remove=["app-served-by", "app-empty"]))

    calls, _ = talk.through("calls", policy)
    # Who asks for what gets what it is now; the answer brings back all that the server was sent.
    [asked] = [call for call in calls if call["request"] == "app-user"]
    assert asked["value"] == added["app-user"]
    told = asked["answer"]["trans_info"]
    assert told == {**added, "app-unicode": "世界", "x-proxied": "да"}
    for call, direct in zip(calls, talk.calls, strict=True):
        assert (call["outcome"], call["method"]) == (direct["outcome"], direct["method"])
        if "answer" in call:
            assert call["answer"]["trans_info"]["x-proxied"] == "да"


def test_request_meta_of_streams_is_rewritten(talk: Talk) -> None:
    def policy(frame: Frame) -> Verdict:
        if frame.kind is not Kind.STREAM_OPEN:
            return pass_through(frame)
        return Verdict(CODEC.rewrite(frame, set={"app-user": "mallory", "x-request-id": "17"}, remove=["version"]))

    calls, proxy = talk.through("streams", policy)
    expected = outcomes(talk.streams)
    [told] = [call for call in expected if call["method"] == "Tell"]
    assert told["received"] == ["alice"]
    told["received"] = ["mallory"]
    assert outcomes(calls) == expected
    served = [frame for session in proxy.sessions for frame in session.upstream.frames]
    for frame in served:
        if frame.kind is Kind.STREAM_OPEN:
            assert frame.metadata["x-request-id"] == "17"
            assert "version" not in frame.metadata


CODES = {
    ErrorType.ROUTE_NOT_FOUND: 11,
    ErrorType.CLUSTER_NOT_FOUND: 131,
    ErrorType.NO_HEALTHY_UPSTREAM: 111,
    ErrorType.BAD_RESPONSE: 122,
    ErrorType.UNSPECIFIED: 31,
    ErrorType.OVER_LIMIT: 23,
    ErrorType.TIMEOUT: 21,
    ErrorType.UPSTREAM_RESET: 141,
    ErrorType.DENIED: 41,
    ErrorType.BAD_REQUEST: 1,
}


def why(error: ErrorType) -> str:
    return f"refused: {error.name} — 世界 🌍"


@pytest.mark.parametrize("scenario", CALLS)
def test_clients_understand_replies(talk: Talk, scenario: str) -> None:
    """Two of three calls are refused on the spot, the third is served: the connection goes on."""
    errors, turns = itertools.cycle(ErrorType), itertools.count()
    refused: dict[object, ErrorType] = {}

    def policy(frame: Frame) -> Verdict:
        if frame.direction is ANSWERED:
            return pass_through(frame)
        if frame.kind is Kind.ONEWAY:
            assert CODEC.reply(frame, ErrorType.DENIED, "nobody waits for this") is None
            return Verdict()
        if next(turns) % 3 == 2:
            return pass_through(frame)
        error = refused[frame.request_id] = next(errors)
        return Verdict(answer=CODEC.reply(frame, error, why(error)))

    calls, _ = talk.through(scenario, policy)
    assert set(refused.values()) == set(ErrorType)
    for call, direct in zip(calls, talk.calls, strict=True):
        if call["request_id"] in refused:
            error = refused[call["request_id"]]
            assert call["outcome"] == "framework"
            assert (call["code"], call["message"]) == (CODES[error], why(error))
            assert call["answer"]["content_type"] == call["content_type"]
        else:
            assert (call["outcome"], call.get("value")) == (direct["outcome"], direct.get("value"))


@pytest.mark.parametrize("error", list(ErrorType))
def test_clients_understand_that_a_stream_is_refused(talk: Talk, error: ErrorType) -> None:
    def policy(frame: Frame) -> Verdict:
        if frame.kind is Kind.STREAM_OPEN:
            return Verdict(answer=CODEC.reply(frame, error, why(error)))
        return pass_through(frame)

    calls, _ = talk.through("parallel", policy)
    assert len(calls) == PARALLEL
    for call in calls:
        assert (call["opened"], call["outcome"]) == (False, "framework")
        assert (call["code"], call["message"]) == (CODES[error], why(error))


@pytest.mark.parametrize("error", list(ErrorType))
def test_both_peers_understand_that_a_stream_is_reset(talk: Talk, error: ErrorType) -> None:
    """At the first data from the client: each side is told, and the connection goes on."""
    resets = itertools.count()

    def policy(frame: Frame) -> Verdict:
        first = (
            frame.kind is Kind.STREAM_DATA and frame.metadata["frame_type"] == "data" and b"first" in bytes(frame.body)
        )
        if frame.direction is ANSWERED or not first:
            return pass_through(frame)
        number = next(resets)
        reset = CODEC.reply(frame, error, why(error))
        assert reset is not None
        # A CLOSE that resets is the same in either direction.
        return Verdict(forward=[reset] if number % 2 else None, answer=reset)

    calls, proxy = talk.through("parallel", policy)
    assert next(resets) == PARALLEL
    for call in calls:
        assert (call["opened"], call["outcome"]) == (True, "framework")
        assert (call["code"], call["message"]) == (CODES[error], why(error))
    closed = [frame for frame in proxy.frames(Kind.STREAM_CLOSE, ANSWERED) if frame.metadata["error_msg"] == why(error)]
    # Those that the server was told of too it answers with the same error, to nobody who still listens.
    assert len(closed) >= PARALLEL


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
    assert [call["value"] for call in short] == ["Hello aeraki", "Hello again"]
    assert sorted(call["value"] for call in pipelined) == sorted(f"caller {number}" for number in range(PIPELINED))
    assert all(call["value"] == call["request"] for call in pipelined)
    sent = [frame.request_id for frame in proxy.shared.frames if frame.kind is Kind.REQUEST]
    assert sorted(int(number or 0) for number in sent) == list(range(0x5000_0000, 0x5000_0000 + PIPELINED + 2))


@dataclass
class Java:
    """A client of tRPC-Java, with a server that runs."""

    port: int
    client: list[str]
    scenario: str

    @cached_property
    def direct(self) -> list[Call]:
        return run([*self.client, "client", "--scenario", self.scenario], self.port)

    def through(self, policy: Policy = pass_through) -> tuple[list[Call], Proxy]:
        with Proxy(CODEC, self.port, policy) as proxy:
            calls = run([*self.client, "client", "--scenario", self.scenario], proxy.port)
        return calls, proxy


@pytest.fixture(
    scope="module",
    params=[("trpc-go", "calls"), ("trpc-go", "streams"), ("trpc-java", "calls")],
    ids=lambda param: f"{param[1]} of trpc-java to {param[0]}",
)
def java(request: pytest.FixtureRequest, trpc: dict[str, list[str]]) -> Iterator[Java]:
    server, scenario = request.param
    with running([*trpc[server], "server"]) as port:
        yield Java(port, trpc["trpc-java"], scenario)


def test_java_peers_see_no_proxy(java: Java) -> None:
    calls, proxy = java.through()
    assert calls == java.direct
    assert {call["outcome"] for call in calls} >= {"value", "framework"}
    proxy.assert_unchanged()
    opened = Kind.REQUEST if java.scenario == "calls" else Kind.STREAM_OPEN
    asked = proxy.frames(opened, SENT)
    assert len(asked) == sum(call["outcome"] != "oneway" for call in calls)
    answers = proxy.frames(Kind.RESPONSE, ANSWERED) + proxy.frames(Kind.ERROR, ANSWERED)
    assert {id(frame.request) for frame in answers} == {id(frame) for frame in asked}


def test_java_peers_understand_what_is_rewritten(java: Java) -> None:
    ids, asked, lock = itertools.count(0x7ABC_0000), {}, threading.Lock()

    def policy(frame: Frame) -> Verdict:
        if frame.stream_id is not None:
            added = {"x-request-id": "17"} if frame.kind is Kind.STREAM_OPEN else {}
            return Verdict(CODEC.rewrite(frame, set=added))
        if frame.direction is ANSWERED:
            return Verdict(CODEC.rewrite(frame, request_id=asked[frame.request_id]))
        with lock:
            own = next(ids)
            asked[own] = frame.request_id
        user = {"app-user": "mallory"} if frame.metadata["method"] == "Metadata" else {}
        return Verdict(CODEC.rewrite(frame, set={**user, "x-added": "é"}, remove=["app-route"], request_id=own))

    calls, _ = java.through(policy)
    mallory = {"value": "mallory"}
    assert calls == [{**call, **mallory} if call["method"] == "Metadata" else call for call in java.direct]


def test_java_clients_understand_replies(java: Java) -> None:
    errors, lock = itertools.cycle(ErrorType), threading.Lock()
    refused: list[ErrorType] = []

    def policy(frame: Frame) -> Verdict:
        if frame.kind not in (Kind.REQUEST, Kind.STREAM_OPEN):
            return pass_through(frame)
        with lock:
            refused.append(next(errors))
        return Verdict(answer=CODEC.reply(frame, refused[-1], why(refused[-1])))

    calls, _ = java.through(policy)
    answered = [call for call in calls if call["outcome"] != "oneway"]
    assert len(answered) == len(refused) > 5
    for call, error in zip(answered, refused, strict=True):
        assert (call["outcome"], call["code"], call["message"]) == ("framework", CODES[error], why(error))
