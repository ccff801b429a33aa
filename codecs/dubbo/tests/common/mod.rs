//! What the tests share: frames made by hand, and short words for what is asked of them.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::sync::Arc;

use metaprotocol_core::{AnyCodec, DecodeError, Edits, EncodeError, Frame, Head, Value};
use metaprotocol_dubbo::Dubbo;
use metaprotocol_dubbo::hessian::write_str;
use metaprotocol_dubbo::wire::{HESSIAN2, Header, OK, REQUEST, TWO_WAY};
use metaprotocol_testkit::{self as kit, CLIENT, Fields};

pub fn dubbo() -> Arc<dyn AnyCodec> {
    Arc::new(Dubbo)
}

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

// Frames say the same in both directions.

pub fn head(bytes: &[u8]) -> Head {
    kit::head(&Dubbo, CLIENT, bytes)
}

pub fn whole(bytes: &[u8]) -> Frame<'_> {
    kit::whole(&Dubbo, CLIENT, bytes)
}

pub fn fields(bytes: &[u8]) -> Fields {
    kit::fields(&Dubbo, whole(bytes))
}

pub fn field(bytes: &[u8], key: &str) -> Option<Value<'static>> {
    kit::field(&Dubbo, whole(bytes), key)
}

pub fn try_field(bytes: &[u8], key: &str) -> Result<Option<Value<'static>>, DecodeError> {
    kit::try_field(&Dubbo, whole(bytes), key)
}

pub fn rewrite(bytes: &[u8], edits: &Edits<'_>) -> Result<Vec<u8>, EncodeError> {
    kit::rewrite(&Dubbo, whole(bytes), edits)
}
