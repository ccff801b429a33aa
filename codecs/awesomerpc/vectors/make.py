"""Makes the vectors of this folder, and those of layout B in `layout-b`: `make vectors` in the root."""

from __future__ import annotations

from kit import vector_files
from kit.vector_files import SERVER, Expected, Vectors

EXAMPLE = "an example of the protocol's description, computed there"


def packet(
    width: int, flow: int, cmd: int, code: int = 0, body: bytes = b"", version: int = 1, length: int | None = None
) -> bytes:
    """A packet whose length takes `width` bytes."""
    total = 9 + width + len(body) if length is None else length
    return (
        version.to_bytes(1, "big", signed=True)
        + flow.to_bytes(4, "big")
        + total.to_bytes(width, "big")
        + cmd.to_bytes(2, "big", signed=True)
        + code.to_bytes(2, "big", signed=True)
        + body
    )


def expect(kind: str, width: int, flow: int, cmd: int, size: int, code: int = 0, version: int = 1) -> Expected:
    """What a decoder must give for such a packet."""
    fields = {"operation": str(cmd), "cmd": cmd, "version": version, "rsp_code": code}
    return vector_files.frame(kind, flow, 9 + width, 9 + width + size, fields)


def both(vectors: Vectors, width: int) -> None:
    """What is so in either layout."""
    vectors.add(
        "two-in-a-row",
        packet(width, 8, 4, body=b"a") + packet(width, 0xFFFFFFFF, -4, -1, version=-1),
        expect("response", width, 8, 4, 1),
        expect("error", width, 0xFFFFFFFF, -4, 0, code=-1, version=-1),
        direction=SERVER,
    )
    vectors.add("shorter-than-its-header", packet(width, 7, 3, length=8 + width), error=("bad_length", 5))
    vectors.add("half-a-header", packet(width, 7, 3)[:6], missing=3 + width)
    vectors.add("half-a-body", packet(width, 7, 3, body=b"hello")[:-2], missing=2)


def make(vectors: Vectors) -> None:
    """Writes every vector."""
    request = bytes.fromhex("0100000007000000120003000068656c6c6f")
    vectors.add("request", request, expect("request", 4, 7, 3, 5), origin=EXAMPLE)
    refusal = bytes.fromhex("01000000070000000d00030001")
    vectors.add("error-reply", refusal, expect("error", 4, 7, 3, 0, code=1), origin=EXAMPLE, direction=SERVER)
    both(vectors, 4)
    vectors.add("over-16-mebibytes", packet(4, 7, 3, length=(16 << 20) + 1), error=("limit_exceeded", 5))
    vectors.add("layout-b-read-as-a", bytes.fromhex("010000000700100003000068656c6c6f"), missing=0x100003 - 16)

    folder = vectors.folder / "layout-b"
    folder.mkdir(exist_ok=True)
    other = Vectors(folder)
    other.add(
        "request", bytes.fromhex("010000000700100003000068656c6c6f"), expect("request", 2, 7, 3, 5), origin=EXAMPLE
    )
    both(other, 2)
    other.add("layout-a-read-as-b", request, error=("bad_length", 5))


if __name__ == "__main__":
    vector_files.main(make)
