"""Counters by the names that users of Envoy and MetaProtocol Proxy know."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from metaprotocol._native import HISTOGRAM_BOUNDS_MS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from metaprotocol import _native
    from metaprotocol.proxy._store import Store

__all__ = ["Histogram", "counters", "histograms", "prometheus"]

GAUGES = frozenset(
    {
        "downstream_cx_active",
        "request_active",
        "upstream_cx_active",
        "upstream_rq_active",
        "active_clusters",
        "warming_clusters",
        "total_listeners_active",
        "total_listeners_warming",
        "connected_state",
        "membership_total",
        "healthy",
        "version",
        "update_time",
        "config_reload_time_ms",
    }
)
"""Counters that also go down."""

_CONNECTION = "downstream_"
_ODD = re.compile(r"[^a-zA-Z0-9_:]")


@dataclass(frozen=True)
class Histogram:
    """How long something took.

    Attributes:
        buckets: How many took as long as each of `HISTOGRAM_BOUNDS_MS` says, and how many longer; each counts once.
        sum_ms: All of them together, in milliseconds.
    """

    buckets: tuple[int, ...]
    sum_ms: float


def _prefix(name: str, store: Store) -> str:
    entry = store.listeners.get(name)
    if entry is None:
        return f"meta_protocol.{name}."
    config = entry.value.config
    return f"meta_protocol.{config['application_protocol']}.{config['stat_prefix']}."


def counters(native: _native.Proxy, store: Store) -> dict[str, int]:
    """Every counter and gauge by its full name."""
    found: dict[str, int] = {}
    for name, counts in native.listener_stats().items():
        prefix = _prefix(name, store)
        for counter, count in counts.items():
            if isinstance(count, int):
                full = f"listener.{name}.{counter}" if counter.startswith(_CONNECTION) else prefix + counter
                found[full] = found.get(full, 0) + count
    for name, totals in native.cluster_stats().items():
        found.update((f"cluster.{name}.{counter}", count) for counter, count in totals.items())
    return dict(sorted(found.items()))


def histograms(native: _native.Proxy, store: Store) -> dict[str, Histogram]:
    """Every histogram by its full name."""
    found = {}
    for name, counts in native.listener_stats().items():
        buckets, total = counts["request_time_ms"]
        found[_prefix(name, store) + "request_time_ms"] = Histogram(tuple(buckets), total)
    return found


def _labels(name: str) -> tuple[str, dict[str, str]]:
    """A name of Prometheus, and its labels, as Envoy makes them of its own names."""
    kind, _, rest = name.partition(".")
    middle, _, counter = rest.rpartition(".")
    match kind:
        case "cluster":
            if middle.endswith(".health_check"):
                middle, counter = middle.removesuffix(".health_check"), f"health_check_{counter}"
            return f"envoy_cluster_{counter}", {"envoy_cluster_name": middle}
        case "listener":
            return f"envoy_listener_{counter}", {"envoy_listener_name": middle}
        case "meta_protocol":
            protocol, _, prefix = middle.partition(".")
            prefix, _, routes = prefix.partition(".rds.")
            labels = {"application_protocol": protocol, "stat_prefix": prefix}
            if routes:
                return f"envoy_meta_protocol_rds_{counter}", labels | {"route_config": routes}
            return f"envoy_meta_protocol_{counter}", labels
        case _:
            return "envoy_" + name.replace(".", "_"), {}


def _line(name: str, labels: Mapping[str, str], value: float) -> str:
    def escaped(text: str) -> str:
        return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")

    listed = ",".join(f'{label}="{escaped(text)}"' for label, text in labels.items())
    return f"{name}{{{listed}}} {value:g}" if isinstance(value, float) else f"{name}{{{listed}}} {value}"


def prometheus(numbers: Mapping[str, int], times: Mapping[str, Histogram]) -> Iterator[str]:
    """Lines in the text format of Prometheus."""
    groups: dict[str, list[str]] = {}
    types: dict[str, str] = {}
    for name, value in numbers.items():
        metric, labels = _labels(name)
        metric = _ODD.sub("_", metric)
        types[metric] = "gauge" if name.rpartition(".")[2] in GAUGES else "counter"
        groups.setdefault(metric, []).append(_line(metric, labels, value))
    for name, histogram in times.items():
        metric, labels = _labels(name)
        metric = _ODD.sub("_", metric)
        types[metric] = "histogram"
        lines, below = groups.setdefault(metric, []), 0
        for bound, count in zip(
            (*(str(bound).removesuffix(".0") for bound in HISTOGRAM_BOUNDS_MS), "+Inf"), histogram.buckets, strict=True
        ):
            below += count
            lines.append(_line(f"{metric}_bucket", {**labels, "le": bound}, below))
        lines.append(_line(f"{metric}_sum", labels, histogram.sum_ms))
        lines.append(_line(f"{metric}_count", labels, below))
    for metric, lines in sorted(groups.items()):
        yield f"# TYPE {metric} {types[metric]}"
        yield from lines
