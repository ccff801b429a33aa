//! A yardstick: a plain forwarder of bytes, one connection to the server for each of a client. One read and one write for
//! what one event brings; what cannot be written stops the reading.

use std::convert::Infallible;
use std::io;
use std::net::{Shutdown, SocketAddr};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use crate::serve::{accept, wait};
use crate::wire::{Outbox, read, write};

const LISTENER: Token = Token(usize::MAX);
const ROOM: usize = 64 << 10;

/// What goes one way.
#[derive(Default)]
struct Way {
    rest: Outbox,
    ended: bool,
}

struct Pair {
    client: TcpStream,
    server: TcpStream,
    up: Way,
    down: Way,
}

/// Forwards every connection to `target`.
///
/// # Errors
/// Those of the listener.
pub fn forward(listener: std::net::TcpListener, target: SocketAddr) -> io::Result<Infallible> {
    listener.set_nonblocking(true)?;
    let mut listener = TcpListener::from_std(listener);
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut pairs: Slab<Pair> = Slab::new();
    let mut room = vec![0; ROOM];
    loop {
        wait(&mut poll, &mut events)?;
        for event in &events {
            if event.token() == LISTENER {
                while let Some(mut client) = accept(&listener)? {
                    let mut server = TcpStream::connect(target)?;
                    server.set_nodelay(true)?;
                    let entry = pairs.vacant_entry();
                    let interest = Interest::READABLE | Interest::WRITABLE;
                    poll.registry().register(&mut client, Token(2 * entry.key()), interest)?;
                    poll.registry().register(&mut server, Token(2 * entry.key() + 1), interest)?;
                    entry.insert(Pair { client, server, up: Way::default(), down: Way::default() });
                }
                continue;
            }
            let number = event.token().0 / 2;
            let Some(pair) = pairs.get_mut(number) else { continue };
            let Pair { client, server, up, down } = pair;
            let closing = event.is_read_closed();
            let result = if event.token().0 % 2 == 0 {
                up.turn(client, server, event.is_readable(), closing, &mut room)
                    .and_then(|()| down.resume(server, client, &mut room))
            } else {
                down.turn(server, client, event.is_readable(), closing, &mut room)
                    .and_then(|()| up.resume(client, server, &mut room))
            };
            if result.is_err() || up.ended && down.ended {
                pairs.remove(number);
            }
        }
    }
}

impl Way {
    /// What `from` has sent goes to `to`.
    fn turn(
        &mut self,
        from: &mut TcpStream,
        to: &mut TcpStream,
        readable: bool,
        closing: bool,
        room: &mut [u8],
    ) -> io::Result<()> {
        if self.ended || !readable || !self.rest.flush(to)? {
            return Ok(());
        }
        loop {
            let Some(count) = read(from, room)? else { return Ok(()) };
            let bytes = &room[..count];
            if bytes.is_empty() {
                self.ended = true;
                return to.shutdown(Shutdown::Write);
            }
            let written = write(to, bytes)?.unwrap_or(0);
            if written < count {
                self.rest.end().extend_from_slice(&bytes[written..]);
                return Ok(());
            }
            if count < room.len() && !closing {
                return Ok(());
            }
        }
    }

    /// Goes on if `to` could not take all before; what `from` sent meanwhile has no event of its own.
    fn resume(&mut self, from: &mut TcpStream, to: &mut TcpStream, room: &mut [u8]) -> io::Result<()> {
        if self.rest.pending() > 0 { self.turn(from, to, true, true, room) } else { Ok(()) }
    }
}
