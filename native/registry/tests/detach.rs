//! A frame under way is given up to a caller that passes its rest on itself.
#![allow(clippy::expect_used, reason = "a broken expectation is a failed test")]

use metaprotocol_core::{Fed, Limits};
use metaprotocol_testkit::CLIENT;

/// A Dubbo heartbeat with a body of 100 bytes.
fn frame(id: u8) -> Vec<u8> {
    [&[0xda, 0xbb, 0xe2, 0, 0, 0, 0, 0, 0, 0, 0, id, 0, 0, 0, 100][..], &[0x4e; 100]].concat()
}

#[test]
fn the_next_byte_fed_is_that_behind_the_frame() {
    let codec = metaprotocol_registry::find("dubbo").expect("a codec");
    let mut connection = codec.connect(Limits::default());
    let mut fed = Fed::default();
    assert_eq!(connection.detach(CLIENT), None);
    connection.feed(CLIENT, &[&frame(1)[..], &frame(2)[..10]].concat(), &mut fed).expect("frames");
    assert_eq!((fed.frames.len(), connection.detach(CLIENT)), (1, None), "a head that is not known yet");
    connection.feed(CLIENT, &frame(2)[10..50], &mut fed).expect("frames");
    let detached = connection.detach(CLIENT).expect("a frame under way");
    assert_eq!((detached.offset, detached.head.frame_len), (116, 116));
    assert_eq!(detached.bytes, frame(2)[..50]);
    assert_eq!((connection.received(CLIENT), connection.missing(CLIENT), connection.offset(CLIENT)), (0, 0, 232));
    connection.feed(CLIENT, &frame(3), &mut fed).expect("frames");
    assert_eq!((fed.frames.len(), fed.chunk_offset, connection.detach(CLIENT)), (1, 232, None));
}
