"""What must hold for any bytes whatever: one stream through every verb of a codec.

The same checks serve the conformance suite (on samples and their mutations) and the fuzzer (on everything it makes up).
They know no protocol: what is expected of a stream cut in pieces is what the same stream gave in one.
"""

from __future__ import annotations

import random
import traceback
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from zlib import crc32

from metaprotocol._model import Detection, Direction, ErrorType, Kind
from metaprotocol._native import GuardedBuffer, Limits, NativeCodec
from metaprotocol.errors import DecodeError, EncodeError, InvalidCodec
from metaprotocol.testing._cuts import places

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType

    from typing_extensions import Buffer

    from metaprotocol._native import Frame, FrameBatch
    from metaprotocol.codec import Codec, Connection

__all__ = ["LIMITS", "PARTS", "Decoded", "Exerciser", "Tracer", "Violation", "is_foreign", "seen"]

LIMITS = Limits(max_frame_len=1 << 20)
MOST_AWAITED = 1 << 16
"""Bytes of a broken header that may be awaited before it is refused."""
BACKGROUND = b"\xa5" * 64
"""What lies behind a view that ends before its memory does."""
MORE_KEYS = ("", "absent", "arg.0", "arg.2", "arg.-1", "header.a")
"""Asked for besides the keys that the codec announces and those that the frame has."""
DETECT_LEN = 64
PARTS = frozenset(["cut", "end", "fields", "rewrite", "reply", "detect"])
NEW_ID = 77
QUICK_FRAMES = 2
THOROUGH_FRAMES = 16
MESSAGE = "no röute"
_HERE = str(Path(__file__).parent)
_STDLIB = str(Path(traceback.__file__).parent)
_ANSWERS = (Kind.RESPONSE, Kind.ERROR)


class Violation(AssertionError):
    """A codec breaks its contract.

    Attributes:
        kind: Which part of it, in one word: `exception`, `memory`, `cut`, `over-ask`, `over-read`, `fields` …
        place: Where, so that two of one kind and place are the same fault.
    """

    def __init__(self, kind: str, place: str, message: str) -> None:
        self.kind = kind
        self.place = place
        super().__init__(message)


class Decoded(NamedTuple):
    """What came out of one direction.

    The frames; code and offset of the error behind them; how many bytes the frame under way needs at least.
    """

    frames: list[Frame]
    failure: tuple[str, int] | None
    missing: int


def seen(frame: Frame) -> tuple[object, ...]:
    """What a frame is, apart from the memory it lies in."""
    return (frame.kind, frame.request_id, frame.stream_id, frame.offset, len(frame.header), bytes(frame.raw))


def _told(frame: Frame) -> str:
    return f"{frame.kind.name} id={frame.request_id!r} with {len(frame.header)} of {len(frame)} bytes at {frame.offset}"


class Tracer:
    """Sees which code runs. This one sees nothing."""

    def start(self) -> None:
        """From here on."""

    def stop(self) -> None:
        """Up to here."""


class Exerciser:
    """Runs streams through a codec.

    Streams lie in `GuardedBuffer`s: native code that reads beyond the end dies there, so run it where somebody watches.

    Args:
        codec: The codec.
        limits: Limits of its connections.
        tracer: Sees what code runs while the stream is decoded in one piece and the verbs are called.
    """

    def __init__(self, codec: Codec, *, limits: Limits = LIMITS, tracer: Tracer | None = None) -> None:
        self.codec = codec
        self.limits = limits
        self.tracer = tracer if tracer is not None else Tracer()
        self.native = isinstance(codec, NativeCodec)
        self.keys = [key.name for key in codec.keys]
        self.writable = [(key.name, key.number) for key in codec.keys if key.writable]
        self.features: set[object] = set()
        """What was observed of the last stream, for a fuzzer to tell a new behaviour by."""
        self.doing = ""
        self.all = True

    def thorough(self, direction: Direction, data: bytes) -> Decoded:
        """Every check: the stream cut and ended everywhere, every edit and reply of its frames.

        Raises:
            Violation: At the first thing that does not hold.
        """
        return self._run(direction, data, everything=True)

    def only(self, part: str, direction: Direction, data: bytes) -> Decoded:
        """The thorough checks of one of `PARTS`.

        Raises:
            Violation: At the first thing that does not hold.
        """
        return self._run(direction, data, everything=True, parts=frozenset([part]))

    def quick(self, direction: Direction, data: bytes) -> Decoded:
        """Some of the checks of `thorough`, chosen by the bytes: the same ones for the same bytes.

        Raises:
            Violation: At the first thing that does not hold.
        """
        return self._run(direction, data, everything=False)

    def _run(self, direction: Direction, data: bytes, *, everything: bool, parts: frozenset[str] = PARTS) -> Decoded:
        self.features.clear()
        self.all = everything
        chance = random.Random(crc32(data))  # noqa: S311 -- the same in every run
        try:
            self.tracer.start()
            try:
                whole = self._whole(direction, data)
                frames = whole.frames[: THOROUGH_FRAMES if everything else QUICK_FRAMES]
                for frame in frames:
                    self._verbs(direction, data, frame, chance, parts)
            finally:
                self.tracer.stop()
            if "cut" in parts:
                for pieces in self._cuts(data, chance):
                    self._cut(direction, whole, pieces)
                self._received(direction, data, whole, chance)
            if "end" in parts:
                for length in places(len(data)) if everything else [int(chance.random() * (len(data) + 1))]:
                    self._ended(direction, data, whole, length)
            if "detect" in parts:
                self._detect(direction, data, chance)
        except (Violation, KeyboardInterrupt):
            raise
        except MemoryError as error:
            raise Violation(
                "memory", _place(error.__traceback__, self.doing), f"{self.doing}: out of memory"
            ) from error
        except InvalidCodec as error:
            raise Violation("contract", f"{self.doing}: {error}"[:200], f"{self.doing}: {error}") from error
        except BaseException as error:
            # Panics of native code and SystemExit are findings too, not reasons to end.
            where = _place(error.__traceback__, self.doing)
            what = traceback.format_exception_only(error)[0].strip()
            raise Violation(
                "exception", f"{type(error).__name__} in {where}", f"{self.doing} raises {what}, in {where}"
            ) from error
        return whole

    # split, through connections

    def _whole(self, direction: Direction, data: bytes) -> Decoded:
        self.doing = "feed of the whole stream"
        connection = self.codec.connection(limits=self.limits)
        whole = self._feed(connection, direction, [GuardedBuffer(data)])
        end = 0
        note = self.features.add
        for frame in whole.frames:
            if frame.offset != end or not len(frame):
                raise Violation("tiling", "feed", f"a frame begins at {frame.offset}, where {end} was due")
            end += len(frame)
            note((frame.kind, type(frame.request_id), len(frame.header).bit_length(), len(frame).bit_length()))
        if end != connection.offset(direction) or end > len(data):
            told = connection.offset(direction)
            raise Violation("tiling", "feed", f"frames end at {end}, the connection at {told} of {len(data)} bytes")
        note((len(whole.frames).bit_length(), whole.missing.bit_length()))
        if whole.failure is not None:
            code, offset = whole.failure
            if not end <= offset <= len(data):
                raise Violation("error-offset", code, f"{code} at {offset}: it must lie from {end} to {len(data)}")
            note((code, min(offset - end, 256)))
            again = self._feed(connection, direction, [b"\0"])
            if again.frames or again.failure != whole.failure:
                raise Violation("poison", "feed", f"after {whole.failure} the direction gives {again}")
        elif (whole.missing > 0) != (end < len(data)):
            raise Violation("missing", "feed", f"{whole.missing} bytes are missing at {len(data) - end} of a frame")
        return whole

    def _feed(self, connection: Connection, direction: Direction, pieces: Iterable[Buffer]) -> Decoded:
        frames: list[Frame] = []
        try:
            for piece in pieces:
                frames += connection.feed(direction, piece)
        except DecodeError as error:
            frames += error.frames
            return Decoded(frames, self._failure(error), 0)
        return Decoded(frames, None, connection.missing(direction))

    def _failure(self, error: DecodeError) -> tuple[str, int]:
        if error.code == "invalid_codec":
            raise Violation("contract", f"{self.doing}: {error.reason}", f"{self.doing}: {error}") from error
        return error.code, error.offset

    def _cuts(self, data: bytes, chance: random.Random) -> Iterable[list[bytes]]:
        size = len(data)
        if self.all:
            yield [data[at : at + 1] for at in range(size)]
            for length in (2, 3, 7, 64, 1460):
                yield [data[at : at + length] for at in range(0, size, length)]
            for at in places(size):
                yield [data[:at], data[at:]]
        if chance.random() < 0.25:
            front = min(size, 24)
            yield [*(data[at : at + 1] for at in range(front)), data[front:]]
        else:
            cuts = sorted(int(chance.random() * (size + 1)) for _ in range(1 + int(chance.random() * 4)))
            yield [data[start:end] for start, end in pairwise([0, *cuts, size])]

    def _cut(self, direction: Direction, whole: Decoded, pieces: list[bytes]) -> None:
        self.doing = "feed of a stream in pieces"
        connection = self.codec.connection(limits=self.limits)
        frames: list[Frame] = []
        failure, missing, at = None, 0, 0
        asked = []
        try:
            for piece in pieces:
                frames += connection.feed(direction, piece)
                at += len(piece)
                missing = connection.missing(direction)
                asked.append(missing.bit_length())
                if missing and len(frames) < len(whole.frames):
                    under_way = whole.frames[len(frames)]
                    end = under_way.offset + len(under_way)
                    if at + missing > end:
                        raise Violation(
                            "over-ask",
                            f"split of {under_way.kind.name}",
                            f"with {at} bytes in, {missing} more are asked for, and the frame ends at {end}",
                        )
        except DecodeError as error:
            frames += error.frames
            failure, missing = self._failure(error), 0
        if len(asked) > 8:
            self.features.update(pairwise(asked))
        found = Decoded(frames, failure, missing)
        # Who saw the first bytes of a broken header alone may wait for what he asked for then, and only then refuse it.
        while whole.failure and not found.failure and 0 < found.missing <= MOST_AWAITED:
            more = self._feed(connection, direction, [bytes(found.missing)])
            found = Decoded(frames + more.frames, more.failure, more.missing)
        difference = _difference(found, whole)
        if difference:
            lengths = [len(piece) for piece in pieces]
            shown = f"{lengths[:12]}{' …' if len(lengths) > 12 else ''}"
            raise Violation("cut", difference[0], f"in pieces of {shown} bytes: {difference[1]}")

    def _received(self, direction: Direction, data: bytes, whole: Decoded, chance: random.Random) -> None:
        """The same through `get_buffer` and `buffer_updated`, and as a batch."""
        if not self.all and chance.random() > 0.1:
            return
        self.doing = "get_buffer and buffer_updated"
        connection = self.codec.connection(limits=self.limits)
        frames: list[Frame] = []
        failure, at, step = None, 0, 1 + int(chance.random() * 40)
        try:
            while at < len(data):
                buffer = connection.get_buffer(direction, step)
                count = min(len(buffer), step, len(data) - at)
                buffer[:count] = data[at : at + count]
                at += count
                frames += connection.buffer_updated(direction, count)
        except DecodeError as error:
            frames += error.frames
            failure = self._failure(error)
        if not whole.failure or failure:
            missing = 0 if failure else connection.missing(direction)
            difference = _difference(Decoded(frames, failure, missing), whole)
            if difference:
                raise Violation("cut", difference[0], f"received in pieces of {step} bytes: {difference[1]}")
        self.doing = "feed_batch"
        failure = None
        try:
            batch = self.codec.connection(limits=self.limits).feed_batch(direction, data, columns=self.keys[:4])
        except DecodeError as error:
            batch, failure = cast("FrameBatch", error.frames), self._failure(error)
        rows = [batch[row] for row in range(len(batch))]
        difference = _difference(Decoded(rows, failure, whole.missing), whole)
        if difference:
            raise Violation("cut", difference[0], f"as a batch: {difference[1]}")

    def _ended(self, direction: Direction, data: bytes, whole: Decoded, length: int) -> None:
        """A stream that ends early gives the frames that are whole, and says so if one is not."""
        self.doing = "feed of a stream that ends early"
        front = data[:length]
        found = self._feed(self.codec.connection(limits=self.limits), direction, [GuardedBuffer(front)])
        fitting = [frame for frame in whole.frames if frame.offset + len(frame) <= length]
        expected = Decoded(fitting, found.failure, found.missing)
        difference = _difference(found, expected)
        about = f"the stream ended after {length} bytes"
        if difference:
            raise Violation("truncation", difference[0], f"{about}: {difference[1]}")
        if found.failure:
            if found.failure != whole.failure or len(fitting) != len(whole.frames):
                raise Violation("truncation", found.failure[0], f"{about}: {found.failure}, whole {whole.failure}")
        else:
            end = sum(map(len, fitting))
            if (found.missing > 0) != (end < length):
                raise Violation("missing", "feed", f"{about}, within a frame or not: {found.missing} bytes are missing")
            if found.missing and len(fitting) < len(whole.frames):
                under_way = whole.frames[len(fitting)]
                if length + found.missing > under_way.offset + len(under_way):
                    raise Violation(
                        "over-ask",
                        f"split of {under_way.kind.name}",
                        f"{about}: {found.missing} more are asked for, of a frame that ends at "
                        f"{under_way.offset + len(under_way)}",
                    )
        if not self.native:
            # The view ends, the memory does not: who looks behind the view sees other bytes than he was given.
            self.doing = "feed of a view of longer memory"
            for rest in (data[length:], BACKGROUND):
                view = memoryview(front + rest)[:length]
                looked = self._feed(self.codec.connection(limits=self.limits), direction, [view])
                difference = _difference(looked, found)
                if difference or looked.missing != found.missing:
                    told = difference[1] if difference else f"{looked.missing} bytes are missing, not {found.missing}"
                    raise Violation("over-read", "split", f"{about}, and other bytes lie behind it in memory: {told}")

    # the other verbs

    def _verbs(
        self, direction: Direction, data: bytes, frame: Frame, chance: random.Random, parts: frozenset[str]
    ) -> None:
        fields = self._fields(frame, chance) if parts & {"fields", "rewrite"} else None
        if "rewrite" in parts:
            self._rewrites(direction, data, frame, fields, chance)
        if "reply" in parts:
            self._replies(direction, data, frame, chance)

    def _fields(self, frame: Frame, chance: random.Random) -> dict[str, str | int] | None:
        """The metadata; None if the frame cannot be read."""
        self.doing = "fields"
        note = self.features.add
        fields: dict[str, str | int] | None = None
        try:
            fields = dict(self.codec.fields(frame))
        except DecodeError as error:
            self._within(frame, error)
            note(("fields", error.code))
        known = self.keys
        if fields is not None:
            for key, value in fields.items():
                if not isinstance(key, str) or not isinstance(value, str | int) or isinstance(value, bool):
                    raise Violation(
                        "fields", f"type of {key}", f"fields has {key!r}: {value!r}; keys are str, values str or int"
                    )
                size = len(value) if isinstance(value, str) else value
                note((key if key in known else "", type(value), size.bit_length()))
            self.doing = "metadata"
            if dict(frame.metadata) != fields:
                raise Violation(
                    "fields", "metadata", f"frame.metadata is {dict(frame.metadata)}, fields gives {fields}"
                )
        found = fields or {}
        asked: Iterable[str] = dict.fromkeys([*found, *known, *MORE_KEYS])
        if not self.all and len(known) + len(found) > 4:
            asked = chance.sample(list(asked), 4)
        for key in asked:
            self.doing = f"field {key!r}"
            try:
                alone = self.codec.field(frame, key)
            except DecodeError as error:
                self._within(frame, error)
                continue
            # Behind a replaced character stand other bytes, which the name cannot spell.
            if key in found and alone != found[key] and "\ufffd" not in key:
                told = f"field {key!r} is {alone!r} by itself and {found[key]!r} among all fields"
                raise Violation("fields", f"field {key if key in known else ''}", told)
        return fields

    def _within(self, frame: Frame, error: DecodeError) -> None:
        self._failure(error)
        if not 0 <= error.offset <= frame.offset + len(frame):
            end = frame.offset + len(frame)
            raise Violation("error-offset", error.code, f"{self.doing}: {error.code} at {error.offset}, beyond {end}")

    def _edits(self, fields: dict[str, str | int] | None, chance: random.Random) -> Sequence[dict[str, Any]]:
        always: list[dict[str, Any]] = [{}, {"request_id": NEW_ID}]
        more: list[dict[str, Any]] = [
            {"set": {"x-new": 1, "a": "é😀"}},
            {"set": {key: 7 if number else "7" for key, number in self.writable}, "remove": ["b"]},
        ]
        for key, number in self.writable:
            more.append({"set": {key: 5 if number else "other"}, "request_id": 3})
            more += [{"set": {key: value}} for value in ((0, 1 << 31) if number else ("", "naïve😀", "x" * 300))]
        more += [{"remove": [key]} for key in (*(fields or ()), "a", "absent")]
        return always + (more if self.all else [more[int(chance.random() * len(more))]])

    def _rewrites(
        self,
        direction: Direction,
        data: bytes,
        frame: Frame,
        fields: dict[str, str | int] | None,
        chance: random.Random,
    ) -> None:
        raw = bytes(frame.raw)
        for edits in self._edits(fields, chance):
            self.doing = f"rewrite {_spelled(edits)}".strip()
            shape = (
                ",".join(sorted(edits)) + ":" + ",".join(key for key, _ in self.writable if key in edits.get("set", ()))
            )
            try:
                edited = b"".join(self.codec.rewrite(frame, **edits))
            except EncodeError as error:
                if not edits:
                    raise Violation("rewrite", "no edit", f"rewrite without edits is refused: {error}") from error
                self.features.add((shape, "refused"))
                continue
            except DecodeError as error:
                self._within(frame, error)
                self.features.add((shape, error.code))
                continue
            self.features.add(shape)
            if not edits and edited != raw:
                raise Violation(
                    "rewrite", "no edit", f"rewrite without edits is not the frame: {_where_differs(edited, raw)}"
                )
            if edited == raw:
                continue
            again = self._one(edited, direction, (direction, data[: frame.offset]), "rewrite")
            new_id = edits.get("request_id")
            if new_id is not None and isinstance(frame.request_id, int) and again.request_id != new_id:
                raise Violation("rewrite", "request id", f"{self.doing}: the id is {again.request_id!r}")
            # Keys may share bytes (a service and its method): what one edit alone asks for must be seen.
            if fields is not None and len(edits) == 1 and len(edits.get("set", ())) == 1:
                [(key, value)] = edits["set"].items()
                shown = self.codec.field(again, key)
                if shown is None or str(shown) != str(value):
                    told = f"rewrite set {key!r} to {value!r}, and the frame shows {shown!r}"
                    raise Violation("rewrite", f"set {key}", told)

    def _replies(self, direction: Direction, data: bytes, frame: Frame, chance: random.Random) -> None:
        wanted: list[ErrorType | None] = [None, *ErrorType]
        for error in wanted if self.all else [wanted[int(chance.random() * len(wanted))]]:
            name = "a heartbeat" if error is None else error.name
            self.doing = f"reply with {name} to {frame.kind.name}"
            try:
                reply = self.codec.reply(frame, error, "" if error is None else MESSAGE)
            except EncodeError:
                self.features.add((frame.kind, error, "refused"))
                continue
            except DecodeError as failure:
                self._within(frame, failure)
                continue
            self.features.add((frame.kind, error, reply is None))
            if reply is None:
                continue
            answer = self._one(bytes(reply), direction.reverse, (direction, data[: frame.offset + len(frame)]), "reply")
            # What goes wrong in a stream that is open closes it.
            closes = answer.kind is Kind.STREAM_CLOSE and frame.stream_id is not None
            fits = answer.kind is Kind.HEARTBEAT if error is None else answer.kind in _ANSWERS or closes
            if not fits:
                due = "HEARTBEAT" if error is None else "RESPONSE or ERROR"
                raise Violation("reply", "kind", f"{self.doing} is of the kind {answer.kind.name}, not {due}")
            if frame.request_id is not None and answer.request_id != frame.request_id:
                told = f"{self.doing} has the id {answer.request_id!r}, the request has {frame.request_id!r}"
                raise Violation("reply", "request id", told)

    def _one(self, made: bytes, direction: Direction, before: tuple[Direction, bytes], verb: str) -> Frame:
        """The one frame that `made` is, on a connection that has seen the bytes before."""
        doing = self.doing
        connection = self.codec.connection(limits=self.limits)
        if before[1]:
            self._feed(connection, before[0], [before[1]])
        self.doing = f"feed of what {doing} made"
        found = self._feed(connection, direction, [made])
        if len(found.frames) != 1 or found.failure or found.missing:
            told = found.failure or f"{len(found.frames)} frames, {found.missing} bytes missing"
            raise Violation(verb, "no frame", f"what {doing} made is not one frame: {told}: {made[:200].hex(' ')}")
        self.doing = doing
        return found.frames[0]

    def _detect(self, direction: Direction, data: bytes, chance: random.Random) -> None:
        self.doing = "detect"
        most = min(len(data), DETECT_LEN)
        lengths = range(most + 1) if self.all else (0, int(chance.random() * (most + 1)), most)
        refused = -1
        for length in lengths:
            prefix = data[:length]
            guarded = self.all or length == most
            answer = self.codec.detect(GuardedBuffer(prefix) if guarded else prefix, direction=direction)
            if refused >= 0 and answer is not Detection.NO:
                told = f"detect says NO to {refused} bytes and {Detection(answer).name} to {length}"
                raise Violation("detect", "takes back a no", told)
            if answer is Detection.NO:
                refused = length
            self.features.add((answer, length.bit_length()))


def _difference(found: Decoded, expected: Decoded) -> tuple[str, str] | None:
    """The first thing in which it is not what it should be: in a word, and in full."""
    for index, (is_, due) in enumerate(zip(found.frames, expected.frames, strict=False)):
        if is_.raw != due.raw or seen(is_) != seen(due):
            return "frame", f"frame {index} is {_told(is_)}, not {_told(due)}"
    if len(found.frames) != len(expected.frames):
        return "number of frames", f"there are {len(found.frames)} frames, not {len(expected.frames)}"
    if found.failure != expected.failure:
        return "error", f"the error is {found.failure}, not {expected.failure}"
    # Each is told from the bytes that were in when `split` was asked last: at least so many, or more.
    if (found.missing == 0) != (expected.missing == 0):
        return "missing", f"{found.missing} bytes are missing, not {expected.missing}"
    return None


def _where_differs(found: bytes, expected: bytes) -> str:
    if len(found) != len(expected):
        return f"{len(found)} bytes, not {len(expected)}"
    at = next(at for at, (one, other) in enumerate(zip(found, expected, strict=True)) if one != other)
    return f"byte {at} is {found[at]:#04x}, not {expected[at]:#04x}"


def _spelled(edits: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value if len(str(value)) < 80 else '…'}" for name, value in edits.items())


def is_foreign(file: str) -> bool:
    """Whether a file of code is this package's or Python's own, and not to blame for what happens in it."""
    return file.startswith((_HERE, "<")) or (file.startswith(_STDLIB) and "site-packages" not in file)


def _place(trace: TracebackType | None, otherwise: str) -> str:
    """The innermost line that is not ours: the codec's."""
    lines = [frame for frame in traceback.extract_tb(trace) if not is_foreign(frame.filename)]
    return f"{Path(lines[-1].filename).name}:{lines[-1].lineno}" if lines else otherwise
