"""Messages of every protocol and dialect, written by hand from its description: no codec has made them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import metaprotocol
from kit.toy import Toy, toy_frame
from metaprotocol import Codec, Kind
from metaprotocol._native import bridge


@dataclass(frozen=True)
class Dialect:
    """A protocol as one kind of client writes it."""

    name: str
    codec: Callable[[], Codec]
    request: Callable[[int, int], bytes]
    """A request for `method` "sayHello" with this id and this many bytes of payload."""
    response: Callable[[int, int], bytes]
    error: Callable[[int], bytes]
    """An answer whose frame itself says that it is an error."""
    oneway: Callable[[int], bytes]
    header_of: Callable[[int], bytes] | None
    """The header alone of a request whose whole frame has this many bytes; None if frames have no length field."""
    garbage: bytes
    """Bytes that break the protocol wherever a frame may begin."""


def hessian_string(text: str) -> bytes:
    """A Hessian 2 string of up to 65535 characters of the basic plane, in one chunk."""
    data = text.encode()
    if len(text) < 0x20:
        return bytes([len(text)]) + data
    return b"S" + len(text).to_bytes(2, "big") + data


def hessian_binary(data: bytes) -> bytes:
    """A Hessian 2 binary, in chunks of at most 65535 bytes."""
    chunks = [data[at : at + 0xFFFF] for at in range(0, len(data), 0xFFFF)] or [b""]
    written = [b"A" + len(chunk).to_bytes(2, "big") + chunk for chunk in chunks[:-1]]
    return b"".join([*written, b"B", len(chunks[-1]).to_bytes(2, "big"), chunks[-1]])


def dubbo_frame(flags: int, status: int, request_id: int, body: bytes) -> bytes:
    head = b"\xda\xbb" + bytes([flags, status]) + (request_id % (1 << 64)).to_bytes(8, "big")
    return head + len(body).to_bytes(4, "big") + body


def dubbo_body(arguments: bytes = b"", types: str = "", attachments: bytes = b"HZ", method: str = "sayHello") -> bytes:
    strings = ("2.0.2", "org.example.Greeter", "1.0.0", method, types)
    return b"".join(map(hessian_string, strings)) + arguments + attachments


def dubbo_request(request_id: int, size: int = 8, flags: int = 0xC2) -> bytes:
    attachments = b"H" + hessian_string("group") + hessian_string("blue") + b"Z"
    return dubbo_frame(flags, 0, request_id, dubbo_body(hessian_binary(b"x" * size), "[B", attachments))


def dubbo_header(frame_len: int) -> bytes:
    return dubbo_frame(0xC2, 0, 1, b"")[:12] + (frame_len - 16).to_bytes(4, "big", signed=frame_len < 16)


def dubbo_response(request_id: int, size: int = 8) -> bytes:
    return dubbo_frame(0x02, 20, request_id, b"\x91" + hessian_binary(b"y" * size))


def varint(number: int) -> bytes:
    number %= 1 << 64
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def thrift_message(protocol: str, message_type: int, name: str, sequence_id: int, fields: bytes) -> bytes:
    text = name.encode()
    if protocol == "compact":
        sequence = varint(sequence_id % (1 << 32))
        return bytes([0x82, message_type << 5 | 1]) + sequence + varint(len(text)) + text + fields
    sequence = sequence_id.to_bytes(4, "big", signed=True)
    sized = len(text).to_bytes(4, "big") + text
    if protocol == "binary_old":
        return sized + bytes([message_type]) + sequence + fields
    return b"\x80\x01\x00" + bytes([message_type]) + sized + sequence + fields


def thrift_string(protocol: str, field_id: int, data: bytes) -> bytes:
    """A struct with one string."""
    if protocol == "compact":
        head = bytes([field_id << 4 | 8]) if field_id else b"\x08\x00"
        return head + varint(len(data)) + data + b"\x00"
    return b"\x0b" + field_id.to_bytes(2, "big") + len(data).to_bytes(4, "big") + data + b"\x00"


def thrift_wrap(transport: str, protocol: str, message: bytes, sequence_id: int, headers: bytes = b"") -> bytes:
    if transport == "unframed":
        return message
    if transport == "header":
        data = bytes([2 if protocol == "compact" else 0, 0]) + headers
        data += b"\x00" * (-len(data) % 4)
        sequence = sequence_id.to_bytes(4, "big", signed=True)
        message = b"\x0f\xff\x00\x00" + sequence + (len(data) // 4).to_bytes(2, "big") + data + message
    return len(message).to_bytes(4, "big") + message


USER_ALICE = b"\x01\x01\x06x-user\x05alice"
"""Info headers of THeader: one pair."""


def thrift(transport: str, protocol: str) -> Dialect:
    def message(message_type: int, field_id: int) -> Callable[[int, int], bytes]:
        def make(request_id: int, size: int = 8) -> bytes:
            fields = thrift_string(protocol, field_id, b"x" * size)
            body = thrift_message(protocol, message_type, "sayHello", request_id, fields)
            return thrift_wrap(transport, protocol, body, request_id, USER_ALICE)

        return make

    def header(frame_len: int) -> bytes:
        """Everything but the struct."""
        front = thrift_wrap(transport, protocol, thrift_message(protocol, 1, "sayHello", 1, b""), 1, USER_ALICE)
        return (frame_len - 4).to_bytes(4, "big", signed=frame_len < 4) + front[4:]

    exception, oneway = message(3, 1), message(4, 1)
    return Dialect(
        name=f"thrift {transport} {protocol}",
        codec=lambda: metaprotocol.get_codec("thrift"),
        request=message(1, 1),
        response=message(2, 0),
        error=lambda request_id: exception(request_id, 8),
        oneway=lambda request_id: oneway(request_id, 8),
        header_of=None if transport == "unframed" else header,
        garbage=b"\xff\xff\xff\xff garbage garbage garbage",
    )


TOY = Dialect(
    name="toy",
    codec=Toy,
    request=lambda request_id, size=8: toy_frame(Kind.REQUEST, request_id, b"method=sayHello\n" + b"x" * size),
    response=lambda request_id, size=8: toy_frame(Kind.RESPONSE, request_id, b"y" * size),
    error=lambda request_id: toy_frame(Kind.ERROR, request_id, b"message=no"),
    oneway=lambda request_id: toy_frame(Kind.ONEWAY, request_id, b"method=sayHello\n"),
    header_of=lambda frame_len: toy_frame(Kind.REQUEST, 1)[:10] + (frame_len - 14).to_bytes(4, "big"),
    garbage=b"garbage garbage garbage garbage",
)

DUBBO = Dialect(
    name="dubbo",
    codec=lambda: metaprotocol.get_codec("dubbo"),
    request=dubbo_request,
    response=dubbo_response,
    error=lambda request_id: dubbo_frame(0x02, 80, request_id, hessian_string("no")),
    oneway=lambda request_id: dubbo_request(request_id, flags=0x82),
    header_of=dubbo_header,
    garbage=b"garbage garbage garbage garbage",
)

THRIFTS = [
    thrift(transport, protocol)
    for transport in ("framed", "unframed", "header")
    for protocol in ("binary", "binary_old", "compact")
    if (transport, protocol) != ("header", "binary_old")
]

# The same codec as native code sees it.
BRIDGED = replace(TOY, name="toy-bridged", codec=lambda: bridge(Toy()))

NATIVE = [DUBBO, *THRIFTS]
ALL = [TOY, BRIDGED, *NATIVE]
