"""`metaprotocol proxy` reads plain arguments itself: as the framework of the other commands does, or not at all."""

from __future__ import annotations

import math
from typing import Annotated, get_args, get_origin, get_type_hints

import pytest
from typer.models import OptionInfo
from typer.testing import CliRunner

from metaprotocol.cli import _app, _proxy
from metaprotocol.cli._proxy_arguments import FIELDS, LEVELS, MODES, plain
from metaprotocol.proxy import _logs

GOOD = {
    "config": ["bootstrap.yaml", "a b", "x=y"],
    "overlay": ["{node: {id: x}}"],
    "mode": list(MODES),
    "workers": ["1", "16"],
    "drain_timeout": ["0", "1.5", "1e3"],
    "log_level": list(LEVELS),
    "admin_address_path": ["/tmp/x"],
    "hot_restart_path": ["x.sock"],
    "service_node": ["n"],
    "service_cluster": ["c"],
}


def typer(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> _proxy.Request:
    seen: list[_proxy.Request] = []
    monkeypatch.setattr(_proxy, "run", seen.append)
    result = CliRunner().invoke(_app.app, ["proxy", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return seen[0]


def test_both_know_the_same_options() -> None:
    hints = get_type_hints(_app.proxy, include_extras=True).values()
    infos = [info for hint in hints if get_origin(hint) is Annotated for info in get_args(hint)]
    # The framework takes the first one for a default.
    flags = [
        flag for info in infos if isinstance(info, OptionInfo) for flag in (info.default, *(info.param_decls or ()))
    ]
    assert sorted(flags) == sorted(FIELDS)
    assert tuple(_app.LogLevel) == LEVELS == tuple(_logs.LEVELS)
    assert tuple(_app.Mode) == MODES


@pytest.mark.parametrize("flag", sorted(FIELDS))
def test_both_understand_the_same(flag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    field, convert = FIELDS[flag]
    values = [None] if convert is None else GOOD[field]
    for value in values:
        arguments = [flag] if value is None else [flag, value]
        assert plain(arguments) == typer(arguments, monkeypatch)
        if value is not None and flag.startswith("--"):
            assert plain([f"{flag}={value}"]) == typer([f"{flag}={value}"], monkeypatch)


def test_all_of_them_together(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["-c", "b.yaml", "-j", "3", "--strict", "--drain-time-s=2", "-l", "debug", "--mode", "validate"]
    assert plain(arguments) == typer(arguments, monkeypatch)
    assert plain([]) == typer([], monkeypatch) == _proxy.Request()


@pytest.mark.parametrize(
    "arguments",
    [
        "--help",
        "-h",
        "-c",
        "-c -x",
        "-c a -c b",
        "-j 0",
        "-j -1",
        "-j x",
        "-j ²",
        "-j4",
        "--mode serve --mode serve",
        "--mode x",
        "--strict=1",
        "--drain-time-s -1",
        f"--drain-time-s {math.inf}",
        "--drain-time-s nan",
        "-l loud",
        "--config",
        "bootstrap.yaml",
        "--",
    ],
)
def test_what_is_not_plain_is_left_to_the_framework(arguments: str) -> None:
    assert plain(arguments.split()) is None
