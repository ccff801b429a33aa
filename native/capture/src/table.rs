//! The flows, found by their two ends and kept in the order of their last packet.
//!
//! Nodes live in a slab and are linked into one of two lists by slot number, least recently active first: open flows,
//! and closed ones that linger. All operations take constant time.

use std::collections::HashMap;
use std::net::IpAddr;

use foldhash::fast::RandomState;

use crate::event::{Direction, Flow};
use crate::half::Half;
use crate::packet::Segment;

const NONE: u32 = u32::MAX;

/// The two ends of a flow, smaller one first, so that both directions have the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    low_addr: u128,
    high_addr: u128,
    /// Bits 0..16 the high end's port, 16..32 the low end's, 32 set for IPv6.
    ports: u64,
}

impl Key {
    /// The key, and whether the segment's source is the low end.
    #[inline]
    pub(crate) fn of(segment: &Segment<'_>) -> (Self, bool) {
        let source = (number(segment.source), segment.source_port);
        let destination = (number(segment.destination), segment.destination_port);
        let from_low = source <= destination;
        let (low, high) = if from_low { (source, destination) } else { (destination, source) };
        let key = Self {
            low_addr: low.0,
            high_addr: high.0,
            ports: u64::from(segment.source.is_ipv6()) << 32 | u64::from(low.1) << 16 | u64::from(high.1),
        };
        (key, from_low)
    }
}

#[inline]
fn number(addr: IpAddr) -> u128 {
    match addr {
        IpAddr::V4(addr) => u128::from(addr.to_bits()),
        IpAddr::V6(addr) => addr.to_bits(),
    }
}

/// A flow and all that is known of it.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) flow: Flow,
    pub(crate) halves: [Half; 2],
    pub(crate) last_seen_ns: u64,
    /// Lingers after its [`Event::Closed`](crate::Event::Closed).
    pub(crate) closed: bool,
    client_is_low: bool,
    key: Key,
    previous: u32,
    next: u32,
}

impl Node {
    pub(crate) fn new(flow: Flow, key: Key, client_is_low: bool, now_ns: u64) -> Self {
        Self {
            flow,
            halves: [Half::default(), Half::default()],
            last_seen_ns: now_ns,
            closed: false,
            client_is_low,
            key,
            previous: NONE,
            next: NONE,
        }
    }

    #[inline]
    pub(crate) fn direction(&self, from_low: bool) -> Direction {
        if from_low == self.client_is_low { Direction::ClientToServer } else { Direction::ServerToClient }
    }
}

#[derive(Debug)]
struct List {
    head: u32,
    tail: u32,
}

impl List {
    const EMPTY: Self = Self { head: NONE, tail: NONE };

    fn push_back(&mut self, nodes: &mut [Option<Node>], slot: u32) {
        let tail = self.tail;
        if let Some(node) = entry(nodes, slot) {
            node.previous = tail;
            node.next = NONE;
        }
        match entry(nodes, tail) {
            Some(last) => last.next = slot,
            None => self.head = slot,
        }
        self.tail = slot;
    }

    fn unlink(&mut self, nodes: &mut [Option<Node>], slot: u32) {
        let Some(node) = entry(nodes, slot) else {
            return;
        };
        let (previous, next) = (node.previous, node.next);
        match entry(nodes, previous) {
            Some(node) => node.next = next,
            None => self.head = next,
        }
        match entry(nodes, next) {
            Some(node) => node.previous = previous,
            None => self.tail = previous,
        }
    }
}

fn entry(nodes: &mut [Option<Node>], slot: u32) -> Option<&mut Node> {
    nodes.get_mut(slot as usize)?.as_mut()
}

#[derive(Debug)]
pub(crate) struct Table {
    nodes: Vec<Option<Node>>,
    free: Vec<u32>,
    by_key: HashMap<Key, u32, RandomState>,
    open: List,
    lingering: List,
    /// The flow of the last look-up: packets come in bursts.
    last: Option<(Key, u32)>,
}

impl Table {
    pub(crate) fn new() -> Self {
        Self {
            nodes: Vec::new(),
            free: Vec::new(),
            by_key: HashMap::default(),
            open: List::EMPTY,
            lingering: List::EMPTY,
            last: None,
        }
    }

    /// Flows kept, open and lingering.
    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    #[inline]
    pub(crate) fn find(&mut self, key: &Key) -> Option<u32> {
        match self.last {
            Some((last, slot)) if last == *key => Some(slot),
            _ => {
                let slot = *self.by_key.get(key)?;
                self.last = Some((*key, slot));
                Some(slot)
            }
        }
    }

    #[inline]
    pub(crate) fn node(&mut self, slot: u32) -> Option<&mut Node> {
        entry(&mut self.nodes, slot)
    }

    /// The slot that the next [`insert`](Self::insert) will use.
    pub(crate) fn next_slot(&self) -> u32 {
        self.free.last().copied().unwrap_or(self.nodes.len() as u32)
    }

    pub(crate) fn insert(&mut self, node: Node) {
        let slot = self.next_slot();
        self.by_key.insert(node.key, slot);
        if self.free.pop().is_some() {
            self.nodes[slot as usize] = Some(node);
        } else {
            self.nodes.push(Some(node));
        }
        self.open.push_back(&mut self.nodes, slot);
    }

    /// Notes activity of an open flow.
    #[inline]
    pub(crate) fn touch(&mut self, slot: u32, now_ns: u64) {
        let Some(node) = entry(&mut self.nodes, slot) else {
            return;
        };
        node.last_seen_ns = now_ns;
        let closed = node.closed;
        let list = if closed { &mut self.lingering } else { &mut self.open };
        if list.tail != slot {
            list.unlink(&mut self.nodes, slot);
            list.push_back(&mut self.nodes, slot);
        }
    }

    /// Moves an open flow among those that linger.
    pub(crate) fn linger(&mut self, slot: u32, now_ns: u64) {
        match entry(&mut self.nodes, slot) {
            Some(node) if !node.closed => {
                node.closed = true;
                node.last_seen_ns = now_ns;
            }
            _ => return,
        }
        self.open.unlink(&mut self.nodes, slot);
        self.lingering.push_back(&mut self.nodes, slot);
    }

    pub(crate) fn remove(&mut self, slot: u32) {
        let Some(node) = entry(&mut self.nodes, slot) else {
            return;
        };
        let (key, closed) = (node.key, node.closed);
        if closed {
            self.lingering.unlink(&mut self.nodes, slot);
        } else {
            self.open.unlink(&mut self.nodes, slot);
        }
        self.by_key.remove(&key);
        self.last = None;
        self.nodes[slot as usize] = None;
        self.free.push(slot);
    }

    /// The open flow whose last packet is the longest ago, and the time of that packet.
    #[inline]
    pub(crate) fn oldest_open(&mut self) -> Option<(u32, u64)> {
        let slot = self.open.head;
        Some((slot, self.node(slot)?.last_seen_ns))
    }

    /// The same of the lingering flows.
    #[inline]
    pub(crate) fn oldest_lingering(&mut self) -> Option<(u32, u64)> {
        let slot = self.lingering.head;
        Some((slot, self.node(slot)?.last_seen_ns))
    }
}
