"""The command that runs the proxy."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from typing import TYPE_CHECKING

from metaprotocol.cli._terminal import Failure, clean, errors
from metaprotocol.errors import MetaProtocolError

if TYPE_CHECKING:
    from metaprotocol.proxy import Proxy
    from metaprotocol.xds import Problem

__all__ = ["run"]


def _tell(event: str, **fields: object) -> None:
    """One line for people on a terminal, else one of JSON."""
    if sys.stderr.isatty():
        told = "  ".join(f"{name}={value}" for name, value in fields.items())
        errors().print(clean(f"{event}  {told}"))
    else:
        sys.stderr.write(json.dumps({"event": event, **fields}) + "\n")
        sys.stderr.flush()


def _report(problems: tuple[Problem, ...]) -> None:
    for problem in problems:
        _tell("not supported", problem=str(problem))


def run(config: str, mode: str, strict: bool, workers: int | None, drain_timeout: float) -> None:
    """Run the proxy until a signal ends it, or check its configuration.

    Args:
        config: The bootstrap file.
        mode: `serve` or `validate`.
        strict: Whether what is not supported is refused.
        workers: How many threads serve.
        drain_timeout: How many seconds connections have at the end.
    """
    try:
        from metaprotocol.proxy import Proxy
    except ModuleNotFoundError as error:
        missing = f"the proxy needs the package {error.name}: pip install 'metaprotocol[proxy]'"
        raise Failure(missing) from None
    try:
        proxy = Proxy(config, workers=workers, strict=strict)
        _report(proxy.problems)
        if mode == "validate":
            _tell("the configuration is good", file=config)
            return
        asyncio.run(_serve(proxy, drain_timeout))
    except (MetaProtocolError, OSError) as error:
        raise Failure(str(error)) from None


async def _serve(proxy: Proxy, drain_timeout: float) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    async with proxy.running(drain_timeout=drain_timeout):
        for name, (host, port) in sorted(proxy.addresses().items()):
            _tell("listening", listener=name, address=f"{host}:{port}")
        await ended.wait()
        _tell("draining", seconds=drain_timeout)
    _tell("stopped")
