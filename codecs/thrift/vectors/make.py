#!/usr/bin/env python3
"""Makes the vectors of this folder: `python3 make.py`, no arguments, no dependencies.

Each vector is `NNN-name.bin`, the bytes of one direction of a connection, and `NNN-name.json`:

    origin     where the bytes come from
    direction  client_to_server or server_to_client
    frames     what a decoder must give: kind, request_id, header_len, frame_len, and every field of the frame
    error      the code and the stream offset of the error behind the frames, if there is one
    missing    how many bytes the frame under way needs at least, if the bytes end within one

The expectations are written down here by hand from the description of the protocol; no decoder has made them.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path

HERE = Path(__file__).parent
EXAMPLE = "example of the project's wire reference, computed by hand from the protocol's description"
COMPUTED = "computed by hand from the protocol's description"
PROXY = "what MetaProtocol Proxy answers when it has no route, computed by hand from its encoder"

Expected = dict[str, object]


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
    return {
        "kind": kind,
        "request_id": request_id % 2**64,
        "header_len": header_len,
        "frame_len": frame_len,
        "fields": fields,
    }


def call(request_id: int, header_len: int, frame_len: int, transport: str, protocol: str, **fields: object) -> Expected:
    """The expectations of a call."""
    fields = {"method": "sayHello", "message_type": "call", "transport": transport, "protocol": protocol} | fields
    return frame("request", request_id, header_len, frame_len, **fields)


CLIENT, SERVER = "client_to_server", "server_to_client"
HELLO_CALL = call(1, 24, 38, "framed", "binary")
COMPRESSED = zlib.compress(strict(1, HELLO, 1, AERAKI))

VECTORS: list[tuple[str, str, str, bytes, Expected]] = [
    (
        "framed-binary-call",
        EXAMPLE,
        CLIENT,
        bytes.fromhex("00000022800100010000000873617948656c6c6f000000010b000100000006616572616b6900"),
        {"frames": [HELLO_CALL]},
    ),
    (
        "framed-binary-reply",
        EXAMPLE,
        SERVER,
        bytes.fromhex("00000028800100020000000873617948656c6c6f000000010b00000000000c48656c6c6f20616572616b6900"),
        {
            "frames": [
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
                )
            ]
        },
    ),
    (
        "framed-binary-exception",
        PROXY,
        SERVER,
        bytes.fromhex("0000002b800100030000000873617948656c6c6f000000010b0001000000086e6f20726f7574650800020000000600"),
        {
            "frames": [
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
                )
            ]
        },
    ),
    (
        "framed-compact-call",
        EXAMPLE,
        CLIENT,
        bytes.fromhex("000000158221010873617948656c6c6f1806616572616b6900"),
        {"frames": [call(1, 16, 25, "framed", "compact")]},
    ),
    (
        "header-binary-call",
        EXAMPLE,
        CLIENT,
        bytes.fromhex(
            "000000400fff00000000000100050000010106782d7573657205616c69636500"
            "0000800100010000000873617948656c6c6f000000010b000100000006616572"
            "616b6900"
        ),
        {"frames": [call(1, 54, 68, "header", "binary", **{"x-user": "alice"})]},
    ),
    (
        "unframed-binary-calls",
        COMPUTED,
        CLIENT,
        strict(1, HELLO, 1, AERAKI) + strict(4, HELLO, -2, b"\0") + strict(1, HELLO, 3, AERAKI),
        {
            "frames": [
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
            ]
        },
    ),
    (
        "unframed-compact-calls",
        COMPUTED,
        CLIENT,
        compact(1, HELLO, b"\x01", AERAKI_COMPACT) + compact(1, HELLO, b"\xff\xff\xff\xff\x0f", b"\x11\x12\0"),
        {"frames": [call(1, 12, 21, "unframed", "compact"), call(-1, 16, 19, "unframed", "compact")]},
    ),
    (
        "framed-old-binary-call-and-strict-one",
        COMPUTED,
        CLIENT,
        framed(old(1, HELLO, 1, AERAKI)) + framed(strict(1, HELLO, 1, AERAKI)),
        {"frames": [call(1, 21, 35, "framed", "binary_old"), HELLO_CALL]},
    ),
    (
        "unframed-old-binary-calls",
        COMPUTED,
        CLIENT,
        old(1, b"add", 7, b"\x08\0\x01\0\0\0\x05\0") + old(1, HELLO, 8, AERAKI),
        {
            "frames": [
                call(7, 12, 20, "unframed", "binary_old", method="add"),
                call(8, 17, 31, "unframed", "binary_old"),
            ]
        },
    ),
    (
        "header-zlib-call",
        COMPUTED + "; compressed by zlib",
        CLIENT,
        theader(b"\0\x01\x01\x01\x01\x06X-User\x05alice", COMPRESSED),
        {"frames": [call(1, 34, 34 + len(COMPRESSED), "header", "binary", **{"x-user": "alice"})]},
    ),
    (
        "header-compact-persistent-and-unknown-infos",
        COMPUTED,
        CLIENT,
        theader(b"\x02\0\x02\x01\x01p\x01q\x01\x01\x06method\x01h\x07\x01\x01x", compact(1, HELLO, b"\x05", b"\0"), 9),
        {"frames": [call(5, 50, 51, "header", "compact", **{"p": "q", "header.method": "h"})]},
    ),
    (
        "multiplexed-call",
        COMPUTED,
        CLIENT,
        framed(strict(1, b"Greeter:say:it", 1, b"\0")),
        {
            "frames": [
                call(
                    1,
                    30,
                    31,
                    "framed",
                    "binary",
                    method="Greeter:say:it",
                    service="Greeter",
                    method_name="say:it",
                )
            ]
        },
    ),
    (
        "declared-exception",
        COMPUTED,
        SERVER,
        framed(strict(2, HELLO, 1, b"\x0c\0\x02\x08\0\x01\0\0\0\x05\0\0")),
        {
            "frames": [
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
                )
            ]
        },
    ),
    (
        "void-reply-compact",
        COMPUTED,
        SERVER,
        framed(compact(2, b"ping", b"\x01", b"\0")),
        {
            "frames": [
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
                )
            ]
        },
    ),
    (
        "struct-shorter-than-its-frame",
        COMPUTED + "; the struct is not compared with the frame",
        CLIENT,
        framed(strict(1, HELLO, 1, AERAKI + b"left over")),
        {"frames": [call(1, 24, 47, "framed", "binary")]},
    ),
    (
        "wrong-magic-behind-a-frame",
        COMPUTED,
        CLIENT,
        framed(strict(1, HELLO, 1, AERAKI)) + framed(b"\x80\x02" + strict(1, HELLO, 1, AERAKI)[2:]),
        {"frames": [HELLO_CALL], "error": {"code": "bad_magic", "offset": 42}},
    ),
    ("http", COMPUTED, CLIENT, b"GET / HTTP/1.1\r\n", {"error": {"code": "bad_magic", "offset": 0}}),
    (
        "json",
        COMPUTED,
        CLIENT,
        b'[1,"sayHello",1,1,{}]',
        {"error": {"code": "unsupported", "offset": 0}},
    ),
    (
        "json-framed",
        COMPUTED,
        CLIENT,
        framed(b'[1,"sayHello",1,1,{}]'),
        {"error": {"code": "unsupported", "offset": 4}},
    ),
    ("length-0", COMPUTED, CLIENT, i32(0), {"error": {"code": "bad_length", "offset": 0}}),
    ("negative-length", COMPUTED, CLIENT, i32(-5), {"error": {"code": "bad_length", "offset": 0}}),
    ("huge-length", COMPUTED, CLIENT, i32(2**31 - 1), {"error": {"code": "limit_exceeded", "offset": 0}}),
    (
        "header-only",
        COMPUTED + "; the frame ends where the struct should begin",
        CLIENT,
        framed(strict(1, HELLO, 1, b"")),
        {"error": {"code": "unexpected_end", "offset": 24}},
    ),
    (
        "name-beyond-the-frame",
        COMPUTED,
        CLIENT,
        framed(b"\x80\x01\0\x01" + i32(30) + HELLO + i32(1) + b"\0"),
        {"error": {"code": "unexpected_end", "offset": 12}},
    ),
    (
        "reply-from-the-client",
        COMPUTED,
        CLIENT,
        framed(strict(2, HELLO, 1, b"\0")),
        {"error": {"code": "wrong_direction", "offset": 7}},
    ),
    (
        "unknown-message-type",
        COMPUTED,
        CLIENT,
        framed(strict(5, HELLO, 1, b"\0")),
        {"error": {"code": "bad_value", "offset": 7}},
    ),
    (
        "header-size-0",
        COMPUTED,
        CLIENT,
        framed(b"\x0f\xff\0\0" + i32(1) + b"\0\0" + strict(1, HELLO, 1, AERAKI)),
        {"error": {"code": "bad_length", "offset": 12}},
    ),
    (
        "header-snappy",
        COMPUTED,
        CLIENT,
        theader(b"\0\x01\x03", b"compressed"),
        {"error": {"code": "unsupported", "offset": 16}},
    ),
    (
        "unframed-unknown-field-type",
        COMPUTED,
        CLIENT,
        strict(1, HELLO, 1, b"\x07\0\x01\0"),
        {"error": {"code": "bad_value", "offset": 20}},
    ),
    ("half-a-head", COMPUTED, CLIENT, framed(strict(1, HELLO, 1, AERAKI))[:12], {"missing": 12}),
    ("half-a-body", COMPUTED, CLIENT, framed(strict(1, HELLO, 1, AERAKI))[:30], {"missing": 8}),
    (
        "half-an-unframed-string",
        COMPUTED + "; the string and the stop behind it are certain",
        CLIENT,
        strict(1, HELLO, 1, AERAKI)[:29],
        {"missing": 5},
    ),
]


def main() -> None:
    """Writes every vector and its expectations."""
    for number, (name, origin, direction, stream, expected) in enumerate(VECTORS, start=1):
        path = HERE / f"{number:03}-{name}"
        path.with_suffix(".bin").write_bytes(stream)
        expectations = {"origin": origin, "direction": direction, "frames": []} | expected
        path.with_suffix(".json").write_text(json.dumps(expectations, indent=2) + "\n")


if __name__ == "__main__":
    main()
