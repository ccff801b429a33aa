//! The recorded conversations of real peers, each held against what a client that waits for each answer says of it.
#![allow(clippy::expect_used, reason = "a broken expectation is a failed test")]

mod common;

use std::collections::VecDeque;

use common::redis;
use metaprotocol_core::{AnyCodec, Detection, Frame, Kind, Value};
use metaprotocol_redis::Redis;
use metaprotocol_testkit::{CLIENT, Capture, OwnedFrame, SERVER, captures, field, fields, string};
use serde_json::Value as Json;

/// Each connection of these ends with something that is not the protocol.
const REFUSED: [&str; 2] = ["http", "refused"];

fn recordings() -> Vec<Capture> {
    let all = captures(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/captures/redis"), 30);
    all.into_iter().filter(|capture| capture.told["security"] == "none").collect()
}

/// What the client says of one connection, in the order of the capture.
fn messages<'t>(told: &'t Json, connection: usize, to: &str) -> VecDeque<&'t Json> {
    let all = told["messages"].as_array().expect("messages");
    all.iter().filter(|message| message["conn"] == connection && message["to"] == to).collect()
}

fn count(number: usize) -> Value<'static> {
    Value::UInt(number as u64)
}

/// A text as the client tells it; `None` for bytes and digests.
fn text(told: &Json) -> Option<&str> {
    told.as_str()
}

fn check_command(frame: Frame<'_>, told: &Json, about: &str) {
    let args = told["args"].as_array().expect("arguments");
    let fields = fields(&Redis, frame);
    let form = if told["inline"] == true { "inline" } else { "command" };
    assert_eq!(fields["message_type"], string(form), "{about}");
    let name = text(&args[0]).expect("a name");
    assert_eq!(fields["command"], string(&name.to_uppercase()), "{about}");
    assert_eq!(fields["arg_count"], count(args.len() - 1), "{about}");
    for (at, arg) in args.iter().enumerate() {
        if let Some(arg) = text(arg) {
            assert_eq!(field(&Redis, frame, &format!("arg.{at}")), Some(string(arg)), "{about}");
        }
    }
    // Where there are none, the server could not say.
    if let Some(keys) = told["keys"].as_array() {
        assert_eq!(fields["key_count"], count(keys.len()), "{about}");
        for (at, key) in keys.iter().enumerate() {
            let found = field(&Redis, frame, &format!("key.{at}"));
            match text(key) {
                Some(key) => assert_eq!(found, Some(string(key)), "{about}"),
                None => assert!(found.is_some(), "{about}"),
            }
        }
        let slot = told["slots"][0].as_u64().map(Value::UInt);
        if !keys.is_empty() {
            assert_eq!(fields.get("slot"), slot.as_ref(), "{about}");
            assert_eq!(fields.get("key"), field(&Redis, frame, "key.0").as_ref(), "{about}");
        }
    }
}

/// The value of a reply as the client read it, at this place in it.
fn check_value(frame: Frame<'_>, path: &str, told: &Json, about: &str) {
    let found = field(&Redis, frame, if path == "value" { "full_value" } else { path });
    let sub = |at: usize| if path == "value" { format!("value.{at}") } else { format!("{path}.{at}") };
    match told {
        Json::Null => assert_eq!(found, None, "{about} {path}"),
        Json::Bool(is) => assert_eq!(found, Some(string(if *is { "true" } else { "false" })), "{about} {path}"),
        Json::Number(number) => assert_eq!(found, number.as_i64().map(Value::Int), "{about} {path}"),
        Json::String(text) => assert_eq!(found, Some(string(text)), "{about} {path}"),
        Json::Array(elements) => {
            elements.iter().enumerate().for_each(|(at, told)| check_value(frame, &sub(at), told, about));
            assert_eq!(field(&Redis, frame, &sub(elements.len())), None, "{about} {path}");
        }
        Json::Object(one) => {
            let (kind, told) = one.iter().next().expect("a type");
            match (kind.as_str(), told) {
                ("error", Json::String(text)) if path != "value" => assert_eq!(found, Some(string(text)), "{about}"),
                ("error", Json::String(text)) => {
                    let part = |key| field(&Redis, frame, key).map(|part| part.to_text().into_owned());
                    let parts = [part("error_code"), part("error_message")].into_iter().flatten();
                    assert_eq!(&parts.collect::<Vec<_>>().join(" "), text, "{about}");
                }
                ("big", Json::String(text)) => assert_eq!(found, Some(string(text)), "{about} {path}"),
                ("map", Json::Array(pairs)) => {
                    let flat = pairs.iter().flat_map(|pair| pair.as_array().expect("a pair"));
                    flat.enumerate().for_each(|(at, told)| check_value(frame, &sub(at), told, about));
                }
                ("set", told) => check_value(frame, path, told, about),
                // Compared by length.
                ("double" | "verbatim" | "hex" | "bytes", _) => assert!(found.is_some(), "{about} {path}"),
                other => panic!("{about} {path}: {other:?}"),
            }
        }
    }
}

fn type_name(told: &Json) -> &'static str {
    match (told["type"].as_str().expect("a type"), &told["value"]) {
        (_, Json::Null) => "null",
        ("+", _) => "simple_string",
        ("-", _) => "error",
        (":", _) => "integer",
        ("$", _) => "bulk_string",
        ("*", _) => "array",
        (",", _) => "double",
        ("#", _) => "boolean",
        ("(", _) => "big_number",
        ("!", _) => "bulk_error",
        ("=", _) => "verbatim_string",
        ("%", _) => "map",
        ("~", _) => "set",
        (">", _) => "push",
        other => panic!("{other:?}"),
    }
}

/// One frame of the server, and the number of the request it answers.
fn check_answer(
    frame: &OwnedFrame,
    answers: Option<usize>,
    [front, last]: [Option<usize>; 2],
    told: &Json,
    about: &str,
) {
    let fields = fields(&Redis, frame.frame());
    let said = told["answers"].as_u64().map(|number| number as usize);
    assert_eq!(told["length"], frame.bytes.len(), "{about}");
    match frame.head.kind {
        Kind::Response | Kind::Error => {
            assert_eq!(said, answers, "{about}");
            assert_eq!(frame.head.kind == Kind::Error, matches!(type_name(told), "error" | "bulk_error"), "{about}");
        }
        // A confirmation before the last, what comes behind the answer of a transaction, or what was not asked for.
        Kind::Control => assert!(said.is_none() || said == front || said == last, "{about}: {front:?}"),
        Kind::StreamData => assert_eq!(said, None, "{about}"),
        other => panic!("{about}: {other:?}"),
    }
    if told["type"] == "newline" {
        assert_eq!(fields["message_type"], string("keepalive"), "{about}");
        return;
    }
    if fields["message_type"] == string("replicated") {
        let words = told["value"].as_array().expect("words");
        for (at, word) in words.iter().enumerate() {
            if let Some(word) = text(word) {
                assert_eq!(field(&Redis, frame.frame(), &format!("arg.{at}")), Some(string(word)), "{about}");
            }
        }
        return;
    }
    if fields["message_type"] != string("monitor") {
        assert_eq!(fields["reply_type"], string(type_name(told)), "{about}");
    }
    check_value(frame.frame(), "value", &told["value"], about);
}

#[test]
fn every_message_of_every_capture_is_read_as_its_client_tells_it() {
    let (mut asked, mut answered, mut unasked, mut silent) = (0, 0, 0, 0);
    for Capture { name, told, conversations } in recordings() {
        if REFUSED.contains(&&*name) {
            continue;
        }
        let ports: Vec<u64> = told["connections"].as_array().expect("connections").iter().map(port).collect();
        for (client_port, conversation) in &conversations {
            let number = ports.iter().position(|port| *port == u64::from(*client_port)).expect("a told connection");
            let (frames, failure) = conversation.frames(&redis());
            assert_eq!(failure, None, "{}", conversation.name);
            let mut sent = messages(&told, number, "server");
            let mut came = messages(&told, number, "client");
            let (mut waiting, mut next, mut last) = (VecDeque::new(), 0, None);
            let mut frames = frames.into_iter().peekable();
            while let Some((direction, frame)) = frames.next() {
                let about = format!("{} at {} {direction:?}", conversation.name, frame.offset);
                if direction == CLIENT {
                    if frame.head.kind == Kind::Control {
                        if sent.front().is_some_and(|told| told["args"].as_array().is_some_and(Vec::is_empty)) {
                            sent.pop_front();
                            next += 1;
                        }
                        continue;
                    }
                    let told = sent.pop_front().unwrap_or_else(|| panic!("{about} was not sent"));
                    check_command(frame.frame(), told, &format!("{about}: {told}"));
                    match frame.head.kind {
                        Kind::Request => waiting.push_back(next),
                        Kind::Oneway => silent += 1,
                        other => panic!("{about}: {other:?}"),
                    }
                    next += 1;
                    asked += 1;
                    continue;
                }
                let told = came.pop_front().unwrap_or_else(|| panic!("{about} did not come"));
                let about = format!("{about}: {told}");
                let front = waiting.front().copied();
                if told["type"] == "rdb" {
                    let mut len = frame.bytes.len();
                    while len < told["length"].as_u64().expect("a length") as usize {
                        let (way, piece) = frames.next().expect("a piece");
                        if way == SERVER {
                            assert_eq!(
                                field(&Redis, piece.frame(), "message_type"),
                                Some(string("snapshot")),
                                "{about}"
                            );
                            len += piece.bytes.len();
                        }
                    }
                    assert_eq!(told["length"], len, "{about}");
                    if frame.head.kind.is_response() {
                        waiting.pop_front();
                    }
                    continue;
                }
                let answers = if frame.head.kind.is_response() { waiting.pop_front() } else { None };
                check_answer(&frame, answers, [front, last], told, &about);
                if frame.head.kind.is_response() {
                    last = answers;
                    answered += 1;
                } else {
                    unasked += 1;
                }
            }
            assert!(sent.iter().all(|told| told["args"].is_null()), "{}: {sent:?} was not seen", conversation.name);
            assert!(came.is_empty(), "{}: {came:?} was not seen", conversation.name);
            // What the server did not answer before it closed the connection.
            assert!(waiting.len() <= 1, "{name} port {client_port}: {waiting:?} without an answer");
        }
    }
    assert!(asked > 1000 && answered > 1000 && unasked > 100 && silent > 10, "{asked} {answered} {unasked} {silent}");
}

#[test]
fn what_servers_refuse_is_refused_where_they_do() {
    let all = recordings();
    let refused = all.iter().filter(|capture| REFUSED.contains(&&*capture.name));
    let mut codes = Vec::new();
    for conversation in refused.flat_map(|capture| capture.conversations.values()) {
        let (frames, failure) = conversation.frames(&redis());
        assert!(frames.iter().filter(|(way, _)| *way == SERVER).all(|(_, frame)| frame.head.kind.is_response()));
        let error = failure.expect("a refusal");
        let sent = conversation.stream(CLIENT);
        assert!(error.offset < sent.len() as u64, "{error}");
        codes.push(error.reason.code());
    }
    codes.sort_unstable();
    assert_eq!(codes, ["bad_encoding", "bad_encoding", "bad_magic", "wrong_direction", "wrong_direction"]);
}

fn port(connection: &Json) -> u64 {
    connection["client_port"].as_u64().expect("a port")
}

#[test]
fn every_captured_stream_is_detected_from_its_first_bytes() {
    for Capture { name, conversations, .. } in recordings() {
        for conversation in conversations.values() {
            for direction in [CLIENT, SERVER] {
                let stream = conversation.stream(direction);
                if stream.is_empty() || name == "http" && direction == CLIENT {
                    continue;
                }
                let first = (1..=stream.len().min(4096))
                    .map(|len| (len, AnyCodec::detect(&Redis, direction, &stream[..len])))
                    .find(|(_, detection)| *detection != Detection::NeedMore);
                let (len, detection) = first.unwrap_or_else(|| panic!("{} cannot be told", conversation.name));
                assert_eq!(detection, Detection::Yes, "{}, {direction:?}, after {len}", conversation.name);
                assert!(len >= 4, "{} took {len} bytes", conversation.name);
            }
        }
    }
}
