//! Commands: an array of bulk strings, or a line of words.
//!
//! ```text
//! *3\r\n $3\r\n SET\r\n $1\r\n k\r\n $5\r\n value\r\n      an array: count, then each argument with its length
//! SET k "a value"\r\n                                      a line: words, or quoted as in a shell
//! ```

use std::borrow::Cow;
use std::ops::Range;

use metaprotocol_core::{DecodeError, Limits, Reason};

use crate::wire::{
    ARRAY, ATTRIBUTE, BIG_NUMBER, BOOLEAN, BULK, BULK_ERROR, CRLF, DOUBLE, ERROR, INTEGER, Length, MAP, NULL, PUSH,
    SET, SIMPLE, STREAMED_LEN, Stop, VERBATIM, bulk_end, closed, length, over, within,
};

/// Bytes of the shortest argument.
const MIN_ARGUMENT_LEN: usize = 6;
/// Bytes of the shortest line with a length.
const MIN_LENGTH_LEN: usize = 4;
/// Longest line that servers take for a command.
pub(crate) const MAX_INLINE_LEN: usize = 64 << 10;
/// Most bytes of a line that its name may take, with the blanks before it.
const MAX_INLINE_NAME_LEN: usize = 256;

/// A command at the front of a buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Command {
    /// Where its name stands.
    pub(crate) name: Range<usize>,
    /// The place behind the name and its CR LF, or behind the name's word.
    pub(crate) name_end: usize,
    /// Its arguments, the name among them.
    pub(crate) count: usize,
    pub(crate) frame_len: usize,
}

/// How far the command at the front of one direction has come.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Where the next argument begins, or to where a line was searched.
    at: usize,
    /// How many arguments are to come.
    left: usize,
}

/// What the front of a client's stream is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Command(Command),
    Inline(Command),
    /// Nothing that is answered, of this length.
    Empty(usize),
}

/// The command in the array at the front of `buf`.
#[inline(always)]
pub(crate) fn array(progress: &mut Progress, buf: &[u8], limits: &Limits) -> Result<Asked, Stop> {
    let (count, first) = match length(buf, 1, "number of arguments")? {
        (Length::Known(0), end) => return Ok(Asked::Empty(end)),
        (Length::Known(count), first) => (count, first),
        (Length::Null | Length::Streamed, _) => return Err(a_reply(1).into()),
    };
    let least = (count as u64).saturating_mul(MIN_ARGUMENT_LEN as u64).saturating_add(first as u64);
    if least > limits.max_frame_len {
        return Err(over(limits, least, 1));
    }
    let (name, name_end) = name(buf, first, limits)?;
    let Progress { mut at, mut left } = *progress;
    if at == 0 {
        (at, left) = (name_end, count - 1);
    }
    while left > 0 {
        match argument(buf, at, left == 1, limits) {
            Ok((_, end)) => {
                left -= 1;
                at = end;
            }
            Err(stop) => {
                *progress = Progress { at, left };
                return Err(stop);
            }
        }
    }
    *progress = Progress::default();
    Ok(Asked::Command(Command { name, name_end, count, frame_len: at }))
}

/// Where the bytes of the argument at `at` begin, and where the next one does.
#[inline(always)]
fn argument(buf: &[u8], at: usize, last: bool, limits: &Limits) -> Result<(usize, usize), Stop> {
    match buf.get(at) {
        Some(&BULK) => {}
        Some(&kind) => return Err(not_an_argument(kind, at).into()),
        None => return Err(Stop::Need(MIN_LENGTH_LEN)),
    }
    match length(buf, at + 1, "argument length")? {
        (Length::Known(len), from) => {
            let end = bulk_end(limits, from, len)?;
            if !(last && len >= STREAMED_LEN) {
                closed(buf, end)?;
            }
            Ok((from, end))
        }
        (Length::Null | Length::Streamed, _) => Err(a_reply(at + 1).into()),
    }
}

/// Where the name of a command stands whose first argument begins at `first`, and where the next does.
#[inline(always)]
fn name(buf: &[u8], first: usize, limits: &Limits) -> Result<(Range<usize>, usize), Stop> {
    match buf.get(first) {
        Some(&BULK) => {}
        Some(&kind) => return Err(not_an_argument(kind, first).into()),
        None => return Err(Stop::Need(MIN_LENGTH_LEN)),
    }
    match length(buf, first + 1, "length of the command's name")? {
        (Length::Known(len), from) => {
            let end = from.saturating_add(len).saturating_add(CRLF.len());
            if end as u64 > u64::from(limits.max_header_len) {
                let (value, max) = (end as u64, limits.max_header_len.into());
                return Err(Reason::LimitExceeded { limit: "max_header_len", value, max }.at(first + 1).into());
            }
            within(limits, end, first + 1)?;
            closed(buf, end)?;
            Ok((from..from + len, end))
        }
        (Length::Null | Length::Streamed, _) => Err(a_reply(first + 1).into()),
    }
}

/// The name of a command in an array, whose CR LF end before `end`; `None` if it is not what the length before it says, as
/// of one with a line feed in it.
pub(crate) fn name_before(buf: &[u8], end: usize) -> Option<&[u8]> {
    let line = buf.get(..end.checked_sub(CRLF.len())?)?;
    let start = line.iter().rposition(|byte| *byte == b'\n')? + 1;
    let name = line.get(start..)?;
    let mut len = 0;
    let mut unit = 1;
    for byte in line.get(..start - CRLF.len())?.iter().rev() {
        match byte {
            b'0'..=b'9' if unit <= 10 => len += unit * usize::from(byte - b'0'),
            &BULK => return (len == name.len()).then_some(name),
            _ => return None,
        }
        unit *= 10;
    }
    None
}

/// The bytes of the argument at a place in an array, if all of them are there.
pub(crate) fn argument_at(buf: &[u8], at: usize) -> Option<&[u8]> {
    match (buf.get(at), length(buf, at + 1, "argument length")) {
        (Some(&BULK), Ok((Length::Known(len), from))) => buf.get(from..from.checked_add(len)?),
        _ => None,
    }
}

/// What stands here, only servers send.
#[cold]
const fn a_reply(at: usize) -> DecodeError {
    Reason::WrongDirection { what: "a reply" }.at(at)
}

#[cold]
const fn not_an_argument(kind: u8, at: usize) -> DecodeError {
    if is_type(kind) || kind == ARRAY {
        return a_reply(at);
    }
    Reason::BadMagic { expected: BULK as u64, found: kind as u64 }.at(at)
}

/// True for the first bytes of replies that no command begins with.
const fn is_type(kind: u8) -> bool {
    matches!(
        kind,
        SIMPLE
            | ERROR
            | INTEGER
            | BULK
            | NULL
            | DOUBLE
            | BOOLEAN
            | BIG_NUMBER
            | BULK_ERROR
            | VERBATIM
            | MAP
            | SET
            | ATTRIBUTE
            | PUSH
    )
}

/// True for bytes that names of commands consist of.
pub(crate) const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'|')
}

/// The line of words at the front of `buf`.
#[inline(never)]
pub(crate) fn inline(progress: &mut Progress, buf: &[u8]) -> Result<Asked, Stop> {
    let from = std::mem::take(&mut progress.at);
    if from <= MAX_INLINE_NAME_LEN {
        front(buf)?;
    }
    for (offset, byte) in buf.get(from..).unwrap_or_default().iter().enumerate() {
        let at = from + offset;
        if at >= MAX_INLINE_LEN {
            let max = MAX_INLINE_LEN as u64;
            return Err(Reason::LimitExceeded { limit: "max_header_len", value: max + 1, max }.at(at).into());
        }
        match byte {
            b'\n' => return line(buf.get(..=at).unwrap_or_default()),
            0x20.. | b'\t' | b'\r' if *byte != 0x7f => {}
            _ => return Err(Reason::BadEncoding { field: "inline command" }.at(at).into()),
        }
    }
    progress.at = buf.len();
    Err(Stop::Need(1))
}

/// Where the name at the front of a line is: blanks, then the bytes that names consist of.
fn front_name(buf: &[u8]) -> Range<usize> {
    let buf = buf.get(..=MAX_INLINE_NAME_LEN).unwrap_or(buf);
    let start = buf.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let len = buf.get(start..).unwrap_or_default().iter().take_while(|byte| is_name_byte(**byte)).count();
    start..start + len
}

/// Refuses what begins as no line of words does: binary protocols, and HTTP's answers and headers.
fn front(buf: &[u8]) -> Result<(), DecodeError> {
    let name = front_name(buf);
    let wrong = match buf.get(name.start) {
        Some(byte) if !byte.is_ascii_alphabetic() && !matches!(byte, b'\r' | b'\n') => name.start,
        _ if name.end > MAX_INLINE_NAME_LEN => name.end - 1,
        _ if buf.get(name.end).is_some_and(|byte| !is_blank(*byte)) => name.end,
        _ => return Ok(()),
    };
    let found = buf.get(wrong).copied().unwrap_or_default();
    if wrong == 0 && is_type(found) {
        return Err(a_reply(0));
    }
    Err(Reason::BadMagic { expected: ARRAY.into(), found: found.into() }.at(wrong))
}

/// A whole line.
fn line(line: &[u8]) -> Result<Asked, Stop> {
    let name = front_name(line);
    if name.is_empty() {
        return Ok(Asked::Empty(line.len()));
    }
    let (mut count, mut last) = (0, 0..0);
    let mut words = Words::new(line, 0);
    while let Some(place) = words.place() {
        last = place?;
        count += 1;
    }
    // Browsers can be made to send HTTP to a server that takes lines: servers hang up on a POST.
    let is_post = line.get(name.clone()).is_some_and(|name| name.eq_ignore_ascii_case(b"POST"));
    if is_post || count == 3 && line.get(last).is_some_and(|last| last.starts_with(b"HTTP/")) {
        let found = line.get(name.start).copied().unwrap_or_default().into();
        return Err(Reason::BadMagic { expected: ARRAY.into(), found }.at(name.start).into());
    }
    let name_end = name.end;
    Ok(Asked::Inline(Command { name, name_end, count, frame_len: line.len() }))
}

/// One argument of a command.
#[derive(Clone, Debug)]
pub(crate) struct Argument<'a> {
    /// Its bytes, without quotes.
    pub(crate) value: Cow<'a, [u8]>,
    /// Where all of it stands: length, bytes and ends, or the word with its quotes.
    pub(crate) place: Range<usize>,
}

/// The arguments of a frame, the name first.
#[derive(Clone, Debug)]
pub(crate) enum Arguments<'a> {
    Array(Array<'a>),
    Line(Words<'a>),
}

impl<'a> Arguments<'a> {
    /// Of a frame that is an array.
    pub(crate) fn of_array(frame: &'a [u8]) -> Result<Self, DecodeError> {
        match length(frame, 1, "number of arguments").map_err(|stop| stop.complete(frame.len()))? {
            (Length::Known(left), at) => Ok(Self::Array(Array { frame, at, left })),
            (_, at) => Ok(Self::Array(Array { frame, at, left: 0 })),
        }
    }

    /// Of a frame that is a line.
    pub(crate) fn of_line(frame: &'a [u8]) -> Self {
        Self::Line(Words::new(frame, 0))
    }

    /// How many there are. Of a line, this counts them.
    pub(crate) fn total(&self) -> usize {
        match self {
            Self::Array(array) => array.left,
            Self::Line(words) => words.clone().count(),
        }
    }
}

impl<'a> Iterator for Arguments<'a> {
    type Item = Result<Argument<'a>, DecodeError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Array(array) => array.next(),
            Self::Line(words) => words.next(),
        }
    }
}

/// Arguments in an array; ends behind the first error.
#[derive(Clone, Debug)]
pub(crate) struct Array<'a> {
    frame: &'a [u8],
    at: usize,
    left: usize,
}

impl<'a> Iterator for Array<'a> {
    type Item = Result<Argument<'a>, DecodeError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let limits = Limits { max_frame_len: u64::MAX, ..Limits::default() };
        match argument(self.frame, self.at, false, &limits) {
            Ok((from, end)) => {
                let place = self.at..end;
                self.left -= 1;
                self.at = end;
                let value = self.frame.get(from..end - CRLF.len()).unwrap_or_default();
                Some(Ok(Argument { value: Cow::Borrowed(value), place }))
            }
            Err(stop) => {
                self.left = 0;
                Some(Err(stop.complete(self.frame.len())))
            }
        }
    }
}

/// Words of a line; ends behind the first error.
#[derive(Clone, Debug)]
pub(crate) struct Words<'a> {
    line: &'a [u8],
    at: usize,
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

impl<'a> Words<'a> {
    pub(crate) const fn new(line: &'a [u8], at: usize) -> Self {
        Self { line, at }
    }

    /// Reads the quoted text behind the quote at `self.at` and moves behind the quote that ends it.
    fn quoted(&mut self, quote: u8, push: &mut impl FnMut(u8)) -> Result<(), DecodeError> {
        let open = self.at;
        self.at += 1;
        let unbalanced = Reason::BadEncoding { field: "quotes of inline command" }.at(open);
        loop {
            let (byte, len) = match self.line.get(self.at..).unwrap_or_default() {
                [byte, rest @ ..] if *byte == quote => {
                    self.at += 1;
                    // Nothing may follow the closing quote but a blank.
                    return if rest.first().is_none_or(|byte| is_blank(*byte)) { Ok(()) } else { Err(unbalanced) };
                }
                [b'\\', b'\'', ..] if quote == b'\'' => (b'\'', 2),
                [b'\\', b'x', high, low, ..]
                    if quote == b'"' && high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
                {
                    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or_default() as u8;
                    (digit(*high) << 4 | digit(*low), 4)
                }
                [b'\\', escaped, ..] if quote == b'"' => {
                    let byte = match escaped {
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        b'b' => 0x08,
                        b'a' => 0x07,
                        other => *other,
                    };
                    (byte, 2)
                }
                [byte, ..] => (*byte, 1),
                [] => return Err(unbalanced),
            };
            push(byte);
            self.at += len;
        }
    }

    /// Moves over blanks, then over the word behind them; gives `push` its bytes without quotes. `None` at the end.
    fn word(&mut self, push: &mut impl FnMut(u8)) -> Option<Result<Range<usize>, DecodeError>> {
        while self.line.get(self.at).is_some_and(|byte| is_blank(*byte)) {
            self.at += 1;
        }
        let start = self.at;
        while let Some(byte) = self.line.get(self.at).copied().filter(|byte| !is_blank(*byte)) {
            if !matches!(byte, b'"' | b'\'') {
                push(byte);
                self.at += 1;
            } else if let Err(error) = self.quoted(byte, push) {
                self.at = self.line.len();
                return Some(Err(error));
            }
        }
        (self.at > start).then_some(Ok(start..self.at))
    }

    /// Where the next word stands.
    fn place(&mut self) -> Option<Result<Range<usize>, DecodeError>> {
        self.word(&mut |_| {})
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = Result<Argument<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let from = self.at;
        let place = match self.place()? {
            Ok(place) => place,
            Err(error) => return Some(Err(error)),
        };
        let word = self.line.get(place.clone()).unwrap_or_default();
        let value = if word.iter().any(|byte| matches!(byte, b'"' | b'\'')) {
            let mut text = Vec::with_capacity(word.len());
            let again = Self::new(self.line, from).word(&mut |byte| text.push(byte));
            debug_assert_eq!(again, Some(Ok(place.clone())));
            Cow::Owned(text)
        } else {
            Cow::Borrowed(word)
        };
        Some(Ok(Argument { value, place }))
    }
}

/// A word as a line takes it: in quotes where it must be.
pub(crate) fn quote(word: &[u8]) -> Cow<'_, [u8]> {
    let plain = |byte: &u8| !matches!(byte, 0..=0x20 | b'"' | b'\'' | b'\\' | 0x7f);
    if !word.is_empty() && word.iter().all(plain) {
        return Cow::Borrowed(word);
    }
    let mut out = Vec::with_capacity(word.len() + 2);
    out.push(b'"');
    for byte in word {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..=0x1f | 0x7f => out.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
            _ => out.push(*byte),
        }
    }
    out.push(b'"');
    Cow::Owned(out)
}
