//! A reader over the bytes at hand that knows where its frame ends: what runs over that end is an error, what is merely
//! not there yet is not.

use metaprotocol_core::{DecodeError, Reason};

/// Why a read did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// At least this many more bytes are needed, all of them within the frame.
    Need(usize),
    Broken(DecodeError),
}

impl From<DecodeError> for Stop {
    fn from(error: DecodeError) -> Self {
        Self::Broken(error)
    }
}

impl Stop {
    /// The error where all bytes are in.
    pub(crate) fn complete(self, buf_len: usize) -> DecodeError {
        match self {
            Self::Broken(error) => error,
            Self::Need(_) => Reason::UnexpectedEnd { field: "message" }.at(buf_len),
        }
    }
}

/// A position in a buffer, and the end of the frame that it may not pass (`usize::MAX` if unknown).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window<'a> {
    pub(crate) buf: &'a [u8],
    pub(crate) at: usize,
    pub(crate) end: usize,
}

impl<'a> Window<'a> {
    pub(crate) const fn new(buf: &'a [u8], at: usize, end: usize) -> Self {
        Self { buf, at, end }
    }

    /// A window over a frame that is complete.
    pub(crate) const fn whole(buf: &'a [u8], at: usize) -> Self {
        Self { buf, at, end: buf.len() }
    }

    /// Fails unless `len` more bytes lie within the frame and are in.
    #[inline]
    pub(crate) fn require(&self, len: usize, field: &'static str) -> Result<(), Stop> {
        let to = self.at.saturating_add(len);
        if to > self.end {
            return Err(Reason::UnexpectedEnd { field }.at(self.at).into());
        }
        if to > self.buf.len() { Err(Stop::Need(to - self.buf.len())) } else { Ok(()) }
    }

    #[inline]
    pub(crate) fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], Stop> {
        match self.buf.get(self.at..).and_then(<[u8]>::first_chunk::<N>) {
            Some(array) if self.at + N <= self.end => {
                self.at += N;
                Ok(*array)
            }
            _ => Err(self.require(N, field).err().unwrap_or(Stop::Need(N))),
        }
    }

    #[inline]
    pub(crate) fn u8(&mut self, field: &'static str) -> Result<u8, Stop> {
        self.array::<1>(field).map(|[byte]| byte)
    }

    #[inline]
    pub(crate) fn i32(&mut self, field: &'static str) -> Result<i32, Stop> {
        self.array(field).map(i32::from_be_bytes)
    }

    /// A big-endian i32 that counts something.
    #[inline]
    pub(crate) fn length(&mut self, field: &'static str) -> Result<usize, Stop> {
        let at = self.at;
        let value = self.i32(field)?;
        usize::try_from(value).map_err(|_| Reason::BadLength { field, value: value.into() }.at(at).into())
    }

    /// A little-endian base-128 varint of at most `BITS` bits.
    #[inline]
    pub(crate) fn varint<const BITS: u32>(&mut self, field: &'static str) -> Result<u64, Stop> {
        let mut window = *self;
        let mut value = 0_u64;
        let mut shift = 0;
        while shift < BITS {
            let byte = window.u8(field).map_err(|stop| match stop {
                // The field began here, not where it broke off.
                Stop::Broken(error) => Stop::Broken(DecodeError { offset: self.at as u64, ..error }),
                need @ Stop::Need(_) => need,
            })?;
            let bits = u64::from(byte & 0x7f);
            if shift + 7 > BITS && bits >> (BITS - shift) != 0 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                self.at = window.at;
                return Ok(value);
            }
            shift += 7;
        }
        Err(Reason::BadEncoding { field }.at(self.at).into())
    }

    /// A varint that counts something; as in every implementation, at most `i32::MAX`.
    #[inline]
    pub(crate) fn varint_length(&mut self, field: &'static str) -> Result<usize, Stop> {
        let at = self.at;
        let value = self.varint::<32>(field)? as u32 as i32;
        usize::try_from(value).map_err(|_| Reason::BadLength { field, value: value.into() }.at(at).into())
    }
}

/// The signed number behind a zigzag varint.
pub(crate) const fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}
