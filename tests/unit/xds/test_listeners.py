"""Listeners and their filter: what they become, and what is said of what is not done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from envoy.config.listener.v3.listener_pb2 import Listener as ListenerMessage
from google.protobuf.any_pb2 import Any as Any_
from google.protobuf.struct_pb2 import Struct, Value
from kit.xds import PROXY, meta_listener, read_listener

import metaprotocol
from metaprotocol.xds import Context, Report, SourceKind, listener
from metaprotocol.xds.gen.aeraki.meta_protocol_proxy.v1alpha.meta_protocol_proxy_pb2 import MetaProtocolProxy

ROUTES = "route_config: {routes: [{route: {cluster: c}}]}"
BASE = f"stat_prefix: s\napplication_protocol: shop\ncodec: {{name: dubbo}}\n{ROUTES}"
PREFIX = "aeraki.meta_protocol.filters."
CODEC = "aeraki.meta_protocol.codec."
LIMIT = "aeraki.meta_protocol_proxy.filters.local_ratelimit.v1alpha.LocalRateLimit"
GLOBAL = "aeraki.meta_protocol_proxy.filters.ratelimit.v1alpha.RateLimit"


def replaced(old: str, new: str) -> str:
    assert old in BASE
    return BASE.replace(old, new)


def test_the_least_that_is_needed() -> None:
    told = meta_listener(BASE)
    assert told.problems == []
    assert told.value.config == {
        "address": "127.0.0.1:1",
        "stat_prefix": "s",
        "codecs": ["dubbo"],
        "application_protocol": "shop",
        "routes": "static/in",
    }
    assert told.value.table == {"routes": [{"name": "", "to": {"cluster": "c"}}]}
    assert (told.value.source, told.value.direction) == (None, "unspecified")


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("dubbo", "dubbo"),
        (f"{CODEC}dubbo", "dubbo"),
        (f"{CODEC}Thrift", "thrift"),
        (f"{CODEC}zork", "zork"),
        (f"{CODEC}kafka", "kafka"),
        (f"{CODEC}redis", "redis"),
        ("orderwire", "orderwire"),
        (f"{CODEC}orderwire", "orderwire"),
    ],
)
def test_codecs_go_by_their_names_and_those_of_metaprotocol_proxy(
    name: str, codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from metaprotocol import _registry

    # A codec without an alias, as programs register them.
    monkeypatch.setitem(_registry._codecs, "orderwire", type("Orderwire", (), {"name": "orderwire"})())
    told = meta_listener(replaced("codec: {name: dubbo}", f"codec: {{name: {name}}}"))
    assert told.problems == []
    assert told.value.config["codecs"] == [codec]


def test_the_newer_spelling_goes_before_the_older() -> None:
    told = meta_listener(f"{BASE}\nprotocol: {{name: orders, codec: {{name: thrift}}, multiplexing: true}}")
    assert told.problems == []
    assert (told.value.config["application_protocol"], told.value.config["codecs"]) == ("orders", ["thrift"])
    told = meta_listener(f"{BASE}\nprotocol: {{multiplexing: true}}")
    assert (told.value.config["application_protocol"], told.value.config["codecs"]) == ("shop", ["dubbo"])


def test_a_codec_in_a_file_is_loaded_for_a_bootstrap_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from metaprotocol import _registry

    monkeypatch.setattr(_registry, "_codecs", dict(_registry._codecs))
    path = tmp_path / "note.yaml"
    description = (Path(__file__).parents[3] / "codecs" / "zork" / "zork.yaml").read_text()
    path.write_text(
        description.replace("name: zork", "name: note").replace("aliases: [aeraki.meta_protocol.codec.zork]", "")
    )
    text = replaced("codec: {name: dubbo}", f"codec: {{name: {path}}}")
    assert meta_listener(text).problems == ["!codec.name: is a file; only a bootstrap file may name one"]
    told = meta_listener(text, Context(load_codecs=True))
    assert told.problems == []
    assert told.value.config["codecs"] == ["note"]
    assert metaprotocol.get_codec("note").name == "note"
    assert meta_listener(text, Context(load_codecs=True)).problems == []
    path.write_text(path.read_text().replace("name: note", "name: dubbo"))
    assert meta_listener(text, Context(load_codecs=True)).problems == [
        "!codec.name: a codec called 'dubbo' exists; pass replace=True to take its place"
    ]
    path.write_text("name: note")
    [problem] = meta_listener(text, Context(load_codecs=True)).problems
    assert problem.startswith("!codec.name: ")
    path.unlink()
    [problem] = meta_listener(text, Context(load_codecs=True)).problems
    assert "No such file" in problem


def test_times_and_sizes() -> None:
    told = meta_listener(
        f"{BASE}\nidle_timeout: 0.0001s\nmax_connection_age: 10s\nmax_frame_bytes: 100",
        head="per_connection_buffer_limit_bytes: 4096",
    )
    assert told.problems == []
    config = told.value.config
    assert (config["idle_timeout"], config["max_connection_age"]) == (1, 10_000)
    assert (config["max_frame_len"], config["buffer_limit"]) == (100, 4096)
    assert "idle_timeout" not in meta_listener(f"{BASE}\nidle_timeout: 0s").value.config


@pytest.mark.parametrize("direction", ["INBOUND", "OUTBOUND", "UNSPECIFIED"])
def test_filters_are_told_the_direction(direction: str) -> None:
    filters = f"meta_protocol_filters: [{{name: {PREFIX}istio_stats}}, {{name: {PREFIX}router}}]"
    told = meta_listener(f"{BASE}\n{filters}", head=f"traffic_direction: {direction}")
    assert told.problems == []
    assert told.value.direction == direction.lower()
    assert told.value.config["filters"] == [
        {"name": f"{PREFIX}istio_stats", "config": {"direction": direction.lower(), "destination_service": ""}}
    ]


def test_routes_that_are_discovered() -> None:
    rds = "rds: {route_config_name: orders_7070, config_source: {ads: {}, initial_fetch_timeout: 0s}}"
    told = meta_listener(replaced(ROUTES, rds))
    assert told.problems == []
    assert (told.value.config["routes"], told.value.table) == ("orders_7070", None)
    assert told.value.source.kind is SourceKind.ADS
    assert told.value.source.initial_fetch_timeout == 0


def test_a_listener_without_a_name_is_called_after_its_address() -> None:
    told = read_listener(
        f"""
address: {{socket_address: {{address: 0.0.0.0, port_value: 7}}}}
filter_chains:
  filters:
    typed_config: {{"@type": {PROXY}, stat_prefix: s, application_protocol: p, codec: {{name: dubbo}}, {ROUTES}}}
"""
    )
    assert told.problems == []
    assert (told.value.name, told.value.config["routes"]) == ("0.0.0.0:7", "static/0.0.0.0:7")


def test_detection_among_several_codecs() -> None:
    detect = "config: {'@type': type.googleapis.com/metaprotocol.proxy.v1.Detect, %s}"
    text = replaced("codec: {name: dubbo}", f"codec: {{name: {CODEC}auto, {detect}}}")
    told = meta_listener(text % "codecs: [{name: dubbo}, {name: redis}]")
    assert told.problems == []
    assert told.value.config["codecs"] == ["dubbo", "redis"]
    assert "unknown_to" not in told.value.config
    for body, problems in [
        ("codecs: [{name: dubbo}]", ["codecs: needs two at least; one alone is given by its name instead"]),
        ("codecs: [{name: dubbo}, {name: dubbo}]", ["codecs[1]: dubbo is given twice"]),
        ("codecs: [{name: dubbo}, {name: redis}], timeout: 0s", ["timeout: is more than 0"]),
        ("codecs: [{name: dubbo}, {name: redis}], max_bytes: 0", ["max_bytes: is at least 1"]),
    ]:
        assert meta_listener(text % body).problems == [f"!codec.config.{problem}" for problem in problems]
    told = meta_listener(
        text % "codecs: [{name: dubbo}, {name: redis}], unknown_to: x", Context(clusters=frozenset("c"))
    )
    assert told.problems == ["codec.config.unknown_to: there is no cluster 'x': connections are closed"]
    told = meta_listener(replaced("codec: {name: dubbo}", f"codec: {{name: {CODEC}auto}}"))
    assert told.problems == ["!codec.config: is needed: a metaprotocol.proxy.v1.Detect with the codecs to tell apart"]


WRONG = [
    (replaced("stat_prefix: s", ""), ["!stat_prefix: is needed"]),
    (replaced("application_protocol: shop", ""), ["!protocol.name: is needed: what users call the protocol"]),
    (replaced("codec: {name: dubbo}", ""), [f"!protocol.codec: is needed: a name such as {CODEC}dubbo"]),
    (replaced("{name: dubbo}", "{name: dubbos}"), ["!codec.name: no codec is called 'dubbos'; did you mean dubbo? (metaprotocol.list_codecs() names them all)"]),
    (replaced("{name: dubbo}", "{name: ''}"), ["!codec.name: is needed"]),
    (
        replaced("{name: dubbo}", "{name: dubbo, config: {'@type': type.googleapis.com/google.protobuf.Struct, value: {a: 1}}}"),
        ["codec.config: is not supported, and has no effect: this codec takes no configuration"],
    ),
    (replaced(ROUTES, ""), ["!: needs rds or route_config: where messages go"]),
    (replaced(ROUTES, "rds: {route_config_name: r}"), ["!rds.config_source: is needed"]),
    (replaced(ROUTES, "rds: {config_source: {ads: {}}}"), ["!rds.route_config_name: is needed"]),
    (BASE + "\nidle_timeout: -1s", ["!idle_timeout: is less than no time"]),
    (BASE + "\nmax_frame_bytes: 0", ["!max_frame_bytes: is at least 1"]),
    (BASE + "\naccess_log: [{name: a}]\ntracing: {}", ["tracing: is not supported, and has no effect", "access_log: is not supported, and has no effect"]),
    (
        BASE + f"\nmeta_protocol_filters: [{{name: {PREFIX}metadata_exchange}}]",
        [f"meta_protocol_filters: does not end with {PREFIX}router: it is added"],
    ),
    (BASE + "\nmeta_protocol_filters: [{}]", ["!meta_protocol_filters[0].name: is needed", f"meta_protocol_filters: does not end with {PREFIX}router: it is added"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "problems"), WRONG)
def test_what_is_wrong_with_the_filter_is_named(text: str, problems: list[str]) -> None:
    assert sorted(meta_listener(text).problems) == sorted(problems)


CHAIN = f'filters: [{{typed_config: {{"@type": {PROXY}, stat_prefix: s, application_protocol: p, codec: {{name: dubbo}}, {ROUTES}}}}}]'
ADDRESS = "address: {socket_address: {address: 127.0.0.1, port_value: 1}}"
LISTENERS = [
    ("", ADDRESS, ["!filter_chains: needs one filter chain"]),
    (f"filter_chains: [{{{CHAIN}}}]", "", ["!address: needs a socket_address"]),
    (f"filter_chains: [{{{CHAIN}}}]", "address: {pipe: {path: /x}}", ["!address.pipe: is not supported: addresses are socket_address"]),
    (
        f"filter_chains: [{{{CHAIN}}}]",
        "address: {socket_address: {address: 127.0.0.1, named_port: http}}",
        ["!address.socket_address.named_port: is not supported: ports are numbers"],
    ),
    (
        f"filter_chains: [{{{CHAIN}}}]",
        "address: {socket_address: {address: 127.0.0.1, port_value: 70000}}",
        ["!address.socket_address.port_value: is from 0 to 65535, not 70000"],
    ),
    (
        f"filter_chains: [{{{CHAIN}}}]",
        "address: {socket_address: {address: localhost, port_value: 7}}",
        ["!address.socket_address.address: is an address of IPv4 or IPv6, such as 127.0.0.1, not 'localhost'"],
    ),
    (
        f"filter_chains: [{{{CHAIN}}}]",
        "address: {socket_address: {protocol: UDP, address: 127.0.0.1, port_value: 7}}",
        ["!address.socket_address.protocol: is not supported: protocols are carried by TCP"],
    ),
    (
        f"filter_chains: [{{{CHAIN}}}, {{{CHAIN}}}]",
        ADDRESS,
        ["!filter_chains[1]: is not supported: a listener has one filter chain, for all connections"],
    ),
    (
        f"filter_chains: [{{{CHAIN}, filter_chain_match: {{destination_port: 80, transport_protocol: raw_buffer}}}}]",
        ADDRESS,
        ["!filter_chains[0].filter_chain_match.destination_port: is not supported: a listener has one filter chain, for all connections"],
    ),
    (
        f"filter_chains: [{{{CHAIN}, filter_chain_match: {{transport_protocol: tls}}}}]",
        ADDRESS,
        ["!filter_chains[0].filter_chain_match.transport_protocol: is not supported: the listener is plain TCP: nothing is encrypted"],
    ),
    (
        f"filter_chains: [{{{CHAIN}, transport_socket: {{name: envoy.transport_sockets.tls}}}}]",
        ADDRESS,
        ["!filter_chains[0].transport_socket: is not supported: the listener is plain TCP: nothing is encrypted"],
    ),
    (f"filter_chains: [{{{CHAIN}, transport_socket: {{name: envoy.transport_sockets.raw_buffer}}}}]", ADDRESS, []),
    (f"filter_chains: [{{{CHAIN}}}]\nbind_to_port: false", ADDRESS, ["!bind_to_port: is not supported: a listener has a socket of its own"]),
    (f"filter_chains: [{{{CHAIN}}}]\nper_connection_buffer_limit_bytes: 0", ADDRESS, ["!per_connection_buffer_limit_bytes: is at least 1"]),
    (f"filter_chains: [{{{CHAIN}}}]\ntransparent: true", ADDRESS, ["transparent: is not supported, and has no effect"]),
    (
        f"filter_chains: [{{{CHAIN}}}]\nlistener_filters: [{{name: envoy.filters.listener.tls_inspector}}, {{name: x}}]",
        ADDRESS,
        ["listener_filters[1]: is not supported, and has no effect: there is no listener filter 'x'"],
    ),
    ("filter_chains: [{filters: []}]", ADDRESS, [f"!filter_chains[0].filters: needs a filter: one whose typed_config is a {PROXY[20:]}"]),
    ("filter_chains: [{filters: [{name: x}]}]", ADDRESS, [f"!filter_chains[0].filters[0].typed_config: is needed: a {PROXY[20:]}"]),
    (
        "filter_chains: [{filters: [{name: x, typed_config: {'@type': type.googleapis.com/google.protobuf.Struct}}]}]",
        ADDRESS,
        [f"!filter_chains[0].filters[0].typed_config: is a google.protobuf.Struct; known are {PROXY[20:]} and envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"],
    ),
    (
        f"filter_chains: [{{{CHAIN.replace('filters: [', 'filters: [{name: envoy.filters.network.rbac}, ')}}}]",
        ADDRESS,
        ["filter_chains[0].filters[0]: is not supported, and has no effect: there is no network filter 'envoy.filters.network.rbac'"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "address", "problems"), LISTENERS)
def test_what_is_wrong_with_a_listener_is_named(text: str, address: str, problems: list[str]) -> None:
    assert read_listener(f"{address}\n{text}").problems == problems


def tcp(text: str, context: Context | None = None) -> Any:
    kind = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
    return read_listener(
        f"name: t\n{ADDRESS}\nfilter_chains: [{{filters: [{{typed_config: {{'@type': {kind}, {text}}}}}]}}]", context
    )


def test_a_listener_of_plain_tcp() -> None:
    told = tcp("stat_prefix: s, cluster: c, idle_timeout: 0s")
    assert told.problems == []
    assert told.value.config == {
        "address": "127.0.0.1:1",
        "codecs": [],
        "routes": "",
        "stat_prefix": "s",
        "application_protocol": "tcp",
        "unknown_to": "c",
    }
    at = "filter_chains[0].filters[0].typed_config"
    assert tcp("stat_prefix: s").problems == [f"!{at}.cluster: is needed: where bytes go"]
    assert tcp("cluster: x", Context(clusters=frozenset("c"))).problems == [
        f"{at}.cluster: there is no cluster 'x': connections are closed"
    ]


def limit(text: str, kind: str = LIMIT, name: str = "local_ratelimit", context: Context | None = None) -> Any:
    return meta_listener(
        f"""{BASE}
meta_protocol_filters:
- name: {PREFIX}{name}
  config: {{"@type": type.googleapis.com/{kind}, {text}}}
- name: {PREFIX}router""",
        context,
    )


BUCKET = "{max_tokens: 1, fill_interval: 1s}"
LIMITS = [
    (LIMIT, f"token_bucket: {BUCKET}", ["stat_prefix: is needed"]),
    (LIMIT, "stat_prefix: s", [": needs a token_bucket, or conditions"]),
    (LIMIT, "stat_prefix: s, token_bucket: {fill_interval: 1s}", ["token_bucket.max_tokens: is at least 1"]),
    (LIMIT, "stat_prefix: s, token_bucket: {max_tokens: 1}", ["token_bucket.fill_interval: is at least 50 ms"]),
    (LIMIT, "stat_prefix: s, token_bucket: {max_tokens: 1, fill_interval: 1s, tokens_per_fill: 0}", ["token_bucket.tokens_per_fill: is at least 1"]),
    (LIMIT, "stat_prefix: s, conditions: [{}]", ["conditions[0].match: is needed", "conditions[0].token_bucket: is needed"]),
    (GLOBAL, "descriptors: [{property: p, descriptor_key: d}], rate_limit_service: {grpc_service: {envoy_grpc: {cluster_name: c}}}", ["domain: is needed"]),
    (GLOBAL, "domain: d, rate_limit_service: {grpc_service: {envoy_grpc: {cluster_name: c}}}", ["descriptors: needs one at least"]),
    (GLOBAL, "domain: d, descriptors: [{property: p}], rate_limit_service: {grpc_service: {envoy_grpc: {cluster_name: c}}}", ["descriptors[0].descriptor_key: is needed"]),
    (GLOBAL, "domain: d, descriptors: [{property: p, descriptor_key: d}]", ["rate_limit_service: is needed"]),
    (GLOBAL, "domain: d, descriptors: [{property: p, descriptor_key: d}], rate_limit_service: {}", ["rate_limit_service.grpc_service: needs envoy_grpc with the name of a cluster"]),
    (GLOBAL, "domain: d, descriptors: [{property: p, descriptor_key: d}], rate_limit_service: {grpc_service: {google_grpc: {target_uri: a}}}", ["rate_limit_service.grpc_service: needs envoy_grpc with the name of a cluster"]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "problems"), LIMITS)
def test_what_is_wrong_with_a_limit_is_named(kind: str, text: str, problems: list[str]) -> None:
    name = "local_ratelimit" if kind == LIMIT else "ratelimit"
    at = "!meta_protocol_filters[0].config"
    told = limit(text, kind, name).problems
    assert told == [f"{at}{problem}" if problem.startswith(":") else f"{at}.{problem}" for problem in problems]


def test_a_filter_reads_its_own_message() -> None:
    told = limit("domain: d", GLOBAL, "local_ratelimit")
    assert told.problems == [f"!meta_protocol_filters[0].config: is a {GLOBAL}; {PREFIX}local_ratelimit reads {LIMIT}"]


def test_configurations_of_filters_that_are_no_json_are_refused() -> None:
    told = limit("value: {a: 1}", "google.protobuf.Struct", "ours")
    assert told.value.config["filters"][0]["config"] == {"a": 1}
    message = ListenerMessage()
    message.CopyFrom(told.value.message)
    [proxy] = message.filter_chains[0].filters
    inner = MetaProtocolProxy()
    proxy.typed_config.Unpack(inner)
    for held, why in [
        (Struct(fields={"a": Value(number_value=float("nan"))}), "cannot be written as JSON: "),
        (Any_(type_url="x/y.Z", value=b"\x01"), "cannot be written as JSON: "),
    ]:
        inner.meta_protocol_filters[0].config.Pack(held)
        proxy.typed_config.Pack(inner)
        report = Report()
        listener(message, report.at(), Context())
        [problem] = report.problems
        assert problem.fatal
        assert problem.message.startswith(why)


def test_filters_that_the_data_path_lacks_are_reported_and_left_out() -> None:
    text = f"stat_prefix: s, token_bucket: {BUCKET}"
    told = limit(text, context=Context(filters=frozenset()))
    name = f"{PREFIX}local_ratelimit"
    assert told.problems == [
        f"meta_protocol_filters[0]: is not supported, and has no effect: there is no filter {name}"
    ]
    assert "filters" not in told.value.config
    assert [
        each["name"] for each in limit(text, context=Context(filters=frozenset({name}))).value.config["filters"]
    ] == [name]


def test_a_filter_that_nobody_knows_is_left_out_and_so_is_what_it_reads() -> None:
    told = limit("a: 1", "aeraki.meta_protocol_proxy.filters.gone.v1alpha.Gone", "gone", Context(filters=frozenset()))
    assert told.problems == [
        f"meta_protocol_filters[0]: is not supported, and has no effect: there is no filter {PREFIX}gone",
        "meta_protocol_filters[0].config: the type "
        "'type.googleapis.com/aeraki.meta_protocol_proxy.filters.gone.v1alpha.Gone' is not known",
    ]
    assert told.value.config["codecs"] == ["dubbo"]
