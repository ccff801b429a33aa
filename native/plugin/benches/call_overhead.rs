//! What the C ABI costs: the acorn codec called directly, through the ABI in Rust, and through the ABI in C, on the same stream
//! in one run. `cargo bench -p metaprotocol-plugin`. The fastest of many rounds counts; what to compare is the ratio.
#![allow(clippy::expect_used, reason = "a broken expectation ends a measurement")]

use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use metaprotocol_core::{AnyCodec, Direction, Fed, Frame, Limits};
use metaprotocol_plugin::PluginCodec;
use metaprotocol_plugin_sdk::Table;

#[path = "../../core/tests/acorn.rs"]
#[allow(dead_code, unused_imports, reason = "its tests are compiled, and not run")]
mod codec;

const FRAMES: usize = 4096;
const ROUNDS: usize = 300;
/// As reads from a socket would cut it.
const CHUNK: usize = 16 << 10;

fn stream() -> Vec<u8> {
    let mut stream = Vec::new();
    for id in 0..FRAMES as u32 {
        stream.extend_from_slice(b"AC\x01\x07");
        stream.extend_from_slice(&id.to_be_bytes());
        stream.extend_from_slice(&45_u32.to_be_bytes());
        stream.extend_from_slice(b"weather");
        stream.extend_from_slice(&[b'x'; 45]);
    }
    stream
}

/// Nanoseconds a frame of the fastest round.
fn fastest(mut round: impl FnMut() -> usize) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        assert_eq!(black_box(round()), FRAMES);
        best = best.min(start.elapsed().as_secs_f64());
    }
    best * 1e9 / FRAMES as f64
}

fn in_c() -> Arc<dyn AnyCodec> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-acorn.so");
    let built = Command::new("cc")
        .args(["-std=c99", "-O2", "-shared", "-fPIC", "-I"])
        .args([here.join("include"), "-o".into(), library.clone(), here.join("../../examples/plugin-c/acorn.c")])
        .status();
    assert!(built.expect("a C compiler").success());
    Arc::new(metaprotocol_plugin::open(library).expect("the C example").remove(0))
}

fn main() {
    let table = Table::new(codec::Acorn);
    // SAFETY: the table is made here, and stays.
    let behind = unsafe { PluginCodec::from_table(table.address(), "the bench") };
    let contenders: [(&str, Arc<dyn AnyCodec>); 3] = [
        ("Rust, called directly", Arc::new(codec::Acorn)),
        ("Rust, through the C ABI", Arc::new(behind.expect("a codec"))),
        ("C, through the C ABI", in_c()),
    ];
    let stream = stream();
    println!("64-byte frames in {} KiB reads; ns a frame, and times as long as the direct call\n", CHUNK >> 10);
    println!("| acorn | split | | one field | |\n|---|--:|--:|--:|--:|");
    let mut direct = None;
    for (name, codec) in contenders {
        let split = fastest(|| {
            let mut connection = Arc::clone(&codec).connect(Limits::default());
            let mut fed = Fed::default();
            let count = |fed: &Fed| fed.frames.len() + usize::from(fed.carried.is_some());
            stream
                .chunks(CHUNK)
                .map(|chunk| {
                    connection.feed(Direction::ClientToServer, chunk, &mut fed).expect("whole frames");
                    count(&fed)
                })
                .sum()
        });
        let mut connection = Arc::clone(&codec).connect(Limits::default());
        let mut fed = Fed::default();
        connection.feed(Direction::ClientToServer, &stream, &mut fed).expect("whole frames");
        let (key, limits) = (codec.key("topic"), Limits::default());
        let field = fastest(|| {
            let found = |placed: &&metaprotocol_core::Placed| {
                let frame = Frame::new(placed.head, stream.get(placed.at..).unwrap_or_default());
                frame.is_some_and(|frame| {
                    black_box(codec.field(frame, &key, &limits)).is_ok_and(|value| value.is_some())
                })
            };
            fed.frames.iter().filter(found).count()
        });
        let (first_split, first_field) = *direct.get_or_insert((split, field));
        println!("| {name} | {split:.1} | {:.2} | {field:.1} | {:.2} |", split / first_split, field / first_field);
    }
}
