//! What holds for every value, every command and every conversation.
#![allow(clippy::expect_used, reason = "a broken expectation is a failed test")]

mod common;

use common::{command, redis};
use metaprotocol_core::{Direction, Kind, Limits};
use metaprotocol_redis::Redis;
use metaprotocol_testkit::{CLIENT, SERVER, Sample, cut_short, exercise, feed_to, field, set, string, whole};
use proptest::collection::vec;
use proptest::prelude::*;

/// A value, as its bytes.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let line = "[ -~]{0,12}";
    let leaf = prop_oneof![
        Just(b"_\r\n".to_vec()),
        Just(b"$-1\r\n".to_vec()),
        Just(b"*-1\r\n".to_vec()),
        Just(b"#t\r\n".to_vec()),
        Just(b",inf\r\n".to_vec()),
        any::<i64>().prop_map(|number| format!(":{number}\r\n").into_bytes()),
        any::<f64>()
            .prop_filter("JSON has no more", |number| number.is_finite())
            .prop_map(|number| format!(",{number:e}\r\n").into_bytes()),
        "-?[1-9][0-9]{0,40}".prop_map(|number| format!("({number}\r\n").into_bytes()),
        line.prop_map(|text| format!("+{text}\r\n").into_bytes()),
        line.prop_map(|text| format!("-ERR {text}\r\n").into_bytes()),
        vec(any::<u8>(), 0..20).prop_map(|bytes| bulk(b'$', &bytes)),
        vec(any::<u8>(), 4090..4100).prop_map(|bytes| bulk(b'$', &bytes)),
        vec(any::<u8>(), 0..20).prop_map(|bytes| bulk(b'!', &bytes)),
        vec(any::<u8>(), 0..20).prop_map(|bytes| bulk(b'=', &[b"txt:", &bytes[..]].concat())),
        vec(vec(any::<u8>(), 1..20), 0..4).prop_map(|chunks| {
            let chunks: Vec<u8> = chunks.iter().flat_map(|chunk| bulk(b';', chunk)).collect();
            [b"$?\r\n", &chunks[..], b";0\r\n"].concat()
        }),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        let pair = (inner.clone(), inner.clone()).prop_map(|(key, value)| [key, value].concat());
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(|all| aggregate(b'*', &all)),
            vec(inner.clone(), 0..5).prop_map(|all| aggregate(b'~', &all)),
            vec(pair.clone(), 0..4).prop_map(|all| aggregate(b'%', &all)),
            vec(inner.clone(), 0..5).prop_map(|all| [b"*?\r\n", &all.concat()[..], b".\r\n"].concat()),
            vec(pair.clone(), 0..4).prop_map(|all| [b"%?\r\n", &all.concat()[..], b".\r\n"].concat()),
            (vec(pair, 0..3), inner).prop_map(|(all, value)| [aggregate(b'|', &all), value].concat()),
        ]
    })
}

fn bulk(mark: u8, bytes: &[u8]) -> Vec<u8> {
    [&[mark][..], bytes.len().to_string().as_bytes(), b"\r\n", bytes, b"\r\n"].concat()
}

fn aggregate(mark: u8, all: &[Vec<u8>]) -> Vec<u8> {
    [&[mark][..], all.len().to_string().as_bytes(), b"\r\n", &all.concat()].concat()
}

/// A command of both sides: what the client sends, whether it is answered, and what the server says.
#[derive(Clone, Debug)]
struct Step {
    asks: Vec<u8>,
    waits: bool,
    /// Each frame, and whether it is the answer.
    says: Vec<(Vec<u8>, bool)>,
}

fn push(mark: u8, word: &str, channel: &str, last: &[u8]) -> Vec<u8> {
    [&[mark][..], b"3\r\n", &bulk(b'$', word.as_bytes()), &bulk(b'$', channel.as_bytes()), last].concat()
}

/// Steps of a client of RESP3 with subscriptions, silence and pushes in between.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let plain = (vec(vec(any::<u8>(), 0..9), 1..4), value()).prop_map(|(args, reply)| Step {
        asks: command(&[vec![b"GET".to_vec()], args].concat()),
        waits: true,
        says: vec![(reply, true)],
    });
    let silent = Just(Step {
        asks: [command(&["CLIENT", "REPLY", "SKIP"]), command(&["SET", "k", "v"])].concat(),
        waits: false,
        says: vec![],
    });
    let subscribe = vec("[a-z]{1,3}", 1..4).prop_map(|channels| {
        let last = channels.len() - 1;
        let says = channels.iter().enumerate();
        let says = says
            .map(|(at, channel)| (push(b'>', "subscribe", channel, format!(":{}\r\n", at + 1).as_bytes()), at == last));
        let says = says.collect();
        let mut words = vec!["SUBSCRIBE".to_owned()];
        words.extend(channels);
        Step { asks: command(&words), waits: true, says }
    });
    let message = "[a-z]{1,3}".prop_map(|channel| Step {
        asks: vec![],
        waits: false,
        says: vec![(push(b'>', "message", &channel, &bulk(b'$', b"payload")), false)],
    });
    let invalid =
        Just(Step { asks: vec![], waits: false, says: vec![(b">2\r\n+invalidate\r\n_\r\n".to_vec(), false)] });
    vec(prop_oneof![4 => plain, 1 => silent, 1 => subscribe, 1 => message, 1 => invalid], 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn values_are_one_frame_each_however_they_are_cut(values in vec(value(), 1..4), cuts in vec(1_usize..40, 1..6)) {
        let sample = Sample::new("values", SERVER, values.concat());
        let decoded = exercise(&redis(), Limits::default(), &sample, &cuts);
        prop_assert_eq!((decoded.failure, decoded.missing), (None, 0));
        let lens: Vec<usize> = decoded.frames.iter().map(|frame| frame.bytes.len()).collect();
        prop_assert_eq!(lens, values.iter().map(Vec::len).collect::<Vec<_>>());
    }

    #[test]
    fn values_that_end_early_are_no_frames(value in value()) {
        cut_short(&redis(), Limits::default(), &Sample::new("a value", SERVER, value));
    }

    #[test]
    fn commands_show_what_was_put_in(args in vec("[ -~é]{0,12}", 1..6), cuts in vec(1_usize..40, 1..6)) {
        let words: Vec<String> = std::iter::once("MGET".to_owned()).chain(args.iter().cloned()).collect();
        let sample = Sample::new("a command", CLIENT, command(&words));
        let decoded = exercise(&redis(), Limits::default(), &sample, &cuts);
        prop_assert_eq!(decoded.frames.len(), 1);
        let frame = decoded.frames[0].frame();
        for (at, arg) in args.iter().enumerate() {
            let expected = Some(string(arg));
            prop_assert_eq!(&field(&Redis, frame, &format!("key.{at}")), &expected);
            prop_assert_eq!(&field(&Redis, frame, &format!("arg.{}", at + 1)), &expected);
        }
    }

    #[test]
    fn lines_take_any_key(key in "\\PC{0,20}") {
        let bytes = b"GET k\r\n";
        let made = metaprotocol_testkit::rewrite(&Redis, whole(&Redis, CLIENT, bytes), &set(&[("key", &key)])).expect("a line");
        prop_assert_eq!(field(&Redis, whole(&Redis, CLIENT, &made), "key"), Some(string(&key)));
    }

    /// However far the client is ahead of the server, and however both are cut, each answer is its command's.
    #[test]
    fn conversations_pair(steps in steps(), ahead in 0_usize..6, cuts in vec(1_usize..60, 1..6)) {
        let mut connection = redis().connect(Limits::default());
        let mut kinds = Vec::new();
        let mut cuts = cuts.into_iter().cycle();
        let mut feed = |direction: Direction, bytes: &[u8]| {
            let decoded = feed_to(connection.as_mut(), direction, bytes, cuts.by_ref());
            assert_eq!((decoded.failure, decoded.missing), (None, 0));
            decoded.frames.iter().map(|frame| frame.head.kind).collect::<Vec<Kind>>()
        };
        // The version is agreed on first.
        feed(CLIENT, &command(&["HELLO", "3"]));
        feed(SERVER, b"%0\r\n");
        for at in 0..steps.len() + ahead {
            if let Some(step) = steps.get(at) {
                let asked = feed(CLIENT, &step.asks);
                prop_assert_eq!(asked.contains(&Kind::Request), step.waits);
            }
            if let Some(step) = at.checked_sub(ahead).and_then(|at| steps.get(at)) {
                for (bytes, answers) in &step.says {
                    for kind in feed(SERVER, bytes) {
                        kinds.push((kind.is_response(), *answers));
                    }
                }
            }
        }
        prop_assert!(kinds.iter().all(|(is, due)| is == due), "{:?}", kinds);
        // Nothing waits any more.
        prop_assert_eq!(feed(SERVER, b"+OK\r\n"), [Kind::Response]);
    }

    #[test]
    fn any_bytes_at_all(bytes in vec(any::<u8>(), 0..200), server in any::<bool>()) {
        let direction = if server { SERVER } else { CLIENT };
        exercise(&redis(), Limits::default(), &Sample::new("any bytes", direction, bytes), &[3, 1]);
    }

    /// Bytes of the protocol's own alphabet get further than any others.
    #[test]
    fn any_bytes_of_the_alphabet(parts in vec(prop::sample::select(PARTS.to_vec()), 0..30), server in any::<bool>()) {
        let direction = if server { SERVER } else { CLIENT };
        let stream: Vec<u8> = parts.concat();
        exercise(&redis(), Limits::default(), &Sample::new("parts", direction, stream), &[5, 1, 2]);
    }
}

const PARTS: [&[u8]; 28] = [
    b"*", b"$", b"+", b"-", b":", b"_", b",", b"#", b"(", b"!", b"=", b"%", b"~", b"|", b">", b";", b".", b"?", b"1",
    b"2", b"3", b"-1", b"\r\n", b"\r\n", b"\r\n", b"SET", b"GET k", b"\"",
];
