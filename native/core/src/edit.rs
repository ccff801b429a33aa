//! Edits of frames and replies made on the spot.

use std::borrow::Cow;

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
