"""Bad input, by name: each has its clear error, at once, and takes no more memory than the bytes that came."""

from __future__ import annotations

import tracemalloc
import zlib
from collections.abc import Callable, Iterator

import pytest
from kit.dialects import (
    DUBBO,
    THRIFTS,
    TOY,
    Dialect,
    dubbo_body,
    dubbo_frame,
    hessian_string,
    thrift_message,
    thrift_wrap,
    varint,
)
from kit.memory import virtual_bytes

from metaprotocol import DecodeError, Direction, Frame, IncompleteFrame, Kind, LimitExceeded, Limits, get_codec

REQUESTS, RESPONSES = Direction
MIB = 1 << 20
DEEP = 1_000_000


def inflated() -> Iterator[bytes]:
    """A call whose only argument is a string of 200 MiB."""
    yield thrift_message("binary", 1, "a", 7, b"\x0b\x00\x01" + (200 * MIB).to_bytes(4, "big"))
    yield from [bytes(MIB)] * 200


ZIP = zlib.compressobj(9)
BOMB = b"".join(map(ZIP.compress, inflated())) + ZIP.flush()


@pytest.fixture(autouse=True)
def _no_memory_for_claims() -> Iterator[None]:
    """Nothing here may allocate what a length claims: the longest stream below has a few megabytes."""
    before = virtual_bytes()
    tracemalloc.start()
    yield
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 * MIB
    assert virtual_bytes() - before < 192 * MIB


def fails(codec: str, stream: bytes, direction: Direction = REQUESTS, limits: Limits | None = None) -> DecodeError:
    """The error of a stream, the same from every way in."""
    connection = get_codec(codec).connection(limits=limits)
    with pytest.raises(DecodeError) as caught:
        connection.feed(direction, stream)
    error = caught.value
    assert (error.protocol, error.direction) == (codec, direction)
    with pytest.raises(DecodeError) as alone:
        get_codec(codec).decode(stream, direction=direction, limits=limits)
    assert alone.value.code == error.code
    with pytest.raises(DecodeError) as batched:
        get_codec(codec).connection(limits=limits).feed_batch(direction, stream)
    assert (batched.value.code, batched.value.offset) == (error.code, error.offset)
    return error


def at_once(codec: str, stream: bytes, direction: Direction = REQUESTS) -> int:
    """How many bytes it takes, coming one by one, until the error is told."""
    connection = get_codec(codec).connection()
    for at in range(len(stream)):
        try:
            assert connection.feed(direction, stream[at : at + 1]) == []
        except DecodeError:
            return at + 1
    pytest.fail("no error")


class TestMagic:
    @pytest.mark.parametrize("stream", [b"GET / HTTP/1.1\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n"])
    @pytest.mark.parametrize("codec", ["dubbo", "thrift"])
    def test_another_protocol(self, codec: str, stream: bytes) -> None:
        error = fails(codec, stream)
        assert error.code in ("bad_magic", "limit_exceeded")
        assert error.offset in (0, 4)

    def test_the_first_wrong_byte_is_enough(self) -> None:
        assert at_once("dubbo", b"GET / HTTP/1.1\r\n") == 1
        assert at_once("dubbo", b"\xda\xbc\xc2" + bytes(20)) <= 16
        assert at_once("thrift", b"GET / HTTP/1.1\r\n") <= 8
        assert at_once("thrift", b"\x80\x02\x00\x01" + bytes(20)) <= 4

    def test_behind_good_frames(self, native: Dialect) -> None:
        connection = native.codec().connection()
        requests = native.request(1, 10) * 3
        with pytest.raises(DecodeError) as caught:
            connection.feed(REQUESTS, requests + b"\xee\xee\xee\xee\xee\xee\xee\xee\xee\xee\xee\xee\xee\xee\xee\xee")
        assert caught.value.offset >= len(requests)
        assert len(caught.value.frames) == 3


class TestLengths:
    @pytest.mark.parametrize("length", [-1, -2, -(1 << 31)])
    def test_negative(self, length: int) -> None:
        error = fails("dubbo", DUBBO.request(1, 1)[:12] + length.to_bytes(4, "big", signed=True))
        assert (error.code, error.offset) == ("bad_length", 12)
        assert f"is {length}" in error.reason
        assert fails("thrift", length.to_bytes(4, "big", signed=True) + THRIFTS[0].request(1, 1)[4:]).code in (
            "bad_length", "bad_magic",
        )  # fmt: skip

    @pytest.mark.parametrize("dialect", [d for d in THRIFTS if "binary" in d.name], ids=lambda d: d.name)
    def test_a_negative_name(self, dialect: Dialect) -> None:
        data = dialect.request(1, 1)
        place = data.index(b"\x00\x00\x00\x08sayHello")
        error = fails("thrift", data[:place] + b"\xff\xff\xff\xf8" + data[place + 4 :])
        assert error.code in ("bad_length", "bad_magic")

    @pytest.mark.parametrize("length", [(64 << 20) + 1, 1 << 30, (1 << 31) - 1])
    def test_huge(self, length: int) -> None:
        header = DUBBO.request(1, 1)[:12] + (length - 16).to_bytes(4, "big")
        error = fails("dubbo", header)
        assert isinstance(error, LimitExceeded)
        assert (error.limit, error.value, error.maximum, error.offset) == ("max_frame_len", length, 64 << 20, 12)
        assert at_once("dubbo", header) == 16
        framed = (length - 4).to_bytes(4, "big") + THRIFTS[0].request(1, 1)[4:]
        error = fails("thrift", framed)
        assert isinstance(error, LimitExceeded)
        assert (error.limit, error.value) == ("max_frame_len", length)
        assert at_once("thrift", framed) <= 8

    @pytest.mark.parametrize("protocol", ["binary", "compact"])
    def test_huge_counts_in_an_unframed_message(self, protocol: str) -> None:
        """Lists, maps and strings that claim two thousand million items and bring none."""
        count = (1 << 31) - 1
        if protocol == "binary":
            size = count.to_bytes(4, "big")
            fields = [b"\x0f\x00\x01\x0c" + size, b"\x0d\x00\x01\x08\x08" + size, b"\x0b\x00\x01" + size]
        else:
            fields = [b"\x19\xfc" + varint(count), b"\x1b" + varint(count) + b"\x55", b"\x18" + varint(count)]
        for field in fields:
            error = fails("thrift", thrift_message(protocol, 1, "a", 7, field + bytes(16)))
            assert isinstance(error, LimitExceeded)
            assert error.limit == "max_frame_len"

    @pytest.mark.parametrize("transport", ["framed", "header"])
    def test_zero(self, transport: str) -> None:
        error = fails("thrift", b"\0\0\0\0" + thrift_wrap(transport, "binary", b"x" * 20, 1)[4:])
        assert (error.code, error.offset) == ("bad_length", 0)
        assert "frame length is 0" in error.reason

    def test_zero_is_a_length_of_dubbo_bodies(self) -> None:
        [frame] = get_codec("dubbo").connection().feed(REQUESTS, dubbo_frame(0xE2, 0, 1, b""))
        assert (frame.kind, len(frame.body)) == (Kind.HEARTBEAT, 0)
        [frame] = get_codec("dubbo").connection().feed(REQUESTS, dubbo_frame(0xC2, 0, 1, b""))
        with pytest.raises(DecodeError, match="runs over the end"):
            frame.metadata["method"]

    def test_a_frame_over_the_limit_is_told_before_its_body(self, dialect: Dialect) -> None:
        if dialect.header_of is None:
            assert "unframed" in dialect.name
            return
        connection = dialect.codec().connection(limits=Limits(max_frame_len=1000))
        with pytest.raises(LimitExceeded) as caught:
            connection.feed(REQUESTS, dialect.header_of(1001))
        assert (caught.value.limit, caught.value.value, caught.value.maximum) == ("max_frame_len", 1001, 1000)
        assert (
            dialect.codec().connection(limits=Limits(max_frame_len=1000)).feed(REQUESTS, dialect.header_of(1000)) == []
        )


class TestHeaderOnly:
    def test_it_is_not_a_frame(self, dialect: Dialect) -> None:
        data = dialect.request(1, 100)
        header = bytes(dialect.codec().decode(data).header)
        connection = dialect.codec().connection()
        assert connection.feed(REQUESTS, header) == []
        assert connection.missing(REQUESTS) >= 1
        with pytest.raises(IncompleteFrame):
            connection.eof(REQUESTS)
        with pytest.raises(IncompleteFrame):
            dialect.codec().decode(header)

    def test_a_thrift_frame_that_ends_with_its_head(self) -> None:
        for transport in ("framed", "header"):
            error = fails("thrift", thrift_wrap(transport, "binary", thrift_message("binary", 1, "a", 7, b""), 7))
            assert error.code == "unexpected_end"


class TestNesting:
    """A million levels deep: refused by the limit, without recursion."""

    @pytest.mark.parametrize(
        "bomb",
        [b"\x79", b"\x71\x01a", b"\x57", b"\x55\x01a", b"H", b"M\x01t", b"\x58\x91", b"C\x01a\x91\x01f" + b"\x60"],
        ids=["short list", "typed short list", "list", "typed list", "map", "typed map", "fixed list", "object"],
    )
    def test_dubbo(self, bomb: bytes) -> None:
        body = dubbo_body(bomb * DEEP, "Ljava/lang/Object;", b"")
        frame = get_codec("dubbo").decode(dubbo_frame(0xC2, 0, 7, body))
        assert frame.metadata["method"] == "sayHello"
        for read in self.reads(frame):
            with pytest.raises(LimitExceeded) as caught:
                read()
            assert (caught.value.limit, caught.value.maximum) == ("max_nesting", 256)

    def test_dubbo_exceptions(self) -> None:
        frame = get_codec("dubbo").decode(dubbo_frame(0x02, 20, 7, b"\x90" + b"\x79" * DEEP))
        assert frame.kind is Kind.ERROR
        for read in (lambda: frame.metadata["exception"], lambda: dict(frame.metadata)):
            with pytest.raises(LimitExceeded):
                read()

    def test_dubbo_attachments(self) -> None:
        frame = get_codec("dubbo").decode(dubbo_frame(0xC2, 0, 7, dubbo_body(attachments=b"H\x01k" + b"\x79" * DEEP)))
        for read in self.reads(frame):
            with pytest.raises(LimitExceeded):
                read()

    def reads(self, frame: Frame) -> list[Callable[[], object]]:
        return [
            lambda: frame.metadata["group"],
            lambda: dict(frame.metadata),
            lambda: frame.codec.rewrite(frame, set={"group": "x"}),
        ]

    @pytest.mark.parametrize(
        ("protocol", "start", "bomb"),
        [
            ("binary", b"", b"\x0c\x00\x01"),
            ("binary", b"\x0f\x00\x01", b"\x0f\x00\x00\x00\x01"),
            ("binary", b"\x0d\x00\x01", b"\x03\x0d\x00\x00\x00\x01\x05"),
            ("compact", b"", b"\x1c"),
            ("compact", b"\x19", b"\x19"),
        ],
        ids=["structs", "lists", "maps", "compact structs", "compact lists"],
    )
    def test_thrift(self, protocol: str, start: bytes, bomb: bytes) -> None:
        message = thrift_message(protocol, 1, "a", 7, start + bomb * DEEP)
        error = fails("thrift", message)
        assert isinstance(error, LimitExceeded)
        assert (error.limit, error.maximum) == ("max_nesting", 256)
        # Framed, the struct is not walked until somebody asks for what lies behind it.
        frame = get_codec("thrift").decode(len(message).to_bytes(4, "big") + message)
        assert frame.metadata["method"] == "a"
        with pytest.raises(LimitExceeded):
            frame.metadata["arg.9"]

    def test_repr_stays_short(self) -> None:
        frame = get_codec("dubbo").decode(
            dubbo_frame(0xC2, 0, 7, dubbo_body(b"\x79" * DEEP, "Ljava/lang/Object;", b""))
        )
        assert "malformed" in repr(frame)
        assert len(repr(frame)) < 1000


class TestDirections:
    @pytest.mark.parametrize("dialect", THRIFTS, ids=lambda dialect: dialect.name)
    def test_the_wrong_side(self, dialect: Dialect) -> None:
        for data, direction in (
            (dialect.response(1, 1), REQUESTS),
            (dialect.error(1), REQUESTS),
            (dialect.request(1, 1), RESPONSES),
            (dialect.oneway(1), RESPONSES),
        ):
            error = fails("thrift", data, direction)
            assert error.code == "wrong_direction"
            assert "cannot come from this side of the connection" in str(error)

    def test_dubbo_may_call_back(self) -> None:
        for data in (DUBBO.request(1, 1), DUBBO.response(1, 1)):
            for direction in Direction:
                assert len(get_codec("dubbo").connection().feed(direction, data)) == 1


class TestAfterPoison:
    def test_no_byte_is_taken(self, dialect: Dialect) -> None:
        connection = dialect.codec().connection()
        with pytest.raises(DecodeError) as first:
            connection.feed(REQUESTS, dialect.request(1, 1) + dialect.garbage)
        offset = connection.offset(REQUESTS)
        assert offset == len(dialect.request(1, 1))
        for _ in range(100):
            with pytest.raises(DecodeError) as again:
                connection.feed(REQUESTS, bytes(MIB))
            assert str(again.value) == str(first.value)
        assert connection.offset(REQUESTS) == offset
        assert connection.missing(REQUESTS) == 0
        assert connection.head(REQUESTS) is None


class TestStrings:
    def test_text_that_is_not_utf8(self) -> None:
        body = b"".join(map(hessian_string, ("2.0.2", "a.B", "1.0"))) + b"\x02\xff\xfe"
        with pytest.raises(DecodeError) as caught:
            get_codec("dubbo").decode(dubbo_frame(0xC2, 0, 7, body)).metadata["method"]
        assert caught.value.code == "bad_encoding"

    def test_a_descriptor_that_no_jvm_writes(self) -> None:
        frame = get_codec("dubbo").decode(dubbo_frame(0xC2, 0, 7, dubbo_body(types="not a descriptor")))
        with pytest.raises(DecodeError) as caught:
            dict(frame.metadata)
        assert caught.value.code in ("bad_encoding", "bad_value")

    def test_references_to_nowhere(self) -> None:
        for nowhere in (b"\x60", b"O\xbf", b"\x71\xbf", b"M\xbf"):
            frame = get_codec("dubbo").decode(dubbo_frame(0xC2, 0, 7, dubbo_body(nowhere, "Ljava/lang/Object;")))
            with pytest.raises(DecodeError) as caught:
                dict(frame.metadata)
            assert caught.value.code in ("bad_value", "bad_encoding")

    def test_a_class_with_millions_of_fields(self) -> None:
        claim = b"C\x01aI\x7f\xff\xff\xff"
        frame = get_codec("dubbo").decode(dubbo_frame(0xC2, 0, 7, dubbo_body(claim, "Ljava/lang/Object;")))
        with pytest.raises(DecodeError) as caught:
            dict(frame.metadata)
        assert caught.value.code in ("unexpected_end", "bad_length", "limit_exceeded")

    def test_a_varint_without_end(self) -> None:
        message = b"\x82\x21" + b"\xff" * 20
        assert fails("thrift", message).code == "bad_encoding"

    def test_a_bomb_of_zlib(self) -> None:
        """A payload that inflates to far more than a frame may have."""
        data = thrift_wrap("header", "binary", b"", 7)[:12] + b"\x00\x01" + b"\x00\x01\x01\x00" + BOMB
        data = (len(data) - 4).to_bytes(4, "big") + data[4:]
        frame = get_codec("thrift").decode(data)
        assert frame.metadata["method"] == "a"
        with pytest.raises(LimitExceeded):
            frame.metadata["arg.2"]


def test_the_toy_is_held_to_it_as_well() -> None:
    with pytest.raises(LimitExceeded):
        TOY.codec().connection(limits=Limits(max_frame_len=20)).feed(REQUESTS, TOY.request(1, 100))
