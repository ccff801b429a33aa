"""Routes that are discovered: each table once, for all listeners that have it."""

from __future__ import annotations

import itertools
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from metaprotocol.proxy import _logs
from metaprotocol.proxy._kinds import RDS
from metaprotocol.proxy._store import Entry, Refused
from metaprotocol.proxy._topics import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from metaprotocol.proxy._feeds import Feeds
    from metaprotocol.proxy._reading import Reader
    from metaprotocol.proxy._store import Store
    from metaprotocol.proxy._topics import Change
    from metaprotocol.xds import Source

__all__ = ["Table", "Tables", "named_clusters"]

_log = _logs.logger("discovery")


@dataclass(eq=False)
class Table:
    """Routes that are discovered, for all listeners that name them and their source.

    Attributes:
        key: The source, and their name there.
        name: Their name in the data path.
        watch: What is asked of the source.
        entry: The routes in effect.
        pending: Newer ones, which wait for clusters.
        settled: Whether they are waited for no more.
        users: How many listeners have them.
        reloads: How often others than before came into effect.
        reloaded: When that was last, in milliseconds since 1970.
    """

    key: tuple[Source, str]
    name: str
    watch: Watch
    entry: Entry[dict[str, Any]] | None = None
    pending: Entry[dict[str, Any]] | None = None
    settled: bool = False
    users: int = 0
    reloads: int = 0
    reloaded: int = 0


def named_clusters(table: Mapping[str, Any]) -> set[str] | None:
    """The clusters that routes name; nothing if messages name them themselves."""
    found = set()
    for route in table["routes"]:
        target = route["to"]
        if "key" in target:
            return None
        found |= {target["cluster"]} if "cluster" in target else {name for name, _ in target["weighted"]}
        found |= {mirror["cluster"] for mirror in route.get("mirrors", ())}
    return found


class Tables:
    """All routes that are discovered.

    Args:
        store: The configuration in effect.
        feeds: Whom they are asked of.
        reader: Reads them.
        awaits: Whether some clusters, or with nothing any cluster, are still to get their hosts.
        opens: Opens the listeners that have waited for a table alone. It raises `Refused` if one cannot use it.
        stir: Called when others may go on that wait for something.
    """

    def __init__(
        self,
        store: Store,
        feeds: Feeds,
        reader: Reader,
        *,
        awaits: Callable[[set[str] | None], bool],
        opens: Callable[[Table], None],
        stir: Callable[[], None],
    ) -> None:
        self._store = store
        self._feeds = feeds
        self._reader = reader
        self._awaits = awaits
        self._opens = opens
        self._stir = stir
        self._tables: dict[tuple[Source, str], Table] = {}

    def join(self, source: Source, name: str) -> Table:
        """The routes of a source that are called so; one more listener has them."""
        key = (source, name)
        if key not in self._tables:
            taken = {table.name for table in self._tables.values()}
            numbered = (f"{name} ({number})" for number in itertools.count(2))
            unique = next(each for each in itertools.chain([name], numbered) if each not in taken)

            def settled() -> None:
                table.settled = True
                self._stir()

            watch = Watch(name, source.initial_fetch_timeout / 1000, settled)
            table = Table(key, unique, watch)
            watch.owner = table
            self._tables[key] = table
            self._feeds.watch(source, RDS, watch)
        self._tables[key].users += 1
        return self._tables[key]

    def leave(self, table: Table) -> None:
        """A listener has them no more; nobody needs those that no other has."""
        table.users -= 1
        if not table.users:
            self._feeds.leave(table.watch)
            del self._tables[table.key]
            if table.entry is not None:
                self._store.change(tables={table.name: None})

    def came(self, changes: list[Change], _: list[str]) -> dict[str, str]:
        """Take what was discovered. What is wrong with those that are refused, by name."""
        wrong: dict[str, str] = {}
        for watch, resource in changes:
            table = watch.owner
            if not isinstance(table, Table):
                continue
            try:
                value = self._reader.read("routes", resource, self._reader.routes)
                entry = Entry(value, resource.version, message=resource.message)
                if table.entry is not None and self._awaits(named_clusters(value)):
                    table.pending = entry
                else:
                    table.pending = None
                    self.put(table, entry)
            except Refused as error:
                wrong[resource.name] = str(error)
        return wrong

    def settle(self) -> None:
        """Put into effect what waits for no cluster any more."""
        for table in list(self._tables.values()):
            if table.pending is not None and not self._awaits(named_clusters(table.pending.value)):
                entry, table.pending = table.pending, None
                try:
                    self.put(table, entry)
                except Refused as error:
                    table.watch.refused()
                    _logs.tell(_log, logging.ERROR, "refused", what="routes", name=table.key[1], reason=str(error))

    def put(self, table: Table, entry: Entry[dict[str, Any]]) -> None:
        """Change routes, and open the listeners that wait for nothing else.

        Raises:
            Refused: If they cannot be used. Those before are still in effect.
        """
        before = table.entry
        self._store.change(tables={table.name: entry})
        table.entry = entry
        try:
            self._opens(table)
        except Refused:
            self._store.change(tables={table.name: before})
            table.entry = before
            raise
        table.reloads += 1
        table.reloaded = int(time.time() * 1000)
