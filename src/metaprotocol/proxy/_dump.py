"""Messages as the JSON that Envoy's admin port shows."""

from __future__ import annotations

import base64
import json
from typing import Any

from google.protobuf import json_format
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError
from google.protobuf.struct_pb2 import Struct
from udpa.annotations.sensitive_pb2 import sensitive

from metaprotocol.xds.messages import type_named

__all__ = ["as_dict", "as_json", "packed"]

REDACTED = "[redacted]"


def packed(message: Any) -> AnyMessage:
    """A message in an Any."""
    found = AnyMessage()
    found.Pack(message)
    return found


def as_dict(message: Any) -> dict[str, Any]:
    """A message as JSON has it, with the fields' own names. Secrets are hidden.

    What has a type that is not known here is shown as bytes in base64.
    """
    shown = type(message)()
    shown.CopyFrom(message)
    _prepare(shown)
    found: dict[str, Any] = json_format.MessageToDict(shown, preserving_proto_field_name=True)
    return found


def as_json(message: Any) -> str:
    """The text of `as_dict`."""
    return json.dumps(as_dict(message), indent=1) + "\n"


def _prepare(message: Any) -> None:
    if isinstance(message, AnyMessage):
        _prepare_any(message)
        return
    for field, value in message.ListFields():
        hidden = field.GetOptions().Extensions[sensitive]
        if hidden and field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES):
            _hide(message, field)
        elif field.message_type is None:
            continue
        elif hidden:
            _hide_all(message, field)
        elif field.message_type.GetOptions().map_entry:
            if field.message_type.fields_by_name["value"].message_type is not None:
                for item in value.values():
                    _prepare(item)
        elif isinstance(value, (list, tuple)) or hasattr(value, "add"):
            for item in value:
                _prepare(item)
        else:
            _prepare(value)


def _hide(message: Any, field: FieldDescriptor) -> None:
    blind: Any = REDACTED if field.type == FieldDescriptor.TYPE_STRING else REDACTED.encode()
    value = getattr(message, field.name)
    if isinstance(value, (str, bytes)):
        setattr(message, field.name, blind)
    else:
        value[:] = [blind] * len(value)


def _hide_all(message: Any, field: FieldDescriptor) -> None:
    """A DataSource and the like: whatever text or bytes are in it."""
    value = getattr(message, field.name)
    for item in value if hasattr(value, "add") else [value]:
        for inner, _ in item.ListFields():
            # A file's name is no secret.
            if inner.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES) and inner.name != "filename":
                _hide(item, inner)


def _prepare_any(message: AnyMessage) -> None:
    found = type_named(message.type_url)
    if found is not None:
        inner = found()
        try:
            inner.ParseFromString(message.value)
        except DecodeError:
            found = None
        else:
            _prepare(inner)
            message.value = inner.SerializeToString()
    if found is None:
        unknown = Struct()
        unknown["type_url"] = message.type_url
        unknown["value"] = base64.b64encode(message.value).decode()
        message.Pack(unknown)
