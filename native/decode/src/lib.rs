//! Captured streams through codecs: paired, filtered and summarised call records.
//!
//! ```text
//!  bytes of a file ──► Decoder ──► metaprotocol-capture (or hex, or raw bytes)
//!                         │              │ events
//!                         │              ▼
//!                         │          Sessions: a Session a core, with a share of the connections
//!                         │              │    one Stream a connection: which protocol, where its frames are,
//!                         │              │    which response answers which request
//!                         │              ▼ rows
//!                         └─ output ◄─ Engine: filters, counts, renders
//! ```
//!
//! Invariants:
//!
//! - Memory is bounded by the open streams, whatever the size of the capture: requests that wait are bounded per stream
//!   ([`metaprotocol_core::Limits::max_in_flight`]), their metadata for all streams together, what is held until a
//!   protocol is recognised per stream, and method names in the summary in number and length. The caller takes the
//!   output away after each push.
//! - Every byte of a recognised stream is part of a frame, of a damaged frame that is shown as a row, or counted as
//!   skipped.
//! - Work is linear in the input: looking for the next frame after damage reads a bounded window at each byte.
//! - The rows, and their order, do not depend on the number of cores.
//! - Nothing is rendered, and no metadata is read, that the output does not show or a filter does not ask for.
#![forbid(unsafe_code)]

mod columns;
mod condition;
mod decoder;
mod engine;
mod hex;
mod json;
mod metadata;
mod options;
mod protocol;
mod resync;
mod session;
mod sessions;
mod stream;
mod summary;

pub use columns::{Column, ColumnData, Columns};
pub use condition::{Condition, ConditionError};
pub use decoder::{Decoder, Error};
pub use hex::{HexError, read_hex};
pub use options::{Format, Metadata, Options, OptionsError, Output};
pub use protocol::{ERROR_CLASS_KEYS, ERROR_MESSAGE_KEYS, FAILED, METHOD_KEYS, REPLY_TYPE_KEYS, SERVICE_KEYS};
