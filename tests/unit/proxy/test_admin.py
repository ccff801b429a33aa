"""The admin port, asked by the HTTP client of the standard library."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest
from kit.proxies import Upstream, bootstrap, call, fetch, fetch_json, hosts, read_frame

from metaprotocol.proxy import Proxy
from metaprotocol.proxy._admin_help import COMMANDS
from metaprotocol.proxy._lifecycle import State

Address = tuple[str, int]


def running(config: dict[str, Any], body: Callable[[Proxy], None], **arguments: Any) -> Proxy:
    """Run what blocks in a thread, while a proxy serves."""
    proxy = Proxy(config, workers=1)

    async def main() -> None:
        async with proxy.running(**arguments):
            await asyncio.to_thread(body, proxy)

    asyncio.run(main())
    return proxy


def admin_of(proxy: Proxy) -> Address:
    assert proxy.admin_address is not None
    return proxy.admin_address


def ask(proxy: Proxy, *methods: str) -> None:
    with socket.create_connection(proxy.addresses()["thrift"], timeout=10) as connection:
        for number, method in enumerate(methods):
            connection.sendall(call(number, method))
            read_frame(connection)


def test_ready_and_server_info(upstream: Upstream) -> None:
    def body(proxy: Proxy) -> None:
        admin = admin_of(proxy)
        assert fetch(admin, "/ready") == (200, "text/plain; charset=utf-8", "LIVE\n")
        info = fetch_json(admin, "/server_info")
        assert info["state"] == "LIVE"
        assert info["version"].startswith("metaprotocol/")
        assert info["node"] == {"id": "node-1", "cluster": "tests"}
        assert info["command_line_options"]["concurrency"] == 1
        assert fetch(admin, "/healthcheck/fail", "POST")[::2] == (200, "OK\n")
        assert fetch(admin, "/ready")[::2] == (503, "DRAINING\n")
        assert fetch_json(admin, "/server_info")["state"] == "DRAINING"
        ask(proxy, "still")
        assert fetch(admin, "/healthcheck/ok", "POST")[0] == 200
        assert fetch(admin, "/ready")[0] == 200

    running(bootstrap(upstream.port), body)


def test_stats(upstream: Upstream) -> None:
    def body(proxy: Proxy) -> None:
        admin = admin_of(proxy)
        ask(proxy, "ping", "ping", "lost")
        lines = fetch(admin, "/stats")[2].splitlines()
        numbers = dict(line.split(": ", 1) for line in lines)
        assert numbers["meta_protocol.thrift.ingress.request"] == "3"
        assert numbers["meta_protocol.thrift.ingress.no_healthy_upstream"] == "1"
        assert numbers["cluster.up.upstream_rq_total"] == "2"
        assert numbers["listener.thrift.downstream_cx_total"] == "1"
        assert numbers["meta_protocol.thrift.ingress.request_time_ms"].startswith("P0(")
        some = fetch(admin, "/stats?usedonly&filter=cluster%5C.(up|empty)%5C.upstream_rq_t")[2]
        assert some.splitlines() == ["cluster.up.upstream_rq_total: 2"]
        found = fetch_json(admin, "/stats?format=json&filter=upstream_rq_total$")
        assert found == {
            "stats": [
                {"name": "cluster.empty.upstream_rq_total", "value": 0},
                {"name": "cluster.up.upstream_rq_total", "value": 2},
            ]
        }
        [histograms] = fetch_json(admin, "/stats?format=json&filter=request_time_ms")["stats"]
        [times] = histograms["histograms"]["computed_quantiles"]
        assert len(times["values"]) == len(histograms["histograms"]["supported_quantiles"])
        for path in ("/stats?format=prometheus", "/stats/prometheus"):
            status, kind, text = fetch(admin, path)
            assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
            assert 'envoy_cluster_upstream_rq_total{envoy_cluster_name="up"} 2\n' in text
            assert "# TYPE envoy_meta_protocol_request counter\n" in text
        assert fetch(admin, "/stats?format=xml")[::2] == (400, "usage: /stats?format=(text|json|prometheus)\n")
        assert fetch(admin, "/stats?filter=[")[0] == 400

    running(bootstrap(upstream.port), body)


def test_clusters(upstream: Upstream) -> None:
    config = bootstrap(upstream.port)
    sick = {"name": "sick", "type": "STATIC", "load_assignment": hosts("sick", 1, health_status="UNHEALTHY")}
    sick["circuit_breakers"] = {"thresholds": [{"max_connections": 7}]}
    config["static_resources"]["clusters"].append(sick)

    def body(proxy: Proxy) -> None:
        admin = admin_of(proxy)
        ask(proxy, "ping")
        lines = fetch(admin, "/clusters")[2].splitlines()
        up = f"up::127.0.0.1:{upstream.port}"
        for line in (
            f"{up}::rq_total::1",
            f"{up}::rq_success::1",
            f"{up}::cx_active::1",
            f"{up}::health_flags::healthy",
            f"{up}::weight::1",
            "up::added_via_api::false",
            "up::default_priority::max_requests::1024",
            "sick::default_priority::max_connections::7",
            "sick::127.0.0.1:1::health_flags::/failed_eds_health",
        ):
            assert line in lines
        proxy.native.checked("up", f"127.0.0.1:{upstream.port}", False)
        assert f"{up}::health_flags::/failed_active_hc" in fetch(admin, "/clusters")[2]
        assert fetch(admin, "/clusters?filter=^sick")[2].count("::observability_name::") == 1
        found = {each["name"]: each for each in fetch_json(admin, "/clusters?format=json")["cluster_statuses"]}
        assert found.keys() == {"up", "sick", "empty"}
        [host] = found["up"]["host_statuses"]
        assert host["address"]["socket_address"] == {"address": "127.0.0.1", "port_value": upstream.port}
        assert host["health_status"] == {"failed_active_health_check": True, "eds_health_status": "HEALTHY"}
        assert {"name": "rq_total", "value": "1"} in host["stats"]
        assert found["sick"]["circuit_breakers"]["thresholds"][0]["max_connections"] == 7
        assert fetch(admin, "/clusters?format=prometheus")[0] == 400

    running(config, body)


def test_config_dump(upstream: Upstream) -> None:
    def body(proxy: Proxy) -> None:
        admin = admin_of(proxy)
        dump = fetch_json(admin, "/config_dump")
        kinds = [each["@type"].rpartition(".")[2] for each in dump["configs"]]
        assert kinds == ["BootstrapConfigDump", "ClustersConfigDump", "ListenersConfigDump", "RoutesConfigDump"]
        start, clusters, listeners, routes = dump["configs"]
        assert start["bootstrap"]["node"]["id"] == "node-1"
        assert [each["cluster"]["name"] for each in clusters["static_clusters"]] == ["empty", "up"]
        assert clusters["static_clusters"][1]["last_updated"].endswith("Z")
        [listener] = listeners["static_listeners"]
        assert listener["listener"]["name"] == "thrift"
        [filter_] = listener["listener"]["filter_chains"][0]["filters"]
        assert filter_["typed_config"]["stat_prefix"] == "ingress"
        assert routes["@type"] == "type.googleapis.com/aeraki.meta_protocol_proxy.admin.v1alpha.RoutesConfigDump"
        [table] = routes["static_route_configs"]
        assert table["route_config"]["name"] == "local"
        assert [each["route"]["cluster"] for each in table["route_config"]["routes"]] == ["empty", "up"]
        only = fetch_json(admin, "/config_dump?resource=static_clusters&name_regex=u.*")["configs"]
        assert [each["cluster"]["name"] for each in only] == ["up"]
        for missing in ("nonsense", "bootstrap", "version_info"):
            assert fetch(admin, f"/config_dump?resource={missing}")[::2] == (404, f"{missing} not found in config dump")
        assert fetch(admin, "/config_dump?name_regex=[")[0] == 400
        assert fetch(admin, "/config_dump?mask=bootstrap")[0] == 400

    running(bootstrap(upstream.port), body)


def test_listeners_help_and_home(upstream: Upstream) -> None:
    def body(proxy: Proxy) -> None:
        admin = admin_of(proxy)
        host, port = proxy.addresses()["thrift"]
        assert fetch(admin, "/listeners")[2] == f"thrift::{host}:{port}\n"
        [status] = fetch_json(admin, "/listeners?format=json")["listener_statuses"]
        assert status == {
            "name": "thrift",
            "local_address": {"socket_address": {"address": host, "port_value": port}},
        }
        status_code, kind, page = fetch(admin, "/")
        assert (status_code, kind) == (200, "text/html; charset=utf-8")
        text = fetch(admin, "/help")[2]
        for path, command in COMMANDS.items():
            assert f'"{path}"' in page
            assert f"  {path}{' (POST)' if command.post else ''}: " in text
            assert all(f"      {name}: " in text for name in command.parameters)
        assert fetch(admin, "/nonsense")[::2] == (404, f"invalid path. {text}")

    running(bootstrap(upstream.port), body)


def test_what_changes_something_needs_post(upstream: Upstream) -> None:
    def body(proxy: Proxy) -> None:
        admin = admin_of(proxy)
        for path, command in COMMANDS.items():
            if command.post:
                told = "Method GET not allowed, POST required."
                assert fetch(admin, path)[::2] == (405, told)
        assert fetch(admin, "/stats", "DELETE")[0] == 405
        elsewhere = {"Origin": "http://elsewhere.example"}
        assert fetch(admin, "/quitquitquit", "POST", **elsewhere)[0] == 403
        assert not proxy.lifecycle.quit.is_set()
        own = "{}:{}".format(*admin)
        assert fetch(admin, "/healthcheck/ok", "POST", Origin=f"http://{own}")[0] == 200

    running(bootstrap(upstream.port), body)


def test_logging_levels(upstream: Upstream) -> None:
    def body(proxy: Proxy) -> None:
        admin = admin_of(proxy)
        assert "  data: " in fetch(admin, "/logging", "POST")[2]
        assert "  admin: error\n" in fetch(admin, "/logging?level=error", "POST")[2]
        text = fetch(admin, "/logging?paths=admin:debug,data:off", "POST")[2]
        assert ("  admin: debug\n" in text, "  data: off\n" in text, "  main: error\n" in text) == (True,) * 3
        assert "  main: trace\n" in fetch(admin, "/logging?main=trace", "POST")[2]
        for query, why in (("level=loud", "level"), ("paths=admin:trace,none:info", "name")):
            status, _, text = fetch(admin, f"/logging?{query}", "POST")
            assert (status, text.splitlines()[0]) == (400, f"error: unknown logger {why}")
        assert "  admin: debug\n" in fetch(admin, "/logging", "POST")[2]
        fetch(admin, "/logging?level=warning", "POST")

    running(bootstrap(upstream.port), body)


def test_drain_listeners(upstream: Upstream) -> None:
    def body(proxy: Proxy) -> None:
        admin, address = admin_of(proxy), proxy.addresses()["thrift"]
        assert fetch(admin, "/drain_listeners?inboundonly", "POST")[0] == 400
        assert fetch(admin, "/ready")[0] == 200
        assert fetch(admin, "/drain_listeners", "POST")[::2] == (200, "OK\n")
        assert fetch(admin, "/ready")[::2] == (503, "DRAINING\n")
        assert fetch(admin, "/listeners")[2] == ""
        assert refused(address)
        assert fetch(admin, "/stats")[0] == 200

    running(bootstrap(upstream.port), body)


def refused(address: Address) -> bool:
    """Whether soon nobody listens there any more."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            socket.create_connection(address, timeout=1).close()
        except ConnectionRefusedError:
            return True
        except ConnectionResetError:
            continue  # it came as the socket was closed
    return False


def test_a_graceful_drain_says_so_and_still_accepts(upstream: Upstream) -> None:
    def body(proxy: Proxy) -> None:
        admin = admin_of(proxy)
        proxy._drain_timeout = 0.3
        assert fetch(admin, "/drain_listeners?graceful", "POST")[0] == 200
        assert fetch(admin, "/ready")[::2] == (503, "DRAINING\n")
        ask(proxy, "ping")
        until = time.monotonic() + 5
        while proxy.addresses() and time.monotonic() < until:
            time.sleep(0.02)
        assert not proxy.addresses()

    running(bootstrap(upstream.port), body)


def test_quit(upstream: Upstream) -> None:
    proxy = Proxy(bootstrap(upstream.port), workers=1)

    async def main() -> None:
        async with proxy.running():
            admin = admin_of(proxy)
            assert (await asyncio.to_thread(fetch, admin, "/quitquitquit", "POST"))[2] == "OK\n"
            await asyncio.wait_for(proxy.asked_to_quit(), 5)

    asyncio.run(main())
    assert proxy.admin_address is None
    assert not proxy.is_running


def test_it_answers_while_the_proxy_starts_and_drains(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = Proxy(bootstrap(upstream.port), workers=1)
    make, states = proxy._data_path, []

    def slow(*arguments: Any) -> Any:
        admin = admin_of(proxy)
        states.append(fetch(admin, "/ready"))
        states.append(fetch(admin, "/stats"))
        return make(*arguments)

    monkeypatch.setattr(proxy, "_data_path", slow)
    upstream.delay = 0.5

    async def main() -> None:
        async with proxy.running(drain_timeout=8):
            admin = admin_of(proxy)
            connection = socket.create_connection(proxy.addresses()["thrift"], timeout=10)
            connection.sendall(call(1))
            await asyncio.sleep(0.1)
            late = asyncio.create_task(asyncio.to_thread(seen_while_draining, admin, connection))
        states.extend(await late)

    asyncio.run(main())
    assert [each[::2] for each in states] == [
        (503, "PRE_INITIALIZING\n"),
        (503, "PRE_INITIALIZING\n"),
        (503, "DRAINING\n"),
        (200, '{"stats": [{"name": "meta_protocol.thrift.ingress.request_active", "value": 1}]}'),
    ]


def seen_while_draining(admin: Address, connection: socket.socket) -> list[tuple[int, str, str]]:
    time.sleep(0.1)
    found = [fetch(admin, "/ready"), fetch(admin, "/stats?format=json&filter=ingress.request_active")]
    with connection:
        assert read_frame(connection)
        assert connection.recv(1) == b""
    return found


def test_it_answers_while_all_other_threads_hang(upstream: Upstream) -> None:
    """Name resolution, say, takes the threads of asyncio."""
    proxy = Proxy(bootstrap(upstream.port), workers=1)
    hung: Future[None] = Future()

    async def main() -> None:
        async with proxy.running():
            admin = admin_of(proxy)
            loop = asyncio.get_running_loop()
            waiting = [loop.run_in_executor(None, hung.result) for _ in range(100)]
            text = await asked(admin, "/clusters?format=json")
            assert json.loads(text)["cluster_statuses"]
            hung.set_result(None)
            await asyncio.gather(*waiting)

    asyncio.run(main())


async def asked(admin: Address, path: str) -> str:
    reader, writer = await asyncio.open_connection(*admin)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    _, _, body = (await asyncio.wait_for(reader.read(-1), 10)).partition(b"\r\n\r\n")
    writer.close()
    return body.decode()


def test_no_admin_port_unless_asked_for(upstream: Upstream) -> None:
    proxy = running(bootstrap(upstream.port, admin=False), check_none)
    assert not proxy.is_running


def check_none(proxy: Proxy) -> None:
    assert proxy.admin_address is None
    assert proxy.state is State.LIVE


def test_an_address_that_is_taken(upstream: Upstream) -> None:
    config = bootstrap(upstream.port)
    config["admin"]["address"]["socket_address"]["port_value"] = upstream.port
    with pytest.raises(OSError, match=f"the admin port cannot listen on 127.0.0.1:{upstream.port}"):
        running(config, check_none)
