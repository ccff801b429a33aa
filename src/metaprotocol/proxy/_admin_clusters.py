"""`/clusters`: clusters and their hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envoy.admin.v3.clusters_pb2 import Clusters
from envoy.admin.v3.metrics_pb2 import SimpleMetric
from envoy.config.core.v3.health_check_pb2 import DEGRADED, DRAINING, HEALTHY, UNHEALTHY

from metaprotocol.proxy._dump import as_json

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

    from metaprotocol.proxy._store import Store

__all__ = ["clusters_json", "clusters_text", "health_flags"]

Hosts = dict[str, list[dict[str, Any]]]

_COUNTERS = ("cx_connect_fail", "cx_total", "rq_error", "rq_success", "rq_timeout", "rq_total")
_GAUGES = ("cx_active", "rq_active")
_HEALTH = {"healthy": HEALTHY, "degraded": DEGRADED, "unhealthy": UNHEALTHY, "draining": DRAINING}
# What a cluster has if it does not say.
_BOUNDS = {"max_connections": 1024, "max_pending": 1024, "max_requests": 1024, "max_retries": 3}


def health_flags(host: dict[str, Any]) -> str:
    """Why a host gets no requests, in Envoy's words; `healthy` if it gets them."""
    flags = {
        "failed_active_hc": host["check_failed"],
        "failed_outlier_check": host["ejected"],
        "failed_eds_health": host["eds_health"] == "unhealthy",
        "degraded_eds_health": host["eds_health"] == "degraded",
        "eds_status_draining": host["eds_health"] == "draining",
    }
    return "".join(f"/{flag}" for flag, raised in flags.items() if raised) or "healthy"


def _bounds(store: Store, name: str) -> dict[str, int]:
    entry = store.clusters.get(name)
    return _BOUNDS | (entry.value.config.get("thresholds") or {} if entry is not None else {})


def _dynamic(store: Store, name: str) -> bool:
    entry = store.clusters.get(name)
    return entry is not None and not entry.static


def clusters_text(hosts: Hosts, store: Store, names: re.Pattern[str] | None) -> Iterator[str]:
    """Lines such as `cluster::host::what::value`."""
    for name, members in sorted(hosts.items()):
        if names is not None and not names.search(name):
            continue
        yield f"{name}::observability_name::{name}"
        for bound, value in _bounds(store, name).items():
            called = "max_pending_requests" if bound == "max_pending" else bound
            yield f"{name}::default_priority::{called}::{value}"
        yield f"{name}::added_via_api::{str(_dynamic(store, name)).lower()}"
        for host in members:
            front = f"{name}::{host['address']}"
            for counter in sorted(_COUNTERS + _GAUGES):
                yield f"{front}::{counter}::{host[counter]}"
            region, zone, sub_zone = host["place"]
            yield f"{front}::hostname::{host['hostname']}"
            yield f"{front}::health_flags::{health_flags(host)}"
            yield f"{front}::weight::{host['weight']}"
            yield f"{front}::region::{region}"
            yield f"{front}::zone::{zone}"
            yield f"{front}::sub_zone::{sub_zone}"
            yield f"{front}::canary::false"
            yield f"{front}::priority::{host['priority']}"


def clusters_json(hosts: Hosts, store: Store, names: re.Pattern[str] | None) -> str:
    """A `envoy.admin.v3.Clusters` as JSON."""
    found = Clusters()
    for name, members in sorted(hosts.items()):
        if names is not None and not names.search(name):
            continue
        status = found.cluster_statuses.add(name=name, observability_name=name, added_via_api=_dynamic(store, name))
        bounds, thresholds = _bounds(store, name), status.circuit_breakers.thresholds.add()
        thresholds.max_connections.value = bounds["max_connections"]
        thresholds.max_pending_requests.value = bounds["max_pending"]
        thresholds.max_requests.value = bounds["max_requests"]
        thresholds.max_retries.value = bounds["max_retries"]
        for host in members:
            _add_host(status.host_statuses.add(), host)
    return as_json(found)


def _add_host(status: Any, host: dict[str, Any]) -> None:
    address, _, port = host["address"].rpartition(":")
    status.address.socket_address.address = address.strip("[]")
    status.address.socket_address.port_value = int(port)
    for counter in _COUNTERS:
        status.stats.add(name=counter, value=host[counter])
    for gauge in _GAUGES:
        status.stats.add(name=gauge, value=host[gauge], type=SimpleMetric.GAUGE)
    health = status.health_status
    health.eds_health_status = _HEALTH[host["eds_health"]]
    health.failed_active_health_check = host["check_failed"]
    health.failed_outlier_check = host["ejected"]
    status.hostname, status.weight, status.priority = host["hostname"], host["weight"], host["priority"]
    status.locality.region, status.locality.zone, status.locality.sub_zone = host["place"]
