"""Which frames a codec is measured with: those of a capture, of the user's samples, or of the package's own."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

from metaprotocol import Codec, Direction, Frame, Kind
from metaprotocol.captures import is_capture, read_conversations
from metaprotocol.cli._bench_work import Source
from metaprotocol.cli._codec import codec_of
from metaprotocol.cli._terminal import Failure, usage
from metaprotocol.errors import CaptureError, DecodeError
from metaprotocol.testing._samples import SampleError, load_samples

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["gather"]

SOURCES_MAX = 64
"""Connections of a capture that are measured."""


def gather(subject: str, protocol: str | None, samples: Path | None) -> tuple[Codec, list[Source], str]:
    """The codec to measure, frames for it, and where they come from.

    Args:
        subject: A codec, or a capture.
        protocol: The protocol of a capture.
        samples: A file or folder of samples.

    Raises:
        Failure: If there are no frames.
    """
    path = Path(subject)
    try:
        captured = path.is_file() and is_capture(path)
    except OSError as error:
        raise Failure(f"{subject}: {error.strerror or error}") from None
    if captured:
        if samples is not None:
            usage("a capture is measured with its own frames: give a codec with --samples")
        return _of_capture(path, protocol)
    if protocol is not None:
        usage(f"--protocol says what a capture holds, and {subject} is none")
    codec = codec_of(subject)
    if samples is not None:
        return codec, _of_samples(codec, samples), str(samples)
    shipped = files("metaprotocol").joinpath("samples", codec.name)
    if not shipped.is_dir():
        raise Failure(
            f"{codec.name} comes without samples: give some with --samples (a folder of .hex, .bin or .pcap files), or "
            "measure a capture: metaprotocol bench FILE.pcap",
            exit_code=2,
        )
    with as_file(shipped) as folder:
        return codec, _of_samples(codec, folder), "the samples of the package"


def _of_capture(path: Path, protocol: str | None) -> tuple[Codec, list[Source], str]:
    codecs = None if protocol is None else [codec_of(protocol)]
    try:
        conversations = read_conversations(path, codecs=codecs)
    except (CaptureError, OSError) as error:
        raise Failure(f"{path}: {error}") from None
    by_codec: dict[str, list[list[Frame]]] = {}
    known: dict[str, Codec] = {}
    for conversation in conversations:
        if conversation.codec is not None and conversation.frames:
            known[conversation.codec.name] = conversation.codec
            by_codec.setdefault(conversation.codec.name, []).append([frame for _, frame in conversation.frames])
    if not by_codec:
        raise Failure(f"{path}: no codec recognises a connection of it; name one with --protocol")
    if len(by_codec) > 1:
        usage(f"{path} holds {', '.join(sorted(by_codec))}: choose one with --protocol")
    [(name, connections)] = by_codec.items()
    sources = _directed(connections)[:SOURCES_MAX]
    return known[name], sources, path.name


def _of_samples(codec: Codec, path: Path) -> list[Source]:
    try:
        loaded = load_samples(path, codec)
    except SampleError as error:
        raise Failure(str(error)) from None
    connections = []
    for sample in loaded:
        if sample.broken or sample.direction is None:
            continue
        try:
            connections.append(codec.connection().feed(sample.direction, sample.data))
        except DecodeError as error:
            raise Failure(f"{path}: sample {sample.name}: {error}") from None
    sources = _directed(connections)
    if not sources:
        raise Failure(f"{path}: no sample holds a whole frame of {codec.name}")
    return sources


def _directed(connections: Iterable[list[Frame]]) -> list[Source]:
    """The clients' frames; the servers' where no client has any."""
    sources = []
    for frames in connections:
        for way in Direction:
            mine = [frame for frame in frames if frame.direction is way]
            if mine:
                sources.append(Source(way, mine))
    requests = [source for source in sources if any(frame.kind is Kind.REQUEST for frame in source.frames)]
    return requests or sources
