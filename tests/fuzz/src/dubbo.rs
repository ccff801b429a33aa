//! Dubbo frames through every verb.

use std::sync::Arc;

use metaprotocol_core::{AnyCodec, Detection, Direction, Frame, Limits, Split};
use metaprotocol_dubbo::Dubbo;
use metaprotocol_dubbo::wire::{HESSIAN2, Header, SERIALIZATION, STATUSES};

use crate::script::Script;
use crate::verbs::{self, Choices, Dialect};

const DIRECTION: Direction = Direction::ClientToServer;

struct Dialog;

impl Dialect for Dialog {
    const KEYS: &'static [&'static str] = &["arg.0", "arg.1", "arg.254", "arg.255", "tag", "b", "neu 中😀"];
    const REPLY_MESSAGE: &'static str = "error_message";
    const ID_KEY: Option<&'static str> = None;

    fn shown(key: &str) -> String {
        key.to_owned()
    }

    fn found_by_name(_: &str) -> bool {
        true
    }

    /// The path and the interface fall back to one name; providers find the path in either place.
    fn touches(edited: &str, other: &str) -> bool {
        matches!((edited, other), ("path", "interface"))
    }

    /// The most is taken by class definitions of three bytes.
    fn memory(frame: Frame<'_>, _: &Limits) -> u64 {
        4096 + 128 * frame.bytes.len() as u64
    }
}

/// Runs an input.
pub fn check(input: &[u8]) {
    let mut script = Script::new(input);
    let choices = Choices::read(&mut script);
    let [mode, flags, status] = script.bytes();
    let rest = script.rest();
    // The bytes as they are, or a legal header in front of them; then mostly Hessian 2, whose bodies are read.
    let bytes = match mode % 3 {
        0 => rest.to_vec(),
        form => {
            let flags = if form == 1 { flags } else { flags & !SERIALIZATION | HESSIAN2 };
            let (status, _) = STATUSES[usize::from(status) % STATUSES.len()];
            let header = Header { flags, status, request_id: 0x0807_0605_0403_0201 };
            [&header.to_bytes(rest.len() as u32), rest].concat()
        }
    };
    let codec: Arc<dyn AnyCodec> = Arc::new(Dubbo);
    verbs::detect(codec.as_ref(), DIRECTION, &bytes);
    let Ok(Split::Head(head)) = codec.split(DIRECTION, &choices.limits(), &bytes) else { return };
    // A record of TLS is a frame, but none of the codec's.
    let recognised = if head.is_opaque() { Detection::No } else { Detection::Yes };
    assert_eq!(codec.detect(DIRECTION, &bytes), recognised, "a frame that is not recognised");
    let Some(frame) = Frame::new(head, &bytes) else { return };
    verbs::check::<Dialog>(&codec, DIRECTION, frame, &choices);
}
