//! The acorn protocol. The layout is drawn in README.md; change it here, there and in samples/ together.

use std::borrow::Cow;

use metaprotocol_core::{
    Codec, DecodeError, Detection, Direction, Edits, EncodeError, FirstSpeaker, Frame, Head, Info, Key, KeyInfo, Kind,
    Limits, PairBy, Reason, Reply, RequestId, Segments, Sharing, Split, Value, Visit,
};

const MAGIC: u16 = 0xac0f;
const TYPE_AT: usize = 2;
const TOPIC_AT: usize = 12;
const REQUEST: u8 = 1;
const RESPONSE: u8 = 2;
const ERROR: u8 = 3;
const PING: u8 = 4;
const PONG: u8 = 5;

/// The key `topic`, which is also its position in [`Info::keys`].
const TOPIC: u16 = 0;

static INFO: Info = Info {
    name: Cow::Borrowed("acorn"),
    aliases: Cow::Borrowed(&[]),
    summary: Cow::Borrowed("acorn, a protocol of our own"),
    pair_by: PairBy::Id,
    // Answers come in any order, found by their id.
    sharing: Sharing::Multiplexed,
    first_speaker: FirstSpeaker::Client,
    heartbeats: true,
    min_header_len: TOPIC_AT as u32,
    keys: Cow::Borrowed(&[KeyInfo::write("topic", "what the message is about")]),
    open_keys: false,
};

metaprotocol_plugin_sdk::export_codecs!(Acorn);

/// The codec. Keeps nothing between frames.
#[derive(Clone, Copy, Debug, Default)]
pub struct Acorn;

impl Codec for Acorn {
    type State = ();

    fn info(&self) -> &Info {
        &INFO
    }

    fn state(&self) -> Self::State {}

    /// Where does the frame at the front of the buffer end, and what is it?
    fn split(&self, _: &mut (), _: Direction, _: &Limits, buf: &[u8]) -> Result<Split, DecodeError> {
        for (at, (expected, found)) in MAGIC.to_be_bytes().into_iter().zip(buf).enumerate() {
            if expected != *found {
                return Err(Reason::BadMagic { expected: expected.into(), found: (*found).into() }.at(at));
            }
        }
        let kind = match buf.get(TYPE_AT) {
            None => return Ok(Split::Need(TOPIC_AT - buf.len())),
            Some(&REQUEST) => Kind::Request,
            Some(&RESPONSE) => Kind::Response,
            Some(&ERROR) => Kind::Error,
            Some(&PING | &PONG) => Kind::Heartbeat,
            Some(&ty) => return Err(Reason::BadValue { field: "type", value: ty.into() }.at(TYPE_AT)),
        };
        let Some(&[_, _, _, n, i0, i1, i2, i3, l0, l1, l2, l3]) = buf.first_chunk::<TOPIC_AT>() else {
            return Ok(Split::Need(TOPIC_AT - buf.len()));
        };
        let header_len = TOPIC_AT as u32 + u32::from(n);
        Ok(Split::Head(Head {
            kind,
            request_id: RequestId::Int(u32::from_be_bytes([i0, i1, i2, i3]).into()),
            stream_id: None,
            header_len,
            // Compared with the limits by the connection, before anything is done with it.
            frame_len: (header_len as usize).saturating_add(u32::from_be_bytes([l0, l1, l2, l3]) as usize),
            variant: 0,
        }))
    }

    fn key(&self, name: &str) -> Key {
        Key::from_table(name, &["topic"])
    }

    /// What is the value of one field of its metadata?
    fn field<'a>(&self, frame: Frame<'a>, key: &Key, _: &Limits) -> Result<Option<Value<'a>>, DecodeError> {
        let topic = frame.header().get(TOPIC_AT..).unwrap_or_default();
        if key.id != TOPIC || topic.is_empty() {
            return Ok(None);
        }
        // Borrowed from the frame, unless the text is broken.
        Ok(Some(Value::Str(String::from_utf8_lossy(topic))))
    }

    /// What are the values of all?
    fn fields<'a>(&self, frame: Frame<'a>, limits: &Limits, visit: &mut Visit<'_, 'a>) -> Result<(), DecodeError> {
        if let Some(topic) = self.field(frame, &self.key("topic"), limits)? {
            let _the_only_one = visit("topic", topic);
        }
        Ok(())
    }

    /// What is the frame with these edits?
    fn rewrite<'a>(&self, frame: Frame<'a>, edits: &Edits<'_>, _: &Limits) -> Result<Segments<'a>, EncodeError> {
        let refused = |key: &str, expected: &'static str| EncodeError::BadValue {
            key: key.to_owned(),
            expected: expected.into(),
        };
        let mut topic = Cow::Borrowed(frame.header().get(TOPIC_AT..).unwrap_or_default());
        if edits.remove.contains(&"topic") {
            topic = Cow::Borrowed(&[]);
        }
        for (key, value) in &edits.set {
            if *key != "topic" {
                return Err(EncodeError::NotWritable { key: (*key).to_owned(), why: "the only key is topic".into() });
            }
            topic = Cow::Owned(value.to_text().as_bytes().to_vec());
            if topic.is_empty() {
                return Err(refused("topic", "1 to 255 bytes; remove it to have none"));
            }
        }
        let (Some(&[m0, m1, ty, _, i0, i1, i2, i3, l0, l1, l2, l3]), Ok(n)) =
            (frame.bytes.first_chunk::<TOPIC_AT>(), u8::try_from(topic.len()))
        else {
            return Err(refused("topic", "1 to 255 bytes; remove it to have none"));
        };
        let id = match edits.request_id {
            None => [i0, i1, i2, i3],
            Some(id) => u32::try_from(id).map_err(|_| refused("request_id", "an id of 32 bits"))?.to_be_bytes(),
        };
        let header = [&[m0, m1, ty, n][..], &id[..], &[l0, l1, l2, l3][..], &topic].concat();
        // The body is borrowed: it goes out from where it is.
        Ok(vec![Cow::Owned(header), Cow::Borrowed(frame.body())])
    }

    /// What are the bytes of an answer made here?
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

    /// Does the front of this stream look like mine?
    fn detect(&self, _: Direction, prefix: &[u8]) -> Detection {
        if MAGIC.to_be_bytes().iter().zip(prefix).any(|(expected, found)| expected != found) {
            return Detection::No;
        }
        match prefix.get(TYPE_AT) {
            None => Detection::NeedMore,
            Some(REQUEST..=PONG) => Detection::Yes,
            Some(_) => Detection::No,
        }
    }
}
