"""Makes the vectors of this folder: `make vectors` in the root, which puts `tests/` on Python's path."""

from __future__ import annotations

from kit import vector_files
from kit.protobuf_wire import field, message, zigzag
from kit.vector_files import SERVER, Expected, Vectors

HELLO = field(1, "hello")


def header(body_size: int, meta_size: int) -> bytes:
    """The 12 bytes of a header."""
    return b"HULU" + body_size.to_bytes(4, "little") + meta_size.to_bytes(4, "little")


def frame(meta: bytes, body: bytes = b"") -> bytes:
    """A header, a meta and a body."""
    return header(len(meta) + len(body), len(meta)) + meta + body


def expect(kind: str, request_id: int, meta: bytes, body: bytes, /, **fields: str | int) -> Expected:
    """What a decoder must give for one frame."""
    return vector_files.frame(kind, request_id, 12 + len(meta), 12 + len(meta) + len(body), fields)


ECHO = {"service": "EchoService", "interface": "EchoService"}


def request(*more: bytes, correlation_id: int = 9) -> bytes:
    """The meta of a call of the second method of EchoService."""
    return message(field(1, "EchoService"), field(2, 1), field(4, correlation_id), *more)


def make(vectors: Vectors) -> None:
    """Writes every vector."""
    server = {"direction": SERVER}
    meta = request()
    index = {**ECHO, "method_index": 1, "method": "1"}
    vectors.add("request", frame(meta, HELLO), expect("request", 9, meta, HELLO, **index, payload_size=7))
    meta = message(field(1, 0), field(3, zigzag(9)), field(4, 0))
    vectors.add(
        "response",
        frame(meta, HELLO),
        expect("response", 9, meta, HELLO, error_code=0, compress_type=0, payload_size=7),
        **server,
    )
    meta = message(field(1, 1001), field(2, "no route"), field(3, zigzag(9)))
    vectors.add(
        "error-reply",
        frame(meta),
        expect("error", 9, meta, b"", error_code=1001, error_text="no route", payload_size=0),
        **server,
    )
    meta = request(
        *(field(3, 2), field(5, 42), field(6, message(field(1, 70), field(2, 71))), field(7, -7), field(8, 9)),
        *(field(9, 8), field(10, 1), field(11, "data"), field(12, 7), field(13, 127), field(14, "Echo")),
        *(field(15, "token"), field(16, message(field(1, "colour"), field(2, "blue"))), field(16, field(1, "leer"))),
        correlation_id=-2,
    )
    every = {
        **ECHO, "method": "Echo", "method_index": 1, "compress_type": 2, "log_id": 42, "chunk_stream_id": 70,
        "chunk_id": 71, "trace_id": -7, "span_id": 8, "parent_span_id": 9, "talk_type": 1, "user_data": "data",
        "source_addr": 127, "authentication_data": "token", "authentication_size": 5, "colour": "blue", "leer": "",
        "attachment_size": 3, "payload_size": 7,
    }  # fmt: skip
    vectors.add("every-field", frame(meta, HELLO + b"ATT"), expect("request", -2, meta, HELLO + b"ATT", **every))
    meta = message(
        *(field(1, -1), field(2, "größer"), field(3, zigzag(-2)), field(4, 1), field(6, 0), field(7, "data")),
        *(field(5, message(field(1, 70), field(2, 71))), field(8, 0), field(9, 127)),
    )
    vectors.add(
        "every-field-of-a-response",
        frame(meta, b"ATT"),
        expect(
            "error", -2, meta, b"ATT", error_code=-1, error_text="größer", compress_type=1, talk_type=0,
            user_data="data", chunk_stream_id=70, chunk_id=71, source_addr=127, attachment_size=3, payload_size=0,
        ),
        **server,
    )  # fmt: skip
    meta = field(3, zigzag(2**63 - 1))
    vectors.add(
        "response-without-a-code", frame(meta), expect("response", 2**63 - 1, meta, b"", payload_size=0), **server
    )
    meta = request(field(16, message(field(1, "method_index"), field(2, "7"))), field(99, "later"))
    told = expect("request", 9, meta, b"", **index, payload_size=0)
    vectors.add("two-in-a-row", frame(meta) * 2, told, told)

    vectors.add("http", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", error=("bad_magic", 0))
    vectors.add(
        "wrong-magic-behind-a-frame", frame(meta) + b"HULK" + bytes(8), told, error=("bad_magic", 12 + len(meta))
    )
    vectors.add("big-endian-sizes", b"HULU" + bytes([0, 0, 0, 9, 0, 0, 0, 9]), error=("limit_exceeded", 4))
    vectors.add("meta-longer-than-body", header(4, 5) + bytes(5), error=("bad_length", 8))
    meta = request(field(12, 8))
    vectors.add("message-longer-than-body", frame(meta, HELLO), error=("bad_length", 12 + len(meta) - 2))
    vectors.add("huge-meta", header(1 << 20, 1 << 20), error=("limit_exceeded", 8))
    vectors.add("endless-varint", frame(b"\x20" + b"\xff" * 11), error=("bad_encoding", 13))
    vectors.add("half-a-header", header(7, 2)[:7], missing=5)
    meta = request()
    vectors.add("half-a-meta", frame(meta)[:-1], missing=1)
    vectors.add("half-a-body", frame(meta, HELLO)[:-3], missing=3)


if __name__ == "__main__":
    vector_files.main(make)
