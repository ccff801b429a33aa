//! The codecs in `codecs/` that are descriptions.

#![allow(clippy::expect_used, reason = "a test may panic")]

mod common;

use common::{codec, folder, spec};
use metaprotocol_core::{AnyCodec, Detection, EncodeError, ErrorType, Reply};
use metaprotocol_testkit::{
    Allocations, CLIENT, SERVER, check_vectors, error_reply, new_id, rewrite, set, split_allocations, split_calls,
    vectors, whole,
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
