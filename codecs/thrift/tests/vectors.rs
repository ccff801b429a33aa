//! The vectors of this folder, and what every codec is held to.

mod common;

use common::thrift;
use metaprotocol_core::Limits;
use metaprotocol_testkit::{Cut, check_vectors, same_missing_when_cut, vectors};

#[test]
fn the_vectors_hold() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors");
    check_vectors(&thrift(), folder, 32);
    for vector in vectors(folder) {
        same_missing_when_cut(&thrift(), Limits::default(), &vector.sample, &[Cut::Every(1)]);
    }
}
