//! Bounds on what a peer may make us hold or walk.

use crate::{DecodeError, Head, Reason, Split};

/// Explicit bounds for one connection. Each is compared with what a peer claims before the claim is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest frame accepted, header included, in bytes. Default 64 MiB: above the 8 MiB of a Dubbo provider and the
    /// 16 MB of Thrift's framed transport, which operators raise.
    pub max_frame_len: u64,
    /// Longest header accepted, in bytes. Default 64 KiB, the most that THeader can express is 256 KiB.
    pub max_header_len: u32,
    /// Deepest nesting of values that a body walk follows. Default 256.
    pub max_nesting: u32,
    /// Most fields (metadata entries, attachments, info headers) read from one frame. Default 4096.
    pub max_field_count: u32,
    /// Most requests remembered while their response is awaited; beyond it the oldest is forgotten. Default 4096.
    pub max_in_flight: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_frame_len: 64 << 20,
            max_header_len: 64 << 10,
            max_nesting: 256,
            max_field_count: 4096,
            max_in_flight: 4096,
        }
    }
}

impl Limits {
    /// Checks a codec's answer for a buffer of `have` bytes before anybody acts on it.
    ///
    /// # Errors
    /// [`Reason::LimitExceeded`] for frames and headers over the limits, [`Reason::BadLength`] for a frame shorter than
    /// its own header or without any byte, which would stop the stream for ever.
    pub fn check(&self, split: Split, have: usize) -> Result<Split, DecodeError> {
        match &split {
            Split::Head(head) => self.check_head(head)?,
            Split::Need(more) => self.check_need(*more, have)?,
        }
        Ok(split)
    }

    /// [`Limits::check`] of a head.
    #[inline]
    pub(crate) fn check_head(&self, head: &Head) -> Result<(), DecodeError> {
        if head.frame_len as u64 > self.max_frame_len {
            return Err(over("max_frame_len", head.frame_len as u64, self.max_frame_len));
        }
        if head.header_len > self.max_header_len {
            return Err(over("max_header_len", head.header_len.into(), self.max_header_len.into()));
        }
        if head.frame_len < (head.header_len as usize).max(1) {
            return Err(Reason::BadLength { field: "frame length", value: head.frame_len as i64 }.at(0));
        }
        Ok(())
    }

    /// [`Limits::check`] of a wish for more bytes behind the `have` at hand.
    #[inline]
    pub(crate) fn check_need(&self, more: usize, have: usize) -> Result<(), DecodeError> {
        let wanted = have as u64 + more as u64;
        if wanted > self.max_frame_len {
            return Err(over("max_frame_len", wanted, self.max_frame_len));
        }
        Ok(())
    }
}

#[cold]
fn over(limit: &'static str, value: u64, max: u64) -> DecodeError {
    Reason::LimitExceeded { limit, value, max }.at(0)
}
