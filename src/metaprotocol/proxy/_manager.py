"""What is configured and what is discovered, brought together and into effect.

Nothing takes effect before what it needs is there. A listener is opened when its routes are there and the clusters
that they name have their hosts, or when waiting for them is over; new routes wait for new clusters in the same way,
while the old ones are in effect.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from metaprotocol.proxy import _logs
from metaprotocol.proxy._backoff import Backoff
from metaprotocol.proxy._dns import AresResolver
from metaprotocol.proxy._feeds import Feeds
from metaprotocol.proxy._kinds import CDS, EDS, LDS, RDS
from metaprotocol.proxy._store import Entry, Refused, Store
from metaprotocol.proxy._topics import EVERY, Watch
from metaprotocol.proxy._upstream import Upstream, each_host
from metaprotocol.xds import Cluster, ConfigError, Listener, Report, cluster, hosts, listener, routes
from metaprotocol.xds.clusters import localities
from metaprotocol.xds.gen.aeraki.meta_protocol_proxy.config.route.v1alpha.route_pb2 import (
    RouteConfiguration as MetaRoutes,
)
from metaprotocol.xds.tree import read_text

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from metaprotocol import _native
    from metaprotocol.proxy._dns import Resolver
    from metaprotocol.proxy._kinds import Resource
    from metaprotocol.proxy._topics import Change, Receiver
    from metaprotocol.xds import Context, Loaded, Place, Source

__all__ = ["Manager"]

T = TypeVar("T")
V = TypeVar("V", Cluster, Listener)

_log = _logs.logger("discovery")
_HTTP_ROUTES = frozenset({"virtual_hosts", "virtualHosts"})
_STATIC = "not changed by discovery: it stands in the bootstrap file"
_DOWN = frozenset({"unhealthy", "draining"})
_TRAFFIC_AGE = 1.0
"""Counters are asked at most this often whether a cluster has had a connection, in seconds."""


@dataclass(eq=False)
class _Table:
    """Routes that are discovered, for all listeners that name them and their source.

    Attributes:
        key: The source, and their name there.
        name: Their name in the data path.
        entry: The routes in effect.
        pending: Newer ones, which wait for clusters.
        settled: Whether they are waited for no more.
        users: How many listeners have them.
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


@dataclass(eq=False)
class _Bound:
    """A listener, with the routes that are discovered for it."""

    entry: Entry[Listener]
    table: _Table | None


@dataclass
class _Counts:
    listener_added: int = 0
    listener_modified: int = 0
    listener_removed: int = 0
    listener_create_success: int = 0
    listener_create_failure: int = 0
    cluster_added: int = 0
    cluster_modified: int = 0
    cluster_removed: int = 0


@dataclass
class _Traffic:
    at: float = 0.0
    clusters: set[str] = field(default_factory=set)


def _named_clusters(table: Mapping[str, Any]) -> set[str] | None:
    """The clusters that routes name; nothing if messages name them themselves."""
    found = set()
    for route in table["routes"]:
        target = route["to"]
        if "key" in target:
            return None
        found |= {target["cluster"]} if "cluster" in target else {name for name, _ in target["weighted"]}
        found |= {mirror["cluster"] for mirror in route.get("mirrors", ())}
    return found


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
        self._strict = strict
        self._resolver = resolver or AresResolver()
        receivers: dict[str, Receiver] = {
            "cds": self._clusters_came,
            "eds": self._hosts_came,
            "lds": self._listeners_came,
            "rds": self._tables_came,
        }
        self._feeds = Feeds(loaded, receivers, backoff)
        self._upstreams: dict[str, Upstream] = {}
        self._warming: set[str] = set()
        self._tables: dict[tuple[Source, str], _Table] = {}
        self._waiting: dict[str, _Bound] = {}
        self._open: dict[str, _Bound] = {}
        self._lds: Watch | None = None
        self._cds: Watch | None = None
        self._cds_settled = loaded.dynamic.clusters is None
        self._lds_settled = loaded.dynamic.listeners is None
        self._clusters_ready = False
        self._stirred = False
        self._closed = False
        self._counts = _Counts()
        self._traffic = _Traffic()
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Put the bootstrap file into effect, and begin to discover.

        Listeners that wait for nothing are open then.

        Raises:
            Refused: If the data path cannot use the file.
        """
        loaded = self._loaded
        self._put_clusters({name: self._static(each) for name, each in loaded.clusters.items()})
        self._clusters_ready = self._cds_settled and not self._warming
        now = {}
        for name, each in loaded.listeners.items():
            bound = self._bind(self._static(each))
            self._waiting[name] = bound
            if self._openable(bound):
                now[name] = bound
        self._show(now)
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
        await asyncio.gather(*(each.close() for each in self._upstreams.values()))
        await self._feeds.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @staticmethod
    def _static(value: V) -> Entry[V]:
        return Entry(value, message=value.message, static=True)

    def _read(self, what: str, resource: Resource, convert: Callable[[Any, Place], T]) -> T:
        """Convert a message that was discovered.

        Raises:
            Refused: If it cannot be used; the text names the fields.
        """
        report = Report()
        value = convert(resource.message, report.at())
        try:
            report.check(strict=self._strict)
        except ConfigError as error:
            raise Refused("; ".join(map(str, error.problems))) from None
        for problem in report.problems:
            _logs.tell(_log, logging.WARNING, "not supported", what=what, name=resource.name, problem=str(problem))
        return value

    # Waiting

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
        if not self._clusters_ready and self._cds_settled and not self._warming:
            self._clusters_ready = True
        for table in list(self._tables.values()):
            if table.pending is not None and not self._blocked(table.pending.value):
                entry, table.pending = table.pending, None
                try:
                    self._put_table(table, entry)
                except Refused as error:
                    table.watch.refused()
                    _logs.tell(_log, logging.ERROR, "refused", what="routes", name=table.key[1], reason=str(error))
        for name, bound in list(self._waiting.items()):
            if self._openable(bound):
                try:
                    self._show({name: bound})
                except Refused as error:
                    _logs.tell(_log, logging.ERROR, "refused", what="listener", name=name, reason=str(error))
        if self._clusters_ready and self._lds_settled and not self._waiting and not self.ready.is_set():
            self.ready.set()
            self._live()

    def _blocked(self, table: Mapping[str, Any]) -> bool:
        """Whether clusters that routes name are still to get their hosts."""
        return self._awaits(_named_clusters(table))

    def _awaits(self, names: set[str] | None) -> bool:
        if names is None:
            return not self._clusters_ready
        if not self._warming.isdisjoint(names):
            return True
        return not self._clusters_ready and not names <= self._upstreams.keys() and not self._cds_settled

    def _openable(self, bound: _Bound) -> bool:
        value = bound.entry.value
        table = value.table
        if bound.table is not None:
            table = bound.table.entry.value if bound.table.entry is not None else None
            if table is None and not bound.table.settled:
                return False
        names = set() if table is None else _named_clusters(table)
        unknown_to = value.config.get("unknown_to")
        if names is not None and unknown_to:
            names = names | {unknown_to}
        return not self._awaits(names)

    def _cds_came(self) -> None:
        self._cds_settled = True
        self.stir()

    def _lds_came(self) -> None:
        self._lds_settled = True
        self.stir()

    # Clusters

    def _effective(self, entry: Entry[Cluster]) -> Entry[Cluster]:
        """A cluster as the data path is to have it."""
        config = entry.value.config
        if entry.value.zone_aware is not None and (peers := self._peers()):
            where = self._loaded.node.locality
            config = config | {"localities": localities(entry.value, (where.region, where.zone, where.sub_zone), peers)}
        if entry.value.health_checks and "hosts" in config:  # they are not used before they were checked
            config = {key: value for key, value in config.items() if key != "hosts"}
        return replace(entry, value=replace(entry.value, config=config))

    def _put_clusters(self, changes: dict[str, Entry[Cluster]]) -> None:
        """Change or add clusters, all or none.

        Raises:
            Refused: If one of them cannot be used.
        """
        self.store.change(clusters={name: self._effective(entry) for name, entry in changes.items()})
        for name, entry in changes.items():
            old = self._upstreams.get(name)
            upstream = Upstream(
                entry,
                push=self._push_one,
                checked=self._checked,
                traffic=self._had_traffic,
                warmed=self._warmed,
            )
            if old is None:
                self._warming.add(name)
                self._counts.cluster_added += 1
            else:
                self._counts.cluster_modified += 1
                upstream.hosts = old.hosts
            self._upstreams[name] = upstream
            if entry.value.transport_socket is None:
                upstream.start(self._feeds, self._resolver)
            else:  # discovery alone uses it
                self._warmed(name)
            if old is not None:
                self._spawn(old.close())
        if self._loaded.context.local_cluster in changes:
            self._rezone()

    def _drop_clusters(self, names: Iterable[str]) -> None:
        gone = [name for name in names if name in self._upstreams]
        if not gone:
            return
        self.store.change(clusters=dict.fromkeys(gone))
        for name in gone:
            self._counts.cluster_removed += 1
            self._warming.discard(name)
            self._spawn(self._upstreams.pop(name).close())
        self.stir()

    def _warmed(self, name: str) -> None:
        self._warming.discard(name)
        self.stir()

    def _had_traffic(self, name: str) -> bool:
        traffic, now = self._traffic, time.monotonic()
        if name not in traffic.clusters and now - traffic.at > _TRAFFIC_AGE:
            traffic.at, traffic.clusters = now, self.store.had_connections()
        return name in traffic.clusters

    def _checked(self, upstream: Upstream, address: str, good: bool) -> None:
        if not self._closed and self._upstreams.get(upstream.cluster.name) is upstream:
            self.store.checked(upstream.cluster.name, address, good)
            if upstream.cluster.name == self._loaded.context.local_cluster:
                self._rezone()

    def _push_one(self, upstream: Upstream, given: dict[str, Any]) -> None:
        if self._upstreams.get(upstream.cluster.name) is upstream:
            self._push({upstream.cluster.name: given})

    def _push(self, changes: dict[str, dict[str, Any]]) -> None:
        """Give clusters their hosts.

        Raises:
            Refused: If the data path cannot use them.
        """
        given = {name: each for name, each in changes.items() if name in self._upstreams}
        there = {name: self._upstreams[name].kept(each) for name, each in given.items()}
        fresh = {name: found for name, each in there.items() if (found := self._upstreams[name].unchecked(each))}
        if fresh:
            # First so that nobody uses them, then so that the checks alone decide.
            self.store.change(hosts={name: Entry(_unhealthy(there[name], set(fresh[name]))) for name in fresh})
            for name, addresses in fresh.items():
                for address in addresses:
                    self.store.checked(name, address, False)
        self.store.change(hosts={name: Entry(each) for name, each in there.items()})
        for name, taken in there.items():
            self._upstreams[name].took(given[name], taken)
        if self._loaded.context.local_cluster in there:
            self._rezone()

    def _peers(self) -> dict[tuple[str, str, str], tuple[int, int]]:
        """How many proxies like this one there are in each place, and how many of them are well."""
        local = self._upstreams.get(self._loaded.context.local_cluster)
        found: dict[tuple[str, str, str], tuple[int, int]] = {}
        if local is None or local.hosts is None:
            return found
        for _, locality, host in each_host(local.hosts):
            region, zone, sub_zone = locality.get("place", ("", "", ""))
            well = host.get("health") not in _DOWN
            if local.checks is not None:
                well = well and local.checks.good(host["address"]) is True
            count, healthy = found.get((region, zone, sub_zone), (0, 0))
            found[region, zone, sub_zone] = (count + 1, healthy + well)
        return found

    def _rezone(self) -> None:
        """The proxies like this one have changed."""
        aware = {
            name: self._effective(each.entry)
            for name, each in self._upstreams.items()
            if each.cluster.zone_aware is not None and each.cluster.transport_socket is None
        }
        if aware:
            self.store.change(clusters=aware)

    def _clusters_came(self, changes: list[Change], removed: list[str]) -> dict[str, str]:
        wrong: dict[str, str] = {}
        good: dict[str, Entry[Cluster]] = {}
        for _, resource in changes:
            name = resource.name
            if self._is_static(self.store.clusters, name):
                _logs.tell(
                    _log,
                    logging.INFO,
                    _STATIC,
                    what="cluster",
                    name=name,
                )
                continue
            try:
                value = self._read("cluster", resource, self._cluster)
            except Refused as error:
                wrong[name] = str(error)
            else:
                good[name] = Entry(value, resource.version, message=resource.message)
        wrong |= _one_by_one(good, self._put_clusters)
        self._drop_clusters(name for name in removed if not self._is_static(self.store.clusters, name))
        return wrong

    def _cluster(self, message: Any, place: Place) -> Cluster:
        found = cluster(message, place, self._loaded.context)
        if found.transport_socket is not None:
            (place / "transport_socket").error("is not supported: hosts would get in plain what is to be encrypted")
        if found.source is not None and (problem := self._feeds.problem(found.source)):
            (place / "eds_cluster_config" / "eds_config").error(problem)
        return found

    def _hosts_came(self, changes: list[Change], _: list[str]) -> dict[str, str]:
        wrong: dict[str, str] = {}
        given: dict[str, dict[str, Any]] = {}
        names: dict[str, str] = {}
        for watch, resource in changes:
            upstream = watch.owner
            if not isinstance(upstream, Upstream) or self._upstreams.get(upstream.cluster.name) is not upstream:
                continue
            convert = partial(hosts, hash_by_hostname=upstream.cluster.hash_by_hostname)
            try:
                found = self._read("endpoints", resource, convert)
            except Refused as error:
                wrong[resource.name] = str(error)
            else:
                given[upstream.cluster.name] = found
                names[upstream.cluster.name] = resource.name
        refused = _one_by_one(given, self._push)
        return wrong | {names[name]: reason for name, reason in refused.items()}

    # Routes

    def _table(self, source: Source, name: str) -> _Table:
        """The routes of a source that are called so; one more listener has them."""
        key = (source, name)
        if key not in self._tables:
            taken = {table.name for table in self._tables.values()}
            numbered = (f"{name} ({number})" for number in itertools.count(2))
            unique = next(each for each in itertools.chain([name], numbered) if each not in taken)

            def settled() -> None:
                table.settled = True
                self.stir()

            watch = Watch(name, source.initial_fetch_timeout / 1000, settled)
            table = _Table(key, unique, watch)
            watch.owner = table
            self._tables[key] = table
            self._feeds.watch(source, RDS, watch)
        self._tables[key].users += 1
        return self._tables[key]

    def _leave(self, bound: _Bound | None) -> None:
        """A listener is gone, and with it the routes that nobody else has."""
        table = None if bound is None else bound.table
        if table is None:
            return
        table.users -= 1
        if not table.users:
            self._feeds.leave(table.watch)
            del self._tables[table.key]
            if table.entry is not None:
                self.store.change(tables={table.name: None})

    def _routes(self, message: Any, place: Place) -> dict[str, Any]:
        return routes(message, place, self._loaded.context)[1]

    def _tables_came(self, changes: list[Change], _: list[str]) -> dict[str, str]:
        wrong: dict[str, str] = {}
        for watch, resource in changes:
            table = watch.owner
            if not isinstance(table, _Table):
                continue
            try:
                value = self._read("routes", resource, self._routes)
                entry = Entry(value, resource.version, message=resource.message)
                if table.entry is not None and self._blocked(value):
                    table.pending = entry
                else:
                    table.pending = None
                    self._put_table(table, entry)
            except Refused as error:
                wrong[resource.name] = str(error)
        return wrong

    def _put_table(self, table: _Table, entry: Entry[dict[str, Any]]) -> None:
        """Change routes, and open the listeners that wait for nothing else.

        Raises:
            Refused: If they cannot be used. Those before are still in effect.
        """
        before = table.entry
        self.store.change(tables={table.name: entry})
        table.entry = entry
        for name, bound in list(self._waiting.items()):
            if bound.table is not table or not self._openable(bound):
                continue
            try:
                self._show({name: bound}, keep=True)
            except Refused as error:
                if f"listeners.{name}.routes." in str(error):
                    self.store.change(tables={table.name: before})
                    table.entry = before
                    raise
                self._failed(name, bound)
                _logs.tell(_log, logging.ERROR, "refused", what="listener", name=name, reason=str(error))
        table.reloads += 1
        table.reloaded = int(time.time() * 1000)

    # Listeners

    def _bind(self, entry: Entry[Listener]) -> _Bound:
        value = entry.value
        if value.source is None:
            return _Bound(entry, None)
        table = self._table(value.source, value.config["routes"])
        if table.name != value.config["routes"]:
            entry = replace(entry, value=replace(value, config=value.config | {"routes": table.name}))
        return _Bound(entry, table)

    def _show(self, found: dict[str, _Bound], *, keep: bool = False) -> None:
        """Open listeners, or change those that are open; all or none.

        Args:
            found: The listeners.
            keep: Whether those that cannot be opened go on waiting.

        Raises:
            Refused: If one cannot be opened.
        """
        try:
            self.store.change(listeners={name: bound.entry for name, bound in found.items()})
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
                self._counts.listener_added += 1
            else:
                self._counts.listener_modified += 1
            self._counts.listener_create_success += 1
        self.stir()

    def _failed(self, name: str, bound: _Bound) -> None:
        """A listener cannot be opened, and waits no more."""
        if self._waiting.get(name) is bound:
            del self._waiting[name]
        self._counts.listener_create_failure += 1
        self._leave(bound)

    def _want(self, name: str, entry: Entry[Listener]) -> None:
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

    def _drop_listeners(self, names: Iterable[str]) -> None:
        gone = list(names)
        open_ones = [name for name in gone if name in self._open]
        if open_ones:
            self.store.change(listeners=dict.fromkeys(open_ones))
        for name in gone:
            self._counts.listener_removed += name in self._open or name in self._waiting
            self._leave(self._waiting.pop(name, None))
            self._leave(self._open.pop(name, None))
        self.stir()

    def _listeners_came(self, changes: list[Change], removed: list[str]) -> dict[str, str]:
        wrong: dict[str, str] = {}
        # An address may go from one listener to another.
        self._drop_listeners(name for name in removed if not self._is_static_listener(name))
        for _, resource in changes:
            name = resource.name
            if self._is_static_listener(name):
                _logs.tell(
                    _log,
                    logging.INFO,
                    _STATIC,
                    what="listener",
                    name=name,
                )
                continue
            try:
                value = self._read("listener", resource, self._listener)
                if value is not None:
                    self._want(name, Entry(value, resource.version, message=resource.message))
            except Refused as error:
                wrong[name] = str(error)
        return wrong

    def _listener(self, message: Any, place: Place, context: Context | None = None) -> Listener | None:
        found = listener(message, place, context or self._loaded.context)
        if found is not None and found.source is not None and (problem := self._feeds.problem(found.source)):
            (place / "rds" / "config_source").error(problem)
        return found

    def _is_static_listener(self, name: str) -> bool:
        return any(name in each and each[name].entry.static for each in (self._waiting, self._open))

    @staticmethod
    def _is_static(entries: Mapping[str, Entry[T]], name: str) -> bool:
        return name in entries and entries[name].static

    # Changes by a program

    def replace(self, loaded: Loaded) -> None:
        """Put another bootstrap file into effect, where it differs.

        Raises:
            Refused: If that cannot be done while the proxy runs, or the data path cannot use it.
        """
        before = self._loaded
        for name in ("node", "dynamic_resources", "admin", "cluster_manager"):
            if getattr(loaded.bootstrap, name) != getattr(before.bootstrap, name):
                raise Refused(f"{name}: cannot change while the proxy runs")
        leading = [name for name, each in before.clusters.items() if each.transport_socket is not None]
        for name in leading:
            if name not in loaded.clusters or loaded.clusters[name].message != before.clusters[name].message:
                raise Refused(f"cluster {name!r}: leads to a control plane, and cannot change while the proxy runs")
        clusters: dict[str, Entry[Cluster] | None] = dict.fromkeys(before.clusters.keys() - loaded.clusters.keys())
        for name, each in loaded.clusters.items():
            if name not in before.clusters or before.clusters[name].message != each.message:
                clusters[name] = self._static(each)
        listeners: dict[str, Entry[Listener] | None] = dict.fromkeys(before.listeners.keys() - loaded.listeners.keys())
        for name, shown in loaded.listeners.items():
            if name not in before.listeners or before.listeners[name].message != shown.message:
                listeners[name] = self._static(shown)
        self._change(clusters, {}, listeners, {})
        self._loaded = loaded

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
        report = Report()
        context = replace(self._loaded.context, load_codecs=True)
        new_clusters: dict[str, Entry[Cluster] | None] = {}
        for name, given in clusters.items():
            new_clusters[name] = None
            if given is not None:
                message, place = _message(given, CDS.message, report, f"clusters[{name!r}]")
                _named(message, name, place)
                new_clusters[name] = Entry(self._cluster(message, place), message=message)
        new_listeners: dict[str, Entry[Listener] | None] = {}
        for name, given in listeners.items():
            new_listeners[name] = None
            if given is not None:
                message, place = _message(given, LDS.message, report, f"listeners[{name!r}]")
                _named(message, name, place)
                found = self._listener(message, place, context)
                if found is not None:
                    new_listeners[name] = Entry(found, message=message)
        new_hosts: dict[str, dict[str, Any]] = {}
        for name, given in hosts_of.items():
            message, place = _message(given, EDS.message, report, f"hosts[{name!r}]")
            entry = new_clusters.get(name) or (self._upstreams[name].entry if name in self._upstreams else None)
            if entry is None:
                place.error("is for a cluster that does not exist")
            else:
                new_hosts[name] = hosts(message, place, hash_by_hostname=entry.value.hash_by_hostname)
        new_tables: dict[str, Entry[dict[str, Any]]] = {}
        for name, given in tables.items():
            kind = MetaRoutes if isinstance(given, Mapping) and not _HTTP_ROUTES & given.keys() else RDS.message
            message, place = _message(given, kind, report, f"routes[{name!r}]")
            _named(message, name, place)
            if not self._users(name) and not any(
                entry is not None and entry.value.table_name == name for entry in new_listeners.values()
            ):
                place.error("is what no listener calls its routes")
            new_tables[name] = Entry(routes(message, place, context)[1], message=message)
        report.check(strict=self._strict)
        for problem in report.problems:
            _logs.tell(_log, logging.WARNING, "not supported", problem=str(problem))
        self._change(new_clusters, new_hosts, new_listeners, new_tables)

    def _users(self, name: str) -> list[_Bound]:
        """The listeners whose routes are called so."""
        every = [*self._waiting.values(), *self._open.values()]
        return [bound for bound in every if bound.entry.value.table_name == name]

    def _change(
        self,
        clusters: Mapping[str, Entry[Cluster] | None],
        hosts_of: Mapping[str, dict[str, Any]],
        listeners: Mapping[str, Entry[Listener] | None],
        tables: Mapping[str, Entry[dict[str, Any]]],
    ) -> None:
        """Clusters come before what leads to them, and go after it."""
        put = {name: entry for name, entry in clusters.items() if entry is not None}
        if put:
            self._put_clusters(put)
        if hosts_of:
            self._push(dict(hosts_of))
        gone = [name for name, entry in listeners.items() if entry is None]
        if gone:
            self._drop_listeners(gone)
        for name, shown in listeners.items():
            if shown is not None:
                self._want(name, shown)
        for name, table in tables.items():
            self._put_everywhere(name, table)
        self._drop_clusters(name for name, entry in clusters.items() if entry is None)
        if clusters or hosts_of or listeners:
            self._settle()

    def _put_everywhere(self, name: str, entry: Entry[dict[str, Any]]) -> None:
        own: dict[str, Entry[dict[str, Any]] | None] = {}
        for bound in self._users(name):
            if bound.table is not None:
                bound.table.pending = None
                self._put_table(bound.table, entry)
            else:
                value = replace(bound.entry.value, table=entry.value)
                bound.entry = replace(bound.entry, value=value)
                own[value.config["routes"]] = entry
        if own:
            self.store.change(tables=own)

    # Counters

    def counters(self) -> dict[str, int]:
        """Every counter and gauge of discovery, names and checks, by its full name."""
        counts, found = vars(self._counts), {}
        for name, value in counts.items():
            kind = "listener" if name.startswith("listener") else "cluster"
            found[f"{kind}_manager.{name}"] = value
        found["listener_manager.total_listeners_active"] = len(self._open)
        found["listener_manager.total_listeners_warming"] = len(self._waiting)
        found["cluster_manager.active_clusters"] = len(self._upstreams) - len(self._warming)
        found["cluster_manager.warming_clusters"] = len(self._warming)
        if self._feeds.used:
            found["control_plane.connected_state"] = int(self._feeds.connected)
        for kind, watch in (("listener", self._lds), ("cluster", self._cds)):
            if watch is not None:
                found |= watch.stats.counters(f"{kind}_manager.{'lds' if kind == 'listener' else 'cds'}.")
        for name, upstream in list(self._upstreams.items()):
            found |= {f"cluster.{name}.{counter}": value for counter, value in upstream.counters().items()}
        for bound in [*self._waiting.values(), *self._open.values()]:
            if bound.table is not None:
                config = bound.entry.value.config
                prefix = f"meta_protocol.{config['application_protocol']}.{config['stat_prefix']}."
                prefix += f"rds.{bound.table.key[1]}."
                found |= bound.table.watch.stats.counters(prefix)
                found[prefix + "config_reload"] = bound.table.reloads
                found[prefix + "config_reload_time_ms"] = bound.table.reloaded
        return found


def _unhealthy(given: Mapping[str, Any], fresh: set[str]) -> dict[str, Any]:
    """Hosts of which some are not to be used yet."""

    def marked(host: dict[str, Any]) -> dict[str, Any]:
        return host | {"health": "unhealthy"} if host["address"] in fresh else host

    priorities = [
        [dict(locality) | {"hosts": [marked(host) for host in locality["hosts"]]} for locality in priority]
        for priority in given["priorities"]
    ]
    return dict(given) | {"priorities": priorities}


def _one_by_one(good: dict[str, T], put: Callable[[dict[str, T]], None]) -> dict[str, str]:
    """Put all into effect at once, or, if that is refused, each that is not. What is wrong with the others, by name."""
    if not good:
        return {}
    try:
        put(good)
    except Refused:
        wrong = {}
        for name, entry in good.items():
            try:
                put({name: entry})
            except Refused as error:
                wrong[name] = str(error)
        return wrong
    return {}


def _message(given: Any, kind: type[Any], report: Report, path: str) -> tuple[Any, Place]:
    """A message, and the place where what is wrong with it is reported."""
    place = report.at(path)
    if not isinstance(given, Mapping):
        return given, place
    message = kind()
    read_text(json.dumps(given), message, place)
    return message, place


def _named(message: Any, name: str, place: Place) -> None:
    """A message has the name that it is given by; one without gets it."""
    if not message.name:
        message.name = name
    elif message.name != name:
        (place / "name").error(f"is {message.name!r}, but it is given as {name!r}")
