//! Edits by splicing: names, addresses and ids are replaced where they stand; lengths of texts, sizes of tagged fields and
//! the size of the frame follow, and every other byte stays.

use std::borrow::Cow;
use std::ops::{ControlFlow, Range};

use metaprotocol_core::protobuf::push_varint;
use metaprotocol_core::{Cursor, Edits, EncodeError, Frame, Key, Limits, Patch, Segments, Value, patched, patched_len};

use crate::fields::{self, BROKER_PREFIX, TOPIC_RESOURCE};
use crate::schema::{Op, Role, What};
use crate::walk::{self, Place, Sink};
use crate::wire::{
    CLIENT_ID_AT, FIND_COORDINATOR, MAX_TEXT_LEN, REQUEST_ID_AT, RESPONSE_ID_AT, SIZE_LEN, Variant, is_request,
    lacks_client_id,
};

/// What may be renamed: the key of its only name, and what begins the keys of its renamings.
const NAMES: [(&str, u16, Role); 3] = [
    ("topic", fields::TOPIC, Role::Topic),
    ("group_id", fields::GROUP_ID, Role::Group),
    ("transactional_id", fields::TRANSACTIONAL_ID, Role::Transactional),
];
const ADD: &str = "_prefix";
const STRIP: &str = "_strip";

/// How the names of one kind change.
#[derive(Default)]
struct Renaming<'e> {
    /// The one name that the frame has becomes this.
    only: Option<Cow<'e, str>>,
    /// Names, and what they become.
    exact: Vec<(&'e str, Cow<'e, str>)>,
    /// What is taken from the front of a name that begins with it.
    strip: Option<Cow<'e, str>>,
    /// What is put before a name, after that.
    add: Option<Cow<'e, str>>,
}

impl Renaming<'_> {
    const fn is_empty(&self) -> bool {
        self.only.is_none() && self.exact.is_empty() && self.strip.is_none() && self.add.is_none()
    }

    /// The new name; `None` if the old one stays.
    fn of(&self, old: &[u8]) -> Option<Vec<u8>> {
        if let Some(new) = &self.only {
            return Some(new.as_bytes().to_vec());
        }
        if let Some((_, new)) = self.exact.iter().rev().find(|(name, _)| name.as_bytes() == old) {
            return Some(new.as_bytes().to_vec());
        }
        let stripped = self.strip.as_ref().and_then(|prefix| old.strip_prefix(prefix.as_bytes()));
        match &self.add {
            Some(prefix) => Some([prefix.as_bytes(), stripped.unwrap_or(old)].concat()),
            None => stripped.map(<[u8]>::to_vec),
        }
    }
}

/// Which addresses change.
enum Whose<'e> {
    /// Those of the node.
    Node(i32),
    /// Those that read so.
    Address(&'e str),
}

/// A new host, a new port, or both, for some addresses.
struct Move<'e> {
    whose: Whose<'e>,
    host: Option<Cow<'e, str>>,
    port: Option<u16>,
}

/// All edits, checked and sorted by what they change.
#[derive(Default)]
struct Plan<'e> {
    correlation_id: Option<i32>,
    client_id: Option<Option<Cow<'e, str>>>,
    /// As [`NAMES`].
    names: [Renaming<'e>; NAMES.len()],
    moves: Vec<Move<'e>>,
    /// A key that needs the body to be known.
    in_body: Option<&'e str>,
}

fn not_writable(key: &str, why: impl Into<Cow<'static, str>>) -> EncodeError {
    EncodeError::NotWritable { key: key.into(), why: why.into() }
}

fn bad_value(key: &str, expected: &'static str) -> EncodeError {
    EncodeError::BadValue { key: key.into(), expected: expected.into() }
}

fn correlation_id(key: &str, id: Option<i64>) -> Result<i32, EncodeError> {
    id.and_then(|id| i32::try_from(id).ok())
        .ok_or_else(|| bad_value(key, "a signed 32-bit correlation id (sign-extended, as a request id)"))
}

/// A text that a length field can tell.
fn text<'v>(key: &str, value: &'v Value<'_>) -> Result<Cow<'v, str>, EncodeError> {
    let text = value.to_text();
    if text.len() > MAX_TEXT_LEN { Err(bad_value(key, "a text of at most 32,767 bytes")) } else { Ok(text) }
}

fn name<'v>(key: &str, value: &'v Value<'_>) -> Result<Cow<'v, str>, EncodeError> {
    let text = text(key, value)?;
    if text.is_empty() { Err(bad_value(key, "a name that is not empty")) } else { Ok(text) }
}

fn port(key: &str, text: &str) -> Result<u16, EncodeError> {
    text.parse().map_err(|_| bad_value(key, "a port from 0 to 65535"))
}

/// A host and a port, an IPv6 address in brackets.
fn host_and_port(text: &str) -> Option<(&str, &str)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    (!host.is_empty()).then_some((host, port))
}

impl<'e> Plan<'e> {
    fn new(edits: &'e Edits<'_>) -> Result<Self, EncodeError> {
        let mut plan = Self::default();
        for key in &edits.remove {
            match fields::key(key).id {
                fields::CLIENT_ID => plan.client_id = Some(None),
                // What the frame lacks cannot be removed from it.
                Key::DYNAMIC => {}
                _ => return Err(not_writable(key, "it cannot be absent; set it instead")),
            }
        }
        for (key, value) in &edits.set {
            plan.set(key, value)?;
        }
        if let Some(id) = edits.request_id {
            plan.correlation_id = Some(correlation_id("request_id", Some(id.cast_signed()))?);
        }
        Ok(plan)
    }

    fn set(&mut self, key: &'e str, value: &'e Value<'_>) -> Result<(), EncodeError> {
        let id = fields::key(key).id;
        match id {
            fields::CORRELATION_ID => {
                let id = match value {
                    Value::Int(id) => Some(*id),
                    Value::UInt(id) => i64::try_from(*id).ok(),
                    Value::Str(text) => text.parse().ok(),
                };
                self.correlation_id = Some(correlation_id(key, id)?);
                return Ok(());
            }
            fields::CLIENT_ID => {
                self.client_id = Some(Some(text(key, value)?));
                return Ok(());
            }
            _ => {}
        }
        self.in_body = Some(key);
        for ((stem, only, _), names) in NAMES.iter().zip(&mut self.names) {
            if id == *only {
                names.only = Some(name(key, value)?);
                return Ok(());
            }
            match key.strip_prefix(stem) {
                Some(ADD) => names.add = Some(text(key, value)?),
                Some(STRIP) => names.strip = Some(text(key, value)?),
                Some(rest) => match rest.strip_prefix('.') {
                    Some(old) => names.exact.push((old, name(key, value)?)),
                    None => continue,
                },
                None => continue,
            }
            return Ok(());
        }
        match key.strip_prefix(BROKER_PREFIX) {
            Some(whose) => self.set_broker(key, whose, value),
            None if id == Key::DYNAMIC => {
                Err(not_writable(key, "Kafka has no such field; see the keys of this protocol"))
            }
            None => Err(not_writable(key, "it follows from the message itself")),
        }
    }

    fn set_broker(&mut self, key: &'e str, whose: &'e str, value: &'e Value<'_>) -> Result<(), EncodeError> {
        let unclear =
            || not_writable(key, "write broker.<id>, broker.<id>.host, broker.<id>.port or broker.<host>:<port>");
        let (node, part) = whose.split_once('.').map_or((whose, None), |(node, part)| (node, Some(part)));
        let text = text(key, value)?;
        let change = match (node.parse::<i32>(), part) {
            (Ok(node), Some("host")) => Move { whose: Whose::Node(node), host: Some(name(key, value)?), port: None },
            (Ok(node), Some("port")) => Move { whose: Whose::Node(node), host: None, port: Some(port(key, &text)?) },
            (node, part) => {
                let whose = match (node, part) {
                    (Ok(node), None) => Whose::Node(node),
                    _ if host_and_port(whose).is_some_and(|(_, port)| port.parse::<u32>().is_ok()) => {
                        Whose::Address(whose)
                    }
                    _ => return Err(unclear()),
                };
                let Some((host, number)) = host_and_port(&text) else {
                    return Err(bad_value(key, "an address as host:port"));
                };
                Move { whose, host: Some(host.to_owned().into()), port: Some(port(key, number)?) }
            }
        };
        self.moves.push(change);
        Ok(())
    }
}

pub fn rewrite<'a>(frame: Frame<'a>, edits: &Edits<'_>, limits: &Limits) -> Result<Segments<'a>, EncodeError> {
    if edits.is_empty() {
        return Ok(vec![Cow::Borrowed(frame.bytes)]);
    }
    let plan = Plan::new(edits)?;
    if Variant::unpack(frame.head.variant) == Variant::Token {
        let key = edits.set.first().map(|(key, _)| *key).or(edits.remove.first().copied()).unwrap_or("request_id");
        return Err(not_writable(key, "this is a token of a SASL exchange, not a message"));
    }
    let mut patches = Vec::new();
    if let Some(id) = plan.correlation_id {
        let at = if is_request(&frame) { REQUEST_ID_AT } else { RESPONSE_ID_AT };
        patches.push(Patch { at: at..at + 4, with: id.to_be_bytes().to_vec() });
    }
    if let Some(client_id) = &plan.client_id
        && let Some(patch) = client_id_patch(&frame, client_id.as_deref())?
    {
        patches.push(patch);
    }
    if let Some(key) = plan.in_body {
        patches.extend(body_patches(&frame, &plan, key, limits)?);
    }
    let len = patched_len(frame.bytes.len(), &patches);
    if len != frame.bytes.len() {
        let max = limits.max_frame_len.min(SIZE_LEN as u64 + i32::MAX as u64);
        if len as u64 > max {
            return Err(EncodeError::TooLong { len: len as u64, max });
        }
        patches.push(Patch { at: 0..SIZE_LEN, with: ((len - SIZE_LEN) as u32).to_be_bytes().to_vec() });
    }
    Ok(patched(frame.bytes, patches))
}

/// The new client id of a request; `None` where there is none to be removed.
fn client_id_patch(frame: &Frame<'_>, new: Option<&str>) -> Result<Option<Patch>, EncodeError> {
    const KEY: &str = "client_id";
    let why = match fields::api(frame) {
        _ if !is_request(frame) => "only requests carry a client id",
        Some((api, version)) if lacks_client_id(api, version) => "ControlledShutdown has none in version 0",
        Some((api, _)) if crate::schema::versions(api).is_some() => {
            let old = fields::client_id(frame).map_or(0, <[u8]>::len);
            let at = CLIENT_ID_AT..CLIENT_ID_AT + 2 + old;
            let op = Op { what: What::Text, role: Role::None, compact: false, nullable: true, null_default: false };
            return Ok(Some(Patch { at, with: written(&op, new.map(str::as_bytes)) }));
        }
        _ => "the header of this API is not known: it is newer than this codec",
    };
    if new.is_none() { Ok(None) } else { Err(not_writable(KEY, why)) }
}

/// A text with its length.
pub fn written(op: &Op, text: Option<&[u8]>) -> Vec<u8> {
    let mut out = Vec::with_capacity(5 + text.map_or(0, <[u8]>::len));
    write_text(&mut out, op, text);
    out
}

/// Appends a text with its length. It is at most [`MAX_TEXT_LEN`] bytes long.
pub fn write_text(out: &mut Vec<u8>, op: &Op, text: Option<&[u8]>) {
    if op.compact {
        push_varint(out, text.map_or(0, |text| text.len() as u64 + 1));
    } else {
        out.extend_from_slice(&text.map_or(-1, |text| text.len() as i16).to_be_bytes());
    }
    out.extend_from_slice(text.unwrap_or_default());
}

/// The patches of a body.
fn body_patches(frame: &Frame<'_>, plan: &Plan<'_>, key: &str, limits: &Limits) -> Result<Vec<Patch>, EncodeError> {
    let Some(body) = fields::body(frame) else {
        return Err(match fields::api(frame) {
            Some((api, version)) => not_writable(
                key,
                format!("the codec does not know version {version} of API {api}; only request_id can be changed"),
            ),
            None => {
                not_writable(key, "the request that this response answers was not seen, so its layout is not known")
            }
        });
    };
    let mut wants = 0;
    for ((_, _, role), names) in NAMES.iter().zip(&plan.names) {
        if !names.is_empty() {
            wants |= role.bit() | Role::Key.bit();
            if *role == Role::Topic {
                wants |= Role::ResourceName.bit() | Role::ResourceType.bit();
            }
        }
    }
    if !plan.moves.is_empty() {
        wants |= Role::Node.bit() | Role::Host.bit() | Role::Port.bit();
    }
    // A request says what its key is behind it; a response never does.
    let of_coordinator = fields::api(frame).is_some_and(|(api, _)| api == FIND_COORDINATOR);
    let key_type = if of_coordinator && is_request(frame) {
        match fields::field(*frame, &fields::key("key_type"), limits)? {
            Some(Value::Int(key_type)) => Some(key_type),
            _ => Some(0),
        }
    } else {
        None
    };
    let mut edited = Edited { plan, wants, key_type, ..Edited::new(plan) };
    if body.roles & wants != 0 {
        let mut cursor = Cursor::new(frame.bytes, frame.head.header_len as usize);
        let walked = walk::structure(&mut cursor, body, limits, &mut edited)?;
        if let (true, Some(error)) = (walked.is_break(), edited.error.take()) {
            return Err(error);
        }
    }
    for (((key, ..), names), seen) in NAMES.iter().zip(&plan.names).zip(&edited.seen) {
        if names.only.is_some() && seen.is_none() {
            return Err(not_writable(key, "the frame names none"));
        }
    }
    Ok(edited.patches)
}

/// A body on its way through the edits.
struct Edited<'p, 'e, 'a> {
    plan: &'p Plan<'e>,
    wants: u32,
    /// What the key of a FindCoordinator is; `None` if it is not told.
    key_type: Option<i64>,
    patches: Vec<Patch>,
    /// How many bytes longer the body has become.
    longer: isize,
    /// The first name of each kind.
    seen: [Option<&'a [u8]>; NAMES.len()],
    resource_type: u8,
    node: Option<i32>,
    host: Option<(Op, Place<'a>)>,
    port: Option<Place<'a>>,
    error: Option<EncodeError>,
}

impl<'p, 'e, 'a> Edited<'p, 'e, 'a> {
    const fn new(plan: &'p Plan<'e>) -> Self {
        Self {
            plan,
            wants: 0,
            key_type: None,
            patches: Vec::new(),
            longer: 0,
            seen: [None; NAMES.len()],
            resource_type: 0,
            node: None,
            host: None,
            port: None,
            error: None,
        }
    }

    fn patch(&mut self, at: Range<usize>, with: Vec<u8>) {
        self.longer += with.len() as isize - at.len() as isize;
        self.patches.push(Patch { at, with });
    }

    fn fail(&mut self, error: EncodeError) -> ControlFlow<()> {
        self.error = Some(error);
        ControlFlow::Break(())
    }

    /// A name of the kind at this position of [`NAMES`].
    fn name(&mut self, kind: usize, op: &Op, place: Place<'a>) -> ControlFlow<()> {
        let (Some(old), Some(names), Some((key, ..))) = (place.bytes, self.plan.names.get(kind), NAMES.get(kind))
        else {
            return ControlFlow::Continue(());
        };
        // What has no name keeps none.
        if old.is_empty() {
            return ControlFlow::Continue(());
        }
        if let Some(seen) = self.seen.get_mut(kind) {
            if names.only.is_some() && seen.is_some_and(|first| first != old) {
                let why = format!("the frame names several; set {key}.<old name> for each");
                return self.fail(not_writable(key, why));
            }
            *seen = Some(old);
        }
        if let Some(new) = names.of(old)
            && new != old
        {
            if new.len() > MAX_TEXT_LEN {
                return self.fail(bad_value(key, "a prefix with which names stay below 32,768 bytes"));
            }
            self.patch(place.at, written(op, Some(&new)));
        }
        ControlFlow::Continue(())
    }

    /// The key of a coordinator: a group, a transactional id, or not told which. It is not what `group_id` alone names.
    fn coordinator_key(&mut self, op: &Op, place: Place<'a>) -> ControlFlow<()> {
        const GROUP: usize = 1;
        const TRANSACTIONAL: usize = 2;
        let renamed =
            |kind: usize| self.plan.names.get(kind).is_some_and(|names| !names.is_empty() && names.only.is_none());
        let kind = match self.key_type {
            Some(0) | None if renamed(GROUP) => GROUP,
            Some(1) | None if renamed(TRANSACTIONAL) => TRANSACTIONAL,
            _ => return ControlFlow::Continue(()),
        };
        self.name(kind, op, place)
    }

    /// A host and a port that belong together.
    fn address(&mut self) {
        let (Some((host_op, host_place)), Some(port_place)) = (self.host.take(), self.port.take()) else { return };
        let host = host_place.bytes.unwrap_or_default();
        let port_bytes = port_place.bytes.unwrap_or_default();
        let port = fields::number(port_bytes, Role::Port).and_then(|port| u32::try_from(port).ok());
        // An address that is not told is empty, and has port -1.
        let Some(port) = port.filter(|_| !host.is_empty()) else { return };
        let (mut new_host, mut new_port) = (None, None);
        for change in &self.plan.moves {
            let meant = match change.whose {
                Whose::Node(node) => self.node == Some(node),
                Whose::Address(address) => fields::address(&String::from_utf8_lossy(host), port) == address,
            };
            if meant {
                new_host = change.host.as_deref().or(new_host);
                new_port = change.port.or(new_port);
            }
        }
        if let Some(new) = new_host.filter(|new| new.as_bytes() != host) {
            self.patch(host_place.at, written(&host_op, Some(new.as_bytes())));
        }
        if let Some(new) = new_port.filter(|new| u32::from(*new) != port) {
            let bytes = u32::from(new).to_be_bytes();
            let with = bytes.get(4 - port_bytes.len().min(4)..).unwrap_or_default().to_vec();
            self.patch(port_place.at, with);
        }
    }
}

impl<'a> Sink<'a> for Edited<'_, '_, 'a> {
    fn wants(&self) -> u32 {
        self.wants
    }

    fn value(&mut self, op: &Op, place: Place<'a>) -> ControlFlow<()> {
        match op.role {
            Role::Topic => return self.name(0, op, place),
            Role::Group => return self.name(1, op, place),
            Role::Transactional => return self.name(2, op, place),
            Role::ResourceName if self.resource_type == TOPIC_RESOURCE => return self.name(0, op, place),
            Role::Key => return self.coordinator_key(op, place),
            Role::ResourceType => {
                self.resource_type = place.bytes.and_then(<[u8]>::first).copied().unwrap_or_default();
            }
            Role::Node => {
                self.node = place.bytes.and_then(|bytes| fields::number(bytes, op.role)).map(|node| node as i32);
            }
            Role::Host => self.host = Some((*op, place)),
            Role::Port => self.port = Some(place),
            _ => {}
        }
        if self.host.is_some() && self.port.is_some() {
            self.address();
        }
        ControlFlow::Continue(())
    }

    fn tag_begins(&mut self) -> isize {
        self.longer
    }

    fn tag_ends(&mut self, mark: isize, size_at: Range<usize>, size: usize) {
        let longer = self.longer - mark;
        if longer != 0 {
            let mut with = Vec::new();
            push_varint(&mut with, size.saturating_add_signed(longer) as u64);
            self.patch(size_at, with);
        }
    }
}
