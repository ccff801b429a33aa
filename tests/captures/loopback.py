"""What the recorders share: capturing what peers say to each other over the loopback interface, and reading it back."""

from __future__ import annotations

import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
