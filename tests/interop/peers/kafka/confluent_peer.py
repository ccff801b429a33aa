# mypy: disable-error-code="import-untyped,import-not-found,misc"
"""confluent-kafka, which is librdkafka, as a client."""

from __future__ import annotations

from contextlib import AbstractContextManager
from time import sleep
from typing import Any

from common import PASSWORD, USER, Options, Values, closing, main, until_there
from confluent_kafka import (
    Consumer as ConfluentConsumer,
)
from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    TopicCollection,
)
from confluent_kafka import (
    Producer as ConfluentProducer,
)
from confluent_kafka.admin import (
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)


class Confluent:
    def __init__(self, options: Options) -> None:
        self._group_protocol = options.group_protocol
        self._common: Values = {
            "bootstrap.servers": options.bootstrap,
            "retry.backoff.ms": 20,
            "broker.address.family": "v4",
            # Standard error is for what is wrong.
            "log_level": 3,
        }
        if options.security != "none":
            self._common |= {
                "security.protocol": "SASL_PLAINTEXT",
                "sasl.mechanism": {"plain": "PLAIN", "scram": "SCRAM-SHA-256"}[options.security],
                "sasl.username": USER,
                "sasl.password": PASSWORD,
            }

    def admin(self, client_id: str) -> AbstractContextManager[Any]:
        return closing(Admin(AdminClient({**self._common, "client.id": client_id})), lambda: None)

    def producer(self, client_id: str, acks: str) -> AbstractContextManager[Any]:
        client = ConfluentProducer({**self._common, "client.id": client_id, "acks": acks, "linger.ms": 0})
        return closing(Producer(client, acks), lambda: client.flush(20))

    def consumer(self, client_id: str, topic: str, group: str) -> AbstractContextManager[Any]:
        client = ConfluentConsumer(
            {
                **self._common,
                "client.id": client_id,
                "group.id": group,
                "group.protocol": self._group_protocol,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 100,
            }
        )
        client.subscribe([topic])
        return closing(Consumer(client), client.close)

    def error(self, failure: Exception) -> tuple[str, int | None]:
        if isinstance(failure, KafkaException):
            error = failure.args[0]
            return error.name(), error.code()
        return type(failure).__name__, None


class Admin:
    def __init__(self, client: AdminClient) -> None:
        self._client = client

    def describe_cluster(self) -> Values:
        nodes = self._client.describe_cluster().result(20).nodes
        return {"nodes": [f"{node.host}:{node.port}" for node in nodes]}

    def create_topic(self, topic: str, partitions: int) -> None:
        self._client.create_topics([NewTopic(topic, partitions, 1)])[topic].result(20)
        # The broker learns of it a moment after the controller has made it.
        while self._client.list_topics(topic, timeout=20).topics[topic].error:
            sleep(0.02)

    def list_topics(self) -> Values:
        return {"topics": sorted(self._client.list_topics(timeout=20).topics)}

    def describe_topic(self, topic: str) -> Values:
        def partitions() -> list[Any]:
            return list(self._client.describe_topics(TopicCollection([topic]))[topic].result(20).partitions)

        found = until_there(partitions)
        return {"partitions": len(found), "leader": f"{found[0].leader.host}:{found[0].leader.port}"}

    def describe_configs(self, topic: str) -> Values:
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        return {
            "cleanup.policy": self._client.describe_configs([resource])[resource].result(20)["cleanup.policy"].value
        }

    def list_groups(self) -> Values:
        found = self._client.list_consumer_groups().result(20)
        if found.errors:
            raise KafkaException(found.errors[0])
        return {"groups": sorted(group.group_id for group in found.valid)}

    def group_offsets(self, group: str) -> Values:
        asked = self._client.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])
        found = asked[group].result(20).topic_partitions
        return {"offsets": {f"{each.topic}-{each.partition}": each.offset for each in sorted(found)}}

    def describe_acls(self) -> None:
        everything = AclBindingFilter(
            ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY
        )
        self._client.describe_acls(everything).result(20)

    def delete_group(self, group: str) -> None:
        self._client.delete_consumer_groups([group])[group].result(20)

    def delete_topic(self, topic: str) -> None:
        self._client.delete_topics([topic])[topic].result(20)


class Producer:
    def __init__(self, client: ConfluentProducer, acks: str) -> None:
        self._client = client
        self._acks = acks

    def produce(self, topic: str, partition: int, value: bytes) -> int | None:
        told: list[tuple[KafkaError | None, Any]] = []
        self._client.produce(topic, value, partition=partition, on_delivery=lambda *outcome: told.append(outcome))
        self._client.flush(20)
        ((error, message),) = told
        if error is not None:
            raise KafkaException(error)
        return None if self._acks == "0" else message.offset()


class Consumer:
    def __init__(self, client: ConfluentConsumer) -> None:
        self._client = client

    def poll(self) -> list[tuple[str, int, int, bytes]]:
        # Errors among the messages are for information: the library goes on by itself.
        found = [message for message in self._client.consume(100, timeout=0.1) if message.error() is None]
        return [(each.topic(), each.partition(), each.offset(), each.value()) for each in found]

    def commit(self) -> None:
        self._client.commit(asynchronous=False)


if __name__ == "__main__":
    main(Confluent)
