"""What `metaprotocol bench` runs: streams of frames, and each verb on them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from metaprotocol import Codec, Detection, Direction, ErrorType, Frame, Head, Kind
from metaprotocol._native import METHOD_KEYS
from metaprotocol.errors import DecodeError, EncodeError, MetaProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Source", "Stream", "Verb", "build_streams", "digest", "peer_verb", "verbs"]

STREAM_LEN = 1 << 20
"""Bytes of frames that a round of `feed` reads, of all streams together."""
FRAMES_MIN, FRAMES_MAX = 64, 20_000
FRAMES_AT_HAND = 256
"""Frames that the verbs which take one frame are called on."""
FRONT_LEN = 256
"""Bytes that `detect` is shown."""
MESSAGE = "no route matches"


@dataclass(frozen=True)
class Source:
    """Frames of one direction of one connection."""

    direction: Direction
    frames: list[Frame]


@dataclass(frozen=True)
class Stream:
    """Bytes of one direction of a connection, and how many frames they are."""

    direction: Direction
    data: bytes
    count: int
    repeated: bool

    def cut(self, chunk: int) -> list[bytes]:
        """The bytes as reads of this size bring them."""
        return [self.data[at : at + chunk] for at in range(0, len(self.data), chunk)]


@dataclass(frozen=True)
class Verb:
    """One thing to measure."""

    name: str
    chunk: int | None
    """Bytes fed at a time, where it is fed."""
    calls: int
    """Frames (or calls, for `detect`) of one run."""
    size: int
    """Bytes of one run; 0 where the speed does not depend on them."""
    run: Callable[[], object]
    collect: Callable[[], object]
    """The same, but its results live on: to count what they are made of."""


def build_streams(codec: Codec, sources: Sequence[Source]) -> list[Stream]:
    """Long streams of the sources' frames, each with an id of its own, where the protocol can be continued so.

    A protocol with state may not understand the same frames again: its streams stay as they are. One direction that
    cannot be read without the other gives no stream.
    """
    budget = STREAM_LEN // max(1, len(sources))
    built = (_stream(codec, source, budget) for source in sources)
    return [stream for stream in built if stream is not None]


def _stream(codec: Codec, source: Source, budget: int) -> Stream | None:
    once = b"".join(bytes(frame) for frame in source.frames)
    repeats = max(1, budget // len(once), FRAMES_MIN // len(source.frames))
    repeats = max(1, min(repeats, FRAMES_MAX // len(source.frames)))
    pieces = []
    number = 0
    for _ in range(repeats):
        for frame in source.frames:
            number += 1
            pieces.append(_with_id(codec, frame, number))
    data = b"".join(pieces)
    if _count(codec, source.direction, data) == len(pieces):
        return Stream(source.direction, data, len(pieces), repeated=repeats > 1)
    if _count(codec, source.direction, once) == len(source.frames):
        return Stream(source.direction, once, len(source.frames), repeated=False)
    return None


def _with_id(codec: Codec, frame: Frame, number: int) -> bytes:
    if isinstance(frame.request_id, int):
        try:
            return b"".join(codec.rewrite(frame, request_id=number))
        except EncodeError:
            pass
    return bytes(frame)


def _count(codec: Codec, direction: Direction, data: bytes) -> int | None:
    """How many frames the bytes are; None if they are not whole frames."""
    connection = codec.connection()
    try:
        frames = connection.feed(direction, data)
        connection.eof(direction)
    except MetaProtocolError:
        return None
    return len(frames)


def digest(streams: Sequence[Stream]) -> str:
    """Tells whether two runs measured the same bytes."""
    state = hashlib.sha256()
    for stream in streams:
        state.update(b"%d %d " % (stream.direction, len(stream.data)))
        state.update(stream.data)
    return state.hexdigest()[:16]


def verbs(
    codec: Codec, streams: Sequence[Stream], chunks: Sequence[int]
) -> tuple[list[tuple[Verb, Verb]], list[Verb], dict[str, str]]:
    """The feeding verbs as pairs (`feed`, `feed_batch`) by chunk size, the others, and why verbs are left out."""
    feeding = [(_feed(codec, streams, chunk), _feed_batch(codec, streams, chunk)) for chunk in chunks]
    frames = _at_hand(codec, streams)
    left_out: dict[str, str] = {}
    others = [*_split(codec, frames, left_out), *_fields(codec, frames, left_out)]
    others += _edits(codec, frames, left_out)
    others += _detect(codec, streams, left_out)
    return feeding, others, left_out


def _totals(streams: Sequence[Stream]) -> tuple[int, int]:
    return sum(stream.count for stream in streams), sum(len(stream.data) for stream in streams)


def _feed(codec: Codec, streams: Sequence[Stream], chunk: int) -> Verb:
    work = [(stream.direction, stream.cut(chunk)) for stream in streams]

    def run() -> None:
        for direction, parts in work:
            feed = codec.connection().feed
            for part in parts:
                feed(direction, part)

    def collect() -> list[Any]:
        kept = []
        for direction, parts in work:
            feed = codec.connection().feed
            kept += [feed(direction, part) for part in parts]
        return kept

    return Verb("feed", chunk, *_totals(streams), run, collect)


def _feed_batch(codec: Codec, streams: Sequence[Stream], chunk: int) -> Verb:
    work = [(stream.direction, stream.cut(chunk)) for stream in streams]

    def run() -> None:
        for direction, parts in work:
            feed = codec.connection().feed_batch
            for part in parts:
                batch = feed(direction, part)
                # Columns are made when they are asked for.
                batch.lengths, batch.kinds, batch.request_ids  # noqa: B018

    def collect() -> list[Any]:
        kept: list[Any] = []
        for direction, parts in work:
            feed = codec.connection().feed_batch
            for part in parts:
                batch = feed(direction, part)
                kept.append((batch, batch.lengths, batch.kinds, batch.request_ids))
        return kept

    return Verb("feed_batch", chunk, *_totals(streams), run, collect)


def peer_verb(
    name: str, peer: Callable[[bytes, list[bytes]], int], streams: Sequence[Stream], chunk: int
) -> tuple[Verb, Callable[[], int]]:
    """A peer on the same chunks, and a run of it that tells how many frames it found."""
    work = [(stream.data, stream.cut(chunk)) for stream in streams]

    def count() -> int:
        return sum(peer(data, parts) for data, parts in work)

    return Verb(name, chunk, *_totals(streams), count, count), count


def _at_hand(codec: Codec, streams: Sequence[Stream]) -> list[Frame]:
    frames: list[Frame] = []
    share = max(1, FRAMES_AT_HAND // len(streams))
    for stream in streams:
        frames += codec.connection().feed(stream.direction, stream.data)[:share]
    return frames


def _each(name: str, frames: Sequence[Frame], verb: Callable[[Frame], object], size: int = 0) -> Verb:
    def run() -> None:
        for frame in frames:
            verb(frame)

    return Verb(name, None, len(frames), size, run, lambda: [verb(frame) for frame in frames])


def _split(codec: Codec, frames: Sequence[Frame], left_out: dict[str, str]) -> list[Verb]:
    work = [(frame.direction, bytes(frame)) for frame in frames if _stands_alone(codec, frame)]
    if not work:
        left_out["split"] = "what a frame is depends on those before it"
        return []
    split = codec.split

    def run() -> None:
        for direction, data in work:
            split(data, direction=direction)

    def collect() -> list[Any]:
        return [split(data, direction=direction) for direction, data in work]

    return [Verb("split", None, len(work), sum(len(data) for _, data in work), run, collect)]


def _stands_alone(codec: Codec, frame: Frame) -> bool:
    try:
        return isinstance(codec.split(bytes(frame), direction=frame.direction), Head)
    except DecodeError:
        return False


def _fields(codec: Codec, frames: Sequence[Frame], left_out: dict[str, str]) -> list[Verb]:
    size = sum(map(len, frames))
    shown = codec.fields(frames[0])
    if not shown:
        left_out["fields"] = left_out["field"] = f"{codec.name} reads no metadata of these frames"
        return []
    key = next((key for key in METHOD_KEYS if key in shown), next(iter(shown)))
    return [
        _each("fields", frames, codec.fields, size),
        _each(f"field {key}", frames, lambda frame: codec.field(frame, key)),
    ]


def _edits(codec: Codec, frames: Sequence[Frame], left_out: dict[str, str]) -> list[Verb]:
    found = []
    numbered = [frame for frame in frames if isinstance(frame.request_id, int)]
    requests = [frame for frame in frames if frame.kind is Kind.REQUEST]
    for name, eligible, verb, otherwise in (
        (
            "rewrite id",
            numbered,
            lambda frame: codec.rewrite(frame, request_id=77),
            "no frame has an id that is a number",
        ),
        (
            "reply",
            requests,
            lambda frame: codec.reply(frame, ErrorType.ROUTE_NOT_FOUND, MESSAGE),
            "no frame is a request",
        ),
    ):
        if not eligible:
            left_out[name] = otherwise
            continue
        try:
            verb(eligible[0])
        except EncodeError as error:
            left_out[name] = str(error)
        else:
            found.append(_each(name, eligible, verb))
    return found


def _detect(codec: Codec, streams: Sequence[Stream], left_out: dict[str, str]) -> list[Verb]:
    fronts = [(stream.direction, stream.data[:FRONT_LEN]) for stream in streams]
    if all(codec.detect(front, direction=way) is Detection.NO for way, front in fronts):
        left_out["detect"] = f"{codec.name} recognises none of these streams"
        return []
    work = fronts * max(1, FRAMES_AT_HAND // len(fronts))
    detect = codec.detect

    def run() -> None:
        for direction, front in work:
            detect(front, direction=direction)

    return [Verb("detect", None, len(work), 0, run, lambda: [detect(front, direction=way) for way, front in work])]
