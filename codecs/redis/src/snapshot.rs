//! What a master sends its replica: a snapshot of its data, then every command that changes them.
//!
//! ```text
//! +FULLRESYNC <id> <offset>\r\n     the answer to PSYNC; SYNC has none
//! \n \n …                           while the snapshot is made
//! $<length>\r\n <bytes>             the snapshot, without CR LF behind it; or
//! $EOF:<40 bytes>\r\n <bytes> <the same 40 bytes>
//! *2\r\n$6\r\nSELECT\r\n…           commands, which the replica does not answer
//! ```
//!
//! A snapshot may be of any length: it is handed on in pieces of [`PIECE_LEN`], whose borders depend on nothing but their
//! place in it. The mark that ends one of unknown length may lie across a border.

use metaprotocol_core::{Limits, Reason};

use crate::wire::{Length, Stop, length, line_end};

/// Bytes of a piece; the last may be shorter.
pub(crate) const PIECE_LEN: usize = 64 << 10;
const MARK_LEN: usize = 40;
const MARK_PREFIX: &[u8] = b"EOF:";

/// Where a master is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Snapshot {
    /// The connection is no replica's.
    #[default]
    No,
    /// Its length comes next.
    Awaited,
    /// So many bytes are to come.
    Counted(u64),
    /// It ends with a mark.
    Marked(Mark),
    /// It is over: commands follow.
    Over,
}

/// Searches a mark in bytes that come in pieces (Knuth, Morris and Pratt: no byte is looked at twice).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    mark: [u8; MARK_LEN],
    /// How much of the mark's front its first n bytes end with, but not all n.
    fallback: [u8; MARK_LEN],
    /// Bytes of the mark that the bytes seen end with.
    matched: usize,
    /// Bytes of this piece that were seen.
    seen: usize,
}

impl Mark {
    fn new(mark: [u8; MARK_LEN]) -> Self {
        let mut new = Self { mark, fallback: [0; MARK_LEN], matched: 0, seen: 0 };
        for at in 1..MARK_LEN {
            new.step(mark.get(at).copied().unwrap_or_default());
            if let Some(fallback) = new.fallback.get_mut(at) {
                *fallback = new.matched as u8;
            }
        }
        new.matched = 0;
        new
    }

    #[inline]
    fn step(&mut self, byte: u8) {
        loop {
            if self.mark.get(self.matched) == Some(&byte) {
                self.matched += 1;
                return;
            }
            match self.matched.checked_sub(1) {
                None => return,
                Some(last) => self.matched = self.fallback.get(last).copied().unwrap_or_default().into(),
            }
        }
    }

    /// The length of the piece at the front of `buf`, at most `max`, and whether the mark ends it.
    pub(crate) fn piece(&mut self, buf: &[u8], max: usize) -> Result<(usize, bool), Stop> {
        for byte in buf.get(self.seen..max.min(buf.len())).unwrap_or_default() {
            self.step(*byte);
            self.seen += 1;
            if self.matched == MARK_LEN {
                return Ok((self.seen, true));
            }
        }
        if self.seen < max {
            return Err(Stop::Need((MARK_LEN - self.matched).min(max - self.seen)));
        }
        self.seen = 0;
        Ok((max, false))
    }
}

/// The longest piece under these limits.
pub(crate) fn max_piece(limits: &Limits) -> usize {
    PIECE_LEN.min(usize::try_from(limits.max_frame_len).unwrap_or(PIECE_LEN)).max(1)
}

/// The line that a snapshot begins with: what follows it, and its own length.
pub(crate) fn header(buf: &[u8]) -> Result<(Snapshot, usize), Stop> {
    const FIELD: &str = "length of snapshot";
    if buf.get(1) == Some(&MARK_PREFIX[0]) {
        let mark_at = 1 + MARK_PREFIX.len();
        for (offset, (found, expected)) in buf.iter().skip(1).zip(MARK_PREFIX).enumerate() {
            if found != expected {
                return Err(Reason::BadEncoding { field: FIELD }.at(1 + offset).into());
            }
        }
        let end = mark_at + MARK_LEN;
        let Some(mark) = buf.get(mark_at..end).and_then(<[u8]>::first_chunk) else {
            return Err(Stop::Need(end + 2 - buf.len()));
        };
        return Ok((Snapshot::Marked(Mark::new(*mark)), line_end(buf, end, FIELD)?));
    }
    match length(buf, 1, FIELD)? {
        (Length::Known(0), end) => Ok((Snapshot::Over, end)),
        (Length::Known(len), end) => Ok((Snapshot::Counted(len as u64), end)),
        (Length::Null | Length::Streamed, _) => Err(Reason::BadEncoding { field: FIELD }.at(1).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_wherever_it_is_cut() {
        // Begins like itself in many places.
        let mark = *b"aabaaabaabaabaaabaabaaabaaabaabaaabaabab";
        let data = [&b"aabaaabaabaabaaab"[..], &mark[..39], &mark[..20], &mark, b"rest"].concat();
        let expected = data.len() - 4;
        for max in [1, 2, 7, 39, 40, 41, 1000] {
            for step in [1, 3, 1000] {
                let mut search = Mark::new(mark);
                let (mut at, mut have) = (0, 0);
                let end = loop {
                    match search.piece(&data[at..have], max) {
                        Ok((len, true)) => break at + len,
                        Ok((len, false)) => at += len,
                        Err(Stop::Need(more)) => {
                            assert!(more > 0 && have + more <= expected.max(at + max));
                            have = (have + step.max(more)).min(data.len());
                        }
                        Err(Stop::Broken(error)) => panic!("{error}"),
                    }
                };
                assert_eq!(end, expected, "pieces of {max}, {step} at a time");
            }
        }
    }
}
