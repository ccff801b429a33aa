//! A client's frames: routed, and handed to hosts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use metaprotocol_core::{
    AnyCodec, Direction, Edits, ErrorType, Frame, Head, Id as PairId, Kind, Limits, PairBy, Pairing, Reason, Reply,
    RequestId, Sharing,
};

use super::clients::LONG;
use super::downstream::{Downstream, Filtered, Held, Protocol, Stream, To, Turn};
use super::hosts::{MIRROR_TIMEOUT, Refusal};
use super::out::{Buffers, Out};
use super::upstream::{Exchange, Role, Upstream, kept};
use super::{Due, Id, Worker};
use crate::balance::Host;
use crate::route::{Chosen, Message, Route, Sets};

const C2S: Direction = Direction::ClientToServer;
/// The most that is kept of a request on a connection that a client has for itself.
const KEPT_BOUND: usize = 16 << 10;

/// Where a message goes.
struct Way {
    route: Arc<Route>,
    group: usize,
    host: Arc<Host>,
}

/// What becomes of a message, or of the beginning of a long one, that goes by a connection for its client alone.
enum Went {
    /// It goes by this connection.
    To(Id),
    /// It was answered, or is dropped.
    Nowhere,
    /// It has to wait until nothing else is under way.
    Later,
    /// All of it must be there first.
    Whole,
}

/// Why a message goes nowhere.
enum Stop {
    /// It is answered with this error.
    Error(ErrorType, &'static str),
    /// What decides has not come yet.
    More,
}

impl Worker {
    /// Takes a frame of a client, or keeps it until it is its turn.
    pub(super) fn frame(&mut self, id: Id, head: Head, bytes: &[u8]) {
        let Some(client) = self.client(id) else { return };
        if client.closing || client.ended {
            return;
        }
        let waits = !client.held.is_empty()
            || client.waits.turn
            || client.waits.filter
            || !self.serve(id, head, bytes, &Filtered::No);
        if waits && let Some(client) = self.client(id) {
            client.held.push_back(Held { head, bytes: bytes.to_vec(), filtered: Filtered::No });
        }
    }

    /// Takes frames whose turn has come.
    pub(super) fn resume(&mut self) {
        while let Some(id) = self.resume.pop() {
            let Some(client) = self.client(id) else { continue };
            client.waits.turn = false;
            loop {
                let held =
                    self.client(id).filter(|client| !client.waits.filter).and_then(|client| client.held.pop_front());
                let Some(held) = held else { break };
                if !self.serve(id, held.head, &held.bytes, &held.filtered) {
                    if let Some(client) = self.client(id) {
                        client.held.push_front(held);
                    }
                    break;
                }
            }
            let looks = self.client(id).is_some_and(|client| !client.waits.turn && client.held.is_empty());
            if looks {
                self.look(id);
            }
            self.settle(id);
            self.wake_client(id);
        }
    }

    /// Takes a frame. False if it has to wait until nothing else is under way.
    pub(super) fn serve(&mut self, id: Id, head: Head, bytes: &[u8], filtered: &Filtered) -> bool {
        let Some(client) = self.clients.get_mut(id.at as usize).filter(|client| client.serial == id.serial) else {
            return true;
        };
        let Protocol::Known(codec, _) = &client.protocol else { return true };
        match head.kind {
            Kind::Heartbeat if codec.info().heartbeats => {
                let at = client.listener;
                let reply = codec.reply(Frame { head, bytes }, Reply::Heartbeat);
                let replied = matches!(&reply, Ok(Some(_)));
                if let Ok(Some(reply)) = reply {
                    client.out_from(None).push(&reply, &mut self.buffers);
                }
                self.count(at, |counts| {
                    counts.request_event.add(1);
                    counts.local_response_success.add(u64::from(replied));
                });
                self.client_unsent(id);
                true
            }
            Kind::Request | Kind::Oneway | Kind::StreamOpen => self.request(id, head, bytes, filtered),
            _ => {
                let _ = self.more(id, head, bytes);
                true
            }
        }
    }

    /// A frame that belongs to what is under way already: of a stream, of a login, or an answer to the host.
    fn more(&mut self, id: Id, head: Head, bytes: &[u8]) -> Went {
        let Some(client) = self.client(id) else { return Went::Nowhere };
        let shared = matches!(&client.protocol, Protocol::Known(codec, _) if shares(codec.as_ref()));
        let host = self.place(id, &head, bytes);
        let bound = match host {
            Some(host) => Ok(host),
            // It cannot be shared, nor what follows be read.
            None if shared && head.is_opaque() => {
                let at = client_listener(self.client(id));
                self.count(at, |counts| {
                    counts.request_decoding_error.add(1);
                    counts.bad_request.add(1);
                });
                self.end_client(id);
                return Went::Nowhere;
            }
            // Nobody is there that could know what to do with it.
            None if shared => return Went::Nowhere,
            None => match self.way(id, head, bytes) {
                Ok(way) => self.bind(id, &way),
                Err(Stop::Error(error, message)) => Err((error, message)),
                Err(Stop::More) if bytes.len() < head.frame_len => return Went::Whole,
                Err(Stop::More) => Err(INCOMPLETE),
            },
        };
        match bound {
            Ok(host) => {
                self.send_bound(id, host, bytes);
                Went::To(host)
            }
            Err((error, message)) => {
                self.refuse(id, head, bytes, error, message);
                Went::Nowhere
            }
        }
    }

    /// Where a frame goes that belongs to what is under way: to its stream's host, where clients name streams, else where the
    /// client was last.
    fn place(&mut self, id: Id, head: &Head, bytes: &[u8]) -> Option<Id> {
        let client = self.client(id)?;
        let (Some(streams), Some(stream)) = (&mut client.streams, head.stream_id) else {
            return client.bound.last().copied();
        };
        let stream = streams.get_mut(&stream)?;
        stream.head = *head;
        stream.asked.clear();
        stream.asked.extend_from_slice(kept(head, bytes));
        let host = stream.host;
        client.stream_ends(*head, C2S);
        Some(host)
    }

    fn request(&mut self, id: Id, head: Head, bytes: &[u8], filtered: &Filtered) -> bool {
        let Some(client) = self.client(id) else { return true };
        let Protocol::Known(codec, _) = &client.protocol else { return true };
        let codec = Arc::clone(codec);
        let at = client.listener;
        if let Filtered::Refused(error, text) = filtered {
            if client.in_flight > 0 && !shares(codec.as_ref()) {
                return self.wait_turn(id);
            }
            self.note_request(at, head.kind);
            self.stop(id, head, bytes, *error, text);
            return true;
        }
        let shared = shares(codec.as_ref())
            && match (head.kind, head.request_id) {
                (Kind::Request, RequestId::Int(number)) => {
                    if self.turn(id, number) == Turn::Later {
                        return self.wait_turn(id);
                    }
                    true
                }
                (Kind::Oneway, _) => true,
                // Streams go by ids that are not changed.
                _ => false,
            };
        if matches!(filtered, Filtered::No) && self.has_filters(at, false) {
            self.filter_request(id, &codec, shared, head, bytes);
            return true;
        }
        self.forward(id, &codec, shared, head, bytes)
    }

    /// Routes a request and sends it. False if it has to wait until nothing else is under way.
    pub(super) fn forward(
        &mut self,
        id: Id,
        codec: &Arc<dyn AnyCodec>,
        shared: bool,
        head: Head,
        bytes: &[u8],
    ) -> bool {
        if !shared {
            return !matches!(self.forward_bound(id, codec, head, bytes), Went::Later);
        }
        let at = client_listener(self.client(id));
        let way = self.way(id, head, bytes);
        self.note_request(at, head.kind);
        match way {
            Ok(way) => {
                self.mirror(id, codec, &way, head, bytes);
                self.send_shared(id, codec, &way, head, bytes);
            }
            Err(stop) => {
                let (error, message) = stop.said();
                self.stop(id, head, bytes, error, message);
            }
        }
        true
    }

    /// As [`Worker::forward`], by a connection that its client has for itself; of a long request the beginning, where nothing of
    /// it is to be changed.
    fn forward_bound(&mut self, id: Id, codec: &Arc<dyn AnyCodec>, head: Head, bytes: &[u8]) -> Went {
        let Some(client) = self.client(id) else { return Went::Nowhere };
        let at = client.listener;
        let part = bytes.len() < head.frame_len;
        // What is said here must not overtake answers that are under way: who has a connection for itself gets them in order,
        // whatever pairs them.
        let in_turn = client.in_flight > 0 && !shares(codec.as_ref());
        let sent = match self.way(id, head, bytes) {
            Ok(way) if part && !way.route.request_set.is_empty() => return Went::Whole,
            Ok(way) if !self.may_bind(id, way.group, head.kind) => {
                self.wait_turn(id);
                return Went::Later;
            }
            Ok(way) => self
                .bind(id, &way)
                .and_then(|host| self.send_request_bound(id, host, &way.route, head, bytes).map(|()| host)),
            Err(Stop::More) if part => return Went::Whole,
            Err(stop) => Err(stop.said()),
        };
        if sent.is_err() && in_turn {
            self.wait_turn(id);
            return Went::Later;
        }
        self.note_request(at, head.kind);
        match sent {
            Ok(host) => Went::To(host),
            Err((error, message)) => {
                self.stop(id, head, bytes, error, message);
                Went::Nowhere
            }
        }
    }

    /// Whether a request may go on now, by its id.
    fn turn(&mut self, id: Id, number: u64) -> Turn {
        let Some(client) = self.clients.get_mut(id.at as usize).filter(|client| client.serial == id.serial) else {
            return Turn::Now;
        };
        let turn = client.ids.enter(number, client.in_flight);
        if turn == Turn::Now || client.ids.noted() {
            return turn;
        }
        // It does not count up, or not always. One that is never answered must not hold up others of other ids.
        let shared = self.hosts.iter().filter_map(|(_, host)| match &host.role {
            Role::Shared(shared) => Some(shared),
            Role::Bound(..) => None,
        });
        let waiting = shared.flat_map(|shared| &shared.slots).filter_map(|slot| slot.exchange.as_ref());
        let asked = waiting.filter(|exchange| exchange.client == Some(id)).map(|exchange| exchange.id);
        client.ids.note(asked.chain(self.suspended.values().filter_map(|message| message.asked_by(id))));
        client.ids.enter(number, client.in_flight)
    }

    /// Lets a client's frames wait until nothing is under way for it.
    fn wait_turn(&mut self, id: Id) -> bool {
        if let Some(client) = self.client(id) {
            client.waits.turn = true;
        }
        false
    }

    pub(super) fn note_request(&self, at: usize, kind: Kind) {
        self.count(at, |counts| {
            counts.request.add(1);
            match kind {
                Kind::Request => counts.request_twoway.add(1),
                Kind::Oneway => counts.request_oneway.add(1),
                _ => counts.request_stream.add(1),
            }
        });
    }

    /// Refuses a request that was not sent to any host.
    pub(super) fn stop(&mut self, id: Id, head: Head, bytes: &[u8], error: ErrorType, message: &str) {
        self.refuse(id, head, bytes, error, message);
        if let (Kind::Request, RequestId::Int(number), Some(client)) = (head.kind, head.request_id, self.client(id)) {
            client.ids.leave(number);
        }
    }

    /// Where a message goes; of a long one the beginning will do if what decides is in it.
    fn way(&mut self, id: Id, head: Head, bytes: &[u8]) -> Result<Way, Stop> {
        const UNKNOWN: Stop =
            Stop::Error(ErrorType::ClusterNotFound, "meta protocol router: the route's cluster is not known");
        const NO_ROUTE: Stop = Stop::Error(ErrorType::RouteNotFound, "meta protocol router: no route matches");
        let random = self.random();
        let client = self.clients.get_mut(id.at as usize).ok_or(Stop::More)?;
        let Protocol::Known(codec, decoder) = &client.protocol else { return Err(Stop::More) };
        let local = self.listeners.get(client.listener).ok_or(Stop::More)?;
        let (table, groups) = local.table(codec).ok_or(NO_ROUTE)?;
        let unreadable = |error: metaprotocol_core::DecodeError| {
            let beyond = matches!(error.reason, Reason::UnexpectedEnd { .. }) && bytes.len() < head.frame_len;
            if beyond {
                Stop::More
            } else {
                Stop::Error(ErrorType::BadRequest, "meta protocol router: the message cannot be read")
            }
        };
        let frame = Frame { head, bytes };
        let mut message = Message::new(codec.as_ref(), frame, decoder.limits(), &local.extra, &mut self.scratch);
        let route = table.find(&mut message).map_err(unreadable)?.ok_or(NO_ROUTE)?;
        let chosen = route.target.cluster(&mut message, random).map_err(unreadable)?.ok_or(UNKNOWN)?;
        let group = match chosen {
            Chosen::Known(cluster) => groups.get(cluster.number).copied().flatten(),
            Chosen::Named(name) => self.by_name.get(&*name).copied(),
        };
        let hash = route.hash.hash(&mut message).map_err(unreadable)?;
        drop(message);
        let route = Arc::clone(route);
        let (at, own) = group.and_then(|at| Some((at, self.groups.get_mut(at)?))).ok_or(UNKNOWN)?;
        if own.cluster.config.maintenance {
            own.stats.upstream_rq_maintenance_mode.add(1);
            return Err(Stop::Error(
                ErrorType::NoHealthyUpstream,
                "meta protocol router: the cluster is in maintenance mode",
            ));
        }
        // Who has its connection already needs no other host.
        let bound = || {
            let known = |id: &Id| self.hosts.get(id.at as usize).filter(|host| host.serial == id.serial);
            let mut hosts = client.bound.iter().filter_map(known);
            hosts.find(|host| host.group == at).map(|host| Arc::clone(&host.host))
        };
        let bound = if codec.info().sharing == Sharing::Bound { bound() } else { None };
        let host = if bound.is_some() {
            bound
        } else if own.cluster.config.original_dst {
            original_address(&client.socket).map(|address| {
                if own.originals.is_empty() {
                    self.timers.set(self.now + own.cluster.config.cleanup_interval.max(1), Due::Originals(at));
                }
                let host = || Arc::new(Host::new(address, self.now));
                Arc::clone(own.originals.entry(address).or_insert_with(host))
            })
        } else {
            own.picker.pick(hash, self.now).map(Arc::clone)
        };
        let Some(host) = host else {
            own.stats.upstream_cx_none_healthy.add(1);
            return Err(Stop::Error(ErrorType::NoHealthyUpstream, "meta protocol router: no healthy upstream"));
        };
        Ok(Way { route, group: at, host })
    }

    /// Counts a request in at a host, if the cluster's bounds allow one more.
    fn enter_host(&mut self, group: usize, node: &Arc<Host>) -> bool {
        let Some(own) = self.groups.get(group) else { return false };
        if !own.cluster.gauges.requests.enter(own.cluster.config.thresholds.max_requests) {
            own.stats.upstream_rq_pending_overflow.add(1);
            return false;
        }
        own.stats.upstream_rq_total.add(1);
        own.stats.upstream_rq_active.add(1);
        node.active.fetch_add(1, Ordering::Relaxed);
        node.stats.rq_total.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// Counts a request in that has to wait for its connection, if the cluster's bounds allow one more.
    pub(super) fn enter_pending(&mut self, group: usize, host: Id) -> bool {
        let Some(upstream) = self.hosts.get_mut(host.at as usize) else { return false };
        if upstream.connected {
            return true;
        }
        let Some(own) = self.groups.get(group) else { return false };
        if !own.cluster.gauges.pending.enter(own.cluster.config.thresholds.max_pending) {
            own.stats.upstream_rq_pending_overflow.add(1);
            return false;
        }
        own.stats.upstream_rq_pending_total.add(1);
        upstream.pending += 1;
        true
    }

    fn send_shared(&mut self, id: Id, codec: &Arc<dyn AnyCodec>, way: &Way, head: Head, bytes: &[u8]) {
        match self.shared(way.group, &way.host, codec, &head) {
            Ok(host) => {
                self.send(Some(id), host, way, head, bytes);
            }
            Err(refusal) => match self.shared_elsewhere(way.group, &way.host, codec, &head, refusal) {
                Ok((host, node)) => {
                    let way = Way { route: Arc::clone(&way.route), group: way.group, host: node };
                    self.send(Some(id), host, &way, head, bytes);
                }
                Err((error, message)) => self.stop(id, head, bytes, error, message),
            },
        }
    }

    /// Sends a request by a shared connection; the client is `None` for a copy. False if it was refused.
    fn send(&mut self, id: Option<Id>, to: Id, way: &Way, head: Head, bytes: &[u8]) -> bool {
        let oneway = head.kind != Kind::Request;
        let entered = oneway || self.enter_host(way.group, &way.host);
        if !entered || !self.enter_pending(way.group, to) {
            if entered && !oneway {
                self.left_host(way.group, &way.host);
            }
            if let Some(id) = id {
                self.stop(id, head, bytes, OVERFLOW.0, OVERFLOW.1);
            }
            return false;
        }
        let (now, now_us) = (self.now, self.now_us);
        let limits = self.limits;
        let Some(host) = self.hosts.get_mut(to.at as usize).filter(|host| host.serial == to.serial) else {
            return false;
        };
        host.heard = now;
        let at = host.out.end();
        let (slot, failed) = put(host, &mut self.buffers, &way.route.request_set, &limits, head, bytes);
        let Role::Shared(shared) = &mut host.role else { return false };
        let last = self.groups.get(way.group).and_then(|group| group.cluster.config.max_requests_per_connection);
        let last = last.is_some_and(|last| shared.requests >= last);
        host.draining |= last;
        let unsent = host.out.len();
        let len = (host.out.end() - at) as u32;
        if last {
            self.count_cluster(way.group, |stats| stats.upstream_cx_max_requests.add(1));
        }
        let listener = id.and_then(|id| self.client(id)).map(|client| client.listener);
        if let Err(unsendable) = failed {
            if let Some(listener) = listener {
                self.count(listener, |counts| counts.request_mutation_error.add(1));
            }
            if unsendable {
                // Not a byte of it was sent.
                self.take_back(to, slot, way);
                if let Some(id) = id {
                    self.stop(
                        id,
                        head,
                        bytes,
                        ErrorType::BadRequest,
                        "meta protocol router: the message cannot be sent",
                    );
                }
                return false;
            }
        }
        self.host_unsent(to);
        if let Some(slot) = slot {
            let timeout = way.route.timeout.map(|timeout| timeout.as_millis() as u64).filter(|timeout| *timeout > 0);
            let timeout = timeout.or(id.is_none().then_some(MIRROR_TIMEOUT));
            let filtered = listener.is_some_and(|at| self.has_filters(at, true));
            let changes = id.is_some() && (filtered || !way.route.response_set.is_empty());
            let route = changes.then(|| Arc::clone(&way.route));
            let own = if let RequestId::Int(own) = head.request_id { own } else { 0 };
            let mut turn = 0;
            if let Some(host) = self.host(to)
                && let Role::Shared(shared) = &mut host.role
            {
                let keep = shared.kept(&head, bytes);
                let Some(place) = shared.slots.get_mut(slot as usize) else { return false };
                turn = place.turn;
                place.asked.clear();
                place.asked.extend_from_slice(keep);
                (place.at, place.len) = (at, len);
                place.until = timeout.map_or(0, |timeout| now + timeout);
                place.tried.clear();
                place.exchange = Some(Exchange {
                    client: id,
                    listener: listener.unwrap_or(usize::MAX),
                    head,
                    id: own,
                    since: now_us,
                    route,
                    asked: Vec::new(),
                });
            }
            if let Some(timeout) = timeout {
                self.timers.set(now + timeout, Due::Request(to, slot, turn));
            }
            if let Some(client) = id.and_then(|id| self.client(id)) {
                client.in_flight += 1;
            }
            if let Some(listener) = listener {
                self.count(listener, |counts| counts.request_active.add(1));
            }
        }
        if let Some(id) = id {
            self.wait_if_full(id, to, unsent);
        }
        true
    }

    fn take_back(&mut self, to: Id, slot: Option<u32>, way: &Way) {
        let Some(slot) = slot else { return };
        if let Some(host) = self.host(to)
            && let Role::Shared(shared) = &mut host.role
        {
            shared.abandon(slot);
        }
        self.left_host(way.group, &way.host);
        self.retire(to);
    }

    /// Reads no more from a client while a host has too much to take.
    fn wait_if_full(&mut self, id: Id, to: Id, unsent: usize) {
        let Some(client) = self.client(id) else { return };
        let at = client.listener;
        let limit = self.listeners.get(at).map_or(0, |local| local.listener.config.buffer_limit);
        if unsent <= limit {
            return;
        }
        let Some(client) = self.client(id) else { return };
        if std::mem::replace(&mut client.waits.host, true) {
            return;
        }
        self.count(at, |counts| counts.downstream_flow_control_paused_reading.add(1));
        if let Some(host) = self.host(to) {
            host.holds.push(id);
        }
    }

    /// Sends copies to the mirrors of a route. What becomes of them is nobody's concern.
    fn mirror(&mut self, id: Id, codec: &Arc<dyn AnyCodec>, way: &Way, head: Head, bytes: &[u8]) {
        let now = self.now;
        // Copies go where ids tell their answers from others; those of streams would never end.
        let single = match head.kind {
            Kind::Request => matches!(head.request_id, RequestId::Int(_)),
            kind => kind == Kind::Oneway,
        };
        if !single {
            return;
        }
        for mirror in &way.route.mirrors {
            let random = self.random();
            if !mirror.takes(random) || bytes.len() < head.frame_len {
                continue;
            }
            let Some(group) = self.by_name.get(&mirror.cluster.name).copied() else { continue };
            let Some(host) = self.groups.get_mut(group).and_then(|own| own.picker.pick(None, now).map(Arc::clone))
            else {
                continue;
            };
            let copy = Way { route: Arc::clone(&way.route), group, host };
            let Ok(to) = self.shared(group, &copy.host, codec, &head) else { continue };
            let full = self.host(to).is_none_or(|host| host.out.len() > LONG);
            if !full && self.send(None, to, &copy, head, bytes) {
                let at = client_listener(self.client(id));
                self.count(at, |counts| counts.mirrored.add(1));
            }
        }
    }

    /// True if a client may ask a cluster now by a connection for itself: those of another one must all have answered before,
    /// since order may be all that tells answers apart. Streams go by their ids.
    fn may_bind(&mut self, id: Id, group: usize, kind: Kind) -> bool {
        let Some(client) = self.client(id) else { return true };
        let (in_flight, last) = (client.in_flight, client.bound.last().copied());
        let Protocol::Known(codec, decoder) = &client.protocol else { return true };
        if shares(codec.as_ref()) {
            return kind != Kind::Request || in_flight == 0;
        }
        if in_flight >= decoder.limits().max_in_flight {
            return false;
        }
        let Some(last) = last else { return true };
        in_flight == 0 || self.host(last).is_some_and(|host| host.group == group)
    }

    /// Closes a client's connections to hosts that are no longer in their clusters, where nothing ties it to them. Its decoder
    /// must not have seen what it asks next.
    #[cold]
    pub(super) fn leave_bound(&mut self, id: Id) {
        let Some(client) = self.clients.get_mut(id.at as usize).filter(|client| client.serial == id.serial) else {
            return;
        };
        let Protocol::Known(codec, decoder) = &client.protocol else { return };
        let mut left = Vec::new();
        client.leaving = false;
        client.bound.retain(|bound| {
            let Some(host) = self.hosts.get(bound.at as usize).filter(|host| host.leaving) else { return true };
            let Role::Bound(_, own) = &host.role else { return true };
            let state = codec.info().sharing == Sharing::Bound && own.as_ref().unwrap_or(decoder).tied();
            let mut streams = client.streams.iter().flat_map(|streams| streams.values());
            if state || streams.any(|stream| stream.host == *bound) || host.busy() || !host.out.is_empty() {
                client.leaving = true;
                return true;
            }
            left.push(*bound);
            false
        });
        for host in left {
            self.remove_host(host);
        }
    }

    /// The connection to a cluster that a client has for itself.
    fn bind(&mut self, id: Id, way: &Way) -> Result<Id, Refusal> {
        let Some(client) = self.clients.get_mut(id.at as usize).filter(|client| client.serial == id.serial) else {
            return Err(OVERFLOW);
        };
        let there = |id: &Id| self.hosts.get(id.at as usize).is_some_and(|host| host.group == way.group);
        if let Some(at) = client.bound.iter().position(there) {
            let host = client.bound.remove(at);
            // The last one is where frames go that say nothing of where they belong.
            client.bound.push(host);
            return Ok(host);
        }
        let decoder = match &client.protocol {
            Protocol::Known(codec, decoder) if client.number > 0 || !client.bound.is_empty() => {
                Some(Arc::clone(codec).connect(*decoder.limits()))
            }
            _ => None,
        };
        if let (Some(first), Protocol::Known(codec, decoder)) = (client.bound.first(), &client.protocol)
            && decoder.received(Direction::ServerToClient) == 0
            && let Some(host) = self.hosts.get_mut(first.at as usize)
            && let Role::Bound(_, own @ None) = &mut host.role
        {
            // From here on the client's own decoder knows also what is asked of others.
            *own = Some(Arc::clone(codec).connect(*decoder.limits()));
        }
        let role = &mut Some(Role::Bound(id, decoder));
        let host = match self.connect(way.group, &way.host, role) {
            Ok(host) => host,
            Err(refusal) => self.bound_elsewhere(way.group, &way.host, role, refusal)?,
        };
        if let Some(client) = self.client(id) {
            client.number += 1;
            client.bound.push(host);
        }
        Ok(host)
    }

    /// Opens the connection of a client that says nothing before its host has spoken, or that is plain TCP.
    pub(super) fn open_bound(&mut self, id: Id) {
        let now = self.now;
        let Some(client) = self.client(id) else { return };
        let (plain, at) = (matches!(client.protocol, Protocol::Plain), client.listener);
        let host = if plain {
            let cluster = self.listeners.get(at).and_then(|local| local.listener.config.unknown_to.clone());
            let group = cluster.and_then(|name| self.by_name.get(name.as_str()).copied());
            let host = group.and_then(|group| self.groups.get_mut(group)?.picker.pick(None, now).map(Arc::clone));
            group.zip(host).and_then(|(group, host)| self.open_alone(id, group, &host))
        } else {
            let head = Head {
                kind: Kind::Control,
                request_id: RequestId::None,
                stream_id: None,
                header_len: 0,
                frame_len: 0,
                variant: 0,
            };
            let way = self.way(id, head, &[]).ok();
            way.and_then(|way| self.open_alone(id, way.group, &way.host))
        };
        let Some(client) = self.client(id) else { return };
        match host {
            Some(host) => client.bound.push(host),
            None => {
                client.closing = true;
                self.count(at, |counts| counts.no_healthy_upstream.add(1));
                self.client_unsent(id);
            }
        }
    }

    fn open_alone(&mut self, id: Id, group: usize, node: &Arc<Host>) -> Option<Id> {
        let role = &mut Some(Role::Bound(id, None));
        match self.connect(group, node, role) {
            Ok(host) => Some(host),
            Err(refusal) => self.bound_elsewhere(group, node, role, refusal).ok(),
        }
    }

    /// Sends a frame by a connection that a client has for itself.
    fn send_bound(&mut self, id: Id, to: Id, bytes: &[u8]) {
        let Some(host) = self.hosts.get_mut(to.at as usize).filter(|host| host.serial == to.serial) else { return };
        if let Role::Bound(_, Some(decoder)) = &mut host.role {
            // It has to know what was asked to read the answers. The frame was read once already: what this decoder makes of
            // it shows in the answers. The rest of a long one tells nothing more.
            let mut fed = metaprotocol_core::Fed::default();
            let _ = decoder.feed(C2S, bytes, &mut fed);
            let _ = decoder.detach(C2S);
        }
        host.out.push(bytes, &mut self.buffers);
        host.heard = self.now;
        let unsent = host.out.len();
        self.host_unsent(to);
        self.wait_if_full(id, to, unsent);
    }

    fn send_request_bound(
        &mut self,
        id: Id,
        to: Id,
        route: &Arc<Route>,
        head: Head,
        bytes: &[u8],
    ) -> Result<(), Refusal> {
        let Some(host) = self.host(to) else { return Err(OVERFLOW) };
        let (group, node) = (host.group, Arc::clone(&host.host));
        let waits = head.kind == Kind::Request;
        if waits && !self.enter_host(group, &node) {
            return Err(OVERFLOW);
        }
        if !self.open_stream(id, to, &head, bytes) || !self.enter_pending(group, to) {
            if waits {
                self.left_host(group, &node);
            }
            return Err(OVERFLOW);
        }
        let Some(client) = self.client(id) else { return Ok(()) };
        let Protocol::Known(codec, decoder) = &client.protocol else { return Ok(()) };
        let (at, limits) = (client.listener, *decoder.limits());
        let codec = Arc::clone(codec);
        let filtered = self.has_filters(at, true);
        let mut edits = Edits::default();
        route.request_set.add_to(&mut edits);
        let mut changed = None;
        if !edits.set.is_empty() {
            match codec.rewrite(Frame { head, bytes }, &edits, &limits) {
                Ok(segments) => changed = Some(segments.concat()),
                Err(_) => self.count(at, |counts| counts.request_mutation_error.add(1)),
            }
        }
        self.send_bound(id, to, changed.as_deref().unwrap_or(bytes));
        if !waits {
            return Ok(());
        }
        let (now, now_us) = (self.now, self.now_us);
        let Some(client) = self.client(id) else { return Ok(()) };
        let Protocol::Known(codec, _) = &client.protocol else { return Ok(()) };
        let Some(pair) = PairId::of(&Frame { head, bytes }, codec.info().pair_by) else {
            // Nothing tells its answer from others: it is handed on as it comes, and nobody waits for it.
            self.left_host(group, &node);
            return Ok(());
        };
        let keep = bytes.get(..bytes.len().min(KEPT_BOUND)).unwrap_or(bytes);
        let exchange = Exchange {
            client: Some(id),
            listener: at,
            head,
            id: if let RequestId::Int(own) = head.request_id { own } else { 0 },
            since: now_us,
            route: (filtered || !route.response_set.is_empty()).then(|| Arc::clone(route)),
            asked: keep.to_vec(),
        };
        client.in_flight += 1;
        client.number += 1;
        let number = client.number;
        let asked = client.asked.get_or_insert_with(|| Box::new(Pairing::new(limits.max_in_flight as usize)));
        // None is forgotten: `may_bind` lets no more in than are remembered.
        asked.ask(pair, (number, exchange));
        self.count(at, |counts| counts.request_active.add(1));
        if let Some(timeout) = route.timeout.map(|timeout| timeout.as_millis() as u64).filter(|timeout| *timeout > 0) {
            self.timers.set(now + timeout, Due::Bound(id, number));
        }
        Ok(())
    }

    /// Notes a stream that a client names itself. False if it has too many.
    fn open_stream(&mut self, id: Id, host: Id, head: &Head, bytes: &[u8]) -> bool {
        let (Kind::StreamOpen, RequestId::None, Some(stream)) = (head.kind, head.request_id, head.stream_id) else {
            return true;
        };
        let Some(client) = self.client(id) else { return false };
        let Protocol::Known(_, decoder) = &client.protocol else { return false };
        let most = decoder.limits().max_in_flight as usize;
        let streams = client.streams.get_or_insert_default();
        if streams.len() >= most {
            return false;
        }
        let asked = kept(head, bytes).to_vec();
        streams.insert(stream, Stream { host, head: *head, asked, ended: [false; 2] });
        true
    }

    /// Sends bytes of a plain connection.
    pub(super) fn send_plain(&mut self, id: Id, to: Id, bytes: &[u8]) {
        let Some(host) = self.hosts.get_mut(to.at as usize).filter(|host| host.serial == to.serial) else { return };
        host.out.push(bytes, &mut self.buffers);
        let unsent = host.out.len();
        self.host_unsent(to);
        self.wait_if_full(id, to, unsent);
    }

    /// Sends more of a long frame.
    pub(super) fn send_on(&mut self, id: Id, to: Id, bytes: &[u8]) {
        let gone = self.host(to).is_none();
        if gone {
            if let Some(long) = self.client(id).and_then(|client| client.long.as_mut()) {
                long.to = To::Nowhere;
            }
            return;
        }
        self.send_plain(id, to, bytes);
    }

    /// Looks where a long frame goes, as soon as enough of it has come.
    pub(super) fn look(&mut self, id: Id) {
        let Some(client) = self.client(id) else { return };
        let Some(long) = client.long.as_mut().filter(|long| long.to == To::Unknown) else { return };
        if long.left == 0 {
            let (head, bytes) = (long.head, std::mem::take(&mut long.bytes));
            client.long = None;
            return self.frame(id, head, &bytes);
        }
        if long.bytes.len() < long.look {
            return;
        }
        // Each look costs as much as what was looked at before: twice as much has to be there for the next.
        long.look = long.bytes.len() * 2;
        let Protocol::Known(codec, _) = &client.protocol else { return };
        let codec = Arc::clone(codec);
        let (head, at) = (long.head, client.listener);
        match (head.kind, head.request_id) {
            (Kind::Request, RequestId::Int(number)) if shares(codec.as_ref()) => {
                if self.turn(id, number) == Turn::Later {
                    return self.look_later(id);
                }
            }
            (Kind::Oneway, _) if shares(codec.as_ref()) => {}
            _ => return self.look_bound(id, &codec),
        }
        let Some(long) = self.client(id).and_then(|client| client.long.as_mut()) else { return };
        let bytes = std::mem::take(&mut long.bytes);
        if self.has_filters(at, false) {
            return self.keep_looking(id, head, bytes);
        }
        let way = match self.way(id, head, &bytes) {
            Ok(way) if way.route.request_set.is_empty() && way.route.mirrors.is_empty() => way,
            Ok(_) | Err(Stop::More) => return self.keep_looking(id, head, bytes),
            Err(Stop::Error(error, message)) => {
                self.note_request(at, head.kind);
                self.stop(id, head, &bytes, error, message);
                return self.sent_to(id, To::Nowhere);
            }
        };
        // Where no connection can be had for it alone, it goes when all of it is there, among others.
        let Some(to) = self.reserved(way.group, &way.host, &codec, &head) else {
            return self.keep_looking(id, head, bytes);
        };
        self.note_request(at, head.kind);
        self.sent_to(id, To::Host(to));
        if !self.send(Some(id), to, &way, head, &bytes) {
            self.sent_to(id, To::Nowhere);
            self.long_sent(to);
        }
    }

    fn keep_looking(&mut self, id: Id, head: Head, bytes: Vec<u8>) {
        let Some(client) = self.client(id) else { return };
        if let (Kind::Request, RequestId::Int(number)) = (head.kind, head.request_id) {
            client.ids.leave(number);
        }
        if let Some(long) = &mut client.long {
            long.bytes = bytes;
        }
    }

    fn sent_to(&mut self, id: Id, to: To) {
        if let Some(long) = self.client(id).and_then(|client| client.long.as_mut()) {
            long.to = to;
        }
    }

    /// Looks where a long frame goes by a connection that its client has for itself.
    fn look_bound(&mut self, id: Id, codec: &Arc<dyn AnyCodec>) {
        let Some(client) = self.client(id) else { return };
        let at = client.listener;
        let Some(long) = &mut client.long else { return };
        let head = long.head;
        let least = match (head.kind, head.request_id) {
            (Kind::Heartbeat, _) if codec.info().heartbeats => return,
            (Kind::Request, RequestId::Bytes { at, len }) => KEPT_BOUND.max(at as usize + len as usize),
            (Kind::Request, _) => KEPT_BOUND,
            _ => 0,
        };
        if long.bytes.len() < least {
            long.look = least;
            return;
        }
        let bytes = std::mem::take(&mut long.bytes);
        let went = match head.kind {
            Kind::Request | Kind::Oneway | Kind::StreamOpen if self.has_filters(at, false) => Went::Whole,
            Kind::Request | Kind::Oneway | Kind::StreamOpen => self.forward_bound(id, codec, head, &bytes),
            _ => self.more(id, head, &bytes),
        };
        match went {
            Went::To(host) => self.sent_to(id, To::Host(host)),
            Went::Nowhere => self.sent_to(id, To::Nowhere),
            Went::Later | Went::Whole => {
                if let Some(long) = self.client(id).and_then(|client| client.long.as_mut()) {
                    long.bytes = bytes;
                }
                if matches!(went, Went::Later) {
                    self.look_later(id);
                }
            }
        }
    }

    /// Looks at a long frame again when it is its turn; nothing is read meanwhile.
    fn look_later(&mut self, id: Id) {
        if let Some(long) = self.client(id).and_then(|client| client.long.as_mut()) {
            long.look = 0;
        }
        self.wait_turn(id);
    }
}

impl Stop {
    /// What the client is told.
    const fn said(self) -> Refusal {
        match self {
            Self::Error(error, message) => (error, message),
            Self::More => INCOMPLETE,
        }
    }
}

const INCOMPLETE: Refusal = (ErrorType::BadRequest, "meta protocol router: the message is incomplete");
const OVERFLOW: Refusal = (ErrorType::OverLimit, "meta protocol upstream request: too many requests");

/// True if clients can share a connection: their ids are what tells answers apart.
pub fn shares(codec: &dyn AnyCodec) -> bool {
    codec.info().sharing != Sharing::Bound && codec.info().pair_by == PairBy::Id
}

fn client_listener(client: Option<&mut Downstream>) -> usize {
    client.map_or(usize::MAX, |client| client.listener)
}

/// Writes a message to a shared connection, a request under the id of a slot that it takes. The result is that of [`write`].
#[inline(always)]
pub fn put(
    host: &mut Upstream,
    buffers: &mut Buffers,
    sets: &Sets,
    limits: &Limits,
    head: Head,
    bytes: &[u8],
) -> (Option<u32>, Result<(), bool>) {
    let Role::Shared(shared) = &mut host.role else { return (None, Err(true)) };
    let slot = (head.kind == Kind::Request).then(|| shared.enter());
    // A client that has the connection to itself keeps its ids.
    let number = slot.filter(|_| !shared.reserved).map(|slot| shared.id(slot));
    let mut send = |number| write(shared.codec.as_ref(), &mut host.out, buffers, sets, limits, number, head, bytes);
    let mut written = send(number);
    if let (Err(true), Some(number), Some(slot)) = (written, number, slot)
        && number != u64::from(slot)
    {
        // What is under way has ids without a turn: others could not be sent.
        written = send(Some(slot.into()));
        shared.narrow |= written != Err(true);
    }
    (slot, written)
}

/// Writes a request as a host is to get it: under another id, if one is given, and with what the route sets. `Err` if what
/// the route sets has no place in it: true if nothing was written.
#[allow(clippy::too_many_arguments, reason = "parts of a worker that are borrowed apart")]
fn write(
    codec: &dyn AnyCodec,
    out: &mut Out,
    buffers: &mut Buffers,
    sets: &Sets,
    limits: &Limits,
    number: Option<u64>,
    head: Head,
    bytes: &[u8],
) -> Result<(), bool> {
    let frame = Frame { head, bytes };
    let place = number.and_then(|number| Some((codec.id_place(frame)?, number)));
    if sets.is_empty() && (number.is_none() || place.is_some()) {
        let copy = out.push(bytes, buffers);
        return match place {
            Some((place, number)) if !place.write(copy, number) => {
                out.retract(bytes.len());
                Err(true)
            }
            _ => Ok(()),
        };
    }
    let mut edits = Edits { request_id: number, ..Edits::default() };
    sets.add_to(&mut edits);
    let mut refused = false;
    let segments = match codec.rewrite(frame, &edits, limits) {
        Err(_) if !edits.set.is_empty() => {
            refused = true;
            edits.set.clear();
            codec.rewrite(frame, &edits, limits)
        }
        rewritten => rewritten,
    };
    for segment in segments.map_err(|_| true)? {
        out.push(&segment, buffers);
    }
    if refused { Err(false) } else { Ok(()) }
}

/// Where a redirected client wanted to go.
fn original_address(socket: &mio::net::TcpStream) -> Option<SocketAddr> {
    let socket = socket2::SockRef::from(socket);
    socket.original_dst_v4().or_else(|_| socket.original_dst_v6()).ok()?.as_socket()
}
