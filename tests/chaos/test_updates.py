"""The configuration changes all the time, and nobody who asks notices."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time

import pytest
from chaos.conftest import Show
from chaos.tools import (
    PROTOCOLS,
    Hosts,
    Json,
    Press,
    all_right,
    bootstrap,
    cluster,
    eventually,
    hosts,
    listener,
    routes,
    scaled,
    seeded,
    total,
)
from kit.control_plane import RDS, ControlPlane
from kit.proxying import control, grpc_source, http_to, rds, routes_message

from metaprotocol.proxy import Proxy

REQUESTS = 60_000
UPDATES = 6_000
RATE = 10_000
PACE = 1_000
"""Updates a second."""


class Churn:
    """Changes one after another: mostly routes; hosts that come, drain and go; a cluster and a listener that come and
    go.
    """

    def __init__(self, proxy: Proxy, protocol: str, addresses: list[str], seed: str) -> None:
        self._proxy, self._protocol, self._addresses = proxy, protocol, addresses
        self._random = seeded(seed)
        self.done = {"routes": 0, "hosts": 0, "clusters": 0, "listeners": 0}
        self._extra = self._other = False

    def change(self, number: int) -> None:
        match number % 100:
            case 50:
                self._cluster()
            case 75:
                self._listener()
            case each if each % 10 == 9:
                self._hosts()
            case _:
                self._routes()

    def _routes(self) -> None:
        to = self._random.choice(["a", "b", *(["c"] if self._extra else [])])
        table = routes("table", to, count=self._random.randrange(1, 6), timeout="30s")
        self._proxy.update(routes={"table": table})
        self.done["routes"] += 1

    def _hosts(self) -> None:
        shuffled = self._random.sample(self._addresses, len(self._addresses))
        there = self._random.randrange(1, len(shuffled) + 1)
        draining = self._random.randrange(len(shuffled) - there + 1)
        name = self._random.choice("ab")
        self._proxy.update(hosts={name: hosts(name, shuffled[:there], shuffled[there : there + draining])})
        self.done["hosts"] += 1

    def _cluster(self) -> None:
        """One that comes before its routes, and goes when no route leads there any more: all of an update is one."""
        if self._extra:
            self._proxy.update(routes={"table": routes("table", "a")}, clusters={"c": None})
        else:
            self._proxy.update(routes={"table": routes("table", "c")}, clusters={"c": cluster("c", self._addresses)})
        self._extra = not self._extra
        self.done["clusters"] += 1

    def _listener(self) -> None:
        other = None if self._other else listener(self._protocol, routes("other", "b"), "other")
        self._proxy.update(listeners={"other": other})
        self._other = not self._other
        self.done["listeners"] += 1

    def run(self, press: Press, count: int, requests: int, show: Show) -> tuple[int, float]:
        """At least so many changes, and on until so many requests were asked. How many there were, and their rate."""
        begin = time.monotonic()
        for number in itertools.count():
            if number >= count and press.so_far["asked"] >= requests:
                return number, number / (time.monotonic() - begin)
            if (ahead := begin + number / PACE - time.monotonic()) > 0:
                time.sleep(ahead)
            if number % 250 == 0:
                show(f"{number} updates, {press.so_far['asked']} requests")
            self.change(number)
        raise AssertionError


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nobody_notices_that_everything_changes(protocol: str, workers: int, show: Show, figure: Show) -> None:
    """A thousand updates a second (routes; hosts that come, drain and go; clusters and listeners that come and go)
    while ten thousand requests a second flow: each is answered rightly, and no connection of a client is closed.
    """
    with Hosts(protocol, 4) as servers:
        config = bootstrap(
            [cluster("a", servers.addresses[:2]), cluster("b", servers.addresses[2:])],
            [listener(protocol, routes("table", "a", timeout="30s"))],
        )
        proxy = Proxy(config, workers=workers)
        proxy.start()
        try:
            proxy.wait_ready(20)
            churn = Churn(proxy, protocol, servers.addresses, f"updates {protocol} {workers}")
            options = {"connections": 32, "in_flight": 16, "rate": RATE, "requests": scaled(REQUESTS)}
            with Press(protocol, proxy.addresses()[protocol], **options) as press:
                press.until(1)
                updates, pace = churn.run(press, scaled(UPDATES), scaled(REQUESTS), show)
                account = press.account()
            stats = proxy.stats()
        finally:
            proxy.stop()
        counts = servers.counts()
    figure(f"{updates} updates at {pace:.0f}/s, {account['asked']} requests at {account['per_s']:.0f}/s: no error")
    all_right(account)
    assert account["opened"] == 32
    assert account["asked"] >= scaled(REQUESTS)
    assert updates >= scaled(UPDATES)
    assert all(churn.done.values()), churn.done
    assert sum(churn.done.values()) == updates
    # The changes did change something, and nothing was asked twice.
    assert counts["bad"] == 0
    assert sum(each["asked"] for each in counts["hosts"]) == account["asked"]
    assert all(each["asked"] for each in counts["hosts"])
    assert total(stats, "request") == account["asked"]
    assert (total(stats, "request_active"), total(stats, "upstream_rq_active")) == (0, 0)


TABLES = 3_000


class PlaneThread:
    """A control plane in a thread of its own."""

    def __init__(self) -> None:
        self.plane = ControlPlane()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=[self._serve()])
        self._over = asyncio.Event()
        self._ready = threading.Event()

    async def _serve(self) -> None:
        async with self.plane.serving():
            self._ready.set()
            await self._over.wait()

    def put(self, version: str, table: Json) -> None:
        self._loop.call_soon_threadsafe(self.plane.put, RDS, version, routes_message(table))

    def accepted(self) -> int:
        """How many tables were. Under way, an acceptance may name a later version than it is for."""
        asked = self.plane.of(RDS)
        return len({each.response_nonce for each in asked if each.response_nonce and not each.HasField("error_detail")})

    def __enter__(self) -> PlaneThread:
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(20)
        self._loop.close()

    @property
    def port(self) -> int:
        return self.plane.port


@pytest.mark.parametrize("protocol", ["thrift", "redis"])
def test_routes_are_discovered_all_the_time(protocol: str, show: Show, figure: Show) -> None:
    """A control plane sends table after table by MetaRDS, each of which is accepted by its version, while requests
    flow.
    """
    with Hosts(protocol, 2) as servers, PlaneThread() as control_plane:
        source = grpc_source()
        config = bootstrap(
            [
                *(cluster(name, [at]) for name, at in zip("ab", servers.addresses, strict=True)),
                control(control_plane.port),
            ],
            [listener(protocol, rds("table", source))],
        )
        control_plane.put("0", http_to("table", "a"))
        proxy = Proxy(config, workers=1)
        proxy.start()
        try:
            proxy.wait_ready(20)
            options = {"connections": 16, "in_flight": 8, "rate": RATE / 2, "requests": scaled(5 * TABLES)}
            with Press(protocol, proxy.addresses()[protocol], **options) as press:
                press.until(1)
                begin = time.monotonic()
                for number in range(1, scaled(TABLES) + 1):
                    if (ahead := begin + number / PACE - time.monotonic()) > 0:
                        time.sleep(ahead)
                    if number % 250 == 0:
                        show(f"{number} tables, {press.so_far['asked']} requests")
                    control_plane.put(str(number), http_to("table", "ab"[number % 2]))
                eventually(lambda: control_plane.accepted() == scaled(TABLES) + 1, "all tables are accepted")
                pace = scaled(TABLES) / (time.monotonic() - begin)
                account = press.account()
            stats = proxy.stats()
        finally:
            proxy.stop()
        counts = servers.counts()
    figure(
        f"{scaled(TABLES)} tables at {pace:.0f}/s, {account['asked']} requests at {account['per_s']:.0f}/s: no error"
    )
    all_right(account)
    assert account["asked"] >= scaled(5 * TABLES)
    assert total(stats, "rds.table.update_success") == scaled(TABLES) + 1
    assert not control_plane.plane.nacks
    assert counts["bad"] == 0
    assert all(each["asked"] for each in counts["hosts"])
    assert sum(each["asked"] for each in counts["hosts"]) == account["asked"]
