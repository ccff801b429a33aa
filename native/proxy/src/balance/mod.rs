//! Which host of a cluster a message goes to, with Envoy's semantics.
//!
//! A [`HostSet`] is made from what discovery says, and is immutable but for the health of its hosts; a [`Picker`] is a
//! worker's own position in it. When a host is left out or comes back, the set's generation changes, and each picker
//! follows with its next pick: lists of usable hosts, shares of priorities and hash tables are made once for all workers.
//!
//! There is no clock here: every `now` is in milliseconds of one clock that never runs back.
//!
//! What is Envoy's, and not: hosts excluded until their first check, bounded loads of hash tables, ejection by success
//! rates, jitter and enforcing percentages are not here. In two cases Envoy finds no host although there are some, and
//! this finds them: hash tables of a priority that has degraded hosts only, and zones whose hosts are all in the other
//! state (healthy or degraded) than the one that was chosen.

mod edf;
mod hashing;
mod host;
mod load;
mod outlier;
mod picker;
mod random;
mod set;
mod zone;

pub use host::{Host, HostStats, Member, Requests, Usable};
pub use outlier::{Ejections, Outcome};
pub use picker::{Counts, Picker};
pub use random::Random;
pub use set::HostSet;
