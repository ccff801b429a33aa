//! Connections to hosts: opened, read from, written to, closed.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::net::Shutdown;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use metaprotocol_core::ErrorType;
use mio::Interest;
use mio::net::TcpStream;

use super::clients::LONG;
use super::downstream::Protocol;
use super::out::Out;
use super::upstream::{Role, Tried, Upstream};
use super::ways::Node;
use super::{Due, HOST, Id, READS, Worker, token};
use crate::balance::{Host, Outcome};
use crate::stats::ClusterStats;

/// Why a request is not sent: what its client is told.
pub type Refusal = (ErrorType, &'static str);

const NO_CONNECTION: Refusal = (ErrorType::OverLimit, "meta protocol upstream request: too many connections");
pub const LATE: &str = "meta protocol upstream request: no answer in time";
pub const NO_SOCKET: Refusal =
    (ErrorType::UpstreamReset, "meta protocol upstream request: no connection could be opened");
/// How long a copy of a message may wait for its answer if its route does not say, in milliseconds.
pub const MIRROR_TIMEOUT: u64 = 15_000;
/// How long a host may take for what a client had sent before it left, in milliseconds.
pub const LINGER: u64 = 5000;

/// Why a connection to a host ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The host closed it.
    Remote,
    /// The host could not be reached.
    Refused,
    /// The host could not be reached in time.
    Late,
    /// The host sent what is not the protocol.
    Garbage,
    /// The client has left in the middle of a frame.
    Cut,
    /// It is not needed any more.
    Done,
}

impl Worker {
    #[inline]
    pub(super) fn host(&mut self, id: Id) -> Option<&mut Upstream> {
        self.hosts.get_mut(id.at as usize).filter(|host| host.serial == id.serial)
    }

    #[inline]
    pub(super) fn count_cluster(&self, group: usize, count: impl FnOnce(&ClusterStats)) {
        if let Some(group) = self.groups.get(group) {
            count(&group.stats);
        }
    }

    /// Opens a connection, unless there are too many or the system gives none; only else the role is taken.
    pub(super) fn connect(&mut self, group: usize, host: &Arc<Host>, role: &mut Option<Role>) -> Result<Id, Refusal> {
        let own = self.groups.get(group).ok_or(NO_SOCKET)?;
        let cluster = &own.cluster;
        if !cluster.gauges.connections.enter(cluster.config.thresholds.max_connections) {
            own.stats.upstream_cx_overflow.add(1);
            return Err(NO_CONNECTION);
        }
        let timeout = cluster.config.connect_timeout;
        let entry = self.hosts.vacant_entry();
        let interest = Interest::READABLE | Interest::WRITABLE;
        let opened = TcpStream::connect(host.address).and_then(|mut socket| {
            self.poll.registry().register(&mut socket, token(HOST, entry.key()), interest)?;
            Ok(socket)
        });
        let socket = match opened {
            Ok(socket) => socket,
            Err(error) => {
                own.stats.upstream_cx_connect_fail.add(1);
                cluster.gauges.connections.leave();
                host.stats.cx_connect_fail.fetch_add(1, Ordering::Relaxed);
                // That this process has no more sockets is not the host's failure.
                if matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionRefused
                        | io::ErrorKind::HostUnreachable
                        | io::ErrorKind::NetworkUnreachable
                        | io::ErrorKind::TimedOut
                ) {
                    cluster.hosts.report(host, Outcome::ConnectFailed, self.now);
                }
                return Err(NO_SOCKET);
            }
        };
        let Some(role) = role.take() else { return Err(NO_SOCKET) };
        let _ = socket.set_nodelay(true);
        own.stats.upstream_cx_total.add(1);
        own.stats.upstream_cx_active.add(1);
        host.stats.cx_total.fetch_add(1, Ordering::Relaxed);
        host.stats.cx_active.fetch_add(1, Ordering::Relaxed);
        self.serial = self.serial.wrapping_add(1);
        let id = Id { at: entry.key() as u32, serial: self.serial };
        entry.insert(Upstream {
            serial: id.serial,
            socket,
            group,
            host: Rc::new(Node(Arc::clone(host))),
            hash: None,
            connected: false,
            out: Out::default(),
            readable: false,
            fin: false,
            is_ready: false,
            is_unsent: false,
            draining: false,
            leaving: false,
            held_by: None,
            filtering: false,
            queue: VecDeque::new(),
            holds: Vec::new(),
            heard: self.now,
            pending: 0,
            finish: false,
            ended: false,
            passing: None,
            spoke: false,
            tried: Tried::default(),
            moved: Vec::new(),
            role,
        });
        self.timers.set(self.now + timeout, Due::Connect(id));
        if let Some(group) = self.groups.get_mut(group) {
            group.connections += 1;
            if let (Some(Role::Shared(_)), Some(after)) =
                (self.hosts.get(id.at as usize).map(|host| &host.role), group.cluster.config.idle_timeout)
            {
                self.timers.set(self.now + after, Due::HostIdle(id));
            }
        }
        Ok(id)
    }

    pub(super) fn host_event(&mut self, at: usize, readable: bool, fin: bool, writable: bool) {
        let Some(host) = self.hosts.get_mut(at) else { return };
        let id = Id { at: at as u32, serial: host.serial };
        if !host.connected && (readable || writable || fin) {
            let refused = matches!(host.socket.take_error(), Ok(Some(_)) | Err(_));
            if refused {
                return self.close_host(id, End::Refused);
            }
            if host.socket.peer_addr().is_err() {
                return;
            }
            host.connected = true;
            let pending = std::mem::take(&mut host.pending);
            if let Some(group) = self.groups.get(host.group) {
                group.cluster.gauges.pending.give_back(pending);
                group.cluster.hosts.report(&host.host, Outcome::Connected, self.now);
            }
            self.host_unsent(id);
        }
        let Some(host) = self.host(id) else { return };
        host.fin |= fin;
        if readable || fin {
            host.readable = true;
            self.wake_host(id);
        }
        if writable {
            self.host_unsent(id);
        }
    }

    pub(super) fn wake_host(&mut self, id: Id) {
        let Some(host) = self.host(id) else { return };
        if host.readable && !host.ended && host.held_by.is_none() && !host.filtering && !host.is_ready {
            host.is_ready = true;
            self.ready_hosts.push(id);
        }
    }

    #[inline]
    pub(super) fn host_unsent(&mut self, id: Id) {
        let Some(host) = self.host(id) else { return };
        if !host.is_unsent {
            host.is_unsent = true;
            self.unsent_hosts.push(id);
        }
    }

    /// A client has taken what it was sent: its hosts may send more.
    pub(super) fn release_host(&mut self, id: Id) {
        if let Some(host) = self.host(id) {
            host.held_by = None;
            self.wake_host(id);
        }
    }

    pub(super) fn read_hosts(&mut self) {
        let mut ready = std::mem::take(&mut self.ready_hosts);
        for id in ready.drain(..) {
            if let Some(host) = self.host(id) {
                host.is_ready = false;
                self.read_host(id);
            }
        }
        if self.ready_hosts.is_empty() {
            self.ready_hosts = ready;
        }
    }

    fn read_host(&mut self, id: Id) {
        for _ in 0..READS {
            let mut chunk = self.buffers.chunk();
            let may = |host: &&mut Upstream| host.readable && !host.ended && host.held_by.is_none() && !host.filtering;
            let Some(host) = self.host(id).filter(may) else {
                self.buffers.give_chunk(chunk);
                return;
            };
            let group = host.group;
            let result = host.socket.read(Rc::get_mut(&mut chunk).map_or(&mut [][..], |chunk| chunk));
            match result {
                Ok(0) => {
                    self.buffers.give_chunk(chunk);
                    return self.host_ended(id);
                }
                Ok(len) => {
                    host.readable = len == chunk.len() || host.fin;
                    host.spoke = true;
                    self.count_cluster(group, |stats| stats.upstream_cx_rx_bytes_total.add(len as u64));
                    self.buffers.lend_from(&chunk);
                    self.host_data(id, chunk.get(..len).unwrap_or_default());
                    self.buffers.give_chunk(chunk);
                }
                Err(error) => {
                    let blocked = error.kind() == io::ErrorKind::WouldBlock;
                    host.readable = !blocked;
                    self.buffers.give_chunk(chunk);
                    if blocked {
                        return;
                    }
                    if error.kind() != io::ErrorKind::Interrupted {
                        return self.close_host(id, End::Remote);
                    }
                }
            }
        }
        self.wake_host(id);
    }

    fn host_ended(&mut self, id: Id) {
        let Some(host) = self.host(id) else { return };
        host.readable = false;
        // A plain connection may end one way before the other.
        if let Role::Bound(owner, _) = host.role
            && let Some(client) = self.client(owner)
            && matches!(client.protocol, Protocol::Plain)
        {
            client.finish = true;
            client.closing |= client.ended;
            self.client_unsent(owner);
            if let Some(host) = self.host(id) {
                host.ended = true;
            }
            return;
        }
        self.close_host(id, End::Remote);
    }

    fn host_data(&mut self, id: Id, data: &[u8]) {
        let Some(host) = self.host(id) else { return };
        let data = if host.passing.is_some() { self.pass_on(id, data) } else { data };
        if data.is_empty() {
            return;
        }
        let Some(host) = self.host(id) else { return };
        match &mut host.role {
            Role::Bound(client, own) => {
                let client = *client;
                let own = own.take();
                self.bound_data(id, client, own, data);
            }
            Role::Shared(_) => self.shared_data(id, data),
        }
    }

    pub(super) fn flush_hosts(&mut self) {
        while let Some(id) = self.unsent_hosts.pop() {
            self.flush_host(id);
        }
    }

    fn flush_host(&mut self, id: Id) {
        let Some(host) = self.hosts.get_mut(id.at as usize).filter(|host| host.serial == id.serial) else { return };
        host.is_unsent = false;
        if !host.connected {
            return host.out.keep();
        }
        let sent = host.out.send(&mut host.socket, &mut self.buffers);
        let (group, left) = (host.group, host.out.len());
        let finish = host.finish && left == 0;
        let over = host.draining && left == 0;
        let Ok(sent) = sent else { return self.close_host(id, End::Remote) };
        if sent > 0 {
            self.count_cluster(group, |stats| stats.upstream_cx_tx_bytes_total.add(sent as u64));
        }
        let Some(host) = self.host(id) else { return };
        if finish {
            let _ = host.socket.shutdown(Shutdown::Write);
            host.finish = false;
        }
        if left <= LONG && !host.holds.is_empty() {
            for client in std::mem::take(&mut host.holds) {
                if let Some(client) = self.client(client) {
                    client.waits.host = false;
                }
                self.wake_client(client);
            }
        }
        if over {
            self.retire(id);
        }
    }

    /// Tells a host that no more will come, once all is sent.
    pub(super) fn finish_host(&mut self, id: Id) {
        if let Some(host) = self.host(id) {
            host.finish = true;
            self.host_unsent(id);
        }
    }

    pub(super) fn connect_late(&mut self, id: Id) {
        if self.host(id).is_some_and(|host| !host.connected) {
            self.close_host(id, End::Late);
        }
    }

    pub(super) fn host_idle(&mut self, id: Id) {
        let now = self.now;
        let Some(host) = self.host(id) else { return };
        let (group, heard) = (host.group, host.heard);
        let busy = !host.is_shared() || host.busy() || !host.out.is_empty();
        let Some(after) = self.groups.get(group).and_then(|group| group.cluster.config.idle_timeout) else { return };
        let until = if busy { now + after } else { heard + after };
        if until > now {
            self.timers.set(until, Due::HostIdle(id));
            return;
        }
        self.count_cluster(group, |stats| stats.upstream_cx_idle_timeout.add(1));
        self.close_host(id, End::Done);
    }

    /// Closes a connection to a host, and answers what waits on it.
    pub(super) fn close_host(&mut self, id: Id, end: End) {
        let now = self.now;
        let Some(host) = self.host(id) else { return };
        let (group, node) = (host.group, Rc::clone(&host.host));
        let busy = !host.is_shared() || host.busy();
        let passing = host.passing;
        let (outcome, error, message) = match end {
            End::Remote => (
                busy.then_some(Outcome::Failure),
                ErrorType::UpstreamReset,
                "meta protocol upstream request: remote connection failure",
            ),
            End::Refused => (
                Some(Outcome::ConnectFailed),
                ErrorType::UpstreamReset,
                "meta protocol upstream request: the host could not be reached",
            ),
            End::Late => (
                Some(Outcome::Timeout),
                ErrorType::UpstreamReset,
                "meta protocol upstream request: the host could not be reached in time",
            ),
            End::Garbage => (
                Some(Outcome::Failure),
                ErrorType::BadResponse,
                "meta protocol upstream request: the answer is not of the protocol",
            ),
            End::Cut => (None, ErrorType::BadRequest, "meta protocol router: the message is incomplete"),
            End::Done => (None, ErrorType::UpstreamReset, "meta protocol upstream request: connection closed"),
        };
        if let Some(group) = self.groups.get(group) {
            let stats = &group.stats;
            match end {
                End::Remote => {
                    stats.upstream_cx_destroy_remote.add(1);
                    if busy {
                        stats.upstream_cx_destroy_remote_with_active_rq.add(1);
                    }
                }
                End::Refused => stats.upstream_cx_connect_fail.add(1),
                End::Late => {
                    stats.upstream_cx_connect_fail.add(1);
                    stats.upstream_cx_connect_timeout.add(1);
                }
                End::Garbage => stats.upstream_cx_protocol_error.add(1),
                End::Cut | End::Done => {}
            }
            if let Some(outcome) = outcome {
                group.cluster.hosts.report(&node, outcome, now);
            }
        }
        if matches!(end, End::Refused | End::Late) {
            node.stats.cx_connect_fail.fetch_add(1, Ordering::Relaxed);
        }
        if let Some((client, _)) = passing {
            // It has the beginning of an answer that will never end.
            self.close_client(client, false);
        }
        let Some(mut host) = self.remove_host(id) else { return };
        // Where the proxy itself ends it, nobody waits for what was not sent.
        let moves = !matches!(end, End::Cut | End::Done);
        if moves && self.bound_moves(id, &mut host) {
            return;
        }
        if let Role::Bound(owner, _) = host.role {
            let client = self.client(owner).filter(|client| matches!(client.protocol, Protocol::Plain));
            if let Some(client) = client {
                client.closing = true;
                return self.client_unsent(owner);
            }
            return self.bound_ended(id, &host, error, message);
        }
        let moving = if moves { self.take_unsent(&mut host) } else { Vec::new() };
        let Role::Shared(shared) = &mut host.role else { return };
        let slots = match &mut shared.line {
            Some(line) => Vec::from(std::mem::take(&mut line.slots)),
            None => (0..shared.slots.len() as u32).collect(),
        };
        for slot in slots {
            let Some(place) = shared.slots.get_mut(slot as usize) else { continue };
            let Some(exchange) = place.exchange.take() else { continue };
            self.left_lost(group, &node);
            node.of_worker(self.worker).rq_error.add(1);
            if end == End::Garbage && exchange.client.is_some() {
                self.count(exchange.listener, |counts| counts.response_decoding_error.add(1));
            }
            self.lost(&exchange, &place.asked, error, message);
        }
        if moves {
            self.move_unsent(id, &host, moving, (error, message));
        }
    }

    /// Takes a connection out of all lists and closes its socket.
    pub(super) fn remove_host(&mut self, id: Id) -> Option<Upstream> {
        self.host(id)?;
        let mut host = self.hosts.remove(id.at as usize);
        host.out.keep();
        let _ = self.poll.registry().deregister(&mut host.socket);
        host.host.stats.cx_active.fetch_sub(1, Ordering::Relaxed);
        if let Some(group) = self.groups.get_mut(host.group) {
            group.stats.upstream_cx_active.sub(1);
            group.connections -= 1;
            group.cluster.gauges.connections.leave();
            group.cluster.gauges.pending.give_back(host.pending);
            if let Role::Shared(shared) = &host.role
                && let Some(pool) = group.pools.get_mut(&shared.pool)
            {
                if shared.listed {
                    pool.retain(|other| *other != id);
                }
                if pool.is_empty() {
                    group.pools.remove(&shared.pool);
                }
            }
        }
        for client in std::mem::take(&mut host.holds) {
            if let Some(client) = self.client(client) {
                client.waits.host = false;
            }
            self.wake_client(client);
        }
        self.bury(host.group);
        Some(host)
    }
}
