"""Samples come from files, and what cannot be used is told with its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from kit.toy import Toy, toy_frame
from kit.vectors import CODECS

from metaprotocol import Direction, Kind, get_codec
from metaprotocol.testing import Sample, SampleError, load_samples

from .conftest import ANSWER, ASK, CLIENT, SERVER, TWO

CAPTURE = CODECS.parent / "tests" / "captures" / "dubbo" / "dubbo-2.7-exceptions.pcap"


def test_each_form(samples: Path) -> None:
    assert load_samples(samples) == [
        Sample("answer.s2c", ANSWER, SERVER), Sample("ask.c2s", ASK, CLIENT), Sample("two.c2s", TWO, CLIENT),
    ]  # fmt: skip
    assert load_samples(samples / "ask.c2s.bin") == [Sample("ask.c2s", ASK, CLIENT)]


def test_a_side_file_says_more(tmp_path: Path) -> None:
    (tmp_path / "half.txt").write_text("54 00 # a half\n\n")
    (tmp_path / "half.json").write_text(json.dumps({"direction": "server_to_client", "missing": 12}))
    [sample] = load_samples(tmp_path)
    assert sample == Sample("half", b"T\0", SERVER, {"missing": 12})
    assert (sample.broken, sample.framed) == (True, False)


def test_the_codec_settles_the_direction(tmp_path: Path) -> None:
    for name, data in (("ask", ASK), ("answer", ANSWER), ("junk", b"junk")):
        (tmp_path / f"{name}.bin").write_bytes(data)
    ways = {sample.name: sample.direction for sample in load_samples(tmp_path, Toy())}
    assert ways == {"ask": CLIENT, "answer": SERVER, "junk": CLIENT}
    assert {sample.direction for sample in load_samples(tmp_path)} == {None}
    thrift = bytes.fromhex("00000011800100020000000470696e670000000700")
    (tmp_path / "reply.bin").write_bytes(thrift)
    assert load_samples(tmp_path / "reply.bin", get_codec("thrift"))[0].direction is SERVER


def test_captures_are_cut_to_a_few_frames() -> None:
    codec = get_codec("dubbo")
    samples = load_samples(CAPTURE, codec)
    assert {sample.direction for sample in samples} == set(Direction)
    for sample in samples:
        assert sample.direction is not None
        frames = codec.connection().feed(sample.direction, sample.data)
        assert sum(map(len, frames)) == len(sample.data)
        assert len(sample.data) <= 4096 or len(frames) == 1
    with pytest.raises(SampleError, match="no connection in it speaks thrift"):
        load_samples(CAPTURE, get_codec("thrift"))
    with pytest.raises(SampleError, match="whose connections"):
        load_samples(CAPTURE)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("bad.hex", "54 00\n5", r"bad\.hex:2: .*only pairs of hexadecimal digits"),
        ("bad.txt", "zz", r"bad\.txt:1: "),
        ("empty.bin", "", "it is empty"),
        ("a.json", "{}", "no samples in it"),
    ],
)
def test_what_cannot_be_used(name: str, content: str, told: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(SampleError, match=told):
        load_samples(tmp_path)


@pytest.mark.parametrize("side", ["[", "[]x", '{"direction": "up"}', "3"])
def test_a_side_file_that_is_none(side: str, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(toy_frame(Kind.REQUEST, 1))
    (tmp_path / "a.json").write_text(side)
    with pytest.raises(SampleError, match=r"a\.json: .*a side file is a JSON object"):
        load_samples(tmp_path)


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(SampleError, match="there is no such file or folder"):
        load_samples(tmp_path / "nowhere")
