"""The suite that every codec must pass, for pytest."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import pickle
import random
import select
import signal
import tempfile
import threading
import time
import traceback
import warnings
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, NoReturn

import pytest

from metaprotocol._model import Detection, Direction, ErrorType, KeyInfo, Kind
from metaprotocol._native import GuardedBuffer, Limits, NativeCodec, NeedMore
from metaprotocol._registry import get_codec, list_codecs
from metaprotocol.codec import Codec
from metaprotocol.errors import DecodeError, IncompleteFrame, LimitExceeded, MetaProtocolError
from metaprotocol.testing._cuts import CUTTINGS, places
from metaprotocol.testing._exercise import Exerciser, Violation, seen
from metaprotocol.testing._mutate import Mutator, learn
from metaprotocol.testing._others import OTHERS
from metaprotocol.testing._samples import Sample, load_samples, whole_frames
from metaprotocol.testing._source import find_codec
from metaprotocol.testing._work import Meter
from metaprotocol.testing._worker import dumped_place, signal_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from metaprotocol._native import Frame
    from metaprotocol.codec import Connection

__all__ = ["CodecConformance"]

FRONT = 256
"""Enough of a stream for any codec to make up its mind."""
MOST_BYTES_CUT = 1 << 22
"""Bytes that all the ways to cut one sample may add up to."""
THREADS = 4
ROUNDS = 20
CHILD_SECONDS = 60
FAILED = "\0"
SHOWN = 256
"""Bytes of a stream that a message shows."""
REPEATED = 8192
"""Bytes of frames that follow each other."""
ENDLESS = 2048
"""Bytes of a frame that never ends."""


class Found(NamedTuple):
    """What a connection made of a stream."""

    frames: list[tuple[object, ...]]
    error: tuple[str, int] | None
    missing: int


def _by_feed(connection: Connection, direction: Direction, piece: bytes) -> Iterable[Frame]:
    return connection.feed(direction, piece)


def _by_batch(connection: Connection, direction: Direction, piece: bytes) -> Iterable[Frame]:
    batch = connection.feed_batch(direction, piece)
    return [batch[row] for row in range(len(batch))]


def _by_buffer(connection: Connection, direction: Direction, piece: bytes) -> Iterable[Frame]:
    """As a socket would fill it."""
    frames: list[Frame] = []
    rest = piece
    while rest:
        buffer = connection.get_buffer(direction, len(rest))
        count = min(len(buffer), len(rest))
        buffer[:count] = rest[:count]
        frames += connection.buffer_updated(direction, count)
        rest = rest[count:]
    return frames


READERS: dict[str, Callable[[Connection, Direction, bytes], Iterable[Frame]]] = {
    "feed": _by_feed,
    "get_buffer": _by_buffer,
    "feed_batch": _by_batch,
}


def _read(connection: Connection, direction: Direction, pieces: Iterable[bytes], how: str = "feed") -> Found:
    frames: list[tuple[object, ...]] = []
    try:
        for piece in pieces:
            frames += map(seen, READERS[how](connection, direction, piece))
        connection.eof(direction)
    except IncompleteFrame as error:
        return Found(frames, None, error.missing)
    except DecodeError as error:
        return Found([*frames, *map(seen, error.frames)], (error.code, error.offset), 0)
    return Found(frames, None, 0)


def _differs(found: Found, due: Found) -> str:
    """In words, the first thing in which it is not what it should be."""
    for index, (one, other) in enumerate(zip(found.frames, due.frames, strict=False)):
        if one != other:
            names = ("kind", "request_id", "stream_id", "offset", "header_len", "bytes")
            which = next(at for at, pair in enumerate(zip(one, other, strict=True)) if pair[0] != pair[1])
            return f"the {names[which]} of frame {index} is {_short(one[which])}, not {_short(other[which])}"
    if len(found.frames) != len(due.frames):
        return f"{len(found.frames)} frames, not {len(due.frames)}"
    if found.error != due.error:
        return f"the error is {found.error}, not {due.error}"
    return f"{found.missing} bytes are missing, not {due.missing}"


def _short(value: object) -> str:
    if isinstance(value, bytes):
        return f"{len(value)} bytes {value[:32].hex(' ')}{' …' if len(value) > 32 else ''}"
    return value.name if isinstance(value, Kind) else repr(value)


def _lengths(pieces: Sequence[bytes]) -> str:
    lengths = [len(piece) for piece in pieces]
    return f"{lengths[:10]}{' …' if len(lengths) > 10 else ''}"


def _fail(message: str) -> NoReturn:
    raise AssertionError(message)


def _plain(test: Callable[..., None]) -> Callable[..., None]:
    """The test, whose failures are told in words: where in this suite they were noticed helps nobody."""

    @wraps(test)
    def told(*arguments: Any, **named: Any) -> None:  # noqa: ANN401 -- the test's own
        try:
            test(*arguments, **named)
        except AssertionError as error:
            cause = "".join(traceback.format_exception(error.__cause__)) if error.__cause__ is not None else ""
            message = f"{error}\n\n{cause}".rstrip()
        else:
            return
        pytest.fail(message, pytrace=False)

    return told


class CodecConformance:
    """Subclass it in a test module, say which codec and where its samples are, and run pytest.

    Each check is a test, most of them once for each sample. Tests of your own go into the same class; `self.the_codec`
    is the codec there.

    Attributes:
        codec: A name, a source for `load_codec` (paths are relative to the module), a codec, or a class of codecs.
        samples: A file or folder (relative to the module), or a list of `Sample`; see `load_samples`.
        mutations: How many streams are made of the samples by chance, for each sample; the same ones in every run.
        garbage: How many streams of bytes by chance.
        exclusive: Whether no other installed codec may claim the samples.

    Examples:
        >>> from metaprotocol.testing import CodecConformance
        >>> class TestAcorn(CodecConformance):
        ...     codec = "acorn.py:Acorn"
        ...     samples = "samples/"
    """

    codec: ClassVar[str | Codec | type[Codec]]
    samples: ClassVar[str | Path | Sequence[Sample]]
    mutations: ClassVar[int] = 200
    garbage: ClassVar[int] = 500
    exclusive: ClassVar[bool] = True

    the_codec: ClassVar[Codec]
    _loaded: ClassVar[tuple[object, Codec, list[Sample]] | None] = None

    @classmethod
    def _folder(cls) -> Path:
        import inspect

        return Path(inspect.getfile(cls)).parent

    @classmethod
    def _load(cls) -> list[Sample]:
        """The codec and its samples, once for each class."""
        key = (cls, getattr(cls, "codec", None), str(getattr(cls, "samples", None)))
        if cls._loaded is None or cls._loaded[0] != key:
            if key[1] is None or not hasattr(cls, "samples"):
                raise pytest.UsageError(f"{cls.__name__} must say which `codec` and where its `samples` are")
            try:
                codec = find_codec(cls.codec, cls._folder())
                if isinstance(cls.samples, str | Path):
                    samples = load_samples(cls._folder() / cls.samples, codec)
                else:
                    samples = list(cls.samples)
            except (MetaProtocolError, OSError) as error:
                raise pytest.UsageError(f"{cls.__name__}: {error}") from error
            cls._loaded = (key, codec, samples)
            cls.the_codec = codec
        return cls._loaded[2]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """One test for each sample, way to cut it, and way to read it."""
        names = metafunc.fixturenames
        samples = self._load()
        if "sample" in names:
            metafunc.parametrize("sample", samples, ids=str)
        if "framed" in names:
            metafunc.parametrize("framed", [sample for sample in samples if sample.framed], ids=str)
        if "counted" in names:
            # What native code does cannot be counted from outside without a clock.
            python = [] if isinstance(self.the_codec, NativeCodec) else samples
            metafunc.parametrize("counted", [sample for sample in python if sample.framed], ids=str)
        if "cutting" in names:
            metafunc.parametrize("cutting", list(CUTTINGS))
        if "reader" in names:
            metafunc.parametrize("reader", list(READERS))

    # what it is

    def test_it_describes_itself(self) -> None:
        """Name, keys and the rest are what `Codec` says they are."""
        codec = self.the_codec
        assert isinstance(codec, Codec), f"{codec!r} is no metaprotocol.Codec"
        assert codec.name == codec.name.lower(), f"the name {codec.name!r} must be one lower-case word"
        assert codec.name.split() == [codec.name], f"the name {codec.name!r} must be one lower-case word"
        assert codec.min_header_len >= 0
        for key in codec.keys:
            assert isinstance(key, KeyInfo), f"{key!r} in keys is no KeyInfo"
        names = [key.name for key in codec.keys]
        assert len(set(names)) == len(names), f"keys are named twice: {names}"

    def test_it_can_be_pickled(self) -> None:
        """Other processes get it by its name or its source."""
        codec = self.the_codec
        again = pickle.loads(pickle.dumps(codec))  # noqa: S301 -- made here
        assert (again.name, again.keys) == (codec.name, codec.keys), f"{codec!r} comes out of a pickle as {again!r}"

    # split

    def test_sample_decodes(self, sample: Sample) -> None:
        """A sample is whole frames, or what its side file says."""
        codec, expected = self.the_codec, sample.expected
        assert sample.direction is not None
        found = _read(codec.connection(), sample.direction, [sample.data])
        about = f"{codec.name}, sample {sample}"
        code, offset = found.error or (None, None)
        due = expected.get("error")
        if due is None:
            assert found.error is None, f"{about}: {code} at {offset}"
        else:
            assert found.error == (due["code"], due["offset"]), f"{about}: the error is {found.error}, not {due}"
        assert found.missing == expected.get("missing", 0), f"{about}: {found.missing} bytes are missing"
        assert found.frames or sample.broken, f"{about}: there is no frame in it"
        if "frames" in expected:
            frames, _ = whole_frames(codec, sample.direction, sample.data)
            told = [_told(frame, due) for frame, due in zip(frames, expected["frames"], strict=False)]
            assert len(frames) == len(expected["frames"]), f"{about}: {len(frames)} frames"
            for number, (one, due) in enumerate(zip(told, expected["frames"], strict=True)):
                wrong = {key: (one[key], due[key]) for key in due if one[key] != due[key]}
                assert not wrong, f"{about}: frame {number} has, instead of what was expected: {wrong}"

    def test_same_frames_however_cut(self, sample: Sample, cutting: str, reader: str) -> None:
        """The same bytes give the same frames, however they come."""
        codec = self.the_codec
        assert sample.direction is not None
        due = _read(codec.connection(), sample.direction, [sample.data])
        left = MOST_BYTES_CUT
        for pieces in CUTTINGS[cutting](sample.data):
            left -= len(sample.data)
            if left < 0 and cutting == "at each offset":
                break
            found = _read(codec.connection(), sample.direction, pieces, reader)
            alike = found.frames == due.frames and found.error == due.error
            if not alike or (found.missing > 0) != (due.missing > 0):
                _fail(
                    f"{codec.name}, sample {sample}, {reader} in pieces of {_lengths(pieces)} bytes: "
                    f"{_differs(found, due)}"
                )

    def test_truncated_streams_are_no_frames(self, sample: Sample) -> None:
        """A stream that ends early gives the frames that are whole; never more is asked for than is missing."""
        self._only("end", sample)

    def test_truncated_frames_say_what_they_need(self, framed: Sample) -> None:
        """`decode` and `split` of a frame cut short: not a byte more than the frame has."""
        codec = self.the_codec
        for frame in self._alone(framed):
            data, way = bytes(frame.raw), frame.direction
            for length in places(len(data)):
                about = f"{codec.name}, {length} of {len(data)} bytes of a {frame.kind.name} of sample {framed}"
                most = len(data) - length
                wanted, have = self._missing(data[:length], way, about)
                assert 1 <= wanted <= most, f"{about}: decode wants {wanted} more, {most} are missing"
                assert have == length, f"{about}: decode has seen {have}"
                if length:
                    answer = codec.split(data[:length], direction=way)
                    if isinstance(answer, NeedMore):
                        told = f"{about}: split wants {answer.at_least} more, {most} are missing"
                        assert answer.at_least <= most, told
                    else:
                        assert answer.frame_len == len(data), f"{about}: split tells {answer.frame_len} bytes"

    def _missing(self, data: bytes, direction: Direction, about: str) -> tuple[int, int]:
        try:
            self.the_codec.decode(data, direction=direction)
        except IncompleteFrame as error:
            return error.missing, error.have
        _fail(f"{about}: decode takes it for a frame")

    def test_trailing_bytes_are_refused(self, framed: Sample) -> None:
        """`decode` takes exactly one frame."""
        codec = self.the_codec
        for frame in self._alone(framed):
            data = bytes(frame.raw)
            for extra in (b"\0", data):
                about = f"{codec.name}, a {frame.kind.name} of sample {framed} and {len(extra)} bytes behind it"
                assert self._refused(data + extra, frame.direction, about) == ("trailing_bytes", len(data)), about

    def _refused(self, data: bytes, direction: Direction, about: str) -> tuple[str, int]:
        try:
            self.the_codec.decode(data, direction=direction)
        except DecodeError as error:
            return error.code, error.offset
        _fail(f"{about}: decode takes them for a frame")

    def test_frames_back_to_back(self, framed: Sample, cutting: str) -> None:
        """A stream that is repeated gives its frames again."""
        codec = self.the_codec
        frames = self._frames(framed)
        end = sum(map(len, frames))
        stream = framed.data[:end]
        due = [(*seen(frame)[:3], frame.offset + turn * end, *seen(frame)[4:]) for turn in range(3) for frame in frames]
        assert framed.direction is not None
        left = MOST_BYTES_CUT
        for pieces in CUTTINGS[cutting](stream * 3):
            left -= 3 * end
            if left < 0 and cutting == "at each offset":
                break
            found = _read(codec.connection(), framed.direction, pieces)
            if found != Found(due, None, 0):
                _fail(
                    f"{codec.name}, sample {framed} three times, in pieces of {_lengths(pieces)} bytes: "
                    f"{_differs(found, Found(due, None, 0))}"
                )

    def test_frame_limit(self, framed: Sample) -> None:
        """A frame of the longest length allowed passes, one that is longer by a byte does not."""
        self._limit(framed, "max_frame_len", [len(frame) for frame in self._frames(framed)])

    def test_header_limit(self, framed: Sample) -> None:
        """The same for headers."""
        self._limit(framed, "max_header_len", [len(frame.header) for frame in self._frames(framed)])

    def _limit(self, sample: Sample, name: str, lengths: list[int]) -> None:
        codec, longest = self.the_codec, max(lengths)
        if longest == 0:
            return
        assert sample.direction is not None
        stream = sample.data[: sum(map(len, self._frames(sample)))]
        about = f"{codec.name}, sample {sample} with {name}"
        limits = Limits(**{name: longest})
        found = _read(codec.connection(limits=limits), sample.direction, [stream])
        assert found.error is None, f"{about} at the {longest} bytes it takes: {found.error}"
        below = Limits(**{name: longest - 1})
        first = self._frames(sample)[lengths.index(longest)]
        attempts: dict[str, Callable[[], object]] = {
            "feed": lambda: codec.connection(limits=below).feed(sample.direction or 0, stream)
        }
        if isinstance(codec, NativeCodec) and name == "max_frame_len":
            raw = bytes(first.raw)
            attempts["decode"] = lambda: codec.decode(raw, limits=below, direction=sample.direction)
            attempts["split"] = lambda: codec.split(raw, limits=below, direction=sample.direction or 0)
        for verb, attempt in attempts.items():
            try:
                attempt()
            except LimitExceeded as error:
                told = (error.limit, error.maximum)
                assert told == (name, longest - 1), f"{about} one less: {verb} says {told}"
            else:
                _fail(f"{about} one less than the {longest} bytes it takes: {verb} lets it pass")

    # the other verbs

    def test_fields_agree(self, framed: Sample) -> None:
        """All fields at once and each by itself are the same."""
        self._only("fields", framed)

    def test_rewrite(self, framed: Sample) -> None:
        """Without edits nothing changes; with edits it is one frame that shows them."""
        self._only("rewrite", framed)

    def test_replies(self, framed: Sample) -> None:
        """A reply is one frame with the request's id, and of a kind that answers."""
        self._only("reply", framed)

    def test_requests_are_answered(self) -> None:
        """Of the requests some get an answer; so do heartbeats, if there are any; one-way messages get none."""
        codec = self.the_codec
        frames = [frame for sample in self._load() for frame in self._frames(sample)]
        for frame in frames:
            if frame.kind is Kind.ONEWAY:
                reply = self._reply(frame, ErrorType.UNSPECIFIED)
                assert not reply, f"{codec.name}: a one-way message gets the answer {_short(reply)}"
        beats = [frame for frame in frames if frame.kind is Kind.HEARTBEAT]
        if beats and codec.heartbeats:
            assert any(self._reply(frame, None) for frame in beats), f"{codec.name}: no heartbeat gets an answer"

    def _reply(self, frame: Frame, error: ErrorType | None) -> bytes | None:
        try:
            return self.the_codec.reply(frame, error, "no" if error is not None else "")
        except MetaProtocolError:
            return None

    def test_detect_knows_its_own(self, framed: Sample) -> None:
        """A stream of the codec is claimed, and then stays claimed; or the codec never claims any."""
        codec = self.the_codec
        assert framed.direction is not None
        front = framed.data[:FRONT]
        answers = [codec.detect(front[:length], direction=framed.direction) for length in range(len(front) + 1)]
        if set(answers) == {Detection.NO}:
            return
        about = f"{codec.name}, sample {framed}"
        refused = [length for length, answer in enumerate(answers) if answer is Detection.NO]
        assert not refused, f"{about}: detect says NO to its first {refused[0]} bytes, and not to all"
        if Detection.YES in answers:
            sure = answers.index(Detection.YES)
            wavers = [length for length in range(sure, len(answers)) if answers[length] is not Detection.YES]
            assert not wavers, f"{about}: detect says YES to {sure} bytes, and not to {wavers[0]}"

    def test_detect_is_exclusive(self, framed: Sample) -> None:
        """No other installed codec claims what this one does."""
        codec = self.the_codec
        assert framed.direction is not None
        front = framed.data[:FRONT]
        fronts = [front[:length] for length in range(len(front) + 1)]
        claims = [codec.detect(prefix, direction=framed.direction) is Detection.YES for prefix in fronts]
        if not self.exclusive or not any(claims):
            return
        for name in list_codecs():
            if name == codec.name:
                continue
            try:
                other = get_codec(name)
            except MetaProtocolError:
                continue
            for prefix in fronts:
                answer = other.detect(prefix, direction=framed.direction)
                assert answer is not Detection.YES, (
                    f"{codec.name}, sample {framed}: its first {len(prefix)} bytes are claimed by {name} too"
                )

    @pytest.mark.parametrize("other", list(OTHERS))
    def test_detect_leaves_others_alone(self, other: str) -> None:
        """Streams of well-known protocols are not claimed."""
        if other.split()[0].lower() == self.the_codec.name:
            pytest.skip("its own protocol")
        for direction in Direction:
            for length in range(len(OTHERS[other]) + 1):
                answer = self.the_codec.detect(OTHERS[other][:length], direction=direction)
                assert answer is not Detection.YES, (
                    f"{self.the_codec.name}: detect claims {length} bytes of {other}, {direction.name.lower()}"
                )

    # any bytes

    def test_mutations(self, sample: Sample) -> None:
        """Samples that were tampered with give frames, "need more" or a `DecodeError`, and every check holds."""
        self._survives(sample.name, self.mutations, lambda mutator: mutator.mutate(sample.data), [sample])

    def test_garbage(self) -> None:
        """So do bytes by chance."""
        self._survives("garbage", self.garbage, lambda mutator: _garbage(mutator.chance), self._load())

    def _survives(self, name: str, rounds: int, make: Callable[[Mutator], bytes], samples: Sequence[Sample]) -> None:
        codec = self.the_codec
        chance = random.Random(name)  # noqa: S311 -- the same streams in every run
        known = [(sample.direction or Direction.CLIENT_TO_SERVER, sample.data) for sample in samples]
        mutator = Mutator(chance, learn(codec, known))
        exerciser = Exerciser(codec)

        def run(write: Callable[[str], None]) -> None:
            for number in range(rounds):
                stream = make(mutator)
                direction = known[int(chance.random() * len(known))][0]
                shown = f"{stream[:SHOWN].hex(' ')}{' …' if len(stream) > SHOWN else ''}"
                write(f"{name}, stream {number} ({direction.name.lower()}, {len(stream)} bytes: {shown})")
                exerciser.quick(direction, stream)

        _survived(codec, run)

    # what it costs

    def test_work_is_linear(self, counted: Sample) -> None:
        """Twice the bytes are twice the work: in frames that follow each other, and in one whose header never ends.

        Counted, not timed, and for codecs written in Python only.
        """
        assert counted.direction is not None
        end = sum(map(len, self._frames(counted)))
        times = max(4, REPEATED // end)
        stream = counted.data[:end]
        self._scales(counted, f"{times} times the sample", stream * times, stream * 2 * times, 1 << 30)
        for front in sorted({1, 2, len(self._frames(counted)[0].header), end // 2, end - 1}):
            for filler in (counted.data[max(0, front - 1) : max(1, front)], b"a", b"\0"):
                endless = counted.data[:front] + filler * 2 * ENDLESS
                what = f"its first {front} bytes, then {filler!r} for ever, byte by byte"
                self._scales(counted, what, endless[:ENDLESS], endless[: 2 * ENDLESS], 1)

    def _scales(self, sample: Sample, what: str, once: bytes, twice: bytes, step: int) -> None:
        works = []
        for stream in (once, twice):
            meter = Meter(self.the_codec)
            pieces = [stream[at : at + step] for at in range(0, len(stream), step)]
            works.append(meter.feed(sample.direction or Direction.CLIENT_TO_SERVER, pieces))
        assert works[1] <= 2.5 * works[0] + 4000, (
            f"{self.the_codec.name}, sample {sample}, {what}: {len(once)} bytes are {works[0]} units of work (lines, "
            f"bytes allocated, bytes seen again), {len(twice)} bytes are {works[1]}: what was seen is walked again; "
            "keep the place in the state that new_state makes, and slice the buffer before it is copied"
        )

    def test_nothing_is_read_beyond_the_end(self) -> None:
        """Every front of every sample, and each verb, in memory that ends where the bytes do."""
        _survived(self.the_codec, lambda write: _touch_everything(self.the_codec, self._load(), write))

    def test_threads(self) -> None:
        """Connections of several threads, and one frame read by all of them, give what one thread gets."""
        codec = self.the_codec
        streams = [(sample.direction or Direction.CLIENT_TO_SERVER, sample.data) for sample in self._load()]
        due = [_read(codec.connection(), *_pieces(stream)) for stream in streams]
        frames = [frame for sample in self._load() for frame in self._frames(sample)[:1]]
        values = [_values(codec, frame) for frame in frames]
        failures: list[str] = []
        start = threading.Barrier(THREADS)

        def work() -> None:
            try:
                start.wait()
                for _ in range(ROUNDS):
                    for stream, expected in zip(streams, due, strict=True):
                        found = _read(codec.connection(), *_pieces(stream))
                        if found != expected:
                            failures.append(_differs(found, expected))
                    for frame, expected_values in zip(frames, values, strict=True):
                        found_values = _values(codec, frame)
                        if found_values != expected_values:
                            failures.append(f"a shared frame has {found_values}, not {expected_values}")
            except BaseException as error:  # noqa: BLE001 -- it is told in the thread that tests
                failures.append(f"{type(error).__name__}: {error}")

        threads = [threading.Thread(target=work) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures, f"{codec.name} in {THREADS} threads: {failures[0]}"

    # helpers

    def _frames(self, sample: Sample) -> list[Frame]:
        assert sample.direction is not None
        frames, _ = whole_frames(self.the_codec, sample.direction, sample.data)
        assert frames or sample.broken, f"{self.the_codec.name}, sample {sample}: there is no frame in it"
        return frames

    def _alone(self, sample: Sample) -> list[Frame]:
        """The frames of a sample that need no others before them; the first is one of them."""
        found = []
        for frame in self._frames(sample):
            try:
                found.append(self.the_codec.decode(frame.raw, direction=frame.direction))
            except MetaProtocolError as error:
                if not found:
                    _fail(f"{self.the_codec.name}, sample {sample}: decode refuses the first frame: {error}")
        return found

    def _only(self, part: str, sample: Sample) -> None:
        direction = sample.direction or Direction.CLIENT_TO_SERVER

        def run(write: Callable[[str], None]) -> None:
            write(f"sample {sample}")
            Exerciser(self.the_codec, limits=Limits()).only(part, direction, sample.data)

        _survived(self.the_codec, run)


for _name, _test in list(vars(CodecConformance).items()):
    if _name.startswith("test_"):
        setattr(CodecConformance, _name, _plain(_test))


def _pieces(stream: tuple[Direction, bytes]) -> tuple[Direction, list[bytes]]:
    """A stream in one piece."""
    return stream[0], [stream[1]]


def _told(frame: Frame, due: dict[str, Any]) -> dict[str, Any]:
    """A frame in the words of a side file."""
    number = frame.request_id
    told: dict[str, Any] = {
        "kind": frame.kind.name.lower(),
        "request_id": number.hex() if isinstance(number, bytes) else number,
        "stream_id": frame.stream_id,
        "header_len": len(frame.header),
        "frame_len": len(frame),
    }
    if "fields" in due:
        told["fields"] = dict(frame.metadata)
    return told


def _values(codec: Codec, frame: Frame) -> object:
    try:
        return dict(codec.fields(frame)), b"".join(codec.rewrite(frame))
    except DecodeError as error:
        return error.code, error.offset


def _garbage(chance: random.Random) -> bytes:
    edges = (0, 1, 0x7F, 0x80, 0xFF)
    return bytes(
        edges[chance.randrange(5)] if chance.random() < 0.5 else chance.randrange(256)
        for _ in range(chance.randrange(300))
    )


def _touch_everything(codec: Codec, samples: Sequence[Sample], write: Callable[[str], None]) -> None:
    for sample in samples:
        direction = sample.direction or Direction.CLIENT_TO_SERVER
        for length in places(len(sample.data) + 1):
            write(f"the first {length} of {len(sample.data)} bytes of sample {sample}")
            front = GuardedBuffer(sample.data[:length])
            with contextlib.suppress(MetaProtocolError):
                codec.connection().feed(direction, front)
            with contextlib.suppress(MetaProtocolError):
                codec.detect(front, direction=direction)
            if length:
                with contextlib.suppress(MetaProtocolError):
                    codec.split(front, direction=direction)
        write(f"the verbs on sample {sample}")
        exerciser = Exerciser(codec, limits=Limits())
        for part in ("fields", "rewrite", "reply"):
            with contextlib.suppress(Violation):
                exerciser.only(part, direction, sample.data)


def _survived(codec: Codec, run: Callable[[Callable[[str], None]], None]) -> None:
    """Run something in a child, where a codec may die without taking the tests along.

    Args:
        codec: The codec.
        run: Says what it is about to do, then does it.
    """
    with tempfile.TemporaryDirectory() as folder:
        dump = Path(folder) / "dump"
        dump.touch()
        status, doing, failure = _in_a_child(run, dump)
        if failure:
            _fail(f"{codec.name}, {doing}: {failure}")
        if status:
            where = dumped_place(dump.read_text(errors="replace"))[1]
            _fail(f"{codec.name}, {doing}: {status} at {where}")


def _in_a_child(run: Callable[[Callable[[str], None]], None], dump: Path) -> tuple[str, str, str]:
    """What ended the child, if it was no good end; what it did last; what it found."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        # The child runs this thread alone, and never returns to what the others do.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _child(run, dump, writer)
    os.close(writer)
    told, status = b"", ""
    until = time.monotonic() + CHILD_SECONDS
    while True:
        if not select.select([reader], [], [], max(0.0, until - time.monotonic()))[0]:
            os.kill(child, signal.SIGUSR1)
            time.sleep(0.1)
            os.kill(child, signal.SIGKILL)
            status = f"no end after {CHILD_SECONDS} s"
            break
        part = os.read(reader, 1 << 16)
        if not part:
            break
        told = (told + part)[-(1 << 16) :]
    os.close(reader)
    _, code = os.waitpid(child, 0)
    if not status and os.WIFSIGNALED(code):
        status = signal_name(os.WTERMSIG(code))
    # The last line before what it found, which may have several.
    doing, _, failure = told.decode(errors="replace").partition(FAILED)
    return status, (doing.splitlines() or ["before the first sample"])[-1], failure.strip()


def _child(run: Callable[[Callable[[str], None]], None], dump: Path, writer: int) -> None:
    """The child's whole life."""
    try:
        file = os.open(dump, os.O_WRONLY)
        faulthandler.enable(file=file, all_threads=False)
        faulthandler.register(signal.SIGUSR1, file=file, all_threads=False)

        def write(text: str) -> None:
            os.write(writer, text.encode() + b"\n")

        try:
            run(write)
        except Violation as violation:
            cause = violation.__cause__
            trace = "".join(traceback.format_exception(cause)) if cause is not None else ""
            write(f"{FAILED}{violation.kind}: {violation}\n\n{trace}")
        except BaseException:  # noqa: BLE001 -- the parent tells it
            write(FAILED + traceback.format_exc())
    finally:
        os._exit(0)
