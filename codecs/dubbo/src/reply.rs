//! Answers made on the spot: an error status with its message, and the answer to a heartbeat.

use metaprotocol_core::{EncodeError, ErrorType, Frame, Kind, Reply};

use crate::fields;
use crate::hessian::{NULL, write_str};
use crate::wire::{EVENT, FASTJSON, GSON, HESSIAN2, Header, OK};

/// The longest null that an unknown serialization may have; all known ones take less.
const MAX_NULL_LEN: usize = 64;

pub fn reply(request: Frame<'_>, reply: Reply<'_>) -> Result<Option<Vec<u8>>, EncodeError> {
    let header = fields::header(request)?;
    if !header.is_request() {
        return Err(EncodeError::NoReply { why: "this is a response, not a request".into() });
    }
    match (request.head.kind, reply) {
        (Kind::Heartbeat, Reply::Heartbeat) => heartbeat(request, header),
        (Kind::Request, Reply::Error(error, message)) => error_reply(header, error, message).map(Some),
        (Kind::Oneway, Reply::Error(..)) => Ok(None),
        (Kind::Heartbeat, Reply::Error(..)) => {
            Err(EncodeError::NoReply { why: "a heartbeat is answered by a heartbeat, not by an error".into() })
        }
        (_, Reply::Heartbeat) => Err(EncodeError::NoReply { why: "this is not a heartbeat".into() }),
        (_, Reply::Error(..)) => {
            Err(EncodeError::NoReply { why: "a notice about the connection is not answered".into() })
        }
    }
}

/// The status that tells a Dubbo client what happened.
pub const fn status_of(error: ErrorType) -> u8 {
    match error {
        ErrorType::RouteNotFound | ErrorType::ClusterNotFound => 60,
        ErrorType::NoHealthyUpstream | ErrorType::UpstreamReset | ErrorType::Unspecified => 80,
        ErrorType::BadResponse => 50,
        ErrorType::OverLimit => 100,
        ErrorType::Timeout => 31,
        ErrorType::Denied => 70,
        ErrorType::BadRequest => 40,
    }
}

fn error_reply(request: Header, error: ErrorType, message: &str) -> Result<Vec<u8>, EncodeError> {
    let mut body = Vec::with_capacity(message.len() + 3);
    match request.serialization() {
        HESSIAN2 => write_str(&mut body, message),
        FASTJSON | GSON => write_json_line(&mut body, message),
        _ => {
            return Err(EncodeError::NoReply {
                why: "the message of an error must be written in the serialization of the request, and only hessian2, \
                      fastjson and gson can be written"
                    .into(),
            });
        }
    }
    frame(Header { flags: request.serialization(), status: status_of(error), ..request }, &body)
}

/// One line of JSON text, which is how the JSON serializations of Dubbo write a string.
fn write_json_line(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend_from_slice(&[b'\\', character as u8]),
            control if control < ' ' => out.extend_from_slice(format!("\\u{:04x}", u32::from(control)).as_bytes()),
            other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.extend_from_slice(b"\"\n");
}

fn heartbeat(request: Frame<'_>, header: Header) -> Result<Option<Vec<u8>>, EncodeError> {
    if !header.is_two_way() {
        return Ok(None);
    }
    // A heartbeat holds a null, and so does its answer: where null is spelled differently, the request shows how.
    let body = if header.serialization() == HESSIAN2 { &[NULL] } else { request.body() };
    if body.len() > MAX_NULL_LEN {
        return Err(EncodeError::NoReply { why: "this event holds more than a heartbeat does".into() });
    }
    frame(Header { flags: EVENT | header.serialization(), status: OK, ..header }, body).map(Some)
}

fn frame(header: Header, body: &[u8]) -> Result<Vec<u8>, EncodeError> {
    match i32::try_from(body.len()) {
        Ok(len) => Ok([&header.to_bytes(len.unsigned_abs()), body].concat()),
        Err(_) => Err(EncodeError::TooLong { len: body.len() as u64, max: i32::MAX as u64 }),
    }
}
