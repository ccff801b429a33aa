"""Native codecs for layer-7 protocols besides HTTP: bytes in, frames out.

>>> import metaprotocol
>>> connection = metaprotocol.get_codec("thrift").connection()
>>> call = bytes.fromhex("00000011800100010000000470696e670000000700")
>>> [frame] = connection.feed(metaprotocol.Direction.CLIENT_TO_SERVER, call)
>>> frame.kind.name, frame.request_id, frame.metadata["method"]
('REQUEST', 7, 'ping')
"""

from metaprotocol._include import get_include
from metaprotocol._load import load_codec
from metaprotocol._model import Detection, Direction, ErrorType, FirstSpeaker, KeyInfo, Kind, PairBy, Sharing
from metaprotocol._native import Frame, FrameBatch, Head, Limits, Metadata, NeedMore, __version__
from metaprotocol._registry import get_codec, list_codecs, register_codec
from metaprotocol.codec import Codec, Connection
from metaprotocol.errors import (
    CaptureError,
    CodecSpecError,
    DecodeError,
    EncodeError,
    IncompleteFrame,
    InvalidCodec,
    LimitExceeded,
    MetaProtocolError,
    UnknownCodec,
)

__all__ = [
    "CaptureError",
    "Codec",
    "CodecSpecError",
    "Connection",
    "DecodeError",
    "Detection",
    "Direction",
    "EncodeError",
    "ErrorType",
    "FirstSpeaker",
    "Frame",
    "FrameBatch",
    "Head",
    "IncompleteFrame",
    "InvalidCodec",
    "KeyInfo",
    "Kind",
    "LimitExceeded",
    "Limits",
    "MetaProtocolError",
    "Metadata",
    "NeedMore",
    "PairBy",
    "Sharing",
    "UnknownCodec",
    "__version__",
    "get_codec",
    "get_include",
    "list_codecs",
    "load_codec",
    "register_codec",
]
