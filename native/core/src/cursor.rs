//! A bounds-checked reader over borrowed bytes.

use crate::{DecodeError, Reason};

/// Fewer bytes than a read needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Short {
    /// Where the read began.
    pub at: usize,
    /// How many bytes are lacking, at least 1.
    pub missing: usize,
}

impl Short {
    /// The error for a field that must end within its frame.
    #[must_use]
    pub const fn within(self, field: &'static str) -> DecodeError {
        Reason::UnexpectedEnd { field }.at(self.at)
    }
}

/// Why a varint cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VarintError {
    /// It goes on beyond the bytes at hand.
    Short(Short),
    /// It is longer than its type allows; the offset is where it began.
    TooLong {
        /// Where it began.
        at: usize,
    },
}

impl VarintError {
    /// The error for a varint that must end within its frame.
    #[must_use]
    pub const fn within(self, field: &'static str) -> DecodeError {
        match self {
            Self::Short(short) => short.within(field),
            Self::TooLong { at } => Reason::BadEncoding { field }.at(at),
        }
    }
}

/// Reads forward over a slice. A failed read leaves the position where it was.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

macro_rules! read_be {
    ($($name:ident $type:ty),*) => {$(
        #[doc = concat!("A big-endian `", stringify!($type), "`.\n\n# Errors\n[`Short`] if too few bytes are left.")]
        #[inline]
        pub fn $name(&mut self) -> Result<$type, Short> {
            self.array().map(<$type>::from_be_bytes)
        }
    )*};
}

impl<'a> Cursor<'a> {
    /// A cursor at offset `at` of `bytes`; an offset beyond the end reads as the end.
    #[must_use]
    pub const fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at: if at < bytes.len() { at } else { bytes.len() } }
    }

    /// The whole slice, what was read included.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Bytes from the start of the slice.
    #[must_use]
    pub const fn at(&self) -> usize {
        self.at
    }

    /// Bytes left.
    #[must_use]
    pub const fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The bytes left, without moving.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// The next byte, without moving.
    #[must_use]
    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// The next `len` bytes.
    ///
    /// # Errors
    /// [`Short`] if fewer are left.
    #[inline]
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], Short> {
        let rest = self.rest();
        match rest.get(..len) {
            Some(taken) => {
                self.at += len;
                Ok(taken)
            }
            None => Err(Short { at: self.at, missing: len - rest.len() }),
        }
    }

    /// Moves over `len` bytes.
    ///
    /// # Errors
    /// [`Short`] if fewer are left.
    #[inline]
    pub fn skip(&mut self, len: usize) -> Result<(), Short> {
        self.take(len).map(|_| ())
    }

    /// The next `N` bytes as an array.
    ///
    /// # Errors
    /// [`Short`] if fewer are left.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Short> {
        match self.rest().first_chunk::<N>() {
            Some(array) => {
                self.at += N;
                Ok(*array)
            }
            None => Err(Short { at: self.at, missing: N - self.left() }),
        }
    }

    /// One byte.
    ///
    /// # Errors
    /// [`Short`] at the end.
    #[inline]
    pub fn u8(&mut self) -> Result<u8, Short> {
        self.array::<1>().map(|[byte]| byte)
    }

    read_be!(u16_be u16, u32_be u32, u64_be u64, i16_be i16, i32_be i32, i64_be i64);

    /// A little-endian base-128 varint of at most `max_len` bytes (5 for 32 bits, 10 for 64). Bits beyond 64 are refused.
    ///
    /// # Errors
    /// [`VarintError`] if it does not end in time or within the slice.
    #[inline]
    pub fn varint(&mut self, max_len: usize) -> Result<u64, VarintError> {
        let start = self.at;
        let mut value = 0_u64;
        for (index, byte) in self.rest().iter().take(max_len).enumerate() {
            let bits = u64::from(byte & 0x7f);
            let shift = 7 * index as u32;
            if shift >= 64 || (bits << shift) >> shift != bits {
                return Err(VarintError::TooLong { at: start });
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                self.at = start + index + 1;
                return Ok(value);
            }
        }
        if self.left() >= max_len {
            Err(VarintError::TooLong { at: start })
        } else {
            Err(VarintError::Short(Short { at: self.bytes.len(), missing: 1 }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_move_only_when_they_succeed() {
        let mut cursor = Cursor::new(&[1, 2, 3], 0);
        assert_eq!(cursor.u16_be(), Ok(0x0102));
        assert_eq!(cursor.u16_be(), Err(Short { at: 2, missing: 1 }));
        assert_eq!(cursor.u8(), Ok(3));
        assert_eq!(cursor.take(2), Err(Short { at: 3, missing: 2 }));
    }

    #[test]
    fn varints_end_or_are_refused() {
        assert_eq!(Cursor::new(&[0xac, 0x02], 0).varint(5), Ok(300));
        let max = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(Cursor::new(&max, 0).varint(10), Ok(u64::MAX));
        let over = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        assert_eq!(Cursor::new(&over, 0).varint(10), Err(VarintError::TooLong { at: 0 }));
        assert_eq!(Cursor::new(&[0x80; 11], 0).varint(10), Err(VarintError::TooLong { at: 0 }));
        assert_eq!(Cursor::new(&[0x80; 3], 0).varint(5), Err(VarintError::Short(Short { at: 3, missing: 1 })));
    }
}
