"""Changes that a program makes to a running proxy."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from kit.proxying import (
    Client,
    Upstream,
    ask,
    assignment,
    becomes,
    bootstrap,
    comes_from,
    eventually,
    free_port,
    http_to,
    in_loop,
    listener,
    rds,
    routes_message,
    static,
    to,
)

from metaprotocol.proxy import Proxy
from metaprotocol.proxy._store import Refused
from metaprotocol.xds import ConfigError


def simple(a: int, b: int, routes: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    shown = listener("l", {"route_config": routes or to("a", "table")})
    return bootstrap(clusters=[static("a", a), static("b", b)], listeners=[shown], **fields)


@in_loop
async def test_routes() -> None:
    async with (
        Upstream("a").serving() as a,
        Upstream("b").serving() as b,
        Proxy(simple(a.port, b.port), workers=1).running() as proxy,
        Client(proxy.addresses()["l"]) as client,
    ):
        assert await client.ask() == "a"
        proxy.update(routes={"table": to("b", "table")})
        await becomes(client, "b")
        # As Envoy has it, without a name of its own, as a message, and from another thread.
        shape = http_to("table", "a")
        del shape["name"]
        proxy.update(routes={"table": shape})
        await becomes(client, "a")
        await asyncio.to_thread(proxy.update, routes={"table": routes_message(http_to("table", "b"))})
        await becomes(client, "b")


@in_loop
async def test_hosts_and_clusters() -> None:
    async with (
        Upstream("a").serving() as a,
        Upstream("b").serving() as b,
        Proxy(simple(a.port, a.port), workers=1).running() as proxy,
    ):
        address = proxy.addresses()["l"]
        proxy.update(hosts={"a": assignment("a", b.port)})
        await comes_from(address, "b")
        proxy.update(clusters={"c": static("c", a.port)}, routes={"table": to("c", "table")})
        await comes_from(address, "a")
        proxy.update(clusters={"a": None})
        assert set(proxy.store.clusters) == {"b", "c"}
        assert await ask(address) == "a"


@in_loop
async def test_listeners_come_and_go_while_others_serve() -> None:
    async with (
        Upstream("a").serving() as a,
        Upstream("b").serving() as b,
        Proxy(simple(a.port, b.port), workers=1).running() as proxy,
        Client(proxy.addresses()["l"]) as client,
    ):
        proxy.update(listeners={"m": listener("m", {"route_config": to("b", "other")})})
        assert await ask(proxy.addresses()["m"]) == "b"
        proxy.update(routes={"other": to("a", "other")})
        await comes_from(proxy.addresses()["m"], "a")
        proxy.update(listeners={"m": None})
        assert set(proxy.addresses()) == {"l"}
        assert await client.ask() == "a"


MISTAKES = [
    ({"routes": {"table": {"routes": [{"route": {}}]}}}, "routes['table'].routes[0].route: needs cluster"),
    ({"routes": {"nobody": to("a")}}, "routes['nobody'].name: is 'to-a', but it is given as 'nobody'"),
    ({"routes": {"nobody": {"routes": []}}}, "routes['nobody']: is what no listener calls its routes"),
    ({"routes": {"table": {"rutes": []}}}, "routes['table']"),
    ({"hosts": {"x": assignment("x", 1)}}, "hosts['x']: is for a cluster that does not exist"),
    ({"clusters": {"c": {"name": "c"}}}, "clusters['c'].load_assignment: is needed"),
    ({"listeners": {"m": {"name": "m"}}}, "listeners['m'].address: needs a socket_address"),
]


@pytest.mark.parametrize(("change", "reason"), MISTAKES, ids=[reason for _, reason in MISTAKES])
@in_loop
async def test_mistakes_change_nothing(change: dict[str, Any], reason: str) -> None:
    async with Upstream("a").serving() as a, Proxy(simple(a.port, a.port), workers=1, strict=True).running() as proxy:
        before = (dict(proxy.store.clusters), dict(proxy.store.tables), dict(proxy.store.hosts))
        good = {"clusters": {"new": static("new", a.port)}}
        with pytest.raises(ConfigError) as caught:
            proxy.update(**{key: good.get(key, {}) | change.get(key, {}) for key in good.keys() | change.keys()})
        assert reason in str(caught.value)
        assert (proxy.store.clusters, proxy.store.tables, proxy.store.hosts) == before
        assert await ask(proxy.addresses()["l"]) == "a"


@in_loop
async def test_what_the_data_path_refuses_leaves_what_was() -> None:
    async with Upstream("a").serving() as a, Proxy(simple(a.port, a.port), workers=1).running() as proxy:
        with pytest.raises(Refused, match=r"listeners\.m\.address"):
            proxy.update(listeners={"m": listener("m", {"route_config": to("a")}, a.port)})
        assert set(proxy.addresses()) == {"l"}
        assert proxy.stats()["listener_manager.total_listeners_warming"] == 0


@in_loop
async def test_a_whole_file_again(tmp_path: Path) -> None:
    path = tmp_path / "bootstrap.json"
    async with Upstream("a").serving() as a, Upstream("b").serving() as b:
        path.write_text(json.dumps(simple(a.port, b.port)))
        async with Proxy(path, workers=1).running() as proxy, Client(proxy.addresses()["l"]) as client:
            address = proxy.addresses()["l"]
            proxy.update(path)
            assert proxy.stats()["listener_manager.listener_modified"] == 0
            changed = simple(a.port, b.port, to("c", "table"))
            changed["static_resources"]["clusters"] = [static("c", b.port), static("b", b.port)]
            changed["static_resources"]["listeners"].append(listener("m", {"route_config": to("b")}))
            path.write_text(json.dumps(changed))
            proxy.update(path)
            await becomes(client, "b")
            assert proxy.addresses()["l"] == address
            assert await ask(proxy.addresses()["m"]) == "b"
            assert set(proxy.store.clusters) == {"b", "c"}
            assert proxy.stats()["cluster_manager.cluster_modified"] == 0
            path.write_text(json.dumps(simple(a.port, b.port)))
            proxy.update(path)
            await becomes(client, "a")
            assert set(proxy.addresses()) == {"l"}


@in_loop
async def test_a_file_must_lead_to_the_same_control_plane() -> None:
    async with Proxy(simple(1, 1), workers=1).running() as proxy:
        other = simple(1, 1) | {"node": {"id": "other"}}
        with pytest.raises(Refused, match="node: cannot change while the proxy runs"):
            proxy.update(other)


def test_it_must_run() -> None:
    proxy = Proxy(simple(1, 1), workers=1)
    with pytest.raises(RuntimeError, match="not running"):
        proxy.update(routes={"table": to("b", "table")})


def test_from_a_program_without_a_loop() -> None:
    proxy = Proxy(simple(free_port(), free_port()), workers=1)
    proxy.start()
    try:
        proxy.wait_ready(20)
        proxy.update(routes={"table": to("b", "table")})
        assert proxy.store.tables["static/l"].value["routes"][0]["to"] == {"cluster": "b"}
        with pytest.raises(ConfigError):
            proxy.update(routes={"table": {"routes": [{}]}})
    finally:
        assert proxy.stop()
    proxy.start()
    assert proxy.stop()


@in_loop
async def test_routes_change_a_thousand_times_under_requests() -> None:
    """How fast is for measurements; that none is lost, and the last one counts, is for all."""
    async with (
        Upstream("a").serving() as a,
        Upstream("b").serving() as b,
        Proxy(simple(a.port, b.port), workers=1).running() as proxy,
        Client(proxy.addresses()["l"]) as client,
    ):
        tables = [routes_message(http_to("table", name)) for name in ("a", "b")]
        for turn in range(1000):
            proxy.update(routes={"table": tables[turn % 2]})
            if turn % 10 == 0:
                assert await client.ask() in ("a", "b")
        await becomes(client, "b")


@in_loop
async def test_routes_from_a_file_are_read_again(tmp_path: Path) -> None:
    path = tmp_path / "routes.json"

    def write(version: str, *tables: dict[str, Any], atomic: bool) -> None:
        url = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
        text = json.dumps({"version_info": version, "resources": [{"@type": url} | table for table in tables]})
        if atomic:
            new = tmp_path / "new"
            new.write_text(text)
            new.rename(path)
        else:
            path.write_text(text)

    async with Upstream("a").serving() as a, Upstream("b").serving() as b:
        source = {"path_config_source": {"path": str(path)}, "resource_api_version": "V3"}
        config = simple(a.port, b.port)
        config["static_resources"]["listeners"] = [listener("l", rds("r", source))]
        stat = "meta_protocol.redis.l.rds.r."
        async with Proxy(config, workers=1).running() as proxy:
            await eventually(lambda: proxy.stats()[stat + "update_failure"] == 1)  # it is not there yet
            assert not proxy.addresses()
            write("1", http_to("r", "a"), http_to("unrelated", "b"), atomic=False)
            await asyncio.wait_for(proxy.ready(), 20)
            async with Client(proxy.addresses()["l"]) as client:
                assert await client.ask() == "a"
                write("2", http_to("r", "b"), atomic=True)
                await becomes(client, "b")
                path.write_text("{")
                await eventually(lambda: proxy.stats()[stat + "update_rejected"] == 1)
                write("3", {"name": "r", "virtual_hosts": []}, atomic=True)
                await eventually(lambda: proxy.stats()[stat + "update_rejected"] == 2)
                path.unlink()
                await eventually(lambda: proxy.stats()[stat + "update_failure"] == 2)
                assert await client.ask() == "b"
                write("4", http_to("r", "a"), atomic=True)
                await becomes(client, "a")
