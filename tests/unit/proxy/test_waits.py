"""Waits that grow, versions as numbers, and zones that are known once the proxies are."""

from __future__ import annotations

import asyncio

import pytest
from kit.control_plane import CDS, EDS, LDS, ControlPlane
from kit.proxying import by_ads, cluster_message, eds, eventually, hosts_message, in_loop

from metaprotocol._native import xxh64
from metaprotocol.proxy import Proxy
from metaprotocol.proxy._backoff import Backoff


def test_waits_double_up_to_a_bound_and_begin_again() -> None:
    backoff = Backoff(0.5, 30, lambda: 1.0)
    assert [backoff.next() for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    backoff.reset()
    assert backoff.next() == 0.5
    assert Backoff(0.5, 30, lambda: 0.0).next() == 0
    assert all(0 <= Backoff().next() <= 0.5 for _ in range(100))


# From the specification's own implementation.
HASHES = {
    b"": 0xEF46DB3751D8E999,
    b"a": 0xD24EC4F1A98C6E5B,
    b"abc": 0x44BC2CF5AD770999,
    b"Nobody inspects the spammish repetition": 0xFBCEA83C8A378BF1,
}


@pytest.mark.parametrize("data", HASHES)
def test_versions_are_hashed_as_envoy_does(data: bytes) -> None:
    assert xxh64(data) == HASHES[data]


@in_loop
async def test_zones_are_heeded_once_it_is_known_where_the_proxies_are() -> None:
    def zoned(name: str, **ports: int) -> object:
        return hosts_message(
            {
                "cluster_name": name,
                "endpoints": [
                    {
                        "locality": {"zone": zone},
                        "lb_endpoints": [
                            {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}}
                        ],
                    }
                    for zone, port in ports.items()
                ],
            }
        )

    plane = ControlPlane()
    async with plane.serving():
        config = by_ads(plane.port)
        config["node"]["locality"] = {"zone": "x"}
        config["cluster_manager"] = {"local_cluster_name": "proxies"}
        config["static_resources"]["clusters"].append(eds("proxies"))
        plane.put(LDS, "1")
        plane.put(CDS, "1", cluster_message(eds("a", common_lb_config={"zone_aware_lb_config": {}})))
        plane.put(EDS, "1", zoned("a", x=1, y=2), zoned("proxies", x=3, y=4))
        async with Proxy(config, workers=1).running() as proxy:
            plane.put(EDS, "2", zoned("a", x=1, y=2), zoned("proxies", x=3))

            def places() -> list[object]:
                aware = proxy.store.clusters["a"].value.config.get("localities", {}).get("zone_aware", {})
                return [each["place"] for each in aware.get("peers", [])]

            await eventually(lambda: "a" in proxy.store.clusters)
            await eventually(lambda: places() == [["", "x", ""]])
            plane.put(EDS, "3", zoned("a", x=1, y=2), zoned("proxies", x=3, y=4))
            await eventually(lambda: places() == [["", "x", ""], ["", "y", ""]])
            await asyncio.wait_for(proxy.ready(), 20)
            assert not plane.nacks
