"""Makes the vectors of this folder: `make vectors` in the root, which puts `tests/` on Python's path."""

from __future__ import annotations

import struct

from kit import vector_files
from kit.vector_files import SERVER, Expected, Vectors

HEADER_LEN = 16
MAX_LEN = 2 << 20
BEGIN, END = 10, 11


def head(tag: int, kind: int) -> bytes:
    """The head of a JCE field."""
    return bytes([tag << 4 | kind]) if tag < 15 else bytes([0xF0 | kind, tag])


def number(tag: int, value: int) -> bytes:
    """An integer in the smallest type that holds it."""
    if value == 0:
        return head(tag, 12)
    kind = next(kind for kind in range(4) if -(1 << (8 << kind) - 1) <= value < 1 << (8 << kind) - 1)
    return head(tag, kind) + value.to_bytes(1 << kind, "big", signed=True)


def text(tag: int, value: str | bytes) -> bytes:
    """A string."""
    data = value.encode() if isinstance(value, str) else value
    sized = (head(tag, 6) + bytes([len(data)])) if len(data) < 256 else (head(tag, 7) + len(data).to_bytes(4, "big"))
    return sized + data


def record(tag: int, *fields: bytes) -> bytes:
    """A struct."""
    return head(tag, BEGIN) + b"".join(fields) + head(0, END)


def sequence(tag: int, *items: bytes) -> bytes:
    """A list; its elements have the tag 0."""
    return head(tag, 9) + number(0, len(items)) + b"".join(items)


def table(tag: int, **entries: bytes) -> bytes:
    """A map of strings to values with the tag 1."""
    pairs = b"".join(text(0, key) + value for key, value in entries.items())
    return head(tag, 8) + number(0, len(entries)) + pairs


def packet(*header: bytes, reserved: bytes = bytes(10)) -> bytes:
    """STX, length, version 1, reserved bytes, VideoCommHeader, ETX."""
    jce = b"".join(header)
    return b"\x26" + (HEADER_LEN + len(jce) + 1).to_bytes(4, "big") + b"\x01" + reserved + jce + b"\x28"


def basic(command: int, seq_id: int, uin: int = 2112, result: int = 0, *more: bytes) -> bytes:
    """BasicInfo with its required fields."""
    signed = command - 65536 if command > 32767 else command
    required = (uin, signed, 0, 0, result, 0, seq_id)
    return record(0, *(number(tag, value) for tag, value in enumerate(required)), *more)


ACCESS = record(1)
NO_TOKENS = sequence(2)


def fields(command: int, seq_id: int, uin: int = 2112, result: int = 0, **more: str | int) -> dict[str, str | int]:
    """What a packet with such a BasicInfo shows."""
    operation = f"cmd_{command:#x}"
    always = {"command": str(command), "seq_id": seq_id, "req_uin": uin, "service_type": 0, "version": 0}
    return {**always, "result": result, "caller_id": 0, "operation": operation, **more}


def expect(kind: str, request_id: int | None, data: bytes, shown: dict[str, str | int]) -> Expected:
    """What a decoder must give for one packet."""
    return vector_files.frame(kind, request_id, HEADER_LEN, len(data), shown)


def make(vectors: Vectors) -> None:
    """Writes every vector."""
    # The examples of the protocol's description, byte for byte.
    plain = bytes.fromhex(
        "260000002a01000000000000000000000a01084010012c3c4c5c60017c8c0b1a0b290c36040001100228"
    )  # fmt: skip
    shown = fields(1, 1, sub_cmd=0, body_flag=0)
    vectors.add("request", plain, expect("request", 1, plain, shown))
    routed = bytes.fromhex(
        "260000007401006020000000000000000a0300000000b2d05e011160202c3c4c"
        "5103e9604d700580020b1a56086367692e66656564d101bbf61106677569642d"
        "310b290c360e06063130303230311604686f6d657a060866726f6d2e6170701c"
        "26085465737444656d6f3c460347657456000b28"
    )
    routed_shown = fields(
        24608,
        77,
        3000000001,
        caller_id=1001,
        sub_cmd=5,
        body_flag=2,
        service_name="cgi.feed",
        guid="guid-1",
        channelId="100201",
        scene="home",
        from_server="from.app",
        from_set=0,
        to_server="TestDemo",
        to_set=0,
        func="Get",
        from_func="",
        operation="TestDemo/Get",
    )
    vectors.add("routed-request", routed, expect("request", 77, routed, routed_shown))
    refused = bytes.fromhex(
        "260000002701000001000000000000000a01084010012c3c40055c60017c8c0b1a0b290c360028"
    )  # fmt: skip
    refused_shown = fields(1, 1, result=5, sub_cmd=0, body_flag=0)
    vectors.add("error-reply", refused, expect("error", 1, refused, refused_shown), direction=SERVER)

    answer = packet(basic(1, 1), ACCESS, NO_TOKENS, text(3, b"\x06\x02hi"))
    vectors.add("response", answer, expect("response", 1, answer, fields(1, 1)), direction=SERVER)
    vectors.add(
        "two-in-a-row", plain + routed, expect("request", 1, plain, shown), expect("request", 77, routed, routed_shown)
    )

    # Every type of JCE, and every struct that is read, among fields that are not.
    qua = record(
        16, text(0, "8.9.1"), text(1, "26101"), number(4, 3), number(6, 1), number(7, 4), text(9, "10012"),
        number(25, 2), table(35, spp_rpc_video_packet_type=text(1, "1")),
    )  # fmt: skip
    access = record(
        1, number(0, 1), number(2, 3232235777), text(5, "feed"), text(8, "List"), text(11, "home"), qua, text(17, "g" * 300),
        record(18, text(0, "log")), number(19, 1), number(20, -5), sequence(21, record(0, number(0, 1), text(1, "id"))),
        text(24, "::1"),
    )  # fmt: skip
    tokens = sequence(2, record(0, text(1, "wx"), number(2, 3), text(3, "tok\xe9n"), number(4, 1 << 40), number(7, 1)))
    merged = sequence(4, record(0, number(1, 2), number(2, 0), text(3, b"")))
    http = record(5, record(0, number(0, 1), text(2, "/feed?a=1"), text(5, "v.example.org")), record(1, number(0, 200)))
    business = record(6, number(0, 7), text(1, "business"))
    odd = head(8, 13) + head(0, 0) + number(0, 3) + b"abc"
    reports = table(9, a=table(1, b=text(1, "c")), n=head(1, 4) + struct.pack(">f", 1.5) + b"") + head(10, 5) + bytes(8)
    route = record(7, text(0, "app"), number(1, 3), text(2, "svc"), number(3, 4), text(4, "Get"), text(5, "main"))
    full = packet(
        basic(40000, -2, 1, 0, number(7, 300)), access, tokens, text(3, b"x" * 70000), merged, http, business, route,
        odd, reports, reserved=b"\x01" + (40000).to_bytes(2, "big") + b"\x07" + bytes(6),
    )  # fmt: skip
    full_shown = fields(
        40000, -2, 1, sub_cmd=300, client_ip=3232235777, service_name="feed", func_name="List", from_info="home",
        app_version="8.9.1", platform=3, channel_id="10012", guid="g" * 300, dye_flag=1, url="/feed?a=1",
        host="v.example.org", from_server="app", from_set=3, to_server="svc", to_set=4, func="Get", from_func="main",
        operation="svc/Get",
    )  # fmt: skip
    vectors.add("every-shape", full, expect("request", -2, full, full_shown))
    quiet = packet(basic(2, 0), ACCESS)
    vectors.add("not-numbered", quiet, expect("request", None, quiet, fields(2, 0)))
    unnamed = packet(basic(24608, 3), ACCESS, NO_TOKENS, text(3, sequence(0) + number(1, 9)), record(7, text(2, "svc")))
    shown_unnamed = fields(24608, 3, scene=9, to_server="svc", operation="svc/")
    vectors.add("body-of-other-types", unnamed, expect("request", 3, unnamed, shown_unnamed))
    wide = record(0, number(0, 5), *(head(tag, 0) + b"\x01" for tag in (1, 2, 3)), *(number(tag, 1) for tag in (4, 5, 6)),
                  text(8 + 9, "unknown"))  # fmt: skip
    unknown = packet(wide, record(1, text(200, "later")), text(15, "later still"))
    later = {**fields(1, 1, 5, 1), "service_type": 1, "version": 1, "caller_id": 1}
    vectors.add("fields-of-later-versions", unknown, expect("error", 1, unknown, later), direction=SERVER)

    # What is refused.
    vectors.add("http", b"GET / HTTP/1.1\r\n\r\n", error=("bad_magic", 0))
    vectors.add("wrong-magic-behind-a-packet", plain + b"'", expect("request", 1, plain, shown), error=("bad_magic", 42))
    vectors.add("wrong-end", plain[:-1] + b"\x29", error=("bad_magic", 41))
    vectors.add("length-16", b"\x26\0\0\0\x10", error=("bad_length", 1))
    vectors.add("length-0", b"\x26\0\0\0\0" + bytes(12), error=("bad_length", 1))
    vectors.add("length-over-2-mib", b"\x26" + (MAX_LEN + 1).to_bytes(4, "big"), error=("bad_length", 1))
    vectors.add("no-header", packet(), error=("missing_field", 16))
    vectors.add("no-seq-id", packet(record(0, *(number(tag, 0) for tag in range(6))), ACCESS), error=("missing_field", 23))
    vectors.add("no-access-info", packet(basic(1, 1), NO_TOKENS), error=("missing_field", 29))
    vectors.add("basic-info-is-a-number", packet(number(0, 7), ACCESS), error=("bad_encoding", 16))
    vectors.add("command-is-too-wide", packet(record(0, number(0, 1), number(1, 70000))), error=("bad_encoding", 19))
    vectors.add("basic-info-without-end", packet(basic(1, 1)[:-1]), error=("unexpected_end", 28))
    vectors.add("undefined-type", packet(head(0, 14)), error=("bad_value", 16))

    # What is not complete.
    vectors.add("half-a-length", plain[:3], missing=2)
    vectors.add("half-a-packet", plain[:20], missing=22)
    vectors.add("two-mib-to-come", b"\x26" + MAX_LEN.to_bytes(4, "big") + bytes(40), missing=MAX_LEN - 45)


if __name__ == "__main__":
    vector_files.main(make)
