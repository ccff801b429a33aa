"""What tests of the proxy need: loops with deadlines, servers that say who they are, and configuration for them."""

from __future__ import annotations

import asyncio
import functools
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import google.protobuf.json_format as json_format
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration

from metaprotocol.xds.gen.aeraki.meta_protocol_proxy.v1alpha import meta_protocol_proxy_pb2  # noqa: F401 -- for Any

DEADLINE = 45.0
PROXY_URL = "type.googleapis.com/aeraki.meta_protocol_proxy.v1alpha.MetaProtocolProxy"


def in_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """A test that runs in an event loop, and not for ever."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), DEADLINE))

    return run


async def eventually(holds: Callable[[], Any], what: str = "", patience: float = 20.0) -> Any:
    """Wait until something holds."""
    loop = asyncio.get_running_loop()
    until = loop.time() + patience
    while not (found := holds()):
        if loop.time() > until:
            raise AssertionError(f"not in time: {what or holds}")
        await asyncio.sleep(0.005)
    return found


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Upstream:
    """A server of Redis that answers each command with its own name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = 0
        self.asked = 0
        self.connections = 0
        self.answer: bytes | None = None
        self.silent = False
        self._writers: set[asyncio.StreamWriter] = set()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            while line := await reader.readline():
                for _ in range(int(line[1:])):
                    length = int((await reader.readline())[1:])
                    word = await reader.readexactly(length + 2)
                if self.silent:
                    continue
                self.asked += 1
                pong = word == b"PING\r\n"
                writer.write(self.answer or (b"+PONG\r\n" if pong else b"+%s %s" % (self.name.encode(), word)))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    @asynccontextmanager
    async def serving(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Upstream]:
        server = await asyncio.start_server(self._client, host, port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for writer in list(self._writers):
                writer.close()
            await server.wait_closed()


class Client:
    """Asks one thing after another, and wants the right answer to each."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._count = 0

    async def __aenter__(self) -> Client:
        self._reader, self._writer = await asyncio.open_connection(*self._address)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def ask(self) -> str:
        """Who answers; an error as it is."""
        self._count += 1
        word = b"%d" % self._count
        self._writer.write(b"*2\r\n$4\r\nECHO\r\n$%d\r\n%s\r\n" % (len(word), word))
        answer = (await asyncio.wait_for(self._reader.readline(), 20)).decode().strip()
        if answer.startswith("+"):
            name, _, echoed = answer[1:].partition(" ")
            assert echoed == word.decode(), answer
            return name
        assert answer, "the connection was closed"
        return answer


async def becomes(client: Client, name: str) -> None:
    """Ask until the answers come from somewhere else: workers learn of a change a moment after it counts."""
    until = asyncio.get_running_loop().time() + 20
    while (found := await client.ask()) != name:
        assert asyncio.get_running_loop().time() < until, f"{found} answers, not {name}"


async def comes_from(address: tuple[str, int], name: str) -> None:
    """The same with a connection for each question: one that has a host of its own keeps it."""
    until = asyncio.get_running_loop().time() + 20
    while (found := await ask(address)) != name:
        assert asyncio.get_running_loop().time() < until, f"{found} answers, not {name}"


async def ask(address: tuple[str, int]) -> str:
    async with Client(address) as client:
        return await client.ask()


def assignment(name: str, *ports: int, **fields: Any) -> dict[str, Any]:
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint(port) for port in ports]}], **fields}


def endpoint(port: int, host: str = "127.0.0.1") -> dict[str, Any]:
    return {"endpoint": {"address": {"socket_address": {"address": host, "port_value": port}}}}


def static(name: str, *ports: int, **fields: Any) -> dict[str, Any]:
    return {"name": name, "type": "STATIC", "load_assignment": assignment(name, *ports), **fields}


def eds(name: str, source: dict[str, Any] | None = None, service: str = "", **fields: Any) -> dict[str, Any]:
    config: dict[str, Any] = {"eds_config": source or {"ads": {}, "resource_api_version": "V3"}}
    if service:
        config["service_name"] = service
    return {"name": name, "type": "EDS", "eds_cluster_config": config, **fields}


def to(cluster: str, name: str = "") -> dict[str, Any]:
    """Routes of MetaProtocol: all to one cluster."""
    return {"name": name or f"to-{cluster}", "routes": [{"name": "all", "route": {"cluster": cluster}}]}


def http_to(name: str, cluster: str) -> dict[str, Any]:
    """The same in Envoy's message, as Aeraki sends it."""
    route = {"name": "all", "match": {"prefix": "/"}, "route": {"cluster": cluster}}
    return {"name": name, "virtual_hosts": [{"name": "dummy", "domains": ["*"], "routes": [route]}]}


def listener(name: str, routes: dict[str, Any], port: int = 0, **proxy: Any) -> dict[str, Any]:
    """A listener of Redis; `routes` is `{"route_config": …}` or `{"rds": …}`."""
    config = {
        "@type": PROXY_URL,
        "stat_prefix": name,
        "protocol": {"name": "redis", "codec": {"name": "aeraki.meta_protocol.codec.redis"}},
        **routes,
        **proxy,
    }
    return {
        "name": name,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": "aeraki.meta_protocol_proxy", "typed_config": config}]}],
    }


def rds(name: str, source: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"rds": {"route_config_name": name, "config_source": source or {"ads": {}, "resource_api_version": "V3"}}}


def grpc_source(
    cluster: str = "control", delta: bool = False, timeout: str = "15s", once: bool = True
) -> dict[str, Any]:
    api = {
        "api_type": "DELTA_GRPC" if delta else "GRPC",
        "transport_api_version": "V3",
        "set_node_on_first_message_only": once,
        "grpc_services": [{"envoy_grpc": {"cluster_name": cluster}}],
    }
    return {"api_config_source": api, "resource_api_version": "V3", "initial_fetch_timeout": timeout}


def control(*ports: int, **fields: Any) -> dict[str, Any]:
    """The cluster of the control plane."""
    return static("control", *ports, http2_protocol_options={}, **fields)


def bootstrap(
    *, clusters: list[dict[str, Any]], listeners: list[dict[str, Any]] | None = None, **fields: Any
) -> dict[str, Any]:
    return {
        "node": {"id": "tester", "cluster": "tests"},
        "static_resources": {"clusters": clusters, "listeners": listeners or []},
        **fields,
    }


def by_ads(port: int, *, delta: bool = False, everything: bool = True, timeout: str = "15s") -> dict[str, Any]:
    """A bootstrap that discovers listeners and clusters over one stream."""
    ads = {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": timeout}
    api = grpc_source(delta=delta)["api_config_source"]
    dynamic: dict[str, Any] = {"ads_config": api}
    if everything:
        dynamic |= {"lds_config": ads, "cds_config": ads}
    return bootstrap(clusters=[control(port)], dynamic_resources=dynamic)


def message(kind: type[Any], shape: dict[str, Any]) -> Any:
    return json_format.ParseDict(shape, kind())


cluster_message = functools.partial(message, Cluster)
hosts_message = functools.partial(message, ClusterLoadAssignment)
listener_message = functools.partial(message, Listener)
routes_message = functools.partial(message, RouteConfiguration)
