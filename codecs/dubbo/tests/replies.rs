//! Answers made on the spot, and how streams are recognised.

mod common;

use common::{field, fields, frame, head, map, request, response, whole};
use metaprotocol_core::{AnyCodec, Detection, EncodeError, ErrorType, Kind, Reply, RequestId, Value};
use metaprotocol_dubbo::Dubbo;
use metaprotocol_dubbo::wire::{HESSIAN2, REQUEST, TWO_WAY};
use metaprotocol_testkit::{CLIENT, SERVER, string};

fn reply(bytes: &[u8], reply: Reply<'_>) -> Result<Option<Vec<u8>>, EncodeError> {
    AnyCodec::reply(&Dubbo, whole(bytes), reply)
}

#[test]
fn the_documented_examples_to_the_byte() {
    let call = request(1, "", &map(&[]));
    let expected = b"\xda\xbb\x02\x3c\0\0\0\0\0\0\0\x01\0\0\0\x09\x08no route".to_vec();
    assert_eq!(reply(&call, Reply::Error(ErrorType::RouteNotFound, "no route")), Ok(Some(expected)));
    let expected = b"\xda\xbb\x22\x14\0\0\0\0\0\0\0\x02\0\0\0\x01N".to_vec();
    for body in [b"N".as_slice(), b""] {
        assert_eq!(reply(&frame(0xe2, 0, 2, body), Reply::Heartbeat), Ok(Some(expected.clone())));
    }
}

#[test]
fn every_error_has_a_status_and_the_id_of_the_request() {
    let statuses = [60, 60, 80, 50, 80, 100, 31, 80, 70, 40];
    for (error, status) in ErrorType::ALL.into_iter().zip(statuses) {
        for message in ["no route", "", "kein Weg: 中 😀", &"x".repeat(100_000), &"😀".repeat(20_000)] {
            let call = request(0xfedc_ba98_7654_3210, "", &map(&[]));
            let answer = reply(&call, Reply::Error(error, message)).expect("a reply").expect("an answer");
            let head = head(&answer);
            assert_eq!(head.kind, Kind::Error);
            assert_eq!(head.request_id, RequestId::Int(0xfedc_ba98_7654_3210));
            assert_eq!(field(&answer, "status"), Some(Value::Int(status)));
            assert_eq!(field(&answer, "error_message"), Some(string(message)));
            assert_eq!(answer[2], HESSIAN2);
        }
    }
}

#[test]
fn a_message_beyond_one_chunk_is_cut_as_java_cuts_it() {
    let message = format!("{}😀", "a".repeat(0x7fff));
    let answer = reply(&request(1, "", &map(&[])), Reply::Error(ErrorType::Unspecified, &message));
    let answer = answer.expect("a reply").expect("an answer");
    assert_eq!(answer[16..20], *b"R\x7f\xffa");
    assert_eq!(answer[19 + 0x7fff..], *b"\x02\xed\xa0\xbd\xed\xb8\x80");
}

#[test]
fn json_serializations_get_a_line_of_json() {
    for serialization in [6, 16] {
        let call = frame(REQUEST | TWO_WAY | serialization, 0, 5, b"\"2.0.2\"\n");
        let answer = reply(&call, Reply::Error(ErrorType::Timeout, "say \"no\"\\\n\u{1}é😀"));
        let answer = answer.expect("a reply").expect("an answer");
        assert_eq!(answer[..4], [0xda, 0xbb, serialization, 31]);
        assert_eq!(head(&answer).kind, Kind::Error);
        let line = std::str::from_utf8(&answer[16..]).expect("UTF-8");
        assert!(line.ends_with('\n') && line.trim_end_matches('\n').lines().count() == 1);
        assert_eq!(serde_json::from_str::<String>(line).expect("JSON"), "say \"no\"\\\n\u{1}é😀");
    }
    let call = frame(REQUEST | TWO_WAY | 22, 0, 5, b"?");
    assert!(matches!(reply(&call, Reply::Error(ErrorType::Timeout, "no")), Err(EncodeError::NoReply { .. })));
}

#[test]
fn who_waits_for_no_answer_gets_none() {
    let oneway = frame(REQUEST | HESSIAN2, 0, 1, b"");
    assert_eq!(reply(&oneway, Reply::Error(ErrorType::Timeout, "no")), Ok(None));
    assert_eq!(reply(&frame(0xa2, 0, 1, b"N"), Reply::Heartbeat), Ok(None));
}

#[test]
fn heartbeats_in_other_serializations_get_their_own_null_back() {
    assert_eq!(reply(&frame(0xe6, 0, 9, b"null\n"), Reply::Heartbeat), Ok(Some(frame(0x26, 20, 9, b"null\n"))));
    assert!(matches!(reply(&frame(0xe6, 0, 9, &[b' '; 65]), Reply::Heartbeat), Err(EncodeError::NoReply { .. })));
}

#[test]
fn what_cannot_be_answered_says_so() {
    let error = Reply::Error(ErrorType::Timeout, "no");
    let call = request(1, "", &map(&[]));
    let cases: [(&[u8], Reply<'_>); 7] = [
        (&call, Reply::Heartbeat),
        (&frame(0xe2, 0, 1, b"N"), error),
        (&frame(0xe2, 0, 1, b"\x01R"), error),
        (&frame(0xe2, 0, 1, b"\x01R"), Reply::Heartbeat),
        (&response(1, b"\x92"), error),
        (&response(1, b"\x92"), Reply::Heartbeat),
        (&frame(0x22, 20, 1, b"N"), Reply::Heartbeat),
    ];
    for (bytes, wanted) in cases {
        assert!(matches!(reply(bytes, wanted), Err(EncodeError::NoReply { .. })), "{wanted:?} to {bytes:x?}");
    }
}

#[test]
fn kinds_follow_from_the_header_and_the_first_byte_of_the_body() {
    let cases: [(u8, u8, &[u8], Kind); 17] = [
        (0xc2, 0, b"", Kind::Request),
        (0x82, 0, b"", Kind::Oneway),
        (0xc6, 0, b"", Kind::Request),
        (0xe2, 0, b"N", Kind::Heartbeat),
        (0xe2, 0, b"", Kind::Heartbeat),
        (0xa2, 0, b"\x00", Kind::Heartbeat),
        (0xa2, 0, b"\x01R", Kind::Control),
        (0x22, 20, b"N", Kind::Heartbeat),
        (0x22, 20, b"", Kind::Heartbeat),
        (0xe6, 0, b"null", Kind::Heartbeat),
        (0x02, 20, b"", Kind::Response),
        (0x02, 20, b"\x90", Kind::Error),
        (0x02, 20, b"\x91", Kind::Response),
        (0x02, 20, b"\x93", Kind::Error),
        (0x02, 20, b"\x95", Kind::Response),
        (0x02, 70, b"\x91", Kind::Error),
        (0x06, 20, b"\x90", Kind::Response),
    ];
    for (flags, status, body, kind) in cases {
        assert_eq!(head(&frame(flags, status, 1, body)).kind, kind, "{flags:x} {status} {body:x?}");
    }
}

#[test]
fn unreadable_bodies_still_have_the_fields_of_the_header() {
    let call = frame(REQUEST | TWO_WAY | 22, 0, 5, b"\xff\xff");
    assert_eq!(fields(&call).len(), 3);
    assert_eq!(field(&call, "serialization"), Some(string("protobuf")));
    assert_eq!(field(&call, "method"), None);
    assert_eq!(field(&frame(REQUEST | 29, 0, 5, b""), "serialization"), Some(string("29")));
    assert_eq!(field(&frame(22, 20, 5, b"\xff"), "result_type"), None);
}

#[test]
fn arguments_are_there_for_who_asks() {
    let call = request(
        1,
        "Ljava/lang/String;IJLjava/util/List;ZDLjava/lang/Object;",
        &[b"\x02hi\x93\xe2\x79\x91T\x5e\x01\x00N".as_slice(), &map(&[("arg.0", "hidden"), ("arg.9", "too")])].concat(),
    );
    let expected = [
        ("arg.0", Some(string("hi"))),
        ("arg.1", Some(Value::Int(3))),
        ("arg.2", Some(Value::Int(2))),
        ("arg.3", None),
        ("arg.4", Some(string("true"))),
        ("arg.5", Some(string("256.0"))),
        ("arg.6", None),
        ("arg.7", None),
        ("arg.9", None),
        ("param_count", Some(Value::Int(7))),
    ];
    for (key, value) in expected {
        assert_eq!(field(&call, key), value, "{key}");
    }
    assert!(!fields(&call).keys().any(|key| key.starts_with("arg.")));
    // Behind the last argument stands something else, or nothing.
    assert_eq!(field(&request(1, "", b"\x91"), "arg.0"), None);
    assert_eq!(field(&request(1, "I", b"\x91"), "arg.1"), None);
}

#[test]
fn exceptions_are_told_whatever_their_shape() {
    let message = common::text("detailMessage");
    let nested = [
        b"C\x06a.Deep\x94\x05cause".as_slice(),
        &message,
        b"\x04code",
        &message,
        // The cause has a message of its own, which is not this one's.
        b"\x60\x60N\x05inner\x91N\x03yes\x90N",
    ]
    .concat();
    let typed_map = [b"M\x05a.Map\x01x\x79\x02no".as_slice(), &message, b"\x03yesZ"].concat();
    let cases: [(&[u8], Option<&str>, Option<&str>); 5] = [
        (&nested, Some("a.Deep"), Some("yes")),
        (&typed_map, Some("a.Map"), Some("yes")),
        (b"\x04oops", None, Some("oops")),
        (b"N", None, None),
        (b"\x79N", None, None),
    ];
    for (value, class, text) in cases {
        for (result_type, tail) in [(b"\x90", b"".to_vec()), (b"\x93", map(&[("dubbo", "2.0.2")]))] {
            let thrown = response(1, &[result_type, value, &tail].concat());
            assert_eq!(head(&thrown).kind, Kind::Error);
            assert_eq!(field(&thrown, "exception"), class.map(string));
            assert_eq!(field(&thrown, "exception_message"), text.map(string));
            assert_eq!(field(&thrown, "dubbo").is_some(), !tail.is_empty());
            let all = fields(&thrown);
            assert_eq!(all.get("exception"), class.map(string).as_ref());
            assert_eq!(all.get("exception_message"), text.map(string).as_ref());
        }
    }
}

#[test]
fn a_stream_is_recognised_by_its_first_four_bytes() {
    let cases: [(&[u8], Detection); 10] = [
        (b"", Detection::NeedMore),
        (b"\xda", Detection::NeedMore),
        (b"\xda\xbb\xc2", Detection::NeedMore),
        (b"\xda\xbb\xc2\x00", Detection::Yes),
        (b"\xda\xbb\x02\x14", Detection::Yes),
        (b"\xda\xbb\x02\x15", Detection::No),
        (b"\xdb", Detection::No),
        (b"\xda\xbc", Detection::No),
        (b"\xda\xbb\xc2\x00\0\0\0\0\0\0\0\x01\x80", Detection::No),
        (b"\xda\xbb\xc2\x00\0\0\0\0\0\0\0\x01\x00", Detection::Yes),
    ];
    for (prefix, expected) in cases {
        assert_eq!(AnyCodec::detect(&Dubbo, CLIENT, prefix), expected, "{prefix:x?}");
        assert_eq!(AnyCodec::detect(&Dubbo, SERVER, prefix), expected, "{prefix:x?}");
    }
}
