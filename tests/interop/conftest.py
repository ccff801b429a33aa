"""The real peers, built once a run by their own scripts, which keep what they built."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from interop.peers.redis import redis_servers
from interop.running import Broker, free_port, running, unavailable

PEERS = Path(__file__).resolve().parent / "peers"
Servers = TypeVar("Servers")
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
def kafka() -> str:
    """The program that runs the Apache Kafka peers in Java."""
    program = str(PEERS / "kafka" / "run.sh")
    if shutil.which("java") is None:
        unavailable("java not found: install JDK 17 or later to talk to real Kafka peers")
    built = subprocess.run([program, "build"], capture_output=True, encoding="utf-8", timeout=BUILD, check=False)
    if built.returncode:
        for tool, what in (("mvn", "Maven"), ("javac", "a JDK, 17 or later")):
            if shutil.which(tool) is None:
                unavailable(f"{tool} not found: install {what} to build the Kafka peers")
        pytest.fail(f"the Kafka peers did not build:\n{built.stdout}{built.stderr}", pytrace=False)
    return program


@pytest.fixture(scope="session")
def kafka_broker(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Broker]]:
    """A broker of a line of Kafka; it runs until the end of the run."""
    with ExitStack() as servers:
        brokers: dict[str, Broker] = {}

        def broker(line: str) -> Broker:
            if line not in brokers:
                log = tmp_path_factory.mktemp("kafka") / "requests"
                sasl_port = free_port()
                command = [kafka, "server", "--line", line, "--log", str(log), "--sasl-port", str(sasl_port)]
                brokers[line] = Broker(servers.enter_context(running(command)), sasl_port, log)
            return brokers[line]

        yield broker


@pytest.fixture(scope="session")
def redis_server() -> Iterator[redis_servers.Server]:
    """A Redis server alone. Tests leave their keys in it, and use names of their own."""
    with started(redis_servers.alone()) as server:
        yield server


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[list[redis_servers.Server]]:
    """Three Redis servers that share the slots."""
    with started(redis_servers.cluster()) as servers:
        yield servers


@pytest.fixture(scope="session")
def redis_tls() -> Iterator[redis_servers.Server]:
    """A Redis server that speaks TLS only."""
    with started(redis_servers.tls()) as server:
        yield server


@contextmanager
def started(servers: AbstractContextManager[Servers]) -> Iterator[Servers]:
    """What the block gives, if the programs are there."""
    with ExitStack() as stack:
        try:
            given = stack.enter_context(servers)
        except redis_servers.Unavailable as missing:
            unavailable(str(missing))
        yield given


@pytest.fixture(scope="session")
def thrift() -> dict[str, list[str]]:
    """The command of each Thrift peer, by its name."""
    return commands("thrift")


@pytest.fixture(scope="session")
def trpc() -> dict[str, list[str]]:
    """The command of each tRPC peer, by its name."""
    return commands("trpc")


def commands(protocol: str) -> dict[str, list[str]]:
    """What the `build.py` of a protocol's peers builds."""
    spec = importlib.util.spec_from_file_location(f"{protocol}_peers", PEERS / protocol / "build.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    try:
        built: dict[str, list[str]] = script.build()
    except SystemExit as missing:
        unavailable(str(missing))
    return built
