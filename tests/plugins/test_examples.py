"""The examples are built as their READMEs say, and are what they claim: one protocol in four tongues."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import site
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kit.cutting import feed

import metaprotocol
from metaprotocol import Codec, Direction, ErrorType, Kind, register_codec
from metaprotocol._native import open_library

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "native" / "core" / "tests" / "acorn"
ENVIRONMENT = {
    **os.environ,
    # The directory of the package that runs these tests comes first elsewhere, too.
    "PYTHONPATH": str(Path(metaprotocol.__file__).parents[1]),
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}
QUESTION = b"AC\x01\x07\0\0\0\x01\0\0\0\x05weatherOslo?"
PING = b"AC\x04\0\0\0\0\x03\0\0\0\0"

ASK = """
import json, pickle, sys
import metaprotocol
from metaprotocol import Direction

codec = metaprotocol.get_codec("acorn")
assert pickle.loads(pickle.dumps(codec)).name == "acorn"
assert "acorn" in metaprotocol.list_codecs()
found = []
for line in sys.stdin:
    direction, stream = json.loads(line)
    connection = codec.connection()
    try:
        frames, error = connection.feed(Direction[direction], bytes.fromhex(stream)), None
    except metaprotocol.DecodeError as failure:
        frames, error = failure.frames, [failure.code, failure.offset]
    told = [[frame.kind.name, frame.request_id, len(frame), dict(frame.metadata)] for frame in frames]
    found.append([told, error])
frame = codec.decode(bytes.fromhex(sys.argv[1]))
ping = codec.decode(bytes.fromhex(sys.argv[2]))
edited = b"".join(codec.rewrite(frame, set={"topic": "climate"}, request_id=77))
error = codec.reply(frame, metaprotocol.ErrorType.OVER_LIMIT, "no")
print(json.dumps([found, edited.hex(), error.hex(), codec.reply(ping).hex()]))
"""


def streams() -> list[tuple[str, bytes, dict[str, Any]]]:
    rows = []
    for path in sorted(VECTORS.glob("*.json")):
        expected = json.loads(path.read_text())
        rows.append((expected["direction"].upper(), path.with_suffix(".bin").read_bytes(), expected))
    assert len(rows) >= 5
    return rows


def told(expected: dict[str, Any]) -> list[Any]:
    """A vector in the words of `ASK`."""
    frames = [
        [frame["kind"].upper(), frame["request_id"], frame["frame_len"], frame["fields"]]
        for frame in expected["frames"]
    ]
    error = expected.get("error")
    return [frames, [error["code"], error["offset"]] if error else None]


@pytest.fixture(scope="session")
def acorn_so(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The C example, made by its Makefile."""
    folder = tmp_path_factory.mktemp("plugin-c")
    shutil.copytree(ROOT / "examples" / "plugin-c", folder, dirs_exist_ok=True)
    subprocess.run(["make", "-s", f"PYTHON={sys.executable}"], cwd=folder, check=True, timeout=60, env=ENVIRONMENT)
    return folder / "acorn.so"


class TestC:
    @pytest.fixture
    def codec(self, acorn_so: Path) -> Iterator[Codec]:
        [codec] = open_library(acorn_so)
        register_codec(codec)  # type: ignore[call-overload]
        return metaprotocol.get_codec("acorn")  # type: ignore[return-value]

    def test_it_decodes_the_vectors(self, codec: Codec) -> None:
        for direction, stream, expected in streams():
            connection = codec.connection()
            try:
                frames, error = connection.feed(Direction[direction], stream), None
            except metaprotocol.DecodeError as failure:
                frames, error = failure.frames, [failure.code, failure.offset]
            found = [[frame.kind.name, frame.request_id, len(frame), dict(frame.metadata)] for frame in frames]
            assert [found, error] == told(expected)

    def test_it_does_what_the_others_do(self, codec: Codec) -> None:
        frame = codec.decode(QUESTION)
        assert (frame.kind, frame.metadata["topic"], bytes(frame.body)) == (Kind.REQUEST, "weather", b"Oslo?")
        edited = b"".join(codec.rewrite(frame, set={"topic": "climate"}, request_id=77))
        assert edited == b"AC\x01\x07\0\0\0\x4d\0\0\0\x05climateOslo?"
        assert codec.reply(frame, ErrorType.OVER_LIMIT, "no") == b"AC\x03\0\0\0\0\x01\0\0\0\x02no"
        assert codec.reply(codec.decode(PING)) == b"AC\x05\0\0\0\0\x03\0\0\0\0"

    def test_the_whole_machinery_works_on_it(self, codec: Codec) -> None:
        connection = codec.connection()
        frames = feed(
            connection, Direction.CLIENT_TO_SERVER, [QUESTION[:5], QUESTION[5:] + QUESTION, PING[:3], PING[3:]]
        )
        assert [bytes(frame) for frame in frames] == [QUESTION, QUESTION, PING]
        [answer] = connection.feed(Direction.SERVER_TO_CLIENT, b"AC\x02\0\0\0\0\x01\0\0\0\0")
        assert connection.pair(answer) is frames[0]
        batch = codec.connection().feed_batch(Direction.CLIENT_TO_SERVER, QUESTION * 3, columns=["topic"])
        assert batch.column("topic") == ["weather"] * 3

    def test_it_travels_by_its_path(self, codec: Codec, acorn_so: Path) -> None:
        function, (source,) = codec.__reduce__()[:2]  # type: ignore[misc]
        assert (getattr(function, "__name__", None), source) == ("load_codec", str(acorn_so))
        assert pickle.loads(pickle.dumps(codec)).name == "acorn"


def test_cython_as_a_package(tmp_path: Path) -> None:
    """Installed into an environment of its own, on top of this one, and found by its entry point."""
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True, timeout=60)
    python = environment / "bin" / "python"
    purelib = sysconfig.get_path("purelib", vars={"base": str(environment), "platbase": str(environment)})
    ours = [path for path in sys.path if "site-packages" in path] or site.getsitepackages()
    (Path(purelib) / "ours.pth").write_text("\n".join(ours))
    package = tmp_path / "package"
    shutil.copytree(ROOT / "examples" / "plugin-cython", package, ignore=shutil.ignore_patterns("build", "*.c", "*.so"))
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-build-isolation", "--no-deps"]
    subprocess.run([*pip, package], check=True, timeout=300, env=ENVIRONMENT)
    lines = "".join(json.dumps([direction, stream.hex()]) + "\n" for direction, stream, _ in streams())
    run = [python, "-c", ASK, QUESTION.hex(), PING.hex()]
    answer = subprocess.run(
        run, input=lines, check=True, timeout=60, env=ENVIRONMENT, stdout=subprocess.PIPE, encoding="utf-8"
    )
    found, edited, error, pong = json.loads(answer.stdout)
    assert found == [told(expected) for _, _, expected in streams()]
    assert bytes.fromhex(edited) == b"AC\x01\x07\0\0\0\x4d\0\0\0\x05climateOslo?"
    assert bytes.fromhex(error) == b"AC\x03\0\0\0\0\x01\0\0\0\x02no"
    assert bytes.fromhex(pong) == b"AC\x05\0\0\0\0\x03\0\0\0\0"
