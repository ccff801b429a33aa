"""Hosts of clusters: `ClusterLoadAssignment`, and names that become addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metaprotocol.xds.fields import Fields
from metaprotocol.xds.values import ADDRESS, join, socket_address

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from envoy.config.core.v3.address_pb2 import Address
    from envoy.config.endpoint.v3.endpoint_components_pb2 import LbEndpoint, LocalityLbEndpoints
    from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment

    from metaprotocol.xds.problems import Place

__all__ = ["UNIX", "hosts", "named_hosts", "resolved", "split"]

UNIX = ("unix:/", "unix:.", "unix-abstract:")
"""What addresses of Unix sockets begin with, as gRPC has them. No host and port do."""

ASSIGNMENT = Fields(
    "envoy.config.endpoint.v3.ClusterLoadAssignment",
    "cluster_name endpoints policy",
    refused={"named_endpoints": "endpoints stand where they are used"},
)
POLICY = Fields(
    "envoy.config.endpoint.v3.ClusterLoadAssignment.Policy",
    "overprovisioning_factor weighted_priority_health",
)
LOCALITY = Fields(
    "envoy.config.endpoint.v3.LocalityLbEndpoints",
    "locality lb_endpoints load_balancer_endpoints load_balancing_weight priority",
    moot={"metadata": "is for people"},
    refused={"leds_cluster_locality_config": "endpoints come with the assignment"},
)
LIST = Fields("envoy.config.endpoint.v3.LocalityLbEndpoints.LbEndpointList", "lb_endpoints")
ENDPOINT = Fields(
    "envoy.config.endpoint.v3.LbEndpoint",
    # Of the metadata, what picks hosts on rings is read.
    "endpoint health_status load_balancing_weight metadata",
    refused={"endpoint_name": "endpoints stand where they are used"},
    notes={
        "metadata": "`hash_key` of `envoy.lb`, which places the host on rings",
    },
)
ADDRESSES = Fields(
    "envoy.config.endpoint.v3.Endpoint",
    "address hostname",
    notes={"address": "TCP; a Unix socket (`pipe`) for a host that configuration is discovered through"},
)
PIPE = Fields("envoy.config.core.v3.Pipe", "path", moot={"mode": "is for listeners"})

MAX_PRIORITY = 127  # envoy.config.endpoint.v3: priorities are 0 to 128, without gaps
_HEALTH = ("healthy", "healthy", "unhealthy", "draining", "unhealthy", "degraded")


def hosts(
    assignment: ClusterLoadAssignment, place: Place, *, hash_by_hostname: bool = False, pipes: bool = False
) -> dict[str, Any]:
    """Hosts as the data path takes them (`Hosts` of its configuration), though their addresses may be names yet.

    Args:
        assignment: The message.
        place: Where it stands.
        hash_by_hostname: Whether the cluster's rings go by names of hosts.
        pipes: Whether hosts may be Unix sockets, which discovery can reach, and the data path cannot.
    """
    ASSIGNMENT.check(assignment, place)
    priorities: dict[int, list[dict[str, Any]]] = {}
    for index, group in enumerate(assignment.endpoints):
        below = (place / "endpoints")[index]
        if group.priority > MAX_PRIORITY:
            (below / "priority").error(f"is at most {MAX_PRIORITY}")
            continue
        priorities.setdefault(group.priority, []).append(_locality(group, below, hash_by_hostname, pipes))
    if priorities and len(priorities) != max(priorities) + 1:
        missing = next(priority for priority in range(len(priorities)) if priority not in priorities)
        (place / "endpoints").error(f"skips priority {missing}: priorities are 0, 1 and so on")
        return {"priorities": []}
    found: dict[str, Any] = {"priorities": [priorities[priority] for priority in sorted(priorities)]}
    if assignment.HasField("policy"):
        policy = assignment.policy
        POLICY.check(policy, place / "policy")
        if policy.HasField("overprovisioning_factor"):
            if not policy.overprovisioning_factor.value:
                (place / "policy" / "overprovisioning_factor").error("is at least 1")
            found["overprovisioning"] = policy.overprovisioning_factor.value
        if policy.weighted_priority_health:
            found["weighted_health"] = True
    return found


def _locality(group: LocalityLbEndpoints, place: Place, hash_by_hostname: bool, pipes: bool) -> dict[str, Any]:
    LOCALITY.check(group, place)
    endpoints, at = group.lb_endpoints, place / "lb_endpoints"
    if group.HasField("load_balancer_endpoints"):
        at = place / "load_balancer_endpoints"
        LIST.check(group.load_balancer_endpoints, at)
        endpoints, at = group.load_balancer_endpoints.lb_endpoints, at / "lb_endpoints"
    found: dict[str, Any] = {
        # No weight is no traffic, where localities are weighted.
        "weight": group.load_balancing_weight.value,
        "hosts": [
            host
            for index, each in enumerate(endpoints)
            if (host := _host(each, at[index], hash_by_hostname, pipes)) is not None
        ],
    }
    if group.HasField("locality"):
        where = group.locality
        found["place"] = [where.region, where.zone, where.sub_zone]
    return found


def _pipe(address: Address, place: Place) -> str | None:
    ADDRESS.check(address, place, moot=("pipe",))
    PIPE.check(address.pipe, place / "pipe")
    path = address.pipe.path
    if not path:
        (place / "pipe" / "path").error("is needed")
        return None
    if path.startswith("@"):
        return f"unix-abstract:{path[1:]}"
    return f"unix:{path}" if path.startswith(("/", ".")) else f"unix:./{path}"


def _host(each: LbEndpoint, place: Place, hash_by_hostname: bool, pipes: bool) -> dict[str, Any] | None:
    ENDPOINT.check(each, place)
    if not each.HasField("endpoint"):
        place.error("needs an endpoint")
        return None
    ADDRESSES.check(each.endpoint, place / "endpoint")
    at = place / "endpoint" / "address"
    if pipes and each.endpoint.address.HasField("pipe"):
        address = _pipe(each.endpoint.address, at)
    else:
        pair = socket_address(each.endpoint.address, at, names=True)
        address = None if pair is None else join(*pair)
    if address is None:
        return None
    found: dict[str, Any] = {"address": address}
    if each.endpoint.hostname:
        found["hostname"] = each.endpoint.hostname
    if each.HasField("load_balancing_weight"):
        if not each.load_balancing_weight.value:
            (place / "load_balancing_weight").error("is at least 1")
        found["weight"] = each.load_balancing_weight.value
    if not 0 <= each.health_status < len(_HEALTH):
        (place / "health_status").error(f"has no value {each.health_status}")
    elif _HEALTH[each.health_status] != "healthy":
        found["health"] = _HEALTH[each.health_status]
    key = each.metadata.filter_metadata["envoy.lb"].fields["hash_key"].string_value
    key = key or (each.endpoint.hostname if hash_by_hostname else "")
    if key:
        found["hash_key"] = key
    return found


def split(address: str) -> tuple[str, int]:
    """The host and the port of `host:port`."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _each(found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for priority in found["priorities"]:
        for locality in priority:
            yield from locality["hosts"]


def named_hosts(found: Mapping[str, Any]) -> list[tuple[str, int]]:
    """The hosts and ports of hosts, each once, in order; for those of DNS clusters, the names to resolve.

    Args:
        found: What `hosts` gave.
    """
    addresses = (host["address"] for host in _each(found))
    return list(dict.fromkeys(split(address) for address in addresses if not address.startswith(UNIX)))


def resolved(found: Mapping[str, Any], addresses: Mapping[tuple[str, int], Sequence[str]]) -> dict[str, Any]:
    """Hosts with addresses instead of names.

    Args:
        found: What `hosts` gave.
        addresses: The addresses of each of `named_hosts`, without ports. A name that is missing has none.

    Returns:
        Hosts as the data path takes them: one for each address, of which no priority and locality has one twice.
    """
    priorities = []
    for priority in found["priorities"]:
        localities = []
        for locality in priority:
            expanded: dict[str, dict[str, Any]] = {}
            for host in locality["hosts"]:
                name, port = split(host["address"])
                for ip in addresses.get((name, port), ()):
                    address = join(ip, port)
                    expanded.setdefault(address, {"hostname": name} | host | {"address": address})
            localities.append(dict(locality) | {"hosts": list(expanded.values())})
        priorities.append(localities)
    return dict(found) | {"priorities": priorities}
