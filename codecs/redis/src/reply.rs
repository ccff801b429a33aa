//! Answers made locally: an error line, which both protocol versions have.
//!
//! What its first word makes clients do (redis-py 5, go-redis 9, Jedis 5, Lettuce 6): CLUSTERDOWN is tried again later and
//! elsewhere; BUSY and NOPERM have exceptions of their own; ERR is told to the caller. A command whose answer got lost may
//! have been executed: what makes clients repeat it (TRYAGAIN, LOADING, CLUSTERDOWN) must not be said of it.

use metaprotocol_core::{EncodeError, ErrorType, Frame, Kind, Reply};

use crate::wire::CRLF;

const fn code(error: ErrorType) -> &'static str {
    match error {
        ErrorType::NoHealthyUpstream => "CLUSTERDOWN",
        ErrorType::OverLimit => "BUSY",
        ErrorType::Denied => "NOPERM",
        ErrorType::RouteNotFound
        | ErrorType::ClusterNotFound
        | ErrorType::BadResponse
        | ErrorType::Unspecified
        | ErrorType::Timeout
        | ErrorType::UpstreamReset
        | ErrorType::BadRequest => "ERR",
    }
}

/// The verb.
pub(crate) fn reply(request: Frame<'_>, reply: Reply<'_>) -> Result<Option<Vec<u8>>, EncodeError> {
    let Reply::Error(error, text) = reply else {
        return Err(EncodeError::NoReply { why: "a PING is answered as a command: Redis has no heartbeats".into() });
    };
    match request.head.kind {
        Kind::Request => {}
        Kind::Oneway => return Ok(None),
        _ => return Err(EncodeError::NoReply { why: "only commands are answered".into() }),
    }
    let code = code(error);
    let mut out = Vec::with_capacity(code.len() + text.len() + 4);
    out.push(b'-');
    out.extend_from_slice(code.as_bytes());
    out.push(b' ');
    // A line end within would end the answer early.
    out.extend(text.bytes().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }));
    out.extend_from_slice(CRLF);
    Ok(Some(out))
}
