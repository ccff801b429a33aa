//! One connection: which protocol it speaks, where its frames are, and which response answers which request.

use std::collections::VecDeque;
use std::sync::Arc;

use metaprotocol_core::{AnyCodec, Connection, Direction, Fed, Frame, Id, Kind, PairBy, Pairing, Reason, Split};
use metaprotocol_registry::{Detected, detect_among};

use crate::engine::{Damage, Engine, Ident, Noted, Seen};
use crate::resync::{self, Found};

/// Bytes of one direction that are held until a protocol is recognised.
const HELD_MAX: usize = 4 << 10;
/// Segments in which a protocol is looked for, if the capture began in the middle of the connection.
const TRIES_MAX: u32 = 64;

/// Responses of a direction that wait for a request which the capture gives later: data behind a gap is held back by the
/// reassembly, while the other direction goes on.
const EARLY_MAX: usize = 256;
/// How long they wait, in capture time.
const EARLY_NS: u64 = 1_000_000_000;

/// One connection.
pub(crate) struct Stream {
    number: u64,
    client: String,
    server: String,
    /// The first bytes need not be the beginning of a frame.
    midstream: bool,
    /// Only one direction is there: nothing can be paired.
    one_way: bool,
    phase: Phase,
}

enum Phase {
    Detecting(Box<Held>),
    /// No codec wants it.
    Skipped,
    Live(Box<Live>),
}

/// What came before the protocol was recognised.
#[derive(Default)]
struct Held {
    bytes: [Vec<u8>; 2],
    pieces: Vec<Piece>,
    /// No codec wants what this direction holds.
    unwanted: [bool; 2],
    tries: u32,
}

struct Piece {
    direction: Direction,
    time: Option<u64>,
    offset: u64,
    len: usize,
}

struct Live {
    ident: Ident,
    codec: Arc<dyn AnyCodec>,
    pair_by: PairBy,
    /// The roles were guessed wrong: who looked like the client is the server.
    flipped: bool,
    /// Only one direction is there: nothing can be paired.
    one_way: bool,
    connection: Box<dyn Connection>,
    sides: [Side; 2],
    /// By the direction of the requests.
    pairing: [Pairing<Noted>; 2],
    /// Responses that came before their requests, by the direction of the requests.
    early: [VecDeque<(Id, Noted)>; 2],
}

/// The decoder's side of one direction.
struct Side {
    /// Decodes this direction since it was found again after damage; the other direction keeps its own state.
    replacement: Option<Box<dyn Connection>>,
    /// Where in the stream the decoder's bytes begin.
    base: u64,
    started: bool,
    sync: Sync,
    ended: bool,
}

enum Sync {
    /// Between or within frames.
    Found,
    /// Within a damaged frame: so many bytes until it ends.
    PassOver(u64),
    /// Anywhere. Holds the bytes from which a frame may begin.
    Lost(Vec<u8>),
    /// The codec failed: it is not asked again.
    GivenUp,
}

/// Bytes of one direction, as they came.
#[derive(Clone, Copy)]
pub(crate) struct Chunk<'a> {
    pub(crate) direction: Direction,
    pub(crate) time: Option<u64>,
    /// Position of the first byte in the stream.
    pub(crate) offset: u64,
    pub(crate) bytes: &'a [u8],
}

impl Stream {
    pub(crate) fn new(number: u64, client: String, server: String, midstream: bool) -> Self {
        Self { number, client, server, midstream, one_way: false, phase: Phase::Detecting(Box::default()) }
    }

    /// One direction of a connection, without the other. With `known` it speaks the first protocol, whatever its bytes.
    pub(crate) fn one_way(engine: &mut Engine, known: bool) -> Self {
        let mut stream = Self { one_way: true, ..Self::new(0, String::new(), String::new(), false) };
        if known {
            stream.start(engine, 0, false);
        }
        stream
    }

    /// Takes the next bytes of a direction.
    pub(crate) fn data(&mut self, engine: &mut Engine, fed: &mut Fed, chunk: Chunk<'_>) {
        match &mut self.phase {
            Phase::Live(live) => live.data(engine, fed, chunk.turned(live.flipped)),
            Phase::Skipped => engine.totals.unrecognised_bytes += chunk.bytes.len() as u64,
            Phase::Detecting(_) if self.midstream => self.detect_midstream(engine, fed, chunk),
            Phase::Detecting(_) => self.detect(engine, fed, chunk),
        }
    }

    fn detect(&mut self, engine: &mut Engine, fed: &mut Fed, chunk: Chunk<'_>) {
        let Phase::Detecting(held) = &mut self.phase else { return };
        let side = chunk.direction as usize;
        held.bytes[side].extend_from_slice(chunk.bytes);
        held.pieces.push(Piece {
            direction: chunk.direction,
            time: chunk.time,
            offset: chunk.offset,
            len: chunk.bytes.len(),
        });
        let protocol =
            if held.unwanted[side] { Detected::Nobody } else { ask(engine, chunk.direction, &held.bytes[side]) };
        match protocol {
            Detected::Codec(protocol) => {
                let held = std::mem::take(&mut **held);
                self.start(engine, protocol as u16, false);
                let mut taken = [0; 2];
                for piece in &held.pieces {
                    let from = &mut taken[piece.direction as usize];
                    let bytes = held.bytes[piece.direction as usize].get(*from..*from + piece.len).unwrap_or_default();
                    *from += piece.len;
                    let Piece { direction, time, offset, .. } = *piece;
                    self.data(engine, fed, Chunk { direction, time, offset, bytes });
                }
            }
            Detected::NeedMore if held.bytes[side].len() < HELD_MAX => {}
            Detected::NeedMore | Detected::Nobody => {
                held.unwanted[side] = true;
                // The other direction may still tell, if it has not said enough.
                let other = chunk.direction.reverse() as usize;
                if held.unwanted[other] || held.bytes[side].len() >= HELD_MAX {
                    self.skip(engine);
                }
            }
        }
    }

    /// In the middle of a connection messages still mostly begin with a segment.
    fn detect_midstream(&mut self, engine: &mut Engine, fed: &mut Fed, chunk: Chunk<'_>) {
        let Phase::Detecting(held) = &mut self.phase else { return };
        held.tries += 1;
        let last = held.tries >= TRIES_MAX;
        for flipped in [false, true] {
            let chunk = chunk.turned(flipped);
            if let Detected::Codec(protocol) = ask(engine, chunk.direction, chunk.bytes)
                && splits(engine, protocol, chunk)
            {
                self.start(engine, protocol as u16, flipped);
                if let Phase::Live(live) = &mut self.phase {
                    live.sides[chunk.direction.reverse() as usize].sync = Sync::Lost(Vec::new());
                    live.data(engine, fed, chunk);
                }
                return;
            }
        }
        engine.totals.unrecognised_bytes += chunk.bytes.len() as u64;
        if last {
            engine.totals.unrecognised_streams += 1;
            self.phase = Phase::Skipped;
        }
    }

    fn skip(&mut self, engine: &mut Engine) {
        if let Phase::Detecting(held) = &self.phase {
            let bytes: usize = held.bytes.iter().map(Vec::len).sum();
            engine.totals.unrecognised_bytes += bytes as u64;
            // In the middle of a connection bytes are not held, but were counted as they came.
            engine.totals.unrecognised_streams += u64::from(bytes > 0 || held.tries > 0);
        }
        self.phase = Phase::Skipped;
    }

    fn start(&mut self, engine: &mut Engine, protocol: u16, flipped: bool) {
        let (client, server) = if flipped { (&self.server, &self.client) } else { (&self.client, &self.server) };
        let ident = engine.ident(protocol, self.number, client, server);
        let Some(codec) = engine.protocols.get(usize::from(protocol)) else { return };
        let limits = engine.limits();
        let max = limits.max_in_flight as usize;
        self.phase = Phase::Live(Box::new(Live {
            ident,
            codec: Arc::clone(&codec.codec),
            pair_by: codec.pair_by,
            flipped,
            one_way: self.one_way,
            connection: Arc::clone(&codec.codec).connect(limits),
            sides: [Side::new(), Side::new()],
            pairing: [Pairing::new(max), Pairing::new(max)],
            early: [VecDeque::new(), VecDeque::new()],
        }));
    }

    /// The capture lacks bytes of a direction.
    pub(crate) fn gap(&mut self, engine: &mut Engine, gap: Gap) {
        match &mut self.phase {
            Phase::Live(live) => {
                let direction = if live.flipped { gap.direction.reverse() } else { gap.direction };
                live.gap(engine, Gap { direction, ..gap });
            }
            Phase::Skipped => {}
            Phase::Detecting(held) => {
                // What was held cannot be joined to what comes; go on as if the capture began here.
                engine.totals.unrecognised_bytes += held.bytes.iter().map(Vec::len).sum::<usize>() as u64;
                **held = Held { tries: held.tries, ..Held::default() };
                self.midstream = true;
            }
        }
    }

    /// A direction ended.
    pub(crate) fn half_close(&mut self, engine: &mut Engine, direction: Direction, time: Option<u64>) {
        if let Phase::Live(live) = &mut self.phase {
            live.end(engine, if live.flipped { direction.reverse() } else { direction }, time);
        }
    }

    /// The connection ended.
    pub(crate) fn close(&mut self, engine: &mut Engine, time: Option<u64>) {
        match &mut self.phase {
            Phase::Live(live) => {
                for direction in [Direction::ClientToServer, Direction::ServerToClient] {
                    live.end(engine, direction, time);
                    live.forget(engine, direction);
                }
            }
            Phase::Detecting(_) => self.skip(engine),
            Phase::Skipped => {}
        }
    }

    /// Bytes that this stream keeps, requests in flight not included.
    pub(crate) fn retained_bytes(&self) -> u64 {
        match &self.phase {
            Phase::Detecting(held) => held.bytes.iter().map(|bytes| bytes.len() as u64).sum(),
            Phase::Skipped => 0,
            Phase::Live(live) => [Direction::ClientToServer, Direction::ServerToClient]
                .into_iter()
                .map(|direction| live.retained_bytes(direction))
                .sum(),
        }
    }

    /// Requests that wait for their responses.
    pub(crate) fn in_flight(&self) -> usize {
        match &self.phase {
            Phase::Live(live) => live.pairing.iter().map(Pairing::len).sum(),
            _ => 0,
        }
    }
}

/// Bytes that the capture lacks.
#[derive(Clone, Copy)]
pub(crate) struct Gap {
    pub(crate) direction: Direction,
    pub(crate) time: Option<u64>,
    pub(crate) offset: u64,
    pub(crate) missing: u64,
}

impl Chunk<'_> {
    fn turned(self, flipped: bool) -> Self {
        let direction = if flipped { self.direction.reverse() } else { self.direction };
        Self { direction, ..self }
    }
}

/// Which of the engine's protocols begins so.
fn ask(engine: &Engine, direction: Direction, prefix: &[u8]) -> Detected {
    detect_among(engine.protocols.iter().map(|protocol| protocol.codec.as_ref()), direction, prefix)
}

fn splits(engine: &Engine, protocol: usize, chunk: Chunk<'_>) -> bool {
    engine.protocols.get(protocol).is_some_and(|protocol| {
        matches!(protocol.codec.split(chunk.direction, &engine.limits(), chunk.bytes), Ok(Split::Head(_)))
    })
}

impl Side {
    fn new() -> Self {
        Self { replacement: None, base: 0, started: false, sync: Sync::Found, ended: false }
    }
}

impl Live {
    fn connection(&mut self, direction: Direction) -> &mut dyn Connection {
        match &mut self.sides[direction as usize].replacement {
            Some(connection) => connection.as_mut(),
            None => self.connection.as_mut(),
        }
    }

    fn connection_ref(&self, direction: Direction) -> &dyn Connection {
        match &self.sides[direction as usize].replacement {
            Some(connection) => connection.as_ref(),
            None => self.connection.as_ref(),
        }
    }

    fn retained_bytes(&self, direction: Direction) -> u64 {
        let side = &self.sides[direction as usize];
        match &side.sync {
            Sync::Found => self.connection_ref(direction).received(direction) as u64,
            Sync::PassOver(_) => 0,
            Sync::Lost(held) => held.len() as u64,
            Sync::GivenUp => 0,
        }
    }

    /// Starts a decoder for a direction at a place where a frame begins.
    fn replace(&mut self, engine: &Engine, direction: Direction, at: u64) {
        let connection = Arc::clone(&self.codec).connect(engine.limits());
        let side = &mut self.sides[direction as usize];
        side.replacement = Some(connection);
        side.base = at;
        side.sync = Sync::Found;
    }

    fn data(&mut self, engine: &mut Engine, fed: &mut Fed, chunk: Chunk<'_>) {
        let Chunk { direction, time, offset, bytes } = chunk;
        let side = &mut self.sides[direction as usize];
        if !std::mem::replace(&mut side.started, true) {
            // Bytes before these may have been passed over before the protocol was known.
            side.base = offset;
        }
        match &mut side.sync {
            Sync::Found => self.feed(engine, fed, chunk),
            Sync::PassOver(left) => {
                let passed = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= passed as u64;
                if *left == 0 {
                    let offset = offset + passed as u64;
                    self.replace(engine, direction, offset);
                    self.feed(
                        engine,
                        fed,
                        Chunk { direction, time, offset, bytes: bytes.get(passed..).unwrap_or_default() },
                    );
                }
            }
            Sync::Lost(held) => {
                let mut searched = std::mem::take(held);
                let offset = offset - searched.len() as u64;
                searched.extend_from_slice(bytes);
                self.search(engine, fed, Chunk { direction, time, offset, bytes: &searched });
            }
            Sync::GivenUp => engine.totals.skipped_bytes += bytes.len() as u64,
        }
    }

    /// Decodes a chunk; where it is broken, goes on behind the damage.
    fn feed(&mut self, engine: &mut Engine, fed: &mut Fed, mut chunk: Chunk<'_>) {
        loop {
            match self.decode(engine, fed, chunk) {
                None => return,
                Some(rest) => match self.find(engine, rest) {
                    None => return,
                    Some(found) => chunk = found,
                },
            }
        }
    }

    /// Looks for a frame in a chunk and decodes from there.
    fn search(&mut self, engine: &mut Engine, fed: &mut Fed, chunk: Chunk<'_>) {
        if let Some(found) = self.find(engine, chunk) {
            self.feed(engine, fed, found);
        }
    }

    /// The rest of a chunk from the next frame on. `None` if there is none: what may become one is held.
    fn find<'c>(&mut self, engine: &mut Engine, chunk: Chunk<'c>) -> Option<Chunk<'c>> {
        let Chunk { direction, offset, bytes, .. } = chunk;
        match resync::next_frame(self.codec.as_ref(), direction, &engine.limits(), bytes) {
            Found::At(at) => {
                engine.totals.skipped_bytes += at as u64;
                let offset = offset + at as u64;
                self.replace(engine, direction, offset);
                Some(Chunk { offset, bytes: bytes.get(at..).unwrap_or_default(), ..chunk })
            }
            Found::NotBefore(at) => {
                engine.totals.skipped_bytes += at as u64;
                let held = bytes.get(at..).unwrap_or_default().to_vec();
                self.sides[direction as usize].sync = Sync::Lost(held);
                None
            }
            Found::Failed => {
                engine.totals.skipped_bytes += bytes.len() as u64;
                self.sides[direction as usize].sync = Sync::GivenUp;
                None
            }
        }
    }

    /// Decodes a chunk. Gives back what lies behind the first byte of a broken frame.
    fn decode<'c>(&mut self, engine: &mut Engine, fed: &mut Fed, chunk: Chunk<'c>) -> Option<Chunk<'c>> {
        let Chunk { direction, time, offset, bytes } = chunk;
        let result = self.connection(direction).feed(direction, bytes, fed);
        let base = self.sides[direction as usize].base;
        if let Some(carried) = fed.carried.take()
            && let Some(frame) = Frame::new(carried.head, &carried.bytes)
        {
            self.frame(engine, Seen { frame, direction, time, offset: base + carried.offset });
        }
        for placed in &fed.frames {
            if let Some(frame) = Frame::new(placed.head, bytes.get(placed.at..).unwrap_or_default()) {
                self.frame(engine, Seen { frame, direction, time, offset: offset + placed.at as u64 });
            }
        }
        let failure = result.err()?;
        let broken_at = base + self.connection_ref(direction).offset(direction);
        let error = failure.error.rebased(base);
        engine.damage(&self.ident, direction, time, broken_at, Damage::Malformed(&error));
        self.after_loss(engine);
        // Bytes of the broken frame that came with earlier chunks are gone, and cannot be searched again.
        engine.totals.skipped_bytes += offset.saturating_sub(broken_at);
        let from = usize::try_from((broken_at + 1).saturating_sub(offset)).unwrap_or(usize::MAX).min(bytes.len());
        engine.totals.skipped_bytes += u64::from(broken_at >= offset);
        if let Reason::InvalidCodec { .. } = failure.error.reason {
            engine.totals.skipped_bytes += (bytes.len() - from) as u64;
            self.sides[direction as usize].sync = Sync::GivenUp;
            return None;
        }
        Some(Chunk { offset: offset + from as u64, bytes: bytes.get(from..).unwrap_or_default(), ..chunk })
    }

    fn frame(&mut self, engine: &mut Engine, seen: Seen<'_>) {
        let kind = seen.frame.head.kind;
        let pairs = !self.one_way && (matches!(kind, Kind::Request | Kind::StreamOpen) || kind.is_response());
        let id = if pairs { Id::of(&seen.frame, self.pair_by) } else { None };
        match id {
            Some(id) if kind.is_response() => self.answer(engine, id, seen),
            Some(id) => self.ask(engine, id, seen),
            None => {
                let noted = engine.note(&self.ident, seen);
                engine.lone(&self.ident, &noted, None);
                engine.release(noted);
            }
        }
    }

    fn ask(&mut self, engine: &mut Engine, id: Id, seen: Seen<'_>) {
        let direction = seen.direction;
        let mut noted = engine.note(&self.ident, seen);
        if !self.early[direction as usize].is_empty() {
            self.expire(engine, direction, seen.time);
            let early = &mut self.early[direction as usize];
            if let Some(at) = early.iter().position(|(known, answer)| *known == id && answer.time >= seen.time)
                && let Some((_, answer)) = early.remove(at)
            {
                engine.late_call(&self.ident, noted, answer);
                return;
            }
        }
        engine.retain(&self.ident, &mut noted);
        if let Some(forgotten) = self.pairing[direction as usize].ask(id, noted) {
            engine.unanswered(&self.ident, &forgotten);
            engine.release(forgotten);
        }
    }

    fn answer(&mut self, engine: &mut Engine, id: Id, seen: Seen<'_>) {
        let asks = seen.direction.reverse();
        if let Some(asked) = self.pairing[asks as usize].answer(&id) {
            engine.call(&self.ident, asked, seen);
            return;
        }
        if self.pair_by == PairBy::Order {
            let noted = engine.note(&self.ident, seen);
            engine.lone(&self.ident, &noted, None);
            engine.release(noted);
            return;
        }
        self.expire(engine, asks, seen.time);
        let mut noted = engine.note_early(&self.ident, seen);
        engine.retain(&self.ident, &mut noted);
        let early = &mut self.early[asks as usize];
        early.push_back((id, noted));
        if early.len() > EARLY_MAX
            && let Some((_, oldest)) = early.pop_front()
        {
            engine.unasked(&self.ident, oldest);
        }
    }

    /// Gives out the early responses that have waited long enough; all of them if there is no time.
    fn expire(&mut self, engine: &mut Engine, asks: Direction, now: Option<u64>) {
        let early = &mut self.early[asks as usize];
        while let Some((_, oldest)) = early.front()
            && now.is_none_or(|now| oldest.time.is_none_or(|time| time.saturating_add(EARLY_NS) < now))
        {
            if let Some((_, oldest)) = early.pop_front() {
                engine.unasked(&self.ident, oldest);
            }
        }
    }

    fn gap(&mut self, engine: &mut Engine, gap: Gap) {
        let Gap { direction, time, offset, missing } = gap;
        let unfinished = self.connection_ref(direction).unfinished(direction);
        let have = self.connection_ref(direction).received(direction) as u64;
        let start = self.sides[direction as usize].base + self.connection_ref(direction).offset(direction);
        let side = &mut self.sides[direction as usize];
        engine.damage(&self.ident, direction, time, offset, Damage::Gap { missing });
        match &mut side.sync {
            Sync::PassOver(left) if *left >= missing => *left -= missing,
            Sync::PassOver(_) => side.sync = Sync::Lost(Vec::new()),
            Sync::GivenUp => {}
            Sync::Lost(held) => {
                engine.totals.skipped_bytes += held.len() as u64;
                held.clear();
            }
            Sync::Found => {
                side.sync = match unfinished {
                    // The frame's length is known, so that the next one's place is known too.
                    Some((head, seen)) if missing <= (head.frame_len - seen) as u64 => {
                        Sync::PassOver((head.frame_len - seen) as u64 - missing)
                    }
                    _ => Sync::Lost(Vec::new()),
                };
                if have > 0 {
                    engine.totals.skipped_bytes += have;
                    let head = unfinished.map(|(head, _)| head);
                    engine.damage(&self.ident, direction, time, start, Damage::Incomplete { head, have });
                }
            }
        }
        self.after_loss(engine);
        if let Sync::PassOver(0) = self.sides[direction as usize].sync {
            self.replace(engine, direction, offset + missing);
        }
    }

    /// Frames were lost: answers in order can no longer be told apart.
    fn after_loss(&mut self, engine: &mut Engine) {
        if self.pair_by == PairBy::Order {
            self.forget(engine, Direction::ClientToServer);
            self.forget(engine, Direction::ServerToClient);
        }
    }

    /// Gives up all requests of a direction.
    fn forget(&mut self, engine: &mut Engine, direction: Direction) {
        let max = engine.limits().max_in_flight as usize;
        let pairing = std::mem::replace(&mut self.pairing[direction as usize], Pairing::new(max));
        for asked in pairing.iter() {
            engine.unanswered(&self.ident, asked);
        }
        self.expire(engine, direction, None);
    }

    fn end(&mut self, engine: &mut Engine, direction: Direction, time: Option<u64>) {
        let have = self.connection_ref(direction).received(direction) as u64;
        let unfinished = self.connection_ref(direction).unfinished(direction);
        let start = self.sides[direction as usize].base + self.connection_ref(direction).offset(direction);
        let side = &mut self.sides[direction as usize];
        if std::mem::replace(&mut side.ended, true) {
            return;
        }
        match &mut side.sync {
            Sync::Found if have > 0 => {
                let head = unfinished.map(|(head, _)| head);
                engine.totals.skipped_bytes += have;
                engine.damage(&self.ident, direction, time, start, Damage::Incomplete { head, have });
            }
            Sync::Lost(held) => engine.totals.skipped_bytes += std::mem::take(held).len() as u64,
            Sync::Found | Sync::PassOver(_) | Sync::GivenUp => {}
        }
    }
}
