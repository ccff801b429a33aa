//! Metadata on demand.

use std::borrow::Cow;
use std::ops::{ControlFlow, Range};

use metaprotocol_core::{DecodeError, Frame, Key, KeyInfo, Limits, Value, Visit, lossy};

use crate::header::{self, Header};
use crate::inflate::Inflater;
use crate::message::{self, Family, Message};
use crate::walk::{self, Field};
use crate::window::{Window, unzigzag};
use crate::wire::{LENGTH_LEN, MessageType, Protocol, Transport, Type, Variant};

/// Prefix of the keys that name an info header even if a built-in key has its name.
pub(crate) const HEADER_PREFIX: &str = "header.";
/// Prefix of the keys that name a top-level field of the struct by its id.
pub(crate) const ARGUMENT_PREFIX: &str = "arg.";
/// Separates service and method in the names that multiplexed clients send.
pub(crate) const SEPARATOR: u8 = b':';

macro_rules! keys {
    ($($id:ident = $number:literal, $info:expr;)*) => {
        $(pub(crate) const $id: u16 = $number;)*
        /// The built-in keys; each key's id is its place.
        pub(crate) const KEYS: &[KeyInfo] = &[$($info),*];
    };
}

keys! {
    METHOD = 0, KeyInfo::write("method", "full name of the method, with the service's prefix if the client sends one");
    SERVICE = 1, KeyInfo::write("service", "part of the name before ':', which multiplexed clients send");
    METHOD_NAME = 2, KeyInfo::write("method_name", "part of the name after ':', or all of it");
    MESSAGE_TYPE = 3, KeyInfo::read("message_type", "call, reply, exception or oneway");
    SEQ_ID = 4, KeyInfo::write("seq_id", "sequence id of the message").number();
    TRANSPORT = 5, KeyInfo::read("transport", "framed, unframed or header");
    PROTOCOL = 6, KeyInfo::read("protocol", "binary, binary_old or compact");
    REPLY_TYPE = 7, KeyInfo::read("reply_type", "of a reply: success, or error if it carries a declared exception");
    EXCEPTION_FIELD = 8, KeyInfo::read("exception_field", "of a reply: field id of the declared exception").number();
    EXCEPTION_TYPE = 9, KeyInfo::read("exception_type", "of an exception: number of the TApplicationException").number();
    EXCEPTION_MESSAGE = 10, KeyInfo::read("exception_message", "of an exception: its message");
}

/// The built-in key of this name.
pub(crate) fn key_id(name: &str) -> Option<u16> {
    KEYS.iter().position(|key| key.name == name).map(|at| at as u16)
}

/// Fields of the struct that an exception message carries.
pub(crate) const EXCEPTION_MESSAGE_ID: i16 = 1;
pub(crate) const EXCEPTION_TYPE_ID: i16 = 2;

/// How much of a compressed payload must be read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    Head,
    Body,
}

/// A frame with its message head read.
pub(crate) struct Opened<'a> {
    pub(crate) variant: Variant,
    pub(crate) header: Option<Header>,
    /// What the message's offsets count in: the frame, or the inflated payload.
    pub(crate) bytes: Cow<'a, [u8]>,
    pub(crate) message: Message,
    /// Where errors in inflated bytes are reported.
    payload_at: Option<usize>,
}

/// Reads the head of a frame's message.
pub(crate) fn open<'a>(frame: Frame<'a>, depth: Depth, max_len: u64) -> Result<Opened<'a>, DecodeError> {
    let variant = Variant::unpack(frame.head.variant);
    let family = if variant.protocol == Protocol::Compact { Family::Compact } else { Family::Binary };
    let buf = frame.bytes;
    let complete = |stop: crate::window::Stop| stop.complete(buf.len());
    let header = read_header(frame)?;
    let (bytes, at, payload_at) = match &header {
        Some(header) if header.zlib => {
            let payload = buf.get(header.payload_at..).unwrap_or_default();
            let mut inflater = Inflater::new();
            let bytes = match depth {
                Depth::Body => inflater.all(payload, header.payload_at, max_len)?,
                Depth::Head => inflater.head(payload, header.payload_at, max_len, |out, end| {
                    message::read(Window::new(out, 0, end), header.family, usize::MAX).map(|_| out.to_vec())
                })?,
            };
            (Cow::Owned(bytes), 0, Some(header.payload_at))
        }
        Some(header) => (Cow::Borrowed(buf), header.payload_at, None),
        None if variant.transport == Transport::Framed => (Cow::Borrowed(buf), LENGTH_LEN, None),
        None => (Cow::Borrowed(buf), 0, None),
    };
    let family = header.map_or(family, |header| header.family);
    let message = message::read(Window::whole(&bytes, at), family, usize::MAX)
        .map_err(complete)
        .map_err(|error| place(error, payload_at))?;
    Ok(Opened { variant, header, bytes, message, payload_at })
}

/// The THeader of a frame that has one.
pub(crate) fn read_header(frame: Frame<'_>) -> Result<Option<Header>, DecodeError> {
    if Variant::unpack(frame.head.variant).transport != Transport::Header {
        return Ok(None);
    }
    let len = frame.bytes.len();
    header::read(frame.bytes, len, usize::MAX).map(Some).map_err(|stop| stop.complete(len))
}

/// An offset in inflated bytes means nothing on the wire: the payload's stands for it.
const fn place(error: DecodeError, payload_at: Option<usize>) -> DecodeError {
    match payload_at {
        Some(at) => error.reason.at(at),
        None => error,
    }
}

impl<'a> Opened<'a> {
    fn compact(&self) -> bool {
        self.message.protocol == Protocol::Compact
    }

    fn text(&self, range: Range<usize>) -> Value<'a> {
        Value::Str(match &self.bytes {
            Cow::Borrowed(bytes) => lossy(bytes.get(range).unwrap_or_default()),
            Cow::Owned(bytes) => Cow::Owned(lossy(bytes.get(range).unwrap_or_default()).into_owned()),
        })
    }

    pub(crate) fn name(&self) -> &[u8] {
        self.bytes.get(self.message.name.clone()).unwrap_or_default()
    }

    /// Where the service's part of the name ends, if it has one.
    fn separator(&self) -> Option<usize> {
        self.name().iter().position(|byte| *byte == SEPARATOR).map(|at| self.message.name.start + at)
    }

    pub(crate) fn service(&self) -> Option<Range<usize>> {
        self.separator().map(|at| self.message.name.start..at)
    }

    pub(crate) fn method_name(&self) -> Range<usize> {
        self.separator().map_or(self.message.name.start, |at| at + 1)..self.message.name.end
    }

    /// The struct's first top-level field of this id.
    fn find(&self, id: i16, limits: &Limits) -> Result<Option<Field>, DecodeError> {
        let compact = self.compact();
        let mut at = self.message.body_at;
        let mut previous = 0;
        // Each turn takes at least the byte of a field's head.
        loop {
            let window = Window::whole(&self.bytes, at);
            let field = match walk::read_field(window, compact, previous) {
                Ok(Ok(field)) => field,
                Ok(Err(_)) => return Ok(None),
                Err(stop) => return Err(place(stop.complete(self.bytes.len()), self.payload_at)),
            };
            if field.id == id {
                return Ok(Some(field));
            }
            previous = field.id;
            at = walk::skip(&self.bytes, field, compact, limits.max_nesting)
                .map_err(|error| place(error, self.payload_at))?;
        }
    }

    fn field_by_id(&self, id: i16, limits: &Limits) -> Result<Option<Value<'a>>, DecodeError> {
        match self.find(id, limits)? {
            Some(field) => self.value(field).map_err(|error| place(error, self.payload_at)),
            None => Ok(None),
        }
    }

    /// A string, number or UUID; other values have no short text.
    fn value(&self, field: Field) -> Result<Option<Value<'a>>, DecodeError> {
        let compact = self.compact();
        let mut window = Window::whole(&self.bytes, field.value_at);
        let complete = |stop: crate::window::Stop| stop.complete(self.bytes.len());
        let number = match field.ty {
            Type::Bool => match field.inline_bool {
                Some(value) => value.into(),
                None => i64::from(window.u8("value").map_err(complete)? != 0),
            },
            Type::Byte => i64::from(window.u8("value").map_err(complete)? as i8),
            Type::I16 if !compact => i64::from(i16::from_be_bytes(window.array("value").map_err(complete)?)),
            Type::I32 if !compact => i64::from(window.i32("value").map_err(complete)?),
            Type::I64 if !compact => i64::from_be_bytes(window.array("value").map_err(complete)?),
            Type::I16 | Type::I32 => unzigzag(window.varint::<32>("value").map_err(complete)?),
            Type::I64 => unzigzag(window.varint::<64>("value").map_err(complete)?),
            Type::Double => {
                let bytes = window.array("value").map_err(complete)?;
                // Apache Thrift writes doubles of compact with the lowest byte first, and binary's with the highest.
                let value = if compact { f64::from_le_bytes(bytes) } else { f64::from_be_bytes(bytes) };
                return Ok(Some(Value::Str(Cow::Owned(value.to_string()))));
            }
            Type::Binary => {
                let len = if compact { window.varint_length("string length") } else { window.length("string length") }
                    .map_err(complete)?;
                window.require(len, "value").map_err(complete)?;
                return Ok(Some(self.text(window.at..window.at + len)));
            }
            Type::Uuid => {
                let value = u128::from_be_bytes(window.array("value").map_err(complete)?);
                let (time, node) = ((value >> 64) as u64, value as u64);
                let text = format!(
                    "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
                    time >> 32,
                    time >> 16 & 0xffff,
                    time & 0xffff,
                    node >> 48,
                    node & 0xffff_ffff_ffff
                );
                return Ok(Some(Value::Str(Cow::Owned(text))));
            }
            Type::Struct | Type::Map | Type::Set | Type::List => return Ok(None),
        };
        Ok(Some(Value::Int(number)))
    }

    /// The first field of a reply, which tells a result from a declared exception; `None` for a void result.
    fn first_field(&self) -> Result<Option<Field>, DecodeError> {
        let window = Window::whole(&self.bytes, self.message.body_at);
        match walk::read_field(window, self.compact(), 0) {
            Ok(field) => Ok(field.ok()),
            Err(stop) => Err(place(stop.complete(self.bytes.len()), self.payload_at)),
        }
    }

    /// A built-in field.
    fn built_in(&self, id: u16, limits: &Limits) -> Result<Option<Value<'a>>, DecodeError> {
        let is = |message_type| self.message.message_type == message_type;
        Ok(match id {
            METHOD => Some(self.text(self.message.name.clone())),
            SERVICE => self.service().map(|range| self.text(range)),
            METHOD_NAME => Some(self.text(self.method_name())),
            MESSAGE_TYPE => Some(Value::str(self.message.message_type.name())),
            SEQ_ID => Some(Value::Int(self.message.sequence_id.into())),
            TRANSPORT => Some(Value::str(self.variant.transport.name())),
            PROTOCOL => Some(Value::str(self.message.protocol.name())),
            REPLY_TYPE if is(MessageType::Reply) => {
                let declared = self.first_field()?.is_some_and(|field| field.id != 0);
                Some(Value::str(if declared { "error" } else { "success" }))
            }
            EXCEPTION_FIELD if is(MessageType::Reply) => {
                self.first_field()?.filter(|field| field.id != 0).map(|field| Value::Int(field.id.into()))
            }
            EXCEPTION_MESSAGE if is(MessageType::Exception) => {
                self.field_by_id(EXCEPTION_MESSAGE_ID, limits)?.filter(|value| matches!(value, Value::Str(_)))
            }
            EXCEPTION_TYPE if is(MessageType::Exception) => {
                self.field_by_id(EXCEPTION_TYPE_ID, limits)?.filter(|value| matches!(value, Value::Int(_)))
            }
            _ => None,
        })
    }
}

/// Body for the keys that need the struct, not the message head alone. Calls have none of them: their compressed payloads
/// are not inflated for nothing.
fn depth(frame: Frame<'_>, id: u16) -> Depth {
    match id {
        REPLY_TYPE | EXCEPTION_FIELD | EXCEPTION_TYPE | EXCEPTION_MESSAGE if frame.head.kind.is_response() => {
            Depth::Body
        }
        _ => Depth::Head,
    }
}

/// The name of a strict binary message without THeader, whose place `split` has told already: between the name's length
/// and the sequence id.
fn plain_name(frame: Frame<'_>) -> Option<&[u8]> {
    let variant = Variant::unpack(frame.head.variant);
    let start = match variant.transport {
        Transport::Framed => LENGTH_LEN,
        Transport::Unframed => 0,
        Transport::Header => return None,
    };
    if variant.protocol != Protocol::Binary {
        return None;
    }
    frame.header().get(start + 8..frame.header().len().checked_sub(4)?)
}

/// The verb: one field.
pub(crate) fn field<'a>(frame: Frame<'a>, key: &Key, limits: &Limits) -> Result<Option<Value<'a>>, DecodeError> {
    if key.id == METHOD
        && let Some(name) = plain_name(frame)
        && let Ok(name) = str::from_utf8(name)
    {
        return Ok(Some(Value::str(name)));
    }
    if key.id != Key::DYNAMIC {
        return open(frame, depth(frame, key.id), limits.max_frame_len)?.built_in(key.id, limits);
    }
    if let Some(id) = argument_id(&key.name) {
        return open(frame, Depth::Body, limits.max_frame_len)?.field_by_id(id, limits);
    }
    let Some(header) = read_header(frame)? else { return Ok(None) };
    let wanted = header_name(&key.name).as_bytes();
    let mut value = None;
    header::walk_infos(frame.bytes, &header, limits, |_, info| {
        if let Some(info) = info
            && frame.bytes.get(info.key).is_some_and(|key| key.eq_ignore_ascii_case(wanted))
        {
            value = frame.bytes.get(info.value);
        }
        true
    })?;
    Ok(value.map(Value::text))
}

/// The info header that a key means.
pub(crate) fn header_name(key: &str) -> &str {
    key.strip_prefix(HEADER_PREFIX).unwrap_or(key)
}

/// The field id that a key means, if it means one.
pub(crate) fn argument_id(key: &str) -> Option<i16> {
    key.strip_prefix(ARGUMENT_PREFIX)?.parse().ok()
}

/// The verb: all fields, in the frame's order.
pub(crate) fn fields<'a>(frame: Frame<'a>, limits: &Limits, visit: &mut Visit<'_, 'a>) -> Result<(), DecodeError> {
    if let Some(header) = read_header(frame)? {
        let mut flow = ControlFlow::Continue(());
        header::walk_infos(frame.bytes, &header, limits, |_, info| {
            if let Some(info) = info {
                flow = visit_info(frame.bytes, &info, visit);
            }
            flow.is_continue()
        })?;
        if flow.is_break() {
            return Ok(());
        }
    }
    // Calls need no more than the head; what a reply says of itself stands in its struct.
    let depth = if frame.head.kind.is_response() { Depth::Body } else { Depth::Head };
    let opened = open(frame, depth, limits.max_frame_len)?;
    for (id, key) in KEYS.iter().enumerate() {
        if let Some(value) = opened.built_in(id as u16, limits)?
            && visit(&key.name, value).is_break()
        {
            return Ok(());
        }
    }
    Ok(())
}

/// Shows an info header under its lower-cased key. One that a built-in key hides is shown with its prefix.
fn visit_info<'a>(bytes: &'a [u8], info: &header::Info, visit: &mut Visit<'_, 'a>) -> ControlFlow<()> {
    let key = lossy(bytes.get(info.key.clone()).unwrap_or_default());
    let key =
        if key.bytes().any(|byte| byte.is_ascii_uppercase()) { Cow::Owned(key.to_ascii_lowercase()) } else { key };
    let value = Value::text(bytes.get(info.value.clone()).unwrap_or_default());
    if key_id(&key).is_some() || argument_id(&key).is_some() || key.starts_with(HEADER_PREFIX) {
        return visit(&format!("{HEADER_PREFIX}{key}"), value);
    }
    visit(&key, value)
}
