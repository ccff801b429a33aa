//! Where a frame ends and what it is.
//!
//! The id of a response stands behind the service's message, so a frame is told when all of it is in. Requests name a
//! service, responses begin with a code; what does neither is what its direction makes it.

use metaprotocol_brpc::meta::{As, Message, first, nested};
use metaprotocol_core::{DecodeError, Detection, Direction, Head, Kind, Limits, RequestId, Split};
use metaprotocol_nova::nshead::{self, HEADER_LEN};

use crate::wire::{BODY, HEAD, head, request, response};

/// What errors call the message.
pub const MESSAGE: &str = "message of public_pbrpc";

#[inline]
pub fn split(direction: Direction, limits: &Limits, buf: &[u8]) -> Result<Split, DecodeError> {
    let frame_len = match nshead::frame_len(limits, buf)? {
        Ok(frame_len) => frame_len,
        Err(more) => return Ok(Split::Need(more)),
    };
    if buf.len() < frame_len {
        return Ok(Split::Need(frame_len - buf.len()));
    }
    let message = Message::new(buf, HEADER_LEN..frame_len, MESSAGE);
    let find = |slot: metaprotocol_brpc::meta::Slot| message.find(slot.path, slot.read_as);
    let has_service = find(first(0, BODY, request::SERVICE, As::Text))?.is_some();
    let code = find(nested(0, HEAD, head::CODE, As::SInt32))?;
    let is_request = match (has_service, code) {
        (true, None) => true,
        (false, Some(_)) => false,
        _ => direction == Direction::ClientToServer,
    };
    let number = if is_request { request::ID } else { response::ID };
    let id = find(first(0, BODY, number, As::UInt64))?;
    Ok(Split::Head(Head {
        kind: match code {
            _ if is_request => Kind::Request,
            Some(code) if code.value as u32 != 0 => Kind::Error,
            _ => Kind::Response,
        },
        request_id: id.map_or(RequestId::None, |id| RequestId::Int(id.value)),
        stream_id: None,
        header_len: HEADER_LEN as u32,
        frame_len,
        variant: 0,
    }))
}

/// nshead with the provider that all writers put there.
pub fn detect(prefix: &[u8]) -> Detection {
    nshead::detect(prefix, true)
}
