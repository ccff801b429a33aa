"""Errors: what is wrong, where, and what to do. Everything this package raises on purpose is a `MetaProtocolError`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metaprotocol._model import Direction

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "CaptureError",
    "CodecSpecError",
    "DecodeError",
    "EncodeError",
    "IncompleteFrame",
    "InvalidCodec",
    "LimitExceeded",
    "MetaProtocolError",
    "UnknownCodec",
]


class MetaProtocolError(Exception):
    """The root of all errors of this package."""


_SHOWN = bytes(byte if 32 <= byte < 127 else ord(".") for byte in range(256))


def _hexdump(data: bytes, offset: int, mark: int) -> str:
    """Sixteen bytes a line with their stream offsets; the line that holds `mark` is pointed out."""
    lines = []
    for start in range(0, len(data), 16):
        row = data[start : start + 16]
        at = offset + start
        text = row.translate(_SHOWN).decode("ascii")
        arrow = ">" if at <= mark < at + len(row) else " "
        lines.append(f"{arrow} {at:08x}  {row.hex(' '):<47}  {text}")
    return "\n".join(lines)


class DecodeError(MetaProtocolError):
    """Bytes that are not the protocol: the peer's fault. The direction they came in is poisoned.

    Attributes:
        protocol: Name of the codec.
        direction: Which way the bytes travelled; None where it does not matter.
        offset: Bytes from the start of the stream to the place.
        code: Stable snake_case name of the reason, for metrics and tests.
        reason: The reason for people.
        excerpt: Up to 64 bytes around the place.
        excerpt_offset: Offset in the stream of the first of them.
        frames: What was complete before the place: a list of frames, or a `FrameBatch` from `feed_batch`.
    """

    def __init__(
        self,
        *,
        protocol: str,
        offset: int,
        code: str,
        reason: str,
        direction: int | None = None,
        excerpt: bytes = b"",
        excerpt_offset: int = 0,
        frames: Sequence[Any] = (),
    ) -> None:
        self.protocol = protocol
        self.direction = None if direction is None else Direction(direction)
        self.offset = offset
        self.code = code
        self.reason = reason
        self.excerpt = excerpt
        self.excerpt_offset = excerpt_offset
        self.frames = frames
        where = f"{self.direction.name.lower()} offset" if self.direction is not None else "offset"
        super().__init__(f"{protocol}: at {where} {offset}: {reason} [{protocol}.{code}]")
        if excerpt:
            self.add_note(self.hexdump)

    @property
    def hexdump(self) -> str:
        """The bytes around the place, sixteen a line, with their offsets in the stream."""
        return _hexdump(self.excerpt, self.excerpt_offset, self.offset)

    def __reduce__(self) -> tuple[Any, ...]:
        # Frames are views of memory and stay behind when an error travels to another process.
        keep = {key: value for key, value in vars(self).items() if key not in {"frames", "__notes__"}}
        return _restore, (type(self), keep)


def _restore(cls: type[DecodeError], arguments: dict[str, Any]) -> DecodeError:
    return cls(**arguments)


class LimitExceeded(DecodeError):
    """A frame that asks for more than the `Limits` allow.

    Attributes:
        limit: Name of the limit, as `Limits` spells it.
        value: What was asked for.
        maximum: What is allowed.
    """

    def __init__(self, *, limit: str, value: int, maximum: int, **rest: Any) -> None:  # noqa: ANN401 -- DecodeError's
        self.limit = limit
        self.value = value
        self.maximum = maximum
        super().__init__(**rest)


class IncompleteFrame(MetaProtocolError):
    """The bytes end within a frame.

    Attributes:
        protocol: Name of the codec.
        missing: How many more bytes the frame needs, at least.
        have: How many of its bytes are there.
        offset: Offset in the stream of its first byte.
    """

    def __init__(self, protocol: str, missing: int, have: int = 0, offset: int = 0) -> None:
        self.protocol = protocol
        self.missing = missing
        self.have = have
        self.offset = offset
        super().__init__(f"{protocol}: the frame at offset {offset} has {have} bytes and needs at least {missing} more")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.protocol, self.missing, self.have, self.offset)


class EncodeError(MetaProtocolError):
    """An edit or a reply that the protocol or the frame cannot carry: the caller's fault.

    Attributes:
        protocol: Name of the codec.
        reason: Why not.
        key: The metadata key concerned, if it is about one.
    """

    def __init__(self, protocol: str, reason: str, key: str | None = None) -> None:
        self.protocol = protocol
        self.reason = reason
        self.key = key
        super().__init__(f"{protocol}: {reason}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.protocol, self.reason, self.key)


class CaptureError(MetaProtocolError):
    """A file to decode is no capture (or no hex text), or is one no longer from some place on.

    Attributes:
        code: Stable name of the reason.
        offset: Bytes from the start of the file to the place, where it is known.
    """

    def __init__(self, code: str, message: str, offset: int | None = None) -> None:
        self.code = code
        self.offset = offset
        super().__init__(message)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.code, str(self), self.offset)


class CodecSpecError(MetaProtocolError):
    """A mistake in a codec's YAML description.

    Attributes:
        path: The file, as it was named.
        line: The line, from 1.
        column: The column, from 1.
        field: The part of the description, from its root: `header.extend_str.len`.
        reason: What is wrong.
        fix: What to do.
        others: The other mistakes that were found, each a `CodecSpecError`.
    """

    def __init__(self, path: str, line: int, column: int, field: str, reason: str, fix: str) -> None:
        self.path = path
        self.line = line
        self.column = column
        self.field = field
        self.reason = reason
        self.fix = fix
        self.others: tuple[CodecSpecError, ...] = ()
        where = f"{path}:{line}:{column}: {field}: " if field else f"{path}:{line}:{column}: "
        super().__init__(f"{where}{reason}; {fix}")

    def __reduce__(self) -> tuple[Any, ...]:
        arguments = (self.path, self.line, self.column, self.field, self.reason, self.fix)
        return type(self), arguments, {"others": self.others}


class UnknownCodec(MetaProtocolError, LookupError):
    """No codec has this name.

    Attributes:
        name: The name asked for.
        near: Names that look like it.
    """

    def __init__(self, name: str, near: Sequence[str] = ()) -> None:
        self.name = name
        self.near = tuple(near)
        hint = f"; did you mean {' or '.join(self.near)}?" if self.near else ""
        super().__init__(f"no codec is called {name!r}{hint} (metaprotocol.list_codecs() names them all)")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name, self.near)


class InvalidCodec(MetaProtocolError, TypeError):
    """An object that was to be a codec does not fulfil the contract of `metaprotocol.Codec`."""
