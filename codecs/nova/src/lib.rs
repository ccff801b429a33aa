//! nova_pbrpc over nshead, one of the protocols of a bRPC port, for [`metaprotocol_core`].
//!
//! Sources: `nova_pbrpc_protocol.cpp`, `nshead_protocol.cpp` and `nshead.h` of Apache bRPC, and the nshead that brpc-java writes.
//! The folder's README has the wire format. public_pbrpc stands behind [`nshead`], too.
#![forbid(unsafe_code)]

mod fields;
pub mod nshead;
mod reply;
mod rewrite;
mod split;

use std::borrow::Cow;

use metaprotocol_core::{
    Codec, DecodeError, Detection, Direction, Edits, EncodeError, FirstSpeaker, Frame, Info, Key, Limits, PairBy,
    Reply, Segments, Sharing, Split, Value, Visit,
};

static INFO: Info = Info {
    name: Cow::Borrowed("nova"),
    aliases: Cow::Borrowed(&[Cow::Borrowed("aeraki.meta_protocol.codec.nova"), Cow::Borrowed("nova_pbrpc")]),
    summary: Cow::Borrowed("nova_pbrpc over nshead, on bRPC's port"),
    pair_by: PairBy::Order,
    sharing: Sharing::Bound,
    first_speaker: FirstSpeaker::Client,
    heartbeats: false,
    min_header_len: nshead::HEADER_LEN as u32,
    keys: Cow::Borrowed(&fields::KEYS),
    open_keys: false,
};

/// The codec of nova_pbrpc. Keeps nothing between frames.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nova;

impl Codec for Nova {
    type State = ();

    fn info(&self) -> &Info {
        &INFO
    }

    fn state(&self) -> Self::State {}

    fn split(
        &self,
        _state: &mut Self::State,
        direction: Direction,
        limits: &Limits,
        buf: &[u8],
    ) -> Result<Split, DecodeError> {
        split::split(direction, limits, buf)
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

    // Each call stands by itself.
    fn ties(&self, _state: &()) -> bool {
        false
    }
}
