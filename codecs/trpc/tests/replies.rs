//! Answers made on the spot.
#![allow(clippy::expect_used, reason = "a test may panic")]

mod common;

use common::{field, fields, hex, number, part, stream, unary, whole};
use metaprotocol_core::{AnyCodec, EncodeError, ErrorType, Kind, Reply, RequestId};
use metaprotocol_testkit::{CLIENT, SERVER, error_reply};
use metaprotocol_trpc::{Trpc, ret_of};

fn refuse(direction: metaprotocol_core::Direction, bytes: &[u8]) -> Result<Option<Vec<u8>>, EncodeError> {
    error_reply(&Trpc, whole(direction, bytes), ErrorType::RouteNotFound, "no route")
}

#[test]
fn a_call_is_answered_with_its_id_version_type_and_content_type() {
    let request =
        unary(&[number(3, 300), number(4, 1000), part(7, "/a.B/C"), number(10, 2), number(11, 1)].concat(), 300, b"{}");
    let expected = unary(&[number(3, 300), number(4, 11), part(6, "no route"), number(9, 2)].concat(), 300, b"");
    assert_eq!(refuse(CLIENT, &request), Ok(Some(expected.clone())));
    let answer = whole(SERVER, &expected);
    assert_eq!((answer.head.kind, answer.head.request_id), (Kind::Error, RequestId::Int(300)));
    assert_eq!(field(SERVER, &expected, "error_msg").as_deref(), Some("no route"));
    // Version 0 is answered with version 0, another call type with that.
    let mut request = unary(&[number(2, 7), number(3, 1)].concat(), 0, b"");
    request[14] = 0;
    let mut expected = unary(&[number(2, 7), number(3, 1), number(4, 11), part(6, "no route")].concat(), 0, b"");
    expected[14] = 0;
    assert_eq!(refuse(CLIENT, &request), Ok(Some(expected)));
}

#[test]
fn a_stream_is_refused_by_an_init_of_its_id() {
    let init = stream(1, 100, &[part(1, part(3, "/a.B/C")), number(3, 65535)].concat());
    let mut expected = hex("093001010000001e0000000000640000120c080b12086e6f20726f757465");
    expected[14] = 1;
    assert_eq!(refuse(CLIENT, &init), Ok(Some(expected.clone())));
    let answer = whole(SERVER, &expected);
    assert_eq!((answer.head.kind, answer.head.stream_id), (Kind::Error, Some(100)));
}

#[test]
fn an_open_stream_is_reset_from_either_side() {
    let data = stream(2, 100, b"data");
    let feedback = stream(3, 100, &number(1, 5));
    let half = stream(4, 100, &[]);
    let expected = stream(4, 100, &[number(1, 1), number(2, 11), part(3, "no route")].concat());
    for frame in [data, feedback, half] {
        for direction in [CLIENT, SERVER] {
            assert_eq!(refuse(direction, &frame), Ok(Some(expected.clone())), "{frame:x?}");
        }
    }
    assert_eq!(whole(SERVER, &expected).head.kind, Kind::StreamClose);
    assert_eq!(field(SERVER, &expected, "ret").as_deref(), Some("11"));
}

#[test]
fn what_is_no_question_gets_no_answer() {
    let oneway = unary(&[number(2, 1), number(3, 1)].concat(), 1, b"");
    assert_eq!(refuse(CLIENT, &oneway), Ok(None));
    let silent = [
        (SERVER, unary(&number(3, 1), 1, b"")),
        (SERVER, stream(1, 1, &part(2, []))),
        (CLIENT, stream(4, 1, &number(1, 1))),
    ];
    for (direction, frame) in silent {
        let refused = refuse(direction, &frame);
        assert!(matches!(refused, Err(EncodeError::NoReply { .. })), "{frame:x?}: {refused:?}");
    }
    let request = unary(&number(3, 1), 1, b"");
    let beat = Trpc.reply(whole(CLIENT, &request), Reply::Heartbeat);
    assert!(matches!(beat, Err(EncodeError::NoReply { .. })), "{beat:?}");
}

#[test]
fn each_error_has_a_code_of_the_protocol() {
    let request = unary(&number(3, 1), 1, b"");
    for error in ErrorType::ALL {
        let answer = error_reply(&Trpc, whole(CLIENT, &request), error, "é").expect("a reply").expect("an answer");
        let found = fields(SERVER, &answer);
        assert_eq!(found["ret"].to_text(), ret_of(error).to_string(), "{error:?}");
        assert_eq!(found["func_ret"].to_text(), "0", "{error:?}");
        assert_eq!(found["error_msg"].to_text(), "é", "{error:?}");
    }
    let codes = [11, 131, 111, 122, 31, 23, 21, 141, 41, 1];
    assert_eq!(ErrorType::ALL.map(ret_of), codes);
}

#[test]
fn a_message_that_does_not_fit_is_refused() {
    let request = unary(&number(3, 1), 1, b"");
    let long = "x".repeat(70_000);
    let refused = error_reply(&Trpc, whole(CLIENT, &request), ErrorType::Denied, &long);
    assert!(matches!(refused, Err(EncodeError::TooLong { max: 65535, .. })), "{refused:?}");
}
