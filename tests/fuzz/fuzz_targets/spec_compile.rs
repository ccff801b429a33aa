//! Invariant: any text is compiled, or refused with a reason, in bounded memory; the codec it makes says the same of any bytes
//! in the fast way and by walking.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| metaprotocol_fuzz::spec::compile(input));
