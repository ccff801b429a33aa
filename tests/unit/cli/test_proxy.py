"""`metaprotocol proxy`."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kit.proxies import bootstrap, fetch

from .conftest import PROGRAM, Run, environment, rows

BAD = """\
static_resources:
  listeners:
  - name: a
    address: {socket_address: {address: 127.0.0.1, port_value: 0}}
  clusters:
  - name: b
    type: NONSENSE
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "bootstrap.json"
    path.write_text(json.dumps(bootstrap(1)))
    return path


def test_validate(run: Run, config: Path) -> None:
    done = run("proxy", "-c", config, "--mode", "validate", "--strict")
    assert done.returncode == 0
    [line] = rows(done.stderr)
    assert (line["event"], line["file"], line["level"]) == ("the configuration is good", str(config), "info")
    assert run("proxy", "-c", config, "--mode", "validate", "-l", "off").stderr == b""


def test_what_has_no_effect_is_told(run: Run, config: Path) -> None:
    filters = '"meta_protocol_filters": [{"name": "aeraki.meta_protocol.filters.local_ratelimit"}], "stat_prefix"'
    config.write_text(config.read_text().replace('"stat_prefix"', filters))
    done = run("proxy", "-c", config, "--mode", "validate")
    *told, good = rows(done.stderr)
    assert {(line["event"], line["level"]) for line in told} == {("not supported", "warning")}
    assert any("meta_protocol_filters[0]" in line["problem"] for line in told)
    assert good["event"] == "the configuration is good"
    assert run("proxy", "-c", config, "--mode", "validate", "--strict").returncode == 1


def test_every_problem_has_a_line(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(BAD)
    done = run("proxy", "-c", path)
    assert done.returncode == 1
    first, *problems = done.stderr.decode().splitlines()
    assert first == f"metaprotocol: the configuration cannot be used: {len(problems)} problems"
    assert len(problems) >= 2
    assert all(line.startswith(f"{path}:") for line in problems)
    assert any(line.startswith(f"{path}:7:5: static_resources.clusters[0].type: ") for line in problems)


def test_yaml_is_merged_over_the_file(run: Run, config: Path) -> None:
    over = "static_resources: {clusters: [{name: more, type: STATIC, load_assignment: {cluster_name: more}, x: 1}]}"
    done = run("proxy", "-c", config, "--mode", "validate", "--config-yaml", over, "--strict")
    assert done.returncode == 1
    [_, problem] = done.stderr.decode().splitlines()
    assert problem.startswith("--config-yaml:1:")
    twice = "static_resources: {clusters: [{name: up, type: STATIC, load_assignment: {cluster_name: up}}]}"
    done = run("proxy", "-c", config, "--mode", "validate", "--config-yaml", twice)
    assert "has 2 items called 'up'" in done.stderr.decode()
    assert run("proxy", "--mode", "validate", "--config-yaml", json.dumps(bootstrap(1))).returncode == 0
    assert run("proxy", "--mode", "validate").returncode == 2


@contextmanager
def started(*arguments: str | Path, stderr: int = subprocess.PIPE) -> Iterator[subprocess.Popen[bytes]]:
    """Runs the proxy; a test that fails leaves neither the process nor its pipe behind."""
    environ = {**environment(), "TERM": "xterm-256color"}
    with subprocess.Popen([*PROGRAM, "proxy", *map(str, arguments)], stderr=stderr, env=environ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_proxy_that_serves(config: Path, tmp_path: Path) -> None:
    address = tmp_path / "admin"
    options = ["--admin-address-path", address, "--service-node", "other", "-j", "1", "--log-level", "debug"]
    with started("-c", config, *options) as process:
        until = time.monotonic() + 30
        while not address.exists() and time.monotonic() < until:
            time.sleep(0.01)
        host, _, port = address.read_text().rpartition(":")
        info = json.loads(fetch((host, int(port)), "/server_info")[2])
        assert info["node"]["id"] == "other"
        assert info["command_line_options"]["config_path"] == str(config)
        assert info["command_line_options"]["drain_time"] == "10s"
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=30)
    assert process.returncode == 0
    events = [line["event"] for line in rows(told)]
    assert events == ["admin port opened", "listening", "serving", "draining", "stopped"]


def test_a_second_signal_ends_it_at_once(config: Path, tmp_path: Path) -> None:
    with started("-c", config, "--drain-time-s", "60") as process:
        assert process.stderr is not None
        lines = (json.loads(line) for line in process.stderr)
        address = next(line["address"] for line in lines if line["event"] == "listening")
        host, _, port = address.rpartition(":")
        next(line for line in lines if line["event"] == "serving")
        with socket.create_connection((host, int(port))) as connection:
            # Half a frame, which is not finished.
            connection.sendall(b"\0\0\0\x10")
            process.send_signal(signal.SIGINT)
            next(line for line in lines if line["event"] == "draining")
            time.sleep(0.2)
            assert process.poll() is None
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            left = [line["event"] for line in lines]
            assert process.wait(30) == 0
            assert time.monotonic() - began < 10
    assert left == ["connections cut", "stopped"]


def test_on_a_terminal(run_on_terminal: Callable[..., tuple[int, str]], config: Path) -> None:
    code, shown = run_on_terminal("proxy", "-c", config, "--mode", "validate")
    assert (code, "the configuration is good" in shown) == (0, True)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        over = f"admin: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}}}"
        code, shown = run_on_terminal("proxy", "-c", config, "--config-yaml", over)
    assert code == 1
    assert f"the admin port cannot listen on 127.0.0.1:{port}: Address already in use" in shown


def test_a_terminal_shows_a_table_of_listeners(config: Path) -> None:
    control, terminal = pty.openpty()
    shown = b""
    with started("-c", config, stderr=terminal) as process, os.fdopen(control, "rb", buffering=0) as reader:
        os.close(terminal)
        while b"workers" not in shown:
            shown += reader.read(4096)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    text = shown.decode()
    assert "LISTENER" in text
    assert "static/thrift" in text
    assert '{"' not in text
