//! Traffic recorded between real peers, held against what the client said it did.
#![allow(clippy::expect_used, reason = "a test may panic")]

mod common;

use common::trpc;
use metaprotocol_core::{Detection, Direction, ErrorType, Id, Kind, PairBy, Pairing, RequestId};
use metaprotocol_testkit::{
    CLIENT, Capture, Conversation, Fields, OwnedFrame, SERVER, captures, error_reply, fields, remove, rewrite, set,
    string,
};
use metaprotocol_trpc::Trpc;
use serde_json::Value as Json;

fn recordings() -> Vec<Capture> {
    captures(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/captures/trpc"), 6)
}

fn frames(conversation: &Conversation) -> Vec<(Direction, OwnedFrame)> {
    let (frames, failure) = conversation.frames(&trpc());
    assert_eq!(failure, None, "{}", conversation.name);
    frames
}

fn all(capture: &Capture) -> Vec<(Direction, OwnedFrame)> {
    capture.conversations.values().flat_map(frames).collect()
}

fn told<'c>(capture: &'c Capture, kind: &str) -> Vec<&'c Json> {
    capture.told["calls"].as_array().expect("calls").iter().filter(|call| call["kind"] == kind).collect()
}

/// Compares fields with what a client told of a message.
fn says(found: &Fields, told: &Json, keys: &[&str], about: &str) {
    for key in keys {
        let value = found.get(*key).map(|value| value.to_text().into_owned()).unwrap_or_default();
        let expected = told[key].as_str().map_or_else(|| told[key].to_string(), str::to_owned);
        assert_eq!(value, expected, "{key} of {about}");
    }
    for (key, value) in told["trans_info"].as_object().expect("trans_info") {
        assert_eq!(found.get(key), value.as_str().map(string).as_ref(), "{key} of {about}");
    }
}

const SHARED: [&str; 4] = ["message_type", "content_type", "content_encoding", "attachment_size"];

#[test]
fn every_call_is_read_as_its_client_tells_it() {
    let mut seen = 0;
    for capture in recordings() {
        let frames = all(&capture);
        let with_id = |direction, id: u64| {
            let mut found =
                frames.iter().filter(|(way, frame)| *way == direction && frame.head.request_id == RequestId::Int(id));
            (found.next().map(|(_, frame)| frame), found.count())
        };
        for call in told(&capture, "call") {
            let about = format!("{}: {call}", capture.name);
            let id = call["request_id"].as_u64().expect("an id");
            let (Some(request), 0) = with_id(CLIENT, id) else { panic!("{about}: no request, or several") };
            let oneway = call["outcome"] == "oneway";
            assert_eq!(request.head.kind, if oneway { Kind::Oneway } else { Kind::Request }, "{about}");
            let found = fields(&Trpc, request.frame());
            says(&found, call, &["func", "caller", "callee", "method", "call_type", "timeout"], &about);
            says(&found, call, &SHARED, &about);
            assert_eq!(found["service"], string("trpc.test.demo.Demo"));
            let (answer, 0) = with_id(SERVER, id) else { panic!("{about}: several answers") };
            let Some(expected) = call.get("answer") else { continue };
            let answer = answer.unwrap_or_else(|| panic!("{about}: no answer"));
            let failed = call["ok"] == false;
            assert_eq!(answer.head.kind, if failed { Kind::Error } else { Kind::Response }, "{about}");
            let found = fields(&Trpc, answer.frame());
            says(&found, expected, &["ret", "func_ret", "error_msg"], &about);
            says(&found, expected, &SHARED, &about);
            if let Some(attachment) = call["attachment"].as_str() {
                assert!(answer.frame().body().ends_with(attachment.as_bytes()), "{about}");
            }
            seen += 1;
        }
    }
    assert!(seen > 90, "only {seen} answered calls");
}

#[test]
fn every_stream_is_read_as_its_client_tells_it() {
    let (mut seen, mut fed_back) = (0, 0);
    for capture in recordings() {
        let frames = all(&capture);
        for stream in told(&capture, "stream") {
            let about = format!("{}: {stream}", capture.name);
            let id = stream["stream_id"].as_u64();
            let of = |direction, kind| {
                let fits = move |(way, frame): &&(Direction, OwnedFrame)| {
                    *way == direction && frame.head.stream_id == id && frame.head.kind == kind
                };
                frames.iter().filter(fits).map(|(_, frame)| frame).collect::<Vec<_>>()
            };
            let [init] = of(CLIENT, Kind::StreamOpen)[..] else { panic!("{about}: no INIT, or several") };
            says(&fields(&Trpc, init.frame()), stream, &["func", "caller", "callee", "method", "content_type"], &about);
            let data = |direction| {
                let named =
                    |frame: &&OwnedFrame, name: &str| fields(&Trpc, frame.frame())["frame_type"] == string(name);
                let frames = of(direction, Kind::StreamData);
                (
                    frames.iter().filter(|frame| named(frame, "data")).count(),
                    frames.iter().filter(|frame| named(frame, "feedback")).count(),
                )
            };
            let ((sent, more), (received, more_too)) = (data(CLIENT), data(SERVER));
            fed_back += more + more_too;
            if stream["opened"] == false {
                let [refusal] = of(SERVER, Kind::Error)[..] else { panic!("{about}: no refusal") };
                let found = fields(&Trpc, refusal.frame());
                assert_eq!(found["ret"].to_text(), stream["code"].to_string(), "{about}");
                assert_eq!(found["error_msg"].to_text(), stream["message"].as_str().expect("a message"), "{about}");
                assert_eq!((sent, received), (0, 0), "{about}");
                continue;
            }
            assert_eq!(of(SERVER, Kind::Response).len(), 1, "{about}");
            let count = |key: &str| stream[key].as_array().expect("a list").len();
            assert_eq!((sent, received), (count("sent"), count("received")), "{about}");
            let ends = (of(SERVER, Kind::StreamHalfClose).len(), of(SERVER, Kind::StreamClose).len());
            match stream["outcome"].as_str() {
                // A CLOSE that meets a stream which the server has closed already is answered by a reset.
                Some("value") => assert!(matches!(ends, (1, 0 | 1)), "{about}"),
                Some("timeout") => assert_eq!(ends, (0, 0), "{about}"),
                _ => {
                    assert!(matches!(ends, (0, 1 | 2)), "{about}");
                    let reset = of(SERVER, Kind::StreamClose);
                    says(
                        &fields(&Trpc, reset[0].frame()),
                        &serde_json::json!({
                            "ret": stream["code"], "error_msg": stream["message"], "close_type": 1, "trans_info": {},
                        }),
                        &["ret", "error_msg", "close_type"],
                        &about,
                    );
                }
            }
            seen += 1;
        }
    }
    assert!(seen > 20 && fed_back >= 2, "only {seen} streams, {fed_back} FEEDBACKs");
}

#[test]
fn answers_find_their_requests_and_inits_their_inits() {
    let (mut calls, mut streams) = (0, 0);
    for capture in recordings() {
        for conversation in capture.conversations.values() {
            let mut pairing = Pairing::new(4096);
            for (direction, frame) in frames(conversation) {
                let id = Id::of(&frame.frame(), PairBy::Id);
                match frame.head.kind {
                    Kind::Request | Kind::StreamOpen => {
                        assert_eq!(direction, CLIENT);
                        pairing.ask(id.expect("an id"), frame.head.kind);
                    }
                    Kind::Response | Kind::Error => {
                        let asked = pairing.answer(&id.expect("an id"));
                        let stream = frame.head.stream_id.is_some();
                        let expected = if stream { Kind::StreamOpen } else { Kind::Request };
                        assert_eq!(asked, Some(expected), "{}", conversation.name);
                        *(if stream { &mut streams } else { &mut calls }) += 1;
                    }
                    _ => {}
                }
            }
            // Calls that took longer than their caller waits.
            assert!(pairing.len() <= 1, "{}", conversation.name);
        }
    }
    assert!(calls > 90 && streams > 20, "{calls} calls, {streams} streams");
}

#[test]
fn every_recorded_stream_is_detected_from_its_first_bytes() {
    for capture in recordings() {
        for conversation in capture.conversations.values() {
            for direction in [CLIENT, SERVER] {
                let stream = conversation.stream(direction);
                for len in 0..stream.len().min(64) {
                    let expected = if len < 10 { Detection::NeedMore } else { Detection::Yes };
                    assert_eq!(trpc().detect(direction, &stream[..len]), expected, "{}", conversation.name);
                }
            }
        }
    }
}

#[test]
fn real_frames_are_rewritten_and_answered() {
    let mut rewritten = 0;
    for capture in recordings() {
        for (direction, owned) in all(&capture) {
            let (frame, about) = (owned.frame(), format!("{}: {owned}", capture.name));
            let edits = set(&[("x-added", "é😀"), ("x-added-too", "")]);
            if let Ok(after) = rewrite(&Trpc, frame, &edits) {
                let mut expected = fields(&Trpc, frame);
                expected.extend(
                    [("x-added", "é😀"), ("x-added-too", "")].map(|(key, value)| (key.to_owned(), string(value))),
                );
                let changed = metaprotocol_testkit::whole(&Trpc, direction, &after);
                assert_eq!(fields(&Trpc, changed), expected, "{about}");
                let removed = rewrite(&Trpc, changed, &remove(&["x-added", "x-added-too"]));
                assert_eq!(removed.as_ref(), Ok(&owned.bytes), "{about}");
                rewritten += 1;
            } else {
                // Only what has no trans_info is refused.
                let bare = matches!(frame.head.kind, Kind::StreamData)
                    || (direction == SERVER && frame.head.stream_id.is_some());
                assert!(bare, "{about}");
            }
            let answer = error_reply(&Trpc, frame, ErrorType::Denied, "denied");
            match frame.head.kind {
                Kind::Request | Kind::StreamOpen | Kind::StreamData | Kind::StreamHalfClose => {
                    let answer = answer.expect("a reply").expect("an answer");
                    let head = metaprotocol_testkit::head(&Trpc, direction.reverse(), &answer);
                    assert_eq!(
                        (head.request_id, head.stream_id),
                        (frame.head.request_id, frame.head.stream_id),
                        "{about}"
                    );
                }
                Kind::Oneway => assert_eq!(answer, Ok(None), "{about}"),
                _ => assert!(answer.is_err(), "{about}"),
            }
        }
    }
    assert!(rewritten > 200, "only {rewritten}");
}
