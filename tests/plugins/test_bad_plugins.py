"""Plugins that break the contract: each is told what it did, and nothing else comes to harm."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from metaprotocol import (
    DecodeError,
    Detection,
    Direction,
    EncodeError,
    ErrorType,
    InvalidCodec,
    LimitExceeded,
    Limits,
    Metadata,
)
from metaprotocol._native import NativeCodec, codec_from_capsule, open_library

Compile = Callable[..., Path]
FRAME = b"\x04xyz"

TABLES = {
    1: "is made for version 7 of the ABI, and this metaprotocol has version 1; build it again with the header",
    2: r"struct_size is 16, and must be sizeof\(metaprotocol_codec\), \d+ or more",
    3: "bad: split is NULL; it is required",
    4: "name is NULL",
    5: "name must be one lower-case word, not \"Bad\"",
    6: 'name must be one word of printable ASCII, not "two words"',
    7: 'name must be one word of printable ASCII, not ""',
    8: 'name must be one word of printable ASCII, not "café"',
    9: "name is longer than 64 bytes, or does not end in NUL",
    10: "bad: summary is not UTF-8",
    11: "bad: pair_by is 4, which the ABI does not define",
    12: "bad: sharing is 3, which the ABI does not define",
    13: "bad: first_speaker is 2, which the ABI does not define",
    14: "bad: key_count is 2, and keys is NULL",
    15: 'bad: the key "one" is there twice',
    16: "bad: key_count is 1000000; at most 4096 keys can be known",
    17: "bad: state_new and state_free go together; one is NULL",
    18: "bad: min_header_len is 2147483647; no header is so long at its shortest",
    19: "bad: there are more than 64 aliases; the list must end in NULL",
    20: "metaprotocol_codecs_v1 returned NULL instead of a list",
    21: "lists no codec",
    22: 'has two codecs called "bad"',
    23: "the address of the codec is NULL or not aligned",
    24: "lists 256 codecs and more; the list must end in NULL",
    25: "bad: the name of a key is NULL",
}


class TestLoading:
    @pytest.mark.parametrize("case", TABLES)
    def test_a_bad_table(self, compiled: Compile, case: int) -> None:
        library = compiled("bad_table.c", f"-DLIST={case}")
        with pytest.raises(InvalidCodec, match=f"^{re.escape(str(library))}: {TABLES[case]}"):
            open_library(library)

    def test_a_library_that_is_no_plugin(self, compiled: Compile) -> None:
        with pytest.raises(InvalidCodec, match="exports no metaprotocol_codecs_v1; it is no plugin of metaprotocol"):
            open_library(compiled("bad_table.c"))

    def test_something_else(self, tmp_path: Path) -> None:
        text = tmp_path / "text.so"
        text.write_text("not a library")
        with pytest.raises(InvalidCodec, match=r"text\.so: is not a library that can be loaded: .*(short|invalid)"):
            open_library(text)
        with pytest.raises(InvalidCodec, match=r"absent\.so: cannot be opened: No such file or directory"):
            open_library(tmp_path / "absent.so")
        with pytest.raises(InvalidCodec, match="is not a file"):
            open_library(str(tmp_path))

    def test_a_library_that_lacks_symbols(self, compiled: Compile, tmp_path: Path) -> None:
        source = tmp_path / "lacking.c"
        source.write_text("extern int absent(void); int here(void) { return absent(); }")
        with pytest.raises(InvalidCodec, match="is not a library that can be loaded: .*undefined symbol: absent"):
            open_library(compiled(source))

    def test_capsules(self) -> None:
        make = ctypes.pythonapi.PyCapsule_New
        make.restype = ctypes.py_object
        make.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        memory = ctypes.create_string_buffer(256)
        other = make(ctypes.addressof(memory), b"another.capsule", None)
        with pytest.raises(InvalidCodec, match=r'a capsule: the capsule must have the name "metaprotocol\.codec\.v1"'):
            codec_from_capsule(other)
        zeros = make(ctypes.addressof(memory), b"metaprotocol.codec.v1", None)
        with pytest.raises(InvalidCodec, match="here:there: is made for version 0 of the ABI"):
            codec_from_capsule(zeros, "here:there")
        with pytest.raises(TypeError):
            codec_from_capsule(object())  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def bad(compiled: Compile) -> dict[str, NativeCodec]:
    """All codecs of `bad_answers.c`, by the mistake each makes."""
    return {codec.name: codec for codec in open_library(compiled("bad_answers.c"))}


def feed(codec: NativeCodec) -> object:
    return codec.connection().feed(Direction.CLIENT_TO_SERVER, FRAME)


def fields(codec: NativeCodec) -> object:
    return codec.fields(codec.decode(FRAME))


def rewrite(codec: NativeCodec) -> object:
    return codec.rewrite(codec.decode(FRAME, limits=Limits(max_frame_len=1 << 20)), set={"type": "q"})


def reply(codec: NativeCodec) -> object:
    return codec.reply(codec.decode(FRAME), ErrorType.TIMEOUT, "x" * 100_000)


MISTAKES = {
    "split_no_result": (feed, "split returned a number that is not in the ABI"),
    "split_need_0": (feed, "split needs 0 more bytes; it must answer with a head or an error"),
    "split_kind": (feed, "split gave a kind that is not in the ABI"),
    "split_frame_len_0": (feed, "split gave a frame that is empty or shorter than its header"),
    "split_header_longer": (feed, "split gave a frame that is empty or shorter than its header"),
    "split_id_outside": (feed, "split gave a request id outside of the frame"),
    "split_id_wraps": (feed, "split gave a request id outside of the frame"),
    "split_id_type": (feed, "split gave a type of request id that is not in the ABI"),
    "error_reason": (feed, "an error has a reason that is not in the ABI"),
    "error_nameless": (feed, "an error lacks its name"),
    "error_beyond": (feed, "an error is said to lie beyond the bytes that were read"),
    "error_limit": (feed, "an error names a limit that there is not"),
    "error_code": (feed, "the code of an error is not snake_case"),
    "error_codeless": (feed, "an error lacks its name"),
    "error_failed": (feed, "out of acorns"),
    "fields_view_outside": (fields, "the view of a field lies outside of the frame"),
    "fields_view_wraps": (fields, "the view of a field lies outside of the frame"),
    "fields_text_null": (fields, "the text of a field is NULL"),
    "fields_type": (fields, "a field has a type that is not in the ABI"),
    "fields_key_null": (fields, "a field lacks its key or its value"),
    "fields_value_null": (fields, "a field lacks its key or its value"),
    "fields_endless": (fields, r"fields goes on beyond Limits\.max_field_count"),
    "fields_never_stops": (fields, r"fields goes on beyond Limits\.max_field_count"),
    "fields_no_result": (fields, "fields returned a number that is not in the ABI"),
    "fields_beyond": (fields, "an error is said to lie beyond the bytes that were read"),
    "rewrite_borrow_outside": (rewrite, "what is borrowed lies outside of the frame"),
    "rewrite_borrow_wraps": (rewrite, "what is borrowed lies outside of the frame"),
    "rewrite_write_null": (rewrite, "what is written is NULL"),
    "rewrite_nothing": (rewrite, "it wrote nothing"),
    "rewrite_no_result": (rewrite, "rewrite returned a number that is not in the ABI"),
    "rewrite_no_edit": (rewrite, "an error names no edit that there is, or lacks its text"),
    "rewrite_textless": (rewrite, "an error names no edit that there is, or lacks its text"),
    "rewrite_kind": (rewrite, "an error has a kind that is not in the ABI"),
    "reply_no_result": (reply, "reply returned a number that is not in the ABI"),
    "reply_nothing": (reply, "it wrote nothing"),
}

OTHERWISE = {
    "fine",
    "nothing_but_split",
    "split_need_all",
    "split_frame_len_max",
    "error_endless",
    "rewrite_endless",
    "rewrite_endless_borrow",
    "rewrite_crumbs",
    "reply_endless",
    "detect_no_result",
}
"""Codecs that have a test of their own."""


class TestAnswers:
    def test_each_mistake_has_its_test(self, bad: dict[str, NativeCodec]) -> None:
        assert bad.keys() == MISTAKES.keys() | OTHERWISE

    @pytest.mark.parametrize("name", MISTAKES)
    def test_it_is_told_what_it_did(self, bad: dict[str, NativeCodec], name: str) -> None:
        ask, what = MISTAKES[name]
        with pytest.raises(InvalidCodec, match=f"^{name}: at offset 0: the codec failed: {what}$"):
            ask(bad[name])

    def test_a_bad_split_poisons(self, bad: dict[str, NativeCodec]) -> None:
        connection = bad["split_kind"].connection()
        for _ in range(2):
            with pytest.raises(InvalidCodec, match="kind that is not in the ABI"):
                connection.feed(Direction.CLIENT_TO_SERVER, FRAME)

    def test_the_one_without_a_mistake(self, bad: dict[str, NativeCodec]) -> None:
        fine = bad["fine"]
        assert fields(fine) == {"type": "x"}
        assert fine.field(fine.decode(FRAME), "type") == "x"
        assert fine.field(fine.decode(FRAME), "other") is None
        assert b"".join(fine.rewrite(fine.decode(FRAME), set={"type": "q"})) == FRAME
        assert reply(fine) == b"\x02x"
        assert fine.detect(b"") is Detection.YES

    def test_what_is_null_is_not_there(self, bad: dict[str, NativeCodec]) -> None:
        codec = bad["nothing_but_split"]
        frame = codec.decode(FRAME)
        assert codec.fields(frame) == {}
        assert codec.field(frame, "type") is None
        assert b"".join(codec.rewrite(frame)) == FRAME
        with pytest.raises(EncodeError, match='"type" cannot be written: this codec does not rewrite frames'):
            codec.rewrite(frame, set={"type": "q"})
        with pytest.raises(EncodeError, match="no reply can be made: this codec makes no replies"):
            codec.reply(frame, ErrorType.TIMEOUT)
        assert codec.detect(b"anything") is Detection.NO

    def test_lengths_that_no_memory_holds(self, bad: dict[str, NativeCodec]) -> None:
        for name in ("split_need_all", "split_frame_len_max"):
            with pytest.raises(LimitExceeded, match=r"raise Limits\.max_frame_len"):
                feed(bad[name])

    def test_a_name_without_end_is_cut(self, bad: dict[str, NativeCodec]) -> None:
        with pytest.raises(DecodeError, match=f": {'x' * 256} is not encoded as the protocol demands"):
            feed(bad["error_endless"])

    def test_frames_without_end(self, bad: dict[str, NativeCodec]) -> None:
        for name in ("rewrite_endless", "rewrite_endless_borrow"):
            with pytest.raises(EncodeError, match=f"the protocol allows {1 << 20}"):
                rewrite(bad[name])
        with pytest.raises(EncodeError, match=f"the protocol allows {Limits().max_frame_len}"):
            reply(bad["reply_endless"])

    def test_a_frame_of_crumbs_is_put_together(self, bad: dict[str, NativeCodec]) -> None:
        segments = rewrite(bad["rewrite_crumbs"])
        assert isinstance(segments, list)
        assert b"".join(segments) == b"x-" * 5000
        assert len(segments) <= 1025

    def test_an_answer_that_is_none(self, bad: dict[str, NativeCodec]) -> None:
        assert bad["detect_no_result"].detect(b"x") is Detection.NO

    def test_walks_that_are_bounded_by_the_limit(self, bad: dict[str, NativeCodec]) -> None:
        frame = bad["fields_endless"].decode(FRAME, limits=Limits(max_field_count=3))
        assert isinstance(frame.metadata, Metadata)
        with pytest.raises(InvalidCodec, match="max_field_count"):
            dict(frame.metadata)
