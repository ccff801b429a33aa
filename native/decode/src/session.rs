//! All connections of an input: takes the events of a capture to the streams they belong to.

use metaprotocol_capture::{Direction as CaptureDirection, Event, Flow, Sink};
use metaprotocol_core::{Direction, Fed};

use crate::engine::Engine;
use crate::stream::{Chunk, Gap, Stream};

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

    fn with(&mut self, flow: &Flow, act: impl FnOnce(&mut Stream, &mut Engine, &mut Fed)) {
        if let Some(Some(stream)) = self.streams.get_mut(flow.slot as usize) {
            act(stream, &mut self.engine, &mut self.fed);
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
        if let Some(Some(stream)) = self.streams.first_mut() {
            stream.data(&mut self.engine, &mut self.fed, Chunk { direction, time: None, offset, bytes });
        }
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
}

impl Sink for Session {
    fn event(&mut self, event: Event<'_>) {
        if self.engine.done() {
            return;
        }
        match event {
            Event::Data { flow, direction, timestamp_ns, offset, bytes } => {
                let chunk = Chunk { direction: direction_of(direction), time: Some(timestamp_ns), offset, bytes };
                self.with(flow, |stream, engine, fed| stream.data(engine, fed, chunk));
            }
            Event::Opened { flow, .. } => {
                self.engine.totals.streams += 1;
                let slot = flow.slot as usize;
                if self.streams.len() <= slot {
                    self.streams.resize_with(slot + 1, || None);
                }
                let stream =
                    Stream::new(flow.id.get(), flow.client.to_string(), flow.server.to_string(), flow.midstream);
                if let Some(place) = self.streams.get_mut(slot) {
                    *place = Some(Box::new(stream));
                }
            }
            Event::Gap { flow, direction, timestamp_ns, offset, missing } => {
                let gap = Gap { direction: direction_of(direction), time: Some(timestamp_ns), offset, missing };
                self.with(flow, |stream, engine, _| stream.gap(engine, gap));
            }
            Event::HalfClosed { flow, direction, timestamp_ns } => {
                let direction = direction_of(direction);
                self.with(flow, |stream, engine, _| stream.half_close(engine, direction, Some(timestamp_ns)));
            }
            Event::Closed { flow, timestamp_ns, .. } => {
                self.with(flow, |stream, engine, _| stream.close(engine, Some(timestamp_ns)));
                if let Some(place) = self.streams.get_mut(flow.slot as usize) {
                    *place = None;
                }
            }
            _ => {}
        }
    }
}
