//! What a worker knows of a connection to a host.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use metaprotocol_core::{AnyCodec, Connection, ErrorType, Frame, Head, Kind, PairBy, Reply, RequestId};
use mio::net::TcpStream;

use super::downstream::Held;
use super::out::Out;
use super::ways::{Node, Taken};
use super::{Id, Pool};

/// A connection to a host.
pub struct Upstream {
    pub serial: u32,
    pub socket: TcpStream,
    /// The cluster.
    pub group: usize,
    pub host: Rc<Node>,
    /// By which hash it was picked for the client that has the connection for itself, where hashes pick.
    pub hash: Option<u64>,
    pub connected: bool,
    pub out: Out,
    pub readable: bool,
    /// Its end has come.
    pub fin: bool,
    pub is_ready: bool,
    pub is_unsent: bool,
    /// It takes no more requests, and is closed when those under way are done.
    pub draining: bool,
    /// Its host is no longer in the cluster: the client that has it for itself asks another one as soon as nothing ties it.
    pub leaving: bool,
    /// Nothing is read from it until this client has taken what it was sent.
    pub held_by: Option<Id>,
    /// A filter has not said yet what becomes of an answer; what comes behind it waits.
    pub filtering: bool,
    pub queue: VecDeque<Held>,
    /// Clients that are not read from until it has taken what it was sent.
    pub holds: Vec<Id>,
    /// When it last had a request, in milliseconds.
    pub heard: u64,
    /// Requests that wait for the connection to open.
    pub pending: u32,
    /// When all is sent it is told that no more will come.
    pub finish: bool,
    /// Its last byte was read; a plain connection still takes what its client sends.
    pub ended: bool,
    /// The client that gets the rest of a long frame, and how much is still to come.
    pub passing: Option<(Id, usize)>,
    /// Something was read from it.
    pub spoke: bool,
    /// Where what waits on it was to go before; of a connection that one client has for itself.
    pub tried: Tried,
    /// Where one-way messages are in `out` that were to go elsewhere before.
    pub moved: Vec<u64>,
    pub role: Role,
}

/// Hosts that were to get a message and never got a byte of it.
#[derive(Clone, Debug, Default)]
#[allow(clippy::box_collection, reason = "every request has room for it, and next to none needs it")]
pub struct Tried(Option<Box<Vec<SocketAddr>>>);

impl Tried {
    pub fn hosts(&self) -> &[SocketAddr] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }

    pub fn add(&mut self, host: SocketAddr) {
        self.0.get_or_insert_default().push(host);
    }

    #[inline(always)]
    pub fn clear(&mut self) {
        if self.0.is_some() {
            self.0 = None;
        }
    }
}

impl Upstream {
    /// True if anything is under way on it that can be told to be: on a client's own connection a frame that is passed on.
    pub const fn busy(&self) -> bool {
        self.passing.is_some() || matches!(&self.role, Role::Shared(shared) if shared.in_flight > 0 || shared.sending)
    }

    /// True if a request may be sent by it. A host that has said its last will hardly answer one.
    pub const fn takes_more(&self) -> bool {
        !self.draining && !self.fin
    }

    /// True if clients share it, one more request may be sent by it where so many may be under way, and nobody holds it up.
    pub const fn is_free(&self, most: u32) -> bool {
        let room = matches!(&self.role, Role::Shared(shared) if shared.has_room(most));
        room && self.takes_more() && self.held_by.is_none()
    }

    pub const fn is_shared(&self) -> bool {
        matches!(self.role, Role::Shared(_))
    }
}

/// Whose connection it is.
pub enum Role {
    /// Many clients'.
    Shared(Box<Shared>),
    /// One client's. Its decoder is the client's own, unless the client has several such connections.
    Bound(Id, Option<Box<dyn Connection>>),
}

/// A connection that clients share.
pub struct Shared {
    pub codec: Arc<dyn AnyCodec>,
    pub decoder: Box<dyn Connection>,
    pub slots: Vec<Slot>,
    free: Vec<u32>,
    /// Where answers come in order: what waits for them.
    pub line: Option<Line>,
    pub in_flight: u32,
    /// Requests that nobody waits for any more, and whose answers have not come.
    pub given_up: u32,
    /// Requests it has had.
    pub requests: u64,
    /// One client has it to itself for a long frame, whose id stays as it is.
    pub reserved: bool,
    /// That frame is still on its way.
    pub sending: bool,
    /// The protocol's ids are too short to say the turn, too.
    pub narrow: bool,
    /// Whether answers made here need all of a request, once that is known.
    keeps_all: Option<bool>,
    /// What it can be shared for.
    pub pool: Pool,
    /// It stands in that pool, as one that has room.
    pub listed: bool,
}

/// Requests that are answered in order.
#[derive(Default)]
pub struct Line {
    /// The slots of those that are not answered, the first one first.
    pub slots: VecDeque<u32>,
}

/// A place for a request that waits for its answer.
#[derive(Default)]
pub struct Slot {
    /// How many requests it has had: an answer that comes too late is for an earlier one.
    pub turn: u32,
    pub exchange: Option<Exchange>,
    /// Nobody waits for the answer any more. Until it has come the id is not used again, or it would be taken for another.
    given_up: bool,
    /// Where the request begins among all that is sent by the connection, and its length.
    pub at: u64,
    pub len: u32,
    /// When it should be answered, in milliseconds; 0 for never.
    pub until: u64,
    /// Where it was to go before. Not with the exchange, which is moved about for each message.
    pub tried: Tried,
    /// What an answer made here is made from. Not with the exchange either; its memory is used again.
    pub asked: Asked,
}

/// A request's head, and its beginning as far as it takes to answer it.
#[derive(Clone)]
pub struct Asked {
    pub head: Head,
    pub bytes: Vec<u8>,
}

impl Default for Asked {
    fn default() -> Self {
        let (header_len, frame_len) = (0, 0);
        let (request_id, stream_id) = (RequestId::None, None);
        let head = Head { kind: Kind::Control, request_id, stream_id, header_len, frame_len, variant: 0 };
        Self { head, bytes: Vec::new() }
    }
}

/// A request that waits for its answer.
#[derive(Clone)]
pub struct Exchange {
    /// Who asked; nobody waits for the answer to a copy.
    pub client: Option<Id>,
    /// The listener that it came by.
    pub listener: usize,
    /// The id that the client gave it, or where there are none, its number among the client's requests.
    pub id: u64,
    /// When, in microseconds.
    pub since: u64,
    /// The route, if something of the answer is to be changed. In a box, for exchanges are moved about for each message and
    /// next to none has it.
    pub route: Option<Box<Taken>>,
    /// What an answer made here is made from, where no slot keeps it.
    pub asked: Option<Box<Asked>>,
}

/// Bytes of a request that are kept to answer it from, behind its header.
const KEPT: usize = 64;

/// What is kept of a frame to answer it from.
pub fn kept<'f>(head: &Head, bytes: &'f [u8]) -> &'f [u8] {
    bytes.get(..head.header_len as usize + KEPT).unwrap_or(bytes)
}

/// Bits of an id that say the slot; those above, up to 31, say the turn.
const SLOT_BITS: u32 = 20;
const TURN_BITS: u32 = 31 - SLOT_BITS;

impl Shared {
    pub fn new(codec: Arc<dyn AnyCodec>, decoder: Box<dyn Connection>, pool: Pool) -> Self {
        Self {
            line: (codec.info().pair_by == PairBy::Order).then(Line::default),
            codec,
            decoder,
            // Nothing is ever in the first one, so that no id is 0, which is none in some protocols.
            slots: vec![Slot::default()],
            free: Vec::new(),
            in_flight: 0,
            given_up: 0,
            requests: 0,
            reserved: false,
            sending: false,
            narrow: false,
            keeps_all: None,
            pool,
            listed: false,
        }
    }

    /// Takes a free slot. Ids of 31 bits fit every protocol.
    #[inline]
    pub fn enter(&mut self) -> u32 {
        self.in_flight += 1;
        self.requests += 1;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            self.slots.len() as u32 - 1
        });
        if let Some(line) = &mut self.line {
            line.slots.push_back(slot);
        }
        slot
    }

    /// The id that the host sees for the request in a slot.
    pub fn id(&self, slot: u32) -> u64 {
        let turn = if self.narrow { 0 } else { self.slots.get(slot as usize).map_or(0, |slot| slot.turn) };
        u64::from((turn & ((1 << TURN_BITS) - 1)) << SLOT_BITS | slot)
    }

    /// The slot of an answer with this id, if one waits for it.
    pub fn slot(&self, id: u64) -> Option<u32> {
        let slot = u32::try_from(id).ok()? & ((1 << SLOT_BITS) - 1);
        let waiting = self.slots.get(slot as usize)?.exchange.is_some();
        (waiting && self.id(slot) == id).then_some(slot)
    }

    /// The slot of what waits for an answer with this id. A client that has the connection to itself keeps its ids.
    pub fn asked(&self, id: u64) -> Option<u32> {
        if !self.reserved {
            return self.slot(id);
        }
        let waiting = |slot: &Slot| slot.exchange.as_ref().is_some_and(|exchange| exchange.id == id);
        self.slots.iter().position(waiting).map(|at| at as u32)
    }

    /// The slot of what waits for an answer that has this head.
    #[inline]
    pub fn awaits(&self, head: &Head) -> Option<u32> {
        match (head.request_id, &self.line) {
            (RequestId::Int(id), None) => self.asked(id),
            (_, Some(line)) => {
                let first = *line.slots.front()?;
                self.slots.get(first as usize)?.exchange.is_some().then_some(first)
            }
            _ => None,
        }
    }

    /// What waits for an answer that has this head, and its slot, which it gives back.
    #[inline]
    pub fn take(&mut self, head: &Head) -> Option<(u32, Exchange)> {
        let slot = self.awaits(head)?;
        Some((slot, self.leave(slot)?))
    }

    /// Gives a slot back, with what waited there.
    #[inline]
    pub fn leave(&mut self, slot: u32) -> Option<Exchange> {
        let place = self.slots.get_mut(slot as usize)?;
        let exchange = place.exchange.take()?;
        place.turn = place.turn.wrapping_add(1);
        self.free.push(slot);
        self.in_flight -= 1;
        if let Some(line) = &mut self.line {
            line.slots.pop_front();
        }
        Some(exchange)
    }

    /// Gives up what waits in a slot, which is free again once the answer has come.
    pub fn give_up(&mut self, slot: u32) -> Option<Exchange> {
        let place = self.slots.get_mut(slot as usize)?;
        let exchange = place.exchange.take()?;
        place.given_up = true;
        self.given_up += 1;
        self.in_flight -= 1;
        Some(exchange)
    }

    /// Takes an answer that nobody waits for any more. False if it is none.
    pub fn late(&mut self, head: &Head) -> bool {
        let number = match (head.request_id, &mut self.line) {
            (_, Some(line)) => line.slots.pop_front().unwrap_or_default().into(),
            (RequestId::Int(id), None) => {
                let number = id & ((1 << SLOT_BITS) - 1);
                if self.given_up == 0 || self.id(number as u32) != id {
                    return false;
                }
                number
            }
            _ => return false,
        };
        let Some(place) = self.slots.get_mut(number as usize).filter(|place| place.given_up) else { return false };
        place.given_up = false;
        place.turn = place.turn.wrapping_add(1);
        self.given_up -= 1;
        self.free.push(number as u32);
        true
    }

    /// What is kept of a request to answer it from: the beginning, unless its codec needs more, as the first one tells.
    pub fn kept<'f>(&mut self, head: &Head, bytes: &'f [u8]) -> &'f [u8] {
        let begun = kept(head, bytes);
        if begun.len() == bytes.len() {
            return bytes;
        }
        if self.keeps_all.is_none() && bytes.len() == head.frame_len {
            let reply = |bytes| self.codec.reply(Frame { head: *head, bytes }, Reply::Error(ErrorType::Timeout, ""));
            self.keeps_all = Some(reply(begun).is_err() && reply(bytes).is_ok());
        }
        if self.keeps_all == Some(true) { bytes } else { begun }
    }

    /// True if it can take one more request, where so many may be under way.
    pub const fn has_room(&self, most: u32) -> bool {
        !self.reserved && self.in_flight + self.given_up < most
    }

    /// Gives a slot back that nothing was sent for.
    pub fn abandon(&mut self, slot: u32) {
        if let Some(line) = &mut self.line {
            line.slots.pop_back();
        }
        self.free.push(slot);
        self.in_flight -= 1;
        self.requests -= 1;
    }
}

#[cfg(test)]
mod tests {
    use metaprotocol_core::Limits;

    use super::*;

    fn answer(id: u64) -> Head {
        Head {
            kind: Kind::Response,
            request_id: RequestId::Int(id),
            stream_id: None,
            header_len: 0,
            frame_len: 1,
            variant: 0,
        }
    }

    fn exchange() -> Exchange {
        Exchange { client: None, listener: 0, id: 7, since: 0, route: None, asked: None }
    }

    fn shared() -> Shared {
        let codec = metaprotocol_registry::find("thrift").unwrap();
        let decoder = Arc::clone(&codec).connect(Limits::default());
        Shared::new(codec, decoder, Pool { host: 0, codec: 0, dialect: 0 })
    }

    fn ask(shared: &mut Shared) -> (u32, u64) {
        let slot = shared.enter();
        shared.slots[slot as usize].exchange = Some(exchange());
        (slot, shared.id(slot))
    }

    #[test]
    fn the_id_of_a_request_that_was_given_up_waits_for_its_answer() {
        let mut shared = shared();
        let (slot, late) = ask(&mut shared);
        assert!(shared.give_up(slot).is_some() && shared.give_up(slot).is_none());
        // However many come after it, none has its id.
        for _ in 0..5000 {
            let (slot, id) = ask(&mut shared);
            assert_ne!(id, late);
            assert_eq!((shared.slot(late), shared.slot(id)), (None, Some(slot)));
            assert!(!shared.late(&answer(id)) && shared.leave(slot).is_some());
        }
        // The first slot is never used.
        assert_eq!((shared.slots.len(), shared.in_flight, shared.given_up), (3, 0, 1));
        assert!(shared.has_room(2) && !shared.has_room(1));
        assert!(shared.late(&answer(late)) && !shared.late(&answer(late)));
        assert_eq!((ask(&mut shared).0, shared.given_up), (slot, 0));
    }
}
