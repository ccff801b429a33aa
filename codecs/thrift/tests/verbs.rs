//! The verbs beside `split`: fields, edits, replies and detection.
#![allow(clippy::expect_used, reason = "a broken expectation is a failed test")]

mod common;

use common::{Item, Message, Protocol, Shape, Transport, framed, header_frame, thrift};
use std::borrow::Cow;

use metaprotocol_core::{
    AnyCodec, Detection, Direction, Edits, EncodeError, ErrorType, Kind, Limits, Reply, RequestId, Value,
};
use metaprotocol_testkit::{
    CLIENT, SERVER, decode, error_reply, feed, field, fields, new_id, remove, rewrite, set, string, whole,
};
use metaprotocol_thrift::Thrift;

const PROTOCOLS: [Protocol; 3] = [Protocol::Binary, Protocol::Old, Protocol::Compact];

fn transports() -> Vec<Transport> {
    let headers = vec![("X-User".to_owned(), "alice".to_owned()), ("b".to_owned(), String::new())];
    vec![
        Transport::Unframed,
        Transport::Framed,
        Transport::Header { headers: headers.clone(), zlib: false, sequence_id: 1 },
        Transport::Header { headers, zlib: true, sequence_id: 1 },
    ]
}

fn messages() -> impl Iterator<Item = Message> {
    transports().into_iter().flat_map(|transport| {
        PROTOCOLS.map(|protocol| Message { transport: transport.clone(), protocol, ..Message::hello() })
    })
}

fn not_writable(result: Result<Vec<u8>, EncodeError>) -> (String, &'static str) {
    match result {
        Err(EncodeError::NotWritable { key, why: Cow::Borrowed(why) }) => (key, why),
        other => panic!("{other:?}"),
    }
}

fn bad_value(result: Result<Vec<u8>, EncodeError>) -> String {
    match result {
        Err(EncodeError::BadValue { key, .. }) => key,
        other => panic!("{other:?}"),
    }
}

#[test]
fn info() {
    let info = AnyCodec::info(&Thrift);
    assert_eq!(info.name, "thrift");
    assert_eq!(info.aliases, ["aeraki.meta_protocol.codec.thrift"].as_slice());
    for key in info.keys.iter() {
        assert_ne!(AnyCodec::key(&Thrift, &key.name).id, metaprotocol_core::Key::DYNAMIC, "{}", key.name);
    }
    // What is announced as writable is, and nothing else.
    let bytes = Message { name: "a:b".to_owned(), ..Message::hello() }.bytes();
    for key in info.keys.iter() {
        let result = rewrite(&Thrift, whole(&Thrift, CLIENT, &bytes), &set(&[(&key.name, "7")]));
        assert_eq!(result.is_ok(), key.writable, "{}", key.name);
    }
}

#[test]
fn arguments_are_found_by_id() {
    let fields = vec![
        (1, Item::Bool(true)),
        (2, Item::Bool(false)),
        (3, Item::Byte(-3)),
        (4, Item::I16(-300)),
        (25, Item::I32(i32::MIN)),
        (26, Item::I64(i64::MIN)),
        (27, Item::Double(-1.5e-9)),
        (28, Item::Binary("wörld".as_bytes().to_vec())),
        (29, Item::Binary(vec![0xff, b'a'])),
        (30, Item::Struct(vec![(1, Item::I32(5))])),
        (31, Item::Elements { set: true, of: Shape::I64, items: vec![Item::I64(1)] }),
        (-7, Item::Uuid([0xab; 16])),
        (-1, Item::I32(99)),
    ];
    for message in messages().map(|message| Message { fields: fields.clone(), ..message }) {
        let bytes = message.bytes();
        let frame = whole(&Thrift, CLIENT, &bytes);
        for (id, expected) in [
            (1, Some(Value::Int(1))),
            (2, Some(Value::Int(0))),
            (3, Some(Value::Int(-3))),
            (4, Some(Value::Int(-300))),
            (25, Some(Value::Int(i32::MIN.into()))),
            (26, Some(Value::Int(i64::MIN))),
            (27, Some(string("-0.0000000015"))),
            (28, Some(string("wörld"))),
            (29, Some(string("\u{fffd}a"))),
            (30, None),
            (31, None),
            (-7, Some(string("abababab-abab-abab-abab-abababababab"))),
            (-1, Some(Value::Int(99))),
            (5, None),
        ] {
            assert_eq!(field(&Thrift, frame, &format!("arg.{id}")), expected, "{id} of {message:?}");
        }
        let found = metaprotocol_testkit::fields(&Thrift, frame);
        assert!(!found.keys().any(|key| key.starts_with("arg.")), "arguments are opt-in");
        assert_eq!(field(&Thrift, frame, "arg.x"), None);
    }
}

#[test]
fn headers_are_found_in_any_case() {
    let message = Message::with_headers(&[("X-User", "alice"), ("method", "hidden"), ("x-user", "bob"), ("e", "")]);
    let bytes = message.bytes();
    let frame = whole(&Thrift, CLIENT, &bytes);
    let fields = fields(&Thrift, frame);
    assert_eq!(fields["x-user"], string("bob"), "the later one counts");
    assert_eq!(fields["header.method"], string("hidden"));
    assert_eq!(fields["method"], string("sayHello"));
    assert_eq!(fields["e"], string(""));
    assert_eq!(field(&Thrift, frame, "X-USER"), Some(string("bob")));
    assert_eq!(field(&Thrift, frame, "header.x-user"), Some(string("bob")));
    assert_eq!(field(&Thrift, frame, "absent"), None);
    let framed = Message::hello().bytes();
    assert_eq!(field(&Thrift, whole(&Thrift, CLIENT, &framed), "x-user"), None);
    let latin = header_frame(1, b"\0\0\x01\x01\x01k\x02\xe9a", &Message::hello().payload());
    assert_eq!(
        field(&Thrift, whole(&Thrift, CLIENT, &latin), "k"),
        Some(string("\u{fffd}a")),
        "what is no UTF-8 is shown as well as it can"
    );
}

#[test]
fn the_fields_of_a_walk_stop_when_told() {
    let bytes = Message::with_headers(&[("a", "1"), ("b", "2")]).bytes();
    for stop_after in 1..6 {
        let mut seen = 0;
        let result = AnyCodec::fields(&Thrift, whole(&Thrift, CLIENT, &bytes), &Limits::default(), &mut |_, _| {
            seen += 1;
            if seen == stop_after { std::ops::ControlFlow::Break(()) } else { std::ops::ControlFlow::Continue(()) }
        });
        assert_eq!((result, seen), (Ok(()), stop_after));
    }
}

#[test]
fn no_edit_borrows_the_whole_frame() {
    let bytes = Message::hello().bytes();
    let frame = whole(&Thrift, CLIENT, &bytes);
    for edits in [Edits::default(), new_id(1), set(&[("method", "sayHello")]), remove(&["service", "x-user"])] {
        let segments = AnyCodec::rewrite(&Thrift, frame, &edits, &Limits::default()).expect("nothing to do");
        assert_eq!(segments.len(), 1);
        assert!(std::ptr::eq(segments[0].as_ptr(), bytes.as_ptr()));
    }
}

#[test]
fn an_id_alone_patches_its_four_bytes() {
    let bytes = Message::hello().bytes();
    let segments =
        AnyCodec::rewrite(&Thrift, whole(&Thrift, CLIENT, &bytes), &new_id(-2_i64 as u64), &Limits::default())
            .expect("an id");
    let lens: Vec<usize> = segments.iter().map(|segment| segment.len()).collect();
    assert_eq!(lens, [20, 4, 14]);
    assert!(std::ptr::eq(segments[0].as_ptr(), bytes.as_ptr()) && std::ptr::eq(segments[2].as_ptr(), &bytes[24]));
    let edited = Message { sequence_id: -2, ..Message::hello() };
    assert_eq!(segments.concat(), edited.bytes());
}

#[test]
fn names_and_ids_are_rewritten_in_every_transport_and_protocol() {
    for message in messages() {
        let bytes = message.bytes();
        let frame = whole(&Thrift, CLIENT, &bytes);
        let edits = Edits { set: vec![("service", "Greeter".into())], request_id: Some(300), ..Edits::default() };
        let edited = rewrite(&Thrift, frame, &edits).expect("an edit");
        let mut expected = Message { name: "Greeter:sayHello".to_owned(), sequence_id: 300, ..message.clone() };
        let Transport::Header { zlib, sequence_id, .. } = &mut expected.transport else {
            assert_eq!(edited, expected.bytes(), "{message:?}");
            continue;
        };
        *sequence_id = 300;
        if *zlib {
            // Compressed anew: the same message in other bytes.
            assert_eq!(
                fields(&Thrift, whole(&Thrift, CLIENT, &edited)),
                fields(&Thrift, whole(&Thrift, CLIENT, &expected.bytes()))
            );
            assert_eq!(field(&Thrift, whole(&Thrift, CLIENT, &edited), "arg.1"), Some(string("aeraki")));
        } else {
            assert_eq!(edited, expected.bytes(), "{message:?}");
        }
        let back =
            rewrite(&Thrift, whole(&Thrift, CLIENT, &edited), &Edits { request_id: Some(1), ..remove(&["service"]) });
        let back = back.expect("an edit");
        assert_eq!(fields(&Thrift, whole(&Thrift, CLIENT, &back)), fields(&Thrift, frame), "{message:?}");
    }
}

#[test]
fn a_transport_that_counts_by_itself_goes_on_so() {
    let transport = Transport::Header { headers: Vec::new(), zlib: false, sequence_id: 77 };
    let message = Message { transport, ..Message::hello() };
    let edited = rewrite(&Thrift, whole(&Thrift, CLIENT, &message.bytes()), &new_id(5)).expect("an edit");
    assert_eq!(edited, Message { sequence_id: 5, ..message }.bytes());
}

#[test]
fn parts_of_names() {
    let name = |from: &str, edits: &Edits<'_>| {
        let bytes = Message { name: from.to_owned(), ..Message::hello() }.bytes();
        let edited = rewrite(&Thrift, whole(&Thrift, CLIENT, &bytes), edits).expect("an edit");
        field(&Thrift, whole(&Thrift, CLIENT, &edited), "method").expect("a method").to_text().into_owned()
    };
    assert_eq!(name("f", &set(&[("method", "g")])), "g");
    assert_eq!(name("S:f", &set(&[("method", "g")])), "g");
    assert_eq!(name("f", &set(&[("method", "S:g")])), "S:g");
    assert_eq!(name("S:f", &set(&[("method_name", "g")])), "S:g");
    assert_eq!(name("S:f:g", &set(&[("service", "T")])), "T:f:g");
    assert_eq!(name("S:f", &set(&[("method", "g"), ("service", "T")])), "T:g");
    assert_eq!(name("S:f", &remove(&["service"])), "f");
    assert_eq!(name("f", &remove(&["service"])), "f");
    let bytes = Message::hello().bytes();
    let frame = whole(&Thrift, CLIENT, &bytes);
    assert_eq!(bad_value(rewrite(&Thrift, frame, &set(&[("method", "")]))), "method");
    // Without a name, the first message of a connection could not be told from a length of 0.
    let nameless = Message { name: "S:".to_owned(), ..Message::hello() }.bytes();
    assert_eq!(not_writable(rewrite(&Thrift, whole(&Thrift, CLIENT, &nameless), &remove(&["service"]))).0, "service");
    assert_eq!(bad_value(rewrite(&Thrift, frame, &set(&[("service", "a:b")]))), "service");
    assert_eq!(bad_value(rewrite(&Thrift, frame, &set(&[("method_name", "a:b")]))), "method_name");
}

#[test]
fn old_binary_keeps_a_name_by_which_it_is_known() {
    for transport in [Transport::Unframed, Transport::Framed] {
        let message = Message { protocol: Protocol::Old, transport, name: "S:f".to_owned(), ..Message::hello() };
        let bytes = message.bytes();
        let frame = whole(&Thrift, CLIENT, &bytes);
        for (key, value) in [("service", "ñ"), ("method", "[f"), ("method", "\u{1}"), ("method", &"x".repeat(513))] {
            let refused = bad_value(rewrite(&Thrift, frame, &set(&[(key, value)])));
            assert!(["service", "method_name"].contains(&&*refused), "{key} {value:?}: {refused}");
        }
        let edited = rewrite(&Thrift, frame, &set(&[("service", "sñ")])).expect("a name");
        assert_eq!(field(&Thrift, whole(&Thrift, CLIENT, &edited), "service"), Some(string("sñ")));
    }
}

#[test]
fn ids_are_32_bits_signed() {
    let bytes = Message::hello().bytes();
    let frame = whole(&Thrift, CLIENT, &bytes);
    for id in [i64::from(i32::MIN), -1, 0, 5, i32::MAX.into()] {
        let edited = rewrite(&Thrift, frame, &new_id(id as u64)).expect("an id");
        assert_eq!(whole(&Thrift, CLIENT, &edited).head.request_id, RequestId::Int(id as u64));
        let by_key = Edits { set: vec![("seq_id", Value::Int(id))], ..Edits::default() };
        assert_eq!(rewrite(&Thrift, frame, &by_key), Ok(edited.clone()));
        assert_eq!(rewrite(&Thrift, frame, &set(&[("seq_id", &id.to_string())])), Ok(edited));
    }
    for id in [1 << 31, i64::from(u32::MAX), i64::MIN] {
        assert_eq!(bad_value(rewrite(&Thrift, frame, &new_id(id as u64))), "request_id");
    }
    assert_eq!(bad_value(rewrite(&Thrift, frame, &set(&[("seq_id", "one")]))), "seq_id");
    let unsigned = Edits { set: vec![("seq_id", Value::UInt(u64::MAX))], ..Edits::default() };
    assert_eq!(bad_value(rewrite(&Thrift, frame, &unsigned)), "seq_id");
}

#[test]
fn what_has_no_place_is_refused_with_the_reason() {
    for message in messages() {
        let bytes = message.bytes();
        let frame = whole(&Thrift, CLIENT, &bytes);
        let header = matches!(message.transport, Transport::Header { .. });
        let result = rewrite(&Thrift, frame, &set(&[("x-user", "bob")]));
        assert_eq!(result.is_ok(), header, "{message:?}");
        if !header {
            let (key, why) = not_writable(result);
            assert!(key == "x-user" && why.contains("THeader"), "{why}");
        }
        assert!(not_writable(rewrite(&Thrift, frame, &set(&[("arg.1", "x")]))).1.contains("body"));
        assert_eq!(not_writable(rewrite(&Thrift, frame, &remove(&["method"]))).0, "method");
        assert_eq!(not_writable(rewrite(&Thrift, frame, &set(&[("transport", "framed")]))).0, "transport");
        assert_eq!(not_writable(rewrite(&Thrift, frame, &remove(&["reply_type"]))).0, "reply_type");
        // There is nothing to remove.
        assert_eq!(rewrite(&Thrift, frame, &remove(&["absent"])).map(|edited| edited.len()), Ok(bytes.len()));
    }
}

#[test]
fn headers_are_set_added_and_removed() {
    type Pairs = &'static [(&'static str, &'static str)];
    let cases: [(Pairs, Edits<'_>, Pairs); 9] = [
        (&[], set(&[("a", "1")]), &[("a", "1")]),
        (&[("a", "1")], set(&[("a", "2")]), &[("a", "2")]),
        (&[("A", "1"), ("b", "2")], set(&[("a", "longer than before")]), &[("A", "longer than before"), ("b", "2")]),
        (&[("a", "1"), ("b", "2"), ("A", "3")], set(&[("a", "4")]), &[("a", "4"), ("b", "2")]),
        (&[("a", "1"), ("b", "2")], remove(&["A"]), &[("b", "2")]),
        (&[("a", "1")], remove(&["a"]), &[]),
        (&[("a", "1")], Edits { set: set(&[("b", "2")]).set, ..remove(&["a"]) }, &[("b", "2")]),
        (&[("method", "h")], set(&[("header.method", "i")]), &[("method", "i")]),
        (&[("a", "1")], set(&[("B", "1"), ("b", "2")]), &[("a", "1"), ("b", "2")]),
    ];
    for (before, edits, after) in cases {
        for protocol in PROTOCOLS {
            let message = Message { protocol, ..Message::with_headers(before) };
            let bytes = message.bytes();
            let edited = rewrite(&Thrift, whole(&Thrift, CLIENT, &bytes), &edits).expect("an edit");
            let expected = Message { protocol, ..Message::with_headers(after) };
            assert_eq!(edited, expected.bytes(), "{before:?} {edits:?}");
        }
    }
}

#[test]
fn a_compressed_payload_is_not_touched_for_headers() {
    let transport = Transport::Header { headers: Vec::new(), zlib: true, sequence_id: 1 };
    let message = Message { transport, ..Message::hello() };
    let bytes = message.bytes();
    let frame = whole(&Thrift, CLIENT, &bytes);
    let segments = AnyCodec::rewrite(&Thrift, frame, &set(&[("a", "b")]), &Limits::default()).expect("an edit");
    let payload = segments.last().expect("a payload");
    assert!(std::ptr::eq(payload.as_ptr(), frame.body().as_ptr()) && payload.len() == frame.body().len());
    let headers = vec![("a".to_owned(), "b".to_owned())];
    let transport = Transport::Header { headers, zlib: true, sequence_id: 1 };
    assert_eq!(segments.concat(), Message { transport, ..message }.bytes());
}

#[test]
fn other_blocks_of_a_header_survive() {
    let payload = Message::hello().payload();
    // Persistent pairs, a block of pairs, a block nobody knows: two zeros of padding may be its own, so they stay.
    let bytes = header_frame(1, b"\0\0\x02\x01\x01p\x01q\x01\x01\x01a\x011\x07unknown", &payload);
    let frame = whole(&Thrift, CLIENT, &bytes);
    let edited = rewrite(&Thrift, frame, &set(&[("b", "2")])).expect("an edit");
    assert_eq!(edited, header_frame(1, b"\0\0\x02\x01\x01p\x01q\x01\x02\x01a\x011\x01b\x012\x07unknown\0\0", &payload));
    let edited = rewrite(&Thrift, frame, &set(&[("P", "r")])).expect("an edit");
    assert_eq!(edited, header_frame(1, b"\0\0\x02\x01\x01p\x01r\x01\x01\x01a\x011\x07unknown", &payload));
    let edited =
        rewrite(&Thrift, frame, &Edits { set: set(&[("b", "2")]).set, ..remove(&["a", "p"]) }).expect("an edit");
    assert_eq!(edited, header_frame(1, b"\0\0\x01\x01\x01b\x012\x07unknown\0\0", &payload));
}

#[test]
fn a_header_takes_no_more_than_its_size_can_say() {
    let bytes = Message::with_headers(&[]).bytes();
    let long = "x".repeat(65535 * 4 - 8);
    let frame = whole(&Thrift, CLIENT, &bytes);
    let limits = Limits { max_header_len: 1 << 20, ..Limits::default() };
    // Two bytes before the block, one each of id, count, key length and key, three of value length: 9 with the key.
    let fits = rewrite(&Thrift, frame, &set(&[("k", &long[1..])])).expect("an edit");
    assert_eq!(feed(&thrift(), CLIENT, limits, &fits, []).frames.len(), 1);
    let result = rewrite(&Thrift, frame, &set(&[("k", &long)]));
    assert_eq!(result, Err(EncodeError::TooLong { len: 65536 * 4, max: 65535 * 4 }));
}

#[test]
fn an_edit_of_a_broken_frame_says_where_it_is_broken() {
    let bytes = header_frame(1, &[0, 0, 1, 1, 9, b'k'], &Message::hello().payload());
    let frame = whole(&Thrift, CLIENT, &bytes);
    match rewrite(&Thrift, frame, &set(&[("a", "b")])) {
        Err(EncodeError::Malformed(error)) => assert_eq!(error.offset, 19),
        other => panic!("{other:?}"),
    }
    assert!(rewrite(&Thrift, frame, &new_id(7)).is_ok(), "the id lies elsewhere");
}

#[test]
fn replies_are_exceptions_in_the_words_of_the_request() {
    let types = [1, 6, 6, 7, 6, 6, 6, 6, 6, 7];
    for message in messages() {
        let message = Message { sequence_id: -5, name: "Greeter:sayHello".to_owned(), ..message };
        let bytes = message.bytes();
        for (error, expected_type) in ErrorType::ALL.into_iter().zip(types) {
            let reply = error_reply(&Thrift, whole(&Thrift, CLIENT, &bytes), error, "no röute")
                .expect("a reply")
                .expect("a reply");
            let transport = match &message.transport {
                Transport::Header { sequence_id, .. } => {
                    Transport::Header { headers: Vec::new(), zlib: false, sequence_id: *sequence_id }
                }
                other => other.clone(),
            };
            let fields = vec![(1, Item::Binary("no röute".into())), (2, Item::I32(expected_type))];
            // No server repeats the service's prefix.
            let name = "sayHello".to_owned();
            let expected = Message { transport, name, message_type: 3, fields, ..message.clone() };
            assert_eq!(reply, expected.bytes(), "{error:?} for {message:?}");
            let frame = whole(&Thrift, SERVER, &reply);
            assert_eq!(frame.head.kind, Kind::Error);
            assert_eq!(frame.head.request_id, RequestId::Int(-5_i64 as u64));
            assert_eq!(field(&Thrift, frame, "exception_type"), Some(Value::Int(expected_type.into())));
            assert_eq!(field(&Thrift, frame, "exception_message"), Some(string("no röute")));
        }
    }
}

#[test]
fn the_flags_of_a_header_come_back() {
    let mut bytes = Message::with_headers(&[("a", "b")]).bytes();
    bytes[6..8].copy_from_slice(&[0x12, 0x34]);
    let reply =
        error_reply(&Thrift, whole(&Thrift, CLIENT, &bytes), ErrorType::Denied, "").expect("a reply").expect("a reply");
    assert_eq!(reply[6..8], [0x12, 0x34]);
}

#[test]
fn the_reference_reply_to_the_byte() {
    let bytes = Message::hello().bytes();
    let reply =
        error_reply(&Thrift, whole(&Thrift, CLIENT, &bytes), ErrorType::Unspecified, "no route").expect("a reply");
    let expected = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/003-framed-binary-exception.bin"));
    assert_eq!(reply, Some(expected.expect("a vector")));
}

#[test]
fn what_takes_no_reply() {
    for message_type in [2, 3] {
        let message = Message { message_type, ..Message::hello() };
        let result = error_reply(&Thrift, whole(&Thrift, SERVER, &message.bytes()), ErrorType::Denied, "");
        assert!(matches!(result, Err(EncodeError::NoReply { .. })), "{result:?}");
    }
    let oneway = Message { message_type: 4, ..Message::hello() }.bytes();
    assert_eq!(error_reply(&Thrift, whole(&Thrift, CLIENT, &oneway), ErrorType::Denied, ""), Ok(None));
    let bytes = Message::hello().bytes();
    let result = AnyCodec::reply(&Thrift, whole(&Thrift, CLIENT, &bytes), Reply::Heartbeat);
    assert!(matches!(result, Err(EncodeError::NoReply { .. })), "{result:?}");
}

fn detect(direction: Direction, prefix: &[u8]) -> Detection {
    AnyCodec::detect(&Thrift, direction, prefix)
}

#[test]
fn detection_says_yes_once_and_stays_with_it() {
    for message in messages() {
        for message_type in 1..=4 {
            let message = Message { message_type, ..message.clone() };
            let bytes = [message.bytes(), message.bytes()].concat();
            let answers: Vec<Detection> =
                (0..=bytes.len()).map(|len| detect(message.direction(), &bytes[..len])).collect();
            let yes = answers.iter().position(|answer| *answer == Detection::Yes).expect("a yes");
            assert!(answers[..yes].iter().all(|answer| *answer == Detection::NeedMore), "{message:?}");
            assert!(answers[yes..].iter().all(|answer| *answer == Detection::Yes), "{message:?}");
            assert!((8..=22).contains(&yes), "{yes} for {message:?}");
        }
    }
}

#[test]
fn detection_says_no_as_soon_as_it_can() {
    let cases: [(&[u8], usize); 16] = [
        (b"GET / HTTP/1.1", 1),
        (b"\x16\x03\x01\x02\x00\x01", 6),
        (b"PRI * HTTP/2.0", 1),
        (b"\xda\xbb\xc2\0", 4),
        (b"*1\r\n$4\r\nPING", 6),
        (b"\0\0\0\0", 4),
        (b"\xff\xff\xff\xff", 4),
        (b"\x80\x02", 2),
        (b"\x82\x22", 2),
        (b"[1,\"f\",1,0,{}]", 1),
        (b"\0\0\0\x20\x80\x01\0\x05", 8),
        (b"\0\0\0\x20\x82\xa1", 6),
        // Kafka: metadata request, version 9, and a produce request whose version is a plausible length.
        (b"\0\0\0\x20\0\x03\0\x09\0\0\0\x01", 6),
        (b"\0\0\0\x20\0\0\0\x09\0\0\0\x01", 9),
        // PostgreSQL: start of a session.
        (b"\0\0\0\x20\0\x03\0\0user\0", 6),
        // tRPC.
        (b"\x09\x30\0\0\0\0\0\x40\0\x10", 9),
    ];
    for (bytes, no_at) in cases {
        for len in 0..=bytes.len() {
            let expected = if len < no_at { Detection::NeedMore } else { Detection::No };
            assert_eq!(detect(CLIENT, &bytes[..len]), expected, "{len} bytes of {bytes:?}");
        }
    }
}

#[test]
fn a_name_of_any_length_is_told_from_a_frame() {
    for len in [1, 2, 3, 4, 5, 11, 33, 128, 129, 255, 256, 512] {
        for transport in [Transport::Unframed, Transport::Framed] {
            let message = Message {
                protocol: Protocol::Old,
                transport,
                name: "n".repeat(len),
                fields: vec![],
                ..Message::hello()
            };
            let stream = [message.bytes(), message.bytes()].concat();
            let decoded = feed(&thrift(), CLIENT, Limits::default(), &stream, std::iter::repeat(1));
            assert_eq!((decoded.frames.len(), decoded.failure), (2, None), "{message:?}");
            let frame = decoded.frames[1].frame();
            assert_eq!(field(&Thrift, frame, "method"), Some(string(&message.name)));
            assert_eq!(field(&Thrift, frame, "protocol"), Some(string("binary_old")));
        }
    }
}

#[test]
fn once_known_old_binary_may_have_names_of_any_length() {
    let short = Message { protocol: Protocol::Old, ..Message::hello() };
    for name in ["x".repeat(5000), String::new(), "naïve".to_owned(), "\u{1}".to_owned()] {
        for transport in [Transport::Unframed, Transport::Framed] {
            let first = Message { transport: transport.clone(), ..short.clone() };
            let second = Message { transport, name: name.clone(), ..short.clone() };
            let decoded = decode(&thrift(), CLIENT, &[first.bytes(), second.bytes()].concat());
            assert_eq!((decoded.frames.len(), decoded.failure), (2, None), "{name:?}");
        }
    }
}

#[test]
fn an_empty_name_is_legal() {
    for message in messages().filter(|message| message.protocol != Protocol::Old) {
        let message = Message { name: String::new(), ..message };
        let bytes = message.bytes();
        assert_eq!(field(&Thrift, whole(&Thrift, CLIENT, &bytes), "method"), Some(string("")), "{message:?}");
    }
    assert_eq!(decode(&thrift(), CLIENT, &framed(b"\x82\x21\0\0\0")).frames.len(), 1, "the shortest message");
}
