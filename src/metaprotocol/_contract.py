"""Whether an object is a codec as `metaprotocol.Codec` describes it; if not, what to change, before any byte comes.

Native codecs keep the contract by their types. What is written in Python can be wrong in ways that would show only in
the middle of a stream: a verb that lacks a keyword, an attribute of another type.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, NoReturn

from metaprotocol._model import FirstSpeaker, KeyInfo, PairBy, Sharing
from metaprotocol._native import NativeCodec
from metaprotocol.codec import Codec
from metaprotocol.errors import InvalidCodec

__all__ = ["check"]

# By its name, because the rules of imports know the modules that are written in Python only.
_native: Any = import_module("metaprotocol._native")

# How each verb is called: with all that there is, and with no more than a caller must give.
_ANY: Any = object()
_SPLIT = {"direction": _ANY, "limits": _ANY, "state": _ANY}
_CALLS: dict[str, tuple[tuple[int, dict[str, Any]], ...]] = {
    "split": ((1, _SPLIT), (1, {})),
    "new_state": ((0, {}),),
    "connection": ((0, {"limits": _ANY}), (0, {})),
    "decode": ((1, {"direction": _ANY, "limits": _ANY}), (1, {})),
    "fields": ((1, {}),),
    "field": ((2, {}),),
    "rewrite": ((1, {"set": _ANY, "remove": _ANY, "request_id": _ANY}), (1, {})),
    "reply": ((3, {}), (1, {"error": _ANY, "message": _ANY}), (1, {})),
    "detect": ((1, {"direction": _ANY}), (1, {})),
}

_TYPES: dict[str, tuple[type, str]] = {
    "summary": (str, "a str of one line"),
    "pair_by": (PairBy, "a member of metaprotocol.PairBy"),
    "sharing": (Sharing, "a member of metaprotocol.Sharing"),
    "first_speaker": (FirstSpeaker, "a member of metaprotocol.FirstSpeaker"),
    "heartbeats": (bool, "True or False"),
    "open_keys": (bool, "True or False"),
}

_MAX_HEADER_LEN = (1 << 32) - 1


def check(candidate: object, origin: str) -> Codec:
    """The codec itself; an instance, if a class was given; the codec in it, if a compiled plugin's capsule was.

    Args:
        candidate: A codec, a subclass of `Codec` that takes no arguments, or a capsule.
        origin: Where it comes from, for the errors.

    Raises:
        InvalidCodec: If it breaks the contract; the error says what to change. What the class itself raised when it was
            called is the error's cause.
    """
    if isinstance(candidate, type) and issubclass(candidate, Codec):
        candidate = _made(candidate, origin)
    elif type(candidate).__name__ == "PyCapsule":
        try:
            candidate = _native.codec_from_capsule(candidate)
        except InvalidCodec as error:
            raise InvalidCodec(f"{origin}: {error}") from error
    if not isinstance(candidate, Codec):
        raise InvalidCodec(f"{origin} is {candidate!r}, not a metaprotocol.Codec; subclass it and implement split()")
    name = getattr(candidate, "name", None)
    if not isinstance(name, str) or not _is_word(name) or name != name.lower():
        raise InvalidCodec(f"{origin}: name must be one lower-case word, not {name!r}")
    if not isinstance(candidate, NativeCodec):
        _check_attributes(candidate, origin)
        _check_verbs(candidate, origin)
    return candidate


def _made(cls: type[Codec], origin: str) -> Codec:
    missing = sorted(getattr(cls, "__abstractmethods__", ()))
    if missing:
        raise InvalidCodec(f"{origin}: {cls.__name__} must implement {', '.join(missing)}")
    try:
        return cls()
    except Exception as error:
        raise InvalidCodec(
            f"{origin}: {cls.__name__}() failed: {type(error).__name__}: {error}; a codec's class takes no arguments, "
            "or give an instance"
        ) from error


def _is_word(text: str) -> bool:
    return bool(text) and not any(mark.isspace() for mark in text)


def _check_attributes(codec: Codec, origin: str) -> None:
    def wrong(attribute: str, expected: str) -> NoReturn:
        raise InvalidCodec(f"{origin}: {attribute} must be {expected}, not {getattr(codec, attribute)!r}")

    for attribute, (type_, expected) in _TYPES.items():
        if not isinstance(getattr(codec, attribute), type_):
            wrong(attribute, expected)
    aliases: object = codec.aliases
    if isinstance(aliases, str):
        raise InvalidCodec(f"{origin}: aliases must be a tuple of names; write ({aliases!r},) for {aliases!r}")
    if not isinstance(aliases, tuple | list) or not all(
        isinstance(alias, str) and _is_word(alias) for alias in aliases
    ):
        wrong("aliases", "a tuple of names, each one word")
    length: object = codec.min_header_len
    if not isinstance(length, int) or isinstance(length, bool) or not 1 <= length <= _MAX_HEADER_LEN:
        wrong("min_header_len", f"a number of bytes from 1 to {_MAX_HEADER_LEN}")
    keys: object = codec.keys
    if not isinstance(keys, tuple | list):
        wrong("keys", "a tuple of metaprotocol.KeyInfo")
    for key in keys:
        if not isinstance(key, KeyInfo) or list(map(type, key)) != [str, str, bool, bool] or not key.name:
            raise InvalidCodec(
                f"{origin}: keys must hold KeyInfo(name, about, writable=…, number=…) only, two texts and two truth "
                f"values; {key!r} is something else"
            )
    names = [key.name for key in keys]
    twice = next((key for key in names if names.count(key) > 1), None)
    if twice is not None:
        raise InvalidCodec(f"{origin}: keys has {twice!r} twice; leave one out")


def _check_verbs(codec: Codec, origin: str) -> None:
    # Imported late: only programs with codecs of their own need it.
    from inspect import iscoroutinefunction, signature

    for verb, calls in _CALLS.items():
        method = getattr(codec, verb)
        if getattr(type(codec), verb, None) is getattr(Codec, verb):
            continue
        if not callable(method):
            raise InvalidCodec(f"{origin}: {verb} is {method!r}, not a method; {_hint(verb)}")
        if iscoroutinefunction(method):
            raise InvalidCodec(
                f"{origin}: {verb} must be a plain method; codecs do no I/O, so there is nothing to await"
            )
        try:
            taken = signature(method)
        except (TypeError, ValueError):  # Compiled without a signature: it cannot be asked.
            continue
        for count, keywords in calls:
            try:
                taken.bind(*[_ANY] * count, **keywords)
            except TypeError as error:
                raise InvalidCodec(
                    f"{origin}: {verb}{taken} cannot be called as it will be: {error}; {_hint(verb)}"
                ) from None


def _hint(verb: str) -> str:
    from inspect import Parameter, signature

    parameters = [
        each.replace(annotation=Parameter.empty) for each in signature(getattr(Codec, verb)).parameters.values()
    ]
    shown = ", ".join(
        "*"
        if each is None
        else each.name
        if each.default is Parameter.empty
        else f"{each.name}={_default(each.default)}"
        for each in _with_star(parameters)
    )
    return f"write def {verb}({shown})"


def _with_star(parameters: list[Any]) -> list[Any]:
    """The parameters, with None before the first that goes by keyword only."""
    at = next((at for at, each in enumerate(parameters) if each.kind is each.KEYWORD_ONLY), None)
    return parameters if at is None else [*parameters[:at], None, *parameters[at:]]


def _default(value: object) -> str:
    return "0" if isinstance(value, int) else repr(value)
