"""How clients leave: nobody who asks is closed on."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time

from kit.proxies import Upstream, bootstrap, call, read_frame

from metaprotocol.proxy import Proxy


def test_who_has_just_come_or_asked_is_served_first(upstream: Upstream) -> None:
    proxy = Proxy(bootstrap(upstream.port, admin=False), workers=1)
    proxy.start()
    address = proxy.addresses()["thrift"]
    with socket.create_connection(address, timeout=5) as fresh, socket.create_connection(address, timeout=5) as busy:
        busy.sendall(call(1))
        assert read_frame(busy)
        began = time.monotonic()
        proxy.drain(patience=60)
        time.sleep(0.2)
        fresh.sendall(call(2))
        assert read_frame(fresh)
        # As long as it does not pause for a second, it goes on.
        for number in range(15):
            time.sleep(0.1)
            busy.sendall(call(number))
            assert read_frame(busy)
        assert fresh.recv(1) == b""
        assert busy.recv(1) == b""
        assert 2 < time.monotonic() - began < 20
    assert proxy.stop(drain_timeout=5)


def test_who_never_pauses_is_closed_between_two_requests(upstream: Upstream) -> None:
    proxy = Proxy(bootstrap(upstream.port, admin=False), workers=1)
    proxy.start()
    with socket.create_connection(proxy.addresses()["thrift"], timeout=5) as busy:
        busy.sendall(call(0))
        assert read_frame(busy)
        proxy.drain(patience=0.3)
        answered, until = 0, time.monotonic() + 20
        while time.monotonic() < until:
            try:
                busy.sendall(call(answered))
                read_frame(busy)
            except (EOFError, ConnectionError):
                break
            answered += 1
            time.sleep(0.02)
        else:
            raise AssertionError("it was never closed")
        assert answered > 3
    assert proxy.stats()["meta_protocol.thrift.ingress.cx_destroy_local_with_active_rq"] == 0
    proxy.stop()


def test_the_time_to_drain_bounds_it(upstream: Upstream) -> None:
    upstream.delay = 30

    async def main() -> float:
        async with Proxy(bootstrap(upstream.port, admin=False), workers=1).running(drain_timeout=0.5) as proxy:
            connection = socket.create_connection(proxy.addresses()["thrift"], timeout=5)
            connection.sendall(call(1))
            await asyncio.sleep(0.2)
            began = time.monotonic()
        # It is cut: with an end, or with a reset.
        with connection, contextlib.suppress(ConnectionResetError):
            assert await asyncio.to_thread(connection.recv, 1) == b""
        return time.monotonic() - began

    assert 0.4 < asyncio.run(main()) < 5
