//! The vectors of this folder, and what every codec is held to.

mod common;

use common::brpc;
use metaprotocol_testkit::check_vectors;

#[test]
fn the_vectors_hold() {
    check_vectors(&brpc(), concat!(env!("CARGO_MANIFEST_DIR"), "/vectors"), 30);
}
