//! Invariant: as for `dubbo_stream`, with the codecs that descriptions make; and the fast way says what the walk says.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| metaprotocol_fuzz::spec::conversation(input));
