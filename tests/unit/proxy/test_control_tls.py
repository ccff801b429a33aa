"""Control planes behind TLS."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from kit.control_plane import CDS, SDS, ControlPlane
from kit.proxying import (
    Upstream,
    ask,
    bootstrap,
    cluster_message,
    control,
    eventually,
    grpc_source,
    in_loop,
    listener,
    message,
    static,
    to,
)

from metaprotocol.proxy import Proxy
from metaprotocol.proxy._backoff import Backoff
from metaprotocol.proxy._logs import fields_of
from metaprotocol.xds import ConfigError

CONTEXT = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"


def socket(common: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {"@type": CONTEXT, "common_tls_context": common, **fields},
    }


def config(port: int, transport: dict[str, Any]) -> dict[str, Any]:
    return bootstrap(
        clusters=[control(port, transport_socket=transport)], dynamic_resources={"cds_config": grpc_source()}
    )


@in_loop
async def test_both_ends_show_certificates(tmp_path: Path) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    server, client = authority.issue_cert("control.test"), authority.issue_cert("proxy.test")
    trusted = authority.cert_pem.bytes()
    chain = b"".join(pem.bytes() for pem in server.cert_chain_pems)
    credentials = grpc.ssl_server_credentials([(server.private_key_pem.bytes(), chain)], trusted, True)
    (tmp_path / "ca.pem").write_bytes(trusted)
    (tmp_path / "other.pem").write_bytes(stranger.cert_pem.bytes())
    (tmp_path / "key.pem").write_bytes(client.private_key_pem.bytes())
    shown = {
        "certificate_chain": {"inline_string": client.cert_chain_pems[0].bytes().decode()},
        "private_key": {"filename": str(tmp_path / "key.pem")},
    }

    def common(ca: str = "ca.pem", **fields: Any) -> dict[str, Any]:
        return {"validation_context": {"trusted_ca": {"filename": str(tmp_path / ca)}}, **fields}

    plane = ControlPlane()
    plane.put(CDS, "1", cluster_message(static("a", 1)))
    async with plane.serving(credentials=credentials):
        good = socket(common(tls_certificates=[shown], alpn_protocols=["h2"]), sni="control.test")
        async with Proxy(config(plane.port, good), workers=1).running() as proxy:
            await asyncio.wait_for(proxy.ready(), 20)
            assert "a" in proxy.store.clusters
        bad = [
            socket(common("other.pem", tls_certificates=[shown]), sni="control.test"),
            socket(common(tls_certificates=[shown]), sni="somebody.test"),
            socket(common(), sni="control.test"),
        ]
        for each in bad:
            proxy = Proxy(config(plane.port, each), workers=1, backoff=lambda: Backoff(0.01, 0.05))
            async with proxy.running():
                await eventually(lambda proxy=proxy: proxy.stats()["cluster_manager.cds.update_failure"])
                assert "a" not in proxy.store.clusters
        assert plane.opened == 1


def secret(name: str, **fields: Any) -> Any:
    return message(Secret, {"name": name, **fields})


def inline(*pems: Any) -> dict[str, str]:
    return {"inline_string": "".join(pem.bytes().decode() for pem in pems)}


@in_loop
async def test_secrets_are_discovered(tmp_path: Path) -> None:
    """As Istio's agent gives them, by a Unix socket. Each connection has those of its time."""
    authority, stranger = trustme.CA(), trustme.CA()
    server, client = authority.issue_cert("127.0.0.1"), authority.issue_cert("proxy.test")
    chain = b"".join(pem.bytes() for pem in server.cert_chain_pems)
    credentials = grpc.ssl_server_credentials(
        [(server.private_key_pem.bytes(), chain)], authority.cert_pem.bytes(), True
    )
    shown = {"certificate_chain": inline(*client.cert_chain_pems), "private_key": inline(client.private_key_pem)}
    own, root = secret("default", tls_certificate=shown), {"trusted_ca": inline(authority.cert_pem)}
    wrong = {"trusted_ca": inline(stranger.cert_pem)}
    plane, agent = ControlPlane(), ControlPlane()
    agent.put(SDS, "1", own, secret("ROOTCA", validation_context=wrong))
    plane.put(CDS, "1", cluster_message(static("a", 1)))
    by_agent = {"sds_config": grpc_source("agent")}
    transport = socket(
        {
            "tls_certificate_sds_secret_configs": [{"name": "default", **by_agent}],
            "validation_context_sds_secret_config": {"name": "ROOTCA", **by_agent},
        }
    )
    path = tmp_path / "agent"
    pipe = {"endpoint": {"address": {"pipe": {"path": str(path)}}}}
    async with plane.serving(credentials=credentials), agent.serving(path=path):
        configured = config(plane.port, transport)
        configured["static_resources"]["clusters"].append(
            {
                "name": "agent",
                "type": "STATIC",
                "http2_protocol_options": {},
                "load_assignment": {"cluster_name": "agent", "endpoints": [{"lb_endpoints": [pipe]}]},
            }
        )
        proxy = Proxy(configured, workers=1, strict=True, backoff=lambda: Backoff(0.01, 0.05))
        async with proxy.running():
            await eventually(lambda: proxy.stats()["cluster_manager.cds.update_failure"] > 1)
            assert "a" not in proxy.store.clusters
            agent.put(SDS, "2", own, secret("ROOTCA", validation_context=root))
            await asyncio.wait_for(proxy.ready(), 20)
            assert "a" in proxy.store.clusters
            assert {request.node.id for request in agent.requests} == {"tester"}
            assert {name for request in agent.requests for name in request.resource_names} == {"default", "ROOTCA"}
            assert not agent.streams


@in_loop
async def test_secrets_that_do_not_come(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    agent = ControlPlane()
    path = tmp_path / "agent"
    transport = socket(
        {"validation_context_sds_secret_config": {"name": "ROOTCA", "sds_config": grpc_source("agent", timeout="0.1s")}}
    )
    configured = config(1, transport)
    pipe = {"endpoint": {"address": {"pipe": {"path": str(path)}}}}
    agents = static("agent")
    agents["load_assignment"]["endpoints"] = [{"lb_endpoints": [pipe]}]
    configured["static_resources"]["clusters"].append(agents)

    def told() -> set[str]:
        return {fields_of(record).get("reason", "") for record in caplog.records}  # type: ignore[misc]

    async with Proxy(configured, workers=1, backoff=lambda: Backoff(0.01, 0.05)).running():
        what = "the secret 'ROOTCA' of agent: "
        await eventually(lambda: f"{what}unix:{path} cannot be connected to" in told())
        async with agent.serving(path=path):
            await eventually(lambda: f"{what}did not come in time" in told())
            agent.put(SDS, "1", secret("ROOTCA", generic_secret={"secret": inline()}))
            await eventually(lambda: any("generic_secret: is not supported" in each for each in told()))
            agent.put(SDS, "2", secret("ROOTCA", validation_context={}))
            await eventually(lambda: any("validation_context.trusted_ca: is needed" in each for each in told()))


@in_loop
async def test_no_message_goes_in_plain_where_tls_is_wanted() -> None:
    """A cluster that discovery may use, and that routes lead to: the proxy starts, and answers with an error."""
    wanting = socket({"validation_context_sds_secret_config": {"name": "ROOTCA", "sds_config": grpc_source("agent")}})
    async with Upstream("plain").serving() as server:
        clusters = [static("aeraki-xds", server.port, transport_socket=wanting)]
        shown = listener("in", {"route_config": to("aeraki-xds")})
        proxy = Proxy(bootstrap(clusters=clusters, listeners=[shown]), workers=1)
        assert [problem.path.rpartition(".")[2] for problem in proxy.problems] == ["transport_socket"] * 2
        async with proxy.running():
            await asyncio.wait_for(proxy.ready(), 20)
            assert "cluster" in await ask(proxy.addresses()["in"])
        assert server.connections == 0


CA = {"validation_context": {"trusted_ca": {"inline_string": "x"}}}
AT = "static_resources.clusters[0].transport_socket.typed_config"
REFUSED = [
    (socket({}), ".common_tls_context.validation_context.trusted_ca: is needed"),
    (socket(CA | {"tls_params": {"cipher_suites": ["x"]}}), ".common_tls_context.tls_params: is not supported"),
    (
        socket({"validation_context_sds_secret_config": {"name": "ROOTCA"}}),
        ".common_tls_context.validation_context_sds_secret_config.sds_config: is needed",
    ),
    (
        socket({"validation_context": {"trusted_ca": {"filename": "/nowhere"}}}),
        ".common_tls_context.validation_context.trusted_ca.filename: is '/nowhere', and there is no such file",
    ),
    (socket(CA | {"alpn_protocols": ["http/1.1"]}), ".common_tls_context.alpn_protocols: is h2"),
    ({"name": "envoy.transport_sockets.tls"}, ": is needed: a envoy.extensions"),
]


@pytest.mark.parametrize(("transport", "reason"), REFUSED, ids=[reason for _, reason in REFUSED])
def test_what_cannot_be_done_is_refused(transport: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Proxy(config(1, transport))
    assert AT + reason in str(caught.value)
