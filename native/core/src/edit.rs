//! Edits of frames and replies made on the spot.

use std::borrow::Cow;
use std::ops::Range;

use crate::Value;

/// What to change in a frame. Everything that is not named stays byte for byte as it is.
#[derive(Clone, Debug, Default)]
pub struct Edits<'e> {
    /// Fields to add or replace, in order.
    pub set: Vec<(&'e str, Value<'e>)>,
    /// Fields to remove; those the frame lacks are ignored.
    pub remove: Vec<&'e str>,
    /// The new request id, for protocols with integer ids.
    pub request_id: Option<u64>,
}

impl Edits<'_> {
    /// True if nothing is to change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.remove.is_empty() && self.request_id.is_none()
    }
}

/// A frame as pieces to write one after another: borrowed runs of the original and small owned patches.
pub type Segments<'a> = Vec<Cow<'a, [u8]>>;

/// The bytes that the segments hold together.
#[must_use]
pub fn segments_len(segments: &Segments<'_>) -> usize {
    segments.iter().map(|segment| segment.len()).sum()
}

/// New bytes for a range of a frame; an empty range is a place to insert at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    /// What is replaced, in bytes from the start of the frame.
    pub at: Range<usize>,
    /// The bytes that come in its place.
    pub with: Vec<u8>,
}

/// How long `len` bytes are after the patches.
#[must_use]
pub fn patched_len(len: usize, patches: &[Patch]) -> usize {
    patches.iter().fold(len, |len, patch| len + patch.with.len() - patch.at.len())
}

/// `bytes` with the patches in their places. Patches may come in any order and must not overlap; those at one place stay
/// in the order given.
#[must_use]
pub fn patched(bytes: &[u8], mut patches: Vec<Patch>) -> Segments<'_> {
    patches.sort_by_key(|patch| patch.at.start);
    let mut segments = Segments::with_capacity(2 * patches.len() + 1);
    let mut at = 0;
    for Patch { at: place, with } in patches {
        let before = bytes.get(at..place.start).unwrap_or_default();
        if !before.is_empty() {
            segments.push(Cow::Borrowed(before));
        }
        at = place.end;
        match segments.last_mut() {
            Some(Cow::Owned(last)) if before.is_empty() => last.extend_from_slice(&with),
            _ if with.is_empty() => {}
            _ => segments.push(Cow::Owned(with)),
        }
    }
    let rest = bytes.get(at..).unwrap_or_default();
    if !rest.is_empty() {
        segments.push(Cow::Borrowed(rest));
    }
    segments
}

/// Why a request is answered locally. The first six are the error types of MetaProtocol Proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ErrorType {
    /// No route matches the request.
    RouteNotFound = 0,
    /// The route names a cluster that does not exist.
    ClusterNotFound = 1,
    /// The cluster has no endpoint that could be used.
    NoHealthyUpstream = 2,
    /// The upstream answered with bytes that are not the protocol.
    BadResponse = 3,
    /// Anything else.
    Unspecified = 4,
    /// A rate or concurrency limit is reached.
    OverLimit = 5,
    /// The upstream did not answer in time.
    Timeout = 6,
    /// The upstream connection broke before the answer came.
    UpstreamReset = 7,
    /// The request is not authorized.
    Denied = 8,
    /// The request itself cannot be understood.
    BadRequest = 9,
}

impl ErrorType {
    /// Every type, in the order of its number.
    pub const ALL: [Self; 10] = [
        Self::RouteNotFound,
        Self::ClusterNotFound,
        Self::NoHealthyUpstream,
        Self::BadResponse,
        Self::Unspecified,
        Self::OverLimit,
        Self::Timeout,
        Self::UpstreamReset,
        Self::Denied,
        Self::BadRequest,
    ];
}

/// What to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply<'m> {
    /// An error of this type, with a message for people.
    Error(ErrorType, &'m str),
    /// The answer to a heartbeat.
    Heartbeat,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_leave_the_rest_borrowed() {
        let patch = |at: Range<usize>, with: &[u8]| Patch { at, with: with.to_vec() };
        let patches = vec![patch(6..6, b"!"), patch(0..2, b"AB"), patch(2..3, b"C"), patch(4..5, b"")];
        assert_eq!(patched_len(6, &patches), 6);
        let segments = patched(b"abcdef", patches);
        let expected: [Cow<'_, [u8]>; 4] =
            [Cow::Owned(b"ABC".to_vec()), Cow::Borrowed(b"d"), Cow::Borrowed(b"f"), Cow::Owned(b"!".to_vec())];
        assert_eq!(segments, expected);
        let borrowed: Vec<_> = segments.iter().map(|segment| matches!(segment, Cow::Borrowed(_))).collect();
        assert_eq!(borrowed, [false, true, true, false]);
        assert_eq!(patched(b"same", Vec::new()), [Cow::Borrowed(b"same")]);
    }
}
