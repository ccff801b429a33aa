//! What only bRPC has: streams that a request opens, responses within them, metas that are edited by splicing.

mod common;

use common::{
    brpc, bytes, call, field, fields, frame, number, opening, request, response, rewrite, stream_frame, whole,
};
use metaprotocol_brpc::Brpc;
use metaprotocol_brpc::wire::{HEADER_LEN, PRPC, STRM, variant};
use metaprotocol_core::{AnyCodec, EncodeError, ErrorType, Frame, Kind, Limits, Reply, RequestId, Value};
use metaprotocol_testkit::{
    self as kit, CLIENT, OwnedFrame, SERVER, error_reply, exercise_frame, feed_to, new_id, remove, set, string,
};

/// The frames that a server sends to a client that has sent these requests.
fn answered(asked: &[u8], answers: &[u8], chunks: &[usize]) -> Vec<OwnedFrame> {
    let mut connection = brpc().connect(Limits::default());
    assert!(feed_to(connection.as_mut(), CLIENT, asked, []).failure.is_none());
    let decoded = feed_to(connection.as_mut(), SERVER, answers, chunks.iter().copied());
    assert_eq!((decoded.failure, decoded.missing), (None, 0));
    decoded.frames
}

fn wrapped(stream_id: i64, response: &[u8]) -> Vec<u8> {
    stream_frame(stream_id, 60, 3, response)
}

#[test]
fn a_response_within_the_stream_answers_the_request_that_opened_it() {
    let inner = response(9, 0, Some(60));
    let stream = [wrapped(5, &inner), stream_frame(5, 60, 3, &inner)].concat();
    for chunk in [1, 7, 1000] {
        let frames = answered(&opening(9, 5), &stream, &vec![chunk; stream.len()]);
        let [first, second] = frames.as_slice() else { panic!("{frames:?}") };
        assert_eq!((first.head.kind, first.head.request_id), (Kind::Response, RequestId::Int(9)));
        assert_eq!((first.head.stream_id, first.head.variant), (Some(5), variant::WRAPPED));
        let frame = first.frame();
        assert_eq!(frame.body(), b"answer");
        let found = kit::fields(&Brpc, frame);
        let expected = [
            ("stream_id", Value::Int(5)),
            ("source_stream_id", Value::Int(60)),
            ("frame_type", string("data")),
            ("error_code", Value::Int(0)),
            ("settings_stream_id", Value::Int(60)),
            ("payload_size", Value::UInt(6)),
        ];
        assert_eq!(found, expected.into_iter().map(|(key, value)| (key.to_owned(), value)).collect());
        // Only the first: what comes behind it is data, whatever it looks like.
        assert_eq!((second.head.kind, second.head.request_id), (Kind::StreamData, RequestId::None));
    }
}

#[test]
fn errors_within_the_stream_are_errors() {
    let frames = answered(&opening(9, 5), &wrapped(5, &response(9, 1004, None)), &[]);
    assert_eq!(frames[0].head.kind, Kind::Error);
    let value = kit::field(&Brpc, frames[0].frame(), "error_code");
    assert_eq!(value, Some(Value::Int(1004)));
}

#[test]
fn what_is_no_response_to_the_request_is_data() {
    let cases: [Vec<u8>; 7] = [
        wrapped(5, b"data"),
        wrapped(5, b""),
        wrapped(5, &response(10, 0, None)),
        wrapped(5, &request(9, &[], &[])),
        wrapped(5, &[response(9, 0, None), b"more".to_vec()].concat()),
        wrapped(5, &frame(PRPC, &[0x0b], b"")),
        frame(STRM, &[number(1, 5), number(3, 3), number(4, 1)].concat(), &response(9, 0, None)),
    ];
    for case in cases {
        // What was no response leaves the request waiting for one.
        let frames = answered(&opening(9, 5), &[case.clone(), wrapped(5, &response(9, 0, None))].concat(), &[]);
        let kinds: Vec<Kind> = frames.iter().map(|frame| frame.head.kind).collect();
        assert_eq!(kinds, [Kind::StreamData, Kind::Response], "{case:x?}");
    }
    let other = answered(&opening(9, 5), &wrapped(6, &response(9, 0, None)), &[]);
    assert_eq!(other[0].head.kind, Kind::StreamData, "another stream");
}

#[test]
fn what_ends_the_opening_is_remembered() {
    let late = wrapped(5, &response(9, 0, None));
    for end in [response(9, 0, Some(60)), stream_frame(5, 60, 1, b""), stream_frame(5, 60, 2, b"")] {
        let frames = answered(&opening(9, 5), &[end, late.clone()].concat(), &[]);
        assert_eq!(frames[1].head.kind, Kind::StreamData);
    }
}

#[test]
fn openings_are_bounded_and_the_oldest_is_forgotten() {
    let limits = Limits { max_in_flight: 2, ..Limits::default() };
    let mut connection = brpc().connect(limits);
    let asked: Vec<u8> = (1..=3).flat_map(|id| opening(id, 100 + id)).collect();
    feed_to(connection.as_mut(), CLIENT, &asked, []);
    let answers: Vec<u8> = (1..=3).flat_map(|id| wrapped(100 + id, &response(id, 0, None))).collect();
    let kinds: Vec<Kind> =
        feed_to(connection.as_mut(), SERVER, &answers, []).frames.iter().map(|frame| frame.head.kind).collect();
    assert_eq!(kinds, [Kind::StreamData, Kind::Response, Kind::Response]);
}

#[test]
fn a_wrapped_response_is_edited_in_both_of_its_metas() {
    let inner = response(9, 0, Some(60));
    let frames = answered(&opening(9, 5), &wrapped(5, &inner), &[]);
    let wrapped_frame = frames[0].frame();
    exercise_frame(&Brpc, wrapped_frame, &Limits::default());
    let mut edits = new_id(1 << 40);
    edits.set = vec![
        ("stream_id", Value::Int(1 << 50)),
        ("settings_stream_id", Value::Int(7)),
        ("source_stream_id", Value::Int(7)),
        ("error_text", "fine".into()),
        ("x-user", "größer".into()),
    ];
    let edited = kit::rewrite(&Brpc, wrapped_frame, &edits).expect("an edited frame");
    let frames = answered(&opening(1 << 40, 1 << 50), &edited, &[]);
    assert_eq!(frames[0].head.kind, Kind::Response);
    let found = kit::fields(&Brpc, frames[0].frame());
    assert_eq!(found["stream_id"], Value::Int(1 << 50));
    assert_eq!(found["settings_stream_id"], Value::Int(7));
    assert_eq!(found["source_stream_id"], Value::Int(7));
    assert_eq!(found["error_text"], string("fine"));
    assert_eq!(found["x-user"], string("größer"));
    assert_eq!(frames[0].frame().body(), b"answer");
}

#[test]
fn data_of_a_stream_is_answered_by_its_end() {
    let data = stream_frame(5, 60, 3, b"data");
    let reply = error_reply(&Brpc, whole(&data), ErrorType::Denied, "denied");
    assert_eq!(reply, Ok(Some(frame(STRM, &[number(1, 60), number(3, 1)].concat(), b""))));
    for end in [1, 2, 0] {
        let frame = stream_frame(5, 60, end, b"");
        assert!(matches!(error_reply(&Brpc, whole(&frame), ErrorType::Denied, ""), Err(EncodeError::NoReply { .. })));
    }
}

#[test]
fn the_error_of_every_type_is_the_one_of_the_protocols_description() {
    let asked = request(9, &[], &[]);
    let reply = error_reply(&Brpc, whole(&asked), ErrorType::RouteNotFound, "no route");
    let expected = "505250430000001100000011120d08e90712086e6f20726f7574652009";
    assert_eq!(
        reply,
        Ok(Some((0..29).map(|at| u8::from_str_radix(&expected[2 * at..][..2], 16).unwrap_or(0)).collect()))
    );
    let codes: Vec<i64> = ErrorType::ALL
        .into_iter()
        .map(|error| {
            let reply = error_reply(&Brpc, whole(&asked), error, "").ok().flatten().expect("a reply");
            let frame = kit::whole(&Brpc, SERVER, &reply);
            match kit::field(&Brpc, frame, "error_code") {
                Some(Value::Int(code)) => code,
                other => panic!("{other:?}"),
            }
        })
        .collect();
    assert_eq!(codes, [1001, 1001, 1009, 2002, 2001, 2004, 1008, 1009, 1004, 1003]);
    assert!(matches!(AnyCodec::reply(&Brpc, whole(&asked), Reply::Heartbeat), Err(EncodeError::NoReply { .. })));
}

#[test]
fn edits_change_what_they_name_and_nothing_else() {
    let unknown = [bytes(100, "later"), number(1000, -1)].concat();
    let before = request(9, &[number(3, 42), bytes(50, "new")].concat(), &unknown);
    let after = rewrite(&before, &set(&[("log_id", "43"), ("request_id", "r"), ("timeout_ms", "5")]));
    let inner = [number(3, 43), bytes(50, "new"), bytes(7, "r"), number(8, 5)].concat();
    assert_eq!(after, Ok(request(9, &inner, &unknown)));
    // Back again: the fields that were added are taken away.
    let edits = kit::rewrite(&Brpc, whole(&after.unwrap_or_default()), &{
        let mut edits = set(&[("log_id", "42")]);
        edits.remove = vec!["x-request-id", "timeout_ms"];
        edits
    });
    assert_eq!(edits, Ok(before));
}

#[test]
fn of_fields_that_come_again_the_last_is_set_and_all_are_removed() {
    let meta = [number(4, 1), bytes(1, [bytes(1, "a.A"), bytes(2, "f"), number(3, 1)].concat()), number(4, 2)].concat();
    let meta = [meta, bytes(1, [number(3, 2), number(3, 3)].concat())].concat();
    let before = frame(PRPC, &meta, b"body");
    let after = rewrite(&before, &set(&[("log_id", "4")])).unwrap_or_default();
    assert_eq!(field(&after, "log_id"), Some(Value::Int(4)));
    assert_eq!(after.len(), before.len());
    let after = rewrite(&before, &remove(&["log_id"])).unwrap_or_default();
    assert_eq!(field(&after, "log_id"), None);
    assert_eq!(before.len() - after.len(), 6);
    let moved = rewrite(&before, &new_id(300)).unwrap_or_default();
    assert_eq!(whole(&moved).head.request_id, RequestId::Int(300));
    assert_eq!(moved.len(), before.len() + 1);
}

#[test]
fn fields_of_java_users_stay_where_they_are() {
    let entry = |key: &str, value: &str| [bytes(1, key), bytes(2, value)].concat();
    let before = request(9, &[bytes(7, entry("a", "1")), bytes(7, entry("b", "2"))].concat(), &[]);
    let after = rewrite(&before, &set(&[("b", "two"), ("c", "3")]));
    let inner = [bytes(7, entry("a", "1")), bytes(7, entry("b", "two")), bytes(7, entry("c", "3"))].concat();
    assert_eq!(after, Ok(request(9, &inner, &[])));
    assert!(matches!(rewrite(&before, &set(&[("x-request-id", "r")])), Err(EncodeError::NotWritable { .. })));
    // Others have theirs in a map of the meta, and a text in that place.
    let before = request(9, &bytes(7, "\nno entry"), &bytes(9, entry("a", "1")));
    assert_eq!(field(&before, "request_id"), Some(string("\nno entry")));
    let after = rewrite(&before, &set(&[("c", "3")]));
    assert_eq!(
        after,
        Ok(request(9, &bytes(7, "\nno entry"), &[bytes(9, entry("a", "1")), bytes(9, entry("c", "3"))].concat()))
    );
    let after = rewrite(&before, &remove(&["a"]));
    assert_eq!(after, Ok(request(9, &bytes(7, "\nno entry"), &[])));
}

#[test]
fn what_cannot_be_written_is_refused() {
    let call = request(9, &[], &number(5, 3));
    let refused = |bytes: &[u8], key: &str| match rewrite(bytes, &set(&[(key, "7")])) {
        Err(EncodeError::NotWritable { key: refused, .. }) => assert_eq!(refused, key),
        other => panic!("{key}: {other:?}"),
    };
    for key in ["attachment_size", "payload_size", "compress_type", "error_code", "source_stream_id", "frame_type"] {
        refused(&call, key);
    }
    refused(&stream_frame(5, 6, 3, b""), "method");
    refused(&stream_frame(5, 6, 3, b""), "x-user");
    assert!(matches!(rewrite(&call, &remove(&["method"])), Err(EncodeError::NotWritable { .. })));
    assert!(matches!(rewrite(&call, &remove(&["attachment_size"])), Err(EncodeError::NotWritable { .. })));
    assert_eq!(rewrite(&call, &remove(&["error_code", "absent", "log_id"])), Ok(call.clone()));
    for value in ["x", "2147483648", ""] {
        assert!(matches!(rewrite(&call, &set(&[("timeout_ms", value)])), Err(EncodeError::BadValue { .. })), "{value}");
    }
    let long = "x".repeat(70_000);
    assert!(matches!(rewrite(&call, &set(&[("request_id", &long)])), Err(EncodeError::TooLong { .. })));
}

#[test]
fn what_is_not_utf8_reads_with_replacements_and_stays() {
    let before = request(9, &bytes(7, [0xff, b'a']), &[]);
    assert_eq!(fields(&before)["request_id"], string("\u{fffd}a"));
    let after = rewrite(&before, &set(&[("log_id", "1")])).unwrap_or_default();
    assert!(after.windows(4).any(|window| window == [0x3a, 2, 0xff, b'a']));
}

#[test]
fn users_fields_are_counted() {
    let many: Vec<u8> = (0..10).flat_map(|_| bytes(9, bytes(1, "k"))).collect();
    let call = frame(PRPC, &call(1, &[], &many), b"");
    let limits = Limits { max_field_count: 9, ..Limits::default() };
    let (_, result) = kit::try_fields(&Brpc, whole(&call), &limits);
    assert_eq!(result.map_err(|error| error.reason.code()), Err("limit_exceeded"));
    assert_eq!(kit::try_fields(&Brpc, whole(&call), &Limits { max_field_count: 10, ..limits }).1, Ok(()));
    // Keys of the protocol's own are not counted, and cost no look at the others.
    assert_eq!(AnyCodec::field(&Brpc, whole(&call), &AnyCodec::key(&Brpc, "method"), &limits), Ok(Some("f".into())));
}

#[test]
fn a_frame_that_no_split_made_does_no_harm() {
    for variant in [variant::PLAIN, variant::WRAPPED, 9] {
        for data in [&b"PRPC"[..], b"STRM\0\0\0\x0c\0\0\0\0PRPC\0\0\0\0\0\0\0\0", b"STRM\0\0\0\0\0\0\0\xffx"] {
            let mut head = whole(&request(1, &[], &[])).head;
            head.variant = variant;
            head.frame_len = data.len();
            for header_len in [0, HEADER_LEN.min(data.len()), data.len()] {
                head.header_len = header_len as u32;
                let frame = Frame::new(head, data).expect("as long as it says");
                exercise_frame(&Brpc, frame, &Limits::default());
            }
        }
    }
}
