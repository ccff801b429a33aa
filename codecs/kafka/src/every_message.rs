//! Every version of every message, with values by chance: what is true of all of them.

use std::sync::Arc;

use metaprotocol_core::protobuf::push_varint;
use metaprotocol_core::{AnyCodec, Cursor, Direction, EncodeError, ErrorType, Kind, Limits, RequestId, Value};
use metaprotocol_testkit::{
    CLIENT, OwnedFrame, SERVER, Sample, error_reply, exercise_frame, feed_to, fields, new_id, rewrite,
    same_however_cut, set, string,
};

use crate::Kafka;
use crate::rewrite::write_text;
use crate::schema::{self, Op, Role, Struct, What};
use crate::walk;
use crate::wire::{SASL_HANDSHAKE, Variant, is_flexible, is_flexible_response, lacks_client_id};

/// A xorshift generator: the same numbers in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % end
    }

    fn of<'t>(&mut self, texts: &[&'t str]) -> &'t [u8] {
        texts[self.below(texts.len() as u64) as usize].as_bytes()
    }
}

const TOPICS: [&str; 3] = ["orders", "payments", "ö"];
const GROUPS: [&str; 2] = ["g1", "workers"];
const HOSTS: [&str; 3] = ["b1", "broker.example.org", "::1"];
const PORTS: [u16; 2] = [9092, 19092];

/// Writes a struct with values by chance.
fn structure(out: &mut Vec<u8>, of: &Struct, chance: &mut Chance) {
    for op in of.ops {
        field(out, op, chance);
    }
    if of.flexible {
        let known: Vec<_> = of.tags.iter().filter(|_| chance.below(2) == 0).collect();
        let unknown = chance.below(3) == 0;
        push_varint(out, known.len() as u64 + u64::from(unknown));
        for (tag, op) in known {
            let mut inner = Vec::new();
            field(&mut inner, op, chance);
            push_varint(out, (*tag).into());
            push_varint(out, inner.len() as u64);
            out.extend(inner);
        }
        if unknown {
            out.extend([0xe8, 0x07, 2, 0xff, 0xff]);
        }
    }
}

fn field(out: &mut Vec<u8>, op: &Op, chance: &mut Chance) {
    let null = op.nullable && chance.below(5) == 0;
    let length = |out: &mut Vec<u8>, len: Option<u64>| match (op.compact, len) {
        (true, len) => push_varint(out, len.map_or(0, |len| len + 1)),
        (false, len) => out.extend(len.map_or(-1, |len| len as i32).to_be_bytes()),
    };
    match op.what {
        What::Fixed { len, .. } => {
            let number = match op.role {
                Role::Port => PORTS[chance.below(2) as usize].into(),
                Role::ResourceType => [2, 4][chance.below(2) as usize],
                Role::Acks => [1, 0xffff][chance.below(2) as usize],
                Role::Error => [0, 0, 3, 29][chance.below(4) as usize],
                Role::KeyType => chance.below(3),
                Role::Node | Role::Partition => chance.below(5),
                _ => chance.below(u64::MAX),
            };
            let bytes = number.to_be_bytes();
            for at in (0..usize::from(len)).rev() {
                out.push(if at < 8 { bytes[7 - at] } else { at as u8 });
            }
        }
        What::Text if null => write_text(out, op, None),
        What::Text => {
            let text = match op.role {
                Role::Topic | Role::ResourceName => chance.of(&TOPICS),
                Role::Group | Role::Key | Role::Transactional => chance.of(&GROUPS),
                Role::Host => chance.of(&HOSTS),
                _ => chance.of(&["", "a", "some text"]),
            };
            write_text(out, op, Some(text));
        }
        What::Bytes if null => length(out, None),
        What::Bytes => {
            let len = chance.below(20);
            length(out, Some(len));
            out.extend((0..len).map(|byte| byte as u8));
        }
        What::Array(_) if null => length(out, None),
        What::Array(inner) => {
            let count = chance.below(4);
            length(out, Some(count));
            (0..count).for_each(|_| structure(out, Struct::get(inner), chance));
        }
        What::Struct(inner) => structure(out, Struct::get(inner), chance),
        What::Maybe(_) if chance.below(2) == 0 => out.push(0xff),
        What::Maybe(inner) => {
            out.push(1);
            structure(out, Struct::get(inner), chance);
        }
    }
}

fn sized(frame: &[u8]) -> Vec<u8> {
    [&(frame.len() as u32).to_be_bytes(), frame].concat()
}

/// A request and its response.
fn messages(api: i16, version: i16, id: i32, chance: &mut Chance) -> (Vec<u8>, Vec<u8>) {
    let mut request = [&api.to_be_bytes()[..], &version.to_be_bytes(), &id.to_be_bytes()].concat();
    if !lacks_client_id(api, version) {
        request.extend(b"\0\x04shop");
    }
    if is_flexible(api, version) {
        request.push(0);
    }
    structure(&mut request, schema::request(api, version).unwrap(), chance);
    let mut response = id.to_be_bytes().to_vec();
    if is_flexible_response(api, version) {
        response.push(0);
    }
    structure(&mut response, schema::response(api, version).unwrap(), chance);
    (sized(&request), sized(&response))
}

/// Each version of each API: its numbers, a request, and a response.
fn every(rounds: u64, mut check: impl FnMut(i16, i16, OwnedFrame, OwnedFrame)) {
    let mut chance = Chance(0x6b61_666b);
    let codec: Arc<dyn AnyCodec> = Arc::new(Kafka);
    for api in 0.. {
        let Some(versions) = schema::versions(api) else { break };
        for version in versions.first..=versions.last {
            for round in 0..rounds {
                let id = round as i32 * 7;
                let (request, response) = messages(api, version, id, &mut chance);
                let mut connection = Arc::clone(&codec).connect(Limits::default());
                let mut one = |direction: Direction, bytes: &[u8]| {
                    let mut decoded = feed_to(connection.as_mut(), direction, bytes, []);
                    assert!(decoded.failure.is_none() && decoded.frames.len() == 1, "API {api} v{version} {decoded:?}");
                    decoded.frames.remove(0)
                };
                let (request, response) = (one(CLIENT, &request), one(SERVER, &response));
                check(api, version, request, response);
            }
        }
    }
}

fn walks_to_its_end(frame: &OwnedFrame) {
    let body = crate::fields::body(&frame.frame()).expect("a known body");
    let mut cursor = Cursor::new(&frame.bytes, frame.head.header_len as usize);
    assert_eq!(walk::skip_structure(&mut cursor, body, &Limits::default()), Ok(()), "{frame}");
    assert_eq!(cursor.left(), 0, "{frame}");
}

#[test]
fn is_framed_and_read_to_its_end() {
    every(20, |api, version, request, response| {
        assert_eq!((request.head.kind, response.head.kind), (Kind::Request, Kind::Response));
        for frame in [&request, &response] {
            assert_eq!(frame.head.variant, Variant::pack(api, version));
            walks_to_its_end(frame);
            let found = fields(&Kafka, frame.frame());
            assert_eq!(found["api_key"], Value::Int(api.into()));
            assert_eq!(found["api_version"], Value::Int(version.into()));
        }
    });
}

#[test]
fn every_verb_does_no_harm_to_it() {
    let mut chance = Chance(0x7665_7262);
    every(4, |_, _, request, response| {
        for frame in [request, response] {
            exercise_frame(&Kafka, frame.frame(), &Limits::default());
            for _ in 0..20 {
                let mut broken = frame.clone();
                for _ in 0..=chance.below(4) {
                    let at = chance.below(broken.bytes.len() as u64) as usize;
                    broken.bytes[at] = [0, 1, 0x7f, 0x80, 0xff, chance.below(256) as u8][chance.below(6) as usize];
                }
                exercise_frame(&Kafka, broken.frame(), &Limits::default());
            }
        }
    });
}

#[test]
fn is_the_same_however_it_is_cut() {
    let codec: Arc<dyn AnyCodec> = Arc::new(Kafka);
    every(1, |api, version, request, _| {
        let sample = Sample::new(format!("API {api} v{version}"), CLIENT, request.bytes);
        same_however_cut(&codec, Limits::default(), &sample);
    });
}

/// The frame rewritten, with its head.
fn rewritten(frame: &OwnedFrame, edits: &[(&str, &str)]) -> OwnedFrame {
    let bytes = rewrite(&Kafka, frame.frame(), &set(edits)).expect("a frame that can be edited");
    assert_eq!(bytes[..4], (bytes.len() as u32 - 4).to_be_bytes());
    let mut head = frame.head;
    head.frame_len = bytes.len();
    OwnedFrame { head, bytes, offset: 0 }
}

#[test]
fn names_get_a_prefix_and_lose_it() {
    let prefix = "x".repeat(200);
    every(20, |_, _, request, response| {
        for frame in [request, response] {
            for stem in ["topic", "group_id", "transactional_id"] {
                let (add, strip) = (format!("{stem}_prefix"), format!("{stem}_strip"));
                let longer = rewritten(&frame, &[(&add, &prefix)]);
                walks_to_its_end(&longer);
                let (before, after) = (fields(&Kafka, frame.frame()), fields(&Kafka, longer.frame()));
                let key = if stem == "topic" { "topics" } else { stem };
                if let Some(Value::Str(names)) = before.get(key) {
                    let expected: Vec<_> = names.split(',').map(|name| format!("{prefix}{name}")).collect();
                    assert_eq!(after[key], string(&expected.join(",")));
                }
                assert_eq!(rewritten(&longer, &[(&strip, &prefix)]).bytes, frame.bytes);
            }
        }
    });
}

#[test]
fn brokers_move_and_come_back() {
    let addresses: Vec<_> =
        HOSTS.iter().flat_map(|host| PORTS.iter().map(|port| crate::fields::address(host, (*port).into()))).collect();
    let moved: Vec<_> = (0..addresses.len()).map(|at| format!("moved-{at}.example.com:{}", 30_000 + at)).collect();
    let keys = |from: &[String]| from.iter().map(|address| format!("broker.{address}")).collect::<Vec<_>>();
    let (there, back) = (keys(&addresses), keys(&moved));
    let mut moves = 0;
    every(20, |_, _, request, response| {
        for frame in [request, response] {
            let edits: Vec<_> = there.iter().zip(&moved).map(|(key, to)| (key.as_str(), to.as_str())).collect();
            let away = rewritten(&frame, &edits);
            walks_to_its_end(&away);
            for (key, value) in fields(&Kafka, away.frame()) {
                if key.starts_with("broker.") {
                    assert!(moved.contains(&value.to_text().into_owned()), "{key} is {value:?}");
                    moves += 1;
                }
            }
            let edits: Vec<_> = back.iter().zip(&addresses).map(|(key, to)| (key.as_str(), to.as_str())).collect();
            assert_eq!(rewritten(&away, &edits).bytes, frame.bytes);
        }
    });
    assert!(moves > 1000, "{moves}");
}

#[test]
fn ids_and_client_ids_change_and_nothing_else() {
    every(2, |api, version, request, response| {
        for frame in [&request, &response] {
            let bytes = rewrite(&Kafka, frame.frame(), &new_id(1234)).unwrap();
            let at = if frame == &request { 8 } else { 4 };
            let expected = [&frame.bytes[..at], &1234_i32.to_be_bytes(), &frame.bytes[at + 4..]].concat();
            assert_eq!(bytes, expected);
        }
        let other = rewrite(&Kafka, request.frame(), &set(&[("client_id", "another shop")]));
        if lacks_client_id(api, version) {
            assert!(matches!(other, Err(EncodeError::NotWritable { .. })));
        } else {
            let expected = [&request.bytes[4..12], b"\0\x0canother shop", &request.bytes[18..]].concat();
            assert_eq!(other, Ok(sized(&expected)));
        }
    });
}

#[test]
fn is_answered_in_its_own_version() {
    let codec: Arc<dyn AnyCodec> = Arc::new(Kafka);
    let mut unanswered: std::collections::BTreeSet<_> = std::collections::BTreeSet::new();
    every(1, |api, version, _, _| {
        unanswered.insert((api, version));
    });
    every(8, |api, version, request, _| {
        for error in ErrorType::ALL {
            let reply = match error_reply(&Kafka, request.frame(), error, "no röute") {
                Ok(reply) => reply.expect("an answer to a request"),
                Err(EncodeError::NoReply { .. }) => continue,
                Err(other) => panic!("API {api} v{version}: {other}"),
            };
            unanswered.remove(&(api, version));
            let mut connection = Arc::clone(&codec).connect(Limits::default());
            feed_to(connection.as_mut(), CLIENT, &request.bytes, []);
            let decoded = feed_to(connection.as_mut(), SERVER, &reply, []);
            let [frame] = decoded.frames.as_slice() else { panic!("API {api} v{version}: {decoded:?}") };
            assert_eq!((frame.head.kind, frame.head.variant), (Kind::Response, Variant::pack(api, version)));
            assert_eq!(frame.head.request_id, request.head.request_id);
            walks_to_its_end(frame);
            let (asked, told) = (fields(&Kafka, request.frame()), fields(&Kafka, frame.frame()));
            assert!(told["error_code"] != Value::Int(0) && told["reply_type"] == string("error"));
            // What an answer names, its request has named.
            let names = |fields: &metaprotocol_testkit::Fields| match fields.get("topics") {
                Some(names) => names.to_text().split(',').map(str::to_owned).collect::<Vec<_>>(),
                None => Vec::new(),
            };
            let asked = names(&asked);
            assert!(names(&told).iter().all(|name| asked.contains(name)), "API {api} v{version}");
        }
    });
    // Their responses have no error code, or only in lists that their requests do not name.
    unanswered.retain(|(api, version)| !matches!(api, 27 | 30 | 31 | 34 | 49 | 51) && (*api, *version / 3) != (35, 0));
    assert_eq!(unanswered.into_iter().collect::<Vec<_>>(), []);
}

#[test]
fn sasl_0_begins_tokens_and_no_other_message_does() {
    every(1, |api, version, request, response| {
        let codec: Arc<dyn AnyCodec> = Arc::new(Kafka);
        let mut connection = codec.connect(Limits::default());
        feed_to(connection.as_mut(), CLIENT, &request.bytes, []);
        feed_to(connection.as_mut(), SERVER, &response.bytes, []);
        let expected = if (api, version) == (SASL_HANDSHAKE, 0) { Kind::Control } else { Kind::Response };
        let decoded = feed_to(connection.as_mut(), SERVER, &sized(b"r=fyko"), []);
        let expected_id = if expected == Kind::Control {
            RequestId::None
        } else {
            RequestId::Int(u64::from(u32::from_be_bytes(*b"r=fy")))
        };
        let [frame] = decoded.frames.as_slice() else { panic!("{decoded:?}") };
        assert_eq!((frame.head.kind, frame.head.request_id), (expected, expected_id));
    });
}
