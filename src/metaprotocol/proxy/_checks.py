"""Active checks: hosts are asked whether they are well."""

from __future__ import annotations

import asyncio
import enum
import logging
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from metaprotocol import Direction, Kind, get_codec
from metaprotocol.errors import DecodeError
from metaprotocol.proxy import _logs
from metaprotocol.proxy._pings import ping
from metaprotocol.xds.hosts import split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from metaprotocol.xds import HealthCheck

__all__ = ["Checked", "Checks", "Outcome", "interval"]

_log = _logs.logger("checks")
_GOOD = frozenset({Kind.RESPONSE, Kind.HEARTBEAT})
_MAX_ANSWER = 1 << 20


class Outcome(enum.Enum):
    """How a check ended."""

    GOOD = "good"
    WRONG = "wrong"
    """The host answered, but not as it should: it is down at once."""
    FAILED = "failed"
    """There was no connection, or no answer in time."""


@dataclass
class Checked:
    """Counters of the checks of one cluster, named as Envoy names them."""

    attempt: int = 0
    success: int = 0
    failure: int = 0
    network_failure: int = 0


class _Probe:
    """Asks one host, one way. A connection that may be used again is kept."""

    def __init__(self, check: HealthCheck, address: str) -> None:
        self._check = check
        host, port = split(address)
        self._host, self._port = host, check.port or port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._number = 0

    async def ask(self) -> Outcome:
        """Ask once."""
        try:
            async with asyncio.timeout(self._check.timeout / 1000):
                outcome = await self._ask()
        except (OSError, TimeoutError, EOFError):
            outcome = Outcome.FAILED
        if outcome is not Outcome.GOOD or not self._check.reuse_connection:
            self.close()
        return outcome

    async def _ask(self) -> Outcome:
        check = self._check
        self._number += 1
        sent = ping(check.codec, self._number) if check.codec else check.send
        if not sent and not check.receive:  # the connection is what is checked
            self.close()
        if self._streams is not None and self._streams[0].at_eof():
            self.close()
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._streams
        if sent:
            writer.write(sent)
            await writer.drain()
        if check.codec and sent:
            return await self._decoded(reader, sent)
        await self._received(reader)
        if not sent and not check.receive:
            self.close()
        return Outcome.GOOD

    async def _received(self, reader: asyncio.StreamReader) -> None:
        """Wait for all that must be in the answer, in this order."""
        data = b""
        for expected in self._check.receive:
            while (at := data.find(expected)) < 0:
                more = await reader.read(65536)
                if not more:
                    raise EOFError
                data = (data + more)[-_MAX_ANSWER:]
            data = data[at + len(expected) :]

    async def _decoded(self, reader: asyncio.StreamReader, sent: bytes) -> Outcome:
        connection = get_codec(self._check.codec).connection()
        try:
            connection.feed(Direction.CLIENT_TO_SERVER, sent)
            while True:
                more = await reader.read(65536)
                if not more:
                    raise EOFError
                for frame in connection.feed(Direction.SERVER_TO_CLIENT, more):
                    if frame.kind == Kind.ERROR:
                        return Outcome.WRONG
                    # Hosts may ask for signs of life themselves, with ids of their own.
                    if frame.kind in _GOOD and frame.request_id in (None, self._number):
                        return Outcome.GOOD
        except DecodeError:
            return Outcome.WRONG

    def close(self) -> None:
        """Keep no connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def interval(
    check: HealthCheck, good: bool, changing: bool, traffic: bool, draw: Callable[[], float] = random.random
) -> float:
    """How long after a check the next one is, in seconds.

    Args:
        check: How it is checked.
        good: Whether the last one was good.
        changing: Whether the host would be used again, or no more, after some more of the same.
        traffic: Whether its cluster ever had a connection.
        draw: Gives a number from 0 to 1.
    """
    if not traffic:
        base = check.no_traffic_healthy_interval if good else check.no_traffic_interval
    elif good:
        base = check.healthy_edge_interval if changing else check.interval
    else:
        base = check.unhealthy_edge_interval if changing else check.unhealthy_interval
    jitter = check.interval_jitter * draw() + base * check.interval_jitter_percent / 100 * draw()
    return (base + jitter) / 1000


class _Host:
    """One host under one check."""

    def __init__(self, checks: Checks, check: HealthCheck, address: str) -> None:
        self.good: bool | None = None
        self._checks = checks
        self._check = check
        self._probe = _Probe(check, address)
        self._address = address
        self._run_of = 0
        self.task = asyncio.create_task(self._run(), name=f"metaprotocol check {address}")

    async def _run(self) -> None:
        stats = self._checks.stats
        try:
            await asyncio.sleep(self._check.initial_jitter / 1000 * random.random())  # noqa: S311 -- no secret
            while True:
                stats.attempt += 1
                outcome = await self._probe.ask()
                if outcome is Outcome.GOOD:
                    stats.success += 1
                else:
                    stats.failure += 1
                    stats.network_failure += outcome is Outcome.FAILED
                good = outcome is Outcome.GOOD
                changing = self._heed(outcome)
                await asyncio.sleep(interval(self._check, good, changing, self._checks.traffic()))
        finally:
            self._probe.close()

    def _heed(self, outcome: Outcome) -> bool:
        """Count it; whether more of the same would change something."""
        good = outcome is Outcome.GOOD
        if good is self.good:
            self._run_of = 0
            return False
        self._run_of += 1
        threshold = self._check.healthy_threshold if good else self._check.unhealthy_threshold
        # The first check decides: a new host is neither made to wait nor trusted.
        if self.good is not None and outcome is not Outcome.WRONG and self._run_of < threshold:
            return True
        self.good, self._run_of = good, 0
        self._checks.decided(self._address)
        return False


class Checks:
    """The active checks of one cluster.

    Args:
        checks: Each way hosts are asked; one is well if all say so.
        changed: Called with an address and whether that host is well, whenever that changes.
        traffic: Whether the cluster ever had a connection.
        first: Called once, when each host was checked that there was at first.
    """

    def __init__(
        self,
        checks: Iterable[HealthCheck],
        changed: Callable[[str, bool], None],
        traffic: Callable[[], bool],
        first: Callable[[], None],
    ) -> None:
        self.stats = Checked()
        self.traffic = traffic
        self._checks = tuple(checks)
        self._changed = changed
        self._first: Callable[[], None] | None = first
        self._hosts: dict[str, list[_Host]] = {}
        self._good: dict[str, bool] = {}
        self._closing: set[asyncio.Task[None]] = set()
        for check in self._checks:
            if check.codec and ping(check.codec, 0) is None:
                _logs.tell(_log, logging.WARNING, "checked by a connection: the codec has no ping", codec=check.codec)

    @property
    def healthy(self) -> int:
        """How many hosts are well."""
        return sum(self._good.values())

    def good(self, address: str) -> bool | None:
        """Whether a host is well; nothing if it was not checked yet."""
        return self._good.get(address)

    def check(self, addresses: Iterable[str]) -> None:
        """Check these hosts from now on, and no others."""
        wanted = dict.fromkeys(addresses)
        for address in self._hosts.keys() - wanted.keys():
            self._good.pop(address, None)
            for host in self._hosts.pop(address):
                host.task.cancel()
                self._closing.add(host.task)
                host.task.add_done_callback(self._closing.discard)
        for address in wanted:
            if address not in self._hosts:
                self._hosts[address] = [_Host(self, check, address) for check in self._checks]
        self._settle()

    def _settle(self) -> None:
        if self._first is not None and self._good.keys() == self._hosts.keys():
            first, self._first = self._first, None
            first()

    def decided(self, address: str) -> None:
        """One check of a host has changed its mind."""
        verdicts = [host.good for host in self._hosts.get(address, ())]
        if None in verdicts and False not in verdicts:
            return
        good = all(verdicts)
        if self._good.get(address) is not good:
            self._good[address] = good
            self._changed(address, good)
        self._settle()

    async def close(self) -> None:
        """Check no more."""
        tasks = [host.task for hosts in self._hosts.values() for host in hosts]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, *self._closing, return_exceptions=True)
        self._hosts.clear()
