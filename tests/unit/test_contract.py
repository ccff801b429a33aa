"""What is no codec is told before any byte comes, with what to change."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from kit.toy import Toy, toy_frame

from metaprotocol import (
    Codec,
    Direction,
    FirstSpeaker,
    Head,
    InvalidCodec,
    KeyInfo,
    Kind,
    PairBy,
    Sharing,
    list_codecs,
    load_codec,
    register_codec,
)
from metaprotocol._contract import check


def made(**changes: Any) -> type[Codec]:
    def start(self: Toy) -> None:
        self.splits = self.bytes_shown = self.fields_calls = 0

    return type("Mine", (Toy,), {"__init__": start, "name": "mine", "aliases": (), **changes})


ATTRIBUTES: list[tuple[dict[str, Any], str]] = [
    ({"aliases": "mein"}, "aliases must be a tuple of names; write ('mein',) for 'mein'"),
    ({"aliases": ("a b",)}, "aliases must be a tuple of names, each one word"),
    ({"aliases": (7,)}, "aliases must be a tuple of names"),
    ({"aliases": {"a"}}, "aliases must be a tuple of names"),
    ({"summary": None}, "summary must be a str of one line, not None"),
    ({"pair_by": 0}, "pair_by must be a member of metaprotocol.PairBy, not 0"),
    ({"pair_by": "id"}, "pair_by must be a member of metaprotocol.PairBy, not 'id'"),
    ({"sharing": PairBy.ID}, "sharing must be a member of metaprotocol.Sharing"),
    ({"first_speaker": Direction.CLIENT_TO_SERVER}, "first_speaker must be a member of metaprotocol.FirstSpeaker"),
    ({"heartbeats": 1}, "heartbeats must be True or False, not 1"),
    ({"open_keys": "yes"}, "open_keys must be True or False, not 'yes'"),
    ({"min_header_len": 0}, "min_header_len must be a number of bytes from 1"),
    ({"min_header_len": True}, "min_header_len must be a number of bytes from 1"),
    ({"min_header_len": 1 << 32}, "min_header_len must be a number of bytes from 1"),
    ({"min_header_len": "12"}, "min_header_len must be a number of bytes from 1"),
    ({"keys": "method"}, "keys must be a tuple of metaprotocol.KeyInfo, not 'method'"),
    ({"keys": KeyInfo("method", "what")}, "keys must hold KeyInfo(name, about, writable=…, number=…) only"),
    ({"keys": ("method",)}, "'method' is something else"),
    ({"keys": (("method", "what"),)}, "('method', 'what') is something else"),
    ({"keys": (KeyInfo("method", None),)}, "is something else"),  # type: ignore[arg-type]
    ({"keys": (KeyInfo("", "what"),)}, "is something else"),
    ({"keys": (KeyInfo("a", "1"), KeyInfo("b", "2"), KeyInfo("a", "3"))}, "keys has 'a' twice; leave one out"),
]


@pytest.mark.parametrize(("changes", "message"), ATTRIBUTES, ids=lambda each: str(each)[:40])
def test_attributes(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidCodec) as caught:
        register_codec(made(**changes))
    assert message in str(caught.value)
    assert "mine" not in list_codecs()


def test_attributes_as_they_should_be() -> None:
    codec = check(
        made(
            aliases=["m", "Example.Mine"],
            pair_by=PairBy.ORDER,
            sharing=Sharing.PIPELINED,
            first_speaker=FirstSpeaker.SERVER,
            min_header_len=(1 << 32) - 1,
            keys=[KeyInfo("a", "")],
        ),
        "here",
    )
    assert codec.name == "mine"


class TestVerbs:
    def refuse(self, verb: str, method: Any, *parts: str) -> None:
        with pytest.raises(InvalidCodec) as caught:
            register_codec(made(**{verb: method}))
        for part in parts:
            assert part in str(caught.value)

    @pytest.mark.parametrize("missing", ["direction", "limits", "state"])
    def test_split_lacks_a_keyword(self, missing: str) -> None:
        keywords = ", ".join(f"{word}=None" for word in ("direction", "limits", "state") if word != missing)
        method = eval(f"lambda self, buffer, *, {keywords}: None")
        self.refuse(
            "split",
            method,
            f"cannot be called as it will be: got an unexpected keyword argument '{missing}'",
            "write def split(self, buffer, *, direction=0, limits=None, state=None)",
        )

    def test_split_without_defaults(self) -> None:
        def split(self: Any, buffer: Any, *, direction: int, limits: Any, state: Any) -> Head:
            raise NotImplementedError

        self.refuse("split", split, "missing a required", "direction=0, limits=None, state=None")

    def test_others(self) -> None:
        self.refuse("fields", lambda self: {}, "too many positional", "write def fields(self, frame)")
        self.refuse("field", lambda self, frame: None, "too many positional", "write def field(self, frame, key)")
        self.refuse(
            "rewrite",
            lambda self, frame, *, set=None, remove=None: [],  # noqa: A006 -- the verb's word
            "request_id",
            "write def rewrite(self, frame, *, set=None, remove=None, request_id=None)",
        )
        self.refuse("rewrite", lambda self, frame, set, **_: [], "missing a required argument: 'set'")  # noqa: A006
        self.refuse("reply", lambda self, request: b"", "write def reply(self, request, error=None, message='')")
        self.refuse("reply", lambda self, request, kind=None, message="": b"", "unexpected keyword argument 'error'")
        self.refuse("detect", lambda self, prefix: None, "write def detect(self, prefix, *, direction=0)")
        self.refuse("new_state", lambda self, connection: None, "write def new_state(self)")

    def test_what_takes_anything_is_fine(self) -> None:
        def anything(*arguments: Any, **keywords: Any) -> Any:
            return None

        for verb in ("split", "fields", "field", "rewrite", "reply", "detect", "new_state", "connection", "decode"):
            check(made(**{verb: anything}), "here")
        check(made(split=staticmethod(anything)), "here")
        check(made(split=classmethod(anything)), "here")

    def test_what_cannot_be_awaited(self) -> None:
        async def split(self: Any, buffer: Any, *, direction: int = 0, limits: Any = None, state: Any = None) -> None:
            raise NotImplementedError

        self.refuse("split", split, "split must be a plain method; codecs do no I/O")

    def test_what_is_no_method(self) -> None:
        self.refuse("fields", {"a": 1}, "fields is {'a': 1}, not a method; write def fields(self, frame)")

    def test_what_the_instance_has(self) -> None:
        codec = Toy()
        codec.detect = lambda prefix: None  # type: ignore[assignment,method-assign]
        with pytest.raises(InvalidCodec, match="detect"):
            check(codec, "here")


def test_a_class_that_fails_keeps_its_error() -> None:
    def start(self: object) -> None:
        raise LookupError("no luck")

    with pytest.raises(InvalidCodec, match=r"Mine\(\) failed: LookupError: no luck") as caught:
        register_codec(made(__init__=start))
    assert isinstance(caught.value.__cause__, LookupError)


def test_sources_are_checked_alike() -> None:
    module = sys.modules[__name__]
    module.Wrong = made(aliases="mein")  # type: ignore[attr-defined]
    sys.modules["contract_of_a_source"] = module
    try:
        with pytest.raises(InvalidCodec, match=r"^contract_of_a_source:Wrong: aliases must be"):
            load_codec("contract_of_a_source:Wrong")
    finally:
        del sys.modules["contract_of_a_source"]


class TestConnections:
    """An exception of a codec in a connection is the caller's to see; nothing else is hurt."""

    def test_it_comes_as_it_is_and_poisons_its_direction_alone(self) -> None:
        class Failing(Toy):
            def split(self, buffer: Any, **rest: Any) -> Any:
                if bytes(buffer[-2:]) == b"!!":
                    raise LookupError("a bug")
                return super().split(buffer)

        codec = Failing()
        connection, other = codec.connection(), codec.connection()
        good, bad = toy_frame(Kind.REQUEST, 1), toy_frame(Kind.REQUEST, 2, b"!!")
        [asked] = connection.feed(0, good)
        with pytest.raises(LookupError, match="a bug") as caught:
            connection.feed(0, bad)
        names = []
        traceback = caught.value.__traceback__
        while traceback is not None:
            names.append((traceback.tb_frame.f_code.co_filename, traceback.tb_frame.f_code.co_name))
            traceback = traceback.tb_next
        assert names[-1] == (__file__, "split")
        with pytest.raises(LookupError, match="a bug"):
            connection.feed(0, good)
        with pytest.raises(LookupError, match="a bug"):
            connection.eof(0)
        [answered] = connection.feed(1, toy_frame(Kind.RESPONSE, 1))
        assert connection.pair(answered) is asked
        assert len(other.feed(0, good)) == 1

    @pytest.mark.parametrize("verb", ["fields", "rewrite", "reply", "detect"])
    def test_other_verbs_hurt_nothing(self, verb: str) -> None:
        def fail(*_: Any, **__: Any) -> Any:
            raise LookupError("a bug")

        codec = check(made(**{verb: fail}), "here")
        connection = codec.connection()
        [frame] = connection.feed(0, toy_frame(Kind.REQUEST, 1))
        act = {
            "fields": lambda: dict(frame.metadata),
            "rewrite": lambda: codec.rewrite(frame, request_id=2),
            "reply": lambda: codec.reply(frame),
            "detect": lambda: codec.detect(b"T"),
        }[verb]
        with pytest.raises(LookupError, match="a bug"):
            act()
        assert len(connection.feed(0, toy_frame(Kind.REQUEST, 2))) == 1
