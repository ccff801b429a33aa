//! bRPC: `baidu_std` and streaming frames, for [`metaprotocol_core`].
//!
//! Sources: `baidu_rpc_protocol`, `streaming_rpc_protocol`, their `.proto` files and `errno.proto` of Apache bRPC, and what
//! brpc-java writes; the bRPC codec of MetaProtocol Proxy for the mapping of streams. The folder's README has the wire
//! format, the limits, and where this codec departs from the others. The other protocols of a bRPC port are codecs of their
//! own; what they share with this one is [`meta`].
//!
//! Left out on purpose: payloads. They are the services' own messages.
//!
//! ```
//! use metaprotocol_brpc::Brpc;
//! use metaprotocol_core::{AnyCodec, Direction, Frame, Kind, Limits, Split, Value};
//!
//! let bytes = b"PRPC\0\0\0\x0f\0\0\0\x0f\x0a\x0b\x0a\x03a.B\x12\x04ping\x20\x09";
//! let limits = Limits::default();
//! let split = AnyCodec::split(&Brpc, Direction::ClientToServer, &limits, bytes);
//! let Ok(Split::Head(head)) = split else { panic!("no frame") };
//! assert_eq!(head.kind, Kind::Request);
//! let frame = Frame::new(head, bytes).expect("a whole frame");
//! let method = AnyCodec::key(&Brpc, "method");
//! assert_eq!(AnyCodec::field(&Brpc, frame, &method, &limits), Ok(Some(Value::str("ping"))));
//! ```
#![forbid(unsafe_code)]

mod fields;
pub mod meta;
mod reply;
mod rewrite;
mod split;
pub mod wire;

use std::borrow::Cow;

use metaprotocol_core::{
    Codec, DecodeError, Detection, Direction, Edits, EncodeError, FirstSpeaker, Frame, Info, Key, Limits, PairBy,
    Reply, Segments, Sharing, Split, Value, Visit,
};

pub use split::Opening;

static INFO: Info = Info {
    name: Cow::Borrowed("brpc"),
    aliases: Cow::Borrowed(&[Cow::Borrowed("aeraki.meta_protocol.codec.brpc"), Cow::Borrowed("baidu_std")]),
    summary: Cow::Borrowed("bRPC: baidu_std calls and streams"),
    pair_by: PairBy::Id,
    sharing: Sharing::Multiplexed,
    first_speaker: FirstSpeaker::Client,
    heartbeats: false,
    min_header_len: wire::HEADER_LEN as u32,
    keys: Cow::Borrowed(fields::TABLE.keys),
    open_keys: true,
};

/// The codec of baidu_std and of streaming frames. Between frames it keeps which streams are being opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Brpc;

impl Codec for Brpc {
    type State = Opening;

    fn info(&self) -> &Info {
        &INFO
    }

    fn state(&self) -> Self::State {
        Opening::default()
    }

    // Into the loop over the frames of a chunk, as the compiler does with shorter ones.
    #[inline(always)]
    fn split(
        &self,
        state: &mut Self::State,
        direction: Direction,
        limits: &Limits,
        buf: &[u8],
    ) -> Result<Split, DecodeError> {
        split::split(state, direction, limits, buf)
    }

    fn key(&self, name: &str) -> Key {
        fields::TABLE.key(name)
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

    fn host_failed(&self, answer: Frame<'_>) -> bool {
        metaprotocol_core::number(self, answer, "error_code").is_some_and(meta::host_failed)
    }
}
