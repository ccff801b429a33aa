//! The upstream server: one thread, any number of connections, one write for all the answers to one read.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use metaprotocol_core::{AnyCodec, Connection, Direction, Frame, Limits, Placed};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use crate::wire::{Filled, Inbox, Outbox};

const LISTENER: Token = Token(usize::MAX);
/// A client that does not take its answers is not read from beyond this.
const MAX_PENDING: usize = 4 << 20;

struct Client {
    socket: TcpStream,
    decoder: Box<dyn Connection>,
    inbox: Inbox,
    outbox: Outbox,
}

/// Answers every frame of every client with what `answer` appends. A client that sends anything else is disconnected, and
/// the reason goes to standard error.
///
/// # Errors
/// Those of the listener.
pub fn serve(
    listener: std::net::TcpListener,
    codec: &Arc<dyn AnyCodec>,
    mut answer: impl FnMut(Frame<'_>, &mut Vec<u8>) -> Result<(), &'static str>,
) -> io::Result<Infallible> {
    listener.set_nonblocking(true)?;
    let mut listener = TcpListener::from_std(listener);
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut clients: Slab<Client> = Slab::new();
    let mut frames = Vec::new();
    loop {
        wait(&mut poll, &mut events)?;
        for event in &events {
            if event.token() == LISTENER {
                while let Some(mut socket) = accept(&listener)? {
                    let entry = clients.vacant_entry();
                    poll.registry().register(
                        &mut socket,
                        Token(entry.key()),
                        Interest::READABLE | Interest::WRITABLE,
                    )?;
                    let decoder = Arc::clone(codec).connect(Limits::default());
                    entry.insert(Client { socket, decoder, inbox: Inbox::default(), outbox: Outbox::default() });
                }
            } else if let Some(client) = clients.get_mut(event.token().0) {
                match client.turn(event.is_read_closed(), &mut frames, &mut answer) {
                    Ok(true) => {}
                    Ok(false) => drop(clients.remove(event.token().0)),
                    Err(reason) => {
                        eprintln!("{}: {reason}", codec.info().name);
                        clients.remove(event.token().0);
                    }
                }
            }
        }
    }
}

/// Waits for events, without end.
///
/// # Errors
/// Those of the poll, but not `Interrupted`.
pub(crate) fn wait(poll: &mut Poll, events: &mut Events) -> io::Result<()> {
    match poll.poll(events, None) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
        result => result,
    }
}

/// The next connection that waits, told not to hold small writes back.
///
/// # Errors
/// Those of the listener, but not those of a connection that is gone before it was accepted.
pub(crate) fn accept(listener: &TcpListener) -> io::Result<Option<TcpStream>> {
    loop {
        match listener.accept() {
            Ok((socket, _)) => {
                if socket.set_nodelay(true).is_ok() {
                    return Ok(Some(socket));
                }
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => return Ok(None),
                io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => {}
                _ => return Err(error),
            },
        }
    }
}

impl Client {
    /// Does all there is to do now. False once the client has closed.
    fn turn(
        &mut self,
        closing: bool,
        frames: &mut Vec<Placed>,
        answer: &mut impl FnMut(Frame<'_>, &mut Vec<u8>) -> Result<(), &'static str>,
    ) -> Result<bool, String> {
        loop {
            self.outbox.flush(&mut self.socket).map_err(|error| error.to_string())?;
            if self.outbox.pending() > MAX_PENDING {
                return Ok(true);
            }
            let filled = match self.inbox.fill(&mut self.socket).map_err(|error| error.to_string())? {
                Filled::Closed => return Ok(false),
                Filled::Blocked => return Ok(true),
                filled => filled,
            };
            frames.clear();
            let bytes = self.inbox.bytes();
            let advanced = self.decoder.advance(Direction::ClientToServer, bytes, frames);
            for placed in &*frames {
                let frame = bytes.get(placed.at..).and_then(|bytes| Frame::new(placed.head, bytes));
                answer(frame.ok_or("a frame beyond its bytes")?, self.outbox.end())?;
            }
            self.inbox.consume(advanced.map_err(|failure| failure.error.to_string())?);
            // The next event comes with the next bytes; but the end, if it has come already, has no event of its own.
            if filled == Filled::Drained && !closing {
                self.outbox.flush(&mut self.socket).map_err(|error| error.to_string())?;
                return Ok(true);
            }
        }
    }
}
