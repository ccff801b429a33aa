//! Which transport and protocol a stream speaks, told from its first message.
//!
//! | first bytes | next bytes | it is |
//! |---|---|---|
//! | `80 01` | | unframed, binary |
//! | `82 t1` | | unframed, compact (`t` is the message type) |
//! | i32 > 0 | `80 01` | framed, binary |
//! | i32 > 0 | `82 t1` | framed, compact |
//! | i32 > 0 | `0f ff` | THeader |
//! | i32 n > 0 | i32 m, 0 < m <= 512, m bytes of a name, type 1..=4, room for id and struct in n | framed, old binary |
//! | i32 m, 0 < m <= 512 | m bytes of a name, type 1..=4 | unframed, old binary |
//! | `[1,"`, at 0 or behind an i32 | | JSON: refused |
//!
//! The last two binary rows cannot be confused: a name starts with a printable byte, an i32 up to 512 with a zero. Old
//! binary has no magic, so its whole message head must be in, and plausible, before it is believed.

use metaprotocol_core::{DecodeError, Detection, Direction, Limits, Reason};

use crate::header;
use crate::message::{self, Family};
use crate::window::{Stop, Window};
use crate::wire::{
    BINARY_MAGIC, COMPACT_ID, COMPACT_MAGIC, COMPACT_TYPE_SHIFT, COMPACT_VERSION, COMPACT_VERSION_MASK, HEADER_MAGIC,
    JSON_START, LENGTH_LEN, MessageType,
};

/// Longest method name by which old binary is recognised. Once it is, names may be as long as the limits allow.
const MAX_PLAUSIBLE_NAME: usize = 512;
/// The shortest message: compact, without a name, its struct empty.
const MIN_MESSAGE_LEN: usize = 5;
/// Bytes from which a message with a magic is told for certain.
const CERTAIN_LEN: usize = 8;

/// How the messages of a connection are put on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Shape {
    #[default]
    Unknown,
    Unframed(Family),
    Framed(Family),
    Header,
}

/// What a stream that begins with `buf` speaks.
pub(crate) fn recognise(buf: &[u8], limits: &Limits) -> Result<Shape, Stop> {
    let [high, low] = pair(buf, 0)?;
    if high == (BINARY_MAGIC >> 8) as u8 || high == COMPACT_ID {
        return family(high, low, 0).map(Shape::Unframed);
    }
    json(buf, 0)?;
    let word: [u8; 4] = Window::new(buf, 0, usize::MAX).array("frame length")?;
    let length = i32::from_be_bytes(word);
    if length <= 0 {
        return Err(Reason::BadLength { field: "frame length", value: length.into() }.at(0).into());
    }
    let frame_len = length as u64 + LENGTH_LEN as u64;
    if frame_len > limits.max_frame_len {
        // Four letters are another protocol's, not a length.
        let reason = if word.iter().all(|byte| (0x20..0x7f).contains(byte)) {
            Reason::BadMagic { expected: BINARY_MAGIC.into(), found: u16::from_be_bytes([high, low]).into() }
        } else {
            Reason::LimitExceeded { limit: "max_frame_len", value: frame_len, max: limits.max_frame_len }
        };
        return Err(reason.at(0).into());
    }
    let length = length as usize;
    if length < MIN_MESSAGE_LEN && buf.get(LENGTH_LEN).is_some_and(|byte| !matches!(byte, 0x21..=0x7e)) {
        return Err(Reason::BadLength { field: "frame length", value: length as i64 }.at(0).into());
    }
    let [high, low] = pair(buf, LENGTH_LEN)?;
    match high {
        0x80 | COMPACT_ID => family(high, low, LENGTH_LEN).map(Shape::Framed),
        _ if u16::from_be_bytes([high, low]) == HEADER_MAGIC => Ok(Shape::Header),
        b'[' => match json(buf, LENGTH_LEN) {
            Ok(()) => Err(not_a_message(high, low, LENGTH_LEN)),
            Err(stop) => Err(stop),
        },
        // No plausible name is so long that its length fills the second byte.
        0 if low == 0 => old(buf, LENGTH_LEN, LENGTH_LEN + length).map(|()| Shape::Framed(Family::Binary)),
        0x21..=0x7e => old(buf, 0, usize::MAX).map(|()| Shape::Unframed(Family::Binary)),
        _ => Err(not_a_message(high, low, LENGTH_LEN)),
    }
}

/// Two bytes. The second is asked for even if the first could do without it, since every message has it.
fn pair(buf: &[u8], at: usize) -> Result<[u8; 2], Stop> {
    Window::new(buf, at, usize::MAX).array("version")
}

fn not_a_message(high: u8, low: u8, at: usize) -> Stop {
    let found = u16::from_be_bytes([high, low]).into();
    Reason::BadMagic { expected: BINARY_MAGIC.into(), found }.at(at).into()
}

fn family(high: u8, low: u8, at: usize) -> Result<Family, Stop> {
    if u16::from_be_bytes([high, low]) == BINARY_MAGIC {
        Ok(Family::Binary)
    } else if high == COMPACT_ID {
        if low & COMPACT_VERSION_MASK == COMPACT_VERSION {
            return Ok(Family::Compact);
        }
        let found = u16::from_be_bytes([high, low & COMPACT_VERSION_MASK]).into();
        Err(Reason::BadMagic { expected: COMPACT_MAGIC.into(), found }.at(at).into())
    } else {
        Err(not_a_message(high, low, at))
    }
}

/// Refuses the JSON protocol by its name, so that nobody searches for a broken length.
fn json(buf: &[u8], at: usize) -> Result<(), Stop> {
    let seen = buf.get(at..).unwrap_or_default();
    let common = JSON_START.iter().zip(seen).take_while(|(want, have)| want == have).count();
    if common == JSON_START.len() {
        return Err(Reason::Unsupported { what: "the JSON protocol, version", value: 1 }.at(at).into());
    }
    if common == seen.len() { Err(Stop::Need(JSON_START.len() - common)) } else { Ok(()) }
}

/// Believes in an old binary message at `at` only if its head is plausible throughout.
fn old(buf: &[u8], at: usize, end: usize) -> Result<(), Stop> {
    let mut window = Window::new(buf, at, end);
    let len = window.length("method name length")?;
    let seen = buf.get(window.at..).unwrap_or_default();
    let seen = seen.get(..len).unwrap_or(seen);
    // Type, sequence id, and the struct's stop follow the name.
    let fits = window.at.saturating_add(len + 6) <= end;
    let doubt = || {
        let [high, low] = pair(buf, LENGTH_LEN).unwrap_or_default();
        not_a_message(high, low, LENGTH_LEN)
    };
    if !(1..=MAX_PLAUSIBLE_NAME).contains(&len) || !fits || !seen.iter().all(|byte| is_name_byte(*byte)) {
        return Err(doubt());
    }
    if let Some(byte) = buf.get(window.at + len) {
        MessageType::from_wire(*byte).ok_or_else(doubt)?;
    }
    match window.require(len + 5, "message head") {
        // The next byte may contradict: no need to wait for all.
        Err(Stop::Need(_)) => Err(Stop::Need(1)),
        other => other,
    }
}

/// Names are identifiers in practice, and text at least.
const fn is_name_byte(byte: u8) -> bool {
    byte >= 0x20 && byte != 0x7f
}

/// Whether an old binary message of this name is recognised at the start of a stream.
pub(crate) fn is_old_name(name: &[u8]) -> bool {
    name.len() <= MAX_PLAUSIBLE_NAME
        && name.first().is_some_and(|byte| matches!(byte, 0x21..=0x7e) && *byte != b'[')
        && name.iter().all(|byte| is_name_byte(*byte))
}

/// The verb.
pub(crate) fn detect(direction: Direction, prefix: &[u8]) -> Detection {
    // No length above THeader's, whatever an operator allows: beyond it lies text.
    let limits = Limits { max_frame_len: header::MAX_LENGTH + LENGTH_LEN as u64, ..Limits::default() };
    match prefix.first() {
        None => return Detection::NeedMore,
        Some(0x40..=0x7f) => return Detection::No,
        Some(_) => {}
    }
    match recognise(prefix, &limits).and_then(|shape| certain(shape, direction, prefix, &limits)) {
        Ok(()) => Detection::Yes,
        Err(Stop::Need(_)) => Detection::NeedMore,
        Err(Stop::Broken(_)) => Detection::No,
    }
}

/// Succeeds when a recognised stream cannot be anything else.
fn certain(shape: Shape, direction: Direction, prefix: &[u8], limits: &Limits) -> Result<(), Stop> {
    let max_len = limits.max_header_len as usize;
    let (at, family) = match shape {
        Shape::Header => {
            let end = frame_end(prefix)?;
            let header = match header::read(prefix, end, max_len) {
                Ok(header) => header,
                // The size fits the frame; what follows may take long to come.
                Err(Stop::Need(_)) if prefix.len() >= header::DATA_AT => return Ok(()),
                Err(stop) => return Err(stop),
            };
            if header.zlib {
                return Ok(());
            }
            return match message::read(Window::new(prefix, header.payload_at, end), header.family, max_len) {
                Ok(message) if message.message_type.direction() != direction => Err(no().into()),
                Ok(_) | Err(Stop::Need(_)) => Ok(()),
                Err(stop) => Err(stop),
            };
        }
        Shape::Unframed(family) => (0, family),
        Shape::Framed(family) => (LENGTH_LEN, family),
        Shape::Unknown => return Err(Stop::Need(1)),
    };
    let end = if at == 0 { usize::MAX } else { frame_end(prefix)? };
    let message_type = match family {
        Family::Compact => prefix.get(at + 1).map(|byte| byte >> COMPACT_TYPE_SHIFT),
        // Old binary was recognised with its whole head, which is read below.
        Family::Binary if prefix.get(at).is_some_and(|byte| byte & 0x80 == 0) => None,
        Family::Binary => prefix.get(at + 3).copied(),
    };
    if message_type.is_some_and(|byte| MessageType::from_wire(byte).is_none_or(|ty| ty.direction() != direction)) {
        return Err(no().into());
    }
    match message::read(Window::new(prefix, at, end), family, max_len) {
        Ok(message) => {
            let named = prefix.get(message.name).unwrap_or_default().iter().all(|byte| is_name_byte(*byte));
            if !named || message.message_type.direction() != direction || message.body_at >= end {
                return Err(no().into());
            }
            if prefix.len() < CERTAIN_LEN { Err(Stop::Need(CERTAIN_LEN - prefix.len())) } else { Ok(()) }
        }
        // Unframed compact shows two bytes only: its name has to confirm them.
        Err(Stop::Need(_)) if shape != Shape::Unframed(Family::Compact) && prefix.len() >= CERTAIN_LEN => Ok(()),
        Err(stop) => Err(stop),
    }
}

/// Why is of no interest to who asks for yes or no.
const fn no() -> DecodeError {
    Reason::BadValue { field: "message type", value: 0 }.at(0)
}

fn frame_end(prefix: &[u8]) -> Result<usize, Stop> {
    Ok(Window::new(prefix, 0, usize::MAX).length("frame length")?.saturating_add(LENGTH_LEN))
}
