"""What is configured and what is discovered, brought together and into effect.

Nothing takes effect before what it needs is there. A listener is opened when its routes are there and the clusters
that they name have their hosts, or when waiting for them is over; new routes wait for new clusters in the same way,
while the old ones are in effect.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from metaprotocol.proxy._backoff import Backoff
from metaprotocol.proxy._changes import between, given
from metaprotocol.proxy._clusters import Clusters
from metaprotocol.proxy._dns import AresResolver
from metaprotocol.proxy._feeds import Feeds
from metaprotocol.proxy._kinds import CDS, LDS
from metaprotocol.proxy._listeners import Listeners
from metaprotocol.proxy._reading import Reader
from metaprotocol.proxy._store import Store, static
from metaprotocol.proxy._tables import Table, Tables
from metaprotocol.proxy._topics import EVERY, Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from metaprotocol import _native
    from metaprotocol.proxy._changes import Changes
    from metaprotocol.proxy._dns import Resolver
    from metaprotocol.proxy._listeners import Bound
    from metaprotocol.proxy._store import Entry
    from metaprotocol.proxy._topics import Receiver
    from metaprotocol.xds import Loaded

__all__ = ["Manager"]


class Manager:
    """The configuration of a running proxy. All of it runs in one event loop.

    Args:
        native: The data path.
        loaded: The bootstrap file.
        live: Called once, when all is there that is waited for at the beginning.
        strict: Whether what is not understood is a reason to refuse what is discovered.
        resolver: Resolves names; by default that of the system's configuration.
        backoff: Makes the waits before a control plane is asked again.
    """

    def __init__(
        self,
        native: _native.Proxy,
        loaded: Loaded,
        *,
        live: Callable[[], None],
        strict: bool = False,
        resolver: Resolver | None = None,
        backoff: Callable[[], Backoff] = Backoff,
    ) -> None:
        self.store = Store(native)
        self.ready = asyncio.Event()
        self._loaded = loaded
        self._live = live
        receivers: dict[str, Receiver] = {}
        self._feeds = Feeds(loaded, receivers, backoff)
        self._reader = Reader(loaded.context, self._feeds, strict=strict)
        names = resolver or AresResolver()
        self._clusters = Clusters(loaded, self.store, self._feeds, self._reader, names, stir=self.stir)
        awaits = self._clusters.awaits
        self._tables = Tables(self.store, self._feeds, self._reader, awaits=awaits, opens=self._opens, stir=self.stir)
        self._listeners = Listeners(
            self.store,
            self._reader,
            self._tables,
            awaits=awaits,
            settled=loaded.dynamic.listeners is None,
            stir=self.stir,
        )
        receivers |= {
            "cds": self._clusters.came,
            "eds": self._clusters.hosts_came,
            "lds": self._listeners.came,
            "rds": self._tables.came,
        }
        self._lds: Watch | None = None
        self._cds: Watch | None = None
        self._stirred = False
        self._closed = False

    def start(self) -> None:
        """Put the bootstrap file into effect, and begin to discover.

        Listeners that wait for nothing are open then.

        Raises:
            Refused: If the data path cannot use the file.
        """
        loaded = self._loaded
        self._clusters.put({name: static(each) for name, each in loaded.clusters.items()})
        self._clusters.settle()
        self._listeners.begin({name: static(each) for name, each in loaded.listeners.items()})
        dynamic = loaded.dynamic
        if dynamic.clusters is not None:
            timeout = dynamic.clusters.initial_fetch_timeout / 1000
            self._cds = Watch(EVERY, timeout, self._cds_came)
            self._feeds.watch(dynamic.clusters, CDS, self._cds)
        if dynamic.listeners is not None:
            timeout = dynamic.listeners.initial_fetch_timeout / 1000
            self._lds = Watch(EVERY, timeout, self._lds_came)
            self._feeds.watch(dynamic.listeners, LDS, self._lds)
        self._settle()

    async def close(self) -> None:
        """Discover, resolve and check no more. What is in effect stays."""
        self._closed = True
        await self._clusters.close()
        await self._feeds.close()
        await self._clusters.closed()

    def stir(self) -> None:
        """Something has come that others may wait for: look soon."""
        if not self._stirred and not self._closed:
            self._stirred = True
            asyncio.get_running_loop().call_soon(self._settle)

    def _settle(self) -> None:
        """Put into effect what waits for nothing any more."""
        self._stirred = False
        if self._closed:
            return
        self._clusters.settle()
        self._tables.settle()
        self._listeners.settle()
        all_there = self._clusters.ready and self._listeners.settled and not self._listeners.waiting
        if all_there and not self.ready.is_set():
            self.ready.set()
            self._live()

    def _opens(self, table: Table) -> None:
        self._listeners.opens(table)

    def _cds_came(self) -> None:
        self._clusters.settled = True
        self.stir()

    def _lds_came(self) -> None:
        self._listeners.settled = True
        self.stir()

    def replace(self, loaded: Loaded) -> None:
        """Put another bootstrap file into effect, where it differs.

        Raises:
            Refused: If that cannot be done while the proxy runs, or the data path cannot use it.
        """
        self._change(between(self._loaded, loaded))
        self._loaded = loaded
        self._reader.context = loaded.context

    def update(
        self,
        clusters: Mapping[str, Any],
        hosts_of: Mapping[str, Any],
        listeners: Mapping[str, Any],
        tables: Mapping[str, Any],
    ) -> None:
        """Change single parts, given as messages, or as mappings of the same shape; what is `None` goes.

        Raises:
            ConfigError: If one of them is not understood. Nothing has changed then.
            Refused: If the data path cannot use one.
        """
        self._change(
            given(
                self._reader,
                clusters,
                hosts_of,
                listeners,
                tables,
                known=self._clusters.entry,
                used=lambda name: bool(self._users(name)),
            )
        )

    def _users(self, name: str) -> list[Bound]:
        """The listeners whose routes are called so."""
        return [bound for bound in self._listeners.every() if bound.entry.value.table_name == name]

    def _change(self, changes: Changes) -> None:
        """Clusters come before what leads to them, and go after it."""
        put = {name: entry for name, entry in changes.clusters.items() if entry is not None}
        if put:
            self._clusters.put(put)
        if changes.hosts:
            self._clusters.push(changes.hosts)
        gone = [name for name, entry in changes.listeners.items() if entry is None]
        if gone:
            self._listeners.drop(gone)
        for name, shown in changes.listeners.items():
            if shown is not None:
                self._listeners.want(name, shown)
        for name, table in changes.tables.items():
            self._put_everywhere(name, table)
        self._clusters.drop(name for name, entry in changes.clusters.items() if entry is None)
        if changes.clusters or changes.hosts or changes.listeners:
            self._settle()

    def _put_everywhere(self, name: str, entry: Entry[dict[str, Any]]) -> None:
        own: dict[str, Entry[dict[str, Any]] | None] = {}
        for bound in self._users(name):
            if bound.table is not None:
                bound.table.pending = None
                self._tables.put(bound.table, entry)
            else:
                value = replace(bound.entry.value, table=entry.value)
                bound.entry = replace(bound.entry, value=value)
                own[value.config["routes"]] = entry
        if own:
            self.store.change(tables=own)

    def counters(self) -> dict[str, int]:
        """Every counter and gauge of discovery, names and checks, by its full name."""
        found = self._listeners.counters() | self._clusters.counters()
        if self._feeds.used:
            found["control_plane.connected_state"] = int(self._feeds.connected)
        for prefix, watch in (("listener_manager.lds.", self._lds), ("cluster_manager.cds.", self._cds)):
            if watch is not None:
                found |= watch.stats.counters(prefix)
        return found
