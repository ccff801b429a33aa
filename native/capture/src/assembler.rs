//! Packets in, events out: finds the flow of each segment, opens and closes flows, enforces the limits.

use std::collections::VecDeque;

use crate::defrag::Defragmenter;
use crate::event::{CloseReason, Direction, Endpoint, Event, Flow, FlowId, Sink};
use crate::half::{Fit, Piece, Place, Shared};
use crate::limits::{Bounds, Limits, nanos};
use crate::packet::{self, LinkType, Packet, Segment};
use crate::stats::Stats;
use crate::table::{Key, Node, Table};

/// Ports from here on are handed out to clients by most systems (Linux: 32768, others: 49152).
const EPHEMERAL_PORTS: u16 = 32_768;
/// Ports below are reserved for servers.
const WELL_KNOWN_PORTS: u16 = 1024;

/// Reassembles TCP from single packets, for callers that have packets rather than a capture file.
///
/// It has no clock: time is what the packets' timestamps say. Not thread-safe by itself; flows do not interact, so a
/// caller may well run one for each thread.
#[derive(Debug)]
pub struct Assembler {
    table: Table,
    shared: Shared,
    defragmenter: Defragmenter,
    next_id: u64,
    /// Directions that wait for missing bytes, roughly the longest waiting first. May hold some that no longer do.
    waiting: VecDeque<Waiting>,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    slot: u32,
    id: FlowId,
    direction: Direction,
    since_ns: u64,
}

impl Assembler {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            table: Table::new(),
            shared: Shared { stats: Stats::default(), bounds: Bounds::from(limits), stored: 0 },
            defragmenter: Defragmenter::new(limits.datagrams, nanos(limits.gap_timeout)),
            next_id: 0,
            waiting: VecDeque::new(),
        }
    }

    /// What was seen so far.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.shared.stats
    }

    pub(crate) fn stats_mut(&mut self) -> &mut Stats {
        &mut self.shared.stats
    }

    /// Takes one packet.
    ///
    /// `timestamp_ns` is in nanoseconds since the Unix epoch, `data` what was captured of the packet, `wire_len` its
    /// length on the wire in bytes (the same, unless the capture has a snap length).
    #[inline]
    pub fn packet<S: Sink + ?Sized>(
        &mut self,
        link: LinkType,
        timestamp_ns: u64,
        data: &[u8],
        wire_len: usize,
        sink: &mut S,
    ) {
        self.expire(timestamp_ns, sink);
        let stats = &mut self.shared.stats;
        stats.packets += 1;
        stats.packet_bytes += data.len() as u64;
        match packet::parse(link, data, wire_len) {
            Packet::Tcp(segment) => self.segment(timestamp_ns, &segment, sink),
            Packet::Fragment(fragment) => {
                let whole = self.defragmenter.add(timestamp_ns, &fragment, stats);
                let Some(payload) = whole else { return };
                if fragment.id.protocol != etherparse::ip_number::TCP {
                    stats.non_tcp += 1;
                    return;
                }
                let id = fragment.id;
                match packet::tcp(id.source, id.destination, &payload, payload.len()) {
                    Packet::Tcp(segment) => self.segment(timestamp_ns, &segment, sink),
                    _ => stats.malformed += 1,
                }
            }
            Packet::NonIp => stats.non_ip += 1,
            Packet::NonTcp => stats.non_tcp += 1,
            Packet::Malformed => stats.malformed += 1,
        }
    }

    /// Ends the capture: gives up all gaps and closes all flows, least recently active first. A packet after this
    /// begins anew.
    pub fn finish<S: Sink + ?Sized>(&mut self, sink: &mut S) {
        while let Some((slot, last_seen_ns)) = self.table.oldest_open() {
            self.close(slot, last_seen_ns, CloseReason::EndOfCapture, sink);
        }
        while let Some((slot, _)) = self.table.oldest_lingering() {
            self.table.remove(slot);
        }
        self.waiting.clear();
        self.defragmenter.finish(&mut self.shared.stats);
    }

    #[inline]
    fn segment<S: Sink + ?Sized>(&mut self, now_ns: u64, segment: &Segment<'_>, sink: &mut S) {
        self.shared.stats.tcp_segments += 1;
        self.shared.stats.truncated += u64::from(segment.missing > 0);
        let (key, from_low) = Key::of(segment);
        let mut found = self.table.find(&key);
        if let Some(slot) = found
            && segment.syn
            && !self.accepts_syn(slot, from_low, segment.sequence)
        {
            self.close(slot, now_ns, CloseReason::Replaced, sink);
            self.table.remove(slot);
            found = None;
        }
        let has_data = !segment.payload.is_empty() || segment.missing > 0;
        let slot = match found {
            Some(slot) => slot,
            // Acknowledgements and ends of unknown flows tell nothing worth a flow.
            None if (has_data || segment.syn) && !segment.rst => self.open(now_ns, segment, key, from_low, sink),
            None => return,
        };
        let Some(node) = self.table.node(slot) else {
            return;
        };
        // It lingers no longer for that: a connection that goes on after a stray RST opens again soon.
        if node.closed {
            self.shared.stats.after_close_bytes += segment.payload.len() as u64;
            return;
        }
        self.table.touch(slot, now_ns);
        let Some(node) = self.table.node(slot) else {
            return;
        };
        let direction = node.direction(from_low);
        let (here, there) = (direction as usize, direction.flipped() as usize);
        if segment.syn {
            node.halves[here].syn(segment.sequence);
        }
        if let Some(acknowledgment) = segment.acknowledgment
            && !segment.rst
        {
            node.halves[there].acknowledge(acknowledgment, now_ns);
        }
        // The payload of a RST, if any, is a message about the RST and not part of the stream.
        if segment.rst {
            self.close(slot, now_ns, CloseReason::Rst, sink);
            return;
        }
        if has_data || segment.fin {
            let piece = Piece {
                sequence: segment.sequence.wrapping_add(u32::from(segment.syn)),
                bytes: segment.payload,
                missing: segment.missing,
                fin: segment.fin,
                timestamp_ns: now_ns,
            };
            let place = Place { flow: &node.flow, direction };
            let fit = node.halves[here].receive(place, piece, &mut self.shared, sink);
            if fit == Fit::OtherStream {
                self.close(slot, now_ns, CloseReason::Replaced, sink);
                self.table.remove(slot);
                self.segment_again(now_ns, segment, sink);
                return;
            }
        }
        if node.halves[0].is_stalled() || node.halves[1].is_stalled() {
            self.care_for_stalled(slot, now_ns, sink);
        }
        self.close_if_finished(slot, now_ns, sink);
    }

    /// The segment opens a new flow, now that the one it did not fit has gone.
    #[cold]
    fn segment_again<S: Sink + ?Sized>(&mut self, now_ns: u64, segment: &Segment<'_>, sink: &mut S) {
        // Counted when it first came.
        self.shared.stats.tcp_segments -= 1;
        self.shared.stats.truncated -= u64::from(segment.missing > 0);
        self.segment(now_ns, segment, sink);
    }

    fn accepts_syn(&mut self, slot: u32, from_low: bool, sequence: u32) -> bool {
        self.table.node(slot).is_some_and(|node| {
            let direction = node.direction(from_low);
            node.halves[direction as usize].accepts_syn(sequence)
        })
    }

    #[cold]
    fn open<S: Sink + ?Sized>(
        &mut self,
        now_ns: u64,
        segment: &Segment<'_>,
        key: Key,
        from_low: bool,
        sink: &mut S,
    ) -> u32 {
        while self.table.len() >= self.shared.bounds.flows {
            self.evict(sink);
        }
        let source = Endpoint { addr: segment.source, port: segment.source_port };
        let destination = Endpoint { addr: segment.destination, port: segment.destination_port };
        let from_client = if segment.syn {
            segment.acknowledgment.is_none()
        } else {
            port_class(source.port) >= port_class(destination.port)
        };
        let (client, server) = if from_client { (source, destination) } else { (destination, source) };
        let slot = self.table.next_slot();
        let flow = Flow { id: FlowId(self.next_id), slot, client, server, midstream: !segment.syn };
        self.next_id += 1;
        self.shared.stats.flows += 1;
        self.shared.stats.open_flows += 1;
        sink.event(Event::Opened { flow: &flow, timestamp_ns: now_ns });
        self.table.insert(Node::new(flow, key, from_client == from_low, now_ns));
        slot
    }

    #[cold]
    fn evict<S: Sink + ?Sized>(&mut self, sink: &mut S) {
        if let Some((slot, _)) = self.table.oldest_lingering() {
            self.table.remove(slot);
        } else if let Some((slot, last_seen_ns)) = self.table.oldest_open() {
            self.shared.stats.evicted += 1;
            self.close(slot, last_seen_ns, CloseReason::Evicted, sink);
            self.table.remove(slot);
        }
    }

    /// Gives up what waits in a flow, tells of its end, and lets it linger. Does nothing to a closed one.
    #[cold]
    fn close<S: Sink + ?Sized>(&mut self, slot: u32, now_ns: u64, reason: CloseReason, sink: &mut S) {
        let Some(node) = self.table.node(slot) else {
            return;
        };
        if node.closed {
            return;
        }
        for direction in Direction::BOTH {
            let place = Place { flow: &node.flow, direction };
            node.halves[direction as usize].flush(place, now_ns, &mut self.shared, sink);
        }
        sink.event(Event::Closed { flow: &node.flow, timestamp_ns: now_ns, reason });
        self.shared.stats.open_flows -= 1;
        self.table.linger(slot, now_ns);
    }

    #[inline]
    fn close_if_finished<S: Sink + ?Sized>(&mut self, slot: u32, now_ns: u64, sink: &mut S) {
        if let Some(node) = self.table.node(slot)
            && node.halves[0].finished
            && node.halves[1].finished
        {
            self.close(slot, now_ns, CloseReason::Fin, sink);
        }
    }

    /// Gives up acknowledged gaps of a flow, and sees to it that the others are not forgotten.
    #[cold]
    fn care_for_stalled<S: Sink + ?Sized>(&mut self, slot: u32, now_ns: u64, sink: &mut S) {
        let Some(node) = self.table.node(slot) else {
            return;
        };
        for direction in Direction::BOTH {
            let place = Place { flow: &node.flow, direction };
            let half = &mut node.halves[direction as usize];
            half.skip_acknowledged(place, now_ns, &mut self.shared, sink);
            if half.is_stalled() && !half.queued {
                half.queued = true;
                self.waiting.push_back(Waiting { slot, id: node.flow.id, direction, since_ns: half.stalled_since_ns });
            }
        }
        while self.shared.stored > self.shared.bounds.total_bytes {
            let Some(waiting) = self.waiting.pop_front() else {
                break;
            };
            self.shared.stats.over_limit += 1;
            self.give_up(waiting, now_ns, sink);
        }
        if self.waiting.len() > 2 * self.table.len() + 64 {
            self.forget_done();
        }
    }

    /// Drops entries of flows that are gone, so that the list stays in proportion to the flows.
    fn forget_done(&mut self) {
        let table = &mut self.table;
        self.waiting
            .retain(|waiting| table.node(waiting.slot).is_some_and(|node| node.flow.id == waiting.id && !node.closed));
    }

    /// Gives up all gaps of a waiting direction that has been taken off the list.
    fn give_up<S: Sink + ?Sized>(&mut self, waiting: Waiting, now_ns: u64, sink: &mut S) {
        let Some(node) = self.table.node(waiting.slot) else {
            return;
        };
        if node.flow.id != waiting.id || node.closed {
            return;
        }
        let place = Place { flow: &node.flow, direction: waiting.direction };
        let half = &mut node.halves[waiting.direction as usize];
        half.queued = false;
        half.flush(place, now_ns, &mut self.shared, sink);
        self.close_if_finished(waiting.slot, now_ns, sink);
    }

    /// Lets go what has been waiting, idle or lingering for too long.
    #[inline]
    fn expire<S: Sink + ?Sized>(&mut self, now_ns: u64, sink: &mut S) {
        while let Some((slot, last_seen_ns)) = self.table.oldest_lingering()
            && now_ns.saturating_sub(last_seen_ns) > self.shared.bounds.linger_ns
        {
            self.table.remove(slot);
        }
        while let Some((slot, last_seen_ns)) = self.table.oldest_open()
            && now_ns.saturating_sub(last_seen_ns) > self.shared.bounds.idle_ns
        {
            self.close(slot, last_seen_ns, CloseReason::Idle, sink);
            self.table.remove(slot);
        }
        if !self.waiting.is_empty() {
            self.expire_waiting(now_ns, sink);
        }
    }

    #[cold]
    fn expire_waiting<S: Sink + ?Sized>(&mut self, now_ns: u64, sink: &mut S) {
        while let Some(&waiting) = self.waiting.front() {
            let half = match self.table.node(waiting.slot) {
                Some(node) if node.flow.id == waiting.id && !node.closed => {
                    &mut node.halves[waiting.direction as usize]
                }
                _ => {
                    self.waiting.pop_front();
                    continue;
                }
            };
            if !half.is_stalled() {
                half.queued = false;
                self.waiting.pop_front();
            } else if half.stalled_since_ns != waiting.since_ns {
                // It got on in the meantime: to the back, once for each time it did.
                let since_ns = half.stalled_since_ns;
                self.waiting.pop_front();
                self.waiting.push_back(Waiting { since_ns, ..waiting });
            } else if now_ns.saturating_sub(waiting.since_ns) > self.shared.bounds.gap_ns {
                self.waiting.pop_front();
                self.give_up(waiting, now_ns, sink);
            } else {
                break;
            }
        }
    }
}

/// How likely a port is to be a client's.
fn port_class(port: u16) -> u8 {
    match port {
        ..WELL_KNOWN_PORTS => 0,
        WELL_KNOWN_PORTS..EPHEMERAL_PORTS => 1,
        EPHEMERAL_PORTS.. => 2,
    }
}
