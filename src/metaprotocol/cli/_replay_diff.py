"""What changed between a captured answer and the one that came now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metaprotocol import Direction
from metaprotocol.errors import DecodeError, MetaProtocolError

if TYPE_CHECKING:
    from collections.abc import Collection

    from metaprotocol import Frame

__all__ = ["changes"]

EXCERPT = 16
"""Bytes of a body shown from the first difference on."""


def changes(captured: Frame, answer: Frame, ignore: Collection[str] = ()) -> dict[str, list[Any]]:
    """The fields that differ: `kind`, the metadata in the captured order, then `body`; each as [captured, now].

    Ids are no difference: the answer is compared as it would be under the captured id.

    Args:
        captured: The answer in the capture.
        answer: The answer to the replayed request.
        ignore: Names of fields that may differ.
    """
    answer = _under_id_of(captured, answer)
    found: dict[str, list[Any]] = {}
    if captured.kind is not answer.kind:
        found["kind"] = [captured.kind.name.lower(), answer.kind.name.lower()]
    before, now = _metadata(captured), _metadata(answer)
    for key in [*before, *(key for key in now if key not in before)]:
        if before.get(key) != now.get(key):
            found[key] = [before.get(key), now.get(key)]
    if captured.body != answer.body:
        found["body"] = _bodies(bytes(captured.body), bytes(answer.body))
    return {field: pair for field, pair in found.items() if field not in ignore}


def _under_id_of(captured: Frame, answer: Frame) -> Frame:
    if not isinstance(captured.request_id, int) or captured.request_id == answer.request_id:
        return answer
    codec = answer.codec
    try:
        data = b"".join(codec.rewrite(answer, request_id=captured.request_id))
        return codec.decode(data, direction=Direction.SERVER_TO_CLIENT)
    except MetaProtocolError:
        # Such a frame does not stand alone; its id is then compared as whatever metadata shows it.
        return answer


def _metadata(frame: Frame) -> dict[str, str | int]:
    try:
        return dict(frame.metadata.items())
    except DecodeError as error:
        return {"(unreadable)": str(error)}


def _bodies(before: bytes, now: bytes) -> list[str]:
    pairs = zip(before, now, strict=False)
    at = next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(before), len(now)))
    return [_excerpt(before, at), _excerpt(now, at)]


def _excerpt(body: bytes, at: int) -> str:
    shown = body[at : at + EXCERPT].hex(" ") or "end"
    more = "…" if len(body) > at + EXCERPT else ""
    return f"{len(body):,} bytes, at {at}: {shown}{more}"
