//! What plugins say, checked before it is believed.

use std::borrow::Cow;
use std::ffi::c_char;

use metaprotocol_core::{DecodeError, Frame, Head, Kind, Limits, Reason, RequestId, Split, intern};

use crate::abi;

/// The longest string of an error, in bytes; what is longer has lost its end.
const MAX_TEXT: usize = 256;
/// A need beyond this is over any limit; it leaves room for the sums of others.
const MAX_NEED: u64 = i64::MAX as u64;
const LIMITS: [&str; 5] = ["max_frame_len", "max_header_len", "max_nesting", "max_field_count", "max_in_flight"];

/// An error of the codec's own.
#[cold]
pub fn fault(what: &'static str) -> DecodeError {
    Reason::InvalidCodec { what }.at(0)
}

/// A string that ends in NUL, at most `max` bytes of it; `None` for a null pointer.
///
/// # Safety
/// `text` is null, or points to bytes up to and with a NUL, or to at least `max` bytes.
pub unsafe fn c_text<'a>(text: *const c_char, max: usize) -> Option<&'a [u8]> {
    if text.is_null() {
        return None;
    }
    let text = text.cast::<u8>();
    // SAFETY: the caller's promise; it goes no further than the first NUL.
    let len = (0..max).take_while(|at| unsafe { *text.add(*at) } != 0).count();
    // SAFETY: these bytes have just been read.
    Some(unsafe { std::slice::from_raw_parts(text, len) })
}

/// A string of an error, kept for good.
fn name(text: *const c_char) -> Result<&'static str, DecodeError> {
    // SAFETY: the ABI has strings of errors end in NUL and stay until the next call of this thread.
    match unsafe { c_text(text, MAX_TEXT) } {
        Some(text) if !text.is_empty() => Ok(intern(&String::from_utf8_lossy(text))),
        _ => Err(fault("an error lacks its name")),
    }
}

/// The error that a plugin filled in, about `len` bytes.
#[cold]
pub fn error(raw: &abi::Error, len: usize) -> DecodeError {
    match reason(raw) {
        Ok(_) if raw.offset > len as u64 => fault("an error is said to lie beyond the bytes that were read"),
        Ok(reason) => DecodeError { reason, offset: raw.offset },
        Err(fault) => fault,
    }
}

fn reason(raw: &abi::Error) -> Result<Reason, DecodeError> {
    let abi::Error { found, expected, .. } = *raw;
    let value = found.cast_signed();
    Ok(match raw.reason {
        abi::BAD_MAGIC => Reason::BadMagic { expected, found },
        abi::BAD_LENGTH => Reason::BadLength { field: name(raw.name)?, value },
        abi::BAD_VALUE => Reason::BadValue { field: name(raw.name)?, value },
        abi::BAD_ENCODING => Reason::BadEncoding { field: name(raw.name)? },
        abi::UNEXPECTED_END => Reason::UnexpectedEnd { field: name(raw.name)? },
        abi::UNSUPPORTED => Reason::Unsupported { what: name(raw.name)?, value },
        abi::WRONG_DIRECTION => Reason::WrongDirection { what: name(raw.name)? },
        abi::LIMIT_EXCEEDED => {
            let limit = name(raw.name)?;
            if !LIMITS.contains(&limit) {
                return Err(fault("an error names a limit that there is not"));
            }
            Reason::LimitExceeded { limit, value: found, max: expected }
        }
        abi::BAD_CHECKSUM => Reason::BadChecksum { field: name(raw.name)?, expected, found },
        abi::CUSTOM => {
            let code = name(raw.code)?;
            if !code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_') {
                return Err(fault("the code of an error is not snake_case"));
            }
            Reason::Custom { code, what: name(raw.name)? }
        }
        abi::FAILED => Reason::InvalidCodec { what: name(raw.name)? },
        _ => return Err(fault("an error has a reason that is not in the ABI")),
    })
}

/// What `split` found.
#[inline]
pub fn split(status: i32, out: &abi::Split, have: usize) -> Result<Split, DecodeError> {
    match status {
        abi::SPLIT_HEAD => head(&out.head).map(Split::Head),
        abi::SPLIT_NEED if out.need == 0 => {
            Err(fault("split needs 0 more bytes; it must answer with a head or an error"))
        }
        abi::SPLIT_NEED => Ok(Split::Need(out.need.min(MAX_NEED) as usize)),
        abi::SPLIT_ERROR => Err(error(&out.error, have)),
        _ => Err(fault("split returned a number that is not in the ABI")),
    }
}

#[inline]
fn head(raw: &abi::Head) -> Result<Head, DecodeError> {
    let Some(kind) = Kind::ALL.get(usize::from(raw.kind)) else {
        return Err(fault("split gave a kind that is not in the ABI"));
    };
    if raw.frame_len == 0 || u64::from(raw.header_len) > raw.frame_len {
        return Err(fault("split gave a frame that is empty or shorter than its header"));
    }
    // A frame that no memory holds is over any limit.
    let frame_len = usize::try_from(raw.frame_len).unwrap_or(usize::MAX);
    let request_id = match raw.id_type {
        abi::ID_NONE => RequestId::None,
        abi::ID_INT => RequestId::Int(raw.request_id),
        abi::ID_BYTES if u64::from(raw.id_at) + u64::from(raw.id_len) <= raw.frame_len => {
            RequestId::Bytes { at: raw.id_at, len: raw.id_len }
        }
        abi::ID_BYTES => return Err(fault("split gave a request id outside of the frame")),
        _ => return Err(fault("split gave a type of request id that is not in the ABI")),
    };
    Ok(Head {
        kind: *kind,
        request_id,
        stream_id: (raw.has_stream_id != 0).then_some(raw.stream_id),
        header_len: raw.header_len,
        frame_len,
        variant: raw.variant,
    })
}

/// A frame as plugins take it.
#[inline]
pub fn frame(frame: Frame<'_>) -> abi::Frame {
    let head = frame.head;
    let (id_type, request_id, id_at, id_len) = match head.request_id {
        RequestId::None => (abi::ID_NONE, 0, 0, 0),
        RequestId::Int(id) => (abi::ID_INT, id, 0, 0),
        RequestId::Bytes { at, len } => (abi::ID_BYTES, 0, at, len),
    };
    abi::Frame {
        bytes: frame.bytes.as_ptr(),
        len: frame.bytes.len() as u64,
        head: abi::Head {
            frame_len: head.frame_len as u64,
            request_id,
            stream_id: head.stream_id.unwrap_or_default(),
            header_len: head.header_len,
            id_at,
            id_len,
            variant: head.variant,
            kind: head.kind as u8,
            id_type,
            has_stream_id: head.stream_id.is_some().into(),
            reserved: [0; 5],
        },
    }
}

/// Limits as plugins take them.
#[inline]
pub fn limits(limits: &Limits) -> abi::Limits {
    let Limits { max_frame_len, max_header_len, max_nesting, max_field_count, max_in_flight } = *limits;
    abi::Limits { max_frame_len, max_header_len, max_nesting, max_field_count, max_in_flight }
}

/// A text that a plugin passed with its length; `None` if there is a length and no text.
///
/// # Safety
/// `text` is null or points to `len` bytes that stay as they are for `'a`.
pub unsafe fn passed<'a>(text: *const c_char, len: usize) -> Option<Cow<'a, str>> {
    if len == 0 {
        return Some(Cow::Borrowed(""));
    }
    if text.is_null() || len > isize::MAX as usize {
        return None;
    }
    // SAFETY: the caller's promise.
    Some(String::from_utf8_lossy(unsafe { std::slice::from_raw_parts(text.cast(), len) }))
}
