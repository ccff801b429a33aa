"""`metaprotocol.captures`: streams, frames and conversations of captures."""

from __future__ import annotations

import io
import struct
from collections import defaultdict
from pathlib import Path

import pytest
from kit.captures import CAPTURES, Capture, captures
from kit.toy import Toy, toy_frame
from unit.cli.conftest import answer, call, pcap

import metaprotocol
from metaprotocol import Direction, Kind, _native
from metaprotocol.captures import (
    Closed,
    Data,
    Gap,
    HalfClosed,
    Opened,
    is_capture,
    read_capture,
    read_conversations,
)

C2S, S2C = Direction
ALL = [*captures("dubbo"), *captures("thrift")]


def without(capture: bytes, number: int) -> bytes:
    """The capture without one of its packets."""
    at, seen = 24, 0
    while True:
        (length,) = struct.unpack_from("<8xI", capture, at)
        if seen == number:
            return capture[:at] + capture[at + 16 + length :]
        at, seen = at + 16 + length, seen + 1


@pytest.mark.parametrize("capture", [*captures("brpc"), *ALL], ids=str)
def test_the_streams_are_those_that_another_reader_finds(capture: Capture) -> None:
    streams: dict[tuple[int, Direction], bytes] = defaultdict(bytes)
    ports: dict[int, int] = {}
    for event in read_capture(capture.path):
        if isinstance(event, Opened):
            assert not event.midstream
            assert event.server.endswith(f":{capture.expected['server_port']}")
            ports[event.connection] = int(event.client.rpartition(":")[2])
        elif isinstance(event, Data):
            assert event.offset == len(streams[event.connection, event.direction])
            streams[event.connection, event.direction] += event.data
        else:
            assert isinstance(event, HalfClosed | Closed)
    conversations = capture.conversations
    assert list(ports.values()) == [conversation.client_port for conversation in conversations]
    for number, conversation in enumerate(conversations):
        for way in Direction:
            assert streams[number, way] == conversation.stream(way)


@pytest.mark.parametrize("capture", ALL, ids=str)
def test_conversations_have_the_calls_that_the_client_told(capture: Capture) -> None:
    conversations = read_conversations(capture.path)
    if capture.path.stem == "apache-py-unframed-json":
        assert [conversation.codec for conversation in conversations] == [None]
        return
    # A client also tells of calls for which it found no server.
    told = [call["method"] for call in capture.expected["calls"] if "failed to connect" not in str(call.get("message"))]
    requests = [
        str(frame.metadata.get("method_name", frame.metadata.get("method")))
        for conversation in conversations
        for _, frame in conversation.frames
        if frame.direction is C2S and frame.kind in (Kind.REQUEST, Kind.ONEWAY)
    ]
    assert len(requests) == len(told)
    # Of a body in JSON the Dubbo codec reads the header only.
    assert sorted(requests) == sorted(told) or "fastjson" in capture.path.stem
    for conversation in conversations:
        assert conversation.codec is metaprotocol.get_codec(capture.protocol)
        assert (conversation.missing, conversation.error, conversation.unfinished) == (0, None, {})
        answers = [frame for _, frame in conversation.frames if frame.kind in (Kind.RESPONSE, Kind.ERROR)]
        assert all(answer.request is not None for answer in answers)


def test_a_gap_ends_its_direction_and_is_told() -> None:
    whole = pcap((True, call(1)), (False, answer(1)), (True, call(2)), (True, call(3)), (False, answer(3)))
    torn = without(whole, 4)
    gaps = [event for event in read_capture(io.BytesIO(torn)) if isinstance(event, Gap)]
    assert [(gap.direction, gap.offset, gap.missing) for gap in gaps] == [(C2S, len(call(1)), len(call(2)))]
    [conversation] = read_conversations(io.BytesIO(torn))
    assert conversation.missing == len(call(2))
    assert [frame.request_id for _, frame in conversation.frames if frame.direction is C2S] == [1]
    assert [frame.request_id for _, frame in conversation.frames if frame.direction is S2C] == [1, 3]


def test_a_connection_that_was_open_already_is_midstream() -> None:
    late = without(without(pcap((True, call(1)), (False, answer(1))), 0), 0)
    [conversation] = read_conversations(io.BytesIO(late))
    assert conversation.midstream
    assert len(conversation.frames) == 2


def test_damage_ends_a_direction_and_is_kept() -> None:
    capture = pcap((True, call(1) + b"\xff" * 20), (False, answer(1)))
    [conversation] = read_conversations(io.BytesIO(capture))
    assert conversation.error is not None
    assert conversation.error.offset == len(call(1))
    assert [frame.direction for _, frame in conversation.frames] == [C2S, S2C]


def test_a_frame_that_is_cut_is_told() -> None:
    [conversation] = read_conversations(io.BytesIO(pcap((True, call(1) + call(2)[:-3]))))
    assert conversation.unfinished[C2S] in range(1, 4), "at least so many bytes are missing"


def test_one_codec_gets_every_connection() -> None:
    toy = Toy()
    capture = pcap((True, toy_frame(Kind.REQUEST, 1)), (False, toy_frame(Kind.RESPONSE, 1)))
    [nobodys] = read_conversations(io.BytesIO(capture))
    assert nobodys.codec is None
    [conversation] = read_conversations(io.BytesIO(capture), codecs=[toy])
    assert conversation.codec is toy
    [_, (_, response)] = conversation.frames
    assert response.request is not None
    metaprotocol.register_codec(toy)
    [known] = read_conversations(io.BytesIO(capture))
    assert known.codec is toy


def test_what_stands_before_an_error_is_given() -> None:
    broken = pcap((True, call(1))) + b"\xff" * 16
    events = []
    with pytest.raises(metaprotocol.CaptureError) as caught:
        events.extend(read_capture(io.BytesIO(broken)))
    assert caught.value.code == "capture.record_too_long"
    assert caught.value.offset == len(broken) - 16
    assert [type(event) for event in events] == [Opened, Data, Closed]


def test_reading_can_stop_anywhere() -> None:
    events = read_capture(CAPTURES / "thrift" / "thriftpy2-framed-binary.pcap")
    assert isinstance(next(events), Opened)
    events.close()  # type: ignore[attr-defined]  # a generator


def test_what_is_no_capture(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_bytes(b"no capture")
    assert not is_capture(text)
    assert is_capture(ALL[0].path)
    with pytest.raises(metaprotocol.CaptureError, match="not a pcap or pcapng file"):
        list(read_capture(text))
    with pytest.raises(FileNotFoundError):
        list(read_capture(tmp_path / "absent"))


def test_conditions_read_as_those_of_decode() -> None:
    condition = _native.Condition("latency_ms>10")
    assert condition.key == "latency_ms"
    assert condition.met_by("11")
    assert not condition.met_by(None)
    with pytest.raises(ValueError, match="there is no operator"):
        _native.Condition("method")


def test_allocations_of_the_native_core_are_counted() -> None:
    codec = metaprotocol.get_codec("thrift")
    frame = codec.decode(call(7))
    pieces, count, size = _native.count_allocations(lambda: codec.rewrite(frame, request_id=8))
    assert b"".join(pieces) == call(8)
    assert count > 0
    assert size > 0
    assert _native.count_allocations(lambda: None) == (None, 0, 0)
    with pytest.raises(ZeroDivisionError):
        _native.count_allocations(lambda: 1 // 0)
