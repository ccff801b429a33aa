//! A client's frames: routed, and handed to hosts.

use std::rc::Rc;
use std::sync::Arc;

use metaprotocol_core::{AnyCodec, Edits, ErrorType, Frame, Head, Kind, Limits, PairBy, Reply, RequestId};

use super::bound::Went;
use super::clients::LONG;
use super::downstream::{Downstream, Filtered, Held, Protocol, Spoken, Turn};
use super::groups::Group;
use super::hosts::{MIRROR_TIMEOUT, Refusal};
use super::out::{Buffers, Out};
use super::upstream::{Exchange, Role, Upstream};
use super::ways::{Picked, Way};
use super::{Due, Id, Worker};
use crate::route::{Route, Sets};

impl Worker {
    /// Takes a frame of a client, or keeps it until it is its turn.
    pub(super) fn frame(&mut self, id: Id, head: &Head, bytes: &[u8]) {
        let Some(client) = self.client(id) else { return };
        if client.closing || client.ended {
            return;
        }
        let waits = !client.held.is_empty()
            || client.waits.turn
            || client.waits.filter
            || !self.serve(id, head, bytes, &Filtered::No);
        if waits && let Some(client) = self.client(id) {
            client.held.push_back(Held { head: *head, bytes: bytes.to_vec(), filtered: Filtered::No });
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
                if !self.serve(id, &held.head, &held.bytes, &held.filtered) {
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
    #[inline(always)]
    pub(super) fn serve(&mut self, id: Id, head: &Head, bytes: &[u8], filtered: &Filtered) -> bool {
        let Some(client) = self.clients.get_mut(id.at as usize).filter(|client| client.serial == id.serial) else {
            return true;
        };
        let Protocol::Known(codec, _) = &client.protocol else { return true };
        match head.kind {
            Kind::Heartbeat if codec.info().heartbeats => self.heartbeat(id, head, bytes),
            Kind::Request | Kind::Oneway | Kind::StreamOpen => self.request(id, head, bytes, filtered),
            _ => {
                let _ = self.more(id, *head, bytes);
                true
            }
        }
    }

    /// Answers a client's heartbeat.
    #[cold]
    fn heartbeat(&mut self, id: Id, head: &Head, bytes: &[u8]) -> bool {
        let Some(client) = self.clients.get_mut(id.at as usize) else { return true };
        let Protocol::Known(codec, _) = &client.protocol else { return true };
        let at = client.listener;
        let reply = codec.reply(Frame { head: *head, bytes }, Reply::Heartbeat);
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

    #[inline(always)]
    fn request(&mut self, id: Id, head: &Head, bytes: &[u8], filtered: &Filtered) -> bool {
        let Some(client) = self.client(id) else { return true };
        let Protocol::Known(codec, _) = &client.protocol else { return true };
        let codec = Rc::clone(codec);
        let at = client.listener;
        if let Filtered::Refused(error, text) = filtered {
            if client.in_flight > 0 && !codec.shares {
                return self.wait_turn(id);
            }
            self.note_request(at, head.kind);
            self.stop(id, *head, bytes, *error, text);
            return true;
        }
        let shared = codec.shares
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
        if self.lines_up(id, &codec, head, bytes) {
            return self.forward_in_line(id, &codec, head, bytes);
        }
        if matches!(filtered, Filtered::No) && self.has_filters(at, false) {
            self.filter_request(id, &codec, shared, *head, bytes);
            return true;
        }
        self.forward(id, &codec, shared, head, bytes)
    }

    /// Routes a request and sends it. False if it has to wait until nothing else is under way.
    #[inline(always)]
    pub(super) fn forward(&mut self, id: Id, codec: &Spoken, shared: bool, head: &Head, bytes: &[u8]) -> bool {
        if !shared {
            return !matches!(self.forward_bound(id, codec, *head, bytes), Went::Later);
        }
        let at = client_listener(self.client(id));
        let way = self.way(id, head, bytes);
        self.note_request(at, head.kind);
        match way {
            Ok(way) => {
                if !way.route.mirrors.is_empty() {
                    self.mirror(id, codec, &way, *head, bytes);
                }
                self.send_shared(id, codec, &way, head, bytes);
            }
            Err(stop) => {
                let (error, message) = stop.said();
                self.stop(id, *head, bytes, error, message);
            }
        }
        true
    }

    /// Whether a request may go on now, by its id.
    #[inline(always)]
    pub(super) fn turn(&mut self, id: Id, number: u64) -> Turn {
        let Some(client) = self.clients.get_mut(id.at as usize).filter(|client| client.serial == id.serial) else {
            return Turn::Now;
        };
        let turn = client.ids.enter(number, client.in_flight);
        if turn == Turn::Now || client.ids.noted() { turn } else { self.note_ids(id, number) }
    }

    /// From here on all ids of a client are noted. Whether the request that has this one may go on.
    #[cold]
    fn note_ids(&mut self, id: Id, number: u64) -> Turn {
        let Some(client) = self.clients.get_mut(id.at as usize) else { return Turn::Now };
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
    pub(super) fn wait_turn(&mut self, id: Id) -> bool {
        if let Some(client) = self.client(id) {
            client.waits.turn = true;
        }
        false
    }

    #[inline(always)]
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

    /// Counts a request in at a host, which a connection leads to, if the cluster's bounds allow one more.
    pub(super) fn enter_host(&mut self, to: Id) -> bool {
        let Some(host) = self.hosts.get(to.at as usize).filter(|host| host.serial == to.serial) else { return false };
        let Some(own) = self.groups.get_mut(host.group) else { return false };
        enter(own, &mut self.lenders, host, self.worker)
    }

    /// Counts a request in that has to wait for its connection, if the cluster's bounds allow one more.
    pub(super) fn enter_pending(&mut self, group: usize, host: Id) -> bool {
        let Some(upstream) = self.hosts.get_mut(host.at as usize) else { return false };
        upstream.connected || self.groups.get(group).is_some_and(|own| wait(own, upstream))
    }

    #[inline(always)]
    fn send_shared(&mut self, id: Id, codec: &Arc<dyn AnyCodec>, way: &Way, head: &Head, bytes: &[u8]) {
        let sent = match self.shared_to(way, codec, head) {
            Ok(host) => self.send(Some(id), host, way, head, bytes),
            Err(refusal) => match self.shared_elsewhere(way.group, &way.host, codec, head, refusal) {
                Ok((host, node)) => {
                    let way = Way { route: way.route.clone(), group: way.group, host: Picked::Known(node), hash: None };
                    self.send(Some(id), host, &way, head, bytes)
                }
                Err(refusal) => Err(refusal),
            },
        };
        if let Err((error, message)) = sent {
            self.stop(id, *head, bytes, error, message);
        }
    }

    /// Sends a request by a shared connection; the client is `None` for a copy.
    pub(super) fn send(&mut self, id: Option<Id>, to: Id, way: &Way, head: &Head, bytes: &[u8]) -> Result<(), Refusal> {
        let waits = head.kind == Kind::Request;
        let Some(host) = self.hosts.get_mut(to.at as usize).filter(|host| host.serial == to.serial) else {
            return Err(OVERFLOW);
        };
        let Some(own) = self.groups.get_mut(way.group) else { return Err(OVERFLOW) };
        if waits && !enter(own, &mut self.lenders, host, self.worker) {
            return Err(OVERFLOW);
        }
        if !host.connected && !wait(own, host) {
            if waits {
                self.left_host(to);
            }
            return Err(OVERFLOW);
        }
        let route: &Route = &way.route;
        host.heard = self.now;
        let at = host.out.end();
        let (slot, failed) = put(host, &mut self.buffers, &route.request_set, &self.limits, head, bytes);
        let Role::Shared(shared) = &mut host.role else { return Err(OVERFLOW) };
        if own.cluster.config.max_requests_per_connection.is_some_and(|last| shared.requests >= last) {
            own.stats.upstream_cx_max_requests.add(1);
            host.draining = true;
        }
        let unsent = host.out.len();
        if !host.is_unsent {
            host.is_unsent = true;
            self.unsent_hosts.push(to);
        }
        let client = id.and_then(|id| self.clients.get_mut(id.at as usize).filter(|client| client.serial == id.serial));
        let local = client.as_ref().and_then(|client| self.listeners.get(client.listener));
        if let Err(unsendable) = failed {
            if let Some(local) = local {
                local.counts.counters.request_mutation_error.add(1);
            }
            if unsendable {
                // Not a byte of it was sent.
                self.take_back(to, slot);
                return Err((ErrorType::BadRequest, "meta protocol router: the message cannot be sent"));
            }
        }
        let limit = local.map_or(usize::MAX, |local| local.listener.config.buffer_limit);
        if let Some(slot) = slot {
            let timeout = route.timeout.map(|timeout| timeout.as_millis() as u64).filter(|timeout| *timeout > 0);
            let timeout = timeout.or(id.is_none().then_some(MIRROR_TIMEOUT));
            let filtered =
                local.is_some_and(|local| local.listener.filters.iter().any(|filter| filter.sees_responses()));
            let changes = id.is_some() && (filtered || !route.response_set.is_empty());
            let route = changes.then(|| Box::new(way.route.clone()));
            let mut number = 0;
            let mut listener = usize::MAX;
            if let Some(client) = client {
                client.in_flight += 1;
                (number, listener) = (client.number, client.listener);
            }
            if let Some(local) = local {
                local.counts.counters.request_active.add(1);
            }
            if let RequestId::Int(own) = head.request_id {
                number = own;
            }
            let keep = shared.kept(head, bytes);
            let Some(place) = shared.slots.get_mut(slot as usize) else { return Err(OVERFLOW) };
            place.asked.head = *head;
            place.asked.bytes.clear();
            place.asked.bytes.extend_from_slice(keep);
            (place.at, place.len) = (at, (host.out.end() - at) as u32);
            place.until = timeout.map_or(0, |timeout| self.now + timeout);
            place.tried.clear();
            place.exchange =
                Some(Exchange { client: id, listener, id: number, since: self.now_us, route, asked: None });
            if let Some(timeout) = timeout {
                self.timers.set(self.now + timeout, Due::Request(to, slot, place.turn));
            }
        }
        if let Some(id) = id.filter(|_| unsent > limit) {
            self.wait_if_full(id, to, unsent);
        }
        Ok(())
    }

    fn take_back(&mut self, to: Id, slot: Option<u32>) {
        let Some(slot) = slot else { return };
        if let Some(host) = self.host(to)
            && let Role::Shared(shared) = &mut host.role
        {
            shared.abandon(slot);
        }
        self.left_host(to);
        self.retire(to);
    }

    /// Reads no more from a client while a host has too much to take.
    pub(super) fn wait_if_full(&mut self, id: Id, to: Id, unsent: usize) {
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
    pub(super) fn mirror(&mut self, id: Id, codec: &Arc<dyn AnyCodec>, way: &Way, head: Head, bytes: &[u8]) {
        let now = self.now;
        // Copies go where ids or order tell their answers from others; those of streams would never end.
        let single = match head.kind {
            Kind::Request => matches!(head.request_id, RequestId::Int(_)) || codec.info().pair_by == PairBy::Order,
            kind => kind == Kind::Oneway,
        };
        if !single {
            return;
        }
        for mirror in &way.route.mirrors {
            let random = self.random.next();
            if !mirror.takes(random) || bytes.len() < head.frame_len {
                continue;
            }
            let Some(group) = self.by_name.get(&mirror.cluster.name).copied() else { continue };
            let Some(host) = self.groups.get_mut(group).and_then(|own| own.pick(None, now)) else { continue };
            let copy = Way { route: way.route.clone(), group, host, hash: None };
            let Ok(to) = self.shared(group, &copy.host, codec, &head) else { continue };
            let full = self.host(to).is_none_or(|host| host.out.len() > LONG);
            if !full && self.send(None, to, &copy, &head, bytes).is_ok() {
                let at = client_listener(self.client(id));
                self.count(at, |counts| counts.mirrored.add(1));
            }
        }
    }
}

pub const INCOMPLETE: Refusal = (ErrorType::BadRequest, "meta protocol router: the message is incomplete");
pub const OVERFLOW: Refusal = (ErrorType::OverLimit, "meta protocol upstream request: too many requests");

pub fn client_listener(client: Option<&mut Downstream>) -> usize {
    client.map_or(usize::MAX, |client| client.listener)
}

/// Counts a request in at the host of a connection, if the cluster's bounds allow one more.
#[inline(always)]
fn enter(own: &mut Group, lenders: &mut Vec<usize>, host: &Upstream, worker: usize) -> bool {
    if !own.enter(host.group, lenders) {
        own.stats.upstream_rq_pending_overflow.add(1);
        return false;
    }
    own.stats.upstream_rq_total.add(1);
    own.stats.upstream_rq_active.add(1);
    let requests = host.host.of_worker(worker);
    requests.active.add(1);
    requests.rq_total.add(1);
    true
}

/// Counts a request in that has to wait until a connection is open, if the cluster's bounds allow one more.
fn wait(own: &Group, host: &mut Upstream) -> bool {
    if !own.cluster.gauges.pending.enter(own.cluster.config.thresholds.max_pending) {
        own.stats.upstream_rq_pending_overflow.add(1);
        return false;
    }
    own.stats.upstream_rq_pending_total.add(1);
    host.pending += 1;
    true
}

/// Writes a message to a shared connection, a request under the id of a slot that it takes. The result is that of [`write`].
#[inline(always)]
pub fn put(
    host: &mut Upstream,
    buffers: &mut Buffers,
    sets: &Sets,
    limits: &Limits,
    head: &Head,
    bytes: &[u8],
) -> (Option<u32>, Result<(), bool>) {
    let Role::Shared(shared) = &mut host.role else { return (None, Err(true)) };
    let slot = (head.kind == Kind::Request).then(|| shared.enter());
    // A client that has the connection to itself keeps its ids. Where answers come in order there are none.
    let number = slot.filter(|_| !shared.reserved && shared.line.is_none()).map(|slot| shared.id(slot));
    let frame = Frame { head: *head, bytes };
    if sets.is_empty() && as_it_is(shared.codec.as_ref(), &mut host.out, buffers, number, frame) {
        if shared.line.is_some() {
            // It has to know what was asked to read the answers.
            shared.decoder.note(frame);
        }
        return (slot, Ok(()));
    }
    let mut send = |number| write(shared.codec.as_ref(), &mut host.out, buffers, sets, limits, number, frame);
    let mut written = send(number);
    if let (Err(true), Some(number), Some(slot)) = (written, number, slot)
        && number != u64::from(slot)
    {
        // What is under way has ids without a turn: others could not be sent.
        written = send(Some(slot.into()));
        shared.narrow |= written != Err(true);
    }
    if shared.line.is_some() && written != Err(true) {
        shared.decoder.note(frame);
    }
    (slot, written)
}

/// Writes a message of which at most the id changes, in its place. False if that is not possible: nothing is written then.
#[inline(always)]
pub fn as_it_is(
    codec: &dyn AnyCodec,
    out: &mut Out,
    buffers: &mut Buffers,
    number: Option<u64>,
    frame: Frame<'_>,
) -> bool {
    let Some(number) = number else {
        out.pass(frame.bytes, buffers);
        return true;
    };
    let Some(place) = codec.id_place(frame) else { return false };
    let first = place.at.saturating_add(place.len);
    out.push_changed(frame.bytes, first, buffers, |begin| place.write(begin, number))
}

/// Writes a request as a host is to get it: under another id, if one is given, and with what the route sets. `Err` if what
/// the route sets has no place in it: true if nothing was written.
#[inline(never)]
fn write(
    codec: &dyn AnyCodec,
    out: &mut Out,
    buffers: &mut Buffers,
    sets: &Sets,
    limits: &Limits,
    number: Option<u64>,
    frame: Frame<'_>,
) -> Result<(), bool> {
    if sets.is_empty() && as_it_is(codec, out, buffers, number, frame) {
        return Ok(());
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
