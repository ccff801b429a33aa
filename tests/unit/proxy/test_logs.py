"""What the proxy logs."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import socket
import time

import pytest
from kit.proxies import Upstream, bootstrap, call, read_frame

from metaprotocol.proxy import Proxy, _causes, _logs


@pytest.fixture
def log() -> logging.Logger:
    return _logs.logger("tests")


def test_a_record_is_a_line_of_json(log: logging.Logger) -> None:
    stream = io.StringIO()
    handler = _logs.JsonLines(stream)
    root = logging.getLogger(_logs.ROOT)
    root.addHandler(handler)
    try:
        _logs.set_levels({"tests": "info"})
        _logs.tell(log, logging.WARNING, "two\nlines", count=3, event="not this one", where='"x"')
        _logs.tell(log, logging.DEBUG, "too little")
        try:
            raise ValueError("x")
        except ValueError:
            log.exception("failed %d times", 2)
    finally:
        root.removeHandler(handler)
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert first.pop("time").endswith("Z")
    assert first == {"level": "warning", "logger": "tests", "event": "two\nlines", "count": 3, "where": '"x"'}
    assert second["event"] == "failed 2 times"
    assert second["exception"].endswith("ValueError: x")


def test_levels_are_set_as_a_whole_or_not_at_all(log: logging.Logger) -> None:
    _logs.set_levels({}, every="warning")
    assert _logs.levels()["tests"] == "warning"
    _logs.set_levels({"tests": "trace"})
    assert (_logs.levels()["tests"], _logs.levels()["proxy"]) == ("trace", "warning")
    with pytest.raises(ValueError, match="name"):
        _logs.set_levels({"tests": "off", "nobody": "info"})
    with pytest.raises(ValueError, match="level"):
        _logs.set_levels({"tests": "off"}, every="loud")
    assert _logs.levels()["tests"] == "trace"
    _logs.set_levels({}, every="off")
    assert set(_logs.levels().values()) == {"off"}
    assert not log.isEnabledFor(logging.CRITICAL)
    _logs.set_levels({}, every="info")


def test_only_causes_that_grew_are_told() -> None:
    before = {"cluster.a.upstream_cx_connect_fail": 1, "meta_protocol.x.y.request": 1}
    now = {
        "cluster.a.upstream_cx_connect_fail": 4,
        "meta_protocol.x.y.request": 9,
        "meta_protocol.x.y.denied": 2,
        "meta_protocol.x.y.over_limit": 0,
    }
    assert _causes.grown(before, now) == {"cluster.a.upstream_cx_connect_fail": 3, "meta_protocol.x.y.denied": 2}


def test_every_cause_is_a_counter(upstream: Upstream) -> None:
    proxy = Proxy(bootstrap(upstream.port), workers=1)
    proxy.start()
    counters, until = set[str](), time.monotonic() + 10
    while not _causes.CAUSES.keys() <= counters and time.monotonic() < until:
        counters = {name.rpartition(".")[2] for name in proxy.stats()}
    proxy.stop()
    assert _causes.CAUSES.keys() <= counters


def test_what_goes_wrong_is_told_once_however_often_it_does(
    upstream: Upstream, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_causes, "EVERY", 0.3)

    async def main() -> None:
        async with Proxy(bootstrap(upstream.port, admin=False), workers=1).running() as proxy:
            await asyncio.sleep(0.1)
            with socket.create_connection(proxy.addresses()["thrift"], timeout=10) as connection:
                for number in range(20):
                    connection.sendall(call(number, "lost"))
                    read_frame(connection)
            await asyncio.sleep(0.7)

    with caplog.at_level(logging.WARNING, _logs.ROOT):
        asyncio.run(main())
    [record] = [each for each in caplog.records if each.name == f"{_logs.ROOT}.data"]
    assert record.getMessage() == "no host could be used"
    assert _logs.fields_of(record) == {
        "cause": "no_healthy_upstream",
        "where": "meta_protocol.thrift.ingress",
        "count": 20,
    }
