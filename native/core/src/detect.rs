//! Which of several codecs a stream speaks.

use crate::{AnyCodec, Detection, Direction};

/// What the first bytes of a stream say about its protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detected {
    /// Exactly one codec claims it: its position among those that were asked.
    Codec(usize),
    /// No codec claims it yet, but more bytes could settle it.
    NeedMore,
    /// No codec can read it, or several claim it and it would be a guess.
    Nobody,
}

/// Asks codecs whether the front of a stream looks like their own.
///
/// A single claim wins at once, even while another codec is still undecided: [`Detection::Yes`] means that no other
/// built-in protocol starts so.
pub fn detect_among<'c>(
    codecs: impl Iterator<Item = &'c dyn AnyCodec>,
    direction: Direction,
    prefix: &[u8],
) -> Detected {
    let mut claimed = None;
    let mut open = false;
    for (position, codec) in codecs.enumerate() {
        match codec.detect(direction, prefix) {
            Detection::Yes if claimed.is_some() => return Detected::Nobody,
            Detection::Yes => claimed = Some(position),
            Detection::NeedMore => open = true,
            Detection::No => {}
        }
    }
    match claimed {
        Some(position) => Detected::Codec(position),
        None if open => Detected::NeedMore,
        None => Detected::Nobody,
    }
}
