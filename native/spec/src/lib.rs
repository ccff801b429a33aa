//! Codecs from descriptions: a YAML file describes a header-and-length protocol, and is compiled once to a program that a
//! [`SpecCodec`] runs. The language is documented in `docs/reference/codec-yaml.md`.
//!
//! * `yaml` reads the text with the place of everything in it; `error` says what is wrong where, and what to do.
//! * `layout` and `compile` check it and make the program of `model`; `expr` reads expressions.
//! * `walk` finds the fields of a header in wire order: one walk for all verbs. `fast` and `steps` are
//!   `split` made for one description. `parts` looks into containers (lists of tags, maps, protobuf, JCE, JSON).
//! * `fields`, `draft` and `reply` are the other verbs; `describe` shows the layout to people.
//!
//! ```
//! use metaprotocol_core::{AnyCodec, Direction, Frame, Kind, Limits, Split, Value};
//!
//! let codec = metaprotocol_spec::compile(
//!     "{metaprotocol: 1, name: acorn, request_id: id, frame: {body: body_len}, metadata: {topic: topic},
//!       header: [{name: magic, type: bytes, len: 2, const: AC}, {name: type, type: u8}, {name: id, type: u32},
//!                {name: topic, type: string, len_type: u8}, {name: body_len, type: u32}],
//!       kind: {field: type, values: {1: request, 2: response}}}",
//!     "acorn.yaml",
//! )
//! .expect("a description");
//! let bytes = b"AC\x01\0\0\0\x07\x07weather\0\0\0\x05Oslo?";
//! let limits = Limits::default();
//! let Ok(Split::Head(head)) = AnyCodec::split(&codec, Direction::ClientToServer, &limits, bytes) else { panic!() };
//! assert_eq!((head.kind, head.header_len), (Kind::Request, 19));
//! let frame = Frame::new(head, bytes).expect("a whole frame");
//! assert_eq!(AnyCodec::field(&codec, frame, &codec.key("topic"), &limits), Ok(Some(Value::str("weather"))));
//! ```
#![forbid(unsafe_code)]

mod checksum;
mod compile;
mod describe;
mod dissect;
mod draft;
mod error;
mod expr;
mod fast;
mod fields;
mod layout;
mod model;
mod parts;
mod reply;
mod steps;
mod view;
mod walk;
mod yaml;

use metaprotocol_core::{
    Codec, DecodeError, Detection, Direction, Edits, EncodeError, Frame, Info, Key, Limits, Reply, Segments, Split,
    Value, Visit,
};

pub use dissect::{Place, Region};
pub use error::{Pos, SpecError, SpecErrors};
use model::{Detect, Program, Slot};
use walk::{Mark, Stop, Walk};

/// Few slots live on the stack of every description; many only of those that need them.
const FEW: usize = 16;
const MANY: usize = model::MAX_FIELDS;

/// A codec made from a description. Immutable, and shared between threads.
#[derive(Debug)]
pub struct SpecCodec {
    program: Program,
}

/// What a connection of such a codec remembers: how far the search for an end came, in each direction.
#[derive(Clone, Debug)]
pub struct SpecState {
    marks: [Mark; 2],
    /// What the walk said last. It is written here, and not returned, so that the answer of the fast way can stay in
    /// registers: memory that a call may write to is stored to in parts and read back whole, which stalls.
    walked: Result<Split, DecodeError>,
}

/// Compiles a description. `path` is its name in errors; behind a `?` it may give values to the description's parameters:
/// `awesomerpc.yaml?length_width=2`.
///
/// # Errors
/// Every mistake that was found, with line and column.
pub fn compile(text: &str, path: &str) -> Result<SpecCodec, SpecErrors> {
    let (path, given) = parameters(path);
    compile::compile(text, path, &given).map(|program| SpecCodec { program })
}

/// The layout of a description as JSON: offsets, types, rules, keys.
///
/// # Errors
/// As [`compile`].
pub fn describe(text: &str, path: &str) -> Result<String, SpecErrors> {
    compile(text, path).map(|codec| codec.layout())
}

/// A path, and what stands behind its question mark.
fn parameters(path: &str) -> (&str, Vec<(String, String)>) {
    let Some((path, given)) = path.split_once('?') else { return (path, Vec::new()) };
    let pairs = given.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (name.to_owned(), value.to_owned())
    });
    (path, pairs.collect())
}

impl SpecCodec {
    /// The layout as JSON, as [`describe`] gives it.
    #[must_use]
    pub fn layout(&self) -> String {
        describe::describe(&self.program)
    }

    /// Where the fields of a frame are and what they hold, in wire order, for people: as far as the bytes can be read,
    /// which may be broken or only the front of a frame. `split` tells what ended it.
    #[must_use]
    pub fn dissect(&self, direction: Direction, limits: &Limits, bytes: &[u8]) -> Vec<Place> {
        self.with_slots(|slots| dissect::dissect(&self.program, slots, direction, limits, bytes))
    }

    /// The same codec, only that it always walks: what tests compare the fast way with.
    #[doc(hidden)]
    #[must_use]
    pub fn without_fast_way(mut self) -> Self {
        self.program.fast = None;
        self
    }

    /// Whether there is a fast way.
    #[doc(hidden)]
    #[must_use]
    pub const fn has_fast_way(&self) -> bool {
        self.program.fast.is_some()
    }

    /// Whether the fast way finds a head at the front of these bytes.
    #[doc(hidden)]
    #[must_use]
    pub fn takes_fast_way(&self, direction: Direction, limits: &Limits, buf: &[u8]) -> bool {
        self.program.fast.as_ref().is_some_and(|fast| fast.split(&self.program, direction, limits, buf).is_some())
    }

    /// Runs something with as many slots as the description needs.
    fn with_slots<T>(&self, run: impl FnOnce(&mut [Slot]) -> T) -> T {
        match self.program.slots {
            0 => run(&mut []),
            1..=16 => run(&mut [Slot::ABSENT; FEW]),
            _ => run(&mut [Slot::ABSENT; MANY]),
        }
    }

    #[cold]
    #[inline(never)]
    fn walk_into(&self, state: &mut SpecState, direction: Direction, limits: &Limits, buf: &[u8]) {
        state.walked = self.walk(&mut state.marks[direction as usize], direction, limits, buf);
    }

    fn walk(&self, mark: &mut Mark, direction: Direction, limits: &Limits, buf: &[u8]) -> Result<Split, DecodeError> {
        let program = &self.program;
        let found = self.with_slots(|slots| {
            Walk { program, buf, direction, limits, slots, bounded: false, deep: false }.split(mark)
        });
        match found {
            Ok(head) => {
                *mark = Mark::NONE;
                Ok(Split::Head(head))
            }
            Err(Stop::Need(more)) => Ok(Split::Need(more)),
            Err(Stop::Error(error)) => {
                *mark = Mark::NONE;
                Err(error)
            }
        }
    }
}

impl Codec for SpecCodec {
    type State = SpecState;

    fn info(&self) -> &Info {
        &self.program.info
    }

    fn state(&self) -> SpecState {
        SpecState { marks: [Mark::NONE; 2], walked: Ok(Split::Need(1)) }
    }

    #[inline(always)]
    fn split(
        &self,
        state: &mut SpecState,
        direction: Direction,
        limits: &Limits,
        buf: &[u8],
    ) -> Result<Split, DecodeError> {
        if let Some(fast) = &self.program.fast
            && !state.marks[direction as usize].is_set()
            && let Some(head) = fast.split(&self.program, direction, limits, buf)
        {
            return Ok(Split::Head(head));
        }
        self.walk_into(state, direction, limits, buf);
        state.walked
    }

    fn key(&self, name: &str) -> Key {
        let known = self.program.key_names.iter().position(|known| **known == *name);
        Key { name: name.into(), id: known.map_or(Key::DYNAMIC, |at| at as u16) }
    }

    fn field<'a>(&self, frame: Frame<'a>, key: &Key, limits: &Limits) -> Result<Option<Value<'a>>, DecodeError> {
        self.with_slots(|slots| fields::field(&self.program, slots, frame, key, limits))
    }

    fn fields<'a>(&self, frame: Frame<'a>, limits: &Limits, visit: &mut Visit<'_, 'a>) -> Result<(), DecodeError> {
        self.with_slots(|slots| fields::fields(&self.program, slots, frame, limits, visit))
    }

    fn rewrite<'a>(&self, frame: Frame<'a>, edits: &Edits<'_>, limits: &Limits) -> Result<Segments<'a>, EncodeError> {
        draft::rewrite(self, frame, edits, limits)
    }

    fn reply(&self, request: Frame<'_>, reply: Reply<'_>) -> Result<Option<Vec<u8>>, EncodeError> {
        reply::reply(self, request, reply)
    }

    fn detect(&self, direction: Direction, prefix: &[u8]) -> Detection {
        if let Detect::Never = self.program.detect {
            return Detection::No;
        }
        if prefix.is_empty() {
            return Detection::NeedMore;
        }
        let limits = Limits::default();
        match (&self.program.detect, self.walk(&mut Mark::NONE.clone(), direction, &limits, prefix)) {
            (Detect::Never, _) | (_, Err(_)) => Detection::No,
            (Detect::Checks { front }, Ok(_)) => {
                if prefix.len() >= *front as usize {
                    Detection::Yes
                } else {
                    Detection::NeedMore
                }
            }
            (Detect::When(_), Ok(Split::Need(_))) => Detection::NeedMore,
            (Detect::When(when), Ok(Split::Head(head))) => self.with_slots(|slots| {
                let header = fields::read(&self.program, slots, direction, head, prefix, &limits, false);
                match header {
                    Ok(view) if when.holds(&view) => Detection::Yes,
                    _ => Detection::No,
                }
            }),
        }
    }
}
