"""Frames of 16 MiB, both ways, and peers that are slow to take them."""

from __future__ import annotations

import hashlib
import socket
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest
from chaos.conftest import Show
from chaos.tools import (
    ProxyProcess,
    bootstrap,
    cluster,
    listener,
    routes,
    scaled,
)

MIB = 1 << 20
SIZE = 16 * MIB
CLIENTS = 6
ROUNDS = 3
PIECE = 256 << 10


def payload(number: int) -> bytes:
    """Bytes that no other number has, in no place that others have them in."""
    seed = hashlib.sha256(b"%d" % number).digest()
    return (seed * (SIZE // len(seed) + 1))[number % 31 :][:SIZE]


def thrift(data: bytes, number: int, kind: int = 1) -> bytes:
    field = 1 if kind == 1 else 0
    body = struct.pack(">HBBi4siBhi", 0x8001, 0, kind, 4, b"echo", number, 0x0B, field, len(data)) + data + b"\0"
    return struct.pack(">i", len(body)) + body


def echo_thrift(frame: bytes) -> bytes:
    """The answer is the call, with another type, and its first field by another number."""
    return frame[:7] + b"\x02" + frame[8:21] + b"\0\0" + frame[23:]


def redis(data: bytes, number: int) -> bytes:
    del number
    return b"*2\r\n$4\r\nECHO\r\n$%d\r\n%s\r\n" % (len(data), data)


def exactly(connection: socket.socket, count: int, pause: float = 0) -> bytearray:
    found = bytearray(count)
    view, at = memoryview(found), 0
    while at < count:
        got = connection.recv_into(view[at : at + PIECE])
        if not got:
            raise EOFError(f"closed behind {at} of {count} bytes")
        at += got
        if pause:
            time.sleep(pause)
    return found


class Echo:
    """A server that sends back what it gets, a whole frame at a time."""

    def __init__(self, protocol: str) -> None:
        self._protocol = protocol
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "{}:{}".format(*self._listener.getsockname())
        self._connections: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._connections.append(connection)
                self._threads.append(threading.Thread(target=self._serve, args=[connection]))
                self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError, EOFError):
            while True:
                if self._protocol == "thrift":
                    head = bytes(exactly(connection, 4))
                    connection.sendall(echo_thrift(head + exactly(connection, struct.unpack(">i", head)[0])))
                else:
                    self._redis(connection)

    def _redis(self, connection: socket.socket) -> None:
        line = b""
        words: list[bytes] = []
        for _ in range(int(self._line(connection)[1:])):
            line = self._line(connection)
            words.append(bytes(exactly(connection, int(line[1:]) + 2)))
        connection.sendall(line + b"\r\n" + words[-1])

    @staticmethod
    def _line(connection: socket.socket) -> bytes:
        line = bytearray()
        while not line.endswith(b"\r\n"):
            line += exactly(connection, 1)
        return bytes(line[:-2])

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)


@contextmanager
def echo(protocol: str) -> Iterator[Echo]:
    server = Echo(protocol)
    try:
        yield server
    finally:
        server.close()


def converse(protocol: str, address: tuple[str, int], client: int, rounds: int) -> int:
    """Ask with long frames, and check the answers; every second client takes them slowly. How many bytes went each
    way.
    """
    pause = 0.002 if client % 2 else 0
    with socket.create_connection(address, timeout=60) as connection:
        for number in range(client * rounds, (client + 1) * rounds):
            data = payload(number)
            ask = thrift(data, number + 1) if protocol == "thrift" else redis(data, number)
            want = echo_thrift(ask) if protocol == "thrift" else b"$%d\r\n%s\r\n" % (len(data), data)
            sender = threading.Thread(target=connection.sendall, args=[ask])
            sender.start()
            got = exactly(connection, len(want), pause)
            sender.join()
            assert got == want, f"{number}: another answer"
    return rounds * SIZE


@pytest.mark.parametrize("protocol", ["thrift", "redis"])
def test_long_frames_pass_in_little_memory(protocol: str, show: Show, figure: Show) -> None:
    """Several clients send and get frames of 16 MiB at once, half of them slowly: each answer is the right one, and the
    proxy never holds more than parts of them.
    """
    rounds = scaled(ROUNDS)
    with echo(protocol) as server:
        config = bootstrap(
            [cluster("all", [server.address])], [listener(protocol, routes("table", "all", timeout="60s"))]
        )
        with ProxyProcess(config) as proxy, ThreadPoolExecutor(CLIENTS) as threads:
            address = proxy.addresses[protocol]
            before = proxy.memory("VmHWM")
            begin = time.monotonic()
            talks = [threads.submit(converse, protocol, address, client, rounds) for client in range(CLIENTS)]
            while not all(talk.done() for talk in talks):
                show(f"{sum(talk.done() for talk in talks)} of {CLIENTS} are done; {proxy.memory() / MIB:.0f} MiB")
                time.sleep(0.2)
            moved = sum(talk.result() for talk in talks)
            seconds = time.monotonic() - begin
            grown = proxy.memory("VmHWM") - before
            assert proxy.count("request") == CLIENTS * rounds
            assert proxy.count("response_success") == CLIENTS * rounds
    figure(f"{moved / MIB:.0f} MiB each way at {moved / MIB / seconds:.0f} MiB/s, in {grown / MIB:.0f} MiB")
    assert grown < 3 * SIZE
