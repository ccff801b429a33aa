//! The header that baidu_std and streaming frames share, as Apache bRPC writes it. Big-endian.
//!
//! ```text
//!  0      4           8           12        12 + meta size
//!  ┌──────┬───────────┬───────────┬─────────┬─────────┬────────────┐
//!  │ PRPC │ body size │ meta size │ meta    │ payload │ attachment │
//!  └──────┴───────────┴───────────┴─────────┴─────────┴────────────┘
//!    or      u32: all    u32        protobuf            as long as the
//!   STRM     that follows                               meta says
//! ```

use metaprotocol_core::{DecodeError, Reason};

/// Bytes before the meta.
pub const HEADER_LEN: usize = 12;
/// The first four bytes of a call or its answer.
pub const PRPC: u32 = u32::from_be_bytes(*b"PRPC");
/// The first four bytes of a frame of a stream.
pub const STRM: u32 = u32::from_be_bytes(*b"STRM");
/// Offset of the body size, 4 bytes.
pub const BODY_SIZE_AT: usize = 4;
/// Offset of the meta size, 4 bytes.
pub const META_SIZE_AT: usize = 8;

/// Numbers of the fields of `RpcMeta` (`baidu_rpc_meta.proto`).
pub mod rpc {
    /// `RpcRequestMeta`; requests have it.
    pub const REQUEST: u32 = 1;
    /// `RpcResponseMeta`; responses have it.
    pub const RESPONSE: u32 = 2;
    /// The request's id, `int64`.
    pub const CORRELATION_ID: u32 = 4;
    /// Bytes at the end of the body that are no message, `int32`.
    pub const ATTACHMENT_SIZE: u32 = 5;
    /// `StreamSettings`.
    pub const STREAM_SETTINGS: u32 = 8;
    /// `map<string, string>`.
    pub const USER_FIELDS: u32 = 9;
    /// In `RpcRequestMeta`: the request id, a text; in clients written in Java a repeated key and value.
    pub const REQUEST_ID: u32 = 7;
    /// In `RpcResponseMeta`, `int32`.
    pub const ERROR_CODE: u32 = 1;
    /// In `RpcResponseMeta`, a text.
    pub const ERROR_TEXT: u32 = 2;
}

/// Numbers of the fields of `StreamFrameMeta` (`streaming_rpc_meta.proto`), and of its `FrameType`.
pub mod stream {
    /// The receiver's id of the stream, `int64`; in `StreamSettings`, too.
    pub const STREAM_ID: u32 = 1;
    /// The sender's id of the stream, `int64`.
    pub const SOURCE_STREAM_ID: u32 = 2;
    /// What the frame is.
    pub const FRAME_TYPE: u32 = 3;
    /// The message goes on in the next frame.
    pub const HAS_CONTINUATION: u32 = 4;

    /// The stream is broken.
    pub const RST: u64 = 1;
    /// The sender has ended the stream.
    pub const CLOSE: u64 = 2;
    /// A piece of a message.
    pub const DATA: u64 = 3;
    /// How much the receiver has consumed.
    pub const FEEDBACK: u64 = 4;
    /// The names of the types, by their numbers.
    pub const TYPES: [&str; 5] = ["unknown", "rst", "close", "data", "feedback"];
}

/// Checks the first four bytes of a frame, as far as they are in.
///
/// # Errors
/// [`Reason::BadMagic`] of the bytes up to the first that is wrong, so that the error does not depend on how many are in.
pub fn check_magic(buf: &[u8], magic: [u8; 4]) -> Result<(), DecodeError> {
    match buf.iter().zip(&magic).position(|(found, expected)| found != expected) {
        Some(at) => {
            let read = |bytes: &[u8]| bytes.iter().take(at + 1).fold(0, |number, byte| number << 8 | u64::from(*byte));
            Err(Reason::BadMagic { expected: read(&magic), found: read(buf) }.at(0))
        }
        None => Ok(()),
    }
}

/// The 12 bytes of a header.
#[must_use]
pub fn header(magic: u32, body_size: u32, meta_size: u32) -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    for (place, number) in header.chunks_exact_mut(4).zip([magic, body_size, meta_size]) {
        place.copy_from_slice(&number.to_be_bytes());
    }
    header
}

/// The notes that `split` leaves for the other verbs.
pub mod variant {
    /// A frame as its first bytes say.
    pub const PLAIN: u32 = 0;
    /// The response to a request that opens a stream, whole in the payload of the stream's first frame.
    pub const WRAPPED: u32 = 1;
}
