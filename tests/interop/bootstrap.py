"""The proxy between real peers: bootstraps as Envoy has them, in short, and a proxy that runs one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml
from interop.proxy import HOST, PATIENCE

from metaprotocol.proxy import Proxy
from metaprotocol.xds import loads

CODEC = "aeraki.meta_protocol.codec."
TYPE = "type.googleapis.com/"

Message = dict[str, Any]


def address(port: int) -> Message:
    """Where something listens."""
    return {"socket_address": {"address": HOST, "port_value": port}}


def cluster(name: str, *ports: int, **more: Any) -> Message:
    """Hosts on this machine that do the same."""
    hosts = [{"endpoint": {"address": address(port)}} for port in ports]
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "2s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": hosts}]},
        **more,
    }


def route(
    to: str | Mapping[str, int],
    *,
    match: Sequence[Message] = (),
    request: Mapping[str, str] | None = None,
    response: Mapping[str, str] | None = None,
    **action: Any,
) -> Message:
    """A route to a cluster, or to several by their weights.

    Args:
        to: The cluster, or the weights of clusters.
        match: What must hold (`envoy.config.route.v3.HeaderMatcher`).
        request: What is set in requests.
        response: What is set in responses.
        action: More of the `RouteAction`.
    """
    if isinstance(to, str):
        action["cluster"] = to
    else:
        action["weighted_clusters"] = {
            "clusters": [{"name": name, "weight": weight} for name, weight in to.items()],
        }
    return {
        "match": {"metadata": list(match)},
        "route": action,
        "request_mutation": _pairs(request),
        "response_mutation": _pairs(response),
    }


def _pairs(values: Mapping[str, str] | None) -> list[Message]:
    return [{"key": key, "value": value} for key, value in (values or {}).items()]


def codec(name: str) -> Message:
    """A codec by its registered name."""
    return {"name": CODEC + name}


def any_of(*names: str, **more: Any) -> Message:
    """The codec that stands for several, of which the first bytes of a connection pick one."""
    detect = {"@type": f"{TYPE}metaprotocol.proxy.v1.Detect", "codecs": [codec(name) for name in names], **more}
    return {"name": f"{CODEC}auto", "config": detect}


def listener(spoken: str | Message, routes: Sequence[Message], *, port: int = 0, **more: Any) -> Message:
    """A listener with its routes."""
    known = codec(spoken) if isinstance(spoken, str) else spoken
    proxy = {
        "@type": f"{TYPE}aeraki.meta_protocol_proxy.v1alpha.MetaProtocolProxy",
        "stat_prefix": "interop",
        "protocol": {"name": spoken if isinstance(spoken, str) else "several", "codec": known},
        "route_config": {"routes": list(routes)},
        **more,
    }
    return {
        "name": "interop",
        "address": address(port),
        "filter_chains": [{"filters": [{"name": "aeraki.meta_protocol_proxy", "typed_config": proxy}]}],
    }


@dataclass(frozen=True)
class Between:
    """A proxy that runs."""

    proxy: Proxy

    @property
    def port(self) -> int:
        """Where clients connect."""
        return self.proxy.addresses()["interop"][1]

    def stat(self, name: str) -> int:
        """A counter: its last words, such as `route_not_found` or `cluster.blue.upstream_rq_total`."""
        found = [count for full, count in self.proxy.stats().items() if full.endswith(f".{name}") or full == name]
        assert len(found) == 1, f"{len(found)} counters are called {name}: {sorted(self.proxy.stats())}"
        return found[0]

    def requests(self, to: str) -> int:
        """How many requests that wait for an answer a cluster had."""
        return self.stat(f"cluster.{to}.upstream_rq_total")

    def until(self, reached: Callable[[], bool], what: str) -> None:
        """Waits for something that the proxy is about to do."""
        end = time.monotonic() + PATIENCE
        while not reached():
            assert time.monotonic() < end, f"{what}: {self.proxy.stats()}"
            time.sleep(0.02)


@contextmanager
def proxied(
    spoken: str | Message,
    routes: Sequence[Message],
    clusters: Sequence[Message],
    *,
    port: int = 0,
    workers: int = 1,
    **more: Any,
) -> Iterator[Between]:
    """Runs a proxy with one listener; at the end nothing must be under way in it.

    Args:
        spoken: A codec's name, or the message for several.
        routes: In their order.
        clusters: Where they lead.
        port: Where it listens, if that must be known before.
        workers: How many threads serve.
        more: Fields of the filter.
    """
    resources = {"listeners": [listener(spoken, routes, port=port, **more)], "clusters": list(clusters)}
    # As text, since that is how people write it.
    text = yaml.safe_dump({"static_resources": resources}, allow_unicode=True)
    proxy = Proxy(loads(text, "interop", strict=True), workers=workers)
    proxy.start()
    try:
        yield Between(proxy)
    finally:
        proxy.stop()
