//! What the tests share: frames made by hand, and frames taken apart into something that can be compared.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::expect_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use metaprotocol_core::{
    AnyCodec, Connection, DecodeError, Decoder, Direction, Edits, EncodeError, Failure, Fed, Frame, Head, Limits,
    Split, Value,
};
use metaprotocol_dubbo::Dubbo;
use metaprotocol_dubbo::hessian::write_str;
use metaprotocol_dubbo::wire::{HESSIAN2, Header, OK, REQUEST, TWO_WAY};

pub const CLIENT: Direction = Direction::ClientToServer;
pub const SERVER: Direction = Direction::ServerToClient;

/// A frame with this header and body.
pub fn frame(flags: u8, status: u8, request_id: u64, body: &[u8]) -> Vec<u8> {
    [&Header { flags, status, request_id }.to_bytes(body.len() as u32), body].concat()
}

/// A Hessian 2 string.
pub fn text(value: &str) -> Vec<u8> {
    let mut out = Vec::new();
    write_str(&mut out, value);
    out
}

/// An untyped map of strings.
pub fn map(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut out = vec![b'H'];
    for (key, value) in entries {
        write_str(&mut out, key);
        write_str(&mut out, value);
    }
    out.push(b'Z');
    out
}

/// A two-way request of `a.B.f` with these parameter types, and these bytes behind them.
pub fn request(request_id: u64, types: &str, rest: &[u8]) -> Vec<u8> {
    let mut body: Vec<u8> = ["2.0.2", "a.B", "1.0", "f", types].iter().flat_map(|string| text(string)).collect();
    body.extend_from_slice(rest);
    frame(REQUEST | TWO_WAY | HESSIAN2, 0, request_id, &body)
}

/// A response with status 20.
pub fn response(request_id: u64, body: &[u8]) -> Vec<u8> {
    frame(HESSIAN2, OK, request_id, body)
}

/// The head of the one frame that `bytes` are.
pub fn head(bytes: &[u8]) -> Head {
    match AnyCodec::split(&Dubbo, CLIENT, &Limits::default(), bytes) {
        Ok(Split::Head(head)) => {
            assert_eq!(head.frame_len, bytes.len(), "not exactly one frame");
            head
        }
        other => panic!("not a frame: {other:?}"),
    }
}

/// The one frame that `bytes` are.
pub fn whole(bytes: &[u8]) -> Frame<'_> {
    Frame::new(head(bytes), bytes).expect("a head of these bytes")
}

pub type Fields = BTreeMap<String, Value<'static>>;

/// All fields of a frame, owned; those before an error too.
pub fn try_fields(frame: Frame<'_>, limits: &Limits) -> (Fields, Result<(), DecodeError>) {
    let mut fields = Fields::new();
    let result = AnyCodec::fields(&Dubbo, frame, limits, &mut |key, value| {
        fields.insert(key.to_owned(), owned(value));
        ControlFlow::Continue(())
    });
    (fields, result)
}

pub fn fields(bytes: &[u8]) -> Fields {
    let (fields, result) = try_fields(whole(bytes), &Limits::default());
    result.expect("a readable body");
    fields
}

pub fn field(bytes: &[u8], key: &str) -> Option<Value<'static>> {
    try_field(bytes, key).expect("a readable body")
}

pub fn try_field(bytes: &[u8], key: &str) -> Result<Option<Value<'static>>, DecodeError> {
    AnyCodec::field(&Dubbo, whole(bytes), &AnyCodec::key(&Dubbo, key), &Limits::default()).map(|value| value.map(owned))
}

pub fn owned(value: Value<'_>) -> Value<'static> {
    match value {
        Value::Str(text) => Value::Str(text.into_owned().into()),
        Value::Int(number) => Value::Int(number),
        Value::UInt(number) => Value::UInt(number),
    }
}

pub fn str(text: &str) -> Value<'static> {
    Value::Str(text.to_owned().into())
}

/// The frame with edits, in one piece.
pub fn rewrite(bytes: &[u8], edits: &Edits<'_>) -> Result<Vec<u8>, EncodeError> {
    AnyCodec::rewrite(&Dubbo, whole(bytes), edits, &Limits::default()).map(|segments| segments.concat())
}

pub fn set<'e>(entries: &[(&'e str, &'e str)]) -> Edits<'e> {
    Edits { set: entries.iter().map(|(key, value)| (*key, Value::str(value))).collect(), ..Edits::default() }
}

pub fn remove<'e>(names: &[&'e str]) -> Edits<'e> {
    Edits { remove: names.to_vec(), ..Edits::default() }
}

/// A decoder's frames, the error that stopped it, and the bytes the frame under way lacks.
#[derive(Debug, PartialEq, Eq)]
pub struct Decoded {
    pub frames: Vec<(u64, Head, Vec<u8>)>,
    pub failure: Option<(DecodeError, Direction)>,
    pub missing: usize,
}

/// Feeds a stream in chunks of the lengths given, and the rest in one.
pub fn feed(stream: &[u8], direction: Direction, limits: Limits, chunks: impl IntoIterator<Item = usize>) -> Decoded {
    let mut decoder = Decoder::new(Arc::new(Dubbo), limits);
    feed_to(&mut decoder, stream, direction, chunks)
}

pub fn feed_to(
    decoder: &mut dyn Connection,
    stream: &[u8],
    direction: Direction,
    chunks: impl IntoIterator<Item = usize>,
) -> Decoded {
    let mut fed = Fed::default();
    let mut frames = Vec::new();
    let mut failure = None;
    let mut rest = stream;
    let mut chunks = chunks.into_iter();
    while !rest.is_empty() && failure.is_none() {
        let len = chunks.next().unwrap_or(rest.len()).clamp(1, rest.len());
        let (chunk, next) = rest.split_at(len);
        rest = next;
        let result = decoder.feed(direction, chunk, &mut fed);
        frames.extend(fed.carried.take().map(|carried| (carried.offset, carried.head, carried.bytes)));
        for placed in &fed.frames {
            let frame = Frame::new(placed.head, &chunk[placed.at..]).expect("within the chunk");
            frames.push((fed.chunk_offset + placed.at as u64, placed.head, frame.bytes.to_vec()));
        }
        failure = result.err().map(|failure: Box<Failure>| (failure.error, failure.direction));
    }
    let missing = if failure.is_some() { 0 } else { decoder.missing(direction) };
    Decoded { frames, failure, missing }
}
