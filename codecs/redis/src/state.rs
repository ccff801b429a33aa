//! What one connection remembers: which answers are on their way, and what else a server may say in between.
//!
//! Redis has no ids. A server answers in order, but not every command with one answer, and it says things unasked. What a
//! frame of the server is depends on
//!
//! * the commands that wait, in order, and what each is answered by ([`Expected`]);
//! * the protocol version, since only RESP3 marks what was not asked for (`>`);
//! * in RESP2, whether the client is subscribed to anything: then no command is answered by an array that names a message;
//! * whether MONITOR shows the commands of others, and whether the client has become a replica.
//!
//! Commands that are answered once, which are nearly all, are counted and not listed: the memory is bounded by
//! `limits.max_in_flight` others. Beyond that many, one is counted too, as if it were answered once.

use std::collections::VecDeque;

use metaprotocol_core::{DecodeError, Kind, Limits};

use crate::command::{Argument, Arguments, Command, Progress};
use crate::snapshot::Snapshot;
use crate::walk::Walk;
use crate::wire::{
    ARRAY, ATTRIBUTE, BULK, BULK_ERROR, CRLF, ERROR, Form, INTEGER, Length, PUSH, SIMPLE, integer_value, length,
    text_line,
};

/// Kinds of subscriptions, each counted by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Channels = 0,
    Patterns = 1,
    Shards = 2,
}

/// How what waits is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// So many commands that are answered once each.
    Once(u64),
    /// A confirmation for each channel; how many are to come, 0 while that is not known (all that there are).
    Confirmations {
        of: Confirmation,
        left: u64,
    },
    /// An answer after which the connection speaks this protocol version.
    Hello {
        resp3: bool,
    },
    Monitor,
    Reset,
    /// SYNC is answered by a snapshot, PSYNC by a line before it.
    Sync {
        psync: bool,
    },
    /// The answers of a transaction.
    Exec(Transaction),
    /// What the subscriptions of a transaction say behind its answer.
    More(u64),
}

/// What the commands of a transaction do once it is executed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Transaction {
    /// Confirmations beyond one for each command.
    more: u64,
    subscribes: bool,
    /// The protocol version that it changes to.
    resp3: Option<bool>,
}

/// Whether commands are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Replies {
    #[default]
    On,
    Off,
    /// Not the next one.
    Skip,
}

/// What one connection remembers.
#[derive(Debug, Default)]
pub struct State {
    /// How far the command of each direction has come, and the value of the server's.
    pub(crate) progress: [Progress; 2],
    pub(crate) walk: Walk,
    pub(crate) snapshot: Snapshot,
    waiting: VecDeque<Expected>,
    replies: Replies,
    transaction: Option<Transaction>,
    /// The databases that the client and, as a master, the server have selected.
    database: Option<u16>,
    master_database: Option<u16>,
    resp3: bool,
    /// Subscriptions of each [`Family`], as the server counts them.
    subscriptions: [u64; 3],
    /// A transaction has subscribed to something: to what, the server's next count tells.
    subscribes: bool,
    monitors: bool,
    /// The client has a user, a database or settings of its own.
    settings: bool,
    /// It is told whether some keys have changed before its transaction.
    watches: bool,
    /// Some of the last three: the server may say what was not asked for and looks like an answer.
    heeds: bool,
}

impl State {
    /// Takes note of a client's command; tells what kind it is, and which database is selected behind it.
    #[inline(always)]
    pub(crate) fn asked(&mut self, command: &Command, buf: &[u8], form: Form, limits: &Limits) -> (Kind, Option<u16>) {
        let name = buf.get(command.name.clone()).unwrap_or_default();
        let kind = if self.replies == Replies::On && !is_special(name) {
            self.wait_once();
            Kind::Request
        } else {
            let frame = buf.get(..command.frame_len).unwrap_or(buf);
            let arguments = match form {
                Form::Inline => Some(Arguments::of_line(frame)),
                _ => Arguments::of_array(frame).ok(),
            };
            self.asked_special(name, command.count, arguments, limits)
        };
        (kind, self.database)
    }

    /// Takes note of a command that does not bind: it is answered once.
    #[inline(always)]
    pub(crate) fn wait_once(&mut self) {
        match self.waiting.back_mut() {
            Some(Expected::Once(count)) => *count += 1,
            _ => self.waiting.push_back(Expected::Once(1)),
        }
    }

    fn wait(&mut self, expected: Expected, limits: &Limits) -> Kind {
        if self.waiting.len() >= limits.max_in_flight as usize || matches!(expected, Expected::Once(_)) {
            self.wait_once();
        } else {
            self.waiting.push_back(expected);
        }
        Kind::Request
    }

    /// As a server does it: `processCommand`, `clientReplyCommand`, `resetCommand` of Redis 7.0.
    #[inline(never)]
    fn asked_special(&mut self, name: &[u8], count: usize, arguments: Option<Arguments<'_>>, limits: &Limits) -> Kind {
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted.as_bytes());
        // What is looked for is short. A long last argument may still be on its way, and is none of it.
        let argument = |at: usize| arguments.clone().and_then(|mut all| all.nth(at)).and_then(Result::ok);
        let says = |at: usize, wanted: &str| {
            argument(at).is_some_and(|word| word.value.eq_ignore_ascii_case(wanted.as_bytes()))
        };
        let before = self.replies;
        if before == Replies::Skip {
            self.replies = Replies::On;
        }
        self.note_ties(name, &says);
        let executed = is("EXEC") || is("DISCARD") || is("RESET") || is("MULTI");
        if let Some(transaction) = self.transaction.as_mut().filter(|_| !executed) {
            if let Some(Expected::Confirmations { .. }) = confirmations(name, count) {
                transaction.subscribes = true;
                transaction.more += (count as u64).saturating_sub(2);
            } else if is("HELLO") {
                transaction.resp3 = version(argument(1)).or(transaction.resp3);
            } else if is("SELECT") {
                self.database = None;
            }
            return if before == Replies::On { self.wait(Expected::Once(1), limits) } else { Kind::Oneway };
        }
        let expected = if let Some(expected) = confirmations(name, count) {
            // Subscriptions are confirmed even by a server that was told to be silent.
            return self.wait(expected, limits);
        } else if is("CLIENT") && count == 3 && says(1, "REPLY") {
            if says(2, "OFF") {
                self.replies = Replies::Off;
                return Kind::Oneway;
            } else if says(2, "SKIP") {
                if before != Replies::Off {
                    self.replies = Replies::Skip;
                }
                return Kind::Oneway;
            } else if says(2, "ON") {
                self.replies = Replies::On;
                return self.wait(Expected::Once(1), limits);
            }
            Expected::Once(1)
        } else if is("REPLCONF") && (says(1, "ACK") || says(1, "GETACK")) {
            return Kind::Oneway;
        } else if is("MULTI") {
            self.transaction.get_or_insert_default();
            Expected::Once(1)
        } else if is("EXEC") {
            match self.transaction.take() {
                Some(transaction) if transaction != Transaction::default() => Expected::Exec(transaction),
                _ => Expected::Once(1),
            }
        } else if is("DISCARD") {
            self.transaction = None;
            Expected::Once(1)
        } else if is("RESET") {
            self.transaction = None;
            self.database = Some(0);
            self.replies = Replies::On;
            if before == Replies::Off {
                return self.wait(Expected::Reset, limits);
            }
            Expected::Reset
        } else if is("HELLO") {
            version(argument(1)).map_or(Expected::Once(1), |resp3| Expected::Hello { resp3 })
        } else if is("SELECT") {
            self.database = database(argument(1));
            Expected::Once(1)
        } else if is("MONITOR") {
            Expected::Monitor
        } else if is("SYNC") || is("PSYNC") {
            Expected::Sync { psync: is("PSYNC") }
        } else {
            Expected::Once(1)
        };
        if before == Replies::On { self.wait(expected, limits) } else { Kind::Oneway }
    }

    /// Takes note of what a command leaves with the server for its connection.
    fn note_ties(&mut self, name: &[u8], says: &impl Fn(usize, &str) -> bool) {
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted.as_bytes());
        const SETTINGS: [&str; 5] = ["TRACKING", "CACHING", "NO-EVICT", "NO-TOUCH", "REPLY"];
        if is("WATCH") {
            self.watches = true;
        } else if is("UNWATCH") || is("EXEC") || is("DISCARD") {
            self.watches = false;
        } else if is("RESET") {
            self.watches = false;
            self.settings = false;
        } else {
            self.settings |= is("AUTH")
                || is("HELLO")
                || is("READONLY")
                || is("ASKING")
                || is("REPLCONF")
                || is("SELECT") && !says(1, "0")
                || is("CLIENT") && SETTINGS.iter().any(|setting| says(1, setting));
        }
    }

    /// True if the client could not go on by another connection as if nothing had been.
    pub(crate) fn ties(&self) -> bool {
        self.settings
            || self.watches
            || self.heeds
            || self.resp3
            || self.transaction.is_some()
            || self.replies != Replies::On
            || !self.waiting.is_empty()
            || !matches!(self.snapshot, Snapshot::No)
    }

    /// Takes note of a command that a master hands on; tells which database is selected behind it.
    pub(crate) fn replicated(&mut self, command: &Command, buf: &[u8]) -> Option<u16> {
        if buf.get(command.name.clone()).is_some_and(|name| name.eq_ignore_ascii_case(b"SELECT")) {
            let frame = buf.get(..command.frame_len).unwrap_or(buf);
            let argument = Arguments::of_array(frame).ok().and_then(|mut all| all.nth(1));
            self.master_database = database(argument.and_then(Result::ok));
        }
        self.master_database
    }

    /// True if the client waits to become a replica; of SYNC alone, if `psync` is false.
    #[inline(always)]
    pub(crate) fn awaits_sync(&self, or_psync: bool) -> bool {
        matches!(self.waiting.front(), Some(Expected::Sync { psync }) if !psync || or_psync)
    }

    /// The request that waits at the front is answered by a snapshot.
    pub(crate) fn answered_by_snapshot(&mut self) {
        self.waiting.pop_front();
    }

    /// Takes note of a value from the server, which ends at `end`, perhaps behind the end of `buf`; tells what it is.
    #[inline(always)]
    pub(crate) fn answered(&mut self, buf: &[u8], end: usize, limits: &Limits) -> Result<(Kind, Form), DecodeError> {
        let kind = buf.first().copied().unwrap_or_default();
        if self.heeds || matches!(kind, PUSH | ATTRIBUTE) {
            return self.answered_any(buf, end, limits);
        }
        match self.waiting.front_mut() {
            Some(Expected::Once(count)) => {
                *count -= 1;
                if *count == 0 {
                    self.waiting.pop_front();
                }
            }
            // Where only the server's side is seen, these may be confirmations, or the beginning of replication.
            None if !(matches!(buf, [ARRAY, b'3', ..] | [SIMPLE, b'F' | b'C', ..])) => {}
            _ => return self.answered_any(buf, end, limits),
        }
        Ok((answer(kind), Form::Reply))
    }

    #[inline(never)]
    fn answered_any(&mut self, buf: &[u8], end: usize, limits: &Limits) -> Result<(Kind, Form), DecodeError> {
        let at = self.walk.value_at(buf, 0, limits)?;
        let value = buf.get(at..end.min(buf.len())).unwrap_or_default();
        let kind = value.first().copied().unwrap_or_default();
        if kind == PUSH || kind == ARRAY && !self.resp3 {
            if let Some((confirmed, count)) = confirmation(&mut self.walk, value, limits)
                && (kind == PUSH || self.confirms(confirmed))
            {
                return Ok((self.confirmed(confirmed, count), Form::Push));
            }
            if (kind == PUSH || self.heeds && !self.monitors) && push_word(value).is_some_and(is_message) {
                return Ok((Kind::StreamData, Form::Push));
            }
            if kind == PUSH {
                return Ok((Kind::Control, Form::Push));
            }
        }
        if kind == SIMPLE && self.monitors && is_monitor_line(value) {
            return Ok((Kind::StreamData, Form::Monitor));
        }
        let Some(front) = self.waiting.front_mut() else {
            // Nothing waits: the client's side is not seen, or the server speaks first to refuse it.
            self.synchronised(value);
            return Ok((answer(kind), Form::Reply));
        };
        let expected = *front;
        match front {
            Expected::Once(count) | Expected::More(count) if *count > 1 => *count -= 1,
            _ => {
                self.waiting.pop_front();
            }
        }
        match expected {
            Expected::More(_) => return Ok((Kind::Control, Form::Reply)),
            _ if answer(kind) == Kind::Error => {}
            Expected::Hello { resp3 } => self.resp3 = resp3,
            Expected::Monitor => self.monitors = kind == SIMPLE,
            Expected::Reset => {
                self.resp3 = false;
                self.subscriptions = [0; 3];
                self.subscribes = false;
                self.monitors = false;
            }
            Expected::Sync { .. } => self.synchronised(value),
            Expected::Exec(transaction) if kind == ARRAY && !value.starts_with(b"*-") => {
                self.subscribes |= transaction.subscribes;
                self.resp3 = transaction.resp3.unwrap_or(self.resp3);
                if transaction.more > 0 {
                    self.waiting.push_front(Expected::More(transaction.more));
                }
            }
            Expected::Exec(_) | Expected::Once(_) | Expected::Confirmations { .. } => {}
        }
        self.heed();
        Ok((answer(kind), Form::Reply))
    }

    fn heed(&mut self) {
        self.heeds = self.monitors || self.subscribes || self.subscriptions != [0; 3];
    }

    /// A master says that the client is its replica now.
    fn synchronised(&mut self, line: &[u8]) {
        if line.starts_with(b"+FULLRESYNC ") {
            self.snapshot = Snapshot::Awaited;
        } else if line.starts_with(b"+CONTINUE\r") || line.starts_with(b"+CONTINUE ") {
            self.snapshot = Snapshot::Over;
        }
    }

    /// Whether an array that looks like this confirmation is one, and no answer of another kind: if it is waited for,
    /// if there are subscriptions, or if nothing else is waited for.
    fn confirms(&self, confirmed: Confirmation) -> bool {
        self.heeds
            || match self.waiting.front() {
                None | Some(Expected::More(_)) => true,
                Some(Expected::Confirmations { of, .. }) => *of == confirmed,
                Some(_) => false,
            }
    }

    /// The last confirmation of a command answers it; those before, and what a server says on its own, are notices.
    fn confirmed(&mut self, confirmed: Confirmation, count: u64) -> Kind {
        let [channels, patterns, shards] = &mut self.subscriptions;
        let (own, other) = match confirmed.family {
            Family::Channels => (channels, Some(patterns)),
            Family::Patterns => (patterns, Some(channels)),
            Family::Shards => (shards, None),
        };
        let all = *own;
        // Channels and patterns are counted together.
        match other {
            Some(other) => {
                *other = count.min(*other);
                *own = count - *other;
            }
            None => *own = count,
        }
        self.subscribes = false;
        self.heed();
        match self.waiting.front_mut() {
            Some(Expected::Confirmations { of, left }) if *of == confirmed => {
                let now = if *left == 0 { all.max(1) } else { *left } - 1;
                *left = now;
                if now == 0 {
                    self.waiting.pop_front();
                    return Kind::Response;
                }
            }
            Some(Expected::More(left)) => {
                *left -= 1;
                if *left == 0 {
                    self.waiting.pop_front();
                }
            }
            _ => {}
        }
        Kind::Control
    }
}

/// The kind of an answer of this type.
const fn answer(kind: u8) -> Kind {
    if matches!(kind, ERROR | BULK_ERROR) { Kind::Error } else { Kind::Response }
}

/// True for commands that are not answered once, or change how others are, or leave something with the connection.
#[inline(always)]
fn is_special(name: &[u8]) -> bool {
    let Some(first) = name.first() else { return false };
    let only: &[u8] = match (name.len(), first | 0x20) {
        (4, b'a') => b"AUTH",
        (4, b'e') => b"EXEC",
        (4, b's') => b"SYNC",
        (5, b'h') => b"HELLO",
        (5, b'm') => b"MULTI",
        (5, b'p') => b"PSYNC",
        (5, b'r') => b"RESET",
        (5, b'w') => b"WATCH",
        (6, b'a') => b"ASKING",
        (6, b'c') => b"CLIENT",
        (6, b's') => b"SELECT",
        (7, b'd') => b"DISCARD",
        (7, b'm') => b"MONITOR",
        (7, b'u') => b"UNWATCH",
        (8, b'r') if name.eq_ignore_ascii_case(b"READONLY") => b"READONLY",
        (8, b'r') => b"REPLCONF",
        (9, b's') => b"SUBSCRIBE",
        (10, b'p') => b"PSUBSCRIBE",
        (10, b's') => b"SSUBSCRIBE",
        (11, b'u') => b"UNSUBSCRIBE",
        (12, b'p') => b"PUNSUBSCRIBE",
        (12, b's') => b"SUNSUBSCRIBE",
        _ => return false,
    };
    name.eq_ignore_ascii_case(only)
}

/// A subscription or its end, of which a server confirms each channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Confirmation {
    family: Family,
    off: bool,
}

impl Confirmation {
    fn of(word: &[u8]) -> Option<Self> {
        let (off, prefix) = match word.len().checked_sub(9).and_then(|at| word.split_at_checked(at)) {
            Some((prefix, rest)) if rest.eq_ignore_ascii_case(b"subscribe") => match prefix.split_last_chunk::<2>() {
                Some((prefix, un)) if un.eq_ignore_ascii_case(b"un") => (true, prefix),
                _ => (false, prefix),
            },
            _ => return None,
        };
        let family = match prefix {
            [] => Family::Channels,
            [b'p' | b'P'] => Family::Patterns,
            [b's' | b'S'] => Family::Shards,
            _ => return None,
        };
        Some(Self { family, off })
    }
}

/// How a subscription with so many arguments, the name among them, is answered. One to nothing is an error.
fn confirmations(name: &[u8], count: usize) -> Option<Expected> {
    let of = Confirmation::of(name)?;
    if count < 2 && !of.off {
        return None;
    }
    Some(Expected::Confirmations { of, left: count as u64 - 1 })
}

/// The confirmation that an array of three is: its word, a channel or nothing, and a count.
fn confirmation(walk: &mut Walk, value: &[u8], limits: &Limits) -> Option<(Confirmation, u64)> {
    let of = Confirmation::of(push_word(value)?)?;
    let (count, word_at) = length(value, 1, "length").ok()?;
    let channel_at = walk.skip(value, word_at, limits).ok()?;
    let count_at = walk.skip(value, channel_at, limits).ok()?;
    let end = walk.skip(value, count_at, limits).ok()?;
    let number = value.get(count_at..end)?.strip_prefix(&[INTEGER])?.strip_suffix(CRLF)?;
    let number = integer_value(number).and_then(|number| u64::try_from(number).ok())?;
    (count == Length::Known(3)).then_some((of, number))
}

/// The first string of a push or an array: what kind of push it is.
pub(crate) fn push_word(value: &[u8]) -> Option<&[u8]> {
    let (_, at) = length(value, 1, "length").ok()?;
    match *value.get(at)? {
        BULK => match length(value, at + 1, "length").ok()? {
            (Length::Known(len), from) => value.get(from..from.checked_add(len)?),
            _ => None,
        },
        SIMPLE => {
            let end = text_line(value, at + 1, 0, "push").ok()?;
            value.get(at + 1..end - CRLF.len())
        }
        _ => None,
    }
}

/// True for messages that somebody published.
fn is_message(word: &[u8]) -> bool {
    matches!(word, b"message" | b"pmessage" | b"smessage")
}

/// `+1339518083.107412 [0 127.0.0.1:60866] "keys" "*"`: seconds with six decimals, then the client in brackets.
fn is_monitor_line(line: &[u8]) -> bool {
    let Some(line) = line.strip_prefix(&[SIMPLE]) else { return false };
    let seconds = line.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let Some((b'.', rest)) = line.get(seconds..).and_then(|rest| rest.split_first().map(|(dot, rest)| (*dot, rest)))
    else {
        return false;
    };
    let decimals = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    seconds > 0 && decimals == 6 && rest.get(6..).is_some_and(|rest| rest.starts_with(b" ["))
}

/// The protocol version that HELLO asks for: true for 3. Without one it changes nothing.
fn version(argument: Option<Argument<'_>>) -> Option<bool> {
    match &*argument?.value {
        b"2" => Some(false),
        b"3" => Some(true),
        _ => None,
    }
}

fn database(argument: Option<Argument<'_>>) -> Option<u16> {
    let told = integer_value(&argument?.value)?;
    u16::try_from(told).ok().filter(|told| *told < u16::MAX)
}
