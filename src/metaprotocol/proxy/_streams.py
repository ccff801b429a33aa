"""Discovery over a stream of gRPC: state of the world, or changes alone; of one kind, or of all.

`Whole` and `Delta` say what is to be sent next and take what comes, and know nothing of gRPC; `Stream` connects them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

import grpc
from envoy.service.discovery.v3.discovery_pb2 import (
    DeltaDiscoveryRequest,
    DeltaDiscoveryResponse,
    DiscoveryRequest,
    DiscoveryResponse,
)
from google.rpc.status_pb2 import Status

from metaprotocol.proxy import _logs
from metaprotocol.proxy._channels import Unreachable
from metaprotocol.proxy._kinds import BY_URL, KINDS, opened
from metaprotocol.proxy._topics import Arrived, Topic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from envoy.config.core.v3.base_pb2 import Node

    from metaprotocol.proxy._backoff import Backoff
    from metaprotocol.proxy._channels import Channels
    from metaprotocol.proxy._kinds import Kind
    from metaprotocol.proxy._topics import Receiver

__all__ = ["Conversation", "Delta", "Stream", "Whole"]

_log = _logs.logger("discovery")
_INVALID = grpc.StatusCode.INVALID_ARGUMENT.value[0]
_MAX_REASON = 8192
# The services, and what their methods are called behind Stream or Delta.
_METHODS = {
    "ads": ("envoy.service.discovery.v3.AggregatedDiscoveryService", "AggregatedResources"),
    "cds": ("envoy.service.cluster.v3.ClusterDiscoveryService", "Clusters"),
    "eds": ("envoy.service.endpoint.v3.EndpointDiscoveryService", "Endpoints"),
    "lds": ("envoy.service.listener.v3.ListenerDiscoveryService", "Listeners"),
    "rds": ("envoy.service.route.v3.RouteDiscoveryService", "Routes"),
}


def _status(reason: str) -> Status:
    return Status(code=_INVALID, message=reason[:_MAX_REASON])


def _method(channel: grpc.aio.Channel, service: str, delta: bool) -> Any:
    """The method that opens a stream: of `ads`, or of the kind of that name; with changes alone, or whole states."""
    name, what = _METHODS[service]
    asked, answered = (
        (DeltaDiscoveryRequest, DeltaDiscoveryResponse) if delta else (DiscoveryRequest, DiscoveryResponse)
    )
    return channel.stream_stream(
        f"/{name}/{'Delta' if delta else 'Stream'}{what}",
        request_serializer=asked.SerializeToString,
        response_deserializer=answered.FromString,
    )


class Conversation(Protocol):
    """What is said of one topic on one connection."""

    def requests(self) -> Iterator[Any]:
        """What is to be sent now, without the node."""

    def take(self, response: Any) -> None:
        """Hand on what came, and remember to confirm or refuse it."""


class Whole:
    """State of the world: each response has all there is, and each request names all that is wanted."""

    def __init__(self, topic: Topic) -> None:
        self._topic = topic
        self._answers: deque[tuple[str, str]] = deque()
        self._nonce = ""
        self._sent: frozenset[str] | None = None

    def _request(self, **fields: Any) -> DiscoveryRequest:
        topic = self._topic
        # A server cannot tell which names a version is of that a stream before this one got.
        known = self._sent is not None or topic.kind.every or topic.names <= topic.known.keys()
        self._sent = topic.names
        return DiscoveryRequest(
            type_url=topic.kind.url,
            version_info=topic.version if known else "",
            resource_names=sorted(topic.names),
            response_nonce=self._nonce,
            **fields,
        )

    def requests(self) -> Iterator[DiscoveryRequest]:
        """What is to be sent now, without the node."""
        topic = self._topic
        while self._answers:
            self._nonce, reason = self._answers.popleft()
            yield self._request(error_detail=_status(reason) if reason else None)
        # A first request without names would ask for everything.
        if topic.names != self._sent if self._sent is not None else topic.wanted:
            yield self._request()

    def take(self, response: Any) -> None:
        """Hand on what came, and remember to confirm or refuse it."""
        topic = self._topic
        arrived = Arrived(response.version_info, [], {}, [], whole=True)
        for index, packed in enumerate(response.resources):
            try:
                arrived.resources.append(opened(topic.kind, packed, response.version_info))
            except ValueError as error:
                arrived.wrong[f"resources[{index}]"] = str(error)
        self._answers.append((response.nonce, topic.deliver(arrived)))


class Delta:
    """Changes alone: responses have what is new or gone, and requests what is wanted from now on, or no more."""

    def __init__(self, topic: Topic) -> None:
        self._topic = topic
        self._answers: deque[tuple[str, str]] = deque()
        self._sent: frozenset[str] | None = None

    def requests(self) -> Iterator[DeltaDiscoveryRequest]:
        """What is to be sent now, without the node."""
        topic = self._topic
        while self._answers:
            nonce, reason = self._answers.popleft()
            yield DeltaDiscoveryRequest(
                type_url=topic.kind.url, response_nonce=nonce, error_detail=_status(reason) if reason else None
            )
        if self._sent is None and topic.wanted:
            self._sent = topic.names
            yield DeltaDiscoveryRequest(
                type_url=topic.kind.url,
                resource_names_subscribe=sorted(topic.names),
                initial_resource_versions={name: resource.version for name, resource in topic.known.items()},
            )
        elif self._sent is not None and self._sent != topic.names:
            before, self._sent = self._sent, topic.names
            yield DeltaDiscoveryRequest(
                type_url=topic.kind.url,
                resource_names_subscribe=sorted(topic.names - before),
                resource_names_unsubscribe=sorted(before - topic.names),
            )

    def take(self, response: Any) -> None:
        """Hand on what came, and remember to confirm or refuse it."""
        topic = self._topic
        arrived = Arrived(response.system_version_info, [], {}, list(response.removed_resources), whole=False)
        for index, each in enumerate(response.resources):
            try:
                arrived.resources.append(opened(topic.kind, each.resource, each.version, each.name))
            except ValueError as error:
                arrived.wrong[each.name or f"resources[{index}]"] = str(error)
        self._answers.append((response.nonce, topic.deliver(arrived)))


class Stream:
    """A stream to a control plane, opened again whenever it breaks.

    Args:
        channels: Where it goes.
        service: `ads`, or the name of the one kind that it carries.
        delta: Whether changes alone are asked for.
        node: What the proxy says it is.
        node_once: Whether it says so in the first request alone.
        backoff: How long to wait before it is opened again.
        receivers: Who gets what comes, by the name of the kind.
        connection: Told whether it is connected, whenever that changes.
    """

    def __init__(
        self,
        channels: Channels,
        service: str,
        *,
        delta: bool,
        node: Node,
        node_once: bool,
        backoff: Backoff,
        receivers: dict[str, Receiver],
        connection: Callable[[Stream, bool], None],
    ) -> None:
        self._channels = channels
        self._service = service
        self._delta = delta
        self._node = node
        self._node_once = node_once
        self._backoff = backoff
        self._connection = connection
        self._stirred = asyncio.Event()
        self._first = True
        self._closed = False
        kinds = [kind for kind in KINDS if service in ("ads", kind.name)]
        self._topics = {kind.name: Topic(kind, receivers[kind.name], self._changed) for kind in kinds}
        self._conversations: dict[str, Conversation] = {}
        self._task = asyncio.create_task(self._run(), name=f"metaprotocol discovery {service}")

    def topic(self, kind: Kind) -> Topic:
        """The topic of a kind."""
        return self._topics[kind.name]

    def _changed(self, _: Topic) -> None:
        self._stirred.set()

    def _wanted(self) -> bool:
        return any(topic.wanted for topic in self._topics.values())

    async def close(self) -> None:
        """End it."""
        self._closed = True
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while not self._closed:  # a call of gRPC that ends at that moment may swallow a cancellation
            while not self._wanted():
                self._stirred.clear()
                await self._stirred.wait()
            reason = await self._session()
            self._connection(self, False)
            if reason:
                _logs.tell(
                    _log,
                    logging.WARNING,
                    "stream lost",
                    service=self._service,
                    target=self._channels.name,
                    reason=reason,
                )
                for topic in self._topics.values():
                    topic.failed()
                await asyncio.sleep(self._backoff.next())

    async def _session(self) -> str:
        """Talk for as long as it goes. Why it ended; nothing if all is said."""
        try:
            channel = await self._channels.connect()
        except Unreachable as error:
            return str(error)
        call = None
        try:
            method = _method(channel, self._service, self._delta)
            call = method(metadata=self._channels.metadata)
            make = Delta if self._delta else Whole
            self._conversations = {name: make(topic) for name, topic in self._topics.items()}
            self._first = True
            reader = asyncio.create_task(self._read(call), name=f"metaprotocol discovery {self._service} reads")
            try:
                reason = await self._write(call, reader)
            finally:
                reader.cancel()
                await asyncio.gather(reader, return_exceptions=True)
        except grpc.aio.AioRpcError as error:
            reason = f"{error.code().name}: {error.details()}"
        except asyncio.InvalidStateError:  # writing to a call that has ended
            reason = "the stream was closed"
        finally:
            if call is not None:
                call.cancel()
            await channel.close()
        if reason:
            self._channels.failed()
        return reason

    async def _write(self, call: Any, reader: asyncio.Task[None]) -> str:
        reader.add_done_callback(lambda _: self._stirred.set())
        while not reader.done():
            self._stirred.clear()
            for conversation in self._conversations.values():
                for request in conversation.requests():
                    if self._first or not self._node_once:
                        request.node.CopyFrom(self._node)
                    self._first = False
                    await call.write(request)
            # A stream of one kind that has nothing more to ask is over; one of all is there for good.
            if self._service != "ads" and not self._wanted():
                return ""
            await self._stirred.wait()
        await reader
        status, details = await call.code(), await call.details()
        return f"the stream was closed: {status.name}" + (f": {details}" if details else "")

    async def _read(self, call: Any) -> None:
        while (response := await call.read()) is not grpc.aio.EOF:
            self._backoff.reset()
            self._connection(self, True)
            kind = BY_URL.get(response.type_url)
            conversation = None if kind is None else self._conversations.get(kind.name)
            if conversation is None:
                _logs.tell(
                    _log, logging.WARNING, "what is not known came", service=self._service, type=response.type_url
                )
                continue
            conversation.take(response)
            self._stirred.set()
