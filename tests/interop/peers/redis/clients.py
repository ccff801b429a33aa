"""Clients of Redis that tell what they sent, what they got, and which answer they took for which command."""

from __future__ import annotations

import shlex
import socket
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import redis.asyncio
from interop.peers.redis.redis_servers import HOST, command
from interop.peers.redis.wire import Incomplete, Reader, Said
from redis._parsers import _HiredisParser, _RESP2Parser, _RESP3Parser
from redis.connection import HiredisRespSerializer, PythonRespSerializer

PORT = 6379
"""The usual one, at which scenarios find their server."""

MESSAGES = (b"message", b"pmessage", b"smessage", b"invalidate")


@dataclass
class Log:
    """What the client of one connection says of it."""

    sent: list[list[bytes] | None] = field(default_factory=list)
    got: list[tuple[Any, int | None]] = field(default_factory=list)
    """Values, and which command each answers."""
    open: deque[int] = field(default_factory=deque)
    """For redis-py: commands that wait for an answer, one entry for each that is due."""

    def flush(self, packed: list[list[bytes]]) -> None:
        """What was packed is about to be sent."""
        for words in packed:
            subscribing = words[0].lower().endswith(b"subscribe")
            self.open.extend([len(self.sent)] * (len(words) - 1 if subscribing else 1))
            self.sent.append(words)
        packed.clear()

    def read(self, value: Any) -> None:
        # Nothing is open: redis-py has looked for pushes, and handled one.
        message = isinstance(value, list) and value and value[0] in MESSAGES
        if message or self.open:
            self.got.append((value, None if message else self.open.popleft()))


LOGS: dict[int, Log] = {}
"""By the client's port."""


def as_bytes(value: Any) -> bytes:
    return bytes(value) if isinstance(value, bytes | bytearray | memoryview) else str(value).encode()


def log_of(port: int) -> Log:
    return LOGS.setdefault(port, Log())


def words_of(arguments: tuple[Any, ...]) -> list[bytes]:
    """What redis-py makes of a command: the first may be several words."""
    name, *rest = map(as_bytes, arguments)
    return [*name.split(), *rest]


class Packer:
    """Notes each command before it becomes bytes."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.waiting: list[list[bytes]] = []

    def pack(self, *arguments: Any) -> Any:
        self.waiting.append(words_of(arguments))
        return self.inner.pack(*arguments)


class Plain(redis.Connection):
    """A connection of redis-py that tells what it does."""

    _command_packer: Packer

    def _construct_command_packer(self, packer: Any) -> Packer:
        if isinstance(self._parser, _HiredisParser):
            return Packer(HiredisRespSerializer())
        return Packer(PythonRespSerializer(self._buffer_cutoff, self.encoder.encode))

    def send_packed_command(self, *arguments: Any, **options: Any) -> None:
        log_of(self._sock.getsockname()[1]).flush(self._command_packer.waiting)
        super().send_packed_command(*arguments, **options)

    def read_response(self, *arguments: Any, **options: Any) -> Any:
        log = log_of(self._sock.getsockname()[1])
        try:
            value = super().read_response(*arguments, **options)
        except redis.ResponseError as error:
            log.read(error)
            raise
        log.read(value)
        return value


class Newer(Plain):
    """redis-py asks for Redis 7.4 before it caches; what it uses is in 7.0 as well."""

    @property
    def handshake_metadata(self) -> dict[bytes, bytes]:
        return {**(self._handshake_metadata or {}), b"version": b"7.4.0"}

    @handshake_metadata.setter
    def handshake_metadata(self, value: Any) -> None:
        self._handshake_metadata = value


class PlainAsync(redis.asyncio.Connection):
    """The same for redis.asyncio."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._waiting: list[list[bytes]] = []

    def pack_command(self, *arguments: Any) -> Any:
        self._waiting.append(words_of(arguments))
        return super().pack_command(*arguments)

    def _port(self) -> int:
        return int(self._writer.get_extra_info("sockname")[1])

    async def send_packed_command(self, *arguments: Any, **options: Any) -> None:
        log_of(self._port()).flush(self._waiting)
        await super().send_packed_command(*arguments, **options)

    async def read_response(self, *arguments: Any, **options: Any) -> Any:
        log = log_of(self._port())
        try:
            value = await super().read_response(*arguments, **options)
        except redis.ResponseError as error:
            log.read(error)
            raise
        log.read(value)
        return value


def options(protocol: int, parser: str = "python") -> dict[str, Any]:
    """How redis-py shall speak and read."""
    parsers = {("python", 2): _RESP2Parser, ("python", 3): _RESP3Parser}
    return {"protocol": protocol, "parser_class": parsers.get((parser, protocol), _HiredisParser)}


@contextmanager
def redis_py(
    protocol: int, parser: str = "python", connection: type[Plain] = Plain, **more: Any
) -> Iterator[redis.Redis]:
    pool = redis.ConnectionPool(
        connection_class=connection, host=HOST, port=PORT, retry=None, **options(protocol, parser), **more
    )
    client = redis.Redis(connection_pool=pool)
    try:
        yield client
    finally:
        client.close()
        pool.disconnect()


class TellingPool(redis.ConnectionPool):
    """For a client of a cluster, which makes the pools itself."""

    def __init__(self, **more: Any) -> None:
        super().__init__(connection_class=Plain, parser_class=_RESP3Parser, **more)


class Talker:
    """A client that says with each message what it takes it for."""

    def __init__(self, port: int = PORT, protocol: int = 2) -> None:
        self.socket = socket.create_connection((HOST, port), 20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.log = log_of(self.socket.getsockname()[1])
        self._buffer = b""
        if protocol == 3:
            self("HELLO", 3)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, *arguments: Any) -> int:
        """Sends a command and gives its number."""
        return self.raw(command(*arguments), [as_bytes(each) for each in arguments])

    def raw(self, data: bytes, *commands: list[bytes] | None) -> int:
        """Sends bytes that are these commands, and gives the number of the first."""
        first = len(self.log.sent)
        self.log.sent += commands
        self.socket.sendall(data)
        return first

    def read(self, answers: int | None) -> Said:
        while True:
            reader = Reader(self._buffer)
            try:
                value = reader.message()["value"]
            except Incomplete:
                data = self.socket.recv(65536)
                if not data:
                    raise ConnectionError("the server closed the connection") from None
                self._buffer += data
                continue
            self._buffer = self._buffer[reader.at :]
            self.log.got.append((value, answers))
            return value

    def peek(self) -> bytes:
        """The first byte of the next message."""
        if not self._buffer:
            self._buffer = self.socket.recv(65536)
        return self._buffer[:1]

    def closed(self) -> bool:
        """Whether the server has closed the connection and said nothing more."""
        return not self._buffer and not self.socket.recv(1)

    def __call__(self, *arguments: Any) -> Said:
        return self.read(self.send(*arguments))

    def line(self, line: str) -> Said:
        """A command and its arguments, with blanks between."""
        return self(*shlex.split(line))

    def lines(self, lines: str) -> list[Said]:
        return [self.line(line) for line in lines.strip().splitlines()]


def error(value: Said) -> str:
    return str(value["error"])


def is_error(value: Said, prefix: str) -> bool:
    return isinstance(value, dict) and str(value.get("error", "")).startswith(prefix)
