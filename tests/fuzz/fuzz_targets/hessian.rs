//! Invariant: a walk over a Hessian 2 value ends within the bytes, at the place where every other reader sees the end;
//! any shorter prefix is refused, any bytes behind it change nothing; nesting stays within the limit; events and memory
//! are linear in the input.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| metaprotocol_fuzz::hessian::check(input));
