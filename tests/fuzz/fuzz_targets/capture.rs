//! Invariant: a capture file pushed in pieces gives the same events, statistics and error as in one; the data and gaps of
//! a direction tile its stream; a flow is opened once and closed once; memory follows the limits and the input.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| metaprotocol_fuzz::capture::check(input));
