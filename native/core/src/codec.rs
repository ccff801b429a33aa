//! The contract of a protocol: five verbs, no state but the connection's.

use std::any::Any;
use std::borrow::Cow;
use std::sync::Arc;

use crate::{
    Connection, DecodeError, Decoder, Direction, Edits, EncodeError, Frame, Head, Key, Kind, Limits, Reply, Segments,
    Value, Visit, tls,
};

/// What `split` found at the front of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// A frame begins here. Its body may still be incomplete: compare `frame_len` with the bytes at hand.
    Head(Head),
    /// The header is incomplete: at least this many more bytes are needed, and the frame is no shorter than that.
    Need(usize),
}

/// Whether the front of a stream looks like a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Detection {
    /// No other built-in protocol starts like this.
    Yes = 0,
    /// It cannot be this protocol.
    No = 1,
    /// Too early to tell.
    NeedMore = 2,
}

/// How responses find their requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum PairBy {
    /// By request id, equal ids in the order they were sent; frames that have a stream id instead, by that.
    Id = 0,
    /// In the order of the requests.
    Order = 1,
    /// By stream id.
    Stream = 2,
    /// Not at all.
    None = 3,
}

impl PairBy {
    /// The name shown to people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Order => "order",
            Self::Stream => "stream",
            Self::None => "none",
        }
    }
}

/// How many clients one upstream connection can serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Sharing {
    /// Many at once, in any order: ids can be rewritten.
    Multiplexed = 0,
    /// Many, one after another: answers come in order.
    Pipelined = 1,
    /// One: the connection holds state of its client.
    Bound = 2,
}

impl Sharing {
    /// The name shown to people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Multiplexed => "multiplexed",
            Self::Pipelined => "pipelined",
            Self::Bound => "bound",
        }
    }
}

/// Who sends the first bytes on a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FirstSpeaker {
    /// The client.
    Client = 0,
    /// The server.
    Server = 1,
}

impl FirstSpeaker {
    /// The name shown to people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// A metadata key that a codec always knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    /// The name users write in rules.
    pub name: Cow<'static, str>,
    /// What it holds, in one line.
    pub about: Cow<'static, str>,
    /// True if `rewrite` can set it.
    pub writable: bool,
    /// True if its values are numbers; tables give such a key an integer column.
    pub number: bool,
}

impl KeyInfo {
    /// A key that can only be read.
    #[must_use]
    pub const fn read(name: &'static str, about: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), about: Cow::Borrowed(about), writable: false, number: false }
    }

    /// A key that `rewrite` can set.
    #[must_use]
    pub const fn write(name: &'static str, about: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), about: Cow::Borrowed(about), writable: true, number: false }
    }

    /// The same key, with numbers for values.
    #[must_use]
    pub const fn number(mut self) -> Self {
        self.number = true;
        self
    }
}

/// What a codec is and can do.
#[derive(Clone, Debug)]
pub struct Info {
    /// The protocol's id: one lower-case word.
    pub name: Cow<'static, str>,
    /// Other names it answers to, such as MetaProtocol Proxy's.
    pub aliases: Cow<'static, [Cow<'static, str>]>,
    /// What it reads, in one line.
    pub summary: Cow<'static, str>,
    /// How responses find their requests.
    pub pair_by: PairBy,
    /// How upstream connections may be shared.
    pub sharing: Sharing,
    /// Who sends first.
    pub first_speaker: FirstSpeaker,
    /// True if the protocol has heartbeats that `reply` can answer.
    pub heartbeats: bool,
    /// Bytes of the shortest header, from which `split` can first tell a frame's length. A hint for buffers.
    pub min_header_len: u32,
    /// The metadata keys that are always known; a frame may hold more.
    pub keys: Cow<'static, [KeyInfo]>,
    /// True if fields beyond `keys` can be set (attachments, info headers).
    pub open_keys: bool,
}

/// A protocol. Stateless, shared between threads; what one connection must remember lives in [`Codec::State`].
pub trait Codec: Send + Sync + Sized + 'static {
    /// What one connection remembers, for both directions. `()` if nothing.
    type State: Send + 'static;

    /// What this codec is and can do.
    fn info(&self) -> &Info;

    /// The state of a connection that has seen no byte yet.
    fn state(&self) -> Self::State;

    /// Where the frame at the front of `buf` ends, and what it is. Allocates nothing and reads the header only.
    ///
    /// `buf` is never empty. After [`Split::Need`] the next call for that direction sees the same bytes and more behind
    /// them, so a codec that has to walk a body may remember in `state` how far it came. After [`Split::Head`] the next
    /// call starts at the following frame. A [`Decoder`] checks the answer against `limits.max_frame_len` and
    /// `max_header_len`; lengths inside the header are the codec's to check.
    ///
    /// # Errors
    /// [`DecodeError`] with an offset from the start of `buf` if the bytes are not this protocol.
    fn split(
        &self,
        state: &mut Self::State,
        direction: Direction,
        limits: &Limits,
        buf: &[u8],
    ) -> Result<Split, DecodeError>;

    /// Resolves a metadata key once, for many look-ups.
    fn key(&self, name: &str) -> Key {
        Key::dynamic(name)
    }

    /// One field of a frame, or `None` if the frame lacks it.
    ///
    /// # Errors
    /// [`DecodeError`] with an offset from the start of the frame if the bytes that must be read for it are broken.
    fn field<'a>(&self, frame: Frame<'a>, key: &Key, limits: &Limits) -> Result<Option<Value<'a>>, DecodeError>;

    /// Every field of a frame, in the frame's order; a key that comes again replaces the earlier value.
    ///
    /// # Errors
    /// As [`Codec::field`]; fields before the broken place have been visited.
    fn fields<'a>(&self, frame: Frame<'a>, limits: &Limits, visit: &mut Visit<'_, 'a>) -> Result<(), DecodeError>;

    /// The frame with edits, as borrowed pieces of the original and small owned patches.
    ///
    /// # Errors
    /// [`EncodeError`] if the frame has no place for an edit, or is itself broken where the edit goes.
    fn rewrite<'a>(&self, frame: Frame<'a>, edits: &Edits<'_>, limits: &Limits) -> Result<Segments<'a>, EncodeError>;

    /// The bytes of an answer made locally, with the request's id; `None` if this request is not answered (one-way). For a
    /// frame of a stream that is open, the frame that closes it.
    ///
    /// # Errors
    /// [`EncodeError::NoReply`] if the protocol cannot answer such a frame, [`EncodeError::Malformed`] if the request is
    /// broken where the reply must quote it.
    fn reply(&self, request: Frame<'_>, reply: Reply<'_>) -> Result<Option<Vec<u8>>, EncodeError>;

    /// Whether the front of a stream looks like this protocol.
    fn detect(&self, direction: Direction, prefix: &[u8]) -> Detection;

    /// Where the frame's request id can be written over without moving anything, as [`Codec::rewrite`] would do it. `None`
    /// where that takes more.
    fn id_place(&self, _frame: Frame<'_>) -> Option<IdPlace> {
        None
    }

    /// What the frames of one connection have in common where the protocol has dialects: those of different clients may
    /// share an upstream connection only if this is equal.
    fn dialect(&self, _head: &Head) -> u32 {
        0
    }

    /// Whether a whole request ties its client to the connection it goes by: it leaves something there that later ones depend
    /// on (a database, a login, a subscription, an open transaction), or holds up who comes behind it. All do, unless the codec
    /// knows better, where connections are [`Sharing::Bound`]. Where answers come in order, requests of many clients that do
    /// not may share an upstream connection.
    fn binds(&self, _request: Frame<'_>) -> bool {
        self.info().sharing == Sharing::Bound
    }

    /// Takes note of a request that another decoder has read, on a connection where its answer is awaited: what
    /// [`Codec::split`] would note of it. Asked of requests that do not bind ([`Codec::binds`]).
    fn note(&self, state: &mut Self::State, request: Frame<'_>, limits: &Limits) {
        // What is wrong with it the other decoder has said.
        let _ = self.split(state, Direction::ClientToServer, limits, request.bytes);
    }

    /// Whether a server says by this frame that it is about to close the connection, so that nothing more should be asked
    /// there. What is under way is still answered.
    fn is_goodbye(&self, _frame: Frame<'_>) -> bool {
        false
    }

    /// True if a server keeps something for the client of a connection in this state, so that the client could not go on by
    /// another connection: a login, a database, a transaction, a subscription. Asked of codecs that are [`Sharing::Bound`].
    fn ties(&self, _state: &Self::State) -> bool {
        true
    }

    /// Of a frame of [`Kind::Error`]: true if the server says of itself that it is unwell (overloaded, about to stop, late, broken
    /// inside), so that others are better asked; false if it cannot do what this request wants, or if its application has
    /// thrown. Who cannot tell says false.
    fn host_failed(&self, _answer: Frame<'_>) -> bool {
        false
    }
}

/// A number of a frame by its metadata key, where it has one: for a [`Codec`]'s own verbs.
pub fn number<C: Codec>(codec: &C, frame: Frame<'_>, key: &str) -> Option<i64> {
    match codec.field(frame, &codec.key(key), &Limits::default()) {
        Ok(Some(Value::Int(number))) => Some(number),
        Ok(Some(Value::UInt(number))) => i64::try_from(number).ok(),
        _ => None,
    }
}

/// Where a frame's integer request id stands, big-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdPlace {
    /// Offset from the first byte of the frame.
    pub at: usize,
    /// Bytes it takes, 1 to 8.
    pub len: usize,
    /// True if it is sign-extended to 64 bits.
    pub signed: bool,
}

impl IdPlace {
    /// Writes an id into a frame. False, and nothing done, if it does not fit or the place is not in the frame.
    #[must_use]
    pub fn write(self, frame: &mut [u8], id: u64) -> bool {
        let Some(rest) = frame.get_mut(self.at..) else { return false };
        // The lengths that protocols have need no loop.
        if self.len == 4
            && let Some(place) = rest.first_chunk_mut::<4>()
        {
            let short = id as u32;
            let same = if self.signed { short as i32 as u64 } else { u64::from(short) };
            if same == id {
                *place = short.to_be_bytes();
            }
            return same == id;
        }
        if self.len == 8
            && let Some(place) = rest.first_chunk_mut::<8>()
        {
            *place = id.to_be_bytes();
            return true;
        }
        if !(1..=8).contains(&self.len) {
            return false;
        }
        let unused = 64 - 8 * self.len as u32;
        let top = id << unused;
        let same = if self.signed { ((top as i64) >> unused) as u64 } else { top >> unused };
        let Some(place) = rest.get_mut(..self.len).filter(|_| same == id) else { return false };
        place.iter_mut().zip(top.to_be_bytes()).for_each(|(byte, digit)| *byte = digit);
        true
    }
}

/// A [`Codec`] behind a pointer. Implemented for every `Codec`; the methods mean the same.
#[allow(missing_docs, clippy::missing_errors_doc)]
pub trait AnyCodec: Send + Sync + 'static {
    fn info(&self) -> &Info;
    /// Opens the decoder of one connection.
    fn connect(self: Arc<Self>, limits: Limits) -> Box<dyn Connection>;
    /// [`Codec::split`] with the state of a new connection, and a [`Decoder`]'s checks of its answer.
    fn split(&self, direction: Direction, limits: &Limits, buf: &[u8]) -> Result<Split, DecodeError>;
    fn key(&self, name: &str) -> Key;
    fn field<'a>(&self, frame: Frame<'a>, key: &Key, limits: &Limits) -> Result<Option<Value<'a>>, DecodeError>;
    fn fields<'a>(&self, frame: Frame<'a>, limits: &Limits, visit: &mut Visit<'_, 'a>) -> Result<(), DecodeError>;
    fn rewrite<'a>(&self, frame: Frame<'a>, edits: &Edits<'_>, limits: &Limits) -> Result<Segments<'a>, EncodeError>;
    fn reply(&self, request: Frame<'_>, reply: Reply<'_>) -> Result<Option<Vec<u8>>, EncodeError>;
    fn detect(&self, direction: Direction, prefix: &[u8]) -> Detection;
    fn id_place(&self, frame: Frame<'_>) -> Option<IdPlace>;
    fn dialect(&self, head: &Head) -> u32;
    fn binds(&self, request: Frame<'_>) -> bool;
    fn is_goodbye(&self, frame: Frame<'_>) -> bool;
    fn host_failed(&self, answer: Frame<'_>) -> bool;
    /// The codec itself, for those who know what only its own type can do.
    fn as_any(&self) -> &dyn Any;
}

const ENCRYPTED: &str = "the stream is encrypted";

impl<C: Codec> AnyCodec for C {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn info(&self) -> &Info {
        Codec::info(self)
    }

    fn connect(self: Arc<Self>, limits: Limits) -> Box<dyn Connection> {
        Box::new(Decoder::new(self, limits))
    }

    fn split(&self, direction: Direction, limits: &Limits, buf: &[u8]) -> Result<Split, DecodeError> {
        if buf.is_empty() {
            return Ok(Split::Need((Codec::info(self).min_header_len as usize).max(1)));
        }
        let split = Codec::split(self, &mut self.state(), direction, limits, buf);
        let split = split.and_then(|split| limits.check(split, buf.len()));
        split.or_else(|error| tls::record(buf, true).ok_or(error).and_then(|record| limits.check(record, buf.len())))
    }

    fn key(&self, name: &str) -> Key {
        Codec::key(self, name)
    }

    fn field<'a>(&self, frame: Frame<'a>, key: &Key, limits: &Limits) -> Result<Option<Value<'a>>, DecodeError> {
        if frame.head.is_opaque() { Ok(None) } else { Codec::field(self, frame, key, limits) }
    }

    fn fields<'a>(&self, frame: Frame<'a>, limits: &Limits, visit: &mut Visit<'_, 'a>) -> Result<(), DecodeError> {
        if frame.head.is_opaque() { Ok(()) } else { Codec::fields(self, frame, limits, visit) }
    }

    fn rewrite<'a>(&self, frame: Frame<'a>, edits: &Edits<'_>, limits: &Limits) -> Result<Segments<'a>, EncodeError> {
        if !frame.head.is_opaque() {
            return Codec::rewrite(self, frame, edits, limits);
        }
        let key = edits.set.first().map(|(key, _)| *key).or(edits.remove.first().copied());
        match key.or(edits.request_id.map(|_| "request_id")) {
            Some(key) => Err(EncodeError::NotWritable { key: key.into(), why: ENCRYPTED.into() }),
            None => Ok(vec![Cow::Borrowed(frame.bytes)]),
        }
    }

    fn reply(&self, request: Frame<'_>, reply: Reply<'_>) -> Result<Option<Vec<u8>>, EncodeError> {
        if request.head.is_opaque() {
            return Err(EncodeError::NoReply { why: ENCRYPTED.into() });
        }
        Codec::reply(self, request, reply)
    }

    fn detect(&self, direction: Direction, prefix: &[u8]) -> Detection {
        Codec::detect(self, direction, prefix)
    }

    fn id_place(&self, frame: Frame<'_>) -> Option<IdPlace> {
        if frame.head.is_opaque() { None } else { Codec::id_place(self, frame) }
    }

    fn dialect(&self, head: &Head) -> u32 {
        Codec::dialect(self, head)
    }

    fn binds(&self, request: Frame<'_>) -> bool {
        request.head.is_opaque() || Codec::binds(self, request)
    }

    fn is_goodbye(&self, frame: Frame<'_>) -> bool {
        !frame.head.is_opaque() && Codec::is_goodbye(self, frame)
    }

    fn host_failed(&self, answer: Frame<'_>) -> bool {
        answer.head.kind == Kind::Error && Codec::host_failed(self, answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The id that a place says.
    fn read(place: IdPlace, frame: &[u8]) -> u64 {
        let digits = &frame[place.at..place.at + place.len];
        let first = if place.signed && digits[0] & 0x80 != 0 { u64::MAX } else { 0 };
        digits.iter().fold(first, |id, digit| id << 8 | u64::from(*digit))
    }

    #[test]
    fn ids_are_written_where_they_fit() {
        let edges = (0..64).flat_map(|bit| [1_u64 << bit, (1 << bit) - 1, u64::MAX << bit, !(1 << bit)]);
        for id in edges.chain([0x0102_0304_0506_0708]) {
            for (len, signed) in (1..=8).flat_map(|len| [(len, false), (len, true)]) {
                let place = IdPlace { at: 2, len, signed };
                let bits = 8 * len as u32;
                let fits = match (len, signed) {
                    (8, _) => true,
                    (_, false) => id < 1 << bits,
                    (_, true) => (-(1_i64 << (bits - 1))..1 << (bits - 1)).contains(&(id as i64)),
                };
                let mut frame = [0xee; 12];
                assert_eq!(place.write(&mut frame, id), fits, "{id:#x} in {place:?}");
                let end = 2 + len;
                assert!(frame[..2].iter().chain(&frame[end..]).all(|byte| *byte == 0xee), "{frame:x?}");
                assert_eq!(fits, frame != [0xee; 12] && read(place, &frame) == id, "{id:#x} in {place:?}: {frame:x?}");
                assert!(!place.write(&mut frame[..end - 1], 0));
            }
        }
        assert!(![0, 9].into_iter().any(|len| IdPlace { at: 0, len, signed: false }.write(&mut [0; 16], 0)));
    }
}
