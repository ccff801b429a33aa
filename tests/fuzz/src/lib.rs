//! The invariants behind the fuzz targets. A target is one line; what it checks stands here, in code that knows no fuzzer.
//!
//! Every input starts with a few bytes that say how it is to be used (how the stream is cut, which edits are made), so
//! that the fuzzer mutates these too. `seed` writes inputs of the same layouts.
#![forbid(unsafe_code)]

pub mod brpc;
pub mod capture;
pub mod dubbo;
pub mod hessian;
pub mod kafka;
pub mod layout;
pub mod redis;
pub mod script;
pub mod spec;
pub mod stream;
pub mod thrift;
pub mod trpc;
pub mod verbs;
pub mod walk;

use metaprotocol_core::{DecodeError, Limits, Reason};

/// Whether an error is at a place that `len` bytes have. What goes over a limit is told before its bytes come.
#[must_use]
pub fn is_in(error: &DecodeError, len: usize) -> bool {
    error.offset <= len as u64 || matches!(error.reason, Reason::LimitExceeded { .. })
}

/// Limits for a number from the input: the defaults, and some that a short input can exceed.
#[must_use]
pub fn limits(number: u8) -> Limits {
    let limits = Limits::default();
    match number & 3 {
        0 | 1 => limits,
        2 => Limits { max_frame_len: 4096, max_header_len: 256, max_nesting: 8, max_field_count: 8, ..limits },
        _ => Limits { max_frame_len: 128, max_header_len: 64, max_nesting: 3, max_field_count: 2, ..limits },
    }
}
