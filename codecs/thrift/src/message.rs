//! The head of a message: what it is for, whose method, which sequence id.
//!
//! ```text
//! binary      u16 0x8001 | u8 ignored | u8 type | i32 name length | name | i32 sequence id | struct
//! binary_old  i32 name length | name | u8 type | i32 sequence id | struct
//! compact     u8 0x82 | u8 type<<5 + version 1 | varint sequence id | varint name length | name | struct
//! ```
//! Big-endian. A binary message whose first bit is set is strict, otherwise old: a length is never negative.

use std::ops::Range;

use metaprotocol_core::Reason;
use metaprotocol_core::protobuf::push_varint;

use crate::window::{Stop, Window};
use crate::wire::{
    BINARY_MAGIC, COMPACT_ID, COMPACT_MAGIC, COMPACT_TYPE_SHIFT, COMPACT_VERSION, COMPACT_VERSION_MASK, MessageType,
    Protocol,
};

/// A message head and where its parts stand in the buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) protocol: Protocol,
    pub(crate) message_type: MessageType,
    /// Offset of the byte that holds the type.
    pub(crate) type_at: usize,
    pub(crate) sequence_id: i32,
    pub(crate) sequence: Range<usize>,
    /// From the length of the name to its last byte.
    pub(crate) sized_name: Range<usize>,
    pub(crate) name: Range<usize>,
    /// Offset of the struct.
    pub(crate) body_at: usize,
}

/// Which protocols a message may be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// Strict or old: a server may answer an old call strictly, so each message tells for itself.
    Binary,
    Compact,
}

/// Reads the head at the window. `max_len` bounds the end of the head, as an offset in the buffer.
pub(crate) fn read(mut window: Window<'_>, family: Family, max_len: usize) -> Result<Message, Stop> {
    match family {
        Family::Compact => read_compact(&mut window, max_len),
        Family::Binary => {
            if window.buf.get(window.at).is_some_and(|byte| byte & 0x80 != 0) {
                read_strict(&mut window, max_len)
            } else {
                read_old(&mut window, max_len)
            }
        }
    }
}

fn read_strict(window: &mut Window<'_>, max_len: usize) -> Result<Message, Stop> {
    let start = window.at;
    room(window, 12)?;
    let magic = u16::from_be_bytes(window.array("version")?);
    if magic != BINARY_MAGIC {
        return Err(Reason::BadMagic { expected: BINARY_MAGIC.into(), found: magic.into() }.at(start).into());
    }
    let [_, byte] = window.array("message type")?;
    let type_at = start + 3;
    let message_type = message_type(byte, type_at)?;
    let (sized_name, name) = read_name(window, 4, max_len)?;
    let sequence = window.at..window.at + 4;
    let sequence_id = window.i32("sequence id")?;
    let protocol = Protocol::Binary;
    Ok(Message { protocol, message_type, type_at, sequence_id, sequence, sized_name, name, body_at: window.at })
}

fn read_old(window: &mut Window<'_>, max_len: usize) -> Result<Message, Stop> {
    room(window, 9)?;
    let (sized_name, name) = read_name(window, 5, max_len)?;
    let type_at = window.at;
    let message_type = message_type(window.u8("message type")?, type_at)?;
    let sequence = window.at..window.at + 4;
    let sequence_id = window.i32("sequence id")?;
    let protocol = Protocol::BinaryOld;
    Ok(Message { protocol, message_type, type_at, sequence_id, sequence, sized_name, name, body_at: window.at })
}

fn read_compact(window: &mut Window<'_>, max_len: usize) -> Result<Message, Stop> {
    let start = window.at;
    room(window, 4)?;
    let [id, second] = window.array("version")?;
    let magic = u16::from_be_bytes([id, second & COMPACT_VERSION_MASK]);
    if magic != COMPACT_MAGIC {
        return Err(Reason::BadMagic { expected: COMPACT_MAGIC.into(), found: magic.into() }.at(start).into());
    }
    let type_at = start + 1;
    let message_type = message_type(second >> COMPACT_TYPE_SHIFT, type_at)?;
    let sequence_at = window.at;
    let sequence_id = window.varint::<32>("sequence id")? as u32 as i32;
    let sequence = sequence_at..window.at;
    let sized_at = window.at;
    let len = window.varint_length("method name length")?;
    let name = take_name(window, len, 0, sized_at, max_len)?;
    let protocol = Protocol::Compact;
    let sized_name = sized_at..name.end;
    Ok(Message { protocol, message_type, type_at, sequence_id, sequence, sized_name, name, body_at: window.at })
}

/// Fails if the frame has no room for the shortest head.
fn room(window: &Window<'_>, len: usize) -> Result<(), Stop> {
    match window.require(len, "message head") {
        Err(Stop::Need(_)) => Ok(()),
        other => other,
    }
}

fn message_type(byte: u8, at: usize) -> Result<MessageType, Stop> {
    let bad = Reason::BadValue { field: "message type", value: byte.into() };
    MessageType::from_wire(byte).ok_or(Stop::Broken(bad.at(at)))
}

/// A name behind an i32 length, with `after` more bytes of the head behind it.
fn read_name(window: &mut Window<'_>, after: usize, max_len: usize) -> Result<(Range<usize>, Range<usize>), Stop> {
    let sized_at = window.at;
    let len = window.length("method name length")?;
    let name = take_name(window, len, after, sized_at, max_len)?;
    Ok((sized_at..name.end, name))
}

fn take_name(
    window: &mut Window<'_>,
    len: usize,
    after: usize,
    sized_at: usize,
    max_len: usize,
) -> Result<Range<usize>, Stop> {
    let start = window.at;
    let head_end = start.saturating_add(len).saturating_add(after);
    if head_end > max_len {
        let reason = Reason::LimitExceeded { limit: "max_header_len", value: head_end as u64, max: max_len as u64 };
        return Err(reason.at(sized_at).into());
    }
    window.require(len + after, "method name")?;
    window.at = start + len;
    Ok(start..window.at)
}

/// Appends a message head.
pub(crate) fn write(out: &mut Vec<u8>, protocol: Protocol, message_type: MessageType, name: &[u8], sequence_id: i32) {
    match protocol {
        Protocol::Binary => {
            out.extend_from_slice(&BINARY_MAGIC.to_be_bytes());
            out.extend_from_slice(&[0, message_type as u8]);
            push_name(out, protocol, name);
            out.extend_from_slice(&sequence_id.to_be_bytes());
        }
        Protocol::BinaryOld => {
            push_name(out, protocol, name);
            out.push(message_type as u8);
            out.extend_from_slice(&sequence_id.to_be_bytes());
        }
        Protocol::Compact => {
            out.extend_from_slice(&[COMPACT_ID, (message_type as u8) << COMPACT_TYPE_SHIFT | COMPACT_VERSION]);
            push_sequence_id(out, protocol, sequence_id);
            push_name(out, protocol, name);
        }
    }
}

/// Appends a sequence id as the protocol writes it.
pub(crate) fn push_sequence_id(out: &mut Vec<u8>, protocol: Protocol, sequence_id: i32) {
    match protocol {
        Protocol::Compact => push_varint(out, (sequence_id as u32).into()),
        Protocol::Binary | Protocol::BinaryOld => out.extend_from_slice(&sequence_id.to_be_bytes()),
    }
}

/// Appends a string with its length, as the protocol writes it; the caller has checked that the length fits an i32.
pub(crate) fn push_name(out: &mut Vec<u8>, protocol: Protocol, name: &[u8]) {
    match protocol {
        Protocol::Compact => push_varint(out, name.len() as u64),
        Protocol::Binary | Protocol::BinaryOld => out.extend_from_slice(&(name.len() as u32).to_be_bytes()),
    }
    out.extend_from_slice(name);
}
