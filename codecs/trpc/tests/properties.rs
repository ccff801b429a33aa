//! What holds for every frame and every stream of bytes.
#![allow(clippy::expect_used, reason = "a test may panic")]

mod common;

use common::{entry, number, part, rewrite, stream, trpc, unary, whole};
use metaprotocol_core::{Direction, Edits, ErrorType, Kind, Limits, RequestId, Value};
use metaprotocol_testkit::{CLIENT, Fields, SERVER, Sample, error_reply, exercise, field, fields};
use metaprotocol_trpc::Trpc;
use proptest::collection::vec;
use proptest::prelude::*;

/// A field of a header message: one that is known, or not.
#[derive(Clone, Debug)]
enum Item {
    Number(u64, u64),
    Text(u64, Vec<u8>),
    Entry(String, String),
    Unknown(u64, Vec<u8>),
}

impl Item {
    fn bytes(&self, trans_info: u64) -> Vec<u8> {
        match self {
            Self::Number(field, value) => number(*field, *value),
            Self::Text(field, value) => part(*field, value),
            Self::Entry(key, value) => entry(trans_info, key, value),
            Self::Unknown(field, value) => part(*field, value),
        }
    }
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["x-[a-z]{1,3}", Just("x-a".to_owned())]
}

/// Fields of a RequestProtocol, some of them twice.
fn items() -> impl Strategy<Value = Vec<Item>> {
    let numbers = prop_oneof![Just(1_u64), Just(3), Just(4), Just(8), Just(10), Just(11)];
    let value = prop_oneof![0..300_u64, 0..=u64::from(u32::MAX), any::<u64>()];
    let item = prop_oneof![
        4 => (numbers, value).prop_map(|(field, value)| Item::Number(field, value)),
        3 => (5..8_u64, "[ -~é世]{0,20}").prop_map(|(field, text)| Item::Text(field, text.into_bytes())),
        1 => (5..8_u64, vec(any::<u8>(), 0..8)).prop_map(|(field, bytes)| Item::Text(field, bytes)),
        4 => (name(), "\\PC{0,200}").prop_map(|(key, value)| Item::Entry(key, value)),
        1 => (13..1000_u64, vec(any::<u8>(), 0..20)).prop_map(|(field, bytes)| Item::Unknown(field, bytes)),
    ];
    vec(item, 0..14)
}

fn message(items: &[Item], trans_info: u64) -> Vec<u8> {
    items.iter().flat_map(|item| item.bytes(trans_info)).collect()
}

fn last_number(items: &[Item], wanted: u64) -> u32 {
    let number = |item: &Item| match item {
        Item::Number(field, value) if *field == wanted => Some(*value as u32),
        _ => None,
    };
    items.iter().rev().find_map(number).unwrap_or(0)
}

fn last_text(items: &[Item], wanted: u64) -> Option<String> {
    let text = |item: &Item| match item {
        Item::Text(field, value) if *field == wanted => Some(String::from_utf8_lossy(value).into_owned()),
        _ => None,
    };
    items.iter().rev().find_map(text)
}

fn told(found: &Fields, key: &str) -> Option<String> {
    found.get(key).map(|value| value.to_text().into_owned())
}

fn new_id(id: u32) -> Edits<'static> {
    Edits { request_id: Some(id.into()), ..Edits::default() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_request_says_what_was_written(items in items(), body in vec(any::<u8>(), 0..40)) {
        let bytes = unary(&message(&items, 9), 0, &body);
        let frame = whole(CLIENT, &bytes);
        prop_assert_eq!(frame.head.kind, Kind::Request);
        prop_assert_eq!(frame.head.request_id, RequestId::Int(last_number(&items, 3).into()));
        prop_assert_eq!(frame.body(), body.as_slice());
        let found = fields(&Trpc, frame);
        for (key, slot) in [("timeout", 4), ("message_type", 8), ("content_type", 10), ("content_encoding", 11)] {
            prop_assert_eq!(told(&found, key), Some(last_number(&items, slot).to_string()), "{}", key);
        }
        for (key, slot) in [("caller", 5), ("callee", 6), ("func", 7)] {
            prop_assert_eq!(told(&found, key), last_text(&items, slot), "{}", key);
        }
        for item in &items {
            let Item::Entry(key, _) = item else { continue };
            let last = items.iter().rev().find_map(|item| match item {
                Item::Entry(name, value) if name == key => Some(value.clone()),
                _ => None,
            });
            prop_assert_eq!(told(&found, key), last);
        }
    }

    #[test]
    fn frames_are_the_same_however_they_are_cut(
        frames in vec((items(), 0..4_u8, vec(any::<u8>(), 0..40)), 1..4),
        client in any::<bool>(),
        cuts in vec(1_usize..40, 0..6),
    ) {
        let bytes: Vec<Vec<u8>> = frames
            .iter()
            .map(|(items, kind, body)| match kind {
                0 => unary(&message(items, 9), 7, body),
                1 => stream(1, 100, &[part(1, message(items, 5)), number(3, 1)].concat()),
                2 => stream(2, 100, body),
                _ => stream(4, 100, &message(items, 5)),
            })
            .collect();
        let direction = if client { CLIENT } else { SERVER };
        let sample = Sample::new("frames", direction, bytes.concat());
        let decoded = exercise(&trpc(), Limits::default(), &sample, &cuts);
        prop_assert_eq!(decoded.failure, None);
        prop_assert_eq!(decoded.frames.iter().map(|frame| frame.bytes.clone()).collect::<Vec<_>>(), bytes);
    }

    #[test]
    fn edits_change_what_they_name(items in items(), sets in vec((name(), "\\PC{0,40}"), 0..4), gone in name(), id in any::<u32>()) {
        let bytes = unary(&message(&items, 9), 0, b"body");
        let before = fields(&Trpc, whole(CLIENT, &bytes));
        let set = sets.iter().map(|(key, value)| (key.as_str(), Value::str(value))).collect();
        let edits = Edits { set, remove: vec![&gone], request_id: Some(id.into()) };
        let after = rewrite(CLIENT, &bytes, &edits).expect("a rewritten frame");
        let frame = whole(CLIENT, &after);
        prop_assert_eq!(frame.head.request_id, RequestId::Int(id.into()));
        prop_assert_eq!(frame.body(), b"body");
        let mut expected = before;
        expected.remove(&gone);
        for (key, value) in &sets {
            expected.insert(key.clone(), Value::Str(value.clone().into()));
        }
        prop_assert_eq!(fields(&Trpc, frame), expected);
        // Unknown fields stay.
        for item in items.iter().filter(|item| matches!(item, Item::Unknown(..))) {
            let bytes = item.bytes(9);
            prop_assert!(after.windows(bytes.len()).any(|window| window == bytes));
        }
    }

    #[test]
    fn an_inits_edits_are_those_of_a_call(items in items(), sets in vec((name(), "\\PC{0,40}"), 0..4), gone in name(), cut in any::<prop::sample::Index>()) {
        // The request_meta of INIT has the fields of a request at other numbers, and may come in parts.
        let texts: Vec<Item> = items
            .into_iter()
            .filter_map(|item| match item {
                Item::Text(field, value) => Some(Item::Text(field - 4, value)),
                Item::Entry(..) | Item::Unknown(..) => Some(item),
                Item::Number(..) => None,
            })
            .collect();
        let (one, two) = texts.split_at(cut.index(texts.len() + 1));
        let bytes = stream(1, 100, &[part(1, message(one, 5)), number(3, 9), part(1, message(two, 5))].concat());
        let mut expected = fields(&Trpc, whole(CLIENT, &bytes));
        let set = sets.iter().map(|(key, value)| (key.as_str(), Value::str(value))).collect();
        let after = rewrite(CLIENT, &bytes, &Edits { set, remove: vec![&gone], request_id: None }).expect("a rewritten frame");
        expected.remove(&gone);
        for (key, value) in &sets {
            expected.insert(key.clone(), Value::Str(value.clone().into()));
        }
        prop_assert_eq!(fields(&Trpc, whole(CLIENT, &after)), expected);
    }

    #[test]
    fn a_new_id_and_back_is_the_same_frame(id in any::<u32>(), other in any::<u32>(), copied in any::<bool>()) {
        let bytes = unary(&[number(3, id.into()), part(7, "/a.B/C")].concat(), if copied { id } else { !id }, b"body");
        for direction in [CLIENT, SERVER] {
            let there = rewrite(direction, &bytes, &new_id(other)).expect("a rewritten frame");
            prop_assert_eq!(whole(direction, &there).head.request_id, RequestId::Int(other.into()));
            prop_assert_eq!(rewrite(direction, &there, &new_id(id)), Ok(bytes.clone()));
        }
    }

    #[test]
    fn a_reply_carries_id_and_message(items in items(), text in "\\PC{0,60}", error in 0..ErrorType::ALL.len()) {
        let bytes = unary(&message(&items, 9), 7, b"body");
        let request = whole(CLIENT, &bytes);
        let reply = error_reply(&Trpc, request, ErrorType::ALL[error], &text).expect("a reply").expect("an answer");
        let answer = whole(SERVER, &reply);
        prop_assert_eq!((answer.head.kind, answer.head.request_id), (Kind::Error, request.head.request_id));
        let found = field(&Trpc, answer, "error_msg").map(|value| value.to_text().into_owned());
        prop_assert_eq!(found.unwrap_or_default(), text);
        prop_assert_eq!(&reply[10..15], &bytes[10..15]);
    }

    #[test]
    fn any_bytes_do_no_harm(mut bytes in vec(any::<u8>(), 0..120), kind in 0..6_u8, client in any::<bool>()) {
        // Most of them behind a sound front.
        if kind < 5 && bytes.len() >= 16 {
            let (len, message) = (bytes.len() as u32, bytes[9] % 64);
            bytes[..4].copy_from_slice(&[9, 0x30, u8::from(kind > 0), kind]);
            bytes[4..8].copy_from_slice(&len.to_be_bytes());
            bytes[8..10].copy_from_slice(&[0, message]);
        }
        let direction: Direction = if client { CLIENT } else { SERVER };
        exercise(&trpc(), Limits::default(), &Sample::new("any bytes", direction, bytes), &[3, 1, 20]);
    }
}
