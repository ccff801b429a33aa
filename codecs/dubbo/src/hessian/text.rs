//! Strings and binaries: found by length, turned into text or bytes only when asked.

use std::borrow::Cow;

use metaprotocol_core::{Cursor, DecodeError, Reason};

/// A string as it stands in the message.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    run: Run<'a>,
}

/// A binary as it stands in the message.
#[derive(Clone, Copy, Debug)]
pub struct Binary<'a> {
    run: Run<'a>,
}

/// Payload bytes in one piece, or the encoded chunks with their codes and lengths between them.
#[derive(Clone, Copy, Debug)]
enum Run<'a> {
    Whole(&'a [u8]),
    Chunks(&'a [u8]),
}

/// True for the codes that start a string.
#[inline]
pub const fn is_text(code: u8) -> bool {
    matches!(code, 0x00..=0x1f | 0x30..=0x33 | b'R' | b'S')
}

/// True for the codes that start a binary.
#[inline]
pub const fn is_binary(code: u8) -> bool {
    matches!(code, 0x20..=0x2f | 0x34..=0x37 | b'A' | b'B')
}

impl<'a> Text<'a> {
    /// Reads a string; the cursor stands on its first code.
    #[inline]
    pub(super) fn read(cursor: &mut Cursor<'a>, field: &'static str) -> Result<Self, DecodeError> {
        if let Some((text, len)) = Self::short(cursor.rest())
            && cursor.skip(len).is_ok()
        {
            return Ok(text);
        }
        Self::read_any(cursor, field)
    }

    /// The string at the front of `rest` and the bytes it takes, if it is what nearly all are: one chunk of ASCII in a
    /// short form.
    #[inline]
    pub(super) fn short(rest: &'a [u8]) -> Option<(Self, usize)> {
        let (&code, tail) = rest.split_first()?;
        let (len, tail, code_len) = match code {
            0x00..=0x1f => (usize::from(code), tail, 1),
            0x30..=0x33 => {
                let (&low, tail) = tail.split_first()?;
                (usize::from(code - 0x30) << 8 | usize::from(low), tail, 2)
            }
            _ => return None,
        };
        let payload = tail.get(..len)?;
        is_ascii(tail, payload).then_some((Self { run: Run::Whole(payload) }, code_len + len))
    }

    #[inline(never)]
    fn read_any(cursor: &mut Cursor<'a>, field: &'static str) -> Result<Self, DecodeError> {
        read_run(cursor, field, text_chunk).map(|run| Self { run })
    }

    /// The string in UTF-8: borrowed where it stands in the message as such, else put together. Surrogate pairs become
    /// the character they mean, halves without their partner U+FFFD.
    #[must_use]
    pub fn to_str(&self) -> Cow<'a, str> {
        match self.run {
            Run::Whole(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Cow::Borrowed(text),
                Err(_) => Cow::Owned(from_units(bytes)),
            },
            Run::Chunks(bytes) => {
                let bytes = concat(bytes, text_chunk);
                Cow::Owned(String::from_utf8(bytes).unwrap_or_else(|error| from_units(error.as_bytes())))
            }
        }
    }

    /// True if this is exactly the string `other`.
    #[must_use]
    pub fn is(&self, other: &str) -> bool {
        match self.run {
            // Java writes supplementary characters and NUL in ways that UTF-8 does not, so bytes alone prove equality only.
            Run::Whole(bytes) => bytes == other.as_bytes() || (!bytes.is_ascii() && self.to_str() == other),
            Run::Chunks(_) => self.to_str() == other,
        }
    }

    /// The bytes of a string of one chunk.
    pub(crate) const fn as_bytes(&self) -> Option<&'a [u8]> {
        match self.run {
            Run::Whole(bytes) => Some(bytes),
            Run::Chunks(_) => None,
        }
    }
}

impl<'a> Binary<'a> {
    /// Reads a binary; the cursor stands on its first code.
    #[inline]
    pub(super) fn read(cursor: &mut Cursor<'a>, field: &'static str) -> Result<Self, DecodeError> {
        read_run(cursor, field, binary_chunk).map(|run| Self { run })
    }

    /// The bytes: borrowed if they came in one piece, else put together.
    #[must_use]
    pub fn to_bytes(&self) -> Cow<'a, [u8]> {
        match self.run {
            Run::Whole(bytes) => Cow::Borrowed(bytes),
            Run::Chunks(bytes) => Cow::Owned(concat(bytes, binary_chunk)),
        }
    }
}

/// One chunk: its payload, and whether it is the last.
type ReadChunk = for<'a> fn(&mut Cursor<'a>, &'static str) -> Result<(&'a [u8], bool), DecodeError>;

#[inline]
fn read_run<'a>(
    cursor: &mut Cursor<'a>,
    field: &'static str,
    chunk: impl Fn(&mut Cursor<'a>, &'static str) -> Result<(&'a [u8], bool), DecodeError>,
) -> Result<Run<'a>, DecodeError> {
    let all = cursor.rest();
    let start = cursor.at();
    let (payload, last) = chunk(cursor, field)?;
    if last {
        return Ok(Run::Whole(payload));
    }
    while !chunk(cursor, field)?.1 {}
    Ok(Run::Chunks(all.get(..cursor.at() - start).unwrap_or(all)))
}

/// The payloads of chunks that have been read before.
fn concat(chunks: &[u8], chunk: ReadChunk) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(chunks.len());
    let mut cursor = Cursor::new(chunks, 0);
    while let Ok((payload, last)) = chunk(&mut cursor, "chunk") {
        bytes.extend_from_slice(payload);
        if last {
            break;
        }
    }
    bytes
}

fn text_chunk<'a>(cursor: &mut Cursor<'a>, field: &'static str) -> Result<(&'a [u8], bool), DecodeError> {
    let at = cursor.at();
    let code = cursor.u8().map_err(|short| short.within(field))?;
    let (chars, last) = match code {
        0x00..=0x1f => (usize::from(code), true),
        0x30..=0x33 => {
            let low = cursor.u8().map_err(|short| short.within(field))?;
            (usize::from(code - 0x30) << 8 | usize::from(low), true)
        }
        b'R' | b'S' => (usize::from(cursor.u16_be().map_err(|short| short.within(field))?), code == b'S'),
        _ => return Err(Reason::BadEncoding { field }.at(at)),
    };
    let len = match chars_len(cursor.rest(), chars) {
        Ok(len) => len,
        Err(Broken::Short) => return Err(Reason::UnexpectedEnd { field }.at(at)),
        Err(Broken::NotUtf8(offset)) => return Err(Reason::BadEncoding { field }.at(cursor.at() + offset)),
    };
    cursor.take(len).map(|payload| (payload, last)).map_err(|short| short.within(field))
}

#[inline]
fn binary_chunk<'a>(cursor: &mut Cursor<'a>, field: &'static str) -> Result<(&'a [u8], bool), DecodeError> {
    let at = cursor.at();
    let code = cursor.u8().map_err(|short| short.within(field))?;
    let (len, last) = match code {
        0x20..=0x2f => (usize::from(code - 0x20), true),
        0x34..=0x37 => {
            let low = cursor.u8().map_err(|short| short.within(field))?;
            (usize::from(code - 0x34) << 8 | usize::from(low), true)
        }
        b'A' | b'B' => (usize::from(cursor.u16_be().map_err(|short| short.within(field))?), code == b'B'),
        _ => return Err(Reason::BadEncoding { field }.at(at)),
    };
    cursor.take(len).map(|payload| (payload, last)).map_err(|_| Reason::UnexpectedEnd { field }.at(at))
}

#[derive(Debug, PartialEq, Eq)]
enum Broken {
    Short,
    /// Offset of the byte that no character has there.
    NotUtf8(usize),
}

/// Bytes that `chars` characters at the front of `bytes` take.
#[inline]
fn chars_len(bytes: &[u8], chars: usize) -> Result<usize, Broken> {
    match bytes.get(..chars) {
        Some(run) if is_ascii(bytes, run) => Ok(chars),
        Some(_) => mixed_len(bytes, chars),
        None => Err(Broken::Short),
    }
}

/// True if `run`, the front of `bytes`, is ASCII. Most strings are short and not the last thing in their message: one
/// load then covers them and some of what follows.
#[inline]
fn is_ascii(bytes: &[u8], run: &[u8]) -> bool {
    const HIGH_BITS: u128 = 0x8080_8080_8080_8080_8080_8080_8080_8080;
    match bytes.first_chunk::<16>() {
        Some(front) if run.len() <= 16 => {
            let beyond = u128::from_le_bytes(*front) & HIGH_BITS;
            (beyond.trailing_zeros() / 8) as usize >= run.len()
        }
        _ => run.is_ascii(),
    }
}

/// As [`chars_len`], for strings that are not all ASCII: eight bytes at a time over ASCII, one character at a time over
/// the rest. Continuation bytes are checked, so that no other reader can see the string end elsewhere.
fn mixed_len(bytes: &[u8], mut chars: usize) -> Result<usize, Broken> {
    const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
    let mut at = 0;
    while chars > 0 {
        while chars >= 8
            && let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>())
        {
            let high = u64::from_le_bytes(*word) & HIGH_BITS;
            let run = (high.trailing_zeros() / 8) as usize;
            at += run;
            chars -= run;
            if run < 8 {
                break;
            }
        }
        // To the end of a run of characters beyond ASCII, or of the string.
        while chars > 0 {
            let len = char_len(bytes, at)?;
            at += len;
            chars -= 1;
            if len == 1 && chars >= 8 {
                break;
            }
        }
    }
    Ok(at)
}

/// Bytes of the character at offset `at`.
#[inline]
fn char_len(bytes: &[u8], at: usize) -> Result<usize, Broken> {
    let rest = bytes.get(at..).unwrap_or_default();
    if let Some(word) = rest.first_chunk::<4>() {
        let word = u32::from_le_bytes(*word);
        if word & 0x00c0_c0f0 == 0x0080_80e0 {
            return Ok(3);
        }
        if word & 0x0000_c0e0 == 0x0000_80c0 {
            return Ok(2);
        }
        if word & 0x80 == 0 {
            return Ok(1);
        }
    }
    slow_char_len(rest, at)
}

/// The rare ones: four bytes, at the end of the message, broken.
fn slow_char_len(rest: &[u8], at: usize) -> Result<usize, Broken> {
    let Some((lead, tail)) = rest.split_first() else { return Err(Broken::Short) };
    let more = match lead {
        0x00..=0x7f => 0,
        0xc0..=0xdf => 1,
        0xe0..=0xef => 2,
        0xf0..=0xf4 => 3,
        _ => return Err(Broken::NotUtf8(at)),
    };
    for offset in 0..more {
        match tail.get(offset) {
            Some(0x80..=0xbf) => {}
            Some(_) => return Err(Broken::NotUtf8(at + 1 + offset)),
            None => return Err(Broken::Short),
        }
    }
    Ok(more + 1)
}

/// Text of characters that [`mixed_len`] has checked, by way of UTF-16: joins surrogates, replaces what has no meaning.
fn from_units(bytes: &[u8]) -> String {
    let mut units = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&lead, tail)) = rest.split_first() {
        let more = match lead {
            0x00..=0x7f => 0,
            0xc0..=0xdf => 1,
            0xe0..=0xef => 2,
            _ => 3,
        };
        let (tail, next) = tail.split_at_checked(more).unwrap_or((tail, &[]));
        let bits = u32::from(lead) & (0x7f >> if more == 0 { 0 } else { more + 1 });
        let value = tail.iter().fold(bits, |value, byte| value << 6 | u32::from(byte & 0x3f));
        match u16::try_from(value) {
            Ok(unit) => units.push(unit),
            Err(_) => {
                let character = char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER);
                units.extend_from_slice(character.encode_utf16(&mut [0; 2]));
            }
        }
        rest = next;
    }
    String::from_utf16_lossy(&units)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> Result<(String, usize), DecodeError> {
        let mut cursor = Cursor::new(bytes, 0);
        Text::read(&mut cursor, "string").map(|text| (text.to_str().into_owned(), cursor.at()))
    }

    #[test]
    fn lengths_count_characters_however_they_are_written() {
        let cases: [(&[u8], &str); 8] = [
            (b"\x00", ""),
            (b"\x05hello", "hello"),
            (b"\x30\x05hello", "hello"),
            (b"S\x00\x05hello", "hello"),
            ("\x02é中".as_bytes(), "é中"),
            (b"\x02\xed\xa0\xbd\xed\xb8\x80", "😀"),
            ("\x01😀".as_bytes(), "😀"),
            (b"R\x00\x03he\xc3\xa9\x02lo", "heélo"),
        ];
        for (bytes, expected) in cases {
            let mut long = bytes.to_vec();
            long.extend_from_slice(b"\x90\x90");
            assert_eq!(text(&long), Ok((expected.to_owned(), bytes.len())), "{bytes:x?}");
        }
    }

    #[test]
    fn a_surrogate_pair_may_be_cut_by_a_chunk_and_a_half_is_replaced() {
        assert_eq!(text(b"R\x00\x01\xed\xa0\xbd\x01\xed\xb8\x80").map(|(text, _)| text), Ok("😀".to_owned()));
        assert_eq!(text(b"\x02\xed\xa0\xbdx").map(|(text, _)| text), Ok("\u{fffd}x".to_owned()));
        assert_eq!(text(b"\x01\xc0\x80").map(|(text, _)| text), Ok("\0".to_owned()));
        assert_eq!(text(b"\x01\xf4\xbf\xbf\xbf").map(|(text, _)| text), Ok("\u{fffd}".to_owned()));
    }

    #[test]
    fn long_mixed_strings_end_where_their_characters_end() {
        for pad in 0..40 {
            let string = format!("{}é{}中😀{}", "a".repeat(pad), "b".repeat(17), "c".repeat(pad));
            let chars = string.chars().count();
            assert_eq!(mixed_len(format!("{string}tail").as_bytes(), chars), Ok(string.len()), "{pad}");
            assert_eq!(mixed_len(string.as_bytes(), chars + 1), Err(Broken::Short), "{pad}");
        }
    }

    #[test]
    fn broken_characters_are_named_at_their_place() {
        assert_eq!(mixed_len(b"ab\x80", 3), Err(Broken::NotUtf8(2)));
        assert_eq!(mixed_len(b"ab\xe4\xb8a", 3), Err(Broken::NotUtf8(4)));
        assert_eq!(mixed_len(b"ab\xf5\x80\x80\x80aaa", 3), Err(Broken::NotUtf8(2)));
        for (bytes, at) in [(b"\xc3aaaaa", 1), (b"\xe4\xb8aaaa", 2), (b"\xe4a\xb8aaa", 1), (b"\xf0\x9f\x98aaa", 3)] {
            assert_eq!(mixed_len(bytes, 2), Err(Broken::NotUtf8(at)), "{bytes:x?}");
        }
        assert_eq!(text(b"\x03ab\x80").unwrap_err(), Reason::BadEncoding { field: "string" }.at(3));
        assert_eq!(text(b"S\xff\xffab").unwrap_err(), Reason::UnexpectedEnd { field: "string" }.at(0));
        assert_eq!(text(b"R\x00\x01aN").unwrap_err(), Reason::BadEncoding { field: "string" }.at(4));
    }
}
