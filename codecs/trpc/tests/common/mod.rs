//! What the tests share: an encoder of its own to hold the codec against.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::sync::Arc;

use metaprotocol_core::AnyCodec;
use metaprotocol_trpc::Trpc;

pub fn trpc() -> Arc<dyn AnyCodec> {
    Arc::new(Trpc)
}
