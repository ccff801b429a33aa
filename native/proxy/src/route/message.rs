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
    /// For each slot of a table, the generation in which it was read, and which of the values it is.
    places: Vec<(u32, u32)>,
    /// Counts messages, so that the places of the last one need not be wiped.
    generation: u32,
    /// Empty; only its memory is of use.
    values: Vec<Found<'static>>,
    /// Nodes of the tree that are still to be visited, the least first.
    pub(super) pending: BinaryHeap<Reverse<u32>>,
    order: Vec<u32>,
}

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
    values: Vec<Found<'f>>,
    /// The table whose slots are meant; 0 before the first.
    table: u64,
}

impl<'f, 's> Message<'f, 's> {
    /// A message of which nothing has been read yet. Tables and routes used with it must have been compiled for this codec.
    #[must_use]
    pub const fn new(
        codec: &'f dyn AnyCodec,
        frame: Frame<'f>,
        limits: &'f Limits,
        extra: &'f [Extra<'f>],
        scratch: &'s mut Scratch,
    ) -> Self {
        Self { codec, frame, limits, extra, scratch, values: Vec::new(), table: 0 }
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
    pub fn text(&mut self, field: &Field) -> Result<Option<&str>, DecodeError> {
        let at = self.read(field)?;
        Ok(self.values.get(at as usize).and_then(Found::text))
    }

    /// The same, independent of the message; borrowed from the frame where the frame has it as text.
    pub(super) fn own_text(&mut self, field: &Field) -> Result<Option<Cow<'f, str>>, DecodeError> {
        let at = self.read(field)?;
        Ok(self.values.get(at as usize).and_then(|found| match found {
            Found::Text(Cow::Borrowed(text)) => Some(Cow::Borrowed(*text)),
            other => other.text().map(|text| Cow::Owned(text.to_owned())),
        }))
    }

    /// Calls `each` with the texts of the fields, sorted; that of a field which the message lacks is empty.
    pub(super) fn sorted(&mut self, fields: &[Field], mut each: impl FnMut(&str)) -> Result<(), DecodeError> {
        self.scratch.order.clear();
        for field in fields {
            let at = self.read(field)?;
            self.scratch.order.push(at);
        }
        let text = |at: u32| self.values.get(at as usize).and_then(Found::text).unwrap_or_default();
        self.scratch.order.sort_unstable_by(|one, other| text(*one).cmp(text(*other)));
        self.scratch.order.iter().for_each(|at| each(text(*at)));
        Ok(())
    }

    /// Where the value of a field is.
    #[inline]
    fn read(&mut self, field: &Field) -> Result<u32, DecodeError> {
        if self.table != field.table {
            self.begin(field.table);
        }
        match self.scratch.places.get(field.slot as usize) {
            Some((generation, at)) if *generation == self.scratch.generation => Ok(*at),
            _ => self.load(field),
        }
    }

    fn begin(&mut self, table: u64) {
        if self.table == 0 {
            self.values = std::mem::take(&mut self.scratch.values);
        }
        self.table = table;
        self.values.clear();
        let generation = self.scratch.generation.checked_add(1);
        if generation.is_none() {
            self.scratch.places.clear();
        }
        self.scratch.generation = generation.unwrap_or(1);
    }

    fn load(&mut self, field: &Field) -> Result<u32, DecodeError> {
        let found = match self.extra.iter().find(|(name, _)| name.eq_ignore_ascii_case(&field.key.name)) {
            Some((_, value)) => Found::Text(Cow::Borrowed(value)),
            None => match self.codec.field(self.frame, &field.key, self.limits)? {
                Some(Value::Str(text)) => Found::Text(text),
                Some(Value::Int(number)) => Found::Number(Digits::new(number.unsigned_abs(), number < 0)),
                Some(Value::UInt(number)) => Found::Number(Digits::new(number, false)),
                None => Found::Missing,
            },
        };
        let at = self.values.len() as u32;
        self.values.push(found);
        let slot = field.slot as usize;
        if self.scratch.places.len() <= slot {
            self.scratch.places.resize(slot + 1, (0, 0));
        }
        self.scratch.places[slot] = (self.scratch.generation, at);
        Ok(at)
    }
}

impl Drop for Message<'_, '_> {
    fn drop(&mut self) {
        if self.values.capacity() > 0 {
            let mut values = std::mem::take(&mut self.values);
            values.clear();
            // Nothing is in it that could be too short-lived. `collect` keeps the memory of a vector it takes apart.
            self.scratch.values = values.into_iter().map_while(|_| None).collect();
        }
    }
}

/// A field that has been read.
#[derive(Debug)]
enum Found<'f> {
    Missing,
    Text(Cow<'f, str>),
    Number(Digits),
}

impl Found<'_> {
    #[inline]
    fn text(&self) -> Option<&str> {
        match self {
            Self::Missing => None,
            Self::Text(text) => Some(text),
            Self::Number(digits) => Some(digits.text()),
        }
    }
}

/// A number in decimal digits: at most those of `u64::MAX`, or a sign and those of `i64::MIN`.
#[derive(Debug)]
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

    #[test]
    fn places_of_old_messages_do_not_come_back_when_the_generations_wrap() {
        let mut scratch = Scratch { places: vec![(1, 0)], generation: u32::MAX, ..Scratch::default() };
        let head = metaprotocol_core::Head {
            kind: metaprotocol_core::Kind::Request,
            request_id: metaprotocol_core::RequestId::None,
            stream_id: None,
            header_len: 0,
            frame_len: 0,
            variant: 0,
        };
        let codec = metaprotocol_registry::find("thrift").unwrap();
        let limits = Limits::default();
        let mut message = Message::new(&*codec, Frame { head, bytes: b"" }, &limits, &[], &mut scratch);
        message.begin(1);
        assert_eq!(message.scratch.generation, 1);
        assert!(message.scratch.places.is_empty());
    }
}
