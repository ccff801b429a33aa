"""The compiled codec of VideoPacket; its source is codecs/videopacket/videopacket.pyx."""

from typing import Final

from typing_extensions import CapsuleType

codec: Final[CapsuleType]

def capsule(
    *, name: str = "videopacket", body: dict[int, dict[int, str]] | None = None, old_results: bool = False
) -> CapsuleType:
    """A capsule with a VideoPacket codec of your own, for an entry point or for `metaprotocol.load_codec`.

    Args:
        name: The codec's name. Only `videopacket` has the alias of MetaProtocol Proxy.
        body: Which fields of a request's body become metadata: for each command, tags and the keys they go by. The
            default is that of MetaProtocol Proxy, `{24608: {0: "channelId", 1: "scene"}}`.
        old_results: Whether error replies carry the results of MetaProtocol Proxy: 5 for OVER_LIMIT, 1 for the rest.

    Raises:
        ValueError: If a command is no number of 16 bits, or a tag none of 8.
    """
