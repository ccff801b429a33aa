//! A running proxy: its workers, its configuration, its counters.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{io, thread};

use mio::Waker;
use socket2::{Domain, Protocol, Socket, Type};

use crate::config::Update;
use crate::error::ConfigError;
use crate::snapshot::{Makers, Snapshot};
use crate::stats::{BOUNDS, ClusterStats, ListenerCounts};
use crate::worker::{Control, Counts, Place, Worker};

/// Connections that may wait to be accepted.
pub const BACKLOG: usize = 4096;
/// Of the time that a proxy has to drain, its end at most: then clients that never paused are closed between two requests.
const LAST: Duration = Duration::from_secs(5);

/// How long is waited for a worker to take what it was told.
const PATIENCE: Duration = Duration::from_secs(1);

/// A proxy. It runs from when it is made until it is stopped or dropped.
pub struct Proxy {
    workers: Vec<Running>,
    makers: Makers,
    reports: Mutex<Reports>,
    state: Mutex<State>,
    began: Instant,
}

struct Running {
    control: Sender<Control>,
    waker: Arc<Waker>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

#[derive(Default)]
struct State {
    snapshot: Arc<Snapshot>,
    addresses: BTreeMap<Arc<str>, SocketAddr>,
    /// The sockets of each listener, to hand them over.
    sockets: BTreeMap<Arc<str>, Vec<TcpListener>>,
    /// What another process handed over, for listeners of these names.
    inherited: BTreeMap<String, Vec<TcpListener>>,
    draining: bool,
}

struct Reports {
    receiver: Receiver<Counts>,
    listeners: BTreeMap<Arc<str>, Vec<Arc<ListenerCounts>>>,
    clusters: BTreeMap<Arc<str>, Vec<Arc<ClusterStats>>>,
}

/// The counters of one listener or cluster, of all workers together.
pub type Totals = BTreeMap<&'static str, u64>;

/// How long requests took, of all workers together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Times {
    /// How many took as long as each bucket of [`BOUNDS`] says; the last is for those that took longer.
    pub buckets: [u64; BOUNDS.len() + 1],
    /// All of them together, in microseconds.
    pub sum_us: u64,
}

impl Proxy {
    /// Starts so many workers, without listeners. `makers` finds the codecs and filters that listeners name.
    ///
    /// # Errors
    /// [`io::Error`] if the system gives no thread or event queue.
    pub fn start(workers: usize, makers: Makers) -> io::Result<Self> {
        let (report, receiver) = mpsc::channel();
        let began = Instant::now();
        let seed = std::hash::BuildHasher::hash_one(&foldhash::fast::RandomState::default(), began);
        let workers = workers.max(1);
        let start = |number: usize| {
            let (control, orders) = mpsc::channel();
            let seed = seed ^ (number as u64).rotate_left(32);
            let (place, waker) = Place::new((number, workers), orders, control.clone(), report.clone(), began, seed)?;
            let thread = thread::Builder::new().name(format!("worker-{number}"));
            let thread = thread.spawn(move || Worker::new(place).run())?;
            Ok(Running { control, waker, thread: Some(thread) })
        };
        let snapshot = Arc::new(Snapshot { workers, ..Snapshot::default() });
        let workers = (0..workers).map(start).collect::<io::Result<_>>()?;
        let reports = Reports { receiver, listeners: BTreeMap::new(), clusters: BTreeMap::new() };
        let state = Mutex::new(State { snapshot, ..State::default() });
        Ok(Self { workers, makers, reports: Mutex::new(reports), state, began })
    }

    /// Changes the configuration, all of it at once, or nothing if something in it cannot be used.
    ///
    /// # Errors
    /// [`ConfigError`] with the path of what cannot be used.
    pub fn update(&self, update: Update) -> Result<(), ConfigError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.began.elapsed().as_millis() as u64;
        let next = Arc::new(state.snapshot.updated(update, &self.makers, now)?);
        let mut opened = Vec::new();
        for (name, listener) in &next.listeners {
            let old = state.snapshot.listeners.get(name);
            if old.is_none_or(|old| old.config.address != listener.config.address) && !state.draining {
                let path = format!("listeners.{name}.address");
                let failed = |error: io::Error| ConfigError::new(path.clone(), error.to_string());
                let inherited = state.inherited.get(name.as_ref()).map(Vec::as_slice).unwrap_or_default();
                let sockets = self.bind(&listener.config.address, inherited).map_err(failed)?;
                opened.push((Arc::clone(listener), sockets));
            }
        }
        let moved = |name: &Arc<str>| opened.iter().any(|(listener, _)| listener.name == *name);
        if state.snapshot.listeners.keys().any(moved) {
            // Their old sockets go first.
            let mut without = (*next).clone();
            without.listeners.retain(|name, _| !moved(name));
            let without = Arc::new(without);
            self.tell(|_| Control::Snapshot(Arc::clone(&without)));
        }
        self.tell(|_| Control::Snapshot(Arc::clone(&next)));
        state.addresses.retain(|name, _| next.listeners.contains_key(name));
        state.sockets.retain(|name, _| next.listeners.contains_key(name));
        let opens = !opened.is_empty();
        for (listener, sockets) in opened {
            state.addresses.insert(Arc::clone(&listener.name), sockets.address);
            state.sockets.insert(Arc::clone(&listener.name), sockets.copies);
            state.inherited.remove(listener.name.as_ref());
            // Another process may have had more workers: no socket goes without one, for clients may wait at it.
            for (socket, worker) in sockets.sockets.into_iter().zip(self.workers.iter().cycle()) {
                worker.tell(Control::Listen(Arc::clone(&listener), socket));
            }
        }
        if opens || next.clusters.keys().any(|name| !state.snapshot.clusters.contains_key(name)) {
            self.settle();
        }
        state.snapshot = next;
        Ok(())
    }

    /// Waits until every worker has done what it was told, so that all that is configured is counted.
    fn settle(&self) {
        let (done, told) = mpsc::channel();
        self.tell(|_| Control::Report(done.clone()));
        for _ in &self.workers {
            // A worker that has ended says nothing.
            let _ = told.recv_timeout(PATIENCE);
        }
    }

    /// Sockets to listen by that another process handed over, for the listener of this name, if it is at their address.
    pub fn inherit(&self, name: String, sockets: Vec<TcpListener>) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).inherited.insert(name, sockets);
    }

    /// Closes what was inherited and no listener wanted.
    pub fn disinherit(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).inherited.clear();
    }

    /// The sockets of each listener, to hand them over. Clients may come as long as anybody has them.
    ///
    /// # Errors
    /// [`io::Error`] if the system gives no more descriptors.
    pub fn sockets(&self) -> io::Result<BTreeMap<Arc<str>, Vec<TcpListener>>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.sockets.iter().map(|(name, sockets)| Ok((Arc::clone(name), copies(sockets)?))).collect()
    }

    /// Sockets of one address: those inherited, and as many more as it takes for each worker to have its own.
    fn bind(&self, address: &str, inherited: &[TcpListener]) -> io::Result<Sockets> {
        let unknown = || io::Error::new(io::ErrorKind::InvalidInput, format!("{address:?} is no host:port"));
        let mut address = address.to_socket_addrs().map_err(|_| unknown())?.next().ok_or_else(unknown)?;
        let mut sockets = Vec::with_capacity(self.workers.len());
        for socket in inherited {
            let own = socket.local_addr()?;
            if own.ip() == address.ip() && (own.port() == address.port() || address.port() == 0) {
                socket.set_nonblocking(true)?;
                sockets.push(socket.try_clone()?);
                address = own;
            }
        }
        while sockets.len() < self.workers.len() {
            let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
            socket.set_reuse_address(true)?;
            socket.set_reuse_port(true)?;
            socket.set_nonblocking(true)?;
            socket.bind(&address.into())?;
            socket.listen(BACKLOG as i32)?;
            let socket = TcpListener::from(socket);
            address = socket.local_addr()?;
            sockets.push(socket);
        }
        Ok(Sockets { address, copies: copies(&sockets)?, sockets })
    }

    fn tell(&self, control: impl Fn(usize) -> Control) {
        for (at, worker) in self.workers.iter().enumerate() {
            worker.tell(control(at));
        }
    }

    /// The configuration in effect.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.state.lock().unwrap_or_else(PoisonError::into_inner).snapshot)
    }

    /// Where each listener really listens.
    #[must_use]
    pub fn addresses(&self) -> BTreeMap<Arc<str>, SocketAddr> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).addresses.clone()
    }

    /// The counters of every listener there has been.
    #[must_use]
    pub fn listener_stats(&self) -> BTreeMap<Arc<str>, (Totals, Times)> {
        let mut reports = self.reports();
        reports.receive();
        let read = |all: &Vec<Arc<ListenerCounts>>| {
            let mut totals = Totals::new();
            let mut times = Times { buckets: [0; BOUNDS.len() + 1], sum_us: 0 };
            for counts in all {
                counts.counters.each(&mut |name, count| *totals.entry(name).or_default() += count);
                let (buckets, sum_us) = counts.request_time_ms.read();
                times.buckets.iter_mut().zip(buckets).for_each(|(total, count)| *total += count);
                times.sum_us += sum_us;
            }
            (totals, times)
        };
        reports.listeners.iter().map(|(name, all)| (Arc::clone(name), read(all))).collect()
    }

    /// The counters of every cluster there has been.
    #[must_use]
    pub fn cluster_stats(&self) -> BTreeMap<Arc<str>, Totals> {
        let mut reports = self.reports();
        reports.receive();
        let read = |all: &Vec<Arc<ClusterStats>>| {
            let mut totals = Totals::new();
            for stats in all {
                stats.each(&mut |name, count| *totals.entry(name).or_default() += count);
            }
            totals
        };
        reports.clusters.iter().map(|(name, all)| (Arc::clone(name), read(all))).collect()
    }

    fn reports(&self) -> std::sync::MutexGuard<'_, Reports> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Accepts no more. Connections are closed when they pause; those that do not in `patience`, as soon as nothing is under
    /// way on them.
    pub fn drain(&self, patience: Duration) {
        // Nobody waits.
        let _ = self.begin_drain(patience);
    }

    /// As [`Proxy::drain`]; what is returned tells of each worker that it has begun.
    fn begin_drain(&self, patience: Duration) -> Receiver<()> {
        let (begun, told) = mpsc::channel();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.draining = true;
        state.addresses.clear();
        // Before the workers' own: nobody is to come by a socket at which nobody accepts.
        state.sockets.clear();
        state.inherited.clear();
        self.tell(|_| Control::Drain(patience.as_millis() as u64, begun.clone()));
        told
    }

    /// Drains, waits until every connection is closed or the time is over, and stops. True if none had to be cut.
    pub fn shut_down(&mut self, timeout: Duration) -> bool {
        let until = Instant::now() + timeout;
        let begun = self.begin_drain(timeout.saturating_sub(LAST.min(timeout / 2)));
        // Until then counters know nothing of those who have just connected.
        for _ in &self.workers {
            let _ = begun.recv_timeout(until.saturating_duration_since(Instant::now()));
        }
        let clean = loop {
            let open =
                |(totals, _): &(Totals, Times)| totals.get("downstream_cx_active").is_some_and(|count| *count > 0);
            if !self.listener_stats().values().any(open) {
                break true;
            }
            if Instant::now() >= until {
                break false;
            }
            thread::sleep(Duration::from_millis(2));
        };
        self.stop();
        clean
    }

    /// Stops at once, and waits for the workers to end.
    pub fn stop(&mut self) {
        self.tell(|_| Control::Stop);
        for worker in &mut self.workers {
            if let Some(thread) = worker.thread.take() {
                // A worker that panicked has said so itself.
                let _ = thread.join();
            }
        }
    }

    /// Milliseconds since it began, by which hosts tell times.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Running {
    fn tell(&self, control: Control) {
        // A worker that has ended needs nothing more.
        if self.control.send(control).is_ok() {
            let _ = self.waker.wake();
        }
    }
}

impl Reports {
    fn receive(&mut self) {
        for counts in self.receiver.try_iter() {
            match counts {
                Counts::Listener(name, counts) => self.listeners.entry(name).or_default().push(counts),
                Counts::Cluster(name, stats) => self.clusters.entry(name).or_default().push(stats),
            }
        }
    }
}

/// The sockets of a listener.
struct Sockets {
    address: SocketAddr,
    sockets: Vec<TcpListener>,
    copies: Vec<TcpListener>,
}

fn copies(sockets: &[TcpListener]) -> io::Result<Vec<TcpListener>> {
    sockets.iter().map(TcpListener::try_clone).collect()
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy").field("workers", &self.workers.len()).finish_non_exhaustive()
    }
}
