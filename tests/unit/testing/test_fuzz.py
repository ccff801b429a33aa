"""The fuzzer finds what is there to be found, within seconds, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit.vectors import CODECS

from metaprotocol.errors import MetaProtocolError
from metaprotocol.testing import Finding, FuzzError, FuzzOptions, Progress, _fuzz, fuzz, load_samples, replay

from .conftest import ASK

BUDGET = 30.0
"""Seconds; on an idle machine each takes two or three."""

BUGS = {
    "Raises": ("exception", "KeyError in buggy.py"),
    "Aborts": ("crash", "SIGABRT buggy.py in split"),
    "Hangs": ("hang", "buggy.py in fields"),
    "Overreads": ("over-read", "SIGSEGV buggy.py in fields"),
    "Peeks": ("over-read", "split"),
    "DependsOnTheCut": ("cut", "frame"),
    "TakesMemory": ("memory", "buggy.py"),
    "OverAsks": ("over-ask", "split"),
    "Normalises": ("rewrite", "no edit"),
    "AnswersAnother": ("reply", "request id"),
    "TakesBackANo": ("detect", "takes back a no"),
}


@pytest.fixture
def options(samples: Path, tmp_path: Path) -> FuzzOptions:
    return FuzzOptions(
        codec="kit.toy:Toy",
        samples=samples,
        artifacts=tmp_path / "artifacts",
        seconds=BUDGET,
        hang=0.5,
        first=True,
        minimise=1.5,
    )


def with_(options: FuzzOptions, **changes: object) -> FuzzOptions:
    return FuzzOptions(**{**vars(options), **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("bug", BUGS)
def test_each_bug_is_found(bug: str, options: FuzzOptions) -> None:
    kind, place = BUGS[bug]
    options = with_(options, codec=f"kit.buggy:{bug}")
    [finding] = fuzz(options).findings
    assert (finding.kind, finding.alone) == (kind, True)
    assert finding.place.startswith(place)
    # Small, saved under a name that says what and which way, and found again from there.
    assert len(finding.data) <= 100
    assert finding.path is not None
    assert finding.path.read_bytes() == finding.data
    assert finding.command == f"metaprotocol fuzz kit.buggy:{bug} --replay {finding.path}"
    [again] = replay(options, finding.path)
    assert (again.kind, again.place, again.data) == (finding.kind, finding.place, finding.data)
    assert load_samples(finding.path)[0].direction is finding.direction


def test_the_first_finding_is_the_only_one(options: FuzzOptions, tmp_path: Path) -> None:
    """Also where the next one is judged before anybody has looked."""
    for first, expected in ((True, ["split"]), (False, ["split", "fields"])):
        run = _fuzz._Run(with_(options, first=first), tmp_path, [], "Toy", lambda _: None)
        for place in ("split", "fields"):
            verdict = {"kind": "crash", "place": place, "message": "", "trace": "", "way": 0, "data": "AAAA"}
            run._judged(verdict, None)
        assert [finding.place for finding in run.findings.values()] == expected
        run.end()


def test_what_streams_leave_behind_is_found(options: FuzzOptions) -> None:
    """No single stream is to blame, and it is not claimed that one was."""
    [finding] = fuzz(with_(options, codec="kit.buggy:Leaks", memory=128)).findings
    assert (finding.kind, finding.alone) == ("memory", False)


def test_a_correct_codec_has_nothing_to_be_found(options: FuzzOptions) -> None:
    told: list[Progress] = []
    report = fuzz(with_(options, seconds=3.0, jobs=2), on_progress=told.append)
    assert report.findings == []
    assert report.progress.execs > 200
    assert report.progress.features > 50
    assert told[-1] == report.progress
    assert [progress.execs for progress in told] == sorted(progress.execs for progress in told)


@pytest.mark.parametrize("codec", ["dubbo", "thrift"])
def test_the_built_in_codecs_stand_it(codec: str, options: FuzzOptions) -> None:
    report = fuzz(with_(options, codec=codec, samples=CODECS / codec / "vectors", seconds=2.0))
    assert report.findings == []
    assert report.progress.execs > 500


def test_it_goes_on_after_a_finding(options: FuzzOptions) -> None:
    """A process that died is replaced; one fault is one finding, however often it shows."""
    found: list[Finding] = []
    report = fuzz(with_(options, codec="kit.buggy:Overreads", seconds=3.0, first=False), on_finding=found.append)
    assert report.findings == found
    assert [finding.kind for finding in found] == ["over-read"]
    assert report.progress.findings == 1


def test_the_corpus_grows_and_stays_small(options: FuzzOptions, samples: Path) -> None:
    before = {path.name for path in samples.iterdir()}
    fuzz(with_(options, corpus=samples, samples=None, seconds=2.0))
    new = {path.name for path in samples.iterdir()} - before
    assert before <= {path.name for path in samples.iterdir()}, "samples of the user's own stay"
    assert new
    assert all(name.startswith("found-") for name in new)
    assert all(len((samples / name).read_bytes()) <= options.max_len for name in new)
    # They are read again as what they are.
    assert len(load_samples(samples)) == len(before | new)


def test_without_samples_it_finds_its_way(options: FuzzOptions) -> None:
    """The place where a codec refuses a stream leads to a byte that it takes."""
    [finding] = fuzz(with_(options, codec="kit.buggy:Raises", samples=None)).findings
    assert finding.data[:2] == b"T\x06"


def test_what_cannot_be_run_is_told(options: FuzzOptions, tmp_path: Path) -> None:
    with pytest.raises(MetaProtocolError, match="no codec is called 'dubboo'"):
        fuzz(with_(options, codec="dubboo"))
    with pytest.raises(MetaProtocolError, match="cannot be imported"):
        fuzz(with_(options, codec="kit.nothing:Codec"))
    once = tmp_path / "once.py"
    once.write_text(
        "import os\nfrom kit.toy import Toy\n"
        "first = os.environ.setdefault('METAPROTOCOL_ONCE', str(os.getpid()))\n"
        "if first != str(os.getpid()): raise OSError('no more')\n"
    )
    with pytest.raises(FuzzError, match="no more"):
        fuzz(with_(options, codec=f"{once}:Toy"))


def test_a_stream_that_is_fine_replays_as_fine(options: FuzzOptions, tmp_path: Path) -> None:
    path = tmp_path / "ask.c2s.bin"
    path.write_bytes(ASK)
    assert replay(options, path) == []
