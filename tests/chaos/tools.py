"""What is thrown at a proxy, and proxies in processes of their own.

The programs are those of `native/proxy-bench`: hosts that misbehave on demand, and requests that go on through every
fault, each verified to the byte and accounted for. Python only says who does what, and when.
"""

from __future__ import annotations

import json
import os
import queue
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Self

HERE = Path(__file__).resolve().parent
TOOL = HERE.parents[1] / "target" / "quick" / "proxy-bench"
PROTOCOLS = ("thrift", "dubbo", "redis")
SCALE = float(os.environ.get("METAPROTOCOL_CHAOS", "1"))
"""How much of everything is done: 10 is a soak of ten times as many requests, faults and updates."""
PATIENCE = 60.0
"""Seconds to wait for what should happen soon."""
PROXY_URL = "type.googleapis.com/aeraki.meta_protocol_proxy.v1alpha.MetaProtocolProxy"
IN_CI = os.environ.get("CI", "").lower() in ("1", "true", "yes")

Json = dict[str, Any]


def scaled(count: int) -> int:
    return max(1, round(count * SCALE))


def seeded(name: str) -> random.Random:
    """Numbers that METAPROTOCOL_CHAOS_SEED repeats; what the seed is stands in the output of the test."""
    seed = os.environ.get("METAPROTOCOL_CHAOS_SEED") or str(random.SystemRandom().randrange(1 << 32))
    print(f"again: METAPROTOCOL_CHAOS_SEED={seed}")
    return random.Random(f"{seed} {name}")


def eventually(holds: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """Wait until something holds, and give it."""
    until = time.monotonic() + patience
    while not (found := holds()):
        assert time.monotonic() < until, f"not in {patience:g} s: {what}"
        time.sleep(0.01)
    return found


def may_open(files: int) -> str:
    """Raise the limit of open files, for this process and those it starts. Why not, if that cannot be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < files:
        return f"needs {files} open files, and the hard limit is {hard}"
    if soft != resource.RLIM_INFINITY and soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    return ""


class Process:
    """A program that speaks in lines of JSON, and ends when its standard input does."""

    def __init__(self, command: Sequence[object], *, files: int = 0, prefix: str = "") -> None:
        self.command = [str(word) for word in command]
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 -- see __exit__
        self._process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            encoding="utf-8",
            env=os.environ | ({"PYTHONPATH": os.pathsep.join(sys.path)} if self.command[0] == sys.executable else {}),
            preexec_fn=(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))) if files else None,
        )
        self.lines: queue.SimpleQueue[Json | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.heard(json.loads(line))
        self.lines.put(None)

    def heard(self, line: Json) -> None:
        self.lines.put(line)

    def line(self, patience: float = PATIENCE) -> Json:
        try:
            found = self.lines.get(timeout=patience)
        except queue.Empty:
            raise AssertionError(f"{self.command[:3]} says nothing for {patience:g} s: {self.complaints()}") from None
        assert found is not None, f"{self.command[:3]} has ended: {self.complaints()}"
        return found

    def ask(self, line: str) -> Json:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self.line()

    def complaints(self) -> str:
        self._errors.seek(0)
        return self._errors.read()[-4000:]

    @property
    def pid(self) -> int:
        return self._process.pid

    def enough(self) -> None:
        """End its standard input."""
        assert self._process.stdin is not None
        if not self._process.stdin.closed:
            self._process.stdin.close()

    def memory(self, field: str = "VmRSS") -> int:
        """Bytes of resident memory; `VmHWM` is the most there ever was."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith(field + ":"))

    def cpu(self) -> float:
        """Seconds of CPU that it has spent so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.enough()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._errors.close()


class Hosts(Process):
    """Servers that misbehave when they are told to."""

    MODES = ("hang", "deaf", "slow", "reset", "half-close", "cut", "garbage", "dead")

    def __init__(self, protocol: str, count: int, seed: int = 1) -> None:
        super().__init__([TOOL, "unruly", "--protocol", protocol, "--count", count, "--seed", seed])
        self.addresses: list[str] = self.line()["listening"]

    def tell(self, host: int | str, mode: str) -> Json:
        return self.ask(f"{host} {mode}")

    def counts(self) -> Json:
        return self.ask("")

    def answered(self) -> list[int]:
        return [each["answered"] for each in self.counts()["hosts"]]


class Press(Process):
    """Requests that go on whatever happens. `so_far` is how far it was a moment ago."""

    def __init__(self, protocol: str, target: tuple[str, int], **options: object) -> None:
        self.so_far: Json = {"asked": 0, "right": 0, "refused": 0, "cut": 0}
        words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
        address = "{}:{}".format(*target)
        super().__init__([TOOL, "press", "--protocol", protocol, "--target", address, *words])

    def heard(self, line: Json) -> None:
        if "so_far" in line:
            self.so_far = line["so_far"]
        else:
            self.lines.put(line)

    def until(self, count: int, patience: float = PATIENCE) -> Json:
        """Wait until so many were asked, perhaps some more."""
        return eventually(lambda: self.so_far["asked"] >= count and self.so_far, f"{count} requests", patience)

    def account(self, patience: float = PATIENCE) -> Json:
        """Ask no more than was to be asked, and say what became of it all."""
        self.enough()
        account: Json = self.line(patience)["account"]
        print("account:", json.dumps(account))
        known = sum(account[kind] for kind in ("right", "refused", "wrong", "cut", "lost"))
        assert known == account["asked"], account
        return account


def all_right(account: Json) -> None:
    """Every request got its answer, and no connection was closed."""
    faults = {kind: account[kind] for kind in ("refused", "wrong", "cut", "lost", "unasked", "closed", "unopened")}
    assert not any(faults.values()), (
        f"{faults}: {account['first_wrong'] or account['first_error']} {account['reasons']}"
    )
    assert account["right"] == account["asked"]


class Held(Process):
    """Connections that had one answer each, and then stay."""

    def __init__(self, protocol: str, target: tuple[str, int], count: int) -> None:
        address = "{}:{}".format(*target)
        words = ["--protocol", protocol, "--target", address, "--connections", count, "--patience", PATIENCE]
        super().__init__([TOOL, "hold", *words])
        self.count: int = self.line(2 * PATIENCE)["held"]

    def open(self) -> int:
        return int(self.ask("")["open"])


class ProxyProcess(Process):
    """A proxy in a process of its own, with so many open files at most."""

    def __init__(self, config: Json, *, workers: int = 1, files: int = 0) -> None:
        super().__init__([sys.executable, HERE / "serving.py", json.dumps(config), workers], files=files)
        self.addresses: dict[str, tuple[str, int]] = {
            name: (host, port) for name, (host, port) in self.line()["addresses"].items()
        }

    def stats(self) -> dict[str, int]:
        found: dict[str, int] = self.ask("")["stats"]
        return found

    def count(self, name: str) -> int:
        """The sum of all counters whose names end like this."""
        return total(self.stats(), name)


def total(stats: dict[str, int], name: str) -> int:
    return sum(count for full, count in stats.items() if full.endswith("." + name))


def endpoint(address: str, **fields: Any) -> Json:
    host, _, port = address.rpartition(":")
    return {"endpoint": {"address": {"socket_address": {"address": host, "port_value": int(port)}}}, **fields}


def hosts(name: str, addresses: Iterable[str], draining: Iterable[str] = ()) -> Json:
    """A cluster's hosts, of which some drain."""
    ends = [endpoint(address) for address in addresses]
    ends += [endpoint(address, health_status="DRAINING") for address in draining]
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": ends}]}


def cluster(name: str, addresses: Iterable[str], **fields: Any) -> Json:
    many = 1_000_000
    limits = {"max_connections": many, "max_pending_requests": many, "max_requests": many}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": hosts(name, addresses),
        "circuit_breakers": {"thresholds": [limits]},
        **fields,
    }


def routes(name: str, to: str, *, count: int = 1, **action: Any) -> Json:
    """A table in which the last route of so many leads to a cluster; no message is like the others."""
    nobody = [
        {
            "name": f"r{number}",
            "match": {"metadata": [{"name": "method", "exact_match": f"m{number}"}]},
            "route": {"cluster": to},
        }
        for number in range(count - 1)
    ]
    return {"name": name, "routes": [*nobody, {"name": "all", "route": {"cluster": to, **action}}]}


def listener(protocol: str, table: Json, name: str = "", *, buffer: int = 0, **proxy: Any) -> Json:
    config = {
        "@type": PROXY_URL,
        "stat_prefix": name or protocol,
        "protocol": {"name": protocol, "codec": {"name": f"aeraki.meta_protocol.codec.{protocol}"}},
        **({"route_config": table} if "routes" in table else table),
        **proxy,
    }
    found: Json = {
        "name": name or protocol,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [{"name": "aeraki.meta_protocol_proxy", "typed_config": config}]}],
    }
    if buffer:
        found["per_connection_buffer_limit_bytes"] = buffer
    return found


def bootstrap(clusters: list[Json], listeners: list[Json], **fields: Any) -> Json:
    return {
        "node": {"id": "chaos", "cluster": "tests"},
        "static_resources": {"clusters": clusters, "listeners": listeners},
        **fields,
    }
