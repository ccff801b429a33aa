//! A yardstick, and the limit to approach: all clients share one connection to the server, ids are rewritten by hand (or
//! answers handed out in the order of the requests), and what one round of events brings leaves in one write for each peer.
//!
//! It knows three layouts as far as the load and the server use them, believes its peers, expects an answer to every message and has no back-pressure:
//! all that a proxy must do besides is left out on purpose.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use crate::protocol::Protocol;
use crate::serve::{accept, wait};
use crate::wire::{Filled, Inbox, Outbox};

const LISTENER: Token = Token(usize::MAX);
const SERVER: Token = Token(usize::MAX - 1);

struct Peer {
    socket: TcpStream,
    inbox: Inbox,
    outbox: Outbox,
    /// True while it stands in the list of those to write to.
    listed: bool,
    serial: u64,
}

impl Peer {
    fn new(socket: TcpStream, serial: u64) -> Self {
        Self { socket, inbox: Inbox::default(), outbox: Outbox::default(), listed: false, serial }
    }

    /// Reads what there is; `message` sees every complete message and where its id stands. False at the end.
    fn read(&mut self, layout: Layout, closing: bool, mut message: impl FnMut(&mut [u8], usize)) -> io::Result<bool> {
        loop {
            let filled = match self.inbox.fill(&mut self.socket)? {
                Filled::Closed => return Ok(false),
                Filled::Blocked => return Ok(true),
                filled => filled,
            };
            let mut used = 0;
            while let Some(rest) = self.inbox.bytes_mut().get_mut(used..) {
                let Some((len, id_at)) = layout.place(rest)? else { break };
                message(&mut rest[..len], id_at);
                used += len;
            }
            self.inbox.consume(used);
            if filled == Filled::Drained && !closing {
                return Ok(true);
            }
        }
    }
}

/// Where a message ends and where its id stands.
#[derive(Clone, Copy)]
struct Layout {
    protocol: Protocol,
    /// 0 where answers come in order.
    id_len: usize,
}

impl Layout {
    const fn of(protocol: Protocol) -> Self {
        let id_len = match protocol {
            Protocol::Thrift => 4,
            Protocol::Dubbo => 8,
            Protocol::Redis => 0,
        };
        Self { protocol, id_len }
    }

    /// Length and id's place of the message in front, if it is complete.
    fn place(self, bytes: &[u8]) -> io::Result<Option<(usize, usize)>> {
        let number = |at: usize| {
            let bytes = bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
            bytes.map(|bytes| u32::from_be_bytes(bytes) as usize)
        };
        let place = match self.protocol {
            Protocol::Thrift => number(0).zip(number(8)).map(|(len, name_len)| (4 + len, 12 + name_len)),
            Protocol::Dubbo => number(12).map(|len| (16 + len, 4)),
            Protocol::Redis => resp(bytes).map(|len| (len, 0)),
        };
        match place {
            Some((len, id_at)) if id_at + self.id_len > len => {
                Err(io::Error::other("a message without room for its id"))
            }
            Some((len, _)) if len > bytes.len() => Ok(None),
            place => Ok(place),
        }
    }

    fn id(self, message: &[u8], at: usize) -> u64 {
        message[at..at + self.id_len].iter().fold(0, |id, &byte| id << 8 | u64::from(byte))
    }

    fn set_id(self, message: &mut [u8], at: usize, id: u64) {
        message[at..at + self.id_len].copy_from_slice(&id.to_be_bytes()[8 - self.id_len..]);
    }
}

/// The length of an array of strings, a string or a line; what is missing of the last string counts too.
fn resp(bytes: &[u8]) -> Option<usize> {
    // The number that a line holds behind its first byte, if it is one, and where the next line begins.
    let line = |at: usize| {
        let rest = bytes.get(at + 1..)?;
        let end = rest.iter().position(|&byte| byte == b'\n')?;
        let number = rest[..end].trim_ascii_end().iter().try_fold(0_usize, |number, digit| match digit {
            b'0'..=b'9' => number.checked_mul(10)?.checked_add(usize::from(digit - b'0')),
            _ => None,
        });
        Some((number, at + 1 + end + 1))
    };
    let (first, mut at) = line(0)?;
    match (bytes[0], first) {
        (b'*', Some(count)) => {
            for _ in 0..count {
                let (len, next) = line(at)?;
                at = next + len? + 2;
            }
        }
        (b'$', Some(len)) => at += len + 2,
        _ => {}
    }
    Some(at)
}

/// Whose request it was, and its id there.
#[derive(Clone, Copy)]
struct Asked {
    client: usize,
    serial: u64,
    id: u64,
}

/// The requests that wait for their answers.
#[derive(Default)]
struct Waiting {
    numbered: Vec<Asked>,
    free: Vec<usize>,
    ordered: VecDeque<Asked>,
}

impl Waiting {
    /// Our own id for a request.
    fn put(&mut self, layout: Layout, asked: Asked) -> u64 {
        if layout.id_len == 0 {
            self.ordered.push_back(asked);
            return 0;
        }
        let number = self.free.pop().unwrap_or(self.numbered.len());
        match self.numbered.get_mut(number) {
            Some(place) => *place = asked,
            None => self.numbered.push(asked),
        }
        number as u64
    }

    fn take(&mut self, layout: Layout, id: u64) -> Option<Asked> {
        if layout.id_len == 0 {
            return self.ordered.pop_front();
        }
        let asked = self.numbered.get(id as usize).copied();
        self.free.extend(asked.map(|_| id as usize));
        asked
    }
}

/// Forwards all connections over one to `target`.
///
/// # Errors
/// Those of the listener and of the connection to the server, and messages that are not of the protocol.
pub fn mux(listener: std::net::TcpListener, target: SocketAddr, protocol: Protocol) -> io::Result<Infallible> {
    let layout = Layout::of(protocol);
    listener.set_nonblocking(true)?;
    let mut listener = TcpListener::from_std(listener);
    let mut server = Peer::new(TcpStream::connect(target)?, 0);
    server.socket.set_nodelay(true)?;
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let both = Interest::READABLE | Interest::WRITABLE;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    poll.registry().register(&mut server.socket, SERVER, both)?;
    let mut clients: Slab<Peer> = Slab::new();
    let mut serial = 0;
    let mut waiting = Waiting::default();
    let mut listed: Vec<usize> = Vec::new();
    loop {
        wait(&mut poll, &mut events)?;
        for event in &events {
            let closing = event.is_read_closed();
            match event.token() {
                LISTENER => {
                    while let Some(mut socket) = accept(&listener)? {
                        let entry = clients.vacant_entry();
                        poll.registry().register(&mut socket, Token(entry.key()), both)?;
                        serial += 1;
                        entry.insert(Peer::new(socket, serial));
                    }
                }
                SERVER => {
                    let open = server.read(layout, closing, |message, at| {
                        let asked = waiting.take(layout, layout.id(message, at));
                        let Some(Asked { client, serial, id }) = asked else { return };
                        if let Some(peer) = clients.get_mut(client).filter(|peer| peer.serial == serial) {
                            layout.set_id(message, at, id);
                            peer.outbox.end().extend_from_slice(message);
                            if !peer.listed {
                                peer.listed = true;
                                listed.push(client);
                            }
                        }
                    })?;
                    if !open {
                        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server has closed"));
                    }
                }
                Token(client) => {
                    let Some(peer) = clients.get_mut(client) else { continue };
                    let serial = peer.serial;
                    let open = peer.read(layout, closing, |message, at| {
                        let number = waiting.put(layout, Asked { client, serial, id: layout.id(message, at) });
                        layout.set_id(message, at, number);
                        server.outbox.end().extend_from_slice(message);
                    });
                    if !matches!(open, Ok(true)) || peer.outbox.flush(&mut peer.socket).is_err() {
                        clients.remove(client);
                    }
                }
            }
        }
        server.outbox.flush(&mut server.socket)?;
        for client in listed.drain(..) {
            let Some(peer) = clients.get_mut(client) else { continue };
            peer.listed = false;
            if peer.outbox.flush(&mut peer.socket).is_err() {
                clients.remove(client);
            }
        }
    }
}
