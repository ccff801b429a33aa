//! Answers made on the spot: a meta with `error_code` and `error_text`, the request's id, and no payload.
//!
//! A request that opens a stream is answered in the same way: the client then gives its stream up
//! (`Controller::HandleStreamConnection` of Apache bRPC). Data of a stream that is open is answered by breaking it off
//! (`SendStreamRst`), which has no room for the error.

use metaprotocol_core::protobuf::{push_bytes, push_number};
use metaprotocol_core::{EncodeError, ErrorType, Frame, Kind, Reply, RequestId};

use crate::fields::metas;
use crate::meta::{As, errno};
use crate::wire::{PRPC, STRM, header, rpc, stream};

pub fn reply(request: Frame<'_>, reply: Reply<'_>) -> Result<Option<Vec<u8>>, EncodeError> {
    let (error, message) = match reply {
        Reply::Error(error, message) => (error, message),
        Reply::Heartbeat => return Err(EncodeError::NoReply { why: "bRPC has no heartbeats".into() }),
    };
    match (request.head.kind, request.head.request_id) {
        (Kind::Request | Kind::StreamOpen, RequestId::Int(id)) => error_reply(id, error, message).map(Some),
        (Kind::StreamData, _) if request.head.stream_id.is_some() => reset(request).map(Some),
        (Kind::Response | Kind::Error, _) => {
            Err(EncodeError::NoReply { why: "this is a response, not a request".into() })
        }
        _ => Err(EncodeError::NoReply { why: "only a request, or data of a stream, can be answered".into() }),
    }
}

/// What tells the sender of a stream's frame that the stream is no more.
fn reset(frame: Frame<'_>) -> Result<Vec<u8>, EncodeError> {
    let source = match metas(frame)?.stream {
        Some(message) => message.last(stream::SOURCE_STREAM_ID, As::Int64)?,
        None => None,
    };
    let Some(source) = source else {
        return Err(EncodeError::NoReply { why: "this frame does not tell its sender's id of the stream".into() });
    };
    let mut meta = Vec::with_capacity(16);
    push_number(&mut meta, stream::STREAM_ID, source.value);
    push_number(&mut meta, stream::FRAME_TYPE, stream::RST);
    let len = meta.len() as u32;
    Ok([&header(STRM, len, len)[..], &meta].concat())
}

fn error_reply(request_id: u64, error: ErrorType, message: &str) -> Result<Vec<u8>, EncodeError> {
    let mut response = Vec::with_capacity(message.len() + 8);
    push_number(&mut response, rpc::ERROR_CODE, errno(error) as u64);
    push_bytes(&mut response, rpc::ERROR_TEXT, message.as_bytes());
    let mut meta = Vec::with_capacity(response.len() + 16);
    push_bytes(&mut meta, rpc::RESPONSE, &response);
    push_number(&mut meta, rpc::CORRELATION_ID, request_id);
    match u32::try_from(meta.len()) {
        Ok(len) => Ok([&header(PRPC, len, len)[..], &meta].concat()),
        Err(_) => Err(EncodeError::TooLong { len: meta.len() as u64, max: u32::MAX.into() }),
    }
}
