"""Makes the vectors of this folder: `make vectors` in the root, which puts `tests/` on Python's path."""

from __future__ import annotations

from kit import vector_files
from kit.nshead import nshead
from kit.protobuf_wire import field, message, zigzag
from kit.vector_files import SERVER, Expected, Vectors

HELLO = field(1, "hello")
PROVIDER = b"__pbrpc__"


def frame(*fields: bytes, log_id: int = 42) -> bytes:
    """A message behind nshead."""
    return nshead(message(*fields), version=1000, log_id=log_id, provider=PROVIDER)


def expect(kind: str, request_id: int | None, data: bytes, /, **fields: str | int) -> Expected:
    """What a decoder must give for one frame."""
    of_header = {"nshead_id": 0, "nshead_version": 1000, "nshead_log_id": 42, "provider": "__pbrpc__"}
    return vector_files.frame(kind, request_id, 36, len(data), {**of_header, **fields})


def call(*head: bytes, request_id: int = 9, more: bytes = b"") -> bytes:
    """A call of the second method of EchoService."""
    body = message(
        *(field(1, "pbrpc=1.0"), field(2, "utf-8"), field(3, "EchoService"), field(4, 1), field(5, request_id)),
        field(6, HELLO),
    )
    return frame(field(1, message(*head)), field(2, body), more)


ECHO = {
    "service": "EchoService", "interface": "EchoService", "method": "1", "method_index": 1, "version": "pbrpc=1.0",
    "payload_size": 7,
}  # fmt: skip


def make(vectors: Vectors) -> None:
    """Writes every vector."""
    server = {"direction": SERVER}
    every = call(
        *(field(1, "127.0.0.1"), field(2, 1), field(3, 1), field(4, "utf-8"), field(5, "gbk")),
        *(field(6, "20260101120000"), field(7, 2**64 - 1), field(8, 1), field(99, "later")),
    )
    vectors.add(
        "request",
        every,
        expect(
            "request", 9, every, **ECHO, from_host="127.0.0.1", content_type=1, keep_alive=1, charset="utf-8",
            accept_charset="gbk", create_time="20260101120000", log_id=2**64 - 1, compress_type=1,
        ),
    )  # fmt: skip
    answer = frame(
        field(1, message(field(1, 0), field(2, "success"), field(3, "127.0.0.1"), field(4, 0))),
        field(2, message(field(1, HELLO), field(2, "pbrpc=1.0"), field(4, 9))),
    )
    vectors.add(
        "response",
        answer,
        expect(
            "response", 9, answer, error_code=0, error_text="success", from_host="127.0.0.1", compress_type=0,
            version="pbrpc=1.0", payload_size=7,
        ),
        **server,
    )  # fmt: skip
    failed = frame(
        field(1, message(field(1, zigzag(1001)), field(2, "no route"))), field(2, message(field(2, "x"), field(4, 9)))
    )
    vectors.add(
        "error-reply",
        failed,
        expect("error", 9, failed, error_code=1001, error_text="no route", version="x"),
        **server,
    )
    failed = frame(field(1, field(1, zigzag(-1))), field(2, message(field(3, 5), field(4, 2**64 - 1))))
    vectors.add(
        "negative-error-code", failed, expect("error", 2**64 - 1, failed, error_code=-1, body_error=5), **server
    )
    # Of several bodies the first counts.
    twice = call(more=field(2, message(field(3, "Other"), field(5, 10))))
    vectors.add("second-body", twice, expect("request", 9, twice, **ECHO))
    empty = frame(field(1, field(1, "127.0.0.1")))
    vectors.add("no-body", empty, expect("request", None, empty, from_host="127.0.0.1"))
    plain = call(request_id=7)
    told = expect("request", 7, plain, **ECHO)
    vectors.add("two-in-a-row", plain * 2, told, told)

    vectors.add("http", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n\r\n\r\n", error=("bad_magic", 24))
    vectors.add(
        "wrong-magic-behind-a-frame",
        plain + nshead(b"", magic=1, provider=PROVIDER),
        told,
        error=("bad_magic", len(plain) + 24),
    )
    vectors.add("negative-length", nshead(b"", provider=PROVIDER, body_len=2**32 - 1), error=("bad_length", 32))
    vectors.add("huge-length", nshead(b"", provider=PROVIDER, body_len=2**31 - 1), error=("limit_exceeded", 32))
    vectors.add("no-message", frame(b"\xff" * 12), error=("bad_encoding", 36))
    vectors.add("field-beyond-the-message", frame(b"\x12\x7f"), error=("unexpected_end", 38))
    vectors.add("before-the-magic", plain[:5], missing=23)
    vectors.add("behind-the-magic", plain[:28], missing=8)
    vectors.add("half-a-message", plain[:-3], missing=3)


if __name__ == "__main__":
    vector_files.main(make)
