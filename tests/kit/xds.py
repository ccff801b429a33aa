"""Short ways to read parts of a configuration."""

from __future__ import annotations

from typing import Any

from envoy.config.bootstrap.v3.bootstrap_pb2 import Bootstrap
from envoy.config.cluster.v3.cluster_pb2 import Cluster as ClusterMessage
from envoy.config.listener.v3.listener_pb2 import Listener as ListenerMessage
from envoy.config.route.v3.route_pb2 import RouteConfiguration

from metaprotocol.xds import Cluster, Context, Listener, Loaded, Report, cluster, listener, localities, routes
from metaprotocol.xds.gen.aeraki.meta_protocol_proxy.config.route.v1alpha import route_pb2 as meta
from metaprotocol.xds.tree import read_text

PROXY = "type.googleapis.com/aeraki.meta_protocol_proxy.v1alpha.MetaProtocolProxy"


def completed(loaded: Loaded) -> dict[str, Any]:
    """The whole update, with what a running proxy knows of zones: two proxies in its own, one in another."""
    update = loaded.update()
    for name, each in loaded.clusters.items():
        if each.zone_aware is not None:
            peers = {("r", "a", ""): (2, 2), ("r", "b", ""): (1, 0)}
            update["clusters"][name] = each.config | {"localities": localities(each, ("r", "a", ""), peers)}
    return update


class Told:
    """What became of a text, and what was reported as `path: message`, with `!` in front of what is fatal."""

    def __init__(self, value: Any, report: Report) -> None:
        self.value = value
        self.problems = [
            f"{'!' if problem.fatal else ''}{problem.path}: {problem.message}" for problem in report.sorted()
        ]


def read(text: str, message: Any) -> tuple[Any, Report]:
    report = Report("file.yaml")
    read_text(text, message, report.at())
    return message, report


def bootstrap(text: str) -> Told:
    message, report = read(text, Bootstrap())
    return Told(message, report)


def read_cluster(text: str, context: Context | None = None) -> Told:
    message, report = read(text, ClusterMessage())
    found: Cluster = cluster(message, report.at(), context or Context())
    return Told(found, report)


def read_listener(text: str, context: Context | None = None) -> Told:
    message, report = read(text, ListenerMessage())
    found: Listener | None = listener(message, report.at(), context or Context())
    return Told(found, report)


def read_routes(text: str, *, http: bool, context: Context | None = None) -> Told:
    message, report = read(text, RouteConfiguration() if http else meta.RouteConfiguration())
    return Told(routes(message, report.at(), context or Context()), report)


def meta_listener(text: str, context: Context | None = None, head: str = "") -> Told:
    """A listener whose filter has these fields besides what it needs; paths begin at the filter's message."""
    lines = "\n".join(f"      {line}" for line in text.splitlines())
    told = read_listener(
        f"""
name: in
address: {{socket_address: {{address: 127.0.0.1, port_value: 1}}}}
{head}
filter_chains:
- filters:
  - name: aeraki.meta_protocol_proxy
    typed_config:
      "@type": {PROXY}
{lines}
""",
        context,
    )
    told.problems = [
        problem.replace("filter_chains[0].filters[0].typed_config.", "").replace(
            "filter_chains[0].filters[0].typed_config", ""
        )
        for problem in told.problems
    ]
    return told
