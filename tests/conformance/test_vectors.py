"""Every codec's vectors through the suite of `metaprotocol.testing`, and what holds for this project's besides."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from kit.vectors import CODECS, LACKS, TOGETHER, UNMARKED, UNTOLD, Vector, codec_names, vectors

from metaprotocol import Frame, Head, Kind, get_codec
from metaprotocol.testing import CodecConformance

VECTORS = vectors()
WITH_FRAMES = [vector for vector in VECTORS if vector.frames and str(vector) not in TOGETHER]
# Metadata that is the request id by another name.
IDS = ("correlation_id", "seq_id")

# Where codecs are that the package offers as others do: their entry points are there only if it is installed.
OFFERED = tomllib.loads((CODECS.parent / "pyproject.toml").read_text())["project"]["entry-points"][
    "metaprotocol.codecs"
]

for _name in codec_names():
    _body = {"codec": OFFERED.get(_name, _name), "samples": CODECS / _name / "vectors", "__module__": __name__}
    globals()[f"Test{_name.title()}"] = type(f"Test{_name.title()}", (CodecConformance,), _body)


def said(frame: Frame) -> dict[str, Any]:
    """A frame in the words of a vector."""
    told = {
        "kind": frame.kind.name.lower(),
        "request_id": frame.request_id,
        "header_len": len(frame.header),
        "frame_len": len(frame),
        "fields": dict(frame.metadata),
    }
    return told if frame.stream_id is None else {**told, "stream_id": frame.stream_id}


@pytest.mark.parametrize("vector", WITH_FRAMES, ids=str)
class TestFrames:
    """Each frame by itself."""

    def alone(self, vector: Vector) -> list[tuple[dict[str, Any], bytes]]:
        return vector.pieces()

    def test_decode(self, vector: Vector) -> None:
        for expected, data in self.alone(vector):
            for direction in (vector.direction, *([] if vector.codec in UNMARKED or str(vector) in UNTOLD else [None])):
                frame = get_codec(vector.codec).decode(data, direction=direction)
                assert said(frame) == expected
                assert bytes(frame) == data
                assert frame.offset == 0

    def test_split(self, vector: Vector) -> None:
        codec = get_codec(vector.codec)
        for expected, data in self.alone(vector):
            for rest in (b"", data):
                head = codec.split(data + rest, direction=vector.direction)
                assert isinstance(head, Head)
                assert (head.kind, head.request_id) == (Kind[expected["kind"].upper()], expected["request_id"])
                assert (head.frame_len, head.header_len) == (expected["frame_len"], expected["header_len"])

    def test_rewrite_of_nothing_is_the_frame(self, vector: Vector) -> None:
        codec = get_codec(vector.codec)
        for _, data in self.alone(vector):
            frame = codec.decode(data, direction=vector.direction)
            assert b"".join(codec.rewrite(frame)) == data
            assert b"".join(codec.rewrite(frame, request_id=frame.request_id)) == data

    def test_the_id_alone(self, vector: Vector) -> None:
        codec = get_codec(vector.codec)
        for expected, data in self.alone(vector):
            if expected["request_id"] is None:
                continue  # a protocol without ids has none to write
            frame = codec.decode(data, direction=vector.direction)
            again = codec.decode(b"".join(codec.rewrite(frame, request_id=0x01020304)), direction=vector.direction)
            assert again.request_id == 0x01020304
            assert {**said(again), "fields": {}, "request_id": 0, "header_len": 0, "frame_len": 0} == {
                **expected, "fields": {}, "request_id": 0, "header_len": 0, "frame_len": 0,
            }  # fmt: skip
            changed = {key: 0x01020304 for key in IDS if key in expected["fields"]}
            assert dict(again.metadata) == {**expected["fields"], **changed}


@pytest.mark.parametrize("name", codec_names())
class TestFolder:
    """What every codec's folder holds; this names what is missing."""

    def test_it_is_registered(self, name: str) -> None:
        assert get_codec(name).name == name

    def test_it_is_described(self, name: str) -> None:
        assert (CODECS / name / "README.md").stat().st_size > 1000

    def test_vectors_are_pairs_and_say_where_they_come_from(self, name: str) -> None:
        folder = CODECS / name / "vectors"
        assert {path.stem for path in folder.glob("*.bin")} == {path.stem for path in folder.glob("*.json")} != set()
        for vector in VECTORS:
            if vector.codec == name:
                assert vector.expected["origin"]
                assert set(vector.expected) <= {"origin", "direction", "frames", "error", "missing"}
                assert vector.frames or "error" in vector.expected or "missing" in vector.expected

    def test_vectors_show_every_way_to_end(self, name: str) -> None:
        mine = [vector.expected for vector in VECTORS if vector.codec == name]
        assert any("missing" in expected for expected in mine)
        codes = {expected["error"]["code"] for expected in mine if "error" in expected}
        lacks = LACKS.get(name, set())
        assert codes >= {"bad_magic", "bad_length", "limit_exceeded"} - lacks
        kinds = {frame["kind"] for expected in mine for frame in expected["frames"]}
        assert kinds >= {"request", "response", "oneway", "error"} - lacks

    def test_the_generator_makes_them(self, name: str, tmp_path: Path) -> None:
        folder = CODECS / name / "vectors"
        shutil.copy(folder / "make.py", tmp_path)
        kit = {"PYTHONPATH": str(CODECS.parent / "tests")}
        subprocess.run([sys.executable, tmp_path / "make.py"], check=True, timeout=60, capture_output=True, env=kit)
        made = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.suffix in (".bin", ".json")}
        kept = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".bin", ".json")}
        assert made.keys() == kept.keys()
        assert made == kept
