//! An answer made from the beginning of a request is that made from all of it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a broken expectation is a failed test")]

use std::path::PathBuf;

use metaprotocol_core::{ErrorType, Frame, Reply, Sharing};
use metaprotocol_testkit::{CLIENT, decode, vectors};

/// What the data path keeps of a request behind its header, on connections that clients share.
const KEPT: usize = 64;

#[test]
fn the_reply_to_the_beginning_of_a_request_is_that_to_all_of_it() {
    let (mut same, mut whole_needed) = (0, Vec::new());
    for codec in metaprotocol_registry::codecs() {
        let name = codec.info().name.as_ref();
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../codecs").join(name).join("vectors");
        for vector in vectors(folder).into_iter().filter(|vector| vector.sample.direction == CLIENT) {
            for frame in &decode(codec, CLIENT, &vector.sample.stream).frames {
                let whole = frame.frame();
                let len = whole.bytes.len().min(whole.head.header_len as usize + KEPT);
                let begun = Frame { head: whole.head, bytes: &whole.bytes[..len] };
                for error in ErrorType::ALL {
                    let reply = Reply::Error(error, "told to the client");
                    let (expected, found) = (codec.reply(whole, reply), codec.reply(begun, reply));
                    if found.is_ok() {
                        assert_eq!(found, expected, "{name} {}", vector.sample.name);
                        same += 1;
                    } else if expected.is_ok() && codec.info().sharing != Sharing::Bound {
                        whole_needed.push(name);
                    }
                }
                // Whatever is kept, nothing panics.
                for len in 0..len {
                    let _ = codec
                        .reply(Frame { bytes: &whole.bytes[..len], ..begun }, Reply::Error(ErrorType::Timeout, ""));
                    let _ = codec.reply(Frame { bytes: &whole.bytes[..len], ..begun }, Reply::Heartbeat);
                }
            }
        }
    }
    assert!(same > 500, "{same}");
    // The data path finds out, and keeps all of their requests.
    whole_needed.dedup();
    assert_eq!(whole_needed, ["public"]);
}
