"""Metadata: a lazy, read-only mapping."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from kit.dialects import BRIDGED, DUBBO, THRIFTS, TOY, Dialect, dubbo_body, dubbo_frame, hessian_string
from kit.toy import Toy
from kit.vectors import CODECS

from metaprotocol import DecodeError, Direction, LimitExceeded, Limits, Metadata

RESPONSES = Direction.SERVER_TO_CLIENT


class TestMapping:
    def test_it_is_one(self, dialect: Dialect) -> None:
        metadata = dialect.codec().decode(dialect.request(7, 10)).metadata
        assert isinstance(metadata, Metadata)
        assert isinstance(metadata, Mapping)
        assert metadata["method"] == metadata.get("method") == "sayHello"
        assert "method" in metadata
        whole = dict(metadata)
        assert len(metadata) == len(whole) > 0
        assert list(metadata) == list(metadata.keys()) == list(whole)
        assert list(metadata.values()) == list(whole.values())
        assert list(metadata.items()) == list(whole.items())
        assert {**metadata} == whole
        assert all(isinstance(key, str) and isinstance(value, str | int) for key, value in metadata.items())
        assert repr(metadata) == f"Metadata({whole!r})"

    def test_what_is_absent(self, dialect: Dialect) -> None:
        metadata = dialect.codec().decode(dialect.request(7, 10)).metadata
        assert "absent" not in metadata
        assert metadata.get("absent") is None
        assert metadata.get("absent", "default") == "default"
        assert metadata.get("absent", default=5) == 5
        with pytest.raises(KeyError) as caught:
            metadata["absent"]
        assert caught.value.args == ("absent",)

    def test_keys_are_text(self, dialect: Dialect) -> None:
        metadata: Any = dialect.codec().decode(dialect.request(7, 10)).metadata
        assert 7 not in metadata
        assert None not in metadata
        with pytest.raises(KeyError):
            metadata[7]

    def test_equality(self, dialect: Dialect) -> None:
        codec = dialect.codec()
        first, second = (codec.decode(dialect.request(7, 10)) for _ in range(2))
        other = codec.decode(dialect.oneway(8))
        assert first.metadata == second.metadata == dict(first.metadata)
        assert dict(first.metadata) == first.metadata
        assert first.metadata != {**first.metadata, "more": 1}
        assert first.metadata != 7
        assert first.metadata != list(first.metadata)
        if dialect not in (TOY, BRIDGED):
            assert first.metadata != other.metadata

    def test_it_cannot_be_changed(self, dialect: Dialect) -> None:
        metadata: Any = dialect.codec().decode(dialect.request(7, 10)).metadata
        with pytest.raises(TypeError):
            metadata["method"] = "x"
        with pytest.raises(TypeError):
            del metadata["method"]
        dict(metadata)["method"] = "x"
        assert metadata["method"] == "sayHello"

    def test_it_keeps_the_frame(self, dialect: Dialect) -> None:
        metadata = dialect.codec().decode(bytes(bytearray(dialect.request(7, 3000)))).metadata
        noise = [bytes(3100) for _ in range(200)]
        assert metadata["method"] == "sayHello"
        del noise


class TestLazy:
    def test_a_look_up_reads_no_more_than_it_takes(self) -> None:
        """What stands before the broken place can be read, what stands behind it cannot."""
        frame = DUBBO.codec().decode(dubbo_frame(0xC2, 0, 7, dubbo_body(attachments=b"H\x05gro")))
        assert frame.metadata["two_way"] == 1
        assert (frame.metadata["method"], frame.metadata["service_version"]) == ("sayHello", "1.0.0")
        for read in (
            lambda: frame.metadata["group"],
            lambda: frame.metadata.get("group"),
            lambda: "group" in frame.metadata,
            lambda: len(frame.metadata),
            lambda: list(frame.metadata),
            lambda: dict(frame.metadata),
            lambda: frame.metadata == {},
            lambda: repr(frame.metadata),
        ):
            with pytest.raises(DecodeError) as caught:
                read()
            assert caught.value.code == "unexpected_end"

    def test_the_walk_of_a_python_codec_is_kept(self) -> None:
        codec = Toy()
        frame = codec.decode(TOY.request(7, 10))
        for _ in range(5):
            assert len(frame.metadata) == 1
            assert list(frame.metadata) == ["method"]
        assert codec.fields_calls == 1

    def test_a_python_codecs_own_look_up(self) -> None:
        class Cheap(Toy):
            def field(self, frame: object, key: str) -> str | int | None:
                return f"only {key}"

        codec = Cheap()
        assert codec.decode(TOY.request(7, 10)).metadata["colour"] == "only colour"
        assert codec.fields_calls == 0

    def test_fields_of_a_python_codec_are_a_mapping(self) -> None:
        class Wrong(Toy):
            def fields(self, frame: object) -> Any:
                return ["method"]

        with pytest.raises(TypeError, match=r"Codec\.fields must return a mapping"):
            len(Wrong().decode(TOY.request(7, 10)).metadata)


class TestForeignKeys:
    def test_a_key_that_is_no_utf8_is_found_as_it_is_shown(self) -> None:
        """Iteration never shows a key that a look-up then denies."""
        for dialect in THRIFTS:
            if " header " in dialect.name:
                data = dialect.request(7, 4).replace(b"x-user", b"\x80-user")
                metadata = dialect.codec().decode(data).metadata
                assert dict(metadata)["\ufffd-user"] == "alice"
                assert all(key in metadata for key in metadata)
        body = dubbo_body(attachments=b"H\x05x\xed\xa0\x80-yz\x01vZ")
        metadata = DUBBO.codec().decode(dubbo_frame(0xC2, 0, 7, body)).metadata
        assert "v" in dict(metadata).values()

    def test_all_of_it_takes_one_walk(self, native: Dialect) -> None:
        """`dict(metadata)` asks for the keys, then for the value of each: those are kept, not walked for again."""
        metadata = native.codec().decode(native.request(7, 4)).metadata
        assert metadata["method"] is not metadata["method"]
        whole = dict(metadata)
        assert all(metadata[key] is whole[key] for key in whole)


class TestByNameOnly:
    """Keys that a codec knows by name, and does not list."""

    def test_arguments_of_thrift(self) -> None:
        for dialect in THRIFTS:
            metadata = dialect.codec().decode(dialect.request(7, 4)).metadata
            assert metadata["arg.1"] == "xxxx"
            assert "arg.1" not in list(metadata)
            assert metadata.get("arg.2") is None

    def test_the_longest_string_of_one_chunk(self) -> None:
        text = "x" * 65535
        body = dubbo_body(hessian_string(text), "Ljava/lang/String;")
        assert DUBBO.codec().decode(dubbo_frame(0xC2, 0, 7, body)).metadata["arg.0"] == text

    def test_types_of_other_serializations_are_numbers_if_nameless(self) -> None:
        assert DUBBO.codec().decode(dubbo_frame(0xC5, 0, 7, b"{}")).metadata["serialization"] == "5"


HESSIAN_VALUES = [
    json.loads(line)
    for line in (CODECS / "dubbo" / "vectors" / "hessian2-java.jsonl").read_text(encoding="utf-8").splitlines()
]


class TestHessian:
    """Values as Dubbo's own library in Java writes them."""

    def test_there_are_many(self) -> None:
        assert len(HESSIAN_VALUES) > 200
        assert len({value["dubbo"] for value in HESSIAN_VALUES}) > 1

    @pytest.mark.parametrize("written", HESSIAN_VALUES, ids=lambda written: f"{written['dubbo']} {written['name']}")
    def test_they_are_walked_to_their_end(self, written: dict[str, Any]) -> None:
        """An attachment behind the values is found only if each of them was skipped exactly."""
        types = "Ljava/lang/Object;" * written["values"]
        body = dubbo_body(bytes.fromhex(written["hex"]), types, b"H\x05after\x04thatZ")
        metadata = DUBBO.codec().decode(dubbo_frame(0xC2, 0, 7, body)).metadata
        assert metadata["after"] == "that"
        assert metadata["param_count"] == written["values"]
        # Some the library writes but cannot read itself: they have no values to compare with.
        values = zip(written.get("classes", ()), written.get("json", ()), strict=True)
        for number, (name, value) in enumerate(values):
            ours = metadata.get(f"arg.{number}")
            if name == "java.lang.String" and isinstance(value, str):
                assert ours == value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            elif name in ("java.lang.Integer", "java.lang.Long") and isinstance(value, int):
                assert ours == value
            elif name == "java.lang.Double" and isinstance(value, float):
                assert isinstance(ours, str)
                assert Decimal(ours) == Decimal(repr(value))
            elif isinstance(value, list) or value is None:
                assert ours is None

    @pytest.mark.parametrize("written", HESSIAN_VALUES[::7], ids=lambda written: written["name"])
    def test_cut_short_they_are_refused(self, written: dict[str, Any]) -> None:
        data = bytes.fromhex(written["hex"])
        types = "Ljava/lang/Object;" * written["values"]
        for length in {0, 1, len(data) // 2, len(data) - 1}:
            if length < len(data):
                body = dubbo_body(data[:length], types, b"")
                with pytest.raises(DecodeError) as caught:
                    dict(DUBBO.codec().decode(dubbo_frame(0xC2, 0, 7, body)).metadata)
                assert caught.value.code in ("unexpected_end", "bad_encoding", "bad_value")


def test_limits_of_the_connection_hold_for_its_frames() -> None:
    data = dubbo_frame(0xC2, 0, 7, dubbo_body(b"\x79" * 10 + b"\x90", "Ljava/lang/Object;"))
    connection = DUBBO.codec().connection(limits=Limits(max_nesting=5))
    [frame] = connection.feed(0, data)
    with pytest.raises(LimitExceeded):
        frame.metadata["group"]
    batch = DUBBO.codec().connection(limits=Limits(max_nesting=5)).feed_batch(0, data, columns=["group"])
    assert isinstance(batch.malformed[0][1], LimitExceeded)
