//! Compressed payloads: as much of them as is wanted, never more than is allowed.

use flate2::{Compress, CompressError, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use metaprotocol_core::{DecodeError, Reason};

use crate::window::Stop;

/// First portion inflated when only the message head is wanted.
const HEAD_STEP: usize = 256;
/// Portions in which a whole payload is inflated, so that memory follows what came out, not what could.
const BODY_STEP: usize = 64 << 10;

/// A decompressor and its output, used again from frame to frame.
pub(crate) struct Inflater {
    zlib: Decompress,
    out: Vec<u8>,
    finished: bool,
}

impl Inflater {
    pub(crate) fn new() -> Self {
        Self { zlib: Decompress::new(true), out: Vec::new(), finished: false }
    }

    /// Inflates from the start of `payload` until `read` is satisfied. It is given the bytes so far and the offset where
    /// they end, if that is known; when it asks for more it gets more, but no more than `max_len`. Errors are placed at
    /// `payload_at`, since offsets in inflated bytes mean nothing on the wire.
    pub(crate) fn head<T>(
        &mut self,
        payload: &[u8],
        payload_at: usize,
        max_len: u64,
        read: impl Fn(&[u8], usize) -> Result<T, Stop>,
    ) -> Result<T, DecodeError> {
        self.zlib.reset(true);
        self.out.clear();
        self.finished = false;
        let mut step = HEAD_STEP;
        loop {
            self.step(payload, payload_at, step, max_len)?;
            let end = if self.finished { self.out.len() } else { usize::MAX };
            match read(&self.out, end) {
                Ok(found) => return Ok(found),
                Err(Stop::Broken(error)) => return Err(error.reason.at(payload_at)),
                // A length within the payload is not believed at once either.
                Err(Stop::Need(more)) => step = more.clamp(HEAD_STEP, BODY_STEP),
            }
        }
    }

    /// The whole payload inflated.
    pub(crate) fn all(mut self, payload: &[u8], payload_at: usize, max_len: u64) -> Result<Vec<u8>, DecodeError> {
        while !self.finished {
            self.step(payload, payload_at, BODY_STEP, max_len)?;
        }
        Ok(self.out)
    }

    /// Makes `more` bytes, or what is left of the stream.
    fn step(&mut self, payload: &[u8], payload_at: usize, more: usize, max_len: u64) -> Result<(), DecodeError> {
        let want = self.out.len() + more;
        self.inflate(payload, payload_at, want)?;
        if self.out.len() as u64 > max_len {
            let value = self.out.len() as u64;
            return Err(Reason::LimitExceeded { limit: "max_frame_len", value, max: max_len }.at(payload_at));
        }
        if !self.finished && self.out.len() < want {
            return Err(Reason::UnexpectedEnd { field: "zlib payload" }.at(payload_at));
        }
        Ok(())
    }

    /// Goes on until `want` bytes are out, the stream ends, or the payload does.
    fn inflate(&mut self, payload: &[u8], payload_at: usize, want: usize) -> Result<(), DecodeError> {
        while self.out.len() < want && !self.finished {
            self.out.reserve_exact(want - self.out.len());
            let used = self.zlib.total_in() as usize;
            let before = self.out.len();
            let left = payload.get(used..).unwrap_or_default();
            let status = self
                .zlib
                .decompress_vec(left, &mut self.out, FlushDecompress::None)
                .map_err(|_| Reason::BadEncoding { field: "zlib payload" }.at(payload_at + used))?;
            match status {
                Status::StreamEnd => self.finished = true,
                _ if self.out.len() == before && self.zlib.total_in() as usize == used => return Ok(()),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Compresses a payload.
pub(crate) fn deflate(payload: &[u8]) -> Result<Vec<u8>, CompressError> {
    let mut zlib = Compress::new(Compression::default(), true);
    let mut out = Vec::with_capacity(payload.len() / 2 + 64);
    loop {
        let used = zlib.total_in() as usize;
        let left = payload.get(used..).unwrap_or_default();
        if zlib.compress_vec(left, &mut out, FlushCompress::Finish)? == Status::StreamEnd {
            return Ok(out);
        }
        out.reserve(out.capacity().max(64));
    }
}
