"""VideoPacket: whatever packets, however cut; whatever bytes; whatever edits."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import random
import subprocess
import sys
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.cutting import feed, receive, seen
from kit.guarded import Guarded
from kit.vectors import CODECS, vectors

from metaprotocol import (
    Codec,
    DecodeError,
    Direction,
    EncodeError,
    ErrorType,
    Frame,
    IncompleteFrame,
    Kind,
    LimitExceeded,
    Limits,
    MetaProtocolError,
    get_codec,
)
from metaprotocol._native import codec_from_capsule
from metaprotocol.videopacket import capsule

REQUESTS, RESPONSES = Direction
_spec = importlib.util.spec_from_file_location("videopacket_make", CODECS / "videopacket" / "vectors" / "make.py")
assert _spec is not None
assert _spec.loader is not None
make: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(make)

SEEDS = [(vector.direction, vector.data) for vector in vectors() if vector.codec == "videopacket"]
LONGS = st.integers(-(1 << 63), (1 << 63) - 1)
INTS = st.integers(-(1 << 31), (1 << 31) - 1)
TEXT = st.one_of(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), st.just("g" * 300))
WRITABLE = [key for key in get_codec("videopacket").keys if key.writable]
TEXTS = [key.name for key in WRITABLE if not key.number and key.name != "command"]


def optional(tag: int, values: st.SearchStrategy[Any], write: Any) -> st.SearchStrategy[bytes]:
    return st.one_of(st.just(b""), values.map(lambda value: write(tag, value)))


def struct(tag: int, *fields: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.tuples(*fields).map(lambda written: make.record(tag, *written))


UNKNOWN = st.sampled_from([make.table(60, a=make.text(1, "b")), make.sequence(61, make.record(0)), make.number(62, 5)])
BASIC = st.builds(
    lambda command, seq_id, uin, result, more: make.basic(command, seq_id, uin, result, *more),
    st.integers(0, 65535),
    LONGS,
    LONGS,
    st.one_of(st.just(0), INTS),
    st.tuples(optional(7, INTS, make.number), optional(8, INTS, make.number), st.one_of(st.just(b""), UNKNOWN)),
)
QUA = struct(16, optional(0, TEXT, make.text), optional(4, INTS, make.number), optional(9, TEXT, make.text))
ACCESS = struct(
    1, optional(2, LONGS, make.number), optional(5, TEXT, make.text), optional(8, TEXT, make.text),
    optional(11, TEXT, make.text), st.one_of(st.just(b""), QUA), optional(17, TEXT, make.text),
    optional(19, INTS, make.number), st.one_of(st.just(b""), UNKNOWN),
)  # fmt: skip
ROUTE = struct(
    7, optional(0, TEXT, make.text), optional(1, INTS, make.number), optional(2, TEXT, make.text),
    optional(4, TEXT, make.text), optional(5, TEXT, make.text),
)  # fmt: skip
PACKETS = st.builds(
    make.packet,
    BASIC,
    ACCESS,
    st.one_of(st.just(b""), st.just(make.NO_TOKENS)),
    optional(3, st.binary(max_size=60), make.text),
    st.one_of(st.just(b""), ROUTE),
    st.one_of(st.just(b""), UNKNOWN),
    reserved=st.sampled_from([bytes(10), b"\0\x60\x20" + bytes(7), b"\x01\0\x01\x07" + bytes(6)]),
)


def codec() -> Codec:
    return get_codec("videopacket")


def tolerant(attempt: Any) -> None:
    with contextlib.suppress(MetaProtocolError):
        attempt()


def read_everything(data: memoryview, direction: Direction, limits: Limits) -> None:
    """Every verb on whatever these bytes are; only errors of this package come out."""
    spoken = codec()
    spoken.detect(data, direction=direction)
    tolerant(lambda: spoken.split(data, direction=direction, limits=limits))
    connection = spoken.connection(limits=limits)
    frames: list[Frame] = []
    try:
        frames = connection.feed(direction, data)
        connection.eof(direction)
    except DecodeError as error:
        frames = list(error.frames)
    except IncompleteFrame:
        assert connection.missing(direction) >= 1
    for frame in frames:
        raw = bytes(frame)
        tolerant(lambda frame=frame: dict(frame.metadata))
        for key in spoken.keys:
            tolerant(lambda frame=frame, key=key: spoken.field(frame, key.name))
        assert b"".join(spoken.rewrite(frame)) == raw
        for edits in ({name: "7"} for name in ["command", "to_server", "guid", "func_name", "sub_cmd"]):
            try:
                again = b"".join(spoken.rewrite(frame, set=edits, request_id=5))
            except MetaProtocolError:
                continue
            assert spoken.decode(again, direction=direction, limits=limits).request_id == 5
        tolerant(lambda frame=frame: spoken.rewrite(frame, remove=["to_server", "guid", "sub_cmd"]))
        for error in (ErrorType.TIMEOUT, None):
            try:
                reply = spoken.reply(frame, error, "late")
            except MetaProtocolError:
                continue
            assert reply is not None
            answer = spoken.decode(reply, direction=RESPONSES)
            assert (answer.kind, answer.request_id) == (Kind.ERROR, frame.request_id)


class TestAnyPackets:
    @given(packets=st.lists(PACKETS, max_size=5), places=st.lists(st.floats(0, 1, exclude_max=True), max_size=8))
    def test_the_same_frames_however_cut(self, packets: list[bytes], places: list[float]) -> None:
        stream = b"".join(packets)
        whole = feed(codec().connection(), RESPONSES, [stream])
        assert [bytes(frame) for frame in whole] == packets
        at = sorted({0, len(stream), *(int(place * len(stream)) for place in places)})
        pieces = [stream[start:end] for start, end in itertools.pairwise(at)]
        expected = [seen(frame) for frame in whole]
        assert [seen(frame) for frame in feed(codec().connection(), RESPONSES, pieces)] == expected
        assert [seen(frame) for frame in receive(codec().connection(), RESPONSES, pieces)] == expected
        connection = codec().connection()
        batch = [frame for piece in pieces for frame in connection.feed_batch(RESPONSES, piece)]
        assert [seen(frame) for frame in batch] == expected

    @given(packet=PACKETS)
    def test_a_look_up_finds_what_the_walk_shows(self, packet: bytes) -> None:
        frame = codec().decode(packet)
        try:
            walked = dict(frame.metadata)
        except DecodeError:  # a body that is no JCE
            assert frame.metadata["command"] == "24608"
            return
        for key in codec().keys:
            assert codec().field(frame, key.name) == walked.get(key.name)
        assert codec().field(frame, "absent") is None

    @given(packet=PACKETS)
    def test_kinds_and_ids(self, packet: bytes) -> None:
        asked, answered = codec().decode(packet), codec().decode(packet, direction=RESPONSES)
        assert asked.kind is Kind.REQUEST
        assert answered.kind is (Kind.ERROR if asked.metadata["result"] else Kind.RESPONSE)
        number = asked.metadata["seq_id"]
        assert asked.request_id == (number % (1 << 64) if number else None)  # type: ignore[operator]


class TestAnyEdits:
    @given(
        packet=PACKETS,
        texts=st.dictionaries(st.sampled_from(TEXTS), TEXT, max_size=4),
        command=st.one_of(st.none(), st.integers(0, 65535)),
        numbers=st.dictionaries(st.sampled_from(["sub_cmd", "result"]), INTS, max_size=2),
        removed=st.sets(st.sampled_from([*TEXTS, "sub_cmd", "absent"]), max_size=3),
        request_id=st.one_of(st.none(), st.integers(1, (1 << 64) - 1)),
    )
    def test_what_is_named_changes_and_nothing_else(
        self,
        packet: bytes,
        texts: dict[str, str],
        command: int | None,
        numbers: dict[str, int],
        removed: set[str],
        request_id: int | None,
    ) -> None:
        edits: dict[str, str | int] = {**texts, **numbers}
        if command is not None:
            edits["command"] = command
        plain = codec_from_capsule(capsule(name="plain", body={}))  # bodies here are noise
        frame = plain.decode(packet)
        edited = b"".join(plain.rewrite(frame, set=edits, remove=removed, request_id=request_id))
        assert int.from_bytes(edited[1:5], "big") == len(edited)
        expected = {key: value for key, value in frame.metadata.items() if key not in removed}
        expected |= edits
        if command is not None:
            expected["command"] = str(command)
        if request_id is not None:
            expected["seq_id"] = request_id - (1 << 64 if request_id >> 63 else 0)
        again = plain.decode(edited)
        to, func = expected.get("to_server"), expected.get("func", "")
        expected["operation"] = f"{to}/{func}" if to else f"cmd_{int(expected['command']):#x}"
        if len(str(expected["operation"]).encode()) > 512:
            expected["operation"] = again.metadata["operation"]
        assert dict(again.metadata) == expected
        if not edits and not removed and request_id is None:
            assert edited == packet
        # The bytes of unknown fields and of the body go on as they are.
        assert edited[5:7] == packet[5:7]
        assert edited[9:16] == packet[9:16]

    def test_the_copy_of_the_command_follows_where_there_is_one(self) -> None:
        for copy, edited in ((b"\0\x01", b"\x9c\x40"), (b"\0\0", b"\0\0")):
            packet = make.packet(make.basic(1, 1), make.ACCESS, reserved=b"\0" + copy + bytes(7))
            assert b"".join(codec().rewrite(codec().decode(packet), set={"command": "40000"}))[7:9] == edited

    @pytest.mark.parametrize(
        ("edits", "key", "why"),
        [
            ({"set": {"command": 65536}}, "command", "takes a number from 0 to 65535"),
            ({"set": {"command": "Get"}}, "command", "takes a number from 0 to 65535"),
            ({"set": {"sub_cmd": 1 << 40}}, "sub_cmd", "takes a number of 32 bits"),
            ({"set": {"sub_cmd": "-"}}, "sub_cmd", "takes a number of 32 bits"),
            ({"set": {"seq_id": 5}}, "seq_id", "read-only; give a new request_id"),
            ({"set": {"operation": "x"}}, "operation", "read-only"),
            ({"set": {"channelId": "x"}}, "channelId", "read-only"),
            ({"set": {"x-mine": "x"}}, "x-mine", "a packet has no place for other keys"),
            ({"remove": ["command"]}, "command", "every packet must have it"),
            ({"request_id": 0}, "request_id", "any id but 0"),
        ],
    )
    def test_what_cannot_be(self, edits: dict[str, Any], key: str, why: str) -> None:
        frame = codec().decode(make.packet(make.basic(1, 1), make.ACCESS))
        with pytest.raises(EncodeError, match=why) as caught:
            codec().rewrite(frame, **edits)
        assert caught.value.key == key

    def test_two_mib_are_the_most(self) -> None:
        room = make.MAX_LEN - len(make.packet(make.basic(1, 1), make.ACCESS, make.text(3, b"x" * 300))) + 300
        frame = codec().decode(make.packet(make.basic(1, 1), make.ACCESS, make.text(3, b"x" * room)))
        assert len(frame) == make.MAX_LEN
        assert len(b"".join(codec().rewrite(frame, request_id=2))) == make.MAX_LEN
        with pytest.raises(EncodeError, match="the protocol allows 2097152"):
            codec().rewrite(frame, set={"guid": "x"})
        [before, *_, after] = codec().rewrite(frame, request_id=2)
        assert memoryview(after).obj is memoryview(frame.raw).obj, "the body is borrowed"
        assert len(memoryview(before)) == 1


class TestAnyBytes:
    @given(data=st.binary(max_size=200), direction=st.sampled_from(Direction))
    def test_noise(self, data: bytes, direction: Direction) -> None:
        read_everything(memoryview(data), direction, Limits())

    @given(header=st.binary(max_size=200), direction=st.sampled_from(Direction))
    def test_noise_in_a_packet(self, header: bytes, direction: Direction) -> None:
        read_everything(memoryview(make.packet(header)), direction, Limits())
        read_everything(memoryview(make.packet(make.basic(24608, 1), make.ACCESS, header)), direction, Limits())
        body = make.text(3, header)
        read_everything(memoryview(make.packet(make.basic(24608, 1), make.ACCESS, body)), direction, Limits())

    def test_mutations_at_the_end_of_memory(self) -> None:
        """In a process of its own: reading too far ends it."""
        code = "from property import test_videopacket; test_videopacket.mutate(20_000)"
        environment = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
        subprocess.run([sys.executable, "-c", code], check=True, timeout=110, env=environment)

    def test_nesting_is_bounded(self) -> None:
        def packet(depth: int) -> bytes:
            return make.packet(make.basic(1, 1), make.ACCESS, b"\x8a" * depth + b"\x0b" * depth)  # type: ignore[no-any-return]

        assert codec().fields(codec().decode(packet(256)))["command"] == "1"
        for depth in (257, 100_000):
            with pytest.raises(LimitExceeded, match="max_nesting"):
                codec().fields(codec().decode(packet(depth)))
        deep = Limits(max_nesting=1 << 20)
        with pytest.raises(DecodeError, match="JCE nesting deeper than 1024 is not supported"):
            codec().fields(codec().decode(packet(5000), limits=deep))

    @pytest.mark.parametrize(
        ("field", "code"),
        [
            (b"\x89\x02\x7f\xff\xff\xff", "unexpected_end"),  # a list of 2^31 - 1
            (b"\x88\x02\x7f\xff\xff\xff", "unexpected_end"),
            (b"\x8d\x00\x02\x7f\xff\xff\xff", "unexpected_end"),
            (b"\x87\xff\xff\xff\xff", "unexpected_end"),
            (b"\x86\xff", "unexpected_end"),
            (b"\x89\x00\xff", "bad_length"),
            (b"\x88\x00\xff", "bad_length"),
            (b"\x8d\x00\x00\xff", "bad_length"),
            (b"\x8d\x01", "bad_value"),
            (b"\x89\x10\x01", "bad_value"),
            (b"\x8b", "bad_value"),
            (b"\x8f", "bad_value"),
            (b"\x8a", "unexpected_end"),
            (b"\xf0", "unexpected_end"),
            (b"\x80", "unexpected_end"),
            (b"\x89\x06\x01a", "bad_encoding"),
        ],
    )
    def test_lengths_that_lie(self, field: bytes, code: str) -> None:
        frame = codec().decode(make.packet(make.basic(1, 1), make.ACCESS, field))
        with pytest.raises(DecodeError) as caught:
            codec().fields(frame)
        assert caught.value.code == code
        # What lies before is found all the same.
        assert codec().field(frame, "command") == "1"

    def test_a_walk_is_linear(self) -> None:
        """Tens of thousands of small fields, or a packet that comes byte by byte, cost what their bytes cost."""
        many = make.packet(make.basic(1, 1), make.ACCESS, make.sequence(4, *[make.record(0)] * 500_000))
        started = time.perf_counter()
        assert codec().fields(codec().decode(many))["command"] == "1"
        connection = codec().connection()
        frames = [frame for byte in many[:200_000] for frame in connection.feed(REQUESTS, bytes([byte]))]
        assert frames == []
        assert time.perf_counter() - started < 20


class TestReplies:
    @given(packet=PACKETS, error=st.sampled_from(ErrorType))
    def test_they_answer_their_request(self, packet: bytes, error: ErrorType) -> None:
        request = codec().decode(packet)
        reply = codec().reply(request, error, "why")
        assert reply is not None
        answer = codec().decode(reply, direction=RESPONSES)
        assert (answer.kind, answer.request_id) == (Kind.ERROR, request.request_id)
        for key in ("command", "seq_id", "req_uin", "sub_cmd", "body_flag", "caller_id"):
            assert answer.metadata.get(key) == request.metadata.get(key)
        assert int.from_bytes(reply[7:9], "big") == int(str(request.metadata["command"]))

    def test_the_example_to_the_byte(self) -> None:
        request, refused = (SEEDS[at][1] for at in (0, 2))
        old = codec_from_capsule(capsule(old_results=True))
        assert old.reply(old.decode(request), ErrorType.OVER_LIMIT) == refused
        old_results = {
            error: old.decode(old.reply(old.decode(request), error) or b"").metadata["result"] for error in ErrorType
        }
        assert {error for error, result in old_results.items() if result == 5} == {ErrorType.OVER_LIMIT}
        assert set(old_results.values()) == {1, 5}

    def test_responses_are_not_answered(self) -> None:
        response = codec().decode(SEEDS[2][1], direction=RESPONSES)
        for error in (ErrorType.TIMEOUT, None):
            with pytest.raises(EncodeError, match="requests are answered with errors"):
                codec().reply(response, error)
        with pytest.raises(EncodeError, match="requests are answered with errors"):
            codec().reply(codec().decode(SEEDS[0][1]))


class TestBodyRules:
    def test_any_command_and_tags(self) -> None:
        rules = {7: {2: "item", 0: "user"}, 9: {1: "user"}}
        mine = codec_from_capsule(capsule(name="mine", body=rules))
        assert [key.name for key in mine.keys[-2:]] == ["user", "item"]
        body = make.text(3, make.text(0, "ann") + make.number(1, -3) + make.record(2))
        shown = {
            command: {key: mine.decode(make.packet(make.basic(command, 1), make.ACCESS, body)).metadata.get(key)
                      for key in ("user", "item")}
            for command in (7, 8, 9)
        }  # fmt: skip
        assert shown == {
            7: {"user": "ann", "item": None},
            8: {"user": None, "item": None},
            9: {"user": -3, "item": None},
        }
        assert mine.name == "mine"
        assert mine.aliases == ()

    def test_bodies_of_responses_are_other_structs(self) -> None:
        body = make.text(3, make.text(0, "100201"))
        packet = make.packet(make.basic(24608, 1), make.ACCESS, body)
        assert codec().decode(packet).metadata["channelId"] == "100201"
        assert "channelId" not in dict(codec().decode(packet, direction=RESPONSES).metadata)

    def test_rules_that_cannot_be(self) -> None:
        with pytest.raises(ValueError, match="commands have 16 bits and tags 8, got command 70000 and tag 1"):
            capsule(body={70000: {1: "x"}})


def mutate(rounds: int) -> None:
    """Mutations of the vectors, each at the very end of readable memory."""
    chance = random.Random(0x6D757461)
    guarded = Guarded(64)
    seeds = [(direction, data) for direction, data in SEEDS if 16 < len(data) < 2000]
    for turn in range(rounds):
        direction, seed = chance.choice(seeds)
        data = bytearray(seed)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.choice(
                (0, 1, 0x0A, 0x0B, 0x0C, 0x7F, 0x80, 0xFF, chance.randrange(256))
            )
        if chance.random() < 0.3:
            del data[chance.randrange(len(data)) :]
        if chance.random() < 0.7 and len(data) > 17:  # a packet all the same
            data[0], data[-1] = 0x26, 0x28
            data[1:5] = len(data).to_bytes(4, "big")
        limits = Limits(max_nesting=3, max_field_count=2) if turn % 3 == 0 else Limits()
        read_everything(guarded.hold(bytes(data)), direction, limits)
