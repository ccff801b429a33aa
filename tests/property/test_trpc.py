"""tRPC's messages against Google's protobuf package: both read the same, and a rewrite is the edit and no more."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from kit.trpc_messages import message_class, stream, unary

from metaprotocol import Direction, ErrorType, Frame, Kind, get_codec

CODEC = get_codec("trpc")
SENT, ANSWERED = Direction

uint32 = st.one_of(st.integers(0, 300), st.integers(0, 2**32 - 1))
int32 = st.one_of(st.integers(-3, 300), st.integers(-(2**31), 2**31 - 1))
texts = st.text(max_size=30).map(str.encode)
# Names that no key of the codec hides.
entries = st.dictionaries(
    st.text(st.characters(codec="utf-8"), max_size=6).map("x-".__add__),
    st.one_of(texts, st.binary(max_size=6)),
    max_size=5,
)
unknown = st.lists(st.tuples(st.integers(100, 2000), st.binary(max_size=9)), max_size=3)
numbered = {"version", "call_type", "request_id", "timeout", "message_type", "content_type", "content_encoding"}
requests = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(sorted(numbered), uint32),
        "caller": texts,
        "callee": texts,
        "func": texts,
        "trans_info": entries,
    },
)
responses = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(sorted(numbered - {"timeout"}), uint32),
        "ret": int32,
        "func_ret": int32,
        "error_msg": texts,
        "trans_info": entries,
    },
)
metas = st.fixed_dictionaries(
    {}, optional={"caller": texts, "callee": texts, "func": texts, "message_type": uint32, "trans_info": entries}
)


def varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def strangers(fields: list[tuple[int, bytes]]) -> bytes:
    """Fields that `trpc.proto` does not know."""
    return b"".join(varint(number << 3 | 2) + varint(len(data)) + data for number, data in fields)


def shown(data: bytes) -> str | None:
    """Bytes as metadata shows them; those that are left out or empty are not there."""
    return data.decode(errors="replace") or None


def says(frame: Frame, message: Any, numbers: tuple[str, ...], strings: tuple[str, ...]) -> None:
    metadata = dict(frame.metadata)
    for key in numbers:
        assert metadata[key] == frame.metadata[key] == getattr(message, key)
    for key in strings:
        assert metadata.get(key) == frame.metadata.get(key) == shown(getattr(message, key))
    for key, value in message.trans_info.items():
        assert metadata[key] == frame.metadata[key] == value.decode(errors="replace")


@given(requests, st.binary(max_size=20), unknown)
def test_requests(fields: dict[str, Any], body: bytes, more: list[tuple[int, bytes]]) -> None:
    message = message_class("RequestProtocol")(**fields)
    frame = CODEC.decode(unary(message.SerializeToString() + strangers(more), body), direction=SENT)
    assert frame.kind is (Kind.ONEWAY if message.call_type == 1 else Kind.REQUEST)
    assert frame.request_id == message.request_id
    assert bytes(frame.body) == body
    assert frame.metadata["version"] == message.version
    says(
        frame,
        message,
        ("call_type", "timeout", "message_type", "content_type", "content_encoding", "attachment_size"),
        ("caller", "callee", "func"),
    )
    service, slash, method = frame.metadata.get("func", "").removeprefix("/").rpartition("/")
    assert (frame.metadata.get("service"), frame.metadata.get("method")) == (
        service if slash else None, method if message.func else None,
    )  # fmt: skip


@given(responses, st.binary(max_size=20), unknown)
def test_responses(fields: dict[str, Any], body: bytes, more: list[tuple[int, bytes]]) -> None:
    message = message_class("ResponseProtocol")(**fields)
    frame = CODEC.decode(unary(message.SerializeToString() + strangers(more), body), direction=ANSWERED)
    assert frame.kind is (Kind.ERROR if message.ret or message.func_ret else Kind.RESPONSE)
    assert frame.request_id == message.request_id
    says(
        frame,
        message,
        ("call_type", "ret", "func_ret", "message_type", "content_type", "content_encoding", "attachment_size"),
        ("error_msg",),
    )


@given(metas, int32, texts, uint32, uint32)
def test_streams(fields: dict[str, Any], ret: int, text: bytes, window: int, encoding: int) -> None:
    init = message_class("TrpcStreamInitMeta")
    asked = init(request_meta=fields, init_window_size=window, content_encoding=encoding)
    frame = CODEC.decode(stream(1, asked.SerializeToString()), direction=SENT)
    assert frame.kind is Kind.STREAM_OPEN
    says(frame, asked.request_meta, ("message_type",), ("caller", "callee", "func"))
    assert (frame.metadata["init_window_size"], frame.metadata["content_encoding"]) == (window, encoding)
    answered = init(response_meta={"ret": ret, "error_msg": text}, init_window_size=window)
    frame = CODEC.decode(stream(1, answered.SerializeToString()), direction=ANSWERED)
    assert frame.kind is (Kind.ERROR if ret else Kind.RESPONSE)
    assert (frame.metadata["ret"], frame.metadata.get("error_msg")) == (ret, shown(text))
    close = message_class("TrpcStreamCloseMeta")
    closed = close(
        close_type=window & 1, ret=ret, msg=text, func_ret=-ret // 2, trans_info=fields.get("trans_info", {})
    )
    frame = CODEC.decode(stream(4, closed.SerializeToString()), direction=ANSWERED)
    assert frame.kind is (Kind.STREAM_CLOSE if closed.close_type else Kind.STREAM_HALF_CLOSE)
    says(frame, closed, ("close_type", "ret", "func_ret", "message_type"), ())
    assert frame.metadata.get("error_msg") == shown(text)
    more = message_class("TrpcStreamFeedBackMeta")(window_size_increment=window)
    frame = CODEC.decode(stream(3, more.SerializeToString()), direction=SENT)
    assert frame.metadata["window_size_increment"] == window


edited = st.fixed_dictionaries(
    {},
    optional={
        "caller": st.text(max_size=200),
        "func": st.text(max_size=20),
        "timeout": uint32,
        "x-a": st.text(max_size=9),
    },
)


@given(requests, unknown, edited, st.sampled_from(["callee", "x-a", "x-b", "message_type"]), uint32)
def test_rewritten_requests(
    fields: dict[str, Any], more: list[tuple[int, bytes]], edits: dict[str, str | int], gone: str, request_id: int
) -> None:
    message = message_class("RequestProtocol")(**fields)
    # In the middle, so that what is added comes behind and what is changed in front of it.
    head = message.SerializeToString()
    frame = CODEC.decode(unary(head + strangers(more) + head, b"body", message.request_id), direction=SENT)
    data = b"".join(CODEC.rewrite(frame, set=edits, remove=[gone], request_id=request_id))
    again = CODEC.decode(data, direction=SENT)
    found = message_class("RequestProtocol").FromString(bytes(again.header)[16:])

    for name in [key for key in (gone, *edits) if key.startswith("x-")]:
        message.trans_info.pop(name, None)
    if gone in ("callee", "message_type"):
        message.ClearField(gone)
    for key, value in edits.items():
        if key.startswith("x-"):
            message.trans_info[key] = str(value).encode()
        else:
            setattr(message, key, value.encode() if isinstance(value, str) else value)
    message.request_id = request_id
    expected = message_class("RequestProtocol").FromString(message.SerializeToString() + strangers(more))
    assert found == expected
    assert strangers(more) in bytes(again.header)
    assert bytes(again.body) == b"body"
    assert int.from_bytes(data[10:14], "big") == request_id


@given(metas, unknown, edited, st.sampled_from(["callee", "x-a", "x-b"]))
def test_rewritten_inits(
    fields: dict[str, Any], more: list[tuple[int, bytes]], edits: dict[str, str | int], gone: str
) -> None:
    edits = {key: value for key, value in edits.items() if key != "timeout"}
    init = message_class("TrpcStreamInitMeta")
    message = init(request_meta=fields, init_window_size=7)
    frame = CODEC.decode(stream(1, message.SerializeToString() + strangers(more)), direction=SENT)
    again = CODEC.decode(b"".join(CODEC.rewrite(frame, set=edits, remove=[gone])), direction=SENT)
    meta = message.request_meta
    for name in [key for key in (gone, *edits) if key.startswith("x-")]:
        meta.trans_info.pop(name, None)
    if gone == "callee":
        meta.ClearField("callee")
    for key, value in edits.items():
        if key.startswith("x-"):
            meta.trans_info[key] = str(value).encode()
        else:
            setattr(meta, key, str(value).encode())
    assert init.FromString(bytes(again.header)[16:]) == init.FromString(message.SerializeToString() + strangers(more))


@given(requests, st.sampled_from(list(ErrorType)), st.text(max_size=40))
def test_replies(fields: dict[str, Any], error: ErrorType, why: str) -> None:
    message = message_class("RequestProtocol")(**{**fields, "call_type": 0})
    frame = CODEC.decode(unary(message.SerializeToString(), b"body", 7), direction=SENT)
    reply = CODEC.reply(frame, error, why)
    assert reply is not None
    answer = message_class("ResponseProtocol").FromString(reply[16:])
    assert (answer.request_id, answer.content_type) == (message.request_id, message.content_type)
    assert answer.ret != 0 == answer.func_ret
    assert answer.error_msg == why.encode()
    init = CODEC.decode(stream(1, b""), direction=SENT)
    refusal = CODEC.reply(init, error, why)
    assert refusal is not None
    meta = message_class("TrpcStreamInitMeta").FromString(refusal[16:]).response_meta
    assert (meta.ret, meta.error_msg) == (answer.ret, why.encode())
    closed = CODEC.reply(CODEC.decode(stream(2, b"data"), direction=SENT), error, why)
    assert closed is not None
    close = message_class("TrpcStreamCloseMeta").FromString(closed[16:])
    assert (close.close_type, close.ret, close.msg) == (1, answer.ret, why.encode())
