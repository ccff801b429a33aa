//! The vectors of this folder, and what every codec is held to.

mod common;

use common::redis;
use metaprotocol_core::Limits;
use metaprotocol_testkit::{Cut, check_vectors, same_missing_when_cut, vectors};

#[test]
fn the_vectors_hold() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors");
    check_vectors(&redis(), folder, 49);
    for vector in vectors(folder) {
        same_missing_when_cut(&redis(), Limits::default(), &vector.sample, &[Cut::Every(1)]);
    }
}
