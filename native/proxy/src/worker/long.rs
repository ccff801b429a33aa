//! Long frames of clients, which are passed on as they come.

use std::rc::Rc;

use metaprotocol_core::{Head, Kind, RequestId};

use super::bound::{KEPT_BOUND, Went};
use super::downstream::{Protocol, Spoken, To, Turn};
use super::ways::Stop;
use super::{Id, Worker};

impl Worker {
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
            return self.frame(id, &head, &bytes);
        }
        if long.bytes.len() < long.look {
            return;
        }
        // Each look costs as much as what was looked at before: twice as much has to be there for the next.
        long.look = long.bytes.len() * 2;
        let Protocol::Known(codec, _) = &client.protocol else { return };
        let codec = Rc::clone(codec);
        let (head, at) = (long.head, client.listener);
        match (head.kind, head.request_id) {
            (Kind::Request, RequestId::Int(number)) if codec.shares => {
                if self.turn(id, number) == Turn::Later {
                    return self.look_later(id);
                }
            }
            (Kind::Oneway, _) if codec.shares => {}
            _ => return self.look_bound(id, &codec),
        }
        let Some(long) = self.client(id).and_then(|client| client.long.as_mut()) else { return };
        let bytes = std::mem::take(&mut long.bytes);
        if self.has_filters(at, false) {
            return self.keep_looking(id, head, bytes);
        }
        let way = match self.way(id, &head, &bytes) {
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
        if let Err((error, message)) = self.send(Some(id), to, &way, &head, &bytes) {
            self.stop(id, head, &bytes, error, message);
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
    fn look_bound(&mut self, id: Id, codec: &Spoken) {
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
