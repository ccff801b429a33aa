"""A proxy within a program."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from metaprotocol import _native
from metaprotocol.proxy import _stats
from metaprotocol.proxy._backoff import Backoff
from metaprotocol.proxy._filters import FilterThreads
from metaprotocol.proxy._manager import Manager
from metaprotocol.proxy._running import Home, LoopThread
from metaprotocol.xds import Loaded, load, loads

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from metaprotocol.proxy._dns import Resolver
    from metaprotocol.proxy._filters import Filter
    from metaprotocol.proxy._stats import Histogram
    from metaprotocol.proxy._store import Store
    from metaprotocol.xds import Problem

__all__ = ["Proxy"]

_JOIN = 0.1
"""How many seconds a filter has to end when the proxy stops."""


async def _ready(manager: Manager) -> None:
    await manager.ready.wait()


class Proxy:
    """A proxy: listeners, routes and clusters as a bootstrap says, and the data path that serves them.

    Args:
        config: A bootstrap (`envoy.config.bootstrap.v3.Bootstrap`): a file of YAML or JSON, a mapping of the same
            shape, or one that `metaprotocol.xds.load` has read.
        workers: How many threads serve. None: as many as there are processors for this process.
        strict: Whether a field that is not understood or not supported is a reason to refuse the configuration. If
            not, it is among the `problems`.
        filters: Filters written in Python, by the names that listeners give them in `meta_protocol_filters`.

        resolver: Resolves names of hosts. None: as the system is configured.
        backoff: Makes the waits before a control plane is asked again. None: from 0.5 s on, up to 30 s.

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
        filters: Mapping[str, Filter] | None = None,
        resolver: Resolver | None = None,
        backoff: Callable[[], Backoff] | None = None,
    ) -> None:
        self._resolver = resolver
        self._backoff = backoff or Backoff
        self._filters = dict(filters or {})
        self._strict = strict
        self.loaded = self._load(config)
        self._workers = workers or len(os.sched_getaffinity(0))
        self._native: _native.Proxy | None = None
        self._store: Store | None = None
        self._manager: Manager | None = None
        self._home: Home | None = None
        self._threads: FilterThreads | None = None

    def _load(self, config: str | os.PathLike[str] | Mapping[str, Any] | Loaded) -> Loaded:
        known = frozenset(self._filters)
        if isinstance(config, Loaded):
            return config
        if isinstance(config, (str, os.PathLike)):
            return load(config, strict=self._strict, filters=known)
        return loads(json.dumps(config), "configuration", strict=self._strict, filters=known)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What of the configuration is not understood or not supported, and so has no effect."""
        return self.loaded.problems

    def start(self) -> None:
        """Start serving, with discovery in a thread of its own. In a program with an event loop use `running`.

        Listeners are open that need no more than what stands in the file; `wait_ready` waits for the others.

        Raises:
            Refused: If the data path cannot use the configuration, or cannot listen where it is to.
            RuntimeError: If it is running already.
        """
        if self._native is not None:
            raise RuntimeError("the proxy is running already")
        native, home = self._data_path(), LoopThread()
        try:
            home.call(lambda: self._begin(native))
        except BaseException:
            self._end(native, home)
            raise
        self._home = home

    def _data_path(self) -> _native.Proxy:
        return _native.Proxy(self._workers, {name: each.sees_responses() for name, each in self._filters.items()})

    def _begin(self, native: _native.Proxy) -> None:
        """Put the configuration into effect, in the event loop that is running."""
        self._manager = Manager(
            native, self.loaded, strict=self._strict, resolver=self._resolver, backoff=self._backoff
        )
        self._manager.start()
        self._native, self._store = native, self._manager.store
        self._threads = FilterThreads(native, self._filters)

    def _end(self, native: _native.Proxy, home: LoopThread, drain_timeout: float = 0) -> bool:
        manager, self._manager = self._manager, None
        try:
            if manager is not None:
                home.finish(manager.close())
        finally:
            home.close()
        return native.stop(drain_timeout)

    def stop(self, *, drain_timeout: float = 0) -> bool:
        """Stop serving, after `start`.

        Args:
            drain_timeout: How many seconds connections have to finish what is under way. They accept nothing new, and
                are closed as soon as they have nothing to do. 0 closes them at once.

        Returns:
            Whether no connection had to be cut before it was done.

        Raises:
            RuntimeError: If it serves within `running`, which stops it itself.
        """
        native, home = self._native, self._home
        if native is None:
            return True
        if not isinstance(home, LoopThread):
            raise RuntimeError("the proxy stops when the body of `async with` ends")
        self._native = self._home = None
        clean = self._end(native, home, drain_timeout)
        if self._threads is not None:
            self._threads.join(_JOIN)
        return clean

    @asynccontextmanager
    async def running(self, *, drain_timeout: float = 0) -> AsyncIterator[Proxy]:
        """Serve while the body of `async with` runs, with discovery in its event loop.

        Listeners are open that need no more than what stands in the file; `ready` waits for the others.

        Args:
            drain_timeout: As in `stop`.

        Raises:
            Refused, RuntimeError: As `start`.
        """
        if self._native is not None:
            raise RuntimeError("the proxy is running already")
        native = await asyncio.to_thread(self._data_path)
        try:
            self._home = Home(asyncio.get_running_loop())
            self._begin(native)
            yield self
        finally:
            manager, self._manager = self._manager, None
            if manager is not None:
                await manager.close()
            self._native = self._home = None
            await asyncio.to_thread(native.stop, drain_timeout)
            if self._threads is not None:
                await asyncio.to_thread(self._threads.join, _JOIN)

    @property
    def live(self) -> bool:
        """Whether all is there that is waited for at the beginning: hosts, listeners, and their routes."""
        return self._manager is not None and self._manager.ready.is_set()

    async def ready(self) -> None:
        """Wait until the proxy is live.

        Each thing is waited for no longer than its `initial_fetch_timeout`.

        Raises:
            RuntimeError: If the proxy is not running.
        """
        manager, home = self._running()
        await home.wait(_ready(manager))

    def wait_ready(self, timeout: float | None = None) -> None:
        """Wait until the proxy is live, after `start`.

        Args:
            timeout: How many seconds; none for as long as it takes.

        Raises:
            RuntimeError: If the proxy is not running, or runs in this thread's own event loop.
            TimeoutError: If it takes longer.
        """
        manager, home = self._running()
        if home.here():
            raise RuntimeError("in an event loop, `await proxy.ready()`")
        asyncio.run_coroutine_threadsafe(asyncio.wait_for(_ready(manager), timeout), home.loop).result()

    def update(
        self,
        config: str | os.PathLike[str] | Mapping[str, Any] | Loaded | None = None,
        *,
        clusters: Mapping[str, Any] | None = None,
        hosts: Mapping[str, Any] | None = None,
        listeners: Mapping[str, Any] | None = None,
        routes: Mapping[str, Any] | None = None,
    ) -> None:
        """Change the configuration of a running proxy, from any thread. No connection is closed for it.

        Either a whole bootstrap again, of which that takes effect that has changed:

            proxy.update("bootstrap.yaml")

        or single parts by their names, each a mapping in the shape of the message, or the message itself; what is
        `None` goes:

            proxy.update(routes={"orders": {"routes": [{"match": {}, "route": {"cluster": "orders-v2"}}]}})

        Args:
            config: A bootstrap, as the constructor takes it. Its node, its admin port and where it discovers what must
                be as they were.
            clusters: `envoy.config.cluster.v3.Cluster`.
            hosts: `envoy.config.endpoint.v3.ClusterLoadAssignment`, by the name of the cluster.
            listeners: `envoy.config.listener.v3.Listener`.
            routes: MetaProtocol's `RouteConfiguration`, or Envoy's (with `virtual_hosts`), by the name that it has in
                listeners (`route_config.name` or `rds.route_config_name`).

        Raises:
            ConfigError: If something is not understood. Nothing has changed then.
            Refused: If the data path cannot use something, such as an address that is taken. What comes before it is
                in effect: clusters, hosts, listeners, routes.
            OSError: If the file cannot be read.
            RuntimeError: If the proxy is not running.
        """
        manager, home = self._running()
        if config is not None:
            loaded = self._load(config)
            home.call(lambda: manager.replace(loaded))
            self.loaded = loaded
        home.call(lambda: manager.update(clusters or {}, hosts or {}, listeners or {}, routes or {}))

    def _running(self) -> tuple[Manager, Home]:
        if self._manager is None or self._home is None:
            raise RuntimeError("the proxy is not running")
        return self._manager, self._home

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
        found = _stats.counters(self.native, self.store)
        return dict(sorted((found | (self._manager.counters() if self._manager is not None else {})).items()))

    def histograms(self) -> dict[str, Histogram]:
        """Every histogram, by its full name."""
        return _stats.histograms(self.native, self.store)
