//! Metadata: the keys of the message behind nshead, and the fields of nshead.

use std::ops::ControlFlow;

use metaprotocol_brpc::meta::{As, Message, REQUEST, RESPONSE, Table, first, nested};
use metaprotocol_brpc::table;
use metaprotocol_core::{DecodeError, Frame, Key, KeyInfo, Kind, Limits, Value, Visit};
use metaprotocol_nova::nshead::{HEADER_LEN, Part, decimal, header};

use crate::split::MESSAGE;
use crate::wire::{BODY, HEAD, head, request, response};

/// The keys that are always known, and where they are found.
pub static TABLE: Table = table![
    users: [];
    KeyInfo::write("service", "the service called, without its package")
        => [first(REQUEST, BODY, request::SERVICE, As::Text)],
    KeyInfo::write("interface", "the same as `service`, by its name in Dubbo")
        => [first(REQUEST, BODY, request::SERVICE, As::Text)],
    KeyInfo::read("method", "the method called, by its index") => [],
    KeyInfo::write("method_index", "the position of the method in the service, from 0").number()
        => [first(REQUEST, BODY, request::METHOD_ID, As::UInt32)],
    KeyInfo::write("log_id", "the caller's number for its log").number() => [nested(REQUEST, HEAD, 7, As::UInt64)],
    KeyInfo::write("error_code", "what failed, as a number; 0 is success").number()
        => [nested(RESPONSE, HEAD, head::CODE, As::SInt32)],
    KeyInfo::write("error_text", "what failed, in words, or success")
        => [nested(RESPONSE, HEAD, head::TEXT, As::Text)],
    KeyInfo::read("body_error", "an error of the body, which bRPC does not use").number()
        => [first(RESPONSE, BODY, 3, As::Int32)],
    KeyInfo::read("compress_type", "how the payload is compressed: 0 not, 1 snappy").number()
        => [nested(REQUEST, HEAD, 8, As::UInt32), nested(RESPONSE, HEAD, 4, As::UInt32)],
    KeyInfo::read("payload_size", "bytes of the service's own message").number()
        => [first(REQUEST, BODY, 6, As::Size), first(RESPONSE, BODY, 1, As::Size)],
    KeyInfo::write("from_host", "the address of the sender, as it tells")
        => [nested(REQUEST, HEAD, 1, As::Text), nested(RESPONSE, HEAD, 3, As::Text)],
    KeyInfo::read("content_type", "always 1").number() => [nested(REQUEST, HEAD, 2, As::UInt32)],
    KeyInfo::read("keep_alive", "1 if the connection stays").number() => [nested(REQUEST, HEAD, 3, As::Bool)],
    KeyInfo::read("charset", "always utf-8") => [nested(REQUEST, HEAD, 4, As::Text)],
    KeyInfo::read("accept_charset", "what the client reads") => [nested(REQUEST, HEAD, 5, As::Text)],
    KeyInfo::write("create_time", "when the request was made, as text") => [nested(REQUEST, HEAD, 6, As::Text)],
    KeyInfo::write("version", "the version of the client's protocol, pbrpc=1.0") => [
        first(REQUEST, BODY, request::VERSION, As::Text),
        first(RESPONSE, BODY, response::VERSION, As::Text)
    ],
    KeyInfo::write("nshead_id", "the id of the header").number() => [],
    KeyInfo::write("nshead_version", "the version of the header, 1000").number() => [],
    KeyInfo::write("nshead_log_id", "the log id of the header").number() => [],
    KeyInfo::write("provider", "__pbrpc__") => [],
];

/// The numbers of keys that are found in a way of their own.
const METHOD: u16 = 2;
const METHOD_INDEX: u16 = 3;

/// Which message a frame holds.
pub const fn on(frame: Frame<'_>) -> u8 {
    if matches!(frame.head.kind, Kind::Request) { REQUEST } else { RESPONSE }
}

/// The message of a frame.
pub fn message(frame: Frame<'_>) -> Message<'_> {
    Message::new(frame.bytes, HEADER_LEN..frame.bytes.len(), MESSAGE)
}

/// The keys of the header, and the fields that they read and write.
pub const PARTS: [(&str, Part); 4] = [
    ("nshead_id", Part::Id),
    ("nshead_version", Part::Version),
    ("nshead_log_id", Part::LogId),
    ("provider", Part::Provider),
];

pub fn field<'a>(frame: Frame<'a>, key: &Key, _limits: &Limits) -> Result<Option<Value<'a>>, DecodeError> {
    let header = header(frame.bytes)?;
    if let Some((_, part)) = PARTS.iter().find(|(name, _)| *name == &*key.name) {
        return Ok(part.value(header));
    }
    let (message, on) = (message(frame), on(frame));
    if key.id == METHOD {
        return Ok(decimal(TABLE.value(METHOD_INDEX, on, message)?));
    }
    TABLE.value(key.id, on, message)
}

pub fn fields<'a>(frame: Frame<'a>, limits: &Limits, visit: &mut Visit<'_, 'a>) -> Result<(), DecodeError> {
    let header = header(frame.bytes)?;
    let flow = PARTS.iter().try_for_each(|(name, part)| match part.value(header) {
        Some(value) => visit(name, value),
        None => ControlFlow::Continue(()),
    });
    if flow.is_break() {
        return Ok(());
    }
    let mut visit = |key: &str, value: Value<'a>| {
        if key == "method_index"
            && let Some(method) = decimal(Some(value.clone()))
        {
            visit("method", method)?;
        }
        visit(key, value)
    };
    TABLE.walk(on(frame), message(frame), limits, &mut visit).map(|_| ())
}
