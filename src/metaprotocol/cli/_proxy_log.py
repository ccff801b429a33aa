"""The proxy's log on a terminal, and in a pipe."""

from __future__ import annotations

import logging
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from metaprotocol.cli._terminal import clean, errors
from metaprotocol.proxy import _logs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

__all__ = ["Terminal", "logging_to_stderr"]

_STYLES = {"warning": "yellow", "error": "bold red", "critical": "bold red"}


class Terminal(logging.Handler):
    """Shows records to people: the time, the level where it matters, what happened, and the fields.

    Args:
        console: Where.
    """

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record."""
        from rich.text import Text

        level = _logs.level_name(record.levelno)
        line = Text(time.strftime("%H:%M:%S ", time.localtime(record.created)), style="dim")
        if level in _STYLES:
            line.append(f"{level}: ", _STYLES[level])
        line.append(clean(record.getMessage()), "" if level in _STYLES else "default")
        for name, value in _logs.fields_of(record).items():
            line.append(f"  {name}=", "dim").append(clean(str(value)), "default")
        self._console.print(line)
        if record.exc_info:
            self._console.print(logging.Formatter().formatException(record.exc_info), markup=False)


@contextmanager
def logging_to_stderr(level: str) -> Iterator[None]:
    """Send the proxy's log to standard error: for people on a terminal, else as JSON lines.

    Args:
        level: One of `LEVELS`.
    """
    root = logging.getLogger(_logs.ROOT)
    handler = Terminal(errors()) if sys.stderr.isatty() else _logs.JsonLines(sys.stderr)
    root.addHandler(handler)
    root.setLevel(_logs.LEVELS[level])
    root.propagate = False
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.propagate = True
