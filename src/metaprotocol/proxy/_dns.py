"""Names of hosts, resolved again and again."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING, NamedTuple, Protocol

from metaprotocol.proxy import _logs
from metaprotocol.proxy._backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from metaprotocol.xds import Dns

__all__ = ["Answer", "AresResolver", "NotResolved", "Resolver", "Resolving"]

_log = _logs.logger("names")
_AI_NOSORT = 1 << 7
"""ARES_AI_NOSORT: addresses as the server gave them."""


class NotResolved(Exception):
    """A name could not be resolved: nobody answered, or with a failure."""


class Answer(NamedTuple):
    """The addresses of a name.

    Attributes:
        v4: Its addresses of IPv4.
        v6: Its addresses of IPv6.
        ttl: How long the answer is good for, in seconds; 0 where that is not known.
    """

    v4: tuple[str, ...]
    v6: tuple[str, ...]
    ttl: int

    def of(self, family: str) -> tuple[str, ...]:
        """Those that a cluster of this `dns_lookup_family` takes."""
        match family:
            case "v4":
                return self.v4
            case "v6":
                return self.v6
            case "v4_preferred":
                return self.v4 or self.v6
            case "all":
                return self.v6 + self.v4
            case _:
                return self.v6 or self.v4


class Resolver(Protocol):
    """Resolves names."""

    async def resolve(self, name: str, family: str) -> Answer:
        """The addresses of a name, of the families that are needed.

        Raises:
            NotResolved: If that failed. A name without addresses has an empty answer.
        """


class AresResolver:
    """The resolver of the system's configuration (`/etc/resolv.conf`, `/etc/hosts`), by c-ares, as in Envoy.

    Args:
        servers: Who is asked instead, as `ip:port`.
        timeout: How long one try waits for an answer, in seconds; there are three, each longer.
    """

    def __init__(self, servers: Sequence[str] | None = None, timeout: float = 2.0) -> None:
        self._servers = servers
        self._timeout = timeout

    async def resolve(self, name: str, family: str) -> Answer:
        """As `Resolver` has it."""
        # It takes long to load, and a proxy without names does without it.
        import aiodns
        from aiodns.error import ARES_ENODATA, ARES_ENOTFOUND, DNSError

        wanted = {"v4": socket.AF_INET, "v6": socket.AF_INET6}.get(family, socket.AF_UNSPEC)
        # A channel keeps answers as long as they live, whatever the cluster says, and the configuration it began with.
        channel = aiodns.DNSResolver(self._servers, timeout=self._timeout, tries=3)
        try:
            found = await channel.getaddrinfo(name, wanted, type=socket.SOCK_STREAM, flags=_AI_NOSORT)
        except DNSError as error:
            if error.args[0] in (ARES_ENODATA, ARES_ENOTFOUND):
                return Answer((), (), 0)
            raise NotResolved(error.args[1]) from None
        finally:
            await channel.close()
        by_family: dict[int, list[str]] = {socket.AF_INET: [], socket.AF_INET6: []}
        for node in found.nodes:
            address = node.addr[0]
            by_family[node.family].append(address.decode() if isinstance(address, bytes) else address)
        v4, v6 = (tuple(dict.fromkeys(by_family[each])) for each in (socket.AF_INET, socket.AF_INET6))
        return Answer(v4, v6, min((node.ttl for node in found.nodes), default=0))


class Resolving:
    """The addresses of one name, kept up to date.

    Args:
        name: The name.
        dns: How.
        resolver: Who resolves it.
        answered: Called with the addresses after each answer, and with nothing after each failure.
    """

    def __init__(
        self, name: str, dns: Dns, resolver: Resolver, answered: Callable[[tuple[str, ...] | None], None]
    ) -> None:
        self._name = name
        self._dns = dns
        self._resolver = resolver
        self._answered = answered
        self._task = asyncio.create_task(self._run(), name=f"metaprotocol names {name}")

    async def close(self) -> None:
        """Resolve it no more."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        least, most = (each / 1000 for each in self._dns.failure_refresh)
        # Without bounds of its own, a failure is tried again as an answer is.
        backoff = Backoff(least, most) if least < most else Backoff(least, most, lambda: 1.0)
        failing = False
        while True:
            try:
                answer = await self._resolver.resolve(self._name, self._dns.family)
            except NotResolved as error:
                level = logging.DEBUG if failing else logging.WARNING
                _logs.tell(_log, level, "name cannot be resolved", name=self._name, reason=str(error))
                failing = True
                self._answered(None)
                await asyncio.sleep(backoff.next())
                continue
            failing = False
            backoff.reset()
            self._answered(answer.of(self._dns.family))
            refresh = self._dns.refresh / 1000
            await asyncio.sleep(answer.ttl if self._dns.respect_ttl and answer.ttl else refresh)
