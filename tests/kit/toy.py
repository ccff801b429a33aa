"""A protocol made for tests, written in Python, that uses every part of the contract.

0  1     2           6            10            14
T  kind  request id  stream + 1   body length   body: lines of key=value
"""

from __future__ import annotations

from typing import Any

import metaprotocol
from metaprotocol import Detection, Direction, ErrorType, Frame, Head, KeyInfo, Kind, Limits, NeedMore, PairBy

HEADER_LEN = 14
BIG_ID = 0xFFFFFFFF  # as the id: the frame carries none


def toy_frame(kind: Kind, request_id: int | None, body: bytes = b"", stream_id: int | None = None) -> bytes:
    number = BIG_ID if request_id is None else request_id
    stream = 0 if stream_id is None else stream_id + 1
    words = b"".join(word.to_bytes(4, "big") for word in (number, stream, len(body)))
    return b"T" + bytes([kind]) + words + body


class Toy(metaprotocol.Codec):
    """Counts its own work, so that tests can bound it."""

    name = "toy"
    aliases = ("example.toy",)
    summary = "a protocol made for tests"
    heartbeats = True
    min_header_len = HEADER_LEN
    open_keys = True
    keys = (KeyInfo("method", "the method called", writable=True), KeyInfo("size", "a number", number=True))

    def __init__(self, pair_by: PairBy = PairBy.ID) -> None:
        self.pair_by = pair_by  # type: ignore[misc]  # a constant of real codecs, varied here
        self.splits = 0
        self.bytes_shown = 0
        self.fields_calls = 0

    def split(
        self,
        buffer: Any,
        *,
        direction: int = Direction.CLIENT_TO_SERVER,
        limits: Limits | None = None,
        state: Any = None,
    ) -> Head | NeedMore:
        self.splits += 1
        view = memoryview(buffer)
        self.bytes_shown += min(view.nbytes, HEADER_LEN)
        if view[0] != ord("T"):
            raise metaprotocol.DecodeError(
                protocol=self.name, offset=0, code="bad_magic", reason=f"magic is {view[0]:#x}, must be 0x54"
            )
        if view.nbytes > 1 and view[1] >= len(Kind):
            raise metaprotocol.DecodeError(protocol=self.name, offset=1, code="bad_value", reason=f"kind is {view[1]}")
        if view.nbytes < HEADER_LEN:
            return NeedMore(HEADER_LEN - view.nbytes)
        number, stream, length = (int.from_bytes(view[at : at + 4], "big") for at in (2, 6, 10))
        return Head(
            Kind(view[1]),
            HEADER_LEN + length,
            header_len=HEADER_LEN,
            request_id=None if number == BIG_ID else number,
            stream_id=stream - 1 if stream else None,
        )

    def fields(self, frame: Frame) -> dict[str, str | int]:
        self.fields_calls += 1
        lines = bytes(frame.body).split(b"\n")
        try:
            pairs = dict(line.decode().split("=", 1) for line in lines if b"=" in line)
            return {key: int(value) if key == "size" else value for key, value in pairs.items()}
        except ValueError as error:
            raise metaprotocol.DecodeError(
                protocol=self.name, offset=frame.offset, code="bad_encoding", reason=str(error)
            ) from error

    def rewrite(self, frame: Frame, *, set: Any = None, remove: Any = None, request_id: Any = None) -> list[Any]:  # noqa: A002
        if not set and not remove and request_id is None:
            return [frame.raw]
        fields = {**self.fields(frame), **(set or {})}
        for key in remove or ():
            fields.pop(key, None)
        body = b"\n".join(f"{key}={value}".encode() for key, value in fields.items())
        number = frame.request_id if request_id is None else request_id
        return [toy_frame(frame.kind, number, body, frame.stream_id)]

    def reply(self, request: Frame, error: ErrorType | None = None, message: str = "") -> bytes | None:
        if request.kind is Kind.ONEWAY:
            return None
        kind = Kind.HEARTBEAT if error is None else Kind.ERROR
        return toy_frame(kind, request.request_id, f"message={message}".encode())

    def detect(self, prefix: Any, *, direction: int = Direction.CLIENT_TO_SERVER) -> Detection:
        front = bytes(memoryview(prefix)[:2])
        if front[:1] not in (b"", b"T") or (len(front) == 2 and front[1] >= len(Kind)):
            return Detection.NO
        return Detection.YES if len(front) == 2 else Detection.NEED_MORE
