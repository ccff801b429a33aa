"""Writes docs/reference/proxy-configuration.md from the tables in src/metaprotocol/xds that say what is read."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from metaprotocol.xds.fields import Fields
from metaprotocol.xds.messages import type_named

ROOT = Path(__file__).resolve().parents[2]
PROTOS = ROOT / "src" / "metaprotocol" / "xds" / "protos"
PAGE = ROOT / "docs" / "reference" / "proxy-configuration.md"
ENVOY = "https://www.envoyproxy.io/docs/envoy/latest/api-v3/"

INTRO = """\
# The proxy's configuration

<!-- Made by docs/_tools/proxy_configuration.py from the tables in src/metaprotocol/xds and the comments of its .proto
files: edit those. -->

Every message that is read of a bootstrap, and of what is discovered, with each of its fields. Names and meanings are those of
Envoy and of MetaProtocol Proxy; where a field means something of its own here, or has a default of its own, that is said.

- **Read**: has the effect that Envoy's documentation describes, which each heading links to, or that is said here.
- **Accepted**: says what is so anyway, or nothing that matters here; nothing is reported.
- **Reported**: has no effect; it is told with its file, line and path, and [`--strict`](../how-to/run-the-proxy.md) refuses it.
  So are fields that the messages do not have.
- **Refused**: it would be unsafe to go on without it, so the configuration cannot be used.

[Run the proxy](../how-to/run-the-proxy.md) has a whole bootstrap; [migrate](../how-to/migrate-from-metaprotocol-proxy.md)
says what differs from MetaProtocol Proxy, and [change a running proxy](../how-to/change-a-running-proxy.md) how all this is
discovered.
"""

SECTIONS = {
    "The bootstrap": (("load",), "`metaprotocol proxy -c FILE` reads one `Bootstrap`, in YAML or JSON."),
    "Listeners": (("listeners", "context"), "Where clients connect, and the protocol that they speak."),
    "Routes": (
        ("routes", "matchers"),
        "MetaProtocol's own messages stand in listeners; discovery brings them, or Envoy's, whose headers are metadata here.",
    ),
    "Filters of messages": (
        ("filters",),
        "What MetaProtocol Proxy's filters read. The proxy has none of them yet: they are checked where a program gives it"
        " filters of these names, and reported otherwise.",
    ),
    "Clusters": (("clusters",), "Where messages go."),
    "How hosts are picked": (
        ("balance",),
        "By `lb_policy`, or by `load_balancing_policy`, which is the newer way to say it.",
    ),
    "Hosts": (("hosts", "values"), "In clusters, or discovered."),
    "Health checks": (("health",), "Active ones."),
    "Where configuration is discovered": (("sources",), "In place of what stands in the file."),
    "TLS to a control plane": (
        ("sockets", "tls"),
        "Clusters that configuration is discovered through may be encrypted, with certificates from files or by discovery (SDS)."
        " Messages never are.",
    ),
}
"""The modules whose tables are in each section, and what is said of it."""

NAMES_OF_TYPES = {
    "google.protobuf.Any": "any message",
    "google.protobuf.Duration": "duration",
    "google.protobuf.Empty": "`{}`",
    "google.protobuf.Struct": "mapping",
    "google.protobuf.Timestamp": "time",
    "google.protobuf.BoolValue": "true or false",
    "google.protobuf.StringValue": "text",
    "google.protobuf.BytesValue": "bytes",
} | {f"google.protobuf.{kind}Value": "number" for kind in ("Double", "Float", "Int32", "Int64", "UInt32", "UInt64")}
OWN = ("aeraki.", "metaprotocol.")
MOST_NAMES = 8
"""Enumerations with more values are called by their names alone."""

COMMENT = re.compile(r"\s*// ?(.*)")
MESSAGE = re.compile(r"\s*message (\w+) \{(.*)")
FIELD = re.compile(r"\s*(?:repeated )?(?:map<[^>]*>|[\w.]+) (\w+) = \d+")


def comments() -> dict[str, str]:
    """What our own .proto files say of messages, by full names, and of their fields, by those and a dot."""
    found: dict[str, str] = {}
    for path in sorted(PROTOS.rglob("*.proto")):
        text = path.read_text()
        above, said = [re.search(r"^package (.*);", text, re.MULTILINE)[1]], []  # type: ignore[index]
        for line in text.splitlines():
            if match := COMMENT.fullmatch(line):
                said.append(match[1])
                continue
            if match := MESSAGE.fullmatch(line):
                above.append(match[1])
                found[".".join(above)] = " ".join(said)
                if match[2].endswith("}"):
                    above.pop()
            elif (match := FIELD.match(line)) and len(above) > 1:
                found[".".join([*above, match[1]])] = " ".join(said)
            elif line.strip().startswith("oneof"):
                above.append("")
            elif line.strip() == "}":
                above.pop()
            said = []
    return {re.sub(r"\.\.", ".", name): text for name, text in found.items()}


def sections() -> dict[str, list[Fields]]:
    """The tables of each section, in the order of the modules; each table once, though modules share some."""
    found: dict[str, list[Fields]] = {}
    shown: set[str] = set()
    for title, (modules, _) in SECTIONS.items():
        values = [value for name in modules for value in vars(import_module(f"metaprotocol.xds.{name}")).values()]
        fresh = {each.message: each for each in values if isinstance(each, Fields) and each.message not in shown}
        found[title] = list(fresh.values())
        shown |= fresh.keys()
    return found


def short(name: str) -> str:
    """A message's name without its package."""
    return ".".join(part for part in name.split(".") if part[0].isupper())


def type_of(field: FieldDescriptor, known: set[str]) -> str:
    """What a field takes."""
    kind = field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        return f"mapping of text to {type_of(kind.fields_by_name['value'], known)}"
    if kind is not None:
        name = kind.full_name
        text = f"[{short(name)}](#{name.lower()})" if name in known else NAMES_OF_TYPES.get(name, short(name))
    elif field.enum_type is not None:
        names = [value.name for value in field.enum_type.values]
        text = ", ".join(f"`{name}`" for name in names) if len(names) <= MOST_NAMES else field.enum_type.name
    elif field.type == FieldDescriptor.TYPE_BYTES:
        text = "bytes"
    else:
        text = {FieldDescriptor.CPPTYPE_STRING: "text", FieldDescriptor.CPPTYPE_BOOL: "true or false"}.get(
            field.cpp_type, "number"
        )
    return f"list of {text}" if field.is_repeated else text


def clause(text: str) -> str:
    """A sentence as part of another."""
    return (text[:1].lower() if text[1:2].islower() else text[:1]) + text[1:].rstrip(".")


def link(message: Descriptor) -> str:
    """Where Envoy describes a message of its own."""
    name = message.full_name.removeprefix("envoy.")
    page = message.file.name.removeprefix("envoy/")
    return f"{ENVOY}{page}#envoy-v3-api-msg-{re.sub('[._]', '-', name).lower()}"


def described(table: Fields, known: set[str], said: dict[str, str]) -> str:
    """The part of the page that is about one message."""
    found = type_named(table.message)
    if found is None:
        raise ValueError(f"{table.message} is not known")
    message = found.DESCRIPTOR
    own = table.message.startswith(OWN)
    head = f"\n### {short(table.message)} {{ #{table.message.lower()} }}\n\n`{table.message}`"
    head += f": {said[table.message]}" if own and said.get(table.message) else ""
    head += "\n" if own else f" ([Envoy]({link(message)}))\n"
    rows = []
    for field in message.fields:
        name = field.name
        if name in table.read:
            what = table.notes.get(name) or (said.get(f"{table.message}.{name}", "") if own else "")
            what = f"Read: {clause(what)}" if what else "Read"
        elif name in table.moot:
            what = f"Accepted: {table.moot[name]}"
        elif name in table.refused:
            what = f"**Refused**: not supported; {table.refused[name]}"
        elif name in table.because:
            what = f"Reported: {table.because[name]}"
        else:
            continue
        rows.append(f"| `{name}` | {type_of(field, known)} | {what}. |\n")
    others = [f"`{field.name}`" for field in message.fields if field.name not in table.known]
    text = head + ("\n| Field | Value | |\n|---|---|---|\n" + "".join(rows) if rows else "")
    if not message.fields:
        return text + "\nHas no fields.\n"
    return text + (f"\nReported: {', '.join(others)}.\n" if others else "")


def page() -> str:
    """The whole page."""
    said = comments()
    found = sections()
    known = {table.message for tables in found.values() for table in tables}
    text = INTRO
    for title, tables in found.items():
        text += f"\n## {title}\n\n{SECTIONS[title][1]}\n" + "".join(described(each, known, said) for each in tables)
    return text


if __name__ == "__main__":
    PAGE.write_text(page())
