//! A worker: an event loop over its own listening sockets, clients and connections to hosts.
//!
//! One round of the loop waits for sockets, reads what is there, splits it, routes and hands on every frame, and then
//! writes once to each peer that got something. Nothing is shared with other workers but counters of clusters and hosts.

mod answers;
mod bound;
mod clients;
mod downstream;
mod filtered;
mod groups;
mod hosts;
mod lines;
mod long;
mod moves;
mod order;
mod out;
mod pools;
mod serve;
mod upstream;
mod ways;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::{Duration, Instant};

use metaprotocol_core::{Fed, Limits};
use mio::{Events, Poll, Token, Waker};
use slab::Slab;

use crate::balance::Random;
use crate::filter::{Answers, Verdict};
use crate::route::Scratch;
use crate::snapshot::{Listener, Snapshot};
use crate::stats::{ClusterStats, ListenerCounts};
use crate::timers::Timers;
use downstream::Downstream;
use filtered::Suspended;
use groups::{Group, Local};
use out::Buffers;
use upstream::Upstream;

/// What a worker is told.
pub enum Control {
    /// From now on this is the configuration.
    Snapshot(Arc<Snapshot>),
    /// A listener, and its socket of this worker.
    Listen(Arc<Listener>, std::net::TcpListener),
    /// Say that all that came before has been done.
    Report(Sender<()>),
    /// What a filter says, at last, of the message with this number.
    Verdict(u64, Verdict),
    /// Accept no more, let the clients leave, which takes so many milliseconds if they never pause, and say that this has
    /// begun.
    Drain(u64, Sender<()>),
    /// Close everything and end.
    Stop,
}

/// What a worker counts, for readers in other threads.
#[derive(Clone, Debug)]
pub enum Counts {
    /// Of a listener, by its name.
    Listener(Arc<str>, Arc<ListenerCounts>),
    /// Of a cluster, by its name.
    Cluster(Arc<str>, Arc<ClusterStats>),
}

/// A connection of this worker, or one that was at its place before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Id {
    at: u32,
    serial: u32,
}

const WAKER: Token = Token(usize::MAX);
/// The lowest bits of a token say what it is of.
const LISTENER: usize = 0;
const CLIENT: usize = 1;
const HOST: usize = 2;

fn token(kind: usize, at: usize) -> Token {
    Token(at << 2 | kind)
}

/// A deadline.
#[derive(Clone, Copy, Debug)]
enum Due {
    /// A client has been idle, perhaps.
    Idle(Id),
    /// A client's connection is old.
    Age(Id),
    /// A client that is to leave may have paused.
    Leave(Id),
    /// A client has not shown its protocol.
    Detect(Id),
    /// A client reads too slowly for a connection that it shares.
    Slow(Id),
    /// A host should have accepted.
    Connect(Id),
    /// A request should have been answered: connection, slot, and which request of that slot.
    Request(Id, u32, u32),
    /// As [`Due::Request`], on the connection that a client has for itself: the client, and which of its requests.
    Bound(Id, u64),
    /// A connection to a host has been idle, perhaps.
    HostIdle(Id),
    /// A host should have taken what a client sent before it left.
    Linger(Id),
    /// A listener may accept again.
    Accept(usize),
    /// It is time to look whether hosts of a cluster may come back.
    Sweep(usize),
    /// It is time to forget hosts of a cluster that clients were redirected from.
    Originals(usize),
}

/// Which connections can be shared: host and codec by their addresses in memory, and the dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Pool {
    host: usize,
    codec: usize,
    dialect: u32,
}

/// Bytes that are read at a time.
const CHUNK: usize = 64 << 10;
/// Reads of one connection in one round of the loop, so that the others get their turn.
const READS: usize = 8;
/// Connections accepted in one round.
const ACCEPTS: usize = 64;

/// What a worker begins with. It can be made in another thread than the worker's own.
pub struct Place {
    worker: usize,
    workers: usize,
    poll: Poll,
    control: Receiver<Control>,
    answers: Arc<Answers>,
    report: Sender<Counts>,
    began: Instant,
    seed: u64,
}

impl Place {
    /// The place of a worker, by its number from 0 and that of all, and what wakes it up after a message to its `control`.
    /// `began` is when the proxy began, `seed` makes its random numbers its own.
    ///
    /// # Errors
    /// [`io::Error`] if the system gives no event queue.
    pub fn new(
        (worker, workers): (usize, usize),
        control: Receiver<Control>,
        answers: Sender<Control>,
        report: Sender<Counts>,
        began: Instant,
        seed: u64,
    ) -> io::Result<(Self, Arc<Waker>)> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let answers = Arc::new(Answers { control: answers, waker: Arc::clone(&waker) });
        Ok((Self { worker, workers, poll, control, answers, report, began, seed }, waker))
    }
}

/// The event loop of one thread.
pub struct Worker {
    /// Its number, from 0, and how many there are.
    worker: usize,
    workers: usize,
    poll: Poll,
    control: Receiver<Control>,
    report: Sender<Counts>,
    listeners: Slab<Local>,
    groups: Slab<Group>,
    by_name: HashMap<Arc<str>, usize, foldhash::fast::RandomState>,
    clients: Slab<Downstream>,
    hosts: Slab<Upstream>,
    timers: Timers<Due>,
    due: Vec<Due>,
    began: Instant,
    /// Milliseconds since the proxy began, as of this round of the loop; and microseconds.
    now: u64,
    now_us: u64,
    serial: u32,
    random: Random,
    fed: Fed,
    buffers: Buffers,
    scratch: Scratch,
    /// Connections to read from in this round.
    ready_clients: Vec<Id>,
    ready_hosts: Vec<Id>,
    /// Connections to write to at the end of the round.
    unsent_clients: Vec<Id>,
    unsent_hosts: Vec<Id>,
    /// Listeners where more clients may wait.
    accepting: Vec<usize>,
    /// Clients whose frames need wait no longer.
    resume: Vec<Id>,
    /// Of decoders that clients share.
    limits: Limits,
    /// The way back for filters that answer later, and the messages that wait for it.
    answers: Arc<Answers>,
    suspended: HashMap<u64, Suspended, foldhash::fast::RandomState>,
    /// Clusters with requests of the bound for all workers that this one may still enter.
    lenders: Vec<usize>,
    /// Hosts that have said goodbye, and until when they are left alone, in milliseconds.
    leaving: Vec<(SocketAddr, u64)>,
    number: u64,
    stopped: bool,
}

impl Worker {
    /// A worker without listeners.
    pub fn new(place: Place) -> Self {
        let Place { worker, workers, poll, control, answers, report, began, seed } = place;
        Self {
            worker,
            workers,
            poll,
            control,
            report,
            listeners: Slab::new(),
            groups: Slab::new(),
            by_name: HashMap::default(),
            clients: Slab::new(),
            hosts: Slab::new(),
            timers: Timers::new(0),
            due: Vec::new(),
            began,
            now: 0,
            now_us: 0,
            serial: 0,
            random: Random::new(seed),
            fed: Fed::default(),
            buffers: Buffers::default(),
            scratch: Scratch::default(),
            ready_clients: Vec::new(),
            ready_hosts: Vec::new(),
            unsent_clients: Vec::new(),
            unsent_hosts: Vec::new(),
            accepting: Vec::new(),
            resume: Vec::new(),
            limits: Limits::default(),
            answers,
            suspended: HashMap::default(),
            lenders: Vec::new(),
            leaving: Vec::new(),
            number: 0,
            stopped: false,
        }
    }

    /// Runs until it is told to stop.
    ///
    /// # Errors
    /// [`io::Error`] if the event queue fails.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        while !self.stopped {
            let busy = !self.ready_clients.is_empty() || !self.ready_hosts.is_empty() || !self.accepting.is_empty();
            let wait = if busy { Some(0) } else { self.timers.next(self.now) };
            match self.poll.poll(&mut events, wait.map(Duration::from_millis)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result?,
            }
            let since = self.began.elapsed();
            self.now = since.as_millis() as u64;
            self.now_us = since.as_micros() as u64;
            for event in &events {
                let at = event.token().0 >> 2;
                let readable = event.is_readable() || event.is_error();
                match event.token() {
                    WAKER => self.obey(),
                    Token(token) if token & 3 == LISTENER => self.accept(at),
                    Token(token) if token & 3 == CLIENT => {
                        let (fin, broken) = (event.is_read_closed(), event.is_error());
                        self.client_event(at, readable, fin, event.is_writable(), broken);
                    }
                    _ => self.host_event(at, readable, event.is_read_closed(), event.is_writable()),
                }
            }
            self.read_clients();
            self.flush_hosts();
            self.read_hosts();
            self.expire();
            self.resume();
            self.flush_clients();
            self.flush_hosts();
            self.pay_back();
        }
        Ok(())
    }

    fn obey(&mut self) {
        loop {
            match self.control.try_recv() {
                Ok(Control::Snapshot(snapshot)) => self.adopt(&snapshot),
                Ok(Control::Listen(listener, socket)) => self.listen(&listener, socket),
                Ok(Control::Report(done)) => {
                    // Whoever asked may not wait for it.
                    let _ = done.send(());
                }
                Ok(Control::Verdict(number, verdict)) => self.answered(number, verdict),
                Ok(Control::Drain(patience, begun)) => {
                    self.drain(patience);
                    // Whoever asked may not wait for it.
                    let _ = begun.send(());
                }
                Ok(Control::Stop) | Err(TryRecvError::Disconnected) => {
                    self.stopped = true;
                    return;
                }
                Err(TryRecvError::Empty) => return,
            }
        }
    }

    fn expire(&mut self) {
        let mut due = std::mem::take(&mut self.due);
        self.timers.advance(self.now, &mut due);
        for due in due.drain(..) {
            match due {
                Due::Idle(id) => self.client_idle(id),
                Due::Age(id) => self.client_old(id),
                Due::Leave(id) => self.client_leaves(id),
                Due::Detect(id) => self.detect_late(id),
                Due::Slow(id) => self.client_slow(id),
                Due::Connect(id) => self.connect_late(id),
                Due::Request(id, slot, turn) => self.request_late(id, slot, turn),
                Due::Bound(id, number) => self.bound_late(id, number),
                Due::HostIdle(id) => self.host_idle(id),
                Due::Linger(id) => self.linger_late(id),
                Due::Accept(at) => self.accept(at),
                Due::Sweep(at) => self.sweep(at),
                Due::Originals(at) => self.forget_originals(at),
            }
        }
        self.due = due;
    }
}
