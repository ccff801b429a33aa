//! tRPC frames through every verb.

use std::sync::Arc;

use metaprotocol_core::{AnyCodec, Detection, Direction, Frame, Limits, Split};
use metaprotocol_trpc::Trpc;
use metaprotocol_trpc::wire::{FIXED_LEN, Fixed};

use crate::script::Script;
use crate::verbs::{self, Choices, Dialect};

struct Dialog;

const FUNC_KEYS: [&str; 3] = ["func", "service", "method"];

impl Dialect for Dialog {
    const KEYS: &'static [&'static str] = &[
        "x-a",
        "x-b",
        "trans_info.callee",
        "trans_info.x-a",
        "trans_info.version",
        "trans_info.trans_info.a",
        "neu 中😀",
    ];
    const REPLY_MESSAGE: &'static str = "error_msg";
    const ID_KEY: Option<&'static str> = None;

    /// Entries that no built-in key hides lose their prefix.
    fn shown(key: &str) -> String {
        let Some(name) = key.strip_prefix("trans_info.") else { return key.to_owned() };
        let hidden = name != "version" && AnyCodec::info(&Trpc).keys.iter().any(|known| known.name == name);
        if hidden || name.starts_with("trans_info.") { key.to_owned() } else { name.to_owned() }
    }

    /// A key that is not UTF-8 is shown with replacement characters.
    fn found_by_name(key: &str) -> bool {
        !key.contains('\u{fffd}')
    }

    fn touches(edited: &str, other: &str) -> bool {
        FUNC_KEYS.contains(&edited) && FUNC_KEYS.contains(&other)
    }

    /// An answer is an error by its return codes.
    fn keeps_kind(key: &str) -> bool {
        !matches!(key, "ret" | "func_ret")
    }

    fn memory(frame: Frame<'_>, _: &Limits) -> u64 {
        4096 + 16 * frame.bytes.len() as u64
    }
}

/// Runs an input.
pub fn check(input: &[u8]) {
    let mut script = Script::new(input);
    let choices = Choices::read(&mut script);
    let [mode, message_len, way] = script.bytes();
    let rest = script.rest();
    let direction = if way % 2 == 0 { Direction::ClientToServer } else { Direction::ServerToClient };
    // The bytes as they are, or behind a legal fixed header.
    let bytes = match mode % 6 {
        0 => rest.to_vec(),
        form => {
            let fixed = Fixed {
                data_type: u8::from(form > 1),
                stream_type: form - 1,
                total: (FIXED_LEN + rest.len()) as u32,
                message_len: u16::from(message_len).min(rest.len() as u16),
                stream_id: 7,
                version: 1,
                reserved: 0,
            };
            [&fixed.to_bytes(), rest].concat()
        }
    };
    let codec: Arc<dyn AnyCodec> = Arc::new(Trpc);
    verbs::detect(codec.as_ref(), direction, &bytes);
    let Ok(Split::Head(head)) = codec.split(direction, &choices.limits(), &bytes) else { return };
    // A record of TLS is a frame, but none of the codec's.
    let recognised = if head.is_opaque() { Detection::No } else { Detection::Yes };
    assert_eq!(codec.detect(direction, &bytes), recognised, "a frame that is not recognised");
    let Some(frame) = Frame::new(head, &bytes) else { return };
    verbs::check::<Dialog>(&codec, direction, frame, &choices);
}
