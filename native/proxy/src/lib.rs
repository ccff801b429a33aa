//! The data path of the proxy: frames from listeners to hosts and back, for every codec alike.
//!
//! Worker threads share nothing on the hot path. Each has its own event loop, its listening sockets (`SO_REUSEPORT`), its
//! connections to hosts and its counters; the configuration is an immutable snapshot that is swapped as a whole.
#![forbid(unsafe_code)]

pub mod balance;
pub mod cluster;
pub mod config;
pub mod error;
pub mod filter;
mod proxy;
pub mod route;
pub mod snapshot;
pub mod stats;
mod timers;
mod worker;

pub use proxy::{Proxy, Times, Totals};
