"""tshark as a second opinion on the captures of Kafka: the same messages, with the same APIs, versions and ids."""

from __future__ import annotations

import shutil
import subprocess
from xml.etree import ElementTree

import pytest
from kit.captures import Capture, captures

from metaprotocol import Direction, Frame, Kind, get_codec

CODEC = get_codec("kafka")
REQUESTS, RESPONSES = Direction
ALL = [capture for capture in captures("kafka") if capture.expected["security"] != "tls"]
# Length, API key and version where a message tells them, correlation id.
Told = tuple[int, int | None, int | None, int]


def theirs(capture: Capture) -> dict[tuple[int, int], list[Told]]:
    """What tshark tells of each message, by the ports of its sender and its receiver."""
    port = capture.expected["server_port"]
    command = ["tshark", "-r", str(capture.path), "-T", "pdml", "-J", "tcp kafka", "-Y", "kafka"]
    command += ["-d", f"tcp.port=={port},kafka"]
    output = subprocess.run(command, check=True, capture_output=True, timeout=100).stdout
    found: dict[tuple[int, int], list[Told]] = {}
    for packet in ElementTree.fromstring(output).iter("packet"):
        source, target = (int(packet.find(f".//field[@name='tcp.{end}port']").get("show")) for end in ("src", "dst"))  # type: ignore[union-attr,arg-type]
        for layer in packet.iterfind("proto[@name='kafka']"):
            numbers = {
                name: int(field.get("show", ""))
                for name in ("len", "api_key", "api_version", "correlation_id")
                if (field := layer.find(f"field[@name='kafka.{name}']")) is not None
            }
            told = (
                numbers["len"],
                numbers.get("api_key"),
                numbers.get("api_version"),
                numbers.get("correlation_id", 0),
            )
            found.setdefault((source, target), []).append(told)
    return found


def ours(frame: Frame, told: Told) -> Told:
    """The same of a frame. Of a response tshark tells the API if it has seen the request, and no version."""
    metadata = frame.metadata
    asked = frame.direction is REQUESTS
    return (
        len(frame) - 4,
        metadata["api_key"] if asked or told[1] is not None else None,
        metadata["api_version"] if asked else None,
        metadata["correlation_id"],
    )


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize("capture", ALL, ids=str)
def test_tshark_agrees(capture: Capture) -> None:
    told = theirs(capture)
    server = capture.expected["server_port"]
    compared = 0
    for conversation in capture.conversations:
        connection = CODEC.connection()
        frames = [frame for direction, data in conversation.pieces for frame in connection.feed(direction, data)]
        client = conversation.client_port
        for direction, ports in ((REQUESTS, (client, server)), (RESPONSES, (server, client))):
            mine = [frame for frame in frames if frame.direction is direction]
            for frame, said in zip(mine, told.pop(ports, []), strict=True):
                # tshark takes tokens for messages.
                assert frame.kind is Kind.CONTROL or said == ours(frame, said)
                compared += 1
    assert not told
    assert compared > 0
