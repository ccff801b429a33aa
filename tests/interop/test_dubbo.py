"""Dubbo between the clients and servers of Apache Dubbo 2.7 and 3, from Java."""

from __future__ import annotations

import copy
import hashlib
import itertools
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from interop.proxy import HOST, PATIENCE, Exchange, Multiplexer, Policy, Proxy, Verdict, kinds, pass_through
from interop.running import Call, Client, run, running

from metaprotocol import Direction, ErrorType, Frame, Head, Kind, get_codec

pytestmark = [pytest.mark.interop, pytest.mark.timeout(90, func_only=True)]

CODEC = get_codec("dubbo")
CAPTURES = Path(__file__).resolve().parents[1] / "captures" / "dubbo"
LINES = ("2.7", "3")
PAIRS = [(client, server) for client in LINES for server in LINES]
RPC = "org.apache.dubbo.rpc.RpcException"


@dataclass(frozen=True)
class Talk:
    """A line of clients, and a server that runs."""

    client: str
    server: str
    port: int
    program: str

    def command(self, scenario: str, *options: str) -> list[str]:
        return [self.program, "client", "--line", self.client, "--scenario", scenario, *options]

    def direct(self, scenario: str, *options: str) -> list[Call]:
        """What the client sees without a proxy."""
        return copy.deepcopy(without_proxy(self, scenario, *options))

    def through(self, policy: Policy, scenario: str, *options: str) -> tuple[list[Call], Proxy]:
        """What the client sees through a proxy."""
        with Proxy(CODEC, self.port, policy) as proxy:
            calls = run(self.command(scenario, *options), proxy.port)
        assert len(proxy.sessions) == 1, "the client connected anew"
        return calls, proxy


@cache
def without_proxy(talk: Talk, scenario: str, *options: str) -> list[Call]:
    """Run once, for all tests that compare with it."""
    return run(talk.command(scenario, *options), talk.port)


@pytest.fixture(params=PAIRS, ids=lambda pair: "{}-to-{}".format(*pair))
def talk(request: pytest.FixtureRequest, dubbo: str, dubbo_server: Callable[[str], int]) -> Talk:
    client, server = request.param
    return Talk(client, server, dubbo_server(server), dubbo)


each_line = pytest.mark.parametrize("talk", [(line, line) for line in LINES], indirect=True, ids=LINES)
"""Both lines, each with itself."""


def outcome(call: Call) -> Call:
    """What must not depend on who is in between: ports, times and ids of messages do."""
    told = dict(call)
    if told.get("code") == 2:
        # The client's timer or the waiting thread says so, whichever comes first.
        del told["message"], told["causes"]
    elif told.get("exception") == RPC:
        told["message"] = None  # It repeats the cause, and tells of the port.
        root = told.pop("causes")[-1]
        told["cause"] = root["exception"], re.sub(r"\d+", "#", root["message"])
    return told


def as_told(texts: dict[str, str]) -> dict[str, Any]:
    """As the peers write texts: long ones by their length in UTF-16 and a digest."""
    return {key: text if len(text) < 8000 else digest(text) for key, text in texts.items()}


def digest(text: str) -> dict[str, Any]:
    length = len(text.encode("utf-16-le")) // 2
    return {"$string": {"length": length, "sha256": hashlib.sha256(text.encode()).hexdigest()}}


def told_by(response: Frame) -> dict[str, str | int]:
    return dict(response.metadata)


def check(call: Call, exchange: Exchange) -> None:
    """Compares what the client tells of a call with what the codec tells of its frames."""
    request, response = exchange.request, exchange.response
    assert request.kind is (Kind.ONEWAY if call["one_way"] else Kind.REQUEST)
    told = request.metadata
    assert told["method"] == call["method"]
    assert told["path"] == call["interface"]
    # A client may call under a path by an interface of its own.
    assert told["interface"] in (call["interface"], "metaprotocol.peer.ExtendedService")
    assert told["param_types"] == call["types"]
    assert told["param_count"] == len(call["arguments"])
    assert told.get("group") == call["group"]
    assert told.get("version") in (call["version"], "0.0.0")
    if set(call["types"].split(";")) <= {"Ljava/lang/String", "I", "J", ""}:
        assert [told.get(f"arg.{index}") for index in range(len(call["arguments"]))] == call["arguments"]
    for key, value in call["attachments"].items():
        if isinstance(value, str):
            assert told[key] == value

    assert (response is None) == call["one_way"]
    if response is None:
        return
    assert response.request is request
    assert response.request_id == request.request_id
    answer = response.metadata
    if call["ok"]:
        assert response.kind is Kind.RESPONSE
        assert answer["status"] == 20
    elif call.get("code") == 2:
        assert answer["status"] == 20, "the late answer"
    else:
        assert response.kind is Kind.ERROR
        if call["exception"] == RPC:
            assert answer["status"] != 20
            assert answer["error_message"] in call["causes"][-1]["message"]
        else:
            assert (answer["exception"], answer["exception_message"]) == (call["exception"], call["message"])
    for key, value in (call["response_attachments"] or {}).items():
        assert answer[key] == value


@pytest.mark.parametrize("scenario", ["interop", "basic", "exceptions", "oneway"])
def test_frames_are_seen_and_bytes_stay(talk: Talk, scenario: str) -> None:
    direct = talk.direct(scenario)
    calls, proxy = talk.through(pass_through, scenario)
    assert [outcome(call) for call in calls] == [outcome(call) for call in direct]
    assert sum(call["ok"] for call in calls) >= 2
    proxy.assert_unchanged()
    exchanges = proxy.exchanges()
    assert len(exchanges) == len(calls)
    for call, exchange in zip(calls, exchanges, strict=True):
        check(call, exchange)


@each_line
@pytest.mark.parametrize("scenario", ["large", "unicode"])
def test_large_and_foreign_bodies_pass(talk: Talk, scenario: str) -> None:
    calls, proxy = talk.through(pass_through, scenario)
    assert sum(call["ok"] for call in calls) >= len(calls) - 1
    proxy.assert_unchanged()
    for call, exchange in zip(calls, proxy.exchanges(), strict=True):
        assert exchange.request.metadata["method"] == call["method"]
        assert exchange.response is not None
        assert exchange.response.request is exchange.request


ADDED = {
    "user": "mallory",
    "x-added": "by the proxy",
    "世界": "こんにちは 😀 naïve",
    "x-empty": "",
    "x-ascii": "0123456789abcdef" * 2500,
    # Longer than a chunk of Hessian's strings, with surrogate pairs across its end.
    "x-long": "字" + "😀" * 20_000,
}


def test_attachments_are_set_replaced_and_removed(talk: Talk) -> None:
    def policy(frame: Frame) -> Verdict:
        if frame.direction is Direction.SERVER_TO_CLIENT:
            return pass_through(frame)
        return Verdict(CODEC.rewrite(frame, set=ADDED, remove=["remote.application", "second", "absent"]))

    options = ("--attach", "first=1", "--attach", "second=2")
    direct = talk.direct("interop", *options)
    calls, proxy = talk.through(policy, "interop", *options)
    (received,) = (call["value"] for call in direct if call["method"] == "attachments")
    assert received["second"] == "2"
    assert received["remote.application"] == "metaprotocol-client"
    expected = {**received, **as_told(ADDED)}
    del expected["second"], expected["remote.application"]
    (call,) = (call for call in calls if call["method"] == "attachments")
    assert call["value"] == expected
    # Arguments and answers, among them objects, are as they were.
    others = [outcome(call) for call in calls if call["method"] != "attachments"]
    assert others == [outcome(call) for call in direct if call["method"] != "attachments"]
    for session in proxy.sessions:
        for before, after in zip(session.downstream.exchanges(), session.upstream.exchanges(), strict=True):
            assert after.request.request_id == before.request.request_id
            kept = {key: before.request.metadata[key] for key in before.request.metadata if key not in ADDED}
            del kept["second"], kept["remote.application"]
            assert told_by(after.request) == {**kept, **ADDED}


def test_attachments_of_answers_are_edited(talk: Talk) -> None:
    edits = {"served-by": "the proxy", "x-proxied": "да 😀", "x-long": "字" * 40_000}

    def policy(frame: Frame) -> Verdict:
        if frame.direction is Direction.CLIENT_TO_SERVER:
            return pass_through(frame)
        return Verdict(CODEC.rewrite(frame, set=edits, remove=["colour"]))

    direct = talk.direct("interop")
    calls, _ = talk.through(policy, "interop")
    assert any("colour" in call["response_attachments"] for call in direct)
    for call, plain in zip(calls, direct, strict=True):
        expected = {**plain["response_attachments"], **as_told(edits)}
        expected.pop("colour", None)
        assert call.pop("response_attachments") == expected
        del plain["response_attachments"]
    assert calls == direct


def test_calls_are_routed_by_edits(talk: Talk) -> None:
    """Calls of what the server lacks become calls of what it has, and the answers come back."""

    def policy(frame: Frame) -> Verdict:
        if frame.direction is Direction.SERVER_TO_CLIENT:
            return pass_through(frame)
        told = frame.metadata
        service = "metaprotocol.peer.DemoService"
        edits = {"path": service, "interface": service}
        if told.get("version") == "9.9.9":
            edits |= {"version": "1.2.3", "service_version": "1.2.3"}
        if told["method"] == "absent":
            edits["method"] = "echoString"
        if told["method"] == "absentWithoutArguments":
            edits["method"] = "nullString"
        return Verdict(CODEC.rewrite(frame, set=edits))

    def answers(calls: list[Call]) -> dict[str, Any]:
        wrong = [call for call in calls if str(call["arguments"][:1])[2:].startswith("wrong")]
        return {call["arguments"][0]: call.get("value", call["ok"]) for call in wrong}

    assert answers(talk.direct("exceptions")) == {
        "wrong version": False,
        "wrong service": False,
        "wrong method": False,
    }
    calls, _ = talk.through(policy, "exceptions")
    assert answers(calls) == {
        "wrong version": "Hello wrong version",
        "wrong service": "Hello wrong service",
        "wrong method": "wrong method",
    }
    (without,) = (call for call in calls if call["method"] == "absentWithoutArguments")
    assert (without["ok"], without["value"]) == (True, None)


def test_clients_share_a_connection_to_the_server(talk: Talk) -> None:
    """Many calls at once from one client, from the other one after another: none gets the other's answer."""
    first = 0x7000_0000_0000
    with (
        Multiplexer(CODEC, talk.port, clients=2, first_id=first) as proxy,
        Client(talk.command("concurrent", "--threads", "8", "--count", "200"), proxy.port) as many,
        Client(talk.command("interop", "--attach", "user=bob"), proxy.port) as few,
    ):
        concurrent, sequential = many.calls(), few.calls()
    assert len(proxy.sessions) == 2
    assert proxy.together >= 2
    assert len(concurrent) == 200
    assert all(call["ok"] and call["value"] == call["arguments"][0] for call in concurrent)
    direct = talk.direct("interop", "--attach", "user=bob")
    assert [outcome(call) for call in sequential] == [outcome(call) for call in direct]
    (received,) = (call["value"] for call in sequential if call["method"] == "attachments")
    assert received["user"] == "bob"
    sent = [frame.request_id for frame in proxy.shared.frames if frame.kind is Kind.REQUEST]
    assert sorted(map(repr, sent)) == sorted(map(repr, range(first, first + 206)))


TIMEOUT = 2
NETWORK = 1
"""Codes of RpcException: the status of a timeout has one of its own, all others are `network`."""


def message(error: ErrorType) -> str:
    return f"refused by the proxy: {error.name}, 世界 😀"


def assert_refused(call: Call, error: ErrorType) -> None:
    assert call["exception"] == RPC
    assert call["code"] == (TIMEOUT if error is ErrorType.TIMEOUT else NETWORK)
    assert message(error) in call["message"]
    root = call["causes"][-1]
    assert (
        root["exception"]
        == f"org.apache.dubbo.remoting.{'Timeout' if error is ErrorType.TIMEOUT else 'Remoting'}Exception"
    )
    assert message(error) in root["message"]


def test_clients_understand_replies(talk: Talk) -> None:
    """Two of three calls are refused on the spot, the third is served: the connection goes on."""
    errors = itertools.cycle(ErrorType)
    turns = itertools.count()
    refused: dict[int, ErrorType] = {}

    def policy(frame: Frame) -> Verdict:
        turn = next(turns) if frame.kind is Kind.REQUEST else 2
        if turn % 3 == 2:
            return pass_through(frame)
        refused[turn] = next(errors)
        return Verdict(answer=CODEC.reply(frame, refused[turn], message(refused[turn])))

    direct = talk.direct("basic")
    calls, proxy = talk.through(policy, "basic")
    assert set(refused.values()) == set(ErrorType)
    assert len(calls) == len(direct)
    for turn, (call, plain) in enumerate(zip(calls, direct, strict=True)):
        if turn in refused:
            assert_refused(call, refused[turn])
        else:
            assert outcome(call) == outcome(plain)
    assert kinds(proxy.sessions[0].upstream.frames)[Direction.CLIENT_TO_SERVER, Kind.REQUEST] == len(calls) // 3


@each_line
def test_one_way_calls_are_not_answered(talk: Talk) -> None:
    dropped: list[Frame] = []

    def policy(frame: Frame) -> Verdict:
        if frame.kind is not Kind.ONEWAY:
            return pass_through(frame)
        assert CODEC.reply(frame, ErrorType.DENIED, "nobody waits for this") is None
        dropped.append(frame)
        return Verdict()

    calls, proxy = talk.through(policy, "oneway")
    assert all(call["ok"] for call in calls)
    assert len(dropped) == sum(call["one_way"] for call in calls) == 4
    (answered,) = (call for call in calls if not call["one_way"])
    assert answered["value"] == "Hello answered"
    assert len(proxy.frames(Kind.RESPONSE, Direction.SERVER_TO_CLIENT)) == 1


@pytest.mark.parametrize("talk", [("2.7", "2.7")], indirect=True, ids=["2.7"])
def test_replies_in_the_requests_serialization(talk: Talk) -> None:
    errors = iter(ErrorType)
    used: list[ErrorType] = []

    def policy(frame: Frame) -> Verdict:
        assert frame.metadata["serialization"] == "fastjson"
        used.append(next(errors))
        return Verdict(answer=CODEC.reply(frame, used[-1], message(used[-1])))

    calls, _ = talk.through(policy, "interop", "--serialization", "fastjson")
    assert len(calls) == len(used) == 6
    for call, error in zip(calls, used, strict=True):
        assert_refused(call, error)


IDLE = ("idle", "--heartbeat", "1000", "--idle", "5000")
"""Silence between two calls. A second of it makes a client send a heartbeat, three without answer connect anew."""


@each_line
def test_answered_heartbeats_keep_a_client(talk: Talk) -> None:
    def policy(frame: Frame) -> Verdict:
        if frame.kind is Kind.HEARTBEAT:
            return Verdict(answer=CODEC.reply(frame))
        return pass_through(frame)

    calls, proxy = talk.through(policy, *IDLE)
    assert [call["ok"] for call in calls] == [True, True]
    beats = proxy.frames(Kind.HEARTBEAT, Direction.CLIENT_TO_SERVER)
    answers = proxy.frames(Kind.HEARTBEAT, Direction.SERVER_TO_CLIENT)
    assert len(beats) >= 3
    assert [answer.request_id for answer in answers] == [beat.request_id for beat in beats]
    assert kinds(proxy.sessions[0].upstream.frames).total() == 4, "two calls and nothing else"


@each_line
def test_unanswered_heartbeats_lose_a_client(talk: Talk) -> None:
    """What the test above would see if our answers were none."""

    def policy(frame: Frame) -> Verdict:
        return Verdict() if frame.kind is Kind.HEARTBEAT else pass_through(frame)

    with Proxy(CODEC, talk.port, policy) as proxy:
        run(talk.command(*IDLE), proxy.port)
    assert len(proxy.sessions) > 1


@each_line
def test_heartbeats_keep_a_server(talk: Talk) -> None:
    """A server gives up a connection that is silent for three seconds: this one gets beats under ids of ours."""
    own = itertools.count(2**63)
    ours: list[Frame] = []

    def policy(frame: Frame) -> Verdict:
        if frame.kind is not Kind.HEARTBEAT:
            return pass_through(frame)
        if frame.direction is Direction.SERVER_TO_CLIENT:
            ours.append(frame)
            return Verdict()
        return Verdict(forward=CODEC.rewrite(frame, request_id=next(own)), answer=CODEC.reply(frame))

    with (
        running([talk.program, "server", "--line", talk.server, "--heartbeat", "1000"]) as port,
        Proxy(CODEC, port, policy) as proxy,
    ):
        calls = run(talk.command(*IDLE), proxy.port)
    assert [call["ok"] for call in calls] == [True, True]
    assert len(proxy.sessions) == 1
    assert len(ours) >= 3
    assert [beat.request_id for beat in ours] == list(range(2**63, 2**63 + len(ours)))
    assert {beat.metadata["status"] for beat in ours} == {20}


@each_line
def test_clients_answer_heartbeats_from_the_servers_side(talk: Talk) -> None:
    """A beat that a client sends is turned round, under an id of ours: both directions carry requests."""
    answered: list[Frame] = []

    def policy(frame: Frame) -> Verdict:
        if frame.kind is not Kind.HEARTBEAT:
            return pass_through(frame)
        if "status" in frame.metadata:
            answered.append(frame)
            return Verdict()
        assert isinstance(frame.request_id, int)
        back = b"".join(CODEC.rewrite(frame, request_id=10**15 + frame.request_id % 1000))
        return Verdict(answer=back + (CODEC.reply(frame) or b""))

    calls, _ = talk.through(policy, *IDLE)
    assert [call["ok"] for call in calls] == [True, True]
    assert len(answered) >= 3
    assert all(isinstance(beat.request_id, int) and 10**15 <= beat.request_id < 10**15 + 1000 for beat in answered)


@dataclass
class Direct:
    """A connection of our own to a server."""

    socket: socket.socket

    def __post_init__(self) -> None:
        self.connection = CODEC.connection()

    def ask(self, call: bytes) -> tuple[Frame, Frame]:
        """Sends a frame and waits for one; gives both."""
        (request,) = self.connection.feed(Direction.CLIENT_TO_SERVER, call)
        self.socket.sendall(call)
        frames: list[Frame] = []
        while not frames:
            data = self.socket.recv(65536)
            assert data, "the server closed the connection"
            frames = self.connection.feed(Direction.SERVER_TO_CLIENT, data)
        (response,) = frames
        return request, response


@pytest.fixture
def direct(talk: Talk) -> Iterator[Direct]:
    with socket.create_connection((HOST, talk.port), PATIENCE) as server:
        yield Direct(server)


def recorded(name: str, flags: bytes) -> Frame:
    """The first frame with these flags in a capture; it is short, and so lies within a packet."""
    data = (CAPTURES / f"dubbo-{name}.pcap").read_bytes()
    data = data[data.index(b"\xda\xbb" + flags) :]
    head = CODEC.split(data)
    assert isinstance(head, Head)
    return CODEC.decode(data[: head.frame_len])


TWO_WAY_HESSIAN = b"\xc2\0"
HEARTBEAT_HESSIAN = b"\xe2\0"


@pytest.mark.parametrize("request_id", [1, 0x7FFF_FFFF_FFFF_FFFF, -2, 0])
def test_a_recorded_call_is_served_under_another_id(talk: Talk, direct: Direct, request_id: int) -> None:
    call = recorded(f"{talk.client}-basic", TWO_WAY_HESSIAN)
    assert call.metadata["method"] == "sayHello"
    request, response = direct.ask(b"".join(CODEC.rewrite(call, request_id=request_id)))
    assert request.request_id == request_id % 2**64
    assert response.request is request
    assert direct.connection.pair(response) is request
    assert response.kind is Kind.RESPONSE
    assert response.metadata["status"] == 20
    assert response.metadata["served-by"] == "metaprotocol-peer"
    assert b"Hello aeraki" in bytes(response.body)


def test_a_recorded_heartbeat_is_answered(talk: Talk, direct: Direct) -> None:
    beat = recorded(f"{talk.client}-heartbeats", HEARTBEAT_HESSIAN)
    for request_id in (5, 6, -7):
        request, response = direct.ask(b"".join(CODEC.rewrite(beat, request_id=request_id)))
        assert request.kind is response.kind is Kind.HEARTBEAT
        assert response.request_id == request.request_id
        # The server's answer is what ours would have been.
        assert CODEC.reply(request) == bytes(response.raw)
