//! Routing: the rules of MetaProtocol Proxy and Envoy, for tables of any size.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a broken expectation is a failed test")]

mod lines;
mod rules;
mod tables;
