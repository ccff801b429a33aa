//! What can be wrong with a capture file.

use std::{fmt, io};

/// The file is not, or is no longer, readable as a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormatError {
    /// Position in the file, in bytes, of the header, record or block concerned.
    pub offset: u64,
    /// What is wrong.
    pub kind: FormatErrorKind,
}

/// The ways to be no capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormatErrorKind {
    /// The first bytes are of no known capture format.
    NotACapture {
        /// Those bytes.
        magic: [u8; 4],
    },
    /// The file is compressed.
    Compressed {
        /// How: `gzip`, `zstd` or `xz`.
        with: &'static str,
    },
    /// The file ends before its header does.
    ShortHeader {
        /// Bytes that are there.
        have: u64,
        /// Bytes that a header takes.
        need: u64,
    },
    /// The packets of the whole file are of a link type that is not supported.
    UnsupportedLinkType {
        /// Its number in the tcpdump.org list.
        link_type: u32,
    },
    /// A record claims more than [`Limits::record_bytes`](crate::Limits::record_bytes).
    RecordTooLong {
        /// Bytes claimed.
        len: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// A pcapng block claims less than its own header takes.
    BlockTooShort {
        /// Bytes claimed.
        len: u32,
        /// The least a block takes.
        min: u32,
    },
    /// The inner lengths of a pcapng block contradict its outer length.
    BadBlock {
        /// The block's name.
        block: &'static str,
    },
    /// A pcapng packet belongs to an interface that was not described.
    UnknownInterface {
        /// The packet's interface.
        index: u32,
        /// How many interfaces the section has described.
        known: u32,
    },
    /// A pcapng section describes more interfaces than any real one.
    TooManyInterfaces {
        /// Interfaces allowed.
        limit: u32,
    },
}

impl FormatErrorKind {
    /// Stable code, for logs and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotACapture { .. } => "capture.not_a_capture",
            Self::Compressed { .. } => "capture.compressed",
            Self::ShortHeader { .. } => "capture.short_header",
            Self::UnsupportedLinkType { .. } => "capture.unsupported_link_type",
            Self::RecordTooLong { .. } => "capture.record_too_long",
            Self::BlockTooShort { .. } => "capture.block_too_short",
            Self::BadBlock { .. } => "capture.bad_block",
            Self::UnknownInterface { .. } => "capture.unknown_interface",
            Self::TooManyInterfaces { .. } => "capture.too_many_interfaces",
        }
    }
}

impl fmt::Display for FormatErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotACapture { magic: [a, b, c, d] } => write!(
                f,
                "not a pcap or pcapng file: it begins with {a:02x} {b:02x} {c:02x} {d:02x}, expected one of \
                 a1b2c3d4, a1b23c4d (either byte order) or 0a0d0d0a"
            ),
            Self::Compressed { with } => {
                write!(f, "the file is compressed with {with}: decompress it first, or pipe it in")
            }
            Self::ShortHeader { have, need } => {
                write!(f, "the file ends within its header: {have} bytes of {need} are there")
            }
            Self::UnsupportedLinkType { link_type } => write!(
                f,
                "link type {link_type} is not supported: expected Ethernet (1), loopback (0, 108), Linux cooked (113, \
                 276) or raw IP (12, 14, 101, 228, 229)"
            ),
            Self::RecordTooLong { len, limit } => write!(
                f,
                "a record claims {len} bytes, the limit is {limit}: the file is corrupt here, or the limit needs raising"
            ),
            Self::BlockTooShort { len, min } => {
                write!(f, "a block claims {len} bytes, expected at least {min}: the file is corrupt here")
            }
            Self::BadBlock { block } => {
                write!(f, "the lengths within this {block} block contradict each other: the file is corrupt here")
            }
            Self::UnknownInterface { index, known } => write!(
                f,
                "a packet belongs to interface {index}, but the section describes only {known}: the file is corrupt here"
            ),
            Self::TooManyInterfaces { limit } => {
                write!(f, "the section describes more than {limit} interfaces: the file is corrupt")
            }
        }
    }
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at file offset {}: {}", self.offset, self.kind)
    }
}

impl std::error::Error for FormatError {}

/// Why reading a capture stopped.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The source could not be read.
    Io(io::Error),
    /// What was read is no capture.
    Format(FormatError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "cannot read the capture: {error}"),
            Self::Format(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Format(_) => None,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<FormatError> for Error {
    fn from(error: FormatError) -> Self {
        Self::Format(error)
    }
}
