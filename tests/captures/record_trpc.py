"""Records `trpc/*.pcap` anew from real tRPC peers on the loopback interface.

Run it as a user who may capture on `lo` (root, or with tcpdump's capability). It builds the peers of
`../interop/peers/trpc` first. Beside each `NAME.pcap` it writes `NAME.json`: what the client did and saw, told by the
client itself, so that tests need not trust any decoder.

    record_trpc.py [NAME ...]      all captures, or only the named ones
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
OUT = HERE / "trpc"
PEERS = HERE.parent / "interop" / "peers" / "trpc"
PORT = 9090

sys.path.insert(0, str(PEERS))

from loopback import capturing, chosen, conversation, write_calls  # noqa: E402

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
    count = ["--count", str(recording.count)] if recording.count else []
    server = [*peers[recording.server], "server", *options]
    client = [*peers[recording.client], "client", *options, "--scenario", recording.scenario, *count]
    with capturing(pcap, PORT):
        calls = conversation(server, client, recording.name)
    expectations = {
        "client": recording.client,
        "server": recording.server,
        "scenario": recording.scenario,
        "host": recording.host,
        "server_port": PORT,
    }
    write_calls(pcap.with_suffix(".json"), expectations, calls)
    return calls


def main() -> None:
    wanted = chosen({recording.name: recording for recording in RECORDINGS}, "tRPC")
    peers = build()
    OUT.mkdir(exist_ok=True)
    for recording in wanted:
        calls = record(recording, peers)
        size = (OUT / f"{recording.name}.pcap").stat().st_size
        print(f"{recording.name}: {len(calls)} calls, {size} bytes", flush=True)


if __name__ == "__main__":
    main()
