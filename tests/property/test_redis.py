"""Redis beside hiredis: whatever values and commands, however cut, both find the same."""

from __future__ import annotations

import itertools
import math
from typing import Any

import hiredis
from hypothesis import given
from hypothesis import strategies as st

from metaprotocol import DecodeError, Direction, Frame, Kind, get_codec

CODEC = get_codec("redis")
CLIENT, SERVER = Direction
LINES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=20).map(str.encode)
TEXTS = st.one_of(st.binary(max_size=40), st.binary(min_size=4090, max_size=4100))


def sized(mark: bytes, data: bytes) -> bytes:
    return mark + b"%d\r\n" % len(data) + data + b"\r\n"


def counted(mark: bytes, all_: list[bytes], each: int = 1) -> bytes:
    return mark + b"%d\r\n" % (len(all_) // each) + b"".join(all_)


RESP2_SCALARS = st.one_of(
    LINES.map(lambda text: b"+" + text + b"\r\n"),
    LINES.map(lambda text: b"-ERR " + text + b"\r\n"),
    st.integers(-(2**63), 2**63 - 1).map(lambda number: b":%d\r\n" % number),
    TEXTS.map(lambda data: sized(b"$", data)),
    st.sampled_from([b"$-1\r\n", b"*-1\r\n"]),
)
RESP3_SCALARS = st.one_of(
    RESP2_SCALARS,
    st.floats(allow_nan=False).map(lambda number: b"," + repr(number).encode() + b"\r\n"),
    st.sampled_from([b"_\r\n", b"#t\r\n", b"#f\r\n", b",nan\r\n"]),
    st.integers(-(10**40), 10**40).map(lambda number: b"(%d\r\n" % number),
    st.binary(max_size=40).map(lambda data: sized(b"=", b"txt:" + data)),
)
# What hiredis can have as the key of a dict.
KEYS = st.integers(0, 10**6).map(lambda number: b"$%d\r\nk%d\r\n" % (len(str(number)) + 1, number))


def arrays(values: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.lists(values, max_size=5).map(lambda all_: counted(b"*", all_))


def aggregates(values: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    pairs = st.lists(st.tuples(KEYS, values), max_size=4, unique_by=lambda pair: pair[0])
    return st.one_of(
        arrays(values),
        st.lists(values, max_size=5).map(lambda all_: counted(b"~", all_)),
        pairs.map(lambda all_: counted(b"%", [part for pair in all_ for part in pair], 2)),
    )


RESP2 = st.recursive(RESP2_SCALARS, arrays, max_leaves=12)
RESP3 = st.recursive(RESP3_SCALARS, aggregates, max_leaves=12)
CUTS = st.lists(st.floats(0, 1, exclude_max=True), max_size=8)


def cut(data: bytes, places: list[float]) -> list[bytes]:
    """The stream in pieces; each place is a share of its length."""
    at = sorted({0, len(data), *(int(place * len(data)) for place in places)})
    return [data[start:end] for start, end in itertools.pairwise(at)]


def same(frame: Frame, path: str, seen: Any) -> None:
    """What hiredis read of a value, as our metadata has it."""
    if isinstance(seen, dict):
        seen = [part for pair in seen.items() for part in pair]
    if isinstance(seen, list):
        for at, element in enumerate(seen):
            same(frame, f"{path}.{at}", element)
        assert frame.metadata.get(f"{path}.{len(seen)}") is None
        return
    mine = frame.metadata.get("full_value" if path == "value" else path)
    if isinstance(seen, hiredis.ReplyError):
        if path == "value":
            mine = f"{frame.metadata['error_code']} {frame.metadata['error_message']}"
        assert mine == str(seen)
    elif isinstance(seen, bool):
        assert mine == str(seen).lower()
    elif isinstance(seen, float):
        assert float(str(mine)) == seen or math.isnan(seen)
    elif isinstance(seen, bytes):
        assert mine == seen.decode("utf-8", "replace")
    elif isinstance(seen, int):
        assert int(str(mine)) == seen
    else:
        assert (seen, mine) == (None, None)


def compare(stream: bytes, places: list[float]) -> None:
    reader = hiredis.Reader(errors="replace")
    connection = CODEC.connection()
    frames: list[Frame] = []
    values = []
    for piece in cut(stream, places):
        reader.feed(piece)
        while (value := reader.gets()) is not False:
            values.append(value)
        frames += connection.feed(SERVER, piece)
        assert len(frames) >= len(values)
    assert len(frames) == len(values)
    assert b"".join(map(bytes, frames)) == stream
    for frame, value in zip(frames, values, strict=True):
        assert (frame.kind is Kind.ERROR) == isinstance(value, hiredis.ReplyError)
        same(frame, "value", value)


@given(values=st.lists(RESP2, min_size=1, max_size=6), places=CUTS)
def test_values_of_resp2(values: list[bytes], places: list[float]) -> None:
    compare(b"".join(values), places)


@given(values=st.lists(RESP3, min_size=1, max_size=6), places=CUTS)
def test_values_of_resp3(values: list[bytes], places: list[float]) -> None:
    compare(b"".join(values), places)


@given(words=st.lists(st.one_of(st.binary(max_size=30), st.text(max_size=10), st.integers()), min_size=1), places=CUTS)
def test_commands(words: list[bytes | str | int], places: list[float]) -> None:
    """Commands as hiredis packs them."""
    stream = hiredis.pack_command(("MGET", *words))
    connection = CODEC.connection()
    frames = [frame for piece in cut(stream, places) for frame in connection.feed(CLIENT, piece)]
    [frame] = frames
    assert (frame.metadata["command"], frame.metadata["key_count"]) == ("MGET", len(words))
    for at, word in enumerate(words):
        data = word if isinstance(word, bytes) else str(word).encode()
        assert frame.metadata[f"key.{at}"] == data.decode("utf-8", "replace")
    prefixed = b"".join(CODEC.rewrite(frame, set={"key_prefix": "p:"}))
    data = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    assert prefixed == hiredis.pack_command(("MGET", *(b"p:" + word for word in data)))


@given(data=st.binary(max_size=60), mark=st.sampled_from(b"+-:$*%~>,#_(=!|"))
def test_what_we_read_hiredis_reads(data: bytes, mark: int) -> None:
    """We are the stricter: whatever is a frame to us, hiredis takes, too."""
    stream = bytes([mark]) + data
    try:
        frames = CODEC.connection().feed(SERVER, stream)
    except DecodeError as error:
        frames = list(error.frames)
    # Of these hiredis knows no more than their beginning, or nothing.
    if mark in b"!|>" or b"?" in data:
        return
    reader = hiredis.Reader(errors="replace")
    for frame in frames[:1]:
        reader.feed(bytes(frame))
        assert reader.gets() is not False
