//! A client that verifies: each of its connections keeps requests in slots, and every answer makes room for the next. All
//! that one read brings is answered with one write.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metaprotocol_core::{Connection, Direction, Frame, Head, Limits, PairBy, Placed, RequestId};
use mio::net::TcpStream;

use crate::protocol::{Asked, Protocol};
use crate::wire::{Filled, Inbox, Outbox};

/// The upper bits of a stamp are its connection's number, plus one.
const CONNECTION_AT: u32 = 40;

/// What came for a client.
#[derive(Clone, Copy, Debug)]
pub enum Came<'f> {
    /// The right answer; it took so long.
    Right(Duration),
    /// Some other frame in its place.
    Wrong {
        /// What is wrong with it.
        reason: &'static str,
        /// The request that it should have answered.
        asked: Asked,
        /// What it is.
        frame: Frame<'f>,
    },
    /// A frame that answers no request.
    Unasked(Head),
}

#[derive(Clone, Copy)]
struct Slot {
    asked: Asked,
    sent: Instant,
}

/// One connection.
pub struct Client {
    protocol: Protocol,
    /// Its socket, to be registered by the owner.
    pub socket: TcpStream,
    decoder: Box<dyn Connection>,
    inbox: Inbox,
    outbox: Outbox,
    slots: Vec<Slot>,
    free: Vec<usize>,
    /// The slots in the order they were asked.
    order: VecDeque<usize>,
    /// That is the order of the answers.
    ordered: bool,
    /// Ids count up, as those of Dubbo's, Kafka's and Thrift's clients do, and stay below 2^31.
    next_id: u32,
    next_stamp: u64,
}

impl Client {
    /// Connects. `number` is no other connection's.
    ///
    /// # Errors
    /// Those of the socket.
    pub fn open(
        protocol: Protocol,
        target: SocketAddr,
        number: u64,
        in_flight: usize,
        payload_len: usize,
    ) -> io::Result<Self> {
        let socket = std::net::TcpStream::connect(target)?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        let codec = protocol.codec();
        let ordered = codec.info().pair_by == PairBy::Order;
        let asked = Asked { id: 0, stamp: 0, payload_len };
        Ok(Self {
            protocol,
            socket: TcpStream::from_std(socket),
            decoder: Arc::clone(&codec).connect(Limits::default()),
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            slots: vec![Slot { asked, sent: Instant::now() }; in_flight],
            free: (0..in_flight).collect(),
            order: VecDeque::new(),
            ordered,
            next_id: 1,
            next_stamp: (number + 1) << CONNECTION_AT,
        })
    }

    /// How many requests wait for their answers.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// A request for every free slot, as long as there is `quota`.
    pub fn ask(&mut self, quota: &mut u64) {
        let sent = Instant::now();
        while *quota > 0 {
            let Some(at) = self.free.pop() else { return };
            let Some(slot) = self.slots.get_mut(at) else { continue };
            *quota -= 1;
            slot.asked.id = self.next_id;
            self.next_id = if self.next_id == i32::MAX as u32 { 1 } else { self.next_id + 1 };
            slot.asked.stamp = self.next_stamp;
            self.next_stamp += 1;
            slot.sent = sent;
            self.protocol.ask(slot.asked, self.outbox.end());
            self.order.push_back(at);
        }
    }

    /// Sends what the socket takes.
    ///
    /// # Errors
    /// Those of the socket.
    pub fn flush(&mut self) -> Result<(), String> {
        self.outbox.flush(&mut self.socket).map_err(|error| error.to_string())?;
        Ok(())
    }

    /// Does all there is to do now; `came` is shown every frame.
    ///
    /// # Errors
    /// Why nothing more can come on the connection.
    pub fn turn(
        &mut self,
        closing: bool,
        quota: &mut u64,
        frames: &mut Vec<Placed>,
        mut came: impl FnMut(Came<'_>),
    ) -> Result<(), String> {
        loop {
            self.flush()?;
            let filled = match self.inbox.fill(&mut self.socket).map_err(|error| error.to_string())? {
                Filled::Closed => return Err("the connection was closed".into()),
                Filled::Blocked => return Ok(()),
                filled => filled,
            };
            let come = Instant::now();
            frames.clear();
            let advanced = self.decoder.advance(Direction::ServerToClient, self.inbox.bytes(), frames);
            for placed in &*frames {
                self.take(placed, come, &mut came);
            }
            self.inbox.consume(advanced.map_err(|failure| failure.error.to_string())?);
            self.ask(quota);
            if filled == Filled::Drained && !closing {
                return self.flush();
            }
        }
    }

    fn take(&mut self, placed: &Placed, come: Instant, came: &mut impl FnMut(Came<'_>)) {
        let id = placed.head.request_id;
        let asked = |at: &usize| id == RequestId::Int(self.slots[*at].asked.id.into());
        let place = if self.ordered { Some(0) } else { self.order.iter().position(asked) };
        let at = place.and_then(|place| self.order.remove(place));
        let slot = at.and_then(|at| self.slots.get_mut(at));
        let frame = self.inbox.bytes().get(placed.at..).and_then(|bytes| Frame::new(placed.head, bytes));
        let (Some(at), Some(slot), Some(frame)) = (at, slot, frame) else { return came(Came::Unasked(placed.head)) };
        match self.protocol.verify(frame, slot.asked) {
            Ok(()) => came(Came::Right(come - slot.sent)),
            Err(reason) => {
                came(Came::Wrong { reason, asked: slot.asked, frame });
            }
        }
        self.free.push(at);
    }
}
