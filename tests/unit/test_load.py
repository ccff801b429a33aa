"""Codecs from where they are."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from kit import toy
from kit.toy import Toy, toy_frame

import metaprotocol
from metaprotocol import Codec, InvalidCodec, Kind, _contract, _load, get_codec, list_codecs, load_codec

FILE = """
import dataclasses
import metaprotocol

@dataclasses.dataclass
class Note:
    text: str

class Lines(metaprotocol.Codec):
    name = "lines"
    note = Note("looks its module up")

    def split(self, buffer, *, direction=0, limits=None, state=None):
        end = bytes(buffer).find(b"\\n")
        return metaprotocol.NeedMore() if end < 0 else metaprotocol.Head(metaprotocol.Kind.ONEWAY, end + 1)

class Holder:
    lines = Lines()

NUMBER = 7
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "some codecs.py"
    path.write_text(FILE, encoding="utf-8")
    return path


class TestModules:
    def test_a_class_an_instance_and_what_is_within(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loaded = load_codec("kit.toy:Toy")
        assert isinstance(loaded, toy.Toy)
        instance = Toy()
        monkeypatch.setattr(toy, "INSTANCE", instance, raising=False)
        assert load_codec("kit.toy:INSTANCE") is instance
        assert "toy" not in list_codecs()

    def test_a_native_codec(self) -> None:
        module = ModuleType("some_native_codecs")
        module.dubbo = get_codec("dubbo")  # type: ignore[attr-defined]
        sys.modules[module.__name__] = module
        try:
            assert load_codec("some_native_codecs:dubbo") is get_codec("dubbo")
        finally:
            del sys.modules[module.__name__]

    def test_no_such_module(self) -> None:
        with pytest.raises(
            InvalidCodec, match=r"no_such\.thing:X: the module cannot be imported: .*path/no_such/thing"
        ):
            load_codec("no_such.thing:X")

    def test_a_module_that_lacks_another(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The hint is about the module named, not about one that it imports."""
        (tmp_path / "lacking_codec.py").write_text("import no_such_dependency\n", encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        with pytest.raises(InvalidCodec, match=r"No module named 'no_such_dependency'$") as caught:
            load_codec("lacking_codec:Codec")
        assert isinstance(caught.value.__cause__, ModuleNotFoundError)


class TestFiles:
    @pytest.mark.parametrize("attribute", ["Lines", "Holder.lines"])
    def test_a_class_or_an_instance(self, file: Path, attribute: str) -> None:
        codec = load_codec(f"{file}:{attribute}")
        assert codec.name == "lines"
        assert [bytes(frame) for frame in codec.connection().feed(0, b"one\ntwo\n")] == [b"one\n", b"two\n"]

    def test_it_runs_anew_each_time(self, file: Path) -> None:
        before = load_codec(f"{file}:Lines")
        file.write_text(FILE.replace('"lines"', '"others"'), encoding="utf-8")
        assert load_codec(f"{file}:Lines").name == "others"
        assert before.name == "lines"

    def test_a_relative_path(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(file.parent)
        assert load_codec("some codecs.py:Lines").name == "lines"

    def test_its_own_error_is_the_cause(self, file: Path) -> None:
        load_codec(f"{file}:Lines")
        before = sys.modules[str(file)]
        file.write_text("def start():\n    raise LookupError('no luck')\n\nstart()\n", encoding="utf-8")
        with pytest.raises(InvalidCodec, match="the file failed: LookupError: no luck") as caught:
            load_codec(f"{file}:Lines")
        cause = caught.value.__cause__
        assert isinstance(cause, LookupError)
        traceback = cause.__traceback__
        while traceback is not None and traceback.tb_next is not None:
            traceback = traceback.tb_next
        assert traceback is not None
        assert (traceback.tb_frame.f_code.co_filename, traceback.tb_lineno) == (str(file), 2)
        assert sys.modules[str(file)] is before

    def test_what_stops_a_program_is_no_error_of_the_codec(self, tmp_path: Path) -> None:
        source = tmp_path / "stopping.py"
        source.write_text("raise KeyboardInterrupt\n", encoding="utf-8")
        with pytest.raises(KeyboardInterrupt):
            load_codec(f"{source}:Any")
        assert str(source) not in sys.modules

    def test_a_class_that_cannot_be_made(self, tmp_path: Path) -> None:
        source = tmp_path / "demanding.py"
        source.write_text(
            FILE + "\nclass Demanding(Lines):\n    def __init__(self, port):\n        pass\n", encoding="utf-8"
        )
        with pytest.raises(InvalidCodec, match=r"Demanding\(\) failed: TypeError: .*takes no arguments") as caught:
            load_codec(f"{source}:Demanding")
        assert isinstance(caught.value.__cause__, TypeError)

    @pytest.mark.parametrize(
        ("attribute", "message"),
        [
            (":Absent", "the module has no 'Absent'; its codecs are: Lines"),
            (":NUMBER", "is 7, not a metaprotocol.Codec"),
            (":Holder", "not a metaprotocol.Codec"),
            ("", "say which class of the file is the codec: "),
        ],
    )
    def test_what_is_no_codec(self, file: Path, attribute: str, message: str) -> None:
        with pytest.raises(InvalidCodec) as caught:
            load_codec(f"{file}{attribute}")
        assert message in str(caught.value)
        assert str(caught.value).startswith(f"{file}{attribute}")


class TestNative:
    """Which part of the native module is asked for what; the parts have tests of their own."""

    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
        calls: list[tuple[Any, ...]] = []

        class Native:
            @staticmethod
            def compile_codec(text: str, path: str) -> Codec:
                calls.append(("compile", text, path))
                return get_codec("dubbo")

            @staticmethod
            def open_library(path: str) -> list[Codec]:
                calls.append(("open", path))
                return {"one": [get_codec("dubbo")], "two": [get_codec("dubbo"), get_codec("thrift")]}.get(
                    Path(path).stem, []
                )

            @staticmethod
            def codec_from_capsule(capsule: object, source: str | None = None) -> Codec:
                calls.append(("capsule", type(capsule).__name__, source))
                return get_codec("thrift")

        monkeypatch.setattr(_load, "_native", Native)
        monkeypatch.setattr(_contract, "_native", Native)
        return calls

    @pytest.mark.parametrize("suffix", ["yaml", "yml"])
    def test_descriptions(self, asked: list[tuple[Any, ...]], tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"codec.{suffix}"
        path.write_text("name: größer\n", encoding="utf-8")
        assert load_codec(path) is get_codec("dubbo")
        assert load_codec(str(path)) is get_codec("dubbo")
        assert asked == [("compile", "name: größer\n", str(path))] * 2

    def test_descriptions_that_cannot_be_read(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidCodec, match=r"absent\.yaml: cannot be read: No such file"):
            load_codec(tmp_path / "absent.yaml")
        (tmp_path / "bytes.yaml").write_bytes(b"\xff\xff")
        with pytest.raises(InvalidCodec, match=r"bytes\.yaml: cannot be read: UnicodeDecodeError"):
            load_codec(tmp_path / "bytes.yaml")

    def test_libraries(self, asked: list[tuple[Any, ...]], tmp_path: Path) -> None:
        one, two, none = (tmp_path / f"{stem}.so" for stem in ("one", "two", "none"))
        for path in (one, two, none):
            path.touch()
        assert load_codec(one) is get_codec("dubbo")
        assert load_codec(f"{one}:dubbo") is get_codec("dubbo")
        assert load_codec(f"{two}:thrift") is get_codec("thrift")
        assert load_codec(f"{two}:aeraki.meta_protocol.codec.thrift") is get_codec("thrift")
        assert asked[0] == ("open", str(one))
        with pytest.raises(InvalidCodec, match=f"it holds 2 codecs; say which: {two}:dubbo, {two}:thrift"):
            load_codec(two)
        with pytest.raises(InvalidCodec, match=f"it has no codec 'other': {one}:dubbo"):
            load_codec(f"{one}:other")
        with pytest.raises(InvalidCodec, match="it holds 0 codecs"):
            load_codec(none)

    def test_capsules(self, asked: list[tuple[Any, ...]]) -> None:
        assert load_codec("datetime:datetime_CAPI") is get_codec("thrift")
        assert asked == [("capsule", "PyCapsule", "datetime:datetime_CAPI")]


@pytest.mark.parametrize("source", ["", "dubbo", ":", "module:", ":Class", "file.txt", "a b"])
def test_what_is_no_source(source: str) -> None:
    with pytest.raises(InvalidCodec, match=r"is not where a codec could be; give codec\.yaml .* file"):
        load_codec(source)


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("dubbo", False),
        ("aeraki.meta_protocol.codec.dubbo", False),
        ("module:Class", True),
        ("./codec", True),
        ("codec.yaml", True),
        ("codec.yml", True),
        ("lib.so", True),
        ("codec.py", True),
    ],
)
def test_names_and_sources_are_told_apart(text: str, source: bool) -> None:
    assert _load.is_source(text) is source


def test_what_is_loaded_can_be_registered() -> None:
    metaprotocol.register_codec(load_codec("kit.toy:Toy"))
    [frame] = get_codec("toy").connection().feed(0, toy_frame(Kind.REQUEST, 1))
    assert frame.codec is get_codec("toy")
