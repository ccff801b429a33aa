"""Which codecs a command works with: by name, or by where they are."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from rich.text import Text

import metaprotocol
from metaprotocol._load import is_source
from metaprotocol.cli._terminal import Failure, clean, errors, usage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from metaprotocol import Codec

__all__ = ["CODEC_FAILED", "CodecFailures", "Codecs", "codec", "show_traceback"]

CODEC_FAILED = 4
"""Exit code: a codec raised an exception of its own, or broke its contract."""


def codec(text: str) -> Codec:
    """The codec with this name, or at this place.

    Raises:
        Failure: If there is none. What the codec's own code raised has been shown with its traceback.
    """
    try:
        return metaprotocol.load_codec(text) if is_source(text) else metaprotocol.get_codec(text)
    except metaprotocol.MetaProtocolError as error:
        cause = error.__cause__
        # What a codec's author needs; for the rest the message says it all.
        if cause is not None and not isinstance(cause, OSError | ModuleNotFoundError | metaprotocol.MetaProtocolError):
            show_traceback(cause)
        usage(str(error))


class Codecs:
    """The codecs of one command: those that were named by their place first, then all that are known by name."""

    def __init__(self, sources: Iterable[str]) -> None:
        self.loaded: list[Codec] = []
        for source in sources:
            loaded = codec(source)
            if any(_names(loaded) & _names(other) for other in self.loaded):
                usage(f"--codec {source}: there is a codec called {loaded.name!r} already; give one of them")
            self.loaded.append(loaded)

    def find(self, text: str) -> Codec:
        """The codec with this name, or at this place.

        Raises:
            Failure: If there is none.
        """
        return next((known for known in self.loaded if text.lower() in _names(known)), None) or codec(text)

    def all(self) -> tuple[list[Codec], list[tuple[str, Exception]]]:
        """All codecs, and those that cannot be loaded, with the reason. A loaded one replaces its namesake."""
        codecs = list(self.loaded)
        taken = {name for loaded in self.loaded for name in _names(loaded)}
        failed: list[tuple[str, Exception]] = []
        for name in metaprotocol.list_codecs():
            if name in taken:
                continue
            try:
                codecs.append(metaprotocol.get_codec(name))
            except Exception as error:  # noqa: BLE001 - whatever the code of an installed package raises
                failed.append((name, error))
        return codecs, failed


def _names(known: Codec) -> set[str]:
    return {known.name, *(alias.lower() for alias in known.aliases)}


class CodecFailures:
    """Tells what codecs raise: the first of each with its traceback, the rest by its number."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def take(self, found: Iterable[tuple[str, int, list[BaseException]]]) -> None:
        """Show what is new."""
        for name, count, exceptions in found:
            if name not in self._counts:
                show_traceback(exceptions[0])
                line = f"the codec {name!r} failed, which is its author's fault; what it fails on is left out"
                errors().print(Text.assemble(("metaprotocol: ", "bold red"), clean(line)))
            self._counts[name] = self._counts.get(name, 0) + count

    def check(self) -> None:
        """Raise a `Failure` if a codec failed."""
        if self._counts:
            told = ", ".join(f"{name!r} failed {_times(count)}" for name, count in self._counts.items())
            raise Failure(f"codec {told}", exit_code=CODEC_FAILED)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def show_traceback(error: BaseException) -> None:
    """An exception as Python shows it, on standard error."""
    lines = "".join(traceback.format_exception(error)).rstrip("\n").split("\n")
    errors().print(Text("\n".join(clean(line) for line in lines)))
