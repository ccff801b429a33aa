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
    /// Requests that were sent.
    pub requests: Gauge,
}

/// A number that goes up to a bound.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU32);

impl Gauge {
    /// Takes one more, if there are fewer than `max`.
    pub fn enter(&self, max: u32) -> bool {
        if self.0.fetch_add(1, Ordering::Relaxed) < max {
            return true;
        }
        self.leave();
        false
    }

    /// Gives one back.
    pub fn leave(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many there are.
    #[must_use]
    pub fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}
