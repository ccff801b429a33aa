"""Codecs by name."""

from __future__ import annotations

import pickle
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from kit.toy import Toy

import metaprotocol
from metaprotocol import Codec, InvalidCodec, PairBy, UnknownCodec, _registry, get_codec, list_codecs, register_codec

BUILT_IN = [
    "awesomerpc",
    "brpc",
    "dubbo",
    "hulu",
    "kafka",
    "nova",
    "public",
    "qza",
    "redis",
    "sofa",
    "thrift",
    "trpc",
    "videopacket",
    "zork",
]
"""Ours; videopacket comes by the entry point of our own wheel."""


@pytest.fixture(autouse=True)
def _same_registry_after() -> Iterator[None]:
    codecs, aliases = dict(_registry._codecs), dict(_registry._aliases)
    yield
    for table, before in ((_registry._codecs, codecs), (_registry._aliases, aliases)):
        table.clear()
        table.update(before)  # type: ignore[arg-type]


class TestLookUp:
    @pytest.mark.parametrize("name", BUILT_IN)
    def test_by_name_and_alias_in_any_case(self, name: str) -> None:
        codec = get_codec(name)
        assert codec.name == name
        for spelling in (name, name.upper(), name.title(), *codec.aliases):
            assert get_codec(spelling) is codec
        assert f"aeraki.meta_protocol.codec.{name}" in codec.aliases

    def test_all_are_listed(self) -> None:
        assert list_codecs() == BUILT_IN

    @pytest.mark.parametrize(
        ("wrong", "near"), [("duboo", "dubbo"), ("Dubbo2", "dubbo"), ("thrft", "thrift"), ("thrift_", "thrift")]
    )
    def test_near_names(self, wrong: str, near: str) -> None:
        with pytest.raises(UnknownCodec) as caught:
            get_codec(wrong)
        error = caught.value
        assert error.name == wrong
        assert near in error.near
        assert f"no codec is called {wrong!r}; did you mean" in str(error)
        assert "list_codecs()" in str(error)
        assert isinstance(error, LookupError)

    def test_nothing_is_near(self) -> None:
        with pytest.raises(UnknownCodec) as caught:
            get_codec("xyzzy")
        assert caught.value.near == ()
        assert "did you mean" not in str(caught.value)

    @pytest.mark.parametrize("name", BUILT_IN)
    def test_codecs_travel_by_name(self, name: str) -> None:
        assert pickle.loads(pickle.dumps(get_codec(name))) is get_codec(name)


class TestRegister:
    def test_a_class(self) -> None:
        assert register_codec(Toy) is Toy
        assert isinstance(get_codec("toy"), Toy)
        assert get_codec("toy") is get_codec("TOY") is get_codec("example.toy")
        assert list_codecs() == sorted([*BUILT_IN, "toy"])

    def test_an_instance(self) -> None:
        codec = Toy(PairBy.ORDER)
        assert register_codec(codec) is codec
        assert get_codec("toy") is codec

    def test_a_decorator_with_and_without_arguments(self) -> None:
        @register_codec
        class One(Toy):
            name = "one"
            aliases = ()

        @register_codec(replace=True)
        class Another(Toy):
            name = "one"
            aliases = ()

        assert isinstance(get_codec("one"), Another)
        assert not isinstance(get_codec("one"), One)

    def test_a_taken_name(self) -> None:
        register_codec(Toy)
        with pytest.raises(InvalidCodec, match="'toy' exists; pass replace=True"):
            register_codec(Toy)
        codec = Toy()
        register_codec(codec, replace=True)
        assert get_codec("toy") is codec

    def test_a_taken_alias(self) -> None:
        class Thief(Toy):
            name = "thief"
            aliases = ("dubbo",)

        with pytest.raises(InvalidCodec, match="'dubbo' exists"):
            register_codec(Thief)
        assert get_codec("dubbo").name == "dubbo"
        assert "thief" not in list_codecs()

    def test_a_name_that_is_anothers_alias(self) -> None:
        class Thief(Toy):
            name = "aeraki.meta_protocol.codec.dubbo"
            aliases = ()

        with pytest.raises(InvalidCodec, match="exists"):
            register_codec(Thief)

    def test_a_replacement_takes_over_the_name_for_good(self) -> None:
        class Mine(Toy):
            name = "aeraki.meta_protocol.codec.dubbo"
            aliases = ()

        register_codec(Mine, replace=True)
        assert isinstance(get_codec("aeraki.meta_protocol.codec.dubbo"), Mine)
        assert get_codec("dubbo").name == "dubbo"

    def test_aliases_are_found_in_any_case(self) -> None:
        class Mixed(Toy):
            name = "mixed"
            aliases = ("Example.Mixed",)

        register_codec(Mixed)
        for spelling in ("Example.Mixed", "example.mixed", "EXAMPLE.MIXED"):
            assert get_codec(spelling).name == "mixed"

    @pytest.mark.parametrize("name", ["", "Toy", "two words", "tab\t", None, 7])
    def test_names_are_one_lower_case_word(self, name: object) -> None:
        wrong = type("Wrong", (Toy,), {"name": name})
        with pytest.raises(InvalidCodec, match="one lower-case word"):
            register_codec(wrong)

    def test_a_class_without_a_name(self) -> None:
        class Nameless(Codec):
            def split(self, buffer: object, **_: object) -> metaprotocol.NeedMore:  # type: ignore[override]
                return metaprotocol.NeedMore()

        with pytest.raises(InvalidCodec, match="one lower-case word"):
            register_codec(Nameless)

    def test_a_class_without_split(self) -> None:
        class Unfinished(Codec):
            name = "unfinished"

        with pytest.raises(InvalidCodec, match="Unfinished must implement split"):
            register_codec(Unfinished)

    @pytest.mark.parametrize("candidate", [7, "dubbo", object(), int])
    def test_things_that_are_no_codec(self, candidate: object) -> None:
        with pytest.raises(InvalidCodec, match=r"not a metaprotocol\.Codec"):
            register_codec(candidate)  # type: ignore[call-overload]
        with pytest.raises(TypeError):
            register_codec(candidate)  # type: ignore[call-overload]

    def test_a_native_codec_can_be_registered_again(self) -> None:
        assert register_codec(get_codec("dubbo"), replace=True) is get_codec("dubbo")


PACKAGE = """
import metaprotocol
from kit.toy import Toy

loads = []


class Offered(Toy):
    name = "offered"
    aliases = ("example.offered",)

    def __init__(self):
        super().__init__()
        loads.append(1)


class Thief(Toy):
    name = "thief"
    aliases = ("Example.Toy",)


not_a_codec = 7
"""


class TestEntryPoints:
    @pytest.fixture(autouse=True)
    def installed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """A package that offers codecs, as pip would install it."""
        (tmp_path / "offering_package.py").write_text(PACKAGE, encoding="utf-8")
        info = tmp_path / "offering-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: offering\nVersion: 1.0\n", encoding="utf-8")
        (info / "entry_points.txt").write_text(
            "[metaprotocol.codecs]\n"
            "offered = offering_package:Offered\n"
            "broken = offering_package:not_a_codec\n"
            "absent = offering_package:absent\n"
            "disguised = offering_package:Offered\n"
            "thief = offering_package:Thief\n"
            "unimportable = no_such_package:Codec\n"
            "dubbo = offering_package:Offered\n",
            encoding="utf-8",
        )
        monkeypatch.syspath_prepend(tmp_path)
        yield
        sys.modules.pop("offering_package", None)

    def test_they_are_listed_without_being_loaded(self) -> None:
        assert set(list_codecs()) >= {*BUILT_IN, "offered"}
        assert "offering_package" not in sys.modules

    def test_they_are_loaded_when_asked_for(self) -> None:
        codec = get_codec("offered")
        assert codec.name == "offered"
        assert get_codec("OFFERED") is get_codec("example.offered") is codec
        assert list_codecs().count("offered") == 1

    def test_near_names_know_them(self) -> None:
        with pytest.raises(UnknownCodec) as caught:
            get_codec("offerd")
        assert "offered" in caught.value.near

    def test_built_in_codecs_win(self) -> None:
        assert type(get_codec("dubbo")).__name__ == "NativeCodec"

    def test_something_else(self) -> None:
        with pytest.raises(InvalidCodec, match=r"entry point broken = offering_package:not_a_codec is 7"):
            get_codec("broken")

    def test_nothing_there(self) -> None:
        with pytest.raises(InvalidCodec, match=r"absent = offering_package:absent cannot be loaded: .*absent"):
            get_codec("absent")

    def test_a_package_that_is_broken(self) -> None:
        with pytest.raises(
            InvalidCodec, match="cannot be loaded: ModuleNotFoundError: No module named 'no_such_package'"
        ):
            get_codec("unimportable")

    def test_another_name_than_its_own(self) -> None:
        """It cannot take the place of another codec unasked."""
        with pytest.raises(InvalidCodec, match="called 'offered'; the entry point must have the same name"):
            get_codec("disguised")

    def test_anothers_alias(self) -> None:
        register_codec(Toy)  # has the alias example.toy
        with pytest.raises(InvalidCodec, match=r"another codec is called 'example\.toy' already"):
            get_codec("thief")
        assert get_codec("example.toy").name == "toy"

    def test_threads_get_the_same_one(self) -> None:
        start = threading.Barrier(16)
        got = []

        def ask() -> None:
            start.wait()
            got.append(get_codec("offered"))

        threads = [threading.Thread(target=ask) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(got) == 16
        assert len(set(map(id, got))) == 1
        assert len(sys.modules["offering_package"].loads) == 1
