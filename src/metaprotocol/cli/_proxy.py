"""The command that runs the proxy."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from metaprotocol.cli._terminal import Failure, clean, errors, usage
from metaprotocol.errors import MetaProtocolError

if TYPE_CHECKING:
    from metaprotocol.proxy import Proxy
    from metaprotocol.xds import Loaded

__all__ = ["Request", "run"]

_LATER = ("aiodns", "aiohttp", "grpc")
"""Packages that are loaded when they are used: names, the admin port, a control plane."""


@dataclass(frozen=True)
class Request:
    """What the command line asks for.

    Attributes:
        config: The bootstrap file; empty if `overlay` is all.
        overlay: YAML that is merged over it.
        mode: `serve` or `validate`.
        strict: Whether what is not supported is refused.
        workers: How many threads serve.
        drain_timeout: How many seconds connections have at the end.
        log_level: One of Envoy's levels.
        admin_address_path: A file that is to say where the admin port is.
        hot_restart_path: The Unix socket by which processes take over from each other.
        service_node: The node's id, instead of the bootstrap's.
        service_cluster: The node's cluster, instead of the bootstrap's.
    """

    config: str = ""
    overlay: str = ""
    mode: str = "serve"
    strict: bool = False
    workers: int | None = None
    drain_timeout: float = 10
    log_level: str = "info"
    admin_address_path: Path | None = None
    hot_restart_path: Path | None = None
    service_node: str = ""
    service_cluster: str = ""


def run(request: Request) -> None:
    """Run the proxy until a signal ends it, or check its configuration."""
    if not request.config and not request.overlay:
        usage("give a bootstrap: --config-path FILE, --config-yaml TEXT, or both")
    try:
        for name in _LATER:
            if find_spec(name) is None:
                raise ModuleNotFoundError(name=name)
        from metaprotocol.cli._proxy_log import logging_to_stderr
        from metaprotocol.proxy import Proxy, _logs
        from metaprotocol.xds import ConfigError
    except ModuleNotFoundError as error:
        missing = f"the proxy needs the package {error.name}: pip install 'metaprotocol[proxy]'"
        raise Failure(missing) from None
    log = _logs.logger("main")
    with logging_to_stderr(request.log_level):
        try:
            loaded = _loaded(request)
            for problem in loaded.problems:
                _logs.tell(log, logging.WARNING, "not supported", problem=str(problem))
            if request.mode == "validate":
                _logs.tell(log, logging.INFO, "the configuration is good", file=request.config)
                return
            proxy = Proxy(loaded, workers=request.workers)
            proxy.options = {
                "config_path": request.config,
                "config_yaml": request.overlay,
                "log_level": request.log_level,
                "drain_time": request.drain_timeout,
                "admin_address_path": str(request.admin_address_path or ""),
                "service_node": request.service_node,
                "service_cluster": request.service_cluster,
            }
            asyncio.run(_serve(proxy, request))
            # It has ended in order: one more Ctrl-C while Python goes is no failure.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        except ConfigError as error:
            count = len(error.problems)
            told = f"the configuration cannot be used: {count} problem{'s' if count > 1 else ''}"
            raise Failure(told, details=tuple(map(str, error.problems))) from None
        except (MetaProtocolError, OSError) as error:
            raise Failure(str(error)) from None


def _loaded(request: Request) -> Loaded:
    from metaprotocol.xds import load

    # The data path has no filters but those that a program adds.
    loaded = load(request.config or None, strict=request.strict, overlay=request.overlay, filters=frozenset())
    for name, value in (("id", request.service_node), ("cluster", request.service_cluster)):
        if value:
            setattr(loaded.node, name, value)
    return loaded


async def _serve(proxy: Proxy, request: Request) -> None:
    from metaprotocol.proxy import _logs

    log = _logs.logger("main")

    def end() -> None:
        if proxy.lifecycle.quit.is_set():
            proxy.lifecycle.cut.set()
        proxy.lifecycle.quit.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    async with proxy.running(drain_timeout=request.drain_timeout, hot_restart_path=request.hot_restart_path):
        if request.admin_address_path is not None and proxy.admin_address is not None:
            _write(request.admin_address_path, _joined(*proxy.admin_address))
        await _ready_or_asked_to_quit(proxy)
        _show_listeners(proxy)
        for name, (host, port) in sorted(proxy.addresses().items()):
            _logs.tell(log, logging.INFO, "listening", listener=name, address=_joined(host, port))
        _logs.tell(log, logging.INFO, "serving", workers=proxy.workers, pid=os.getpid())
        await proxy.asked_to_quit()
        _logs.tell(log, logging.INFO, "draining", seconds=request.drain_timeout)
    _logs.tell(log, logging.INFO, "stopped")


async def _ready_or_asked_to_quit(proxy: Proxy) -> None:
    """Wait for what is discovered, unless nobody needs it any more."""
    waiting = {asyncio.create_task(proxy.ready()), asyncio.create_task(proxy.asked_to_quit())}
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _write(path: Path, text: str) -> None:
    """In one step: whoever waits for the file finds all of it."""
    new = path.with_name(f"{path.name}.{os.getpid()}")
    new.write_text(text)
    new.replace(path)


def _show_listeners(proxy: Proxy) -> None:
    """A table for people; in a pipe the log says the same."""
    if not sys.stderr.isatty():
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("LISTENER", "ADDRESS", "PROTOCOL", "CODECS", "ROUTES"):
        table.add_column(column)
    for name, (host, port) in sorted(proxy.addresses().items()):
        config = proxy.store.listeners[name].value.config
        cells = (
            name,
            _joined(host, port),
            config["application_protocol"],
            ", ".join(config["codecs"]),
            config["routes"],
        )
        table.add_row(*(Text(clean(cell)) for cell in cells))
    errors().print(table)
