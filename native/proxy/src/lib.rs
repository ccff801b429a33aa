//! The data path of the proxy: frames from listeners to hosts and back, for every codec alike.
//!
//! Worker threads share nothing on the hot path. Each has its own event loop, its listening sockets (`SO_REUSEPORT`), its
//! connections to hosts and its counters; the configuration is an immutable snapshot that is swapped as a whole.
#![forbid(unsafe_code)]

pub mod balance;
pub mod config;
pub mod error;
pub mod route;
