//! The words and numbers of the wire: transports, protocols, message and value types.

use metaprotocol_core::{Direction, Kind};

/// Version word of strict binary, its upper half.
pub(crate) const BINARY_MAGIC: u16 = 0x8001;
/// First byte of compact, and its version in the low five bits of the second.
pub(crate) const COMPACT_ID: u8 = 0x82;
pub(crate) const COMPACT_VERSION: u8 = 1;
pub(crate) const COMPACT_VERSION_MASK: u8 = 0x1f;
pub(crate) const COMPACT_TYPE_SHIFT: u32 = 5;
/// The compact magic as its detection mask sees it.
pub(crate) const COMPACT_MAGIC: u16 = 0x8201;
/// Marks THeader behind the frame length.
pub(crate) const HEADER_MAGIC: u16 = 0x0fff;
/// How a call in the JSON protocol starts: an array whose first element is version 1, then the method's name.
pub(crate) const JSON_START: [u8; 4] = *b"[1,\"";
/// Bytes of the length before framed and THeader messages.
pub(crate) const LENGTH_LEN: usize = 4;

/// What stands around a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Unframed,
    Framed,
    Header,
}

impl Transport {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Unframed => "unframed",
            Self::Framed => "framed",
            Self::Header => "header",
        }
    }
}

/// How the message itself is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Binary with a version word.
    Binary,
    /// Binary as it was before the version word ("non-strict").
    BinaryOld,
    Compact,
}

impl Protocol {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::BinaryOld => "binary_old",
            Self::Compact => "compact",
        }
    }
}

/// Transport and protocol of one frame, as `Head::variant` carries them to the verbs that see a lone frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Variant {
    pub(crate) transport: Transport,
    pub(crate) protocol: Protocol,
    /// The payload of a THeader frame is compressed.
    pub(crate) zlib: bool,
}

impl Variant {
    const ZLIB: u32 = 1 << 4;

    pub(crate) const fn new(transport: Transport, protocol: Protocol) -> Self {
        Self { transport, protocol, zlib: false }
    }

    /// Bits 0..2 transport, 2..4 protocol, 4 zlib.
    pub(crate) const fn pack(self) -> u32 {
        let zlib = if self.zlib { Self::ZLIB } else { 0 };
        self.transport as u32 | (self.protocol as u32) << 2 | zlib
    }

    pub(crate) const fn unpack(bits: u32) -> Self {
        let transport = match bits & 3 {
            0 => Transport::Unframed,
            1 => Transport::Framed,
            _ => Transport::Header,
        };
        let protocol = match bits >> 2 & 3 {
            0 => Protocol::Binary,
            1 => Protocol::BinaryOld,
            _ => Protocol::Compact,
        };
        Self { transport, protocol, zlib: bits & Self::ZLIB != 0 }
    }
}

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum MessageType {
    Call = 1,
    Reply = 2,
    Exception = 3,
    Oneway = 4,
}

impl MessageType {
    #[inline]
    pub(crate) const fn from_wire(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Call),
            2 => Some(Self::Reply),
            3 => Some(Self::Exception),
            4 => Some(Self::Oneway),
            _ => None,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Reply => "reply",
            Self::Exception => "exception",
            Self::Oneway => "oneway",
        }
    }

    #[inline]
    pub(crate) const fn kind(self) -> Kind {
        match self {
            Self::Call => Kind::Request,
            Self::Reply => Kind::Response,
            Self::Exception => Kind::Error,
            Self::Oneway => Kind::Oneway,
        }
    }

    /// The only side that sends such messages.
    #[inline]
    pub(crate) const fn direction(self) -> Direction {
        match self {
            Self::Call | Self::Oneway => Direction::ClientToServer,
            Self::Reply | Self::Exception => Direction::ServerToClient,
        }
    }

    /// The message type as a sentence's subject, for errors.
    pub(crate) const fn subject(self) -> &'static str {
        match self {
            Self::Call => "a call",
            Self::Reply => "a reply",
            Self::Exception => "an exception",
            Self::Oneway => "a one-way call",
        }
    }
}

/// The type of a value, common to both protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Bool,
    Byte,
    Double,
    I16,
    I32,
    I64,
    /// Strings and binaries.
    Binary,
    Struct,
    Map,
    Set,
    List,
    Uuid,
}

impl Type {
    pub(crate) const fn from_binary(byte: u8) -> Option<Self> {
        Some(match byte {
            2 => Self::Bool,
            3 => Self::Byte,
            4 => Self::Double,
            6 => Self::I16,
            8 => Self::I32,
            10 => Self::I64,
            11 => Self::Binary,
            12 => Self::Struct,
            13 => Self::Map,
            14 => Self::Set,
            15 => Self::List,
            16 => Self::Uuid,
            _ => return None,
        })
    }

    /// 1 and 2 are a field's true and false; as the type of elements both mean bool, since implementations differ.
    pub(crate) const fn from_compact(nibble: u8) -> Option<Self> {
        Some(match nibble {
            1 | 2 => Self::Bool,
            3 => Self::Byte,
            4 => Self::I16,
            5 => Self::I32,
            6 => Self::I64,
            7 => Self::Double,
            8 => Self::Binary,
            9 => Self::List,
            10 => Self::Set,
            11 => Self::Map,
            12 => Self::Struct,
            13 => Self::Uuid,
            _ => return None,
        })
    }

    /// Bytes of every value of this type, if they are always as many.
    pub(crate) const fn fixed_len(self, compact: bool) -> Option<usize> {
        match self {
            Self::Bool | Self::Byte => Some(1),
            Self::Double => Some(8),
            Self::Uuid => Some(16),
            Self::I16 if !compact => Some(2),
            Self::I32 if !compact => Some(4),
            Self::I64 if !compact => Some(8),
            _ => None,
        }
    }

    /// Bytes of the shortest value of this type; never 0, so that a count bounds the bytes that it claims.
    pub(crate) const fn min_len(self, compact: bool) -> usize {
        match self.fixed_len(compact) {
            Some(len) => len,
            None if compact => 1,
            None => match self {
                Self::Binary => 4,
                Self::List | Self::Set => 5,
                Self::Map => 6,
                _ => 1,
            },
        }
    }
}
