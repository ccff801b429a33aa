"""Records `redis/*.pcap` anew from real Redis servers and clients on the loopback interface.

Run it as a user who may capture on `lo` (root, or with tcpdump's capability), with redis-server, openssl, redis-py and
hiredis installed. Servers, clients and scenarios are those of `../interop/peers/redis`.

Beside each `NAME.pcap` it writes `NAME.json`: who spoke, and all `messages` in the order of their last packets. Each
says its connection (`conn`, in the order of their SYNs) and where it went (`to`). To the server:

`args`
    the command with its arguments; `inline` if it was a line of words. null if it was none, and the server closed the
    connection;
`keys`, `slots`
    which of them are keys by the server's own COMMAND GETKEYS, and their slots by its CLUSTER KEYSLOT. No `keys`: the
    server could not say, because the command or its arguments are wrong.

To the client:

`type`, `length`, `value`
    its first byte, all its bytes, what it says. `attributes` if there were some before the value;
`answers`
    number of the message to the server on this connection, from 0, that it answers; null for what nobody asked for. All
    confirmations of a SUBSCRIBE with several channels answer it.

In replication a payload is a message of the type `rdb`, and a newline that only keeps the connection alive `newline`.

Texts are strings; what is no UTF-8 is `{"hex": …}`, what is long `{"bytes": length, "sha256": …}`. Types that JSON has
not are objects: `error`, `double`, `big`, `verbatim`, `map` (pairs), `set`.

So tests need not trust the decoder under test: bytes are read by the few lines of `wire.py`, and what they say is
compared with what each client says it sent and got, and which answer it took for which command. Where tshark is
installed, its numbers of strings, integers, errors and arrays are compared, too; it knows RESP2 only.

    record_redis.py [NAME ...]      all captures, or only the named ones
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
OUT = HERE / "redis"

sys.path.insert(0, str(HERE.parent))

try:
    import hiredis
    import redis
except ImportError:
    sys.exit("redis-py and hiredis not found: pip install 'redis[hiredis]'")

from interop.peers.redis.clients import LOGS, PORT  # noqa: E402
from interop.peers.redis.redis_servers import ErrorReply, Server, alone, tls, users  # noqa: E402
from interop.peers.redis.scenarios import CASES, Case  # noqa: E402
from interop.peers.redis.wire import Incomplete, Reader, Said, same, text  # noqa: E402
from loopback import capturing, chosen, segments  # noqa: E402


@contextmanager
def usual(case: Case) -> Iterator[Any]:
    """The servers of a case."""
    if case.servers is None:
        with alone(port=PORT) as server:
            yield server
    elif case.servers in (users, tls):
        with case.servers(port=PORT) as server:
            yield server
    else:
        with case.servers() as given:
            yield given


@dataclass
class Stream:
    """One connection, as captured."""

    number: int
    server_port: int
    client_port: int
    waiting: dict[str, bytearray] = field(default_factory=lambda: {"server": bytearray(), "client": bytearray()})
    kinds: Counter[str] = field(default_factory=Counter)
    replication: bool = False
    payload: bool = False
    """Whether a payload of replication comes next."""

    def messages(self, to: str) -> Iterator[dict[str, Said]]:
        """Takes whole messages from the front of a direction."""
        buffer = self.waiting[to]
        while buffer:
            reader = Reader(bytes(buffer))
            try:
                if to == "server":
                    told = reader.command()
                    self.replication |= bool(told["args"]) and told["args"][0] == b"PSYNC"
                elif self.replication and buffer[:1] == b"\n":
                    reader.at = 1  # The master is busy with the payload.
                    told = {"type": "newline", "length": 1}
                elif self.payload:
                    told, self.payload = reader.rdb(), False
                else:
                    told = reader.message()
                    self.payload = self.replication and str(told["value"]).startswith("FULLRESYNC")
            except Incomplete:
                return
            del buffer[: reader.at]
            self.kinds += reader.kinds
            yield {"conn": self.number, "to": to, **told}


def read_streams(case: Case, pcap: Path) -> tuple[list[Stream], list[dict[str, Said]]]:
    """All messages. Relies on loopback losing and reordering nothing."""
    streams: list[Stream] = []
    by_port: dict[int, Stream] = {}
    expected: dict[tuple[int, int], int] = {}
    messages: list[dict[str, Said]] = []
    for source, destination, sequence, flags, data in segments(pcap):
        to = "server" if destination in case.ports else "client"
        client, server = (source, destination) if to == "server" else (destination, source)
        if flags & 0x02:
            if to == "server":
                streams.append(Stream(len(streams), server, client))
                by_port[client] = streams[-1]
            expected[source, destination] = (sequence + 1) & 0xFFFFFFFF
        if not data or sequence != expected[source, destination]:
            # Only a repetition of what was there, such as a keep-alive, may be skipped.
            assert not data or (expected[source, destination] - sequence) & 0xFFFFFFFF >= len(data), "a hole"
            continue
        expected[source, destination] = (sequence + len(data)) & 0xFFFFFFFF
        stream = by_port[client]
        stream.waiting[to] += data
        if case.readable:
            messages += stream.messages(to)
    return streams, messages


def compare(case: Case, streams: list[Stream], messages: list[dict[str, Said]]) -> None:
    """Compares what was captured with what the clients say, and adds which answers which."""
    for stream in streams:
        log = LOGS.pop(stream.client_port, None)
        sent = [each for each in messages if each["conn"] == stream.number and each["to"] == "server"]
        got = [each for each in messages if each["conn"] == stream.number and each["to"] == "client"]
        if log is None:
            # Of a replica, or of one server that gives keys to another.
            ours = {each["args"][0] for each in sent} - {b"SELECT", b"RESTORE-ASKING"}
            assert stream.replication or not ours, f"nobody's connection: {ours}"
            pair_by_order(sent, got)
            continue
        for number, (told, said) in enumerate(zip_longest((each["args"] for each in sent), log.sent)):
            if told != said:
                sys.exit(f"{case.name}: client and capture disagree on command {number}: {said} and {told}")
        values = deque(log.got)
        for each in got:
            if values and (each["value"] == values[0][0] or same(each["value"], values[0][0])):
                each["answers"] = values.popleft()[1]
            elif each["type"] == ">":
                each["answers"] = None  # redis-py keeps pushes to itself.
            else:
                sys.exit(f"{case.name}: client and capture disagree: {each}, {values[0] if values else 'nothing'}")
        if values:
            sys.exit(f"{case.name}: the client got what was not captured: {values[0]}")
    if LOGS:
        sys.exit(f"{case.name}: connections are not in the capture: {LOGS}")


def pair_by_order(sent: list[dict[str, Said]], got: list[dict[str, Said]]) -> None:
    """Of connections between servers: before PSYNC each command has its answer, behind it none has."""
    names = [each["args"][0] for each in sent]
    asked = names.index(b"PSYNC") + 1 if b"PSYNC" in names else len(sent)
    due = iter(range(asked))
    for each in got:
        each["answers"] = None if each["type"] == "newline" else next(due, None)


def add_keys(oracle: Server, messages: list[dict[str, Said]]) -> None:
    """Asks a server for keys and slots."""
    with oracle.client() as ask:
        for each in messages:
            if each["to"] != "server":
                continue
            words = each["args"]
            if words:
                try:
                    keys = ask("COMMAND", "GETKEYS", *words)
                except ErrorReply as refused:
                    keys = [] if "no key arguments" in str(refused) else None
                if keys is not None:
                    each["keys"] = [text(key) for key in keys]
                    each["slots"] = [ask("CLUSTER", "KEYSLOT", key) for key in keys]
            each["args"] = None if words is None else [text(word) for word in words]


def compare_with_tshark(case: Case, streams: list[Stream], pcap: Path) -> None:
    """Compares the numbers of values of the kinds that tshark's dissector knows."""
    fields = {
        "resp.string": "+",
        "resp.error": "-",
        "resp.integer": ":",
        "resp.bulk_string.length": "$",
        "resp.array.length": "*",
    }
    command = ["tshark", "-r", str(pcap), "-T", "json", "-Y", "resp"]
    command += [word for port in case.ports for word in ("-d", f"tcp.port=={port},resp")]
    command += [word for name in fields for word in ("-e", name)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    theirs: Counter[str] = Counter()
    for packet in json.loads(output):
        for name, values in packet["_source"]["layers"].items():
            theirs[fields[name]] += len(values)
    ours = Counter(kind for stream in streams for kind in stream.kinds.elements() if kind in fields.values())
    if ours != theirs:
        sys.exit(f"{case.name}: tshark disagrees: {theirs}, but captured: {ours}")


def write(path: Path, expectations: dict[str, Any], messages: list[dict[str, Said]]) -> None:
    """One line a message, so that differences can be read."""
    head = json.dumps(expectations, indent=1, ensure_ascii=False)[:-2]
    lines = ",\n".join(f"  {json.dumps(each, ensure_ascii=False)}" for each in messages)
    path.write_text(f'{head},\n "messages": [\n{lines}\n ]\n}}\n', encoding="utf-8")


def record(case: Case, oracle: Server) -> None:
    """Makes one capture."""
    pcap = OUT / f"{case.name}.pcap"
    LOGS.clear()
    with usual(case) as given, capturing(pcap, *case.ports):
        case.play(given)
    streams, messages = read_streams(case, pcap)
    verdict = "not compared with tshark"
    if case.readable:
        compare(case, streams, messages)
        if case.tshark and shutil.which("tshark") is not None:
            compare_with_tshark(case, streams, pcap)
            verdict = "tshark agrees"
        add_keys(oracle, messages)
    write(
        pcap.with_suffix(".json"),
        {
            "client": case.client,
            "redis_py": redis.__version__,
            "hiredis": hiredis.__version__,
            "server": oracle.version,
            "protocol": case.protocol,
            "security": "none" if case.readable else "tls",
            "tshark": case.readable and case.tshark and case.protocol == 2,
            "server_port": case.ports[0],
            "server_ports": list(case.ports),
            "connections": [
                {
                    "server_port": stream.server_port,
                    "client_port": stream.client_port,
                    "replication": stream.replication,
                }
                for stream in streams
            ],
        },
        messages,
    )
    size = pcap.stat().st_size
    print(f"{case.name}: {len(streams)} connections, {len(messages)} messages, {size} bytes, {verdict}", flush=True)


def main() -> None:
    wanted = chosen({each.name: each for each in CASES}, "Redis")
    OUT.mkdir(exist_ok=True)
    with alone("--cluster-enabled", "yes") as oracle:
        for case in wanted:
            record(case, oracle)


if __name__ == "__main__":
    main()
