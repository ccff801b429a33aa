//! Metadata: what a header says, and what a body says by its schema.

use std::borrow::Cow;
use std::fmt::Write;
use std::ops::ControlFlow;

use metaprotocol_core::{Cursor, DecodeError, Frame, Key, KeyInfo, Kind, Limits, Value, Visit};

use crate::schema::{self, Op, Role, Struct};
use crate::walk::{self, Place, Sink};
use crate::wire::{
    API_VERSIONS, CLIENT_ID_AT, REQUEST_ID_AT, RESPONSE_ID_AT, Variant, i16_at, i32_at, is_request, lacks_client_id,
};

/// A key: its number, its name, what it holds.
macro_rules! keys {
    ($($const:ident = $number:literal, $info:expr;)*) => {
        /// The keys that are always known. Their positions are their numbers in [`Key`].
        pub static KEYS: [KeyInfo; [$($number),*].len()] = [$($info),*];
        $(pub const $const: u16 = $number;)*

        #[cfg(test)]
        const NUMBERS: [u16; KEYS.len()] = [$($number),*];
    };
}

keys! {
    API_KEY = 0, KeyInfo::read("api_key", "number of the API").number();
    API_NAME = 1, KeyInfo::read("api_name", "name of the API: Produce, Fetch, Metadata ...");
    API_VERSION = 2, KeyInfo::read("api_version", "version of the API; of a response, that of its request").number();
    CORRELATION_ID = 3, KeyInfo::write("correlation_id", "the id that a response shares with its request").number();
    CLIENT_ID = 4, KeyInfo::write("client_id", "what the client calls itself");
    ACKS = 5, KeyInfo::read("acks", "acks of a Produce: 0 asks for no response, 1 for the leader's, -1 for all").number();
    TOPIC = 6, KeyInfo::write("topic", "the first topic named");
    TOPICS = 7, KeyInfo::read("topics", "every topic named, in order, with commas between");
    TOPIC_ID = 8, KeyInfo::read("topic_id", "the first topic id, as Kafka writes it: base64url");
    TOPIC_IDS = 9, KeyInfo::read("topic_ids", "every topic id, in order, with commas between");
    PARTITION = 10, KeyInfo::read("partition", "the first partition named").number();
    PARTITIONS = 11, KeyInfo::read("partitions", "every partition named, in order, with commas between");
    GROUP_ID = 12, KeyInfo::write("group_id", "the first group named");
    TRANSACTIONAL_ID = 13, KeyInfo::write("transactional_id", "the first transactional id named");
    COORDINATOR_KEY = 14, KeyInfo::read("coordinator_key", "whose coordinator is looked for, the first of several");
    KEY_TYPE = 15, KeyInfo::read("key_type", "what coordinator_key is: 0 a group, 1 a transactional id, 2 a share").number();
    MEMBER_ID = 16, KeyInfo::read("member_id", "the first member of a group named");
    GROUP_INSTANCE_ID = 17, KeyInfo::read("group_instance_id", "the first static member named");
    SASL_MECHANISM = 18, KeyInfo::read("sasl_mechanism", "the mechanism of a SaslHandshake");
    CLIENT_SOFTWARE_NAME = 19, KeyInfo::read("client_software_name", "what the client is, as ApiVersions tells it");
    CLIENT_SOFTWARE_VERSION = 20, KeyInfo::read("client_software_version", "the version of that");
    THROTTLE_TIME_MS = 21, KeyInfo::read("throttle_time_ms", "how long the client is held back").number();
    ERROR_CODE = 22, KeyInfo::read("error_code", "the first error code of a response that is not 0, else 0").number();
    ERROR = 23, KeyInfo::read("error", "the name of that error");
    ERROR_MESSAGE = 24, KeyInfo::read("error_message", "the first message of an error");
    REPLY_TYPE = 25, KeyInfo::read("reply_type", "error if a response has an error code that is not 0, else success");
}

/// `broker.N`: the address of the node N, where the frame advertises it.
const BROKER: u16 = 0x1000;
/// What begins the names of brokers' keys.
pub const BROKER_PREFIX: &str = "broker.";
/// The type of a resource that is a topic.
pub const TOPIC_RESOURCE: u8 = 2;

/// Resolves a key: one of [`KEYS`], or `broker.N`.
pub fn key(name: &str) -> Key {
    let known = KEYS.iter().position(|known| known.name == name).map(|at| at as u16);
    let id = known.unwrap_or(if node_of(name).is_some() { BROKER } else { Key::DYNAMIC });
    Key { name: name.into(), id }
}

/// The N of `broker.N`, in its own spelling only.
fn node_of(name: &str) -> Option<i32> {
    let digits = name.strip_prefix(BROKER_PREFIX)?;
    let node = digits.parse().ok().filter(|node| *node >= 0)?;
    (digits == "0" || !digits.starts_with(['0', '+'])).then_some(node)
}

/// The API and the version of a frame, if they are known.
pub fn api(frame: &Frame<'_>) -> Option<(i16, i16)> {
    match Variant::unpack(frame.head.variant) {
        Variant::Known { api, version } if frame.head.kind != Kind::Control => Some((api, version)),
        _ => None,
    }
}

/// What the body of a frame looks like, if the tables know it.
pub fn body(frame: &Frame<'_>) -> Option<&'static Struct> {
    let (api, version) = api(frame)?;
    if is_request(frame) {
        return schema::request(api, version);
    }
    schema::response(api, if api == API_VERSIONS && is_refusal(frame.body()) { 0 } else { version })
}

/// Whether the answer to an ApiVersions is a refusal, which is in version 0 so that every client can read it: an error and
/// a list, and nothing behind it.
fn is_refusal(body: &[u8]) -> bool {
    let (Some(error), Some(count)) = (i16_at(body, 0), i32_at(body, 2)) else { return false };
    error != 0 && usize::try_from(count).ok().and_then(|count| count.checked_mul(6)?.checked_add(6)) == Some(body.len())
}

/// The correlation id of a frame.
fn correlation_id(frame: &Frame<'_>) -> Option<i32> {
    let at = if is_request(frame) { REQUEST_ID_AT } else { RESPONSE_ID_AT };
    if frame.head.kind == Kind::Control { None } else { i32_at(frame.bytes, at) }
}

/// Where a request has its client id, without its length; `None` if it is null, not there, or does not fit.
pub fn client_id<'a>(frame: &Frame<'a>) -> Option<&'a [u8]> {
    let (api, version) = api(frame).filter(|_| is_request(frame))?;
    if lacks_client_id(api, version) {
        return None;
    }
    let len = usize::try_from(i16_at(frame.bytes, CLIENT_ID_AT)?).ok()?;
    frame.bytes.get(CLIENT_ID_AT + 2..)?.get(..len)
}

/// A field of the header; `None` if the frame lacks it.
fn header_field<'a>(frame: &Frame<'a>, id: u16) -> Option<Value<'a>> {
    let (api, version) = match id {
        CORRELATION_ID => return correlation_id(frame).map(|id| Value::Int(id.into())),
        CLIENT_ID => return client_id(frame).map(Value::text),
        _ => api(frame)?,
    };
    match id {
        API_KEY => Some(Value::Int(api.into())),
        API_NAME => schema::api_name(api).map(Value::str),
        API_VERSION => Some(Value::Int(version.into())),
        _ => None,
    }
}

/// The roles that a key is found by, and whether the first is all that is wanted. `None` for keys of the header.
const fn ask(id: u16) -> Option<(u32, bool)> {
    const TOPICS_ROLES: u32 = Role::Topic.bit() | Role::ResourceName.bit() | Role::ResourceType.bit();
    Some(match id {
        ACKS => (Role::Acks.bit(), true),
        TOPIC => (TOPICS_ROLES, true),
        TOPICS => (TOPICS_ROLES, false),
        TOPIC_ID => (Role::TopicId.bit(), true),
        TOPIC_IDS => (Role::TopicId.bit(), false),
        PARTITION => (Role::Partition.bit(), true),
        PARTITIONS => (Role::Partition.bit(), false),
        GROUP_ID => (Role::Group.bit(), true),
        TRANSACTIONAL_ID => (Role::Transactional.bit(), true),
        COORDINATOR_KEY => (Role::Key.bit(), true),
        KEY_TYPE => (Role::KeyType.bit(), true),
        MEMBER_ID => (Role::Member.bit(), true),
        GROUP_INSTANCE_ID => (Role::Instance.bit(), true),
        SASL_MECHANISM => (Role::Mechanism.bit(), true),
        CLIENT_SOFTWARE_NAME => (Role::SoftwareName.bit(), true),
        CLIENT_SOFTWARE_VERSION => (Role::SoftwareVersion.bit(), true),
        THROTTLE_TIME_MS => (Role::Throttle.bit(), true),
        ERROR_CODE | ERROR | REPLY_TYPE => (Role::Error.bit(), true),
        ERROR_MESSAGE => (Role::ErrorMessage.bit(), true),
        BROKER => (Role::Node.bit() | Role::Host.bit() | Role::Port.bit(), false),
        _ => return None,
    })
}

/// What was found of each kind of value.
#[derive(Default)]
struct Found<'a> {
    /// The roles wanted.
    wants: u32,
    /// Whether the first that counts ends the walk.
    first: bool,
    /// The key that is looked for; all of them if there is none.
    only: Option<u16>,
    /// The first value of each of these keys: positions as in [`KEYS`].
    values: [Option<Value<'a>>; KEYS.len()],
    topics: String,
    topic_ids: String,
    partitions: String,
    error: Option<i16>,
    resource_type: u8,
    node: Option<i32>,
    host: Option<&'a [u8]>,
    port: Option<u32>,
    /// The nodes with their addresses, in order.
    brokers: Vec<(i32, String)>,
}

impl<'a> Found<'a> {
    /// Keeps the first value of a key.
    fn keep(&mut self, id: u16, value: Value<'a>) -> ControlFlow<()> {
        if let Some(place @ None) = self.values.get_mut(usize::from(id)) {
            *place = Some(value);
        }
        if self.first { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Keeps the first value, and adds it to a list of all.
    fn keep_all(&mut self, first: u16, all: u16, value: Value<'a>) -> ControlFlow<()> {
        if self.only != Some(first) {
            let list = match all {
                TOPICS => &mut self.topics,
                TOPIC_IDS => &mut self.topic_ids,
                _ => &mut self.partitions,
            };
            if !list.is_empty() {
                list.push(',');
            }
            list.push_str(&value.to_text());
        }
        if self.only == Some(all) { ControlFlow::Continue(()) } else { self.keep(first, value) }
    }

    /// A host or a port; both together are an address.
    fn address(&mut self) {
        let (Some(host), Some(port)) = (self.host, self.port) else { return };
        (self.host, self.port) = (None, None);
        if let (Some(node @ 0..), false) = (self.node, host.is_empty()) {
            self.brokers.push((node, address(&String::from_utf8_lossy(host), port)));
        }
    }

    /// The values that are found out at the end.
    fn finish(&mut self) {
        if let Some(code) = self.error {
            let _ = self.keep(ERROR_CODE, Value::Int(code.into()));
            let _ = self.keep(REPLY_TYPE, Value::str(if code == 0 { "success" } else { "error" }));
            if code != 0 {
                let name = schema::error_name(code).map_or_else(|| Cow::Owned(code.to_string()), Cow::Borrowed);
                let _ = self.keep(ERROR, Value::Str(name));
            }
        }
        for (id, list) in
            [(TOPICS, &mut self.topics), (TOPIC_IDS, &mut self.topic_ids), (PARTITIONS, &mut self.partitions)]
        {
            if let (false, Some(place)) = (list.is_empty(), self.values.get_mut(usize::from(id))) {
                *place = Some(Value::Str(Cow::Owned(std::mem::take(list))));
            }
        }
    }
}

/// A host and a port as one text; an IPv6 address in brackets.
pub fn address(host: &str, port: u32) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// A number of one, two or four bytes. All but ports are signed.
pub fn number(bytes: &[u8], role: Role) -> Option<i64> {
    match *bytes {
        [byte] => Some(byte.cast_signed().into()),
        [a, b] if matches!(role, Role::Port) => Some(u16::from_be_bytes([a, b]).into()),
        [a, b] => Some(i16::from_be_bytes([a, b]).into()),
        [a, b, c, d] => Some(i32::from_be_bytes([a, b, c, d]).into()),
        _ => None,
    }
}

impl<'a> Sink<'a> for Found<'a> {
    fn wants(&self) -> u32 {
        self.wants
    }

    fn value(&mut self, op: &Op, place: Place<'a>) -> ControlFlow<()> {
        let Some(bytes) = place.bytes else { return ControlFlow::Continue(()) };
        let int = || Value::Int(number(bytes, op.role).unwrap_or_default());
        match op.role {
            Role::Acks => return self.keep(ACKS, int()),
            // No topic has an empty name; one that is told by its id may.
            Role::Topic if !bytes.is_empty() => return self.keep_all(TOPIC, TOPICS, Value::text(bytes)),
            Role::ResourceName if self.resource_type == TOPIC_RESOURCE => {
                return self.keep_all(TOPIC, TOPICS, Value::text(bytes));
            }
            Role::ResourceType => self.resource_type = bytes.first().copied().unwrap_or_default(),
            // No id is all zeros.
            Role::TopicId if bytes.iter().any(|byte| *byte != 0) => {
                return self.keep_all(TOPIC_ID, TOPIC_IDS, Value::Str(Cow::Owned(base64url(bytes))));
            }
            Role::Partition => return self.keep_all(PARTITION, PARTITIONS, int()),
            Role::Group => return self.keep(GROUP_ID, Value::text(bytes)),
            Role::Transactional => return self.keep(TRANSACTIONAL_ID, Value::text(bytes)),
            Role::Key => return self.keep(COORDINATOR_KEY, Value::text(bytes)),
            Role::KeyType => return self.keep(KEY_TYPE, int()),
            Role::Member => return self.keep(MEMBER_ID, Value::text(bytes)),
            Role::Instance => return self.keep(GROUP_INSTANCE_ID, Value::text(bytes)),
            Role::Mechanism => return self.keep(SASL_MECHANISM, Value::text(bytes)),
            Role::SoftwareName => return self.keep(CLIENT_SOFTWARE_NAME, Value::text(bytes)),
            Role::SoftwareVersion => return self.keep(CLIENT_SOFTWARE_VERSION, Value::text(bytes)),
            Role::Throttle => return self.keep(THROTTLE_TIME_MS, int()),
            Role::ErrorMessage => return self.keep(ERROR_MESSAGE, Value::text(bytes)),
            Role::Error => {
                let code = i16_at(bytes, 0).unwrap_or_default();
                if self.error.is_none_or(|known| known == 0) {
                    self.error = Some(code);
                }
                if self.first && code != 0 {
                    return ControlFlow::Break(());
                }
            }
            Role::Node => self.node = i32_at(bytes, 0),
            Role::Host => {
                self.host = Some(bytes);
                self.address();
            }
            Role::Port => {
                self.port = number(bytes, op.role).and_then(|port| u32::try_from(port).ok());
                self.address();
            }
            Role::None | Role::Topic | Role::TopicId | Role::ResourceName => {}
        }
        ControlFlow::Continue(())
    }
}

/// Base64 for URLs and without padding, as Kafka writes its ids.
fn base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            let letter = LETTERS.get((word >> (18 - 6 * place) & 63) as usize).copied().unwrap_or_default();
            out.push(char::from(letter));
        }
    }
    out
}

/// Where a body begins; only frames that no `split` made can end before it.
fn cursor<'a>(frame: &Frame<'a>) -> Cursor<'a> {
    Cursor::new(frame.bytes, frame.head.header_len as usize)
}

pub fn field<'a>(frame: Frame<'a>, key: &Key, limits: &Limits) -> Result<Option<Value<'a>>, DecodeError> {
    let Some((wants, first)) = ask(key.id) else { return Ok(header_field(&frame, key.id)) };
    let Some(body) = body(&frame).filter(|body| body.roles & wants != 0) else { return Ok(None) };
    if matches!(key.id, ERROR_CODE | ERROR | REPLY_TYPE | ERROR_MESSAGE) && is_request(&frame) {
        return Ok(None);
    }
    let mut found = Found { wants, first, only: Some(key.id), ..Found::default() };
    let _ended = walk::structure(&mut cursor(&frame), body, limits, &mut found)?;
    found.first = false;
    found.finish();
    if key.id == BROKER {
        let node = node_of(&key.name);
        let broker = found.brokers.into_iter().rev().find(|(id, _)| Some(*id) == node);
        return Ok(broker.map(|(_, address)| Value::Str(Cow::Owned(address))));
    }
    Ok(found.values.get_mut(usize::from(key.id)).and_then(Option::take))
}

pub fn fields<'a>(frame: Frame<'a>, limits: &Limits, visit: &mut Visit<'_, 'a>) -> Result<(), DecodeError> {
    for id in [API_KEY, API_NAME, API_VERSION, CORRELATION_ID, CLIENT_ID] {
        if let (Some(value), Some(info)) = (header_field(&frame, id), KEYS.get(usize::from(id)))
            && visit(&info.name, value).is_break()
        {
            return Ok(());
        }
    }
    let Some(body) = body(&frame) else { return Ok(()) };
    let errors = Role::Error.bit() | Role::ErrorMessage.bit();
    let wants = !Role::None.bit() & if is_request(&frame) { !errors } else { u32::MAX };
    let mut found = Found { wants, ..Found::default() };
    let walked = walk::structure(&mut cursor(&frame), body, limits, &mut found);
    found.finish();
    for (info, value) in KEYS.iter().zip(found.values) {
        if let Some(value) = value
            && visit(&info.name, value).is_break()
        {
            return Ok(());
        }
    }
    let mut name = String::new();
    for (node, address) in found.brokers {
        name.clear();
        let _ = write!(name, "{BROKER_PREFIX}{node}");
        if visit(&name, Value::Str(Cow::Owned(address))).is_break() {
            return Ok(());
        }
    }
    walked.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_numbers_are_positions_in_the_table() {
        for (position, (number, info)) in NUMBERS.iter().zip(&KEYS).enumerate() {
            assert_eq!((position, usize::from(*number)), (usize::from(key(&info.name).id), position));
        }
    }

    #[test]
    fn brokers_have_one_spelling() {
        assert_eq!((key("broker.0").id, key("broker.2147483647").id), (BROKER, BROKER));
        for other in ["broker.", "broker.01", "broker.+1", "broker.-1", "broker.2147483648", "broker.x", "brokers"] {
            assert_eq!(key(other).id, Key::DYNAMIC, "{other}");
        }
    }

    #[test]
    fn ids_are_written_as_kafka_writes_them() {
        assert_eq!(base64url(&[0; 16]), "AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(base64url(&[0xff; 16]), "_____________________w");
        assert_eq!(base64url(b"light w"), "bGlnaHQgdw");
    }
}
