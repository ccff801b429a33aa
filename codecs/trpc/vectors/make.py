"""Makes the vectors of this folder: `make vectors` in the root."""

from __future__ import annotations

from kit import vector_files
from kit.protobuf_wire import field, message, varint
from kit.vector_files import SERVER, Expected, Vectors

EXAMPLE = "an example of the protocol's description, computed there"
CALLER, CALLEE = "trpc.app.client.svc", "trpc.test.helloworld.Greeter"
FUNC = f"/{CALLEE}/SayHello"


def entry(number: int, key: str, value: bytes | str) -> bytes:
    """An entry of trans_info."""
    return field(number, message(field(1, key), field(2, value)))


def unary(header: bytes, body: bytes = b"", stream_id: int = 0, version: int = 1) -> bytes:
    """A call or its answer."""
    total = 16 + len(header) + len(body)
    fixed = b"\x09\x30\0\0" + total.to_bytes(4, "big") + len(header).to_bytes(2, "big")
    return fixed + stream_id.to_bytes(4, "big") + bytes([version, 0]) + header + body


def stream(frame_type: int, payload: bytes, stream_id: int = 100, version: int = 1) -> bytes:
    """A frame of a stream."""
    fixed = bytes([9, 0x30, 1, frame_type]) + (16 + len(payload)).to_bytes(4, "big") + b"\0\0"
    return fixed + stream_id.to_bytes(4, "big") + bytes([version, 0]) + payload


def func(service: str, method: str) -> dict[str, str]:
    """What a func tells."""
    return {"func": f"/{service}/{method}", "service": service, "method": method}


def request(request_id: int, header_len: int, body: int, kind: str = "request", **fields: object) -> Expected:
    """What a decoder must give for a request."""
    known = {
        "frame_type": "unary", "protocol_version": 1, "version": 0, "call_type": 0, "timeout": 0, "message_type": 0,
        "content_type": 0, "content_encoding": 0, "attachment_size": 0, "body_size": body,
    }  # fmt: skip
    size = 16 + header_len
    given = {**known, **fields}
    return vector_files.frame(kind, request_id, size, size + body + int(str(given["attachment_size"])), given)


def response(request_id: int, header_len: int, body: int, kind: str = "response", **fields: object) -> Expected:
    """What a decoder must give for a response."""
    told = request(request_id, header_len, body, kind, **{"ret": 0, "func_ret": 0, **fields})
    given = dict(told["fields"])
    del given["timeout"]
    return {**told, "fields": given}


def streamed(kind: str, frame_type: str, size: int, body: int = 0, stream_id: int = 100, **fields: object) -> Expected:
    """What a decoder must give for a frame of a stream."""
    known: dict[str, object] = {"frame_type": frame_type, "stream_id": stream_id, "protocol_version": 1}
    told = vector_files.frame(kind, None, 16 + size, 16 + size + body, {**known, **fields})
    return {**told, "stream_id": stream_id}


def examples(vectors: Vectors) -> None:
    """The examples of the protocol's description."""
    unary_request = bytes.fromhex(
        "09300000000000870073000000010100180120e8072a13747270632e6170702e636c69656e742e737663321c747270632e746573742e68"
        "656c6c6f776f726c642e477265657465723a262f747270632e746573742e68656c6c6f776f726c642e477265657465722f53617948656c"
        "6c6f4a110a086170702d757365721205616c6963650a026869"
    )
    called = {"timeout": 1000, "caller": CALLER, "callee": CALLEE, **func(CALLEE, "SayHello"), "app-user": "alice"}
    vectors.add("request", unary_request, request(1, 115, 4, **called), origin=EXAMPLE)
    mutated = bytes.fromhex(
        "09300000000000970083000000010100180120e8072a13747270632e6170702e636c69656e742e737663321c747270632e746573742e68"
        "656c6c6f776f726c642e477265657465723a262f747270632e746573742e68656c6c6f776f726c642e477265657465722f53617948656c"
        "6c6f4a110a086170702d757365721205616c6963654a0e0a0776657273696f6e12037631300a026869"
    )
    routed = {**called, "version": "v10"}
    vectors.add("request-with-a-version-in-trans-info", mutated, request(1, 131, 4, **routed), origin=EXAMPLE)
    refusal = bytes.fromhex("093000000000002000100000000000001801200b280b32086e6f20726f757465")
    refused = {"ret": 11, "func_ret": 11, "error_msg": "no route", "protocol_version": 0}
    vectors.add("error-reply", refusal, response(1, 16, 0, "error", **refused), origin=EXAMPLE, direction=SERVER)
    init = bytes.fromhex(
        "093001010000006d00000000006401000a570a13747270632e6170702e636c69656e742e737663121c747270632e746573742e68656c6c"
        "6f776f726c642e477265657465721a222f747270632e746573742e68656c6c6f776f726c642e477265657465722f4368617418ffff03"
    )
    content = {"content_type": 0, "content_encoding": 0}
    chat = {"caller": CALLER, "callee": CALLEE, **func(CALLEE, "Chat"), "message_type": 0}
    opened = streamed("stream_open", "init", 93, **chat, init_window_size=65535, **content)
    data = bytes.fromhex("093001020000001400000000006401000a026869")
    close = bytes.fromhex("09300104000000100000000000640100")
    reset = bytes.fromhex("093001040000001b00000000006401000801101f1a057265736574")
    ended = {"close_type": 0, "ret": 0, "func_ret": 0, "message_type": 0}
    vectors.add(
        "stream",
        init + data + close + reset,
        opened,
        streamed("stream_data", "data", 0, 4),
        streamed("stream_half_close", "close", 0, **ended),
        streamed("stream_close", "close", 11, **{**ended, "close_type": 1, "ret": 31, "error_msg": "reset"}),
        origin=EXAMPLE,
    )
    refusal = bytes.fromhex("093001010000001e0000000000640000120c080b12086e6f20726f757465")
    told = {"protocol_version": 0, "ret": 11, "error_msg": "no route", "init_window_size": 0, **content}
    vectors.add("stream-refused", refusal, streamed("error", "init", 14, **told), origin=EXAMPLE, direction=SERVER)


def calls(vectors: Vectors) -> None:
    """What else calls may be."""
    vectors.add("oneway", unary(field(2, 1) + field(3, 7), b"OK"), request(7, 4, 2, "oneway", call_type=1))
    vectors.add("empty-header-message", unary(b"", b"OK"), request(0, 0, 2))
    every = {
        "version": 1, "timeout": 4294967295, "message_type": 17, "content_type": 2, "content_encoding": 3,
        "attachment_size": 5,
    }  # fmt: skip
    header = (
        field(1, 1) + field(3, 4294967295) + field(4, 4294967295) + field(5, "a.b") + field(6, b"c\xff")
        + field(7, "plain") + field(8, 17) + entry(9, "trpc-env", "") + entry(9, "callee", "hidden")
        + field(9, field(2, b"\x00\x01")) + field(10, 2) + field(11, 3) + field(12, 5)
    )  # fmt: skip
    vectors.add(
        "every-field",
        unary(header, b"{}12345", version=0),
        request(4294967295, len(header), 2, **every, protocol_version=0, caller="a.b", callee="c\ufffd", func="plain",
                method="plain", **{"trpc-env": "", "trans_info.callee": "hidden", "": "\x00\x01"}),
    )  # fmt: skip
    header = (
        field(3, 5) + field(7, "/a.B/Old") + field(3, 6) + field(7, "/a.B/New") + entry(9, "k", "old")
        + entry(9, "k", "new") + field(3, (1 << 32) + 9) + field(3, "no number") + field(7, 1) + field(200, "unknown")
        + varint(201 << 3 | 1) + bytes(8) + varint(202 << 3 | 5) + bytes(4)
    )  # fmt: skip
    vectors.add("the-last-counts", unary(header), request(9, len(header), 0, **func("a.B", "New"), k="new"))
    header = field(3, 9) + field(9, 2) + entry(8, "app-seen", "yes") + field(12, 3)
    vectors.add(
        "response",
        unary(header, b'{"a":1}att', 9),
        response(9, len(header), 7, content_type=2, attachment_size=3, **{"app-seen": "yes"}),
        direction=SERVER,
    )
    header = field(3, 9) + field(5, -5) + field(6, "no such user")
    vectors.add(
        "function-failed",
        unary(header, stream_id=9),
        response(9, len(header), 0, "error", func_ret=-5, error_msg="no such user"),
        direction=SERVER,
    )
    header = field(3, 2) + field(4, 1 << 32)
    vectors.add("ret-of-64-bits-that-is-0", unary(header), response(2, len(header), 0), direction=SERVER)
    vectors.add(
        "two-in-a-row",
        unary(field(3, 1)) + unary(field(3, 2), b"x", 2),
        request(1, 2, 0),
        request(2, 2, 1),
    )


def streams(vectors: Vectors) -> None:
    """What else streams may be."""
    answer = field(2, b"") + field(3, 65535)
    content = {"content_type": 0, "content_encoding": 0}
    more = field(1, 40000)
    vectors.add(
        "stream-answered",
        stream(1, answer) + stream(3, more) + stream(2, b"") + stream(4, b""),
        streamed("response", "init", len(answer), ret=0, init_window_size=65535, **content),
        streamed("stream_data", "feedback", len(more), window_size_increment=40000),
        streamed("stream_data", "data", 0),
        streamed("stream_half_close", "close", 0, close_type=0, ret=0, func_ret=0, message_type=0),
        direction=SERVER,
    )
    twice = (
        field(1, field(1, "first") + field(3, "/a.B/Old") + entry(5, "k", "1"))
        + field(1, field(3, "/a.B/New") + entry(5, "l", "2")) + field(4, 2) + field(5, 1)
    )  # fmt: skip
    vectors.add(
        "init-in-two-parts",
        stream(1, twice, 4294967295, version=0),
        streamed("stream_open", "init", len(twice), stream_id=4294967295, protocol_version=0, caller="first",
                 **func("a.B", "New"), k="1", l="2", message_type=0, init_window_size=0, content_type=2,
                 content_encoding=1),
    )  # fmt: skip
    ended = field(1, 1) + field(3, "broken") + field(4, 1) + entry(5, "k", "v") + field(6, -1)
    vectors.add(
        "stream-failed",
        stream(4, ended),
        streamed("stream_close", "close", len(ended), close_type=1, ret=0, func_ret=-1, message_type=1,
                 error_msg="broken", k="v"),
        direction=SERVER,
    )  # fmt: skip


def broken(vectors: Vectors) -> None:
    """What is no frame, and what is none yet."""
    whole = unary(field(3, 1), b"hello")
    one = request(1, 2, 5)
    vectors.add("wrong-magic", b"\x09\x31" + whole[2:], error=("bad_magic", 0))
    vectors.add("wrong-magic-behind-a-frame", whole + b"GET", one, error=("bad_magic", len(whole)))
    vectors.add("unknown-frame-type", b"\x09\x30\x02\0" + whole[4:], error=("bad_value", 2))
    vectors.add("unknown-stream-frame-type", b"\x09\x30\x01\x05" + whole[4:], error=("bad_value", 3))
    vectors.add("no-stream-frame-type", b"\x09\x30\x01\0" + whole[4:], error=("bad_value", 3))
    vectors.add(
        "shorter-than-its-fixed-header", b"\x09\x30\0\0" + bytes([0, 0, 0, 15]) + whole[8:], error=("bad_length", 4)
    )
    vectors.add(
        "stream-shorter-than-its-fixed-header", stream(2, b"")[:7] + b"\x0f" + bytes(8), error=("bad_length", 4)
    )
    vectors.add("header-longer-than-its-frame", whole[:9] + b"\x09" + whole[10:], error=("bad_length", 8))
    vectors.add("over-the-limit", whole[:4] + b"\x04\0\0\x01" + whole[8:], error=("limit_exceeded", 4))
    vectors.add("attachment-longer-than-the-body", unary(field(12, 3), b"OK"), error=("bad_length", 18))
    vectors.add("number-without-end", unary(b"\x18" + b"\xff" * 11), error=("bad_encoding", 17))
    vectors.add("text-beyond-the-header", unary(b"\x2a\x7fabc", b"OK"), error=("unexpected_end", 18))
    vectors.add("text-of-2-to-the-64", unary(b"\x2a" + b"\xff" * 9 + b"\x01"), error=("unexpected_end", 27))
    vectors.add("group", unary(b"\x0b\x0c"), error=("bad_encoding", 16))
    vectors.add("broken-init", stream(1, field(1, b"\x0a\x05abc")), error=("unexpected_end", 20))
    vectors.add("broken-feedback", stream(3, b"\x08"), error=("unexpected_end", 17))
    vectors.add("broken-close", stream(4, b"\x08"), error=("unexpected_end", 17))
    vectors.add("half-a-fixed-header", whole[:9], missing=7)
    vectors.add("half-a-header-message", whole[:17], missing=1)
    vectors.add("half-a-body", whole[:-2], missing=2)
    vectors.add("half-an-init", stream(1, field(1, b"abc"))[:18], missing=3)


def make(vectors: Vectors) -> None:
    """Writes every vector."""
    examples(vectors)
    calls(vectors)
    streams(vectors)
    broken(vectors)


if __name__ == "__main__":
    vector_files.main(make)
