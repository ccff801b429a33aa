//! What a reply, a push, a line of MONITOR or a snapshot tells of itself.

use std::borrow::Cow;

use metaprotocol_core::{DecodeError, Limits, Reason, Value};

use crate::fields::{
    CHANNEL, ERROR_CODE, ERROR_MESSAGE, HASH_TAG, KEY, KEY_COUNT, LENGTH, PATTERN, PUSH_TYPE, REDIRECT, REPLY_TYPE,
    SLOT, SUBSCRIPTIONS, VALUE, number, text,
};
use crate::keys::{hash_tag, slot};
use crate::state::push_word;
use crate::walk::{element, skip, unknown, value_at};
use crate::wire::{
    ARRAY, BIG_NUMBER, BOOLEAN, BULK, BULK_ERROR, CHUNK, CRLF, DOUBLE, ERROR, Form, INTEGER, Length, MAP, NULL, PUSH,
    SET, SIMPLE, VERBATIM, integer_value, length,
};

/// Longest frame whose value is among all its fields.
pub(crate) const MAX_SHOWN_LEN: usize = 4096;
/// Letters and colon before the text of a verbatim string.
const FORMAT_LEN: usize = 4;

/// A value within a frame that is all there.
#[derive(Clone, Copy)]
struct At<'a> {
    bytes: &'a [u8],
    at: usize,
    kind: u8,
}

impl<'a> At<'a> {
    fn new(bytes: &'a [u8], at: usize) -> Result<Self, DecodeError> {
        match bytes.get(at) {
            Some(&kind) => Ok(Self { bytes, at, kind }),
            None => Err(Reason::UnexpectedEnd { field: "value" }.at(bytes.len())),
        }
    }

    /// Its length, and where its bytes or elements begin.
    fn length(self) -> Result<(Length, usize), DecodeError> {
        length(self.bytes, self.at + 1, "length").map_err(|stop| stop.complete(self.bytes.len()))
    }

    /// Bytes of the line behind its type.
    fn line(self, limits: &Limits) -> Result<&'a [u8], DecodeError> {
        let end = skip(self.bytes, self.at, limits)?;
        Ok(self.bytes.get(self.at + 1..end.saturating_sub(CRLF.len())).unwrap_or_default())
    }

    /// Bytes of a string that has a length, or of its pieces.
    fn string(self, limits: &Limits) -> Result<Cow<'a, [u8]>, DecodeError> {
        let (len, from) = self.length()?;
        // The end is looked at, too.
        let end = skip(self.bytes, self.at, limits)?;
        match len {
            Length::Known(_) => Ok(Cow::Borrowed(self.bytes.get(from..end - CRLF.len()).unwrap_or_default())),
            Length::Null => Ok(Cow::Borrowed(&[])),
            Length::Streamed => {
                let (mut at, mut all) = (from, Vec::new());
                while self.bytes.get(at) == Some(&CHUNK)
                    && let Ok((Length::Known(len @ 1..), from)) = length(self.bytes, at + 1, "length")
                {
                    all.extend_from_slice(self.bytes.get(from..from + len).unwrap_or_default());
                    at = from + len + CRLF.len();
                }
                Ok(Cow::Owned(all))
            }
        }
    }

    fn is_null(self) -> bool {
        self.kind == NULL || matches!(self.kind, BULK | ARRAY) && matches!(self.length(), Ok((Length::Null, _)))
    }

    fn type_name(self) -> Option<&'static str> {
        Some(match self.kind {
            _ if self.is_null() => "null",
            SIMPLE => "simple_string",
            ERROR => "error",
            INTEGER => "integer",
            BULK => "bulk_string",
            ARRAY => "array",
            DOUBLE => "double",
            BOOLEAN => "boolean",
            BIG_NUMBER => "big_number",
            BULK_ERROR => "bulk_error",
            VERBATIM => "verbatim_string",
            MAP => "map",
            SET => "set",
            PUSH => "push",
            _ => return None,
        })
    }

    /// The value of what is no aggregate, no error and not null.
    fn value(self, limits: &Limits) -> Result<Option<Value<'a>>, DecodeError> {
        Ok(Some(match self.kind {
            _ if self.is_null() => return Ok(None),
            SIMPLE | DOUBLE | BIG_NUMBER => text(Cow::Borrowed(self.line(limits)?)),
            INTEGER => match integer_value(self.line(limits)?) {
                Some(number) => Value::Int(number),
                None => return Err(Reason::BadEncoding { field: "integer" }.at(self.at)),
            },
            BOOLEAN => Value::str(if self.line(limits)? == b"t" { "true" } else { "false" }),
            BULK => text(self.string(limits)?),
            VERBATIM => text(match self.string(limits)? {
                Cow::Borrowed(string) => Cow::Borrowed(string.get(FORMAT_LEN..).unwrap_or_default()),
                Cow::Owned(string) => Cow::Owned(string.get(FORMAT_LEN..).unwrap_or_default().to_vec()),
            }),
            _ => return Ok(None),
        }))
    }

    /// The element with this number.
    fn element(self, index: usize, limits: &Limits) -> Result<Option<Self>, DecodeError> {
        match element(self.bytes, self.at, index, limits)? {
            Some(at) => Self::new(self.bytes, at).map(Some),
            None => Ok(None),
        }
    }

    fn element_value(self, index: usize, limits: &Limits) -> Result<Option<Value<'a>>, DecodeError> {
        match self.element(index, limits)? {
            Some(element) => element.value(limits),
            None => Ok(None),
        }
    }
}

/// The value that a frame is.
fn open<'a>(bytes: &'a [u8], limits: &Limits) -> Result<At<'a>, DecodeError> {
    let opened = At::new(bytes, value_at(bytes, 0, limits)?)?;
    if opened.type_name().is_none() { Err(unknown(opened.kind, opened.at)) } else { Ok(opened) }
}

/// A built-in field of what is no command.
pub(crate) fn field<'a>(
    bytes: &'a [u8],
    form: Form,
    id: u16,
    limits: &Limits,
) -> Result<Option<Value<'a>>, DecodeError> {
    match form {
        Form::Reply => of_reply(open(bytes, limits)?, id, limits),
        Form::Push => of_push(open(bytes, limits)?, id, limits),
        Form::Monitor if id == VALUE && bytes.len() <= MAX_SHOWN_LEN => open(bytes, limits)?.value(limits),
        Form::SnapshotHeader if id == LENGTH => Ok(match length(bytes, 1, "length of snapshot") {
            Ok((Length::Known(len), _)) => Some(number(len)),
            _ => None,
        }),
        _ => Ok(None),
    }
}

fn of_reply<'a>(reply: At<'a>, id: u16, limits: &Limits) -> Result<Option<Value<'a>>, DecodeError> {
    Ok(match id {
        REPLY_TYPE => reply.type_name().map(Value::str),
        LENGTH => match reply.kind {
            BULK | VERBATIM | ARRAY | MAP | SET | PUSH => match reply.length()? {
                (Length::Known(len), _) => Some(number(len)),
                _ => None,
            },
            _ => None,
        },
        VALUE if reply.bytes.len() <= MAX_SHOWN_LEN => reply.value(limits)?,
        ERROR_CODE | ERROR_MESSAGE | REDIRECT | SLOT if matches!(reply.kind, ERROR | BULK_ERROR) => {
            let told = if reply.kind == ERROR { Cow::Borrowed(reply.line(limits)?) } else { reply.string(limits)? };
            match told {
                Cow::Borrowed(told) => of_error(told, id).map(|part| match part {
                    Part::Text(told) => text(Cow::Borrowed(told)),
                    Part::Slot(slot) => Value::UInt(slot),
                }),
                Cow::Owned(told) => of_error(&told, id).map(|part| match part {
                    Part::Text(told) => text(Cow::Owned(told.to_vec())),
                    Part::Slot(slot) => Value::UInt(slot),
                }),
            }
        }
        _ => None,
    })
}

enum Part<'t> {
    Text(&'t [u8]),
    Slot(u64),
}

/// `CODE message`, or a message alone; `MOVED slot host:port`.
fn of_error(told: &[u8], id: u16) -> Option<Part<'_>> {
    let is_code = |word: &[u8]| {
        word.first().is_some_and(u8::is_ascii_uppercase)
            && word.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_')
    };
    let len = told.iter().position(|byte| *byte == b' ').unwrap_or(told.len());
    let (word, rest) = told.split_at_checked(len)?;
    let (code, message) =
        if is_code(word) { (Some(word), rest.strip_prefix(b" ").unwrap_or(rest)) } else { (None, told) };
    match id {
        ERROR_CODE => code.map(Part::Text),
        ERROR_MESSAGE => Some(Part::Text(message)),
        SLOT | REDIRECT if matches!(code, Some(b"MOVED" | b"ASK")) => {
            let blank = message.iter().position(|byte| *byte == b' ')?;
            let slot = integer_value(message.get(..blank)?).and_then(|slot| u64::try_from(slot).ok())?;
            Some(if id == SLOT { Part::Slot(slot) } else { Part::Text(message.get(blank + 1..)?) })
        }
        _ => None,
    }
}

fn of_push<'a>(push: At<'a>, id: u16, limits: &Limits) -> Result<Option<Value<'a>>, DecodeError> {
    let rest = push.bytes.get(push.at..).unwrap_or_default();
    let word = push_word(rest).unwrap_or_default();
    // `message channel payload`, `pmessage pattern channel payload`, `subscribe channel count`.
    let confirms = word.ends_with(b"subscribe");
    let of_pattern = word.starts_with(b"p") && (confirms || word == b"pmessage");
    let messages = confirms || word.ends_with(b"message");
    match id {
        REPLY_TYPE => Ok(push.type_name().map(Value::str)),
        LENGTH => Ok(match push.length()? {
            (Length::Known(len), _) => Some(number(len)),
            _ => None,
        }),
        PUSH_TYPE => push.element_value(0, limits),
        PATTERN if of_pattern => push.element_value(1, limits),
        CHANNEL if messages && !of_pattern => push.element_value(1, limits),
        CHANNEL if word == b"pmessage" => push.element_value(2, limits),
        SUBSCRIPTIONS if confirms => push.element_value(2, limits),
        // In RESP2 invalidations come as messages whose payload is an array of keys.
        KEY | KEY_COUNT | HASH_TAG | SLOT if word == b"invalidate" || word == b"message" => {
            let keys = push.element(if word == b"invalidate" { 1 } else { 2 }, limits)?;
            let Some(keys) = keys.filter(|keys| keys.kind == ARRAY && !keys.is_null()) else { return Ok(None) };
            if id == KEY_COUNT {
                return Ok(match keys.length()? {
                    (Length::Known(count), _) => Some(number(count)),
                    _ => None,
                });
            }
            match keys.element(0, limits)? {
                Some(key) if key.kind == BULK => {
                    let key = key.string(limits)?;
                    Ok(match (id, key) {
                        (SLOT, key) => Some(Value::UInt(slot(&key).into())),
                        (KEY, key) => Some(text(key)),
                        (_, Cow::Borrowed(key)) => hash_tag(key).map(|tag| text(Cow::Borrowed(tag))),
                        (_, Cow::Owned(key)) => hash_tag(&key).map(|tag| text(Cow::Owned(tag.to_vec()))),
                    })
                }
                _ => Ok(None),
            }
        }
        _ => Ok(None),
    }
}

/// The value of a frame, however long it is.
pub(crate) fn full_value<'a>(bytes: &'a [u8], form: Form, limits: &Limits) -> Result<Option<Value<'a>>, DecodeError> {
    match form {
        Form::Reply | Form::Monitor => open(bytes, limits)?.value(limits),
        _ => Ok(None),
    }
}

/// The value of an element: `0.3` is the fourth of the first. Keys and values of a map count alike.
pub(crate) fn value_at_path<'a>(
    bytes: &'a [u8],
    form: Form,
    path: &str,
    limits: &Limits,
) -> Result<Option<Value<'a>>, DecodeError> {
    if !matches!(form, Form::Reply | Form::Push) {
        return Ok(None);
    }
    let mut here = open(bytes, limits)?;
    for index in path.split('.') {
        let Ok(index) = index.parse() else { return Ok(None) };
        match here.element(index, limits)? {
            Some(element) => here = element,
            None => return Ok(None),
        }
    }
    match here.kind {
        ERROR => Ok(Some(text(Cow::Borrowed(here.line(limits)?)))),
        BULK_ERROR => here.string(limits).map(|told| Some(text(told))),
        _ => here.value(limits),
    }
}
