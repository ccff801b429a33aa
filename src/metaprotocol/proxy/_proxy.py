"""A proxy within a program."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from metaprotocol import _native
from metaprotocol.proxy import _causes, _logs, _restart, _stats
from metaprotocol.proxy._admin_port import AdminPort
from metaprotocol.proxy._backoff import Backoff
from metaprotocol.proxy._filters import FilterThreads
from metaprotocol.proxy._lifecycle import Lifecycle, State
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

_log = _logs.logger("main")
_LAST = 5.0  # of the time to drain, as the data path has it
_JOIN = 0.1
"""How many seconds a filter has to end when the proxy stops."""


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

    Attributes:
        loaded: The bootstrap.
        workers: How many threads serve.
        options: What `/server_info` says of the command line: fields of `envoy.admin.v3.CommandLineOptions`.
        lifecycle: How far it has come.

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
        self.workers = workers or len(os.sched_getaffinity(0))
        self.options: dict[str, Any] = {}
        self.lifecycle = Lifecycle()
        self._drain_timeout = 0.0
        self._admin: AdminPort | None = None
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
        """Start serving, without the admin port, and with discovery in a thread of its own.

        Listeners are open that need no more than what stands in the file; `wait_ready` waits for the others. In a
        program with an event loop use `running`.

        Raises:
            Refused: If the data path cannot use the configuration, or cannot listen where it is to.
            RuntimeError: If it is running already.
        """
        if self._native is not None:
            raise RuntimeError("the proxy is running already")
        native, home = self._data_path({}), LoopThread()
        try:
            home.call(lambda: self._begin(native, home))
        except BaseException:
            self._end(native, home)
            raise

    def _data_path(self, inherited: dict[str, list[int]]) -> _native.Proxy:
        """The data path, with listening sockets' descriptors that another process handed over. They are taken out."""
        native = _native.Proxy(self.workers, {name: each.sees_responses() for name, each in self._filters.items()})
        try:
            for name in list(inherited):
                native.inherit(name, inherited.pop(name))
        except BaseException:
            native.stop(0)
            raise
        return native

    def _begin(self, native: _native.Proxy, home: Home) -> None:
        """Put the configuration into effect, in the event loop that is running."""
        self.lifecycle.state = State.INITIALIZING
        self._manager = Manager(
            native,
            self.loaded,
            live=self._became_live,
            strict=self._strict,
            resolver=self._resolver,
            backoff=self._backoff,
        )
        self._manager.start()
        self._native, self._store, self._home = native, self._manager.store, home
        self._threads = FilterThreads(native, self._filters)

    def _became_live(self) -> None:
        if self.lifecycle.state is State.INITIALIZING:
            self.lifecycle.state = State.LIVE

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
            drain_timeout: How many seconds clients have. Nothing is accepted, and a connection is closed when nothing
                came or went on it for a second; in the last half of the time (of five seconds at most) as soon as
                nothing is under way on it. 0 closes all at once.

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

    async def _halt(self, native: _native.Proxy, threads: ThreadPoolExecutor) -> None:
        """Stop serving, within `running`."""
        manager, self._manager = self._manager, None
        if manager is not None:
            await manager.close()
        self._native = self._home = None
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(threads, native.stop, 0)
        if self._threads is not None:
            await loop.run_in_executor(threads, self._threads.join, _JOIN)

    @asynccontextmanager
    async def running(
        self, *, drain_timeout: float = 0, hot_restart_path: str | os.PathLike[str] | None = None
    ) -> AsyncIterator[Proxy]:
        """Serve while the body of `async with` runs, with the admin port if the bootstrap has one.

        Listeners are open that need no more than what stands in the file; `ready` waits for the others. Discovery goes
        on in the event loop of the caller.

        Args:
            drain_timeout: As in `stop`.
            hot_restart_path: A Unix socket by which a process that comes in place of this one gets its listening
                sockets. If a process is there already, this one comes in its place, and that one drains.

        Raises:
            Refused, RuntimeError: As in `start`.
            OSError: If a port or path cannot be used.
            RestartFailed: If the process at the path does not hand over its sockets.
        """
        if self._native is not None:
            raise RuntimeError("the proxy is running already")
        self.lifecycle, self._drain_timeout = Lifecycle(), drain_timeout
        path = None if hot_restart_path is None else os.fspath(hot_restart_path)
        async with AsyncExitStack() as stack:
            threads = stack.enter_context(ThreadPoolExecutor(1, "proxy"))
            loop = asyncio.get_running_loop()
            heir = None if path is None else await loop.run_in_executor(threads, _restart.take_over, path)
            if heir is not None:
                stack.callback(heir.close)
            await self._open_admin(heir, stack)
            native = await loop.run_in_executor(threads, self._data_path, {} if heir is None else heir.sockets)
            stack.push_async_callback(self._halt, native, threads)
            self._begin(native, Home(loop))
            if self._admin is not None:
                self._admin.begun()
            stack.push_async_callback(self._wait_for_clients, drain_timeout, threads)
            if path is not None:
                testator = _restart.Testator(path, self._sockets, self.lifecycle.quit.set)
                await testator.start()
                stack.push_async_callback(testator.stop)
            if heir is not None:
                await self.ready()  # until then the other one serves
                other = await loop.run_in_executor(threads, heir.serving)
                self.native.disinherit()
                _logs.tell(_log, logging.INFO, "took over", pid=other)
            watch = asyncio.create_task(_causes.watch(self.stats, threads))
            stack.push_async_callback(_cancelled, watch)
            yield self

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

    async def _open_admin(self, heir: _restart.Heir | None, stack: AsyncExitStack) -> None:
        admin = self.loaded.admin
        inherited = [] if heir is None else heir.sockets.pop(_restart.ADMIN, [])
        known = [socket.socket(fileno=descriptor) for descriptor in inherited]
        if admin is None:
            for each in known:
                each.close()
            return
        fitting = None
        for each in known:
            if fitting is None and admin.port in (0, each.getsockname()[1]):
                fitting = each
            else:
                each.close()
        self._admin = AdminPort(self)
        stack.push_async_callback(self._close_admin)
        await self._admin.open(admin.host, admin.port, fitting)

    async def _close_admin(self) -> None:
        admin, self._admin = self._admin, None
        if admin is not None:
            await admin.close()

    def _sockets(self) -> dict[str, list[int]]:
        """Descriptors of all listening sockets, for whoever takes over."""
        sockets = self.native.sockets()
        if self._admin is not None and self._admin.socket is not None:
            sockets[_restart.ADMIN] = [os.dup(self._admin.socket.fileno())]
        return sockets

    def drain(self, patience: float = 0) -> None:
        """Accept no more, and close each connection when nothing came or went on it for a second.

        Args:
            patience: After so many seconds connections that never pause are closed as soon as nothing is under way.
        """
        self.lifecycle.state = State.DRAINING
        self.native.drain(patience)

    async def drain_gracefully(self) -> None:
        """Say that it drains, for the time that `running` was given; then `drain`."""
        self.lifecycle.state = State.DRAINING
        await asyncio.sleep(self._drain_timeout)
        await asyncio.to_thread(self.drain, _patience(self._drain_timeout))

    async def _wait_for_clients(self, timeout: float, threads: ThreadPoolExecutor) -> None:
        if timeout <= 0:
            return
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(threads, self.drain, _patience(timeout))
        end = loop.time() + timeout
        while (left := await loop.run_in_executor(threads, self._open)) and loop.time() < end:
            if self.lifecycle.cut.is_set():
                break
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.lifecycle.cut.wait(), 0.01)
        if left:
            _logs.tell(_log, logging.WARNING, "connections cut", count=left)

    def _open(self) -> int:
        """How many connections of clients there are."""
        return sum(int(counts["downstream_cx_active"]) for counts in self.native.listener_stats().values())

    async def asked_to_quit(self) -> None:
        """Wait until the program is to end: `/quitquitquit`, or a process that has taken over."""
        await self.lifecycle.quit.wait()

    @property
    def is_running(self) -> bool:
        """Whether the data path runs."""
        return self._native is not None

    @property
    def state(self) -> State:
        """How far it has come."""
        return self.lifecycle.state

    @property
    def admin_address(self) -> tuple[str, int] | None:
        """Where the admin port is: host and port, if there is one."""
        return None if self._admin is None else self._admin.address

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


async def _ready(manager: Manager) -> None:
    await manager.ready.wait()


def _patience(timeout: float) -> float:
    """How long clients may go on without a pause, of the time that there is to drain."""
    return max(timeout - min(_LAST, timeout / 2), 0)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
