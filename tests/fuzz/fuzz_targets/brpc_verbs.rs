//! Invariant: whatever frame of a protocol of a bRPC port it is, `fields` and `field` agree; `rewrite` without edits gives it
//! back byte for byte, with edits a frame of the same kind that shows them and changes nothing else; `reply` answers with its
//! id; `detect` does not take back a no; memory is linear in the frame.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| metaprotocol_fuzz::brpc::check(input));
