//! Dubbo 2 with Hessian 2 bodies, for [`metaprotocol_core`].
//!
//! Sources: `ExchangeCodec` and `DubboCodec` of Apache Dubbo 2.7 and 3.x for the frames, the *Hessian 2.0 Serialization
//! Protocol* for the bodies, and the Dubbo codec of MetaProtocol Proxy for the names of the metadata. The folder's README
//! has the wire format, the limits, and where this codec departs from the others.
//!
//! Left out on purpose: bodies that are not Hessian 2. Their frames split, pair and route on what the header says.
//!
//! ```
//! use metaprotocol_core::{AnyCodec, Direction, Frame, Kind, Limits, Split, Value};
//! use metaprotocol_dubbo::Dubbo;
//!
//! let bytes = b"\xda\xbb\x82\0\0\0\0\0\0\0\0\x03\0\0\0\x18\x052.0.2\x03a.B\x050.0.0\x04ping\0HZ";
//! let limits = Limits::default();
//! let split = AnyCodec::split(&Dubbo, Direction::ClientToServer, &limits, bytes);
//! let Ok(Split::Head(head)) = split else { panic!("no frame") };
//! assert_eq!(head.kind, Kind::Oneway);
//! let frame = Frame::new(head, bytes).expect("a whole frame");
//! let method = AnyCodec::key(&Dubbo, "method");
//! assert_eq!(AnyCodec::field(&Dubbo, frame, &method, &limits), Ok(Some(Value::str("ping"))));
//! ```
#![forbid(unsafe_code)]

mod body;
mod fields;
pub mod hessian;
mod reply;
mod rewrite;
mod split;
pub mod wire;

use std::borrow::Cow;

use metaprotocol_core::{
    Codec, DecodeError, Detection, Direction, Edits, EncodeError, FirstSpeaker, Frame, IdPlace, Info, Key, Kind,
    Limits, PairBy, Reply, Segments, Sharing, Split, Value, Visit,
};

static INFO: Info = Info {
    name: Cow::Borrowed("dubbo"),
    aliases: Cow::Borrowed(&[Cow::Borrowed("aeraki.meta_protocol.codec.dubbo")]),
    summary: Cow::Borrowed("Dubbo 2, bodies in Hessian 2"),
    pair_by: PairBy::Id,
    sharing: Sharing::Multiplexed,
    first_speaker: FirstSpeaker::Client,
    heartbeats: true,
    min_header_len: wire::HEADER_LEN as u32,
    keys: Cow::Borrowed(&fields::KEYS),
    open_keys: true,
};

/// The codec of Dubbo 2. Keeps nothing between frames.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dubbo;

impl Codec for Dubbo {
    type State = ();

    fn info(&self) -> &Info {
        &INFO
    }

    fn state(&self) -> Self::State {}

    fn split(
        &self,
        _state: &mut Self::State,
        _direction: Direction,
        limits: &Limits,
        buf: &[u8],
    ) -> Result<Split, DecodeError> {
        split::split(limits, buf)
    }

    fn key(&self, name: &str) -> Key {
        fields::key(name)
    }

    fn field<'a>(&self, frame: Frame<'a>, key: &Key, limits: &Limits) -> Result<Option<Value<'a>>, DecodeError> {
        fields::field(frame, key, limits)
    }

    fn fields<'a>(&self, frame: Frame<'a>, limits: &Limits, visit: &mut Visit<'_, 'a>) -> Result<(), DecodeError> {
        fields::fields(frame, limits, visit)
    }

    fn rewrite<'a>(&self, frame: Frame<'a>, edits: &Edits<'_>, limits: &Limits) -> Result<Segments<'a>, EncodeError> {
        rewrite::rewrite(frame, edits, limits)
    }

    fn reply(&self, request: Frame<'_>, reply: Reply<'_>) -> Result<Option<Vec<u8>>, EncodeError> {
        reply::reply(request, reply)
    }

    fn detect(&self, _direction: Direction, prefix: &[u8]) -> Detection {
        split::detect(prefix)
    }

    fn id_place(&self, _frame: Frame<'_>) -> Option<IdPlace> {
        Some(IdPlace { at: wire::REQUEST_ID_AT, len: 8, signed: false })
    }

    // The event "read only": the text `R` in Hessian 2, as a provider sends it that shuts down.
    fn is_goodbye(&self, frame: Frame<'_>) -> bool {
        frame.head.kind == Kind::Control && frame.body() == b"\x01R"
    }

    // SERVER_TIMEOUT, SERVER_ERROR, SERVER_THREADPOOL_EXHAUSTED_ERROR (`Response.java`). Exceptions come with OK.
    fn host_failed(&self, answer: Frame<'_>) -> bool {
        matches!(metaprotocol_core::number(self, answer, "status"), Some(31 | 80 | 100))
    }
}
