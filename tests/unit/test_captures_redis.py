"""Redis as real servers and clients spoke it: every message of every capture is what both said it was."""

from __future__ import annotations

import hashlib
import math
import shutil
import subprocess
from collections import defaultdict
from functools import cache
from typing import Any
from xml.etree import ElementTree

import hiredis
import pytest
from kit.captures import CAPTURES, Capture, Conversation, captures

from metaprotocol import Connection, DecodeError, Direction, ErrorType, Frame, Kind, get_codec

CODEC = get_codec("redis")
ALL = captures("redis")
HTTP, REFUSED = (next(capture for capture in ALL if str(capture) == name) for name in ("http", "refused"))
READABLE = [capture for capture in ALL if capture.expected["security"] == "none" and capture not in (HTTP, REFUSED)]
TO_SERVER, TO_CLIENT = Direction
Message = dict[str, Any]
TYPES = {
    "+": "simple_string",
    "-": "error",
    ":": "integer",
    "$": "bulk_string",
    "*": "array",
    "_": "null",
    ",": "double",
    "#": "boolean",
    "(": "big_number",
    "!": "bulk_error",
    "=": "verbatim_string",
    "%": "map",
    "~": "set",
    ">": "push",
}


class Dialogue:
    """A connection: what was said of it, and what we read."""

    def __init__(self, number: int, conversation: Conversation, messages: list[Message]) -> None:
        self.conversation = conversation
        self.connection: Connection = CODEC.connection()
        frames: dict[Direction, list[Frame]] = {direction: [] for direction in Direction}
        for direction, data in conversation.pieces:
            frames[direction] += self.connection.feed(direction, data)
        for direction in Direction:
            self.connection.eof(direction)
        self.requests, self.answers = frames[TO_SERVER], frames[TO_CLIENT]
        mine = [message for message in messages if message["conn"] == number]
        self.asked = [message for message in mine if message["to"] == "server"]
        self.got = [message for message in mine if message["to"] == "client"]

    def answered(self) -> dict[int, list[Frame]]:
        """By number of the request, what answers it."""
        found = defaultdict(list)
        for message, frames in self.grouped():
            if message["answers"] is not None:
                found[message["answers"]] += frames
        return found

    def grouped(self) -> list[tuple[Message, list[Frame]]]:
        """Each message to the client with its frames: one, but a payload of replication is given in pieces."""
        rest = list(self.answers)
        found = []
        for message in self.got:
            frames = [rest.pop(0)]
            while message["type"] == "rdb" and sum(map(len, frames)) < message["length"]:
                frames.append(rest.pop(0))
            found.append((message, frames))
        assert rest == []
        return found


@cache
def dialogues(capture: Capture) -> list[Dialogue]:
    messages = capture.expected["messages"]
    return [Dialogue(number, each, messages) for number, each in enumerate(capture.conversations)]


def says(said: Any, text: Any) -> bool:
    """Whether a value of ours is what the expectations say."""
    if isinstance(said, dict):
        [(kind, inner)] = list(said.items())[:1]
        if kind == "hex":
            return bool(text == bytes.fromhex(inner).decode("utf-8", "replace"))
        if kind == "bytes":
            return bool(inner == len(text.encode()) and said["sha256"] == hashlib.sha256(text.encode()).hexdigest())
        if kind == "verbatim":
            return bool(text == inner[4:])
        return bool(text == inner)
    if isinstance(said, bool):
        return bool(text == str(said).lower())
    return bool(text == said)


def test_all_are_here() -> None:
    """What the captures are for is in them; none is without its expectations."""
    assert {path.stem for path in (CAPTURES / "redis").glob("*.json")} == {str(capture) for capture in ALL}
    assert {capture.expected["client"] for capture in ALL} == {"socket", "redis-py", "hiredis"}
    assert {capture.expected["protocol"] for capture in ALL} == {2, 3, None}
    messages = [message for capture in READABLE for message in capture.expected["messages"]]
    assert {message["type"] for message in messages if message["to"] == "client"} == {*TYPES, "rdb", "newline"} - {"!"}
    names = {message["args"][0] for message in messages if message["to"] == "server" and message["args"]}
    assert len({name.upper() for name in names if isinstance(name, str)}) > 165
    errors = {message["value"]["error"].split()[0] for message in messages if message.get("type") == "-"}
    assert errors >= {"WRONGTYPE", "NOAUTH", "NOPERM", "NOSCRIPT", "MOVED", "ASK", "CROSSSLOT", "TRYAGAIN", "EXECABORT"}
    assert len(messages) > 2500


@pytest.mark.parametrize("capture", READABLE, ids=str)
class TestMessages:
    def test_requests(self, capture: Capture) -> None:
        for dialogue in dialogues(capture):
            answered = dialogue.answered()
            last = max(answered, default=-1)
            for number, (said, frame) in enumerate(zip(dialogue.asked, dialogue.requests, strict=True)):
                metadata = frame.metadata
                assert len(frame) == said["length"]
                if not said["args"]:
                    assert (frame.kind, metadata["message_type"]) == (Kind.CONTROL, "empty")
                    continue
                if number in answered:
                    assert frame.kind is Kind.REQUEST
                elif number < last or said["args"][:2] == ["REPLCONF", "ACK"]:
                    assert frame.kind is Kind.ONEWAY, "those behind it were answered"
                assert metadata["message_type"] == ("inline" if "inline" in said else "command")
                assert metadata["command"] == said["args"][0].upper()
                assert metadata["arg_count"] == len(said["args"]) - 1
                for at, argument in enumerate(said["args"]):
                    assert says(argument, metadata[f"arg.{at}"])
                assert f"arg.{len(said['args'])}" not in metadata

    def test_keys_and_slots(self, capture: Capture) -> None:
        """As the server's COMMAND GETKEYS and CLUSTER KEYSLOT had it."""
        for dialogue in dialogues(capture):
            for said, frame in zip(dialogue.asked, dialogue.requests, strict=True):
                if "keys" not in said:
                    continue
                metadata = frame.metadata
                count = metadata["key_count"]
                assert isinstance(count, int)
                keys = [metadata[f"key.{number}"] for number in range(count)]
                assert count == len(said["keys"])
                assert all(any(says(key, mine) for mine in keys) for key in said["keys"])
                assert metadata.get("key") == (keys[0] if keys else None)
                if keys:
                    first = next(at for at, key in enumerate(said["keys"]) if says(key, keys[0]))
                    assert metadata["slot"] == said["slots"][first]
                elif "channel" not in metadata:
                    assert "slot" not in metadata

    def test_answers(self, capture: Capture) -> None:
        for dialogue in dialogues(capture):
            replicates = False
            for said, frames in dialogue.grouped():
                frame, metadata = frames[0], frames[0].metadata
                assert sum(map(len, frames)) == said["length"]
                if said["type"] == "rdb":
                    assert metadata["message_type"] == "snapshot_header"
                    assert {each.metadata["message_type"] for each in frames[1:]} == {"snapshot"}
                    replicates = True
                elif said["type"] == "newline":
                    assert (frame.kind, metadata["message_type"]) == (Kind.CONTROL, "keepalive")
                elif replicates:
                    assert (frame.kind, metadata["message_type"]) == (Kind.STREAM_DATA, "replicated")
                    assert metadata["command"] == said["value"][0].upper()
                    assert all(says(word, metadata[f"arg.{at}"]) for at, word in enumerate(said["value"]))
                elif said["answers"] is None:
                    assert frame.kind in (Kind.STREAM_DATA, Kind.CONTROL)
                    assert metadata["message_type"] == ("monitor" if said["type"] == "+" else "push")
                    if said["type"] != "+":
                        assert metadata["push"] == said["value"][0]
                        message_of(said["value"], frame)
                else:
                    assert metadata["message_type"] in ("reply", "push")
                    answer_of(said, frame)
                    replicates = str(said["value"]).startswith("CONTINUE")

    def test_pairs(self, capture: Capture) -> None:
        for dialogue in dialogues(capture):
            for number, frames in dialogue.answered().items():
                # Several confirmations: one of them is the answer, the others say how far it is.
                [answer] = [frame for frame in frames if frame.kind in (Kind.RESPONSE, Kind.ERROR)]
                assert answer.request is dialogue.requests[number]
                assert all(frame.kind is Kind.CONTROL for frame in frames if frame is not answer)
            waiting = [frame for frame in dialogue.requests if frame.kind is Kind.REQUEST]
            assert dialogue.connection.in_flight == len(waiting) - len(dialogue.answered())
            for said, frames in dialogue.grouped():
                if said["answers"] is None:
                    assert all(frame.request is None for frame in frames)

    def test_batches_agree(self, capture: Capture) -> None:
        for dialogue in dialogues(capture):
            stream = dialogue.conversation.stream(TO_SERVER)
            columns = ["command", "key", "slot"]
            batch = CODEC.connection().feed_batch(TO_SERVER, stream, columns=columns)
            for column in columns:
                assert batch.column(column) == [frame.metadata.get(column) for frame in dialogue.requests]
            assert batch.malformed == []

    def test_keys_get_a_prefix_and_nothing_else_changes(self, capture: Capture) -> None:
        for dialogue in dialogues(capture):
            for said, frame in zip(dialogue.asked, dialogue.requests, strict=True):
                count = frame.metadata.get("key_count")
                if not said["args"] or count is None:
                    continue
                rewritten = b"".join(CODEC.rewrite(frame, set={"key_prefix": "tenant:"}))
                if not count:
                    assert rewritten == bytes(frame)
                    continue
                again = CODEC.decode(rewritten)
                before, after = dict(frame.metadata), dict(again.metadata)
                assert [again.metadata[f"key.{number}"] for number in range(count)] == [
                    f"tenant:{frame.metadata[f'key.{number}']}" for number in range(count)
                ]
                for key in ("command", "subcommand", "arg_count", "key_count", "access"):
                    assert after.get(key) == before.get(key)
                keys = {frame.metadata[f"key.{number}"] for number in range(count)}
                for at in range(len(said["args"])):
                    argument = frame.metadata[f"arg.{at}"]
                    assert again.metadata[f"arg.{at}"] in (
                        argument,
                        f"tenant:{argument}" if argument in keys else argument,
                    )

    def test_replies_can_be_read(self, capture: Capture) -> None:
        for dialogue in dialogues(capture):
            for frame in dialogue.requests[:40]:
                if frame.kind is Kind.CONTROL:
                    continue
                reply = CODEC.reply(frame, ErrorType.ROUTE_NOT_FOUND, "no route\r\nto it")
                if frame.kind is Kind.ONEWAY:
                    assert reply is None
                    continue
                assert reply is not None
                reader = hiredis.Reader()
                reader.feed(reply)
                assert str(reader.gets()) == "ERR no route  to it"

    def test_hiredis_agrees(self, capture: Capture) -> None:
        """Its reader finds the same values in each frame, and nothing behind them."""
        count = 0
        for dialogue in dialogues(capture):
            for frame in dialogue.answers:
                if frame.metadata["message_type"] not in ("reply", "push", "monitor"):
                    continue
                reader = hiredis.Reader()
                reader.feed(bytes(frame))
                if bytes(frame).startswith(b"|"):
                    assert isinstance(reader.gets(), list)  # Attributes, which are a value of their own to it.
                value = reader.gets()
                assert not reader.has_data()
                count += compare(frame, "value", value)
        assert count > 0


def message_of(said: list[Any], frame: Frame) -> None:
    """A message of pub/sub, or an invalidation."""
    metadata = frame.metadata
    if said[0] in ("message", "smessage"):
        assert says(said[1], metadata["channel"])
    elif said[0] == "pmessage":
        assert says(said[1], metadata["pattern"])
        assert says(said[2], metadata["channel"])
    elif said[0] == "invalidate":
        assert metadata.get("key_count") == (None if said[1] is None else len(said[1]))
        assert metadata.get("key") == (said[1][0] if said[1] else None)


def answer_of(said: Message, frame: Frame) -> None:
    metadata, value = frame.metadata, said["value"]
    assert metadata["reply_type"] == ("null" if value is None else TYPES[said["type"]])
    assert (frame.kind is Kind.ERROR) == (said["type"] in "-!")
    if metadata["message_type"] == "push":
        assert metadata["push"] == value[0]
        assert metadata["subscriptions"] == value[2]
        assert says(value[1], metadata.get("pattern" if value[0].startswith("p") else "channel"))
    elif said["type"] in "-!":
        code, message = metadata.get("error_code"), metadata["error_message"]
        assert value["error"] == (f"{code} {message}" if code else message)
        if code in ("MOVED", "ASK"):
            _, slot, address = value["error"].split()
            assert (metadata["slot"], metadata["redirect"]) == (int(slot), address)
    elif said["type"] in "*~%>" and value is not None:
        elements = next(iter(value.values())) if isinstance(value, dict) else value
        assert metadata["length"] == len(elements)
    elif value is not None:
        assert says(value, metadata["full_value"])


def compare(frame: Frame, path: str, seen: Any) -> int:
    """Compares a value with what hiredis made of it; counts them."""
    if isinstance(seen, dict):
        seen = [element for pair in seen.items() for element in pair]
    if isinstance(seen, list):
        # Of a long list, some from all over.
        step = len(seen) // 64 + 1
        return sum(compare(frame, f"{path}.{at}", seen[at]) for at in range(0, len(seen), step)) + 1
    mine = frame.metadata.get("full_value" if path == "value" else path)
    if isinstance(seen, hiredis.ReplyError):
        if path == "value":
            mine = " ".join(
                str(frame.metadata[key]) for key in ("error_code", "error_message") if key in frame.metadata
            )
        assert mine == str(seen)
    elif isinstance(seen, bool):
        assert mine == str(seen).lower()
    elif isinstance(seen, float):
        assert float(str(mine)) == seen or math.isnan(seen)
    elif isinstance(seen, bytes):
        assert mine == seen.decode("utf-8", "replace")
    elif isinstance(seen, int):
        assert mine is not None
        assert int(mine) == seen
    else:
        assert seen is None
        assert mine is None
    return 1


def test_what_a_server_refuses() -> None:
    """What it answers with an error and the end of the connection is a DecodeError, where it begins."""
    assert len(REFUSED.conversations) == 4
    for number, conversation in enumerate(REFUSED.conversations):
        fine, _ = [
            message
            for message in REFUSED.expected["messages"]
            if (message["conn"], message["to"]) == (number, "server")
        ]
        assert fine["args"] == ["PING"]
        connection = CODEC.connection()
        with pytest.raises(DecodeError) as caught:
            connection.feed(TO_SERVER, conversation.stream(TO_SERVER))
        assert caught.value.offset >= fine["length"]
        assert [frame.metadata["command"] for frame in caught.value.frames] == ["PING"]


def test_http_is_refused_at_once() -> None:
    """A server takes its first line for a command, which a browser could be made to send."""
    [conversation] = HTTP.conversations
    with pytest.raises(DecodeError) as caught:
        CODEC.connection().feed(TO_SERVER, conversation.stream(TO_SERVER))
    assert (caught.value.code, caught.value.offset) == ("bad_magic", 0)


def test_what_is_encrypted_is_passed() -> None:
    [capture] = [capture for capture in ALL if capture.expected["security"] == "tls"]
    [conversation] = capture.conversations
    connection = CODEC.connection()
    for direction, data in conversation.pieces:
        for frame in connection.feed(direction, data):
            assert frame.kind is Kind.CONTROL
    for direction in Direction:
        assert connection.offset(direction) == len(conversation.stream(direction))


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize("capture", [capture for capture in READABLE if capture.expected["tshark"]], ids=str)
def test_tshark_agrees(capture: Capture) -> None:
    """The same messages in the same order, with the same lengths, types and commands; it knows RESP2 only."""
    types = {"resp.string": "+", "resp.error": "-", "resp.integer": ":", "resp.bulk_string": "$", "resp.array": "*"}
    command = ["tshark", "-r", str(capture.path), "-T", "pdml", "-J", "tcp resp", "-Y", "resp"]
    command += [word for port in capture.expected["server_ports"] for word in ("-d", f"tcp.port=={port},resp")]
    output = subprocess.run(command, check=True, capture_output=True, timeout=100).stdout
    theirs: dict[tuple[str, str], list[tuple[str, int, str]]] = defaultdict(list)
    for packet in ElementTree.fromstring(output).iter("packet"):
        ports = [packet.find(f".//field[@name='tcp.{end}port']").get("show") for end in ("src", "dst")]  # type: ignore[union-attr]
        for layer in packet.iterfind("proto[@name='resp']"):
            for field in layer.iterfind("field"):
                if field.get("name") == "resp.fragment":  # lines
                    continue
                first = field.find(".//field[@name='resp.bulk_string.value']")
                word = bytes.fromhex(first.get("value", "")).decode("utf-8", "replace") if first is not None else ""
                theirs[ports[0], ports[1]].append((types[field.get("name", "")], int(field.get("size", "")), word))
    server = str(capture.expected["server_port"])
    for dialogue in dialogues(capture):
        client = str(dialogue.conversation.client_port)
        sent = theirs.pop((client, server), [])
        assert [(size, word.upper()) for kind, size, word in sent if kind == "*"] == [
            (len(frame), frame.metadata.get("command", "")) for frame in dialogue.requests if bytes(frame)[:1] == b"*"
        ]
        assert [(kind, size) for kind, size, _ in theirs.pop((server, client), [])] == [
            (chr(bytes(frame)[0]), len(frame)) for frame in dialogue.answers
        ]
    assert not theirs
