"""Real bRPC peers, by brpc-java, with a proxy of ours between them: calls are edited, shared and refused."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from interop.proxy import Multiplexer, Policy, Proxy, Verdict, pass_through
from interop.running import Call, Client, run

from metaprotocol import Codec, Direction, EncodeError, ErrorType, Frame, Kind, get_codec

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120, func_only=True)]

PROTOCOLS = ("brpc", "hulu", "sofa", "public", "nova")
WITH_IDS = PROTOCOLS[:-1]


@dataclass(frozen=True)
class Talk:
    """A client and a server of one protocol."""

    protocol: str
    program: str
    port: int

    @property
    def codec(self) -> Codec:
        return get_codec(self.protocol)

    def command(self, scenario: str, *options: str) -> list[str]:
        return [self.program, "client", "--protocol", self.protocol, "--scenario", scenario, *options]

    def direct(self, scenario: str, *options: str) -> list[Call]:
        return run(self.command(scenario, *options), self.port)

    def through(self, policy: Policy, scenario: str, *options: str) -> tuple[list[Call], Proxy]:
        with Proxy(self.codec, self.port, policy) as proxy:
            calls = run(self.command(scenario, *options), proxy.port)
        return calls, proxy


@pytest.fixture
def talk(request: pytest.FixtureRequest, brpc: str, brpc_server: Callable[[str], int]) -> Talk:
    return Talk(request.param, brpc, brpc_server(request.param))


def of(*protocols: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("talk", protocols, indirect=True)


def received(call: Call) -> dict[str, Any]:
    """What the server says it received."""
    return dict(json.loads(call["received"]))


@of(*PROTOCOLS)
@pytest.mark.parametrize("scenario", ["basic", "fields"])
def test_nothing_is_changed(talk: Talk, scenario: str) -> None:
    calls, proxy = talk.through(pass_through, scenario)
    assert calls == talk.direct(scenario)
    assert all(call["ok"] and call["same"] for call in calls)
    proxy.assert_unchanged()
    for exchange in proxy.exchanges():
        assert exchange.response is not None
        assert exchange.response.kind is Kind.RESPONSE


@of("brpc")
@pytest.mark.parametrize("options", [(), ("--compress", "1"), ("--compress", "2")])
def test_large_and_compressed_bodies_pass(talk: Talk, options: tuple[str, ...]) -> None:
    calls, proxy = talk.through(pass_through, "large", *options)
    assert [call["ok"] and call["same"] for call in calls] == [True, True]
    proxy.assert_unchanged()


@of("brpc", "hulu")
def test_users_fields_are_set_replaced_and_removed(talk: Talk) -> None:
    """The server sees what was set, whatever the client sent, and the attachment stays behind the message."""
    added = {"x-added": "by the proxy", "größe": "新しい 😀", "x-long": "字" * 3000, "x-empty": ""}

    def policy(frame: Frame) -> Verdict:
        if frame.direction is Direction.SERVER_TO_CLIENT:
            return pass_through(frame)
        return Verdict(talk.codec.rewrite(frame, set=added, remove=["colour", "absent"]))

    calls, _ = talk.through(policy, "fields")
    direct = talk.direct("fields")
    assert len(calls) == len(direct)
    for call, plain in zip(calls, direct, strict=True):
        assert call["ok"]
        before, after = received(plain), received(call)
        # A server written in Java reads only what stands where clients written in Java put it.
        if "fields" in before or talk.protocol == "hulu":
            fields = {**before.pop("fields", {}), **added}
            fields.pop("colour", None)
            assert after.pop("fields") == fields
        assert after == before


@of("brpc", "hulu", "public", "sofa")
def test_calls_are_routed_by_edits(talk: Talk) -> None:
    """Calls of what the server lacks become calls of what it has, and the answers come back."""
    to = {"method_index": 0} if talk.protocol in ("hulu", "public") else {"method": "Echo"}

    def policy(frame: Frame) -> Verdict:
        if frame.direction is Direction.SERVER_TO_CLIENT:
            return pass_through(frame)
        return Verdict(talk.codec.rewrite(frame, set=to))

    calls, _ = talk.through(policy, "errors")
    assert [call["method"] for call in calls] == ["Echo", "Fail", "Absent", "Echo"]
    assert [call["ok"] and call["same"] for call in calls] == [True] * 4
    assert [received(call)["method"] for call in calls] == ["Echo"] * 4


@of("brpc")
def test_more_of_a_meta_is_edited(talk: Talk) -> None:
    """Fields that brpc-java does not know pass it, and those that it knows are those that we wrote."""
    edits: dict[str, str | int] = {"trace_id": 2**63 - 1, "span_id": -5, "parent_span_id": 6, "timeout_ms": 250}

    def policy(frame: Frame) -> Verdict:
        if frame.direction is Direction.SERVER_TO_CLIENT:
            return pass_through(frame)
        return Verdict(talk.codec.rewrite(frame, set={**edits, "authentication_data": "token"}))

    calls, proxy = talk.through(policy, "fields")
    assert all(call["ok"] and call["same"] for call in calls)
    for session in proxy.sessions:
        for exchange in session.upstream.exchanges():
            told = dict(exchange.request.metadata)
            assert {key: told[key] for key in edits} == edits
            assert told["authentication_data"] == "token"


@of(*WITH_IDS)
def test_clients_share_a_connection_to_the_server(talk: Talk) -> None:
    """Many calls at once from two clients over one connection: none gets the other's answer."""
    first = 2**62
    with (
        Multiplexer(talk.codec, talk.port, clients=2, first_id=first) as proxy,
        Client(talk.command("concurrent", "--threads", "4", "--count", "60"), proxy.port) as many,
        Client(talk.command("basic"), proxy.port) as few,
    ):
        concurrent, sequential = many.calls(), few.calls()
    assert proxy.together >= 2
    assert len(concurrent) == 60
    assert all(call["ok"] and call["same"] for call in concurrent + sequential)
    sent = [frame.request_id for frame in proxy.shared.frames if frame.kind is Kind.REQUEST]
    assert sorted(map(repr, sent)) == sorted(map(repr, range(first, first + 64)))


def message(error: ErrorType) -> str:
    return f"refused by the proxy: {error.name}, 世界 😀"


@of("brpc", "hulu", "sofa")
def test_clients_understand_replies(talk: Talk) -> None:
    """Three of four calls are refused on the spot, the last is served: the connection goes on."""
    errors = itertools.cycle(ErrorType)
    turns = itertools.count()
    refused: dict[int, ErrorType] = {}

    def policy(frame: Frame) -> Verdict:
        turn = next(turns) if frame.kind is Kind.REQUEST else 3
        if turn % 4 == 3:
            return pass_through(frame)
        refused[turn] = next(errors)
        return Verdict(answer=talk.codec.reply(frame, refused[turn], message(refused[turn])))

    with Proxy(talk.codec, talk.port, policy) as proxy:
        calls = [call for _ in range(4) for call in run(talk.command("basic"), proxy.port)]
    assert set(refused.values()) == set(ErrorType)
    assert len(calls) == 16
    for turn, call in enumerate(calls):
        if turn in refused:
            assert call["ok"] is False
            assert message(refused[turn]) in call["error"]
        else:
            assert call["ok"]
            assert call["same"]


@of("public")
def test_a_client_of_public_is_told_nothing_by_errors(talk: Talk) -> None:
    """The client of brpc-java looks for the call of a response only after it has looked for an error: those of its own
    server, and ours, which are the same in kind, end in its timeout. The calls behind them go on."""

    def policy(frame: Frame) -> Verdict:
        if frame.metadata.get("method_index") == 1:
            return Verdict(answer=talk.codec.reply(frame, ErrorType.DENIED, "denied"))
        return pass_through(frame)

    direct = talk.direct("errors", "--timeout", "800")
    calls, proxy = talk.through(policy, "errors", "--timeout", "800")
    assert [(call["ok"], call.get("error")) for call in calls] == [(call["ok"], call.get("error")) for call in direct]
    assert [call.get("error") for call in calls] == [None, "timeout", "timeout", None]
    [refused] = proxy.frames(Kind.ERROR, Direction.SERVER_TO_CLIENT)
    assert refused.request is not None
    assert (refused.metadata["error_code"], refused.metadata["error_text"]) == (1004, "denied")


@of("nova")
def test_nova_has_no_replies(talk: Talk) -> None:
    """It has no place for an error: who would refuse a call closes the connection."""
    seen: list[Frame] = []

    def policy(frame: Frame) -> Verdict:
        if frame.kind is Kind.REQUEST:
            seen.append(frame)
            with pytest.raises(EncodeError, match="close the connection"):
                talk.codec.reply(frame, ErrorType.DENIED, "denied")
            return Verdict(talk.codec.rewrite(frame, set={"log_id": 7, "provider": "the proxy"}))
        return pass_through(frame)

    calls, proxy = talk.through(policy, "basic")
    assert all(call["ok"] and call["same"] for call in calls)
    assert len(seen) == len(calls)
    answers = [exchange.response for exchange in proxy.exchanges()]
    assert [answer.metadata["log_id"] for answer in answers if answer is not None] == [7] * len(calls)
