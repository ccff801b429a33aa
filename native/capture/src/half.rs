//! One direction of one flow: segments in, bytes in order out.
//!
//! Positions are 64-bit offsets into the stream, so that sequence numbers may wrap. `sequence` is the 32-bit number of
//! position `position`, the next byte wanted; a segment lies where its distance from there, as a signed 32-bit number,
//! says. Early segments wait in `pending`, cut so that they never overlap with each other.

use std::collections::BTreeMap;

use crate::event::{Direction, Event, Flow, Sink};
use crate::limits::Bounds;
use crate::stats::Stats;

/// Twice the largest TCP window would be 2 GiB; a segment farther away than this is not of this stream.
const REACH: i64 = 1 << 30;

/// What storing one segment costs besides its bytes (tree node, allocation), so that tiny segments count too.
const STORED_OVERHEAD: usize = 96;

/// A segment's part that concerns the stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece<'a> {
    /// Of the first byte of `bytes`.
    pub(crate) sequence: u32,
    pub(crate) bytes: &'a [u8],
    /// Bytes behind them that were not captured.
    pub(crate) missing: u32,
    pub(crate) fin: bool,
    pub(crate) timestamp_ns: u64,
}

/// What became of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// It was delivered, stored or known.
    Taken,
    /// It is out of reach.
    Stray,
    /// It is out of reach, but goes on where the last stray ended: another connection has taken the ports.
    OtherStream,
}

/// Which direction of which flow.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) flow: &'a Flow,
    pub(crate) direction: Direction,
}

/// What all flows share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) stats: Stats,
    pub(crate) bounds: Bounds,
    /// Bytes stored for all flows, overhead included.
    pub(crate) stored: usize,
}

impl Shared {
    fn store(&mut self, cost: usize) {
        self.stored += cost;
        self.stats.stored_bytes = self.stored as u64;
        self.stats.stored_bytes_peak = self.stats.stored_bytes_peak.max(self.stats.stored_bytes);
    }

    fn release(&mut self, cost: usize) {
        self.stored -= cost;
        self.stats.stored_bytes = self.stored as u64;
    }
}

#[derive(Debug)]
struct Stored {
    bytes: Box<[u8]>,
    missing: u64,
    timestamp_ns: u64,
}

impl Stored {
    fn len(&self) -> u64 {
        self.bytes.len() as u64 + self.missing
    }

    fn cost(&self) -> usize {
        self.bytes.len() + STORED_OVERHEAD
    }
}

#[derive(Debug, Default)]
pub(crate) struct Half {
    /// `sequence` is known.
    started: bool,
    sequence: u32,
    position: u64,
    /// Of the SYN, if it was seen.
    initial_sequence: Option<u32>,
    /// Where the stream ends.
    fin: Option<u64>,
    /// The end was reached and told.
    pub(crate) finished: bool,
    /// The other side has everything before this position.
    acknowledged: u64,
    /// When it first said so of something not delivered yet.
    acknowledged_since_ns: u64,
    pending: BTreeMap<u64, Stored>,
    pending_cost: usize,
    /// Since when it waits for missing bytes; moves on with each byte delivered.
    pub(crate) stalled_since_ns: u64,
    /// Is in the assembler's list of waiting directions.
    pub(crate) queued: bool,
    /// Where the last stray segment ended.
    stray_end: Option<u32>,
}

impl Half {
    /// A SYN with this sequence number belongs to this stream: it is its own again, or nothing is known yet.
    pub(crate) fn accepts_syn(&self, sequence: u32) -> bool {
        match self.initial_sequence {
            Some(initial) => initial == sequence,
            // An acknowledgement from the other side may have told the number before.
            None => {
                !self.started
                    || (self.position == 0 && self.pending.is_empty() && self.sequence == sequence.wrapping_add(1))
            }
        }
    }

    pub(crate) fn syn(&mut self, sequence: u32) {
        if self.initial_sequence.is_none() {
            self.initial_sequence = Some(sequence);
            self.start(sequence.wrapping_add(1));
        }
    }

    fn start(&mut self, sequence: u32) {
        if !self.started {
            self.started = true;
            self.sequence = sequence;
        }
    }

    /// The other side acknowledged everything before `acknowledgment`.
    #[inline]
    pub(crate) fn acknowledge(&mut self, acknowledgment: u32, now_ns: u64) {
        if !self.started {
            // What was acknowledged was sent before the capture began, or is lost to it.
            self.start(acknowledgment);
            return;
        }
        let ahead = distance(acknowledgment, self.sequence);
        if ahead > 0 && ahead < REACH {
            if self.acknowledged <= self.position {
                self.acknowledged_since_ns = now_ns;
            }
            self.acknowledged = self.acknowledged.max(self.position + ahead as u64);
        }
    }

    /// Waits for bytes that are missing.
    #[inline]
    pub(crate) fn is_stalled(&self) -> bool {
        !self.pending.is_empty() || (self.fin.is_some() && !self.finished)
    }

    /// Takes a segment with payload or FIN.
    #[inline]
    pub(crate) fn receive<S: Sink + ?Sized>(
        &mut self,
        place: Place<'_>,
        piece: Piece<'_>,
        shared: &mut Shared,
        sink: &mut S,
    ) -> Fit {
        self.start(piece.sequence);
        if self.finished {
            let extra = piece.bytes.len() as u64;
            // Retransmissions of the end are everyday; what lies beyond the end is not.
            if distance(piece.sequence, self.sequence) < 0 {
                shared.stats.retransmitted_bytes += extra;
                shared.stats.retransmitted_segments += u64::from(extra > 0);
            } else {
                shared.stats.after_close_bytes += extra;
            }
            return Fit::Taken;
        }
        if piece.sequence == self.sequence && self.pending.is_empty() && self.fin.is_none() {
            self.deliver(place, piece.bytes, u64::from(piece.missing), piece.timestamp_ns, shared, sink);
            if piece.fin {
                self.fin = Some(self.position);
                self.finish_at_fin(place, piece.timestamp_ns, sink);
            }
            return Fit::Taken;
        }
        self.receive_out_of_order(place, piece, shared, sink)
    }

    fn receive_out_of_order<S: Sink + ?Sized>(
        &mut self,
        place: Place<'_>,
        piece: Piece<'_>,
        shared: &mut Shared,
        sink: &mut S,
    ) -> Fit {
        let len = piece.bytes.len() as u64 + u64::from(piece.missing);
        let away = distance(piece.sequence, self.sequence);
        if away.abs() > REACH {
            shared.stats.strays += 1;
            let continued = self.stray_end == Some(piece.sequence) && len > 0;
            self.stray_end = Some(piece.sequence.wrapping_add(len as u32));
            return if continued { Fit::OtherStream } else { Fit::Stray };
        }
        let was_stalled = self.is_stalled();
        // Relative to the position, where the stream's beginning may lie behind.
        let (begin, end) = (away, away + len as i64);
        if piece.fin && end >= 0 && self.fin.is_none() {
            self.fin = Some(self.position + end as u64);
        }
        if len > 0 {
            if end <= 0 {
                if begin == -1 && len == 1 {
                    shared.stats.keep_alives += 1;
                } else {
                    shared.stats.retransmitted_segments += 1;
                    shared.stats.retransmitted_bytes += piece.bytes.len() as u64;
                }
            } else {
                let mut bytes = piece.bytes;
                let mut missing = u64::from(piece.missing);
                if begin < 0 {
                    let known = begin.unsigned_abs();
                    shared.stats.overlaps += 1;
                    let cut = usize::try_from(known).unwrap_or(usize::MAX).min(bytes.len());
                    shared.stats.retransmitted_bytes += cut as u64;
                    missing -= known - cut as u64;
                    bytes = &bytes[cut..];
                }
                if begin <= 0 && self.pending.is_empty() && self.fin.is_none_or(|fin| fin >= self.position + end as u64)
                {
                    self.deliver(place, bytes, missing, piece.timestamp_ns, shared, sink);
                    self.stalled_since_ns = piece.timestamp_ns;
                } else {
                    if begin > 0 {
                        shared.stats.out_of_order += 1;
                    }
                    let at = self.position + begin.max(0) as u64;
                    self.store(at, bytes, missing, piece.timestamp_ns, shared);
                }
            }
        }
        self.drain(place, piece.timestamp_ns, shared, sink);
        if !was_stalled {
            self.stalled_since_ns = piece.timestamp_ns;
        }
        while self.pending_cost > shared.bounds.stream_bytes {
            shared.stats.over_limit += 1;
            self.skip_gap(place, piece.timestamp_ns, shared, sink);
        }
        Fit::Taken
    }

    /// Gives up gaps that the receiver has acknowledged, once the grace is over.
    #[inline]
    pub(crate) fn skip_acknowledged<S: Sink + ?Sized>(
        &mut self,
        place: Place<'_>,
        now_ns: u64,
        shared: &mut Shared,
        sink: &mut S,
    ) {
        while self.acknowledged > self.position
            && now_ns.saturating_sub(self.acknowledged_since_ns) >= shared.bounds.ack_grace_ns
            && self.gap_end().is_some_and(|end| end <= self.acknowledged)
        {
            self.skip_gap(place, now_ns, shared, sink);
        }
    }

    /// Gives up every gap, so that nothing is left waiting.
    pub(crate) fn flush<S: Sink + ?Sized>(&mut self, place: Place<'_>, now_ns: u64, shared: &mut Shared, sink: &mut S) {
        while self.is_stalled() {
            self.skip_gap(place, now_ns, shared, sink);
        }
    }

    /// Where the first gap ends; `None` if there is no gap.
    fn gap_end(&self) -> Option<u64> {
        let stored = self.pending.first_key_value().map(|(at, _)| *at);
        let fin = self.fin.filter(|_| !self.finished);
        match (stored, fin) {
            (Some(stored), Some(fin)) => Some(stored.min(fin)),
            (stored, fin) => stored.or(fin),
        }
    }

    /// Reports the first gap and goes on behind it. Every call ends with less to wait for.
    fn skip_gap<S: Sink + ?Sized>(&mut self, place: Place<'_>, now_ns: u64, shared: &mut Shared, sink: &mut S) {
        let Some(end) = self.gap_end() else {
            return;
        };
        let timestamp_ns = self
            .pending
            .first_key_value()
            .filter(|(at, _)| **at == end)
            .map_or(now_ns, |(_, stored)| stored.timestamp_ns);
        let missing = end.saturating_sub(self.position);
        self.gap(place, missing, timestamp_ns, shared, sink);
        self.stalled_since_ns = now_ns;
        self.drain(place, now_ns, shared, sink);
    }

    /// Delivers what has become in order.
    fn drain<S: Sink + ?Sized>(&mut self, place: Place<'_>, now_ns: u64, shared: &mut Shared, sink: &mut S) {
        while self.fin.is_none_or(|fin| fin > self.position)
            && let Some(first) = self.pending.first_entry()
            && *first.key() <= self.position
        {
            let (_, mut stored) = first.remove_entry();
            self.release(&stored, shared);
            // Bytes beyond the end of the stream belong to nobody.
            if let Some(fin) = self.fin {
                let room = fin - self.position;
                let kept = stored.bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
                shared.stats.after_close_bytes += (stored.bytes.len() - kept) as u64;
                stored.missing = stored.missing.min(room - kept as u64);
                self.deliver(place, &stored.bytes[..kept], stored.missing, stored.timestamp_ns, shared, sink);
            } else {
                self.deliver(place, &stored.bytes, stored.missing, stored.timestamp_ns, shared, sink);
            }
            self.stalled_since_ns = now_ns;
        }
        if self.fin.is_some_and(|fin| fin <= self.position) {
            while let Some((_, stored)) = self.pending.pop_first() {
                shared.stats.after_close_bytes += stored.bytes.len() as u64;
                self.release(&stored, shared);
            }
            self.finish_at_fin(place, now_ns, sink);
        }
    }

    fn finish_at_fin<S: Sink + ?Sized>(&mut self, place: Place<'_>, now_ns: u64, sink: &mut S) {
        if !self.finished {
            self.finished = true;
            sink.event(Event::HalfClosed { flow: place.flow, direction: place.direction, timestamp_ns: now_ns });
        }
    }

    /// Hands out bytes that begin at the position, and reports what was cut off behind them.
    #[inline]
    fn deliver<S: Sink + ?Sized>(
        &mut self,
        place: Place<'_>,
        bytes: &[u8],
        missing: u64,
        timestamp_ns: u64,
        shared: &mut Shared,
        sink: &mut S,
    ) {
        if !bytes.is_empty() {
            shared.stats.stream_bytes += bytes.len() as u64;
            let offset = self.position;
            self.advance(bytes.len() as u64);
            sink.event(Event::Data { flow: place.flow, direction: place.direction, timestamp_ns, offset, bytes });
        }
        if missing > 0 {
            self.gap(place, missing, timestamp_ns, shared, sink);
        }
    }

    fn gap<S: Sink + ?Sized>(
        &mut self,
        place: Place<'_>,
        missing: u64,
        timestamp_ns: u64,
        shared: &mut Shared,
        sink: &mut S,
    ) {
        if missing == 0 {
            return;
        }
        shared.stats.gaps += 1;
        shared.stats.gap_bytes += missing;
        let offset = self.position;
        self.advance(missing);
        sink.event(Event::Gap { flow: place.flow, direction: place.direction, timestamp_ns, offset, missing });
    }

    #[inline]
    fn advance(&mut self, len: u64) {
        self.position += len;
        // Sequence numbers count modulo 2^32.
        self.sequence = self.sequence.wrapping_add(len as u32);
    }

    /// Stores the parts of an early segment that are not stored yet.
    fn store(&mut self, at: u64, bytes: &[u8], missing: u64, timestamp_ns: u64, shared: &mut Shared) {
        let end = at + bytes.len() as u64 + missing;
        let mut begin = at;
        if let Some((before, stored)) = self.pending.range(..=at).next_back() {
            begin = begin.max(before + stored.len());
        }
        let mut fresh = 0;
        while begin < end {
            let next = self.pending.range(begin..).next().map(|(next, stored)| (*next, next + stored.len()));
            let stop = next.map_or(end, |(next, _)| next.min(end));
            if stop > begin {
                // The part from `begin` to `stop`: its captured bytes, then what of it was not captured.
                let captured = at + bytes.len() as u64;
                let from = (begin.min(captured) - at) as usize;
                let to = (stop.min(captured) - at) as usize;
                let part = Stored {
                    bytes: Box::from(&bytes[from..to]),
                    missing: stop - begin - (to - from) as u64,
                    timestamp_ns,
                };
                fresh += (to - from) as u64;
                self.pending_cost += part.cost();
                shared.store(part.cost());
                self.pending.insert(begin, part);
            }
            begin = next.map_or(end, |(_, next_end)| next_end);
        }
        let known = bytes.len() as u64 - fresh;
        if known > 0 {
            shared.stats.retransmitted_bytes += known;
            if fresh == 0 {
                shared.stats.retransmitted_segments += 1;
            } else {
                shared.stats.overlaps += 1;
            }
        }
    }

    fn release(&mut self, stored: &Stored, shared: &mut Shared) {
        self.pending_cost -= stored.cost();
        shared.release(stored.cost());
    }
}

/// How far `sequence` is ahead of `from`, sequence numbers being circular.
#[inline]
fn distance(sequence: u32, from: u32) -> i64 {
    i64::from(sequence.wrapping_sub(from).cast_signed())
}
