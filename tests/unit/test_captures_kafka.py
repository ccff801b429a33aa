"""Kafka as real peers spoke it: every message of every capture is what the clients and the broker said it was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from kit.captures import CAPTURES, Capture, Conversation, captures

from metaprotocol import Connection, Direction, EncodeError, ErrorType, Frame, Kind, get_codec

CODEC = get_codec("kafka")
ALL = captures("kafka")
TLS = [capture for capture in ALL if capture.expected["security"] == "tls"]
PLAIN = [capture for capture in ALL if capture not in TLS]
REFUSED = [capture for capture in PLAIN if str(capture).endswith("sasl-refused")]
"""The client's password was wrong: nothing but its login is there."""
REQUESTS, RESPONSES = Direction
API_NAMES = {"LIST_CLIENT_METRICS_RESOURCES": "ListConfigResources"}
"""What the brokers of Kafka 3 call an API otherwise."""

CONCURRENT = 51
"""The error of a transaction that begins while the one before is still ending: the producer tries again."""

each_plain = pytest.mark.parametrize("capture", PLAIN, ids=str)


@cache
def decoded(capture: Capture) -> list[tuple[Conversation, list[Frame], Connection]]:
    """The frames of each connection in the order in which they were captured."""
    found = []
    for conversation in capture.conversations:
        connection = CODEC.connection()
        frames = [frame for direction, data in conversation.pieces for frame in connection.feed(direction, data)]
        for direction in Direction:
            connection.eof(direction)
        found.append((conversation, frames, connection))
    return found


def frames_of(capture: Capture, direction: Direction) -> list[Frame]:
    return [frame for _, frames, _ in decoded(capture) for frame in frames if frame.direction is direction]


@cache
def requests(capture: Capture) -> dict[tuple[int, int], Frame]:
    """By the client's port and the correlation id, which no connection uses twice in these captures."""
    return {
        (conversation.client_port, int(frame.metadata["correlation_id"])): frame
        for conversation, frames, _ in decoded(capture)
        for frame in frames
        if frame.kind in (Kind.REQUEST, Kind.ONEWAY)
    }


@cache
def answers(capture: Capture) -> dict[int, Frame]:
    """By the identity of the request."""
    return {id(frame.request): frame for frame in frames_of(capture, RESPONSES) if frame.request is not None}


def asked_and_said(capture: Capture) -> Iterator[tuple[Frame, dict[str, Any]]]:
    """Each request that the broker logged, and what it logged."""
    for said in capture.expected["received"]:
        yield requests(capture)[said["client_port"], said["id"]], said


def camel(name: str) -> str:
    return API_NAMES.get(name) or "".join(word.capitalize() for word in name.split("_"))


def names(frame: Frame, key: str) -> set[str]:
    listed = frame.metadata.get(key)
    return set(str(listed).split(",")) if listed is not None else set()


def test_all_are_here() -> None:
    expected = [capture.expected for capture in ALL]
    assert {path.stem for path in (CAPTURES / "kafka").glob("*.json")} == {str(capture) for capture in ALL}
    clients = {said["client"].split()[0] for said in expected}
    assert clients == {"kafka-clients", "kafka-python", "aiokafka", "confluent-kafka"}
    assert {said["broker"].split(".")[0] for said in expected} == {"3", "4"}
    assert {said["security"] for said in expected} == {"none", "plain", "scram", "tls"}
    scenarios = {said["scenario"] for said in expected}
    assert scenarios >= {"interop", "admin", "compression", "errors", "pipelined", "transactions", "groups", "share"}


def test_many_apis_in_many_versions_are_here() -> None:
    seen = {(said["key"], said["version"]) for capture in PLAIN for said in capture.expected["received"]}
    assert len({key for key, _ in seen}) >= 60
    assert {version for key, version in seen if key == 0} >= {0, 1, 2, 3, 5, 13}
    assert {version for key, version in seen if key == 1} >= {0, 1, 2, 5, 6}
    assert {version for key, version in seen if key == 3} >= {0, 1, 12, 13}


@each_plain
class TestFrames:
    def test_headers(self, capture: Capture) -> None:
        ours: Counter[tuple[tuple[str, Any], ...]] = Counter()
        for conversation, frames, _ in decoded(capture):
            for frame in frames:
                to_server = frame.direction is REQUESTS
                told: dict[str, Any] = {
                    "client_port": conversation.client_port,
                    "to": "server" if to_server else "client",
                    "length": len(frame) - 4,
                }
                if frame.kind is Kind.CONTROL:
                    told["token"] = True
                else:
                    metadata = frame.metadata
                    if to_server:
                        told |= {"key": metadata["api_key"], "version": metadata["api_version"]}
                    told["id"] = metadata["correlation_id"]
                ours[tuple(told.items())] += 1
        assert ours == Counter(tuple(said.items()) for said in capture.expected["frames"])

    def test_every_byte_is_in_a_frame(self, capture: Capture) -> None:
        for conversation, frames, _ in decoded(capture):
            for direction in Direction:
                joined = b"".join(bytes(frame) for frame in frames if frame.direction is direction)
                assert joined == conversation.stream(direction)

    def test_pairs(self, capture: Capture) -> None:
        for _, frames, connection in decoded(capture):
            asked = {frame.request_id: frame for frame in frames if frame.kind is Kind.REQUEST}
            for answer in frames:
                if answer.direction is RESPONSES and answer.kind is not Kind.CONTROL:
                    assert answer.request is asked.pop(answer.request_id)
                    assert connection.pair(answer) is answer.request
                    for key in ("api_key", "api_name", "api_version", "correlation_id"):
                        assert answer.metadata[key] == answer.request.metadata[key]
            assert connection.in_flight == len(asked)

    def test_any_cut_gives_the_same(self, capture: Capture) -> None:
        for conversation, frames, _ in decoded(capture):
            for size in (3, 1400):
                connection = CODEC.connection()
                again = [
                    frame
                    for direction, data in conversation.pieces
                    for at in range(0, len(data), size)
                    for frame in connection.feed(direction, data[at : at + size])
                ]
                assert [bytes(frame) for frame in again] == [bytes(frame) for frame in frames]
                assert [frame.kind for frame in again] == [frame.kind for frame in frames]


@each_plain
class TestTheBrokersWord:
    def test_requests(self, capture: Capture) -> None:
        for frame, said in asked_and_said(capture):
            metadata = frame.metadata
            assert metadata["api_key"] == said["key"]
            assert metadata["api_name"] == camel(said["api"])
            assert metadata["api_version"] == said["version"]
            assert metadata["client_id"] == said["client_id"]

    def test_topics_and_groups(self, capture: Capture) -> None:
        for frame, said in asked_and_said(capture):
            assert names(frame, "topics") == set(said.get("topics", [])), said
            if topics := said.get("topics"):
                assert frame.metadata["topic"] in topics
            group = frame.metadata.get("group_id")
            assert {group} <= set(said["groups"]) if "groups" in said else group is None, said

    def test_answers(self, capture: Capture) -> None:
        checked = 0
        for frame, said in asked_and_said(capture):
            if said.get("acks") == 0:
                assert frame.kind is Kind.ONEWAY
                assert frame.metadata["acks"] == 0
                assert id(frame) not in answers(capture)
                continue
            assert frame.kind is Kind.REQUEST
            assert frame.metadata.get("acks") == said.get("acks")
            if (answer := answers(capture).get(id(frame))) is None:
                continue  # Its client had gone.
            checked += 1
            assert answer.metadata.get("error_code", 0) == (said["errors"][0] if said["errors"] else 0), said
            assert names(answer, "topics") == set(said.get("answered_topics", [])), said
        assert checked > 0 or capture in REFUSED


ACTIONS = {
    "create_topic": "CreateTopics",
    "delete_topic": "DeleteTopics",
    "describe_acls": "DescribeAcls",
    "delete_group": "DeleteGroups",
    "alter_configs": "IncrementalAlterConfigs",
}


@each_plain
class TestTheClientsWord:
    def test_produced(self, capture: Capture) -> None:
        """Each record was a request of its own; a topic may be told by its id instead of its name."""
        left = [frame for frame, said in asked_and_said(capture) if "acks" in said and CONCURRENT not in said["errors"]]
        for call in capture.expected["calls"]:
            if call["action"] != "produce" or call.get("error") == 7:  # The client's own timeout.
                continue
            (frame, *_) = (frame for frame in left if frame.metadata["client_id"] == call["client"])
            left.remove(frame)
            assert frame.metadata["acks"] == {"all": -1, "1": 1, "0": 0}[call["acks"]]
            assert frame.metadata["partition"] == call["partition"]
            assert frame.metadata.get("topic", call["topic"]) == call["topic"]
            assert ("topic" in frame.metadata) != ("topic_id" in frame.metadata)
            if call["acks"] != "0":
                assert answers(capture)[id(frame)].metadata["error_code"] == call.get("error", 0)
                assert frame.kind is Kind.REQUEST
            else:
                assert frame.kind is Kind.ONEWAY
        many = {call["client"] for call in capture.expected["calls"] if call["action"] == "produce_many"}
        assert {frame.metadata["client_id"] for frame in left} == many

    def test_refused(self, capture: Capture) -> None:
        for call in capture.expected["calls"]:
            if call["ok"] or call["action"] not in ACTIONS or call["error"] in (35, 58, None):
                continue  # Those are the library's own.
            refusals = [
                answer
                for answer in answers(capture).values()
                if answer.metadata["api_name"] == ACTIONS[call["action"]]
                and answer.metadata["error_code"] == call["error"]
            ]
            assert refusals
            named = {str(answer.metadata.get("topic")) for answer in refusals}
            assert "topic" not in call or call["topic"] in named

    def test_advertised(self, capture: Capture) -> None:
        told = {node for call in capture.expected["calls"] for node in call.get("nodes", ())}
        seen = {
            str(address)
            for frame in frames_of(capture, RESPONSES)
            if (address := frame.metadata.get("broker.1")) is not None
            # Tells where the node listens as a controller.
            and frame.metadata["api_name"] != "DescribeQuorum"
        }
        assert seen == (set() if capture in REFUSED else {f"127.0.0.1:{capture.expected['server_port']}"})
        assert told <= seen


def rewritten(
    frames: list[Frame], requests: dict[str, str], responses: dict[str, str]
) -> Iterator[tuple[Frame, Frame]]:
    """Each frame of a connection with what a proxy's other side would see of it; tokens stay as they are."""
    connection = CODEC.connection()
    for frame in frames:
        edits = {REQUESTS: requests, RESPONSES: responses}[frame.direction]
        segments = CODEC.rewrite(frame, set=edits) if frame.kind is not Kind.CONTROL else [bytes(frame)]
        (again,) = connection.feed(frame.direction, b"".join(segments))
        yield frame, again


@each_plain
class TestRewrites:
    def test_names_of_topics_there_and_back(self, capture: Capture) -> None:
        prefix, strip = {"topic_prefix": "tenant-1."}, {"topic_strip": "tenant-1."}
        renamed = 0
        for _, frames, _ in decoded(capture):
            pairs = list(rewritten(frames, prefix, prefix))
            for before, after in pairs:
                assert names(after, "topics") == {f"tenant-1.{name}" for name in names(before, "topics")}
                assert after.kind is before.kind
                renamed += bytes(after) != bytes(before)
            for (before, _), (_, after) in zip(
                pairs, rewritten([each for _, each in pairs], strip, strip), strict=True
            ):
                assert bytes(after) == bytes(before)
        assert renamed > 0 or capture in REFUSED

    def test_names_of_groups_there_and_back(self, capture: Capture) -> None:
        prefix, strip = {"group_id_prefix": "tenant-1."}, {"group_id_strip": "tenant-1."}
        for _, frames, _ in decoded(capture):
            pairs = list(rewritten(frames, prefix, prefix))
            for before, after in pairs:
                group = before.metadata.get("group_id")
                assert after.metadata.get("group_id") == (None if group is None else f"tenant-1.{group}")
            for (before, _), (_, after) in zip(
                pairs, rewritten([each for _, each in pairs], strip, strip), strict=True
            ):
                assert bytes(after) == bytes(before)

    def test_addresses_there_and_back(self, capture: Capture) -> None:
        near, far = f"127.0.0.1:{capture.expected['server_port']}", "broker-one.mesh.example:31000"
        away, home = {f"broker.{near}": far}, {f"broker.{far}": near}
        moved = 0
        for _, frames, _ in decoded(capture):
            pairs = list(rewritten(frames, {}, away))
            for before, after in pairs:
                if before.metadata.get("broker.1") == near:
                    moved += 1
                    assert after.metadata["broker.1"] == far
            for (before, _), (_, after) in zip(pairs, rewritten([each for _, each in pairs], {}, home), strict=True):
                assert bytes(after) == bytes(before)
        assert moved > 0 or capture in REFUSED

    def test_client_ids_and_correlation_ids(self, capture: Capture) -> None:
        for _, frames, _ in decoded(capture):
            for frame in frames:
                if frame.kind is Kind.CONTROL:
                    continue
                mark = -7
                again = CODEC.decode(b"".join(CODEC.rewrite(frame, request_id=mark)), direction=frame.direction)
                assert again.metadata["correlation_id"] == mark
                at = 8 if frame.direction is REQUESTS else 4
                assert bytes(again)[:at] + bytes(again)[at + 4 :] == bytes(frame)[:at] + bytes(frame)[at + 4 :]
                if frame.direction is REQUESTS:
                    there = CODEC.decode(b"".join(CODEC.rewrite(frame, set={"client_id": "someone else, 世界"})))
                    assert there.metadata["client_id"] == "someone else, 世界"
                    back = CODEC.rewrite(there, set={"client_id": str(frame.metadata["client_id"])})
                    assert b"".join(back) == bytes(frame)


COMMON = {"Produce", "Fetch", "Metadata", "FindCoordinator", "JoinGroup", "OffsetCommit", "CreateTopics", "ListGroups"}


@each_plain
def test_error_replies(capture: Capture) -> None:
    """Each answer is one to its request, in that request's version."""
    refused: set[str] = set()
    for _, frames, _ in decoded(capture):
        for frame in frames:
            if frame.kind is Kind.ONEWAY:
                assert CODEC.reply(frame, ErrorType.DENIED, "no") is None
            if frame.kind is not Kind.REQUEST:
                continue
            try:
                reply = CODEC.reply(frame, ErrorType.DENIED, "not for you")
            except EncodeError:
                assert frame.metadata["api_name"] not in COMMON or not names(frame, "topics")
                continue
            connection = CODEC.connection()
            connection.feed(REQUESTS, bytes(frame))
            (answer,) = connection.feed(RESPONSES, reply or b"")
            assert answer.request_id == frame.request_id
            assert answer.request is not None
            assert answer.metadata["api_version"] == frame.metadata["api_version"]
            assert answer.metadata["error_code"] != 0
            assert names(answer, "topics") <= names(frame, "topics")
            refused.add(str(frame.metadata["api_name"]))
    assert refused


@each_plain
def test_batches_agree(capture: Capture) -> None:
    keys = ["api_key", "api_name", "api_version", "correlation_id", "client_id", "topics", "group_id", "acks"]
    for conversation, frames, _ in decoded(capture):
        if any(frame.kind is Kind.CONTROL for frame in frames):
            continue  # Where tokens begin and end is known from both directions together.
        connection = CODEC.connection()
        for direction in Direction:
            ours = [frame for frame in frames if frame.direction is direction]
            batch = connection.feed_batch(direction, conversation.stream(direction), columns=keys)
            for key in keys:
                assert batch.column(key) == [frame.metadata.get(key) for frame in ours]
            assert batch.malformed == []


@pytest.mark.parametrize("capture", TLS, ids=str)
def test_tls_passes_as_it_is(capture: Capture) -> None:
    assert any(call["action"] == "consume" and call["ok"] for call in capture.expected["calls"])
    for conversation, frames, connection in decoded(capture):
        assert {frame.kind for frame in frames} == {Kind.CONTROL}
        assert connection.in_flight == 0
        for direction in Direction:
            joined = b"".join(bytes(frame) for frame in frames if frame.direction is direction)
            assert joined == conversation.stream(direction)
        for frame in frames:
            assert dict(frame.metadata) == {}
