"""The native core: frames, native codecs and connections, and batches.

Import the public names from `metaprotocol`; this module is where they live.
"""

from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, Mapping, Sequence, ValuesView
from os import PathLike
from typing import Any, Final, TypeVar, final, overload

from typing_extensions import Buffer, CapsuleType

from metaprotocol._model import Detection, Direction, ErrorType, FirstSpeaker, KeyInfo, Kind, PairBy, Sharing
from metaprotocol.codec import Codec
from metaprotocol.errors import DecodeError

_D = TypeVar("_D")

__version__: Final[str]

@final
class Limits:
    """Bounds on what a peer may make us hold or walk. Immutable.

    Args:
        max_frame_len: Longest frame, header included, in bytes. Default 64 MiB.
        max_header_len: Longest header, in bytes. Default 64 KiB.
        max_nesting: Deepest nesting of values that a body walk follows. Default 256.
        max_field_count: Most fields read from one frame. Default 4096.
        max_in_flight: Most requests of a direction remembered while their response is awaited; beyond it, or beyond
            16 MiB of them, the oldest is forgotten. Default 4096.
    """

    def __new__(
        cls,
        *,
        max_frame_len: int | None = None,
        max_header_len: int | None = None,
        max_nesting: int | None = None,
        max_field_count: int | None = None,
        max_in_flight: int | None = None,
    ) -> Limits: ...
    @property
    def max_frame_len(self) -> int: ...
    @property
    def max_header_len(self) -> int: ...
    @property
    def max_nesting(self) -> int: ...
    @property
    def max_field_count(self) -> int: ...
    @property
    def max_in_flight(self) -> int: ...
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...

@final
class NeedMore:
    """The answer of `split` for a frame whose header is not complete.

    Args:
        at_least: How many more bytes are needed before it is worth asking again; the frame is no shorter than that.

    Raises:
        ValueError: If `at_least` is 0.
    """

    def __new__(cls, at_least: int = 1) -> NeedMore: ...
    @property
    def at_least(self) -> int:
        """Bytes wanted, at least."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...

@final
class Head:
    """What `split` says of a frame. The body may be incomplete.

    Args:
        kind: What the frame is for.
        frame_len: Bytes of the whole frame, at least 1.
        header_len: Bytes before the body.
        request_id: An integer of 64 bits (a negative one is sign-extended), or bytes where the protocol has such ids.
        stream_id: The stream the frame belongs to.

    Raises:
        ValueError: If the lengths contradict each other or the id does not fit.
    """

    def __new__(
        cls,
        kind: int,
        frame_len: int,
        *,
        header_len: int = 0,
        request_id: int | bytes | None = None,
        stream_id: int | None = None,
    ) -> Head: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def frame_len(self) -> int: ...
    @property
    def header_len(self) -> int: ...
    @property
    def request_id(self) -> int | bytes | None: ...
    @property
    def stream_id(self) -> int | None: ...

@final
class Metadata:
    """The named values of a frame: a read-only mapping of str to str or int.

    A look-up reads no more of the frame than it takes. Iteration shows every field once, in the frame's order; a codec
    may know more by name alone (`arg.0` of Dubbo). A broken body raises `DecodeError` from the look-up that needs it.
    """

    def __getitem__(self, key: str, /) -> str | int: ...
    @overload
    def get(self, key: str, default: None = None) -> str | int | None: ...
    @overload
    def get(self, key: str, default: _D) -> str | int | _D: ...
    def __contains__(self, key: object, /) -> bool: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[str]: ...
    def keys(self) -> KeysView[str]: ...
    def values(self) -> ValuesView[str | int]: ...
    def items(self) -> ItemsView[str, str | int]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...

@final
class Frame:
    """One whole protocol message.

    Its bytes are views, never copies, where the frame came in one piece; they stay valid as long as somebody holds the
    frame or a view. Immutable, and safe to use from any thread.
    """

    @property
    def kind(self) -> Kind:
        """What the frame is for."""
    @property
    def request_id(self) -> int | bytes | None:
        """The request it is or answers. Signed ids are sign-extended to 64 bits and shown unsigned."""
    @property
    def stream_id(self) -> int | None:
        """The stream it belongs to, in protocols that have streams."""
    @property
    def raw(self) -> memoryview:
        """All its bytes, read-only."""
    @property
    def header(self) -> memoryview:
        """The bytes before the body, read-only."""
    @property
    def body(self) -> memoryview:
        """The bytes after the header, read-only."""
    @property
    def offset(self) -> int:
        """Offset of its first byte in the stream."""
    @property
    def direction(self) -> Direction:
        """Which way it travelled."""
    @property
    def codec(self) -> Codec:
        """The codec that made it."""
    @property
    def metadata(self) -> Metadata:
        """Its named values, read when asked for."""
    @property
    def request(self) -> Frame | None:
        """The request that this response answers, once its connection has paired it."""
    def __len__(self) -> int: ...
    def __bytes__(self) -> bytes: ...

@final
class Column:
    """A read-only column of numbers behind the buffer protocol: `numpy.asarray(column)` copies nothing."""

    def __len__(self) -> int: ...
    @overload
    def __getitem__(self, index: int, /) -> int: ...
    @overload
    def __getitem__(self, index: slice, /) -> memoryview: ...
    def __iter__(self) -> Iterator[int]: ...
    def tolist(self) -> list[int]:
        """The items as Python integers."""
    def __buffer__(self, flags: int, /) -> memoryview: ...

@final
class FrameBatch:
    """Frames as columns. `polars.DataFrame(batch)`, `pyarrow.record_batch(batch)` and DuckDB take it as it is.

    The fixed columns are read-only arrays of numbers, made when first asked for, which NumPy sees without a copy. The
    Arrow export has the columns `offset`, `length`, `header_length`, `kind` (a dictionary of names), `request_id`,
    `stream_id`, and the metadata columns that were asked for.
    """

    def __new__(cls, codec: Codec, frames: Sequence[Frame], keys: Sequence[str]) -> FrameBatch: ...
    @property
    def offsets(self) -> Column:
        """Offsets of the frames in the stream, uint64."""
    @property
    def lengths(self) -> Column:
        """Bytes of the frames, uint64."""
    @property
    def header_lengths(self) -> Column:
        """Bytes of their headers, uint32."""
    @property
    def kinds(self) -> Column:
        """The numbers of their `Kind`, uint8."""
    @property
    def request_ids(self) -> Column:
        """Integer request ids, uint64; 0 where a frame has none (null in the Arrow export)."""
    @property
    def stream_ids(self) -> Column:
        """Stream ids, uint64; 0 where a frame has none (null in the Arrow export)."""
    @property
    def columns(self) -> tuple[str, ...]:
        """The metadata keys that are columns."""
    def column(self, key: str) -> list[str | int | None]:
        """The values of a metadata column as Python objects.

        Raises:
            KeyError: If the key was not asked for.
        """
    @property
    def malformed(self) -> list[tuple[int, DecodeError]]:
        """Rows whose metadata could not be read (null in the columns), with the errors."""
    def __len__(self) -> int: ...
    def __getitem__(self, row: int, /) -> Frame: ...
    def __arrow_c_schema__(self) -> CapsuleType: ...
    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[CapsuleType, CapsuleType]: ...
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> CapsuleType: ...

@final
class NativeCodec:
    """A codec of the native core; see `metaprotocol.Codec` for the verbs. Immutable, and shared between threads."""

    @property
    def name(self) -> str: ...
    @property
    def aliases(self) -> tuple[str, ...]: ...
    @property
    def summary(self) -> str: ...
    @property
    def pair_by(self) -> PairBy: ...
    @property
    def sharing(self) -> Sharing: ...
    @property
    def first_speaker(self) -> FirstSpeaker: ...
    @property
    def heartbeats(self) -> bool: ...
    @property
    def min_header_len(self) -> int: ...
    @property
    def open_keys(self) -> bool: ...
    @property
    def keys(self) -> tuple[KeyInfo, ...]: ...
    def connection(self, *, limits: Limits | None = None) -> Connection: ...
    def split(self, buffer: Buffer, *, direction: int = ..., limits: Limits | None = None) -> Head | NeedMore: ...
    def decode(self, data: Buffer, *, direction: int | None = None, limits: Limits | None = None) -> Frame: ...
    def field(self, frame: Frame, key: str) -> str | int | None: ...
    def fields(self, frame: Frame) -> dict[str, str | int]: ...
    def rewrite(
        self,
        frame: Frame,
        *,
        set: Mapping[str, str | int] | None = None,
        remove: Iterable[str] | None = None,
        request_id: int | None = None,
    ) -> list[Buffer]: ...
    def reply(self, request: Frame, error: ErrorType | None = None, message: str = "") -> bytes | None: ...
    def detect(self, prefix: Buffer, *, direction: int = ...) -> Detection: ...
    def layout(self) -> str | None:
        """The layout as JSON, as `describe_codec` gives it; None for codecs that no description makes."""
    def dissect(
        self, data: Buffer, *, direction: int = ..., limits: Limits | None = None
    ) -> list[tuple[str, str, int, int, bool, str, str]] | None:
        """Where the fields of a frame are and what they hold, in wire order, for people.

        Args:
            data: The bytes from the front of a frame on. They may be broken, or only its front: what can be told is.
            direction: Which way they travelled.
            limits: What bounds the frame.

        Returns:
            For each field that is there: name, type, first byte (from 0), length in bytes, whether it lies within the
            field before it (bits of an integer, parts of a container), region (`header`, `body`, `trailer`), and the
            value as text. `len(name)` is the length in front of a field, `end(name)` what ends it, `name[key]` the
            entry of a map. None for codecs that no description makes.
        """
    def __reduce__(self) -> tuple[object, tuple[str]]: ...

@final
class Connection:
    """A connection of a native codec; see `metaprotocol.Connection` for the contract."""

    @property
    def codec(self) -> NativeCodec: ...
    @property
    def limits(self) -> Limits: ...
    def feed(self, direction: int, data: Buffer) -> list[Frame]: ...
    def feed_batch(self, direction: int, data: Buffer, *, columns: Sequence[str] = ...) -> FrameBatch: ...
    def get_buffer(self, direction: int, sizehint: int = ...) -> memoryview: ...
    def buffer_updated(self, direction: int, nbytes: int) -> list[Frame]: ...
    def pair(self, response: Frame) -> Frame | None: ...
    def eof(self, direction: int) -> None: ...
    def missing(self, direction: int) -> int: ...
    def offset(self, direction: int) -> int: ...
    def head(self, direction: int) -> Head | None: ...
    @property
    def in_flight(self) -> int: ...

@final
class Chunk:
    """Bytes that frames point into: for connections of codecs written in Python."""

    def __new__(cls, codec: Codec, data: Buffer, direction: int, limits: Limits, offset: int) -> Chunk: ...
    def frame(self, at: int, head: Head) -> Frame:
        """The frame at `at`, as `split` described it.

        Raises:
            ValueError: If it runs over the end of the chunk.
        """
    def slice(self, from_: int, to: int) -> memoryview:
        """A read-only view of part of the bytes."""
    @staticmethod
    def link(response: Frame, request: Frame) -> None:
        """Remember which request a response answers; the first one told stays."""

@final
class Block:
    """A receive buffer, read-only."""

    def __buffer__(self, flags: int, /) -> memoryview: ...

@final
class GuardedBuffer:
    """A copy of some bytes whose last byte is the last before memory that nobody may touch. For tests of codecs.

    Who reads beyond the end, in whatever language, ends the process with SIGSEGV instead of reading what lies there.

    Args:
        data: The bytes, in any contiguous buffer.

    Raises:
        OSError: If the system gives no memory.
    """

    def __new__(cls, data: Buffer) -> GuardedBuffer: ...
    def __len__(self) -> int: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...

@final
class Tail:
    """The free end of a receive buffer, writable."""

    def __buffer__(self, flags: int, /) -> memoryview: ...

def builtin_codecs() -> list[NativeCodec]:
    """One object for each built-in codec, in a fixed order."""

@final
class FilterJob:
    """A message that waits for a filter. It is answered once; one that goes without an answer is refused."""

    @property
    def response(self) -> bool: ...
    @property
    def codec(self) -> NativeCodec: ...
    @property
    def frame(self) -> Frame: ...
    @property
    def listener(self) -> str: ...
    @property
    def route(self) -> str | None: ...
    @property
    def waited(self) -> float:
        """How many seconds it waited."""

    def go(self) -> None:
        """Let it go on as it is."""

    def change(self, set: list[tuple[str, str]], remove: list[str]) -> None:
        """Let it go on with fields set and taken away."""

    def refuse(self, error: int, message: str) -> None:
        """Answer a request with an error, or put one in the place of an answer.

        Args:
            error: An `ErrorType`.
            message: What people are told.
        """

HISTOGRAM_BOUNDS_MS: Final[tuple[float, ...]]
"""Upper bounds of the buckets of the data path's histograms, in milliseconds; one more is for what is above."""

def xxh64(data: bytes) -> int:
    """xxHash64 with seed 0, by which Envoy shows versions as numbers."""

@final
class Proxy:
    """The data path of the proxy, for `metaprotocol.proxy`. It serves from when it is made until it is stopped.

    Args:
        workers: How many threads serve.
        filters: The filters that listeners may name, each with whether it wants to see answers.

    Raises:
        OSError: If the system gives no thread or event queue.
    """

    def __new__(cls, workers: int, filters: dict[str, bool]) -> Proxy: ...
    def next_job(self, filter: str, timeout: float) -> FilterJob | None:
        """The next message that waits for a filter; nothing after `timeout` seconds without one.

        Args:
            filter: Its name.
            timeout: How many seconds to wait.

        Raises:
            RuntimeError: If the proxy was stopped.
        """

    def update(self, update: str, codecs: dict[str, NativeCodec]) -> None:
        """Change the configuration, all of it at once.

        Args:
            update: JSON as `native/proxy/src/config.rs` has it (`Update`).
            codecs: The codecs that listeners name.

        Raises:
            ValueError: If something in it cannot be used. Nothing of it counts then.
        """

    def addresses(self) -> dict[str, str]:
        """Where each listener really listens, as `ip:port`."""

    def listener_stats(self) -> dict[str, dict[str, Any]]:
        """The counters of each listener; `request_time_ms` is its buckets' counts, and their sum in milliseconds."""

    def cluster_stats(self) -> dict[str, dict[str, int]]:
        """The counters of each cluster."""

    def hosts(self) -> dict[str, list[dict[str, Any]]]:
        """The hosts of each cluster, with what is known of them."""

    def checked(self, cluster: str, address: str, good: bool) -> bool:
        """Say what an active check found of a host; whether there is such a host.

        Args:
            cluster: Its cluster.
            address: Its address, as `ip:port`.
            good: Whether it can be used.
        """

    def inherit(self, name: str, descriptors: list[int]) -> None:
        """Take listening sockets that another process handed over, for the listener of this name.

        Args:
            name: The listener's name. If it is at another address, they are closed.
            descriptors: The sockets' descriptors, which belong to the proxy from here on.

        Raises:
            ValueError: If one of them is negative.
        """

    def disinherit(self) -> None:
        """Close what was inherited and no listener wanted."""

    def sockets(self) -> dict[str, list[int]]:
        """Descriptors of the listening sockets of each listener, to hand them over. The caller must close them.

        Raises:
            OSError: If the system gives no more descriptors.
        """

    def drain(self, patience: float) -> None:
        """Accept no more, and close each connection when nothing came or went on it for a second.

        Args:
            patience: After so many seconds those that never pause are closed as soon as nothing is under way.
        """

    def stop(self, drain_timeout: float) -> bool:
        """Drain for up to so many seconds, then stop. Whether no connection had to be cut.

        Args:
            drain_timeout: 0 stops at once.
        """

def bridge(codec: Codec) -> NativeCodec:
    """The native face of a codec: what decoders and proxies run, for tests and measurements.

    What a codec written in Python raises besides `DecodeError` and `EncodeError` is told by an `InvalidCodec` that
    names its class.

    Raises:
        TypeError: If it is no `Codec`.
    """

def compile_codec(text: str, path: str) -> NativeCodec:
    """The codec that a YAML description makes.

    Args:
        text: The description.
        path: Its name in errors; behind a `?` it may give values to the description's parameters
            (`awesomerpc.yaml?length_width=2`).

    Raises:
        CodecSpecError: At the first mistake, with the others behind it.
    """

def describe_codec(text: str, path: str) -> str:
    """What a YAML description says, as a JSON object: the layout, the rules, the keys, the replies.

    Raises:
        CodecSpecError: As `compile_codec`.
    """

def read_hex(text: str) -> bytes:
    """The bytes of a hex text: plain digits with white space, or a dump of xxd or hexdump -C.

    Raises:
        ValueError: At the first character that is no hex digit, with line and column.
    """

def open_library(path: str | PathLike[str]) -> list[NativeCodec]:
    """The codecs of a compiled plugin, a shared library that exports them as `metaprotocol_codec.h` says.

    Loading runs its code, and it is never unloaded.

    Raises:
        InvalidCodec: If the file is not such a library, or a codec in it is not valid.
    """

def codec_from_capsule(capsule: CapsuleType, source: str | None = None) -> NativeCodec:
    """The codec in a capsule named `metaprotocol.codec.v1`, which is kept for as long as the process lives.

    Args:
        capsule: What a module of a compiled plugin holds.
        source: Where `metaprotocol.load_codec` finds the capsule, in other processes too; without it the codec travels
            by its name.

    Raises:
        InvalidCodec: If the capsule has another name, or the codec in it is not valid.
    """

@final
class CaptureDecoder:
    """Decodes one capture, pushed in pieces of any size: buffers in, rows out. Take the rows after each push.

    May be shared between threads; calls wait for each other. Long calls release the GIL.

    Args:
        protocol: Name or alias of the only protocol to read; None recognises it for each connection.
        format: `auto`, `pcap`, `pcapng`, `raw` (the bytes of one direction) or `hex` (the same as text).
        direction: Which way the bytes of raw and hex input travelled; client to server if not said.
        where_: Conditions such as `method=sayHello`, `status!=20`, `interface~^com`, `latency_ms>10`. Rows meet all.
        output: `json` for `take_json`, `columns` for `take_batch`, `none` to count only.
        metadata: Whether rows show metadata.
        columns: The metadata keys to show; None shows all.
        max_rows: Stop after this many rows.
        threads: How many threads decode a capture; 0 takes as many as there are cores, up to 4.
        limits: Bounds on frames and requests in flight.
        codecs: The codecs to recognise and use, native ones and those written in Python; None takes the built-in ones.
            If one is written in Python all is decoded on the caller's thread, whatever `threads` says.

    Raises:
        ValueError: If an argument makes no sense, or no codec has the name of `protocol`.
        TypeError: If one of `codecs` is no `Codec`.
    """

    def __new__(
        cls,
        *,
        protocol: str | None = None,
        format: str = "auto",
        direction: int | None = None,
        where_: Sequence[str] = ...,
        output: str = "json",
        metadata: bool = True,
        columns: Sequence[str] | None = None,
        max_rows: int | None = None,
        threads: int = 0,
        limits: Limits | None = None,
        codecs: Sequence[Codec] | None = None,
    ) -> CaptureDecoder: ...
    def push(self, data: bytes) -> None:
        """Takes the next bytes of the file. Does nothing once `done`.

        Raises:
            CaptureError: Where the file cannot be read; every later call gives it again. Rows before stand.
            KeyboardInterrupt: If it came while a codec written in Python ran; so does all that must stop a program.
        """
    def flush(self) -> None:
        """Waits until all that was pushed is decoded; without it the rows of a long push may come with the next."""
    def finish(self) -> None:
        """Ends the file: closes all streams and gives out the requests that were not answered.

        To be called after an error too. Later calls do nothing but give the error again.

        Raises:
            CaptureError: If the file ends where it must not, or the error of before.
        """
    def take_json(self) -> bytes:
        """The rows since the last call, one JSON object a line."""
    def take_batch(self) -> RowBatch:
        """The rows since the last call as columns; there may be none."""
    def summary(self) -> bytes:
        """The numbers so far, as a JSON object."""
    def take_codec_errors(self) -> list[tuple[str, int, list[BaseException]]]:
        """What codecs written in Python raised (but for `DecodeError`) or broke of their contract, since the last call.

        For each codec: its name, how many times, and the first exceptions with their tracebacks, at most 8. The stream
        in which it happened ends there, with a row of the reason `invalid_codec`, unless it was but the metadata of a
        frame that could not be read; other streams go on.
        """
    @property
    def batch_rows(self) -> int:
        """Rows that `take_batch` would give."""
    @property
    def done(self) -> bool:
        """True once as many rows were given as were asked for."""
    @property
    def format(self) -> str | None:
        """`pcap` (both kinds of captures), `raw` or `hex`; None while it cannot be told."""
    @property
    def retained_bytes(self) -> int:
        """Bytes kept for open streams; bounded whatever the size of the file."""

@final
class RowBatch:
    """Rows as an Arrow record batch."""

    def __len__(self) -> int: ...
    def __arrow_c_schema__(self) -> CapsuleType: ...
    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[CapsuleType, CapsuleType]: ...

@final
class CaptureReader:
    """The streams of one capture, pushed in pieces of any size; `metaprotocol.read_capture` stands on it."""

    def __new__(cls) -> CaptureReader: ...
    def push(self, data: bytes, into: list[tuple[object, ...]]) -> None:
        """Takes the next bytes of the file and appends what they tell: tuples that begin with the event's name.

        Raises:
            CaptureError: Where the file cannot be read; every later call gives it again. Events before stand.
        """
    def finish(self, into: list[tuple[object, ...]]) -> int | None:
        """Ends the file and closes all connections; gives the offset of the record that was cut, if one was.

        Raises:
            CaptureError: If the file ends within its header, or the error of before.
        """

@final
class Condition:
    """A filter, as `metaprotocol decode --where` takes it: `method=sayHello`, `latency_ms>100`.

    Raises:
        ValueError: If it cannot be read; the message says why.
    """

    def __new__(cls, text: str) -> Condition: ...
    @property
    def key(self) -> str:
        """What it looks at."""
    def met_by(self, value: str | None) -> bool:
        """Whether a value meets it; None is a value that is missing."""

SERVICE_KEYS: Final[list[str]]
"""Metadata keys that name the service, best first."""
METHOD_KEYS: Final[list[str]]
"""Metadata keys that name the method, best first."""

ERROR_KEYS: Final[list[str]]
"""Metadata keys of answers that are there only if the call went wrong."""
REPLY_TYPE_FAILED: Final[tuple[str, str]]
"""A metadata key of answers, and its value in one that the framing takes for a success but is an error."""

def is_capture(front: bytes) -> bool:
    """Whether a file that begins so is a pcap or pcapng file; its first four bytes tell."""

def count_allocations(call: Callable[[], _D]) -> tuple[_D, int, int]:
    """Calls `call()`, and gives its result, how often this thread allocated natively within, and how many bytes."""
