//! Where a frame ends and what it is.
//!
//! A request is told by its header: size, API key, version, correlation id, client id and, where the version is flexible,
//! tagged fields; Produce also by its acks, the first field but one of its body, since nobody answers acks=0. The header
//! of a response depends on the request that it answers, which the connection's [`State`] remembers by its correlation id.

use metaprotocol_core::{Cursor, DecodeError, Direction, Head, Kind, Limits, Reason, RequestId, Split, VarintError};

use crate::schema;
use crate::state::{State, Walked};
use crate::wire::{
    API_AT, CLIENT_ID_AT, CONTROLLED_SHUTDOWN, LEAST_REQUEST, LEAST_RESPONSE, MAX_TEXT_LEN, MAX_VARINT_LEN, PRODUCE,
    RESPONSE_ID_AT, SASL_HANDSHAKE, SIZE_LEN, TRANSACTIONAL_PRODUCE, VERSION_AT, Variant, i16_at, i32_at, is_flexible,
    is_flexible_response,
};

#[inline(always)]
pub fn split(state: &mut State, direction: Direction, limits: &Limits, buf: &[u8]) -> Result<Split, DecodeError> {
    match direction {
        Direction::ClientToServer if state.client_tokens => token_or_request(state, limits, buf),
        Direction::ClientToServer => request(state, limits, buf),
        Direction::ServerToClient => response(state, limits, buf),
    }
}

/// The note of a request behind which tokens travel.
const TOKENS_FOLLOW: u32 = Variant::pack(SASL_HANDSHAKE, 0);
/// The note of the request whose header is of the first version.
const NO_CLIENT_ID: u32 = Variant::pack(CONTROLLED_SHUTDOWN, 0);

/// The frame's length; at least `least` bytes must follow the size.
#[inline(always)]
fn frame_len(size: u32, least: u32, limits: &Limits) -> Result<usize, DecodeError> {
    let len = SIZE_LEN as u64 + u64::from(size);
    if size > i32::MAX as u32 || size < least || len > limits.max_frame_len {
        return Err(bad_size(size, least, limits));
    }
    Ok(len as usize)
}

#[cold]
fn bad_size(size: u32, least: u32, limits: &Limits) -> DecodeError {
    if size > i32::MAX as u32 || size < least {
        return Reason::BadLength { field: "size", value: size.cast_signed().into() }.at(0);
    }
    let value = SIZE_LEN as u64 + u64::from(size);
    Reason::LimitExceeded { limit: "max_frame_len", value, max: limits.max_frame_len }.at(0)
}

/// Either what was found, or that so many more bytes are needed to find it.
enum Step<T> {
    Found(T),
    Need(usize),
}

/// Finds, or asks for more.
macro_rules! found {
    ($step:expr) => {
        found!($step, Step::Need)
    };
    ($step:expr, $need:path) => {
        match $step? {
            Step::Found(found) => found,
            Step::Need(more) => return Ok($need(more)),
        }
    };
}

#[inline(always)]
fn request(state: &mut State, limits: &Limits, buf: &[u8]) -> Result<Split, DecodeError> {
    let Some(front) = buf.first_chunk::<CLIENT_ID_AT>() else { return short(buf, limits) };
    let [s0, s1, s2, s3, k0, k1, v0, v1, i0, i1, i2, i3] = *front;
    let frame_len = frame_len(u32::from_be_bytes([s0, s1, s2, s3]), LEAST_REQUEST, limits)?;
    // An API key and a version, side by side, are the note.
    let note = u32::from_be_bytes([k0, k1, v0, v1]);
    if note & Variant::NEGATIVE != 0 {
        return Err(broken(note));
    }
    let id = i32::from_be_bytes([i0, i1, i2, i3]);
    let (header_len, kind) = match header(buf, note, frame_len) {
        Some(found) => found,
        None => found!(any_header(buf, note, frame_len, limits, &mut state.client_walked), Split::Need),
    };
    if matches!(kind, Kind::Request) {
        state.remember(id, note, limits);
        if Variant::parts(note).0 == SASL_HANDSHAKE {
            state.logs_in = true;
            state.client_tokens |= note == TOKENS_FOLLOW;
            state.server_tokens |= note == TOKENS_FOLLOW;
        }
    }
    Ok(Split::Head(Head {
        kind,
        request_id: RequestId::Int(i64::from(id).cast_unsigned()),
        stream_id: None,
        header_len: header_len as u32,
        frame_len,
        variant: note,
    }))
}

/// The end of a header without tagged fields, and the kind, if all that tells them is there and right.
#[inline(always)]
fn header(buf: &[u8], note: u32, frame_len: usize) -> Option<(usize, Kind)> {
    if note == NO_CLIENT_ID {
        return None;
    }
    let (api, version) = Variant::parts(note);
    let known = schema::versions(api)?;
    let mut end = CLIENT_ID_AT + 2 + text_len(i16_at(buf, CLIENT_ID_AT)?)?;
    let flexible = version >= known.flexible;
    if flexible {
        if *buf.get(end)? != 0 {
            return None;
        }
        end += 1;
    }
    if api != PRODUCE || version > known.last {
        return (end <= frame_len && end <= buf.len()).then_some((end, Kind::Request));
    }
    let acks_at = if flexible {
        // One more than it is, and 0 for null.
        end + 1 + usize::from(buf.get(end).copied().filter(|len| *len < 0x80)?.saturating_sub(1))
    } else if version >= TRANSACTIONAL_PRODUCE {
        end + 2 + text_len(i16_at(buf, end)?)?
    } else {
        end
    };
    let kind = if i16_at(buf, acks_at)? == 0 { Kind::Oneway } else { Kind::Request };
    (acks_at + 2 <= frame_len).then_some((end, kind))
}

/// The length of a text that may be null.
#[inline(always)]
fn text_len(len: i16) -> Option<usize> {
    (len >= -1).then_some(len.max(0).cast_unsigned() as usize)
}

/// The end of any header, and the kind; or what is lacking or wrong.
#[cold]
fn any_header(
    buf: &[u8],
    note: u32,
    frame_len: usize,
    limits: &Limits,
    walked: &mut Walked,
) -> Result<Step<(usize, Kind)>, DecodeError> {
    let (api, version) = Variant::parts(note);
    let mut kind = Kind::Request;
    let mut end = CLIENT_ID_AT;
    // The header of an API that is not known ends with what all headers have.
    if let (Some(known), false) = (schema::versions(api), note == NO_CLIENT_ID) {
        end = found!(text_end(buf, CLIENT_ID_AT, frame_len, "client id"));
        if version >= known.flexible {
            end = found!(tags_end(buf, end, frame_len, limits, walked));
        }
        // Where a version that is not known has its acks is not known: it waits for an answer.
        if api == PRODUCE && version <= known.last {
            let acks_at = found!(acks_at(buf, end, version, frame_len));
            if found!(number(buf, acks_at, frame_len, "acks")) == 0 {
                kind = Kind::Oneway;
            }
        }
    }
    Ok(Step::Found((end, kind)))
}

/// Less than the shortest header: what is there must be a header's beginning.
#[cold]
fn short(buf: &[u8], limits: &Limits) -> Result<Split, DecodeError> {
    let Some(size) = buf.first_chunk() else { return Ok(Split::Need(SIZE_LEN - buf.len())) };
    frame_len(u32::from_be_bytes(*size), LEAST_REQUEST, limits)?;
    let note = Variant::pack(i16_at(buf, API_AT).unwrap_or(0), i16_at(buf, VERSION_AT).unwrap_or(0));
    if note & Variant::NEGATIVE != 0 {
        return Err(broken(note));
    }
    Ok(Split::Need(CLIENT_ID_AT - buf.len()))
}

/// The error of a request that no client sends.
#[cold]
fn broken(note: u32) -> DecodeError {
    let (api, version) = Variant::parts(note);
    if api < 0 {
        Reason::BadValue { field: "api key", value: api.into() }.at(API_AT)
    } else {
        Reason::BadValue { field: "api version", value: version.into() }.at(VERSION_AT)
    }
}

/// Two bytes of a frame.
fn number(buf: &[u8], at: usize, frame_len: usize, field: &'static str) -> Result<Step<i16>, DecodeError> {
    match i16_at(buf, at) {
        Some(number) if at + 2 <= frame_len => Ok(Step::Found(number)),
        _ if at + 2 > frame_len => Err(Reason::UnexpectedEnd { field }.at(at)),
        _ => Ok(Step::Need(at + 2 - buf.len())),
    }
}

/// The end of a text whose length is two bytes, -1 for null.
fn text_end(buf: &[u8], at: usize, frame_len: usize, field: &'static str) -> Result<Step<usize>, DecodeError> {
    let len = found!(number(buf, at, frame_len, field));
    if len < -1 {
        return Err(Reason::BadLength { field, value: len.into() }.at(at));
    }
    let end = at + 2 + len.max(0).cast_unsigned() as usize;
    if end > frame_len {
        return Err(Reason::UnexpectedEnd { field }.at(at));
    }
    Ok(if end <= buf.len() { Step::Found(end) } else { Step::Need(end - buf.len()) })
}

/// The end of the tagged fields of a header; almost always there are none.
#[inline(always)]
fn tags_end(
    buf: &[u8],
    at: usize,
    frame_len: usize,
    limits: &Limits,
    walked: &mut Walked,
) -> Result<Step<usize>, DecodeError> {
    if at < frame_len && buf.get(at) == Some(&0) {
        Ok(Step::Found(at + 1))
    } else {
        walk_tags(buf, at, frame_len, limits, walked)
    }
}

/// As [`tags_end`], where there are some, or not all of them are in. What was walked is not walked again.
#[cold]
fn walk_tags(
    buf: &[u8],
    start: usize,
    frame_len: usize,
    limits: &Limits,
    walked: &mut Walked,
) -> Result<Step<usize>, DecodeError> {
    const FIELD: &str = "tagged fields";
    let broken = |at| Reason::UnexpectedEnd { field: FIELD }.at(at);
    let bytes = buf.get(..frame_len).unwrap_or(buf);
    let varint = |cursor: &mut Cursor<'_>| match cursor.varint(MAX_VARINT_LEN) {
        Ok(value) if value <= u32::MAX.into() => Ok(Some(value as usize)),
        Err(VarintError::Short(_)) if buf.len() < frame_len => Ok(None),
        Err(VarintError::Short(_)) => Err(broken(cursor.at())),
        _ => Err(Reason::BadEncoding { field: FIELD }.at(cursor.at())),
    };
    if walked.at == 0 {
        if start >= frame_len {
            return Err(broken(start));
        }
        let mut cursor = Cursor::new(bytes, start);
        let Some(count) = varint(&mut cursor)? else { return Ok(Step::Need(1)) };
        if count > limits.max_field_count as usize {
            let max = limits.max_field_count.into();
            return Err(Reason::LimitExceeded { limit: "max_field_count", value: count as u64, max }.at(start));
        }
        // A tag and a size each.
        if count * 2 > frame_len - cursor.at() {
            return Err(broken(start));
        }
        *walked = Walked { at: cursor.at(), left: count };
    }
    while walked.left > 0 {
        let mut cursor = Cursor::new(bytes, walked.at);
        let (Some(_), Some(len)) = (varint(&mut cursor)?, varint(&mut cursor)?) else { return Ok(Step::Need(1)) };
        let end = cursor.at() + len;
        if end > frame_len {
            return Err(broken(walked.at));
        }
        if end > limits.max_header_len as usize {
            let max = limits.max_header_len.into();
            return Err(Reason::LimitExceeded { limit: "max_header_len", value: end as u64, max }.at(walked.at));
        }
        if end > buf.len() {
            return Ok(Step::Need(end - buf.len()));
        }
        *walked = Walked { at: end, left: walked.left - 1 };
    }
    Ok(Step::Found(std::mem::take(walked).at))
}

/// Where a Produce has its acks: behind the transactional id, if the version has one.
fn acks_at(buf: &[u8], at: usize, version: i16, frame_len: usize) -> Result<Step<usize>, DecodeError> {
    const FIELD: &str = "transactional id";
    if version < TRANSACTIONAL_PRODUCE {
        return Ok(Step::Found(at));
    }
    if !is_flexible(PRODUCE, version) {
        return text_end(buf, at, frame_len, FIELD);
    }
    let mut cursor = Cursor::new(buf.get(..frame_len).unwrap_or(buf), at);
    match cursor.varint(MAX_VARINT_LEN) {
        // One more than it is, and 0 for null.
        Ok(len) if len <= MAX_TEXT_LEN as u64 + 1 => {
            let end = cursor.at() + (len as usize).saturating_sub(1);
            if end > frame_len {
                return Err(Reason::UnexpectedEnd { field: FIELD }.at(at));
            }
            Ok(if end <= buf.len() { Step::Found(end) } else { Step::Need(end - buf.len()) })
        }
        Ok(len) => Err(Reason::BadLength { field: FIELD, value: len as i64 - 1 }.at(at)),
        Err(VarintError::Short(_)) if buf.len() < frame_len => Ok(Step::Need(1)),
        Err(error) => Err(error.within(FIELD)),
    }
}

#[inline(always)]
fn response(state: &mut State, limits: &Limits, buf: &[u8]) -> Result<Split, DecodeError> {
    let Some(size) = buf.first_chunk() else { return Ok(Split::Need(SIZE_LEN - buf.len())) };
    let size = u32::from_be_bytes(*size);
    let frame_len = frame_len(size, if state.server_tokens { 0 } else { LEAST_RESPONSE }, limits)?;
    if size < LEAST_RESPONSE {
        return Ok(token(frame_len));
    }
    let Some(id) = i32_at(buf, RESPONSE_ID_AT) else {
        return Ok(Split::Need(RESPONSE_ID_AT + 4 - buf.len()));
    };
    let mut header_len = RESPONSE_ID_AT + 4;
    let note = match state.find(id) {
        None if state.server_tokens => return Ok(token(frame_len)),
        None => Variant::UNKNOWN,
        Some(note) => note,
    };
    if let Variant::Known { api, version } = Variant::unpack(note) {
        if is_flexible_response(api, version) {
            header_len = found!(tags_end(buf, header_len, frame_len, limits, &mut state.server_walked), Split::Need);
        }
        state.forget(id);
        state.server_tokens &= api == SASL_HANDSHAKE;
    } else {
        state.forget(id);
    }
    Ok(Split::Head(Head {
        kind: Kind::Response,
        request_id: RequestId::Int(i64::from(id).cast_unsigned()),
        stream_id: None,
        header_len: header_len as u32,
        frame_len,
        variant: note,
    }))
}

/// A frame of the client after a SaslHandshake of version 0: a token, or the first request behind the exchange. What is
/// said in a token is the mechanism's affair, but none begins with an API key and a version that are known, and a client
/// id that fits.
#[cold]
fn token_or_request(state: &mut State, limits: &Limits, buf: &[u8]) -> Result<Split, DecodeError> {
    let Some(size) = buf.first_chunk() else { return Ok(Split::Need(SIZE_LEN - buf.len())) };
    let frame_len = frame_len(u32::from_be_bytes(*size), 0, limits)?;
    let least = CLIENT_ID_AT + 2;
    if frame_len < least {
        return Ok(token(frame_len));
    }
    let (Some(api), Some(version), Some(client_id)) =
        (i16_at(buf, API_AT), i16_at(buf, VERSION_AT), i16_at(buf, CLIENT_ID_AT))
    else {
        return Ok(Split::Need(least - buf.len()));
    };
    let known = schema::versions(api).is_some_and(|known| (known.first..=known.last).contains(&version));
    if !known || client_id < -1 || least + client_id.max(0).cast_unsigned() as usize > frame_len {
        return Ok(token(frame_len));
    }
    match request(state, limits, buf) {
        Ok(Split::Head(head)) => {
            state.client_tokens = head.variant == TOKENS_FOLLOW;
            Ok(Split::Head(head))
        }
        Ok(more) => Ok(more),
        Err(_) => {
            state.client_walked = Walked::default();
            Ok(token(frame_len))
        }
    }
}

fn token(frame_len: usize) -> Split {
    Split::Head(Head {
        kind: Kind::Control,
        request_id: RequestId::None,
        stream_id: None,
        header_len: SIZE_LEN as u32,
        frame_len,
        variant: Variant::TOKEN,
    })
}
