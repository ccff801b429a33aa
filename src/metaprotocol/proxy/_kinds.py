"""The kinds of configuration that are discovered, and how each is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.service.discovery.v3.discovery_pb2 import Resource as Wrapped
from google.protobuf.message import DecodeError

from metaprotocol.xds.gen.aeraki.meta_protocol_proxy.config.route.v1alpha.route_pb2 import (
    RouteConfiguration as MetaRouteConfiguration,
)

if TYPE_CHECKING:
    from google.protobuf.any_pb2 import Any as AnyMessage

__all__ = ["BY_URL", "CDS", "EDS", "KINDS", "LDS", "RDS", "Kind", "Resource", "opened"]

_PREFIX = "type.googleapis.com/"


@dataclass(frozen=True)
class Kind:
    """A kind of configuration.

    Attributes:
        name: As Envoy abbreviates it.
        what: What one of it is called.
        message: Its message; this is what is asked for.
        every: Whether all there are of it are asked for, rather than some by name.
        name_field: The field with its name.
    """

    name: str
    what: str
    message: type[Any]
    every: bool
    name_field: str = "name"

    @property
    def url(self) -> str:
        """Its type as requests and responses have it."""
        return _PREFIX + str(self.message.DESCRIPTOR.full_name)


@dataclass(frozen=True)
class Resource:
    """One thing that was discovered.

    Attributes:
        name: Its name.
        version: Its version.
        message: The message.
        data: The bytes that it came as, by which it is known again.
    """

    name: str
    version: str
    message: Any
    data: bytes


CDS = Kind("cds", "cluster", Cluster, True)
EDS = Kind("eds", "endpoints", ClusterLoadAssignment, False, "cluster_name")
LDS = Kind("lds", "listener", Listener, True)
RDS = Kind("rds", "routes", RouteConfiguration, False)

KINDS = (CDS, EDS, LDS, RDS)
"""In the order in which they are asked for: who names another comes after it."""

# Route tables may also come as MetaProtocol's own message, by its name and by the short form of it.
_META_URLS = frozenset(
    {
        _PREFIX + MetaRouteConfiguration.DESCRIPTOR.full_name,
        _PREFIX + "aeraki.meta_protocol_proxy.v1alpha.RouteConfiguration",
    }
)
BY_URL = {kind.url: kind for kind in KINDS} | dict.fromkeys(_META_URLS, RDS)
"""Kinds by the types that responses have."""

_WRAPPED = _PREFIX + Wrapped.DESCRIPTOR.full_name


def opened(kind: Kind, packed: AnyMessage, version: str, name: str = "") -> Resource:
    """A resource out of its wrapping.

    Args:
        kind: What it must be.
        packed: What came.
        version: The version of the response.
        name: The name that the response gives it, if it does.

    Raises:
        ValueError: If it is something else, or broken; the text says what.
    """
    if packed.type_url == _WRAPPED:
        wrapped = Wrapped()
        _parse(wrapped, packed)
        return opened(kind, wrapped.resource, wrapped.version or version, wrapped.name)
    if kind is RDS and packed.type_url in _META_URLS:
        message: Any = MetaRouteConfiguration()
    elif packed.type_url == kind.url:
        message = kind.message()
    else:
        raise ValueError(f"has the type {packed.type_url!r}, not {kind.url!r}")
    _parse(message, packed)
    own = getattr(message, kind.name_field)
    if name and own and name != own:
        raise ValueError(f"{kind.name_field}: is {own!r}, but it is sent as {name!r}")
    return Resource(own or name, version, message, packed.type_url.encode() + packed.value)


def _parse(message: Any, packed: AnyMessage) -> None:
    try:
        message.ParseFromString(packed.value)
    except DecodeError:
        raise ValueError(f"is no valid {message.DESCRIPTOR.full_name}") from None
