//! Where answers come in order, requests of many clients go by one connection, one behind the other, as long as they leave
//! nothing there. All that one client waits for goes by one connection: so its answers have its order, too.

use std::sync::Arc;

use metaprotocol_core::{AnyCodec, Frame, Head, Kind, PairBy};

use super::hosts::Refusal;
use super::upstream::Role;
use super::ways::{Picked, Way};
use super::{Id, Worker};
use crate::balance::Host;

impl Worker {
    /// Whether a request can go by a connection that others use, too. Who has one for itself keeps to it.
    pub(super) fn lines_up(&mut self, id: Id, codec: &Arc<dyn AnyCodec>, head: Head, bytes: &[u8]) -> bool {
        if codec.info().pair_by != PairBy::Order || head.kind != Kind::Request {
            return false;
        }
        let Some(client) = self.client(id) else { return false };
        let (at, alone) = (client.listener, !client.bound.is_empty());
        let filtered = self.has_filters(at, false) || self.has_filters(at, true);
        !alone && !filtered && !codec.binds(Frame { head, bytes })
    }

    /// Routes a request and puts it in line. False if it has to wait until nothing is under way for its client: because it goes
    /// elsewhere, or is answered here.
    pub(super) fn forward_in_line(&mut self, id: Id, codec: &Arc<dyn AnyCodec>, head: Head, bytes: &[u8]) -> bool {
        let Some(client) = self.client(id) else { return true };
        let (at, busy, line) = (client.listener, client.in_flight > 0, client.line);
        let to = match self.way(id, head, bytes) {
            Ok(way) if busy => match line.filter(|line| self.goes_on(*line, &way)) {
                Some(line) => Ok((line, way)),
                None => return self.wait_turn(id),
            },
            Ok(way) => self.begin_line(codec, way, head),
            Err(stop) => Err(stop.said()),
        };
        let sent = to.and_then(|(to, way)| self.send(Some(id), to, &way, head, bytes).map(|()| (to, way)));
        if busy && sent.is_err() {
            return self.wait_turn(id);
        }
        self.note_request(at, head.kind);
        match sent {
            Ok((to, way)) => {
                if let Some(client) = self.client(id) {
                    client.line = Some(to);
                    client.number += 1;
                }
                self.mirror(id, codec, &way, head, bytes);
            }
            Err((error, message)) => self.stop(id, head, bytes, error, message),
        }
        true
    }

    /// Whether one more request of a client can go behind what it waits for.
    fn goes_on(&mut self, line: Id, way: &Way) -> bool {
        let most = self.groups.get(way.group).map_or(0, |group| group.cluster.config.max_in_flight_per_connection);
        self.host(line).is_some_and(|host| {
            let there = host.group == way.group && Arc::ptr_eq(&host.host, &way.host) && host.takes_more();
            there && matches!(&host.role, Role::Shared(shared) if shared.has_room(most))
        })
    }

    /// The connection that a client's requests go by, if it is there, and to which host.
    pub(super) fn line(&mut self, client: Id) -> Option<(Id, Arc<Host>)> {
        let line = self.client(client)?.line?;
        Some((line, Arc::clone(&self.host(line)?.host)))
    }

    fn begin_line(&mut self, codec: &Arc<dyn AnyCodec>, mut way: Way, head: Head) -> Result<(Id, Way), Refusal> {
        let to = match self.shared(way.group, &way.host, codec, &head) {
            Ok(to) => to,
            Err(refusal) => {
                let (to, host) = self.shared_elsewhere(way.group, &way.host, codec, &head, refusal)?;
                way.host = Picked::Known(host);
                to
            }
        };
        Ok((to, way))
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
