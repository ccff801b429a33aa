//! Edits in place: fields of the header have their places, and no length changes.

use std::borrow::Cow;

use metaprotocol_brpc::meta::not_writable;
use metaprotocol_core::{Edits, EncodeError, Frame, Limits, Patch, Segments, patched};

use crate::fields::{KEYS, field, key, part};
use crate::nshead::{Part, header, no_provider, required};

pub fn rewrite<'a>(frame: Frame<'a>, edits: &Edits<'_>, limits: &Limits) -> Result<Segments<'a>, EncodeError> {
    if edits.is_empty() {
        return Ok(vec![Cow::Borrowed(frame.bytes)]);
    }
    if edits.request_id.is_some() {
        return Err(not_writable("request_id", "nova has none: answers come in the order of the requests"));
    }
    header(frame.bytes)?;
    let mut patches: Vec<Patch> = Vec::new();
    let mut put = |patch: Patch| {
        patches.retain(|earlier| earlier.at != patch.at);
        patches.push(patch);
    };
    // What is set as well is not taken away.
    for &name in edits.remove.iter().filter(|name| edits.set.iter().all(|(set, _)| set != *name)) {
        match part(name) {
            Some(Part::Provider) => put(no_provider()),
            _ if field(frame, &key(name), limits)?.is_some() => return Err(required(name)),
            _ => {}
        }
    }
    for (name, value) in &edits.set {
        match (KEYS.iter().find(|key| key.name == *name), part(name)) {
            (Some(key), Some(part)) if key.writable => put(part.patch(name, value)?),
            (Some(_), _) => {
                return Err(not_writable(name, "it follows from the rest of the frame and can only be read"));
            }
            (None, _) => return Err(not_writable(name, "nova has no place for fields of its users")),
        }
    }
    Ok(patched(frame.bytes, patches))
}
