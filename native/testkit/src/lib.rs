//! What the tests of every codec share, so that a new one writes down its vectors and what is special about it, and
//! nothing else.
//!
//! * [`check_vectors`] holds a folder of vectors against the codec, and everything that must be true of any codec against
//!   the streams in them. Each check is a function of its own, for streams that a test makes itself.
//! * [`captures`] reads recorded traffic and what its peers said of it.
//! * [`whole`], [`fields`], [`field`], [`rewrite`] and the like ask one verb each; what they return owns its memory and
//!   compares.
//! * [`split_allocations`], [`split_calls`] and [`held`] measure.
//!
//! Everything panics where a codec is wrong, with the name of the sample, the cut or the limit, and the difference.
//! Functions that ask verbs take any [`AnyCodec`](metaprotocol_core::AnyCodec); those that open connections need the
//! pointer that connections keep.
#![forbid(unsafe_code)]
#![allow(clippy::expect_used, reason = "a broken expectation is a failed test")]

mod captures;
mod chance;
mod exercise;
mod limits;
mod measure;
mod stream;
mod vectors;
mod verbs;

pub use captures::{Capture, Conversation, captures, parse_json};
pub use exercise::{exercise, exercise_frame, survives_garbage, survives_mutations};
pub use limits::{Bound, exceeded_by_one};
pub use measure::{Allocations, Counting, allocations, held, most_held, split_allocations, split_calls};
pub use stream::{
    Cut, Decoded, OwnedFrame, Sample, advance, back_to_back, cut_short, decode, feed, feed_to, same_however_cut,
    same_missing_when_cut, same_when_cut,
};
pub use vectors::{Vector, check_vectors, vectors};
pub use verbs::{
    Fields, error_reply, field, fields, head, new_id, owned, remove, rewrite, set, string, try_field, try_fields, whole,
};

use metaprotocol_core::Direction;

/// The client's direction, in a short word: tests say it often.
pub const CLIENT: Direction = Direction::ClientToServer;
/// The server's direction.
pub const SERVER: Direction = Direction::ServerToClient;
