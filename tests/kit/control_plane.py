"""A control plane for tests: state of the world and delta, over one stream or one for each kind."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio
from envoy.service.cluster.v3 import cds_pb2_grpc
from envoy.service.discovery.v3 import ads_pb2_grpc
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse, DiscoveryResponse, Resource
from envoy.service.endpoint.v3 import eds_pb2_grpc
from envoy.service.listener.v3 import lds_pb2_grpc
from envoy.service.route.v3 import rds_pb2_grpc
from envoy.service.secret.v3 import sds_pb2_grpc
from google.protobuf.any_pb2 import Any as AnyMessage

PREFIX = "type.googleapis.com/"
CDS = PREFIX + "envoy.config.cluster.v3.Cluster"
EDS = PREFIX + "envoy.config.endpoint.v3.ClusterLoadAssignment"
LDS = PREFIX + "envoy.config.listener.v3.Listener"
RDS = PREFIX + "envoy.config.route.v3.RouteConfiguration"
SDS = PREFIX + "envoy.extensions.transport_sockets.tls.v3.Secret"
EVERY = (CDS, LDS)

_SERVICES = {
    "ads": (ads_pb2_grpc, "AggregatedDiscoveryService", "AggregatedResources"),
    "cds": (cds_pb2_grpc, "ClusterDiscoveryService", "Clusters"),
    "eds": (eds_pb2_grpc, "EndpointDiscoveryService", "Endpoints"),
    "lds": (lds_pb2_grpc, "ListenerDiscoveryService", "Listeners"),
    "rds": (rds_pb2_grpc, "RouteDiscoveryService", "Routes"),
    "sds": (sds_pb2_grpc, "SecretDiscoveryService", "Secrets"),
}


def name_of(message: Any) -> str:
    return getattr(message, "cluster_name", "") or message.name


def packed(message: Any) -> AnyMessage:
    found = AnyMessage()
    found.Pack(message, deterministic=True)
    return found


class Stream:
    """One stream of one client."""

    def __init__(self, plane: ControlPlane, service: str, delta: bool, metadata: dict[str, str]) -> None:
        self.plane, self.service, self.delta, self.metadata = plane, service, delta, metadata
        self.requests: list[Any] = []
        self.names: dict[str, set[str]] = {}
        self.told: dict[str, dict[str, str]] = {}
        self.versions: dict[str, str] = {}
        self.out: asyncio.Queue[Any] = asyncio.Queue()
        self.nonces = itertools.count(1)

    def send(self, url: str, version: str, messages: list[Any], removed: list[str] | None = None) -> str:
        """Send whatever it may be; gives its nonce."""
        nonce = str(next(self.nonces))
        if self.delta:
            wrapped = [Resource(name=name_of(each), version=version, resource=packed(each)) for each in messages]
            self.out.put_nowait(
                DeltaDiscoveryResponse(
                    type_url=url,
                    system_version_info=version,
                    resources=wrapped,
                    removed_resources=removed or [],
                    nonce=nonce,
                )
            )
        else:
            resources = [packed(each) for each in messages]
            self.out.put_nowait(DiscoveryResponse(type_url=url, version_info=version, resources=resources, nonce=nonce))
        return nonce

    def close(self) -> None:
        self.out.put_nowait(None)

    def take(self, request: Any) -> None:
        self.requests.append(request)
        self.plane.requests.append(request)
        if request.HasField("error_detail"):
            self.plane.nacks.append(request.error_detail.message)
        url = request.type_url
        if self.delta:
            if url not in self.names:
                self.told[url] = dict(request.initial_resource_versions)
            names = self.names.setdefault(url, set())
            names |= set(request.resource_names_subscribe)
            names -= set(request.resource_names_unsubscribe)
            for name in request.resource_names_unsubscribe:
                self.told[url].pop(name, None)
            self.answer(url, asked=set(request.resource_names_subscribe))
            return
        new = set(request.resource_names) - self.names.get(url, set())
        first = url not in self.names
        self.names[url] = set(request.resource_names)
        if first and request.version_info:
            self.versions[url] = request.version_info
        stale = url in self.plane.worlds and self.versions.get(url) != self.plane.worlds[url][0]
        if new or (first and stale):
            self.answer(url)

    def answer(self, url: str, asked: set[str] | None = None) -> None:
        if not self.plane.auto or url not in self.plane.worlds or url not in self.names:
            return
        version, world = self.plane.worlds[url]
        wanted = {name: each for name, each in world.items() if url in EVERY or name in self.names[url]}
        if not self.delta:
            if self.versions.get(url) != version or wanted:
                self.versions[url] = version
                self.send(url, version, list(wanted.values()))
            return
        told = self.told[url]
        fresh = [each for name, each in wanted.items() if told.get(name) != version]
        gone = [name for name in told if name not in wanted]
        if self.plane.says_missing:
            gone += sorted((asked or set()) - wanted.keys() - told.keys())
        if fresh or gone:
            for each in fresh:
                told[name_of(each)] = version
            for name in gone:
                told.pop(name, None)
            self.send(url, version, fresh, gone)


class ControlPlane:
    """What all clients are told, and what they said.

    Attributes:
        auto: Whether requests are answered with what was `put`.
        nacks: The reasons of all refusals.
        says_missing: Whether clients of delta are told at once what does not exist.
    """

    def __init__(self) -> None:
        self.auto = True
        self.says_missing = True
        self.worlds: dict[str, tuple[str, dict[str, Any]]] = {}
        self.streams: list[Stream] = []
        self.opened = 0
        self.requests: list[Any] = []
        self.nacks: list[str] = []
        self.port = 0
        self.refuse = False

    def put(self, url: str, version: str, *messages: Any) -> None:
        """This is all there is of a kind from now on."""
        self.worlds[url] = (version, {name_of(each): each for each in messages})
        for stream in self.streams:
            stream.answer(url)

    def of(self, url: str) -> list[Any]:
        return [request for request in self.requests if request.type_url == url]

    def asked(self, url: str) -> set[str]:
        return set().union(*(stream.names.get(url, set()) for stream in self.streams))

    async def _serve(self, service: str, delta: bool, requests: Any, context: Any) -> AsyncIterator[Any]:
        self.opened += 1
        if self.refuse:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
        stream = Stream(self, service, delta, dict(context.invocation_metadata()))
        self.streams.append(stream)

        async def read() -> None:
            async for request in requests:
                stream.take(request)
            stream.close()

        reader = asyncio.create_task(read())
        try:
            while (response := await stream.out.get()) is not None:
                yield response
        finally:
            self.streams.remove(stream)
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    def _servicer(self, service: str) -> Any:
        plane, (_, _, what) = self, _SERVICES[service]

        async def whole(_: Any, requests: Any, context: Any) -> AsyncIterator[Any]:
            async for response in plane._serve(service, False, requests, context):
                yield response

        async def delta(_: Any, requests: Any, context: Any) -> AsyncIterator[Any]:
            async for response in plane._serve(service, True, requests, context):
                yield response

        module, name, _ = _SERVICES[service]
        base = getattr(module, name + "Servicer")
        return type("Servicer", (base,), {"Stream" + what: whole, "Delta" + what: delta})()

    @asynccontextmanager
    async def serving(
        self, port: int = 0, credentials: Any = None, path: Path | None = None
    ) -> AsyncIterator[ControlPlane]:
        """Serve at a port, or at a Unix socket."""
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        for service, (module, name, _) in _SERVICES.items():
            getattr(module, f"add_{name}Servicer_to_server")(self._servicer(service), server)
        address = f"127.0.0.1:{port}" if path is None else f"unix:{path}"
        self.port = (
            server.add_insecure_port(address) if credentials is None else server.add_secure_port(address, credentials)
        )
        await server.start()
        try:
            yield self
        finally:
            for stream in list(self.streams):
                stream.close()
            await server.stop(0)
