"""What a program changes of a running proxy: a whole bootstrap file, or single parts."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from metaprotocol.proxy import _logs
from metaprotocol.proxy._kinds import CDS, EDS, LDS, RDS
from metaprotocol.proxy._store import Entry, Refused, static
from metaprotocol.xds import Cluster, Listener, Report, hosts, routes
from metaprotocol.xds.gen.aeraki.meta_protocol_proxy.config.route.v1alpha.route_pb2 import (
    RouteConfiguration as MetaRoutes,
)
from metaprotocol.xds.tree import read_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from metaprotocol.proxy._reading import Reader
    from metaprotocol.xds import Loaded, Place

__all__ = ["Changes", "between", "given"]

V = TypeVar("V", Cluster, Listener)

_log = _logs.logger("discovery")
_HTTP_ROUTES = frozenset({"virtual_hosts", "virtualHosts"})
_FIXED = ("node", "dynamic_resources", "admin", "cluster_manager")


@dataclass
class Changes:
    """Parts by their names; what is nothing goes."""

    clusters: dict[str, Entry[Cluster] | None] = field(default_factory=dict)
    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)
    listeners: dict[str, Entry[Listener] | None] = field(default_factory=dict)
    tables: dict[str, Entry[dict[str, Any]]] = field(default_factory=dict)


def between(before: Loaded, after: Loaded) -> Changes:
    """What makes one bootstrap file of another.

    Raises:
        Refused: If that cannot be done while the proxy runs.
    """
    for name in _FIXED:
        if getattr(after.bootstrap, name) != getattr(before.bootstrap, name):
            raise Refused(f"{name}: cannot change while the proxy runs")
    leading = [name for name, each in before.clusters.items() if each.for_discovery]
    for name in leading:
        if name not in after.clusters or after.clusters[name].message != before.clusters[name].message:
            raise Refused(f"cluster {name!r}: leads to a control plane, and cannot change while the proxy runs")
    return Changes(
        clusters=_differing(before.clusters, after.clusters),
        listeners=_differing(before.listeners, after.listeners),
    )


def _differing(before: Mapping[str, V], after: Mapping[str, V]) -> dict[str, Entry[V] | None]:
    found: dict[str, Entry[V] | None] = dict.fromkeys(before.keys() - after.keys())
    for name, each in after.items():
        if name not in before or before[name].message != each.message:
            found[name] = static(each)
    return found


def given(
    reader: Reader,
    clusters: Mapping[str, Any],
    hosts_of: Mapping[str, Any],
    listeners: Mapping[str, Any],
    tables: Mapping[str, Any],
    *,
    known: Callable[[str], Entry[Cluster] | None],
    used: Callable[[str], bool],
) -> Changes:
    """Read single parts, given as messages, or as mappings of the same shape.

    Args:
        reader: Reads them.
        clusters: Clusters by name.
        hosts_of: Hosts by the name of their cluster.
        listeners: Listeners by name.
        tables: Routes by the name that listeners have for them.
        known: A cluster in effect, by its name.
        used: Whether a listener in effect calls its routes so.

    Raises:
        ConfigError: If one of them is not understood.
    """
    report = Report()
    context = replace(reader.context, load_codecs=True)
    changes = Changes()
    for name, each in clusters.items():
        changes.clusters[name] = None
        if each is not None:
            message, place = _message(each, CDS.message, report, f"clusters[{name!r}]")
            _named(message, name, place)
            changes.clusters[name] = Entry(reader.cluster(message, place), message=message)
    for name, each in listeners.items():
        changes.listeners[name] = None
        if each is not None:
            message, place = _message(each, LDS.message, report, f"listeners[{name!r}]")
            _named(message, name, place)
            found = reader.listener(message, place, context)
            if found is not None:
                changes.listeners[name] = Entry(found, message=message)
    for name, each in hosts_of.items():
        message, place = _message(each, EDS.message, report, f"hosts[{name!r}]")
        entry = changes.clusters.get(name) or known(name)
        if entry is None:
            place.error("is for a cluster that does not exist")
        else:
            changes.hosts[name] = hosts(message, place, hash_by_hostname=entry.value.hash_by_hostname)
    for name, each in tables.items():
        kind = MetaRoutes if isinstance(each, Mapping) and not _HTTP_ROUTES & each.keys() else RDS.message
        message, place = _message(each, kind, report, f"routes[{name!r}]")
        _named(message, name, place)
        if not used(name) and not any(
            entry is not None and entry.value.table_name == name for entry in changes.listeners.values()
        ):
            place.error("is what no listener calls its routes")
        changes.tables[name] = Entry(routes(message, place, context)[1], message=message)
    report.check(strict=reader.strict)
    for problem in report.problems:
        _logs.tell(_log, logging.WARNING, "not supported", problem=str(problem))
    return changes


def _message(each: Any, kind: type[Any], report: Report, path: str) -> tuple[Any, Place]:
    """A message, and the place where what is wrong with it is reported."""
    place = report.at(path)
    if not isinstance(each, Mapping):
        return each, place
    message = kind()
    read_text(json.dumps(each), message, place)
    return message, place


def _named(message: Any, name: str, place: Place) -> None:
    """A message has the name that it is given by; one without gets it."""
    if not message.name:
        message.name = name
    elif message.name != name:
        (place / "name").error(f"is {message.name!r}, but it is given as {name!r}")
