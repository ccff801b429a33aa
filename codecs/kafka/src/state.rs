//! What a connection remembers: which API and version each unanswered request was of, and whether SASL tokens travel.
//!
//! Clients count their correlation ids, so the lowest bits of the ids in flight differ: they are the place of a request in
//! a table, which doubles where two meet, up to `max_in_flight`. Beyond that the newer request takes the place. The
//! table is never given back, so that a warm connection allocates nothing.

use metaprotocol_core::Limits;

use crate::wire::Variant;

/// Places of the first table.
const FIRST_LEN: usize = 64;

/// One place of the table: a correlation id in the upper half, the note of its request in the lower.
type Slot = u64;

/// A place where no request waits. No note is all ones.
const FREE: Slot = u64::MAX;

#[inline(always)]
const fn slot(id: i32, note: u32) -> Slot {
    (id.cast_unsigned() as u64) << 32 | note as u64
}

const fn id_of(slot: Slot) -> i32 {
    ((slot >> 32) as u32).cast_signed()
}

/// How far the tagged fields of a header have been walked that are not all there.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Walked {
    /// Where the next one begins; 0 before the first look.
    pub(crate) at: usize,
    /// How many there still are.
    pub(crate) left: usize,
}

/// What one connection remembers.
#[derive(Debug, Default)]
pub struct State {
    /// A power of two of places, or none yet.
    slots: Vec<Slot>,
    /// The client has sent a SaslHandshake.
    pub(crate) logs_in: bool,
    /// The client has sent a SaslHandshake of version 0 and no request since: its frames may be tokens.
    pub(crate) client_tokens: bool,
    /// The same of the server.
    pub(crate) server_tokens: bool,
    pub(crate) client_walked: Walked,
    pub(crate) server_walked: Walked,
}

impl State {
    #[inline(always)]
    fn place(&self, id: i32) -> usize {
        id.cast_unsigned() as usize & self.slots.len().wrapping_sub(1)
    }

    /// Remembers a request until it is answered.
    #[inline(always)]
    pub(crate) fn remember(&mut self, id: i32, note: u32, limits: &Limits) {
        let place = self.place(id);
        match self.slots.get_mut(place) {
            Some(place @ &mut FREE) => *place = slot(id, note),
            _ => self.make_room(id, note, limits),
        }
    }

    /// Remembers a request whose place is taken, or for which there is none.
    #[cold]
    fn make_room(&mut self, id: i32, note: u32, limits: &Limits) {
        loop {
            let place = self.place(id);
            let taken = self.slots.get(place).copied();
            // Which of two requests with one id a response answers cannot be known, unless they are the same.
            let twice = taken.filter(|taken| id_of(*taken) == id && *taken != FREE);
            if twice.is_none() && taken != Some(FREE) && self.grow(limits) {
                continue;
            }
            let note = if twice.is_some_and(|taken| taken as u32 != note) { Variant::UNKNOWN } else { note };
            if let Some(place) = self.slots.get_mut(place) {
                *place = slot(id, note);
            }
            return;
        }
    }

    /// Doubles the table; false if it is as large as it may be.
    fn grow(&mut self, limits: &Limits) -> bool {
        let most = limits.max_in_flight.max(1);
        // The largest power of two that is not more.
        let most = 1_usize << most.ilog2();
        let len = (self.slots.len() * 2).clamp(FIRST_LEN.min(most), most);
        if len == self.slots.len() {
            return false;
        }
        let old = std::mem::replace(&mut self.slots, vec![FREE; len]);
        for taken in old {
            let place = self.place(id_of(taken));
            if let (true, Some(free)) = (taken != FREE, self.slots.get_mut(place)) {
                *free = taken;
            }
        }
        true
    }

    /// The note of the request with this id, if one waits.
    #[inline(always)]
    pub(crate) fn find(&self, id: i32) -> Option<u32> {
        self.slots
            .get(self.place(id))
            .filter(|taken| id_of(**taken) == id && **taken != FREE)
            .map(|taken| *taken as u32)
    }

    /// Forgets a request that has been answered.
    #[inline(always)]
    pub(crate) fn forget(&mut self, id: i32) {
        let place = self.place(id);
        if let Some(taken) = self.slots.get_mut(place)
            && id_of(*taken) == id
        {
            *taken = FREE;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTE: u32 = Variant::pack(1, 2);

    #[test]
    fn requests_wait_until_they_are_answered() {
        let (mut state, limits) = (State::default(), Limits::default());
        assert_eq!(state.find(0), None);
        for id in -50..50 {
            state.remember(id, Variant::pack(1, id as i16 & 7), &limits);
        }
        for id in -50..50 {
            assert_eq!(state.find(id), Some(Variant::pack(1, id as i16 & 7)), "{id}");
            state.forget(id);
            assert_eq!(state.find(id), None);
        }
    }

    #[test]
    fn the_table_is_no_larger_than_it_may_be() {
        let (mut state, limits) = (State::default(), Limits { max_in_flight: 100, ..Limits::default() });
        for id in 0..1000 {
            state.remember(id * 1024, NOTE, &limits);
        }
        assert_eq!(state.slots.len(), 64);
        assert_eq!(state.find(999 * 1024), Some(NOTE), "the newest takes the place");
        for id in 0..64 {
            state.remember(id, NOTE, &limits);
        }
        assert!((1..64).all(|id| state.find(id) == Some(NOTE)));
        let (mut state, limits) = (State::default(), Limits { max_in_flight: 0, ..Limits::default() });
        state.remember(7, NOTE, &limits);
        assert_eq!((state.slots.len(), state.find(7)), (1, Some(NOTE)));
    }

    #[test]
    fn equal_ids_of_different_requests_are_nobodys() {
        let (mut state, limits) = (State::default(), Limits::default());
        state.remember(7, NOTE, &limits);
        state.remember(7, NOTE, &limits);
        assert_eq!(state.find(7), Some(NOTE));
        state.remember(7, Variant::pack(3, 3), &limits);
        assert_eq!(state.find(7), Some(Variant::UNKNOWN));
        state.forget(7);
        assert_eq!(state.find(7), None);
    }
}
