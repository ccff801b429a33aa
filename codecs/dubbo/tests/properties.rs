//! What holds for any bytes whatever, and for any frames however they are cut.

mod common;
#[path = "common/values.rs"]
mod values;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{CLIENT, SERVER, feed, feed_to, fields, frame, owned, request, response, text, try_fields, whole};
use metaprotocol_core::{
    AnyCodec, Codec, DecodeError, Decoder, Detection, Direction, Edits, EncodeError, ErrorType, Frame, Head, Info, Key,
    Kind, Limits, Reply, RequestId, Segments, Split, Value, Visit, segments_len,
};
use metaprotocol_dubbo::Dubbo;
use metaprotocol_dubbo::hessian::{describe, skip};
use metaprotocol_dubbo::wire::STATUSES;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use values::{Node, Writer, Written, node, written};

/// Attachments: names with string values.
fn entries() -> impl Strategy<Value = Vec<(Written, Written)>> {
    vec((written(), written()), 0..5)
}

fn write_entries(writer: &mut Writer, entries: &[(Written, Written)]) {
    writer.bytes.push(b'H');
    for (key, value) in entries {
        writer.text(key);
        writer.text(value);
    }
    writer.bytes.push(b'Z');
}

/// A request with arguments of any shape.
fn call() -> impl Strategy<Value = Vec<u8>> {
    (any::<u64>(), vec(node(), 0..4), entries()).prop_map(|(id, arguments, entries)| {
        let mut writer = Writer::default();
        arguments.iter().for_each(|argument| writer.value(argument));
        write_entries(&mut writer, &entries);
        request(id, &"Ljava/lang/Object;".repeat(arguments.len()), &writer.bytes)
    })
}

/// A response with a value of any shape.
fn answer() -> impl Strategy<Value = Vec<u8>> {
    (any::<u64>(), 0..6_u8, node(), entries()).prop_map(|(id, result_type, value, entries)| {
        let mut writer = Writer::behind(&[0x90 + result_type]);
        if !matches!(result_type, 2 | 5) {
            writer.value(&value);
        }
        if result_type > 2 {
            write_entries(&mut writer, &entries);
        }
        response(id, &writer.bytes)
    })
}

/// A frame with a legal header and any body.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let status = select(STATUSES.map(|(status, _)| status).to_vec());
    (any::<u8>(), status, any::<u64>(), vec(any::<u8>(), 0..40))
        .prop_map(|(flags, status, id, body)| frame(flags, status, id, &body))
}

fn frames() -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(prop_oneof![call(), answer(), any_frame()], 1..6)
}

/// Runs every verb on a frame; returns what it should not do as an error.
fn exercise(frame: Frame<'_>) -> Result<(), TestCaseError> {
    let limits = Limits::default();
    let len = frame.bytes.len() as u64;
    let (all, result) = try_fields(frame, &limits);
    if let Err(error) = result {
        prop_assert!(error.offset <= len, "{error} beyond {len}");
    }
    for key in all.keys().map(String::as_str).chain(["interface", "absent", "arg.0", "arg.2", "exception_message"]) {
        if let Err(error) = AnyCodec::field(&Dubbo, frame, &AnyCodec::key(&Dubbo, key), &limits) {
            prop_assert!(error.offset <= len, "{error} beyond {len}");
        }
    }
    let mut seen = 0;
    let stopped = AnyCodec::fields(&Dubbo, frame, &limits, &mut |_, _| {
        seen += 1;
        ControlFlow::Break(())
    });
    prop_assert!(stopped.is_ok() && seen == 1);
    let edits =
        Edits { set: vec![("a", Value::str("1")), ("path", Value::str("p"))], remove: vec!["b"], request_id: Some(3) };
    if let Ok(segments) = AnyCodec::rewrite(&Dubbo, frame, &edits, &limits) {
        let edited = segments.concat();
        let head = AnyCodec::split(&Dubbo, CLIENT, &limits, &edited);
        prop_assert!(matches!(head, Ok(Split::Head(head)) if head.frame_len == edited.len()), "{head:?}");
    }
    for wanted in [Reply::Heartbeat, Reply::Error(ErrorType::Denied, "no")] {
        if let Ok(Some(reply)) = AnyCodec::reply(&Dubbo, frame, wanted) {
            let head = AnyCodec::split(&Dubbo, SERVER, &limits, &reply);
            let Ok(Split::Head(head)) = head else { return Err(TestCaseError::fail(format!("{head:?}"))) };
            prop_assert_eq!(head.frame_len, reply.len());
            prop_assert_eq!(head.request_id, frame.head.request_id);
            let kind = if wanted == Reply::Heartbeat { Kind::Heartbeat } else { Kind::Error };
            prop_assert_eq!(head.kind, kind);
        }
    }
    Ok(())
}

/// Feeds bytes, runs every verb on every frame that comes out, and asks whether the stream is recognised.
fn exercise_stream(stream: &[u8]) -> Result<(), TestCaseError> {
    let decoded = feed(stream, CLIENT, Limits::default(), []);
    for (_, head, bytes) in &decoded.frames {
        let frame = Frame::new(*head, bytes);
        exercise(frame.ok_or_else(|| TestCaseError::fail("a frame without its bytes"))?)?;
    }
    let detected = AnyCodec::detect(&Dubbo, CLIENT, stream);
    if !decoded.frames.is_empty() {
        prop_assert_eq!(detected, Detection::Yes);
    }
    Ok(())
}

/// 1000 cases of each, or as many as PROPTEST_CASES says.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(1000);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_value_is_walked_exactly_to_its_end(values in vec(node(), 1..4), tail in vec(any::<u8>(), 0..4), cut in any::<Index>()) {
        // Several values of one message share their numbering, so they go into one list.
        let mut writer = Writer::default();
        writer.value(&Node::List(values::untyped(), values, values::ListForm::Fixed));
        let end = writer.bytes.len();
        let bytes = [writer.bytes.as_slice(), &tail].concat();
        let limits = Limits::default();
        prop_assert_eq!(skip(&bytes, 0, &limits), Ok(end));
        prop_assert_eq!(describe(&bytes, 0, &limits), Ok((writer.described, end)));
        let cut = cut.index(end);
        prop_assert!(skip(&bytes[..cut], 0, &limits).is_err());
        prop_assert!(describe(&bytes[..cut], 0, &limits).is_err());
    }

    #[test]
    fn mutated_values_are_walked_or_refused(value in node(), edits in vec((any::<Index>(), any::<u8>()), 1..4)) {
        let mut writer = Writer::default();
        writer.value(&value);
        let mut bytes = writer.bytes;
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let limits = Limits::default();
        let end = skip(&bytes, 0, &limits);
        match end {
            Ok(end) => prop_assert!(end <= bytes.len()),
            Err(error) => prop_assert!(error.offset <= bytes.len() as u64),
        }
        // The other reader of values sees them end at the same place.
        prop_assert_eq!(describe(&bytes, 0, &limits).map(|(_, end)| end), end);
    }

    #[test]
    fn the_same_frames_however_they_are_cut(frames in frames(), chunks in vec(1..70_usize, 1..200)) {
        let stream = frames.concat();
        let whole = feed(&stream, CLIENT, Limits::default(), []);
        let cut = feed(&stream, CLIENT, Limits::default(), chunks);
        prop_assert_eq!(&cut, &whole);
        let given: Vec<Vec<u8>> = whole.frames.into_iter().map(|(_, _, bytes)| bytes).collect();
        prop_assert_eq!((given, whole.failure, whole.missing), (frames, None, 0));
    }

    #[test]
    fn a_truncated_stream_yields_no_frame_too_many(frames in frames(), cut in any::<Index>()) {
        let stream = frames.concat();
        let cut = cut.index(stream.len());
        let decoded = feed(&stream[..cut], CLIENT, Limits::default(), []);
        prop_assert_eq!(decoded.failure, None);
        let mut end = 0;
        let fitting = frames.iter().take_while(|frame| { end += frame.len(); end <= cut }).count();
        prop_assert_eq!(decoded.frames.len(), fitting);
        let start: usize = frames.iter().take(fitting).map(Vec::len).sum();
        let lacking = start + frames.get(fitting).map_or(0, Vec::len) - cut;
        prop_assert_eq!(decoded.missing > 0, cut > start);
        prop_assert!(decoded.missing <= lacking);
    }

    #[test]
    fn random_bytes_do_no_harm(bytes in vec(any::<u8>(), 1..200)) {
        exercise_stream(&bytes)?;
        let mut like_dubbo = frame(0xc2, 0, 1, &bytes);
        exercise_stream(&like_dubbo)?;
        like_dubbo[2] = 0x02;
        like_dubbo[3] = 20;
        exercise_stream(&like_dubbo)?;
    }

    #[test]
    fn mutated_frames_do_no_harm(frames in frames(), edits in vec((any::<Index>(), any::<u8>()), 1..6)) {
        let mut stream = frames.concat();
        for (at, byte) in edits {
            let at = at.index(stream.len());
            stream[at] = byte;
        }
        exercise_stream(&stream)?;
    }

    #[test]
    fn whole_frames_are_read_whole(frame in prop_oneof![call(), answer()]) {
        let frame = whole(&frame);
        let (all, result) = try_fields(frame, &Limits::default());
        prop_assert_eq!(result, Ok(()));
        for (key, value) in all {
            let single = AnyCodec::field(&Dubbo, frame, &AnyCodec::key(&Dubbo, &key), &Limits::default());
            prop_assert_eq!(single.map(|value| value.map(owned)), Ok(Some(value)), "{}", key);
        }
        exercise(frame)?;
    }

    #[test]
    fn an_edit_is_all_that_changes(
        id in any::<u64>(),
        arguments in vec(node(), 0..3),
        before in entries(),
        set in vec((any::<Index>(), any::<bool>(), written()), 0..4),
        remove in vec(any::<Index>(), 0..2),
        is_call in any::<bool>(),
    ) {
        let names: Vec<&str> = before.iter().map(|(key, _)| key.text.as_str()).chain(["new", "newer"]).collect();
        let removed: Vec<&str> = remove.iter().map(|index| names[index.index(names.len())]).collect();
        let set: Vec<(&str, &str)> = set
            .iter()
            .map(|(index, fresh, value)| (if *fresh { "fresh" } else { names[index.index(names.len())] }, value.text.as_str()))
            .collect();
        let name_of = |key: &Written| key.text.clone();
        // What an attachment is after the edits; `None` if it is gone.
        let edited = |name: &str| -> Option<Option<&str>> {
            let last = set.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| Some(*value));
            last.or(removed.contains(&name).then_some(None))
        };
        let assemble = |entries: &[u8]| {
            let mut writer = Writer::default();
            if is_call {
                arguments.iter().for_each(|argument| writer.value(argument));
                let body = [writer.bytes.as_slice(), entries].concat();
                request(id, &"I".repeat(arguments.len()), &body)
            } else {
                writer.value(&Node::List(values::untyped(), arguments.clone(), values::ListForm::Variable));
                response(id, &[b"\x94", writer.bytes.as_slice(), entries].concat())
            }
        };
        let mut old = Writer::default();
        write_entries(&mut old, &before);
        // Entries that stay are written as they were, edited ones as Java does, new ones come last.
        let mut new = Writer::behind(b"H");
        for (key, value) in &before {
            match edited(&key.text) {
                None => { new.text(key); new.text(value); }
                Some(Some(changed)) => { new.text(key); new.bytes.extend(text(changed)); }
                Some(None) => {}
            }
        }
        let mut added: Vec<&str> = Vec::new();
        for (at, (name, _)) in set.iter().enumerate() {
            let is_last = !set[at + 1..].iter().any(|(later, _)| later == name);
            if is_last && !before.iter().any(|(key, _)| name_of(key) == *name) {
                added.push(name);
            }
        }
        for name in added {
            new.bytes.extend(text(name));
            new.bytes.extend(text(edited(name).flatten().unwrap_or_default()));
        }
        new.bytes.push(b'Z');

        let bytes = assemble(&old.bytes);
        let edits = Edits {
            set: set.iter().map(|(key, value)| (*key, Value::str(value))).collect(),
            remove: removed.clone(),
            request_id: None,
        };
        let segments = AnyCodec::rewrite(&Dubbo, whole(&bytes), &edits, &Limits::default());
        prop_assert_eq!(segments.as_ref().map(segments_len), Ok(assemble(&new.bytes).len()));
        let after = segments.map(|segments| segments.concat());
        prop_assert_eq!(after.as_ref(), Ok(&assemble(&new.bytes)));
        let after = after.unwrap_or_default();
        let found = fields(&after);
        for (name, value) in &set {
            let found = found.get(*name).map(Value::to_text);
            prop_assert_eq!(found.as_deref(), edited(name).flatten(), "{} {}", name, value);
        }
    }

    #[test]
    fn a_new_id_is_all_that_changes(frame in prop_oneof![call(), answer(), any_frame()], id in any::<u64>()) {
        let edits = Edits { request_id: Some(id), ..Edits::default() };
        let after = AnyCodec::rewrite(&Dubbo, whole(&frame), &edits, &Limits::default()).map(|segments| segments.concat());
        let mut expected = frame.clone();
        expected[4..12].copy_from_slice(&id.to_be_bytes());
        prop_assert_eq!(after.as_ref(), Ok(&expected));
        prop_assert_eq!(whole(&expected).head.request_id, RequestId::Int(id));
    }

    #[test]
    fn feeding_byte_by_byte_asks_a_bounded_number_of_times(frames in frames()) {
        let codec = Arc::new(Counting::default());
        let mut decoder = Decoder::new(Arc::clone(&codec), Limits::default());
        let stream = frames.concat();
        let decoded = feed_to(&mut decoder, &stream, CLIENT, std::iter::repeat_n(1, stream.len()));
        prop_assert_eq!(decoded.frames.len(), frames.len());
        // Once for the first byte, once for the header, once for the first byte of the body.
        let asked = codec.asked.load(Ordering::Relaxed);
        prop_assert!(asked <= 3 * frames.len(), "{} calls for {} frames", asked, frames.len());
    }
}

#[test]
fn arguments_of_any_length_cost_one_call_of_split() {
    let codec = Arc::new(Counting::default());
    let mut decoder = Decoder::new(Arc::clone(&codec), Limits::default());
    let large = request(1, "[B", &[b"B\xff\xff".as_slice(), &[7; 0xffff], b"HZ"].concat());
    feed_to(&mut decoder, &large, CLIENT, std::iter::repeat_n(1, large.len()));
    assert_eq!(codec.asked.load(Ordering::Relaxed), 2);
}

/// The codec, and how often `split` was asked.
#[derive(Default)]
struct Counting {
    asked: AtomicUsize,
}

impl Codec for Counting {
    type State = ();

    fn info(&self) -> &Info {
        Codec::info(&Dubbo)
    }

    fn state(&self) {}

    fn split(&self, state: &mut (), direction: Direction, limits: &Limits, buf: &[u8]) -> Result<Split, DecodeError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Codec::split(&Dubbo, state, direction, limits, buf)
    }

    fn field<'a>(&self, frame: Frame<'a>, key: &Key, limits: &Limits) -> Result<Option<Value<'a>>, DecodeError> {
        Codec::field(&Dubbo, frame, key, limits)
    }

    fn fields<'a>(&self, frame: Frame<'a>, limits: &Limits, visit: &mut Visit<'_, 'a>) -> Result<(), DecodeError> {
        Codec::fields(&Dubbo, frame, limits, visit)
    }

    fn rewrite<'a>(&self, frame: Frame<'a>, edits: &Edits<'_>, limits: &Limits) -> Result<Segments<'a>, EncodeError> {
        Codec::rewrite(&Dubbo, frame, edits, limits)
    }

    fn reply(&self, request: Frame<'_>, reply: Reply<'_>) -> Result<Option<Vec<u8>>, EncodeError> {
        Codec::reply(&Dubbo, request, reply)
    }

    fn detect(&self, direction: Direction, prefix: &[u8]) -> Detection {
        Codec::detect(&Dubbo, direction, prefix)
    }
}

#[test]
fn a_frame_that_no_split_made_does_no_harm() {
    // Callers may make a Frame of any head; a codec must not trust it.
    let head = Head {
        kind: Kind::Request,
        request_id: RequestId::Int(1),
        stream_id: None,
        header_len: 0,
        frame_len: 3,
        variant: 9,
    };
    let frame = Frame::new(head, b"\xda\xbb\xc2").expect("three bytes");
    let limits = Limits::default();
    assert!(try_fields(frame, &limits).1.is_err());
    assert!(AnyCodec::field(&Dubbo, frame, &AnyCodec::key(&Dubbo, "method"), &limits).is_err());
    assert!(AnyCodec::reply(&Dubbo, frame, Reply::Heartbeat).is_err());
    let edits = Edits { request_id: Some(1), ..Edits::default() };
    assert!(AnyCodec::rewrite(&Dubbo, frame, &edits, &limits).is_err());
}
