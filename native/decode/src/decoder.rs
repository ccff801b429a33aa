//! The bytes of a file in, rows out.

use std::fmt;
use std::sync::Arc;

use metaprotocol_capture::{Capture, FormatError, is_capture};
use metaprotocol_core::{AnyCodec, Direction};

use crate::columns::Columns;
use crate::engine::Engine;
use crate::hex::{HexError, HexReader, looks_like_hex};
use crate::json;
use crate::options::{Format, Options, OptionsError};
use crate::session::Session;

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
    session: Session,
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
        let mut decoder = Self {
            input: Input::Unknown(Vec::new()),
            session: Session::new(Engine::new(options, codecs)?),
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
            Format::Capture => Input::Capture(Box::new(Capture::new(&self.session.engine.options.capture_limits))),
            Format::Raw => {
                self.session.open_raw();
                Input::Raw { offset: 0 }
            }
            Format::Hex => {
                self.session.open_raw();
                Input::Hex { reader: Box::default(), bytes: Vec::new(), offset: 0 }
            }
        };
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
            Input::Capture(capture) => capture.push(data, &mut self.session).map_err(Error::Capture),
            Input::Raw { offset } => {
                let at = *offset;
                *offset += data.len() as u64;
                if !data.is_empty() {
                    self.session.raw_data(self.direction, at, data);
                }
                Ok(())
            }
            Input::Hex { reader, bytes, offset } => {
                let result = reader.push(data, bytes);
                let at = *offset;
                *offset += bytes.len() as u64;
                if !bytes.is_empty() {
                    self.session.raw_data(self.direction, at, bytes);
                }
                bytes.clear();
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
        let ended = match &mut self.input {
            Input::Unknown(_) => Ok(()),
            Input::Capture(capture) => match capture.finish(&mut self.session) {
                Ok(tail) => {
                    self.tail = tail.map(|tail| tail.offset);
                    Ok(())
                }
                // Whoever has seen enough need not see the end.
                Err(_) if self.session.engine.done() => Ok(()),
                Err(error) => Err(Error::Capture(error)),
            },
            Input::Raw { .. } => {
                self.session.close_raw();
                Ok(())
            }
            Input::Hex { reader, bytes, offset } => {
                let ended = reader.finish(bytes).map_err(Error::Hex);
                if !bytes.is_empty() {
                    self.session.raw_data(self.direction, *offset, bytes);
                }
                self.session.close_raw();
                if result.is_ok() { ended } else { Ok(()) }
            }
        };
        result = result.and(ended);
        if let Err(error) = &result {
            self.failed = Some(error.clone());
        }
        result
    }

    /// True once as many rows were given out as were asked for: nothing more will come.
    #[must_use]
    pub fn done(&self) -> bool {
        self.session.engine.done()
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
        &self.session.engine.json
    }

    /// Forgets the rows of [`json`](Self::json), and keeps their memory for the next.
    pub fn clear_json(&mut self) {
        self.session.engine.json.clear();
    }

    /// Takes the rows since the last call, as columns.
    pub fn take_columns(&mut self) -> Columns {
        self.session.engine.columns.take()
    }

    /// Rows that wait to be taken as columns.
    #[must_use]
    pub fn column_rows(&self) -> usize {
        self.session.engine.columns.rows
    }

    /// The numbers so far, as a JSON object.
    #[must_use]
    pub fn summary(&self) -> Vec<u8> {
        let mut out = vec![b'{'];
        self.session.engine.write_summary(&mut out);
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
    #[must_use]
    pub fn retained_bytes(&self) -> u64 {
        let reassembly = match &self.input {
            Input::Capture(capture) => capture.stats().stored_bytes,
            _ => 0,
        };
        self.session.retained_bytes() + reassembly
    }

    /// Requests that wait for their responses.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.session.in_flight()
    }
}
