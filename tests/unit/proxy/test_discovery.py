"""Discovery, against a control plane in the same process: every rule for each way it is asked."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest
from kit.control_plane import CDS, EDS, LDS, RDS, ControlPlane
from kit.proxying import (
    Client,
    Upstream,
    ask,
    assignment,
    becomes,
    bootstrap,
    by_ads,
    cluster_message,
    comes_from,
    control,
    eds,
    eventually,
    free_port,
    grpc_source,
    hosts_message,
    http_to,
    in_loop,
    listener,
    listener_message,
    message,
    rds,
    routes_message,
    static,
    to,
)

from metaprotocol.proxy import Proxy
from metaprotocol.proxy._backoff import Backoff
from metaprotocol.xds import ConfigError
from metaprotocol.xds.gen.aeraki.meta_protocol_proxy.config.route.v1alpha.route_pb2 import (
    RouteConfiguration as MetaRoutes,
)


class Way(NamedTuple):
    """A way to ask."""

    ads: bool
    delta: bool

    def source(self, timeout: str = "15s") -> dict[str, Any]:
        if self.ads:
            return {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": timeout}
        return grpc_source(delta=self.delta, timeout=timeout)

    def bootstrap(self, *ports: int, timeout: str = "15s", **fields: Any) -> dict[str, Any]:
        dynamic = {"lds_config": self.source(timeout), "cds_config": self.source(timeout)}
        if self.ads:
            dynamic["ads_config"] = grpc_source(delta=self.delta)["api_config_source"]
        return bootstrap(clusters=[control(*ports)], dynamic_resources=dynamic, **fields)


WAYS = [Way(ads, delta) for ads in (True, False) for delta in (False, True)]
IDS = [f"{'ads' if way.ads else 'streams'}-{'delta' if way.delta else 'whole'}" for way in WAYS]
every_way = pytest.mark.parametrize("way", WAYS, ids=IDS)


NO_HOSTS = "-CLUSTERDOWN meta protocol router: no healthy upstream"


def quick() -> Backoff:
    return Backoff(0.01, 0.05)


class Mesh:
    """A control plane, two servers, and a proxy that finds them all."""

    def __init__(self, way: Way, plane: ControlPlane, a: Upstream, b: Upstream, proxy: Proxy) -> None:
        self.way, self.plane, self.a, self.b, self.proxy = way, plane, a, b, proxy

    @property
    def address(self) -> tuple[str, int]:
        return self.proxy.addresses()["l"]

    def stat(self, name: str) -> int:
        return self.proxy.stats()[name]

    async def stat_is(self, name: str, value: int) -> None:
        await eventually(lambda: self.proxy.stats().get(name) == value, f"{name} is {value}")

    def rds(self, name: str) -> int:
        return self.stat(f"meta_protocol.redis.l.rds.r.{name}")


@asynccontextmanager
async def mesh(way: Way, *, ready: bool = True) -> AsyncIterator[Mesh]:
    plane = ControlPlane()
    async with plane.serving(), Upstream("a").serving() as a, Upstream("b").serving() as b:
        plane.put(CDS, "1", cluster_message(eds("a", way.source())), cluster_message(eds("b", way.source(), "b-hosts")))
        plane.put(EDS, "1", hosts_message(assignment("a", a.port)), hosts_message(assignment("b-hosts", b.port)))
        plane.put(LDS, "1", listener_message(listener("l", rds("r", way.source()))))
        plane.put(RDS, "1", routes_message(http_to("r", "a")))
        proxy = Proxy(way.bootstrap(plane.port), workers=1, backoff=quick)
        async with proxy.running():
            if ready:
                await asyncio.wait_for(proxy.ready(), 20)
            yield Mesh(way, plane, a, b, proxy)


@every_way
@in_loop
async def test_all_is_found(way: Way) -> None:
    async with mesh(way) as m:
        assert m.proxy.live
        assert await ask(m.address) == "a"
        assert m.stat("control_plane.connected_state") == 1
        assert m.stat("cluster.a.update_success") == m.stat("cluster.b.update_success") == 1
        assert m.stat("cluster_manager.cds.update_success") == m.stat("listener_manager.lds.update_success") == 1
        assert m.rds("update_success") == m.rds("config_reload") == 1
        assert m.plane.asked(EDS) == {"a", "b-hosts"}
        assert m.plane.asked(RDS) == {"r"}
        assert m.plane.opened == (1 if way.ads else 4)
        assert not m.plane.nacks


@every_way
@in_loop
async def test_routes_change_under_a_client(way: Way) -> None:
    async with mesh(way) as m, Client(m.address) as client:
        assert await client.ask() == "a"
        m.plane.put(RDS, "2", routes_message(http_to("r", "b")))
        await m.stat_is("meta_protocol.redis.l.rds.r.config_reload", 2)
        await becomes(client, "b")
        assert m.stat("listener.l.downstream_cx_total") == 1


@every_way
@in_loop
async def test_what_has_not_changed_is_not_done_again(way: Way) -> None:
    async with mesh(way) as m:
        m.plane.put(RDS, "2", routes_message(http_to("r", "a")))
        m.plane.put(EDS, "2", *m.plane.worlds[EDS][1].values())
        m.plane.put(CDS, "2", *m.plane.worlds[CDS][1].values())
        m.plane.put(LDS, "2", *m.plane.worlds[LDS][1].values())
        await m.stat_is("listener_manager.lds.update_success", 2)
        await m.stat_is("meta_protocol.redis.l.rds.r.update_success", 2)
        await m.stat_is("cluster.a.update_success", 2)
        assert m.rds("config_reload") == 1
        assert m.stat("cluster.a.membership_change") == 1
        assert m.stat("cluster_manager.cluster_modified") == m.stat("listener_manager.listener_modified") == 0


@every_way
@in_loop
async def test_hosts_come_and_go(way: Way) -> None:
    async with mesh(way) as m:
        assert await ask(m.address) == "a"
        m.plane.put(EDS, "2", hosts_message(assignment("a", m.b.port)), *list(m.plane.worlds[EDS][1].values())[1:])
        await m.stat_is("cluster.a.membership_change", 2)
        await comes_from(m.address, "b")
        m.plane.put(EDS, "3", hosts_message(assignment("a")))
        await m.stat_is("cluster.a.membership_total", 0)
        await comes_from(m.address, NO_HOSTS)
        assert not m.plane.nacks


@every_way
@in_loop
async def test_hosts_that_are_not_mentioned_stay(way: Way) -> None:
    async with mesh(way) as m:
        m.plane.put(EDS, "2", hosts_message(assignment("b-hosts", m.b.port, m.a.port)))
        await m.stat_is("cluster.b.membership_total", 2)
        assert await ask(m.address) == "a"
        # Nor do routes that are gone take any with them.
        m.plane.put(RDS, "2")
        await m.stat_is("meta_protocol.redis.l.rds.r.update_empty", 1)
        assert await ask(m.address) == "a"
        assert not m.plane.nacks


@every_way
@in_loop
async def test_listeners_and_clusters_that_are_not_mentioned_go(way: Way) -> None:
    async with mesh(way) as m:
        gone = m.address
        m.plane.put(LDS, "2", listener_message(listener("other", {"route_config": to("b")})))
        await eventually(lambda: m.proxy.addresses().keys() == {"other"})
        assert await ask(m.proxy.addresses()["other"]) == "b"
        with pytest.raises((ConnectionError, AssertionError)):
            await ask(gone)
        # Nobody has the routes any more, so that nobody asks for them.
        await eventually(lambda: "r" not in m.plane.asked(RDS))
        m.plane.put(CDS, "2", cluster_message(eds("b", way.source(), "b-hosts")))
        await m.stat_is("cluster_manager.cluster_removed", 1)
        await eventually(lambda: m.plane.asked(EDS) == {"b-hosts"})
        assert await ask(m.proxy.addresses()["other"]) == "b"
        assert set(m.proxy.store.clusters) == {"control", "b"}
        assert "r" not in m.proxy.store.tables


@every_way
@in_loop
async def test_what_is_wrong_is_refused_with_the_reason(way: Way) -> None:
    async with mesh(way) as m:
        bad = cluster_message(eds("bad", way.source(), connect_timeout="0s"))
        m.plane.put(CDS, "2", *m.plane.worlds[CDS][1].values(), bad)
        await eventually(lambda: m.plane.nacks)
        (reason,) = m.plane.nacks
        assert reason == "cluster 'bad': connect_timeout: is more than 0"
        assert m.stat("cluster_manager.cds.update_rejected") == 1
        assert await ask(m.address) == "a"
        refusal = next(request for request in m.plane.of(CDS) if request.HasField("error_detail"))
        assert refusal.error_detail.code == 3
        if not way.delta:
            assert refusal.version_info == "1"
        m.plane.put(CDS, "3", *list(m.plane.worlds[CDS][1].values())[:2])
        await m.stat_is("cluster_manager.cds.update_success", 2)
        assert len(m.plane.nacks) == 1


@every_way
@in_loop
async def test_what_is_good_counts_whatever_stands_beside_it(way: Way) -> None:
    async with mesh(way) as m:
        worse = cluster_message(eds("a", way.source(), connect_timeout="0s"))
        new = cluster_message(static("new", m.b.port))
        m.plane.put(CDS, "2", worse, m.plane.worlds[CDS][1]["b"], new)
        await eventually(lambda: m.plane.nacks)
        assert "new" in m.proxy.store.clusters
        assert await ask(m.address) == "a"


@every_way
@in_loop
async def test_bad_routes_leave_the_good_ones(way: Way) -> None:
    async with mesh(way) as m, Client(m.address) as client:
        table = http_to("r", "b")
        matched = {"name": "method", "safe_regex_match": {"regex": "("}}
        table["virtual_hosts"][0]["routes"][0]["match"]["headers"] = [matched]
        m.plane.put(RDS, "2", routes_message(table))
        await eventually(lambda: m.plane.nacks)
        assert "routes 'r': " in m.plane.nacks[0]
        assert "regex" in m.plane.nacks[0]
        assert m.rds("update_rejected") == 1
        assert await client.ask() == "a"
        m.plane.put(RDS, "3", routes_message(http_to("r", "b")))
        await m.stat_is("meta_protocol.redis.l.rds.r.config_reload", 2)
        await becomes(client, "b")


@every_way
@in_loop
async def test_a_listener_whose_address_is_taken_is_refused(way: Way) -> None:
    async with mesh(way) as m:
        taken = listener_message(listener("l2", {"route_config": to("a")}, m.a.port))
        m.plane.put(LDS, "2", m.plane.worlds[LDS][1]["l"], taken)
        await eventually(lambda: m.plane.nacks)
        assert "listener 'l2': listeners.l2.address: " in m.plane.nacks[0]
        assert m.stat("listener_manager.listener_create_failure") == 1
        assert await ask(m.address) == "a"


@every_way
@in_loop
async def test_routes_of_another_name_are_refused(way: Way) -> None:
    async with mesh(way) as m:
        (stream,) = [stream for stream in m.plane.streams if RDS in stream.names]
        stream.send(RDS, "2", [routes_message(http_to("q", "b"))])
        await eventually(lambda: m.plane.nacks)
        assert m.plane.nacks == ["routes 'q': was not asked for: asked for is 'r'"]
        assert await ask(m.address) == "a"


@every_way
@in_loop
async def test_garbage_is_refused(way: Way) -> None:
    async with mesh(way) as m:
        (stream,) = [stream for stream in m.plane.streams if EDS in stream.names]
        stream.send(EDS, "2", [routes_message(http_to("a", "b"))])
        await eventually(lambda: m.plane.nacks)
        assert "has the type 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration'" in m.plane.nacks[0]
        assert await ask(m.address) == "a"


@every_way
@in_loop
async def test_routes_may_come_as_metaprotocols_own_message(way: Way) -> None:
    async with mesh(way) as m, Client(m.address) as client:
        assert await client.ask() == "a"
        m.plane.put(RDS, "2", message(MetaRoutes, to("b", "r")))
        await m.stat_is("meta_protocol.redis.l.rds.r.config_reload", 2)
        await becomes(client, "b")


@every_way
@in_loop
async def test_listeners_share_what_comes_from_the_same_place(way: Way) -> None:
    async with mesh(way) as m:
        second = listener_message(listener("second", rds("r", way.source())))
        m.plane.put(LDS, "2", m.plane.worlds[LDS][1]["l"], second)
        await eventually(lambda: "second" in m.proxy.addresses())
        assert await ask(m.proxy.addresses()["second"]) == "a"
        m.plane.put(RDS, "2", routes_message(http_to("r", "b")))
        await m.stat_is("meta_protocol.redis.second.rds.r.config_reload", 2)
        for each in m.proxy.addresses().values():
            async with Client(each) as client:
                await becomes(client, "b")
        assert len([stream for stream in m.plane.streams if RDS in stream.names]) == 1
        # One of the two goes; the routes stay for the other.
        m.plane.put(LDS, "3", second)
        await eventually(lambda: set(m.proxy.addresses()) == {"second"})
        assert await ask(m.proxy.addresses()["second"]) == "b"
        assert m.plane.asked(RDS) == {"r"}


@every_way
@in_loop
async def test_routes_wait_for_the_hosts_of_new_clusters(way: Way) -> None:
    """The old routes serve until the new ones can."""
    async with mesh(way) as m, Client(m.address) as client:
        m.plane.says_missing = False
        clusters = [*m.plane.worlds[CDS][1].values(), cluster_message(eds("c", way.source()))]
        m.plane.put(CDS, "2", *clusters)
        await eventually(lambda: "c" in m.plane.asked(EDS))
        m.plane.put(RDS, "2", routes_message(http_to("r", "c")))
        await m.stat_is("meta_protocol.redis.l.rds.r.update_success", 2)
        for _ in range(20):
            assert await client.ask() == "a"
        m.plane.put(EDS, "2", *m.plane.worlds[EDS][1].values(), hosts_message(assignment("c", m.b.port)))
        await m.stat_is("meta_protocol.redis.l.rds.r.config_reload", 2)
        await becomes(client, "b")


@every_way
@in_loop
async def test_a_changed_listener_serves_as_before_until_its_new_routes_are_there(way: Way) -> None:
    async with mesh(way) as m:
        m.plane.says_missing = False
        port = free_port()
        m.plane.put(LDS, "2", listener_message(listener("l", rds("r", way.source()), port)))
        await eventually(lambda: m.address[1] == port)
        m.plane.put(LDS, "3", listener_message(listener("l", rds("r2", way.source()), port)))
        await eventually(lambda: "r2" in m.plane.asked(RDS))
        await m.stat_is("listener_manager.total_listeners_warming", 1)
        async with Client(m.address) as client:
            for _ in range(20):
                assert await client.ask() == "a"
            m.plane.put(RDS, "2", routes_message(http_to("r", "a")), routes_message(http_to("r2", "b")))
            await m.stat_is("listener_manager.total_listeners_warming", 0)
            await becomes(client, "b")
        assert m.stat("listener.l.downstream_cx_total") >= 1
        await eventually(lambda: m.plane.asked(RDS) == {"r2"})


@every_way
@in_loop
async def test_it_goes_on_when_the_control_plane_is_back(way: Way) -> None:
    plane = ControlPlane()
    async with Upstream("a").serving() as a, Upstream("b").serving() as b:
        plane.put(CDS, "1", cluster_message(static("a", a.port)), cluster_message(static("b", b.port)))
        plane.put(LDS, "1", listener_message(listener("l", rds("r", way.source()))))
        plane.put(RDS, "1", routes_message(http_to("r", "a")))
        port = free_port()
        proxy = Proxy(way.bootstrap(port), workers=1, backoff=quick)
        async with proxy.running():
            # Nobody is there yet.
            await eventually(lambda: proxy.stats()["cluster_manager.cds.update_failure"] > 1)
            assert proxy.stats()["control_plane.connected_state"] == 0
            async with plane.serving(port):
                await asyncio.wait_for(proxy.ready(), 20)
                address = proxy.addresses()["l"]
                assert await ask(address) == "a"
            await eventually(lambda: proxy.stats()["control_plane.connected_state"] == 0)
            async with Client(address) as client:
                assert await client.ask() == "a"
                plane.requests.clear()
                plane.put(RDS, "2", routes_message(http_to("r", "b")))
                async with plane.serving(port):
                    await eventually(lambda: proxy.stats()["meta_protocol.redis.l.rds.r.config_reload"] == 2)
                    await becomes(client, "b")
            first = plane.of(RDS)[0]
            assert not first.response_nonce
            if way.delta:
                assert dict(first.initial_resource_versions) == {"r": "1"}
                assert list(first.resource_names_subscribe) == ["r"]
            else:
                assert (first.version_info, list(first.resource_names)) == ("1", ["r"])
            assert proxy.stats()["listener_manager.listener_modified"] == 0


@every_way
@in_loop
async def test_the_node_is_told(way: Way) -> None:
    async with mesh(way) as m:
        for stream in m.plane.streams:
            await eventually(lambda stream=stream: len(stream.requests) > 1)
            first, *rest = stream.requests
            assert first.node.id == "tester"
            assert first.node.user_agent_name == "metaprotocol"
            assert not any(request.HasField("node") for request in rest)


@in_loop
async def test_the_node_is_told_each_time_if_so_configured() -> None:
    plane = ControlPlane()
    plane.put(CDS, "1")
    async with plane.serving():
        sources = {"cds_config": grpc_source(once=False)}
        proxy = Proxy(bootstrap(clusters=[control(plane.port)], dynamic_resources=sources), workers=1)
        async with proxy.running():
            await asyncio.wait_for(proxy.ready(), 20)
            await eventually(lambda: len(plane.requests) == 2)
            assert [request.node.id for request in plane.requests] == ["tester", "tester"]
            assert plane.requests[1].response_nonce == "1"


@every_way
@in_loop
async def test_a_listener_opens_without_routes_when_they_are_late(way: Way) -> None:
    plane = ControlPlane()
    async with plane.serving(), Upstream("a").serving() as a:
        plane.put(CDS, "1", cluster_message(static("a", a.port)))
        plane.put(LDS, "1", listener_message(listener("l", rds("r", way.source("0.2s")))))
        proxy = Proxy(way.bootstrap(plane.port), workers=1)
        async with proxy.running():
            await asyncio.wait_for(proxy.ready(), 20)
            assert proxy.stats()["meta_protocol.redis.l.rds.r.init_fetch_timeout"] == 1
            async with Client(proxy.addresses()["l"]) as client:
                assert (await client.ask()).startswith("-")
                plane.put(RDS, "1", routes_message(http_to("r", "a")))
                await becomes(client, "a")


@every_way
@in_loop
async def test_it_is_live_when_waiting_is_over(way: Way) -> None:
    """Nothing answers at all."""
    listeners = [listener("l", {"route_config": to("a")})]
    config = way.bootstrap(free_port(), timeout="0.2s")
    config["static_resources"]["listeners"] = listeners
    proxy = Proxy(config, workers=1, backoff=quick)
    async with proxy.running():
        assert not proxy.live
        assert not proxy.addresses()  # its cluster may be still to come
        await asyncio.wait_for(proxy.ready(), 20)
        assert proxy.live
        assert (await ask(proxy.addresses()["l"])).startswith("-")
        assert proxy.stats()["cluster_manager.cds.init_fetch_timeout"] == 1


@in_loop
async def test_listeners_that_need_nothing_are_open_at_once() -> None:
    async with Upstream("a").serving() as a:
        config = by_ads(free_port())
        config["static_resources"]["clusters"].append(static("a", a.port))
        config["static_resources"]["listeners"] = [
            listener("plain", {"route_config": to("a")}),
            listener("found", rds("r")),
        ]
        async with Proxy(config, workers=1, backoff=quick).running() as proxy:
            assert set(proxy.addresses()) == {"plain"}
            assert await ask(proxy.addresses()["plain"]) == "a"
            assert not proxy.live


@in_loop
async def test_static_listeners_and_clusters_are_not_changed_by_discovery() -> None:
    plane = ControlPlane()
    async with plane.serving(), Upstream("a").serving() as a, Upstream("b").serving() as b:
        config = by_ads(plane.port)
        config["static_resources"]["clusters"].append(static("a", a.port))
        config["static_resources"]["listeners"] = [listener("l", {"route_config": to("a")})]
        plane.put(CDS, "1", cluster_message(static("a", b.port)), cluster_message(static("new", b.port)))
        plane.put(LDS, "1", listener_message(listener("l", {"route_config": to("new")})))
        async with Proxy(config, workers=1).running() as proxy:
            await asyncio.wait_for(proxy.ready(), 20)
            assert await ask(proxy.addresses()["l"]) == "a"
            plane.put(CDS, "2")
            await eventually(lambda: set(proxy.store.clusters) == {"control", "a"})
            assert await ask(proxy.addresses()["l"]) == "a"


@in_loop
async def test_the_next_address_is_asked_when_one_does_not_answer() -> None:
    plane = ControlPlane()
    async with plane.serving():
        plane.put(CDS, "1")
        source = grpc_source()
        config = bootstrap(
            clusters=[control(free_port(), plane.port, connect_timeout="1s")],
            dynamic_resources={"cds_config": source},
        )
        # No wait in between: an attempt goes through all addresses.
        async with Proxy(config, workers=1, backoff=lambda: Backoff(600, 600, lambda: 1.0)).running() as proxy:
            await asyncio.wait_for(proxy.ready(), 20)
            assert plane.opened == 1


@in_loop
async def test_the_next_address_is_asked_when_one_fails() -> None:
    broken, plane = ControlPlane(), ControlPlane()
    broken.refuse = True
    plane.put(CDS, "1")
    async with broken.serving(), plane.serving():
        config = bootstrap(clusters=[control(broken.port, plane.port)], dynamic_resources={"cds_config": grpc_source()})
        async with Proxy(config, workers=1, backoff=quick).running() as proxy:
            await asyncio.wait_for(proxy.ready(), 20)
            assert (broken.opened, plane.opened) == (1, 1)
            assert proxy.stats()["cluster_manager.cds.update_failure"] == 1


@in_loop
async def test_metadata_goes_along() -> None:
    plane = ControlPlane()
    plane.put(CDS, "1")
    async with plane.serving():
        source = grpc_source()
        service = source["api_config_source"]["grpc_services"][0]
        service["initial_metadata"] = [{"key": "x-who", "value": "me"}]
        config = bootstrap(clusters=[control(plane.port)], dynamic_resources={"cds_config": source})
        async with Proxy(config, workers=1).running() as proxy:
            await asyncio.wait_for(proxy.ready(), 20)
            assert plane.streams[0].metadata["x-who"] == "me"


@in_loop
async def test_discovered_things_must_come_from_where_the_file_says() -> None:
    plane = ControlPlane()
    async with plane.serving():
        plane.put(CDS, "1", cluster_message(eds("a", grpc_source("elsewhere"))))
        plane.put(LDS, "1", listener_message(listener("l", rds("r", grpc_source("elsewhere")))))
        async with Proxy(by_ads(plane.port), workers=1).running():
            await eventually(lambda: len(plane.nacks) == 2)
            assert all(
                "through the cluster 'elsewhere', which the bootstrap file does not have" in each
                for each in plane.nacks
            )


def test_a_control_plane_must_have_hosts_of_its_own() -> None:
    config = bootstrap(
        clusters=[eds("control", {"path_config_source": {"path": "/x"}})],
        dynamic_resources={"cds_config": grpc_source()},
    )
    with pytest.raises(ConfigError, match=r"static_resources.clusters\[0\].type: is one of STATIC, STRICT_DNS"):
        Proxy(config)


@in_loop
async def test_nothing_is_left_when_it_stops() -> None:
    async def once() -> None:
        async with mesh(Way(ads=False, delta=False)) as m:
            began = time.monotonic()
        assert time.monotonic() - began < 5
        assert not m.proxy.live

    await once()
    threads, tasks = set(threading.enumerate()), asyncio.all_tasks()
    for _ in range(3):
        await once()
    await eventually(lambda: asyncio.all_tasks() <= tasks)
    await eventually(lambda: set(threading.enumerate()) <= threads)


def test_it_has_a_thread_of_its_own_where_there_is_no_loop() -> None:
    before = {thread.name for thread in threading.enumerate()}
    served: asyncio.Queue[int] = asyncio.Queue()
    loop = asyncio.new_event_loop()
    ended = asyncio.Event()
    ports: list[int] = []
    up = threading.Event()

    async def serve() -> None:
        plane = ControlPlane()
        async with plane.serving(), Upstream("a").serving() as a:
            plane.put(CDS, "1", cluster_message(static("a", a.port)))
            plane.put(LDS, "1", listener_message(listener("l", rds("r"))))
            plane.put(RDS, "1", routes_message(http_to("r", "a")))
            ports.append(plane.port)
            up.set()
            await ended.wait()

    server = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    server.start()
    try:
        assert up.wait(20)
        proxy = Proxy(by_ads(ports[0]), workers=1)
        proxy.start()
        try:
            proxy.wait_ready(20)
            assert proxy.live
            assert asyncio.run(ask(proxy.addresses()["l"])) == "a"
            assert "metaprotocol-discovery" in {thread.name for thread in threading.enumerate()}
            with pytest.raises(RuntimeError, match="running already"):
                proxy.start()
        finally:
            assert proxy.stop()
    finally:
        loop.call_soon_threadsafe(ended.set)
        server.join(20)
        loop.close()
    del served
    assert "metaprotocol-discovery" not in {thread.name for thread in threading.enumerate()} - before
    with pytest.raises(RuntimeError, match="not running"):
        proxy.wait_ready(1)


@every_way
@in_loop
async def test_no_request_is_lost_while_everything_changes(way: Way) -> None:
    """Routes and hosts change as fast as they can be sent; each answer is checked against its question."""
    async with mesh(way) as m:
        going = True

        async def steadily() -> int:
            count = 0
            async with Client(m.address) as client:
                while going:
                    assert await client.ask() in ("a", "b")
                    count += 1
            return count

        async def afresh() -> int:
            count = 0
            while going:
                assert await ask(m.address) in ("a", "b")
                count += 1
            return count

        clients = [asyncio.create_task(work()) for work in (steadily, steadily, afresh)]
        ports = {"a": m.a.port, "b": m.b.port}
        for turn in range(2, 60):
            here, there = ("a", "b") if turn % 2 else ("b", "a")
            m.plane.put(
                EDS,
                str(turn),
                hosts_message(assignment("a", ports[here])),
                hosts_message(assignment("b-hosts", ports[here], ports[there])),
            )
            m.plane.put(RDS, str(turn), routes_message(http_to("r", here)))
            await m.stat_is("meta_protocol.redis.l.rds.r.config_reload", turn)
            await m.stat_is("cluster.a.membership_change", turn)
        going = False
        assert min(await asyncio.gather(*clients)) > 0
        assert not m.plane.nacks
