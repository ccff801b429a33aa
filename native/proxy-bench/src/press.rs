//! Requests that go on through faults: at a given rate, over connections that are opened anew when they end, until enough
//! were asked and nobody wants more. Every one of them is accounted for.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use metaprotocol_core::Kind;
use mio::{Events, Interest, Poll, Token};
use serde_json::json;

use crate::client::{Came, Client};
use crate::protocol::Protocol;

/// How often there is something to ask, where there is a rate.
const TICK: Duration = Duration::from_millis(1);
/// What could not be asked in time is made up for, as much as is due in so many seconds.
const DEBT: f64 = 0.1;
/// A connection that could not be opened is tried again after so long.
const AGAIN: Duration = Duration::from_millis(20);
/// What the proxy itself answers has this in its text; a server's errors have not.
const LOCAL: &[u8] = b"meta protocol";
/// Different reasons that are told apart.
const REASONS: usize = 32;

/// What to do.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// What to speak.
    pub protocol: Protocol,
    /// Where to.
    pub target: SocketAddr,
    /// How many connections.
    pub connections: usize,
    /// How many requests each keeps in flight at most, up to 65,536.
    pub in_flight: usize,
    /// Bytes of a payload.
    pub payload_len: usize,
    /// Requests a second, of all connections together; none for as many as are answered.
    pub rate: Option<f64>,
    /// How many requests at least.
    pub requests: u64,
    /// Each connection is closed after so many answers, and another one opened.
    pub turnover: Option<u64>,
    /// How long answers may still come once nothing more is asked; what is missing then is lost.
    pub patience: Duration,
}

/// What became of the requests. `asked` is the sum of `right`, `refused`, `wrong`, `cut` and `lost`, once all is over.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// All of them.
    pub asked: u64,
    /// Answered as they should be.
    pub right: u64,
    /// Answered by the proxy with an error.
    pub refused: u64,
    /// Why, and how many for each reason.
    pub reasons: BTreeMap<String, u64>,
    /// Answered in any other way.
    pub wrong: u64,
    /// Under way when their connection was closed.
    pub cut: u64,
    /// Neither answered nor cut.
    pub lost: u64,
    /// Answers that nobody had asked for.
    pub unasked: u64,
    /// Connections that were opened, that the other side closed, and that it did not let in.
    pub opened: u64,
    /// As said.
    pub closed: u64,
    /// As said.
    pub unopened: u64,
    /// The longest that an answer took.
    pub longest: Duration,
    /// All the time.
    pub time: Duration,
    /// The first thing that went wrong; and the first answer that was wrong, or that nobody had asked for.
    pub first_error: Option<String>,
    /// As said.
    pub first_wrong: Option<String>,
}

impl Account {
    /// One JSON object; times in seconds.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let seconds = self.time.as_secs_f64();
        json!({
            "asked": self.asked,
            "right": self.right,
            "refused": self.refused,
            "reasons": self.reasons,
            "wrong": self.wrong,
            "cut": self.cut,
            "lost": self.lost,
            "unasked": self.unasked,
            "opened": self.opened,
            "closed": self.closed,
            "unopened": self.unopened,
            "longest_s": self.longest.as_secs_f64(),
            "seconds": seconds,
            "per_s": if seconds > 0.0 { self.asked as f64 / seconds } else { 0.0 },
            "first_error": self.first_error,
            "first_wrong": self.first_wrong,
        })
    }

    fn came(&mut self, came: Came<'_>) {
        match came {
            Came::Right(time) => {
                self.right += 1;
                self.longest = self.longest.max(time);
            }
            Came::Wrong { reason, asked, frame } => {
                let said = (frame.head.kind == Kind::Error).then(|| local(frame.bytes)).flatten();
                if let Some(said) = said {
                    self.refused += 1;
                    let known = self.reasons.len() < REASONS || self.reasons.contains_key(&said);
                    *self.reasons.entry(if known { said } else { "others".into() }).or_default() += 1;
                } else {
                    self.wrong += 1;
                    let bytes = &frame.bytes[..frame.bytes.len().min(64)];
                    self.first_wrong.get_or_insert_with(|| {
                        format!("{reason}: {asked:?} {:?} {:?}", frame.head, String::from_utf8_lossy(bytes))
                    });
                }
            }
            Came::Unasked(head) => {
                self.unasked += 1;
                self.first_wrong.get_or_insert_with(|| format!("an answer that nobody waits for: {head:?}"));
            }
        }
    }
}

/// What the proxy says in an answer of its own.
fn local(bytes: &[u8]) -> Option<String> {
    let at = bytes.windows(LOCAL.len()).position(|part| part == LOCAL)?;
    let text = bytes[at..].iter().take_while(|byte| byte.is_ascii_graphic() || **byte == b' ');
    Some(text.map(|&byte| char::from(byte)).collect())
}

struct Place {
    /// None while it cannot be opened.
    client: Option<Client>,
    /// Requests that it may still ask before it is replaced.
    left: u64,
    again: Instant,
}

/// Runs until `requests` were asked and `enough` is set. `progress` is called now and then.
///
/// # Errors
/// Those of the event queue.
pub fn run(plan: &Plan, enough: &AtomicBool, mut progress: impl FnMut(&Account)) -> io::Result<Account> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let mut account = Account::default();
    let begin = Instant::now();
    let mut places: Vec<Place> = (0..plan.connections).map(|_| Place { client: None, left: 0, again: begin }).collect();
    let mut frames = Vec::new();
    let (mut over, mut told, mut first) = (None, begin, 0);
    let (mut last, mut due) = (begin, 0.0);
    loop {
        let now = Instant::now();
        if over.is_none() && account.asked >= plan.requests && enough.load(Ordering::Relaxed) {
            over = Some(now);
        }
        let mut quota = match (over, plan.rate) {
            (Some(_), _) => 0,
            (None, None) => u64::MAX,
            (None, Some(rate)) => {
                due = (due + (now - last).as_secs_f64() * rate).min(rate * DEBT + 1.0);
                due as u64
            }
        };
        last = now;
        let may = quota;
        // Each round begins with another one, so that all get their share.
        for step in 0..places.len() {
            let at = (first + step) % places.len();
            let place = &mut places[at];
            if place.client.is_none() && over.is_none() && now >= place.again {
                place.open(plan, at, &poll, &mut account);
            }
            place.ask(&mut quota, &mut account);
        }
        first += 1;
        due -= (may - quota) as f64;
        poll.poll(&mut events, Some(TICK)).or_else(|error| match error.kind() {
            io::ErrorKind::Interrupted => Ok(()),
            _ => Err(error),
        })?;
        for event in &events {
            let Some(place) = places.get_mut(event.token().0) else { continue };
            let Some(client) = &mut place.client else { continue };
            let done = client.turn(event.is_read_closed(), &mut 0, &mut frames, |came| account.came(came));
            if let Err(reason) = done {
                place.end(&mut account, &reason);
            } else if place.left == 0 && client.in_flight() == 0 {
                place.client = None;
            }
        }
        account.time = begin.elapsed();
        if now - told >= Duration::from_millis(100) {
            told = now;
            progress(&account);
        }
        let waiting = |place: &Place| place.client.as_ref().map_or(0, Client::in_flight);
        if let Some(since) = over {
            let left: usize = places.iter().map(waiting).sum();
            if left == 0 || since.elapsed() >= plan.patience {
                account.lost = left as u64;
                if left > 0 {
                    account.first_error.get_or_insert_with(|| format!("{left} answers never came"));
                }
                return Ok(account);
            }
        }
    }
}

impl Place {
    fn open(&mut self, plan: &Plan, at: usize, poll: &Poll, account: &mut Account) {
        let opened = Client::open(plan.protocol, plan.target, account.opened, plan.in_flight, plan.payload_len);
        let opened = opened.and_then(|mut client| {
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut client.socket, Token(at), interest)?;
            Ok(client)
        });
        match opened {
            Ok(client) => {
                account.opened += 1;
                self.client = Some(client);
                self.left = plan.turnover.unwrap_or(u64::MAX);
            }
            Err(error) => {
                account.unopened += 1;
                self.again = Instant::now() + AGAIN;
                account.first_error.get_or_insert_with(|| format!("connecting: {error}"));
            }
        }
    }

    fn ask(&mut self, quota: &mut u64, account: &mut Account) {
        let Some(client) = &mut self.client else { return };
        let share = self.left.min(*quota);
        let mut left = share;
        client.ask(&mut left);
        let asked = share - left;
        if asked == 0 {
            return;
        }
        account.asked += asked;
        self.left -= asked;
        *quota -= asked;
        if let Err(reason) = client.flush() {
            self.end(account, &reason);
        }
    }

    fn end(&mut self, account: &mut Account, reason: &str) {
        let Some(client) = self.client.take() else { return };
        let cut = client.in_flight() as u64;
        account.closed += 1;
        account.cut += cut;
        account.first_error.get_or_insert_with(|| format!("{reason}, with {cut} requests in flight"));
    }
}
