//! The verbs that see one frame, and what they have to say of each other.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use metaprotocol_core::{
    AnyCodec, DecodeError, Detection, Direction, Edits, ErrorType, Fed, Frame, Head, Kind, Limits, Reason, Reply,
    RequestId, Value, segments_len,
};

use crate::layout::EDITS;
use crate::script::Script;

/// All fields of a frame by key; of those that come again the last.
pub type Fields = BTreeMap<String, Value<'static>>;

/// What differs from protocol to protocol.
pub trait Dialect {
    /// Keys beside those of the codec to look up and to edit.
    const KEYS: &'static [&'static str];

    /// The name by which `fields` shows what this key means.
    fn shown(key: &str) -> String;

    /// False for keys of `fields` that cannot be looked up, since their text is not the frame's.
    fn found_by_name(key: &str) -> bool;

    /// Whether an edit of one key, by its shown name, may change what the other says.
    fn touches(edited: &str, other: &str) -> bool;

    /// Bytes that reading one frame may hold at most.
    fn memory(frame: Frame<'_>, limits: &Limits) -> u64;

    /// The kind of a reply that tells an error.
    const REPLY_KIND: Kind = Kind::Error;

    /// Whether a frame stays of its kind under an edit of this key, by its shown name.
    fn keeps_kind(_: &str) -> bool {
        true
    }

    /// Whether both ends know a stream by one id.
    const ONE_STREAM_ID: bool = true;

    /// The error's message in a reply, and where the request's own id is found among the fields, if anywhere.
    const REPLY_MESSAGE: &'static str;
    const ID_KEY: Option<&'static str>;
}

/// One edit as the input has it.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    action: u8,
    key: u8,
    value: u8,
}

/// The edits of an input, before its frame is known.
pub struct Choices {
    edits: [Choice; EDITS],
    id: u8,
    limits: u8,
}

impl Choices {
    /// Off the front of an input.
    pub fn read(script: &mut Script<'_>) -> Self {
        let edits = std::array::from_fn(|_| Choice { action: script.byte(), key: script.byte(), value: script.byte() });
        Self { edits, id: script.byte(), limits: script.byte() }
    }

    /// The limits to read with. What may be inflated is bounded, or the fuzzer finds only how long that takes.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let limits = crate::limits(self.limits);
        Limits { max_frame_len: limits.max_frame_len.min(1 << 18), ..limits }
    }
}

fn owned(value: Value<'_>) -> Value<'static> {
    match value {
        Value::Str(text) => Value::Str(text.into_owned().into()),
        Value::Int(number) => Value::Int(number),
        Value::UInt(number) => Value::UInt(number),
    }
}

/// The value that a number stands for; large ones are text long enough for several chunks and length forms.
fn value(number: u8) -> Value<'static> {
    match number % 12 {
        0 => Value::str(""),
        1 => Value::str("v"),
        2 => Value::str("a:b"),
        3 => Value::Str("grüße 中文 😀\0".into()),
        4 => Value::Str("x".repeat(31).into()),
        5 => Value::Str("é".repeat(32).into()),
        6 => Value::Str("x".repeat(1024).into()),
        7 => Value::Str("😀".repeat(17_000).into()),
        8 => Value::Int(-5),
        9 => Value::Int(i64::from(i32::MAX)),
        10 => Value::UInt(u64::MAX),
        _ => Value::Int(0),
    }
}

fn fields(codec: &dyn AnyCodec, frame: Frame<'_>, limits: &Limits) -> (Fields, Result<(), DecodeError>) {
    let mut fields = Fields::new();
    let result = codec.fields(frame, limits, &mut |key, value| {
        fields.insert(key.to_owned(), owned(value));
        ControlFlow::Continue(())
    });
    (fields, result)
}

fn field(
    codec: &dyn AnyCodec,
    frame: Frame<'_>,
    key: &str,
    limits: &Limits,
) -> Result<Option<Value<'static>>, DecodeError> {
    let found = codec.field(frame, &codec.key(key), limits);
    if let Err(error) = &found {
        assert!(error.offset <= frame.bytes.len() as u64, "{key}: {error} is beyond the frame");
    }
    found.map(|value| value.map(owned))
}

/// Runs every verb on a frame of this direction.
pub fn check<D: Dialect>(codec: &Arc<dyn AnyCodec>, direction: Direction, frame: Frame<'_>, choices: &Choices) {
    let limits = choices.limits();
    let read = read::<D>(codec.as_ref(), frame, &limits);
    rewrite::<D>(codec, direction, frame, choices, &read);
    reply::<D>(codec, direction, frame);
}

/// `fields` and `field`.
pub fn read<D: Dialect>(codec: &dyn AnyCodec, frame: Frame<'_>, limits: &Limits) -> (Fields, Result<(), DecodeError>) {
    let info = allocation_counter::measure(|| {
        // Errors are looked at below; here it is the cost that counts.
        let _ = codec.fields(frame, limits, &mut |_, _| ControlFlow::Continue(()));
    });
    let bound = D::memory(frame, limits);
    assert!(info.bytes_max <= bound, "{} bytes held for a frame of {}", info.bytes_max, frame.bytes.len());

    let (all, result) = fields(codec, frame, limits);
    if let Err(error) = result {
        assert!(error.offset <= frame.bytes.len() as u64, "{error} is beyond the frame");
    }
    let mut visited = 0;
    let stopped = codec.fields(frame, limits, &mut |_, _| {
        visited += 1;
        ControlFlow::Break(())
    });
    assert!(visited <= 1 && (visited == 0 || stopped.is_ok()), "went on when it was told to stop");

    for (key, value) in &all {
        if D::found_by_name(key) {
            match field(codec, frame, key, limits) {
                // Where the walk failed, what counts may stand behind that place.
                Ok(found) => {
                    assert!(result.is_err() || found.as_ref() == Some(value), "{key}: {found:?}, not {value:?}")
                }
                Err(error) => assert!(result.is_err(), "{key}: {error}, yet `fields` read it"),
            }
        }
    }
    for known in codec.info().keys.iter() {
        if let (Ok(()), false) = (result, all.contains_key(known.name.as_ref())) {
            assert_eq!(field(codec, frame, &known.name, limits), Ok(None), "{}", known.name);
        }
    }
    for key in D::KEYS {
        // Whatever it gives: it must not panic, and its errors must lie within the frame.
        let _ = field(codec, frame, key, limits);
    }
    (all, result)
}

/// The head of `bytes` where they follow `before` on a connection.
fn resplit(
    codec: &Arc<dyn AnyCodec>,
    limits: Limits,
    before: (Direction, &[u8]),
    bytes: (Direction, &[u8]),
) -> Result<Head, DecodeError> {
    let mut connection = Arc::clone(codec).connect(limits);
    let mut fed = Fed::default();
    connection.feed(before.0, before.1, &mut fed).expect("a frame that was split before");
    let own = before.1.len() as u64;
    assert_eq!((connection.offset(before.0), connection.received(before.0)), (own, 0));
    connection.feed(bytes.0, bytes.1, &mut fed).map_err(|failure| failure.error)?;
    let end = bytes.1.len() as u64 + if before.0 == bytes.0 { own } else { 0 };
    assert_eq!((connection.offset(bytes.0), connection.received(bytes.0)), (end, 0), "not exactly one frame");
    assert_eq!(fed.frames.len(), 1, "not exactly one frame");
    Ok(fed.frames[0].head)
}

fn rewrite<D: Dialect>(
    codec: &Arc<dyn AnyCodec>,
    direction: Direction,
    frame: Frame<'_>,
    choices: &Choices,
    (before, result): &(Fields, Result<(), DecodeError>),
) {
    let limits = choices.limits();
    let same = codec.rewrite(frame, &Edits::default(), &limits).expect("nothing is to be written");
    assert_eq!(same.concat(), frame.bytes, "no edits, yet other bytes");

    let keys: Vec<String> = before
        .keys()
        .filter(|key| D::found_by_name(key))
        .cloned()
        .chain(D::KEYS.iter().map(|key| (*key).to_owned()))
        .chain(codec.info().keys.iter().map(|key| key.name.clone().into_owned()))
        .collect();
    let mut edits = Edits::default();
    for choice in &choices.edits {
        let key = keys[usize::from(choice.key) % keys.len()].as_str();
        match choice.action % 4 {
            1 | 3 => edits.set.push((key, value(choice.value))),
            2 => edits.remove.push(key),
            _ => {}
        }
    }
    edits.request_id = match choices.id % 4 {
        0 => None,
        1 => Some(u64::from(choices.id)),
        2 => Some(i64::from(i32::MIN) as u64),
        _ => Some(0x0102_0304_0506_0708 ^ u64::from(choices.id)),
    };
    let Ok(segments) = codec.rewrite(frame, &edits, &limits) else { return };
    let edited = segments.concat();
    assert_eq!(segments_len(&segments), edited.len());

    let head = match resplit(codec, limits, (direction, frame.bytes), (direction, &edited)) {
        Ok(head) => head,
        // An edit may take a header over what the connection allows; its writer sees no such limit.
        Err(DecodeError { reason: Reason::LimitExceeded { .. }, .. }) => return,
        Err(error) => panic!("{edits:?} made a frame that is none: {error}\n{edited:x?}"),
    };
    let named = edits.set.iter().map(|(key, _)| *key).chain(edits.remove.iter().copied());
    let kind = if named.map(D::shown).all(|key| D::keeps_kind(&key)) { frame.head.kind } else { head.kind };
    assert_eq!((head.kind, head.variant, head.frame_len), (kind, frame.head.variant, edited.len()));
    if let Some(id) = edits.request_id {
        assert_eq!(head.request_id, RequestId::Int(id));
    } else if !edits.set.iter().any(|(key, _)| Some(*key) == D::ID_KEY) {
        assert_eq!(head.request_id, frame.head.request_id);
    }
    let edited = Frame::new(head, &edited).expect("its own bytes");
    if result.is_ok() {
        check_edits::<D>(codec.as_ref(), edited, &edits, before, &limits);
    }
    match codec.rewrite(edited, &edits, &limits) {
        Ok(again) => assert_eq!(again.concat(), edited.bytes, "{edits:?} do not settle"),
        // Additions may have filled the frame up to a limit, or have given it a key that follows from what was set.
        Err(error) => {
            let shown = |key: &&str| D::shown(key);
            let follows = |key: String| edits.set.iter().any(|(set, _)| D::touches(&shown(set), &key));
            let may_fail = limits.max_field_count < 4096 || edits.remove.iter().map(shown).any(follows);
            assert!(may_fail, "{edits:?} a second time: {error}");
        }
    }
}

/// The edits show, and nothing else does.
fn check_edits<D: Dialect>(
    codec: &dyn AnyCodec,
    edited: Frame<'_>,
    edits: &Edits<'_>,
    before: &Fields,
    limits: &Limits,
) {
    let (after, result) = fields(codec, edited, limits);
    match result {
        Ok(()) => {}
        Err(DecodeError { reason: Reason::LimitExceeded { .. }, .. }) => return,
        Err(error) => panic!("{edits:?} broke the frame: {error}"),
    }
    let mut names: Vec<String> = edits.set.iter().map(|(key, _)| D::shown(key)).collect();
    names.extend(edits.remove.iter().map(|key| D::shown(key)));
    if let (Some(_), Some(key)) = (edits.request_id, D::ID_KEY) {
        names.push(key.to_owned());
    }
    let untouched = |key: &String| !names.iter().any(|name| name == key || D::touches(name, key));
    for key in before.keys().chain(after.keys()).filter(|key| untouched(key)) {
        assert_eq!(after.get(key), before.get(key), "{key} was not edited by {edits:?}");
    }
    for (index, (key, value)) in edits.set.iter().enumerate() {
        let name = D::shown(key);
        let later = edits.set.iter().skip(index + 1).map(|(key, _)| D::shown(key));
        let id = edits.request_id.and(D::ID_KEY).map(str::to_owned);
        if later.chain(id).any(|other| other == name || D::touches(&other, &name)) {
            continue;
        }
        let found = field(codec, edited, key, limits).expect("readable as before");
        assert_eq!(
            found.map(|found| found.to_text().into_owned()),
            Some(value.to_text().into_owned()),
            "{key} was set"
        );
    }
    for key in &edits.remove {
        let name = D::shown(key);
        let set = edits.set.iter().map(|(key, _)| D::shown(key)).any(|set| set == name || D::touches(&set, &name));
        // What falls back to another part of the frame is still there.
        if !set && !codec.info().keys.iter().any(|known| known.name == *key) {
            assert_eq!(field(codec, edited, key, limits), Ok(None), "{key} was removed");
        }
    }
}

fn reply<D: Dialect>(codec: &Arc<dyn AnyCodec>, direction: Direction, frame: Frame<'_>) {
    let text = "no 😀 \"route\"";
    let errors = ErrorType::ALL.into_iter().map(|error| (Reply::Error(error, text), D::REPLY_KIND));
    for (wanted, kind) in errors.chain([(Reply::Heartbeat, Kind::Heartbeat)]) {
        let Ok(Some(reply)) = codec.reply(frame, wanted) else { continue };
        let limits = Limits { max_header_len: u32::MAX, ..Limits::default() };
        let asked_by = (direction, frame.bytes);
        let head = resplit(codec, limits, asked_by, (direction.reverse(), &reply)).expect("a reply is a frame");
        // What goes wrong in a stream that is open closes it.
        let closes = head.kind == Kind::StreamClose && kind == Kind::Error && frame.head.stream_id.is_some();
        let kind = if closes { Kind::StreamClose } else { kind };
        assert_eq!((head.kind, head.request_id), (kind, frame.head.request_id), "to {:?}", frame.head);
        if D::ONE_STREAM_ID {
            assert_eq!(head.stream_id, frame.head.stream_id, "to {:?}", frame.head);
        }
        let reply = Frame::new(head, &reply).expect("its own bytes");
        assert_eq!(fields(codec.as_ref(), reply, &limits).1, Ok(()), "a reply that cannot be read");
        if let (Reply::Error(_, text), Ok(Some(message))) =
            (wanted, field(codec.as_ref(), reply, D::REPLY_MESSAGE, &limits))
        {
            assert_eq!(message.to_text(), text);
        }
    }
}

/// A no is final, and what was told is not forgotten.
pub fn detect(codec: &dyn AnyCodec, direction: Direction, stream: &[u8]) {
    let mut last = Detection::NeedMore;
    for len in 0..=stream.len().min(600) {
        let now = codec.detect(direction, &stream[..len]);
        match last {
            Detection::No => assert_eq!(now, Detection::No, "a no taken back at {len}"),
            Detection::Yes => assert_ne!(now, Detection::NeedMore, "in doubt again at {len}"),
            Detection::NeedMore => {}
        }
        last = now;
    }
}
