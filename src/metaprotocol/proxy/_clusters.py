"""Clusters in effect, with their hosts; and those that wait for hosts."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from metaprotocol.proxy._reading import one_by_one, tell_static
from metaprotocol.proxy._store import Entry, Refused
from metaprotocol.proxy._upstream import Upstream, each_host
from metaprotocol.xds import hosts
from metaprotocol.xds.clusters import localities

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping

    from metaprotocol.proxy._dns import Resolver
    from metaprotocol.proxy._feeds import Feeds
    from metaprotocol.proxy._reading import Reader
    from metaprotocol.proxy._store import Store
    from metaprotocol.proxy._topics import Change
    from metaprotocol.xds import Cluster, Loaded

__all__ = ["Clusters"]

_DOWN = frozenset({"unhealthy", "draining"})
_TRAFFIC_AGE = 1.0
"""Counters are asked at most this often whether a cluster has had a connection, in seconds."""


@dataclass
class _Counts:
    added: int = 0
    modified: int = 0
    removed: int = 0


@dataclass
class _Traffic:
    at: float = 0.0
    clusters: set[str] = field(default_factory=set)


class Clusters:
    """All clusters in effect.

    Attributes:
        settled: Whether it is waited for no more that clusters are discovered.
        ready: Whether all clusters of the beginning have their hosts.

    Args:
        loaded: The bootstrap file: where the proxy is, and the cluster that it belongs to.
        store: The configuration in effect.
        feeds: Whom hosts are asked of.
        reader: Reads clusters and hosts.
        resolver: Resolves names.
        stir: Called when others may go on that wait for something.
    """

    def __init__(
        self,
        loaded: Loaded,
        store: Store,
        feeds: Feeds,
        reader: Reader,
        resolver: Resolver,
        *,
        stir: Callable[[], None],
    ) -> None:
        self.settled = loaded.dynamic.clusters is None
        self.ready = False
        self._local = loaded.context.local_cluster
        where = loaded.node.locality
        self._where = (where.region, where.zone, where.sub_zone)
        self._store = store
        self._feeds = feeds
        self._reader = reader
        self._resolver = resolver
        self._stir = stir
        self._upstreams: dict[str, Upstream] = {}
        self._warming: set[str] = set()
        self._closed = False
        self._counts = _Counts()
        self._traffic = _Traffic()
        self._tasks: set[asyncio.Task[None]] = set()

    def settle(self) -> None:
        """See whether all of the beginning are ready."""
        self.ready = self.ready or (self.settled and not self._warming)

    def awaits(self, names: set[str] | None) -> bool:
        """Whether clusters of these names, or with nothing any cluster, are still to get their hosts."""
        if names is None:
            return not self.ready
        if not self._warming.isdisjoint(names):
            return True
        return not self.ready and not names <= self._upstreams.keys() and not self.settled

    def entry(self, name: str) -> Entry[Cluster] | None:
        """A cluster in effect."""
        upstream = self._upstreams.get(name)
        return None if upstream is None else upstream.entry

    async def close(self) -> None:
        """Resolve and check no more."""
        self._closed = True
        await asyncio.gather(*(each.close() for each in self._upstreams.values()))

    async def closed(self) -> None:
        """Wait for what still goes on of clusters that are gone."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Clusters come, change and go

    def put(self, changes: dict[str, Entry[Cluster]]) -> None:
        """Change or add clusters, all or none.

        Raises:
            Refused: If one of them cannot be used.
        """
        self._store.change(clusters={name: self._effective(entry) for name, entry in changes.items()})
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
                self._counts.added += 1
            else:
                self._counts.modified += 1
                upstream.hosts = old.hosts
            self._upstreams[name] = upstream
            if entry.value.for_discovery:
                self._warmed(name)
            else:
                upstream.start(self._feeds, self._resolver)
            if old is not None:
                self._spawn(old.close())
        if self._local in changes:
            self._rezone()

    def drop(self, names: Iterable[str]) -> None:
        """Have clusters no more."""
        gone = [name for name in names if name in self._upstreams]
        if not gone:
            return
        self._store.change(clusters=dict.fromkeys(gone))
        for name in gone:
            self._counts.removed += 1
            self._warming.discard(name)
            self._spawn(self._upstreams.pop(name).close())
        self._stir()

    def came(self, changes: list[Change], removed: list[str]) -> dict[str, str]:
        """Take clusters that were discovered. What is wrong with those that are refused, by name."""
        wrong: dict[str, str] = {}
        good: dict[str, Entry[Cluster]] = {}
        for _, resource in changes:
            name = resource.name
            if self._is_static(name):
                tell_static("cluster", name)
                continue
            try:
                value = self._reader.read("cluster", resource, self._reader.cluster)
            except Refused as error:
                wrong[name] = str(error)
            else:
                good[name] = Entry(value, resource.version, message=resource.message)
        wrong |= one_by_one(good, self.put)
        self.drop(name for name in removed if not self._is_static(name))
        return wrong

    def _is_static(self, name: str) -> bool:
        return name in self._store.clusters and self._store.clusters[name].static

    def _effective(self, entry: Entry[Cluster]) -> Entry[Cluster]:
        """A cluster as the data path is to have it."""
        config = entry.value.config
        if entry.value.zone_aware is not None and (peers := self._peers()):
            config = config | {"localities": localities(entry.value, self._where, peers)}
        if entry.value.health_checks and "hosts" in config:  # they are not used before they were checked
            config = {key: value for key, value in config.items() if key != "hosts"}
        return replace(entry, value=replace(entry.value, config=config))

    def _warmed(self, name: str) -> None:
        self._warming.discard(name)
        self._stir()

    # Their hosts

    def push(self, changes: Mapping[str, dict[str, Any]]) -> None:
        """Give clusters their hosts.

        Raises:
            Refused: If the data path cannot use them.
        """
        given = {name: each for name, each in changes.items() if name in self._upstreams}
        there = {name: self._upstreams[name].kept(each) for name, each in given.items()}
        fresh = {name: found for name, each in there.items() if (found := self._upstreams[name].unchecked(each))}
        if fresh:
            # First so that nobody uses them, then so that the checks alone decide.
            self._store.change(hosts={name: Entry(_unhealthy(there[name], set(fresh[name]))) for name in fresh})
            for name, addresses in fresh.items():
                for address in addresses:
                    self._store.checked(name, address, False)
        self._store.change(hosts={name: Entry(each) for name, each in there.items()})
        for name, taken in there.items():
            self._upstreams[name].took(given[name], taken)
        if self._local in there:
            self._rezone()

    def hosts_came(self, changes: list[Change], _: list[str]) -> dict[str, str]:
        """Take hosts that were discovered. What is wrong with those that are refused, by name."""
        wrong: dict[str, str] = {}
        given: dict[str, dict[str, Any]] = {}
        names: dict[str, str] = {}
        for watch, resource in changes:
            upstream = watch.owner
            if not isinstance(upstream, Upstream) or self._upstreams.get(upstream.cluster.name) is not upstream:
                continue
            convert = partial(hosts, hash_by_hostname=upstream.cluster.hash_by_hostname)
            try:
                found = self._reader.read("endpoints", resource, convert)
            except Refused as error:
                wrong[resource.name] = str(error)
            else:
                given[upstream.cluster.name] = found
                names[upstream.cluster.name] = resource.name
        refused = one_by_one(given, self.push)
        return wrong | {names[name]: reason for name, reason in refused.items()}

    def _push_one(self, upstream: Upstream, given: dict[str, Any]) -> None:
        if self._upstreams.get(upstream.cluster.name) is upstream:
            self.push({upstream.cluster.name: given})

    def _had_traffic(self, name: str) -> bool:
        traffic, now = self._traffic, time.monotonic()
        if name not in traffic.clusters and now - traffic.at > _TRAFFIC_AGE:
            traffic.at, traffic.clusters = now, self._store.had_connections()
        return name in traffic.clusters

    def _checked(self, upstream: Upstream, address: str, good: bool) -> None:
        if not self._closed and self._upstreams.get(upstream.cluster.name) is upstream:
            self._store.checked(upstream.cluster.name, address, good)
            if upstream.cluster.name == self._local:
                self._rezone()

    # Zones

    def _peers(self) -> dict[tuple[str, str, str], tuple[int, int]]:
        """How many proxies like this one there are in each place, and how many of them are well."""
        local = self._upstreams.get(self._local)
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
            if each.cluster.zone_aware is not None and not each.cluster.for_discovery
        }
        if aware:
            self._store.change(clusters=aware)

    def counters(self) -> dict[str, int]:
        """Counters and gauges of the clusters, of their hosts, names and checks, by full names."""
        found = {f"cluster_manager.cluster_{name}": value for name, value in vars(self._counts).items()}
        found["cluster_manager.active_clusters"] = len(self._upstreams) - len(self._warming)
        found["cluster_manager.warming_clusters"] = len(self._warming)
        for name, upstream in list(self._upstreams.items()):
            found |= {f"cluster.{name}.{counter}": value for counter, value in upstream.counters().items()}
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
