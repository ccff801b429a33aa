"""Writes src/schema/tables.rs from Kafka's published message definitions and its list of error codes.

The definitions are the JSON files `common/message/*.json` inside the kafka-clients jar; the error codes stand in its
class `org.apache.kafka.common.protocol.Errors`, which `javap` prints. Two jars are read: the newer says what there is
now, the older is the last with the versions that Kafka 4.0 removed. Where both know a version, the newer one counts.

`generate.py [JAR ...]` writes the tables; `--check` compares them with the file instead. Jars that are not given are
fetched with Maven (`mvn`). Needs a JDK for `javap`.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OUTPUT = Path(__file__).resolve().parent.parent / "src" / "schema" / "tables.rs"
# Newest first.
VERSIONS = ("4.3.1", "3.9.2")
FILES = r"common/message/\w+(Request|Response)\.json"

Json = dict[str, Any]

# Width in bytes of the types that have one.
WIDTHS = {
    "bool": 1,
    "int8": 1,
    "int16": 2,
    "uint16": 2,
    "int32": 4,
    "uint32": 4,
    "int64": 8,
    "float64": 8,
    "uuid": 16,
}
PARTITIONS = {"PartitionIndex", "PartitionIndexes", "Partition", "PartitionId", "Index"}
HOSTS = {"Host", "HostName", "V0Host"}
PORTS = {"Port", "V0Port"}
# Ids that name the node whose endpoints follow, where the definitions do not call them broker ids.
NODES = {"NodeId", "BrokerId", "Id", "VoterId", "ControllerId", "LeaderId"}
# APIs whose resources are topics where their type is 2.
CONFIG_APIS = {32, 33, 44}
FIND_COORDINATOR = 10
API_VERSIONS = 18
# Endpoints of applications, not of brokers.
OTHERS_ENDPOINTS = {"UserEndpoint"}


def role_of(api: int, request: bool, kind: str, item: Json) -> str:
    """What a field of a scalar type, or an element of an array of one, means to the codec."""
    name, entity = item["name"], item.get("entityType")
    if kind == "string":
        by_entity = {"topicName": "Topic", "groupId": "Group", "transactionalId": "Transactional"}
        if entity in by_entity:
            return by_entity[entity]
        if name in HOSTS:
            return "Host"
        if api == FIND_COORDINATOR and name in ("Key", "CoordinatorKeys"):
            return "Key"
        if api in CONFIG_APIS and name == "ResourceName":
            return "ResourceName"
        by_name = {
            "GroupId": "Group",
            "MemberId": "Member",
            "GroupInstanceId": "Instance",
            "ErrorMessage": "ErrorMessage",
            "ClientSoftwareName": "SoftwareName",
            "ClientSoftwareVersion": "SoftwareVersion",
        }
        if name == "Mechanism" and request:
            return "Mechanism"
        return by_name.get(name, "None")
    if kind == "uuid":
        return "TopicId" if name in ("TopicId", "TopicIds") else "None"
    if kind == "int16":
        if name.endswith("ErrorCode"):
            return "Error"
        return "Acks" if name == "Acks" and api == 0 else "None"
    if kind in ("int32", "uint16") and name in PORTS:
        return "Port"
    if kind == "int32":
        if name in PARTITIONS or (name == "Partitions" and item["type"] == "[]int32"):
            return "Partition"
        return "Throttle" if name == "ThrottleTimeMs" else "None"
    if kind == "int8" and name == "KeyType" and api == FIND_COORDINATOR:
        return "KeyType"
    if kind == "int8" and name == "ResourceType" and api in CONFIG_APIS:
        return "ResourceType"
    return "None"


class Span:
    """A range of versions: `3`, `1-4`, `2+`, `none`."""

    def __init__(self, text: str | None) -> None:
        text = text or "none"
        if text == "none":
            self.low, self.high = 1, 0
        elif text.endswith("+"):
            self.low, self.high = int(text[:-1]), 1 << 15
        else:
            low, _, high = text.partition("-")
            self.low, self.high = int(low), int(high or low)

    def __contains__(self, version: int) -> bool:
        return self.low <= version <= self.high


@dataclass(frozen=True)
class Op:
    """One field of one version, as Rust text, and what the tables need to know of it."""

    text: str
    role: str = "None"
    least: int = 0
    fixed: bool = False
    element: int | None = None
    defaults: bytes = b""
    nullable: bool = False


@dataclass(frozen=True)
class Struct:
    """All fields of one version, in order, and the tagged ones by their tags."""

    ops: tuple[Op, ...]
    tags: tuple[tuple[int, Op], ...]
    flexible: bool


@dataclass
class Tables:
    """Structs, each kept once, and the pool of default values."""

    structs: list[Struct] = field(default_factory=list)
    numbers: dict[Struct, int] = field(default_factory=dict)
    pool: bytearray = field(default_factory=bytearray)
    roles: list[frozenset[str]] = field(default_factory=list)
    least: list[int] = field(default_factory=list)
    fixed: list[bool] = field(default_factory=list)

    def add(self, struct: Struct) -> int:
        """The number of a struct."""
        if struct not in self.numbers:
            self.numbers[struct] = len(self.structs)
            self.structs.append(struct)
            everything = [*struct.ops, *(op for _, op in struct.tags)]
            inner = [self.roles[op.element] for op in everything if op.element is not None]
            self.roles.append(frozenset(op.role for op in everything).union(*inner) - {"None"})
            self.least.append(sum(op.least for op in struct.ops) + struct.flexible)
            self.fixed.append(all(op.fixed for op in struct.ops) and not struct.flexible)
        return self.numbers[struct]

    def defaults(self, data: bytes) -> int:
        """The place of these bytes in the pool."""
        at = self.pool.find(data)
        if at < 0:
            at = len(self.pool)
            self.pool += data
        return at


class Message:
    """One definition of a request or a response."""

    def __init__(self, text: str, source: int) -> None:
        body: Json = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))
        self.body, self.source = body, source
        self.api: int = body.get("apiKey", -1)
        self.request = body["type"] == "request"
        self.versions = Span(body.get("validVersions"))
        self.flexible = Span(body.get("flexibleVersions"))
        self.common = {struct["name"]: struct["fields"] for struct in body.get("commonStructs", [])}

    def struct(self, tables: Tables, fields: list[Json], version: int, brokers: bool = True) -> int:
        """The number of the struct that `fields` are in this version."""
        flexible = version in self.flexible
        ops: list[Op] = []
        tags: list[tuple[int, Op]] = []
        present = [item for item in fields if version in Span(item["versions"])]
        for item in present:
            op = self.op(tables, item, version, brokers)
            if op.role == "Host" and not any(other["name"] in PORTS for other in present):
                # Of an ACL.
                op = Op(op.text.replace("Host", "None"), "None", op.least, nullable=op.nullable)
            if self.names_node(item, present, version):
                op = self.fixed(tables, "Node", op.defaults)
            if version in Span(item.get("taggedVersions")):
                tags.append((item["tag"], op))
            elif op.fixed and op.role == "None" and ops and ops[-1].fixed and ops[-1].role == "None":
                # A run of numbers that mean nothing here is one field.
                ops[-1] = self.fixed(tables, "None", ops[-1].defaults + op.defaults)
            else:
                ops.append(op)
        return tables.add(Struct(tuple(ops), tuple(sorted(tags, key=lambda tag: tag[0])), flexible))

    def names_node(self, item: Json, fields: list[Json], version: int) -> bool:
        """Whether an int32 is the id of the node whose host and port stand beside it or in an array beside it."""
        if item["type"] != "int32" or item["name"] not in NODES:
            return False
        if any(other["name"] in HOSTS for other in fields):
            return True
        within = [self.fields_of(other) for other in fields if other["type"][0] == "["]
        present = [[inner for inner in inners or [] if version in Span(inner["versions"])] for inners in within]
        own = any(
            any(inner["name"] in HOSTS for inner in inners) and not any(inner["name"] in NODES for inner in inners)
            for inners in present
        )
        return own and self.api in (6, 55, 62, 70, 80, 82)

    def fields_of(self, item: Json) -> list[Json] | None:
        """The fields of a struct, or of the elements of an array of structs."""
        inner: list[Json] | None = item.get("fields") or self.common.get(item["type"].removeprefix("[]"))
        return inner

    @staticmethod
    def fixed(tables: Tables, role: str, defaults: bytes) -> Op:
        """A value of fixed width."""
        text = f"f({len(defaults)}, {tables.defaults(defaults)}, {role})"
        return Op(text, role, len(defaults), fixed=True, defaults=defaults)

    def op(self, tables: Tables, item: Json, version: int, brokers: bool) -> Op:
        """A field in this version."""
        kind: str = item["type"]
        flexible = version in self.flexible
        nullable = version in Span(item.get("nullableVersions"))
        null = nullable and item.get("default") == "null"
        flags = "|".join(["C"] * flexible + ["N"] * nullable + ["D"] * null) or "0"
        brokers = brokers and item["name"] not in OTHERS_ENDPOINTS
        if kind in WIDTHS:
            role = role_of(self.api, self.request, kind, item)
            role = "None" if role == "Port" and not brokers else role
            return self.fixed(tables, role, default(kind, item.get("default")))
        if kind == "string":
            role = role_of(self.api, self.request, kind, item)
            role = "None" if role == "Host" and not brokers else role
            return Op(f"t({flags}, {role})", role, 1 if flexible else 2, nullable=nullable)
        if kind in ("bytes", "records"):
            return Op(f"b({flags})", "None", 1 if flexible else 4, nullable=nullable)
        if not kind.startswith("[]"):
            element = self.struct(tables, self.fields_of(item) or [], version, brokers)
            if nullable:
                return Op(f"m({element}, {flags})", "None", 1, element=element, nullable=True)
            return Op(f"s({element})", "None", tables.least[element], element=element)
        inner = kind.removeprefix("[]")
        if inner in WIDTHS or inner == "string":
            scalar = self.op(
                tables, {**item, "type": inner, "nullableVersions": "none", "default": None}, version, brokers
            )
            role = role_of(self.api, self.request, inner, item)
            if inner in WIDTHS:
                scalar = self.fixed(tables, role, default(inner, None))
            element = tables.add(Struct((scalar,), (), False))
        else:
            element = self.struct(tables, self.fields_of(item) or [], version, brokers)
        if not tables.least[element]:
            sys.exit(f"elements of {item['name']} take no bytes, so that no count of them could be too great")
        return Op(f"a({element}, {flags})", "None", 1 if flexible else 4, element=element, nullable=nullable)


def default(kind: str, value: object) -> bytes:
    """The bytes of a default value."""
    if kind == "uuid" or value in (None, ""):
        return bytes(WIDTHS[kind])
    if kind == "bool":
        return bytes([str(value).lower() == "true"])
    return int(str(value), 0).to_bytes(WIDTHS[kind], "big", signed=not kind.startswith("u"))


def read_errors(jar: Path) -> list[tuple[int, str]]:
    """The codes and names of the enum `Errors`, from its bytecode: a name, its ordinal, its code."""
    command = ["javap", "-c", "-p", "-cp", str(jar), "org.apache.kafka.common.protocol.Errors"]
    lines = (
        subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("static {}", 1)[1].splitlines()
    )
    errors = []
    for at, line in enumerate(lines):
        if re.search(r": new +#\d+ +// class org/apache/kafka/common/protocol/Errors$", line):
            name = re.search(r"// String (\w+)$", lines[at + 2])
            code = re.search(r"(?:iconst_(m?\d+)|[bs]ipush +(-?\d+))$", lines[at + 4])
            if not name or not code:
                sys.exit(f"an error code is written in a new way: {lines[at : at + 5]}")
            errors.append((int(code[2] or code[1].replace("m", "-")), name[1]))
    return sorted(errors)


def fetch(folder: Path) -> list[Path]:
    """The jars, through Maven."""
    goal = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
    for version in VERSIONS:
        artifact = f"-Dartifact=org.apache.kafka:kafka-clients:{version}"
        subprocess.run(["mvn", "-q", "-B", goal, artifact, f"-DoutputDirectory={folder}"], check=True)
    return [folder / f"kafka-clients-{version}.jar" for version in VERSIONS]


def described(jar: Path) -> str:
    """The version and the date of a jar."""
    with zipfile.ZipFile(jar) as archive:
        version = archive.read("kafka/kafka-version.properties").decode()
        date = archive.getinfo("META-INF/MANIFEST.MF").date_time
    found = dict(line.split("=", 1) for line in version.split())
    return f"kafka-clients {found['version']} of {date[0]}-{date[1]:02}-{date[2]:02} (commit {found['commitId']})"


def generate(jars: list[Path]) -> str:
    """The text of the tables."""
    messages: list[Message] = []
    for source, jar in enumerate(jars):
        with zipfile.ZipFile(jar) as archive:
            names = [name for name in archive.namelist() if re.fullmatch(FILES, name)]
            messages += [Message(archive.read(name).decode(), source) for name in sorted(names)]
    tables = Tables()
    rows, headers = [], []
    keys = sorted({message.api for message in messages if message.api >= 0})
    for key in range(keys[-1] + 1):
        own = [message for message in messages if message.api == key]
        requests = [message for message in own if message.request]
        responses = [message for message in own if not message.request]
        valid = sorted(
            {version for message in requests for version in range(message.versions.low, message.versions.high + 1)}
        )
        if not valid or valid != list(range(valid[0], valid[-1] + 1)):
            sys.exit(f"the versions of the API {key} have a hole, or there are none: {valid}")
        pairs = []
        flexible = None
        for version in valid:
            of = [next(message for message in side if version in message.versions) for side in (requests, responses)]
            if (version in of[0].flexible) != (version in of[1].flexible):
                sys.exit(f"API {key} is flexible in version {version} on one side only")
            if version in of[0].flexible and flexible is None:
                flexible = version
            pairs.append(tuple(message.struct(tables, message.body["fields"], version) for message in of))
        name = requests[0].body["name"].removesuffix("Request")
        numbers = ", ".join(f"({ask}, {answer})" for ask, answer in pairs)
        rows.append(f'    Api {{ name: "{name}", first: {valid[0]}, versions: &[{numbers}] }},')
        headers.append(f"    v({valid[0]}, {valid[-1]}, {'NEVER' if flexible is None else flexible}), // {key} {name}")
    structs = []
    for number, struct in enumerate(tables.structs):
        ops = ", ".join(op.text for op in struct.ops)
        tags = ", ".join(f"({tag}, {op.text})" for tag, op in struct.tags)
        roles = "|".join(f"R::{role}.bit()" for role in sorted(tables.roles[number])) or "0"
        least = min(tables.least[number], 0xFFFF)
        fixed = str(tables.fixed[number]).lower()
        structs.append(
            f"    Struct {{ ops: &[{ops}], tags: &[{tags}], flexible: {str(struct.flexible).lower()}, roles: {roles}, "
            f"least: {least}, fixed: {fixed} }}, // {number}"
        )
    pool = ", ".join(str(byte) for byte in tables.pool)
    errors = "\n".join(f'    ({code}, "{name}"),' for code, name in read_errors(jars[0]))
    sources = "\n".join(f"//!   {described(jar)}" for jar in jars)
    return f"""//! Kafka's messages, every version of each, and its error codes. Written by `schemas/generate.py` from
//! `common/message/*.json` and `Errors` in
{sources}
//! Where both know a version, the first counts. Not to be edited: `make schemas` writes it again.

use super::Role::{{self as R, *}};
use super::{{Api, COMPACT as C, NEVER, NULL_DEFAULT as D, NULLABLE as N, Struct, Versions}};
use super::{{array as a, bytes as b, fixed as f, maybe as m, structure as s, text as t, known as v}};

/// By API key: the first and the last version known, and the first that is flexible.
pub static VERSIONS: [Versions; {len(headers)}] = [
{chr(10).join(headers)}
];

/// By API key: for each version from the first on, the numbers of the structs of its request and its response.
pub static APIS: [Api; {len(rows)}] = [
{chr(10).join(rows)}
];

/// Every struct of every version, each once; inner ones before those that hold them.
pub static STRUCTS: [Struct; {len(structs)}] = [
{chr(10).join(structs)}
];

/// Default values, one after another.
pub static DEFAULTS: [u8; {len(tables.pool)}] = [{pool}];

/// Error codes and their names, in the order of the codes.
pub static ERRORS: [(i16, &str); {errors.count(chr(10)) + 1}] = [
{errors}
];
"""


def main() -> None:
    """Writes or compares the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("jars", nargs="*", type=Path, help="kafka-clients jars, the newest first")
    parser.add_argument("--check", action="store_true", help="compare with the file instead of writing it")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        text = generate(arguments.jars or fetch(Path(folder)))
    if not arguments.check:
        OUTPUT.write_text(text)
    elif OUTPUT.read_text() != text:
        sys.exit(f"{OUTPUT} is not what generate.py makes of {', '.join(VERSIONS)}; run it without --check")


if __name__ == "__main__":
    main()
