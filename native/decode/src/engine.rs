//! From frames to rows: reads what is shown, filters, counts, renders.

use std::borrow::Cow;
use std::sync::Arc;

use metaprotocol_core::{AnyCodec, DecodeError, Direction, Frame, Head, Kind, Limits, RequestId};
use metaprotocol_registry::find_among;

use crate::columns::{Column, Columns};
use crate::condition::Target;
use crate::json::{self, Clock};
use crate::metadata::{Names, Reader};
use crate::options::{Metadata, Options, OptionsError, Output};
use crate::protocol::Protocol;
use crate::summary::{Methods, Name, Outcome, Totals};

/// Bytes of metadata that may wait for responses, for all streams together. Beyond, rows go without.
const WAITING_MAX: usize = 64 << 20;
/// Buffers kept for reuse, and the longest that is worth keeping.
const POOL_MAX: usize = 256;
const POOLED_LEN_MAX: usize = 16 << 10;

/// The connection that a row belongs to.
pub(crate) struct Ident {
    /// Index of the protocol in the engine.
    pub(crate) protocol: u16,
    pub(crate) connection: u64,
    /// `address:port`; empty for raw input.
    pub(crate) client: String,
    pub(crate) server: String,
    /// `,"protocol":"…","connection":…,"client":"…","server":"…"`, as rows show it.
    json: Box<[u8]>,
}

/// A request id as rows show it.
#[derive(Clone, Debug)]
enum ShownId {
    None,
    Int(i64),
    Text(Box<str>),
}

impl ShownId {
    fn of(frame: Frame<'_>) -> Self {
        match frame.head.request_id {
            RequestId::None => Self::None,
            // Ids are sign-extended, and shown as the protocols write them.
            RequestId::Int(id) => Self::Int(id as i64),
            RequestId::Bytes { at, len } => {
                let at = at as usize;
                let bytes = frame.bytes.get(at..at + len as usize).unwrap_or_default();
                Self::Text(match std::str::from_utf8(bytes) {
                    Ok(text) if !text.contains(char::is_control) => text.into(),
                    _ => bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into(),
                })
            }
        }
    }
}

/// A frame at its place.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) direction: Direction,
    /// Of the packet that completed it, in nanoseconds since the Unix epoch; `None` for raw input.
    pub(crate) time: Option<u64>,
    /// Of its first byte in the stream.
    pub(crate) offset: u64,
}

/// All that a row needs of a frame whose bytes are gone.
pub(crate) struct Noted {
    pub(crate) time: Option<u64>,
    offset: u64,
    len: u64,
    direction: Direction,
    kind: Kind,
    id: ShownId,
    stream_id: Option<u64>,
    name: Name,
    /// Inside of a JSON object.
    metadata: Vec<u8>,
    /// The chosen keys' values, for columns.
    values: Vec<Option<Box<str>>>,
    error: Box<str>,
    broken: Option<DecodeError>,
    /// Bit i: condition i is not decided yet.
    undecided: u64,
    /// Bit i: condition i is not met.
    unmet: u64,
    /// The response carries an error.
    failed: bool,
    cut: bool,
}

impl Noted {
    fn new(seen: Seen<'_>, undecided: u64) -> Self {
        Self {
            time: seen.time,
            offset: seen.offset,
            len: seen.frame.head.frame_len as u64,
            direction: seen.direction,
            kind: seen.frame.head.kind,
            id: ShownId::of(seen.frame),
            stream_id: seen.frame.head.stream_id,
            name: Name::Known(u32::MAX),
            metadata: Vec::new(),
            values: Vec::new(),
            error: Box::default(),
            broken: None,
            undecided,
            unmet: 0,
            failed: seen.frame.head.kind == Kind::Error,
            cut: false,
        }
    }

    fn waiting_bytes(&self) -> usize {
        let name = match &self.name {
            Name::Known(_) => 0,
            Name::Other(name) => name.service.len() + name.method.len() + name.json.len(),
        };
        let values: usize = self.values.iter().flatten().map(|value| value.len()).sum();
        self.metadata.len() + self.error.len() + values + name
    }
}

/// Why no frame could be made of some bytes.
#[derive(Clone, Copy)]
pub(crate) enum Damage<'a> {
    /// Not the protocol.
    Malformed(&'a DecodeError),
    /// The capture lacks bytes of this frame, or ends within it. The head, if it is known, and the bytes at hand.
    Incomplete { head: Option<Head>, have: u64 },
    /// The capture lacks bytes between frames.
    Gap { missing: u64 },
}

#[derive(Default)]
struct Row<'r> {
    kind: &'r str,
    time: Option<u64>,
    direction: Option<Direction>,
    id: Option<&'r ShownId>,
    stream_id: Option<u64>,
    name: Option<&'r Name>,
    outcome: Option<&'static str>,
    latency_ns: Option<u64>,
    request_bytes: Option<u64>,
    response_bytes: Option<u64>,
    error: &'r str,
    reason: &'r str,
    broken: &'r str,
    missing_bytes: Option<u64>,
    offset: Option<u64>,
    response_offset: Option<u64>,
    metadata: &'r [u8],
    response_metadata: &'r [u8],
    values: &'r [Option<Box<str>>],
    response_values: &'r [Option<Box<str>>],
    cut: bool,
}

pub(crate) struct Engine {
    pub(crate) options: Options,
    pub(crate) protocols: Vec<Protocol>,
    pub(crate) totals: Totals,
    pub(crate) json: Vec<u8>,
    pub(crate) columns: Columns,
    methods: Methods,
    clock: Clock,
    reader: Reader,
    pool: Vec<Vec<u8>>,
    /// Bytes of what waits for responses.
    pub(crate) waiting: usize,
    /// The most that may wait in this engine's share of the streams.
    waiting_max: usize,
    /// Streams by protocol.
    pub(crate) streams: Vec<u64>,
}

impl Engine {
    pub(crate) fn new(options: Options, built_in: &[Arc<dyn AnyCodec>], shares: usize) -> Result<Self, OptionsError> {
        if options.conditions.len() > Options::MAX_CONDITIONS {
            return Err(OptionsError::TooManyConditions { count: options.conditions.len() });
        }
        let codecs: Vec<Arc<dyn AnyCodec>> = match &options.protocol {
            None => built_in.to_vec(),
            Some(name) => {
                let codec = find_among(built_in, name).ok_or_else(|| OptionsError::UnknownProtocol {
                    name: name.clone(),
                    known: built_in.iter().map(|codec| codec.info().name.to_string()).collect(),
                })?;
                vec![Arc::clone(codec)]
            }
        };
        let chosen = match &options.metadata {
            Metadata::Keys(keys) => keys.as_slice(),
            _ => &[],
        };
        let protocols: Vec<Protocol> =
            codecs.iter().map(|codec| Protocol::new(codec, &options.conditions, chosen)).collect();
        Ok(Self {
            columns: Self::layout(&options),
            streams: vec![0; protocols.len()],
            protocols,
            options,
            totals: Totals::default(),
            json: Vec::new(),
            methods: Methods::default(),
            clock: Clock::new(),
            reader: Reader::default(),
            pool: Vec::new(),
            waiting: 0,
            waiting_max: WAITING_MAX / shares.max(1),
        })
    }

    fn layout(options: &Options) -> Columns {
        let mut columns = vec![
            Column::text("kind"),
            Column::time("time"),
            Column::text("protocol"),
            Column::int("connection"),
            Column::text("client"),
            Column::text("server"),
            Column::text("direction"),
            Column::text("request_id"),
            Column::int("stream_id"),
            Column::text("service"),
            Column::text("method"),
            Column::text("outcome"),
            Column::int("latency_ns"),
            Column::int("request_bytes"),
            Column::int("response_bytes"),
            Column::text("error"),
            Column::text("reason"),
            Column::text("broken"),
            Column::int("missing_bytes"),
            Column::int("offset"),
            Column::int("response_offset"),
        ];
        match &options.metadata {
            Metadata::All => columns.extend([Column::text("metadata"), Column::text("response_metadata")]),
            Metadata::None => {}
            Metadata::Keys(keys) => columns.extend(keys.iter().map(|key| Column::text(key))),
        }
        Columns { columns, rows: 0 }
    }

    /// True once nothing more is to be given out.
    pub(crate) fn done(&self) -> bool {
        self.options.max_rows.is_some_and(|max| self.totals.rows >= max)
    }

    pub(crate) fn limits(&self) -> Limits {
        self.options.limits
    }

    pub(crate) fn ident(&mut self, protocol: u16, connection: u64, client: &str, server: &str) -> Ident {
        if let Some(count) = self.streams.get_mut(usize::from(protocol)) {
            *count += 1;
        }
        let mut json = Vec::new();
        json.extend_from_slice(b",\"protocol\":");
        json::string(&mut json, self.protocols.get(usize::from(protocol)).map_or("", |protocol| &protocol.name));
        json.extend_from_slice(b",\"connection\":");
        json::integer(&mut json, connection);
        for (key, value) in [("client", client), ("server", server)] {
            if !value.is_empty() {
                json.push(b',');
                json::string(&mut json, key);
                json.push(b':');
                json::string(&mut json, value);
            }
        }
        Ident {
            protocol,
            connection,
            client: client.to_owned(),
            server: server.to_owned(),
            json: json.into_boxed_slice(),
        }
    }

    /// Whether rows wait for their metadata; false if all they need is counted.
    fn renders(&self) -> bool {
        self.options.output != Output::None
    }

    /// Bit i for each condition i.
    fn all_conditions(&self) -> u64 {
        u64::MAX.checked_shr((Options::MAX_CONDITIONS - self.options.conditions.len()) as u32).unwrap_or(0)
    }

    /// Reads what a row shows of a frame, and decides the conditions that it can decide.
    pub(crate) fn note(&mut self, ident: &Ident, seen: Seen<'_>) -> Noted {
        let mut noted = Noted::new(seen, self.all_conditions());
        if noted.undecided != 0 {
            self.decide_early(ident, &mut noted, seen.frame);
        }
        if noted.unmet == 0 {
            let names = if seen.frame.head.kind.is_response() { Names::Both } else { Names::Method };
            self.read(ident, seen.frame, &mut noted, names);
            noted.name = self.methods.name(ident.protocol, &self.reader.service, &self.reader.method);
        }
        noted
    }

    fn read(&mut self, ident: &Ident, frame: Frame<'_>, noted: &mut Noted, names: Names) {
        let Some(protocol) = self.protocols.get(usize::from(ident.protocol)) else { return };
        let limits = self.options.limits;
        let response = frame.head.kind.is_response();
        let result = if !self.renders() {
            self.reader.names(protocol, frame, &limits, names)
        } else {
            noted.metadata = self.pool.pop().unwrap_or_default();
            match &self.options.metadata {
                Metadata::All => self.reader.all(protocol, frame, &limits, &mut noted.metadata),
                Metadata::None => self.reader.names(protocol, frame, &limits, names),
                Metadata::Keys(_) => {
                    if self.options.output == Output::Columns {
                        noted.values = chosen_values(protocol, frame, &limits);
                        self.reader.names(protocol, frame, &limits, names)
                    } else {
                        self.reader.chosen(protocol, frame, &limits, names, &mut noted.metadata)
                    }
                }
            }
        };
        noted.broken = result.err();
        noted.cut = self.reader.cut;
        noted.failed |= response && self.reader.failed;
        if response && !self.reader.error.is_empty() {
            noted.error = self.reader.error.as_str().into();
        }
    }

    /// Decides the conditions that a frame alone can decide.
    fn decide_early(&mut self, ident: &Ident, noted: &mut Noted, frame: Frame<'_>) {
        let Some(protocol) = self.protocols.get(usize::from(ident.protocol)) else { return };
        let response = noted.kind.is_response();
        // What cannot be read is missing here, and reported when the frame is read for its row.
        let _ = self.reader.names(protocol, frame, &self.options.limits, Names::Method);
        for (number, condition) in self.options.conditions.iter().enumerate() {
            let bit = 1 << number;
            let met = match (&condition.target, protocol.conditions.get(number)) {
                (Target::Metadata(_), Some(Some(key))) => {
                    match protocol.codec.field(frame, key, &self.options.limits) {
                        Ok(Some(value)) => condition.met_by(Some(&value.to_text())),
                        _ => continue,
                    }
                }
                // Sizes and names of a lone response are its own.
                (Target::RequestBytes, _) if response => continue,
                (target, _) if target.known_early() => {
                    let row = Row {
                        direction: Some(noted.direction),
                        id: Some(&noted.id),
                        request_bytes: Some(noted.len),
                        ..Row::default()
                    };
                    match target {
                        Target::Service => condition.met_by(some(&self.reader.service)),
                        Target::Method => condition.met_by(some(&self.reader.method)),
                        _ => condition.met_by(column_text(target, ident, &protocol.name, &row).as_deref()),
                    }
                }
                _ => continue,
            };
            noted.undecided &= !bit;
            noted.unmet |= if met { 0 } else { bit };
        }
    }

    /// Keeps a request until its response comes, or the other way round.
    pub(crate) fn retain(&mut self, ident: &Ident, noted: &mut Noted) {
        if self.waiting + noted.waiting_bytes() > self.waiting_max {
            self.recycle(std::mem::take(&mut noted.metadata));
            noted.values = Vec::new();
            noted.cut = true;
            if let Name::Other(_) = noted.name {
                noted.name = self.methods.name(ident.protocol, "", "");
            }
        }
        self.waiting += noted.waiting_bytes();
    }

    fn recycle(&mut self, mut buffer: Vec<u8>) {
        if self.pool.len() < POOL_MAX && buffer.capacity() > 0 && buffer.capacity() <= POOLED_LEN_MAX {
            buffer.clear();
            self.pool.push(buffer);
        }
    }

    /// Reads a response that came before its request: what it shows is needed even if it does not meet a condition alone.
    pub(crate) fn note_early(&mut self, ident: &Ident, seen: Seen<'_>) -> Noted {
        let mut noted = self.note(ident, seen);
        if noted.unmet != 0 {
            self.read(ident, seen.frame, &mut noted, Names::Both);
        }
        noted
    }

    /// A request that was kept, and its response.
    pub(crate) fn call(&mut self, ident: &Ident, asked: Noted, answer: Seen<'_>) {
        self.waiting = self.waiting.saturating_sub(asked.waiting_bytes());
        if asked.unmet != 0 {
            return;
        }
        let mut noted = Noted::new(answer, 0);
        // What these look at is known when the response is read; the others may spare that.
        let by_reading = self.conditions_on(&Target::Error) | self.conditions_on(&Target::Outcome);
        let row = call_row(&asked, &noted);
        if !self.decide(ident, asked.undecided & !by_reading, &row, Some(answer.frame)) {
            return;
        }
        self.read(ident, answer.frame, &mut noted, Names::Error);
        self.paired(ident, asked.undecided & by_reading, &asked, &noted);
        self.recycle(noted.metadata);
        self.recycle(asked.metadata);
    }

    /// A request whose response came first.
    pub(crate) fn late_call(&mut self, ident: &Ident, asked: Noted, answer: Noted) {
        self.waiting = self.waiting.saturating_sub(answer.waiting_bytes());
        // What the request decides counts; the response decides the rest.
        if asked.unmet | (answer.unmet & asked.undecided) != 0 {
            return;
        }
        self.paired(ident, asked.undecided & answer.undecided, &asked, &answer);
        self.recycle(answer.metadata);
        self.recycle(asked.metadata);
    }

    /// Gives a call out, if it meets the conditions that are still undecided.
    fn paired(&mut self, ident: &Ident, undecided: u64, asked: &Noted, answer: &Noted) {
        let row = call_row(asked, answer);
        if !self.decide(ident, undecided, &row, None) {
            return;
        }
        self.totals.calls += 1;
        self.totals.errors += u64::from(answer.failed);
        let broken = asked.broken.or(answer.broken);
        self.totals.malformed += u64::from(broken.is_some());
        let outcome = Outcome::Answered { latency_ns: row.latency_ns, error: answer.failed };
        self.methods.count(&asked.name, outcome, asked.len, answer.len);
        let text = broken.map(|error| error.to_string());
        let row = Row {
            reason: broken.as_ref().map_or("", |error| error.reason.code()),
            broken: text.as_deref().unwrap_or_default(),
            ..row
        };
        self.give(ident, &row);
    }

    /// A request that was kept and will not be answered.
    pub(crate) fn unanswered(&mut self, ident: &Ident, asked: &Noted) {
        self.waiting = self.waiting.saturating_sub(asked.waiting_bytes());
        self.lone(ident, asked, Some("unanswered"));
    }

    /// A frame that makes a row of its own.
    pub(crate) fn lone(&mut self, ident: &Ident, noted: &Noted, outcome: Option<&'static str>) {
        if noted.unmet != 0 {
            return;
        }
        let text = noted.broken.map(|error| error.to_string());
        let response = noted.kind.is_response();
        let mut row = Row {
            kind: noted.kind.name(),
            time: noted.time,
            direction: Some(noted.direction),
            id: Some(&noted.id),
            stream_id: noted.stream_id,
            name: Some(&noted.name),
            outcome,
            error: &noted.error,
            reason: noted.broken.as_ref().map_or("", |error| error.reason.code()),
            broken: text.as_deref().unwrap_or_default(),
            cut: noted.cut,
            ..Row::default()
        };
        if response {
            row.outcome = Some(if noted.failed { "error" } else { "ok" });
            row.response_bytes = Some(noted.len);
            row.response_offset = Some(noted.offset);
            row.response_metadata = &noted.metadata;
            row.response_values = &noted.values;
        } else {
            row.request_bytes = Some(noted.len);
            row.offset = Some(noted.offset);
            row.metadata = &noted.metadata;
            row.values = &noted.values;
        }
        if !self.decide(ident, noted.undecided, &row, None) {
            return;
        }
        self.totals.malformed += u64::from(noted.broken.is_some());
        match noted.kind {
            Kind::Request | Kind::StreamOpen if noted.kind == Kind::Request || outcome.is_some() => {
                self.totals.calls += 1;
                self.totals.unanswered += u64::from(outcome.is_some());
                self.methods.count(&noted.name, Outcome::Unanswered, noted.len, 0);
            }
            Kind::Oneway => {
                self.totals.oneways += 1;
                self.methods.count(&noted.name, Outcome::Oneway, noted.len, 0);
            }
            Kind::Response | Kind::Error => {
                self.totals.unasked += 1;
                self.totals.errors += u64::from(noted.failed);
            }
            Kind::Heartbeat => self.totals.heartbeats += 1,
            _ => self.totals.other_frames += 1,
        }
        self.give(ident, &row);
    }

    /// A response that was kept, and whose request did not come.
    pub(crate) fn unasked(&mut self, ident: &Ident, answer: Noted) {
        self.waiting = self.waiting.saturating_sub(answer.waiting_bytes());
        self.lone(ident, &answer, None);
        self.recycle(answer.metadata);
    }

    /// Gives back the buffer of a frame that is done with.
    pub(crate) fn release(&mut self, noted: Noted) {
        self.recycle(noted.metadata);
    }

    /// Bytes that are no frame.
    pub(crate) fn damage(
        &mut self,
        ident: &Ident,
        direction: Direction,
        time: Option<u64>,
        offset: u64,
        damage: Damage<'_>,
    ) {
        let text;
        let mut row = Row { time, direction: Some(direction), offset: Some(offset), ..Row::default() };
        match damage {
            Damage::Malformed(error) => {
                self.totals.malformed += 1;
                row.kind = "malformed";
                row.reason = error.reason.code();
                text = error.to_string();
            }
            Damage::Incomplete { head, have } => {
                self.totals.incomplete += 1;
                row.kind = "incomplete";
                row.reason = "incomplete";
                text = match head {
                    Some(head) => {
                        row.missing_bytes = Some((head.frame_len as u64).saturating_sub(have));
                        format!(
                            "{} of {} bytes of this {} frame are in the capture",
                            have,
                            head.frame_len,
                            head.kind.name()
                        )
                    }
                    None => format!("the header of this frame is cut off after {have} bytes"),
                };
            }
            Damage::Gap { missing } => {
                self.totals.gaps += 1;
                self.totals.gap_bytes += missing;
                row.kind = "gap";
                row.reason = "gap";
                row.missing_bytes = Some(missing);
                text = format!("{missing} bytes of the stream are not in the capture");
            }
        }
        row.broken = &text;
        let all = self.all_conditions();
        if self.decide(ident, all, &row, None) {
            self.give(ident, &row);
        }
    }

    fn conditions_on(&self, target: &Target) -> u64 {
        let of = |(number, condition): (usize, &crate::Condition)| u64::from(condition.target == *target) << number;
        self.options.conditions.iter().enumerate().map(of).sum()
    }

    /// Whether the undecided conditions are met, now that all is known that will be.
    fn decide(&self, ident: &Ident, undecided: u64, row: &Row<'_>, answer: Option<Frame<'_>>) -> bool {
        if undecided == 0 {
            return true;
        }
        let Some(protocol) = self.protocols.get(usize::from(ident.protocol)) else { return false };
        self.options.conditions.iter().enumerate().all(|(number, condition)| {
            if undecided & (1 << number) == 0 {
                return true;
            }
            match (&condition.target, protocol.conditions.get(number), answer) {
                (Target::Metadata(_), Some(Some(key)), Some(frame)) => {
                    match protocol.codec.field(frame, key, &self.options.limits) {
                        Ok(Some(value)) => condition.met_by(Some(&value.to_text())),
                        _ => condition.met_by(None),
                    }
                }
                (Target::Metadata(_), ..) => condition.met_by(None),
                (target, ..) => condition.met_by(column_text(target, ident, &protocol.name, row).as_deref()),
            }
        })
    }

    fn give(&mut self, ident: &Ident, row: &Row<'_>) {
        if self.done() {
            return;
        }
        self.totals.rows += 1;
        self.totals.cut_metadata += u64::from(row.cut);
        match self.options.output {
            Output::Json => self.give_json(ident, row),
            Output::Columns => self.give_columns(ident, row),
            Output::None => {}
        }
    }

    fn give_json(&mut self, ident: &Ident, row: &Row<'_>) {
        let Self { json: out, clock, methods, .. } = self;
        out.extend_from_slice(b"{\"kind\":\"");
        out.extend_from_slice(row.kind.as_bytes());
        out.push(b'"');
        if let Some(time) = row.time {
            out.extend_from_slice(b",\"time\":\"");
            clock.write(out, time);
            out.push(b'"');
        }
        out.extend_from_slice(&ident.json);
        if let Some(direction) = row.direction {
            out.extend_from_slice(b",\"direction\":\"");
            out.extend_from_slice(direction.name().as_bytes());
            out.push(b'"');
        }
        match row.id {
            Some(ShownId::Int(id)) => {
                out.extend_from_slice(b",\"request_id\":");
                json::integer(out, *id);
            }
            Some(ShownId::Text(id)) => {
                out.extend_from_slice(b",\"request_id\":");
                json::string(out, id);
            }
            Some(ShownId::None) | None => {}
        }
        number(out, b",\"stream_id\":", row.stream_id);
        match row.name {
            Some(Name::Known(index)) => {
                if let Some(method) = methods.get(*index) {
                    out.extend_from_slice(&method.json);
                }
            }
            Some(Name::Other(name)) => out.extend_from_slice(&name.json),
            None => {}
        }
        if let Some(outcome) = row.outcome {
            out.extend_from_slice(b",\"outcome\":\"");
            out.extend_from_slice(outcome.as_bytes());
            out.push(b'"');
        }
        if let Some(latency) = row.latency_ns {
            out.extend_from_slice(b",\"latency_ms\":");
            json::millis(out, latency);
        }
        number(out, b",\"request_bytes\":", row.request_bytes);
        number(out, b",\"response_bytes\":", row.response_bytes);
        text(out, b",\"error\":", row.error);
        text(out, b",\"reason\":", row.reason);
        text(out, b",\"broken\":", row.broken);
        number(out, b",\"missing_bytes\":", row.missing_bytes);
        number(out, b",\"offset\":", row.offset);
        number(out, b",\"response_offset\":", row.response_offset);
        for (key, object) in
            [(&b",\"metadata\":{"[..], row.metadata), (&b",\"response_metadata\":{"[..], row.response_metadata)]
        {
            if !object.is_empty() {
                out.extend_from_slice(key);
                out.extend_from_slice(object);
                out.push(b'}');
            }
        }
        if row.cut {
            out.extend_from_slice(b",\"metadata_cut\":true");
        }
        out.extend_from_slice(b"}\n");
    }

    fn give_columns(&mut self, ident: &Ident, row: &Row<'_>) {
        let protocol = self.protocols.get(usize::from(ident.protocol)).map_or("", |protocol| &protocol.name);
        let (service, method) = match row.name {
            Some(Name::Known(index)) => {
                self.methods.get(*index).map_or(("", ""), |method| (&*method.service, &*method.method))
            }
            Some(Name::Other(name)) => (&*name.service, &*name.method),
            None => ("", ""),
        };
        let id = match row.id {
            Some(ShownId::Int(id)) => Some(id.to_string()),
            Some(ShownId::Text(id)) => Some(id.to_string()),
            Some(ShownId::None) | None => None,
        };
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let mut columns = self.columns.columns.iter_mut();
        let mut put = |value: Cell<'_>| {
            if let Some(column) = columns.next() {
                match value {
                    Cell::Text(value) => column.push_text((!value.is_empty()).then_some(&[value.as_bytes()][..])),
                    Cell::Object(value) => column.push_text((!value.is_empty()).then_some(&[b"{", value, b"}"][..])),
                    Cell::Int(value) => column.push_int(value.map(signed)),
                }
            }
        };
        put(Cell::Text(row.kind));
        put(Cell::Int(row.time));
        put(Cell::Text(protocol));
        put(Cell::Int(Some(ident.connection)));
        put(Cell::Text(&ident.client));
        put(Cell::Text(&ident.server));
        put(Cell::Text(row.direction.map_or("", Direction::name)));
        put(Cell::Text(id.as_deref().unwrap_or_default()));
        put(Cell::Int(row.stream_id));
        put(Cell::Text(service));
        put(Cell::Text(method));
        put(Cell::Text(row.outcome.unwrap_or_default()));
        put(Cell::Int(row.latency_ns));
        put(Cell::Int(row.request_bytes));
        put(Cell::Int(row.response_bytes));
        put(Cell::Text(row.error));
        put(Cell::Text(row.reason));
        put(Cell::Text(row.broken));
        put(Cell::Int(row.missing_bytes));
        put(Cell::Int(row.offset));
        put(Cell::Int(row.response_offset));
        match &self.options.metadata {
            Metadata::All => {
                put(Cell::Object(row.metadata));
                put(Cell::Object(row.response_metadata));
            }
            Metadata::None => {}
            Metadata::Keys(keys) => {
                for at in 0..keys.len() {
                    let value = |values: &[Option<Box<str>>]| values.get(at).cloned().flatten();
                    let value = value(row.values).or_else(|| value(row.response_values));
                    put(Cell::Text(value.as_deref().unwrap_or_default()));
                }
            }
        }
        self.columns.rows += 1;
    }

    /// Adds the numbers of another engine with the same options.
    pub(crate) fn add_to(&self, totals: &mut Totals, streams: &mut Vec<u64>, methods: &mut Methods) {
        totals.add(&self.totals);
        streams.resize(self.streams.len(), 0);
        for (sum, count) in streams.iter_mut().zip(&self.streams) {
            *sum += count;
        }
        methods.add(&self.methods);
    }

    /// Writes such sums, as the inside of a JSON object.
    pub(crate) fn write_summary(&self, totals: &Totals, streams: &[u64], methods: &Methods, out: &mut Vec<u8>) {
        for (at, (key, value)) in totals.fields().into_iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            json::string(out, key);
            out.push(b':');
            json::integer(out, value);
        }
        out.extend_from_slice(b",\"streams_by_protocol\":{");
        let counted = self.protocols.iter().zip(streams).filter(|(_, count)| **count > 0);
        for (at, (protocol, count)) in counted.enumerate() {
            if at > 0 {
                out.push(b',');
            }
            json::string(out, &protocol.name);
            out.push(b':');
            json::integer(out, *count);
        }
        out.extend_from_slice(b"},\"methods\":");
        methods.write(out, |protocol| {
            self.protocols.get(usize::from(protocol)).map_or_else(String::new, |protocol| protocol.name.clone())
        });
    }
}

enum Cell<'c> {
    Text(&'c str),
    Object(&'c [u8]),
    Int(Option<u64>),
}

fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn number(out: &mut Vec<u8>, key: &[u8], value: Option<u64>) {
    if let Some(value) = value {
        out.extend_from_slice(key);
        json::integer(out, value);
    }
}

fn text(out: &mut Vec<u8>, key: &[u8], value: &str) {
    if !value.is_empty() {
        out.extend_from_slice(key);
        json::string(out, value);
    }
}

/// The row of a request and its response.
fn call_row<'r>(asked: &'r Noted, answer: &'r Noted) -> Row<'r> {
    let latency_ns = match (asked.time, answer.time) {
        (Some(from), Some(to)) => Some(to.saturating_sub(from)),
        _ => None,
    };
    Row {
        kind: "call",
        time: asked.time,
        direction: Some(asked.direction),
        id: Some(&asked.id),
        stream_id: asked.stream_id,
        name: Some(&asked.name),
        outcome: Some(if answer.failed { "error" } else { "ok" }),
        latency_ns,
        request_bytes: Some(asked.len),
        response_bytes: Some(answer.len),
        error: &answer.error,
        offset: Some(asked.offset),
        response_offset: Some(answer.offset),
        metadata: &asked.metadata,
        response_metadata: &answer.metadata,
        values: &asked.values,
        response_values: &answer.values,
        cut: asked.cut || answer.cut,
        ..Row::default()
    }
}

/// A column of a row as conditions compare it.
fn column_text<'c>(target: &Target, ident: &'c Ident, protocol: &'c str, row: &'c Row<'_>) -> Option<Cow<'c, str>> {
    let digits = |number: Option<u64>| number.map(|number| Cow::Owned(number.to_string()));
    match target {
        Target::Kind => Some(Cow::Borrowed(row.kind)),
        Target::Outcome => row.outcome.map(Cow::Borrowed),
        Target::Protocol => Some(Cow::Borrowed(protocol)),
        Target::Connection => digits(Some(ident.connection)),
        Target::Client => some(&ident.client).map(Cow::Borrowed),
        Target::Server => some(&ident.server).map(Cow::Borrowed),
        Target::Direction => row.direction.map(|direction| Cow::Borrowed(direction.name())),
        Target::RequestId => match row.id? {
            ShownId::None => None,
            ShownId::Int(id) => Some(Cow::Owned(id.to_string())),
            ShownId::Text(id) => Some(Cow::Borrowed(id)),
        },
        Target::LatencyMs => row.latency_ns.map(|nanos| {
            let mut digits = Vec::new();
            json::millis(&mut digits, nanos);
            Cow::Owned(String::from_utf8_lossy(&digits).into_owned())
        }),
        Target::RequestBytes => digits(row.request_bytes),
        Target::ResponseBytes => digits(row.response_bytes),
        Target::Error => some(row.error).map(Cow::Borrowed),
        // Decided when the frame is read; what has no frame has no names.
        Target::Service | Target::Method | Target::Metadata(_) => None,
    }
}

fn chosen_values(protocol: &Protocol, frame: Frame<'_>, limits: &Limits) -> Vec<Option<Box<str>>> {
    let value = |key| match protocol.codec.field(frame, key, limits) {
        Ok(Some(value)) => Some(value.to_text().into()),
        _ => None,
    };
    protocol.chosen.iter().map(value).collect()
}
