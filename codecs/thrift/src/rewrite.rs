//! Edits: the message head and THeader's info headers are written anew where they change; everything else is borrowed.
//!
//! A compressed payload is inflated and compressed again only for edits of the message head; the info headers lie
//! outside it.

use std::borrow::Cow;
use std::ops::Range;

use metaprotocol_core::protobuf::push_varint;
use metaprotocol_core::{Edits, EncodeError, Frame, Limits, Patch, Segments, Value, patched, patched_len};

use crate::detect::is_old_name;
use crate::fields::{self, Depth, Opened, SEPARATOR};
use crate::header::{self, Header, INFO_KEY_VALUE, Info};
use crate::inflate::deflate;
use crate::message;
use crate::wire::{LENGTH_LEN, Protocol, Transport, Variant};

/// The message's name as service and method; `None` where it stays.
#[derive(Default)]
struct Name {
    service: Option<Option<Vec<u8>>>,
    method_name: Option<Vec<u8>>,
}

/// An info header to set, or to remove if it has no value.
struct HeaderEdit<'e> {
    name: &'e str,
    value: Option<Cow<'e, str>>,
}

/// All edits, checked and sorted by what they change.
#[derive(Default)]
struct Plan<'e> {
    sequence_id: Option<i32>,
    name: Name,
    headers: Vec<HeaderEdit<'e>>,
}

impl<'e> Plan<'e> {
    fn new(edits: &'e Edits<'_>, transport: Transport) -> Result<Self, EncodeError> {
        let mut plan = Self::default();
        for key in &edits.remove {
            plan.remove(key, transport)?;
        }
        for (key, value) in &edits.set {
            plan.set(key, value, transport)?;
        }
        if let Some(id) = edits.request_id {
            plan.sequence_id = Some(sequence_id("request_id", id as i64)?);
        }
        Ok(plan)
    }

    fn remove(&mut self, key: &'e str, transport: Transport) -> Result<(), EncodeError> {
        match fields::key_id(key) {
            Some(fields::SERVICE) => self.name.service = Some(None),
            Some(fields::METHOD | fields::METHOD_NAME | fields::SEQ_ID) => {
                return Err(not_writable(key, "every message has one; set it instead"));
            }
            Some(_) => return Err(not_writable(key, READ_ONLY)),
            None if fields::argument_id(key).is_some() => return Err(not_writable(key, ARGUMENT)),
            // Other transports have no headers to remove.
            None if transport == Transport::Header => self.set_header(fields::header_name(key), None),
            None => {}
        }
        Ok(())
    }

    fn set(&mut self, key: &'e str, value: &'e Value<'_>, transport: Transport) -> Result<(), EncodeError> {
        match fields::key_id(key) {
            Some(fields::SEQ_ID) => {
                let id = match value {
                    Value::Int(id) => Some(*id),
                    Value::UInt(id) => i64::try_from(*id).ok(),
                    Value::Str(text) => text.parse().ok(),
                };
                self.sequence_id = Some(sequence_id(key, id.unwrap_or(i64::MAX))?);
            }
            Some(fields::METHOD) => {
                let text = not_empty(key, value)?;
                let (service, method_name) = match text.split_once(char::from(SEPARATOR)) {
                    Some((service, method_name)) => (Some(service.into()), method_name.into()),
                    None => (None, text.as_bytes().to_vec()),
                };
                self.name = Name { service: Some(service), method_name: Some(method_name) };
            }
            Some(fields::SERVICE) => {
                let text = not_empty(key, value)?;
                if text.as_bytes().contains(&SEPARATOR) {
                    return Err(EncodeError::BadValue {
                        key: key.into(),
                        expected: "a service name without ':'".into(),
                    });
                }
                self.name.service = Some(Some(text.as_bytes().to_vec()));
            }
            Some(fields::METHOD_NAME) => self.name.method_name = Some(not_empty(key, value)?.as_bytes().to_vec()),
            Some(_) => return Err(not_writable(key, READ_ONLY)),
            None if fields::argument_id(key).is_some() => return Err(not_writable(key, ARGUMENT)),
            None if transport != Transport::Header => {
                return Err(not_writable(key, "only the header transport (THeader) carries headers"));
            }
            None if fields::header_name(key).is_empty() => {
                return Err(EncodeError::BadValue { key: key.into(), expected: "the name of a header".into() });
            }
            None => self.set_header(fields::header_name(key), Some(value.to_text())),
        }
        Ok(())
    }

    fn set_header(&mut self, name: &'e str, value: Option<Cow<'e, str>>) {
        self.headers.retain(|edit| !edit.name.eq_ignore_ascii_case(name));
        self.headers.push(HeaderEdit { name, value });
    }

    fn touches_message(&self) -> bool {
        self.sequence_id.is_some() || self.name.service.is_some() || self.name.method_name.is_some()
    }
}

const READ_ONLY: &str = "it follows from the message itself";
const ARGUMENT: &str = "arguments are the message's body, which is never rewritten";

fn not_writable(key: &str, why: &'static str) -> EncodeError {
    EncodeError::NotWritable { key: key.into(), why: why.into() }
}

fn not_empty<'v>(key: &str, value: &'v Value<'_>) -> Result<Cow<'v, str>, EncodeError> {
    let text = value.to_text();
    if text.is_empty() {
        return Err(EncodeError::BadValue { key: key.into(), expected: "a name that is not empty".into() });
    }
    Ok(text)
}

fn sequence_id(key: &str, id: i64) -> Result<i32, EncodeError> {
    i32::try_from(id).map_err(|_| EncodeError::BadValue {
        key: key.into(),
        expected: "a signed 32-bit sequence id (sign-extended, as a request id)".into(),
    })
}

/// The verb.
pub(crate) fn rewrite<'a>(frame: Frame<'a>, edits: &Edits<'_>, limits: &Limits) -> Result<Segments<'a>, EncodeError> {
    let variant = Variant::unpack(frame.head.variant);
    let plan = Plan::new(edits, variant.transport)?;
    let mut patches = Vec::new();
    let header = fields::read_header(frame)?;
    if plan.touches_message() {
        let opened = fields::open(frame, Depth::Body, limits.max_frame_len)?;
        let old = opened.message.sequence_id;
        let changes = message_patches(&opened, &plan)?;
        match &header {
            Some(header) if header.zlib && !changes.is_empty() => {
                let payload = patched(&opened.bytes, changes).concat();
                let bytes =
                    deflate(&payload).map_err(|_| not_writable("seq_id", "the payload cannot be compressed again"))?;
                patches.push(Patch { at: header.payload_at..frame.bytes.len(), with: bytes });
            }
            _ => patches = changes,
        }
        // Some clients leave the transport's own sequence id at 0, or count there on their own: then it stays theirs.
        if let (Some(header), Some(id)) = (&header, plan.sequence_id)
            && header.sequence_id == old
            && id != old
        {
            let range = header::SEQUENCE_AT..header::SEQUENCE_AT + 4;
            patches.push(Patch { at: range, with: id.to_be_bytes().to_vec() });
        }
    }
    if let (Some(header), false) = (&header, plan.headers.is_empty()) {
        patches.extend(header_patches(frame.bytes, header, &plan.headers, limits)?);
    }
    let len = patched_len(frame.bytes.len(), &patches);
    if variant.transport != Transport::Unframed && len != frame.bytes.len() {
        let max = LENGTH_LEN as u64
            + if variant.transport == Transport::Header { header::MAX_LENGTH } else { i32::MAX as u64 };
        if len as u64 > max {
            return Err(EncodeError::TooLong { len: len as u64, max });
        }
        let mut bytes = Vec::with_capacity(LENGTH_LEN);
        header::push_length(&mut bytes, len);
        patches.push(Patch { at: 0..LENGTH_LEN, with: bytes });
    }
    Ok(patched(frame.bytes, patches))
}

/// What changes in the message head.
fn message_patches(opened: &Opened<'_>, plan: &Plan<'_>) -> Result<Vec<Patch>, EncodeError> {
    let head = &opened.message;
    let mut patches = Vec::new();
    if let Some(id) = plan.sequence_id.filter(|id| *id != head.sequence_id) {
        let mut bytes = Vec::with_capacity(5);
        message::push_sequence_id(&mut bytes, head.protocol, id);
        patches.push(Patch { at: head.sequence.clone(), with: bytes });
    }
    if plan.name.service.is_none() && plan.name.method_name.is_none() {
        return Ok(patches);
    }
    let part = |range: Range<usize>| opened.bytes.get(range).unwrap_or_default().to_vec();
    let service = plan.name.service.clone().unwrap_or_else(|| opened.service().map(part));
    let method_name = plan.name.method_name.clone().unwrap_or_else(|| part(opened.method_name()));
    if service.is_none() && method_name.contains(&SEPARATOR) {
        let expected = "a method name without ':', since the message names no service";
        return Err(EncodeError::BadValue { key: "method_name".into(), expected: expected.into() });
    }
    let name = match service {
        Some(service) => [service, vec![SEPARATOR], method_name].concat(),
        None => method_name,
    };
    if name != opened.name() {
        if name.is_empty() {
            return Err(not_writable("service", "it is all there is of the method's name"));
        }
        if head.protocol == Protocol::BinaryOld && !is_old_name(&name) {
            let key = if plan.name.service.is_some() { "service" } else { "method_name" };
            let expected =
                "a name of up to 512 bytes that begins with a letter, by which old binary messages are known";
            return Err(EncodeError::BadValue { key: key.into(), expected: expected.into() });
        }
        if name.len() > i32::MAX as usize {
            return Err(EncodeError::TooLong { len: name.len() as u64, max: i32::MAX as u64 });
        }
        let mut bytes = Vec::with_capacity(name.len() + 5);
        message::push_name(&mut bytes, head.protocol, &name);
        patches.push(Patch { at: head.sized_name.clone(), with: bytes });
    }
    Ok(patches)
}

/// The info headers written anew, with the header's size. Blocks, and pairs within them, keep their order and bytes;
/// a header that is set takes the place of the first of its name, or the end of the first block of this message's pairs.
/// Padding is brought to the next word; an unknown block behind the pairs is kept.
fn header_patches(
    bytes: &[u8],
    header: &Header,
    edits: &[HeaderEdit<'_>],
    limits: &Limits,
) -> Result<Vec<Patch>, EncodeError> {
    let mut blocks: Vec<(u64, Vec<Info>)> = Vec::new();
    let tail_at = header::walk_infos(bytes, header, limits, |id, info| {
        match (info, blocks.last_mut()) {
            (Some(info), Some((_, infos))) => infos.push(info),
            _ => blocks.push((id, Vec::new())),
        }
        true
    })?;
    let mut placed = vec![false; edits.len()];
    let mut written: Vec<(u64, u64, Vec<u8>)> = Vec::with_capacity(blocks.len() + 1);
    for (id, infos) in blocks {
        let (mut count, mut pairs) = (0, Vec::new());
        for info in &infos {
            let key = bytes.get(info.key.clone()).unwrap_or_default();
            let edit = edits.iter().zip(&mut placed).find(|(edit, _)| edit.name.as_bytes().eq_ignore_ascii_case(key));
            match edit {
                None => pairs.extend_from_slice(bytes.get(info.whole.clone()).unwrap_or_default()),
                Some((HeaderEdit { value: Some(value), .. }, placed)) if !*placed => {
                    *placed = true;
                    push_pair(&mut pairs, key, value.as_bytes());
                }
                Some(_) => continue,
            }
            count += 1;
        }
        if count > 0 || infos.is_empty() {
            written.push((id, count, pairs));
        }
    }
    for (edit, placed) in edits.iter().zip(placed) {
        let (Some(value), false) = (&edit.value, placed) else { continue };
        let own = written.iter().position(|(id, _, _)| *id == INFO_KEY_VALUE);
        if own.is_none() {
            written.insert(0, (INFO_KEY_VALUE, 0, Vec::new()));
        }
        if let Some((_, count, pairs)) = written.get_mut(own.unwrap_or(0)) {
            *count += 1;
            push_pair(pairs, edit.name.as_bytes(), value.as_bytes());
        }
    }
    let mut data = Vec::with_capacity(header.payload_at - header.infos_at);
    for (id, count, pairs) in written {
        push_varint(&mut data, id);
        push_varint(&mut data, count);
        data.extend_from_slice(&pairs);
    }
    let tail = bytes.get(tail_at..header.payload_at).unwrap_or_default();
    if tail.iter().any(|byte| *byte != 0) {
        data.extend_from_slice(tail);
    }
    let before = header.infos_at - header::DATA_AT;
    while !(before + data.len()).is_multiple_of(header::WORD) {
        data.push(0);
    }
    let words = (before + data.len()) / header::WORD;
    let Ok(size) = u16::try_from(words) else {
        let max = u64::from(u16::MAX) * header::WORD as u64;
        return Err(EncodeError::TooLong { len: (words * header::WORD) as u64, max });
    };
    let size = Patch { at: header::SIZE_AT..header::DATA_AT, with: size.to_be_bytes().to_vec() };
    Ok(vec![size, Patch { at: header.infos_at..header.payload_at, with: data }])
}

fn push_pair(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    push_varint(out, key.len() as u64);
    out.extend_from_slice(key);
    push_varint(out, value.len() as u64);
    out.extend_from_slice(value);
}
