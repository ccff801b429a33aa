"""Codecs that are not built in, on the command line: by where they are, registered, offered, and broken ones."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from kit.toy import Toy, toy_frame
from typer.testing import CliRunner

import metaprotocol
from metaprotocol import Kind
from metaprotocol.cli import app

from .conftest import CAPTURES, CODECS, PROGRAM, ROOT, Run, answer, call, environment, pcap, rows

TOY = f"{ROOT}/tests/kit/toy.py:Toy"
DUBBO = CAPTURES / "dubbo" / "dubbo-2.7-exceptions.pcap"

ASKED = toy_frame(Kind.REQUEST, 7, b"method=hello\nsize=3") + toy_frame(Kind.REQUEST, 8, b"method=bye")
ANSWERED = toy_frame(Kind.RESPONSE, 7, b"ok=yes") + toy_frame(Kind.ERROR, 8, b"ok=no")

BROKEN = '''
"""Codecs that fail, each in another verb."""
import sys
from importlib.util import module_from_spec, spec_from_file_location

spec = spec_from_file_location("broken_toy", {toy!r})
toy = module_from_spec(spec)
sys.modules[spec.name] = toy
spec.loader.exec_module(toy)


class Split(toy.Toy):
    name = "split"
    aliases = ()

    def split(self, buffer, *, direction=0, limits=None, state=None):
        if bytes(buffer[14:30]) == b"method=poisonous":
            raise ZeroDivisionError("the author's fault \\x1b[2J")
        return super().split(buffer, direction=direction, limits=limits, state=state)


class Fields(toy.Toy):
    name = "fields"
    aliases = ()

    def fields(self, frame):
        return {{"method": ["no", "text"]}}


class Detect(toy.Toy):
    name = "detect"
    aliases = ()

    def detect(self, prefix, *, direction=0):
        raise RuntimeError("I cannot tell")


class Hangs(toy.Toy):
    name = "hangs"
    aliases = ()

    def split(self, buffer, *, direction=0, limits=None, state=None):
        print("hanging", file=sys.stderr, flush=True)
        while True:
            pass
'''


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    file = tmp_path / "toy.pcap"
    file.write_bytes(pcap((True, ASKED), (False, ANSWERED)))
    return file


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    file = tmp_path / "broken.py"
    file.write_text(BROKEN.format(toy=f"{ROOT}/tests/kit/toy.py"), encoding="utf-8")
    return file


def check(output: bytes) -> None:
    hello, bye = rows(output)
    assert (hello["protocol"], hello["request_id"], hello["method"], hello["outcome"]) == ("toy", 7, "hello", "ok")
    assert (hello["metadata"], hello["response_metadata"]) == ({"method": "hello", "size": 3}, {"ok": "yes"})
    assert (bye["request_id"], bye["method"], bye["outcome"]) == (8, "bye", "error")
    assert (hello["request_bytes"], bye["offset"]) == (33, 33)


@pytest.mark.parametrize("option", ["--codec", "--protocol"])
def test_a_class_in_a_file(run: Run, capture: Path, option: str) -> None:
    done = run("decode", capture, option, TOY)
    assert (done.returncode, done.stderr) == (0, b"")
    check(done.stdout)


def test_a_loaded_codec_goes_by_its_name_and_alias(run: Run, capture: Path) -> None:
    for name in ("toy", "TOY", "example.toy"):
        done = run("decode", capture, "--codec", TOY, "--protocol", name)
        assert (done.returncode, done.stderr) == (0, b"")
        check(done.stdout)


def test_a_registered_codec(capture: Path) -> None:
    metaprotocol.register_codec(Toy)
    for arguments in ([], ["--protocol", "example.toy"]):
        result = CliRunner().invoke(app, ["decode", str(capture), *arguments])
        assert result.exit_code == 0, result.stderr
        check(result.stdout_bytes)


def test_native_and_python_codecs_side_by_side(run: Run, tmp_path: Path) -> None:
    both = pcap((True, ASKED), (False, ANSWERED)) + pcap((True, call(5)), (False, answer(5)), port=40001)[24:]
    file = tmp_path / "both.pcap"
    file.write_bytes(both)
    done = run("decode", file, "--codec", TOY)
    assert (done.returncode, done.stderr) == (0, b"")
    assert [(row["protocol"], row["method"]) for row in rows(done.stdout)] == [
        ("toy", "hello"),
        ("toy", "bye"),
        ("thrift", "ping"),
    ]
    summary = json.loads(run("decode", file, "--codec", TOY, "--summary").stdout)
    assert summary["streams_by_protocol"] == {"toy": 1, "thrift": 1}
    columns = run("decode", file, "--codec", TOY, "--where", "size=3", "--columns", "size")
    assert [row["metadata"] for row in rows(columns.stdout)] == [{"size": 3}]


def test_a_loaded_codec_replaces_its_namesake(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "mine.py"
    source.write_text(
        "import metaprotocol\n\n\nclass Mine(metaprotocol.Codec):\n    name = 'dubbo'\n\n"
        "    def split(self, buffer, *, direction=0, limits=None, state=None):\n"
        "        return metaprotocol.Head(metaprotocol.Kind.CONTROL, 16)\n\n"
        "    def detect(self, prefix, *, direction=0):\n        return metaprotocol.Detection.YES\n",
        encoding="utf-8",
    )
    done = run("decode", DUBBO, "--codec", f"{source}:Mine", "--limit", "3")
    assert {(row["protocol"], row["kind"]) for row in rows(done.stdout)} == {("dubbo", "control")}


class TestBroken:
    def test_split_ends_its_stream_only(self, run: Run, tmp_path: Path, broken: Path) -> None:
        poison = toy_frame(Kind.REQUEST, 9, b"method=poisonous")
        file = tmp_path / "poisoned.pcap"
        file.write_bytes(
            pcap((True, ASKED + poison + ASKED), (False, ANSWERED))
            + pcap((True, ASKED), (False, ANSWERED), port=40001)[24:]
            + pcap((True, poison), port=40002)[24:]
            + pcap((True, call(5)), (False, answer(5)), port=40003)[24:]
        )
        done = run("decode", file, "--codec", f"{broken}:Split")
        assert done.returncode == 4
        decoded = rows(done.stdout)
        assert [(row["connection"], row["kind"]) for row in decoded] == [
            (0, "malformed"),
            (0, "call"),
            (0, "call"),
            (1, "call"),
            (1, "call"),
            (2, "malformed"),
            (3, "call"),
        ]
        assert decoded[0]["reason"] == "invalid_codec"
        assert decoded[0]["offset"] == len(ASKED)
        assert decoded[0]["broken"].endswith("the codec failed: split raised ZeroDivisionError")
        told = done.stderr.decode()
        assert told.count("Traceback (most recent call last):") == 1
        assert f'File "{broken}", line' in told
        assert "ZeroDivisionError: the author's fault ␛[2J" in told
        assert "\x1b" not in told
        assert told.splitlines()[-1] == "metaprotocol: codec 'split' failed 2 times"

    def test_fields_leave_the_stream_as_it_is(self, run: Run, capture: Path, broken: Path) -> None:
        done = run("decode", capture, "--protocol", f"{broken}:Fields")
        assert done.returncode == 4
        decoded = rows(done.stdout)
        assert [(row["kind"], row["request_id"], row["outcome"]) for row in decoded] == [
            ("call", 7, "ok"),
            ("call", 8, "error"),
        ]
        assert all("the codec failed: fields raised InvalidCodec" in row["broken"] for row in decoded)
        assert "Fields.fields gave method = ['no', 'text']; values are str, or int of 64 bits" in done.stderr.decode()

    def test_one_of_two_is_broken(self, run: Run, capture: Path, broken: Path) -> None:
        done = run("decode", capture, "--codec", f"{broken}:Detect", "--codec", TOY)
        assert done.returncode == 4
        check(done.stdout)
        told = done.stderr.decode()
        assert "RuntimeError: I cannot tell" in told
        assert "the codec 'detect' failed, which is its author's fault" in told

    def test_quiet_is_not_silent_about_it(self, run: Run, capture: Path, broken: Path) -> None:
        done = run("decode", capture, "--codec", f"{broken}:Detect", "--quiet", "--summary")
        assert done.returncode == 4
        assert b"RuntimeError: I cannot tell" in done.stderr

    def test_an_unreadable_input_comes_first(self, run: Run, tmp_path: Path, broken: Path) -> None:
        file = tmp_path / "cut.pcap"
        file.write_bytes(pcap((True, ASKED), (False, ANSWERED)) + b"\xff" * 64)
        done = run("decode", file, "--codec", f"{broken}:Detect")
        assert done.returncode == 1
        assert b"RuntimeError: I cannot tell" in done.stderr

    def test_ctrl_c_ends_a_codec_that_hangs(self, capture: Path, broken: Path) -> None:
        process = subprocess.Popen(
            [*PROGRAM, "decode", str(capture), "--protocol", f"{broken}:Hangs"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        assert process.stderr is not None
        assert process.stderr.readline() == b"hanging\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
        assert process.returncode == 130


OFFERED = """
import importlib.metadata
from metaprotocol import _registry
points = {{
    name: importlib.metadata.EntryPoint(name, value, "metaprotocol.codecs")
    for name, value in {{"absent": "no_such_module:Codec", "wrong": "json:loads"}}.items()
}}
{offered}
from metaprotocol.cli import main
main()
"""


def with_offers(offered: str, *arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", OFFERED.format(offered=offered), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, env=environment(), check=False)


def test_installed_codecs_that_cannot_be_loaded_are_left_out_with_a_note() -> None:
    done = with_offers("_registry._offered = lambda: points", "decode", DUBBO)
    assert done.returncode == 0
    assert len(rows(done.stdout)) == 11
    absent, wrong = done.stderr.decode().splitlines()
    assert absent.startswith("metaprotocol: the codec 'absent' is left out: entry point absent = no_such_module:Codec")
    assert wrong.startswith("metaprotocol: the codec 'wrong' is left out: entry point wrong = json:loads is <function")
    assert with_offers("_registry._offered = lambda: points", "decode", DUBBO, "--quiet").stderr == b""


def test_a_built_in_protocol_looks_through_no_packages() -> None:
    done = with_offers("_registry._offered = lambda: exit('looked')", "decode", DUBBO, "--protocol", "dubbo")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"looked" in with_offers("_registry._offered = lambda: exit('looked')", "decode", DUBBO).stderr


class TestUsage:
    @pytest.mark.parametrize(
        ("source", "message"),
        [
            ("absent/codec.py:Class", "absent/codec.py:Class: there is no file absent/codec.py"),
            ("absent.yaml", "absent.yaml: cannot be read: No such file or directory"),
            ("./absent.so", "./absent.so: there is no such file"),
            ("no_such_module:Class", "No module named 'no_such_module'; install it, or name its file"),
            ("json:loads", "not a metaprotocol.Codec; subclass it and implement split()"),
            ("json:Codec", "json:Codec: the module has no 'Codec'; nothing in it is a codec"),
            (f"{ROOT}/tests/kit/toy.py", "say which class of the file is the codec"),
        ],
    )
    @pytest.mark.parametrize("command", [["decode", str(DUBBO), "--codec"], ["codecs", "--codec"], ["codecs"]])
    def test_a_source_that_is_none(self, run: Run, command: list[str], source: str, message: str) -> None:
        done = run(*command, source)
        assert (done.returncode, done.stdout) == (2, b"")
        assert message in done.stderr.decode()
        assert done.stderr.count(b"\n") == 1

    def test_two_of_one_name(self, run: Run) -> None:
        done = run("decode", DUBBO, "--codec", TOY, "--codec", TOY)
        assert done.returncode == 2
        assert "there is a codec called 'toy' already" in done.stderr.decode()

    def test_a_file_that_fails_is_shown_with_its_traceback(self, run: Run, tmp_path: Path) -> None:
        source = tmp_path / "failing.py"
        source.write_text("def start():\n    return 1 / 0\n\n\nstart()\n", encoding="utf-8")
        done = run("decode", DUBBO, "--codec", f"{source}:Class")
        told = done.stderr.decode()
        assert done.returncode == 2
        assert f'File "{source}", line 2, in start' in told
        assert told.splitlines()[-1] == (
            f"metaprotocol: {source}:Class: the file failed: ZeroDivisionError: division by zero"
        )


def test_codecs_shows_loaded_ones(run: Run, run_on_terminal: Callable[..., tuple[int, str]]) -> None:
    listed = rows(run("codecs", "--codec", TOY).stdout)
    assert [codec["name"] for codec in listed] == sorted([*CODECS, "toy"])
    [toy] = [codec for codec in listed if codec["name"] == "toy"]
    assert (toy["aliases"], toy["pair_by"], toy["open_keys"]) == (["example.toy"], "id", True)
    assert rows(run("codecs", TOY).stdout) == [toy]
    assert rows(run("codecs", "--codec", TOY, "example.toy").stdout) == [toy]
    assert "a protocol made for tests" in run_on_terminal("codecs", TOY)[1]
