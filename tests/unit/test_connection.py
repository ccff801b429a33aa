"""Connections: the same frames however a stream is cut, and what they say of themselves."""

from __future__ import annotations

import pytest
from conftest import Cuts
from kit.cutting import feed, receive, seen
from kit.dialects import DUBBO, TOY, Dialect
from kit.toy import Toy, toy_frame

from metaprotocol import (
    Connection,
    DecodeError,
    Direction,
    Frame,
    Head,
    IncompleteFrame,
    InvalidCodec,
    Kind,
    LimitExceeded,
    Limits,
    MetaProtocolError,
    NeedMore,
    PairBy,
)

REQUESTS = Direction.CLIENT_TO_SERVER
RESPONSES = Direction.SERVER_TO_CLIENT


def conversation(dialect: Dialect) -> list[bytes]:
    """Requests of several sizes, back to back."""
    return [
        dialect.request(1, 0),
        dialect.request(2, 700),
        dialect.oneway(3),
        dialect.request(0x7FFFFFFF, 40),
        dialect.request(4, 300),
    ]


class TestAnyCut:
    def test_feed_gives_the_same_frames(self, dialect: Dialect, cuts: Cuts) -> None:
        messages = conversation(dialect)
        stream = b"".join(messages)
        for pieces in cuts(stream):
            connection = dialect.codec().connection()
            frames = feed(connection, REQUESTS, pieces)
            assert [bytes(frame) for frame in frames] == messages
            assert [frame.request_id for frame in frames] == [1, 2, 3, 0x7FFFFFFF, 4]
            assert [frame.offset for frame in frames] == [
                sum(map(len, messages[:index])) for index in range(len(messages))
            ]
            assert [frame.kind for frame in frames] == [
                Kind.REQUEST, Kind.REQUEST, Kind.ONEWAY, Kind.REQUEST, Kind.REQUEST,
            ]  # fmt: skip
            assert connection.missing(REQUESTS) == 0
            assert connection.offset(REQUESTS) == len(stream)
            connection.eof(REQUESTS)

    def test_the_receive_buffer_gives_the_same_frames(self, dialect: Dialect, cuts: Cuts) -> None:
        messages = conversation(dialect)
        stream = b"".join(messages)
        expected = [seen(frame) for frame in feed(dialect.codec().connection(), REQUESTS, [stream])]
        for pieces in cuts(stream):
            connection = dialect.codec().connection()
            assert [seen(frame) for frame in receive(connection, REQUESTS, pieces)] == expected
            assert connection.offset(REQUESTS) == len(stream)
            connection.eof(REQUESTS)

    def test_batches_give_the_same_frames(self, dialect: Dialect, cuts: Cuts) -> None:
        messages = conversation(dialect)
        stream = b"".join(messages)
        for pieces in cuts(stream):
            connection = dialect.codec().connection()
            batches = [connection.feed_batch(REQUESTS, piece) for piece in pieces]
            assert [bytes(frame) for batch in batches for frame in batch] == messages
            assert [offset for batch in batches for offset in batch.offsets] == [
                sum(map(len, messages[:index])) for index in range(len(messages))
            ]

    def test_the_frames_before_an_error_are_the_same(self, dialect: Dialect, cuts: Cuts) -> None:
        messages = conversation(dialect)
        stream = b"".join(messages) + dialect.garbage
        [expected] = {outcome(dialect, [stream])}
        for pieces in cuts(stream):
            assert outcome(dialect, pieces) == expected

    def test_both_directions_are_apart(self, dialect: Dialect, cuts: Cuts) -> None:
        asked = [dialect.request(number, 50) for number in (1, 2, 3)]
        answered = [dialect.response(number, 90) for number in (3, 1, 2)]
        for there, back in zip(cuts(b"".join(asked)), cuts(b"".join(answered)), strict=False):
            connection = dialect.codec().connection()
            frames: dict[Direction, list[Frame]] = {REQUESTS: [], RESPONSES: []}
            # The first request settles the dialect of a connection; then the directions take turns.
            turns = [(REQUESTS, piece) for piece in there]
            for index, piece in enumerate(back):
                turns.insert(2 * index + 1, (RESPONSES, piece)) if dialect is DUBBO else turns.append(
                    (RESPONSES, piece)
                )
            for direction, piece in turns:
                frames[direction] += connection.feed(direction, piece)
            assert [bytes(frame) for frame in frames[REQUESTS]] == asked
            assert [bytes(frame) for frame in frames[RESPONSES]] == answered


def outcome(dialect: Dialect, pieces: list[bytes]) -> tuple[object, ...]:
    """The frames and the error of a broken stream, comparable."""
    connection = dialect.codec().connection()
    frames: list[bytes] = []
    for piece in pieces:
        try:
            frames += map(bytes, connection.feed(REQUESTS, piece))
        except DecodeError as error:
            frames += map(bytes, error.frames)
            return tuple(frames), error.code, error.offset, error.reason, error.direction
    with pytest.raises(DecodeError):
        connection.feed(REQUESTS, b"")
    pytest.fail("the garbage was accepted")


class TestProgress:
    def test_missing_head_and_offset_while_a_frame_arrives(self, dialect: Dialect) -> None:
        request = dialect.request(5, 400)
        connection = dialect.codec().connection()
        assert connection.missing(REQUESTS) == 0
        assert connection.head(REQUESTS) is None
        assert connection.feed(REQUESTS, request + request[:-1]) != []
        assert connection.offset(REQUESTS) == len(request)
        assert connection.missing(REQUESTS) == 1
        head = connection.head(REQUESTS)
        if dialect.header_of is None:
            assert head is None
        else:
            assert head is not None
            assert (head.kind, head.frame_len, head.request_id) == (Kind.REQUEST, len(request), 5)
        [frame] = connection.feed(REQUESTS, request[-1:])
        assert frame.offset == len(request)
        assert connection.head(REQUESTS) is None
        assert connection.missing(REQUESTS) == 0
        assert connection.offset(REQUESTS) == 2 * len(request)

    def test_missing_never_promises_too_little(self, dialect: Dialect) -> None:
        """After as many bytes as are missing there is progress; with fewer there is no frame."""
        request = dialect.request(5, 100)
        for have in range(1, len(request)):
            connection = dialect.codec().connection()
            assert connection.feed(REQUESTS, request[:have]) == []
            missing = connection.missing(REQUESTS)
            assert 1 <= missing <= len(request) - have
            assert connection.feed(REQUESTS, request[have : have + missing - 1]) == []
            assert connection.missing(REQUESTS) == 1

    def test_a_stream_that_ends_within_a_frame(self, dialect: Dialect) -> None:
        request = dialect.request(5, 100)
        for have in range(1, len(request)):
            connection = dialect.codec().connection()
            connection.feed(REQUESTS, request + request[:have])
            missing = connection.missing(REQUESTS)
            with pytest.raises(IncompleteFrame) as caught:
                connection.eof(REQUESTS)
            error = caught.value
            assert (error.protocol, error.missing, error.have) == (connection.codec.name, missing, have)
            assert error.offset == len(request)
            assert f"offset {len(request)} has {have} bytes" in str(error)

    def test_nothing_can_follow_the_end(self, dialect: Dialect) -> None:
        connection = dialect.codec().connection()
        connection.feed(REQUESTS, dialect.request(1, 4))
        connection.eof(REQUESTS)
        for more in (b"", dialect.request(2, 4)):
            with pytest.raises(ValueError, match=r"eof\(\)"):
                connection.feed(REQUESTS, more)
        assert len(connection.feed(RESPONSES, dialect.response(1, 4))) == 1

    def test_an_empty_chunk_is_nothing(self, dialect: Dialect) -> None:
        connection = dialect.codec().connection()
        request = dialect.request(1, 4)
        assert connection.feed(REQUESTS, b"") == []
        assert connection.feed(REQUESTS, request[:5]) == []
        assert connection.feed(REQUESTS, b"") == []
        assert len(connection.feed(REQUESTS, request[5:])) == 1

    def test_it_tells_whose_it_is(self, dialect: Dialect) -> None:
        codec = dialect.codec()
        limits = Limits(max_frame_len=12345)
        connection = codec.connection(limits=limits)
        assert isinstance(connection, Connection)
        assert connection.codec.name == codec.name
        assert connection.limits == limits
        assert codec.connection().limits == Limits()
        assert codec.name in repr(connection)


class TestPoison:
    def test_the_same_error_for_ever(self, dialect: Dialect) -> None:
        connection = dialect.codec().connection()
        request = dialect.request(1, 4)
        with pytest.raises(DecodeError) as first:
            connection.feed(REQUESTS, request + dialect.garbage)
        assert [bytes(frame) for frame in first.value.frames] == [request]
        assert first.value.offset >= len(request)
        for attempt in (lambda: connection.feed(REQUESTS, request), lambda: connection.eof(REQUESTS)):
            with pytest.raises(DecodeError) as again:
                attempt()
            assert str(again.value) == str(first.value)
            assert again.value.code == first.value.code
            assert again.value.offset == first.value.offset
            assert again.value.hexdump == first.value.hexdump
            assert list(again.value.frames) == []

    def test_the_other_direction_lives_on(self, dialect: Dialect) -> None:
        connection = dialect.codec().connection()
        connection.feed(REQUESTS, dialect.request(1, 4))
        with pytest.raises(DecodeError):
            connection.feed(REQUESTS, dialect.garbage)
        [response] = connection.feed(RESPONSES, dialect.response(1, 4))
        assert response.request is not None

    def test_the_error_shows_the_place(self, dialect: Dialect) -> None:
        connection = dialect.codec().connection()
        requests = dialect.request(1, 4) + dialect.request(2, 4)
        with pytest.raises(DecodeError) as caught:
            connection.feed(REQUESTS, requests + dialect.garbage)
        error = caught.value
        assert error.protocol == connection.codec.name
        assert error.direction is REQUESTS
        assert f"client_to_server offset {error.offset}" in str(error)
        assert f"[{error.protocol}.{error.code}]" in str(error)
        stream = requests + dialect.garbage
        start = error.excerpt_offset
        assert error.excerpt == stream[start : start + len(error.excerpt)]
        assert len(error.excerpt) <= 64
        [marked] = [line for line in error.hexdump.splitlines() if line.startswith(">")]
        assert f"{stream[error.offset]:02x}" in marked
        assert error.__notes__ == [error.hexdump]

    def test_limits_poison_too(self, dialect: Dialect) -> None:
        request = dialect.request(1, 100)
        connection = dialect.codec().connection(limits=Limits(max_frame_len=len(request) - 1))
        with pytest.raises(LimitExceeded) as caught:
            connection.feed(REQUESTS, request)
        error = caught.value
        assert (error.limit, error.maximum) == ("max_frame_len", len(request) - 1)
        assert error.value > error.maximum
        assert "raise Limits.max_frame_len" in str(error)
        with pytest.raises(LimitExceeded) as again:
            connection.feed(REQUESTS, b"")
        assert (again.value.limit, again.value.value, again.value.maximum) == (error.limit, error.value, error.maximum)
        assert len(dialect.codec().connection(limits=Limits(max_frame_len=len(request))).feed(REQUESTS, request)) == 1

    def test_batches_are_poisoned_alike(self, dialect: Dialect) -> None:
        connection = dialect.codec().connection()
        request = dialect.request(1, 4)
        with pytest.raises(DecodeError) as caught:
            connection.feed_batch(REQUESTS, request + dialect.garbage, columns=["method"])
        batch = caught.value.frames
        assert len(batch) == 1
        assert bytes(batch[0]) == request
        with pytest.raises(DecodeError) as again:
            connection.feed_batch(REQUESTS, request)
        assert str(again.value) == str(caught.value)
        assert len(again.value.frames) == 0

    def test_the_receive_buffer_is_poisoned_alike(self, dialect: Dialect) -> None:
        connection = dialect.codec().connection()
        request = dialect.request(1, 4)
        with pytest.raises(DecodeError) as caught:
            receive(connection, REQUESTS, [request + dialect.garbage])
        assert [bytes(frame) for frame in caught.value.frames] == [request]
        with pytest.raises(DecodeError) as again:
            receive(connection, REQUESTS, [request])
        assert str(again.value) == str(caught.value)
        assert list(again.value.frames) == []


class TestArguments:
    @pytest.mark.parametrize("direction", [2, -1, "client", None])
    def test_directions(self, dialect: Dialect, direction: object) -> None:
        connection = dialect.codec().connection()
        for call in (
            lambda: connection.feed(direction, b""),  # type: ignore[arg-type]
            lambda: connection.feed_batch(direction, b""),  # type: ignore[arg-type]
            lambda: connection.get_buffer(direction),  # type: ignore[arg-type]
            lambda: connection.buffer_updated(direction, 0),  # type: ignore[arg-type]
            lambda: connection.eof(direction),  # type: ignore[arg-type]
            lambda: connection.missing(direction),  # type: ignore[arg-type]
            lambda: connection.offset(direction),  # type: ignore[arg-type]
            lambda: connection.head(direction),  # type: ignore[arg-type]
        ):
            with pytest.raises(ValueError, match=r"direction must be|is not a valid Direction"):
                call()

    def test_plain_numbers_are_directions(self, dialect: Dialect) -> None:
        connection = dialect.codec().connection()
        [request] = connection.feed(0, dialect.request(1, 4))
        [response] = connection.feed(1, dialect.response(1, 4))
        assert (request.direction, response.direction) == (REQUESTS, RESPONSES)

    @pytest.mark.parametrize("data", ["text", 7, None, [1, 2]])
    def test_data_is_bytes(self, dialect: Dialect, data: object) -> None:
        with pytest.raises(TypeError):
            dialect.codec().connection().feed(REQUESTS, data)  # type: ignore[arg-type]


class TestPairing:
    def answer(self, dialect: Dialect, requests: list[bytes], responses: list[bytes]) -> list[bytes | None]:
        """The requests that the responses answer."""
        connection = dialect.codec().connection()
        for request in requests:
            connection.feed(REQUESTS, request)
        frames = [frame for response in responses for frame in connection.feed(RESPONSES, response)]
        assert [connection.pair(frame) for frame in frames] == [frame.request for frame in frames]
        return [None if frame.request is None else bytes(frame.request) for frame in frames]

    def test_by_id_in_any_order(self, dialect: Dialect) -> None:
        asked = {number: dialect.request(number, number) for number in (1, 2, 3, 4)}
        answers = [dialect.response(3, 1), dialect.error(1), dialect.response(4, 1), dialect.response(2, 1)]
        assert self.answer(dialect, list(asked.values()), answers) == [asked[3], asked[1], asked[4], asked[2]]

    def test_equal_ids_in_the_order_they_were_asked(self, dialect: Dialect) -> None:
        asked = [dialect.request(0, size) for size in (1, 2, 3)]
        other = dialect.request(9, 1)
        answers = [dialect.response(0, 1)] * 3 + [dialect.response(9, 1)]
        assert self.answer(dialect, [asked[0], other, *asked[1:]], answers) == [*asked, other]

    def test_an_answer_is_given_once(self, dialect: Dialect) -> None:
        request = dialect.request(1, 1)
        assert self.answer(dialect, [request], [dialect.response(1, 1)] * 2) == [request, None]

    def test_an_answer_to_nothing(self, dialect: Dialect) -> None:
        assert self.answer(dialect, [dialect.request(1, 1)], [dialect.response(2, 1)]) == [None]

    def test_oneway_waits_for_nothing(self, dialect: Dialect) -> None:
        connection = dialect.codec().connection()
        [oneway] = connection.feed(REQUESTS, dialect.oneway(1))
        assert connection.in_flight == 0
        [response] = connection.feed(RESPONSES, dialect.response(1, 1))
        assert connection.pair(response) is None
        assert connection.pair(oneway) is None

    def test_requests_in_flight_are_counted(self, dialect: Dialect) -> None:
        connection = dialect.codec().connection()
        for number in (1, 2, 3):
            connection.feed(REQUESTS, dialect.request(number, 1))
        assert connection.in_flight == 3
        connection.feed(RESPONSES, dialect.response(2, 1))
        assert connection.in_flight == 2

    def test_the_oldest_is_forgotten(self, dialect: Dialect) -> None:
        connection = dialect.codec().connection(limits=Limits(max_in_flight=3))
        for number in (1, 2, 3, 4, 5):
            connection.feed(REQUESTS, dialect.request(number, 1))
            assert connection.in_flight <= 3
        answers = [connection.feed(RESPONSES, dialect.response(number, 1))[0] for number in (1, 2, 3, 4, 5)]
        assert [answer.request is not None for answer in answers] == [False, False, True, True, True]
        assert connection.in_flight == 0

    def test_long_requests_are_forgotten_sooner(self, dialect: Dialect) -> None:
        """Who feeds one direction only must not keep its stream in memory."""
        connection = dialect.codec().connection()
        for number in range(1, 41):
            connection.feed(REQUESTS, dialect.request(number, 1 << 20))
        assert 1 <= connection.in_flight <= 16
        [answer] = connection.feed(RESPONSES, dialect.response(40, 1))
        assert answer.request is not None

    def test_the_response_may_be_seen_first(self, dialect: Dialect) -> None:
        """Two taps of one connection may deliver its directions in either order."""
        connection = dialect.codec().connection()
        if not dialect.name.startswith("thrift"):
            [response] = connection.feed(RESPONSES, dialect.response(1, 1))
            assert response.request is None
            assert connection.pair(response) is None
            [request] = connection.feed(REQUESTS, dialect.request(1, 1))
        else:
            connection.feed(REQUESTS, dialect.request(7, 1))
            [response] = connection.feed(RESPONSES, dialect.response(1, 1))
            assert connection.pair(response) is None
            [request] = connection.feed(REQUESTS, dialect.request(1, 1))
        assert connection.pair(response) is not None
        assert bytes(connection.pair(response) or b"") == bytes(request)
        assert bytes(response.request or b"") == bytes(request)

    def test_one_call_of_pair_does_not_take_anothers_request(self, dialect: Dialect) -> None:
        connection = dialect.codec().connection()
        [request] = connection.feed(REQUESTS, dialect.request(1, 1))
        [response] = connection.feed(RESPONSES, dialect.response(1, 1))
        assert [connection.pair(response) for _ in range(3)] == [request] * 3
        assert connection.pair(request) is None

    def test_batches_do_not_pair(self, dialect: Dialect) -> None:
        connection = dialect.codec().connection()
        connection.feed(REQUESTS, dialect.request(1, 1))
        batch = connection.feed_batch(RESPONSES, dialect.response(1, 1))
        assert list(batch.request_ids) == [1]

    def test_in_order(self) -> None:
        connection = Toy(PairBy.ORDER).connection()
        requests = connection.feed(REQUESTS, b"".join(toy_frame(Kind.REQUEST, None, b"%d" % n) for n in range(3)))
        responses = connection.feed(RESPONSES, b"".join(toy_frame(Kind.RESPONSE, None, b"%d" % n) for n in range(3)))
        assert [connection.pair(response) for response in responses] == requests

    def test_by_stream(self) -> None:
        connection = Toy(PairBy.STREAM).connection()
        opened = connection.feed(
            REQUESTS, toy_frame(Kind.STREAM_OPEN, None, b"a", 1) + toy_frame(Kind.STREAM_OPEN, None, b"b", 3)
        )
        responses = connection.feed(
            RESPONSES, toy_frame(Kind.RESPONSE, None, b"x", 3) + toy_frame(Kind.RESPONSE, None, b"y", 1)
        )
        assert [frame.stream_id for frame in responses] == [3, 1]
        assert [connection.pair(response) for response in responses] == opened[::-1]

    def test_streams_among_calls(self) -> None:
        """Where ids pair, what opens a stream has its stream id instead, and the two do not mix."""
        connection = Toy(PairBy.ID).connection()
        call, opened = connection.feed(
            REQUESTS, toy_frame(Kind.REQUEST, 1) + toy_frame(Kind.STREAM_OPEN, None, b"a", 1)
        )
        refusal, answer, again = connection.feed(
            RESPONSES,
            toy_frame(Kind.ERROR, None, b"x", 1) + toy_frame(Kind.RESPONSE, 1) + toy_frame(Kind.ERROR, None, b"x", 1),
        )
        assert connection.pair(refusal) is opened
        assert connection.pair(answer) is call
        assert connection.pair(again) is None

    def test_not_at_all(self) -> None:
        connection = Toy(PairBy.NONE).connection()
        connection.feed(REQUESTS, toy_frame(Kind.REQUEST, 1))
        [response] = connection.feed(RESPONSES, toy_frame(Kind.RESPONSE, 1))
        assert connection.pair(response) is None
        assert connection.in_flight == 0

    def test_requests_of_the_server_wait_too(self) -> None:
        """A Dubbo provider may call its consumer back on the consumer's own connection."""
        connection = DUBBO.codec().connection()
        [request] = connection.feed(RESPONSES, DUBBO.request(1, 1))
        [response] = connection.feed(REQUESTS, DUBBO.response(1, 1))
        assert connection.pair(response) == request


class TestPythonCodecs:
    def test_any_other_answer_of_split_is_the_codecs_error(self) -> None:
        class Wrong(Toy):
            def split(self, buffer: object, **_: object) -> Head | NeedMore:
                return 5  # type: ignore[return-value]

        with pytest.raises(InvalidCodec, match="must return a Head or NeedMore"):
            Wrong().connection().feed(REQUESTS, b"T")

    def test_its_state_is_the_connections(self) -> None:
        class Counting(Toy):
            def new_state(self) -> list[int]:
                return []

            def split(self, buffer: object, *, state: list[int] | None = None, **rest: object) -> Head | NeedMore:
                assert state is not None
                state.append(1)
                states.add(id(state))
                return super().split(buffer)

        states: set[int] = set()
        codec = Counting()
        connections = [codec.connection(), codec.connection()]
        for connection in connections:
            connection.feed(REQUESTS, TOY.request(1, 1) * 2)
            connection.feed(RESPONSES, TOY.response(1, 1))
        assert len(states) == 2

    def test_it_gets_the_limits_and_the_direction(self) -> None:
        seen_arguments = []

        class Asking(Toy):
            def split(self, buffer: object, **arguments: object) -> Head | NeedMore:
                seen_arguments.append((arguments["limits"], arguments["direction"]))
                return super().split(buffer)

        limits = Limits(max_frame_len=5000)
        Asking().connection(limits=limits).feed(RESPONSES, TOY.response(1, 1))
        assert seen_arguments == [(limits, RESPONSES)]

    def test_headers_over_the_limit(self) -> None:
        connection = Toy().connection(limits=Limits(max_header_len=13))
        with pytest.raises(LimitExceeded, match="max_header_len"):
            connection.feed(REQUESTS, TOY.request(1, 1))

    def test_any_codec_can_be_asked_for_a_wish_that_is_over_the_limit(self) -> None:
        class Greedy(Toy):
            def split(self, buffer: object, **_: object) -> Head | NeedMore:
                return NeedMore(1 << 40)

        with pytest.raises(LimitExceeded, match="max_frame_len"):
            Greedy().connection().feed(REQUESTS, b"T")

    def test_ids_of_bytes(self) -> None:
        class Tagged(Toy):
            def split(self, buffer: object, **_: object) -> Head | NeedMore:
                head = super().split(buffer)
                if isinstance(head, NeedMore):
                    return head
                return Head(
                    head.kind, head.frame_len, header_len=head.header_len, request_id=b"id-%d" % head.request_id
                )

        connection = Tagged().connection()
        [request] = connection.feed(REQUESTS, TOY.request(1, 1))
        connection.feed(REQUESTS, TOY.request(2, 1))
        [response] = connection.feed(RESPONSES, TOY.response(1, 1))
        assert request.request_id == b"id-1"
        assert connection.pair(response) == request

    def test_an_exception_of_the_codec_reaches_the_caller(self) -> None:
        class Failing(Toy):
            def split(self, buffer: object, **_: object) -> Head | NeedMore:
                raise ZeroDivisionError("a bug of the codec")

        connection = Failing().connection()
        for _ in range(2):
            # The place in the stream is lost: going on would give wrong frames.
            with pytest.raises(ZeroDivisionError, match="a bug of the codec"):
                connection.feed(REQUESTS, b"T")
        with pytest.raises(ZeroDivisionError):
            connection.eof(REQUESTS)

    def test_a_limit_that_the_codec_checks_itself(self) -> None:
        class Strict(Toy):
            def split(self, buffer: object, **_: object) -> Head | NeedMore:
                head = super().split(buffer)
                if isinstance(head, Head) and head.frame_len > 100:
                    raise LimitExceeded(
                        protocol="toy", offset=10, code="limit_exceeded", reason="too long",
                        limit="max_frame_len", value=head.frame_len, maximum=100,
                    )  # fmt: skip
                return head

        connection = Strict().connection()
        connection.feed(REQUESTS, TOY.request(1, 1))
        with pytest.raises(LimitExceeded) as caught:
            connection.feed(REQUESTS, TOY.request(2, 200))
        error = caught.value
        assert (error.offset, error.direction) == (len(TOY.request(1, 1)) + 10, REQUESTS)
        assert (error.limit, error.value, error.maximum) == ("max_frame_len", len(TOY.request(2, 200)), 100)
        assert error.excerpt

    def test_the_root_of_all_errors(self) -> None:
        with pytest.raises(MetaProtocolError):
            Toy().connection().feed(REQUESTS, b"?")
