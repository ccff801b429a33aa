"""A proxy is there soon: what takes long to load is loaded when it is used. Modules are counted, and no time taken."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from kit.proxies import Upstream, bootstrap, call, read_frame
from kit.proxying import eventually

from metaprotocol.proxy import Proxy, _admin_port

HEAVY = {"aiodns", "aiohttp", "grpc", "numpy", "pydantic", "rich", "typer"}
MOST_MODULES = 470

# The command, up to where it has opened its listeners.
COMMAND = """
import signal, sys
from metaprotocol.cli import _proxy, main
def shown(proxy):
    print(*sorted(sys.modules), *proxy.addresses())
    signal.raise_signal(signal.SIGTERM)
_proxy._show_listeners = shown
main()
"""
PROGRAM = """
import sys
from metaprotocol.proxy import Proxy
proxy = Proxy(sys.argv[1])
proxy.start()
proxy.wait_ready(10)
print(*sorted(sys.modules), *proxy.addresses())
proxy.stop()
"""


def modules(tmp_path: Path, script: str, *arguments: str) -> set[str]:
    """What is loaded when a proxy serves whose bootstrap has all that it needs, and no admin port."""
    config = tmp_path / "bootstrap.json"
    config.write_text(json.dumps(bootstrap(1, admin=False)))
    command = [sys.executable, "-c", script, *arguments, str(config)]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.split()
    assert "thrift" in told, "it does not listen"
    return set(told) - {"thrift"}


def test_a_command_loads_what_it_needs(tmp_path: Path) -> None:
    loaded = modules(tmp_path, COMMAND, "proxy", "--drain-time-s", "0", "-c")
    assert not loaded & HEAVY
    assert not {name for name in loaded if name.endswith("_pb2_grpc") or name.startswith("envoy.admin")}
    assert len(loaded) <= MOST_MODULES, sorted(loaded)


def test_a_program_loads_what_it_needs(tmp_path: Path) -> None:
    loaded = modules(tmp_path, PROGRAM)
    assert not loaded & HEAVY
    assert len(loaded) <= MOST_MODULES, sorted(loaded)


def test_who_asks_the_admin_port_early_waits(upstream: Upstream) -> None:
    script = """
import asyncio, json, sys
from http.client import HTTPConnection
from metaprotocol.proxy import Proxy
async def main():
    async with Proxy(json.loads(sys.argv[1])).running() as proxy:
        early = "aiohttp" not in sys.modules
        connection = HTTPConnection(*proxy.admin_address, timeout=30)
        await asyncio.to_thread(connection.request, "GET", "/ready")
        response = await asyncio.to_thread(connection.getresponse)
        print(early, response.status, "aiohttp" in sys.modules)
        connection.close()
asyncio.run(main())
"""
    command = [sys.executable, "-c", script, json.dumps(bootstrap(upstream.port))]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    assert told == "True 200 True\n"


def test_a_proxy_that_ends_before_the_admin_port_answers(upstream: Upstream) -> None:
    script = """
import asyncio, json, sys
from metaprotocol.proxy import Proxy
async def main():
    async with Proxy(json.loads(sys.argv[1])).running() as proxy:
        print(proxy.admin_address[0])
asyncio.run(main())
"""
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", script, json.dumps(bootstrap(upstream.port))]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("127.0.0.1\n", "")


def test_what_is_loaded_later_is_missed_at_once(tmp_path: Path) -> None:
    config = tmp_path / "bootstrap.json"
    config.write_text(json.dumps(bootstrap(1)))
    for missing in ("aiodns", "aiohttp", "grpc"):
        script = f"import sys; sys.modules['{missing}'] = None; from metaprotocol.cli import main; main()"
        command = [sys.executable, "-c", script, "proxy", "-c", str(config)]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
        assert done.returncode == 1
        assert f"the proxy needs the package {missing}: pip install 'metaprotocol[proxy]'" in done.stderr


def test_an_admin_port_that_cannot_be_loaded_is_told(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: str) -> None:
        raise ImportError("no such thing")

    monkeypatch.setattr(_admin_port, "import_module", broken)

    async def main() -> None:
        async with Proxy(bootstrap(upstream.port), workers=1).running() as proxy:
            await eventually(lambda: "the admin port cannot answer" in caplog.text)
            with socket.create_connection(proxy.addresses()["thrift"], timeout=10) as connection:
                connection.sendall(call(1))
                assert await asyncio.to_thread(read_frame, connection)

    asyncio.run(main())
    assert "ImportError: no such thing" in caplog.text
