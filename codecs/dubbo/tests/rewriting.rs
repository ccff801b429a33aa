//! Edits: what was asked is there afterwards, and every other byte is what it was.

mod common;

use std::borrow::Cow;

use common::{field, fields, frame, map, request, response, rewrite, text, whole};
use metaprotocol_core::{AnyCodec, Edits, EncodeError, Limits, Reason, Value, segments_len};
use metaprotocol_dubbo::Dubbo;
use metaprotocol_dubbo::wire::{HESSIAN2, REQUEST, TWO_WAY};
use metaprotocol_testkit::{new_id, remove, set, string};

fn why(result: Result<Vec<u8>, EncodeError>) -> (String, &'static str) {
    match result {
        Err(EncodeError::NotWritable { key, why: Cow::Borrowed(why) }) => (key, why),
        other => panic!("{other:?}"),
    }
}

/// A request whose attachments are these bytes, edited, must be a request whose attachments are those.
#[track_caller]
fn attachments_become(before: &[u8], edits: &Edits<'_>, after: &[u8]) {
    assert_eq!(
        rewrite(&request(7, "I", &[b"\x90", before].concat()), edits),
        Ok(request(7, "I", &[b"\x90", after].concat()))
    );
    // The same in a response.
    if !before.is_empty() {
        assert_eq!(
            rewrite(&response(7, &[b"\x94\x90", before].concat()), edits),
            Ok(response(7, &[b"\x94\x90", after].concat()))
        );
    }
}

#[test]
fn entries_are_replaced_in_place_added_at_the_end_and_removed() {
    let before = map(&[("a", "1"), ("b", "2"), ("c", "3")]);
    attachments_become(&before, &set(&[("b", "twenty")]), &map(&[("a", "1"), ("b", "twenty"), ("c", "3")]));
    attachments_become(
        &before,
        &set(&[("d", "4"), ("e", "é😀")]),
        &map(&[("a", "1"), ("b", "2"), ("c", "3"), ("d", "4"), ("e", "é😀")]),
    );
    attachments_become(&before, &remove(&["a", "c", "x"]), &map(&[("b", "2")]));
    attachments_become(&map(&[]), &set(&[("a", "1")]), &map(&[("a", "1")]));
    let both = Edits { remove: vec!["a", "b"], ..set(&[("b", "3"), ("b", "4")]) };
    attachments_become(&before, &both, &map(&[("b", "4"), ("c", "3")]));
}

#[test]
fn a_key_that_comes_twice_is_changed_twice() {
    let before = map(&[("a", "1"), ("b", "2"), ("a", "3")]);
    attachments_become(&before, &set(&[("a", "x")]), &map(&[("a", "x"), ("b", "2"), ("a", "x")]));
    attachments_become(&before, &remove(&["a"]), &map(&[("b", "2")]));
}

#[test]
fn keys_are_found_however_they_are_written() {
    attachments_become(b"HR\x00\x01a\x01b\x011Z", &set(&[("ab", "2")]), b"HR\x00\x01a\x01b\x012Z");
    attachments_become("H\x01😀\x011Z".as_bytes(), &set(&[("😀", "2")]), "H\x01😀\x012Z".as_bytes());
    attachments_become(b"H\x02\xed\xa0\xbd\xed\xb8\x80\x011Z", &remove(&["😀"]), b"HZ");
}

#[test]
fn typed_maps_other_values_and_bytes_behind_stay() {
    attachments_become(b"M\x01t\x01a\x011Z", &set(&[("a", "2"), ("b", "3")]), b"M\x01t\x01a\x012\x01b\x013Z");
    attachments_become(b"H\x90\x91N\x78\x01a\x93Z?", &set(&[("a", "x")]), b"H\x90\x91N\x78\x01a\x01xZ?");
}

#[test]
fn a_missing_or_null_map_is_made_when_it_is_needed() {
    attachments_become(b"", &set(&[("a", "1")]), &map(&[("a", "1")]));
    attachments_become(b"N", &set(&[("a", "1")]), &map(&[("a", "1")]));
    attachments_become(b"", &remove(&["a"]), b"");
    attachments_become(b"N", &remove(&["a"]), b"N");
    attachments_become(b"\x79N", &remove(&["a"]), b"\x79N");
    let other = rewrite(&request(1, "", b"\x79N"), &set(&[("a", "1")]));
    assert_eq!(why(other), ("a".to_owned(), "what stands in the place of the attachments is no map"));
}

#[test]
fn references_keep_their_meaning_or_the_edit_is_refused() {
    // A list, and behind it a reference to the map of attachments itself (container 0) and to the list (container 1).
    let to_the_map = b"H\x01l\x79N\x01m\x79Q\x90Z";
    attachments_become_request(to_the_map, &remove(&["l"]), b"H\x01m\x79Q\x90Z");
    let to_the_list = b"H\x01l\x79N\x01m\x79Q\x91Z";
    assert_eq!(why(rewrite(&request(1, "", to_the_list), &remove(&["l"]))).0, "l");
    assert_eq!(why(rewrite(&request(1, "", to_the_list), &set(&[("l", "x")]))).0, "l");
    // What refers goes too.
    attachments_become_request(to_the_list, &remove(&["l", "m"]), b"HZ");
    // What refers to itself is nobody else's concern.
    attachments_become_request(b"H\x01l\x79Q\x91\x01m\x011Z", &remove(&["l"]), b"H\x01m\x011Z");
    // A type name and a class definition are numbered as well.
    let types = b"H\x01l\x71\x01t\x90\x01m\x71\x90\x90Z";
    assert_eq!(why(rewrite(&request(1, "", types), &remove(&["l"]))).0, "l");
    let definitions = b"H\x01l\x43\x01c\x90\x60\x01m\x60Z";
    assert_eq!(why(rewrite(&request(1, "", definitions), &remove(&["l"]))).0, "l");
    // References into the arguments, and numbered values that nobody refers to, are no obstacle.
    let before = request(1, "I", b"\x79NH\x01l\x79N\x01m\x79Q\x90\x01s\x011Z");
    let after = request(1, "I", b"\x79NH\x01m\x79Q\x90\x01s\x012Z");
    assert_eq!(rewrite(&before, &Edits { remove: vec!["l"], ..set(&[("s", "2")]) }), Ok(after));
    // What lies behind the map is not understood, so it might refer.
    assert_eq!(why(rewrite(&request(1, "", b"H\x01l\x79NZ?"), &remove(&["l"]))).0, "l");
    // Adding moves nothing.
    attachments_become_request(to_the_list, &set(&[("n", "1")]), b"H\x01l\x79N\x01m\x79Q\x91\x01n\x011Z");
}

#[track_caller]
fn attachments_become_request(before: &[u8], edits: &Edits<'_>, after: &[u8]) {
    assert_eq!(rewrite(&request(7, "", before), edits), Ok(request(7, "", after)));
}

#[test]
fn the_strings_before_the_arguments_are_edited_where_they_stand() {
    let body = |strings: [&str; 4], rest: &[u8]| {
        let mut body: Vec<u8> = strings.iter().flat_map(|string| text(string)).collect();
        body.extend_from_slice(b"\x01I\x90");
        body.extend_from_slice(rest);
        frame(REQUEST | TWO_WAY | HESSIAN2, 0, 1, &body)
    };
    let before = body(["2.0.2", "a.B", "1.0", "f"], &map(&[("x", "1")]));
    let edits = set(&[("method", "g"), ("dubbo_version", "2.0.1"), ("service_version", "2.0"), ("y", "2")]);
    let after = body(["2.0.1", "a.B", "2.0", "g"], &map(&[("x", "1"), ("y", "2")]));
    assert_eq!(rewrite(&before, &edits), Ok(after));
    // No look at the arguments without need: here they are broken.
    let broken = body(["2.0.2", "a.B", "1.0", "f"], b"")[..].to_vec();
    assert_eq!(rewrite(&broken, &set(&[("method", "g")])), Ok(body(["2.0.2", "a.B", "1.0", "g"], b"")));
}

#[test]
fn the_path_is_edited_where_the_provider_looks() {
    let becomes = |edits: &[(&str, &str)], attachments: &[(&str, &str)], name: &str, after: &[(&str, &str)]| {
        let edited = rewrite(&request(1, "", &map(attachments)), &set(edits)).expect("an edited frame");
        let body: Vec<u8> = ["2.0.2", name, "1.0", "f", ""].iter().flat_map(|string| text(string)).collect();
        let expected = frame(REQUEST | TWO_WAY | HESSIAN2, 0, 1, &[body, map(after)].concat());
        assert_eq!(edited, expected);
        for (key, value) in edits {
            assert_eq!(field(&edited, key), Some(string(value)));
        }
    };
    let path_becomes = |before: &[_], name, after: &[_]| becomes(&[("path", "c.D")], before, name, after);
    // The name before the method is the path: both change.
    path_becomes(&[("path", "a.B"), ("interface", "a.B")], "c.D", &[("path", "c.D"), ("interface", "a.B")]);
    // It is the interface, as clients since 2.7 write it: it stays.
    path_becomes(&[("path", "here"), ("interface", "a.B")], "a.B", &[("path", "c.D"), ("interface", "a.B")]);
    // It is neither.
    path_becomes(&[("path", "here"), ("interface", "there")], "a.B", &[("path", "c.D"), ("interface", "there")]);
    // There is no attachment, and none is added.
    path_becomes(&[], "c.D", &[]);

    // Where it is the interface alone, it follows the interface.
    let interface_becomes = |before: &[_], name, after: &[_]| becomes(&[("interface", "c.D")], before, name, after);
    interface_becomes(&[("path", "here"), ("interface", "a.B")], "c.D", &[("path", "here"), ("interface", "c.D")]);
    interface_becomes(&[("path", "a.B"), ("interface", "a.B")], "a.B", &[("path", "a.B"), ("interface", "c.D")]);
    interface_becomes(&[("path", "here")], "a.B", &[("path", "here"), ("interface", "c.D")]);
    interface_becomes(&[], "a.B", &[("interface", "c.D")]);
    // Both, whichever comes first: the name is one service's throughout.
    for edits in [[("path", "e.F"), ("interface", "c.D")], [("interface", "c.D"), ("path", "e.F")]] {
        becomes(&edits, &[("path", "x"), ("interface", "a.B")], "c.D", &[("path", "e.F"), ("interface", "c.D")]);
        becomes(&edits, &[("path", "a.B"), ("interface", "a.B")], "e.F", &[("path", "e.F"), ("interface", "c.D")]);
    }

    let edited = rewrite(&request(1, "", &map(&[("path", "here")])), &remove(&["path"])).expect("an edited frame");
    assert_eq!((field(&edited, "path"), field(&edited, "interface")), (Some(string("a.B")), Some(string("a.B"))));
}

#[test]
fn null_strings_can_be_set() {
    let body = [text("2.0.2"), text("a.B"), b"N".to_vec(), text("f"), text(""), map(&[])].concat();
    let before = frame(REQUEST | TWO_WAY | HESSIAN2, 0, 1, &body);
    assert_eq!(field(&before, "service_version"), None);
    let after = rewrite(&before, &set(&[("service_version", "1.0")])).expect("an edited frame");
    assert_eq!(after, request(1, "", &map(&[])));
    assert_eq!(rewrite(&before, &remove(&["service_version"])), Ok(before));
}

#[test]
fn the_interface_and_numbers_are_attachments() {
    let before = request(1, "", &map(&[]));
    let edits = Edits { set: vec![("interface", Value::str("c.D")), ("timeout", Value::Int(500))], ..Edits::default() };
    let after = rewrite(&before, &edits).expect("an edited frame");
    assert!(after.ends_with(&map(&[("interface", "c.D"), ("timeout", "500")])));
    assert_eq!(field(&after, "interface"), Some(string("c.D")));
    assert_eq!(field(&after, "path"), Some(string("a.B")));
}

#[test]
fn an_id_alone_leaves_the_body_where_it_is() {
    let large = request(1, "[B", &[b"B\xff\xff".as_slice(), &[7; 0xffff], b"HZ"].concat());
    let edits = new_id(u64::MAX - 1);
    let segments = AnyCodec::rewrite(&Dubbo, whole(&large), &edits, &Limits::default()).expect("an edited frame");
    let [Cow::Owned(header), Cow::Borrowed(body)] = segments.as_slice() else { panic!("{} segments", segments.len()) };
    assert_eq!(header.len(), 16);
    assert_eq!(body.as_ptr(), large[16..].as_ptr());
    assert_eq!(segments.concat()[4..12], (u64::MAX - 1).to_be_bytes());
    assert_eq!(segments.concat()[12..], large[12..]);
    // The same for bodies that cannot be read, and for heartbeats.
    for flags in [REQUEST | TWO_WAY | 6, 0xe2, 0x22] {
        let before = frame(flags, 20, 1, b"anything");
        assert_eq!(rewrite(&before, &edits), Ok(frame(flags, 20, u64::MAX - 1, b"anything")));
    }
}

#[test]
fn no_edit_is_the_frame_itself() {
    let before = request(1, "", &map(&[]));
    let segments = AnyCodec::rewrite(&Dubbo, whole(&before), &Edits::default(), &Limits::default()).expect("a frame");
    assert!(matches!(segments.as_slice(), [Cow::Borrowed(all)] if all.as_ptr() == before.as_ptr()));
    assert_eq!(segments_len(&segments), before.len());
}

#[test]
fn large_arguments_are_borrowed_around_a_small_patch() {
    let large = request(1, "[B", &[b"B\xff\xff".as_slice(), &[7; 0xffff], b"H\x01a\x011Z"].concat());
    let segments =
        AnyCodec::rewrite(&Dubbo, whole(&large), &set(&[("a", "2")]), &Limits::default()).expect("an edited frame");
    let owned: usize =
        segments.iter().filter(|segment| matches!(segment, Cow::Owned(_))).map(|owned| owned.len()).sum();
    assert_eq!(owned, 16 + 2);
}

#[test]
fn what_cannot_be_written_says_why() {
    let call = request(1, "I", &[b"\x90".as_slice(), &map(&[])].concat());
    for key in ["param_types", "param_count", "serialization", "two_way", "event", "status", "exception", "arg.0"] {
        assert_eq!(why(rewrite(&call, &set(&[(key, "1")]))).0, key);
    }
    // Removing what is there but fixed is refused, removing what is not there is done.
    assert_eq!(why(rewrite(&call, &remove(&["arg.0"]))).0, "arg.0");
    assert_eq!(why(rewrite(&call, &remove(&["method"]))).0, "method");
    for key in ["status", "exception", "arg.1", "absent"] {
        assert_eq!(rewrite(&call, &remove(&[key])), Ok(call.clone()));
    }
    for body in [b"\x90N".as_slice(), b"\x91N", b"\x92"] {
        let before = response(1, body);
        let (key, reason) = why(rewrite(&before, &set(&[("a", "1")])));
        assert!(key == "a" && reason.contains("2.0.2"), "{reason}");
        assert_eq!(rewrite(&before, &remove(&["a"])), Ok(before));
    }
    let with_attachments = response(1, &[b"\x95".as_slice(), &map(&[])].concat());
    assert_eq!(why(rewrite(&with_attachments, &set(&[("method", "g")]))).0, "method");
    let failed = frame(HESSIAN2, 60, 1, b"\x04none");
    assert_eq!(why(rewrite(&failed, &set(&[("a", "1")]))).0, "a");
    assert_eq!(rewrite(&failed, &remove(&["a"])), Ok(failed.clone()));
    let heartbeat = frame(0xe2, 0, 1, b"N");
    assert_eq!(why(rewrite(&heartbeat, &set(&[("a", "1")]))).0, "a");
    let opaque = frame(REQUEST | TWO_WAY | 6, 0, 1, b"1\n");
    assert_eq!(why(rewrite(&opaque, &set(&[("a", "1")]))).0, "a");
    assert_eq!(why(rewrite(&opaque, &remove(&["b"]))).0, "b");
}

#[test]
fn broken_and_overlong_frames_are_not_rewritten() {
    let broken = request(1, "I", b"Q\x90HZ");
    let at = broken.len() - 4;
    assert_eq!(
        rewrite(&broken, &set(&[("a", "1")])),
        Err(EncodeError::Malformed(Reason::BadValue { field: "reference", value: 0 }.at(at)))
    );
    let before = request(1, "", &map(&[]));
    let limits = Limits { max_frame_len: before.len() as u64 + 3, ..Limits::default() };
    let fits = AnyCodec::rewrite(&Dubbo, whole(&before), &set(&[("a", "")]), &limits);
    assert_eq!(fits.map(|segments| segments_len(&segments)), Ok(before.len() + 3));
    let over = AnyCodec::rewrite(&Dubbo, whole(&before), &set(&[("a", "1")]), &limits);
    let len = before.len() as u64 + 4;
    assert_eq!(over, Err(EncodeError::TooLong { len, max: limits.max_frame_len }));
}

#[test]
fn exceptions_keep_theirs_while_attachments_change() {
    let thrown = [b"\x93C\x01E\x91".as_slice(), &text("detailMessage"), b"\x60\x02no", &map(&[("a", "1")])].concat();
    let after = rewrite(&response(1, &thrown), &set(&[("a", "2"), ("b", "3")])).expect("an edited frame");
    let fields = fields(&after);
    assert_eq!(fields.get("exception"), Some(&string("E")));
    assert_eq!(fields.get("exception_message"), Some(&string("no")));
    assert_eq!((fields.get("a"), fields.get("b")), (Some(&string("2")), Some(&string("3"))));
}
