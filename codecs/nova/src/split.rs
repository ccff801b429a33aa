//! Where a frame ends and what it is. Nothing in a frame says which way it goes: its direction does.

use metaprotocol_core::{DecodeError, Detection, Direction, Head, Kind, Limits, RequestId, Split};

use crate::nshead::{self, HEADER_LEN};

#[inline]
pub fn split(direction: Direction, limits: &Limits, buf: &[u8]) -> Result<Split, DecodeError> {
    let frame_len = match nshead::frame_len(limits, buf)? {
        Ok(frame_len) => frame_len,
        Err(more) => return Ok(Split::Need(more)),
    };
    Ok(Split::Head(Head {
        kind: match direction {
            Direction::ClientToServer => Kind::Request,
            Direction::ServerToClient => Kind::Response,
        },
        request_id: RequestId::None,
        stream_id: None,
        header_len: HEADER_LEN as u32,
        frame_len,
        variant: 0,
    }))
}

/// Any nshead but that of public_pbrpc.
pub fn detect(prefix: &[u8]) -> Detection {
    nshead::detect(prefix, false)
}
