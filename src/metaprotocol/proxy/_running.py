"""The event loop that a proxy's configuration lives in: the caller's, or one in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

__all__ = ["Home", "LoopThread"]

T = TypeVar("T")


class Home:
    """An event loop that things are done in, wherever they are asked for.

    Args:
        loop: The loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop

    def here(self) -> bool:
        """Whether this is called from within the loop."""
        try:
            return asyncio.get_running_loop() is self.loop
        except RuntimeError:
            return False

    def call(self, act: Callable[[], T]) -> T:
        """Do something in the loop, and wait for it."""
        if self.here():
            return act()
        done: Future[T] = Future()

        def run() -> None:
            try:
                done.set_result(act())
            except BaseException as error:
                done.set_exception(error)
                if not isinstance(error, Exception):
                    raise

        self.loop.call_soon_threadsafe(run)
        return done.result()

    async def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for something that goes on in the loop, from this one or another."""
        if self.here():
            return await work
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.loop))


class LoopThread(Home):
    """A loop in a thread of its own, which runs until it is closed."""

    def __init__(self) -> None:
        super().__init__(asyncio.new_event_loop())
        self._thread = threading.Thread(target=self._run, name="metaprotocol-discovery", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.close()

    def finish(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something that takes time in the loop, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    def close(self) -> None:
        """End it."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
