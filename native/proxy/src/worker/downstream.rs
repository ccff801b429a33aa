//! What a worker knows of a client.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;

use metaprotocol_core::{AnyCodec, Connection, Direction, ErrorType, Head, Kind, PairBy, Pairing, Sharing};
use mio::net::TcpStream;

use super::Id;
use super::order::Order;
use super::out::{Buffers, Out};
use super::upstream::Exchange;

/// A frame may take a second more for each of so many bytes that have come.
const CRAWL: u64 = 1024;

/// A client's connection.
pub struct Downstream {
    pub serial: u32,
    pub socket: TcpStream,
    /// The listener it came by.
    pub listener: usize,
    pub protocol: Protocol,
    pub out: Out,
    /// The connection that sends it a long answer, whose end has not come: no other answer may come between.
    pub passing: Option<Id>,
    /// What comes behind that.
    pub after: Out,
    /// Connections with another long answer, which are not read from until this one is over.
    pub behind: Vec<Id>,
    /// Requests whose answers it is to get.
    pub in_flight: u32,
    /// How many of them are among the filters, on their way there or back.
    pub suspended: u32,
    /// When bytes last came from it or went to it, in milliseconds.
    pub heard: u64,
    /// When it last took some of what it is sent, in milliseconds.
    pub took: u64,
    /// When the unfinished frame began, in milliseconds.
    pub begun: u64,
    /// There may be something to read.
    pub readable: bool,
    /// Its end has come; what is before it may be unread.
    pub fin: bool,
    /// It was reset, perhaps.
    pub broken: bool,
    /// Its end was read.
    pub ended: bool,
    /// It is closed once all is sent.
    pub closing: bool,
    /// It is closed once nothing is under way.
    pub draining: bool,
    /// When it is to leave at the latest, if it is to leave.
    pub leave_by: Option<u64>,
    /// When all is sent it is told that no more will come.
    pub finish: bool,
    /// It stands in the worker's lists.
    pub is_ready: bool,
    pub is_unsent: bool,
    /// Why nothing is read from it at the moment.
    pub waits: Waits,
    /// Frames that wait for their turn; nothing is read meanwhile.
    pub held: VecDeque<Held>,
    /// The frame that is passed on as it comes, or is too long to be looked at as one chunk.
    pub long: Option<Long>,
    pub ids: Ids,
    /// The connections that all go by that it waits for, where others use them too and answers come in order.
    pub lines: Vec<Id>,
    /// In which order, if there was more than one of them.
    pub order: Option<Box<Order>>,
    /// The connections that it has for itself.
    pub bound: Vec<Id>,
    /// It is to give some of them up when nothing ties it to them.
    pub leaving: bool,
    /// The requests on them that wait, and the number of the next one, wherever it goes.
    pub asked: Option<Box<Pairing<(u64, Exchange)>>>,
    pub number: u64,
    /// Its streams by their ids, where the ids are its own.
    pub streams: Option<HashMap<u64, Stream, foldhash::fast::RandomState>>,
    /// Since when it makes connections wait, in milliseconds.
    pub slow_since: u64,
    /// Connections to hosts that are not read from until it has taken what it was sent.
    pub holds: Vec<Id>,
}

impl Downstream {
    /// Where bytes go that come from a connection, or that are made here.
    pub fn out_from(&mut self, host: Option<Id>) -> &mut Out {
        if self.passing.is_some() && self.passing != host { &mut self.after } else { &mut self.out }
    }

    /// From here on its answers are put in order: those that it waits for are numbered one after another.
    pub fn keep_order(&mut self) {
        let next = self.number - u64::from(self.in_flight);
        self.order.get_or_insert_with(|| Box::new(Order::new(next)));
    }

    /// True if an answer has to wait for others.
    #[inline]
    pub fn is_early(&self, number: u64) -> bool {
        self.order.as_ref().is_some_and(|order| !order.is_next(number))
    }

    /// An answer was put on its way, or has begun to be: those follow that only waited for it.
    #[inline]
    pub fn answered(&mut self, buffers: &mut Buffers) {
        if let Some(order) = &mut self.order {
            order.went();
            while let Some(answer) = self.order.as_mut().and_then(|order| order.take()) {
                self.out_from(None).append(answer, buffers);
            }
            self.closing |= self.order.as_ref().is_some_and(|order| order.is_over());
        }
    }

    /// The frame that is to go on next of those that wait.
    pub fn waiting(&self) -> Option<&Head> {
        self.held.front().map(|held| &held.head).or_else(|| self.long.as_ref().map(|long| &long.head))
    }

    /// Bytes that wait to be sent.
    pub const fn unsent(&self) -> usize {
        self.out.len() + self.after.len()
    }

    /// Bytes that have come of a frame that is not whole.
    pub fn unfinished(&self) -> usize {
        match (&self.protocol, &self.long) {
            (_, Some(long)) => long.head.frame_len - long.left,
            (Protocol::Known(_, decoder), None) => decoder.received(Direction::ClientToServer),
            (Protocol::Unknown(prefix), None) => prefix.len(),
            (Protocol::Plain, None) => 0,
        }
    }

    /// True if it was reset. Of a client that is not read from nothing else tells that it is gone.
    pub fn is_gone(&mut self) -> bool {
        self.broken && (self.ended || self.waits.any()) && matches!(self.socket.take_error(), Ok(Some(_)) | Err(_))
    }

    /// True if its socket did not take all that there is for it.
    pub const fn stuck(&self) -> bool {
        !self.out.is_empty() && !self.is_unsent
    }

    /// True if it waits for something that is not its own doing.
    pub const fn busy(&self) -> bool {
        self.in_flight > 0 || self.passing.is_some() || self.waits.any() || self.is_unsent
    }

    /// When it must have taken something of its answers, or have finished its frame, if either is for it to do and takes
    /// `patience` at most, all in milliseconds.
    pub fn must_move(&mut self, now: u64, patience: u64) -> Option<u64> {
        if self.stuck() {
            return Some(self.took + patience);
        }
        if self.waits.any() {
            // That time is not its own.
            self.begun = now;
        }
        let unfinished = self.unfinished() as u64;
        let own = !self.waits.any() && (self.in_flight == 0 || self.long.is_some());
        (own && unfinished > 0).then(|| self.begun + patience + unfinished * 1000 / CRAWL)
    }

    /// Bytes that must be sent before those of a connection.
    pub fn before(&self, host: Id) -> usize {
        if self.passing == Some(host) { self.out.len() } else { self.unsent() }
    }

    /// Notes that a frame ends a stream, or one direction of it.
    pub fn stream_ends(&mut self, head: Head, direction: Direction) {
        let (Some(streams), Some(id)) = (&mut self.streams, head.stream_id) else { return };
        let over = match head.kind {
            Kind::StreamClose | Kind::Error => true,
            Kind::StreamHalfClose => streams.get_mut(&id).is_some_and(|stream| {
                stream.ended[direction as usize] = true;
                stream.ended == [true; 2]
            }),
            _ => false,
        };
        if over {
            streams.remove(&id);
        }
    }
}

/// What a client speaks.
pub enum Protocol {
    /// It is not known yet: the bytes so far.
    Unknown(Vec<u8>),
    /// This, with the decoder of both directions. Whoever has the codec for the time of a message counts here, not where all
    /// workers count.
    Known(Rc<Spoken>, Box<dyn Connection>),
    /// Plain TCP.
    Plain,
}

/// A codec, and of its description what every message asks for.
pub struct Spoken {
    codec: Arc<dyn AnyCodec>,
    /// Clients can share a connection: their ids are what tells answers apart.
    pub shares: bool,
    /// Answers come in the order of the requests.
    pub in_order: bool,
    /// Nothing ties a client to a connection.
    pub multiplexed: bool,
}

impl Spoken {
    pub fn new(codec: Arc<dyn AnyCodec>) -> Self {
        let info = codec.info();
        let shares = info.sharing != Sharing::Bound && info.pair_by == PairBy::Id;
        let (in_order, multiplexed) = (info.pair_by == PairBy::Order, info.sharing == Sharing::Multiplexed);
        Self { codec, shares, in_order, multiplexed }
    }
}

impl Deref for Spoken {
    type Target = Arc<dyn AnyCodec>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        &self.codec
    }
}

/// Why nothing is read from a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// It does not take what it is sent.
    pub slow: bool,
    /// A host does not take what it sent.
    pub host: bool,
    /// The next frame must wait until nothing is under way.
    pub turn: bool,
    /// A filter has not said yet what becomes of the last frame.
    pub filter: bool,
}

impl Waits {
    pub const fn any(self) -> bool {
        self.slow || self.host || self.turn || self.filter
    }
}

/// A stream.
pub struct Stream {
    /// The connection that it goes by.
    pub host: Id,
    /// The last frame that the client sent of it, and its beginning: from that it is told that the stream is over.
    pub head: Head,
    pub asked: Vec<u8>,
    /// Who has sent its last: the client, the host.
    pub ended: [bool; 2],
}

/// A frame that waits.
pub struct Held {
    pub head: Head,
    pub bytes: Vec<u8>,
    pub filtered: Filtered,
}

/// What filters have said of a frame.
pub enum Filtered {
    /// It has not been shown to them.
    No,
    /// It goes on.
    Passed,
    /// It is answered with this error, when it is its turn.
    Refused(ErrorType, String),
}

/// A frame that comes in pieces.
pub struct Long {
    pub head: Head,
    /// What has come of it, until it is known where it goes.
    pub bytes: Vec<u8>,
    /// How much is still to come.
    pub left: usize,
    /// How many bytes there must be before it is worth a look where it goes.
    pub look: usize,
    pub to: To,
}

/// Where a long frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// It is not known yet.
    Unknown,
    /// To this connection.
    Host(Id),
    /// Nowhere: it was answered already, or its host is gone.
    Nowhere,
}

/// The ids of a client's requests under way. Two of the same id must be answered in their order, which is sure only if the
/// second waits for the first.
#[derive(Debug, Default)]
pub struct Ids {
    /// The greatest since nothing was under way. Most clients count up, so most ids are greater.
    greatest: u64,
    /// All of them, once a client has been seen that does not count up.
    all: Option<HashSet<u64, foldhash::fast::RandomState>>,
}

/// What is to be done with a request, by its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is the only one of its id.
    Now,
    /// There may be another one.
    Later,
}

impl Ids {
    /// Asks for a request with this id while `in_flight` others are under way.
    #[inline]
    pub fn enter(&mut self, id: u64, in_flight: u32) -> Turn {
        if let Some(all) = &mut self.all {
            return if all.insert(id) { Turn::Now } else { Turn::Later };
        }
        if in_flight == 0 || id > self.greatest {
            self.greatest = id;
            return Turn::Now;
        }
        Turn::Later
    }

    /// True if it is known which are under way.
    pub const fn noted(&self) -> bool {
        self.all.is_some()
    }

    /// From here on every id is noted; these are under way.
    pub fn note(&mut self, under_way: impl IntoIterator<Item = u64>) {
        self.all = Some(under_way.into_iter().collect());
    }

    /// A request with this id is no longer under way.
    #[inline]
    pub fn leave(&mut self, id: u64) {
        if let Some(all) = &mut self.all {
            all.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_ids_wait_for_each_other() {
        let mut ids = Ids::default();
        assert_eq!([ids.enter(5, 0), ids.enter(6, 1), ids.enter(9, 2)], [Turn::Now; 3]);
        // It might be one of those: nobody has noted them.
        assert_eq!(ids.enter(7, 3), Turn::Later);
        assert!(!ids.noted());
        ids.note([5, 6, 9]);
        assert!(ids.noted());
        assert_eq!([ids.enter(7, 3), ids.enter(3, 4), ids.enter(7, 5)], [Turn::Now, Turn::Now, Turn::Later]);
        assert_eq!(ids.enter(9, 5), Turn::Later);
        ids.leave(7);
        assert_eq!([ids.enter(7, 1), ids.enter(3, 2)], [Turn::Now, Turn::Later]);
    }
}
