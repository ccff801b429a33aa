//! The load: a closed loop. Each connection keeps the same number of requests in flight; every answer is verified.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::{Events, Interest, Poll, Token};
use serde_json::json;

use crate::client::{Came, Client};
use crate::cpu;
use crate::protocol::Protocol;

/// How often the clock is looked at when nothing comes.
const TICK: Duration = Duration::from_millis(20);
/// How long answers may still come once nothing more is asked; what is missing then is lost.
const PATIENCE: Duration = Duration::from_secs(3);
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
        let mut client = Client::open(plan.protocol, plan.target, number as u64, plan.in_flight, plan.payload_len)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut client.socket, Token(number), interest)?;
        clients.push(Some(client));
    }
    let cpu = || plan.watch.map(cpu::seconds).transpose();
    let begin = Instant::now();
    for place in &mut clients {
        let Some(client) = place else { continue };
        client.ask(&mut { u64::MAX });
        if let Err(reason) = client.flush() {
            give_up(client, &mut report, &reason);
            *place = None;
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
            let Some(place) = clients.get_mut(event.token().0) else { continue };
            let Some(client) = place else { continue };
            let (counts, mut quota) = (over.is_none(), if over.is_none() { u64::MAX } else { 0 });
            let done = client.turn(event.is_read_closed(), &mut quota, &mut frames, |came| match came {
                Came::Right(time) if counts => {
                    report.requests += 1;
                    report.latency.saturating_record(time.as_nanos() as u64);
                }
                // Once nothing more is asked, a right one does not count.
                Came::Right(_) => {}
                Came::Wrong { reason, asked, frame } => {
                    report.wrong(1, || format!("{reason}: {asked:?} {:?}", frame.head));
                }
                Came::Unasked(head) => report.wrong(1, || format!("an answer that nobody waits for: {head:?}")),
            });
            if let Err(reason) = done {
                give_up(client, &mut report, &reason);
                *place = None;
            }
        }
        match over {
            Some(_) if waiting(&clients).next().is_none() => break,
            Some(since) if now >= since + PATIENCE => {
                for client in waiting(&clients) {
                    give_up(client, &mut report, "no answer came");
                }
                break;
            }
            None if clients.iter().all(Option::is_none) => {
                report.time = counting.map_or(Duration::ZERO, |(since, _)| now - since);
                break;
            }
            _ => {}
        }
    }
    Ok(report)
}

fn waiting(clients: &[Option<Client>]) -> impl Iterator<Item = &Client> {
    clients.iter().flatten().filter(|client| client.in_flight() > 0)
}

/// Counts what was still to come on a connection that is over, at least one.
fn give_up(client: &Client, report: &mut Report, reason: &str) {
    let lost = client.in_flight().max(1) as u64;
    report.wrong(lost, || format!("{reason}, with {lost} requests in flight"));
}
