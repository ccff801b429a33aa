//! Bytes on their way in and out of a socket that does not block.

use std::io::{self, ErrorKind, Read, Write};

/// Room for what one read may bring: sixteen answers of 4 KiB, and as many again.
const ROOM: usize = 128 << 10;

/// What one read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// All that was there.
    Drained,
    /// As much as there was room for; there may be more.
    More,
    /// Nothing; an event will tell when there is.
    Blocked,
    /// The end.
    Closed,
}

/// What was received and not yet consumed.
#[derive(Debug)]
pub struct Inbox {
    bytes: Vec<u8>,
    filled: usize,
}

impl Default for Inbox {
    fn default() -> Self {
        Self { bytes: vec![0; ROOM], filled: 0 }
    }
}

impl Inbox {
    /// Reads once.
    ///
    /// # Errors
    /// Those of the socket, but neither `WouldBlock` nor `Interrupted`.
    pub fn fill(&mut self, socket: &mut impl Read) -> io::Result<Filled> {
        if self.filled == self.bytes.len() {
            self.bytes.resize(2 * self.filled, 0);
        }
        let room = &mut self.bytes[self.filled..];
        match read(socket, room)? {
            None => Ok(Filled::Blocked),
            Some(0) => Ok(Filled::Closed),
            Some(count) => {
                let drained = count < room.len();
                self.filled += count;
                Ok(if drained { Filled::Drained } else { Filled::More })
            }
        }
    }

    /// What is there.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    /// The same, to be changed in place.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.filled]
    }

    /// Forgets the first `used` bytes.
    pub fn consume(&mut self, used: usize) {
        self.bytes.copy_within(used..self.filled, 0);
        self.filled -= used;
    }
}

/// What waits to be sent.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
}

impl Outbox {
    /// Where to put what is to be sent.
    pub fn end(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// How many bytes wait.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// What waits.
    #[must_use]
    pub fn waiting(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// Notes that so many of the bytes that wait were sent.
    pub fn forget(&mut self, count: usize) {
        self.sent += count;
        if self.pending() == 0 {
            self.bytes.clear();
            self.sent = 0;
        }
    }

    /// Writes as much as the socket takes. True if nothing waits any more.
    ///
    /// # Errors
    /// Those of the socket, but neither `WouldBlock` nor `Interrupted`.
    pub fn flush(&mut self, socket: &mut impl Write) -> io::Result<bool> {
        while self.pending() > 0 {
            match write(socket, self.waiting())? {
                None => return Ok(false),
                Some(count) => self.forget(count),
            }
        }
        Ok(true)
    }
}

/// One read; `None` if it would block.
///
/// # Errors
/// Those of the socket, but neither `WouldBlock` nor `Interrupted`.
pub fn read(socket: &mut impl Read, room: &mut [u8]) -> io::Result<Option<usize>> {
    retried(|| socket.read(room))
}

/// One write; `None` if it would block.
///
/// # Errors
/// Those of the socket, but neither `WouldBlock` nor `Interrupted`.
pub fn write(socket: &mut impl Write, bytes: &[u8]) -> io::Result<Option<usize>> {
    retried(|| socket.write(bytes))
}

fn retried(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<Option<usize>> {
    loop {
        match call() {
            Ok(count) => return Ok(Some(count)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
