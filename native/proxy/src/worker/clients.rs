//! Clients: accepted, read from, written to, closed.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::net::Shutdown;
use std::rc::Rc;
use std::sync::Arc;

use metaprotocol_core::{Detected, Direction, ErrorType, FirstSpeaker, Head, PairBy, detect_among};
use mio::Interest;
use mio::net::{TcpListener, TcpStream};

use super::downstream::{Downstream, Ids, Long, Protocol, Spoken, To, Waits};
use super::groups::resolved;
use super::hosts::{End, LINGER};
use super::out::Out;
use super::{ACCEPTS, CHUNK, CLIENT, Counts, Due, Id, LISTENER, Local, READS, Worker, token};
use crate::proxy::BACKLOG;
use crate::snapshot::Listener;
use crate::stats::ListenerCounts;

/// Frames longer than this are passed on as they come.
pub const LONG: usize = CHUNK;
/// For so long a client may hold up a connection that it shares, in milliseconds; and for so long while it takes nothing.
const SLOW: u64 = 5000;
const STUCK: u64 = 1000;

/// A client that is to leave has paused when nothing came or went for so long, in milliseconds: whoever asks at the very
/// moment in which its connection is closed gets no answer, so it is not closed between two requests of a busy client.
const QUIET: u64 = 1000;
/// For so long clients of a listener that is gone may go on without a pause, in milliseconds.
pub const PATIENCE: u64 = 5000;

/// When accepting is tried again if the system had no more to give, in milliseconds.
const RETRY: u64 = 50;
const C2S: Direction = Direction::ClientToServer;

impl Worker {
    /// Opens a listener's socket of this worker.
    pub(super) fn listen(&mut self, listener: &Arc<Listener>, socket: std::net::TcpListener) {
        let mut socket = TcpListener::from_std(socket);
        let entry = self.listeners.vacant_entry();
        let token = token(LISTENER, entry.key());
        if self.poll.registry().register(&mut socket, token, Interest::READABLE).is_err() {
            return;
        }
        let counts = Arc::new(ListenerCounts::default());
        // Whoever reads them may be gone already.
        let _ = self.report.send(Counts::Listener(Arc::clone(&listener.name), Arc::clone(&counts)));
        let (at, tables) = (entry.key(), resolved(listener, &self.by_name));
        entry.insert(Local::new(listener, tables, socket, counts));
        self.accepting.push(at);
    }

    pub(super) fn accept(&mut self, at: usize) {
        if self.listeners.get(at).is_some_and(|local| local.again > self.now) {
            return;
        }
        for _ in 0..ACCEPTS {
            let Some(socket) = self.listeners.get(at).and_then(|local| local.socket.as_ref()) else { return };
            match socket.accept() {
                Ok((socket, _)) => self.welcome(at, socket),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // Too many open files, or a client that has left already. No event will tell of the others; and not each
                // that comes meanwhile is a reason to try.
                Err(_) => {
                    let again = self.now + RETRY;
                    if let Some(local) = self.listeners.get_mut(at) {
                        local.again = again;
                    }
                    self.timers.set(again, Due::Accept(at));
                    return;
                }
            }
        }
        // More may wait, of which no event will tell.
        self.accepting.push(at);
    }

    fn welcome(&mut self, at: usize, mut socket: TcpStream) {
        let Some(local) = self.listeners.get_mut(at) else { return };
        let entry = self.clients.vacant_entry();
        self.serial = self.serial.wrapping_add(1);
        let id = Id { at: entry.key() as u32, serial: self.serial };
        let interest = Interest::READABLE | Interest::WRITABLE;
        if self.poll.registry().register(&mut socket, token(CLIENT, entry.key()), interest).is_err() {
            return;
        }
        // Without it answers would wait for acknowledgements; a socket that refuses is only slower.
        let _ = socket.set_nodelay(true);
        let listener = &local.listener;
        let protocol = match listener.dialects.as_slice() {
            [] => Protocol::Plain,
            // With one codec there is nothing to find out, unless others are passed on as they are.
            [dialect]
                if listener.config.unknown_to.is_none()
                    || dialect.codec.info().first_speaker == FirstSpeaker::Server =>
            {
                let codec = Arc::clone(&dialect.codec);
                let decoder = Arc::clone(&codec).connect(listener.limits);
                Protocol::Known(Rc::new(Spoken::new(codec)), decoder)
            }
            _ => Protocol::Unknown(Vec::new()),
        };
        let speaks_first = match &protocol {
            Protocol::Known(codec, _) => codec.info().first_speaker == FirstSpeaker::Server,
            Protocol::Plain => true,
            Protocol::Unknown(_) => false,
        };
        let config = &listener.config;
        if let Some(after) = config.idle_timeout {
            self.timers.set(self.now + after, Due::Idle(id));
        }
        if let Some(after) = config.max_connection_age {
            self.timers.set(self.now + after, Due::Age(id));
        }
        if matches!(protocol, Protocol::Unknown(_)) {
            self.timers.set(self.now + config.detect_timeout, Due::Detect(id));
        }
        local.clients += 1;
        local.counts.counters.downstream_cx_total.add(1);
        local.counts.counters.downstream_cx_active.add(1);
        entry.insert(Downstream {
            serial: id.serial,
            socket,
            listener: at,
            protocol,
            out: Out::default(),
            passing: None,
            after: Out::default(),
            behind: Vec::new(),
            in_flight: 0,
            suspended: 0,
            heard: self.now,
            took: self.now,
            begun: self.now,
            readable: false,
            fin: false,
            broken: false,
            ended: false,
            closing: false,
            draining: false,
            leave_by: None,
            finish: false,
            is_ready: false,
            is_unsent: false,
            waits: Waits::default(),
            held: VecDeque::new(),
            long: None,
            ids: Ids::default(),
            lines: Vec::new(),
            order: None,
            bound: Vec::new(),
            leaving: false,
            asked: None,
            number: 0,
            streams: None,
            slow_since: 0,
            holds: Vec::new(),
        });
        if speaks_first {
            self.open_bound(id);
        }
    }

    #[inline]
    pub(super) fn client(&mut self, id: Id) -> Option<&mut Downstream> {
        self.clients.get_mut(id.at as usize).filter(|client| client.serial == id.serial)
    }

    pub(super) fn client_event(&mut self, at: usize, readable: bool, fin: bool, writable: bool, broken: bool) {
        let Some(client) = self.clients.get_mut(at) else { return };
        let id = Id { at: at as u32, serial: client.serial };
        client.broken |= broken;
        if client.is_gone() {
            return self.close_client(id, true);
        }
        client.fin |= fin;
        if readable || fin {
            client.readable = true;
            self.wake_client(id);
        }
        if writable {
            self.client_unsent(id);
        }
    }

    /// Lets a client be read from, if it may and there is something.
    pub(super) fn wake_client(&mut self, id: Id) {
        let Some(client) = self.client(id) else { return };
        if client.readable && !client.waits.any() && !client.is_ready {
            client.is_ready = true;
            self.ready_clients.push(id);
        }
    }

    /// Notes that there is something to send to a client.
    #[inline]
    pub(super) fn client_unsent(&mut self, id: Id) {
        let Some(client) = self.client(id) else { return };
        if !client.is_unsent {
            client.is_unsent = true;
            self.unsent_clients.push(id);
        }
    }

    pub(super) fn read_clients(&mut self) {
        for at in std::mem::take(&mut self.accepting) {
            self.accept(at);
        }
        let mut ready = std::mem::take(&mut self.ready_clients);
        for id in ready.drain(..) {
            if let Some(client) = self.client(id) {
                client.is_ready = false;
                self.read_client(id);
            }
        }
        // What became ready meanwhile has its turn in the next round.
        if self.ready_clients.is_empty() {
            self.ready_clients = ready;
        }
    }

    fn read_client(&mut self, id: Id) {
        for _ in 0..READS {
            let mut chunk = self.buffers.chunk();
            let len = match self.client(id) {
                Some(client) if client.readable && !client.waits.any() && !client.ended && !client.closing => {
                    match client.socket.read(Rc::get_mut(&mut chunk).map_or(&mut [][..], |chunk| chunk)) {
                        Ok(len) => {
                            // A short read has taken all there was; the end, if it is known to have come, is behind it.
                            client.readable = len == chunk.len() || client.fin;
                            Some(Ok(len))
                        }
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => Some(Err(false)),
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                            client.readable = false;
                            None
                        }
                        Err(_) => Some(Err(true)),
                    }
                }
                _ => None,
            };
            match len {
                None => {
                    self.buffers.give_chunk(chunk);
                    // What it had sent before may be why it is not read on.
                    if self.client(id).is_some_and(|client| client.is_gone()) {
                        return self.close_client(id, true);
                    }
                    // Who is told to leave is read to the end of what has come.
                    if self.client(id).is_some_and(|client| client.draining) {
                        self.settle(id);
                    }
                    return;
                }
                Some(Err(broken)) => {
                    self.buffers.give_chunk(chunk);
                    if broken {
                        self.close_client(id, true);
                        return;
                    }
                }
                Some(Ok(0)) => {
                    self.buffers.give_chunk(chunk);
                    self.client_ended(id);
                    return;
                }
                Some(Ok(len)) => {
                    let now = self.now;
                    if let Some(client) = self.client(id) {
                        client.heard = now;
                        let at = client.listener;
                        self.count(at, |counts| counts.downstream_cx_rx_bytes_total.add(len as u64));
                    }
                    self.buffers.lend_from(&chunk);
                    self.client_data(id, chunk.get(..len).unwrap_or_default());
                    self.buffers.give_chunk(chunk);
                }
            }
        }
        self.wake_client(id);
    }

    /// A client has sent its last byte. It still gets its answers.
    fn client_ended(&mut self, id: Id) {
        let Some(client) = self.client(id) else { return };
        if matches!(&client.protocol, Protocol::Unknown(prefix) if !prefix.is_empty()) {
            self.detect(id, true);
        }
        let Some(client) = self.client(id) else { return };
        client.ended = true;
        client.readable = false;
        match &client.protocol {
            Protocol::Plain => {
                let Some(host) = client.bound.first().copied() else { return self.close_client(id, true) };
                let over = self.host(host).is_none_or(|host| host.ended);
                self.finish_host(host);
                if let Some(client) = self.client(id) {
                    client.closing |= over;
                }
                return self.client_unsent(id);
            }
            Protocol::Known(_, decoder) if decoder.received(C2S) > 0 || client.long.is_some() => {
                let at = client.listener;
                self.count(at, |counts| {
                    counts.request_decoding_error.add(1);
                    counts.bad_request.add(1);
                });
            }
            _ => {}
        }
        if let Some(Long { to: To::Host(host), .. }) = self.client(id).and_then(|client| client.long.take()) {
            self.cut(host);
        }
        self.settle(id);
    }

    /// A host has the beginning of a frame that will never end.
    fn cut(&mut self, host: Id) {
        if self.host(host).is_some_and(|host| host.is_shared()) {
            return self.close_host(host, End::Cut);
        }
        // It may still answer what its client has asked before.
        self.finish_host(host);
        self.timers.set(self.now + LINGER, Due::Linger(host));
    }

    /// Reads nothing more from a client, which is closed when all that it has asked is answered.
    pub(super) fn end_reading(&mut self, id: Id) {
        if let Some(client) = self.client(id) {
            client.ended = true;
            client.readable = false;
            self.settle(id);
        }
    }

    /// Takes nothing more from a client, also of what it has sent, which is closed when nothing is under way.
    pub(super) fn end_client(&mut self, id: Id) {
        if let Some(client) = self.client(id) {
            client.ended = true;
            client.readable = false;
            client.held.clear();
            self.settle(id);
        }
    }

    /// Closes a client when nothing is under way for it and all that it has sent so far is read.
    pub(super) fn leave_client(&mut self, id: Id) {
        let Some(client) = self.client(id) else { return };
        client.draining = true;
        client.readable = true;
        self.wake_client(id);
        self.timers.set(self.now + PATIENCE, Due::Leave(id));
    }

    /// Closes a client that is to be closed once nothing is under way, if nothing is.
    pub(super) fn settle(&mut self, id: Id) {
        let Some(client) = self.client(id) else { return };
        let over = client.ended || (client.draining && !client.readable);
        let busy = client.in_flight > 0 || client.passing.is_some() || !client.held.is_empty();
        if !over || busy || matches!(client.protocol, Protocol::Plain) {
            return;
        }
        // Who is told to leave may finish the frame that it is sending; who has left cannot.
        if client.ended || client.unfinished() == 0 {
            client.closing = true;
            self.client_unsent(id);
        }
    }

    fn client_data(&mut self, id: Id, data: &[u8]) {
        let now = self.now;
        let Some(client) = self.client(id) else { return };
        match &mut client.protocol {
            Protocol::Unknown(prefix) => {
                if prefix.is_empty() {
                    client.begun = now;
                }
                prefix.extend_from_slice(data);
                self.detect(id, false);
            }
            Protocol::Plain => {
                if let Some(host) = client.bound.first().copied() {
                    self.send_plain(id, host, data);
                }
            }
            Protocol::Known(..) => {
                let rest = self.long_data(id, data);
                if !rest.is_empty() {
                    self.frames(id, rest);
                }
            }
        }
    }

    fn frames(&mut self, id: Id, data: &[u8]) {
        if self.client(id).is_some_and(|client| client.leaving && client.in_flight == 0) {
            self.leave_bound(id);
        }
        let now = self.now;
        let mut fed = std::mem::take(&mut self.fed);
        let Some(client) = self.client(id) else { return };
        let Protocol::Known(_, decoder) = &mut client.protocol else { return };
        let result = decoder.feed(C2S, data, &mut fed);
        let count = fed.frames.len() as u64 + u64::from(fed.carried.is_some());
        if count > 0 || decoder.received(C2S) == data.len() {
            client.begun = now;
        }
        let at = client.listener;
        self.count(at, |counts| counts.request_decoding_success.add(count));
        if let Some(carried) = fed.carried.take() {
            self.frame(id, &carried.head, &carried.bytes);
        }
        for placed in &fed.frames {
            let bytes = data.get(placed.at..placed.at + placed.head.frame_len).unwrap_or_default();
            self.frame(id, &placed.head, bytes);
        }
        self.fed = fed;
        match result {
            Ok(()) => self.long_begins(id),
            Err(_) => {
                self.count(at, |counts| {
                    counts.request_decoding_error.add(1);
                    counts.bad_request.add(1);
                });
                // What follows cannot be told from what came before: nothing more is read, and what was asked is answered.
                self.end_reading(id);
            }
        }
    }

    /// A frame too long to wait for: from here on it is passed on as it comes.
    fn long_begins(&mut self, id: Id) {
        let Some(client) = self.client(id) else { return };
        let Protocol::Known(_, decoder) = &mut client.protocol else { return };
        let long = decoder.unfinished(C2S).filter(|(head, received)| {
            head.frame_len > LONG && !head.is_opaque() && *received >= head.header_len as usize
        });
        if long.is_none() || !client.held.is_empty() {
            return;
        }
        let Some(detached) = decoder.detach(C2S) else { return };
        let left = detached.head.frame_len - detached.bytes.len();
        client.long = Some(Long { head: detached.head, bytes: detached.bytes, left, look: 0, to: To::Unknown });
        self.look(id);
    }

    /// Takes what belongs to a long frame; returns the rest.
    fn long_data<'d>(&mut self, id: Id, data: &'d [u8]) -> &'d [u8] {
        let Some(client) = self.client(id) else { return &[] };
        let Some(long) = &mut client.long else { return data };
        let (own, rest) = data.split_at(long.left.min(data.len()));
        long.left -= own.len();
        let (at, last, to) = (client.listener, long.left == 0, long.to);
        match to {
            To::Host(host) => self.send_on(id, host, own),
            To::Nowhere => {}
            To::Unknown => {
                long.bytes.extend_from_slice(own);
                self.look(id);
            }
        }
        if last {
            self.count(at, |counts| counts.request_decoding_success.add(1));
            if let To::Host(host) = to {
                self.long_sent(host);
            }
            if to != To::Unknown {
                if let Some(client) = self.client(id) {
                    client.long = None;
                }
                self.settle(id);
            }
        }
        rest
    }

    /// Which codec's stream it is, by its first bytes; `late` if there will be no more of them.
    pub(super) fn detect(&mut self, id: Id, late: bool) {
        let Some(client) = self.clients.get_mut(id.at as usize).filter(|client| client.serial == id.serial) else {
            return;
        };
        let Protocol::Unknown(prefix) = &mut client.protocol else { return };
        let Some(local) = self.listeners.get(client.listener) else { return };
        let counts = &local.counts.counters;
        let dialects = &local.listener.dialects;
        let detected = detect_among(dialects.iter().map(|dialect| dialect.codec.as_ref()), C2S, prefix);
        let found = if let Detected::Codec(at) = detected { dialects.get(at) } else { None };
        let prefix = match found {
            Some(dialect) => {
                counts.detected.add(1);
                let codec = Arc::clone(&dialect.codec);
                let decoder = Arc::clone(&codec).connect(local.listener.limits);
                let prefix = std::mem::take(prefix);
                client.protocol = Protocol::Known(Rc::new(Spoken::new(codec)), decoder);
                prefix
            }
            None if detected == Detected::NeedMore && !late && prefix.len() < local.listener.config.detect_len => {
                return;
            }
            None => {
                counts.detect_failed.add(1);
                if local.listener.config.unknown_to.is_none() {
                    return self.close_client(id, false);
                }
                let prefix = std::mem::take(prefix);
                client.protocol = Protocol::Plain;
                self.open_bound(id);
                prefix
            }
        };
        self.client_data(id, &prefix);
    }

    pub(super) fn detect_late(&mut self, id: Id) {
        self.detect(id, true);
    }

    pub(super) fn client_idle(&mut self, id: Id) {
        let now = self.now;
        let Some(client) = self.client(id) else { return };
        let at = client.listener;
        let Some(after) = self.listeners.get(at).and_then(|local| local.listener.config.idle_timeout) else { return };
        let Some(client) = self.client(id) else { return };
        let until = client.must_move(now, after).unwrap_or(if client.busy() { now } else { client.heard } + after);
        if until > now {
            // It may be done with that much earlier.
            self.timers.set(until.min(now + after), Due::Idle(id));
            return;
        }
        self.count(at, |counts| counts.idle_timeout.add(1));
        self.close_client(id, false);
    }

    pub(super) fn client_old(&mut self, id: Id) {
        let Some(client) = self.client(id) else { return };
        let at = client.listener;
        self.count(at, |counts| counts.max_connection_age.add(1));
        self.leave_client(id);
    }

    /// Closes a client that is to leave if it has paused. One that never pauses is closed between two requests when its
    /// time is over.
    pub(super) fn client_leaves(&mut self, id: Id) {
        let now = self.now;
        let Some(client) = self.client(id) else { return };
        if client.draining {
            // It is closed when it is done with what it is at; but it must get on with it.
            let until = client.must_move(now, PATIENCE).unwrap_or(now + QUIET);
            if until <= now {
                return self.close_client(id, false);
            }
            self.timers.set(until.min(now + PATIENCE), Due::Leave(id));
            return;
        }
        let Some(by) = client.leave_by else { return };
        let idle = client.in_flight == 0 && client.held.is_empty() && client.out.is_empty();
        let next = if idle { client.heard + QUIET } else { now + QUIET }.min(by);
        if next > now {
            self.timers.set(next, Due::Leave(id));
            return;
        }
        self.leave_client(id);
    }

    /// When a client that makes others wait has to be done with that.
    fn slow_until(&self, id: Id) -> Option<u64> {
        let client = self.clients.get(id.at as usize).filter(|client| client.serial == id.serial)?;
        let shared = |id: &Id| {
            let host = self.hosts.get(id.at as usize).filter(|host| host.serial == id.serial);
            host.is_some_and(super::upstream::Upstream::is_shared)
        };
        let stuck = if client.stuck() { client.took + STUCK } else { u64::MAX };
        client.holds.iter().chain(&client.behind).any(shared).then(|| stuck.min(client.slow_since + SLOW))
    }

    /// A client that has made others wait all the time is closed.
    pub(super) fn client_slow(&mut self, id: Id) {
        match self.slow_until(id) {
            Some(until) if until <= self.now => self.close_client(id, false),
            Some(until) => self.timers.set(until, Due::Slow(id)),
            None => {}
        }
    }

    /// Notes that a connection to a host waits for a client to take what it was sent.
    pub(super) fn hold_host(&mut self, id: Id, host: Id) {
        let holds = self.slow_until(id).is_some();
        let now = self.now;
        let Some(client) = self.client(id) else { return };
        if client.holds.is_empty() && client.behind.is_empty() {
            client.slow_since = now;
        }
        if !client.holds.contains(&host) {
            client.holds.push(host);
        }
        self.held(id, host, holds);
    }

    /// Lets a connection wait until the client has got the whole of the long answer before that of its own.
    pub(super) fn wait_behind(&mut self, id: Id, host: Id) {
        let holds = self.slow_until(id).is_some();
        let now = self.now;
        let Some(client) = self.client(id) else { return };
        if client.holds.is_empty() && client.behind.is_empty() {
            client.slow_since = now;
        }
        client.behind.push(host);
        self.held(id, host, holds);
    }

    /// Reads nothing from a connection for now. `watched` if the client made others wait before.
    fn held(&mut self, id: Id, host: Id, watched: bool) {
        if let Some(host) = self.host(host) {
            host.held_by = Some(id);
        }
        // One that has taken nothing for long makes nobody wait, not even once more.
        if !watched || self.slow_until(id).is_some_and(|until| until <= self.now) {
            self.client_slow(id);
        }
    }

    /// A client has got the whole of a long answer.
    pub(super) fn passed(&mut self, id: Id) {
        let Some(client) = self.clients.get_mut(id.at as usize).filter(|client| client.serial == id.serial) else {
            return;
        };
        client.passing = None;
        client.out.append(std::mem::take(&mut client.after), &mut self.buffers);
        for host in std::mem::take(&mut client.behind) {
            self.release_host(host);
        }
        self.client_unsent(id);
        self.settle(id);
    }

    pub(super) fn flush_clients(&mut self) {
        while let Some(id) = self.unsent_clients.pop() {
            self.flush_client(id);
        }
    }

    pub(super) fn flush_client(&mut self, id: Id) {
        let Some(client) = self.clients.get_mut(id.at as usize).filter(|client| client.serial == id.serial) else {
            return;
        };
        client.is_unsent = false;
        let (closing, at) = (client.closing && client.passing.is_none(), client.listener);
        let sent = client.out.send(&mut client.socket, &mut self.buffers);
        let left = client.unsent();
        if client.out.is_empty() || matches!(sent, Ok(1..)) {
            client.took = self.now;
        }
        match sent {
            Err(_) => return self.close_client(id, true),
            Ok(0) => {}
            Ok(sent) => {
                client.heard = self.now;
                if let Some(local) = self.listeners.get(at) {
                    local.counts.counters.downstream_cx_tx_bytes_total.add(sent as u64);
                }
            }
        }
        if left == 0 && closing {
            return self.close_client(id, false);
        }
        if left == 0 && std::mem::take(&mut client.finish) {
            let _ = client.socket.shutdown(Shutdown::Write);
        }
        let limit = self.listeners.get(at).map_or(0, |local| local.listener.config.buffer_limit);
        let Some(client) = self.client(id) else { return };
        if left > limit {
            client.waits.slow = true;
        } else if left <= limit / 2 && (client.waits.slow || !client.holds.is_empty()) {
            client.waits.slow = false;
            let holds = std::mem::take(&mut client.holds);
            for host in holds {
                self.release_host(host);
            }
            return self.wake_client(id);
        }
        // What waits behind a long answer must not hold up that.
        if let Some(client) = self.client(id)
            && let Some(passing) = client.passing
            && client.out.len() <= limit / 2
            && let Some(at) = client.holds.iter().position(|host| *host == passing)
        {
            client.holds.remove(at);
            self.release_host(passing);
        }
    }

    /// Closes a client's connection. `remote` if it was the client's doing.
    pub(super) fn close_client(&mut self, id: Id, remote: bool) {
        if self.client(id).is_none() {
            return;
        }
        let mut client = self.clients.remove(id.at as usize);
        let _ = self.poll.registry().deregister(&mut client.socket);
        if !remote {
            // The end is sent before the socket goes, also where unread bytes would make the kernel reset it.
            let _ = client.socket.shutdown(Shutdown::Write);
        }
        let at = client.listener;
        // Filters have those that are not at a host.
        let mut in_flight = client.in_flight - client.suspended;
        let active = u64::from(in_flight);
        self.count(at, |counts| {
            counts.downstream_cx_active.sub(1);
            counts.request_active.sub(active);
            if remote {
                counts.response_error_caused_connection_close.add(active);
                counts.cx_destroy_remote_with_active_rq.add(active);
            } else {
                counts.cx_destroy_local_with_active_rq.add(active);
            }
        });
        for host in client.holds.into_iter().chain(client.behind) {
            self.release_host(host);
        }
        // What waits on connections of its own, waits on the last.
        let last = client.bound.last().copied();
        let last = last.and_then(|host| Some((host, self.host(host)?.group)));
        if let (Some(asked), Some((host, group))) = (&mut client.asked, last) {
            while asked.forget().is_some() {
                in_flight -= 1;
                self.left_host(host);
                self.count_cluster(group, |stats| stats.upstream_rq_cancelled.add(1));
            }
        }
        if in_flight > 0 {
            self.cancel(id, in_flight);
        }
        if let Some(Long { to: To::Host(host), .. }) = client.long {
            self.cut(host);
        }
        for host in client.bound {
            self.drop_bound(host, id);
        }
        if let Some(local) = self.listeners.get_mut(at) {
            local.clients -= 1;
            if local.clients == 0 && local.socket.is_none() {
                self.listeners.remove(at);
            }
        }
    }

    /// Accepts no more on a listener. Its clients leave when they pause, or in so many milliseconds between two requests.
    pub(super) fn close_listener(&mut self, at: usize, patience: u64) {
        // Who has connected already is served, though never more than the system lets wait: else it might not end.
        for _ in 0..=BACKLOG / ACCEPTS {
            self.accepting.retain(|other| *other != at);
            self.accept(at);
            if !self.accepting.contains(&at) {
                break;
            }
        }
        self.accepting.retain(|other| *other != at);
        let Some(local) = self.listeners.get_mut(at) else { return };
        if let Some(mut socket) = local.socket.take() {
            let _ = self.poll.registry().deregister(&mut socket);
        }
        if local.clients == 0 {
            self.listeners.remove(at);
            return;
        }
        let clients: Vec<Id> = self
            .clients
            .iter()
            .filter(|(_, client)| client.listener == at)
            .map(|(at, client)| Id { at: at as u32, serial: client.serial })
            .collect();
        for id in clients {
            let by = self.now + patience;
            if let Some(client) = self.client(id) {
                client.leave_by = Some(by);
                self.client_leaves(id);
            }
        }
    }

    pub(super) fn drain(&mut self, patience: u64) {
        let all: Vec<usize> = self.listeners.iter().map(|(at, _)| at).collect();
        for at in all {
            self.close_listener(at, patience);
        }
    }

    /// Answers a frame with an error, or closes the connection where the protocol cannot say it.
    pub(super) fn refuse(&mut self, id: Id, head: Head, bytes: &[u8], error: ErrorType, message: &str) {
        self.refuse_in_turn(id, None, head, bytes, error, message);
    }

    /// As [`Worker::refuse`]; of a request that was under way, with its number, the answer waits for its turn.
    pub(super) fn refuse_in_turn(
        &mut self,
        id: Id,
        number: Option<u64>,
        head: Head,
        bytes: &[u8],
        error: ErrorType,
        message: &str,
    ) {
        let Some(client) = self.clients.get_mut(id.at as usize).filter(|client| client.serial == id.serial) else {
            return;
        };
        let at = client.listener;
        let Protocol::Known(codec, _) = &client.protocol else { return };
        let frame = metaprotocol_core::Frame { head, bytes };
        let reply = codec.reply(frame, metaprotocol_core::Reply::Error(error, message));
        let in_order = number.filter(|_| codec.info().pair_by == PairBy::Order);
        let said = reply.is_ok();
        if let Ok(reply) = reply {
            let reply = reply.unwrap_or_default();
            match (number, &mut client.order) {
                (Some(number), Some(order)) if !order.is_next(number) => {
                    let mut out = Out::default();
                    out.push(&reply, &mut self.buffers);
                    order.keep(number, out);
                }
                _ => {
                    client.out_from(None).push(&reply, &mut self.buffers);
                    if number.is_some() {
                        client.answered(&mut self.buffers);
                    }
                }
            }
        } else if let Some(number) = in_order {
            // What comes behind it would be taken for its answer.
            match &mut client.order {
                Some(order) if !order.is_next(number) => order.ends(number),
                _ => client.closing = true,
            }
        }
        self.count(at, |counts| {
            match error {
                ErrorType::RouteNotFound => counts.route_not_found.add(1),
                ErrorType::ClusterNotFound => counts.cluster_not_found.add(1),
                ErrorType::NoHealthyUpstream => counts.no_healthy_upstream.add(1),
                ErrorType::BadResponse => counts.bad_response.add(1),
                ErrorType::Unspecified => counts.unspecified_error.add(1),
                ErrorType::OverLimit => counts.over_limit.add(1),
                ErrorType::Timeout => counts.request_timeout.add(1),
                ErrorType::UpstreamReset => counts.upstream_reset.add(1),
                ErrorType::Denied => counts.denied.add(1),
                ErrorType::BadRequest => counts.bad_request.add(1),
            }
            if said {
                counts.local_response_business_exception.add(1);
            } else {
                counts.local_response_error.add(1);
            }
        });
        if said {
            self.client_unsent(id);
        } else {
            self.end_client(id);
        }
    }

    #[inline]
    pub(super) fn count(&self, listener: usize, count: impl FnOnce(&crate::stats::ListenerStats)) {
        if let Some(local) = self.listeners.get(listener) {
            count(&local.counts.counters);
        }
    }
}
