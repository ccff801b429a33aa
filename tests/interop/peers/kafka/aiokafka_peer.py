# mypy: disable-error-code="import-untyped,import-not-found,misc"
"""aiokafka as a client, on an event loop that runs while a call is under way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code
from common import PASSWORD, USER, Options, Values, closing, main, until_there


class AioKafka:
    def __init__(self, options: Options) -> None:
        self._run = asyncio.Runner().run
        self._common: Values = {"bootstrap_servers": options.bootstrap, "retry_backoff_ms": 20}
        if options.security != "none":
            self._common |= {
                "security_protocol": "SASL_PLAINTEXT",
                "sasl_mechanism": {"plain": "PLAIN", "scram": "SCRAM-SHA-256"}[options.security],
                "sasl_plain_username": USER,
                "sasl_plain_password": PASSWORD,
            }

    def _started(self, make: Callable[[], Any], close: str, wrap: Callable[..., Any]) -> AbstractContextManager[Any]:
        async def start() -> Any:
            client = make()
            await client.start()
            return client

        client = self._run(start())
        return closing(wrap(client, self._run), lambda: self._run(getattr(client, close)()))

    def admin(self, client_id: str) -> AbstractContextManager[Any]:
        return self._started(lambda: AIOKafkaAdminClient(client_id=client_id, **self._common), "close", Admin)

    def producer(self, client_id: str, acks: str) -> AbstractContextManager[Any]:
        number = acks if acks == "all" else int(acks)
        return self._started(
            lambda: AIOKafkaProducer(client_id=client_id, acks=number, **self._common), "stop", Producer
        )

    def consumer(self, client_id: str, topic: str, group: str) -> AbstractContextManager[Any]:
        def make() -> Any:
            return AIOKafkaConsumer(
                topic,
                client_id=client_id,
                group_id=group,
                auto_offset_reset="earliest",
                enable_auto_commit=False,
                fetch_max_wait_ms=100,
                **self._common,
            )

        return self._started(make, "stop", Consumer)

    def error(self, failure: Exception) -> tuple[str, int | None]:
        return type(failure).__name__, getattr(failure, "errno", None) if isinstance(failure, KafkaError) else None


class Part:
    def __init__(self, client: Any, run: Callable[..., Any]) -> None:
        self._client = client
        self._run = run


def check(code: int) -> None:
    """This library gives responses as they come."""
    if code:
        raise for_code(code)


class Admin(Part):
    def describe_cluster(self) -> Values:
        brokers = self._run(self._client.describe_cluster())["brokers"]
        return {"nodes": [f"{broker['host']}:{broker['port']}" for broker in brokers]}

    def create_topic(self, topic: str, partitions: int) -> None:
        response = self._run(self._client.create_topics([NewTopic(topic, partitions, 1)]))
        for _, code, *_ in response.topic_errors:
            check(code)

    def list_topics(self) -> Values:
        return {"topics": sorted(self._run(self._client.list_topics()))}

    def describe_topic(self, topic: str) -> Values:
        def partitions() -> list[Any]:
            (described,) = self._run(self._client.describe_topics([topic]))
            return list(described["partitions"])

        return {"partitions": len(until_there(partitions))}

    def describe_configs(self, topic: str) -> Values:
        (response,) = self._run(self._client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)]))
        ((code, _, _, _, entries),) = response.resources
        check(code)
        return {"cleanup.policy": next(value for name, value, *_ in entries if name == "cleanup.policy")}

    def list_groups(self) -> Values:
        return {"groups": sorted(group for group, *_ in self._run(self._client.list_consumer_groups()))}

    def group_offsets(self, group: str) -> Values:
        found = self._run(self._client.list_consumer_group_offsets(group))
        return {"offsets": {f"{at.topic}-{at.partition}": each.offset for at, each in sorted(found.items())}}

    def delete_topic(self, topic: str) -> None:
        response = self._run(self._client.delete_topics([topic]))
        for _, code, *_ in response.topic_error_codes:
            check(code)


class Producer(Part):
    def produce(self, topic: str, partition: int, value: bytes) -> int | None:
        stored = self._run(self._client.send_and_wait(topic, value, partition=partition))
        # None with acks=0.
        return stored.offset if stored else None


class Consumer(Part):
    def poll(self) -> list[tuple[str, int, int, bytes]]:
        found = self._run(self._client.getmany(timeout_ms=100))
        return [(each.topic, each.partition, each.offset, each.value) for some in found.values() for each in some]

    def commit(self) -> None:
        self._run(self._client.commit())


if __name__ == "__main__":
    main(AioKafka)
