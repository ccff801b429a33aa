//! Bytes on their way to a socket.
//!
//! What is read lies in a chunk. Short messages are copied out of it, so that one write takes those of many peers. Of long ones
//! only the beginning is, where an id may change; the rest is lent by the chunk, which is not read into again before it was
//! sent. That is at the end of the round: what the socket does not take then is copied.

use std::io::{self, IoSlice, Write};
use std::rc::Rc;

use super::CHUNK;

/// Buffers that nobody uses at the moment: connections that have nothing to send hold none.
#[derive(Debug, Default)]
pub struct Buffers {
    free: Vec<Vec<u8>>,
    pieces: Vec<Vec<Lent>>,
    chunks: Vec<Rc<Vec<u8>>>,
    /// The chunk whose messages are on their way.
    lender: Option<Rc<Vec<u8>>>,
}

/// Longest buffer that is kept for others, and how many.
const KEPT_LEN: usize = 256 << 10;
const KEPT: usize = 64;
/// As many bytes are cheaper to lend than to copy.
const WORTH: usize = 2048;
/// Chunks that can be lent at the same time.
const CHUNKS: usize = 16;
/// Pieces of memory that are written at once: two for each of 32 messages, and what is behind them.
const SLICES: usize = 65;

impl Buffers {
    fn take(&mut self) -> Vec<u8> {
        self.free.pop().unwrap_or_default()
    }

    fn give(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() > 0 && buffer.capacity() <= KEPT_LEN && self.free.len() < KEPT {
            buffer.clear();
            self.free.push(buffer);
        }
    }

    fn give_pieces(&mut self, pieces: Vec<Lent>) {
        if self.pieces.len() < CHUNKS {
            self.pieces.push(pieces);
        }
    }

    /// A chunk to read into, which nothing else refers to.
    pub fn chunk(&mut self) -> Rc<Vec<u8>> {
        let unused = self.chunks.iter().rposition(|chunk| Rc::strong_count(chunk) == 1);
        unused.map_or_else(|| Rc::new(vec![0; CHUNK]), |at| self.chunks.swap_remove(at))
    }

    /// Gives a chunk back. What was lent of it may still be on its way.
    pub fn give_chunk(&mut self, chunk: Rc<Vec<u8>>) {
        self.lender = None;
        // Behind those that are lent there is room for one that is not.
        if self.chunks.len() <= CHUNKS {
            self.chunks.push(chunk);
        }
    }

    /// Messages in this chunk may be lent until it is given back.
    pub fn lend_from(&mut self, chunk: &Rc<Vec<u8>>) {
        if self.chunks.len() < CHUNKS {
            self.lender = Some(Rc::clone(chunk));
        }
    }

    /// Does something with what stays longer than the round: nothing is lent for it.
    pub fn copying<R>(&mut self, what: impl FnOnce(&mut Self) -> R) -> R {
        let lender = self.lender.take();
        let result = what(self);
        self.lender = lender;
        result
    }

    /// Lends the bytes behind the first ones of a message, if they are many and lie in the chunk that is served.
    fn lend(&self, bytes: &[u8], first: usize) -> Option<Lent> {
        if bytes.len() < first.saturating_add(WORTH) {
            return None;
        }
        let chunk = self.lender.as_ref()?;
        let begin = (bytes.as_ptr() as usize).checked_sub(chunk.as_ptr() as usize)? + first;
        let end = begin + bytes.len() - first;
        (end <= chunk.len()).then(|| Lent { at: 0, chunk: Rc::clone(chunk), begin, end })
    }
}

/// Bytes of a chunk among those of one's own.
#[derive(Debug)]
struct Lent {
    /// Before which of one's own bytes they stand.
    at: usize,
    chunk: Rc<Vec<u8>>,
    begin: usize,
    end: usize,
}

impl Lent {
    fn bytes(&self) -> &[u8] {
        self.chunk.get(self.begin..self.end).unwrap_or_default()
    }
}

/// What is still to be sent, in order.
#[derive(Debug, Default)]
pub struct Out {
    /// One's own bytes.
    bytes: Vec<u8>,
    /// How many of them were sent.
    sent: usize,
    /// How many bytes were sent in all.
    total: u64,
    /// Those between them that others have, only within a round.
    lent: Vec<Lent>,
    lent_len: usize,
    /// The socket did not take all the last time. What would be lent now had to be copied, and with it all that waits.
    full: bool,
}

impl Out {
    /// How many bytes wait.
    pub const fn len(&self) -> usize {
        self.bytes.len() - self.sent + self.lent_len
    }

    /// True if nothing waits.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where the first byte that waits is among all that were ever put in.
    pub const fn sent(&self) -> u64 {
        self.total
    }

    /// Where the next byte will be.
    pub const fn end(&self) -> u64 {
        self.total + self.len() as u64
    }

    /// Bytes that wait, from a place among all on. Nothing must be lent ([`Out::keep`]).
    pub fn waiting(&self, from: u64) -> &[u8] {
        debug_assert!(self.lent.is_empty(), "what is lent has no place among one's own");
        let at = from.checked_sub(self.total).and_then(|at| usize::try_from(at).ok());
        at.and_then(|at| self.bytes.get(self.sent + at..)).unwrap_or_default()
    }

    /// Puts bytes behind the others, and gives them back to be changed.
    #[inline]
    pub fn push(&mut self, bytes: &[u8], buffers: &mut Buffers) -> &mut [u8] {
        if self.bytes.capacity() == 0 {
            self.bytes = buffers.take();
        }
        let at = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.bytes.get_mut(at..).unwrap_or_default()
    }

    /// Puts a message behind the others, of which only the first bytes are to be changed. False, and nothing is put in, if that
    /// is not possible.
    #[inline(always)]
    pub fn push_changed(
        &mut self,
        bytes: &[u8],
        first: usize,
        buffers: &mut Buffers,
        change: impl FnOnce(&mut [u8]) -> bool,
    ) -> bool {
        if bytes.len() < WORTH {
            let before = self.bytes.len();
            let changed = change(self.push(bytes, buffers));
            if !changed {
                self.bytes.truncate(before);
            }
            return changed;
        }
        self.push_long(bytes, first, buffers, change)
    }

    #[inline(never)]
    fn push_long(
        &mut self,
        bytes: &[u8],
        first: usize,
        buffers: &mut Buffers,
        change: impl FnOnce(&mut [u8]) -> bool,
    ) -> bool {
        let lent = if self.full { None } else { buffers.lend(bytes, first) };
        let own = if lent.is_some() { bytes.get(..first).unwrap_or_default() } else { bytes };
        if !change(self.push(own, buffers)) {
            self.bytes.truncate(self.bytes.len() - own.len());
            return false;
        }
        if let Some(lent) = lent {
            self.push_lent(lent, buffers);
        }
        true
    }

    #[inline(always)]
    fn push_lent(&mut self, mut lent: Lent, buffers: &mut Buffers) {
        if self.lent.capacity() == 0 {
            self.lent = buffers.pieces.pop().unwrap_or_default();
        }
        lent.at = self.bytes.len();
        self.lent_len += lent.end - lent.begin;
        self.lent.push(lent);
    }

    /// Puts bytes behind the others that go as they are.
    #[inline]
    pub fn pass(&mut self, bytes: &[u8], buffers: &mut Buffers) {
        self.push_changed(bytes, 0, buffers, |_| true);
    }

    /// Puts all that waits in another one behind the others.
    pub fn append(&mut self, mut other: Self, buffers: &mut Buffers) {
        other.keep();
        if !other.is_empty() {
            self.push(other.bytes.get(other.sent..).unwrap_or_default(), buffers);
        }
        buffers.give(std::mem::take(&mut other.bytes));
    }

    /// Copies what is lent.
    pub fn keep(&mut self) {
        if self.lent.is_empty() {
            return;
        }
        let mut all = Vec::with_capacity(self.len());
        let mut at = self.sent;
        for piece in self.lent.drain(..) {
            all.extend_from_slice(self.bytes.get(at..piece.at).unwrap_or_default());
            all.extend_from_slice(piece.bytes());
            at = piece.at;
        }
        all.extend_from_slice(self.bytes.get(at..).unwrap_or_default());
        self.bytes = all;
        (self.sent, self.lent_len, self.full) = (0, 0, true);
    }

    /// Sends as much as the socket takes; returns how much that was.
    pub fn send(&mut self, socket: &mut impl Write, buffers: &mut Buffers) -> io::Result<usize> {
        let waited = self.len();
        let result = loop {
            let written = if self.lent.is_empty() {
                let rest = self.bytes.get(self.sent..).unwrap_or_default();
                if rest.is_empty() {
                    break Ok(());
                }
                socket.write(rest)
            } else {
                self.write_lent(socket)
            };
            match written {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(len) => self.went(len),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        let sent = waited - self.len();
        self.total += sent as u64;
        if self.lent.capacity() > 0 {
            self.keep();
            buffers.give_pieces(std::mem::take(&mut self.lent));
        }
        self.full = !self.is_empty();
        if self.is_empty() {
            self.sent = 0;
            buffers.give(std::mem::take(&mut self.bytes));
        } else if self.sent > self.len() {
            // What was sent is let go once it is the greater part, so that each byte is moved once at most.
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
        result.map(|()| sent)
    }

    /// Writes one's own bytes and those between them at once.
    fn write_lent(&self, socket: &mut impl Write) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let (mut count, mut at) = (0, self.sent);
        let mut put = |bytes| {
            slices[count] = IoSlice::new(bytes);
            count += 1;
        };
        // The last place is for one's own bytes behind them.
        for piece in self.lent.iter().take(SLICES / 2) {
            if piece.at > at {
                put(self.bytes.get(at..piece.at).unwrap_or_default());
            }
            put(piece.bytes());
            at = piece.at;
        }
        if self.lent.len() <= SLICES / 2 && self.bytes.len() > at {
            put(self.bytes.get(at..).unwrap_or_default());
        }
        socket.write_vectored(slices.get(..count).unwrap_or_default())
    }

    /// So many bytes were sent.
    fn went(&mut self, mut len: usize) {
        if len == self.len() {
            self.lent.clear();
            (self.sent, self.lent_len) = (self.bytes.len(), 0);
            return;
        }
        let mut gone = 0;
        for piece in &mut self.lent {
            let own = len.min(piece.at - self.sent);
            self.sent += own;
            let part = (len - own).min(piece.end - piece.begin);
            piece.begin += part;
            self.lent_len -= part;
            len -= own + part;
            if piece.begin < piece.end || self.sent < piece.at {
                break;
            }
            gone += 1;
        }
        self.lent.drain(..gone);
        self.sent += len;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many bytes, then blocks.
    struct Socket(usize, Vec<u8>);

    impl Write for Socket {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.write_vectored(&[IoSlice::new(bytes)])
        }

        fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
            let before = self.0;
            for piece in pieces {
                let len = piece.len().min(self.0);
                self.0 -= len;
                self.1.extend_from_slice(&piece[..len]);
            }
            if before == self.0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(before - self.0) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn bytes_are_sent_in_order_however_the_socket_takes_them() {
        let (mut out, mut buffers, mut socket) = (Out::default(), Buffers::default(), Socket(0, Vec::new()));
        let mut expected = Vec::new();
        for round in 0..50_u8 {
            out.push(&[round; 7], &mut buffers)[0] = 0xff;
            expected.extend([0xff, round, round, round, round, round, round]);
            socket.0 = usize::from(round % 13);
            out.send(&mut socket, &mut buffers).unwrap_or_default();
            assert_eq!(out.len() + socket.1.len(), expected.len());
            assert_eq!((out.sent() as usize, out.end() as usize), (socket.1.len(), expected.len()));
            assert_eq!(out.waiting(out.sent()), &expected[socket.1.len()..]);
            assert_eq!((out.waiting(out.end()), out.waiting(out.end() + 1)), (&[][..], &[][..]));
        }
        socket.0 = usize::MAX;
        out.send(&mut socket, &mut buffers).unwrap_or_default();
        assert_eq!(socket.1, expected);
        assert_eq!((out.bytes.capacity(), buffers.free.len()), (0, 1));
    }

    #[test]
    fn what_is_lent_stands_where_it_was_put_and_nothing_writes_over_it() {
        let (mut out, mut buffers, mut socket) = (Out::default(), Buffers::default(), Socket(0, Vec::new()));
        let mut expected = Vec::new();
        let (mut whole, mut cut) = (0, 0);
        // Sizes and room for them follow a fixed pattern without a common period.
        for round in 0..400_usize {
            let mut lent = 0;
            for turn in 0..round % 7 {
                let mut chunk = buffers.chunk();
                let bytes = Rc::get_mut(&mut chunk).expect("nobody else has it");
                bytes.fill((round * 7 + turn) as u8);
                buffers.lend_from(&chunk);
                let message = &chunk[turn * 100..turn * 100 + 4 + (round * 997 + turn * 1013) % 5000];
                let changed = turn % 3 > 0;
                if changed {
                    let refused = out.push_changed(message, 4, &mut buffers, |_| false);
                    assert!(!refused);
                    out.push_changed(message, 4, &mut buffers, |begin| {
                        begin[3] = 0xff;
                        true
                    });
                } else {
                    out.pass(message, &mut buffers);
                }
                expected.extend_from_slice(message);
                if changed {
                    let at = expected.len() - message.len() + 3;
                    expected[at] = 0xff;
                }
                lent += usize::from(Rc::strong_count(&chunk) > 2);
                buffers.give_chunk(chunk);
                expected.extend_from_slice(out.push(&[turn as u8; 3], &mut buffers));
            }
            assert_eq!(out.lent.len(), lent);
            if round % 11 == 0 {
                out.keep();
                assert_eq!(out.waiting(out.sent()), &expected[socket.1.len()..]);
            }
            socket.0 = round * 7919 % 60_011;
            out.send(&mut socket, &mut buffers).unwrap_or_default();
            *if out.is_empty() { &mut whole } else { &mut cut } += lent;
            assert_eq!((out.sent() as usize, out.end() as usize), (socket.1.len(), expected.len()));
            assert_eq!(out.waiting(out.sent()), &expected[socket.1.len()..]);
        }
        socket.0 = usize::MAX;
        out.send(&mut socket, &mut buffers).unwrap_or_default();
        assert!(socket.1 == expected);
        assert!(whole > 100 && cut > 20, "{whole} and {cut} pieces were lent");
        assert!(buffers.chunks.len() <= CHUNKS + 1 && buffers.chunks.iter().all(|chunk| Rc::strong_count(chunk) == 1));
    }

    #[test]
    fn what_waits_is_not_copied_again_for_each_message_behind_it() {
        let (mut out, mut buffers, mut socket) = (Out::default(), Buffers::default(), Socket(100, Vec::new()));
        let chunk = buffers.chunk();
        buffers.lend_from(&chunk);
        out.pass(&chunk, &mut buffers);
        assert_eq!((out.lent.len(), out.send(&mut socket, &mut buffers).unwrap_or_default()), (1, 100));
        for _ in 0..3 {
            out.pass(&chunk, &mut buffers);
            assert_eq!((out.lent.len(), out.send(&mut socket, &mut buffers).unwrap_or_default()), (0, 0));
        }
        socket.0 = usize::MAX;
        assert_eq!(out.send(&mut socket, &mut buffers).unwrap_or_default(), 4 * CHUNK - 100);
        out.pass(&chunk, &mut buffers);
        assert_eq!(out.lent.len(), 1);
    }

    #[test]
    fn short_messages_and_what_lies_elsewhere_are_copied() {
        let (mut out, mut buffers) = (Out::default(), Buffers::default());
        let chunk = buffers.chunk();
        out.pass(&chunk[..WORTH], &mut buffers);
        assert_eq!(out.lent.len(), 0, "nobody lends");
        buffers.lend_from(&chunk);
        out.pass(&chunk[..WORTH - 1], &mut buffers);
        out.push_changed(&chunk[..WORTH], 1, &mut buffers, |_| true);
        out.pass(&[0; 2 * WORTH], &mut buffers);
        buffers.copying(|buffers| out.pass(&chunk, buffers));
        assert_eq!(out.lent.len(), 0);
        out.pass(&chunk, &mut buffers);
        assert_eq!((out.lent.len(), out.len()), (1, 5 * WORTH - 1 + 2 * CHUNK));
    }
}
