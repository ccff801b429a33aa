//! Whether a stream is Redis, told from its first bytes.
//!
//! | from | first bytes | it is |
//! |---|---|---|
//! | client | `*N`, `$L`, the name of a command in the table, or one of a module (`JSON.GET`) | Redis |
//! | client | lines that are commands of the table, with as many words as they take; the last of them of no other protocol | Redis |
//! | server | a whole line of a type with a length or a number; for an array, the type behind it too | Redis |
//! | server | `+` and one word, or FULLRESYNC and CONTINUE; `-` and a word in capitals; and the line's end | Redis |
//! | both | anything else | not Redis |
//!
//! Lines are the oldest form and the least sure: memcached, SMTP, POP3, FTP, IRC, NATS and STOMP share words with Redis.

use metaprotocol_core::{Detection, Direction, Limits};

use crate::command::{self, Asked, Progress, Words, is_name_byte};
use crate::table;
use crate::walk::Walk;
use crate::wire::{
    ARRAY, ATTRIBUTE, BULK, BULK_ERROR, ERROR, Length, MAP, PUSH, SET, SIMPLE, Stop, VERBATIM, length, text_line,
};

/// Longest name by which a command is recognised.
const MAX_NAME_LEN: usize = 64;
/// Most bytes of lines by which a stream is recognised.
const MAX_LINE_LEN: usize = 1024;
/// Shortest name by which a line is recognised, and the names that other text protocols have, too.
const MIN_LINE_NAME_LEN: usize = 4;
const SHARED: [&[u8]; 18] = [
    b"APPEND", b"AUTH", b"COPY", b"DECR", b"DUMP", b"ECHO", b"INCR", b"INFO", b"KEYS", b"MOVE", b"MONITOR", b"PING",
    b"QUIT", b"RESET", b"TIME", b"TOUCH", b"TYPE", b"WATCH",
];
const SHARED_END: &[u8] = b"SUBSCRIBE";

/// The verb.
pub(crate) fn detect(direction: Direction, prefix: &[u8]) -> Detection {
    let result = match (direction, prefix.first()) {
        (_, None) => return Detection::NeedMore,
        (Direction::ClientToServer, Some(_)) => lines(prefix),
        (Direction::ServerToClient, Some(_)) => answer(prefix),
    };
    match result {
        Ok(true) => Detection::Yes,
        Ok(false) | Err(Stop::Broken(_)) => Detection::No,
        Err(Stop::Need(_)) => Detection::NeedMore,
    }
}

/// Names of modules have a dot.
fn is_module_name(name: &[u8]) -> bool {
    name.contains(&b'.')
        && name.first().is_some_and(u8::is_ascii_alphabetic)
        && name.iter().all(|byte| is_name_byte(*byte))
}

/// An array whose first argument names a command.
fn command(prefix: &[u8]) -> Result<bool, Stop> {
    let (Length::Known(1..), first) = length(prefix, 1, "number of arguments")? else { return Ok(false) };
    match prefix.get(first) {
        None => return Err(Stop::Need(1)),
        Some(&BULK) => {}
        Some(_) => return Ok(false),
    }
    let (Length::Known(len @ 1..=MAX_NAME_LEN), from) = length(prefix, first + 1, "argument length")? else {
        return Ok(false);
    };
    let rest = prefix.get(from..).unwrap_or_default();
    let Some((name, end)) = rest.split_at_checked(len) else {
        return if rest.iter().all(|byte| is_name_byte(*byte)) { Err(Stop::Need(len - rest.len())) } else { Ok(false) };
    };
    let known = table::command(name).is_some() || is_module_name(name);
    match end {
        _ if !known => Ok(false),
        [b'\r', b'\n', ..] => Ok(true),
        [] | [b'\r'] => Err(Stop::Need(1)),
        _ => Ok(false),
    }
}

/// Lines that are commands. Those of names that others have, too, say nothing: the first other one does.
fn lines(prefix: &[u8]) -> Result<bool, Stop> {
    let front = prefix.get(..MAX_LINE_LEN).unwrap_or(prefix);
    let mut rest = front;
    loop {
        let told = match rest.first() {
            Some(&ARRAY) => match length(rest, 1, "number of arguments")? {
                (Length::Known(0), len) => Ok(Told::Shared(len)),
                _ => return command(rest),
            },
            _ => line(rest),
        };
        match told {
            // Nobody begins with nothing.
            Ok(Told::Shared(..=2)) if rest.len() == front.len() => return Ok(false),
            Ok(Told::Sure) => return Ok(true),
            Ok(Told::Shared(len)) => rest = rest.get(len..).unwrap_or_default(),
            Ok(Told::Other) => return Ok(false),
            Err(Stop::Need(_)) if front.len() >= MAX_LINE_LEN => return Ok(false),
            Err(stop) => return Err(stop),
        }
    }
}

enum Told {
    Sure,
    /// A line of this length that other protocols have, too.
    Shared(usize),
    Other,
}

fn line(rest: &[u8]) -> Result<Told, Stop> {
    let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let name = rest.get(blanks..).unwrap_or_default();
    let len = name.iter().take_while(|byte| is_name_byte(**byte)).count();
    let name = name.get(..len).unwrap_or_default();
    if rest.get(blanks + len).is_none() {
        return if len < MAX_NAME_LEN && table::begins(name) { Err(Stop::Need(1)) } else { Ok(Told::Other) };
    }
    let entry = table::command(name);
    if entry.is_none() && !name.is_empty() {
        return Ok(Told::Other);
    }
    let command = match (command::inline(&mut Progress::default(), rest)?, entry) {
        (Asked::Empty(len), _) => return Ok(Told::Shared(len)),
        (Asked::Inline(command), Some(_)) => command,
        (Asked::Inline(_) | Asked::Command(_), _) => return Ok(Told::Other),
    };
    let Some(entry) = entry else { return Ok(Told::Other) };
    let sub = Words::new(rest, 0).nth(1).and_then(Result::ok).and_then(|sub| table::subcommand(name, &sub.value));
    if !sub.unwrap_or(entry).takes(command.count) || entry.has_subcommands && sub.is_none() {
        return Ok(Told::Other);
    }
    let upper = name.to_ascii_uppercase();
    let shared = len < MIN_LINE_NAME_LEN || SHARED.contains(&&*upper) || upper.ends_with(SHARED_END);
    Ok(if shared { Told::Shared(command.frame_len) } else { Told::Sure })
}

/// What a server may begin with.
fn answer(prefix: &[u8]) -> Result<bool, Stop> {
    let front = prefix.get(..MAX_LINE_LEN).unwrap_or(prefix);
    match front.first() {
        Some(&(SIMPLE | ERROR)) => text(front),
        Some(&(BULK | VERBATIM | BULK_ERROR)) => match length(front, 1, "length")? {
            (Length::Known(len), _) => Ok(len as u64 <= Limits::default().max_frame_len),
            (Length::Null | Length::Streamed, _) => Ok(front.first() == Some(&BULK)),
        },
        Some(&(ARRAY | MAP | SET | PUSH | ATTRIBUTE)) => match length(front, 1, "length")? {
            (Length::Known(0) | Length::Null, _) => Ok(matches!(front.first(), Some(&(ARRAY | MAP | SET)))),
            (Length::Known(_) | Length::Streamed, at) => match front.get(at) {
                Some(_) => match Walk::default().run(front, &Limits::default()) {
                    Ok(_) | Err(Stop::Need(_)) => Ok(true),
                    Err(Stop::Broken(_)) => Ok(false),
                },
                None => Err(Stop::Need(1)),
            },
        },
        _ => Walk::default().run(front, &Limits::default()).map(|_| true),
    }
}

/// A line of text. POP3 and NATS have such lines, too: theirs go on behind OK, or say less than Redis does of an error.
fn text(front: &[u8]) -> Result<bool, Stop> {
    let is_error = front.first() == Some(&ERROR);
    let rest = front.get(1..).unwrap_or_default();
    let len = rest.iter().take_while(|byte| **byte > b' ' && **byte < 0x7f).count();
    let word = rest.get(..len).unwrap_or_default();
    let plausible = if is_error {
        word.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_')
    } else {
        matches!(rest.get(len), None | Some(b'\r')) || matches!(word, b"FULLRESYNC" | b"CONTINUE")
    };
    if !plausible || word.is_empty() && !rest.is_empty() {
        return Ok(false);
    }
    match text_line(front, 1, 0, "text") {
        Ok(_) => Ok(true),
        Err((Stop::Need(_), _)) if front.len() >= MAX_LINE_LEN => Ok(false),
        Err((stop, _)) => Err(stop),
    }
}
