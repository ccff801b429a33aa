//! Thrift frames through every verb.

use std::io::Write;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use metaprotocol_core::{AnyCodec, DecodeError, Detection, Direction, Frame, Limits, Reason, Split};
use metaprotocol_thrift::Thrift;

use crate::script::Script;
use crate::verbs::{self, Choices, Dialect};

struct Dialog;

const NAME_KEYS: [&str; 3] = ["method", "service", "method_name"];

impl Dialect for Dialog {
    const KEYS: &'static [&'static str] =
        &["arg.0", "arg.1", "arg.-1", "arg.32767", "trace", "x-b", "header.method", "header.arg.1", "neu 中😀"];
    const REPLY_MESSAGE: &'static str = "exception_message";
    const ID_KEY: Option<&'static str> = Some("seq_id");

    /// Info headers that no built-in key hides lose their prefix.
    fn shown(key: &str) -> String {
        let Some(name) = key.strip_prefix("header.") else { return key.to_owned() };
        let known = AnyCodec::info(&Thrift).keys.iter().any(|known| known.name == name);
        if known || name.starts_with("arg.") || name.starts_with("header.") { key.to_owned() } else { name.to_owned() }
    }

    /// A key that is not UTF-8 is shown with replacement characters.
    fn found_by_name(key: &str) -> bool {
        !key.contains('\u{fffd}')
    }

    fn touches(edited: &str, other: &str) -> bool {
        NAME_KEYS.contains(&edited) && NAME_KEYS.contains(&other)
    }

    /// Compressed payloads are inflated, never beyond the longest frame allowed.
    fn memory(frame: Frame<'_>, limits: &Limits) -> u64 {
        let zlib = if is_zlib(frame.bytes) { (1 << 20) + 4 * limits.max_frame_len } else { 0 };
        16384 + 64 * frame.bytes.len() as u64 + zlib
    }
}

/// A THeader frame with transforms.
fn is_zlib(bytes: &[u8]) -> bool {
    bytes.get(4..6) == Some(b"\x0f\xff") && bytes.get(15).is_some_and(|count| *count != 0)
}

/// A length over the limit that is four letters: `split` takes it for another protocol's text, where `detect`, which knows no
/// limits, still takes it for a length.
fn is_text_length(bytes: &[u8], limits: &Limits) -> bool {
    bytes.first_chunk::<4>().is_some_and(|word| {
        u64::from(u32::from_be_bytes(*word)) + 4 > limits.max_frame_len
            && word.iter().all(|byte| (0x20..0x7f).contains(byte))
    })
}

const NAMES: [&[u8]; 8] =
    [b"m", b"", b"service:method", b":", b"a:b:c", b"\xff\xfe:\x80", "grüße".as_bytes(), &[b'n'; 600]];
const IDS: [i32; 4] = [7, 0, -1, i32::MAX];

fn push_varint(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A frame of legal heads in front of any struct.
fn build([shape, ty, name, id, infos_len]: [u8; 5], rest: &[u8]) -> Vec<u8> {
    let name = NAMES[usize::from(name) % NAMES.len()];
    let id = IDS[usize::from(id) % IDS.len()];
    let ty = ty % 4 + 1;
    let (transport, protocol) = (shape % 4, shape / 4 % 3);
    let is_header = transport >= 2;
    let (infos, body) = rest.split_at(if is_header { usize::from(infos_len).min(rest.len()) } else { 0 });
    let mut message = Vec::new();
    match protocol {
        0 => {
            message.extend_from_slice(&[0x80, 1, 0, ty]);
            message.extend_from_slice(&(name.len() as u32).to_be_bytes());
            message.extend_from_slice(name);
            message.extend_from_slice(&id.to_be_bytes());
        }
        1 => {
            message.extend_from_slice(&(name.len() as u32).to_be_bytes());
            message.extend_from_slice(name);
            message.push(ty);
            message.extend_from_slice(&id.to_be_bytes());
        }
        _ => {
            message.extend_from_slice(&[0x82, ty << 5 | 1]);
            push_varint(&mut message, id as u32);
            push_varint(&mut message, name.len() as u32);
            message.extend_from_slice(name);
        }
    }
    message.extend_from_slice(body);
    if transport == 0 {
        return message;
    }
    let mut frame = Vec::new();
    if is_header {
        frame.extend_from_slice(b"\x0f\xff\0\0");
        frame.extend_from_slice(&id.to_be_bytes());
        let mut data = vec![if protocol == 2 { 2 } else { 0 }];
        data.extend_from_slice(if transport == 3 { &[1, 1] } else { &[0] });
        data.extend_from_slice(infos);
        data.resize(data.len().next_multiple_of(4), 0);
        frame.extend_from_slice(&((data.len() / 4) as u16).to_be_bytes());
        frame.extend_from_slice(&data);
        if transport == 3 {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(&message).expect("a Vec takes it");
            message = encoder.finish().expect("a Vec takes it");
        }
    }
    frame.extend_from_slice(&message);
    [&(frame.len() as u32).to_be_bytes(), frame.as_slice()].concat()
}

/// Runs an input.
pub fn check(input: &[u8]) {
    let mut script = Script::new(input);
    let choices = Choices::read(&mut script);
    let mode = script.byte();
    let parts = script.bytes();
    let bytes = if mode.is_multiple_of(2) { script.rest().to_vec() } else { build(parts, script.rest()) };
    let codec: Arc<dyn AnyCodec> = Arc::new(Thrift);
    for direction in [Direction::ClientToServer, Direction::ServerToClient] {
        verbs::detect(codec.as_ref(), direction, &bytes);
        let split = codec.split(direction, &choices.limits(), &bytes);
        if codec.detect(direction, &bytes) == Detection::Yes {
            match split {
                Ok(_) | Err(DecodeError { reason: Reason::LimitExceeded { .. }, .. }) => {}
                // Early bytes may be beyond doubt and later ones broken, or compressed; never the ones that were looked at.
                Err(error) => assert!(
                    error.reason.code() != "bad_magic" || is_zlib(&bytes) || is_text_length(&bytes, &choices.limits()),
                    "recognised, yet {error}"
                ),
            }
        }
        let Ok(Split::Head(head)) = split else { continue };
        let Some(frame) = Frame::new(head, &bytes) else { continue };
        verbs::check::<Dialog>(&codec, direction, frame, &choices);
    }
}
