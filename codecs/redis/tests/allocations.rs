//! `split` allocates nothing per frame, and is not asked more often for longer ones.
#![allow(clippy::expect_used, reason = "a broken expectation is a failed test")]

mod common;

use common::{command, words};
use metaprotocol_core::{AnyCodec, Limits};
use metaprotocol_redis::Redis;
use metaprotocol_testkit::{CLIENT, SERVER, Sample, allocations, split_allocations, split_calls, whole};

fn samples() -> Vec<Sample> {
    let client = |name: &str, bytes: &[u8]| Sample::new(name, CLIENT, bytes);
    let server = |name: &str, bytes: &[u8]| Sample::new(name, SERVER, bytes);
    vec![
        client("commands", &[words("SET k v"), words("get k"), words("CONFIG GET *")].concat()),
        client("silence", &[words("CLIENT REPLY OFF"), words("SET k v"), words("CLIENT REPLY ON")].concat()),
        client("lines", b"PING\r\nSET \"k\" v\r\n\r\n"),
        server("short replies", b"+OK\r\n:1\r\n$5\r\nhello\r\n$-1\r\n-ERR no\r\n"),
        server("lists", b"*2\r\n*2\r\n:1\r\n:2\r\n*1\r\n%1\r\n+a\r\n~1\r\n,1.5\r\n"),
        server("streamed", b"*?\r\n$?\r\n;2\r\nab\r\n;0\r\n.\r\n"),
        server("messages", b">3\r\n+message\r\n+a\r\n+b\r\n|1\r\n+a\r\n+b\r\n>2\r\n+invalidate\r\n_\r\n"),
    ]
}

#[test]
fn split_allocates_nothing_once_a_connection_is_warm() {
    for sample in samples() {
        let used = split_allocations(&Redis, &sample);
        // What waits, and the levels of a walk.
        assert!(used.first <= 2 && used.warm == 0, "{}: {used:?}", sample.name);
    }
}

#[test]
fn a_frame_of_any_length_costs_few_calls_of_split() {
    let long = vec![b'x'; 1_000_000];
    let reply = [&b"$1000000\r\n"[..], &long, b"\r\n"].concat();
    for (sample, most) in [
        (Sample::new("a long argument", CLIENT, command(&[&b"SET"[..], b"k", &long])), 60),
        (Sample::new("a long argument in between", CLIENT, command(&[&b"MSET"[..], b"k", &long, b"l", b"v"])), 80),
        (Sample::new("a long string", SERVER, reply.clone()), 20),
        (Sample::new("a long string in a list", SERVER, [b"*1\r\n", &reply[..]].concat()), 20),
    ] {
        let asked = split_calls(Redis, &sample);
        assert!(asked <= most, "{asked} calls for {}", sample.name);
    }
}

/// Fed byte by byte, so many elements take so many calls, and each must cost the same: a walk that began anew each time
/// would take minutes.
#[test]
fn a_list_of_any_length_is_walked_once() {
    let list = [&b"*100000\r\n"[..], &b"$3\r\nabc\r\n".repeat(100_000)].concat();
    assert!(split_calls(Redis, &Sample::new("a long list", SERVER, list)) <= 1_000_000);
    let line = [&b"+"[..], &vec![b'x'; 1_000_000], b"\r\n"].concat();
    assert!(split_calls(Redis, &Sample::new("a long line", SERVER, line)) <= 1_000_005);
    let many = vec!["a"; 100_000];
    let sample = Sample::new("many arguments", CLIENT, command(&[&["DEL"][..], &many].concat()));
    assert!(split_calls(Redis, &sample) <= 800_000);
}

#[test]
fn a_look_up_allocates_nothing() {
    let bytes = command(&["MSET", "{a}b", "1", "{a}c", "2"]);
    let frame = whole(&Redis, CLIENT, &bytes);
    let known =
        ["message_type", "command", "key", "key_count", "hash_tag", "slot", "arg_count", "access", "flags", "arg.3"];
    // The table is read for the first.
    for warm in [false, true] {
        for key in known {
            let key = AnyCodec::key(&Redis, key);
            let used = allocations(|| {
                AnyCodec::field(&Redis, frame, &key, &Limits::default()).expect("a readable frame");
            });
            assert!(used == 0 || !warm, "{used} allocations for {key:?}");
        }
    }
    let reply = b"-MOVED 3999 127.0.0.1:6381\r\n";
    let frame = whole(&Redis, SERVER, reply);
    for key in ["reply_type", "error_code", "error_message", "redirect", "slot"] {
        let key = AnyCodec::key(&Redis, key);
        let used = allocations(|| {
            AnyCodec::field(&Redis, frame, &key, &Limits::default()).expect("a readable frame");
        });
        // The one level of the walk that finds the line's end.
        assert!(used <= 1, "{used} allocations for {key:?}");
    }
}
