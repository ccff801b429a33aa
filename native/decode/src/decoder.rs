//! The bytes of a file in, rows out.

use std::fmt;
use std::sync::Arc;
use std::thread;

use metaprotocol_capture::{Capture, FormatError, is_capture};
use metaprotocol_core::{AnyCodec, Direction};

use crate::columns::Columns;
use crate::engine::Engine;
use crate::hex::{HexError, HexReader, looks_like_hex};
use crate::json;
use crate::options::{Format, Options, OptionsError, Output};
use crate::session::Session;
use crate::sessions::Sessions;
use crate::summary::{Methods, Totals};

/// Bytes that are looked at to tell the format.
const PROBE_LEN: usize = 4 << 10;

/// Why an input cannot be read, or no further.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// It is no capture, or no longer one.
    Capture(FormatError),
    /// It is no hex text.
    Hex(HexError),
}

impl Error {
    /// Stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Capture(error) => error.kind.code(),
            Self::Hex(_) => "hex.bad_digit",
        }
    }

    /// Position in the file in bytes, if it is known.
    #[must_use]
    pub fn offset(&self) -> Option<u64> {
        match self {
            Self::Capture(error) => Some(error.offset),
            Self::Hex(_) => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capture(error) => error.fmt(f),
            Self::Hex(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

enum Input {
    /// The first bytes, until they tell the format.
    Unknown(Vec<u8>),
    Capture(Box<Capture>),
    Raw {
        offset: u64,
    },
    Hex {
        reader: Box<HexReader>,
        bytes: Vec<u8>,
        offset: u64,
    },
}

/// Decodes one input, pushed in pieces of any size. Take the output away after each push.
pub struct Decoder {
    input: Input,
    sessions: Sessions,
    capture_limits: metaprotocol_capture::Limits,
    max_rows: Option<u64>,
    direction: Direction,
    failed: Option<Error>,
    finished: bool,
    /// The capture's last record was cut: where it begins.
    tail: Option<u64>,
}

impl Decoder {
    /// A decoder with the built-in codecs.
    ///
    /// # Errors
    /// [`OptionsError`] if the options make no sense.
    pub fn new(options: Options) -> Result<Self, OptionsError> {
        Self::with_codecs(options, metaprotocol_registry::codecs())
    }

    /// A decoder with these codecs.
    ///
    /// # Errors
    /// As [`Decoder::new`].
    pub fn with_codecs(options: Options, codecs: &[Arc<dyn AnyCodec>]) -> Result<Self, OptionsError> {
        let format = options.format;
        let direction = options.direction.unwrap_or(Direction::ClientToServer);
        let capture_limits = options.capture_limits.clone();
        let max_rows = options.max_rows;
        let threads = threads(&options);
        let engines: Result<Vec<_>, _> = (0..threads).map(|_| Engine::new(options.clone(), codecs, threads)).collect();
        let mut decoder = Self {
            input: Input::Unknown(Vec::new()),
            sessions: Sessions::new(engines?),
            capture_limits,
            max_rows,
            direction,
            failed: None,
            finished: false,
            tail: None,
        };
        decoder.open(format);
        Ok(decoder)
    }

    fn open(&mut self, format: Format) {
        self.input = match format {
            Format::Auto => return,
            Format::Capture => Input::Capture(Box::new(Capture::new(&self.capture_limits))),
            Format::Raw => {
                self.raw(Session::open_raw);
                Input::Raw { offset: 0 }
            }
            Format::Hex => {
                self.raw(Session::open_raw);
                Input::Hex { reader: Box::default(), bytes: Vec::new(), offset: 0 }
            }
        };
    }

    /// Brings what happens to the only stream of raw input to its session.
    fn raw(&mut self, act: impl FnOnce(&mut Session)) {
        if let Some(session) = self.sessions.first() {
            act(session);
            self.sessions.take_rows();
        }
    }

    /// Takes the next bytes of the input. Does nothing once [`done`](Self::done).
    ///
    /// # Errors
    /// [`Error`] where the input cannot be read; every later call gives it again. Rows before that place stand.
    pub fn push(&mut self, data: &[u8]) -> Result<(), Error> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if self.done() || self.finished {
            return Ok(());
        }
        let result = self.take(data);
        if let Err(error) = &result {
            self.failed = Some(error.clone());
        }
        result
    }

    fn take(&mut self, data: &[u8]) -> Result<(), Error> {
        match &mut self.input {
            Input::Unknown(probe) => {
                probe.extend_from_slice(data);
                if probe.len() >= PROBE_LEN || is_capture(probe) { self.probed() } else { Ok(()) }
            }
            Input::Capture(capture) => {
                self.sessions.feed(data.len(), |sink| capture.push(data, sink)).map_err(Error::Capture)
            }
            Input::Raw { offset } => {
                let (direction, at) = (self.direction, *offset);
                *offset += data.len() as u64;
                if !data.is_empty() {
                    self.raw(|session| session.raw_data(direction, at, data));
                }
                Ok(())
            }
            Input::Hex { reader, bytes, offset } => {
                let result = reader.push(data, bytes);
                let (direction, at, decoded) = (self.direction, *offset, std::mem::take(bytes));
                *offset += decoded.len() as u64;
                if !decoded.is_empty() {
                    self.raw(|session| session.raw_data(direction, at, &decoded));
                }
                result.map_err(Error::Hex)
            }
        }
    }

    /// The format can be told now.
    fn probed(&mut self) -> Result<(), Error> {
        let Input::Unknown(probe) = &mut self.input else { return Ok(()) };
        let probe = std::mem::take(probe);
        let format = if is_capture(&probe) {
            Format::Capture
        } else if looks_like_hex(&probe, probe.len() < PROBE_LEN) {
            Format::Hex
        } else {
            Format::Raw
        };
        self.open(format);
        self.take(&probe)
    }

    /// Ends the input: closes all streams, and gives out the requests that were not answered. To be called after an
    /// error too. Later calls do nothing.
    ///
    /// # Errors
    /// [`Error`] if the input ends where it must not, or the error of before.
    pub fn finish(&mut self) -> Result<(), Error> {
        if std::mem::replace(&mut self.finished, true) {
            return self.failed.clone().map_or(Ok(()), Err);
        }
        let mut result = self.failed.clone().map_or(Ok(()), Err);
        if let Input::Unknown(_) = self.input {
            result = result.and_then(|()| self.probed());
        }
        let done = self.done();
        let ended = match &mut self.input {
            Input::Unknown(_) => Ok(()),
            Input::Capture(capture) => match self.sessions.feed(0, |sink| capture.finish(sink)) {
                Ok(tail) => {
                    self.tail = tail.map(|tail| tail.offset);
                    Ok(())
                }
                // Whoever has seen enough need not see the end.
                Err(_) if done => Ok(()),
                Err(error) => Err(Error::Capture(error)),
            },
            Input::Raw { .. } => {
                self.raw(Session::close_raw);
                Ok(())
            }
            Input::Hex { reader, bytes, offset } => {
                let ended = reader.finish(bytes).map_err(Error::Hex);
                let (direction, at, decoded) = (self.direction, *offset, std::mem::take(bytes));
                self.raw(|session| {
                    if !decoded.is_empty() {
                        session.raw_data(direction, at, &decoded);
                    }
                    session.close_raw();
                });
                if result.is_ok() { ended } else { Ok(()) }
            }
        };
        result = result.and(ended);
        if let Err(error) = &result {
            self.failed = Some(error.clone());
        }
        result
    }

    /// Waits until all that was pushed is decoded. Otherwise the rows of a long push may come with the next one.
    pub fn flush(&mut self) {
        self.sessions.collect();
    }

    /// True once as many rows were given out as were asked for: nothing more will come.
    pub fn done(&mut self) -> bool {
        self.max_rows.is_some() && self.sessions.first().is_some_and(|session| session.engine.done())
    }

    /// The format of the input: `pcap` for both kinds of captures, `raw` or `hex`; `None` while it cannot be told.
    #[must_use]
    pub fn format(&self) -> Option<&'static str> {
        match &self.input {
            Input::Unknown(_) => None,
            Input::Capture(_) => Some("pcap"),
            Input::Raw { .. } => Some("raw"),
            Input::Hex { .. } => Some("hex"),
        }
    }

    /// The rows since they were last cleared, one JSON object a line.
    #[must_use]
    pub fn json(&self) -> &[u8] {
        &self.sessions.json
    }

    /// Forgets the rows of [`json`](Self::json), and keeps their memory for the next.
    pub fn clear_json(&mut self) {
        self.sessions.json.clear();
    }

    /// Takes the rows since the last call, as columns.
    pub fn take_columns(&mut self) -> Columns {
        self.sessions.first().map(|session| session.engine.columns.take()).unwrap_or_default()
    }

    /// Rows that wait to be taken as columns.
    pub fn column_rows(&mut self) -> usize {
        self.sessions.first().map_or(0, |session| session.engine.columns.rows)
    }

    /// The numbers so far, as a JSON object.
    pub fn summary(&mut self) -> Vec<u8> {
        let mut totals = Totals::default();
        let mut streams = Vec::new();
        let mut methods = Methods::default();
        for session in self.sessions.all() {
            session.engine.add_to(&mut totals, &mut streams, &mut methods);
        }
        let mut out = vec![b'{'];
        if let Some(session) = self.sessions.first() {
            session.engine.write_summary(&totals, &streams, &methods, &mut out);
        }
        out.extend_from_slice(b",\"format\":");
        json::string(&mut out, self.format().unwrap_or("unknown"));
        if let Input::Capture(capture) = &self.input {
            let stats = capture.stats();
            for (key, number) in [
                ("packets", stats.packets),
                ("packet_bytes", stats.packet_bytes),
                ("stream_bytes", stats.stream_bytes),
                ("non_tcp_packets", stats.non_ip + stats.non_tcp + stats.unsupported_link),
                ("malformed_packets", stats.malformed),
                ("truncated_packets", stats.truncated),
                ("retransmitted_segments", stats.retransmitted_segments),
                ("out_of_order_segments", stats.out_of_order),
            ] {
                crate::summary::number_field(&mut out, key, number);
            }
            if let Some(offset) = self.tail {
                crate::summary::number_field(&mut out, "cut_record_offset", offset);
            }
        }
        out.push(b'}');
        out
    }

    /// Bytes kept for streams that are open: frames under way, bytes not yet recognised, and requests that wait.
    pub fn retained_bytes(&mut self) -> u64 {
        let reassembly = match &self.input {
            Input::Capture(capture) => capture.stats().stored_bytes,
            _ => 0,
        };
        self.sessions.all().map(|session| session.retained_bytes()).sum::<u64>() + reassembly
    }

    /// Requests that wait for their responses.
    pub fn in_flight(&mut self) -> usize {
        self.sessions.all().map(|session| session.in_flight()).sum()
    }
}

/// How many sessions share the connections.
fn threads(options: &Options) -> usize {
    let single = matches!(options.format, Format::Raw | Format::Hex)
        || options.output == Output::Columns
        || options.max_rows.is_some();
    match options.threads {
        _ if single => 1,
        0 => thread::available_parallelism().map_or(1, |cores| cores.get().min(Options::MAX_THREADS)),
        threads => threads,
    }
}
