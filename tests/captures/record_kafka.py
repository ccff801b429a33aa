"""Records `kafka/*.pcap` anew from real Apache Kafka peers on the loopback interface.

Run it as a user who may capture on `lo` (root, or with tcpdump's capability), with a Python that has kafka-python,
aiokafka and confluent-kafka. It builds the peers of `../interop/peers/kafka` first, and starts a broker for each
capture. Beside each `NAME.pcap` it writes `NAME.json`:

`calls`
    what the clients did and saw, told by the clients;
`received`
    the requests that the broker took off the wire, told by its own request log, in the order in which they were sent:
    names of topics and groups in the request, error codes other than 0 in its answer. What the broker asks itself,
    over connections of its own, is there too; SASL handshakes and what comes before them on a connection are not:
    the broker's log lacks them;
`frames`
    all messages in the order of their last packets, read by the few lines below, which know lengths, the fixed part of
    request headers, and that a SASL handshake of version 0 is followed by bare tokens.

So tests need not trust the decoder under test. The three are compared with each other here.

    record_kafka.py [NAME ...]      all captures, or only the named ones
"""

from __future__ import annotations

import json
import re
import struct
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from loopback import capturing, chosen, segments

HERE = Path(__file__).resolve().parent
OUT = HERE / "kafka"
PEERS = HERE.parent / "interop" / "peers" / "kafka"
RUN = str(PEERS / "run.sh")
PORTS = {"none": 9092, "plain": 9094, "scram": 9094, "tls": 9093}
"""The broker's port by how a client proves who it is."""

PYTHON = {
    "kafka-python": ("kafka_python_peer.py", "kafka-python"),
    "aiokafka": ("aiokafka_peer.py", "aiokafka"),
    "confluent": ("confluent_peer.py", "confluent-kafka"),
}
UNABLE = ("0.8.2", "0.9.0", "0.10.0")
"""Versions of brokers that had no call to create a topic."""

PRODUCE, FETCH, SASL_HANDSHAKE, API_VERSIONS, SASL_AUTHENTICATE = 0, 1, 17, 18, 36
TOKENS = {"PLAIN": 1, "SCRAM-SHA-256": 2}
"""How many messages a client sends in a SASL mechanism's exchange, and a broker too."""

CONCURRENT_TRANSACTIONS = 51
REQUEST_TIMED_OUT, UNKNOWN_SERVER_ERROR = 7, -1
"""Codes that a client gives errors of its own."""


@dataclass(frozen=True)
class Recording:
    """One capture: which client speaks to which line of brokers, and what."""

    client: str
    broker: str = "4"
    scenario: str = "interop"
    suffix: str = ""
    security: str = "none"
    options: tuple[str, ...] = ()
    # The client can't make the topic that it uses.
    create: bool = False

    @property
    def name(self) -> str:
        return f"{self.client}-to-{self.broker}-{self.suffix or self.scenario}"

    @property
    def port(self) -> int:
        return PORTS[self.security]

    @property
    def command(self) -> list[str]:
        if self.client.startswith("java-"):
            command = [RUN, "client", "--line", self.client.removeprefix("java-")]
        else:
            command = [sys.executable, str(PEERS / PYTHON[self.client][0])]
        common = ["--port", str(self.port), "--scenario", self.scenario, "--group", f"billing-{self.name}"]
        return [*command, *common, "--security", self.security, *self.options]

    @property
    def client_version(self) -> str:
        if self.client.startswith("java-"):
            return "kafka-clients " + jar_version(self.client.removeprefix("java-"))
        package = PYTHON[self.client][1]
        return f"{package} {metadata.version(package)}"


def recordings() -> Iterator[Recording]:
    """The Java clients with their own brokers in all scenarios; old clients and those in Python; SASL and TLS."""
    for line in ("3", "4"):
        java = f"java-{line}"
        for scenario in ("interop", "admin", "compression", "errors", "pipelined", "transactions", "groups"):
            yield Recording(java, line, scenario)
        yield Recording(java, line, "groups", "groups-of-consumers", options=("--group-protocol", "consumer"))
    yield Recording("java-4", "4", "share")
    yield Recording("java-4", "4", "hello", "sasl-plain", security="plain")
    yield Recording("java-4", "4", "hello", "sasl-scram", security="scram")
    yield Recording("java-4", "4", "create", "sasl-refused", security="plain", options=("--password", "wrong"))
    yield Recording("java-4", "4", "hello", "tls", security="tls")
    yield Recording("java-0.11", "3")
    # Of these the SASL tokens go bare.
    yield Recording("java-0.11", "3", "interop", "sasl-plain", security="plain")
    for client in PYTHON:
        yield Recording(client)
    yield Recording("aiokafka", "4", "interop", "sasl-scram", security="scram")
    yield Recording("confluent", "4", "interop", "sasl-plain", security="plain")
    yield Recording(*("confluent", "4", "interop", "group-of-consumers"), options=("--group-protocol", "consumer"))
    for version in ("0.8.2", "0.9.0", "0.10.0", "0.11.0", "1.0", "2.0"):
        old = ("--api-version", version)
        yield Recording("kafka-python", "3", "interop", f"as-{version}", options=old, create=version in UNABLE)
    for mechanism in ("plain", "scram"):
        yield Recording(
            *("kafka-python", "3", "interop", f"as-0.10.0-sasl-{mechanism}"),
            security=mechanism,
            options=("--api-version", "0.10.0"),
            create=True,
        )


def jar_version(line: str) -> str:
    """The exact version of the Kafka client library that was built in."""
    (jar,) = (PEERS / "target" / line / "lib").glob("kafka-clients-*.jar")
    return jar.stem.removeprefix("kafka-clients-")


@contextmanager
def broker(line: str, log: Path) -> Iterator[None]:
    ports = ["--port", str(PORTS["none"]), "--sasl-port", str(PORTS["plain"]), "--tls-port", str(PORTS["tls"])]
    server = subprocess.Popen(
        [RUN, "server", "--line", line, *ports, "--log", str(log)],
        stdout=subprocess.PIPE,
        # It complains of what the scenarios provoke.
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert server.stdout is not None
        if server.stdout.readline() != "READY\n":
            sys.exit(f"the broker didn't start; are the ports {sorted(set(PORTS.values()))} free?")
        yield
    finally:
        server.terminate()
        server.wait()


def record(recording: Recording) -> dict[str, Any]:
    """Captures one conversation; writes the pcap and returns the expectations."""
    pcap = OUT / f"{recording.name}.pcap"
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "requests"
        with broker(recording.broker, log):
            if recording.create:
                run([RUN, "client", "--line", recording.broker, "--scenario", "create", "--port", "9092"])
            with capturing(pcap, recording.port):
                calls = run(recording.command)
        entries = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    frames = list(messages(pcap, recording.port)) if recording.security != "tls" else []
    return {
        "client": recording.client_version,
        "broker": jar_version(recording.broker),
        "scenario": recording.scenario,
        "security": recording.security,
        "server_port": recording.port,
        "calls": calls,
        "received": received(entries, frames),
        "frames": frames,
    }


def run(command: list[str]) -> list[dict[str, Any]]:
    """Runs a client to its end."""
    client = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    if client.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{client.stderr}")
    return [json.loads(line) for line in client.stdout.splitlines()]


def received(entries: list[dict[str, Any]], frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The broker's words for the requests among the frames, in the frames' order."""
    order = {
        (frame["client_port"], frame["id"]): number
        for number, frame in enumerate(frames)
        if frame["to"] == "server" and "id" in frame
    }
    found = {}
    for entry in entries:
        header, request, response = entry["requestHeader"], entry["request"], entry["response"] or {}
        port = int(re.fullmatch(r".*-127\.0\.0\.1:(\d+)-[\d-]+", entry["connection"])[1])  # type: ignore[index]
        at = order.get((port, header["correlationId"]))
        if at is None:
            continue
        assert at not in found, "a connection used an id twice"
        names = {
            "topics": sorted(set(topics(request))),
            "groups": sorted(set(groups(request))),
            "answered_topics": sorted(set(topics(response))),
        }
        found[at] = {
            "client_port": port,
            "api": header["requestApiKeyName"],
            "key": header["requestApiKey"],
            "version": header["requestApiVersion"],
            "id": header["correlationId"],
            "client_id": header["clientId"],
            **{key: value for key, value in names.items() if value},
            **({"acks": request["acks"]} if header["requestApiKey"] == PRODUCE else {}),
            "errors": list(errors(response)),
        }
    return [found[at] for at in sorted(found)]


TOPIC_RESOURCE = 2
LISTS_OF_TOPICS = {
    *(
        "topics",
        "topicData",
        "topicNames",
        "topicPartitions",
        "topicResults",
        "subscribedTopicNames",
        "responses",
        "results",
    ),
    *("v3AndBelowTopics", "resultsByTopicV3AndBelow", "replicaElectionResults"),
}


def topics(message: Any, in_list: bool = False) -> Iterator[str]:
    """Names of topics in the broker's JSON of a message."""
    if isinstance(message, list):
        for element in message:
            yield from topics(element, in_list)
    elif isinstance(message, str) and in_list:
        yield message
    elif isinstance(message, dict):
        for key, value in message.items():
            if isinstance(value, list | dict):
                yield from topics(value, key in LISTS_OF_TOPICS)
                continue
            named = in_list and key in ("name", "topic", "topicName") and value is not None
            # Those of ACLs are patterns of names.
            configured = key == "resourceName" and "resourcePatternType" not in message
            if named or (configured and message["resourceType"] == TOPIC_RESOURCE):
                yield value


def groups(message: Any) -> Iterator[str]:
    """Names of groups in the broker's JSON of a request."""
    if isinstance(message, list):
        for element in message:
            yield from groups(element)
    elif isinstance(message, dict):
        for key, value in message.items():
            if key == "groupId" and value is not None:
                yield value
            elif key in ("groupsNames", "groupIds", "groups") and all(isinstance(each, str) for each in value):
                yield from value
            else:
                yield from groups(value)


def errors(message: Any) -> Iterator[int]:
    """Every error code other than 0 in the broker's JSON of an answer."""
    if isinstance(message, list):
        for element in message:
            yield from errors(element)
    elif isinstance(message, dict):
        for key, value in message.items():
            if key.lower().endswith("errorcode"):
                if value:
                    yield value
            else:
                yield from errors(value)


def messages(pcap: Path, port: int) -> Iterator[dict[str, Any]]:
    """What a message's first bytes tell. Relies on loopback losing and reordering nothing."""
    buffers: dict[tuple[int, int], bytearray] = {}
    expected: dict[tuple[int, int], int] = {}
    # By client port: id of a handshake of version 0, and how many bare tokens its mechanism has.
    handshakes: dict[int, tuple[int, int]] = {}
    # How many bare tokens are still to come on a stream.
    bare: Counter[tuple[int, int]] = Counter()
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
        to_server = destination == port
        client_port = source if to_server else destination
        while len(buffer) >= 4 and len(buffer) >= 4 + (length := struct.unpack_from(">I", buffer)[0]):
            message = bytes(buffer[4 : 4 + length])
            del buffer[: 4 + length]
            told: dict[str, Any] = {"client_port": client_port, "to": "server" if to_server else "client"}
            told["length"] = length
            if bare[key]:
                bare[key] -= 1
                told["token"] = True
            elif to_server:
                told["key"], told["version"], told["id"] = struct.unpack_from(">hhi", message)
                if (told["key"], told["version"]) == (SASL_HANDSHAKE, 0):
                    mechanism = message.split(b"\0")[-1][1:].decode()
                    handshakes[client_port] = told["id"], TOKENS[mechanism]
            else:
                (told["id"],) = struct.unpack_from(">i", message)
                answered, tokens = handshakes.get(client_port, (None, 0))
                if answered == told["id"]:
                    del handshakes[client_port]
                    bare[source, destination] = bare[destination, source] = tokens
            yield told
    assert not any(buffers.values()), "a message is incomplete"


def check(recording: Recording, expectations: dict[str, Any]) -> None:
    """Compares the messages with what the clients and the broker told."""
    calls, log, frames = expectations["calls"], expectations["received"], expectations["frames"]
    requests = [frame for frame in frames if frame["to"] == "server" and "key" in frame]
    answers = {(frame["client_port"], frame["id"]) for frame in frames if frame["to"] == "client" and "id" in frame}
    silent = {(entry["client_port"], entry["id"]) for entry in log if entry.get("acks") == 0}
    missing = {(each["client_port"], each["id"]) for each in requests} - answers - silent
    # The last on a connection: its client went before the answer came.
    last = {request["client_port"]: request["id"] for request in requests}
    logged = {(entry["client_port"], entry["id"], entry["key"], entry["version"]) for entry in log}
    sent = {(each["client_port"], each["id"], each["key"], each["version"]) for each in requests}
    unlogged = {key for _, _, key, _ in sent - logged}
    produced = Counter(
        call["acks"] for call in calls if call["action"] == "produce" and call.get("error") != REQUEST_TIMED_OUT
    )
    many = {call["acks"]: call["count"] for call in calls if call["action"] == "produce_many"}
    acks = Counter(
        {-1: "all", 1: "1", 0: "0"}[entry["acks"]]
        for entry in log
        # Transactions of Kafka 4 find that the one before is still ending, and try again.
        if "acks" in entry and CONCURRENT_TRANSACTIONS not in entry["errors"]
    )
    told = {call["error"] for call in calls if call.get("error")}
    known = {code for entry in log for code in entry["errors"]}
    claims = {
        "the broker's log has every request": logged <= sent,
        "and lacks no others than those before authentication": unlogged
        <= ({SASL_HANDSHAKE, SASL_AUTHENTICATE, API_VERSIONS} if recording.security != "none" else {FETCH}),
        "an answer a request, save to those that want none": all(last[port] == id_ for port, id_ in missing),
        "no answer without a request": answers <= {(each["client_port"], each["id"]) for each in requests},
        "none to those that want none": not answers & silent,
        "a request a record": produced == Counter({key: acks[key] for key in acks.keys() - many}),
        "several records a request": all(1 < acks[key] <= count for key, count in many.items()),
        "the clients' errors are the broker's": told - known <= {REQUEST_TIMED_OUT, UNKNOWN_SERVER_ERROR, 35, 58},
    }
    if recording.security != "tls" and (failed := [claim for claim, holds in claims.items() if not holds]):
        detail = f"{missing=} {unlogged=} {produced=} {acks=} {told - known=}"
        sys.exit(f"{recording.name}: the peers and the messages disagree: {', '.join(failed)}\n{detail}")


def write(path: Path, expectations: dict[str, Any]) -> None:
    """One line an element of the lists, so that differences can be read."""
    lists = ("calls", "received", "frames")
    parts = [f' "{key}": {json.dumps(value)}' for key, value in expectations.items() if key not in lists]
    for key in lists:
        lines = ",\n".join(f"  {json.dumps(element, ensure_ascii=False)}" for element in expectations[key])
        parts.append(f' "{key}": [\n{lines}\n ]')
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


def main() -> None:
    wanted = chosen({recording.name: recording for recording in recordings()}, "Kafka", "mvn", "java")
    subprocess.run([RUN, "build"], check=True)
    OUT.mkdir(exist_ok=True)
    for recording in wanted:
        expectations = record(recording)
        check(recording, expectations)
        pcap = OUT / f"{recording.name}.pcap"
        write(pcap.with_suffix(".json"), expectations)
        counts = ", ".join(f"{len(expectations[key])} {key}" for key in ("calls", "received", "frames"))
        print(f"{recording.name}: {counts}, {pcap.stat().st_size} bytes", flush=True)


if __name__ == "__main__":
    main()
