"""The real peers, built once a run by their own scripts, which keep what they built."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from interop.running import running, unavailable

PEERS = Path(__file__).resolve().parent / "peers"
BUILD = 900
"""Seconds for a first build, which downloads libraries."""


def java_peers(folder: str, name: str) -> str:
    """The program that runs peers written in Java."""
    program = str(PEERS / folder / "run.sh")
    if shutil.which("java") is None:
        unavailable(f"java not found: install JDK 17 or later to talk to real {name} peers")
    built = subprocess.run([program, "build"], capture_output=True, encoding="utf-8", timeout=BUILD, check=False)
    if built.returncode:
        for tool, what in (("mvn", "Maven"), ("javac", "a JDK, 17 or later")):
            if shutil.which(tool) is None:
                unavailable(f"{tool} not found: install {what} to build the {name} peers")
        pytest.fail(f"the {name} peers did not build:\n{built.stdout}{built.stderr}", pytrace=False)
    return program


@pytest.fixture(scope="session")
def brpc() -> str:
    """The program that runs the brpc-java peers."""
    return java_peers("brpc", "bRPC")


@pytest.fixture(scope="session")
def brpc_server(brpc: str) -> Iterator[Callable[[str], int]]:
    """The port of a server of a protocol; it runs until the end of the run."""
    with ExitStack() as servers:
        ports: dict[str, int] = {}

        def port(protocol: str) -> int:
            if protocol not in ports:
                ports[protocol] = servers.enter_context(running([brpc, "server", "--protocol", protocol]))
            return ports[protocol]

        yield port


@pytest.fixture(scope="session")
def dubbo() -> str:
    """The program that runs the Apache Dubbo peers."""
    return java_peers("dubbo", "Dubbo")


@pytest.fixture(scope="session")
def dubbo_server(dubbo: str) -> Iterator[Callable[[str], int]]:
    """The port of a server of a line of Dubbo; it runs until the end of the run."""
    with ExitStack() as servers:
        ports: dict[str, int] = {}

        def port(line: str) -> int:
            if line not in ports:
                ports[line] = servers.enter_context(running([dubbo, "server", "--line", line]))
            return ports[line]

        yield port


@pytest.fixture(scope="session")
def thrift() -> dict[str, list[str]]:
    """The command of each Thrift peer, by its name."""
    spec = importlib.util.spec_from_file_location("thrift_peers", PEERS / "thrift" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    try:
        commands: dict[str, list[str]] = script.build()
    except SystemExit as missing:
        unavailable(str(missing))
    return commands
