//! Whether a stream looks like Kafka.
//!
//! A client's begins with a request of a known API and version whose client id is text that fits; where that id says nothing,
//! the body must agree with the schema as far as it is there. A server's begins with nothing but a size and a correlation
//! id, so only the answer to ApiVersions, which comes first from every broker since 0.10, is sure.

use metaprotocol_core::{Cursor, Detection, Limits, Reason};

use crate::schema::{self, error_name};
use crate::walk;
use crate::wire::{
    API_AT, CLIENT_ID_AT, REQUEST_ID_AT, RESPONSE_ID_AT, SASL_HANDSHAKE, SIZE_LEN, UNSUPPORTED_VERSION, VERSION_AT,
    i16_at, i32_at, is_flexible, lacks_client_id,
};

/// A broker's `socket.request.max.bytes`, unless it was raised.
const MAX_SIZE: i32 = 100 << 20;
/// Bytes of a client id that convince by themselves.
const TELLING: usize = 3;
/// Bytes of a request that convince where it has no such client id.
const ENOUGH: usize = 48;
/// Java clients begin their correlation ids at 0, and take those from here on while they authenticate.
const RESERVED_IDS: i32 = i32::MAX - 7;
/// The id of all that Java clients of 0.11 ask while they authenticate.
const OLD_SASL_ID: i32 = -1;
/// No client has asked so many questions before it is first seen.
const MAX_FIRST_ID: i32 = 1 << 24;

/// The answer of a check that needs bytes which are not there yet.
macro_rules! known {
    ($value:expr) => {
        match $value {
            Some(value) => value,
            None => return Detection::NeedMore,
        }
    };
}

pub fn client(prefix: &[u8]) -> Detection {
    let size = known!(i32_at(prefix, 0));
    if !(8..=MAX_SIZE).contains(&size) {
        return Detection::No;
    }
    let frame_len = SIZE_LEN + size.cast_unsigned() as usize;
    let api = known!(i16_at(prefix, API_AT));
    let Some(versions) = schema::versions(api) else { return Detection::No };
    let version = known!(i16_at(prefix, VERSION_AT));
    if !(versions.first..=versions.last).contains(&version) {
        return Detection::No;
    }
    let id = known!(i32_at(prefix, REQUEST_ID_AT));
    if id < 0 && (api, id) != (SASL_HANDSHAKE, OLD_SASL_ID) {
        return Detection::No;
    }
    let (mut at, mut named) = (CLIENT_ID_AT, false);
    if !lacks_client_id(api, version) {
        let len = known!(i16_at(prefix, CLIENT_ID_AT));
        at += 2 + len.max(0).cast_unsigned() as usize;
        if len < -1 || at > frame_len {
            return Detection::No;
        }
        let client_id = prefix.get(CLIENT_ID_AT + 2..at.min(prefix.len())).unwrap_or_default();
        if !is_text(client_id) {
            return Detection::No;
        }
        named = client_id.len() >= TELLING;
    }
    if at > prefix.len() {
        return Detection::NeedMore;
    }
    let flexible = is_flexible(api, version);
    if flexible {
        // A header's tagged fields are none so far; those of the future are few.
        match prefix.get(at) {
            // What stands here is of the next request.
            _ if at >= frame_len => return Detection::No,
            Some(0) => at += 1,
            Some(16..) => return Detection::No,
            Some(_) => return if named { Detection::Yes } else { Detection::No },
            None => return Detection::NeedMore,
        }
    }
    if named {
        return Detection::Yes;
    }
    let (whole, enough) = (prefix.len() >= frame_len, prefix.len() >= ENOUGH);
    if let (Some(body), true) = (schema::request(api, version), whole || enough) {
        let bytes = prefix.get(..frame_len.min(ENOUGH)).unwrap_or(prefix);
        let mut cursor = Cursor::new(bytes, at);
        return match walk::skip_structure(&mut cursor, body, &Limits::default()) {
            Ok(()) if cursor.at() == frame_len => Detection::Yes,
            // More of the body may lie behind what was looked at.
            Err(error) if frame_len > ENOUGH && matches!(error.reason, Reason::UnexpectedEnd { .. }) => Detection::Yes,
            _ => Detection::No,
        };
    }
    Detection::NeedMore
}

/// Text without control characters, as far as it is there.
fn is_text(bytes: &[u8]) -> bool {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // Cut within a character.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(bytes.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.chars().any(char::is_control)
}

pub fn server(prefix: &[u8]) -> Detection {
    let size = known!(i32_at(prefix, 0));
    if !(4..=MAX_SIZE).contains(&size) {
        return Detection::No;
    }
    let id = known!(i32_at(prefix, RESPONSE_ID_AT));
    if !(OLD_SASL_ID..MAX_FIRST_ID).contains(&id) && id < RESERVED_IDS {
        return Detection::No;
    }
    let body = prefix.get(RESPONSE_ID_AT + 4..).unwrap_or_default();
    let body_len = size.cast_unsigned() as usize - 4;
    if is_api_versions(body, body_len) { Detection::Yes } else { Detection::NeedMore }
}

/// Whether a body of `len` bytes, of which the first are there, lists the versions of APIs: an error code, and three
/// numbers for each API.
fn is_api_versions(body: &[u8], len: usize) -> bool {
    let Some(error) = i16_at(body, 0) else { return false };
    if error != 0 && error != UNSUPPORTED_VERSION && error_name(error).is_none() {
        return false;
    }
    let plain = i32_at(body, 2).and_then(|count| usize::try_from(count).ok()).filter(|count| *count > 0);
    // Behind the list of version 0 nothing follows, behind later ones the throttle time.
    if let Some(count) = plain
        && [0, 4].iter().any(|more| count.checked_mul(6).and_then(|list| list.checked_add(6 + more)) == Some(len))
    {
        return ranges(body.get(6..).unwrap_or_default(), 6, count);
    }
    match body.get(2) {
        Some(count @ 2..0x80) => {
            let count = usize::from(count - 1);
            len >= 3 + 7 * count + 5 && ranges(body.get(3..).unwrap_or_default(), 7, count)
        }
        _ => false,
    }
}

/// Whether these are API keys with the first and the last version of each: the first four of them, or all.
fn ranges(list: &[u8], step: usize, count: usize) -> bool {
    let wanted = count.min(4);
    let plausible = |entry: &&[u8]| {
        let number = |at| i16_at(entry, at).unwrap_or(-1);
        (0..1024).contains(&number(0))
            && (0..128).contains(&number(2))
            && (number(2)..128).contains(&number(4))
            && (step == 6 || entry.get(6) == Some(&0))
    };
    list.chunks_exact(step).take(wanted).take_while(plausible).count() == wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_request_is_none_of_it() {
        // Its header should have tagged fields, and there is no room left for them.
        let request = b"\0\0\0\x14\0\x2d\0\x01\0\0\0\x02\0\x0ajava-a-min";
        for follows in [&b""[..], b"\0", b"\0\x12\0\x03"] {
            assert_eq!(client(&[request, follows].concat()), Detection::No);
        }
    }
}
