//! Numbers and places of the wire format.

use metaprotocol_core::Frame;
use metaprotocol_core::Kind;

use crate::schema;

/// The size that every frame begins with, which does not count itself.
pub const SIZE_LEN: usize = 4;
/// API key, API version, correlation id: the shortest request header, without the size.
pub const LEAST_REQUEST: u32 = 8;
/// A correlation id: the shortest response header, without the size.
pub const LEAST_RESPONSE: u32 = 4;
/// Where a request has its API key.
pub const API_AT: usize = 4;
/// Where a request has its version.
pub const VERSION_AT: usize = 6;
/// Where a request has its correlation id.
pub const REQUEST_ID_AT: usize = 8;
/// Where a response has its correlation id.
pub const RESPONSE_ID_AT: usize = 4;
/// Where a request has the length of its client id, if its header has one.
pub const CLIENT_ID_AT: usize = 12;

pub const PRODUCE: i16 = 0;
pub const CONTROLLED_SHUTDOWN: i16 = 7;
pub const FIND_COORDINATOR: i16 = 10;
pub const SASL_HANDSHAKE: i16 = 17;
pub const API_VERSIONS: i16 = 18;
/// The first version of Produce with a transactional id before its acks.
pub const TRANSACTIONAL_PRODUCE: i16 = 3;
/// The error of a version that a broker does not speak; ApiVersions tells it in version 0.
pub const UNSUPPORTED_VERSION: i16 = 35;

/// The longest text that Kafka writes, whatever its length field could say.
pub const MAX_TEXT_LEN: usize = i16::MAX as usize;
/// Most bytes of a varint of 32 bits.
pub const MAX_VARINT_LEN: usize = 5;

/// What a frame is of: an API and a version, a response to a request that was not seen, or a SASL token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// A request, or a response to one that was seen.
    Known {
        /// The API key, not negative.
        api: i16,
        /// The version, not negative.
        version: i16,
    },
    /// A response, nobody knows to what.
    Unknown,
    /// Bytes of a SASL exchange.
    Token,
}

impl Variant {
    /// The note of an unknown response. The top bit of an API key is never set.
    pub const UNKNOWN: u32 = 0x8000_0000;
    /// The note of a token.
    pub const TOKEN: u32 = 0x8000_0001;

    /// What the note of a request never has: an API key or a version below 0.
    pub const NEGATIVE: u32 = 0x8000_8000;

    /// The note of a request and of its response. Neither number is negative.
    #[inline]
    pub const fn pack(api: i16, version: i16) -> u32 {
        (api.cast_unsigned() as u32) << 16 | version.cast_unsigned() as u32
    }

    /// The API key and the version in the note of a request.
    #[inline(always)]
    pub const fn parts(note: u32) -> (i16, i16) {
        (((note >> 16) as u16).cast_signed(), (note as u16).cast_signed())
    }

    /// What the note says.
    #[inline]
    pub const fn unpack(note: u32) -> Self {
        match note {
            Self::TOKEN => Self::Token,
            note if note & Self::UNKNOWN != 0 => Self::Unknown,
            note => {
                let (api, version) = Self::parts(note);
                Self::Known { api, version }
            }
        }
    }
}

/// True if the request's header is of the first version, which has no client id.
#[inline]
pub const fn lacks_client_id(api: i16, version: i16) -> bool {
    api == CONTROLLED_SHUTDOWN && version == 0
}

/// True if tagged fields end the header of the request.
#[inline]
pub fn is_flexible(api: i16, version: i16) -> bool {
    schema::versions(api).is_some_and(|known| version >= known.flexible)
}

/// True if tagged fields end the header of the response. That of ApiVersions never has any, so that a client can read
/// it before it knows what the broker speaks.
#[inline]
pub fn is_flexible_response(api: i16, version: i16) -> bool {
    api != API_VERSIONS && is_flexible(api, version)
}

/// True for frames of the client.
pub const fn is_request(frame: &Frame<'_>) -> bool {
    matches!(frame.head.kind, Kind::Request | Kind::Oneway)
}

/// A big-endian number of 16 bits at this place.
#[inline]
pub fn i16_at(bytes: &[u8], at: usize) -> Option<i16> {
    bytes.get(at..)?.first_chunk().copied().map(i16::from_be_bytes)
}

/// A big-endian number of 32 bits at this place.
#[inline]
pub fn i32_at(bytes: &[u8], at: usize) -> Option<i32> {
    bytes.get(at..)?.first_chunk().copied().map(i32::from_be_bytes)
}
