"""Dubbo as real peers spoke it: every frame of every capture is what the client said it was."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from functools import cache
from io import BytesIO
from typing import Any

import pytest
from kit.captures import CAPTURES, Capture, Conversation, captures
from pyhessian.parser import Parser

from metaprotocol import Connection, DecodeError, Direction, ErrorType, Frame, Kind, get_codec

CODEC = get_codec("dubbo")
ALL = captures("dubbo")
HESSIAN = [capture for capture in ALL if capture.expected["serialization"] == "hessian2"]
OTHERS = [capture for capture in ALL if capture not in HESSIAN]
REQUESTS, RESPONSES = Direction
REQUEST, TWO_WAY, EVENT, OK = 0x80, 0x40, 0x20, 20
# What the client library says instead of what the server sent.
FROM_THE_CLIENT = "org.apache.dubbo.rpc.RpcException"


@cache
def decoded(capture: Capture) -> list[tuple[Conversation, dict[Direction, list[Frame]], Connection]]:
    found = []
    for conversation in capture.conversations:
        connection = CODEC.connection()
        frames: dict[Direction, list[Frame]] = {direction: [] for direction in Direction}
        for direction, data in conversation.pieces:
            frames[direction] += connection.feed(direction, data)
        for direction in Direction:
            connection.eof(direction)
        found.append((conversation, frames, connection))
    return found


def frames_of(capture: Capture, direction: Direction, *kinds: Kind) -> list[Frame]:
    return [frame for _, frames, _ in decoded(capture) for frame in frames[direction] if frame.kind in kinds]


def requests_of(capture: Capture) -> list[Frame]:
    return frames_of(capture, REQUESTS, Kind.REQUEST, Kind.ONEWAY)


def responses_of(capture: Capture) -> list[Frame]:
    return frames_of(capture, RESPONSES, Kind.RESPONSE, Kind.ERROR)


def plain(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))


# Values that Hessian writes as text or a number; an enum or a BigInteger is an object.
SIMPLE = re.compile(r"[BSIJC]|Ljava/lang/(String|Byte|Short|Integer|Long|Character);")


def simple(call: dict[str, Any], number: int) -> bool:
    """Whether an argument is text or a number, on the wire as in the client's words."""
    types = re.findall(r"\[*(?:L[^;]+;|.)", call["types"])
    return plain(call["arguments"][number]) and bool(SIMPLE.fullmatch(types[number]))


def representable(text: str) -> str:
    """Java's strings may hold half a surrogate pair, which UTF-8 cannot: it is shown as the replacement character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def digest(value: dict[str, Any], text: str) -> bool:
    """Whether a text is the long one that the client described by length and hash."""
    said = value["$string"]
    utf16 = len(text.encode("utf-16-be", "surrogatepass")) // 2
    return said["length"] == utf16 and said["sha256"] == hashlib.sha256(text.encode()).hexdigest()


def calls_on_the_wire(capture: Capture) -> list[tuple[dict[str, Any], Frame]]:
    """Each call with its request. One client sends them in order; several at once are told apart by what they ask."""
    calls, requests = capture.expected["calls"], requests_of(capture)
    if capture.expected["scenario"] not in ("concurrent", "exhausted"):
        # Calls behind the last request never left the client: it had lost its connection.
        assert len(requests) <= len(calls)
        assert all(call.get("exception") == FROM_THE_CLIENT for call in calls[len(requests) :])
        return list(zip(calls, requests, strict=False))
    asked = {
        (frame.metadata["method"], frame.metadata["arg.0"], frame.metadata.get("call")): frame for frame in requests
    }
    assert len(asked) == len(calls)
    return [(call, asked[call["method"], call["arguments"][0], call["attachments"].get("call")]) for call in calls]


def test_all_are_here() -> None:
    expected = [capture.expected for capture in ALL]
    lines = {(said["client"].split(".")[0], said["server"].split(".")[0]) for said in expected}
    assert lines == {("2", "2"), ("3", "3"), ("2", "3"), ("3", "2")}
    scenarios = {str(capture).rsplit("-", 1)[1] for capture in ALL}
    assert scenarios >= {"basic", "exceptions", "oneway", "heartbeats", "large", "unicode", "concurrent", "exhausted"}
    assert {path.stem for path in (CAPTURES / "dubbo").glob("*.json")} == {str(capture) for capture in ALL}
    assert {said["serialization"] for said in expected} == {"hessian2", "fastjson", "fastjson2"}


@pytest.mark.parametrize("capture", ALL, ids=str)
class TestFrames:
    def test_headers(self, capture: Capture) -> None:
        ours = [
            {
                "client_port": conversation.client_port,
                "to": "server" if direction is REQUESTS else "client",
                "flags": frame.header[2],
                "status": frame.header[3],
                "id": int.from_bytes(frame.header[4:12], "big", signed=True),
                "body_len": len(frame.body),
            }
            for conversation, frames, _ in decoded(capture)
            for direction in Direction
            for frame in frames[direction]
        ]
        assert Counter(tuple(said.items()) for said in ours) == Counter(
            tuple(said.items()) for said in capture.expected["frames"]
        )

    def test_kinds(self, capture: Capture) -> None:
        for _, frames, _ in decoded(capture):
            for direction in Direction:
                for frame in frames[direction]:
                    flags, status = frame.header[2], frame.header[3]
                    metadata = frame.metadata
                    assert frame.request_id == int.from_bytes(frame.header[4:12], "big")
                    assert metadata["event"] == bool(flags & EVENT)
                    if flags & EVENT:
                        assert frame.kind in (Kind.HEARTBEAT, Kind.CONTROL)
                        assert (frame.kind is Kind.HEARTBEAT) == (bytes(frame.body) == b"N")
                    elif flags & REQUEST:
                        assert frame.kind is (Kind.REQUEST if flags & TWO_WAY else Kind.ONEWAY)
                        assert metadata["two_way"] == bool(flags & TWO_WAY)
                    else:
                        assert metadata["status"] == status
                        assert frame.kind in ((Kind.RESPONSE, Kind.ERROR) if status == OK else (Kind.ERROR,))

    def test_pairs(self, capture: Capture) -> None:
        for _, frames, connection in decoded(capture):
            asked = {frame.request_id: frame for frame in frames[REQUESTS] if frame.kind is Kind.REQUEST}
            answers = [frame for frame in frames[RESPONSES] if frame.kind in (Kind.RESPONSE, Kind.ERROR)]
            for answer in answers:
                assert answer.request is asked.pop(answer.request_id)
                assert connection.pair(answer) is answer.request
            assert connection.in_flight == len(asked)

    def test_any_cut_gives_the_same(self, capture: Capture) -> None:
        for conversation, frames, _ in decoded(capture):
            for direction in Direction:
                stream = conversation.stream(direction)
                for size in (1400, 4099):
                    connection = CODEC.connection()
                    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
                    again = [bytes(frame) for piece in pieces for frame in connection.feed(direction, piece)]
                    assert again == [bytes(frame) for frame in frames[direction]]

    def test_new_ids(self, capture: Capture) -> None:
        """Heartbeats and foreign serializations take a new id as well, and nothing else changes."""
        for _, frames, _ in decoded(capture):
            for frame in [*frames[REQUESTS][:50], *frames[RESPONSES][:50]]:
                again = CODEC.decode(b"".join(CODEC.rewrite(frame, request_id=-5)))
                assert again.request_id == (1 << 64) - 5
                assert again.kind is frame.kind
                assert bytes(again)[:4] + bytes(again)[12:] == bytes(frame)[:4] + bytes(frame)[12:]


@pytest.mark.parametrize("capture", HESSIAN, ids=str)
class TestCalls:
    def test_requests(self, capture: Capture) -> None:
        for call, frame in calls_on_the_wire(capture):
            metadata = frame.metadata
            assert frame.kind is (Kind.ONEWAY if call["one_way"] else Kind.REQUEST)
            assert metadata["path"] == call["interface"]
            # A client may look a service up under one name and call another that extends it.
            extended = call["method"].startswith("absent")
            assert metadata["interface"] == call["interface"].replace("Demo", "Extended" if extended else "Demo")
            assert metadata["method"] == call["method"]
            assert metadata.get("param_types", "") == call["types"]
            assert metadata.get("group") == call["group"]
            assert metadata["service_version"] == metadata["version"] == (call["version"] or "0.0.0")
            assert metadata["serialization"] == "hessian2"
            assert metadata["dubbo_version"] == "2.0.2"

    def test_attachments(self, capture: Capture) -> None:
        for call, frame in calls_on_the_wire(capture):
            for key, value in call["attachments"].items():
                if plain(value):
                    assert frame.metadata[key] == value
                    assert dict(frame.metadata)[key] == value
                elif isinstance(value, list):
                    assert frame.metadata.get(key) is None

    def test_what_the_server_received(self, capture: Capture) -> None:
        """The other side's word for it: attachments as its filter saw them."""
        ours = [
            (str(frame.metadata["method"]), {key: frame.metadata.get(key) for key in ("interface", "user", "trace-id")})
            for frame in requests_of(capture)
        ]
        seen = Counter(str(said) for said in ours)
        for received in capture.expected["received"]:
            attachments = received["attachments"]
            asked = {key: attachments.get(key) for key in ("interface", "user", "trace-id")}
            assert seen[str((received["method"], asked))] > 0

    def test_arguments(self, capture: Capture) -> None:
        checked = 0
        for call, frame in calls_on_the_wire(capture):
            assert frame.metadata["param_count"] == len(call["arguments"])
            for number, value in enumerate(call["arguments"]):
                ours = frame.metadata.get(f"arg.{number}")
                if simple(call, number):
                    assert ours == (representable(value) if isinstance(value, str) else value)
                    checked += 1
                elif isinstance(value, dict) and "$string" in value:
                    assert digest(value, str(ours))
                    checked += 1
                elif isinstance(value, list) or (isinstance(value, dict) and "$class" in value):
                    assert ours is None
            assert frame.metadata.get(f"arg.{len(call['arguments'])}") is None
        assert checked > 0

    def test_outcomes(self, capture: Capture) -> None:
        answers = {id(frame.request): frame for frame in responses_of(capture)}
        for call, request in calls_on_the_wire(capture):
            if call["one_way"]:
                assert id(request) not in answers
                continue
            answer = answers[id(request)]
            metadata = answer.metadata
            if call["ok"]:
                assert answer.kind is Kind.RESPONSE
                assert metadata["status"] == OK
                assert metadata["result_type"] in ((2, 5) if call["value"] is None else (1, 4))
                assert "exception" not in metadata
            elif call["exception"] != FROM_THE_CLIENT:
                assert answer.kind is Kind.ERROR
                assert metadata["status"] == OK
                assert metadata["result_type"] in (0, 3)
                assert metadata["exception"] == call["exception"]
                assert metadata.get("exception_message") == call["message"]
            elif metadata["status"] != OK:
                assert answer.kind is Kind.ERROR
                told = str(metadata["error_message"]).splitlines()[0].strip()
                causes = [call["message"], *(cause["message"] or "" for cause in call["causes"])]
                assert any(told[:60] in text for text in causes)
            for key, value in (call["response_attachments"] or {}).items():
                if metadata.get("status") == OK and plain(value) and call["exception" if not call["ok"] else "ok"]:
                    assert metadata[key] == value

    def test_edits(self, capture: Capture) -> None:
        """What a proxy does to a request: everything else stays, byte for byte and in meaning."""
        for call, frame in calls_on_the_wire(capture)[:50]:
            segments = CODEC.rewrite(frame, set={"x-added": "wört 世界 🌍", "group": "edited"}, remove=["user"])
            again = CODEC.decode(b"".join(segments))
            before, after = dict(frame.metadata), dict(again.metadata)
            assert (after.pop("x-added"), after.pop("group")) == ("wört 世界 🌍", "edited")
            before.pop("user", None)
            before.pop("group", None)
            assert after == before
            arguments = [f"arg.{number}" for number in range(len(call["arguments"]))]
            assert [again.metadata.get(key) for key in arguments] == [frame.metadata.get(key) for key in arguments]
            # The bytes before the attachments are the original's own.
            front = bytes(frame.body).rfind(b"H")
            assert bytes(again.body)[: min(front, 40)] == bytes(frame.body)[: min(front, 40)]

    def test_error_replies(self, capture: Capture) -> None:
        for _, frame in calls_on_the_wire(capture)[:50]:
            reply = CODEC.reply(frame, ErrorType.OVER_LIMIT, "slow down")
            if frame.kind is Kind.ONEWAY:
                assert reply is None
                continue
            error = CODEC.decode(reply or b"", direction=RESPONSES)
            assert (error.kind, error.request_id) == (Kind.ERROR, frame.request_id)
            assert (error.metadata["status"], error.metadata["error_message"]) == (100, "slow down")

    def test_batches_agree(self, capture: Capture) -> None:
        for conversation, frames, _ in decoded(capture):
            for direction in Direction:
                keys = ["interface", "method", "group", "status", "exception", "user"]
                batch = CODEC.connection().feed_batch(direction, conversation.stream(direction), columns=keys)
                for key in keys:
                    assert batch.column(key) == [frame.metadata.get(key) for frame in frames[direction]]
                assert batch.malformed == []


def test_heartbeats_are_answered_as_the_peer_does() -> None:
    """Our answer to each heartbeat is, byte for byte, the one that the real server gave."""
    answered = 0
    for capture in HESSIAN:
        for _, frames, _ in decoded(capture):
            answers = {frame.request_id: bytes(frame) for frame in frames[RESPONSES] if frame.kind is Kind.HEARTBEAT}
            for frame in frames[REQUESTS]:
                if frame.kind is Kind.HEARTBEAT and frame.request_id in answers:
                    assert CODEC.reply(frame) == answers[frame.request_id]
                    answered += 1
    assert answered >= 4


def test_a_server_that_leaves_says_so() -> None:
    [capture] = [capture for capture in HESSIAN if str(capture) == "dubbo-2.7-heartbeats"]
    [notice] = frames_of(capture, RESPONSES, Kind.CONTROL)
    assert notice.metadata["event"] == 1
    assert bytes(notice.body) == b"\x01R"


@pytest.mark.parametrize("capture", OTHERS, ids=str)
class TestOtherSerializations:
    """Frames split, pair and route on what the header says."""

    def test_the_header_is_enough(self, capture: Capture) -> None:
        said = capture.expected
        requests, responses = requests_of(capture), responses_of(capture)
        assert len(requests) == len(responses) == len(said["calls"])
        for frame in [*requests, *responses]:
            assert frame.metadata["serialization"] == said["serialization"]
            assert "method" not in frame.metadata
            assert frame.request_id is not None
        assert [response.request for response in responses] == requests


class Body:
    """A Hessian 2 body in the hands of python-hessian."""

    def __init__(self, frame: Frame) -> None:
        self.parser = Parser()
        self.parser.version = 2
        # It reads whole Hessian calls only; Dubbo bodies are bare values.
        self.parser._stream = BytesIO(bytes(frame.body))

    def next(self) -> Any:
        return self.parser.read_object()


@pytest.mark.parametrize("capture", HESSIAN, ids=str)
def test_python_hessian_agrees(capture: Capture) -> None:
    """It knows no dates in minutes, no surrogates as Java writes them and no references into types: calls whose
    arguments are plain are compared whole."""
    compared = 0
    for call, frame in calls_on_the_wire(capture)[:100]:
        count = len(call["arguments"])
        if not all(simple(call, number) and str(call["arguments"][number]).isascii() for number in range(count)):
            continue
        body, metadata = Body(frame), frame.metadata
        assert body.next() == metadata["dubbo_version"]
        path = body.next()
        assert body.next() == metadata["service_version"]
        assert body.next() == metadata["method"]
        assert body.next() == metadata.get("param_types", "")
        for number in range(count):
            assert body.next() == metadata[f"arg.{number}"]
        attachments = body.next()
        assert metadata["path"] == attachments.get("path", path)
        assert metadata["interface"] == attachments.get("interface", path)
        for key, value in attachments.items():
            if isinstance(value, str):
                assert metadata[key] == value
        compared += 1
    assert compared > 0


def test_the_error_of_another_protocol_is_told_at_once() -> None:
    for capture in captures("thrift")[:5]:
        with pytest.raises(DecodeError) as caught:
            CODEC.connection().feed(REQUESTS, capture.conversations[0].stream(REQUESTS))
        assert (caught.value.code, caught.value.offset) == ("bad_magic", 0)
