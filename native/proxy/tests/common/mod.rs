//! A proxy between programmable hosts and clients, all in one process. Nothing here waits without a bound.
#![allow(dead_code, reason = "each test uses its part")]

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use metaprotocol_core::{AnyCodec, Connection, Direction, Fed, Head, Limits};
use metaprotocol_proxy::Proxy;
use metaprotocol_proxy::config::FilterConfig;
use metaprotocol_proxy::filter::Filter;
use metaprotocol_proxy::snapshot::{Codecs, Makers};
use serde_json::{Value, json};

pub mod message;

/// How long anything may take before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(10);

pub fn codec(name: &str) -> Arc<dyn AnyCodec> {
    metaprotocol_registry::find(name).unwrap_or_else(|| panic!("no codec {name}"))
}

/// Waits until something is so.
#[track_caller]
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < end, "not in time: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// A proxy. When it goes, all that it counts as under way must be none.
pub struct Rig {
    pub proxy: Proxy,
    stopped: bool,
}

impl Rig {
    pub fn new(update: Value) -> Self {
        Self::with(1, Box::new(|name| metaprotocol_registry::find(name).ok_or("no such codec".to_owned())), update)
    }

    pub fn with(workers: usize, codecs: Box<Codecs>, update: Value) -> Self {
        let no_filter = |filter: &FilterConfig| Err(format!("no filter {:?}", filter.name));
        Self::made(workers, Makers { codecs, filters: Box::new(no_filter) }, update)
    }

    /// One worker, and this filter for whatever listeners name.
    pub fn filtered(filter: Arc<dyn Filter>, update: Value) -> Self {
        let codecs = |name: &str| metaprotocol_registry::find(name).ok_or("no such codec".to_owned());
        let filters = move |_: &FilterConfig| Ok(Arc::clone(&filter));
        Self::made(1, Makers { codecs: Box::new(codecs), filters: Box::new(filters) }, update)
    }

    fn made(workers: usize, makers: Makers, update: Value) -> Self {
        let rig = Self { proxy: Proxy::start(workers, makers).unwrap(), stopped: false };
        rig.update(update);
        rig
    }

    /// One listener of a codec, one route, one cluster `c` with these hosts.
    pub fn simple(codec: &str, hosts: &[&Host]) -> Self {
        Self::new(simple(codec, hosts))
    }

    #[track_caller]
    pub fn update(&self, update: Value) {
        self.proxy.update(serde_json::from_value(update).unwrap()).unwrap();
    }

    pub fn address(&self) -> SocketAddr {
        self.address_of("l")
    }

    pub fn address_of(&self, listener: &str) -> SocketAddr {
        self.proxy.addresses()[listener]
    }

    pub fn client(&self, codec_name: &str) -> Client {
        Client::new(self.address(), codec(codec_name))
    }

    /// Drains and stops; true if nothing had to be cut.
    pub fn shut_down(&mut self, timeout: Duration) -> bool {
        self.stopped = true;
        self.proxy.shut_down(timeout)
    }

    /// Stops, whatever is under way.
    pub fn stop(&mut self) {
        self.stopped = true;
        self.proxy.stop();
    }

    /// A counter of the listener `l`.
    pub fn listener(&self, counter: &str) -> u64 {
        self.proxy.listener_stats().get("l").map_or(0, |(totals, _)| totals[counter])
    }

    pub fn cluster(&self, name: &str, counter: &str) -> u64 {
        self.proxy.cluster_stats().get(name).map_or(0, |totals| totals[counter])
    }

    #[track_caller]
    pub fn until_listener(&self, counter: &str, value: u64) {
        until(&format!("{counter} is {value}"), || self.listener(counter) == value);
    }

    #[track_caller]
    pub fn until_cluster(&self, name: &str, counter: &str, value: u64) {
        until(&format!("{counter} of {name} is {value}"), || self.cluster(name, counter) == value);
    }

    /// What is not 0 of that which must be when no client is there.
    fn under_way(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut check = |what: String, count: u64| {
            if count != 0 {
                found.push(format!("{what} is {count}"));
            }
        };
        for (name, (totals, _)) in self.proxy.listener_stats() {
            for counter in ["request_active", "downstream_cx_active"] {
                check(format!("{counter} of {name}"), totals[counter]);
            }
        }
        for (name, totals) in self.proxy.cluster_stats() {
            check(format!("upstream_rq_active of {name}"), totals["upstream_rq_active"]);
        }
        for (name, cluster) in &self.proxy.snapshot().clusters {
            check(format!("pending of {name}"), cluster.gauges.pending.get().into());
            check(format!("requests of {name}"), cluster.gauges.requests.get().into());
            for member in cluster.hosts.members() {
                check(format!("active of {}", member.host.address), member.host.active());
            }
        }
        found
    }

    /// Waits until nothing is under way.
    #[track_caller]
    pub fn quiet(&self) {
        let end = Instant::now() + PATIENCE;
        loop {
            let found = self.under_way();
            if found.is_empty() {
                return;
            }
            assert!(Instant::now() < end, "{found:?}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Takes all clusters away, and waits until no connection to a host is left.
    fn leave(&self) {
        let clusters = self.proxy.snapshot().clusters.clone();
        let gone: serde_json::Map<String, Value> =
            clusters.keys().map(|name| (name.to_string(), Value::Null)).collect();
        self.update(json!({ "clusters": gone }));
        until("connections to hosts are closed", || {
            let open = |totals: &metaprotocol_proxy::Totals| totals["upstream_cx_active"] > 0;
            !self.proxy.cluster_stats().values().any(open)
        });
        for (name, cluster) in clusters {
            assert_eq!(cluster.gauges.connections.get(), 0, "connections of {name}");
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if !thread::panicking() && !self.stopped {
            self.quiet();
            self.leave();
        }
    }
}

pub fn hosts(addresses: &[SocketAddr]) -> Value {
    let host = |address: &SocketAddr| json!({ "address": address.to_string() });
    json!({ "priorities": [[{ "hosts": addresses.iter().map(host).collect::<Vec<_>>() }]] })
}

pub fn hosts_of(hosts: &[&Host]) -> Value {
    self::hosts(&hosts.iter().map(|host| host.address).collect::<Vec<_>>())
}

pub fn listener(codecs: &[&str]) -> Value {
    json!({ "address": "127.0.0.1:0", "codecs": codecs, "routes": "r", "stat_prefix": "s", "application_protocol": "p" })
}

pub fn simple(codec: &str, hosts: &[&Host]) -> Value {
    json!({
        "listeners": { "l": listener(&[codec]) },
        "routes": { "r": { "routes": [{ "to": { "cluster": "c" } }] } },
        "clusters": { "c": { "hosts": hosts_of(hosts) } },
    })
}

/// `base` with `changes` laid over it.
pub fn with(mut base: Value, changes: Value) -> Value {
    fn lay(base: &mut Value, changes: Value) {
        match (base, changes) {
            (Value::Object(base), Value::Object(changes)) => {
                for (key, value) in changes {
                    lay(base.entry(key).or_insert(Value::Null), value);
                }
            }
            (base, changes) => *base = changes,
        }
    }
    lay(&mut base, changes);
    base
}

/// Sockets that are closed when the test ends, whatever it waits for.
type Sockets = Arc<Mutex<Vec<(usize, TcpStream)>>>;

/// The frames that a host got: number of the connection, and the bytes.
pub type Got = Mutex<Vec<(usize, Vec<u8>)>>;

/// A host: what it does with each frame is the test's to say.
pub struct Host {
    pub address: SocketAddr,
    pub got: Arc<Got>,
    pub accepted: Arc<AtomicUsize>,
    pub open: Arc<AtomicUsize>,
    stopping: Arc<AtomicBool>,
    sockets: Sockets,
    thread: Option<JoinHandle<()>>,
}

/// A connection that a host has.
pub struct Peer {
    pub socket: TcpStream,
    /// 0 for the first that was accepted.
    pub number: usize,
    /// Whether the host goes on with it.
    pub over: bool,
    /// The frames it got, to be used as the test likes.
    pub kept: Vec<Vec<u8>>,
}

impl Peer {
    pub fn send(&mut self, bytes: &[u8]) {
        if self.socket.write_all(bytes).is_err() {
            self.over = true;
        }
    }

    pub fn close(&mut self) {
        self.over = true;
    }

    /// Closes so that the other side gets a reset.
    pub fn reset(&mut self) {
        reset(&self.socket);
        self.over = true;
    }
}

pub fn reset(socket: &TcpStream) {
    let _ = socket2::SockRef::from(socket).set_linger(Some(Duration::ZERO));
}

impl Host {
    /// A host that hands each frame to `act`.
    pub fn new(codec_name: &str, act: impl Fn(&mut Peer, Head, &[u8]) + Send + Sync + 'static) -> Self {
        Self::with_codec(codec(codec_name), act)
    }

    pub fn with_codec(codec: Arc<dyn AnyCodec>, act: impl Fn(&mut Peer, Head, &[u8]) + Send + Sync + 'static) -> Self {
        Self::raw(move |peer, got| {
            let mut decoder = Arc::clone(&codec).connect(Limits::default());
            let mut fed = Fed::default();
            let mut chunk = vec![0; 64 << 10];
            while !peer.over {
                let Some(len) = read(&mut peer.socket, &mut chunk) else { return };
                let failed = decoder.feed(Direction::ClientToServer, &chunk[..len], &mut fed).is_err();
                let carried = fed.carried.take().map(|carried| (carried.head, carried.bytes));
                let placed = fed
                    .frames
                    .iter()
                    .map(|placed| (placed.head, chunk[placed.at..placed.at + placed.head.frame_len].to_vec()));
                let frames: Vec<(Head, Vec<u8>)> = carried.into_iter().chain(placed).collect();
                for (head, bytes) in frames {
                    got.lock().unwrap_or_else(PoisonError::into_inner).push((peer.number, bytes.clone()));
                    act(peer, head, &bytes);
                }
                if failed {
                    got.lock().unwrap_or_else(PoisonError::into_inner).push((peer.number, b"GARBAGE".to_vec()));
                    return;
                }
            }
        })
    }

    /// A host that hands each connection to `act`.
    pub fn raw(act: impl Fn(&mut Peer, &Got) + Send + Sync + 'static) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), act)
    }

    pub fn at(address: SocketAddr, act: impl Fn(&mut Peer, &Got) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let act = Arc::new(act);
        let got = Arc::new(Mutex::new(Vec::new()));
        let (accepted, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let stopping = Arc::new(AtomicBool::new(false));
        let sockets = Sockets::default();
        let thread = thread::spawn({
            let (got, accepted, open) = (Arc::clone(&got), Arc::clone(&accepted), Arc::clone(&open));
            let (stopping, sockets) = (Arc::clone(&stopping), Arc::clone(&sockets));
            move || {
                let mut threads = Vec::new();
                while let Ok((socket, _)) = listener.accept() {
                    if stopping.load(Ordering::SeqCst) {
                        break;
                    }
                    let _ = socket.set_nodelay(true);
                    let number = accepted.fetch_add(1, Ordering::SeqCst);
                    let copy = socket.try_clone().unwrap();
                    sockets.lock().unwrap_or_else(PoisonError::into_inner).push((number, copy));
                    open.fetch_add(1, Ordering::SeqCst);
                    let (act, got, open) = (Arc::clone(&act), Arc::clone(&got), Arc::clone(&open));
                    let sockets = Arc::clone(&sockets);
                    threads.push(thread::spawn(move || {
                        let mut peer = Peer { socket, number, over: false, kept: Vec::new() };
                        act(&mut peer, &got);
                        // The copy that is kept would hold it open.
                        let mut sockets = sockets.lock().unwrap_or_else(PoisonError::into_inner);
                        sockets.retain(|(other, _)| *other != number);
                        drop(peer);
                        open.fetch_sub(1, Ordering::SeqCst);
                    }));
                }
                for thread in threads {
                    let _ = thread.join();
                }
            }
        });
        Self { address, got, accepted, open, stopping, sockets, thread: Some(thread) }
    }

    /// A host of Thrift that answers each call with its text behind `answer`.
    pub fn thrift(answer: &'static str) -> Self {
        Self::new("thrift", move |peer, head, bytes| {
            if head.kind == metaprotocol_core::Kind::Request {
                let text = [answer.as_bytes(), message::thrift_text(bytes)].concat();
                peer.send(&message::thrift_answer(message::thrift_id(bytes), &text));
            }
        })
    }

    pub fn frames(&self) -> Vec<Vec<u8>> {
        self.got.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|(_, bytes)| bytes.clone()).collect()
    }

    pub fn count(&self) -> usize {
        self.got.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    #[track_caller]
    pub fn until_got(&self, count: usize) {
        until(&format!("the host got {count} frames, it has {}", self.count()), || self.count() >= count);
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        for (_, socket) in self.sockets.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let _ = socket.shutdown(Shutdown::Both);
        }
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Reads some bytes; `None` at the end, on a failure, or when nothing comes.
pub fn read(socket: &mut TcpStream, chunk: &mut [u8]) -> Option<usize> {
    let _ = socket.set_read_timeout(Some(PATIENCE));
    loop {
        match socket.read(chunk) {
            Ok(0) => return None,
            Ok(len) => return Some(len),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}

/// A client.
pub struct Client {
    pub socket: TcpStream,
    decoder: Box<dyn Connection>,
    frames: VecDeque<(Head, Vec<u8>)>,
}

impl Client {
    pub fn new(address: SocketAddr, codec: Arc<dyn AnyCodec>) -> Self {
        let socket = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { socket, decoder: codec.connect(Limits::default()), frames: VecDeque::new() }
    }

    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) -> &mut Self {
        self.socket.write_all(bytes).unwrap();
        // Some protocols know the answer only by the question.
        let _ = self.decoder.feed(Direction::ClientToServer, bytes, &mut Fed::default());
        self
    }

    /// The next frame; `None` if the connection ends before.
    #[track_caller]
    pub fn next(&mut self) -> Option<(Head, Vec<u8>)> {
        let mut chunk = vec![0; 64 << 10];
        while self.frames.is_empty() {
            let len = match self.socket.read(&mut chunk) {
                Ok(0) => return None,
                Ok(len) => len,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("no answer came: {error}"),
            };
            let mut fed = Fed::default();
            self.decoder.feed(Direction::ServerToClient, &chunk[..len], &mut fed).expect("frames");
            self.frames.extend(fed.carried.take().map(|carried| (carried.head, carried.bytes)));
            let placed = |at: &metaprotocol_core::Placed| (at.head, chunk[at.at..at.at + at.head.frame_len].to_vec());
            self.frames.extend(fed.frames.iter().map(placed));
        }
        self.frames.pop_front()
    }

    #[track_caller]
    pub fn frame(&mut self) -> Vec<u8> {
        self.next().expect("an answer, not the end of the connection").1
    }

    /// Bytes as they come.
    #[track_caller]
    pub fn exactly(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.socket.read_exact(&mut bytes).expect("as many bytes");
        bytes
    }

    /// The connection ends, and nothing comes before.
    #[track_caller]
    pub fn ended(&mut self) {
        if let Some((head, bytes)) = self.next() {
            panic!("no end, but {head:?} with {:?}", String::from_utf8_lossy(&bytes));
        }
    }

    /// The connection ends in an orderly way: no reset.
    #[track_caller]
    pub fn ended_cleanly(&mut self) {
        assert!(self.frames.is_empty(), "an answer before the end");
        let mut byte = [0];
        assert_eq!(self.socket.read(&mut byte).expect("an end that is no reset"), 0, "bytes before the end");
    }

    pub fn finish(&mut self) -> &mut Self {
        self.socket.shutdown(Shutdown::Write).unwrap();
        self
    }

    /// Calls by Thrift, and checks that the answer is the call's.
    #[track_caller]
    pub fn call(&mut self, id: u32, text: &str) -> String {
        self.send(&message::thrift_call(id, text.as_bytes()));
        let frame = self.frame();
        assert_eq!(message::thrift_id(&frame), id);
        String::from_utf8_lossy(message::thrift_text(&frame)).into_owned()
    }
}
