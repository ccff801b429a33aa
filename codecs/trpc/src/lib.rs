//! tRPC: unary calls, one-way calls and streams, for [`metaprotocol_core`].
//!
//! Sources: the tRPC protocol specification and its `trpc.proto` for the wire, `codec.go` and `codec_stream.go` of trpc-go
//! for what they leave open, the tRPC codec of MetaProtocol Proxy for the names of the metadata. The folder's README has the
//! wire format, the limits, and where this codec departs from the others.
//!
//! Left out on purpose: what is in bodies and attachments.
//!
//! ```
//! use metaprotocol_core::{AnyCodec, Direction, Frame, Kind, Limits, RequestId, Split, Value};
//! use metaprotocol_trpc::Trpc;
//!
//! let bytes = b"\x09\x30\0\0\0\0\0\x21\0\x0f\0\0\0\0\x01\0\x10\x01\x18\x07\x3a\x09/a.B/PingOK";
//! let limits = Limits::default();
//! let split = AnyCodec::split(&Trpc, Direction::ClientToServer, &limits, bytes);
//! let Ok(Split::Head(head)) = split else { panic!("no frame: {split:?}") };
//! assert_eq!((head.kind, head.request_id), (Kind::Oneway, RequestId::Int(7)));
//! let frame = Frame::new(head, bytes).expect("a whole frame");
//! let method = AnyCodec::key(&Trpc, "method");
//! assert_eq!(AnyCodec::field(&Trpc, frame, &method, &limits), Ok(Some(Value::str("Ping"))));
//! ```
#![forbid(unsafe_code)]

mod fields;
mod message;
mod reply;
mod rewrite;
mod split;
pub mod wire;

use std::borrow::Cow;

use metaprotocol_core::{
    Codec, DecodeError, Detection, Direction, Edits, EncodeError, FirstSpeaker, Frame, Info, Key, Limits, PairBy,
    Reply, Segments, Sharing, Split, Value, Visit,
};

pub use reply::ret_of;
pub use split::State;

static INFO: Info = Info {
    name: Cow::Borrowed("trpc"),
    aliases: Cow::Borrowed(&[Cow::Borrowed("aeraki.meta_protocol.codec.trpc")]),
    summary: Cow::Borrowed("tRPC: unary calls, one-way calls and streams"),
    pair_by: PairBy::Id,
    sharing: Sharing::Multiplexed,
    first_speaker: FirstSpeaker::Client,
    heartbeats: false,
    min_header_len: wire::FIXED_LEN as u32,
    keys: Cow::Borrowed(&fields::KEYS),
    open_keys: true,
};

/// The codec of tRPC. Keeps nothing between frames.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trpc;

impl Codec for Trpc {
    type State = State;

    fn info(&self) -> &Info {
        &INFO
    }

    fn state(&self) -> State {
        State::default()
    }

    // Once in the loop over a chunk's frames, where a call would copy its answer through memory.
    #[inline(always)]
    fn split(
        &self,
        state: &mut State,
        direction: Direction,
        limits: &Limits,
        buf: &[u8],
    ) -> Result<Split, DecodeError> {
        split::split(state, direction, limits, buf)
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

    // TRPC_SERVER_TIMEOUT_ERR, TRPC_SERVER_OVERLOAD_ERR, TRPC_SERVER_SYSTEM_ERR (`trpc.proto`). Functions have a code of their
    // own.
    fn host_failed(&self, answer: Frame<'_>) -> bool {
        matches!(metaprotocol_core::number(self, answer, "ret"), Some(21 | 22 | 31))
    }
}
