//! Redis frames through every verb.

use std::sync::Arc;

use metaprotocol_core::{AnyCodec, DecodeError, Detection, Direction, Frame, Limits, Reason, Split};
use metaprotocol_redis::Redis;

use crate::script::Script;
use crate::verbs::{self, Choices, Dialect};

struct Dialog;

/// What no edit of an argument changes.
const CONSTANT: [&str; 4] = ["message_type", "command", "arg_count", "db"];
/// What these commands are depends on their arguments, and changes what comes behind them.
const SPECIAL: [&str; 4] = ["CLIENT", "HELLO", "REPLCONF", "SELECT"];
/// Commands to put an input behind: with keys at the front, anywhere, as many as an argument says, and none.
const NAMES: [&[u8]; 12] = [
    b"GET",
    b"MSET",
    b"EVAL",
    b"XREAD",
    b"SORT",
    b"MIGRATE",
    b"ZUNIONSTORE",
    b"OBJECT",
    b"SPUBLISH",
    b"SUBSCRIBE",
    b"PING",
    b"nobody.knows",
];

impl Dialect for Dialog {
    const KEYS: &'static [&'static str] = &["arg.1", "arg.2", "key.0", "key.1", "value.0", "value.1.0", "neu 中😀"];
    const REPLY_MESSAGE: &'static str = "error_message";
    const ID_KEY: Option<&'static str> = None;

    fn shown(key: &str) -> String {
        key.to_owned()
    }

    fn found_by_name(_: &str) -> bool {
        true
    }

    /// An argument may be a key, and says where others are.
    fn touches(_: &str, other: &str) -> bool {
        !CONSTANT.contains(&other)
    }

    /// A byte of a key takes four as a line has it.
    fn memory(frame: Frame<'_>, _: &Limits) -> u64 {
        16384 + 64 * frame.bytes.len() as u64
    }
}

/// A command of a legal name, with the rest of the input in up to seven arguments, or as a line.
fn build([shape, name]: [u8; 2], rest: &[u8]) -> Vec<u8> {
    let name = NAMES[usize::from(name) % NAMES.len()];
    if shape % 8 == 0 {
        return [name, b" ", rest, b"\r\n"].concat();
    }
    let len = rest.len() / usize::from(shape % 8) + 1;
    let words: Vec<&[u8]> = std::iter::once(name).chain(rest.chunks(len)).collect();
    let mut out = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// Runs an input.
pub fn check(input: &[u8]) {
    let mut script = Script::new(input);
    let choices = Choices::read(&mut script);
    let mode = script.byte();
    let parts = script.bytes();
    let bytes = if mode.is_multiple_of(2) { script.rest().to_vec() } else { build(parts, script.rest()) };
    let codec: Arc<dyn AnyCodec> = Arc::new(Redis);
    for direction in [Direction::ClientToServer, Direction::ServerToClient] {
        verbs::detect(codec.as_ref(), direction, &bytes);
        let split = codec.split(direction, &choices.limits(), &bytes);
        if codec.detect(direction, &bytes) == Detection::Yes {
            match split {
                Ok(_) | Err(DecodeError { reason: Reason::LimitExceeded { .. }, .. }) => {}
                // Later bytes may be broken; never the first ones.
                Err(error) => assert!(error.offset > 0, "recognised, yet {error}"),
            }
        }
        let Ok(Split::Head(head)) = split else { continue };
        let Some(frame) = Frame::new(head, &bytes) else { continue };
        let command = codec.field(frame, &codec.key("command"), &choices.limits());
        let special = command.is_ok_and(|name| name.is_some_and(|name| SPECIAL.contains(&&*name.to_text())));
        // The answers to PSYNC change what comes behind them, too.
        let synchronises = bytes.starts_with(b"+FULLRESYNC ") || bytes.starts_with(b"+CONTINUE");
        if !special && !synchronises {
            verbs::check::<Dialog>(&codec, direction, frame, &choices);
        }
    }
}
