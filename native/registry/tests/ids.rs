//! A request id written over in place is what `rewrite` makes of it.
#![allow(clippy::expect_used, reason = "a broken expectation is a failed test")]

use std::path::PathBuf;

use metaprotocol_core::RequestId;
use metaprotocol_testkit::{decode, new_id, rewrite, vectors};

const IDS: [u64; 6] = [0, 1, 0x7fff_ffff, 0x8000_0000, u64::MAX, (i32::MIN as i64).cast_unsigned()];

#[test]
fn ids_in_place_are_those_of_rewrite() {
    let mut placed = Vec::new();
    for codec in metaprotocol_registry::codecs() {
        let name = codec.info().name.as_ref();
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../codecs").join(name).join("vectors");
        for vector in vectors(folder) {
            let decoded = decode(codec, vector.sample.direction, &vector.sample.stream);
            for frame in &decoded.frames {
                let frame = frame.frame();
                let Some(place) = codec.id_place(frame) else { continue };
                assert!(matches!(frame.head.request_id, RequestId::Int(_)), "{name} {}", vector.sample.name);
                for id in IDS {
                    let mut bytes = frame.bytes.to_vec();
                    let written = place.write(&mut bytes, id).then_some(bytes);
                    assert_eq!(
                        written,
                        rewrite(codec.as_ref(), frame, &new_id(id)).ok(),
                        "{name} {} {id}",
                        vector.sample.name
                    );
                }
                placed.push(name);
            }
        }
    }
    placed.dedup();
    assert_eq!(placed, ["dubbo", "thrift"]);
}
