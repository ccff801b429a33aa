"""`metaprotocol replay` of captures of real peers, to real servers: of the same kind, and of another library."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from interop.running import running
from typer.testing import CliRunner

from metaprotocol.cli import app

pytestmark = [pytest.mark.interop, pytest.mark.timeout(90, func_only=True)]

CAPTURES = Path(__file__).resolve().parents[1] / "captures"


def replay(capture: str, port: int, *options: str) -> tuple[int, list[dict[str, Any]]]:
    """The exit code and the JSON lines."""
    path = CAPTURES / f"{capture}.pcap"
    result = CliRunner().invoke(
        app, ["replay", str(path), "--to", f"127.0.0.1:{port}", "--speed", "max", "--diff", *options]
    )
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize("line", ["2.7", "3"])
@pytest.mark.parametrize("scenario", ["basic", "concurrent", "heartbeats"])
def test_a_dubbo_server_answers_as_captured(line: str, scenario: str, dubbo_server: Callable[[str], int]) -> None:
    # The arguments of a call come back, whatever its id and whoever asks.
    code, lines = replay(f"dubbo/dubbo-{line}-{scenario}", dubbo_server(line))
    summary = lines[-1]
    assert code == 0, [row for row in lines if row["kind"] == "difference"]
    assert summary["answered"] == summary["sent"] - summary["oneways"] > 0
    assert summary["errors"] == summary["captured_errors"]


@pytest.mark.parametrize("line", ["2.7", "3"])
def test_what_another_line_of_dubbo_answers_differently_is_named(line: str, dubbo_server: Callable[[str], int]) -> None:
    other = {"2.7": "3", "3": "2.7"}[line]
    code, lines = replay(f"dubbo/dubbo-{line}-exceptions", dubbo_server(other))
    differences = [row for row in lines if row["kind"] == "difference"]
    assert code == (1 if differences else 0)
    assert all(row["changed"] for row in differences), "every call is answered"


@pytest.mark.parametrize(
    ("capture", "peer", "options"),
    [
        ("apache-go-header-compact", "apache-py", ["--transport", "header", "--protocol", "compact"]),
        ("apache-py-framed-binary", "apache-py", ["--transport", "framed", "--protocol", "binary"]),
        ("apache-py-framed-binary", "apache-go", ["--transport", "framed", "--protocol", "binary"]),
        ("apache-go-unframed-compact", "apache-go", ["--transport", "unframed", "--protocol", "compact"]),
    ],
)
def test_a_thrift_server_answers_as_captured(
    capture: str, peer: str, options: list[str], thrift: dict[str, list[str]]
) -> None:
    with running([*thrift[peer], "server", *options]) as port:
        # Libraries word what went wrong differently, and write sets and maps in an order of their own.
        where = ["--where", "method!~crash|missing|echo|headers", "--ignore", "x-served-by", "--timeout", "2"]
        code, lines = replay(f"thrift/{capture}", port, *where)
    summary = lines[-1]
    assert code == 0, [row for row in lines if row["kind"] == "difference"]
    assert summary["answered"] > 5
    assert summary["errors"] == summary["captured_errors"] == 1
