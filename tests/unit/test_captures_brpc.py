"""Traffic of real bRPC peers, in the five protocols of a bRPC port, against what the peers said of it."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from kit.captures import Capture, captures
from kit.protobuf_wire import field

import metaprotocol
from metaprotocol import Direction, ErrorType, Frame, Kind
from metaprotocol.captures import read_conversations

CLIENT, SERVER = Direction
ALL = captures("brpc")
NAMES = {"brpc": {"Echo": "Echo", "Fail": "Fail", "Absent": "Absent"}}
NAMES["sofa"] = NAMES["brpc"]
NAMES["hulu"] = NAMES["public"] = {"Echo": "0", "Fail": "1", "Absent": "7"}
NAMES["nova"] = {"Echo": "0"}
SERVICE = {"brpc": "metaprotocol.peer.EchoService", "sofa": "metaprotocol.peer.EchoService"}


def decoded(capture: Capture) -> list[Frame]:
    """The frames in the order of their last packets; answers know their requests."""
    [conversation] = read_conversations(capture.path)
    assert conversation.codec is metaprotocol.get_codec(capture.expected["protocol"])
    assert (conversation.missing, conversation.error, conversation.unfinished) == (0, None, {})
    return [frame for _, frame in conversation.frames]


def payload(frame: Frame) -> tuple[bytes, bytes]:
    """The service's own message, and the attachment."""
    body = bytes(frame.body)
    size = frame.metadata.get("payload_size", len(body))
    if frame.codec.name == "public":
        # The message is a field of the last thing in the frame, or of the first.
        return body, b""
    assert isinstance(size, int)
    return body[:size], body[size:]


@pytest.mark.parametrize("capture", ALL, ids=str)
def test_every_frame_is_found(capture: Capture) -> None:
    told: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for frame in capture.expected["frames"]:
        told[frame["to"]].append((frame["header_len"], frame["frame_len"]))
    found = defaultdict(list)
    for frame in decoded(capture):
        to = "server" if frame.direction is CLIENT else "client"
        found[to].append((len(frame.header), len(frame)))
    assert found == told


def check_request(protocol: str, request: Frame, call: dict[str, Any]) -> None:
    """A request says what the client said of its call."""
    told = dict(request.metadata)
    assert told["method"] == NAMES[protocol][call["method"]]
    if protocol != "nova":
        assert told["service"] == told["interface"] == SERVICE.get(protocol, "EchoService")
    if protocol != "sofa":
        log_id = call.get("log_id", 0)
        assert told["log_id"] == (log_id % 2**32 if protocol == "nova" else log_id)
    if protocol in ("brpc", "hulu"):
        for key, value in call.get("fields", {}).items():
            assert told[key] == value
            assert request.metadata[key] == value
        attachment = call.get("attachment", "").encode()
        assert told.get("attachment_size", 0) == len(attachment)
        assert payload(request)[1] == attachment
    if told.get("compress_type", 0) == 0 and "characters" not in call["message"]:
        assert field(1, call["message"]) in payload(request)[0]


@pytest.mark.parametrize("capture", ALL, ids=str)
def test_calls_are_what_the_client_said(capture: Capture) -> None:
    protocol, scenario = capture.expected["protocol"], capture.expected["scenario"]
    frames = decoded(capture)
    answers = {id(frame.request): frame for frame in frames if frame.request is not None}
    requests = [frame for frame in frames if frame.direction is CLIENT]
    assert {frame.kind for frame in requests} == {Kind.REQUEST}
    calls = capture.expected["calls"]
    if scenario == "concurrent":
        # The client tells of its calls as they end.
        assert len(requests) == len(answers) == len(calls)
        if protocol != "nova":
            assert len({frame.request_id for frame in requests}) == len(calls)
        for request in requests:
            response = answers[id(request)]
            assert response.kind is Kind.RESPONSE
            [message] = {call["message"] for call in calls if field(1, call["message"]) in bytes(request.body)}
            assert field(1, message) in bytes(response.body), "the answer to another call"
        return
    for request, call in zip(requests, calls, strict=True):
        check_request(protocol, request, call)
        answer = answers.get(id(request))
        if call["ok"]:
            assert answer is not None
            assert answer.kind is Kind.RESPONSE
            assert answer.metadata.get("error_code", 0) == 0
            if "response_attachment" in call:
                assert payload(answer)[1] == call["response_attachment"].encode()
        elif call["method"] == "Fail":
            assert answer is not None
            assert answer.kind is Kind.ERROR
            assert answer.metadata["error_text"] == f"failed as asked: {call['message']}"
        else:
            # brpc-java answers under the id 0, or not at all, so that its own client finds no answer.
            assert (answer, call["error"]) == (None, "timeout")
    lost = [frame for frame in frames if frame.direction is SERVER and frame.request is None]
    assert [frame.request_id for frame in lost] == [0] * (scenario == "errors" and protocol != "public")


@pytest.mark.parametrize("capture", ALL, ids=str)
def test_the_server_received_what_the_client_sent(capture: Capture) -> None:
    """The two peers agree with each other; what is compared with their words above was really on the wire."""
    sent = [call["message"] for call in capture.expected["calls"] if call["method"] != "Absent"]
    got = [received["message"] for received in capture.expected["received"]]
    assert sorted(sent) == sorted(got)


@pytest.mark.parametrize("capture", ALL, ids=str)
def test_real_frames_are_rewritten_and_answered(capture: Capture) -> None:
    codec = metaprotocol.get_codec(capture.expected["protocol"])
    writable = {"brpc": "log_id", "hulu": "log_id", "public": "log_id", "nova": "log_id", "sofa": "method"}[codec.name]
    for frame in decoded(capture):
        before = dict(frame.metadata)
        if frame.direction is CLIENT:
            edited = codec.decode(b"".join(codec.rewrite(frame, set={writable: 77})), direction=CLIENT)
            after = dict(edited.metadata)
            changed = {key for key in before if before[key] != after.get(key)}
            allowed = {writable, "full_method"} if codec.name == "sofa" else {writable}
            assert changed <= allowed
            assert str(after[writable]) == "77"
            assert bytes(edited.body)[-7:] == bytes(frame.body)[-7:]
            again = codec.decode(b"".join(codec.rewrite(edited, set={writable: before[writable]})), direction=CLIENT)
            assert dict(again.metadata) == before
        if isinstance(frame.request_id, int):
            moved = codec.decode(b"".join(codec.rewrite(frame, request_id=2**63 + 5)), direction=frame.direction)
            assert moved.request_id == 2**63 + 5
            assert dict(moved.metadata) == before
            back = b"".join(codec.rewrite(moved, request_id=frame.request_id))
            assert back == bytes(frame), "writers of protobuf write what we do"
            if frame.direction is CLIENT:
                reply = codec.reply(frame, ErrorType.DENIED, "denied")
                assert reply is not None
                answer = codec.decode(reply, direction=SERVER)
                assert (answer.kind, answer.request_id) == (Kind.ERROR, frame.request_id)
                assert (answer.metadata["error_code"], answer.metadata["error_text"]) == (1004, "denied")
