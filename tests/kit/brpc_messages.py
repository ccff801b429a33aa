"""The metas of a bRPC port as the protobuf package has them, for tests that ask it and not ourselves.

Names, numbers and types are those of the `.proto` files of Apache bRPC; descriptors made here need no protoc.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

F = descriptor_pb2.FieldDescriptorProto

# Message: its fields, each with number, type and label.
SCHEMA: dict[str, list[tuple[int, str, str]]] = {
    "RpcMeta": [
        (1, "request", "RpcRequestMeta"), (2, "response", "RpcResponseMeta"), (3, "compress_type", "int32"),
        (4, "correlation_id", "int64"), (5, "attachment_size", "int32"), (6, "chunk_info", "ChunkInfo"),
        (7, "authentication_data", "bytes"), (8, "stream_settings", "StreamSettings"),
        (9, "user_fields", "repeated UserField"), (200, "later", "string"),
    ],
    "RpcRequestMeta": [
        (1, "service_name", "string"), (2, "method_name", "string"), (3, "log_id", "int64"), (4, "trace_id", "int64"),
        (5, "span_id", "int64"), (6, "parent_span_id", "int64"), (7, "request_id", "string"),
        (8, "timeout_ms", "int32"), (100, "later", "int64"),
    ],
    "RpcResponseMeta": [(1, "error_code", "int32"), (2, "error_text", "string")],
    "ChunkInfo": [(1, "stream_id", "int64"), (2, "chunk_id", "int64")],
    "StreamSettings": [(1, "stream_id", "int64"), (2, "need_feedback", "bool"), (3, "writable", "bool")],
    "UserField": [(1, "key", "string"), (2, "value", "string")],
    "Feedback": [(1, "consumed_size", "int64")],
    "StreamFrameMeta": [
        (1, "stream_id", "int64"), (2, "source_stream_id", "int64"), (3, "frame_type", "int32"),
        (4, "has_continuation", "bool"), (5, "feedback", "Feedback"),
    ],
    "HuluRpcRequestMeta": [
        (1, "service_name", "string"), (2, "method_index", "int32"), (3, "compress_type", "int32"),
        (4, "correlation_id", "int64"), (5, "log_id", "int64"), (6, "chuck_info", "ChunkInfo"),
        (7, "trace_id", "int64"), (8, "parent_span_id", "int64"), (9, "span_id", "int64"),
        (10, "request_talk_type", "int32"),
        (11, "user_data", "bytes"), (12, "user_message_size", "int32"), (13, "user_defined_source_addr", "int64"),
        (14, "method_name", "string"), (15, "credential_data", "bytes"), (200, "later", "string"),
    ],
    "HuluRpcResponseMeta": [
        (1, "error_code", "int32"), (2, "error_text", "string"), (3, "correlation_id", "sint64"),
        (4, "compress_type", "int32"), (7, "user_data", "bytes"), (8, "user_message_size", "int32"),
        (9, "user_defined_source_addr", "int64"),
    ],
    "SofaRpcMeta": [
        (1, "type", "int32"), (2, "sequence_id", "uint64"), (100, "method", "string"), (200, "failed", "bool"),
        (201, "error_code", "int32"), (202, "reason", "string"), (300, "compress_type", "int32"),
        (301, "expected_response_compress_type", "int32"), (400, "later", "string"),
    ],
    "RequestHead": [
        (1, "from_host", "string"), (2, "content_type", "uint32"), (3, "connection", "bool"), (4, "charset", "string"),
        (5, "accept_charset", "string"), (6, "create_time", "string"), (7, "log_id", "uint64"),
        (8, "compress_type", "uint32"),
    ],
    "RequestBody": [
        (1, "version", "string"), (2, "charset", "string"), (3, "service", "string"), (4, "method_id", "uint32"),
        (5, "id", "uint64"), (6, "serialized_request", "bytes"),
    ],
    "PublicPbrpcRequest": [(1, "requestHead", "RequestHead"), (2, "requestBody", "repeated RequestBody")],
    "ResponseHead": [
        (1, "code", "sint32"), (2, "text", "string"), (3, "from_host", "string"), (4, "compress_type", "uint32"),
    ],
    "ResponseBody": [
       (1, "serialized_response", "bytes"), (2, "version", "string"), (3, "error", "int32"), (4, "id", "uint64")],
    "PublicPbrpcResponse": [(1, "responseHead", "ResponseHead"), (2, "responseBody", "repeated ResponseBody")],
}  # fmt: skip
SCALARS = {
    "int32": F.TYPE_INT32,
    "int64": F.TYPE_INT64,
    "uint32": F.TYPE_UINT32,
    "uint64": F.TYPE_UINT64,
    "sint32": F.TYPE_SINT32,
    "sint64": F.TYPE_SINT64,
    "bool": F.TYPE_BOOL,
    "string": F.TYPE_STRING,
    "bytes": F.TYPE_BYTES,
}


def _messages() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="brpc.proto", package="brpc", syntax="proto2")
    for name, fields in SCHEMA.items():
        message = file.message_type.add(name=name)
        for number, field, kind in fields:
            label = F.LABEL_REPEATED if kind.startswith("repeated ") else F.LABEL_OPTIONAL
            kind = kind.removeprefix("repeated ")
            if kind in SCALARS:
                message.field.add(name=field, number=number, label=label, type=SCALARS[kind])
            else:
                message.field.add(
                    name=field, number=number, label=label, type=F.TYPE_MESSAGE, type_name=f".brpc.{kind}"
                )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = {name: pool.FindMessageTypeByName(f"brpc.{name}") for name in SCHEMA}
    return {name: message_factory.GetMessageClass(descriptor) for name, descriptor in found.items()}


MESSAGES = _messages()
"""The message classes, by name."""
