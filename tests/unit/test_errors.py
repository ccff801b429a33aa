"""Errors are for people and for programs: what, where, what to do; and each code can be met."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from kit.dialects import DUBBO, THRIFTS, Dialect, dubbo_frame, thrift_message, thrift_wrap
from kit.plugins import bad_codecs

from metaprotocol import (
    DecodeError,
    Direction,
    EncodeError,
    IncompleteFrame,
    InvalidCodec,
    LimitExceeded,
    Limits,
    MetaProtocolError,
    UnknownCodec,
    get_codec,
)
from metaprotocol._native import compile_codec

REQUESTS = Direction.CLIENT_TO_SERVER
RESPONSES = Direction.SERVER_TO_CLIENT
CORE = Path(__file__).parents[2] / "native" / "core" / "src"
FRAMED = THRIFTS[0]


def codes() -> list[str]:
    """All codes of the core."""
    source = (CORE / "error.rs").read_text(encoding="utf-8")
    [body] = re.findall(r"pub const CODES: \[&'static str; \d+\] = \[(.*?)\];", source, re.DOTALL)
    return re.findall(r'"(\w+)"', body)


def framed(message: bytes) -> bytes:
    return len(message).to_bytes(4, "big") + message


SUMMED = compile_codec(
    "{metaprotocol: 1, name: summed, frame: {fixed: 3}, header: [{name: a, type: u16}],"
    " trailer: [{name: sum, type: u8, checksum: {algorithm: sum8, over: header}}]}",
    "summed.yaml",
)

# Bytes that provoke each code, and the offset of the place.
PROVOKED: dict[str, tuple[Callable[[], object], int]] = {
    "bad_magic": (lambda: get_codec("dubbo").split(b"GET / HTTP/1.1\r\n"), 0),
    "bad_length": (lambda: get_codec("dubbo").split(DUBBO.request(1, 1)[:12] + b"\xff" * 4), 12),
    "bad_value": (lambda: get_codec("dubbo").split(b"\xda\xbb\x02\x15"), 3),
    "bad_encoding": (
        lambda: dict(get_codec("dubbo").decode(dubbo_frame(0xC2, 0, 1, b"\x03\xff\xfe\xfd")).metadata),
        17,
    ),
    "unexpected_end": (lambda: dict(get_codec("dubbo").decode(dubbo_frame(0xC2, 0, 1, b"\x05ab")).metadata), 16),
    "unsupported": (
        lambda: get_codec("thrift").connection().feed(REQUESTS, b'[1,"ping",1,0,{}]'),
        0,
    ),
    "wrong_direction": (lambda: get_codec("thrift").connection().feed(REQUESTS, FRAMED.response(1, 1)), 7),
    "trailing_bytes": (lambda: get_codec("dubbo").decode(DUBBO.request(1, 1) + b"more"), len(DUBBO.request(1, 1))),
    "invalid_codec": (lambda: bad_codecs()["split_kind"].split(b"\x04abc"), 0),
    "bad_checksum": (lambda: SUMMED.split(b"\x01\x02\x04"), 2),
    "limit_exceeded": (lambda: get_codec("dubbo").split(DUBBO.request(1, 1)[:12] + b"\x7f\0\0\0"), 12),
}


class TestCodes:
    def test_each_is_provoked_by_a_test(self) -> None:
        assert sorted(PROVOKED) == sorted(codes())

    @pytest.mark.parametrize("code", PROVOKED)
    def test_it_can_be_met(self, code: str) -> None:
        provoke, offset = PROVOKED[code]
        if code == "invalid_codec":  # the codec's fault, not that of the bytes
            with pytest.raises(InvalidCodec, match=f"at offset {offset}: the codec failed: split gave a kind"):
                provoke()
            return
        with pytest.raises(DecodeError) as caught:
            provoke()
        error = caught.value
        assert error.code == code
        assert error.offset == offset
        assert f"[{error.protocol}.{code}]" in str(error)
        assert error.reason in str(error)
        assert isinstance(error, LimitExceeded) == (code == "limit_exceeded")
        assert error.excerpt_offset <= error.offset <= error.excerpt_offset + len(error.excerpt)


class TestPickle:
    def errors(self) -> list[MetaProtocolError]:
        found: list[MetaProtocolError] = [
            IncompleteFrame("dubbo", 5, 3, 100),
            EncodeError("dubbo", "cannot be", "key"),
            UnknownCodec("duboo", ["dubbo"]),
            InvalidCodec("not a codec"),
            MetaProtocolError("plain"),
        ]
        for provoke, _ in PROVOKED.values():
            with pytest.raises((DecodeError, InvalidCodec)) as caught:
                provoke()
            found.append(caught.value)
        return found

    @pytest.mark.parametrize("again", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy])
    def test_errors_travel(self, again: Callable[[MetaProtocolError], MetaProtocolError]) -> None:
        for error in self.errors():
            other = again(error)
            assert type(other) is type(error)
            assert str(other) == str(error)
            public = {key: value for key, value in vars(error).items() if key not in {"frames", "__notes__"}}
            assert {key: value for key, value in vars(other).items() if key in public} == public
            assert getattr(other, "__notes__", None) == getattr(error, "__notes__", None)

    def test_frames_stay_behind(self, dialect: Dialect) -> None:
        with pytest.raises(DecodeError) as caught:
            dialect.codec().connection().feed(REQUESTS, dialect.request(1, 1) + dialect.garbage)
        assert len(caught.value.frames) == 1
        assert len(pickle.loads(pickle.dumps(caught.value)).frames) == 0


class TestMessages:
    def test_a_decode_error_tells_all(self) -> None:
        stream = DUBBO.request(1, 40) + b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"
        with pytest.raises(DecodeError) as caught:
            get_codec("dubbo").connection().feed(REQUESTS, stream)
        error = caught.value
        offset = len(DUBBO.request(1, 40))
        assert (error.protocol, error.direction, error.offset) == ("dubbo", REQUESTS, offset)
        assert str(error) == (
            f"dubbo: at client_to_server offset {offset}: magic is 0x47, must be 0xda; is this another protocol? "
            "[dubbo.bad_magic]"
        )
        assert error.hexdump.splitlines() == [
            f"> {offset:08x}  47 45 54 20 2f 20 48 54 54 50 2f 31 2e 31 0d 0a  GET / HTTP/1.1..",
            f"  {offset + 16:08x}  48 6f 73 74 3a 20 65 78 61 6d 70 6c 65 2e 6f 72  Host: example.or",
            f"  {offset + 32:08x}  67 0d 0a 0d 0a{'':33}  g....",
        ]

    def test_the_hexdump_starts_before_the_place(self) -> None:
        header = DUBBO.request(1, 1)[:12] + b"\xff\xff\xff\xfe"
        with pytest.raises(DecodeError) as caught:
            get_codec("dubbo").connection().feed(RESPONSES, header)
        error = caught.value
        assert error.direction is RESPONSES
        assert (error.offset, error.excerpt_offset) == (12, 0)
        assert "body length is -2, which no message can have" in str(error)
        assert error.hexdump.startswith("> 00000000  da bb")

    def test_no_direction_where_it_does_not_matter(self) -> None:
        with pytest.raises(DecodeError) as caught:
            get_codec("dubbo").decode(b"GET / HTTP/1.1\r\n")
        assert caught.value.direction is None
        assert "at offset 0:" in str(caught.value)

    def test_the_place_in_a_body_counts_from_the_stream(self) -> None:
        broken = dubbo_frame(0xC2, 0, 2, b"\x05ab")
        connection = get_codec("dubbo").connection()
        [_, frame] = connection.feed(REQUESTS, DUBBO.request(1, 1) + broken)
        with pytest.raises(DecodeError) as caught:
            dict(frame.metadata)
        assert caught.value.offset == len(DUBBO.request(1, 1)) + 16
        assert caught.value.excerpt_offset >= len(DUBBO.request(1, 1))
        assert caught.value.direction is REQUESTS

    def test_limits_say_what_to_raise(self) -> None:
        with pytest.raises(LimitExceeded) as caught:
            get_codec("dubbo").decode(DUBBO.request(1, 1000), limits=Limits(max_frame_len=500))
        error = caught.value
        assert (error.limit, error.value, error.maximum) == ("max_frame_len", len(DUBBO.request(1, 1000)), 500)
        assert "is over the limit of 500; raise Limits.max_frame_len" in str(error)

    def test_incomplete_frames_say_how_much(self) -> None:
        message = DUBBO.request(1, 1)
        with pytest.raises(IncompleteFrame) as caught:
            get_codec("dubbo").decode(message[:-3])
        error = caught.value
        assert (error.protocol, error.missing, error.have, error.offset) == ("dubbo", 3, len(message) - 3, 0)
        assert str(error) == f"dubbo: the frame at offset 0 has {len(message) - 3} bytes and needs at least 3 more"

    def test_edits_say_which_key(self) -> None:
        codec = get_codec("dubbo")
        with pytest.raises(EncodeError) as caught:
            codec.rewrite(codec.decode(DUBBO.request(1, 1)), set={"status": 5})
        assert (caught.value.protocol, caught.value.key) == ("dubbo", "status")
        assert '"status" cannot be written' in str(caught.value)


class TestPlaces:
    """Errors name the byte that is wrong, in Thrift's many shapes too."""

    @pytest.mark.parametrize(
        ("stream", "code", "offset"),
        [
            (framed(b"\x80\x02\x00\x01\x00\x00\x00\x01a\x00\x00\x00\x01\x00"), "bad_magic", 4),
            (framed(b"\x80\x01\x00\x07\x00\x00\x00\x01a\x00\x00\x00\x01\x00"), "bad_value", 7),
            (framed(b"\x80\x01\x00\x01\xff\xff\xff\xff\x00\x00\x00\x01\x00"), "bad_length", 8),
            (framed(b"\x80\x01\x00\x01\x00\x00\x00\x7fa\x00\x00\x00\x01\x00"), "unexpected_end", None),
            (b"\x00\x00\x00\x00\x80\x01\x00\x01", "bad_length", 0),
            (b"\xff\xff\xff\xff\x80\x01\x00\x01", "bad_length", 0),
            (b"\x7f\xff\xff\xff\x80\x01\x00\x01", "limit_exceeded", 0),
            (thrift_wrap("header", "binary", b"\0" * 20, 1)[:12] + b"\0\0" + b"\0" * 20, "bad_length", 12),
        ],
    )
    def test_thrift(self, stream: bytes, code: str, offset: int | None) -> None:
        with pytest.raises(DecodeError) as caught:
            get_codec("thrift").connection().feed(REQUESTS, stream)
        assert caught.value.code == code
        if offset is not None:
            assert caught.value.offset == offset

    def test_a_response_where_requests_belong(self) -> None:
        call = thrift_wrap("framed", "binary", thrift_message("binary", 1, "a", 1, b"\0"), 1)
        with pytest.raises(DecodeError, match="cannot come from this side"):
            get_codec("thrift").connection().feed(RESPONSES, call)
