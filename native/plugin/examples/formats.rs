//! The formats of `native/spec/tests/by_hand` as compiled plugins: what `bench/test_described.py` measures descriptions against.

use metaprotocol_plugin_sdk::export_codecs;

#[path = "../../spec/tests/by_hand/mod.rs"]
mod by_hand;

use by_hand::{Acorn, AcornMid, Courier, Tlv, Varints, codec};
use metaprotocol_trpc::Trpc;

export_codecs!(
    codec("acorn", Acorn),
    codec("acornmid", AcornMid),
    codec("courier", Courier),
    Trpc,
    codec("varints", Varints),
    codec("tlv", Tlv),
);
