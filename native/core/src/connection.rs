//! The decoder of one TCP connection: two directions, each a stream of bytes cut anywhere.
//!
//! Invariants:
//! * `split` is asked once for each frame whose head it can tell; the answer is kept until the body is in.
//! * Bytes of a frame that lies within one chunk are never copied. A frame that straddles chunks is copied once, into a
//!   buffer of its own that grows with the bytes that came, not with the length that was claimed.
//! * A partial frame costs O(new bytes).
//! * A stream that begins as TLS where the codec finds none of its frames is TLS from there on: opaque control frames.
//! * After an error a direction is poisoned and gives the same error for ever; frames before it have been given out.

use std::sync::Arc;

use crate::{Codec, DecodeError, Direction, Frame, Head, Info, Limits, Reason, Split, tls};

/// Bytes kept before and after the place of an error, for its hexdump.
const EXCERPT_BEFORE: usize = 16;
const EXCERPT_AFTER: usize = 48;
/// How many times the bytes at hand a buffer may make room for, on the word of a length field.
const ROOM_FOR_MORE: usize = 4;
/// While the length of a straddling frame is unknown, bring at least this much of the next chunk to it at a time.
const MIN_STEP: usize = 256;

/// A frame at its place in the chunk that was fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// What the frame is.
    pub head: Head,
    /// Offset of its first byte in the chunk.
    pub at: usize,
}

/// A frame that began in an earlier chunk, put together in a buffer of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// What the frame is.
    pub head: Head,
    /// Exactly its bytes.
    pub bytes: Vec<u8>,
    /// Offset of its first byte in the stream.
    pub offset: u64,
}

/// The beginning of a frame whose rest the caller takes care of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detached {
    /// What the frame is.
    pub head: Head,
    /// Its bytes so far; `head.frame_len` minus these are still to come.
    pub bytes: Vec<u8>,
    /// Offset of its first byte in the stream.
    pub offset: u64,
}

/// What one call of [`Connection::feed`] completed. Reused from call to call, so that a chunk costs no allocation.
#[derive(Clone, Debug, Default)]
pub struct Fed {
    /// The frame that earlier chunks began, if it is complete now. It comes before all others.
    pub carried: Option<Carried>,
    /// The frames that lie wholly within the chunk.
    pub frames: Vec<Placed>,
    /// Offset of the chunk's first byte in the stream.
    pub chunk_offset: u64,
}

/// A poisoned direction: the error and the bytes around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What is wrong; the offset counts from the start of the stream.
    pub error: DecodeError,
    /// Which direction.
    pub direction: Direction,
    /// Up to 64 bytes around the place.
    pub excerpt: Vec<u8>,
    /// Offset of the excerpt's first byte in the stream.
    pub excerpt_offset: u64,
}

/// The decoder of one connection, whatever its protocol.
pub trait Connection: Send {
    /// The codec's own description.
    fn info(&self) -> &Info;

    /// The limits this connection was opened with.
    fn limits(&self) -> &Limits;

    /// Takes the next bytes of a direction, cut anywhere, and gives the frames that they complete. The rest is kept.
    ///
    /// # Errors
    /// [`Failure`] at the first bytes that are not the protocol, and on every later call. `fed` holds the frames before
    /// the error; it is empty on later calls.
    fn feed(&mut self, direction: Direction, data: &[u8], fed: &mut Fed) -> Result<(), Box<Failure>>;

    /// For callers that own the receive buffer: gives the frames at the front of `buf`, which holds everything received
    /// and not yet consumed, and returns how many bytes they take. The caller keeps the rest in front of the next bytes.
    /// Not to be mixed with `feed` in one direction.
    ///
    /// # Errors
    /// As [`Connection::feed`]; `frames` holds the frames before the error.
    fn advance(&mut self, direction: Direction, buf: &[u8], frames: &mut Vec<Placed>) -> Result<usize, Box<Failure>>;

    /// The head of the frame whose body is still on its way, and how many of its bytes are in.
    fn unfinished(&self, direction: Direction) -> Option<(Head, usize)>;

    /// Gives up a frame under way whose head is known, to a caller that passes long bodies on as they come. The frame's
    /// other bytes must not be fed: the next byte that is, is the one behind them. `None` between frames, and where `advance`
    /// is used.
    fn detach(&mut self, direction: Direction) -> Option<Detached>;

    /// How many more bytes the frame under way needs at least; 0 between frames.
    fn missing(&self, direction: Direction) -> usize;

    /// How many bytes of the frame under way are in.
    fn received(&self, direction: Direction) -> usize;

    /// Offset in the stream of the first byte that belongs to no completed frame.
    fn offset(&self, direction: Direction) -> u64;

    /// [`Codec::note`]: takes note of a request that another decoder has read, as if it had been fed. The direction must be
    /// between two frames.
    fn note(&mut self, request: Frame<'_>);

    /// [`Codec::ties`] for the state of this connection.
    fn tied(&self) -> bool;

    /// Why the direction is poisoned, if it is.
    fn failure(&self, direction: Direction) -> Option<&Failure>;
}

/// One direction.
#[derive(Debug, Default)]
struct Half {
    /// Stream offset of the frame under way.
    start: u64,
    /// Its bytes so far, when `feed` is used.
    carry: Vec<u8>,
    /// How many of its bytes were seen, however they are kept.
    seen: usize,
    /// Its head, once known.
    head: Option<Head>,
    /// How many more bytes it takes to get further.
    need: usize,
    /// True once the stream has shown itself to be TLS.
    encrypted: bool,
    failure: Option<Box<Failure>>,
}

impl Half {
    /// Keeps bytes of the frame under way, with room for the `more` that it lacks behind them: for all of it at once, so
    /// that it is neither copied nor cut to size later, but never for more than a few times what has really come. A frame
    /// of unknown length gets room for as much as has come, so that bytes that come one by one are not moved each time.
    fn keep(&mut self, bytes: &[u8], more: usize) {
        if bytes.len() > self.carry.capacity() - self.carry.len() {
            let come = self.carry.len() + bytes.len();
            let more = if self.head.is_none() { more.max(self.carry.len()) } else { more };
            self.carry.reserve_exact(bytes.len() + more.min(ROOM_FOR_MORE * come));
        }
        self.carry.extend_from_slice(bytes);
    }

    /// The TLS records of `buf` from `at` on, which it moves behind them.
    #[cold]
    fn records(
        &mut self,
        limits: &Limits,
        buf: &[u8],
        at: &mut usize,
        base: usize,
        frames: &mut Vec<Placed>,
    ) -> Result<(), DecodeError> {
        loop {
            let rest = buf.get(*at..).unwrap_or_default();
            self.need = 0;
            if rest.is_empty() {
                return Ok(());
            }
            match limits.check(tls::record(rest, !self.encrypted).ok_or(NO_RECORD)?, rest.len())? {
                Split::Head(head) => {
                    self.encrypted = true;
                    if head.frame_len > rest.len() {
                        self.need = head.frame_len - rest.len();
                        self.head = Some(head);
                        return Ok(());
                    }
                    frames.push(Placed { head, at: base + *at });
                    *at += head.frame_len;
                }
                Split::Need(more) => {
                    self.need = more;
                    return Ok(());
                }
            }
        }
    }

    /// Records an error found in `buf`, which starts at the frame under way plus `base` bytes.
    #[cold]
    fn poison(&mut self, direction: Direction, error: DecodeError, buf: &[u8]) -> Box<Failure> {
        let place = usize::try_from(error.offset).unwrap_or(usize::MAX).min(buf.len());
        let from = place.saturating_sub(EXCERPT_BEFORE);
        let to = place.saturating_add(EXCERPT_AFTER).min(buf.len());
        let failure = Box::new(Failure {
            error: error.rebased(self.start),
            direction,
            excerpt: buf.get(from..to).unwrap_or_default().to_vec(),
            excerpt_offset: self.start + from as u64,
        });
        self.carry = Vec::new();
        self.head = None;
        self.failure = Some(failure.clone());
        failure
    }
}

/// What follows a record of TLS and is none.
const NO_RECORD: DecodeError = Reason::BadEncoding { field: "TLS record" }.at(0);

/// The [`Connection`] of one [`Codec`], its loop compiled for that codec.
pub struct Decoder<C: Codec> {
    codec: Arc<C>,
    state: C::State,
    limits: Limits,
    halves: [Half; 2],
}

impl<C: Codec> Decoder<C> {
    /// A connection that has seen no byte yet.
    pub fn new(codec: Arc<C>, limits: Limits) -> Self {
        let state = codec.state();
        Self { codec, state, limits, halves: Default::default() }
    }

    /// The frames at the front of `buf`, which starts at a frame's first byte. Returns the bytes they take.
    fn drain(
        &mut self,
        direction: Direction,
        buf: &[u8],
        base: usize,
        frames: &mut Vec<Placed>,
    ) -> Result<usize, Box<Failure>> {
        let Self { codec, state, limits, halves } = self;
        let half = &mut halves[direction as usize];
        let mut at = 0;
        if let Some(head) = half.head.take() {
            if head.frame_len > buf.len() {
                half.need = head.frame_len - buf.len();
                half.seen = buf.len();
                half.head = Some(head);
                return Ok(0);
            }
            frames.push(Placed { head, at: base });
            at = head.frame_len;
        }
        let begun = half.start > 0;
        let result = loop {
            let rest = buf.get(at..).unwrap_or_default();
            if rest.is_empty() {
                half.need = 0;
                break Ok(());
            }
            if half.encrypted {
                break half.records(limits, buf, &mut at, base, frames);
            }
            let error = match codec.split(state, direction, limits, rest) {
                Ok(Split::Head(head)) => match limits.check_head(&head) {
                    Ok(()) if head.frame_len <= rest.len() => {
                        frames.push(Placed { head, at: base + at });
                        at += head.frame_len;
                        continue;
                    }
                    Ok(()) => {
                        half.need = head.frame_len - rest.len();
                        half.head = Some(head);
                        break Ok(());
                    }
                    Err(error) => error,
                },
                Ok(Split::Need(more)) => {
                    half.need = more.max(1);
                    match limits.check_need(more, rest.len()) {
                        Ok(()) => break Ok(()),
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            if begun || at > 0 || tls::record(rest, true).is_none() {
                break Err(error);
            }
            break half.records(limits, buf, &mut at, base, frames);
        };
        half.start += at as u64;
        half.seen = buf.len() - at;
        match result {
            Ok(()) => Ok(at),
            Err(error) => Err(half.poison(direction, error, buf.get(at..).unwrap_or_default())),
        }
    }

    /// Brings bytes of `data` to the frame under way until it is complete. Returns the bytes used, or `None` if all
    /// were used and the frame is still not complete.
    fn complete(&mut self, direction: Direction, data: &[u8], fed: &mut Fed) -> Result<Option<usize>, Box<Failure>> {
        let half = &mut self.halves[direction as usize];
        let mut used = 0;
        loop {
            let left = data.get(used..).unwrap_or_default();
            if left.len() < half.need {
                half.keep(left, half.need - left.len());
                half.seen = half.carry.len();
                half.need -= left.len();
                return Ok(None);
            }
            let before = half.carry.len();
            let step = match half.head {
                Some(_) => half.need,
                // The length is unknown: bring more than the least, so that a long header or an unframed body is not
                // walked in steps of a byte; what is too much is given back below.
                None => half.need.max(before).max(MIN_STEP).min(left.len()),
            };
            half.keep(left.get(..step).unwrap_or(left), 0);
            used += step;
            let head = match half.head.take() {
                Some(head) => head,
                None => {
                    let split = if half.encrypted {
                        let record = tls::record(&half.carry, false).ok_or(NO_RECORD);
                        record.and_then(|record| self.limits.check(record, half.carry.len()))
                    } else {
                        self.codec
                            .split(&mut self.state, direction, &self.limits, &half.carry)
                            .and_then(|split| self.limits.check(split, half.carry.len()))
                            .or_else(|error| {
                                let record = if half.start > 0 { None } else { tls::record(&half.carry, true) };
                                record.ok_or(error).and_then(|record| self.limits.check(record, half.carry.len()))
                            })
                    };
                    match split {
                        Ok(Split::Head(head)) => {
                            half.encrypted |= head.is_opaque();
                            head
                        }
                        Ok(Split::Need(more)) => {
                            half.need = more.max(1);
                            half.seen = half.carry.len();
                            continue;
                        }
                        Err(error) => {
                            let carry = std::mem::take(&mut half.carry);
                            return Err(half.poison(direction, error, &carry));
                        }
                    }
                }
            };
            if head.frame_len > half.carry.len() {
                half.need = head.frame_len - half.carry.len();
                half.seen = half.carry.len();
                half.head = Some(head);
                continue;
            }
            if head.frame_len <= before {
                // `split` asked for bytes the frame does not need; those behind it are gone from the chunk.
                let what = "split asked for more bytes, then found a frame that needs none";
                let error = Reason::InvalidCodec { what }.at(0);
                let carry = std::mem::take(&mut half.carry);
                return Err(half.poison(direction, error, &carry));
            }
            used -= half.carry.len() - head.frame_len;
            half.carry.truncate(head.frame_len);
            fed.carried = Some(Carried { head, bytes: std::mem::take(&mut half.carry), offset: half.start });
            half.start += head.frame_len as u64;
            half.seen = 0;
            half.need = 0;
            return Ok(Some(used));
        }
    }
}

impl<C: Codec> Connection for Decoder<C> {
    fn info(&self) -> &Info {
        self.codec.info()
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn feed(&mut self, direction: Direction, data: &[u8], fed: &mut Fed) -> Result<(), Box<Failure>> {
        fed.carried = None;
        fed.frames.clear();
        let half = &self.halves[direction as usize];
        if let Some(failure) = &half.failure {
            return Err(failure.clone());
        }
        fed.chunk_offset = half.start + half.carry.len() as u64;
        let used = if half.carry.is_empty() {
            0
        } else {
            match self.complete(direction, data, fed)? {
                Some(used) => used,
                None => return Ok(()),
            }
        };
        let rest = data.get(used..).unwrap_or_default();
        let taken = self.drain(direction, rest, used, &mut fed.frames)?;
        let half = &mut self.halves[direction as usize];
        half.keep(rest.get(taken..).unwrap_or_default(), half.need);
        Ok(())
    }

    fn advance(&mut self, direction: Direction, buf: &[u8], frames: &mut Vec<Placed>) -> Result<usize, Box<Failure>> {
        let half = &mut self.halves[direction as usize];
        if let Some(failure) = &half.failure {
            return Err(failure.clone());
        }
        let new = buf.len().saturating_sub(half.seen);
        if new < half.need {
            half.need -= new;
            half.seen = buf.len();
            return Ok(0);
        }
        self.drain(direction, buf, 0, frames)
    }

    fn unfinished(&self, direction: Direction) -> Option<(Head, usize)> {
        let half = &self.halves[direction as usize];
        half.head.map(|head| (head, half.seen))
    }

    fn detach(&mut self, direction: Direction) -> Option<Detached> {
        let half = &mut self.halves[direction as usize];
        if half.carry.is_empty() {
            return None;
        }
        let head = half.head.take()?;
        let offset = half.start;
        half.start += head.frame_len as u64;
        half.seen = 0;
        half.need = 0;
        Some(Detached { head, bytes: std::mem::take(&mut half.carry), offset })
    }

    fn missing(&self, direction: Direction) -> usize {
        let half = &self.halves[direction as usize];
        if half.seen == 0 { 0 } else { half.need }
    }

    fn received(&self, direction: Direction) -> usize {
        self.halves[direction as usize].seen
    }

    fn offset(&self, direction: Direction) -> u64 {
        self.halves[direction as usize].start
    }

    fn note(&mut self, request: Frame<'_>) {
        self.halves[Direction::ClientToServer as usize].start += request.head.frame_len as u64;
        self.codec.note(&mut self.state, request, &self.limits);
    }

    fn tied(&self) -> bool {
        self.codec.ties(&self.state)
    }

    fn failure(&self, direction: Direction) -> Option<&Failure> {
        self.halves[direction as usize].failure.as_deref()
    }
}
