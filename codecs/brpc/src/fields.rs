//! Metadata: the keys of the metas, found by the numbers of their fields.

use std::ops::Range;

use metaprotocol_core::{DecodeError, Frame, Key, KeyInfo, Kind, Limits, Reason, Value, Visit};

use crate::meta::{As, Message, REQUEST, RESPONSE, STREAM, Slot, Table, WRAPPED, field as top, nested};
use crate::split::{RPC_META, STREAM_META, wrapped_meta};
use crate::table;
use crate::wire::{HEADER_LEN, META_SIZE_AT, STRM, rpc, stream, variant};

/// Responses have the key, within a frame of a stream, too.
const ANSWER: u8 = RESPONSE | WRAPPED;
/// Calls and their answers have the key.
const CALL: u8 = REQUEST | ANSWER;

const fn request(number: u32, read_as: As) -> Slot {
    nested(REQUEST, rpc::REQUEST, number, read_as)
}

const fn settings(on: u8, number: u32, read_as: As) -> Slot {
    nested(on, rpc::STREAM_SETTINGS, number, read_as)
}

/// The keys that are always known, and where they are found.
pub static TABLE: Table = table![
    // Clients written in Java put their fields where others have the request's text.
    users: [top(CALL, rpc::USER_FIELDS, As::Entry), request(rpc::REQUEST_ID, As::EntryNoText)];
    KeyInfo::write("service", "the service called") => [request(1, As::Text)],
    KeyInfo::write("interface", "the same as `service`, by its name in Dubbo") => [request(1, As::Text)],
    KeyInfo::write("method", "the method called") => [request(2, As::Text)],
    KeyInfo::write("log_id", "the caller's number for its log").number() => [request(3, As::Int64)],
    KeyInfo::write("trace_id", "the trace that the call belongs to").number() => [request(4, As::Int64)],
    KeyInfo::write("span_id", "the caller's span").number() => [request(5, As::Int64)],
    KeyInfo::write("parent_span_id", "the span above it").number() => [request(6, As::Int64)],
    KeyInfo::write("request_id", "the text that goes with a request through all services")
        => [request(rpc::REQUEST_ID, As::TextNoEntry)],
    KeyInfo::write("x-request-id", "the same as `request_id`, by its name in HTTP")
        => [request(rpc::REQUEST_ID, As::TextNoEntry)],
    KeyInfo::write("timeout_ms", "how long the caller waits, in ms").number() => [request(8, As::Int32)],
    KeyInfo::write("error_code", "what failed, as a number; 0 is success").number()
        => [nested(ANSWER, rpc::RESPONSE, rpc::ERROR_CODE, As::Int32)],
    KeyInfo::write("error_text", "what failed, in words")
        => [nested(ANSWER, rpc::RESPONSE, rpc::ERROR_TEXT, As::Text)],
    KeyInfo::read("compress_type", "how the payload is compressed: 0 not, 1 snappy, 2 gzip, 3 zlib, 4 lz4").number()
        => [top(CALL, 3, As::Int32)],
    KeyInfo::read("attachment_size", "bytes at the end of the body that are no message").number()
        => [top(CALL, rpc::ATTACHMENT_SIZE, As::Int32)],
    KeyInfo::read("payload_size", "bytes of the body before the attachment").number() => [],
    KeyInfo::write("authentication_data", "what the client proves itself with, as text") => [top(CALL, 7, As::Text)],
    KeyInfo::read("authentication_size", "how many bytes that has").number() => [top(CALL, 7, As::Size)],
    KeyInfo::read("chunk_stream_id", "the message that this is a chunk of").number()
        => [nested(CALL, 6, 1, As::Int64)],
    KeyInfo::read("chunk_id", "which chunk").number() => [nested(CALL, 6, 2, As::Int64)],
    KeyInfo::write("stream_id", "the stream that is opened; in frames of streams the receiver's id of it").number() => [
        settings(REQUEST | RESPONSE, stream::STREAM_ID, As::Int64),
        top(STREAM, stream::STREAM_ID, As::Int64)
    ],
    KeyInfo::read("need_feedback", "1 if the sender wants to know what was consumed").number()
        => [settings(CALL, 2, As::Bool)],
    KeyInfo::read("writable", "1 if the sender reads what is written to its stream").number()
        => [settings(CALL, 3, As::Bool)],
    KeyInfo::write("settings_stream_id", "in responses within a frame of a stream, the server's id of it").number()
        => [settings(WRAPPED, stream::STREAM_ID, As::Int64)],
    KeyInfo::write("source_stream_id", "in frames of streams, the sender's id").number()
        => [top(STREAM, stream::SOURCE_STREAM_ID, As::Int64)],
    KeyInfo::read("frame_type", "in frames of streams: data, feedback, close or rst")
        => [top(STREAM, stream::FRAME_TYPE, As::Name(&stream::TYPES))],
    KeyInfo::read("has_continuation", "in frames of streams, 1 if the message goes on in the next").number()
        => [top(STREAM, stream::HAS_CONTINUATION, As::Bool)],
    KeyInfo::read("consumed_size", "in feedback, how many bytes were consumed").number()
        => [nested(STREAM, 5, 1, As::Int64)],
];

/// The numbers of keys that are found in a way of their own.
const PAYLOAD_SIZE: u16 = 14;

/// The metas of a frame, each with the kind of frame that its keys are looked up for.
#[derive(Clone, Copy, Debug)]
pub struct Metas<'a> {
    /// That of the frame of a stream.
    pub stream: Option<Message<'a>>,
    /// That of a call or its answer, and what it is.
    pub rpc: Option<(u8, Message<'a>)>,
}

/// The metas of a frame; only frames that no `split` made can lack the places that the header names.
pub fn metas(frame: Frame<'_>) -> Result<Metas<'_>, DecodeError> {
    let short = || Reason::UnexpectedEnd { field: "header" }.at(0);
    let [magic @ .., _, _, _, _, s0, s1, s2, s3] = frame.bytes.first_chunk::<HEADER_LEN>().ok_or_else(short)?;
    let meta: Range<usize> = HEADER_LEN..HEADER_LEN + u32::from_be_bytes([*s0, *s1, *s2, *s3]) as usize;
    if meta.end > frame.bytes.len() {
        return Err(Reason::UnexpectedEnd { field: "meta_size" }.at(META_SIZE_AT));
    }
    if *magic != STRM.to_be_bytes() {
        let on = match frame.head.kind {
            Kind::Request | Kind::StreamOpen => REQUEST,
            _ => RESPONSE,
        };
        return Ok(Metas { stream: None, rpc: Some((on, Message::new(frame.bytes, meta, RPC_META))) });
    }
    let stream = Some(Message::new(frame.bytes, meta, STREAM_META));
    let rpc = if frame.head.variant == variant::WRAPPED {
        let inner = wrapped_meta(frame.bytes, frame.head.header_len as usize).ok_or_else(short)?;
        Some((WRAPPED, Message::new(frame.bytes, inner, RPC_META)))
    } else {
        None
    };
    Ok(Metas { stream, rpc })
}

/// Bytes of the body before the attachment.
fn payload_size(frame: Frame<'_>, message: Message<'_>) -> Result<Value<'static>, DecodeError> {
    let attachment = message.last(rpc::ATTACHMENT_SIZE, As::Int32)?.map_or(0, |field| field.value as i32);
    let attachment = usize::try_from(attachment).unwrap_or(0);
    Ok(Value::UInt(frame.body().len().saturating_sub(attachment) as u64))
}

pub fn field<'a>(frame: Frame<'a>, key: &Key, limits: &Limits) -> Result<Option<Value<'a>>, DecodeError> {
    let metas = metas(frame)?;
    if key.id == Key::DYNAMIC {
        return metas.rpc.map_or(Ok(None), |(on, message)| TABLE.user(&key.name, on, message, limits));
    }
    if let Some((on, message)) = metas.rpc {
        if key.id == PAYLOAD_SIZE {
            return payload_size(frame, message).map(Some);
        }
        if let Some(slot) = TABLE.slot(key.id, on) {
            return slot.value(message);
        }
    }
    metas.stream.map_or(Ok(None), |message| TABLE.value(key.id, STREAM, message))
}

pub fn fields<'a>(frame: Frame<'a>, limits: &Limits, visit: &mut Visit<'_, 'a>) -> Result<(), DecodeError> {
    let metas = metas(frame)?;
    if let Some(message) = metas.stream
        && TABLE.walk(STREAM, message, limits, visit)?.is_break()
    {
        return Ok(());
    }
    let Some((on, message)) = metas.rpc else { return Ok(()) };
    if TABLE.walk(on, message, limits, visit)?.is_continue() {
        let _ended = visit("payload_size", payload_size(frame, message)?);
    }
    Ok(())
}
