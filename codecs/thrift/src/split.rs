//! Where a frame ends. Framed and THeader messages are sliced by their length, only the message head is read; unframed
//! ones are walked to the end of their struct.

use metaprotocol_core::{DecodeError, Direction, Head, Limits, Reason, RequestId, Split};

use crate::detect::{Shape, recognise};
use crate::header;
use crate::inflate::Inflater;
use crate::message::{self, Family, Message};
use crate::walk::{Bounds, Walked, Walker};
use crate::window::{Stop, Window};
use crate::wire::{BINARY_MAGIC, LENGTH_LEN, MessageType, Protocol, Transport, Variant};

/// What one connection remembers: the transport and protocol that its first message showed, which every message of both
/// directions is held to, and how far each direction's unframed message has been walked.
#[derive(Default)]
pub struct State {
    shape: Shape,
    walks: [Walk; 2],
    /// Made for the first compressed message.
    inflater: Option<Inflater>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("shape", &self.shape).field("walks", &self.walks).finish_non_exhaustive()
    }
}

/// An unframed message under way.
#[derive(Debug, Default)]
struct Walk {
    /// All but its length, once the walk has begun.
    head: Option<Head>,
    walker: Walker,
}

/// The verb.
#[inline(always)]
pub(crate) fn split(
    state: &mut State,
    direction: Direction,
    limits: &Limits,
    buf: &[u8],
) -> Result<Split, DecodeError> {
    if state.shape == Shape::Framed(Family::Binary)
        && let Some(head) = framed_strict(direction, limits, buf)
    {
        return Ok(Split::Head(head));
    }
    match split_any(state, direction, limits, buf) {
        Ok(head) => Ok(Split::Head(head)),
        Err(Stop::Need(more)) => Ok(Split::Need(more)),
        Err(Stop::Broken(error)) => Err(error),
    }
}

/// The common case in a few loads; whatever is unusual or wrong is left to [`split_any`], which tells why.
#[inline]
fn framed_strict(direction: Direction, limits: &Limits, buf: &[u8]) -> Option<Head> {
    let [l0, l1, l2, l3, m0, m1, _, ty, n0, n1, n2, n3] = *buf.first_chunk::<12>()?;
    let frame_len = LENGTH_LEN + usize::try_from(i32::from_be_bytes([l0, l1, l2, l3])).ok()?;
    let sequence_at = usize::try_from(i32::from_be_bytes([n0, n1, n2, n3])).ok()?.checked_add(12)?;
    let sequence_id = i32::from_be_bytes(*buf.get(sequence_at..)?.first_chunk()?);
    let message_type = MessageType::from_wire(ty)?;
    let body_at = sequence_at + 4;
    if u16::from_be_bytes([m0, m1]) != BINARY_MAGIC
        || message_type.direction() != direction
        || body_at >= frame_len
        || body_at > limits.max_header_len as usize
    {
        return None;
    }
    const VARIANT: u32 = Variant::new(Transport::Framed, Protocol::Binary).pack();
    Some(Head {
        kind: message_type.kind(),
        request_id: RequestId::Int(i64::from(sequence_id) as u64),
        stream_id: None,
        header_len: body_at as u32,
        frame_len,
        variant: VARIANT,
    })
}

fn split_any(state: &mut State, direction: Direction, limits: &Limits, buf: &[u8]) -> Result<Head, Stop> {
    if state.shape == Shape::Unknown {
        state.shape = recognise(buf, limits)?;
    }
    match state.shape {
        Shape::Framed(family) => framed(family, direction, limits, buf),
        Shape::Header => header(&mut state.inflater, direction, limits, buf),
        Shape::Unframed(family) => {
            let walk = &mut state.walks[direction as usize];
            unframed(walk, family, direction, limits, buf).map_err(|stop| match stop {
                Stop::Broken(DecodeError { reason: Reason::UnexpectedEnd { .. }, offset }) => {
                    let max = limits.max_frame_len;
                    let reason = Reason::LimitExceeded { limit: "max_frame_len", value: max.saturating_add(1), max };
                    Stop::Broken(DecodeError { reason, offset })
                }
                other => other,
            })
        }
        Shape::Unknown => Err(Stop::Need(1)),
    }
}

fn framed(family: Family, direction: Direction, limits: &Limits, buf: &[u8]) -> Result<Head, Stop> {
    let frame_len = frame_len(limits, buf)?;
    let message = message::read(Window::new(buf, LENGTH_LEN, frame_len), family, limits.max_header_len as usize)?;
    check(&message, direction, frame_len)?;
    let variant = Variant::new(Transport::Framed, message.protocol);
    Ok(head(&message, variant, message.body_at, frame_len))
}

fn header(inflater: &mut Option<Inflater>, direction: Direction, limits: &Limits, buf: &[u8]) -> Result<Head, Stop> {
    let frame_len = frame_len(limits, buf)?;
    let max_len = limits.max_header_len as usize;
    let header = header::read(buf, frame_len, max_len)?;
    let mut variant = Variant::new(Transport::Header, Protocol::Binary);
    if header.zlib {
        // How many compressed bytes hold the head is known only to who inflates them: once, when all are in.
        let Some(payload) = buf.get(header.payload_at..frame_len) else {
            return Err(Stop::Need(frame_len - buf.len()));
        };
        let inflater = inflater.get_or_insert_with(Inflater::new);
        let message = inflater.head(payload, header.payload_at, limits.max_frame_len, |out, end| {
            let message = message::read(Window::new(out, 0, end), header.family, max_len)?;
            check(&message, direction, end)?;
            Ok(message)
        })?;
        variant.protocol = message.protocol;
        variant.zlib = true;
        return Ok(head(&message, variant, header.payload_at, frame_len));
    }
    let message = message::read(Window::new(buf, header.payload_at, frame_len), header.family, max_len)?;
    check(&message, direction, frame_len)?;
    variant.protocol = message.protocol;
    Ok(head(&message, variant, message.body_at, frame_len))
}

fn unframed(walk: &mut Walk, family: Family, direction: Direction, limits: &Limits, buf: &[u8]) -> Result<Head, Stop> {
    // Its own end is unknown: what would run over this one is over the limit.
    let end = usize::try_from(limits.max_frame_len).unwrap_or(usize::MAX);
    let mut begun = match walk.head {
        Some(head) => head,
        None => {
            let message = message::read(Window::new(buf, 0, end), family, limits.max_header_len as usize)?;
            check(&message, direction, end)?;
            walk.walker.start(message.body_at);
            let variant = Variant::new(Transport::Unframed, message.protocol);
            *walk.head.insert(head(&message, variant, message.body_at, 0))
        }
    };
    let bounds = Bounds { end, max_len: limits.max_frame_len, max_nesting: limits.max_nesting };
    match walk.walker.run(buf, family == Family::Compact, bounds)? {
        Walked::Need(more) => Err(Stop::Need(more)),
        Walked::End(end) => {
            walk.head = None;
            begun.frame_len = end;
            Ok(begun)
        }
    }
}

/// The length of a framed or THeader frame, checked.
fn frame_len(limits: &Limits, buf: &[u8]) -> Result<usize, Stop> {
    let length = Window::new(buf, 0, usize::MAX).i32("frame length")?;
    if length <= 0 {
        return Err(Reason::BadLength { field: "frame length", value: length.into() }.at(0).into());
    }
    let frame_len = length as usize + LENGTH_LEN;
    if frame_len as u64 > limits.max_frame_len {
        let (value, max) = (frame_len as u64, limits.max_frame_len);
        return Err(Reason::LimitExceeded { limit: "max_frame_len", value, max }.at(0).into());
    }
    Ok(frame_len)
}

fn check(message: &Message, direction: Direction, end: usize) -> Result<(), Stop> {
    if message.message_type.direction() != direction {
        let what = message.message_type.subject();
        return Err(Reason::WrongDirection { what }.at(message.type_at).into());
    }
    // The shortest struct is its stop.
    if message.body_at >= end {
        return Err(Reason::UnexpectedEnd { field: "struct" }.at(message.body_at).into());
    }
    Ok(())
}

fn head(message: &Message, variant: Variant, header_len: usize, frame_len: usize) -> Head {
    Head {
        kind: message.message_type.kind(),
        request_id: RequestId::Int(i64::from(message.sequence_id) as u64),
        stream_id: None,
        header_len: header_len as u32,
        frame_len,
        variant: variant.pack(),
    }
}
