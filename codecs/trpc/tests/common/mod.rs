//! What the tests share: an encoder of its own to hold the codec against, and short words for what is asked of frames.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::expect_used, reason = "a test may panic")]

use std::sync::Arc;

use metaprotocol_core::{AnyCodec, Direction, Edits, EncodeError, Frame};
use metaprotocol_testkit::{self as kit, Fields};
use metaprotocol_trpc::Trpc;

pub fn trpc() -> Arc<dyn AnyCodec> {
    Arc::new(Trpc)
}

pub fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            out.push(low);
            return out;
        }
        out.push(low | 0x80);
    }
}

/// A field that holds a number.
pub fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

/// A field that holds bytes.
pub fn part(field: u64, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    [varint(field << 3 | 2), varint(bytes.len() as u64), bytes.to_vec()].concat()
}

/// An entry of trans_info.
pub fn entry(field: u64, key: &str, value: &str) -> Vec<u8> {
    part(field, [part(1, key), part(2, value)].concat())
}

/// A unary frame of version 1 with this header message, stream-id field and body.
pub fn unary(message: &[u8], stream_id: u32, body: &[u8]) -> Vec<u8> {
    let total = (16 + message.len() + body.len()) as u32;
    let mut out = b"\x09\x30\0\0".to_vec();
    out.extend(total.to_be_bytes());
    out.extend((message.len() as u16).to_be_bytes());
    out.extend(stream_id.to_be_bytes());
    out.extend([1, 0]);
    out.extend(message);
    out.extend(body);
    out
}

/// A frame of a stream.
pub fn stream(frame_type: u8, stream_id: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![9, 0x30, 1, frame_type];
    out.extend((16 + payload.len() as u32).to_be_bytes());
    out.extend([0, 0]);
    out.extend(stream_id.to_be_bytes());
    out.extend([1, 0]);
    out.extend(payload);
    out
}

pub fn whole(direction: Direction, bytes: &[u8]) -> Frame<'_> {
    kit::whole(&Trpc, direction, bytes)
}

pub fn fields(direction: Direction, bytes: &[u8]) -> Fields {
    kit::fields(&Trpc, whole(direction, bytes))
}

pub fn field(direction: Direction, bytes: &[u8], key: &str) -> Option<String> {
    kit::field(&Trpc, whole(direction, bytes), key).map(|value| value.to_text().into_owned())
}

pub fn rewrite(direction: Direction, bytes: &[u8], edits: &Edits<'_>) -> Result<Vec<u8>, EncodeError> {
    kit::rewrite(&Trpc, whole(direction, bytes), edits)
}

/// The bytes of hexadecimal digits.
pub fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("digits"), 16).expect("hexadecimal"))
        .collect()
}
