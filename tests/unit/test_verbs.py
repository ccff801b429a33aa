"""The five verbs of a codec: split, decode (with fields), rewrite, reply, detect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from kit.dialects import (
    BRIDGED,
    DUBBO,
    THRIFTS,
    TOY,
    Dialect,
    dubbo_body,
    dubbo_frame,
    hessian_string,
    thrift_message,
    thrift_string,
    thrift_wrap,
    varint,
)
from kit.memory import address, lies_within
from kit.toy import Toy

from metaprotocol import (
    Codec,
    DecodeError,
    Detection,
    Direction,
    EncodeError,
    ErrorType,
    Frame,
    Head,
    IncompleteFrame,
    Kind,
    LimitExceeded,
    Limits,
    NeedMore,
)

REQUESTS, RESPONSES = Direction
HEADERS = [dialect for dialect in THRIFTS if " header " in dialect.name]
WITHOUT_HEADERS = [dialect for dialect in THRIFTS if dialect not in HEADERS]


def rewritten(codec: Codec, frame: Frame, **edits: Any) -> Frame:
    return codec.decode(b"".join(codec.rewrite(frame, **edits)), direction=frame.direction)


class TestSplit:
    def test_more_is_needed_until_the_header_is_in(self, dialect: Dialect) -> None:
        request = dialect.request(7, 100)
        codec = dialect.codec()
        whole = codec.split(request)
        assert isinstance(whole, Head)
        assert (whole.kind, whole.request_id, whole.frame_len) == (Kind.REQUEST, 7, len(request))
        answers = [codec.split(request[:length]) for length in range(1, len(request))]
        for length, answer in enumerate(answers, 1):
            if isinstance(answer, NeedMore):
                assert 1 <= answer.at_least <= len(request) - length
            else:
                assert (answer.frame_len, answer.header_len) == (whole.frame_len, whole.header_len)
        needs = [isinstance(answer, NeedMore) for answer in answers]
        assert needs == sorted(needs, reverse=True), "a header that was in stays in"

    def test_only_the_header_is_read(self, dialect: Dialect) -> None:
        """The end of a frame that says its length is known long before its body."""
        if dialect.header_of is None:
            assert isinstance(dialect.codec().split(dialect.request(7, 100)[:-1]), NeedMore)
            return
        head = dialect.codec().split(dialect.request(7, 100_000)[:100])
        assert isinstance(head, Head)
        assert head.frame_len == len(dialect.request(7, 100_000))

    def test_the_next_frame_is_not_looked_at(self, dialect: Dialect) -> None:
        request = dialect.request(7, 100)
        head = dialect.codec().split(request + dialect.garbage)
        assert isinstance(head, Head)
        assert head.frame_len == len(request)

    def test_nothing(self, native: Dialect) -> None:
        answer = native.codec().split(b"")
        assert isinstance(answer, NeedMore)
        assert answer.at_least >= 1

    def test_garbage(self, dialect: Dialect) -> None:
        with pytest.raises(DecodeError) as caught:
            dialect.codec().split(dialect.garbage)
        assert caught.value.protocol == dialect.codec().name

    def test_any_buffer(self, dialect: Dialect) -> None:
        request = dialect.request(7, 10)
        lengths = {
            head.frame_len
            for buffer in (request, bytearray(request), memoryview(request), memoryview(bytearray(request)))
            if isinstance(head := dialect.codec().split(buffer), Head)
        }
        assert lengths == {len(request)}


class TestDecode:
    def test_exactly_one(self, dialect: Dialect) -> None:
        for data in (dialect.request(7, 10), dialect.oneway(7)):
            frame = dialect.codec().decode(data)
            assert bytes(frame) == data
            assert frame.offset == 0
            assert frame.direction is REQUESTS
            assert frame.codec.name == dialect.codec().name

    def test_a_direction_is_found_where_the_protocol_tells(self, dialect: Dialect) -> None:
        for data in (dialect.response(7, 10), dialect.error(7)):
            frame = dialect.codec().decode(data)
            assert frame.kind in (Kind.RESPONSE, Kind.ERROR)
            if dialect.name.startswith("thrift"):
                assert frame.direction is RESPONSES
            assert dialect.codec().decode(data, direction=RESPONSES).direction is RESPONSES

    def test_a_direction_that_was_said_is_kept(self) -> None:
        with pytest.raises(DecodeError) as caught:
            THRIFTS[0].codec().decode(THRIFTS[0].response(7, 10), direction=REQUESTS)
        assert caught.value.code == "wrong_direction"
        assert caught.value.direction is REQUESTS

    @pytest.mark.parametrize("lacking", [1, 2, 50, 99])
    def test_missing_bytes_are_counted(self, dialect: Dialect, lacking: int) -> None:
        request = dialect.request(7, 100)
        with pytest.raises(IncompleteFrame) as caught:
            dialect.codec().decode(request[:-lacking])
        error = caught.value
        assert error.have == len(request) - lacking
        if dialect.header_of is None:
            assert 1 <= error.missing <= lacking
        else:
            assert error.missing == lacking

    def test_nothing(self, dialect: Dialect) -> None:
        with pytest.raises(IncompleteFrame) as caught:
            dialect.codec().decode(b"")
        assert (caught.value.missing >= 1, caught.value.have) == (True, 0)

    def test_more_than_one(self, dialect: Dialect) -> None:
        request = dialect.request(7, 10)
        with pytest.raises(DecodeError, match="5 bytes follow the frame") as caught:
            dialect.codec().decode(request + b"extra")
        assert (caught.value.code, caught.value.offset) == ("trailing_bytes", len(request))

    def test_by_name_only(self, dialect: Dialect) -> None:
        with pytest.raises(TypeError):
            dialect.codec().decode(dialect.request(7, 10), REQUESTS)  # type: ignore[misc]


class TestRewrite:
    def test_no_edits_give_the_frame_itself(self, native: Dialect) -> None:
        data = native.request(7, 10)
        frame = native.codec().decode(data)
        for nothing in ({}, {"set": {}}, {"remove": []}, {"set": None, "remove": None, "request_id": None}):
            [segment] = native.codec().rewrite(frame, **nothing)
            assert segment == data
            assert lies_within(segment, data)

    def test_the_id(self, dialect: Dialect) -> None:
        codec = dialect.codec()
        data = dialect.request(7, 1000)
        again = rewritten(codec, codec.decode(data), request_id=0x1234)
        assert again.request_id == 0x1234
        if dialect not in (TOY, BRIDGED):
            assert bytes(again) == dialect.request(0x1234, 1000) or " header " in dialect.name

    def test_the_id_of_every_kind(self, native: Dialect) -> None:
        codec = native.codec()
        for data, direction in (
            (native.response(7, 10), RESPONSES),
            (native.error(7), RESPONSES),
            (native.oneway(7), REQUESTS),
        ):
            frame = codec.decode(data, direction=direction)
            again = rewritten(codec, frame, request_id=8)
            assert (again.kind, again.request_id, bytes(again.body)) == (frame.kind, 8, bytes(frame.body))

    def test_negative_ids_are_sign_extended(self, native: Dialect) -> None:
        codec = native.codec()
        again = rewritten(codec, codec.decode(native.request(7, 10)), request_id=-2)
        assert again.request_id == (1 << 64) - 2

    @pytest.mark.parametrize("request_id", [1 << 64, -(1 << 63) - 1, "7", 1.5])
    def test_ids_that_cannot_be(self, native: Dialect, request_id: object) -> None:
        codec = native.codec()
        with pytest.raises(ValueError, match="64 bits"):
            codec.rewrite(codec.decode(native.request(7, 10)), request_id=request_id)  # type: ignore[arg-type]

    @pytest.mark.parametrize("request_id", [1 << 31, -(1 << 31) - 1, (1 << 63)])
    def test_thrifts_ids_have_32_bits(self, request_id: int) -> None:
        for dialect in THRIFTS:
            codec = dialect.codec()
            with pytest.raises(EncodeError, match="32-bit"):
                codec.rewrite(codec.decode(dialect.request(7, 10)), request_id=request_id)

    def test_what_is_not_edited_is_not_copied(self, native: Dialect) -> None:
        """The new frame is a few small pieces and long runs of the old one, in their order."""
        codec = native.codec()
        data = native.request(7, 100_000)
        frame = codec.decode(data)
        segments = codec.rewrite(frame, set={"method": "another"}, request_id=8)
        new = [segment for segment in segments if not lies_within(segment, data)]
        old = [segment for segment in segments if lies_within(segment, data)]
        assert sum(memoryview(segment).nbytes for segment in new) < 200
        assert sum(memoryview(segment).nbytes for segment in old) > 100_000
        places = [address(segment) for segment in old]
        assert places == sorted(places)
        assert all(isinstance(segment, memoryview) and segment.readonly for segment in old)
        assert len(segments) < 12

    def test_the_frame_may_go(self, native: Dialect) -> None:
        codec = native.codec()
        segments = codec.rewrite(codec.decode(bytes(bytearray(native.request(7, 5000)))), request_id=8)
        noise = [bytes(5100) for _ in range(100)]
        assert codec.decode(b"".join(segments)).request_id == 8
        del noise

    def test_the_method(self, native: Dialect) -> None:
        codec = native.codec()
        frame = codec.decode(native.request(7, 100))
        for name in ("x", "aMuchLongerNameThanBefore" * 5, "grüße"):
            again = rewritten(codec, frame, set={"method": name})
            before, after = dict(frame.metadata), dict(again.metadata)
            assert after.pop("method") == name
            for key in ("method", "method_name"):
                before.pop(key, None)
                after.pop(key, None)
            assert after == before
            assert again.metadata.get("arg.1") == frame.metadata.get("arg.1")
            assert again.request_id == 7

    def test_edits_there_and_back_are_the_frame(self, native: Dialect) -> None:
        codec = native.codec()
        frame = codec.decode(native.request(7, 100))
        there = rewritten(codec, frame, set={"method": "elsewhere"}, request_id=99)
        back = rewritten(codec, there, set={"method": "sayHello"}, request_id=7)
        assert bytes(back) == bytes(frame)

    def test_keys_that_follow_from_the_rest(self, native: Dialect) -> None:
        codec = native.codec()
        frame = codec.decode(native.request(7, 10))
        read_only = [key.name for key in codec.keys if not key.writable]
        assert read_only
        for key in read_only:
            with pytest.raises(EncodeError, match="cannot be written") as caught:
                codec.rewrite(frame, set={key: "x"})
            assert caught.value.key == key

    def test_another_codecs_frame(self) -> None:
        frame = DUBBO.codec().decode(DUBBO.request(7, 10))
        for call in (
            lambda: THRIFTS[0].codec().rewrite(frame, request_id=1),
            lambda: THRIFTS[0].codec().reply(frame, ErrorType.TIMEOUT),
            lambda: THRIFTS[0].codec().fields(frame),
            lambda: THRIFTS[0].codec().field(frame, "method"),
        ):
            with pytest.raises(ValueError, match=r"frame of dubbo, not of thrift; use frame\.codec"):
                call()

    def test_values_are_text_or_numbers(self, native: Dialect) -> None:
        codec = native.codec()
        frame = codec.decode(native.request(7, 10))
        for value in (None, b"bytes", 1.5, [1], 1 << 64):
            with pytest.raises(TypeError, match="str or int of 64 bits"):
                codec.rewrite(frame, set={"method": value})  # type: ignore[dict-item]

    def test_any_mapping_and_any_iterable(self, native: Dialect) -> None:
        """As the contract says: what has the shape of a mapping and of an iterable will do."""

        class Edits(Mapping[str, str]):
            def __getitem__(self, key: str) -> str:
                return {"method": "mapped"}[key]

            def __iter__(self) -> Any:
                return iter(["method"])

            def __len__(self) -> int:
                return 1

        codec = native.codec()
        frame = codec.decode(native.request(7, 10))
        assert rewritten(codec, frame, set=Edits()).metadata["method"] == "mapped"
        for remove in (("absent",), {"absent"}, iter(["absent"]), {"absent": 1}.keys()):
            assert rewritten(codec, frame, remove=remove).metadata["method"] == "sayHello"

    def test_a_single_string_is_no_list_of_keys(self, native: Dialect) -> None:
        codec = native.codec()
        with pytest.raises(TypeError):
            codec.rewrite(codec.decode(native.request(7, 10)), remove="group")  # type: ignore[arg-type]

    def test_a_python_codecs(self) -> None:
        codec = Toy()
        frame = codec.decode(TOY.request(7, 1))
        again = rewritten(codec, frame, set={"colour": "blue"}, remove=["method"], request_id=9)
        assert (dict(again.metadata), again.request_id) == ({"colour": "blue"}, 9)

    def test_a_python_codec_without_rewrite(self) -> None:
        class Plain(Codec):
            name = "plain"

            def split(self, buffer: Any, **_: Any) -> Head:
                return Head(Kind.REQUEST, 4)

        codec = Plain()
        frame = codec.decode(b"four")
        assert b"".join(codec.rewrite(frame)) == b"four"
        for edits in ({"set": {"a": "b"}}, {"remove": ["a"]}, {"request_id": 0}):
            with pytest.raises(EncodeError, match="Plain does not implement rewrite"):
                codec.rewrite(frame, **edits)  # type: ignore[arg-type]
        with pytest.raises(EncodeError, match="Plain does not implement reply"):
            codec.reply(frame, ErrorType.TIMEOUT)
        assert codec.detect(b"four") is Detection.NO
        assert dict(frame.metadata) == {}


class TestRewriteDubbo:
    codec = DUBBO.codec()

    def test_attachments_are_spliced(self) -> None:
        data = DUBBO.request(7, 5000)
        frame = self.codec.decode(data)
        segments = self.codec.rewrite(frame, set={"group": "green", "x-new": 5}, remove=["absent"])
        again = self.codec.decode(b"".join(segments))
        assert dict(again.metadata) == {**dict(frame.metadata), "group": "green", "x-new": "5"}
        # Nothing between the header and the value of "group" has moved or changed.
        place = data.index(b"\x04blue")
        assert bytes(again)[16:place] == data[16:place]
        assert sum(memoryview(s).nbytes for s in segments if not lies_within(s, data)) < 60

    def test_removing(self) -> None:
        frame = self.codec.decode(DUBBO.request(7, 10))
        again = rewritten(self.codec, frame, remove=["group"])
        assert "group" not in again.metadata
        assert bytes(again) == dubbo_frame(0xC2, 0, 7, DUBBO.request(7, 10)[16:].replace(b"\x05group\x04blue", b""))

    def test_removing_wins_over_nothing_and_setting_over_removing(self) -> None:
        frame = self.codec.decode(DUBBO.request(7, 10))
        again = rewritten(self.codec, frame, set={"group": "green"}, remove=["group"])
        assert again.metadata["group"] == "green"

    def test_what_every_request_has_cannot_be_removed(self) -> None:
        frame = self.codec.decode(DUBBO.request(7, 10))
        with pytest.raises(EncodeError, match="set it to another value instead"):
            self.codec.rewrite(frame, remove=["method"])

    def test_a_response_without_attachments(self) -> None:
        frame = self.codec.decode(DUBBO.response(7, 10))
        assert b"".join(self.codec.rewrite(frame, remove=["absent"])) == bytes(frame)
        with pytest.raises(EncodeError, match="no attachments") as caught:
            self.codec.rewrite(frame, set={"served-by": "us"})
        assert caught.value.key == "served-by"

    def test_a_response_with_attachments(self) -> None:
        body = b"\x94" + hessian_string("value") + b"H" + hessian_string("dubbo") + hessian_string("2.0.2") + b"Z"
        frame = self.codec.decode(dubbo_frame(0x02, 20, 7, body))
        again = rewritten(self.codec, frame, set={"served-by": "us"})
        assert (again.metadata["served-by"], again.metadata["dubbo"]) == ("us", "2.0.2")

    def test_heartbeats_have_no_attachments(self) -> None:
        frame = self.codec.decode(dubbo_frame(0xE2, 0, 7, b"N"))
        with pytest.raises(EncodeError, match="events have no attachments"):
            self.codec.rewrite(frame, set={"group": "x"})

    def test_other_serializations_take_a_new_id_only(self) -> None:
        frame = self.codec.decode(dubbo_frame(0xC6, 0, 7, b'"2.0.2"\n"a.B"\n'))
        assert rewritten(self.codec, frame, request_id=8).request_id == 8
        with pytest.raises(EncodeError, match="not in Hessian 2"):
            self.codec.rewrite(frame, set={"group": "x"})

    def test_a_body_that_is_broken_where_the_edit_goes(self) -> None:
        frame = self.codec.decode(dubbo_frame(0xC2, 0, 7, dubbo_body(attachments=b"H\x05gro")))
        with pytest.raises(DecodeError, match="runs over the end") as caught:
            self.codec.rewrite(frame, set={"group": "x"})
        assert caught.value.direction is REQUESTS
        assert rewritten(self.codec, frame, request_id=8).request_id == 8

    def test_it_stays_within_the_limits(self) -> None:
        data = DUBBO.request(7, 10)
        frame = self.codec.decode(data, limits=Limits(max_frame_len=len(data) + 10))
        with pytest.raises(EncodeError, match="bytes long"):
            self.codec.rewrite(frame, set={"group": "x" * 100})


class TestRewriteThrift:
    @pytest.mark.parametrize("dialect", THRIFTS, ids=lambda dialect: dialect.name)
    def test_service_and_method_name(self, dialect: Dialect) -> None:
        codec = dialect.codec()
        frame = codec.decode(dialect.request(7, 10))
        again = rewritten(codec, frame, set={"service": "Greeter", "method_name": "greet"})
        assert [again.metadata[key] for key in ("method", "service", "method_name")] == [
            "Greeter:greet", "Greeter", "greet",
        ]  # fmt: skip
        assert again.metadata["arg.1"] == frame.metadata["arg.1"]
        plain = rewritten(codec, again, remove=["service"])
        assert plain.metadata["method"] == "greet"
        assert "service" not in plain.metadata

    @pytest.mark.parametrize("dialect", HEADERS, ids=lambda dialect: dialect.name)
    def test_headers(self, dialect: Dialect) -> None:
        codec = dialect.codec()
        frame = codec.decode(dialect.request(7, 10))
        again = rewritten(codec, frame, set={"X-User": "bob", "x-route": "blue", "header.method": "m"})
        assert (again.metadata["x-user"], again.metadata["x-route"]) == ("bob", "blue")
        assert (again.metadata["header.method"], again.metadata["method"]) == ("m", "sayHello")
        assert again.body == frame.body
        assert len(again) % 4 == len(frame) % 4
        bare = rewritten(codec, again, remove=["x-user", "X-ROUTE", "header.method"])
        assert {"x-user", "x-route", "header.method"}.isdisjoint(dict(bare.metadata))

    @pytest.mark.parametrize("dialect", WITHOUT_HEADERS, ids=lambda dialect: dialect.name)
    def test_only_theader_carries_headers(self, dialect: Dialect) -> None:
        codec = dialect.codec()
        frame = codec.decode(dialect.request(7, 10))
        with pytest.raises(EncodeError, match="THeader") as caught:
            codec.rewrite(frame, set={"x-user": "bob"})
        assert caught.value.key == "x-user"
        assert b"".join(codec.rewrite(frame, remove=["x-user"])) == bytes(frame)

    @pytest.mark.parametrize("dialect", THRIFTS, ids=lambda dialect: dialect.name)
    def test_arguments_are_never_rewritten(self, dialect: Dialect) -> None:
        codec = dialect.codec()
        with pytest.raises(EncodeError, match="body"):
            codec.rewrite(codec.decode(dialect.request(7, 10)), set={"arg.1": "x"})

    @pytest.mark.parametrize("dialect", THRIFTS, ids=lambda dialect: dialect.name)
    def test_names_that_cannot_be(self, dialect: Dialect) -> None:
        codec = dialect.codec()
        frame = codec.decode(dialect.request(7, 10))
        wrong: list[tuple[str, str | int]] = [
            ("method", ""),
            ("service", "a:b"),
            ("method_name", ""),
            ("seq_id", "seven"),
            ("seq_id", 1 << 40),
        ]
        for key, value in wrong:
            with pytest.raises(EncodeError) as caught:
                codec.rewrite(frame, set={key: value})
            assert caught.value.key == key


class TestReply:
    @pytest.mark.parametrize("error", list(ErrorType))
    def test_errors(self, dialect: Dialect, error: ErrorType) -> None:
        codec = dialect.codec()
        connection = codec.connection()
        [request] = connection.feed(REQUESTS, dialect.request(7, 10))
        reply = codec.reply(request, error, "no rötë 世界")
        assert isinstance(reply, bytes)
        [answer] = connection.feed(RESPONSES, reply)
        assert (answer.kind, answer.request_id) == (Kind.ERROR, 7)
        assert connection.pair(answer) is request
        key = {"dubbo": "error_message", "toy": "message"}.get(codec.name, "exception_message")
        assert answer.metadata[key] == "no rötë 世界"

    def test_without_a_message(self, dialect: Dialect) -> None:
        codec = dialect.codec()
        reply = codec.reply(codec.decode(dialect.request(7, 10)), ErrorType.TIMEOUT)
        assert codec.decode(reply or b"", direction=RESPONSES).request_id == 7

    def test_a_long_message(self, dialect: Dialect) -> None:
        codec = dialect.codec()
        text = "long 世界 " * 20_000
        answer = codec.decode(codec.reply(codec.decode(dialect.request(7, 10)), ErrorType.TIMEOUT, text) or b"")
        key = {"dubbo": "error_message", "toy": "message"}.get(codec.name, "exception_message")
        assert answer.metadata[key] == text

    def test_nobody_answers_a_oneway(self, dialect: Dialect) -> None:
        codec = dialect.codec()
        assert codec.reply(codec.decode(dialect.oneway(7)), ErrorType.TIMEOUT, "late") is None

    def test_responses_are_not_answered(self, native: Dialect) -> None:
        codec = native.codec()
        for data in (native.response(7, 10), native.error(7)):
            with pytest.raises(EncodeError, match="no reply can be made"):
                codec.reply(codec.decode(data, direction=RESPONSES), ErrorType.TIMEOUT)

    def test_only_heartbeats_have_an_answer_without_an_error(self, native: Dialect) -> None:
        codec = native.codec()
        with pytest.raises(EncodeError, match="heartbeat"):
            codec.reply(codec.decode(native.request(7, 10)))

    @pytest.mark.parametrize("error", [10, -1, "TIMEOUT", 1.0])
    def test_errors_that_do_not_exist(self, native: Dialect, error: object) -> None:
        codec = native.codec()
        with pytest.raises(ValueError, match="member of ErrorType"):
            codec.reply(codec.decode(native.request(7, 10)), error)  # type: ignore[arg-type]

    def test_dubbo_heartbeats(self) -> None:
        codec = DUBBO.codec()
        heartbeat = codec.decode(bytes.fromhex("dabbe2000000000000000002000000014e"))
        assert heartbeat.kind is Kind.HEARTBEAT
        assert codec.reply(heartbeat) == bytes.fromhex("dabb22140000000000000002000000014e")
        assert codec.reply(codec.decode(dubbo_frame(0xA2, 0, 2, b"N"))) is None, "a one-way heartbeat"
        with pytest.raises(EncodeError, match="answered by a heartbeat"):
            codec.reply(heartbeat, ErrorType.TIMEOUT)

    def test_dubbo_statuses(self) -> None:
        codec = DUBBO.codec()
        expected = bytes.fromhex("dabb023c000000000000000100000009086e6f20726f757465")
        assert codec.reply(codec.decode(DUBBO.request(1, 1)), ErrorType.ROUTE_NOT_FOUND, "no route") == expected

    def test_thrift_exceptions(self) -> None:
        codec = THRIFTS[0].codec()
        call = bytes.fromhex("00000022800100010000000873617948656c6c6f000000010b000100000006616572616b6900")
        expected = "0000002b800100030000000873617948656c6c6f000000010b0001000000086e6f20726f7574650800020000000600"
        assert codec.reply(codec.decode(call), ErrorType.UNSPECIFIED, "no route") == bytes.fromhex(expected)

    @pytest.mark.parametrize("dialect", THRIFTS, ids=lambda dialect: dialect.name)
    def test_thrift_answers_in_the_requests_own_words(self, dialect: Dialect) -> None:
        codec = dialect.codec()
        request = codec.decode(dialect.request(-7, 10))
        answer = codec.decode(codec.reply(request, ErrorType.ROUTE_NOT_FOUND, "no") or b"")
        for key in ("transport", "protocol", "method", "seq_id"):
            assert answer.metadata[key] == request.metadata[key]
        assert (answer.metadata["message_type"], answer.metadata["exception_type"]) == ("exception", 1)


class TestLimits:
    """Each limit, exceeded by one."""

    def test_frames(self, dialect: Dialect) -> None:
        data = dialect.request(7, 100)
        codec = dialect.codec()
        assert len(codec.decode(data, limits=Limits(max_frame_len=len(data)))) == len(data)
        below = Limits(max_frame_len=len(data) - 1)
        with pytest.raises(LimitExceeded) as caught:
            codec.connection(limits=below).feed(REQUESTS, data)
        assert (caught.value.limit, caught.value.maximum) == ("max_frame_len", len(data) - 1)

    def test_headers(self, native: Dialect) -> None:
        codec = native.codec()
        data = native.request(7, 100)
        header_len = len(codec.decode(data).header)
        assert len(codec.decode(data, limits=Limits(max_header_len=header_len))) == len(data)
        with pytest.raises(LimitExceeded) as caught:
            codec.decode(data, limits=Limits(max_header_len=header_len - 1))
        assert (caught.value.limit, caught.value.maximum) == ("max_header_len", header_len - 1)

    @pytest.mark.parametrize("count", [0, 1, 7])
    def test_attachments_of_dubbo(self, count: int) -> None:
        entries = b"".join(hessian_string(f"key{n}") + hessian_string("value") for n in range(count + 1))
        data = dubbo_frame(0xC2, 0, 7, dubbo_body(attachments=b"H" + entries + b"Z"))
        codec = DUBBO.codec()
        assert dict(codec.decode(data, limits=Limits(max_field_count=count + 1)).metadata)["key0"] == "value"
        frame = codec.decode(data, limits=Limits(max_field_count=count))
        for attempt in (lambda: dict(frame.metadata), lambda: codec.rewrite(frame, set={"x": "y"})):
            with pytest.raises(LimitExceeded) as caught:
                attempt()
            assert (caught.value.limit, caught.value.value, caught.value.maximum) == (
                "max_field_count", count + 1, count,
            )  # fmt: skip

    @pytest.mark.parametrize("count", [0, 1, 7])
    def test_headers_of_thrift(self, count: int) -> None:
        pairs = b"".join(varint(4) + f"key{n}".encode() + varint(5) + b"value" for n in range(count + 1))
        body = thrift_message("binary", 1, "a", 7, thrift_string("binary", 1, b"x"))
        data = thrift_wrap("header", "binary", body, 7, b"\x01" + varint(count + 1) + pairs)
        codec = HEADERS[0].codec()
        assert codec.decode(data, limits=Limits(max_field_count=count + 1)).metadata["key0"] == "value"
        frame = codec.decode(data, limits=Limits(max_field_count=count))
        with pytest.raises(LimitExceeded) as caught:
            dict(frame.metadata)
        assert (caught.value.limit, caught.value.maximum) == ("max_field_count", count)

    @pytest.mark.parametrize("depth", [1, 2, 100])
    def test_nesting_in_dubbo(self, depth: int) -> None:
        # Lists of one within each other, then the attachments, which are one level themselves.
        data = dubbo_frame(0xC2, 0, 7, dubbo_body(b"\x79" * depth + b"\x90", "Ljava/lang/Object;", b"H\x01k\x01vZ"))
        codec = DUBBO.codec()
        assert codec.decode(data, limits=Limits(max_nesting=depth)).metadata["k"] == "v"
        frame = codec.decode(data, limits=Limits(max_nesting=depth - 1))
        assert frame.metadata["method"] == "sayHello"
        with pytest.raises(LimitExceeded) as caught:
            frame.metadata["k"]
        assert (caught.value.limit, caught.value.maximum) == ("max_nesting", depth - 1)

    @pytest.mark.parametrize("protocol", ["binary", "compact"])
    def test_nesting_in_thrift(self, protocol: str) -> None:
        """An unframed message is walked to its end, so that its nesting counts from the first look."""
        opening, closing = (b"\x0c\x00\x01", b"\x00") if protocol == "binary" else (b"\x1c", b"\x00")
        [dialect] = [d for d in THRIFTS if d.name == f"thrift unframed {protocol}"]
        codec = dialect.codec()

        def nested(depth: int) -> bytes:
            return thrift_message(protocol, 1, "a", 7, opening * depth + closing * depth + b"\x00")

        # The struct of arguments is the first level.
        limits = Limits(max_nesting=20)
        assert len(codec.decode(nested(19), limits=limits)) == len(nested(19))
        with pytest.raises(LimitExceeded) as caught:
            codec.decode(nested(20), limits=limits)
        assert (caught.value.limit, caught.value.value, caught.value.maximum) == ("max_nesting", 21, 20)

    def test_in_flight(self, dialect: Dialect) -> None:
        connection = dialect.codec().connection(limits=Limits(max_in_flight=5))
        [first, *_] = [connection.feed(REQUESTS, dialect.request(number, 1))[0] for number in range(1, 6)]
        assert connection.in_flight == 5
        connection.feed(REQUESTS, dialect.request(6, 1))
        assert connection.in_flight == 5
        [answer] = connection.feed(RESPONSES, dialect.response(1, 1))
        assert connection.pair(answer) is None
        del first
