//! Limits: what is as large as one passes, what is larger by one does not.

use std::sync::Arc;

use metaprotocol_core::{AnyCodec, DecodeError, Limits, Reason};

use crate::{Sample, feed, try_fields};

/// One of the [`Limits`] on what a frame may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// `max_frame_len`.
    FrameLen,
    /// `max_header_len`.
    HeaderLen,
    /// `max_nesting`.
    Nesting,
    /// `max_field_count`.
    FieldCount,
}

impl Bound {
    /// The name in errors.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FrameLen => "max_frame_len",
            Self::HeaderLen => "max_header_len",
            Self::Nesting => "max_nesting",
            Self::FieldCount => "max_field_count",
        }
    }

    /// The default limits but for this one.
    #[must_use]
    pub fn limits(self, max: u32) -> Limits {
        let limits = Limits::default();
        match self {
            Self::FrameLen => Limits { max_frame_len: max.into(), ..limits },
            Self::HeaderLen => Limits { max_header_len: max, ..limits },
            Self::Nesting => Limits { max_nesting: max, ..limits },
            Self::FieldCount => Limits { max_field_count: max, ..limits },
        }
    }
}

/// A stream of frames that takes a limit to its last: it decodes, and so do its fields, with the limit at `uses`; with the
/// limit below that, the error names it.
///
/// # Panics
/// If it does not.
pub fn exceeded_by_one(codec: &Arc<dyn AnyCodec>, sample: &Sample, bound: Bound, uses: u32) {
    let about = format!("{} with {} at {uses}", sample.name, bound.name());
    assert_eq!(within(codec, sample, &bound.limits(uses)), None, "{about}");
    let max = uses.checked_sub(1).expect("a limit that is used");
    let error = within(codec, sample, &bound.limits(max)).unwrap_or_else(|| panic!("{about} less one: no error"));
    let named = matches!(error.reason, Reason::LimitExceeded { limit, value, max: told }
        if limit == bound.name() && told == u64::from(max) && value > told);
    assert!(named, "{about} less one: {error:?}");
}

/// The error of decoding and reading a stream of whole frames within limits.
fn within(codec: &Arc<dyn AnyCodec>, sample: &Sample, limits: &Limits) -> Option<DecodeError> {
    let decoded = feed(codec, sample.direction, *limits, &sample.stream, []);
    assert_eq!(decoded.missing, 0, "{} ends within a frame", sample.name);
    decoded
        .failure
        .or_else(|| decoded.frames.iter().find_map(|frame| try_fields(codec.as_ref(), frame.frame(), limits).1.err()))
}
