"""Codecs by name: the built-in ones, those that programs register, and those that installed packages offer."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar, cast, overload

from metaprotocol._contract import check
from metaprotocol._native import builtin_codecs
from metaprotocol.errors import InvalidCodec, UnknownCodec

if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.metadata import EntryPoint

    from metaprotocol.codec import Codec

__all__ = ["get_codec", "list_codecs", "register_codec"]

ENTRY_POINT_GROUP = "metaprotocol.codecs"

_lock = threading.RLock()
_codecs: dict[str, Codec] = {}
_aliases: dict[str, str] = {}

C = TypeVar("C", bound="type[Codec]")


def _names(codec: Codec) -> list[str]:
    """All names it answers to, as look-ups spell them."""
    return [codec.name, *(alias.lower() for alias in codec.aliases)]


def _add(codec: Codec) -> None:
    """Enter a codec; what had its name loses it, with the aliases that led there."""
    for alias in [alias for alias, name in _aliases.items() if codec.name in (alias, name)]:
        del _aliases[alias]
    _codecs[codec.name] = codec
    for alias in _names(codec)[1:]:
        _aliases[alias] = codec.name


for _builtin in builtin_codecs():
    _add(cast("Codec", _builtin))


def _taken(codec: Codec) -> list[str]:
    return [name for name in _names(codec) if name in _codecs or name in _aliases]


def _offered() -> dict[str, EntryPoint]:
    # Imported late: reading the metadata of all installed packages takes longer than importing this one.
    from importlib.metadata import entry_points

    return {point.name.lower(): point for point in entry_points(group=ENTRY_POINT_GROUP)}


def _load(point: EntryPoint) -> Codec:
    origin = f"entry point {point.name} = {point.value}"
    try:
        candidate = point.load()
    except Exception as error:  # whatever the code of an installed package raises
        raise InvalidCodec(f"{origin} cannot be loaded: {type(error).__name__}: {error}") from error
    codec = check(candidate, origin)
    # Otherwise it could take the place of another codec unasked.
    if codec.name != point.name.lower():
        raise InvalidCodec(f"{origin}: the codec is called {codec.name!r}; the entry point must have the same name")
    return codec


def get_codec(name: str) -> Codec:
    """The codec with this name or alias (`dubbo`, `aeraki.meta_protocol.codec.dubbo`).

    Looks among the built-in and registered codecs, then among the entry points `metaprotocol.codecs` of installed
    packages, which are loaded when first asked for.

    Args:
        name: A name or alias, in any case of letters.

    Raises:
        UnknownCodec: If no codec has it; the error names those that look like it.
        InvalidCodec: If an entry point cannot be loaded, or gives something else than a codec of its name.
    """
    wanted = name.lower()
    with _lock:
        codec = _codecs.get(_aliases.get(wanted, wanted))
        if codec is not None:
            return codec
        offered = _offered()
        if wanted in offered:
            codec = _load(offered[wanted])
            taken = _taken(codec)
            if taken:
                raise InvalidCodec(f"entry point {wanted}: another codec is called {taken[0]!r} already")
            _add(codec)
            return codec
    from difflib import get_close_matches

    raise UnknownCodec(name, get_close_matches(wanted, [*_codecs, *_aliases, *offered], n=3))


def list_codecs() -> list[str]:
    """The names of all codecs, in order: built-in, registered, and offered by installed packages."""
    with _lock:
        return sorted({*_codecs, *_offered()})


@overload
def register_codec(codec: C, *, replace: bool = False) -> C: ...
@overload
def register_codec(codec: Codec, *, replace: bool = False) -> Codec: ...
@overload
def register_codec(codec: None = None, *, replace: bool = False) -> Callable[[C], C]: ...
def register_codec(
    codec: type[Codec] | Codec | None = None, *, replace: bool = False
) -> type[Codec] | Codec | Callable[[C], C]:
    r"""Make a codec known by its name and aliases. Also a class decorator.

    Args:
        codec: A codec, or a subclass of `Codec` that takes no arguments.
        replace: Whether it may take the place of another codec with the same name.

    Returns:
        What was given.

    Raises:
        InvalidCodec: If it is not a codec as the contract has it, or its name or an alias is taken.

    Examples:
        >>> import metaprotocol
        >>> @metaprotocol.register_codec
        ... class Lines(metaprotocol.Codec):
        ...     name = "lines"
        ...
        ...     def split(self, buffer, *, direction=0, limits=None, state=None):
        ...         end = bytes(buffer).find(b"\n")
        ...         return metaprotocol.NeedMore() if end < 0 else metaprotocol.Head(metaprotocol.Kind.ONEWAY, end + 1)
        >>> [bytes(frame) for frame in metaprotocol.get_codec("lines").connection().feed(0, b"one\ntwo\nthr")]
        [b'one\n', b'two\n']
    """
    if codec is None:

        def decorate(cls: C) -> C:
            register_codec(cls, replace=replace)
            return cls

        return decorate
    checked = check(codec, repr(codec))
    with _lock:
        if not replace:
            taken = _taken(checked)
            if taken:
                raise InvalidCodec(f"a codec called {taken[0]!r} exists; pass replace=True to take its place")
        _add(checked)
    return codec
