//! Metadata: the values of a frame's keys.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::ControlFlow;

use metaprotocol_core::{Cursor, DecodeError, Direction, Frame, Head, Key, Limits, Value, Visit, lossy};

use crate::model::{
    Content, Entry, FieldId, Format, KeySpec, Mapping, Order, Piece, Program, Shape, Slot, Source, Ty, Word,
};
use crate::parts::{self, OpenEntry, unescaped};
use crate::view::{View, decode, unsigned};
use crate::walk::{Mark, Stop, Walk};

/// The direction that `split` noted.
pub(crate) const fn direction(head: &Head) -> Direction {
    if head.variant & 1 == 0 { Direction::ClientToServer } else { Direction::ServerToClient }
}

/// Walks the header of a frame whose head is known.
pub(crate) fn read<'v>(
    program: &'v Program,
    slots: &'v mut [Slot],
    direction: Direction,
    head: Head,
    buf: &'v [u8],
    limits: &'v Limits,
    deep: bool,
) -> Result<View<'v>, DecodeError> {
    // The header's own bytes, so that a head that anybody made cannot lead out of it.
    let header_len = (head.header_len as usize).min(buf.len());
    let mut walk =
        Walk { program, buf: buf.get(..header_len).unwrap_or(buf), direction, limits, slots, bounded: true, deep };
    let walked = walk.header(&mut Mark::NONE.clone()).and_then(|_| {
        walk.buf = buf;
        walk.bounded = false;
        walk.peek(header_len, head.frame_len)
    });
    match walked {
        Ok(()) | Err(Stop::Need(_)) => {}
        Err(Stop::Error(error)) => return Err(error),
    }
    Ok(View { fields: &program.fields, buf, slots, direction, header_len, frame_len: head.frame_len, code: 0 })
}

pub(crate) fn field<'a>(
    program: &Program,
    slots: &mut [Slot],
    frame: Frame<'a>,
    key: &Key,
    limits: &Limits,
) -> Result<Option<Value<'a>>, DecodeError> {
    let known = program.entries.iter().filter_map(|entry| match entry {
        Entry::Key(spec) => Some(spec),
        Entry::Spread { .. } => None,
    });
    if key.id != Key::DYNAMIC {
        let Some(spec) = known.clone().nth(usize::from(key.id)) else { return Ok(None) };
        let deep = spec.reads_parts(program);
        let view = read(program, slots, direction(&frame.head), frame.head, frame.bytes, limits, deep)?;
        return Ok(value(program, spec, &view, frame.bytes));
    }
    if program.key_names.iter().any(|known| **known == *key.name)
        || !program.entries.iter().any(|entry| matches!(entry, Entry::Spread { .. }))
    {
        return Ok(None);
    }
    let view = read(program, slots, direction(&frame.head), frame.head, frame.bytes, limits, true)?;
    let mut found = None;
    for entry in &program.entries {
        if let Entry::Spread { field, .. } = entry {
            spread(program, *field, &view, frame.bytes, limits, &mut |entry| {
                if entry.key == *key.name {
                    found = Some(open_value(&entry));
                }
                ControlFlow::Continue(())
            })?;
        }
    }
    Ok(found)
}

pub(crate) fn fields<'a>(
    program: &Program,
    slots: &mut [Slot],
    frame: Frame<'a>,
    limits: &Limits,
    visit: &mut Visit<'_, 'a>,
) -> Result<(), DecodeError> {
    let view = read(program, slots, direction(&frame.head), frame.head, frame.bytes, limits, true)?;
    let mut stopped = false;
    for entry in &program.entries {
        if stopped {
            break;
        }
        match entry {
            Entry::Key(spec) => {
                if let Some(value) = value(program, spec, &view, frame.bytes) {
                    stopped = visit(&spec.name, value).is_break();
                }
            }
            Entry::Spread { field, .. } => {
                spread(program, *field, &view, frame.bytes, limits, &mut |entry| {
                    // A key of the description means the same in every frame, whatever a peer attaches.
                    if program.key_names.iter().any(|known| **known == *entry.key) {
                        return ControlFlow::Continue(());
                    }
                    let flow = visit(&entry.key, open_value(&entry));
                    stopped = flow.is_break();
                    flow
                })?;
            }
        }
    }
    Ok(())
}

/// Walks an open map, if the frame has it.
pub(crate) fn spread<'a>(
    program: &Program,
    field: FieldId,
    view: &View<'_>,
    bytes: &'a [u8],
    limits: &Limits,
    visit: &mut dyn FnMut(OpenEntry<'a>) -> ControlFlow<()>,
) -> Result<(), DecodeError> {
    let Some(slot) = view.slot(field) else { return Ok(()) };
    let Some(spec) = view.field(field) else { return Ok(()) };
    let Some(item) = spec.item.and_then(|item| program.items.get(usize::from(item))) else { return Ok(()) };
    let part = spec.part.and_then(|part| item.content.parts().get(usize::from(part)));
    let at = slot.at as usize..slot.at as usize + slot.len as usize;
    parts::entries(&item.content, part, bytes, at, spec.label, limits, visit)
}

fn open_value<'a>(entry: &OpenEntry<'a>) -> Value<'a> {
    plain(entry.ty, entry.value)
}

/// A value as its type shows it.
pub(crate) fn plain(ty: Ty, bytes: &[u8]) -> Value<'_> {
    if ty.is_int() {
        return decode(ty, bytes).map_or(Value::str(""), int_value);
    }
    Value::Str(match ty {
        Ty::Float { order } => Cow::Owned(float(bytes, order)),
        Ty::Bytes => Cow::Owned(hex(bytes)),
        Ty::Escaped => unescaped(bytes),
        Ty::Text { padding: Some(padding) } => lossy(bytes.split(|byte| *byte == padding).next().unwrap_or(bytes)),
        _ => lossy(bytes),
    })
}

pub(crate) fn int_value<'a>(value: i128) -> Value<'a> {
    match i64::try_from(value) {
        Ok(value) => Value::Int(value),
        Err(_) => Value::UInt(value as u64),
    }
}

fn float(bytes: &[u8], order: Order) -> String {
    let raw = unsigned(bytes, order);
    if bytes.len() == 4 { f32::from_bits(raw as u32).to_string() } else { f64::from_bits(raw).to_string() }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

impl KeySpec {
    fn reads_parts(&self, program: &Program) -> bool {
        let mut found = self.when.is_some();
        let mut note = |id: FieldId| {
            found |= program.fields.get(usize::from(id)).is_some_and(|field| field.part.is_some());
        };
        match &self.source {
            Source::Field(id) => note(*id),
            Source::Expr(expr) => expr.fields(&mut note),
            Source::Text(_) => found = true,
        }
        found
    }
}

/// True if the frame has a value for the key.
pub(crate) fn has(program: &Program, spec: &KeySpec, view: &View<'_>, bytes: &[u8]) -> bool {
    value(program, spec, view, bytes).is_some()
}

/// The value of a key, or `None` if the frame lacks it.
fn value<'a>(program: &Program, spec: &KeySpec, view: &View<'_>, bytes: &'a [u8]) -> Option<Value<'a>> {
    if spec.when.as_ref().is_some_and(|when| !when.holds(view)) {
        return None;
    }
    let number = match &spec.source {
        Source::Field(id) => {
            let field = view.field(*id)?;
            if field.ty.is_int() {
                view.int(*id)?
            } else {
                let slot = view.slot(*id)?;
                let raw = bytes.get(slot.at as usize..slot.at as usize + slot.len as usize)?;
                return Some(match (spec.format, field.ty) {
                    (Format::Hex, _) => Value::Str(Cow::Owned(hex(raw))),
                    (Format::Text, Ty::Bytes) => plain(Ty::Text { padding: None }, raw),
                    (Format::Ipv4 | Format::Ipv6, Ty::Bytes) => address(raw).unwrap_or_else(|| plain(Ty::Bytes, raw)),
                    (_, Ty::Parts) => Value::Str(Cow::Owned(listed(program, field.item, raw)?)),
                    (_, ty) => plain(ty, raw),
                });
            }
        }
        Source::Expr(expr) => expr.eval(view).ok()?,
        Source::Text(pieces) => {
            let mut text = String::new();
            for piece in pieces {
                match piece {
                    Piece::Literal(literal) => text.push_str(literal),
                    Piece::Key(key) => {
                        let spec = program.entries.iter().filter_map(|entry| match entry {
                            Entry::Key(spec) => Some(spec),
                            Entry::Spread { .. } => None,
                        });
                        let value =
                            spec.clone().nth(usize::from(*key)).and_then(|spec| value(program, spec, view, bytes));
                        text.push_str(&value?.to_text());
                    }
                    Piece::Value(Source::Field(id)) => {
                        let field = view.field(*id)?;
                        let value = if field.ty.is_int() {
                            int_value(view.int(*id)?)
                        } else {
                            plain(field.ty, view.bytes(*id)?)
                        };
                        text.push_str(&value.to_text());
                    }
                    Piece::Value(_) => {}
                }
            }
            return Some(Value::Str(Cow::Owned(text)));
        }
    };
    if let Some(map) = &spec.map {
        return Some(map.word(number));
    }
    Some(match spec.format {
        Format::Auto => int_value(number),
        Format::Text => Value::Str(Cow::Owned(number.to_string())),
        Format::Bool => Value::str(if number == 0 { "false" } else { "true" }),
        Format::Hex => Value::Str(Cow::Owned(format!("{number:#x}"))),
        Format::Ipv4 | Format::Ipv6 => Value::Str(Cow::Owned(Ipv4Addr::from(number as u32).to_string())),
    })
}

fn address<'a>(raw: &[u8]) -> Option<Value<'a>> {
    let text = match raw.len() {
        4 => Ipv4Addr::from(*raw.first_chunk::<4>()?).to_string(),
        16 => Ipv6Addr::from(*raw.first_chunk::<16>()?).to_string(),
        _ => return None,
    };
    Some(Value::Str(Cow::Owned(text)))
}

/// The elements of an array, joined by commas.
pub(crate) fn listed(program: &Program, item: Option<u16>, raw: &[u8]) -> Option<String> {
    let item = program.items.get(usize::from(item?))?;
    let Shape::Array { element, ty, .. } = &item.shape else { return None };
    let (Content::Plain, [shape]) = (&item.content, element.as_slice()) else { return None };
    let mut cursor = Cursor::new(raw, 0);
    let mut texts = Vec::new();
    while cursor.left() > 0 {
        let place = parts::element(shape, &mut cursor, "items").ok()?;
        texts.push(plain(*ty, raw.get(place)?).to_text().into_owned());
    }
    Some(texts.join(","))
}

impl Mapping {
    fn word<'a>(&self, value: i128) -> Value<'a> {
        let word = self.words.iter().find(|(known, _)| *known == value).map(|(_, word)| word);
        match word.or(self.default.as_ref()) {
            Some(Word::Int(number)) => Value::Int(*number),
            Some(Word::Text(text)) => Value::str(text),
            None => int_value(value),
        }
    }

    /// The value that has this name.
    pub fn value(&self, text: &str) -> Option<i128> {
        let named = self.words.iter().find(|(_, word)| match word {
            Word::Int(number) => text == number.to_string(),
            Word::Text(known) => *known == text,
        });
        named.map(|(value, _)| *value)
    }
}
