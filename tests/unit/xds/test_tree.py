"""YAML and JSON become messages, and what cannot be read is named with its line."""

from __future__ import annotations

import re

import pytest
from envoy.config.bootstrap.v3.bootstrap_pb2 import Bootstrap
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.base_pb2 import Metadata, Node
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from kit.xds import PROXY, bootstrap, read

from metaprotocol.xds import Report
from metaprotocol.xds.messages import type_named
from metaprotocol.xds.tree import MAX_DEPTH, read_struct, read_text
from metaprotocol.xds.unpack import unpack

SPELLINGS = [
    ("connect_timeout: 5s", "connect_timeout", "5s"),
    ("connectTimeout: 0.25s", "connect_timeout", "0.250s"),
    ("type: EDS", "type", "EDS"),
    ("type: 1", "type", "STRICT_DNS"),
    ('type: "2"', "type", "LOGICAL_DNS"),
    ("max_requests_per_connection: 7", "max_requests_per_connection", 7),
    ('max_requests_per_connection: "7"', "max_requests_per_connection", 7),
    ("max_requests_per_connection: 0x10", "max_requests_per_connection", 16),
    ("max_requests_per_connection: 1e3", "max_requests_per_connection", 1000),
    ("respect_dns_ttl: true", "respect_dns_ttl", True),
    ("respect_dns_ttl: yes", "respect_dns_ttl", True),
    ('respect_dns_ttl: "true"', "respect_dns_ttl", True),
    ("name: 1.10", "name", "1.10"),
    ("name: on", "name", "on"),
    ("health_checks: {timeout: 1s}", "health_checks", [{"timeout": "1s"}]),
    ("health_checks: [{timeout: 1s}]", "health_checks", [{"timeout": "1s"}]),
    ("http2_protocol_options: {}", "http2_protocol_options", {}),
    ("common_lb_config: {healthy_panic_threshold: {value: 12.5}}", "common_lb_config.healthy_panic_threshold.value", 12.5),
    ("health_checks: {tcp_health_check: {send: {binary: aGk=}}}", "health_checks.0.tcp_health_check.send.binary", "aGk="),
    ("metadata: {filter_metadata: {a: {b: [1, x, true, null, {c: 2.5}]}}}", "metadata.filter_metadata.a.b",
     [1.0, "x", True, None, {"c": 2.5}]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "path", "value"), SPELLINGS, ids=[text for text, _, _ in SPELLINGS])
def test_spellings(text: str, path: str, value: object) -> None:
    message, report = read(text, Cluster())
    assert report.problems == []
    found = MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=False)
    for step in path.split("."):
        found = found[int(step)] if isinstance(found, list) else found[step]
    assert found == value


WRONG = [
    ("connect_timeout: 100ms", "!connect_timeout: is a duration in seconds, such as 5s or 0.1s, not '100ms'"),
    ("connect_timeout: 5", "!connect_timeout: is a duration in seconds, such as 5s or 0.1s, not '5'"),
    ("connect_timeout: [5s]", "!connect_timeout: is a duration in seconds, such as 5s or 0.1s, not a list"),
    ("connect_timeout: 999999999999s", "!connect_timeout: is a duration in seconds, such as 5s or 0.1s, not '999999999999s'"),
    ("type: SOMETIMES", "!type: is one of STATIC, STRICT_DNS, LOGICAL_DNS, EDS, ORIGINAL_DST, not 'SOMETIMES'"),
    ("type: 77", "!type: has no value 77"),
    ("max_requests_per_connection: -1", "!max_requests_per_connection: is from 0 to 4294967295, not -1"),
    ("max_requests_per_connection: 4294967296", "!max_requests_per_connection: is from 0 to 4294967295, not 4294967296"),
    ("max_requests_per_connection: 1.5", "!max_requests_per_connection: is a whole number, not '1.5'"),
    ("max_requests_per_connection: many", "!max_requests_per_connection: is a whole number, not 'many'"),
    ("max_requests_per_connection: .inf", "!max_requests_per_connection: is a whole number, not '.inf'"),
    ("max_requests_per_connection: 1e999", "!max_requests_per_connection: is a whole number, not '1e999'"),
    ("respect_dns_ttl: maybe", "!respect_dns_ttl: is true or false, not 'maybe'"),
    ("name: [a]", "!name: is a single value, not a list"),
    ("name: {a: b}", "!name: is a single value, not a mapping"),
    ("load_assignment: here", "!load_assignment: is a mapping with the fields of envoy.config.endpoint.v3.ClusterLoadAssignment, not 'here'"),
    ("common_lb_config: {healthy_panic_threshold: {value: half}}", "!common_lb_config.healthy_panic_threshold.value: is a number, not 'half'"),
    ("health_checks: {tcp_health_check: {send: {binary: '%%'}}}", "!health_checks[0].tcp_health_check.send.binary: is bytes in base64, not '%%'"),
    ("name: a\nname: b", "!name: is given twice"),
    ("typed_extension_protocol_options: [1]", "!typed_extension_protocol_options: is a mapping, not a list"),
    ("typed_extension_protocol_options: {a: {x: 1}}", '!typed_extension_protocol_options["a"]: needs @type once: type.googleapis.com/ and the name of a message'),
    ("typed_extension_protocol_options: {a: [1]}", '!typed_extension_protocol_options["a"]: is a mapping with @type, not a list'),
    ("metadata: {filter_metadata: {a: [1]}}", '!metadata.filter_metadata["a"]: is a mapping, not a list'),
    ("metadata: {filter_metadata: {a: {}, a: {}}}", '!metadata.filter_metadata["a"]: is given twice'),
    ("conect_timeout: 5s", "conect_timeout: is no field of envoy.config.cluster.v3.Cluster; connect_timeout is one"),
    ("xyzzy: 5s", "xyzzy: is no field of envoy.config.cluster.v3.Cluster"),
    ("[1]: 5s", "a list: is no field of envoy.config.cluster.v3.Cluster"),
    ("transport_socket: {typed_config: {'@type': type.googleapis.com/no.Such, a: 1}}", "transport_socket.typed_config: the type 'type.googleapis.com/no.Such' is not known"),
    ("dns_resolvers: [{pipe: {path: a}, socket_address: {address: b}}]", "!dns_resolvers[0].socket_address: cannot be given beside pipe"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "problem"), WRONG, ids=[text for text, _ in WRONG])
def test_what_cannot_be_read_is_named(text: str, problem: str) -> None:
    _, report = read(text, Cluster())
    assert [f"{'!' if each.fatal else ''}{each.path}: {each.message}" for each in report.problems] == [problem]


def test_problems_have_file_line_and_column() -> None:
    _, report = read("name: a\nconnect_timeout:\n  5 minutes\nhealth_checks:\n- timeout: 1s\n  what: 2\n", Cluster())
    assert [str(problem) for problem in report.problems] == [
        "file.yaml:2:1: connect_timeout: is a duration in seconds, such as 5s or 0.1s, not '5 minutes'",
        "file.yaml:6:3: health_checks[0].what: is no field of envoy.config.core.v3.HealthCheck",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "file.yaml: is empty"),
        ("# nothing\n", "file.yaml: is empty"),
        ("a: [1\nb: 2\n", "file.yaml:2:2: is neither YAML nor JSON: did not find expected ',' or ']'"),
        ("a: 1\n---\nb: 2\n", "file.yaml:2:1: is neither YAML nor JSON: but found another document"),
        ("a: \x01", "file.yaml: is neither YAML nor JSON: "),
        ("- 1", "file.yaml: is a mapping with the fields of envoy.config.cluster.v3.Cluster, not a list"),
    ],
)
def test_what_is_no_yaml_is_refused(text: str, problem: str) -> None:
    _, report = read(text, Cluster())
    assert len(report.problems) == 1
    assert str(report.problems[0]).startswith(problem)


@pytest.mark.parametrize(
    "text",
    [r'name: "\ud800"', r'metadata: {filter_metadata: {a: {"\ud800": "\udfff"}}}', r'{"\ud800": 1}', r'type: "\ud800"'],
)
def test_halves_of_characters_are_refused(text: str) -> None:
    _, report = read(text, Cluster())
    assert [problem.fatal for problem in report.problems] == [True]


def test_null_is_as_if_a_field_were_not_there() -> None:
    message, report = read("name:\nconnect_timeout: null\nhealth_checks: ~\nmetadata:\n", Cluster())
    assert report.problems == []
    assert message == Cluster()


def test_json_is_read_as_it_is() -> None:
    message, report = read('{"name": "a\\u00e9", "connectTimeout": "1s"}', Cluster())
    assert report.problems == []
    assert (message.name, message.connect_timeout.seconds) == ("aé", 1)


def test_any_type_of_the_packages_can_be_held() -> None:
    told = bootstrap(
        """
static_resources:
  listeners:
    access_log:
    - name: file
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
        path: /tmp/log
        log_format: {text_format_source: {inline_string: x}}
"""
    )
    assert told.problems == []
    held = unpack(told.value.static_resources.listeners[0].access_log[0].typed_config, Report().at())
    assert held is not None
    assert held.path == "/tmp/log"


@pytest.mark.parametrize("kind", ["udpa.type.v1.TypedStruct", "xds.type.v3.TypedStruct"])
def test_a_typed_struct_is_the_message_that_it_holds(kind: str) -> None:
    text = f"""
static_resources:
  listeners:
    filter_chains:
      filters:
        typed_config:
          "@type": type.googleapis.com/{kind}
          type_url: {PROXY}
          value:
            statPrefix: outbound
            idleTimeout: 1.5s
            codec: {{name: x, what: 1}}
"""
    told = bootstrap(text)
    packed = told.value.static_resources.listeners[0].filter_chains[0].filters[0].typed_config
    assert packed.type_url == PROXY
    held = unpack(packed, Report().at())
    assert held is not None
    assert (held.stat_prefix, held.idle_timeout.nanos) == ("outbound", 500_000_000)
    [problem] = told.problems
    assert problem.endswith("typed_config.codec.what: is no field of aeraki.meta_protocol_proxy.v1alpha.Codec")


def test_a_typed_struct_from_the_network_is_the_message_that_it_holds() -> None:
    outer = type_named("udpa.type.v1.TypedStruct")
    assert outer is not None
    struct = outer(type_url=PROXY)
    struct.value.update(
        {"statPrefix": "s", "tracing": {"maxTagLength": 5, "verbose": True}, "accessLog": [], "what": None}
    )
    packed = type_named("google.protobuf.Any")
    assert packed is not None
    message = packed()
    message.Pack(struct)
    report = Report()
    held = unpack(message, report.at("listener 'x'"))
    assert held is not None
    assert (held.stat_prefix, held.tracing.max_tag_length.value, held.tracing.verbose) == ("s", 5, True)
    assert [str(problem) for problem in report.problems] == [
        "listener 'x'.what: is no field of aeraki.meta_protocol_proxy.v1alpha.MetaProtocolProxy"
    ]


@pytest.mark.parametrize("name", ["os.path", "envoy", "", "envoy.no.such.Thing", "envoy.config.core.v3", "aeraki.Nothing",
                                  "google.protobuf.internal.decoder.Thing", "envoy.config.core.v3.base_pb2.Thing","envoy.config..v3.X", "envoy.a-b.X"])  # fmt: skip
def test_types_that_are_none_are_not_known(name: str) -> None:
    assert type_named(f"type.googleapis.com/{name}") is None


def test_bytes_that_are_not_of_the_type_are_refused() -> None:
    packed = type_named("google.protobuf.Any")
    assert packed is not None
    report = Report()
    assert unpack(packed(type_url=PROXY, value=b"\xff"), report.at("a")) is None
    assert [str(each) for each in report.problems] == [
        "a: is no valid aeraki.meta_protocol_proxy.v1alpha.MetaProtocolProxy"
    ]


def test_aliases_that_never_end_are_refused() -> None:
    _, report = read("metadata: &a {x: *a}", Node())
    assert [problem.message for problem in report.problems] == [f"is nested deeper than {MAX_DEPTH} levels"]


def test_aliases_that_blow_up_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    _, report = read("metadata:\n" + "\n".join(f"  {line}" for line in lines), Node())
    assert re.match(r"is one value too many: there may be 1000000", report.problems[0].message)


def test_every_message_of_a_bootstrap_is_walked() -> None:
    """What protobuf itself writes as JSON reads back as it was."""
    message = Bootstrap()
    message.node.id = "a"
    message.node.metadata.update({"a": [1, {"b": None}]})
    cluster = message.static_resources.clusters.add(name="c", type="EDS")
    cluster.connect_timeout.nanos = 1
    cluster.health_checks.add().tcp_health_check.send.binary = b"\x00\xff"
    cluster.metadata.CopyFrom(Metadata(filter_metadata={"x": Struct()}))
    struct = Struct()
    struct.update(MessageToDict(message))
    again = Bootstrap()
    report = Report()
    read_struct(struct, again, report.at())
    assert report.problems == []
    assert again == message
    text = Bootstrap()
    from google.protobuf.json_format import MessageToJson

    read_text(MessageToJson(message), text, report.at())
    assert text == message
