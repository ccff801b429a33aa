"""Clusters whose hosts are names, against a server of DNS in the same process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from kit.names import Names
from kit.proxying import (
    Client,
    Upstream,
    ask,
    bootstrap,
    comes_from,
    endpoint,
    eventually,
    in_loop,
    listener,
    to,
)

from metaprotocol.proxy import Proxy
from metaprotocol.proxy._dns import Answer, AresResolver, NotResolved, Resolving
from metaprotocol.xds import Dns

NAME = "host.test"


def named(kind: str, *hosts: tuple[str, int], **fields: Any) -> dict[str, Any]:
    endpoints = [{"lb_endpoints": [endpoint(port, host) for host, port in hosts]}]
    return {
        "name": "a",
        "type": kind,
        "load_assignment": {"cluster_name": "a", "endpoints": endpoints},
        "dns_refresh_rate": "0.05s",
        "dns_lookup_family": "V4_ONLY",
        **fields,
    }


@asynccontextmanager
async def proxied(names: Names, cluster: dict[str, Any]) -> AsyncIterator[Proxy]:
    resolver = AresResolver([names.server], timeout=0.2)
    config = bootstrap(clusters=[cluster], listeners=[listener("l", {"route_config": to("a")})])
    async with Proxy(config, workers=1, resolver=resolver).running() as proxy:
        await asyncio.wait_for(proxy.ready(), 20)
        yield proxy


def hosts(proxy: Proxy) -> set[str]:
    return {host["address"].rpartition(":")[0] for host in proxy.native.hosts()["a"]}


@in_loop
async def test_all_addresses_of_a_name_are_hosts_and_change_with_it() -> None:
    names = Names(**{NAME: ["127.0.0.1", "127.0.0.2"]})
    async with (
        Upstream("a").serving() as a,
        names.serving(),
        proxied(names, named("STRICT_DNS", (NAME, a.port))) as p,
        Upstream("b").serving("127.0.0.3", a.port),
    ):
        assert hosts(p) == {"127.0.0.1", "127.0.0.2"}
        assert {host["hostname"] for host in p.native.hosts()["a"]} == {NAME}
        names.addresses[NAME] = ["127.0.0.3"]
        await eventually(lambda: hosts(p) == {"127.0.0.3"})
        await comes_from(p.addresses()["l"], "b")
        changes = p.stats()["cluster.a.membership_change"]
        rebuilt = p.stats()["cluster.a.update_no_rebuild"]
        await eventually(lambda: p.stats()["cluster.a.update_no_rebuild"] > rebuilt)
        assert p.stats()["cluster.a.membership_change"] == changes


@in_loop
async def test_what_was_known_is_kept_while_names_cannot_be_resolved() -> None:
    names = Names(**{NAME: ["127.0.0.1"]})
    async with Upstream("a").serving() as a, names.serving(), proxied(names, named("STRICT_DNS", (NAME, a.port))) as p:
        for way in ("failing", "silent"):
            setattr(names, way, True)
            failures = p.stats()["cluster.a.update_failure"]
            await eventually(lambda failures=failures: p.stats()["cluster.a.update_failure"] > failures)
            assert await ask(p.addresses()["l"]) == "a"
            setattr(names, way, False)
        names.addresses[NAME] = ["127.0.0.9"]
        await eventually(lambda: hosts(p) == {"127.0.0.9"})


@in_loop
async def test_a_name_that_is_gone_takes_its_hosts_along() -> None:
    names = Names(**{NAME: ["127.0.0.1"]})
    async with names.serving(), proxied(names, named("STRICT_DNS", (NAME, 1))) as p:
        del names.addresses[NAME]
        await eventually(lambda: not hosts(p))
        assert p.stats()["cluster.a.update_empty"] >= 1


@in_loop
async def test_a_logical_host_has_one_address_and_keeps_it_rather_than_none() -> None:
    names = Names(**{NAME: ["127.0.0.1", "127.0.0.2"]})
    cluster = named("LOGICAL_DNS", (NAME, 0))
    async with Upstream("a").serving() as a, Upstream("b").serving("127.0.0.3", a.port), names.serving():
        cluster["load_assignment"]["endpoints"][0]["lb_endpoints"] = [endpoint(a.port, NAME)]
        async with proxied(names, cluster) as p, Client(p.addresses()["l"]) as client:
            assert hosts(p) == {"127.0.0.1"}
            assert await client.ask() == "a"
            names.addresses[NAME] = ["127.0.0.3", "127.0.0.1"]
            await eventually(lambda: hosts(p) == {"127.0.0.3"})
            await comes_from(p.addresses()["l"], "b")
            # Its connection goes on.
            assert await client.ask() in ("a", "b")
            names.addresses[NAME] = []
            await eventually(lambda: p.stats()["cluster.a.update_empty"] >= 1)
            assert hosts(p) == {"127.0.0.3"}


@in_loop
async def test_a_proxy_is_live_although_a_name_cannot_be_resolved() -> None:
    names = Names()
    names.failing = True
    async with names.serving(), proxied(names, named("STRICT_DNS", (NAME, 1), dns_refresh_rate="60s")) as p:
        assert p.live
        assert (await ask(p.addresses()["l"])).startswith("-CLUSTERDOWN")


@in_loop
async def test_hosts_that_are_addresses_are_not_resolved() -> None:
    async with Upstream("a").serving() as a:
        cluster = named("STRICT_DNS", ("127.0.0.1", a.port))
        config = bootstrap(clusters=[cluster], listeners=[listener("l", {"route_config": to("a")})])
        async with Proxy(config, workers=1).running() as proxy:
            assert proxy.live
            assert await ask(proxy.addresses()["l"]) == "a"


@in_loop
async def test_the_system_knows_localhost() -> None:
    async with Upstream("a").serving() as a:
        config = bootstrap(
            clusters=[named("STRICT_DNS", ("localhost", a.port))],
            listeners=[listener("l", {"route_config": to("a")})],
        )
        async with Proxy(config, workers=1).running() as proxy:
            await asyncio.wait_for(proxy.ready(), 20)
            assert await ask(proxy.addresses()["l"]) == "a"


FAMILIES = {
    "auto": ("::1",),
    "v4": ("127.0.0.1",),
    "v6": ("::1",),
    "v4_preferred": ("127.0.0.1",),
    "all": ("::1", "127.0.0.1"),
}


@pytest.mark.parametrize("family", FAMILIES)
@in_loop
async def test_families(family: str) -> None:
    async with Names(**{NAME: ["127.0.0.1", "::1"], "only4.test": ["127.0.0.4"]}).serving() as names:
        names.ttl = 7
        resolver = AresResolver([names.server])
        answer = await resolver.resolve(NAME, family)
        assert answer.of(family) == FAMILIES[family]
        assert answer.ttl == 7
        four = await resolver.resolve("only4.test", family)
        assert four.of(family) == (() if family == "v6" else ("127.0.0.4",))
        assert await resolver.resolve("nowhere.test", family) == Answer((), (), 0)
        names.failing = True
        with pytest.raises(NotResolved):
            await resolver.resolve("other.test", family)


class Scripted:
    """Gives one answer after another, and notes how long was waited before each."""

    def __init__(self, *answers: Answer | None) -> None:
        self.answers = list(answers)
        self.times: list[float] = []
        self.done = asyncio.Event()

    async def resolve(self, name: str, family: str) -> Answer:
        self.times.append(asyncio.get_running_loop().time())
        if not self.answers:
            self.done.set()
            await asyncio.Event().wait()
        answer = self.answers.pop(0)
        if answer is None:
            raise NotResolved("on purpose")
        return answer

    def waits(self) -> list[float]:
        return [after - before for before, after in zip(self.times, self.times[1:], strict=False)]


async def waits(dns: Dns, *answers: Answer | None) -> tuple[list[float], list[tuple[str, ...] | None]]:
    resolver, got = Scripted(*answers), []
    resolving = Resolving(NAME, dns, resolver, got.append)
    await resolver.done.wait()
    await resolving.close()
    return resolver.waits(), got


@in_loop
async def test_how_long_answers_are_good_for() -> None:
    answer = Answer(("1.1.1.1",), (), 1)
    (refresh,), got = await waits(Dns(refresh=50), answer)
    assert 0.05 <= refresh < 0.9
    assert got == [("1.1.1.1",)]
    (refresh,), _ = await waits(Dns(refresh=50, respect_ttl=True), answer)
    assert refresh >= 1
    # A life of nothing says nothing.
    (refresh,), _ = await waits(Dns(refresh=50, respect_ttl=True), Answer(("1.1.1.1",), (), 0))
    assert 0.05 <= refresh < 0.9


@in_loop
async def test_failures_are_tried_again_sooner() -> None:
    pauses, got = await waits(Dns(refresh=60_000, failure_refresh=(20, 40)), None, None, None)
    assert got == [None, None, None]
    assert all(pause < 5 for pause in pauses)
    pauses, _ = await waits(Dns(refresh=60_000, failure_refresh=(50, 50)), None, None)
    assert all(pause >= 0.05 for pause in pauses)
