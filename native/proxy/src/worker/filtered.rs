//! Messages on their way through filters, which may take their time.

use std::rc::Rc;
use std::sync::Arc;

use metaprotocol_core::{Direction, Edits, ErrorType, Frame, Head, RequestId, Split, Value};

use super::downstream::{Downstream, Filtered, Held, Protocol, Spoken};
use super::upstream::{Exchange, Role};
use super::ways::Taken;
use super::{Id, Worker};
use crate::filter::{Filter, Seen, Verdict};
use crate::route::Message;

/// A message among the filters of its listener.
pub struct Suspended {
    way: Way,
    client: Id,
    listener: usize,
    codec: Rc<Spoken>,
    head: Head,
    bytes: Vec<u8>,
    /// The filter that sees it next.
    next: usize,
}

impl Suspended {
    /// The id of this request, if it is one of this client's.
    pub(super) fn asked_by(&self, client: Id) -> Option<u64> {
        match (&self.way, self.head.request_id) {
            (Way::Request(_), RequestId::Int(id)) if self.client == client => Some(id),
            _ => None,
        }
    }
}

/// Which way it goes.
enum Way {
    /// A request; true if its connection to the host is shared.
    Request(bool),
    /// An answer from this host.
    Response(Id, Box<Exchange>),
}

impl Worker {
    /// True if a listener's messages pass filters; of answers if `responses`.
    pub(super) fn has_filters(&self, listener: usize, responses: bool) -> bool {
        self.listeners
            .get(listener)
            .is_some_and(|local| local.listener.filters.iter().any(|filter| !responses || filter.sees_responses()))
    }

    /// Sends a request through the filters. Until it is through, it counts as under way; where answers come in order, the
    /// client's next frame waits.
    pub(super) fn filter_request(&mut self, id: Id, codec: &Rc<Spoken>, shared: bool, head: Head, bytes: &[u8]) {
        let Some(client) = self.client(id) else { return };
        client.in_flight += 1;
        client.suspended += 1;
        client.waits.filter |= !shared;
        let suspended = Suspended {
            way: Way::Request(shared),
            client: id,
            listener: client.listener,
            codec: Rc::clone(codec),
            head,
            bytes: bytes.to_vec(),
            next: 0,
        };
        self.run_filters(suspended);
    }

    /// Sends an answer through the filters. Nothing more is read from a host that one client has for itself meanwhile.
    pub(super) fn filter_response(&mut self, host: Id, exchange: Exchange, head: Head, bytes: &[u8]) {
        let Some(id) = exchange.client else { return };
        let listener = exchange.listener;
        let codec = match self.client(id) {
            Some(Downstream { suspended, protocol: Protocol::Known(codec, _), .. }) => {
                *suspended += 1;
                Rc::clone(codec)
            }
            _ => return self.deliver(host, &exchange, &head, bytes),
        };
        if let Some(upstream) = self.host(host)
            && matches!(upstream.role, Role::Bound(..))
        {
            upstream.filtering = true;
        }
        let way = Way::Response(host, Box::new(exchange));
        self.run_filters(Suspended { way, client: id, listener, codec, head, bytes: bytes.to_vec(), next: 0 });
    }

    fn run_filters(&mut self, mut message: Suspended) {
        loop {
            let filter =
                self.listeners.get(message.listener).and_then(|local| local.listener.filters.get(message.next));
            let Some(filter) = filter.map(Arc::clone) else { return self.through(message) };
            message.next += 1;
            let verdict = self.ask(filter.as_ref(), &message);
            match verdict {
                Verdict::Wait => {
                    self.suspended.insert(self.number, message);
                    return;
                }
                verdict => {
                    let Some(left) = self.heed(message, verdict) else { return };
                    message = left;
                }
            }
        }
    }

    fn ask(&mut self, filter: &dyn Filter, message: &Suspended) -> Verdict {
        self.number += 1;
        let route = match &message.way {
            Way::Request(_) => self.route_of(message),
            Way::Response(_, exchange) => exchange.route.as_deref().cloned(),
        };
        let name = self.listeners.get(message.listener).map(|local| Arc::clone(&local.listener.name));
        let seen = Seen {
            codec: &message.codec,
            frame: Frame { head: message.head, bytes: &message.bytes },
            listener: name.as_deref().unwrap_or_default(),
            route: route.as_deref(),
            number: self.number,
            answers: &self.answers,
        };
        match message.way {
            Way::Request(_) => filter.request(&seen),
            Way::Response(..) if filter.sees_responses() => filter.response(&seen),
            Way::Response(..) => Verdict::Go,
        }
    }

    fn route_of(&mut self, message: &Suspended) -> Option<Taken> {
        let local = self.listeners.get(message.listener)?;
        let routes = local.routes(&message.codec)?;
        let frame = Frame { head: message.head, bytes: &message.bytes };
        let limits = &local.listener.limits;
        let mut seen = Message::new((**message.codec).as_ref(), frame, limits, &local.extra, &mut self.scratch);
        routes.table.find(&mut seen).ok().flatten().map(|route| Taken::new(routes, route))
    }

    /// What a filter says at last.
    pub(super) fn answered(&mut self, number: u64, verdict: Verdict) {
        let Some(message) = self.suspended.remove(&number) else { return };
        if let Some(message) = self.heed(message, verdict) {
            self.run_filters(message);
        }
    }

    /// Does what a filter says; gives the message back if it goes on.
    fn heed(&mut self, mut message: Suspended, verdict: Verdict) -> Option<Suspended> {
        match verdict {
            Verdict::Go => Some(message),
            Verdict::Change { set, remove } => {
                self.change(&mut message, &set, &remove);
                Some(message)
            }
            Verdict::Refuse(error, text) => {
                self.refused(message, error, &text);
                None
            }
            Verdict::Wait => {
                self.refused(message, ErrorType::Unspecified, "a filter waits for itself");
                None
            }
        }
    }

    fn change(&mut self, message: &mut Suspended, set: &[(String, String)], remove: &[String]) {
        let edits = Edits {
            set: set.iter().map(|(key, value)| (key.as_str(), Value::str(value))).collect(),
            remove: remove.iter().map(String::as_str).collect(),
            request_id: None,
        };
        let Some(local) = self.listeners.get(message.listener) else { return };
        let counts = &local.counts.counters;
        let refused = if matches!(message.way, Way::Request(_)) {
            &counts.request_mutation_error
        } else {
            &counts.response_mutation_error
        };
        let limits = local.listener.limits;
        let frame = Frame { head: message.head, bytes: &message.bytes };
        let Ok(segments) = message.codec.rewrite(frame, &edits, &limits) else {
            return refused.add(1);
        };
        message.bytes = segments.concat();
        message.head.frame_len = message.bytes.len();
        let direction = match message.way {
            Way::Request(_) => Direction::ClientToServer,
            Way::Response(..) => Direction::ServerToClient,
        };
        // The header is as long as it says itself; where only the connection knows how to read it, as it was.
        if let Ok(Split::Head(head)) = message.codec.split(direction, &limits, &message.bytes)
            && head.frame_len == message.bytes.len()
        {
            message.head.header_len = head.header_len;
        }
    }

    /// A message has passed all filters.
    fn through(&mut self, message: Suspended) {
        match message.way {
            Way::Request(shared) => {
                let id = message.client;
                let Some(client) = self.client(id) else { return };
                client.in_flight -= 1;
                client.suspended -= 1;
                client.waits.filter = false;
                if !self.forward(id, &message.codec, shared, &message.head, &message.bytes)
                    && let Some(client) = self.client(id)
                {
                    client.held.push_front(Held {
                        head: message.head,
                        bytes: message.bytes,
                        filtered: Filtered::Passed,
                    });
                }
                self.resume.push(id);
                self.settle(id);
            }
            Way::Response(host, exchange) => {
                if let Some(client) = self.client(message.client) {
                    client.suspended -= 1;
                }
                self.deliver(host, &exchange, &message.head, &message.bytes);
                self.go_on(host);
            }
        }
    }

    fn refused(&mut self, message: Suspended, error: ErrorType, text: &str) {
        match message.way {
            Way::Request(_) => {
                let id = message.client;
                let Some(client) = self.client(id) else { return };
                client.in_flight -= 1;
                client.suspended -= 1;
                client.waits.filter = false;
                let filtered = Filtered::Refused(error, text.to_owned());
                if !self.serve(id, &message.head, &message.bytes, &filtered)
                    && let Some(client) = self.client(id)
                {
                    client.held.push_front(Held { head: message.head, bytes: message.bytes, filtered });
                }
                self.resume.push(id);
                self.settle(id);
            }
            Way::Response(host, exchange) => {
                if let Some(id) = exchange.client {
                    if let Some(client) = self.client(id) {
                        client.suspended -= 1;
                    }
                    if let Some(asked) = &exchange.asked {
                        self.refuse(id, asked.head, &asked.bytes, error, text);
                    }
                    self.left(id, exchange.id);
                }
                self.go_on(host);
            }
        }
    }
}
