"""A server of DNS for tests: it answers A and AAAA from a table, over UDP."""

from __future__ import annotations

import asyncio
import ipaddress
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_TYPES = {1: 4, 28: 6}
_FORMERR, _SERVFAIL, _NXDOMAIN = 1, 2, 3


class Names(asyncio.DatagramProtocol):
    """Attributes:
    addresses: By name; a name without any is there, one that is missing is not.
    ttl: What answers say of their life, in seconds.
    failing: Whether every question is answered with a failure.
    silent: Whether none is answered.
    asked: How many questions there were, by name.
    """

    def __init__(self, **addresses: list[str]) -> None:
        self.addresses: dict[str, list[str]] = dict(addresses)
        self.ttl = 60
        self.failing = self.silent = False
        self.asked: dict[str, int] = {}
        self.server = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        at, labels = 12, []
        while length := data[at]:
            labels.append(data[at + 1 : at + 1 + length].decode())
            at += 1 + length
        at += 1
        name = ".".join(labels).lower()
        (kind,) = struct.unpack_from(">H", data, at)
        question = data[12 : at + 4]
        self.asked[name] = self.asked.get(name, 0) + 1
        if self.silent:
            return
        code, records = 0, []
        if self.failing:
            code = _SERVFAIL
        elif name not in self.addresses:
            code = _NXDOMAIN
        else:
            for each in self.addresses[name]:
                packed = ipaddress.ip_address(each)
                if packed.version == _TYPES.get(kind):
                    value = packed.packed
                    records.append(struct.pack(">HHHIH", 0xC00C, kind, 1, self.ttl, len(value)) + value)
        header = data[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(records), 0, 0)
        self._transport.sendto(header + question + b"".join(records), addr)  # type: ignore[attr-defined]

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Names]:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, ("127.0.0.1", 0))
        self.server = f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"
        try:
            yield self
        finally:
            transport.close()
