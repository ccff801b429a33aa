"""Where configuration is discovered: `ConfigSource`."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from metaprotocol.xds.fields import Fields
from metaprotocol.xds.values import milliseconds

if TYPE_CHECKING:
    from envoy.config.core.v3.config_source_pb2 import ApiConfigSource, ConfigSource
    from envoy.config.core.v3.grpc_service_pb2 import GrpcService

    from metaprotocol.xds.problems import Place

__all__ = ["INITIAL_FETCH_TIMEOUT", "GrpcTarget", "Source", "SourceKind", "ads_source", "grpc_target", "source"]

INITIAL_FETCH_TIMEOUT = 15_000
"""How long is waited for a first answer where nothing else is said, in milliseconds."""

SOURCE = Fields(
    "envoy.config.core.v3.ConfigSource",
    "path path_config_source api_config_source ads self initial_fetch_timeout resource_api_version",
    because={"authorities": "names of resources are plain"},
    notes={
        "path_config_source": "a file with a `DiscoveryResponse`, read again when it changes",
        "initial_fetch_timeout": "15 s, if unset; 0 for ever",
        "resource_api_version": "V3",
    },
)
PATH = Fields("envoy.config.core.v3.PathConfigSource", "path", because={"watched_directory": "the file is watched"})
API = Fields(
    "envoy.config.core.v3.ApiConfigSource",
    "api_type transport_api_version grpc_services set_node_on_first_message_only",
    moot={"request_timeout": "is for REST", "refresh_delay": "is for REST"},
    notes={
        "api_type": "`GRPC` or `DELTA_GRPC`; in `ads_config` the aggregated ones too",
        "grpc_services": "the first one is asked",
    },
)
GRPC = Fields("envoy.config.core.v3.GrpcService", "envoy_grpc google_grpc timeout initial_metadata")
ENVOY_GRPC = Fields(
    "envoy.config.core.v3.GrpcService.EnvoyGrpc",
    "cluster_name authority",
    notes={
        "cluster_name": "a cluster of the file, with its hosts in it",
    },
)
GOOGLE_GRPC = Fields(
    "envoy.config.core.v3.GrpcService.GoogleGrpc",
    "target_uri",
    moot={"stat_prefix": "there are no counters of the channel", "credentials_factory_name": "is Google's"},
    refused=dict.fromkeys(("channel_credentials", "call_credentials"), "name a cluster with envoy_grpc instead"),
)
_V3 = 2
_API_TYPES = {2: "GRPC", 3: "DELTA_GRPC", 5: "AGGREGATED_GRPC", 6: "AGGREGATED_DELTA_GRPC"}


class SourceKind(enum.Enum):
    """How a source is asked."""

    ADS = "ads"
    """With everything else, over the one stream of `dynamic_resources.ads_config`."""
    GRPC = "grpc"
    """Over a stream of its own."""
    PATH = "path"
    """A file, read again whenever it changes."""


@dataclass(frozen=True)
class GrpcTarget:
    """Who is called over gRPC.

    Attributes:
        cluster: The cluster, or empty.
        uri: The target in gRPC's own terms, or empty.
        authority: What is sent as `:authority`, or empty for what gRPC takes.
        timeout: How long an answer may take, in milliseconds; none for ever.
        metadata: What is sent along with the call.
    """

    cluster: str = ""
    uri: str = ""
    authority: str = ""
    timeout: int | None = None
    metadata: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Source:
    """Where a kind of configuration comes from.

    Attributes:
        kind: How it is asked.
        target: Who is asked over gRPC.
        delta: Whether changes alone are asked for, rather than the whole state.
        path: The file, where it is one.
        initial_fetch_timeout: How long is waited for the first answer, in milliseconds; 0 for ever.
        node_on_first_only: Whether the node is sent in the first request of a stream alone.
    """

    kind: SourceKind
    target: GrpcTarget | None = None
    delta: bool = False
    path: str = ""
    initial_fetch_timeout: int = INITIAL_FETCH_TIMEOUT
    node_on_first_only: bool = False


def grpc_target(service: GrpcService, place: Place) -> GrpcTarget | None:
    """Who a service is; nothing, after a report, if nobody is named."""
    GRPC.check(service, place)
    timeout = milliseconds(service.timeout, place / "timeout") if service.HasField("timeout") else None
    metadata = tuple((header.key, header.value) for header in service.initial_metadata)
    kind = service.WhichOneof("target_specifier")
    if kind == "envoy_grpc":
        ENVOY_GRPC.check(service.envoy_grpc, place / "envoy_grpc")
        if service.envoy_grpc.cluster_name:
            authority = service.envoy_grpc.authority
            return GrpcTarget(service.envoy_grpc.cluster_name, "", authority, timeout, metadata)
        (place / "envoy_grpc" / "cluster_name").error("is needed")
    elif kind == "google_grpc":
        GOOGLE_GRPC.check(service.google_grpc, place / "google_grpc")
        if service.google_grpc.target_uri:
            return GrpcTarget("", service.google_grpc.target_uri, "", timeout, metadata)
        (place / "google_grpc" / "target_uri").error("is needed")
    else:
        place.error("needs envoy_grpc with the name of a cluster")
    return None


def _api(api: ApiConfigSource, place: Place, *, aggregated: bool) -> tuple[GrpcTarget, bool, bool] | None:
    """Target, delta, and whether the node is sent once."""
    API.check(api, place)
    if api.transport_api_version not in (0, _V3):
        (place / "transport_api_version").error("is not supported: V3 is")
    kind = _API_TYPES.get(api.api_type, "")
    # In ads_config, GRPC means the aggregated stream.
    if not kind or (kind.startswith("AGGREGATED") and not aggregated):
        (place / "api_type").error("is not supported: GRPC and DELTA_GRPC are")
        return None
    if not api.grpc_services:
        (place / "grpc_services").error("needs one service")
        return None
    for index in range(1, len(api.grpc_services)):
        (place / "grpc_services")[index].warn("is not used: the first one is asked")
    target = grpc_target(api.grpc_services[0], (place / "grpc_services")[0])
    return None if target is None else (target, "DELTA" in kind, api.set_node_on_first_message_only)


def ads_source(api: ApiConfigSource, place: Place) -> Source | None:
    """The source of the aggregated stream; nothing, after a report, if it cannot be used."""
    found = _api(api, place, aggregated=True)
    if found is None:
        return None
    target, delta, once = found
    return Source(SourceKind.ADS, target, delta, node_on_first_only=once)


def source(config: ConfigSource, place: Place) -> Source | None:
    """Where a kind of configuration comes from; nothing, after a report, if that cannot be used.

    Sources of kind ADS have no target here: it is that of the bootstrap's `ads_config`.
    """
    SOURCE.check(config, place)
    if config.resource_api_version not in (0, _V3):
        (place / "resource_api_version").error("is not supported: V3 is")
    timeout = INITIAL_FETCH_TIMEOUT
    if config.HasField("initial_fetch_timeout"):
        timeout = milliseconds(config.initial_fetch_timeout, place / "initial_fetch_timeout")
    kind = config.WhichOneof("config_source_specifier")
    if kind in ("ads", "self"):
        return Source(SourceKind.ADS, initial_fetch_timeout=timeout)
    if kind == "api_config_source":
        found = _api(config.api_config_source, place / kind, aggregated=False)
        if found is None:
            return None
        target, delta, once = found
        return Source(SourceKind.GRPC, target, delta, "", timeout, once)
    if kind == "path_config_source":
        PATH.check(config.path_config_source, place / kind)
        path = config.path_config_source.path
    elif kind == "path":
        path = config.path
    else:
        place.error("needs ads, api_config_source or path_config_source")
        return None
    if not path:
        (place / kind).error("needs a path")
        return None
    return Source(SourceKind.PATH, path=path, initial_fetch_timeout=timeout)
