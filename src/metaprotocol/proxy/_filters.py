"""Filters written in Python."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from typing import TYPE_CHECKING, Any

from metaprotocol import ErrorType

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from metaprotocol import _native
    from metaprotocol._native import Frame, NativeCodec

__all__ = ["Filter", "FilterThreads", "Message"]

_log = logging.getLogger("metaprotocol.proxy.filters")
_POLL = 1.0


class Message:
    """A message on its way through the filters.

    Attributes:
        frame: The message as it came, with its kind, ids and metadata.
        codec: Its codec.
        listener: The name of the listener that it, or its request, came by.
        route: The name of the route that it takes, or that its request took; none without a route.
    """

    def __init__(self, frame: Frame, codec: NativeCodec, listener: str, route: str | None) -> None:
        self.frame = frame
        self.codec = codec
        self.listener = listener
        self.route = route
        self._set: dict[str, str] = {}
        self._remove: set[str] = set()
        self._refused: tuple[ErrorType, str] | None = None

    def get(self, key: str, default: str | int | None = None) -> str | int | None:
        """A field of the message, as it is or as this filter has set it.

        Args:
            key: Its metadata key.
            default: What is given if the message lacks it.

        Raises:
            DecodeError: If the message is broken where the field stands.
        """
        if key in self._set:
            return self._set[key]
        if key in self._remove:
            return default
        found = self.frame.metadata.get(key)
        return default if found is None else found

    def set(self, key: str, value: str) -> None:
        """Set a field. One that has no place in the message is left out, and counted.

        Args:
            key: Its metadata key.
            value: Its new value.
        """
        self._set[key] = value
        self._remove.discard(key)

    def remove(self, key: str) -> None:
        """Take a field away.

        Args:
            key: Its metadata key.
        """
        self._set.pop(key, None)
        self._remove.add(key)

    def refuse(self, error: ErrorType, text: str) -> None:
        """Let it go nowhere: a request is answered with an error, an answer is replaced by one.

        Args:
            error: Which error.
            text: What people are told.
        """
        self._refused = error, text

    def answer(self, job: _native.FilterJob) -> None:
        """Tell the data path what became of it."""
        if self._refused is not None:
            job.refuse(int(self._refused[0]), self._refused[1])
        elif self._set or self._remove:
            job.change(list(self._set.items()), sorted(self._remove))
        else:
            job.go()


class Filter:
    """What looks at messages on their way. Subclass it, and hand an instance to `Proxy(filters={...})`.

    A listener names it among its `meta_protocol_filters`. Its methods may be `async`. They run beside the data path, in
    threads of the filter's own: one that is slow makes only those messages wait that pass it.

    Attributes:
        threads: How many messages are looked at together; `async` methods run all at once in one thread.
        timeout: After so many seconds of waiting a message is refused.
    """

    threads: int = 4
    timeout: float = 5.0

    def on_request(self, message: Message) -> Awaitable[None] | None:
        """Look at a request, a one-way message or the beginning of a stream, before it is routed.

        Args:
            message: The message.
        """

    def on_response(self, message: Message) -> Awaitable[None] | None:
        """Look at an answer.

        Args:
            message: The message.
        """

    def sees_responses(self) -> bool:
        """Whether answers are shown to it: those that it does not look at pass without a detour."""
        return type(self).on_response is not Filter.on_response


class FilterThreads:
    """The threads in which filters run.

    Args:
        native: The data path.
        filters: The filters by name.
    """

    def __init__(self, native: _native.Proxy, filters: Mapping[str, Filter]) -> None:
        self._native = native
        self._loop: asyncio.AbstractEventLoop | None = None
        self._threads = [
            threading.Thread(target=self._run, args=(name, each), name=f"filter-{name}-{number}", daemon=True)
            for name, each in filters.items()
            for number in range(each.threads)
        ]
        if any(inspect.iscoroutinefunction(method) for each in filters.values() for method in _methods(each)):
            self._loop = asyncio.new_event_loop()
            self._threads.append(threading.Thread(target=self._loop.run_forever, name="filter-loop", daemon=True))
        for thread in self._threads:
            thread.start()

    def join(self, timeout: float) -> None:
        """Wait until all have ended; the data path must have been stopped before.

        Args:
            timeout: How many seconds to wait for each. One whose filter hangs is left behind.
        """
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
        for thread in self._threads:
            thread.join(timeout)
        if self._loop is not None and not self._loop.is_running():
            self._loop.close()

    def _run(self, name: str, each: Filter) -> None:
        while True:
            try:
                job = self._native.next_job(name, _POLL)
            except RuntimeError:
                return
            if job is not None:
                self._show(name, each, job)

    def _show(self, name: str, each: Filter, job: _native.FilterJob) -> None:
        if job.waited > each.timeout:
            job.refuse(int(ErrorType.TIMEOUT), f"filter {name!r} had no time for it")
            return
        message = Message(job.frame, job.codec, job.listener, job.route)
        try:
            waits = (each.on_response if job.response else each.on_request)(message)
        except Exception as error:  # noqa: BLE001 - whatever a filter raises is its own message's misfortune
            _failed(name, job, error)
            return
        if waits is None:
            message.answer(job)
        elif self._loop is None:
            _failed(name, job, TypeError("only methods that are `async def` may return something to wait for"))
        else:
            asyncio.run_coroutine_threadsafe(_finish(name, each, message, waits, job), self._loop)


def _methods(each: Filter) -> tuple[Any, Any]:
    return each.on_request, each.on_response


def _failed(name: str, job: _native.FilterJob, error: BaseException) -> None:
    _log.error("filter %r failed: its message is refused", name, exc_info=error)
    job.refuse(int(ErrorType.UNSPECIFIED), f"filter {name!r} failed: {type(error).__name__}")


async def _finish(name: str, each: Filter, message: Message, waits: Awaitable[None], job: _native.FilterJob) -> None:
    try:
        await asyncio.wait_for(waits, each.timeout)
    except TimeoutError:
        job.refuse(int(ErrorType.TIMEOUT), f"filter {name!r} took too long")
    except Exception as error:  # noqa: BLE001 - as above
        _failed(name, job, error)
    else:
        message.answer(job)
