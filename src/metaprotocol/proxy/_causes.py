"""Tells in the log what goes wrong on the data path, at a bounded rate."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from metaprotocol.proxy._logs import logger, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Executor

__all__ = ["CAUSES", "EVERY", "grown", "watch"]

EVERY = 1.0
"""Seconds between two looks. What happened in between is told once, with how often."""

CAUSES = {
    "route_not_found": "no route matched",
    "cluster_not_found": "there is no such cluster",
    "no_healthy_upstream": "no host could be used",
    "over_limit": "a bound was reached",
    "request_timeout": "no answer came in time",
    "upstream_reset": "the host closed the connection, or could not be reached",
    "bad_response": "the host sent what is not the protocol",
    "bad_request": "the client sent what is not the protocol",
    "unspecified_error": "something else failed",
    "denied": "a filter refused it",
    "detect_failed": "no codec wanted the connection",
    "request_mutation_error": "a message could not take an edit of its route",
    "response_mutation_error": "an answer could not take an edit of its route",
    "local_response_error": "the protocol cannot say the error: the connection was closed",
    "cx_destroy_local_with_active_rq": "the connection was closed by the proxy before the answer came",
    "upstream_cx_connect_fail": "a connection to a host could not be opened",
    "upstream_cx_connect_timeout": "a connection to a host was not open in time",
    "upstream_cx_overflow": "there are too many connections to hosts",
    "upstream_rq_pending_overflow": "too many requests are under way or wait",
    "upstream_cx_protocol_error": "a stream of a host could not be read on",
}
"""Counters that are told when they grow, and what they mean."""

_log = logger("data")


def grown(before: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    """By how much each of the counters of `CAUSES` has grown."""
    found = {}
    for name, count in now.items():
        more = count - before.get(name, 0)
        if more > 0 and name.rpartition(".")[2] in CAUSES:
            found[name] = more
    return found


async def watch(counters: Callable[[], Mapping[str, int]], threads: Executor) -> None:
    """Tell, for as long as it is not cancelled.

    Args:
        counters: Reads all of them, in a thread.
        threads: Where.
    """
    loop = asyncio.get_running_loop()
    before = await loop.run_in_executor(threads, counters)
    while True:
        await asyncio.sleep(EVERY)
        if not _log.isEnabledFor(logging.WARNING):
            continue
        now = await loop.run_in_executor(threads, counters)
        for name, more in grown(before, now).items():
            where, _, cause = name.rpartition(".")
            tell(_log, logging.WARNING, CAUSES[cause], cause=cause, where=where, count=more)
        before = now
