//! nshead: the header that nova_pbrpc, public_pbrpc and others stand behind (`nshead.h` of Apache bRPC). Little-endian: its
//! writers put the struct as their machine has it.
//!
//! ```text
//!  0    2         4        8              24      28         32         36
//!  ┌────┬─────────┬────────┬──────────────┬───────┬──────────┬──────────┬──────
//!  │ id │ version │ log id │ provider     │ magic │ reserved │ body len │ body
//!  └────┴─────────┴────────┴──────────────┴───────┴──────────┴──────────┴──────
//!   u16  u16       u32      16 bytes, text  u32     u32        u32
//! ```
//!
//! The magic is not at the front, so a stream shows itself at its 28th byte. Before that, the id, which is 0 in all writers
//! that are known, and the provider, text padded with zeros, tell other streams from it. A stream of another writer is read,
//! but not recognised.

use std::borrow::Cow;

use metaprotocol_brpc::meta::not_writable;
use metaprotocol_core::{DecodeError, Detection, EncodeError, Limits, Patch, Reason, Value};

/// Bytes before the body.
pub const HEADER_LEN: usize = 36;
/// The number at [`MAGIC_AT`].
pub const MAGIC: u32 = 0xfb70_9394;
/// Offset of the id, 2 bytes.
pub const ID_AT: usize = 0;
/// Offset of the version, 2 bytes.
pub const VERSION_AT: usize = 2;
/// Offset of the log id, 4 bytes.
pub const LOG_ID_AT: usize = 4;
/// Offset of the provider, 16 bytes.
pub const PROVIDER_AT: usize = 8;
/// Bytes of the provider.
pub const PROVIDER_LEN: usize = 16;
/// Offset of the magic, 4 bytes.
pub const MAGIC_AT: usize = 24;
/// Offset of the reserved number, 4 bytes.
pub const RESERVED_AT: usize = 28;
/// Offset of the body's length, 4 bytes.
pub const BODY_LEN_AT: usize = 32;
/// The provider that public_pbrpc writes.
pub const PUBLIC_PROVIDER: &[u8] = b"__pbrpc__";

/// A field of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// 2 bytes.
    Id,
    /// 2 bytes.
    Version,
    /// 4 bytes.
    LogId,
    /// Text.
    Provider,
    /// 4 bytes.
    Reserved,
}

/// The number of four bytes at `at`, or of as many as there are.
fn number(frame: &[u8], at: usize, len: usize) -> u64 {
    frame.iter().skip(at).take(len).rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The length of the frame at the front of `buf`, or how many more bytes it takes to tell.
///
/// # Errors
/// [`DecodeError`] if the magic is not there or the body is over the limits.
#[inline]
pub fn frame_len(limits: &Limits, buf: &[u8]) -> Result<Result<usize, usize>, DecodeError> {
    if let Some(21 | 22) = buf.first() {
        match short_record(buf) {
            Some(true) => {
                let found = number(buf, ID_AT, 4);
                return Err(Reason::BadMagic { expected: MAGIC.into(), found }.at(ID_AT));
            }
            Some(false) => {}
            None => return Ok(Err(RECORD_HEADER_LEN - buf.len())),
        }
    }
    if buf.len() < RESERVED_AT {
        return Ok(Err(RESERVED_AT - buf.len()));
    }
    let found = number(buf, MAGIC_AT, 4);
    if found != u64::from(MAGIC) {
        return Err(Reason::BadMagic { expected: MAGIC.into(), found }.at(MAGIC_AT));
    }
    if buf.len() < HEADER_LEN {
        return Ok(Err(HEADER_LEN - buf.len()));
    }
    let body_len = number(buf, BODY_LEN_AT, 4) as u32;
    // No peer takes a body of more than 2 GiB, however high its own limit.
    if body_len > i32::MAX as u32 {
        return Err(Reason::BadLength { field: "body_len", value: i64::from(body_len as i32) }.at(BODY_LEN_AT));
    }
    let (value, max) = (HEADER_LEN as u64 + u64::from(body_len), limits.max_frame_len);
    if value > max {
        return Err(Reason::LimitExceeded { limit: "max_frame_len", value, max }.at(BODY_LEN_AT));
    }
    Ok(Ok(value as usize))
}

/// Bytes before the content of a TLS record.
const RECORD_HEADER_LEN: usize = 5;

/// Whether bytes that are too few for the magic are a TLS record that ends before it, which whoever decides on TLS has to see
/// now; `None` if that is open. No writer is known whose id, version and log id would look like this.
#[cold]
fn short_record(buf: &[u8]) -> Option<bool> {
    let plausible = |(at, byte): (usize, &u8)| match at {
        0 => matches!(byte, 21 | 22),
        1 => *byte == 3,
        2 => *byte <= 4,
        3 => *byte == 0,
        _ => usize::from(*byte) < RESERVED_AT - RECORD_HEADER_LEN,
    };
    let record = buf.iter().take(RECORD_HEADER_LEN).enumerate().all(plausible);
    if record && buf.len() < RECORD_HEADER_LEN { None } else { Some(record) }
}

/// The header of a frame; only frames that no `split` made can lack it.
///
/// # Errors
/// [`Reason::UnexpectedEnd`] then.
pub fn header(frame: &[u8]) -> Result<&[u8; HEADER_LEN], DecodeError> {
    frame.first_chunk().ok_or(Reason::UnexpectedEnd { field: "nshead" }.at(0))
}

impl Part {
    /// Its value; the provider is absent if it is empty.
    #[must_use]
    pub fn value(self, header: &[u8; HEADER_LEN]) -> Option<Value<'_>> {
        Some(Value::UInt(match self {
            Self::Id => number(header, ID_AT, 2),
            Self::Version => number(header, VERSION_AT, 2),
            Self::LogId => number(header, LOG_ID_AT, 4),
            Self::Reserved => number(header, RESERVED_AT, 4),
            Self::Provider => {
                let text = provider(header);
                return (!text.is_empty()).then(|| Value::text(text));
            }
        }))
    }

    /// Sets it.
    ///
    /// # Errors
    /// [`EncodeError::BadValue`] for what does not fit.
    pub fn patch(self, key: &str, value: &Value<'_>) -> Result<Patch, EncodeError> {
        let (at, len) = match self {
            Self::Id => (ID_AT, 2),
            Self::Version => (VERSION_AT, 2),
            Self::LogId => (LOG_ID_AT, 4),
            Self::Reserved => (RESERVED_AT, 4),
            Self::Provider => (PROVIDER_AT, PROVIDER_LEN),
        };
        let bad = |expected: &'static str| EncodeError::BadValue { key: key.to_owned(), expected: expected.into() };
        let with = if self == Self::Provider {
            let mut with = value.to_text().into_owned().into_bytes();
            if with.is_empty() || with.len() > len || with.contains(&0) {
                return Err(bad("a text of 1 to 16 bytes; remove it to have none"));
            }
            with.resize(len, 0);
            with
        } else {
            let number: Option<u64> = match value {
                Value::Int(number) => u64::try_from(*number).ok(),
                Value::UInt(number) => Some(*number),
                Value::Str(text) => text.parse().ok(),
            };
            match number.filter(|number| number >> (8 * len) == 0) {
                Some(number) => number.to_le_bytes().into_iter().take(len).collect(),
                None => return Err(bad(if len == 2 { "a number of 16 bits" } else { "a number of 32 bits" })),
            }
        };
        Ok(Patch { at: at..at + len, with })
    }
}

/// The provider without its padding.
#[must_use]
pub fn provider(header: &[u8; HEADER_LEN]) -> &[u8] {
    let field = header.get(PROVIDER_AT..MAGIC_AT).unwrap_or_default();
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// The patch of the body's length.
#[must_use]
pub fn body_len_patch(body_len: u32) -> Patch {
    Patch { at: BODY_LEN_AT..HEADER_LEN, with: body_len.to_le_bytes().to_vec() }
}

/// The patch that takes the provider away.
#[must_use]
pub fn no_provider() -> Patch {
    Patch { at: PROVIDER_AT..MAGIC_AT, with: vec![0; PROVIDER_LEN] }
}

/// The refusal of a key that every frame has.
#[must_use]
pub fn required(key: &str) -> EncodeError {
    not_writable(key, "every frame has it; set it to another value instead")
}

/// Whether the front of a stream is nshead, and whether its provider is that of public_pbrpc.
#[must_use]
pub fn detect(prefix: &[u8], public: bool) -> Detection {
    if prefix.iter().take(VERSION_AT).any(|byte| *byte != 0) {
        return Detection::No;
    }
    let field = prefix.get(PROVIDER_AT..).unwrap_or_default();
    let field = field.get(..PROVIDER_LEN).unwrap_or(field);
    let len = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    let (text, padding) = field.split_at(len);
    if !text.iter().all(|byte| matches!(byte, b' '..=b'~')) || padding.iter().any(|byte| *byte != 0) {
        return Detection::No;
    }
    let magic = MAGIC.to_le_bytes();
    let there = prefix.get(MAGIC_AT..).unwrap_or_default();
    if there.iter().zip(magic).any(|(found, expected)| *found != expected) {
        return Detection::No;
    }
    // Settled once the text has ended or is another one.
    let ended = len < field.len() || field.len() == PROVIDER_LEN;
    let is_public = if ended { text == PUBLIC_PROVIDER } else { PUBLIC_PROVIDER.starts_with(text) };
    if is_public != public && (ended || !is_public) {
        return Detection::No;
    }
    if prefix.len() < RESERVED_AT {
        return Detection::NeedMore;
    }
    match prefix.get(BODY_LEN_AT + 3) {
        Some(top) if top & 0x80 != 0 => Detection::No,
        _ => Detection::Yes,
    }
}

/// Text as a value of its own.
#[must_use]
pub fn decimal(value: Option<Value<'_>>) -> Option<Value<'static>> {
    value.map(|value| Value::Str(Cow::Owned(value.to_text().into_owned())))
}
