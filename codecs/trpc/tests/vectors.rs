//! The vectors of this folder, and what every codec is held to.

mod common;

use common::trpc;
use metaprotocol_core::{Detection, Limits};
use metaprotocol_testkit::{Cut, check_vectors, decode, same_missing_when_cut, vectors};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors");

#[test]
fn the_vectors_hold() {
    check_vectors(&trpc(), FOLDER, 37);
}

#[test]
fn a_fixed_header_leaves_no_doubt_how_much_is_missing() {
    for sample in vectors(FOLDER).into_iter().map(|vector| vector.sample) {
        let cuts: Vec<Cut<'_>> = (1..sample.stream.len()).map(Cut::At).collect();
        same_missing_when_cut(&trpc(), Limits::default(), &sample, &cuts);
        let whole = decode(&trpc(), sample.direction, &sample.stream);
        if !whole.frames.is_empty() {
            assert_eq!(trpc().detect(sample.direction, &sample.stream), Detection::Yes, "{}", sample.name);
        }
    }
}
