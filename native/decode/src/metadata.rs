//! Metadata of a frame as the inside of a JSON object, and the names that every row shows.

use std::ops::ControlFlow;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use metaprotocol_core::{DecodeError, Frame, Key, Kind, Limits, Value};
use std::hash::BuildHasher;

use crate::json;
use crate::protocol::{FAILED, Protocol, Role};

/// Longest value shown, in bytes. A longer one is cut: rows wait for responses in memory.
const VALUE_MAX: usize = 64 << 10;
/// Above this many fields, equal keys are looked for by hash.
const FEW: usize = 32;

/// A field that was written.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Where its comma stands.
    from: usize,
    key_end: usize,
    to: usize,
    replaced: bool,
}

/// What is read of a frame besides its metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// Service and method, of a request.
    Method,
    /// The error, of a response whose request is known.
    Error,
    /// Both, of a response alone.
    Both,
}

/// Reads frames. Reused from frame to frame, so that its buffers grow once.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    pub(crate) service: String,
    pub(crate) method: String,
    pub(crate) error: String,
    error_class: String,
    /// The response carries an error, whatever its kind.
    pub(crate) failed: bool,
    /// A value was cut.
    pub(crate) cut: bool,
    entries: Vec<Entry>,
    /// The fingerprint of each entry's key, apart so that many are compared at once.
    prints: Vec<u32>,
    kept: Vec<u8>,
    index: HashTable<usize>,
    hasher: RandomState,
}

fn put(target: &mut String, value: &Value<'_>) {
    target.clear();
    match value {
        Value::Str(text) => target.push_str(text),
        number => target.push_str(&number.to_text()),
    }
}

/// The front of a text, at most `max` bytes, cut between characters.
fn front(text: &str, max: usize) -> &str {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

fn write_value(out: &mut Vec<u8>, value: &Value<'_>) -> bool {
    match value {
        Value::Str(text) if text.len() > VALUE_MAX => {
            out.push(b'"');
            json::escaped(out, front(text, VALUE_MAX));
            out.extend_from_slice("…\"".as_bytes());
            return true;
        }
        Value::Str(text) => json::string(out, text),
        Value::Int(number) => json::integer(out, *number),
        Value::UInt(number) => json::integer(out, *number),
    }
    false
}

/// Tells most keys apart by one comparison.
pub(crate) fn fingerprint(key: &str) -> u32 {
    let bytes = key.as_bytes();
    let at = |index: usize| bytes.get(index).copied().unwrap_or(0);
    u32::from_le_bytes([bytes.len() as u8, at(0), at(bytes.len() / 2), at(bytes.len().wrapping_sub(1))])
}

impl Reader {
    fn clear(&mut self) {
        self.service.clear();
        self.method.clear();
        self.error.clear();
        self.error_class.clear();
        self.cut = false;
        self.failed = false;
    }

    fn end(&mut self) {
        if !self.error_class.is_empty() {
            if !self.error.is_empty() {
                self.error_class.push_str(": ");
                self.error_class.push_str(&self.error);
            }
            std::mem::swap(&mut self.error, &mut self.error_class);
        }
        for text in [&mut self.service, &mut self.method, &mut self.error] {
            if text.len() > VALUE_MAX {
                text.truncate(front(text, VALUE_MAX).len());
                text.push('…');
                self.cut = true;
            }
        }
    }

    /// Reads the names, and nothing else.
    pub(crate) fn names(
        &mut self,
        protocol: &Protocol,
        frame: Frame<'_>,
        limits: &Limits,
        names: Names,
    ) -> Result<(), DecodeError> {
        self.clear();
        let result = self.find_names(protocol, frame, limits, names);
        self.end();
        result
    }

    fn find_names(
        &mut self,
        protocol: &Protocol,
        frame: Frame<'_>,
        limits: &Limits,
        names: Names,
    ) -> Result<(), DecodeError> {
        let find = |key: Option<&Key>, target: &mut String| {
            if let Some(key) = key
                && let Some(value) = protocol.codec.field(frame, key, limits)?
            {
                put(target, &value);
            }
            Ok(())
        };
        if names != Names::Error {
            find(protocol.method.as_ref(), &mut self.method)?;
            find(protocol.service.as_ref(), &mut self.service)?;
        }
        if names != Names::Method {
            self.failed = frame.head.kind == Kind::Error;
            if let Some(key) = &protocol.reply_type
                && !self.failed
            {
                self.failed = protocol.codec.field(frame, key, limits)? == Some(Value::str(FAILED));
            }
            if self.failed {
                find(protocol.error_class.as_ref(), &mut self.error_class)?;
                for key in &protocol.error_messages {
                    find(Some(key), &mut self.error)?;
                }
            }
        }
        Ok(())
    }

    /// Reads the names, and appends the chosen fields to `out`: each as `"key":value`, with commas between.
    pub(crate) fn chosen(
        &mut self,
        protocol: &Protocol,
        frame: Frame<'_>,
        limits: &Limits,
        names: Names,
        out: &mut Vec<u8>,
    ) -> Result<(), DecodeError> {
        self.clear();
        let mut result = self.find_names(protocol, frame, limits, names);
        for key in &protocol.chosen {
            match protocol.codec.field(frame, key, limits) {
                Ok(Some(value)) => {
                    if !out.is_empty() {
                        out.push(b',');
                    }
                    json::string(out, &key.name);
                    out.push(b':');
                    self.cut |= write_value(out, &value);
                }
                Ok(None) => {}
                Err(error) => result = result.and(Err(error)),
            }
        }
        self.end();
        result
    }

    /// Reads the names, and appends all fields to `out`: each as `"key":value`, with commas between.
    pub(crate) fn all(
        &mut self,
        protocol: &Protocol,
        frame: Frame<'_>,
        limits: &Limits,
        out: &mut Vec<u8>,
    ) -> Result<(), DecodeError> {
        self.clear();
        let Self { service, method, error, error_class, failed, cut, entries, prints, kept, index, hasher } = self;
        entries.clear();
        prints.clear();
        index.clear();
        let mut replaced = false;
        let result = protocol.codec.fields(frame, limits, &mut |name, value| {
            let print = fingerprint(name);
            match protocol.role(print, name) {
                None => {}
                Some(Role::Method) => put(method, &value),
                Some(Role::Service) => put(service, &value),
                Some(Role::ErrorClass) => put(error_class, &value),
                Some(Role::ErrorMessage) => put(error, &value),
                Some(Role::ReplyType) => *failed = value == Value::str(FAILED),
            }
            let from = out.len();
            if from > 0 {
                out.push(b',');
            }
            let key_from = out.len();
            json::string(out, name);
            let key_end = out.len();
            out.push(b':');
            *cut |= write_value(out, &value);
            let entry = Entry { from, key_end, to: out.len(), replaced: false };
            let key_of = |entry: &Entry| {
                let from = entry.from + usize::from(entry.from > 0);
                out.get(from..entry.key_end).unwrap_or_default()
            };
            let key = out.get(key_from..key_end).unwrap_or_default();
            let earlier = if entries.len() <= FEW {
                // Almost always none is equal: compare all without an early exit first.
                if prints.iter().fold(false, |any, other| any | (*other == print)) {
                    let same = |other: &Entry| !other.replaced && key_of(other) == key;
                    entries.iter().zip(&*prints).position(|(other, known)| *known == print && same(other))
                } else {
                    None
                }
            } else {
                index
                    .find(hasher.hash_one(key), |at| {
                        entries.get(*at).is_some_and(|other| !other.replaced && key_of(other) == key)
                    })
                    .copied()
            };
            if let Some(other) = earlier.and_then(|at| entries.get_mut(at)) {
                other.replaced = true;
                replaced = true;
            }
            entries.push(entry);
            prints.push(print);
            let rehash = |at: &usize| entries.get(*at).map_or(0, |entry| hasher.hash_one(key_of(entry)));
            match entries.len() - 1 {
                // From here on by hash: enter all that are there.
                FEW => {
                    for at in 0..=FEW {
                        index.insert_unique(rehash(&at), at, rehash);
                    }
                }
                at if at > FEW => {
                    index.insert_unique(rehash(&at), at, rehash);
                }
                _ => {}
            }
            ControlFlow::Continue(())
        });
        if replaced {
            kept.clear();
            for entry in entries.iter().filter(|entry| !entry.replaced) {
                if !kept.is_empty() {
                    kept.push(b',');
                }
                let from = entry.from + usize::from(entry.from > 0);
                kept.extend_from_slice(out.get(from..entry.to).unwrap_or_default());
            }
            std::mem::swap(out, kept);
        }
        self.end();
        result
    }
}
