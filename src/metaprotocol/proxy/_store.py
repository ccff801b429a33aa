"""What is configured, where each part came from, and how the data path is told."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from metaprotocol import get_codec
from metaprotocol._native import bridge
from metaprotocol.errors import MetaProtocolError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metaprotocol import _native
    from metaprotocol.xds import Cluster, Listener

__all__ = ["Entry", "Refused", "Store", "static"]

T = TypeVar("T")
V = TypeVar("V", "Cluster", "Listener")


class Refused(MetaProtocolError):
    """The data path cannot use a configuration. Nothing of it took effect."""


@dataclass(frozen=True)
class Entry(Generic[T]):
    """A part of the configuration.

    Attributes:
        value: The part.
        version: The version that discovery gave it; empty for parts of the bootstrap file.
        updated: When it was taken, in seconds since 1970.
        message: The message that it was read from, for dumps.
        static: Whether it stood in the bootstrap file.
    """

    value: T
    version: str = ""
    updated: float = field(default_factory=time.time)
    message: Any = None
    static: bool = False


def static(value: V) -> Entry[V]:
    """A part of the bootstrap file."""
    return Entry(value, message=value.message, static=True)


class Store:
    """The configuration in effect.

    Every change is checked by the data path as a whole before anything of it counts.

    Args:
        native: The data path.
    """

    def __init__(self, native: _native.Proxy) -> None:
        self._native = native
        self.listeners: dict[str, Entry[Listener]] = {}
        self.clusters: dict[str, Entry[Cluster]] = {}
        self.hosts: dict[str, Entry[dict[str, Any]]] = {}
        self.tables: dict[str, Entry[dict[str, Any]]] = {}

    def change(
        self,
        *,
        listeners: Mapping[str, Entry[Listener] | None] | None = None,
        clusters: Mapping[str, Entry[Cluster] | None] | None = None,
        hosts: Mapping[str, Entry[dict[str, Any]]] | None = None,
        tables: Mapping[str, Entry[dict[str, Any]] | None] | None = None,
    ) -> None:
        """Change what is named, all at once; what is `None` goes.

        Args:
            listeners: Listeners by name. One that has its routes in itself brings them along.
            clusters: Clusters by name. One that goes takes its hosts along.
            hosts: Hosts by the name of their cluster.
            tables: Route tables by name.

        Raises:
            Refused: If the data path cannot use it. Nothing has changed then.
        """
        listeners, clusters, hosts, tables = listeners or {}, clusters or {}, hosts or {}, dict(tables or {})
        for name, listener in listeners.items():
            if listener is not None and listener.value.table is not None:
                table = Entry(listener.value.table, listener.version, listener.updated, None, listener.static)
                tables[listener.value.config["routes"]] = table
            old = self.listeners.get(name)
            if old is not None and old.value.table is not None and (listener is None or listener.value.table is None):
                tables[old.value.config["routes"]] = None
        update = {
            "listeners": {name: entry and entry.value.config for name, entry in listeners.items()},
            # Some are for discovery alone.
            "clusters": {
                name: entry and entry.value.config
                for name, entry in clusters.items()
                if entry is None or not entry.value.for_discovery
            },
            "hosts": {name: entry.value for name, entry in hosts.items()},
            "routes": {name: entry and entry.value for name, entry in tables.items()},
        }
        names = {name for entry in listeners.values() if entry is not None for name in entry.value.config["codecs"]}
        codecs = {name: bridge(get_codec(name)) for name in names}
        try:
            self._native.update(json.dumps(update), codecs)
        except ValueError as error:
            raise Refused(str(error)) from None
        _merge(self.listeners, listeners)
        _merge(self.clusters, clusters)
        _merge(self.hosts, hosts)
        _merge(self.tables, tables)
        for name, cluster in clusters.items():
            if cluster is None:
                self.hosts.pop(name, None)

    def checked(self, cluster: str, address: str, good: bool) -> None:
        """Tell the data path what an active check found.

        Args:
            cluster: The host's cluster.
            address: Its address, as `ip:port`.
            good: Whether it can be used.
        """
        self._native.checked(cluster, address, good)

    def had_connections(self) -> set[str]:
        """The clusters that ever had a connection."""
        return {name for name, totals in self._native.cluster_stats().items() if totals.get("upstream_cx_total")}


def _merge(known: dict[str, Entry[T]], change: Mapping[str, Entry[T] | None]) -> None:
    for name, entry in change.items():
        if entry is None:
            known.pop(name, None)
        else:
            known[name] = entry
