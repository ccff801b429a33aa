//! What the tests of this crate share.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::sync::Arc;

use metaprotocol_core::AnyCodec;
use metaprotocol_redis::Redis;

/// The codec, as connections keep it.
pub fn redis() -> Arc<dyn AnyCodec> {
    Arc::new(Redis)
}

/// An array of bulk strings.
pub fn command<W: AsRef<[u8]>>(words: &[W]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.as_ref().len()).as_bytes());
        out.extend_from_slice(word.as_ref());
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// The words of a text, as an array of bulk strings.
pub fn words(text: &str) -> Vec<u8> {
    command(&text.split(' ').collect::<Vec<_>>())
}
