"""Makes the vectors of this folder: `make vectors` in the root, which puts `tests/` on Python's path."""

from __future__ import annotations

from kit import vector_files
from kit.nshead import nshead
from kit.protobuf_wire import field
from kit.vector_files import SERVER, Expected, Vectors

HELLO = field(1, "hello")


def expect(kind: str, body_len: int, **fields: str | int) -> Expected:
    """What a decoder must give for one frame."""
    zeros = {"method": "0", "method_index": 0, "log_id": 0, "compress_type": 0, "nshead_id": 0, "nshead_version": 0}
    return vector_files.frame(kind, None, 36, 36 + body_len, {**zeros, **fields})


def make(vectors: Vectors) -> None:
    """Writes every vector."""
    server = {"direction": SERVER}
    call = nshead(HELLO, log_id=42, reserved=3)
    told = expect("request", 7, method="3", method_index=3, log_id=42)
    vectors.add("request", call, told)
    # A response has the header of its request.
    vectors.add("response", call, expect("response", 7, method="3", method_index=3, log_id=42), **server)
    vectors.add(
        "snappy",
        nshead(b"\x07\x18" + HELLO, version=1, log_id=2**32 - 1),
        expect("request", 9, compress_type=1, nshead_version=1, log_id=2**32 - 1),
    )
    # Such a stream is read, but not recognised by its front.
    vectors.add(
        "id-behind-a-frame",
        call + nshead(b"", nshead_id=2**16 - 1, reserved=2**32 - 1),
        told,
        expect("request", 0, nshead_id=2**16 - 1, method=str(2**32 - 1), method_index=2**32 - 1),
    )
    vectors.add(
        "provider",
        nshead(b"", provider=b"16 bytes of text", version=2),
        expect("request", 0, provider="16 bytes of text", nshead_version=2),
    )
    # All that is known of the provider is that it is no text of public_pbrpc.
    vectors.add(
        "provider-that-begins-alike", nshead(b"", provider=b"__pbrpc"), expect("request", 0, provider="__pbrpc")
    )
    vectors.add(
        "provider-that-goes-on", nshead(b"", provider=b"__pbrpc__2"), expect("request", 0, provider="__pbrpc__2")
    )
    vectors.add("two-in-a-row", call + call, told, told)

    vectors.add("http", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n\r\n\r\n", error=("bad_magic", 24))
    vectors.add("wrong-magic-behind-a-frame", call + nshead(b"", magic=1), told, error=("bad_magic", 67))
    vectors.add("negative-length", nshead(b"", body_len=2**32 - 1), error=("bad_length", 32))
    vectors.add("huge-length", nshead(b"", body_len=2**31 - 1), error=("limit_exceeded", 32))
    vectors.add("before-the-magic", call[:5], missing=23)
    vectors.add("behind-the-magic", call[:28], missing=8)
    vectors.add("half-a-body", call[:-3], missing=3)


if __name__ == "__main__":
    vector_files.main(make)
