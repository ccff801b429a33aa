//! What the bytes mean: types, lines with numbers, and the codec's note to its own other verbs.

use metaprotocol_core::{DecodeError, Limits, Reason};

/// Types of both protocol versions, by their first byte. `*` and `$` also make commands.
pub(crate) const ARRAY: u8 = b'*';
pub(crate) const BULK: u8 = b'$';
pub(crate) const SIMPLE: u8 = b'+';
pub(crate) const ERROR: u8 = b'-';
pub(crate) const INTEGER: u8 = b':';
/// Types of RESP3 alone.
pub(crate) const NULL: u8 = b'_';
pub(crate) const DOUBLE: u8 = b',';
pub(crate) const BOOLEAN: u8 = b'#';
pub(crate) const BIG_NUMBER: u8 = b'(';
pub(crate) const BULK_ERROR: u8 = b'!';
pub(crate) const VERBATIM: u8 = b'=';
pub(crate) const MAP: u8 = b'%';
pub(crate) const SET: u8 = b'~';
pub(crate) const ATTRIBUTE: u8 = b'|';
pub(crate) const PUSH: u8 = b'>';
/// A piece of a streamed string, and the end of a streamed aggregate.
pub(crate) const CHUNK: u8 = b';';
pub(crate) const END: u8 = b'.';

pub(crate) const CRLF: &[u8] = b"\r\n";

/// Bytes of the shortest value: a null, or an empty simple string.
pub(crate) const MIN_VALUE_LEN: usize = 3;
/// From this length on a bulk string that ends a frame is not awaited: the frame's head is known without its bytes, so
/// that they can stream through. Its end is then not compared with CR LF, whether it is in or not.
pub(crate) const STREAMED_LEN: usize = 4096;
/// Most digits of a length; more could not be told from each other by any limit.
const MAX_DIGITS: usize = 18;
/// Longest line that holds an integer, type and end not counted.
const MAX_INTEGER_LEN: usize = 20;
/// Longest line that holds a double: what C prints of the longest, as hiredis bounds it.
const MAX_DOUBLE_LEN: usize = 326;

/// Why a frame's end cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// At least so many more bytes are needed.
    Need(usize),
    /// The bytes are wrong.
    Broken(DecodeError),
}

impl From<DecodeError> for Stop {
    fn from(error: DecodeError) -> Self {
        Self::Broken(error)
    }
}

impl Stop {
    /// For bytes that are all there: what is needed runs over their end, at `len`.
    pub(crate) fn complete(self, len: usize) -> DecodeError {
        match self {
            Self::Need(_) => Reason::UnexpectedEnd { field: "value" }.at(len),
            Self::Broken(error) => error,
        }
    }
}

/// What the first bytes of a frame are; half of the note that `split` leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// An array of bulk strings, from the client.
    Command = 1,
    /// A line of words.
    Inline = 2,
    /// A line without words, or an array without elements: servers pass over it.
    Empty = 3,
    /// The answer to a command.
    Reply = 4,
    /// What a server says unasked.
    Push = 5,
    /// A command that another client has sent, as MONITOR shows it.
    Monitor = 6,
    /// The length of a snapshot.
    SnapshotHeader = 7,
    /// A piece of a snapshot.
    Snapshot = 8,
    /// A command from a master to its replica.
    Replicated = 9,
    /// A newline that keeps a replication link alive.
    Keepalive = 10,
}

impl Form {
    /// The value of the key `message_type`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Inline => "inline",
            Self::Empty => "empty",
            Self::Reply => "reply",
            Self::Push => "push",
            Self::Monitor => "monitor",
            Self::SnapshotHeader => "snapshot_header",
            Self::Snapshot => "snapshot",
            Self::Replicated => "replicated",
            Self::Keepalive => "keepalive",
        }
    }

    /// True for what names a command and its arguments.
    pub(crate) const fn is_command(self) -> bool {
        matches!(self, Self::Command | Self::Inline | Self::Replicated)
    }
}

const DATABASE_SHIFT: u32 = 8;

/// The note: the form in the low byte, above it one more than the database that is selected, or 0 if it is not known.
pub(crate) const fn note(form: Form, database: Option<u16>) -> u32 {
    let database = match database {
        Some(database) => database as u32 + 1,
        None => 0,
    };
    database << DATABASE_SHIFT | form as u32
}

/// The form in a note; `None` for notes that `split` never leaves.
pub(crate) const fn form(note: u32) -> Option<Form> {
    Some(match note & 0xff {
        1 => Form::Command,
        2 => Form::Inline,
        3 => Form::Empty,
        4 => Form::Reply,
        5 => Form::Push,
        6 => Form::Monitor,
        7 => Form::SnapshotHeader,
        8 => Form::Snapshot,
        9 => Form::Replicated,
        10 => Form::Keepalive,
        _ => return None,
    })
}

/// The database in a note.
pub(crate) const fn database(note: u32) -> Option<u32> {
    (note >> DATABASE_SHIFT).checked_sub(1)
}

/// What stands in the line of a length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// So many bytes or elements.
    Known(usize),
    /// `-1`: no value.
    Null,
    /// `?`: told piece by piece.
    Streamed,
}

/// The length at `at`, behind its type, and where the next line begins.
#[inline(always)]
pub(crate) fn length(buf: &[u8], at: usize, field: &'static str) -> Result<(Length, usize), Stop> {
    // One or two digits in a few loads: most lengths are so short.
    if let Some([a, b, c, d]) = buf.get(at..).and_then(<[u8]>::first_chunk::<4>) {
        let tens = a.wrapping_sub(b'0');
        if tens < 10 {
            if *b == b'\r' && *c == b'\n' {
                return Ok((Length::Known(usize::from(tens)), at + 3));
            }
            let ones = b.wrapping_sub(b'0');
            if ones < 10 && tens > 0 && *c == b'\r' && *d == b'\n' {
                return Ok((Length::Known(usize::from(tens) * 10 + usize::from(ones)), at + 4));
            }
        }
    }
    any_length(buf, at, field)
}

fn any_length(buf: &[u8], at: usize, field: &'static str) -> Result<(Length, usize), Stop> {
    let first = buf.get(at).copied();
    if first == Some(b'?') {
        return Ok((Length::Streamed, line_end(buf, at + 1, field)?));
    }
    let negative = first == Some(b'-');
    let from = at + usize::from(negative);
    let mut value = 0_u64;
    let mut here = from;
    loop {
        match buf.get(here) {
            Some(digit @ b'0'..=b'9') if here - from < MAX_DIGITS => {
                // No leading zeros: nobody writes them, and servers refuse them.
                if here > from && value == 0 {
                    return Err(Reason::BadEncoding { field }.at(here).into());
                }
                value = value * 10 + u64::from(digit - b'0');
                here += 1;
            }
            Some(b'\r') if here > from => break,
            Some(_) => return Err(Reason::BadEncoding { field }.at(here).into()),
            None => return Err(Stop::Need(if here == from { 3 } else { 2 })),
        }
    }
    let end = line_end(buf, here, field)?;
    match (negative, value) {
        (true, 0) => Err(Reason::BadEncoding { field }.at(at).into()),
        (true, 1) => Ok((Length::Null, end)),
        (true, _) => Err(Reason::BadLength { field, value: -(value as i64) }.at(at).into()),
        (false, _) => match usize::try_from(value) {
            Ok(value) => Ok((Length::Known(value), end)),
            Err(_) => Err(Reason::BadLength { field, value: value as i64 }.at(at).into()),
        },
    }
}

/// The place behind the CR LF at `at`.
#[inline(always)]
pub(crate) fn line_end(buf: &[u8], at: usize, field: &'static str) -> Result<usize, Stop> {
    match buf.get(at..).unwrap_or_default() {
        [b'\r', b'\n', ..] => Ok(at + 2),
        [] => Err(Stop::Need(2)),
        [b'\r'] => Err(Stop::Need(1)),
        [b'\r', ..] => Err(Reason::BadEncoding { field }.at(at + 1).into()),
        _ => Err(Reason::BadEncoding { field }.at(at).into()),
    }
}

/// The place behind the line of text at `at`, of which the bytes before `seen` were searched before.
///
/// # Errors
/// A stop, and how far the line was searched.
#[inline(always)]
pub(crate) fn text_line(buf: &[u8], at: usize, seen: usize, field: &'static str) -> Result<usize, (Stop, usize)> {
    let from = at.max(seen);
    let rest = buf.get(from..).unwrap_or_default();
    let Some(len) = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else {
        return Err((Stop::Need(2), buf.len()));
    };
    line_end(buf, from + len, field).map_err(|stop| (stop, from + len))
}

/// The place behind the integer at `at`.
#[inline(always)]
pub(crate) fn integer(buf: &[u8], at: usize) -> Result<usize, Stop> {
    const FIELD: &str = "integer";
    let from = at + usize::from(matches!(buf.get(at), Some(b'-' | b'+')));
    let mut here = from;
    while let Some(b'0'..=b'9') = buf.get(here)
        && here - at <= MAX_INTEGER_LEN
    {
        here += 1;
    }
    if here == from {
        return match buf.get(here) {
            Some(_) => Err(Reason::BadEncoding { field: FIELD }.at(here).into()),
            None => Err(Stop::Need(3)),
        };
    }
    // Nothing of fewer digits is beyond 64 bits.
    if here - from > MAX_DIGITS && integer_value(buf.get(at..here).unwrap_or_default()).is_none() {
        return Err(Reason::BadEncoding { field: FIELD }.at(at).into());
    }
    line_end(buf, here, FIELD)
}

/// An integer as its line has it.
pub(crate) fn integer_value(text: &[u8]) -> Option<i64> {
    str::from_utf8(text).ok()?.parse().ok()
}

/// The place behind the double at `at`: decimal, with or without fraction and exponent, `inf`, `-inf` or `nan`.
pub(crate) fn double(buf: &[u8], at: usize) -> Result<usize, Stop> {
    const FIELD: &str = "double";
    let rest = buf.get(at..).unwrap_or_default();
    let part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E' | b'i' | b'n' | b'f' | b'a');
    let len = rest.iter().take(MAX_DOUBLE_LEN + 1).take_while(|byte| part(byte)).count();
    let text = rest.get(..len).unwrap_or_default();
    let wrong = Reason::BadEncoding { field: FIELD };
    if len == rest.len() && len <= MAX_DOUBLE_LEN {
        return Err(Stop::Need(if len == 0 { 3 } else { 2 }));
    }
    let special = matches!(text, b"inf" | b"-inf" | b"nan" | b"-nan");
    let letters = text.iter().any(|byte| matches!(byte, b'i' | b'n' | b'f' | b'a'));
    let number = str::from_utf8(text).is_ok_and(|text| text.parse::<f64>().is_ok());
    if len > MAX_DOUBLE_LEN || !special && (letters || !number) {
        return Err(wrong.at(at + len).into());
    }
    line_end(buf, at + len, FIELD)
}

/// The place behind the boolean at `at`.
pub(crate) fn boolean(buf: &[u8], at: usize) -> Result<usize, Stop> {
    const FIELD: &str = "boolean";
    match buf.get(at) {
        Some(b't' | b'f') => line_end(buf, at + 1, FIELD),
        Some(_) => Err(Reason::BadEncoding { field: FIELD }.at(at).into()),
        None => Err(Stop::Need(3)),
    }
}

/// Searches the line of a big number, which may be long.
pub(crate) fn big_number(buf: &[u8], at: usize, seen: usize) -> Result<usize, (Stop, usize)> {
    const FIELD: &str = "big number";
    let from = at.max(seen);
    let mut here = from;
    if here == at && matches!(buf.get(here), Some(b'-' | b'+')) {
        here += 1;
    }
    while let Some(b'0'..=b'9') = buf.get(here) {
        here += 1;
    }
    let digits = here > at && !matches!(buf.get(here - 1), Some(b'-' | b'+'));
    match buf.get(here) {
        None if digits => Err((Stop::Need(2), here)),
        // The sign is looked at again.
        None => Err((Stop::Need(3), at)),
        Some(_) if !digits => Err((Reason::BadEncoding { field: FIELD }.at(here).into(), here)),
        Some(_) => line_end(buf, here, FIELD).map_err(|stop| (stop, here)),
    }
}

/// Checks that a frame may reach to `end`.
#[inline(always)]
pub(crate) fn within(limits: &Limits, end: usize, at: usize) -> Result<(), Stop> {
    if end as u64 > limits.max_frame_len { Err(over(limits, end as u64, at)) } else { Ok(()) }
}

#[cold]
pub(crate) fn over(limits: &Limits, value: u64, at: usize) -> Stop {
    Reason::LimitExceeded { limit: "max_frame_len", value, max: limits.max_frame_len }.at(at).into()
}

/// Where `len` bytes behind `at` and their CR LF end.
#[inline(always)]
pub(crate) fn bulk_end(limits: &Limits, at: usize, len: usize) -> Result<usize, Stop> {
    let end = at.saturating_add(len).saturating_add(CRLF.len());
    within(limits, end, at)?;
    Ok(end)
}

/// Checks the end of a bulk string.
#[inline(always)]
pub(crate) fn closed(buf: &[u8], end: usize) -> Result<(), Stop> {
    match buf.get(end - CRLF.len()..end) {
        Some(CRLF) => Ok(()),
        Some(_) => Err(Reason::BadEncoding { field: "end of bulk string" }.at(end - CRLF.len()).into()),
        None => Err(Stop::Need(end - buf.len())),
    }
}
