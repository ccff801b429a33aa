//! Where a frame ends, and what it is.

use metaprotocol_core::{DecodeError, Direction, Head, Kind, Limits, RequestId, Split};

use crate::command::{self, Asked, Command};
use crate::snapshot::{self, Snapshot};
use crate::state::State;
use crate::walk::unknown;
use crate::wire::{
    ARRAY, ATTRIBUTE, BULK, BULK_ERROR, ERROR, Form, INTEGER, Length, MAP, PUSH, SET, SIMPLE, STREAMED_LEN, Stop,
    VERBATIM, bulk_end, closed, integer, length, note, text_line,
};

/// The verb.
#[inline(always)]
pub(crate) fn split(
    state: &mut State,
    direction: Direction,
    limits: &Limits,
    buf: &[u8],
) -> Result<Split, DecodeError> {
    // What goes on behind the longest frame allowed is refused, however much of it is there.
    let buf = buf.get(..usize::try_from(limits.max_frame_len).unwrap_or(usize::MAX)).unwrap_or(buf);
    let result = match direction {
        Direction::ClientToServer => client(state, limits, buf),
        Direction::ServerToClient => server(state, limits, buf),
    };
    match result {
        Ok(head) => Ok(Split::Head(head)),
        Err(Stop::Need(more)) => Ok(Split::Need(more)),
        Err(Stop::Broken(error)) => Err(error),
    }
}

#[inline(always)]
fn client(state: &mut State, limits: &Limits, buf: &[u8]) -> Result<Head, Stop> {
    let [progress, _] = &mut state.progress;
    let asked = match buf.first() {
        Some(&ARRAY) => command::array(progress, buf, limits)?,
        _ => command::inline(progress, buf)?,
    };
    Ok(match asked {
        Asked::Command(command) => request(state, limits, buf, &command, Form::Command),
        Asked::Inline(command) => request(state, limits, buf, &command, Form::Inline),
        Asked::Empty(len) => head(Kind::Control, 0, len, note(Form::Empty, None)),
    })
}

#[inline(always)]
fn request(state: &mut State, limits: &Limits, buf: &[u8], command: &Command, form: Form) -> Head {
    let (kind, database) = state.asked(command, buf, form, limits);
    head(kind, command.name_end, command.frame_len, note(form, database))
}

#[inline(always)]
fn server(state: &mut State, limits: &Limits, buf: &[u8]) -> Result<Head, Stop> {
    if !matches!(state.snapshot, Snapshot::No) {
        return replication(state, limits, buf);
    }
    if state.awaits_sync(true) {
        match buf.first() {
            Some(b'\n') => return Ok(keepalive(1)),
            Some(&BULK) if state.awaits_sync(false) => {
                let head = snapshot_header(state, buf, Kind::Response)?;
                state.answered_by_snapshot();
                return Ok(head);
            }
            _ => {}
        }
    }
    let (header_len, end) = value(state, limits, buf)?;
    let (kind, form) = state.answered(buf, end, limits)?;
    Ok(head(kind, header_len, end, note(form, None)))
}

/// The header of a reply, and where it ends: the short ones at once, the others by a walk.
#[inline(always)]
fn value(state: &mut State, limits: &Limits, buf: &[u8]) -> Result<(usize, usize), Stop> {
    let kind = buf.first().copied().unwrap_or_default();
    if !state.walk.is_under_way() {
        match kind {
            BULK => {
                if let (Length::Known(len), from) = length(buf, 1, "bulk string length")? {
                    let end = bulk_end(limits, from, len)?;
                    if len < STREAMED_LEN {
                        closed(buf, end)?;
                    }
                    return Ok((from, end));
                }
            }
            INTEGER => return integer(buf, 1).map(|end| (1, end)),
            SIMPLE | ERROR => {
                let field = if kind == SIMPLE { "simple string" } else { "error" };
                // A line that is cut is searched on by the walk, which knows how far it came.
                if let Ok(end) = text_line(buf, 1, 0, field) {
                    return Ok((1, end));
                }
            }
            _ => {}
        }
    }
    let end = state.walk.run(buf, limits)?;
    let header_len = match kind {
        BULK | ARRAY | MAP | SET | PUSH | ATTRIBUTE | VERBATIM | BULK_ERROR => length(buf, 1, "length")?.1,
        _ => 1,
    };
    Ok((header_len, end))
}

/// What a master sends once the client is its replica.
#[inline(never)]
fn replication(state: &mut State, limits: &Limits, buf: &[u8]) -> Result<Head, Stop> {
    let first = buf.first().copied().unwrap_or_default();
    match &mut state.snapshot {
        Snapshot::Counted(left) => {
            let len = usize::try_from(*left).unwrap_or(usize::MAX).min(snapshot::max_piece(limits));
            *left -= len as u64;
            if *left == 0 {
                state.snapshot = Snapshot::Over;
            }
            Ok(piece(len))
        }
        Snapshot::Marked(mark) => {
            let (len, ends) = mark.piece(buf, snapshot::max_piece(limits))?;
            if ends {
                state.snapshot = Snapshot::Over;
            }
            Ok(piece(len))
        }
        _ if first == b'\n' => Ok(keepalive(1)),
        Snapshot::Awaited if first == BULK => snapshot_header(state, buf, Kind::StreamData),
        // The master could not make one.
        Snapshot::Awaited if first == ERROR => {
            let end = state.walk.run(buf, limits)?;
            state.snapshot = Snapshot::No;
            Ok(head(Kind::Error, 1, end, note(Form::Reply, None)))
        }
        Snapshot::Over if first == ARRAY => {
            let [_, progress] = &mut state.progress;
            match command::array(progress, buf, limits)? {
                Asked::Command(command) | Asked::Inline(command) => {
                    let database = state.replicated(&command, buf);
                    Ok(head(Kind::StreamData, command.name_end, command.frame_len, note(Form::Replicated, database)))
                }
                Asked::Empty(len) => Ok(keepalive(len)),
            }
        }
        Snapshot::Awaited | Snapshot::Over | Snapshot::No => Err(unknown(first, 0).into()),
    }
}

fn snapshot_header(state: &mut State, buf: &[u8], kind: Kind) -> Result<Head, Stop> {
    let (snapshot, len) = snapshot::header(buf)?;
    state.snapshot = snapshot;
    Ok(head(kind, len, len, note(Form::SnapshotHeader, None)))
}

const fn piece(len: usize) -> Head {
    head(Kind::StreamData, 0, len, note(Form::Snapshot, None))
}

const fn keepalive(len: usize) -> Head {
    head(Kind::Control, 0, len, note(Form::Keepalive, None))
}

#[inline(always)]
const fn head(kind: Kind, header_len: usize, frame_len: usize, variant: u32) -> Head {
    Head { kind, request_id: RequestId::None, stream_id: None, header_len: header_len as u32, frame_len, variant }
}
