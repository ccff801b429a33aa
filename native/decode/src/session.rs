//! Connections of an input: takes what happens in a capture to the streams it happens to.

use std::ops::Range;

use metaprotocol_capture::{Direction as CaptureDirection, Event, Flow, Sink};
use metaprotocol_core::{Direction, Fed};

use crate::engine::Engine;
use crate::stream::{Chunk, Gap, Stream};

/// The connections of an input, or a share of them.
pub(crate) struct Session {
    pub(crate) engine: Engine,
    /// By the flow's slot.
    streams: Vec<Option<Box<Stream>>>,
    fed: Fed,
}

fn direction_of(direction: CaptureDirection) -> Direction {
    match direction {
        CaptureDirection::ClientToServer => Direction::ClientToServer,
        CaptureDirection::ServerToClient => Direction::ServerToClient,
    }
}

impl Session {
    pub(crate) fn new(engine: Engine) -> Self {
        Self { engine, streams: Vec::new(), fed: Fed::default() }
    }

    fn open(&mut self, flow: &Flow) {
        self.engine.totals.streams += 1;
        let slot = flow.slot as usize;
        if self.streams.len() <= slot {
            self.streams.resize_with(slot + 1, || None);
        }
        let stream = Stream::new(flow.id.get(), flow.client.to_string(), flow.server.to_string(), flow.midstream);
        if let Some(place) = self.streams.get_mut(slot) {
            *place = Some(Box::new(stream));
        }
    }

    fn with(&mut self, slot: u32, act: impl FnOnce(&mut Stream, &mut Engine, &mut Fed)) {
        if let Some(Some(stream)) = self.streams.get_mut(slot as usize) {
            act(stream, &mut self.engine, &mut self.fed);
        }
    }

    fn close(&mut self, slot: u32, time: u64) {
        self.with(slot, |stream, engine, _| stream.close(engine, Some(time)));
        if let Some(place) = self.streams.get_mut(slot as usize) {
            *place = None;
        }
    }

    /// Opens the only stream of raw input.
    pub(crate) fn open_raw(&mut self) {
        self.engine.totals.streams += 1;
        let known = self.engine.options.protocol.is_some();
        let stream = Stream::one_way(&mut self.engine, known);
        self.streams.push(Some(Box::new(stream)));
    }

    pub(crate) fn raw_data(&mut self, direction: Direction, offset: u64, bytes: &[u8]) {
        self.with(0, |stream, engine, fed| stream.data(engine, fed, Chunk { direction, time: None, offset, bytes }));
    }

    pub(crate) fn close_raw(&mut self) {
        if let Some(Some(mut stream)) = self.streams.pop() {
            stream.close(&mut self.engine, None);
        }
    }

    pub(crate) fn retained_bytes(&self) -> u64 {
        let streams: u64 = self.streams.iter().flatten().map(|stream| stream.retained_bytes()).sum();
        streams + self.engine.waiting as u64
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.streams.iter().flatten().map(|stream| stream.in_flight()).sum()
    }

    /// Does what a batch says. Appends to `marks`, for each event that gave rows, its number and where they end.
    pub(crate) fn run(&mut self, batch: &Batch, marks: &mut Vec<Mark>) {
        for Recorded { number, slot, what } in &batch.events {
            let before = self.engine.json.len();
            match what {
                What::Open(flow) => self.open(flow),
                What::Data { direction, time, offset, range } => {
                    let bytes = batch.bytes.get(range.clone()).unwrap_or_default();
                    let chunk = Chunk { direction: *direction, time: Some(*time), offset: *offset, bytes };
                    self.with(*slot, |stream, engine, fed| stream.data(engine, fed, chunk));
                }
                What::Gap(gap) => self.with(*slot, |stream, engine, _| stream.gap(engine, *gap)),
                What::HalfClose(direction, time) => {
                    self.with(*slot, |stream, engine, _| stream.half_close(engine, *direction, Some(*time)));
                }
                What::Close(time) => self.close(*slot, *time),
            }
            let end = self.engine.json.len();
            if end > before {
                marks.push(Mark { number: *number, end });
            }
        }
    }
}

impl Sink for Session {
    fn event(&mut self, event: Event<'_>) {
        if self.engine.done() {
            return;
        }
        match event {
            Event::Data { flow, direction, timestamp_ns, offset, bytes } => {
                let chunk = Chunk { direction: direction_of(direction), time: Some(timestamp_ns), offset, bytes };
                self.with(flow.slot, |stream, engine, fed| stream.data(engine, fed, chunk));
            }
            Event::Opened { flow, .. } => self.open(flow),
            Event::Gap { flow, direction, timestamp_ns, offset, missing } => {
                let gap = Gap { direction: direction_of(direction), time: Some(timestamp_ns), offset, missing };
                self.with(flow.slot, |stream, engine, _| stream.gap(engine, gap));
            }
            Event::HalfClosed { flow, direction, timestamp_ns } => {
                let direction = direction_of(direction);
                self.with(flow.slot, |stream, engine, _| stream.half_close(engine, direction, Some(timestamp_ns)));
            }
            Event::Closed { flow, timestamp_ns, .. } => self.close(flow.slot, timestamp_ns),
            _ => {}
        }
    }
}

/// Where the rows of an event end in its session's output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub(crate) number: u32,
    pub(crate) end: usize,
}

/// Events for one session, to be done later.
#[derive(Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    events: Vec<Recorded>,
}

impl Batch {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.events.clear();
    }
}

struct Recorded {
    number: u32,
    slot: u32,
    what: What,
}

enum What {
    Open(Box<Flow>),
    Data { direction: Direction, time: u64, offset: u64, range: Range<usize> },
    Gap(Gap),
    HalfClose(Direction, u64),
    Close(u64),
}

/// Writes events down, each for the session that its flow belongs to.
pub(crate) struct Recorder<'b> {
    pub(crate) batches: &'b mut [Batch],
    number: u32,
}

impl<'b> Recorder<'b> {
    pub(crate) fn new(batches: &'b mut [Batch]) -> Self {
        Self { batches, number: 0 }
    }
}

impl Sink for Recorder<'_> {
    fn event(&mut self, event: Event<'_>) {
        let (flow, what) = match event {
            Event::Data { flow, direction, timestamp_ns, offset, bytes } => {
                let Some(batch) = self.batches.get_mut(share(flow.slot, self.batches.len())) else { return };
                let from = batch.bytes.len();
                batch.bytes.extend_from_slice(bytes);
                let range = from..batch.bytes.len();
                (flow, What::Data { direction: direction_of(direction), time: timestamp_ns, offset, range })
            }
            Event::Opened { flow, .. } => (flow, What::Open(Box::new(flow.clone()))),
            Event::Gap { flow, direction, timestamp_ns, offset, missing } => {
                let direction = direction_of(direction);
                (flow, What::Gap(Gap { direction, time: Some(timestamp_ns), offset, missing }))
            }
            Event::HalfClosed { flow, direction, timestamp_ns } => {
                (flow, What::HalfClose(direction_of(direction), timestamp_ns))
            }
            Event::Closed { flow, timestamp_ns, .. } => (flow, What::Close(timestamp_ns)),
            _ => return,
        };
        let share = share(flow.slot, self.batches.len());
        if let Some(batch) = self.batches.get_mut(share) {
            batch.events.push(Recorded { number: self.number, slot: flow.slot, what });
            // A batch is made of one push, which is far from four thousand million events.
            self.number = self.number.saturating_add(1);
        }
    }
}

/// Which of `shares` sessions a flow belongs to. A slot's flows come one after another, so they share a session.
pub(crate) fn share(slot: u32, shares: usize) -> usize {
    slot as usize % shares.max(1)
}
