"""Control planes behind TLS."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from kit.control_plane import CDS, ControlPlane
from kit.proxying import bootstrap, cluster_message, control, eventually, grpc_source, in_loop, static

from metaprotocol.proxy import Proxy
from metaprotocol.proxy._backoff import Backoff
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


CA = {"validation_context": {"trusted_ca": {"inline_string": "x"}}}
AT = "static_resources.clusters[0].transport_socket.typed_config"
REFUSED = [
    (socket({}), ".common_tls_context.validation_context.trusted_ca: is needed"),
    (socket(CA | {"tls_params": {"cipher_suites": ["x"]}}), ".common_tls_context.tls_params: is not supported"),
    (
        socket({"validation_context_sds_secret_config": {"name": "ROOTCA"}}),
        ".common_tls_context.validation_context_sds_secret_config: is not supported: secrets stand in the file",
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
