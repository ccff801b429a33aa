//! What the assembler tells its caller.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// One end of a TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    /// IPv4 or IPv6 address.
    pub addr: IpAddr,
    /// TCP port.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::new(self.addr, self.port).fmt(f)
    }
}

/// Number of one TCP connection, unique in its capture; counts up from 0 in the order of opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlowId(pub(crate) u64);

impl FlowId {
    /// The plain number.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for FlowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which way bytes travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// From the client (who opened the connection) to the server.
    ClientToServer = 0,
    /// From the server to the client.
    ServerToClient = 1,
}

impl Direction {
    /// Both directions, in the order of their numbers.
    pub const BOTH: [Self; 2] = [Self::ClientToServer, Self::ServerToClient];

    /// The opposite direction.
    #[must_use]
    pub fn flipped(self) -> Self {
        match self {
            Self::ClientToServer => Self::ServerToClient,
            Self::ServerToClient => Self::ClientToServer,
        }
    }
}

/// One TCP connection.
///
/// The client is the sender of the SYN, or the receiver of the SYN+ACK. If the capture has neither, the server is the
/// end with the well-known port (below 1024), else the end whose port lies below the ephemeral range (32768) when the
/// other's does not; if both ports are of one class, whoever is seen to send data first is the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Unique number.
    pub id: FlowId,
    /// Small dense index, unique among the open flows and reused after [`Event::Closed`]: a sink can keep its state of
    /// a flow in a `Vec` instead of a hash map. Below [`Limits::flows`](crate::Limits::flows).
    pub slot: u32,
    /// Who opened the connection.
    pub client: Endpoint,
    /// Who was connected to.
    pub server: Endpoint,
    /// Neither SYN nor SYN+ACK was seen: the roles are a guess, and the first byte given need not be the first sent.
    pub midstream: bool,
}

/// Why a flow ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// Both directions were ended by a FIN.
    Fin,
    /// A RST was seen.
    Rst,
    /// No packet for [`Limits::idle_timeout`](crate::Limits::idle_timeout) of capture time.
    Idle,
    /// Given up in favour of a newer flow because of [`Limits::flows`](crate::Limits::flows).
    Evicted,
    /// A new connection between the same ports took its place.
    Replaced,
    /// The capture ended.
    EndOfCapture,
}

impl CloseReason {
    /// Stable name, for logs and output: `fin`, `rst`, `idle`, `evicted`, `replaced`, `end_of_capture`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fin => "fin",
            Self::Rst => "rst",
            Self::Idle => "idle",
            Self::Evicted => "evicted",
            Self::Replaced => "replaced",
            Self::EndOfCapture => "end_of_capture",
        }
    }
}

/// What happened on a flow. Timestamps are nanoseconds since the Unix epoch, as the capture has them; they are those of
/// the packet concerned and so may run backwards from one event to the next.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The first event of every flow.
    Opened {
        /// The connection.
        flow: &'a Flow,
        /// Of the first packet.
        timestamp_ns: u64,
    },
    /// The next bytes of one direction.
    Data {
        /// The connection.
        flow: &'a Flow,
        /// Which way they travel.
        direction: Direction,
        /// Of the packet that brought them.
        timestamp_ns: u64,
        /// Position of the first byte in this direction's stream, gaps included.
        offset: u64,
        /// Never empty; valid during the call only.
        bytes: &'a [u8],
    },
    /// Bytes that the capture lacks. The stream goes on behind them.
    Gap {
        /// The connection.
        flow: &'a Flow,
        /// Which direction lacks them.
        direction: Direction,
        /// Of the packet behind the gap; of the cut packet itself, if it was cut by the snap length.
        timestamp_ns: u64,
        /// Position of the first missing byte.
        offset: u64,
        /// How many bytes are missing, at least 1.
        missing: u64,
    },
    /// One direction ended in good order (FIN); the other may go on.
    HalfClosed {
        /// The connection.
        flow: &'a Flow,
        /// The direction that ended.
        direction: Direction,
        /// Of the packet that completed it.
        timestamp_ns: u64,
    },
    /// The last event of every flow.
    Closed {
        /// The connection.
        flow: &'a Flow,
        /// Of the packet that ended it; for idle, evicted and unfinished flows of the last packet they had.
        timestamp_ns: u64,
        /// Why.
        reason: CloseReason,
    },
}

/// Receives the events. Every `FnMut(Event<'_>)` is one.
///
/// A sink that has seen enough sets a flag of its own; the caller then stops pushing.
pub trait Sink {
    /// Takes one event; what it borrows is valid during the call only.
    fn event(&mut self, event: Event<'_>);
}

impl<F: FnMut(Event<'_>)> Sink for F {
    #[inline]
    fn event(&mut self, event: Event<'_>) {
        self(event);
    }
}
