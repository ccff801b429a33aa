"""Listeners: those that wait for routes and clusters, and those that are open."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from metaprotocol.proxy import _logs
from metaprotocol.proxy._reading import tell_static
from metaprotocol.proxy._store import Entry, Refused
from metaprotocol.proxy._tables import named_clusters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from metaprotocol.proxy._reading import Reader
    from metaprotocol.proxy._store import Store
    from metaprotocol.proxy._tables import Table, Tables
    from metaprotocol.proxy._topics import Change
    from metaprotocol.xds import Listener

__all__ = ["Bound", "Listeners"]

_log = _logs.logger("discovery")


@dataclass(eq=False)
class Bound:
    """A listener, with the routes that are discovered for it."""

    entry: Entry[Listener]
    table: Table | None


@dataclass
class _Counts:
    added: int = 0
    modified: int = 0
    removed: int = 0
    create_success: int = 0
    create_failure: int = 0


class Listeners:
    """All listeners.

    Attributes:
        settled: Whether it is waited for no more that listeners are discovered.

    Args:
        store: The configuration in effect.
        reader: Reads listeners.
        tables: The routes that are discovered.
        awaits: Whether some clusters, or with nothing any cluster, are still to get their hosts.
        settled: As above.
        stir: Called when others may go on that wait for something.
    """

    def __init__(
        self,
        store: Store,
        reader: Reader,
        tables: Tables,
        *,
        awaits: Callable[[set[str] | None], bool],
        settled: bool,
        stir: Callable[[], None],
    ) -> None:
        self.settled = settled
        self._store = store
        self._reader = reader
        self._tables = tables
        self._awaits = awaits
        self._stir = stir
        self._waiting: dict[str, Bound] = {}
        self._open: dict[str, Bound] = {}
        self._counts = _Counts()

    @property
    def waiting(self) -> bool:
        """Whether there are any that wait."""
        return bool(self._waiting)

    def every(self) -> list[Bound]:
        """All of them, those that wait first."""
        return [*self._waiting.values(), *self._open.values()]

    def begin(self, entries: dict[str, Entry[Listener]]) -> None:
        """Have the listeners of the bootstrap file: those open, all or none, that wait for nothing.

        Raises:
            Refused: If one cannot be opened.
        """
        now = {}
        for name, entry in entries.items():
            bound = self._bind(entry)
            self._waiting[name] = bound
            if self._openable(bound):
                now[name] = bound
        self._show(now)

    def want(self, name: str, entry: Entry[Listener]) -> None:
        """Have a listener as soon as it can be opened.

        Raises:
            Refused: If it could, but the data path cannot use it.
        """
        before = self._waiting.get(name)
        bound = self._bind(entry)
        self._waiting[name] = bound
        self._leave(before)
        if self._waiting.get(name) is bound and self._openable(bound):
            self._show({name: bound})

    def drop(self, names: Iterable[str]) -> None:
        """Have listeners no more."""
        gone = list(names)
        open_ones = [name for name in gone if name in self._open]
        if open_ones:
            self._store.change(listeners=dict.fromkeys(open_ones))
        for name in gone:
            self._counts.removed += name in self._open or name in self._waiting
            self._leave(self._waiting.pop(name, None))
            self._leave(self._open.pop(name, None))
        self._stir()

    def came(self, changes: list[Change], removed: list[str]) -> dict[str, str]:
        """Take what was discovered. What is wrong with those that are refused, by name."""
        wrong: dict[str, str] = {}
        # An address may go from one listener to another.
        self.drop(name for name in removed if not self._is_static(name))
        for _, resource in changes:
            name = resource.name
            if self._is_static(name):
                tell_static("listener", name)
                continue
            try:
                value = self._reader.read("listener", resource, self._reader.listener)
                if value is not None:
                    self.want(name, Entry(value, resource.version, message=resource.message))
            except Refused as error:
                wrong[name] = str(error)
        return wrong

    def settle(self) -> None:
        """Open those that wait for nothing any more."""
        for name, bound in list(self._waiting.items()):
            if self._openable(bound):
                try:
                    self._show({name: bound})
                except Refused as error:
                    _logs.tell(_log, logging.ERROR, "refused", what="listener", name=name, reason=str(error))

    def opens(self, table: Table) -> None:
        """Open those that have waited for routes alone.

        Raises:
            Refused: If one of them cannot be opened for these routes.
        """
        for name, bound in list(self._waiting.items()):
            if bound.table is not table or not self._openable(bound):
                continue
            try:
                self._show({name: bound}, keep=True)
            except Refused as error:
                if f"listeners.{name}.routes." in str(error):
                    raise
                self._failed(name, bound)
                _logs.tell(_log, logging.ERROR, "refused", what="listener", name=name, reason=str(error))

    def _is_static(self, name: str) -> bool:
        return any(name in each and each[name].entry.static for each in (self._waiting, self._open))

    def _bind(self, entry: Entry[Listener]) -> Bound:
        value = entry.value
        if value.source is None:
            return Bound(entry, None)
        table = self._tables.join(value.source, value.config["routes"])
        if table.name != value.config["routes"]:
            entry = replace(entry, value=replace(value, config=value.config | {"routes": table.name}))
        return Bound(entry, table)

    def _leave(self, bound: Bound | None) -> None:
        """A listener is gone, and with it the routes that nobody else has."""
        if bound is not None and bound.table is not None:
            self._tables.leave(bound.table)

    def _openable(self, bound: Bound) -> bool:
        value = bound.entry.value
        table = value.table
        if bound.table is not None:
            table = bound.table.entry.value if bound.table.entry is not None else None
            if table is None and not bound.table.settled:
                return False
        names = set() if table is None else named_clusters(table)
        unknown_to = value.config.get("unknown_to")
        if names is not None and unknown_to:
            names = names | {unknown_to}
        return not self._awaits(names)

    def _show(self, found: dict[str, Bound], *, keep: bool = False) -> None:
        """Open listeners, or change those that are open; all or none.

        Args:
            found: The listeners.
            keep: Whether those that cannot be opened go on waiting.

        Raises:
            Refused: If one cannot be opened.
        """
        try:
            self._store.change(listeners={name: bound.entry for name, bound in found.items()})
        except Refused:
            if not keep:
                for name, bound in found.items():
                    self._failed(name, bound)
            raise
        for name, bound in found.items():
            self._waiting.pop(name, None)
            old = self._open.get(name)
            self._open[name] = bound
            self._leave(old)
            if old is None:
                self._counts.added += 1
            else:
                self._counts.modified += 1
            self._counts.create_success += 1
        self._stir()

    def _failed(self, name: str, bound: Bound) -> None:
        """A listener cannot be opened, and waits no more."""
        if self._waiting.get(name) is bound:
            del self._waiting[name]
        self._counts.create_failure += 1
        self._leave(bound)

    def counters(self) -> dict[str, int]:
        """Their counters and gauges, and those of the routes that are discovered for them, by full names."""
        found = {f"listener_manager.listener_{name}": value for name, value in vars(self._counts).items()}
        found["listener_manager.total_listeners_active"] = len(self._open)
        found["listener_manager.total_listeners_warming"] = len(self._waiting)
        for bound in self.every():
            if bound.table is not None:
                config = bound.entry.value.config
                prefix = f"meta_protocol.{config['application_protocol']}.{config['stat_prefix']}."
                prefix += f"rds.{bound.table.key[1]}."
                found |= bound.table.watch.stats.counters(prefix)
                found[prefix + "config_reload"] = bound.table.reloads
                found[prefix + "config_reload_time_ms"] = bound.table.reloaded
        return found
