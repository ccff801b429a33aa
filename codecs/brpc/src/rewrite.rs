//! Edits by splicing: the fields that an edit names are replaced in the meta, all other bytes stay, and the sizes are
//! patched.

use std::borrow::Cow;

use metaprotocol_core::protobuf::push_number;
use metaprotocol_core::{Edits, EncodeError, Frame, Limits, Patch, RequestId, Segments, patched};

use crate::fields::{TABLE, field, metas};
use crate::meta::{As, Message, Parent, Path, Plan, STREAM, Splice, lengths, not_writable};
use crate::wire::{HEADER_LEN, PRPC, STRM, header, rpc};

/// Every request has them.
const REQUIRED: [&str; 4] = ["service", "interface", "method", "stream_id"];
/// A call that gets one would open a stream that its caller knows nothing of.
const STREAM_IDS: [&str; 3] = ["stream_id", "source_stream_id", "settings_stream_id"];
const CORRELATION_ID: Path = Path { parent: Parent::Meta, number: rpc::CORRELATION_ID };
const USER_FIELDS: Path = Path { parent: Parent::Meta, number: rpc::USER_FIELDS };
const REQUEST_ID: Path = Path { parent: Parent::Nested(rpc::REQUEST), number: rpc::REQUEST_ID };

pub fn rewrite<'a>(frame: Frame<'a>, edits: &Edits<'_>, limits: &Limits) -> Result<Segments<'a>, EncodeError> {
    let request_id = edits.request_id.filter(|id| frame.head.request_id != RequestId::Int(*id));
    if edits.set.is_empty() && edits.remove.is_empty() && request_id.is_none() {
        return Ok(vec![Cow::Borrowed(frame.bytes)]);
    }
    for (key, _) in edits.set.iter().filter(|(key, _)| STREAM_IDS.contains(key)) {
        if field(frame, &TABLE.key(key), limits)?.is_none() {
            return Err(not_writable(key, "this frame has none: ids of streams are changed, not given"));
        }
    }
    let metas = metas(frame)?;
    let header_len = frame.head.header_len as usize;
    let (mut patches, mut longer) = (Vec::new(), 0);
    if let Some((on, message)) = metas.rpc {
        let own = edits_of(edits, on, metas.stream.is_some());
        let (inner, growth) = edit_rpc(frame, message, on, &own, request_id, limits)?;
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
        let plan = Plan::new(&TABLE, STREAM, &REQUIRED, &own, &|key| Ok(field(frame, key, limits)?.is_some()))?;
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
    frame: Frame<'_>,
    message: Message<'_>,
    on: u8,
    edits: &Edits<'_>,
    request_id: Option<u64>,
    limits: &Limits,
) -> Result<(Vec<Patch>, isize), EncodeError> {
    let plan = Plan::new(&TABLE, on, &REQUIRED, edits, &|key| Ok(field(frame, key, limits)?.is_some()))?;
    let mut splice = Splice::new(message);
    if plan.has_users() || plan.sets(REQUEST_ID) {
        let users = TABLE.users(on, message, limits)?;
        // This client writes fields of its own where others have the request's text.
        let java = users.iter().any(|user| user.parent.is_some());
        if java && plan.sets(REQUEST_ID) {
            let why = "in its place this client writes fields of its own";
            return Err(not_writable("request_id", why));
        }
        plan.apply_users(&mut splice, &users, if java { REQUEST_ID } else { USER_FIELDS })?;
    }
    plan.apply(&mut splice)?;
    if let Some(request_id) = request_id {
        let mut encoded = Vec::with_capacity(11);
        push_number(&mut encoded, rpc::CORRELATION_ID, request_id);
        splice.set(CORRELATION_ID, As::UInt64, encoded)?;
    }
    Ok(splice.finish())
}
