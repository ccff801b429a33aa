"""The page about statistics says what the source says, and what a proxy really counts."""

from __future__ import annotations

import time
from pathlib import Path
from types import ModuleType

import pytest
from kit.modules import module_at
from kit.proxies import Upstream, bootstrap

from metaprotocol.proxy import Proxy

TOOL = Path(__file__).resolve().parents[3] / "docs" / "_tools" / "proxy_statistics.py"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return module_at(TOOL)


def test_the_page_is_up_to_date(tool: ModuleType) -> None:
    assert tool.PAGE.read_text() == tool.page(tool.SOURCE.read_text()), f"run {TOOL.name}"


def test_it_has_all_that_is_counted(tool: ModuleType, upstream: Upstream) -> None:
    groups = tool.counters(tool.SOURCE.read_text())
    proxy = Proxy(bootstrap(upstream.port, admin=False), workers=1)
    proxy.start()
    until = time.monotonic() + 10
    while not (proxy.native.listener_stats() and proxy.native.cluster_stats()) and time.monotonic() < until:
        time.sleep(0.01)
    listener, cluster = proxy.native.listener_stats()["thrift"], proxy.native.cluster_stats()["up"]
    proxy.stop()
    assert groups["ListenerStats"].keys() | {"request_time_ms"} == listener.keys()
    assert groups["ClusterStats"].keys() == cluster.keys()
