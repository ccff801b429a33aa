//! What proxies are measured with, each on one thread: an upstream server, a load generator that verifies every answer,
//! and two forwarders as yardsticks. `bench/proxy.py` starts them.
#![forbid(unsafe_code)]

pub mod cpu;
pub mod forward;
pub mod hold;
pub mod load;
pub mod mux;
pub mod protocol;
pub mod serve;
pub mod wire;
