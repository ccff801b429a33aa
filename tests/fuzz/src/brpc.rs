//! Frames of the protocols of a bRPC port through every verb; the first byte of an input chooses the protocol.

use std::sync::Arc;

use metaprotocol_brpc::Brpc;
use metaprotocol_core::{AnyCodec, Detection, Direction, Frame, Limits, Split};
use metaprotocol_hulu::Hulu;
use metaprotocol_nova::Nova;
use metaprotocol_nova::nshead;
use metaprotocol_public::Public;
use metaprotocol_sofa::Sofa;

use crate::script::Script;
use crate::verbs::{self, Choices, Dialect};

struct Dialog;

/// Keys that read the same field, or two halves of it, or one that another falls back to.
const GROUPS: [&[&str]; 4] = [
    &["service", "interface", "method", "full_method", "method_index"],
    &["request_id", "x-request-id"],
    &["authentication_data", "authentication_size"],
    &["nshead_version", "compress_type"],
];

impl Dialect for Dialog {
    const KEYS: &'static [&'static str] = &["x-a", "b", "neu 中😀", ""];
    const REPLY_MESSAGE: &'static str = "error_text";
    const ID_KEY: Option<&'static str> = None;
    /// Each end of a stream has an id of its own, and a request that opens one is answered beside it.
    const ONE_STREAM_ID: bool = false;

    fn shown(key: &str) -> String {
        key.to_owned()
    }

    /// A key that is not UTF-8 is shown with replacement characters.
    fn found_by_name(key: &str) -> bool {
        !key.contains('\u{fffd}')
    }

    fn touches(edited: &str, other: &str) -> bool {
        GROUPS.iter().any(|group| group.contains(&edited) && group.contains(&other))
    }

    /// An answer is an error by its code.
    fn keeps_kind(key: &str) -> bool {
        key != "error_code"
    }

    fn memory(frame: Frame<'_>, _: &Limits) -> u64 {
        4096 + 16 * frame.bytes.len() as u64
    }
}

/// Runs an input of conversations.
pub fn conversations(input: &[u8]) {
    let Some((choice, input)) = input.split_first() else { return };
    match choice % 5 {
        0 => crate::stream::check(Brpc, input),
        1 => crate::stream::check(Hulu, input),
        2 => crate::stream::check(Sofa, input),
        3 => crate::stream::check(Nova, input),
        _ => crate::stream::check(Public, input),
    }
}

/// Runs an input of a frame.
pub fn check(input: &[u8]) {
    let mut script = Script::new(input);
    let choices = Choices::read(&mut script);
    let [protocol, mode, meta_len, way] = script.bytes();
    let rest = script.rest();
    let direction = if way % 2 == 0 { Direction::ClientToServer } else { Direction::ServerToClient };
    let (len, meta) = (rest.len() as u32, u32::from(meta_len).min(rest.len() as u32));
    let (codec, front): (Arc<dyn AnyCodec>, Vec<u8>) = match protocol % 6 {
        0 => (Arc::new(Brpc), metaprotocol_brpc::wire::header(metaprotocol_brpc::wire::PRPC, len, meta).to_vec()),
        1 => (Arc::new(Brpc), metaprotocol_brpc::wire::header(metaprotocol_brpc::wire::STRM, len, meta).to_vec()),
        2 => (Arc::new(Hulu), metaprotocol_hulu::wire::header(len, meta).to_vec()),
        3 => (Arc::new(Sofa), metaprotocol_sofa::wire::header(meta, (len - meta).into()).to_vec()),
        4 => (Arc::new(Nova), nshead_of(b"nova", len)),
        _ => (Arc::new(Public), nshead_of(nshead::PUBLIC_PROVIDER, len)),
    };
    // The bytes as they are, or behind a legal header.
    let bytes = if mode % 4 == 0 { rest.to_vec() } else { [&front, rest].concat() };
    verbs::detect(codec.as_ref(), direction, &bytes);
    let Ok(Split::Head(head)) = codec.split(direction, &choices.limits(), &bytes) else { return };
    if mode % 4 != 0 {
        assert_eq!(codec.detect(direction, &bytes), Detection::Yes, "a frame that is not recognised");
    }
    let Some(frame) = Frame::new(head, &bytes) else { return };
    verbs::check::<Dialog>(&codec, direction, frame, &choices);
}

fn nshead_of(provider: &[u8], body_len: u32) -> Vec<u8> {
    let mut header = vec![0; nshead::HEADER_LEN];
    header[nshead::PROVIDER_AT..][..provider.len()].copy_from_slice(provider);
    header[nshead::MAGIC_AT..][..4].copy_from_slice(&nshead::MAGIC.to_le_bytes());
    header[nshead::BODY_LEN_AT..].copy_from_slice(&body_len.to_le_bytes());
    header
}
