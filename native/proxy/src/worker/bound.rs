//! A connection that one client has for itself: for the state that it holds, or because nothing else tells its answers apart.

use std::rc::Rc;
use std::sync::Arc;

use metaprotocol_core::{
    AnyCodec, Connection, Direction, Edits, ErrorType, Frame, Head, Id as PairId, Kind, Pairing, RequestId, Sharing,
};

use super::clients::LONG;
use super::downstream::{Filtered, Held, Protocol, Spoken, Stream};
use super::hosts::{End, LATE, LINGER, Refusal};
use super::serve::{INCOMPLETE, OVERFLOW, client_listener};
use super::upstream::{Asked, Exchange, Role, Upstream, kept};
use super::ways::{ELSEWHERE, Stop, Taken, Way};
use super::{Due, Id, Worker};
use crate::balance::Host;

const C2S: Direction = Direction::ClientToServer;
const S2C: Direction = Direction::ServerToClient;
/// The most that is kept of a request on a connection that a client has for itself.
pub const KEPT_BOUND: usize = 16 << 10;

/// What a client is told that would open a stream to another cluster than its others, where it does not name them: see
/// [`Worker::place`].
const ONE_CLUSTER: Refusal = (
    ErrorType::BadRequest,
    "meta protocol router: this connection has streams to another cluster, a stream to this one needs another connection",
);

/// What becomes of a message, or of the beginning of a long one, that goes by a connection for its client alone.
pub enum Went {
    /// It goes by this connection.
    To(Id),
    /// It was answered, or is dropped.
    Nowhere,
    /// It has to wait until nothing else is under way.
    Later,
    /// All of it must be there first.
    Whole,
}

impl Worker {
    /// A frame that belongs to what is under way already: of a stream, of a login, or an answer to the host.
    pub(super) fn more(&mut self, id: Id, head: Head, bytes: &[u8]) -> Went {
        let Some(client) = self.client(id) else { return Went::Nowhere };
        let shared = matches!(&client.protocol, Protocol::Known(codec, _) if codec.shares);
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
            None => match self.way(id, &head, bytes) {
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

    /// As [`Worker::forward`], by a connection that its client has for itself; of a long request the beginning, where nothing of
    /// it is to be changed.
    pub(super) fn forward_bound(&mut self, id: Id, codec: &Spoken, head: Head, bytes: &[u8]) -> Went {
        let Some(client) = self.client(id) else { return Went::Nowhere };
        let at = client.listener;
        let part = bytes.len() < head.frame_len;
        // What is said here must not overtake answers that are under way: who has a connection for itself gets them in order,
        // whatever pairs them.
        let in_turn = client.in_flight > 0 && !codec.shares;
        let sent = match self.way(id, &head, bytes) {
            Ok(way) if part && !way.route.request_set.is_empty() => return Went::Whole,
            Ok(way) if self.would_stray(id, way.group, &head) => Err(ONE_CLUSTER),
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
                if (error, message) == ELSEWHERE {
                    self.end_client(id);
                }
                Went::Nowhere
            }
        }
    }

    /// True if a request opens a stream to another cluster than one where its client may have some already, and those are not
    /// named by the client: their frames would follow it there.
    fn would_stray(&self, id: Id, group: usize, head: &Head) -> bool {
        let (Kind::StreamOpen, RequestId::Int(_)) = (head.kind, head.request_id) else { return false };
        let Some(client) = self.clients.get(id.at as usize).filter(|client| client.serial == id.serial) else {
            return false;
        };
        let mut hosts = client.bound.iter().filter_map(|bound| self.hosts.get(bound.at as usize));
        hosts.any(|host| host.group != group)
    }

    /// True if a client may ask a cluster now by a connection for itself: those of another one must all have answered before,
    /// since order may be all that tells answers apart. Streams go by their ids.
    fn may_bind(&mut self, id: Id, group: usize, kind: Kind) -> bool {
        let Some(client) = self.client(id) else { return true };
        let (in_flight, last) = (client.in_flight, client.bound.last().copied());
        let Protocol::Known(codec, decoder) = &client.protocol else { return true };
        if codec.shares {
            return kind != Kind::Request || in_flight == 0;
        }
        if in_flight >= decoder.limits().max_in_flight {
            return false;
        }
        // They may have gone by a connection that others use too.
        let Some(last) = last else { return in_flight == 0 };
        in_flight == 0 || self.host(last).is_some_and(|host| host.group == group)
    }

    /// Closes a client's connections to hosts that are no longer in their clusters, or that a hash has picked, where nothing ties
    /// it to them: what it asks next may go elsewhere. Its decoder must not have seen that.
    #[cold]
    pub(super) fn leave_bound(&mut self, id: Id) {
        let Some(client) = self.clients.get_mut(id.at as usize).filter(|client| client.serial == id.serial) else {
            return;
        };
        let Protocol::Known(codec, decoder) = &client.protocol else { return };
        let mut left = Vec::new();
        client.leaving = false;
        client.bound.retain(|bound| {
            let Some(host) = self.hosts.get(bound.at as usize).filter(|host| host.leaving || host.hash.is_some())
            else {
                return true;
            };
            let Role::Bound(_, own) = &host.role else { return true };
            let state = codec.info().sharing == Sharing::Bound && own.as_ref().unwrap_or(decoder).tied();
            // Who shares connections has this one for streams. Of those that it does not name nobody knows when they are over.
            let unnamed = codec.shares && client.streams.is_none();
            let mut streams = client.streams.iter().flat_map(|streams| streams.values());
            if state || unnamed || streams.any(|stream| stream.host == *bound) || host.busy() || !host.out.is_empty() {
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
        if let Some(opened) = self.host(host) {
            opened.hash = way.hash;
        }
        if let Some(client) = self.client(id) {
            client.number += 1;
            client.bound.push(host);
            client.leaving |= way.hash.is_some();
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
            let host = group.and_then(|group| self.groups.get_mut(group)?.pick(None, now));
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
            let way = self.way(id, &head, &[]).ok();
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
        host.out.pass(bytes, &mut self.buffers);
        host.heard = self.now;
        let unsent = host.out.len();
        self.host_unsent(to);
        self.wait_if_full(id, to, unsent);
    }

    fn send_request_bound(&mut self, id: Id, to: Id, route: &Taken, head: Head, bytes: &[u8]) -> Result<(), Refusal> {
        let Some(host) = self.host(to) else { return Err(OVERFLOW) };
        let group = host.group;
        let waits = head.kind == Kind::Request;
        if waits && !self.enter_host(to) {
            return Err(OVERFLOW);
        }
        if !self.open_stream(id, to, &head, bytes) || !self.enter_pending(group, to) {
            if waits {
                self.left_host(to);
            }
            return Err(OVERFLOW);
        }
        let Some(client) = self.client(id) else { return Ok(()) };
        let Protocol::Known(codec, decoder) = &client.protocol else { return Ok(()) };
        let (at, limits) = (client.listener, *decoder.limits());
        let codec = Rc::clone(codec);
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
            self.left_host(to);
            return Ok(());
        };
        let keep = bytes.get(..bytes.len().min(KEPT_BOUND)).unwrap_or(bytes);
        let exchange = Exchange {
            client: Some(id),
            listener: at,
            id: if let RequestId::Int(own) = head.request_id { own } else { 0 },
            since: now_us,
            route: (filtered || !route.response_set.is_empty()).then(|| Box::new(route.clone())),
            asked: Some(Box::new(Asked { head, bytes: keep.to_vec() })),
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
        host.out.pass(bytes, &mut self.buffers);
        let unsent = host.out.len();
        self.host_unsent(to);
        self.wait_if_full(id, to, unsent);
    }

    pub(super) fn bound_data(&mut self, id: Id, owner: Id, mut own: Option<Box<dyn Connection>>, data: &[u8]) {
        let Some(client) = self.clients.get_mut(owner.at as usize).filter(|client| client.serial == owner.serial)
        else {
            // Who left has something to be sent first.
            return self.retire(id);
        };
        let Protocol::Known(codec, decoder) = &mut client.protocol else {
            return self.pass(id, owner, data);
        };
        let codec = Rc::clone(codec);
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
            self.finished(id, exchange, &head, &detached.bytes);
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
            let codec = Rc::clone(codec);
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
                self.finished(id, &exchange, &head, bytes);
                self.answer(id, exchange, head, bytes);
            }
            None => self.pass(id, owner, bytes),
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

    pub(super) fn bound_ended(&mut self, id: Id, host: &Upstream, error: ErrorType, message: &str) {
        let Role::Bound(owner, _) = host.role else { return };
        let Some(client) = self.client(owner) else { return };
        // What waits, waits for the last.
        let last = client.bound.last() == Some(&id);
        client.bound.retain(|other| *other != id);
        if !matches!(&client.protocol, Protocol::Known(codec, _) if !codec.shares) {
            return self.end_streams(owner, id, error, message);
        }
        if !last || client.asked.as_ref().is_none_or(|asked| asked.is_empty()) {
            client.draining = true;
            return self.settle(owner);
        }
        let mut asked = client.asked.take();
        while let Some((_, mut exchange)) = asked.as_mut().and_then(|asked| asked.forget()) {
            self.left_lost(host.group, &host.host);
            if let Some(asked) = exchange.asked.take() {
                self.lost(&exchange, &asked, error, message);
            }
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
}
