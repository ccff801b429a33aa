//! Which request a response answers.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

use crate::{Frame, PairBy, RequestId};

/// What a pair is found by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Id {
    /// Protocols that answer in order.
    Order,
    /// An integer request id; with [`PairBy::Stream`] a stream id.
    Int(u64),
    /// The stream id of a frame without a request id, where others have one: such ids do not mix.
    Stream(u64),
    /// An opaque request id.
    Bytes(Box<[u8]>),
}

impl Id {
    /// The id of a frame; `None` if it takes no part in pairing.
    #[must_use]
    #[inline]
    pub fn of(frame: &Frame<'_>, by: PairBy) -> Option<Self> {
        match (by, frame.head.request_id) {
            (PairBy::Order, _) => Some(Self::Order),
            (PairBy::Stream, _) => frame.head.stream_id.map(Self::Int),
            (PairBy::Id, RequestId::Int(id)) => Some(Self::Int(id)),
            (PairBy::Id, RequestId::Bytes { at, len }) => {
                let at = at as usize;
                frame.bytes.get(at..at + len as usize).map(|bytes| Self::Bytes(bytes.into()))
            }
            (PairBy::Id, RequestId::None) => frame.head.stream_id.map(Self::Stream),
            (PairBy::None, _) => None,
        }
    }
}

struct Waiting<T> {
    id: Id,
    item: T,
    /// Number of the next waiting request with the same id.
    next: Option<u64>,
}

/// The requests of one direction that wait for their responses. Equal ids are answered in the order they were asked;
/// beyond `max` requests the oldest is forgotten, so that a peer that never answers cannot fill the memory.
///
/// Requests are indexed when the first answer after them is looked up: who reads one direction only pays for a queue.
pub struct Pairing<T> {
    max: usize,
    /// In the order they were asked; answered ones leave a hole until they reach the front.
    waiting: VecDeque<Option<Waiting<T>>>,
    /// Number of the request at the front.
    first: u64,
    /// Requests from this number on are not in the index yet.
    unindexed: u64,
    /// Requests that were forgotten where answers come in order: their answers come before all others, and find nothing.
    skipped: u64,
    /// First and last waiting request of each id.
    index: HashMap<Id, (u64, u64), foldhash::fast::RandomState>,
    len: usize,
}

impl<T> Pairing<T> {
    /// An empty table for at most `max` requests.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self {
            max: max.max(1),
            waiting: VecDeque::new(),
            first: 0,
            unindexed: 0,
            skipped: 0,
            index: HashMap::default(),
            len: 0,
        }
    }

    /// How many requests wait.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// True if none waits.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// True if an answer would find no request, nor be that of a forgotten one.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.len == 0 && self.skipped == 0
    }

    /// Remembers a request. Returns the one that had to be forgotten for it, if any.
    pub fn ask(&mut self, id: Id, item: T) -> Option<T> {
        let forgotten = if self.waiting.len() >= self.max { self.pop_front() } else { None };
        self.waiting.push_back(Some(Waiting { id, item, next: None }));
        self.len += 1;
        forgotten
    }

    /// The request that a response with this id answers, if it is remembered.
    pub fn answer(&mut self, id: &Id) -> Option<T> {
        if *id == Id::Order {
            return self.answer_oldest();
        }
        self.index_rest();
        let (number, _) = *self.index.get(id)?;
        let item = self.take(number);
        while matches!(self.waiting.front(), Some(None)) {
            self.waiting.pop_front();
            self.first += 1;
        }
        item
    }

    /// The request that a response with this id would answer.
    pub fn waits(&mut self, id: &Id) -> Option<&T> {
        let number = if *id == Id::Order {
            if self.skipped > 0 {
                return None;
            }
            self.first
        } else {
            self.index_rest();
            self.index.get(id)?.0
        };
        let waiting = self.waiting.get((number - self.first) as usize)?.as_ref()?;
        Some(&waiting.item)
    }

    /// Where answers come in order there is nothing to look up.
    fn answer_oldest(&mut self) -> Option<T> {
        if self.skipped > 0 {
            self.skipped -= 1;
            return None;
        }
        let oldest = self.waiting.pop_front()??;
        self.len -= 1;
        self.first += 1;
        self.unindexed = self.unindexed.max(self.first);
        Some(oldest.item)
    }

    fn index_rest(&mut self) {
        let end = self.first + self.waiting.len() as u64;
        for number in self.unindexed..end {
            let Some(Some(asked)) = self.waiting.get((number - self.first) as usize) else { continue };
            match self.index.entry(asked.id.clone()) {
                Entry::Vacant(vacant) => {
                    vacant.insert((number, number));
                }
                Entry::Occupied(mut occupied) => {
                    let last = std::mem::replace(&mut occupied.get_mut().1, number);
                    if let Some(Some(previous)) = self.waiting.get_mut((last - self.first) as usize) {
                        previous.next = Some(number);
                    }
                }
            }
        }
        self.unindexed = end;
    }

    /// Forgets the oldest request that still waits, and returns it.
    pub fn forget(&mut self) -> Option<T> {
        while !self.waiting.is_empty() {
            if let Some(item) = self.pop_front() {
                return Some(item);
            }
        }
        None
    }

    /// Removes the oldest place, and returns its request if it still waits.
    fn pop_front(&mut self) -> Option<T> {
        if let Some(Some(Waiting { id: Id::Order, .. })) = self.waiting.front() {
            self.skipped += 1;
        }
        let item = self.take(self.first);
        if self.waiting.pop_front().is_some() {
            self.first += 1;
            self.unindexed = self.unindexed.max(self.first);
        }
        item
    }

    /// Takes a waiting request, the first of its id, out of the table.
    fn take(&mut self, number: u64) -> Option<T> {
        let taken = self.waiting.get_mut((number - self.first) as usize)?.take()?;
        self.len -= 1;
        if number >= self.unindexed {
            return Some(taken.item);
        }
        match taken.next {
            Some(next) => {
                if let Some((head, _)) = self.index.get_mut(&taken.id) {
                    *head = next;
                }
            }
            None => {
                self.index.remove(&taken.id);
            }
        }
        Some(taken.item)
    }

    /// The waiting requests, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.waiting.iter().flatten().map(|waiting| &waiting.item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Head, Kind};

    #[test]
    fn a_frame_without_a_request_id_goes_by_its_stream() {
        let id = |request_id, stream_id, by| {
            let head = Head { kind: Kind::Request, request_id, stream_id, header_len: 0, frame_len: 1, variant: 0 };
            Id::of(&Frame { head, bytes: b"x" }, by)
        };
        assert_eq!(id(RequestId::Int(7), Some(9), PairBy::Id), Some(Id::Int(7)));
        assert_eq!(id(RequestId::None, Some(7), PairBy::Id), Some(Id::Stream(7)));
        assert_eq!(id(RequestId::None, None, PairBy::Id), None);
        assert_eq!(id(RequestId::None, Some(7), PairBy::Stream), Some(Id::Int(7)));
        assert_eq!(id(RequestId::None, Some(7), PairBy::None), None);
    }

    #[test]
    fn equal_ids_answer_in_the_order_asked() {
        let mut pairing = Pairing::new(8);
        for (id, item) in [(0, 'a'), (7, 'x'), (0, 'b'), (0, 'c')] {
            assert_eq!(pairing.ask(Id::Int(id), item), None);
        }
        assert_eq!(pairing.waits(&Id::Int(0)), Some(&'a'));
        assert_eq!(pairing.answer(&Id::Int(0)), Some('a'));
        assert_eq!((pairing.waits(&Id::Int(7)).copied(), pairing.waits(&Id::Int(1)).copied()), (Some('x'), None));
        assert_eq!((pairing.waits(&Id::Int(0)).copied(), pairing.answer(&Id::Int(0))), (Some('b'), Some('b')));
        assert_eq!(pairing.answer(&Id::Int(7)), Some('x'));
        assert_eq!(pairing.answer(&Id::Int(0)), Some('c'));
        assert_eq!(pairing.answer(&Id::Int(0)), None);
        assert!(pairing.is_empty());
    }

    #[test]
    fn the_oldest_is_forgotten_beyond_the_bound() {
        let mut pairing = Pairing::new(2);
        pairing.ask(Id::Order, 1);
        pairing.ask(Id::Order, 2);
        assert_eq!(pairing.ask(Id::Order, 3), Some(1));
        assert_eq!(pairing.len(), 2);
        assert_eq!(pairing.iter().copied().collect::<Vec<_>>(), [2, 3]);
        // The answer of the forgotten one is nobody else's.
        assert_eq!((pairing.waits(&Id::Order).copied(), pairing.answer(&Id::Order)), (None, None));
        assert_eq!((pairing.waits(&Id::Order).copied(), pairing.answer(&Id::Order)), (Some(2), Some(2)));
        assert_eq!(pairing.answer(&Id::Order), Some(3));
        assert!(pairing.is_idle());
        for item in [1, 2, 3] {
            pairing.ask(Id::Order, item);
        }
        assert_eq!((pairing.forget(), pairing.forget()), (Some(2), Some(3)));
        assert!(pairing.is_empty() && !pairing.is_idle(), "three answers of forgotten ones are to come");
    }

    #[test]
    fn the_oldest_that_waits_can_be_forgotten() {
        let mut pairing = Pairing::new(8);
        for (id, item) in [(1, 'a'), (2, 'b'), (1, 'c')] {
            pairing.ask(Id::Int(id), item);
        }
        assert_eq!(pairing.answer(&Id::Int(2)), Some('b'));
        assert_eq!(pairing.forget(), Some('a'));
        assert_eq!(pairing.answer(&Id::Int(1)), Some('c'));
        assert_eq!(pairing.forget(), None);
    }

    #[test]
    fn holes_count_towards_the_bound() {
        let mut pairing = Pairing::new(3);
        pairing.ask(Id::Int(1), 1);
        for id in 2..100 {
            pairing.ask(Id::Int(id), id);
            assert_eq!(pairing.answer(&Id::Int(id)), Some(id));
            assert!(pairing.waiting.len() <= 3);
        }
    }
}
