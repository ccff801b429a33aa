"""What the commands share: consoles, failures, and text that a terminal may be shown.

Rich is loaded for those who show something: the proxy writes its log, and is to start soon.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

__all__ = ["Failure", "clean", "errors", "exit_codes", "fail", "output", "usage", "wants_table"]

PIPE_CLOSED = 141
INTERRUPTED = 130


class Failure(Exception):
    """A command that cannot do what it was asked for: the message for people, lines below it, and the exit code."""

    def __init__(self, message: str, exit_code: int = 1, details: tuple[str, ...] = ()) -> None:
        self.exit_code = exit_code
        self.details = details
        super().__init__(message)


WIDTH = 160
"""Columns of a table that goes to a file or a pipe, unless COLUMNS says otherwise."""


@contextmanager
def exit_codes() -> Iterator[None]:
    """Turn what ends a command into its exit code; the framework of commands would make 1 of it all."""
    try:
        yield
    except Failure as failure:
        fail(failure)
        sys.exit(failure.exit_code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(PIPE_CLOSED)


def output() -> Console:
    """The console of standard output, as it is now."""
    from rich.console import Console

    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else WIDTH
    return Console(file=sys.stdout, highlight=False, width=width)


def errors() -> Console:
    """The console of standard error, as it is now."""
    from rich.console import Console

    return Console(file=sys.stderr, highlight=False, soft_wrap=True)


def fail(failure: Failure) -> None:
    """Tell a failure on standard error."""
    from rich.text import Text

    errors().print(Text.assemble(("metaprotocol: ", "bold red"), clean(str(failure))))
    for line in failure.details:
        errors().print(Text(clean(line)))


def usage(message: str) -> NoReturn:
    """Refuse arguments that make no sense."""
    raise Failure(message, exit_code=2)


def wants_table(show: str) -> bool:
    """Whether rows go to people rather than to a program."""
    return show == "table" or (show == "auto" and sys.stdout.isatty())


# Names and messages come from the network: shown raw, their control characters would move the cursor or worse.
_CONTROL = {code: chr(0x2400 + code) for code in range(0x20)} | {
    0x7F: "\u2421",
    **dict.fromkeys(range(0x80, 0xA0), "\ufffd"),
    **dict.fromkeys([0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)], "\ufffd"),
}


def clean(text: str) -> str:
    """Text with its control and direction characters made visible."""
    return text if text.isprintable() else text.translate(_CONTROL)
