"""Records `dubbo/*.pcap` anew from real Apache Dubbo peers on the loopback interface.

Run it as a user who may capture on `lo` (root, or with tcpdump's capability). It builds the
peers of `../interop/peers/dubbo` first. Beside each `NAME.pcap` it writes `NAME.json`:

`calls`
    what the client did and saw, told by the client;
`received`
    what the server took off the wire, told by its first filter, in its order. A call that
    Dubbo refuses before any filter (no such service …) is not there;
`frames`
    the 16-byte headers of all frames in the order of their last packets, read by the few
    lines below, which know no Hessian. Heartbeats are there only: no program calls them.

So tests need not trust the decoder under test. The three are compared with each other here.

    record_dubbo.py [NAME ...]      all captures, or only the named ones
    record_dubbo.py --vectors       instead, the Hessian 2 values of Dubbo's own library
"""

from __future__ import annotations

import argparse
import json
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loopback import capturing, segments

HERE = Path(__file__).resolve().parent
OUT = HERE / "dubbo"
PEERS = HERE.parent / "interop" / "peers" / "dubbo"
VECTORS = HERE.parent.parent / "codecs" / "dubbo" / "vectors" / "hessian2-java.jsonl"
RUN = str(PEERS / "run.sh")
PORT = 20880

REQUEST, TWO_WAY, EVENT = 0x80, 0x40, 0x20


@dataclass(frozen=True)
class Recording:
    """One capture: which lines of Dubbo speak to each other, and what."""

    client: str
    server: str
    scenario: str
    suffix: str = ""
    client_options: tuple[str, ...] = ()
    server_options: tuple[str, ...] = ()
    serialization: str = "hessian2"
    # Seconds after the first answer at which the server is asked to leave, before the client.
    leave: float | None = None
    # Calls that fail in the client without a frame.
    unsent: int = 0

    @property
    def name(self) -> str:
        line = self.client if self.client == self.server else f"{self.client}-to-{self.server}"
        return f"dubbo-{line}-{self.suffix or self.scenario}"


def recordings() -> Iterator[Recording]:
    """Every scenario with each line, then the lines with each other."""
    for line in ("2.7", "3"):
        yield Recording(line, line, "basic")
        yield Recording(line, line, "exceptions")
        yield Recording(line, line, "payload", server_options=("--payload", "65536"))
        yield Recording(line, line, "exhausted", server_options=("--threads", "1"))
        yield Recording(line, line, "oneway")
        yield Recording(
            *(line, line, "idle", "heartbeats"),
            client_options=("--heartbeat", "1000", "--idle", "6000"),
            server_options=("--heartbeat", "1000"),
            leave=3.7,
            unsent=1,
        )
        yield Recording(line, line, "large")
        yield Recording(line, line, "unicode")
        yield Recording(line, line, "concurrent")
    yield Recording("2.7", "3", "interop", "interop")
    yield Recording("3", "2.7", "interop", "interop")
    for line, serialization in (("2.7", "fastjson"), ("3", "fastjson2")):
        options = ("--serialization", serialization)
        yield Recording(
            *(line, line, "interop", serialization, options, options),
            serialization=serialization,
        )


def version(line: str) -> str:
    """The exact version of Dubbo that was built in."""
    (jar,) = (PEERS / "target" / line / "lib").glob("dubbo-[0-9]*.jar")
    return jar.stem.removeprefix("dubbo-")


def record(recording: Recording) -> tuple[Path, dict[str, Any]]:
    """Captures one conversation; writes the pcap and returns the expectations."""
    pcap = OUT / f"{recording.name}.pcap"
    with tempfile.NamedTemporaryFile("r", encoding="utf-8") as log:
        with capturing(pcap, PORT):
            command = [RUN, "server", "--line", recording.server, "--port", str(PORT)]
            server = subprocess.Popen(
                [*command, "--log", log.name, *recording.server_options],
                stdout=subprocess.PIPE,
                # The servers log the failures that the scenarios provoke.
                stderr=subprocess.DEVNULL,
                text=True,
            )
            try:
                assert server.stdout is not None
                if server.stdout.readline() != "READY\n":
                    sys.exit(f"{recording.name}: the server didn't start; is port {PORT} free?")
                calls = run_client(recording, server)
            finally:
                server.terminate()
                server.wait()
        received = [json.loads(line) for line in log]
    return pcap, {
        "client": version(recording.client),
        "server": version(recording.server),
        "scenario": recording.scenario,
        "serialization": recording.serialization,
        "server_port": PORT,
        "calls": calls,
        "received": received,
    }


def run_client(recording: Recording, server: subprocess.Popen[str]) -> list[dict[str, Any]]:
    """Runs the scenario to its end; has the server leave midway if so recorded."""
    command = [RUN, "client", "--line", recording.client, "--port", str(PORT)]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        client = subprocess.Popen(
            [*command, "--scenario", recording.scenario, *recording.client_options],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        assert client.stdout is not None
        calls = []
        for line in client.stdout:
            calls.append(json.loads(line))
            if recording.leave is not None and len(calls) == 1:
                time.sleep(recording.leave)
                server.terminate()
        if client.wait(timeout=60):
            errors.seek(0)
            sys.exit(f"{recording.name}: the client failed:\n{errors.read()}")
    return calls


def frames(pcap: Path) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Header and body of each frame. Relies on loopback losing and reordering nothing."""
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
        while len(buffer) >= 16:
            magic, flag_bits, status, request_id, length = struct.unpack_from(">HBBqi", buffer)
            assert magic == 0xDABB, f"no Dubbo header but {buffer[:16].hex()}"
            if len(buffer) < 16 + length:
                break
            body = bytes(buffer[16 : 16 + length])
            del buffer[: 16 + length]
            to_server = destination == PORT
            header = {
                "client_port": source if to_server else destination,
                "to": "server" if to_server else "client",
                "flags": flag_bits,
                "status": status,
                "id": request_id,
                "body_len": length,
            }
            yield header, body
    assert not any(buffers.values()), "a frame is incomplete"


def check(recording: Recording, expectations: dict[str, Any], bodies: list[bytes]) -> None:
    """Compares the frames with what the peers told."""
    calls = expectations["calls"]
    heads = expectations["frames"]
    requests = [
        (head, body) for head, body in zip(heads, bodies, strict=True) if head["flags"] & (REQUEST | EVENT) == REQUEST
    ]
    answers = [head for head in heads if not head["flags"] & (REQUEST | EVENT)]
    two_way = [head["id"] for head, _ in requests if head["flags"] & TWO_WAY]
    sent = calls[: len(calls) - recording.unsent]
    claims = {
        "a request a call": len(requests) == len(sent),
        "one-way calls": len(requests) - len(two_way) == sum(call["one_way"] for call in sent),
        "an answer a two-way request": sorted(head["id"] for head in answers) == sorted(two_way),
    }
    if recording.scenario not in ("concurrent", "exhausted"):
        claims["methods in order"] = all(
            call["method"].encode() in body for call, (_, body) in zip(sent, requests, strict=False)
        )
    if failed := [claim for claim, holds in claims.items() if not holds]:
        sys.exit(f"{recording.name}: the peers and the frames disagree: {', '.join(failed)}")


def write(path: Path, expectations: dict[str, Any]) -> None:
    """One line an element of the lists, so that differences can be read."""
    lists = ("calls", "received", "frames")
    parts = [f' "{key}": {json.dumps(value)}' for key, value in expectations.items() if key not in lists]
    for key in lists:
        lines = ",\n".join(f"  {json.dumps(element, ensure_ascii=False)}" for element in expectations[key])
        parts.append(f' "{key}": [\n{lines}\n ]')
    # A lone surrogate, which some arguments have, has no UTF-8: write it as an escape.
    text = "{\n" + ",\n".join(parts) + "\n}\n"
    path.write_bytes(text.encode("utf-8", "backslashreplace"))


def write_vectors() -> None:
    """All values as Dubbo 3 writes them; after these, what Dubbo 2.7 writes otherwise."""
    seen = set()
    with VECTORS.open("w", encoding="utf-8") as file:
        for line in ("3", "2.7"):
            command = [RUN, "vectors", "--line", line]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            for value in output.splitlines():
                if value not in seen:
                    seen.add(value)
                    file.write(f'{{"dubbo": "{version(line)}", {value[1:]}\n')


def main() -> None:
    every = {recording.name: recording for recording in recordings()}
    parser = argparse.ArgumentParser(description="Records the Dubbo captures.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these captures")
    parser.add_argument("--vectors", action="store_true", help=f"write {VECTORS.name} instead")
    arguments = parser.parse_args()
    if arguments.vectors:
        subprocess.run([RUN, "build"], check=True)
        write_vectors()
        return
    names = arguments.names or list(every)
    if unknown := sorted(set(names) - set(every)):
        parser.error(f"no such capture: {', '.join(unknown)}. There are: {', '.join(every)}")
    for tool in ("tcpdump", "mvn", "java"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} not found: install it and try again")
    subprocess.run([RUN, "build"], check=True)
    OUT.mkdir(exist_ok=True)
    for name in names:
        pcap, expectations = record(every[name])
        found = list(frames(pcap))
        expectations["frames"] = [head for head, _ in found]
        check(every[name], expectations, [body for _, body in found])
        write(pcap.with_suffix(".json"), expectations)
        events = sum(1 for head, _ in found if head["flags"] & EVENT)
        print(
            f"{name}: {len(expectations['calls'])} calls, {len(found)} frames, "
            f"{events} of them events, {pcap.stat().st_size} bytes",
            flush=True,
        )


if __name__ == "__main__":
    main()
