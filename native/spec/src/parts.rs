//! Containers inside a header: finding their named parts, and walking open maps.
//!
//! Nothing here is trusted: every length is compared with what is left, nesting is bounded, and each byte is looked at a
//! number of times that does not depend on the frame.

use std::borrow::Cow;
use std::ops::{ControlFlow, Range};

use metaprotocol_core::{Cursor, DecodeError, Limits, Reason, lossy, protobuf};

use crate::model::{Content, Field, Order, Part, Place, Shape, Slot, Ty};
use crate::view::unsigned;

/// Deepest path of a part, and deepest nesting that is skipped whatever the limits say: skipping uses the stack.
pub(crate) const MAX_PATH: usize = 8;
const MAX_SKIPPED: u32 = 256;

pub(crate) type Outcome<T> = Result<T, DecodeError>;

/// What finding the parts of a container needs.
pub(crate) struct Finder<'f> {
    pub fields: &'f [Field],
    pub label: &'static str,
    pub limits: &'f Limits,
    pub slots: &'f mut [Slot],
    /// Which parts are looked for, a bit each.
    pub wanted: u64,
}

impl Finder<'_> {
    /// Finds the parts of the container that lies at `at`.
    pub fn find(&mut self, content: &Content, buf: &[u8], at: Range<usize>) -> Outcome<()> {
        let inner = buf.get(..at.end).unwrap_or(buf);
        match content {
            Content::Plain | Content::Map { .. } => Ok(()),
            Content::Tlv { tag, length, parts } => self.tlv(inner, at.start, *tag, *length, parts),
            Content::Protobuf(parts) => self.protobuf(inner, at, parts, &mut Path::default()),
            Content::Jce(parts) => {
                let mut cursor = Cursor::new(inner, at.start);
                while cursor.left() > 0 {
                    self.jce(&mut cursor, parts, &mut Path::default())?;
                }
                Ok(())
            }
            Content::Json(parts) => {
                let mut cursor = Cursor::new(inner, at.start);
                spaces(&mut cursor);
                if cursor.left() == 0 {
                    return Ok(());
                }
                self.json(&mut cursor, parts, 0, u64::MAX)?;
                spaces(&mut cursor);
                if cursor.left() > 0 { Err(self.broken(cursor.at())) } else { Ok(()) }
            }
        }
    }

    /// The parts that are looked for.
    fn wanted<'p>(&self, parts: &'p [Part]) -> impl Iterator<Item = &'p Part> + use<'p> {
        let wanted = self.wanted;
        parts.iter().enumerate().filter(move |(index, _)| wanted >> index & 1 == 1).map(|(_, part)| part)
    }

    fn broken(&self, at: usize) -> DecodeError {
        Reason::BadEncoding { field: self.label }.at(at)
    }

    fn note(&mut self, part: &Part, at: Range<usize>) {
        let place = self.fields.get(usize::from(part.field)).map(|field| field.place);
        if let Some(Place::Slot(number)) = place
            && let Some(slot) = self.slots.get_mut(usize::from(number))
            && let (Ok(start), Ok(len)) = (u32::try_from(at.start), u32::try_from(at.len()))
        {
            *slot = Slot { at: start, len };
        }
    }

    fn is(&self, part: &Part, wanted: impl Fn(Ty) -> bool) -> bool {
        self.fields.get(usize::from(part.field)).is_some_and(|field| wanted(field.ty))
    }

    fn tlv(&mut self, buf: &[u8], at: usize, tag: (u8, Order), length: (u8, Order), parts: &[Part]) -> Outcome<()> {
        let mut cursor = Cursor::new(buf, at);
        while cursor.left() > 0 {
            let number = take_int(&mut cursor, tag).map_err(|short| short.within(self.label))?;
            let len_at = cursor.at();
            let len = take_int(&mut cursor, length).map_err(|short| short.within(self.label))?;
            let start = cursor.at();
            let len = usize::try_from(len).ok().filter(|len| *len <= cursor.left()).ok_or_else(|| {
                Reason::BadLength { field: self.label, value: i64::try_from(len).unwrap_or(i64::MAX) }.at(len_at)
            })?;
            cursor.skip(len).map_err(|short| short.within(self.label))?;
            for part in self.wanted(parts) {
                if part.path.first().is_some_and(|wanted| u64::from(*wanted) == number) {
                    if self.is(part, Ty::is_int) && len > 8 {
                        return Err(Reason::BadLength { field: self.label, value: len as i64 }.at(len_at));
                    }
                    self.note(part, start..start + len);
                }
            }
        }
        Ok(())
    }

    fn protobuf(&mut self, buf: &[u8], at: Range<usize>, parts: &[Part], path: &mut Path) -> Outcome<()> {
        for part in
            self.wanted(parts).filter(|part| part.open && part.path.split_last().is_some_and(|(_, up)| *up == **path))
        {
            self.note(part, at.clone());
        }
        let message = buf.get(..at.end).unwrap_or(buf);
        let mut cursor = Cursor::new(message, at.start);
        while let Some(field) = protobuf::next(&mut cursor, self.label)? {
            path.push(field.number);
            let mut inside = false;
            for part in self.wanted(parts) {
                if *part.path == **path && !part.open {
                    let fits = match field.wire {
                        protobuf::VARINT => self.is(part, |ty| matches!(ty, Ty::Varint { .. } | Ty::Twos)),
                        protobuf::LEN => self.is(part, Ty::is_text),
                        _ => self.is(part, |ty| matches!(ty, Ty::Int { .. } | Ty::Float { .. })),
                    };
                    // A field of another type is an unknown field, as to all readers of protobuf.
                    if fits {
                        self.note(part, field.place());
                    }
                }
                inside |= field.wire == protobuf::LEN
                    && part.path.len() > path.len()
                    && part.path.starts_with(path)
                    && !(part.open && part.path.len() == path.len());
            }
            if inside && path.len() < MAX_PATH {
                self.protobuf(buf, field.place(), parts, path)?;
            }
            path.pop();
        }
        Ok(())
    }

    /// One field of JCE, its head included. Returns false at the end of a struct.
    fn jce(&mut self, cursor: &mut Cursor<'_>, parts: &[Part], path: &mut Path) -> Outcome<bool> {
        let start = cursor.at();
        let (tag, kind) = jce_head(cursor, self.label)?;
        if kind == jce::END {
            // The outermost fields are not wrapped in a struct.
            return if path.is_empty() { Err(self.broken(start)) } else { Ok(false) };
        }
        path.push(tag);
        let here = *path;
        let wanted = |part: &&Part| *part.path == *here;
        if kind == jce::BEGIN && path.len() < MAX_PATH && parts.iter().any(|part| part.path.starts_with(path)) {
            while self.jce(cursor, parts, path)? {}
        } else {
            let value = jce_value(cursor, kind, self.label, self.limits.max_nesting.min(MAX_SKIPPED))?;
            for part in self.wanted(parts).filter(wanted) {
                let fits = match kind {
                    0..=3 | jce::ZERO => self.is(part, Ty::is_int),
                    jce::STRING1 | jce::STRING4 | jce::SIMPLE => self.is(part, Ty::is_text),
                    _ => false,
                };
                if !fits {
                    return Err(self.broken(start));
                }
                self.note(part, value.clone());
            }
        }
        path.pop();
        Ok(true)
    }

    /// A value of JSON, `depth` names from the outside in; `among` has a bit for each part with these names.
    fn json(&mut self, cursor: &mut Cursor<'_>, parts: &[Part], depth: usize, among: u64) -> Outcome<()> {
        let start = cursor.at();
        let known = |among: u64| {
            parts.iter().enumerate().filter(move |(index, _)| among >> index & 1 == 1).map(|(_, part)| part)
        };
        let here = known(among & self.wanted).filter(|part| part.names.len() == depth);
        let inside = depth < MAX_PATH && known(among).any(|part| part.names.len() > depth);
        if cursor.peek() != Some(b'{') || !inside {
            let value = json_value(cursor, self.label, self.limits.max_nesting.min(MAX_SKIPPED))?;
            for part in here {
                let text = cursor_bytes(cursor, &value);
                let fits = match text.first() {
                    Some(b'"') => self.is(part, Ty::is_text),
                    Some(b'0'..=b'9' | b'-') => {
                        self.is(part, Ty::is_int) && text.iter().skip(1).all(u8::is_ascii_digit)
                    }
                    Some(b'{') => part.open,
                    // null, true and false: the part is not there.
                    _ => continue,
                };
                if !fits {
                    return Err(self.broken(start));
                }
                let quoted = text.first() == Some(&b'"');
                let inner = if quoted { value.start + 1..value.end - 1 } else { value.clone() };
                self.note(part, inner);
            }
            return Ok(());
        }
        json_object(cursor, self.label, &mut |cursor, name| {
            let name = unescaped(cursor_bytes(cursor, &name));
            let mut inner = among;
            for (index, part) in parts.iter().enumerate() {
                if part.names.get(depth).is_none_or(|known| **known != *name) {
                    inner &= !(1 << index);
                }
            }
            self.json(cursor, parts, depth + 1, inner)
        })?;
        for part in here.filter(|part| part.open) {
            self.note(part, start..cursor.at());
        }
        Ok(())
    }
}

/// Numbers from the outside in, without allocation.
#[derive(Clone, Copy, Default)]
struct Path {
    numbers: [u32; MAX_PATH + 1],
    len: usize,
}

impl Path {
    /// One step further in. Whoever goes beyond [`MAX_PATH`] has looked at the length before.
    fn push(&mut self, number: u32) {
        if let Some(place) = self.numbers.get_mut(self.len) {
            *place = number;
            self.len += 1;
        }
    }

    fn pop(&mut self) {
        self.len = self.len.saturating_sub(1);
    }
}

impl std::ops::Deref for Path {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        self.numbers.get(..self.len).unwrap_or_default()
    }
}

fn take_int(cursor: &mut Cursor<'_>, (width, order): (u8, Order)) -> Result<u64, metaprotocol_core::Short> {
    cursor.take(usize::from(width)).map(|bytes| unsigned(bytes, order))
}

fn cursor_bytes<'b>(cursor: &Cursor<'b>, at: &Range<usize>) -> &'b [u8] {
    // A cursor's own bytes, which it has passed already.
    cursor.bytes().get(at.clone()).unwrap_or_default()
}

/// The types of JCE that are not integers.
mod jce {
    pub const STRING1: u8 = 6;
    pub const STRING4: u8 = 7;
    pub const MAP: u8 = 8;
    pub const LIST: u8 = 9;
    pub const BEGIN: u8 = 10;
    pub const END: u8 = 11;
    pub const ZERO: u8 = 12;
    pub const SIMPLE: u8 = 13;
}

fn jce_head(cursor: &mut Cursor<'_>, label: &'static str) -> Outcome<(u32, u8)> {
    let head = cursor.u8().map_err(|short| short.within(label))?;
    let tag = match head >> 4 {
        15 => cursor.u8().map_err(|short| short.within(label))?,
        tag => tag,
    };
    Ok((tag.into(), head & 15))
}

/// Moves over a value of JCE, and says where its content is.
fn jce_value(cursor: &mut Cursor<'_>, kind: u8, label: &'static str, nesting: u32) -> Outcome<Range<usize>> {
    let start = cursor.at();
    let within = |short: metaprotocol_core::Short| short.within(label);
    let deeper = || {
        nesting.checked_sub(1).ok_or_else(|| {
            let max = u64::from(nesting);
            Reason::LimitExceeded { limit: "max_nesting", value: max + 1, max }.at(start)
        })
    };
    let mut at = start;
    match kind {
        0 => cursor.skip(1).map_err(within)?,
        1 => cursor.skip(2).map_err(within)?,
        2 | 4 => cursor.skip(4).map_err(within)?,
        3 | 5 => cursor.skip(8).map_err(within)?,
        jce::STRING1 | jce::STRING4 => {
            let width = if kind == jce::STRING1 { 1 } else { 4 };
            let len = take_int(cursor, (width, Order::Big)).map_err(within)? as usize;
            at = cursor.at();
            cursor.skip(len).map_err(within)?;
        }
        jce::MAP | jce::LIST => {
            let nesting = deeper()?;
            let count = jce_count(cursor, label)?;
            let each = if kind == jce::MAP { 2 } else { 1 };
            for _ in 0..u64::from(count) * each {
                let (_, kind) = jce_head(cursor, label)?;
                jce_value(cursor, kind, label, nesting)?;
            }
        }
        jce::BEGIN => {
            let nesting = deeper()?;
            loop {
                let (_, kind) = jce_head(cursor, label)?;
                if kind == jce::END {
                    break;
                }
                jce_value(cursor, kind, label, nesting)?;
            }
        }
        jce::ZERO => {}
        jce::SIMPLE => {
            let (_, inner) = jce_head(cursor, label)?;
            if inner != 0 {
                return Err(Reason::BadEncoding { field: label }.at(start));
            }
            let len = jce_count(cursor, label)? as usize;
            at = cursor.at();
            cursor.skip(len).map_err(within)?;
        }
        _ => return Err(Reason::BadEncoding { field: label }.at(start)),
    }
    Ok(at..cursor.at())
}

/// How many elements follow.
fn jce_count(cursor: &mut Cursor<'_>, label: &'static str) -> Outcome<u32> {
    let start = cursor.at();
    let (_, kind) = jce_head(cursor, label)?;
    let width = match kind {
        0 => 1,
        1 => 2,
        2 => 4,
        jce::ZERO => return Ok(0),
        _ => return Err(Reason::BadEncoding { field: label }.at(start)),
    };
    let bytes = cursor.take(width).map_err(|short| short.within(label))?;
    let value = crate::view::decode(Ty::Int { signed: true, order: Order::Big }, bytes).unwrap_or(-1);
    u32::try_from(value).map_err(|_| Reason::BadLength { field: label, value: value as i64 }.at(start))
}

fn spaces(cursor: &mut Cursor<'_>) {
    while matches!(cursor.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
        // There is a byte, so it can be skipped.
        let _ = cursor.skip(1);
    }
}

/// Moves over a string of JSON; gives what stands between its quotes.
fn json_string(cursor: &mut Cursor<'_>, label: &'static str) -> Outcome<Range<usize>> {
    let broken = |at| Reason::BadEncoding { field: label }.at(at);
    if cursor.u8() != Ok(b'"') {
        return Err(broken(cursor.at()));
    }
    let start = cursor.at();
    loop {
        match cursor.u8() {
            Ok(b'"') => return Ok(start..cursor.at() - 1),
            Ok(b'\\') => cursor.skip(1).map_err(|short| short.within(label))?,
            Ok(_) => {}
            Err(short) => return Err(short.within(label)),
        }
    }
}

/// Moves over an object; `visit` is called behind each name, and moves over its value.
fn json_object(
    cursor: &mut Cursor<'_>,
    label: &'static str,
    visit: &mut dyn FnMut(&mut Cursor<'_>, Range<usize>) -> Outcome<()>,
) -> Outcome<()> {
    let _ = cursor.skip(1);
    spaces(cursor);
    if cursor.peek() == Some(b'}') {
        let _ = cursor.skip(1);
        return Ok(());
    }
    loop {
        spaces(cursor);
        let name = json_string(cursor, label)?;
        spaces(cursor);
        let colon = cursor.at();
        if cursor.u8() != Ok(b':') {
            return Err(Reason::BadEncoding { field: label }.at(colon));
        }
        spaces(cursor);
        visit(cursor, name)?;
        spaces(cursor);
        let at = cursor.at();
        match cursor.u8() {
            Ok(b',') => {}
            Ok(b'}') => return Ok(()),
            _ => return Err(Reason::BadEncoding { field: label }.at(at)),
        }
    }
}

/// Moves over any value of JSON.
fn json_value(cursor: &mut Cursor<'_>, label: &'static str, nesting: u32) -> Outcome<Range<usize>> {
    let start = cursor.at();
    let broken = |at| Err(Reason::BadEncoding { field: label }.at(at));
    let deeper = || {
        nesting.checked_sub(1).ok_or_else(|| {
            let max = u64::from(nesting);
            Reason::LimitExceeded { limit: "max_nesting", value: max + 1, max }.at(start)
        })
    };
    match cursor.peek() {
        Some(b'"') => {
            json_string(cursor, label)?;
        }
        Some(b'{') => {
            let nesting = deeper()?;
            json_object(cursor, label, &mut |cursor, _| json_value(cursor, label, nesting).map(|_| ()))?;
        }
        Some(b'[') => {
            let nesting = deeper()?;
            let _ = cursor.skip(1);
            spaces(cursor);
            if cursor.peek() == Some(b']') {
                let _ = cursor.skip(1);
                return Ok(start..cursor.at());
            }
            loop {
                spaces(cursor);
                json_value(cursor, label, nesting)?;
                spaces(cursor);
                let at = cursor.at();
                match cursor.u8() {
                    Ok(b',') => {}
                    Ok(b']') => break,
                    _ => return broken(at),
                }
            }
        }
        Some(b'-' | b'0'..=b'9' | b'a'..=b'z') => {
            while matches!(cursor.peek(), Some(b'-' | b'+' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'E')) {
                let _ = cursor.skip(1);
            }
            let word = cursor_bytes(cursor, &(start..cursor.at()));
            let number = std::str::from_utf8(word).is_ok_and(|word| word.parse::<f64>().is_ok_and(f64::is_finite));
            if !number && !matches!(word, b"true" | b"false" | b"null") {
                return broken(start);
            }
        }
        _ => return broken(start),
    }
    Ok(start..cursor.at())
}

/// The text of a JSON string; escapes that mean nothing become U+FFFD.
pub(crate) fn unescaped(raw: &[u8]) -> Cow<'_, str> {
    if !raw.contains(&b'\\') {
        return lossy(raw);
    }
    let text = lossy(raw);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_ref();
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let unit = |from: usize| {
            let digits = escape.get(from..)?.strip_prefix("\\u")?.get(..4)?;
            u16::from_str_radix(digits, 16).ok()
        };
        let mut len = 2;
        match escape.as_bytes().get(1) {
            Some(b'n') => out.push('\n'),
            Some(b't') => out.push('\t'),
            Some(b'r') => out.push('\r'),
            Some(b'b') => out.push('\u{8}'),
            Some(b'f') => out.push('\u{c}'),
            Some(b'u') => {
                let units = [unit(0), unit(6)];
                let pair = units.iter().copied().flatten();
                match char::decode_utf16(pair).next() {
                    Some(Ok(character)) => {
                        out.push(character);
                        len = if character.len_utf16() == 2 { 12 } else { 6 };
                    }
                    Some(Err(_)) => {
                        out.push(char::REPLACEMENT_CHARACTER);
                        len = 6;
                    }
                    None => out.push(char::REPLACEMENT_CHARACTER),
                }
            }
            Some(b'"' | b'\\' | b'/') => out.push_str(escape.get(1..2).unwrap_or_default()),
            _ => out.push(char::REPLACEMENT_CHARACTER),
        }
        while !escape.is_char_boundary(len.min(escape.len())) {
            len += 1;
        }
        rest = escape.get(len..).unwrap_or_default();
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// One entry of an open map.
pub(crate) struct OpenEntry<'a> {
    pub key: Cow<'a, str>,
    /// The value's bytes, and how they are read.
    pub value: &'a [u8],
    pub ty: Ty,
    /// The whole entry.
    pub at: Range<usize>,
}

/// Walks an open map, which lies at `at`. Values that are neither texts nor numbers are passed over.
pub(crate) fn entries<'a>(
    content: &Content,
    part: Option<&Part>,
    buf: &'a [u8],
    at: Range<usize>,
    label: &'static str,
    limits: &Limits,
    visit: &mut dyn FnMut(OpenEntry<'a>) -> ControlFlow<()>,
) -> Outcome<()> {
    let inner = buf.get(..at.end).unwrap_or(buf);
    let mut cursor = Cursor::new(inner, at.start);
    let mut count = 0;
    let mut counted = |at: usize| {
        count += 1;
        let max = limits.max_field_count;
        let over = Reason::LimitExceeded { limit: "max_field_count", value: count, max: max.into() };
        if count > u64::from(max) { Err(over.at(at)) } else { Ok(()) }
    };
    match (content, part) {
        (Content::Map { key, value, value_ty }, _) => {
            while cursor.left() > 0 {
                let start = cursor.at();
                counted(start)?;
                let key = element(key, &mut cursor, label)?;
                let value = element(value, &mut cursor, label)?;
                let entry = OpenEntry {
                    key: lossy(inner.get(key).unwrap_or_default()),
                    value: inner.get(value).unwrap_or_default(),
                    ty: *value_ty,
                    at: start..cursor.at(),
                };
                if visit(entry).is_break() {
                    return Ok(());
                }
            }
        }
        (Content::Protobuf(_), Some(part)) => {
            let wanted = part.path.last().copied();
            while let Some(field) = protobuf::next(&mut cursor, label)? {
                let (start, place) = (field.at, field.place());
                if Some(field.number) != wanted || field.wire != protobuf::LEN {
                    continue;
                }
                counted(start)?;
                let broken = Reason::BadEncoding { field: label }.at(start);
                let message = inner.get(..place.end).unwrap_or(inner);
                let mut entry = Cursor::new(message, place.start);
                let (mut key, mut value, mut ty) = (0..0, 0..0, Ty::Text { padding: None });
                while let Some(field) = protobuf::next(&mut entry, label)? {
                    match (field.number, field.wire) {
                        (1, protobuf::LEN) => key = field.place(),
                        (2, protobuf::LEN) => value = field.place(),
                        (2, protobuf::VARINT) => (value, ty) = (field.place(), Ty::Varint { zigzag: false }),
                        (1 | 2, _) => return Err(broken),
                        _ => {}
                    }
                }
                let entry = OpenEntry {
                    key: lossy(inner.get(key).unwrap_or_default()),
                    value: inner.get(value).unwrap_or_default(),
                    ty,
                    at: start..cursor.at(),
                };
                if visit(entry).is_break() {
                    return Ok(());
                }
            }
        }
        (Content::Json(_), _) => {
            let mut stopped = false;
            json_object(&mut cursor, label, &mut |cursor, name| {
                let start = cursor.at();
                if !stopped {
                    counted(start)?;
                }
                let place = json_value(cursor, label, limits.max_nesting.min(MAX_SKIPPED))?;
                let text = inner.get(place).unwrap_or_default();
                let (value, ty) = match text {
                    [b'"', value @ .., b'"'] => (value, Ty::Escaped),
                    [b'0'..=b'9' | b'-', ..] if crate::view::decode(Ty::Digits, text).is_some() => (text, Ty::Digits),
                    // Other numbers, true and false as they are written; null and nested values are not shown.
                    [b'{' | b'[' | b'n', ..] => return Ok(()),
                    other => (other, Ty::Text { padding: None }),
                };
                let key = unescaped(inner.get(name).unwrap_or_default());
                if !stopped {
                    stopped = visit(OpenEntry { key, value, ty, at: start..cursor.at() }).is_break();
                }
                Ok(())
            })?;
        }
        _ => {}
    }
    Ok(())
}

/// Moves over a key or a value of a map; gives its content.
pub(crate) fn element(shape: &Shape, cursor: &mut Cursor<'_>, label: &'static str) -> Outcome<Range<usize>> {
    let within = |short: metaprotocol_core::Short| short.within(label);
    let len = match shape {
        Shape::Fixed(len) => *len as usize,
        Shape::Prefixed { width, order } => {
            let at = cursor.at();
            let len = take_int(cursor, (*width, *order)).map_err(within)?;
            usize::try_from(len).ok().filter(|len| *len <= cursor.left()).ok_or_else(|| {
                Reason::BadLength { field: label, value: i64::try_from(len).unwrap_or(i64::MAX) }.at(at)
            })?
        }
        Shape::VarintPrefixed => {
            let at = cursor.at();
            let len = cursor.varint(10).map_err(|error| error.within(label))?;
            usize::try_from(len).ok().filter(|len| *len <= cursor.left()).ok_or_else(|| {
                Reason::BadLength { field: label, value: i64::try_from(len).unwrap_or(i64::MAX) }.at(at)
            })?
        }
        Shape::Varint => {
            let start = cursor.at();
            cursor.varint(10).map_err(|error| error.within(label))?;
            return Ok(start..cursor.at());
        }
        Shape::Terminated(end) => {
            let start = cursor.at();
            let Some(len) = find(cursor.rest(), end) else {
                return Err(Reason::UnexpectedEnd { field: label }.at(start));
            };
            cursor.skip(len + end.len()).map_err(within)?;
            return Ok(start..start + len);
        }
        Shape::Sized { .. } | Shape::Array { .. } => 0,
    };
    let start = cursor.at();
    cursor.skip(len).map_err(within)?;
    Ok(start..start + len)
}

/// Where `end` first begins.
pub(crate) fn find(bytes: &[u8], end: &[u8]) -> Option<usize> {
    match end {
        [] => None,
        [byte] => bytes.iter().position(|other| other == byte),
        _ => bytes.windows(end.len()).position(|window| window == end),
    }
}
