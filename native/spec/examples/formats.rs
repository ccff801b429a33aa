//! Splits frames of a format of `tests/by_hand` again and again, for `bench/instructions.py`, which counts instructions
//! under callgrind.
//!
//! `formats hand|yaml FORMAT BODY_LEN ROUNDS`: each round feeds one buffer of 64 frames to a new connection.

#![allow(clippy::expect_used, reason = "a tool for the bench")]

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use metaprotocol_core::{AnyCodec, Direction, Fed, Limits};

#[path = "../tests/by_hand/mod.rs"]
mod by_hand;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [way, format, body_len, rounds] = arguments.as_slice() else {
        eprintln!("usage: formats hand|yaml FORMAT BODY_LEN ROUNDS");
        std::process::exit(2);
    };
    let codec: Arc<dyn AnyCodec> = if way == "hand" {
        by_hand::reference(format).expect("a format of tests/by_hand")
    } else {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/descriptions/{format}.yaml"));
        let text = std::fs::read_to_string(path).expect("a description");
        Arc::new(metaprotocol_spec::compile(&text, format).expect("a description without mistakes"))
    };
    let body_len = body_len.parse().expect("a number of bytes");
    let rounds: u32 = rounds.parse().expect("a number of rounds");
    let buffer = by_hand::request(format, body_len).repeat(64);
    let mut fed = Fed::default();
    for _ in 0..rounds {
        let mut connection = Arc::clone(&codec).connect(Limits::default());
        connection.feed(Direction::ClientToServer, black_box(&buffer), &mut fed).expect("frames");
        assert_eq!(fed.frames.len(), 64, "the frames were not split");
    }
}
