"""`examples/asyncio_proxy.py` between real peers: Apache Dubbo from Java, Apache Thrift from Python and Go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from interop.running import Call, free_port, run, running
from interop.test_dubbo import outcome
from kit import asyncio_proxy

pytestmark = [pytest.mark.interop, pytest.mark.timeout(90, func_only=True)]


def told(calls: list[Call]) -> list[Any]:
    # Concurrent calls are told as they end.
    return sorted((outcome(call) for call in calls), key=repr)


@pytest.mark.parametrize("line", ["2.7", "3"])
@pytest.mark.parametrize("scenario", ["interop", "basic", "oneway", "concurrent", "large"])
def test_dubbo_calls_pass(dubbo: str, dubbo_server: Callable[[str], int], line: str, scenario: str) -> None:
    server = dubbo_server(line)
    command = [dubbo, "client", "--line", line, "--scenario", scenario]
    with asyncio_proxy.running("--codec", "dubbo", "--default", f"127.0.0.1:{server}") as (_, port):
        assert told(run(command, port)) == told(run(command, server))


def test_dubbo_calls_are_routed_edited_and_refused(dubbo: str, dubbo_server: Callable[[str], int]) -> None:
    """Java's client sees the attachment that the proxy set, and the error that it made where no server is."""
    server, dead = dubbo_server("3"), free_port()
    routes = ["--route", f"method=sayHello=127.0.0.1:{dead}", "--default", f"127.0.0.1:{server}"]
    with asyncio_proxy.running("--codec", "dubbo", *routes, "--set", "via=proxy") as (_, port):
        calls = run([dubbo, "client", "--line", "3", "--scenario", "interop"], port)
    by_method = {call["method"]: call for call in calls}
    assert by_method["attachments"]["value"]["via"] == "proxy"
    hello = by_method["sayHello"]
    assert not hello["ok"]
    assert f"127.0.0.1:{dead}: " in hello["causes"][-1]["message"]


@pytest.mark.parametrize("transport", ["framed", "unframed", "header"])
@pytest.mark.parametrize(("client", "server"), [("apache-py", "apache-go"), ("apache-go", "apache-py")])
def test_thrift_calls_pass(thrift: dict[str, list[str]], client: str, server: str, transport: str) -> None:
    options = ["--transport", transport, "--protocol", "binary"]
    with running([*thrift[server], "server", *options]) as port:
        command = [*thrift[client], "client", *options, "--scenario", "short"]
        with asyncio_proxy.running("--codec", "thrift", "--default", f"127.0.0.1:{port}") as (_, proxy):
            calls = run(command, proxy)
        direct = run(command, port)
    assert [(call["method"], call["outcome"], call.get("value")) for call in calls] == [
        (call["method"], call["outcome"], call.get("value")) for call in direct
    ]
