//! THeader: the transport that carries info headers before the message.
//!
//! ```text
//!  0      4        6       8             12             14
//!  +------+--------+-------+-------------+--------------+-------------------- - - -+---------+
//!  | i32  | u16    | u16   | i32         | u16 header   | header data, padded      | payload |
//!  | len  | 0x0fff | flags | sequence id | size / 4     | with 0 to its size       |         |
//!  +------+--------+-------+-------------+--------------+-------------------- - - -+---------+
//! header data  varint protocol id (0 binary, 2 compact) | varint transform count | varint transform id ...
//!              | info blocks: varint id, and for ids 1 and 2: varint count | count * (varint length, key,
//!              varint length, value)
//! ```
//! Big-endian; the length counts what follows it. Any other info id ends the info headers: its layout is unknown.

use std::ops::Range;

use metaprotocol_core::{DecodeError, Limits, Reason};

use crate::message::Family;
use crate::window::{Stop, Window};
use crate::wire::{HEADER_MAGIC, LENGTH_LEN};

pub(crate) const MAGIC_AT: usize = 4;
pub(crate) const FLAGS_AT: usize = 6;
pub(crate) const SEQUENCE_AT: usize = 8;
pub(crate) const SIZE_AT: usize = 12;
pub(crate) const DATA_AT: usize = 14;
/// The header's size is told in words of this many bytes.
pub(crate) const WORD: usize = 4;
/// The largest length that THeader allows; the next values mark other transports.
pub(crate) const MAX_LENGTH: u64 = 0x3fff_ffff;

pub(crate) const PROTOCOL_BINARY: u64 = 0;
pub(crate) const PROTOCOL_JSON: u64 = 1;
pub(crate) const PROTOCOL_COMPACT: u64 = 2;
const TRANSFORM_ZLIB: u64 = 1;
/// Key and value pairs of this message.
pub(crate) const INFO_KEY_VALUE: u64 = 1;
/// Key and value pairs that hold for the connection (fbthrift).
const INFO_PERSISTENT: u64 = 2;

/// What a THeader says before its info headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) family: Family,
    pub(crate) sequence_id: i32,
    pub(crate) zlib: bool,
    /// Offset of the info blocks.
    pub(crate) infos_at: usize,
    /// Offset of the payload.
    pub(crate) payload_at: usize,
}

/// Reads the header of the frame that ends at `end`, whose length is already checked. `max_len` bounds the header.
pub(crate) fn read(buf: &[u8], end: usize, max_len: usize) -> Result<Header, Stop> {
    let mut window = Window::new(buf, MAGIC_AT, end);
    window.require(DATA_AT - MAGIC_AT, "THeader")?;
    let magic = u16::from_be_bytes(window.array("magic")?);
    if magic != HEADER_MAGIC {
        return Err(Reason::BadMagic { expected: HEADER_MAGIC.into(), found: magic.into() }.at(MAGIC_AT).into());
    }
    window.at = SEQUENCE_AT;
    let sequence_id = window.i32("sequence id")?;
    let words = u16::from_be_bytes(window.array("header size")?);
    if words == 0 {
        return Err(Reason::BadLength { field: "header size", value: 0 }.at(SIZE_AT).into());
    }
    let payload_at = DATA_AT + usize::from(words) * WORD;
    if payload_at > end {
        return Err(Reason::UnexpectedEnd { field: "header size" }.at(SIZE_AT).into());
    }
    if payload_at > max_len {
        let reason = Reason::LimitExceeded { limit: "max_header_len", value: payload_at as u64, max: max_len as u64 };
        return Err(reason.at(SIZE_AT).into());
    }
    window.require(payload_at - window.at, "header data")?;
    let mut data = Window::new(buf, window.at, payload_at);
    let protocol_at = data.at;
    let family = match data.varint::<32>("protocol id")? {
        PROTOCOL_BINARY => Family::Binary,
        PROTOCOL_COMPACT => Family::Compact,
        PROTOCOL_JSON => return Err(unsupported("THeader protocol (JSON)", PROTOCOL_JSON, protocol_at)),
        other => return Err(unsupported("THeader protocol", other, protocol_at)),
    };
    let count_at = data.at;
    let count = data.varint::<32>("transform count")?;
    if count > 1 {
        return Err(unsupported("THeader transform count", count, count_at));
    }
    if count == 1 {
        let transform_at = data.at;
        let transform = data.varint::<32>("transform id")?;
        if transform != TRANSFORM_ZLIB {
            return Err(unsupported("THeader transform", transform, transform_at));
        }
    }
    Ok(Header { family, sequence_id, zlib: count == 1, infos_at: data.at, payload_at })
}

fn unsupported(what: &'static str, value: u64, at: usize) -> Stop {
    Reason::Unsupported { what, value: value as i64 }.at(at).into()
}

/// One key and value, as offsets in the frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Info {
    /// With both lengths.
    pub(crate) whole: Range<usize>,
    pub(crate) key: Range<usize>,
    pub(crate) value: Range<usize>,
}

/// Visits the info headers of a complete frame: first each block's id, then its pairs. Stops early when `visit` says
/// false. Returns the offset where the blocks end and padding, or an unknown block, begins.
pub(crate) fn walk_infos(
    buf: &[u8],
    header: &Header,
    limits: &Limits,
    mut visit: impl FnMut(u64, Option<Info>) -> bool,
) -> Result<usize, DecodeError> {
    let mut window = Window::new(buf, header.infos_at, header.payload_at);
    let mut seen = 0_u64;
    let complete = |stop: Stop| stop.complete(buf.len());
    while window.at < window.end {
        let block_at = window.at;
        let id = window.varint::<32>("info id").map_err(complete)?;
        if id != INFO_KEY_VALUE && id != INFO_PERSISTENT {
            return Ok(block_at);
        }
        let count_at = window.at;
        let count = window.varint_length("info count").map_err(complete)? as u64;
        seen = seen.saturating_add(count);
        if seen > limits.max_field_count.into() {
            let max = limits.max_field_count.into();
            return Err(Reason::LimitExceeded { limit: "max_field_count", value: seen, max }.at(count_at));
        }
        if !visit(id, None) {
            return Ok(block_at);
        }
        for _ in 0..count {
            let start = window.at;
            let key = read_text(&mut window, "info key").map_err(complete)?;
            let value = read_text(&mut window, "info value").map_err(complete)?;
            if !visit(id, Some(Info { whole: start..window.at, key, value })) {
                return Ok(block_at);
            }
        }
    }
    Ok(window.at)
}

fn read_text(window: &mut Window<'_>, field: &'static str) -> Result<Range<usize>, Stop> {
    let len = window.varint_length(field)?;
    window.require(len, field)?;
    let start = window.at;
    window.at += len;
    Ok(start..window.at)
}

/// The length field of a THeader or framed frame.
pub(crate) fn push_length(out: &mut Vec<u8>, frame_len: usize) {
    out.extend_from_slice(&((frame_len - LENGTH_LEN) as u32).to_be_bytes());
}
