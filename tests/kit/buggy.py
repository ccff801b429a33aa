"""Codecs with one fault each, for the kit to find. Each is the toy codec but for that."""

from __future__ import annotations

import ctypes
import os
from typing import Any, ClassVar

from kit.toy import HEADER_LEN, Toy, toy_frame
from metaprotocol import Direction, Frame, Head, Kind, NeedMore


class Raises(Toy):
    """Asks a table that lacks an entry."""

    def split(self, buffer: Any, **rest: Any) -> Head | NeedMore:
        answer = super().split(buffer, **rest)
        if isinstance(answer, Head) and answer.kind is Kind.STREAM_CLOSE:
            raise KeyError(answer.stream_id)
        return answer


class Aborts(Toy):
    """Dies, as a panic across the C ABI does."""

    def split(self, buffer: Any, **rest: Any) -> Head | NeedMore:
        answer = super().split(buffer, **rest)
        if isinstance(answer, Head) and answer.kind is Kind.STREAM_CLOSE:
            os.abort()
        return answer


class Hangs(Toy):
    """Skips entries of a list, and an empty one never ends."""

    def fields(self, frame: Frame) -> dict[str, str | int]:
        at, body = 0, bytes(frame.body)
        while at < len(body) and body[0] == 0:
            at += body[at]
        return super().fields(frame)


class Overreads(Toy):
    """Believes a length and reads so much memory, as C does."""

    def fields(self, frame: Frame) -> dict[str, str | int]:
        from kit.memory import address

        body = frame.body
        if body.nbytes > 1 and body[0] == ord("m"):
            ctypes.string_at(address(body), 1 + body[1])
        return super().fields(frame)


class Peeks(Toy):
    """Looks behind the view that it was given."""

    def split(self, buffer: Any, **rest: Any) -> Head | NeedMore:
        view = memoryview(buffer)
        if HEADER_LEN > view.nbytes > 1 and isinstance(view.obj, bytes) and len(view.obj) >= HEADER_LEN:
            return super().split(view.obj, **rest)
        return super().split(buffer, **rest)


class DependsOnTheCut(Toy):
    """Takes a frame for another one if its body is there to be seen."""

    def split(self, buffer: Any, **rest: Any) -> Head | NeedMore:
        answer = super().split(buffer, **rest)
        view = memoryview(buffer)
        if isinstance(answer, Head) and view.nbytes > HEADER_LEN and view[HEADER_LEN] == ord("s"):
            return Head(Kind.ONEWAY, answer.frame_len, header_len=HEADER_LEN, request_id=answer.request_id)
        return answer


class TakesMemory(Toy):
    """Makes room for what a length claims."""

    def split(self, buffer: Any, **rest: Any) -> Head | NeedMore:
        view = memoryview(buffer)
        if view.nbytes >= HEADER_LEN and view[0] == ord("T"):
            bytearray(int.from_bytes(view[10:14], "big"))
        return super().split(buffer, **rest)


class Leaks(Toy):
    """Keeps something of every frame."""

    kept: ClassVar[list[bytearray]] = []

    def fields(self, frame: Frame) -> dict[str, str | int]:
        self.kept.append(bytearray(b"x" * (1 << 16)))
        return super().fields(frame)


class OverAsks(Toy):
    """Asks for more than the shortest frame has."""

    def split(self, buffer: Any, **rest: Any) -> Head | NeedMore:
        answer = super().split(buffer, **rest)
        return NeedMore(answer.at_least + 8) if isinstance(answer, NeedMore) else answer


class Normalises(Toy):
    """Writes a frame without edits as it would have written it."""

    def rewrite(self, frame: Frame, **edits: Any) -> list[Any]:
        if not any(edits.values()) and frame.kind is Kind.REQUEST:
            return [toy_frame(frame.kind, frame.request_id, bytes(frame.body).strip(), frame.stream_id)]
        return super().rewrite(frame, **edits)


class AnswersAnother(Toy):
    """Replies with an id of its own."""

    def reply(self, request: Frame, error: Any = None, message: str = "") -> bytes | None:
        if request.kind is Kind.ONEWAY:
            return None
        return toy_frame(Kind.HEARTBEAT if error is None else Kind.ERROR, 1, b"message=no")


class TakesBackANo(Toy):
    """Says no to two bytes and yes to four."""

    def detect(self, prefix: Any, *, direction: int = Direction.CLIENT_TO_SERVER) -> Any:
        from metaprotocol import Detection

        return Detection.YES if len(memoryview(prefix)) > 3 else Detection.NO


class Rescans(Toy):
    """Frames end with a line feed, which is looked for from the start each time."""

    def split(self, buffer: Any, **rest: Any) -> Head | NeedMore:
        end = bytes(buffer).find(b"\n")
        return NeedMore() if end < 0 else Head(Kind.ONEWAY, end + 1, header_len=end + 1)
