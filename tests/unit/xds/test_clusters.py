"""Clusters, how they pick hosts, their hosts and their health checks."""

from __future__ import annotations

from typing import Any

import pytest
from kit.xds import read_cluster

from metaprotocol.xds import ClusterKind, Context, Dns, HealthCheck, SourceKind, named_hosts, resolved
from metaprotocol.xds.clusters import localities

HOST = "{endpoint: {address: {socket_address: {address: %s, port_value: 80}}}}"
BASE = "name: c\nload_assignment: {endpoints: {lb_endpoints: [%s]}}" % (HOST % "10.0.0.1")
LB = "type.googleapis.com/envoy.extensions.load_balancing_policies"


def test_the_least_that_is_needed() -> None:
    told = read_cluster(BASE)
    assert told.problems == []
    found = told.value
    assert found.config == {"hosts": {"priorities": [[{"weight": 0, "hosts": [{"address": "10.0.0.1:80"}]}]]}}
    assert (found.name, found.kind, found.source, found.health_checks) == ("c", ClusterKind.STATIC, None, ())
    assert (found.http2, found.transport_socket, found.zone_aware) == (False, None, None)


def policy(text: str) -> str:
    return f"load_balancing_policy: {{policies: [{text}]}}"


def extension(kind: str, text: str = "") -> str:
    return f"{{typed_extension_config: {{name: x, typed_config: {{'@type': {LB}.{kind}, {text}}}}}}}"


MILLIS = "{slow_start_window: 1s}"
BALANCE = [
    ("lb_policy: ROUND_ROBIN", {}),
    (f"round_robin_lb_config: {{slow_start_config: {MILLIS}}}", {"slow_start": {"window": 1000, "aggression": 1.0, "min_weight_percent": 10.0}}),
    ("round_robin_lb_config: {slow_start_config: {}}", {}),
    ("lb_policy: LEAST_REQUEST", {"balance": {"least_request": {"choices": 2, "active_request_bias": 1.0}}}),
    ("lb_policy: RANDOM", {"balance": "random"}),
    ("lb_policy: RING_HASH", {"balance": {"ring_hash": {"min_size": 1024, "max_size": 8388608, "murmur": False}}}),
    ("lb_policy: MAGLEV", {"balance": {"maglev": {"table_size": 65537}}}),
    ("lb_policy: MAGLEV\nmaglev_lb_config: {table_size: 251}", {"balance": {"maglev": {"table_size": 251}}}),
    ("common_lb_config: {healthy_panic_threshold: {}}", {"panic_threshold": 0.0}),
    ("common_lb_config: {locality_weighted_lb_config: {}, update_merge_window: 1s}", {"localities": "weighted"}),
    (policy(extension("random.v3.Random")), {"balance": "random"}),
    (policy(extension("round_robin.v3.RoundRobin", f"slow_start_config: {MILLIS}")), {"slow_start": {"window": 1000, "aggression": 1.0, "min_weight_percent": 10.0}}),
    (policy(extension("least_request.v3.LeastRequest", "choice_count: 4, locality_lb_config: {locality_weighted_lb_config: {}}")), {"balance": {"least_request": {"choices": 4, "active_request_bias": 1.0}}, "localities": "weighted"}),
    (policy(extension("ring_hash.v3.RingHash", "hash_function: MURMUR_HASH_2, maximum_ring_size: 2048, locality_weighted_lb_config: {}")), {"balance": {"ring_hash": {"min_size": 1024, "max_size": 2048, "murmur": True}}, "localities": "weighted"}),
    (policy(extension("ring_hash.v3.RingHash", "hash_function: XX_HASH")), {"balance": {"ring_hash": {"min_size": 1024, "max_size": 8388608, "murmur": False}}}),
    (policy(extension("maglev.v3.Maglev", "table_size: 101")), {"balance": {"maglev": {"table_size": 101}}}),
    (policy(extension("wrr_locality.v3.WrrLocality", f"endpoint_picking_policy: {{policies: [{extension('random.v3.Random')}]}}")), {"balance": "random", "localities": "weighted"}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "config"), BALANCE)
def test_how_hosts_are_picked(text: str, config: dict[str, Any]) -> None:
    told = read_cluster(f"{BASE}\n{text}")
    assert told.problems == []
    assert {key: value for key, value in told.value.config.items() if key != "hosts"} == config


def test_the_first_policy_that_is_known_is_taken() -> None:
    told = read_cluster(
        f"{BASE}\n"
        + policy(extension("client_side_weighted_round_robin.v3.ClientSideWeightedRoundRobin") + ", " + extension("random.v3.Random"))
    )  # fmt: skip
    assert told.problems == [
        "load_balancing_policy.policies[0].typed_extension_config: is not used: hosts cannot be picked by "
        "envoy.extensions.load_balancing_policies.client_side_weighted_round_robin.v3.ClientSideWeightedRoundRobin"
    ]
    assert told.value.config["balance"] == "random"


def test_rings_by_names_of_hosts() -> None:
    hosts = "load_assignment: {endpoints: {lb_endpoints: [{endpoint: {hostname: h, address: {socket_address: {address: 10.0.0.1, port_value: 80}}}}]}}"
    for text in (
        "lb_policy: RING_HASH\ncommon_lb_config: {consistent_hashing_lb_config: {use_hostname_for_hashing: true}}",
        policy(extension("maglev.v3.Maglev", "consistent_hashing_lb_config: {use_hostname_for_hashing: true}")),
        policy(extension("ring_hash.v3.RingHash", "use_hostname_for_hashing: true")),
    ):
        told = read_cluster(f"name: c\n{hosts}\n{text}")
        assert told.problems == []
        assert told.value.hash_by_hostname
        [[locality]] = told.value.config["hosts"]["priorities"]
        assert locality["hosts"] == [{"address": "10.0.0.1:80", "hostname": "h", "hash_key": "h"}]


def test_zones_are_heeded_where_the_local_cluster_is_known() -> None:
    context = Context(local_cluster="me")
    assert read_cluster(BASE).value.zone_aware is None
    default = {"min_cluster_size": 6, "routing_enabled": 100, "fail_on_panic": False}
    found = read_cluster(BASE, context).value
    assert found.zone_aware == default
    text = "zone_aware_lb_config: {min_cluster_size: 3, routing_enabled: {value: 50}, fail_traffic_on_panic: true}"
    mine = {"min_cluster_size": 3, "routing_enabled": 50, "fail_on_panic": True}
    assert read_cluster(f"{BASE}\ncommon_lb_config: {{{text}}}", context).value.zone_aware == mine
    spoken = policy(extension("random.v3.Random", f"locality_lb_config: {{{text}}}"))
    assert read_cluster(f"{BASE}\n{spoken}", context).value.zone_aware == mine
    assert (
        read_cluster(f"{BASE}\ncommon_lb_config: {{locality_weighted_lb_config: {{}}}}", context).value.zone_aware
        is None
    )
    told = read_cluster(f"{BASE}\ncommon_lb_config: {{{text}}}")
    assert told.value.zone_aware is None
    assert told.problems == [
        "common_lb_config.zone_aware_lb_config: has no effect: cluster_manager.local_cluster_name does not say which "
        "cluster the proxy belongs to"
    ]
    assert localities(found, ["r", "z", ""], {("r", "z", ""): (3, 2), ("r", "a", ""): (1, 1)}) == {
        "zone_aware": default
        | {
            "place": ["r", "z", ""],
            "peers": [
                {"place": ["r", "a", ""], "all": 1, "healthy": 1},
                {"place": ["r", "z", ""], "all": 3, "healthy": 2},
            ],
        }
    }


CONNECTIONS = [
    ("connect_timeout: 0.0015s", {"connect_timeout": 2}),
    ("max_requests_per_connection: 5", {"max_requests_per_connection": 5}),
    ("max_requests_per_connection: 0", {}),
    ("common_http_protocol_options: {idle_timeout: 1s, max_requests_per_connection: 6}", {"idle_timeout": 1000, "max_requests_per_connection": 6}),
    ("common_http_protocol_options: {idle_timeout: 0s}", {}),
    ("http2_protocol_options: {max_concurrent_streams: 9}", {"max_in_flight_per_connection": 9}),
    ("circuit_breakers: {thresholds: [{max_requests: 1}]}", {"thresholds": {"max_connections": 1024, "max_pending": 1024, "max_requests": 1, "max_retries": 3}}),
    ("circuit_breakers: {thresholds: [{priority: HIGH, max_requests: 1, track_remaining: true}]}", {}),
    ("outlier_detection: {}", {"outliers": {"consecutive_failures": 5, "interval": 10_000, "base_ejection_time": 30_000, "max_ejection_time": 300_000, "max_ejection_percent": 10}}),
    ("outlier_detection: {base_ejection_time: 400s, enforcing_consecutive_5xx: 0, enforcing_success_rate: 0}", {"outliers": {"consecutive_failures": 0, "interval": 10_000, "base_ejection_time": 400_000, "max_ejection_time": 400_000, "max_ejection_percent": 10}}),
    ("outlier_detection: {split_external_local_origin_errors: true, consecutive_local_origin_failure: 2, always_eject_one_host: true}", {"outliers": {"consecutive_failures": 5, "consecutive_local_failures": 2, "always_one": True, "interval": 10_000, "base_ejection_time": 30_000, "max_ejection_time": 300_000, "max_ejection_percent": 10}}),
    ("metadata: {filter_metadata: {a: {}}}", {}),
    ("transport_socket: {name: envoy.transport_sockets.raw_buffer}", {}),
    ("transport_socket_matches: [{name: plain, transport_socket: {name: envoy.transport_sockets.raw_buffer}}]", {}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "config"), CONNECTIONS)
def test_limits_and_connections(text: str, config: dict[str, Any]) -> None:
    told = read_cluster(f"{BASE}\n{text}")
    assert told.problems == []
    assert {key: value for key, value in told.value.config.items() if key != "hosts"} == config


WRONG = [
    ("connect_timeout: 0s", ["!connect_timeout: is more than 0"]),
    ("lb_policy: MAGLEV\nmaglev_lb_config: {table_size: 100}", ["!maglev_lb_config.table_size: is a prime up to 5000011, not 100"]),
    ("lb_policy: MAGLEV\nring_hash_lb_config: {}", ["ring_hash_lb_config: has no effect: lb_policy is another"]),
    ("lb_policy: RING_HASH\nring_hash_lb_config: {minimum_ring_size: 5, maximum_ring_size: 4}", ["!ring_hash_lb_config: has sizes 5 to 4: they are from 1 to 8388608, and the least is not above the most"]),
    ("lb_policy: LEAST_REQUEST\nleast_request_lb_config: {choice_count: 1, active_request_bias: {default_value: -1, runtime_key: k}}", ["!least_request_lb_config.active_request_bias: is a number of at least 0", "!least_request_lb_config.choice_count: is at least 2", "least_request_lb_config.active_request_bias.runtime_key: is not supported, and has no effect: there is no runtime that could change it"]),
    ("lb_policy: LEAST_REQUEST\nleast_request_lb_config: {active_request_bias: {default_value: NaN}}", ["!least_request_lb_config.active_request_bias: is a number of at least 0"]),
    ("lb_policy: LOAD_BALANCING_POLICY_CONFIG", ["!load_balancing_policy: is needed, as lb_policy says so"]),
    ("lb_policy: CLUSTER_PROVIDED", ["!lb_policy: is CLUSTER_PROVIDED with type ORIGINAL_DST, and with no other"]),
    ("common_lb_config: {healthy_panic_threshold: {value: 101}, ignore_new_hosts_until_first_hc: true}", ["!common_lb_config.healthy_panic_threshold: is from 0 to 100", "common_lb_config.ignore_new_hosts_until_first_hc: is not supported, and has no effect"]),
    ("round_robin_lb_config: {slow_start_config: {slow_start_window: 1s, aggression: {}, min_weight_percent: {value: 101}}}", ["!round_robin_lb_config.slow_start_config.aggression: is more than 0", "!round_robin_lb_config.slow_start_config.min_weight_percent: is from 0 to 100"]),
    ("outlier_detection: {interval: 0s, max_ejection_percent: 101, enforcing_consecutive_5xx: 50, consecutive_gateway_failure: 3}", ["!outlier_detection.interval: is more than 0", "!outlier_detection.max_ejection_percent: is from 0 to 100", "outlier_detection.consecutive_gateway_failure: is not supported, and has no effect: hosts are left out for failures in a row", "outlier_detection.enforcing_consecutive_5xx: is taken as 100: hosts are left out always, or never"]),
    ("circuit_breakers: {thresholds: [{}, {}, {priority: HIGH, retry_budget: {}}], per_host_thresholds: [{}]}", ["circuit_breakers.per_host_thresholds: is not supported, and has no effect", "circuit_breakers.thresholds[1]: has no effect: there is one of that priority before", "circuit_breakers.thresholds[2].retry_budget: is not supported, and has no effect"]),
    ("http2_protocol_options: {max_concurrent_streams: 0}", ["!http2_protocol_options.max_concurrent_streams: is at least 1"]),
    ("upstream_connection_options: {tcp_keepalive: {}}", ["upstream_connection_options: is not supported, and has no effect"]),
    ("cluster_type: {name: envoy.clusters.redis}", ["!cluster_type: is not supported: the kinds of type are"]),
    ("eds_cluster_config: {eds_config: {ads: {}}}", ["!eds_cluster_config: is for clusters of type EDS"]),
    ("dns_refresh_rate: 0s", ["!dns_refresh_rate: is more than 0"]),
    ("dns_failure_refresh_rate: {base_interval: 2s, max_interval: 1s}", ["!dns_failure_refresh_rate: needs a base_interval of more than 0, and no max_interval below it"]),
    ("transport_socket_matches: [{name: tls, transport_socket: {name: envoy.transport_sockets.tls}}]", ["!transport_socket_matches[0].transport_socket: is not supported: hosts would get in plain what is to be encrypted"]),
    ("typed_extension_protocol_options: {x: {'@type': type.googleapis.com/google.protobuf.Struct}}", ['typed_extension_protocol_options["x"]: is not supported, and has no effect']),
    ("typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {'@type': type.googleapis.com/google.protobuf.Struct}}", ['!typed_extension_protocol_options["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"]: is a google.protobuf.Struct, not envoy.extensions.upstreams.http.v3.HttpProtocolOptions']),
    (policy("{}"), ["!load_balancing_policy.policies[0].typed_extension_config.typed_config: the type '' is not known", "!load_balancing_policy: has no policy that is supported: "]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "problems"), WRONG)
def test_what_is_wrong_is_named(text: str, problems: list[str]) -> None:
    told = sorted(read_cluster(f"{BASE}\n{text}").problems)
    assert len(told) == len(problems)
    for problem, expected in zip(told, sorted(problems), strict=True):
        assert problem.startswith(expected)


def test_kinds_of_clusters() -> None:
    eds = read_cluster("name: c\ntype: EDS\neds_cluster_config: {service_name: s, eds_config: {ads: {}}}")
    assert eds.problems == []
    assert (eds.value.kind, eds.value.service_name, eds.value.source.kind) == (ClusterKind.EDS, "s", SourceKind.ADS)
    assert "hosts" not in eds.value.config
    dns = read_cluster(
        BASE.replace("10.0.0.1", "a.test")
        + "\ntype: STRICT_DNS\ndns_refresh_rate: 1s\nrespect_dns_ttl: true\ndns_lookup_family: V4_ONLY"
        + "\ndns_failure_refresh_rate: {base_interval: 2s}"
    )
    assert dns.problems == []
    assert dns.value.dns == Dns(1000, (2000, 20_000), True, "v4")
    assert "hosts" not in dns.value.config
    assert named_hosts(dns.value.assignment) == [("a.test", 80)]
    original = read_cluster("name: c\ntype: ORIGINAL_DST\nlb_policy: CLUSTER_PROVIDED")
    assert original.problems == []
    assert original.value.config == {"original_dst": True}
    original = read_cluster("name: c\ntype: ORIGINAL_DST\nlb_policy: CLUSTER_PROVIDED\ncleanup_interval: 2.5s")
    assert original.problems == []
    assert original.value.config == {"original_dst": True, "cleanup_interval": 2500}


HOSTS = [
    ("name: c", ["!load_assignment: is needed: the hosts of a cluster of type STATIC"]),
    ("load_assignment: {}", ["!name: is needed"]),
    (BASE.replace("10.0.0.1", "a.test"), ["!load_assignment: has the name 'a.test': hosts of type STATIC are addresses, those of STRICT_DNS are names"]),
    ("name: c\ntype: LOGICAL_DNS\nload_assignment: {}", ["!load_assignment: has one host, in clusters of type LOGICAL_DNS"]),
    ("name: c\ntype: EDS\nload_assignment: {}\neds_cluster_config: {eds_config: {ads: {}}}", ["!load_assignment: is not for clusters of type EDS"]),
    ("name: c\ntype: EDS", ["!eds_cluster_config: is needed: where the hosts are discovered"]),
    ("name: c\ntype: EDS\neds_cluster_config: {}", ["!eds_cluster_config.eds_config: needs ads, api_config_source or path_config_source"]),
    ("name: c\nload_assignment: {endpoints: [{priority: 1}]}", ["!load_assignment.endpoints: skips priority 0: priorities are 0, 1 and so on"]),
    ("name: c\nload_assignment: {endpoints: [{priority: 128}]}", ["!load_assignment.endpoints[0].priority: is at most 127"]),
    ("name: c\nload_assignment: {policy: {overprovisioning_factor: 0, drop_overloads: [{}]}}", ["!load_assignment.policy.overprovisioning_factor: is at least 1", "load_assignment.policy.drop_overloads: is not supported, and has no effect"]),
    ("name: c\nload_assignment: {endpoints: {lb_endpoints: [{}]}}", ["!load_assignment.endpoints[0].lb_endpoints[0]: needs an endpoint"]),
    ("name: c\nload_assignment: {endpoints: {lb_endpoints: [{endpoint: {}}]}}", ["!load_assignment.endpoints[0].lb_endpoints[0].endpoint.address: needs a socket_address"]),
    (BASE.replace("{endpoint:", "{load_balancing_weight: 0, endpoint:"), ["!load_assignment.endpoints[0].lb_endpoints[0].load_balancing_weight: is at least 1"]),
    ("name: c\nload_assignment: {endpoints: {leds_cluster_locality_config: {}}}", ["!load_assignment.endpoints[0].leds_cluster_locality_config: is not supported: endpoints come with the assignment"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "problems"), HOSTS)
def test_what_is_wrong_with_hosts_is_named(text: str, problems: list[str]) -> None:
    assert sorted(read_cluster(text).problems) == sorted(problems)


def test_names_become_addresses() -> None:
    text = f"""
name: c
type: STRICT_DNS
load_assignment:
  policy: {{weighted_priority_health: true}}
  endpoints:
  - locality: {{region: r}}
    load_balancing_weight: 2
    load_balancer_endpoints: {{lb_endpoints: [{HOST % "a.test"}, {HOST % "b.test"}, {HOST % "gone.test"}]}}
  - priority: 1
    lb_endpoints: [{HOST % '"::1"'}]
"""
    told = read_cluster(text)
    assert told.problems == []
    found = told.value.assignment
    assert named_hosts(found) == [("a.test", 80), ("b.test", 80), ("gone.test", 80), ("::1", 80)]
    answers = {("a.test", 80): ["10.0.0.1", "10.0.0.2"], ("b.test", 80): ["10.0.0.2", "fd00::2"], ("::1", 80): ["::1"]}
    assert resolved(found, answers) == {
        "weighted_health": True,
        "priorities": [
            [
                {
                    "place": ["r", "", ""],
                    "weight": 2,
                    "hosts": [
                        {"address": "10.0.0.1:80", "hostname": "a.test"},
                        {"address": "10.0.0.2:80", "hostname": "a.test"},
                        {"address": "[fd00::2]:80", "hostname": "b.test"},
                    ],
                }
            ],
            [{"weight": 0, "hosts": [{"address": "[::1]:80", "hostname": "::1"}]}],
        ],
    }
    assert resolved(found, {})["priorities"][0][0]["hosts"] == []


TIMES = "timeout: 1s, interval: 2s, unhealthy_threshold: 3, healthy_threshold: 1"
PING = "type.googleapis.com/metaprotocol.proxy.v1.Ping"
CHECKS = [
    ("tcp_health_check: {}", {}),
    ("tcp_health_check: {send: {text: 50494e47}, receive: [{text: '2b'}, {binary: AA==}]}, reuse_connection: false", {"send": b"PING", "receive": (b"+", b"\0"), "reuse_connection": False}),
    (f"custom_health_check: {{name: metaprotocol.health_checkers.ping, typed_config: {{'@type': {PING}, codec: {{name: dubbo}}}}}}", {"codec": "dubbo"}),
    ("custom_health_check: {name: envoy.health_checkers.redis, typed_config: {'@type': type.googleapis.com/envoy.extensions.health_checkers.redis.v3.Redis}}", {"codec": "redis"}),
    ("tcp_health_check: {}, unhealthy_interval: 5s, no_traffic_interval: 7s, alt_port: 9, interval_jitter_percent: 4", {"unhealthy_interval": 5000, "unhealthy_edge_interval": 5000, "no_traffic_interval": 7000, "no_traffic_healthy_interval": 7000, "port": 9, "interval_jitter_percent": 4}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "more"), CHECKS)
def test_health_checks(text: str, more: dict[str, Any]) -> None:
    told = read_cluster(f"{BASE}\nhealth_checks: {{{TIMES}, {text}}}")
    assert told.problems == []
    base: dict[str, Any] = {"unhealthy_interval": 2000, "unhealthy_edge_interval": 2000, "healthy_edge_interval": 2000}
    assert told.value.health_checks == (HealthCheck(1000, 2000, 3, 1, **(base | more)),)


WRONG_CHECKS = [
    (TIMES, ["!health_checks[0]: needs tcp_health_check or custom_health_check"]),
    (f"{TIMES}, http_health_check: {{path: /}}", ["health_checks[0].http_health_check: is not supported, and has no effect"]),
    ("interval: 1s, unhealthy_threshold: 1, healthy_threshold: 1, tcp_health_check: {}", ["!health_checks[0].timeout: is needed"]),
    ("timeout: 1s, interval: 1s, healthy_threshold: 1, tcp_health_check: {}", ["!health_checks[0].unhealthy_threshold: is needed"]),
    (f"{TIMES}, tcp_health_check: {{send: {{text: xyz}}}}", ["!health_checks[0].tcp_health_check.send.text: is bytes in hexadecimal digits, not 'xyz'"]),
    (f"{TIMES}, custom_health_check: {{name: x}}", ["health_checks[0].custom_health_check: is not supported: there is no health checker 'x', but metaprotocol.health_checkers.ping"]),
    (f"{TIMES}, custom_health_check: {{name: metaprotocol.health_checkers.ping}}", ["!health_checks[0].custom_health_check.typed_config: is needed"]),
    (f"{TIMES}, custom_health_check: {{name: metaprotocol.health_checkers.ping, typed_config: {{'@type': {PING}}}}}", ["!health_checks[0].custom_health_check.typed_config.codec.name: is needed"]),
    (f"{TIMES}, custom_health_check: {{name: envoy.health_checkers.redis, typed_config: {{'@type': {PING}}}}}", ["!health_checks[0].custom_health_check.typed_config: is a metaprotocol.proxy.v1.Ping; envoy.health_checkers.redis reads envoy.extensions.health_checkers.redis.v3.Redis"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "problems"), WRONG_CHECKS)
def test_what_is_wrong_with_a_health_check_is_named(text: str, problems: list[str]) -> None:
    assert read_cluster(f"{BASE}\nhealth_checks: {{{text}}}").problems == problems


def test_a_socket_that_is_not_plain_is_kept_for_discovery() -> None:
    told = read_cluster(f"{BASE}\ntransport_socket: {{name: envoy.transport_sockets.tls}}")
    assert told.problems == []
    assert told.value.transport_socket.name == "envoy.transport_sockets.tls"
