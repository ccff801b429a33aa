"""The proxies of `bench/proxy.py`: how each is started."""

from __future__ import annotations

import importlib.resources
import json
import string
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable

CONFIG = Path(__file__).resolve().parent / "proxy"
PROTOCOLS = ("thrift", "dubbo", "redis")
BASELINE = "envoy tcp_proxy"
MATCHES = {
    "thrift": {"name": "method", "exact_match": "echo"},
    "dubbo": {"name": "method", "exact_match": "echo"},
    "redis": {"name": "key", "prefix_match": "bench:"},
}
"""On what this project's proxy routes."""


class Place(NamedTuple):
    """Where a proxy is to listen, whom it is to forward to, and where its files may go."""

    protocol: str
    port: int
    upstreams: tuple[int, ...]
    folder: Path
    tools: Path
    workers: int = 1


@dataclass(frozen=True)
class Peer:
    name: str
    command: Callable[[Place], list[str]]
    protocols: tuple[str, ...] = PROTOCOLS
    several: bool = True
    """Whether it can have several worker threads."""


def bootstrap(place: Place, name: str, **values: str) -> str:
    """An Envoy bootstrap around the filter that `bench/proxy/{name}.yaml` configures."""
    text = string.Template((CONFIG / f"{name}.yaml").read_text()).substitute(values)
    around = string.Template((CONFIG / "envoy.yaml").read_text())
    path = place.folder / f"{name}-{place.protocol}-{place.port}.yaml"
    hosts = [
        {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}}
        for port in place.upstreams
    ]
    written = {"hosts": json.dumps(hosts), "filter": json.dumps(yaml.safe_load(text))}
    path.write_text(around.substitute(port=place.port, **written))
    return str(path)


def envoy(config: str) -> Callable[[Place], list[str]]:
    def command(place: Place) -> list[str]:
        # The package's own command is a Python program in front of this one.
        binary = importlib.resources.files("envoy") / "_bin" / "envoy"
        name = config.format(protocol=place.protocol)
        options = ["--concurrency", str(place.workers), "--disable-hot-restart", "--log-level", "warning"]
        return [str(binary), "-c", bootstrap(place, name), *options]

    return command


def tool(name: str, *, protocol: bool) -> Callable[[Place], list[str]]:
    def command(place: Place) -> list[str]:
        words = [str(place.tools), name, "--target", f"127.0.0.1:{place.upstreams[0]}"]
        words += ["--listen", f"127.0.0.1:{place.port}"]
        return [*words, "--protocol", place.protocol] if protocol else words

    return command


def metaprotocol(place: Place) -> list[str]:
    """It has a worker thread for each CPU that it is started on."""
    match = json.dumps(MATCHES[place.protocol])
    config = bootstrap(place, "metaprotocol", protocol=place.protocol, match=match)
    return [sys.executable, "-c", "from metaprotocol.cli import main; main()", "proxy", "-c", config]


def all_peers() -> list[Peer]:
    return [
        Peer(BASELINE, envoy("envoy-tcp")),
        *(Peer(f"envoy {name}_proxy", envoy("envoy-{protocol}"), (name,)) for name in PROTOCOLS),
        Peer("forward", tool("forward", protocol=False), several=False),
        Peer("mux", tool("mux", protocol=True), several=False),
        Peer("metaprotocol", metaprotocol),
    ]
