//! A whole codec, small enough for a page of the documentation (`docs/how-to/write-a-native-codec.md` shows it), and the
//! properties that every codec is tested for. The same protocol in Python: `docs/tutorial/first-codec.md`.

// --8<-- [start:codec]
//! Acorn, a protocol made up for the documentation. Big-endian.
//!
//! ```text
//!  0    2      3             4            8             12       12+n
//!  ┌────┬──────┬─────────────┬────────────┬─────────────┬────────┬──────
//!  │ AC │ type │ n = topic's │ request id │ body length │ topic  │ body
//!  │    │      │ length      │            │             │        │
//!  └────┴──────┴─────────────┴────────────┴─────────────┴────────┴──────
//!         1 request · 2 response · 3 error · 4 ping · 5 pong
//! ```
#![forbid(unsafe_code)]

use std::borrow::Cow;

use metaprotocol_core::{
    Codec, DecodeError, Detection, Direction, Edits, EncodeError, FirstSpeaker, Frame, Head, Info, Key, KeyInfo, Kind,
    Limits, PairBy, Reason, Reply, RequestId, Segments, Sharing, Split, Value, Visit,
};

const MAGIC: u16 = 0x4143;
const TYPE_AT: usize = 2;
const TOPIC_AT: usize = 12;
const ERROR: u8 = 3;
const PING: u8 = 4;
const PONG: u8 = 5;

/// The key `topic`, which is also its position in [`Info::keys`].
const TOPIC: u16 = 0;

static INFO: Info = Info {
    name: Cow::Borrowed("acorn"),
    aliases: Cow::Borrowed(&[]),
    summary: Cow::Borrowed("Acorn, our own protocol"),
    pair_by: PairBy::Id,
    sharing: Sharing::Multiplexed,
    first_speaker: FirstSpeaker::Client,
    heartbeats: true,
    min_header_len: TOPIC_AT as u32,
    keys: Cow::Borrowed(&[KeyInfo::write("topic", "what the message is about")]),
    open_keys: false,
};

/// The codec of acorn. Keeps nothing between frames.
#[derive(Clone, Copy, Debug, Default)]
pub struct Acorn;

impl Codec for Acorn {
    type State = ();

    fn info(&self) -> &Info {
        &INFO
    }

    fn state(&self) -> Self::State {}

    fn split(&self, _: &mut (), _: Direction, _: &Limits, buf: &[u8]) -> Result<Split, DecodeError> {
        for (at, (expected, found)) in MAGIC.to_be_bytes().into_iter().zip(buf).enumerate() {
            if expected != *found {
                return Err(Reason::BadMagic { expected: expected.into(), found: (*found).into() }.at(at));
            }
        }
        let Some(&[_, _, ty, n, i0, i1, i2, i3, l0, l1, l2, l3]) = buf.first_chunk::<TOPIC_AT>() else {
            return Ok(Split::Need(TOPIC_AT - buf.len()));
        };
        let kind = match ty {
            1 => Kind::Request,
            2 => Kind::Response,
            ERROR => Kind::Error,
            PING | PONG => Kind::Heartbeat,
            _ => return Err(Reason::BadValue { field: "type", value: ty.into() }.at(TYPE_AT)),
        };
        let header_len = TOPIC_AT as u32 + u32::from(n);
        Ok(Split::Head(Head {
            kind,
            request_id: RequestId::Int(u32::from_be_bytes([i0, i1, i2, i3]).into()),
            stream_id: None,
            header_len,
            // Compared with `Limits::max_frame_len` by the connection, before anything is done with it.
            frame_len: (header_len as usize).saturating_add(u32::from_be_bytes([l0, l1, l2, l3]) as usize),
            variant: 0,
        }))
    }

    fn key(&self, name: &str) -> Key {
        Key::from_table(name, &["topic"])
    }

    fn field<'a>(&self, frame: Frame<'a>, key: &Key, _: &Limits) -> Result<Option<Value<'a>>, DecodeError> {
        let topic = frame.header().get(TOPIC_AT..).unwrap_or_default();
        if key.id != TOPIC || topic.is_empty() {
            return Ok(None);
        }
        // Borrowed from the frame, unless the text is broken.
        Ok(Some(Value::Str(String::from_utf8_lossy(topic))))
    }

    fn fields<'a>(&self, frame: Frame<'a>, limits: &Limits, visit: &mut Visit<'_, 'a>) -> Result<(), DecodeError> {
        if let Some(topic) = self.field(frame, &self.key("topic"), limits)? {
            let _the_only_one = visit("topic", topic);
        }
        Ok(())
    }

    fn rewrite<'a>(&self, frame: Frame<'a>, edits: &Edits<'_>, _: &Limits) -> Result<Segments<'a>, EncodeError> {
        let mut topic = Cow::Borrowed(frame.header().get(TOPIC_AT..).unwrap_or_default());
        if edits.remove.contains(&"topic") {
            topic = Cow::Borrowed(&[]);
        }
        for (key, value) in &edits.set {
            if *key != "topic" {
                let why = "an acorn has a topic and nothing else";
                return Err(EncodeError::NotWritable { key: (*key).to_owned(), why: why.into() });
            }
            topic = Cow::Owned(value.to_text().as_bytes().to_vec());
        }
        let (Some(&[m0, m1, ty, _, i0, i1, i2, i3, l0, l1, l2, l3]), Ok(n)) =
            (frame.bytes.first_chunk::<TOPIC_AT>(), u8::try_from(topic.len()))
        else {
            return Err(EncodeError::BadValue { key: "topic".to_owned(), expected: "at most 255 bytes".into() });
        };
        let id = match edits.request_id {
            None => [i0, i1, i2, i3],
            Some(id) => u32::try_from(id)
                .map_err(|_| EncodeError::BadValue {
                    key: "request_id".to_owned(),
                    expected: "an id of 32 bits".into(),
                })?
                .to_be_bytes(),
        };
        let header = [&[m0, m1, ty, n][..], &id[..], &[l0, l1, l2, l3][..], &topic].concat();
        Ok(vec![Cow::Owned(header), Cow::Borrowed(frame.body())])
    }

    fn reply(&self, request: Frame<'_>, reply: Reply<'_>) -> Result<Option<Vec<u8>>, EncodeError> {
        let (ty, body) = match (request.head.kind, reply) {
            (Kind::Request, Reply::Error(_, message)) => (ERROR, message.as_bytes()),
            (Kind::Heartbeat, Reply::Heartbeat) if request.bytes.get(TYPE_AT) == Some(&PING) => (PONG, &[][..]),
            _ => {
                return Err(EncodeError::NoReply { why: "requests are answered with errors, pings with pongs".into() });
            }
        };
        let id = request.bytes.get(4..8).unwrap_or_default();
        let body_len = u32::try_from(body.len())
            .map_err(|_| EncodeError::TooLong { len: body.len() as u64, max: u32::MAX.into() })?;
        Ok(Some([&MAGIC.to_be_bytes()[..], &[ty, 0], id, &body_len.to_be_bytes(), body].concat()))
    }

    fn detect(&self, _: Direction, prefix: &[u8]) -> Detection {
        match prefix {
            [b'A', b'C', ..] => Detection::Yes,
            [] | [b'A'] => Detection::NeedMore,
            _ => Detection::No,
        }
    }
}
// --8<-- [end:codec]

// --8<-- [start:tests]
#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use metaprotocol_core::{AnyCodec, ErrorType};
    use metaprotocol_testkit::{
        Allocations, CLIENT, Sample, check_vectors, decode, error_reply, new_id, rewrite, set, split_allocations,
        split_calls, whole,
    };

    use super::*;

    const QUESTION: &[u8] = b"AC\x01\x07\0\0\0\x01\0\0\0\x05weatherOslo?";
    const A_PING: &[u8] = b"AC\x04\0\0\0\0\x03\0\0\0\0";

    fn acorn() -> Arc<dyn AnyCodec> {
        Arc::new(Acorn)
    }

    /// What every codec is held to, on the streams of this folder and on what chance makes of them.
    #[test]
    fn the_vectors_hold() {
        check_vectors(&acorn(), concat!(env!("CARGO_MANIFEST_DIR"), "/../core/tests/acorn"), 5);
    }

    #[test]
    fn frames_are_found_without_allocation_or_a_second_look() {
        let sample = Sample::new("a question and a ping", CLIENT, [QUESTION, A_PING].concat());
        assert_eq!(split_allocations(&Acorn, &sample), Allocations { frames: 2, first: 0, warm: 0 });
        // Each for its first byte and for its header.
        assert_eq!(split_calls(Acorn, &sample), 4);
    }

    // What only this protocol has.

    #[test]
    fn half_a_header_asks_for_the_rest() {
        for len in 1..TOPIC_AT {
            let split = AnyCodec::split(&Acorn, CLIENT, &Limits::default(), &QUESTION[..len]);
            assert_eq!(split, Ok(Split::Need(TOPIC_AT - len)));
        }
    }

    #[test]
    fn other_bytes_are_refused() {
        for (junk, code, offset) in [
            (&b"AG"[..], "bad_magic", 1),
            (b"AC\x09\0\0\0\0\0\0\0\0\0", "bad_value", 2),
            (b"AC\x01\0\0\0\0\x01\xff\xff\xff\xff", "limit_exceeded", 0),
        ] {
            let error = decode(&acorn(), CLIENT, junk).failure.unwrap();
            assert_eq!((error.reason.code(), error.offset), (code, offset), "{junk:?}");
        }
    }

    #[test]
    fn an_edit_changes_what_it_names() {
        let edits = Edits { request_id: new_id(77).request_id, ..set(&[("topic", "climate")]) };
        let edited = rewrite(&Acorn, whole(&Acorn, CLIENT, QUESTION), &edits);
        assert_eq!(edited.unwrap(), b"AC\x01\x07\0\0\0\x4d\0\0\0\x05climateOslo?");
        let segments = Codec::rewrite(&Acorn, whole(&Acorn, CLIENT, QUESTION), &edits, &Limits::default()).unwrap();
        assert!(matches!(segments[1], Cow::Borrowed(_)), "the body is not copied");
    }

    #[test]
    fn replies_to_the_byte() {
        let error = error_reply(&Acorn, whole(&Acorn, CLIENT, QUESTION), ErrorType::OverLimit, "no");
        assert_eq!(error.unwrap().unwrap(), b"AC\x03\0\0\0\0\x01\0\0\0\x02no");
        let pong = Codec::reply(&Acorn, whole(&Acorn, CLIENT, A_PING), Reply::Heartbeat).unwrap().unwrap();
        assert_eq!(pong, b"AC\x05\0\0\0\0\x03\0\0\0\0");
        assert!(Codec::reply(&Acorn, whole(&Acorn, CLIENT, &pong), Reply::Heartbeat).is_err());
    }

    #[test]
    fn metadata_is_borrowed() {
        let key = Codec::key(&Acorn, "topic");
        let value = Codec::field(&Acorn, whole(&Acorn, CLIENT, QUESTION), &key, &Limits::default()).unwrap();
        assert!(matches!(value, Some(Value::Str(Cow::Borrowed("weather")))));
        assert_eq!(Codec::field(&Acorn, whole(&Acorn, CLIENT, A_PING), &key, &Limits::default()), Ok(None));
    }
}
// --8<-- [end:tests]
