"""The suite passes codecs that are right, and names what is wrong with those that are not."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from kit import buggy
from kit.installed import PACKAGE, PYTEST_PLUGIN
from kit.toy import Toy, toy_frame
from kit.vectors import CODECS

import metaprotocol
from metaprotocol import Detection, Direction, Head, Kind, NeedMore
from metaprotocol.testing import CodecConformance, Sample, load_samples
from metaprotocol.testing._conformance import READERS
from metaprotocol.testing._cuts import CUTTINGS

from .conftest import SAMPLES

ROOT = Path(__file__).resolve().parents[3]


def failures(codec: type[metaprotocol.Codec], samples: list[Sample] = SAMPLES) -> dict[str, str]:
    """The tests of the suite that a codec fails, by name, with what they say first."""
    suite = type("TestIt", (CodecConformance,), {"codec": codec, "samples": samples, "mutations": 200, "garbage": 100})
    suite._load()
    found: dict[str, str] = {}
    for name in dir(suite):
        if not name.startswith("test_"):
            continue
        rows: list[dict[str, Any]] = [{}]
        wanted = inspect.signature(getattr(CodecConformance, name)).parameters
        for parameter, values in {
            "sample": samples,
            "framed": [sample for sample in samples if sample.framed],
            "counted": [sample for sample in samples if sample.framed],
            "cutting": list(CUTTINGS),
            "reader": list(READERS),
            "other": ["HTTP/1", "zeros"],
        }.items():
            if parameter in wanted:
                rows = [{**row, parameter: value} for row in rows for value in values]
        for row in rows:
            try:
                getattr(suite(), name)(**row)
            except BaseException as failure:  # noqa: BLE001 -- that of pytest too
                found.setdefault(name, f"{type(failure).__name__}: {failure}")
    return found


class RaisesSoon(Toy):
    """Knows few kinds."""

    def split(self, buffer: Any, **rest: Any) -> Head | NeedMore:
        answer = super().split(buffer, **rest)
        if isinstance(answer, Head) and Kind.ONEWAY < answer.kind != Kind.HEARTBEAT:
            self.fail(answer.kind)
        return answer

    def fail(self, kind: Kind) -> None:
        raise KeyError(kind)


class AbortsSoon(RaisesSoon):
    """The same, as native code ends."""

    def fail(self, kind: Kind) -> None:
        os.abort()


class Late(Toy):
    """Says no to one byte and yes to two: it takes back a no."""

    def detect(self, prefix: Any, *, direction: int = Direction.CLIENT_TO_SERVER) -> Detection:
        return Detection.YES if memoryview(prefix).nbytes > 1 else Detection.NO


class Claims(Toy):
    """Claims whatever comes."""

    def detect(self, prefix: Any, *, direction: int = Direction.CLIENT_TO_SERVER) -> Detection:
        return Detection.YES if memoryview(prefix).nbytes else Detection.NEED_MORE


class TakesTrailingBytes(Toy):
    """Takes a frame and what follows for one frame."""

    def decode(self, data: Any, **rest: Any) -> metaprotocol.Frame:
        length = int.from_bytes(data[10:14], "big") + 14
        return super().decode(data[:length], **rest)


class CopiesTheBuffer(Toy):
    """Copies all that is there for each frame."""

    def split(self, buffer: Any, **rest: Any) -> Head | NeedMore:
        return super().split(bytes(buffer), **rest)


class OneThread(Toy):
    """Keeps what it knows in the thread that it was made in."""

    home = threading.local()

    def fields(self, frame: metaprotocol.Frame) -> dict[str, str | int]:
        if threading.current_thread() is threading.main_thread():
            self.home.known = True
        return super().fields(frame) if getattr(self.home, "known", False) else {}


class Silent(Toy):
    """Answers no heartbeat."""

    def reply(self, request: metaprotocol.Frame, error: Any = None, message: str = "") -> bytes | None:
        return None if error is None else super().reply(request, error, message)


class AnswersOneway(Toy):
    """Answers what nobody waits for."""

    def reply(self, request: metaprotocol.Frame, error: Any = None, message: str = "") -> bytes | None:
        return toy_frame(Kind.ERROR, request.request_id, b"")  # type: ignore[arg-type]


class FieldByItself(Toy):
    """Looks one field up in another way than all."""

    def field(self, frame: metaprotocol.Frame, key: str) -> str | int | None:
        found = super().field(frame, key)
        return found.upper() if isinstance(found, str) else found


class NoLimit(Toy):
    """Opens connections without asking for limits."""

    def connection(self, *, limits: Any = None) -> metaprotocol.Connection:
        return super().connection()


class NotAtHome(Toy):
    """Cannot be pickled."""

    def __reduce__(self) -> Any:
        raise TypeError("not from here")


def test_a_correct_codec_passes() -> None:
    assert failures(Toy) == {}


@pytest.mark.parametrize(
    ("codec", "test", "says"),
    [
        (buggy.DependsOnTheCut, "test_same_frames_however_cut", "the kind of frame 0 is RESPONSE, not ONEWAY"),
        (buggy.DependsOnTheCut, "test_frames_back_to_back", "the kind of frame 0 is RESPONSE, not ONEWAY"),
        (buggy.OverAsks, "test_truncated_streams_are_no_frames", "more are asked for"),
        (buggy.OverAsks, "test_truncated_frames_say_what_they_need", "are missing"),
        (buggy.Normalises, "test_rewrite", "rewrite without edits is not the frame"),
        (buggy.AnswersAnother, "test_replies", "has the id 1, the request has 5"),
        (buggy.Peeks, "test_truncated_streams_are_no_frames", "other bytes lie behind it in memory"),
        (buggy.Overreads, "test_nothing_is_read_beyond_the_end", "the verbs on sample ask: SIGSEGV at buggy.py"),
        (AbortsSoon, "test_mutations", "SIGABRT at test_conformance.py"),
        (RaisesSoon, "test_mutations", "raises KeyError"),
        (buggy.TakesBackANo, "test_detect_knows_its_own", "NO to its first 0 bytes"),
        (Late, "test_detect_knows_its_own", "NO to its first 0 bytes"),
        (Claims, "test_detect_leaves_others_alone", "claims 1 bytes of HTTP/1"),
        (TakesTrailingBytes, "test_trailing_bytes_are_refused", "1 bytes behind it: decode takes them"),
        (CopiesTheBuffer, "test_work_is_linear", "times the sample"),
        (OneThread, "test_threads", "a shared frame has"),
        (Silent, "test_requests_are_answered", "no heartbeat gets an answer"),
        (AnswersOneway, "test_requests_are_answered", "a one-way message gets the answer"),
        (FieldByItself, "test_fields_agree", "'HELLO' by itself and 'hello' among all fields"),
        (NoLimit, "test_frame_limit", "feed lets it pass"),
        (NoLimit, "test_header_limit", "feed lets it pass"),
        (NotAtHome, "test_it_can_be_pickled", "not from here"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
def test_each_fault_is_named(codec: type[metaprotocol.Codec], test: str, says: str) -> None:
    found = failures(codec)
    assert says in found.get(test, "nothing"), found
    assert "toy" in found[test] or codec is NotAtHome, "the message names the codec"


def test_a_frame_that_is_looked_for_again_and_again() -> None:
    lines = Sample("lines", b"one\ntwo\n", Direction.CLIENT_TO_SERVER)
    found = failures(buggy.Rescans, [lines])
    assert "what was seen is walked again" in found["test_work_is_linear"]


def test_what_the_side_file_says_is_held() -> None:
    good = {"kind": "request", "request_id": 5, "fields": {"method": "hello", "size": 7}}
    sample = Sample("ask", SAMPLES[0].data, Direction.CLIENT_TO_SERVER, {"frames": [good]})
    assert "test_sample_decodes" not in failures(Toy, [sample])
    wrong = Sample("ask", SAMPLES[0].data, Direction.CLIENT_TO_SERVER, {"frames": [{**good, "kind": "response"}]})
    assert "{'kind': ('request', 'response')}" in failures(Toy, [wrong])["test_sample_decodes"]
    half = Sample("half", SAMPLES[0].data[:20], Direction.CLIENT_TO_SERVER, {"missing": 14})
    assert failures(Toy, [half]) == {}


def pytest_run(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *map(str, arguments)]
    environ = {"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{PACKAGE}:{ROOT}/tests"}
    return subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, timeout=110, check=False)


FEW = ("-k", "test_rewrite or test_sample_decodes or test_mine")


class TestPlugin:
    def test_from_the_command_line(self, samples: Path, tmp_path: Path) -> None:
        (tmp_path / "test_mine.py").write_text("def test_mine(): assert False")
        done = pytest_run(*PYTEST_PLUGIN, "--codec", "kit.toy:Toy", "--samples", "samples", *FEW, cwd=tmp_path)
        assert done.returncode == 0, done.stdout
        assert " passed" in done.stdout

    def test_with_tests_of_ones_own(self, samples: Path, tmp_path: Path) -> None:
        (tmp_path / "test_mine.py").write_text("def test_mine(): assert False")
        done = pytest_run(
            *PYTEST_PLUGIN, "--codec", "kit.toy:Toy", "--samples", samples, *FEW, "test_mine.py", cwd=tmp_path
        )
        assert (done.returncode, "1 failed" in done.stdout, " passed" in done.stdout) == (1, True, True)

    def test_failures_are_told_in_words(self, samples: Path, tmp_path: Path) -> None:
        done = pytest_run(*PYTEST_PLUGIN, "--codec", "kit.buggy:Normalises", "--samples", samples, *FEW, cwd=tmp_path)
        assert done.returncode == 1
        assert "toy, sample ask.c2s: rewrite: rewrite without edits is not the frame: 33 bytes, not 34" in done.stdout
        assert "conformance::TestCodec::test_rewrite[ask.c2s]" in done.stdout
        assert "_conformance.py" not in done.stdout, "where the suite noticed helps nobody"

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (["--codec", "toy"], "--codec and --samples go together"),
            (["--codec", "no.such:Codec", "--samples", "samples"], "the module cannot be imported"),
            (["--codec", "kit.toy:Toy", "--samples", "nowhere"], "nowhere: there is no such file or folder"),
        ],
    )
    def test_what_cannot_be_is_told(self, arguments: list[str], told: str, samples: Path, tmp_path: Path) -> None:
        done = pytest_run(*PYTEST_PLUGIN, *arguments, cwd=tmp_path)
        assert done.returncode != 0
        assert told in done.stdout + done.stderr

    def test_unused_it_loads_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "test_mine.py").write_text(
            "import sys\ndef test_mine(): assert not [name for name in sys.modules if name.startswith('metaprotocol')]"
        )
        assert pytest_run(*PYTEST_PLUGIN, "test_mine.py", cwd=tmp_path).returncode == 0


def test_a_class_in_a_module_of_ones_own(samples: Path, tmp_path: Path) -> None:
    """Paths are relative to the module."""
    (tmp_path / "mine.py").write_text("from kit.toy import Toy\n")
    (tmp_path / "test_mine.py").write_text(
        "from metaprotocol.testing import CodecConformance\n"
        "class TestMine(CodecConformance):\n    codec = 'mine.py:Toy'\n    samples = 'samples/'\n"
        "    def test_mine(self): assert self.the_codec.name == 'toy'\n"
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = pytest_run("../test_mine.py", *FEW, cwd=elsewhere)
    assert done.returncode == 0, done.stdout


def test_the_fuzzer_needs_neither_pytest_nor_hypothesis() -> None:
    script = (
        "import sys, metaprotocol.testing\n"
        "from metaprotocol.cli import _fuzz\n"
        "print(sorted({'pytest', '_pytest', 'hypothesis'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"


def test_the_package_does_not_import_the_kit() -> None:
    script = "import sys, metaprotocol; print('metaprotocol.testing' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "False\n"


def test_vectors_are_samples() -> None:
    assert {sample.framed for sample in load_samples(CODECS / "dubbo" / "vectors")} == {True, False}
