# cython: language_level=3
"""The connection of a codec written in Python.

The same contract as the native one (`metaprotocol.codec.Connection`). What runs once per frame is compiled; the codec's
`split` is the only Python called. Bytes of a frame that straddles chunks are copied once.
"""

import threading
from collections import OrderedDict, deque
from copy import copy

cimport cython

from metaprotocol._model import Direction, Kind, PairBy
from metaprotocol._native import Chunk, FrameBatch, Head, NeedMore
from metaprotocol.codec import Connection
from metaprotocol.errors import DecodeError, IncompleteFrame, InvalidCodec, LimitExceeded

cdef enum:
    BLOCK_LEN = 65536
    MAX_WAITING_LEN = 16777216  # as the native connection has it

cdef int REQUEST = Kind.REQUEST
cdef int RESPONSE = Kind.RESPONSE
cdef int STREAM_OPEN = Kind.STREAM_OPEN
cdef int ERROR = Kind.ERROR


@cython.internal
@cython.auto_pickle(False)
cdef class Half:
    """One direction."""

    cdef Py_ssize_t start      # stream offset of the frame under way
    cdef bytearray carry       # its bytes so far
    cdef object head           # its head, once known
    cdef Py_ssize_t need       # how many more bytes it takes to get further
    cdef object failure        # why the direction is poisoned
    cdef bint ended
    cdef bytearray block       # handed out by get_buffer

    def __cinit__(self):
        self.carry = bytearray()


@cython.auto_pickle(False)
cdef class PythonConnection:
    """See `metaprotocol.codec.Connection`."""

    cdef readonly object codec
    cdef readonly object limits
    cdef object state
    cdef object lock
    cdef list halves
    cdef list waiting          # per direction: request id -> list of frames, in the order they were asked
    cdef list counts
    cdef list held             # bytes of the frames that wait
    cdef Py_ssize_t max_frame_len
    cdef Py_ssize_t max_header_len
    cdef Py_ssize_t max_in_flight
    cdef int pair_by

    def __init__(self, codec, limits):
        self.codec = codec
        self.limits = limits
        self.state = codec.new_state()
        self.lock = threading.RLock()
        self.halves = [Half(), Half()]
        self.waiting = [OrderedDict(), OrderedDict()]
        self.counts = [0, 0]
        self.held = [0, 0]
        self.max_frame_len = limits.max_frame_len
        self.max_header_len = limits.max_header_len
        self.max_in_flight = max(1, limits.max_in_flight)
        self.pair_by = codec.pair_by

    cdef _fail(self, Half half, int direction, error, list frames):
        """Poisons a direction."""
        if isinstance(error, DecodeError):
            error.frames = frames
        # A bug of the codec, or a key pressed, loses the place in the stream just as well.
        half.failure = error
        half.carry = bytearray()
        half.head = None
        return error

    cdef _again(self, error):
        """The error of a poisoned direction once more. The first one, and the frames in it, are the caller's."""
        return copy(error) if isinstance(error, DecodeError) else error

    cdef _over(self, str limit, value, maximum, Half half, int direction):
        return LimitExceeded(
            protocol=self.codec.name, direction=direction, offset=half.start, code="limit_exceeded",
            reason=f"{value} is over the limit of {maximum}; raise Limits.{limit} if such frames are wanted",
            limit=limit, value=value, maximum=maximum,
        )

    cdef _split(self, Half half, int direction, view):
        """Asks the codec, checks its answer, and says what is wrong in stream offsets."""
        cdef Py_ssize_t have = len(view)
        try:
            answer = self.codec.split(view, direction=Direction(direction), limits=self.limits, state=self.state)
        except DecodeError as error:
            _, (cls, arguments) = error.__reduce__()
            before = max(0, error.offset - 16)
            arguments.update(
                direction=direction, offset=half.start + error.offset,
                excerpt=bytes(view[before:error.offset + 48]), excerpt_offset=half.start + before,
            )
            raise cls(**arguments) from error
        if isinstance(answer, Head):
            if answer.frame_len > self.max_frame_len:
                raise self._over("max_frame_len", answer.frame_len, self.max_frame_len, half, direction)
            if answer.header_len > self.max_header_len:
                raise self._over("max_header_len", answer.header_len, self.max_header_len, half, direction)
        elif isinstance(answer, NeedMore):
            if have + answer.at_least > self.max_frame_len:
                raise self._over("max_frame_len", have + answer.at_least, self.max_frame_len, half, direction)
        else:
            raise InvalidCodec(
                f"{type(self.codec).__name__}.split returned {answer!r}; it must return a Head or NeedMore"
            )
        return answer

    cdef _feed(self, int direction, data):
        cdef Half half = self.halves[direction]
        cdef list frames = []
        cdef Py_ssize_t at = 0, size, take, before, frame_len
        if half.failure is not None:
            raise self._again(half.failure)
        if half.ended:
            raise ValueError(f"{Direction(direction).name.lower()} was ended with eof(): no bytes can follow")
        size = memoryview(data).nbytes
        offset = half.start + len(half.carry)
        chunk = Chunk(self.codec, data, direction, self.limits, offset)
        view = chunk.slice(0, size)
        try:
            while len(half.carry) and at < size:
                if size - at < half.need:
                    half.carry += view[at:]
                    half.need -= size - at
                    return frames
                before = len(half.carry)
                take = half.need if half.head is not None else min(size - at, max(half.need, before, 256))
                half.carry += view[at:at + take]
                at += take
                if half.head is None:
                    answer = self._split(half, direction, memoryview(bytes(half.carry)))
                    if isinstance(answer, NeedMore):
                        half.need = answer.at_least
                        continue
                    half.head = answer
                frame_len = half.head.frame_len
                if frame_len > len(half.carry):
                    half.need = frame_len - len(half.carry)
                    continue
                if frame_len <= before:
                    raise InvalidCodec(
                        f"{type(self.codec).__name__}.split asked for more bytes, then found a frame that needs none"
                    )
                at -= len(half.carry) - frame_len
                own = Chunk(self.codec, bytes(memoryview(half.carry)[:frame_len]), direction, self.limits, half.start)
                head, half.head = half.head, None
                half.carry = bytearray()
                half.start += frame_len
                half.need = 0
                frames.append(self._remember(direction, own.frame(0, head)))
            while at < size:
                if half.head is None:
                    answer = self._split(half, direction, view[at:])
                    if isinstance(answer, NeedMore):
                        half.need = answer.at_least
                        break
                    half.head = answer
                frame_len = half.head.frame_len
                if frame_len > size - at:
                    half.need = frame_len - (size - at)
                    break
                head, half.head = half.head, None
                half.start += frame_len
                frames.append(self._remember(direction, chunk.frame(at, head)))
                at += frame_len
        except BaseException as error:
            raise self._fail(half, direction, error, frames)
        half.carry += view[at:]
        return frames

    cdef _id(self, frame):
        if self.pair_by == 0:
            key = frame.request_id
            # Stream ids are a space of their own: a tuple is equal to no id.
            return ("stream", frame.stream_id) if key is None and frame.stream_id is not None else key
        if self.pair_by == 1:
            return 0
        if self.pair_by == 2:
            return frame.stream_id
        return None

    cdef _remember(self, int direction, frame):
        """Links a response to its request; remembers a request."""
        cdef int kind = frame.kind
        cdef object waiting
        if kind == REQUEST or kind == STREAM_OPEN:
            key = self._id(frame)
            if key is not None:
                waiting = self.waiting[direction]
                queue = waiting.get(key)
                if queue is None:
                    queue = waiting[key] = deque()
                queue.append(frame)
                self.counts[direction] += 1
                self.held[direction] += len(frame)
                while self.counts[direction] > self.max_in_flight or (
                    self.held[direction] > MAX_WAITING_LEN and self.counts[direction] > 1
                ):
                    self._forget(direction, next(iter(waiting)))
        elif kind == RESPONSE or kind == ERROR:
            key = self._id(frame)
            waiting = self.waiting[1 - direction]
            if key in waiting:
                Chunk.link(frame, self._forget(1 - direction, key))
        return frame

    cdef _forget(self, int direction, key):
        """Takes the oldest request of this id out of the table."""
        waiting = self.waiting[direction]
        queue = waiting[key]
        request = queue.popleft()
        if not queue:
            del waiting[key]
        self.counts[direction] -= 1
        self.held[direction] -= len(request)
        return request

    def feed(self, direction, data):
        with self.lock:
            return self._feed(Direction(direction), data)

    def feed_batch(self, direction, data, *, columns=()):
        with self.lock:
            try:
                frames = self._feed(Direction(direction), data)
            except DecodeError as error:
                error.frames = FrameBatch(self.codec, list(error.frames), list(columns))
                raise
            return FrameBatch(self.codec, frames, list(columns))

    def get_buffer(self, direction, sizehint=-1):
        cdef Half half = self.halves[Direction(direction)]
        with self.lock:
            # A new block for each read: the frames of the last one may still be looked at.
            half.block = bytearray(max(BLOCK_LEN, min(half.need, 16 * BLOCK_LEN)))
            return memoryview(half.block)

    def buffer_updated(self, direction, nbytes):
        cdef Half half = self.halves[Direction(direction)]
        with self.lock:
            block, half.block = half.block, None
            if block is None:
                raise ValueError("buffer_updated() without get_buffer()")
            if not 0 <= nbytes <= len(block):
                raise ValueError(f"buffer_updated({nbytes}): the buffer had room for {len(block)} bytes")
            return self._feed(Direction(direction), memoryview(block)[:nbytes])

    def pair(self, response):
        if response.request is not None:
            return response.request
        with self.lock:
            if response.kind in (Kind.RESPONSE, Kind.ERROR):
                self._remember(response.direction, response)
        return response.request

    def eof(self, direction):
        cdef Half half = self.halves[Direction(direction)]
        with self.lock:
            if half.failure is not None:
                raise self._again(half.failure)
            half.ended = True
            if half.carry:
                raise IncompleteFrame(self.codec.name, half.need, len(half.carry), half.start)

    def missing(self, direction):
        cdef Half half = self.halves[Direction(direction)]
        return half.need if half.carry else 0

    def offset(self, direction):
        cdef Half half = self.halves[Direction(direction)]
        return half.start

    def head(self, direction):
        cdef Half half = self.halves[Direction(direction)]
        return half.head

    @property
    def in_flight(self):
        return self.counts[0] + self.counts[1]

    def __repr__(self):
        return f"<metaprotocol {self.codec.name} connection>"


Connection.register(PythonConnection)
