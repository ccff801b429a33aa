//! Answers made on the spot: nshead as in the request, a head with the error, a body with the request's id and version.

use metaprotocol_brpc::meta::{As, Parent, Path, errno, zigzag};
use metaprotocol_core::protobuf::{push_bytes, push_number};
use metaprotocol_core::{EncodeError, Frame, Kind, Reply, RequestId};
use metaprotocol_nova::nshead::{BODY_LEN_AT, header};

use crate::fields::message;
use crate::wire::{BODY, HEAD, head, request, response};

pub fn reply(asked: Frame<'_>, reply: Reply<'_>) -> Result<Option<Vec<u8>>, EncodeError> {
    let (error, text) = match reply {
        Reply::Error(error, text) => (error, text),
        Reply::Heartbeat => return Err(EncodeError::NoReply { why: "public_pbrpc has no heartbeats".into() }),
    };
    let id = match (asked.head.kind, asked.head.request_id) {
        (Kind::Request, RequestId::Int(id)) => id,
        (Kind::Request, _) => {
            return Err(EncodeError::NoReply { why: "this request has no body that says what to answer".into() });
        }
        _ => return Err(EncodeError::NoReply { why: "this is a response, not a request".into() }),
    };
    let mut out = header(asked.bytes)?.get(..BODY_LEN_AT).unwrap_or_default().to_vec();
    let mut told = Vec::with_capacity(text.len() + 8);
    push_number(&mut told, head::CODE, zigzag(errno(error).into()));
    push_bytes(&mut told, head::TEXT, text.as_bytes());
    let mut body = Vec::with_capacity(32);
    let version = Path { parent: Parent::First(BODY), number: request::VERSION };
    if let Some(version) = message(asked).find(version, As::Text)? {
        push_bytes(&mut body, response::VERSION, version.bytes);
    }
    push_number(&mut body, response::ID, id);
    let mut answer = Vec::with_capacity(told.len() + body.len() + 8);
    push_bytes(&mut answer, HEAD, &told);
    push_bytes(&mut answer, BODY, &body);
    match i32::try_from(answer.len()) {
        Ok(len) => out.extend(len.to_le_bytes()),
        Err(_) => return Err(EncodeError::TooLong { len: answer.len() as u64, max: i32::MAX as u64 }),
    }
    out.extend(answer);
    Ok(Some(out))
}
