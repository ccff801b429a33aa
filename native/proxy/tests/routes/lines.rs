//! A protocol for tests: lines of `key=value`, and an empty line at the end. Digits are numbers.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use metaprotocol_core::{
    AnyCodec, Codec, DecodeError, Detection, Direction, Edits, EncodeError, FirstSpeaker, Frame, Head, Info, Key,
    KeyInfo, Kind, Limits, PairBy, Reason, Reply, RequestId, Segments, Sharing, Split, Value, Visit,
};
use metaprotocol_proxy::config::RouteTable;
use metaprotocol_proxy::route::{Chosen, Extra, Message, Scratch, Table};

static INFO: LazyLock<Info> = LazyLock::new(|| Info {
    name: "lines".into(),
    aliases: Cow::Borrowed(&[]),
    summary: "lines".into(),
    pair_by: PairBy::Order,
    sharing: Sharing::Pipelined,
    first_speaker: FirstSpeaker::Client,
    heartbeats: false,
    min_header_len: 2,
    keys: vec![KeyInfo::write("method", "the method"), KeyInfo::read("Method", "another"), KeyInfo::read("size", "it")]
        .into(),
    open_keys: true,
});

/// Counts the look-ups.
#[derive(Default)]
pub struct Lines {
    pub asked: AtomicUsize,
}

impl Codec for Lines {
    type State = ();

    fn info(&self) -> &Info {
        &INFO
    }

    fn state(&self) {}

    fn split(&self, (): &mut (), _: Direction, _: &Limits, buf: &[u8]) -> Result<Split, DecodeError> {
        Ok(buf.windows(2).position(|pair| pair == b"\n\n").map_or(Split::Need(1), |at| Split::Head(head(at + 2))))
    }

    fn key(&self, name: &str) -> Key {
        Key::from_table(name, &["method", "Method", "size"])
    }

    fn field<'a>(&self, frame: Frame<'a>, key: &Key, _: &Limits) -> Result<Option<Value<'a>>, DecodeError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let text = str::from_utf8(frame.bytes).expect("text");
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            let Some(line) = line.strip_suffix('\n') else { break };
            if line.is_empty() {
                return Ok(None);
            }
            let (name, value) = line.split_once('=').expect("an equals sign");
            if name == &*key.name {
                let digits = value.strip_prefix('-').unwrap_or(value);
                // Only the number's own spelling, so that its text is that of the frame.
                let plain = !digits.starts_with(['0', '+', '-']) || value == "0";
                let number = value.parse().map(Value::UInt).or_else(|_| value.parse().map(Value::Int)).ok();
                let number = number.filter(|_| plain);
                return if value == "broken" {
                    Err(Reason::BadEncoding { field: "value" }.at(at))
                } else {
                    Ok(Some(number.unwrap_or(Value::str(value))))
                };
            }
            at += line.len() + 1;
        }
        Err(Reason::UnexpectedEnd { field: "value" }.at(frame.bytes.len()))
    }

    fn fields<'a>(&self, _: Frame<'a>, _: &Limits, visit: &mut Visit<'_, 'a>) -> Result<(), DecodeError> {
        let _: ControlFlow<()> = visit("unused", Value::str(""));
        Ok(())
    }

    fn rewrite<'a>(&self, frame: Frame<'a>, _: &Edits<'_>, _: &Limits) -> Result<Segments<'a>, EncodeError> {
        Ok(vec![frame.bytes.into()])
    }

    fn reply(&self, _: Frame<'_>, _: Reply<'_>) -> Result<Option<Vec<u8>>, EncodeError> {
        Ok(None)
    }

    fn detect(&self, _: Direction, _: &[u8]) -> Detection {
        Detection::No
    }
}

fn head(len: usize) -> Head {
    Head {
        kind: Kind::Request,
        request_id: RequestId::None,
        stream_id: None,
        header_len: len as u32,
        frame_len: len,
        variant: 0,
    }
}

/// The frame of some fields.
pub fn frame_of(fields: &[(&str, &str)]) -> String {
    fields.iter().map(|(key, value)| format!("{key}={value}\n")).chain(["\n".to_owned()]).collect()
}

/// A message made of these bytes, which may be the front of a longer one only.
pub fn with<R>(
    codec: &dyn AnyCodec,
    bytes: &str,
    extra: &[Extra<'_>],
    run: impl FnOnce(&mut Message<'_, '_>) -> R,
) -> R {
    let mut scratch = Scratch::default();
    let frame = Frame { head: head(bytes.len()), bytes: bytes.as_bytes() };
    run(&mut Message::new(codec, frame, &Limits::default(), extra, &mut scratch))
}

/// The number of the route that a message takes.
pub fn find(table: &Table, bytes: &str) -> Result<Option<usize>, DecodeError> {
    with(&Lines::default(), bytes, &[], |message| Ok(table.find(message)?.map(|route| route.number)))
}

/// Where a message goes.
pub fn cluster(table: &Table, bytes: &str, random: u64) -> Option<String> {
    with(&Lines::default(), bytes, &[], |message| {
        let route = table.find(message).expect("a readable message").expect("a route");
        let chosen = route.target.cluster(message, || random).expect("a readable message");
        chosen.as_ref().map(Chosen::name).map(ToOwned::to_owned)
    })
}

pub fn config(json: &str) -> RouteTable {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error} in {json}"))
}

pub fn table(json: &str) -> Table {
    Table::compile(&config(json), &Lines::default()).unwrap_or_else(|error| panic!("{error} in {json}"))
}
