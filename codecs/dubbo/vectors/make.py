"""Makes the vectors of this folder: `make vectors` in the root, which puts `tests/` on Python's path."""

from __future__ import annotations

from kit import vector_files
from kit.vector_files import SERVER, Expected, Vectors

PROXY = "what MetaProtocol Proxy writes, computed by hand from its encoder"

SERVICE = "org.apache.dubbo.samples.basic.api.DemoService"


def text(value: str) -> bytes:
    """A Hessian 2 string as Java writes it."""
    utf16 = value.encode("utf-16-be")
    units = len(utf16) // 2
    # Each UTF-16 unit by itself, so that a surrogate pair becomes twice three bytes.
    payload = b"".join(
        chr(int.from_bytes(utf16[at : at + 2], "big")).encode("utf-8", "surrogatepass")
        for at in range(0, len(utf16), 2)
    )
    if units < 0x20:
        return bytes([units]) + payload
    if units < 0x400:
        return bytes([0x30 + (units >> 8), units & 0xFF]) + payload
    return b"S" + units.to_bytes(2, "big") + payload


def header(flags: int, status: int, request_id: int, body_len: int) -> bytes:
    """The 16 bytes of a header."""
    return (
        b"\xda\xbb"
        + bytes([flags, status])
        + request_id.to_bytes(8, "big")
        + body_len.to_bytes(4, "big", signed=body_len < 0)
    )


def frame(flags: int, status: int, request_id: int, body: bytes) -> bytes:
    """A header and its body."""
    return header(flags, status, request_id, len(body)) + body


def attachments(**entries: str) -> bytes:
    """An untyped map of strings."""
    return b"H" + b"".join(text(key) + text(value) for key, value in entries.items()) + b"Z"


def call(method: str, types: str, *arguments: bytes, tail: bytes = b"HZ") -> bytes:
    """The body of a request to the service a.B; its attachments are `tail`."""
    strings = ("2.0.2", "a.B", "0.0.0", method, types)
    return b"".join(map(text, strings)) + b"".join(arguments) + tail


def expect(kind: str, request_id: int, frame_len: int, **fields: str | int) -> Expected:
    """What a decoder must give for one frame."""
    return vector_files.frame(kind, request_id, 16, frame_len, fields)


def request_fields(method: str, types: str, count: int, **more: str | int) -> dict[str, str | int]:
    """The fields of a request made by `call`."""
    return {
        "serialization": "hessian2",
        "event": 0,
        "two_way": 1,
        "dubbo_version": "2.0.2",
        "path": "a.B",
        "interface": "a.B",
        "service_version": "0.0.0",
        "method": method,
        "param_types": types,
        "param_count": count,
        **more,
    }


def answer(status: int, **more: str | int) -> dict[str, str | int]:
    """The fields of a response."""
    return {"serialization": "hessian2", "event": 0, "status": status, **more}


def make(vectors: Vectors) -> None:
    """Writes every vector."""
    server = {"direction": SERVER}

    # The examples of the protocol's description, byte for byte.
    vectors.add(
        "request",
        bytes.fromhex(
            "dabbc2000000000000000001000000f305322e302e32302e6f72672e61706163"
            "68652e647562626f2e73616d706c65732e62617369632e6170692e44656d6f53"
            "65727669636505302e302e300873617948656c6c6f124c6a6176612f6c616e67"
            "2f537472696e673b06616572616b69480470617468302e6f72672e6170616368"
            "652e647562626f2e73616d706c65732e62617369632e6170692e44656d6f5365"
            "727669636509696e74657266616365302e6f72672e6170616368652e64756262"
            "6f2e73616d706c65732e62617369632e6170692e44656d6f5365727669636507"
            "76657273696f6e05302e302e300774696d656f7574043130303003666f6f0362"
            "61725a"
        ),
        expect(
            "request",
            1,
            259,
            **request_fields("sayHello", "Ljava/lang/String;", 1, timeout="1000", foo="bar")
            | {"path": SERVICE, "interface": SERVICE, "version": "0.0.0"},
        ),
    )
    heartbeat = {"serialization": "hessian2", "event": 1}
    vectors.add(
        "heartbeat",
        bytes.fromhex("dabbe2000000000000000002000000014e"),
        expect("heartbeat", 2, 17, **heartbeat, two_way=1),
    )
    vectors.add(
        "heartbeat-answer",
        bytes.fromhex("dabb22140000000000000002000000014e"),
        expect("heartbeat", 2, 17, **heartbeat, status=20),
        **server,
    )
    vectors.add(
        "response",
        bytes.fromhex("dabb021400000000000000010000001c940c48656c6c6f20616572616b694805647562626f05322e302e325a"),
        expect("response", 1, 44, **answer(20, result_type=4, dubbo="2.0.2")),
        **server,
    )
    vectors.add(
        "error-status",
        bytes.fromhex("dabb023c000000000000000100000009086e6f20726f757465"),
        expect("error", 1, 25, **answer(60, error_message="no route")),
        **server,
    )
    vectors.add(
        "error-status-behind-an-int",
        bytes.fromhex("dabb023c00000000000000010000000a90086e6f20726f757465"),
        expect("error", 1, 26, **answer(60, error_message="no route")),
        origin=f"{PROXY} (before its change #113)",
        **server,
    )
    vectors.add(
        "oneway",
        bytes.fromhex("dabb820000000000000000030000001805322e302e3203612e4205302e302e300470696e6700485a"),
        expect("oneway", 3, 40, **request_fields("ping", "", 0, two_way=0)),
    )

    # What else the protocol has.
    vectors.add(
        "read-only-event",
        frame(0xA2, 0, 4, text("R")),
        expect("control", 4, 18, serialization="hessian2", event=1, two_way=0),
        **server,
    )
    vectors.add(
        "heartbeat-without-body",
        frame(0xE2, 0, 5, b""),
        expect("heartbeat", 5, 16, **heartbeat, two_way=1),
    )
    thrown = (
        b"\x93"
        + b"C" + text("a.BusinessException") + b"\x93" + text("code") + text("detailMessage") + text("cause")
        + b"\x60" + b"\x97" + text("kein Geld: 💶") + b"Q\x90"
        + attachments(dubbo="2.0.2")
    )  # fmt: skip
    vectors.add(
        "exception",
        frame(0x02, 20, 6, thrown),
        expect(
            "error",
            6,
            16 + len(thrown),
            **answer(
                20,
                result_type=3,
                exception="a.BusinessException",
                exception_message="kein Geld: 💶",
                dubbo="2.0.2",
            ),
        ),
        **server,
    )
    shapes = (
        b"C" + text("a.Person") + b"\x92" + text("name") + text("friends")
        + b"\x60" + text("Zoë 中") + b"\x72" + text("[a.Person") + b"Q\x90" + b"\x60" + b"N" + b"\x79Q\x92",
        b"U" + text("java.util.LinkedList") + b"\x90\xc8\x30I\x7f\xff\xff\xffZ",
        # A map whose type is the list's, whose key comes in chunks, and whose value is a list in a list.
        b"M\x91" + b"R\x00\x02ab\x02cd" + b"\x57\x57ZZ" + b"Z",
    )  # fmt: skip
    body = call(
        "meet",
        "La/Person;Ljava/util/List;Ljava/util/Map;[BJD",
        *shapes,
        b"A\x00\x02\x01\x02\x21\x03",
        b"\x3c\x10\x00",
        b"\x5f\x00\x00\x30\x39",
        tail=b"H" + text("group") + text("g1") + text("retries") + b"\x93" + text("blob") + b"\x20Z",
    )
    vectors.add(
        "arguments-of-every-shape",
        frame(0xC2, 0, 7, body),
        expect(
            "request",
            7,
            16 + len(body),
            **request_fields(
                "meet",
                "La/Person;Ljava/util/List;Ljava/util/Map;[BJD",
                6,
                group="g1",
                retries=3,
            ),
        ),
    )
    interface = call("f", "", tail=attachments(interface="a.Real", method="other", path="real"))
    vectors.add(
        "attachments-override-the-service-name",
        frame(0xC2, 0, 8, interface),
        expect(
            "request", 8, 16 + len(interface), **request_fields("f", "", 0) | {"interface": "a.Real", "path": "real"}
        ),
    )
    vectors.add(
        "other-serialization",
        frame(0xC6, 0, 9, b'"2.0.2"\n'),
        expect("request", 9, 24, serialization="fastjson", event=0, two_way=1),
    )
    pair = frame(0x02, 20, 10, b"\x92") + frame(0x02, 20, 11, b"\x91\x05hello")
    vectors.add(
        "two-in-a-row",
        pair,
        expect("response", 10, 17, **answer(20, result_type=2)),
        expect("response", 11, 23, **answer(20, result_type=1)),
        **server,
    )

    # What is not the protocol.
    good = frame(0x02, 20, 1, b"\x92")
    good_frame = expect("response", 1, 17, **answer(20, result_type=2))
    vectors.add("wrong-magic", b"GET / HTTP/1.1\r\n\r\n", error=("bad_magic", 0))
    vectors.add(
        "wrong-magic-behind-a-frame",
        good + b"\xda\xbc" + bytes(14),
        good_frame,
        error=("bad_magic", 17),
        **server,
    )
    vectors.add("unknown-status", header(0x02, 21, 1, 0), error=("bad_value", 3), **server)
    vectors.add("negative-length", header(0xC2, 0, 1, -1), error=("bad_length", 12))
    vectors.add("huge-length", header(0xC2, 0, 1, 0x7FFFFFFF), error=("limit_exceeded", 12))
    vectors.add("half-a-header", good + b"\xda\xbb\x02", good_frame, missing=13, **server)
    vectors.add("half-a-body", frame(0xC2, 0, 1, bytes(100))[:50], missing=66)


if __name__ == "__main__":
    vector_files.main(make)
