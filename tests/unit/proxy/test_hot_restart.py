"""One process takes over from another, and no client notices."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kit.proxies import Upstream, bootstrap, call, fetch, read_frame

from metaprotocol.proxy import Proxy, _restart

PROGRAM = [sys.executable, "-c", "from metaprotocol.cli import main; main()", "proxy"]


class Process:
    """A proxy in a process of its own; what it logs is read as it comes."""

    def __init__(self, *arguments: str | Path) -> None:
        self._process = subprocess.Popen([*PROGRAM, *map(str, arguments)], stderr=subprocess.PIPE, text=True)
        self.events: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            for line in lines:
                self.events.append(json.loads(line) if line.startswith("{") else {"event": line})

    def wait_for(self, event: str, seconds: float = 30) -> dict[str, Any]:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            ended = not self._reader.is_alive()
            for each in self.events:
                if each["event"] == event:
                    return each
            if ended:
                break
            time.sleep(0.01)
        raise AssertionError(f"no {event!r} among {self.events}")

    @property
    def pid(self) -> int:
        return self._process.pid

    def signal(self, number: int = signal.SIGTERM) -> None:
        self._process.send_signal(number)

    def wait(self, seconds: float = 30) -> int:
        code = self._process.wait(seconds)
        self._reader.join(seconds)
        return code

    def kill(self) -> None:
        # One that has ended by itself is waited for, too: what it said last, and its pipe, are not left behind.
        self._process.kill()
        self.wait()


@pytest.fixture
def processes() -> Iterator[list[Process]]:
    started: list[Process] = []
    yield started
    for each in started:
        each.kill()


class Clients:
    """Connections that come and go, and some that stay and never pause; each answer is checked."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self.errors: Counter[str] = Counter()
        self.calls = self.connections = 0
        self._over = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=[self._all()])
        self._thread.start()

    async def _all(self) -> None:
        await asyncio.gather(*(self._come_and_go(number) for number in range(40)), *(self._stay() for _ in range(10)))

    async def _come_and_go(self, number: int) -> None:
        while not self._over:
            await self._converse(1 + number % 4)

    async def _stay(self) -> None:
        while not self._over:
            await self._converse(None)

    async def _converse(self, calls: int | None) -> None:
        try:
            reader, writer = await asyncio.open_connection(*self._address)
        except OSError as error:
            self.errors[f"connecting: {error!r}"] += 1
            return
        self.connections += 1
        made = 0
        try:
            while made != calls and not (calls is None and self._over):
                made += 1
                asked = call(made, f"m{made}")
                writer.write(asked)
                answer = await asyncio.wait_for(reader.readexactly(len(asked)), 20)
                if answer != asked[:7] + b"\x02" + asked[8:]:
                    self.errors["a wrong answer"] += 1
                self.calls += 1
        except (OSError, EOFError, TimeoutError) as error:
            # Who stays is closed between two requests when the time to drain is over; that is not lost.
            if calls is not None or not isinstance(error, EOFError | ConnectionError):
                self.errors[f"after {made} calls: {error!r}"] += 1
        finally:
            writer.close()

    def stop(self) -> None:
        self._over = True
        self._thread.join(60)
        self._loop.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_no_client_notices(upstream: Upstream, tmp_path: Path, processes: list[Process]) -> None:
    config, path = tmp_path / "bootstrap.json", tmp_path / "restart.sock"
    port = free_port()
    config.write_text(json.dumps(bootstrap(upstream.port, listen=port)))
    admin_path = tmp_path / "admin"

    def start(workers: int) -> Process:
        arguments = ("-c", config, "--hot-restart-path", path, "--drain-time-s", "4", "-j", workers)
        process = Process(*map(str, arguments), "--admin-address-path", str(admin_path))
        processes.append(process)
        process.wait_for("serving")
        return process

    old = start(2)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    host, _, admin_port = admin_path.read_text().rpartition(":")
    clients = Clients(("127.0.0.1", port))
    try:
        # More workers than sockets are handed over, then fewer.
        for workers in (3, 1):
            time.sleep(0.5)
            before = clients.calls
            new = start(workers)
            assert new.wait_for("took over")["pid"] == old.pid
            assert old.wait() == 0
            assert clients.calls > before
            # The admin port went along.
            assert fetch((host, int(admin_port)), "/ready")[2] == "LIVE\n"
            old = new
    finally:
        clients.stop()
    old.signal()
    assert old.wait() == 0
    assert not clients.errors
    assert clients.connections > 200
    assert not path.exists()


def test_the_old_one_goes_on_if_the_new_one_fails(upstream: Upstream, tmp_path: Path, processes: list[Process]) -> None:
    config, path, port = tmp_path / "bootstrap.json", tmp_path / "restart.sock", free_port()
    config.write_text(json.dumps(bootstrap(upstream.port, listen=port, admin=False)))
    old = Process("-c", config, "--hot-restart-path", path)
    processes.append(old)
    old.wait_for("serving")
    heir = _restart.take_over(str(path))
    assert heir is not None
    assert [len(each) for each in heir.sockets.values()] == [len(os.sched_getaffinity(0))]
    heir.close()
    old.wait_for("not replaced")
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(call(1))
        assert read_frame(connection)
    # One that only asks and stays away does not keep it from ending.
    hanging = _restart.take_over(str(path))
    assert hanging is not None
    old.signal()
    assert old.wait() == 0
    hanging.close()


def test_garbage_at_the_path(tmp_path: Path) -> None:
    path = str(tmp_path / "restart.sock")
    assert _restart.take_over(path) is None
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        for answer in (b"", b"\xff\n", b"[]\n", b"{}\n", b'{"sockets": 1}\n', b'{"sockets": [["x", 2]]}\n'):
            thread = threading.Thread(target=answer_with, args=(server, answer))
            thread.start()
            with pytest.raises(_restart.RestartFailed):
                _restart.take_over(path)
            thread.join()
    # Nobody listens any more.
    assert _restart.take_over(path) is None


@pytest.mark.parametrize("name", ["no/such/folder", "x" * 200])
def test_a_path_that_cannot_be(upstream: Upstream, tmp_path: Path, name: str) -> None:
    proxy = Proxy(bootstrap(upstream.port), workers=1)

    async def main() -> None:
        async with proxy.running(hot_restart_path=tmp_path / name):
            pass

    with pytest.raises(OSError, match=f"the socket for hot restarts cannot be at {tmp_path / name}"):
        asyncio.run(main())
    assert not proxy.is_running


def answer_with(server: socket.socket, answer: bytes) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(1024)
        connection.sendall(answer)


def test_within_a_program(upstream: Upstream, tmp_path: Path) -> None:
    """Both in one process: the old one is told to quit, and the address stays the same though it is any free one."""
    path = tmp_path / "restart.sock"

    async def main() -> None:
        config = bootstrap(upstream.port)
        async with (
            Proxy(config, workers=2).running(hot_restart_path=path) as old,
            Proxy(config, workers=2).running(hot_restart_path=path) as new,
        ):
            await asyncio.wait_for(old.asked_to_quit(), 5)
            assert (new.addresses(), new.admin_address) == (old.addresses(), old.admin_address)
            assert path.exists()
        assert not path.exists()

    asyncio.run(main())
