"""What the strategies make is what they say."""

from __future__ import annotations

import struct

import pytest
from hypothesis import find, given
from hypothesis import strategies as st
from kit.cutting import feed, seen
from kit.toy import HEADER_LEN, Toy

from metaprotocol import Direction, Kind
from metaprotocol._native import compile_codec
from metaprotocol.testing import Sample
from metaprotocol.testing._samples import whole_frames
from metaprotocol.testing.strategies import chunkings, frames, headers, mutations, streams

from .conftest import ANSWER, ASK, CLIENT, SAMPLES, SERVER, TWO

CODEC = Toy()


@given(stream=streams(SAMPLES, codec=CODEC))
def test_streams_are_whole_frames_of_one_direction(stream: bytes) -> None:
    found = CODEC.connection().feed(CLIENT, stream)
    assert sum(map(len, found)) == len(stream)
    assert {frame.kind for frame in found} <= {Kind.REQUEST, Kind.ONEWAY, Kind.HEARTBEAT}


@given(stream=streams([ASK, Sample("two", TWO, CLIENT)], max_size=2))
def test_without_a_codec_samples_stay_whole(stream: bytes) -> None:
    assert stream in {ASK, TWO, ASK + ASK, ASK + TWO, TWO + ASK, TWO + TWO}


def test_a_direction_without_samples() -> None:
    assert find(streams(SAMPLES, direction=SERVER), bool) == ANSWER
    with pytest.raises(ValueError, match="none of the samples travels server_to_client"):
        streams(SAMPLES[:2], direction=SERVER)


@given(data=st.data(), stream=streams(SAMPLES, codec=CODEC))
def test_pieces_are_the_stream(data: st.DataObject, stream: bytes) -> None:
    pieces = data.draw(chunkings(stream))
    assert b"".join(pieces) == stream
    assert all(pieces)
    whole = [seen(frame) for frame in CODEC.connection().feed(CLIENT, stream)]
    assert [seen(frame) for frame in feed(CODEC.connection(), CLIENT, pieces)] == whole


def test_pieces_of_little() -> None:
    assert find(chunkings(b""), lambda _: True) == []
    assert find(chunkings(b"x"), lambda _: True) == [b"x"]
    assert find(chunkings(b"xyz"), lambda pieces: len(pieces) == 3) == [b"x", b"y", b"z"]


@given(stream=mutations(SAMPLES[0], codec=CODEC, max_len=100))
def test_mutations_are_bounded(stream: bytes) -> None:
    assert len(stream) <= 100


def test_mutations_shrink_to_the_sample_and_reach_frames() -> None:
    assert find(mutations(ASK), lambda _: True) == ASK

    def longer(stream: bytes) -> bool:
        frames, whole = whole_frames(CODEC, CLIENT, stream)
        return whole and len(frames) == 1 and len(stream) > len(ASK)

    # Whoever knows where the length stands makes longer frames.
    assert find(mutations(SAMPLES[0], codec=CODEC), longer)[10:14] != ASK[10:14]


HEADERS = st.builds(
    lambda kind, number, size: struct.pack(">BBIII", ord("T"), kind, number, 0, size),
    st.sampled_from(Kind), st.integers(0, 1 << 31), st.integers(0, 5000),
)  # fmt: skip


@given(frame=frames(CODEC, HEADERS, max_len=1000))
def test_frames_from_headers(frame: bytes) -> None:
    assert len(CODEC.decode(frame, direction=Direction.CLIENT_TO_SERVER)) == len(frame) <= 1000


ACORN = """{metaprotocol: 1, name: acorn, request_id: id, frame: {body: body_len},
header: [{name: magic, type: bytes, len: 2, const: AC}, {name: type, type: u8, in: [1, 2]}, {name: flags, type: u8},
         {name: id, type: u32}, {name: body_len, type: u32}],
kind: {field: type, values: {1: request, 2: response}}}"""
LAYOUT = {
    "name": "acorn",
    "fields": [
        {"name": "magic", "region": "header", "offset": 0, "width": 2, "notes": ["always 0x4143"]},
        {"name": "type", "region": "header", "offset": 2, "width": 1, "notes": ["one of 0x01, 0x02"]},
        {"name": "flags", "region": "header", "offset": 3, "width": 1, "notes": []},
        {"name": "low_flag", "region": "header", "offset": 3, "width": 1, "bits": {"low": 0, "count": 1}, "notes": []},
        {"name": "id", "region": "header", "offset": 4, "width": 4, "notes": ["request id"]},
        {"name": "body_len", "region": "header", "offset": 8, "width": 4, "notes": []},
        {"name": "sum", "region": "trailer", "from_end": 4, "width": 4, "notes": []},
    ],
}
DESCRIBED = compile_codec(ACORN, "acorn.yaml")


@given(frame=frames(DESCRIBED, headers(LAYOUT)))  # type: ignore[arg-type]  # registered to the ABC
def test_frames_from_a_description(frame: bytes) -> None:
    found = DESCRIBED.decode(frame)
    assert found.kind in (Kind.REQUEST, Kind.RESPONSE)
    assert len(found.header) == 12
    assert len(found) == len(frame) <= 4096


def test_a_description_without_a_fixed_front() -> None:
    with pytest.raises(ValueError, match="acorn: no field stands at a fixed place"):
        headers({"name": "acorn", "fields": [{"name": "text", "region": "header", "notes": []}]})


def test_frames_from_nothing_but_a_magic() -> None:
    assert len(find(frames(CODEC, st.just(b"T\0"), max_len=1 << 16), lambda _: True)) >= HEADER_LEN
