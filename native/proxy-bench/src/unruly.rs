//! Hosts that misbehave when they are told to: several in one thread, each at an address of its own.

use std::fmt::Write as _;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::time::Duration;

use metaprotocol_core::{AnyCodec, Connection, Direction, Frame, Limits, PairBy, Placed};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};
use serde_json::json;
use slab::Slab;

use crate::protocol::Protocol;
use crate::serve::accept;
use crate::wire::{Filled, Inbox, Outbox, write};

const WAKER: Token = Token(usize::MAX);
/// A client that does not take its answers is not read from beyond this.
const MAX_PENDING: usize = 4 << 20;
/// What a slow host sends on each connection, and how often.
const TRICKLE: usize = 700;
const TICK: Duration = Duration::from_millis(2);

/// What a host does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It answers what it is asked.
    #[default]
    Well,
    /// It reads, and answers when it does something else again.
    Hang,
    /// It neither accepts nor reads.
    Deaf,
    /// It sends its answers in small pieces.
    Slow,
    /// It resets each connection on which it is asked.
    Reset,
    /// It answers once, then sends nothing more on that connection, but keeps it.
    HalfClose,
    /// It closes each connection on which it is asked, in the middle of its answer.
    Cut,
    /// Among its answers are some that are none: of no protocol, without end, with ids that nobody asked for, or twice.
    Garbage,
    /// It has gone, with all of its connections, and nobody listens.
    Dead,
}

impl Mode {
    /// All of them, by name.
    pub const ALL: [(&str, Self); 9] = [
        ("well", Self::Well),
        ("hang", Self::Hang),
        ("deaf", Self::Deaf),
        ("slow", Self::Slow),
        ("reset", Self::Reset),
        ("half-close", Self::HalfClose),
        ("cut", Self::Cut),
        ("garbage", Self::Garbage),
        ("dead", Self::Dead),
    ];
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|(own, _)| *own == name).map(|(_, mode)| mode);
        found.ok_or_else(|| format!("{name}: a mode is one of {}", Self::ALL.map(|(own, _)| own).join(", ")))
    }
}

/// What hosts are told: who, and what to do. What they count is sent back.
pub struct Order {
    /// A host by its number; none for all.
    pub host: Option<usize>,
    /// None for what it does already.
    pub mode: Option<Mode>,
    /// Where the counts go.
    pub told: Sender<serde_json::Value>,
}

/// Tells hosts what to do.
pub struct Reins {
    orders: Sender<Order>,
    waker: Arc<Waker>,
}

impl Reins {
    /// Gives an order, and waits until it is obeyed. Returns what the hosts have counted; none if they are gone.
    #[must_use]
    pub fn tell(&self, host: Option<usize>, mode: Option<Mode>) -> Option<serde_json::Value> {
        let (told, heard) = channel();
        self.orders.send(Order { host, mode, told }).ok()?;
        self.waker.wake().ok()?;
        heard.recv().ok()
    }
}

struct Host {
    address: SocketAddr,
    listener: Option<TcpListener>,
    mode: Mode,
    accepted: u64,
    asked: u64,
    answered: u64,
}

struct Client {
    host: usize,
    socket: TcpStream,
    decoder: Box<dyn Connection>,
    inbox: Inbox,
    outbox: Outbox,
    /// Answers that wait as long as the host hangs.
    late: Vec<u8>,
    /// It sends nothing more.
    mute: bool,
}

/// Hosts, and all that is connected to them.
pub struct Hosts {
    protocol: Protocol,
    codec: Arc<dyn AnyCodec>,
    poll: Poll,
    orders: Receiver<Order>,
    hosts: Vec<Host>,
    clients: Slab<Client>,
    random: u64,
    /// Requests that were none, and why the first was not: what stands between has spoilt it.
    bad: u64,
    first_bad: Option<String>,
}

impl Hosts {
    /// Hosts at these addresses, where port 0 is any free one. The seed chooses among faults.
    ///
    /// # Errors
    /// Those of the sockets.
    pub fn new(protocol: Protocol, addresses: &[SocketAddr], seed: u64) -> io::Result<(Self, Reins)> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let (orders, received) = channel();
        let mut hosts = Self {
            protocol,
            codec: protocol.codec(),
            poll,
            orders: received,
            hosts: Vec::new(),
            clients: Slab::new(),
            random: seed | 1,
            bad: 0,
            first_bad: None,
        };
        for address in addresses {
            let (address, mode) = (*address, Mode::Well);
            hosts.hosts.push(Host { address, listener: None, mode, accepted: 0, asked: 0, answered: 0 });
            hosts.listen(hosts.hosts.len() - 1)?;
        }
        Ok((hosts, Reins { orders, waker }))
    }

    /// Where they are.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.hosts.iter().map(|host| host.address).collect()
    }

    /// Serves until nobody holds the reins.
    ///
    /// # Errors
    /// Those of the listeners and of the event queue.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut frames = Vec::new();
        loop {
            let slow = self.hosts.iter().any(|host| host.mode == Mode::Slow);
            match self.poll.poll(&mut events, slow.then_some(TICK)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => result?,
            }
            for event in &events {
                let at = event.token().0 >> 1;
                if event.token() == WAKER {
                    if !self.obey(&mut frames)? {
                        return Ok(());
                    }
                } else if event.token().0 & 1 == 1 {
                    self.accept(at)?;
                } else {
                    self.turn(at, event.is_read_closed(), &mut frames);
                }
            }
            if slow {
                self.turn_all(|host| host.mode == Mode::Slow, &mut frames);
            }
        }
    }

    fn listen(&mut self, at: usize) -> io::Result<()> {
        let host = &mut self.hosts[at];
        let listener = std::net::TcpListener::bind(host.address)?;
        host.address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        let mut listener = TcpListener::from_std(listener);
        self.poll.registry().register(&mut listener, Token(at << 1 | 1), Interest::READABLE)?;
        host.listener = Some(listener);
        Ok(())
    }

    fn obey(&mut self, frames: &mut Vec<Placed>) -> io::Result<bool> {
        loop {
            let order = match self.orders.try_recv() {
                Ok(order) => order,
                Err(TryRecvError::Empty) => return Ok(true),
                Err(TryRecvError::Disconnected) => return Ok(false),
            };
            for at in 0..self.hosts.len() {
                let Some(mode) = order.mode.filter(|_| order.host.is_none_or(|host| host == at)) else { continue };
                self.become_(at, mode, frames)?;
            }
            // Whoever asked may be gone.
            let _ = order.told.send(self.counts());
        }
    }

    fn become_(&mut self, at: usize, mode: Mode, frames: &mut Vec<Placed>) -> io::Result<()> {
        self.hosts[at].mode = mode;
        if mode == Mode::Dead {
            self.hosts[at].listener = None;
            self.clients.retain(|_, client| client.host != at);
            return Ok(());
        }
        if self.hosts[at].listener.is_none() {
            self.listen(at)?;
        }
        if mode != Mode::Hang {
            // Before all that is asked from now on, so that the order stays.
            for (_, client) in self.clients.iter_mut().filter(|(_, client)| client.host == at) {
                client.outbox.end().append(&mut client.late);
            }
        }
        // What has come meanwhile has no event any more.
        self.accept(at)?;
        let address = self.hosts[at].address;
        self.turn_all(|host| host.address == address, frames);
        Ok(())
    }

    fn counts(&self) -> serde_json::Value {
        let count = |host: &Host| {
            json!({
                "address": host.address, "accepted": host.accepted, "asked": host.asked, "answered": host.answered,
            })
        };
        let hosts: Vec<_> = self.hosts.iter().map(count).collect();
        json!({ "hosts": hosts, "open": self.clients.len(), "bad": self.bad, "first_bad": self.first_bad })
    }

    fn accept(&mut self, at: usize) -> io::Result<()> {
        while let Some(listener) = &self.hosts[at].listener {
            if self.hosts[at].mode == Mode::Deaf {
                break;
            }
            let Some(mut socket) = accept(listener)? else { break };
            self.hosts[at].accepted += 1;
            let entry = self.clients.vacant_entry();
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut socket, Token(entry.key() << 1), interest)?;
            entry.insert(Client {
                host: at,
                socket,
                decoder: Arc::clone(&self.codec).connect(Limits::default()),
                inbox: Inbox::default(),
                outbox: Outbox::default(),
                late: Vec::new(),
                mute: false,
            });
        }
        Ok(())
    }

    fn turn_all(&mut self, which: impl Fn(&Host) -> bool, frames: &mut Vec<Placed>) {
        let found: Vec<usize> =
            self.clients.iter().filter(|(_, client)| which(&self.hosts[client.host])).map(|(at, _)| at).collect();
        for at in found {
            self.turn(at, true, frames);
        }
    }

    fn turn(&mut self, at: usize, closing: bool, frames: &mut Vec<Placed>) {
        let Some(client) = self.clients.get_mut(at) else { return };
        let host = &mut self.hosts[client.host];
        let mut acting = Acting { protocol: self.protocol, codec: &*self.codec, random: &mut self.random, host };
        match client.turn(closing, frames, &mut acting) {
            Ok(true) => {}
            Ok(false) => drop(self.clients.remove(at)),
            Err(reason) => {
                self.bad += 1;
                self.first_bad.get_or_insert(reason);
                self.clients.remove(at);
            }
        }
    }
}

/// What a host needs to answer.
struct Acting<'h> {
    protocol: Protocol,
    codec: &'h dyn AnyCodec,
    random: &'h mut u64,
    host: &'h mut Host,
}

impl Client {
    /// Does all there is to do now. False once the connection is over; an error if what was sent on it is no request.
    fn turn(&mut self, closing: bool, frames: &mut Vec<Placed>, acting: &mut Acting<'_>) -> Result<bool, String> {
        let mode = acting.host.mode;
        if mode == Mode::Deaf {
            return Ok(true);
        }
        loop {
            if mode == Mode::Slow && self.outbox.pending() > 0 {
                let waiting = self.outbox.waiting();
                let Ok(count) = write(&mut self.socket, &waiting[..waiting.len().min(TRICKLE)]) else {
                    return Ok(false);
                };
                self.outbox.forget(count.unwrap_or(0));
                return Ok(true);
            }
            // Who asked may be gone.
            if self.outbox.flush(&mut self.socket).is_err() {
                return Ok(false);
            }
            if self.outbox.pending() > MAX_PENDING || self.late.len() > MAX_PENDING {
                return Ok(true);
            }
            let filled = match self.inbox.fill(&mut self.socket) {
                Ok(Filled::Closed) | Err(_) => return Ok(false),
                Ok(Filled::Blocked) => return Ok(true),
                Ok(filled) => filled,
            };
            frames.clear();
            let bytes = self.inbox.bytes();
            let advanced = self.decoder.advance(Direction::ClientToServer, bytes, frames);
            for placed in &*frames {
                let frame = bytes.get(placed.at..).and_then(|bytes| Frame::new(placed.head, bytes));
                let frame = frame.ok_or("a frame beyond its bytes")?;
                if self.mute {
                    continue;
                }
                acting.host.asked += 1;
                let out = if mode == Mode::Hang { &mut self.late } else { self.outbox.end() };
                let start = out.len();
                acting.protocol.answer(acting.codec, frame, out)?;
                acting.host.answered += 1;
                match mode {
                    Mode::Reset => {
                        // So that the other side gets a reset when the socket is closed.
                        let _ = socket2::SockRef::from(&self.socket).set_linger(Some(Duration::ZERO));
                        return Ok(false);
                    }
                    Mode::Cut => {
                        out.truncate(start + (out.len() - start) / 2);
                        // What cannot be sent at once need not be.
                        let _ = self.outbox.flush(&mut self.socket);
                        return Ok(false);
                    }
                    Mode::HalfClose => {
                        self.mute = true;
                        let _ = self.outbox.flush(&mut self.socket);
                        let _ = self.socket.shutdown(Shutdown::Write);
                    }
                    Mode::Garbage => acting.spoil(out, start),
                    _ => {}
                }
            }
            self.inbox.consume(advanced.map_err(|failure| failure.error.to_string())?);
            if filled == Filled::Drained && !closing {
                let slow = mode == Mode::Slow;
                return Ok(slow || self.outbox.flush(&mut self.socket).is_ok());
            }
        }
    }
}

impl Acting<'_> {
    fn random(&mut self) -> u64 {
        *self.random ^= *self.random << 13;
        *self.random ^= *self.random >> 7;
        *self.random ^= *self.random << 17;
        *self.random
    }

    /// Puts something else before, or behind, the answer that begins at `start`; mostly nothing.
    fn spoil(&mut self, out: &mut Vec<u8>, start: usize) {
        let by_id = self.codec.info().pair_by == PairBy::Id;
        let choice = self.random() % 64;
        let answer = out[start..].to_vec();
        match choice {
            // Of no protocol.
            0 => {
                out.truncate(start);
                let count = 1 + self.random() % 3000;
                out.extend((0..count).map(|_| 0xfe));
            }
            // Longer than anybody may be.
            1 => {
                out.truncate(start);
                out.extend_from_slice(match self.protocol {
                    Protocol::Thrift => b"\x7f\xff\xff\xf0\x80\x01\0\x02",
                    Protocol::Dubbo => b"\xda\xbb\x02\x14\0\0\0\0\0\0\0\x01\x7f\xff\xff\xf0",
                    Protocol::Redis => b"$99999999999\r\n",
                });
            }
            // A stranger before it; twice the same. Where order is all that tells answers apart, both were lies that nobody can see.
            2 if by_id => {
                let place = match self.protocol {
                    Protocol::Thrift => 16,
                    Protocol::Dubbo | Protocol::Redis => 8,
                };
                out.truncate(start);
                out.extend_from_slice(&answer);
                out[start + place..start + place + 4].copy_from_slice(&0x7fff_ffff_u32.to_be_bytes());
                out.extend_from_slice(&answer);
            }
            3 if by_id => out.extend_from_slice(&answer),
            _ => {}
        }
    }
}

/// An order in words: the number of a host or `*`, and a mode; or nothing, to hear what they count.
///
/// # Errors
/// What is wrong with it.
pub fn order(line: &str) -> Result<(Option<usize>, Option<Mode>), String> {
    let mut words = line.split_ascii_whitespace();
    let Some(host) = words.next() else { return Ok((None, None)) };
    let host = match host {
        "*" => None,
        number => Some(number.parse().map_err(|error| format!("{number}: {error}"))?),
    };
    let mode = words.next().ok_or("a mode is missing")?.parse()?;
    let mut rest = String::new();
    words.for_each(|word| write!(rest, " {word}").unwrap_or_default());
    if rest.is_empty() { Ok((host, Some(mode))) } else { Err(format!("{rest}: too much")) }
}
