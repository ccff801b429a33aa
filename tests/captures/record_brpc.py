"""Records `brpc/*.pcap` anew from real brpc-java peers on the loopback interface.

Run it as a user who may capture on `lo` (root, or with tcpdump's capability). It builds the peers of
`../interop/peers/brpc` first. Beside each `NAME.pcap` it writes `NAME.json`:

`protocol`
    the codec whose frames these are;
`calls`
    what the client did and saw, told by the client;
`received`
    what the server took off the wire, told by its service, in its order;
`frames`
    the sizes of all frames in the order of their last packets, read by the few lines below, which know no protobuf.

So tests need not trust the decoder under test.

    record_brpc.py [NAME ...]      all captures, or only the named ones
"""

from __future__ import annotations

import argparse
import json
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loopback import capturing, segments

HERE = Path(__file__).resolve().parent
OUT = HERE / "brpc"
PEERS = HERE.parent / "interop" / "peers" / "brpc"
RUN = str(PEERS / "run.sh")
PORT = 18002
PROTOCOLS = ("brpc", "hulu", "sofa", "public", "nova")


@dataclass(frozen=True)
class Recording:
    """One capture: a protocol, and what the client does."""

    protocol: str
    scenario: str
    options: tuple[str, ...] = ()
    suffix: str = ""

    @property
    def name(self) -> str:
        return f"{self.protocol}-java-{self.suffix or self.scenario}"


def recordings() -> Iterator[Recording]:
    """Every protocol with every scenario that it can express."""
    for protocol in PROTOCOLS:
        yield Recording(protocol, "basic")
        yield Recording(protocol, "fields")
        yield Recording(protocol, "concurrent")
        if protocol != "nova":
            # A client waits for an answer that never comes: brpc-java does not answer calls of what it lacks.
            yield Recording(protocol, "errors", ("--timeout", "1000"))
    yield Recording("brpc", "large")
    for number, name in ((1, "snappy"), (2, "gzip"), (3, "zlib")):
        yield Recording("brpc", "basic", ("--compress", str(number)), name)


def version() -> str:
    """The exact version of brpc-java that was built in."""
    (jar,) = (PEERS / "target" / "lib").glob("brpc-java-[0-9]*.jar")
    return jar.stem.removeprefix("brpc-java-")


def record(recording: Recording) -> tuple[Path, dict[str, Any]]:
    """Captures one conversation; writes the pcap and returns the expectations."""
    pcap = OUT / f"{recording.name}.pcap"
    with tempfile.NamedTemporaryFile("r", encoding="utf-8") as log:
        with capturing(pcap, PORT):
            command = [RUN, "server", "--protocol", recording.protocol, "--port", str(PORT), "--log", log.name]
            server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            try:
                assert server.stdout is not None
                if server.stdout.readline() != "READY\n":
                    sys.exit(f"{recording.name}: the server didn't start; is port {PORT} free?")
                client = [RUN, "client", "--protocol", recording.protocol, "--port", str(PORT)]
                done = subprocess.run(
                    [*client, "--scenario", recording.scenario, *recording.options],
                    capture_output=True,
                    text=True,
                    timeout=120,
                    check=False,
                )
                if done.returncode:
                    sys.exit(f"{recording.name}: the client failed:\n{done.stderr}")
            finally:
                server.terminate()
                server.wait()
        received = [json.loads(line) for line in log]
    return pcap, {
        "protocol": recording.protocol,
        "client": f"brpc-java {version()}",
        "server": f"brpc-java {version()}",
        "scenario": recording.scenario,
        "server_port": PORT,
        "calls": [json.loads(line) for line in done.stdout.splitlines()],
        "received": received,
    }


def lengths(protocol: str, data: bytes) -> tuple[int, int] | None:
    """The lengths of the header with its meta and of the frame at the front of `data`; None if it is too short."""
    if protocol in ("brpc", "hulu") and len(data) >= 12:
        assert data[:4] == {"brpc": b"PRPC", "hulu": b"HULU"}[protocol]
        body, meta = struct.unpack_from(">II" if protocol == "brpc" else "<II", data, 4)
        return 12 + meta, 12 + body
    if protocol == "sofa" and len(data) >= 24:
        assert data[:4] == b"SOFA"
        meta, _, both = struct.unpack_from("<IQQ", data, 4)
        return 24 + meta, 24 + both
    if protocol in ("public", "nova") and len(data) >= 36:
        assert data[24:28] == b"\x94\x93\x70\xfb"
        return 36, 36 + struct.unpack_from("<I", data, 32)[0]
    return None


def frames(protocol: str, pcap: Path) -> Iterator[dict[str, Any]]:
    """The sizes of each frame. Relies on loopback losing and reordering nothing."""
    buffers: dict[tuple[int, int], bytearray] = {}
    expected: dict[tuple[int, int], int] = {}
    for source, destination, sequence, flags, data in segments(pcap):
        key = (source, destination)
        if flags & 0x02:
            buffers[key] = bytearray()
            expected[key] = (sequence + 1) & 0xFFFFFFFF
        if not data or sequence != expected[key]:
            # Only a repetition of what was there, such as a keep-alive, may be skipped.
            assert not data or (expected[key] - sequence) & 0xFFFFFFFF >= len(data), "a hole"
            continue
        expected[key] = (sequence + len(data)) & 0xFFFFFFFF
        buffer = buffers[key]
        buffer += data
        while found := lengths(protocol, buffer):
            header_len, frame_len = found
            if len(buffer) < frame_len:
                break
            to_server = destination == PORT
            yield {
                "to": "server" if to_server else "client",
                "client_port": source if to_server else destination,
                "header_len": header_len,
                "frame_len": frame_len,
            }
            del buffer[:frame_len]
    assert not any(buffers.values()), "bytes behind the last frame"


def main() -> None:
    """Records what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    names = parser.parse_args().names
    known = {recording.name: recording for recording in recordings()}
    if unknown := set(names) - known.keys():
        sys.exit(f"no such captures: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    subprocess.run([RUN, "build"], check=True)
    OUT.mkdir(exist_ok=True)
    for name in names or known:
        recording = known[name]
        pcap, told = record(recording)
        told["frames"] = list(frames(recording.protocol, pcap))
        requests = [frame for frame in told["frames"] if frame["to"] == "server"]
        assert len(requests) == len(told["calls"]), f"{name}: {len(requests)} requests, {len(told['calls'])} calls"
        pcap.with_suffix(".json").write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        print(f"{name}: {len(told['frames'])} frames, {pcap.stat().st_size} bytes")


if __name__ == "__main__":
    main()
