"""Codecs from YAML: mistakes as exceptions, the layout as JSON, the schema for editors, the reference's examples."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import metaprotocol
from metaprotocol import CodecSpecError, Direction, ErrorType, Kind
from metaprotocol._native import compile_codec, describe_codec

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "src" / "metaprotocol" / "codec.schema.json").read_text(encoding="utf-8"))
DESCRIPTIONS = sorted([*ROOT.glob("codecs/*/*.yaml"), *ROOT.glob("native/spec/tests/descriptions/*.yaml")])
PAGE = (ROOT / "docs" / "reference" / "codec-yaml.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
TEXTS = [path.read_text(encoding="utf-8") for path in DESCRIPTIONS] + EXAMPLES


def refused(text: str) -> list[str]:
    """What the schema says of a description."""
    document = json.loads(json.dumps(yaml.safe_load(text)))
    return [error.message for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(document)]


def test_there_are_descriptions_and_examples() -> None:
    assert len(DESCRIPTIONS) >= 5
    assert len(EXAMPLES) >= 7


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text.splitlines()[1][:40])
def test_descriptions_compile_and_fit_the_schema(text: str) -> None:
    assert compile_codec(text, "example.yaml").name
    assert refused(text) == []


WRONG = [
    "metaprotocol: 2\nname: a\nframe: {fixed: 4}",
    "metaprotocol: 1\nname: A\nframe: {fixed: 4}",
    "metaprotocol: 1\nname: a",
    "metaprotocol: 1\nname: a\nframe: {fixed: 4, body: 1}",
    "metaprotocol: 1\nname: a\nframe: {fixed: 4}\nheadr: []",
    "metaprotocol: 1\nname: a\nframe: {fixed: 4}\nheader: [{name: a, type: u9}]",
    "metaprotocol: 1\nname: a\nframe: {fixed: 4}\nheader: [{name: a, type: u8, konst: 1}]",
    "metaprotocol: 1\nname: a\nframe: {fixed: 4}\nheader: [{type: u8}]",
    "metaprotocol: 1\nname: a\nframe: {fixed: 4}\n"
    "header: [{name: a, type: u32, checksum: {algorithm: crc33, over: frame}}]",
    "metaprotocol: 1\nname: a\nframe: {fixed: 4}\nkind: reqest",
    "metaprotocol: 1\nname: a\nframe: {fixed: 4}\nkind: [{when: 1}]",
    "metaprotocol: 1\nname: a\nframe: {fixed: 4}\npair_by: ids",
    "metaprotocol: 1\nname: a\nframe: {fixed: 4}\nreply: {error: {codes: {no_route: 1}}}",
    "metaprotocol: 1\nname: a\nframe: {fixed: 4}\n"
    "header: [{name: a, type: u8}]\nmetadata: {a: {value: a, wirte: true}}",
    "metaprotocol: 1\nname: a\nframe: {fixed: 4}\ndetect: maybe",
]


@pytest.mark.parametrize("text", WRONG)
def test_the_schema_refuses_what_the_compiler_refuses(text: str) -> None:
    with pytest.raises(CodecSpecError):
        compile_codec(text, "wrong.yaml")
    assert refused(text)


class TestMistakes:
    TEXT = "metaprotocol: 1\nname: qza\nheader:\n  - {name: extend_len, type: u8}\n"
    TEXT += "  - {name: extend_str, type: bytes, len: extnd_len}\nframe: {body: 0}\nsharing: all\n"

    def error(self) -> CodecSpecError:
        with pytest.raises(CodecSpecError) as caught:
            compile_codec(self.TEXT, "codecs/qza.yaml?a=1")
        return caught.value

    def test_all_is_told(self) -> None:
        with pytest.raises(CodecSpecError) as caught:
            compile_codec(self.TEXT, "codecs/qza.yaml")
        error = caught.value
        assert str(error) == (
            'codecs/qza.yaml:5:42: header.extend_str.len: unknown field "extnd_len"; did you mean "extend_len"?'
        )
        assert (error.path, error.line, error.column) == ("codecs/qza.yaml", 5, 42)
        assert (error.field, error.reason) == ("header.extend_str.len", 'unknown field "extnd_len"')
        assert error.fix == 'did you mean "extend_len"?'
        assert [other.field for other in error.others] == ["sharing"]

    def test_parameters_stay_out_of_the_path(self) -> None:
        assert self.error().path == "codecs/qza.yaml"

    def test_it_travels(self) -> None:
        error = self.error()
        other = pickle.loads(pickle.dumps(error))
        assert str(other) == str(error)
        assert [str(one) for one in other.others] == [str(one) for one in error.others]

    def test_describe_raises_the_same(self) -> None:
        with pytest.raises(CodecSpecError, match="extnd_len"):
            describe_codec(self.TEXT, "codecs/qza.yaml")


def described(name: str, parameters: str = "") -> dict[str, Any]:
    path = ROOT / "codecs" / name / f"{name}.yaml"
    return dict(json.loads(describe_codec(path.read_text(encoding="utf-8"), str(path) + parameters)))


class TestDescribe:
    def fields(self, told: dict[str, Any]) -> Iterator[tuple[str, int, int]]:
        return ((field["name"], field["offset"], field["width"]) for field in told["fields"] if "width" in field)

    def test_qza(self) -> None:
        told = described("qza")
        offsets = {name: (offset, width) for name, offset, width in self.fields(told)}
        # As the wire format is published.
        assert offsets["pack_flow"] == (1, 4)
        assert offsets["reserved1"] == (21, 23)
        assert offsets["client_uin"] == (74, 4)
        assert offsets["extend_len"] == (105, 1)
        [extension] = [field for field in told["fields"] if field["name"] == "extend_str"]
        assert (extension["offset"], extension["length"]) == (106, "extend_len + 256 * extend_len_hi")
        assert told["frame"] == {"length": "pack_len + 65536 * pack_len_high"}
        assert told["max_frame_len"] == 16 << 20
        assert told["least_header_len"] == 106
        assert [rule["is"] for rule in told["kinds"]] == ["request", "error", "response"]
        assert [key["name"] for key in told["keys"]] == [key.name for key in metaprotocol.get_codec("qza").keys]
        assert told["replies"]["error"][0]["codes"]["route_not_found"] == 50
        assert told["detect"] == "never"
        assert told["fast"]

    def test_zork(self) -> None:
        told = described("zork")
        assert told["header_len"] == 7
        assert told["needs_whole_frame"]
        by_name = {field["name"]: field for field in told["fields"]}
        assert by_name["end"]["region"] == "trailer"
        assert by_name["end"]["notes"] == ["always 0x7d"]
        assert by_name["compressed"]["bits"] == {"low": 1, "count": 1}

    def test_parameters(self) -> None:
        assert described("awesomerpc")["header_len"] == 13
        assert described("awesomerpc", "?length_width=2")["header_len"] == 11


def test_a_description_is_a_codec_like_any_other() -> None:
    codec = compile_codec(EXAMPLES[0], "acorn.yaml")
    question = b"AC\x01\0\0\0\x07\x07weather\0\0\0\x05Oslo?"
    [frame] = codec.connection().feed(Direction.CLIENT_TO_SERVER, question)
    assert (frame.kind, frame.request_id, dict(frame.metadata)) == (Kind.REQUEST, 7, {"topic": "weather"})
    edited = b"".join(map(bytes, codec.rewrite(frame, set={"topic": "sea"}, request_id=9)))
    assert edited == b"AC\x01\0\0\0\x09\x03sea\0\0\0\x05Oslo?"
    answer = codec.reply(frame, ErrorType.TIMEOUT, "late")
    assert answer == b"AC\x03\0\0\0\x07\0\0\0\0\x04late"


def test_an_id_alone_is_patched_in_place() -> None:
    codec = metaprotocol.get_codec("qza")
    data = bytes(5) + (200).to_bytes(2, "big") + bytes(193)
    [frame] = codec.connection().feed(Direction.CLIENT_TO_SERVER, data)
    parts = codec.rewrite(frame, request_id=0x01020304)
    assert [len(memoryview(part)) for part in parts] == [1, 4, 195]


def test_the_error_reply_of_the_published_example() -> None:
    request = (ROOT / "codecs" / "qza" / "vectors" / "001-request.bin").read_bytes()
    refusal = (ROOT / "codecs" / "qza" / "vectors" / "003-error-reply.bin").read_bytes()
    codec = metaprotocol.get_codec("qza")
    assert codec.reply(codec.decode(request), ErrorType.ROUTE_NOT_FOUND) == refusal
    request = (ROOT / "codecs" / "awesomerpc" / "vectors" / "001-request.bin").read_bytes()
    refusal = (ROOT / "codecs" / "awesomerpc" / "vectors" / "002-error-reply.bin").read_bytes()
    codec = metaprotocol.get_codec("awesomerpc")
    assert codec.reply(codec.decode(request), ErrorType.OVER_LIMIT) == refusal
