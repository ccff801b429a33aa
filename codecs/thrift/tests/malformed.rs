//! Every way to be malformed, with its reason and its place.
#![allow(clippy::expect_used, reason = "a broken expectation is a failed test")]

mod common;

use common::{Item, Message, Protocol, Transport, deflate, framed, header_frame, thrift, varint};
use metaprotocol_core::{AnyCodec, DecodeError, Direction, Limits, Reason};
use metaprotocol_testkit::{
    Bound, CLIENT, Cut, SERVER, Sample, decode, exceeded_by_one, feed, feed_to, field, held, most_held, same_when_cut,
    string, try_field, whole,
};
use metaprotocol_thrift::Thrift;

/// The error of a stream, the same whole and byte by byte.
fn error(direction: Direction, stream: &[u8]) -> DecodeError {
    error_within(direction, stream, Limits::default())
}

fn error_within(direction: Direction, stream: &[u8], limits: Limits) -> DecodeError {
    let sample = Sample::new(format!("{stream:x?}"), direction, stream);
    same_when_cut(&thrift(), limits, &sample, &[Cut::Every(1)]).failure.expect("an error")
}

fn strict(body: &[u8]) -> Vec<u8> {
    [b"\x80\x01\0\x01\0\0\0\x01f\0\0\0\x01", body].concat()
}

fn compact(body: &[u8]) -> Vec<u8> {
    [b"\x82\x21\x01\x01f", body].concat()
}

/// A limit's name and what was asked for.
fn over(error: DecodeError) -> (&'static str, u64, u64) {
    match error.reason {
        Reason::LimitExceeded { limit, value, .. } => (limit, value, error.offset),
        other => panic!("{other:?} is no limit"),
    }
}

#[test]
fn transports() {
    let magic = |expected, found, at| Reason::BadMagic { expected, found }.at(at);
    let length = |field, value, at| Reason::BadLength { field, value }.at(at);
    let end = |field, at| Reason::UnexpectedEnd { field }.at(at);
    let cases: Vec<(&str, Vec<u8>, DecodeError)> = vec![
        ("strict version 2, unframed", b"\x80\x02\0\x01".to_vec(), magic(0x8001, 0x8002, 0)),
        ("compact version 2, unframed", b"\x82\x22\x01\x01".to_vec(), magic(0x8201, 0x8202, 0)),
        ("strict version 2, framed", framed(b"\x80\x02\0\x01aaaaaaaaaaaa"), magic(0x8001, 0x8002, 4)),
        ("compact version 0, framed", framed(b"\x82\x20\x01\x01f\0"), magic(0x8201, 0x8200, 4)),
        ("almost THeader", framed(b"\x0f\xfe\0\0aaaaaaaaaaaa"), magic(0x8001, 0x0ffe, 4)),
        ("another protocol's text", b"PRPC\0\0\0\x10".to_vec(), magic(0x8001, 0x5052, 0)),
        ("another protocol's length", b"\0\0\0\x10\x7f\x45LF".to_vec(), magic(0x8001, 0x7f45, 4)),
        ("Kafka's request", b"\0\0\0\x14\0\x12\0\0\0\0\0\x01\0\x05admin".to_vec(), magic(0x8001, 0x0012, 4)),
        ("negative length", b"\xff\xff\xff\xff".to_vec(), length("frame length", -1, 0)),
        ("least length", b"\x81\0\0\0".to_vec(), length("frame length", i32::from_be_bytes([0x81, 0, 0, 0]).into(), 0)),
        ("length 0", b"\0\0\0\0".to_vec(), length("frame length", 0, 0)),
        ("length too short for any message", b"\0\0\0\x04\x82\x21".to_vec(), length("frame length", 4, 0)),
        ("length too short for binary", b"\0\0\0\x0b\x80\x01\0\x01".to_vec(), end("message head", 4)),
        ("header-only, framed binary", framed(&strict(b"")), end("struct", 17)),
        ("header-only, framed compact", framed(&compact(b"")), end("struct", 9)),
        ("header-only, THeader", header_frame(1, &[0, 0], &strict(b"")), end("struct", 31)),
        ("compact name over the frame", framed(b"\x82\x21\x01\x07f\0\0"), end("method name", 8)),
        ("compact id over the frame", framed(b"\x82\x21\xff\xff\xff"), end("sequence id", 6)),
        ("name over the frame", framed(b"\x80\x01\0\x01\0\0\0\x09aaaa\0\0\0\0\0"), end("method name", 12)),
        (
            "name length negative",
            framed(b"\x80\x01\0\x01\xff\xff\xff\xffa\0\0\0\0\0"),
            length("method name length", -1, 8),
        ),
        (
            "compact name length negative",
            framed(b"\x82\x21\x01\xff\xff\xff\xff\x0f\0"),
            length("method name length", -1, 7),
        ),
        (
            "compact id without end",
            framed(b"\x82\x21\xff\xff\xff\xff\xff\xff\xff\0"),
            Reason::BadEncoding { field: "sequence id" }.at(6),
        ),
        (
            "compact id over 32 bits",
            framed(b"\x82\x21\xff\xff\xff\xff\x1f\x01f\0"),
            Reason::BadEncoding { field: "sequence id" }.at(6),
        ),
        ("message type 0", b"\x80\x01\0\0".to_vec(), Reason::BadValue { field: "message type", value: 0 }.at(3)),
        (
            "compact message type 7",
            b"\x82\xe1\0\0".to_vec(),
            Reason::BadValue { field: "message type", value: 7 }.at(1),
        ),
        (
            "JSON, unframed",
            b"[1,\"f\"".to_vec(),
            Reason::Unsupported { what: "the JSON protocol, version", value: 1 }.at(0),
        ),
    ];
    for (about, stream, expected) in cases {
        assert_eq!(error(CLIENT, &stream), expected, "{about}");
    }
}

#[test]
fn a_huge_length_fails_on_its_four_bytes() {
    for length in [(64 << 20) - 3, 0x7fff_ffff_u32] {
        let stream = length.to_be_bytes();
        assert_eq!(over(error(CLIENT, &stream)), ("max_frame_len", u64::from(length) + 4, 0));
        // And so behind a sound frame.
        let stream = [Message::hello().bytes(), stream.to_vec()].concat();
        assert_eq!(over(error(CLIENT, &stream)), ("max_frame_len", u64::from(length) + 4, 38));
    }
}

#[test]
fn the_limit_is_the_last_length_allowed() {
    for transport in [Transport::Unframed, Transport::Framed, Message::with_headers(&[("a", "b")]).transport] {
        for protocol in [Protocol::Binary, Protocol::Old, Protocol::Compact] {
            let message = Message { transport: transport.clone(), protocol, ..Message::hello() };
            let bytes = message.bytes();
            exceeded_by_one(&thrift(), &Message::sample(&[message]), Bound::FrameLen, bytes.len() as u32);
        }
    }
}

#[test]
fn names_are_bounded_before_they_are_in() {
    let limits = Limits::default();
    let long = 64_u32 << 10;
    let name = long.to_be_bytes();
    let unframed = [&b"\x80\x01\0\x01"[..], &name].concat();
    assert_eq!(over(error_within(CLIENT, &unframed, limits)), ("max_header_len", u64::from(long) + 12, 4));
    let mut compact = b"\x82\x21\x01".to_vec();
    varint(&mut compact, 1 << 20);
    assert_eq!(over(error_within(CLIENT, &compact, limits)), ("max_header_len", (1 << 20) + 6, 3));
    let header = [&b"\0\x0f\0\0\x0f\xff\0\0\0\0\0\x01"[..], &[0xff, 0xff]].concat();
    assert_eq!(over(error_within(CLIENT, &header, limits)), ("max_header_len", 65535 * 4 + 14, 12));
}

#[test]
fn a_doubtful_name_is_refused_at_its_first_wrong_byte() {
    for stream in [b"\0\0\0\x40\0\0\0\x20ab\x01".as_slice(), b"\0\0\0\x20ab\x01", b"\0\0\0\x02ab\x05"] {
        let error = error(CLIENT, stream);
        assert_eq!((error.reason.code(), error.offset), ("bad_magic", 4));
        assert_eq!(decode(&thrift(), CLIENT, &stream[..stream.len() - 1]).failure, None);
    }
}

#[test]
fn the_fast_path_and_the_slow_one_tell_the_same() {
    // The second frame of a connection takes the fast path if all of its head is there.
    let limits = Limits { max_header_len: 24, ..Limits::default() };
    let hello = Message::hello();
    let longer = Message { name: "sayHelloo".to_owned(), ..Message::hello() };
    let stream = [hello.bytes(), longer.bytes()].concat();
    assert_eq!(over(error_within(CLIENT, &stream, limits)), ("max_header_len", 25, 38 + 8));
}

#[test]
fn wrong_direction() {
    for protocol in [Protocol::Binary, Protocol::Old, Protocol::Compact] {
        for (transport, base) in [(Transport::Unframed, 0), (Transport::Framed, 4)] {
            for message_type in 1..=4 {
                let message = Message { protocol, transport: transport.clone(), message_type, ..Message::hello() };
                let at = base
                    + match protocol {
                        Protocol::Binary => 3,
                        Protocol::Old => 12,
                        Protocol::Compact => 1,
                    };
                let error = error(message.direction().reverse(), &message.bytes());
                assert_eq!(error.offset, at, "{message:?}");
                assert_eq!(error.reason.code(), "wrong_direction", "{message:?}");
                assert_eq!(decode(&thrift(), message.direction(), &message.bytes()).failure, None);
            }
        }
    }
}

#[test]
fn a_connection_is_held_to_its_first_message() {
    let shapes: Vec<Message> = [Transport::Unframed, Transport::Framed, Message::with_headers(&[]).transport]
        .into_iter()
        .flat_map(|transport| {
            [Protocol::Binary, Protocol::Compact].map(|protocol| Message {
                transport: transport.clone(),
                protocol,
                ..Message::hello()
            })
        })
        .collect();
    for first in &shapes {
        for second in &shapes {
            let header = matches!(first.transport, Transport::Header { .. });
            // Each THeader frame names its protocol.
            let same = first == second || header && matches!(second.transport, Transport::Header { .. });
            let stream = [first.bytes(), second.bytes()].concat();
            let result = decode(&thrift(), CLIENT, &stream);
            assert_eq!(result.failure.is_none() && result.frames.len() == 2, same, "{first:?} then {second:?}");
            // The other side is held to it as well.
            let mut connection = thrift().connect(Limits::default());
            feed_to(connection.as_mut(), CLIENT, &first.bytes(), []);
            let answer = Message { message_type: 2, ..second.clone() };
            let result = feed_to(connection.as_mut(), SERVER, &answer.bytes(), []);
            assert_eq!(result.failure.is_none() && result.frames.len() == 1, same, "{first:?} answered by {second:?}");
        }
    }
    // Old and strict binary are one protocol: servers answer old calls strictly.
    let old = Message { protocol: Protocol::Old, ..Message::hello() };
    let stream = [old.bytes(), Message::hello().bytes(), old.bytes()].concat();
    assert_eq!(decode(&thrift(), CLIENT, &stream).frames.len(), 3);
}

#[test]
fn bytes_after_poison_give_the_same_error() {
    let mut connection = thrift().connect(Limits::default());
    let first = feed_to(connection.as_mut(), CLIENT, b"\0\0\0\0", []);
    let again = feed_to(connection.as_mut(), CLIENT, &Message::hello().bytes(), []);
    assert!(first.failure.is_some());
    assert_eq!((again.frames.len(), again.failure), (0, first.failure));
}

#[test]
fn unframed_bodies() {
    let limit = |value: u64, at| Reason::LimitExceeded { limit: "max_frame_len", value, max: 64 << 20 }.at(at);
    let length = |field, value, at| Reason::BadLength { field, value }.at(at);
    let value = |field, value, at| Reason::BadValue { field, value }.at(at);
    // A binary body starts at 13, a compact one at 5.
    let cases: Vec<(&str, Vec<u8>, DecodeError)> = vec![
        ("type 1 (void)", strict(&[1, 0, 1]), value("field type", 1, 13)),
        ("type 17", strict(&[17, 0, 1]), value("field type", 17, 13)),
        ("element type 0", strict(&[15, 0, 1, 0, 0, 0, 0, 1]), value("element type", 0, 16)),
        ("map value type 9", strict(&[13, 0, 1, 8, 9, 0, 0, 0, 1]), value("element type", 9, 17)),
        ("string length negative", strict(&[11, 0, 1, 0xff, 0, 0, 0]), length("string length", -0x100_0000, 16)),
        ("list count negative", strict(&[15, 0, 1, 8, 0xff, 0xff, 0xff, 0xff]), length("element count", -1, 17)),
        ("map count negative", strict(&[13, 0, 1, 8, 8, 0x80, 0, 0, 0]), length("element count", i32::MIN.into(), 18)),
        ("huge string", strict(&[11, 0, 1, 0x7f, 0xff, 0xff, 0xff]), limit(0x7fff_ffff + 20, 16)),
        ("huge list of i64", strict(&[15, 0, 1, 10, 0x7f, 0xff, 0xff, 0xff]), limit(0x7fff_ffff * 8 + 21, 16)),
        ("huge list of strings", strict(&[15, 0, 1, 11, 0x7f, 0xff, 0xff, 0xff]), limit(0x7fff_ffff * 4 + 21, 16)),
        ("huge set of structs", strict(&[14, 0, 1, 12, 0x7f, 0xff, 0xff, 0xff]), limit(0x7fff_ffff + 21, 16)),
        ("huge map", strict(&[13, 0, 1, 11, 13, 0x7f, 0xff, 0xff, 0xff]), limit(0x7fff_ffff * 10 + 22, 16)),
        ("compact type 14", compact(&[0x1e]), value("field type", 14, 5)),
        ("compact element type 0", compact(&[0x19, 0x10]), value("element type", 0, 6)),
        ("compact map of type 15", compact(&[0x1b, 1, 0x8f]), value("element type", 15, 7)),
        ("compact field id over 16 bits", compact(&[0x08, 0x80, 0x80, 0x04]), value("field id", 0x8000, 6)),
        (
            "compact number without end",
            compact(&[[0x16].as_slice(), &[0xff; 12]].concat()),
            Reason::BadEncoding { field: "number" }.at(6),
        ),
        (
            "compact i32 over 32 bits",
            compact(&[0x15, 0xff, 0xff, 0xff, 0xff, 0x7f]),
            Reason::BadEncoding { field: "number" }.at(6),
        ),
        (
            "compact length without end",
            compact(&[[0x18].as_slice(), &[0x80; 8]].concat()),
            Reason::BadEncoding { field: "string length" }.at(6),
        ),
        (
            "compact length negative",
            compact(&[0x18, 0x80, 0x80, 0x80, 0x80, 0x08]),
            length("string length", i32::MIN.into(), 6),
        ),
        ("compact huge string", compact(&[0x18, 0xff, 0xff, 0xff, 0xff, 0x07]), limit(0x7fff_ffff + 11, 6)),
        ("compact huge list", compact(&[0x19, 0xf8, 0xff, 0xff, 0xff, 0xff, 0x07]), limit(0x7fff_ffff + 12, 6)),
        ("compact huge map", compact(&[0x1b, 0xff, 0xff, 0xff, 0xff, 0x07, 0x88]), limit(0x7fff_ffff * 2 + 12, 6)),
    ];
    for (about, stream, expected) in cases {
        assert_eq!(error(CLIENT, &stream), expected, "{about}");
    }
}

#[test]
fn nesting_bombs_of_a_million_levels() {
    let levels = 1_000_000;
    let bombs = [
        // Each level a struct, a list of lists, a map of maps.
        ("structs", strict(&[12, 0, 1].repeat(levels)), 13 + 3 * 256),
        ("lists", strict(&[&[15, 0, 1][..], &[15, 0, 0, 0, 1].repeat(levels)].concat()), 16 + 5 * 255),
        ("maps", strict(&[&[13, 0, 1][..], &[13, 13, 0, 0, 0, 1].repeat(levels)].concat()), 16 + 6 * 255),
        ("compact structs", compact(&[0x1c].repeat(levels)), 5 + 256),
        ("compact lists", compact(&[&[0x19][..], &[0x19].repeat(levels)].concat()), 6 + 255),
        ("compact maps", compact(&[&[0x1b][..], &[1, 0xbb].repeat(levels)].concat()), 6 + 2 * 255),
    ];
    for (about, stream, at) in bombs {
        let (limit, value, offset) = over(decode(&thrift(), CLIENT, &stream).failure.expect(about));
        assert_eq!((limit, value), ("max_nesting", 257), "{about}");
        assert!(offset.abs_diff(at) <= 3, "{about} at {offset}");
        // Framed, nobody looks.
        assert_eq!(decode(&thrift(), CLIENT, &framed(&stream)).frames.len(), 1, "{about}");
    }
}

#[test]
fn a_nesting_bomb_in_a_framed_body_fails_the_look_up_only() {
    let bytes = framed(&strict(&[12, 0, 1].repeat(1_000_000)));
    let frame = whole(&Thrift, CLIENT, &bytes);
    let key = AnyCodec::key(&Thrift, "arg.2");
    let error = AnyCodec::field(&Thrift, frame, &key, &Limits::default()).expect_err("too deep");
    assert_eq!(over(error).0, "max_nesting");
    assert_eq!(field(&Thrift, frame, "method"), Some(string("f")));
}

#[test]
fn headers() {
    let sound = strict(&[0]);
    let unsupported = |what, value, at| Reason::Unsupported { what, value }.at(at);
    let end = |field, at| Reason::UnexpectedEnd { field }.at(at);
    let with = |data: &[u8]| header_frame(1, data, &sound);
    let cases: Vec<(&str, Vec<u8>, DecodeError)> = vec![
        ("JSON", with(&[1, 0]), unsupported("THeader protocol (JSON)", 1, 14)),
        ("protocol 9", with(&[9, 0]), unsupported("THeader protocol", 9, 14)),
        ("hmac", with(&[0, 1, 2]), unsupported("THeader transform", 2, 16)),
        ("zlib twice", with(&[0, 2, 1, 1]), unsupported("THeader transform count", 2, 15)),
        ("protocol without end", with(&[0xff; 8]), Reason::BadEncoding { field: "protocol id" }.at(14)),
        ("transforms over the header", with(&[0, 1, 0x80, 0x80]), end("transform id", 16)),
        ("frame shorter than a header", framed(b"\x0f\xff\0\0\0\0\0\x01\0"), end("THeader", 4)),
        ("header size over the frame", framed(b"\x0f\xff\0\0\0\0\0\x01\0\x02aaaa"), end("header size", 12)),
        (
            "header size 0",
            framed(b"\x0f\xff\0\0\0\0\0\x01\0\0aaaa"),
            Reason::BadLength { field: "header size", value: 0 }.at(12),
        ),
        ("no message", header_frame(1, &[0, 0], b""), end("message head", 18)),
    ];
    for (about, stream, expected) in cases {
        assert_eq!(error(CLIENT, &stream), expected, "{about}");
    }
}

#[test]
fn info_headers_are_read_only_when_asked_for() {
    let limits = Limits { max_field_count: 2, ..Limits::default() };
    let cases: Vec<(&str, Vec<u8>, DecodeError)> = vec![
        ("key over the header", vec![0, 0, 1, 1, 9, b'k'], Reason::UnexpectedEnd { field: "info key" }.at(19)),
        ("no value", vec![0, 0, 1, 1, 3, b'k', b'e', b'y'], Reason::UnexpectedEnd { field: "info value" }.at(22)),
        (
            "too many",
            vec![0, 0, 1, 3, 0, 0, 0, 0],
            Reason::LimitExceeded { limit: "max_field_count", value: 3, max: 2 }.at(17),
        ),
        (
            "count without end",
            vec![0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff],
            Reason::BadEncoding { field: "info count" }.at(17),
        ),
    ];
    for (about, data, expected) in cases {
        let bytes = header_frame(1, &data, &strict(&[0]));
        let frame = whole(&Thrift, CLIENT, &bytes);
        let mut nothing = |_: &str, _: metaprotocol_core::Value<'_>| std::ops::ControlFlow::Continue(());
        assert_eq!(AnyCodec::fields(&Thrift, frame, &limits, &mut nothing), Err(expected), "{about}");
        let key = AnyCodec::key(&Thrift, "absent");
        assert_eq!(AnyCodec::field(&Thrift, frame, &key, &limits), Err(expected), "{about}");
        assert_eq!(field(&Thrift, frame, "method"), Some(string("f")), "{about}");
    }
}

#[test]
fn compressed_payloads() {
    let with = |payload: &[u8]| header_frame(1, &[0, 1, 1], payload);
    let end = |field| Reason::UnexpectedEnd { field }.at(18);
    assert_eq!(error(CLIENT, &with(b"no zlib at all")).reason, Reason::BadEncoding { field: "zlib payload" });
    let sound = deflate(&strict(&[0]));
    assert_eq!(decode(&thrift(), CLIENT, &with(&sound)).failure, None);
    assert_eq!(error(CLIENT, &with(&sound[..12])), end("zlib payload"));
    assert_eq!(error(CLIENT, &with(&deflate(&strict(&[])))), end("struct"));
    assert_eq!(error(CLIENT, &with(&deflate(b"\x80\x01"))), end("message head"));
    assert_eq!(error(CLIENT, &with(&deflate(&strict(&[0])[..9]))), end("message head"));
    let reply = deflate(b"\x80\x01\0\x02\0\0\0\x01f\0\0\0\x01\0");
    assert_eq!(error(CLIENT, &with(&reply)), Reason::WrongDirection { what: "a reply" }.at(18));
    // A call says nothing of itself in its struct: what is broken there is not looked for.
    let long = deflate(&strict(&[0; 600]));
    let broken = with(&long[..500]);
    let call = whole(&Thrift, CLIENT, &broken);
    for key in ["reply_type", "exception_field", "exception_type", "exception_message"] {
        assert_eq!(field(&Thrift, call, key), None, "{key}");
    }
    assert_eq!(try_field(&Thrift, call, "arg.1"), Err(end("zlib payload")));
    // Blocks without content lead nowhere, in linear time.
    let empty = [&[0x78, 0x01][..], &[0, 0, 0, 0xff, 0xff].repeat(1_000_000)].concat();
    assert_eq!(feed(&thrift(), CLIENT, Limits::default(), &with(&empty), [7, 1000]).failure, Some(end("zlib payload")));
}

#[test]
fn a_compression_bomb_is_inflated_no_further_than_the_limit() {
    let limits = Limits { max_frame_len: 1 << 20, ..Limits::default() };
    let body = [&[11, 0, 1][..], &(8_u32 << 20).to_be_bytes(), &vec![0; 8 << 20], &[0]].concat();
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut encoder, &strict(&body)).expect("memory");
    let bytes = header_frame(1, &[0, 1, 1], &encoder.finish().expect("memory"));
    assert!(bytes.len() < 16 << 10);
    let frame = whole(&Thrift, CLIENT, &bytes);
    assert_eq!(field(&Thrift, frame, "method"), Some(string("f")));
    let bytes = most_held(|| {
        let key = AnyCodec::key(&Thrift, "arg.2");
        let error = AnyCodec::field(&Thrift, frame, &key, &limits).expect_err("over the limit");
        assert_eq!((over(error).0, error.offset), ("max_frame_len", 18));
    });
    assert!(bytes < 4 << 20, "{bytes} bytes");
}

#[test]
fn nothing_is_allocated_for_what_a_length_claims() {
    let claims: [&[u8]; 5] = [
        b"\x03\xff\xff\x00\x80\x01\0\x01\0\0\0\x01f\0\0\0\x01",
        b"\x80\x01\0\x01\0\0\0\x01f\0\0\0\x01\x0b\0\x01\x03\xff\0\0",
        b"\x80\x01\0\x01\0\0\0\x01f\0\0\0\x01\x0f\0\x01\x0c\x03\xff\0\0",
        b"\x82\x21\x01\x01f\x19\xfc\xff\xff\xff\x0f",
        b"\x03\xff\xff\x00\x0f\xff\0\0\0\0\0\x01\0\x10\0\0\x01\xff\xff\x03",
    ];
    for claim in claims {
        let (bytes, result) = held(&thrift(), Limits::default(), &Sample::new("a claim", CLIENT, claim));
        assert!(result.frames.is_empty() && result.failure.is_none() && result.missing > 0, "{result:?}");
        assert!(bytes < 4096, "{bytes} bytes for {claim:?}");
    }
}

#[test]
fn nesting_and_headers_as_many_as_the_limits_pass() {
    // The arguments are a struct, too.
    let nested = Item::Struct(vec![(1, Item::Struct(vec![(1, Item::I32(1))]))]);
    for protocol in [Protocol::Binary, Protocol::Old, Protocol::Compact] {
        let deep =
            Message { protocol, transport: Transport::Unframed, fields: vec![(1, nested.clone())], ..Message::hello() };
        exceeded_by_one(&thrift(), &Message::sample(&[deep]), Bound::Nesting, 3);
        let headers = Message { protocol, ..Message::with_headers(&[("a", "1"), ("b", "2"), ("c", "3")]) };
        exceeded_by_one(&thrift(), &Message::sample(&[headers]), Bound::FieldCount, 3);
    }
}
