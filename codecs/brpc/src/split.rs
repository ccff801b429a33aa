//! Where a frame ends and what it is.
//!
//! The header of 12 bytes tells the length, the meta behind it the rest: whether this is a request or a response, its
//! correlation id, whether it opens a stream. Both sizes are checked before anything waits for the meta.
//!
//! Servers of Apache bRPC send the response to a request that opens a stream as the first data of that stream: a whole
//! frame within a frame. The connection remembers which streams are being opened, and gives that frame out as the response
//! it is. The same bytes without the request before them are data of a stream like any other.

use std::collections::VecDeque;
use std::ops::Range;

use metaprotocol_core::protobuf::{LEN, VARINT, long_varint};
use metaprotocol_core::{DecodeError, Detection, Direction, Head, Kind, Limits, Reason, RequestId, Split};

use crate::meta::{As, Message};
use crate::wire::{BODY_SIZE_AT, HEADER_LEN, META_SIZE_AT, PRPC, STRM, check_magic, rpc, stream, variant};

/// What errors call the messages.
pub const RPC_META: &str = "RpcMeta";
/// What errors call the messages.
pub const STREAM_META: &str = "StreamFrameMeta";

/// The streams whose opening has not been answered: the client's id of the stream, and the request's id. No more than the
/// limits allow requests in flight; beyond it the oldest is forgotten.
#[derive(Debug, Default)]
pub struct Opening(VecDeque<(u64, u64)>);

impl Opening {
    fn asked(&mut self, stream_id: u64, request_id: u64, limits: &Limits) {
        while self.0.len() >= limits.max_in_flight.max(1) as usize {
            self.0.pop_front();
        }
        self.0.push_back((stream_id, request_id));
    }

    fn request_of(&self, stream_id: u64) -> Option<u64> {
        self.0.iter().find(|(stream, _)| *stream == stream_id).map(|(_, request)| *request)
    }

    fn answered(&mut self, request_id: u64) {
        if let Some(at) = self.0.iter().position(|(_, request)| *request == request_id) {
            self.0.remove(at);
        }
    }
}

/// What the meta of a call or its answer says.
#[derive(Clone, Copy, Debug, Default)]
struct Rpc {
    request: bool,
    response: bool,
    failed: bool,
    id: u64,
    /// `stream_settings` are there.
    opens: bool,
    stream_id: Option<u64>,
}

/// Reads the meta at `place`, before a payload of `payload_len` bytes.
fn rpc(buf: &[u8], place: Range<usize>, payload_len: usize) -> Result<Rpc, DecodeError> {
    let meta = Message::new(buf, place, RPC_META);
    let mut cursor = meta.cursor();
    let mut found = Rpc::default();
    while let Some(field) = meta.next(&mut cursor)? {
        match (field.number, field.wire) {
            (rpc::REQUEST, LEN) => found.request = true,
            (rpc::RESPONSE, LEN) => {
                found.response = true;
                if let Some(code) = meta.inner(&field).last(rpc::ERROR_CODE, As::Int32)? {
                    found.failed = code.value as i32 != 0;
                }
            }
            (rpc::CORRELATION_ID, VARINT) => found.id = field.value,
            (rpc::ATTACHMENT_SIZE, VARINT) => {
                let size = field.value as i32;
                if usize::try_from(size).map_or(true, |size| size > payload_len) {
                    return Err(Reason::BadLength { field: "attachment_size", value: size.into() }.at(field.at));
                }
            }
            (rpc::STREAM_SETTINGS, LEN) => {
                found.opens = true;
                if let Some(id) = meta.inner(&field).last(stream::STREAM_ID, As::Int64)? {
                    found.stream_id = Some(id.value);
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

/// The kind and the id of a call or its answer whose meta is as writers write it: its fields in the order of their
/// numbers, the lengths of two bytes at most, a response that is empty or no more than a code of one byte. `None` for all
/// others, and for those that [`rpc`] refuses.
#[inline(always)]
fn plain(meta: &[u8], payload_len: usize) -> Option<(Kind, u64)> {
    const REQUEST: u8 = (rpc::REQUEST << 3) as u8 | LEN;
    const RESPONSE: u8 = (rpc::RESPONSE << 3) as u8 | LEN;
    const ERROR_CODE: u8 = (rpc::ERROR_CODE << 3) as u8 | VARINT;
    const COMPRESS_TYPE: u8 = 3 << 3 | VARINT;
    const CORRELATION_ID: u8 = (rpc::CORRELATION_ID << 3) as u8 | VARINT;
    let (kind, mut rest) = match meta {
        [REQUEST, len @ 0..0x80, rest @ ..] => (Kind::Request, rest.get(usize::from(*len)..)?),
        [RESPONSE, 2, ERROR_CODE, 0, rest @ ..] | [RESPONSE, 0, rest @ ..] => (Kind::Response, rest),
        [RESPONSE, 2, ERROR_CODE, 1..0x80, rest @ ..] => (Kind::Error, rest),
        [REQUEST, low, high @ 0..0x80, rest @ ..] => {
            (Kind::Request, rest.get(usize::from(low & 0x7f) | usize::from(*high) << 7..)?)
        }
        _ => return None,
    };
    if let [COMPRESS_TYPE, 0..0x80, behind @ ..] = rest {
        rest = behind;
    }
    let [CORRELATION_ID, first, rest @ ..] = rest else { return None };
    let (id, rest) = if *first < 0x80 { (u64::from(*first), rest) } else { long_varint(*first, rest)? };
    (rest.is_empty() || plain_end(rest, payload_len)).then_some((kind, id))
}

/// Whether what follows the id is what writers write: the size of the attachment, authentication data, users' fields.
#[inline(never)]
fn plain_end(mut rest: &[u8], payload_len: usize) -> bool {
    const ATTACHMENT_SIZE: u8 = (rpc::ATTACHMENT_SIZE << 3) as u8 | VARINT;
    const AUTHENTICATION_DATA: u8 = 7 << 3 | LEN;
    const USER_FIELDS: u8 = (rpc::USER_FIELDS << 3) as u8 | LEN;
    while let [tag, first, tail @ ..] = rest {
        let (value, tail) =
            match if *first < 0x80 { Some((u64::from(*first), tail)) } else { long_varint(*first, tail) } {
                Some(found) => found,
                None => return false,
            };
        rest = match *tag {
            ATTACHMENT_SIZE if value <= (payload_len as u64).min(i32::MAX as u64) => tail,
            USER_FIELDS | AUTHENTICATION_DATA => match tail.get(value as usize..) {
                Some(behind) => behind,
                None => return false,
            },
            _ => return false,
        };
    }
    rest.is_empty()
}

impl Rpc {
    /// A meta that does not say, or says both, is what its direction makes it: so take it the peers.
    const fn is_request(self, direction: Direction) -> bool {
        if self.request == self.response { matches!(direction, Direction::ClientToServer) } else { self.request }
    }

    const fn kind(self, direction: Direction) -> Kind {
        match (self.is_request(direction), self.opens, self.failed) {
            (true, true, _) => Kind::StreamOpen,
            (true, false, _) => Kind::Request,
            (false, _, true) => Kind::Error,
            (false, _, false) => Kind::Response,
        }
    }
}

/// The sizes of a header that keeps the rules, body first.
#[inline]
fn sizes(header: &[u8; HEADER_LEN]) -> (u32, usize, usize) {
    let [m0, m1, m2, m3, b0, b1, b2, b3, s0, s1, s2, s3] = *header;
    let body = u32::from_be_bytes([b0, b1, b2, b3]) as usize;
    let meta = u32::from_be_bytes([s0, s1, s2, s3]) as usize;
    (u32::from_be_bytes([m0, m1, m2, m3]), body, meta)
}

#[inline(always)]
pub fn split(opening: &mut Opening, direction: Direction, limits: &Limits, buf: &[u8]) -> Result<Split, DecodeError> {
    let Some(header) = buf.first_chunk::<HEADER_LEN>() else { return short(limits, buf) };
    let (magic, body_size, meta_size) = sizes(header);
    let (frame_len, header_len) = (HEADER_LEN as u64 + body_size as u64, HEADER_LEN as u64 + meta_size as u64);
    if !matches!(magic, PRPC | STRM)
        || meta_size > body_size
        || frame_len > limits.max_frame_len
        || header_len > limits.max_header_len.into()
    {
        return Err(broken(header, limits));
    }
    let (frame_len, header_len) = (frame_len as usize, header_len as usize);
    if buf.len() < header_len {
        return Ok(Split::Need(header_len - buf.len()));
    }
    if magic == STRM {
        return stream_frame(opening, direction, buf, header_len, frame_len);
    }
    let plain = plain(buf.get(HEADER_LEN..header_len).unwrap_or_default(), frame_len - header_len);
    let (Some((kind, id)), true) = (plain, opening.0.is_empty()) else {
        return call(opening, direction, limits, buf, header_len, frame_len);
    };
    Ok(Split::Head(Head {
        kind,
        request_id: RequestId::Int(id),
        stream_id: None,
        header_len: header_len as u32,
        frame_len,
        variant: variant::PLAIN,
    }))
}

/// Any call or answer.
#[inline(never)]
fn call(
    opening: &mut Opening,
    direction: Direction,
    limits: &Limits,
    buf: &[u8],
    header_len: usize,
    frame_len: usize,
) -> Result<Split, DecodeError> {
    let meta = rpc(buf, HEADER_LEN..header_len, frame_len - header_len)?;
    if direction == Direction::ServerToClient {
        opening.answered(meta.id);
    } else if let (Some(stream_id), true) = (meta.stream_id, meta.is_request(direction)) {
        opening.asked(stream_id, meta.id, limits);
    }
    Ok(Split::Head(Head {
        kind: meta.kind(direction),
        request_id: RequestId::Int(meta.id),
        stream_id: meta.stream_id,
        header_len: header_len as u32,
        frame_len,
        variant: variant::PLAIN,
    }))
}

#[inline(never)]
fn stream_frame(
    opening: &mut Opening,
    direction: Direction,
    buf: &[u8],
    header_len: usize,
    frame_len: usize,
) -> Result<Split, DecodeError> {
    let meta = Message::new(buf, HEADER_LEN..header_len, STREAM_META);
    let mut cursor = meta.cursor();
    let (mut stream_id, mut frame_type, mut goes_on) = (None, 0, false);
    while let Some(field) = meta.next(&mut cursor)? {
        match (field.number, field.wire) {
            (stream::STREAM_ID, VARINT) => stream_id = Some(field.value),
            (stream::FRAME_TYPE, VARINT) => frame_type = field.value,
            (stream::HAS_CONTINUATION, VARINT) => goes_on = field.value != 0,
            _ => {}
        }
    }
    let mut head = Head {
        kind: match frame_type {
            stream::DATA | stream::FEEDBACK => Kind::StreamData,
            stream::CLOSE => Kind::StreamHalfClose,
            stream::RST => Kind::StreamClose,
            _ => Kind::Control,
        },
        request_id: RequestId::None,
        stream_id,
        header_len: header_len as u32,
        frame_len,
        variant: variant::PLAIN,
    };
    if direction == Direction::ServerToClient
        && let Some(request_id) = stream_id.and_then(|stream_id| opening.request_of(stream_id))
    {
        match frame_type {
            stream::DATA if !goes_on => match wrapped(buf, header_len, frame_len) {
                Wrapped::Need(more) => return Ok(Split::Need(more)),
                Wrapped::Response(inner, meta) if meta.id == request_id => {
                    opening.answered(request_id);
                    head.kind = meta.kind(direction);
                    head.request_id = RequestId::Int(meta.id);
                    head.header_len = inner.end as u32;
                    head.variant = variant::WRAPPED;
                }
                Wrapped::Response(..) | Wrapped::No => {}
            },
            stream::RST | stream::CLOSE => opening.answered(request_id),
            _ => {}
        }
    }
    Ok(Split::Head(head))
}

/// What the payload of a frame of a stream is.
enum Wrapped {
    /// Too early to tell.
    Need(usize),
    /// A whole response, its meta at this place.
    Response(Range<usize>, Rpc),
    /// Anything else.
    No,
}

fn wrapped(buf: &[u8], at: usize, end: usize) -> Wrapped {
    if end - at < HEADER_LEN {
        return Wrapped::No;
    }
    let Some(header) = buf.get(at..).and_then(<[u8]>::first_chunk::<HEADER_LEN>) else {
        return Wrapped::Need(at + HEADER_LEN - buf.len());
    };
    let (magic, body_size, meta_size) = sizes(header);
    let meta = at + HEADER_LEN..at + HEADER_LEN + meta_size;
    if magic != PRPC || meta_size > body_size || at + HEADER_LEN + body_size != end {
        Wrapped::No
    } else if buf.len() < meta.end {
        Wrapped::Need(meta.end - buf.len())
    } else {
        match rpc(buf, meta.clone(), body_size - meta_size) {
            Ok(found) if !found.is_request(Direction::ServerToClient) => Wrapped::Response(meta, found),
            _ => Wrapped::No,
        }
    }
}

/// The place of the meta of a response in the payload of a frame of a stream.
pub fn wrapped_meta(frame: &[u8], header_len: usize) -> Option<Range<usize>> {
    // The header of `Head` ends with the inner meta: its beginning is found from the outer header on.
    let (_, _, outer) = sizes(frame.first_chunk::<HEADER_LEN>()?);
    let at = HEADER_LEN + outer;
    let (magic, _, meta_size) = sizes(frame.get(at..)?.first_chunk::<HEADER_LEN>()?);
    let meta = at + HEADER_LEN..at + HEADER_LEN + meta_size;
    (magic == PRPC && meta.end == header_len).then_some(meta)
}

/// Less than a header: what is there must be a header's beginning.
#[cold]
fn short(limits: &Limits, buf: &[u8]) -> Result<Split, DecodeError> {
    check_front(limits, buf)?;
    Ok(Split::Need(HEADER_LEN - buf.len()))
}

/// What is wrong with the magic and the body size, as far as they are in.
fn check_front(limits: &Limits, buf: &[u8]) -> Result<(), DecodeError> {
    check_magic(buf, if buf.first() == Some(&b'S') { *b"STRM" } else { *b"PRPC" })?;
    if let Some(size) = buf.get(BODY_SIZE_AT..).and_then(<[u8]>::first_chunk::<4>) {
        let value = HEADER_LEN as u64 + u64::from(u32::from_be_bytes(*size));
        if value > limits.max_frame_len {
            let max = limits.max_frame_len;
            return Err(Reason::LimitExceeded { limit: "max_frame_len", value, max }.at(BODY_SIZE_AT));
        }
    }
    Ok(())
}

/// The error of a header that breaks one of `split`'s rules.
#[cold]
fn broken(header: &[u8; HEADER_LEN], limits: &Limits) -> DecodeError {
    if let Err(error) = check_front(limits, header) {
        return error;
    }
    let (_, body_size, meta_size) = sizes(header);
    if meta_size > body_size {
        return Reason::BadLength { field: "meta_size", value: meta_size as i64 }.at(META_SIZE_AT);
    }
    let (value, max) = ((HEADER_LEN + meta_size) as u64, limits.max_header_len.into());
    Reason::LimitExceeded { limit: "max_header_len", value, max }.at(META_SIZE_AT)
}

/// The header settles it: text that begins with the magic (a command of Redis may) has no sizes that fit each other.
pub fn detect(prefix: &[u8]) -> Detection {
    if check_front(&Limits { max_frame_len: u64::MAX, ..Limits::default() }, prefix).is_err() {
        return Detection::No;
    }
    match prefix.first_chunk::<HEADER_LEN>() {
        None => Detection::NeedMore,
        Some(header) => {
            let (_, body_size, meta_size) = sizes(header);
            if meta_size <= body_size && body_size <= i32::MAX as usize { Detection::Yes } else { Detection::No }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the quick way reads, the other reads alike; metas of all writers are read in the quick way.
    #[test]
    fn the_quick_way_is_the_other() {
        const PLAIN: [&[u8]; 5] = [
            b"\x0a\x0b\x0a\x03a.B\x12\x04ping\x20\x09",
            b"\x12\x02\x08\x00\x18\x00\x20\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x28\x05",
            b"\x12\x00\x20\x80\x01",
            b"\x12\x02\x08\x09\x18\x01\x20\x01\x28\x02",
            b"\x0a\x85\x0012345\x20\x07\x3a\x03abc\x4a\x02\x0a\x00",
        ];
        for meta in PLAIN {
            assert!(plain(meta, 100).is_some(), "{meta:x?}");
        }
        let mut seed = 1_u32;
        let mut chance = |below: usize| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as usize % below
        };
        let mut same = 0;
        for round in 0..200_000 {
            let mut meta = PLAIN[round % PLAIN.len()].to_vec();
            for _ in 0..chance(4) {
                let at = chance(meta.len());
                meta[at] = [0x0a, 0x12, 0x18, 0x20, 0x28, 0x3a, 0x4a, 0x80, 0xff, chance(256) as u8][chance(10)];
            }
            meta.truncate(meta.len() - chance(3));
            let payload_len = chance(20);
            if let Some(found) = plain(&meta, payload_len) {
                let other = rpc(&meta, 0..meta.len(), payload_len);
                for direction in [Direction::ClientToServer, Direction::ServerToClient] {
                    assert_eq!(Ok(found), other.map(|other| (other.kind(direction), other.id)), "{meta:x?}");
                }
                assert_eq!(other.map(|other| other.stream_id), Ok(None));
                same += 1;
            }
        }
        assert!(same > 30_000, "{same} were read in the quick way");
    }
}
