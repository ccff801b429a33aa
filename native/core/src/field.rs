//! Metadata: named values found in a frame, read only when asked for.

use std::borrow::Cow;
use std::ops::ControlFlow;

/// A metadata value, borrowed from the frame wherever the wire form allows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Text.
    Str(Cow<'a, str>),
    /// A signed number.
    Int(i64),
    /// A number that may need all 64 bits.
    UInt(u64),
}

impl<'a> Value<'a> {
    /// Text borrowed from the frame.
    #[must_use]
    pub const fn str(text: &'a str) -> Self {
        Self::Str(Cow::Borrowed(text))
    }

    /// Text of a frame; what is not UTF-8 in it reads as U+FFFD.
    #[must_use]
    pub fn text(bytes: &'a [u8]) -> Self {
        Self::Str(lossy(bytes))
    }

    /// The value as text: itself, or its decimal digits.
    #[must_use]
    pub fn to_text(&self) -> Cow<'_, str> {
        match self {
            Self::Str(text) => Cow::Borrowed(text),
            Self::Int(number) => Cow::Owned(number.to_string()),
            Self::UInt(number) => Cow::Owned(number.to_string()),
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::str(text)
    }
}

/// Text borrowed as it is where it is UTF-8, which is told faster than where it first is not; what is not reads as U+FFFD.
#[must_use]
pub fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

/// A metadata key, resolved once by [`Codec::key`](crate::Codec::key) so that a look-up compares a number, not a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The name as users write it.
    pub name: Box<str>,
    /// The codec's own number for it; [`Key::DYNAMIC`] if the codec has to search the frame for the name.
    pub id: u16,
}

impl Key {
    /// The id of keys that are found by name (attachments, info headers).
    pub const DYNAMIC: u16 = u16::MAX;

    /// A key that is found by name.
    #[must_use]
    pub fn dynamic(name: &str) -> Self {
        Self { name: name.into(), id: Self::DYNAMIC }
    }

    /// A key by its position in a codec's table, or a dynamic one if the table lacks it.
    #[must_use]
    pub fn from_table(name: &str, table: &[&str]) -> Self {
        let id = table.iter().position(|known| *known == name).map_or(Self::DYNAMIC, |at| at as u16);
        Self { name: name.into(), id }
    }
}

/// Receives each field of a walk: key and value. Break to stop early.
pub type Visit<'v, 'a> = dyn FnMut(&str, Value<'a>) -> ControlFlow<()> + 'v;
