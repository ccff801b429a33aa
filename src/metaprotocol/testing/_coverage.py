"""Which lines of a codec written in Python run, and in which order.

By `sys.settrace`, which every supported Python has: what a codec does with a stream of a few hundred bytes is a few
hundred lines, and nothing has to be installed or compiled for it.
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metaprotocol._native import NativeCodec
from metaprotocol.testing._exercise import Tracer

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType

    from metaprotocol.codec import Codec

__all__ = ["LineTracer", "tracer_for"]

_PACKAGE = str(Path(__file__).parents[1])


class LineTracer(Tracer):
    """Notes each step from one line of the codec's code to the next."""

    def __init__(self, files: tuple[str, ...]) -> None:
        self.steps: set[tuple[int, int]] = set()
        steps = self.steps
        numbers: dict[CodeType, int] = {}
        last = 0

        def line(frame: FrameType, event: str, _: Any) -> Callable[..., Any]:  # noqa: ANN401 -- as the hook has it
            nonlocal last
            if event == "line":
                here = numbers[frame.f_code] + frame.f_lineno
                steps.add((last, here))
                last = here
            return line

        def call(frame: FrameType, _event: str, _: Any) -> Callable[..., Any] | None:  # noqa: ANN401
            nonlocal last
            code = frame.f_code
            number = numbers.get(code)
            if number is None:
                # Numbered in the order of appearance: the same code is the same number in one process only.
                number = (len(numbers) + 1) << 20 if code.co_filename.startswith(files) else 0
                numbers[code] = number
            if not number:
                return None
            last = number
            return line

        def forget() -> None:
            nonlocal last
            last = 0
            steps.clear()

        self._call = call
        self._forget = forget

    def start(self) -> None:
        """From here on; what was noted before is forgotten."""
        self._forget()
        sys.settrace(self._call)

    def stop(self) -> None:
        """Up to here."""
        sys.settrace(None)


def tracer_for(codec: Codec) -> LineTracer | None:
    """A tracer of the code of a codec; None if it is native, or its source is nowhere."""
    if isinstance(codec, NativeCodec):
        return None
    files: dict[str, None] = {}
    for base in type(codec).__mro__:
        try:
            file = inspect.getfile(base)
        except (TypeError, OSError):
            continue
        module = sys.modules.get(base.__module__)
        if module is not None and module.__name__.startswith("metaprotocol."):
            continue
        # A module in a package has its helpers beside it.
        inside = getattr(module, "__package__", "") or ""
        files[str(Path(file).parent) + "/" if inside else file] = None
    found = tuple(file for file in files if not file.startswith(_PACKAGE))
    return LineTracer(found) if found else None
