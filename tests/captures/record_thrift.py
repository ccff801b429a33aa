"""Records `thrift/*.pcap` anew from real Thrift peers on the loopback interface.

Run it as a user who may capture on `lo` (root, or with tcpdump's capability). It builds the
peers of `../interop/peers/thrift` first. Beside each `NAME.pcap` it writes `NAME.json`: what
the client did and saw, told by the client itself, so that tests need not trust any decoder.
Where tshark is installed, the messages that it finds are compared with that file.

    record_thrift.py [NAME ...]      all captures, or only the named ones
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
OUT = HERE / "thrift"
PEERS = HERE.parent / "interop" / "peers" / "thrift"
PORT = 9090

sys.path.insert(0, str(PEERS))

from loopback import capturing, chosen, conversation, write_calls  # noqa: E402

from build import build  # noqa: E402


@dataclass(frozen=True)
class Recording:
    """One capture: who speaks to whom, and how."""

    client: str
    server: str
    transport: str
    protocol: str
    scenario: str = "interop"
    suffix: str = ""
    flags: tuple[str, ...] = ()
    count: int = 0
    host: str = "127.0.0.1"

    @property
    def name(self) -> str:
        suffix = f"-{self.suffix}" if self.suffix else ""
        return f"{self.client}-{self.transport}-{self.protocol}{suffix}"


def recordings() -> Iterator[Recording]:
    """Every transport and protocol of each client library, then the special cases."""
    for protocol in ("binary", "binary-old", "compact"):
        yield Recording("apache-py", "apache-py", "unframed", protocol)
        yield Recording("apache-py", "apache-go", "framed", protocol)
        yield Recording("apache-go", "apache-go", "unframed", protocol)
        yield Recording("apache-go", "apache-py", "framed", protocol)
        yield Recording("thriftpy2", "thriftpy2", "unframed", protocol)
        yield Recording("thriftpy2", "apache-go", "framed", protocol)
    yield Recording("apache-py", "apache-go", "header", "binary")
    yield Recording("apache-py", "apache-py", "header", "compact")
    yield Recording("apache-go", "apache-py", "header", "binary")
    yield Recording("apache-go", "apache-go", "header", "compact")
    yield Recording("apache-py", "apache-py", "unframed", "json", "short")

    multiplexed: dict[str, Any] = {"suffix": "multiplexed", "flags": ("--multiplexed",)}
    yield Recording("apache-py", "apache-py", "framed", "binary", **multiplexed)
    yield Recording("apache-go", "apache-go", "header", "compact", **multiplexed)
    yield Recording("apache-go", "apache-py", "unframed", "compact", **multiplexed)
    yield Recording("thriftpy2", "apache-go", "unframed", "binary", **multiplexed)
    zlib: dict[str, Any] = {"suffix": "zlib", "flags": ("--zlib",)}
    yield Recording("apache-go", "apache-py", "header", "binary", **zlib)
    yield Recording("apache-py", "apache-go", "header", "compact", **zlib)

    for protocol in ("binary", "compact"):
        yield Recording("apache-py", "apache-py", "unframed", protocol, "uuid", "uuid")
    yield Recording("apache-py", "apache-go", "framed", "binary", "large", "large")
    for client, server, transport, protocol in (
        ("apache-py", "apache-go", "framed", "compact"),
        ("apache-go", "apache-py", "unframed", "binary"),
        ("apache-go", "apache-go", "header", "binary"),
        ("thriftpy2", "apache-py", "unframed", "compact"),
    ):
        yield Recording(client, server, transport, protocol, "pipelined", "pipelined", count=200)
    yield Recording("thriftpy2", "apache-go", "framed", "binary", "connections", "connections", count=8)
    yield Recording("apache-go", "apache-py", "framed", "compact", "short", "ipv6", host="::1")


def record(recording: Recording, peers: dict[str, list[str]]) -> tuple[Path, dict[str, Any]]:
    """Captures one conversation; writes the pcap and the expectations."""
    pcap = OUT / f"{recording.name}.pcap"
    options = [
        *("--host", recording.host, "--port", str(PORT)),
        *("--transport", recording.transport, "--protocol", recording.protocol),
        *recording.flags,
    ]
    count = ["--count", str(recording.count)] if recording.count else []
    server = [*peers[recording.server], "server", *options]
    client = [*peers[recording.client], "client", *options, "--scenario", recording.scenario, *count]
    with capturing(pcap, PORT):
        calls = conversation(server, client, recording.name)
    # Several connections print in the order of their threads' luck.
    calls.sort(key=lambda call: call["conn"])
    expectations = {
        "client": recording.client,
        "server": recording.server,
        "transport": recording.transport,
        "protocol": recording.protocol,
        "scenario": recording.scenario,
        "multiplexed": "--multiplexed" in recording.flags,
        "zlib": "--zlib" in recording.flags,
        "host": recording.host,
        "server_port": PORT,
    }
    write_calls(pcap.with_suffix(".json"), expectations, calls)
    return pcap, {**expectations, "calls": calls}


def expected_messages(expectations: dict[str, Any]) -> Counter[tuple[str, str, int]]:
    """(kind, method, sequence id) of all messages that the client wrote or read."""
    messages: Counter[tuple[str, str, int]] = Counter()
    for call in expectations["calls"]:
        messages[call["message_type"], call["wire_method"], call["seq_id"]] += 1
        if call["reply"]:
            messages[call["reply"], call["method"], call["seq_id"]] += 1
    return messages


def tshark_messages(pcap: Path, protocol: str) -> Counter[tuple[str, str, int]]:
    """The same, as tshark's dissector sees them."""
    fields = ("thrift.mtype", "thrift.method", "thrift.seq_id")
    output = subprocess.run(
        ["tshark", "-r", str(pcap), "-d", f"tcp.port=={PORT},thrift", "-T", "json", "-Y", "thrift"]
        + [argument for field in fields for argument in ("-e", field)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    kinds = {1: "call", 2: "reply", 3: "exception", 4: "oneway"}
    messages: Counter[tuple[str, str, int]] = Counter()
    for packet in json.loads(output):
        layers = packet["_source"]["layers"]
        columns = [layers.get(field, []) for field in fields]
        for kind, method, seq_id in zip(*columns, strict=True):
            number = int(seq_id, 0)
            if protocol == "compact":
                # The id is a plain varint; tshark takes it for a zigzag one. Undo that.
                number = (number << 1) ^ (number >> 31)
            messages[kinds[int(kind, 0)], method, number] += 1
    return messages


def check(pcap: Path, expectations: dict[str, Any]) -> str:
    """Compares with tshark, which knows neither the header transport nor old binary nor JSON."""
    if expectations["transport"] == "header" or expectations["protocol"] in ("binary-old", "json"):
        return "not a format of tshark's"
    if shutil.which("tshark") is None:
        return "tshark not installed"
    found = tshark_messages(pcap, expectations["protocol"])
    expected = expected_messages(expectations)
    if (expectations["transport"], expectations["protocol"]) == ("unframed", "compact"):
        # tshark wants more bytes than a ping has (9) before it looks at a message, so it never
        # shows one that ends a connection. The prefix of a multiplexed call makes it longer.
        for call in {call["conn"]: call for call in expectations["calls"]}.values():
            if call["method"] == "ping":
                expected[call["reply"], "ping", call["seq_id"]] -= 1
                expected[call["message_type"], call["wire_method"], call["seq_id"]] -= call["wire_method"] == "ping"
        expected = +expected
    if found != expected:
        sys.exit(
            f"{pcap.name}: tshark disagrees with the client\n"
            f"  only tshark: {dict(found - expected)}\n  only client: {dict(expected - found)}"
        )
    return "tshark agrees"


def main() -> None:
    wanted = chosen({recording.name: recording for recording in recordings()}, "Thrift")
    peers = build()
    OUT.mkdir(exist_ok=True)
    for recording in wanted:
        pcap, expectations = record(recording, peers)
        verdict = check(pcap, expectations)
        size = pcap.stat().st_size
        print(f"{recording.name}: {len(expectations['calls'])} calls, {size} bytes, {verdict}", flush=True)


if __name__ == "__main__":
    main()
