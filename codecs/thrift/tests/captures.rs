//! The recorded conversations of real peers, each held against its client's own account of its calls.
#![allow(clippy::expect_used, reason = "a broken expectation is a failed test")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{CLIENT, SERVER, field, fields, text};
use metaprotocol_capture::{Event, Reader};
use metaprotocol_core::{
    AnyCodec, Connection, DecodeError, Decoder, Detection, Direction, Fed, Frame, Head, Id, Kind, Limits, PairBy,
    Pairing, Value,
};
use metaprotocol_thrift::Thrift;
use serde_json::Value as Json;

fn captures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/captures/thrift");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the captures")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "pcap"))
        .collect();
    paths.sort();
    paths
}

struct Message {
    direction: Direction,
    head: Head,
    bytes: Vec<u8>,
}

/// One connection: its frames in the order they were completed, and its error.
#[derive(Default)]
struct Conversation {
    streams: [Vec<u8>; 2],
    messages: Vec<Message>,
    failure: Option<DecodeError>,
}

/// The conversations of a capture by the client's port.
fn conversations(path: &Path) -> BTreeMap<u16, Conversation> {
    let mut found: BTreeMap<u16, (Conversation, Decoder<Thrift>)> = BTreeMap::new();
    let mut fed = Fed::default();
    let mut sink = |event: Event<'_>| {
        let Event::Data { flow, direction, bytes, .. } = event else {
            assert!(!matches!(event, Event::Gap { .. }), "a hole in {}", path.display());
            return;
        };
        let (conversation, decoder) = found
            .entry(flow.client.port)
            .or_insert_with(|| (Conversation::default(), Decoder::new(Arc::new(Thrift), Limits::default())));
        let direction = match direction {
            metaprotocol_capture::Direction::ClientToServer => CLIENT,
            metaprotocol_capture::Direction::ServerToClient => SERVER,
        };
        conversation.streams[direction as usize].extend_from_slice(bytes);
        let result = decoder.feed(direction, bytes, &mut fed);
        let carried = fed.carried.take().map(|carried| (carried.head, carried.bytes));
        let placed = fed.frames.iter().map(|placed| {
            let frame = Frame::new(placed.head, &bytes[placed.at..]).expect("within the chunk");
            (placed.head, frame.bytes.to_vec())
        });
        let messages = carried.into_iter().chain(placed);
        conversation.messages.extend(messages.map(|(head, bytes)| Message { direction, head, bytes }));
        conversation.failure = conversation.failure.or(result.err().map(|failure| failure.error));
    };
    let mut reader = Reader::new(fs::File::open(path).expect("a capture"), metaprotocol_capture::Limits::default());
    reader.read_available(&mut sink).expect("a readable capture");
    assert_eq!(reader.finish(&mut sink).expect("a readable capture"), None);
    for (_, decoder) in found.values() {
        for direction in [CLIENT, SERVER] {
            assert_eq!(decoder.missing(direction), 0, "half a frame in {}", path.display());
        }
    }
    found.into_iter().map(|(port, (conversation, _))| (port, conversation)).collect()
}

fn account(path: &Path) -> Json {
    serde_json::from_slice(&fs::read(path.with_extension("json")).expect("an account")).expect("JSON")
}

fn calls(account: &Json, port: u16) -> Vec<&Json> {
    let calls = account["calls"].as_array().expect("calls");
    calls.iter().filter(|call| call["client_port"] == port).collect()
}

/// Checks a scalar; structures are told by their digest, which is of no use here.
fn same(value: Option<Value<'static>>, expected: &Json, about: &str) {
    match expected {
        Json::String(expected) => assert_eq!(value, Some(text(expected)), "{about}"),
        Json::Number(expected) => {
            assert_eq!(value.map(|value| value.to_text().into_owned()), Some(expected.to_string()), "{about}");
        }
        _ => {}
    }
}

fn same_headers(frame: Frame<'_>, expected: &Json, about: &str) {
    let fields = fields(frame);
    for (key, value) in expected.as_object().expect("headers") {
        assert_eq!(fields.get(&key.to_ascii_lowercase()), Some(&text(value.as_str().expect("text"))), "{about}: {key}");
    }
}

#[test]
fn every_call_of_every_capture_is_read_as_its_client_tells_it() {
    let mut seen = 0;
    let paths = captures();
    assert!(paths.len() >= 30, "only {} captures", paths.len());
    for path in &paths {
        let account = account(path);
        if account["protocol"] == "json" {
            continue;
        }
        let conversations = conversations(path);
        let total: usize = conversations.keys().map(|port| calls(&account, *port).len()).sum();
        assert_eq!(total, account["calls"].as_array().expect("calls").len(), "{}", path.display());
        for (port, conversation) in conversations {
            assert_eq!(conversation.failure, None, "{} port {port}", path.display());
            check(path, &account, &calls(&account, port), &conversation);
            seen += conversation.messages.len();
        }
    }
    assert!(seen > 1000, "only {seen} messages");
}

fn check(path: &Path, account: &Json, calls: &[&Json], conversation: &Conversation) {
    let requests: Vec<&Message> = conversation.messages.iter().filter(|message| message.direction == CLIENT).collect();
    assert_eq!(requests.len(), calls.len(), "{}", path.display());
    let mut pairing = Pairing::new(4096);
    let protocol = account["protocol"].as_str().expect("a protocol").replace('-', "_");
    for (message, call) in requests.iter().zip(calls) {
        let about = format!("{}: {call}", path.display());
        let frame = Frame::new(message.head, &message.bytes).expect("a frame");
        let fields = fields(frame);
        assert_eq!(fields["method"], text(call["wire_method"].as_str().expect("a name")), "{about}");
        assert_eq!(fields["method_name"], text(call["method"].as_str().expect("a name")), "{about}");
        let service = account["multiplexed"].as_bool().expect("a flag").then(|| &call["service"]);
        assert_eq!(fields.get("service"), service.map(|name| text(name.as_str().expect("a name"))).as_ref(), "{about}");
        assert_eq!(fields["seq_id"], Value::Int(call["seq_id"].as_i64().expect("a number")), "{about}");
        assert_eq!(fields["transport"], text(account["transport"].as_str().expect("a transport")), "{about}");
        assert_eq!(fields["protocol"], text(&protocol), "{about}");
        assert_eq!(fields["message_type"], text(call["message_type"].as_str().expect("a type")), "{about}");
        for (id, value) in call["args"].as_object().expect("arguments") {
            same(field(frame, &format!("arg.{id}")), value, &about);
        }
        same_headers(frame, &call["sent_headers"], &about);
        if call["reply"] != Json::Null {
            pairing.ask(Id::of(&frame, PairBy::Id).expect("an id"), call);
        }
    }
    for message in conversation.messages.iter().filter(|message| message.direction == SERVER) {
        let frame = Frame::new(message.head, &message.bytes).expect("a frame");
        let call = pairing.answer(&Id::of(&frame, PairBy::Id).expect("an id")).expect("a call that waits");
        let about = format!("{}: {call}", path.display());
        let fields = fields(frame);
        assert_eq!(fields["message_type"], text(call["reply"].as_str().expect("a type")), "{about}");
        match call["outcome"].as_str() {
            Some("value") => {
                assert_eq!(fields["reply_type"], text("success"), "{about}");
                same(field(frame, "arg.0"), &call["value"], &about);
            }
            Some("declared") => {
                assert_eq!(fields["reply_type"], text("error"), "{about}");
                assert_eq!(fields["exception_field"], Value::Int(1), "{about}");
            }
            Some("application") => {
                assert_eq!(message.head.kind, Kind::Error, "{about}");
                assert_eq!(fields["exception_type"], Value::Int(call["type"].as_i64().expect("a number")), "{about}");
                // thriftpy2's servers send none.
                let message = call["message"].as_str().map(text);
                assert_eq!(fields.get("exception_message"), message.as_ref(), "{about}");
            }
            other => panic!("{about}: outcome {other:?}"),
        }
        same_headers(frame, &call["received_headers"], &about);
    }
    assert!(pairing.is_empty(), "{}: calls without an answer", path.display());
}

#[test]
fn every_captured_stream_is_detected_from_its_first_bytes() {
    for path in captures() {
        let account = account(&path);
        let json = account["protocol"] == "json";
        for conversation in conversations(&path).values() {
            for direction in [CLIENT, SERVER] {
                let stream = &conversation.streams[direction as usize];
                let first = (1..stream.len())
                    .map(|len| (len, AnyCodec::detect(&Thrift, direction, &stream[..len])))
                    .find(|(_, detection)| *detection != Detection::NeedMore);
                let (len, detection) = first.expect("a stream that can be told");
                if json {
                    assert_eq!(detection, Detection::No, "{}", path.display());
                } else {
                    assert_eq!(detection, Detection::Yes, "{}", path.display());
                    assert!((8..64).contains(&len), "{} took {len} bytes", path.display());
                }
                // Nothing of Thrift passes for the other side's, except what only inflating would tell.
                if account["zlib"] == false {
                    assert_eq!(AnyCodec::detect(&Thrift, direction.reverse(), stream), Detection::No);
                }
            }
        }
    }
}

#[test]
fn captured_json_is_refused_by_its_name() {
    let mut seen = 0;
    for path in captures().iter().filter(|path| account(path)["protocol"] == "json") {
        for conversation in conversations(path).values() {
            let failure = conversation.failure.expect("an error");
            assert_eq!((failure.reason.code(), failure.offset), ("unsupported", 0));
            assert!(failure.to_string().contains("JSON"), "{failure}");
            seen += 1;
        }
    }
    assert!(seen > 0, "no capture of the JSON protocol");
}
