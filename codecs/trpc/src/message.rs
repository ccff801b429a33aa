//! The protobuf messages in front of bodies and in stream frames, by `trpc.proto`, and how they are walked.
//!
//! ```text
//!                  1             2              3           4            5         6          7             8
//! RequestProtocol  version       call_type      request_id  timeout      caller    callee     func          message_type
//! ResponseProtocol version       call_type      request_id  ret          func_ret  error_msg  message_type  trans_info
//! INIT             request_meta  response_meta  window      content_type content_encoding
//!   request_meta   caller        callee         func        message_type trans_info
//!   response_meta  ret           error_msg
//! FEEDBACK         window_size_increment
//! CLOSE            close_type    ret            msg         message_type trans_info func_ret
//!
//!                  9             10                11                12
//! RequestProtocol  trans_info    content_type      content_encoding  attachment_size
//! ResponseProtocol content_type  content_encoding                    attachment_size
//! ```
//!
//! A message is walked to its end even for its first field: of a field that comes twice the last counts, so an early end
//! could see another request id or function than the peer does. Numbers are 32 bits wide, and read as protobuf reads
//! longer ones: their low 32 bits. A field of another wire type than its own is an unknown field.

use metaprotocol_core::protobuf::{self, LEN, VARINT};
use metaprotocol_core::{Cursor, DecodeError, Direction, Frame, Reason};

use crate::wire::{CLOSE, FEEDBACK, FIXED_LEN, Fixed, INIT, UNARY};

pub use protobuf::Field;

/// What errors call any of the messages.
const NAME: &str = "header message";

/// What the bytes behind the fixed header are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// A call.
    Request,
    /// Its answer.
    Response,
    /// INIT from the client.
    Open,
    /// INIT from the server.
    Opened,
    /// No message, but business bytes.
    Data,
    /// FEEDBACK.
    Feedback,
    /// CLOSE.
    Close,
}

/// A field's place: its number, behind the number of the inner message that it stands in. No number is above 15.
pub type Slot = u8;

/// The numbers of INIT's inner messages, as the upper half of slots.
pub const REQUEST_META: u8 = 1;
/// See [`REQUEST_META`].
pub const RESPONSE_META: u8 = 2;
/// A slot that no field has.
pub const NO_SLOT: Slot = 0;
/// One more than the last slot.
pub const SLOTS: usize = 48;

/// Field numbers that `split` has to know.
pub mod number {
    /// Of requests: 1 asks for no answer.
    pub const CALL_TYPE: usize = 2;
    /// Of requests and responses.
    pub const REQUEST_ID: usize = 3;
    /// Of responses: the framework's return code.
    pub const RET: usize = 4;
    /// Of responses: the function's return code.
    pub const FUNC_RET: usize = 5;
    /// Of requests and responses.
    pub const ATTACHMENT_SIZE: usize = 12;
    /// Of CLOSE.
    pub const CLOSE_TYPE: usize = 1;
}

/// The slot of INIT's `response_meta.ret`.
pub const INIT_RET: Slot = RESPONSE_META << 4 | 1;

impl Message {
    /// What follows a fixed header that came this way.
    #[inline]
    pub const fn of(fixed: Fixed, client: bool) -> Self {
        match (fixed.data_type, fixed.stream_type) {
            (UNARY, _) if client => Self::Request,
            (UNARY, _) => Self::Response,
            (_, INIT) if client => Self::Open,
            (_, INIT) => Self::Opened,
            (_, FEEDBACK) => Self::Feedback,
            (_, CLOSE) => Self::Close,
            _ => Self::Data,
        }
    }

    /// True if a field of this number holds a message whose fields are read.
    pub const fn nests(self, number: u32) -> bool {
        matches!(self, Self::Open | Self::Opened) && (number == REQUEST_META as u32 || number == RESPONSE_META as u32)
    }

    /// True if the inner message of this number belongs here, though nothing may be written in it; 0 is the message itself.
    pub const fn has(self, inner: u8) -> bool {
        match self {
            Self::Open => matches!(inner, 0 | REQUEST_META),
            Self::Opened => matches!(inner, 0 | RESPONSE_META),
            _ => inner == 0,
        }
    }

    /// The slot of `trans_info`.
    pub const fn trans_info(self) -> Slot {
        match self {
            Self::Request => 9,
            Self::Response => 8,
            Self::Open | Self::Opened => REQUEST_META << 4 | 5,
            Self::Close => 5,
            Self::Data | Self::Feedback => NO_SLOT,
        }
    }
}

/// The codec's note in a head: which way the frame came, which the bytes do not tell.
pub const fn variant(direction: Direction) -> u32 {
    direction as u32
}

/// The fixed header of a frame and what follows it. Only heads that no `split` made can say that it is shorter.
pub fn open(frame: Frame<'_>) -> Result<(Fixed, Message), DecodeError> {
    let fixed = Fixed::of(frame.header()).ok_or(Reason::UnexpectedEnd { field: "fixed header" }.at(0))?;
    Ok((fixed, Message::of(fixed, frame.head.variant == variant(Direction::ClientToServer))))
}

/// The numbers of a message by their field numbers, up to 15; 0 for those that are not there.
pub type Numbers = [u32; 16];

/// Walks the message that ends where `header` ends, behind the fixed header, for its numbers.
pub fn numbers(header: &[u8]) -> Result<Numbers, DecodeError> {
    let mut found = Numbers::default();
    protobuf::each(header, FIXED_LEN, NAME, |field| {
        if field.wire == VARINT
            && let Some(found) = found.get_mut(field.number as usize)
        {
            *found = field.value as u32;
        }
        Ok(())
    })?;
    Ok(found)
}

/// The same numbers, of a message without the fixed header; false if it is not plain, and `found` means nothing then.
#[inline(always)]
pub fn plain_numbers(message: &[u8], found: &mut Numbers) -> bool {
    protobuf::plain_numbers(message, |number, value| {
        if let Some(found) = found.get_mut(number) {
            *found = value as u32;
        }
    })
}

/// What a look-up keeps of a field: its number, or its bytes.
pub type Found<'a> = (u64, &'a [u8]);

/// The last field of this number and wire type in a message without inner messages that are read.
pub fn last(header: &[u8], number: u32, wire: u8) -> Result<Option<Found<'_>>, DecodeError> {
    let mut found = None;
    protobuf::each(header, FIXED_LEN, NAME, |field| {
        if (field.number, field.wire) == (number, wire) {
            found = Some((field.value, field.bytes));
        }
        Ok(())
    })?;
    Ok(found)
}

/// Visits every field of a frame's message, inner messages before their fields. Offsets count from the frame's start.
pub fn walk<'a>(
    frame: Frame<'a>,
    message: Message,
    visit: &mut impl FnMut(Slot, Field<'a>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let mut cursor = Cursor::new(frame.header(), FIXED_LEN);
    while let Some(field) = protobuf::next(&mut cursor, NAME)? {
        visit(slot(0, field.number), field)?;
        if field.wire == LEN && message.nests(field.number) {
            let mut inner = Cursor::new(frame.bytes.get(..field.end).unwrap_or_default(), field.value_at);
            while let Some(inner) = protobuf::next(&mut inner, NAME)? {
                visit(slot(field.number as u8, inner.number), inner)?;
            }
        }
    }
    Ok(())
}

fn slot(outer: u8, number: u32) -> Slot {
    if number < 16 { outer << 4 | number as u8 } else { NO_SLOT }
}

/// An entry of `trans_info`: key and value, empty where they are left out.
pub fn entry<'a>(frame: Frame<'a>, field: Field<'a>) -> Result<(&'a [u8], &'a [u8]), DecodeError> {
    let mut cursor = Cursor::new(frame.bytes.get(..field.end).unwrap_or_default(), field.value_at);
    let (mut key, mut value): (&[u8], &[u8]) = (&[], &[]);
    while let Some(part) = protobuf::next(&mut cursor, "trans_info entry")? {
        match (part.number, part.wire) {
            (1, LEN) => key = part.bytes,
            (2, LEN) => value = part.bytes,
            _ => {}
        }
    }
    Ok((key, value))
}

/// Appends an entry of `trans_info` as a field of this number.
pub fn push_entry(out: &mut Vec<u8>, number: u32, key: &[u8], value: &[u8]) {
    let mut entry = Vec::with_capacity(key.len() + value.len() + 8);
    protobuf::push_bytes(&mut entry, 1, key);
    protobuf::push_bytes(&mut entry, 2, value);
    protobuf::push_bytes(out, number, &entry);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the quick way reads, the other reads alike; messages of all writers are read in the quick way.
    #[test]
    fn the_quick_way_is_the_other() {
        let long = [&b"\x18\x07\x4a\xac\x01"[..], &[7; 172], b"\x60\x05"].concat();
        let plain: [&[u8]; 5] = [
            b"",
            b"\x08\x00\x10\x01\x18\xff\xff\xff\xff\x0f\x20\xe8\x07\x2a\x03a.b\x32\x01c\x3a\x02/d",
            b"\x18\x80\x01\x20\x15\x28\x01\x32\x02no\x42\x04\x0a\x00\x12\x00\x60\x03",
            b"\x18\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x18\x05",
            &long,
        ];
        for message in plain {
            assert!(plain_numbers(message, &mut Numbers::default()), "{message:x?}");
        }
        let mut seed = 1_u32;
        let mut chance = |below: usize| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as usize % below
        };
        let mut same = 0;
        for round in 0..200_000 {
            let mut header = [&[0; FIXED_LEN], plain[1 + round % (plain.len() - 1)]].concat();
            for _ in 0..chance(4) {
                let at = FIXED_LEN + chance(header.len() - FIXED_LEN);
                header[at] = [0x02, 0x18, 0x2a, 0x80, 0x82, 0xff, chance(256) as u8][chance(7)];
            }
            header.truncate(header.len() - chance(3));
            let mut found = Numbers::default();
            if plain_numbers(&header[FIXED_LEN..], &mut found) {
                assert_eq!(numbers(&header), Ok(found), "{header:x?}");
                same += 1;
            }
        }
        assert!((50_000..150_000).contains(&same), "{same} were read in the quick way");
    }
}
