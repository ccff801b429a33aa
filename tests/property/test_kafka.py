"""Kafka: messages by chance that kafka-python encodes are read, rewritten and answered as it says."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.kafka_messages import HOSTS, PORTS, REQUESTS, RESPONSES, Renamed, expected, make

from metaprotocol import Direction, EncodeError, ErrorType, Frame, Kind, get_codec

KAFKA = get_codec("kafka")
SEEDS = st.integers(0, 2**32)
APIS = list(REQUESTS)
# What a body says; headers have the rest.
HEADER_KEYS = {"api_key", "api_name", "api_version", "correlation_id", "client_id"}


def frames(api: int, version: int, seed: int, renamed: Renamed | None = None) -> list[tuple[object, bytes, Frame]]:
    """A request and a response, as kafka-python made them, as bytes and as frames of one connection."""
    connection = KAFKA.connection()
    found = []
    for classes, direction in ((REQUESTS, Direction.CLIENT_TO_SERVER), (RESPONSES, Direction.SERVER_TO_CLIENT)):
        message, data = make(classes, api, version, seed, 77, renamed)
        [frame] = connection.feed(direction, data)
        found.append((message, data, frame))
    return found


def versions(api: int) -> range:
    """Every version of an API."""
    return range(REQUESTS[api].max_version + 1)


def moved(host: str, port: int) -> tuple[str, int]:
    """Where a broker goes."""
    return f"moved-{HOSTS.index(host)}.example", port + 1


def test_kafka_python_knows_most_apis() -> None:
    assert sum(len(versions(api)) for api in APIS) > 200
    assert set(REQUESTS) == set(RESPONSES)


@pytest.mark.parametrize("api", APIS)
@settings(max_examples=5, deadline=None)
@given(seed=SEEDS)
def test_what_is_read_is_what_kafka_python_wrote(api: int, seed: int) -> None:
    for version in versions(api):
        what_is_read_is_what_kafka_python_wrote(api, version, seed)


def what_is_read_is_what_kafka_python_wrote(api: int, version: int, seed: int) -> None:
    for request, (message, data, frame) in zip((True, False), frames(api, version, seed), strict=True):
        assert bytes(frame.raw) == data
        assert frame.kind is (Kind.REQUEST if request else Kind.RESPONSE)
        assert frame.request_id == 77
        metadata = dict(frame.metadata)
        name = REQUESTS[api].name.removesuffix("Request")
        header = {"api_key": api, "api_name": name, "api_version": version, "correlation_id": 77}
        if request:
            header["client_id"] = "shop"
        assert {key: metadata.pop(key) for key in HEADER_KEYS & set(metadata)} == header
        assert metadata == expected(api, version, message, request)


@pytest.mark.parametrize("api", APIS)
@settings(max_examples=5, deadline=None)
@given(seed=SEEDS)
def test_a_rewritten_frame_is_what_kafka_python_writes_with_other_names(api: int, seed: int) -> None:
    for version in versions(api):
        a_rewritten_frame_is_what_kafka_python_writes_with_other_names(api, version, seed)


def a_rewritten_frame_is_what_kafka_python_writes_with_other_names(api: int, version: int, seed: int) -> None:
    renamed = Renamed(topic=lambda name: f"tenant-{name}", address=moved)
    edits = {"topic_prefix": "tenant-"}
    for host in HOSTS:
        for port in PORTS:
            new_host, new_port = moved(host, port)
            old = f"[{host}]" if ":" in host else host
            edits[f"broker.{old}:{port}"] = f"{new_host}:{new_port}"
    after = frames(api, version, seed, renamed)
    for (_, _, frame), (_, wanted, _) in zip(frames(api, version, seed), after, strict=True):
        assert b"".join(KAFKA.rewrite(frame, set=edits)) == wanted


@pytest.mark.parametrize("api", APIS)
@settings(max_examples=5, deadline=None)
@given(seed=SEEDS, error=st.sampled_from(list(ErrorType)))
def test_kafka_python_reads_the_answers(api: int, seed: int, error: ErrorType) -> None:
    for version in versions(api):
        kafka_python_reads_the_answer(api, version, seed, error)


def kafka_python_reads_the_answer(api: int, version: int, seed: int, error: ErrorType) -> None:
    (request, data, frame), _ = frames(api, version, seed)
    try:
        reply = KAFKA.reply(frame, error, "no route")
    except EncodeError:
        return
    assert reply is not None
    message = RESPONSES[api].decode(reply, version=version, header=True, framed=True)
    assert message.header.correlation_id == 77
    told = expected(api, version, message, request=False)
    connection = KAFKA.connection()
    connection.feed(Direction.CLIENT_TO_SERVER, data)
    [answer] = connection.feed(Direction.SERVER_TO_CLIENT, reply)
    assert connection.pair(answer) is not None
    assert answer.metadata["error_code"] not in (0, None)
    asked = expected(api, version, request, request=True)
    # Topics are answered one by one; those that a Fetch forgets stand behind them.
    for key in ("topics", "topic_ids"):
        if key in told and api in (0, 1, 2, 8, 21, 23):
            assert str(asked[key]).startswith(str(told[key]))
