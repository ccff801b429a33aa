//! Where a frame ends and what it is.
//!
//! Requests and responses have metas of different kinds, and nothing in the header tells which: the first field of the one
//! is a text, of the other a number. A meta that has neither is what its direction makes it.

use metaprotocol_brpc::meta::{Message, unzigzag};
use metaprotocol_brpc::wire::check_magic;
use metaprotocol_core::protobuf::{LEN, VARINT};
use metaprotocol_core::{DecodeError, Detection, Direction, Head, Kind, Limits, Reason, RequestId, Split};

use crate::wire::{BODY_SIZE_AT, HEADER_LEN, MAGIC, META_SIZE_AT, request, response};

/// What errors call the message.
pub const META: &str = "meta of hulu";

/// The sizes of a header, body first.
pub fn sizes(header: &[u8; HEADER_LEN]) -> (usize, usize) {
    let [_, _, _, _, b0, b1, b2, b3, s0, s1, s2, s3] = *header;
    (u32::from_le_bytes([b0, b1, b2, b3]) as usize, u32::from_le_bytes([s0, s1, s2, s3]) as usize)
}

#[inline]
pub fn split(direction: Direction, limits: &Limits, buf: &[u8]) -> Result<Split, DecodeError> {
    let Some(header) = buf.first_chunk::<HEADER_LEN>() else {
        check_front(limits, buf)?;
        return Ok(Split::Need(HEADER_LEN - buf.len()));
    };
    let (body_size, meta_size) = sizes(header);
    let (frame_len, header_len) = (HEADER_LEN as u64 + body_size as u64, HEADER_LEN as u64 + meta_size as u64);
    if !header.starts_with(&MAGIC)
        || meta_size > body_size
        || frame_len > limits.max_frame_len
        || header_len > limits.max_header_len.into()
    {
        return Err(broken(header, limits));
    }
    let (frame_len, header_len) = (frame_len as usize, header_len as usize);
    if buf.len() < header_len {
        return Ok(Split::Need(header_len - buf.len()));
    }
    let meta = Message::new(buf, HEADER_LEN..header_len, META);
    let mut cursor = meta.cursor();
    let (mut has_service, mut error_code, mut sizes) = (false, None, [None; 2]);
    let (mut asked, mut answered) = (0, 0);
    while let Some(field) = meta.next(&mut cursor)? {
        match (field.number, field.wire) {
            (request::SERVICE, LEN) => has_service = true,
            (response::ERROR_CODE, VARINT) => error_code = Some(field.value as i32),
            (request::CORRELATION_ID, VARINT) => asked = field.value,
            (response::CORRELATION_ID, VARINT) => answered = unzigzag(field.value).cast_unsigned(),
            (request::USER_MESSAGE_SIZE, VARINT) => sizes[0] = Some(field),
            (response::USER_MESSAGE_SIZE, VARINT) => sizes[1] = Some(field),
            _ => {}
        }
    }
    let is_request = match (has_service, error_code) {
        (true, None) => true,
        (false, Some(_)) => false,
        _ => direction == Direction::ClientToServer,
    };
    let [request_size, response_size] = sizes;
    if let Some(field) = if is_request { request_size } else { response_size } {
        let size = field.value as i32;
        if usize::try_from(size).map_or(true, |size| size > frame_len - header_len) {
            return Err(Reason::BadLength { field: "user_message_size", value: size.into() }.at(field.at));
        }
    }
    let (kind, id) = if is_request {
        (Kind::Request, asked)
    } else {
        (if error_code.unwrap_or(0) == 0 { Kind::Response } else { Kind::Error }, answered)
    };
    Ok(Split::Head(Head {
        kind,
        request_id: RequestId::Int(id),
        stream_id: None,
        header_len: header_len as u32,
        frame_len,
        variant: 0,
    }))
}

/// What is wrong with the magic and the body size, as far as they are in.
fn check_front(limits: &Limits, buf: &[u8]) -> Result<(), DecodeError> {
    check_magic(buf, MAGIC)?;
    if let Some(size) = buf.get(BODY_SIZE_AT..).and_then(<[u8]>::first_chunk::<4>) {
        let value = HEADER_LEN as u64 + u64::from(u32::from_le_bytes(*size));
        if value > limits.max_frame_len {
            let max = limits.max_frame_len;
            return Err(Reason::LimitExceeded { limit: "max_frame_len", value, max }.at(BODY_SIZE_AT));
        }
    }
    Ok(())
}

/// The error of a header that breaks one of `split`'s rules.
#[cold]
fn broken(header: &[u8; HEADER_LEN], limits: &Limits) -> DecodeError {
    if let Err(error) = check_front(limits, header) {
        return error;
    }
    let (body_size, meta_size) = sizes(header);
    if meta_size > body_size {
        return Reason::BadLength { field: "meta_size", value: meta_size as i64 }.at(META_SIZE_AT);
    }
    let (value, max) = ((HEADER_LEN + meta_size) as u64, limits.max_header_len.into());
    Reason::LimitExceeded { limit: "max_header_len", value, max }.at(META_SIZE_AT)
}

/// The header settles it: text that begins with the magic has no sizes that fit each other.
pub fn detect(prefix: &[u8]) -> Detection {
    if check_magic(prefix, MAGIC).is_err() {
        return Detection::No;
    }
    match prefix.first_chunk::<HEADER_LEN>().map(sizes) {
        None => Detection::NeedMore,
        Some((body, meta)) if meta <= body && body <= i32::MAX as usize => Detection::Yes,
        Some(_) => Detection::No,
    }
}
