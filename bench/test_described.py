"""Formats as descriptions in YAML and by hand in Rust: built in (Dubbo, tRPC), or as a user's plugins.

What the same codecs take inside the core, with no ABI between, is counted by `bench/instructions.py`.
"""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from streams import CHUNKS, SIZES, chunks

import metaprotocol
from metaprotocol import _native

if TYPE_CHECKING:
    from collections.abc import Callable

CLIENT = metaprotocol.Direction.CLIENT_TO_SERVER
ROOT = Path(__file__).parents[1]
DESCRIPTIONS = ROOT / "native" / "spec" / "tests" / "descriptions"
BODY = bytes(64)
# A request of each format of native/spec/tests/by_hand, its body as long as BODY.
FRAMES = {
    "acorn": b"AC\x01\x07\0\0\0\x09\0\0\0\x40weather",
    "acornmid": b"AC\x01\0\0\0\x09\x07weather\0\0\0\x40",
    "courier": b"CR\x01\0\0\0\0\x07\0\x0b\0\x40orders/list",
    "varints": b"\x56\0\xac\x02\x0borders/list\x40",
    "tlv": b"TL\0\x15\0\0\0\x40\x01\x04\0\0\0\x2a\x02\x06orders\x04\x01\0\x09\x02hi",
}
FRAMES_PER_STREAM = 20_000


@cache
def by_hand() -> dict[str, metaprotocol.Codec]:
    """The formats in Rust, built as one library of plugins."""
    build = ["cargo", "build", "--release", "-q", "-p", "metaprotocol-plugin", "--example", "formats"]
    subprocess.run(build, check=True, cwd=ROOT)
    library = "libformats.dylib" if sys.platform == "darwin" else "libformats.so"
    return {
        codec.name: codec for codec in _native.open_library(str(ROOT / "target" / "release" / "examples" / library))
    }


def described(name: str) -> metaprotocol.Codec:
    path = DESCRIPTIONS / f"{name}.yaml"
    return _native.compile_codec(path.read_text(encoding="utf-8"), str(path))


def pieces(name: str) -> list[bytes]:
    stream = (FRAMES[name] + BODY) * FRAMES_PER_STREAM
    return [stream[at : at + CHUNKS[1]] for at in range(0, len(stream), CHUNKS[1])]


@pytest.mark.parametrize("contender", ["by hand in Rust, a plugin", "its description in YAML"])
@pytest.mark.parametrize("name", FRAMES)
def test_format(race: Callable[..., None], name: str, contender: str) -> None:
    codec = described(name) if "YAML" in contender else by_hand()[name]
    data = pieces(name)

    def run() -> int:
        connection = codec.connection()
        found = sum(len(connection.feed_batch(CLIENT, part).offsets) for part in data)
        assert found == FRAMES_PER_STREAM
        return found

    size = len(FRAMES[name] + BODY)
    race(f"{name}, described and by hand, {size} B frames", contender, run, FRAMES_PER_STREAM, size=size)


@pytest.mark.parametrize("contender", ["the codec in Rust", "its description in YAML"])
@pytest.mark.parametrize("verb", ["feed", "feed_batch"])
@pytest.mark.parametrize("size", SIZES[:3])
@pytest.mark.parametrize("protocol", ["dubbo", "trpc"])
def test_built_in(race: Callable[..., None], protocol: str, size: int, verb: str, contender: str) -> None:
    """Headers by their own codec and by a description of them."""
    data, count = chunks(protocol, size, CHUNKS[1])
    codec = described(protocol) if "YAML" in contender else metaprotocol.get_codec(protocol)

    def run() -> int:
        connection = codec.connection()
        if verb == "feed":
            return sum(len(connection.feed(CLIENT, part)) for part in data)
        return sum(len(connection.feed_batch(CLIENT, part).offsets) for part in data)

    race(f"{protocol} in YAML, {verb}, {size} B frames", contender, run, count, size=size)


def test_described_only(race: Callable[..., None]) -> None:
    """A protocol that has only a description: a header of 27 fields."""
    data, count = chunks("qza", 512, CHUNKS[1])
    codec = metaprotocol.get_codec("qza")

    def run() -> int:
        connection = codec.connection()
        return sum(len(connection.feed_batch(CLIENT, part).offsets) for part in data)

    race("QZA, 512 B frames", "metaprotocol feed_batch", run, count, size=512)
