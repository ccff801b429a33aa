//! Messages with edits, as patches.

use std::ops::Range;

use metaprotocol_core::protobuf::{self, Field, LEN};
use metaprotocol_core::{DecodeError, EncodeError, Limits, Patch};

use super::{As, Message, Parent, Path};

/// Edits of one message: gathered one by one, made into patches in the end.
#[derive(Debug)]
pub struct Splice<'a> {
    message: Message<'a>,
    /// Changes within nested messages, each with the field that nests it.
    inner: Vec<(Field<'a>, Patch)>,
    outer: Vec<Patch>,
    /// What is added at the end of the message.
    tail: Vec<u8>,
    /// Nested messages that are added there: their numbers, and what is in them.
    nested: Vec<(u32, Vec<u8>)>,
}

impl<'a> Splice<'a> {
    /// No edits yet.
    #[must_use]
    pub const fn new(message: Message<'a>) -> Self {
        Self { message, inner: Vec::new(), outer: Vec::new(), tail: Vec::new(), nested: Vec::new() }
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
            None => match self.nested.iter_mut().find(|(known, _)| *known == number) {
                Some((_, content)) => content.extend_from_slice(with),
                None => self.nested.push((number, with.to_vec())),
            },
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
    pub(super) fn set_entry(
        &mut self,
        parent: Option<Field<'a>>,
        field: &Field<'a>,
        value: &str,
    ) -> Result<(), DecodeError> {
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
        let Self { message, mut inner, outer, mut tail, nested } = self;
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
        for (number, content) in nested {
            protobuf::push_bytes(&mut tail, number, &content);
        }
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
