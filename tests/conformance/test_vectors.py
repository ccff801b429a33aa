"""One runner over the vectors of every codec."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import Cuts
from kit.cutting import feed, receive
from kit.vectors import CODECS, Vector, codec_names, vectors

from metaprotocol import (
    Connection,
    DecodeError,
    Direction,
    EncodeError,
    Frame,
    Head,
    IncompleteFrame,
    Kind,
    LimitExceeded,
    Limits,
    NeedMore,
    get_codec,
)

VECTORS = vectors()
WITH_FRAMES = [vector for vector in VECTORS if vector.frames]
# A thousand cuts of a few bytes each take long enough.
CUTS_EACH = 400


# Where nothing in the bytes tells requests from responses, the caller has to say which way they go.
UNTOLD = {"awesomerpc", "qza", "zork"}
ERRORS = {
    "awesomerpc": {"bad_length", "limit_exceeded"},
    "qza": {"bad_length", "limit_exceeded"},
    # Sixteen bits of length are below every limit, and none of them is too short.
    "zork": {"bad_magic"},
}
KINDS = {
    "awesomerpc": {"request", "response", "error"},
    "qza": {"request", "response", "error"},
    "zork": {"request", "response"},
}


def said(frame: Frame) -> dict[str, Any]:
    """A frame in the words of a vector."""
    return {
        "kind": frame.kind.name.lower(),
        "request_id": frame.request_id,
        "header_len": len(frame.header),
        "frame_len": len(frame),
        "fields": dict(frame.metadata),
    }


def read(connection: Connection, vector: Vector, pieces: list[bytes], how: Any) -> dict[str, Any]:
    """What a connection makes of the pieces, in the words of a vector."""
    found: dict[str, Any] = {"frames": []}
    try:
        for piece in pieces:
            found["frames"] += map(said, how(connection, vector.direction, [piece]))
        connection.eof(vector.direction)
    except IncompleteFrame as error:
        found["missing"] = error.missing
    except DecodeError as error:
        found["frames"] += map(said, error.frames)
        found["error"] = {"code": error.code, "offset": error.offset}
    return found


def batches(connection: Connection, direction: Direction, pieces: list[bytes]) -> list[Frame]:
    return [frame for piece in pieces for frame in connection.feed_batch(direction, piece)]


@pytest.mark.parametrize("vector", VECTORS, ids=str)
@pytest.mark.parametrize("how", [feed, receive, batches])
def test_what_is_found(vector: Vector, how: Any, cuts: Cuts) -> None:
    expected = {key: vector.expected[key] for key in ("frames", "error", "missing") if key in vector.expected}
    for pieces in list(cuts(vector.data))[:CUTS_EACH]:
        found = read(get_codec(vector.codec).connection(), vector, pieces, how)
        assert found == expected


@pytest.mark.parametrize("vector", WITH_FRAMES, ids=str)
class TestFrames:
    """Each frame by itself: a connection's first frame must be able to do without the others."""

    def alone(self, vector: Vector) -> list[tuple[dict[str, Any], bytes]]:
        return vector.pieces()

    def test_decode(self, vector: Vector) -> None:
        for expected, data in self.alone(vector):
            for direction in (vector.direction,) if vector.codec in UNTOLD else (vector.direction, None):
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

    def test_truncation_never_yields_a_frame(self, vector: Vector) -> None:
        codec = get_codec(vector.codec)
        for expected, data in self.alone(vector):
            for length in range(len(data)):
                with pytest.raises(IncompleteFrame) as caught:
                    codec.decode(data[:length], direction=vector.direction)
                assert 1 <= caught.value.missing <= len(data) - length
                assert caught.value.have == length
                answer = codec.split(data[:length], direction=vector.direction)
                if isinstance(answer, NeedMore):
                    assert answer.at_least <= len(data) - length
                else:
                    assert answer.frame_len == expected["frame_len"]

    def test_trailing_bytes(self, vector: Vector) -> None:
        codec = get_codec(vector.codec)
        for _, data in self.alone(vector):
            for extra in (b"\0", data):
                with pytest.raises(DecodeError, match="where exactly one was expected") as caught:
                    codec.decode(data + extra, direction=vector.direction)
                assert (caught.value.code, caught.value.offset) == ("trailing_bytes", len(data))

    def test_back_to_back(self, vector: Vector, cuts: Cuts) -> None:
        for expected, data in self.alone(vector):
            for pieces in list(cuts(data * 3))[:CUTS_EACH]:
                frames = feed(get_codec(vector.codec).connection(), vector.direction, pieces)
                assert [said(frame) for frame in frames] == [expected] * 3

    def test_the_frame_limit(self, vector: Vector) -> None:
        codec = get_codec(vector.codec)
        for _, data in self.alone(vector):
            at_most, below = Limits(max_frame_len=len(data)), Limits(max_frame_len=len(data) - 1)
            assert len(codec.connection(limits=at_most).feed(vector.direction, data)) == 1
            assert bytes(codec.decode(data, limits=at_most, direction=vector.direction)) == data
            for attempt in (
                lambda data=data, below=below: codec.connection(limits=below).feed(vector.direction, data),
                lambda data=data, below=below: codec.decode(data, limits=below, direction=vector.direction),
                lambda data=data, below=below: codec.split(data, limits=below, direction=vector.direction),
            ):
                with pytest.raises(LimitExceeded) as caught:
                    attempt()
                assert (caught.value.limit, caught.value.maximum) == ("max_frame_len", len(data) - 1)

    def test_the_header_limit(self, vector: Vector) -> None:
        codec = get_codec(vector.codec)
        for expected, data in self.alone(vector):
            header_len = expected["header_len"]
            assert len(codec.connection(limits=Limits(max_header_len=header_len)).feed(vector.direction, data)) == 1
            with pytest.raises(LimitExceeded) as caught:
                codec.connection(limits=Limits(max_header_len=header_len - 1)).feed(vector.direction, data)
            assert (caught.value.limit, caught.value.maximum) == ("max_header_len", header_len - 1)

    def test_single_look_ups_agree_with_the_whole(self, vector: Vector) -> None:
        codec = get_codec(vector.codec)
        for expected, data in self.alone(vector):
            frame = codec.decode(data, direction=vector.direction)
            assert {key: frame.metadata[key] for key in expected["fields"]} == expected["fields"]
            assert {key: codec.field(frame, key) for key in expected["fields"]} == expected["fields"]
            assert codec.fields(frame) == expected["fields"]

    def test_rewrite_of_nothing_is_the_frame(self, vector: Vector) -> None:
        codec = get_codec(vector.codec)
        for _, data in self.alone(vector):
            frame = codec.decode(data, direction=vector.direction)
            assert b"".join(codec.rewrite(frame)) == data
            assert b"".join(codec.rewrite(frame, request_id=frame.request_id)) == data

    def test_the_id_alone(self, vector: Vector) -> None:
        codec = get_codec(vector.codec)
        for expected, data in self.alone(vector):
            frame = codec.decode(data, direction=vector.direction)
            if frame.request_id is None:
                with pytest.raises(EncodeError, match="request_id"):
                    codec.rewrite(frame, request_id=0x01020304)
                continue
            again = codec.decode(b"".join(codec.rewrite(frame, request_id=0x01020304)), direction=vector.direction)
            assert again.request_id == 0x01020304
            assert {**said(again), "fields": {}, "request_id": 0, "header_len": 0, "frame_len": 0} == {
                **expected, "fields": {}, "request_id": 0, "header_len": 0, "frame_len": 0,
            }  # fmt: skip
            changed = (
                {**expected["fields"], "seq_id": 0x01020304} if "seq_id" in expected["fields"] else expected["fields"]
            )
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
        assert codes >= ERRORS.get(name, {"bad_magic", "bad_length", "limit_exceeded"})
        kinds = {frame["kind"] for expected in mine for frame in expected["frames"]}
        assert kinds >= KINDS.get(name, {"request", "response", "oneway", "error"})

    def test_the_generator_makes_them(self, name: str, tmp_path: Path) -> None:
        folder = CODECS / name / "vectors"
        shutil.copy(folder / "make.py", tmp_path)
        kit = {"PYTHONPATH": str(CODECS.parent / "tests")}
        subprocess.run([sys.executable, tmp_path / "make.py"], check=True, timeout=60, capture_output=True, env=kit)
        made = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.suffix in (".bin", ".json")}
        kept = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".bin", ".json")}
        assert made.keys() == kept.keys()
        assert made == kept
