//! Edits: keys and arguments are written anew where they change, with their lengths; everything else is borrowed, and so is
//! a key that only gets a prefix.

use std::borrow::Cow;

use metaprotocol_core::{Edits, EncodeError, Frame, Key, Limits, Patch, Segments, patched, patched_len};

use crate::command::{Argument, MAX_INLINE_LEN, quote};
use crate::fields::{self, ARG_PREFIX, KEY, KEY_PREFIX, numbered};
use crate::requests::Request;
use crate::wire::{self, CRLF, Form};

/// What is put before every key.
const PREFIX_KEY: &str = "key_prefix";

const WRITABLE: &str = "of a Redis frame only key, key.N, arg.N and key_prefix of a command can be set";

fn not_writable(key: &str, why: impl Into<Cow<'static, str>>) -> EncodeError {
    EncodeError::NotWritable { key: key.into(), why: why.into() }
}

/// The verb.
pub(crate) fn rewrite<'a>(frame: Frame<'a>, edits: &Edits<'_>, limits: &Limits) -> Result<Segments<'a>, EncodeError> {
    if edits.request_id.is_some() {
        return Err(not_writable("request_id", "Redis has no request ids: answers come in order"));
    }
    for key in &edits.remove {
        let key = Key { name: (*key).into(), id: fields::key_id(key).unwrap_or(Key::DYNAMIC) };
        if fields::field(frame, &key, limits)?.is_some() {
            return Err(not_writable(&key.name, "it is part of the command or reply; set it instead, if it is a key"));
        }
    }
    if edits.set.is_empty() {
        return Ok(vec![Cow::Borrowed(frame.bytes)]);
    }
    let form = match wire::form(frame.head.variant) {
        Some(form) if form.is_command() => form,
        _ => return Err(not_writable(edits.set.first().map_or("", |(key, _)| key), WRITABLE)),
    };
    let request = Request::open(frame.bytes, form)?;
    let plan = Plan::new(edits, &request)?;
    let mut patches = Vec::new();
    for (at, argument) in request.arguments().enumerate() {
        let argument = argument?;
        let prefix = plan.prefix.as_deref().filter(|_| plan.is_key(at)).unwrap_or_default();
        let set = plan.arguments.iter().rfind(|(place, _)| *place == at).map(|(_, value)| &**value);
        if prefix.is_empty() && set.is_none() {
            continue;
        }
        patches.push(patch(form, &argument, prefix.as_bytes(), set));
    }
    let len = patched_len(frame.bytes.len(), &patches);
    if form == Form::Inline && len > MAX_INLINE_LEN {
        return Err(EncodeError::TooLong { len: len as u64, max: MAX_INLINE_LEN as u64 });
    }
    Ok(patched(frame.bytes, patches))
}

/// All edits, checked.
struct Plan {
    prefix: Option<String>,
    positions: crate::keys::Positions,
    /// Arguments by position; the last of a position counts.
    arguments: Vec<(usize, Vec<u8>)>,
}

impl Plan {
    fn new(edits: &Edits<'_>, request: &Request<'_>) -> Result<Self, EncodeError> {
        let positions = request.positions()?;
        // MIGRATE names its keys elsewhere if this one is empty.
        let migrates = request.name().eq_ignore_ascii_case(b"MIGRATE");
        let mut plan = Self { prefix: None, positions, arguments: Vec::new() };
        let count = request.arguments().total();
        for (key, value) in &edits.set {
            let value = value.to_text();
            if *key == PREFIX_KEY {
                if positions.count() == 0 && request.field(fields::KEY_COUNT)?.is_none() {
                    return Err(not_writable(key, "where the keys of this command are is not known"));
                }
                plan.prefix = Some(value.into_owned());
                continue;
            }
            let at = if fields::key_id(key) == Some(KEY) {
                match positions.count() {
                    1 => positions.first().unwrap_or_default(),
                    0 => return Err(not_writable(key, "the command has no key, or it is not known where")),
                    _ => {
                        return Err(not_writable(
                            key,
                            "the command has several keys; set key.0, key.1 … or key_prefix",
                        ));
                    }
                }
            } else if let Some(number) = numbered(key, KEY_PREFIX) {
                let at = (0..count).filter(|at| positions.contain(*at)).nth(number);
                at.ok_or_else(|| not_writable(key, "the command has no such key"))?
            } else if let Some(at) = numbered(key, ARG_PREFIX) {
                if at == 0 || at >= count {
                    return Err(not_writable(key, "the command has no such argument; the first is arg.1"));
                }
                at
            } else {
                return Err(not_writable(key, WRITABLE));
            };
            if migrates && at == 3 && value.is_empty() != request.argument(3)?.is_some_and(|key| key.value.is_empty()) {
                let expected = "a key that is not empty: an empty one says that the keys stand elsewhere";
                return Err(EncodeError::BadValue { key: (*key).into(), expected: expected.into() });
            }
            plan.arguments.push((at, value.into_owned().into_bytes()));
        }
        Ok(plan)
    }

    fn is_key(&self, at: usize) -> bool {
        self.positions.contain(at)
    }
}

/// An argument with a prefix, or with another value.
fn patch(form: Form, argument: &Argument<'_>, prefix: &[u8], set: Option<&[u8]>) -> Patch {
    let value = set.unwrap_or(&argument.value);
    let place = argument.place.clone();
    if form == Form::Inline {
        return Patch { at: place, with: quote(&[prefix, value].concat()).into_owned() };
    }
    let mut with = format!("${}\r\n", prefix.len() + value.len()).into_bytes();
    with.extend_from_slice(prefix);
    if let Some(value) = set {
        with.extend_from_slice(value);
        with.extend_from_slice(CRLF);
        return Patch { at: place, with };
    }
    // Only what stands before the value changes.
    let value_at = place.end - CRLF.len() - value.len();
    Patch { at: place.start..value_at, with }
}
