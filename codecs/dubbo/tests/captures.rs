//! Traffic recorded between Apache Dubbo's own clients and servers.

#![allow(clippy::expect_used, reason = "a test may panic")]

mod common;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use common::{dubbo, field, fields, rewrite};
use metaprotocol_core::{AnyCodec, Direction, ErrorType, Frame, Kind, Limits, Reply, RequestId, Value};
use metaprotocol_dubbo::Dubbo;
use metaprotocol_dubbo::hessian::{Event as Step, Reader as Hessian};
use metaprotocol_dubbo::wire::{HESSIAN2, Header};
use metaprotocol_testkit::{
    CLIENT, Capture, Conversation, Fields, OwnedFrame, SERVER, captures, decode, feed, remove, set, string,
};
use serde_json::{Value as Json, json};

fn recordings() -> Vec<Capture> {
    captures(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/captures/dubbo"), 20)
}

/// Reads a Hessian 2 body value by value as its layout demands, to its last byte.
fn walk(bytes: &[u8], header: Header) {
    let mut reader = Hessian::new(bytes, 16, &Limits::default());
    if header.is_event() {
        reader.skip().expect("an event");
    } else if header.is_request() {
        for name in ["dubbo version", "path", "service version", "method", "parameter types"] {
            reader.string(name).expect(name);
        }
        let Ok(Some(count)) = common::try_field(bytes, "param_count") else { panic!("no param_count") };
        for _ in 0..count.to_text().parse::<u32>().expect("a number") {
            reader.skip().expect("an argument");
        }
        assert!(matches!(reader.next(), Ok(Step::Map { .. })), "no attachments");
        reader.leave(0).expect("attachments");
    } else if header.status != 20 {
        reader.string("message").expect("a message");
    } else {
        let result_type = reader.int("result type").expect("a result type");
        if !matches!(result_type, 2 | 5) {
            reader.skip().expect("a value");
        }
        if result_type > 2 {
            assert!(matches!(reader.next(), Ok(Step::Map { .. })), "no attachments");
            reader.leave(0).expect("attachments");
        }
    }
    assert_eq!(reader.at(), bytes.len(), "bytes behind the body");
}

fn signed(id: RequestId) -> i64 {
    let RequestId::Int(id) = id else { panic!("no request id") };
    id.cast_signed()
}

#[test]
fn every_frame_is_found_and_every_body_read_to_its_end() {
    for Capture { name, told, conversations } in recordings() {
        let mut heads: BTreeMap<(u64, String), Vec<Json>> = BTreeMap::new();
        for head in told["frames"].as_array().expect("a list") {
            let key = (head["client_port"].as_u64().expect("a port"), head["to"].as_str().expect("a side").to_owned());
            let head = json!([head["flags"], head["status"], head["id"], head["body_len"]]);
            heads.entry(key).or_default().push(head);
        }
        let mut found: BTreeMap<(u64, String), Vec<Json>> = BTreeMap::new();
        for (port, conversation) in &conversations {
            for (direction, to) in [(CLIENT, "server"), (SERVER, "client")] {
                let stream = conversation.stream(direction);
                let decoded = feed(&dubbo(), direction, Limits::default(), &stream, std::iter::repeat(1460));
                assert_eq!((decoded.failure, decoded.missing), (None, 0), "{name}");
                for OwnedFrame { head, bytes, .. } in &decoded.frames {
                    let header = Header::of(bytes).expect("a header");
                    let head = json!([header.flags, header.status, signed(head.request_id), bytes.len() - 16]);
                    found.entry((u64::from(*port), to.to_owned())).or_default().push(head);
                    if header.serialization() == HESSIAN2 {
                        walk(bytes, header);
                    }
                }
            }
        }
        assert_eq!(found, heads, "{name}");
    }
}

fn all_frames(conversations: &BTreeMap<u16, Conversation>, direction: Direction) -> Vec<Vec<u8>> {
    conversations
        .values()
        .flat_map(|conversation| decode(&dubbo(), direction, &conversation.stream(direction)).frames)
        .map(|frame| frame.bytes)
        .collect()
}

/// True if a request says all that the server told of one it received.
fn says(request: &Fields, received: &Json) -> bool {
    let is = |key: &str, value: &Json| {
        request.get(key).is_some_and(|found| Some(found.to_text().as_ref()) == value.as_str())
    };
    is("path", &received["interface"])
        && is("method", &received["method"])
        && received["attachments"].as_object().expect("an object").iter().all(|(key, value)| {
            // Some versions hand the service the version and the path of the body as attachments.
            let own =
                matches!(key.as_str(), "dubbo" | "version" | "remote.application" | "path" | "interface" | "input");
            own || !value.is_string() || is(key, value)
        })
}

#[test]
fn requests_say_what_the_server_received() {
    for Capture { name, told, conversations } in recordings() {
        if told["serialization"] != "hessian2" {
            continue;
        }
        let mut requests: Vec<Fields> = all_frames(&conversations, CLIENT)
            .iter()
            .filter(|bytes| matches!(common::head(bytes).kind, Kind::Request | Kind::Oneway))
            .map(|bytes| fields(bytes))
            .collect();
        // The most telling first: a request with more attachments says what one with fewer must, too.
        let mut all: Vec<&Json> = told["received"].as_array().expect("a list").iter().collect();
        all.sort_by_key(|received| Reverse(received["attachments"].as_object().map(|map| map.len())));
        for received in all {
            let at = requests.iter().position(|request| says(request, received));
            requests.swap_remove(at.unwrap_or_else(|| panic!("{name}: no request like {received}")));
        }
    }
}

#[test]
fn exceptions_and_results_are_told_apart() {
    let mut exceptions = 0;
    for Capture { name, told, conversations } in recordings() {
        if told["serialization"] != "hessian2" {
            continue;
        }
        let answers: Vec<Fields> = all_frames(&conversations, SERVER).iter().map(|bytes| fields(bytes)).collect();
        for call in told["calls"].as_array().expect("a list") {
            // Exceptions that the client made itself were on no wire.
            if call["ok"] == true || call["exception"] == "org.apache.dubbo.rpc.RpcException" {
                continue;
            }
            let told = |key: &str| call[key].as_str().map(string);
            assert!(
                answers.iter().any(|answer| {
                    answer.get("exception").cloned() == told("exception")
                        && answer.get("exception_message").cloned() == told("message")
                }),
                "{name}: no answer like {call}"
            );
            exceptions += 1;
        }
    }
    assert!(exceptions >= 10, "only {exceptions} exceptions");
}

#[test]
fn real_frames_are_rewritten_and_answered() {
    for Capture { name, told, conversations } in recordings() {
        if told["serialization"] != "hessian2" {
            continue;
        }
        for direction in [CLIENT, SERVER] {
            for bytes in all_frames(&conversations, direction) {
                let head = common::head(&bytes);
                let frame = Frame::new(head, &bytes).expect("a frame");
                let before = fields(&bytes);
                if let Ok(after) = rewrite(&bytes, &set(&[("x-added", "é😀"), ("x-added-too", "")])) {
                    assert_eq!(field(&after, "x-added"), Some(string("é😀")), "{name}");
                    let mut expected = before.clone();
                    expected.insert("x-added".to_owned(), string("é😀"));
                    expected.insert("x-added-too".to_owned(), string(""));
                    assert_eq!(fields(&after), expected, "{name}");
                    let removed = rewrite(&after, &remove(&["x-added", "x-added-too"]));
                    assert_eq!(removed.as_ref(), Ok(&bytes), "{name}");
                } else {
                    // Only what has no place for attachments is refused.
                    let attached = matches!(before.get("result_type"), Some(Value::Int(3..)));
                    assert!(!attached && !matches!(head.kind, Kind::Request | Kind::Oneway), "{name}");
                }
                let reply = match head.kind {
                    Kind::Request => Reply::Error(ErrorType::Denied, "denied"),
                    Kind::Heartbeat if before.contains_key("two_way") => Reply::Heartbeat,
                    _ => continue,
                };
                let reply = AnyCodec::reply(&Dubbo, frame, reply).expect("a reply").expect("an answer");
                assert_eq!(common::head(&reply).request_id, head.request_id);
            }
        }
    }
}
