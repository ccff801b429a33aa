"""YAML and JSON read into messages, with the line of each field.

The spelling is that of protobuf's JSON: `snake_case` or `lowerCamelCase` names, durations such as `0.5s`, enumerations
by name or number, bytes in base64. Two liberties are those that Envoy's users rely on: one item may stand where a list
is wanted, and a text may be written without quotes though YAML sees a number in it.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any

import yaml
from google.protobuf.descriptor import FieldDescriptor

from metaprotocol.xds.messages import TYPED_STRUCTS, type_named
from metaprotocol.xds.problems import Mark

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf.descriptor import Descriptor
    from google.protobuf.struct_pb2 import Struct

    from metaprotocol.xds.problems import Place

__all__ = ["MAX_DEPTH", "MAX_NODES", "read_struct", "read_text"]

MAX_DEPTH = 64
"""How deep mappings and lists may nest."""
MAX_NODES = 1_000_000
"""How many values there may be, those that aliases repeat included."""

_TAG = "tag:yaml.org,2002:"
_NULL, _BOOL, _INT, _FLOAT, _STR = (_TAG + kind for kind in ("null", "bool", "int", "float", "str"))
_TRUE = frozenset({"true", "yes", "on"})
_FALSE = frozenset({"false", "no", "off"})
_DURATION = re.compile(r"(-?)(\d{1,12})(?:\.(\d{1,9}))?s")
_MAX_SECONDS = 315_576_000_000  # google/protobuf/duration.proto
_INTEGER = {
    FieldDescriptor.CPPTYPE_INT32: (-(1 << 31), (1 << 31) - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(1 << 63), (1 << 63) - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, (1 << 32) - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, (1 << 64) - 1),
}
_WRAPPER = re.compile(r"google\.protobuf\.\w+Value")


class _Wrong(Exception):
    """A value that cannot be read; the message says why."""


def read_text(text: str, message: Any, place: Place) -> None:
    """Read YAML or JSON into a message.

    Args:
        text: The text of a whole file.
        message: The message, which gets what the text says.
        place: What is wrong is reported below it, and the marks of fields are set there.
    """
    try:
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        if error.problem_mark is not None:
            place.set_mark(Mark(error.problem_mark.line + 1, error.problem_mark.column + 1))
        place.error(f"is neither YAML nor JSON: {error.problem}")
        return
    except yaml.YAMLError as error:  # characters that may not stand in YAML
        place.error(f"is neither YAML nor JSON: {error}")
        return
    if node is None:
        place.error("is empty")
        return
    _Reader().message(node, message, place, 0)


def read_struct(struct: Struct, message: Any, place: Place) -> None:
    """Read the JSON in a Struct into a message, as `read_text` does."""
    _Reader().message(_node_of_struct(struct), message, place, 0)


def _node_of_struct(struct: Struct) -> yaml.Node:
    items = [(yaml.ScalarNode(_STR, key), _node_of(value)) for key, value in struct.fields.items()]
    return yaml.MappingNode(_TAG + "map", items)


def _node_of(value: Any) -> yaml.Node:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return _node_of_struct(value.struct_value)
    if kind == "list_value":
        return yaml.SequenceNode(_TAG + "seq", [_node_of(item) for item in value.list_value.values])
    if kind == "string_value":
        return yaml.ScalarNode(_STR, value.string_value)
    if kind == "bool_value":
        return yaml.ScalarNode(_BOOL, str(value.bool_value).lower())
    if kind == "number_value":
        return yaml.ScalarNode(_FLOAT, repr(value.number_value))
    return yaml.ScalarNode(_NULL, "null")


def _is_null(node: yaml.Node) -> bool:
    return bool(node.tag == _NULL)


def _shape(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    return "a list" if isinstance(node, yaml.SequenceNode) else repr(node.value)


@cache
def _fields_by_name(descriptor: Descriptor) -> dict[str, FieldDescriptor]:
    fields = {field.json_name: field for field in descriptor.fields}
    return fields | {field.name: field for field in descriptor.fields}


def _mark(node: yaml.Node, place: Place) -> None:
    if node.start_mark is not None:
        place.set_mark(Mark(node.start_mark.line + 1, node.start_mark.column + 1))


def _number(text: str) -> float | int:
    plain = text.replace("_", "")
    try:
        return int(plain, 0)
    except ValueError:
        pass
    try:
        return int(plain)  # zeros in front
    except ValueError:
        return float(plain)


def _integer(node: yaml.Node, field: FieldDescriptor) -> int:
    least, most = _INTEGER[field.cpp_type]
    try:
        value = _number(node.value)
    except ValueError:
        raise _Wrong(f"is a whole number, not {node.value!r}") from None
    if not math.isfinite(value) or value != int(value):
        raise _Wrong(f"is a whole number, not {node.value!r}")
    if not least <= value <= most:
        raise _Wrong(f"is from {least} to {most}, not {node.value}")
    return int(value)


def _float(node: yaml.Node, _: FieldDescriptor) -> float:
    special = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
    if node.value in special:
        return special[node.value]
    try:
        return float(_number(node.value))
    except (ValueError, OverflowError):
        raise _Wrong(f"is a number, not {node.value!r}") from None


def _bool(node: yaml.Node, _: FieldDescriptor) -> bool:
    text = node.value.lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise _Wrong(f"is true or false, not {node.value!r}")


def _string(node: yaml.Node, field: FieldDescriptor) -> str | bytes:
    text: str = node.value
    if field.type != FieldDescriptor.TYPE_BYTES:
        return text
    standard = text.replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except binascii.Error:
        raise _Wrong(f"is bytes in base64, not {text!r}") from None


def _enum(node: yaml.Node, field: Any) -> int:
    names = field.enum_type.values_by_name
    if node.value in names:
        return int(names[node.value].number)
    try:
        number = int(node.value)
    except ValueError:
        known = ", ".join(names)
        raise _Wrong(f"is one of {known}, not {node.value!r}") from None
    if number not in field.enum_type.values_by_number:
        raise _Wrong(f"has no value {number}")
    return number


_SCALARS: dict[int, Callable[[yaml.Node, FieldDescriptor], Any]] = {
    **dict.fromkeys(_INTEGER, _integer),
    FieldDescriptor.CPPTYPE_DOUBLE: _float,
    FieldDescriptor.CPPTYPE_FLOAT: _float,
    FieldDescriptor.CPPTYPE_BOOL: _bool,
    FieldDescriptor.CPPTYPE_STRING: _string,
    FieldDescriptor.CPPTYPE_ENUM: _enum,
}


class _Reader:
    """Reads one document. `depth` and `_nodes` bound what aliases can blow up, or make endless."""

    def __init__(self) -> None:
        self._nodes = 0

    def _enter(self, depth: int) -> None:
        self._nodes += 1
        if depth > MAX_DEPTH:
            raise _Wrong(f"is nested deeper than {MAX_DEPTH} levels")
        if self._nodes > MAX_NODES:
            raise _Wrong(f"is one value too many: there may be {MAX_NODES} in one file, what aliases repeat included")

    def message(self, node: yaml.Node, message: Any, place: Place, depth: int) -> None:
        """Read a node into a message; what is wrong is reported."""
        try:
            self._enter(depth)
            self._message(node, message, place, depth)
        except _Wrong as wrong:
            place.unreadable(str(wrong))

    def _message(self, node: yaml.Node, message: Any, place: Place, depth: int) -> None:
        name = message.DESCRIPTOR.full_name
        special = _SPECIAL.get(name)
        if special is not None:
            special(self, node, message, place, depth)
            return
        if _WRAPPER.fullmatch(name):
            message.value = self._scalar(node, message.DESCRIPTOR.fields_by_name["value"])
            return
        if not isinstance(node, yaml.MappingNode):
            raise _Wrong(f"is a mapping with the fields of {name}, not {_shape(node)}")
        self._fields(node.value, message, place, depth)

    def _fields(self, items: list[tuple[yaml.Node, yaml.Node]], message: Any, place: Place, depth: int) -> None:
        fields = _fields_by_name(message.DESCRIPTOR)
        seen: set[str] = set()
        for key, node in items:
            field = fields.get(key.value) if isinstance(key, yaml.ScalarNode) else None
            if field is None:
                self._unknown(key, fields, message, place)
                continue
            below = place / field.name
            _mark(key, below)
            if field.name in seen:
                below.error("is given twice")
                continue
            seen.add(field.name)
            if _is_null(node) and not _takes_null(field):
                continue
            oneof = field.containing_oneof
            if oneof is not None and message.WhichOneof(oneof.name) is not None:
                below.error(f"cannot be given beside {message.WhichOneof(oneof.name)}")
                continue
            self._field(node, field, message, below, depth + 1)

    @staticmethod
    def _unknown(key: yaml.Node, fields: dict[str, FieldDescriptor], message: Any, place: Place) -> None:
        name = key.value if isinstance(key, yaml.ScalarNode) else _shape(key)
        below = place / name
        _mark(key, below)
        near = get_close_matches(name, [field.name for field in fields.values()], n=1)
        hint = f"; {near[0]} is one" if near else ""
        below.warn(f"is no field of {message.DESCRIPTOR.full_name}{hint}")

    def _field(self, node: yaml.Node, field: FieldDescriptor, message: Any, place: Place, depth: int) -> None:
        try:
            if not field.is_repeated:
                if field.message_type is None:
                    setattr(message, field.name, self._scalar(node, field))
                else:
                    below = getattr(message, field.name)
                    below.SetInParent()
                    self.message(node, below, place, depth)
            elif field.message_type is not None and field.message_type.GetOptions().map_entry:
                self._map(node, field, getattr(message, field.name), place, depth)
            else:
                self._list(node, field, getattr(message, field.name), place, depth)
        except _Wrong as wrong:
            place.unreadable(str(wrong))

    def _list(self, node: yaml.Node, field: FieldDescriptor, items: Any, place: Place, depth: int) -> None:
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for index, item in enumerate(nodes):
            below = place[index]
            _mark(item, below)
            if field.message_type is not None:
                self.message(item, items.add(), below, depth + 1)
                continue
            try:
                items.append(self._scalar(item, field))
            except _Wrong as wrong:
                below.unreadable(str(wrong))

    def _map(self, node: yaml.Node, field: Any, items: Any, place: Place, depth: int) -> None:
        if not isinstance(node, yaml.MappingNode):
            raise _Wrong(f"is a mapping, not {_shape(node)}")
        entry = field.message_type.fields_by_name
        for key, value in node.value:
            name = self._scalar(key, entry["key"])
            below = place[str(name)]
            _mark(key, below)
            if name in items:
                below.error("is given twice")
            elif entry["value"].message_type is not None:
                self.message(value, items[name], below, depth + 1)
            else:
                items[name] = self._scalar(value, entry["value"])

    def _scalar(self, node: yaml.Node, field: FieldDescriptor) -> Any:
        self._enter(0)
        if not isinstance(node, yaml.ScalarNode):
            raise _Wrong(f"is a single value, not {_shape(node)}")
        return _SCALARS[field.cpp_type](node, field)

    def any(self, node: yaml.Node, message: Any, place: Place, depth: int) -> None:
        """A `google.protobuf.Any`: the fields of a message, and `@type`."""
        if not isinstance(node, yaml.MappingNode):
            raise _Wrong(f"is a mapping with @type, not {_shape(node)}")
        urls = [value.value for key, value in node.value if key.value == "@type"]
        items = [item for item in node.value if item[0].value != "@type"]
        if not items and not urls:
            return
        if len(urls) != 1 or not isinstance(urls[0], str):
            raise _Wrong("needs @type once: type.googleapis.com/ and the name of a message")
        url = urls[0]
        if url.rpartition("/")[2] in TYPED_STRUCTS:
            held = {key.value: value for key, value in items}
            if isinstance(held.get("type_url"), yaml.ScalarNode) and "value" in held:
                url = held["type_url"].value
                items = held["value"].value if isinstance(held["value"], yaml.MappingNode) else []
        found = type_named(url)
        message.type_url = url
        if found is None:
            place.warn(f"the type {url!r} is not known")
            return
        inner = found()
        if inner.DESCRIPTOR.full_name in _SPECIAL or _WRAPPER.fullmatch(inner.DESCRIPTOR.full_name):
            for key, value in items:
                if key.value == "value":
                    self.message(value, inner, place, depth + 1)
        else:
            self._fields(items, inner, place, depth)
        message.value = inner.SerializeToString(deterministic=True)

    def struct(self, node: yaml.Node, message: Any, place: Place, depth: int) -> None:
        """A `google.protobuf.Struct`: any mapping."""
        if not isinstance(node, yaml.MappingNode):
            raise _Wrong(f"is a mapping, not {_shape(node)}")
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _Wrong("has a key that is no text")
            below = place / key.value
            _mark(key, below)
            self.message(value, message.fields[key.value], below, depth + 1)

    def value(self, node: yaml.Node, message: Any, place: Place, depth: int) -> None:
        """A `google.protobuf.Value`: anything."""
        if isinstance(node, yaml.MappingNode):
            message.struct_value.SetInParent()
            self.struct(node, message.struct_value, place, depth)
        elif isinstance(node, yaml.SequenceNode):
            message.list_value.SetInParent()
            self.values(node, message.list_value, place, depth)
        elif _is_null(node):
            message.null_value = 0
        elif node.tag == _BOOL:
            message.bool_value = node.value.lower() in _TRUE
        elif node.tag in (_INT, _FLOAT):
            try:
                message.number_value = float(_number(node.value))
            except (ValueError, OverflowError):  # YAML's other spellings of numbers: 1:30, .inf
                message.string_value = node.value
        else:
            message.string_value = node.value

    def values(self, node: yaml.Node, message: Any, place: Place, depth: int) -> None:
        """A `google.protobuf.ListValue`: any list."""
        if not isinstance(node, yaml.SequenceNode):
            raise _Wrong(f"is a list, not {_shape(node)}")
        for index, item in enumerate(node.value):
            self.message(item, message.values.add(), place[index], depth + 1)

    def duration(self, node: yaml.Node, message: Any, _place: Place, _depth: int) -> None:
        """A `google.protobuf.Duration`: seconds and an s."""
        found = _DURATION.fullmatch(node.value) if isinstance(node, yaml.ScalarNode) else None
        if found is None or int(found[2]) > _MAX_SECONDS:
            raise _Wrong(f"is a duration in seconds, such as 5s or 0.1s, not {_shape(node)}")
        sign = -1 if found[1] else 1
        message.seconds = sign * int(found[2])
        message.nanos = sign * int((found[3] or "").ljust(9, "0"))

    def timestamp(self, node: yaml.Node, message: Any, _place: Place, _depth: int) -> None:
        """A `google.protobuf.Timestamp`, in RFC 3339."""
        try:
            message.FromJsonString(node.value)
        except (ValueError, AttributeError):
            raise _Wrong(f"is a time such as 2026-01-31T12:00:00Z, not {_shape(node)}") from None


def _takes_null(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.full_name == "google.protobuf.Value"


_SPECIAL: dict[str, Callable[[_Reader, yaml.Node, Any, Place, int], None]] = {
    "google.protobuf.Any": _Reader.any,
    "google.protobuf.Struct": _Reader.struct,
    "google.protobuf.Value": _Reader.value,
    "google.protobuf.ListValue": _Reader.values,
    "google.protobuf.Duration": _Reader.duration,
    "google.protobuf.Timestamp": _Reader.timestamp,
}
