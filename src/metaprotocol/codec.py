"""The contract of a codec and of a connection, for native codecs and those written in Python alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, cast

from metaprotocol._model import Detection, Direction, ErrorType, FirstSpeaker, KeyInfo, PairBy, Sharing
from metaprotocol._native import Chunk, Frame, FrameBatch, Head, Limits, Metadata, NativeCodec, NeedMore
from metaprotocol._native import Connection as NativeConnection
from metaprotocol.errors import DecodeError, EncodeError, IncompleteFrame, InvalidCodec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from typing_extensions import Buffer

__all__ = ["Codec", "Connection"]


class Connection(ABC):
    """The decoder of one TCP connection: two directions, each a stream of bytes cut anywhere.

    Made by `Codec.connection`. It may be shared between threads; calls take turns. After a `DecodeError` the direction
    is poisoned and raises the same error for ever.
    """

    @property
    @abstractmethod
    def codec(self) -> Codec:
        """The codec that opened the connection."""

    @property
    @abstractmethod
    def limits(self) -> Limits:
        """The limits it was opened with."""

    @abstractmethod
    def feed(self, direction: int, data: Buffer) -> list[Frame]:
        """Take the next bytes of a direction, cut anywhere, and give the frames that they complete.

        A frame that lies within `data` is a view of it: nothing is copied, and `data` stays alive as long as a view
        of it. Only a frame that straddles chunks is copied, once. A writable buffer (a `bytearray`) is copied on entry,
        because it could change under the frames.

        Args:
            direction: A `Direction`.
            data: The bytes, in any contiguous buffer.

        Returns:
            The frames, in the order of the stream. Responses are paired with the requests of the other direction.

        Raises:
            DecodeError: At the first bytes that are not the protocol; `error.frames` holds the frames before them.
            LimitExceeded: The same, for a frame over a limit; raised as soon as the length is known.
            ValueError: After `eof`, or when mixed with `get_buffer` in the middle of a frame.
        """

    @abstractmethod
    def feed_batch(self, direction: int, data: Buffer, *, columns: Sequence[str] = ()) -> FrameBatch:
        """As `feed`, but give the frames as columns, and make no Python object per frame.

        Args:
            direction: A `Direction`.
            data: The bytes, in any contiguous buffer.
            columns: Metadata keys that become columns.

        Returns:
            The batch. Requests and responses in it are not paired: join on the request ids.

        Raises:
            DecodeError: As `feed`; `error.frames` is the batch of the frames before the error.
        """

    @abstractmethod
    def get_buffer(self, direction: int, sizehint: int = -1) -> memoryview:
        """Memory for the next bytes of a direction: for `asyncio.BufferedProtocol.get_buffer` and `socket.recv_into`.

        Args:
            direction: A `Direction`.
            sizehint: How many bytes are expected, or -1.

        Returns:
            A writable view of at least one byte. Write to its front, then call `buffer_updated`; write no more after.
        """

    @abstractmethod
    def buffer_updated(self, direction: int, nbytes: int) -> list[Frame]:
        """Say how many bytes were written to the front of the last `get_buffer`, and take the frames they complete.

        Raises:
            DecodeError: As `feed`.
            ValueError: If `nbytes` is more than the buffer had room for, or no buffer was taken.
        """

    @abstractmethod
    def pair(self, response: Frame) -> Frame | None:
        """Give the request that a response answers; None if it is not remembered or the frame answers nothing."""

    @abstractmethod
    def eof(self, direction: int) -> None:
        """Say that no more bytes will come.

        Raises:
            IncompleteFrame: If the stream ends within a frame.
            DecodeError: If the direction is poisoned.
        """

    @abstractmethod
    def missing(self, direction: int) -> int:
        """How many more bytes the frame under way needs at least; 0 between frames."""

    @abstractmethod
    def offset(self, direction: int) -> int:
        """Offset in the stream of the first byte that belongs to no completed frame."""

    @abstractmethod
    def head(self, direction: int) -> Head | None:
        """What is known of the frame under way, once its header is in; its body may still be coming."""

    @property
    @abstractmethod
    def in_flight(self) -> int:
        """How many requests wait for their response, at most `limits.max_in_flight` in each direction."""


class Codec(ABC):
    """A protocol. Stateless and shared between threads; what a connection must remember lives in its `Connection`.

    To write a codec in Python, subclass, set `name`, implement `split`, and register it with
    `metaprotocol.register_codec` or an entry point of the group `metaprotocol.codecs`. The other verbs are optional.
    """

    name: ClassVar[str]
    """The protocol's id: one lower-case word."""
    aliases: ClassVar[tuple[str, ...]] = ()
    """Other names it answers to."""
    summary: ClassVar[str] = ""
    """What it reads, in one line."""
    pair_by: ClassVar[PairBy] = PairBy.ID
    """How responses find their requests."""
    sharing: ClassVar[Sharing] = Sharing.BOUND
    """How upstream connections may be shared."""
    first_speaker: ClassVar[FirstSpeaker] = FirstSpeaker.CLIENT
    """Who sends the first bytes."""
    heartbeats: ClassVar[bool] = False
    """True if the protocol has heartbeats that `reply` can answer."""
    min_header_len: ClassVar[int] = 1
    """Bytes of the shortest header."""
    open_keys: ClassVar[bool] = False
    """True if `rewrite` can set keys beyond `keys`."""
    keys: ClassVar[tuple[KeyInfo, ...]] = ()
    """The metadata keys that are always known; a frame may hold more."""

    @abstractmethod
    def split(
        self,
        buffer: Buffer,
        *,
        direction: int = Direction.CLIENT_TO_SERVER,
        limits: Limits | None = None,
        state: Any = None,  # noqa: ANN401 -- whatever `new_state` returns
    ) -> Head | NeedMore:
        """Where the frame at the front of a buffer ends, and what it is. Reads the header only.

        Args:
            buffer: The bytes from the frame's first on. Python codecs get a memoryview that is never empty.
            direction: Which way the bytes travel.
            limits: Bounds for what the header claims; `frame_len` and `header_len` are checked by the caller too.
            state: What `new_state` returned for this connection. Native codecs take no state here.

        Returns:
            The `Head` of the frame, whose body may be incomplete, or `NeedMore` if the header is.

        Raises:
            DecodeError: If the bytes are not this protocol.
        """

    def new_state(self) -> Any:  # noqa: ANN401 -- the codec's own affair
        """What one connection remembers, for both directions; passed to each `split`."""
        return None

    def connection(self, *, limits: Limits | None = None) -> Connection:
        """Open the decoder of one connection.

        Args:
            limits: Bounds for what a peer may make us hold; the defaults of `Limits` if None.
        """
        from metaprotocol._pyconnection import PythonConnection

        # Compiled classes cannot inherit from an ABC; this one is registered to it, which mypy does not see.
        return cast("Connection", PythonConnection(self, limits if limits is not None else Limits()))

    def decode(self, data: Buffer, *, direction: int | None = None, limits: Limits | None = None) -> Frame:
        """Exactly one frame.

        Args:
            data: The frame's bytes.
            direction: Which way it travels; if None, whichever way the protocol allows.
            limits: As for `connection`.

        Raises:
            IncompleteFrame: If bytes are missing; it says how many.
            DecodeError: If the bytes are not the protocol, or more follow the frame.
        """
        limits = limits if limits is not None else Limits()
        way = Direction.CLIENT_TO_SERVER if direction is None else Direction(direction)
        chunk = Chunk(self, data, way, limits, 0)
        view = chunk.slice(0, memoryview(data).nbytes)
        split = self.split(view, direction=way, limits=limits, state=self.new_state()) if view.nbytes else NeedMore()
        if isinstance(split, NeedMore):
            raise IncompleteFrame(self.name, split.at_least, view.nbytes)
        if not isinstance(split, Head):
            raise InvalidCodec(f"{type(self).__name__}.split returned {split!r}; it must return a Head or NeedMore")
        if split.frame_len > view.nbytes:
            raise IncompleteFrame(self.name, split.frame_len - view.nbytes, view.nbytes)
        if split.frame_len < view.nbytes:
            extra = view.nbytes - split.frame_len
            raise DecodeError(
                protocol=self.name,
                offset=split.frame_len,
                code="trailing_bytes",
                reason=f"{extra} bytes follow the frame, where exactly one was expected",
                direction=direction,
            )
        return chunk.frame(0, split)

    def fields(self, frame: Frame) -> Mapping[str, str | int]:  # noqa: ARG002 -- for subclasses
        """All metadata of a frame of this codec."""
        return {}

    def field(self, frame: Frame, key: str) -> str | int | None:
        """One metadata value, or None if the frame lacks it. Override where one is cheaper to find than all."""
        return self.fields(frame).get(key)

    def rewrite(
        self,
        frame: Frame,
        *,
        set: Mapping[str, str | int] | None = None,  # noqa: A002 -- the verb's word
        remove: Iterable[str] | None = None,
        request_id: int | None = None,
    ) -> list[Buffer]:
        """The frame with edits, as buffers to write one after another (`writev`, `sendmsg`); joined they are the frame.

        Args:
            frame: A frame of this codec.
            set: Metadata to add or replace.
            remove: Metadata to remove; keys that the frame lacks are ignored.
            request_id: The new request id, of 64 bits; a negative one is sign-extended.

        Returns:
            Views of unchanged runs of the frame, and small new pieces.

        Raises:
            EncodeError: If the frame has no place for an edit.
            DecodeError: If the frame is broken where the edit goes.
        """
        if set or remove or request_id is not None:
            raise EncodeError(self.name, f"{type(self).__name__} does not implement rewrite")
        return [frame.raw]

    def reply(
        self,
        request: Frame,  # noqa: ARG002 -- for subclasses
        error: ErrorType | None = None,  # noqa: ARG002
        message: str = "",  # noqa: ARG002
    ) -> bytes | None:
        """An answer made locally.

        Args:
            request: The frame to answer; one of a stream that is open gets the frame that closes the stream.
            error: Why the request is refused; None to answer a heartbeat.
            message: The reason for people, where the protocol can carry it.

        Returns:
            The bytes of the answer, with the request's id; None if such a request is not answered (one-way).

        Raises:
            EncodeError: If the protocol cannot answer such a frame.
        """
        raise EncodeError(self.name, f"{type(self).__name__} does not implement reply")

    def detect(self, prefix: Buffer, *, direction: int = Direction.CLIENT_TO_SERVER) -> Detection:  # noqa: ARG002
        """Whether the front of a stream looks like this protocol. A codec that does not say is never detected."""
        return Detection.NO


Codec.register(NativeCodec)
Connection.register(NativeConnection)
Mapping.register(Metadata)
