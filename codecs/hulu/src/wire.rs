//! The header of hulu_pbrpc, as Apache bRPC writes it. Little-endian: its writers put numbers as their machine has them.
//!
//! ```text
//!  0      4           8           12        12 + meta size
//!  ┌──────┬───────────┬───────────┬─────────┬─────────┬────────────┐
//!  │ HULU │ body size │ meta size │ meta    │ payload │ attachment │
//!  └──────┴───────────┴───────────┴─────────┴─────────┴────────────┘
//!           u32: all    u32        protobuf   as long as the meta says,
//!           that follows                      if there is an attachment
//! ```

/// Bytes before the meta.
pub const HEADER_LEN: usize = 12;
/// The first four bytes of every frame.
pub const MAGIC: [u8; 4] = *b"HULU";
/// Offset of the body size, 4 bytes.
pub const BODY_SIZE_AT: usize = 4;
/// Offset of the meta size, 4 bytes.
pub const META_SIZE_AT: usize = 8;

/// Numbers of fields of `HuluRpcRequestMeta`.
pub mod request {
    /// The service, a text; every request has it.
    pub const SERVICE: u32 = 1;
    /// The position of the method in the service, `int32`.
    pub const METHOD_INDEX: u32 = 2;
    /// The request's id, `int64`.
    pub const CORRELATION_ID: u32 = 4;
    /// Bytes of the body before the attachment, `int32`, if there is one.
    pub const USER_MESSAGE_SIZE: u32 = 12;
    /// Keys and values of clients written in Java.
    pub const EXT_FIELDS: u32 = 16;
}

/// Numbers of fields of `HuluRpcResponseMeta`.
pub mod response {
    /// 0 is success, `int32`; writers put it into every response.
    pub const ERROR_CODE: u32 = 1;
    /// What failed, a text.
    pub const ERROR_TEXT: u32 = 2;
    /// The request's id, `sint64`.
    pub const CORRELATION_ID: u32 = 3;
    /// Bytes of the body before the attachment, `int32`, if there is one.
    pub const USER_MESSAGE_SIZE: u32 = 8;
}

/// The 12 bytes of a header.
#[must_use]
pub fn header(body_size: u32, meta_size: u32) -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    for (place, bytes) in header.chunks_exact_mut(4).zip([MAGIC, body_size.to_le_bytes(), meta_size.to_le_bytes()]) {
        place.copy_from_slice(&bytes);
    }
    header
}
