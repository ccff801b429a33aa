"""How clusters pick hosts: `lb_policy` with its settings, or `load_balancing_policy`, the newer way to say it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from metaprotocol.xds.fields import Fields
from metaprotocol.xds.messages import type_named
from metaprotocol.xds.unpack import unpack
from metaprotocol.xds.values import milliseconds

if TYPE_CHECKING:
    from envoy.config.cluster.v3.cluster_pb2 import Cluster, LoadBalancingPolicy

    from metaprotocol.xds.context import Context
    from metaprotocol.xds.problems import Place

__all__ = ["Balancing", "balancing"]

_CLUSTER = "envoy.config.cluster.v3.Cluster."
_EXTENSION = "envoy.extensions.load_balancing_policies."
_NO_BOUND = "the load of one host is not bounded"

COMMON = Fields(
    _CLUSTER + "CommonLbConfig",
    "healthy_panic_threshold zone_aware_lb_config locality_weighted_lb_config consistent_hashing_lb_config",
    moot={"update_merge_window": "a change of hosts is cheap"},
)
HASHING = Fields(
    _CLUSTER + "CommonLbConfig.ConsistentHashingLbConfig",
    "use_hostname_for_hashing",
    because={"hash_balance_factor": _NO_BOUND},
)
ZONE_AWARE = Fields(
    _CLUSTER + "CommonLbConfig.ZoneAwareLbConfig", "routing_enabled min_cluster_size fail_traffic_on_panic"
)
SLOW_START = Fields(_CLUSTER + "SlowStartConfig", "slow_start_window aggression min_weight_percent")
RUNTIME_DOUBLE = Fields(
    "envoy.config.core.v3.RuntimeDouble",
    "default_value",
    because={"runtime_key": "there is no runtime that could change it"},
)
ROUND_ROBIN = Fields(_CLUSTER + "RoundRobinLbConfig", "slow_start_config")
LEAST_REQUEST = Fields(_CLUSTER + "LeastRequestLbConfig", "choice_count active_request_bias slow_start_config")
RING_HASH = Fields(_CLUSTER + "RingHashLbConfig", "minimum_ring_size maximum_ring_size hash_function")
MAGLEV = Fields(_CLUSTER + "MaglevLbConfig", "table_size")

POLICY = Fields("envoy.config.cluster.v3.LoadBalancingPolicy", "policies")
POLICY_ITEM = Fields("envoy.config.cluster.v3.LoadBalancingPolicy.Policy", "typed_extension_config")
EXTENSION = Fields("envoy.config.core.v3.TypedExtensionConfig", "name typed_config")
LOCALITY = Fields(_EXTENSION + "common.v3.LocalityLbConfig", "zone_aware_lb_config locality_weighted_lb_config")
X_ZONE_AWARE = Fields(
    _EXTENSION + "common.v3.LocalityLbConfig.ZoneAwareLbConfig",
    "routing_enabled min_cluster_size fail_traffic_on_panic",
)
X_SLOW_START = Fields(_EXTENSION + "common.v3.SlowStartConfig", "slow_start_window aggression min_weight_percent")
X_HASHING = Fields(
    _EXTENSION + "common.v3.ConsistentHashingLbConfig",
    "use_hostname_for_hashing",
    because={"hash_balance_factor": _NO_BOUND, "hash_policy": "routes say what is hashed"},
)
X_ROUND_ROBIN = Fields(_EXTENSION + "round_robin.v3.RoundRobin", "slow_start_config locality_lb_config")
X_LEAST_REQUEST = Fields(
    _EXTENSION + "least_request.v3.LeastRequest",
    "choice_count active_request_bias slow_start_config locality_lb_config",
)
X_RANDOM = Fields(_EXTENSION + "random.v3.Random", "locality_lb_config")
X_RING_HASH = Fields(
    _EXTENSION + "ring_hash.v3.RingHash",
    "hash_function minimum_ring_size maximum_ring_size use_hostname_for_hashing consistent_hashing_lb_config"
    " locality_weighted_lb_config",
    because={"hash_balance_factor": _NO_BOUND},
)
X_MAGLEV = Fields(
    _EXTENSION + "maglev.v3.Maglev", "table_size consistent_hashing_lb_config locality_weighted_lb_config"
)
X_WRR_LOCALITY = Fields(_EXTENSION + "wrr_locality.v3.WrrLocality", "endpoint_picking_policy")

_ROUND_ROBIN, _LEAST_REQUEST, _RING_HASH, _RANDOM, _MAGLEV, _CLUSTER_PROVIDED, _EXTENDED = 0, 1, 2, 3, 5, 6, 7
_MAX_RING = 8 << 20
_TABLE_SIZE = 65537
_MAX_TABLE = 5_000_011  # envoy.config.cluster.v3.Cluster.MaglevLbConfig
_MIN_CLUSTER_SIZE = 6
# Settings of one policy are looked for below another this deep: localities first, then hosts.
_MAX_POLICY_DEPTH = 4


@dataclass
class Balancing:
    """What is said of how hosts are picked.

    Attributes:
        config: Fields of the data path's `Cluster`.
        zone_aware: Its `ZoneAware` without the places of the proxies, which are known only while it runs; none if zones
            are not heeded.
        hash_by_hostname: Whether rings go by names of hosts.
        provided: Whether the cluster itself says where messages go.
    """

    config: dict[str, Any] = field(default_factory=dict)
    zone_aware: dict[str, Any] | None = None
    hash_by_hostname: bool = False
    provided: bool = False


def balancing(cluster: Cluster, context: Context, place: Place) -> Balancing:
    """How a cluster's hosts are picked."""
    found = Balancing()
    common, at = cluster.common_lb_config, place / "common_lb_config"
    COMMON.check(common, at)
    if common.HasField("healthy_panic_threshold"):
        found.config["panic_threshold"] = common.healthy_panic_threshold.value
        if not 0 <= common.healthy_panic_threshold.value <= 100:
            (at / "healthy_panic_threshold").error("is from 0 to 100")
    if cluster.HasField("load_balancing_policy"):
        for name in ("zone_aware_lb_config", "locality_weighted_lb_config", "consistent_hashing_lb_config"):
            if common.HasField(name):
                (at / name).warn("has no effect beside load_balancing_policy, which says it itself")
        _policies(cluster.load_balancing_policy, found, context, place / "load_balancing_policy", 0)
        return found
    _localities(common, ZONE_AWARE, found, context, at, zone_aware=True)
    if common.HasField("consistent_hashing_lb_config"):
        _hashing(common.consistent_hashing_lb_config, HASHING, found, at / "consistent_hashing_lb_config")
    _lb_policy(cluster, found, place)
    return found


def _lb_policy(cluster: Cluster, found: Balancing, place: Place) -> None:
    settings = cluster.WhichOneof("lb_config")
    at = place / settings if settings else place
    mine = {
        _ROUND_ROBIN: "round_robin_lb_config",
        _LEAST_REQUEST: "least_request_lb_config",
        _RING_HASH: "ring_hash_lb_config",
        _MAGLEV: "maglev_lb_config",
        _CLUSTER_PROVIDED: "original_dst_lb_config",
    }.get(cluster.lb_policy)
    if settings and settings != mine:
        at.warn("has no effect: lb_policy is another")
    if cluster.lb_policy == _ROUND_ROBIN:
        ROUND_ROBIN.check(cluster.round_robin_lb_config, at)
        _slow_start(cluster.round_robin_lb_config, SLOW_START, found, at)
    elif cluster.lb_policy == _LEAST_REQUEST:
        LEAST_REQUEST.check(cluster.least_request_lb_config, at)
        _least_request(cluster.least_request_lb_config, SLOW_START, found, at)
    elif cluster.lb_policy == _RING_HASH:
        RING_HASH.check(cluster.ring_hash_lb_config, at)
        _ring_hash(cluster.ring_hash_lb_config, cluster.ring_hash_lb_config.hash_function == 1, found, at)
    elif cluster.lb_policy == _RANDOM:
        found.config["balance"] = "random"
    elif cluster.lb_policy == _MAGLEV:
        MAGLEV.check(cluster.maglev_lb_config, at)
        _maglev(cluster.maglev_lb_config, found, at)
    elif cluster.lb_policy == _CLUSTER_PROVIDED:
        found.provided = True
    elif cluster.lb_policy == _EXTENDED:
        (place / "load_balancing_policy").error("is needed, as lb_policy says so")
    else:
        (place / "lb_policy").error(f"has no value {cluster.lb_policy}")


def _localities(
    common: Any,
    table: Fields,
    found: Balancing,
    context: Context,
    place: Place,
    *,
    zone_aware: bool,
) -> None:
    """Which localities get the traffic. Zones are heeded without being asked for, if the local cluster is known."""
    if common.HasField("locality_weighted_lb_config"):
        found.config["localities"] = "weighted"
        return
    asked = zone_aware and common.HasField("zone_aware_lb_config")
    at = place / "zone_aware_lb_config"
    if asked and not context.local_cluster:
        at.warn("has no effect: cluster_manager.local_cluster_name does not say which cluster the proxy belongs to")
    if not zone_aware or not context.local_cluster:
        return
    found.zone_aware = {"min_cluster_size": _MIN_CLUSTER_SIZE, "routing_enabled": 100, "fail_on_panic": False}
    if not asked:
        return
    zones = common.zone_aware_lb_config
    table.check(zones, at)
    if zones.HasField("min_cluster_size"):
        found.zone_aware["min_cluster_size"] = zones.min_cluster_size.value
    if zones.HasField("routing_enabled"):
        found.zone_aware["routing_enabled"] = round(zones.routing_enabled.value)
        if not 0 <= zones.routing_enabled.value <= 100:
            (at / "routing_enabled").error("is from 0 to 100")
    found.zone_aware["fail_on_panic"] = zones.fail_traffic_on_panic


def _hashing(config: Any, table: Fields, found: Balancing, place: Place) -> None:
    table.check(config, place)
    found.hash_by_hostname = config.use_hostname_for_hashing


def _double(value: Any, place: Place) -> float:
    RUNTIME_DOUBLE.check(value, place)
    if not 0 <= value.default_value < math.inf:
        place.error("is a number of at least 0")
    return float(value.default_value)


def _slow_start(config: Any, table: Fields, found: Balancing, place: Place) -> None:
    if not config.HasField("slow_start_config"):
        return
    slow, at = config.slow_start_config, place / "slow_start_config"
    table.check(slow, at)
    window = milliseconds(slow.slow_start_window, at / "slow_start_window")
    if not window:
        return
    least = slow.min_weight_percent.value if slow.HasField("min_weight_percent") else 10.0
    if not 0 <= least <= 100:
        (at / "min_weight_percent").error("is from 0 to 100")
    aggression = _double(slow.aggression, at / "aggression") if slow.HasField("aggression") else 1.0
    if not aggression:
        (at / "aggression").error("is more than 0")
    found.config["slow_start"] = {"window": window, "aggression": aggression, "min_weight_percent": least}


def _least_request(config: Any, slow_start: Fields, found: Balancing, place: Place) -> None:
    choices = config.choice_count.value if config.HasField("choice_count") else 2
    if choices < 2:
        (place / "choice_count").error("is at least 2")
    bias = 1.0
    if config.HasField("active_request_bias"):
        bias = _double(config.active_request_bias, place / "active_request_bias")
    found.config["balance"] = {"least_request": {"choices": choices, "active_request_bias": bias}}
    _slow_start(config, slow_start, found, place)


def _ring_hash(config: Any, murmur: bool, found: Balancing, place: Place) -> None:
    least = config.minimum_ring_size.value if config.HasField("minimum_ring_size") else 1024
    most = config.maximum_ring_size.value if config.HasField("maximum_ring_size") else _MAX_RING
    if not 1 <= least <= most <= _MAX_RING:
        place.error(f"has sizes {least} to {most}: they are from 1 to {_MAX_RING}, and the least is not above the most")
    found.config["balance"] = {"ring_hash": {"min_size": least, "max_size": most, "murmur": murmur}}


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % factor for factor in range(2, int(number**0.5) + 1))


def _maglev(config: Any, found: Balancing, place: Place) -> None:
    size = config.table_size.value if config.HasField("table_size") else _TABLE_SIZE
    if size > _MAX_TABLE or not _is_prime(size):
        (place / "table_size").error(f"is a prime up to {_MAX_TABLE}, not {size}")
    found.config["balance"] = {"maglev": {"table_size": size}}


def _policies(policy: LoadBalancingPolicy, found: Balancing, context: Context, place: Place, depth: int) -> None:
    """The first policy that is known here, as Envoy takes it."""
    POLICY.check(policy, place)
    if depth > _MAX_POLICY_DEPTH:
        place.error("is nested too deep")
        return
    for index, each in enumerate(policy.policies):
        at = (place / "policies")[index]
        POLICY_ITEM.check(each, at)
        at = at / "typed_extension_config"
        EXTENSION.check(each.typed_extension_config, at)
        kind = each.typed_extension_config.typed_config.type_url.rpartition("/")[2]
        if kind not in _KNOWN and kind != X_WRR_LOCALITY.message and type_named(kind) is not None:
            at.warn(f"is not used: hosts cannot be picked by {kind}")
            continue
        config = unpack(each.typed_extension_config.typed_config, at / "typed_config")
        if config is None:
            continue
        kind, at = config.DESCRIPTOR.full_name, at / "typed_config"
        if kind == X_WRR_LOCALITY.message:
            X_WRR_LOCALITY.check(config, at)
            _policies(config.endpoint_picking_policy, found, context, at / "endpoint_picking_policy", depth + 1)
            found.config["localities"] = "weighted"
            found.zone_aware = None
            return
        if kind in _KNOWN:
            _KNOWN[kind](config, found, context, at)
            return
        at.warn(f"is not used: hosts cannot be picked by {kind}")
    place.error(f"has no policy that is supported: {', '.join(sorted(_KNOWN))} are")


def _x_localities(config: Any, found: Balancing, context: Context, place: Place) -> None:
    LOCALITY.check(config.locality_lb_config, place / "locality_lb_config")
    _localities(config.locality_lb_config, X_ZONE_AWARE, found, context, place / "locality_lb_config", zone_aware=True)


def _x_round_robin(config: Any, found: Balancing, context: Context, place: Place) -> None:
    X_ROUND_ROBIN.check(config, place)
    _slow_start(config, X_SLOW_START, found, place)
    _x_localities(config, found, context, place)


def _x_least_request(config: Any, found: Balancing, context: Context, place: Place) -> None:
    X_LEAST_REQUEST.check(config, place)
    _least_request(config, X_SLOW_START, found, place)
    _x_localities(config, found, context, place)


def _x_random(config: Any, found: Balancing, context: Context, place: Place) -> None:
    X_RANDOM.check(config, place)
    found.config["balance"] = "random"
    _x_localities(config, found, context, place)


def _x_hashing(config: Any, found: Balancing, context: Context, place: Place) -> None:
    _localities(config, X_ZONE_AWARE, found, context, place, zone_aware=False)
    if config.HasField("consistent_hashing_lb_config"):
        _hashing(config.consistent_hashing_lb_config, X_HASHING, found, place / "consistent_hashing_lb_config")


def _x_ring_hash(config: Any, found: Balancing, context: Context, place: Place) -> None:
    X_RING_HASH.check(config, place)
    _ring_hash(config, config.hash_function == 2, found, place)
    found.hash_by_hostname = config.use_hostname_for_hashing
    _x_hashing(config, found, context, place)


def _x_maglev(config: Any, found: Balancing, context: Context, place: Place) -> None:
    X_MAGLEV.check(config, place)
    _maglev(config, found, place)
    _x_hashing(config, found, context, place)


def _x_provided(_: Any, found: Balancing, _context: Context, _place: Place) -> None:
    found.provided = True


_KNOWN = {
    X_LEAST_REQUEST.message: _x_least_request,
    X_MAGLEV.message: _x_maglev,
    X_RANDOM.message: _x_random,
    X_RING_HASH.message: _x_ring_hash,
    X_ROUND_ROBIN.message: _x_round_robin,
    _EXTENSION + "cluster_provided.v3.ClusterProvided": _x_provided,
}
