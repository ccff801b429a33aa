"""The contenders, each used as its own documentation says, each reading the same bytes."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class PureFrame(NamedTuple):
    kind: int
    seq_id: int
    method: memoryview
    header: memoryview
    body: memoryview


_LENGTH = struct.Struct("!i")
_HEAD = struct.Struct("!iHHi")


class PureSplitter:
    """A framed-Thrift splitter as a careful Python programmer writes it: struct, memoryviews, only the carry copied."""

    def __init__(self) -> None:
        self._carry = b""

    def feed(self, data: bytes) -> list[PureFrame]:
        if self._carry:
            data = self._carry + data
        view = memoryview(data)
        frames = []
        at, end = 0, len(data)
        while end - at >= 4:
            (length,) = _LENGTH.unpack_from(data, at)
            if length < 16:
                raise ValueError(f"bad frame length {length} at {at}")
            stop = at + 4 + length
            if stop > end:
                break
            _, magic, kind, name_len = _HEAD.unpack_from(data, at)
            if magic != 0x8001:
                raise ValueError(f"bad magic {magic:#x} at {at}")
            name_end = at + 12 + name_len
            (seq_id,) = _LENGTH.unpack_from(data, name_end)
            head_end = name_end + 4
            frames.append(PureFrame(kind, seq_id, view[at + 12 : name_end], view[at:head_end], view[head_end:stop]))
            at = stop
        self._carry = data[at:]
        return frames


_DUBBO = struct.Struct("!HBBqi")


class PureDubboSplitter:
    """The same for Dubbo."""

    def __init__(self) -> None:
        self._carry = b""

    def feed(self, data: bytes) -> list[PureFrame]:
        if self._carry:
            data = self._carry + data
        view = memoryview(data)
        frames = []
        at, end = 0, len(data)
        while end - at >= 16:
            magic, flags, _status, request_id, length = _DUBBO.unpack_from(data, at)
            if magic != 0xDABB or length < 0:
                raise ValueError(f"bad header at {at}")
            body = at + 16
            stop = body + length
            if stop > end:
                break
            frames.append(PureFrame(flags, request_id, view[at:at], view[at:body], view[body:stop]))
            at = stop
        self._carry = data[at:]
        return frames


def thriftpy2_headers(messages: list[bytes]) -> Callable[[], int]:
    """thriftpy2's Cython protocol reading each message's header. Framing is given to it for free: messages are cut."""
    from thriftpy2.protocol import TCyBinaryProtocol
    from thriftpy2.transport import TCyMemoryBuffer

    transport = TCyMemoryBuffer()
    protocol = TCyBinaryProtocol(transport)

    def run() -> int:
        for message in messages:
            transport.setvalue(message)
            protocol.read_message_begin()
        return len(messages)

    return run


def thriftpy2_framed(data: bytes, count: int) -> Callable[[], int]:
    """thriftpy2 as a server uses it: framed transport, the message header read, the arguments skipped."""
    from thriftpy2.protocol import TCyBinaryProtocol
    from thriftpy2.thrift import TType
    from thriftpy2.transport import TCyFramedTransport, TMemoryBuffer

    def run() -> int:
        protocol = TCyBinaryProtocol(TCyFramedTransport(TMemoryBuffer(data)))
        for _ in range(count):
            protocol.read_message_begin()
            protocol.skip(TType.STRUCT)
            protocol.read_message_end()
        return count

    return run


def apache_headers(data: bytes, count: int) -> Callable[[], int]:
    """Apache Thrift's framed transport and accelerated protocol reading each message's header."""
    from thrift.protocol.TBinaryProtocol import TBinaryProtocolAccelerated
    from thrift.transport.TTransport import TFramedTransport, TMemoryBuffer

    def run() -> int:
        transport = TFramedTransport(TMemoryBuffer(data), max_frame_size=1 << 24)
        protocol = TBinaryProtocolAccelerated(transport)
        for _ in range(count):
            transport.readFrame()
            protocol.readMessageBegin()
        return count

    return run


def python_hessian_bodies(bodies: list[bytes]) -> Callable[[], int]:
    """python-hessian reading a Dubbo request body: five strings, one argument, the attachments."""
    from io import BytesIO

    from pyhessian.parser import Parser

    def run() -> int:
        for body in bodies:
            parser = Parser()
            parser.version = 2
            # It reads whole Hessian calls; the bare values of a Dubbo body need its stream set by hand.
            parser._stream = BytesIO(body)
            for _ in range(7):
                parser.read_object()
        return len(bodies)

    return run
