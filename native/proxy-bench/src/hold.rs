//! Connections that did one request each and then stay, for start-up times, memory per idle connection, and its end.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use metaprotocol_core::{Direction, Frame, Limits};

use crate::protocol::{Asked, Protocol};

/// Between two attempts to reach a server that is not there yet.
const PAUSE: Duration = Duration::from_micros(500);

/// Opens connections, each with one verified answer. One that fails is tried again until `patience` is over, so that the
/// first returns as soon as the server really serves.
///
/// # Errors
/// The last failure, once patience is over.
pub fn open(
    protocol: Protocol,
    target: SocketAddr,
    connections: usize,
    payload_len: usize,
    patience: Duration,
) -> io::Result<Vec<TcpStream>> {
    let until = Instant::now() + patience;
    let mut held = Vec::with_capacity(connections);
    while held.len() < connections {
        let asked = Asked { id: 1, stamp: 1 + held.len() as u64, payload_len };
        let left = until.saturating_duration_since(Instant::now());
        match connect_and_ask(protocol, target, asked, left.max(PAUSE)) {
            Ok(socket) => held.push(socket),
            Err(error) if left.is_zero() => return Err(error),
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
    Ok(held)
}

/// How many of these connections are still open. An end that is no orderly one, or bytes that nobody asked for, are an error.
///
/// # Errors
/// What came on the first of them on which something else came than an end.
pub fn still_open(held: &mut Vec<TcpStream>) -> io::Result<usize> {
    for socket in &*held {
        socket.set_nonblocking(true)?;
    }
    let mut failure = None;
    held.retain_mut(|socket| match socket.read(&mut [0; 16]) {
        Ok(0) => false,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
        Ok(_) => {
            failure.get_or_insert_with(|| io::Error::other("bytes that nobody asked for"));
            false
        }
        Err(error) => {
            failure.get_or_insert(error);
            false
        }
    });
    failure.map_or(Ok(held.len()), Err)
}

fn connect_and_ask(protocol: Protocol, target: SocketAddr, asked: Asked, patience: Duration) -> io::Result<TcpStream> {
    let mut socket = TcpStream::connect_timeout(&target, patience)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(patience))?;
    let mut bytes = Vec::new();
    protocol.ask(asked, &mut bytes);
    socket.write_all(&bytes)?;
    bytes.clear();
    let mut decoder = protocol.codec().connect(Limits::default());
    let (mut frames, mut room) = (Vec::new(), [0; 8192]);
    while frames.is_empty() {
        let count = socket.read(&mut room)?;
        if count == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed before the answer came"));
        }
        bytes.extend_from_slice(&room[..count]);
        let advanced = decoder.advance(Direction::ServerToClient, &bytes, &mut frames);
        advanced.map_err(|failure| io::Error::other(failure.error.to_string()))?;
    }
    let frame = frames.first().and_then(|placed| Frame::new(placed.head, bytes.get(placed.at..)?));
    let frame = frame.ok_or_else(|| io::Error::other("a frame beyond its bytes"))?;
    protocol.verify(frame, asked).map_err(io::Error::other)?;
    Ok(socket)
}
