//! The header of Dubbo 2, as `ExchangeCodec` of Apache Dubbo (2.7 and 3.x) reads and writes it. Big-endian.
//!
//! ```text
//!  0      2      3        4                    12            16
//!  ┌──────┬──────┬────────┬────────────────────┬─────────────┬──────
//!  │ DABB │flags │ status │ request id (i64)   │ body length │ body
//!  └──────┴──────┴────────┴────────────────────┴─────────────┴──────
//!            │       └ responses only; requests carry 0
//!            └ 0x80 request · 0x40 two-way · 0x20 event · 0x1f serialization id
//! ```

/// Bytes before the body.
pub const HEADER_LEN: usize = 16;
/// The first two bytes of every frame.
pub const MAGIC: u16 = 0xdabb;
/// Offset of the flags, 1 byte.
pub const FLAGS_AT: usize = 2;
/// Offset of the status, 1 byte.
pub const STATUS_AT: usize = 3;
/// Offset of the request id, 8 bytes.
pub const REQUEST_ID_AT: usize = 4;
/// Offset of the body length, 4 bytes, signed.
pub const BODY_LEN_AT: usize = 12;

/// Set on requests, clear on responses.
pub const REQUEST: u8 = 0x80;
/// The sender of a request waits for a response.
pub const TWO_WAY: u8 = 0x40;
/// About the connection (heartbeat, read-only notice), not a call.
pub const EVENT: u8 = 0x20;
/// The bits of the serialization id.
pub const SERIALIZATION: u8 = 0x1f;
/// The serialization id of Hessian 2, the only one whose bodies are read.
pub const HESSIAN2: u8 = 2;
/// The serialization id of fastjson: one JSON text a line.
pub const FASTJSON: u8 = 6;
/// The serialization id of Gson: one JSON text a line.
pub const GSON: u8 = 16;

/// The status of a response that was carried out, with a result or an exception.
pub const OK: u8 = 20;

/// Every status that Apache Dubbo defines, with its name there.
pub const STATUSES: [(u8, &str); 12] = [
    (OK, "ok"),
    (25, "serialization error"),
    (30, "client timeout"),
    (31, "server timeout"),
    (35, "channel inactive"),
    (40, "bad request"),
    (50, "bad response"),
    (60, "service not found"),
    (70, "service error"),
    (80, "server error"),
    (90, "client error"),
    (100, "server thread pool exhausted"),
];

/// One bit for each number of [`STATUSES`].
const STATUS_SET: u128 = {
    let mut set = 0;
    let mut index = 0;
    while index < STATUSES.len() {
        set |= 1 << STATUSES[index].0;
        index += 1;
    }
    set
};

/// True for a status of [`STATUSES`].
#[inline]
#[must_use]
pub const fn is_status(status: u8) -> bool {
    status < 128 && (STATUS_SET >> status) & 1 == 1
}

/// The name Apache Dubbo gives to a serialization id.
#[must_use]
pub const fn serialization_name(id: u8) -> Option<&'static str> {
    Some(match id {
        2 => "hessian2",
        3 => "java",
        4 => "compactedjava",
        6 => "fastjson",
        7 => "nativejava",
        8 => "kryo",
        9 => "fst",
        10 => "native-hessian",
        11 => "avro",
        12 => "protostuff",
        16 => "gson",
        18 => "jackson",
        21 => "protobuf-json",
        22 => "protobuf",
        23 => "fastjson2",
        25 => "kryo2",
        27 => "msgpack",
        28 => "fury",
        31 => "custom-msgpack",
        _ => return None,
    })
}

/// The result types of a response body with status 20.
pub mod result {
    /// The service threw; the throwable follows.
    pub const EXCEPTION: i32 = 0;
    /// A value follows.
    pub const VALUE: i32 = 1;
    /// The result is null; nothing follows.
    pub const NULL: i32 = 2;
    /// As [`EXCEPTION`], then attachments.
    pub const EXCEPTION_WITH_ATTACHMENTS: i32 = 3;
    /// As [`VALUE`], then attachments.
    pub const VALUE_WITH_ATTACHMENTS: i32 = 4;
    /// As [`NULL`], then attachments.
    pub const NULL_WITH_ATTACHMENTS: i32 = 5;
}

/// A whole header, taken apart. Says nothing about whether its values are legal.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// Bits [`REQUEST`], [`TWO_WAY`], [`EVENT`], [`SERIALIZATION`].
    pub flags: u8,
    /// Responses: one of [`STATUSES`].
    pub status: u8,
    /// Chosen by the client, echoed by the server.
    pub request_id: u64,
}

impl Header {
    /// The header at the front of a frame; `None` if the frame is shorter than a header.
    #[must_use]
    pub fn of(frame: &[u8]) -> Option<Self> {
        let header = frame.first_chunk::<HEADER_LEN>()?;
        let [_, _, flags, status, i0, i1, i2, i3, i4, i5, i6, i7, ..] = *header;
        Some(Self { flags, status, request_id: u64::from_be_bytes([i0, i1, i2, i3, i4, i5, i6, i7]) })
    }

    /// True for requests.
    #[must_use]
    pub const fn is_request(self) -> bool {
        self.flags & REQUEST != 0
    }

    /// True if the sender waits for a response.
    #[must_use]
    pub const fn is_two_way(self) -> bool {
        self.flags & TWO_WAY != 0
    }

    /// True for frames about the connection.
    #[must_use]
    pub const fn is_event(self) -> bool {
        self.flags & EVENT != 0
    }

    /// How the body is written.
    #[must_use]
    pub const fn serialization(self) -> u8 {
        self.flags & SERIALIZATION
    }

    /// The header's bytes, with this body length.
    #[must_use]
    pub const fn to_bytes(self, body_len: u32) -> [u8; HEADER_LEN] {
        let [m0, m1] = MAGIC.to_be_bytes();
        let [i0, i1, i2, i3, i4, i5, i6, i7] = self.request_id.to_be_bytes();
        let [l0, l1, l2, l3] = body_len.to_be_bytes();
        [m0, m1, self.flags, self.status, i0, i1, i2, i3, i4, i5, i6, i7, l0, l1, l2, l3]
    }
}
