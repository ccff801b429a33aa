//! The load: a closed loop. Each connection keeps the same number of requests in flight; every answer is verified, and
//! makes room for the next request. All that one read brings is answered with one write.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use metaprotocol_core::{Connection, Direction, Frame, Limits, PairBy, Placed, RequestId};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use serde_json::json;

use crate::cpu;
use crate::protocol::{Asked, Protocol};
use crate::wire::{Filled, Inbox, Outbox};

/// How often the clock is looked at when nothing comes.
const TICK: Duration = Duration::from_millis(20);
/// How long answers may still come once nothing more is asked; what is missing then is lost.
const PATIENCE: Duration = Duration::from_secs(3);
/// The lower bits of an id are the slot of its request, those above count the slot's rounds. Ids stay below 2^31.
const SLOT_BITS: u32 = 16;
/// The upper bits of a stamp are its connection's number, plus one.
const CONNECTION_AT: u32 = 40;
const LONGEST: u64 = 60_000_000_000;

/// What to do.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// What to speak.
    pub protocol: Protocol,
    /// Where to.
    pub target: SocketAddr,
    /// How many connections.
    pub connections: usize,
    /// How many requests each keeps in flight, up to 65,536.
    pub in_flight: usize,
    /// Bytes of a payload.
    pub payload_len: usize,
    /// How long to go on before anything is counted.
    pub warm_up: Duration,
    /// How long to count.
    pub duration: Duration,
    /// The process whose CPU time is read when counting begins and ends.
    pub watch: Option<u32>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Report {
    /// Right answers in the time that counts.
    pub requests: u64,
    /// That time.
    pub time: Duration,
    /// Nanoseconds from the write of a request to the read of its answer.
    pub latency: Histogram<u64>,
    /// Seconds of CPU that the watched process spent in that time.
    pub cpu: Option<f64>,
    /// Wrong and lost answers in all the time, warm-up included.
    pub errors: u64,
    /// The first of them.
    pub first_error: Option<String>,
}

impl Report {
    /// One JSON object; latencies in microseconds.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let micros = |quantile| self.latency.value_at_quantile(quantile) as f64 / 1000.0;
        let seconds = self.time.as_secs_f64();
        let rate = if seconds > 0.0 { self.requests as f64 / seconds } else { 0.0 };
        json!({
            "requests": self.requests,
            "seconds": seconds,
            "requests_per_s": rate,
            "cpu_s": self.cpu,
            "p50_us": micros(0.5),
            "p90_us": micros(0.9),
            "p99_us": micros(0.99),
            "p99.9_us": micros(0.999),
            "errors": self.errors,
            "first_error": self.first_error,
        })
    }

    fn wrong(&mut self, count: u64, what: impl FnOnce() -> String) {
        self.errors += count;
        self.first_error.get_or_insert_with(what);
    }
}

#[derive(Clone, Copy)]
struct Slot {
    asked: Asked,
    sent: Instant,
    waiting: bool,
}

struct Client {
    protocol: Protocol,
    socket: TcpStream,
    decoder: Box<dyn Connection>,
    inbox: Inbox,
    outbox: Outbox,
    slots: Vec<Slot>,
    free: Vec<usize>,
    /// The slots in the order they were asked, where that is the order of the answers.
    order: Option<VecDeque<usize>>,
    next_stamp: u64,
    open: bool,
}

/// Runs the load.
///
/// # Errors
/// If the connections cannot be opened, or the watched process cannot be read. What goes wrong later is counted.
pub fn run(plan: &Plan) -> io::Result<Report> {
    let mut report = Report {
        requests: 0,
        time: Duration::ZERO,
        latency: Histogram::new_with_bounds(1, LONGEST, 3).map_err(io::Error::other)?,
        cpu: None,
        errors: 0,
        first_error: None,
    };
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let mut clients = Vec::with_capacity(plan.connections);
    for number in 0..plan.connections {
        let mut client = Client::open(plan, number)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut client.socket, Token(number), interest)?;
        clients.push(client);
    }
    let cpu = || plan.watch.map(cpu::seconds).transpose();
    let begin = Instant::now();
    for client in &mut clients {
        client.ask();
        if let Err(error) = client.outbox.flush(&mut client.socket) {
            client.give_up(&mut report, &error.to_string());
        }
    }
    // When counting began, and the CPU time at that moment; when it ended.
    let (mut counting, mut over): (Option<(Instant, Option<f64>)>, Option<Instant>) = (None, None);
    let mut frames = Vec::new();
    loop {
        poll.poll(&mut events, Some(TICK)).or_else(|error| match error.kind() {
            io::ErrorKind::Interrupted => Ok(()),
            _ => Err(error),
        })?;
        let now = Instant::now();
        match counting {
            None if now >= begin + plan.warm_up => {
                report.requests = 0;
                report.latency.reset();
                counting = Some((now, cpu()?));
            }
            Some((since, before)) if over.is_none() && now >= since + plan.duration => {
                report.time = now - since;
                report.cpu = cpu()?.zip(before).map(|(after, before)| after - before);
                over = Some(now);
            }
            _ => {}
        }
        for event in &events {
            if let Some(client) = clients.get_mut(event.token().0).filter(|client| client.open) {
                let done = client.turn(event.is_read_closed(), over.is_none(), &mut frames, &mut report);
                if let Err(reason) = done {
                    client.give_up(&mut report, &reason);
                }
            }
        }
        match over {
            Some(_) if !clients.iter().any(Client::waits) => break,
            Some(since) if now >= since + PATIENCE => {
                for client in clients.iter_mut().filter(|client| client.waits()) {
                    client.give_up(&mut report, "no answer came");
                }
                break;
            }
            None if clients.iter().all(|client| !client.open) => {
                report.time = counting.map_or(Duration::ZERO, |(since, _)| now - since);
                break;
            }
            _ => {}
        }
    }
    Ok(report)
}

impl Client {
    fn open(plan: &Plan, number: usize) -> io::Result<Self> {
        let socket = std::net::TcpStream::connect(plan.target)?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        let codec = plan.protocol.codec();
        let ordered = codec.info().pair_by == PairBy::Order;
        let asked = Asked { id: 0, stamp: 0, payload_len: plan.payload_len };
        Ok(Self {
            protocol: plan.protocol,
            socket: TcpStream::from_std(socket),
            decoder: Arc::clone(&codec).connect(Limits::default()),
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            slots: vec![Slot { asked, sent: Instant::now(), waiting: false }; plan.in_flight],
            free: (0..plan.in_flight).collect(),
            order: ordered.then(VecDeque::new),
            next_stamp: (number as u64 + 1) << CONNECTION_AT,
            open: true,
        })
    }

    fn waits(&self) -> bool {
        self.open && self.free.len() < self.slots.len()
    }

    /// A request for every free slot.
    fn ask(&mut self) {
        let sent = Instant::now();
        while let Some(at) = self.free.pop() {
            let Some(slot) = self.slots.get_mut(at) else { continue };
            let round = (slot.asked.id >> SLOT_BITS).wrapping_add(1) & (i32::MAX as u32 >> SLOT_BITS);
            slot.asked.id = round << SLOT_BITS | at as u32;
            slot.asked.stamp = self.next_stamp;
            self.next_stamp += 1;
            (slot.sent, slot.waiting) = (sent, true);
            self.protocol.ask(slot.asked, self.outbox.end());
            if let Some(order) = &mut self.order {
                order.push_back(at);
            }
        }
    }

    /// Does all there is to do now.
    fn turn(
        &mut self,
        closing: bool,
        asking: bool,
        frames: &mut Vec<Placed>,
        report: &mut Report,
    ) -> Result<(), String> {
        loop {
            self.outbox.flush(&mut self.socket).map_err(|error| error.to_string())?;
            let filled = match self.inbox.fill(&mut self.socket).map_err(|error| error.to_string())? {
                Filled::Closed => return Err("the connection was closed".into()),
                Filled::Blocked => return Ok(()),
                filled => filled,
            };
            let come = Instant::now();
            frames.clear();
            let advanced = self.decoder.advance(Direction::ServerToClient, self.inbox.bytes(), frames);
            for placed in &*frames {
                self.take(placed, come, asking, report);
            }
            self.inbox.consume(advanced.map_err(|failure| failure.error.to_string())?);
            if asking {
                self.ask();
            }
            if filled == Filled::Drained && !closing {
                self.outbox.flush(&mut self.socket).map_err(|error| error.to_string())?;
                return Ok(());
            }
        }
    }

    /// An answer; once nothing more is asked, a right one does not count.
    fn take(&mut self, placed: &Placed, come: Instant, counts: bool, report: &mut Report) {
        let at = match (&mut self.order, placed.head.request_id) {
            (Some(order), _) => order.pop_front(),
            (None, RequestId::Int(id)) => usize::try_from(id & ((1 << SLOT_BITS) - 1)).ok(),
            (None, _) => None,
        };
        let slot = at.and_then(|at| self.slots.get_mut(at)).filter(|slot| slot.waiting);
        let frame = self.inbox.bytes().get(placed.at..).and_then(|bytes| Frame::new(placed.head, bytes));
        let (Some(at), Some(slot), Some(frame)) = (at, slot, frame) else {
            return report.wrong(1, || format!("an answer that nobody waits for: {:?}", placed.head));
        };
        if let Err(reason) = self.protocol.verify(frame, slot.asked) {
            report.wrong(1, || format!("{reason}: {:?} {:?}", slot.asked, placed.head));
            // An answer to an older request of this slot: its own may still come.
            if self.order.is_none() && placed.head.request_id != RequestId::Int(slot.asked.id.into()) {
                return;
            }
        } else if counts {
            report.requests += 1;
            report.latency.saturating_record((come - slot.sent).as_nanos() as u64);
        }
        slot.waiting = false;
        self.free.push(at);
    }

    /// Counts what was still to come, at least one, and never touches the connection again.
    fn give_up(&mut self, report: &mut Report, reason: &str) {
        self.open = false;
        let lost = (self.slots.len() - self.free.len()).max(1) as u64;
        report.wrong(lost, || format!("{reason}, with {lost} requests in flight"));
    }
}
