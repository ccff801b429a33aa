//! The recorded conversations of real peers, each held against its client's own account of its calls.
#![allow(clippy::expect_used, reason = "a broken expectation is a failed test")]

mod common;

use common::thrift;
use metaprotocol_core::{AnyCodec, DecodeError, Detection, Direction, Frame, Id, Kind, PairBy, Pairing, Value};
use metaprotocol_testkit::{CLIENT, Capture, OwnedFrame, SERVER, captures, field, fields, string};
use metaprotocol_thrift::Thrift;
use serde_json::Value as Json;

fn recordings() -> Vec<Capture> {
    captures(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/captures/thrift"), 30)
}

fn calls(account: &Json, port: u16) -> Vec<&Json> {
    let calls = account["calls"].as_array().expect("calls");
    calls.iter().filter(|call| call["client_port"] == port).collect()
}

/// Checks a scalar; structures are told by their digest, which is of no use here.
fn same(value: Option<Value<'static>>, expected: &Json, about: &str) {
    match expected {
        Json::String(expected) => assert_eq!(value, Some(string(expected)), "{about}"),
        Json::Number(expected) => {
            assert_eq!(value.map(|value| value.to_text().into_owned()), Some(expected.to_string()), "{about}");
        }
        _ => {}
    }
}

fn same_headers(frame: Frame<'_>, expected: &Json, about: &str) {
    let fields = fields(&Thrift, frame);
    for (key, value) in expected.as_object().expect("headers") {
        assert_eq!(
            fields.get(&key.to_ascii_lowercase()),
            Some(&string(value.as_str().expect("text"))),
            "{about}: {key}"
        );
    }
}

#[test]
fn every_call_of_every_capture_is_read_as_its_client_tells_it() {
    let mut seen = 0;
    for Capture { name, told, conversations } in recordings() {
        if told["protocol"] == "json" {
            continue;
        }
        let total: usize = conversations.keys().map(|port| calls(&told, *port).len()).sum();
        assert_eq!(total, told["calls"].as_array().expect("calls").len(), "{name}");
        for (port, conversation) in conversations {
            let (messages, failure) = conversation.frames(&thrift());
            assert_eq!(failure, None, "{}", conversation.name);
            check(&name, &told, &calls(&told, port), &messages);
            seen += messages.len();
        }
    }
    assert!(seen > 1000, "only {seen} messages");
}

fn check(name: &str, account: &Json, calls: &[&Json], messages: &[(Direction, OwnedFrame)]) {
    let of = |direction| messages.iter().filter(move |(way, _)| *way == direction).map(|(_, message)| message);
    assert_eq!(of(CLIENT).count(), calls.len(), "{name}");
    let mut pairing = Pairing::new(4096);
    let protocol = account["protocol"].as_str().expect("a protocol").replace('-', "_");
    for (message, call) in of(CLIENT).zip(calls) {
        let about = format!("{name}: {call}");
        let frame = message.frame();
        let fields = fields(&Thrift, frame);
        assert_eq!(fields["method"], string(call["wire_method"].as_str().expect("a name")), "{about}");
        assert_eq!(fields["method_name"], string(call["method"].as_str().expect("a name")), "{about}");
        let service = account["multiplexed"].as_bool().expect("a flag").then(|| &call["service"]);
        assert_eq!(
            fields.get("service"),
            service.map(|name| string(name.as_str().expect("a name"))).as_ref(),
            "{about}"
        );
        assert_eq!(fields["seq_id"], Value::Int(call["seq_id"].as_i64().expect("a number")), "{about}");
        assert_eq!(fields["transport"], string(account["transport"].as_str().expect("a transport")), "{about}");
        assert_eq!(fields["protocol"], string(&protocol), "{about}");
        assert_eq!(fields["message_type"], string(call["message_type"].as_str().expect("a type")), "{about}");
        for (id, value) in call["args"].as_object().expect("arguments") {
            same(field(&Thrift, frame, &format!("arg.{id}")), value, &about);
        }
        same_headers(frame, &call["sent_headers"], &about);
        if call["reply"] != Json::Null {
            pairing.ask(Id::of(&frame, PairBy::Id).expect("an id"), call);
        }
    }
    for message in of(SERVER) {
        let frame = message.frame();
        let call = pairing.answer(&Id::of(&frame, PairBy::Id).expect("an id")).expect("a call that waits");
        let about = format!("{name}: {call}");
        let fields = fields(&Thrift, frame);
        assert_eq!(fields["message_type"], string(call["reply"].as_str().expect("a type")), "{about}");
        match call["outcome"].as_str() {
            Some("value") => {
                assert_eq!(fields["reply_type"], string("success"), "{about}");
                same(field(&Thrift, frame, "arg.0"), &call["value"], &about);
            }
            Some("declared") => {
                assert_eq!(fields["reply_type"], string("error"), "{about}");
                assert_eq!(fields["exception_field"], Value::Int(1), "{about}");
            }
            Some("application") => {
                assert_eq!(message.head.kind, Kind::Error, "{about}");
                assert_eq!(fields["exception_type"], Value::Int(call["type"].as_i64().expect("a number")), "{about}");
                // thriftpy2's servers send none.
                let message = call["message"].as_str().map(string);
                assert_eq!(fields.get("exception_message"), message.as_ref(), "{about}");
            }
            other => panic!("{about}: outcome {other:?}"),
        }
        same_headers(frame, &call["received_headers"], &about);
    }
    assert!(pairing.is_empty(), "{name}: calls without an answer");
}

#[test]
fn every_captured_stream_is_detected_from_its_first_bytes() {
    for Capture { name, told, conversations } in recordings() {
        let json = told["protocol"] == "json";
        for conversation in conversations.values() {
            for direction in [CLIENT, SERVER] {
                let stream = conversation.stream(direction);
                let first = (1..stream.len())
                    .map(|len| (len, AnyCodec::detect(&Thrift, direction, &stream[..len])))
                    .find(|(_, detection)| *detection != Detection::NeedMore);
                let (len, detection) = first.expect("a stream that can be told");
                if json {
                    assert_eq!(detection, Detection::No, "{name}");
                } else {
                    assert_eq!(detection, Detection::Yes, "{name}");
                    assert!((8..64).contains(&len), "{name} took {len} bytes");
                }
                // Nothing of Thrift passes for the other side's, except what only inflating would tell.
                if told["zlib"] == false {
                    assert_eq!(AnyCodec::detect(&Thrift, direction.reverse(), &stream), Detection::No);
                }
            }
        }
    }
}

#[test]
fn captured_json_is_refused_by_its_name() {
    let mut seen = 0;
    for capture in recordings().iter().filter(|capture| capture.told["protocol"] == "json") {
        for conversation in capture.conversations.values() {
            let failure: DecodeError = conversation.frames(&thrift()).1.expect("an error");
            assert_eq!((failure.reason.code(), failure.offset), ("unsupported", 0));
            assert!(failure.to_string().contains("JSON"), "{failure}");
            seen += 1;
        }
    }
    assert!(seen > 0, "no capture of the JSON protocol");
}
