"""`metaprotocol fuzz`: what it shows, and how it ends."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from kit.installed import PACKAGE
from kit.toy import toy_frame

from metaprotocol import Kind
from metaprotocol.cli import _durations, _fuzz
from metaprotocol.cli._terminal import Failure

from .conftest import ROOT, Run, rows

TESTS = f"{ROOT}/tests"
QUICK = ("--hang", "1", "--time", "20", "-x")


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    folder = tmp_path / "samples"
    folder.mkdir()
    (folder / "ask.c2s.bin").write_bytes(toy_frame(Kind.REQUEST, 5, b"method=hello\nsize=7"))
    return folder


def test_what_is_found_and_seen_again(run: Run, samples: Path, tmp_path: Path) -> None:
    found = tmp_path / "found"
    options = ("--samples", samples, "--artifacts", found, *QUICK)
    done = run("fuzz", "kit.buggy:OverAsks", *options, PYTHONPATH=f"{PACKAGE}:{TESTS}")
    assert done.returncode == 1, done.stderr
    events = rows(done.stdout)
    assert {event["event"] for event in events} == {"progress", "finding", "end"}
    [finding] = [event for event in events if event["event"] == "finding"]
    assert finding["kind"] == "over-ask"
    assert bytes.fromhex(finding["hex"]) == Path(finding["path"]).read_bytes()
    assert events[-1]["findings"] == 1
    # The command that it printed, as a shell would run it.
    program, *arguments = finding["command"].split()
    assert program == "metaprotocol"
    again = run(*arguments, PYTHONPATH=f"{PACKAGE}:{TESTS}")
    assert (again.returncode, rows(again.stdout)[0]["kind"]) == (1, "over-ask")
    fine = run("fuzz", "kit.toy:Toy", "--replay", finding["path"], PYTHONPATH=f"{PACKAGE}:{TESTS}")
    assert (fine.returncode, rows(fine.stdout)) == (0, [{"event": "replayed", "path": finding["path"], "findings": 0}])


def test_nothing_found(run: Run) -> None:
    done = run("fuzz", "thrift", "--samples", ROOT / "codecs/thrift/vectors", "--time", "1s")
    assert (done.returncode, rows(done.stdout)[-1]["findings"]) == (0, 0)


def test_on_a_terminal(
    run_on_terminal: Callable[..., tuple[int, str]], samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{PACKAGE}:{TESTS}")
    options = ("--samples", samples, "--artifacts", tmp_path, *QUICK)
    code, shown = run_on_terminal("fuzz", "kit.buggy:Normalises", *options)
    assert code == 1
    for text in ("streams", "corpus", "rewrite", "see it again:", "1 found", "with seed 0"):
        assert text in shown
    code, shown = run_on_terminal("fuzz", "thrift", "--replay", samples / "ask.c2s.bin")
    assert (code, "every check holds" in shown) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("dubboo",), "did you mean dubbo?"),
        (("dubbo", "--time", "soon"), "give a duration such as 30, 60s, 5m or 1h"),
        (("dubbo", "--samples", "nowhere"), "there is no such file or folder"),
        (("dubbo", "--replay", "nowhere"), "there is no such file or folder"),
        (("no.such.module:Codec",), "the module cannot be imported"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], told: str, run: Run) -> None:
    done = run("fuzz", *arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert told in done.stderr.decode()


@pytest.mark.parametrize(("text", "value"), [("30", 30), ("60s", 60), ("5m", 300), ("1h", 3600), ("0.5s", 0.5)])
def test_durations(text: str, value: float) -> None:
    assert _durations.seconds("--time", text) == value


class TestLibFuzzer:
    def test_the_targets_of_a_codec(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ran: list[list[str]] = []

        def execute(command: list[str], *, check: bool) -> subprocess.CompletedProcess[bytes]:
            ran.append(command)
            return subprocess.CompletedProcess(command, int("verbs" in command[-1]))

        monkeypatch.chdir(ROOT / "docs")
        assert _fuzz.libfuzzer("dubbo", 60, execute) == 1
        assert [command[1:] for command in ran] == [["30", "dubbo_stream"], ["30", "dubbo_verbs"]]
        assert all(os.access(command[0], os.X_OK) for command in ran)

    def test_where_there_is_none(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.chdir(ROOT)
        with pytest.raises(Failure, match="no target for acorn"):
            _fuzz.libfuzzer("acorn", 60)
        monkeypatch.chdir(tmp_path)
        with pytest.raises(Failure, match="the targets are in the source tree"):
            _fuzz.libfuzzer("dubbo", 60)
