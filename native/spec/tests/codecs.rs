//! The codecs in `codecs/` that are descriptions.

#![allow(clippy::expect_used, reason = "a test may panic")]

mod common;

use common::{codec, folder, spec};
use metaprotocol_core::{Detection, EncodeError, ErrorType, Limits, Segments};
use metaprotocol_testkit::{
    Allocations, CLIENT, SERVER, Vector, allocations, check_vectors, error_reply, new_id, rewrite, set,
    split_allocations, split_calls, vectors, whole,
};

const ALL: [(&str, &str, &str, usize); 4] = [
    ("qza", "", "vectors", 13),
    ("zork", "", "vectors", 18),
    ("awesomerpc", "", "vectors", 8),
    ("awesomerpc", "?length_width=2", "vectors/layout-b", 6),
];

#[test]
fn the_vectors_hold() {
    for (name, parameters, vectors, least) in ALL {
        check_vectors(&codec(name, parameters), folder(name).join(vectors), least);
    }
}

#[test]
fn split_allocates_nothing_and_is_asked_a_few_times_for_a_frame() {
    for (name, parameters, folder_name, _) in ALL {
        for vector in vectors(folder(name).join(folder_name)) {
            let frames = vector.expected["frames"].as_array().expect("a list").len();
            if frames == 0 || vector.expected.get("error").is_some() {
                continue;
            }
            let codec = spec(name, parameters);
            let used = split_allocations(&codec, &vector.sample);
            assert_eq!(used, Allocations { frames, first: 0, warm: 0 }, "{name} {}", vector.sample.name);
            let calls = split_calls(codec, &vector.sample);
            assert!(calls <= 6 * frames, "{calls} calls for {name} {}", vector.sample.name);
        }
    }
}

/// The bytes of a vector, by the end of its name.
fn bytes(name: &str, vector: &str) -> Vec<u8> {
    let ends = |found: &Vector| found.sample.name.ends_with(vector);
    vectors(folder(name).join("vectors")).into_iter().find(ends).expect("a vector").sample.stream
}

#[test]
fn error_replies_are_the_published_ones() {
    for (name, error) in [("qza", ErrorType::RouteNotFound), ("awesomerpc", ErrorType::Unspecified)] {
        let codec = spec(name, "");
        let request = bytes(name, "001-request");
        let reply = error_reply(&codec, whole(&codec, CLIENT, &request), error, "not shown");
        assert_eq!(reply, Ok(Some(bytes(name, "error-reply"))), "{name}");
    }
    // The extension goes, and both lengths follow.
    let codec = spec("qza", "");
    let request = bytes("qza", "extension-of-two-length-bytes");
    let reply = error_reply(&codec, whole(&codec, CLIENT, &request), ErrorType::Denied, "").expect("a reply");
    let reply = reply.expect("an answer");
    assert_eq!((reply.len(), whole(&codec, SERVER, &reply).head.header_len), (106, 106));
    let zork = spec("zork", "");
    let request = bytes("zork", "001-request");
    let refused = error_reply(&zork, whole(&zork, CLIENT, &request), ErrorType::Denied, "");
    assert!(matches!(refused, Err(EncodeError::NoReply { .. })), "{refused:?}");
}

#[test]
fn edits_leave_everything_else_as_it_is() {
    let codec = spec("qza", "");
    let request = bytes("qza", "001-request");
    let frame = whole(&codec, CLIENT, &request);
    let segments: Segments<'_> =
        metaprotocol_core::Codec::rewrite(&codec, frame, &new_id(0x0505_0505), &Limits::default()).expect("an id");
    let lens: Vec<usize> = segments.iter().map(|segment| segment.len()).collect();
    assert_eq!(lens, [1, 4, 103], "the id is patched in place");
    let edits = new_id(0x0505_0505);
    let used = allocations(|| {
        assert!(metaprotocol_core::Codec::rewrite(&codec, frame, &edits, &Limits::default()).is_ok());
    });
    assert_eq!(used, 2, "the list and the id");
    let edited = rewrite(&codec, frame, &set(&[("alpha", "1"), ("source", "70000")])).expect("edits");
    let changed: Vec<usize> = (0..request.len()).filter(|at| request[*at] != edited[*at]).collect();
    assert_eq!(changed, [18, 19, 20, 61]);
    for (key, value) in [("alpha", "200"), ("source", "-1"), ("cmd", "7"), ("free", "x")] {
        assert!(rewrite(&codec, frame, &set(&[(key, value)])).is_err(), "{key}");
    }
    let zork = spec("zork", "");
    let request = bytes("zork", "001-request");
    let frame = whole(&zork, CLIENT, &request);
    let edited = rewrite(&zork, frame, &set(&[("attrs", "3")])).expect("an edit");
    assert_eq!(edited, [&request[..3], &[3], &request[4..]].concat());
    assert!(matches!(rewrite(&zork, frame, &new_id(1)), Err(EncodeError::NotWritable { .. })));
}

#[test]
fn zork_is_recognised_by_a_whole_frame_and_the_others_never() {
    let zork = codec("zork", "");
    let request = bytes("zork", "001-request");
    assert_eq!(zork.detect(CLIENT, &request[..15]), Detection::NeedMore);
    assert_eq!(zork.detect(CLIENT, &request), Detection::Yes);
    assert_eq!(zork.detect(CLIENT, b"{\"a\":1}"), Detection::NeedMore);
    assert_eq!(zork.detect(CLIENT, &bytes("zork", "no-brace-behind")), Detection::No);
    for (name, parameters) in [("qza", ""), ("awesomerpc", ""), ("awesomerpc", "?length_width=2")] {
        assert_eq!(codec(name, parameters).detect(CLIENT, &[]), Detection::No, "{name}");
    }
}
