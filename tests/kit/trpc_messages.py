"""The messages of tRPC for Google's protobuf package: `trpc.proto` as a descriptor, made without a compiler."""

from __future__ import annotations

from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "metaprotocol.test.trpc"
UINT32, INT32, BYTES, TRANS_INFO = "TYPE_UINT32", "TYPE_INT32", "TYPE_BYTES", "trans_info"

MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "RequestProtocol": {
        "version": (1, UINT32),
        "call_type": (2, UINT32),
        "request_id": (3, UINT32),
        "timeout": (4, UINT32),
        "caller": (5, BYTES),
        "callee": (6, BYTES),
        "func": (7, BYTES),
        "message_type": (8, UINT32),
        "trans_info": (9, TRANS_INFO),
        "content_type": (10, UINT32),
        "content_encoding": (11, UINT32),
        "attachment_size": (12, UINT32),
    },
    "ResponseProtocol": {
        "version": (1, UINT32),
        "call_type": (2, UINT32),
        "request_id": (3, UINT32),
        "ret": (4, INT32),
        "func_ret": (5, INT32),
        "error_msg": (6, BYTES),
        "message_type": (7, UINT32),
        "trans_info": (8, TRANS_INFO),
        "content_type": (9, UINT32),
        "content_encoding": (10, UINT32),
        "attachment_size": (12, UINT32),
    },
    "TrpcStreamInitRequestMeta": {
        "caller": (1, BYTES),
        "callee": (2, BYTES),
        "func": (3, BYTES),
        "message_type": (4, UINT32),
        "trans_info": (5, TRANS_INFO),
    },
    "TrpcStreamInitResponseMeta": {"ret": (1, INT32), "error_msg": (2, BYTES)},
    "TrpcStreamInitMeta": {
        "request_meta": (1, "TrpcStreamInitRequestMeta"),
        "response_meta": (2, "TrpcStreamInitResponseMeta"),
        "init_window_size": (3, UINT32),
        "content_type": (4, UINT32),
        "content_encoding": (5, UINT32),
    },
    "TrpcStreamFeedBackMeta": {"window_size_increment": (1, UINT32)},
    "TrpcStreamCloseMeta": {
        "close_type": (1, INT32),
        "ret": (2, INT32),
        "msg": (3, BYTES),
        "message_type": (4, UINT32),
        "trans_info": (5, TRANS_INFO),
        "func_ret": (6, INT32),
    },
}
"""Numbers and types of the fields, by `trpc.proto` of the protocol's specification."""


@cache
def message_class(name: str) -> Any:
    """The class of a message."""
    file = descriptor_pb2.FileDescriptorProto(name="trpc_messages.proto", package=PACKAGE, syntax="proto3")
    for message, fields in MESSAGES.items():
        described = file.message_type.add(name=message)
        for field, (number, kind) in fields.items():
            added = described.field.add(name=field, number=number, label="LABEL_OPTIONAL")
            if kind in (UINT32, INT32, BYTES):
                added.type = descriptor_pb2.FieldDescriptorProto.Type.Value(kind)
                continue
            added.type = descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE
            if kind != TRANS_INFO:
                added.type_name = f".{PACKAGE}.{kind}"
                continue
            added.label = descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
            added.type_name = f".{PACKAGE}.{message}.TransInfoEntry"
            entry = described.nested_type.add(name="TransInfoEntry")
            entry.options.map_entry = True
            entry.field.add(name="key", number=1, label="LABEL_OPTIONAL", type="TYPE_STRING")
            entry.field.add(name="value", number=2, label="LABEL_OPTIONAL", type="TYPE_BYTES")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))


def unary(message: bytes, body: bytes = b"", stream_id: int = 0) -> bytes:
    """A call or its answer around a header message."""
    total = 16 + len(message) + len(body)
    fixed = b"\x09\x30\0\0" + total.to_bytes(4, "big") + len(message).to_bytes(2, "big")
    return fixed + stream_id.to_bytes(4, "big") + b"\x01\0" + message + body


def stream(frame_type: int, payload: bytes, stream_id: int = 100) -> bytes:
    """A frame of a stream."""
    fixed = bytes([9, 0x30, 1, frame_type]) + (16 + len(payload)).to_bytes(4, "big") + b"\0\0"
    return fixed + stream_id.to_bytes(4, "big") + b"\x01\0" + payload
