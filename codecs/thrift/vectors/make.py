"""Makes the vectors of this folder: `make vectors` in the root, which puts `tests/` on Python's path."""

from __future__ import annotations

import zlib

from kit import vector_files
from kit.vector_files import COMPUTED, SERVER, Expected, Vectors

EXAMPLE = "example of the project's wire reference, computed by hand from the protocol's description"
PROXY = "what MetaProtocol Proxy answers when it has no route, computed by hand from its encoder"


def i32(value: int) -> bytes:
    """A big-endian i32."""
    return value.to_bytes(4, "big", signed=True)


def framed(payload: bytes) -> bytes:
    """The framed transport."""
    return i32(len(payload)) + payload


def theader(data: bytes, payload: bytes, sequence_id: int = 1) -> bytes:
    """The header transport."""
    data += bytes(-len(data) % 4)
    return framed(b"\x0f\xff\0\0" + i32(sequence_id) + (len(data) // 4).to_bytes(2, "big") + data + payload)


def strict(kind: int, name: bytes, sequence_id: int, body: bytes) -> bytes:
    """A binary message."""
    return b"\x80\x01\0" + bytes([kind]) + i32(len(name)) + name + i32(sequence_id) + body


def old(kind: int, name: bytes, sequence_id: int, body: bytes) -> bytes:
    """A binary message without the version word."""
    return i32(len(name)) + name + bytes([kind]) + i32(sequence_id) + body


def compact(kind: int, name: bytes, sequence_id: bytes, body: bytes) -> bytes:
    """A compact message with a name below 128 bytes; the sequence id is given as a varint."""
    return bytes([0x82, kind << 5 | 1]) + sequence_id + bytes([len(name)]) + name + body


AERAKI = bytes.fromhex("0b000100000006") + b"aeraki\0"
AERAKI_COMPACT = b"\x18\x06aeraki\0"
HELLO = b"sayHello"


def frame(kind: str, request_id: int, header_len: int, frame_len: int, **fields: object) -> Expected:
    """A frame's expectations; `method_name` is the method unless it is given."""
    if "method_name" not in fields:
        fields["method_name"] = fields["method"]
    fields["seq_id"] = request_id
    return vector_files.frame(kind, request_id, header_len, frame_len, fields)


def call(request_id: int, header_len: int, frame_len: int, transport: str, protocol: str, **fields: object) -> Expected:
    """The expectations of a call."""
    fields = {"method": "sayHello", "message_type": "call", "transport": transport, "protocol": protocol} | fields
    return frame("request", request_id, header_len, frame_len, **fields)


HELLO_CALL = call(1, 24, 38, "framed", "binary")
COMPRESSED = zlib.compress(strict(1, HELLO, 1, AERAKI))


def make(vectors: Vectors) -> None:
    """Writes every vector."""
    vectors.add(
        "framed-binary-call",
        bytes.fromhex("00000022800100010000000873617948656c6c6f000000010b000100000006616572616b6900"),
        HELLO_CALL,
        origin=EXAMPLE,
    )
    vectors.add(
        "framed-binary-reply",
        bytes.fromhex("00000028800100020000000873617948656c6c6f000000010b00000000000c48656c6c6f20616572616b6900"),
        frame(
            "response",
            1,
            24,
            44,
            method="sayHello",
            message_type="reply",
            transport="framed",
            protocol="binary",
            reply_type="success",
        ),
        origin=EXAMPLE,
        direction=SERVER,
    )
    vectors.add(
        "framed-binary-exception",
        bytes.fromhex("0000002b800100030000000873617948656c6c6f000000010b0001000000086e6f20726f7574650800020000000600"),
        frame(
            "error",
            1,
            24,
            47,
            method="sayHello",
            message_type="exception",
            transport="framed",
            protocol="binary",
            exception_type=6,
            exception_message="no route",
        ),
        origin=PROXY,
        direction=SERVER,
    )
    vectors.add(
        "framed-compact-call",
        bytes.fromhex("000000158221010873617948656c6c6f1806616572616b6900"),
        call(1, 16, 25, "framed", "compact"),
        origin=EXAMPLE,
    )
    vectors.add(
        "header-binary-call",
        bytes.fromhex(
            "000000400fff00000000000100050000010106782d7573657205616c69636500"
            "0000800100010000000873617948656c6c6f000000010b000100000006616572"
            "616b6900"
        ),
        call(1, 54, 68, "header", "binary", **{"x-user": "alice"}),
        origin=EXAMPLE,
    )
    vectors.add(
        "unframed-binary-calls",
        strict(1, HELLO, 1, AERAKI) + strict(4, HELLO, -2, b"\0") + strict(1, HELLO, 3, AERAKI),
        call(1, 20, 34, "unframed", "binary"),
        frame(
            "oneway",
            -2,
            20,
            21,
            method="sayHello",
            message_type="oneway",
            transport="unframed",
            protocol="binary",
        ),
        call(3, 20, 34, "unframed", "binary"),
    )
    vectors.add(
        "unframed-compact-calls",
        compact(1, HELLO, b"\x01", AERAKI_COMPACT) + compact(1, HELLO, b"\xff\xff\xff\xff\x0f", b"\x11\x12\0"),
        call(1, 12, 21, "unframed", "compact"),
        call(-1, 16, 19, "unframed", "compact"),
    )
    vectors.add(
        "framed-old-binary-call-and-strict-one",
        framed(old(1, HELLO, 1, AERAKI)) + framed(strict(1, HELLO, 1, AERAKI)),
        call(1, 21, 35, "framed", "binary_old"),
        HELLO_CALL,
    )
    vectors.add(
        "unframed-old-binary-calls",
        old(1, b"add", 7, b"\x08\0\x01\0\0\0\x05\0") + old(1, HELLO, 8, AERAKI),
        call(7, 12, 20, "unframed", "binary_old", method="add"),
        call(8, 17, 31, "unframed", "binary_old"),
    )
    vectors.add(
        "header-zlib-call",
        theader(b"\0\x01\x01\x01\x01\x06X-User\x05alice", COMPRESSED),
        call(1, 34, 34 + len(COMPRESSED), "header", "binary", **{"x-user": "alice"}),
        origin=COMPUTED + "; compressed by zlib",
    )
    vectors.add(
        "header-compact-persistent-and-unknown-infos",
        theader(b"\x02\0\x02\x01\x01p\x01q\x01\x01\x06method\x01h\x07\x01\x01x", compact(1, HELLO, b"\x05", b"\0"), 9),
        call(5, 50, 51, "header", "compact", **{"p": "q", "header.method": "h"}),
    )
    vectors.add(
        "multiplexed-call",
        framed(strict(1, b"Greeter:say:it", 1, b"\0")),
        call(
            1,
            30,
            31,
            "framed",
            "binary",
            method="Greeter:say:it",
            service="Greeter",
            method_name="say:it",
        ),
    )
    vectors.add(
        "declared-exception",
        framed(strict(2, HELLO, 1, b"\x0c\0\x02\x08\0\x01\0\0\0\x05\0\0")),
        frame(
            "response",
            1,
            24,
            36,
            method="sayHello",
            message_type="reply",
            transport="framed",
            protocol="binary",
            reply_type="error",
            exception_field=2,
        ),
        direction=SERVER,
    )
    vectors.add(
        "void-reply-compact",
        framed(compact(2, b"ping", b"\x01", b"\0")),
        frame(
            "response",
            1,
            12,
            13,
            method="ping",
            message_type="reply",
            transport="framed",
            protocol="compact",
            reply_type="success",
        ),
        direction=SERVER,
    )
    vectors.add(
        "struct-shorter-than-its-frame",
        framed(strict(1, HELLO, 1, AERAKI + b"left over")),
        call(1, 24, 47, "framed", "binary"),
        origin=COMPUTED + "; the struct is not compared with the frame",
    )
    vectors.add(
        "wrong-magic-behind-a-frame",
        framed(strict(1, HELLO, 1, AERAKI)) + framed(b"\x80\x02" + strict(1, HELLO, 1, AERAKI)[2:]),
        HELLO_CALL,
        error=("bad_magic", 42),
    )
    vectors.add("http", b"GET / HTTP/1.1\r\n", error=("bad_magic", 0))
    vectors.add("json", b'[1,"sayHello",1,1,{}]', error=("unsupported", 0))
    vectors.add("json-framed", framed(b'[1,"sayHello",1,1,{}]'), error=("unsupported", 4))
    vectors.add("length-0", i32(0), error=("bad_length", 0))
    vectors.add("negative-length", i32(-5), error=("bad_length", 0))
    vectors.add("huge-length", i32(2**31 - 1), error=("limit_exceeded", 0))
    vectors.add(
        "header-only",
        framed(strict(1, HELLO, 1, b"")),
        origin=COMPUTED + "; the frame ends where the struct should begin",
        error=("unexpected_end", 24),
    )
    vectors.add(
        "name-beyond-the-frame",
        framed(b"\x80\x01\0\x01" + i32(30) + HELLO + i32(1) + b"\0"),
        error=("unexpected_end", 12),
    )
    vectors.add("reply-from-the-client", framed(strict(2, HELLO, 1, b"\0")), error=("wrong_direction", 7))
    vectors.add("unknown-message-type", framed(strict(5, HELLO, 1, b"\0")), error=("bad_value", 7))
    vectors.add(
        "header-size-0",
        framed(b"\x0f\xff\0\0" + i32(1) + b"\0\0" + strict(1, HELLO, 1, AERAKI)),
        error=("bad_length", 12),
    )
    vectors.add("header-snappy", theader(b"\0\x01\x03", b"compressed"), error=("unsupported", 16))
    vectors.add("unframed-unknown-field-type", strict(1, HELLO, 1, b"\x07\0\x01\0"), error=("bad_value", 20))
    vectors.add("half-a-head", framed(strict(1, HELLO, 1, AERAKI))[:12], missing=12)
    vectors.add("half-a-body", framed(strict(1, HELLO, 1, AERAKI))[:30], missing=8)
    vectors.add(
        "half-an-unframed-string",
        strict(1, HELLO, 1, AERAKI)[:29],
        origin=COMPUTED + "; the string and the stop behind it are certain",
        missing=5,
    )


if __name__ == "__main__":
    vector_files.main(make)
