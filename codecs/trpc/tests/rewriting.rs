//! Edits change what they name and nothing else.
#![allow(clippy::expect_used, reason = "a test may panic")]

mod common;

use common::{entry, field, fields, hex, number, part, rewrite, stream, unary, whole};
use metaprotocol_core::{Edits, EncodeError, Limits, RequestId, Value};
use metaprotocol_testkit::{CLIENT, SERVER, new_id, remove, set, string};

/// The first example of the protocol's description, and what it becomes when `version` is set.
const REQUEST: &str = "09300000000000870073000000010100180120e8072a13747270632e6170702e636c69656e742e737663321c747270632e\
    746573742e68656c6c6f776f726c642e477265657465723a262f747270632e746573742e68656c6c6f776f726c642e477265657465722f536179\
    48656c6c6f4a110a086170702d757365721205616c6963650a026869";
const MUTATED: &str = "09300000000000970083000000010100180120e8072a13747270632e6170702e636c69656e742e737663321c747270632e\
    746573742e68656c6c6f776f726c642e477265657465723a262f747270632e746573742e68656c6c6f776f726c642e477265657465722f536179\
    48656c6c6f4a110a086170702d757365721205616c6963654a0e0a0776657273696f6e12037631300a026869";

#[test]
fn the_example_of_the_description_to_the_byte() {
    assert_eq!(rewrite(CLIENT, &hex(REQUEST), &set(&[("version", "v10")])), Ok(hex(MUTATED)));
    assert_eq!(rewrite(CLIENT, &hex(MUTATED), &remove(&["version"])), Ok(hex(REQUEST)));
}

#[test]
fn an_entry_takes_the_place_of_the_one_that_counts() {
    let unknown = part(100, "unknown");
    let with = |entries: &[Vec<u8>]| {
        unary(&[number(3, 1), entries.concat(), unknown.clone(), number(10, 2)].concat(), 1, b"body")
    };
    let before = with(&[entry(9, "k", "old"), entry(9, "l", "stays"), entry(9, "k", "older")]);
    let after = with(&[entry(9, "k", "old"), entry(9, "l", "stays"), entry(9, "k", "new")]);
    assert_eq!(rewrite(CLIENT, &before, &set(&[("k", "new")])), Ok(after));
    let removed = with(&[entry(9, "l", "stays")]);
    assert_eq!(rewrite(CLIENT, &before, &remove(&["k", "absent", "k"])), Ok(removed.clone()));
    assert_eq!(rewrite(CLIENT, &before, &remove(&["k", "trans_info.k"])), Ok(removed.clone()));
    // What is removed and set is set.
    let both = Edits { set: vec![("l", Value::Int(7))], remove: vec!["l", "k"], request_id: None };
    assert_eq!(rewrite(CLIENT, &before, &both), Ok(with(&[entry(9, "l", "7")])));
}

#[test]
fn entries_that_a_key_hides_go_by_their_prefix() {
    let before = unary(&[number(3, 1), part(6, "a.b"), entry(9, "callee", "hidden")].concat(), 1, b"");
    let edits = Edits {
        set: vec![("callee", "new".into()), ("trans_info.func", "f".into())],
        ..remove(&["trans_info.callee"])
    };
    let after = unary(&[number(3, 1), part(6, "new"), entry(9, "func", "f")].concat(), 1, b"");
    assert_eq!(rewrite(CLIENT, &before, &edits), Ok(after));
}

#[test]
fn named_fields_are_spliced() {
    let before =
        unary(&[number(3, 1), number(4, 100), part(7, "/a.B/Old"), part(99, "x"), number(12, 3)].concat(), 1, b"OKatt");
    let edits = set(&[("func", "/c.D/New"), ("timeout", "5"), ("caller", "me"), ("message_type", "4294967295")]);
    let after = unary(
        &[
            number(3, 1),
            number(4, 5),
            part(7, "/c.D/New"),
            part(99, "x"),
            number(12, 3),
            part(5, "me"),
            number(8, 0xffff_ffff),
        ]
        .concat(),
        1,
        b"OKatt",
    );
    assert_eq!(rewrite(CLIENT, &before, &edits), Ok(after));
    let after = unary(&[number(3, 1), part(99, "x"), number(12, 3)].concat(), 1, b"OKatt");
    assert_eq!(rewrite(CLIENT, &before, &remove(&["func", "timeout", "caller"])), Ok(after));

    let before = unary(&[number(3, 1), number(4, 31), part(6, "no")].concat(), 1, b"");
    let after = unary(&[number(3, 1), number(4, 0), part(6, ""), number(5, -7_i64 as u64)].concat(), 1, b"");
    assert_eq!(rewrite(SERVER, &before, &set(&[("ret", "0"), ("error_msg", ""), ("func_ret", "-7")])), Ok(after));
}

#[test]
fn service_and_method_are_parts_of_func() {
    let with = |func: &str| unary(&[number(3, 1), part(7, func)].concat(), 1, b"");
    type Edited<'c> = (&'c str, &'c [(&'c str, &'c str)], &'c str);
    let cases: [Edited<'_>; 7] = [
        ("/a.B/Old", &[("method", "New")], "/a.B/New"),
        ("/a.B/Old", &[("service", "c.D")], "/c.D/Old"),
        ("/a.B/Old", &[("service", "c.D"), ("method", "New")], "/c.D/New"),
        ("/a.B/Old", &[("method", "New"), ("func", "/e/F")], "/e/F"),
        ("/v1/users/list", &[("method", "get")], "/v1/users/get"),
        ("plain", &[("method", "other")], "other"),
        ("plain", &[("service", "a.B")], "/a.B/plain"),
    ];
    for (before, edits, after) in cases {
        assert_eq!(rewrite(CLIENT, &with(before), &set(edits)), Ok(with(after)), "{before} {edits:?}");
    }
    assert_eq!(rewrite(CLIENT, &with("/a.B/C"), &remove(&["service"])), Ok(with("/C")));
    let nameless = unary(&number(3, 1), 1, b"");
    assert_eq!(rewrite(CLIENT, &with("/a.B/C"), &remove(&["method"])), Ok(nameless.clone()));
    let named = unary(&[number(3, 1), part(7, "/a.B/C")].concat(), 1, b"");
    assert_eq!(rewrite(CLIENT, &nameless, &set(&[("service", "a.B"), ("method", "C")])), Ok(named));
}

#[test]
fn a_new_id_goes_where_the_old_one_stood() {
    let frame = |message: &[u8], copy| unary(message, copy, b"body");
    let rest = part(7, "/a.B/C");
    // The copy of version 1 follows, one that says something else stays.
    for (copy, expected) in [(5, 300), (0, 0), (77, 77)] {
        let before = frame(&[number(3, 5), rest.clone()].concat(), copy);
        let after = frame(&[number(3, 300), rest.clone()].concat(), expected);
        assert_eq!(rewrite(CLIENT, &before, &new_id(300)), Ok(after), "{copy}");
    }
    // An id of 0 is not written; its copy of version 1 is there all the same, that of version 0 cannot be told from none.
    let before = frame(&rest, 0);
    let after = frame(&[rest.clone(), number(3, 9)].concat(), 9);
    assert_eq!(rewrite(SERVER, &before, &new_id(9)), Ok(after.clone()));
    let old = |bytes: Vec<u8>, copy: u32| {
        let mut bytes = bytes;
        bytes[10..14].copy_from_slice(&copy.to_be_bytes());
        bytes[14] = 0;
        bytes
    };
    assert_eq!(rewrite(SERVER, &old(before, 0), &new_id(9)), Ok(old(after, 0)));
    // Of an id that comes twice the last counts.
    let before = frame(&[number(3, 5), number(3, 6)].concat(), 6);
    let after = frame(&[number(3, 5), number(3, 7)].concat(), 7);
    assert_eq!(rewrite(CLIENT, &before, &new_id(7)), Ok(after.clone()));
    assert_eq!(whole(CLIENT, &after).head.request_id, RequestId::Int(7));
    let refused = rewrite(CLIENT, &after, &new_id(1 << 32));
    assert!(matches!(refused, Err(EncodeError::BadValue { .. })), "{refused:?}");
}

#[test]
fn an_inits_request_meta_is_rewritten() {
    let meta = [part(1, "me"), part(3, "/a.B/C"), entry(5, "k", "v"), part(50, "unknown")].concat();
    let init = |meta: &[u8]| stream(1, 100, &[part(1, meta), number(3, 65535), part(60, "unknown")].concat());
    let edits = Edits {
        set: vec![("method", "D".into()), ("x-request-id", "17".into()), ("version", "v1".into())],
        ..remove(&["k", "caller"])
    };
    let after =
        [part(3, "/a.B/D"), part(50, "unknown"), entry(5, "x-request-id", "17"), entry(5, "version", "v1")].concat();
    assert_eq!(rewrite(CLIENT, &init(&meta), &edits), Ok(init(&after)));
    // A length of two bytes.
    let long = "x".repeat(200);
    let after = [meta.clone(), entry(5, "long", &long)].concat();
    assert_eq!(rewrite(CLIENT, &init(&meta), &set(&[("long", &long)])), Ok(init(&after)));
    // One that came in two parts, one that has none, another stream.
    let twice = |second: &[u8]| stream(1, 100, &[part(1, &meta), part(1, second)].concat());
    let before = twice(&part(3, "/a.B/E"));
    let after = twice(&[part(3, "/a.B/F"), entry(5, "l", "w")].concat());
    assert_eq!(rewrite(CLIENT, &before, &set(&[("method", "F"), ("l", "w")])), Ok(after));
    let after = stream(1, 100, &[part(1, &meta), part(1, [])].concat());
    let removed = rewrite(CLIENT, &before, &remove(&["func"])).expect("a rewritten INIT");
    assert_ne!(removed, after);
    assert_eq!(field(CLIENT, &removed, "func"), None);
    let bare = stream(1, 100, &number(3, 1));
    let after = stream(1, 100, &[number(3, 1), part(1, [part(2, "you"), entry(5, "k", "v")].concat())].concat());
    assert_eq!(rewrite(CLIENT, &bare, &set(&[("callee", "you"), ("k", "v")])), Ok(after));
    assert_eq!(rewrite(CLIENT, &bare, &set(&[("stream_id", "4294967295")])), Ok(stream(1, u32::MAX, &number(3, 1))));
}

#[test]
fn the_other_frames_of_a_stream_are_rewritten_where_they_can_be() {
    let before = stream(1, 100, &[part(2, []), number(3, 5)].concat());
    let after = stream(1, 100, &[part(2, [number(1, 11), part(2, "no")].concat()), number(3, 5)].concat());
    assert_eq!(rewrite(SERVER, &before, &set(&[("ret", "11"), ("error_msg", "no")])), Ok(after));
    let before = stream(4, 100, &[number(1, 1), entry(5, "k", "v")].concat());
    let after = stream(4, 7, &[number(1, 1), entry(5, "k", "w"), number(2, 31), part(3, "no")].concat());
    let edits = set(&[("ret", "31"), ("error_msg", "no"), ("k", "w"), ("stream_id", "7")]);
    assert_eq!(rewrite(SERVER, &before, &edits), Ok(after));
    assert_eq!(rewrite(CLIENT, &stream(2, 100, b"data"), &set(&[("stream_id", "7")])), Ok(stream(2, 7, b"data")));
}

#[test]
fn what_cannot_be_written_is_refused() {
    let request = unary(&[number(3, 1), part(7, [b'/', 0xff, b'/', b'M'])].concat(), 1, b"");
    let response = unary(&number(3, 1), 1, b"");
    let (init, answer, data) = (stream(1, 1, &part(1, [])), stream(1, 1, &part(2, [])), stream(2, 1, b"data"));
    let not_writable = [
        (CLIENT, &request, set(&[("content_type", "1")])),
        (CLIENT, &request, set(&[("attachment_size", "1")])),
        (CLIENT, &request, set(&[("ret", "1")])),
        (CLIENT, &request, set(&[("stream_id", "1")])),
        (CLIENT, &request, set(&[("method", "M")])),
        (CLIENT, &request, set(&[("service", "a"), ("method", "M"), ("body_size", "1")])),
        (CLIENT, &request, remove(&["frame_type"])),
        (CLIENT, &request, remove(&["body_size"])),
        (SERVER, &response, set(&[("timeout", "1")])),
        (SERVER, &response, set(&[("func", "/a/b")])),
        (CLIENT, &init, set(&[("ret", "1")])),
        (CLIENT, &init, new_id(1)),
        (SERVER, &answer, set(&[("func", "/a/b")])),
        (SERVER, &answer, set(&[("k", "v")])),
        (CLIENT, &data, set(&[("k", "v")])),
        (CLIENT, &data, remove(&["stream_id"])),
    ];
    for (direction, frame, edits) in not_writable {
        let refused = rewrite(direction, frame, &edits);
        assert!(matches!(refused, Err(EncodeError::NotWritable { .. })), "{edits:?}: {refused:?}");
    }
    for value in ["-1", "4294967296", "soon", ""] {
        let refused = rewrite(CLIENT, &request, &set(&[("timeout", value)]));
        assert!(matches!(refused, Err(EncodeError::BadValue { .. })), "{value}: {refused:?}");
    }
    let refused = rewrite(CLIENT, &init, &set(&[("method", "a/b")]));
    assert!(matches!(refused, Err(EncodeError::BadValue { .. })), "{refused:?}");
    let refused = rewrite(SERVER, &response, &set(&[("ret", "2147483648")]));
    assert!(matches!(refused, Err(EncodeError::BadValue { .. })), "{refused:?}");
    // What a frame does not have need not be removed.
    for (direction, frame) in [(SERVER, &response), (SERVER, &answer), (CLIENT, &data)] {
        assert_eq!(rewrite(direction, frame, &remove(&["caller", "timeout", "close_type", "k"])).as_ref(), Ok(frame));
    }
}

#[test]
fn a_header_longer_than_its_length_can_say_is_refused() {
    let limits = Limits { max_header_len: 1 << 20, ..Limits::default() };
    let frame = |len: usize| unary(&[number(3, 1), part(5, vec![b'x'; len])].concat(), 1, b"body");
    let before = frame(10);
    let to = |len: usize| {
        let value = "x".repeat(len);
        let edits = set(&[("caller", &value)]);
        let made =
            metaprotocol_core::AnyCodec::rewrite(&metaprotocol_trpc::Trpc, whole(CLIENT, &before), &edits, &limits);
        made.map(|segments| segments.concat())
    };
    // Id 2, tag 1, length 3.
    assert_eq!(to(65535 - 6), Ok(frame(65535 - 6)));
    assert_eq!(to(65535 - 5), Err(EncodeError::TooLong { len: 65536, max: 65535 }));
    // The reader's own limit is tighter, and counts the fixed header too.
    let value = "x".repeat(65530);
    let refused = rewrite(CLIENT, &stream(1, 1, &[]), &set(&[("caller", &value)]));
    assert_eq!(refused, Err(EncodeError::TooLong { len: 65554, max: 65536 }));
}

#[test]
fn values_read_back_as_they_were_set() {
    let before = unary(&number(3, 1), 1, b"body");
    let value = "é😀\0 \u{7f}";
    let after = rewrite(CLIENT, &before, &set(&[("caller", value), ("x-added", value), ("trans_info.ret", value)]));
    let after = after.expect("a rewritten frame");
    let found = fields(CLIENT, &after);
    for key in ["caller", "x-added", "trans_info.ret"] {
        assert_eq!(found.get(key), Some(&string(value)), "{key}");
    }
    assert_eq!(whole(CLIENT, &after).body(), b"body");
}
