//! How inputs begin: the bytes that say how the rest is used. Shared with `seed`, which writes such inputs.

/// Pieces that a stream is cut into, over and over; one byte each.
pub const STREAM_CUTS: usize = 7;
/// Turns of a conversation whose length is told, in two bytes each; one more takes the rest.
pub const STREAM_TURNS: usize = 4;
/// Before a conversation: limits and first direction, pieces, turns.
pub const STREAM: usize = 1 + STREAM_CUTS + 2 * STREAM_TURNS;

/// Edits of a frame, three bytes each: what, which key, which value.
pub const EDITS: usize = 3;
/// Before what depends on the protocol: edits, new id, limits.
pub const CHOICES: usize = 3 * EDITS + 2;
/// Before a Dubbo frame, or a body: how it is made, flags, status.
pub const DUBBO_VERBS: usize = CHOICES + 3;
/// Before a Thrift frame, or a struct: how it is made, transport and protocol, type, name, id, length of info headers.
pub const THRIFT_VERBS: usize = CHOICES + 6;

/// Before a struct: protocol (strict, old, compact), limits.
pub const THRIFT_WALK: usize = 2;
/// Before values: limits, offset of the first.
pub const HESSIAN: usize = 2;

/// Pieces that a file is cut into, over and over; one byte each.
pub const CAPTURE_CUTS: usize = 4;
/// Before a file: limits, pieces.
pub const CAPTURE: usize = 1 + CAPTURE_CUTS;
