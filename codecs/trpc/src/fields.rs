//! Metadata on demand. A look-up walks the message in front of the body once and builds nothing.

use std::ops::ControlFlow;

use metaprotocol_core::protobuf::{LEN, VARINT};
use metaprotocol_core::{DecodeError, Frame, Key, KeyInfo, Limits, Reason, Value, Visit, lossy};

use crate::message::{self, Field, Found, Message, NO_SLOT, REQUEST_META, RESPONSE_META, SLOTS, Slot};
use crate::wire::{CLOSE, DATA, FEEDBACK, Fixed, INIT, STREAM};

/// Prefix of the keys that name an entry of trans_info even if a built-in key has its name.
pub const TRANS_INFO_PREFIX: &str = "trans_info.";

macro_rules! keys {
    ($($id:ident = $number:literal, $info:expr;)*) => {
        $(pub const $id: u16 = $number;)*
        /// The keys that are always known; each key's id is its place.
        pub static KEYS: [KeyInfo; 22] = [$($info),*];
    };
}

keys! {
    CALLER = 0, KeyInfo::write("caller", "who calls: trpc.app.server.service");
    CALLEE = 1, KeyInfo::write("callee", "who is called: trpc.app.server.service");
    FUNC = 2, KeyInfo::write("func", "what is called: /package.Service/Method");
    SERVICE = 3, KeyInfo::write("service", "func before its last '/', without the first");
    METHOD = 4, KeyInfo::write("method", "func behind its last '/'");
    VERSION = 5, KeyInfo::write("version", "the entry of trans_info of that name, else the version of the header message");
    CALL_TYPE = 6, KeyInfo::read("call_type", "0 unary, 1 one-way").number();
    TIMEOUT = 7, KeyInfo::write("timeout", "of a request: milliseconds that the caller waits").number();
    MESSAGE_TYPE = 8, KeyInfo::write("message_type", "bits: 1 dyeing, 2 trace, 4 multi-env, 8 grid, 16 set").number();
    CONTENT_TYPE = 9, KeyInfo::read("content_type", "0 pb, 1 jce, 2 json, 3 flatbuffer, 4 raw, 5 xml, 6 thrift").number();
    CONTENT_ENCODING = 10, KeyInfo::read("content_encoding", "0 none, 1 gzip, 2 snappy, 3 zlib, 4 snappy stream, 5 snappy block, 6 lz4 frame, 7 lz4 block").number();
    ATTACHMENT_SIZE = 11, KeyInfo::read("attachment_size", "bytes of the attachment, which is the end of the body").number();
    BODY_SIZE = 12, KeyInfo::read("body_size", "bytes of the body in front of the attachment").number();
    RET = 13, KeyInfo::write("ret", "of an answer or a CLOSE: the framework's return code; 0 is ok").number();
    FUNC_RET = 14, KeyInfo::write("func_ret", "of an answer or a CLOSE: the function's return code; 0 is ok").number();
    ERROR_MSG = 15, KeyInfo::write("error_msg", "of an answer or a CLOSE: what went wrong");
    FRAME_TYPE = 16, KeyInfo::read("frame_type", "unary, init, data, feedback or close");
    STREAM_ID = 17, KeyInfo::write("stream_id", "of a stream's frames: the stream").number();
    PROTOCOL_VERSION = 18, KeyInfo::read("protocol_version", "the version of the fixed header; 1 is current").number();
    INIT_WINDOW_SIZE = 19, KeyInfo::read("init_window_size", "of INIT: bytes that may be sent before FEEDBACK").number();
    WINDOW_SIZE_INCREMENT = 20, KeyInfo::read("window_size_increment", "of FEEDBACK: bytes more that may be sent").number();
    CLOSE_TYPE = 21, KeyInfo::read("close_type", "of CLOSE: 0 ends one direction, 1 both").number();
}

/// The built-in key of this name.
pub fn id_of(name: &str) -> Option<u16> {
    KEYS.iter().position(|key| key.name == name).map(|at| at as u16)
}

/// Resolves a key: one of [`KEYS`], or an entry of trans_info, with or without the prefix.
pub fn key(name: &str) -> Key {
    id_of(name).map_or_else(|| Key::dynamic(name), |id| Key { name: name.into(), id })
}

/// The name in trans_info that a key means which is none of [`KEYS`].
pub fn entry_name(name: &str) -> &str {
    name.strip_prefix(TRANS_INFO_PREFIX).unwrap_or(name)
}

/// Where a message has a key; [`NO_SLOT`] if it does not. `service` and `method` are parts of `func`.
pub const fn slot(message: Message, id: u16) -> Slot {
    const fn request_meta(number: u8) -> Slot {
        REQUEST_META << 4 | number
    }
    match (message, id) {
        (Message::Request | Message::Response, VERSION) => 1,
        (Message::Request | Message::Response, CALL_TYPE) => 2,
        (Message::Request, TIMEOUT) => 4,
        (Message::Request, CALLER) => 5,
        (Message::Request, CALLEE) => 6,
        (Message::Request, FUNC) => 7,
        (Message::Request, MESSAGE_TYPE) => 8,
        (Message::Request, CONTENT_TYPE) => 10,
        (Message::Request, CONTENT_ENCODING) => 11,
        (Message::Request | Message::Response, ATTACHMENT_SIZE) => 12,
        (Message::Response, RET) => 4,
        (Message::Response, FUNC_RET) => 5,
        (Message::Response, ERROR_MSG) => 6,
        (Message::Response, MESSAGE_TYPE) => 7,
        (Message::Response, CONTENT_TYPE) => 9,
        (Message::Response, CONTENT_ENCODING) => 10,
        (Message::Open | Message::Opened, CALLER) => request_meta(1),
        (Message::Open | Message::Opened, CALLEE) => request_meta(2),
        (Message::Open | Message::Opened, FUNC) => request_meta(3),
        (Message::Open | Message::Opened, MESSAGE_TYPE) => request_meta(4),
        (Message::Open | Message::Opened, RET) => message::INIT_RET,
        (Message::Open | Message::Opened, ERROR_MSG) => RESPONSE_META << 4 | 2,
        (Message::Open | Message::Opened, INIT_WINDOW_SIZE) => 3,
        (Message::Open | Message::Opened, CONTENT_TYPE) => 4,
        (Message::Open | Message::Opened, CONTENT_ENCODING) => 5,
        (Message::Feedback, WINDOW_SIZE_INCREMENT) => 1,
        (Message::Close, CLOSE_TYPE) => 1,
        (Message::Close, RET) => 2,
        (Message::Close, ERROR_MSG) => 3,
        (Message::Close, MESSAGE_TYPE) => 4,
        (Message::Close, FUNC_RET) => 6,
        _ => NO_SLOT,
    }
}

/// True for keys whose fields hold bytes; those of the others hold numbers.
pub const fn is_text(id: u16) -> bool {
    matches!(id, CALLER | CALLEE | FUNC | ERROR_MSG)
}

/// True for numbers with a sign.
const fn is_signed(id: u16) -> bool {
    matches!(id, RET | FUNC_RET | CLOSE_TYPE)
}

fn number(id: u16, value: u64) -> Value<'static> {
    let low = value as u32;
    Value::Int(if is_signed(id) { low.cast_signed().into() } else { low.into() })
}

/// Service and method of a func. One without a slash between them is a method.
pub fn parts(func: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let func = func.strip_prefix(b"/").unwrap_or(func);
    match func.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (func.get(..at), func.get(at + 1..).unwrap_or_default()),
        None => (None, func),
    }
}

const fn frame_type(fixed: Fixed) -> &'static str {
    match (fixed.data_type, fixed.stream_type) {
        (STREAM, INIT) => "init",
        (STREAM, DATA) => "data",
        (STREAM, FEEDBACK) => "feedback",
        (STREAM, CLOSE) => "close",
        _ => "unary",
    }
}

/// What the fixed header alone tells.
fn fixed_field(fixed: Fixed, id: u16) -> Option<Value<'static>> {
    match id {
        FRAME_TYPE => Some(Value::str(frame_type(fixed))),
        STREAM_ID if fixed.data_type == STREAM => Some(Value::Int(fixed.stream_id.into())),
        PROTOCOL_VERSION => Some(Value::Int(fixed.version.into())),
        _ => None,
    }
}

/// What of a frame's message has been seen: by slot the last field of the right wire type.
struct Seen<'a> {
    fields: [Option<Found<'a>>; SLOTS],
}

impl<'a> Seen<'a> {
    /// The value of a key. Numbers that were left out are 0, in inner messages that are there or must be; texts that were
    /// left out are none.
    fn value(&self, message: Message, id: u16) -> Option<Value<'a>> {
        let slot = slot(message, id);
        let found = self.fields.get(usize::from(slot)).copied().flatten();
        if slot == NO_SLOT {
            return None;
        }
        if is_text(id) {
            return found.map(|(_, bytes)| Value::text(bytes));
        }
        let outer = slot >> 4;
        let there = message.has(outer) || self.fields.get(usize::from(outer)).is_some_and(Option::is_some);
        there.then(|| number(id, found.map_or(0, |(value, _)| value)))
    }
}

/// Whether a slot of this message holds bytes: its texts, inner messages and trans_info.
const fn holds_bytes(message: Message, at: Slot) -> bool {
    let inner = matches!(message, Message::Open | Message::Opened) && matches!(at, REQUEST_META | RESPONSE_META);
    inner
        || at == message.trans_info()
        || at == slot(message, CALLER)
        || at == slot(message, CALLEE)
        || at == slot(message, FUNC)
        || at == slot(message, ERROR_MSG)
}

/// The last field of a slot, as a look-up needs it: its number or its bytes, and whether its message is there.
fn last<'a>(
    frame: Frame<'a>,
    message: Message,
    wanted: Slot,
    wire: u8,
) -> Result<(Option<Found<'a>>, bool), DecodeError> {
    if !matches!(message, Message::Open | Message::Opened) {
        return Ok((message::last(frame.header(), wanted.into(), wire)?, true));
    }
    let outer = wanted >> 4;
    let (mut found, mut there) = (None, message.has(outer));
    message::walk(frame, message, &mut |slot, field| {
        if slot == wanted && field.wire == wire {
            found = Some((field.value, field.bytes));
        }
        there |= slot == outer && field.wire == LEN;
        Ok(())
    })?;
    Ok((found, there))
}

/// The last entry of trans_info with this name.
fn last_entry<'a>(
    frame: Frame<'a>,
    message: Message,
    name: &str,
    limits: &Limits,
) -> Result<Option<&'a [u8]>, DecodeError> {
    let wanted = message.trans_info();
    if wanted == NO_SLOT {
        return Ok(None);
    }
    let (mut found, mut count) = (None, 0);
    message::walk(frame, message, &mut |slot, field| {
        if slot == wanted && field.wire == LEN {
            count_entry(&mut count, limits, field)?;
            let (key, value) = message::entry(frame, field)?;
            if key == name.as_bytes() {
                found = Some(value);
            }
        }
        Ok(())
    })?;
    Ok(found)
}

/// Compares the number of entries with the limit.
pub fn count_entry(count: &mut u32, limits: &Limits, field: Field<'_>) -> Result<(), DecodeError> {
    *count += 1;
    if *count > limits.max_field_count {
        let max = limits.max_field_count.into();
        return Err(Reason::LimitExceeded { limit: "max_field_count", value: (*count).into(), max }.at(field.at));
    }
    Ok(())
}

pub fn field<'a>(frame: Frame<'a>, key: &Key, limits: &Limits) -> Result<Option<Value<'a>>, DecodeError> {
    let (fixed, message) = message::open(frame)?;
    let id = key.id;
    if matches!(id, FRAME_TYPE | STREAM_ID | PROTOCOL_VERSION) {
        return Ok(fixed_field(fixed, id));
    }
    if matches!(id, Key::DYNAMIC | VERSION)
        && let Some(value) = last_entry(frame, message, entry_name(&key.name), limits)?
    {
        return Ok(Some(Value::text(value)));
    }
    let of = match id {
        SERVICE | METHOD => FUNC,
        BODY_SIZE => ATTACHMENT_SIZE,
        id => id,
    };
    let slot = slot(message, of);
    if slot == NO_SLOT {
        return Ok(None);
    }
    let (found, there) = last(frame, message, slot, if is_text(of) { LEN } else { VARINT })?;
    let bytes = found.map(|(_, bytes)| bytes);
    Ok(match id {
        SERVICE => bytes.and_then(|func| parts(func).0).map(Value::text),
        METHOD => bytes.map(|func| Value::text(parts(func).1)),
        CALLER | CALLEE | FUNC | ERROR_MSG => bytes.map(Value::text),
        BODY_SIZE => Some(body_size(frame, found.map_or(0, |(value, _)| value))),
        _ => there.then(|| number(id, found.map_or(0, |(value, _)| value))),
    })
}

fn body_size(frame: Frame<'_>, attachment: u64) -> Value<'static> {
    Value::Int((frame.body().len() as u64).saturating_sub(u64::from(attachment as u32)) as i64)
}

/// Why a walk over all fields ends early.
enum Stop {
    Asked,
    Broken(DecodeError),
}

pub fn fields<'a>(frame: Frame<'a>, limits: &Limits, visit: &mut Visit<'_, 'a>) -> Result<(), DecodeError> {
    match all(frame, limits, visit) {
        Ok(()) | Err(Stop::Asked) => Ok(()),
        Err(Stop::Broken(error)) => Err(error),
    }
}

fn all<'a>(frame: Frame<'a>, limits: &Limits, visit: &mut Visit<'_, 'a>) -> Result<(), Stop> {
    let (fixed, message) = message::open(frame).map_err(Stop::Broken)?;
    let mut give = |name: &str, value| match visit(name, value) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Stop::Asked),
    };
    let mut seen = Seen { fields: [None; SLOTS] };
    let walked = message::walk(frame, message, &mut |slot, field| {
        let wire = if holds_bytes(message, slot) { LEN } else { VARINT };
        if let (Some(seen), true) = (seen.fields.get_mut(usize::from(slot)), field.wire == wire) {
            *seen = Some((field.value, field.bytes));
        }
        Ok(())
    });
    for (id, known) in KEYS.iter().enumerate() {
        let id = id as u16;
        let func = || {
            let slot = slot(message, FUNC);
            let (_, func) = seen.fields.get(usize::from(slot)).copied().flatten().filter(|_| slot != NO_SLOT)?;
            Some(func)
        };
        let value = match id {
            SERVICE => func().and_then(|func| parts(func).0).map(Value::text),
            METHOD => func().map(|func| Value::text(parts(func).1)),
            BODY_SIZE if slot(message, ATTACHMENT_SIZE) != NO_SLOT => {
                let attachment = seen.fields.get(usize::from(slot(message, ATTACHMENT_SIZE))).copied().flatten();
                Some(body_size(frame, attachment.map_or(0, |(value, _)| value)))
            }
            FRAME_TYPE | STREAM_ID | PROTOCOL_VERSION => fixed_field(fixed, id),
            id => seen.value(message, id),
        };
        if let Some(value) = value {
            give(&known.name, value)?;
        }
    }
    walked.map_err(Stop::Broken)?;

    let (mut count, mut asked) = (0, false);
    message::walk(frame, message, &mut |slot, field| {
        if asked || slot != message.trans_info() || slot == NO_SLOT || field.wire != LEN {
            return Ok(());
        }
        count_entry(&mut count, limits, field)?;
        let (name, value) = message::entry(frame, field)?;
        let name = lossy(name);
        let hidden = name.starts_with(TRANS_INFO_PREFIX) || id_of(&name).is_some_and(|id| id != VERSION);
        let given = if hidden {
            give(&format!("{TRANS_INFO_PREFIX}{name}"), Value::text(value))
        } else {
            give(&name, Value::text(value))
        };
        asked = given.is_err();
        Ok(())
    })
    .map_err(Stop::Broken)
}
