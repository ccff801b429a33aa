//! Strings, as Java writes them.

/// Characters (UTF-16 units) of the longest chunk that Java writes.
const CHUNK_CHARS: usize = 0x8000;

/// Appends a string. Characters beyond U+FFFF become two halves of three bytes each, and count twice: Java reads no
/// other form. Strings of more than 32768 characters are cut into chunks, never between two halves.
pub fn write_str(out: &mut Vec<u8>, text: &str) {
    let mut rest = text;
    loop {
        let (chunk, chars) = chunk_of(rest);
        rest = rest.get(chunk.len()..).unwrap_or_default();
        let [high, low] = (chars as u16).to_be_bytes();
        match chars {
            _ if !rest.is_empty() => out.extend_from_slice(&[b'R', high, low]),
            0..=0x1f => out.push(low),
            0x20..=0x3ff => out.extend_from_slice(&[0x30 + high, low]),
            _ => out.extend_from_slice(&[b'S', high, low]),
        }
        write_chars(out, chunk);
        if rest.is_empty() {
            return;
        }
    }
}

/// The longest front of `text` that fits into a chunk, and its length in UTF-16 units.
fn chunk_of(text: &str) -> (&str, usize) {
    if text.len() <= CHUNK_CHARS && text.is_ascii() {
        return (text, text.len());
    }
    let mut chars = 0;
    for (at, character) in text.char_indices() {
        let units = character.len_utf16();
        if chars + units > CHUNK_CHARS {
            return (text.get(..at).unwrap_or(text), chars);
        }
        chars += units;
    }
    (text, chars)
}

fn write_chars(out: &mut Vec<u8>, text: &str) {
    // Only four-byte characters differ from UTF-8.
    let mut plain = 0;
    for (at, character) in text.char_indices().filter(|(_, character)| character.len_utf16() == 2) {
        out.extend_from_slice(text.as_bytes().get(plain..at).unwrap_or_default());
        for unit in character.encode_utf16(&mut [0; 2]) {
            let [high, low] = unit.to_be_bytes();
            out.extend_from_slice(&[0xe0 | high >> 4, 0x80 | (high & 0x0f) << 2 | low >> 6, 0x80 | (low & 0x3f)]);
        }
        plain = at + character.len_utf8();
    }
    out.extend_from_slice(text.as_bytes().get(plain..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use metaprotocol_core::Limits;

    use super::*;
    use crate::hessian::Reader;

    fn written(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        write_str(&mut out, text);
        out
    }

    #[test]
    fn strings_take_the_form_of_their_length() {
        assert_eq!(written(""), b"\0");
        assert_eq!(written("no route"), b"\x08no route");
        assert_eq!(written("é"), b"\x01\xc3\xa9");
        assert_eq!(written("😀"), b"\x02\xed\xa0\xbd\xed\xb8\x80");
        assert_eq!(&written(&"a".repeat(31))[..2], b"\x1fa");
        assert_eq!(&written(&"a".repeat(32))[..3], b"\x30\x20a");
        assert_eq!(&written(&"a".repeat(1023))[..3], b"\x33\xffa");
        assert_eq!(&written(&"a".repeat(1024))[..4], b"S\x04\0a");
        assert_eq!(&written(&"a".repeat(0x8000))[..4], b"S\x80\0a");
        let long = written(&"a".repeat(0x8001));
        assert_eq!(&long[..4], b"R\x80\0a");
        assert_eq!(&long[0x8003..], b"\x01a");
    }

    #[test]
    fn pairs_are_not_cut_and_everything_reads_back() {
        let cut = written(&format!("{}😀", "a".repeat(0x7fff)));
        assert_eq!(&cut[..3], b"R\x7f\xff");
        assert_eq!(&cut[0x8002..], b"\x02\xed\xa0\xbd\xed\xb8\x80");
        for len in [0, 1, 31, 32, 1023, 1024, 0x7fff, 0x8000, 0x8001, 70_000] {
            for unit in ["a", "é", "中", "😀", "a😀中"] {
                let text = unit.repeat(len);
                let bytes = written(&text);
                let mut reader = Reader::new(&bytes, 0, &Limits::default());
                let read = reader.string("string").unwrap().unwrap();
                assert!(read.is(&text), "{len} {unit}");
                assert_eq!(read.to_str(), text);
                assert_eq!(reader.at(), bytes.len());
            }
        }
    }
}
