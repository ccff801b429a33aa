# mypy: disable-error-code="import-untyped,import-not-found,misc,no-untyped-call"
"""kafka-python as a client."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from common import PASSWORD, USER, Options, Values, closing, main, until_there
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, errors
from kafka.admin import (
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ConfigResource,
    ConfigResourceType,
    ResourcePatternFilter,
    ResourceType,
)


class KafkaPython:
    def __init__(self, options: Options) -> None:
        self._common: Values = {"bootstrap_servers": options.bootstrap, "retry_backoff_ms": 20}
        if options.api_version:
            self._common["api_version"] = tuple(map(int, options.api_version.split(".")))
        if options.security != "none":
            self._common |= {
                "security_protocol": "SASL_PLAINTEXT",
                "sasl_mechanism": {"plain": "PLAIN", "scram": "SCRAM-SHA-256"}[options.security],
                "sasl_plain_username": USER,
                "sasl_plain_password": PASSWORD,
            }

    def admin(self, client_id: str) -> AbstractContextManager[Any]:
        client = KafkaAdminClient(client_id=client_id, **self._common)
        return closing(Admin(client), client.close)

    def producer(self, client_id: str, acks: str) -> AbstractContextManager[Any]:
        number = acks if acks == "all" else int(acks)
        client = KafkaProducer(client_id=client_id, acks=number, enable_idempotence=False, **self._common)
        return closing(Producer(client, acks), client.close)

    def consumer(self, client_id: str, topic: str, group: str) -> AbstractContextManager[Any]:
        client = KafkaConsumer(
            topic,
            client_id=client_id,
            group_id=group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            fetch_max_wait_ms=100,
            **self._common,
        )
        return closing(Consumer(client), client.close)

    def error(self, failure: Exception) -> tuple[str, int | None]:
        return type(failure).__name__, getattr(failure, "errno", None) if isinstance(
            failure, errors.KafkaError
        ) else None


class Admin:
    def __init__(self, client: Any) -> None:
        self._client = client

    def describe_cluster(self) -> Values:
        brokers = self._client.describe_cluster()["brokers"]
        return {"nodes": [f"{broker['host']}:{broker['port']}" for broker in brokers]}

    def create_topic(self, topic: str, partitions: int) -> None:
        self._client.create_topics({topic: {"num_partitions": partitions, "replication_factor": 1}})

    def list_topics(self) -> Values:
        return {"topics": sorted(self._client.list_topics())}

    def describe_topic(self, topic: str) -> Values:
        def partitions() -> list[Any]:
            (described,) = self._client.describe_topics([topic])
            return list(described["partitions"])

        return {"partitions": len(until_there(partitions))}

    def describe_configs(self, topic: str) -> Values:
        resource = ConfigResource(ConfigResourceType.TOPIC, topic)
        found = self._client.describe_configs([resource], config_filter="all")
        return {"cleanup.policy": found["topic"][topic]["cleanup.policy"]["value"]}

    def list_groups(self) -> Values:
        return {"groups": sorted(group["group_id"] for group in self._client.list_groups())}

    def group_offsets(self, group: str) -> Values:
        found = self._client.list_group_offsets(group)[group]
        return {"offsets": {f"{at.topic}-{at.partition}": each.offset for at, each in sorted(found.items())}}

    def describe_acls(self) -> None:
        everything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
        _, error = self._client.describe_acls(
            ACLFilter(None, None, ACLOperation.ANY, ACLPermissionType.ANY, everything)
        )
        raise error

    def delete_group(self, group: str) -> None:
        outcome = self._client.delete_groups([group])[group]
        if outcome != "OK":
            raise getattr(errors, outcome)

    def delete_topic(self, topic: str) -> None:
        self._client.delete_topics([topic])


class Producer:
    def __init__(self, client: Any, acks: str) -> None:
        self._client = client
        self._acks = acks

    def produce(self, topic: str, partition: int, value: bytes) -> int | None:
        stored = self._client.send(topic, value, partition=partition).get(20)
        return None if self._acks == "0" else stored.offset


class Consumer:
    def __init__(self, client: Any) -> None:
        self._client = client

    def poll(self) -> list[tuple[str, int, int, bytes]]:
        found = self._client.poll(timeout_ms=100)
        return [(each.topic, each.partition, each.offset, each.value) for some in found.values() for each in some]

    def commit(self) -> None:
        self._client.commit()


if __name__ == "__main__":
    main(KafkaPython)
