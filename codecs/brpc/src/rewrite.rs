//! Edits by splicing: the fields that an edit names are replaced in the meta, all other bytes stay, and the sizes are
//! patched.

use std::borrow::Cow;

use metaprotocol_core::protobuf::{Field, push_bytes, push_number};
use metaprotocol_core::{Edits, EncodeError, Frame, Limits, Patch, RequestId, Segments, patched};

use crate::fields::{TABLE, each_user, metas};
use crate::meta::{As, Count, Message, Parent, Path, Plan, REQUEST, STREAM, Splice, entry, lengths, not_writable};
use crate::wire::{HEADER_LEN, PRPC, STRM, header, rpc};

/// Every request has them.
const REQUIRED: [&str; 4] = ["service", "interface", "method", "stream_id"];
const CORRELATION_ID: Path = Path { parent: Parent::Meta, number: rpc::CORRELATION_ID };
const REQUEST_ID: Path = Path { parent: Parent::Nested(rpc::REQUEST), number: rpc::REQUEST_ID };

pub fn rewrite<'a>(frame: Frame<'a>, edits: &Edits<'_>, limits: &Limits) -> Result<Segments<'a>, EncodeError> {
    let request_id = edits.request_id.filter(|id| frame.head.request_id != RequestId::Int(*id));
    if edits.set.is_empty() && edits.remove.is_empty() && request_id.is_none() {
        return Ok(vec![Cow::Borrowed(frame.bytes)]);
    }
    let metas = metas(frame)?;
    let header_len = frame.head.header_len as usize;
    let (mut patches, mut longer) = (Vec::new(), 0);
    if let Some((on, message)) = metas.rpc {
        let own = edits_of(edits, on, metas.stream.is_some());
        let (inner, growth) = edit_rpc(message, on, &own, request_id, limits)?;
        patches = inner;
        longer = growth;
        let front = message.place().start;
        let (meta, body) = lengths(frame.bytes.len(), header_len, front, growth, limits)?;
        patches.push(Patch { at: front - HEADER_LEN..front, with: header(PRPC, body, meta).to_vec() });
    } else if request_id.is_some() {
        return Err(not_writable("request_id", "frames of streams have no request id"));
    }
    if let Some(message) = metas.stream {
        let own = edits_of(edits, STREAM, metas.rpc.is_some());
        let plan = Plan::new(&TABLE, STREAM, &REQUIRED, &own, message)?;
        plan.refuse_users()?;
        let mut splice = Splice::new(message);
        plan.apply(&mut splice)?;
        let (outer, growth) = splice.finish();
        longer += growth;
        let (_, body) = lengths(frame.bytes.len(), header_len, HEADER_LEN, longer, limits)?;
        let meta = message.place().len().saturating_add_signed(growth) as u32;
        patches.extend(outer);
        patches.push(Patch { at: 0..HEADER_LEN, with: header(STRM, body, meta).to_vec() });
    }
    Ok(patched(frame.bytes, patches))
}

/// The edits that belong to one of the two metas of a response within a frame of a stream; all edits of other frames.
fn edits_of<'e>(edits: &Edits<'e>, on: u8, divided: bool) -> Edits<'e> {
    if !divided {
        return edits.clone();
    }
    // What no table knows is a field of the user's, or refused, with the response.
    let is_stream = |name: &str| TABLE.slot(TABLE.id(name), STREAM).is_some();
    let own = |name: &str| is_stream(name) == (on == STREAM);
    Edits {
        set: edits.set.iter().filter(|(name, _)| own(name)).cloned().collect(),
        remove: edits.remove.iter().copied().filter(|name| own(name)).collect(),
        request_id: None,
    }
}

fn edit_rpc(
    message: Message<'_>,
    on: u8,
    edits: &Edits<'_>,
    request_id: Option<u64>,
    limits: &Limits,
) -> Result<(Vec<Patch>, isize), EncodeError> {
    let plan = Plan::new(&TABLE, on, &REQUIRED, edits, message)?;
    let mut splice = Splice::new(message);
    // From clients written in Java: their own fields where others have the request's text.
    let mut java = false;
    if !plan.users.is_empty() || plan.sets(REQUEST_ID) {
        let mut users: Vec<(Option<Field<'_>>, Field<'_>, &[u8])> = Vec::new();
        let mut count = Count::new(limits);
        each_user(message, on, &mut |parent, field| {
            count.one(field.at)?;
            java |= parent.is_some();
            users.push((parent, *field, entry(message.inner(field))?.0));
            Ok(())
        })?;
        for (name, value) in &plan.users {
            let all = users.iter().filter(|(_, _, key)| *key == name.as_bytes());
            match (value, all.clone().last()) {
                (None, _) => {
                    all.for_each(|(parent, field, _)| splice.replace(*parent, field.at..field.end, Vec::new()))
                }
                (Some(value), Some((parent, field, _))) => splice.set_entry(*parent, field, value)?,
                (Some(value), None) => {
                    let (parent, number) = if java && on == REQUEST {
                        (Parent::Nested(rpc::REQUEST), rpc::REQUEST_ID)
                    } else {
                        (Parent::Meta, rpc::USER_FIELDS)
                    };
                    splice.add(parent, &new_entry(number, name, value))?;
                }
            }
        }
    }
    if java && plan.sets(REQUEST_ID) {
        let why = "this client writes fields of its own in the place of the request's id";
        return Err(not_writable("request_id", why));
    }
    plan.apply(&mut splice)?;
    if let Some(request_id) = request_id {
        let mut encoded = Vec::with_capacity(11);
        push_number(&mut encoded, rpc::CORRELATION_ID, request_id);
        splice.set(CORRELATION_ID, As::UInt64, encoded)?;
    }
    Ok(splice.finish())
}

/// A field of this number that holds a key and a value.
fn new_entry(number: u32, key: &str, value: &str) -> Vec<u8> {
    let mut content = Vec::with_capacity(key.len() + value.len() + 8);
    push_bytes(&mut content, 1, key.as_bytes());
    push_bytes(&mut content, 2, value.as_bytes());
    let mut out = Vec::with_capacity(content.len() + 4);
    push_bytes(&mut out, number, &content);
    out
}
