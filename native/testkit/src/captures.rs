//! Captures: `NAME.pcap`, traffic between real peers, and `NAME.json`, what the peers themselves said of it.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use metaprotocol_capture::{Direction as Way, Event, Reader};
use metaprotocol_core::{AnyCodec, DecodeError, Direction, Limits};
use serde_json::Value as Json;

use crate::vectors::{files, read, stem};
use crate::{CLIENT, Decoded, OwnedFrame, SERVER, feed_to};

/// A capture.
#[derive(Clone, Debug)]
pub struct Capture {
    /// The file's name, without extension.
    pub name: String,
    /// What the peers told.
    pub told: Json,
    /// Its connections, by the client's port.
    pub conversations: BTreeMap<u16, Conversation>,
}

/// One connection: what each side sent, in the order it was captured.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// What messages call it: the capture and the client's port.
    pub name: String,
    /// Which way, and the bytes of one segment.
    pub pieces: Vec<(Direction, Vec<u8>)>,
}

impl Conversation {
    /// All that one side sent.
    #[must_use]
    pub fn stream(&self, direction: Direction) -> Vec<u8> {
        self.pieces.iter().filter(|(way, _)| *way == direction).flat_map(|(_, bytes)| bytes).copied().collect()
    }

    /// The frames of both sides in the order in which they were completed, and the first error.
    ///
    /// # Panics
    /// If a side ends within a frame.
    #[must_use]
    pub fn frames(&self, codec: &Arc<dyn AnyCodec>) -> (Vec<(Direction, OwnedFrame)>, Option<DecodeError>) {
        let mut connection = Arc::clone(codec).connect(Limits::default());
        let (mut frames, mut failed) = (Vec::new(), None);
        for (direction, bytes) in &self.pieces {
            let Decoded { frames: found, failure, .. } = feed_to(connection.as_mut(), *direction, bytes, []);
            frames.extend(found.into_iter().map(|frame| (*direction, frame)));
            failed = failed.or(failure);
        }
        for direction in [CLIENT, SERVER] {
            assert_eq!(connection.missing(direction), 0, "{} ends within a frame, {direction:?}", self.name);
        }
        (frames, failed)
    }
}

/// The captures of a folder, by name.
///
/// # Panics
/// If there are fewer than `least`, one lacks bytes, or the peers' account of one is missing.
#[must_use]
pub fn captures(folder: impl AsRef<Path>, least: usize) -> Vec<Capture> {
    let paths = files(folder.as_ref(), "pcap");
    assert!(paths.len() >= least, "only {} captures", paths.len());
    let capture = |path: &Path| {
        let name = stem(path);
        let mut conversations: BTreeMap<u16, Conversation> = BTreeMap::new();
        let mut sink = |event: Event<'_>| match event {
            Event::Data { flow, direction, bytes, .. } => {
                let direction = if direction == Way::ClientToServer { CLIENT } else { SERVER };
                let port = flow.client.port;
                let new = || Conversation { name: format!("{name} port {port}"), pieces: Vec::new() };
                conversations.entry(port).or_insert_with(new).pieces.push((direction, bytes.to_vec()));
            }
            Event::Gap { .. } => panic!("{name} lacks bytes"),
            _ => {}
        };
        let mut reader = Reader::new(File::open(path).expect("a capture"), metaprotocol_capture::Limits::default());
        reader.read_available(&mut sink).expect("a readable capture");
        assert_eq!(reader.finish(&mut sink).expect("a readable capture"), None, "{name} is cut short");
        Capture { told: parse_json(&read(&path.with_extension("json"))), name, conversations }
    };
    paths.iter().map(|path| capture(path)).collect()
}

/// JSON, with U+FFFD for each escape of half a surrogate pair: Java's strings may hold them, Rust's cannot, and codecs read
/// them so.
///
/// # Panics
/// If it is not JSON.
#[must_use]
pub fn parse_json(text: &str) -> Json {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let unit = |from: usize| {
            let digits = escape.get(from..)?.strip_prefix("\\u")?.get(..4)?;
            u16::from_str_radix(digits, 16).ok()
        };
        let (kept, len) = match (unit(0), unit(6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (&escape[..12], 12),
            (Some(0xd800..=0xdfff), _) => ("\u{fffd}", 6),
            _ => (&escape[..2], 2),
        };
        out.push_str(kept);
        rest = &escape[len..];
    }
    out.push_str(rest);
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("not JSON: {error}"))
}

#[cfg(test)]
mod tests {
    use super::parse_json;

    #[test]
    fn half_a_surrogate_pair_is_replaced_and_a_whole_one_is_not() {
        let json = r#"["a\ud83db", "\ude00", "\ud83d\ude00", "\\ud83d", "\"\u00e9"]"#;
        let expected = ["a\u{fffd}b", "\u{fffd}", "😀", "\\ud83d", "\"é"];
        assert_eq!(parse_json(json), serde_json::json!(expected));
    }
}
