"""Active checks of hosts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from kit.control_plane import CDS, EDS, LDS, ControlPlane
from kit.proxying import (
    Upstream,
    ask,
    assignment,
    bootstrap,
    by_ads,
    cluster_message,
    eds,
    eventually,
    free_port,
    hosts_message,
    in_loop,
    listener,
    listener_message,
    static,
    to,
)

from metaprotocol import Direction, get_codec
from metaprotocol.proxy import Proxy
from metaprotocol.proxy._checks import interval
from metaprotocol.proxy._pings import ping
from metaprotocol.xds import HealthCheck

PING = {
    "custom_health_check": {
        "name": "metaprotocol.health_checkers.ping",
        "typed_config": {
            "@type": "type.googleapis.com/metaprotocol.proxy.v1.Ping",
            "codec": {"name": "aeraki.meta_protocol.codec.redis"},
        },
    }
}
CONNECT: dict[str, Any] = {"tcp_health_check": {}}


def check(how: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "timeout": "1s",
        "interval": "0.02s",
        "no_traffic_interval": "0.02s",
        "unhealthy_threshold": 2,
        "healthy_threshold": 2,
        **how,
        **fields,
    }


def good(proxy: Proxy, cluster: str = "a") -> set[int]:
    """The ports of the hosts that are used."""
    return {int(host["address"].rpartition(":")[2]) for host in proxy.native.hosts()[cluster] if host["usable"]}


@asynccontextmanager
async def proxied(*ports: int, checks: list[dict[str, Any]], ready: bool = True) -> AsyncIterator[Proxy]:
    cluster = static("a", *ports, health_checks=checks, common_lb_config={"healthy_panic_threshold": {"value": 0}})
    config = bootstrap(clusters=[cluster], listeners=[listener("l", {"route_config": to("a")})])
    async with Proxy(config, workers=1).running() as proxy:
        if ready:
            await asyncio.wait_for(proxy.ready(), 20)
        yield proxy


@pytest.mark.parametrize("how", [CONNECT, PING], ids=["connect", "ping"])
@in_loop
async def test_a_host_is_used_while_it_is_well(how: dict[str, Any]) -> None:
    port = free_port()
    async with Upstream("a").serving() as a, proxied(a.port, port, checks=[check(how)]) as proxy:
        assert good(proxy) == {a.port}
        assert await ask(proxy.addresses()["l"]) == "a"
        async with Upstream("b").serving(port=port):
            await eventually(lambda: good(proxy) == {a.port, port})
            assert proxy.stats()["cluster.a.health_check.healthy"] == 2
        await eventually(lambda: good(proxy) == {a.port})
        stats = proxy.stats()
        assert stats["cluster.a.health_check.attempt"] >= stats["cluster.a.health_check.success"] > 0
        assert stats["cluster.a.health_check.failure"] >= stats["cluster.a.health_check.network_failure"] > 0


@in_loop
async def test_no_host_is_used_before_it_was_checked() -> None:
    async with Upstream("a").serving() as a:
        a.silent = True
        slow = check(PING, timeout="30s")
        async with proxied(a.port, checks=[slow], ready=False) as proxy:
            await eventually(lambda: proxy.stats()["cluster.a.health_check.attempt"] == 1)
            assert not good(proxy)
            assert not proxy.live
            assert not proxy.addresses()


@in_loop
async def test_a_wrong_answer_counts_at_once_and_none_does_not() -> None:
    async with Upstream("a").serving() as a, proxied(a.port, checks=[check(PING, unhealthy_threshold=1000)]) as proxy:
        assert good(proxy) == {a.port}
        a.answer = b"-ERR not today\r\n"
        await eventually(lambda: not good(proxy))
        a.answer = None
        await eventually(lambda: good(proxy) == {a.port})
        a.silent = True
        failed = proxy.stats()["cluster.a.health_check.network_failure"]
        a.silent = False
        assert failed == 0


@in_loop
async def test_a_host_that_does_not_answer_in_time_is_not_used() -> None:
    async with Upstream("a").serving() as a, proxied(a.port, checks=[check(PING, timeout="0.1s")]) as proxy:
        a.silent = True
        await eventually(lambda: not good(proxy))
        a.silent = False
        await eventually(lambda: good(proxy) == {a.port})


@in_loop
async def test_bytes_are_sent_and_waited_for() -> None:
    sent = {"send": {"text": b"*1\r\n$4\r\nPING\r\n".hex()}, "receive": [{"text": b"PO".hex()}, {"text": b"G\r".hex()}]}
    never = {"send": sent["send"], "receive": [{"text": b"pong".hex()}]}
    async with Upstream("a").serving() as a, proxied(a.port, checks=[check({"tcp_health_check": sent})]) as proxy:
        assert good(proxy) == {a.port}
        async with proxied(a.port, checks=[check({"tcp_health_check": never}, timeout="0.1s")]) as proxy:
            assert not good(proxy)


@pytest.mark.parametrize("reuse", [True, False])
@in_loop
async def test_connections_are_used_again_if_so_configured(reuse: bool) -> None:
    async with Upstream("a").serving() as a, proxied(a.port, checks=[check(PING, reuse_connection=reuse)]) as proxy:
        await eventually(lambda: proxy.stats()["cluster.a.health_check.success"] >= 5)
        assert (a.connections == 1) is reuse


@in_loop
async def test_all_checks_must_agree() -> None:
    never = {"tcp_health_check": {"send": {"text": "00"}, "receive": [{"text": "00"}]}}
    async with (
        Upstream("a").serving() as a,
        proxied(a.port, checks=[check(CONNECT), check(never, timeout="0.1s")]) as proxy,
    ):
        assert not good(proxy)


@in_loop
async def test_another_port_may_be_asked() -> None:
    async with Upstream("a").serving() as a, Upstream("checked").serving() as checked:
        other = check(PING)
        other["alt_port"] = checked.port
        async with proxied(a.port, checks=[other]) as proxy:
            assert good(proxy) == {a.port}
            assert (a.asked, checked.asked > 0) == (0, True)


@pytest.mark.parametrize("at_once", [False, True])
@in_loop
async def test_hosts_that_discovery_takes_away_stay_while_they_are_well(at_once: bool) -> None:
    plane = ControlPlane()
    async with plane.serving(), Upstream("a").serving() as a, Upstream("b").serving() as b:
        fields = {"health_checks": [check(PING)], "ignore_health_on_host_removal": at_once}
        plane.put(CDS, "1", cluster_message(eds("a", **fields)))
        plane.put(EDS, "1", hosts_message(assignment("a", a.port, b.port)))
        plane.put(LDS, "1", listener_message(listener("l", {"route_config": to("a")})))
        async with Proxy(by_ads(plane.port), workers=1).running() as proxy:
            await asyncio.wait_for(proxy.ready(), 20)
            assert good(proxy) == {a.port, b.port}
            plane.put(EDS, "2", hosts_message(assignment("a", a.port)))
            await eventually(lambda: proxy.stats()["cluster.a.update_success"] == 2)
            assert good(proxy) == ({a.port} if at_once else {a.port, b.port})
            b.answer = b"-ERR gone\r\n"
            await eventually(lambda: proxy.stats()["cluster.a.membership_total"] == 1)
            assert good(proxy) == {a.port}
            assert not plane.nacks


def healthy(**fields: Any) -> HealthCheck:
    return HealthCheck(timeout=1000, unhealthy_threshold=1, healthy_threshold=1, **{"interval": 1000} | fields)


def test_intervals() -> None:
    each = healthy(
        no_traffic_interval=60_000,
        no_traffic_healthy_interval=30_000,
        unhealthy_interval=2000,
        unhealthy_edge_interval=3000,
        healthy_edge_interval=4000,
    )

    def found(good: bool, changing: bool, traffic: bool) -> float:
        return interval(each, good, changing, traffic)

    assert found(True, False, True) == 1
    assert found(True, True, True) == 4
    assert found(False, False, True) == 2
    assert found(False, True, True) == 3
    assert found(False, False, False) == 60
    assert found(True, False, False) == 30
    jittered = healthy(interval_jitter=500, interval_jitter_percent=10, no_traffic_healthy_interval=1)
    assert interval(jittered, True, True, True, lambda: 1.0) == pytest.approx(0 + 0.5)
    steady = healthy(healthy_edge_interval=1000, interval_jitter=500, interval_jitter_percent=10)
    assert interval(steady, True, True, True, lambda: 1.0) == pytest.approx(1 + 0.5 + 0.1)
    assert interval(steady, True, True, True, lambda: 0.0) == 1


@pytest.mark.parametrize("codec", ["dubbo", "kafka", "redis"])
def test_pings_are_requests_of_their_protocol(codec: str) -> None:
    data = ping(codec, 7)
    assert data is not None
    frames = get_codec(codec).connection().feed(Direction.CLIENT_TO_SERVER, data)
    assert [bytes(frame.raw) for frame in frames] == [data]
    assert frames[0].request_id in (7, None)


def test_protocols_without_a_ping_say_so() -> None:
    assert ping("thrift", 1) is None
