//! What proxies are measured with, each on one thread: an upstream server, a load generator that verifies every answer,
//! and two forwarders as yardsticks. `bench/proxy.py` starts them. And what they are tried with, which `tests/chaos` starts:
//! hosts that misbehave on demand, and requests that go on whatever happens, and are all accounted for.
#![forbid(unsafe_code)]

pub mod client;
pub mod cpu;
pub mod forward;
pub mod hold;
pub mod load;
pub mod mux;
pub mod press;
pub mod protocol;
pub mod serve;
pub mod unruly;
pub mod wire;
