//! Answers made on the spot: a meta with the error and the request's id, and no payload.

use metaprotocol_brpc::meta::{errno, zigzag};
use metaprotocol_core::protobuf::{push_bytes, push_number};
use metaprotocol_core::{EncodeError, Frame, Kind, Reply, RequestId};

use crate::wire::{header, response};

pub fn reply(request: Frame<'_>, reply: Reply<'_>) -> Result<Option<Vec<u8>>, EncodeError> {
    let (error, message) = match reply {
        Reply::Error(error, message) => (error, message),
        Reply::Heartbeat => return Err(EncodeError::NoReply { why: "hulu has no heartbeats".into() }),
    };
    let (Kind::Request, RequestId::Int(id)) = (request.head.kind, request.head.request_id) else {
        return Err(EncodeError::NoReply { why: "this is a response, not a request".into() });
    };
    let mut meta = Vec::with_capacity(message.len() + 24);
    push_number(&mut meta, response::ERROR_CODE, errno(error) as u64);
    push_bytes(&mut meta, response::ERROR_TEXT, message.as_bytes());
    push_number(&mut meta, response::CORRELATION_ID, zigzag(id.cast_signed()));
    match u32::try_from(meta.len()) {
        Ok(len) => Ok(Some([&header(len, len)[..], &meta].concat())),
        Err(_) => Err(EncodeError::TooLong { len: meta.len() as u64, max: u32::MAX.into() }),
    }
}
