"""What is asked of a source, and what came of it, whatever way it comes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from metaprotocol._native import xxh64
from metaprotocol.proxy import _logs
from metaprotocol.proxy._kinds import Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from metaprotocol.proxy._kinds import Kind

__all__ = ["EVERY", "Arrived", "Change", "Receiver", "Subscribed", "Topic", "Watch"]

EVERY = "*"
"""The name of a watch for all there are."""

_log = _logs.logger("discovery")


@dataclass
class Subscribed:
    """Counters of one subscription, named as Envoy names them."""

    update_attempt: int = 0
    update_success: int = 0
    update_failure: int = 0
    update_rejected: int = 0
    update_empty: int = 0
    update_time: int = 0
    version: int = 0
    init_fetch_timeout: int = 0

    def counters(self, prefix: str) -> dict[str, int]:
        """All of them, with a prefix before their names."""
        return {prefix + name: value for name, value in vars(self).items()}


class Change(NamedTuple):
    """A resource for who watches it."""

    watch: Watch
    resource: Resource


Receiver: TypeAlias = "Callable[[list[Change], list[str]], dict[str, str]]"
"""Takes what has changed, and the names of what is gone; gives what is wrong with those that it refuses, by name."""


class Watch:
    """Somebody's interest in one name.

    Args:
        name: The name; `EVERY` for all.
        timeout: How long is waited for a first answer, in seconds; 0 for ever.
        settled: Called once: when there is a first answer, or there will be none in time.
        owner: Who it is for; the receiver may use it.
    """

    def __init__(self, name: str, timeout: float, settled: Callable[[], None], owner: object = None) -> None:
        self.name = name
        self.owner = owner
        self.stats = Subscribed(update_attempt=1)
        self._settled: Callable[[], None] | None = settled
        self._timer = asyncio.get_running_loop().call_later(timeout, self._timed_out) if timeout else None

    def _timed_out(self) -> None:
        if self._settled is not None:
            self.stats.init_fetch_timeout += 1
            _logs.tell(_log, logging.WARNING, "nothing came in time", name=self.name)
        self.settle()

    def settle(self) -> None:
        """There is an answer, whatever it is."""
        settled, self._settled = self._settled, None
        self.close()
        if settled is not None:
            settled()

    def accepted(self, version: str) -> None:
        """Something came, and was good."""
        self.stats.update_attempt += 1
        self.stats.update_success += 1
        self.stats.update_time = int(time.time() * 1000)
        self.stats.version = xxh64(version.encode())
        self.settle()

    def refused(self) -> None:
        """Something came, and was not good."""
        self.stats.update_attempt += 1
        self.stats.update_rejected += 1
        self.settle()

    def failed(self) -> None:
        """The source could not be asked."""
        self.stats.update_attempt += 1
        self.stats.update_failure += 1

    def close(self) -> None:
        """Wait for nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


@dataclass
class Arrived:
    """What a source sent.

    Attributes:
        version: Its version.
        resources: What could be read.
        wrong: What could not, by name or number.
        removed: The names of what is gone, where the source says so.
        whole: Whether it is all there is, so that what it lacks is gone.
    """

    version: str
    resources: list[Resource]
    wrong: dict[str, str]
    removed: list[str]
    whole: bool


class Topic:
    """One kind of configuration of one source.

    Attributes:
        kind: The kind.
        known: What was last accepted, by name.
        version: The version of the last response that was accepted as a whole.

    Args:
        kind: The kind.
        receive: Gets what comes.
        changed: Called when other names are asked for than before.
    """

    def __init__(
        self,
        kind: Kind,
        receive: Receiver,
        changed: Callable[[Topic], None],
    ) -> None:
        self.kind = kind
        self.known: dict[str, Resource] = {}
        self.version = ""
        self._receive = receive
        self._changed = changed
        self._watches: dict[str, list[Watch]] = {}
        # An answer that crossed the end of its question is not wrong.
        self._lately: deque[str] = deque(maxlen=1024)

    @property
    def wanted(self) -> bool:
        """Whether anybody watches."""
        return bool(self._watches)

    @property
    def names(self) -> frozenset[str]:
        """The names to ask for; none where all are asked for."""
        return frozenset() if self.kind.every else frozenset(self._watches)

    def watches(self) -> Iterator[Watch]:
        """All watches."""
        for watches in self._watches.values():
            yield from watches

    def add(self, watch: Watch) -> None:
        """Watch a name. What is known of it already comes at once."""
        watches = self._watches.setdefault(watch.name, [])
        watches.append(watch)
        if len(watches) == 1:
            self._changed(self)
        elif watch.name in self.known:
            known = self.known[watch.name]
            if self._receive([Change(watch, known)], []):
                watch.refused()
            else:
                watch.accepted(known.version)

    def remove(self, watch: Watch) -> None:
        """Watch a name no more."""
        watch.close()
        watches = self._watches.get(watch.name, [])
        if watch not in watches:
            return
        watches.remove(watch)
        if not watches:
            del self._watches[watch.name]
            if self.kind.every:
                self.known.clear()
            self.known.pop(watch.name, None)
            self._lately.append(watch.name)
            if not self._watches:
                self.version = ""
            self._changed(self)

    def failed(self) -> None:
        """The source could not be asked."""
        for watch in self.watches():
            watch.failed()

    def deliver(self, arrived: Arrived) -> str:
        """Hand on what came.

        What is good counts, whatever stands beside it. What is refused stays as it was.

        Returns:
            What is wrong with it, for who sent it; nothing if all was taken.
        """
        wrong = dict(arrived.wrong)
        arrivals: dict[str, Resource] = {}
        for resource in arrived.resources:
            if not resource.name:
                wrong[""] = f"{self.kind.name_field}: is needed"
            elif resource.name in arrivals:
                wrong[resource.name] = "is there twice"
            else:
                arrivals[resource.name] = resource
        touched = (self._every if self.kind.every else self._named)(arrived, arrivals, wrong)
        for watch in touched:
            if watch.name in wrong or (self.kind.every and wrong):
                watch.refused()
            else:
                found = arrivals.get(watch.name)
                watch.accepted(found.version if found else arrived.version)
        if not wrong:
            self.version = arrived.version
        for name, reason in sorted(wrong.items()):
            _logs.tell(_log, logging.WARNING, "refused", what=self.kind.what, name=name, reason=reason)
        return "; ".join(f"{self.kind.what} {name!r}: {reason}" for name, reason in sorted(wrong.items()))

    def _every(self, arrived: Arrived, arrivals: dict[str, Resource], wrong: dict[str, str]) -> list[Watch]:
        removed = set(arrived.removed) & set(self.known)
        if arrived.whole:
            removed |= self.known.keys() - arrivals.keys() - wrong.keys()
        if not self._watches:
            return []
        watch = self._watches[EVERY][0]
        self._take([watch], arrivals, wrong, sorted(removed - arrivals.keys()))
        return [watch]

    def _named(self, arrived: Arrived, arrivals: dict[str, Resource], wrong: dict[str, str]) -> list[Watch]:
        strange = sorted(arrivals.keys() - self._watches.keys() - set(self._lately))
        if strange and len(strange) == len(arrivals) and self._watches:
            asked = ", ".join(map(repr, sorted(self._watches)))
            wrong |= dict.fromkeys(strange, f"was not asked for: asked for is {asked}")
        touched = [watch for name in arrivals for watch in self._watches.get(name, ())]
        self._take(touched, arrivals, wrong, [])
        # What is not there stays as it was: a cluster without hosts, or a listener without routes, is of no use.
        gone = set(self._watches) if arrived.whole and not arrivals and not wrong else set(arrived.removed)
        for name in gone & self._watches.keys():
            self.known.pop(name, None)
            for watch in self._watches[name]:
                watch.stats.update_empty += 1
                touched.append(watch)
        return touched + [watch for name in wrong if name not in arrivals for watch in self._watches.get(name, ())]

    def _take(
        self, watches: list[Watch], arrivals: dict[str, Resource], wrong: dict[str, str], removed: list[str]
    ) -> None:
        """Hand on what is new; what is good of it is known from now on."""
        new = {
            name: resource
            for name, resource in arrivals.items()
            if name not in wrong and (name not in self.known or self.known[name].data != resource.data)
        }
        if self.kind.every:
            changes = [Change(watch, resource) for watch in watches for resource in new.values()]
        else:
            changes = [Change(watch, new[watch.name]) for watch in watches if watch.name in new]
        if changes or removed:
            wrong |= self._receive(changes, removed)
        for name in removed:
            self.known.pop(name, None)
        taken = arrivals if self.kind.every else {watch.name: arrivals[watch.name] for watch in watches}
        watched = taken if self.kind.every else self._watches.keys()  # whoever got it may have left for that
        self.known |= {name: resource for name, resource in taken.items() if name not in wrong and name in watched}
