"""The sources of configuration: each is asked once, however many want something of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from metaprotocol import __version__
from metaprotocol.proxy._backoff import Backoff
from metaprotocol.proxy._files import File
from metaprotocol.proxy._topics import Topic, Watch
from metaprotocol.xds.load import CONTROL_KINDS
from metaprotocol.xds.sources import SourceKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from metaprotocol.proxy._kinds import Kind
    from metaprotocol.proxy._streams import Stream
    from metaprotocol.proxy._topics import Receiver
    from metaprotocol.xds import Loaded, Source

__all__ = ["Feeds"]


class _Feed(Protocol):
    def topic(self, kind: Kind) -> Topic: ...
    async def close(self) -> None: ...


class Feeds:
    """All sources that are asked.

    Args:
        loaded: The bootstrap file: the node, and the clusters that lead to control planes.
        receivers: Who gets what comes, by the name of the kind.
        backoff: Makes the waits before a stream is opened again.
    """

    def __init__(
        self, loaded: Loaded, receivers: dict[str, Receiver], backoff: Callable[[], Backoff] = Backoff
    ) -> None:
        self._loaded = loaded
        self._receivers = receivers
        self._backoff = backoff
        self._feeds: dict[object, _Feed] = {}
        self._connected: dict[Stream, bool] = {}
        self._topics: dict[Watch, Topic] = {}
        self._node = type(loaded.node)()
        self._node.CopyFrom(loaded.node)
        if not self._node.user_agent_name:
            self._node.user_agent_name = "metaprotocol"
            self._node.user_agent_version = __version__
        self._node.client_features.append("xds.config.resource-in-sotw")

    @property
    def used(self) -> bool:
        """Whether there is any stream."""
        return bool(self._connected)

    @property
    def connected(self) -> bool:
        """Whether every stream that is open has had an answer on its connection."""
        return bool(self._connected) and all(self._connected.values())

    def problem(self, source: Source) -> str:
        """What is wrong with a source; nothing if it can be asked."""
        if source.kind is SourceKind.ADS and self._loaded.dynamic.ads is None:
            return "comes by ads, but the bootstrap file's dynamic_resources.ads_config does not say from where"
        if source.target is not None and source.target.cluster:
            cluster = self._loaded.clusters.get(source.target.cluster)
            if cluster is None or cluster.kind not in CONTROL_KINDS:
                return (
                    f"is discovered through the cluster {source.target.cluster!r},"
                    " which the bootstrap file does not have with hosts of its own"
                )
            if cluster.transport_socket is not None and cluster.name not in self._loaded.tls:
                return f"is discovered through the cluster {cluster.name!r}, whose secrets nobody can tell"
        return ""

    def watch(self, source: Source, kind: Kind, watch: Watch) -> Watch:
        """Ask a source for something. What is known of it already comes at once."""
        topic = self._feed(source, kind).topic(kind)
        self._topics[watch] = topic
        topic.add(watch)
        return watch

    def leave(self, watch: Watch) -> None:
        """Ask for it no more."""
        self._topics.pop(watch).remove(watch)

    async def close(self) -> None:
        """Ask no source any more."""
        for watch in self._topics:
            watch.close()
        await asyncio.gather(*(feed.close() for feed in self._feeds.values()))

    def _feed(self, source: Source, kind: Kind) -> _Feed:
        if source.kind is SourceKind.PATH:
            key: tuple[object, ...] = (kind.name, source.path)
            if key not in self._feeds:
                self._feeds[key] = File(source.path, kind, self._receivers[kind.name])
            return self._feeds[key]
        service = "ads" if source.kind is SourceKind.ADS else kind.name
        asked = self._loaded.dynamic.ads if service == "ads" else source
        if asked is None or asked.target is None:
            raise ValueError(self.problem(source))
        key = (service, asked.target, asked.delta, asked.node_on_first_only)
        if key not in self._feeds:
            # gRPC takes long to load, and most proxies do without it.
            from metaprotocol.proxy._channels import Channels
            from metaprotocol.proxy._streams import Stream

            stream = Stream(
                Channels(asked.target, self._loaded.clusters, self._loaded.tls, self._node),
                service,
                delta=asked.delta,
                node=self._node,
                node_once=asked.node_on_first_only,
                backoff=self._backoff(),
                receivers=self._receivers,
                connection=self._connected.__setitem__,
            )
            self._feeds[key] = stream
            self._connected[stream] = False
        return self._feeds[key]
