//! IP datagrams from their fragments. `etherparse` puts one together; this module bounds how many are under way.

use std::collections::VecDeque;

use etherparse::defrag::IpDefragBuf;

use crate::packet::{DatagramId, Fragment};
use crate::stats::Stats;

/// The datagrams under way, oldest first. Searched in line: fragments of TCP are rare, and the list is short.
#[derive(Debug)]
pub(crate) struct Defragmenter {
    pending: VecDeque<Pending>,
    limit: usize,
    timeout_ns: u64,
}

#[derive(Debug)]
struct Pending {
    id: DatagramId,
    since_ns: u64,
    fragments: u64,
    buffer: IpDefragBuf,
}

impl Defragmenter {
    pub(crate) fn new(limit: usize, timeout_ns: u64) -> Self {
        Self { pending: VecDeque::new(), limit, timeout_ns }
    }

    /// Takes a fragment; gives the datagram's payload if it is whole with it.
    pub(crate) fn add(&mut self, now_ns: u64, fragment: &Fragment<'_>, stats: &mut Stats) -> Option<Vec<u8>> {
        stats.fragments += 1;
        while let Some(oldest) = self.pending.front()
            && now_ns.saturating_sub(oldest.since_ns) > self.timeout_ns
        {
            self.drop_at(0, stats);
        }
        if fragment.cut || self.limit == 0 {
            stats.fragments_dropped += 1;
            return None;
        }
        let at = match self.pending.iter().position(|one| one.id == fragment.id) {
            Some(at) => at,
            None => {
                if self.pending.len() >= self.limit {
                    self.drop_at(0, stats);
                }
                self.pending.push_back(Pending {
                    id: fragment.id,
                    since_ns: now_ns,
                    fragments: 0,
                    buffer: IpDefragBuf::new(fragment.id.protocol, Vec::new(), Vec::new()),
                });
                self.pending.len() - 1
            }
        };
        let pending = &mut self.pending[at];
        pending.fragments += 1;
        if pending.buffer.add(fragment.offset, fragment.more, fragment.payload).is_err() {
            self.drop_at(at, stats);
            return None;
        }
        if !pending.buffer.is_complete() {
            return None;
        }
        stats.datagrams += 1;
        self.pending.remove(at).map(|pending| pending.buffer.take_bufs().0)
    }

    /// Counts what never became whole.
    pub(crate) fn finish(&mut self, stats: &mut Stats) {
        while !self.pending.is_empty() {
            self.drop_at(0, stats);
        }
    }

    fn drop_at(&mut self, at: usize, stats: &mut Stats) {
        if let Some(pending) = self.pending.remove(at) {
            stats.fragments_dropped += pending.fragments;
        }
    }
}
