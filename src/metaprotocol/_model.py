"""The words of the model that Python and the native core share.

The numbers are those of the Rust enums in `native/core`; `tests/unit/test_model.py` holds the two together.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

__all__ = ["Detection", "Direction", "ErrorType", "FirstSpeaker", "KeyInfo", "Kind", "PairBy", "Sharing"]


class Direction(IntEnum):
    """Which way bytes travel on a connection. The client is the side that opened it."""

    CLIENT_TO_SERVER = 0
    SERVER_TO_CLIENT = 1

    @property
    def reverse(self) -> Direction:
        """The opposite direction."""
        return Direction(1 - self)


class Kind(IntEnum):
    """What a frame is for."""

    REQUEST = 0
    """Expects exactly one response."""
    RESPONSE = 1
    """Answers a request, successfully as far as the protocol's framing says."""
    ONEWAY = 2
    """A request nobody answers."""
    STREAM_OPEN = 3
    """Opens a stream of frames that share a stream id."""
    STREAM_DATA = 4
    """Carries data of an open stream."""
    STREAM_HALF_CLOSE = 5
    """One side of a stream has finished sending."""
    STREAM_CLOSE = 6
    """A stream is over in both directions."""
    HEARTBEAT = 7
    """Keeps a connection alive; answered by the peer or by a proxy."""
    ERROR = 8
    """Answers a request with an error that the frame itself states."""
    CONTROL = 9
    """Handshakes, notices and other frames about the connection itself."""


class Detection(IntEnum):
    """Whether the front of a stream looks like a protocol."""

    YES = 0
    """No other built-in protocol starts like this."""
    NO = 1
    """It cannot be this protocol."""
    NEED_MORE = 2
    """Too early to tell."""


class PairBy(IntEnum):
    """How responses find their requests."""

    ID = 0
    """By request id, equal ids in the order they were sent; frames that have a stream id instead, by that."""
    ORDER = 1
    """In the order of the requests."""
    STREAM = 2
    """By stream id."""
    NONE = 3
    """Not at all."""


class Sharing(IntEnum):
    """How many clients one upstream connection can serve."""

    MULTIPLEXED = 0
    """Many at once, in any order: ids can be rewritten."""
    PIPELINED = 1
    """Many, one after another: answers come in order."""
    BOUND = 2
    """One: the connection holds state of its client."""


class FirstSpeaker(IntEnum):
    """Who sends the first bytes on a new connection."""

    CLIENT = 0
    SERVER = 1


class ErrorType(IntEnum):
    """Why a request is answered locally. The first six are the error types of MetaProtocol Proxy."""

    ROUTE_NOT_FOUND = 0
    """No route matches the request."""
    CLUSTER_NOT_FOUND = 1
    """The route names a cluster that does not exist."""
    NO_HEALTHY_UPSTREAM = 2
    """The cluster has no endpoint that could be used."""
    BAD_RESPONSE = 3
    """The upstream answered with bytes that are not the protocol."""
    UNSPECIFIED = 4
    """Anything else."""
    OVER_LIMIT = 5
    """A rate or concurrency limit is reached."""
    TIMEOUT = 6
    """The upstream did not answer in time."""
    UPSTREAM_RESET = 7
    """The upstream connection broke before the answer came."""
    DENIED = 8
    """The request is not authorized."""
    BAD_REQUEST = 9
    """The request itself cannot be understood."""


class KeyInfo(NamedTuple):
    """A metadata key that a codec always knows."""

    name: str
    """The name users write in rules."""
    about: str
    """What it holds, in one line."""
    writable: bool = False
    """True if `rewrite` can set it."""
    number: bool = False
    """True if its values are numbers; batches then give it an integer column."""
