//! Where a frame ends and what it is.
//!
//! The header alone tells all but two things, which one more byte tells: whether an event is a heartbeat (a null body)
//! or a notice such as "read only", and whether a response carries a result or an exception. So frames that are events
//! or responses with status 20, in Hessian 2 and with a body, are answered from the 17th byte on, never earlier: the
//! answer does not depend on how the stream was cut.
//!
//! Both directions may carry every kind: a provider calls its consumer back on the consumer's own connection.

use metaprotocol_core::{DecodeError, Detection, Head, Kind, Limits, Reason, RequestId, Split};

use crate::hessian::NULL;
use crate::wire::{
    BODY_LEN_AT, EVENT, FLAGS_AT, HEADER_LEN, HESSIAN2, MAGIC, OK, REQUEST, SERIALIZATION, STATUS_AT, TWO_WAY,
    is_status, result,
};

#[inline]
pub fn split(limits: &Limits, buf: &[u8]) -> Result<Split, DecodeError> {
    let Some(header) = buf.first_chunk::<HEADER_LEN>() else { return short(buf) };
    let word = u128::from_be_bytes(*header);
    let flags = (word >> 104) as u8;
    let status = (word >> 96) as u8;
    let body_len = word as u32;
    let is_response = flags & REQUEST == 0;
    let frame_len = HEADER_LEN as u64 + u64::from(body_len);
    if (word >> 112) as u16 != MAGIC
        || (is_response && !is_status(status))
        || body_len > i32::MAX as u32
        || frame_len > limits.max_frame_len
    {
        return Err(broken(header, limits));
    }
    let kind = if flags & (REQUEST | EVENT) == REQUEST {
        if flags & TWO_WAY != 0 { Kind::Request } else { Kind::Oneway }
    } else if flags & SERIALIZATION != HESSIAN2 || body_len == 0 {
        // The body is opaque or empty: the header has the last word.
        if flags & EVENT != 0 {
            Kind::Heartbeat
        } else if status == OK {
            Kind::Response
        } else {
            Kind::Error
        }
    } else if flags & EVENT == 0 && status != OK {
        Kind::Error
    } else {
        let Some(&first) = buf.get(HEADER_LEN) else { return Ok(Split::Need(1)) };
        if flags & EVENT != 0 { event_kind(first) } else { response_kind(first) }
    };
    Ok(Split::Head(Head {
        kind,
        request_id: RequestId::Int((word >> 32) as u64),
        stream_id: None,
        header_len: HEADER_LEN as u32,
        frame_len: frame_len as usize,
        variant: 0,
    }))
}

/// Null and the empty string are heartbeats; every other event is a notice (`"R"` read only, `"W"` writeable again).
const fn event_kind(first: u8) -> Kind {
    if matches!(first, NULL | 0x00) { Kind::Heartbeat } else { Kind::Control }
}

/// All writers put the result type into the one-byte form of an int. A longer form passes as a response, and
/// `fields` reads what it means.
const fn response_kind(first: u8) -> Kind {
    const EXCEPTION: u8 = 0x90 + result::EXCEPTION as u8;
    const EXCEPTION_WITH_ATTACHMENTS: u8 = 0x90 + result::EXCEPTION_WITH_ATTACHMENTS as u8;
    if matches!(first, EXCEPTION | EXCEPTION_WITH_ATTACHMENTS) { Kind::Error } else { Kind::Response }
}

/// Less than a header: what is there must be a header's beginning.
#[cold]
fn short(buf: &[u8]) -> Result<Split, DecodeError> {
    check_front(buf)?;
    Ok(Split::Need(HEADER_LEN - buf.len()))
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
    if let (Some(&flags), Some(&status)) = (buf.get(FLAGS_AT), buf.get(STATUS_AT))
        && flags & REQUEST == 0
        && !is_status(status)
    {
        return Err(Reason::BadValue { field: "status", value: status.into() }.at(STATUS_AT));
    }
    Ok(())
}

/// The error of a header that breaks one of `split`'s rules.
#[cold]
fn broken(header: &[u8; HEADER_LEN], limits: &Limits) -> DecodeError {
    if let Err(error) = check_front(header) {
        return error;
    }
    let [.., l0, l1, l2, l3] = *header;
    let body_len = i32::from_be_bytes([l0, l1, l2, l3]);
    if body_len < 0 {
        return Reason::BadLength { field: "body length", value: body_len.into() }.at(BODY_LEN_AT);
    }
    let value = HEADER_LEN as u64 + u64::from(body_len.unsigned_abs());
    Reason::LimitExceeded { limit: "max_frame_len", value, max: limits.max_frame_len }.at(BODY_LEN_AT)
}

/// Four bytes settle it: no other protocol's stream starts with the magic, flags and a status that fits them.
pub fn detect(prefix: &[u8]) -> Detection {
    if check_front(prefix).is_err() {
        return Detection::No;
    }
    match prefix.get(BODY_LEN_AT) {
        Some(&top) if top & 0x80 != 0 => Detection::No,
        _ if prefix.len() <= STATUS_AT => Detection::NeedMore,
        _ => Detection::Yes,
    }
}
