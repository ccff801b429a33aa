//! Every way to be malformed, with its reason and its place.
#![allow(clippy::expect_used, reason = "a test may panic")]

mod common;

use common::{entry, number, part, stream, trpc, unary, whole};
use metaprotocol_core::{DecodeError, Detection, Direction, Frame, Limits, Reason};
use metaprotocol_testkit::{
    Bound, CLIENT, Cut, SERVER, Sample, exceeded_by_one, exercise_frame, same_when_cut, try_field, try_fields,
};
use metaprotocol_trpc::Trpc;

/// The error of a stream, the same whole and byte by byte.
fn error(direction: Direction, stream: &[u8]) -> DecodeError {
    let sample = Sample::new(format!("{stream:x?}"), direction, stream);
    same_when_cut(&trpc(), Limits::default(), &sample, &[Cut::Every(1)]).failure.expect("an error")
}

fn fixed(front: [u8; 4], total: u32, message_len: u16) -> Vec<u8> {
    [&front[..], &total.to_be_bytes(), &message_len.to_be_bytes(), &[0; 6]].concat()
}

const UNARY: [u8; 4] = [9, 0x30, 0, 0];

#[test]
fn fixed_headers() {
    let length = |field, value, at| Reason::BadLength { field, value }.at(at);
    let value = |field, value, at| Reason::BadValue { field, value }.at(at);
    let cases = [
        (b"GET / HTTP/1.1\r\n".to_vec(), Reason::BadMagic { expected: 9, found: b'G'.into() }.at(0)),
        (fixed([9, 0x40, 0, 0], 16, 0), Reason::BadMagic { expected: 0x0930, found: 0x0940 }.at(0)),
        (fixed([9, 0x30, 2, 0], 16, 0), value("data frame type", 2, 2)),
        (fixed([9, 0x30, 1, 0], 16, 0), value("stream frame type", 0, 3)),
        (fixed([9, 0x30, 1, 5], 16, 0), value("stream frame type", 5, 3)),
        (fixed(UNARY, 15, 0), length("total length", 15, 4)),
        (fixed([9, 0x30, 1, 2], 0, 0), length("total length", 0, 4)),
        (fixed(UNARY, 20, 5), length("header length", 5, 8)),
        (fixed(UNARY, 16, 65535), length("header length", 65535, 8)),
        (unary(&number(12, 1), 0, b""), length("attachment size", 1, 18)),
    ];
    for (stream, expected) in cases {
        assert_eq!(error(CLIENT, &stream), expected, "{stream:x?}");
        assert_eq!(error(SERVER, &stream), expected, "{stream:x?}");
    }
}

#[test]
fn huge_lengths_fail_on_the_fixed_header() {
    let over = |limit, value, max, at| Reason::LimitExceeded { limit, value, max }.at(at);
    for total in [(64 << 20) + 1, u32::MAX] {
        let expected = over("max_frame_len", total.into(), 64 << 20, 4);
        assert_eq!(error(CLIENT, &fixed(UNARY, total, 2)), expected);
        assert_eq!(error(CLIENT, &fixed([9, 0x30, 1, 2], total, 0)), expected);
    }
    assert_eq!(error(CLIENT, &fixed(UNARY, 70_000, 65_521)), over("max_header_len", 65_537, 65_536, 8));
    for stream_type in [1, 3, 4] {
        let found = error(CLIENT, &fixed([9, 0x30, 1, stream_type], 65_537, 0));
        assert_eq!(found, over("max_header_len", 65_537, 65_536, 4));
    }
}

#[test]
fn messages() {
    let broken = |at| Reason::BadEncoding { field: "header message" }.at(at);
    let short = |at| Reason::UnexpectedEnd { field: "header message" }.at(at);
    let cases: [(&[u8], DecodeError); 12] = [
        (b"\x18", short(17)),
        (b"\x18\x80", short(18)),
        (b"\x18\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80", broken(17)),
        (b"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", broken(17)),
        (b"\x2a\x05abc", short(18)),
        (b"\x2a\xff\xff\xff\xff\x0f", short(22)),
        (b"\x02\0", broken(16)),
        (b"\0\0", broken(16)),
        (b"\x18\x01\x1b", broken(18)),
        (b"\x1e\x01", broken(16)),
        (b"\x2d\0\0\0", short(17)),
        (b"\xff\xff\xff\xff\xff\xff", broken(16)),
    ];
    for (message, expected) in cases {
        assert_eq!(error(CLIENT, &unary(message, 1, b"body")), expected, "{message:x?}");
        for stream_type in [1, 3, 4] {
            assert_eq!(error(SERVER, &stream(stream_type, 1, message)), expected, "{message:x?}");
        }
    }
    for meta in [1, 2] {
        assert_eq!(error(CLIENT, &stream(1, 1, &part(meta, b"\x18"))), short(19));
    }
    // The message ends where its length says, even if the body would go on with it.
    assert_eq!(error(CLIENT, &fixed(UNARY, 20, 3).into_iter().chain(*b"\x2a\x03abc").collect::<Vec<u8>>()), short(18));
}

#[test]
fn entries_are_read_when_they_are_asked_for() {
    let bytes = unary(&[number(3, 1), part(6, "a.b"), part(9, b"\x0a\x05k")].concat(), 1, b"");
    let frame = whole(CLIENT, &bytes);
    assert!(try_field(&Trpc, frame, "callee").is_ok());
    let expected = Reason::UnexpectedEnd { field: "trans_info entry" }.at(27);
    assert_eq!(try_field(&Trpc, frame, "k"), Err(expected));
    let (found, result) = try_fields(&Trpc, frame, &Limits::default());
    assert_eq!(result, Err(expected));
    assert_eq!(found.get("callee").map(|value| value.to_text().into_owned()).as_deref(), Some("a.b"));
}

#[test]
fn limits_are_the_last_that_is_allowed() {
    let request = unary(&[number(3, 1), entry(9, "a", "1"), entry(9, "b", "2")].concat(), 1, b"body");
    let len = request.len() as u32;
    let sample = Sample::new("a request", CLIENT, request);
    exceeded_by_one(&trpc(), &sample, Bound::FrameLen, len);
    exceeded_by_one(&trpc(), &sample, Bound::HeaderLen, len - 4);
    exceeded_by_one(&trpc(), &sample, Bound::FieldCount, 2);
    let init = stream(1, 1, &part(1, [entry(5, "a", "1"), entry(5, "b", "2")].concat()));
    let len = init.len() as u32;
    let sample = Sample::new("an INIT", CLIENT, init);
    exceeded_by_one(&trpc(), &sample, Bound::FrameLen, len);
    exceeded_by_one(&trpc(), &sample, Bound::HeaderLen, len);
    exceeded_by_one(&trpc(), &sample, Bound::FieldCount, 2);
}

#[test]
fn heads_of_anybodys_do_no_harm() {
    let frames =
        [unary(&[number(3, 1), entry(9, "a", "1")].concat(), 1, b"body"), stream(1, 1, &part(1, [])), vec![0; 40]];
    for bytes in frames {
        for header_len in [0, 1, 15, 16, 17, 20, bytes.len() as u32] {
            for variant in [0, 1, 2] {
                let mut head = whole(CLIENT, &unary(&number(3, 1), 1, b"")).head;
                (head.header_len, head.frame_len, head.variant) = (header_len, bytes.len(), variant);
                if let Some(frame) = Frame::new(head, &bytes) {
                    exercise_frame(&Trpc, frame, &Limits::default());
                }
            }
        }
    }
}

#[test]
fn the_front_of_a_stream_is_recognised_from_ten_bytes() {
    let frames = [unary(&number(3, 1), 1, b""), stream(1, 1, &[]), stream(2, 1, b""), stream(4, 1, &[])];
    for frame in &frames {
        for len in 0..frame.len() {
            let expected = if len < 10 { Detection::NeedMore } else { Detection::Yes };
            assert_eq!(trpc().detect(CLIENT, &frame[..len]), expected, "{len} of {frame:x?}");
        }
    }
    let others: [&[u8]; 6] = [
        b"\x09\x31",
        b"\x09\x30\x02",
        b"\x09\x30\x01\x07",
        b"\x09\x30\0\0\0\0\0\x0f\0\0",
        b"\x09\x30\0\0\0\0\0\x20\0\x20",
        b"PRPC",
    ];
    for other in others {
        assert_eq!(trpc().detect(SERVER, other), Detection::No, "{other:x?}");
    }
}
