"""Sends a plan's calls to a server and pairs the answers: asyncio around connections of the codec."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, cast

from metaprotocol import Direction, Kind
from metaprotocol.cli._terminal import Failure
from metaprotocol.errors import DecodeError, EncodeError, MetaProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

    from metaprotocol import Codec, Frame
    from metaprotocol.cli._replay_plan import Call, Plan, Script

__all__ = ["Counts", "Target", "send_all"]

REQUESTS = Direction.CLIENT_TO_SERVER
ANSWERS = Direction.SERVER_TO_CLIENT


@dataclass(frozen=True)
class Target:
    """Where the calls go, and how."""

    host: str
    port: int
    speed: float | None
    """How many times as fast as captured; None: as soon as the answers of before are in."""
    connections: int | None
    """How many connections share the calls; None: one for each captured one."""
    timeout: float
    """Seconds to wait for a connection, and for an answer."""


@dataclass
class Counts:
    """What was seen besides the calls."""

    connections: int = 0
    heartbeats_answered: int = 0
    late: int = 0
    """Answers after their time was up."""
    unasked: int = 0
    """Answers to nothing that was sent."""


class Wire(asyncio.BufferedProtocol):
    """One connection to the server."""

    def __init__(self, codec: Codec, counts: Counts, settle: Callable[[Call], None]) -> None:
        self._codec = codec
        self._connection = codec.connection()
        self._counts = counts
        self._settle = settle
        self._transport: asyncio.Transport | None = None
        self._calls: dict[int, tuple[Call, float]] = {}
        """What waits for an answer, by the offset of its request in the stream."""
        self._late: set[int] = set()
        self._next_id = 0
        self._writable = asyncio.Event()
        self._writable.set()
        self.why_closed = ""

    @property
    def is_open(self) -> bool:
        """Whether calls can be sent."""
        return self._transport is not None and not self._transport.is_closing() and not self.why_closed

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.close()

    async def send(self, call: Call, timeout: float) -> None:
        """Send a call under a fresh id; when it is settled, `settle` is called."""
        await self._writable.wait()
        if self._transport is None or not self.is_open:
            call.outcome, call.why = "lost", self.why_closed or "the connection ended"
            self._settle(call)
            return
        # An id that is no number stays: the captured client chose it to be unique on its connection.
        if isinstance(call.request.request_id, int):
            self._next_id += 1
            pieces = self._codec.rewrite(call.request, request_id=self._next_id)
        else:
            pieces = [call.request.raw]
        data = b"".join(pieces)
        sent = self._connection.feed(REQUESTS, data)
        self._transport.write(data)
        if call.request.kind is Kind.ONEWAY:
            call.outcome = "oneway"
            self._settle(call)
            return
        [frame] = sent
        self._calls[frame.offset] = call, perf_counter()
        asyncio.get_running_loop().call_later(timeout, self._expire, frame.offset, call)

    def _expire(self, offset: int, call: Call) -> None:
        if self._calls.pop(offset, None) is not None:
            self._late.add(offset)
            call.outcome = "timeout"
            self._settle(call)

    def _answered(self, frame: Frame, now: float) -> None:
        request = self._connection.pair(frame)
        if request is not None and request.offset in self._calls:
            call, sent = self._calls.pop(request.offset)
            call.outcome, call.answer, call.latency_ms = "answered", frame, (now - sent) * 1e3
            self._settle(call)
        elif request is not None and request.offset in self._late:
            self._late.discard(request.offset)
            self._counts.late += 1
        else:
            self._counts.unasked += 1

    def _received(self, frames: list[Frame]) -> None:
        now = perf_counter()
        for frame in frames:
            if frame.kind in (Kind.RESPONSE, Kind.ERROR):
                self._answered(frame, now)
            elif frame.kind is Kind.HEARTBEAT:
                # What is no question of the server cannot be answered.
                with suppress(EncodeError):
                    answer = self._codec.reply(frame)
                    if answer is not None and self._transport is not None:
                        self._transport.write(answer)
                        self._counts.heartbeats_answered += 1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is open."""
        self._transport = cast("asyncio.Transport", transport)
        self._counts.connections += 1

    def get_buffer(self, sizehint: int) -> memoryview:
        """Memory of the decoder itself."""
        return self._connection.get_buffer(ANSWERS, sizehint)

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes came."""
        try:
            self._received(self._connection.buffer_updated(ANSWERS, nbytes))
        except DecodeError as error:
            self._received(list(error.frames))
            self._end(f"the server's bytes are not the protocol: {error}")

    def pause_writing(self) -> None:
        """The server does not read as fast as we write."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over; what waits will not be answered."""
        self._end(f"the connection broke: {exc}" if exc else "the server closed the connection")

    def _end(self, why: str) -> None:
        self.why_closed = self.why_closed or why
        self._writable.set()
        self.close()
        for call, _ in self._calls.values():
            call.outcome, call.why = "lost", self.why_closed
            self._settle(call)
        self._calls.clear()


class _Line:
    """A place for a connection, opened when first needed, and again after it broke."""

    def __init__(self, target: Target, counts: Counts, settle: Callable[[Call], None]) -> None:
        self._target = target
        self._counts = counts
        self._settle = settle
        self._wire: Wire | None = None
        self._opening = asyncio.Lock()

    async def wire(self, codec: Codec) -> Wire:
        async with self._opening:
            wire = self._wire
            if wire is None or not wire.is_open:
                opening = asyncio.get_running_loop().create_connection(
                    lambda: Wire(codec, self._counts, self._settle), self._target.host, self._target.port
                )
                _, opened = await asyncio.wait_for(opening, self._target.timeout)
                self._wire = wire = opened
            return wire

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()


async def send_all(plan: Plan, target: Target, progress: Callable[[], None]) -> Counts:
    """Send the calls of a plan; what becomes of each stands in it afterwards.

    Args:
        plan: What to send.
        target: Where to, and how.
        progress: Called whenever a call is settled.

    Raises:
        Failure: If no connection at all can be made.
    """
    counts = Counts()
    settled: dict[int, asyncio.Event] = {id(call): asyncio.Event() for call in plan.calls}

    def settle(call: Call) -> None:
        settled[id(call)].set()
        progress()

    lines = [_Line(target, counts, settle) for _ in range(target.connections or len(plan.scripts))]
    start = perf_counter()
    begin_ns = plan.calls[0].time_ns if plan.calls else 0

    async def play(script: Script, line: _Line) -> None:
        sent = []
        for call, wait in script.steps:
            if wait:
                await settled[id(call)].wait()
                continue
            if target.speed is not None:
                due = start + (call.time_ns - begin_ns) / 1e9 / target.speed
                await asyncio.sleep(max(0.0, due - perf_counter()))
            sent.append(call)
            try:
                wire = await line.wire(call.codec)
            except (OSError, TimeoutError) as error:
                if not counts.connections:
                    why = str(error) or f"no connection within {target.timeout:g} s"
                    raise Failure(f"cannot connect to {target.host}:{target.port}: {why}") from None
                call.outcome, call.why = "lost", f"cannot connect again: {error}"
                settle(call)
                continue
            try:
                await wire.send(call, target.timeout)
            except MetaProtocolError as error:
                call.why = str(error)
                settle(call)
        for call in sent:
            await settled[id(call)].wait()

    try:
        async with asyncio.TaskGroup() as group:
            for number, script in enumerate(plan.scripts):
                group.create_task(play(script, lines[number % len(lines)]))
    except* Failure as failures:
        raise failures.exceptions[0] from None
    finally:
        for line in lines:
            line.close()
    return counts
