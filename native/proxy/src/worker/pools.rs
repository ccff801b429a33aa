//! Connections that clients share: which one a request goes by, and what becomes of one that is given up.

use std::rc::Rc;
use std::sync::Arc;

use metaprotocol_core::{AnyCodec, ErrorType, Head};

use super::groups::Recent;
use super::hosts::{End, LATE, NO_SOCKET, Refusal};
use super::upstream::{Asked, Exchange, Role, Shared};
use super::ways::{Picked, Way};
use super::{Id, Pool, Worker};
use crate::balance::{Host, Outcome};

impl Worker {
    /// A connection that clients share to the host of a message, with room for one more request.
    #[inline(always)]
    pub(super) fn shared_to(&mut self, way: &Way, codec: &Arc<dyn AnyCodec>, head: &Head) -> Result<Id, Refusal> {
        let Picked::Member(_, member) = &way.host else { return self.shared(way.group, &way.host, codec, head) };
        let (place, dialect) = (Arc::as_ptr(codec).cast::<()>() as usize, codec.dialect(head));
        if let Some(own) = self.groups.get(way.group)
            && let Some(recent) = own.recent.get(*member)
            && (recent.codec, recent.dialect) == (place, dialect)
            && let Some(host) = self.hosts.get(recent.id.at as usize).filter(|host| host.serial == recent.id.serial)
            && host.is_free(own.most_in_flight())
        {
            return Ok(recent.id);
        }
        let id = self.shared(way.group, &way.host, codec, head)?;
        if let Some(own) = self.groups.get_mut(way.group) {
            let never = Recent { codec: 0, dialect: 0, id };
            own.recent.resize(own.recent.len().max(member + 1), never);
            own.recent[*member] = Recent { codec: place, dialect, id };
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
        self.shared_for(1, group, host, codec, head)
    }

    /// As [`Worker::shared`], with room for so many requests.
    pub(super) fn shared_for(
        &mut self,
        requests: u32,
        group: usize,
        host: &Arc<Host>,
        codec: &Arc<dyn AnyCodec>,
        head: &Head,
    ) -> Result<Id, Refusal> {
        let own = self.groups.get_mut(group).ok_or(NO_SOCKET)?;
        let most = own.most_in_flight();
        // Room for all is room for one where so many fewer may be under way. A bound that was lowered may be less than they
        // are: they go where nothing else is.
        let enough = most.saturating_sub(requests.saturating_sub(1)).max(1);
        let pool = Pool {
            host: Arc::as_ptr(host) as usize,
            codec: Arc::as_ptr(codec).cast::<()>() as usize,
            dialect: codec.dialect(head),
        };
        let mut unfit = None;
        if let Some(open) = own.pools.get_mut(&pool) {
            while let Some(id) = open.last().copied() {
                if let Some(host) = self.hosts.get_mut(id.at as usize).filter(|host| host.serial == id.serial) {
                    let (takes_more, free) = (host.takes_more(), host.held_by.is_none());
                    if let Role::Shared(shared) = &mut host.role {
                        if takes_more && shared.has_room(most) {
                            if free && shared.has_room(enough) {
                                return Ok(id);
                            }
                            unfit = Some(id);
                            break;
                        }
                        shared.listed = false;
                    }
                }
                // It comes back when it has room again.
                open.pop();
            }
        }
        let Some(unfit) = unfit else { return self.open_shared(group, host, codec, pool) };
        // There is too little room, or a client that reads slowly has the answers of others wait there: what can go by another
        // connection does.
        let free = |id: &Id| {
            let host = self.hosts.get(id.at as usize).filter(|host| host.serial == id.serial);
            host.is_some_and(|host| host.is_free(enough))
        };
        if let Some(open) = own.pools.get_mut(&pool)
            && let Some(at) = open.iter().position(free)
        {
            let last = open.len() - 1;
            open.swap(at, last);
            return Ok(open.get(last).copied().unwrap_or(unfit));
        }
        self.open_shared(group, host, codec, pool).or_else(|refusal| {
            let role = self.host(unfit).map(|host| &host.role);
            let has_room = matches!(role, Some(Role::Shared(shared)) if shared.has_room(enough));
            if has_room { Ok(unfit) } else { Err(refusal) }
        })
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
    pub(super) fn list(&mut self, id: Id) {
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

    /// Gives up a request whose answer may still come. Returns what waited for it, and what to answer it from.
    pub(super) fn give_up(&mut self, id: Id, slot: u32) -> Option<(Exchange, Asked)> {
        let host = self.hosts.get_mut(id.at as usize).filter(|host| host.serial == id.serial)?;
        let Role::Shared(shared) = &mut host.role else { return None };
        let exchange = shared.give_up(slot)?;
        let asked = shared.slots.get_mut(slot as usize).map(|slot| std::mem::take(&mut slot.asked)).unwrap_or_default();
        if let Some(group) = self.groups.get(host.group) {
            // A connection that answers too little is replaced before it has no room.
            host.draining |= shared.given_up > group.cluster.config.max_in_flight_per_connection / 2;
        }
        self.left_host(id);
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

    pub(super) fn request_late(&mut self, id: Id, slot: u32, turn: u32) {
        let Some(host) = self.host(id) else { return };
        let (group, node) = (host.group, Rc::clone(&host.host));
        let Role::Shared(shared) = &mut host.role else { return };
        if shared.slots.get(slot as usize).is_none_or(|slot| slot.turn != turn) {
            return;
        }
        // Where answers come in order, all that is asked there waits behind it.
        let in_line = shared.line.is_some();
        host.draining |= in_line;
        let Some((exchange, asked)) = self.give_up(id, slot) else { return };
        self.count_cluster(group, |stats| stats.upstream_rq_timeout.add(1));
        node.of_worker(self.worker).rq_timeout.add(1);
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
}
