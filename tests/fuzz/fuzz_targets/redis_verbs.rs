//! Invariant: whatever frame a Redis stream holds, `fields` and `field` agree; `rewrite` without edits gives it back byte
//! for byte, with edits a command of the same name that shows them; `reply` answers it; `detect` does not take back a no;
//! memory is linear in the frame.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| metaprotocol_fuzz::redis::check(input));
