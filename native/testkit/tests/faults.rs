//! Each check finds the fault it is there for: a sound codec with one fault put into it.
#![allow(clippy::expect_used, reason = "a broken expectation is a failed test")]

#[path = "../../core/tests/acorn.rs"]
#[allow(dead_code, reason = "the whole file is borrowed, the codec is used")]
mod acorn;

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use acorn::Acorn;
use metaprotocol_core::{
    AnyCodec, Codec, DecodeError, Detection, Direction, Edits, EncodeError, Frame, Info, Key, Kind, Limits, Reason,
    Reply, Segments, Split, Value, Visit,
};
use metaprotocol_testkit::{
    Bound, CLIENT, SERVER, Sample, back_to_back, captures, check_vectors, cut_short, exceeded_by_one, exercise,
    same_however_cut, split_allocations, split_calls, survives_garbage, survives_mutations, vectors,
};

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../core/tests/acorn");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// The kind depends on how many bytes are in.
    LooksAhead,
    /// Asks for bytes of the next frame.
    WantsTooMuch,
    /// Takes what is in for all there is.
    TakesHalf,
    /// Reads from the start again with every byte.
    Rereads,
    /// Fails on the second frame of a connection.
    WearsOut,
    Allocates,
    /// Indexes without looking.
    Panics,
    /// Says that errors lie where no byte is.
    ErrsBeyond,
    /// Goes on when told to stop.
    Unstoppable,
    /// The walk and the look-up differ.
    Disagrees,
    /// Writes a frame without edits differently.
    Rewrites,
    /// Forgets the new id.
    KeepsId,
    /// Answers somebody else's request.
    WrongId,
    /// Answers with a request.
    WrongKind,
    /// Answers nobody.
    Silent,
    /// Says no to its own.
    DeniesItself,
    /// Is sure, then is not.
    Wavers,
}

struct Faulty(Fault);

impl Faulty {
    fn has(&self, fault: Fault) -> bool {
        self.0 == fault
    }

    fn any(self) -> Arc<dyn AnyCodec> {
        Arc::new(self)
    }
}

impl Codec for Faulty {
    /// How many frames there were.
    type State = usize;

    fn info(&self) -> &Info {
        Codec::info(&Acorn)
    }

    fn state(&self) -> usize {
        0
    }

    fn split(&self, seen: &mut usize, way: Direction, limits: &Limits, buf: &[u8]) -> Result<Split, DecodeError> {
        if self.has(Fault::Panics) && buf.len() > 3 {
            assert!(buf[3] < 100, "an index out of range");
        }
        if self.has(Fault::Allocates) {
            drop(std::hint::black_box(buf.to_vec()));
        }
        let mut split = Codec::split(&Acorn, &mut (), way, limits, buf)?;
        match &mut split {
            Split::Head(head) => {
                *seen += 1;
                if self.has(Fault::WearsOut) && *seen > 2 {
                    return Err(Reason::BadEncoding { field: "patience" }.at(0));
                }
                if self.has(Fault::LooksAhead) && buf.len() > head.frame_len {
                    head.kind = Kind::Control;
                }
                if self.has(Fault::TakesHalf) {
                    head.frame_len = head.frame_len.min(buf.len()).max(head.header_len as usize);
                }
                if self.has(Fault::Rereads) && buf.len() < head.frame_len {
                    return Ok(Split::Need(1));
                }
            }
            Split::Need(more) if self.has(Fault::WantsTooMuch) => *more += 20,
            Split::Need(_) => {}
        }
        Ok(split)
    }

    fn key(&self, name: &str) -> Key {
        Codec::key(&Acorn, name)
    }

    fn field<'a>(&self, frame: Frame<'a>, key: &Key, limits: &Limits) -> Result<Option<Value<'a>>, DecodeError> {
        if self.has(Fault::ErrsBeyond) {
            return Err(Reason::BadEncoding { field: "topic" }.at(frame.bytes.len() + 1));
        }
        if self.has(Fault::Disagrees) {
            return Ok(Some(Value::Int(1)));
        }
        Codec::field(&Acorn, frame, key, limits)
    }

    fn fields<'a>(&self, frame: Frame<'a>, limits: &Limits, visit: &mut Visit<'_, 'a>) -> Result<(), DecodeError> {
        if self.has(Fault::Unstoppable) {
            let _told_to_stop = visit("topic", Value::Int(1));
        }
        Codec::fields(&Acorn, frame, limits, visit)
    }

    fn rewrite<'a>(&self, frame: Frame<'a>, edits: &Edits<'_>, limits: &Limits) -> Result<Segments<'a>, EncodeError> {
        if self.has(Fault::Rewrites) && edits.is_empty() {
            return Ok(vec![Cow::Borrowed(frame.header())]);
        }
        let mut edits = edits.clone();
        if self.has(Fault::KeepsId) {
            edits.request_id = None;
        }
        Codec::rewrite(&Acorn, frame, &edits, limits)
    }

    fn reply(&self, request: Frame<'_>, reply: Reply<'_>) -> Result<Option<Vec<u8>>, EncodeError> {
        let answer = Codec::reply(&Acorn, request, reply)?;
        Ok(match self.0 {
            Fault::WrongId => answer.map(|mut bytes| {
                bytes[7] ^= 1;
                bytes
            }),
            Fault::WrongKind => answer.map(|mut bytes| {
                bytes[2] = 1;
                bytes
            }),
            Fault::Silent => None,
            _ => answer,
        })
    }

    fn detect(&self, direction: Direction, prefix: &[u8]) -> Detection {
        match (self.0, prefix.len()) {
            (Fault::DeniesItself, 8) => Detection::No,
            (Fault::Wavers, 8) => Detection::NeedMore,
            _ => Codec::detect(&Acorn, direction, prefix),
        }
    }
}

/// What the check of a faulty codec says.
fn complaint(check: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(check)).expect_err("the fault is found");
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| text.to_string()))
        .expect("a message")
}

fn question() -> Sample {
    Sample::new("a question and more", CLIENT, *b"AC\x01\x07\0\0\0\x01\0\0\0\x05weatherOslo?AC\x04\0\0\0\0\x03\0\0\0\0")
}

#[test]
fn without_a_fault_there_is_no_complaint() {
    check_vectors(&Faulty(Fault::None).any(), VECTORS, 5);
    assert_eq!(split_allocations(&Faulty(Fault::None), &question()).warm, 0);
    assert_eq!(split_calls(Faulty(Fault::None), &question()), 4);
}

#[test]
fn the_vectors_find_every_fault_but_those_of_cost() {
    for fault in [
        Fault::LooksAhead,
        Fault::WantsTooMuch,
        Fault::TakesHalf,
        Fault::WearsOut,
        Fault::Panics,
        Fault::ErrsBeyond,
        Fault::Unstoppable,
        Fault::Disagrees,
        Fault::Rewrites,
        Fault::KeepsId,
        Fault::WrongId,
        Fault::WrongKind,
        Fault::Silent,
        Fault::DeniesItself,
        Fault::Wavers,
    ] {
        let found = complaint(|| check_vectors(&Faulty(fault).any(), VECTORS, 5));
        assert!(!found.is_empty(), "{fault:?}");
    }
    assert!(complaint(|| check_vectors(&Faulty(Fault::None).any(), VECTORS, 6)).contains("only 5 vectors"));
}

#[test]
fn each_check_finds_its_own_and_says_where() {
    let limits = Limits::default();
    let says = |fault: Fault, check: &dyn Fn(&Arc<dyn AnyCodec>), parts: &[&str]| {
        let found = complaint(|| check(&Faulty(fault).any()));
        assert!(parts.iter().all(|part| found.contains(part)), "{fault:?}: {found}");
    };
    let same = |codec: &Arc<dyn AnyCodec>| drop(same_however_cut(codec, limits, &question()));
    let verbs = |codec: &Arc<dyn AnyCodec>| drop(exercise(codec, limits, &question(), &[]));
    let name = "a question and more";
    says(Fault::LooksAhead, &same, &[name, "fed At(12)", "frame 0 is", "kind: Request", "not", "kind: Control"]);
    says(Fault::WantsTooMuch, &|codec| cut_short(codec, limits, &question()), &[name, "cut short at 1", "wants 32"]);
    says(Fault::TakesHalf, &|codec| cut_short(codec, limits, &question()), &[name, "cut short at 19"]);
    says(Fault::WearsOut, &|codec| back_to_back(codec, limits, &question()), &[name, "twice", "2 frames, not 4"]);
    says(Fault::ErrsBeyond, &verbs, &["beyond frame 0 of", name]);
    says(Fault::Unstoppable, &verbs, &["a stopped walk of frame 0 of", "gave 2 fields"]);
    says(Fault::Disagrees, &verbs, &["\"topic\" of frame 0 of", name]);
    says(Fault::Rewrites, &verbs, &["frame 0 of a question and more without edits"]);
    says(Fault::KeepsId, &verbs, &["the id of frame 0", "edited"]);
    says(Fault::WrongId, &verbs, &["the id of the reply to frame 0"]);
    says(Fault::WrongKind, &verbs, &["the reply to frame 0", "request"]);
    says(Fault::Panics, &|codec| survives_mutations(codec, &[question()], 500), &["out of range"]);
    says(Fault::Panics, &|codec| survives_garbage(codec, &[question()], 500), &["out of range"]);
    // The topic is no attachment: nothing bounds how many there are.
    let unbounded = |codec: &Arc<dyn AnyCodec>| exceeded_by_one(codec, &question(), Bound::FieldCount, 1);
    says(Fault::None, &unbounded, &[name, "max_field_count at 1 less one", "no error"]);
}

#[test]
fn costs_are_counted() {
    let used = split_allocations(&Faulty(Fault::Allocates), &question());
    assert_eq!((used.frames, used.first, used.warm), (2, 2, 200));
    // Once more for each byte of the body.
    assert_eq!(split_calls(Faulty(Fault::Rereads), &question()), 4 + 12);
}

#[test]
fn folders_must_hold_what_they_should() {
    assert_eq!(vectors(VECTORS).len(), 5);
    assert!(complaint(|| drop(vectors("/nowhere"))).contains("/nowhere"));
    let recorded = captures(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/captures/dubbo"), 20);
    let conversation = recorded[0].conversations.values().next().expect("a conversation");
    assert!(!conversation.stream(SERVER).is_empty());
    let acorn: Arc<dyn AnyCodec> = Arc::new(Acorn);
    assert_eq!(conversation.frames(&acorn).1.expect("an error").reason.code(), "bad_magic");
}
