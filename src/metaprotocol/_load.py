"""Codecs by where they are: a description, a shared library, a class in a module or in a file."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from metaprotocol._contract import check
from metaprotocol.codec import Codec
from metaprotocol.errors import InvalidCodec

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["is_source", "load_codec"]

# By its name, because the rules of imports know the modules that are written in Python only.
_native: Any = import_module("metaprotocol._native")

_FORMS = (
    "codec.yaml for a description, libcodec.so for a compiled plugin, module:Class for a class of an installed module, "
    "path/file.py:Class for one of a file"
)
_DESCRIPTIONS = (".yaml", ".yml")


def is_source(text: str) -> bool:
    """Whether a text is where a codec is, as `load_codec` takes it, rather than the name of one."""
    return "/" in text or ":" in text or _is_description(text) or text.endswith((".so", ".py"))


def _is_description(text: str) -> bool:
    return text.partition("?")[0].endswith(_DESCRIPTIONS)


def load_codec(source: str | os.PathLike[str]) -> Codec:
    """Load a codec from where it is, without making it known by name; `register_codec(load_codec(source))` does both.

    A module or a library is code, and runs.

    Args:
        source: One of

            - `path/codec.yaml` (or `.yml`): a description of a protocol, compiled natively; `codec.yaml?NAME=VALUE&…`
              sets its parameters;
            - `path/libcodec.so`: a compiled plugin; `path/libcodec.so:name` if it holds several codecs;
            - `package.module:Class`: a subclass of `Codec`, an instance of one, or the capsule of a compiled plugin,
              in a module that can be imported;
            - `path/file.py:Class`: the same in a file, which is run anew each time.

    Returns:
        The codec. Classes are called without arguments.

    Raises:
        InvalidCodec: If there is nothing of the kind, or it is not a codec; the error names the source and says what to
            do. What the source's own code raised is its cause.
        CodecSpecError: If a description is wrong; it names the line and column.

    Examples:
        >>> import metaprotocol
        >>> metaprotocol.load_codec("metaprotocol:no_such_codec")
        Traceback (most recent call last):
        ...
        metaprotocol.errors.InvalidCodec: metaprotocol:no_such_codec: the module has no 'no_such_codec'...
    """
    text = os.fspath(source)
    if _is_description(text):
        return check(_described(text), text)
    if text.endswith(".so"):
        return check(_from_library(text, None), text)
    place, colon, attribute = text.rpartition(":")
    if place.endswith(".so"):
        return check(_from_library(place, attribute), text)
    if text.endswith(".py"):
        raise InvalidCodec(f"{text}: say which class of the file is the codec: {text}:Class")
    if not colon or not place or not attribute:
        raise InvalidCodec(f"{text!r} is not where a codec could be; give {_FORMS}")
    module = _run(place, text) if place.endswith(".py") else _import(place, text)
    candidate = _attribute(module, attribute, text)
    if type(candidate).__name__ == "PyCapsule":
        candidate = _native.codec_from_capsule(candidate, text)
    return check(candidate, text)


def _described(path: str) -> object:
    try:
        with open(path.partition("?")[0], encoding="utf-8") as file:  # noqa: PTH123 -- pathlib would double our import time
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidCodec(f"{path}: cannot be read: {_why(error)}") from error
    return _native.compile_codec(text, path)


def _from_library(path: str, name: str | None) -> object:
    if not os.path.isfile(path):  # noqa: PTH113 -- as above
        raise InvalidCodec(f"{path}: there is no such file")
    codecs: list[Codec] = _native.open_library(path)
    named = [codec for codec in codecs if name in (None, codec.name, *codec.aliases)]
    if len(named) == 1:
        return named[0]
    names = ", ".join(f"{path}:{codec.name}" for codec in codecs) or "none"
    what = f"it has no codec {name!r}" if name is not None else f"it holds {len(codecs)} codecs; say which"
    raise InvalidCodec(f"{path}: {what}: {names}")


def _import(name: str, source: str) -> ModuleType:
    try:
        return import_module(name)
    except Exception as error:
        hint = ""
        if isinstance(error, ModuleNotFoundError) and error.name == name.partition(".")[0]:
            hint = f"; install it, or name its file: path/{name.replace('.', '/')}.py:Class"
        raise InvalidCodec(f"{source}: the module cannot be imported: {_why(error)}{hint}") from error


def _run(path: str, source: str) -> ModuleType:
    """A module of a file. It stands in `sys.modules` under its path, where its classes look it up."""
    from importlib.util import module_from_spec, spec_from_file_location

    if not os.path.isfile(path):  # noqa: PTH113 -- as above
        raise InvalidCodec(f"{source}: there is no file {path}")
    name = os.path.realpath(path)
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InvalidCodec(f"{source}: {path} is not a file that Python can run")
    module = module_from_spec(spec)
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if before is not None:
            sys.modules[name] = before
        if not isinstance(error, Exception):
            raise
        raise InvalidCodec(f"{source}: the file failed: {_why(error)}") from error
    return module


def _attribute(module: ModuleType, attribute: str, source: str) -> object:
    try:
        return attrgetter(attribute)(module)
    except AttributeError:
        codecs = sorted(
            name
            for name, value in vars(module).items()
            if value is not Codec
            and (isinstance(value, Codec) or (isinstance(value, type) and issubclass(value, Codec)))
        )
        there = f"its codecs are: {', '.join(codecs)}" if codecs else "nothing in it is a codec"
        raise InvalidCodec(f"{source}: the module has no {attribute!r}; {there}") from None


def _why(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"{type(error).__name__}: {error}"
