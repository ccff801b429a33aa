//! Streams through connections, and the two things that must hold however they are cut.

use std::sync::Arc;
use std::{fmt, iter};

use metaprotocol_core::{AnyCodec, Connection, DecodeError, Direction, Failure, Fed, Frame, Head, Limits, Placed};

/// Bytes of one direction of a connection, from its start, and what a failed test calls them.
#[derive(Clone, Debug)]
pub struct Sample {
    /// What messages call it.
    pub name: String,
    /// Which way the bytes go.
    pub direction: Direction,
    /// The bytes.
    pub stream: Vec<u8>,
}

impl Sample {
    /// A sample.
    pub fn new(name: impl Into<String>, direction: Direction, stream: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), direction, stream: stream.into() }
    }
}

/// A frame and its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedFrame {
    /// Offset of its first byte in the stream.
    pub offset: u64,
    /// What `split` said of it.
    pub head: Head,
    /// Exactly its bytes.
    pub bytes: Vec<u8>,
}

impl OwnedFrame {
    /// The frame as the verbs take it.
    #[must_use]
    pub fn frame(&self) -> Frame<'_> {
        Frame::new(self.head, &self.bytes).expect("exactly the bytes of the head")
    }

    /// Offset in the stream of the first byte behind it.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }
}

impl fmt::Display for OwnedFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at offset {} with the bytes {:x?}", self.head, self.offset, self.bytes)
    }
}

/// What came out of one direction: its frames, the error that stopped it, and the bytes that the frame under way lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// The frames, in order.
    pub frames: Vec<OwnedFrame>,
    /// The error behind them.
    pub failure: Option<DecodeError>,
    /// At least how many more bytes the frame under way needs; 0 between frames and after an error.
    pub missing: usize,
}

impl Decoded {
    /// Offset of the first byte that belongs to no frame.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.frames.last().map_or(0, OwnedFrame::end)
    }

    /// The first thing in which `self` is not what it should be.
    fn differs_from(&self, expected: &Self) -> Option<String> {
        for (index, (found, expected)) in self.frames.iter().zip(&expected.frames).enumerate() {
            if found != expected {
                return Some(format!("frame {index} is {found}, not {expected}"));
            }
        }
        if self.frames.len() != expected.frames.len() {
            return Some(format!("{} frames, not {}", self.frames.len(), expected.frames.len()));
        }
        if self.failure != expected.failure {
            return Some(format!("the failure is {:?}, not {:?}", self.failure, expected.failure));
        }
        // Each is told from the bytes that were in when `split` was asked last: at least so many, or more.
        let agrees = (self.missing == 0) == (expected.missing == 0);
        (!agrees).then(|| format!("{} bytes are missing, not {}", self.missing, expected.missing))
    }
}

/// Feeds a stream to a new connection in chunks of the lengths given, and the rest in one.
pub fn feed(
    codec: &Arc<dyn AnyCodec>,
    direction: Direction,
    limits: Limits,
    stream: &[u8],
    chunks: impl IntoIterator<Item = usize>,
) -> Decoded {
    feed_to(Arc::clone(codec).connect(limits).as_mut(), direction, stream, chunks)
}

/// [`feed`] in one chunk, with the default limits.
#[must_use]
pub fn decode(codec: &Arc<dyn AnyCodec>, direction: Direction, stream: &[u8]) -> Decoded {
    feed(codec, direction, Limits::default(), stream, [])
}

/// [`feed`] to a connection that may have seen bytes before.
pub fn feed_to(
    connection: &mut dyn Connection,
    direction: Direction,
    stream: &[u8],
    chunks: impl IntoIterator<Item = usize>,
) -> Decoded {
    let mut fed = Fed::default();
    let mut decoded = Decoded::default();
    for chunk in cut(stream, chunks) {
        let result = connection.feed(direction, chunk, &mut fed);
        decoded.frames.extend(fed.carried.take().map(|carried| OwnedFrame {
            offset: carried.offset,
            head: carried.head,
            bytes: carried.bytes,
        }));
        decoded.frames.extend(placed(&fed.frames, chunk, fed.chunk_offset));
        if decoded.failed(direction, result) {
            return decoded;
        }
    }
    decoded.missing = connection.missing(direction);
    decoded
}

/// As [`feed`], the way of callers that own the receive buffer: [`Connection::advance`].
pub fn advance(
    codec: &Arc<dyn AnyCodec>,
    direction: Direction,
    limits: Limits,
    stream: &[u8],
    chunks: impl IntoIterator<Item = usize>,
) -> Decoded {
    let mut connection = Arc::clone(codec).connect(limits);
    let mut decoded = Decoded::default();
    let mut frames = Vec::new();
    let (mut start, mut end) = (0, 0);
    for chunk in cut(stream, chunks) {
        end += chunk.len();
        let buffer = &stream[start..end];
        frames.clear();
        let result = connection.advance(direction, buffer, &mut frames);
        decoded.frames.extend(placed(&frames, buffer, start as u64));
        start += *result.as_ref().unwrap_or(&0);
        if decoded.failed(direction, result.map(|_| ())) {
            return decoded;
        }
    }
    decoded.missing = connection.missing(direction);
    decoded
}

impl Decoded {
    /// Takes note of a failure.
    fn failed(&mut self, direction: Direction, result: Result<(), Box<Failure>>) -> bool {
        for pair in self.frames.windows(2) {
            assert_eq!(pair[0].end(), pair[1].offset, "frames follow one another without a hole");
        }
        if let Err(failure) = result {
            assert_eq!(failure.direction, direction, "the direction of a failure");
            self.failure = Some(failure.error);
        }
        self.failure.is_some()
    }
}

fn cut(stream: &[u8], chunks: impl IntoIterator<Item = usize>) -> impl Iterator<Item = &[u8]> {
    let mut rest = stream;
    let mut chunks = chunks.into_iter();
    iter::from_fn(move || {
        let len = chunks.next().unwrap_or(rest.len()).max(1).min(rest.len());
        let (chunk, next) = rest.split_at(len);
        rest = next;
        (!chunk.is_empty()).then_some(chunk)
    })
}

fn placed(frames: &[Placed], chunk: &[u8], chunk_offset: u64) -> impl Iterator<Item = OwnedFrame> {
    frames.iter().map(move |placed| {
        let frame = Frame::new(placed.head, &chunk[placed.at..]).expect("a frame within its chunk");
        OwnedFrame { offset: chunk_offset + placed.at as u64, head: placed.head, bytes: frame.bytes.to_vec() }
    })
}

/// A way to cut a stream.
#[derive(Clone, Copy, Debug)]
pub enum Cut<'c> {
    /// In two.
    At(usize),
    /// In pieces of one length.
    Every(usize),
    /// In pieces of these lengths, again and again.
    Cycle(&'c [usize]),
}

impl Cut<'_> {
    fn chunks(&self) -> Box<dyn Iterator<Item = usize> + '_> {
        match self {
            Self::At(at) => Box::new(iter::once(*at)),
            Self::Every(len) => Box::new(iter::repeat(*len)),
            Self::Cycle(lens) => Box::new(lens.iter().copied().cycle()),
        }
    }
}

/// Places in a stream of `len` bytes: all of them, or in a long one those near its ends and some between.
fn places(len: usize) -> impl Iterator<Item = usize> {
    (1..len).filter(move |at| len < 1000 || *at < 200 || len - at < 200 || at % (len / 100) == 0)
}

/// Decodes a stream whole and cut in these ways, by `feed` and by `advance`; returns what all must give.
///
/// # Panics
/// If they do not.
pub fn same_when_cut(codec: &Arc<dyn AnyCodec>, limits: Limits, sample: &Sample, cuts: &[Cut<'_>]) -> Decoded {
    compare(codec, limits, sample, cuts, |_, decode| decode(&sample.stream))
}

/// As [`same_when_cut`], for streams that may end within a broken header: who saw its first bytes alone may wait for the
/// bytes that he asked for then, and only then give the error that the whole gives at once.
pub(crate) fn same_in_the_end(codec: &Arc<dyn AnyCodec>, limits: Limits, sample: &Sample, cuts: &[Cut<'_>]) -> Decoded {
    compare(codec, limits, sample, cuts, |whole, decode| {
        let mut found = decode(&sample.stream);
        let mut longer = sample.stream.clone();
        while whole.failure.is_some() && found.failure.is_none() && (1..=MOST_AWAITED).contains(&found.missing) {
            longer.resize(longer.len() + found.missing, 0);
            found = decode(&longer);
        }
        found
    })
}

/// Bytes of a broken header that may be awaited before it is refused.
const MOST_AWAITED: usize = 1 << 16;

fn compare(
    codec: &Arc<dyn AnyCodec>,
    limits: Limits,
    sample: &Sample,
    cuts: &[Cut<'_>],
    run: impl Fn(&Decoded, &dyn Fn(&[u8]) -> Decoded) -> Decoded,
) -> Decoded {
    let Sample { name, direction, stream } = sample;
    let whole = feed(codec, *direction, limits, stream, []);
    let check = |how: &str, decode: &dyn Fn(&[u8]) -> Decoded| {
        if let Some(difference) = run(&whole, decode).differs_from(&whole) {
            panic!("{name}, {how}: {difference}");
        }
    };
    check("advanced whole", &|stream| advance(codec, *direction, limits, stream, []));
    for cut in cuts {
        check(&format!("fed {cut:?}"), &|stream| feed(codec, *direction, limits, stream, cut.chunks()));
        check(&format!("advanced {cut:?}"), &|stream| advance(codec, *direction, limits, stream, cut.chunks()));
    }
    whole
}

/// [`same_when_cut`] for every cut in two, byte by byte, and in pieces of some lengths.
///
/// # Panics
/// If the cut makes a difference.
pub fn same_however_cut(codec: &Arc<dyn AnyCodec>, limits: Limits, sample: &Sample) -> Decoded {
    let pieces = [1, 2, 3, 7, 64, 1460].map(Cut::Every);
    let cuts: Vec<Cut<'_>> = places(sample.stream.len()).map(Cut::At).chain(pieces).collect();
    same_when_cut(codec, limits, sample, &cuts)
}

/// For codecs that know how many bytes are missing as exactly from a stream in pieces as from the whole.
///
/// # Panics
/// If they differ.
pub fn same_missing_when_cut(codec: &Arc<dyn AnyCodec>, limits: Limits, sample: &Sample, cuts: &[Cut<'_>]) {
    let Sample { name, direction, stream } = sample;
    let whole = feed(codec, *direction, limits, stream, []);
    for cut in cuts {
        let found = feed(codec, *direction, limits, stream, cut.chunks());
        assert_eq!(found.missing, whole.missing, "bytes missing of {name}, {cut:?}");
    }
}

/// A stream that ends early, at any place, gives the frames that are whole, and says so if one is not.
///
/// # Panics
/// If it gives another frame, another error than the whole stream does, or asks for more bytes than the frame has.
pub fn cut_short(codec: &Arc<dyn AnyCodec>, limits: Limits, sample: &Sample) {
    let Sample { name, direction, stream } = sample;
    let whole = feed(codec, *direction, limits, stream, []);
    for len in places(stream.len()) {
        let found = feed(codec, *direction, limits, &stream[..len], []);
        let fitting = whole.frames.iter().take_while(|frame| frame.end() <= len as u64).count();
        let expected = Decoded { frames: whole.frames[..fitting].to_vec(), ..found.clone() };
        if let Some(difference) = found.differs_from(&expected) {
            panic!("{name}, cut short at {len}: {difference}");
        }
        if found.failure.is_some() {
            assert_eq!(found.failure, whole.failure, "the failure of {name}, cut short at {len}");
            assert_eq!(fitting, whole.frames.len(), "{name}, cut short at {len}, fails before its last frame");
            continue;
        }
        let within = found.end() < len as u64;
        assert_eq!(found.missing > 0, within, "{name}, cut short at {len}, misses {} bytes", found.missing);
        if let Some(next) = whole.frames.get(fitting) {
            let wanted = (len + found.missing) as u64;
            assert!(!within || wanted <= next.end(), "{name}, cut short at {len}, wants {wanted} bytes");
        }
    }
}

/// The frames of a stream, and behind them the stream: each gives what it gives by itself.
///
/// # Panics
/// If one disturbs the other.
pub fn back_to_back(codec: &Arc<dyn AnyCodec>, limits: Limits, sample: &Sample) {
    let Sample { name, direction, stream } = sample;
    let once = feed(codec, *direction, limits, stream, []);
    let end = once.end();
    let doubled = [&stream[..end as usize], stream].concat();
    let second = once.frames.iter().map(|frame| OwnedFrame { offset: frame.offset + end, ..frame.clone() });
    let expected = Decoded {
        frames: once.frames.iter().cloned().chain(second).collect(),
        failure: once.failure.map(|error| error.rebased(end)),
        missing: once.missing,
    };
    if let Some(difference) = feed(codec, *direction, limits, &doubled, []).differs_from(&expected) {
        panic!("{name}, twice: {difference}");
    }
}
