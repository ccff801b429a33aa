"""VideoPacket with rules of your own. The codec as it comes is `metaprotocol.get_codec("videopacket")`.

A module that holds a capsule is all it takes to use one by name, in an entry point or in `metaprotocol.load_codec`:

>>> from metaprotocol import videopacket
>>> codec = videopacket.capsule(name="feed", body={4660: {0: "channel", 3: "page"}})
"""

from metaprotocol._videopacket import capsule

__all__ = ["capsule"]
