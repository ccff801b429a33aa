"""Bootstrap files as a whole: what hangs together, what is refused, and where it says it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from metaprotocol.xds import Admin, ConfigError, GrpcTarget, Loaded, Problem, SourceKind, load
from metaprotocol.xds.tls import Pem, SecretSource, Tls

if TYPE_CHECKING:
    from pathlib import Path

PROXY = "type.googleapis.com/aeraki.meta_protocol_proxy.v1alpha.MetaProtocolProxy"
LISTENER = f"""\
static_resources:
  listeners:
  - name: in
    address: {{socket_address: {{address: 127.0.0.1, port_value: 1}}}}
    filter_chains:
    - filters:
      - name: aeraki.meta_protocol_proxy
        typed_config:
          "@type": {PROXY}
          stat_prefix: s
          application_protocol: dubbo
          codec: {{name: dubbo}}
          route_config:
            routes:
            - route: {{cluster: c}}
"""
CLUSTERS = """\
  clusters:
  - name: c
    load_assignment: {}
"""


def read(folder: Path, text: str, **how: bool) -> Loaded:
    path = folder / "b.yaml"
    path.write_text(text)
    return load(path, **how)


def told(folder: Path, text: str, **how: bool) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        read(folder, text, **how)
    assert str(raised.value) == "\n".join(map(str, raised.value.problems))
    return [str(problem).removeprefix(f"{folder}/") for problem in raised.value.problems]


def test_strict_refuses_what_is_otherwise_left_out(tmp_path: Path) -> None:
    text = LISTENER + "          acess_log: []\n          tracing: {}\n" + CLUSTERS
    at = "static_resources.listeners[0].filter_chains[0].filters[0].typed_config"
    expected = [
        f"b.yaml:16:11: {at}.acess_log: is no field of aeraki.meta_protocol_proxy.v1alpha.MetaProtocolProxy; access_log is one",
        f"b.yaml:17:11: {at}.tracing: is not supported, and has no effect",
    ]  # fmt: skip
    assert [str(problem).removeprefix(f"{tmp_path}/") for problem in read(tmp_path, text).problems] == expected
    assert told(tmp_path, text, strict=True) == expected
    assert read(tmp_path, LISTENER + CLUSTERS, strict=True).problems == ()


def test_everything_wrong_is_said_at_once_with_its_line(tmp_path: Path) -> None:
    text = LISTENER.replace("codec: {name: dubbo}", "codec: {name: nobody}").replace("route: {cluster: c}", "name: x")
    at = "static_resources.listeners[0].filter_chains[0].filters[0].typed_config"
    assert told(tmp_path, text + CLUSTERS.replace("load_assignment: {}", "connect_timeout: 1")) == [
        f"b.yaml:12:19: {at}.codec.name: no codec is called 'nobody' (metaprotocol.list_codecs() names them all)",
        f"b.yaml:15:15: {at}.route_config.routes[0].route: needs cluster or weighted_clusters: where messages go",
        "b.yaml:17:5: static_resources.clusters[0].load_assignment: is needed: the hosts of a cluster of type STATIC",
        "b.yaml:18:5: static_resources.clusters[0].connect_timeout: is a duration in seconds, such as 5s or 0.1s, not '1'",
    ]  # fmt: skip


def test_clusters_that_are_not_there_are_reported_unless_they_may_come(tmp_path: Path) -> None:
    [problem] = read(tmp_path, LISTENER).problems
    assert problem.message == "there is no cluster 'c': its messages are answered with an error"
    dynamic = "dynamic_resources: {ads_config: {api_type: GRPC, grpc_services: {google_grpc: {target_uri: a}}}, cds_config: {ads: {}}}"
    assert read(tmp_path, LISTENER + dynamic).problems == ()


def test_where_the_rest_is_discovered(tmp_path: Path) -> None:
    text = """
node: {id: n, locality: {zone: z}}
dynamic_resources:
  ads_config: {api_type: DELTA_GRPC, transport_api_version: V3, set_node_on_first_message_only: true, grpc_services: [{envoy_grpc: {cluster_name: xds, authority: a}, timeout: 3s, initial_metadata: [{key: k, value: v}]}]}
  cds_config: {ads: {}, resource_api_version: V3}
  lds_config: {path_config_source: {path: /lds.yaml}}
static_resources:
  clusters:
  - name: xds
    transport_socket:
      name: envoy.transport_sockets.tls
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
        sni: xds.test
        common_tls_context: {validation_context: {trusted_ca: {inline_string: pem}}}
    load_assignment: {}
"""
    loaded = read(tmp_path, text)
    assert loaded.problems == ()
    assert loaded.tls == {"xds": Tls(Pem(b"pem"), "xds.test")}
    ads = loaded.dynamic.ads
    assert ads is not None
    assert ads.target is not None
    assert (ads.kind, ads.delta, ads.node_on_first_only) == (SourceKind.ADS, True, True)
    assert (ads.target.cluster, ads.target.authority, ads.target.timeout) == ("xds", "a", 3000)
    assert ads.target.metadata == (("k", "v"),)
    assert loaded.dynamic.clusters is not None
    assert loaded.dynamic.clusters.kind is SourceKind.ADS
    assert loaded.dynamic.listeners is not None
    assert loaded.dynamic.listeners.path == "/lds.yaml"
    assert loaded.node.locality.zone == "z"
    # The data path cannot encrypt, and need not know who is asked.
    assert loaded.update() == {"listeners": {}, "clusters": {}, "routes": {}}
    assert not loaded.context.load_codecs
    assert loaded.context.clusters is None


SECRET = """{{name: {name}, sds_config: {{resource_api_version: V3, initial_fetch_timeout: 0s, api_config_source: {{api_type: GRPC, transport_api_version: V3, set_node_on_first_message_only: true, grpc_services: [{{envoy_grpc: {{cluster_name: sds-grpc}}}}]}}}}}}"""
AERAKI = f"""\
static_resources:
  clusters:
  - name: aeraki-xds
    type: STRICT_DNS
    connect_timeout: 1s
    max_requests_per_connection: 1
    circuit_breakers: {{thresholds: [{{max_connections: 100000, max_pending_requests: 100000, max_requests: 100000}}, {{priority: HIGH, max_connections: 100000}}]}}
    http2_protocol_options: {{}}
    upstream_connection_options: {{tcp_keepalive: {{keepalive_time: 300}}}}
    load_assignment:
      cluster_name: aeraki-xds
      endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: {{address: aeraki.istio-system, port_value: 15010}}}}}}}}]}}]
    transport_socket:
      name: envoy.transport_sockets.tls
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
        common_tls_context:
          alpn_protocols: [h2]
          tls_certificate_sds_secret_configs: [{SECRET.format(name="default")}]
          validation_context_sds_secret_config: {SECRET.format(name="ROOTCA")}
"""
AGENT = """\
  - name: sds-grpc
    type: STATIC
    http2_protocol_options: {}
    load_assignment: {endpoints: [{lb_endpoints: [{endpoint: {address: {pipe: {path: ./var/run/secrets/socket}}}}]}]}
"""


def test_the_bootstrap_of_aeraki_is_taken_as_far_as_it_goes(tmp_path: Path) -> None:
    """It is merged over Istio's, which has the cluster of the secrets; alone it has nobody to get them from."""
    at = "static_resources.clusters[0]"
    keepalive = f"b.yaml:9:5: {at}.upstream_connection_options: is not supported, and has no effect"
    messages = f"b.yaml:13:5: {at}.transport_socket: is not supported for messages, but for discovery: messages for this cluster are answered with an error"
    alone = f"b.yaml:13:5: {at}.transport_socket: is not supported: its secrets come through the cluster 'sds-grpc', which the file does not have; nothing can be discovered through 'aeraki-xds'"
    loaded = read(tmp_path, AERAKI)
    assert [str(each).removeprefix(f"{tmp_path}/") for each in loaded.problems] == [keepalive, alone, messages]
    assert loaded.tls == {}
    assert told(tmp_path, AERAKI, strict=True) == [keepalive, alone, messages]
    loaded = read(tmp_path, AERAKI + AGENT)
    assert [str(each).removeprefix(f"{tmp_path}/") for each in loaded.problems] == [keepalive, messages]
    agent = GrpcTarget("sds-grpc")
    assert loaded.tls == {"aeraki-xds": Tls(SecretSource("ROOTCA", agent), "", SecretSource("default", agent))}
    # The data path reaches neither.
    assert loaded.update() == {"listeners": {}, "clusters": {}, "routes": {}}


def test_secrets_that_are_needed_and_cannot_come_are_refused(tmp_path: Path) -> None:
    dynamic = "dynamic_resources: {cds_config: {api_config_source: {api_type: GRPC, grpc_services: {envoy_grpc: {cluster_name: aeraki-xds}}}}}\n"
    assert read(tmp_path, AERAKI + AGENT + dynamic).tls.keys() == {"aeraki-xds"}
    at = "static_resources.clusters[0].transport_socket"
    missing = f"b.yaml:13:5: {at}: has secrets that come through the cluster 'sds-grpc', which the file does not have"
    assert missing in told(tmp_path, AERAKI + dynamic)
    circle = AERAKI.replace("aeraki-xds", "sds-grpc")
    assert (
        f"b.yaml:13:5: {at}: has secrets that come through the cluster 'sds-grpc', whose own would have to come first"
        in told(tmp_path, circle)
    )
    delta = AERAKI.replace("api_type: GRPC", "api_type: DELTA_GRPC")
    assert [each for each in told(tmp_path, delta) if "secrets come by an api_config_source of type GRPC" in each]


def test_a_unix_socket_is_for_discovery_alone(tmp_path: Path) -> None:
    [problem] = read(tmp_path, "static_resources:\n  clusters:\n" + AGENT).problems
    assert problem.path == "static_resources.clusters[0].load_assignment"
    assert problem.message.startswith("has a Unix socket, which is for discovery")


TOGETHER = [
    (CLUSTERS.replace("  clusters:", "static_resources:\n  clusters:") * 1 + "  - {name: c, load_assignment: {}}\n", "b.yaml:2:3: static_resources.clusters: has 2 items called 'c'"),
    ("cluster_manager: {local_cluster_name: me}\n", "b.yaml:1:19: cluster_manager.local_cluster_name: there is no static cluster 'me'"),
    ("dynamic_resources: {lds_config: {ads: {}}}\nstatic_resources: {}\n", "b.yaml:2:1: static_resources: has something that comes by ads, but dynamic_resources.ads_config does not say from where"),
    ("dynamic_resources: {lds_config: {api_config_source: {api_type: GRPC, grpc_services: {envoy_grpc: {cluster_name: x}}}}}\nstatic_resources: {}\n", "b.yaml:2:1: static_resources: has no cluster 'x', which configuration is to be discovered through"),
    ("dynamic_resources: {lds_config: {api_config_source: {api_type: REST, cluster_names: [x]}}}\n", "b.yaml:1:54: dynamic_resources.lds_config.api_config_source.api_type: is not supported: GRPC and DELTA_GRPC are"),
    ("dynamic_resources: {lds_config: {api_config_source: {api_type: GRPC}}}\n", "b.yaml:1:34: dynamic_resources.lds_config.api_config_source.grpc_services: needs one service"),
    ("dynamic_resources: {lds_config: {api_config_source: {api_type: GRPC, grpc_services: [{}]}}}\n", "b.yaml:1:86: dynamic_resources.lds_config.api_config_source.grpc_services[0]: needs envoy_grpc with the name of a cluster"),
    ("dynamic_resources: {lds_config: {}}\n", "b.yaml:1:21: dynamic_resources.lds_config: needs ads, api_config_source or path_config_source"),
    ("dynamic_resources: {lds_config: {path: ''}}\n", "b.yaml:1:34: dynamic_resources.lds_config.path: needs a path"),
    ("dynamic_resources: {lds_config: {ads: {}, resource_api_version: V2}}\n", "b.yaml:1:43: dynamic_resources.lds_config.resource_api_version: is not supported: V3 is"),
    ("static_resources: {clusters: [{name: c, load_assignment: {}, transport_socket: {name: tls}}]}\n", "b.yaml:1:62: static_resources.clusters[0].transport_socket.typed_config: is needed: a envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"),
    ("static_resources: {clusters: [{name: c, type: EDS, eds_cluster_config: {eds_config: {path: /x}}, transport_socket: {name: tls}}]}\n", "b.yaml:1:98: static_resources.clusters[0].transport_socket: is not supported: hosts would get in plain what is to be encrypted"),
    ("static_resources: {clusters: [{name: c, load_assignment: {endpoints: [{lb_endpoints: [{endpoint: {address: {pipe: {}}}}]}]}}]}\n", "b.yaml:1:109: static_resources.clusters[0].load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.pipe.path: is needed"),
    ("admin: {address: {pipe: {path: x}}}\n", "b.yaml:1:19: admin.address.pipe: is not supported: addresses are socket_address"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "problem"), TOGETHER)
def test_what_does_not_hang_together_is_refused(text: str, problem: str, tmp_path: Path) -> None:
    assert problem in told(tmp_path, text)


def test_files_of_json_may_be_indented_with_tabs(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    path.write_text(
        '{\n\t"admin": {\n\t\t"address": {"socketAddress": {"address": "::1", "portValue": 9901}}\n\t}\n}\n'
    )
    assert load(path).admin == Admin("::1", 9901)


def test_files_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "b.yaml"
    path.write_bytes(b"node: \xff")
    with pytest.raises(ConfigError, match=r"is no text in UTF-8: byte 6 is 0xff"):
        load(path)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.yaml")


def test_a_problem_without_a_file() -> None:
    assert str(Problem("a.b", "is wrong", True)) == "a.b: is wrong"
