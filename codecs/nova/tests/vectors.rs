//! The vectors of this folder, and what every codec is held to.

use std::sync::Arc;

use metaprotocol_core::{AnyCodec, Limits};
use metaprotocol_nova::Nova;
use metaprotocol_testkit::{CLIENT, check_vectors, feed};

#[test]
fn the_vectors_hold() {
    let codec: Arc<dyn AnyCodec> = Arc::new(Nova);
    check_vectors(&codec, concat!(env!("CARGO_MANIFEST_DIR"), "/vectors"), 12);
}

#[test]
fn tls_records_that_end_before_the_magic_are_seen() {
    let codec: Arc<dyn AnyCodec> = Arc::new(Nova);
    let alert = [21, 3, 3, 0, 2, 2, 40];
    let stream = [&alert[..], &alert].concat();
    for chunk in 1..=stream.len() {
        let decoded = feed(&codec, CLIENT, Limits::default(), &stream, std::iter::repeat(chunk));
        assert_eq!((decoded.failure, decoded.missing, decoded.frames.len()), (None, 0, 2), "{chunk}");
    }
}
