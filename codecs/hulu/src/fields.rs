//! Metadata: the keys of the metas, found by the numbers of their fields.

use std::borrow::Cow;

use metaprotocol_brpc::meta::{As, Message, REQUEST, RESPONSE, Table, field as top, nested};
use metaprotocol_brpc::table;
use metaprotocol_core::{DecodeError, Frame, Key, KeyInfo, Kind, Limits, Reason, Value, Visit};

use crate::split::{META, sizes};
use crate::wire::{HEADER_LEN, META_SIZE_AT, request, response};

/// The keys that are always known, and where they are found.
pub static TABLE: Table = table![
    users: [top(REQUEST, request::EXT_FIELDS, As::Entry)];
    KeyInfo::write("service", "the service called, without its package") => [top(REQUEST, request::SERVICE, As::Text)],
    KeyInfo::write("interface", "the same as `service`, by its name in Dubbo")
        => [top(REQUEST, request::SERVICE, As::Text)],
    KeyInfo::write("method", "the method called: its name, or its index in clients that send no name")
        => [top(REQUEST, 14, As::Text)],
    KeyInfo::write("method_index", "the position of the method in the service, from 0").number()
        => [top(REQUEST, request::METHOD_INDEX, As::Int32)],
    KeyInfo::write("log_id", "the caller's number for its log").number() => [top(REQUEST, 5, As::Int64)],
    KeyInfo::write("trace_id", "the trace that the call belongs to").number() => [top(REQUEST, 7, As::Int64)],
    KeyInfo::write("span_id", "the caller's span").number() => [top(REQUEST, 9, As::Int64)],
    KeyInfo::write("parent_span_id", "the span above it").number() => [top(REQUEST, 8, As::Int64)],
    KeyInfo::write("error_code", "what failed, as a number; 0 is success").number()
        => [top(RESPONSE, response::ERROR_CODE, As::Int32)],
    KeyInfo::write("error_text", "what failed, in words") => [top(RESPONSE, response::ERROR_TEXT, As::Text)],
    KeyInfo::read("compress_type", "how the payload is compressed: 0 not, 1 snappy, 2 gzip, 3 zlib").number()
        => [top(REQUEST, 3, As::Int32), top(RESPONSE, 4, As::Int32)],
    KeyInfo::read("attachment_size", "bytes at the end of the body that are no message").number() => [],
    KeyInfo::read("payload_size", "bytes of the body before the attachment").number() => [],
    KeyInfo::write("authentication_data", "what the client proves itself with, as text")
        => [top(REQUEST, 15, As::Text)],
    KeyInfo::read("authentication_size", "how many bytes that has").number() => [top(REQUEST, 15, As::Size)],
    KeyInfo::write("user_data", "what the sender's application adds, as text")
        => [top(REQUEST, 11, As::Text), top(RESPONSE, 7, As::Text)],
    KeyInfo::write("source_addr", "an address that the sender's application tells").number()
        => [top(REQUEST, 13, As::Int64), top(RESPONSE, 9, As::Int64)],
    KeyInfo::read("talk_type", "0 normal, 1 one-way; bRPC answers both").number()
        => [top(REQUEST, 10, As::Int32), top(RESPONSE, 6, As::Int32)],
    KeyInfo::read("chunk_stream_id", "the message that this is a chunk of").number()
        => [nested(REQUEST, 6, 1, As::Int64), nested(RESPONSE, 5, 1, As::Int64)],
    KeyInfo::read("chunk_id", "which chunk").number()
        => [nested(REQUEST, 6, 2, As::Int64), nested(RESPONSE, 5, 2, As::Int64)],
];

/// The numbers of keys that are found in a way of their own.
const METHOD: u16 = 2;
const METHOD_INDEX: u16 = 3;
const ATTACHMENT_SIZE: u16 = 11;
const PAYLOAD_SIZE: u16 = 12;

/// Which of the two metas a frame has.
pub const fn on(frame: Frame<'_>) -> u8 {
    if matches!(frame.head.kind, Kind::Request) { REQUEST } else { RESPONSE }
}

/// The meta of a frame; only frames that no `split` made can lack it.
pub fn meta(frame: Frame<'_>) -> Result<Message<'_>, DecodeError> {
    let header = frame.bytes.first_chunk::<HEADER_LEN>().ok_or(Reason::UnexpectedEnd { field: "header" }.at(0))?;
    let place = HEADER_LEN..HEADER_LEN + sizes(header).1;
    if place.end > frame.bytes.len() {
        return Err(Reason::UnexpectedEnd { field: "meta_size" }.at(META_SIZE_AT));
    }
    Ok(Message::new(frame.bytes, place, META))
}

/// Bytes of the message and of the attachment behind it, which only frames with an attachment tell.
fn parts(frame: Frame<'_>, message: Message<'_>) -> Result<(usize, Option<usize>), DecodeError> {
    let number = if on(frame) == REQUEST { request::USER_MESSAGE_SIZE } else { response::USER_MESSAGE_SIZE };
    let body = frame.body().len();
    Ok(match message.last(number, As::Int32)? {
        Some(field) => {
            let payload = usize::try_from(field.value as i32).unwrap_or(0).min(body);
            (payload, Some(body - payload))
        }
        None => (body, None),
    })
}

/// The method's name, or else its number.
fn method(on: u8, message: Message<'_>) -> Result<Option<Value<'_>>, DecodeError> {
    if let Some(name) = TABLE.value(METHOD, on, message)? {
        return Ok(Some(name));
    }
    let index = TABLE.value(METHOD_INDEX, on, message)?;
    Ok(index.map(|index| Value::Str(Cow::Owned(index.to_text().into_owned()))))
}

pub fn field<'a>(frame: Frame<'a>, key: &Key, limits: &Limits) -> Result<Option<Value<'a>>, DecodeError> {
    let (message, on) = (meta(frame)?, on(frame));
    match key.id {
        Key::DYNAMIC => TABLE.user(&key.name, on, message, limits),
        METHOD => method(on, message),
        ATTACHMENT_SIZE => Ok(parts(frame, message)?.1.map(|size| Value::UInt(size as u64))),
        PAYLOAD_SIZE => Ok(Some(Value::UInt(parts(frame, message)?.0 as u64))),
        id => TABLE.value(id, on, message),
    }
}

pub fn fields<'a>(frame: Frame<'a>, limits: &Limits, visit: &mut Visit<'_, 'a>) -> Result<(), DecodeError> {
    let (message, on) = (meta(frame)?, on(frame));
    if TABLE.walk(on, message, limits, visit)?.is_break() {
        return Ok(());
    }
    if TABLE.value(METHOD, on, message)?.is_none()
        && let Some(method) = method(on, message)?
        && visit("method", method).is_break()
    {
        return Ok(());
    }
    let (payload, attachment) = parts(frame, message)?;
    if attachment.is_some_and(|size| visit("attachment_size", Value::UInt(size as u64)).is_break()) {
        return Ok(());
    }
    let _ended = visit("payload_size", Value::UInt(payload as u64));
    Ok(())
}
