"""Hosts fail in every way, while requests flow."""

from __future__ import annotations

import json
import time

import pytest
from chaos.conftest import Show
from chaos.tools import (
    PATIENCE,
    PROTOCOLS,
    Hosts,
    Press,
    all_right,
    bootstrap,
    cluster,
    eventually,
    listener,
    routes,
    scaled,
    seeded,
    total,
)

from metaprotocol.proxy import Proxy

COUNT = 4
STEPS = 30
FRESH = 1000
OUTLIERS = {
    "consecutive_5xx": 5,
    "interval": "0.1s",
    "base_ejection_time": "0.2s",
    "max_ejection_time": "0.5s",
    "max_ejection_percent": 50,
}
CHECK = {
    "tcp_health_check": {},
    "timeout": "0.3s",
    "interval": "0.1s",
    "no_traffic_interval": "0.1s",
    "unhealthy_threshold": 2,
    "healthy_threshold": 1,
}


def settled(press: Press) -> dict[str, int]:
    """Wait until nothing goes wrong any more: what was asked of a host that hung has its error by then."""
    until = time.monotonic() + PATIENCE
    before = press.so_far
    while time.monotonic() < until:
        press.until(before["asked"] + 1000)
        now = press.so_far
        if all(now[kind] == before[kind] for kind in ("refused", "cut", "closed")):
            return now
        before = now
    raise AssertionError(f"requests still fail {PATIENCE:g} s after the storm: {before}")


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_request_is_answered_through_a_storm(protocol: str, workers: int, show: Show, figure: Show) -> None:
    """Hosts hang, go deaf, crawl, reset, half close, cut their answers, send garbage, die, and are well again, in any
    order, with health checks, outlier detection and timeouts at work. Each request gets its own answer, or an error
    in the protocol, and no connection of a client is closed. Nothing is lost, nothing is mixed up, no request is spoilt
    on its way, and after the storm all succeed, by the connections that went through it too.
    """
    random = seeded(f"storm {protocol} {workers}")
    config = bootstrap(
        [
            cluster(
                "all",
                [],
                outlier_detection=OUTLIERS,
                health_checks=[CHECK],
                connect_timeout="0.3s",
            )
        ],
        [listener(protocol, routes("table", "all", timeout="0.25s"))],
    )
    with Hosts(protocol, COUNT, random.randrange(1, 1 << 32)) as hosts:
        assignment = cluster("all", hosts.addresses)["load_assignment"]
        config["static_resources"]["clusters"][0]["load_assignment"] = assignment
        proxy = Proxy(config, workers=workers)
        proxy.start()
        try:
            proxy.wait_ready(20)
            with Press(protocol, proxy.addresses()[protocol], connections=16, in_flight=8, rate=4000) as press:
                press.until(1000)
                ill: set[int] = set()
                for step in range(scaled(STEPS)):
                    host, mode = random.randrange(COUNT), random.choice([*Hosts.MODES, "well", "well", "well"])
                    if len(ill | {host}) == COUNT:
                        mode = "well"  # There is always one, or little would be asked.
                    ill = ill - {host} if mode == "well" else ill | {host}
                    show(f"step {step}: host {host} is {mode}; {press.so_far['asked']} requests")
                    print(f"{press.so_far['asked']}: host {host} is {mode}")
                    hosts.tell(host, mode)
                    press.until(press.so_far["asked"] + random.randrange(100, 700))
                hosts.tell("*", "well")
                # The first answers come again at once; no later than by then every host is in use.
                usable = lambda: all(each["usable"] for each in proxy.native.hosts()["all"])  # noqa: E731
                eventually(usable, "all hosts are used again")
                before = settled(press)
                press.until(before["asked"] + 4000)
                account = press.account()
            answered = hosts.answered()
            with Press(protocol, proxy.addresses()[protocol], connections=4 * COUNT, requests=FRESH) as again:
                all_right(fresh := again.account())
            assert all(now > then for now, then in zip(hosts.answered(), answered, strict=True)), "hosts left out"
            stats = proxy.stats()
            counts = hosts.counts()
        finally:
            proxy.stop()
    figure(
        f"{account['asked']} requests at {account['per_s']:.0f}/s: {account['right']} answered, {account['refused']} "
        f"refused, {account['cut']} cut, the slowest after {account['longest_s']:.2f} s"
    )
    print(json.dumps(counts))
    assert (account["wrong"], account["lost"], account["unasked"], account["unopened"]) == (0, 0, 0, 0), json.dumps(
        account
    )
    assert (counts["bad"], counts["first_bad"]) == (0, None)
    assert all(account[kind] == before[kind] for kind in ("refused", "cut", "closed")), "after the storm"
    assert account["refused"] > 0
    assert account["right"] > account["asked"] / 4
    assert (account["cut"], account["closed"]) == (0, 0), account
    assert total(stats, "request") == account["asked"] + fresh["asked"]
    for gauge in ("request_active", "upstream_rq_active"):
        assert total(stats, gauge) == 0, gauge
