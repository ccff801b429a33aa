//! Edits by splicing: the fields that an edit names are replaced in the meta, all other bytes stay, and the sizes are
//! patched. Users' fields are added where clients written in Java have theirs; others pass over them.

use std::borrow::Cow;

use metaprotocol_brpc::meta::{As, Parent, Path, Plan, REQUEST, Splice, lengths, zigzag};
use metaprotocol_core::protobuf::push_number;
use metaprotocol_core::{Edits, EncodeError, Frame, Limits, Patch, RequestId, Segments, patched};

use crate::fields::{TABLE, field, meta, on};
use crate::wire::{HEADER_LEN, header, request, response};

/// Every request or response has them, and is told by them.
const REQUIRED: [&str; 4] = ["service", "interface", "method_index", "error_code"];
const EXT_FIELDS: Path = Path { parent: Parent::Meta, number: request::EXT_FIELDS };

pub fn rewrite<'a>(frame: Frame<'a>, edits: &Edits<'_>, limits: &Limits) -> Result<Segments<'a>, EncodeError> {
    let request_id = edits.request_id.filter(|id| frame.head.request_id != RequestId::Int(*id));
    if edits.set.is_empty() && edits.remove.is_empty() && request_id.is_none() {
        return Ok(vec![Cow::Borrowed(frame.bytes)]);
    }
    let (message, on) = (meta(frame)?, on(frame));
    let plan = Plan::new(&TABLE, on, &REQUIRED, edits, &|key| Ok(field(frame, key, limits)?.is_some()))?;
    let mut splice = Splice::new(message);
    if on == REQUEST && plan.has_users() {
        plan.apply_users(&mut splice, &TABLE.users(on, message, limits)?, EXT_FIELDS)?;
    } else {
        plan.refuse_users()?;
    }
    plan.apply(&mut splice)?;
    if let Some(id) = request_id {
        let (number, wire) = if on == REQUEST {
            (request::CORRELATION_ID, id)
        } else {
            (response::CORRELATION_ID, zigzag(id.cast_signed()))
        };
        let mut encoded = Vec::with_capacity(11);
        push_number(&mut encoded, number, wire);
        splice.set(Path { parent: Parent::Meta, number }, As::UInt64, encoded)?;
    }
    let (mut patches, longer) = splice.finish();
    let (meta, body) = lengths(frame.bytes.len(), frame.head.header_len as usize, HEADER_LEN, longer, limits)?;
    patches.push(Patch { at: 0..HEADER_LEN, with: header(body, meta).to_vec() });
    Ok(patched(frame.bytes, patches))
}
