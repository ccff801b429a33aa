"""The programs, built once a run; what is shown meanwhile, and the figures at the end."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from chaos.tools import HERE, SCALE, TOOL

Show = Callable[[str], None]
FIGURES = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FIGURES] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.chaos)
            item.add_marker(pytest.mark.timeout(120 * max(1, SCALE)))


@pytest.fixture(scope="session", autouse=True)
def _programs() -> None:
    if shutil.which("cargo") is None:
        pytest.fail("cargo not found: the hosts and the load are written in Rust (https://rustup.rs)", pytrace=False)
    command = ["cargo", "build", "-q", "--profile", "quick", "-p", "metaprotocol-proxy-bench"]
    built = subprocess.run(command, cwd=HERE.parents[1], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    assert TOOL.exists()


@pytest.fixture
def show(request: pytest.FixtureRequest) -> Iterator[Show]:
    """Says on a terminal how far it is."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def write(text: str) -> None:
        with capture.global_and_fixture_disabled():
            if sys.stderr.isatty():
                sys.stderr.write(f"\r\x1b[K{text}")
                sys.stderr.flush()

    yield lambda text: write(f"  {request.node.name}: {text}")
    write("")


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Show:
    """A figure for the end of the run. Nothing is asserted about rates: they are the machine's."""
    return lambda text: request.config.stash[FIGURES].append(f"{request.node.name}: {text}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.stash[FIGURES]:
        terminalreporter.section("figures")
        for line in config.stash[FIGURES]:
            terminalreporter.write_line(line)
