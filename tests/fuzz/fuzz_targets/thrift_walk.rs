//! Invariant: an unframed Thrift message ends where its struct does: any shorter prefix asks for more and never for more
//! than is missing, any bytes behind it change nothing, byte by byte gives the same end, and every top-level field of
//! what was walked can be looked up.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| metaprotocol_fuzz::walk::check(input));
