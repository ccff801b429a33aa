"""Channels of gRPC to a control plane, which is a cluster of the bootstrap file or a target in gRPC's terms."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

from metaprotocol.xds.hosts import UNIX, split
from metaprotocol.xds.tls import credentials
from metaprotocol.xds.values import is_ip, join

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envoy.config.core.v3.base_pb2 import Node

    from metaprotocol.xds import Cluster
    from metaprotocol.xds.sources import GrpcTarget
    from metaprotocol.xds.tls import Tls

__all__ = ["Channels", "Unreachable"]

_CONNECT_TIMEOUT = 5000
_BAD = frozenset({"unhealthy", "draining"})


class Unreachable(Exception):
    """No address of a control plane can be connected to."""


class Channels:
    """Opens channels to one target: to the first address that answers, from where the last one failed on.

    Args:
        target: Who is called.
        clusters: The clusters of the bootstrap file.
        tls: How those are encrypted that are, by cluster.
        node: What the proxy says it is, where secrets are discovered.
    """

    def __init__(self, target: GrpcTarget, clusters: Mapping[str, Cluster], tls: Mapping[str, Tls], node: Node) -> None:
        self.name = target.cluster or target.uri
        self.metadata = target.metadata
        self._tls = tls.get(target.cluster)
        self._for_secrets = clusters, tls, node
        self._timeout = _CONNECT_TIMEOUT / 1000
        self._targets = [target.uri]
        authority = target.authority
        if target.cluster:
            cluster = clusters[target.cluster]
            self._targets = _targets(cluster)
            self._timeout = cluster.config.get("connect_timeout", _CONNECT_TIMEOUT) / 1000
            # Envoy's default, which certificates are not for.
            authority = authority or (cluster.name if self._tls is None else "")
        self._options: list[tuple[str, str | int]] = [
            ("grpc.max_receive_message_length", -1),
            ("grpc.enable_http_proxy", 0),
            # Connections that failed are not remembered: when to try again is said elsewhere.
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.keepalive_timeout_ms", 10_000),
            ("grpc.http2.max_pings_without_data", 0),
        ]
        if self._tls is not None and self._tls.sni:
            self._options.append(("grpc.ssl_target_name_override", self._tls.sni))
        # gRPC refuses an authority that is no host, such as a cluster's name with bars; it takes the address then.
        if authority and not set(authority) & set("|/ "):
            self._options.append(("grpc.default_authority", authority))
        self._next = 0

    def failed(self) -> None:
        """What was connected last is of no use: begin with the one after it."""
        self._next += 1

    async def connect(self) -> grpc.aio.Channel:
        """Open a channel.

        Raises:
            Unreachable: If no address answers in time.
        """
        reasons = []
        encryption = await self._credentials()
        for _ in self._targets:
            target = self._targets[self._next % len(self._targets)]
            if encryption is None:
                channel = grpc.aio.insecure_channel(target, self._options)
            else:
                channel = grpc.aio.secure_channel(target, encryption, self._options)
            try:
                # wait_for would swallow a cancellation that comes together with a failure.
                async with asyncio.timeout(self._timeout):
                    await _connected(channel)
            except (TimeoutError, Unreachable) as error:
                await channel.close()
                self._next += 1
                late = f"did not answer in {self._timeout:g} s"
                reasons.append(f"{target} {late if isinstance(error, TimeoutError) else error}")
            except BaseException:
                await channel.close()
                raise
            else:
                return channel
        raise Unreachable(", ".join(reasons) or "it has no hosts")

    async def _credentials(self) -> Any:
        """Credentials of gRPC, if the connection is encrypted: of files and secrets as they are now."""
        if self._tls is None:
            return None
        from metaprotocol.proxy._secrets import Secrets

        secrets = Secrets(*self._for_secrets)
        try:
            return credentials(
                await secrets.trusted(self._tls.trusted), await secrets.certificate(self._tls.certificate)
            )
        except OSError as error:
            raise Unreachable(f"cannot read {error.filename}: {error.strerror}") from None


async def _connected(channel: grpc.aio.Channel) -> None:
    state = channel.get_state(try_to_connect=True)
    while state is not grpc.ChannelConnectivity.READY:
        if state in (grpc.ChannelConnectivity.TRANSIENT_FAILURE, grpc.ChannelConnectivity.SHUTDOWN):
            raise Unreachable("cannot be connected to")
        await channel.wait_for_state_change(state)
        state = channel.get_state(try_to_connect=True)


def _targets(cluster: Cluster) -> list[str]:
    """The hosts of a cluster by priority; those that are said to be down come last."""
    found: list[tuple[bool, str]] = []
    for priority in (cluster.assignment or {"priorities": []})["priorities"]:
        for locality in priority:
            found += [(host.get("health") in _BAD, _target(host["address"])) for host in locality["hosts"]]
    return [target for _, target in sorted(found, key=lambda each: each[0])]


def _target(address: str) -> str:
    """The address of a host, in gRPC's terms."""
    if address.startswith(UNIX):
        return address
    name, port = split(address)
    scheme = ("ipv6:" if ":" in name else "ipv4:") if is_ip(name) else "dns:///"
    return scheme + join(name, port)
