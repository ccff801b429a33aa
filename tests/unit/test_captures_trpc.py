"""tRPC as real peers spoke it: every frame of every capture is what the client said it was."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

import pytest
from kit.captures import CAPTURES, Capture, captures
from kit.trpc_messages import message_class

from metaprotocol import Connection, Direction, Frame, Kind, get_codec
from metaprotocol.captures import read_conversations

CODEC = get_codec("trpc")
ALL = captures("trpc")
SENT, ANSWERED = Direction
SHARED = ("message_type", "content_type", "content_encoding", "attachment_size")


@cache
def decoded(capture: Capture) -> list[tuple[list[Frame], Connection]]:
    """The frames of each conversation, in the order they came."""
    found = []
    for conversation in capture.conversations:
        connection = CODEC.connection()
        frames = [frame for way, data in conversation.pieces for frame in connection.feed(way, data)]
        for direction in Direction:
            connection.eof(direction)
        found.append((frames, connection))
    return found


def told(capture: Capture, kind: str) -> list[dict[str, Any]]:
    return [call for call in capture.expected["calls"] if call["kind"] == kind]


def frames(capture: Capture) -> list[Frame]:
    return [frame for frames, _ in decoded(capture) for frame in frames]


def says(frame: Frame, said: dict[str, Any], *keys: str) -> None:
    metadata = frame.metadata
    for key in keys:
        assert metadata.get(key, "") == said[key], key
    for key, value in said["trans_info"].items():
        assert metadata[key] == metadata[f"trans_info.{key}"] == value


def test_all_are_here() -> None:
    """Every scenario; every way to end; no capture without its expectations."""
    expected = [capture.expected for capture in ALL]
    assert {said["client"] for said in expected} >= {"trpc-go"}
    assert {said["scenario"] for said in expected} >= {"calls", "pooled", "pipelined", "streams", "parallel", "short"}
    assert {path.stem for path in (CAPTURES / "trpc").glob("*.json")} == {str(capture) for capture in ALL}
    outcomes = Counter(call["outcome"] for said in expected for call in said["calls"])
    assert outcomes.keys() >= {"value", "oneway", "framework", "function", "timeout"}
    assert {call.get("content_encoding") for said in expected for call in said["calls"]} >= {0, 1, 2, 3, 4, 5}
    assert any(said["host"] == "::1" for said in expected)


@pytest.mark.parametrize("capture", ALL, ids=str)
class TestFrames:
    def test_calls(self, capture: Capture) -> None:
        sent = {frame.request_id: frame for frame in frames(capture) if frame.kind in (Kind.REQUEST, Kind.ONEWAY)}
        answers = {
            frame.request_id: frame
            for frame in frames(capture)
            if frame.direction is ANSWERED and frame.request_id is not None
        }
        calls = told(capture, "call")
        assert sent.keys() == {call["request_id"] for call in calls}
        # A call may be answered after its caller has given it up.
        late = {call["request_id"] for call in calls if call["outcome"] == "timeout"}
        assert answers.keys() - late == {call["request_id"] for call in calls if "answer" in call}
        for call in calls:
            frame = sent[call["request_id"]]
            assert frame.kind is (Kind.ONEWAY if call["outcome"] == "oneway" else Kind.REQUEST)
            says(frame, call, "func", "caller", "callee", "method", "call_type", "timeout", *SHARED)
            assert (frame.metadata["frame_type"], frame.metadata["protocol_version"]) == ("unary", 1)
            if "answer" in call:
                answer = answers[call["request_id"]]
                assert answer.request is frame
                assert answer.kind is (Kind.RESPONSE if call["ok"] else Kind.ERROR)
                says(answer, call["answer"], "ret", "func_ret", "error_msg", *SHARED)

    def test_attachments_are_told_from_bodies(self, capture: Capture) -> None:
        for frame in frames(capture):
            size = frame.metadata.get("attachment_size")
            if size is None:
                continue
            body = len(frame.body) - int(size)
            assert frame.metadata["body_size"] == body
            if size:
                attached = bytes(frame.body[body:])
                expected = b"an attachment of some bytes"
                assert attached == (expected if frame.direction is SENT else expected.upper())

    def test_streams(self, capture: Capture) -> None:
        for said in told(capture, "stream"):
            mine = [frame for frame in frames(capture) if frame.stream_id == said["stream_id"]]
            kinds = Counter((frame.direction, frame.kind, frame.metadata["frame_type"]) for frame in mine)
            [init] = [frame for frame in mine if frame.kind is Kind.STREAM_OPEN]
            says(init, said, "func", "caller", "callee", "method", "content_type")
            [answer] = [frame for frame in mine if frame.kind in (Kind.RESPONSE, Kind.ERROR)]
            assert answer.request is init
            assert answer.kind is (Kind.RESPONSE if said["opened"] else Kind.ERROR)
            if said["opened"]:
                assert kinds[SENT, Kind.STREAM_DATA, "data"] == len(said["sent"])
                assert kinds[ANSWERED, Kind.STREAM_DATA, "data"] == len(said["received"])
            else:
                assert (answer.metadata["ret"], answer.metadata["error_msg"]) == (said["code"], said["message"])
            resets = [frame for frame in mine if frame.kind is Kind.STREAM_CLOSE]
            if said["outcome"] == "framework" and said["opened"]:
                assert (resets[0].metadata["ret"], resets[0].metadata["error_msg"]) == (said["code"], said["message"])

    def test_nothing_waits_but_what_was_not_answered(self, capture: Capture) -> None:
        late = sum(call["outcome"] == "timeout" for call in told(capture, "call"))
        assert sum(connection.in_flight for _, connection in decoded(capture)) <= late

    def test_protobuf_agrees(self, capture: Capture) -> None:
        """Each message as Google's package reads it, written again, is the frame's own."""
        names = {
            ("unary", SENT): "RequestProtocol", ("unary", ANSWERED): "ResponseProtocol",
            ("init", SENT): "TrpcStreamInitMeta", ("init", ANSWERED): "TrpcStreamInitMeta",
            ("feedback", SENT): "TrpcStreamFeedBackMeta", ("feedback", ANSWERED): "TrpcStreamFeedBackMeta",
            ("close", SENT): "TrpcStreamCloseMeta", ("close", ANSWERED): "TrpcStreamCloseMeta",
        }  # fmt: skip
        for frame in frames(capture):
            kind = str(frame.metadata["frame_type"])
            if kind != "data":
                message = message_class(names[kind, frame.direction]).FromString(bytes(frame.header)[16:])
                assert len(message.SerializeToString()) == len(frame.header) - 16


@pytest.mark.parametrize("capture", ALL, ids=str)
def test_conversations_are_recognised_and_paired(capture: Capture) -> None:
    conversations = read_conversations(capture.path)
    assert {conversation.codec for conversation in conversations} == {CODEC}
    paired = sum(one.frame.request is not None for conversation in conversations for one in conversation.frames)
    answered = [call for call in capture.expected["calls"] if "answer" in call or call["kind"] == "stream"]
    late = [call for call in capture.expected["calls"] if call["kind"] == "call" and call["outcome"] == "timeout"]
    assert len(answered) <= paired <= len(answered) + len(late)
