//! What hosts answer on connections that clients share, on its way to the client that waits for it.

use std::sync::Arc;

use metaprotocol_core::{AnyCodec, Direction, Edits, ErrorType, Frame, Head, Kind, Limits, Reply, RequestId};
use slab::Slab;

use super::clients::LONG;
use super::downstream::Protocol;
use super::groups::Group;
use super::hosts::End;
use super::out::{Buffers, Out};
use super::serve::as_it_is;
use super::upstream::{Asked, Exchange, Role};
use super::{Id, Worker};
use crate::balance::{Host, Outcome, Requests};

const S2C: Direction = Direction::ServerToClient;

/// How long nothing new is asked of a host that has said goodbye, if there are others, in milliseconds: as long as Dubbo's
/// providers wait for what is under way.
const LEAVES: u64 = 10_000;

impl Worker {
    /// Hands on what belongs to a long frame; returns the rest.
    pub(super) fn pass_on<'d>(&mut self, id: Id, data: &'d [u8]) -> &'d [u8] {
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
    pub(super) fn pass(&mut self, host: Id, id: Id, bytes: &[u8]) {
        let Some(client) = self.clients.get_mut(id.at as usize).filter(|client| client.serial == id.serial) else {
            return;
        };
        if client.passing.is_some() && client.passing != Some(host) {
            client.after.push(bytes, &mut self.buffers);
        } else {
            client.out.pass(bytes, &mut self.buffers);
        }
        self.client_unsent(id);
        self.hold_if_full(host, id);
    }

    /// Reads no more from a host while a client has too much to take.
    fn hold_if_full(&mut self, host: Id, client: Id) {
        let Some(own) = self.client(client) else { return };
        let (len, at) = (own.before(host), own.listener);
        let limit = self.listeners.get(at).map_or(0, |local| local.listener.config.buffer_limit);
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

    pub(super) fn shared_data(&mut self, id: Id, data: &[u8]) {
        let mut fed = std::mem::take(&mut self.fed);
        let Some(host) = self.host(id) else { return };
        let Role::Shared(shared) = &mut host.role else { return };
        let result = shared.decoder.feed(S2C, data, &mut fed);
        if let Some(carried) = fed.carried.take() {
            self.shared_frame(id, &carried.head, &carried.bytes);
        }
        for placed in &fed.frames {
            let bytes = data.get(placed.at..placed.at + placed.head.frame_len).unwrap_or_default();
            self.shared_frame(id, &placed.head, bytes);
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
        let number = exchange.map_or(0, |exchange| exchange.id);
        if client.and_then(|client| self.clients.get(client.at as usize)).is_some_and(|client| client.is_early(number))
        {
            // To stop here until its turn has come might be to wait for each other: it is kept.
            return;
        }
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
            client.answered(&mut self.buffers);
        }
        self.finished(id, &exchange, &head, &detached.bytes);
        if let Some(client) = client {
            self.pass(id, client, &detached.bytes);
            self.left(client, exchange.id);
        }
    }

    fn shared_frame(&mut self, id: Id, head: &Head, bytes: &[u8]) {
        let Some(host) = self.hosts.get_mut(id.at as usize).filter(|host| host.serial == id.serial) else { return };
        let Role::Shared(shared) = &mut host.role else { return };
        match head.kind {
            Kind::Response | Kind::Error => {
                let Some((slot, mut exchange)) = shared.take(head) else { return self.unasked(id, head) };
                if exchange.route.is_some()
                    && let Some(place) = shared.slots.get(slot as usize)
                {
                    // A filter may refuse it.
                    exchange.asked = Some(Box::new(place.asked.clone()));
                }
                self.finished(id, &exchange, head, bytes);
                if exchange.route.is_some() {
                    self.answer(id, exchange, *head, bytes);
                } else {
                    self.deliver(id, &exchange, head, bytes);
                }
            }
            Kind::Heartbeat => {
                if let Ok(Some(reply)) = shared.codec.reply(Frame { head: *head, bytes }, Reply::Heartbeat) {
                    host.out.push(&reply, &mut self.buffers);
                    self.host_unsent(id);
                }
            }
            _ if shared.codec.is_goodbye(Frame { head: *head, bytes }) => {
                host.draining = true;
                let address = host.host.address;
                self.leaving.retain(|(other, _)| *other != address);
                self.leaving.push((address, self.now + LEAVES));
                self.retire(id);
            }
            _ => {
                let group = host.group;
                self.count_cluster(group, |stats| stats.upstream_rq_unmatched.add(1));
            }
        }
    }

    /// Takes an answer that nobody waits for.
    #[cold]
    fn unasked(&mut self, id: Id, head: &Head) {
        let Some(host) = self.host(id) else { return };
        let group = host.group;
        let Role::Shared(shared) = &mut host.role else { return };
        let in_line = shared.line.is_some();
        if shared.late(head) {
            return self.list(id);
        }
        self.count_cluster(group, |stats| stats.upstream_rq_unmatched.add(1));
        if in_line {
            // Whose the next answer is can no longer be told.
            self.close_host(id, End::Garbage);
        }
    }

    /// Notes that a request on a connection was answered.
    #[inline(always)]
    pub(super) fn finished(&mut self, id: Id, exchange: &Exchange, head: &Head, bytes: &[u8]) {
        let Some(host) = self.hosts.get_mut(id.at as usize).filter(|host| host.serial == id.serial) else { return };
        host.heard = self.now;
        let failed = head.kind == Kind::Error;
        let (mut unlisted, draining) = (false, host.draining);
        if let Role::Shared(shared) = &mut host.role {
            if shared.in_flight == 0 {
                shared.reserved = shared.sending;
            }
            unlisted = !shared.listed;
        }
        let requests = host.host.of_worker(self.worker);
        if failed { &requests.rq_error } else { &requests.rq_success }.add(1);
        left(&mut self.groups, &mut self.lenders, host.group, requests);
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
            local.counts.request_time_ms.record(self.now_us.saturating_sub(exchange.since));
        }
        if self.groups.get(host.group).is_some_and(|own| own.cluster.config.outliers.is_some()) {
            self.report(id, exchange, Frame { head: *head, bytes });
        }
        if unlisted {
            self.list(id);
        }
        if draining {
            self.retire(id);
        }
    }

    /// Tells a cluster that heeds it what became of a request.
    #[inline(never)]
    fn report(&self, id: Id, exchange: &Exchange, answer: Frame<'_>) {
        let unwell = answer.head.kind == Kind::Error && self.says_unwell(id, exchange, answer);
        if let Some(host) = self.hosts.get(id.at as usize)
            && let Some(own) = self.groups.get(host.group)
        {
            let outcome = if unwell { Outcome::Failure } else { Outcome::Success };
            own.cluster.hosts.report(&host.host, outcome, self.now);
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

    /// A request is no longer under way at the host that a connection leads to.
    #[inline]
    pub(super) fn left_host(&mut self, id: Id) {
        if let Some(host) = self.hosts.get(id.at as usize).filter(|host| host.serial == id.serial) {
            left(&mut self.groups, &mut self.lenders, host.group, host.host.of_worker(self.worker));
        }
    }

    /// As [`Worker::left_host`], where the connection is gone already.
    pub(super) fn left_lost(&mut self, group: usize, node: &Host) {
        left(&mut self.groups, &mut self.lenders, group, node.of_worker(self.worker));
    }

    /// Hands an answer to the client that waits for it, through the filters if there are any.
    pub(super) fn answer(&mut self, host: Id, exchange: Exchange, head: Head, bytes: &[u8]) {
        // Where there are filters, the route goes with the exchange.
        if exchange.route.is_some() && self.has_filters(exchange.listener, true) {
            self.filter_response(host, exchange, head, bytes);
        } else {
            self.deliver(host, &exchange, &head, bytes);
        }
    }

    /// Hands an answer to the client that waits for it.
    #[inline]
    pub(super) fn deliver(&mut self, host: Id, exchange: &Exchange, head: &Head, bytes: &[u8]) {
        let Some(id) = exchange.client else { return };
        let Some(client) = self.clients.get_mut(id.at as usize).filter(|client| client.serial == id.serial) else {
            return;
        };
        if client.closing {
            // It has been told all that it can be told.
            return self.left(id, exchange.id);
        }
        let Protocol::Known(codec, decoder) = &client.protocol else { return };
        let mut failed = false;
        if client.is_early(exchange.id) {
            let mut kept = Out::default();
            let sent = self
                .buffers
                .copying(|buffers| respond(codec, decoder.limits(), &mut kept, buffers, exchange, head, bytes));
            (client.closing, failed) = (sent.is_none(), sent == Some(false));
            if let Some(order) = &mut client.order {
                order.keep(exchange.id, kept);
            }
        } else {
            let between = client.passing.is_some() && client.passing != Some(host);
            let limits = decoder.limits();
            let sent = if between {
                let after = &mut client.after;
                self.buffers.copying(|buffers| respond(codec, limits, after, buffers, exchange, head, bytes))
            } else {
                respond(codec, limits, &mut client.out, &mut self.buffers, exchange, head, bytes)
            };
            match sent {
                Some(whole) => failed = !whole,
                None => client.closing = true,
            }
            if client.order.is_some() {
                client.answered(&mut self.buffers);
            }
        }
        let len = client.before(host);
        if !client.is_unsent {
            client.is_unsent = true;
            self.unsent_clients.push(id);
        }
        let mut full = false;
        if let Some(local) = self.listeners.get(client.listener) {
            full = len > local.listener.config.buffer_limit;
            if failed {
                local.counts.counters.response_mutation_error.add(1);
            }
        }
        self.left(id, exchange.id);
        if full {
            self.hold_if_full(host, id);
        }
    }

    /// A client waits for one answer less.
    #[inline]
    pub(super) fn left(&mut self, id: Id, request: u64) {
        let Some(client) = self.clients.get_mut(id.at as usize).filter(|client| client.serial == id.serial) else {
            return;
        };
        client.in_flight -= 1;
        client.ids.leave(request);
        let idle = client.in_flight == 0;
        if client.waits.turn
            && (idle || client.waiting().is_some_and(|head| head.request_id == RequestId::Int(request)))
        {
            self.resume.push(id);
        }
        if idle {
            client.order = None;
            self.settle(id);
        }
    }

    /// Tells a client that there will be no answer.
    pub(super) fn lost(&mut self, exchange: &Exchange, asked: &Asked, error: ErrorType, message: &str) {
        let Some(client) = exchange.client else { return };
        self.count(exchange.listener, |counts| counts.request_active.sub(1));
        self.refuse_in_turn(client, Some(exchange.id), asked.head, &asked.bytes, error, message);
        self.left(client, exchange.id);
    }
}

#[inline]
fn left(groups: &mut Slab<Group>, lenders: &mut Vec<usize>, group: usize, requests: &Requests) {
    requests.active.sub(1);
    if let Some(own) = groups.get_mut(group) {
        own.leave(group, lenders);
        own.stats.upstream_rq_active.sub(1);
    }
}

/// Writes an answer as its client is to get it: under its own id, and with what the route sets. `Some(false)` if what the route
/// sets has no place in it; `None` if it cannot be given its id, and is none for this client: nothing is written then.
#[inline(always)]
fn respond(
    codec: &Arc<dyn AnyCodec>,
    limits: &Limits,
    out: &mut Out,
    buffers: &mut Buffers,
    exchange: &Exchange,
    head: &Head,
    bytes: &[u8],
) -> Option<bool> {
    let frame = Frame { head: *head, bytes };
    let own = !matches!(head.request_id, RequestId::Int(number) if number != exchange.id);
    let number = (!own).then_some(exchange.id);
    if exchange.route.is_none() && as_it_is(codec.as_ref(), out, buffers, number, frame) {
        return Some(true);
    }
    changed(codec, limits, out, buffers, exchange, number, frame)
}

/// As [`respond`], where more is to be changed than an id in its place.
#[inline(never)]
fn changed(
    codec: &Arc<dyn AnyCodec>,
    limits: &Limits,
    out: &mut Out,
    buffers: &mut Buffers,
    exchange: &Exchange,
    number: Option<u64>,
    frame: Frame<'_>,
) -> Option<bool> {
    let mut edits = Edits { request_id: number, ..Edits::default() };
    if let Some(route) = &exchange.route {
        route.response_set.add_to(&mut edits);
    }
    let mut rewritten = codec.rewrite(frame, &edits, limits);
    let mut whole = true;
    if rewritten.is_err() && !edits.set.is_empty() {
        whole = false;
        edits.set.clear();
        rewritten = codec.rewrite(frame, &edits, limits);
    }
    for segment in &rewritten.ok()? {
        out.push(segment, buffers);
    }
    Some(whole)
}
