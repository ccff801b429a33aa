//! What fields show, and what rewrite and reply make.
#![allow(clippy::expect_used, reason = "a broken expectation is a failed test")]

mod common;

use std::borrow::Cow;

use common::{command, redis, words};
use metaprotocol_core::{AnyCodec, Edits, EncodeError, ErrorType, Frame, Kind, Limits, Reply, Value};
use metaprotocol_redis::Redis;
use metaprotocol_testkit::{
    CLIENT, SERVER, error_reply, feed_to, field, fields, head, new_id, remove, rewrite, set, try_field, whole,
};

fn shown(direction: metaprotocol_core::Direction, bytes: &[u8], key: &str) -> Option<String> {
    field(&Redis, whole(&Redis, direction, bytes), key).map(|value| value.to_text().into_owned())
}

#[test]
fn elements_of_replies_are_found_by_their_place() {
    let reply = b"%2\r\n+a\r\n*2\r\n:1\r\n|1\r\n+x\r\n+y\r\n$?\r\n;2\r\nhe\r\n;3\r\nllo\r\n;0\r\n+b\r\n*?\r\n#t\r\n=7\r\ntxt:abc\r\n-ERR no\r\n!3\r\nERR\r\n.\r\n";
    let cases = [
        ("value", None),
        ("value.0", Some("a")),
        ("value.1", None),
        ("value.1.0", Some("1")),
        ("value.1.1", Some("hello")),
        ("value.1.2", None),
        ("value.2", Some("b")),
        ("value.3.0", Some("true")),
        ("value.3.1", Some("abc")),
        ("value.3.2", Some("ERR no")),
        ("value.3.3", Some("ERR")),
        ("value.3.4", None),
        ("value.4", None),
        ("value.0.0", None),
        ("value.", None),
        ("value.x", None),
        ("value.-1", None),
    ];
    for (key, expected) in cases {
        assert_eq!(shown(SERVER, reply, key).as_deref(), expected, "{key}");
    }
}

#[test]
fn long_values_are_shown_only_to_who_asks() {
    let reply = |len: usize| [format!("${len}\r\n").as_bytes(), &vec![b'x'; len], b"\r\n"].concat();
    for (bytes, shows) in [(reply(4087), true), (reply(4088), false)] {
        let frame = whole(&Redis, SERVER, &bytes);
        assert_eq!(fields(&Redis, frame).contains_key("value"), shows);
        assert_eq!(field(&Redis, frame, "value").is_some(), shows);
        // Borrowed, not copied.
        let value = AnyCodec::field(&Redis, frame, &AnyCodec::key(&Redis, "full_value"), &Limits::default());
        assert!(matches!(value, Ok(Some(Value::Str(Cow::Borrowed(text)))) if text.len() >= 4087), "{value:?}");
    }
}

#[test]
fn bytes_that_are_no_text_are_replaced() {
    let bytes = command(&[&b"GET"[..], b"\xff{\xfe}"]);
    assert_eq!(shown(CLIENT, &bytes, "key").as_deref(), Some("\u{fffd}{\u{fffd}}"));
    assert_eq!(shown(CLIENT, &bytes, "hash_tag").as_deref(), Some("\u{fffd}"));
}

#[test]
fn commands_by_their_table() {
    let cases = [
        ("xread COUNT 1 STREAMS {a}1 {a}2 0 0", "keys", Some("{a}1 {a}2")),
        ("XREAD BLOCK 0 STREAMS k $", "flags", Some("blocking,movablekeys,readonly")),
        ("OBJECT freq k", "subcommand", Some("FREQ")),
        ("OBJECT freq k", "key", Some("k")),
        ("OBJECT nothing k", "subcommand", Some("NOTHING")),
        ("OBJECT nothing k", "key", None),
        ("OBJECT", "subcommand", None),
        ("GET freq", "subcommand", None),
        ("SUBSCRIBE a b", "channel", Some("a")),
        ("PUNSUBSCRIBE a*", "pattern", Some("a*")),
        ("PUBSUB NUMSUB a", "channel", None),
        ("UNSUBSCRIBE", "channel", None),
        ("SSUBSCRIBE {x}1", "hash_tag", Some("x")),
        ("PUBLISH a m", "slot", None),
        ("NOBODY k", "command", Some("NOBODY")),
        ("NOBODY k", "key_count", None),
        ("NOBODY k", "access", None),
        ("GET k", "access", Some("read")),
        ("GETDEL k", "access", Some("write")),
        ("FCALL_RO f 1 k", "access", Some("read")),
        ("MSET a 1 b 2", "key.1", Some("b")),
        ("MSET a 1 b 2", "key.2", None),
        ("MSET a 1 b 2", "arg.0", Some("MSET")),
        ("MSET a 1 b 2", "arg.4", Some("2")),
        ("MSET a 1 b 2", "arg.5", None),
    ];
    for (text, key, expected) in cases {
        assert_eq!(shown(CLIENT, &words(text), key).as_deref(), expected, "{key} of {text}");
    }
}

/// The frame with a prefix before its keys, as words.
fn prefixed(text: &str) -> Result<String, EncodeError> {
    let bytes = words(text);
    let made = rewrite(&Redis, whole(&Redis, CLIENT, &bytes), &set(&[("key_prefix", "p:")]))?;
    let frame = whole(&Redis, CLIENT, &made);
    let count = made.iter().filter(|byte| **byte == b'$').count();
    let words = (0..count).map(|at| field(&Redis, frame, &format!("arg.{at}")).expect("an argument"));
    Ok(words.map(|word| word.to_text().into_owned()).collect::<Vec<_>>().join(" "))
}

#[test]
fn every_key_gets_its_prefix_and_nothing_else() {
    let cases = [
        ("GET k", "GET p:k"),
        ("PING", "PING"),
        ("MSET a 1 b 2", "MSET p:a 1 p:b 2"),
        ("EVAL s 2 a b c", "EVAL s 2 p:a p:b c"),
        ("EVAL s 0 a", "EVAL s 0 a"),
        ("SORT a BY w_* GET # STORE b", "SORT p:a BY w_* GET # STORE p:b"),
        ("XREADGROUP GROUP g c COUNT 1 STREAMS a b > >", "XREADGROUP GROUP g c COUNT 1 STREAMS p:a p:b > >"),
        ("ZUNIONSTORE d 2 a b", "ZUNIONSTORE p:d 2 p:a p:b"),
        ("SUBSCRIBE a", "SUBSCRIBE a"),
        ("SPUBLISH a m", "SPUBLISH a m"),
        ("MEMORY USAGE a", "MEMORY USAGE p:a"),
        ("COPY a b", "COPY p:a p:b"),
    ];
    for (text, expected) in cases {
        assert_eq!(prefixed(text).as_deref(), Ok(expected));
    }
    assert!(matches!(prefixed("NOBODY k"), Err(EncodeError::NotWritable { .. })));
    let migrate = command(&["MIGRATE", "h", "1", "", "0", "9", "KEYS", "a", "b"]);
    let made = rewrite(&Redis, whole(&Redis, CLIENT, &migrate), &set(&[("key_prefix", "p:")]));
    assert_eq!(made, Ok(command(&["MIGRATE", "h", "1", "", "0", "9", "KEYS", "p:a", "p:b"])));
}

#[test]
fn long_values_stay_borrowed() {
    let long = vec![b'x'; 100_000];
    let bytes = command(&[&b"MSET"[..], b"a", &long, &long, b"v"]);
    let segments =
        AnyCodec::rewrite(&Redis, whole(&Redis, CLIENT, &bytes), &set(&[("key_prefix", "p:")]), &Limits::default())
            .expect("a rewritten frame");
    let owned: usize = segments.iter().filter(|part| matches!(part, Cow::Owned(_))).map(|part| part.len()).sum();
    assert!(owned < 40, "{owned} bytes were copied");
    let key = [b"p:", &long[..]].concat();
    assert_eq!(segments.concat(), command(&[&b"MSET"[..], b"p:a", &long, &key, b"v"]));
}

#[test]
fn keys_and_arguments_are_set() {
    let edit = |text: &str, edits: &[(&str, &str)]| {
        let bytes = words(text);
        rewrite(&Redis, whole(&Redis, CLIENT, &bytes), &set(edits))
    };
    assert_eq!(edit("GET k", &[("key", "longer key")]), Ok(command(&["GET", "longer key"])));
    assert_eq!(edit("MSET a 1 b 2", &[("key.1", "c"), ("arg.2", "")]), Ok(command(&["MSET", "a", "", "c", "2"])));
    assert_eq!(edit("GET k", &[("key", "x"), ("key_prefix", "p:")]), Ok(command(&["GET", "p:x"])));
    assert_eq!(edit("GET k", &[("key", "x"), ("key", "y")]), Ok(command(&["GET", "y"])));
    let refused = [
        ("MSET a 1 b 2", "key", "several"),
        ("PING", "key", "no key"),
        ("NOBODY k", "key", "not known"),
        ("GET k", "key.1", "no such key"),
        ("GET k", "arg.0", "no such argument"),
        ("GET k", "arg.2", "no such argument"),
        ("GET k", "command", "key_prefix"),
        ("GET k", "slot", "key_prefix"),
        ("GET k", "x-new", "key_prefix"),
    ];
    for (text, key, why) in refused {
        match edit(text, &[(key, "v")]) {
            Err(EncodeError::NotWritable { key: told, why: found }) => {
                assert!(told == key && found.contains(why), "{key} of {text}: {found}");
            }
            other => panic!("{key} of {text}: {other:?}"),
        }
    }
    let empty = edit("MIGRATE h 1 k 0 9", &[("key", "")]);
    assert!(matches!(empty, Err(EncodeError::BadValue { .. })), "{empty:?}");
}

#[test]
fn lines_stay_lines() {
    let edit = |line: &[u8], edits: &Edits<'_>| rewrite(&Redis, whole(&Redis, CLIENT, line), edits);
    let prefix = set(&[("key_prefix", "p:")]);
    assert_eq!(edit(b"del a \"b c\" 'd'\r\n", &prefix).as_deref(), Ok(&b"del p:a \"p:b c\" p:d\r\n"[..]));
    assert_eq!(edit(b"GET k\n", &set(&[("key", "")])).as_deref(), Ok(&b"GET \"\"\n"[..]));
    let odd = "a\r\n\t\"\\\u{1}é";
    let made = edit(b"GET k\r\n", &set(&[("key", odd)])).expect("a line");
    assert_eq!(made, "GET \"a\\r\\n\\t\\\"\\\\\\x01é\"\r\n".as_bytes());
    assert_eq!(shown(CLIENT, &made, "key").as_deref(), Some(odd));
    let long = "x".repeat(65536);
    assert!(matches!(edit(b"GET k\r\n", &set(&[("key", &long)])), Err(EncodeError::TooLong { max: 65536, .. })));
}

#[test]
fn what_cannot_be_edited_says_so() {
    let bytes = words("GET k");
    let frame = whole(&Redis, CLIENT, &bytes);
    for edits in [new_id(7), remove(&["key"]), remove(&["command"]), remove(&["arg.1"])] {
        assert!(matches!(rewrite(&Redis, frame, &edits), Err(EncodeError::NotWritable { .. })), "{edits:?}");
    }
    // What the frame lacks is ignored.
    assert_eq!(rewrite(&Redis, frame, &remove(&["channel", "key.7", "absent"])), Ok(bytes.clone()));
    let reply = b"$1\r\na\r\n";
    let edits = set(&[("key", "x")]);
    assert!(matches!(rewrite(&Redis, whole(&Redis, SERVER, reply), &edits), Err(EncodeError::NotWritable { .. })));
}

#[test]
fn answers_have_the_words_that_clients_know() {
    let bytes = words("GET k");
    let frame = whole(&Redis, CLIENT, &bytes);
    let codes = ErrorType::ALL.map(|error| {
        let answer = error_reply(&Redis, frame, error, "go\r\naway\n").expect("an answer").expect("an answer");
        assert!(answer.ends_with(b" go  away \r\n"), "{}", answer.escape_ascii());
        assert_eq!(head(&Redis, SERVER, &answer).kind, Kind::Error);
        shown(SERVER, &answer, "error_code").expect("a code")
    });
    let expected = ["ERR", "ERR", "CLUSTERDOWN", "ERR", "ERR", "BUSY", "ERR", "ERR", "NOPERM", "ERR"];
    assert_eq!(codes, expected);
    let heartbeat = AnyCodec::reply(&Redis, frame, Reply::Heartbeat);
    assert!(matches!(heartbeat, Err(EncodeError::NoReply { .. })));
}

#[test]
fn who_is_not_answered() {
    let mut connection = redis().connect(Limits::default());
    let stream = [words("CLIENT REPLY OFF"), words("SET k v"), b"\r\n".to_vec()].concat();
    let found = feed_to(connection.as_mut(), CLIENT, &stream, []);
    let answers: Vec<_> =
        found.frames.iter().map(|frame| error_reply(&Redis, frame.frame(), ErrorType::Unspecified, "no")).collect();
    assert_eq!(answers[..2], [Ok(None), Ok(None)]);
    assert!(matches!(answers[2], Err(EncodeError::NoReply { .. })));
    let reply = error_reply(&Redis, whole(&Redis, SERVER, b"+OK\r\n"), ErrorType::Unspecified, "no");
    assert!(matches!(reply, Err(EncodeError::NoReply { .. })));
}

#[test]
fn a_look_up_reads_no_further_than_it_must() {
    // Whose last argument is not all there, or not closed.
    let mut bytes = words("SET k value");
    let frame = whole(&Redis, CLIENT, &bytes);
    let head = frame.head;
    let end = bytes.len() - 2;
    bytes[end..].copy_from_slice(b"??");
    let frame = Frame { head, bytes: &bytes };
    for key in ["command", "key", "slot", "arg.1"] {
        assert!(matches!(try_field(&Redis, frame, key), Ok(Some(_))), "{key}");
    }
    assert!(try_field(&Redis, frame, "arg.2").is_err());
}

#[test]
fn commands_that_leave_nothing_on_a_connection_do_not_bind() {
    use metaprotocol_core::Codec;
    let free = [
        &["GET", "k"][..],
        &["set", "k", "v"],
        &["MGET", "a", "b"],
        &["EVAL", "return 1", "0"],
        &["PING"],
        &["PUBLISH", "c", "m"],
        &["CLIENT", "SETINFO", "LIB-NAME", "x"],
        &["OBJECT", "ENCODING", "k"],
        &["SCAN", "0"],
    ];
    let binding = [
        &["SELECT", "1"][..],
        &["AUTH", "p"],
        &["HELLO", "3"],
        &["MULTI"],
        &["EXEC"],
        &["WATCH", "k"],
        &["SUBSCRIBE", "c"],
        &["BLPOP", "k", "0"],
        &["XREAD", "BLOCK", "0", "STREAMS", "s", "$"],
        &["WAIT", "1", "0"],
        &["CLIENT", "REPLY", "OFF"],
        &["CLIENT", "TRACKING", "ON"],
        &["READONLY"],
        &["ASKING"],
        &["MONITOR"],
        &["RESET"],
        &["QUIT"],
        &["JSON.SET", "k", "$", "1"],
    ];
    for (commands, binds) in [(&free[..], false), (&binding[..], true)] {
        for words in commands {
            let array = command(words);
            let line = [words.join(" ").as_bytes(), b"\r\n"].concat();
            for bytes in [array, line] {
                let frame = whole(&Redis, CLIENT, &bytes);
                assert_eq!(AnyCodec::binds(&Redis, frame), binds, "{words:?}");
                if !binds {
                    // Another connection's decoder that is told of it knows what one knows that has read it.
                    let (mut told, mut read) = (Codec::state(&Redis), Codec::state(&Redis));
                    Codec::note(&Redis, &mut told, frame, &Limits::default());
                    Codec::split(&Redis, &mut read, CLIENT, &Limits::default(), &bytes).unwrap();
                    assert_eq!(format!("{told:?}"), format!("{read:?}"), "{words:?}");
                }
            }
        }
    }
    // A name is all that its length says.
    let bytes = command(&["x\nGET", "k"]);
    assert!(AnyCodec::binds(&Redis, whole(&Redis, CLIENT, &bytes)));
}
