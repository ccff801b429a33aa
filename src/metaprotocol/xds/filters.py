"""Filters of the chain, and what they read of the listener's and of a route's configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format

from metaprotocol.xds.fields import Fields
from metaprotocol.xds.gen.aeraki.meta_protocol_proxy.filters.istio_stats.v1alpha.istio_stats_pb2 import IstioStats
from metaprotocol.xds.gen.aeraki.meta_protocol_proxy.filters.local_ratelimit.v1alpha.local_ratelimit_pb2 import (
    LocalRateLimit,
)
from metaprotocol.xds.gen.aeraki.meta_protocol_proxy.filters.metadata_exchange.v1alpha.metadata_exchange_pb2 import (
    MetadataExchange,
)
from metaprotocol.xds.gen.aeraki.meta_protocol_proxy.filters.ratelimit.v1alpha.ratelimit_pb2 import RateLimit
from metaprotocol.xds.matchers import matchers
from metaprotocol.xds.sources import grpc_target
from metaprotocol.xds.unpack import unpack
from metaprotocol.xds.values import milliseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from envoy.type.v3.token_bucket_pb2 import TokenBucket
    from google.protobuf.any_pb2 import Any as AnyMessage

    from metaprotocol.xds.context import Context
    from metaprotocol.xds.gen.aeraki.meta_protocol_proxy.config.route.v1alpha.route_pb2 import RouteMatch
    from metaprotocol.xds.gen.aeraki.meta_protocol_proxy.v1alpha.meta_protocol_proxy_pb2 import MetaProtocolFilter
    from metaprotocol.xds.problems import Place

__all__ = ["FILTER_PREFIX", "ROUTER", "filter_chain", "route_filters"]

FILTER_PREFIX = "aeraki.meta_protocol.filters."
ROUTER = FILTER_PREFIX + "router"
_PACKAGE = "aeraki.meta_protocol_proxy.filters."

FILTER = Fields(
    "aeraki.meta_protocol_proxy.v1alpha.MetaProtocolFilter",
    "name config",
    notes={
        "name": "the router ends the chain; filters that a program gives the proxy run; others are reported",
    },
)
MATCH = Fields("aeraki.meta_protocol_proxy.config.route.v1alpha.RouteMatch", "metadata")
BUCKET = Fields("envoy.type.v3.TokenBucket", "max_tokens tokens_per_fill fill_interval")
LOCAL = Fields(_PACKAGE + "local_ratelimit.v1alpha.LocalRateLimit", "stat_prefix token_bucket conditions")
CONDITION = Fields(_PACKAGE + "local_ratelimit.v1alpha.LocalRateLimitCondition", "match token_bucket")
GLOBAL = Fields(
    _PACKAGE + "ratelimit.v1alpha.RateLimit",
    "match domain timeout failure_mode_deny rate_limit_service descriptors",
)
SERVICE = Fields(
    "envoy.config.ratelimit.v3.RateLimitServiceConfig",
    "grpc_service",
    moot={"transport_api_version": "V3 is the only one"},
)
DESCRIPTOR = Fields(_PACKAGE + "ratelimit.v1alpha.Descriptor", "property descriptor_key")
ISTIO_STATS = Fields(_PACKAGE + "istio_stats.v1alpha.IstioStats", "destination_service")
METADATA_EXCHANGE = Fields(_PACKAGE + "metadata_exchange.v1alpha.MetadataExchange")
ROUTER_CONFIG = Fields(_PACKAGE + "router.v1alpha.Router")

# What is waited for a rate limit service where nothing else is said.
_RATE_LIMIT_TIMEOUT = 20
# MetaProtocol Proxy refuses shorter ones.
_SHORTEST_FILL = 50


@dataclass(frozen=True)
class _Known:
    """How one filter's message is converted."""

    message: type[Any]
    convert: Callable[[Any, str, Place], dict[str, Any]]


def _match(match: RouteMatch, place: Place) -> list[dict[str, Any]]:
    MATCH.check(match, place)
    return matchers(match.metadata, place / "metadata")


def _bucket(bucket: TokenBucket, place: Place) -> dict[str, int]:
    BUCKET.check(bucket, place)
    interval = milliseconds(bucket.fill_interval, place / "fill_interval")
    if not bucket.max_tokens:
        (place / "max_tokens").error("is at least 1")
    if interval < _SHORTEST_FILL:
        (place / "fill_interval").error(f"is at least {_SHORTEST_FILL} ms")
    per_fill = bucket.tokens_per_fill.value if bucket.HasField("tokens_per_fill") else 1
    if not per_fill:
        (place / "tokens_per_fill").error("is at least 1")
    return {"max_tokens": bucket.max_tokens, "tokens_per_fill": per_fill, "fill_interval": interval}


def _local_ratelimit(config: LocalRateLimit, _: str, place: Place) -> dict[str, Any]:
    LOCAL.check(config, place)
    if not config.stat_prefix:
        (place / "stat_prefix").error("is needed")
    if not config.HasField("token_bucket") and not config.conditions:
        place.error("needs a token_bucket, or conditions")
    found: dict[str, Any] = {"stat_prefix": config.stat_prefix, "conditions": []}
    if config.HasField("token_bucket"):
        found["token_bucket"] = _bucket(config.token_bucket, place / "token_bucket")
    for index, condition in enumerate(config.conditions):
        below = (place / "conditions")[index]
        CONDITION.check(condition, below)
        for needed in ("match", "token_bucket"):
            if not condition.HasField(needed):
                (below / needed).error("is needed")
        match = _match(condition.match, below / "match")
        if condition.HasField("token_bucket"):
            found["conditions"].append(
                {"match": match, "token_bucket": _bucket(condition.token_bucket, below / "token_bucket")}
            )
    return found


def _ratelimit(config: RateLimit, _: str, place: Place) -> dict[str, Any]:
    GLOBAL.check(config, place)
    if not config.domain:
        (place / "domain").error("is needed")
    if not config.descriptors:
        (place / "descriptors").error("needs one at least")
    descriptors = []
    for index, descriptor in enumerate(config.descriptors):
        below = (place / "descriptors")[index]
        DESCRIPTOR.check(descriptor, below)
        for needed in ("property", "descriptor_key"):
            if not getattr(descriptor, needed):
                (below / needed).error("is needed")
        descriptors.append([descriptor.property, descriptor.descriptor_key])
    service = place / "rate_limit_service"
    cluster = ""
    if not config.HasField("rate_limit_service"):
        service.error("is needed")
    else:
        SERVICE.check(config.rate_limit_service, service)
        target = grpc_target(config.rate_limit_service.grpc_service, service / "grpc_service")
        cluster = target.cluster if target is not None else ""
        if target is not None and not cluster:
            (service / "grpc_service").error("needs envoy_grpc with the name of a cluster")
    timeout = _RATE_LIMIT_TIMEOUT
    if config.HasField("timeout"):
        timeout = milliseconds(config.timeout, place / "timeout")
    return {
        "match": _match(config.match, place / "match"),
        "domain": config.domain,
        "timeout": timeout,
        "deny_on_failure": config.failure_mode_deny,
        "cluster": cluster,
        "descriptors": descriptors,
    }


def _istio_stats(config: IstioStats, direction: str, place: Place) -> dict[str, Any]:
    ISTIO_STATS.check(config, place)
    return {"direction": direction, "destination_service": config.destination_service}


def _metadata_exchange(config: MetadataExchange, direction: str, place: Place) -> dict[str, Any]:
    METADATA_EXCHANGE.check(config, place)
    return {"direction": direction}


_KNOWN = {
    FILTER_PREFIX + "istio_stats": _Known(IstioStats, _istio_stats),
    FILTER_PREFIX + "local_ratelimit": _Known(LocalRateLimit, _local_ratelimit),
    FILTER_PREFIX + "metadata_exchange": _Known(MetadataExchange, _metadata_exchange),
    FILTER_PREFIX + "ratelimit": _Known(RateLimit, _ratelimit),
}


def _whole(value: Any) -> Any:
    """JSON with whole numbers as such: a Struct has floating point alone, which does not read as a count."""
    if isinstance(value, dict):
        return {key: _whole(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_whole(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _config(name: str, packed: AnyMessage | None, direction: str, place: Place) -> Any:
    """What a filter reads, as JSON. Of a filter that is not known here: its message in protobuf's JSON."""
    known = _KNOWN.get(name)
    message = unpack(packed, place) if packed is not None and packed.type_url else None
    if known is None:
        if message is None:
            return None
        try:
            return _whole(json_format.MessageToDict(message, preserving_proto_field_name=True))
        # Numbers that are none, times out of range, an Any of a type that is not known.
        except (json_format.Error, TypeError, ValueError) as error:
            place.error(f"cannot be written as JSON: {error}")
            return None
    if message is None:
        if packed is not None and packed.type_url:
            return None
        message = known.message()
    if not isinstance(message, known.message):
        place.error(f"is a {message.DESCRIPTOR.full_name}; {name} reads {known.message.DESCRIPTOR.full_name}")
        return None
    return known.convert(message, direction, place)


def filter_chain(
    filters: Sequence[MetaProtocolFilter], direction: str, context: Context, place: Place
) -> list[dict[str, Any]]:
    """The filters before the router, as the data path takes them (`FilterConfig` of its configuration).

    Args:
        filters: The chain; an empty one is the router alone.
        direction: `inbound`, `outbound` or `unspecified`: filters are told the listener's.
        context: Which filters there are.
        place: Where they stand.
    """
    found: list[dict[str, Any]] = []
    routed = False
    for index, each in enumerate(filters):
        below = place[index]
        FILTER.check(each, below)
        if not each.name:
            (below / "name").error("is needed")
        elif routed:
            below.warn("is not used: the router before it ends the chain")
        elif each.name == ROUTER:
            routed = True
            if each.config.type_url:
                message = unpack(each.config, below / "config")
                if message is not None and message.DESCRIPTOR.full_name == ROUTER_CONFIG.message:
                    ROUTER_CONFIG.check(message, below / "config")
        else:
            if context.filters is not None and each.name not in context.filters:
                below.warn(f"is not supported, and has no effect: there is no filter {each.name}")
                continue
            config = _config(each.name, each.config if each.HasField("config") else None, direction, below / "config")
            found.append({"name": each.name} if config is None else {"name": each.name, "config": config})
    if filters and not routed:
        place.warn(f"does not end with {ROUTER}: it is added")
    return found


def route_filters(configs: Mapping[str, AnyMessage], context: Context, place: Place) -> dict[str, Any]:
    """What filters read for one route, by their names."""
    found = {}
    for name in sorted(configs):
        below = place[name]
        if context.filters is not None and name not in context.filters:
            below.warn(f"is not supported, and has no effect: there is no filter {name}")
            continue
        config = _config(name, configs[name], "unspecified", below)
        if config is not None:
            found[name] = config
    return found
