//! Edits by splicing: the fields that an edit names are replaced in the meta, all other bytes stay, and the sizes are
//! patched. To set the service or the method is to set one half of their name.

use std::borrow::Cow;

use metaprotocol_brpc::meta::{As, Parent, Path, Plan, REQUEST, Splice, lengths, not_writable};
use metaprotocol_core::protobuf::push_number;
use metaprotocol_core::{Edits, EncodeError, Frame, Limits, Patch, RequestId, Segments, Value, patched};

use crate::fields::{TABLE, field, halves, message, on};
use crate::wire::{HEADER_LEN, header, meta};

const FULL_METHOD: &str = "full_method";
const HALVES: [&str; 3] = ["service", "interface", "method"];
const SEQUENCE_ID: Path = Path { parent: Parent::Meta, number: meta::SEQUENCE_ID };

pub fn rewrite<'a>(frame: Frame<'a>, edits: &Edits<'_>, limits: &Limits) -> Result<Segments<'a>, EncodeError> {
    let request_id = edits.request_id.filter(|id| frame.head.request_id != RequestId::Int(*id));
    if edits.set.is_empty() && edits.remove.is_empty() && request_id.is_none() {
        return Ok(vec![Cow::Borrowed(frame.bytes)]);
    }
    let (message, on) = (message(frame)?, on(frame));
    let has = |key: &_| Ok(field(frame, key, limits)?.is_some());
    let is_set = edits.set.iter().any(|(key, _)| HALVES.contains(key) || *key == FULL_METHOD);
    for name in HALVES {
        if !is_set && edits.remove.contains(&name) && has(&TABLE.key(name))? {
            return Err(not_writable(name, "it is required; set it to another value instead"));
        }
    }
    let edits = with_full_method(frame, edits, limits)?;
    let plan = Plan::new(&TABLE, on, &[FULL_METHOD], &edits, &has)?;
    plan.refuse_users()?;
    let mut splice = Splice::new(message);
    plan.apply(&mut splice)?;
    if let Some(id) = request_id {
        let mut encoded = Vec::with_capacity(11);
        push_number(&mut encoded, meta::SEQUENCE_ID, id);
        splice.set(SEQUENCE_ID, As::UInt64, encoded)?;
    }
    let (mut patches, longer) = splice.finish();
    let (meta, both) = lengths(frame.bytes.len(), frame.head.header_len as usize, HEADER_LEN, longer, limits)?;
    let header = header(meta, (both - meta).into());
    patches.push(Patch { at: 0..HEADER_LEN, with: header.to_vec() });
    Ok(patched(frame.bytes, patches))
}

/// The edits with those of halves, each as it comes, as one of the whole name.
fn with_full_method<'e>(frame: Frame<'_>, edits: &Edits<'e>, limits: &Limits) -> Result<Edits<'e>, EncodeError> {
    let half = edits.set.iter().find(|(key, _)| HALVES.contains(key));
    let remove = edits.remove.iter().copied().filter(|key| !HALVES.contains(key)).collect();
    let Some((half, _)) = half else {
        // Halves that are there and not set are refused before.
        return Ok(Edits { set: edits.set.clone(), remove, request_id: None });
    };
    if on(frame) != REQUEST {
        return Err(not_writable(half, "frames of this kind do not carry it"));
    }
    let now = field(frame, &TABLE.key(FULL_METHOD), limits)?;
    let mut whole = now.map_or(String::new(), |name| name.to_text().into_owned());
    for (key, value) in &edits.set {
        let value = value.to_text();
        let (service, method) = halves(&whole);
        whole = match *key {
            FULL_METHOD => value.into_owned(),
            "method" => service.map_or(value.to_string(), |service| format!("{service}.{value}")),
            key if HALVES.contains(&key) => format!("{value}.{method}"),
            _ => continue,
        };
    }
    let mut set: Vec<_> = edits.set.iter().filter(|(key, _)| !HALVES.contains(key)).cloned().collect();
    set.push((FULL_METHOD, Value::Str(Cow::Owned(whole))));
    Ok(Edits { set, remove, request_id: None })
}
