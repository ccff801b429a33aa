//! Capture files in pieces.

use std::collections::HashMap;

use metaprotocol_capture::{Capture, CloseReason, Direction, Event, Flow, FormatError, Limits, Stats, Tail};

use crate::layout::CAPTURE_CUTS;
use crate::script::{Cuts, Script};

/// Bytes held for each byte of input; a segment of 54 bytes may open a flow of two directions.
const MEMORY_PER_BYTE: u64 = 64;
const MEMORY: u64 = 1 << 20;

/// An event without its borrows.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Opened(Flow, u64),
    Data { id: u64, direction: Direction, timestamp_ns: u64, offset: u64, bytes: Vec<u8> },
    Gap { id: u64, direction: Direction, timestamp_ns: u64, offset: u64, missing: u64 },
    HalfClosed { id: u64, direction: Direction, timestamp_ns: u64 },
    Closed { id: u64, timestamp_ns: u64, reason: CloseReason },
}

impl Seen {
    fn of(event: &Event<'_>) -> Self {
        match *event {
            Event::Opened { flow, timestamp_ns } => Self::Opened(flow.clone(), timestamp_ns),
            Event::Data { flow, direction, timestamp_ns, offset, bytes } => {
                assert!(!bytes.is_empty());
                Self::Data { id: flow.id.get(), direction, timestamp_ns, offset, bytes: bytes.to_vec() }
            }
            Event::Gap { flow, direction, timestamp_ns, offset, missing } => {
                assert!(missing > 0);
                Self::Gap { id: flow.id.get(), direction, timestamp_ns, offset, missing }
            }
            Event::HalfClosed { flow, direction, timestamp_ns } => {
                Self::HalfClosed { id: flow.id.get(), direction, timestamp_ns }
            }
            Event::Closed { flow, timestamp_ns, reason } => Self::Closed { id: flow.id.get(), timestamp_ns, reason },
            _ => panic!("an event that this target does not know: {event:?}"),
        }
    }
}

/// All that a capture gives.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    events: Vec<Seen>,
    pushed: Result<(), FormatError>,
    finished: Result<Option<Tail>, FormatError>,
    stats: Stats,
    offset: u64,
}

fn run<'f>(limits: &Limits, pieces: impl Iterator<Item = &'f [u8]>) -> Outcome {
    let mut capture = Capture::new(limits);
    let mut events = Vec::new();
    let mut pushed = Ok(());
    for piece in pieces {
        pushed = capture.push(piece, &mut |event: Event<'_>| events.push(Seen::of(&event)));
        assert!(capture.stats().stored_bytes <= capture.stats().stored_bytes_peak);
        if let Err(error) = pushed {
            let mut silent = |event: Event<'_>| panic!("{event:?} behind {error}");
            assert_eq!(capture.push(b"\0\0\0\0", &mut silent), Err(error));
            break;
        }
    }
    let finished = capture.finish(&mut |event: Event<'_>| events.push(Seen::of(&event)));
    Outcome { events, pushed, finished, stats: *capture.stats(), offset: capture.offset() }
}

/// Runs an input.
pub fn check(input: &[u8]) {
    let mut script = Script::new(input);
    let mut limits = Limits::default();
    let number = script.byte();
    if number & 1 != 0 {
        limits.flows = 2;
        limits.stream_bytes = 600;
        limits.total_bytes = 1000;
        limits.datagrams = 2;
    }
    if number & 2 != 0 {
        limits.record_bytes = 200;
    }
    let lengths: [u8; CAPTURE_CUTS] = script.bytes();
    let file = script.rest();

    let mut whole = None;
    let info = allocation_counter::measure(|| whole = Some(run(&limits, std::iter::once(file))));
    let whole = whole.expect("it ran");
    let bound = MEMORY + MEMORY_PER_BYTE * file.len() as u64;
    assert!(info.bytes_max <= bound, "{} bytes held for {}", info.bytes_max, file.len());

    let mut cuts = Cuts::new(&lengths);
    let mut rest = file;
    let pieces = std::iter::from_fn(|| if rest.is_empty() { None } else { Some(cuts.next(&mut rest)) });
    assert_eq!(run(&limits, pieces), whole, "events depend on the cuts");

    if let Err(error) = whole.pushed {
        assert_eq!(whole.finished, Err(error));
    }
    assert!(whole.offset <= file.len() as u64);
    if let Ok(Some(tail)) = whole.finished {
        assert!(tail.have < tail.need);
        assert_eq!(tail.offset + tail.have, file.len() as u64, "what is not read is not the tail");
    }
    check_events(&whole, &limits);
}

/// Flows open once, then their directions tile, then they close.
fn check_events(outcome: &Outcome, limits: &Limits) {
    struct Open {
        slot: u32,
        next: [u64; 2],
        ended: [bool; 2],
    }
    let mut open: HashMap<u64, Open> = HashMap::new();
    let mut slots: HashMap<u32, u64> = HashMap::new();
    let (mut flows, mut data, mut gaps, mut missing_bytes) = (0, 0, 0, 0);
    for event in &outcome.events {
        match event {
            Seen::Opened(flow, _) => {
                assert_eq!(flow.id.get(), flows, "flows count up");
                flows += 1;
                assert!((flow.slot as usize) < limits.flows);
                assert_eq!(slots.insert(flow.slot, flow.id.get()), None, "a slot that is taken");
                open.insert(flow.id.get(), Open { slot: flow.slot, next: [0; 2], ended: [false; 2] });
            }
            Seen::Data { id, direction, offset, bytes, .. } => {
                let flow = open.get_mut(id).expect("data of an open flow");
                assert!(!flow.ended[*direction as usize], "data behind the end");
                assert_eq!(*offset, flow.next[*direction as usize], "the stream does not tile");
                flow.next[*direction as usize] += bytes.len() as u64;
                data += bytes.len() as u64;
            }
            Seen::Gap { id, direction, offset, missing, .. } => {
                let flow = open.get_mut(id).expect("a gap of an open flow");
                assert!(!flow.ended[*direction as usize], "a gap behind the end");
                assert_eq!(*offset, flow.next[*direction as usize], "the stream does not tile");
                flow.next[*direction as usize] += missing;
                gaps += 1;
                missing_bytes += missing;
            }
            Seen::HalfClosed { id, direction, .. } => {
                let flow = open.get_mut(id).expect("the end of an open flow");
                assert!(!std::mem::replace(&mut flow.ended[*direction as usize], true), "ended twice");
            }
            Seen::Closed { id, .. } => {
                let flow = open.remove(id).expect("a flow that is open");
                slots.remove(&flow.slot);
            }
        }
    }
    assert!(open.is_empty(), "flows that never closed");
    let stats = &outcome.stats;
    assert_eq!((stats.flows, stats.open_flows, stats.stored_bytes), (flows, 0, 0));
    assert_eq!((stats.stream_bytes, stats.gaps, stats.gap_bytes), (data, gaps, missing_bytes));
    assert!(stats.stored_bytes_peak <= limits.total_bytes as u64 + limits.record_bytes as u64);
}
