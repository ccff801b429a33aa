"""Whatever frames, however cut; whatever bytes: frames, "need more" or a clear error."""

from __future__ import annotations

import contextlib
import itertools
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.cutting import feed, receive, seen
from kit.dialects import ALL, DUBBO, NATIVE, THRIFTS, Dialect, dubbo_body, dubbo_frame, hessian_string
from kit.toy import HEADER_LEN, Toy, toy_frame
from pyhessian.parser import Parser
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.protocol.TCompactProtocol import TCompactProtocol
from thrift.protocol.THeaderProtocol import THeaderProtocol
from thrift.protocol.TProtocol import TType
from thrift.transport.THeaderTransport import THeaderSubprotocolID
from thrift.transport.TTransport import TFramedTransport, TMemoryBuffer
from thriftpy2.protocol import TBinaryProtocol as PyBinaryProtocol
from thriftpy2.protocol import TCompactProtocol as PyCompactProtocol
from thriftpy2.transport import TMemoryBuffer as PyMemoryBuffer

from metaprotocol import (
    DecodeError,
    Direction,
    EncodeError,
    ErrorType,
    IncompleteFrame,
    Kind,
    Limits,
    MetaProtocolError,
    get_codec,
    list_codecs,
)

REQUESTS, RESPONSES = Direction
IDS = st.integers(0, (1 << 31) - 1)
SIZES = st.one_of(st.integers(0, 40), st.integers(41, 3000))
# Old binary has no magic: only a name that could be one shows it.
METHODS = st.builds(
    "{}{}".format,
    st.sampled_from("aZ_"),
    st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters=":"), max_size=30),
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)


def cut(data: bytes, places: list[float]) -> list[bytes]:
    """The stream in pieces; each place is a share of its length."""
    at = sorted({0, len(data), *(int(place * len(data)) for place in places)})
    return [data[start:end] for start, end in itertools.pairwise(at)]


CUTS = st.lists(st.floats(0, 1, exclude_max=True), max_size=12)


class TestAnyFramesAnyCut:
    @pytest.mark.parametrize("dialect", ALL, ids=lambda dialect: dialect.name)
    @given(asked=st.lists(st.tuples(IDS, SIZES, st.booleans()), max_size=12), places=CUTS)
    def test_the_same_frames(self, dialect: Dialect, asked: list[tuple[int, int, bool]], places: list[float]) -> None:
        messages = [
            dialect.oneway(number) if oneway else dialect.request(number, size) for number, size, oneway in asked
        ]
        stream = b"".join(messages)
        whole = feed(dialect.codec().connection(), REQUESTS, [stream])
        assert [bytes(frame) for frame in whole] == messages
        assert [frame.request_id for frame in whole] == [number for number, _, _ in asked]
        expected = [seen(frame) for frame in whole]
        pieces = cut(stream, places)
        assert [seen(frame) for frame in feed(dialect.codec().connection(), REQUESTS, pieces)] == expected
        assert [seen(frame) for frame in receive(dialect.codec().connection(), REQUESTS, pieces)] == expected
        connection = dialect.codec().connection()
        batches = [connection.feed_batch(REQUESTS, piece) for piece in pieces]
        assert [seen(frame) for batch in batches for frame in batch] == expected

    @pytest.mark.parametrize("dialect", ALL, ids=lambda dialect: dialect.name)
    @given(asked=st.lists(st.integers(0, 5), max_size=30), answered=st.lists(st.integers(0, 5), max_size=30))
    def test_pairs(self, dialect: Dialect, asked: list[int], answered: list[int]) -> None:
        """Each answer is of the oldest request with its id that has none yet: told by the plainest of models."""
        connection = dialect.codec().connection()
        connection.feed(REQUESTS, dialect.oneway(0))
        waiting = [frame for number in asked for frame in connection.feed(REQUESTS, dialect.request(number, 1))]
        for number in answered:
            [response] = connection.feed(RESPONSES, dialect.response(number, 1))
            expected = next((frame for frame in waiting if frame.request_id == number), None)
            assert connection.pair(response) is expected
            waiting = [frame for frame in waiting if frame is not expected]
            assert connection.in_flight == len(waiting)


class TestAnyBytes:
    def read_everything(self, codec_name: str, data: bytes, direction: Direction) -> None:
        """Every verb on whatever these bytes are; only errors of this package come out."""
        codec = get_codec(codec_name)
        codec.detect(data, direction=direction)
        connection = codec.connection(limits=Limits(max_frame_len=1 << 20))
        frames: list[Any] = []
        try:
            frames = list(connection.feed(direction, data))
            connection.eof(direction)
        except DecodeError as error:
            frames = frames or list(error.frames)
        except IncompleteFrame:
            assert connection.missing(direction) >= 1
        assert sum(len(frame) for frame in frames) == connection.offset(direction) <= len(data)
        for frame in frames[:20]:
            for attempt in (
                lambda frame=frame: dict(frame.metadata),
                lambda frame=frame: frame.metadata.get("method"),
                lambda frame=frame: frame.metadata.get("arg.0"),
                lambda frame=frame: codec.rewrite(frame, set={"method": "x"}, request_id=5),
                lambda frame=frame: codec.rewrite(frame, set={"x-key": "y"}, remove=["group"]),
                lambda frame=frame: codec.reply(frame, ErrorType.TIMEOUT, "late"),
                lambda frame=frame: codec.reply(frame),
            ):
                with contextlib.suppress(MetaProtocolError):
                    attempt()
            assert repr(frame)

    @pytest.mark.parametrize("codec", ["dubbo", "thrift"])
    @given(data=st.binary(max_size=300), direction=st.sampled_from(Direction))
    def test_noise(self, codec: str, data: bytes, direction: Direction) -> None:
        self.read_everything(codec, data, direction)

    @pytest.mark.parametrize("dialect", NATIVE, ids=lambda dialect: dialect.name)
    @given(
        sizes=st.lists(st.integers(0, 60), min_size=1, max_size=4),
        changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6),
        end=st.floats(0, 1),
    )
    def test_mutations(self, dialect: Dialect, sizes: list[int], changes: list[tuple[float, int]], end: float) -> None:
        data = bytearray(b"".join(dialect.request(number, size) for number, size in enumerate(sizes)))
        for place, byte in changes:
            data[int(place * len(data))] = byte
        mutated = bytes(data[: int(end * len(data)) or len(data)])
        self.read_everything(dialect.codec().name, mutated, REQUESTS)

    @pytest.mark.parametrize("dialect", NATIVE, ids=lambda dialect: dialect.name)
    @given(
        changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4),
        places=CUTS,
    )
    def test_mutations_fail_alike_however_cut(
        self, dialect: Dialect, changes: list[tuple[float, int]], places: list[float]
    ) -> None:
        data = bytearray(dialect.request(1, 20) * 3)
        for place, byte in changes:
            data[int(place * len(data))] = byte
        outcomes = []
        for pieces in ([bytes(data)], cut(bytes(data), places)):
            connection = dialect.codec().connection()
            frames: list[bytes] = []
            told: tuple[Any, ...] = ()
            for piece in pieces:
                try:
                    frames += map(bytes, connection.feed(REQUESTS, piece))
                except DecodeError as error:
                    frames += map(bytes, error.frames)
                    told = (error.code, error.offset, error.reason)
                    break
            outcomes.append((frames, told))
        assert outcomes[0] == outcomes[1]

    @given(data=st.binary(max_size=100))
    def test_nobody_claims_what_another_claims(self, data: bytes) -> None:
        claims = [name for name in list_codecs() if get_codec(name).detect(data).name == "YES"]
        assert len(claims) <= 1


class TestRewrite:
    @pytest.mark.parametrize("dialect", NATIVE, ids=lambda dialect: dialect.name)
    @given(size=SIZES, method=METHODS, number=IDS)
    def test_the_edit_is_seen_and_all_else_is_the_same(
        self, dialect: Dialect, size: int, method: str, number: int
    ) -> None:
        codec = dialect.codec()
        data = dialect.request(3, size)
        frame = codec.decode(data)
        segments = codec.rewrite(frame, set={"method": method}, request_id=number)
        again = codec.decode(b"".join(segments))
        assert (again.metadata["method"], again.request_id) == (method, number)
        # Putting the old values back gives the old bytes: nothing else was touched.
        back = codec.rewrite(again, set={"method": "sayHello"}, request_id=3)
        assert b"".join(back) == data

    @given(
        before=st.dictionaries(TEXT, TEXT, max_size=6),
        changed=st.dictionaries(TEXT, TEXT, max_size=4),
        removed=st.lists(TEXT, max_size=4),
    )
    def test_attachments_of_dubbo(self, before: dict[str, str], changed: dict[str, str], removed: list[str]) -> None:
        codec = get_codec("dubbo")
        known = {key.name for key in codec.keys}

        def own(key: str) -> bool:
            return key not in known and not key.startswith("arg.")

        before = {key: value for key, value in before.items() if own(key)}
        changed = {key: value for key, value in changed.items() if own(key)}
        removed = [key for key in removed + list(before)[:1] if own(key) and key not in changed]
        entries = b"".join(hessian(key) + hessian(value) for key, value in before.items())
        frame = codec.decode(dubbo_frame(0xC2, 0, 7, dubbo_body(attachments=b"H" + entries + b"Z")))
        assert {key: frame.metadata[key] for key in before} == before
        again = codec.decode(b"".join(codec.rewrite(frame, set=changed, remove=removed)))
        left = {key: value for key, value in {**before, **changed}.items() if key not in removed}
        fixed = {key: value for key, value in frame.metadata.items() if key in known}
        assert dict(again.metadata) == {**fixed, **left}

    @given(
        before=st.dictionaries(TEXT, TEXT, max_size=6),
        changed=st.dictionaries(st.text("abcxyz-", min_size=1, max_size=10), TEXT, max_size=4),
    )
    def test_headers_of_thrift(self, before: dict[str, str], changed: dict[str, str]) -> None:
        codec = get_codec("thrift")
        memory = TMemoryBuffer()
        protocol = THeaderProtocol(memory, [0])
        for key, value in before.items():
            protocol.trans.set_header(key.encode(), value.encode())
        write_call(protocol, "greet", 5, [])
        protocol.trans.flush()
        frame = codec.decode(memory.getvalue())
        again = codec.decode(b"".join(codec.rewrite(frame, set=changed)))
        for key, value in changed.items():
            assert again.metadata[f"header.{key}"] == value
        lowered = {key.lower() for key in changed}
        for key, value in frame.metadata.items():
            if key.removeprefix("header.") not in lowered:
                assert again.metadata[key] == value
        assert bytes(again.body) == bytes(frame.body)


class TestReply:
    @pytest.mark.parametrize("dialect", NATIVE, ids=lambda dialect: dialect.name)
    @given(number=IDS, error=st.sampled_from(ErrorType), message=TEXT)
    def test_it_answers_the_request(self, dialect: Dialect, number: int, error: ErrorType, message: str) -> None:
        codec = dialect.codec()
        connection = codec.connection()
        [request] = connection.feed(REQUESTS, dialect.request(number, 5))
        [answer] = connection.feed(RESPONSES, codec.reply(request, error, message) or b"")
        assert (answer.kind, answer.request_id) == (Kind.ERROR, number)
        assert connection.pair(answer) is request
        key = "error_message" if dialect is DUBBO else "exception_message"
        assert answer.metadata[key] == message


def hessian(value: Any) -> bytes:
    """A value in Hessian 2, written from its specification."""
    if value is None:
        return b"N"
    if isinstance(value, bool):
        return b"T" if value else b"F"
    if isinstance(value, int):
        if -0x10 <= value <= 0x2F:
            return bytes([0x90 + value])
        if -0x800 <= value <= 0x7FF:
            return (0xC800 + value).to_bytes(2, "big")
        if -(1 << 31) <= value < 1 << 31:
            return b"I" + value.to_bytes(4, "big", signed=True)
        return b"L" + value.to_bytes(8, "big", signed=True)
    if isinstance(value, str):
        units = value.encode("utf-16-be")
        halves = [int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2)]
        data = b"".join(chr(half).encode("utf-8", "surrogatepass") for half in halves)
        return b"S" + len(halves).to_bytes(2, "big") + data
    if isinstance(value, bytes):
        return b"B" + len(value).to_bytes(2, "big") + value
    if isinstance(value, list):
        items = b"".join(map(hessian, value))
        return bytes([0x78 + len(value)]) + items if len(value) < 8 else b"X" + hessian(len(value)) + items
    assert isinstance(value, dict)
    return b"H" + b"".join(hessian(key) + hessian(item) for key, item in value.items()) + b"Z"


PLAIN = st.one_of(st.none(), st.booleans(), st.integers(-(1 << 63), (1 << 63) - 1), TEXT, st.binary(max_size=100))
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.one_of(st.lists(inner, max_size=10), st.dictionaries(TEXT, inner, max_size=4)),
    max_leaves=20,
)


def as_text_or_number(value: str | int) -> str | int:
    """Metadata has no booleans: they are text."""
    return str(value).lower() if isinstance(value, bool) else value


class TestHessian:
    @given(arguments=st.lists(VALUES, max_size=6), group=TEXT)
    def test_arguments_of_any_shape_are_skipped(self, arguments: list[Any], group: str) -> None:
        attachments = b"H" + hessian_string("group") + hessian(group) + b"Z"
        body = dubbo_body(b"".join(map(hessian, arguments)), "Ljava/lang/Object;" * len(arguments), attachments)
        metadata = get_codec("dubbo").decode(dubbo_frame(0xC2, 0, 7, body)).metadata
        assert metadata["group"] == group
        assert metadata["param_count"] == len(arguments)
        for number, argument in enumerate(arguments):
            if isinstance(argument, str | int):
                assert metadata[f"arg.{number}"] == as_text_or_number(argument)
            elif isinstance(argument, list | dict) or argument is None:
                assert f"arg.{number}" not in metadata

    # python-hessian takes surrogates apart otherwise than Java, so its words are of the basic plane.
    @given(
        arguments=st.lists(
            st.one_of(st.booleans(), st.integers(-(1 << 31), (1 << 31) - 1), st.text("abc äß世界", max_size=40)),
            max_size=6,
        )
    )
    def test_python_hessian_agrees(self, arguments: list[Any]) -> None:
        body = dubbo_body(b"".join(map(hessian, arguments)), "Ljava/lang/Object;" * len(arguments))
        metadata = get_codec("dubbo").decode(dubbo_frame(0xC2, 0, 7, body)).metadata
        parser = Parser()
        parser.version = 2
        parser._stream = BytesIO(body)
        for key in ("dubbo_version", "path", "service_version", "method"):
            assert parser.read_object() == metadata[key]
        parser.read_object()
        theirs = [parser.read_object() for _ in arguments]
        assert list(map(as_text_or_number, theirs)) == [metadata[f"arg.{n}"] for n in range(len(arguments))]


def write_call(protocol: Any, name: str, number: int, arguments: list[Any]) -> None:
    """A call as Apache Thrift writes it."""
    protocol.writeMessageBegin(name, 1, number)
    protocol.writeStructBegin("args")
    for field_id, argument in enumerate(arguments, 1):
        write_field(protocol, field_id, argument)
    protocol.writeFieldStop()
    protocol.writeStructEnd()
    protocol.writeMessageEnd()


def thrift_type(value: Any) -> int:
    types = {
        bool: TType.BOOL,
        int: TType.I64,
        str: TType.STRING,
        float: TType.DOUBLE,
        list: TType.LIST,
        dict: TType.MAP,
    }
    return types[type(value)]


def write_value(protocol: Any, value: Any) -> None:
    if isinstance(value, list):
        protocol.writeListBegin(TType.STRING, len(value))
        for item in value:
            protocol.writeString(item)
        protocol.writeListEnd()
    elif isinstance(value, dict):
        protocol.writeMapBegin(TType.STRING, TType.I64, len(value))
        for key, item in value.items():
            protocol.writeString(key)
            protocol.writeI64(item)
        protocol.writeMapEnd()
    else:
        {
            bool: protocol.writeBool, int: protocol.writeI64, str: protocol.writeString, float: protocol.writeDouble,
        }[type(value)](value)  # fmt: skip


def write_field(protocol: Any, field_id: int, value: Any) -> None:
    protocol.writeFieldBegin("", thrift_type(value), field_id)
    write_value(protocol, value)
    protocol.writeFieldEnd()


I64 = st.integers(-(1 << 63), (1 << 63) - 1)
ARGUMENTS = st.lists(
    st.one_of(
        st.booleans(), I64, TEXT, st.floats(allow_nan=False), st.lists(TEXT, max_size=20),
        st.dictionaries(TEXT, I64, max_size=5),
    ),
    max_size=20,
)  # fmt: skip
CALLS = st.lists(
    st.tuples(TEXT.filter(bool), st.integers(-(1 << 31), (1 << 31) - 1), ARGUMENTS), min_size=1, max_size=5
)
NAMES = st.text("abcdefgXYZ_", min_size=1, max_size=30)


class TestThrift:
    @pytest.mark.parametrize("protocol", ["binary", "compact"])
    @pytest.mark.parametrize("transport", ["unframed", "framed", "header"])
    @given(first=NAMES, calls=CALLS, places=CUTS)
    def test_what_apache_thrift_writes(
        self, transport: str, protocol: str, first: str, calls: list[tuple[str, int, list[Any]]], places: list[float]
    ) -> None:
        # The first message shows the dialect, so its name is one that a compiler would take.
        calls = [(first, *calls[0][1:]), *calls[1:]]
        memory = TMemoryBuffer()
        layer: Any = TFramedTransport(memory) if transport == "framed" else memory
        writer: Any = TCompactProtocol(layer) if protocol == "compact" else TBinaryProtocol(layer)
        if transport == "header":
            writer = THeaderProtocol(memory, [0], THeaderSubprotocolID.COMPACT if protocol == "compact" else 0)
        for name, number, arguments in calls:
            write_call(writer, name, number, arguments)
            writer.trans.flush()
        frames = feed(get_codec("thrift").connection(), REQUESTS, cut(memory.getvalue(), places))
        assert len(frames) == len(calls)
        for frame, (name, number, arguments) in zip(frames, calls, strict=True):
            metadata = frame.metadata
            assert (metadata["method"], metadata["seq_id"]) == (name, number)
            assert (metadata["transport"], metadata["protocol"]) == (transport, protocol)
            for field_id, argument in enumerate(arguments, 1):
                ours = metadata.get(f"arg.{field_id}")
                if isinstance(argument, list | dict):
                    assert ours is None
                elif isinstance(argument, float):
                    assert isinstance(ours, str)
                    assert float(ours) == argument
                else:
                    assert ours == argument

    @pytest.mark.parametrize("protocol", ["binary", "compact"])
    # Its compact protocol never comes to the end of a negative sequence id.
    @given(calls=st.lists(st.tuples(NAMES, IDS), min_size=1, max_size=8), places=CUTS)
    def test_message_heads_that_thriftpy2_writes(
        self, protocol: str, calls: list[tuple[str, int]], places: list[float]
    ) -> None:
        memory = PyMemoryBuffer()
        writer: Any = PyCompactProtocol(memory) if protocol == "compact" else PyBinaryProtocol(memory)
        for name, number in calls:
            writer.write_message_begin(name, 1, number)
            memory.write(b"\0")
            writer.write_message_end()
        frames = feed(get_codec("thrift").connection(), REQUESTS, cut(memory.getvalue(), places))
        assert [(frame.metadata["method"], frame.metadata["seq_id"]) for frame in frames] == [
            call[:2] for call in calls
        ]


class TestWork:
    """Work is counted, not timed."""

    @given(sizes=st.lists(st.integers(0, 2000), min_size=1, max_size=6))
    def test_byte_by_byte_is_linear(self, sizes: list[int]) -> None:
        """A codec is asked at the first byte, when the header is in, and not again for the same frame."""
        stream = b"".join(toy_frame(Kind.REQUEST, number, b"x" * size) for number, size in enumerate(sizes))
        codec = Toy()
        connection = codec.connection()
        for at in range(len(stream)):
            connection.feed(REQUESTS, stream[at : at + 1])
        assert codec.splits <= 2 * len(sizes)
        assert codec.bytes_shown <= 2 * HEADER_LEN * len(sizes)

    @given(size=st.integers(0, 5000), step=st.integers(1, 50))
    def test_an_answer_is_kept_until_the_body_is_in(self, size: int, step: int) -> None:
        stream = toy_frame(Kind.REQUEST, 1, b"x" * size)
        codec = Toy()
        feed(codec.connection(), REQUESTS, [stream[at : at + step] for at in range(0, len(stream), step)])
        assert codec.splits <= 2

    @pytest.mark.parametrize("dialect", THRIFTS, ids=lambda dialect: dialect.name)
    def test_what_is_missing_never_grows(self, dialect: Dialect) -> None:
        """Each byte that comes is counted off once: `missing` and what came add up to at most the frame."""
        data = dialect.request(1, 3000)
        connection = dialect.codec().connection()
        for at in range(len(data) - 1):
            connection.feed(REQUESTS, data[at : at + 1])
            assert at + 1 + connection.missing(REQUESTS) <= len(data)


def test_edits_that_cannot_be_are_refused_alike() -> None:
    for dialect in NATIVE:
        with pytest.raises(EncodeError):
            dialect.codec().rewrite(
                dialect.codec().decode(dialect.response(1, 1), direction=RESPONSES), set={"arg.1": "x"}
            )
