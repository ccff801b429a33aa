"""Makes the vectors of this folder: `make vectors` in the root, which puts `tests/` on Python's path."""

from __future__ import annotations

from kit import vector_files
from kit.vector_files import SERVER, Expected, Vectors

EXAMPLE = "an example of the protocol's description, computed there"


def packet(
    *,
    flow: int = 0x01020304,
    cmd: int = 0x99,
    code: int = 0,
    item: int = 1,
    extension: bytes = b"",
    body: bytes = b"",
    length: int | None = None,
    version: int = 1,
    alpha: int = 0,
    source: int = 0,
) -> bytes:
    """A packet of the caller 10001 at 127.0.0.1 about the account 10002."""
    total = 106 + len(extension) + len(body) if length is None else length
    return (
        version.to_bytes(1, "big", signed=True)
        + flow.to_bytes(4, "big")
        + (total & 0xFFFF).to_bytes(2, "big")
        + cmd.to_bytes(2, "big", signed=True)
        + code.to_bytes(2, "big", signed=True)
        + bytes(6)
        + source.to_bytes(4, "big")
        + bytes(23 + 4 + 4 + 1 + 1)
        + (len(extension) >> 8).to_bytes(1, "big")
        + bytes(1 + 5)
        + alpha.to_bytes(1, "big", signed=True)
        + b"\xff\xff"
        + item.to_bytes(2, "big", signed=True)
        + bytes([127, 0, 0, 1])
        + (10002).to_bytes(4, "big")
        + (10001).to_bytes(4, "big")
        + bytes(25)
        + (total >> 16).to_bytes(2, "big")
        + (len(extension) & 0xFF).to_bytes(1, "big")
        + extension
        + body
    )


def expect(kind: str, header_len: int, frame_len: int, *, flow: int = 0x01020304, **changed: str | int) -> Expected:
    """What a decoder must give for such a packet."""
    fields: dict[str, str | int] = {
        "operation": "153/1",
        "cmd": 153,
        "sub_cmd": 1,
        "uid": 10001,
        "rsp_code": 0,
        "version": 1,
        "platform": 0,
        "app": 0,
        "source": 0,
        "client_ip": "127.0.0.1",
        "req_ip": ".".join("0000"),
        "host_uin": 10002,
        "alpha": 0,
        "login_state": 65535,
        "auth_type": 0,
    }
    return vector_files.frame(kind, flow, header_len, frame_len, {**fields, **changed})


REQUEST = bytes.fromhex(
    "0101020304006c00990000010000000000000000000000000000000000000000"
    "000000000000000000000000000000000000000000000000000000000000ffff"
    "00017f0000010000271200002711000000000000000000000000000000000000"
    "000000000000000000000007"
)
RESPONSE = bytes.fromhex(
    "0101020304007200990000010000000000000000000000000000000000000000"
    "000000000000000000000000000000000000000000000000000000000000ffff"
    "00017f0000010000271200002711000000000000000000000000000000000000"
    "00000000000000000002aabb000816025631"
)
REFUSAL = bytes.fromhex(
    "0101020304006a00990032010000000000000000000000000000000000000000"
    "000000000000000000000000000000000000000000000000000000000000ffff"
    "00017f0000010000271200002711000000000000000000000000000000000000"
    "00000000000000000000"
)


def make(vectors: Vectors) -> None:
    """Writes every vector."""
    vectors.add("request", REQUEST, expect("request", 106, 108), origin=EXAMPLE)
    vectors.add("response", RESPONSE, expect("response", 108, 114), origin=EXAMPLE, direction=SERVER)
    vectors.add("error-reply", REFUSAL, expect("error", 106, 106, rsp_code=50), origin=EXAMPLE, direction=SERVER)
    long_extension = packet(extension=b"x" * 0x1234, body=b"y" * 7)
    vectors.add("extension-of-two-length-bytes", long_extension, expect("request", 106 + 0x1234, 106 + 0x1234 + 7))
    long_body = packet(flow=2, body=b"z" * 70_000)
    vectors.add("length-of-more-than-16-bits", long_body, expect("request", 106, 70_106, flow=2))
    negative = packet(cmd=-2, code=-10, item=-1, version=-128, alpha=1, source=7)
    fields = {"operation": "-2/-1", "cmd": -2, "sub_cmd": -1, "rsp_code": -10, "version": -128, "alpha": 1, "source": 7}
    vectors.add("signed-fields", negative, expect("error", 106, 106, **fields), direction=SERVER)
    two = packet(flow=1, body=b"\x0c") + packet(flow=0xFFFFFFFF, code=3)
    vectors.add(
        "two-in-a-row",
        two,
        expect("response", 106, 107, flow=1),
        expect("error", 106, 106, flow=0xFFFFFFFF, rsp_code=3),
        direction=SERVER,
    )
    vectors.add("shorter-than-its-header", packet(length=105), error=("bad_length", 5))
    vectors.add("shorter-than-its-extension", packet(extension=b"abc", length=108), error=("bad_length", 5))
    vectors.add("no-length-at-all", bytes(200), error=("bad_length", 5))
    vectors.add("over-16-mebibytes", packet(length=(16 << 20) + 1), error=("limit_exceeded", 5))
    vectors.add("half-a-header", REQUEST[:50], missing=56)
    vectors.add("half-a-body", REQUEST[:107], missing=1)


if __name__ == "__main__":
    vector_files.main(make)
