//! Messages within a frame.

use std::ops::Range;

use metaprotocol_core::protobuf::{self, Field, LEN};
use metaprotocol_core::{Cursor, DecodeError};

use super::{As, Parent, Path};

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
    pub(super) fn find_in(&self, path: Path, read_as: As) -> Result<Option<Found<'a>>, DecodeError> {
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
pub(super) type Found<'a> = (Option<Field<'a>>, Field<'a>);

/// A field of a user's own: a message of a key (1) and a value (2), as in `map<string, string>`. What is lacking is empty.
///
/// # Errors
/// [`DecodeError`] if it cannot be read.
pub(super) fn entry<'a>(message: Message<'a>) -> Result<(&'a [u8], &'a [u8]), DecodeError> {
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
pub(super) fn is_entry(bytes: &[u8]) -> bool {
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
