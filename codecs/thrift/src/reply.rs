//! Answers made locally: an exception message in the request's own transport and protocol.

use metaprotocol_core::protobuf::push_varint;
use metaprotocol_core::{EncodeError, ErrorType, Frame, Kind, Limits, Reply};

use crate::fields::{self, Depth, EXCEPTION_MESSAGE_ID, EXCEPTION_TYPE_ID};
use crate::header::{self, PROTOCOL_BINARY, PROTOCOL_COMPACT};
use crate::message;
use crate::wire::{HEADER_MAGIC, LENGTH_LEN, MessageType, Protocol, Transport};

/// The types of TApplicationException that every implementation knows. fbthrift's own (11 load shedding, 12 timeout) are
/// not used: clients of Apache Thrift show them as unknown.
const UNKNOWN_METHOD: i32 = 1;
const INTERNAL_ERROR: i32 = 6;
const PROTOCOL_ERROR: i32 = 7;

const fn exception_type(error: ErrorType) -> i32 {
    match error {
        ErrorType::RouteNotFound => UNKNOWN_METHOD,
        ErrorType::BadResponse | ErrorType::BadRequest => PROTOCOL_ERROR,
        ErrorType::ClusterNotFound
        | ErrorType::NoHealthyUpstream
        | ErrorType::Unspecified
        | ErrorType::OverLimit
        | ErrorType::Timeout
        | ErrorType::UpstreamReset
        | ErrorType::Denied => INTERNAL_ERROR,
    }
}

/// The verb.
pub(crate) fn reply(request: Frame<'_>, reply: Reply<'_>) -> Result<Option<Vec<u8>>, EncodeError> {
    let Reply::Error(error, text) = reply else {
        return Err(EncodeError::NoReply { why: "Thrift has no heartbeats".into() });
    };
    match request.head.kind {
        Kind::Request => {}
        Kind::Oneway => return Ok(None),
        _ => return Err(EncodeError::NoReply { why: "only calls are answered".into() }),
    }
    let opened = fields::open(request, Depth::Head, Limits::default().max_frame_len)?;
    let protocol = opened.message.protocol;
    // Without the service's prefix, as servers answer: some clients refuse an answer that has it.
    let name = opened.bytes.get(opened.method_name()).unwrap_or_default();
    let mut out = Vec::with_capacity(64 + name.len() + text.len());
    if opened.variant.transport != Transport::Unframed {
        out.extend_from_slice(&[0; LENGTH_LEN]);
    }
    if let Some(header) = &opened.header {
        let id = if protocol == Protocol::Compact { PROTOCOL_COMPACT } else { PROTOCOL_BINARY };
        out.extend_from_slice(&HEADER_MAGIC.to_be_bytes());
        let flags = request.bytes.get(header::FLAGS_AT..header::SEQUENCE_AT).unwrap_or_default();
        out.extend_from_slice(flags);
        out.extend_from_slice(&header.sequence_id.to_be_bytes());
        // One word: the protocol, no transforms, and two bytes of padding.
        out.extend_from_slice(&[0, 1, id as u8, 0, 0, 0]);
    }
    message::write(&mut out, protocol, MessageType::Exception, name, opened.message.sequence_id);
    push_exception(&mut out, protocol, text, exception_type(error));
    if opened.variant.transport != Transport::Unframed {
        let max = if opened.header.is_some() { header::MAX_LENGTH } else { i32::MAX as u64 };
        let len = out.len() as u64;
        if len > max + LENGTH_LEN as u64 {
            return Err(EncodeError::TooLong { len, max: max + LENGTH_LEN as u64 });
        }
        let mut length = Vec::with_capacity(LENGTH_LEN);
        header::push_length(&mut length, out.len());
        out.splice(..LENGTH_LEN, length);
    }
    Ok(Some(out))
}

/// TApplicationException { 1: string message, 2: i32 type }.
fn push_exception(out: &mut Vec<u8>, protocol: Protocol, text: &str, exception_type: i32) {
    match protocol {
        Protocol::Binary | Protocol::BinaryOld => {
            out.push(11);
            out.extend_from_slice(&EXCEPTION_MESSAGE_ID.to_be_bytes());
            message::push_name(out, protocol, text.as_bytes());
            out.push(8);
            out.extend_from_slice(&EXCEPTION_TYPE_ID.to_be_bytes());
            out.extend_from_slice(&exception_type.to_be_bytes());
        }
        Protocol::Compact => {
            // Each id is one more than the last: it goes into the upper half of the type's byte.
            out.push(1 << 4 | 8);
            message::push_name(out, protocol, text.as_bytes());
            out.push(1 << 4 | 5);
            push_varint(out, ((exception_type << 1) ^ (exception_type >> 31)) as u32 as u64);
        }
    }
    out.push(0);
}
