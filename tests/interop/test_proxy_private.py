"""QZA and VideoPacket through the proxy: peers by what states the codecs' vectors, since there are no public ones."""

from __future__ import annotations

import importlib.util
import re
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from interop.bootstrap import Between, cluster, proxied, route
from interop.proxy import HOST, PATIENCE
from kit.vectors import CODECS

from metaprotocol import Codec, Direction, Frame, Kind, get_codec

pytestmark = [pytest.mark.interop, pytest.mark.timeout(60, func_only=True)]

BLUE, GREEN = "blue", "green"


def made_by(codec: str) -> Any:
    """The module that makes a codec's vectors."""
    spec = importlib.util.spec_from_file_location(f"{codec}_make", CODECS / codec / "vectors" / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


QZA, VIDEO = made_by("qza"), made_by("videopacket")


@dataclass(frozen=True)
class Spoken:
    """A protocol as its peers write it."""

    name: str
    packet: Callable[[int, int, bytes], bytes]
    """Of a command and an id, with a body; answers are of the same form."""

    @property
    def codec(self) -> Codec:
        return get_codec(self.name)

    def __str__(self) -> str:
        return self.name


def qza(command: int, number: int, body: bytes) -> bytes:
    return bytes(QZA.packet(cmd=command, flow=number, body=body))


def video(command: int, number: int, body: bytes) -> bytes:
    return bytes(VIDEO.packet(VIDEO.basic(command, number), VIDEO.ACCESS, VIDEO.NO_TOKENS, VIDEO.text(3, body)))


BOTH = [Spoken("qza", qza), Spoken("videopacket", video)]


@pytest.fixture(params=BOTH, ids=str)
def spoken(request: pytest.FixtureRequest) -> Spoken:
    chosen: Spoken = request.param
    return chosen


class Server:
    """Answers each packet with one that names the server, the last of a read first."""

    def __init__(self, spoken: Spoken, name: str) -> None:
        self._spoken, self._name = spoken, name
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # Closed: the test is over.
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        connection = self._spoken.codec.connection()
        with client:
            while data := client.recv(65536):
                frames = connection.feed(Direction.CLIENT_TO_SERVER, data)
                client.sendall(b"".join(answer(self._spoken, frame, self._name) for frame in reversed(frames)))


def asked(client: int, command: int, number: int) -> bytes:
    """A body that is like no other, of some length."""
    return f"<{client}/{command}/{number}>".encode() * (1 + number % 9)


def answer(spoken: Spoken, frame: Frame, name: str) -> bytes:
    """It repeats the request's body; the id that the server sees is the proxy's."""
    number = frame.metadata.get("seq_id", frame.request_id)
    command = int(frame.metadata["cmd" if spoken.name == "qza" else "command"])
    said = re.search(rb"(<\d+/\d+/\d+>)+|<>", bytes(frame))
    assert isinstance(number, int)
    assert said is not None
    return spoken.packet(command, number, name.encode() + said[0])


@contextmanager
def serving(spoken: Spoken, *names: str) -> Iterator[list[int]]:
    with ExitStack() as stack:
        servers = [Server(spoken, name) for name in names]
        for server in servers:
            stack.callback(server.close)
        yield [server.port for server in servers]


class Client:
    """A connection on which several calls may be under way."""

    def __init__(self, spoken: Spoken, between: Between) -> None:
        self._codec = spoken.codec
        self._connection = self._codec.connection()
        self._socket = socket.create_connection((HOST, between.port), PATIENCE)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, *packets: bytes) -> list[Frame]:
        """Sends packets, and waits for as many."""
        self._connection.feed(Direction.CLIENT_TO_SERVER, b"".join(packets))
        self._socket.sendall(b"".join(packets))
        frames: list[Frame] = []
        while len(frames) < len(packets):
            data = self._socket.recv(65536)
            assert data, "the connection was closed"
            frames += self._connection.feed(Direction.SERVER_TO_CLIENT, data)
        return frames


def test_calls_are_routed_by_command(spoken: Spoken) -> None:
    """Twelve clients with the same ids, each with many calls under way: each answer is that of its call's server."""
    key = "cmd" if spoken.name == "qza" else "command"
    routes = [route(GREEN, match=[{"name": key, "exact_match": "77"}]), route(BLUE)]

    def talk(client_number: int, between: Between) -> None:
        with Client(spoken, between) as client:
            for first in range(1, 200, 20):
                calls = [(77 if n % 3 else 1 + client_number, n) for n in range(first, first + 20)]
                bodies = {number: asked(client_number, command, number) for command, number in calls}
                expected = {
                    number: spoken.packet(command, number, (b"green" if command == 77 else b"blue") + bodies[number])
                    for command, number in calls
                }
                packets = [spoken.packet(command, number, bodies[number]) for command, number in calls]
                assert {frame.request_id: bytes(frame) for frame in client.ask(*packets)} == expected

    with (
        serving(spoken, BLUE, GREEN) as (blue, green),
        proxied(spoken.name, routes, [cluster(BLUE, blue), cluster(GREEN, green)], workers=2) as between,
        ThreadPoolExecutor(12) as pool,
    ):
        for done in [pool.submit(talk, number, between) for number in range(12)]:
            done.result(40)
        assert between.stat("response_success") == 12 * 200
        assert between.requests(GREEN) == 12 * sum(n % 3 > 0 for n in range(1, 201))
        assert between.stat("cluster.blue.upstream_cx_total") <= 2


def test_errors_are_of_the_request(spoken: Spoken) -> None:
    """No route, no host: the answer says so, has the call's id, and the connection goes on."""
    key = "cmd" if spoken.name == "qza" else "command"
    routes = [
        route(BLUE, match=[{"name": key, "exact_match": "1"}]),
        route("empty", match=[{"name": key, "exact_match": "2"}]),
    ]
    code = "rsp_code" if spoken.name == "qza" else "result"
    with (
        serving(spoken, BLUE) as [port],
        proxied(spoken.name, routes, [cluster(BLUE, port), cluster("empty")]) as between,
        Client(spoken, between) as client,
    ):
        for _ in range(3):
            frames = {
                frame.request_id: frame
                for frame in client.ask(*(spoken.packet(command, 10 * command, b"<>") for command in (1, 2, 3)))
            }
            assert {number: frame.kind for number, frame in frames.items()} == {
                10: Kind.RESPONSE,
                20: Kind.ERROR,
                30: Kind.ERROR,
            }
            assert frames[20].metadata[code] == {"qza": 51, "videopacket": 1}[spoken.name]
            assert frames[30].metadata[code] == {"qza": 50, "videopacket": 8}[spoken.name]
        assert between.stat("route_not_found") == between.stat("no_healthy_upstream") == 3


def test_a_client_that_does_not_number_its_calls() -> None:
    """VideoPacket without ids: each client has a connection to the server for itself."""
    spoken = BOTH[1]

    def talk(between: Between, command: int) -> None:
        with Client(spoken, between) as client:
            for number in range(20):
                body = asked(command, command, number)
                [told] = client.ask(spoken.packet(command, 0, body))
                assert bytes(told) == spoken.packet(command, 0, b"blue" + body)

    with (
        serving(spoken, BLUE) as [port],
        proxied(spoken.name, [route(BLUE)], [cluster(BLUE, port)]) as between,
        ThreadPoolExecutor(8) as pool,
    ):
        for done in [pool.submit(talk, between, command) for command in range(1, 9)]:
            done.result(40)
        assert between.stat("cluster.blue.upstream_cx_total") == 8
