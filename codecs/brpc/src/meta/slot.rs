//! Fields, and how they read as keys.

use std::borrow::Cow;

use metaprotocol_core::protobuf::{self, Field, LEN, VARINT};
use metaprotocol_core::{DecodeError, EncodeError, Value};

use super::message::{Message, is_entry};

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
    /// Text, but for what is a [`As::EntryNoText`]: two dialects use one number for different things.
    TextNoEntry,
    /// A user's own key and value.
    Entry,
    /// The same, told from text: a key (1) and perhaps a value (2), in this order and nothing else.
    EntryNoText,
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
        match self {
            Self::Text | Self::TextNoEntry | Self::Entry | Self::EntryNoText | Self::Size => LEN,
            _ => VARINT,
        }
    }

    /// True if a field can be read so; else it is another field, or none that is known.
    #[inline]
    #[must_use]
    pub fn fits(self, field: &Field<'_>) -> bool {
        field.wire == self.wire() && self.takes(field.bytes)
    }

    /// True if a field of the right wire type can be read so.
    #[inline]
    pub(super) fn takes(self, bytes: &[u8]) -> bool {
        match self {
            Self::TextNoEntry => !is_entry(bytes),
            Self::EntryNoText => is_entry(bytes),
            _ => true,
        }
    }

    /// The value of such a field.
    #[must_use]
    pub fn value<'a>(self, field: &Field<'a>) -> Value<'a> {
        let number = field.value;
        match self {
            Self::Text | Self::TextNoEntry | Self::Entry | Self::EntryNoText => Value::text(field.bytes),
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

impl Slot {
    /// Its value in a message.
    ///
    /// # Errors
    /// [`DecodeError`] if the message cannot be read.
    #[inline]
    pub fn value<'a>(&self, message: Message<'a>) -> Result<Option<Value<'a>>, DecodeError> {
        Ok(message.find(self.path, self.read_as)?.map(|field| self.read_as.value(&field)))
    }

    /// True if this field, in that one, is the slot's.
    #[inline]
    pub(super) fn holds(&self, on: u8, parent: Option<&Field<'_>>, field: &Field<'_>) -> bool {
        self.path.number == field.number
            && self.path.parent.number() == parent.map_or(0, |parent| parent.number)
            && self.on & on != 0
            && self.read_as.fits(field)
    }
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
