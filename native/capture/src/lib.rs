//! pcap and pcapng in, reassembled TCP byte streams out.
//!
//! Strategy, from the outside in:
//!
//! 1. [`Reader`] pulls chunks out of any [`std::io::Read`] into one reused buffer; [`Capture`] is the same without I/O
//!    (chunks are pushed), for sockets, followed files and tests.
//! 2. The file layer cuts chunks into packet records. A record that lies within one chunk is borrowed from it; only the
//!    record that straddles two chunks is copied.
//! 3. The packet layer peels link, VLAN and IP headers off, reassembles IP fragments, and finds the TCP segment.
//! 4. [`Assembler`] puts segments in order, per connection and direction, and tells a [`Sink`] about it in [`Event`]s.
//!    A segment in order goes straight through as a borrowed slice; only data that came too early is stored.
//!
//! Invariants:
//!
//! - For each direction of a flow, the [`Event::Data`] and [`Event::Gap`] events tile the stream: each begins at the
//!   offset where the one before ended. No byte is given twice; a byte that is not given is part of a gap.
//! - Where segments overlap with different content, the first that arrived wins.
//! - The same file gives the same events, however it is cut into chunks.
//! - Memory is bounded by [`Limits`], not by the size of the file.
//! - Any input whatever gives events, statistics or a [`FormatError`]; never a panic.
//!
//! Left out on purpose: checksums are not verified (captures made on the sending machine have wrong ones, because the
//! network card fills them in later), and VLAN ids and interfaces do not tell flows apart (the same packet seen on two
//! interfaces is one packet).
//!
//! Sources: the PCAP and PCAPNG Internet-Drafts (draft-ietf-opsawg-pcap, -pcapng), RFC 9293 (TCP), RFC 791 and RFC 8200
//! (IP), the tcpdump.org list of link-layer types.
//!
//! ```
//! use metaprotocol_capture::{Event, Limits, Reader};
//!
//! fn payload_bytes(file: impl std::io::Read) -> Result<u64, metaprotocol_capture::Error> {
//!     let mut total = 0;
//!     let mut reader = Reader::new(file, Limits::default());
//!     let mut sink = |event: Event<'_>| {
//!         if let Event::Data { bytes, .. } = event {
//!             total += bytes.len() as u64;
//!         }
//!     };
//!     reader.read_available(&mut sink)?;
//!     reader.finish(&mut sink)?;
//!     Ok(total)
//! }
//! ```
#![forbid(unsafe_code)]

mod assembler;
mod capture;
mod defrag;
mod error;
mod event;
mod file;
mod half;
mod limits;
mod packet;
mod stats;
mod table;

pub use assembler::Assembler;
pub use capture::{Capture, Reader, Tail};
pub use error::{Error, FormatError, FormatErrorKind};
pub use event::{CloseReason, Direction, Endpoint, Event, Flow, FlowId, Sink};
pub use file::is_capture;
pub use limits::Limits;
pub use packet::LinkType;
pub use stats::Stats;
