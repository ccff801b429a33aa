//! Reads a body by its schema, without allocation: every value that means something, in order, to whoever wants it.
//!
//! Record batches and all else that means nothing are passed by their lengths. Schemas do not nest without end, so neither
//! does the walk. Counts and lengths are compared with the bytes that are left before they are believed.

use std::ops::{ControlFlow, Range};

use metaprotocol_core::{Cursor, DecodeError, Limits, Reason};

use crate::schema::{Op, Struct, What};
use crate::wire::{MAX_TEXT_LEN, MAX_VARINT_LEN};

const TAGS: &str = "tagged fields";

/// A value where it stands.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    /// Its bytes, without a length; `None` for null.
    pub bytes: Option<&'a [u8]>,
    /// All of it, its length included.
    pub at: Range<usize>,
}

/// Who wants values.
pub trait Sink<'a> {
    /// The roles wanted, as a set.
    fn wants(&self) -> u32;

    /// A value with a role that is wanted. Break to end the walk.
    fn value(&mut self, op: &Op, place: Place<'a>) -> ControlFlow<()>;

    /// A tagged field begins that holds something wanted. What is returned comes back with its end.
    fn tag_begins(&mut self) -> isize {
        0
    }

    /// A tagged field ends: where its size stands, and what that is.
    fn tag_ends(&mut self, _mark: isize, _size_at: Range<usize>, _size: usize) {}
}

/// Wants nothing: walks to an end.
struct Nobody;

impl<'a> Sink<'a> for Nobody {
    fn wants(&self) -> u32 {
        0
    }

    fn value(&mut self, _op: &Op, _place: Place<'a>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Breaks out if the walk is to end.
macro_rules! go_on {
    ($flow:expr) => {
        if $flow?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    };
}

/// A struct, from where the cursor stands.
pub fn structure<'a, S: Sink<'a>>(
    cursor: &mut Cursor<'a>,
    structure: &Struct,
    limits: &Limits,
    sink: &mut S,
) -> Result<ControlFlow<()>, DecodeError> {
    for op in structure.ops {
        go_on!(field(cursor, op, limits, sink));
    }
    if structure.flexible { tags(cursor, structure, limits, sink) } else { Ok(ControlFlow::Continue(())) }
}

/// Moves over a field.
pub fn skip(cursor: &mut Cursor<'_>, op: &Op, limits: &Limits) -> Result<(), DecodeError> {
    field(cursor, op, limits, &mut Nobody).map(|_| ())
}

/// Moves over a struct.
pub fn skip_structure(cursor: &mut Cursor<'_>, inner: &Struct, limits: &Limits) -> Result<(), DecodeError> {
    structure(cursor, inner, limits, &mut Nobody).map(|_| ())
}

/// One field.
fn field<'a, S: Sink<'a>>(
    cursor: &mut Cursor<'a>,
    op: &Op,
    limits: &Limits,
    sink: &mut S,
) -> Result<ControlFlow<()>, DecodeError> {
    match op.what {
        What::Array(inner) => elements(cursor, op, Struct::get(inner), limits, sink),
        What::Struct(inner) => structure(cursor, Struct::get(inner), limits, sink),
        What::Maybe(inner) => {
            if is_present(cursor)? {
                return structure(cursor, Struct::get(inner), limits, sink);
            }
            Ok(ControlFlow::Continue(()))
        }
        What::Fixed { .. } | What::Text | What::Bytes => {
            let place = value(cursor, op)?;
            let wanted = sink.wants() & op.role.bit() != 0;
            Ok(if wanted { sink.value(op, place) } else { ControlFlow::Continue(()) })
        }
    }
}

/// Whether a struct follows that may be absent: a byte, negative if it does not.
pub fn is_present(cursor: &mut Cursor<'_>) -> Result<bool, DecodeError> {
    let byte = cursor.u8().map_err(|short| short.within("struct"))?;
    Ok(byte.cast_signed() >= 0)
}

/// The value of a field that is no array and no struct.
pub fn value<'a>(cursor: &mut Cursor<'a>, op: &Op) -> Result<Place<'a>, DecodeError> {
    let at = cursor.at();
    let bytes = match op.what {
        What::Fixed { len, .. } => Some(cursor.take(len.into()).map_err(|short| short.within("number"))?),
        What::Text => match length(cursor, op.compact, true, "text")? {
            Some(len) if len > MAX_TEXT_LEN => {
                return Err(Reason::BadLength { field: "text", value: len as i64 }.at(at));
            }
            len => len.map(|len| cursor.take(len)).transpose().map_err(|short| short.within("text"))?,
        },
        _ => {
            let len = length(cursor, op.compact, false, "bytes")?;
            len.map(|len| cursor.take(len)).transpose().map_err(|short| short.within("bytes"))?
        }
    };
    Ok(Place { bytes, at: at..cursor.at() })
}

/// A length or a count; `None` for null.
fn length(
    cursor: &mut Cursor<'_>,
    compact: bool,
    short: bool,
    field: &'static str,
) -> Result<Option<usize>, DecodeError> {
    let at = cursor.at();
    let broken = |value: i64| Reason::BadLength { field, value }.at(at);
    let len = if compact {
        i64::from(varint(cursor, field)?) - 1
    } else if short {
        i64::from(cursor.i16_be().map_err(|short| short.within(field))?)
    } else {
        i64::from(cursor.i32_be().map_err(|short| short.within(field))?)
    };
    match len {
        -1 => Ok(None),
        len => usize::try_from(len).map(Some).map_err(|_| broken(len)),
    }
}

fn varint(cursor: &mut Cursor<'_>, field: &'static str) -> Result<u32, DecodeError> {
    let at = cursor.at();
    let value = cursor.varint(MAX_VARINT_LEN).map_err(|error| error.within(field))?;
    u32::try_from(value).map_err(|_| Reason::BadEncoding { field }.at(at))
}

/// How many elements follow; none for null.
pub fn count(cursor: &mut Cursor<'_>, op: &Op, element: &Struct) -> Result<Option<usize>, DecodeError> {
    const FIELD: &str = "array";
    let at = cursor.at();
    let count = length(cursor, op.compact, false, FIELD)?;
    // Each element takes at least a byte, so that no count makes the walk longer than its bytes.
    if count.is_some_and(|count| count > cursor.left() / usize::from(element.least.max(1))) {
        return Err(Reason::UnexpectedEnd { field: FIELD }.at(at));
    }
    Ok(count)
}

fn elements<'a, S: Sink<'a>>(
    cursor: &mut Cursor<'a>,
    op: &Op,
    element: &Struct,
    limits: &Limits,
    sink: &mut S,
) -> Result<ControlFlow<()>, DecodeError> {
    let count = count(cursor, op, element)?.unwrap_or(0);
    if element.fixed && element.roles & sink.wants() == 0 {
        cursor.skip(count * usize::from(element.least)).map_err(|short| short.within("array"))?;
        return Ok(ControlFlow::Continue(()));
    }
    for _ in 0..count {
        go_on!(structure(cursor, element, limits, sink));
    }
    Ok(ControlFlow::Continue(()))
}

fn tags<'a, S: Sink<'a>>(
    cursor: &mut Cursor<'a>,
    structure: &Struct,
    limits: &Limits,
    sink: &mut S,
) -> Result<ControlFlow<()>, DecodeError> {
    let at = cursor.at();
    let count = varint(cursor, TAGS)?;
    if count > limits.max_field_count {
        let max = limits.max_field_count.into();
        return Err(Reason::LimitExceeded { limit: "max_field_count", value: count.into(), max }.at(at));
    }
    // A tag and a size each.
    if count as usize > cursor.left() / 2 {
        return Err(Reason::UnexpectedEnd { field: TAGS }.at(at));
    }
    for _ in 0..count {
        let tag = varint(cursor, TAGS)?;
        let size_at = cursor.at();
        let size = varint(cursor, TAGS)? as usize;
        let begins = cursor.at();
        cursor.skip(size).map_err(|short| short.within(TAGS))?;
        let known = structure.tags.iter().find(|(known, _)| *known == tag);
        let Some((_, op)) = known.filter(|(_, op)| holds(op) & sink.wants() != 0) else { continue };
        let mark = sink.tag_begins();
        let mut inner = Cursor::new(cursor.bytes().get(..begins + size).unwrap_or_default(), begins);
        go_on!(field(&mut inner, op, limits, sink));
        sink.tag_ends(mark, size_at..begins, size);
    }
    Ok(ControlFlow::Continue(()))
}

/// Every role in a field.
fn holds(op: &Op) -> u32 {
    match op.what {
        What::Array(inner) | What::Struct(inner) | What::Maybe(inner) => Struct::get(inner).roles,
        _ => op.role.bit(),
    }
}
