//! Kafka frames through every verb.

use std::sync::Arc;

use metaprotocol_core::{AnyCodec, Detection, Direction, Edits, Fed, Frame, Kind, Limits, Split, Value};
use metaprotocol_kafka::Kafka;

use crate::script::Script;
use crate::verbs::{self, Choices, Dialect};

const DIRECTION: Direction = Direction::ClientToServer;
/// API keys that a request is made for: those that are known, and one more.
const APIS: u16 = 94;
/// Versions: those of the API with the most, and one more.
const VERSIONS: u16 = 20;

struct Dialog;

impl Dialect for Dialog {
    const KEYS: &'static [&'static str] = &["broker.1", "broker.01", "broker.", "absent", "neu 中😀"];
    const REPLY_KIND: Kind = Kind::Response;
    const REPLY_MESSAGE: &'static str = "error_message";
    const ID_KEY: Option<&'static str> = Some("correlation_id");

    fn shown(key: &str) -> String {
        key.to_owned()
    }

    fn found_by_name(_: &str) -> bool {
        true
    }

    fn touches(edited: &str, other: &str) -> bool {
        matches!((edited, other), ("topic", "topics"))
    }

    /// The most is taken by lists of partitions, and addresses of brokers.
    fn memory(frame: Frame<'_>, _: &Limits) -> u64 {
        8192 + 128 * frame.bytes.len() as u64
    }
}

/// Runs an input.
pub fn check(input: &[u8]) {
    let mut script = Script::new(input);
    let choices = Choices::read(&mut script);
    let [mode, api, version] = script.bytes();
    let rest = script.rest();
    let codec: Arc<dyn AnyCodec> = Arc::new(Kafka);
    let note = [(u16::from(api) % APIS).to_be_bytes(), (u16::from(version) % VERSIONS).to_be_bytes()].concat();
    let framed = |parts: &[&[u8]]| {
        let frame = parts.concat();
        [&(frame.len() as u32).to_be_bytes()[..], &frame].concat()
    };
    let id = 0x0102_0304_i32.to_be_bytes();
    // The bytes as they are; or a legal header of a request, or of its response, in front of them.
    let bytes = match mode % 3 {
        0 => rest.to_vec(),
        1 => framed(&[&note, &id, b"\0\x04shop\0", rest]),
        _ => {
            // acks=-1 behind no transactional id, in any version: others read nothing of the body.
            let request = framed(&[&note, &id, b"\0\x04shop\0\xff\xff\xff\xff"]);
            return response(&codec, &request, &framed(&[&id, rest]));
        }
    };
    verbs::detect(codec.as_ref(), DIRECTION, &bytes);
    let Ok(Split::Head(head)) = codec.split(DIRECTION, &choices.limits(), &bytes) else { return };
    let Some(frame) = Frame::new(head, &bytes) else { return };
    if mode % 3 == 0 && codec.detect(DIRECTION, &bytes) == Detection::Yes {
        assert_ne!(head.kind, Kind::Control);
    }
    verbs::check::<Dialog>(&codec, DIRECTION, frame, &choices);
}

/// The response to a request.
fn response(codec: &Arc<dyn AnyCodec>, request: &[u8], response: &[u8]) {
    let limits = Limits::default();
    let mut connection = Arc::clone(codec).connect(limits);
    let mut fed = Fed::default();
    if connection.feed(DIRECTION, request, &mut fed).is_err() || fed.frames.len() != 1 {
        return;
    }
    if connection.feed(DIRECTION.reverse(), response, &mut fed).is_err() {
        return;
    }
    let [placed] = fed.frames.as_slice() else { return };
    let frame = Frame::new(placed.head, response).expect("a whole frame");
    let (before, read) = verbs::read::<Dialog>(codec.as_ref(), frame, &limits);
    let set = |entries: &[(&'static str, &'static str)]| {
        let set = entries.iter().map(|(key, value)| (*key, Value::str(value))).collect();
        Edits { set, ..Edits::default() }
    };
    let there = set(&[
        ("topic_prefix", "there."),
        ("group_id_prefix", "there."),
        ("transactional_id_prefix", "there."),
        ("broker.1", "elsewhere.example.org:1"),
    ]);
    let Ok(segments) = codec.rewrite(frame, &there, &limits) else {
        return;
    };
    let edited = segments.concat();
    assert_eq!(edited[..4], (edited.len() as u32 - 4).to_be_bytes());
    let mut head = placed.head;
    head.frame_len = edited.len();
    let edited = Frame::new(head, &edited).expect("its own bytes");
    if read.is_err() {
        return;
    }
    let (after, read) = verbs::read::<Dialog>(codec.as_ref(), edited, &limits);
    assert_eq!(read, Ok(()), "an edit broke the frame");
    assert_eq!(before.len(), after.len(), "{before:?} {after:?} {:x?} {:x?}", request, response);
    for (key, value) in &before {
        let text = value.to_text();
        match key.as_str() {
            "topic" | "group_id" | "transactional_id" if !text.is_empty() => {
                assert_eq!(after[key].to_text(), format!("there.{text}"), "{key}");
            }
            // Of a group or a transaction, which the response does not tell.
            "topics" | "coordinator_key" => {}
            "broker.1" => assert_eq!(after[key].to_text(), "elsewhere.example.org:1"),
            _ => assert_eq!(&after[key], value, "{key} was not edited"),
        }
    }
}
