//! Invariant: whatever frame a Kafka stream holds, `fields` and `field` agree; `rewrite` without edits gives it back byte
//! for byte, with edits a frame of the same kind that shows them and changes nothing else; `reply` answers with its id;
//! `detect` does not take back a no; memory is linear in the frame. The same for responses to any request.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| metaprotocol_fuzz::kafka::check(input));
