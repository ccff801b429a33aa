//! Bytes of both directions through a [`Connection`], in three ways that have to agree.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use metaprotocol_core::{
    Codec, Connection, DecodeError, Decoder, Detection, Direction, Edits, EncodeError, Fed, Frame, Head, Info, Key,
    Limits, Reply, Segments, Split, Value, Visit,
};

use crate::layout::{STREAM_CUTS, STREAM_TURNS};
use crate::script::{Cuts, Script};
use crate::{is_in, limits};

const DIRECTIONS: [Direction; 2] = [Direction::ClientToServer, Direction::ServerToClient];

/// Bytes that a connection may hold for each byte that was fed, its list of frames and ours included.
const MEMORY_PER_BYTE: u64 = 128;
/// And besides: a decompressor with what it made of one message head, buffers of the smallest size.
const MEMORY: u64 = 1 << 20;

/// A codec that counts the calls of `split` and checks that the decoder keeps its part of the contract.
struct Counting<C> {
    codec: C,
    calls: AtomicUsize,
}

/// The codec's own state, and how many bytes a direction must at least have when it is asked again.
struct CountingState<S> {
    inner: S,
    due: [usize; 2],
}

impl<C: Codec> Codec for Counting<C> {
    type State = CountingState<C::State>;

    fn info(&self) -> &Info {
        self.codec.info()
    }

    fn state(&self) -> Self::State {
        CountingState { inner: self.codec.state(), due: [1; 2] }
    }

    fn split(
        &self,
        state: &mut Self::State,
        direction: Direction,
        limits: &Limits,
        buf: &[u8],
    ) -> Result<Split, DecodeError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let due = &mut state.due[direction as usize];
        assert!(buf.len() >= *due, "asked with {} bytes, {due} were needed", buf.len());
        let split = self.codec.split(&mut state.inner, direction, limits, buf);
        *due = match split {
            Ok(Split::Need(more)) => {
                assert!(more > 0, "needs no more, yet has no head");
                buf.len() + more
            }
            _ => 1,
        };
        split
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

/// A frame at its place in the stream.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    offset: u64,
    head: Head,
}

/// One direction as its user sees it.
#[derive(Default)]
struct Half {
    /// Everything received.
    stream: Vec<u8>,
    frames: Vec<Seen>,
    /// Where the next frame has to begin.
    end: u64,
    failure: Option<DecodeError>,
    /// First byte in the stream that `advance` has not consumed.
    consumed: usize,
}

/// A connection, used in one of the two ways, and what came of it.
struct Run<C: Codec> {
    connection: Decoder<Counting<C>>,
    codec: Arc<Counting<C>>,
    halves: [Half; 2],
    fed: Fed,
    /// The caller owns the buffer.
    advance: bool,
    /// How often `split` may have been asked by now, and how often for what takes one call.
    allowed: usize,
    calls: usize,
}

impl<C: Codec + Clone> Run<C> {
    fn new(codec: &C, limits: Limits, advance: bool, calls: usize) -> Self {
        let codec = Arc::new(Counting { codec: codec.clone(), calls: AtomicUsize::new(0) });
        let connection = Decoder::new(Arc::clone(&codec), limits);
        Self { connection, codec, halves: Default::default(), fed: Fed::default(), advance, allowed: 0, calls }
    }

    fn failed(&self, direction: Direction) -> bool {
        self.halves[direction as usize].failure.is_some()
    }

    /// Takes the next bytes of a direction that has not failed.
    fn take(&mut self, direction: Direction, data: &[u8]) {
        let half = &mut self.halves[direction as usize];
        let before = half.frames.len();
        let start = half.stream.len() as u64;
        half.stream.extend_from_slice(data);
        let result = if self.advance {
            let mut placed = Vec::new();
            let buf = &half.stream[half.consumed..];
            let base = half.consumed;
            let result = self.connection.advance(direction, buf, &mut placed);
            for frame in placed {
                note(half, (base + frame.at) as u64, frame.head);
            }
            half.consumed = half.end as usize;
            if let Ok(taken) = result {
                assert_eq!(base + taken, half.consumed, "consumed is not what the frames take");
            }
            result.map(|_| ())
        } else {
            let result = self.connection.feed(direction, data, &mut self.fed);
            assert_eq!(self.fed.chunk_offset, start);
            if let Some(carried) = self.fed.carried.take() {
                assert!(carried.offset < start, "a carried frame begins before its chunk");
                let at = carried.offset as usize;
                assert_eq!(half.stream.get(at..at + carried.bytes.len()), Some(carried.bytes.as_slice()));
                assert_eq!(carried.bytes.len(), carried.head.frame_len);
                note(half, carried.offset, carried.head);
            }
            for frame in &self.fed.frames {
                note(half, start + frame.at as u64, frame.head);
            }
            result
        };
        half.failure = result.err().map(|failure| failure.error);
        // One call a frame, one for the rest, and as many as it takes to double 256 bytes up to the chunk.
        let steps = (data.len() / 256).next_power_of_two().trailing_zeros() as usize;
        self.allowed += self.calls * (half.frames.len() - before + 3 + steps);
        let calls = self.codec.calls.load(Ordering::Relaxed);
        assert!(calls <= self.allowed, "{calls} calls of split, {} would do", self.allowed);
        self.inspect(direction);
    }

    /// What holds after every chunk.
    fn inspect(&mut self, direction: Direction) {
        let limits = *self.connection.limits();
        let half = &self.halves[direction as usize];
        let connection = &self.connection;
        assert_eq!(connection.offset(direction), half.end, "consumed is not what the frames take");
        for Seen { head, .. } in &half.frames {
            assert!(head.frame_len as u64 <= limits.max_frame_len && head.header_len <= limits.max_header_len);
            assert!(head.header_len as usize <= head.frame_len && head.frame_len > 0);
        }
        let rest = half.stream.len() - half.end as usize;
        match &half.failure {
            None => {
                assert!(connection.failure(direction).is_none());
                assert_eq!(connection.received(direction), rest, "consumed and rest are not the input");
                assert_eq!(connection.missing(direction) == 0, rest == 0);
                if let Some((head, received)) = connection.unfinished(direction) {
                    assert_eq!(received, rest);
                    assert_eq!(connection.missing(direction), head.frame_len - received);
                }
            }
            Some(error) => {
                let failure = connection.failure(direction).expect("a failure is remembered");
                assert_eq!((failure.error, failure.direction), (*error, direction));
                assert!(error.offset >= half.end, "{error} is in a frame that was given out");
                assert!(is_in(error, half.stream.len()), "{error} is beyond the stream");
                let excerpt = half.stream.get(failure.excerpt_offset as usize..).expect("an excerpt of the stream");
                assert!(excerpt.starts_with(&failure.excerpt) && failure.excerpt.len() <= 64);
                assert!(connection.unfinished(direction).is_none());
                self.stays_failed(direction);
            }
        }
    }

    fn stays_failed(&mut self, direction: Direction) {
        let first = self.connection.failure(direction).cloned();
        for data in [&b"\0\0\0\0"[..], b""] {
            let again = self.connection.feed(direction, data, &mut self.fed).err();
            assert_eq!(again.as_deref(), first.as_ref());
            assert!(self.fed.frames.is_empty() && self.fed.carried.is_none(), "frames behind an error");
        }
        let mut placed = Vec::new();
        let again = self.connection.advance(direction, b"\0\0\0\0", &mut placed).err();
        assert_eq!(again.as_deref(), first.as_ref());
        assert!(placed.is_empty(), "frames behind an error");
    }

    /// Brings zeros until an error that others have seen is seen here too: it may come later, but it must come.
    fn expect(&mut self, direction: Direction, error: DecodeError) {
        let frames = self.halves[direction as usize].frames.len();
        for _ in 0..64 {
            if self.failed(direction) {
                break;
            }
            let missing = self.connection.missing(direction).max(1);
            assert!(missing <= 1 << 20, "{error}: not seen, {missing} more bytes are awaited");
            self.take(direction, &vec![0; missing]);
        }
        let half = &self.halves[direction as usize];
        let seen = half.failure.map(|error| (error.reason.code(), error.offset));
        assert_eq!(seen, Some((error.reason.code(), error.offset)), "the error depends on the cuts");
        assert_eq!(half.frames.len(), frames, "frames behind an error");
    }
}

fn note(half: &mut Half, offset: u64, head: Head) {
    assert_eq!(offset, half.end, "frames do not tile the stream");
    half.end += head.frame_len as u64;
    assert!(half.end <= half.stream.len() as u64, "a frame of bytes that are not there");
    half.frames.push(Seen { offset, head });
}

/// Two runs over the same bytes have to agree. False if the direction failed.
fn agree<C: Codec + Clone>(one: &mut Run<C>, other: &mut Run<C>, direction: Direction) -> bool {
    let (a, b) = (&one.halves[direction as usize], &other.halves[direction as usize]);
    // TLS is found where the codec sees an error, which may come later.
    let opaque = |half: &Half| half.frames.first().is_some_and(|seen| seen.head.is_opaque());
    let waits = |half: &Half, run: &Run<C>| half.frames.is_empty() && run.connection.missing(direction) > 0;
    if opaque(a) && waits(b, other) || opaque(b) && waits(a, one) {
        return false;
    }
    assert_eq!(a.frames, b.frames);
    match (a.failure, b.failure) {
        (None, None) => {
            assert_eq!(one.connection.unfinished(direction), other.connection.unfinished(direction));
            return true;
        }
        (Some(a), Some(b)) => {
            assert_eq!((a.reason.code(), a.offset), (b.reason.code(), b.offset), "{a} / {b}");
        }
        (Some(error), None) => other.expect(direction, error),
        (None, Some(error)) => one.expect(direction, error),
    }
    false
}

/// Runs an input.
pub fn check<C: Codec + Clone>(codec: C, input: &[u8]) {
    check_within(codec, input, 1);
}

/// As [`check`], for a codec whose `split` may be asked so many times where others take one call.
pub fn check_within<C: Codec + Clone>(codec: C, input: &[u8], calls: usize) {
    let mut script = Script::new(input);
    let flags = script.byte();
    let lengths: [u8; STREAM_CUTS] = script.bytes();
    let turns: [usize; STREAM_TURNS] = std::array::from_fn(|_| usize::from(u16::from_be_bytes(script.bytes())));
    let limits = limits(flags >> 1);
    let fed = script.rest().len() as u64;
    let info = allocation_counter::measure(|| {
        let mut whole = Run::new(&codec, limits, false, calls);
        let mut cut = Run::new(&codec, limits, false, calls);
        let mut advanced = Run::new(&codec, limits, true, calls);
        let mut cuts = Cuts::new(&lengths);
        let mut rest = script.rest();
        for turn in 0..=STREAM_TURNS {
            let len = turns.get(turn).copied().unwrap_or(rest.len()).min(rest.len());
            let (data, left) = rest.split_at(len);
            rest = left;
            let direction = DIRECTIONS[(usize::from(flags) + turn) % 2];
            if data.is_empty() {
                continue;
            }
            whole.take(direction, data);
            let mut pieces = data;
            while !pieces.is_empty() {
                let piece = cuts.next(&mut pieces);
                if !cut.failed(direction) {
                    cut.take(direction, piece);
                } else {
                    // The frames are compared below; the bytes behind an error are not looked at.
                    break;
                }
            }
            let mut pieces = data;
            let mut cuts = Cuts::new(&lengths);
            while !pieces.is_empty() && !advanced.failed(direction) {
                advanced.take(direction, cuts.next(&mut pieces));
            }
            let settled = agree(&mut whole, &mut cut, direction) & agree(&mut whole, &mut advanced, direction);
            if !settled {
                // What the other direction does from here on may depend on when the error was seen.
                return;
            }
        }
    });
    let bound = MEMORY + MEMORY_PER_BYTE * fed;
    assert!(info.bytes_max <= bound, "{} bytes held for {fed} fed", info.bytes_max);
}
