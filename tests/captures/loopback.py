"""What the recorders share: running peers, capturing what they say over the loopback interface, and reading it back."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


def chosen(every: Mapping[str, T], protocol: str, *tools: str) -> list[T]:
    """The captures that the command line names, or all. Ends the program if a name or a tool is missing."""
    parser = argparse.ArgumentParser(description=f"Records the {protocol} captures.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these captures")
    names = parser.parse_args().names or list(every)
    if unknown := sorted(set(names) - set(every)):
        parser.error(f"no such capture: {', '.join(unknown)}. There are: {', '.join(every)}")
    for tool in ("tcpdump", *tools):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} not found: install it and try again")
    return [every[name] for name in names]


def conversation(server: Sequence[str], client: Sequence[str], name: str) -> list[dict[str, Any]]:
    """The calls that a client told of, to a server that runs meanwhile. Ends the program if that does not start."""
    # The servers log the failures that a scenario provokes.
    process = subprocess.Popen(server, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        if process.stdout.readline() != "READY\n":
            sys.exit(f"{name}: the server didn't start; is its port free?")
        done = subprocess.run(client, stdout=subprocess.PIPE, text=True, check=True, timeout=60)
    finally:
        process.terminate()
        process.wait()
    return [json.loads(line) for line in done.stdout.splitlines()]


def write_calls(path: Path, expectations: Mapping[str, Any], calls: Sequence[Mapping[str, Any]]) -> None:
    """Write what a client told: one line a call, so that differences can be read."""
    head = json.dumps(expectations, indent=1)[:-2]
    lines = ",\n".join(f"  {json.dumps(call, ensure_ascii=False)}" for call in calls)
    path.write_text(f'{head},\n "calls": [\n{lines}\n ]\n}}\n')


@contextmanager
def capturing(pcap: Path, *ports: int) -> Iterator[None]:
    """Captures the TCP of some ports to the end of the block. Ends the program if the capture has holes."""
    expression = " or ".join(f"tcp port {port}" for port in ports)
    with pcap.open("wb") as file:
        capture = subprocess.Popen(
            ["tcpdump", "-i", "lo", "-B", "16384", "-w", "-", expression],
            stdout=file,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert capture.stderr is not None
    heard = ""
    while "listening on" not in heard:
        line = capture.stderr.readline()
        if not line:
            sys.exit(f"tcpdump can't capture on lo: {heard.strip()}")
        heard += line
    try:
        yield
    finally:
        time.sleep(1.2)  # tcpdump is handed a block of packets after a second at the latest.
        capture.send_signal(signal.SIGINT)
        statistics = capture.stderr.read()
        capture.wait()
    if "\n0 packets dropped by kernel" not in statistics:
        sys.exit(f"{pcap.stem}: the capture has holes, record it again: {statistics}")


def segments(pcap: Path) -> Iterator[tuple[int, int, int, int, bytes]]:
    """(source port, destination port, sequence number, TCP flags, data) of each packet of IPv4."""
    data = pcap.read_bytes()
    magic, _, _, _, _, _, link_type = struct.unpack_from("<IHHiIII", data)
    assert (magic, link_type) == (0xA1B2C3D4, 1), "not what tcpdump writes on lo"
    at = 24
    while at < len(data):
        _, _, captured, original = struct.unpack_from("<IIII", data, at)
        assert captured == original, "a packet was cut short"
        packet = data[at + 16 : at + 16 + captured]
        at += 16 + captured
        ip = packet[14:]
        total = struct.unpack_from(">H", ip, 2)[0] or len(ip)
        tcp = ip[(ip[0] & 15) * 4 : total]
        source, destination, sequence = struct.unpack_from(">HHI", tcp)
        yield source, destination, sequence, tcp[13], tcp[(tcp[12] >> 4) * 4 :]
