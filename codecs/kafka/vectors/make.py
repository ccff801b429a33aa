"""Makes the vectors of this folder: `make vectors` in the root, which puts `tests/` on Python's path."""

from __future__ import annotations

from kit import vector_files
from kit.vector_files import SERVER, Expected, Vectors

NAMES = {
    0: "Produce",
    1: "Fetch",
    3: "Metadata",
    7: "ControlledShutdown",
    10: "FindCoordinator",
    11: "JoinGroup",
    17: "SaslHandshake",
    18: "ApiVersions",
    32: "DescribeConfigs",
}
TOPIC_ID = bytes(range(16))
TOPIC_ID_TEXT = "AAECAwQFBgcICQoLDA0ODw"


def i8(*values: int) -> bytes:
    """Numbers of one byte."""
    return b"".join(value.to_bytes(1, "big", signed=True) for value in values)


def i16(*values: int) -> bytes:
    """Numbers of two bytes."""
    return b"".join(value.to_bytes(2, "big", signed=True) for value in values)


def i32(*values: int) -> bytes:
    """Numbers of four bytes."""
    return b"".join(value.to_bytes(4, "big", signed=True) for value in values)


def i64(*values: int) -> bytes:
    """Numbers of eight bytes."""
    return b"".join(value.to_bytes(8, "big", signed=True) for value in values)


def text(value: str | None) -> bytes:
    """A text with a length of two bytes."""
    if value is None:
        return i16(-1)
    return i16(len(value.encode())) + value.encode()


def varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def compact(value: str | bytes | None) -> bytes:
    """A text or bytes with a varint for a length, one more than it is."""
    if value is None:
        return b"\0"
    data = value.encode() if isinstance(value, str) else value
    return varint(len(data) + 1) + data


def array(*elements: bytes) -> bytes:
    """An array with a count of four bytes."""
    return i32(len(elements)) + b"".join(elements)


def compact_array(*elements: bytes) -> bytes:
    """An array with a varint for a count, one more than it is."""
    return varint(len(elements) + 1) + b"".join(elements)


def sized(data: bytes) -> bytes:
    """A frame."""
    return i32(len(data)) + data


def ask(api: int, version: int, correlation_id: int, client: str | None, body: bytes, tags: bytes = b"") -> bytes:
    """A request; `tags` are the tagged fields of a flexible header, a zero byte if there are none."""
    return sized(i16(api, version) + i32(correlation_id) + text(client) + tags + body)


def told(
    kind: str,
    data: bytes,
    length: int,
    **fields: str | int,
) -> Expected:
    """What a decoder must give for one request."""
    api, version, correlation_id = (
        int.from_bytes(data[4:6], "big"),
        int.from_bytes(data[6:8], "big"),
        int.from_bytes(data[8:12], "big", signed=True),
    )
    named = {"api_name": NAMES[api]} if api in NAMES else {}
    header = {"api_key": api, "api_version": version, "correlation_id": correlation_id}
    return vector_files.frame(kind, correlation_id, length, len(data), {**header, **named, **fields})


def answered(data: bytes) -> Expected:
    """What a decoder must give for a response to a request that it has not seen."""
    correlation_id = int.from_bytes(data[4:8], "big", signed=True)
    return vector_files.frame("response", correlation_id, 8, len(data), {"correlation_id": correlation_id})


NONE = b"\0"  # No tagged fields.


def make(vectors: Vectors) -> None:
    """Writes every vector."""
    server = {"direction": SERVER}

    # Headers of each version.
    data = ask(3, 1, 7, "shop", array(text("orders"), text("payments")))
    vectors.add(
        "metadata",
        data,
        told("request", data, 18, client_id="shop", topic="orders", topics="orders,payments"),
    )
    data = ask(3, 1, 8, None, i32(-1))
    vectors.add("metadata-of-all-topics-without-a-client-id", data, told("request", data, 14))
    data = ask(
        3,
        12,
        9,
        "shop",
        compact_array(TOPIC_ID + compact(None) + NONE, bytes(16) + compact("ö") + NONE) + i8(1, 0) + NONE,
        NONE,
    )
    vectors.add(
        "metadata-with-topic-ids",
        data,
        told(
            "request",
            data,
            19,
            client_id="shop",
            topic="ö",
            topics="ö",
            topic_id=TOPIC_ID_TEXT,
            topic_ids=TOPIC_ID_TEXT,
        ),
    )
    data = sized(i16(7, 0) + i32(10) + i32(3))
    vectors.add("controlled-shutdown-0-has-the-shortest-header", data, told("request", data, 12))
    data = ask(7, 1, 10, "", i32(3))
    vectors.add("controlled-shutdown-1", data, told("request", data, 14, client_id=""))
    data = ask(18, 3, 0, "c", compact("lib") + compact("1.0") + NONE, NONE)
    vectors.add(
        "api-versions",
        data,
        told("request", data, 16, client_id="c", client_software_name="lib", client_software_version="1.0"),
    )
    tags = b"\x02\x00\x01x\x81\x01\x03abc"
    data = ask(10, 4, 11, "shop", i8(0) + compact_array(compact("g1"), compact("g2")) + NONE, tags)
    vectors.add(
        "find-coordinators-with-tagged-fields-in-the-header",
        data,
        told("request", data, 18 + len(tags), client_id="shop", coordinator_key="g1", key_type=0),
    )

    # Produce says in its body whether anybody answers.
    for version, front, name in ((2, b"", "plain"), (7, text("tx"), "transactional"), (9, compact("tx"), "flexible")):
        for acks in (-1, 0):
            if version < 9:
                body = front + i16(acks) + i32(1500) + array(text("orders") + array(i32(3) + i32(5) + b"batch"))
            else:
                partition = i32(3) + compact(b"batch") + NONE
                topics = compact_array(compact("orders") + compact_array(partition) + NONE)
                body = front + i16(acks) + i32(1500) + topics + NONE
            data = ask(0, version, 12, "shop", body, NONE if version >= 9 else b"")
            transaction = {} if version == 2 else {"transactional_id": "tx"}
            vectors.add(
                f"produce-{name}-{'unanswered' if acks == 0 else 'answered'}",
                data,
                told(
                    "oneway" if acks == 0 else "request",
                    data,
                    18 + (version >= 9),
                    client_id="shop",
                    acks=acks,
                    topic="orders",
                    topics="orders",
                    partition=3,
                    partitions="3",
                    **transaction,
                ),
            )
    data = ask(
        0,
        13,
        13,
        None,
        compact(None)
        + i16(1)
        + i32(1)
        + compact_array(TOPIC_ID + compact_array(i32(0) + compact(b"") + NONE, i32(1) + compact(None) + NONE) + NONE)
        + NONE,
        NONE,
    )
    vectors.add(
        "produce-by-topic-id",
        data,
        told(
            "request", data, 15, acks=1, topic_id=TOPIC_ID_TEXT, topic_ids=TOPIC_ID_TEXT, partition=0, partitions="0,1"
        ),
    )

    # What else is read.
    fetched = array(text("a") + array(i32(1) + i64(100) + i32(1024), i32(0) + i64(7) + i32(1024)), text("b") + array())
    data = ask(1, 4, 14, "shop", i32(-1, 500, 1, 1 << 20) + i8(1) + fetched)
    vectors.add(
        "fetch",
        data,
        told("request", data, 18, client_id="shop", topic="a", topics="a,b", partition=1, partitions="1,0"),
    )
    join = (
        text("g")
        + i32(30000, 60000)
        + text("m-1")
        + text("i-1")
        + text("consumer")
        + array(text("range") + i32(2) + b"\0\1")
    )
    data = ask(11, 5, 15, "shop", join)
    vectors.add(
        "join-group",
        data,
        told("request", data, 18, client_id="shop", group_id="g", member_id="m-1", group_instance_id="i-1"),
    )
    data = ask(32, 1, 16, "shop", array(i8(4) + text("1") + i32(-1), i8(2) + text("orders") + i32(-1)) + i8(0))
    vectors.add(
        "describe-configs-of-a-broker-and-a-topic",
        data,
        told("request", data, 18, client_id="shop", topic="orders", topics="orders"),
    )

    # A SaslHandshake of version 0, the tokens behind it, and the first request after them; one of version 1.
    handshake = ask(17, 0, 17, "shop", text("PLAIN"))
    token, empty = sized(b"\0alice\0secret"), sized(b"")
    data = ask(3, 1, 18, "shop", i32(-1))
    mechanism = {"client_id": "shop", "sasl_mechanism": "PLAIN"}
    vectors.add(
        "sasl-0-and-its-tokens",
        handshake + token + empty + data,
        told("request", handshake, 18, **mechanism),
        vector_files.frame("control", None, 4, len(token), {}),
        vector_files.frame("control", None, 4, len(empty), {}),
        told("request", data, 18, client_id="shop"),
    )
    data = ask(17, 1, 19, "shop", text("PLAIN"))
    vectors.add("sasl-1", data, told("request", data, 18, **mechanism))

    # What the codec does not know; a stream that begins with it is not recognised.
    one = ask(3, 0, 26, "a", i32(0))
    known = told("request", one, 15, client_id="a")
    data = ask(3, 99, -20, "shop", b"new", NONE)
    vectors.add("a-version-of-the-future", one + data, known, told("request", data, 19, client_id="shop"))
    data = ask(1000, 0, 21, "shop", b"new")
    vectors.add("an-api-of-the-future", one + data, known, told("request", data, 12, client_id="shop"))
    data = ask(0, 99, 22, "shop", compact(None) + i16(0) + b"new", NONE)
    vectors.add("a-produce-of-the-future-waits", one + data, known, told("request", data, 19, client_id="shop"))
    data = sized(i32(23) + b"body")
    vectors.add("a-response-to-nobody", data, answered(data), **server)
    short = sized(i32(-24))
    vectors.add("the-shortest-response", data + short, answered(data), answered(short), **server)
    ranges = array(*(i16(key, 0, 3) for key in range(5)))
    data = sized(i32(25) + i16(0) + ranges)
    vectors.add("the-versions-that-a-broker-speaks", data, answered(data), **server)

    # More than one.
    two = ask(18, 0, 27, "a", b"")
    vectors.add("two-in-a-row", one + two, known, told("request", two, 15, client_id="a"))

    # Cut short.
    vectors.add("half-a-size", one[:3], missing=1)
    vectors.add("half-a-header", one[:10], missing=2)
    vectors.add("half-a-client-id", ask(3, 0, 26, "abcdef", i32(0))[:17], missing=3)
    vectors.add("half-a-body", one[:-3], missing=3)
    vectors.add("a-produce-before-its-acks", ask(0, 2, 1, "a", i16(0) + i32(0, 0))[:15], missing=2)
    vectors.add("half-a-response", sized(i32(23) + b"body")[:10], missing=2, **server)

    # Not Kafka, or not by its rules.
    vectors.add("http", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", error=("limit_exceeded", 0), origin="HTTP/1.1")
    vectors.add("negative-size", i32(-1) + bytes(8), error=("bad_length", 0))
    vectors.add("huge-size", i32(2**31 - 1) + bytes(8), error=("limit_exceeded", 0))
    vectors.add("shorter-than-a-header", sized(bytes(7)), error=("bad_length", 0))
    vectors.add("a-response-shorter-than-its-id", sized(bytes(3)), error=("bad_length", 0), **server)
    vectors.add("negative-api-key", one + sized(i16(-1, 0) + bytes(6)), known, error=("bad_value", len(one) + 4))
    vectors.add("negative-version", sized(i16(3, -1) + bytes(6)), error=("bad_value", 6))
    vectors.add("negative-client-id", sized(i16(3, 0) + i32(1) + i16(-2)), error=("bad_length", 12))
    vectors.add("a-client-id-beyond-its-frame", sized(i16(3, 0) + i32(1) + i16(1)), error=("unexpected_end", 12))
    vectors.add("no-room-for-a-client-id", sized(i16(3, 0) + i32(1)), error=("unexpected_end", 12))
    flexible = i16(3, 9) + i32(1) + i16(-1)
    vectors.add("no-room-for-tagged-fields", sized(flexible), error=("unexpected_end", 14))
    vectors.add("tagged-fields-without-end", sized(flexible + b"\xff\xff\xff\xff\x0f"), error=("limit_exceeded", 14))
    vectors.add("more-tagged-fields-than-bytes", sized(flexible + b"\x09" + bytes(8)), error=("unexpected_end", 14))
    vectors.add(
        "a-tagged-field-beyond-its-frame", sized(flexible + b"\x01\x00\x7f" + bytes(8)), error=("unexpected_end", 15)
    )
    vectors.add(
        "a-count-of-six-bytes", sized(flexible + b"\x80\x80\x80\x80\x80\x00" + bytes(8)), error=("bad_encoding", 14)
    )
    vectors.add("a-produce-without-acks", sized(i16(0, 2) + i32(1) + i16(-1)), error=("unexpected_end", 14))
    vectors.add(
        "a-produce-with-a-transactional-id-beyond-its-frame",
        sized(i16(0, 3) + i32(1) + i16(-1, 99)),
        error=("unexpected_end", 14),
    )


if __name__ == "__main__":
    vector_files.main(make)
