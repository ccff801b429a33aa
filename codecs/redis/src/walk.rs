//! Where a value ends: a walk over values of both protocol versions that keeps its place between calls.

use metaprotocol_core::{DecodeError, Limits, Reason};

use crate::wire::{
    ARRAY, ATTRIBUTE, BIG_NUMBER, BOOLEAN, BULK, BULK_ERROR, CHUNK, CRLF, DOUBLE, END, ERROR, INTEGER, Length, MAP,
    MIN_VALUE_LEN, NULL, PUSH, SET, SIMPLE, STREAMED_LEN, Stop, VERBATIM, big_number, boolean, bulk_end, closed,
    double, integer, length, line_end, over, text_line,
};

/// How the elements of an open aggregate end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    /// After so many.
    Counted,
    /// With a `.`.
    Marked,
    /// With a `.`, behind a value and not behind a key.
    MarkedPairs,
    /// With an empty piece: a string told piece by piece.
    EmptyChunk,
}

/// An open aggregate.
#[derive(Clone, Copy, Debug)]
struct Level {
    /// Elements to come; of those that are not counted, as many fewer than 2^64 as there were.
    left: u64,
    ends: Ends,
}

/// One value and where the walk of it is.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// Where the next value begins, or the line that was searched in vain; 0 before the walk.
    at: usize,
    /// How far that line was searched.
    seen: usize,
    /// What is open, outermost first. The first holds the value itself.
    levels: Vec<Level>,
}

/// What a step found.
enum Step {
    /// A value that ends here.
    Value(usize),
    /// A bulk string of this length that ends here.
    Bulk(usize, usize),
    /// An aggregate that opens here.
    Open(usize, Level),
    /// Attributes that open here: they come before a value, and are none.
    Attributes(usize, Level),
    /// The end of a streamed aggregate.
    Close(usize),
}

impl Walk {
    /// True if a value is under way.
    #[inline(always)]
    pub(crate) const fn is_under_way(&self) -> bool {
        self.at > 0 || self.seen > 0
    }

    /// The place behind the value at the front of `buf`. It may lie behind the end of `buf` if a long bulk string ends the
    /// value.
    #[inline(never)]
    pub(crate) fn run(&mut self, buf: &[u8], limits: &Limits) -> Result<usize, Stop> {
        if self.levels.is_empty() {
            self.levels.push(Level { left: 1, ends: Ends::Counted });
        }
        let result = self.go_on(buf, limits);
        if !matches!(result, Err(Stop::Need(_))) {
            self.levels.clear();
            (self.at, self.seen) = (0, 0);
        }
        result
    }

    fn go_on(&mut self, buf: &[u8], limits: &Limits) -> Result<usize, Stop> {
        loop {
            let Some(top) = self.levels.last_mut() else { return Ok(self.at) };
            if top.ends == Ends::Counted && self.seen == 0 {
                // The last of them closes the level, below.
                while top.left > 1
                    && let Some(end) = short(buf, self.at)
                {
                    top.left -= 1;
                    self.at = end;
                }
            }
            let (at, seen) = (self.at, std::mem::take(&mut self.seen));
            let step = match step(buf, at, seen, top, limits) {
                Ok(step) => step,
                Err((stop, seen)) => {
                    self.seen = seen;
                    return Err(stop);
                }
            };
            match step {
                Step::Value(end) => {
                    top.left -= 1;
                    self.at = end;
                }
                Step::Bulk(end, len) => {
                    if !matches!(buf.get(end - CRLF.len()..end), Some(CRLF)) {
                        if len >= STREAMED_LEN && self.is_last() {
                            return Ok(end);
                        }
                        closed(buf, end)?;
                    }
                    if let Some(top) = self.levels.last_mut() {
                        top.left -= 1;
                    }
                    self.at = end;
                }
                Step::Open(next, level) => {
                    top.left -= 1;
                    self.open(level, at, limits)?;
                    self.at = next;
                }
                Step::Attributes(next, level) => {
                    self.open(level, at, limits)?;
                    self.at = next;
                }
                Step::Close(end) => {
                    self.levels.pop();
                    self.at = end;
                }
            }
            while self.levels.last().is_some_and(|top| top.left == 0) {
                self.levels.pop();
            }
        }
    }

    /// True if nothing comes behind the next value.
    fn is_last(&self) -> bool {
        let (top, outer) = match self.levels.split_last() {
            Some((top, outer)) => (top, outer),
            None => return true,
        };
        top.left == 1 && outer.iter().all(|level| level.left == 0)
    }

    fn open(&mut self, level: Level, at: usize, limits: &Limits) -> Result<(), Stop> {
        // The first level is the value itself.
        if self.levels.len() as u64 > u64::from(limits.max_nesting) && level.ends != Ends::EmptyChunk {
            let (value, max) = (self.levels.len() as u64, limits.max_nesting.into());
            return Err(Reason::LimitExceeded { limit: "max_nesting", value, max }.at(at).into());
        }
        self.levels.push(level);
        Ok(())
    }
}

/// The place behind the short string or the number at `at`, if it is all there: what most elements are.
#[inline(always)]
fn short(buf: &[u8], at: usize) -> Option<usize> {
    match *buf.get(at)? {
        BULK => match length(buf, at + 1, "bulk string length") {
            Ok((Length::Known(len), from)) if len < STREAMED_LEN => {
                let end = from + len + CRLF.len();
                (buf.get(end - CRLF.len()..end)? == CRLF).then_some(end)
            }
            _ => None,
        },
        INTEGER => integer(buf, at + 1).ok(),
        _ => None,
    }
}

/// The value at `at`. An error comes with how far a line without length was searched.
#[inline(always)]
fn step(buf: &[u8], at: usize, seen: usize, top: &Level, limits: &Limits) -> Result<Step, (Stop, usize)> {
    let Some(&kind) = buf.get(at) else { return Err((Stop::Need(MIN_VALUE_LEN), 0)) };
    let next = at + 1;
    if top.ends == Ends::EmptyChunk {
        return chunk(buf, at, kind, limits).map_err(|stop| (stop, 0));
    }
    match kind {
        BULK => bulk(buf, at, "bulk string length", limits),
        INTEGER => integer(buf, next).map(Step::Value),
        SIMPLE | ERROR => {
            let field = if kind == SIMPLE { "simple string" } else { "error" };
            return text_line(buf, next, seen, field).map(Step::Value);
        }
        ARRAY => aggregate(buf, at, "array length", 1, limits),
        BULK_ERROR => bulk(buf, at, "bulk error length", limits),
        VERBATIM => bulk(buf, at, "verbatim string length", limits),
        MAP => aggregate(buf, at, "map length", 2, limits),
        SET => aggregate(buf, at, "set length", 1, limits),
        PUSH => aggregate(buf, at, "push length", 1, limits),
        ATTRIBUTE => aggregate(buf, at, "attribute length", 2, limits),
        NULL => line_end(buf, next, "null").map(Step::Value),
        DOUBLE => double(buf, next).map(Step::Value),
        BOOLEAN => boolean(buf, next).map(Step::Value),
        BIG_NUMBER => return big_number(buf, next, seen).map(Step::Value),
        END if top.ends == Ends::Marked || top.ends == Ends::MarkedPairs && top.left % 2 == 1 => {
            line_end(buf, next, "end of aggregate").map(Step::Close)
        }
        _ => Err(unknown(kind, at).into()),
    }
    .map_err(|stop| (stop, 0))
}

/// The error for a byte that begins no value.
#[cold]
pub(crate) fn unknown(kind: u8, at: usize) -> DecodeError {
    Reason::BadMagic { expected: SIMPLE.into(), found: kind.into() }.at(at)
}

#[inline(always)]
fn bulk(buf: &[u8], at: usize, field: &'static str, limits: &Limits) -> Result<Step, Stop> {
    let (len, from) = length(buf, at + 1, field)?;
    let is_string = buf.get(at) == Some(&BULK);
    match len {
        Length::Known(len) => {
            let end = bulk_end(limits, from, len)?;
            if buf.get(at) == Some(&VERBATIM) {
                format(buf, from, len, end)?;
            }
            Ok(Step::Bulk(end, len))
        }
        Length::Null if is_string => Ok(Step::Value(from)),
        Length::Streamed if is_string => Ok(Step::Open(from, Level { left: u64::MAX, ends: Ends::EmptyChunk })),
        _ => Err(Reason::BadEncoding { field }.at(at + 1).into()),
    }
}

/// Checks the three letters and the colon that a verbatim string begins with.
#[cold]
fn format(buf: &[u8], at: usize, len: usize, end: usize) -> Result<(), Stop> {
    const FORMAT_LEN: usize = 4;
    const FIELD: &str = "format of verbatim string";
    if len < FORMAT_LEN {
        return Err(Reason::BadEncoding { field: FIELD }.at(at).into());
    }
    match buf.get(at + FORMAT_LEN - 1) {
        Some(b':') => Ok(()),
        Some(_) => Err(Reason::BadEncoding { field: FIELD }.at(at + FORMAT_LEN - 1).into()),
        // A short one is awaited whole, and so is this.
        None => Err(Stop::Need(if len < STREAMED_LEN { end } else { at + FORMAT_LEN } - buf.len())),
    }
}

#[inline(always)]
fn aggregate(buf: &[u8], at: usize, field: &'static str, each: u64, limits: &Limits) -> Result<Step, Stop> {
    let (len, next) = length(buf, at + 1, field)?;
    let kind = buf.get(at).copied().unwrap_or_default();
    let level = match len {
        Length::Known(0) if kind == ATTRIBUTE => {
            return Ok(Step::Attributes(next, Level { left: 0, ends: Ends::Counted }));
        }
        Length::Known(0) => return Ok(Step::Value(next)),
        Length::Known(count) => {
            let left = (count as u64).saturating_mul(each);
            // Each element takes a few bytes: what cannot fit is not begun.
            let least = left.saturating_mul(MIN_VALUE_LEN as u64).saturating_add(next as u64);
            if least > limits.max_frame_len {
                return Err(over(limits, least, at + 1));
            }
            Level { left, ends: Ends::Counted }
        }
        Length::Null if kind == ARRAY => return Ok(Step::Value(next)),
        Length::Streamed if matches!(kind, ARRAY | SET) => Level { left: u64::MAX, ends: Ends::Marked },
        Length::Streamed if kind == MAP => Level { left: u64::MAX, ends: Ends::MarkedPairs },
        Length::Null | Length::Streamed => return Err(Reason::BadEncoding { field }.at(at + 1).into()),
    };
    Ok(if kind == ATTRIBUTE { Step::Attributes(next, level) } else { Step::Open(next, level) })
}

/// A piece of a streamed string.
fn chunk(buf: &[u8], at: usize, kind: u8, limits: &Limits) -> Result<Step, Stop> {
    const FIELD: &str = "length of streamed piece";
    if kind != CHUNK {
        return Err(Reason::BadMagic { expected: CHUNK.into(), found: kind.into() }.at(at).into());
    }
    let (len, from) = length(buf, at + 1, FIELD)?;
    match len {
        Length::Known(0) => Ok(Step::Close(from)),
        Length::Known(len) => {
            let end = bulk_end(limits, from, len)?;
            closed(buf, end)?;
            Ok(Step::Value(end))
        }
        Length::Null | Length::Streamed => Err(Reason::BadEncoding { field: FIELD }.at(at + 1).into()),
    }
}

impl Walk {
    /// The place behind the value at `at` of bytes that are all there.
    pub(crate) fn skip(&mut self, buf: &[u8], at: usize, limits: &Limits) -> Result<usize, DecodeError> {
        let complete = |stop: Stop| stop.complete(buf.len());
        let end = match buf.get(at) {
            // A walk needs memory.
            Some(&INTEGER) => integer(buf, at + 1).map_err(complete)?,
            Some(&(SIMPLE | ERROR)) => text_line(buf, at + 1, 0, "text").map_err(|(stop, _)| complete(stop))?,
            Some(&BULK) => match length(buf, at + 1, "bulk string length").map_err(complete)? {
                (Length::Known(len), from) => {
                    let end = bulk_end(limits, from, len).map_err(complete)?;
                    closed(buf, end).map_err(complete)?;
                    end
                }
                (Length::Null, end) => end,
                (Length::Streamed, _) => self.walk_from(buf, at, limits)?,
            },
            _ => self.walk_from(buf, at, limits)?,
        };
        if end > buf.len() { Err(Reason::UnexpectedEnd { field: "bulk string" }.at(at)) } else { Ok(end) }
    }

    fn walk_from(&mut self, buf: &[u8], at: usize, limits: &Limits) -> Result<usize, DecodeError> {
        self.at = at;
        let walked = self.run(buf, limits);
        if walked.is_err() {
            *self = Self::default();
        }
        walked.map_err(|stop| stop.complete(buf.len()))
    }

    /// Where the value begins that stands at `at`: behind the attributes that may come before it.
    pub(crate) fn value_at(&mut self, buf: &[u8], mut at: usize, limits: &Limits) -> Result<usize, DecodeError> {
        while buf.get(at) == Some(&ATTRIBUTE) {
            let (count, next) = length(buf, at + 1, "attribute length").map_err(|stop| stop.complete(buf.len()))?;
            let Length::Known(count) = count else {
                return Err(Reason::BadEncoding { field: "attribute length" }.at(at + 1));
            };
            at = next;
            for _ in 0..count.saturating_mul(2) {
                at = self.skip(buf, at, limits)?;
            }
        }
        Ok(at)
    }
}

/// The place behind the value at `at` of bytes that are all there.
pub(crate) fn skip(buf: &[u8], at: usize, limits: &Limits) -> Result<usize, DecodeError> {
    Walk::default().skip(buf, at, limits)
}

/// Where the value begins that stands at `at`: behind the attributes that may come before it.
pub(crate) fn value_at(buf: &[u8], at: usize, limits: &Limits) -> Result<usize, DecodeError> {
    Walk::default().value_at(buf, at, limits)
}

/// Where the element `index` of the aggregate at `at` begins; of a map, keys and values count alike. `None` if there is
/// none.
pub(crate) fn element(buf: &[u8], at: usize, index: usize, limits: &Limits) -> Result<Option<usize>, DecodeError> {
    let each = match buf.get(at) {
        Some(&(ARRAY | SET | PUSH)) => 1,
        Some(&MAP) => 2,
        _ => return Ok(None),
    };
    let (count, mut here) = length(buf, at + 1, "length").map_err(|stop| stop.complete(buf.len()))?;
    let count = match count {
        Length::Known(count) => count.saturating_mul(each),
        Length::Streamed => usize::MAX,
        Length::Null => 0,
    };
    if index >= count {
        return Ok(None);
    }
    let mut walk = Walk::default();
    for _ in 0..index {
        if buf.get(here) == Some(&END) {
            return Ok(None);
        }
        here = walk.skip(buf, here, limits)?;
    }
    if buf.get(here) == Some(&END) { Ok(None) } else { walk.value_at(buf, here, limits).map(Some) }
}
