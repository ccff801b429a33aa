//! Apache Thrift: framed, unframed and THeader transports; binary (strict and old) and compact protocols.
//!
//! A connection's first message shows its transport and protocol (the table is in `detect.rs`), and every later one is
//! held to them. Framed and THeader messages are sliced by their length and only the message head is read; an unframed
//! message ends where its struct does, which a resumable walk finds. Layouts are drawn at the head of `message.rs` and
//! `header.rs`. Specifications: Apache Thrift `doc/specs/thrift-binary-protocol.md`, `thrift-compact-protocol.md`,
//! `HeaderFormat.md`. Left out on purpose: the JSON protocols, Twitter's upgraded TTwitter connections, THeader
//! transforms other than zlib.
#![forbid(unsafe_code)]

mod detect;
mod fields;
mod header;
mod inflate;
mod message;
mod reply;
mod rewrite;
mod split;
mod walk;
mod window;
mod wire;

use std::borrow::Cow;

use metaprotocol_core::{
    Codec, DecodeError, Detection, Direction, Edits, EncodeError, FirstSpeaker, Frame, Head, IdPlace, Info, Key,
    Limits, PairBy, Reply, Segments, Sharing, Split, Value, Visit,
};

pub use split::State;
use wire::{Protocol, Transport, Variant};

static INFO: Info = Info {
    name: Cow::Borrowed("thrift"),
    aliases: Cow::Borrowed(&[Cow::Borrowed("aeraki.meta_protocol.codec.thrift")]),
    summary: Cow::Borrowed("Apache Thrift: framed, unframed and THeader; binary and compact"),
    pair_by: PairBy::Id,
    sharing: Sharing::Multiplexed,
    first_speaker: FirstSpeaker::Client,
    heartbeats: false,
    min_header_len: 4,
    keys: Cow::Borrowed(fields::KEYS),
    open_keys: true,
};

/// The Thrift codec.
#[derive(Clone, Copy, Debug, Default)]
pub struct Thrift;

impl Codec for Thrift {
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
        match fields::key_id(name) {
            Some(id) => Key { name: name.into(), id },
            None => Key::dynamic(name),
        }
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

    fn detect(&self, direction: Direction, prefix: &[u8]) -> Detection {
        detect::detect(direction, prefix)
    }

    /// The sequence id ends the head of a message of the binary protocol. THeader has it twice, compact as a varint.
    fn id_place(&self, frame: Frame<'_>) -> Option<IdPlace> {
        let Variant { transport, protocol, zlib } = Variant::unpack(frame.head.variant);
        let in_place = transport != Transport::Header && protocol != Protocol::Compact && !zlib;
        let at = (frame.head.header_len as usize).checked_sub(4)?;
        in_place.then_some(IdPlace { at, len: 4, signed: true })
    }

    fn dialect(&self, head: &Head) -> u32 {
        head.variant
    }

    // INTERNAL_ERROR, of handlers that throw what they don't declare; of fbthrift LOADSHEDDING and TIMEOUT.
    fn host_failed(&self, answer: Frame<'_>) -> bool {
        matches!(metaprotocol_core::number(self, answer, "exception_type"), Some(6 | 11 | 12))
    }
}
