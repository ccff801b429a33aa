//! The fixed header of tRPC, as the protocol's specification and trpc-go's `codec.go` have it. Big-endian.
//!
//! ```text
//!  0      2      3        4           8             10          14        15       16
//!  ┌──────┬──────┬────────┬───────────┬─────────────┬───────────┬─────────┬────────┬─────────────────────────────
//!  │ 0930 │ data │ stream │ total     │ header      │ stream id │ version │ 0      │ unary: header, body, attachment
//!  │      │ type │ type   │ length u32│ length u16  │ u32       │ 0 or 1  │        │ stream: one message, or data
//!  └──────┴──────┴────────┴───────────┴─────────────┴───────────┴─────────┴────────┴─────────────────────────────
//!          0 unary  1 INIT              unary only    unary: the request id
//!          1 stream 2 DATA                            again, or 0
//!                   3 FEEDBACK
//!                   4 CLOSE
//! ```

/// Bytes before the header message of a unary frame, and before the payload of a stream frame.
pub const FIXED_LEN: usize = 16;
/// The first two bytes of every frame.
pub const MAGIC: u16 = 0x0930;
/// Offset of the data frame type, 1 byte.
pub const DATA_TYPE_AT: usize = 2;
/// Offset of the stream frame type, 1 byte.
pub const STREAM_TYPE_AT: usize = 3;
/// Offset of the length of the whole frame, 4 bytes.
pub const TOTAL_AT: usize = 4;
/// Offset of the length of a unary frame's header message, 2 bytes.
pub const MESSAGE_LEN_AT: usize = 8;

/// The data frame type of calls.
pub const UNARY: u8 = 0;
/// The data frame type of streams.
pub const STREAM: u8 = 1;

/// Opens a stream, and answers that.
pub const INIT: u8 = 1;
/// Carries business bytes.
pub const DATA: u8 = 2;
/// Gives the other side more window.
pub const FEEDBACK: u8 = 3;
/// Ends one direction of a stream, or all of it.
pub const CLOSE: u8 = 4;

/// A whole fixed header, taken apart. Says nothing about whether its values are legal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fixed {
    /// [`UNARY`] or [`STREAM`].
    pub data_type: u8,
    /// [`INIT`] to [`CLOSE`]; without meaning in unary frames.
    pub stream_type: u8,
    /// Bytes of the whole frame.
    pub total: u32,
    /// Bytes of a unary frame's header message.
    pub message_len: u16,
    /// Streams: unique in its connection. Unary: the request id, or 0.
    pub stream_id: u32,
    /// 1 is current; servers answer with the version of the request.
    pub version: u8,
    /// 0.
    pub reserved: u8,
}

impl Fixed {
    /// The fixed header in these bytes, magic excepted.
    #[must_use]
    #[inline]
    pub const fn from_bytes(bytes: [u8; FIXED_LEN]) -> Self {
        let [_, _, data_type, stream_type, t0, t1, t2, t3, m0, m1, s0, s1, s2, s3, version, reserved] = bytes;
        Self {
            data_type,
            stream_type,
            total: u32::from_be_bytes([t0, t1, t2, t3]),
            message_len: u16::from_be_bytes([m0, m1]),
            stream_id: u32::from_be_bytes([s0, s1, s2, s3]),
            version,
            reserved,
        }
    }

    /// The fixed header at the front of a frame; `None` if the frame is shorter.
    #[must_use]
    pub fn of(frame: &[u8]) -> Option<Self> {
        frame.first_chunk().map(|bytes| Self::from_bytes(*bytes))
    }

    /// Its bytes.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; FIXED_LEN] {
        let [g0, g1] = MAGIC.to_be_bytes();
        let [t0, t1, t2, t3] = self.total.to_be_bytes();
        let [m0, m1] = self.message_len.to_be_bytes();
        let [s0, s1, s2, s3] = self.stream_id.to_be_bytes();
        let Self { data_type, stream_type, version, reserved, .. } = self;
        [g0, g1, data_type, stream_type, t0, t1, t2, t3, m0, m1, s0, s1, s2, s3, version, reserved]
    }
}
