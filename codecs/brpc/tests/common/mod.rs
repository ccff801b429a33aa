//! What the tests share: frames made by hand, and short words for what is asked of them.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::sync::Arc;

use metaprotocol_brpc::Brpc;
use metaprotocol_brpc::wire::{PRPC, STRM, header};
use metaprotocol_core::protobuf::{push_bytes, push_number};
use metaprotocol_core::{AnyCodec, DecodeError, Edits, EncodeError, Frame, Head, Value};
use metaprotocol_testkit::{self as kit, CLIENT, Fields};

pub fn brpc() -> Arc<dyn AnyCodec> {
    Arc::new(Brpc)
}

/// A field with a number.
pub fn number(field: u32, value: i64) -> Vec<u8> {
    let mut out = Vec::new();
    push_number(&mut out, field, value.cast_unsigned());
    out
}

/// A field with bytes.
pub fn bytes(field: u32, value: impl AsRef<[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    push_bytes(&mut out, field, value.as_ref());
    out
}

/// A frame with this meta and body.
pub fn frame(magic: u32, meta: &[u8], body: &[u8]) -> Vec<u8> {
    let (meta_size, body_size) = (meta.len() as u32, (meta.len() + body.len()) as u32);
    [&header(magic, body_size, meta_size)[..], meta, body].concat()
}

/// The meta of a call of `a.B/f`, with `inner` in its request and `more` behind its id.
pub fn call(id: i64, inner: &[u8], more: &[u8]) -> Vec<u8> {
    let request = [&bytes(1, "a.B"), &bytes(2, "f"), inner].concat();
    [&bytes(1, request)[..], &number(4, id), more].concat()
}

/// A call of `a.B/f`.
pub fn request(id: i64, inner: &[u8], more: &[u8]) -> Vec<u8> {
    frame(PRPC, &call(id, inner, more), b"\x0a\x05hello")
}

/// A call that opens the client's stream of this id.
pub fn opening(id: i64, stream_id: i64) -> Vec<u8> {
    request(id, &[], &bytes(8, number(1, stream_id)))
}

/// A response with this error code, from the server's stream of this id.
pub fn response(id: i64, code: i64, stream_id: Option<i64>) -> Vec<u8> {
    let settings = stream_id.map(|id| bytes(8, number(1, id))).unwrap_or_default();
    frame(PRPC, &[bytes(2, number(1, code)), number(4, id), settings].concat(), b"answer")
}

/// A frame of a stream.
pub fn stream_frame(to: i64, from: i64, frame_type: i64, data: &[u8]) -> Vec<u8> {
    frame(STRM, &[number(1, to), number(2, from), number(3, frame_type)].concat(), data)
}

pub fn head(bytes: &[u8]) -> Head {
    kit::head(&Brpc, CLIENT, bytes)
}

pub fn whole(bytes: &[u8]) -> Frame<'_> {
    kit::whole(&Brpc, CLIENT, bytes)
}

pub fn fields(bytes: &[u8]) -> Fields {
    kit::fields(&Brpc, whole(bytes))
}

pub fn field(bytes: &[u8], key: &str) -> Option<Value<'static>> {
    kit::field(&Brpc, whole(bytes), key)
}

pub fn try_field(bytes: &[u8], key: &str) -> Result<Option<Value<'static>>, DecodeError> {
    kit::try_field(&Brpc, whole(bytes), key)
}

pub fn rewrite(bytes: &[u8], edits: &Edits<'_>) -> Result<Vec<u8>, EncodeError> {
    kit::rewrite(&Brpc, whole(bytes), edits)
}
