"""The admin port: what Envoy's has of what there is here, by the same paths and in the same shapes."""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import TYPE_CHECKING, TypeVar

from aiohttp import web
from envoy.admin.v3.listeners_pb2 import Listeners
from envoy.admin.v3.server_info_pb2 import ServerInfo

from metaprotocol import __version__
from metaprotocol.proxy import _logs
from metaprotocol.proxy._admin_clusters import clusters_json, clusters_text
from metaprotocol.proxy._admin_config import NotFound, config_dump
from metaprotocol.proxy._admin_help import COMMANDS, help_text, home_page
from metaprotocol.proxy._admin_stats import FORMATS, selected, stats_json, stats_prometheus, stats_text
from metaprotocol.proxy._dump import as_json
from metaprotocol.proxy._lifecycle import State
from metaprotocol.xds.values import join

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Iterable
    from concurrent.futures import Executor

    from metaprotocol.proxy._proxy import Proxy

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

__all__ = ["AdminServer"]

_T = TypeVar("_T")

_log = _logs.logger("admin")


class AdminServer:
    """What answers at the admin port of a proxy, while it starts, waits or drains too.

    Args:
        proxy: The proxy.
        threads: Where what takes time is done, so that the event loop does not wait for it.
    """

    def __init__(self, proxy: Proxy, threads: Executor) -> None:
        self._proxy = proxy
        self._threads = threads
        self._runner: web.AppRunner | None = None
        self._drains: set[asyncio.Task[None]] = set()

    async def start(self, listening: socket.socket) -> None:
        """Answer at a socket that listens."""
        application = web.Application(middlewares=[self._guard])
        for path, handler in self._handlers().items():
            application.router.add_route("*", path, handler)
        application.router.add_route("*", "/{rest:.*}", self._unknown)
        self._runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=1)
        await self._runner.setup()
        await web.SockSite(self._runner, listening).start()

    async def stop(self) -> None:
        """Close the socket, and connections."""
        for task in self._drains:
            task.cancel()
        if self._runner is not None:
            await self._runner.cleanup()

    def _handlers(self) -> dict[str, Handler]:
        found: dict[str, Handler] = {
            "/": self._home,
            "/clusters": self._clusters,
            "/config_dump": self._config_dump,
            "/drain_listeners": self._drain_listeners,
            "/healthcheck/fail": self._healthcheck_fail,
            "/healthcheck/ok": self._healthcheck_ok,
            "/help": self._help,
            "/listeners": self._listeners,
            "/logging": self._logging,
            "/quitquitquit": self._quit,
            "/ready": self._ready,
            "/server_info": self._server_info,
            "/stats": self._stats,
            "/stats/prometheus": self._stats,
        }
        if found.keys() != COMMANDS.keys():
            raise RuntimeError("the help is about other paths than there are")
        return found

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        command = COMMANDS.get(request.path)
        if command is not None:
            if command.post and request.method != "POST":
                return _text(f"Method {request.method} not allowed, POST required.", 405)
            if request.method not in ("GET", "HEAD", "POST"):
                return _text(f"Method {request.method} not allowed.", 405)
            # A page from elsewhere in a browser on this machine can send requests here, but not hide that it does.
            origin = request.headers.get("Origin")
            if origin is not None and origin.partition("://")[2] != request.host:
                return _text("requests of pages from elsewhere are refused", 403)
            if command.running and not self._proxy.is_running:
                return _text(f"{self._proxy.state.name}\n", 503)
        try:
            response = await handler(request)
        except RuntimeError:
            if self._proxy.is_running:
                raise
            # It has ended meanwhile.
            response = _text(f"{self._proxy.state.name}\n", 503)
        except _Refused as refused:
            response = _text(str(refused), 400)
        except re.error as error:
            response = _text(f"the regular expression is wrong: {error}", 400)
        response.headers["Cache-Control"] = "no-cache, max-age=0"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    async def _apart(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def _unknown(self, _request: web.Request) -> web.Response:
        return _text(f"invalid path. {help_text()}", 404)

    async def _home(self, _request: web.Request) -> web.Response:
        return web.Response(text=home_page(), content_type="text/html")

    async def _help(self, _request: web.Request) -> web.Response:
        return _text(help_text())

    async def _ready(self, _request: web.Request) -> web.Response:
        state = self._proxy.state
        return _text(f"{state.name}\n", 200 if state is State.LIVE else 503)

    async def _stats(self, request: web.Request) -> web.Response:
        formats = ("prometheus",) if request.path == "/stats/prometheus" else FORMATS
        wanted = request.query.get("format", formats[0])
        if wanted not in formats:
            raise _Refused(f"usage: {request.path}?format=({'|'.join(formats)})\n")
        names, used = _pattern(request, "filter"), "usedonly" in request.query

        def read() -> str:
            numbers, times = selected(self._proxy.stats(), self._proxy.histograms(), names, used=used)
            match wanted:
                case "json":
                    return stats_json(numbers, times)
                case "prometheus":
                    return _lines(stats_prometheus(numbers, times))
                case _:
                    return _lines(stats_text(numbers, times))

        text = await self._apart(read)
        if wanted == "prometheus":
            return web.Response(
                body=text.encode(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
            )
        return _json(text) if wanted == "json" else _text(text)

    async def _clusters(self, request: web.Request) -> web.Response:
        as_json, names = _format(request), _pattern(request, "filter")
        proxy = self._proxy

        def read() -> str:
            hosts = proxy.native.hosts()
            if as_json:
                return clusters_json(hosts, proxy.store, names)
            return _lines(clusters_text(hosts, proxy.store, names))

        text = await self._apart(read)
        return _json(text) if as_json else _text(text)

    async def _config_dump(self, request: web.Request) -> web.Response:
        if "mask" in request.query:
            raise _Refused("mask is not supported; use resource and name_regex\n")
        names, resource = _pattern(request, "name_regex"), request.query.get("resource", "")
        eds = "include_eds" in request.query
        proxy = self._proxy
        began = time.time() - (time.monotonic() - proxy.lifecycle.began)

        def read() -> str:
            return config_dump(proxy.loaded, began, proxy.store, resource=resource, names=names, eds=eds)

        try:
            text = await self._apart(read)
        except NotFound as error:
            return _text(str(error), 404)
        return _json(text)

    async def _listeners(self, request: web.Request) -> web.Response:
        addresses = sorted((await self._apart(self._proxy.addresses)).items())
        if not _format(request):
            return _text(_lines(f"{name}::{join(host, port)}" for name, (host, port) in addresses))
        found = Listeners()
        for name, (host, port) in addresses:
            place = found.listener_statuses.add(name=name).local_address.socket_address
            place.address, place.port_value = host, port
        return _json(as_json(found))

    async def _server_info(self, _request: web.Request) -> web.Response:
        proxy = self._proxy
        info = ServerInfo(version=f"metaprotocol/{__version__}", state=proxy.state.value, node=proxy.loaded.node)
        for uptime in (info.uptime_current_epoch, info.uptime_all_epochs):
            uptime.FromSeconds(int(time.monotonic() - proxy.lifecycle.began))
        options = info.command_line_options
        options.concurrency = proxy.workers
        for name, value in proxy.options.items():
            if name == "drain_time":
                options.drain_time.FromMilliseconds(int(float(value) * 1000))
            else:
                setattr(options, name, value)
        # So that whoever waits for LIVE also finds it written.
        found = json.loads(as_json(info)) | {"state": proxy.state.name}
        return _json(json.dumps(found, indent=1) + "\n")

    async def _drain_listeners(self, request: web.Request) -> web.Response:
        if "inboundonly" in request.query:
            raise _Refused("inboundonly is not supported: all listeners drain together\n")
        if "skip_exit" in request.query:
            raise _Refused("skip_exit is not supported: connections drain when their listener has closed\n")
        if "graceful" in request.query:
            task = asyncio.create_task(self._proxy.drain_gracefully())
            self._drains.add(task)
            task.add_done_callback(self._drains.discard)
        else:
            await self._apart(self._proxy.drain)
        return _text("OK\n")

    async def _healthcheck_fail(self, _request: web.Request) -> web.Response:
        self._proxy.lifecycle.failing = True
        return _text("OK\n")

    async def _healthcheck_ok(self, _request: web.Request) -> web.Response:
        self._proxy.lifecycle.failing = False
        return _text("OK\n")

    async def _logging(self, request: web.Request) -> web.Response:
        wanted = dict(request.query)
        every, paths = wanted.pop("level", None), wanted.pop("paths", "")
        for part in filter(None, paths.split(",")):
            name, _, level = part.partition(":")
            wanted[name] = level
        try:
            _logs.set_levels(wanted, every=every)
        except ValueError as error:
            raise _Refused(f"error: {error}\n\n{_LOGGING_USAGE}{_levels()}") from None
        return _text(_levels())

    async def _quit(self, _request: web.Request) -> web.Response:
        _logs.tell(_log, _logs.LEVELS["info"], "asked to quit")
        self._proxy.lifecycle.quit.set()
        return _text("OK\n")


_LOGGING_USAGE = f"""\
usage: /logging?<name>=<level> (change single level)
usage: /logging?paths=name1:level1,name2:level2,... (change multiple levels)
usage: /logging?level=<level> (change all levels)
levels: {" ".join(_logs.LEVELS)}
"""


class _Refused(Exception):
    """A request that makes no sense."""


def _levels() -> str:
    return "active loggers:\n" + _lines(f"  {name}: {level}" for name, level in _logs.levels().items())


def _text(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, content_type="text/plain")


def _json(text: str) -> web.Response:
    return web.Response(body=text.encode(), content_type="application/json")


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _format(request: web.Request) -> bool:
    """Whether JSON is wanted."""
    wanted = request.query.get("format", "text")
    if wanted not in ("json", "text"):
        raise _Refused(f"usage: {request.path}?format=(text|json)\n")
    return wanted == "json"


def _pattern(request: web.Request, name: str) -> re.Pattern[str] | None:
    text = request.query.get(name)
    return None if text is None else re.compile(text)
