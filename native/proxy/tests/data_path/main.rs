//! The data path between programmable hosts and clients. Defects of MetaProtocol Proxy that must not come back are named
//! `BUG-n` in comments.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a broken expectation is a failed test")]

#[path = "../common/mod.rs"]
mod common;

mod bound;
mod changes;
mod detect;
mod ends;
mod errors;
mod filters;
mod lines;
mod long;
mod long_bound;
mod messages;
mod mirrors;
mod moves;
mod multiplex;
mod order;
mod outliers;
mod streams;
