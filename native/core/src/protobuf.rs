//! The wire format of Protocol Buffers: one field after another, without a schema and without allocation.
//!
//! <https://protobuf.dev/programming-guides/encoding>

use std::ops::Range;

use crate::{Cursor, DecodeError, Reason};

/// Number of a wire type: a varint.
pub const VARINT: u8 = 0;
/// Eight bytes, little-endian.
pub const I64: u8 = 1;
/// A varint length and as many bytes.
pub const LEN: u8 = 2;
/// Four bytes, little-endian.
pub const I32: u8 = 5;

/// Most bytes of a tag, a varint of 32 bits.
const MAX_TAG_LEN: usize = 5;
/// Most bytes of any other varint.
const MAX_VARINT_LEN: usize = 10;

/// One field of a message, as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its number in the `.proto` file, at least 1.
    pub number: u32,
    /// [`VARINT`], [`I64`], [`LEN`] or [`I32`].
    pub wire: u8,
    /// The value of a number as the wire has it, without sign or zigzag; 0 for [`LEN`].
    pub value: u64,
    /// The bytes of a [`LEN`] field; empty for numbers.
    pub bytes: &'a [u8],
    /// Offset of its tag in the slice of the cursor.
    pub at: usize,
    /// Offset of its value, behind the tag and the length.
    pub value_at: usize,
    /// Offset of the byte behind it.
    pub end: usize,
}

impl Field<'_> {
    /// Where the value stands in the slice of the cursor.
    #[must_use]
    pub const fn place(&self) -> Range<usize> {
        self.value_at..self.end
    }
}

/// The next field of a message that ends where the cursor's slice ends; `None` at that end. `name` is what errors call
/// the message.
///
/// # Errors
/// [`Reason::UnexpectedEnd`] for a field beyond the end, [`Reason::BadEncoding`] for an endless varint, the number 0 and
/// groups, which proto2 gave up before it was published.
#[inline]
pub fn next<'a>(cursor: &mut Cursor<'a>, name: &'static str) -> Result<Option<Field<'a>>, DecodeError> {
    let at = cursor.at();
    // Nearly all fields: the tag in one byte, and the number or the length in another.
    match *cursor.rest() {
        [] => return Ok(None),
        [tag @ 8..0x80, value @ 0..0x80, ref rest @ ..] => {
            let (number, value_at) = (u32::from(tag >> 3), at + 2);
            if tag & 7 == VARINT && cursor.skip(2).is_ok() {
                let value = value.into();
                return Ok(Some(Field {
                    number,
                    wire: VARINT,
                    value,
                    bytes: &[],
                    at,
                    value_at: at + 1,
                    end: value_at,
                }));
            }
            if let (LEN, Some(bytes)) = (tag & 7, rest.get(..value.into()))
                && cursor.skip(2 + bytes.len()).is_ok()
            {
                let end = value_at + bytes.len();
                return Ok(Some(Field { number, wire: LEN, value: 0, bytes, at, value_at, end }));
            }
        }
        _ => {}
    }
    let broken = || Reason::BadEncoding { field: name }.at(at);
    let tag = cursor.varint(MAX_TAG_LEN).map_err(|error| error.within(name))?;
    let number = u32::try_from(tag >> 3).ok().filter(|number| (1..1 << 29).contains(number)).ok_or_else(broken)?;
    let wire = (tag & 7) as u8;
    let mut value_at = cursor.at();
    let (mut value, mut bytes): (u64, &[u8]) = (0, &[]);
    match wire {
        VARINT => value = cursor.varint(MAX_VARINT_LEN).map_err(|error| error.within(name))?,
        I64 => value = u64::from_le_bytes(cursor.array().map_err(|short| short.within(name))?),
        LEN => {
            let len = cursor.varint(MAX_VARINT_LEN).map_err(|error| error.within(name))?;
            value_at = cursor.at();
            bytes = cursor.take(usize::try_from(len).map_err(|_| broken())?).map_err(|short| short.within(name))?;
        }
        I32 => value = u32::from_le_bytes(cursor.array().map_err(|short| short.within(name))?).into(),
        _ => return Err(broken()),
    }
    Ok(Some(Field { number, wire, value, bytes, at, value_at, end: cursor.at() }))
}

/// Visits every field from `at` to the end of `bytes`, until one is broken or the visitor says so. `name` is what errors
/// call the message.
///
/// Nearly all tags and lengths take one byte: such fields are read here, where the
/// compiler leaves out what the visitor does not look at. Any other field, and what is broken, is left to [`next`].
///
/// # Errors
/// As [`next`], and the visitor's own.
#[inline(always)]
pub fn each<'a>(
    bytes: &'a [u8],
    mut at: usize,
    name: &'static str,
    mut visit: impl FnMut(Field<'a>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    while let Some(&[tag, first, ref behind @ ..]) = bytes.get(at..) {
        let (number, wire) = (u32::from(tag >> 3 & 15), tag & 7);
        if !(8..0x80).contains(&tag) {
            // Left to the general reader.
        } else if wire == LEN && first < 0x80 {
            if let Some(found) = behind.get(..first.into()) {
                let (value_at, end) = (at + 2, at + 2 + found.len());
                visit(Field { number, wire, value: 0, bytes: found, at, value_at, end })?;
                at = end;
                continue;
            }
        } else if wire == VARINT
            && let Some((value, behind)) =
                if first < 0x80 { Some((first.into(), behind)) } else { long_varint(first, behind) }
        {
            let (value_at, end) = (at + 1, bytes.len() - behind.len());
            visit(Field { number, wire, value, bytes: &[], at, value_at, end })?;
            at = end;
            continue;
        }
        let field = general(bytes, at, name)?;
        visit(field)?;
        at = field.end;
    }
    // A lone byte is no field.
    if at < bytes.len() { general(bytes, at, name).map(|_| ()) } else { Ok(()) }
}

/// Visits the numbers, below 16, of the [`VARINT`] fields of a plain message, and their values: one whose tags take one
/// byte, its lengths at most two, and its numbers at most nine. False for all others and for what is broken, which are
/// [`each`]'s to read, whatever was visited. A field that only passes costs a dozen instructions.
#[inline(always)]
pub fn plain_numbers(message: &[u8], mut visit: impl FnMut(usize, u64)) -> bool {
    // Of a field's first two bytes: that the second goes on, and the wire type.
    const LAST_AND_WIRE: u16 = 0x8007;
    let Some(last) = message.len().checked_sub(1) else { return true };
    let mut at = 0;
    while at < last
        && let (Some(&tag), Some(&first)) = (message.get(at), message.get(at + 1))
    {
        at += 2;
        // The number 0, or more than one byte.
        if tag.cast_signed() < 8 {
            return false;
        }
        if u16::from_le_bytes([tag, first]) & LAST_AND_WIRE == LEN.into() {
            at += usize::from(first);
            continue;
        }
        match tag & 7 {
            VARINT if first < 0x80 => visit(usize::from(tag >> 3), first.into()),
            VARINT => {
                let rest = message.get(at..).unwrap_or_default();
                let Some((value, behind)) = long_varint(first, rest) else { return false };
                visit(usize::from(tag >> 3), value);
                at = message.len() - behind.len();
            }
            LEN => {
                let Some(&high @ 0..0x80) = message.get(at) else { return false };
                at += 1 + (usize::from(high) << 7 | usize::from(first & 0x7f));
            }
            _ => return false,
        }
    }
    at == message.len()
}

/// One field, whatever it is.
#[cold]
fn general<'a>(bytes: &'a [u8], at: usize, name: &'static str) -> Result<Field<'a>, DecodeError> {
    let end = Reason::UnexpectedEnd { field: name }.at(at);
    next(&mut Cursor::new(bytes, at), name)?.ok_or(end)
}

/// The value of a varint of two to nine bytes, of which the first is known, and what follows it; `None` for all others.
#[inline(always)]
#[must_use]
pub fn long_varint(first: u8, rest: &[u8]) -> Option<(u64, &[u8])> {
    let (mut value, mut shift) = (u64::from(first & 0x7f), 7);
    for (index, byte) in rest.iter().enumerate().take(MAX_VARINT_LEN - 2) {
        value |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some((value, rest.get(index + 1..)?));
        }
        shift += 7;
    }
    None
}

/// Appends a varint.
pub fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a number as a [`VARINT`] field; negative numbers go as their 64 bits in two's complement.
pub fn push_number(out: &mut Vec<u8>, number: u32, value: u64) {
    push_varint(out, u64::from(number) << 3 | u64::from(VARINT));
    push_varint(out, value);
}

/// Appends a [`LEN`] field.
pub fn push_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    push_varint(out, u64::from(number) << 3 | u64::from(LEN));
    push_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    type Seen<'a> = (u32, u8, u64, &'a [u8]);

    fn fields(message: &[u8]) -> Result<Vec<Seen<'_>>, DecodeError> {
        let mut cursor = Cursor::new(message, 0);
        let mut found = Vec::new();
        while let Some(field) = next(&mut cursor, "message")? {
            assert_eq!(field.end, cursor.at());
            found.push((field.number, field.wire, field.value, field.bytes));
        }
        Ok(found)
    }

    #[test]
    fn what_is_written_is_read() {
        let mut message = Vec::new();
        push_number(&mut message, 1, 300);
        push_bytes(&mut message, 2, b"text");
        push_number(&mut message, 536_870_911, u64::MAX);
        message.extend([0x1d, 1, 0, 0, 0, 0x21, 2, 0, 0, 0, 0, 0, 0, 0]);
        let expected: [Seen<'_>; 5] = [
            (1, VARINT, 300, b""),
            (2, LEN, 0, b"text"),
            (536_870_911, VARINT, u64::MAX, b""),
            (3, I32, 1, b""),
            (4, I64, 2, b""),
        ];
        assert_eq!(fields(&message), Ok(expected.to_vec()));
    }

    #[test]
    fn each_visits_what_next_reads() {
        const VALID: &[u8] =
            b"\x08\x05\x12\x03abc\x18\xac\x02\x20\x80\x80\x80\x80\x10\x2a\x81\x00x\x0d\x01\x02\x03\x04\
            \x82\x01\x00\x38\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x42\x00";
        let mut seed = 1_u32;
        let mut chance = |below: usize| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as usize % below
        };
        let mut broken = 0;
        for round in 0..50_000 {
            let mut message = VALID.to_vec();
            for _ in 0..round % 4 {
                let at = chance(message.len());
                message[at] = [0x02, 0x08, 0x80, 0xff, chance(256) as u8][chance(5)];
            }
            message.truncate(message.len() - [0, 0, 1, 3][chance(4)]);
            let start = [0, 2][chance(2)];
            let (mut visited, mut read) = (Vec::new(), Vec::new());
            let each = each(&message, start, "message", |field| {
                visited.push(field);
                Ok(())
            });
            let mut cursor = Cursor::new(&message, start);
            let next = loop {
                match next(&mut cursor, "message") {
                    Ok(Some(field)) => read.push(field),
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
            };
            broken += usize::from(next.is_err());
            assert_eq!((each, visited), (next, read), "{message:x?}");
        }
        assert!((10_000..45_000).contains(&broken), "{broken} were broken");
    }

    #[test]
    fn the_place_of_a_value_is_behind_tag_and_length() {
        let message = [0x08, 0x01, 0x12, 0x02, b'a', b'b'];
        let mut cursor = Cursor::new(&message, 2);
        let field = next(&mut cursor, "message").ok().flatten();
        assert_eq!(field.map(|field| (field.at, field.place())), Some((2, 4..6)));
    }

    #[test]
    fn what_is_broken_is_refused_where_it_is() {
        let broken = |at| Err(Reason::BadEncoding { field: "message" }.at(at));
        let short = |at| Err(Reason::UnexpectedEnd { field: "message" }.at(at));
        assert_eq!(fields(&[0x08, 0x01, 0x0b]), broken(2));
        assert_eq!(fields(&[0x02]), broken(0));
        assert_eq!(fields(&[&[0x08][..], &[0xff; 10]].concat()), broken(1));
        assert_eq!(fields(&[0xff; 6]), broken(0));
        assert_eq!(fields(&[0x12, 0x03, b'a']), short(2));
        assert_eq!(fields(&[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]), short(11));
        assert_eq!(fields(&[0x0d, 0, 0]), short(1));
        assert_eq!(fields(&[0x08]), short(1));
    }
}
