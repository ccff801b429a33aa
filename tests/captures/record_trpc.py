"""Records `trpc/*.pcap` anew from real tRPC peers on the loopback interface.

Run it as a user who may capture on `lo` (root, or with tcpdump's capability). It builds the peers of
`../interop/peers/trpc` first. Beside each `NAME.pcap` it writes `NAME.json`: what the client did and saw, told by the
client itself, so that tests need not trust any decoder.

    record_trpc.py [NAME ...]      all captures, or only the named ones
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
OUT = HERE / "trpc"
PEERS = HERE.parent / "interop" / "peers" / "trpc"
PORT = 9090

sys.path.insert(0, str(PEERS))

from loopback import capturing  # noqa: E402

from build import build  # noqa: E402


@dataclass(frozen=True)
class Recording:
    """One capture: who speaks to whom, and how."""

    client: str
    server: str
    scenario: str
    count: int = 0
    host: str = "127.0.0.1"

    @property
    def name(self) -> str:
        suffix = "-ipv6" if ":" in self.host else ""
        return f"{self.client}-{self.scenario}{suffix}"


RECORDINGS = (
    Recording("trpc-go", "trpc-go", "calls"),
    Recording("trpc-go", "trpc-go", "pooled"),
    Recording("trpc-go", "trpc-go", "pipelined", count=60),
    Recording("trpc-go", "trpc-go", "streams"),
    Recording("trpc-go", "trpc-go", "parallel", count=12),
    Recording("trpc-go", "trpc-go", "short", host="::1"),
)


def record(recording: Recording, peers: dict[str, list[str]]) -> list[dict[str, Any]]:
    """Captures one conversation; writes the pcap and the expectations."""
    pcap = OUT / f"{recording.name}.pcap"
    options = ["--host", recording.host, "--port", str(PORT)]
    with capturing(pcap, PORT):
        server = subprocess.Popen(
            [*peers[recording.server], "server", *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        try:
            assert server.stdout is not None
            if server.stdout.readline() != "READY\n":
                sys.exit(f"{recording.name}: the server didn't start; is port {PORT} free?")
            count = ["--count", str(recording.count)] if recording.count else []
            client = subprocess.run(
                [*peers[recording.client], "client", *options, "--scenario", recording.scenario, *count],
                stdout=subprocess.PIPE,
                text=True,
                check=True,
                timeout=60,
            )
        finally:
            server.terminate()
            server.wait()
    calls: list[dict[str, Any]] = [json.loads(line) for line in client.stdout.splitlines()]
    expectations = {
        "client": recording.client,
        "server": recording.server,
        "scenario": recording.scenario,
        "host": recording.host,
        "server_port": PORT,
    }
    head = json.dumps(expectations, indent=1)[:-2]
    lines = ",\n".join(f"  {json.dumps(call, ensure_ascii=False)}" for call in calls)
    pcap.with_suffix(".json").write_text(f'{head},\n "calls": [\n{lines}\n ]\n}}\n')
    return calls


def main() -> None:
    every = {recording.name: recording for recording in RECORDINGS}
    parser = argparse.ArgumentParser(description="Records the tRPC captures.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these captures")
    names = parser.parse_args().names or list(every)
    if unknown := sorted(set(names) - set(every)):
        parser.error(f"no such capture: {', '.join(unknown)}. There are: {', '.join(every)}")
    if shutil.which("tcpdump") is None:
        sys.exit("tcpdump not found: install it and try again")
    peers = build()
    OUT.mkdir(exist_ok=True)
    for name in names:
        calls = record(every[name], peers)
        size = (OUT / f"{name}.pcap").stat().st_size
        print(f"{name}: {len(calls)} calls, {size} bytes", flush=True)


if __name__ == "__main__":
    main()
