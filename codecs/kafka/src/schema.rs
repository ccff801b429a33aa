//! What each version of each message looks like: tables made from Kafka's own definitions, and how to read them.
//!
//! A version of a message is one [`Struct`]: its fields in order, without the fields of other versions. Numbers that mean
//! nothing to this codec and lie side by side are one field.

#[rustfmt::skip]
mod tables;

use tables::{APIS, DEFAULTS, ERRORS, STRUCTS, VERSIONS};

/// What a field means to this codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Role {
    /// Nothing.
    None,
    Error,
    ErrorMessage,
    Throttle,
    Topic,
    TopicId,
    Partition,
    Group,
    Transactional,
    /// What a coordinator is looked for: a group, a transactional id ...
    Key,
    /// ... as this number says.
    KeyType,
    Member,
    Instance,
    Acks,
    Mechanism,
    /// The id of the node that the next host and port belong to.
    Node,
    Host,
    Port,
    /// The name of what a configuration belongs to ...
    ResourceName,
    /// ... and what that is: 2 is a topic.
    ResourceType,
    SoftwareName,
    SoftwareVersion,
}

impl Role {
    /// The role as a set.
    pub const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// How a field stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// So many bytes; their default begins here in the pool.
    Fixed { len: u16, default: u16 },
    /// Text of at most 32,767 bytes.
    Text,
    /// Bytes, record batches among them.
    Bytes,
    /// Elements, each this struct.
    Array(u16),
    /// This struct.
    Struct(u16),
    /// A byte that says if there is one, and then this struct.
    Maybe(u16),
}

/// One field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Op {
    pub what: What,
    pub role: Role,
    /// Its length is a varint, one more than it is, and 0 for null.
    pub compact: bool,
    pub nullable: bool,
    pub null_default: bool,
}

/// The fields of one version, in order.
#[derive(Debug)]
pub struct Struct {
    pub ops: &'static [Op],
    /// The tagged fields that are known, by their tags.
    pub tags: &'static [(u32, Op)],
    /// True if tagged fields follow the others.
    pub flexible: bool,
    /// Every role in it and in what it holds.
    pub roles: u32,
    /// The fewest bytes it can take; all that it takes, if it is `fixed`.
    pub least: u16,
    pub fixed: bool,
}

impl Struct {
    /// The struct of this number.
    pub fn get(number: u16) -> &'static Self {
        static EMPTY: Struct = Struct { ops: &[], tags: &[], flexible: false, roles: 0, least: 1, fixed: true };
        STRUCTS.get(usize::from(number)).unwrap_or(&EMPTY)
    }

    /// The roles of its own fields, without what they hold.
    pub fn own_roles(&self) -> u32 {
        self.ops.iter().fold(0, |roles, op| roles | op.role.bit())
    }
}

/// The versions of an API.
#[derive(Clone, Copy, Debug)]
pub struct Versions {
    pub first: i16,
    pub last: i16,
    /// The first flexible version; [`NEVER`] if there is none.
    pub flexible: i16,
}

/// An API and its messages.
struct Api {
    name: &'static str,
    first: i16,
    versions: &'static [(u16, u16)],
}

const NEVER: i16 = i16::MAX;
const COMPACT: u8 = 1;
const NULLABLE: u8 = 2;
const NULL_DEFAULT: u8 = 4;

const fn op(what: What, flags: u8, role: Role) -> Op {
    Op {
        what,
        role,
        compact: flags & COMPACT != 0,
        nullable: flags & NULLABLE != 0,
        null_default: flags & NULL_DEFAULT != 0,
    }
}

const fn fixed(len: u16, default: u16, role: Role) -> Op {
    op(What::Fixed { len, default }, 0, role)
}

const fn text(flags: u8, role: Role) -> Op {
    op(What::Text, flags, role)
}

const fn bytes(flags: u8) -> Op {
    op(What::Bytes, flags, Role::None)
}

const fn array(element: u16, flags: u8) -> Op {
    op(What::Array(element), flags, Role::None)
}

const fn structure(number: u16) -> Op {
    op(What::Struct(number), 0, Role::None)
}

const fn maybe(number: u16, flags: u8) -> Op {
    op(What::Maybe(number), flags, Role::None)
}

const fn known(first: i16, last: i16, flexible: i16) -> Versions {
    Versions { first, last, flexible }
}

/// The versions of an API, if the tables know it.
#[inline]
pub fn versions(api: i16) -> Option<&'static Versions> {
    VERSIONS.get(usize::from(api.cast_unsigned()))
}

/// The name of an API.
pub fn api_name(api: i16) -> Option<&'static str> {
    APIS.get(usize::try_from(api).ok()?).map(|api| api.name)
}

fn messages(api: i16, version: i16) -> Option<(u16, u16)> {
    let api = APIS.get(usize::try_from(api).ok()?)?;
    api.versions.get(usize::try_from(version.checked_sub(api.first)?).ok()?).copied()
}

/// The body of a request.
pub fn request(api: i16, version: i16) -> Option<&'static Struct> {
    messages(api, version).map(|(request, _)| Struct::get(request))
}

/// The body of a response.
pub fn response(api: i16, version: i16) -> Option<&'static Struct> {
    messages(api, version).map(|(_, response)| Struct::get(response))
}

/// The name of an error code.
pub fn error_name(code: i16) -> Option<&'static str> {
    let at = ERRORS.binary_search_by_key(&code, |(code, _)| *code).ok()?;
    ERRORS.get(at).map(|(_, name)| *name)
}

/// The default of a value of fixed width.
pub fn default(at: u16, len: u16) -> &'static [u8] {
    let at = usize::from(at);
    DEFAULTS.get(at..at + usize::from(len)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_of_every_api_has_a_request_and_a_response() {
        assert_eq!(APIS.len(), VERSIONS.len());
        for (key, versions) in (0..).zip(&VERSIONS) {
            assert!(api_name(key).is_some_and(|name| !name.is_empty()));
            for version in versions.first..=versions.last {
                for message in [request(key, version), response(key, version)] {
                    let message = message.expect("a message");
                    assert_eq!(message.flexible, version >= versions.flexible, "API {key} version {version}");
                }
            }
            assert!(request(key, versions.last + 1).is_none() && response(key, versions.first - 1).is_none());
        }
        assert!(request(-1, 0).is_none() && versions(-1).is_none() && api_name(VERSIONS.len() as i16).is_none());
    }

    #[test]
    fn structs_hold_earlier_structs_and_no_element_is_empty() {
        for (number, structure) in STRUCTS.iter().enumerate() {
            for op in structure.ops.iter().chain(structure.tags.iter().map(|(_, op)| op)) {
                match op.what {
                    What::Array(inner) | What::Struct(inner) | What::Maybe(inner) => {
                        assert!(usize::from(inner) < number);
                        assert_eq!(Struct::get(inner).roles & !structure.roles, 0);
                        assert!(!matches!(op.what, What::Array(_)) || Struct::get(inner).least > 0);
                    }
                    What::Fixed { len, default: at } => assert_eq!(default(at, len).len(), usize::from(len)),
                    What::Text | What::Bytes => {}
                }
            }
        }
    }

    #[test]
    fn error_codes_have_names() {
        assert!(ERRORS.is_sorted_by_key(|(code, _)| *code));
        assert_eq!(error_name(-1), Some("UNKNOWN_SERVER_ERROR"));
        assert_eq!(error_name(29), Some("TOPIC_AUTHORIZATION_FAILED"));
        assert_eq!(error_name(-2), None);
    }
}
