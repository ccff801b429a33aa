//! Bytes on their way to a socket.

use std::io::{self, Write};

/// Buffers that nobody uses at the moment: connections that have nothing to send hold none.
#[derive(Debug, Default)]
pub struct Buffers {
    free: Vec<Vec<u8>>,
}

/// Longest buffer that is kept for others, and how many.
const KEPT_LEN: usize = 256 << 10;
const KEPT: usize = 64;

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
}

/// What is still to be sent, in order.
#[derive(Debug, Default)]
pub struct Out {
    bytes: Vec<u8>,
    /// How many of them were sent.
    sent: usize,
    /// How many bytes were sent in all.
    total: u64,
}

impl Out {
    /// How many bytes wait.
    pub const fn len(&self) -> usize {
        self.bytes.len() - self.sent
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

    /// Bytes that wait, from a place among all on.
    pub fn waiting(&self, from: u64) -> &[u8] {
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

    /// Puts all that waits in another one behind the others.
    pub fn append(&mut self, mut other: Self, buffers: &mut Buffers) {
        if !other.is_empty() {
            self.push(other.bytes.get(other.sent..).unwrap_or_default(), buffers);
        }
        buffers.give(std::mem::take(&mut other.bytes));
    }

    /// Takes back the last bytes that were put in.
    pub fn retract(&mut self, len: usize) {
        self.bytes.truncate(self.bytes.len().saturating_sub(len).max(self.sent));
    }

    /// Sends as much as the socket takes; returns how much that was.
    pub fn send(&mut self, socket: &mut impl Write, buffers: &mut Buffers) -> io::Result<usize> {
        let before = self.sent;
        let result = loop {
            let rest = self.bytes.get(self.sent..).unwrap_or_default();
            if rest.is_empty() {
                break Ok(());
            }
            match socket.write(rest) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(len) => self.sent += len,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        let sent = self.sent - before;
        self.total += sent as u64;
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
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many bytes, then blocks.
    struct Socket(usize, Vec<u8>);

    impl Write for Socket {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let len = bytes.len().min(self.0);
            if len == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.0 -= len;
            self.1.extend_from_slice(&bytes[..len]);
            Ok(len)
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
}
