//! Hex text as bytes: plain digits with comments behind `#`, or the dumps of `xxd` and `hexdump -C`.

use std::fmt;

/// Longest line taken; plain hex may well be one line, and is handed on in pieces of this size.
const LINE_MAX: usize = 64 << 10;
/// Digits of an offset of `hexdump -C`.
const OFFSET_DIGITS: usize = 8;

/// What stands where a hex digit must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HexError {
    /// Line, from 1.
    pub line: u64,
    /// Column in bytes, from 1.
    pub column: u64,
    /// The byte found; `None` if the line ends after half a byte.
    pub found: Option<u8>,
}

impl fmt::Display for HexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, found } = self;
        match found {
            Some(byte) => write!(
                f,
                "line {line}, column {column}: {:?} is no hex digit; expected plain hex, or a dump of xxd or hexdump -C",
                char::from(*byte)
            ),
            None => write!(f, "line {line}, column {column}: half a byte: the number of hex digits is odd"),
        }
    }
}

/// The bytes of a hex text: plain digits with white space, or a dump of `xxd` or `hexdump -C`.
///
/// # Errors
/// At the first byte that is no digit where one must stand.
pub fn read_hex(text: &[u8]) -> Result<Vec<u8>, HexError> {
    let (mut reader, mut bytes) = (HexReader::default(), Vec::new());
    reader.push(text, &mut bytes)?;
    reader.finish(&mut bytes)?;
    Ok(bytes)
}

/// Text in pieces to bytes.
#[derive(Debug, Default)]
pub(crate) struct HexReader {
    line: Vec<u8>,
    number: u64,
    /// The first digit of a byte whose second comes in the next piece of a long line.
    half: Option<u8>,
    /// The line goes on from an earlier piece: no offset at its beginning.
    inside: bool,
    /// A `#` was seen: the rest of the line is for people.
    comment: bool,
    column: u64,
    /// A line of `hexdump -C` was seen: its last line is an offset alone.
    canonical: bool,
}

impl HexReader {
    /// Takes a piece of text and appends the bytes of its whole lines.
    pub(crate) fn push(&mut self, text: &[u8], out: &mut Vec<u8>) -> Result<(), HexError> {
        for &byte in text {
            if byte == b'\n' {
                self.line_end(out)?;
            } else {
                self.line.push(byte);
                if self.line.len() >= LINE_MAX {
                    self.piece(out)?;
                    self.inside = true;
                }
            }
        }
        Ok(())
    }

    /// The last line may lack its end.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), HexError> {
        self.line_end(out)
    }

    fn line_end(&mut self, out: &mut Vec<u8>) -> Result<(), HexError> {
        self.piece(out)?;
        if self.half.take().is_some() {
            return Err(HexError { line: self.number + 1, column: self.column, found: None });
        }
        self.number += 1;
        self.inside = false;
        self.comment = false;
        self.column = 0;
        Ok(())
    }

    fn piece(&mut self, out: &mut Vec<u8>) -> Result<(), HexError> {
        let line = std::mem::take(&mut self.line);
        let (from, to) = match Dump::of(&line) {
            Some(dump) if !self.inside => {
                self.canonical |= dump.canonical;
                (dump.from, dump.to)
            }
            _ if self.canonical && line.trim_ascii().len() == OFFSET_DIGITS => (0, 0),
            _ if self.comment => (0, 0),
            _ => {
                let comment = line.iter().position(|byte| *byte == b'#');
                self.comment = comment.is_some();
                (0, comment.unwrap_or(line.len()))
            }
        };
        for (at, &byte) in line.iter().enumerate().take(to).skip(from) {
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'a'..=b'f' => byte - b'a' + 10,
                b'A'..=b'F' => byte - b'A' + 10,
                b' ' | b'\t' | b'\r' => continue,
                _ => {
                    let column = self.column + at as u64 + 1;
                    return Err(HexError { line: self.number + 1, column, found: Some(byte) });
                }
            };
            match self.half.take() {
                Some(high) => out.push(high << 4 | digit),
                None => self.half = Some(digit),
            }
        }
        self.column += line.len() as u64;
        self.line = line;
        self.line.clear();
        Ok(())
    }
}

/// Where the hex stands in a line of a dump.
struct Dump {
    from: usize,
    to: usize,
    canonical: bool,
}

impl Dump {
    /// `00000010: dabb c200 ..  text` (xxd), `00000010  da bb ..  |text|` (hexdump -C). `None` for plain hex.
    fn of(line: &[u8]) -> Option<Self> {
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let rest = line.get(digits..).unwrap_or_default();
        if digits >= 4 && rest.first() == Some(&b':') {
            let from = digits + 1;
            // xxd pads the hex with blanks up to the text, which begins after two of them.
            let hex = line.get(from..).unwrap_or_default();
            let start = hex.iter().take_while(|byte| **byte == b' ').count();
            let len = hex.get(start..).unwrap_or_default().windows(2).position(|pair| pair == b"  ");
            return Some(Self { from, to: len.map_or(line.len(), |len| from + start + len), canonical: false });
        }
        if digits == OFFSET_DIGITS && rest.starts_with(b"  ") && rest.contains(&b'|') {
            let to = line.iter().position(|byte| *byte == b'|').unwrap_or(line.len());
            return Some(Self { from: digits, to, canonical: true });
        }
        None
    }
}

/// Whether text that begins so is hex: digits, blanks, and the offsets of dumps, with at least one whole byte.
pub(crate) fn looks_like_hex(prefix: &[u8], whole: bool) -> bool {
    // Only whole lines can be judged, unless nothing follows or the line is long.
    let text = match prefix.iter().rposition(|byte| *byte == b'\n') {
        Some(end) if !whole => prefix.get(..end).unwrap_or_default(),
        _ => prefix,
    };
    let mut out = Vec::new();
    let mut reader = HexReader::default();
    reader.push(text, &mut out).and_then(|()| reader.piece(&mut out)).is_ok() && !out.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<u8>, HexError> {
        let mut out = Vec::new();
        let mut reader = HexReader::default();
        for piece in text.as_bytes().chunks(7) {
            reader.push(piece, &mut out)?;
        }
        reader.finish(&mut out)?;
        Ok(out)
    }

    #[test]
    fn plain_hex_and_dumps_are_the_same_bytes() {
        let wanted: Vec<u8> = (0xda..0xef).collect();
        for text in [
            "dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedee",
            "DA DB DC DD DE DF E0 E1\r\nE2E3e4e5e6e7e8e9eaebecedee\n",
            "# 0xab: no bytes\nDA DB DC DD DE DF E0 E1 # the first eight\n\nE2E3e4e5e6e7e8e9eaebecedee #",
            "00000000: dadb dcdd dedf e0e1 e2e3 e4e5 e6e7 e8e9  ................\n00000010: eaeb eced ee                             .....\n",
            "00000000  da db dc dd de df e0 e1  e2 e3 e4 e5 e6 e7 e8 e9  |................|\n00000010  ea eb ec ed ee                                    |.....|\n00000015\n",
        ] {
            assert_eq!(read(text).as_deref(), Ok(wanted.as_slice()), "{text}");
            assert!(looks_like_hex(text.as_bytes(), true));
        }
    }

    #[test]
    fn a_line_longer_than_the_buffer_is_read_in_pieces() {
        let bytes: Vec<u8> = (0..LINE_MAX).map(|at| (at % 251) as u8).collect();
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(read(&text[1..]).unwrap_err().found, None);
        assert_eq!(read(&text), Ok(bytes));
    }

    #[test]
    fn a_comment_ends_with_its_line_however_long() {
        assert_eq!(read(&format!("da #{}\ndb", "x".repeat(3 * LINE_MAX))), Ok(vec![0xda, 0xdb]));
        assert_eq!(read("da d # b\n").unwrap_err().found, None);
    }

    #[test]
    fn errors_name_line_and_column() {
        assert_eq!(read("da bb\nda xb\n"), Err(HexError { line: 2, column: 4, found: Some(b'x') }));
        assert_eq!(read("dab\n"), Err(HexError { line: 1, column: 3, found: None }));
    }

    #[test]
    fn other_bytes_are_not_taken_for_hex() {
        for bytes in [&b"\xda\xbb\xc2\x00"[..], b"GET / HTTP/1.1\r\n", b"", b"\n\n", b"   "] {
            assert!(!looks_like_hex(bytes, true), "{bytes:?}");
        }
    }
}
