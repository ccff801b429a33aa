//! Frames: what a protocol message is before anybody looks inside it.

/// Which way bytes travel on a connection. The client is the side that opened it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Direction {
    /// From the side that opened the connection.
    ClientToServer = 0,
    /// From the side that accepted it.
    ServerToClient = 1,
}

impl Direction {
    /// The opposite direction.
    #[must_use]
    pub const fn reverse(self) -> Self {
        match self {
            Self::ClientToServer => Self::ServerToClient,
            Self::ServerToClient => Self::ClientToServer,
        }
    }

    /// The name used in errors, JSON and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClientToServer => "client_to_server",
            Self::ServerToClient => "server_to_client",
        }
    }
}

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Expects exactly one response.
    Request = 0,
    /// Answers a request, successfully as far as the protocol's framing says.
    Response = 1,
    /// A request nobody answers.
    Oneway = 2,
    /// Opens a stream of frames that share a stream id.
    StreamOpen = 3,
    /// Carries data of an open stream.
    StreamData = 4,
    /// One side of a stream has finished sending.
    StreamHalfClose = 5,
    /// A stream is over in both directions.
    StreamClose = 6,
    /// Keeps a connection alive; answered by the peer or by a proxy.
    Heartbeat = 7,
    /// Answers a request with an error that the frame itself states.
    Error = 8,
    /// Handshakes, notices and other frames about the connection itself.
    Control = 9,
}

impl Kind {
    /// Every kind, in the order of its number.
    pub const ALL: [Self; 10] = [
        Self::Request,
        Self::Response,
        Self::Oneway,
        Self::StreamOpen,
        Self::StreamData,
        Self::StreamHalfClose,
        Self::StreamClose,
        Self::Heartbeat,
        Self::Error,
        Self::Control,
    ];

    /// The name used in errors, JSON and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
            Self::Oneway => "oneway",
            Self::StreamOpen => "stream_open",
            Self::StreamData => "stream_data",
            Self::StreamHalfClose => "stream_half_close",
            Self::StreamClose => "stream_close",
            Self::Heartbeat => "heartbeat",
            Self::Error => "error",
            Self::Control => "control",
        }
    }

    /// True for the kinds that answer a request.
    #[must_use]
    pub const fn is_response(self) -> bool {
        matches!(self, Self::Response | Self::Error)
    }
}

/// How a frame names the request it is or answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestId {
    /// The protocol has no ids, or this frame carries none.
    None,
    /// An integer; signed ids are sign-extended to 64 bits.
    Int(u64),
    /// Opaque bytes at this place in the frame.
    Bytes {
        /// Offset from the first byte of the frame.
        at: u32,
        /// Length in bytes.
        len: u32,
    },
}

/// All that is known of a frame once its header bytes are in; the body may still be on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// What the frame is for.
    pub kind: Kind,
    /// The request this frame is or answers.
    pub request_id: RequestId,
    /// The stream this frame belongs to, in protocols that have streams.
    pub stream_id: Option<u64>,
    /// Bytes from the start of the frame to the start of its body.
    pub header_len: u32,
    /// Bytes of the whole frame, header included.
    pub frame_len: usize,
    /// A note the codec leaves for its own other verbs (a detected dialect, a remembered version). Nobody else reads it.
    /// [`Head::OPAQUE`] is not the codec's to use.
    pub variant: u32,
}

impl Head {
    /// The variant of control frames that are no frames of the codec: what they hold is encrypted, and handed on as it is.
    pub const OPAQUE: u32 = u32::MAX;

    /// True if no codec can look into the frame.
    #[must_use]
    pub const fn is_opaque(&self) -> bool {
        self.variant == Self::OPAQUE && matches!(self.kind, Kind::Control)
    }
}

/// One whole frame: its head and a view of its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// What `split` said of it.
    pub head: Head,
    /// Exactly `head.frame_len` bytes.
    pub bytes: &'a [u8],
}

impl<'a> Frame<'a> {
    /// A frame over the front of `bytes`, or `None` if they are fewer than the head says.
    #[must_use]
    pub fn new(head: Head, bytes: &'a [u8]) -> Option<Self> {
        let bytes = bytes.get(..head.frame_len)?;
        (head.header_len as usize <= bytes.len()).then_some(Self { head, bytes })
    }

    /// The bytes before the body.
    #[must_use]
    pub fn header(&self) -> &'a [u8] {
        self.bytes.get(..self.head.header_len as usize).unwrap_or(self.bytes)
    }

    /// The bytes after the header.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        self.bytes.get(self.head.header_len as usize..).unwrap_or_default()
    }
}
