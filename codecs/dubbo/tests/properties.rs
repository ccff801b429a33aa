//! What holds for any bytes whatever, and for any frames however they are cut.

mod common;
#[path = "common/values.rs"]
mod values;

use common::{dubbo, fields, frame, request, response, rewrite, text, whole};
use metaprotocol_core::{AnyCodec, Detection, Edits, Frame, Head, Kind, Limits, Reply, RequestId, Value, segments_len};
use metaprotocol_dubbo::Dubbo;
use metaprotocol_dubbo::hessian::{describe, skip};
use metaprotocol_dubbo::wire::STATUSES;
use metaprotocol_testkit::{
    CLIENT, Cut, Sample, cut_short, exercise, exercise_frame, new_id, same_when_cut, split_calls, try_fields,
};
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

/// Runs every verb on every frame of a stream, and asks whether it is recognised.
fn exercise_stream(stream: &[u8], chunks: &[usize]) {
    let decoded = exercise(&dubbo(), Limits::default(), &Sample::new(format!("{stream:x?}"), CLIENT, stream), chunks);
    if !decoded.frames.is_empty() {
        assert_eq!(AnyCodec::detect(&Dubbo, CLIENT, stream), Detection::Yes);
    }
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
        let sample = Sample::new("frames", CLIENT, frames.concat());
        let whole = same_when_cut(&dubbo(), Limits::default(), &sample, &[Cut::Cycle(&chunks)]);
        let given: Vec<Vec<u8>> = whole.frames.into_iter().map(|frame| frame.bytes).collect();
        prop_assert_eq!((given, whole.failure, whole.missing), (frames, None, 0));
    }

    #[test]
    fn a_truncated_stream_yields_no_frame_too_many(frames in frames()) {
        cut_short(&dubbo(), Limits::default(), &Sample::new("frames", CLIENT, frames.concat()));
    }

    #[test]
    fn random_bytes_do_no_harm(bytes in vec(any::<u8>(), 1..200), chunks in vec(1..70_usize, 0..6)) {
        exercise_stream(&bytes, &chunks);
        let mut like_dubbo = frame(0xc2, 0, 1, &bytes);
        exercise_stream(&like_dubbo, &chunks);
        like_dubbo[2] = 0x02;
        like_dubbo[3] = 20;
        exercise_stream(&like_dubbo, &chunks);
    }

    #[test]
    fn mutated_frames_do_no_harm(
        frames in frames(),
        edits in vec((any::<Index>(), any::<u8>()), 1..6),
        chunks in vec(1..70_usize, 0..6),
    ) {
        let mut stream = frames.concat();
        for (at, byte) in edits {
            let at = at.index(stream.len());
            stream[at] = byte;
        }
        exercise_stream(&stream, &chunks);
    }

    #[test]
    fn whole_frames_are_read_whole(frame in prop_oneof![call(), answer()]) {
        fields(&frame);
        exercise_stream(&frame, &[]);
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
        let mut expected = frame.clone();
        expected[4..12].copy_from_slice(&id.to_be_bytes());
        prop_assert_eq!(rewrite(&frame, &new_id(id)), Ok(expected.clone()));
        prop_assert_eq!(whole(&expected).head.request_id, RequestId::Int(id));
    }

    #[test]
    fn feeding_byte_by_byte_asks_a_bounded_number_of_times(frames in frames()) {
        let asked = split_calls(Dubbo, &Sample::new("frames", CLIENT, frames.concat()));
        // Once for the first byte, once for the header, once for the first byte of the body.
        prop_assert!(asked <= 3 * frames.len(), "{} calls for {} frames", asked, frames.len());
    }
}

#[test]
fn arguments_of_any_length_cost_one_call_of_split() {
    let large = request(1, "[B", &[b"B\xff\xff".as_slice(), &[7; 0xffff], b"HZ"].concat());
    assert_eq!(split_calls(Dubbo, &Sample::new("a large argument", CLIENT, large)), 2);
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
    exercise_frame(&Dubbo, frame, &limits);
    assert!(try_fields(&Dubbo, frame, &limits).1.is_err());
    assert!(AnyCodec::field(&Dubbo, frame, &AnyCodec::key(&Dubbo, "method"), &limits).is_err());
    assert!(AnyCodec::reply(&Dubbo, frame, Reply::Heartbeat).is_err());
    assert!(AnyCodec::rewrite(&Dubbo, frame, &new_id(1), &limits).is_err());
}
