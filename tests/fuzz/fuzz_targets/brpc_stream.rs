//! Invariant: any bytes in both directions of a connection of any protocol of a bRPC port give frames that tile the stream,
//! or one error that stays; the same ones in one piece, cut anywhere, and out of the caller's buffer; in linear work and
//! bounded memory.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| metaprotocol_fuzz::brpc::conversations(input));
