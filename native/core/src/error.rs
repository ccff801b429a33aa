//! Errors: what is wrong, and where. The name of the protocol is added by whoever knows it ([`crate::Info::name`]).

use std::borrow::Cow;
use std::fmt;

/// Why bytes are not a frame of the protocol. Each reason has a stable [`code`](Self::code) for logs, metrics and tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The bytes that mark the protocol are missing.
    BadMagic {
        /// What must stand there.
        expected: u64,
        /// What stands there.
        found: u64,
    },
    /// A length that no message can have (negative, too short for its own header).
    BadLength {
        /// The field's name in the protocol's documentation.
        field: &'static str,
        /// The value as the protocol reads it.
        value: i64,
    },
    /// A field holds a value the protocol does not define.
    BadValue {
        /// The field's name.
        field: &'static str,
        /// The value found.
        value: i64,
    },
    /// A field is not encoded as the protocol demands (a varint without end, text that is not UTF-8).
    BadEncoding {
        /// The field's name.
        field: &'static str,
    },
    /// A field runs over the end of the frame that holds it.
    UnexpectedEnd {
        /// The field's name.
        field: &'static str,
    },
    /// Valid, but a part of the protocol that this codec does not read.
    Unsupported {
        /// What is not supported.
        what: &'static str,
        /// The number that asks for it.
        value: i64,
    },
    /// A frame that only the other side of a connection may send.
    WrongDirection {
        /// The kind of frame.
        what: &'static str,
    },
    /// More bytes after what must be exactly one frame.
    TrailingBytes {
        /// How many.
        count: u64,
    },
    /// More than the [`Limits`](crate::Limits) allow.
    LimitExceeded {
        /// The name of the limit, as it is spelled in `Limits`.
        limit: &'static str,
        /// What the peer asked for.
        value: u64,
        /// What is allowed.
        max: u64,
    },
    /// A checksum does not fit the bytes it covers.
    BadChecksum {
        /// The field that holds it.
        field: &'static str,
        /// What the bytes add up to.
        expected: u64,
        /// What the field says.
        found: u64,
    },
    /// A reason of the codec's own, in its own words; for codecs that are not built in.
    Custom {
        /// Its stable snake_case name.
        code: &'static str,
        /// What is wrong, for people.
        what: &'static str,
    },
    /// The codec broke its contract or failed: its author's fault, not the peer's. The stream cannot go on all the same.
    InvalidCodec {
        /// What it did.
        what: &'static str,
    },
}

impl Reason {
    /// The codes of all reasons but [`Reason::Custom`], for completeness tests and the documentation.
    pub const CODES: [&'static str; 11] = [
        "bad_magic",
        "bad_length",
        "bad_value",
        "bad_encoding",
        "unexpected_end",
        "unsupported",
        "wrong_direction",
        "trailing_bytes",
        "limit_exceeded",
        "bad_checksum",
        "invalid_codec",
    ];

    /// A stable snake_case name.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BadMagic { .. } => Self::CODES[0],
            Self::BadLength { .. } => Self::CODES[1],
            Self::BadValue { .. } => Self::CODES[2],
            Self::BadEncoding { .. } => Self::CODES[3],
            Self::UnexpectedEnd { .. } => Self::CODES[4],
            Self::Unsupported { .. } => Self::CODES[5],
            Self::WrongDirection { .. } => Self::CODES[6],
            Self::TrailingBytes { .. } => Self::CODES[7],
            Self::LimitExceeded { .. } => Self::CODES[8],
            Self::BadChecksum { .. } => Self::CODES[9],
            Self::InvalidCodec { .. } => Self::CODES[10],
            Self::Custom { code, .. } => code,
        }
    }

    /// The same reason at a place in the buffer that was being read.
    #[must_use]
    pub const fn at(self, offset: usize) -> DecodeError {
        DecodeError { reason: self, offset: offset as u64 }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::BadMagic { expected, found } => {
                write!(f, "magic is {found:#x}, must be {expected:#x}; is this another protocol?")
            }
            Self::BadLength { field, value } => write!(f, "{field} is {value}, which no message can have"),
            Self::BadValue { field, value } => write!(f, "{field} is {value}, which the protocol does not define"),
            Self::BadEncoding { field } => write!(f, "{field} is not encoded as the protocol demands"),
            Self::UnexpectedEnd { field } => write!(f, "{field} runs over the end of its frame"),
            Self::Unsupported { what, value } => write!(f, "{what} {value} is not supported"),
            Self::WrongDirection { what } => write!(f, "{what} cannot come from this side of the connection"),
            Self::TrailingBytes { count } => {
                write!(f, "{count} bytes follow the frame, where exactly one was expected")
            }
            Self::LimitExceeded { limit, value, max } => {
                write!(f, "{value} is over the limit of {max}; raise Limits.{limit} if such frames are wanted")
            }
            Self::BadChecksum { field, expected, found } => {
                write!(f, "{field} is {found:#x}, but the bytes it covers add up to {expected:#x}")
            }
            Self::Custom { what, .. } => f.write_str(what),
            Self::InvalidCodec { what } => write!(f, "the codec failed: {what}"),
        }
    }
}

/// Bytes that are not the protocol: small and `Copy`, so that making one costs nothing on the hot path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// What is wrong.
    pub reason: Reason,
    /// Where: bytes from the start of the buffer that was read. A [`Connection`](crate::Connection) counts from the start
    /// of the stream.
    pub offset: u64,
}

impl DecodeError {
    /// The same error seen from a buffer that starts `base` bytes earlier.
    #[must_use]
    pub const fn rebased(self, base: u64) -> Self {
        Self { reason: self.reason, offset: self.offset + base }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at offset {}: {}", self.offset, self.reason)
    }
}

impl std::error::Error for DecodeError {}

/// Why a frame cannot be written as asked: the caller's fault, or the frame's own.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// The frame has no place for this field.
    NotWritable {
        /// The key that was to be set or removed.
        key: String,
        /// Why not, and what could be done.
        why: Cow<'static, str>,
    },
    /// The value does not fit its field.
    BadValue {
        /// The key that was to be set.
        key: String,
        /// What the field takes.
        expected: Cow<'static, str>,
    },
    /// The edited frame would be longer than its length fields can say.
    TooLong {
        /// Bytes it would take.
        len: u64,
        /// The most that fits.
        max: u64,
    },
    /// The frame itself is broken at the place that the edit needs.
    Malformed(DecodeError),
    /// The frame takes no reply of the kind asked for.
    NoReply {
        /// Why not.
        why: Cow<'static, str>,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotWritable { key, why } => write!(f, "{key:?} cannot be written: {why}"),
            Self::BadValue { key, expected } => write!(f, "{key:?} takes {expected}"),
            Self::TooLong { len, max } => write!(f, "the frame would be {len} bytes long, the protocol allows {max}"),
            Self::Malformed(error) => write!(f, "the frame is malformed {error}"),
            Self::NoReply { why } => write!(f, "no reply can be made: {why}"),
        }
    }
}

impl std::error::Error for EncodeError {}

impl From<DecodeError> for EncodeError {
    fn from(error: DecodeError) -> Self {
        Self::Malformed(error)
    }
}
