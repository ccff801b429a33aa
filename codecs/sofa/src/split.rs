//! Where a frame ends and what it is. The meta says whether it is a request or a response, so directions do not matter.

use metaprotocol_brpc::meta::Message;
use metaprotocol_brpc::wire::check_magic;
use metaprotocol_core::protobuf::VARINT;
use metaprotocol_core::{DecodeError, Detection, Direction, Head, Kind, Limits, Reason, RequestId, Split};

use crate::wire::{BODY_SIZE_AT, HEADER_LEN, MAGIC, MESSAGE_SIZE_AT, META_SIZE_AT, meta};

/// What errors call the message.
pub const META: &str = "SofaRpcMeta";

/// The sizes of a header: of the meta, of the body, of both.
pub fn sizes(header: &[u8; HEADER_LEN]) -> (u32, u64, u64) {
    let read = |at: usize| header.iter().skip(at).take(8).rev().fold(0, |number, byte| number << 8 | u64::from(*byte));
    ((read(0) >> 32) as u32, read(BODY_SIZE_AT), read(MESSAGE_SIZE_AT))
}

#[inline]
pub fn split(_direction: Direction, limits: &Limits, buf: &[u8]) -> Result<Split, DecodeError> {
    let Some(header) = buf.first_chunk::<HEADER_LEN>() else {
        check_magic(buf, MAGIC)?;
        return Ok(Split::Need(HEADER_LEN - buf.len()));
    };
    check_magic(header, MAGIC)?;
    let (meta_size, body_size, message_size) = sizes(header);
    let frame_len = check_sizes(limits, meta_size, body_size, message_size)?;
    let header_len = HEADER_LEN + meta_size as usize;
    if buf.len() < header_len {
        return Ok(Split::Need(header_len - buf.len()));
    }
    let message = Message::new(buf, HEADER_LEN..header_len, META);
    let mut cursor = message.cursor();
    let (mut is_response, mut failed, mut error_code, mut id) = (false, false, 0, 0);
    while let Some(field) = message.next(&mut cursor)? {
        match (field.number, field.wire) {
            (meta::TYPE, VARINT) => is_response = field.value == meta::RESPONSE,
            (meta::SEQUENCE_ID, VARINT) => id = field.value,
            (meta::FAILED, VARINT) => failed = field.value != 0,
            (meta::ERROR_CODE, VARINT) => error_code = field.value as i32,
            _ => {}
        }
    }
    Ok(Split::Head(Head {
        kind: match (is_response, failed || error_code != 0) {
            (false, _) => Kind::Request,
            (true, false) => Kind::Response,
            (true, true) => Kind::Error,
        },
        request_id: RequestId::Int(id),
        stream_id: None,
        header_len: header_len as u32,
        frame_len,
        variant: 0,
    }))
}

/// The length of a frame of these sizes, if they fit each other and the limits.
fn check_sizes(limits: &Limits, meta_size: u32, body_size: u64, message_size: u64) -> Result<usize, DecodeError> {
    if body_size.checked_add(meta_size.into()) != Some(message_size) {
        return Err(Reason::BadLength { field: "message_size", value: message_size.cast_signed() }.at(MESSAGE_SIZE_AT));
    }
    let value = message_size.saturating_add(HEADER_LEN as u64);
    if value > limits.max_frame_len {
        let max = limits.max_frame_len;
        return Err(Reason::LimitExceeded { limit: "max_frame_len", value, max }.at(BODY_SIZE_AT));
    }
    let (header_len, max) = (HEADER_LEN as u64 + u64::from(meta_size), limits.max_header_len.into());
    if header_len > max {
        return Err(Reason::LimitExceeded { limit: "max_header_len", value: header_len, max }.at(META_SIZE_AT));
    }
    Ok(value as usize)
}

/// The header settles it: the sizes must add up.
pub fn detect(prefix: &[u8]) -> Detection {
    if check_magic(prefix, MAGIC).is_err() {
        return Detection::No;
    }
    match prefix.first_chunk::<HEADER_LEN>().map(sizes) {
        None => Detection::NeedMore,
        Some((meta, body, both)) if body.checked_add(meta.into()) == Some(both) => Detection::Yes,
        Some(_) => Detection::No,
    }
}
