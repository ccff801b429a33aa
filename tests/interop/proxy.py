"""A small proxy between real peers, made of the public API alone.

Every byte goes through a decoder twice: where it comes in, and, after the policy's edits, where it goes out. What a
test wants to know stays in the `Leg`s: bytes, frames, and which response answers which request.
"""

from __future__ import annotations

import itertools
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

from metaprotocol import Codec, Direction, Frame, Kind

if TYPE_CHECKING:
    from typing_extensions import Buffer

HOST = "127.0.0.1"
PATIENCE = 20.0
"""Seconds to wait for what should happen at once."""


@dataclass(frozen=True)
class Verdict:
    """What becomes of a frame. With neither it is dropped."""

    forward: Sequence[Buffer] | None = None
    """Goes on to the other side."""
    answer: Buffer | None = None
    """Goes back to where the frame came from."""


Policy = Callable[[Frame], Verdict]
"""Decides on each frame, of both directions; called from a thread for each connection and direction."""


def pass_through(frame: Frame) -> Verdict:
    """Forwards the frame as `rewrite` gives it when nothing is to be changed."""
    return Verdict(forward=frame.codec.rewrite(frame))


@dataclass(frozen=True)
class Exchange:
    """A request and what answered it, as the client's connection saw them."""

    request: Frame
    response: Frame | None


class Leg:
    """A connection to a client or to a server: both what is read and what is written goes through its decoder."""

    def __init__(self, connected: socket.socket, codec: Codec, inbound: Direction) -> None:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = connected
        self._writing = threading.Lock()
        self.inbound = inbound
        self.connection = codec.connection()
        self.received = bytearray()
        self.sent = bytearray()
        self.frames: list[Frame] = []
        """Of both directions; requests before what answers them."""

    def read(self) -> list[Frame] | None:
        """Waits for bytes and gives the frames that they complete; None at the end of the stream."""
        try:
            # One way of feeding for clients, the other for servers.
            frames = self._read_into() if self.inbound is Direction.CLIENT_TO_SERVER else self._read_bytes()
        except ConnectionResetError:
            frames = None
        if frames is None:
            self.connection.eof(self.inbound)
            return None
        self.frames += frames
        return frames

    def _read_into(self) -> list[Frame] | None:
        with self.connection.get_buffer(self.inbound) as room:
            count = self._socket.recv_into(room)
            self.received += room[:count]
        return self.connection.buffer_updated(self.inbound, count) if count else None

    def _read_bytes(self) -> list[Frame] | None:
        data = self._socket.recv(65536)
        self.received += data
        return self.connection.feed(self.inbound, data) if data else None

    def write(self, buffers: Sequence[Buffer]) -> None:
        """Writes whole frames given in pieces."""
        data = b"".join(buffers)
        with self._writing:
            # Before it is sent: the answer may come at once, and must find its request.
            frames = self.connection.feed(self.inbound.reverse, data)
            assert sum(map(len, frames)) == len(data), f"not whole frames: {frames} of {len(data)} bytes"
            self.frames += frames
            self.sent += data
            # The peer may have gone, not waiting for an answer: whoever reads from it sees that.
            with suppress(BrokenPipeError, ConnectionResetError):
                at_once = self._socket.sendmsg(buffers)
                if at_once < len(data):  # Else the peer may have its last answer and be gone.
                    self._socket.sendall(memoryview(data)[at_once:])

    def end(self) -> None:
        """Says that nothing more will be written."""
        with suppress(OSError):  # The peer has already gone.
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        with suppress(OSError):  # The peer has already gone.
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def exchanges(self) -> list[Exchange]:
        """The calls that the client made, in its order, each with its answer if there was one."""
        answers = {id(frame.request): frame for frame in self.frames if frame.request is not None}
        calls = [
            frame
            for frame in self.frames
            if frame.direction is Direction.CLIENT_TO_SERVER and frame.kind in (Kind.REQUEST, Kind.ONEWAY)
        ]
        return [Exchange(call, answers.get(id(call))) for call in calls]


@dataclass(frozen=True)
class Session:
    """A client's connection and the one that was opened for it."""

    downstream: Leg
    upstream: Leg


class Proxy:
    """Listens on a port of its own and opens a connection to the server for each client.

    A context manager: at its end it waits for the connections to end, and raises what went wrong in its threads.
    """

    def __init__(self, codec: Codec, upstream_port: int, policy: Policy = pass_through) -> None:
        self.codec = codec
        self.sessions: list[Session] = []
        self._upstream_port = upstream_port
        self._policy = policy
        self._failures: list[Exception] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # shutdown, since close alone does not wake the thread that accepts.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._finish()
        if self._failures:
            raise ExceptionGroup("the proxy failed", self._failures)

    def _finish(self) -> None:
        self._join(self._threads)
        for session in self.sessions:
            session.downstream.close()
            session.upstream.close()

    def _join(self, threads: Iterable[threading.Thread]) -> None:
        for thread in threads:
            thread.join(PATIENCE)
            if thread.is_alive():
                self._failures.append(TimeoutError(f"{thread.name} did not end"))

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # Closed: the test is over.
                return
            try:
                self._serve(Leg(client, self.codec, Direction.CLIENT_TO_SERVER))
            except Exception as error:  # noqa: BLE001 -- raised by __exit__
                self._failures.append(error)
                client.close()

    def _connect(self) -> Leg:
        upstream = socket.create_connection((HOST, self._upstream_port), PATIENCE)
        upstream.settimeout(None)
        return Leg(upstream, self.codec, Direction.SERVER_TO_CLIENT)

    def _serve(self, downstream: Leg) -> None:
        upstream = self._connect()
        number = len(self.sessions)
        self.sessions.append(Session(downstream, upstream))
        self._start(f"client {number}", self._pump, downstream, upstream)
        self._start(f"server {number}", self._pump, upstream, downstream)

    def _start(self, name: str, work: Callable[[Leg, Leg], None], source: Leg, target: Leg) -> None:
        def guarded() -> None:
            try:
                work(source, target)
            except Exception as error:  # noqa: BLE001 -- raised by __exit__
                error.add_note(f"in the thread that reads from {name}")
                self._failures.append(error)
                # Nobody reads any more: neither peer shall wait for an answer.
                source.close()
                target.close()

        thread = threading.Thread(target=guarded, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _pump(self, source: Leg, target: Leg) -> None:
        while (frames := source.read()) is not None:
            for frame in frames:
                verdict = self._policy(frame)
                if verdict.forward is not None:
                    target.write(verdict.forward)
                if verdict.answer is not None:
                    source.write([verdict.answer])
        target.end()

    def exchanges(self) -> list[Exchange]:
        """All calls of all clients, those of the first connection first."""
        return [exchange for session in self.sessions for exchange in session.downstream.exchanges()]

    def frames(self, kind: Kind, direction: Direction) -> list[Frame]:
        """What clients sent or were sent."""
        return [
            frame
            for session in self.sessions
            for frame in session.downstream.frames
            if frame.kind is kind and frame.direction is direction
        ]

    def assert_unchanged(self) -> None:
        """Every byte that came in was part of a frame and went out as it was."""
        assert self.sessions, "nobody connected"
        for session in self.sessions:
            down, up = session.downstream, session.upstream
            assert down.received == up.sent
            assert up.received == down.sent
            assert kinds(down.frames) == kinds(up.frames)
            for leg in (down, up):
                assert sum(map(len, leg.frames)) == len(leg.received) + len(leg.sent)
                for way, stream in ((leg.inbound, leg.received), (leg.inbound.reverse, leg.sent)):
                    assert leg.connection.offset(way) == len(stream)
                    assert leg.connection.missing(way) == 0


class Multiplexer(Proxy):
    """Sends the calls of several clients over one connection to the server, under ids of its own.

    Answers heartbeats itself. Forwards nothing before each of `clients` has sent a call, so that their calls are under
    way together.
    """

    def __init__(self, codec: Codec, upstream_port: int, *, clients: int, first_id: int) -> None:
        super().__init__(codec, upstream_port)
        self.together = 0
        """The most calls under way at once."""
        self._ids = itertools.count(first_id)
        self._routes: dict[int | bytes | None, tuple[Leg, Frame]] = {}
        self._barrier = threading.Barrier(clients)
        self.shared = self._connect()

    def __enter__(self) -> Self:
        self._start("the shared server", self._answers, self.shared, self.shared)
        return super().__enter__()

    def _finish(self) -> None:
        server, *clients = self._threads
        self._join(clients)
        self.shared.end()
        self._join([server])
        super()._finish()

    def _serve(self, downstream: Leg) -> None:
        number = len(self.sessions)
        self.sessions.append(Session(downstream, self.shared))
        self._start(f"client {number}", self._calls, downstream, self.shared)

    def _calls(self, source: Leg, target: Leg) -> None:
        waited = False
        while (frames := source.read()) is not None:
            for frame in frames:
                if frame.kind is Kind.HEARTBEAT:
                    answer = self.codec.reply(frame)
                    assert answer is not None
                    source.write([answer])
                    continue
                assert frame.kind in (Kind.REQUEST, Kind.ONEWAY), frame
                own = next(self._ids)
                if frame.kind is Kind.REQUEST:
                    self._routes[own] = (source, frame)
                    self.together = max(self.together, len(self._routes))
                if not waited:
                    self._barrier.wait(PATIENCE)
                    waited = True
                target.write(self.codec.rewrite(frame, request_id=own))
        source.end()

    def _answers(self, source: Leg, _: Leg) -> None:
        while (frames := source.read()) is not None:
            for frame in frames:
                request = source.connection.pair(frame)
                assert request is not None, f"answers nothing: {frame}"
                assert request.request_id == frame.request_id
                client, asked = self._routes.pop(frame.request_id)
                assert isinstance(asked.request_id, int)
                client.write(self.codec.rewrite(frame, request_id=asked.request_id))


def kinds(frames: Iterable[Frame]) -> Counter[tuple[Direction, Kind]]:
    """How many frames there are of each kind, by direction."""
    return Counter((frame.direction, frame.kind) for frame in frames)
