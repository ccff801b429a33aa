//! Edits by splicing: the fields that an edit names are replaced in the message or in nshead, all other bytes stay, and the
//! length is patched.

use std::borrow::Cow;

use metaprotocol_brpc::meta::{As, Parent, Path, Plan, REQUEST, Splice, lengths, not_writable};
use metaprotocol_core::protobuf::push_number;
use metaprotocol_core::{Edits, EncodeError, Frame, Limits, Patch, RequestId, Segments, patched};
use metaprotocol_nova::nshead::{HEADER_LEN, Part, body_len_patch, header, no_provider, required};

use crate::fields::{PARTS, TABLE, field, message, on};
use crate::wire::{BODY, request, response};

/// Every request or response has them.
const REQUIRED: [&str; 4] = ["service", "interface", "method_index", "error_code"];

pub fn rewrite<'a>(frame: Frame<'a>, edits: &Edits<'_>, limits: &Limits) -> Result<Segments<'a>, EncodeError> {
    let request_id = edits.request_id.filter(|id| frame.head.request_id != RequestId::Int(*id));
    if edits.set.is_empty() && edits.remove.is_empty() && request_id.is_none() {
        return Ok(vec![Cow::Borrowed(frame.bytes)]);
    }
    header(frame.bytes)?;
    let on = on(frame);
    let (own, mut patches) = of_header(edits)?;
    let plan = Plan::new(&TABLE, on, &REQUIRED, &own, &|key| Ok(field(frame, key, limits)?.is_some()))?;
    plan.refuse_users()?;
    let mut splice = Splice::new(message(frame));
    plan.apply(&mut splice)?;
    if let Some(id) = request_id {
        if frame.head.request_id == RequestId::None {
            return Err(not_writable("request_id", "this frame has no body that could hold one"));
        }
        let number = if on == REQUEST { request::ID } else { response::ID };
        let mut encoded = Vec::with_capacity(11);
        push_number(&mut encoded, number, id);
        splice.set(Path { parent: Parent::First(BODY), number }, As::UInt64, encoded)?;
    }
    let (body, longer) = splice.finish();
    let (_, body_len) = lengths(frame.bytes.len(), HEADER_LEN, HEADER_LEN, longer, limits)?;
    patches.extend(body);
    patches.push(body_len_patch(body_len));
    Ok(patched(frame.bytes, patches))
}

/// The edits of the message, and the patches of those of nshead.
fn of_header<'e>(edits: &Edits<'e>) -> Result<(Edits<'e>, Vec<Patch>), EncodeError> {
    let part = |name: &str| PARTS.iter().find(|(known, _)| *known == name).map(|(_, part)| *part);
    let mut patches: Vec<Patch> = Vec::new();
    let mut put = |patch: Patch| {
        patches.retain(|earlier| earlier.at != patch.at);
        patches.push(patch);
    };
    let mut own = Edits::default();
    for &name in &edits.remove {
        match part(name).filter(|_| edits.set.iter().all(|(set, _)| *set != name)) {
            Some(Part::Provider) => put(no_provider()),
            Some(_) => return Err(required(name)),
            None => own.remove.push(name),
        }
    }
    for (name, value) in &edits.set {
        match part(name) {
            Some(part) => put(part.patch(name, value)?),
            None => own.set.push((name, value.clone())),
        }
    }
    Ok((own, patches))
}
