//! A frame while it is routed.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use metaprotocol_core::{AnyCodec, DecodeError, Frame, Limits, Value};

use super::Field;

/// Metadata that the proxy or its filters give a message: name and value. A name means the frame's key of that name in any
/// case of letters, and wins over it.
pub type Extra<'f> = (Cow<'f, str>, Cow<'f, str>);

/// Memory for routing that a worker uses again for message after message.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Empty; only its memory is of use.
    far: Vec<Found<'static>>,
    /// Nodes of the tree that are still to be visited, the least first.
    pub(super) pending: BinaryHeap<Reverse<u32>>,
    order: Vec<u32>,
}

/// Fields with room in the message itself: most tables have no more.
const NEAR: usize = 4;

/// A frame while it is routed: what is read of it is kept until the message goes.
///
/// The frame may be cut short: its first bytes only, with the head of the whole. A field that lies behind them is then a
/// [`DecodeError`] with the reason `UnexpectedEnd`; make a new message when more bytes are there.
pub struct Message<'f, 's> {
    codec: &'f dyn AnyCodec,
    frame: Frame<'f>,
    limits: &'f Limits,
    extra: &'f [Extra<'f>],
    pub(super) scratch: &'s mut Scratch,
    /// By slot, the first ones.
    near: [Found<'f>; NEAR],
    /// Those behind them, as far as they have been read.
    far: Vec<Found<'f>>,
    /// Texts that are not in the frame as they are.
    made: Vec<String>,
    /// The table whose slots are meant; 0 before the first.
    table: u64,
}

impl<'f, 's> Message<'f, 's> {
    /// A message of which nothing has been read yet. Tables and routes used with it must have been compiled for this codec.
    #[must_use]
    #[inline(always)]
    pub const fn new(
        codec: &'f dyn AnyCodec,
        frame: Frame<'f>,
        limits: &'f Limits,
        extra: &'f [Extra<'f>],
        scratch: &'s mut Scratch,
    ) -> Self {
        let near = [Found::Unread; NEAR];
        Self { codec, frame, limits, extra, scratch, near, far: Vec::new(), made: Vec::new(), table: 0 }
    }

    /// The frame.
    #[must_use]
    pub const fn frame(&self) -> Frame<'f> {
        self.frame
    }

    /// A field as text, numbers in decimal digits; `None` if the message lacks it.
    ///
    /// # Errors
    /// As [`AnyCodec::field`].
    #[inline]
    pub fn text(&mut self, field: &Field) -> Result<Option<&str>, DecodeError> {
        self.read(field)?;
        Ok(self.known(field.slot))
    }

    /// The same, independent of the message; borrowed from the frame where the frame has it as text.
    pub(super) fn own_text(&mut self, field: &Field) -> Result<Option<Cow<'f, str>>, DecodeError> {
        self.read(field)?;
        Ok(match self.found(field.slot) {
            Found::Text(text) => Some(Cow::Borrowed(*text)),
            _ => self.known(field.slot).map(|text| Cow::Owned(text.to_owned())),
        })
    }

    /// Calls `each` with the texts of the fields, sorted; that of a field which the message lacks is empty.
    pub(super) fn sorted(&mut self, fields: &[Field], mut each: impl FnMut(&str)) -> Result<(), DecodeError> {
        for field in fields {
            self.read(field)?;
        }
        let mut order = std::mem::take(&mut self.scratch.order);
        order.clear();
        order.extend(fields.iter().map(|field| field.slot));
        let text = |slot: u32| self.known(slot).unwrap_or_default();
        order.sort_unstable_by(|one, other| text(*one).cmp(text(*other)));
        order.iter().for_each(|slot| each(text(*slot)));
        self.scratch.order = order;
        Ok(())
    }

    #[inline]
    fn found(&self, slot: u32) -> &Found<'f> {
        let slot = slot as usize;
        self.near.get(slot).or_else(|| self.far.get(slot - NEAR)).unwrap_or(&Found::Unread)
    }

    /// The text of a field that has been read.
    #[inline]
    fn known(&self, slot: u32) -> Option<&str> {
        match self.found(slot) {
            Found::Unread | Found::Missing => None,
            Found::Text(text) => Some(text),
            Found::Made(at) => self.made.get(*at).map(String::as_str),
            Found::Number(digits) => Some(digits.text()),
        }
    }

    #[inline]
    fn read(&mut self, field: &Field) -> Result<(), DecodeError> {
        if self.table == field.table && !matches!(self.found(field.slot), Found::Unread) {
            return Ok(());
        }
        self.load(field)
    }

    #[inline(never)]
    fn load(&mut self, field: &Field) -> Result<(), DecodeError> {
        if self.table != field.table {
            self.table = field.table;
            self.near = [Found::Unread; NEAR];
            self.far.clear();
            self.made.clear();
        }
        let found = match self.extra.iter().find(|(name, _)| name.eq_ignore_ascii_case(&field.key.name)) {
            Some((_, value)) => Found::Text(value),
            None => match self.codec.field(self.frame, &field.key, self.limits)? {
                Some(Value::Str(Cow::Borrowed(text))) => Found::Text(text),
                Some(Value::Str(Cow::Owned(text))) => {
                    self.made.push(text);
                    Found::Made(self.made.len() - 1)
                }
                Some(Value::Int(number)) => Found::Number(Digits::new(number.unsigned_abs(), number < 0)),
                Some(Value::UInt(number)) => Found::Number(Digits::new(number, false)),
                None => Found::Missing,
            },
        };
        let slot = field.slot as usize;
        match self.near.get_mut(slot) {
            Some(place) => *place = found,
            None => {
                let slot = slot - NEAR;
                if self.far.capacity() == 0 {
                    self.far = std::mem::take(&mut self.scratch.far);
                }
                if self.far.len() <= slot {
                    // As many as the table has at most, and a search may come to read each of them anyway.
                    self.far.resize(slot + 1, Found::Unread);
                }
                self.far[slot] = found;
            }
        }
        Ok(())
    }
}

impl Drop for Message<'_, '_> {
    #[inline]
    fn drop(&mut self) {
        if self.far.capacity() > 0 {
            let mut far = std::mem::take(&mut self.far);
            far.clear();
            // Nothing is in it that could be too short-lived. `collect` keeps the memory of a vector it takes apart.
            self.scratch.far = far.into_iter().map_while(|_| None).collect();
        }
    }
}

/// What is known of a field.
#[derive(Clone, Copy, Debug)]
enum Found<'f> {
    Unread,
    Missing,
    Text(&'f str),
    /// One of those that were made for this message.
    Made(usize),
    Number(Digits),
}

/// A number in decimal digits: at most those of `u64::MAX`, or a sign and those of `i64::MIN`.
#[derive(Clone, Copy, Debug)]
struct Digits {
    bytes: [u8; 20],
    start: u8,
}

impl Digits {
    fn new(mut magnitude: u64, negative: bool) -> Self {
        let mut bytes = [b'0'; 20];
        let mut start = bytes.len();
        for (at, byte) in bytes.iter_mut().enumerate().rev() {
            *byte = b'0' + (magnitude % 10) as u8;
            magnitude /= 10;
            start = at;
            if magnitude == 0 {
                break;
            }
        }
        if negative {
            start -= 1;
            bytes[start] = b'-';
        }
        Self { bytes, start: start as u8 }
    }

    fn text(&self) -> &str {
        self.bytes.get(self.start as usize..).and_then(|digits| str::from_utf8(digits).ok()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_the_number() {
        for number in [0, 7, 10, 1234, u64::MAX] {
            assert_eq!(Digits::new(number, false).text(), number.to_string());
        }
        for number in [i64::MIN, -1, -10] {
            assert_eq!(Digits::new(number.unsigned_abs(), true).text(), number.to_string());
        }
    }
}
