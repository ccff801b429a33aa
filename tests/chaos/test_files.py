"""A proxy that has no file left to open."""

from __future__ import annotations

import socket
import time
from collections import Counter

import pytest
from chaos.conftest import Show
from chaos.tools import (
    Hosts,
    Press,
    ProxyProcess,
    all_right,
    bootstrap,
    cluster,
    eventually,
    listener,
    routes,
    total,
)

FILES = 200
CLIENTS = 400
# Of Redis one for which a client needs a connection of its own.
ASK = {"thrift": b"\0\0\0\x11\x80\x01\0\x01\0\0\0\x04ping\0\0\0\x01\0", "redis": b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"}
OUTLIERS = {"consecutive_5xx": 3, "max_ejection_percent": 100, "base_ejection_time": "300s"}


def answer(client: socket.socket) -> bytes:
    """What comes back: nothing if the connection ends."""
    client.settimeout(30)
    try:
        return client.recv(1000)
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize("protocol", list(ASK))
def test_who_has_a_file_is_served_and_who_has_none_waits(protocol: str, show: Show, figure: Show) -> None:
    """Twice as many clients connect as the proxy may open files. Those it has go on being served without an error.
    The others wait, which costs no CPU, and are served as soon as there is room. Who finds no file for a connection
    to a host is told so, in the protocol; that is counted, and held against no host.
    """
    with Hosts(protocol, 2) as hosts:
        config = bootstrap(
            [cluster("all", hosts.addresses, outlier_detection=OUTLIERS)],
            [listener(protocol, routes("table", "all", timeout="30s"))],
        )
        with ProxyProcess(config, files=FILES) as proxy:
            address = proxy.addresses[protocol]
            with Press(protocol, address, connections=4, in_flight=4, rate=500) as press:
                press.until(200)
                clients = []
                for number in range(CLIENTS):
                    clients.append(socket.create_connection(address, timeout=20))
                    clients[-1].sendall(ASK[protocol])
                    if number % 50 == 0:
                        show(f"{number} of {CLIENTS} clients have come")
                        time.sleep(0.02)
                eventually(lambda: press.so_far["asked"] > 1000, "requests go on")
                begin, before = proxy.cpu(), time.monotonic()
                asked = press.so_far["asked"]
                # Some more knock at the door while all is taken.
                for _ in range(100):
                    clients.append(socket.create_connection(address, timeout=20))
                    clients[-1].sendall(ASK[protocol])
                    time.sleep(0.02)
                busy = (proxy.cpu() - begin) / (time.monotonic() - before)
                open_now = proxy.count("downstream_cx_active")
                assert press.so_far["asked"] > asked
                # Each is served in its turn, once those before it have gone.
                got: Counter[str] = Counter()
                for number, client in enumerate(clients):
                    with client:
                        said = answer(client)
                    kind = "refused" if b"no connection could be opened" in said else "answered" if said else "ended"
                    got[kind] += 1
                    show(f"{number} of {len(clients)} were served")
                all_right(press.account())
            stats = proxy.stats()
            failed = sum(count for name, count in stats.items() if name.endswith(".upstream_cx_connect_fail"))
            ejected = sum(count for name, count in stats.items() if "ejections_enforced_total" in name)
            with Press(protocol, address, connections=8, requests=500) as press:
                all_right(press.account())
    figure(f"{open_now} of {len(clients) + 4} clients open, {busy:.0%} of a CPU meanwhile; {dict(got)}")
    assert open_now < FILES
    assert got["ended"] == 0, got
    assert got["answered"] >= open_now / 2
    # It is tried with each of the hosts.
    assert failed >= got["refused"]
    assert total(stats, "upstream_reset") == got["refused"]
    if protocol == "redis":
        assert got["refused"] > 0
    assert ejected == 0
    assert busy < 0.5, "it turns round and round"
