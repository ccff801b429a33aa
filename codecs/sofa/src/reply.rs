//! Answers made on the spot: a meta with the error and the request's id, and no body.

use metaprotocol_brpc::meta::errno;
use metaprotocol_core::protobuf::{push_bytes, push_number};
use metaprotocol_core::{EncodeError, Frame, Kind, Reply, RequestId};

use crate::wire::{header, meta};

pub fn reply(request: Frame<'_>, reply: Reply<'_>) -> Result<Option<Vec<u8>>, EncodeError> {
    let (error, message) = match reply {
        Reply::Error(error, message) => (error, message),
        Reply::Heartbeat => return Err(EncodeError::NoReply { why: "sofa has no heartbeats".into() }),
    };
    let (Kind::Request, RequestId::Int(id)) = (request.head.kind, request.head.request_id) else {
        return Err(EncodeError::NoReply { why: "this is a response, not a request".into() });
    };
    let mut out = Vec::with_capacity(message.len() + 32);
    push_number(&mut out, meta::TYPE, meta::RESPONSE);
    push_number(&mut out, meta::SEQUENCE_ID, id);
    // Clients of sofa-pbrpc look at this, those of bRPC at the code.
    push_number(&mut out, meta::FAILED, 1);
    push_number(&mut out, meta::ERROR_CODE, errno(error) as u64);
    push_bytes(&mut out, meta::REASON, message.as_bytes());
    match u32::try_from(out.len()) {
        Ok(len) => Ok(Some([&header(len, 0)[..], &out].concat())),
        Err(_) => Err(EncodeError::TooLong { len: out.len() as u64, max: u32::MAX.into() }),
    }
}
