//! What a codec costs, counted, not timed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use metaprotocol_core::{
    AnyCodec, Codec, DecodeError, Decoder, Detection, Direction, Edits, EncodeError, Frame, Info, Key, Limits, Reply,
    Segments, Split, Value, Visit,
};

use crate::{Decoded, Sample, feed, feed_to};

/// How many allocations this makes.
pub fn allocations(run: impl FnOnce()) -> u64 {
    allocation_counter::measure(run).count_total
}

/// The most bytes that this holds allocated at once.
pub fn most_held(run: impl FnOnce()) -> u64 {
    allocation_counter::measure(run).bytes_max
}

/// What `split` allocated for a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allocations {
    /// How many frames the stream has.
    pub frames: usize,
    /// Allocations of a new connection's state: what it keeps from then on.
    pub first: u64,
    /// Allocations of a hundred more times through the stream. A codec keeps this at 0.
    pub warm: u64,
}

/// Splits a stream of whole frames again and again with one state.
///
/// # Panics
/// If it is not one.
pub fn split_allocations<C: Codec>(codec: &C, sample: &Sample) -> Allocations {
    let limits = Limits::default();
    let mut state = codec.state();
    let mut frames = 0;
    let mut once = || {
        let mut rest = sample.stream.as_slice();
        while !rest.is_empty() {
            match codec.split(&mut state, sample.direction, &limits, rest) {
                Ok(Split::Head(head)) if head.frame_len <= rest.len() => rest = &rest[head.frame_len..],
                other => panic!("{}: {other:?}", sample.name),
            }
            frames += 1;
        }
    };
    let first = allocations(&mut once);
    let warm = allocations(|| (0..100).for_each(|_| once()));
    Allocations { frames: frames / 101, first, warm }
}

/// The most bytes held at once while the sample is fed byte by byte, and what came of it.
pub fn held(codec: &Arc<dyn AnyCodec>, limits: Limits, sample: &Sample) -> (u64, Decoded) {
    let mut decoded = Decoded::default();
    let bytes = most_held(|| {
        decoded = feed(codec, sample.direction, limits, &sample.stream, std::iter::repeat(1));
    });
    (bytes, decoded)
}

/// How often `split` is asked while the sample is fed byte by byte. A partial frame must cost what its new bytes cost, so
/// this must not grow with the length of a body.
///
/// # Panics
/// If the sample is not a stream of whole frames.
pub fn split_calls<C: Codec>(codec: C, sample: &Sample) -> usize {
    let counting = Arc::new(Counting::new(codec));
    let mut decoder = Decoder::new(Arc::clone(&counting), Limits::default());
    let decoded = feed_to(&mut decoder, sample.direction, &sample.stream, std::iter::repeat(1));
    let whole = decoded.failure.is_none() && decoded.end() == sample.stream.len() as u64;
    assert!(whole, "{} is not a stream of whole frames: {decoded:?}", sample.name);
    counting.calls()
}

/// A codec that counts how often `split` is asked.
#[derive(Debug, Default)]
pub struct Counting<C> {
    codec: C,
    calls: AtomicUsize,
}

impl<C> Counting<C> {
    /// The codec, not asked yet.
    pub const fn new(codec: C) -> Self {
        Self { codec, calls: AtomicUsize::new(0) }
    }

    /// How often `split` was asked, on all connections.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

impl<C: Codec> Codec for Counting<C> {
    type State = C::State;

    fn info(&self) -> &Info {
        self.codec.info()
    }

    fn state(&self) -> C::State {
        self.codec.state()
    }

    fn split(
        &self,
        state: &mut C::State,
        direction: Direction,
        limits: &Limits,
        buf: &[u8],
    ) -> Result<Split, DecodeError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.codec.split(state, direction, limits, buf)
    }

    fn key(&self, name: &str) -> Key {
        self.codec.key(name)
    }

    fn field<'a>(&self, frame: Frame<'a>, key: &Key, limits: &Limits) -> Result<Option<Value<'a>>, DecodeError> {
        self.codec.field(frame, key, limits)
    }

    fn fields<'a>(&self, frame: Frame<'a>, limits: &Limits, visit: &mut Visit<'_, 'a>) -> Result<(), DecodeError> {
        self.codec.fields(frame, limits, visit)
    }

    fn rewrite<'a>(&self, frame: Frame<'a>, edits: &Edits<'_>, limits: &Limits) -> Result<Segments<'a>, EncodeError> {
        self.codec.rewrite(frame, edits, limits)
    }

    fn reply(&self, request: Frame<'_>, reply: Reply<'_>) -> Result<Option<Vec<u8>>, EncodeError> {
        self.codec.reply(request, reply)
    }

    fn detect(&self, direction: Direction, prefix: &[u8]) -> Detection {
        self.codec.detect(direction, prefix)
    }
}
