//! What plugins pour rewritten frames and replies into.

use std::borrow::Cow;
use std::ffi::c_void;

use metaprotocol_core::{DecodeError, EncodeError, Segments};

use crate::{abi, checked};

const GO_ON: i32 = 0;
const STOP: i32 = 1;
/// From so many pieces on the rest is copied together: a list of them would outgrow what they hold.
const MAX_SEGMENTS: usize = 1024;

/// The pieces of one frame or reply.
pub struct Sink<'a> {
    bytes: &'a [u8],
    segments: Segments<'a>,
    /// Where the last piece ends in `bytes`, if it is borrowed.
    end: Option<usize>,
    len: u64,
    max: u64,
    over: Option<Over>,
}

enum Over {
    Fault(&'static str),
    TooLong(u64),
}

impl From<Over> for EncodeError {
    fn from(over: Over) -> Self {
        match over {
            Over::Fault(what) => checked::fault(what).into(),
            Over::TooLong(max) => Self::TooLong { len: max + 1, max },
        }
    }
}

impl<'a> Sink<'a> {
    /// For at most `max` bytes, made of `bytes`.
    pub fn new(bytes: &'a [u8], max: u64) -> Self {
        Self { bytes, segments: Segments::new(), end: None, len: 0, max, over: None }
    }

    /// What plugins get.
    pub fn raw(&mut self) -> abi::Sink {
        abi::Sink { sink: (&raw mut *self).cast(), borrow, write }
    }

    /// What was poured, unless it was wrong.
    pub fn end(self) -> Result<Segments<'a>, EncodeError> {
        match self.over {
            Some(over) => Err(over.into()),
            None if self.len == 0 => Err(nothing().into()),
            None => Ok(self.segments),
        }
    }

    fn count(&mut self, len: u64) -> Result<(), Over> {
        match self.len.checked_add(len) {
            Some(sum) if sum <= self.max => self.len = sum,
            _ => return Err(Over::TooLong(self.max)),
        }
        Ok(())
    }

    fn borrow(&mut self, offset: u64, len: u64) -> Result<(), Over> {
        let bytes = self.bytes;
        let range = usize::try_from(offset).ok().zip(usize::try_from(len).ok());
        let run = range.and_then(|(from, len)| Some((from, from.checked_add(len)?)));
        let Some((from, to, run)) = run.and_then(|(from, to)| Some((from, to, bytes.get(from..to)?))) else {
            return Err(Over::Fault("what is borrowed lies outside of the frame"));
        };
        self.count(len)?;
        if run.is_empty() {
            return Ok(());
        }
        if let (Some(last), Some(end)) = (self.segments.last_mut(), self.end)
            && end == from
            && let Some(longer) = bytes.get(end - last.len()..to)
        {
            *last = Cow::Borrowed(longer);
        } else if self.segments.len() >= MAX_SEGMENTS {
            self.copy(run);
            return Ok(());
        } else {
            self.segments.push(Cow::Borrowed(run));
        }
        self.end = Some(to);
        Ok(())
    }

    fn copy(&mut self, bytes: &[u8]) {
        match self.segments.last_mut() {
            Some(Cow::Owned(last)) => last.extend_from_slice(bytes),
            _ => self.segments.push(Cow::Owned(bytes.to_vec())),
        }
        self.end = None;
    }

    /// # Safety
    /// `bytes` is null or points to `len` bytes.
    unsafe fn write(&mut self, bytes: *const u8, len: usize) -> Result<(), Over> {
        if len == 0 {
            return Ok(());
        }
        if bytes.is_null() || len > isize::MAX as usize {
            return Err(Over::Fault("what is written is NULL"));
        }
        self.count(len as u64)?;
        // SAFETY: the caller's promise.
        self.copy(unsafe { std::slice::from_raw_parts(bytes, len) });
        Ok(())
    }

    fn took(&mut self, result: Result<(), Over>) -> i32 {
        match result {
            Ok(()) => GO_ON,
            Err(over) => {
                self.over = Some(over);
                STOP
            }
        }
    }
}

fn nothing() -> DecodeError {
    checked::fault("it wrote nothing")
}

unsafe extern "C" fn borrow(sink: *mut c_void, offset: u64, len: u64) -> i32 {
    // SAFETY: `sink` is that of the call under way, which nobody else holds, and the ABI has plugins pass it on within that
    // call.
    let sink = unsafe { &mut *sink.cast::<Sink<'_>>() };
    if sink.over.is_some() {
        return STOP;
    }
    let result = sink.borrow(offset, len);
    sink.took(result)
}

unsafe extern "C" fn write(sink: *mut c_void, bytes: *const c_void, len: usize) -> i32 {
    // SAFETY: as in `borrow`.
    let sink = unsafe { &mut *sink.cast::<Sink<'_>>() };
    if sink.over.is_some() {
        return STOP;
    }
    // SAFETY: the ABI has plugins pass `len` bytes.
    let result = unsafe { sink.write(bytes.cast(), len) };
    sink.took(result)
}
