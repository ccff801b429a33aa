//! Finding the next frame where the last one is lost.

use metaprotocol_core::{AnyCodec, Detection, Direction, Limits, Reason, Split};

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
    /// The codec failed: it cannot be asked any more.
    Failed,
}

/// The codec failed.
struct Failed;

/// The first place in `bytes` where a frame plausibly begins: `detect` says yes, `split` finds a head there, and what
/// follows the frame, if it is at hand, looks like another.
pub(crate) fn next_frame(codec: &dyn AnyCodec, direction: Direction, limits: &Limits, bytes: &[u8]) -> Found {
    for at in 0..bytes.len() {
        match plausible(codec, direction, limits, bytes.get(at..).unwrap_or_default()) {
            Ok(Some(true)) => return Found::At(at),
            Ok(Some(false)) => {}
            Ok(None) => return Found::NotBefore(at),
            Err(Failed) => return Found::Failed,
        }
    }
    Found::NotBefore(bytes.len())
}

/// Whether a frame begins at the front of `bytes`; `None` if too few are at hand to tell.
fn plausible(
    codec: &dyn AnyCodec,
    direction: Direction,
    limits: &Limits,
    bytes: &[u8],
) -> Result<Option<bool>, Failed> {
    match codec.detect(direction, window(bytes, DETECT_WINDOW)) {
        Detection::No => return Ok(Some(false)),
        Detection::NeedMore if bytes.len() < DETECT_WINDOW => return Ok(None),
        Detection::NeedMore => return Ok(Some(false)),
        Detection::Yes => {}
    }
    let head = match codec.split(direction, limits, window(bytes, SPLIT_WINDOW)) {
        Err(error) if matches!(error.reason, Reason::InvalidCodec { .. }) => return Err(Failed),
        Err(_) => return Ok(Some(false)),
        Ok(Split::Need(_)) if bytes.len() < SPLIT_WINDOW => return Ok(None),
        Ok(Split::Need(_)) => return Ok(Some(true)),
        Ok(Split::Head(head)) => head,
    };
    let next = bytes.get(head.frame_len..).unwrap_or_default();
    if next.is_empty() {
        return Ok(Some(true));
    }
    let follows = codec.detect(direction, window(next, DETECT_WINDOW)) != Detection::No
        && codec.split(direction, limits, window(next, SPLIT_WINDOW)).is_ok();
    Ok(Some(follows))
}

fn window(bytes: &[u8], len: usize) -> &[u8] {
    bytes.get(..len).unwrap_or(bytes)
}
