//! Kafka, every API and version, for [`metaprotocol_core`].
//!
//! Sources: the protocol guide of Apache Kafka, its message definitions `common/message/*.json`, from which
//! `schemas/generate.py` makes the tables of this codec, and KIP-43, KIP-152, KIP-482 and KIP-511 for what they do not say.
//! The folder's README has the wire format, the limits, and where this codec departs from others.
//!
//! Left out on purpose: record batches, which are passed by their lengths, and what clients of a group tell each other
//! in bytes of their own.
//!
//! ```
//! use metaprotocol_core::{AnyCodec, Direction, Frame, Kind, Limits, Split, Value};
//! use metaprotocol_kafka::Kafka;
//!
//! // Metadata, version 1, of the topic "orders".
//! let bytes = b"\0\0\0\x1a\0\x03\0\x01\0\0\0\x07\0\x04shop\0\0\0\x01\0\x06orders";
//! let limits = Limits::default();
//! let split = AnyCodec::split(&Kafka, Direction::ClientToServer, &limits, bytes);
//! let Ok(Split::Head(head)) = split else { panic!("no frame") };
//! assert_eq!(head.kind, Kind::Request);
//! let frame = Frame::new(head, bytes).expect("a whole frame");
//! for (name, value) in [("api_name", "Metadata"), ("client_id", "shop"), ("topics", "orders")] {
//!     let key = AnyCodec::key(&Kafka, name);
//!     assert_eq!(AnyCodec::field(&Kafka, frame, &key, &limits), Ok(Some(Value::str(value))));
//! }
//! ```
#![forbid(unsafe_code)]

mod detect;
#[cfg(test)]
mod every_message;
mod fields;
mod reply;
mod rewrite;
mod schema;
mod split;
mod state;
mod walk;
mod wire;

use std::borrow::Cow;

use metaprotocol_core::{
    Codec, DecodeError, Detection, Direction, Edits, EncodeError, FirstSpeaker, Frame, Info, Key, Limits, PairBy,
    Reply, Segments, Sharing, Split, Value, Visit,
};

pub use state::State;

static INFO: Info = Info {
    name: Cow::Borrowed("kafka"),
    aliases: Cow::Borrowed(&[Cow::Borrowed("aeraki.meta_protocol.codec.kafka")]),
    summary: Cow::Borrowed("Kafka, every API and version up to 4.3"),
    // A broker answers in order, but a capture that begins within a connection, or a gap in it, would shift that for ever.
    pair_by: PairBy::Id,
    // SASL makes a connection its user's, and a long poll holds up all that is asked behind it.
    sharing: Sharing::Bound,
    first_speaker: FirstSpeaker::Client,
    heartbeats: false,
    min_header_len: wire::RESPONSE_ID_AT as u32 + 4,
    keys: Cow::Borrowed(&fields::KEYS),
    open_keys: true,
};

/// The codec of Kafka. A connection remembers the API and the version of each request until it is answered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kafka;

impl Codec for Kafka {
    type State = State;

    fn info(&self) -> &Info {
        &INFO
    }

    fn state(&self) -> Self::State {
        State::default()
    }

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

    fn detect(&self, direction: Direction, prefix: &[u8]) -> Detection {
        match direction {
            Direction::ClientToServer => detect::client(prefix),
            Direction::ServerToClient => detect::server(prefix),
        }
    }

    // Brokers know their clients by ids of producers, groups and sessions, wherever these come from, but log in connections.
    fn ties(&self, state: &State) -> bool {
        state.logs_in
    }
}
