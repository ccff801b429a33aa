//! Redis: RESP2 and RESP3, commands and replies, pub/sub, transactions, MONITOR and replication.
//!
//! A command is an array of bulk strings or a line of words, a reply any value; where either ends is found by a walk that
//! jumps over the bytes of strings and keeps its place. Answers come in the order of their commands, but servers also say
//! things unasked, and some commands are answered more than once or not at all: `state.rs` knows which. Specifications:
//! the Redis serialization protocol and the RESP3 specification of `redis/redis-specifications`, and what servers of
//! version 7.0 do (`networking.c`, `pubsub.c`, `replication.c`). Left out on purpose: the bus between the nodes of a
//! cluster, which is another protocol, and what commands mean beyond their keys.
#![forbid(unsafe_code)]

mod command;
mod detect;
mod fields;
mod keys;
mod replies;
mod reply;
mod requests;
mod rewrite;
mod snapshot;
mod split;
mod state;
mod table;
mod walk;
mod wire;

use std::borrow::Cow;

use metaprotocol_core::{
    Codec, DecodeError, Detection, Direction, Edits, EncodeError, FirstSpeaker, Frame, Info, Key, Limits, PairBy,
    Reply, Segments, Sharing, Split, Value, Visit,
};

pub use state::State;

static INFO: Info = Info {
    name: Cow::Borrowed("redis"),
    aliases: Cow::Borrowed(&[Cow::Borrowed("aeraki.meta_protocol.codec.redis")]),
    summary: Cow::Borrowed("Redis: RESP2 and RESP3, pub/sub, transactions, MONITOR and replication"),
    pair_by: PairBy::Order,
    // A connection has a database, a user, a transaction, subscriptions and a protocol version of its own.
    sharing: Sharing::Bound,
    first_speaker: FirstSpeaker::Client,
    heartbeats: false,
    // A newline, which keeps a connection alive.
    min_header_len: 1,
    keys: Cow::Borrowed(fields::KEYS),
    open_keys: true,
};

/// The Redis codec.
#[derive(Clone, Copy, Debug, Default)]
pub struct Redis;

impl Codec for Redis {
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

    fn binds(&self, request: Frame<'_>) -> bool {
        requests::binds(request)
    }

    fn note(&self, state: &mut State, _request: Frame<'_>, _limits: &Limits) {
        state.wait_once();
    }

    // What it says whatever the command is. A client that is not let in, or asks for what there is not, gets other words.
    fn host_failed(&self, answer: Frame<'_>) -> bool {
        const UNWELL: [&str; 7] = ["LOADING", "MASTERDOWN", "CLUSTERDOWN", "MISCONF", "BUSY", "OOM", "NOREPLICAS"];
        let key = Key { name: "error_code".into(), id: fields::ERROR_CODE };
        let code = fields::field(answer, &key, &Limits::default());
        matches!(code, Ok(Some(Value::Str(code))) if UNWELL.contains(&&*code))
    }

    fn ties(&self, state: &State) -> bool {
        state.ties()
    }
}
