"""Route tables: MetaProtocol's own, and Envoy's HTTP message, which carries them over discovery.

Of the HTTP message, one virtual host is read whose domains say nothing; its routes' header matchers are tests of
metadata, and the headers that they add are fields that are set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metaprotocol.xds.fields import Fields
from metaprotocol.xds.filters import MATCH, route_filters
from metaprotocol.xds.gen.aeraki.meta_protocol_proxy.config.route.v1alpha import route_pb2 as meta
from metaprotocol.xds.matchers import matchers
from metaprotocol.xds.values import milliseconds, of_million

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envoy.config.core.v3.base_pb2 import HeaderValueOption, RuntimeFractionalPercent
    from envoy.config.route.v3 import route_components_pb2 as http
    from envoy.config.route.v3.route_pb2 import RouteConfiguration
    from google.protobuf.duration_pb2 import Duration

    from metaprotocol.xds.context import Context
    from metaprotocol.xds.problems import Place

__all__ = ["routes"]

_HTTP = "envoy.config.route.v3."
_META = "aeraki.meta_protocol_proxy.config.route.v1alpha."
_ONLY_HTTP = "messages have metadata, and no path"

TABLE = Fields(
    _HTTP + "RouteConfiguration",
    "name virtual_hosts",
    moot={
        "validate_clusters": "a message for a cluster that does not exist is answered with an error",
        "ignore_port_in_host_matching": "domains are not matched",
        "ignore_path_parameters_in_path_matching": _ONLY_HTTP,
    },
    notes={
        "virtual_hosts": "one, whose domains say nothing",
    },
)
VIRTUAL_HOST = Fields(
    _HTTP + "VirtualHost",
    "name routes",
    moot={"domains": "there is one virtual host, for all messages"},
)
ROUTE = Fields(
    _HTTP + "Route",
    "name match route request_headers_to_add response_headers_to_add typed_per_filter_config",
    moot={"metadata": "is for people", "decorator": "spans are named after the message"},
    notes={
        "request_headers_to_add": "fields that are set in requests",
        "response_headers_to_add": "fields that are set in answers",
        "typed_per_filter_config": "what filters read for this route, by the filter's name",
    },
)
ROUTE_MATCH = Fields(
    _HTTP + "RouteMatch",
    "headers",
    moot={"case_sensitive": _ONLY_HTTP},
    because=dict.fromkeys(("prefix", "path", "safe_regex", "path_separated_prefix", "query_parameters"), _ONLY_HTTP),
    notes={
        "headers": "tests of metadata; all must match",
    },
)
ACTION = Fields(
    _HTTP + "RouteAction",
    "cluster cluster_header weighted_clusters hash_policy timeout request_mirror_policies",
    moot={"cluster_not_found_response_code": "the codec says how the error looks"},
    notes={
        "cluster_header": "the metadata key that names the cluster",
        "hash_policy": "metadata keys",
        "timeout": "a request without an answer for so long is answered with an error; never, if unset",
        "request_mirror_policies": "without a fraction, all messages are copied",
    },
)
WEIGHTED = Fields(_HTTP + "WeightedCluster", "clusters", moot={"total_weight": "is the sum of the weights"})
WEIGHT = Fields(_HTTP + "WeightedCluster.ClusterWeight", "name weight")
HASH = Fields(_HTTP + "RouteAction.HashPolicy", "header")
HASH_HEADER = Fields(
    _HTTP + "RouteAction.HashPolicy.Header",
    "header_name",
    notes={
        "header_name": "a metadata key",
    },
)
MIRROR = Fields(_HTTP + "RouteAction.RequestMirrorPolicy", "cluster runtime_fraction")
FRACTION = Fields(
    "envoy.config.core.v3.RuntimeFractionalPercent",
    "default_value",
    because={"runtime_key": "there is no runtime that could change it"},
)
HEADER_OPTION = Fields(
    "envoy.config.core.v3.HeaderValueOption",
    "header append_action",
    moot={"append": "a field is set", "keep_empty_value": "an empty value is set"},
    notes={
        "append_action": "`OVERWRITE_IF_EXISTS_OR_ADD` or unset; others set the field all the same, and are reported",
    },
)
HEADER_VALUE = Fields(
    "envoy.config.core.v3.HeaderValue",
    "key value raw_value",
    notes={
        "value": "taken literally, also what is between `%`",
    },
)

META_TABLE = Fields(_META + "RouteConfiguration", "name routes")
META_ROUTE = Fields(_META + "Route", "name match route request_mutation response_mutation typed_per_filter_config")
META_ACTION = Fields(
    _META + "RouteAction",
    "cluster weighted_clusters cluster_key hash_policy request_mirror_policies timeout",
)
META_MIRROR = Fields(_META + "RequestMirrorPolicy", "cluster runtime_fraction")
KEY_VALUE = Fields(_META + "KeyValue", "key value")

MAX_TEXT = 16384
"""The most bytes of a key or a value of a mutation."""
_OVERWRITE = 2  # HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD
_MAX_WEIGHTS = (1 << 32) - 1


def routes(
    table: RouteConfiguration | meta.RouteConfiguration, place: Place, context: Context
) -> tuple[str, dict[str, Any]]:
    """The name of a route table, and the table as the data path takes it (`RouteTable` of its configuration).

    Args:
        table: `envoy.config.route.v3.RouteConfiguration` or MetaProtocol's own message.
        place: Where it stands.
        context: The clusters and filters that there are.
    """
    if isinstance(table, meta.RouteConfiguration):
        META_TABLE.check(table, place)
        converted = [_meta_route(route, (place / "routes")[index], context) for index, route in enumerate(table.routes)]
    else:
        TABLE.check(table, place)
        converted = []
        if len(table.virtual_hosts) != 1:
            (place / "virtual_hosts").error(f"has {len(table.virtual_hosts)} items, and must have one")
        for index, host in enumerate(table.virtual_hosts[:1]):
            below = (place / "virtual_hosts")[index]
            VIRTUAL_HOST.check(host, below)
            converted += [
                _http_route(route, (below / "routes")[number], context) for number, route in enumerate(host.routes)
            ]
    return table.name, {"routes": [route for route in converted if route is not None]}


def _known_cluster(name: str, context: Context, place: Place) -> str:
    if not name:
        place.error("is needed: the name of a cluster")
    elif context.clusters is not None and name not in context.clusters:
        place.warn(f"there is no cluster {name!r}: its messages are answered with an error")
    return name


def _target(action: Any, kind: str | None, context: Context, place: Place) -> dict[str, Any] | None:
    if kind == "cluster":
        return {"cluster": _known_cluster(action.cluster, context, place / kind)}
    if kind in ("cluster_header", "cluster_key"):
        key = getattr(action, kind)
        if not key:
            (place / kind).error("is needed: the metadata key that names the cluster")
        return {"key": key}
    if kind == "weighted_clusters":
        return _weighted(action.weighted_clusters, context, place / kind)
    place.error("needs cluster or weighted_clusters: where messages go")
    return None


def _weighted(weighted: http.WeightedCluster, context: Context, place: Place) -> dict[str, Any]:
    WEIGHTED.check(weighted, place)
    shares = []
    for index, each in enumerate(weighted.clusters):
        below = (place / "clusters")[index]
        WEIGHT.check(each, below)
        if not each.HasField("weight"):
            (below / "weight").error("is needed")
        shares.append([_known_cluster(each.name, context, below / "name"), each.weight.value])
    total = sum(weight for _, weight in shares)
    if not 0 < total <= _MAX_WEIGHTS:
        (place / "clusters").error(f"has weights whose sum is {total}: it is from 1 to {_MAX_WEIGHTS}")
    return {"weighted": shares}


def _mirrors(policies: Sequence[Any], table: Fields, context: Context, place: Place) -> list[dict[str, Any]]:
    found = []
    for index, policy in enumerate(policies):
        below = place[index]
        table.check(policy, below)
        mirror: dict[str, Any] = {"cluster": _known_cluster(policy.cluster, context, below / "cluster")}
        if policy.HasField("runtime_fraction"):
            mirror["of_million"] = _fraction(policy.runtime_fraction, below / "runtime_fraction")
        found.append(mirror)
    return found


def _fraction(fraction: RuntimeFractionalPercent, place: Place) -> int:
    FRACTION.check(fraction, place)
    return of_million(fraction.default_value, place / "default_value")


def _timeout(duration: Duration, place: Place) -> int | None:
    return milliseconds(duration, place) or None


def _mutation(key: str, value: str, place: Place) -> list[str]:
    if not 1 <= len(key.encode()) <= MAX_TEXT:
        (place / "key").error(f"is 1 to {MAX_TEXT} bytes long")
    if len(value.encode()) > MAX_TEXT:
        (place / "value").error(f"is at most {MAX_TEXT} bytes long")
    return [key, value]


def _headers(options: Sequence[HeaderValueOption], place: Place) -> list[list[str]]:
    found = []
    for index, option in enumerate(options):
        below = place[index]
        HEADER_OPTION.check(option, below)
        HEADER_VALUE.check(option.header, below / "header")
        if option.append_action not in (0, _OVERWRITE):
            (below / "append_action").warn("is not supported: a field is set, whether it was there or not")
        value = option.header.value
        if option.header.raw_value:
            try:
                value = option.header.raw_value.decode()
            except UnicodeDecodeError:
                (below / "header" / "raw_value").error("is no text in UTF-8")
        if "%" in value.replace("%%", ""):
            (below / "header" / "value").warn("is taken literally: it has % in it, but no formatter is used")
        found.append(_mutation(option.header.key, value, below / "header"))
    return found


def _key_values(pairs: Sequence[meta.KeyValue], place: Place) -> list[list[str]]:
    found = []
    for index, pair in enumerate(pairs):
        KEY_VALUE.check(pair, place[index])
        found.append(_mutation(pair.key, pair.value, place[index]))
    return found


def _route(name: str, to: dict[str, Any], parts: dict[str, Any]) -> dict[str, Any]:
    """A route without what is as the data path has it anyway."""
    return {"name": name, "to": to} | {key: value for key, value in parts.items() if value}


def _meta_route(route: meta.Route, place: Place, context: Context) -> dict[str, Any] | None:
    META_ROUTE.check(route, place)
    MATCH.check(route.match, place / "match")
    action, at = route.route, place / "route"
    META_ACTION.check(action, at)
    to = _target(action, action.WhichOneof("cluster_specifier"), context, at)
    parts = {
        "match": matchers(route.match.metadata, place / "match" / "metadata"),
        "timeout": _timeout(action.timeout, at / "timeout"),
        "hash": list(action.hash_policy),
        "mirrors": _mirrors(action.request_mirror_policies, META_MIRROR, context, at / "request_mirror_policies"),
        "request_set": _key_values(route.request_mutation, place / "request_mutation"),
        "response_set": _key_values(route.response_mutation, place / "response_mutation"),
        "filters": route_filters(route.typed_per_filter_config, context, place / "typed_per_filter_config"),
    }
    return None if to is None else _route(route.name, to, parts)


def _http_route(route: http.Route, place: Place, context: Context) -> dict[str, Any] | None:
    ROUTE.check(route, place)
    # What Aeraki sends, as a route must have one.
    slash = route.match.WhichOneof("path_specifier") == "prefix" and route.match.prefix in ("", "/")
    ROUTE_MATCH.check(route.match, place / "match", moot=("prefix",) if slash else ())
    if route.WhichOneof("action") != "route":
        (place / "route").error("is needed: messages can only go to clusters")
        return None
    action, at = route.route, place / "route"
    ACTION.check(action, at)
    to = _target(action, action.WhichOneof("cluster_specifier"), context, at)
    parts = {
        "match": matchers(route.match.headers, place / "match" / "headers"),
        # Envoy's 15 s of HTTP are not meant: what MetaProtocol Proxy forwards has no time limit.
        "timeout": _timeout(action.timeout, at / "timeout"),
        "hash": _hash(action.hash_policy, at / "hash_policy"),
        "mirrors": _mirrors(action.request_mirror_policies, MIRROR, context, at / "request_mirror_policies"),
        "request_set": _headers(route.request_headers_to_add, place / "request_headers_to_add"),
        "response_set": _headers(route.response_headers_to_add, place / "response_headers_to_add"),
        "filters": route_filters(route.typed_per_filter_config, context, place / "typed_per_filter_config"),
    }
    return None if to is None else _route(route.name, to, parts)


def _hash(policies: Sequence[Any], place: Place) -> list[str]:
    keys = []
    for index, policy in enumerate(policies):
        HASH.check(policy, place[index])
        if policy.WhichOneof("policy_specifier") != "header":
            continue
        HASH_HEADER.check(policy.header, place[index] / "header")
        if policy.header.header_name:
            keys.append(policy.header.header_name)
        else:
            (place[index] / "header" / "header_name").error("is needed: the metadata key")
    return keys
