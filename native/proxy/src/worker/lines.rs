//! Where answers come in order, requests of many clients go by one connection, one behind the other, as long as they leave
//! nothing there. All that one client waits for from a host goes by one connection. Where hosts are picked by a hash, it may
//! wait for several; their answers are put in its order.

use std::sync::Arc;

use metaprotocol_core::{AnyCodec, Frame, Head, Kind};

use super::downstream::Spoken;
use super::hosts::Refusal;
use super::upstream::Role;
use super::ways::{Picked, Way};
use super::{Id, Worker};

/// More connections than these are looked through for some that are gone.
const LINES: usize = 16;

/// By what a client's next request goes.
enum Next {
    /// This connection.
    Line(Id),
    /// One that it does not use yet.
    Another,
    /// It waits until nothing is under way.
    Wait,
}

impl Worker {
    /// Whether a request can go by a connection that others use, too. Who has one for itself keeps to it.
    #[inline]
    pub(super) fn lines_up(&mut self, id: Id, codec: &Spoken, head: &Head, bytes: &[u8]) -> bool {
        if !codec.in_order || head.kind != Kind::Request {
            return false;
        }
        let Some(client) = self.client(id) else { return false };
        let (at, alone) = (client.listener, !client.bound.is_empty());
        let filtered = self.has_filters(at, false) || self.has_filters(at, true);
        !alone && !filtered && !codec.binds(Frame { head: *head, bytes })
    }

    /// Routes a request and puts it in line. False if it has to wait until nothing is under way for its client: because it goes
    /// to another cluster, or is answered here.
    pub(super) fn forward_in_line(&mut self, id: Id, codec: &Spoken, head: &Head, bytes: &[u8]) -> bool {
        let Some(client) = self.client(id) else { return true };
        let (at, busy) = (client.listener, client.in_flight > 0);
        if !busy {
            client.lines.clear();
        }
        let mut way = match self.way(id, head, bytes) {
            Ok(way) => way,
            Err(_) if busy => return self.wait_turn(id),
            Err(stop) => {
                let (error, message) = stop.said();
                self.note_request(at, head.kind);
                self.stop(id, *head, bytes, error, message);
                return true;
            }
        };
        let to = match self.next_line(id, &way) {
            Next::Line(line) => Ok(line),
            Next::Another => self.begin_line(codec, &mut way, head),
            Next::Wait => return self.wait_turn(id),
        };
        let sent = to.and_then(|to| self.send(Some(id), to, &way, head, bytes).map(|()| to));
        if busy && sent.is_err() {
            return self.wait_turn(id);
        }
        self.note_request(at, head.kind);
        match sent {
            Ok(to) => {
                if let Some(client) = self.client(id) {
                    client.number += 1;
                    if !client.lines.contains(&to) {
                        client.lines.push(to);
                        if busy {
                            client.keep_order();
                        }
                    }
                }
                if !way.route.mirrors.is_empty() {
                    self.mirror(id, codec, &way, *head, bytes);
                }
            }
            Err((error, message)) => self.stop(id, *head, bytes, error, message),
        }
        true
    }

    /// By which connection a client goes on: the one on which it waits for this host already, another one for another host of
    /// the same cluster. What goes to different clusters may depend on each other.
    fn next_line(&mut self, id: Id, way: &Way) -> Next {
        let most = self.groups.get(way.group).map_or(0, |group| group.cluster.config.max_in_flight_per_connection);
        let Some(client) = self.clients.get_mut(id.at as usize).filter(|client| client.serial == id.serial) else {
            return Next::Wait;
        };
        let limit = self.listeners.get(client.listener).map_or(0, |local| local.listener.config.buffer_limit);
        if client.order.as_ref().is_some_and(|order| order.len() > limit) {
            return Next::Wait;
        }
        if client.lines.len() > LINES {
            client.lines.retain(|line| self.hosts.get(line.at as usize).is_some_and(|host| host.serial == line.serial));
        }
        for line in &client.lines {
            let there = self.hosts.get(line.at as usize).filter(|host| host.serial == line.serial);
            let Some(host) = there else { continue };
            if host.group != way.group {
                return Next::Wait;
            }
            if Arc::ptr_eq(&host.host.0, &way.host) {
                let free = matches!(&host.role, Role::Shared(shared) if shared.has_room(most)) && host.takes_more();
                return if free { Next::Line(*line) } else { Next::Wait };
            }
        }
        Next::Another
    }

    fn begin_line(&mut self, codec: &Arc<dyn AnyCodec>, way: &mut Way, head: &Head) -> Result<Id, Refusal> {
        match self.shared(way.group, &way.host, codec, head) {
            Ok(to) => Ok(to),
            Err(refusal) => {
                let (to, host) = self.shared_elsewhere(way.group, &way.host, codec, head, refusal)?;
                way.host = Picked::Known(host);
                Ok(to)
            }
        }
    }

    /// Where answers come in order: gives up what a client has asked on a connection before the request in a slot.
    pub(super) fn lost_before(&mut self, id: Id, slot: u32, client: Id, (error, message): Refusal) {
        let Some(host) = self.host(id) else { return };
        let Role::Shared(shared) = &host.role else { return };
        let before = shared.line.iter().flat_map(|line| &line.slots).take_while(|other| **other != slot).copied();
        let whose = |slot: &u32| shared.slots.get(*slot as usize)?.exchange.as_ref()?.client;
        let before: Vec<u32> = before.filter(|slot| whose(slot) == Some(client)).collect();
        for slot in before {
            if let Some((exchange, asked)) = self.give_up(id, slot) {
                self.lost(&exchange, &asked, error, message);
            }
        }
    }
}
