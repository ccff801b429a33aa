//! `split` and the look-up of what routes need allocate nothing, and long frames are asked about no more often.
#![allow(clippy::expect_used, reason = "a test may panic")]

mod common;

use common::{entry, number, part, stream, trpc, unary, whole};
use metaprotocol_core::{AnyCodec, Codec, Limits, Split};
use metaprotocol_testkit::{Allocations, CLIENT, SERVER, Sample, allocations, held, split_allocations, split_calls};
use metaprotocol_trpc::Trpc;

fn request(body: &[u8]) -> Vec<u8> {
    unary(&[number(3, 1), part(6, "a.b"), part(7, "/a.B/C"), entry(9, "k", "v"), part(99, "unknown")].concat(), 1, body)
}

#[test]
fn split_allocates_nothing() {
    let sent = [
        request(b"body"),
        unary(&[number(2, 1), number(3, 1)].concat(), 1, b""),
        stream(1, 100, &part(1, [part(3, "/a.B/C"), entry(5, "k", "v")].concat())),
        stream(2, 100, b"data"),
        stream(3, 100, &number(1, 7)),
        stream(4, 100, &[]),
    ];
    let used = split_allocations(&Trpc, &Sample::new("every kind", CLIENT, sent.concat()));
    assert_eq!(used, Allocations { frames: 6, first: 0, warm: 0 });
    let answered = [unary(&[number(3, 1), number(4, 5)].concat(), 1, b""), stream(1, 100, &part(2, number(1, 5)))];
    let used = split_allocations(&Trpc, &Sample::new("answers", SERVER, answered.concat()));
    assert_eq!(used, Allocations { frames: 2, first: 0, warm: 0 });
    // Neither do the answers that are no frame.
    let limits = Limits::default();
    let mut state = Codec::state(&Trpc);
    let used = allocations(|| {
        assert!(matches!(Codec::split(&Trpc, &mut state, CLIENT, &limits, b"\x09\x30\0"), Ok(Split::Need(13))));
        assert!(Codec::split(&Trpc, &mut state, SERVER, &limits, b"\x09\x31").is_err());
    });
    assert_eq!(used, 0);
}

#[test]
fn looking_up_what_routes_need_allocates_nothing() {
    let bytes = request(b"body");
    let frame = whole(CLIENT, &bytes);
    let limits = Limits::default();
    let keys = ["caller", "callee", "func", "service", "method", "k", "absent", "timeout", "version", "body_size"]
        .map(|name| AnyCodec::key(&Trpc, name));
    let used = allocations(|| {
        for key in &keys {
            assert!(Codec::field(&Trpc, frame, key, &limits).is_ok());
        }
    });
    assert_eq!(used, 0);
}

#[test]
fn a_frame_of_any_length_costs_few_calls_of_split() {
    let asked = split_calls(Trpc, &Sample::new("a long body", CLIENT, request(&[7; 100_000])));
    assert!(asked <= 3, "{asked} calls");
    let asked = split_calls(Trpc, &Sample::new("long data", CLIENT, stream(2, 1, &[7; 100_000])));
    assert!(asked <= 3, "{asked} calls");
}

#[test]
fn a_length_that_is_only_claimed_takes_no_memory() {
    let mut claimed = request(b"");
    claimed[4..8].copy_from_slice(&(60_u32 << 20).to_be_bytes());
    let (bytes, decoded) = held(&trpc(), Limits::default(), &Sample::new("60 MiB", CLIENT, claimed));
    assert!(decoded.missing > 50 << 20 && bytes < 4096, "{bytes} bytes held");
}
