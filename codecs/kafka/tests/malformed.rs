//! Bad input, each with its error at its place, at once and without believing what a count or a length claims.

use std::sync::Arc;

use metaprotocol_core::{AnyCodec, DecodeError, Frame, Limits, Reason, Split};
use metaprotocol_kafka::Kafka;
use metaprotocol_testkit::{
    Bound, CLIENT, OwnedFrame, SERVER, Sample, decode, exceeded_by_one, feed_to, held, most_held, try_fields, whole,
};

fn kafka() -> Arc<dyn AnyCodec> {
    Arc::new(Kafka)
}

fn sized(frame: &[u8]) -> Vec<u8> {
    [&(frame.len() as u32).to_be_bytes(), frame].concat()
}

/// A request without a client id.
fn request(api: u16, version: u16, body: &[u8]) -> Vec<u8> {
    sized(&[&api.to_be_bytes()[..], &version.to_be_bytes(), &7_u32.to_be_bytes(), b"\xff\xff", body].concat())
}

/// The response to such a request with an empty body.
fn response(api: u16, version: u16, rest: &[u8]) -> OwnedFrame {
    let mut connection = kafka().connect(Limits::default());
    feed_to(connection.as_mut(), CLIENT, &request(api, version, b"\0"), []);
    let answer = sized(&[&7_u32.to_be_bytes(), rest].concat());
    let mut decoded = feed_to(connection.as_mut(), SERVER, &answer, []);
    assert_eq!((decoded.frames.len(), decoded.failure), (1, None));
    decoded.frames.remove(0)
}

fn error(frame: Frame<'_>) -> Option<DecodeError> {
    try_fields(&Kafka, frame, &Limits::default()).1.err()
}

#[test]
fn sizes_are_refused_before_anything_else_is_read() {
    let max = Limits::default().max_frame_len;
    let split = |bytes: &[u8]| AnyCodec::split(&Kafka, CLIENT, &Limits::default(), bytes);
    let bad = |value| Err(Reason::BadLength { field: "size", value }.at(0));
    assert_eq!(split(b"\xff\xff\xff\xff"), bad(-1));
    assert_eq!(split(b"\x80\0\0\0"), bad(i32::MIN.into()));
    assert_eq!(split(b"\0\0\0\x07"), bad(7));
    let over = Reason::LimitExceeded { limit: "max_frame_len", value: (1 << 31) + 3, max }.at(0);
    assert_eq!(split(b"\x7f\xff\xff\xff"), Err(over));
    assert_eq!(split(b"\0\0\0\x08"), Ok(Split::Need(8)));
}

#[test]
fn counts_and_lengths_of_bodies_are_not_believed() {
    let end = |field, at| Some(Reason::UnexpectedEnd { field }.at(at));
    let encoding = |field, at| Some(Reason::BadEncoding { field }.at(at));
    let length = |field, value, at| Some(Reason::BadLength { field, value }.at(at));
    let cases = [
        // Metadata: an array of topics.
        (request(3, 1, b"\x7f\xff\xff\xff"), end("array", 14)),
        (request(3, 1, b"\xff\xff\xff\xfe"), length("array", -2, 14)),
        (request(3, 1, b"\0\0\0\x01\x7f\xff"), end("text", 20)),
        (request(3, 1, b"\0\0\0\x01\x80\0"), length("text", -32768, 18)),
        (request(3, 9, b"\0\xff\xff\xff\xff\x0f"), end("array", 15)),
        (request(3, 9, b"\0\x80\x80\x80\x80\x80\0"), encoding("array", 15)),
        (request(3, 9, b"\0\xff\xff\xff\xff\x1f"), encoding("array", 15)),
        (request(3, 9, b"\0\x02\xff\xff\xff\xff\x0f\0\0"), length("text", 0xffff_fffe, 16)),
        (request(3, 9, b"\0\x02\x02a\xff\xff\xff\xff\x0f"), None),
        // Fetch version 12: no topics, nothing forgotten, no rack, and a tagged field that claims more than there is.
        (request(1, 12, &[&[0; 26][..], b"\x01\x01\x01\x01\x01\x05\0"].concat()), end("tagged fields", 46)),
        // Produce: record batches.
        (request(0, 9, b"\0\0\xff\xff\0\0\0\0\x02\x02a\x02\0\0\0\0\xff\xff\xff\xff\x0f"), end("bytes", 35)),
    ];
    for (bytes, expected) in cases {
        let frame = whole(&Kafka, CLIENT, &bytes);
        let found = error(frame);
        if expected.is_some() {
            assert_eq!(found, expected, "{bytes:x?}");
        }
        let keys = try_fields(&Kafka, frame, &Limits::default()).0;
        assert!(keys.contains_key("api_key"), "what stands before the broken place is told: {keys:?}");
    }
}

#[test]
fn responses_are_held_to_their_schemas() {
    let frame = response(3, 1, b"\x7f\xff\xff\xff");
    assert_eq!(error(frame.frame()), Some(Reason::UnexpectedEnd { field: "array" }.at(8)));
    let frame = response(12, 0, b"\0");
    assert_eq!(error(frame.frame()), Some(Reason::UnexpectedEnd { field: "number" }.at(8)));
}

#[test]
fn tagged_fields_are_bounded_where_they_stand() {
    // ApiVersions, whose body is two texts and tagged fields; five tags of no bytes.
    let body = b"\0\x01\x01\x05\x10\0\x11\0\x12\0\x13\0\x14\0";
    let sample = Sample::new("tagged fields of a body", CLIENT, request(18, 3, body));
    exceeded_by_one(&kafka(), &sample, Bound::FieldCount, 5);
    let header = [b"\x05\x10\0\x11\0\x12\0\x13\0\x14\0", &b"\x01\x01\0"[..]].concat();
    let sample = Sample::new("tagged fields of a header", CLIENT, request(18, 3, &header));
    exceeded_by_one(&kafka(), &sample, Bound::FieldCount, 5);
}

#[test]
fn a_header_that_claims_more_than_its_limit_is_refused_before_it_comes() {
    // One tagged field of a megabyte in a frame that has it.
    let front = [&request(3, 9, b"")[4..], b"\x01\0\x80\x80\x40"].concat();
    let stream = [&(front.len() as u32 + (1 << 20)).to_be_bytes()[..], &front].concat();
    let decoded = decode(&kafka(), CLIENT, &stream);
    let expected = Reason::LimitExceeded { limit: "max_header_len", value: 19 + (1 << 20), max: 1 << 16 }.at(15);
    assert_eq!(decoded.failure, Some(expected));
}

#[test]
fn memory_follows_what_came_and_not_what_is_claimed() {
    let stream = [&(60_u32 << 20).to_be_bytes()[..], &request(3, 1, &[0; 100])[4..]].concat();
    let (bytes, decoded) = held(&kafka(), Limits::default(), &Sample::new("60 MiB", CLIENT, stream));
    assert!(decoded.missing > 59 << 20 && bytes < 64 << 10, "{bytes} bytes held, {decoded:?}");
    let claims = request(3, 1, b"\x7f\xff\xff\xff");
    let frame = whole(&Kafka, CLIENT, &claims);
    let read = || assert!(error(frame).is_some(), "a count that is not believed");
    assert!(most_held(read) < 4096);
}

#[test]
fn requests_that_wait_are_bounded() {
    let limits = Limits { max_in_flight: 1000, ..Limits::default() };
    let ask = |id: u32| sized(&[&b"\0\x03\0\x01"[..], &id.to_be_bytes(), b"\xff\xff\xff\xff\xff\xff"].concat());
    let stream: Vec<u8> = (0..20_000).flat_map(ask).collect();
    let bytes = most_held(|| {
        let mut connection = kafka().connect(limits);
        let mut fed = metaprotocol_core::Fed::default();
        for chunk in stream.chunks(2200) {
            assert!(connection.feed(CLIENT, chunk, &mut fed).is_ok());
        }
    });
    assert!(bytes < 64 << 10, "{bytes}");
}

#[test]
fn acks_that_a_produce_lacks_are_missed_where_they_would_be() {
    // A transactional id of four bytes, and the end.
    let whole = request(0, 9, b"\0\x05abcd");
    let split = |bytes: &[u8]| AnyCodec::split(&Kafka, CLIENT, &Limits::default(), bytes);
    assert_eq!(split(&whole), Err(Reason::UnexpectedEnd { field: "acks" }.at(whole.len())));
    assert_eq!(split(&whole[..whole.len() - 3]), Ok(Split::Need(3)));
}
