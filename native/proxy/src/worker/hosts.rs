//! Connections to hosts: opened, read from, written to, closed.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use metaprotocol_core::{
    AnyCodec, Connection, Direction, ErrorType, Frame, Head, Id as PairId, Kind, Reply, RequestId,
};
use mio::Interest;
use mio::net::TcpStream;

use super::clients::LONG;
use super::downstream::{Filtered, Held, Protocol};
use super::out::Out;
use super::serve::shares;
use super::upstream::{Exchange, Role, Shared, Tried, Upstream};
use super::{Due, HOST, Id, Pool, READS, Worker, token};
use crate::balance::{Host, Outcome};
use crate::stats::ClusterStats;

const S2C: Direction = Direction::ServerToClient;

/// Why a request is not sent: what its client is told.
pub type Refusal = (ErrorType, &'static str);

const NO_CONNECTION: Refusal = (ErrorType::OverLimit, "meta protocol upstream request: too many connections");
const LATE: &str = "meta protocol upstream request: no answer in time";
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
            host: Arc::clone(host),
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

    /// A connection that clients share, with room for one more request.
    pub(super) fn shared(
        &mut self,
        group: usize,
        host: &Arc<Host>,
        codec: &Arc<dyn AnyCodec>,
        head: &Head,
    ) -> Result<Id, Refusal> {
        let own = self.groups.get_mut(group).ok_or(NO_SOCKET)?;
        let most = own.cluster.config.max_in_flight_per_connection.min((1 << 20) - 1);
        let pool = Pool {
            host: Arc::as_ptr(host) as usize,
            codec: Arc::as_ptr(codec).cast::<()>() as usize,
            dialect: codec.dialect(head),
        };
        let mut held = None;
        if let Some(open) = own.pools.get_mut(&pool) {
            while let Some(id) = open.last().copied() {
                if let Some(host) = self.hosts.get_mut(id.at as usize).filter(|host| host.serial == id.serial) {
                    let (takes_more, free) = (host.takes_more(), host.held_by.is_none());
                    if let Role::Shared(shared) = &mut host.role {
                        if takes_more && shared.has_room(most) {
                            if free {
                                return Ok(id);
                            }
                            held = Some(id);
                            break;
                        }
                        shared.listed = false;
                    }
                }
                // It comes back when it has room again.
                open.pop();
            }
        }
        let Some(held) = held else { return self.open_shared(group, host, codec, pool) };
        // A client that reads slowly has the answers of others wait there: what can go by another connection does.
        let free = |id: &Id| {
            let host = self.hosts.get(id.at as usize).filter(|host| host.serial == id.serial);
            host.is_some_and(|host| {
                host.takes_more()
                    && host.held_by.is_none()
                    && matches!(&host.role, Role::Shared(shared) if shared.has_room(most))
            })
        };
        if let Some(open) = own.pools.get_mut(&pool)
            && let Some(at) = open.iter().position(free)
        {
            let last = open.len() - 1;
            open.swap(at, last);
            return Ok(open.get(last).copied().unwrap_or(held));
        }
        self.open_shared(group, host, codec, pool).or(Ok(held))
    }

    fn open_shared(
        &mut self,
        group: usize,
        host: &Arc<Host>,
        codec: &Arc<dyn AnyCodec>,
        pool: Pool,
    ) -> Result<Id, Refusal> {
        let decoder = Arc::clone(codec).connect(self.limits);
        let role = Role::Shared(Box::new(Shared::new(Arc::clone(codec), decoder, pool)));
        let id = self.connect(group, host, &mut Some(role))?;
        self.list(id);
        Ok(id)
    }

    /// Puts a connection among those that have room, if it is not there.
    fn list(&mut self, id: Id) {
        let Some(host) = self.hosts.get_mut(id.at as usize).filter(|host| host.serial == id.serial) else { return };
        let (group, takes_more) = (host.group, host.takes_more());
        let (Role::Shared(shared), Some(group)) = (&mut host.role, self.groups.get_mut(group)) else { return };
        if takes_more && !shared.listed && !shared.reserved {
            shared.listed = true;
            group.pools.entry(shared.pool).or_default().push(id);
        }
    }

    /// A connection that one client has to itself for as long as a long frame and its answer take.
    pub(super) fn reserved(
        &mut self,
        group: usize,
        host: &Arc<Host>,
        codec: &Arc<dyn AnyCodec>,
        head: &Head,
    ) -> Option<Id> {
        let own = self.groups.get(group)?;
        let pool = Pool {
            host: Arc::as_ptr(host) as usize,
            codec: Arc::as_ptr(codec).cast::<()>() as usize,
            dialect: codec.dialect(head),
        };
        let idle = own.pools.get(&pool).into_iter().flatten().copied().find(|id| {
            let host = self.hosts.get(id.at as usize).filter(|host| host.serial == id.serial);
            host.is_some_and(|host| match &host.role {
                // Ids are not changed on it, so no answer may be outstanding that another one could be taken for.
                Role::Shared(shared) => host.takes_more() && shared.has_room(1),
                Role::Bound(..) => false,
            })
        });
        let id = match idle {
            Some(id) => id,
            None => self.open_shared(group, host, codec, pool).ok()?,
        };
        if let Role::Shared(shared) = &mut self.host(id)?.role {
            shared.reserved = true;
            shared.sending = true;
        }
        Some(id)
    }

    /// The long frame that a connection was reserved for has been sent, or will not be.
    pub(super) fn long_sent(&mut self, id: Id) {
        if let Some(host) = self.host(id)
            && let Role::Shared(shared) = &mut host.role
        {
            shared.sending = false;
            shared.reserved = shared.in_flight > 0;
            self.list(id);
            self.retire(id);
        }
    }

    /// Closes a connection that is to be closed when nothing is under way on it, if nothing is.
    pub(super) fn retire(&mut self, id: Id) {
        if self.host(id).is_some_and(|host| host.draining && !host.busy() && host.out.is_empty()) {
            self.close_host(id, End::Done);
        }
    }

    /// Gives up a request whose answer may still come. Returns what waited for it, and its beginning.
    pub(super) fn give_up(&mut self, id: Id, slot: u32) -> Option<(Exchange, Vec<u8>)> {
        let host = self.hosts.get_mut(id.at as usize).filter(|host| host.serial == id.serial)?;
        let (group, node) = (host.group, Arc::clone(&host.host));
        let Role::Shared(shared) = &mut host.role else { return None };
        let exchange = shared.give_up(slot)?;
        let asked = shared.slots.get_mut(slot as usize).map(|slot| std::mem::take(&mut slot.asked)).unwrap_or_default();
        if let Some(group) = self.groups.get(group) {
            // A connection that answers too little is replaced before it has no room.
            host.draining |= shared.given_up > group.cluster.config.max_in_flight_per_connection / 2;
        }
        self.left_host(group, &node);
        Some((exchange, asked))
    }

    /// Closes a connection that a request was given up on, if nothing else can be asked there.
    fn gave_up(&mut self, id: Id) {
        // Where ids are not changed, its answer would be taken for that of the next.
        if self.host(id).is_some_and(|host| matches!(&host.role, Role::Shared(shared) if shared.reserved)) {
            return self.close_host(id, End::Done);
        }
        self.retire(id);
    }

    /// Gives up what a client that is gone has asked for on connections that it shared.
    pub(super) fn cancel(&mut self, client: Id, mut in_flight: u32) {
        let mut found = Vec::new();
        for (at, host) in &self.hosts {
            let Role::Shared(shared) = &host.role else { continue };
            if in_flight == 0 || shared.in_flight == 0 {
                continue;
            }
            for (slot, place) in shared.slots.iter().enumerate() {
                if place.exchange.as_ref().is_some_and(|exchange| exchange.client == Some(client)) {
                    found.push((Id { at: at as u32, serial: host.serial }, slot as u32));
                    in_flight -= 1;
                }
            }
        }
        for (id, slot) in found {
            let Some(group) = self.host(id).map(|host| host.group) else { continue };
            if self.give_up(id, slot).is_some() {
                self.count_cluster(group, |stats| stats.upstream_rq_cancelled.add(1));
                self.gave_up(id);
            }
        }
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
            let (group, node) = (host.group, Arc::clone(&host.host));
            if let Some(group) = self.groups.get(group) {
                for _ in 0..pending {
                    group.cluster.gauges.pending.leave();
                }
                group.cluster.hosts.report(&node, Outcome::Connected, self.now);
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

    fn wake_host(&mut self, id: Id) {
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
            let mut chunk = std::mem::take(&mut self.chunk);
            let may = |host: &&mut Upstream| host.readable && !host.ended && host.held_by.is_none() && !host.filtering;
            let Some(host) = self.host(id).filter(may) else {
                self.chunk = chunk;
                return;
            };
            let group = host.group;
            let result = host.socket.read(&mut chunk);
            match result {
                Ok(0) => {
                    self.chunk = chunk;
                    return self.host_ended(id);
                }
                Ok(len) => {
                    host.readable = len == chunk.len() || host.fin;
                    host.spoke = true;
                    self.count_cluster(group, |stats| stats.upstream_cx_rx_bytes_total.add(len as u64));
                    self.host_data(id, chunk.get(..len).unwrap_or_default());
                    self.chunk = chunk;
                }
                Err(error) => {
                    let blocked = error.kind() == io::ErrorKind::WouldBlock;
                    host.readable = !blocked;
                    self.chunk = chunk;
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

    /// Hands on what belongs to a long frame; returns the rest.
    fn pass_on<'d>(&mut self, id: Id, data: &'d [u8]) -> &'d [u8] {
        let Some(host) = self.host(id) else { return &[] };
        let Some((client, left)) = host.passing else { return data };
        let (part, rest) = data.split_at(left.min(data.len()));
        host.passing = (part.len() < left).then_some((client, left - part.len()));
        self.pass(id, client, part);
        if part.len() == left {
            self.passed(client);
            self.retire(id);
        }
        rest
    }

    /// Sends a client bytes that are not the beginning of an answer.
    fn pass(&mut self, host: Id, id: Id, bytes: &[u8]) {
        let Some(client) = self.clients.get_mut(id.at as usize).filter(|client| client.serial == id.serial) else {
            return;
        };
        client.out_from(Some(host)).push(bytes, &mut self.buffers);
        let (len, at) = (client.before(host), client.listener);
        self.client_unsent(id);
        self.hold_if_full(host, id, at, len);
    }

    /// Reads no more from a host while a client has too much to take.
    fn hold_if_full(&mut self, host: Id, client: Id, listener: usize, len: usize) {
        let limit = self.listeners.get(listener).map_or(0, |local| local.listener.config.buffer_limit);
        if len <= limit {
            return;
        }
        self.flush_client(client);
        if self.client(client).is_some_and(|client| client.before(host) > limit) {
            if let Some(group) = self.host(host).map(|host| host.group) {
                self.count_cluster(group, |stats| stats.upstream_flow_control_paused_reading.add(1));
            }
            self.hold_host(client, host);
        }
    }

    fn shared_data(&mut self, id: Id, data: &[u8]) {
        let mut fed = std::mem::take(&mut self.fed);
        let Some(host) = self.host(id) else { return };
        let Role::Shared(shared) = &mut host.role else { return };
        let result = shared.decoder.feed(S2C, data, &mut fed);
        if let Some(carried) = fed.carried.take() {
            self.shared_frame(id, carried.head, &carried.bytes);
        }
        for placed in &fed.frames {
            let bytes = data.get(placed.at..placed.at + placed.head.frame_len).unwrap_or_default();
            self.shared_frame(id, placed.head, bytes);
        }
        self.fed = fed;
        if result.is_err() {
            return self.close_host(id, End::Garbage);
        }
        self.long_answer(id);
    }

    /// An answer too long to wait for is passed on as it comes, where its id can be changed before the rest is there.
    fn long_answer(&mut self, id: Id) {
        let Some(host) = self.hosts.get_mut(id.at as usize).filter(|host| host.serial == id.serial) else { return };
        let Role::Shared(shared) = &mut host.role else { return };
        let Some((head, received)) = shared.decoder.unfinished(S2C) else { return };
        if head.frame_len <= LONG || !head.kind.is_response() || received < head.header_len as usize {
            return;
        }
        let slot = shared.awaits(&head);
        let exchange = slot.and_then(|slot| shared.slots.get(slot as usize)).and_then(|slot| slot.exchange.as_ref());
        let changes = exchange.is_some_and(|exchange| exchange.route.is_some());
        // Where nobody waits for it, the whole is dropped when it is there.
        let (Some(slot), false) = (slot, changes) else { return };
        let own = |number| exchange.is_some_and(|exchange| exchange.id == number);
        let unchanged = !matches!(head.request_id, RequestId::Int(number) if !own(number));
        if !unchanged && shared.codec.id_place(Frame { head, bytes: &[] }).is_none() {
            return;
        }
        let client = exchange.and_then(|exchange| exchange.client);
        if let Some(client) = client
            && self.clients.get(client.at as usize).is_some_and(|client| client.passing.is_some())
        {
            return self.wait_behind(client, id);
        }
        let Some(mut detached) = shared.decoder.detach(S2C) else { return };
        let left = head.frame_len - detached.bytes.len();
        if !unchanged {
            let place = shared.codec.id_place(Frame { head, bytes: &detached.bytes });
            let own = shared.slots.get(slot as usize).and_then(|slot| slot.exchange.as_ref()).map_or(0, |own| own.id);
            if !place.is_some_and(|place| place.write(&mut detached.bytes, own)) {
                return self.close_host(id, End::Garbage);
            }
        }
        host.passing = Some((client.unwrap_or(Id { at: u32::MAX, serial: 0 }), left));
        let Some(exchange) = shared.leave(slot) else { return };
        if let Some(client) = client.and_then(|client| self.clients.get_mut(client.at as usize)) {
            client.passing = Some(id);
        }
        self.finished(id, &exchange, Frame { head, bytes: &detached.bytes });
        if let Some(client) = client {
            self.pass(id, client, &detached.bytes);
            self.left(client, exchange.id);
        }
    }

    fn shared_frame(&mut self, id: Id, head: Head, bytes: &[u8]) {
        let Some(host) = self.hosts.get_mut(id.at as usize).filter(|host| host.serial == id.serial) else { return };
        let Role::Shared(shared) = &mut host.role else { return };
        match head.kind {
            Kind::Response | Kind::Error => {
                let slot = shared.awaits(&head);
                let Some(mut exchange) = slot.and_then(|slot| shared.leave(slot)) else {
                    let (group, in_line) = (host.group, shared.line.is_some());
                    if shared.late(&head) {
                        self.list(id);
                    } else {
                        self.count_cluster(group, |stats| stats.upstream_rq_unmatched.add(1));
                        if in_line {
                            // Whose the next answer is can no longer be told.
                            self.close_host(id, End::Garbage);
                        }
                    }
                    return;
                };
                if exchange.route.is_some()
                    && let Some(place) = slot.and_then(|slot| shared.slots.get(slot as usize))
                {
                    // A filter may refuse it.
                    exchange.asked.clone_from(&place.asked);
                }
                self.finished(id, &exchange, Frame { head, bytes });
                self.answer(id, exchange, head, bytes);
            }
            Kind::Heartbeat => {
                if let Ok(Some(reply)) = shared.codec.reply(Frame { head, bytes }, Reply::Heartbeat) {
                    host.out.push(&reply, &mut self.buffers);
                    self.host_unsent(id);
                }
            }
            _ => {
                let group = host.group;
                self.count_cluster(group, |stats| stats.upstream_rq_unmatched.add(1));
            }
        }
    }

    /// Notes that a request on a connection was answered.
    fn finished(&mut self, id: Id, exchange: &Exchange, answer: Frame<'_>) {
        let now = self.now;
        let Some(host) = self.host(id) else { return };
        let (group, node) = (host.group, Arc::clone(&host.host));
        host.heard = now;
        let mut unlisted = false;
        if let Role::Shared(shared) = &mut host.role {
            if shared.in_flight == 0 {
                shared.reserved = shared.sending;
            }
            unlisted = !shared.listed;
        }
        let close = host.draining;
        if unlisted {
            self.list(id);
        }
        self.left_host(group, &node);
        let failed = answer.head.kind == Kind::Error;
        if let Some(group) = self.groups.get(group) {
            let unwell = failed && group.cluster.config.outliers.is_some() && self.says_unwell(id, exchange, answer);
            group.cluster.hosts.report(&node, if unwell { Outcome::Failure } else { Outcome::Success }, now);
        }
        let success = if failed { &node.stats.rq_error } else { &node.stats.rq_success };
        success.fetch_add(1, Ordering::Relaxed);
        if close {
            self.retire(id);
        }
        let since = self.now_us.saturating_sub(exchange.since);
        if exchange.client.is_some()
            && let Some(local) = self.listeners.get(exchange.listener)
        {
            let counts = &local.counts.counters;
            counts.response.add(1);
            counts.response_decoding_success.add(1);
            counts.request_active.sub(1);
            if failed {
                counts.response_error.add(1);
                counts.response_business_exception.add(1);
            } else {
                counts.response_success.add(1);
            }
            local.counts.request_time_ms.record(since);
        }
    }

    /// Whether an error is the host's own, and not what its application has to say.
    #[cold]
    fn says_unwell(&self, id: Id, exchange: &Exchange, answer: Frame<'_>) -> bool {
        let owner = exchange.client.and_then(|client| self.clients.get(client.at as usize));
        match (self.hosts.get(id.at as usize).map(|host| &host.role), owner.map(|client| &client.protocol)) {
            (Some(Role::Shared(shared)), _) => shared.codec.host_failed(answer),
            (_, Some(Protocol::Known(codec, _))) => codec.host_failed(answer),
            _ => false,
        }
    }

    /// A request is no longer under way at a host.
    pub(super) fn left_host(&mut self, group: usize, node: &Arc<Host>) {
        node.active.fetch_sub(1, Ordering::Relaxed);
        if let Some(group) = self.groups.get(group) {
            group.cluster.gauges.requests.leave();
            group.stats.upstream_rq_active.sub(1);
        }
    }

    /// Hands an answer to the client that waits for it, through the filters if there are any.
    fn answer(&mut self, host: Id, exchange: Exchange, head: Head, bytes: &[u8]) {
        // Where there are filters, the route goes with the exchange.
        if exchange.route.is_some() && self.has_filters(exchange.listener, true) {
            self.filter_response(host, exchange, head, bytes);
        } else {
            self.deliver(host, &exchange, head, bytes);
        }
    }

    /// Hands an answer to the client that waits for it.
    pub(super) fn deliver(&mut self, host: Id, exchange: &Exchange, head: Head, bytes: &[u8]) {
        let Some(id) = exchange.client else { return };
        let Some(client) = self.clients.get_mut(id.at as usize).filter(|client| client.serial == id.serial) else {
            return;
        };
        let Protocol::Known(codec, decoder) = &client.protocol else { return };
        let between = client.passing.is_some() && client.passing != Some(host);
        let out = if between { &mut client.after } else { &mut client.out };
        let frame = Frame { head, bytes };
        let own = !matches!(head.request_id, RequestId::Int(number) if number != exchange.id);
        let mut pushed = false;
        if exchange.route.is_none() {
            let place = if own { None } else { codec.id_place(frame) };
            if own || place.is_some() {
                let copy = out.push(bytes, &mut self.buffers);
                pushed = place.is_none_or(|place| place.write(copy, exchange.id));
                if !pushed {
                    out.retract(bytes.len());
                }
            }
        }
        let mut failed = false;
        if !pushed {
            let mut edits = metaprotocol_core::Edits {
                request_id: (!own).then_some(exchange.id),
                ..metaprotocol_core::Edits::default()
            };
            if let Some(route) = &exchange.route {
                route.response_set.add_to(&mut edits);
            }
            let mut rewritten = codec.rewrite(frame, &edits, decoder.limits());
            if rewritten.is_err() && !edits.set.is_empty() {
                failed = true;
                edits.set.clear();
                rewritten = codec.rewrite(frame, &edits, decoder.limits());
            }
            match rewritten {
                Ok(segments) => {
                    for segment in &segments {
                        out.push(segment, &mut self.buffers);
                    }
                }
                // An answer that cannot be given its id is none for this client.
                Err(_) => client.closing = true,
            }
        }
        let (len, at) = (client.before(host), client.listener);
        if failed {
            self.count(at, |counts| counts.response_mutation_error.add(1));
        }
        self.left(id, exchange.id);
        self.client_unsent(id);
        self.hold_if_full(host, id, at, len);
    }

    /// A client waits for one answer less.
    pub(super) fn left(&mut self, id: Id, request: u64) {
        let Some(client) = self.client(id) else { return };
        client.in_flight -= 1;
        client.ids.leave(request);
        let idle = client.in_flight == 0;
        if client.waits.turn
            && (idle || client.waiting().is_some_and(|head| head.request_id == RequestId::Int(request)))
        {
            self.resume.push(id);
        }
        if idle {
            self.settle(id);
        }
    }

    fn bound_data(&mut self, id: Id, owner: Id, mut own: Option<Box<dyn Connection>>, data: &[u8]) {
        let Some(client) = self.clients.get_mut(owner.at as usize).filter(|client| client.serial == owner.serial)
        else {
            // Who left has something to be sent first.
            return self.retire(id);
        };
        let Protocol::Known(codec, decoder) = &mut client.protocol else {
            return self.pass(id, owner, data);
        };
        let codec = Arc::clone(codec);
        let mut fed = std::mem::take(&mut self.fed);
        let decoder = own.as_mut().unwrap_or(decoder);
        let result = decoder.feed(S2C, data, &mut fed);
        if let Some(carried) = fed.carried.take() {
            self.bound_frame(id, owner, &codec, carried.head, &carried.bytes);
        }
        for placed in &fed.frames {
            let bytes = data.get(placed.at..placed.at + placed.head.frame_len).unwrap_or_default();
            self.bound_frame(id, owner, &codec, placed.head, bytes);
        }
        self.fed = fed;
        if let Some(host) = self.host(id)
            && let Role::Bound(_, place) = &mut host.role
        {
            *place = own;
        }
        if result.is_err() {
            return self.close_host(id, End::Garbage);
        }
        self.long_bound_answer(id, owner);
    }

    /// As [`Worker::long_answer`], by a connection that a client has for itself: also of what nobody has asked for.
    fn long_bound_answer(&mut self, id: Id, owner: Id) {
        let Some(host) = self.hosts.get_mut(id.at as usize).filter(|host| host.serial == id.serial) else { return };
        let Some(client) = self.clients.get_mut(owner.at as usize).filter(|client| client.serial == owner.serial)
        else {
            return;
        };
        let (Role::Bound(_, own), Protocol::Known(codec, decoder)) = (&mut host.role, &mut client.protocol) else {
            return;
        };
        let decoder = own.as_mut().unwrap_or(decoder);
        let Some((head, received)) = decoder.unfinished(S2C) else { return };
        if head.frame_len <= LONG || head.is_opaque() || received < head.header_len as usize || host.filtering {
            return;
        }
        let pair = match head.request_id {
            _ if !head.kind.is_response() => None,
            RequestId::Bytes { .. } => return,
            _ => PairId::of(&Frame { head, bytes: &[] }, codec.info().pair_by),
        };
        let asked = client.asked.as_mut();
        let waits = pair.as_ref().zip(asked).and_then(|(pair, asked)| asked.waits(pair));
        if waits.is_some_and(|(_, exchange)| exchange.route.is_some()) {
            return;
        }
        if client.passing.is_some() {
            return self.wait_behind(owner, id);
        }
        let Some(detached) = decoder.detach(S2C) else { return };
        host.passing = Some((owner, head.frame_len - detached.bytes.len()));
        client.passing = Some(id);
        client.stream_ends(head, S2C);
        let answered = pair.and_then(|pair| client.asked.as_mut()?.answer(&pair));
        if let Some((_, exchange)) = &answered {
            self.finished(id, exchange, Frame { head, bytes: &detached.bytes });
        }
        self.pass(id, owner, &detached.bytes);
        if let Some((_, exchange)) = answered {
            self.left(owner, exchange.id);
        }
    }

    /// An answer has passed the filters: what came behind it is looked at.
    pub(super) fn go_on(&mut self, id: Id) {
        loop {
            let Some(host) = self.host(id) else { return };
            host.filtering = false;
            let Role::Bound(owner, _) = host.role else { return };
            let Some(held) = host.queue.pop_front() else { return self.wake_host(id) };
            let Some(Protocol::Known(codec, _)) = self.client(owner).map(|client| &client.protocol) else { return };
            let codec = Arc::clone(codec);
            self.bound_frame(id, owner, &codec, held.head, &held.bytes);
            if self.host(id).is_none_or(|host| host.filtering) {
                return;
            }
        }
    }

    fn bound_frame(&mut self, id: Id, owner: Id, codec: &Arc<dyn AnyCodec>, head: Head, bytes: &[u8]) {
        if let Some(host) = self.host(id)
            && host.filtering
        {
            host.queue.push_back(Held { head, bytes: bytes.to_vec(), filtered: Filtered::No });
            return;
        }
        let Some(client) = self.client(owner) else { return };
        let frame = Frame { head, bytes };
        let pair = if head.kind.is_response() { PairId::of(&frame, codec.info().pair_by) } else { None };
        let asked = pair.and_then(|pair| client.asked.as_mut()?.answer(&pair));
        if client.streams.is_some() {
            client.stream_ends(head, S2C);
        }
        match asked {
            Some((_, exchange)) => {
                self.finished(id, &exchange, frame);
                self.answer(id, exchange, head, bytes);
            }
            None => self.pass(id, owner, bytes),
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
            return;
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

    /// A client has gone that had this connection for itself.
    pub(super) fn drop_bound(&mut self, id: Id, client: Id) {
        if let Some(host) = self.host(id)
            && matches!(host.role, Role::Bound(owner, _) if owner == client)
        {
            // What it sent before is still for the host.
            host.passing = None;
            host.draining = true;
            host.finish = true;
            self.timers.set(self.now + LINGER, Due::Linger(id));
            self.retire(id);
        }
    }

    pub(super) fn linger_late(&mut self, id: Id) {
        self.close_host(id, End::Cut);
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

    pub(super) fn request_late(&mut self, id: Id, slot: u32, turn: u32) {
        let Some(host) = self.host(id) else { return };
        let (group, node) = (host.group, Arc::clone(&host.host));
        let Role::Shared(shared) = &mut host.role else { return };
        if shared.slots.get(slot as usize).is_none_or(|slot| slot.turn != turn) {
            return;
        }
        // Where answers come in order, all that is asked there waits behind it.
        let in_line = shared.line.is_some();
        host.draining |= in_line;
        let Some((exchange, asked)) = self.give_up(id, slot) else { return };
        self.count_cluster(group, |stats| stats.upstream_rq_timeout.add(1));
        node.stats.rq_timeout.fetch_add(1, Ordering::Relaxed);
        if let Some(group) = self.groups.get(group) {
            group.cluster.hosts.report(&node, Outcome::Timeout, self.now);
        }
        if let Some(client) = exchange.client.filter(|_| in_line) {
            if self.client(client).is_some_and(|client| client.passing == Some(id)) {
                // It waits behind a long answer of its own, into which nothing can be said.
                return self.close_client(client, false);
            }
            self.lost_before(id, slot, client, (ErrorType::Timeout, LATE));
        }
        self.lost(&exchange, &asked, ErrorType::Timeout, LATE);
        self.gave_up(id);
    }

    /// Tells a client that there will be no answer.
    pub(super) fn lost(&mut self, exchange: &Exchange, asked: &[u8], error: ErrorType, message: &str) {
        let Some(client) = exchange.client else { return };
        self.count(exchange.listener, |counts| counts.request_active.sub(1));
        self.refuse(client, exchange.head, asked, error, message);
        self.left(client, exchange.id);
    }

    pub(super) fn bound_late(&mut self, id: Id, number: u64) {
        let Some(client) = self.client(id) else { return };
        let waits = client.asked.as_ref().is_some_and(|asked| asked.iter().any(|(other, _)| *other == number));
        if waits {
            // Others wait behind it, or their order is lost with its answer: the connection ends here.
            for host in client.bound.clone() {
                self.end_bound(host, ErrorType::Timeout, LATE);
            }
        }
    }

    /// Ends a connection that a client has for itself, and with it the client's: at once if something waits for it, else when
    /// nothing is under way elsewhere.
    fn end_bound(&mut self, id: Id, error: ErrorType, message: &str) {
        if let Some((client, _)) = self.host(id).and_then(|host| host.passing) {
            // It has the beginning of an answer that will never end.
            return self.close_client(client, false);
        }
        let Some(host) = self.remove_host(id) else { return };
        self.bound_ended(id, &host, error, message);
    }

    fn bound_ended(&mut self, id: Id, host: &Upstream, error: ErrorType, message: &str) {
        let Role::Bound(owner, _) = host.role else { return };
        let (group, node) = (host.group, &host.host);
        let Some(client) = self.client(owner) else { return };
        // What waits, waits for the last.
        let last = client.bound.last() == Some(&id);
        client.bound.retain(|other| *other != id);
        if !matches!(&client.protocol, Protocol::Known(codec, _) if !shares(codec.as_ref())) {
            return self.end_streams(owner, id, error, message);
        }
        if !last || client.asked.as_ref().is_none_or(|asked| asked.is_empty()) {
            client.draining = true;
            return self.settle(owner);
        }
        let mut asked = client.asked.take();
        while let Some((_, exchange)) = asked.as_mut().and_then(|asked| asked.forget()) {
            self.left_host(group, node);
            let bytes = exchange.asked.clone();
            self.lost(&exchange, &bytes, error, message);
        }
        if let Some(client) = self.client(owner) {
            client.closing = true;
            client.readable = false;
            self.client_unsent(owner);
        }
    }

    /// Tells a client that the streams are over that went by a connection.
    fn end_streams(&mut self, owner: Id, host: Id, error: ErrorType, message: &str) {
        let Some(client) = self.client(owner) else { return };
        let streams = client.streams.as_mut().map(|streams| streams.extract_if(|_, stream| stream.host == host));
        let over: Vec<_> = streams.into_iter().flatten().map(|(_, stream)| stream).collect();
        for stream in over {
            self.refuse(owner, stream.head, &stream.asked, error, message);
        }
        // Frames of theirs may be on their way, and would be no one's.
        self.end_client(owner);
    }

    /// Closes a connection to a host, and answers what waits on it.
    pub(super) fn close_host(&mut self, id: Id, end: End) {
        let now = self.now;
        let Some(host) = self.host(id) else { return };
        let (group, node) = (host.group, Arc::clone(&host.host));
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
        let all = 0..shared.slots.len() as u32;
        for slot in shared.line.take().map_or_else(|| all.collect(), |line| Vec::from(line.slots)) {
            let Some(place) = shared.slots.get_mut(slot as usize) else { continue };
            let Some(exchange) = place.exchange.take() else { continue };
            self.left_host(group, &node);
            node.stats.rq_error.fetch_add(1, Ordering::Relaxed);
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
        let _ = self.poll.registry().deregister(&mut host.socket);
        host.host.stats.cx_active.fetch_sub(1, Ordering::Relaxed);
        if let Some(group) = self.groups.get_mut(host.group) {
            group.stats.upstream_cx_active.sub(1);
            group.connections -= 1;
            group.cluster.gauges.connections.leave();
            for _ in 0..host.pending {
                group.cluster.gauges.pending.leave();
            }
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
