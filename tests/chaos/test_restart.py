"""One process takes over from another, again and again, under load."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Self

import pytest
from chaos.conftest import Show
from chaos.tools import PROTOCOLS, Hosts, Press, all_right, bootstrap, cluster, eventually, listener, routes, scaled

PROGRAM = [sys.executable, "-c", "from metaprotocol.cli import main; main()", "proxy"]
TAKEOVERS = 2


class Command:
    """The command `metaprotocol proxy`; what it logs is read as it comes."""

    def __init__(self, *arguments: object) -> None:
        self.process = subprocess.Popen([*PROGRAM, *map(str, arguments)], stderr=subprocess.PIPE, text=True)
        self.log: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.log.extend(self.process.stderr)

    def says(self, event: str) -> bool:
        assert self.process.poll() is None or any(event in line for line in self.log), self.log
        return any(json.loads(line).get("event") == event for line in self.log if line.startswith("{"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stderr is not None
        self.process.stderr.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_processes_take_over_and_nothing_is_lost(protocol: str, tmp_path: Path, show: Show, figure: Show) -> None:
    """Connections come and go all the time, twenty requests on each, while the process behind the port is replaced,
    and at last told to end: every connection is let in, none is closed on, and every request is answered rightly.
    """
    path, file = tmp_path / "restart.sock", tmp_path / "bootstrap.json"
    with Hosts(protocol, 2) as hosts:
        ears = listener(protocol, routes("table", "all", timeout="30s"))
        ears["address"]["socket_address"]["port_value"] = port = free_port()
        file.write_text(json.dumps(bootstrap([cluster("all", hosts.addresses)], [ears])))
        arguments = ("-c", file, "--hot-restart-path", path, "--drain-time-s", 2, "-j", 2)
        running = Command(*arguments)
        try:
            eventually(partial(running.says, "serving"), "it serves")
            options = {"connections": 32, "in_flight": 4, "rate": 4000, "turnover": 20}
            with Press(protocol, ("127.0.0.1", port), **options) as press:
                for number in range(scaled(TAKEOVERS)):
                    press.until(press.so_far["asked"] + 2000)
                    show(f"take-over {number + 1} of {scaled(TAKEOVERS)}; {press.so_far['asked']} requests")
                    with running as leaving:
                        running = Command(*arguments)
                        eventually(partial(running.says, "took over"), "it takes over")
                        assert leaving.process.wait(30) == 0
                press.until(press.so_far["asked"] + 2000)
                account = press.account()
            running.process.send_signal(signal.SIGTERM)
            assert running.process.wait(30) == 0
        finally:
            with running:
                pass
    figure(f"{account['asked']} requests on {account['opened']} connections at {account['per_s']:.0f}/s: no error")
    all_right(account)
    assert account["opened"] >= (scaled(TAKEOVERS) + 1) * 100
