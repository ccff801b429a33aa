"""The metas of a bRPC port against the protobuf package: we read what it writes, and it reads what we write."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.brpc_messages import MESSAGES, SCHEMA
from kit.nshead import nshead

from metaprotocol import Direction, ErrorType, Frame, Kind, get_codec

CLIENT, SERVER = Direction
# A text that begins as an entry of Java users' fields is taken for one; no writer of texts makes such.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20).filter(lambda text: not text.startswith("\n"))
NUMBERS = {
    "int32": st.integers(-(2**31), 2**31 - 1),
    "sint32": st.integers(-(2**31), 2**31 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "sint64": st.integers(-(2**63), 2**63 - 1),
    "uint32": st.integers(0, 2**32 - 1),
    "uint64": st.integers(0, 2**64 - 1),
    "bool": st.booleans(),
    "string": TEXT,
    "bytes": st.one_of(TEXT.map(str.encode), st.binary(max_size=20)),
}
# Their values must fit the frame, or are set by `frames`.
APART = {"attachment_size", "user_message_size", "type", "serialized_request", "serialized_response"}


def messages(name: str, *, always: tuple[str, ...] = (), never: tuple[str, ...] = ()) -> st.SearchStrategy[Any]:
    """Messages of a type with any of their fields."""
    fields: dict[str, st.SearchStrategy[Any]] = {}
    for _, field, kind in SCHEMA[name]:
        if field in never or field in APART:
            continue
        if kind.startswith("repeated "):
            values: st.SearchStrategy[Any] = st.lists(messages(kind.removeprefix("repeated ")), max_size=4)
        else:
            values = NUMBERS[kind] if kind in NUMBERS else messages(kind)
        fields[field] = values if field in always else st.none() | values
    return st.fixed_dictionaries(fields).map(
        lambda values: MESSAGES[name](**{key: value for key, value in values.items() if value is not None})
    )


@dataclass(frozen=True)
class Case:
    """A frame, the message in it, and what it must show."""

    codec: str
    direction: Direction
    meta: Any
    body: bytes
    build: Callable[[Any, bytes], bytes]
    expected: dict[str, Any]
    request_id: int

    @property
    def data(self) -> bytes:
        return self.build(self.meta, self.body)

    def frame(self) -> Frame:
        return get_codec(self.codec).decode(self.data, direction=self.direction)


def shown(message: Any, names: dict[str, str | tuple[str, ...]]) -> dict[str, Any]:
    """The keys that fields of a message are shown under."""
    found: dict[str, Any] = {}
    for field, keys in names.items():
        if message.HasField(field):
            value = getattr(message, field)
            value = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
            for key in (keys,) if isinstance(keys, str) else keys:
                found[key] = int(value) if isinstance(value, bool) else value
    return found


def same(*names: str) -> dict[str, str | tuple[str, ...]]:
    return {name: name for name in names}


def brpc_frame(meta: Any, body: bytes) -> bytes:
    data = meta.SerializeToString()
    return b"PRPC" + struct.pack(">II", len(data) + len(body), len(data)) + data + body


def rpc_fields(meta: Any, body: bytes) -> dict[str, Any]:
    """What an RpcMeta shows."""
    told = shown(meta, {"authentication_data": "authentication_data", **same("compress_type", "attachment_size")})
    if meta.HasField("authentication_data"):
        told["authentication_size"] = len(meta.authentication_data)
    for field in meta.user_fields:
        if field.key not in {key.name for key in get_codec("brpc").keys}:
            told[field.key] = field.value
    told |= shown(meta.chunk_info, {"stream_id": "chunk_stream_id", "chunk_id": "chunk_id"})
    told |= shown(meta.stream_settings, same("stream_id", "need_feedback", "writable"))
    if meta.HasField("request"):
        told |= shown(
            meta.request,
            {
                "service_name": ("service", "interface"),
                "method_name": "method",
                "request_id": ("request_id", "x-request-id"),
                **same("log_id", "trace_id", "span_id", "parent_span_id", "timeout_ms"),
            },
        )
    else:
        told |= shown(meta.response, same("error_code", "error_text"))
    return told | {"payload_size": len(body) - meta.attachment_size}


@st.composite
def rpc(draw: st.DrawFn) -> Case:
    request = draw(st.booleans())
    always = ("request",) if request else ("response",)
    meta = draw(messages("RpcMeta", always=always, never=("response",) if request else ("request",)))
    body = draw(st.binary(max_size=30))
    if draw(st.booleans()):
        meta.attachment_size = draw(st.integers(0, len(body)))
    direction = CLIENT if request else SERVER
    return Case("brpc", direction, meta, body, brpc_frame, rpc_fields(meta, body), meta.correlation_id % 2**64)


def hulu_frame(meta: Any, body: bytes) -> bytes:
    data = meta.SerializeToString()
    return b"HULU" + struct.pack("<II", len(data) + len(body), len(data)) + data + body


@st.composite
def hulu(draw: st.DrawFn) -> Case:
    request = draw(st.booleans())
    name, always = ("HuluRpcRequestMeta", ("service_name",)) if request else ("HuluRpcResponseMeta", ("error_code",))
    meta = draw(messages(name, always=always))
    body = draw(st.binary(max_size=30))
    names = {**same("compress_type", "user_data"), "user_defined_source_addr": "source_addr"}
    told: dict[str, Any] = {"payload_size": len(body)}
    if draw(st.booleans()):
        meta.user_message_size = draw(st.integers(0, len(body)))
        told = {"payload_size": meta.user_message_size, "attachment_size": len(body) - meta.user_message_size}
    if request:
        names |= {
            "service_name": ("service", "interface"), "method_name": "method", "credential_data": "authentication_data",
            "request_talk_type": "talk_type",
            **same("method_index", "log_id", "trace_id", "span_id", "parent_span_id"),
        }  # fmt: skip
        told |= shown(meta.chuck_info, {"stream_id": "chunk_stream_id", "chunk_id": "chunk_id"})
        if meta.HasField("method_index") and not meta.HasField("method_name"):
            told["method"] = str(meta.method_index)
        if meta.HasField("credential_data"):
            told["authentication_size"] = len(meta.credential_data)
    else:
        names |= same("error_code", "error_text")
    told |= shown(meta, names)
    return Case("hulu", CLIENT if request else SERVER, meta, body, hulu_frame, told, meta.correlation_id % 2**64)


def sofa_frame(meta: Any, body: bytes) -> bytes:
    data = meta.SerializeToString()
    return b"SOFA" + struct.pack("<IQQ", len(data), len(body), len(data) + len(body)) + data + body


@st.composite
def sofa(draw: st.DrawFn) -> Case:
    request = draw(st.booleans())
    meta = draw(messages("SofaRpcMeta", never=("failed", "error_code", "reason") if request else ("method",)))
    if draw(st.booleans()) or not request:
        meta.type = int(not request)
    names: dict[str, str | tuple[str, ...]] = {
        "method": "full_method", "reason": "error_text",
        **same("failed", "error_code", "compress_type", "expected_response_compress_type"),
    }  # fmt: skip
    told = shown(meta, names)
    if meta.HasField("method"):
        service, dot, method = meta.method.rpartition(".")
        told |= {"method": method, **({"service": service, "interface": service} if dot else {})}
    direction = CLIENT if request else SERVER
    return Case("sofa", direction, meta, draw(st.binary(max_size=30)), sofa_frame, told, meta.sequence_id)


def public_frame(meta: Any, _body: bytes) -> bytes:
    return nshead(meta.SerializeToString(), version=1000, provider=b"__pbrpc__", log_id=7)


@st.composite
def public(draw: st.DrawFn) -> Case:
    request = draw(st.booleans())
    told: dict[str, Any] = {"nshead_id": 0, "nshead_version": 1000, "nshead_log_id": 7, "provider": "__pbrpc__"}
    if request:
        body = draw(messages("RequestBody", always=("service", "id")))
        head = draw(messages("RequestHead"))
        others = draw(st.lists(messages("RequestBody"), max_size=1))
        meta = MESSAGES["PublicPbrpcRequest"](requestHead=head, requestBody=[body, *others])
        names = same("from_host", "content_type", "charset", "accept_charset", "create_time", "log_id", "compress_type")
        told |= shown(head, {"connection": "keep_alive", **names})
        told |= shown(body, {"service": ("service", "interface"), "method_id": "method_index", "version": "version"})
        if body.HasField("method_id"):
            told["method"] = str(body.method_id)
    else:
        body = draw(messages("ResponseBody", always=("id",)))
        head = draw(messages("ResponseHead", always=("code",)))
        meta = MESSAGES["PublicPbrpcResponse"](responseHead=head, responseBody=[body])
        told |= shown(head, {"code": "error_code", "text": "error_text", **same("from_host", "compress_type")})
        told |= shown(body, {"error": "body_error", "version": "version"})
    return Case("public", CLIENT if request else SERVER, meta, b"", public_frame, told, body.id)


CASES = st.one_of(rpc(), hulu(), sofa(), public())


@given(CASES)
def test_what_protobuf_writes_is_read(case: Case) -> None:
    frame = case.frame()
    assert frame.request_id == case.request_id
    assert dict(frame.metadata) == case.expected
    for key, value in case.expected.items():
        assert frame.metadata[key] == value
    code = case.expected.get("error_code", 0) or case.expected.get("failed", 0)
    if case.direction is SERVER:
        assert frame.kind is (Kind.ERROR if code else Kind.RESPONSE)
    else:
        opens = case.codec == "brpc" and case.meta.HasField("stream_settings")
        assert frame.kind is (Kind.STREAM_OPEN if opens else Kind.REQUEST)


@given(CASES, st.integers(0, 2**64 - 1))
def test_a_new_id_is_all_that_changes(case: Case, request_id: int) -> None:
    frame = case.frame()
    if request_id == case.request_id:
        assert b"".join(frame.codec.rewrite(frame, request_id=request_id)) == case.data
        return
    moved = b"".join(frame.codec.rewrite(frame, request_id=request_id))
    signed = request_id - 2**64 * (request_id >= 2**63)
    if case.codec == "sofa":
        case.meta.sequence_id = request_id
    elif case.codec == "public":
        bodies = case.meta.requestBody if case.direction is CLIENT else case.meta.responseBody
        bodies[0].id = request_id
    else:
        case.meta.correlation_id = signed
    front = {"sofa": 24, "public": 36}.get(case.codec, 12)
    end = len(moved) - len(case.body)
    assert type(case.meta).FromString(moved[front:end]) == case.meta
    assert moved[end:] == case.body


SETTABLE: dict[str, dict[str, tuple[str, str]]] = {
    "brpc": {
        "method": ("request.method_name", "string"), "log_id": ("request.log_id", "int64"),
        "trace_id": ("request.trace_id", "int64"), "x-request-id": ("request.request_id", "string"),
        "timeout_ms": ("request.timeout_ms", "int32"), "authentication_data": ("authentication_data", "string"),
    },
    "hulu": {
        "service": ("service_name", "string"), "method": ("method_name", "string"), "span_id": ("span_id", "int64"),
        "method_index": ("method_index", "int32"), "source_addr": ("user_defined_source_addr", "int64"),
    },
    "sofa": {"full_method": ("method", "string")},
    "public": {
        "service": ("requestBody.service", "string"), "method_index": ("requestBody.method_id", "uint32"),
        "log_id": ("requestHead.log_id", "uint64"), "create_time": ("requestHead.create_time", "string"),
    },
}  # fmt: skip


@given(CASES, st.data())
def test_an_edit_is_all_that_changes(case: Case, data: st.DataObject) -> None:
    """Of a request: protobuf reads the edited frame as the message it was with that one field set."""
    if case.direction is SERVER:
        return
    frame = case.frame()
    chosen = data.draw(st.lists(st.sampled_from(sorted(SETTABLE[case.codec])), min_size=1, unique=True))
    edits = {}
    for key in chosen:
        path, kind = SETTABLE[case.codec][key]
        edits[key] = data.draw(NUMBERS[kind])
        *outer, field = path.split(".")
        message = case.meta
        for name in outer:
            message = getattr(message, name)
            message = message[0] if hasattr(message, "append") else message
        value = edits[key]
        setattr(message, field, value.encode() if isinstance(getattr(message, field), bytes) else value)
    edited = b"".join(frame.codec.rewrite(frame, set=edits))
    front = {"sofa": 24, "public": 36}.get(case.codec, 12)
    end = len(edited) - len(case.body)
    assert type(case.meta).FromString(edited[front:end]) == case.meta
    assert edited[end:] == case.body
    again = frame.codec.decode(edited, direction=CLIENT)
    assert {key: again.metadata[key] for key in edits} == edits
    assert again.request_id == frame.request_id


@given(rpc(), st.dictionaries(TEXT, TEXT, max_size=4), st.lists(TEXT, max_size=2))
def test_users_fields_are_those_of_a_map(case: Case, added: dict[str, str], removed: list[str]) -> None:
    known = {key.name for key in get_codec("brpc").keys}
    added = {key: value for key, value in added.items() if key not in known}
    removed = [key for key in removed if key not in known]
    frame = case.frame()
    edited = b"".join(frame.codec.rewrite(frame, set=added, remove=removed))
    meta = MESSAGES["RpcMeta"].FromString(edited[12 : len(edited) - len(case.body)])
    before = {field.key: field.value for field in case.meta.user_fields}
    after = {field.key: field.value for field in meta.user_fields}
    assert after == {key: value for key, value in before.items() if key not in removed} | added
    del case.meta.user_fields[:], meta.user_fields[:]
    assert meta == case.meta


@given(CASES, st.sampled_from(list(ErrorType)), TEXT)
def test_replies_are_read_by_protobuf(case: Case, error: ErrorType, text: str) -> None:
    if case.direction is SERVER:
        return
    frame = case.frame()
    reply = frame.codec.reply(frame, error, text)
    assert reply is not None
    data = bytes(reply)
    signed = case.request_id - 2**64 * (case.request_id >= 2**63)
    if case.codec == "brpc":
        meta = MESSAGES["RpcMeta"].FromString(data[12:])
        found = (meta.correlation_id, meta.response.error_code, meta.response.error_text)
    elif case.codec == "hulu":
        meta = MESSAGES["HuluRpcResponseMeta"].FromString(data[12:])
        found = (meta.correlation_id, meta.error_code, meta.error_text)
    elif case.codec == "sofa":
        meta, signed = MESSAGES["SofaRpcMeta"].FromString(data[24:]), case.request_id
        assert (meta.type, meta.failed) == (1, True)
        found = (meta.sequence_id, meta.error_code, meta.reason)
    else:
        meta, signed = MESSAGES["PublicPbrpcResponse"].FromString(data[36:]), case.request_id
        found = (meta.responseBody[0].id, meta.responseHead.code, meta.responseHead.text)
        assert meta.responseBody[0].version == case.meta.requestBody[0].version
    code = found[1]
    assert found == (signed, code, text)
    assert code in {1001, 1003, 1004, 1008, 1009, 2001, 2002, 2004}


@given(messages("StreamFrameMeta", always=("stream_id",)), st.binary(max_size=20))
def test_frames_of_streams(meta: Any, body: bytes) -> None:
    data = meta.SerializeToString()
    frame = get_codec("brpc").decode(b"STRM" + struct.pack(">II", len(data) + len(body), len(data)) + data + body)
    assert frame.stream_id == meta.stream_id % 2**64
    told = shown(meta, same("stream_id", "source_stream_id", "has_continuation"))
    told |= shown(meta.feedback, same("consumed_size"))
    if meta.HasField("frame_type"):
        names = ["unknown", "rst", "close", "data", "feedback"]
        told["frame_type"] = names[meta.frame_type] if 0 <= meta.frame_type < 5 else str(meta.frame_type)
    assert dict(frame.metadata) == told
    assert bytes(frame.body) == body


@pytest.mark.parametrize("name", sorted(SCHEMA))
def test_the_schema_is_one(name: str) -> None:
    """No number and no name twice: a slip here would be a slip of the oracle."""
    numbers, names, _ = zip(*SCHEMA[name], strict=True)
    assert len(set(numbers)) == len(set(names)) == len(numbers)
    assert list(numbers) == sorted(numbers)
