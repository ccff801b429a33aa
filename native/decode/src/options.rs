//! What to decode, and what of it to give out.

use std::fmt;

use metaprotocol_core::{Direction, Limits};

use crate::condition::{Condition, ConditionError};

/// What the input is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Told by its first bytes: a capture by its magic, hex if there is nothing but hex text, else raw bytes.
    #[default]
    Auto,
    /// pcap or pcapng.
    Capture,
    /// The bytes of one direction of one connection.
    Raw,
    /// The same as hex digits: plain, or as `xxd` and `hexdump -C` print them.
    Hex,
}

impl Format {
    /// The format with this name: `auto`, `pcap`, `pcapng`, `raw` or `hex`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "auto" => Some(Self::Auto),
            "pcap" | "pcapng" => Some(Self::Capture),
            "raw" => Some(Self::Raw),
            "hex" => Some(Self::Hex),
            _ => None,
        }
    }
}

/// How rows are given out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// One JSON object a line.
    #[default]
    Json,
    /// Columns, for Arrow.
    Columns,
    /// Not at all: rows are only counted.
    None,
}

/// Which metadata a row shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Metadata {
    /// Everything the codec finds.
    #[default]
    All,
    /// None.
    None,
    /// These keys, of the request and of the response.
    Keys(Vec<String>),
}

/// What to decode, and what of it to give out.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Name or alias of the only protocol to read; `None` recognises it for each connection.
    pub protocol: Option<String>,
    /// What the input is.
    pub format: Format,
    /// Which way the bytes of raw and hex input travelled. Captures know it themselves.
    pub direction: Option<Direction>,
    /// Rows must meet all of these, at most [`Options::MAX_CONDITIONS`].
    pub conditions: Vec<Condition>,
    /// How rows are given out.
    pub output: Output,
    /// Which metadata a row shows.
    pub metadata: Metadata,
    /// Stop after this many rows.
    pub max_rows: Option<u64>,
    /// How many threads decode a capture; 0 for as many as there are cores, up to [`Options::MAX_THREADS`]. It is one
    /// where that suffices: for other inputs, for columns, and with `max_rows`.
    pub threads: usize,
    /// Bounds on frames and requests in flight.
    pub limits: Limits,
    /// Bounds on the reassembly of captures.
    pub capture_limits: metaprotocol_capture::Limits,
}

impl Options {
    /// The most conditions one decoder takes: one bit each in what is remembered of a request.
    pub const MAX_CONDITIONS: usize = 64;
    /// The most threads taken unasked: taking packets apart is the work of one, and keeps no more than these busy.
    pub const MAX_THREADS: usize = 4;
}

/// Options that make no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OptionsError {
    /// No codec has this name or alias.
    UnknownProtocol {
        /// The name asked for.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// A condition cannot be read.
    Condition(ConditionError),
    /// More conditions than [`Options::MAX_CONDITIONS`].
    TooManyConditions {
        /// How many there are.
        count: usize,
    },
}

impl fmt::Display for OptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownProtocol { name, known } => {
                write!(f, "there is no codec {name:?}; there are: {}", known.join(", "))
            }
            Self::Condition(error) => error.fmt(f),
            Self::TooManyConditions { count } => {
                write!(f, "{count} conditions are more than the {} that can be given", Options::MAX_CONDITIONS)
            }
        }
    }
}

impl std::error::Error for OptionsError {}

impl From<ConditionError> for OptionsError {
    fn from(error: ConditionError) -> Self {
        Self::Condition(error)
    }
}
