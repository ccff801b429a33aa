//! The header of sofa_pbrpc, as Apache bRPC and sofa-pbrpc write it. Little-endian: its writers put numbers as their machine
//! has them.
//!
//! ```text
//!  0      4           8           16             24        24 + meta size
//!  ┌──────┬───────────┬───────────┬──────────────┬─────────┬─────────┐
//!  │ SOFA │ meta size │ body size │ message size │ meta    │ body    │
//!  └──────┴───────────┴───────────┴──────────────┴─────────┴─────────┘
//!           u32         u64         u64: both      protobuf  protobuf
//! ```

/// Bytes before the meta.
pub const HEADER_LEN: usize = 24;
/// The first four bytes of every frame.
pub const MAGIC: [u8; 4] = *b"SOFA";
/// Offset of the meta size, 4 bytes.
pub const META_SIZE_AT: usize = 4;
/// Offset of the body size, 8 bytes.
pub const BODY_SIZE_AT: usize = 8;
/// Offset of the message size, 8 bytes.
pub const MESSAGE_SIZE_AT: usize = 16;

/// Numbers of fields of `SofaRpcMeta`.
pub mod meta {
    /// 0 for requests, 1 for responses.
    pub const TYPE: u32 = 1;
    /// The request's id, `uint64`.
    pub const SEQUENCE_ID: u32 = 2;
    /// The method with its service and package, a text.
    pub const METHOD: u32 = 100;
    /// True if the call failed.
    pub const FAILED: u32 = 200;
    /// What failed, `int32`.
    pub const ERROR_CODE: u32 = 201;
    /// What failed, a text.
    pub const REASON: u32 = 202;

    /// The type of responses.
    pub const RESPONSE: u64 = 1;
}

/// The 24 bytes of a header.
#[must_use]
pub fn header(meta_size: u32, body_size: u64) -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    let [m0, m1, m2, m3] = meta_size.to_le_bytes();
    let [c0, c1, c2, c3] = MAGIC;
    let words =
        [[c0, c1, c2, c3, m0, m1, m2, m3], body_size.to_le_bytes(), (u64::from(meta_size) + body_size).to_le_bytes()];
    for (place, word) in header.chunks_exact_mut(8).zip(words) {
        place.copy_from_slice(&word);
    }
    header
}
