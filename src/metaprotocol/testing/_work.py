"""How much a codec written in Python does, counted, not timed.

Counted are lines of its code, bytes that it allocates (a copy of the buffer shows there), and bytes that `split` is
shown again though it keeps nothing between two calls: what it does with them must start from their first.
"""

from __future__ import annotations

import copy
import sys
import tracemalloc
from typing import TYPE_CHECKING, Any

from metaprotocol._native import NeedMore
from metaprotocol.errors import DecodeError
from metaprotocol.testing._exercise import LIMITS, is_foreign

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType

    from metaprotocol._model import Direction
    from metaprotocol.codec import Codec

__all__ = ["Meter"]


class Meter:
    """Counts the work of `split` on one connection.

    Args:
        codec: A codec written in Python; it is left as it is.
    """

    def __init__(self, codec: Codec) -> None:
        self.work = 0
        self.calls = 0
        self._split = codec.split
        self._stateless = codec.new_state() is None
        self._asked = False
        metered: Any = copy.copy(codec)
        metered.split = self._metered
        self.codec: Codec = metered

    def _metered(self, buffer: memoryview, **rest: Any) -> Any:  # noqa: ANN401 -- as `split`
        self.calls += 1
        if self._asked and self._stateless:
            self.work += buffer.nbytes
        before, traced = sys.gettrace(), tracemalloc.is_tracing()
        if not traced:
            tracemalloc.start()
        tracemalloc.reset_peak()
        held = tracemalloc.get_traced_memory()[0]
        sys.settrace(self._called)
        try:
            answer = self._split(buffer, **rest)
        finally:
            sys.settrace(before)
            self.work += tracemalloc.get_traced_memory()[1] - held
            if not traced:
                tracemalloc.stop()
        self._asked = isinstance(answer, NeedMore)
        return answer

    def _called(self, frame: FrameType, _event: str, _: object) -> Any:  # noqa: ANN401 -- as the hook has it
        return None if is_foreign(frame.f_code.co_filename) else self._line

    def _line(self, _frame: FrameType, event: str, _: object) -> Any:  # noqa: ANN401
        if event == "line":
            self.work += 1
        return self._line

    def feed(self, direction: Direction, pieces: Iterable[bytes]) -> int:
        """Feed a new connection until it knows a frame's length or refuses the stream; gives the work it was."""
        connection = self.codec.connection(limits=LIMITS)
        try:
            for piece in pieces:
                if connection.feed(direction, piece) and len(piece) == 1:
                    break
                if connection.head(direction) is not None:
                    break
        except DecodeError:
            pass
        return self.work
