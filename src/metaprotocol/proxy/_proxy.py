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
from metaprotocol.proxy._admin import AdminServer
from metaprotocol.proxy._filters import FilterThreads
from metaprotocol.proxy._lifecycle import Lifecycle, State
from metaprotocol.proxy._store import Entry, Store
from metaprotocol.xds import Loaded, load, loads

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from metaprotocol.proxy._filters import Filter
    from metaprotocol.proxy._stats import Histogram
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
    ) -> None:
        self._filters = dict(filters or {})
        known = frozenset(self._filters)
        if isinstance(config, Loaded):
            self.loaded = config
        elif isinstance(config, (str, os.PathLike)):
            self.loaded = load(config, strict=strict, filters=known)
        else:
            self.loaded = loads(json.dumps(config), "configuration", strict=strict, filters=known)
        self.workers = workers or len(os.sched_getaffinity(0))
        self.options: dict[str, Any] = {}
        self.lifecycle = Lifecycle()
        self._drain_timeout = 0.0
        self._admin: AdminServer | None = None
        self._native: _native.Proxy | None = None
        self._store: Store | None = None
        self._threads: FilterThreads | None = None

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What of the configuration is not understood or not supported, and so has no effect."""
        return self.loaded.problems

    def start(self, *, inherited: dict[str, list[int]] | None = None) -> None:
        """Start serving, without the admin port. In a program with an event loop use `running`.

        Args:
            inherited: Listening sockets' descriptors that another process handed over, by listener. They are taken out.

        Raises:
            Refused: If the data path cannot use the configuration, or cannot listen where it is to.
            RuntimeError: If it is running already.
        """
        if self._native is not None:
            raise RuntimeError("the proxy is running already")
        native = _native.Proxy(self.workers, {name: each.sees_responses() for name, each in self._filters.items()})
        store = Store(native)
        try:
            for name in list(inherited or ()):
                native.inherit(name, (inherited or {}).pop(name))
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
        self._threads = FilterThreads(native, self._filters)
        self.lifecycle.state = State.LIVE

    def _ready(self) -> list[tuple[str, Any]]:
        return list(self.loaded.listeners.items())

    def stop(self, *, drain_timeout: float = 0) -> bool:
        """Stop serving.

        Args:
            drain_timeout: How many seconds clients have. Nothing is accepted, and a connection is closed when nothing
                came or went on it for a second; in the last half of the time (of five seconds at most) as soon as
                nothing is under way on it. 0 closes all at once.

        Returns:
            Whether no connection had to be cut before it was done.
        """
        native, self._native = self._native, None
        if native is None:
            return True
        clean = native.stop(drain_timeout)
        if self._threads is not None:
            self._threads.join(_JOIN)
        return clean

    @asynccontextmanager
    async def running(
        self, *, drain_timeout: float = 0, hot_restart_path: str | os.PathLike[str] | None = None
    ) -> AsyncIterator[Proxy]:
        """Serve while the body of `async with` runs, with the admin port if the bootstrap has one.

        Args:
            drain_timeout: As in `stop`.
            hot_restart_path: A Unix socket by which a process that comes in place of this one gets its listening
                sockets. If a process is there already, this one comes in its place, and that one drains.

        Raises:
            Refused: As in `start`.
            OSError: If a port or path cannot be used.
            RestartFailed: If the process at the path does not hand over its sockets.
        """
        self.lifecycle, self._drain_timeout = Lifecycle(), drain_timeout
        path = None if hot_restart_path is None else os.fspath(hot_restart_path)
        async with AsyncExitStack() as stack:
            threads = stack.enter_context(ThreadPoolExecutor(1, "proxy"))
            loop = asyncio.get_running_loop()
            heir = None if path is None else await loop.run_in_executor(threads, _restart.take_over, path)
            if heir is not None:
                stack.callback(heir.close)
            await self._open_admin(heir, stack)
            await loop.run_in_executor(threads, lambda: self.start(inherited=None if heir is None else heir.sockets))
            stack.push_async_callback(lambda: loop.run_in_executor(threads, self.stop))
            stack.push_async_callback(self._wait_for_clients, drain_timeout, threads)
            if path is not None:
                testator = _restart.Testator(path, self._sockets, self.lifecycle.quit.set)
                await testator.start()
                stack.push_async_callback(testator.stop)
            if heir is not None:
                other = await loop.run_in_executor(threads, heir.serving)
                self.native.disinherit()
                _logs.tell(_log, logging.INFO, "took over", pid=other)
            watch = asyncio.create_task(_causes.watch(self.stats, threads))
            stack.push_async_callback(_cancelled, watch)
            yield self

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
        self._admin = AdminServer(self)
        stack.push_async_callback(self._close_admin)
        await self._admin.start(admin.host, admin.port, fitting)

    async def _close_admin(self) -> None:
        admin, self._admin = self._admin, None
        if admin is not None:
            await admin.stop()

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
        return _stats.counters(self.native, self.store)

    def histograms(self) -> dict[str, Histogram]:
        """Every histogram, by its full name."""
        return _stats.histograms(self.native, self.store)


def _patience(timeout: float) -> float:
    """How long clients may go on without a pause, of the time that there is to drain."""
    return max(timeout - min(_LAST, timeout / 2), 0)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
