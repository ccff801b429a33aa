"""Route tables of both messages, and tests of metadata."""

from __future__ import annotations

from typing import Any

import pytest
from kit.xds import read_routes

from metaprotocol.xds import Context

STRUCT = "'@type': type.googleapis.com/google.protobuf.Struct"


def http(route: str, context: Context | None = None) -> Any:
    """A table of one route, of the HTTP message; paths begin at the route."""
    told = read_routes(f"name: t\nvirtual_hosts: [{{name: dummy, domains: ['*'], routes: [{route}]}}]", http=True, context=context)  # fmt: skip
    told.problems = [problem.replace("virtual_hosts[0].routes[0].", "") for problem in told.problems]
    return told


def meta(route: str, context: Context | None = None) -> Any:
    """A table of one route, of MetaProtocol's message; paths begin at the route."""
    told = read_routes(f"name: t\nroutes: [{route}]", http=False, context=context)
    told.problems = [problem.replace("routes[0].", "") for problem in told.problems]
    return told


BOTH = [
    ("{route: {cluster: c}}", "{route: {cluster: c}}", {}),
    ("{name: a, route: {cluster: c}}", "{name: a, match: {prefix: /}, route: {cluster: c}}", {"name": "a"}),
    (
        "{route: {weighted_clusters: {clusters: [{name: a, weight: 0}, {name: b, weight: 3}]}}}",
        "{route: {weighted_clusters: {clusters: [{name: a, weight: 0}, {name: b, weight: 3}]}}}",
        {"to": {"weighted": [["a", 0], ["b", 3]]}},
    ),
    ("{route: {cluster_key: k}}", "{route: {cluster_header: k}}", {"to": {"key": "k"}}),
    ("{route: {cluster: c, timeout: 0.5s}}", "{route: {cluster: c, timeout: 0.5s}}", {"timeout": 500}),
    ("{route: {cluster: c, timeout: 0s}}", "{route: {cluster: c, timeout: 0s}}", {}),
    (
        "{route: {cluster: c, hash_policy: [a, b]}}",
        "{route: {cluster: c, hash_policy: [{header: {header_name: a}}, {header: {header_name: b}}]}}",
        {"hash": ["a", "b"]},
    ),
    (
        "{route: {cluster: c, request_mirror_policies: {cluster: m}}}",
        "{route: {cluster: c, request_mirror_policies: {cluster: m}}}",
        {"mirrors": [{"cluster": "m"}]},
    ),
    (
        "{route: {cluster: c, request_mirror_policies: {cluster: m, runtime_fraction: {default_value: {numerator: 1, denominator: TEN_THOUSAND}}}}}",
        "{route: {cluster: c, request_mirror_policies: {cluster: m, runtime_fraction: {default_value: {numerator: 1, denominator: TEN_THOUSAND}}}}}",
        {"mirrors": [{"cluster": "m", "of_million": 100}]},
    ),
    (
        "{route: {cluster: c, request_mirror_policies: {cluster: m, runtime_fraction: {default_value: {}}}}}",
        "{route: {cluster: c, request_mirror_policies: {cluster: m, runtime_fraction: {default_value: {}}}}}",
        {"mirrors": [{"cluster": "m", "of_million": 0}]},
    ),
    (
        "{route: {cluster: c}, request_mutation: [{key: a, value: b}, {key: a, value: ''}], response_mutation: [{key: x, value: y}]}",
        "{route: {cluster: c}, request_headers_to_add: [{header: {key: a, value: b}, append: true}, {header: {key: a}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}], response_headers_to_add: {header: {key: x, raw_value: eQ==}}}",
        {"request_set": [["a", "b"], ["a", ""]], "response_set": [["x", "y"]]},
    ),
    (
        f"{{route: {{cluster: c}}, typed_per_filter_config: {{ours: {{{STRUCT}, value: {{a: 1.5, b: [2]}}}}}}}}",
        f"{{route: {{cluster: c}}, typed_per_filter_config: {{ours: {{{STRUCT}, value: {{a: 1.5, b: [2]}}}}}}}}",
        {"filters": {"ours": {"a": 1.5, "b": [2]}}},
    ),
    (
        "{match: {metadata: [{name: a, exact_match: b}]}, route: {cluster: c}}",
        "{match: {prefix: /, headers: [{name: a, exact_match: b}]}, route: {cluster: c}}",
        {"match": [{"key": "a", "test": {"exact": {"text": "b"}}}]},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("own", "carrier", "expected"), BOTH)
def test_both_messages_say_the_same(own: str, carrier: str, expected: dict[str, Any]) -> None:
    for told in (meta(own), http(carrier)):
        assert told.problems == []
        name, table = told.value
        assert name == "t"
        assert table == {"routes": [{"name": "", "to": {"cluster": "c"}} | expected]}


def test_a_table_as_a_control_plane_sends_it() -> None:
    told = read_routes(
        """
name: orders.shop.svc.cluster.local_7070
virtual_hosts:
- name: dummy
  domains: ["*"]
  routes:
  - name: canary
    match: {prefix: /, headers: [{name: method, prefix_match: place}, {name: x-user, safe_regex_match: {google_re2: {}, regex: "^qa-.*$"}}]}
    route:
      weighted_clusters: {total_weight: 100, clusters: [
        {name: "outbound|7070|v1|orders", weight: 90}, {name: "outbound|7070|v2|orders", weight: 10}]}
      request_mirror_policies: [{cluster: "outbound|7070|shadow|orders", runtime_fraction: {default_value: {numerator: 125000, denominator: MILLION}}}]
    request_headers_to_add: [{header: {key: lane, value: canary}}]
  - name: rest
    match: {prefix: /}
    route: {cluster: "outbound|7070|v1|orders"}
""",
        http=True,
    )
    assert told.problems == []
    assert told.value == (
        "orders.shop.svc.cluster.local_7070",
        {
            "routes": [
                {
                    "name": "canary",
                    "to": {"weighted": [["outbound|7070|v1|orders", 90], ["outbound|7070|v2|orders", 10]]},
                    "match": [
                        {"key": "method", "test": {"prefix": {"text": "place"}}},
                        {"key": "x-user", "test": {"regex": "^qa-.*$"}},
                    ],
                    "mirrors": [{"cluster": "outbound|7070|shadow|orders", "of_million": 125_000}],
                    "request_set": [["lane", "canary"]],
                },
                {"name": "rest", "to": {"cluster": "outbound|7070|v1|orders"}},
            ]
        },
    )


MATCHERS = [
    ("exact_match: x", {"exact": {"text": "x"}}, {}),
    ("exact_match: ''", {"exact": {"text": ""}}, {}),
    ("string_match: {exact: ''}", {"exact": {"text": "", "strict_empty": True}}, {}),
    ("string_match: {exact: x, ignore_case: true}", {"exact": {"text": "x", "ignore_case": True, "strict_empty": True}}, {}),
    ("string_match: {contains: x, ignore_case: true}", {"contains": {"text": "x", "ignore_case": True}}, {}),
    ("present_match: true", {"present": True}, {}),
    ("present_match: false, invert_match: true", {"present": False}, {"invert": True}),
    ("range_match: {start: 1, end: 2}, treat_missing_header_as_empty: true", {"range": [1, 2]}, {"missing_as_empty": True}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "test", "more"), MATCHERS)
def test_matchers(text: str, test: dict[str, Any], more: dict[str, Any]) -> None:
    told = meta(f"{{match: {{metadata: [{{name: K-1, {text}}}]}}, route: {{cluster: c}}}}")
    assert told.problems == []
    assert told.value[1]["routes"][0]["match"] == [{"key": "K-1", "test": test} | more]


WRONG_MATCHERS = [
    ("exact_match: x", "!match.metadata[0].name: is needed: the metadata key"),
    ("name: a, prefix_match: ''", "!match.metadata[0].prefix_match: is needed: every text has nothing in it"),
    ("name: a, contains_match: ''", "!match.metadata[0].contains_match: is needed: every text has nothing in it"),
    ("name: a, safe_regex_match: {}", "!match.metadata[0].safe_regex_match.regex: is needed"),
    ("name: a, string_match: {}", "!match.metadata[0].string_match: needs exact, prefix, suffix, contains or safe_regex"),
    ("name: a, string_match: {suffix: ''}", "!match.metadata[0].string_match.suffix: is needed: every text has nothing in it"),
    ("name: a, string_match: {custom: {name: x}}", "!match.metadata[0].string_match.custom: is not supported: texts are tested by exact, prefix, suffix, contains and safe_regex"),
    ("name: a, string_match: {safe_regex: {regex: x}, ignore_case: true}", "match.metadata[0].string_match.ignore_case: has no effect on safe_regex: begin the expression with (?i)"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "problem"), WRONG_MATCHERS)
def test_what_is_wrong_with_a_matcher_is_named(text: str, problem: str) -> None:
    assert meta(f"{{match: {{metadata: [{{{text}}}]}}, route: {{cluster: c}}}}").problems == [problem]


WRONG_META = [
    ("{}", ["!route: needs cluster or weighted_clusters: where messages go"]),
    ("{route: {cluster: ''}}", ["!route.cluster: is needed: the name of a cluster"]),
    ("{route: {cluster_key: ''}}", ["!route.cluster_key: is needed: the metadata key that names the cluster"]),
    ("{route: {weighted_clusters: {clusters: [{name: a}]}}}", ["!route.weighted_clusters.clusters: has weights whose sum is 0: it is from 1 to 4294967295", "!route.weighted_clusters.clusters[0].weight: is needed"]),
    ("{route: {weighted_clusters: {clusters: [{name: a, weight: 4294967295}, {name: b, weight: 1}]}}}", ["!route.weighted_clusters.clusters: has weights whose sum is 4294967296: it is from 1 to 4294967295"]),
    ("{route: {weighted_clusters: {clusters: [{name: a, weight: 1, metadata_match: {}}]}}}", ["route.weighted_clusters.clusters[0].metadata_match: is not supported, and has no effect"]),
    ("{route: {cluster: c}, request_mutation: [{value: a}]}", ["!request_mutation[0].key: is 1 to 16384 bytes long"]),
    (f"{{route: {{cluster: c}}, request_mutation: [{{key: a, value: {'x' * 16385}}}]}}", ["!request_mutation[0].value: is at most 16384 bytes long"]),
    ("{route: {cluster: c, timeout: -1s}}", ["!route.timeout: is less than no time"]),
    ("{route: {cluster: c, request_mirror_policies: [{}]}}", ["!route.request_mirror_policies[0].cluster: is needed: the name of a cluster"]),
    ("{route: {cluster: c, request_mirror_policies: [{cluster: m, runtime_fraction: {default_value: {numerator: 101}, runtime_key: k}}]}}", ["!route.request_mirror_policies[0].runtime_fraction.default_value: is more than the whole", "route.request_mirror_policies[0].runtime_fraction.runtime_key: is not supported, and has no effect: there is no runtime that could change it"]),
    ("{route: {cluster: x}}", ["route.cluster: there is no cluster 'x': its messages are answered with an error"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "problems"), WRONG_META)
def test_what_is_wrong_with_a_route_is_named(text: str, problems: list[str]) -> None:
    assert sorted(meta(text, Context(clusters=frozenset("abcm"))).problems) == sorted(problems)


WRONG_HTTP = [
    ("{match: {prefix: /a}, route: {cluster: c}}", ["match.prefix: is not supported, and has no effect: messages have metadata, and no path"]),
    ("{match: {prefix: '', case_sensitive: true}, route: {cluster: c}}", []),
    ("{match: {path: /}, route: {cluster: c}}", ["match.path: is not supported, and has no effect: messages have metadata, and no path"]),
    ("{match: {prefix: /}, redirect: {host_redirect: a}}", ["!route: is needed: messages can only go to clusters", "redirect: is not supported, and has no effect"]),
    ("{route: {cluster: c, retry_policy: {}, prefix_rewrite: /b}}", ["route.prefix_rewrite: is not supported, and has no effect", "route.retry_policy: is not supported, and has no effect"]),
    ("{route: {cluster: c, hash_policy: [{connection_properties: {source_ip: true}}]}}", ["route.hash_policy[0].connection_properties: is not supported, and has no effect"]),
    ("{route: {cluster: c, hash_policy: [{header: {}}]}}", ["!route.hash_policy[0].header.header_name: is needed: the metadata key"]),
    ("{route: {cluster: c}, request_headers_to_add: [{header: {key: a, value: '%X%'}}]}", ["request_headers_to_add[0].header.value: is taken literally: it has % in it, but no formatter is used"]),
    ("{route: {cluster: c}, request_headers_to_add: [{header: {key: a}, append_action: ADD_IF_ABSENT}]}", ["request_headers_to_add[0].append_action: is not supported: a field is set, whether it was there or not"]),
    ("{route: {cluster: c}, request_headers_to_add: [{header: {key: a, raw_value: /w==}}]}", ["!request_headers_to_add[0].header.raw_value: is no text in UTF-8"]),
    ("{route: {cluster: c}, request_headers_to_remove: [a]}", ["request_headers_to_remove: is not supported, and has no effect"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "problems"), WRONG_HTTP)
def test_what_http_alone_can_say_is_reported(text: str, problems: list[str]) -> None:
    assert sorted(http(text).problems) == sorted(problems)


@pytest.mark.parametrize("count", [0, 2])
def test_there_is_one_virtual_host(count: int) -> None:
    told = read_routes(f"virtual_hosts: [{', '.join(['{routes: {route: {cluster: c}}}'] * count)}]", http=True)
    assert told.problems == [f"!virtual_hosts: has {count} items, and must have one"]


def test_filters_of_a_route_that_the_data_path_lacks_are_reported() -> None:
    text = f"{{route: {{cluster: c}}, typed_per_filter_config: {{ours: {{{STRUCT}, value: {{a: 1}}}}}}}}"
    told = meta(text, Context(filters=frozenset()))
    assert told.problems == [
        'typed_per_filter_config["ours"]: is not supported, and has no effect: there is no filter ours'
    ]
    assert "filters" not in told.value[1]["routes"][0]
