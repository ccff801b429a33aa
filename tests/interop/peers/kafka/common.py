"""What the clients in Python share: the scenarios, and how they tell what they did and saw."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from time import monotonic, sleep
from typing import Any, Protocol

HOST = "127.0.0.1"
USER, PASSWORD = "alice", "wonderland"
PATIENCE = 20.0
"""Seconds that a consumer waits for records that are there."""

Values = dict[str, Any]


class Options(argparse.Namespace):
    port: int
    scenario: str
    client_id: str
    topic: str
    group: str
    security: str
    api_version: str
    group_protocol: str

    @property
    def bootstrap(self) -> str:
        return f"{HOST}:{self.port}"


class Producer(Protocol):
    def produce(self, topic: str, partition: int, value: bytes) -> int | None:
        """Waits for the answer; gives the offset, None where acks=0 tells none."""


class Consumer(Protocol):
    def poll(self) -> list[tuple[str, int, int, bytes]]:
        """Topic, partition, offset and value of what came within a moment."""

    def commit(self) -> None: ...


class Library(Protocol):
    """A client library in the hands of the scenarios."""

    def admin(self, client_id: str) -> AbstractContextManager[Any]:
        """Has methods with the names of actions; an action that it lacks is left out."""

    def producer(self, client_id: str, acks: str) -> AbstractContextManager[Producer]: ...

    def consumer(self, client_id: str, topic: str, group: str) -> AbstractContextManager[Consumer]: ...

    def error(self, failure: Exception) -> tuple[str, int | None]:
        """The name of an exception, and its error code on the wire."""


class Told:
    """Prints a JSON line for each thing that a client did; true if it went well."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def __call__(self, client: str, action: str, work: Callable[[], Values | None], **details: Any) -> bool:
        line: Values = {"client": client, "action": action, **details}
        try:
            seen = work()
        except Exception as failure:  # noqa: BLE001 -- told
            name, code = self._library.error(failure)
            line |= {"ok": False, "exception": name, "error": code, "message": str(failure)}
        else:
            line |= {"ok": True, **(seen or {})}
        print(json.dumps(line), flush=True)
        return bool(line["ok"])


def interop(options: Options, library: Library) -> None:
    """A little of everything, as the client in Java does it."""
    told = Told(library)
    name, topic, group = options.client_id, options.topic, options.group
    admin_id = f"{name}-admin"
    with library.admin(admin_id) as admin:

        def call(action: str, *arguments: Any, **details: Any) -> None:
            if hasattr(admin, action):
                told(admin_id, action, lambda: getattr(admin, action)(*arguments), **details)

        call("describe_cluster")
        for _ in range(2):
            call("create_topic", topic, 2, topic=topic, partitions=2)
        call("list_topics")
        call("describe_topic", topic, topic=topic)
        call("describe_configs", topic, topic=topic)
        count = _produce(options, library, told)
        client = f"{name}-consumer"
        with library.consumer(client, topic, group) as consumer:
            told(client, "consume", lambda: {"records": _records(consumer, count)}, count=count)
            told(client, "commit", consumer.commit)
        call("list_groups")
        call("group_offsets", group, group=group)
        call("describe_acls")
        call("delete_group", group, group=group)
        call("delete_topic", topic, topic=topic)


def until_there(ask: Callable[[], Any]) -> Any:
    """What a broker says once it has something to say: a new topic has its name before its partitions."""
    patience = monotonic() + PATIENCE
    while not (found := ask()) and monotonic() < patience:
        sleep(0.1)
    return found


def _produce(options: Options, library: Library, told: Told) -> int:
    """Gives how many records are there."""
    number = stored = 0
    for acks in ("all", "1", "0"):
        client = f"{options.client_id}-producer-{acks}"
        with library.producer(client, acks) as producer:
            for _ in range(2):
                partition, value = int(acks == "1"), f"order {number}"
                number += 1
                send = partial(producer.produce, options.topic, partition, value.encode())
                details = {"topic": options.topic, "partition": partition, "acks": acks, "value": value}
                stored += told(client, "produce", lambda send=send: {"offset": send()}, **details)
    return stored


def _records(consumer: Consumer, count: int) -> list[Values]:
    found: list[tuple[str, int, int, bytes]] = []
    end = monotonic() + PATIENCE
    while len(found) < count:
        if monotonic() > end:
            raise TimeoutError(f"only these came: {found}")
        found += consumer.poll()
    return [
        {"topic": topic, "partition": partition, "offset": offset, "value": value.decode()}
        for topic, partition, offset, value in sorted(found)
    ]


@contextmanager
def closing(thing: Any, close: Callable[[], object]) -> Iterator[Any]:
    """Gives something, and closes it at the end of the block."""
    try:
        yield thing
    finally:
        close()


SCENARIOS: dict[str, Callable[[Options, Library], None]] = {"interop": interop}


def main(library: Callable[[Options], Library]) -> None:
    parser = argparse.ArgumentParser(description="Runs one scenario; prints a JSON line for each thing done.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--scenario", choices=list(SCENARIOS), default="interop")
    parser.add_argument("--client-id", default="python")
    parser.add_argument("--topic", default="orders")
    parser.add_argument("--group", default="billing")
    parser.add_argument("--security", choices=["none", "plain", "scram"], default="none")
    parser.add_argument("--api-version", default="", help="of the broker, instead of asking it (kafka-python)")
    parser.add_argument(
        "--group-protocol", choices=["classic", "consumer"], default="classic", help="(confluent-kafka)"
    )
    options = parser.parse_args(namespace=Options())
    SCENARIOS[options.scenario](options, library(options))
