"""Thrift as real peers spoke it: every message of every capture is what the client said it was."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import thriftpy2
from kit.captures import CAPTURES, Capture, Conversation, captures
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.protocol.TCompactProtocol import TCompactProtocol
from thrift.protocol.TProtocol import TProtocolBase, TType
from thrift.transport.THeaderTransport import THeaderTransport
from thrift.transport.TTransport import TFramedTransport, TMemoryBuffer
from thriftpy2.protocol import TBinaryProtocolFactory, TCompactProtocolFactory
from thriftpy2.transport import TFramedTransportFactory
from thriftpy2.transport import TMemoryBuffer as PyMemoryBuffer

from metaprotocol import Connection, DecodeError, Direction, ErrorType, Frame, Kind, get_codec

CODEC = get_codec("thrift")
ALL = captures("thrift")
JSON = [capture for capture in ALL if capture.expected["protocol"] == "json"]
READABLE = [capture for capture in ALL if capture not in JSON]
IDL = Path(__file__).parents[1] / "interop" / "peers" / "thrift" / "demo.thrift"
MESSAGE_TYPES = {"call": 1, "reply": 2, "exception": 3, "oneway": 4}


def decode(conversation: Conversation) -> tuple[list[Frame], list[Frame], Connection]:
    """The requests and the responses of a conversation."""
    connection = CODEC.connection()
    frames: dict[Direction, list[Frame]] = {direction: [] for direction in Direction}
    for direction, data in conversation.pieces:
        frames[direction] += connection.feed(direction, data)
    for direction in Direction:
        connection.eof(direction)
    return frames[Direction.CLIENT_TO_SERVER], frames[Direction.SERVER_TO_CLIENT], connection


@cache
def dialogues(capture: Capture) -> list[tuple[list[dict[str, Any]], list[Frame], list[Frame], Connection]]:
    """What the client said of each conversation, and what we read."""
    found = []
    for conversation in capture.conversations:
        calls = [call for call in capture.expected["calls"] if call["client_port"] == conversation.client_port]
        found.append((calls, *decode(conversation)))
    return found


def test_all_are_here() -> None:
    """Every client, transport and protocol; a call of each message type; no capture without its expectations."""
    expected = [capture.expected for capture in ALL]
    assert {said["client"] for said in expected} == {"apache-py", "apache-go", "thriftpy2"}
    spoken = {(said["transport"], said["protocol"]) for said in expected}
    assert spoken >= {
        (transport, protocol)
        for transport in ("framed", "unframed", "header")
        for protocol in ("binary", "compact", "binary-old")
        if (transport, protocol) != ("header", "binary-old")
    }
    assert {path.stem for path in (CAPTURES / "thrift").glob("*.json")} == {str(capture) for capture in ALL}
    assert any(said["zlib"] for said in expected)
    assert any(said["multiplexed"] for said in expected)
    assert any(said["host"] == "::1" for said in expected)
    assert sum(len(said["calls"]) for said in expected) > 1000


@pytest.mark.parametrize("capture", READABLE, ids=str)
class TestMessages:
    def test_requests(self, capture: Capture) -> None:
        said = capture.expected
        assert sum(len(calls) for calls, *_ in dialogues(capture)) == len(said["calls"])
        for calls, requests, _, _ in dialogues(capture):
            assert len(requests) == len(calls)
            for call, frame in zip(calls, requests, strict=True):
                metadata = frame.metadata
                assert frame.kind is (Kind.ONEWAY if call["message_type"] == "oneway" else Kind.REQUEST)
                assert frame.request_id == call["seq_id"] % (1 << 64)
                assert metadata["seq_id"] == call["seq_id"]
                assert metadata["message_type"] == call["message_type"]
                assert metadata["method"] == call["wire_method"]
                assert metadata["method_name"] == call["method"]
                assert metadata.get("service") == (call["service"] if said["multiplexed"] else None)
                assert metadata["transport"] == said["transport"]
                assert metadata["protocol"] == said["protocol"].replace("-", "_")
                for key, value in call["sent_headers"].items():
                    if said["transport"] == "header":
                        assert metadata[key] == metadata[key.lower()] == metadata[f"header.{key}"] == value
                        assert key.lower() in dict(metadata)

    def test_arguments(self, capture: Capture) -> None:
        count = 0
        for calls, requests, _, _ in dialogues(capture):
            for call, frame in zip(calls, requests, strict=True):
                for field_id, value in call["args"].items():
                    if isinstance(value, str | int) and not call["method"].startswith("echoUuid"):
                        assert frame.metadata[f"arg.{field_id}"] == value
                        count += 1
                    elif isinstance(value, dict) and "struct" in value:
                        assert frame.metadata.get(f"arg.{field_id}") is None
                assert "arg.999" not in frame.metadata
        assert count > 0

    def test_responses(self, capture: Capture) -> None:
        said = capture.expected
        for calls, _, responses, _ in dialogues(capture):
            answered = [call for call in calls if call["reply"]]
            assert len(responses) == len(answered)
            for call, frame in zip(answered, responses, strict=True):
                metadata = frame.metadata
                assert frame.kind is (Kind.RESPONSE if call["reply"] == "reply" else Kind.ERROR)
                assert metadata["message_type"] == call["reply"]
                assert metadata["method_name"] == call["method"]
                assert metadata["seq_id"] == call["seq_id"]
                assert metadata["transport"] == said["transport"]
                if said["protocol"] != "binary-old":  # a server may answer an old call in the strict form
                    assert metadata["protocol"] == said["protocol"]
                if call["outcome"] == "value":
                    assert metadata["reply_type"] == "success"
                    assert "exception_field" not in metadata
                    if isinstance(call["value"], str | int) and call["method"] != "echoUuid":
                        assert metadata["arg.0"] == call["value"]
                elif call["outcome"] == "declared":
                    assert (metadata["reply_type"], metadata["exception_field"]) == ("error", 1)
                else:
                    assert call["outcome"] == "application"
                    assert metadata["exception_type"] == call["type"]
                    if call["message"]:
                        assert metadata["exception_message"] == call["message"]
                for key, value in call["received_headers"].items():
                    if said["transport"] == "header":
                        assert metadata[key] == value

    def test_pairs(self, capture: Capture) -> None:
        for calls, requests, responses, connection in dialogues(capture):
            answered = [request for call, request in zip(calls, requests, strict=True) if call["reply"]]
            assert [response.request for response in responses] == answered
            waiting = [frame for call, frame in zip(calls, requests, strict=True) if frame.kind is Kind.REQUEST]
            assert connection.in_flight == len(waiting) - len(responses)

    def test_batches_agree(self, capture: Capture) -> None:
        for conversation, (_, requests, _, _) in zip(capture.conversations, dialogues(capture), strict=True):
            stream = conversation.stream(Direction.CLIENT_TO_SERVER)
            batch = CODEC.connection().feed_batch(Direction.CLIENT_TO_SERVER, stream, columns=["method", "seq_id"])
            assert batch.column("method") == [frame.metadata["method"] for frame in requests]
            assert batch.column("seq_id") == [frame.metadata["seq_id"] for frame in requests]
            assert batch.malformed == []

    def test_rewriting_changes_what_was_asked_and_nothing_else(self, capture: Capture) -> None:
        for _, requests, responses, _ in dialogues(capture):
            for frame in [*requests[:20], *responses[:20]]:
                direction = frame.direction
                segments = CODEC.rewrite(frame, set={"method_name": "renamed"}, request_id=77)
                again = CODEC.decode(b"".join(segments), direction=direction)
                before, after = dict(frame.metadata), dict(again.metadata)
                assert after.pop("method_name") == "renamed"
                assert after.pop("seq_id") == again.request_id == 77
                service = before.get("service")
                assert after.pop("method") == (f"{service}:renamed" if service else "renamed")
                assert after == {key: before[key] for key in after}
                if not capture.expected["zlib"]:
                    assert again.body == frame.body

    def test_replies_can_be_read(self, capture: Capture) -> None:
        for _, requests, _, _ in dialogues(capture):
            for frame in requests[:20]:
                reply = CODEC.reply(frame, ErrorType.ROUTE_NOT_FOUND, "no route")
                if frame.kind is Kind.ONEWAY:
                    assert reply is None
                    continue
                [error] = connection_like(frame).feed(Direction.SERVER_TO_CLIENT, reply or b"")
                assert error.kind is Kind.ERROR
                assert error.request_id == frame.request_id
                assert error.metadata["exception_type"] == 1
                assert error.metadata["exception_message"] == "no route"


def connection_like(frame: Frame) -> Connection:
    """A connection that has just seen the frame, and waits for its answer."""
    connection = CODEC.connection()
    connection.feed(frame.direction, bytes(frame))
    return connection


@pytest.mark.parametrize("capture", JSON, ids=str)
def test_the_json_protocol_is_refused_by_its_name(capture: Capture) -> None:
    [conversation] = capture.conversations
    with pytest.raises(DecodeError, match="the JSON protocol, version 1 is not supported") as caught:
        decode(conversation)
    assert (caught.value.code, caught.value.offset) == ("unsupported", 0)


def apache(frame: Frame) -> TProtocolBase:
    """The same bytes in the hands of Apache Thrift."""
    transport, protocol = frame.metadata["transport"], frame.metadata["protocol"]
    memory: Any = TMemoryBuffer(bytes(frame))
    if transport == "framed":
        memory = TFramedTransport(memory)
    elif transport == "header":
        memory = THeaderTransport(memory, [0, 2])
        memory.readFrame(0)
    return TCompactProtocol(memory) if protocol == "compact" else TBinaryProtocol(memory)


def top_level(protocol: TProtocolBase) -> dict[int, Any]:
    """The strings and integers of the struct at hand, as Apache Thrift reads them."""
    readers = {
        TType.BYTE: protocol.readByte,
        TType.I16: protocol.readI16,
        TType.I32: protocol.readI32,
        TType.I64: protocol.readI64,
        TType.STRING: protocol.readBinary,
        TType.BOOL: protocol.readBool,
    }
    found: dict[int, Any] = {}

    # Its own skip() would take binaries for text.
    def skip(kind: int) -> None:
        if kind == TType.STRING:
            protocol.readBinary()
        elif kind == TType.STRUCT:
            top_level(protocol)
            protocol.readStructEnd()
        elif kind == TType.MAP:
            keys, values, size = protocol.readMapBegin()
            for _ in range(size):
                skip(keys)
                skip(values)
            protocol.readMapEnd()
        elif kind in (TType.LIST, TType.SET):
            items, size = protocol.readListBegin()
            for _ in range(size):
                skip(items)
            protocol.readListEnd()
        else:
            protocol.skip(kind)

    protocol.readStructBegin()
    while True:
        _, kind, field_id = protocol.readFieldBegin()
        if kind == TType.STOP:
            return found
        if kind in readers:
            found[field_id] = readers[kind]()
        else:
            skip(kind)
        protocol.readFieldEnd()


@pytest.mark.parametrize(
    "capture",
    # Apache Thrift for Python has no name for the uuid type.
    [capture for capture in READABLE if capture.expected["scenario"] != "uuid"],
    ids=str,
)
class TestOracles:
    def test_apache_thrift_agrees(self, capture: Capture) -> None:
        for _, requests, responses, _ in dialogues(capture):
            for frame in [*requests[:50], *responses[:50]]:
                protocol = apache(frame)
                name, message_type, sequence_id = protocol.readMessageBegin()
                metadata = frame.metadata
                assert (name, sequence_id) == (metadata["method"], metadata["seq_id"])
                assert message_type == MESSAGE_TYPES[str(metadata["message_type"])]
                if metadata["transport"] == "header":
                    headers = {key.decode(): value.decode() for key, value in protocol.trans.get_headers().items()}
                    assert {key: metadata[key] for key in headers} == headers
                for field_id, value in top_level(protocol).items():
                    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else int(value)
                    assert metadata[f"arg.{field_id}"] == text

    def test_thriftpy2_agrees(self, capture: Capture) -> None:
        if capture.expected["transport"] == "header":
            # thriftpy2 does not read this transport; its messages inside do not differ from the framed ones.
            assert all(
                frame.metadata["transport"] == "header"
                for _, requests, _, _ in dialogues(capture)
                for frame in requests
            )
            return
        idl = thriftpy2.load(str(IDL), module_name="demo_thrift")
        services = {name: getattr(idl, name) for name in dir(idl) if hasattr(getattr(idl, name), "thrift_services")}
        for calls, requests, _, _ in dialogues(capture):
            for call, frame in zip(calls[:50], requests[:50], strict=True):
                memory: Any = PyMemoryBuffer(bytes(frame))
                if capture.expected["transport"] == "framed":
                    memory = TFramedTransportFactory().get_transport(memory)
                if frame.metadata["protocol"] == "compact":
                    protocol = TCompactProtocolFactory().get_protocol(memory)
                else:
                    protocol = TBinaryProtocolFactory(strict_read=False).get_protocol(memory)
                name, message_type, sequence_id = protocol.read_message_begin()
                metadata = frame.metadata
                assert (name, sequence_id) == (metadata["method"], metadata["seq_id"])
                assert message_type == MESSAGE_TYPES[str(metadata["message_type"])]
                arguments = getattr(services[call["service"]], f"{call['method']}_args", None)
                if arguments is None:
                    continue
                read = arguments()
                protocol.read_struct(read)
                for field_id, spec in arguments.thrift_spec.items():
                    value = getattr(read, spec[1])
                    if isinstance(value, str | int):
                        assert metadata[f"arg.{field_id}"] == value


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize(
    "capture",
    # tshark knows neither THeader nor the old binary protocol.
    [c for c in READABLE if c.expected["transport"] != "header" and c.expected["protocol"] in ("binary", "compact")],
    ids=str,
)
def test_tshark_agrees(capture: Capture) -> None:
    names = {number: name for name, number in MESSAGE_TYPES.items()}
    fields = ("thrift.mtype", "thrift.method", "thrift.seq_id")
    command = ["tshark", "-r", capture.path, "-d", f"tcp.port=={capture.expected['server_port']},thrift"]
    command += ["-T", "fields", "-Y", "thrift", "-E", "occurrence=a"]
    for field in fields:
        command += ["-e", field]
    output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=100).stdout
    theirs: Counter[tuple[str, str, int]] = Counter()
    for line in output.splitlines():
        for kind, method, number in zip(*(column.split(",") for column in line.split("\t")), strict=True):
            sequence_id = int(number, 0)
            if capture.expected["protocol"] == "compact":
                # The id is a plain varint; tshark takes it for a zigzag one. Undo that.
                sequence_id = (sequence_id << 1) ^ (sequence_id >> 31)
            theirs[names[int(kind, 0)], method, sequence_id] += 1
    ours = Counter(
        (str(frame.metadata["message_type"]), str(frame.metadata["method"]), frame.metadata["seq_id"])
        for _, requests, responses, _ in dialogues(capture)
        for frame in [*requests, *responses]
    )
    if (capture.expected["transport"], capture.expected["protocol"]) == ("unframed", "compact"):
        # tshark wants more bytes than a ping has before it looks at a message: it misses those that end a stream.
        assert not theirs - ours
        assert {method for _, method, _ in ours - theirs} <= {"ping", "Greeter:ping"}
    else:
        assert theirs == ours
