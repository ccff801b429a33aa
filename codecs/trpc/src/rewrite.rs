//! Edits by splicing: what no edit names, unknown fields among it, stays byte for byte as it is.
//!
//! A field that is set takes the place of its last occurrence, which is the one that counts, or goes to the end of its
//! message; one that is removed loses all occurrences. The lengths of inner messages and of the frame follow.

use std::borrow::Cow;

use metaprotocol_core::protobuf::{LEN, VARINT, push_bytes, push_number, push_varint};
use metaprotocol_core::{Edits, EncodeError, Frame, Limits, Patch, Segments, Value, patched, patched_len};

use crate::fields::{
    self, CALLEE, CALLER, ERROR_MSG, FUNC, FUNC_RET, MESSAGE_TYPE, METHOD, RET, SERVICE, STREAM_ID, TIMEOUT, VERSION,
    count_entry, entry_name, id_of, is_text, parts, slot,
};
use crate::message::{self, Field, Message, NO_SLOT, Slot};
use crate::wire::{FIXED_LEN, Fixed, STREAM};

/// The slot of `request_id` in requests and responses.
const REQUEST_ID: Slot = message::number::REQUEST_ID as Slot;
const READ_ONLY: &str = "it follows from the rest of the frame and can only be read";

const NOT_UTF8: &str = "func is not UTF-8: set func instead";

/// A field's new value.
enum New<'e> {
    Number(u64),
    Text(Cow<'e, str>),
}

/// What is to become of one field; `None` to remove it.
struct Change<'e> {
    slot: Slot,
    /// Its wire type.
    wire: u8,
    to: Option<New<'e>>,
}

/// What is to become of one entry of trans_info; `None` to remove it.
struct EntryChange<'e> {
    name: &'e str,
    to: Option<Cow<'e, str>>,
}

/// An inner message that stands in the frame.
struct Inner {
    number: u8,
    /// Its tag and its length.
    front: std::ops::Range<usize>,
    end: usize,
    /// By how many bytes it grows.
    growth: i64,
}

pub fn rewrite<'a>(frame: Frame<'a>, edits: &Edits<'_>, limits: &Limits) -> Result<Segments<'a>, EncodeError> {
    if edits.is_empty() {
        return Ok(vec![Cow::Borrowed(frame.bytes)]);
    }
    let (mut fixed, message) = message::open(frame)?;
    let mut plan = Plan { frame, message, changes: Vec::new(), entries: Vec::new() };
    for name in &edits.remove {
        // What is set as well is not taken away.
        let set = |(key, _): &(&str, Value<'_>)| id_of(key).is_some_and(|id| id_of(name) == Some(id));
        if !edits.set.iter().any(set) {
            plan.remove(name, limits)?;
        }
    }
    for (name, value) in &edits.set {
        if id_of(name) == Some(STREAM_ID) {
            fixed.stream_id = stream_id(fixed, value)?;
        } else {
            plan.set(name, value)?;
        }
    }
    if let Some(id) = edits.request_id {
        plan.request_id(&mut fixed, id)?;
    }
    let mut patches = plan.patches(limits)?;
    let header_len = patched_len(frame.header().len(), &patches);
    let total = patched_len(frame.bytes.len(), &patches);
    if fixed.data_type != STREAM {
        let len = header_len - FIXED_LEN;
        let too_long = EncodeError::TooLong { len: len as u64, max: u16::MAX.into() };
        fixed.message_len = u16::try_from(len).map_err(|_| too_long)?;
    }
    for (len, max) in [(header_len, limits.max_header_len.into()), (total, limits.max_frame_len.min(u32::MAX.into()))] {
        if len as u64 > max {
            return Err(EncodeError::TooLong { len: len as u64, max });
        }
    }
    fixed.total = total as u32;
    patches.push(Patch { at: 0..FIXED_LEN, with: fixed.to_bytes().to_vec() });
    Ok(patched(frame.bytes, patches))
}

fn not_writable(key: &str, why: &'static str) -> EncodeError {
    EncodeError::NotWritable { key: key.to_owned(), why: why.into() }
}

/// A value for a field of 32 bits, signed or not.
fn number(key: &str, value: &Value<'_>, signed: bool) -> Result<u64, EncodeError> {
    let wide = match value {
        Value::Int(number) => Some(i128::from(*number)),
        Value::UInt(number) => Some(i128::from(*number)),
        Value::Str(text) => text.parse().ok(),
    };
    let fits = |number: &i128| {
        if signed { i32::try_from(*number).is_ok() } else { u32::try_from(*number).is_ok() }
    };
    let expected = if signed { "a number from -2147483648 to 2147483647" } else { "a number from 0 to 4294967295" };
    let bad = || EncodeError::BadValue { key: key.to_owned(), expected: expected.into() };
    // Negative numbers go as the 64 bits of their two's complement.
    wide.filter(fits).map(|number| number as u64).ok_or_else(bad)
}

fn stream_id(fixed: Fixed, value: &Value<'_>) -> Result<u32, EncodeError> {
    if fixed.data_type != STREAM {
        return Err(not_writable("stream_id", "a unary frame belongs to no stream"));
    }
    number("stream_id", value, false).map(|id| id as u32)
}

struct Plan<'e, 'a> {
    frame: Frame<'a>,
    message: Message,
    changes: Vec<Change<'e>>,
    entries: Vec<EntryChange<'e>>,
}

impl<'e> Plan<'e, '_> {
    /// The place of a key, if this frame may be given it.
    fn place(&self, name: &str, id: u16) -> Result<Slot, EncodeError> {
        let written = matches!(id, CALLER | CALLEE | FUNC | TIMEOUT | MESSAGE_TYPE | RET | FUNC_RET | ERROR_MSG);
        if !written {
            return Err(not_writable(name, READ_ONLY));
        }
        self.has(name, slot(self.message, id))
    }

    /// A slot, if frames of this kind carry it.
    fn has(&self, name: &str, slot: Slot) -> Result<Slot, EncodeError> {
        match self.message {
            _ if slot == NO_SLOT => Err(not_writable(name, "frames of this type do not carry it")),
            message if message.has(slot >> 4) => Ok(slot),
            Message::Open => Err(not_writable(name, "only the answer to an INIT carries it")),
            _ => Err(not_writable(name, "the answer to an INIT does not carry it")),
        }
    }

    fn change(&mut self, slot: Slot, wire: u8, to: Option<New<'e>>) {
        self.changes.retain(|earlier| earlier.slot != slot);
        self.changes.push(Change { slot, wire, to });
    }

    fn change_entry(&mut self, name: &'e str, to: Option<Cow<'e, str>>) {
        let name = entry_name(name);
        self.entries.retain(|earlier| earlier.name != name);
        self.entries.push(EntryChange { name, to });
    }

    fn remove(&mut self, name: &'e str, limits: &Limits) -> Result<(), EncodeError> {
        match id_of(name) {
            None | Some(VERSION) => self.change_entry(name, None),
            // What the frame does not have need not be removed.
            Some(_) if fields::field(self.frame, &fields::key(name), limits)?.is_none() => {}
            // A func without a method is none.
            Some(METHOD) => {
                let slot = self.place(name, FUNC)?;
                self.change(slot, LEN, None);
            }
            Some(SERVICE) => {
                let slot = self.place(name, FUNC)?;
                let (_, method) = parts(self.func(slot)?);
                let method = std::str::from_utf8(method).map_err(|_| not_writable(name, NOT_UTF8))?;
                let func = Cow::Owned(format!("/{method}"));
                self.change(slot, LEN, Some(New::Text(func)));
            }
            Some(id) => {
                let slot = self.place(name, id)?;
                self.change(slot, if is_text(id) { LEN } else { VARINT }, None);
            }
        }
        Ok(())
    }

    fn set(&mut self, name: &'e str, value: &'e Value<'_>) -> Result<(), EncodeError> {
        match id_of(name) {
            None | Some(VERSION) => {
                self.has(name, self.message.trans_info())?;
                self.change_entry(name, Some(value.to_text()));
            }
            Some(id @ (SERVICE | METHOD)) => self.set_part(name, id, &value.to_text())?,
            Some(id) if is_text(id) => {
                let slot = self.place(name, id)?;
                self.change(slot, LEN, Some(New::Text(value.to_text())));
            }
            Some(id) => {
                let slot = self.place(name, id)?;
                let signed = matches!(id, RET | FUNC_RET);
                self.change(slot, VARINT, Some(New::Number(number(name, value, signed)?)));
            }
        }
        Ok(())
    }

    /// The func that the frame has or was given.
    fn func(&self, slot: Slot) -> Result<&[u8], EncodeError> {
        if let Some(change) = self.changes.iter().find(|change| change.slot == slot) {
            return Ok(match &change.to {
                Some(New::Text(text)) => text.as_bytes(),
                Some(New::Number(_)) | None => &[],
            });
        }
        let mut func: &[u8] = &[];
        message::walk(self.frame, self.message, &mut |at, field| {
            if at == slot && field.wire == LEN {
                func = field.bytes;
            }
            Ok(())
        })?;
        Ok(func)
    }

    /// Sets service or method in the func that the frame has or was given.
    fn set_part(&mut self, name: &str, id: u16, value: &str) -> Result<(), EncodeError> {
        let slot = self.place(name, FUNC)?;
        let func = self.func(slot)?;
        if id == METHOD && value.contains('/') {
            return Err(EncodeError::BadValue { key: name.to_owned(), expected: "a name without a slash".into() });
        }
        let (service, method) = parts(func);
        let other = if id == SERVICE { Some(method) } else { service };
        let other = other.map(std::str::from_utf8).transpose().map_err(|_| not_writable(name, NOT_UTF8))?;
        let func = match (id, other) {
            (SERVICE, method) => format!("/{value}/{}", method.unwrap_or_default()),
            (_, Some(service)) => format!("/{service}/{value}"),
            _ if func.first() == Some(&b'/') => format!("/{value}"),
            _ => value.to_owned(),
        };
        self.change(slot, LEN, Some(New::Text(Cow::Owned(func))));
        Ok(())
    }

    /// Gives a call or its answer another id, in the fixed header too, if that repeats it.
    fn request_id(&mut self, fixed: &mut Fixed, id: u64) -> Result<(), EncodeError> {
        if !matches!(self.message, Message::Request | Message::Response) {
            return Err(not_writable("request_id", "a frame of a stream has none; its stream_id can be set"));
        }
        let new = number("request_id", &Value::UInt(id), false)? as u32;
        let old = message::numbers(self.frame.header())?[message::number::REQUEST_ID];
        if new == old {
            return Ok(());
        }
        // 0 says both that the id is 0 and that there is no copy; peers of version 0 write none.
        if fixed.stream_id == old && (old != 0 || fixed.version != 0) {
            fixed.stream_id = new;
        }
        self.change(REQUEST_ID, VARINT, Some(New::Number(new.into())));
        Ok(())
    }

    /// The patches of the message.
    fn patches(&self, limits: &Limits) -> Result<Vec<Patch>, EncodeError> {
        let trans_info = self.message.trans_info();
        let mut last: Vec<Option<(Field<'_>, usize)>> = vec![None; self.changes.len()];
        let mut last_entry: Vec<Option<(Field<'_>, usize)>> = vec![None; self.entries.len()];
        let mut inners: Vec<Inner> = Vec::new();
        let mut patches = Vec::new();
        let mut count = 0;
        message::walk(self.frame, self.message, &mut |at, field| {
            if field.wire == LEN && self.message.nests(at.into()) {
                inners.push(Inner { number: at, front: field.at..field.value_at, end: field.end, growth: 0 });
            }
            // The inner message that was visited last is the one that this field stands in.
            let inner = inners.len().saturating_sub(1);
            for (change, last) in self.changes.iter().zip(&mut last) {
                if (change.slot, change.wire) != (at, field.wire) {
                    continue;
                }
                match change.to {
                    Some(_) => *last = Some((field, inner)),
                    None => cut(&mut patches, &mut inners, field, at >> 4, inner),
                }
            }
            if at == trans_info && at != NO_SLOT && field.wire == LEN && !self.entries.is_empty() {
                count_entry(&mut count, limits, field)?;
                let (key, _) = message::entry(self.frame, field)?;
                for (change, last) in self.entries.iter().zip(&mut last_entry) {
                    if change.name.as_bytes() != key {
                        continue;
                    }
                    match change.to {
                        Some(_) => *last = Some((field, inner)),
                        None => cut(&mut patches, &mut inners, field, at >> 4, inner),
                    }
                }
            }
            Ok(())
        })?;

        let mut added: [Vec<u8>; 3] = Default::default();
        let mut splice = |slot: Slot, last: Option<(Field<'_>, usize)>, with: Vec<u8>| match last {
            Some((field, inner)) => {
                grow(&mut inners, slot >> 4, inner, with.len() as i64 - (field.end - field.at) as i64);
                patches.push(Patch { at: field.at..field.end, with });
            }
            None => {
                if let Some(added) = added.get_mut(usize::from(slot >> 4)) {
                    added.extend_from_slice(&with);
                }
            }
        };
        for (change, last) in self.changes.iter().zip(last) {
            let number = u32::from(change.slot & 15);
            let mut with = Vec::new();
            match &change.to {
                Some(New::Number(value)) => push_number(&mut with, number, *value),
                Some(New::Text(text)) => push_bytes(&mut with, number, text.as_bytes()),
                None => continue,
            }
            splice(change.slot, last, with);
        }
        for (change, last) in self.entries.iter().zip(last_entry) {
            let Some(value) = &change.to else { continue };
            let mut with = Vec::new();
            message::push_entry(&mut with, u32::from(trans_info & 15), change.name.as_bytes(), value.as_bytes());
            splice(trans_info, last, with);
        }
        self.append(added, inners, &mut patches);
        Ok(patches)
    }

    /// What is added goes to the end of the message, or of the last inner message of its number; then the lengths of inner
    /// messages follow.
    fn append(&self, added: [Vec<u8>; 3], mut inners: Vec<Inner>, patches: &mut Vec<Patch>) {
        let end = self.frame.header().len();
        let mut behind = Vec::new();
        for (number, with) in added.into_iter().enumerate().filter(|(_, with)| !with.is_empty()) {
            match inners.iter_mut().rfind(|inner| usize::from(inner.number) == number) {
                Some(inner) => {
                    inner.growth += with.len() as i64;
                    patches.push(Patch { at: inner.end..inner.end, with });
                }
                None if number == 0 => behind.extend_from_slice(&with),
                None => push_bytes(&mut behind, number as u32, &with),
            }
        }
        for inner in inners.into_iter().filter(|inner| inner.growth != 0) {
            let len = (inner.end - inner.front.end) as i64 + inner.growth;
            let mut with = Vec::new();
            push_varint(&mut with, u64::from(inner.number) << 3 | u64::from(LEN));
            push_varint(&mut with, len.unsigned_abs());
            patches.push(Patch { at: inner.front, with });
        }
        if !behind.is_empty() {
            patches.push(Patch { at: end..end, with: behind });
        }
    }
}

/// Takes a field out.
fn cut(patches: &mut Vec<Patch>, inners: &mut [Inner], field: Field<'_>, outer: u8, inner: usize) {
    grow(inners, outer, inner, -((field.end - field.at) as i64));
    patches.push(Patch { at: field.at..field.end, with: Vec::new() });
}

/// Notes that the inner message which a field stands in has changed its length.
fn grow(inners: &mut [Inner], outer: u8, inner: usize, by: i64) {
    if let (1.., Some(inner)) = (outer, inners.get_mut(inner)) {
        inner.growth += by;
    }
}
