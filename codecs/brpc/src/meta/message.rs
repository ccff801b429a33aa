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
    pub fn last(&self, number: u32, read_as: As) -> Result<Option<Field<'a>>, DecodeError> {
        self.last_at(self.place(), number, read_as)?.map_or(Ok(None), |at| self.at(at))
    }

    /// As [`Self::last`], of a path.
    ///
    /// # Errors
    /// [`DecodeError`] if the message, or what it nests there, cannot be read.
    #[inline]
    pub fn find(&self, path: Path, read_as: As) -> Result<Option<Field<'a>>, DecodeError> {
        self.find_at(path, read_as)?.map_or(Ok(None), |(_, at)| self.at(at))
    }

    /// As [`Self::find`], with the field that nests it.
    pub(super) fn find_in(&self, path: Path, read_as: As) -> Result<Option<Found<'a>>, DecodeError> {
        let Some((outer, at)) = self.find_at(path, read_as)? else { return Ok(None) };
        let outer = outer.map_or(Ok(None), |outer| self.at(outer))?;
        Ok(self.at(at)?.map(|field| (outer, field)))
    }

    /// Where the field of a path begins, behind where the one begins that nests it. To keep no more than that of a field
    /// while others are walked is what makes a look-up fast.
    #[inline]
    fn find_at(&self, path: Path, read_as: As) -> Result<Option<(Option<usize>, usize)>, DecodeError> {
        let mut found = None;
        match path.parent {
            Parent::Meta => found = self.last_at(self.place(), path.number, read_as)?.map(|at| (None, at)),
            Parent::Nested(parent) => protobuf::each(self.cursor.bytes(), self.cursor.at(), self.name, |outer| {
                if outer.number == parent && outer.wire == LEN {
                    let inner = self.last_at(outer.place(), path.number, read_as)?;
                    found = inner.map(|at| (Some(outer.at), at)).or(found);
                }
                Ok(())
            })?,
            Parent::First(parent) => {
                let mut cursor = self.cursor;
                while let Some(outer) = self.next(&mut cursor)? {
                    if outer.number == parent && outer.wire == LEN {
                        let inner = self.last_at(outer.place(), path.number, read_as)?;
                        return Ok(inner.map(|at| (Some(outer.at), at)));
                    }
                }
            }
        }
        Ok(found)
    }

    /// Where the field that counts begins, of this number, in the message at this place of the frame.
    fn last_at(&self, place: Range<usize>, number: u32, read_as: As) -> Result<Option<usize>, DecodeError> {
        let (bytes, wire) = (self.cursor.bytes(), read_as.wire());
        let mut found = None;
        protobuf::each(bytes.get(..place.end).unwrap_or(bytes), place.start, self.name, |field| {
            if field.number == number && field.wire == wire && read_as.takes(field.bytes) {
                found = Some(field.at);
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// The field that begins here.
    fn at(&self, at: usize) -> Result<Option<Field<'a>>, DecodeError> {
        protobuf::next(&mut Cursor::new(self.cursor.bytes(), at), self.name)
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
#[inline(never)]
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
