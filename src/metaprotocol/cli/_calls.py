"""What commands say of a call: its service and method, and whether its answer is an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metaprotocol import Kind
from metaprotocol._native import ERROR_KEYS, METHOD_KEYS, REPLY_TYPE_FAILED, SERVICE_KEYS
from metaprotocol.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from metaprotocol import Frame

__all__ = ["failed", "metadata_text", "service_and_method", "shown_id"]


def metadata_text(frame: Frame, key: str) -> str | None:
    """A metadata value as text; None if the frame lacks it, or is broken where it would be."""
    try:
        value = frame.metadata.get(key)
    except DecodeError:
        return None
    return None if value is None else str(value)


def _first(frame: Frame, keys: Iterable[str]) -> str:
    """The first of these metadata that the codec always knows and the frame has; empty if there is none."""
    names = {key.name for key in frame.codec.keys}
    values = (metadata_text(frame, key) for key in keys if key in names)
    return next((value for value in values if value), "")


def shown_id(frame: Frame) -> int | str | None:
    """A request id as `metaprotocol decode` shows it: numbers signed, bytes as hex."""
    number = frame.request_id
    if isinstance(number, bytes):
        return number.hex()
    return number - (1 << 64) if number is not None and number >> 63 else number


def service_and_method(request: Frame) -> tuple[str, str]:
    """What a request calls, by the keys that `metaprotocol decode` shows."""
    return _first(request, SERVICE_KEYS), _first(request, METHOD_KEYS)


def failed(answer: Frame) -> bool:
    """Whether an answer says that the call went wrong, in its framing or, as far as its codec reads it, in its body."""
    key, value = REPLY_TYPE_FAILED
    return answer.kind is Kind.ERROR or _first(answer, [key]) == value or bool(_first(answer, ERROR_KEYS))
