//! Codecs that panic in each verb, and whose strings have NULs and no end, for the tests.
#![allow(missing_docs, reason = "an example exports one symbol")]

use std::borrow::Cow;

use metaprotocol_core::{
    Codec, DecodeError, Detection, Direction, Edits, EncodeError, FirstSpeaker, Frame, Head, Info, Key, Kind, Limits,
    PairBy, Reason, Reply, RequestId, Segments, Sharing, Split, Value, Visit,
};

static INFO: Info = Info {
    name: Cow::Borrowed("unwell"),
    aliases: Cow::Borrowed(&[Cow::Borrowed("example.unwell")]),
    summary: Cow::Borrowed("a\0nul"),
    pair_by: PairBy::Stream,
    sharing: Sharing::Bound,
    first_speaker: FirstSpeaker::Server,
    heartbeats: false,
    min_header_len: 1,
    keys: Cow::Borrowed(&[]),
    open_keys: true,
};

struct Unwell;

impl Codec for Unwell {
    type State = u64;

    fn info(&self) -> &Info {
        &INFO
    }

    fn state(&self) -> u64 {
        0
    }

    fn split(&self, seen: &mut u64, _: Direction, _: &Limits, buf: &[u8]) -> Result<Split, DecodeError> {
        *seen += 1;
        let request_id = RequestId::Bytes { at: 0, len: 1 };
        let head =
            Head { kind: Kind::Control, request_id, stream_id: Some(*seen), header_len: 1, frame_len: 2, variant: 7 };
        match buf {
            [b'p', ..] => panic!("split"),
            [b'c', ..] => Err(Reason::Custom { code: "too_green", what: "the acorn is too\0 green" }.at(1)),
            [b'l', ..] => Err(Reason::BadEncoding { field: LONG }.at(0)),
            _ => Ok(Split::Head(head)),
        }
    }

    fn field<'a>(&self, frame: Frame<'a>, key: &Key, _: &Limits) -> Result<Option<Value<'a>>, DecodeError> {
        match &*key.name {
            "variant" => Ok(Some(Value::UInt(frame.head.variant.into()))),
            "stream" => Ok(frame.head.stream_id.map(|id| Value::Int(-id.cast_signed()))),
            _ => panic!("field"),
        }
    }

    fn fields<'a>(&self, _: Frame<'a>, _: &Limits, _: &mut Visit<'_, 'a>) -> Result<(), DecodeError> {
        panic!("fields")
    }

    fn rewrite<'a>(&self, _: Frame<'a>, _: &Edits<'_>, _: &Limits) -> Result<Segments<'a>, EncodeError> {
        panic!("rewrite")
    }

    fn reply(&self, _: Frame<'_>, reply: Reply<'_>) -> Result<Option<Vec<u8>>, EncodeError> {
        if reply == Reply::Heartbeat { Ok(None) } else { panic!("reply") }
    }

    fn detect(&self, _: Direction, _: &[u8]) -> Detection {
        panic!("detect")
    }
}

const LONG: &str = "ääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääää\
ääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääää";

metaprotocol_plugin_sdk::export_codecs!(Unwell);
