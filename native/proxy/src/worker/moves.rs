//! What was to go to a host that never got a byte of it goes to another one of its cluster. Nothing is sent twice.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use metaprotocol_core::{AnyCodec, Direction, Head, Kind, Split};

use super::downstream::{Long, Protocol, To};
use super::hosts::{NO_SOCKET, Refusal};
use super::serve::put;
use super::upstream::{Asked, Exchange, Role, Shared, Tried, Upstream};
use super::{Due, Id, Worker};
use crate::balance::{Host, Usable};
use crate::route::Sets;

const C2S: Direction = Direction::ClientToServer;
/// To so many other hosts a message is moved, each of them once.
const MOVES: usize = 3;
/// So many times the balancer is asked for a host that was not tried.
const PICKS: u32 = 8;

/// A request that waits to be sent to another host.
pub struct Moving {
    exchange: Exchange,
    asked: Asked,
    tried: Tried,
    /// Where it is among all that was put on its connection.
    at: u64,
    len: u32,
    until: u64,
}

impl Worker {
    /// Another host of a cluster than those that were tried.
    fn another(&mut self, group: usize, tried: &[SocketAddr]) -> Option<Arc<Host>> {
        let now = self.now;
        let own = self.groups.get_mut(group).filter(|own| own.alive && !own.cluster.config.original_dst)?;
        if tried.len() > MOVES {
            return None;
        }
        let unwanted = |host: &Host| tried.contains(&host.address);
        let picked = own.picker.pick_again(None, now, PICKS, unwanted).filter(|host| !unwanted(host));
        if let Some(picked) = picked {
            return Some(Arc::clone(picked));
        }
        // The balancer may hardly ever pick it.
        let members = own.cluster.hosts.members().iter();
        let others = members.filter(|member| member.usable() == Usable::Yes && !unwanted(&member.host));
        others.min_by_key(|member| member.priority).map(|member| Arc::clone(&member.host))
    }

    /// Another host than one that is about to leave, if there is one.
    #[cold]
    pub(super) fn staying(&mut self, group: usize, host: &Arc<Host>) -> Arc<Host> {
        let now = self.now;
        self.leaving.retain(|(_, until)| now < *until);
        let leaving: Vec<SocketAddr> = self.leaving.iter().map(|(address, _)| *address).collect();
        let another = if leaving.contains(&host.address) { self.another(group, &leaving) } else { None };
        another.unwrap_or_else(|| Arc::clone(host))
    }

    /// A shared connection to another host than one to which none could be opened.
    #[cold]
    pub(super) fn shared_elsewhere(
        &mut self,
        group: usize,
        node: &Arc<Host>,
        codec: &Arc<dyn AnyCodec>,
        head: &Head,
        refusal: Refusal,
    ) -> Result<(Id, Arc<Host>), Refusal> {
        let mut tried = Tried::default();
        tried.add(node.address);
        if refusal == NO_SOCKET { self.shared_untried(1, group, codec, head, &mut tried) } else { Err(refusal) }
    }

    fn shared_untried(
        &mut self,
        requests: u32,
        group: usize,
        codec: &Arc<dyn AnyCodec>,
        head: &Head,
        tried: &mut Tried,
    ) -> Result<(Id, Arc<Host>), Refusal> {
        while let Some(node) = self.another(group, tried.hosts()) {
            match self.shared_for(requests, group, &node, codec, head) {
                Ok(id) => {
                    self.count_cluster(group, |stats| stats.upstream_rq_moved.add(1));
                    return Ok((id, node));
                }
                Err(NO_SOCKET) => tried.add(node.address),
                Err(refusal) => return Err(refusal),
            }
        }
        Err(NO_SOCKET)
    }

    /// A connection for one client to another host than one to which none could be opened.
    #[cold]
    pub(super) fn bound_elsewhere(
        &mut self,
        group: usize,
        node: &Arc<Host>,
        role: &mut Option<Role>,
        refusal: Refusal,
    ) -> Result<Id, Refusal> {
        let mut tried = Tried::default();
        tried.add(node.address);
        if refusal != NO_SOCKET {
            return Err(refusal);
        }
        let id = self.bound_untried(group, role, tried).ok_or(refusal)?;
        self.count_cluster(group, |stats| stats.upstream_rq_moved.add(1));
        Ok(id)
    }

    fn bound_untried(&mut self, group: usize, role: &mut Option<Role>, mut tried: Tried) -> Option<Id> {
        while let Some(node) = self.another(group, tried.hosts()) {
            match self.connect(group, &node, role) {
                Ok(id) => {
                    self.host(id)?.tried = tried;
                    return Some(id);
                }
                Err(NO_SOCKET) => tried.add(node.address),
                Err(_) => return None,
            }
        }
        None
    }

    /// Gives a client another connection for a lost one of its own by which not a byte has gone either way. False if that is
    /// not possible.
    pub(super) fn bound_moves(&mut self, id: Id, lost: &mut Upstream) -> bool {
        let waits = !lost.connected || !lost.out.is_empty();
        let &mut Role::Bound(owner, ref mut own) = &mut lost.role else { return false };
        let Some(client) = self.client(owner) else { return false };
        // A client that has left in the middle of a frame has nothing to be moved.
        let cut = lost.finish && !matches!(client.protocol, Protocol::Plain);
        if lost.out.sent() > 0 || lost.spoke || !waits || cut {
            return false;
        }
        let mut tried = std::mem::take(&mut lost.tried);
        tried.add(lost.host.address);
        let role = &mut Some(Role::Bound(owner, own.take()));
        let Some(to) = self.bound_untried(lost.group, role, tried) else { return false };
        for _ in 0..lost.pending {
            // It was among those that may wait a moment ago.
            self.enter_pending(lost.group, to);
        }
        let Some(host) = self.hosts.get_mut(to.at as usize) else { return false };
        host.out = std::mem::take(&mut lost.out);
        host.finish = lost.finish;
        host.hash = lost.hash;
        let node = Rc::clone(&host.host);
        let Some(client) = self.client(owner) else { return false };
        let last = client.bound.last() == Some(&id);
        for bound in client.bound.iter_mut().filter(|bound| **bound == id) {
            *bound = to;
        }
        for stream in client.streams.iter_mut().flat_map(|streams| streams.values_mut()) {
            if stream.host == id {
                stream.host = to;
            }
        }
        if let Some(Long { to: long, .. }) = &mut client.long
            && *long == To::Host(id)
        {
            *long = To::Host(to);
        }
        // What waits, waits for the last.
        let asked = client.asked.as_ref().filter(|_| last).map_or(0, |asked| asked.len()) as u32;
        changes_host(&lost.host, &node, self.worker, asked);
        self.count_cluster(lost.group, |stats| stats.upstream_rq_moved.add(u64::from(asked.max(1))));
        true
    }

    /// The requests on a lost connection of which no byte was sent, in their order. Copies are not among them.
    pub(super) fn take_unsent(&mut self, host: &mut Upstream) -> Vec<Moving> {
        let sent = host.out.sent();
        let Role::Shared(shared) = &mut host.role else { return Vec::new() };
        // Where answers come in order, a client's requests go together or not at all.
        let mut stay = HashSet::new();
        for slot in shared.line.iter().flat_map(|line| &line.slots) {
            let place = shared.slots.get(*slot as usize).filter(|place| place.at < sent);
            stay.extend(place.and_then(|place| place.exchange.as_ref()?.client));
        }
        let unsent = shared.slots.iter_mut().filter(|place| {
            let client = place.exchange.as_ref().and_then(|exchange| exchange.client);
            place.at >= sent && client.is_some_and(|client| !stay.contains(&client))
        });
        let taken = unsent.filter_map(|place| {
            let (at, len, until) = (place.at, place.len, place.until);
            let exchange = place.exchange.take()?;
            let (asked, tried) = (std::mem::take(&mut place.asked), std::mem::take(&mut place.tried));
            Some(Moving { exchange, asked, tried, at, len, until })
        });
        let mut taken: Vec<Moving> = taken.collect();
        taken.sort_unstable_by_key(|moving| moving.at);
        taken
    }

    /// Sends to other hosts what was not sent by a lost connection; what can go to none is answered with the refusal.
    pub(super) fn move_unsent(&mut self, id: Id, lost: &Upstream, moving: Vec<Moving>, refusal: Refusal) {
        let Role::Shared(shared) = &lost.role else { return };
        if shared.reserved {
            return self.move_long(id, lost, shared, moving, refusal);
        }
        if shared.line.is_some() {
            return self.move_lines(lost, shared, moving, refusal);
        }
        // Between requests there are one-way messages; where the first one begins is known if nothing was sent before.
        let first = moving.first().map_or(u64::MAX, |moving| moving.at);
        let mut at = if lost.out.sent() == 0 { 0 } else { first };
        for moving in moving {
            self.move_oneways(lost, shared, at, moving.at);
            at = moving.at + u64::from(moving.len);
            if let Err(moving) = self.move_request(lost, shared, moving, None, 1) {
                self.not_moved(lost, &moving, refusal);
            }
        }
        self.move_oneways(lost, shared, at, lost.out.end());
    }

    /// As [`Worker::move_unsent`], where answers come in order and nothing is one-way: all that a client has asked goes by one
    /// connection, so that one needs room for it. One client is done before the next, whose room nobody else takes then.
    fn move_lines(&mut self, lost: &Upstream, shared: &Shared, moving: Vec<Moving>, refusal: Refusal) {
        let mut places = HashMap::new();
        let mut clients: Vec<Vec<Moving>> = Vec::new();
        for moving in moving {
            let place = *places.entry(moving.exchange.client).or_insert(clients.len());
            match clients.get_mut(place) {
                Some(asked) => asked.push(moving),
                None => clients.push(vec![moving]),
            }
        }
        for asked in clients {
            let mut begun = None;
            for (left, moving) in (1..=asked.len() as u32).rev().zip(asked) {
                match self.move_request(lost, shared, moving, begun, left) {
                    Ok(to) => begun = Some(to),
                    Err(moving) => self.not_moved(lost, &moving, refusal),
                }
            }
        }
    }

    fn not_moved(&mut self, lost: &Upstream, moving: &Moving, (error, message): Refusal) {
        self.left_lost(lost.group, &lost.host);
        lost.host.of_worker(self.worker).rq_error.add(1);
        self.lost(&moving.exchange, &moving.asked, error, message);
    }

    /// Sends a request by a connection that others have gone by, or else by one with room for so many. Returns which.
    fn move_request(
        &mut self,
        lost: &Upstream,
        shared: &Shared,
        mut moving: Moving,
        begun: Option<Id>,
        requests: u32,
    ) -> Result<Id, Box<Moving>> {
        moving.tried.add(lost.host.address);
        let bytes = lost.out.waiting(moving.at).get(..moving.len as usize).unwrap_or_default();
        // It has the edits of its route already.
        let head = match shared.codec.split(C2S, &self.limits, bytes) {
            Ok(Split::Head(head)) if head.frame_len == bytes.len() && head.kind == Kind::Request => head,
            _ => return Err(Box::new(moving)),
        };
        let begun = begun.and_then(|to| Some((to, Arc::clone(&self.host(to)?.host.0))));
        let to = match begun {
            Some(begun) => {
                self.count_cluster(lost.group, |stats| stats.upstream_rq_moved.add(1));
                Ok(begun)
            }
            None => self.shared_untried(requests, lost.group, &shared.codec, &head, &mut moving.tried),
        };
        let Ok((to, node)) = to else { return Err(Box::new(moving)) };
        if !self.enter_pending(lost.group, to) {
            return Err(Box::new(moving));
        }
        let limits = self.limits;
        let Some(host) = self.hosts.get_mut(to.at as usize) else { return Err(Box::new(moving)) };
        let at = host.out.end();
        let (Some(slot), written) = put(host, &mut self.buffers, &Sets::default(), &limits, &head, bytes) else {
            return Err(Box::new(moving));
        };
        if written.is_err() {
            if let Role::Shared(shared) = &mut host.role {
                shared.abandon(slot);
            }
            return Err(Box::new(moving));
        }
        moving.at = at;
        moving.len = (host.out.end() - at) as u32;
        self.settle_in(to, slot, moving);
        changes_host(&lost.host, &node, self.worker, 1);
        Ok(to)
    }

    /// Lets a request wait for its answer in a slot of another connection.
    fn settle_in(&mut self, to: Id, slot: u32, moving: Moving) {
        let now = self.now;
        let Some(host) = self.host(to) else { return };
        host.heard = now;
        let Role::Shared(shared) = &mut host.role else { return };
        let client = moving.exchange.client.filter(|_| shared.line.is_some());
        let Some(place) = shared.slots.get_mut(slot as usize) else { return };
        place.exchange = Some(moving.exchange);
        place.asked = moving.asked;
        place.tried = moving.tried;
        (place.at, place.len) = (moving.at, moving.len);
        place.until = moving.until;
        let turn = place.turn;
        if moving.until > 0 {
            self.timers.set(moving.until, Due::Request(to, slot, turn));
        }
        if let Some(client) = client.and_then(|client| self.client(client)) {
            // It may wait for others elsewhere.
            client.keep_order();
            if !client.lines.contains(&to) {
                client.lines.push(to);
            }
        }
        self.host_unsent(to);
    }

    /// Sends one-way messages on that wait between two places of a lost connection. Each of them is moved once.
    fn move_oneways(&mut self, lost: &Upstream, shared: &Shared, mut at: u64, end: u64) {
        let mut bytes = lost.out.waiting(at);
        bytes = bytes.get(..end.saturating_sub(at) as usize).unwrap_or_default();
        while let Ok(Split::Head(head)) = shared.codec.split(C2S, &self.limits, bytes) {
            let Some((message, rest)) = bytes.split_at_checked(head.frame_len) else { return };
            if head.kind == Kind::Oneway {
                let moved = !lost.moved.contains(&at) && self.move_oneway(lost, shared, head, message);
                self.count_cluster(lost.group, |stats| stats.upstream_rq_lost.add(u64::from(!moved)));
            }
            at += head.frame_len as u64;
            bytes = rest;
            if bytes.is_empty() {
                return;
            }
        }
    }

    fn move_oneway(&mut self, lost: &Upstream, shared: &Shared, head: Head, message: &[u8]) -> bool {
        let mut tried = Tried::default();
        tried.add(lost.host.address);
        let Ok((to, _)) = self.shared_untried(1, lost.group, &shared.codec, &head, &mut tried) else { return false };
        if !self.enter_pending(lost.group, to) {
            return false;
        }
        let Some(host) = self.hosts.get_mut(to.at as usize) else { return false };
        host.moved.push(host.out.end());
        host.out.push(message, &mut self.buffers);
        self.host_unsent(to);
        true
    }

    /// Moves the long frame that a connection was reserved for, or what there is of it so far.
    fn move_long(&mut self, id: Id, lost: &Upstream, shared: &Shared, mut moving: Vec<Moving>, refusal: Refusal) {
        let moving = moving.pop();
        let sender = self
            .clients
            .iter()
            .find(|(_, client)| client.long.as_ref().is_some_and(|long| long.to == To::Host(id)))
            .map(|(at, client)| Id { at: at as u32, serial: client.serial });
        let bytes = lost.out.waiting(0);
        let to = match shared.codec.split(C2S, &self.limits, bytes) {
            // It is the only one there, and was there from the beginning.
            Ok(Split::Head(head)) if head.frame_len >= bytes.len() && lost.moved.is_empty() => {
                (head.kind == Kind::Oneway || moving.is_some())
                    .then(|| self.reserved_untried(lost, shared, &head, moving.as_ref()))
                    .flatten()
            }
            _ => None,
        };
        let Some(to) = to else {
            match moving {
                Some(moving) => self.not_moved(lost, &moving, refusal),
                None => self.count_cluster(lost.group, |stats| stats.upstream_rq_lost.add(1)),
            }
            return;
        };
        let Some(host) = self.hosts.get_mut(to.at as usize) else { return };
        let node = Rc::clone(&host.host);
        let at = host.out.end();
        host.out.push(bytes, &mut self.buffers);
        let mut slot = None;
        if let Role::Shared(other) = &mut host.role {
            slot = moving.as_ref().map(|_| other.enter());
        }
        match (slot, moving) {
            (Some(slot), Some(mut moving)) => {
                moving.tried.add(lost.host.address);
                moving.at = at;
                self.settle_in(to, slot, moving);
                changes_host(&lost.host, &node, self.worker, 1);
            }
            _ => {
                host.moved.push(at);
                self.host_unsent(to);
            }
        }
        self.count_cluster(lost.group, |stats| stats.upstream_rq_moved.add(1));
        if let Some(long) = sender.and_then(|sender| self.client(sender)?.long.as_mut()) {
            long.to = To::Host(to);
        }
        if !shared.sending {
            self.long_sent(to);
        }
    }

    fn reserved_untried(
        &mut self,
        lost: &Upstream,
        shared: &Shared,
        head: &Head,
        moving: Option<&Moving>,
    ) -> Option<Id> {
        let mut tried = moving.map(|moving| moving.tried.clone()).unwrap_or_default();
        tried.add(lost.host.address);
        let node = self.another(lost.group, tried.hosts())?;
        let to = self.reserved(lost.group, &node, &shared.codec, head)?;
        if self.enter_pending(lost.group, to) {
            return Some(to);
        }
        self.long_sent(to);
        None
    }
}

/// Requests of a worker that are under way are another host's from here on.
fn changes_host(from: &Host, to: &Host, worker: usize, requests: u32) {
    let (from, to) = (from.of_worker(worker), to.of_worker(worker));
    from.active.sub(requests.into());
    to.active.add(requests.into());
    to.rq_total.add(requests.into());
}
