"""A proxy within a program."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from metaprotocol import _native
from metaprotocol.proxy import _stats
from metaprotocol.proxy._store import Entry, Store
from metaprotocol.xds import Loaded, load, loads

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from metaprotocol.proxy._stats import Histogram
    from metaprotocol.xds import Problem

__all__ = ["Proxy"]


class Proxy:
    """A proxy: listeners, routes and clusters as a bootstrap says, and the data path that serves them.

    Args:
        config: A bootstrap (`envoy.config.bootstrap.v3.Bootstrap`): a file of YAML or JSON, a mapping of the same
            shape, or one that `metaprotocol.xds.load` has read.
        workers: How many threads serve. None: as many as there are processors for this process.
        strict: Whether a field that is not understood or not supported is a reason to refuse the configuration. If
            not, it is among the `problems`.

    Raises:
        ConfigError: If the bootstrap cannot be used; it says what is wrong and where.
        OSError: If the file cannot be read.
    """

    def __init__(
        self,
        config: str | os.PathLike[str] | Mapping[str, Any] | Loaded,
        *,
        workers: int | None = None,
        strict: bool = False,
    ) -> None:
        if isinstance(config, Loaded):
            self.loaded = config
        elif isinstance(config, (str, os.PathLike)):
            self.loaded = load(config, strict=strict)
        else:
            self.loaded = loads(json.dumps(config), "configuration", strict=strict)
        self._workers = workers or len(os.sched_getaffinity(0))
        self._native: _native.Proxy | None = None
        self._store: Store | None = None

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What of the configuration is not understood or not supported, and so has no effect."""
        return self.loaded.problems

    def start(self) -> None:
        """Start serving. In a program with an event loop use `running`.

        Raises:
            Refused: If the data path cannot use the configuration, or cannot listen where it is to.
            RuntimeError: If it is running already.
        """
        if self._native is not None:
            raise RuntimeError("the proxy is running already")
        native = _native.Proxy(self._workers)
        store = Store(native)
        try:
            store.change(
                listeners={name: Entry(each, message=each.message, static=True) for name, each in self._ready()},
                clusters={
                    name: Entry(each, message=each.message, static=True) for name, each in self.loaded.clusters.items()
                },
            )
        except BaseException:
            native.stop(0)
            raise
        self._native, self._store = native, store

    def _ready(self) -> list[tuple[str, Any]]:
        return list(self.loaded.listeners.items())

    def stop(self, *, drain_timeout: float = 0) -> bool:
        """Stop serving.

        Args:
            drain_timeout: How many seconds connections have to finish what is under way. They accept nothing new, and
                are closed as soon as they have nothing to do. 0 closes them at once.

        Returns:
            Whether no connection had to be cut before it was done.
        """
        native, self._native = self._native, None
        return True if native is None else native.stop(drain_timeout)

    @asynccontextmanager
    async def running(self, *, drain_timeout: float = 0) -> AsyncIterator[Proxy]:
        """Serve while the body of `async with` runs.

        Args:
            drain_timeout: As in `stop`.
        """
        await asyncio.to_thread(self.start)
        try:
            yield self
        finally:
            await asyncio.to_thread(self.stop, drain_timeout=drain_timeout)

    @property
    def native(self) -> _native.Proxy:
        """The data path.

        Raises:
            RuntimeError: If the proxy is not running.
        """
        if self._native is None:
            raise RuntimeError("the proxy is not running")
        return self._native

    @property
    def store(self) -> Store:
        """The configuration in effect.

        Raises:
            RuntimeError: If the proxy was never started.
        """
        if self._store is None:
            raise RuntimeError("the proxy was never started")
        return self._store

    def addresses(self) -> dict[str, tuple[str, int]]:
        """Where each listener listens: host and port, also where the port was left to the system."""
        found = {}
        for name, address in self.native.addresses().items():
            host, _, port = address.rpartition(":")
            found[name] = (host.strip("[]"), int(port))
        return found

    def stats(self) -> dict[str, int]:
        """Every counter and gauge, by its full name (`meta_protocol.<protocol>.<stat_prefix>.request`)."""
        return _stats.counters(self.native, self.store)

    def histograms(self) -> dict[str, Histogram]:
        """Every histogram, by its full name."""
        return _stats.histograms(self.native, self.store)
