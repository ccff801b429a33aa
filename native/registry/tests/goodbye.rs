//! By what a server says that it takes no more requests: what the vectors have of it, and nothing else.

use std::path::PathBuf;

use metaprotocol_testkit::{decode, vectors};

#[test]
fn only_dubbos_read_only_event_is_taken_for_it() {
    let mut taken = 0;
    for codec in metaprotocol_registry::codecs() {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../codecs").join(codec.info().name.as_ref());
        for vector in vectors(folder.join("vectors")) {
            for frame in decode(codec, vector.sample.direction, &vector.sample.stream).frames {
                let is_goodbye = codec.is_goodbye(frame.frame());
                assert_eq!(is_goodbye, frame.frame().bytes.ends_with(b"\0\0\0\x02\x01R"), "{}", vector.sample.name);
                taken += u32::from(is_goodbye);
            }
        }
    }
    assert!(taken > 0, "Dubbo's vectors have one");
}
