//! By what a server says that it takes no more requests, as every codec has it.
#![allow(clippy::expect_used, reason = "a broken expectation is a failed test")]

use std::path::PathBuf;

use metaprotocol_testkit::{SERVER, Sample, decode, vectors};

#[test]
fn every_codec_knows_its_own_word() {
    let mut known = Vec::new();
    for codec in metaprotocol_registry::codecs() {
        let Some(word) = codec.goodbye() else { continue };
        let sample = Sample::new("goodbye".to_owned(), SERVER, word);
        let [frame] = &decode(codec, SERVER, &sample.stream).frames[..] else { panic!("one frame") };
        assert!(codec.is_goodbye(frame.frame()) && !frame.head.kind.is_response(), "{frame:?}");
        known.push(codec.info().name.to_string());
    }
    assert_eq!(known, ["dubbo"]);
}

#[test]
fn nothing_else_is_taken_for_it() {
    for codec in metaprotocol_registry::codecs() {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../codecs").join(codec.info().name.as_ref());
        for vector in vectors(folder.join("vectors")) {
            for frame in decode(codec, vector.sample.direction, &vector.sample.stream).frames {
                let taken = codec.is_goodbye(frame.frame());
                assert_eq!(taken, vector.sample.stream.ends_with(b"\x02\x01R"), "{}", vector.sample.name);
            }
        }
    }
}
