//! Clusters as all workers share them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::balance::HostSet;
use crate::config;

/// A cluster of one snapshot.
#[derive(Debug)]
pub struct Cluster {
    /// Its name.
    pub name: Arc<str>,
    /// What it was configured to be.
    pub config: config::Cluster,
    /// The hosts as they were given.
    pub given: config::Hosts,
    /// Its hosts.
    pub hosts: Arc<HostSet>,
    /// What its thresholds are compared with; outlives snapshots.
    pub gauges: Arc<Gauges>,
}

/// What all workers together have under way.
#[derive(Debug, Default)]
pub struct Gauges {
    /// Connections.
    pub connections: Gauge,
    /// Requests that wait for a connection to be opened.
    pub pending: Gauge,
    /// Requests that were sent; workers take and give them back by the round, not by the message.
    pub requests: Gauge,
}

/// A number that goes up to a bound.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU32);

impl Gauge {
    /// Takes one more, if there are fewer than `max`.
    pub fn enter(&self, max: u32) -> bool {
        self.take(1, max) == 1
    }

    /// Takes up to so many more, as long as there are no more than `max`, and says how many.
    pub fn take(&self, want: u32, max: u32) -> u32 {
        let before = self.0.fetch_add(want, Ordering::Relaxed);
        let taken = max.saturating_sub(before).min(want);
        if taken < want {
            self.give_back(want - taken);
        }
        taken
    }

    /// Gives one back.
    pub fn leave(&self) {
        self.give_back(1);
    }

    /// Gives so many back.
    pub fn give_back(&self, count: u32) {
        self.0.fetch_sub(count, Ordering::Relaxed);
    }

    /// How many there are.
    #[must_use]
    pub fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_are_taken_than_may_be() {
        let gauge = Gauge::default();
        assert_eq!((gauge.take(32, 40), gauge.take(32, 40), gauge.take(32, 40), gauge.get()), (32, 8, 0, 40));
        assert!(!gauge.enter(40));
        gauge.give_back(3);
        assert_eq!((gauge.enter(40), gauge.take(5, 10), gauge.take(5, 40), gauge.get()), (true, 0, 2, 40));
    }
}
