"""The program itself: version, help, completion, and `metaprotocol codecs`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import metaprotocol

from .conftest import CODECS, Run, environment


def test_version(run: Run) -> None:
    for option in ("--version", "-V"):
        done = run(option)
        assert done.stdout.decode() == f"metaprotocol {metaprotocol.__version__}\n"
        assert done.returncode == 0


def test_help_has_examples(run: Run) -> None:
    for command, example in (
        ("decode", "metaprotocol decode dump.pcap"),
        ("codecs", "metaprotocol codecs dubbo"),
        ("bench", "metaprotocol bench thrift"),
        ("replay", "metaprotocol replay calls.pcap --to 127.0.0.1:9090"),
        ("new-codec", "metaprotocol new-codec acorn --kind yaml"),
    ):
        done = run(command, "--help")
        assert done.returncode == 0
        assert example in done.stdout.decode()
    assert "decode" in run("--help").stdout.decode()
    bare = run()
    assert bare.returncode == 2
    assert "Usage" in (bare.stdout + bare.stderr).decode()


def test_wrong_usage_exits_with_2(run: Run) -> None:
    assert run("decode").returncode == 2
    assert run("decode", "x", "--format", "xml").returncode == 2
    assert run("nonsense").returncode == 2


def test_completion(run: Run) -> None:
    # Which shell asks is found by looking at the processes above, of which a test knows nothing.
    shown = run("--show-completion", "bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert b"complete" in shown.stdout + shown.stderr
    for words, wanted in (("metaprotocol codecs th", "thrift"), ("metaprotocol decode --protocol d", "dubbo")):
        position = str(len(words.split()) - 1)
        done = run(_METAPROTOCOL_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=position)
        assert done.stdout.decode().split() == [wanted], done.stderr


def test_codecs_in_a_pipe_are_json_lines(run: Run) -> None:
    codecs = [json.loads(line) for line in run("codecs").stdout.splitlines()]
    assert [codec["name"] for codec in codecs] == CODECS
    [dubbo] = [codec for codec in codecs if codec["name"] == "dubbo"]
    assert dubbo["aliases"] == ["aeraki.meta_protocol.codec.dubbo"]
    assert (dubbo["pair_by"], dubbo["sharing"], dubbo["heartbeats"]) == ("id", "multiplexed", True)
    assert {"name": "method", "about": "the method called", "writable": True, "number": False} in dubbo["keys"]
    assert json.loads(run("codecs", "aeraki.meta_protocol.codec.dubbo").stdout) == dubbo


def test_codecs_on_a_terminal_are_tables(run_on_terminal: Callable[..., tuple[int, str]]) -> None:
    code, shown = run_on_terminal("codecs")
    assert code == 0
    assert "dubbo" in shown
    assert "method*" in shown
    code, shown = run_on_terminal("codecs", "thrift")
    assert "THeader" in shown
    assert "exception_message" in shown


def test_a_codec_that_cannot_be_loaded_is_listed_with_the_reason() -> None:
    program = """
import importlib.metadata
from metaprotocol import _registry
point = importlib.metadata.EntryPoint("broken", "no_such_module:Codec", "metaprotocol.codecs")
_registry._offered = lambda: {"broken": point}
from metaprotocol.cli import main
main()
"""
    arguments = [sys.executable, "-c", program, "codecs"]
    done = subprocess.run(arguments, capture_output=True, env=environment(), check=False)
    assert done.returncode == 0, done.stderr
    codecs = [json.loads(line) for line in done.stdout.splitlines()]
    [broken] = [codec for codec in codecs if codec["name"] == "broken"]
    others = [codec for codec in codecs if codec is not broken]
    assert "No module named 'no_such_module'" in broken["error"]
    assert [codec["name"] for codec in others] == [name for name in CODECS if name != "videopacket"]
