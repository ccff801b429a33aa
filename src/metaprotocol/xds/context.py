"""What a conversion knows besides the message."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from metaprotocol import get_codec, load_codec, register_codec
from metaprotocol._load import is_source
from metaprotocol.errors import CodecSpecError, InvalidCodec, UnknownCodec
from metaprotocol.xds.fields import Fields

if TYPE_CHECKING:
    from metaprotocol.xds.gen.aeraki.meta_protocol_proxy.v1alpha.meta_protocol_proxy_pb2 import Codec
    from metaprotocol.xds.problems import Place

__all__ = ["CODEC_PREFIX", "Context"]

CODEC_PREFIX = "aeraki.meta_protocol.codec."
"""In front of a codec's name, it is the name that MetaProtocol Proxy knows it by."""

CODEC = Fields(
    "aeraki.meta_protocol_proxy.v1alpha.Codec", "name", because={"config": "this codec takes no configuration"}
)


# What was loaded for a configuration, by the codec's name: the same file again is a newer version of it.
_from_files: dict[str, Path] = {}


def _load(source: str) -> str:
    path = Path(source).resolve()
    codec = load_codec(source)
    register_codec(codec, replace=_from_files.get(codec.name) == path)
    _from_files[codec.name] = path
    return codec.name


@dataclass(frozen=True)
class Context:
    """What a conversion knows besides the message.

    Attributes:
        filters: The filters that the data path has; the others are reported and left out. None: all of them.
        clusters: The clusters that exist; a route to another one is reported. None: not known, as with discovery.
        local_cluster: The name of the cluster that the proxy belongs to, for routing by zones; may be empty.
        load_codecs: Whether a codec may be named by the file that it is in. Not for what comes over a network: a
            codec is code.
    """

    filters: frozenset[str] | None = None
    clusters: frozenset[str] | None = None
    local_cluster: str = ""
    load_codecs: bool = False

    def codec(self, codec: Codec, place: Place) -> str | None:
        """The name of a codec as the data path knows it; nothing, after a report, if there is none."""
        # Those of MetaProtocol Proxy are all empty, so that an Any of whatever type without a value says nothing.
        CODEC.check(codec, place, moot=() if codec.config.value else ("config",))
        place = place / "name"
        if not codec.name:
            place.error("is needed")
            return None
        try:
            if is_source(codec.name):
                if not self.load_codecs:
                    place.error("is a file; only a bootstrap file may name one")
                    return None
                return _load(codec.name)
            return get_codec(codec.name).name
        except UnknownCodec as error:
            plain = codec.name.removeprefix(CODEC_PREFIX)
            if plain != codec.name:
                try:
                    return get_codec(plain).name
                except (UnknownCodec, InvalidCodec):
                    pass
            place.error(str(error))
        except (InvalidCodec, CodecSpecError, OSError) as error:
            place.error(str(error))
        return None
