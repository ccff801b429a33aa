"""The bytes that benches feed: the same for every contender."""

from __future__ import annotations

import struct
from functools import cache

SIZES = (64, 128, 512, 4096, 65536)
CHUNKS = (16 << 10, 256 << 10)
METHOD = b"sayHello"
SERVICE = b"org.apache.dubbo.samples.basic.api.DemoService"


def thrift_frame(size: int, seq_id: int) -> bytes:
    """A framed strict-binary call of `size` bytes: sayHello(1: string)."""
    head = struct.pack("!HHi", 0x8001, 1, len(METHOD)) + METHOD + struct.pack("!i", seq_id)
    text = b"x" * (size - 4 - len(head) - 8)
    message = head + struct.pack("!bhi", 11, 1, len(text)) + text + b"\0"
    return struct.pack("!i", len(message)) + message


def hessian_string(text: bytes) -> bytes:
    """An ASCII Hessian 2 string, in the shortest form."""
    out = b""
    while len(text) > 0x7FFF:
        out += b"R" + struct.pack("!H", 0x7FFF) + text[:0x7FFF]
        text = text[0x7FFF:]
    if len(text) < 32:
        return out + bytes([len(text)]) + text
    if len(text) < 1024:
        return out + bytes([0x30 + (len(text) >> 8), len(text) & 0xFF]) + text
    return out + b"S" + struct.pack("!H", len(text)) + text


def qza_frame(size: int, request_id: int) -> bytes:
    """A QZA request of `size` bytes: a header of 106 and a body."""
    size = max(106, size)
    front = struct.pack("!bIHhh", 1, request_id, size & 0xFFFF, 0x99, 0)
    return front + bytes(92) + struct.pack("!HB", size >> 16, 0) + b"x" * (size - 106)


def dubbo_frame(size: int, request_id: int) -> bytes:
    """A two-way Hessian 2 request of about `size` bytes: DemoService.sayHello(String) with two attachments."""
    texts = (b"2.0.2", SERVICE, b"0.0.0", METHOD, b"Ljava/lang/String;")
    front = b"".join(map(hessian_string, texts))
    attachments = b"H" + b"".join(map(hessian_string, (b"interface", SERVICE, b"group", b"blue"))) + b"Z"
    argument = hessian_string(b"x" * max(0, size - 16 - len(front) - len(attachments) - 3))
    body = front + argument + attachments
    return struct.pack("!HBBqi", 0xDABB, 0xC2, 0, request_id, len(body)) + body


def videopacket_frame(size: int, seq_id: int) -> bytes:
    """A VideoPacket request of `size` bytes: command 24608 to TestDemo/Get, as C++ clients write it."""
    basic = b"\x0a\x01\x08\x40\x11\x60\x20\x2c\x3c\x4c\x5c\x62" + struct.pack("!i", seq_id) + b"\x0b"
    front = b"\x00\x60\x20" + bytes(7) + basic + b"\x1a\x0b\x29\x0c"
    route = b"\x7a\x26\x08TestDemo\x46\x03Get\x0b"
    body = b"x" * (size - 6 - len(front) - 5 - len(route) - 1)
    rest = b"\x01" + front + b"\x37" + struct.pack("!I", len(body)) + body + route + b"\x28"
    return b"&" + struct.pack("!I", len(rest) + 5) + rest


def brpc_frame(size: int, correlation_id: int) -> bytes:
    """A baidu_std request of about `size` bytes to EchoService/Echo, with log id and request id."""
    # Ids carry a version in their upper half.
    number, left = bytearray(), correlation_id | 1 << 32
    while left >= 0x80:
        number.append(left & 0x7F | 0x80)
        left >>= 7
    number.append(left)
    request = b"\x0a\x13example.EchoService\x12\x04Echo\x18\x2a\x3a\x0crequest-0001"
    meta = b"\x0a" + bytes([len(request)]) + request + b"\x18\x00\x20" + number
    body = b"x" * max(0, size - 12 - len(meta))
    return b"PRPC" + struct.pack("!II", len(meta) + len(body), len(meta)) + meta + body


def kafka_frame(size: int, correlation_id: int) -> bytes:
    """A Fetch request of `size` bytes, version 12, as a consumer named "consumer-1" sends it."""
    header = struct.pack("!hhih", 1, 12, correlation_id, 10) + b"consumer-1\0"
    return struct.pack("!i", size - 4) + header + bytes(size - 4 - len(header))


def trpc_frame(size: int, request_id: int) -> bytes:
    """A unary tRPC request of about `size` bytes to Greeter/SayHello, with the header message that trpc-go writes."""
    callee = b"trpc.test.helloworld.Greeter"
    user = b"\x0a\x08app-user\x12\x05alice"
    texts = {5: b"trpc.app.client.svc", 6: callee, 7: b"/" + callee + b"/SayHello", 9: user}
    number = bytearray(b"\x18")
    left = request_id
    while left >= 0x80:
        number.append(left & 0x7F | 0x80)
        left >>= 7
    number.append(left)
    message = bytes(number) + b"\x20\xe8\x07"
    message += b"".join(bytes([field << 3 | 2, len(text)]) + text for field, text in texts.items())
    body = b"x" * max(0, size - 16 - len(message))
    total = 16 + len(message) + len(body)
    return struct.pack("!HBBIHIBB", 0x0930, 0, 0, total, len(message), request_id, 1, 0) + message + body


@cache
def stream(protocol: str, size: int, total: int = 4 << 20) -> tuple[bytes, int]:
    """About `total` bytes of frames, and how many frames they are."""
    make = {
        "brpc": brpc_frame,
        "thrift": thrift_frame,
        "dubbo": dubbo_frame,
        "kafka": kafka_frame,
        "qza": qza_frame,
        "trpc": trpc_frame,
        "videopacket": videopacket_frame,
    }[protocol]
    count = max(64, min(20_000, total // size))
    return b"".join(make(size, number) for number in range(1, count + 1)), count


@cache
def chunks(protocol: str, size: int, chunk: int) -> tuple[list[bytes], int]:
    """The stream cut as reads from a socket would cut it."""
    data, count = stream(protocol, size)
    return [data[at : at + chunk] for at in range(0, len(data), chunk)], count
