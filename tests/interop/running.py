"""Starts and ends real peers."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn, Self

import pytest
from interop.proxy import HOST

START = 60.0
"""Seconds that a server may take until it listens."""

Call = dict[str, Any]
"""What a client tells of one call; the peers' README describes the keys."""


@dataclass(frozen=True)
class Broker:
    """A Kafka broker that runs."""

    port: int
    sasl_port: int
    log: Path
    """The broker's own log of requests, a JSON object a line."""


def unavailable(reason: str) -> NoReturn:
    """A tool is missing: in CI a failure, because it is installed there; elsewhere a reason to skip."""
    if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def free_port() -> int:
    """A port that nobody listens on. The peers cannot be asked which they took, so they are told one."""
    with socket.create_server((HOST, 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


@dataclass(frozen=True)
class Server:
    """A server that runs."""

    port: int
    process: subprocess.Popen[str]


@contextmanager
def running(command: Sequence[str]) -> Iterator[int]:
    """Runs a server until the end of the block, and gives its port."""
    with serving(command) as server:
        yield server.port


@contextmanager
def serving(command: Sequence[str]) -> Iterator[Server]:
    """Runs a server until the end of the block, if it is not killed before."""
    port = free_port()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        # Its output is read on, so that it never blocks.
        process = subprocess.Popen(
            [*command, "--port", str(port)], stdout=subprocess.PIPE, stderr=errors, encoding="utf-8"
        )
        output = process.stdout
        assert output is not None
        try:
            ready = threading.Event()
            reader = threading.Thread(target=_read, args=(output, ready), daemon=True)
            reader.start()
            if not ready.wait(START) or process.poll() is not None:
                errors.seek(0)
                pytest.fail(f"{' '.join(command)} did not start on port {port}:\n{errors.read()[-4000:]}")
            yield Server(port, process)
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            reader.join()
            output.close()


def _read(output: IO[str], ready: threading.Event) -> None:
    for line in output:
        if line == "READY\n":
            ready.set()
    ready.set()  # It has ended; whoever waits sees that.


class Client:
    """A client under way; a context manager that ends it."""

    def __init__(self, command: Sequence[str], port: int) -> None:
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 -- see __exit__
        self._process = subprocess.Popen(
            [*command, "--port", str(port)], stdout=subprocess.PIPE, stderr=self._errors, encoding="utf-8"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        with self._errors, self._process:
            pass

    def calls(self, timeout: float = 45.0) -> list[Call]:
        """Waits for its end, and gives the calls that it made."""
        try:
            output, _ = self._process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            pytest.fail(f"{self._process.args!r} did not end in {timeout} s")
        if self._process.returncode:
            self._errors.seek(0)
            pytest.fail(f"{self._process.args!r} failed:\n{self._errors.read()[-4000:]}")
        return [json.loads(line) for line in output.splitlines()]


def run(command: Sequence[str], port: int) -> list[Call]:
    """Runs a client to its end."""
    with Client(command, port) as client:
        return client.calls()
