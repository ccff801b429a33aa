//! Metas: protobuf messages of one level of nesting at most, read by tables of keys and edited by splicing.
//!
//! The protocols of a bRPC port differ in their headers and in the numbers of their fields; how a key is found in a
//! field, and how a field is replaced, is the same, and stands here once.
//!
//! Protobuf's own rules hold: of a field that comes again the last one counts, a nested message that comes again is merged
//! with the earlier one, and a field of another wire type than its own is an unknown field. Unknown fields are passed over
//! in reading, and kept in writing.

use std::borrow::Cow;
use std::ops::{ControlFlow, Range};

use metaprotocol_core::protobuf::{self, Field, LEN, VARINT};
use metaprotocol_core::{
    Cursor, DecodeError, Edits, EncodeError, ErrorType, Key, KeyInfo, Limits, Patch, Reason, Value, Visit,
};

/// Where a field stands in a meta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// The message that holds it.
    pub parent: Parent,
    /// Its number in that message.
    pub number: u32,
}

/// The message that holds a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parent {
    /// The meta itself.
    Meta,
    /// The nested message of this number; if it comes again it is merged.
    Nested(u32),
    /// The first of the repeated messages of this number, below 64; the others are not looked at.
    First(u32),
}

impl Parent {
    /// The number of the field that nests it; 0 for the meta itself.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::Meta => 0,
            Self::Nested(number) | Self::First(number) => number,
        }
    }
}

/// How a field reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum As {
    /// Text; what is not UTF-8 reads as U+FFFD.
    Text,
    /// Text, but for what [`is_entry`]: two dialects use one number for different things.
    TextNoEntry,
    /// How many bytes it has.
    Size,
    /// A 32-bit number, or an enumeration.
    Int32,
    /// A 64-bit number.
    Int64,
    /// A 32-bit number without sign.
    UInt32,
    /// A 64-bit number without sign.
    UInt64,
    /// A 32-bit number in zigzag.
    SInt32,
    /// 0 or 1.
    Bool,
    /// An enumeration, by the names of its values.
    Name(&'static [&'static str]),
}

impl As {
    /// The wire type of such a field.
    #[must_use]
    pub const fn wire(self) -> u8 {
        if matches!(self, Self::Text | Self::TextNoEntry | Self::Size) { LEN } else { VARINT }
    }

    /// True if a field can be read so; else it is another field, or none that is known.
    #[inline]
    #[must_use]
    pub fn fits(self, field: &Field<'_>) -> bool {
        field.wire == self.wire() && (self != Self::TextNoEntry || !is_entry(field.bytes))
    }

    /// The value of such a field.
    #[must_use]
    pub fn value<'a>(self, field: &Field<'a>) -> Value<'a> {
        let number = field.value;
        match self {
            Self::Text | Self::TextNoEntry => Value::Str(String::from_utf8_lossy(field.bytes)),
            Self::Size => Value::UInt(field.bytes.len() as u64),
            Self::Int32 => Value::Int((number as i32).into()),
            Self::Int64 => Value::Int(number.cast_signed()),
            Self::UInt32 => Value::UInt((number as u32).into()),
            Self::UInt64 => Value::UInt(number),
            Self::SInt32 => Value::Int((unzigzag(number) as i32).into()),
            Self::Bool => Value::Int((number != 0).into()),
            Self::Name(names) => match usize::try_from(number).ok().and_then(|number| names.get(number)) {
                Some(name) => Value::str(name),
                None => Value::Str(Cow::Owned((number as i32).to_string())),
            },
        }
    }

    /// The bytes of a field of this number that holds `value`.
    ///
    /// # Errors
    /// [`EncodeError::BadValue`] if the field cannot hold it.
    pub fn encode(self, number: u32, key: &str, value: &Value<'_>) -> Result<Vec<u8>, EncodeError> {
        let mut out = Vec::new();
        if self.wire() == LEN {
            protobuf::push_bytes(&mut out, number, value.to_text().as_bytes());
            return Ok(out);
        }
        let wanted = match value {
            Value::Int(number) => Some(i128::from(*number)),
            Value::UInt(number) => Some(i128::from(*number)),
            Value::Str(text) => text.parse().ok(),
        };
        let (range, expected) = match self {
            Self::Int32 | Self::SInt32 => (i32::MIN.into()..=i32::MAX.into(), "a number of 32 bits"),
            Self::UInt32 => (0..=u32::MAX.into(), "a number of 32 bits without sign"),
            Self::UInt64 => (0..=u64::MAX.into(), "a number of 64 bits without sign"),
            Self::Bool => (0..=1, "0 or 1"),
            _ => (i64::MIN.into()..=i64::MAX.into(), "a number of 64 bits"),
        };
        match wanted.filter(|wanted| range.contains(wanted)) {
            Some(wanted) => {
                let wire = if self == Self::SInt32 { zigzag(wanted as i64) } else { wanted as u64 };
                protobuf::push_number(&mut out, number, wire);
                Ok(out)
            }
            None => Err(EncodeError::BadValue { key: key.to_owned(), expected: expected.into() }),
        }
    }
}

/// A signed number as protobuf's `sint32` and `sint64` have it.
#[must_use]
pub const fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63).cast_unsigned()
}

/// The other way.
#[must_use]
pub const fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}

/// Requests have the key.
pub const REQUEST: u8 = 1;
/// Responses have the key.
pub const RESPONSE: u8 = 2;
/// Frames of streams have the key.
pub const STREAM: u8 = 4;
/// Responses within a frame of a stream have the key.
pub const WRAPPED: u8 = 8;

/// A field that holds the value of a key.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    /// The kinds of frames that have it: [`REQUEST`], [`RESPONSE`], [`STREAM`], [`WRAPPED`].
    pub on: u8,
    /// The field.
    pub path: Path,
    /// How it reads.
    pub read_as: As,
}

/// A slot in the meta itself.
#[must_use]
pub const fn field(on: u8, number: u32, read_as: As) -> Slot {
    Slot { on, path: Path { parent: Parent::Meta, number }, read_as }
}

/// A slot in a nested message.
#[must_use]
pub const fn nested(on: u8, parent: u32, number: u32, read_as: As) -> Slot {
    Slot { on, path: Path { parent: Parent::Nested(parent), number }, read_as }
}

/// A slot in the first of repeated messages.
#[must_use]
pub const fn first(on: u8, parent: u32, number: u32, read_as: As) -> Slot {
    Slot { on, path: Path { parent: Parent::First(parent), number }, read_as }
}

/// The keys of a codec and where they are found.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// The keys; the position of each is its number in [`Key`].
    pub keys: &'static [KeyInfo],
    /// As many lists of the fields that a key is found in. It is empty if the codec computes the key.
    pub slots: &'static [&'static [Slot]],
}

/// Makes a [`Table`] of pairs of a key and its slots.
#[macro_export]
macro_rules! table {
    ($($key:expr => [$($slot:expr),*]),+ $(,)?) => {
        $crate::meta::Table { keys: &[$($key),+], slots: &[$(&[$($slot),*]),+] }
    };
}

impl Table {
    /// The number of a key, [`Key::DYNAMIC`] if the table lacks it.
    #[must_use]
    pub fn id(&self, name: &str) -> u16 {
        self.keys.iter().position(|known| known.name == name).map_or(Key::DYNAMIC, |at| at as u16)
    }

    /// Resolves a key.
    #[must_use]
    pub fn key(&self, name: &str) -> Key {
        Key { name: name.into(), id: self.id(name) }
    }

    /// Where frames of these kinds have the key of this number.
    #[must_use]
    pub fn slot(&self, id: u16, on: u8) -> Option<&'static Slot> {
        self.slots.get(usize::from(id))?.iter().find(|slot| slot.on & on != 0)
    }

    /// The value of the key of this number in a message of frames of these kinds.
    ///
    /// # Errors
    /// [`DecodeError`] if the message cannot be read.
    #[inline]
    pub fn value<'a>(&self, id: u16, on: u8, message: Message<'a>) -> Result<Option<Value<'a>>, DecodeError> {
        let Some(slot) = self.slot(id, on) else { return Ok(None) };
        Ok(message.find(slot.path, slot.read_as)?.map(|field| slot.read_as.value(&field)))
    }

    /// Visits the keys that a field holds.
    #[inline]
    fn show<'a>(&self, on: u8, parent: u32, field: &Field<'a>, visit: &mut Visit<'_, 'a>) -> ControlFlow<()> {
        for (key, slots) in self.keys.iter().zip(self.slots) {
            for slot in *slots {
                if slot.path.number == field.number
                    && slot.path.parent.number() == parent
                    && slot.on & on != 0
                    && slot.read_as.fits(field)
                {
                    visit(&key.name, slot.read_as.value(field))?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// The nested messages of this number, as far as frames of these kinds have keys in them.
    fn parent(&self, on: u8, number: u32) -> Option<Parent> {
        let mut slots = self.slots.iter().copied().flatten();
        slots
            .find(|slot| slot.on & on != 0 && slot.path.parent.number() == number && number != 0)
            .map(|slot| slot.path.parent)
    }

    /// Visits the keys of every field of a message, in its order, and shows `other` each field, with the number of the
    /// message that nests it, 0 if none does.
    ///
    /// # Errors
    /// [`DecodeError`] if the message cannot be read.
    pub fn walk<'a>(
        &self,
        on: u8,
        message: Message<'a>,
        visit: &mut Visit<'_, 'a>,
        other: &mut dyn FnMut(u32, &Field<'a>, &mut Visit<'_, 'a>) -> Result<ControlFlow<()>, DecodeError>,
    ) -> Result<ControlFlow<()>, DecodeError> {
        let mut cursor = message.cursor;
        // A bit for each of the repeated messages of which only the first counts.
        let mut seen = 0_u64;
        while let Some(field) = message.next(&mut cursor)? {
            if self.show(on, 0, &field, visit).is_break() || other(0, &field, visit)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            let bit = 1_u64.checked_shl(field.number).unwrap_or(0);
            match if field.wire == LEN { self.parent(on, field.number) } else { None } {
                None => continue,
                Some(Parent::First(_)) if seen & bit != 0 => continue,
                Some(_) => seen |= bit,
            }
            let inner = message.inner(&field);
            let mut cursor = inner.cursor;
            while let Some(nested) = inner.next(&mut cursor)? {
                let parent = field.number;
                if self.show(on, parent, &nested, visit).is_break() || other(parent, &nested, visit)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// A message within a frame.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    cursor: Cursor<'a>,
    name: &'static str,
}

impl<'a> Message<'a> {
    /// The message at this place of a frame; `name` is what errors call it.
    #[must_use]
    pub fn new(frame: &'a [u8], place: Range<usize>, name: &'static str) -> Self {
        Self { cursor: Cursor::new(frame.get(..place.end).unwrap_or(frame), place.start), name }
    }

    /// The message that a field holds.
    #[must_use]
    pub fn inner(&self, field: &Field<'a>) -> Self {
        Self::new(self.cursor.bytes(), field.place(), self.name)
    }

    /// Where it begins and ends in the frame.
    #[must_use]
    pub const fn place(&self) -> Range<usize> {
        self.cursor.at()..self.cursor.bytes().len()
    }

    /// Its fields from the first on.
    #[must_use]
    pub const fn cursor(&self) -> Cursor<'a> {
        self.cursor
    }

    /// The field at a cursor of this message; `None` at its end.
    ///
    /// # Errors
    /// [`DecodeError`] at the place in the frame if there is none.
    #[inline]
    pub fn next(&self, cursor: &mut Cursor<'a>) -> Result<Option<Field<'a>>, DecodeError> {
        protobuf::next(cursor, self.name)
    }

    /// The field that counts, of this number.
    ///
    /// # Errors
    /// [`DecodeError`] if the message cannot be read.
    #[inline]
    pub fn last(&self, number: u32, read_as: As) -> Result<Option<Field<'a>>, DecodeError> {
        let mut cursor = self.cursor;
        let mut found = None;
        while let Some(field) = self.next(&mut cursor)? {
            if field.number == number && read_as.fits(&field) {
                found = Some(field);
            }
        }
        Ok(found)
    }

    /// As [`Self::last`], of a path.
    ///
    /// # Errors
    /// [`DecodeError`] if the message, or what it nests there, cannot be read.
    #[inline]
    pub fn find(&self, path: Path, read_as: As) -> Result<Option<Field<'a>>, DecodeError> {
        Ok(self.find_in(path, read_as)?.map(|(_, field)| field))
    }

    /// As [`Self::find`], with the field that nests it.
    fn find_in(&self, path: Path, read_as: As) -> Result<Option<Found<'a>>, DecodeError> {
        let (Parent::Nested(parent) | Parent::First(parent)) = path.parent else {
            return Ok(self.last(path.number, read_as)?.map(|field| (None, field)));
        };
        let mut cursor = self.cursor;
        let mut found = None;
        while let Some(outer) = self.next(&mut cursor)? {
            if outer.number == parent && outer.wire == LEN {
                let inner = self.inner(&outer).last(path.number, read_as)?;
                found = inner.map(|field| (Some(outer), field)).or(found);
                if let Parent::First(_) = path.parent {
                    break;
                }
            }
        }
        Ok(found)
    }
}

/// The field that nests another one, if it is nested, and that one.
type Found<'a> = (Option<Field<'a>>, Field<'a>);

/// A field of a user's own: a message of a key (1) and a value (2), as in `map<string, string>`. What is lacking is empty.
///
/// # Errors
/// [`DecodeError`] if it cannot be read.
pub fn entry<'a>(message: Message<'a>) -> Result<(&'a [u8], &'a [u8]), DecodeError> {
    let mut cursor = message.cursor();
    let (mut key, mut value): (&[u8], &[u8]) = (&[], &[]);
    while let Some(field) = message.next(&mut cursor)? {
        match (field.number, field.wire) {
            (1, LEN) => key = field.bytes,
            (2, LEN) => value = field.bytes,
            _ => {}
        }
    }
    Ok((key, value))
}

/// True if these bytes are a key (1) and perhaps a value (2), in this order and nothing else. Text would have to begin with a
/// line feed.
#[must_use]
pub fn is_entry(bytes: &[u8]) -> bool {
    let mut cursor = Cursor::new(bytes, 0);
    let mut expected = 1;
    while cursor.left() > 0 {
        match protobuf::next(&mut cursor, "entry") {
            Ok(Some(field)) if field.number == expected && field.wire == LEN => expected += 1,
            _ => return false,
        }
    }
    matches!(expected, 2 | 3)
}

/// Counts the users' fields of a frame.
#[derive(Clone, Copy, Debug)]
pub struct Count {
    seen: u32,
    max: u32,
}

impl Count {
    /// None yet.
    #[must_use]
    pub const fn new(limits: &Limits) -> Self {
        Self { seen: 0, max: limits.max_field_count }
    }

    /// One more, at this offset.
    ///
    /// # Errors
    /// [`Reason::LimitExceeded`] if it is one too many.
    pub fn one(&mut self, at: usize) -> Result<(), DecodeError> {
        self.seen += 1;
        if self.seen > self.max {
            let (value, max) = (self.seen.into(), self.max.into());
            return Err(Reason::LimitExceeded { limit: "max_field_count", value, max }.at(at));
        }
        Ok(())
    }
}

/// Shows a user's field, unless a key of the protocol's own hides it.
///
/// # Errors
/// [`DecodeError`] if the field cannot be read, or is one too many.
pub fn show_entry<'a>(
    table: &Table,
    message: Message<'a>,
    count: &mut Count,
    visit: &mut Visit<'_, 'a>,
) -> Result<ControlFlow<()>, DecodeError> {
    count.one(message.place().start)?;
    let (key, value) = entry(message)?;
    let key = String::from_utf8_lossy(key);
    Ok(if table.id(&key) != Key::DYNAMIC {
        ControlFlow::Continue(())
    } else {
        visit(&key, Value::Str(String::from_utf8_lossy(value)))
    })
}

/// Edits of one message: gathered one by one, made into patches in the end.
#[derive(Debug)]
pub struct Splice<'a> {
    message: Message<'a>,
    /// Changes within nested messages, each with the field that nests it.
    inner: Vec<(Field<'a>, Patch)>,
    outer: Vec<Patch>,
    /// What is added at the end of the message.
    tail: Vec<u8>,
}

impl<'a> Splice<'a> {
    /// No edits yet.
    #[must_use]
    pub const fn new(message: Message<'a>) -> Self {
        Self { message, inner: Vec::new(), outer: Vec::new(), tail: Vec::new() }
    }

    /// Puts these bytes in the place of a field.
    pub fn replace(&mut self, parent: Option<Field<'a>>, at: Range<usize>, with: Vec<u8>) {
        match parent {
            Some(parent) => self.inner.push((parent, Patch { at, with })),
            None => self.outer.push(Patch { at, with }),
        }
    }

    /// Adds a field that is not there.
    ///
    /// # Errors
    /// [`DecodeError`] if the message cannot be read.
    pub fn add(&mut self, parent: Parent, with: &[u8]) -> Result<(), DecodeError> {
        let (Parent::Nested(number) | Parent::First(number)) = parent else {
            self.tail.extend_from_slice(with);
            return Ok(());
        };
        let mut cursor = self.message.cursor();
        let mut nests = None;
        while let Some(field) = self.message.next(&mut cursor)? {
            let stays = matches!(parent, Parent::First(_)) && nests.is_some();
            if field.number == number && field.wire == LEN && !stays {
                nests = Some(field);
            }
        }
        match nests {
            Some(nests) => self.inner.push((nests, Patch { at: nests.end..nests.end, with: with.to_vec() })),
            // Merged with any other that is added so.
            None => protobuf::push_bytes(&mut self.tail, number, with),
        }
        Ok(())
    }

    /// Sets a field to what `encoded` holds, its tag included.
    ///
    /// # Errors
    /// [`DecodeError`] if the message cannot be read.
    pub fn set(&mut self, path: Path, read_as: As, encoded: Vec<u8>) -> Result<(), DecodeError> {
        match self.message.find_in(path, read_as)? {
            Some((parent, field)) => self.replace(parent, field.at..field.end, encoded),
            None => self.add(path.parent, &encoded)?,
        }
        Ok(())
    }

    /// Takes a field away, wherever it stands.
    ///
    /// # Errors
    /// [`DecodeError`] if the message cannot be read.
    pub fn remove(&mut self, path: Path, read_as: As) -> Result<(), DecodeError> {
        let unwanted = |field: &Field<'_>| field.number == path.number && read_as.fits(field);
        let mut cursor = self.message.cursor();
        while let Some(field) = self.message.next(&mut cursor)? {
            match path.parent {
                Parent::Meta if unwanted(&field) => self.replace(None, field.at..field.end, Vec::new()),
                Parent::Nested(number) | Parent::First(number) if field.number == number && field.wire == LEN => {
                    let inner = self.message.inner(&field);
                    let mut cursor = inner.cursor();
                    while let Some(nested) = inner.next(&mut cursor)? {
                        if unwanted(&nested) {
                            self.replace(Some(field), nested.at..nested.end, Vec::new());
                        }
                    }
                    if let Parent::First(_) = path.parent {
                        break;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Sets a user's field where it stands: `field`, in `parent`, with this key. What else it holds is kept.
    ///
    /// # Errors
    /// [`DecodeError`] if it cannot be read.
    pub fn set_entry(&mut self, parent: Option<Field<'a>>, field: &Field<'a>, value: &str) -> Result<(), DecodeError> {
        let message = self.message.inner(field);
        let mut cursor = message.cursor();
        let mut content = Vec::with_capacity(field.bytes.len() + value.len());
        while let Some(inner) = message.next(&mut cursor)? {
            if (inner.number, inner.wire) != (2, LEN) {
                content.extend_from_slice(message.cursor().bytes().get(inner.at..inner.end).unwrap_or_default());
            }
        }
        protobuf::push_bytes(&mut content, 2, value.as_bytes());
        let mut with = Vec::with_capacity(content.len() + 4);
        protobuf::push_bytes(&mut with, field.number, &content);
        self.replace(parent, field.at..field.end, with);
        Ok(())
    }

    /// The patches, those of lengths of nested messages included, and how much longer the message becomes.
    #[must_use]
    pub fn finish(self) -> (Vec<Patch>, isize) {
        let Self { message, mut inner, outer, tail } = self;
        inner.sort_by_key(|(parent, _)| parent.at);
        let mut lengths = Vec::new();
        for changes in inner.chunk_by(|(one, _), (other, _)| one.at == other.at) {
            let Some((parent, _)) = changes.first() else { continue };
            let len = parent.bytes.len().saturating_add_signed(growth(changes.iter().map(|(_, patch)| patch)));
            let mut with = Vec::with_capacity(8);
            protobuf::push_varint(&mut with, u64::from(parent.number) << 3 | u64::from(LEN));
            protobuf::push_varint(&mut with, len as u64);
            lengths.push(Patch { at: parent.at..parent.value_at, with });
        }
        // What is added at the end of a nested message comes before what follows that message.
        let mut patches: Vec<Patch> = inner.into_iter().map(|(_, patch)| patch).chain(lengths).chain(outer).collect();
        if !tail.is_empty() {
            let end = message.place().end;
            patches.push(Patch { at: end..end, with: tail });
        }
        let longer = growth(patches.iter());
        (patches, longer)
    }
}

/// How many bytes patches add.
fn growth<'p>(patches: impl Iterator<Item = &'p Patch>) -> isize {
    patches.map(|patch| patch.with.len().cast_signed() - patch.at.len().cast_signed()).sum()
}

/// Edits sorted by what they are of.
#[derive(Debug)]
pub struct Plan<'e> {
    /// Of keys with a slot: what to set it to, `None` to take it away.
    fields: Vec<(&'static KeyInfo, &'static Slot, Option<&'e Value<'e>>)>,
    /// Of users' fields.
    pub users: Vec<(&'e str, Option<Cow<'e, str>>)>,
}

impl<'e> Plan<'e> {
    /// The edits of a frame of this kind; `required` are keys that cannot be taken away.
    ///
    /// # Errors
    /// [`EncodeError::NotWritable`] for keys that frames of the kind lack or that can only be read.
    pub fn new(
        table: &'static Table,
        on: u8,
        required: &[&str],
        edits: &'e Edits<'e>,
        message: Message<'_>,
    ) -> Result<Self, EncodeError> {
        let mut plan = Self { fields: Vec::new(), users: Vec::new() };
        for &name in &edits.remove {
            let id = table.id(name);
            let Some(key) = table.keys.get(usize::from(id)) else {
                plan.user(name, None);
                continue;
            };
            let Some(slot) = table.slot(id, on) else { continue };
            if message.find(slot.path, slot.read_as)?.is_none() {
                continue;
            }
            if !key.writable {
                return Err(not_writable(name, READ_ONLY));
            }
            if required.contains(&name) {
                return Err(not_writable(name, "it is required; set it to another value instead"));
            }
            plan.field(key, slot, None);
        }
        for (name, value) in &edits.set {
            let id = table.id(name);
            match (table.keys.get(usize::from(id)), table.slot(id, on)) {
                (None, _) => plan.user(name, Some(value.to_text())),
                (Some(key), Some(slot)) if key.writable => plan.field(key, slot, Some(value)),
                (Some(key), None) if key.writable => {
                    return Err(not_writable(name, "frames of this kind do not carry it"));
                }
                (Some(_), _) => return Err(not_writable(name, READ_ONLY)),
            }
        }
        Ok(plan)
    }

    fn field(&mut self, key: &'static KeyInfo, slot: &'static Slot, value: Option<&'e Value<'e>>) {
        self.fields.retain(|(_, earlier, _)| earlier.path != slot.path);
        self.fields.push((key, slot, value));
    }

    fn user(&mut self, name: &'e str, value: Option<Cow<'e, str>>) {
        self.users.retain(|(earlier, _)| *earlier != name);
        self.users.push((name, value));
    }

    /// True if the field of this path is to be set.
    #[must_use]
    pub fn sets(&self, path: Path) -> bool {
        self.fields.iter().any(|(_, slot, value)| slot.path == path && value.is_some())
    }

    /// Makes the edits of keys with a slot.
    ///
    /// # Errors
    /// [`EncodeError::BadValue`] for a value that its field cannot hold, [`EncodeError::Malformed`] if the message cannot
    /// be read.
    pub fn apply(&self, splice: &mut Splice<'_>) -> Result<(), EncodeError> {
        for (key, slot, value) in &self.fields {
            match value {
                Some(value) => {
                    splice.set(slot.path, slot.read_as, slot.read_as.encode(slot.path.number, &key.name, value)?)?;
                }
                None => splice.remove(slot.path, slot.read_as)?,
            }
        }
        Ok(())
    }

    /// Refuses users' fields, in protocols that have none.
    ///
    /// # Errors
    /// [`EncodeError::NotWritable`] if one is to be set.
    pub fn refuse_users(&self) -> Result<(), EncodeError> {
        match self.users.iter().find(|(_, value)| value.is_some()) {
            Some((name, _)) => Err(not_writable(name, "the protocol has no place for fields of its users")),
            None => Ok(()),
        }
    }
}

const READ_ONLY: &str = "it follows from the rest of the frame, or says how to read it, and can only be read";

/// The refusal of an edit.
#[must_use]
pub fn not_writable(key: &str, why: &'static str) -> EncodeError {
    EncodeError::NotWritable { key: key.to_owned(), why: why.into() }
}

/// The lengths of an edited frame of a header of `front` bytes, a meta and a body: of the meta, and of both.
///
/// # Errors
/// [`EncodeError::TooLong`] if the frame would be over the limits.
pub fn lengths(
    frame_len: usize,
    header_len: usize,
    front: usize,
    longer: isize,
    limits: &Limits,
) -> Result<(u32, u32), EncodeError> {
    let header = header_len.saturating_add_signed(longer) as u64;
    let frame = frame_len.saturating_add_signed(longer) as u64;
    for (len, max) in [(header, limits.max_header_len.into()), (frame, limits.max_frame_len.min(u32::MAX.into()))] {
        if len > max {
            return Err(EncodeError::TooLong { len, max });
        }
    }
    let front = front as u64;
    Ok((header.saturating_sub(front) as u32, frame.saturating_sub(front) as u32))
}

/// The code of bRPC's `errno.proto` that tells a client what happened.
#[must_use]
pub const fn errno(error: ErrorType) -> i32 {
    match error {
        // ENOSERVICE
        ErrorType::RouteNotFound | ErrorType::ClusterNotFound => 1001,
        // EREQUEST
        ErrorType::BadRequest => 1003,
        // ERPCAUTH
        ErrorType::Denied => 1004,
        // ERPCTIMEDOUT
        ErrorType::Timeout => 1008,
        // EFAILEDSOCKET
        ErrorType::NoHealthyUpstream | ErrorType::UpstreamReset => 1009,
        // EINTERNAL
        ErrorType::Unspecified => 2001,
        // ERESPONSE
        ErrorType::BadResponse => 2002,
        // ELIMIT
        ErrorType::OverLimit => 2004,
    }
}
