"""Captures (pcap, pcapng) as streams of bytes, and as frames of the codecs that recognise them.

`metaprotocol decode` shows the calls of a capture; this module gives a program the bytes and frames themselves:

```python
for conversation in read_conversations("calls.pcap"):
    for time_ns, frame in conversation.frames:
        print(conversation.client, frame.kind.name, frame.metadata.get("method"))
```

What is read is held in memory: this is for captures that fit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from metaprotocol import _native
from metaprotocol._model import Detection, Direction
from metaprotocol._registry import get_codec, list_codecs
from metaprotocol.errors import CaptureError, DecodeError, MetaProtocolError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Sequence

    from metaprotocol._native import Frame, Limits
    from metaprotocol.codec import Codec, Connection

__all__ = [
    "CapturedFrame",
    "Closed",
    "Conversation",
    "Data",
    "Event",
    "Gap",
    "HalfClosed",
    "Opened",
    "is_capture",
    "read_capture",
    "read_conversations",
]

CHUNK = 512 << 10
DETECT_MAX = 4 << 10
"""Bytes of a direction in which a protocol is looked for."""


class Opened(NamedTuple):
    """A TCP connection: the first event of each."""

    connection: int
    """Its number in the capture."""
    time_ns: int
    """Of the packet, in nanoseconds since the Unix epoch, as in all events."""
    client: str
    """Address and port of who opened it."""
    server: str
    """Address and port of who was connected to."""
    midstream: bool
    """The capture began in its middle: the roles are a guess, and the first byte given need not be the first sent."""


class Data(NamedTuple):
    """The next bytes of one direction; none comes twice."""

    connection: int
    time_ns: int
    direction: Direction
    offset: int
    """Of the first byte in its direction's stream, gaps included."""
    data: bytes


class Gap(NamedTuple):
    """Bytes that the capture lacks. The stream goes on behind them."""

    connection: int
    time_ns: int
    direction: Direction
    offset: int
    missing: int
    """How many bytes."""


class HalfClosed(NamedTuple):
    """One direction ended in good order; the other may go on."""

    connection: int
    time_ns: int
    direction: Direction


class Closed(NamedTuple):
    """The last event of each connection."""

    connection: int
    time_ns: int
    reason: str
    """`fin`, `rst`, `idle`, `evicted`, `replaced` or `end_of_capture`."""


Event = Opened | Data | Gap | HalfClosed | Closed

_WAYS = (Direction.CLIENT_TO_SERVER, Direction.SERVER_TO_CLIENT)


def _event(name: str, *values: Any) -> Event:  # noqa: ANN401 -- each event has its own
    if name == "opened":
        return Opened(*values)
    if name == "closed":
        return Closed(*values)
    connection, time_ns, way, *rest = values
    of: type[Data | Gap | HalfClosed] = {"data": Data, "gap": Gap, "half_closed": HalfClosed}[name]
    return of(connection, time_ns, _WAYS[way], *rest)


def is_capture(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins like a pcap or pcapng file.

    Raises:
        OSError: If it cannot be read.
    """
    with Path(path).open("rb") as file:
        return _native.is_capture(file.read(4))


def read_capture(source: str | os.PathLike[str] | IO[bytes]) -> Iterator[Event]:
    """What happened on the TCP connections of a capture, in the order of its packets.

    Streams are put together whatever the order of the segments; for each direction the `Data` and `Gap` events tile the
    stream. A capture that ends within a record gives what is whole.

    Args:
        source: A path, or a binary file that is open.

    Raises:
        CaptureError: Where the file is no capture, or no longer one; the events before it have been given.
        OSError: If it cannot be read.
    """
    if not hasattr(source, "read"):
        with Path(source).open("rb") as file:
            yield from read_capture(file)
        return
    reader = _native.CaptureReader()
    raw: list[tuple[Any, ...]] = []
    failure = None
    while failure is None and (chunk := source.read(CHUNK)):
        try:
            reader.push(chunk, raw)
        except CaptureError as error:
            failure = error
        yield from (_event(*event) for event in raw)
        raw.clear()
    try:
        reader.finish(raw)
    except CaptureError as error:
        failure = error
    yield from (_event(*event) for event in raw)
    if failure is not None:
        raise failure


class CapturedFrame(NamedTuple):
    """A frame, and when the packet with its last byte was captured."""

    time_ns: int
    frame: Frame


@dataclass
class Conversation:
    """One TCP connection of a capture, decoded.

    Responses are paired: `frame.request` is the request that a response answers.
    """

    number: int
    """Of the connection in the capture."""
    client: str
    """Address and port of who opened it."""
    server: str
    """Address and port of who was connected to."""
    midstream: bool
    """The capture began in its middle."""
    codec: Codec | None = None
    """Who recognised it; None if nobody did."""
    frames: list[CapturedFrame] = field(default_factory=list)
    """What was decoded, in the order of the capture."""
    missing: int = 0
    """Bytes that the capture lacks. A direction is decoded up to its first gap."""
    error: DecodeError | None = None
    """What ended the decoding of a direction early."""
    unfinished: dict[Direction, int] = field(default_factory=dict)
    """Directions that end within a frame, with the bytes it still needs."""


class _Reading:
    """A conversation while it is read."""

    def __init__(self, opened: Opened) -> None:
        self.conversation = Conversation(opened.connection, opened.client, opened.server, opened.midstream)
        self.connection: Connection | None = None
        self.held: list[Data] = []
        self.fronts: dict[Direction, bytearray] = {way: bytearray() for way in _WAYS}
        self.ended: set[Direction] = set()

    def recognised(self, codecs: Sequence[Codec]) -> Codec | None:
        """The only codec that claims the front of a direction, as the registry has it."""
        for way, front in self.fronts.items():
            if front:
                claims = [codec for codec in codecs if codec.detect(bytes(front), direction=way) is Detection.YES]
                if len(claims) == 1:
                    return claims[0]
        return None

    def feed(self, event: Data) -> None:
        if event.direction in self.ended or self.connection is None:
            return
        try:
            frames = self.connection.feed(event.direction, event.data)
        except DecodeError as error:
            self.conversation.error = self.conversation.error or error
            self.ended.add(event.direction)
            frames = list(error.frames)
        for frame in frames:
            self.connection.pair(frame)
            self.conversation.frames.append(CapturedFrame(event.time_ns, frame))

    def take(self, event: Data, codecs: Sequence[Codec], limits: Limits | None) -> None:
        if self.connection is None:
            front = self.fronts[event.direction]
            if len(front) >= DETECT_MAX:
                return
            self.held.append(event)
            front += event.data[: DETECT_MAX - len(front)]
            codec = codecs[0] if len(codecs) == 1 else self.recognised(codecs)
            if codec is None:
                return
            self.conversation.codec = codec
            self.connection = codec.connection(limits=limits)
            for held in self.held:
                self.feed(held)
            self.held.clear()
        else:
            self.feed(event)

    def gap(self, event: Gap) -> None:
        self.conversation.missing += event.missing
        self.ended.add(event.direction)

    def done(self) -> None:
        if self.connection is not None:
            missing = {way: self.connection.missing(way) for way in _WAYS if way not in self.ended}
            self.conversation.unfinished = {way: count for way, count in missing.items() if count}


def _all_codecs() -> list[Codec]:
    """Every codec that can be loaded: one broken package must not keep the others from their captures."""
    codecs = []
    for name in list_codecs():
        try:
            codecs.append(get_codec(name))
        except MetaProtocolError:
            continue
    return codecs


def read_conversations(
    source: str | os.PathLike[str] | IO[bytes],
    *,
    codecs: Iterable[Codec] | None = None,
    limits: Limits | None = None,
) -> list[Conversation]:
    """The TCP connections of a capture that carry data, decoded into frames, in the order of opening.

    Args:
        source: A path, or a binary file that is open.
        codecs: Who may recognise a connection; all codecs there are if None. A single one gets every connection,
            whatever its bytes.
        limits: Bounds on what a peer may make us hold.

    Raises:
        CaptureError: If the file is no capture, or no longer one somewhere.
        OSError: If it cannot be read.
    """
    candidates = _all_codecs() if codecs is None else list(codecs)
    readings: dict[int, _Reading] = {}
    silent: set[int] = set()
    for event in read_capture(source):
        if isinstance(event, Opened):
            readings[event.connection] = _Reading(event)
            silent.add(event.connection)
        elif isinstance(event, Data):
            silent.discard(event.connection)
            readings[event.connection].take(event, candidates, limits)
        elif isinstance(event, Gap):
            readings[event.connection].gap(event)
        elif isinstance(event, Closed):
            readings[event.connection].done()
    return [reading.conversation for number, reading in readings.items() if number not in silent]
