//! Answers made on the spot: a response with a return code; for a stream, an INIT that refuses it, or a CLOSE that resets it.

use metaprotocol_core::protobuf::{push_bytes, push_number};
use metaprotocol_core::{EncodeError, ErrorType, Frame, Kind, Reply};

use crate::message::{self, Message, RESPONSE_META, number};
use crate::wire::{CLOSE, FIXED_LEN, Fixed, INIT, STREAM};

/// The close type that ends both directions.
const RESET: u64 = 1;
/// The number of `content_type` in requests.
const ASKED_CONTENT_TYPE: usize = 10;
/// The number of `content_type` in responses.
const CONTENT_TYPE: u32 = 9;

/// The framework's return code that tells a client what happened: `TrpcRetCode` of `trpc.proto`.
#[must_use]
pub const fn ret_of(error: ErrorType) -> u8 {
    match error {
        ErrorType::BadRequest => 1,
        ErrorType::RouteNotFound => 11,
        ErrorType::Timeout => 21,
        ErrorType::OverLimit => 23,
        ErrorType::Unspecified => 31,
        ErrorType::Denied => 41,
        ErrorType::NoHealthyUpstream => 111,
        ErrorType::BadResponse => 122,
        ErrorType::ClusterNotFound => 131,
        ErrorType::UpstreamReset => 141,
    }
}

pub fn reply(request: Frame<'_>, reply: Reply<'_>) -> Result<Option<Vec<u8>>, EncodeError> {
    let no_reply = |why: &'static str| Err(EncodeError::NoReply { why: why.into() });
    let Reply::Error(error, text) = reply else { return no_reply("tRPC has no heartbeats") };
    let (fixed, message) = message::open(request)?;
    let ret = u64::from(ret_of(error));
    match message {
        Message::Request if request.head.kind == Kind::Oneway => Ok(None),
        Message::Request => unary(request, fixed, ret, text).map(Some),
        Message::Response => no_reply("this is a response, not a request"),
        Message::Opened => no_reply("this answers an INIT, and is no request"),
        Message::Open => {
            let mut meta = Vec::with_capacity(text.len() + 8);
            push_number(&mut meta, 1, ret);
            push_bytes(&mut meta, 2, text.as_bytes());
            let mut payload = Vec::with_capacity(meta.len() + 4);
            push_bytes(&mut payload, RESPONSE_META.into(), &meta);
            frame(Fixed { data_type: STREAM, stream_type: INIT, message_len: 0, ..fixed }, &payload).map(Some)
        }
        Message::Close if request.head.kind == Kind::StreamClose => no_reply("the stream is over"),
        Message::Data | Message::Feedback | Message::Close => {
            let mut payload = Vec::with_capacity(text.len() + 8);
            push_number(&mut payload, 1, RESET);
            push_number(&mut payload, 2, ret);
            push_bytes(&mut payload, 3, text.as_bytes());
            frame(Fixed { data_type: STREAM, stream_type: CLOSE, message_len: 0, ..fixed }, &payload).map(Some)
        }
    }
}

fn unary(request: Frame<'_>, fixed: Fixed, ret: u64, text: &str) -> Result<Vec<u8>, EncodeError> {
    let asked = message::numbers(request.header())?;
    let mut header = Vec::with_capacity(text.len() + 24);
    let mut push = |number: u32, value: u64| {
        if value != 0 {
            push_number(&mut header, number, value);
        }
    };
    push(number::CALL_TYPE as u32, asked[number::CALL_TYPE].into());
    push(number::REQUEST_ID as u32, asked[number::REQUEST_ID].into());
    push(number::RET as u32, ret);
    push_bytes(&mut header, 6, text.as_bytes());
    if asked[ASKED_CONTENT_TYPE] != 0 {
        push_number(&mut header, CONTENT_TYPE, asked[ASKED_CONTENT_TYPE].into());
    }
    let max = u64::from(u16::MAX);
    let message_len =
        u16::try_from(header.len()).map_err(|_| EncodeError::TooLong { len: header.len() as u64, max })?;
    frame(Fixed { stream_type: 0, message_len, ..fixed }, &header)
}

fn frame(fixed: Fixed, payload: &[u8]) -> Result<Vec<u8>, EncodeError> {
    let len = (FIXED_LEN + payload.len()) as u64;
    let total = u32::try_from(len).map_err(|_| EncodeError::TooLong { len, max: u32::MAX.into() })?;
    Ok([&Fixed { total, reserved: 0, ..fixed }.to_bytes(), payload].concat())
}
