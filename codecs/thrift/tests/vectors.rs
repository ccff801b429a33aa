//! The vectors of this folder, and what every codec is held to.

mod common;

use common::thrift;
use metaprotocol_core::Limits;
use metaprotocol_testkit::{Cut, check_vectors, same_missing_when_cut, vectors};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors");

#[test]
fn the_vectors_hold() {
    check_vectors(&thrift(), FOLDER, 32);
}

#[test]
fn byte_by_byte_as_many_are_missing() {
    for vector in vectors(FOLDER) {
        same_missing_when_cut(&thrift(), Limits::default(), &vector.sample, &[Cut::Every(1)]);
    }
}
