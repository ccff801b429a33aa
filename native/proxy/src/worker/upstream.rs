//! What a worker knows of a connection to a host.

use std::sync::Arc;

use metaprotocol_core::{AnyCodec, Connection, Head};
use mio::net::TcpStream;

use super::out::Out;
use super::{Id, Pool};
use crate::balance::Host;
use crate::route::Route;

/// A connection to a host.
pub struct Upstream {
    pub serial: u32,
    pub socket: TcpStream,
    /// The cluster.
    pub group: usize,
    pub host: Arc<Host>,
    pub connected: bool,
    pub out: Out,
    pub readable: bool,
    /// Its end has come.
    pub fin: bool,
    pub is_ready: bool,
    pub is_unsent: bool,
    /// It takes no more requests, and is closed when those under way are done.
    pub draining: bool,
    /// Nothing is read from it until this client has taken what it was sent.
    pub held_by: Option<Id>,
    /// Clients that are not read from until it has taken what it was sent.
    pub holds: Vec<Id>,
    /// When it last had a request, in milliseconds.
    pub heard: u64,
    /// Requests that wait for the connection to open.
    pub pending: u32,
    /// When all is sent it is told that no more will come.
    pub finish: bool,
    pub role: Role,
}

/// Whose connection it is.
pub enum Role {
    /// Many clients'.
    Shared(Shared),
    /// One client's. Its decoder is the client's own, unless the client has several such connections.
    Bound(Id, Option<Box<dyn Connection>>),
}

/// A connection that clients share.
pub struct Shared {
    pub codec: Arc<dyn AnyCodec>,
    pub decoder: Box<dyn Connection>,
    pub slots: Vec<Slot>,
    free: Vec<u32>,
    pub in_flight: u32,
    /// Requests it has had.
    pub requests: u64,
    /// One client has it to itself for a long frame, whose id stays as it is.
    pub reserved: bool,
    /// That frame is still on its way.
    pub sending: bool,
    /// What it can be shared for.
    pub pool: Pool,
    /// The rest of a long answer goes to this client.
    pub passing: Option<(Id, usize)>,
}

/// A place for a request that waits for its answer.
#[derive(Default)]
pub struct Slot {
    /// How many requests it has had: an answer that comes too late is for an earlier one.
    pub turn: u32,
    pub exchange: Option<Exchange>,
    /// The beginning of the request, to answer it from; its memory is used again.
    pub asked: Vec<u8>,
}

/// A request that waits for its answer.
#[derive(Clone)]
pub struct Exchange {
    /// Who asked; nobody waits for the answer to a copy.
    pub client: Option<Id>,
    /// The listener that it came by.
    pub listener: usize,
    pub head: Head,
    /// The id that the client gave it.
    pub id: u64,
    /// When, in microseconds.
    pub since: u64,
    /// The route, if something of the answer is to be changed.
    pub route: Option<Arc<Route>>,
    /// The beginning of the request, where no slot keeps it.
    pub asked: Vec<u8>,
}

/// Bits of an id that say the slot; those above, up to 31, say the turn.
const SLOT_BITS: u32 = 20;
const TURN_BITS: u32 = 31 - SLOT_BITS;

impl Shared {
    pub fn new(codec: Arc<dyn AnyCodec>, decoder: Box<dyn Connection>, pool: Pool) -> Self {
        Self {
            codec,
            decoder,
            // Nothing is ever in the first one, so that no id is 0, which is none in some protocols.
            slots: vec![Slot::default()],
            free: Vec::new(),
            in_flight: 0,
            requests: 0,
            reserved: false,
            sending: false,
            pool,
            passing: None,
        }
    }

    /// Takes a free slot. Ids of 31 bits fit every protocol.
    pub fn enter(&mut self) -> u32 {
        self.in_flight += 1;
        self.requests += 1;
        self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            self.slots.len() as u32 - 1
        })
    }

    /// The id that the host sees for the request in a slot.
    pub fn id(&self, slot: u32) -> u64 {
        let turn = self.slots.get(slot as usize).map_or(0, |slot| slot.turn);
        u64::from((turn & ((1 << TURN_BITS) - 1)) << SLOT_BITS | slot)
    }

    /// The slot of an answer with this id, if one waits for it.
    pub fn slot(&self, id: u64) -> Option<u32> {
        let slot = u32::try_from(id).ok()? & ((1 << SLOT_BITS) - 1);
        let waiting = self.slots.get(slot as usize)?.exchange.is_some();
        (waiting && self.id(slot) == id).then_some(slot)
    }

    /// Gives a slot back, with what waited there.
    pub fn leave(&mut self, slot: u32) -> Option<Exchange> {
        let place = self.slots.get_mut(slot as usize)?;
        let exchange = place.exchange.take()?;
        place.turn = place.turn.wrapping_add(1);
        self.free.push(slot);
        self.in_flight -= 1;
        Some(exchange)
    }

    /// Gives a slot back that nothing was sent for.
    pub fn abandon(&mut self, slot: u32) {
        self.free.push(slot);
        self.in_flight -= 1;
    }

    /// The first slot where something waits.
    pub fn waiting(&self) -> Option<u32> {
        self.slots.iter().position(|slot| slot.exchange.is_some()).map(|at| at as u32)
    }
}
