//! The model every metaprotocol codec shares: frames, codecs, connections, limits and errors.
//!
//! Sans-IO: bytes in, frames out. Nothing here opens a socket, reads a clock, logs, or knows Python, so the same code
//! serves a capture reader, an asyncio proxy, the native proxy and a plugin host, and each can be fuzzed alone.
//!
//! A protocol implements [`Codec`]; everything else works through the object-safe [`AnyCodec`] and
//! [`Connection`] that every `Codec` gets for free. The loop over the frames of a chunk is compiled once per codec, so
//! dynamic dispatch costs one call per chunk and none per frame.

mod codec;
mod connection;
mod cursor;
mod detect;
mod edit;
mod error;
mod field;
mod frame;
mod limits;
mod name;
mod pairing;
pub mod protobuf;
mod tls;

pub use codec::{AnyCodec, Codec, Detection, FirstSpeaker, IdPlace, Info, KeyInfo, PairBy, Sharing, Split, number};
pub use connection::{Carried, Connection, Decoder, Detached, Failure, Fed, Placed};
pub use cursor::{Cursor, Short, VarintError};
pub use detect::{Detected, detect_among};
pub use edit::{Edits, ErrorType, Patch, Reply, Segments, patched, patched_len, segments_len};
pub use error::{DecodeError, EncodeError, Reason};
pub use field::{Key, Value, Visit, lossy};
pub use frame::{Direction, Frame, Head, Kind, RequestId};
pub use limits::Limits;
pub use name::intern;
pub use pairing::{Id, Pairing};
