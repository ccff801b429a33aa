"""Transport sockets: connections are plain TCP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metaprotocol.xds.fields import Fields

if TYPE_CHECKING:
    from envoy.config.core.v3.base_pb2 import TransportSocket

    from metaprotocol.xds.problems import Place

__all__ = ["is_plain"]

SOCKET = Fields("envoy.config.core.v3.TransportSocket", "name typed_config")
_RAW_BUFFER = "envoy.transport_sockets.raw_buffer"


def is_plain(socket: TransportSocket, place: Place) -> bool:
    """Whether a transport socket is that of plain TCP; an empty message is."""
    SOCKET.check(socket, place)
    return socket.name in ("", _RAW_BUFFER) and (socket.name != "" or not socket.HasField("typed_config"))
