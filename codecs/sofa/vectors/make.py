"""Makes the vectors of this folder: `make vectors` in the root, which puts `tests/` on Python's path."""

from __future__ import annotations

from kit import vector_files
from kit.protobuf_wire import field, message
from kit.vector_files import SERVER, Expected, Vectors

HELLO = field(1, "hello")


def header(meta_size: int, body_size: int, message_size: int | None = None) -> bytes:
    """The 24 bytes of a header."""
    both = meta_size + body_size if message_size is None else message_size
    return b"SOFA" + meta_size.to_bytes(4, "little") + body_size.to_bytes(8, "little") + both.to_bytes(8, "little")


def frame(meta: bytes, body: bytes = b"") -> bytes:
    """A header, a meta and a body."""
    return header(len(meta), len(body)) + meta + body


def expect(kind: str, request_id: int, meta: bytes, body: bytes, /, **fields: str | int) -> Expected:
    """What a decoder must give for one frame."""
    return vector_files.frame(kind, request_id, 24 + len(meta), 24 + len(meta) + len(body), fields)


def called(service: str, method: str) -> dict[str, str | int]:
    """The fields of a call."""
    return {"service": service, "interface": service, "method": method, "full_method": f"{service}.{method}"}


def make(vectors: Vectors) -> None:
    """Writes every vector."""
    server = {"direction": SERVER}
    meta = message(field(1, 0), field(2, 9), field(100, "example.EchoService.Echo"))
    echo = called("example.EchoService", "Echo")
    vectors.add("request", frame(meta, HELLO), expect("request", 9, meta, HELLO, **echo))
    meta = message(field(1, 1), field(2, 9), field(200, 0), field(201, 0), field(300, 0))
    vectors.add(
        "response",
        frame(meta, HELLO),
        expect("response", 9, meta, HELLO, failed=0, error_code=0, compress_type=0),
        **server,
    )
    meta = message(field(1, 1), field(2, 9), field(200, 1), field(201, 1001), field(202, "no route"))
    vectors.add(
        "error-reply",
        frame(meta),
        expect("error", 9, meta, b"", failed=1, error_code=1001, error_text="no route"),
        **server,
    )
    meta = message(field(1, 1), field(2, 2**64 - 1), field(201, -1))
    vectors.add("error-of-a-java-server", frame(meta), expect("error", 2**64 - 1, meta, b"", error_code=-1), **server)
    meta = message(field(1, 1), field(2, 3), field(200, 1))
    vectors.add("failed-without-a-code", frame(meta), expect("error", 3, meta, b"", failed=1), **server)
    # Writers of proto3 leave the type of requests out, which is 0.
    meta = message(field(2, 4), field(100, "Echo"), field(300, 3), field(301, 2), field(99, "later"))
    vectors.add(
        "no-type-and-no-service",
        frame(meta),
        expect(
            "request", 4, meta, b"", method="Echo", full_method="Echo", compress_type=3,
            expected_response_compress_type=2,
        ),
    )  # fmt: skip
    meta = message(field(1, 0), field(2, 1), field(100, "a.B.old"), field(2, 5), field(100, "größer.C.new"))
    told = expect("request", 5, meta, b"", **called("größer.C", "new"))
    # A walk visits both names, of which the last counts.
    vectors.add("two-in-a-row", frame(meta) * 2, told, told)

    vectors.add("http", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", error=("bad_magic", 0))
    vectors.add(
        "wrong-magic-behind-a-frame", frame(meta) + b"SOFT" + bytes(20), told, error=("bad_magic", 24 + len(meta))
    )
    vectors.add("sizes-do-not-add-up", header(4, 5, 10) + bytes(9), error=("bad_length", 16))
    vectors.add("sizes-that-overflow", header(8, 2**64 - 4, 4), error=("bad_length", 16))
    vectors.add("huge-body", header(0, 1 << 62), error=("limit_exceeded", 8))
    vectors.add("huge-meta", header(1 << 20, 0), error=("limit_exceeded", 4))
    vectors.add("endless-varint", frame(b"\x10" + b"\xff" * 11), error=("bad_encoding", 25))
    vectors.add("half-a-header", header(7, 2)[:7], missing=17)
    vectors.add("half-a-meta", frame(meta)[:-1], missing=1)
    vectors.add("half-a-body", frame(meta, HELLO)[:-3], missing=3)


if __name__ == "__main__":
    vector_files.main(make)
