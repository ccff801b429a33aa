//! The acorn codec behind the C ABI, in C and in Rust: all that is true of built-in codecs is true of them.

use std::path::Path;

use metaprotocol_core::{AnyCodec, Codec, Edits, EncodeError, Limits, Value};
use metaprotocol_testkit::{
    Allocations, CLIENT, Sample, check_vectors, rewrite, set, split_allocations, split_calls, whole,
};

mod common;

const QUESTION: &[u8] = b"AC\x01\x07\0\0\0\x01\0\0\0\x05weatherOslo?";

fn vectors() -> std::path::PathBuf {
    common::root().join("../core/tests/acorn")
}

#[test]
fn in_rust() {
    check_vectors(&common::only(&common::example("acorn")), vectors(), 5);
}

#[test]
fn in_c() {
    check_vectors(&common::only(&common::acorn_in_c("vectors.so")), vectors(), 5);
}

fn both(name: &str) -> [metaprotocol_plugin::PluginCodec; 2] {
    let load = |path: &Path| metaprotocol_plugin::open(path).unwrap_or_else(|error| panic!("{error}")).remove(0);
    [load(&common::example("acorn")), load(&common::acorn_in_c(name))]
}

#[test]
fn they_say_the_same_of_themselves() {
    let [rust, c] = both("info.so");
    assert_eq!(format!("{:?}", Codec::info(&rust)), format!("{:?}", Codec::info(&c)));
    assert_eq!(Codec::info(&c).keys[0].name, "topic");
}

#[test]
fn split_allocates_nothing_and_is_asked_once() {
    for codec in both("split.so") {
        let sample = Sample::new("questions", CLIENT, QUESTION.repeat(3));
        assert_eq!(split_allocations(&codec, &sample), Allocations { frames: 3, first: 0, warm: 0 });
        assert_eq!(split_calls(codec, &sample), 6, "each for its first byte and for its header");
    }
}

#[test]
fn views_and_runs_are_borrowed() {
    for codec in both("borrowed.so") {
        let frame = whole(&codec, CLIENT, QUESTION);
        let Ok(Some(Value::Str(topic))) = Codec::field(&codec, frame, &Codec::key(&codec, "topic"), &Limits::default())
        else {
            panic!("no topic")
        };
        assert!(std::ptr::eq(topic.as_ptr(), &raw const QUESTION[12]), "the topic is copied");
        let segments = Codec::rewrite(&codec, frame, &set(&[("topic", "x")]), &Limits::default()).unwrap();
        let body = segments.last().unwrap();
        assert!(std::ptr::eq(body.as_ptr(), &raw const QUESTION[19]), "the body is copied");
    }
}

#[test]
fn numbers_errors_and_keys_come_through() {
    for codec in both("through.so") {
        let frame = || whole(&codec, CLIENT, QUESTION);
        let edits = Edits { set: vec![("topic", Value::Int(-70))], ..Edits::default() };
        assert_eq!(rewrite(&codec, frame(), &edits).unwrap(), b"AC\x01\x03\0\0\0\x01\0\0\0\x05-70Oslo?");
        let long = "x".repeat(256);
        let edits = Edits {
            remove: vec!["absent"],
            set: vec![("topic", "x".into()), ("topic", long.as_str().into())],
            ..Edits::default()
        };
        let refused = rewrite(&codec, frame(), &edits).unwrap_err();
        assert_eq!(refused, EncodeError::BadValue { key: "topic".into(), expected: "at most 255 bytes".into() });
        let refused = rewrite(&codec, frame(), &set(&[("colour", "red")])).unwrap_err();
        let why = "an acorn has a topic and nothing else".into();
        assert_eq!(refused, EncodeError::NotWritable { key: "colour".into(), why });
        let edits = Edits { request_id: Some(1 << 32), ..Edits::default() };
        let refused = rewrite(&codec, frame(), &edits).unwrap_err();
        assert_eq!(refused, EncodeError::BadValue { key: "request_id".into(), expected: "an id of 32 bits".into() });
        let error = AnyCodec::split(&codec, CLIENT, &Limits::default(), b"AC\x09\0\0\0\0\0\0\0\0\0").unwrap_err();
        assert_eq!(error.to_string(), "at offset 2: type is 9, which the protocol does not define");
    }
}
