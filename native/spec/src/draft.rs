//! A header that is being changed, item by item; lengths and checksums follow what was changed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::{ControlFlow, Range};

use metaprotocol_core::{Cursor, Direction, Edits, EncodeError, Frame, Limits, Segments, Value, protobuf};

use crate::SpecCodec;
use crate::expr::number;
use crate::fields::{self, direction};
use crate::model::{
    Affine, Content, Entry, Field, FieldId, Format, Item, KeySpec, Length, Order, Part, Place, Program, Shape, Slot,
    Source, Ty,
};
use crate::parts::{self, find};
use crate::view::{View, decode, encode, range, unsigned, varint};
use crate::walk::{Mark, Stop, Walk};

type Outcome<T> = Result<T, EncodeError>;

/// A header under change.
pub(crate) struct Draft<'d> {
    pub program: &'d Program,
    pub direction: Direction,
    /// The bytes of each item, with the length in front or the end behind it; `None` if the frame lacks it.
    pub items: Vec<Option<Cow<'d, [u8]>>>,
    /// Items whose length may have changed: the length of their content, or their number of elements.
    pub changed: BTreeMap<usize, i128>,
    /// Fields that were set on purpose, or by a length.
    settled: Vec<FieldId>,
}

/// The item bytes of a header.
pub(crate) fn ranges(program: &Program, view: &View<'_>) -> Vec<Option<Range<usize>>> {
    let mut at = 0;
    let mut range = |item: &Item| {
        let slot = view.slot(item.field)?;
        let mut end = slot.at as usize + slot.len as usize;
        if let Shape::Terminated(terminator) = &item.shape {
            end = (end + terminator.len()).min(view.header_len);
        }
        let range = at..end;
        at = end;
        Some(range)
    };
    program.items.iter().map(&mut range).collect()
}

fn not_writable(key: &str, why: impl Into<Cow<'static, str>>) -> EncodeError {
    EncodeError::NotWritable { key: key.to_owned(), why: why.into() }
}

fn bad_value(key: &str, expected: impl Into<Cow<'static, str>>) -> EncodeError {
    EncodeError::BadValue { key: key.to_owned(), expected: expected.into() }
}

/// What a field is set to.
pub(crate) enum New {
    Int(i128),
    Bytes(Vec<u8>),
}

impl<'d> Draft<'d> {
    pub fn new(program: &'d Program, direction: Direction) -> Self {
        Self { program, direction, items: Vec::new(), changed: BTreeMap::new(), settled: Vec::new() }
    }

    pub fn header(&self) -> Vec<u8> {
        self.items.iter().flatten().fold(Vec::new(), |mut all, item| {
            all.extend_from_slice(item);
            all
        })
    }

    fn field(&self, id: FieldId) -> Option<(&'d Field, usize, &'d Item)> {
        let field = self.program.fields.get(usize::from(id))?;
        let index = usize::from(field.item?);
        Some((field, index, self.program.items.get(index)?))
    }

    /// The content of an item, without the length in front or the end behind it.
    fn content(&self, index: usize) -> Option<&[u8]> {
        let bytes: &[u8] = self.items.get(index)?.as_ref()?;
        match &self.program.items.get(index)?.shape {
            Shape::Prefixed { width, .. } => bytes.get(usize::from(*width)..),
            Shape::VarintPrefixed => {
                let mut cursor = Cursor::new(bytes, 0);
                cursor.varint(10).ok()?;
                Some(cursor.rest())
            }
            Shape::Terminated(end) => Some(bytes.strip_suffix(&**end).unwrap_or(bytes)),
            _ => Some(bytes),
        }
    }

    /// The value of an integer field as it stands.
    fn int(&self, id: FieldId) -> Option<i128> {
        let (field, index, _) = self.field(id)?;
        if field.part.is_some() {
            return None;
        }
        let value = decode(field.ty, self.items.get(index)?.as_ref()?)?;
        Some(match field.bits {
            Some((low, count)) => (value >> low) & ((1 << count) - 1),
            None => value,
        })
    }

    /// Sets a field; `key` is what its user calls it.
    pub fn set(&mut self, id: FieldId, new: &New, key: &str) -> Outcome<()> {
        let Some((field, index, item)) = self.field(id) else {
            return Err(not_writable(key, "it is not part of the header"));
        };
        let Some(Some(bytes)) = self.items.get(index) else {
            return Err(not_writable(key, "this frame does not have it"));
        };
        if let Some(part) = field.part {
            let Some(part) = item.content.parts().get(usize::from(part)) else { return Ok(()) };
            let content = self.content(index).unwrap_or_default().to_vec();
            let content = match &item.content {
                Content::Protobuf(_) => proto_set(&content, &part.path, field.ty, new, key)?,
                Content::Tlv { tag, length, .. } => tlv_set(&content, *tag, *length, part, field.ty, new, key)?,
                _ => return Err(not_writable(key, "it lies in a container that is only read")),
            };
            return self.replace(index, content, key);
        }
        let item_bytes = match new {
            New::Int(value) => {
                let Some(encoded) = with_int(field, bytes, *value) else {
                    let bits = field.bits.map_or(8 * bytes.len().min(8) as u32, |(_, count)| count.into());
                    let signed = matches!(field.ty, Ty::Int { signed: true, .. }) && field.bits.is_none();
                    let (min, max) = match field.ty {
                        Ty::Varint { zigzag } => range(zigzag, 64),
                        _ => range(signed, bits),
                    };
                    return Err(bad_value(key, format!("an integer from {min} to {max}")));
                };
                encoded
            }
            New::Bytes(new) => {
                if !matches!(item.shape, Shape::Fixed(_)) {
                    return self.replace(index, new.clone(), key);
                }
                let len = bytes.len();
                match field.ty {
                    Ty::Text { padding: Some(padding) } if new.len() <= len && !new.contains(&padding) => {
                        let mut padded = new.clone();
                        padded.resize(len, padding);
                        padded
                    }
                    Ty::Text { .. } => return Err(bad_value(key, format!("a text of at most {len} bytes"))),
                    _ if new.len() == len => new.clone(),
                    _ => return Err(bad_value(key, format!("exactly {len} bytes, in hexadecimal"))),
                }
            }
        };
        self.settled.push(id);
        self.put(index, item_bytes);
        Ok(())
    }

    fn put(&mut self, index: usize, bytes: Vec<u8>) {
        if let Some(item) = self.items.get_mut(index) {
            *item = Some(Cow::Owned(bytes));
        }
    }

    /// Gives an item of variable length another content.
    pub fn replace(&mut self, index: usize, content: Vec<u8>, key: &str) -> Outcome<()> {
        let Some(item) = self.program.items.get(index) else { return Ok(()) };
        let len = content.len();
        let bytes = match &item.shape {
            Shape::Prefixed { width, order } => {
                let ty = Ty::Int { signed: false, order: *order };
                let Some(mut bytes) = encode(ty, len as i128, usize::from(*width)) else {
                    let max = range(false, 8 * u32::from(*width)).1;
                    return Err(bad_value(key, format!("at most {max} bytes")));
                };
                bytes.extend(content);
                bytes
            }
            Shape::VarintPrefixed => {
                let mut bytes = varint(len as u64);
                bytes.extend(content);
                bytes
            }
            Shape::Terminated(end) => {
                let mut bytes = content;
                bytes.extend_from_slice(end);
                if find(&bytes, end) != Some(len) {
                    return Err(bad_value(key, "a text without the bytes that end it"));
                }
                bytes
            }
            Shape::Array { element, .. } => {
                let mut cursor = Cursor::new(&content, 0);
                let mut count = 0;
                while cursor.left() > 0 {
                    for shape in element {
                        parts::element(shape, &mut cursor, "items")?;
                    }
                    count += 1;
                }
                self.changed.insert(index, count);
                content
            }
            Shape::Sized { .. } => {
                self.changed.insert(index, len as i128);
                content
            }
            Shape::Fixed(fixed) if len == *fixed as usize => content,
            Shape::Fixed(_) | Shape::Varint => return Err(not_writable(key, "its length is fixed")),
        };
        self.put(index, bytes);
        Ok(())
    }

    /// Sets the fields of a sum so that it has a value.
    fn solve(&mut self, affine: &Affine, value: i128) -> Outcome<()> {
        let too_long = |max: i128| EncodeError::TooLong {
            len: u64::try_from(value).unwrap_or(u64::MAX),
            max: u64::try_from(max).unwrap_or(0),
        };
        let mut known = affine.constant;
        let mut now = affine.constant;
        let mut open = Vec::new();
        let mut most = affine.constant;
        for (id, factor) in &affine.terms {
            let current = self.int(*id).unwrap_or(0) * factor;
            now += current;
            if self.settled.contains(id) {
                known += current;
                most += current;
            } else if let Some((field, index, _)) = self.field(*id) {
                let len = self.items.get(index).and_then(Option::as_ref).map_or(0, |bytes| bytes.len());
                let max = match field.ty {
                    Ty::Int { signed, .. } => range(signed, 8 * len as u32).1,
                    _ => i128::from(u32::MAX),
                };
                most += max * factor;
                open.push((*factor, max, *id));
            }
        }
        if now == value {
            self.settled.extend(affine.terms.iter().map(|(id, _)| *id));
            return Ok(());
        }
        let mut rest = value - known;
        open.sort_by_key(|(factor, ..)| -*factor);
        for (factor, max, id) in open {
            let share = (rest / factor).clamp(0, max);
            rest -= share * factor;
            self.set(id, &New::Int(share), "length")?;
        }
        if rest == 0 { Ok(()) } else { Err(too_long(most)) }
    }

    /// Sets the lengths of changed items.
    pub fn settle(&mut self) -> Outcome<()> {
        let program = self.program;
        for (index, len) in std::mem::take(&mut self.changed) {
            let Some(item) = program.items.get(index) else { continue };
            match &item.shape {
                Shape::Sized { inverse: Some(inverse), .. } | Shape::Array { inverse: Some(inverse), .. } => {
                    self.solve(inverse, len)?;
                }
                Shape::Sized { .. } | Shape::Array { .. } => {
                    let field = program.fields.get(usize::from(item.field)).map_or("", |field| field.label);
                    return Err(not_writable(field, "its length cannot be solved for the fields that say it"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Sets every length: those of changed items, and the frame's for so many bytes of body. Returns the latter in full.
    pub fn lengths(&mut self, body_len: usize) -> Outcome<usize> {
        self.settle()?;
        let program = self.program;
        let trailer_len = program.trailer_len as usize;
        // A length of variable length changes what it counts, so it may take a second time to settle.
        let settled = self.settled.clone();
        for _ in 0..3 {
            let header_len: usize = self.items.iter().flatten().map(|item| item.len()).sum();
            let total = header_len + body_len + trailer_len;
            self.settled.clone_from(&settled);
            match &program.length {
                Length::Total { inverse: Some(inverse), .. } => self.solve(inverse, total as i128)?,
                Length::Body { inverse: Some(inverse), .. } => self.solve(inverse, body_len as i128)?,
                Length::Total { expr, .. } | Length::Body { expr, .. } => {
                    let wanted = if matches!(program.length, Length::Body { .. }) { body_len } else { total };
                    let header = self.header();
                    let mut slots = vec![Slot::ABSENT; usize::from(program.slots)];
                    let view = self.walked(&header, &mut slots)?;
                    if expr.eval(&view) != Ok(wanted as i128) {
                        let why = "frame.length of its description cannot be solved for the fields that say it";
                        return Err(not_writable("length", why));
                    }
                }
                Length::Fixed(len) if *len as usize != total => {
                    return Err(EncodeError::TooLong { len: total as u64, max: u64::from(*len) });
                }
                Length::Fixed(_) | Length::Delimiter(_) => {}
            }
            let now: usize = self.items.iter().flatten().map(|item| item.len()).sum();
            if now == header_len {
                return Ok(total);
            }
        }
        Err(not_writable("length", "the length does not settle"))
    }

    fn walked<'v>(&self, header: &'v [u8], slots: &'v mut [Slot]) -> Outcome<View<'v>>
    where
        'd: 'v,
    {
        let limits = Limits::default();
        let program = self.program;
        let mut walk = Walk {
            program,
            buf: header,
            direction: self.direction,
            limits: &limits,
            slots,
            bounded: true,
            deep: false,
        };
        match walk.header(&mut Mark::NONE.clone()) {
            Err(Stop::Error(error)) => Err(error.into()),
            _ => Ok(View {
                fields: &program.fields,
                buf: header,
                slots,
                direction: self.direction,
                header_len: header.len(),
                frame_len: header.len(),
                code: 0,
            }),
        }
    }

    /// Header and trailer with their checksums set.
    pub fn sealed(&mut self, body: &[u8], trailer: &[u8]) -> Outcome<(Vec<u8>, Vec<u8>)> {
        let program = self.program;
        let mut header = self.header();
        let mut trailer = trailer.to_vec();
        let sums = program.items.iter().filter_map(|item| Some((item.field, item.checksum.as_ref()?)));
        let own = program.trailer.iter().filter_map(|item| Some((item.field, item.checksum.as_ref()?)));
        for (id, checksum) in sums.chain(own) {
            let needs_body = checksum.needs_body() || trailer_field(program, id);
            let frame = if needs_body { [&header, body, &trailer].concat() } else { header.clone() };
            let mut slots = vec![Slot::ABSENT; usize::from(program.slots)];
            let mut view = self.walked(&header, &mut slots)?;
            view.buf = &frame;
            view.frame_len = header.len() + body.len() + trailer.len();
            let (Some(value), Some(slot)) = (checksum.value(id, &view, trailer.len()), view.slot(id)) else { continue };
            let Some(field) = program.fields.get(usize::from(id)) else { continue };
            let Some(bytes) = encode(field.ty, i128::from(value), slot.len as usize) else { continue };
            let at = slot.at as usize;
            let target = if at < header.len() {
                header.get_mut(at..at + bytes.len())
            } else {
                let at = at - header.len() - body.len();
                trailer.get_mut(at..at + bytes.len())
            };
            if let Some(target) = target {
                target.copy_from_slice(&bytes);
            }
        }
        Ok((header, trailer))
    }
}

fn trailer_field(program: &Program, id: FieldId) -> bool {
    program.fields.get(usize::from(id)).is_some_and(|field| field.item.is_none())
}

/// The bytes of an integer field with another value; `None` if it does not fit.
fn with_int(field: &Field, bytes: &[u8], value: i128) -> Option<Vec<u8>> {
    let Some((low, count)) = field.bits else { return encode(field.ty, value, bytes.len()) };
    let (_, max) = range(false, count.into());
    if value < 0 || value > max {
        return None;
    }
    let whole = decode(field.ty, bytes)?;
    let (low, mask) = (u32::from(low), max << low);
    encode(field.ty, (whole & !mask) | (value << low), bytes.len())
}

/// A protobuf message with one field set: the last one of its number is replaced, or one is added at the end.
fn proto_set(message: &[u8], path: &[u32], ty: Ty, new: &New, key: &str) -> Outcome<Vec<u8>> {
    let [number, deeper @ ..] = path else { return Ok(message.to_vec()) };
    let mut last = None;
    let mut cursor = Cursor::new(message, 0);
    while let Some(field) = protobuf::next(&mut cursor, "protobuf")? {
        if field.number == *number {
            last = Some((field.at..field.end, field.place()));
        }
    }
    let field = if deeper.is_empty() {
        proto_encode(*number, ty, new).ok_or_else(|| bad_value(key, "a value of its type"))?
    } else {
        let inner = last.as_ref().and_then(|(_, value)| message.get(value.clone())).unwrap_or_default();
        proto_bytes(*number, &proto_set(inner, deeper, ty, new, key)?)
    };
    let at = last.map_or(message.len()..message.len(), |(whole, _)| whole);
    Ok(spliced(message, at, &field))
}

fn proto_bytes(number: u32, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 10);
    protobuf::push_bytes(&mut out, number, bytes);
    out
}

fn proto_encode(number: u32, ty: Ty, new: &New) -> Option<Vec<u8>> {
    let head = |wire| varint(u64::from(number) << 3 | wire);
    Some(match (new, ty) {
        (New::Bytes(bytes), _) => proto_bytes(number, bytes),
        (New::Int(value), Ty::Int { .. }) => {
            let four = encode(ty, *value, 4);
            let wire = if four.is_some() { 5 } else { 1 };
            [head(wire), four.or_else(|| encode(ty, *value, 8))?].concat()
        }
        (New::Int(value), _) => [head(0), encode(ty, *value, 8)?].concat(),
    })
}

fn spliced(bytes: &[u8], at: Range<usize>, with: &[u8]) -> Vec<u8> {
    let before = bytes.get(..at.start).unwrap_or_default();
    let after = bytes.get(at.end..).unwrap_or_default();
    [before, with, after].concat()
}

/// A list of tags with one value replaced, or added at the end.
fn tlv_set(
    content: &[u8],
    tag: (u8, Order),
    length: (u8, Order),
    part: &Part,
    ty: Ty,
    new: &New,
    key: &str,
) -> Outcome<Vec<u8>> {
    let wanted = part.path.first().copied().unwrap_or_default();
    let mut cursor = Cursor::new(content, 0);
    let mut last = None;
    let broken = |at| metaprotocol_core::Reason::BadEncoding { field: "tlv" }.at(at);
    while cursor.left() > 0 {
        let start = cursor.at();
        let number = cursor.take(tag.0.into()).map_err(|short| broken(short.at))?;
        let len = cursor.take(length.0.into()).map_err(|short| broken(short.at))?;
        let len = unsigned(len, length.1) as usize;
        cursor.skip(len).map_err(|short| broken(short.at))?;
        if unsigned(number, tag.1) == u64::from(wanted) {
            last = Some((start..cursor.at(), len));
        }
    }
    let value = match new {
        New::Bytes(bytes) => bytes.clone(),
        New::Int(value) => {
            let Some((_, len)) = last else { return Err(not_writable(key, "this frame does not have it")) };
            encode(ty, *value, len).ok_or_else(|| bad_value(key, format!("an integer of {len} bytes")))?
        }
    };
    let int = |(width, order): (u8, Order), value: usize| {
        encode(Ty::Int { signed: false, order }, value as i128, width.into())
    };
    let (Some(head), Some(len)) = (int(tag, wanted as usize), int(length, value.len())) else {
        return Err(bad_value(key, format!("at most {} bytes", range(false, 8 * u32::from(length.0)).1)));
    };
    let at = last.map_or(content.len()..content.len(), |(whole, _)| whole);
    Ok(spliced(content, at, &[head, len, value].concat()))
}

/// An open map as it is in a frame.
struct OpenMap {
    field: FieldId,
    index: usize,
    /// Where its entries are, counted from the start of the content; and their keys.
    entries: Vec<(Range<usize>, String)>,
}

/// The bytes of one entry.
fn entry(content: &Content, part: Option<&Part>, key: &str, value: &Value<'_>) -> Outcome<Vec<u8>> {
    let text = value.to_text();
    match (content, part) {
        (Content::Protobuf(_), Some(part)) => {
            let number = part.path.last().copied().unwrap_or_default();
            let inner = [proto_bytes(1, key.as_bytes()), proto_bytes(2, text.as_bytes())].concat();
            Ok(proto_bytes(number, &inner))
        }
        (Content::Map { key: key_shape, value: value_shape, value_ty }, _) => {
            let mut bytes = element(key_shape, Ty::Text { padding: None }, key, key)?;
            bytes.extend(element(value_shape, *value_ty, &text, key)?);
            Ok(bytes)
        }
        _ => Err(not_writable(key, "it lies in a container that is only read")),
    }
}

fn element(shape: &Shape, ty: Ty, text: &str, key: &str) -> Outcome<Vec<u8>> {
    if ty.is_int() {
        let len = if let Shape::Fixed(len) = shape { *len as usize } else { 8 };
        let value = number(text).and_then(|value| encode(ty, value, len));
        return value.ok_or_else(|| bad_value(key, format!("an integer of {len} bytes")));
    }
    let bytes = if ty == Ty::Bytes {
        unhex(text).ok_or_else(|| bad_value(key, "bytes in hexadecimal"))?
    } else {
        text.as_bytes().to_vec()
    };
    let too_long = |max: i128| bad_value(key, format!("names and values of at most {max} bytes"));
    Ok(match shape {
        Shape::Prefixed { width, order } => {
            let ty = Ty::Int { signed: false, order: *order };
            let len = encode(ty, bytes.len() as i128, usize::from(*width));
            [len.ok_or_else(|| too_long(range(false, 8 * u32::from(*width)).1))?, bytes].concat()
        }
        Shape::VarintPrefixed => [varint(bytes.len() as u64), bytes].concat(),
        Shape::Terminated(end) => {
            let len = bytes.len();
            let all = [bytes, end.to_vec()].concat();
            if find(&all, end) != Some(len) {
                return Err(bad_value(key, "names and values without the bytes that end them"));
            }
            all
        }
        Shape::Fixed(len) if bytes.len() == *len as usize => bytes,
        Shape::Fixed(len) => return Err(bad_value(key, format!("names and values of exactly {len} bytes"))),
        Shape::Varint | Shape::Sized { .. } | Shape::Array { .. } => return Err(not_writable(key, "it has no length")),
    })
}

pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let text = text.as_bytes();
    if !text.len().is_multiple_of(2) || !text.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    text.chunks(2).map(pair).collect()
}

/// What a key's new value means for its field.
fn new_value(spec: &KeySpec, field: &Field, len: usize, value: &Value<'_>) -> Outcome<New> {
    let text = value.to_text();
    if field.ty.is_int() {
        let found = match (&spec.map, spec.format) {
            (Some(map), _) => map.value(&text),
            (None, Format::Ipv4) => text.parse::<Ipv4Addr>().ok().map(|address| i128::from(u32::from(address))),
            (None, Format::Bool) => match &*text {
                "true" | "1" => Some(1),
                "false" | "0" => Some(0),
                _ => None,
            },
            _ => number(&text),
        };
        return found.map(New::Int).ok_or_else(|| {
            let expected = match (&spec.map, spec.format) {
                (Some(_), _) => "one of the values that its description lists",
                (None, Format::Ipv4) => "an IPv4 address",
                (None, Format::Bool) => "true or false",
                _ => "an integer",
            };
            bad_value(&spec.name, expected)
        });
    }
    let raw = field.ty == Ty::Bytes && spec.format != Format::Text;
    let bytes = match (raw, spec.format) {
        (true, Format::Ipv4 | Format::Ipv6) if len == 16 => {
            text.parse::<Ipv6Addr>().ok().map(|address| address.octets().to_vec())
        }
        (true, Format::Ipv4 | Format::Ipv6) => text.parse::<Ipv4Addr>().ok().map(|address| address.octets().to_vec()),
        (true, _) => unhex(&text),
        (false, _) => Some(text.as_bytes().to_vec()),
    };
    bytes.map(New::Bytes).ok_or_else(|| bad_value(&spec.name, "bytes in hexadecimal, or an address where it is one"))
}

pub(crate) fn rewrite<'a>(
    codec: &SpecCodec,
    frame: Frame<'a>,
    edits: &Edits<'_>,
    limits: &Limits,
) -> Outcome<Segments<'a>> {
    if edits.is_empty() {
        return Ok(vec![Cow::Borrowed(frame.bytes)]);
    }
    let program = &codec.program;
    if let (Some(id), true, true) = (edits.request_id, edits.set.is_empty(), edits.remove.is_empty())
        && let Some(patched) = codec.with_slots(|slots| patched(program, slots, frame, id, limits))
    {
        return Ok(patched);
    }
    let way = direction(&frame.head);
    let mut slots = vec![Slot::ABSENT; usize::from(program.slots)];
    let deep = !(edits.set.is_empty() && edits.remove.is_empty());
    let view = fields::read(program, &mut slots, way, frame.head, frame.bytes, limits, deep)?;
    let mut draft = Draft::new(program, way);
    draft.items =
        ranges(program, &view).into_iter().map(|range| Some(Cow::Borrowed(frame.bytes.get(range?)?))).collect();
    edit_fields(program, &mut draft, &view, frame, edits, limits)?;
    if let Some(id) = edits.request_id {
        set_id(program, &mut draft, id)?;
    }

    let trailer_len = program.trailer_len as usize;
    let header_len = view.header_len;
    let trailer_at = frame.bytes.len().saturating_sub(trailer_len).max(header_len);
    let body = frame.bytes.get(header_len..trailer_at).unwrap_or_default();
    let trailer = frame.bytes.get(trailer_at..).unwrap_or_default();
    let total = draft.lengths(body.len())?;
    let max = limits.max_frame_len.min(program.max_frame_len);
    if total as u64 > max {
        return Err(EncodeError::TooLong { len: total as u64, max });
    }
    let (header, sealed) = draft.sealed(body, trailer)?;
    let first = edits.set.first().map(|(key, _)| *key).or(edits.remove.first().copied()).unwrap_or("request_id");
    confirm(program, way, limits, &header, body, total).map_err(|error| {
        bad_value(first, format!("a value that leaves a readable frame; this one would be {error}"))
    })?;
    Ok(segments(frame, header_len, trailer_at, header, sealed))
}

/// The frame with another request id, where that is a number that nothing else depends on: the bytes before it, its own and
/// the rest. `None` leaves it to the draft, which also says what is wrong.
fn patched<'a>(
    program: &Program,
    slots: &mut [Slot],
    frame: Frame<'a>,
    id: u64,
    limits: &Limits,
) -> Option<Segments<'a>> {
    let request_id = program.request_id.filter(|_| program.free_id)?;
    if frame.bytes.len() as u64 > limits.max_frame_len.min(program.max_frame_len) {
        return None;
    }
    let field = program.fields.get(usize::from(request_id))?;
    let Slot { at, len } = match field.place {
        Place::Fixed { at, len } => Slot { at, len },
        _ => fields::read(program, slots, direction(&frame.head), frame.head, frame.bytes, limits, false)
            .ok()?
            .slot(request_id)?,
    };
    let (at, len) = (at as usize, len as usize);
    let id = match field.ty {
        Ty::Int { signed: true, .. } => id.cast_signed().into(),
        _ => i128::from(id),
    };
    let own = encode(field.ty, id, len)?;
    let (before, rest) = (frame.header().get(..at)?, frame.bytes.get(at + len..)?);
    if frame.header().get(at..at + len)? == own {
        return Some(vec![Cow::Borrowed(frame.bytes)]);
    }
    let mut segments = Vec::with_capacity(3);
    let pieces = [Cow::Borrowed(before), Cow::Owned(own), Cow::Borrowed(rest)];
    segments.extend(pieces.into_iter().filter(|piece| !piece.is_empty()));
    Some(segments)
}

/// Whether a header says what it must of its frame.
pub(crate) fn confirm(
    program: &Program,
    direction: Direction,
    limits: &Limits,
    header: &[u8],
    body: &[u8],
    total: usize,
) -> Result<(), String> {
    let mut slots = vec![Slot::ABSENT; usize::from(program.slots)];
    let whole;
    let buf = if let Length::Delimiter(_) = program.length {
        whole = [header, body].concat();
        &whole
    } else {
        header
    };
    let mut walk = Walk { program, buf, direction, limits, slots: &mut slots, bounded: false, deep: true };
    match walk.measure(&mut Mark::NONE.clone()) {
        Ok(found) if found == (header.len(), total) => Ok(()),
        Ok((_, found)) => Err(format!("{found} bytes long by its own word, not {total}")),
        Err(Stop::Need(_)) => Err("longer than its own header".to_owned()),
        Err(Stop::Error(error)) => Err(format!("wrong {error}")),
    }
}

/// Borrowed runs around what differs.
fn segments<'a>(
    frame: Frame<'a>,
    header_len: usize,
    trailer_at: usize,
    header: Vec<u8>,
    trailer: Vec<u8>,
) -> Segments<'a> {
    let old = frame.bytes.get(..header_len).unwrap_or_default();
    let front = old.iter().zip(&header).take_while(|(old, new)| old == new).count();
    let room = old.len().min(header.len()) - front;
    let back = old.iter().rev().zip(header.iter().rev()).take(room).take_while(|(old, new)| old == new).count();
    let middle = header.get(front..header.len() - back).unwrap_or_default();
    let rest = header_len - back;
    let kept = frame.bytes.get(trailer_at..).unwrap_or_default() == trailer;
    let to = if kept { frame.bytes.len() } else { trailer_at };
    let mut segments: Segments<'a> = Vec::with_capacity(4);
    let pieces = [
        Cow::Borrowed(frame.bytes.get(..front).unwrap_or_default()),
        Cow::Owned(middle.to_vec()),
        Cow::Borrowed(frame.bytes.get(rest..to).unwrap_or_default()),
        if kept { Cow::Borrowed(&[][..]) } else { Cow::Owned(trailer) },
    ];
    segments.extend(pieces.into_iter().filter(|piece| !piece.is_empty()));
    segments
}

fn set_id(program: &Program, draft: &mut Draft<'_>, id: u64) -> Outcome<()> {
    const KEY: &str = "request_id";
    let Some(field) = program.request_id else {
        return Err(not_writable(KEY, "the protocol has no request ids"));
    };
    match program.fields.get(usize::from(field)).map(|field| field.ty) {
        Some(Ty::Int { signed: true, .. } | Ty::Varint { zigzag: true } | Ty::Twos) => {
            draft.set(field, &New::Int(id.cast_signed().into()), KEY)
        }
        Some(ty) if ty.is_int() => draft.set(field, &New::Int(id.into()), KEY),
        _ => Err(not_writable(KEY, "ids of this protocol are opaque bytes")),
    }
}

fn edit_fields(
    program: &Program,
    draft: &mut Draft<'_>,
    view: &View<'_>,
    frame: Frame<'_>,
    edits: &Edits<'_>,
    limits: &Limits,
) -> Outcome<()> {
    let known = |key: &str| {
        program.entries.iter().find_map(|entry| match entry {
            Entry::Key(spec) if *spec.name == *key => Some(spec),
            _ => None,
        })
    };
    let mut free: Vec<(&str, Option<&Value<'_>>)> = Vec::new();
    for key in &edits.remove {
        match known(key) {
            None => free.push((key, None)),
            Some(spec) if fields::has(program, spec, view, frame.bytes) => {
                let why = if spec.writable {
                    "frames always have it; set it to another value instead"
                } else {
                    "it follows from the frame and can only be read"
                };
                return Err(not_writable(key, why));
            }
            Some(_) => {}
        }
    }
    for (key, value) in &edits.set {
        let Some(spec) = known(key) else {
            free.push((key, Some(value)));
            continue;
        };
        let (Source::Field(id), true) = (&spec.source, spec.writable) else {
            return Err(not_writable(key, "its description only reads it"));
        };
        let Some(field) = program.fields.get(usize::from(*id)) else { continue };
        let len = view.slot(*id).map_or(0, |slot| slot.len as usize);
        let new = new_value(spec, field, len, value)?;
        draft.set(*id, &new, key)?;
    }
    if free.is_empty() { Ok(()) } else { edit_maps(program, draft, view, frame, &free, limits) }
}

/// Sets and removes entries of open maps.
fn edit_maps(
    program: &Program,
    draft: &mut Draft<'_>,
    view: &View<'_>,
    frame: Frame<'_>,
    edits: &[(&str, Option<&Value<'_>>)],
    limits: &Limits,
) -> Outcome<()> {
    let mut any = false;
    let mut maps: Vec<OpenMap> = Vec::new();
    for entry in &program.entries {
        let Entry::Spread { field, writable: true } = entry else { continue };
        any = true;
        let (Some(slot), Some(spec)) = (view.slot(*field), view.field(*field)) else { continue };
        let Some(index) = spec.item.map(usize::from) else { continue };
        // Parts are found anew in what earlier edits left; maps of their own are as they were.
        let base = slot.at as usize;
        let mut entries = Vec::new();
        fields::spread(program, *field, view, frame.bytes, limits, &mut |entry| {
            entries.push((entry.at.start - base..entry.at.end - base, entry.key.into_owned()));
            ControlFlow::Continue(())
        })?;
        maps.push(OpenMap { field: *field, index, entries });
    }
    for (key, value) in edits {
        if value.is_none() && !maps.iter().any(|map| map.entries.iter().any(|(_, known)| known == key)) {
            continue;
        }
        if !any {
            return Err(not_writable(key, "the protocol has no place for keys of one's own"));
        }
        if maps.is_empty() {
            return Err(not_writable(key, "this frame has no place for keys of one's own"));
        }
    }
    // A new key goes to the first map; one that is there stays where it is.
    for (nth, map) in maps.iter().enumerate() {
        let Some(item) = program.items.get(map.index) else { continue };
        let part = program
            .fields
            .get(usize::from(map.field))
            .and_then(|field| field.part)
            .and_then(|part| item.content.parts().get(usize::from(part)));
        let Some(slot) = view.slot(map.field) else { continue };
        let (from, to) = (slot.at as usize, slot.at as usize + slot.len as usize);
        let old = frame.bytes.get(from..to).unwrap_or_default();
        let mut content = Vec::with_capacity(old.len() + 64);
        let mut at = 0;
        let mut touched = false;
        for (place, key) in &map.entries {
            let Some((name, value)) = edits.iter().rev().find(|(name, _)| name == key) else { continue };
            content.extend_from_slice(old.get(at..place.start).unwrap_or_default());
            at = place.end;
            touched = true;
            let last =
                map.entries.iter().rev().find(|(_, other)| other == key).is_some_and(|(other, _)| other == place);
            if let (Some(value), true) = (value, last) {
                content.extend(entry(&item.content, part, name, value)?);
            }
        }
        content.extend_from_slice(old.get(at..).unwrap_or_default());
        for (index, (name, value)) in edits.iter().enumerate() {
            let later = edits.iter().skip(index + 1).any(|(other, _)| other == name);
            let there = maps.iter().any(|map| map.entries.iter().any(|(_, known)| known == name));
            if let Some(value) = value
                && !later
                && !there
                && nth == 0
            {
                content.extend(entry(&item.content, part, name, value)?);
                touched = true;
            }
        }
        if !touched {
            continue;
        }
        let key = edits.first().map_or("", |(key, _)| *key);
        match part {
            None => draft.replace(map.index, content, key)?,
            Some(part) => {
                let outer = part.path.split_last().map_or(&[][..], |(_, outer)| outer);
                if outer.is_empty() {
                    // Fields of the same message that were set before are in the draft, not in the frame.
                    if draft.changed.contains_key(&map.index) {
                        return Err(not_writable(key, "set it by itself, apart from other fields of the same message"));
                    }
                    draft.replace(map.index, content, key)?;
                } else {
                    let whole = draft.content(map.index).unwrap_or_default().to_vec();
                    let new = New::Bytes(content);
                    let message = proto_set(&whole, outer, Ty::Bytes, &new, key)?;
                    draft.replace(map.index, message, key)?;
                }
            }
        }
    }
    Ok(())
}
