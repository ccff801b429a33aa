"""More clients than work: idle ones, slow ones, and ones that mean no good."""

from __future__ import annotations

import itertools
import selectors
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from chaos.conftest import Show
from chaos.tools import (
    IN_CI,
    Held,
    Hosts,
    Press,
    ProxyProcess,
    all_right,
    bootstrap,
    cluster,
    eventually,
    listener,
    may_open,
    routes,
    scaled,
)

IDLE = 10_000
MEMORY = 8 << 10
"""Bytes that an idle connection may cost: several times what it does cost."""
KIB, MIB = 1 << 10, 1 << 20


def needs(files: int) -> None:
    if reason := may_open(files):
        if IN_CI:
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)


def test_idle_connections_cost_little_and_end(show: Show, figure: Show) -> None:
    """Ten thousand connections, each with an answer behind it, stay open while others go on asking, and take little
    memory. On a listener with an idle timeout each of them gets an orderly end, and those who ask stay.
    """
    needs(IDLE + 500)
    table = routes("table", "all", timeout="30s")
    with Hosts("thrift", 2) as hosts:
        config = bootstrap(
            [cluster("all", hosts.addresses)],
            [listener("thrift", table), listener("thrift", table, "short", idle_timeout="2s")],
        )
        with ProxyProcess(config, files=IDLE + 500) as proxy:
            address, short = proxy.addresses["thrift"], proxy.addresses["short"]
            with Press("thrift", address, connections=16, in_flight=4, rate=2000) as press:
                press.until(1000)
                before = proxy.memory()
                show(f"{IDLE} connections are opened")
                with Held("thrift", address, IDLE) as held:
                    assert held.count == IDLE
                    # Those that were opened first have been idle for as long as it took to open the others.
                    press.until(press.so_far["asked"] + 1000)
                    each = (proxy.memory() - before) / IDLE
                    assert held.open() == IDLE
                    active = proxy.count("downstream_cx_active")
                all_right(press.account())
            eventually(lambda: proxy.count("downstream_cx_active") == 0, "connections are closed with their clients")
            with (
                Press("thrift", short, connections=16, in_flight=4, rate=2000) as press,
                Held("thrift", short, IDLE) as held,
            ):
                show(f"{IDLE} connections time out")
                eventually(lambda: held.open() == 0, "all are closed")
                all_right(press.account())
            assert proxy.count("idle_timeout") == IDLE
    figure(f"{IDLE} idle connections: {each / KIB:.2f} KiB each")
    assert active == IDLE + 16
    assert each < MEMORY


def call(payload: bytes, number: int = 1) -> bytes:
    """A framed call of Thrift with one argument."""
    body = b"\x80\x01\0\x01\0\0\0\x04echo" + struct.pack(">i", number) + b"\x0b\0\x01"
    body += struct.pack(">i", len(payload)) + payload + b"\0"
    return struct.pack(">i", len(body)) + body


NEVER_READS = "never reads"
Sends = dict[str, Iterator[bytes]]


class Crowd:
    """Clients that send in the slowest ways, so many of each kind, from a thread of its own, until they are closed."""

    def __init__(
        self, address: tuple[str, int], kinds: dict[str, Callable[[], Iterator[bytes]]], counts: dict[str, int]
    ) -> None:
        self.closed: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._selector = selectors.DefaultSelector()
        self._sends: dict[socket.socket, tuple[str, Iterator[bytes], bytes]] = {}
        for name, sends in kinds.items():
            for _ in range(counts[name]):
                client = socket.create_connection(address, timeout=20)
                client.setblocking(False)
                self._sends[client] = (name, sends(), b"")
                if name != NEVER_READS:
                    self._selector.register(client, selectors.EVENT_READ)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while self._sends and not self._over.is_set():
            for client in list(self._sends):
                self._send(client)
            until = time.monotonic() + 0.05
            while (left := until - time.monotonic()) > 0:
                for key, _ in self._selector.select(left):
                    assert isinstance(key.fileobj, socket.socket)
                    self._heard(key.fileobj)

    def _send(self, client: socket.socket) -> None:
        name, sends, rest = self._sends[client]
        rest = rest or next(sends, b"")
        try:
            self._sends[client] = (name, sends, rest[client.send(rest) :])
        except BlockingIOError:
            self._sends[client] = (name, sends, rest)
        except OSError:
            self._gone(client)

    def _heard(self, client: socket.socket) -> None:
        try:
            data = client.recv(1024)
        except OSError:
            data = b""
        if data:
            self.wrong.append(f"{self._sends[client][0]}: {data!r}")
        self._gone(client)

    def _gone(self, client: socket.socket) -> None:
        name, _, _ = self._sends.pop(client)
        if name != NEVER_READS:
            self._selector.unregister(client)
        self.closed[name] += 1
        client.close()

    def __enter__(self) -> Crowd:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        for client in self._sends:
            client.close()
        self._selector.close()


def crawl(begin: bytes) -> Callable[[], Iterator[bytes]]:
    """A frame that begins like this, and then comes a byte at a time."""
    return lambda: itertools.chain([begin], itertools.repeat(b"x"))


SHORT, LONG = 20_000, 2_000_000
GET = b"*2\r\n$3\r\nGET\r\n$28\r\nbench:60000:%016x\r\n"
CROWDS: dict[str, dict[str, Callable[[], Iterator[bytes]]]] = {
    "thrift": {
        "a byte at a time": crawl(call(bytes(SHORT))[:30]),
        "a byte at a time of a long frame": crawl(call(bytes(LONG))[:30]),
        "half a header": lambda: iter([b"\0\0\1"]),
        "nothing": lambda: iter([]),
        NEVER_READS: lambda: (call(bytes(60_000), number) for number in itertools.count(1)),
    },
    "redis": {
        "a byte at a time": crawl(b"*2\r\n$3\r\nGET\r\n$%d\r\n" % SHORT),
        "a byte at a time of a long frame": crawl(b"*2\r\n$3\r\nGET\r\n$%d\r\n" % LONG),
        "half a header": lambda: iter([b"*2\r\n$"]),
        "nothing": lambda: iter([]),
        NEVER_READS: lambda: (GET % (2 * number + 1) for number in range(100)),
    },
}


@pytest.mark.parametrize("protocol", list(CROWDS))
def test_who_crawls_harms_nobody_and_is_closed(protocol: str, show: Show, figure: Show) -> None:
    """Two thousand clients that send a byte at a time, stop in a header, say nothing, or ask and never read, while
    others are served without an error, and the proxy's memory stays bounded. The idle timeout of two seconds ends all
    of them.
    """
    counts = {name: scaled(60 if name == NEVER_READS else 500) for name in CROWDS[protocol]}
    size = sum(counts.values())
    needs(2 * size + 500)
    with Hosts(protocol, 2) as hosts:
        table = routes("table", "all", timeout="30s")
        ears = listener(protocol, table, idle_timeout="2s", buffer=64 * KIB)
        config = bootstrap([cluster("all", hosts.addresses)], [ears])
        with ProxyProcess(config) as proxy:
            address = proxy.addresses[protocol]
            with Press(protocol, address, connections=8, in_flight=4, rate=1000) as press:
                press.until(500)
                before = proxy.memory()
                with Crowd(address, CROWDS[protocol], counts) as crowd:
                    peak = 0

                    def gone() -> bool:
                        nonlocal peak
                        peak = max(peak, proxy.memory())
                        left = proxy.count("downstream_cx_active") - 8
                        show(f"{left} of {size} are left; {peak / MIB:.0f} MiB")
                        return crowd.closed.total() == size

                    eventually(gone, f"all are closed: {crowd.closed}", 40)
                    assert not crowd.wrong
                account = press.account()
                all_right(account)
            eventually(lambda: proxy.count("downstream_cx_active") == 0, "nobody is left")
            assert (proxy.count("request_active"), proxy.count("upstream_rq_active")) == (0, 0)
    figure(
        f"{size} clients: {(peak - before) / MIB:.0f} MiB, others' slowest answer after {account['longest_s']:.2f} s"
    )
    assert peak - before < 150 * MIB
