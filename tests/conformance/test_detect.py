"""Every stream is claimed by exactly one codec, and by none too early."""

from __future__ import annotations

import pytest
from kit.captures import captures
from kit.dialects import Dialect
from kit.vectors import vectors

from metaprotocol import Detection, Direction, get_codec, list_codecs

# Enough of a stream for any codec to make up its mind.
FRONT = 256


def recorded() -> list[tuple[str, str | None, Direction, bytes]]:
    """The front of each stream of real peers, and of each vector that starts with a frame."""
    found: list[tuple[str, str | None, Direction, bytes]] = []
    for protocol in ("dubbo", "thrift"):
        for capture in captures(protocol):
            # The JSON protocol of Thrift is refused by its name.
            owner = None if capture.expected.get("protocol") == "json" else protocol
            for conversation in capture.conversations[:3]:
                for direction in Direction:
                    if stream := conversation.stream(direction):
                        name = f"{capture} {conversation.client_port} {direction.name.lower()}"
                        found.append((name, owner, direction, stream[:FRONT]))
    found += [
        (str(vector), vector.codec, vector.direction, vector.data[:FRONT])
        for vector in vectors()
        # Of a frame whose end marks it, the end has to be there.
        if vector.frames and (vector.codec != "zork" or vector.frames[0]["frame_len"] <= FRONT)
    ]
    return found


def marked(name: str) -> bool:
    """Whether a protocol has anything to be recognised by; one that has not says no before it has seen a byte."""
    return get_codec(name).detect(b"") is not Detection.NO


UNMARKED = {"awesomerpc", "qza"}
RECORDED = recorded()

OTHERS = {
    "HTTP/1": b"GET /index.html HTTP/1.1\r\nHost: example.org\r\n\r\n",
    "HTTP/1 post": b"POST / HTTP/1.1\r\nHost: example.org\r\nContent-Length: 2\r\n\r\n{}",
    "HTTP/1 response": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12\x04\0\0\0\0\0",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(64)),
    "SSH": b"SSH-2.0-OpenSSH_9.6\r\n",
    "Redis": b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\n",
    "Redis response": b"+OK\r\n",
    "MySQL": b"\x4a\0\0\0\x0a8.0.36\0\x0b\0\0\0" + b"salt" * 8,
    "PostgreSQL": b"\0\0\0\x54\0\x03\0\0user\0postgres\0database\0test\0\0" + b"x" * 40,
    "Kafka": b"\0\0\0\x23\0\x12\0\x03\0\0\0\x01\0\x0aclient-app\0\x0aclient-app\x061.0.0\0",
    "MongoDB": b"\x39\0\0\0\x01\0\0\0\0\0\0\0\xdd\x07\0\0" + bytes(41),
    "AMQP": b"AMQP\0\0\x09\x01",
    "MQTT": b"\x10\x10\0\x04MQTT\x04\x02\0\x3c\0\x04test",
    "memcached": b"get some-key\r\n",
    "memcached binary": b"\x80\x00\0\x03\0\0\0\0\0\0\0\x03" + bytes(12) + b"key",
    "SMTP": b"220 mail.example.org ESMTP\r\n",
    "ZooKeeper": b"\0\0\0\x2d\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x75\x30" + bytes(28),
    "brpc": b"PRPC\0\0\0\x20\0\0\0\x10" + bytes(32),
    "tRPC": b"\x09\x30\0\0\0\0\0\x40\0\x20\0\0\0\x01\0\0" + bytes(48),
    "zeros": bytes(FRONT),
    "ones": b"\xff" * FRONT,
    "text": b"the quick brown fox jumps over the lazy dog " * 6,
}


@pytest.mark.parametrize(
    ("owner", "direction", "stream"), [row[1:] for row in RECORDED], ids=[row[0] for row in RECORDED]
)
def test_exactly_one_claims_it(owner: str | None, direction: Direction, stream: bytes) -> None:
    for name in list_codecs():
        codec = get_codec(name)
        answers = [codec.detect(stream[:length], direction=direction) for length in range(len(stream) + 1)]
        if not marked(name):
            assert set(answers) == {Detection.NO}, "an unmarked protocol claims nothing"
            continue
        assert answers[0] is Detection.NEED_MORE, "nothing says nothing"
        final = Detection.YES if name == owner else Detection.NO
        assert answers[-1] is final
        # Once it is settled it stays, and nobody else ever said yes.
        settled = answers.index(final)
        assert answers == [Detection.NEED_MORE] * settled + [final] * (len(answers) - settled)


def test_who_is_never_recognised() -> None:
    """Nothing in these protocols marks them: whoever wants one names it."""
    assert {name for name in list_codecs() if not marked(name)} == UNMARKED


@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize("other", OTHERS)
def test_other_protocols_are_nobodys(other: str, direction: Direction) -> None:
    for name in list_codecs():
        codec = get_codec(name)
        answers = [
            codec.detect(OTHERS[other][:length], direction=direction) for length in range(len(OTHERS[other]) + 1)
        ]
        assert Detection.YES not in answers
        if len(OTHERS[other]) >= 16:
            assert answers[-1] is Detection.NO


def test_yes_needs_more_than_a_glance(native: Dialect) -> None:
    """Fewer than four bytes look alike in too many protocols."""
    stream = native.request(1, 10)
    for length in range(4):
        assert native.codec().detect(stream[:length]) is Detection.NEED_MORE


def test_what_was_claimed_can_be_read(native: Dialect) -> None:
    for direction, stream in (
        (Direction.CLIENT_TO_SERVER, native.request(1, 10)),
        (Direction.SERVER_TO_CLIENT, native.response(1, 10)),
    ):
        for length in range(len(stream) + 1):
            if native.codec().detect(stream[:length], direction=direction) is Detection.YES:
                assert native.codec().connection().feed(direction, stream[:length]) == [] or length == len(stream)
                break
        else:
            pytest.fail("never detected")
