//! Metadata: the keys of the meta, found by the numbers of their fields. The service and the method are the two halves of
//! one name.

use std::borrow::Cow;

use metaprotocol_brpc::meta::{As, Message, REQUEST, RESPONSE, Table, field as top};
use metaprotocol_brpc::table;
use metaprotocol_core::{DecodeError, Frame, Key, KeyInfo, Kind, Limits, Reason, Value, Visit};

use crate::split::{META, sizes};
use crate::wire::{HEADER_LEN, META_SIZE_AT, meta};

/// The keys that are always known, and where they are found.
pub static TABLE: Table = table![
    users: [];
    KeyInfo::write("service", "the service called, with its package") => [],
    KeyInfo::write("interface", "the same as `service`, by its name in Dubbo") => [],
    KeyInfo::write("method", "the method called") => [],
    KeyInfo::write("full_method", "service and method, as they are sent") => [top(REQUEST, meta::METHOD, As::Text)],
    KeyInfo::read("failed", "1 if the call failed").number() => [top(RESPONSE, meta::FAILED, As::Bool)],
    KeyInfo::write("error_code", "what failed, as a number; 0 is success").number()
        => [top(RESPONSE, meta::ERROR_CODE, As::Int32)],
    KeyInfo::write("error_text", "what failed, in words") => [top(RESPONSE, meta::REASON, As::Text)],
    KeyInfo::read("compress_type", "how the body is compressed: 0 not, 1 gzip, 2 zlib, 3 snappy, 4 lz4").number()
        => [top(REQUEST | RESPONSE, 300, As::Int32)],
    KeyInfo::read("expected_response_compress_type", "how the caller wants the answer compressed").number()
        => [top(REQUEST | RESPONSE, 301, As::Int32)],
];

/// The number of `full_method`.
const FULL_METHOD: u16 = 3;

/// Which fields of the meta a frame has.
pub const fn on(frame: Frame<'_>) -> u8 {
    if matches!(frame.head.kind, Kind::Request) { REQUEST } else { RESPONSE }
}

/// The meta of a frame; only frames that no `split` made can lack it.
pub fn message(frame: Frame<'_>) -> Result<Message<'_>, DecodeError> {
    let header = frame.bytes.first_chunk::<HEADER_LEN>().ok_or(Reason::UnexpectedEnd { field: "header" }.at(0))?;
    let place = HEADER_LEN..HEADER_LEN + sizes(header).0 as usize;
    if place.end > frame.bytes.len() {
        return Err(Reason::UnexpectedEnd { field: "meta_size" }.at(META_SIZE_AT));
    }
    Ok(Message::new(frame.bytes, place, META))
}

/// The halves of a full name: the service, and the method behind the last dot. A name without a dot is a method.
pub fn halves(name: &str) -> (Option<&str>, &str) {
    name.rsplit_once('.').map_or((None, name), |(service, method)| (Some(service), method))
}

fn pick<'n>(name: &'n str, key: &str) -> Option<&'n str> {
    let (service, method) = halves(name);
    if key == "method" { Some(method) } else { service }
}

/// One of the halves, borrowed if the name is.
fn half<'a>(name: &Value<'a>, key: &str) -> Option<Value<'a>> {
    match name {
        Value::Str(Cow::Borrowed(name)) => pick(name, key).map(Value::str),
        other => pick(&other.to_text(), key).map(|half| Value::Str(Cow::Owned(half.to_owned()))),
    }
}

pub fn field<'a>(frame: Frame<'a>, key: &Key, _limits: &Limits) -> Result<Option<Value<'a>>, DecodeError> {
    let (message, on) = (message(frame)?, on(frame));
    if key.id < FULL_METHOD {
        let name = TABLE.value(FULL_METHOD, on, message)?;
        return Ok(name.and_then(|name| half(&name, &key.name)));
    }
    TABLE.value(key.id, on, message)
}

pub fn fields<'a>(frame: Frame<'a>, limits: &Limits, visit: &mut Visit<'_, 'a>) -> Result<(), DecodeError> {
    let (message, on) = (message(frame)?, on(frame));
    if TABLE.walk(on, message, limits, visit)?.is_break() {
        return Ok(());
    }
    let Some(name) = TABLE.value(FULL_METHOD, on, message)? else { return Ok(()) };
    for key in ["service", "interface", "method"] {
        if half(&name, key).is_some_and(|half| visit(key, half).is_break()) {
            break;
        }
    }
    Ok(())
}
