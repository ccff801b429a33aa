"""Messages of Kafka by chance, encoded by kafka-python, and what stands in them."""

from __future__ import annotations

import base64
import uuid
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

with warnings.catch_warnings():
    # It reads its definitions in a way that Python 3.11 calls old.
    warnings.simplefilter("ignore", DeprecationWarning)
    import kafka.protocol.admin
    import kafka.protocol.broker_version_data
    import kafka.protocol.consumer
    import kafka.protocol.metadata
    import kafka.protocol.producer
    import kafka.protocol.sasl  # noqa: F401  (their classes are found below)
    from kafka.protocol.api_message import ApiMessage

TOPICS = ("orders", "payments", "ö")
NAMES = ("g1", "workers")
HOSTS = ("b1", "broker.example.org", "::1")
PORTS = (9092, 19092)
# APIs whose resources are topics where their type is 2.
CONFIG_APIS = {32, 33, 44}
# The errors that are made here.
ERRORS = {3: "UNKNOWN_TOPIC_OR_PARTITION", 29: "TOPIC_AUTHORIZATION_FAILED"}
PARTITIONS = {"PartitionIndex", "PartitionIndexes", "Partition", "PartitionId", "Index"}
INTS = {"int8": 7, "int16": 15, "uint16": 16, "int32": 31, "int64": 63}

Json = dict[str, Any]


def _classes(kind: str) -> dict[int, Any]:
    found, waiting = {}, list(ApiMessage.__subclasses__())
    while waiting:
        cls = waiting.pop()
        waiting += cls.__subclasses__()
        if cls._class_version is None and getattr(cls, "_json", None) and cls.type == kind:
            found[cls.API_KEY] = cls
    return dict(sorted(found.items()))


REQUESTS, RESPONSES = _classes("request"), _classes("response")


def holds(versions: str | None, version: int) -> bool:
    """Whether a range such as `3+` or `1-4` has a version."""
    if not versions or versions == "none":
        return False
    low, _, high = versions.replace("+", "-32767").partition("-")
    return int(low) <= version <= int(high or low)


@dataclass
class Renamed:
    """What becomes of the names while a message is made."""

    topic: Callable[[str], str] = str
    address: Callable[[str, int], tuple[str, int]] = lambda host, port: (host, port)


class Maker:
    """Makes the fields of one message by chance; the same chance makes the same message."""

    def __init__(self, api: int, version: int, seed: int, renamed: Renamed) -> None:
        self.api, self.version, self.renamed = api, version, renamed
        self.random = Random(f"{api} {version} {seed}")

    def struct(self, fields: list[Json], struct: Any) -> dict[str, Any]:
        made: dict[str, Any] = {}
        seen: dict[str, Any] = {}
        # Hosts and ports change together.
        address: tuple[str, int] | None = (self.random.choice(HOSTS), self.random.choice(PORTS))
        if not any(item["name"] == "Port" for item in fields):
            address = None
        for item, field in zip(fields, struct.fields.values(), strict=True):
            if not holds(item["versions"], self.version):
                continue
            if holds(item.get("taggedVersions"), self.version) and self.random.random() < 0.5:
                continue
            value = self.value(item, field, address, seen)
            seen[item["name"]] = value
            made[field.name] = value
        return made

    def value(self, item: Json, field: Any, address: tuple[str, int] | None, seen: dict[str, Any]) -> Any:
        if holds(item.get("nullableVersions"), self.version) and self.random.random() < 0.2:
            return None
        kind = item["type"]
        if kind.startswith("[]"):
            count = self.random.randrange(4)
            if item.get("fields") or field.is_struct_array():
                inner = [self.struct(field._json["fields"], field) for _ in range(count)]
                return [field.data_class(version=self.version, **fields) for fields in inner]
            return [self.scalar({**item, "type": kind[2:]}, address, seen) for _ in range(count)]
        if field.is_struct():
            return field.data_class(version=self.version, **self.struct(field._json["fields"], field))
        return self.scalar(item, address, seen)

    def scalar(self, item: Json, address: tuple[str, int] | None, seen: dict[str, Any]) -> Any:
        kind, name, random = item["type"], item["name"], self.random
        if kind == "string":
            if name == "Host" and address:
                return self.renamed.address(*address)[0]
            if item.get("entityType") == "topicName":
                return self.renamed.topic(random.choice(TOPICS))
            if name == "ResourceName" and self.api in CONFIG_APIS:
                topic = random.choice(TOPICS)
                return self.renamed.topic(topic) if seen["ResourceType"] == 2 else topic
            return random.choice(NAMES)
        if kind == "bool":
            return random.random() < 0.5
        if kind == "uuid":
            return uuid.UUID(int=random.choice((0, random.getrandbits(128))))
        if kind in ("bytes", "records"):
            return random.randbytes(random.randrange(20))
        if kind == "bitfield":
            return set(random.sample(range(31), 3))
        if kind == "float64":
            return random.random()
        if name == "Port" and address:
            return self.renamed.address(*address)[1]
        if name == "ResourceType":
            return random.choice((2, 4))
        if name == "Acks":
            return random.choice((-1, 1))
        if name.endswith("ErrorCode"):
            return random.choice((0, 0, *ERRORS))
        return random.getrandbits(random.randrange(1, INTS[kind]))


def make(
    classes: dict[int, Any], api: int, version: int, seed: int, correlation_id: int, renamed: Renamed | None = None
) -> tuple[Any, bytes]:
    """A message, and its frame."""
    cls = classes[api]
    maker = Maker(api, version, seed, renamed or Renamed())
    message = cls[version](**maker.struct(cls._json["fields"], cls._struct))
    if cls.type == "request":
        message.with_header(correlation_id, client_id="shop")
    else:
        message.with_header(correlation_id)
    return message, bytes(message.encode(header=True, framed=True))


def standing_in(message: Any, version: int) -> Iterator[tuple[Json, Any, dict[str, Any]]]:
    """Every field that is no struct in the order of the wire: its definition, its value, and its neighbours by name."""
    yield from _walk(message._json["fields"], message._struct, message, version)


def _walk(fields: list[Json], struct: Any, value: Any, version: int) -> Iterator[tuple[Json, Any, dict[str, Any]]]:
    pairs = [
        (item, field)
        for item, field in zip(fields, struct.fields.values(), strict=True)
        if holds(item["versions"], version)
    ]
    tagged = [pair for pair in pairs if holds(pair[0].get("taggedVersions"), version)]
    tagged.sort(key=lambda pair: pair[0]["tag"])
    neighbours = {item["name"]: getattr(value, field.name) for item, field in pairs}
    for item, field in [pair for pair in pairs if pair not in tagged] + tagged:
        inner = neighbours[item["name"]]
        if inner is None or (pair_is_unset := (item, field) in tagged and field.name not in (value.tags or ())):
            continue
        del pair_is_unset
        if field.is_struct_array():
            for element in inner:
                yield from _walk(field._json["fields"], field, element, version)
        elif field.is_struct():
            yield from _walk(field._json["fields"], field, inner, version)
        elif item["type"].startswith("[]"):
            for element in inner:
                yield {**item, "type": item["type"][2:], "array": True}, element, neighbours
        else:
            yield item, inner, neighbours


def expected(api: int, version: int, message: Any, request: bool) -> dict[str, str | int]:
    """The metadata that a codec must find in the body, by its keys; keys that it must not find are not there."""
    found: dict[str, str | int] = {}
    lists: dict[str, list[str]] = {"topics": [], "topic_ids": [], "partitions": []}
    errors: list[int] = []
    node: int | None = None
    for item, value, neighbours in standing_in(message, version):
        name, kind, entity = item["name"], item["type"], item.get("entityType")
        if entity == "topicName" or (name == "ResourceName" and api in CONFIG_APIS and neighbours["ResourceType"] == 2):
            lists["topics"].append(value)
        elif kind == "uuid" and name in ("TopicId", "TopicIds") and value.int:
            lists["topic_ids"].append(base64.urlsafe_b64encode(value.bytes).decode().rstrip("="))
        elif kind == "int32" and (name in PARTITIONS or (name == "Partitions" and item.get("array"))):
            lists["partitions"].append(str(value))
        elif entity == "groupId":
            found.setdefault("group_id", value)
        elif entity == "transactionalId":
            found.setdefault("transactional_id", value)
        elif api == 10 and name in ("Key", "CoordinatorKeys"):
            found.setdefault("coordinator_key", value)
        elif kind == "string" and name == "Mechanism" and request:
            found.setdefault("sasl_mechanism", value)
        elif name.endswith("ErrorCode") and not request:
            errors.append(value)
        elif name == "Host" and "Port" in neighbours:
            address = f"[{value}]" if ":" in value else value
            node = next((neighbours[name] for name in ("NodeId", "BrokerId") if name in neighbours), node)
            if node is not None and node >= 0:
                found[f"broker.{node}"] = f"{address}:{neighbours['Port']}"
        elif name == "NodeId" and api == 55:
            node = value
        else:
            keys = {
                "KeyType": "key_type",
                "MemberId": "member_id",
                "GroupInstanceId": "group_instance_id",
                "ClientSoftwareName": "client_software_name",
                "ClientSoftwareVersion": "client_software_version",
                "ThrottleTimeMs": "throttle_time_ms",
                "Acks": "acks",
            }
            if name in keys and not item.get("array"):
                found.setdefault(keys[name], value)
            elif name == "ErrorMessage" and not request:
                found.setdefault("error_message", value)
    for key, values in lists.items():
        if values:
            found[key] = ",".join(values)
            first = values[0]
            found[key.removesuffix("s")] = int(first) if key == "partitions" else first
    if errors:
        code = next((code for code in errors if code), 0)
        found["error_code"] = code
        found["reply_type"] = "error" if code else "success"
        if code:
            found["error"] = ERRORS.get(code, "")
    return found
