"""Message types by their names, as `google.protobuf.Any` gives them."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Any

from google.protobuf import (
    any_pb2,
    descriptor_pool,
    duration_pb2,
    empty_pb2,
    message_factory,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)

__all__ = ["TYPED_STRUCTS", "type_named"]

TYPED_STRUCTS = frozenset({"udpa.type.v1.TypedStruct", "xds.type.v3.TypedStruct"})
"""Messages that hold another as JSON; this is how Aeraki sends filters."""

# Importing them makes protobuf's own types known.
_OF_PROTOBUF = (any_pb2, duration_pb2, empty_pb2, struct_pb2, timestamp_pb2, wrappers_pb2)

# The packages whose modules are imported because a configuration names a type: of Envoy, and ours.
_ROOTS = {
    "aeraki": "metaprotocol.xds.gen.aeraki",
    "envoy": "envoy",
    "metaprotocol": "metaprotocol.xds.gen.metaprotocol",
    "udpa": "udpa",
    "xds": "xds",
}


def type_named(name: str) -> type[Any] | None:
    """The class of a message type.

    Args:
        name: Its full name, such as `envoy.config.cluster.v3.Cluster`, or a URL that ends in it.

    Returns:
        The class, or nothing if the type is not known here.
    """
    name = name.rpartition("/")[2]
    pool = descriptor_pool.Default()
    try:
        descriptor = pool.FindMessageTypeByName(name)
    except KeyError:
        if not _import_package_of(name):
            return None
        try:
            descriptor = pool.FindMessageTypeByName(name)
        except KeyError:
            return None
    return message_factory.GetMessageClass(descriptor)


def _import_package_of(name: str) -> bool:
    """Import the modules of a type's package: which of them has it cannot be told from its name."""
    root, *rest = name.split(".")
    if root not in _ROOTS or not all(part.isidentifier() for part in rest):
        return False
    package = ".".join([_ROOTS[root], *(part for part in rest if not part[0].isupper())])
    try:
        found = import_module(package)
    except ModuleNotFoundError:
        return False
    for module in pkgutil.iter_modules(getattr(found, "__path__", ()), f"{package}."):
        if module.name.endswith("_pb2"):
            import_module(module.name)
    return True
