"""The admin port's socket. It listens at once; what answers there is loaded while the proxy already serves.

Loading it takes longer than all else that a start takes, so listeners go first, if they are not long about it. Who asks
meanwhile is answered when it is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import import_module
from typing import TYPE_CHECKING

from metaprotocol.proxy import _logs
from metaprotocol.xds.values import join

if TYPE_CHECKING:
    from types import ModuleType

    from metaprotocol.proxy._admin import AdminServer
    from metaprotocol.proxy._proxy import Proxy

__all__ = ["AdminPort"]

_log = _logs.logger("admin")
_PATIENCE = 0.2
"""How long listeners may go first, in seconds."""


class AdminPort:
    """The admin port of a proxy.

    What takes time is done in threads of its own, so that neither the event loop nor whoever else needs threads (name
    resolution, say) waits for it, or it for them.

    Args:
        proxy: The proxy.
    """

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._threads = ThreadPoolExecutor(2, "admin")
        self._socket: socket.socket | None = None
        self._server: AdminServer | None = None
        self._begun = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None

    async def open(self, host: str, port: int, inherited: socket.socket | None = None) -> None:
        """Listen, and answer soon.

        Args:
            host: An address or a name.
            port: 0 for a free one.
            inherited: A socket that another process handed over, to be used instead.

        Raises:
            OSError: If that is not possible.
        """
        listening = inherited
        if listening is None:
            loop = asyncio.get_running_loop()
            listening = await loop.run_in_executor(self._threads, _listening, host, port)
        self._socket = listening
        _logs.tell(_log, logging.INFO, "admin port opened", address="{}:{}".format(*self.address))
        self._serving = asyncio.create_task(self._serve(), name="metaprotocol admin")

    def begun(self) -> None:
        """The proxy has begun: nothing goes first any more."""
        self._begun.set()

    async def _serve(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._begun.wait(), _PATIENCE)
        try:
            module = await _loaded("metaprotocol.proxy._admin")
            if self._socket is not None:
                self._server = module.AdminServer(self._proxy, self._threads)
                await self._server.start(self._socket)
        except Exception:  # noqa: BLE001 -- the proxy serves without it
            _log.exception("the admin port cannot answer")

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens: host and port.

        Raises:
            RuntimeError: If it does not.
        """
        if self._socket is None:
            raise RuntimeError("the admin port is not open")
        host, port = self._socket.getsockname()[:2]
        return host, port

    @property
    def socket(self) -> socket.socket | None:
        """What it listens by."""
        return self._socket

    async def close(self) -> None:
        """Listen no more, and close connections."""
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.gather(self._serving, return_exceptions=True)
        if self._server is not None:
            await self._server.stop()
        listening, self._socket = self._socket, None
        if listening is not None:
            listening.close()
        self._threads.shutdown(wait=False, cancel_futures=True)


async def _loaded(name: str) -> ModuleType:
    """A module, imported in a thread that nobody waits for at the end of the process."""
    found: Future[ModuleType] = Future()
    found.set_running_or_notify_cancel()

    def load() -> None:
        try:
            found.set_result(import_module(name))
        except Exception as error:  # noqa: BLE001 -- raised by whoever waits
            found.set_exception(error)

    threading.Thread(target=load, name="admin loads", daemon=True).start()
    return await asyncio.wrap_future(found)


def _listening(host: str, port: int) -> socket.socket:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, address = found[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
        listening.setblocking(False)
    except OSError as error:
        listening.close()
        raise OSError(error.errno, f"the admin port cannot listen on {join(host, port)}: {error.strerror}") from None
    return listening
