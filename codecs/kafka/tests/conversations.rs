//! Both sides of a connection: which requests wait, which responses are understood, and where tokens travel.

use std::sync::Arc;

use metaprotocol_core::{AnyCodec, Connection, Direction, EncodeError, Kind, Limits, Value};
use metaprotocol_kafka::Kafka;
use metaprotocol_testkit::{
    CLIENT, OwnedFrame, SERVER, Sample, feed_to, field, fields, new_id, rewrite, set, split_allocations, split_calls,
    string,
};

fn sized(frame: &[u8]) -> Vec<u8> {
    [&(frame.len() as u32).to_be_bytes(), frame].concat()
}

fn request(api: u16, version: u16, id: u32, rest: &[u8]) -> Vec<u8> {
    sized(&[&api.to_be_bytes()[..], &version.to_be_bytes(), &id.to_be_bytes(), b"\0\x01c", rest].concat())
}

fn response(id: u32, rest: &[u8]) -> Vec<u8> {
    sized(&[&id.to_be_bytes(), rest].concat())
}

struct Dialogue(Box<dyn Connection>);

impl Dialogue {
    fn new() -> Self {
        Self((Arc::new(Kafka) as Arc<dyn AnyCodec>).connect(Limits::default()))
    }

    /// The one frame that these bytes are.
    fn one(&mut self, direction: Direction, bytes: &[u8]) -> OwnedFrame {
        let mut decoded = feed_to(self.0.as_mut(), direction, bytes, []);
        assert!(decoded.failure.is_none() && decoded.frames.len() == 1, "{decoded:?}");
        decoded.frames.remove(0)
    }
}

#[test]
fn responses_are_read_as_the_requests_that_they_answer() {
    let mut dialogue = Dialogue::new();
    // Heartbeat in version 0, then in 4, which is flexible and has a throttle time before its error.
    dialogue.one(CLIENT, &request(12, 0, 1, b"\0\x01g\0\0\0\x05\0\x01m"));
    dialogue.one(CLIENT, &request(12, 4, 2, b"\0\x02g\0\0\0\x05\x02m\0\0"));
    let flexible = dialogue.one(SERVER, &response(2, b"\0\0\0\0\x64\0\x1b\0"));
    assert_eq!(flexible.head.header_len, 9);
    let found = fields(&Kafka, flexible.frame());
    assert_eq!((&found["throttle_time_ms"], &found["error"]), (&Value::Int(100), &string("REBALANCE_IN_PROGRESS")));
    let plain = dialogue.one(SERVER, &response(1, b"\0\0"));
    assert_eq!(plain.head.header_len, 8);
    let found = fields(&Kafka, plain.frame());
    assert_eq!((&found["error_code"], &found["reply_type"]), (&Value::Int(0), &string("success")));
    assert!(!found.contains_key("error"));
    // Each is answered once.
    let again = fields(&Kafka, dialogue.one(SERVER, &response(1, b"\0\0")).frame());
    assert_eq!(again.into_keys().collect::<Vec<_>>(), ["correlation_id"]);
}

#[test]
fn the_header_of_api_versions_never_has_tagged_fields() {
    let mut dialogue = Dialogue::new();
    dialogue.one(CLIENT, &request(18, 3, 0, b"\0\x02a\x021\0"));
    let answer = dialogue.one(SERVER, &response(0, b"\0\0\x02\0\x12\0\0\0\x04\0\0\0\0\x07\0"));
    assert_eq!(answer.head.header_len, 8);
    assert_eq!(field(&Kafka, answer.frame(), "throttle_time_ms"), Some(Value::Int(7)));
    // A broker that does not speak the version answers in version 0: what it speaks, and nothing behind it.
    dialogue.one(CLIENT, &request(18, 4, 1, b"\0\x02a\x021\0"));
    let refused = dialogue.one(SERVER, &response(1, b"\0\x23\0\0\0\x01\0\x12\0\0\0\x03"));
    let found = fields(&Kafka, refused.frame());
    assert_eq!((&found["error"], &found["api_version"]), (&string("UNSUPPORTED_VERSION"), &Value::Int(4)));
    assert!(!found.contains_key("throttle_time_ms"));
}

#[test]
fn a_produce_without_acks_leaves_nothing_waiting() {
    let mut dialogue = Dialogue::new();
    let silent = dialogue.one(CLIENT, &request(0, 2, 5, b"\0\0\0\0\0\x64\0\0\0\0"));
    assert_eq!(silent.head.kind, Kind::Oneway);
    let nobodys = dialogue.one(SERVER, &response(5, b"\0\0\0\0\0\0\0\0"));
    assert_eq!(field(&Kafka, nobodys.frame(), "api_key"), None);
}

#[test]
fn tokens_travel_until_the_next_request() {
    let mut dialogue = Dialogue::new();
    let kinds = |frame: &OwnedFrame| (frame.head.kind, frame.head.frame_len);
    dialogue.one(CLIENT, &request(17, 0, 0, b"\0\x0dSCRAM-SHA-256"));
    let mechanisms = dialogue.one(SERVER, &response(0, b"\0\0\0\0\0\x01\0\x0dSCRAM-SHA-256"));
    assert_eq!(field(&Kafka, mechanisms.frame(), "api_name"), Some(string("SaslHandshake")));
    for (direction, token) in [
        (CLIENT, &b"n,,n=alice,r=fyko+d2lbbFgONRv9qkxdawL"[..]),
        (SERVER, b"r=fyko+d2lbbFgONRv9qkxdawL3rfc,s=QSXC,i=4096"),
        (CLIENT, b"c=biws,r=fyko,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="),
        (SERVER, b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ="),
        (CLIENT, b""),
        (SERVER, b""),
        (CLIENT, b"\0"),
        // A known API and a known version, but no client id behind them.
        (CLIENT, b"\0\x03\0\x01\0\0\0\x01\x7f\xff"),
    ] {
        let frame = dialogue.one(direction, &sized(token));
        assert_eq!(kinds(&frame), (Kind::Control, token.len() + 4));
        assert!(fields(&Kafka, frame.frame()).is_empty());
        for edits in [new_id(1), set(&[("client_id", "x")]), set(&[("topic_prefix", "x")])] {
            assert!(matches!(rewrite(&Kafka, frame.frame(), &edits), Err(EncodeError::NotWritable { .. })));
        }
    }
    dialogue.one(CLIENT, &request(3, 1, 1, b"\0\0\0\0"));
    let answer = dialogue.one(SERVER, &response(1, b"\0\0\0\0\0\0\0\0\0\0\0\0"));
    assert_eq!(field(&Kafka, answer.frame(), "api_name"), Some(string("Metadata")));
    // From here on, what is unknown is a response again.
    let unknown = dialogue.one(SERVER, &response(9, b""));
    assert_eq!(unknown.head.kind, Kind::Response);
}

#[test]
fn what_is_newer_passes_and_is_not_rewritten() {
    let mut dialogue = Dialogue::new();
    let newer = dialogue.one(CLIENT, &request(3, 99, 1, b"\0new"));
    let unknown = dialogue.one(CLIENT, &request(1000, 0, 2, b"new"));
    let answers = [dialogue.one(SERVER, &response(1, b"\0new")), dialogue.one(SERVER, &response(2, b"new"))];
    assert_eq!(field(&Kafka, answers[0].frame(), "api_version"), Some(Value::Int(99)));
    assert_eq!(answers[0].head.header_len, 9);
    for frame in [&newer, &unknown, &answers[0], &answers[1]] {
        assert!(rewrite(&Kafka, frame.frame(), &new_id(9)).is_ok());
        let refused = rewrite(&Kafka, frame.frame(), &set(&[("topic_prefix", "x")]));
        let Err(EncodeError::NotWritable { why, .. }) = refused else { panic!("{refused:?}") };
        assert!(why.contains("does not know version"), "{why}");
    }
    assert!(rewrite(&Kafka, newer.frame(), &set(&[("client_id", "other")])).is_ok());
    assert!(rewrite(&Kafka, unknown.frame(), &set(&[("client_id", "other")])).is_err());
    assert_eq!(field(&Kafka, unknown.frame(), "client_id"), Some(string("c")));
    let nobodys = dialogue.one(SERVER, &response(77, b"?"));
    let refused = rewrite(&Kafka, nobodys.frame(), &set(&[("broker.1", "a:1")]));
    assert!(matches!(refused, Err(EncodeError::NotWritable { why, .. }) if why.contains("was not seen")));
}

#[test]
fn names_are_renamed_one_by_one_or_all() {
    let bytes = request(3, 1, 1, b"\0\0\0\x02\0\x01a\0\x01b");
    let frame = Dialogue::new().one(CLIENT, &bytes);
    let renamed = |edits: &[(&str, &str)]| {
        let bytes = rewrite(&Kafka, frame.frame(), &set(edits)).unwrap();
        field(&Kafka, Dialogue::new().one(CLIENT, &bytes).frame(), "topics")
    };
    assert_eq!(renamed(&[("topic.a", "c")]), Some(string("c,b")));
    assert_eq!(renamed(&[("topic.c", "d")]), Some(string("a,b")));
    assert_eq!(renamed(&[("topic.a", "c"), ("topic_prefix", "x.")]), Some(string("c,x.b")));
    assert_eq!(renamed(&[("topic_strip", "a"), ("topic_prefix", "x.")]), Some(string("x.,x.b")));
    let several = rewrite(&Kafka, frame.frame(), &set(&[("topic", "c")]));
    assert!(matches!(several, Err(EncodeError::NotWritable { why, .. }) if why.contains("topic.<old name>")));
    let none = Dialogue::new().one(CLIENT, &request(3, 1, 1, b"\xff\xff\xff\xff"));
    let none = rewrite(&Kafka, none.frame(), &set(&[("topic", "c")]));
    assert!(matches!(none, Err(EncodeError::NotWritable { why, .. }) if why.contains("names none")));
}

#[test]
fn coordinators_are_renamed_as_what_they_are_of() {
    for (key_type, key, renamed) in [(b"\0", "group_id", true), (b"\x01", "group_id", false)] {
        let bytes = request(10, 1, 1, &[&b"\0\x01g"[..], key_type].concat());
        let frame = Dialogue::new().one(CLIENT, &bytes);
        let bytes = rewrite(&Kafka, frame.frame(), &set(&[(&format!("{key}_prefix"), "x.")])).unwrap();
        let found = field(&Kafka, Dialogue::new().one(CLIENT, &bytes).frame(), "coordinator_key");
        assert_eq!(found, Some(string(if renamed { "x.g" } else { "g" })));
    }
}

#[test]
fn values_that_do_not_fit_are_refused_with_what_would() {
    let frame = Dialogue::new().one(CLIENT, &request(3, 1, 1, b"\0\0\0\x01\0\x01a"));
    let long = "x".repeat(40_000);
    for (key, value) in [
        ("client_id", long.as_str()),
        ("topic", ""),
        ("topic.a", ""),
        ("topic_prefix", &long),
        ("broker.1", "no port"),
        ("broker.1", "host:70000"),
        ("broker.1.port", "x"),
        ("correlation_id", "x"),
    ] {
        let refused = rewrite(&Kafka, frame.frame(), &set(&[(key, value)]));
        assert!(matches!(refused, Err(EncodeError::BadValue { .. })), "{key}: {refused:?}");
    }
    for key in ["broker.x", "broker.1.rack", "partition", "topics", "absent", "topicality"] {
        let refused = rewrite(&Kafka, frame.frame(), &set(&[(key, "x")]));
        assert!(matches!(refused, Err(EncodeError::NotWritable { .. })), "{key}: {refused:?}");
    }
}

#[test]
fn split_allocates_nothing_once_a_connection_is_warm() {
    let flexible = request(0, 9, 1, b"\0\0\xff\xff\0\0\0\0\x01\0");
    for (bytes, kept) in [(flexible, 1), (request(0, 2, 1, b"\0\0\0\0\0\x64\0\0\0\0"), 0)] {
        let used = split_allocations(&Kafka, &Sample::new("a request", CLIENT, bytes));
        assert_eq!((used.frames, used.first, used.warm), (1, kept, 0));
    }
}

#[test]
fn a_message_of_any_length_costs_few_calls_of_split() {
    let tags = [&b"\x02\0\xe8\x07"[..], &[1; 1000], b"\x01\xe8\x07", &[2; 1000]].concat();
    for bytes in [request(3, 1, 1, &[0; 100_000]), request(3, 9, 1, &[tags, vec![0; 100_000]].concat())] {
        let asked = split_calls(Kafka, &Sample::new("a long request", CLIENT, bytes));
        assert!(asked <= 40, "{asked} calls");
    }
}
