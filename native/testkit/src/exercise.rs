//! Every verb on every frame, and what each must not do whatever the bytes are.

use std::ops::ControlFlow;
use std::sync::Arc;

use metaprotocol_core::{
    AnyCodec, Connection, DecodeError, Direction, Edits, EncodeError, ErrorType, Frame, Kind, Limits, Reply, RequestId,
    Value,
};

use crate::chance::Chance;
use crate::stream::same_in_the_end;
use crate::{CLIENT, Cut, Decoded, OwnedFrame, SERVER, Sample, feed_to, owned, try_fields};

/// Keys that are asked for besides those that the codec announces and those that the frame has.
const MORE_KEYS: [&str; 6] = ["", "absent", "arg.0", "arg.2", "arg.-1", "header.a"];

/// What the verbs made of a frame: bytes that must be frames in their turn.
#[derive(Default)]
struct Made {
    /// Rewritten frames, with the id they were to get.
    edited: Vec<(Vec<u8>, Option<u64>)>,
    /// Replies, and whether to a heartbeat.
    replies: Vec<(Vec<u8>, bool)>,
}

/// Calls every verb on a frame whose head anybody may have made.
///
/// # Panics
/// If an error lies beyond the frame, a walk goes on though it was told to stop, or a field looked up by itself differs
/// from what the walk saw.
pub fn exercise_frame(codec: &dyn AnyCodec, frame: Frame<'_>, limits: &Limits) {
    verbs(codec, frame, limits, "the frame");
}

fn verbs(codec: &dyn AnyCodec, frame: Frame<'_>, limits: &Limits, about: &str) -> Made {
    let within = |error: DecodeError| {
        assert!(error.offset <= frame.bytes.len() as u64, "{error} is beyond {about}: {:x?}", frame.bytes);
    };
    let (found, result) = try_fields(codec, frame, limits);
    result.err().into_iter().for_each(within);
    let info = codec.info();
    let known = info.keys.iter().map(|key| &*key.name);
    for key in found.keys().map(String::as_str).chain(known.clone()).chain(MORE_KEYS) {
        match codec.field(frame, &codec.key(key), limits) {
            Err(error) => within(error),
            Ok(value) => {
                let walked = found.get(key);
                // Behind a replaced character stand other bytes, which the name cannot spell.
                let spelled = !key.contains(char::REPLACEMENT_CHARACTER);
                let same = walked.is_none() || !spelled || result.is_err() || value.map(owned).as_ref() == walked;
                assert!(same, "{key:?} of {about}, looked up by itself, is not {walked:?}");
            }
        }
    }
    let mut seen = 0;
    let stopped = codec.fields(frame, limits, &mut |_, _| {
        seen += 1;
        ControlFlow::Break(())
    });
    assert!(
        found.is_empty() || (stopped, seen) == (Ok(()), 1),
        "a stopped walk of {about} gave {seen} fields, then {stopped:?}"
    );

    let mut made = Made::default();
    let writable: Vec<&str> = info.keys.iter().filter(|key| key.writable).map(|key| &*key.name).collect();
    let removed: Vec<&str> = found.keys().map(String::as_str).chain(["a", "absent"]).collect();
    let mut edits = vec![
        Edits::default(),
        crate::new_id(77),
        Edits { set: vec![("x-new", Value::Int(1)), ("a", "é😀".into())], ..Edits::default() },
        Edits { set: writable.iter().map(|key| (*key, "7".into())).collect(), ..crate::remove(&["b"]) },
    ];
    edits.extend(writable.iter().map(|key| Edits { set: vec![(*key, "other".into())], ..crate::new_id(3) }));
    edits.extend(removed.iter().map(|key| crate::remove(&[*key])));
    for edits in edits {
        match codec.rewrite(frame, &edits, limits) {
            Ok(segments) => made.edited.push((segments.concat(), edits.request_id)),
            Err(EncodeError::Malformed(error)) => within(error),
            Err(_) => {}
        }
    }
    let errors = ErrorType::ALL.map(|error| Reply::Error(error, "no röute"));
    for wanted in errors.into_iter().chain([Reply::Heartbeat]) {
        match codec.reply(frame, wanted) {
            Ok(Some(reply)) => made.replies.push((reply, wanted == Reply::Heartbeat)),
            Err(EncodeError::Malformed(error)) => within(error),
            Ok(None) | Err(_) => {}
        }
    }
    made
}

/// Decodes any stream, whole and in these chunks, and calls every verb on every frame that comes out; what the verbs make
/// is decoded in its turn, on a connection that has seen the same.
///
/// # Panics
/// As [`exercise_frame`]; if the cut makes a difference; if a frame that nothing is changed in does not stay as it is, an edited one
/// is not one frame with its new id, or a reply is not one frame that answers its request.
pub fn exercise(codec: &Arc<dyn AnyCodec>, limits: Limits, sample: &Sample, chunks: &[usize]) -> Decoded {
    let Sample { name, direction, stream } = sample;
    let decoded = same_in_the_end(codec, limits, sample, &[Cut::Cycle(chunks)]);
    for (index, frame) in decoded.frames.iter().enumerate() {
        let about = format!("frame {index} of {name}");
        let made = verbs(codec.as_ref(), frame.frame(), &limits, &about);
        let Some((unedited, _)) = made.edited.first() else { panic!("{about} is not written without edits") };
        assert_eq!(unedited, &frame.bytes, "{about} without edits");
        let before = || {
            let mut connection = Arc::clone(codec).connect(limits);
            feed_to(connection.as_mut(), *direction, &stream[..frame.offset as usize], []);
            connection
        };
        for (edited, id) in made.edited {
            if edited != frame.bytes {
                let found = one(before().as_mut(), *direction, &edited, &format!("{about}, edited"));
                let expected = match (id, frame.head.request_id) {
                    (Some(id), RequestId::Int(_)) => RequestId::Int(id),
                    _ => found.head.request_id,
                };
                assert_eq!(found.head.request_id, expected, "the id of {about}, edited");
            }
        }
        for (reply, heartbeat) in made.replies {
            let mut connection = before();
            feed_to(connection.as_mut(), *direction, &frame.bytes, []);
            let found = one(connection.as_mut(), direction.reverse(), &reply, &format!("the reply to {about}"));
            let kind = found.head.kind;
            // What goes wrong in a stream that is open closes it.
            let closes = kind == Kind::StreamClose && frame.head.stream_id.is_some();
            let fits = if heartbeat { kind == Kind::Heartbeat } else { kind.is_response() || closes };
            assert!(fits, "the reply to {about} is of the kind {}", kind.name());
            if matches!(frame.head.request_id, RequestId::Int(_)) {
                assert_eq!(found.head.request_id, frame.head.request_id, "the id of the reply to {about}");
            }
        }
    }
    for len in 0..stream.len().min(64) {
        codec.detect(*direction, &stream[..len]);
    }
    decoded
}

/// The one frame that `bytes` are on this connection.
fn one(connection: &mut dyn Connection, direction: Direction, bytes: &[u8], about: &str) -> OwnedFrame {
    let mut decoded = feed_to(connection, direction, bytes, []);
    let fits = decoded.failure.is_none() && decoded.missing == 0 && decoded.frames.len() == 1;
    assert!(fits, "{about} is not one frame: {bytes:x?} gives {decoded:?}");
    decoded.frames.remove(0)
}

/// The default limits, and some that a few bytes exceed.
fn bounds(tight: bool) -> Limits {
    let limits = Limits::default();
    if tight { Limits { max_nesting: 3, max_field_count: 2, ..limits } } else { limits }
}

/// [`exercise`] with `rounds` mutations of the samples, the same in every run.
///
/// # Panics
/// As [`exercise`].
pub fn survives_mutations(codec: &Arc<dyn AnyCodec>, samples: &[Sample], rounds: usize) {
    let mut chance = Chance::new(0x6d75_7461);
    for round in 0..rounds {
        let sample = &samples[round % samples.len()];
        let mut stream = sample.stream.clone();
        chance.mutate(&mut stream);
        let name = format!("{}, mutation {round} ({stream:x?})", sample.name);
        exercise(codec, bounds(round % 3 == 0), &Sample::new(name, sample.direction, stream), &chance.chunks());
    }
}

/// [`exercise`] with `rounds` streams of random bytes, half of them behind the first bytes of a sample; the same in every
/// run.
///
/// # Panics
/// As [`exercise`].
pub fn survives_garbage(codec: &Arc<dyn AnyCodec>, samples: &[Sample], rounds: usize) {
    let mut chance = Chance::new(0x6761_7262);
    for round in 0..rounds {
        let len = chance.below(300);
        let mut stream = chance.bytes(len);
        let mut direction = if chance.below(2) == 0 { CLIENT } else { SERVER };
        if round % 2 == 0 {
            let sample = &samples[chance.below(samples.len())];
            let front = chance.below(sample.stream.len().min(64) + 1);
            stream.splice(..0, sample.stream[..front].iter().copied());
            direction = sample.direction;
        }
        let name = format!("garbage {round} ({stream:x?})");
        exercise(codec, bounds(round % 3 == 0), &Sample::new(name, direction, stream), &chance.chunks());
    }
}
