"""Makes the vectors of this folder: `make vectors` in the root, which puts `tests/` on Python's path."""

from __future__ import annotations

from kit import vector_files
from kit.vector_files import SERVER, Expected, Vectors

EXAMPLE = "an example of the protocol's description, computed there"
NAMES = {1: "vs", 3: "vs", 4: "vz", 6: "vz", 5: "us", 7: "us", 8: "uk", 10: "uk", 9: "vk", 11: "vk"}


def packet(kind: int, attrs: int, body: bytes = b"") -> bytes:
    """A packet, either way."""
    numbers = (kind, attrs, len(body))
    return b"{" + b"".join(number.to_bytes(2, "little") for number in numbers) + body + b"}"


def fields(attrs: int, size: int) -> dict[str, str | int]:
    """What requests and responses tell."""
    compressed = "true" if attrs & 2 else "false"
    return {"market_name": NAMES.get(attrs, "default"), "compressed": compressed, "attrs": attrs, "body_size": size}


def request(kind: int, attrs: int, size: int) -> Expected:
    """What a decoder must give for a request."""
    own = {
        "operation": f"{NAMES.get(attrs, 'default')}/{kind}",
        "market": attrs if attrs in NAMES else 99,
        "type": kind,
    }
    return vector_files.frame("request", None, 7, 8 + size, {**own, **fields(attrs, size)})


def response(attrs: int, size: int) -> Expected:
    """What a decoder must give for a response."""
    return vector_files.frame("response", None, 7, 8 + size, fields(attrs, size))


def make(vectors: Vectors) -> None:
    """Writes every vector."""
    vectors.add("request", bytes.fromhex("7b12000100080041314232433344347d"), request(18, 1, 8), origin=EXAMPLE)
    vectors.add(
        "compressed-response",
        bytes.fromhex("7b120003000800789c0300000000017d"),
        response(3, 8),
        origin=EXAMPLE,
        direction=SERVER,
    )
    vectors.add(
        "two-in-a-row",
        bytes.fromhex("7b1200080000007d7b13002a00030078797a7d"),
        request(18, 8, 0),
        request(19, 42, 3),
        origin=EXAMPLE,
    )
    for attrs in NAMES:
        vectors.add(f"market-{attrs}", packet(0x0201, attrs, b"}{"), request(0x0201, attrs, 2))
    vectors.add("longest", packet(1, 1, b"x" * 65535), request(1, 1, 65535))
    vectors.add("no-brace-in-front", b"GET / HTTP/1.1\r\n", error=("bad_magic", 0))
    vectors.add("no-brace-behind", packet(1, 1, b"abc")[:-1] + b"]", error=("bad_magic", 10))
    vectors.add("no-brace-behind-a-frame", packet(1, 4) + b"[" + bytes(9), request(1, 4, 0), error=("bad_magic", 8))
    vectors.add("half-a-header", b"{\x12\0\x01", missing=3)
    vectors.add("half-a-body", packet(1, 1, b"abc")[:8], missing=3)


if __name__ == "__main__":
    vector_files.main(make)
