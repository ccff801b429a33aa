//! Edits by splicing: the bytes that an edit names are replaced, all others stay, and the lengths are patched.
//!
//! Hessian 2 numbers containers, type names and class definitions through the whole body, and later values refer to
//! them by number. Strings have no number, so adding or replacing strings moves nothing. Taking away a value that has
//! numbered parts does: that is refused if anything behind it refers to a number from there on.

use std::borrow::Cow;

use metaprotocol_core::{Edits, EncodeError, Frame, Limits, Patch, Segments, Value, patched, patched_len};

use crate::body::{self, Attachments, Entries};
use crate::fields::{self, Place};
use crate::hessian::{Counts, END, MAP, Reader, write_str};
use crate::wire::{HEADER_LEN, HESSIAN2, Header, OK};

/// One attachment to be changed.
struct Change<'e> {
    name: &'e str,
    /// The new text; `None` to remove it.
    value: Option<Cow<'e, str>>,
    /// Whether to add it where the frame lacks it.
    add: bool,
    done: bool,
}

pub fn rewrite<'a>(frame: Frame<'a>, edits: &Edits<'_>, limits: &Limits) -> Result<Segments<'a>, EncodeError> {
    if edits.is_empty() {
        return Ok(vec![Cow::Borrowed(frame.bytes)]);
    }
    let mut header = fields::header(frame)?;
    let mut patches =
        if edits.set.is_empty() && edits.remove.is_empty() { Vec::new() } else { plan(frame, header, edits, limits)? };
    if let Some(request_id) = edits.request_id {
        header.request_id = request_id;
    }
    let len = patched_len(frame.bytes.len(), &patches);
    let max = limits.max_frame_len.min(i32::MAX as u64);
    if len as u64 > max {
        return Err(EncodeError::TooLong { len: len as u64, max });
    }
    let header = header.to_bytes((len - HEADER_LEN) as u32).to_vec();
    patches.push(Patch { at: 0..HEADER_LEN, with: header });
    Ok(patched(frame.bytes, patches))
}

fn not_writable(key: &str, why: &'static str) -> EncodeError {
    EncodeError::NotWritable { key: key.to_owned(), why: why.into() }
}

/// The patches of a frame's body, in order.
fn plan(frame: Frame<'_>, header: Header, edits: &Edits<'_>, limits: &Limits) -> Result<Vec<Patch>, EncodeError> {
    if header.serialization() != HESSIAN2 {
        let key = edits.set.first().map(|(key, _)| *key).or(edits.remove.first().copied()).unwrap_or_default();
        return Err(not_writable(key, "the body is not in Hessian 2, so only the request id can be changed"));
    }
    if header.is_event() {
        return refuse_set(edits, "heartbeats and other events have no attachments");
    }
    let mut reader = body::reader(frame.bytes, limits);
    let mut patches = Vec::new();
    let (strings, mut changes) = sort(frame, header.is_request(), edits, limits)?;
    if header.is_request() {
        for (place, value) in strings.iter().enumerate() {
            let start = reader.at();
            if place < body::TYPES {
                body::string(&mut reader, place)?;
            }
            if let Some(value) = value {
                patches.push(Patch { at: start..reader.at(), with: encoded(value) });
            }
        }
        if changes.is_empty() {
            return Ok(patches);
        }
        body::skip_arguments(&mut reader)?;
    } else {
        if let Some((key, _)) =
            edits.set.iter().find(|(key, _)| matches!(fields::place(fields::id_of(key)), Place::String(_)))
        {
            return Err(not_writable(key, "responses do not carry it"));
        }
        if header.status != OK {
            return refuse_set(edits, "a response whose status is not ok has no attachments");
        }
        let result_type = body::result_type(&mut reader)?;
        if !body::has_attachments(result_type) {
            return refuse_set(
                edits,
                "this response has no attachments, and adding some would need a result type that clients before Dubbo \
                 2.0.2 do not know",
            );
        }
        if body::has_value(result_type) {
            reader.skip()?;
        }
    }
    splice(&mut reader, frame.bytes.len(), &mut changes, limits, &mut patches)?;
    Ok(patches)
}

/// A frame with no place for attachments: there is nothing to remove, and nothing can be set.
fn refuse_set(edits: &Edits<'_>, why: &'static str) -> Result<Vec<Patch>, EncodeError> {
    edits.set.first().map_or(Ok(Vec::new()), |(key, _)| Err(not_writable(key, why)))
}

/// The new texts of the strings before the arguments, and the changes of attachments.
type Sorted<'e> = ([Option<Cow<'e, str>>; body::TYPES], Vec<Change<'e>>);

fn sort<'e>(
    frame: Frame<'_>,
    is_request: bool,
    edits: &'e Edits<'_>,
    limits: &Limits,
) -> Result<Sorted<'e>, EncodeError> {
    let mut strings: [Option<Cow<'e, str>>; body::TYPES] = Default::default();
    let mut changes = Vec::new();
    for name in &edits.remove {
        let key = fields::key(name);
        match fields::place(key.id) {
            Place::Attachment => change(&mut changes, name, None, false),
            _ if fields::field(frame, &key, limits)?.is_none() => {}
            Place::String(_) => {
                return Err(not_writable(name, "every request has it; set it to another value instead"));
            }
            Place::Fixed => return Err(not_writable(name, READ_ONLY)),
        }
    }
    for (name, value) in &edits.set {
        let id = fields::id_of(name);
        match fields::place(id) {
            Place::Attachment if is_request && matches!(id, fields::PATH | fields::INTERFACE) => {
                let (name_is, path_attached) = service_name(frame, limits)?;
                if let (Some(string), true) = (strings.get_mut(body::SERVICE), name_is == Some(id)) {
                    *string = Some(value.to_text());
                }
                change(&mut changes, name, Some(value), path_attached || id == fields::INTERFACE);
            }
            Place::Attachment => change(&mut changes, name, Some(value), true),
            Place::String(place) => {
                if let Some(string) = strings.get_mut(place) {
                    *string = Some(value.to_text());
                }
            }
            Place::Fixed => return Err(not_writable(name, READ_ONLY)),
        }
    }
    Ok((strings, changes))
}

/// Which of path and interface the name before the method is, and whether the path is an attachment.
///
/// Clients write the interface there, which mostly is the path, too. Providers read the arguments by that name, and call
/// the service of the attachment, or of that name if there is none.
fn service_name(frame: Frame<'_>, limits: &Limits) -> Result<(Option<u16>, bool), EncodeError> {
    let name = body::string_at(&mut body::reader(frame.bytes, limits), body::SERVICE)?;
    let is = |value: Option<Value<'_>>| {
        value.is_some_and(|value| name.as_ref().is_some_and(|name| name.is(&value.to_text())))
    };
    let path = fields::request_attachment(frame, "path", limits)?;
    let path_attached = path.is_some();
    Ok(if !path_attached || is(path) {
        (Some(fields::PATH), path_attached)
    } else if is(fields::request_attachment(frame, "interface", limits)?) {
        (Some(fields::INTERFACE), true)
    } else {
        (None, true)
    })
}

const READ_ONLY: &str = "it follows from the rest of the frame and can only be read";

/// Adds a change, in place of an earlier one of the same name.
fn change<'e>(changes: &mut Vec<Change<'e>>, name: &'e str, value: Option<&'e Value<'_>>, add: bool) {
    changes.retain(|earlier| earlier.name != name);
    changes.push(Change { name, value: value.map(Value::to_text), add, done: false });
}

fn encoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() + 3);
    write_str(&mut bytes, text);
    bytes
}

/// The entries that the map does not have yet.
fn additions(changes: &[Change<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for change in changes.iter().filter(|change| change.add && !change.done) {
        if let Some(value) = &change.value {
            write_str(&mut bytes, change.name);
            write_str(&mut bytes, value);
        }
    }
    bytes
}

/// Patches the attachments, at which `reader` stands.
fn splice(
    reader: &mut Reader<'_>,
    frame_len: usize,
    changes: &mut [Change<'_>],
    limits: &Limits,
    patches: &mut Vec<Patch>,
) -> Result<(), EncodeError> {
    let start = reader.at();
    let found = body::attachments(reader)?;
    if found == Attachments::Map {
        return splice_map(reader, frame_len, changes, limits, patches);
    }
    let entries = additions(changes);
    if entries.is_empty() {
        return Ok(());
    }
    if found == Attachments::Other {
        let key = changes.iter().find(|change| change.add).map_or("", |change| change.name);
        return Err(not_writable(key, "what stands in the place of the attachments is no map"));
    }
    let with = [&[MAP], entries.as_slice(), &[END]].concat();
    let end = start + usize::from(found == Attachments::Null);
    patches.push(Patch { at: start..end, with });
    Ok(())
}

fn splice_map(
    reader: &mut Reader<'_>,
    frame_len: usize,
    changes: &mut [Change<'_>],
    limits: &Limits,
    patches: &mut Vec<Patch>,
) -> Result<(), EncodeError> {
    const SHIFTED: &str = "a later attachment refers to a part of its value by number, which would change its meaning";
    // The lowest numbers that have changed their meaning so far.
    let mut lost: Option<(Counts, &str)> = None;
    let mut entries = Entries::new(reader, limits);
    loop {
        let before = reader.counts();
        reader.take_used();
        let Some(entry) = entries.next(reader)? else { break };
        let change = entry.key.and_then(|key| changes.iter_mut().find(|change| key.is(change.name)));
        let Some(change) = change else {
            let used = reader.take_used();
            if let Some((lost, name)) = lost
                && (used.containers > lost.containers || used.types > lost.types || used.definitions > lost.definitions)
            {
                return Err(not_writable(name, SHIFTED));
            }
            continue;
        };
        change.done = true;
        patches.push(match &change.value {
            Some(value) => Patch { at: entry.value_at..entry.end, with: encoded(value) },
            None => Patch { at: entry.at..entry.end, with: Vec::new() },
        });
        let after = reader.counts();
        if after != before {
            let (known, _) = *lost.get_or_insert((NONE_LOST, change.name));
            lost = Some((
                Counts {
                    containers: lowest(known.containers, before.containers, after.containers),
                    types: lowest(known.types, before.types, after.types),
                    definitions: lowest(known.definitions, before.definitions, after.definitions),
                },
                change.name,
            ));
        }
    }
    if let (Some((_, name)), true) = (lost, reader.at() < frame_len) {
        return Err(not_writable(name, SHIFTED));
    }
    let with = additions(changes);
    if !with.is_empty() {
        let end = reader.at() - 1;
        patches.push(Patch { at: end..end, with });
    }
    Ok(())
}

const NONE_LOST: Counts = Counts { containers: u32::MAX, types: u32::MAX, definitions: u32::MAX };

const fn lowest(known: u32, before: u32, after: u32) -> u32 {
    if after > before && before < known { before } else { known }
}
