"""Clusters: what the data path takes, and what discovery needs beside it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from metaprotocol.xds.balance import balancing
from metaprotocol.xds.fields import Fields
from metaprotocol.xds.health import HealthCheck, health_checks
from metaprotocol.xds.hosts import UNIX, hosts, named_hosts
from metaprotocol.xds.sockets import is_plain
from metaprotocol.xds.sources import Source, source
from metaprotocol.xds.unpack import unpack
from metaprotocol.xds.values import is_ip, milliseconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envoy.config.cluster.v3 import cluster_pb2 as envoy
    from envoy.config.cluster.v3.circuit_breaker_pb2 import CircuitBreakers
    from envoy.config.cluster.v3.outlier_detection_pb2 import OutlierDetection

    from metaprotocol.xds.context import Context
    from metaprotocol.xds.problems import Place

__all__ = ["Cluster", "ClusterKind", "Dns", "cluster", "localities"]

_NO_DNS_SETTINGS = "names are resolved by the system's resolver"
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

CLUSTER = Fields(
    "envoy.config.cluster.v3.Cluster",
    "name type eds_cluster_config connect_timeout lb_policy load_assignment health_checks"
    " max_requests_per_connection circuit_breakers common_http_protocol_options http2_protocol_options"
    " typed_extension_protocol_options dns_refresh_rate dns_failure_refresh_rate respect_dns_ttl dns_lookup_family"
    " outlier_detection ring_hash_lb_config maglev_lb_config least_request_lb_config round_robin_lb_config"
    " original_dst_lb_config cleanup_interval common_lb_config transport_socket transport_socket_matches"
    " load_balancing_policy ignore_health_on_host_removal",
    moot={
        "metadata": "is for people",
        "http_protocol_options": "is for HTTP",
        "upstream_http_protocol_options": "is for HTTP",
        "protocol_selection": "is for HTTP",
    },
    refused={"cluster_type": "the kinds of type are"},
    because={
        **dict.fromkeys(
            ("dns_resolvers", "dns_resolution_config", "typed_dns_resolver_config", "use_tcp_for_dns_lookups"),
            _NO_DNS_SETTINGS,
        ),
        "per_connection_buffer_limit_bytes": "a connection to a host holds as much as those of the listeners",
        "lb_subset_config": "all hosts of the cluster are used",
        "filters": "connections to hosts have no filters",
    },
    notes={
        "type": "all of them",
        "connect_timeout": "5 s, if unset",
        "max_requests_per_connection": "a connection to a host is closed after so many",
        "http2_protocol_options": "the cluster is one of gRPC; `max_concurrent_streams` is for any protocol",
        "common_http_protocol_options": "for any protocol",
        "typed_extension_protocol_options": f"those of `{_HTTP_OPTIONS}`; others are reported",
        "dns_lookup_family": "all of them",
        "transport_socket": "`raw_buffer`; [TLS](#tls-to-a-control-plane) where configuration is discovered through"
        " the cluster. No message goes to hosts that want TLS",
        "transport_socket_matches": "plain ones",
    },
)
EDS = Fields("envoy.config.cluster.v3.Cluster.EdsClusterConfig", "eds_config service_name")
REFRESH = Fields("envoy.config.cluster.v3.Cluster.RefreshRate", "base_interval max_interval")
ORIGINAL_DST = Fields("envoy.config.cluster.v3.Cluster.OriginalDstLbConfig")
BREAKERS = Fields("envoy.config.cluster.v3.CircuitBreakers", "thresholds")
THRESHOLDS = Fields(
    "envoy.config.cluster.v3.CircuitBreakers.Thresholds",
    "priority max_connections max_pending_requests max_requests max_retries",
    moot={"track_remaining": "all figures are kept"},
    notes={
        "priority": "`DEFAULT` counts; no message is of priority `HIGH`",
        "max_pending_requests": "requests that wait for a connection",
        "max_requests": "requests under way on connections that clients share",
    },
)
_STATISTICS = "hosts are left out for failures in a row"
OUTLIERS = Fields(
    "envoy.config.cluster.v3.OutlierDetection",
    "consecutive_5xx interval base_ejection_time max_ejection_time max_ejection_percent enforcing_consecutive_5xx"
    " split_external_local_origin_errors consecutive_local_origin_failure enforcing_consecutive_local_origin_failure"
    " always_eject_one_host",
    because=dict.fromkeys(
        (
            "enforcing_success_rate",
            "enforcing_local_origin_success_rate",
            "enforcing_failure_percentage",
            "enforcing_failure_percentage_local_origin",
            "consecutive_gateway_failure",
            "enforcing_consecutive_gateway_failure",
        ),
        _STATISTICS,
    ),
    moot=dict.fromkeys(
        (
            "success_rate_minimum_hosts",
            "success_rate_request_volume",
            "success_rate_stdev_factor",
            "failure_percentage_threshold",
            "failure_percentage_minimum_hosts",
            "failure_percentage_request_volume",
        ),
        _STATISTICS,
    ),
    notes={
        "consecutive_5xx": "answers that are errors, and connections that fail or end, in a row",
        "enforcing_consecutive_5xx": "0 or 100",
        "enforcing_consecutive_local_origin_failure": "0 or 100",
    },
)
HTTP = Fields(_HTTP_OPTIONS, "common_http_protocol_options explicit_http_config")
EXPLICIT = Fields(
    _HTTP_OPTIONS + ".ExplicitHttpConfig", "http2_protocol_options", moot={"http_protocol_options": "is for HTTP"}
)
HTTP_COMMON = Fields(
    "envoy.config.core.v3.HttpProtocolOptions",
    "idle_timeout max_requests_per_connection",
    notes={
        "idle_timeout": "a connection to a host without requests for so long is closed; never, if unset",
    },
)
HTTP2 = Fields(
    "envoy.config.core.v3.Http2ProtocolOptions",
    "max_concurrent_streams",
    notes={
        "max_concurrent_streams": "most requests under way on one connection that clients share; one more opens"
        " another; 1024, if unset",
    },
)
SOCKET_MATCH = Fields(
    "envoy.config.cluster.v3.Cluster.TransportSocketMatch", "name transport_socket", moot={"match": "all are the same"}
)

_CONNECT_TIMEOUT = 5000
_DNS_REFRESH = 5000
_FAMILIES = ("auto", "v4", "v6", "v4_preferred", "all")


class ClusterKind(enum.Enum):
    """Where a cluster's hosts come from."""

    STATIC = "static"
    STRICT_DNS = "strict_dns"
    """All addresses of the names."""
    LOGICAL_DNS = "logical_dns"
    """The first address of the one name."""
    EDS = "eds"
    """Discovery."""
    ORIGINAL_DST = "original_dst"
    """Where the client wanted to go before it was redirected."""


# By the numbers of Envoy's DiscoveryType.
_KINDS = tuple(ClusterKind)


@dataclass(frozen=True)
class Dns:
    """How names are resolved. Times are in milliseconds.

    Attributes:
        refresh: How long an answer is good for.
        failure_refresh: How long after a failure it is tried again: from the first to the second, growing.
        respect_ttl: Whether what the answer says of its own life goes before `refresh`.
        family: `auto` (addresses of IPv6, or else of IPv4), `v4`, `v6`, `v4_preferred` or `all`.
    """

    refresh: int = _DNS_REFRESH
    failure_refresh: tuple[int, int] = (_DNS_REFRESH, _DNS_REFRESH)
    respect_ttl: bool = False
    family: str = "auto"


@dataclass(frozen=True)
class Cluster:
    """A cluster.

    Attributes:
        name: Its name.
        kind: Where its hosts come from.
        config: What the data path takes (`Cluster` of its configuration); with hosts, if it is static.
        assignment: The hosts that it begins with, as `hosts` gives them: names, where they are resolved.
        service_name: What its hosts are called in discovery.
        source: Where they are discovered.
        dns: How names are resolved.
        health_checks: How hosts are asked whether they are well.
        zone_aware: What `localities` completes, if zones are heeded.
        hash_by_hostname: What `hosts` must know to read discovered ones.
        ignore_health_on_removal: Whether hosts that discovery takes away go at once, well or not.
        http2: Whether it is meant for gRPC.
        transport_socket: The socket that is asked for, if it is not a plain one.
        pipes: Whether it has hosts that are Unix sockets.
        message: The message it was read from.
    """

    name: str
    kind: ClusterKind
    config: dict[str, Any]
    assignment: dict[str, Any] | None
    service_name: str
    source: Source | None
    dns: Dns
    health_checks: tuple[HealthCheck, ...]
    zone_aware: dict[str, Any] | None
    hash_by_hostname: bool
    ignore_health_on_removal: bool
    http2: bool
    transport_socket: Any
    pipes: bool
    message: Any

    @property
    def for_discovery(self) -> bool:
        """Whether only discovery can reach its hosts, so that the data path does not get it."""
        return self.pipes or self.transport_socket is not None


def cluster(message: envoy.Cluster, place: Place, context: Context) -> Cluster:
    """Read a cluster.

    Args:
        message: `envoy.config.cluster.v3.Cluster`.
        place: Where it stands; if an error is reported there, the cluster must not be used.
        context: The codecs and the local cluster.
    """
    CLUSTER.check(message, place)
    if not message.name:
        (place / "name").error("is needed")
    kind = _KINDS[message.type] if 0 <= message.type < len(_KINDS) else ClusterKind.STATIC
    if _KINDS.index(kind) != message.type:
        (place / "type").error(f"has no value {message.type}")
    picked = balancing(message, context, place)
    config: dict[str, Any] = dict(picked.config)
    _original_dst(message, kind, picked.provided, config, place)
    if message.HasField("connect_timeout"):
        config["connect_timeout"] = milliseconds(message.connect_timeout, place / "connect_timeout")
        if not config["connect_timeout"]:
            (place / "connect_timeout").error("is more than 0")
    http2 = _connections(message, config, place)
    if message.HasField("circuit_breakers"):
        _thresholds(message.circuit_breakers, config, place / "circuit_breakers")
    if message.HasField("outlier_detection"):
        config["outliers"] = _outliers(message.outlier_detection, place / "outlier_detection")
    assignment = None
    if message.HasField("load_assignment"):
        at = place / "load_assignment"
        assignment = hosts(message.load_assignment, at, hash_by_hostname=picked.hash_by_hostname, pipes=True)
    _check_hosts(kind, assignment, place)
    if kind is ClusterKind.STATIC:
        config["hosts"] = assignment
    found_source = None
    if message.HasField("eds_cluster_config"):
        at = place / "eds_cluster_config"
        EDS.check(message.eds_cluster_config, at)
        if kind is not ClusterKind.EDS:
            at.error("is for clusters of type EDS")
        found_source = source(message.eds_cluster_config.eds_config, at / "eds_config")
    elif kind is ClusterKind.EDS:
        (place / "eds_cluster_config").error("is needed: where the hosts are discovered")
    return Cluster(
        name=message.name,
        kind=kind,
        config=config,
        assignment=assignment,
        service_name=message.eds_cluster_config.service_name or message.name,
        source=found_source,
        dns=_dns(message, place),
        health_checks=health_checks(message.health_checks, place / "health_checks", context),
        zone_aware=picked.zone_aware,
        hash_by_hostname=picked.hash_by_hostname,
        ignore_health_on_removal=message.ignore_health_on_host_removal,
        http2=http2,
        transport_socket=_transport_socket(message, place),
        pipes=any(
            host["address"].startswith(UNIX)
            for locality in _groups(assignment or {"priorities": []})
            for host in locality["hosts"]
        ),
        message=message,
    )


def localities(
    cluster: Cluster, where: Sequence[str], peers: Mapping[tuple[str, str, str], tuple[int, int]]
) -> dict[str, Any]:
    """How localities share the traffic of a cluster that heeds zones (`Localities` of the data path's configuration).

    Args:
        cluster: A cluster with `zone_aware`.
        where: The region, zone and sub-zone of this proxy.
        peers: How many proxies like this one there are in each place, and how many of them are healthy.
    """
    counted = [
        {"place": list(place), "all": count, "healthy": healthy} for place, (count, healthy) in sorted(peers.items())
    ]
    return {"zone_aware": (cluster.zone_aware or {}) | {"place": list(where), "peers": counted}}


def _original_dst(
    message: envoy.Cluster, kind: ClusterKind, provided: bool, config: dict[str, Any], place: Place
) -> None:
    if provided != (kind is ClusterKind.ORIGINAL_DST):
        (place / "lb_policy").error("is CLUSTER_PROVIDED with type ORIGINAL_DST, and with no other")
    if kind is ClusterKind.ORIGINAL_DST:
        config["original_dst"] = True
        if message.HasField("cleanup_interval"):
            config["cleanup_interval"] = milliseconds(message.cleanup_interval, place / "cleanup_interval")
        ORIGINAL_DST.check(message.original_dst_lb_config, place / "original_dst_lb_config")


def _check_hosts(kind: ClusterKind, assignment: dict[str, Any] | None, place: Place) -> None:
    at = place / "load_assignment"
    if kind in (ClusterKind.EDS, ClusterKind.ORIGINAL_DST):
        if assignment is not None:
            at.error(f"is not for clusters of type {kind.name}")
        return
    if assignment is None:
        at.error(f"is needed: the hosts of a cluster of type {kind.name}")
        return
    named = named_hosts(assignment)
    if kind is ClusterKind.STATIC:
        for name, _ in named:
            if not is_ip(name):
                at.error(f"has the name {name!r}: hosts of type STATIC are addresses, those of STRICT_DNS are names")
    elif kind is ClusterKind.LOGICAL_DNS and sum(len(each["hosts"]) for each in _groups(assignment)) != 1:
        at.error("has one host, in clusters of type LOGICAL_DNS")


def _groups(assignment: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [locality for priority in assignment["priorities"] for locality in priority]


def _connections(message: envoy.Cluster, config: dict[str, Any], place: Place) -> bool:
    """Limits of connections to hosts, and whether the cluster is for gRPC."""
    most, idle = None, None
    if message.HasField("max_requests_per_connection"):
        most = message.max_requests_per_connection.value
    http2 = bool(message.HasField("http2_protocol_options"))
    if http2:
        _http2(message.http2_protocol_options, config, place / "http2_protocol_options")
    commons = [(message.common_http_protocol_options, place / "common_http_protocol_options")]
    for name in sorted(message.typed_extension_protocol_options):
        at = (place / "typed_extension_protocol_options")[name]
        if name != _HTTP_OPTIONS:
            at.warn("is not supported, and has no effect")
            continue
        options = unpack(message.typed_extension_protocol_options[name], at)
        if options is None:
            continue
        if options.DESCRIPTOR.full_name != _HTTP_OPTIONS:
            at.error(f"is a {options.DESCRIPTOR.full_name}, not {_HTTP_OPTIONS}")
            continue
        HTTP.check(options, at)
        commons.append((options.common_http_protocol_options, at / "common_http_protocol_options"))
        explicit, below = options.explicit_http_config, at / "explicit_http_config"
        EXPLICIT.check(explicit, below)
        if explicit.HasField("http2_protocol_options"):
            http2 = True
            _http2(explicit.http2_protocol_options, config, below / "http2_protocol_options")
    for common, at in commons:
        HTTP_COMMON.check(common, at)
        if common.HasField("max_requests_per_connection"):
            most = common.max_requests_per_connection.value
        if common.HasField("idle_timeout"):
            idle = milliseconds(common.idle_timeout, at / "idle_timeout")
    if most:
        config["max_requests_per_connection"] = most
    if idle:
        config["idle_timeout"] = idle
    return http2


def _http2(options: Any, config: dict[str, Any], place: Place) -> None:
    HTTP2.check(options, place)
    if options.HasField("max_concurrent_streams"):
        config["max_in_flight_per_connection"] = options.max_concurrent_streams.value
        if not options.max_concurrent_streams.value:
            (place / "max_concurrent_streams").error("is at least 1")


def _thresholds(breakers: CircuitBreakers, config: dict[str, Any], place: Place) -> None:
    BREAKERS.check(breakers, place)
    seen = set()
    for index, each in enumerate(breakers.thresholds):
        at = (place / "thresholds")[index]
        THRESHOLDS.check(each, at)
        if each.priority in seen:
            at.warn("has no effect: there is one of that priority before")
            continue
        seen.add(each.priority)
        if each.priority != 0:  # no message has priority HIGH, so that its thresholds are never met
            continue

        def threshold(name: str, otherwise: int, each: Any = each) -> int:
            return int(getattr(each, name).value) if each.HasField(name) else otherwise

        config["thresholds"] = {
            "max_connections": threshold("max_connections", 1024),
            "max_pending": threshold("max_pending_requests", 1024),
            "max_requests": threshold("max_requests", 1024),
            "max_retries": threshold("max_retries", 3),
        }


def _enforced(outliers: OutlierDetection, name: str, place: Place) -> bool:
    """Whether a reason to leave hosts out is heeded."""
    if not outliers.HasField(name):
        return True
    share = getattr(outliers, name).value
    if share not in (0, 100):
        (place / name).warn("is taken as 100: hosts are left out always, or never")
    return bool(share)


def _outliers(outliers: OutlierDetection, place: Place) -> dict[str, Any]:
    never = [
        name
        for name in OUTLIERS.because
        if name.startswith("enforcing") and outliers.HasField(name) and not getattr(outliers, name).value
    ]
    OUTLIERS.check(outliers, place, moot=never)

    def number(name: str, otherwise: int) -> int:
        return int(getattr(outliers, name).value) if outliers.HasField(name) else otherwise

    def time(name: str, otherwise: int) -> int:
        if not outliers.HasField(name):
            return otherwise
        value = milliseconds(getattr(outliers, name), place / name)
        if not value:
            (place / name).error("is more than 0")
        return value

    percent = number("max_ejection_percent", 10)
    if percent > 100:
        (place / "max_ejection_percent").error("is from 0 to 100")
    base = time("base_ejection_time", 30_000)
    found: dict[str, Any] = {
        "consecutive_failures": number("consecutive_5xx", 5)
        if _enforced(outliers, "enforcing_consecutive_5xx", place)
        else 0,
        "interval": time("interval", 10_000),
        "base_ejection_time": base,
        "max_ejection_time": time("max_ejection_time", max(300_000, base)),
        "max_ejection_percent": percent,
    }
    if outliers.split_external_local_origin_errors:
        enforced = _enforced(outliers, "enforcing_consecutive_local_origin_failure", place)
        found["consecutive_local_failures"] = number("consecutive_local_origin_failure", 5) if enforced else 0
    if outliers.always_eject_one_host.value:
        found["always_one"] = True
    return found


def _dns(message: envoy.Cluster, place: Place) -> Dns:
    refresh = _DNS_REFRESH
    if message.HasField("dns_refresh_rate"):
        refresh = milliseconds(message.dns_refresh_rate, place / "dns_refresh_rate")
        if not refresh:
            (place / "dns_refresh_rate").error("is more than 0")
    failure = (refresh, refresh)
    if message.HasField("dns_failure_refresh_rate"):
        rate, at = message.dns_failure_refresh_rate, place / "dns_failure_refresh_rate"
        REFRESH.check(rate, at)
        least = milliseconds(rate.base_interval, at / "base_interval")
        most = milliseconds(rate.max_interval, at / "max_interval") if rate.HasField("max_interval") else least * 10
        if not 0 < least <= most:
            at.error("needs a base_interval of more than 0, and no max_interval below it")
        failure = (least, most)
    known = 0 <= message.dns_lookup_family < len(_FAMILIES)
    if not known:
        (place / "dns_lookup_family").error(f"has no value {message.dns_lookup_family}")
    return Dns(refresh, failure, message.respect_dns_ttl, _FAMILIES[message.dns_lookup_family] if known else "auto")


def _transport_socket(message: envoy.Cluster, place: Place) -> Any:
    """The socket, unless it is a plain one. Those that are matched with hosts are plain, or refused."""
    for index, each in enumerate(message.transport_socket_matches):
        at = (place / "transport_socket_matches")[index]
        SOCKET_MATCH.check(each, at)
        if not is_plain(each.transport_socket, at / "transport_socket"):
            (at / "transport_socket").error("is not supported: hosts would get in plain what is to be encrypted")
    return None if is_plain(message.transport_socket, place / "transport_socket") else message.transport_socket
