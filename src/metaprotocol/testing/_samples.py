"""Samples: bytes of one direction of a connection, from files."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metaprotocol._model import Direction, Kind
from metaprotocol.errors import DecodeError, MetaProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from metaprotocol._native import Frame
    from metaprotocol.codec import Codec

__all__ = ["Sample", "SampleError", "load_samples", "whole_frames"]

DIRECTIONS = {".c2s": Direction.CLIENT_TO_SERVER, ".s2c": Direction.SERVER_TO_CLIENT}
SUFFIXES = {".bin", ".hex", ".txt", ".pcap", ".pcapng"}
MAX_STREAM_LEN = 4096
"""Bytes of a captured stream that become a sample, unless its first frame is longer."""


class SampleError(MetaProtocolError, ValueError):
    """A file of samples that cannot be used: the message names it, and says what to do."""


@dataclass(frozen=True)
class Sample:
    """Bytes of one direction of a connection, from its start.

    Attributes:
        name: What messages call it: the file's name without its suffix, for captures with the client's port.
        data: The bytes.
        direction: Which way they travel; None if nobody said.
        expected: What must be found in them, as the side file states it: `frames` (each with any of `kind`,
            `request_id`, `stream_id`, `header_len`, `frame_len`, `fields`), `error` (`code`, `offset`), `missing`.
        captured: Whether they come from a capture, where other protocols are to be expected.
    """

    name: str
    data: bytes
    direction: Direction | None = None
    expected: Mapping[str, Any] = field(default_factory=dict)
    captured: bool = False

    def __str__(self) -> str:
        return self.name

    @property
    def broken(self) -> bool:
        """Whether it is said to end in an error or within a frame."""
        return "error" in self.expected or "missing" in self.expected

    @property
    def framed(self) -> bool:
        """Whether there is to be a frame in it."""
        return bool(self.expected.get("frames")) or not self.broken


def load_samples(path: str | Path, codec: Codec | None = None) -> list[Sample]:
    """Read samples from a file or from all files of a folder.

    `.hex` and `.txt` hold hexadecimal digits, with white space and comments from `#` to the end of the line as one
    likes; `.bin` the bytes themselves; `.pcap` and `.pcapng` are captures, of which each direction of each connection
    that is the codec's becomes a sample, cut to a few frames. The direction is told by the end of the name
    (`ask.c2s.hex`, `answer.s2c.bin`), or by a side file `ask.json` with `{"direction": "client_to_server"}`, which may
    also state what must be found (see `Sample.expected`). Where neither says, both are tried with the codec.

    Args:
        path: A file or a folder.
        codec: Whose samples they are: settles directions, and picks the connections of captures. Without it captures
            cannot be read.

    Raises:
        SampleError: If there are none, or a file cannot be used.
    """
    path = Path(path)
    if not path.exists():
        raise SampleError(f"{path}: there is no such file or folder; samples are .hex, .txt, .bin, .pcap or .pcapng")
    files = sorted(found for found in path.iterdir() if found.suffix in SUFFIXES) if path.is_dir() else [path]
    samples = [sample for file in files for sample in _read(file, codec)]
    if not samples:
        raise SampleError(f"{path}: no samples in it; put frames there as .hex, .txt, .bin, .pcap or .pcapng")
    if codec is not None:
        samples = [_directed(codec, sample) for sample in samples]
    return samples


def _read(path: Path, codec: Codec | None) -> Iterator[Sample]:
    if path.suffix in {".pcap", ".pcapng"}:
        if codec is None:
            raise SampleError(f"{path}: whose connections are wanted? Captures are read for a codec")
        yield from _captured(path, codec)
        return
    stem = path.stem
    direction = DIRECTIONS.get(Path(stem).suffix)
    expected: dict[str, Any] = {}
    side = path.with_suffix(".json")
    if side.exists():
        try:
            expected = dict(json.loads(side.read_text(encoding="utf-8")))
            told = expected.pop("direction", None)
            direction = direction if told is None else Direction[str(told).upper()]
        except (ValueError, KeyError, TypeError) as error:
            raise SampleError(
                f"{side}: {error}; a side file is a JSON object whose direction is client_to_server or server_to_client"
            ) from error
    data = path.read_bytes() if path.suffix == ".bin" else _hex(path)
    if not data:
        raise SampleError(f"{path}: it is empty")
    yield Sample(stem, data, direction, expected)


def _hex(path: Path) -> bytes:
    data = bytearray()
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        digits = line.partition("#")[0]
        try:
            data += bytes.fromhex(digits)
        except ValueError as error:
            raise SampleError(
                f"{path}:{number}: {error}; only pairs of hexadecimal digits, white space and # comments belong here"
            ) from error
    return bytes(data)


def _captured(path: Path, codec: Codec) -> Iterator[Sample]:
    found = False
    for name, direction, data in _streams(path):
        frames, _ = whole_frames(codec, direction, data)
        if not frames:
            continue
        found = True
        end = len(frames[0])
        for frame in frames[1:]:
            if frame.offset + len(frame) <= MAX_STREAM_LEN:
                end = frame.offset + len(frame)
        yield Sample(f"{path.stem}-{name}", data[:end], direction, captured=True)
    if not found:
        raise SampleError(f"{path}: no connection in it speaks {codec.name}")


def _streams(path: Path) -> Iterator[tuple[str, Direction, bytes]]:
    """Each direction of each connection, from its start up to the first bytes that the capture lacks."""
    from metaprotocol.captures import Data, Gap, Opened, read_capture

    clients: dict[int, str] = {}
    streams: dict[tuple[int, Direction], bytearray] = {}
    ended: set[tuple[int, Direction]] = set()
    for event in read_capture(path):
        if isinstance(event, Opened):
            clients[event.connection] = event.client.rpartition(":")[2]
        elif isinstance(event, Gap):
            ended.add((event.connection, event.direction))
        elif isinstance(event, Data) and (event.connection, event.direction) not in ended:
            streams.setdefault((event.connection, event.direction), bytearray()).extend(event.data)
    for (connection, direction), data in streams.items():
        suffix = "c2s" if direction is Direction.CLIENT_TO_SERVER else "s2c"
        yield f"{clients[connection]}.{suffix}", direction, bytes(data)


def whole_frames(codec: Codec, direction: Direction, data: bytes) -> tuple[list[Frame], bool]:
    """The frames at the front of a stream, and whether they are all of it."""
    try:
        frames = codec.connection().feed(direction, data)
    except DecodeError as error:
        return list(error.frames), False
    except Exception:  # noqa: BLE001 -- what a broken codec raises is for the checks to tell, with the sample's name
        return [], False
    return frames, sum(map(len, frames)) == len(data)


def _directed(codec: Codec, sample: Sample) -> Sample:
    if sample.direction is not None:
        return sample
    client, server = (whole_frames(codec, way, sample.data) for way in Direction)
    answers = server[1] and all(frame.kind in (Kind.RESPONSE, Kind.ERROR) for frame in server[0])
    backwards = answers or (server[1] and not client[1])
    return replace(sample, direction=Direction.SERVER_TO_CLIENT if backwards else Direction.CLIENT_TO_SERVER)
