//! A codec in Rust that panics: its failures stop at the boundary, and what it says comes through.

use metaprotocol_core::{
    DecodeError, Detection, Direction, EncodeError, ErrorType, FirstSpeaker, Key, Kind, Limits, Reason, Reply,
    RequestId, Sharing, Split, Value,
};
use metaprotocol_testkit::{CLIENT, SERVER, decode, error_reply, field, new_id, rewrite, try_field, try_fields, whole};

mod common;

const PANICKED: Reason = Reason::InvalidCodec { what: "the codec panicked; what it said is on standard error" };

#[test]
fn panics_are_failures_of_the_codec() {
    let codec = common::only(&common::example("unwell"));
    let panicked = Err(PANICKED.at(0));
    assert_eq!(codec.split(CLIENT, &Limits::default(), b"p"), panicked);
    let frame = || whole(codec.as_ref(), CLIENT, b"xy");
    assert_eq!(try_fields(codec.as_ref(), frame(), &Limits::default()).1, Err(PANICKED.at(0)));
    assert_eq!(codec.field(frame(), &codec.key("any"), &Limits::default()), Err(PANICKED.at(0)));
    assert_eq!(rewrite(codec.as_ref(), frame(), &new_id(1)), Err(EncodeError::Malformed(PANICKED.at(0))));
    let reply = error_reply(codec.as_ref(), frame(), ErrorType::Timeout, "late");
    assert_eq!(reply, Err(EncodeError::Malformed(PANICKED.at(0))));
    assert_eq!(codec.reply(frame(), Reply::Heartbeat), Ok(None));
    assert_eq!(codec.detect(Direction::ClientToServer, b"x"), Detection::No);
}

#[test]
fn heads_and_states_come_through() {
    let codec = common::only(&common::example("unwell"));
    let decoded = decode(&codec, SERVER, b"axby");
    let streams: Vec<_> = decoded.frames.iter().map(|frame| frame.head.stream_id).collect();
    assert_eq!(streams, [Some(1), Some(2)], "each connection has its own state");
    let head = decoded.frames[1].head;
    assert_eq!((head.kind, head.request_id, head.variant), (Kind::Control, RequestId::Bytes { at: 0, len: 1 }, 7));
    assert_eq!(field(codec.as_ref(), decoded.frames[1].frame(), "variant"), Some(Value::UInt(7)));
    let stream = codec.field(decoded.frames[1].frame(), &Key::dynamic("stream"), &Limits::default());
    assert_eq!(stream, Ok(Some(Value::Int(-2))));
    assert!(try_field(codec.as_ref(), decoded.frames[0].frame(), "other").is_err());
}

#[test]
fn strings_are_made_fit() {
    let codec = common::only(&common::example("unwell"));
    let info = codec.info();
    assert_eq!((&*info.summary, info.sharing, info.first_speaker), ("anul", Sharing::Bound, FirstSpeaker::Server));
    let split = |buf| -> Result<Split, DecodeError> { codec.split(CLIENT, &Limits::default(), buf) };
    assert_eq!(split(b"c"), Err(Reason::Custom { code: "too_green", what: "the acorn is too green" }.at(1)));
    let Err(DecodeError { reason: Reason::BadEncoding { field }, .. }) = split(b"l") else { panic!("no error") };
    assert_eq!(field, "ä".repeat(128), "cut at a character");
}
