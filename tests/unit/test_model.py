"""The words of the model: Python's numbers are the core's, and small values behave."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from kit.dialects import DUBBO, THRIFTS, TOY, Dialect
from kit.toy import Toy, toy_frame

import metaprotocol
from metaprotocol import (
    Codec,
    Connection,
    Detection,
    Direction,
    ErrorType,
    FirstSpeaker,
    Head,
    KeyInfo,
    Kind,
    Limits,
    MetaProtocolError,
    NeedMore,
    PairBy,
    Sharing,
)

CORE = Path(__file__).parents[2] / "native" / "core" / "src"
ENUMS = {
    Detection: "codec.rs",
    Direction: "frame.rs",
    ErrorType: "edit.rs",
    FirstSpeaker: "codec.rs",
    Kind: "frame.rs",
    PairBy: "codec.rs",
    Sharing: "codec.rs",
}


def rust_enum(source: str, name: str) -> dict[str, int]:
    """The members of an enum of the core, with Python's spelling of their names."""
    [body] = re.findall(rf"pub enum {name} {{(.*?)^}}", source, re.DOTALL | re.MULTILINE)
    members = re.findall(r"^\s+(\w+) = (\d+),$", body, re.MULTILINE)
    return {re.sub(r"(?<!^)([A-Z])", r"_\1", member).upper(): int(number) for member, number in members}


class TestNumbers:
    @pytest.mark.parametrize("enum", ENUMS, ids=lambda enum: enum.__name__)
    def test_they_are_those_of_the_core(self, enum: type) -> None:
        expected = rust_enum((CORE / ENUMS[enum]).read_text(encoding="utf-8"), enum.__name__)
        assert expected
        assert {member.name: member.value for member in enum} == expected  # type: ignore[attr-defined]

    def test_every_kind_goes_there_and_back(self) -> None:
        for kind in Kind:
            head = Head(kind, 10)
            assert head.kind is kind
            assert f"Kind.{kind.name}" in repr(head)
            frame = Toy().decode(toy_frame(kind, 1))
            assert frame.kind is kind
            assert kind.name in repr(frame)

    def test_directions_are_native(self) -> None:
        for direction in Direction:
            [frame] = DUBBO.codec().connection().feed(direction, DUBBO.request(1, 1))
            assert frame.direction is direction
            assert direction.reverse is not direction
            assert direction.reverse.reverse is direction

    def test_native_detection(self) -> None:
        codec = DUBBO.codec()
        assert codec.detect(DUBBO.request(1, 1)) is Detection.YES
        assert codec.detect(DUBBO.garbage) is Detection.NO
        assert codec.detect(b"") is Detection.NEED_MORE
        assert codec.detect(DUBBO.request(1, 1)[:2]) is Detection.NEED_MORE

    def test_native_answers(self) -> None:
        """Each error type reaches the codec as what it is: Dubbo has a status for each."""
        statuses = {
            ErrorType.ROUTE_NOT_FOUND: 60,
            ErrorType.CLUSTER_NOT_FOUND: 60,
            ErrorType.NO_HEALTHY_UPSTREAM: 80,
            ErrorType.BAD_RESPONSE: 50,
            ErrorType.UNSPECIFIED: 80,
            ErrorType.OVER_LIMIT: 100,
            ErrorType.TIMEOUT: 31,
            ErrorType.UPSTREAM_RESET: 80,
            ErrorType.DENIED: 70,
            ErrorType.BAD_REQUEST: 40,
        }
        codec = DUBBO.codec()
        request = codec.decode(DUBBO.request(1, 1))
        replies = {error: codec.reply(request, error, "no") for error in ErrorType}
        assert {error: (reply or b"")[3] for error, reply in replies.items()} == statuses

    def test_what_a_codec_says_of_itself(self) -> None:
        dubbo, thrift = metaprotocol.get_codec("dubbo"), metaprotocol.get_codec("thrift")
        for codec in (dubbo, thrift):
            assert codec.pair_by is PairBy.ID
            assert codec.sharing is Sharing.MULTIPLEXED
            assert codec.first_speaker is FirstSpeaker.CLIENT
            assert codec.summary
            assert codec.open_keys
            assert codec.min_header_len > 0
            assert all(isinstance(key, KeyInfo) and key.about for key in codec.keys)
            assert repr(codec) == f"<metaprotocol codec {codec.name}>"
        assert dubbo.heartbeats
        assert not thrift.heartbeats
        assert {key.name for key in dubbo.keys if key.number} >= {"status", "param_count"}
        assert {key.name for key in thrift.keys if key.writable} >= {"method", "seq_id"}


class TestAbstract:
    def test_native_classes_fulfil_the_contracts(self, dialect: Dialect) -> None:
        codec = dialect.codec()
        assert isinstance(codec, Codec)
        assert isinstance(codec.connection(), Connection)
        assert isinstance(codec.decode(dialect.request(1, 1)).metadata, Mapping)

    def test_native_classes_have_all_that_is_abstract(self) -> None:
        from metaprotocol import _native

        public = {name for name in vars(Codec) if not name.startswith("_")} - {"new_state"}
        assert public <= set(dir(_native.NativeCodec))
        assert Connection.__abstractmethods__ <= set(dir(_native.Connection))

    def test_the_contracts_cannot_be_instantiated(self) -> None:
        for contract in (Codec, Connection):
            with pytest.raises(TypeError, match="abstract"):
                contract()  # type: ignore[abstract]

    def test_all_public_names_exist(self) -> None:
        for name in metaprotocol.__all__:
            assert getattr(metaprotocol, name) is not None
        assert len(set(metaprotocol.__all__)) == len(metaprotocol.__all__)
        assert re.fullmatch(r"\d+\.\d+\.\d+.*", metaprotocol.__version__)


class TestLimits:
    NAMES = ("max_frame_len", "max_header_len", "max_nesting", "max_field_count", "max_in_flight")

    def test_the_defaults_are_the_cores(self) -> None:
        source = (CORE / "limits.rs").read_text(encoding="utf-8")
        [body] = re.findall(r"fn default\(\) -> Self \{\s+Self \{(.*?)\}", source, re.DOTALL)
        expected = {name: int(str(eval(number))) for name, number in re.findall(r"(\w+): ([\d <]+),", body)}
        assert {name: getattr(Limits(), name) for name in self.NAMES} == expected

    @pytest.mark.parametrize("name", NAMES)
    def test_one_at_a_time(self, name: str) -> None:
        limits = Limits(**{name: 77})
        assert getattr(limits, name) == 77
        assert all(getattr(limits, other) == getattr(Limits(), other) for other in self.NAMES if other != name)
        assert limits == Limits(**{name: 77})
        assert limits != Limits()
        assert len({limits, Limits(**{name: 77}), Limits()}) == 2
        assert f"{name}=77" in repr(limits)

    def test_they_cannot_be_changed(self) -> None:
        with pytest.raises(AttributeError):
            Limits().max_nesting = 5  # type: ignore[misc]

    def test_by_name_only(self) -> None:
        with pytest.raises(TypeError):
            Limits(100)  # type: ignore[misc]

    @pytest.mark.parametrize("value", [-1, 1 << 64, "1"])
    def test_wrong_values(self, value: object) -> None:
        with pytest.raises((OverflowError, TypeError)):
            Limits(max_frame_len=value)  # type: ignore[arg-type]


class TestHead:
    def test_what_it_holds(self) -> None:
        head = Head(Kind.REQUEST, 30, header_len=10, request_id=-1, stream_id=5)
        assert (head.kind, head.frame_len, head.header_len, head.stream_id) == (Kind.REQUEST, 30, 10, 5)
        assert head.request_id == (1 << 64) - 1  # signed ids are sign-extended
        assert repr(head) == f"Head(Kind.REQUEST, frame_len=30, header_len=10, request_id={(1 << 64) - 1}, stream_id=5)"
        assert Head(Kind.REQUEST, 1).request_id is None
        assert Head(Kind.REQUEST, 1, request_id=b"id").request_id == b"id"

    @pytest.mark.parametrize(("frame_len", "header_len"), [(0, 0), (3, 4)])
    def test_lengths_must_fit(self, frame_len: int, header_len: int) -> None:
        with pytest.raises(ValueError, match="frame_len"):
            Head(Kind.REQUEST, frame_len, header_len=header_len)

    @pytest.mark.parametrize("request_id", [1 << 64, -(1 << 63) - 1, 1.5, "7"])
    def test_ids_must_fit(self, request_id: object) -> None:
        with pytest.raises(ValueError, match="64 bits"):
            Head(Kind.REQUEST, 1, request_id=request_id)  # type: ignore[arg-type]

    @pytest.mark.parametrize("kind", [10, -1, "request", None])
    def test_kinds_must_exist(self, kind: object) -> None:
        with pytest.raises(ValueError, match="member of Kind"):
            Head(kind, 1)  # type: ignore[arg-type]


class TestNeedMore:
    def test_what_it_holds(self) -> None:
        assert NeedMore().at_least == 1
        assert NeedMore(7) == NeedMore(7) != NeedMore(8)
        assert len({NeedMore(7), NeedMore(7)}) == 1
        assert repr(NeedMore(7)) == "NeedMore(7)"

    def test_a_frame_that_needs_nothing_is_there(self) -> None:
        with pytest.raises(ValueError, match="1 or more"):
            NeedMore(0)


class TestFrame:
    def test_repr_helps(self) -> None:
        text = repr(DUBBO.codec().decode(DUBBO.request(7, 1)))
        for part in ("dubbo REQUEST", "id=7", "bytes at 0", "interface='org.example.Greeter'", "method='sayHello'"):
            assert part in text
        text = repr(THRIFTS[0].codec().decode(THRIFTS[0].request(7, 1)))
        for part in ("thrift REQUEST", "id=7", "method='sayHello'", "transport='framed'"):
            assert part in text
        assert repr(TOY.codec().decode(TOY.request(7, 1))).startswith("<Frame toy REQUEST id=7, ")

    def test_repr_of_a_broken_body(self) -> None:
        frame = DUBBO.codec().decode(DUBBO.request(7, 1)[:12] + b"\0\0\0\x02\x05a")
        assert "malformed: dubbo: at" in repr(frame)
        assert "UnexpectedEnd" not in repr(frame)

    def test_they_cannot_be_made_or_changed(self) -> None:
        with pytest.raises(TypeError):
            metaprotocol.Frame()
        with pytest.raises(AttributeError):
            DUBBO.codec().decode(DUBBO.request(7, 1)).kind = Kind.ERROR  # type: ignore[misc]

    def test_streams(self) -> None:
        frame = Toy().decode(toy_frame(Kind.STREAM_DATA, None, b"", 9))
        assert (frame.stream_id, frame.request_id) == (9, None)
        assert "stream=9" in repr(frame)


def test_every_error_has_one_root() -> None:
    from metaprotocol import errors

    for name in errors.__all__:
        assert issubclass(getattr(errors, name), MetaProtocolError)
        assert name in metaprotocol.__all__
