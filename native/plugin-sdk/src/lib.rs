//! Makes any [`metaprotocol_core::Codec`] a compiled plugin: a `cdylib` crate with one line,
//! `metaprotocol_plugin_sdk::export_codecs!(Acorn);`, is a library that every host of the C ABI loads.
//!
//! Panics stop at the boundary and are reported as failures of the codec.

use std::any::Any;
use std::borrow::Cow;
use std::cell::RefCell;
use std::ffi::{CString, c_char, c_void};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use metaprotocol_core::{
    Codec, DecodeError, Detection, Direction, Edits, EncodeError, ErrorType, Frame, Head, Info, Key, Kind, Limits,
    Reason, Reply, RequestId, Segments, Split, Value,
};

pub mod abi;

const PANICKED: &str = "the codec panicked; what it said is on standard error";
const BROKEN_HOST: &str = "the host passed what the ABI does not define";
/// The longest string of an error, in bytes.
const MAX_TEXT: usize = 256;

/// Exports codecs from a `cdylib` crate, under the symbol that hosts look for. Takes values: `export_codecs!(Acorn, Oak::new())`.
#[macro_export]
macro_rules! export_codecs {
    ($($codec:expr),+ $(,)?) => {
        /// The codecs of this library, ended by null.
        #[unsafe(no_mangle)]
        pub extern "C" fn metaprotocol_codecs_v1() -> *const *const $crate::abi::Codec {
            static TABLES: ::std::sync::OnceLock<$crate::Tables> = ::std::sync::OnceLock::new();
            $crate::tables(&TABLES, || ::std::vec![$($crate::Table::new($codec)),+])
        }
    };
}

/// What the functions of one table find behind its `context`.
struct Exported<C> {
    codec: C,
    /// The keys of its info, resolved.
    keys: Vec<Key>,
}

/// The table of one codec. It lives as long as the process, as hosts expect.
#[derive(Clone, Copy, Debug)]
pub struct Table(*const abi::Codec);

/// The tables of a library.
#[derive(Debug)]
pub struct Tables(Vec<*const abi::Codec>);

// SAFETY: the pointers are to memory that is never written to and never freed; codecs are `Sync`.
unsafe impl Send for Tables {}
// SAFETY: as above.
unsafe impl Sync for Tables {}

/// The list that a library's function returns; null if a codec could not be made.
pub fn tables(cell: &std::sync::OnceLock<Tables>, make: impl FnOnce() -> Vec<Table>) -> *const *const abi::Codec {
    let list = catch_unwind(AssertUnwindSafe(|| {
        cell.get_or_init(|| Tables(make().into_iter().map(|table| table.0).chain([ptr::null()]).collect())).0.as_ptr()
    }));
    list.unwrap_or(ptr::null())
}

fn leaked(text: &str) -> *const c_char {
    CString::new(text.replace('\0', "")).unwrap_or_default().into_raw()
}

impl Table {
    /// A table for a codec.
    pub fn new<C: Codec>(codec: C) -> Self {
        let Info {
            name,
            aliases,
            summary,
            pair_by,
            sharing,
            first_speaker,
            heartbeats,
            min_header_len,
            keys,
            open_keys,
        } = codec.info().clone();
        let aliases: Vec<_> = aliases.iter().map(|alias| leaked(alias)).chain([ptr::null()]).collect();
        let exported = Exported { keys: keys.iter().map(|key| codec.key(&key.name)).collect(), codec };
        let keys: Vec<_> = keys
            .iter()
            .map(|key| abi::Key {
                name: leaked(&key.name),
                about: leaked(&key.about),
                writable: key.writable.into(),
                number: key.number.into(),
                reserved: [0; 6],
            })
            .collect();
        Self(Box::into_raw(Box::new(abi::Codec {
            abi_version: abi::ABI_VERSION,
            struct_size: size_of::<abi::Codec>() as u32,
            context: Box::into_raw(Box::new(exported)).cast(),
            name: leaked(&name),
            summary: leaked(&summary),
            aliases: aliases.leak().as_ptr(),
            key_count: keys.len() as u32,
            keys: keys.leak().as_ptr(),
            min_header_len,
            pair_by: pair_by as u8,
            sharing: sharing as u8,
            first_speaker: first_speaker as u8,
            heartbeats: heartbeats.into(),
            open_keys: open_keys.into(),
            reserved: [0; 3],
            state_new: Some(state_new::<C>),
            state_free: Some(state_free::<C>),
            split: Some(split::<C>),
            fields: Some(fields::<C>),
            field: Some(field::<C>),
            rewrite: Some(rewrite::<C>),
            reply: Some(reply::<C>),
            detect: Some(detect::<C>),
        })))
    }
}

/// The codec behind a table.
///
/// # Safety
/// `codec` is a table that [`Table::new`] made for `C`.
unsafe fn exported<'t, C: Codec>(codec: *const abi::Codec) -> &'t Exported<C> {
    // SAFETY: `Table::new` made both, and neither is ever freed or written to.
    unsafe { &*(*codec).context.cast::<Exported<C>>() }
}

/// Bytes that a host passed.
///
/// # Safety
/// `bytes` points to `len` bytes that stay as they are for `'a`, unless `len` is 0.
unsafe fn slice<'a>(bytes: *const u8, len: usize) -> &'a [u8] {
    if len == 0 {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(bytes, len) }
}

/// Text that a host passed.
///
/// # Safety
/// As [`slice`].
unsafe fn text<'a>(bytes: *const c_char, len: usize) -> Option<&'a str> {
    // SAFETY: the caller's promise.
    std::str::from_utf8(unsafe { slice(bytes.cast(), len) }).ok()
}

fn direction(number: u32) -> Option<Direction> {
    match number {
        0 => Some(Direction::ClientToServer),
        1 => Some(Direction::ServerToClient),
        _ => None,
    }
}

/// # Safety
/// `limits` points to limits.
unsafe fn limits(limits: *const abi::Limits) -> Limits {
    // SAFETY: the caller's promise.
    let abi::Limits { max_frame_len, max_header_len, max_nesting, max_field_count, max_in_flight } = unsafe { *limits };
    Limits { max_frame_len, max_header_len, max_nesting, max_field_count, max_in_flight }
}

/// # Safety
/// `frame` points to a frame whose bytes stay as they are for `'a`.
unsafe fn frame<'a>(frame: *const abi::Frame) -> Option<Frame<'a>> {
    // SAFETY: the caller's promise.
    let abi::Frame { bytes, len, head } = unsafe { *frame };
    // SAFETY: the caller's promise.
    let bytes = unsafe { slice(bytes, usize::try_from(len).ok()?) };
    let request_id = match head.id_type {
        abi::ID_INT => RequestId::Int(head.request_id),
        abi::ID_BYTES => RequestId::Bytes { at: head.id_at, len: head.id_len },
        _ => RequestId::None,
    };
    let head = Head {
        kind: *Kind::ALL.get(usize::from(head.kind))?,
        request_id,
        stream_id: (head.has_stream_id != 0).then_some(head.stream_id),
        header_len: head.header_len,
        frame_len: usize::try_from(head.frame_len).ok()?,
        variant: head.variant,
    };
    Frame::new(head, bytes)
}

thread_local! {
    /// What the strings of the last error of this thread point to.
    static TEXTS: RefCell<[CString; 2]> = RefCell::default();
}

/// A text of an error, kept until this thread makes the next one in the same slot.
fn kept(slot: usize, text: &str) -> *const c_char {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = CString::new(text.get(..end).unwrap_or_default().replace('\0', "")).unwrap_or_default();
    let keep = |texts: &RefCell<[CString; 2]>| {
        let mut texts = texts.borrow_mut();
        let Some(place) = texts.get_mut(slot) else { return c"".as_ptr() };
        *place = text;
        place.as_ptr()
    };
    // Only a thread that is ending has none.
    TEXTS.try_with(keep).unwrap_or(c"".as_ptr())
}

fn failed(what: &str) -> abi::Error {
    abi::Error { reason: abi::FAILED, name: kept(0, what), ..abi::Error::EMPTY }
}

fn decode_error(error: &DecodeError) -> abi::Error {
    let signed = i64::cast_unsigned;
    let (reason, name, found, expected) = match error.reason {
        Reason::BadMagic { expected, found } => (abi::BAD_MAGIC, "", found, expected),
        Reason::BadLength { field, value } => (abi::BAD_LENGTH, field, signed(value), 0),
        Reason::BadValue { field, value } => (abi::BAD_VALUE, field, signed(value), 0),
        Reason::BadEncoding { field } => (abi::BAD_ENCODING, field, 0, 0),
        Reason::UnexpectedEnd { field } => (abi::UNEXPECTED_END, field, 0, 0),
        Reason::Unsupported { what, value } => (abi::UNSUPPORTED, what, signed(value), 0),
        Reason::WrongDirection { what } => (abi::WRONG_DIRECTION, what, 0, 0),
        Reason::LimitExceeded { limit, value, max } => (abi::LIMIT_EXCEEDED, limit, value, max),
        Reason::BadChecksum { field, expected, found } => (abi::BAD_CHECKSUM, field, found, expected),
        Reason::InvalidCodec { what } => (abi::FAILED, what, 0, 0),
        Reason::Custom { what, .. } => (abi::CUSTOM, what, 0, 0),
        // A reason that the ABI has no number for goes by its words.
        other => {
            let name = kept(0, &other.to_string());
            let code = kept(1, other.code());
            return abi::Error { reason: abi::CUSTOM, offset: error.offset, name, code, ..abi::Error::EMPTY };
        }
    };
    let code = if reason == abi::CUSTOM { kept(1, error.reason.code()) } else { ptr::null() };
    abi::Error { reason, reserved: 0, offset: error.offset, found, expected, name: kept(0, name), code }
}

unsafe extern "C" fn state_new<C: Codec>(codec: *const abi::Codec) -> *mut c_void {
    let make = || {
        // SAFETY: the host passes the table that it called.
        let state = unsafe { exported::<C>(codec) }.codec.state();
        Box::into_raw(Box::new(state)).cast()
    };
    catch_unwind(AssertUnwindSafe(make)).unwrap_or(ptr::null_mut())
}

unsafe extern "C" fn state_free<C: Codec>(_: *const abi::Codec, state: *mut c_void) {
    // SAFETY: `state_new` made it, and the host gives each state back once.
    let state = unsafe { Box::from_raw(state.cast::<C::State>()) };
    drop(catch_unwind(AssertUnwindSafe(|| drop(state))));
}

unsafe extern "C" fn split<C: Codec>(
    codec: *const abi::Codec,
    state: *mut c_void,
    way: u32,
    bounds: *const abi::Limits,
    buf: *const u8,
    len: usize,
    out: *mut abi::Split,
) -> i32 {
    // SAFETY: the host passes a place for the answer that nobody else uses.
    let out = unsafe { &mut *out };
    // SAFETY: `state_new` made it for this connection, which is in the hands of this thread.
    let (Some(state), Some(way)) = (unsafe { state.cast::<C::State>().as_mut() }, direction(way)) else {
        out.error = failed("the state of a connection could not be made");
        return abi::SPLIT_ERROR;
    };
    let ask = || {
        // SAFETY: the host passes the table that it called, its limits, and `len` bytes.
        unsafe { exported::<C>(codec).codec.split(state, way, &limits(bounds), slice(buf, len)) }
    };
    match catch_unwind(AssertUnwindSafe(ask)) {
        Ok(Ok(Split::Head(head))) => {
            out.head = abi::Head {
                frame_len: head.frame_len as u64,
                request_id: 0,
                stream_id: head.stream_id.unwrap_or_default(),
                header_len: head.header_len,
                id_at: 0,
                id_len: 0,
                variant: head.variant,
                kind: head.kind as u8,
                id_type: abi::ID_NONE,
                has_stream_id: head.stream_id.is_some().into(),
                reserved: [0; 5],
            };
            match head.request_id {
                RequestId::None => {}
                RequestId::Int(id) => (out.head.id_type, out.head.request_id) = (abi::ID_INT, id),
                RequestId::Bytes { at, len } => {
                    (out.head.id_type, out.head.id_at, out.head.id_len) = (abi::ID_BYTES, at, len);
                }
            }
            abi::SPLIT_HEAD
        }
        Ok(Ok(Split::Need(need))) => {
            out.need = need as u64;
            abi::SPLIT_NEED
        }
        Ok(Err(error)) => {
            out.error = decode_error(&error);
            abi::SPLIT_ERROR
        }
        Err(_) => {
            out.error = failed(PANICKED);
            abi::SPLIT_ERROR
        }
    }
}

/// Where `part` stands in `whole`, if it is a part of it.
fn place(whole: &[u8], part: &[u8]) -> Option<usize> {
    let from = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    (from <= whole.len() && part.len() <= whole.len() - from).then_some(from)
}

/// Hands one field to the host.
///
/// # Safety
/// `visit` and `visitor` are those of the call under way.
unsafe fn tell(visit: abi::Visit, visitor: *mut c_void, whole: &[u8], key: &str, value: &Value<'_>) -> i32 {
    let mut told = abi::Value { r#type: abi::UINT, reserved: 0, number: 0, text: ptr::null(), len: 0 };
    match value {
        Value::Int(number) => (told.r#type, told.number) = (abi::INT, number.cast_unsigned()),
        Value::UInt(number) => told.number = *number,
        Value::Str(text) => {
            told.len = text.len() as u64;
            match place(whole, text.as_bytes()) {
                Some(at) => (told.r#type, told.number) = (abi::VIEW, at as u64),
                None => (told.r#type, told.text) = (abi::TEXT, text.as_ptr().cast()),
            }
        }
    }
    // SAFETY: the caller's promise; key and value are copied before it returns.
    unsafe { visit(visitor, key.as_ptr().cast(), key.len(), &raw const told) }
}

/// The status of a read, with its error filled in.
fn status<T>(result: Result<Result<T, DecodeError>, Box<dyn Any + Send>>, error: &mut abi::Error) -> i32 {
    *error = match result {
        Ok(Ok(_)) => return abi::OK,
        Ok(Err(found)) => decode_error(&found),
        Err(_) => failed(PANICKED),
    };
    abi::FAIL
}

unsafe extern "C" fn fields<C: Codec>(
    codec: *const abi::Codec,
    asked: *const abi::Frame,
    bounds: *const abi::Limits,
    visit: abi::Visit,
    visitor: *mut c_void,
    error: *mut abi::Error,
) -> i32 {
    // SAFETY: the host passes a place for the error, and a frame whose bytes outlive the call.
    let (error, frame) = unsafe { (&mut *error, frame(asked)) };
    let Some(frame) = frame else {
        *error = failed(BROKEN_HOST);
        return abi::FAIL;
    };
    let walk = || {
        // SAFETY: the host passes the table that it called, and its limits.
        let (exported, limits) = unsafe { (exported::<C>(codec), limits(bounds)) };
        exported.codec.fields(frame, &limits, &mut |key, value| {
            // SAFETY: both are those of this call.
            match unsafe { tell(visit, visitor, frame.bytes, key, &value) } {
                0 => ControlFlow::Continue(()),
                _ => ControlFlow::Break(()),
            }
        })
    };
    status(catch_unwind(AssertUnwindSafe(walk)), error)
}

unsafe extern "C" fn field<C: Codec>(
    codec: *const abi::Codec,
    asked: *const abi::Frame,
    bounds: *const abi::Limits,
    key_id: u32,
    key: *const c_char,
    key_len: usize,
    visit: abi::Visit,
    visitor: *mut c_void,
    error: *mut abi::Error,
) -> i32 {
    // SAFETY: the host passes a place for the error, a frame whose bytes outlive the call, and a key.
    let (error, frame, key) = unsafe { (&mut *error, frame(asked), text(key, key_len)) };
    let (Some(frame), Some(name)) = (frame, key) else {
        *error = failed(BROKEN_HOST);
        return abi::FAIL;
    };
    let look_up = || {
        // SAFETY: the host passes the table that it called, and its limits.
        let (Exported { codec, keys }, limits) = unsafe { (exported::<C>(codec), limits(bounds)) };
        let found = match keys.get(key_id as usize) {
            Some(key) => codec.field(frame, key, &limits),
            None => codec.field(frame, &codec.key(name), &limits),
        }?;
        if let Some(value) = found {
            // SAFETY: both are those of this call. There is nothing to stop.
            let _ = unsafe { tell(visit, visitor, frame.bytes, name, &value) };
        }
        Ok(())
    };
    status(catch_unwind(AssertUnwindSafe(look_up)), error)
}

/// The edits that a host passed, each in its place.
///
/// # Safety
/// `edits` points to edits whose texts stay as they are for `'a`.
unsafe fn edits<'a>(edits: *const abi::Edits) -> Option<(Edits<'a>, Vec<&'a str>)> {
    // SAFETY: the caller's promise.
    let abi::Edits { edits, edit_count, request_id, has_request_id, .. } = unsafe { *edits };
    // SAFETY: the caller's promise.
    let list = if edit_count == 0 { &[] } else { unsafe { std::slice::from_raw_parts(edits, edit_count) } };
    let mut all = Edits { request_id: (has_request_id != 0).then_some(request_id), ..Edits::default() };
    let mut keys = Vec::with_capacity(list.len());
    for edit in list {
        // SAFETY: the caller's promise.
        let key = unsafe { text(edit.key, edit.key_len) }?;
        keys.push(key);
        if edit.remove != 0 {
            all.remove.push(key);
            continue;
        }
        let value = match edit.value.r#type {
            abi::INT => Value::Int(edit.value.number.cast_signed()),
            abi::UINT => Value::UInt(edit.value.number),
            // SAFETY: the caller's promise.
            abi::TEXT => Value::str(unsafe { text(edit.value.text, usize::try_from(edit.value.len).ok()?) }?),
            _ => return None,
        };
        all.set.push((key, value));
    }
    Some((all, keys))
}

/// Hands the pieces of a frame or a reply to the host.
///
/// # Safety
/// `sink` is that of the call under way.
unsafe fn pour(sink: *const abi::Sink, whole: &[u8], segments: &Segments<'_>) {
    // SAFETY: the caller's promise.
    let abi::Sink { sink, borrow, write } = unsafe { *sink };
    for segment in segments {
        let borrowed = if let Cow::Borrowed(part) = segment { place(whole, part) } else { None };
        let stop = match borrowed {
            // SAFETY: the caller's promise.
            Some(at) => unsafe { borrow(sink, at as u64, segment.len() as u64) },
            // SAFETY: the caller's promise; it is copied before it returns.
            None => unsafe { write(sink, segment.as_ptr().cast(), segment.len()) },
        };
        if stop != 0 {
            return;
        }
    }
}

fn encode_error(error: &EncodeError, keys: &[&str]) -> abi::EncodeError {
    let edit = |key: &str| match keys.iter().position(|known| *known == key) {
        Some(at) => at as u32,
        None => abi::EDIT_REQUEST_ID,
    };
    match error {
        EncodeError::NotWritable { key, why } => {
            abi::EncodeError { kind: abi::NOT_WRITABLE, edit: edit(key), text: kept(0, why), ..abi::EncodeError::EMPTY }
        }
        EncodeError::BadValue { key, expected } => abi::EncodeError {
            kind: abi::VALUE_REFUSED,
            edit: edit(key),
            text: kept(0, expected),
            ..abi::EncodeError::EMPTY
        },
        EncodeError::TooLong { len, max } => {
            abi::EncodeError { kind: abi::TOO_LONG, len: *len, max: *max, ..abi::EncodeError::EMPTY }
        }
        EncodeError::Malformed(error) => {
            abi::EncodeError { kind: abi::MALFORMED, malformed: decode_error(error), ..abi::EncodeError::EMPTY }
        }
        EncodeError::NoReply { why } => no_reply(why),
        other => no_reply(&other.to_string()),
    }
}

fn no_reply(why: &str) -> abi::EncodeError {
    abi::EncodeError { kind: abi::NO_REPLY, text: kept(0, why), ..abi::EncodeError::EMPTY }
}

fn failed_to_encode(what: &str) -> abi::EncodeError {
    abi::EncodeError { kind: abi::MALFORMED, malformed: failed(what), ..abi::EncodeError::EMPTY }
}

unsafe extern "C" fn rewrite<C: Codec>(
    codec: *const abi::Codec,
    asked: *const abi::Frame,
    wanted: *const abi::Edits,
    bounds: *const abi::Limits,
    sink: *const abi::Sink,
    error: *mut abi::EncodeError,
) -> i32 {
    // SAFETY: the host passes a place for the error, and a frame and edits that outlive the call.
    let (error, frame, edits) = unsafe { (&mut *error, frame(asked), edits(wanted)) };
    let (Some(frame), Some((edits, keys))) = (frame, edits) else {
        *error = failed_to_encode(BROKEN_HOST);
        return abi::FAIL;
    };
    let write = || {
        // SAFETY: the host passes the table that it called, and its limits.
        let (exported, limits) = unsafe { (exported::<C>(codec), limits(bounds)) };
        let segments = exported.codec.rewrite(frame, &edits, &limits)?;
        // SAFETY: the sink is that of this call.
        unsafe { pour(sink, frame.bytes, &segments) };
        Ok(())
    };
    *error = match catch_unwind(AssertUnwindSafe(write)) {
        Ok(Ok(())) => return abi::OK,
        Ok(Err(refused)) => encode_error(&refused, &keys),
        Err(_) => failed_to_encode(PANICKED),
    };
    abi::FAIL
}

unsafe extern "C" fn reply<C: Codec>(
    codec: *const abi::Codec,
    asked: *const abi::Frame,
    what: u32,
    message: *const c_char,
    message_len: usize,
    sink: *const abi::Sink,
    error: *mut abi::EncodeError,
) -> i32 {
    // SAFETY: the host passes a place for the error, and a frame and a message that outlive the call.
    let (error, frame, message) = unsafe { (&mut *error, frame(asked), text(message, message_len)) };
    let wanted = match (what, message) {
        (abi::ANSWER_HEARTBEAT, _) => Some(Reply::Heartbeat),
        (_, Some(message)) => ErrorType::ALL.get(what as usize).map(|error| Reply::Error(*error, message)),
        _ => None,
    };
    let (Some(frame), Some(wanted)) = (frame, wanted) else {
        *error = failed_to_encode(BROKEN_HOST);
        return abi::FAIL;
    };
    let write = || {
        // SAFETY: the host passes the table that it called.
        let reply = unsafe { exported::<C>(codec) }.codec.reply(frame, wanted)?;
        let Some(bytes) = reply else { return Ok(abi::NO_ANSWER) };
        // SAFETY: the sink is that of this call.
        unsafe { pour(sink, frame.bytes, &vec![Cow::Owned(bytes)]) };
        Ok(abi::OK)
    };
    *error = match catch_unwind(AssertUnwindSafe(write)) {
        Ok(Ok(status)) => return status,
        Ok(Err(refused)) => encode_error(&refused, &[]),
        Err(_) => failed_to_encode(PANICKED),
    };
    abi::FAIL
}

unsafe extern "C" fn detect<C: Codec>(codec: *const abi::Codec, way: u32, prefix: *const u8, len: usize) -> i32 {
    let ask = || {
        let Some(way) = direction(way) else { return Detection::No };
        // SAFETY: the host passes the table that it called, and `len` bytes.
        unsafe { exported::<C>(codec).codec.detect(way, slice(prefix, len)) }
    };
    catch_unwind(AssertUnwindSafe(ask)).unwrap_or(Detection::No) as i32
}
