"""Secrets that a control plane is connected to with, discovered by name (SDS): from Istio's agent, say.

They are asked for anew for each connection, so that it has those of its time; one that is open goes on with its own.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

import grpc.aio
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse
from google.protobuf.message import DecodeError

from metaprotocol.proxy._channels import Channels, Unreachable
from metaprotocol.xds import ConfigError, Report
from metaprotocol.xds.tls import SECRET, SecretSource, certificate, validation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from envoy.config.core.v3.base_pb2 import Node

    from metaprotocol.xds import Cluster, Place
    from metaprotocol.xds.tls import Certificate, Pem, Tls

__all__ = ["Secrets"]

T = TypeVar("T")

_METHOD = "/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets"
_URL = "type.googleapis.com/" + Secret.DESCRIPTOR.full_name


class Secrets:
    """Asks for secrets.

    Args:
        clusters: The clusters of the bootstrap file.
        tls: How those are encrypted that are, by cluster.
        node: What the proxy says it is.
    """

    def __init__(self, clusters: Mapping[str, Cluster], tls: Mapping[str, Tls], node: Node) -> None:
        self._clusters = clusters
        self._tls = tls
        self._node = node

    async def trusted(self, wanted: Pem | SecretSource) -> Pem:
        """Who is believed.

        Raises:
            Unreachable: If the secret does not come in time, or is no such thing.
        """
        if not isinstance(wanted, SecretSource):
            return wanted
        return _read(await self._fetch(wanted), "validation_context", validation)

    async def certificate(self, wanted: Certificate | SecretSource | None) -> Certificate | None:
        """What is shown.

        Raises:
            Unreachable: As above.
        """
        if not isinstance(wanted, SecretSource):
            return wanted
        return _read(await self._fetch(wanted), "tls_certificate", certificate)

    async def _fetch(self, wanted: SecretSource) -> Any:
        channels = Channels(wanted.target, self._clusters, self._tls, self._node)
        what = f"the secret {wanted.name!r} of {channels.name}"
        try:
            channel = await channels.connect()
        except Unreachable as error:
            raise Unreachable(f"{what}: {error}") from None
        call = None
        try:
            method = channel.stream_stream(
                _METHOD,
                request_serializer=DiscoveryRequest.SerializeToString,
                response_deserializer=DiscoveryResponse.FromString,
            )
            call = method(metadata=channels.metadata)
            async with asyncio.timeout(wanted.timeout / 1000):
                await call.write(DiscoveryRequest(node=self._node, type_url=_URL, resource_names=[wanted.name]))
                while (response := await call.read()) is not grpc.aio.EOF:
                    for packed in response.resources:
                        message = Secret()
                        if packed.Unpack(message) and message.name == wanted.name:
                            return message
            raise Unreachable(f"{what}: the stream was closed")
        except grpc.aio.AioRpcError as error:
            raise Unreachable(f"{what}: {error.code().name}: {error.details()}") from None
        except (asyncio.InvalidStateError, DecodeError, TimeoutError) as error:
            raise Unreachable(f"{what}: {str(error) or 'did not come in time'}") from None
        finally:
            if call is not None:
                call.cancel()
            await channel.close()


def _read(secret: Any, field: str, read: Callable[[Any, Place], T | None]) -> T:
    """What a secret says, as if it stood in a file."""
    report = Report()
    SECRET.check(secret, report.at())
    found = read(getattr(secret, field), report.at(field))
    try:
        report.check()
    except ConfigError as error:
        raise Unreachable(f"the secret {secret.name!r}: {error}") from None
    if found is None:
        raise Unreachable(f"the secret {secret.name!r} has no {field}")
    return found
