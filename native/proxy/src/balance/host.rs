//! A host, and what is known of it whatever set it is in.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use crate::config::Health;
use crate::stats::Counter;

/// One host, shared by all sets and workers for as long as its address stays in the cluster.
///
/// What discovery says of it, its weight and its health, is with the [`Member`], which is replaced with its set.
#[derive(Debug)]
pub struct Host {
    /// Where it listens.
    pub address: SocketAddr,
    /// When it came into the cluster, in milliseconds of the clock of its users.
    pub added_at: u64,
    /// What is counted of its connections.
    pub stats: HostStats,
    /// What each worker counts of its requests.
    workers: Box<[Requests]>,
    /// Failures in a row.
    pub(super) failures: AtomicU32,
    /// Failures in a row to connect or to be in time, where they count by themselves.
    pub(super) local_failures: AtomicU32,
    /// Until when it is left out; 0 if it isn't.
    pub(super) ejected_until: AtomicU64,
    /// By how much the next time of being left out is longer.
    pub(super) backoff: AtomicU32,
    /// When it came back; 0 for never.
    pub(super) returned_at: AtomicU64,
    pub(super) check_failed: AtomicBool,
    /// When it began to be led in.
    pub(super) warm_since: AtomicU64,
}

/// What one worker counts of the requests of one host, named as in Envoy. Each has its own lines of the cache: what is
/// counted for every message must not be where another worker counts.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Requests {
    /// Requests under way; least request reads it.
    pub active: Counter,
    /// Requests.
    pub rq_total: Counter,
    /// Requests with a good answer.
    pub rq_success: Counter,
    /// Requests that failed.
    pub rq_error: Counter,
    /// Requests that were not answered in time.
    pub rq_timeout: Counter,
}

/// Counters of the connections of one host, named as in Envoy.
#[derive(Debug, Default)]
pub struct HostStats {
    /// Connections.
    pub cx_total: AtomicU64,
    /// Connections open now.
    pub cx_active: AtomicU64,
    /// Connections that could not be made.
    pub cx_connect_fail: AtomicU64,
}

impl Host {
    /// A host that has just been found, `now` in milliseconds, for so many workers.
    #[must_use]
    pub fn new(address: SocketAddr, workers: usize, now: u64) -> Self {
        Self {
            address,
            added_at: now,
            stats: HostStats::default(),
            workers: (0..workers).map(|_| Requests::default()).collect(),
            failures: AtomicU32::new(0),
            local_failures: AtomicU32::new(0),
            ejected_until: AtomicU64::new(0),
            backoff: AtomicU32::new(0),
            returned_at: AtomicU64::new(0),
            check_failed: AtomicBool::new(false),
            warm_since: AtomicU64::new(now),
        }
    }

    /// What a worker counts, by its number from 0. Only that worker may add to it.
    ///
    /// # Panics
    /// If the host was made for fewer workers.
    #[must_use]
    #[inline]
    pub fn of_worker(&self, worker: usize) -> &Requests {
        &self.workers[worker]
    }

    /// Requests under way, of all workers.
    #[must_use]
    pub fn active(&self) -> u64 {
        self.sum(|requests| &requests.active)
    }

    /// A counter of all workers together.
    #[must_use]
    pub fn sum(&self, counter: impl Fn(&Requests) -> &Counter) -> u64 {
        self.workers.iter().map(|requests| counter(requests).get()).sum()
    }

    /// True while it is left out because it failed too often.
    #[must_use]
    pub fn ejected(&self) -> bool {
        self.ejected_until.load(Ordering::Acquire) != 0
    }

    /// True while an active check says that it is down.
    #[must_use]
    pub fn check_failed(&self) -> bool {
        self.check_failed.load(Ordering::Acquire)
    }
}

/// A host as one set has it.
#[derive(Debug)]
pub struct Member {
    /// The host.
    pub host: std::sync::Arc<Host>,
    /// Its priority.
    pub priority: usize,
    /// Where it is: region, zone and sub-zone.
    pub place: [String; 3],
    /// The name it was resolved from.
    pub hostname: String,
    /// Its weight.
    pub weight: u32,
    /// What discovery says of its health.
    pub health: Health,
    /// What it is hashed by.
    pub hash_key: String,
}

impl Member {
    /// What becomes of it by all that is known: a host that discovery, a check or its failures speak against is not used
    /// (Envoy's `coarseHealth`).
    #[must_use]
    pub fn usable(&self) -> Usable {
        match self.health {
            Health::Unhealthy | Health::Draining => Usable::No,
            _ if self.host.ejected() || self.host.check_failed() => Usable::No,
            Health::Degraded => Usable::Degraded,
            Health::Healthy => Usable::Yes,
        }
    }
}

/// Whether a host gets messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usable {
    /// It does.
    Yes,
    /// If there are too few others.
    Degraded,
    /// Only in panic.
    No,
}
