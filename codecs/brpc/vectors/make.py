"""Makes the vectors of this folder: `make vectors` in the root, which puts `tests/` on Python's path."""

from __future__ import annotations

from kit import vector_files
from kit.protobuf_wire import field, message
from kit.vector_files import SERVER, Expected, Vectors

JAVA = "as brpc-java 3.0.5 writes it, computed by hand from its meta"
SERVICE = "example.EchoService"
HELLO = field(1, "hello")


def frame(meta: bytes, body: bytes = b"", magic: bytes = b"PRPC") -> bytes:
    """A header, a meta and a body."""
    return header(len(meta) + len(body), len(meta), magic) + meta + body


def header(body_size: int, meta_size: int, magic: bytes = b"PRPC") -> bytes:
    """The 12 bytes of a header."""
    return magic + body_size.to_bytes(4, "big") + meta_size.to_bytes(4, "big")


def request(*more: bytes, correlation_id: int = 9, inner: bytes = b"") -> bytes:
    """The meta of a call of EchoService.Echo."""
    return message(field(1, message(field(1, SERVICE), field(2, "Echo"), inner)), field(4, correlation_id), *more)


def expect(kind: str, request_id: int | None, header_len: int, frame_len: int, /, **fields: str | int) -> Expected:
    """What a decoder must give for one frame. The id of a stream stands in the meta and beside the fields."""
    expected = vector_files.frame(kind, request_id, header_len, frame_len, fields)
    stream_id = fields.get("stream_id")
    return {**expected, "stream_id": stream_id % 2**64} if isinstance(stream_id, int) else expected


ECHO = {"service": SERVICE, "interface": SERVICE, "method": "Echo"}


def make(vectors: Vectors) -> None:
    """Writes every vector."""
    # The examples of the protocol's description, byte for byte.
    vectors.add(
        "request",
        bytes.fromhex(
            "505250430000002f000000280a240a136578616d706c652e4563686f53657276"
            "69636512044563686f182a3a057265712d3120090a0568656c6c6f"
        ),
        expect(
            "request", 9, 52, 59, **ECHO, log_id=42, request_id="req-1", **{"x-request-id": "req-1"}, payload_size=7
        ),
    )
    vectors.add(
        "response-with-attachment",
        bytes.fromhex("5052504300000010000000061200200928030a0568656c6c6f415454"),
        expect("response", 9, 18, 28, attachment_size=3, payload_size=7),
        direction=SERVER,
    )
    vectors.add(
        "error-reply",
        bytes.fromhex("505250430000001100000011120d08e90712086e6f20726f7574652009"),
        expect("error", 9, 29, 29, error_code=1001, error_text="no route", payload_size=0),
        direction=SERVER,
    )
    data = {"stream_id": 5, "source_stream_id": 6, "frame_type": "data", "has_continuation": 0}
    vectors.add(
        "stream-data",
        bytes.fromhex("5354524d0000000d0000000808051006180320006368756e6b"),
        expect("stream_data", None, 20, 25, **data),
    )

    # Every field of the metas.
    every = request(
        field(3, 1),
        field(5, 3),
        field(6, message(field(1, 70), field(2, 71))),
        field(7, "token"),
        field(9, message(field(1, "colour"), field(2, "blue"))),
        field(9, message(field(1, "leer"))),
        correlation_id=-2,
        inner=message(field(3, 42), field(4, -7), field(5, 8), field(6, 9), field(7, "req-1"), field(8, 500)),
    )
    vectors.add(
        "every-field",
        frame(every, HELLO + b"ATT"),
        expect(
            "request", -2, 12 + len(every), 12 + len(every) + 10, **ECHO, log_id=42, trace_id=-7, span_id=8,
            parent_span_id=9, request_id="req-1", **{"x-request-id": "req-1"}, timeout_ms=500, compress_type=1,
            attachment_size=3, payload_size=7, chunk_stream_id=70, chunk_id=71, authentication_data="token",
            authentication_size=5, colour="blue", leer="",
        ),
    )  # fmt: skip
    java = request(
        inner=message(field(3, 4), field(7, message(field(1, "group"), field(2, "blue"))), field(7, field(1, "empty")))
    )
    vectors.add(
        "fields-of-java-users",
        frame(java, HELLO),
        expect("request", 9, 12 + len(java), 19 + len(java), **ECHO, log_id=4, group="blue", empty="", payload_size=7),
        origin=JAVA,
    )
    failed = message(field(2, message(field(1, -1), field(2, "Fehler: größer"))), field(4, 9), field(3, 0))
    vectors.add(
        "negative-error-code",
        frame(failed),
        expect(
            "error", 9, 12 + len(failed), 12 + len(failed), error_code=-1, error_text="Fehler: größer",
            compress_type=0, payload_size=0,
        ),
        direction=SERVER,
    )  # fmt: skip
    hidden = request(field(9, message(field(1, "method"), field(2, "Other"))), field(9, field(2, "no name")))
    vectors.add(
        "user-fields-hide-nothing",
        frame(hidden),
        expect("request", 9, 12 + len(hidden), 12 + len(hidden), **ECHO, **{"": "no name"}, payload_size=0),
    )
    again = message(
        field(4, 1), field(1, message(field(1, "a.A"), field(2, "old"), field(3, 1))), field(4, 2),
        field(1, message(field(2, "new"))),
    )  # fmt: skip
    vectors.add(
        "fields-that-come-again",
        frame(again),
        expect(
            "request", 2, 12 + len(again), 12 + len(again), service="a.A", interface="a.A", method="new", log_id=1,
            payload_size=0,
        ),
    )  # fmt: skip
    unknown = request(field(100, "later"), b"\xa9\x068 bytes!", b"\xad\x064byt")
    vectors.add(
        "unknown-fields",
        frame(unknown, HELLO),
        expect("request", 9, 12 + len(unknown), 19 + len(unknown), **ECHO, payload_size=7),
    )

    # Streams.
    opening = request(field(8, message(field(1, 5), field(2, 1), field(3, 1))))
    vectors.add(
        "request-that-opens-a-stream",
        frame(opening, HELLO),
        expect(
            "stream_open", 9, 12 + len(opening), 19 + len(opening), **ECHO, stream_id=5, need_feedback=1, writable=1,
            payload_size=7,
        ),
    )  # fmt: skip
    opened = message(field(2, b""), field(4, 9), field(8, message(field(1, 6), field(3, 1))))
    inner = frame(opened, HELLO)
    vectors.add(
        "response-that-opens-a-stream",
        inner,
        expect("response", 9, 12 + len(opened), len(inner), stream_id=6, writable=1, payload_size=7),
        direction=SERVER,
    )
    # Without the request before it, the response in a frame of the stream is data like any other.
    meta = message(field(1, 5), field(2, 6), field(3, 3), field(4, 0))
    vectors.add(
        "response-within-a-stream",
        frame(meta, inner, b"STRM"),
        expect("stream_data", None, 12 + len(meta), 12 + len(meta) + len(inner), **data),
        direction=SERVER,
    )
    frames, expected = b"", []
    for kind, more, told in (
        ("stream_data", field(3, 3) + field(4, 1), {"frame_type": "data", "has_continuation": 1}),
        ("stream_data", field(3, 4) + field(5, field(1, 1234)), {"frame_type": "feedback", "consumed_size": 1234}),
        ("stream_half_close", field(3, 2), {"frame_type": "close"}),
        ("stream_close", field(3, 1), {"frame_type": "rst"}),
        ("control", field(3, 0), {"frame_type": "unknown"}),
        ("control", field(3, 9), {"frame_type": "9"}),
        ("control", b"", {}),
    ):
        meta = field(1, -5) + more
        frames += frame(meta, magic=b"STRM")
        expected.append(expect(kind, None, 12 + len(meta), 12 + len(meta), stream_id=-5, **told))
    vectors.add("stream-frames", frames, *expected)
    vectors.add(
        "stream-frame-of-no-stream", frame(b"", b"x", b"STRM"), expect("control", None, 12, 13), origin="made up"
    )

    # By the direction alone.
    vectors.add("empty-meta-of-a-client", frame(b""), expect("request", 0, 12, 12, payload_size=0), origin="made up")
    reply, told = frame(field(4, 1), HELLO), expect("request", 1, 14, 21, payload_size=7)
    vectors.add("two-in-a-row", reply + reply, told, told)

    # What is wrong.
    vectors.add("http", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", error=("bad_magic", 0))
    vectors.add("wrong-magic-behind-a-frame", reply + b"PRPD" + bytes(8), told, error=("bad_magic", 21))
    vectors.add("meta-longer-than-body", header(4, 5) + bytes(5), error=("bad_length", 8))
    vectors.add("attachment-longer-than-body", frame(request(field(5, 8)), HELLO), error=("bad_length", 43))
    vectors.add("negative-attachment", frame(request(field(5, -1)), HELLO), error=("bad_length", 43))
    vectors.add("huge-body", header(2**32 - 1, 16), error=("limit_exceeded", 4))
    vectors.add("huge-meta", header(1 << 20, 1 << 20), error=("limit_exceeded", 8))
    vectors.add("endless-varint", frame(b"\x20" + b"\xff" * 11), error=("bad_encoding", 13))
    vectors.add("field-beyond-the-meta", frame(b"\x0a\x7f", bytes(200)), error=("unexpected_end", 14))
    vectors.add("group", frame(b"\x0b\x0c"), error=("bad_encoding", 12))
    vectors.add("broken-response-meta", frame(field(2, b"\x08")), error=("unexpected_end", 15), direction=SERVER)
    vectors.add("half-a-header", header(7, 2)[:7], missing=5)
    vectors.add("half-a-meta", frame(request(), HELLO)[:20], missing=23)
    vectors.add("half-a-body", reply[:-3], missing=3)


if __name__ == "__main__":
    vector_files.main(make)
