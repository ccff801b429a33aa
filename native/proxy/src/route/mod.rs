//! Which route a message takes.
//!
//! [`Table::compile`] turns routes, as they are configured, into a tree for one codec; [`Table::find`] walks it with a
//! [`Message`], which reads a field of its frame when first asked for it and no more than once. What the tree says is
//! what trying the routes one after another would say: the first that matches wins.
//!
//! Values that routes compare for equality are looked up by hash, all routes at once. So the cost of a message grows with
//! the number of different sets of keys that routes compare, not with the number of routes.

mod build;
mod condition;
mod message;
mod names;
mod pattern;
mod table;
mod target;

pub use message::{Extra, Message, Scratch};
pub use names::Field;
pub use table::Table;
pub use target::{Chosen, Cluster, HashPolicy, Mirror, Route, Sets, Target, Weighted};
