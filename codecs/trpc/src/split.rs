//! Where a frame ends and what it is.
//!
//! The fixed header alone tells where; what a frame is, its message tells, which is small and stands in front of the body.
//! DATA has none: its head is told from 16 bytes. Frames of one layout mean different things in the two directions:
//! what the client sends is a request, or opens a stream, what the server sends answers that.

use metaprotocol_core::{
    Cursor, DecodeError, Detection, Direction, Frame, Head, Kind, Limits, Reason, RequestId, Split,
};

use crate::message::{self, INIT_RET, Message, Numbers, number};
use crate::wire::{
    CLOSE, DATA_TYPE_AT, FIXED_LEN, Fixed, INIT, MAGIC, MESSAGE_LEN_AT, STREAM, STREAM_TYPE_AT, TOTAL_AT, UNARY,
};

/// The call type of requests that nobody answers.
const ONEWAY: u32 = 1;
/// Magic and data frame type of unary frames.
const UNARY_FRONT: u32 = (MAGIC as u32) << 8 | UNARY as u32;

/// What a connection remembers: nothing of its frames, only the answer that is under way.
///
/// The answers of the slow way are written here, and not returned, so that those of the fast way stay in registers: memory that
/// a call may write to is stored to in parts and read back whole, which stalls.
#[derive(Clone, Copy, Debug)]
pub struct State {
    said: Result<Split, DecodeError>,
}

impl Default for State {
    fn default() -> Self {
        Self { said: Ok(Split::Need(FIXED_LEN)) }
    }
}

#[inline(always)]
pub fn split(state: &mut State, direction: Direction, limits: &Limits, buf: &[u8]) -> Result<Split, DecodeError> {
    if let Some(head) = unary(direction, limits, buf) {
        return Ok(Split::Head(head));
    }
    say(state, direction, limits, buf);
    state.said
}

/// A unary frame whose header is in and plain; whatever is unusual or wrong is left to [`any`].
#[inline(always)]
fn unary(direction: Direction, limits: &Limits, buf: &[u8]) -> Option<Head> {
    let word = u128::from_be_bytes(*buf.first_chunk()?);
    let total = (word >> 64) as u32 as usize;
    let header_len = FIXED_LEN + usize::from((word >> 48) as u16);
    if (word >> 104) as u32 != UNARY_FRONT
        || header_len > total
        || header_len > limits.max_header_len as usize
        || total as u64 > limits.max_frame_len
    {
        return None;
    }
    let (kind, id) = plain(buf.get(FIXED_LEN..header_len)?, direction, total - header_len)?;
    Some(head(direction, kind, id, header_len, total))
}

/// The kind and the id of a unary frame with a plain message.
///
/// A call of its own, so that the loop within has the registers to itself.
#[inline(never)]
fn plain(message: &[u8], direction: Direction, body_len: usize) -> Option<(Kind, u32)> {
    let mut numbers = Numbers::default();
    let plain = message::plain_numbers(message, &mut numbers) && numbers[number::ATTACHMENT_SIZE] as usize <= body_len;
    plain.then(|| (unary_kind(direction, &numbers), numbers[number::REQUEST_ID]))
}

#[inline(always)]
fn head(direction: Direction, kind: Kind, id: u32, header_len: usize, total: usize) -> Head {
    Head {
        kind,
        request_id: RequestId::Int(id.into()),
        stream_id: None,
        header_len: header_len as u32,
        frame_len: total,
        variant: message::variant(direction),
    }
}

#[inline(never)]
fn say(state: &mut State, direction: Direction, limits: &Limits, buf: &[u8]) {
    state.said = any(direction, limits, buf);
}

/// Any frame, or what is wrong.
fn any(direction: Direction, limits: &Limits, buf: &[u8]) -> Result<Split, DecodeError> {
    check_front(buf)?;
    let Some(fixed) = Fixed::of(buf) else { return Ok(Split::Need(FIXED_LEN - buf.len())) };
    if fixed.data_type != UNARY {
        return stream(direction, limits, buf, fixed);
    }
    let (total, header_len) = (fixed.total as usize, FIXED_LEN + usize::from(fixed.message_len));
    check_lengths(fixed, header_len, limits)?;
    let Some(header) = buf.get(..header_len) else { return Ok(Split::Need(header_len - buf.len())) };
    let numbers = message::numbers(header)?;
    let attachment = numbers[number::ATTACHMENT_SIZE];
    if attachment as usize > total - header_len {
        return Err(Reason::BadLength { field: "attachment size", value: attachment.into() }.at(header_len));
    }
    let kind = unary_kind(direction, &numbers);
    Ok(Split::Head(head(direction, kind, numbers[number::REQUEST_ID], header_len, total)))
}

#[inline]
const fn unary_kind(direction: Direction, numbers: &Numbers) -> Kind {
    match direction {
        Direction::ClientToServer if numbers[number::CALL_TYPE] == ONEWAY => Kind::Oneway,
        Direction::ClientToServer => Kind::Request,
        Direction::ServerToClient if numbers[number::RET] | numbers[number::FUNC_RET] != 0 => Kind::Error,
        Direction::ServerToClient => Kind::Response,
    }
}

/// A frame of a stream.
fn stream(direction: Direction, limits: &Limits, buf: &[u8], fixed: Fixed) -> Result<Split, DecodeError> {
    let client = matches!(direction, Direction::ClientToServer);
    let message = Message::of(fixed, client);
    let header_len = if message == Message::Data { FIXED_LEN } else { fixed.total as usize };
    check_lengths(fixed, header_len, limits)?;
    let Some(header) = buf.get(..header_len) else { return Ok(Split::Need(header_len - buf.len())) };
    let mut head = Head {
        kind: Kind::StreamData,
        request_id: RequestId::None,
        stream_id: Some(fixed.stream_id.into()),
        header_len: header_len as u32,
        frame_len: fixed.total as usize,
        variant: message::variant(direction),
    };
    head.kind = match message {
        Message::Data => Kind::StreamData,
        Message::Close if message::numbers(header)?[number::CLOSE_TYPE] == 0 => Kind::StreamHalfClose,
        Message::Close => Kind::StreamClose,
        Message::Open | Message::Opened => {
            let mut ret = 0;
            message::walk(Frame { head, bytes: header }, message, &mut |slot, field| {
                if (slot, field.wire) == (INIT_RET, metaprotocol_core::protobuf::VARINT) {
                    ret = field.value as u32;
                }
                Ok(())
            })?;
            match ret {
                _ if client => Kind::StreamOpen,
                0 => Kind::Response,
                _ => Kind::Error,
            }
        }
        _ => message::numbers(header).map(|_| Kind::StreamData)?,
    };
    Ok(Split::Head(head))
}

/// What is wrong with the first four bytes, as far as they are in.
fn check_front(buf: &[u8]) -> Result<(), DecodeError> {
    let [m0, m1] = MAGIC.to_be_bytes();
    if let Some(&first) = buf.first()
        && first != m0
    {
        return Err(Reason::BadMagic { expected: m0.into(), found: first.into() }.at(0));
    }
    if let Some(&second) = buf.get(1)
        && second != m1
    {
        return Err(Reason::BadMagic { expected: MAGIC.into(), found: u16::from_be_bytes([m0, second]).into() }.at(0));
    }
    let data_type = buf.get(DATA_TYPE_AT).copied().unwrap_or(UNARY);
    if data_type > STREAM {
        return Err(Reason::BadValue { field: "data frame type", value: data_type.into() }.at(DATA_TYPE_AT));
    }
    match buf.get(STREAM_TYPE_AT) {
        Some(&value) if data_type == STREAM && !(INIT..=CLOSE).contains(&value) => {
            Err(Reason::BadValue { field: "stream frame type", value: value.into() }.at(STREAM_TYPE_AT))
        }
        _ => Ok(()),
    }
}

/// Compares the lengths of a fixed header with each other and with the limits.
fn check_lengths(fixed: Fixed, header_len: usize, limits: &Limits) -> Result<(), DecodeError> {
    let total = fixed.total;
    if (total as usize) < FIXED_LEN {
        return Err(Reason::BadLength { field: "total length", value: total.into() }.at(TOTAL_AT));
    }
    if header_len > total as usize {
        return Err(Reason::BadLength { field: "header length", value: fixed.message_len.into() }.at(MESSAGE_LEN_AT));
    }
    if u64::from(total) > limits.max_frame_len {
        let max = limits.max_frame_len;
        return Err(Reason::LimitExceeded { limit: "max_frame_len", value: total.into(), max }.at(TOTAL_AT));
    }
    if header_len > limits.max_header_len as usize {
        let at = if fixed.data_type == UNARY { MESSAGE_LEN_AT } else { TOTAL_AT };
        let max = limits.max_header_len.into();
        return Err(Reason::LimitExceeded { limit: "max_header_len", value: header_len as u64, max }.at(at));
    }
    Ok(())
}

/// Ten bytes settle it: magic, types, and two lengths that fit each other.
pub fn detect(prefix: &[u8]) -> Detection {
    if check_front(prefix).is_err() {
        return Detection::No;
    }
    let mut cursor = Cursor::new(prefix, TOTAL_AT);
    let Ok(total) = cursor.u32_be() else { return Detection::NeedMore };
    let Ok(message_len) = cursor.u16_be() else { return Detection::NeedMore };
    let unary = prefix.get(DATA_TYPE_AT) == Some(&UNARY);
    let least = FIXED_LEN as u32 + if unary { message_len.into() } else { 0 };
    if total < least { Detection::No } else { Detection::Yes }
}
