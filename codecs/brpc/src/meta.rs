//! Metas: protobuf messages of one level of nesting at most, read by tables of keys and edited by splicing.
//!
//! The protocols of a bRPC port differ in their headers and in the numbers of their fields; how a key is found in a
//! field, and how a field is replaced, is the same, and stands here once.
//!
//! Protobuf's own rules hold: of a field that comes again the last one counts, a nested message that comes again is merged
//! with the earlier one, and a field of another wire type than its own is an unknown field. Unknown fields are passed over
//! in reading, and kept in writing.

mod message;
mod plan;
mod slot;
mod splice;
mod table;

use metaprotocol_core::ErrorType;

pub use message::Message;
pub use plan::{Plan, not_writable};
pub use slot::{As, Parent, Path, REQUEST, RESPONSE, STREAM, Slot, WRAPPED, field, first, nested, unzigzag, zigzag};
pub use splice::{Splice, lengths};
pub use table::{Table, User};

/// The code of bRPC's `errno.proto` that tells a client what happened.
#[must_use]
pub const fn errno(error: ErrorType) -> i32 {
    match error {
        // ENOSERVICE
        ErrorType::RouteNotFound | ErrorType::ClusterNotFound => 1001,
        // EREQUEST
        ErrorType::BadRequest => 1003,
        // ERPCAUTH
        ErrorType::Denied => 1004,
        // ERPCTIMEDOUT
        ErrorType::Timeout => 1008,
        // EFAILEDSOCKET
        ErrorType::NoHealthyUpstream | ErrorType::UpstreamReset => 1009,
        // EINTERNAL
        ErrorType::Unspecified => 2001,
        // ERESPONSE
        ErrorType::BadResponse => 2002,
        // ELIMIT
        ErrorType::OverLimit => 2004,
    }
}

/// Whether a code of bRPC's `errno.proto` says that the server is unwell: EOVERCROWDED, EINTERNAL, ELOGOFF, ELIMIT. Services
/// have codes of their own.
#[must_use]
pub const fn host_failed(code: i64) -> bool {
    matches!(code, 1011 | 2001 | 2003 | 2004)
}
