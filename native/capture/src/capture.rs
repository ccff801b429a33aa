//! A capture from its first byte to its last: the file layer joined to the assembler.

use std::io::{ErrorKind, Read};

use crate::assembler::Assembler;
use crate::error::{Error, FormatError, FormatErrorKind};
use crate::event::Sink;
use crate::file::{FileDecoder, Step};
use crate::limits::Limits;
use crate::stats::Stats;

/// Fits the cache of one core, and is long enough to make system calls rare.
const BUFFER_LEN: usize = 256 << 10;

/// Bytes at the end of a file that are not a whole record: the capture was cut, or is still being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tail {
    /// Position in the file of the record that is not whole, in bytes.
    pub offset: u64,
    /// Bytes of it that are there.
    pub have: u64,
    /// Bytes that it takes at least.
    pub need: u64,
}

/// Takes a capture file in chunks of any size and gives events. No I/O, no clock.
///
/// A format error is final: every later push gives it again. Events given before stand.
#[derive(Debug)]
pub struct Capture {
    file: FileDecoder,
    assembler: Assembler,
    /// The beginning of a record that straddles chunks; empty between records. Never more than one record.
    carry: Vec<u8>,
    /// How many bytes the record in `carry` needs for the next step.
    need: usize,
    /// Bytes of the record or block just seen that are still to be passed over.
    skip: u64,
    /// Its whole length.
    skip_len: u64,
    /// Position in the file, `carry` not included.
    offset: u64,
    last_timestamp_ns: u64,
    failed: Option<FormatError>,
}

impl Capture {
    /// Nothing read yet.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            file: FileDecoder::new(limits.record_bytes),
            assembler: Assembler::new(limits),
            carry: Vec::new(),
            need: 0,
            skip: 0,
            skip_len: 0,
            offset: 0,
            last_timestamp_ns: 0,
            failed: None,
        }
    }

    /// What was seen so far.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        self.assembler.stats()
    }

    /// Bytes pushed so far and understood; what is held back of an unfinished record is not included.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Takes the next bytes of the file. A record may be cut anywhere.
    ///
    /// # Errors
    ///
    /// The bytes are no capture, or no longer: where and why. Every later call gives the same error.
    pub fn push<S: Sink + ?Sized>(&mut self, mut chunk: &[u8], sink: &mut S) -> Result<(), FormatError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        loop {
            if self.skip > 0 {
                let passed = usize::try_from(self.skip).unwrap_or(usize::MAX).min(chunk.len());
                chunk = &chunk[passed..];
                self.offset += passed as u64;
                self.skip -= passed as u64;
            }
            if chunk.is_empty() {
                return Ok(());
            }
            if self.carry.is_empty() {
                let Some(len) = self.step(chunk, sink)? else {
                    self.carry.extend_from_slice(chunk);
                    return Ok(());
                };
                self.skip = len;
                self.skip_len = len;
                continue;
            }
            let wanted = (self.need - self.carry.len()).min(chunk.len());
            self.carry.extend_from_slice(&chunk[..wanted]);
            chunk = &chunk[wanted..];
            if self.carry.len() < self.need {
                return Ok(());
            }
            // Taken out for the call, put back for its allocation.
            let mut carry = std::mem::take(&mut self.carry);
            if let Some(len) = self.step(&carry, sink)? {
                // A step asks for no more than it takes, so the carry ends within what is passed over.
                self.offset += carry.len() as u64;
                self.skip = len - carry.len() as u64;
                self.skip_len = len;
                carry.clear();
            }
            self.carry = carry;
        }
    }

    /// One step at the front of `data`. Gives the length to pass over, or `None` after setting `need`.
    #[inline]
    fn step<S: Sink + ?Sized>(&mut self, data: &[u8], sink: &mut S) -> Result<Option<u64>, FormatError> {
        match self.file.step(data) {
            Ok(Step::Packet(len, record)) => {
                if let Some(timestamp_ns) = record.timestamp_ns {
                    self.last_timestamp_ns = timestamp_ns;
                }
                if let Some(link) = record.link {
                    self.assembler.packet(
                        link,
                        self.last_timestamp_ns,
                        record.data,
                        record.original_len as usize,
                        sink,
                    );
                } else {
                    let stats = self.assembler.stats_mut();
                    stats.packets += 1;
                    stats.packet_bytes += record.data.len() as u64;
                    stats.unsupported_link += 1;
                    stats.unsupported_link_type.get_or_insert(record.link_number);
                }
                Ok(Some(len as u64))
            }
            Ok(Step::Need(len)) => {
                self.need = len;
                Ok(None)
            }
            Ok(Step::Skip { len, header }) => {
                if !header {
                    self.assembler.stats_mut().skipped_blocks += 1;
                }
                Ok(Some(len))
            }
            Err(kind) => {
                let error = FormatError { offset: self.offset, kind };
                self.failed = Some(error);
                Err(error)
            }
        }
    }

    /// Ends the capture: gives up all gaps, closes all flows, and tells whether the last record was cut.
    ///
    /// To be called after a format error too: the flows are closed all the same.
    ///
    /// # Errors
    ///
    /// The file ended before its header did, the empty file included; or the format error of before.
    pub fn finish<S: Sink + ?Sized>(&mut self, sink: &mut S) -> Result<Option<Tail>, FormatError> {
        self.assembler.finish(sink);
        if let Some(error) = self.failed {
            return Err(error);
        }
        let have = self.carry.len() as u64;
        if !self.file.is_open() {
            let error = FormatError {
                offset: self.offset,
                kind: FormatErrorKind::ShortHeader {
                    have,
                    // Of the empty file not even the format is known.
                    need: (self.need as u64).max(4),
                },
            };
            self.failed = Some(error);
            return Err(error);
        }
        let passed = self.skip_len - self.skip;
        Ok(if self.skip > 0 {
            Some(Tail { offset: self.offset - passed, have: passed, need: self.skip_len })
        } else if have > 0 {
            Some(Tail { offset: self.offset, have, need: self.need as u64 })
        } else {
            None
        })
    }
}

/// Reads a capture from a file, a pipe or any other source.
#[derive(Debug)]
pub struct Reader<R> {
    source: R,
    buffer: Box<[u8]>,
    capture: Capture,
}

impl<R: Read> Reader<R> {
    /// Nothing read yet. The source needs no buffer of its own.
    #[must_use]
    pub fn new(source: R, limits: Limits) -> Self {
        Self { source, buffer: vec![0; BUFFER_LEN].into_boxed_slice(), capture: Capture::new(&limits) }
    }

    /// Reads once, and gives the number of bytes: 0 at the end of what is there now.
    ///
    /// More may be there later (a growing file): call again then. A record that is written in part is kept.
    ///
    /// # Errors
    ///
    /// The source failed (calling again continues where it stopped), or the format is wrong (final).
    pub fn read_some<S: Sink + ?Sized>(&mut self, sink: &mut S) -> Result<usize, Error> {
        let len = loop {
            match self.source.read(&mut self.buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.capture.push(&self.buffer[..len], sink)?;
        Ok(len)
    }

    /// Reads to the end of what is there now, and gives the number of bytes. Like [`read_some`](Self::read_some), it
    /// may be called again when there is more.
    ///
    /// # Errors
    ///
    /// As [`read_some`](Self::read_some).
    pub fn read_available<S: Sink + ?Sized>(&mut self, sink: &mut S) -> Result<u64, Error> {
        let mut total = 0;
        loop {
            match self.read_some(sink)? {
                0 => return Ok(total),
                len => total += len as u64,
            }
        }
    }

    /// As [`Capture::finish`].
    ///
    /// # Errors
    ///
    /// As [`Capture::finish`].
    pub fn finish<S: Sink + ?Sized>(&mut self, sink: &mut S) -> Result<Option<Tail>, FormatError> {
        self.capture.finish(sink)
    }

    /// As [`Capture::stats`].
    #[must_use]
    pub fn stats(&self) -> &Stats {
        self.capture.stats()
    }

    /// As [`Capture::offset`].
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.capture.offset()
    }

    /// The source, for instance to look at its metadata.
    #[must_use]
    pub fn source(&self) -> &R {
        &self.source
    }

    /// The source, to change. What is read from it here is lost to the capture.
    #[must_use]
    pub fn source_mut(&mut self) -> &mut R {
        &mut self.source
    }
}
