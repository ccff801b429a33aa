"""A cluster in effect: where its hosts come from, and whether they are well."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from metaprotocol.proxy._checks import Checks
from metaprotocol.proxy._dns import Resolving
from metaprotocol.proxy._kinds import EDS
from metaprotocol.proxy._topics import Subscribed, Watch
from metaprotocol.xds import ClusterKind, named_hosts, resolved
from metaprotocol.xds.values import is_ip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from metaprotocol.proxy._dns import Resolver
    from metaprotocol.proxy._feeds import Feeds
    from metaprotocol.proxy._store import Entry
    from metaprotocol.xds import Cluster

__all__ = ["Upstream", "each_host"]

_NAMES = (ClusterKind.STRICT_DNS, ClusterKind.LOGICAL_DNS)


def each_host(hosts: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any], dict[str, Any]]]:
    """The hosts, each with its priority and its locality."""
    for priority, localities in enumerate(hosts["priorities"]):
        for locality in localities:
            for host in locality["hosts"]:
                yield priority, locality, host


class Upstream:
    """A cluster in effect.

    Attributes:
        entry: The cluster.
        warm: Whether its hosts are known, or will not be in time, and were checked once.
        hosts: Its hosts, as the data path has them; nothing before there was an answer.
        stats: Counters of discovery and of names.
        checks: The active checks, if there are any.
        watch: What is asked of discovery.

    Args:
        entry: The cluster.
        push: Gives hosts to the data path.
        checked: Called with an address and whether that host is well, whenever that changes.
        traffic: Whether the cluster with this name ever had a connection.
        warmed: Called once with its name, when it is warm.
    """

    def __init__(
        self,
        entry: Entry[Cluster],
        *,
        push: Callable[[Upstream, dict[str, Any]], None],
        checked: Callable[[Upstream, str, bool], None],
        traffic: Callable[[str], bool],
        warmed: Callable[[str], None],
    ) -> None:
        self.entry = entry
        self.warm = False
        self.hosts: dict[str, Any] | None = None
        self.stats = Subscribed()
        self.watch: Watch | None = None
        self.membership_change = 0
        self.update_no_rebuild = 0
        self._push = push
        self._checked = checked
        self._warmed = warmed
        self._feeds: Feeds | None = None
        self._names: list[Resolving] = []
        self._addresses: dict[tuple[str, int], tuple[str, ...]] = {}
        self._unanswered: set[tuple[str, int]] = set()
        self._wanted: dict[str, Any] | None = None
        checks = entry.value.health_checks
        had_traffic = partial(traffic, entry.value.name)
        self.checks = Checks(checks, self._verdict, had_traffic, self._warm) if checks else None

    @property
    def cluster(self) -> Cluster:
        """The cluster."""
        return self.entry.value

    def start(self, feeds: Feeds, resolver: Resolver) -> None:
        """Ask for its hosts, wherever they come from."""
        cluster = self.cluster
        if cluster.kind is ClusterKind.EDS and cluster.source is not None:
            timeout = cluster.source.initial_fetch_timeout / 1000
            self.watch = Watch(cluster.service_name, timeout, self._asked, self)
            self.stats = self.watch.stats
            self._feeds = feeds
            feeds.watch(cluster.source, EDS, self.watch)
        elif cluster.kind in _NAMES and cluster.assignment is not None:
            names = named_hosts(cluster.assignment)
            self._unanswered = set(names)
            for name in names:
                self.stats.update_attempt += 1
                answered = partial(self._answered, name)
                if is_ip(name[0]):
                    answered((name[0],))
                else:
                    self._names.append(Resolving(name[0], cluster.dns, resolver, answered))
            if not names:
                self._asked()
        elif cluster.kind is ClusterKind.STATIC and cluster.assignment is not None:
            if self.checks is None:
                self.took(cluster.assignment, cluster.assignment)  # they went with the cluster
            else:
                self._push(self, cluster.assignment)
            self._asked()
        else:
            self._asked()

    def _answered(self, name: tuple[str, int], addresses: tuple[str, ...] | None) -> None:
        """A name was resolved, or was not."""
        stats, logical = self.stats, self.cluster.kind is ClusterKind.LOGICAL_DNS
        if name not in self._unanswered:
            stats.update_attempt += 1
        if addresses is None:
            stats.update_failure += 1
        else:
            stats.update_success += 1
            stats.update_empty += not addresses
            # One of the hosts that are known is as good as another, and better than none.
            taken = addresses[:1] or self._addresses.get(name, ()) if logical else addresses
            if self._addresses.get(name) == taken:
                self.update_no_rebuild += 1
            else:
                self._addresses[name] = taken
                self._push(self, resolved(self.cluster.assignment or {"priorities": []}, self._addresses))
        self._unanswered.discard(name)
        if not self._unanswered:
            self._asked()

    def _asked(self) -> None:
        """There was an answer, or there is none in time. Hosts that came are checked first."""
        if self.checks is None or self._wanted is None:
            self._warm()

    def _warm(self) -> None:
        if not self.warm and not self._unanswered:
            self.warm = True
            self._warmed(self.cluster.name)

    def unchecked(self, hosts: dict[str, Any]) -> list[str]:
        """Those of some hosts that are new and are to be checked before they are used."""
        if self.checks is None:
            return []
        before = {host["address"] for _, _, host in each_host(self.hosts or {"priorities": []})}
        return list(dict.fromkeys(host["address"] for _, _, host in each_host(hosts) if host["address"] not in before))

    def kept(self, hosts: dict[str, Any]) -> dict[str, Any]:
        """Hosts as they came, with those of before that are gone but found well, which stay until they are not."""
        if self.checks is None or self.hosts is None or self.cluster.ignore_health_on_removal:
            return hosts
        there = {host["address"] for _, _, host in each_host(hosts)}
        priorities = [[dict(locality) for locality in priority] for priority in hosts["priorities"]]
        for priority, locality, host in each_host(self.hosts):
            if host["address"] in there or not self.checks.good(host["address"]):
                continue
            while len(priorities) <= priority:
                priorities.append([])
            for each in priorities[priority]:
                if each.get("place") == locality.get("place"):
                    each["hosts"] = [*each["hosts"], host]
                    break
            else:
                priorities[priority].append(dict(locality) | {"hosts": [host]})
        return dict(hosts) | {"priorities": priorities}

    def took(self, given: dict[str, Any], hosts: dict[str, Any]) -> None:
        """The data path has them.

        Args:
            given: As they came.
            hosts: With those that stay.
        """
        self.membership_change += self.hosts != hosts
        self._wanted, self.hosts = given, hosts
        if self.checks is not None:
            self.checks.check(host["address"] for _, _, host in each_host(hosts))

    def _verdict(self, address: str, good: bool) -> None:
        self._checked(self, address, good)
        wanted, hosts = self._wanted, self.hosts
        if not good and wanted is not None and wanted != hosts:
            there = {host["address"] for _, _, host in each_host(wanted)}
            if address not in there:
                self._push(self, wanted)

    def counters(self) -> dict[str, int]:
        """Its counters, with the names that they have after `cluster.<name>.`."""
        hosts = list(each_host(self.hosts or {"priorities": []}))
        found = {"membership_total": len(hosts), "membership_change": self.membership_change}
        if self.watch is not None or self._names:
            found |= self.stats.counters("") | {"update_no_rebuild": self.update_no_rebuild}
        if self.checks is not None:
            found |= {f"health_check.{name}": value for name, value in vars(self.checks.stats).items()}
            found["health_check.healthy"] = self.checks.healthy
        return found

    async def close(self) -> None:
        """Ask and check no more."""
        if self.watch is not None and self._feeds is not None:
            self._feeds.leave(self.watch)
            self.watch = None
        names, self._names = self._names, []
        await asyncio.gather(*(name.close() for name in names))
        if self.checks is not None:
            await self.checks.close()
