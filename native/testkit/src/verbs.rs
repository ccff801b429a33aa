//! The verbs, one function each, with answers that own their memory.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use metaprotocol_core::{
    AnyCodec, DecodeError, Direction, Edits, EncodeError, ErrorType, Frame, Head, Limits, Reply, Split, Value,
};

/// All fields of a frame.
pub type Fields = BTreeMap<String, Value<'static>>;

/// The head of the one frame that `bytes` are.
///
/// # Panics
/// If they are not exactly one.
#[track_caller]
pub fn head(codec: &dyn AnyCodec, direction: Direction, bytes: &[u8]) -> Head {
    match codec.split(direction, &Limits::default(), bytes) {
        Ok(Split::Head(head)) => {
            assert_eq!(head.frame_len, bytes.len(), "not exactly one frame");
            head
        }
        other => panic!("not a frame: {other:?}"),
    }
}

/// The one frame that `bytes` are.
///
/// # Panics
/// As [`head`].
#[track_caller]
pub fn whole<'a>(codec: &dyn AnyCodec, direction: Direction, bytes: &'a [u8]) -> Frame<'a> {
    Frame::new(head(codec, direction, bytes), bytes).expect("a head of these bytes")
}

/// All fields of a frame within limits; those before an error too.
pub fn try_fields(codec: &dyn AnyCodec, frame: Frame<'_>, limits: &Limits) -> (Fields, Result<(), DecodeError>) {
    let mut fields = Fields::new();
    let result = codec.fields(frame, limits, &mut |key, value| {
        fields.insert(key.to_owned(), owned(value));
        ControlFlow::Continue(())
    });
    (fields, result)
}

/// All fields of a frame.
///
/// # Panics
/// If the frame cannot be read, or a field looked up by itself has another value.
#[track_caller]
pub fn fields(codec: &dyn AnyCodec, frame: Frame<'_>) -> Fields {
    let (fields, result) = try_fields(codec, frame, &Limits::default());
    result.expect("a readable frame");
    for (key, value) in &fields {
        assert_eq!(field(codec, frame, key).as_ref(), Some(value), "{key} looked up by itself");
    }
    fields
}

/// One field of a frame.
///
/// # Errors
/// As [`Codec::field`](metaprotocol_core::Codec::field).
pub fn try_field(codec: &dyn AnyCodec, frame: Frame<'_>, key: &str) -> Result<Option<Value<'static>>, DecodeError> {
    codec.field(frame, &codec.key(key), &Limits::default()).map(|value| value.map(owned))
}

/// One field of a frame.
///
/// # Panics
/// If the frame cannot be read.
#[track_caller]
pub fn field(codec: &dyn AnyCodec, frame: Frame<'_>, key: &str) -> Option<Value<'static>> {
    try_field(codec, frame, key).expect("a readable frame")
}

/// The value in memory of its own.
#[must_use]
pub fn owned(value: Value<'_>) -> Value<'static> {
    match value {
        Value::Str(text) => Value::Str(text.into_owned().into()),
        Value::Int(number) => Value::Int(number),
        Value::UInt(number) => Value::UInt(number),
    }
}

/// A text value.
#[must_use]
pub fn string(text: &str) -> Value<'static> {
    Value::Str(text.to_owned().into())
}

/// The frame with edits, in one piece.
///
/// # Errors
/// As [`Codec::rewrite`](metaprotocol_core::Codec::rewrite).
pub fn rewrite(codec: &dyn AnyCodec, frame: Frame<'_>, edits: &Edits<'_>) -> Result<Vec<u8>, EncodeError> {
    codec.rewrite(frame, edits, &Limits::default()).map(|segments| segments.concat())
}

/// Edits that set these fields to texts.
#[must_use]
pub fn set<'e>(entries: &[(&'e str, &'e str)]) -> Edits<'e> {
    Edits { set: entries.iter().map(|(key, value)| (*key, Value::str(value))).collect(), ..Edits::default() }
}

/// Edits that remove these fields.
#[must_use]
pub fn remove<'e>(names: &[&'e str]) -> Edits<'e> {
    Edits { remove: names.to_vec(), ..Edits::default() }
}

/// The edit of a request id.
#[must_use]
pub fn new_id(id: u64) -> Edits<'static> {
    Edits { request_id: Some(id), ..Edits::default() }
}

/// An error for a request.
///
/// # Errors
/// As [`Codec::reply`](metaprotocol_core::Codec::reply).
pub fn error_reply(
    codec: &dyn AnyCodec,
    request: Frame<'_>,
    error: ErrorType,
    message: &str,
) -> Result<Option<Vec<u8>>, EncodeError> {
    codec.reply(request, Reply::Error(error, message))
}
