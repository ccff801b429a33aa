//! Finding the next frame where the last one is lost.

use metaprotocol_core::{AnyCodec, Detection, Direction, Limits, Split};

/// Bytes that `detect` sees at each place, and the most that `split` sees: the bound on the work per byte.
const DETECT_WINDOW: usize = 64;
const SPLIT_WINDOW: usize = 1024;

/// What a search found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A frame plausibly begins here.
    At(usize),
    /// No frame begins before this place; from here on more bytes are needed.
    NotBefore(usize),
}

/// The first place in `bytes` where a frame plausibly begins: `detect` says yes, `split` finds a head there, and what
/// follows the frame, if it is at hand, looks like another.
pub(crate) fn next_frame(codec: &dyn AnyCodec, direction: Direction, limits: &Limits, bytes: &[u8]) -> Found {
    for at in 0..bytes.len() {
        match plausible(codec, direction, limits, bytes.get(at..).unwrap_or_default()) {
            Some(true) => return Found::At(at),
            Some(false) => {}
            None => return Found::NotBefore(at),
        }
    }
    Found::NotBefore(bytes.len())
}

/// Whether a frame begins at the front of `bytes`; `None` if too few are at hand to tell.
fn plausible(codec: &dyn AnyCodec, direction: Direction, limits: &Limits, bytes: &[u8]) -> Option<bool> {
    match codec.detect(direction, window(bytes, DETECT_WINDOW)) {
        Detection::No => return Some(false),
        Detection::NeedMore if bytes.len() < DETECT_WINDOW => return None,
        Detection::NeedMore => return Some(false),
        Detection::Yes => {}
    }
    let head = match codec.split(direction, limits, window(bytes, SPLIT_WINDOW)) {
        Err(_) => return Some(false),
        Ok(Split::Need(_)) if bytes.len() < SPLIT_WINDOW => return None,
        Ok(Split::Need(_)) => return Some(true),
        Ok(Split::Head(head)) => head,
    };
    let next = bytes.get(head.frame_len..).unwrap_or_default();
    if next.is_empty() {
        return Some(true);
    }
    let follows = codec.detect(direction, window(next, DETECT_WINDOW)) != Detection::No
        && codec.split(direction, limits, window(next, SPLIT_WINDOW)).is_ok();
    Some(follows)
}

fn window(bytes: &[u8], len: usize) -> &[u8] {
    bytes.get(..len).unwrap_or(bytes)
}
