"""Codecs written in Python behind the native contract: what is said, refused, raised, and by whom."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from kit.toy import HEADER_LEN, Toy, toy_frame

from metaprotocol import (
    Codec,
    DecodeError,
    Detection,
    Direction,
    EncodeError,
    ErrorType,
    Head,
    InvalidCodec,
    KeyInfo,
    Kind,
    LimitExceeded,
    Limits,
    MetaProtocolError,
    NeedMore,
    PairBy,
    get_codec,
)
from metaprotocol._native import CaptureDecoder, bridge

REQUESTS = Direction.CLIENT_TO_SERVER
RESPONSES = Direction.SERVER_TO_CLIENT


MANY_REASONS = """
import metaprotocol
from metaprotocol._native import bridge

class Failing(metaprotocol.Codec):
    name = "failing"

    def split(self, buffer, *, direction=0, limits=None, state=None):
        if buffer[0] == 255:
            raise ZeroDivisionError
        reason = f"it is {bytes(buffer)!r}"
        raise metaprotocol.DecodeError(protocol="failing", offset=0, code="bad_value", reason=reason)

codec = bridge(Failing())

def fail(data):
    try:
        codec.split(data)
    except (metaprotocol.DecodeError, metaprotocol.InvalidCodec) as error:
        return error

errors = [fail(number.to_bytes(4, "big")) for number in range(3000)]
assert {error.code for error in errors} == {"bad_value"}
assert errors[0].reason == r"it is b'\\x00\\x00\\x00\\x00'", errors[0].reason
assert errors[-1].reason == "bad_value"
assert len({error.reason for error in errors}) == 1025
assert "split raised ZeroDivisionError" in str(fail(bytes([255])))
"""


class Named(Toy):
    """Frames of `N`, the length of a name, and the name, which is the id."""

    name = "named"
    aliases = ("example.named", "n")
    min_header_len = 2

    def split(self, buffer: Any, *, direction: int = 0, limits: Any = None, state: Any = None) -> Head | NeedMore:
        if len(buffer) < 2 or len(buffer) < 2 + buffer[1]:
            return NeedMore(max(1, 2 - len(buffer)))
        size = 2 + buffer[1]
        kind = Kind.RESPONSE if direction else Kind.REQUEST
        return Head(kind, size, header_len=size, request_id=bytes(buffer[2:size]))


def raw_decoder(codec: Codec, **options: Any) -> CaptureDecoder:
    return CaptureDecoder(codecs=[codec], protocol=codec.name, format="raw", **options)


class TestWhatItSays:
    def test_attributes(self) -> None:
        native = bridge(Toy(PairBy.STREAM))
        assert (native.name, native.aliases, native.summary) == ("toy", ("example.toy",), "a protocol made for tests")
        assert (native.pair_by, native.sharing, native.first_speaker) == (PairBy.STREAM, Toy.sharing, Toy.first_speaker)
        assert (native.heartbeats, native.min_header_len, native.open_keys) == (True, HEADER_LEN, True)
        assert native.keys == Toy.keys

    def test_a_native_codec_is_itself(self) -> None:
        codec = get_codec("dubbo")
        frame = codec.decode(bytes.fromhex("dabbe2000000000000000002000000014e"))
        native = bridge(codec)
        assert native.reply(native.decode(frame.raw)) == codec.reply(frame)

    def test_something_else(self) -> None:
        for wrong in (7, Toy, "dubbo"):
            with pytest.raises(TypeError, match=r"instances of metaprotocol\.Codec"):
                bridge(wrong)  # type: ignore[arg-type]
            with pytest.raises(TypeError, match=r"instances of metaprotocol\.Codec"):
                CaptureDecoder(codecs=[wrong])  # type: ignore[list-item]

    def test_ids_of_bytes(self) -> None:
        connection = bridge(Named()).connection()
        asked = connection.feed(REQUESTS, b"N\x03abcN\x00N\x01N")
        answered = connection.feed(RESPONSES, b"N\x01NN\x00N\x03abc")
        assert [frame.request_id for frame in asked] == [b"abc", b"", b"N"]
        assert [connection.pair(frame) for frame in answered] == asked[::-1]

    def test_an_id_that_is_not_there(self) -> None:
        class Made(Named):
            def split(self, buffer: Any, **rest: Any) -> Head | NeedMore:
                return Head(Kind.REQUEST, 4, request_id=b"\xff" * 8)

        with pytest.raises(InvalidCodec, match="split raised InvalidCodec"):
            bridge(Made()).connection().feed(REQUESTS, b"N\x03abc")
        decoder = raw_decoder(Made())
        decoder.push(b"N\x03abc")
        decoder.finish()
        [(name, count, [error])] = decoder.take_codec_errors()
        assert (name, count) == ("named", 1)
        assert "an id of bytes must stand there as it is, or be an integer" in str(error)

    def test_directions_reach_the_other_verbs(self) -> None:
        class Telling(Toy):
            def fields(self, frame: Any) -> dict[str, str | int]:
                return {"method": f"{frame.direction.name} {frame.offset} {frame.request_id}"}

        connection = bridge(Telling()).connection()
        for way in (REQUESTS, RESPONSES):
            connection.feed(way, toy_frame(Kind.ONEWAY, 1))
            [frame] = connection.feed(way, toy_frame(Kind.ONEWAY, 2))
            assert dict(frame.metadata) == {"method": f"{way.name} 0 2"}

    def test_limits_and_state(self) -> None:
        seen: list[tuple[Limits, Any]] = []

        class Watching(Toy):
            def new_state(self) -> list[int]:
                return []

            def split(self, buffer: Any, *, direction: int = 0, limits: Any = None, state: Any = None) -> Any:
                state.append(direction)
                seen.append((limits, state))
                return super().split(buffer)

        limits = Limits(max_frame_len=1000)
        connection = bridge(Watching()).connection(limits=limits)
        connection.feed(REQUESTS, toy_frame(Kind.REQUEST, 1))
        connection.feed(RESPONSES, toy_frame(Kind.RESPONSE, 1))
        assert [each for each, _ in seen] == [limits, limits]
        assert seen[0][1] is seen[1][1]
        assert seen[0][1] == [REQUESTS, RESPONSES]
        with pytest.raises(LimitExceeded) as caught:
            connection.feed(REQUESTS, toy_frame(Kind.REQUEST, 1, bytes(1000)))
        assert (caught.value.limit, caught.value.maximum) == ("max_frame_len", 1000)

    def test_split_is_shown_little_of_a_long_chunk(self) -> None:
        shown: list[int] = []

        class Watching(Toy):
            def split(self, buffer: Any, **rest: Any) -> Any:
                shown.append(len(buffer))
                return super().split(buffer)

        stream = toy_frame(Kind.REQUEST, 1, bytes(100)) * 2000
        assert len(bridge(Watching()).connection().feed(REQUESTS, stream)) == 2000
        assert max(shown) <= 1024

    def test_a_protocol_without_lengths_sees_as_much_as_it_takes(self) -> None:
        shown: list[int] = []

        class Lines(Toy):
            name = "lines"

            def split(self, buffer: Any, **rest: Any) -> Head | NeedMore:
                shown.append(len(buffer))
                end = bytes(buffer).find(b"\n")
                return NeedMore() if end < 0 else Head(Kind.ONEWAY, end + 1)

        lines = [b"x" * size + b"\n" for size in (0, 1, 1023, 1024, 5000, 100_000, 3)]
        stream = b"".join(lines)
        for step in (7, 1000, 1 << 20):
            shown.clear()
            connection = bridge(Lines()).connection()
            frames = []
            for at in range(0, len(stream), step):
                frames += connection.feed(REQUESTS, stream[at : at + step])
            assert [bytes(frame) for frame in frames] == lines
        # Of a whole chunk, that is: the front of a frame once or twice more than all of it.
        assert sum(shown) < 3 * len(stream)


class TestEdits:
    def test_rewrite(self) -> None:
        seen: list[dict[str, Any]] = []

        class Editing(Toy):
            def rewrite(self, frame: Any, **edits: Any) -> list[Any]:
                seen.append(edits)
                return [b"T", bytearray(b"new"), frame.raw[1:], frame.body, b""]

        codec = bridge(Editing())
        data = toy_frame(Kind.REQUEST, 1, b"body")
        frame = codec.decode(data)
        pieces = codec.rewrite(frame, set={"a": "1", "b": -2, "c": (1 << 64) - 1}, remove=["d"], request_id=7)
        assert b"".join(pieces) == b"Tnew" + data[1:] + b"body"
        assert seen == [
            {"set": {"a": "1", "b": -2, "c": (1 << 64) - 1}, "remove": ["d"], "request_id": 7},
        ]
        # Views of the frame stay views: of the caller's own bytes, not of the copy that the codec saw.
        assert [isinstance(piece, memoryview) and piece.obj is data for piece in pieces] == [
            False,
            False,
            True,
            True,
            False,
        ]

    @pytest.mark.parametrize(
        ("error", "key", "text"),
        [
            (EncodeError("toy", "there is no room", "a"), "a", '"a" cannot be written: there is no room'),
            (EncodeError("toy", "not so"), "a, b, request_id", '"a, b, request_id" cannot be written: not so'),
        ],
    )
    def test_a_refused_rewrite(self, error: EncodeError, key: str, text: str) -> None:
        class Refusing(Toy):
            def rewrite(self, frame: Any, **_: Any) -> list[Any]:
                raise error

        codec = bridge(Refusing())
        frame = codec.decode(toy_frame(Kind.REQUEST, 1))
        with pytest.raises(EncodeError, match=text) as caught:
            codec.rewrite(frame, set={"a": 1}, remove=["b"], request_id=2)
        assert (caught.value.protocol, caught.value.key) == ("toy", key)

    def test_reply(self) -> None:
        codec = bridge(Toy())
        request = codec.decode(toy_frame(Kind.REQUEST, 9))
        assert codec.reply(request, ErrorType.DENIED, "no") == toy_frame(Kind.ERROR, 9, b"message=no")
        assert codec.reply(request) == toy_frame(Kind.HEARTBEAT, 9, b"message=")
        assert codec.reply(codec.decode(toy_frame(Kind.ONEWAY, 9)), ErrorType.DENIED) is None

        class Asking(Toy):
            def reply(self, request: Any, error: Any = None, message: str = "") -> bytes:
                return repr((error, message)).encode()

        asking = bridge(Asking())
        request = asking.decode(toy_frame(Kind.REQUEST, 1))
        for error in ErrorType:
            assert asking.reply(request, error, "é") == repr((error, "é")).encode()

    def test_a_refused_reply(self) -> None:
        class Silent(Toy):
            def reply(self, request: Any, error: Any = None, message: str = "") -> bytes:
                raise EncodeError(self.name, "nobody is told")

        codec = bridge(Silent())
        request = codec.decode(toy_frame(Kind.REQUEST, 1))
        with pytest.raises(EncodeError, match="no reply can be made: nobody is told"):
            codec.reply(request, ErrorType.DENIED)


class TestErrors:
    def fail(self, error: Exception) -> MetaProtocolError:
        class Failing(Toy):
            def split(self, buffer: Any, **_: Any) -> Head:
                raise error

        with pytest.raises((DecodeError, InvalidCodec)) as caught:
            bridge(Failing()).connection().feed(REQUESTS, b"x" * 100)
        return caught.value

    def test_decode_errors_keep_code_offset_and_reason(self) -> None:
        error = self.fail(DecodeError(protocol="toy", offset=3, code="bad_moon", reason="it rises"))
        assert isinstance(error, DecodeError)
        assert (error.protocol, error.code, error.offset, error.reason) == ("toy", "bad_moon", 3, "it rises")
        assert error.direction is REQUESTS
        standard = self.fail(DecodeError(protocol="toy", offset=0, code="bad_magic", reason="b'x' is not b'T'"))
        assert isinstance(standard, DecodeError)
        assert (standard.code, standard.reason) == ("bad_magic", "b'x' is not b'T'")

    def test_limits_keep_their_numbers(self) -> None:
        told = LimitExceeded(
            protocol="toy", offset=5, code="limit_exceeded", reason="!", limit="max_nesting", value=9, maximum=8
        )
        error = self.fail(told)
        assert isinstance(error, LimitExceeded)
        assert (error.limit, error.value, error.maximum, error.offset) == ("max_nesting", 9, 8, 5)

    def test_long_reasons_are_cut(self) -> None:
        error = self.fail(DecodeError(protocol="toy", offset=0, code="long", reason="é" * 1000))
        assert isinstance(error, DecodeError)
        assert error.reason == "é" * 100

    def test_reasons_with_values_from_the_wire_do_not_fill_the_memory(self) -> None:
        """In a process of its own: they are kept as long as it lives."""
        subprocess.run([sys.executable, "-c", MANY_REASONS], check=True, timeout=60)

    @pytest.mark.parametrize(
        ("answer", "told"),
        [
            (lambda: 5, "InvalidCodec"),
            (lambda: None, "InvalidCodec"),
            (lambda: 1 / 0, "ZeroDivisionError"),
            (lambda: [][1], "IndexError"),
            (lambda: Head(Kind.REQUEST, 0), "ValueError"),
        ],
    )
    def test_all_else_is_the_codecs_fault(self, answer: Callable[[], Any], told: str) -> None:
        class Wrong(Toy):
            def split(self, buffer: Any, **_: Any) -> Any:
                return answer()

        with pytest.raises(InvalidCodec, match=f"toy: at offset 0: the codec failed: split raised {told}"):
            bridge(Wrong()).split(b"T")

    def test_each_verb_says_which(self) -> None:
        def fail(*_: Any, **__: Any) -> Any:
            raise RuntimeError

        for verb, act in {
            "fields": lambda codec, frame: dict(frame.metadata),
            "field": lambda codec, frame: frame.metadata.get("x"),
            "rewrite": lambda codec, frame: codec.rewrite(frame, request_id=1),
            "reply": lambda codec, frame: codec.reply(frame),
        }.items():
            codec = bridge(type("Failing", (Toy,), {verb: fail})())
            frame = codec.decode(toy_frame(Kind.REQUEST, 1))
            with pytest.raises(InvalidCodec, match=f"{verb} raised RuntimeError"):
                act(codec, frame)
        stateless = bridge(type("Failing", (Toy,), {"new_state": fail})())
        with pytest.raises(InvalidCodec, match="new_state failed"):
            stateless.connection().feed(REQUESTS, b"T")
        assert bridge(type("Failing", (Toy,), {"detect": fail})()).detect(b"T") is Detection.NO
        assert bridge(type("Failing", (Toy,), {"detect": lambda *_, **__: "yes"})()).detect(b"T") is Detection.NO

    @pytest.mark.parametrize("value", [None, 1.5, b"bytes", 1 << 64, -(1 << 63) - 1])
    def test_values_are_texts_and_numbers(self, value: Any) -> None:
        class Odd(Toy):
            def fields(self, frame: Any) -> Any:
                return {"method": value}

        frame = bridge(Odd()).decode(toy_frame(Kind.REQUEST, 1))
        with pytest.raises(InvalidCodec, match="fields raised InvalidCodec"):
            dict(frame.metadata)

    def test_texts_that_are_no_unicode_are_shown_all_the_same(self) -> None:
        class Odd(Toy):
            def fields(self, frame: Any) -> Any:
                return {"method": "a\udc80b"}

        assert bridge(Odd()).decode(toy_frame(Kind.REQUEST, 1)).metadata["method"] == "a\ufffd\ufffd\ufffdb"


class TestDecoder:
    def test_the_exceptions_come_with_their_tracebacks(self) -> None:
        class Failing(Toy):
            def fields(self, frame: Any) -> dict[str, str | int]:
                raise KeyError(frame.request_id)

        decoder = raw_decoder(Failing())
        decoder.push(b"".join(toy_frame(Kind.ONEWAY, number) for number in range(20)))
        decoder.finish()
        assert decoder.take_json().count(b'"broken":"at offset 0: the codec failed: fields raised KeyError"') == 20
        [(name, count, exceptions)] = decoder.take_codec_errors()
        assert (name, count) == ("toy", 20)
        assert [error.args for error in exceptions] == [(number,) for number in range(8)]
        traceback = exceptions[0].__traceback__
        assert traceback is not None
        assert traceback.tb_frame.f_code.co_name == "fields"
        assert decoder.take_codec_errors() == []

    @pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
    @pytest.mark.parametrize("verb", ["split", "detect"])
    def test_what_stops_a_program_gets_through(self, stop: type[BaseException], verb: str) -> None:
        calls: list[int] = []

        class Stopped(Toy):
            def split(self, buffer: Any, **_: Any) -> Head | NeedMore:
                calls.append(1)
                if verb == "split":
                    raise stop
                return super().split(buffer)

            def detect(self, prefix: Any, *, direction: int = 0) -> Detection:
                raise stop

        decoder = CaptureDecoder(codecs=[Stopped()], protocol="toy" if verb == "split" else None, format="raw")
        with pytest.raises(stop):
            decoder.push(b"T" * 5000)
        decoder.finish()
        assert decoder.take_codec_errors() == []
        assert len(calls) == (verb == "split")

    def test_a_stream_that_failed_costs_no_more(self) -> None:
        calls: list[int] = []

        class Failing(Toy):
            def split(self, buffer: Any, **_: Any) -> Head:
                calls.append(1)
                raise RuntimeError

        decoder = raw_decoder(Failing())
        for _ in range(100):
            decoder.push(toy_frame(Kind.ONEWAY, 1) * 100)
        decoder.finish()
        assert len(calls) == 1
        assert decoder.take_json().count(b"\n") == 1
        assert b'"skipped_bytes":140000' in decoder.summary()

    def test_a_codec_that_fails_while_the_next_frame_is_sought(self) -> None:
        calls: list[int] = []

        class Fragile(Toy):
            def split(self, buffer: Any, **rest: Any) -> Head | NeedMore:
                calls.append(1)
                if buffer[0] == ord("T") and len(buffer) > 1 and buffer[1] == Kind.CONTROL:
                    raise RuntimeError
                return super().split(buffer)

        decoder = raw_decoder(Fragile())
        decoder.push(toy_frame(Kind.ONEWAY, 1) + b"?" * 100 + toy_frame(Kind.CONTROL, 1) * 100)
        decoder.push(toy_frame(Kind.ONEWAY, 1) * 100)
        decoder.finish()
        assert len(calls) == 3
        assert b'"skipped_bytes":2900' in decoder.summary()
        [(_, count, _)] = decoder.take_codec_errors()
        assert count == 1

    def test_damage_is_passed_over(self) -> None:
        good = toy_frame(Kind.ONEWAY, 1, b"method=a")
        decoder = raw_decoder(Toy())
        decoder.push(good + b"??" + good)
        decoder.finish()
        assert decoder.take_json().count(b'"kind":"oneway"') == 2
        assert decoder.take_codec_errors() == []

    def test_readers_and_pushers_do_not_wait_for_each_other(self) -> None:
        """Who waits for the decoder must not hold the GIL, which the decoder needs to go on."""

        class Slow(Toy):
            def split(self, buffer: Any, **rest: Any) -> Head | NeedMore:
                time.sleep(0.0001)  # lets others run
                return super().split(buffer)

        decoder = raw_decoder(Slow(), output="json")
        done = threading.Event()
        read = []

        def push(_: int) -> None:
            for _ in range(20):
                decoder.push(toy_frame(Kind.ONEWAY, 1, b"method=a") * 10)

        def look(_: int) -> None:
            while not done.is_set():
                read.append(decoder.take_json())
                _ = (decoder.batch_rows, decoder.done, decoder.format, decoder.retained_bytes, decoder.summary())
                decoder.take_codec_errors()
                decoder.flush()

        with ThreadPoolExecutor(6) as pool:
            readers = [pool.submit(look, number) for number in range(3)]
            pushers = [pool.submit(push, number) for number in range(3)]
            for each in pushers:
                each.result(timeout=60)
            done.set()
            for each in readers:
                each.result(timeout=60)
        decoder.finish()
        read.append(decoder.take_json())
        assert b"".join(read).count(b"\n") == 600

    def test_a_decoder_that_keeps_exceptions_can_be_collected(self) -> None:
        """An exception may lead to its decoder, by its traceback or, as here, by itself."""

        class Failure(Exception):
            decoder: CaptureDecoder

        class Failing(Toy):
            def fields(self, frame: Any) -> dict[str, str | int]:
                error = Failure()
                error.decoder = holder[0]
                kept.append(weakref.ref(error))
                raise error

        holder: list[CaptureDecoder] = []
        kept: list[weakref.ref[Failure]] = []
        holder.append(raw_decoder(Failing()))
        holder[0].push(toy_frame(Kind.ONEWAY, 1))
        assert kept[0]() is not None
        holder.clear()
        gc.collect()
        assert kept[0]() is None

    def test_keys_that_are_known_name_the_method(self) -> None:
        class Other(Toy):
            name = "other"
            keys = (KeyInfo("service", "who"), KeyInfo("method", "what"))

        decoder = raw_decoder(Other(), output="json", metadata=False)
        decoder.push(toy_frame(Kind.ONEWAY, 1, b"service=s\nmethod=m"))
        decoder.finish()
        assert b'"service":"s","method":"m"' in decoder.take_json()
