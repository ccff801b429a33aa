"""Messages taken out of `google.protobuf.Any`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from metaprotocol.xds.messages import TYPED_STRUCTS, type_named
from metaprotocol.xds.tree import read_struct

if TYPE_CHECKING:
    from google.protobuf.any_pb2 import Any as AnyMessage

    from metaprotocol.xds.problems import Place

__all__ = ["unpack"]


def unpack(packed: AnyMessage, place: Place) -> Any | None:
    """The message in an Any.

    Args:
        packed: The Any. One that holds a TypedStruct gives the message that this holds.
        place: Where it stands; what is wrong with it is reported there.

    Returns:
        The message, or nothing if its type is not known or its bytes are not of that type.
    """
    found = type_named(packed.type_url)
    if found is None:
        place.error(f"the type {packed.type_url!r} is not known")
        return None
    message = found()
    try:
        message.ParseFromString(packed.value)
    except DecodeError:
        place.error(f"is no valid {message.DESCRIPTOR.full_name}")
        return None
    if message.DESCRIPTOR.full_name not in TYPED_STRUCTS:
        return message
    held = type_named(message.type_url)
    if held is None:
        place.error(f"the type {message.type_url!r} is not known")
        return None
    inner = held()
    read_struct(message.value, inner, place)
    return inner
