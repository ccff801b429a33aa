"""A proxy's configuration, a server for it, and its admin port."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
from http.client import HTTPConnection
from typing import Any

TYPE = "type.googleapis.com/aeraki.meta_protocol_proxy.v1alpha.MetaProtocolProxy"


def call(sequence: int, method: str = "ping") -> bytes:
    """A framed binary Thrift call."""
    name = method.encode()
    body = struct.pack(">HBBi", 0x8001, 0, 1, len(name)) + name + struct.pack(">i", sequence) + b"\0"
    return struct.pack(">i", len(body)) + body


def read_frame(connection: socket.socket) -> bytes:
    data = b""
    while len(data) < 4 or len(data) < 4 + struct.unpack(">i", data[:4])[0]:
        part = connection.recv(4096)
        if not part:
            raise EOFError(f"closed behind {data!r}")
        data += part
    return data


class Upstream:
    """A Thrift server: it answers each call with an empty reply of the same name and id, perhaps after a while."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.delay = 0.0
        start = asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1000)
        self._server = asyncio.run_coroutine_threadsafe(start, self._loop).result(10)
        self.port: int = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readexactly(4)
                body = bytearray(await reader.readexactly(struct.unpack(">i", head)[0]))
                body[3] = 2
                if self.delay:
                    await asyncio.sleep(self.delay)
                writer.write(head + body)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    def close(self) -> None:
        async def end() -> None:
            self._server.close()
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


def hosts(name: str, *ports: int, **fields: Any) -> dict[str, Any]:
    ends = [
        {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}, **fields}
        for port in ports
    ]
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": ends}]}


def bootstrap(port: int, *, listen: int = 0, admin: bool = True) -> dict[str, Any]:
    """One listener, to a server at a port; `lost` goes to a cluster without hosts."""
    proxy = {
        "@type": TYPE,
        "stat_prefix": "ingress",
        "application_protocol": "thrift",
        "codec": {"name": "aeraki.meta_protocol.codec.thrift"},
        "route_config": {
            "name": "local",
            "routes": [
                {"match": {"metadata": [{"name": "method", "exact_match": "lost"}]}, "route": {"cluster": "empty"}},
                {"route": {"cluster": "up"}},
            ],
        },
    }
    address = {"socket_address": {"address": "127.0.0.1", "port_value": listen}}
    chains = [{"filters": [{"name": "aeraki.meta_protocol_proxy", "typed_config": proxy}]}]
    config: dict[str, Any] = {
        "node": {"id": "node-1", "cluster": "tests"},
        "static_resources": {
            "listeners": [{"name": "thrift", "address": address, "filter_chains": chains}],
            "clusters": [
                {"name": "up", "type": "STATIC", "connect_timeout": "1s", "load_assignment": hosts("up", port)},
                {"name": "empty", "type": "STATIC", "load_assignment": {"cluster_name": "empty"}},
            ],
        },
    }
    if admin:
        config["admin"] = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}}
    return config


def fetch(address: tuple[str, int], path: str, method: str = "GET", **headers: str) -> tuple[int, str, str]:
    """Status, content type and text, by the HTTP client of the standard library."""
    connection = HTTPConnection(*address, timeout=10)
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return response.status, response.getheader("Content-Type", ""), response.read().decode()
    finally:
        connection.close()


def fetch_json(address: tuple[str, int], path: str) -> Any:
    status, kind, text = fetch(address, path)
    assert (status, kind) == (200, "application/json"), text
    return json.loads(text)
