//! `split` and the look-up of what routes need allocate nothing.

mod common;

use common::{bytes, number, opening, request, response, stream_frame, whole};
use metaprotocol_brpc::{Brpc, Opening};
use metaprotocol_core::{AnyCodec, Codec, Limits, Split};
use metaprotocol_testkit::{Allocations, CLIENT, SERVER, Sample, allocations, split_allocations};

#[test]
fn split_allocates_nothing() {
    let user = bytes(9, [bytes(1, "colour"), bytes(2, "blue")].concat());
    let stream = [
        request(1, &number(3, 42), &user),
        response(1, 0, None),
        response(2, 1001, Some(6)),
        stream_frame(5, 6, 3, b"data"),
        stream_frame(5, 6, 2, b""),
    ]
    .concat();
    let used = split_allocations(&Brpc, &Sample::new("every kind", SERVER, stream.clone()));
    assert_eq!(used, Allocations { frames: 5, first: 0, warm: 0 });
    let limits = Limits::default();
    let used = allocations(|| {
        let mut state = Opening::default();
        assert!(matches!(Codec::split(&Brpc, &mut state, CLIENT, &limits, &stream[..9]), Ok(Split::Need(3))));
        assert!(Codec::split(&Brpc, &mut state, SERVER, &limits, b"PRPD").is_err());
    });
    assert_eq!(used, 0);
}

#[test]
fn openings_reuse_their_memory() {
    let mut state = Opening::default();
    let limits = Limits::default();
    let (asked, answer) = (opening(9, 5), response(9, 0, None));
    let mut round = || {
        assert!(Codec::split(&Brpc, &mut state, CLIENT, &limits, &asked).is_ok());
        assert!(Codec::split(&Brpc, &mut state, SERVER, &limits, &answer).is_ok());
    };
    round();
    assert_eq!(allocations(|| (0..100).for_each(|_| round())), 0);
}

#[test]
fn looking_up_what_routes_need_allocates_nothing() {
    let user = bytes(9, [bytes(1, "colour"), bytes(2, "blue")].concat());
    let call = request(1, &[number(3, 42), bytes(7, "req-1")].concat(), &user);
    let frame = whole(&call);
    let limits = Limits::default();
    let keys = ["service", "interface", "method", "log_id", "x-request-id", "colour", "attachment_size", "absent"]
        .map(|name| AnyCodec::key(&Brpc, name));
    let used = allocations(|| {
        for key in &keys {
            assert!(AnyCodec::field(&Brpc, frame, key, &limits).is_ok());
        }
    });
    assert_eq!(used, 0);
}
